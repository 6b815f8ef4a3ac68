//! From a file on the disk to a guest that runs, and what a person sees of it and says to it.

use crate::{DISC, disc_is_missing, visit};
use hv_tests::Picture;
use hv_tests::ui::{Desktop, Node, Place, Rect, Role};
use std::path::Path;

/// The block cursor of a text screen blinks: so many pixels may differ between two pictures of one moment.
const CURSOR: usize = 9 * 16;

#[tokio::test]
async fn an_installer_dropped_on_the_window_becomes_a_guest_that_is_seen_and_heard() {
    if disc_is_missing() {
        return;
    }
    visit("journey", async |desktop| {
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.says("Make Your First Guest").await;
        desktop.drop_file(Path::new(DISC), desktop.window_area("Guesthouse").await).await;
        review_and_create(&desktop.window("New Guest")).await;

        let console = desktop.window("Rescue — Guesthouse");
        let display = display(&console).await;
        assert_eq!(desktop.state("Rescue").await, "running");
        assert_eq!(console.nameless().await, [""; 0]);

        let area = show_in_its_own_size(desktop, &console, &display).await;
        desktop
            .until("the picture in the window to be the guest's", async || {
                let (seen, taken) = (desktop.picture(area).await, taken(desktop).await);
                (taken.colours() > 1 && seen.difference(&taken) <= CURSOR).then_some(())
            })
            .await;

        desktop.focus("Rescue — Guesthouse").await;
        desktop.click(area.middle().0, area.middle().1).await;
        let before = desktop.picture(area).await;
        // Out of the disc's menu to its prompt. What is typed before that shows is lost, as on a real machine.
        desktop.type_text("c").await;
        desktop
            .until("the guest's answer to a key", async || {
                (desktop.picture(area).await.difference(&before) > 20 * CURSOR).then_some(())
            })
            .await;
        // What the guest says on its serial port from here on nobody looks at, until it is looked at below.
        desktop.type_text("serial;terminal_output serial;echo said-earlier").await;
        desktop.keys(&["Return"]).await;
        desktop
            .until("the guest's words in its serial log", async || {
                let log = desktop.home().hv(["log", "--serial", "0", "Rescue"]).await;
                log.out.contains("said-earlier").then_some(())
            })
            .await;

        console.press("Close").await;
        console.closed().await;
        assert_eq!(desktop.state("Rescue").await, "running", "closing its console changes no guest");

        library.press("Open Console").await;
        console.press("Serial").await;
        console
            .until("what was said before the window was opened", |tree| {
                tree.all().find(|node| node.description.contains("said-earlier")).map(|_terminal| ())
            })
            .await;
        assert_eq!(console.nameless().await, [""; 0]);
    })
    .await;
}

/// Looks at the form that a file has filled in, corrects it and creates the guest.
async fn review_and_create(form: &Place<'_>) {
    form.says("grub-rescue-cdrom.iso").await;
    assert_eq!(form.read("Name").await, "grub-rescue-cdrom");
    assert!(form.read("Memory").await.ends_with("iB"), "memory has a unit");
    assert!(form.read("Disk Size").await.ends_with("iB"), "a disk's size has a unit");
    assert_eq!(form.nameless().await, [""; 0]);
    form.write("Name", "Rescue").await;
    form.write("Memory", "256 MiB").await;
    form.press("Create").await;
    form.closed().await;
}

/// The guest's display, once there is a picture on it.
async fn display(console: &Place<'_>) -> Node {
    console
        .until("the guest's display", |tree| {
            let mut images = tree.all().filter(|node| node.role == Role::Image);
            images.find(|node| node.name.starts_with("Display of Rescue, ")).cloned()
        })
        .await
}

/// What the engine says is on the guest's display.
async fn taken(desktop: &Desktop) -> Picture {
    let file = desktop.home().path("taken.png");
    let path = file.to_str().expect("a path in UTF-8");
    desktop.hv(&["screenshot", "Rescue", path]).await;
    Picture::read(&file)
}

/// Gives the window the size in which no pixel of the guest's is scaled. Returns where they are then.
async fn show_in_its_own_size(desktop: &Desktop, console: &Place<'_>, display: &Node) -> Rect {
    let title = "Rescue — Guesthouse";
    let guest = taken(desktop).await;
    let (width, height) = (guest.width as i32, guest.height as i32);
    let window = desktop.window_area(title).await;
    let (more, higher) = (width - display.area.width, height - display.area.height);
    desktop.resize_window(title, window.width + more, window.height + higher).await;
    console
        .until("a display of the guest's own size", |tree| {
            let mut images = tree.all().filter(|node| node.name.starts_with("Display of Rescue, "));
            images.find(|node| (node.area.width, node.area.height) == (width, height)).map(|_image| ())
        })
        .await;
    let display = self::display(console).await;
    console.area(&display).await
}
