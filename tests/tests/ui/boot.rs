//! How a guest starts, on its page: the order in which its disks and drives are tried.

use crate::guest::{hardware_of, has};
use crate::visit;
use hv_tests::ui::Role;
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

#[tokio::test]
async fn the_model_of_the_cpus_is_chosen_and_the_command_shown() {
    visit("model", async |desktop| {
        desktop.hv(&["create", "Box", "--empty", "--no-disk", "--memory", "64MiB", "--cpus", "1"]).await;
        let models = desktop.hv(&["host", "--cpu-models"]).await[0]["models"].clone();
        assert!(models.as_array().is_some_and(|models| models.contains(&json!("Nehalem"))), "{models}");
        desktop.hv(&["set", "Box", "cpu-model=Nehalem"]).await;
        let library = hardware_of(desktop, "Box").await;
        library.says("Nehalem").await;
        library.press("Show Generated Command").await;
        let command = desktop.anywhere();
        command.says("The next start of “Box”").await;
        command
            .until("the command", |tree| {
                tree.all().find(|node| node.name == "Generated Command" && node.role == Role::Text).cloned()
            })
            .await;
        assert_eq!(command.nameless().await, [""; 0]);
    })
    .await;
}
