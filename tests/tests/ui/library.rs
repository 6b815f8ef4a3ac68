//! The library window: empty, with guests, folded, and while the core is away.

use crate::visit;
use hv_tests::ui::Role;

#[tokio::test]
async fn an_empty_library_says_how_to_begin() {
    visit("empty", async |desktop| {
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.says("Make Your First Guest").await;
        library.find(Role::Button, "Choose Installer…").await;
        println!("{}", library.tree().await.to_text());
        assert_eq!(library.nameless().await, [""; 0]);
    })
    .await;
}
