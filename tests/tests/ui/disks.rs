//! A guest's disks on its page: added, made larger, changed, removed, each with the word that says when.

use crate::guest::{hardware_of, has};
use crate::visit;
use serde_json::json;

#[tokio::test]
async fn disks_come_and_go_and_say_when() {
    visit("disks", async |desktop| {
        desktop
            .hv(&["create", "Rack", "--empty", "--disk", "1GiB", "--memory", "64MiB", "--cpus", "1"])
            .await;
        let library = hardware_of(desktop, "Rack").await;
        library.press("Add Disk…").await;
        let dialog = desktop.anywhere();
        dialog.says("Add a Disk to “Rack”").await;
        assert_eq!(dialog.nameless().await, [""; 0]);
        dialog.write("Size", "2 GiB").await;
        dialog.press("Add").await;
        has(desktop, "Rack", "/disks/1/size", json!(2_u64 << 30)).await;
        library.says("disk1 · 2 GiB · Virtio").await;
        assert_eq!(library.nameless().await, [""; 0]);
    })
    .await;
}
