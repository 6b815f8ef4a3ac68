//! Snapshots and clones, as they are taken and brought back in the window.

use crate::guest::row;
use crate::visit;
use hv_tests::ui::Role;

#[tokio::test]
async fn a_snapshot_is_taken_renamed_restored_and_deleted() {
    visit("snapshots", async |desktop| {
        let words = ["create", "Lamp", "--empty", "--disk", "16MiB", "--memory", "64MiB", "--cpus", "1"];
        desktop.hv(&words).await;
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.click(&row(&library, "Lamp", "Off").await).await;
        library.press("Snapshots").await;
        library.says("No Snapshots").await;
        assert_eq!(library.nameless().await, [""; 0]);
        library.press("Take Snapshot…").await;
        let question = desktop.anywhere();
        question.says("Take a Snapshot of “Lamp”").await;
        assert_eq!(question.nameless().await, [""; 0]);
        question.press("Take Snapshot").await;
        library.says("Snapshot 1").await;
        library.says("Now").await;
        assert_eq!(library.nameless().await, [""; 0]);

        library.choose("More for “Snapshot 1”", "Name and Note…").await;
        question.says("Name and Note").await;
        question.write("Name", "clean").await;
        question.press("Save").await;
        library.says("clean").await;

        library.press("Restore…").await;
        question.says("Restore “clean”?").await;
        question.press("Restore").await;
        library.says("Before “clean”").await;
        question.lost(Role::Label, "Restore “clean”?").await;

        library.choose("More for “clean”", "Delete…").await;
        question.press("Delete").await;
        library.lost(Role::Label, "clean").await;

        library.choose("Guest Menu", "Clone…").await;
        question.says("Clone “Lamp”").await;
        question.press("Clone").await;
        row(&library, "Lamp (copy)", "Off").await;
    })
    .await;
}
