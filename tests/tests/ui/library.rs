//! The library window: empty, narrow, and while the core is away.

use crate::guest::row;
use crate::visit;
use hv_tests::ui::Role;

#[tokio::test]
async fn an_empty_library_says_how_to_begin() {
    visit("empty", async |desktop| {
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.says("Make Your First Guest").await;
        library.find(Role::Button, "Choose Installer…").await;
        assert_eq!(library.nameless().await, [""; 0]);
        library.press("Other Ways…").await;
        let form = desktop.window("New Guest");
        form.says("Drop an Installer Here").await;
        assert_eq!(form.nameless().await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_narrow_window_shows_the_list_or_the_guest() {
    visit("narrow", async |desktop| {
        desktop.hv(&["create", "Small", "--empty", "--no-disk"]).await;
        desktop.open::<&str>([]);
        let library = desktop.window("Guesthouse");
        library.says("No Guest Selected").await;
        desktop.resize_window("Guesthouse", 370, 600).await;
        library.lost(Role::Label, "No Guest Selected").await;
        library.click(&row(&library, "Small", "Off").await).await;
        library.find(Role::Button, "Back to the List").await;
        library.find(Role::Button, "Start").await;
        assert_eq!(library.nameless().await, [""; 0]);
        let window = desktop.window_area("Guesthouse").await;
        assert_eq!((window.width, window.height), (370, 600), "everything fits into a narrow window");
        library.press("Back to the List").await;
        library.find(Role::Button, "Start Small").await;
    })
    .await;
}
