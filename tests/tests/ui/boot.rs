//! How a guest starts, on its page: the order in which its disks and drives are tried.

use crate::guest::{hardware_of, has};
use crate::visit;
use serde_json::{Value, json};

#[tokio::test]
async fn what_a_guest_starts_from_is_put_in_order() {
    visit("boot", async |desktop| {
        desktop.hv(&["create", "Box", "--empty", "--disk", "1MiB", "--memory", "64MiB", "--cpus", "1"]).await;
        let library = hardware_of(desktop, "Box").await;
        let has = async |order: Value| has(desktop, "Box", "/boot", order).await;
        library.click(&library.says("Boot Order").await).await;
        library.press("Try CD Drive Sooner").await;
        has(json!(["cd0", "disk0"])).await;
        library.says("cd0, disk0").await;
        assert_eq!(library.nameless().await, [""; 0]);
        library.press("Try CD Drive Later").await;
        has(json!([])).await;
        library.press("disk0.qcow2").await;
        has(json!(["cd0"])).await;
        library.says("cd0").await;
    })
    .await;
}
