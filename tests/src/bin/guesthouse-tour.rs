//! `guesthouse-tour FOLDER`: the way from a file to a running guest, for people without a screen.
//!
//! It opens the real window on the screen that it finds (`resources/setup/tour.sh` makes a virtual one, with
//! folders of its own), goes through the New Guest window with a real disc, and leaves a picture of each
//! step in FOLDER. It touches nothing but the guests of the session that it runs in.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what it says to whoever runs it")]

use clap::Parser;
use hv_tests::program;
use hv_tests::ui::{Desktop, Node, Place, Role};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Where packages of Debian put discs that start: memtest86+, grub-rescue-pc and ipxe.
const DISCS: [&str; 4] = [
    "/usr/lib/memtest86+/memtest86+x64.iso",
    "/boot/memtest86+x64.iso",
    "/usr/lib/grub-rescue/grub-rescue-cdrom.iso",
    "/usr/lib/ipxe/ipxe.iso",
];

/// The guest's name.
const NAME: &str = "Tour";

/// How long a guest's picture has to stand still to count as arrived.
const STILL: Duration = Duration::from_millis(1500);

/// How long it is waited for: some never stand still.
const ARRIVES: Duration = Duration::from_secs(20);

/// Goes from a disc to a running guest in the real window, and takes a picture of each step.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Where the pictures go
    folder: PathBuf,
    /// Look at the dark style
    #[arg(long)]
    dark: bool,
    /// Look at windows as narrow as a telephone
    #[arg(long)]
    narrow: bool,
    /// The disc from which the guest starts; otherwise one that a package has brought
    #[arg(long)]
    disc: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let Some(disc) = options.disc.clone().or_else(installed_disc) else {
        eprintln!("The tour could not begin.");
        eprintln!("No bootable disc image is installed from which a guest could start.");
        eprintln!("Install the package memtest86+, grub-rescue-pc or ipxe, or name an ISO file with --disc.");
        return ExitCode::FAILURE;
    };
    if let Err(error) = std::fs::create_dir_all(&options.folder) {
        eprintln!("The tour could not begin.");
        eprintln!("The folder {} can't be made: {error}.", options.folder.display());
        eprintln!("Name a folder that you may write to.");
        return ExitCode::FAILURE;
    }
    let mut desktop = Desktop::present().await;
    if options.dark {
        desktop.set("ADW_DEBUG_COLOR_SCHEME", "prefer-dark");
    }
    let tour = Tour { desktop, folder: options.folder, narrow: options.narrow };
    tour.go(&disc).await;
    ExitCode::SUCCESS
}

fn installed_disc() -> Option<PathBuf> {
    DISCS.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// A tour.
struct Tour {
    desktop: Desktop,
    folder: PathBuf,
    narrow: bool,
}

impl Tour {
    async fn go(&self, disc: &Path) {
        let desktop = &self.desktop;
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.says("Make Your First Guest").await;
        self.take("1-empty", "Guesthouse", "The library before there is any guest.").await;

        // As a file manager hands over a file that was opened with Guesthouse.
        let mut opened = desktop.command(program("guesthouse"));
        let handed = desktop.patience("the disc to be handed over", opened.arg(disc).status()).await;
        assert!(handed.is_ok_and(|status| status.success()), "the disc was not handed over");
        let form = desktop.window("New Guest");
        form.find(Role::Button, "Create").await;
        form.write("Name", NAME).await;
        self.take("2-review", "New Guest", "What was found on the disc, and all there is to decide.").await;
        form.press("Create").await;
        form.closed().await;

        let title = format!("{NAME} — Guesthouse");
        let console = desktop.window(&title);
        let display = display(&console).await;
        self.wait_for_picture(&console, &display).await;
        self.take("3-console", &title, "The guest's display in a window.").await;
        console.press("Serial").await;
        self.take("4-serial", &title, "The guest's serial port, with what it said before.").await;
        console.press("Close").await;
        console.closed().await;

        library.find(Role::Button, "Open Console").await;
        self.take("5-library", "Guesthouse", "The library with the guest, which runs on.").await;
        library.press("Hardware").await;
        library.find(Role::SpinButton, "Memory").await;
        self.take("6-hardware", "Guesthouse", "The guest's hardware; each row says when a change applies.")
            .await;

        desktop.hv(&["force-off", NAME]).await;
        library.find(Role::Button, "Start").await;
        self.take("7-off", "Guesthouse", "The same guest, off.").await;
        library.press("Close").await;
        library.closed().await;
    }

    /// Takes a picture of a window and says what is on it.
    async fn take(&self, name: &str, title: &str, words: &str) {
        if self.narrow {
            let height = self.desktop.window_area(title).await.height;
            self.desktop.resize_window(title, 370, height).await;
        }
        let file = self.folder.join(format!("{name}.png"));
        // What was just shown is drawn with the next frame, and slides in.
        let mut last = None;
        self.desktop
            .until("a window that stands still", async || {
                let now = self.desktop.picture(self.desktop.window_area(title).await).await;
                let still = last.as_ref() == Some(&now) || title != "Guesthouse" && last.is_some();
                last = Some(now);
                still.then_some(())
            })
            .await;
        self.desktop.photograph(title, &file).await;
        println!("{}: {words}", file.display());
    }

    /// Waits until the guest's picture has something on it and, if it ever does, stands still.
    async fn wait_for_picture(&self, console: &Place<'_>, display: &Node) {
        let area = console.area(display).await;
        let (begun, mut since, mut last) = (Instant::now(), Instant::now(), None);
        self.desktop
            .until("something on the guest's display", async || {
                let now = self.desktop.picture(area).await;
                let something = now.colours() > 1;
                if last.as_ref() != Some(&now) {
                    (since, last) = (Instant::now(), Some(now));
                }
                (something && (since.elapsed() > STILL || begun.elapsed() > ARRIVES)).then_some(())
            })
            .await;
    }
}

/// The guest's display, once there is a picture on it.
async fn display(console: &Place<'_>) -> Node {
    console
        .until("the guest's display", |tree| {
            let mut images = tree.all().filter(|node| node.role == Role::Image);
            images.find(|node| node.name.starts_with(&format!("Display of {NAME}, "))).cloned()
        })
        .await
}
