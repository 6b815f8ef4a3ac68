//! A guest's page: its power, its hardware, and what happens when the core ends.

use crate::visit;
use hv_tests::ui::{Desktop, Node, Place, Role};
use serde_json::{Value, json};

/// A guest without anything to start from: its firmware says so and waits.
pub async fn make(desktop: &Desktop, name: &str) {
    desktop.hv(&["create", name, "--empty", "--no-disk", "--memory", "64MiB", "--cpus", "1"]).await;
}

/// Waits for the guest's row to say this of it.
pub async fn row(library: &Place<'_>, name: &str, word: &str) -> Node {
    let begins = format!("{name}, {word}, ");
    library
        .until(&format!("a row that says {begins:?}"), |tree| {
            tree.all().find(|node| node.role == Role::ListItem && node.name.starts_with(&begins)).cloned()
        })
        .await
}

/// Opens the window at the hardware of a guest that is off.
pub async fn hardware_of<'a>(desktop: &'a Desktop, name: &str) -> Place<'a> {
    desktop.open::<&str>([]);
    let library = desktop.window("Guesthouse");
    library.click(&row(&library, name, "Off").await).await;
    // High enough for all that is pressed with the pointer.
    desktop.resize_window("Guesthouse", 1000, 1180).await;
    library.press("Hardware").await;
    library
}

/// Waits for what the core tells of a guest.
pub async fn has(desktop: &Desktop, name: &str, what: &str, value: Value) {
    desktop
        .until(&format!("{what} to be {value}"), async || {
            (desktop.hv(&["show", name]).await[0].pointer(what).unwrap_or(&Value::Null) == &value)
                .then_some(())
        })
        .await;
}

#[tokio::test]
async fn power_is_controlled_and_followed_in_words() {
    visit("power", async |desktop| {
        make(desktop, "Lamp").await;
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.click(&row(&library, "Lamp", "Off").await).await;
        library.press("Start").await;
        row(&library, "Lamp", "Running").await;
        assert_eq!(desktop.state("Lamp").await, "running");

        // What somebody else does is followed.
        desktop.hv(&["pause", "Lamp"]).await;
        row(&library, "Lamp", "Paused").await;
        library.press("Resume").await;
        row(&library, "Lamp", "Running").await;

        library.choose("More power actions", "Pause").await;
        row(&library, "Lamp", "Paused").await;
        assert_eq!(desktop.state("Lamp").await, "paused");

        // What destroys is asked about; who cancels has changed nothing.
        library.choose("More power actions", "Force Off…").await;
        let question = desktop.anywhere();
        question.says("Force off “Lamp”?").await;
        assert_eq!(question.nameless().await, [""; 0]);
        question.press("Cancel").await;
        question.lost(Role::Label, "Force off “Lamp”?").await;
        assert_eq!(desktop.state("Lamp").await, "paused");
        library.choose("More power actions", "Force Off…").await;
        question.press("Force Off").await;
        row(&library, "Lamp", "Off").await;
        assert_eq!(desktop.state("Lamp").await, "off");
    })
    .await;
}

#[tokio::test]
async fn hardware_is_changed_at_once_or_at_the_next_start_and_says_which() {
    visit("hardware", async |desktop| {
        make(desktop, "Box").await;
        let library = hardware_of(desktop, "Box").await;
        library.until("a badge", |tree| tree.find(Role::Label, "Now").map(|_badge| ())).await;
        assert_eq!(library.nameless().await, [""; 0]);
        let has = async |what: &str, value: Value| has(desktop, "Box", what, value).await;
        library.set(Role::SpinButton, "Memory", 96.0).await;
        has("/memory", (96_u64 << 20).into()).await;
        row(&library, "Box", "Off").await;
        desktop.hv(&["set", "Box", "max-memory=1GiB"]).await;

        library.press("Start").await;
        row(&library, "Box", "Running").await;
        // More is there at once, and so little that the guest could come to harm waits.
        library.set(Role::SpinButton, "Memory", 128.0).await;
        has("/memory", (128_u64 << 20).into()).await;
        has("/pending", json!([])).await;
        library.set(Role::SpinButton, "Memory", 64.0).await;
        library.until("a badge", |tree| tree.find(Role::Label, "At next start").map(|_badge| ())).await;
        library.says("1 change applies at next start").await;
        library.says("The running guest has 128 MiB").await;
        has("/memory", (64_u64 << 20).into()).await;
    })
    .await;
}

#[tokio::test]
async fn details_beside_the_picture_change_the_running_guest() {
    visit("details", async |desktop| {
        make(desktop, "Box").await;
        desktop.hv(&["set", "Box", "max-memory=1GiB"]).await;
        desktop.hv(&["start", "Box"]).await;
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.click(&row(&library, "Box", "Running").await).await;
        library.press("Open Console").await;
        let console = desktop.window("Box — Guesthouse");
        console.press("Guest Details").await;
        console.set(Role::SpinButton, "Memory", 128.0).await;
        has(desktop, "Box", "/memory", (128_u64 << 20).into()).await;
        console.press("Add Network Card").await;
        has(desktop, "Box", "/nics/1/nic", "nic1".into()).await;
        assert_eq!(console.nameless().await, [""; 0]);

        // What is asked is asked in front of this window, and what is refused is said in it.
        desktop.hv(&["snapshot", "Box", "take", "before"]).await;
        console.press("Take Snapshot…").await;
        let question = desktop.window("Take a Snapshot of “Box”");
        question.write("Name", "before").await;
        question.press("Take Snapshot").await;
        console.says("“Box” already has a snapshot named “before”.").await;
        console.press("Guest Details").await;
        console.lost(Role::SpinButton, "Memory").await;
        assert_eq!(desktop.state("Box").await, "running");
    })
    .await;
}

#[tokio::test]
async fn a_core_that_was_killed_is_missed_and_started_again_and_the_guest_runs_on() {
    visit("core", async |desktop| {
        make(desktop, "Survivor").await;
        desktop.hv(&["start", "Survivor"]).await;
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        row(&library, "Survivor", "Running").await;
        let engine = desktop.hv(&["show", "Survivor"]).await[0]["pid"].clone();

        for core in desktop.home().cores() {
            core.kill();
            core.ended().await;
        }
        library.says("The Hypervisor Core Is Not Running").await;
        assert!(library.tree().await.find(Role::List, "Guests").is_none(), "nothing looks like a library");
        assert_eq!(library.nameless().await, [""; 0]);
        library.press("Start Core").await;
        row(&library, "Survivor", "Running").await;
        assert_eq!(desktop.hv(&["show", "Survivor"]).await[0]["pid"], engine, "the same engine runs on");
    })
    .await;
}
