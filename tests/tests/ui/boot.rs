//! How a guest starts, on its page: the order in which its disks and drives are tried.

use crate::guest::row;
use crate::visit;
use serde_json::{Value, json};

#[tokio::test]
async fn what_a_guest_starts_from_is_put_in_order() {
    visit("boot", async |desktop| {
        desktop.hv(&["create", "Box", "--empty", "--disk", "1MiB", "--memory", "64MiB", "--cpus", "1"]).await;
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.click(&row(&library, "Box", "Off").await).await;
        desktop.resize_window("Guesthouse", 1000, 1000).await;
        library.press("Hardware").await;
        let has = async |what: &str, value: Value| {
            desktop
                .until(&format!("{what} to be {value}"), async || {
                    (desktop.hv(&["show", "Box"]).await[0][what] == value).then_some(())
                })
                .await;
        };
        library.click(&library.says("Boot Order").await).await;
        library.press("Try CD Drive Sooner").await;
        has("boot", json!(["cd0", "disk0"])).await;
        library.says("cd0, disk0").await;
        assert_eq!(library.nameless().await, [""; 0]);
        library.press("Try CD Drive Later").await;
        has("boot", json!([])).await;
        library.press("disk0.qcow2").await;
        has("boot", json!(["cd0"])).await;
        library.says("cd0").await;
    })
    .await;
}
