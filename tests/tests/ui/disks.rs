//! A guest's disks on its page: added, made larger, changed, removed, each with the word that says when.

use crate::visit;
use hv_tests::ui::{Desktop, Role};

async fn disks(desktop: &Desktop) -> serde_json::Value {
    desktop.hv(&["show", "Rack"]).await[0]["disks"].clone()
}

#[tokio::test]
async fn disks_come_and_go_and_say_when() {
    visit("disks", async |desktop| {
        desktop
            .hv(&["create", "Rack", "--empty", "--disk", "1GiB", "--memory", "64MiB", "--cpus", "1"])
            .await;
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        let row = library
            .until("the guest's row", |tree| {
                tree.all()
                    .find(|node| node.role == Role::ListItem && node.name.starts_with("Rack, Off"))
                    .cloned()
            })
            .await;
        library.click(&row).await;
        library.press("Hardware").await;
        library.press("Add Disk…").await;
        let dialog = desktop.anywhere();
        dialog.says("Add a Disk to “Rack”").await;
        assert_eq!(dialog.nameless().await, [""; 0]);
        dialog.write("Size", "2 GiB").await;
        dialog.press("Add").await;
        desktop
            .until("two disks", async || {
                (disks(desktop).await.as_array().map(Vec::len) == Some(2)).then_some(())
            })
            .await;
        assert_eq!(disks(desktop).await[1]["size"], 2_u64 << 30);
        library.says("disk1 · 2 GiB · Virtio").await;
        assert_eq!(library.nameless().await, [""; 0]);
    })
    .await;
}
