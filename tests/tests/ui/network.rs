//! Network cards on a guest's page: each setting says when it takes effect, and what is refused is told there.

use crate::guest::{hardware_of, has, make, row};
use crate::visit;
use hv_tests::ui::Role;
use serde_json::{Value, json};
use std::net::TcpListener;

#[tokio::test]
async fn network_cards_are_changed_where_they_stand() {
    visit("network", async |desktop| {
        make(desktop, "Box").await;
        let library = hardware_of(desktop, "Box").await;
        let has = async |what: &str, value: Value| has(desktop, "Box", &format!("/nics{what}"), value).await;
        library.click(&library.says("This computer's connection").await).await;
        library.says("Port Forwards").await;
        assert_eq!(library.nameless().await, [""; 0]);

        // A forward that can't be is refused where it is typed, one that another program has by the core.
        let program = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = program.local_addr().expect("an address").port().to_string();
        library.write("Port of This Computer", "0").await;
        library.write("Port of the Guest", "22").await;
        library.press("Add Forward").await;
        library.says("A port is a number from 1 to 65535.").await;
        library.write("Port of This Computer", &port).await;
        library.press("Add Forward").await;
        let words = format!(
            "The port forward tcp:127.0.0.1:{port}:22 is not possible. Another program on this computer listens \
             on that port. Choose another port, or end the program that has it."
        );
        library.says(&words).await;
        drop(program);
        library.write("Port of This Computer", &port).await;
        library.write("Port of the Guest", "22").await;
        library.press("Add Forward").await;
        library.says(&format!("{port} → 22")).await;
        library.lost(Role::Label, &words).await;
        has("/0/forwards/0/guest_port", json!(22)).await;
        has("/0/forwards/0/address", json!("127.0.0.1")).await;

        // While it runs, links and forwards are changed at once; a card at a fixed place stays until the next start.
        library.press("Start").await;
        row(&library, "Box", "Running").await;
        library.press("Cable Plugged In").await;
        has("/0/link", json!("down")).await;
        library.says("nic0 · Virtio · unplugged").await;
        library.press(&format!("Remove Forward {port} → 22")).await;
        has("/0/forwards", json!([])).await;
        library.press("Add Network Card").await;
        has("/1/nic", json!("nic1")).await;
        has("/1/present", json!(true)).await;
        // What somebody else does is followed.
        desktop.hv(&["nic", "Box", "set", "--nic", "nic1", "--mode", "isolated=lab"]).await;
        library.says("Isolated network “lab”").await;
        library.press("Remove Card").await;
        library.says("1 change applies at next start").await;
        has("/0/nic", json!("nic1")).await;
        assert_eq!(library.nameless().await, [""; 0]);
    })
    .await;
}
