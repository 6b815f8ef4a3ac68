//! What a guest uses, on its page: said to those who can't see the graphs, and measured only while somebody
//! can.

use crate::guest::row;
use crate::visit;

#[tokio::test]
async fn a_running_guests_use_is_shown_while_its_page_is() {
    visit("usage", async |desktop| {
        desktop.hv(&["create", "Lamp", "--empty", "--no-disk", "--memory", "64MiB", "--cpus", "1"]).await;
        desktop.hv(&["create", "Off", "--empty", "--no-disk", "--memory", "64MiB", "--cpus", "1"]).await;
        desktop.hv(&["start", "Lamp"]).await;
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.click(&row(&library, "Lamp", "Running").await).await;
        for begins in ["Processor: ", "Memory Held Here: "] {
            library
                .until(&format!("a graph of {begins:?}"), |tree| {
                    tree.all().find(|node| node.name.starts_with(begins)).cloned()
                })
                .await;
        }
        library
            .until("what goes to its disks", |tree| {
                tree.all().find(|node| node.name.starts_with("Disks: ")).cloned()
            })
            .await;
        assert_eq!(library.nameless().await, [""; 0]);
        // One that is off uses nothing.
        library.click(&row(&library, "Off", "Off").await).await;
        library
            .until("no graph", |tree| {
                tree.all().all(|node| !node.name.starts_with("Processor: ")).then_some(())
            })
            .await;
    })
    .await;
}
