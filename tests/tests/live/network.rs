//! Network cards as a real Linux sees them, and as the host reaches it through them.

use crate::linux::Linux;
use crate::{eventually, shown};
use hv_tests::Home;
use serde_json::json;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use tokio::io::AsyncReadExt;

const CARD: [&str; 5] = ["--no-disk", "--memory", "256MiB", "--cpus", "1"];

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Linux {
    /// Loads the driver of the usual card.
    async fn load_network(&mut self) {
        self.load_virtio().await;
        for driver in ["failover", "net_failover", "virtio_net"] {
            self.load(driver).await;
        }
    }

    /// Gives a card an address and says one word to everybody who connects to its port 80.
    async fn serve(&mut self, word: &str) {
        let said = self.run("ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0 && echo well").await;
        assert!(said.ends_with("well"), "{said}");
        self.run(&format!("(while :; do echo {word} | nc -l -p 80; done) >/dev/null 2>&1 & true")).await;
    }

    async fn carrier(&mut self) -> String {
        self.run("cat /sys/class/net/eth0/carrier").await
    }

    async fn has_card(&mut self, mac: &str) -> bool {
        self.run("cat /sys/class/net/*/address").await.contains(mac)
    }
}

/// The word that is said at this port of the host.
async fn word_at(port: u16) -> Option<String> {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let mut word = String::new();
    let read = stream.read_to_string(&mut word);
    tokio::time::timeout(Duration::from_secs(10), read).await.ok()?.ok()?;
    Some(word.trim().to_owned())
}

#[tokio::test]
async fn a_port_of_the_host_leads_to_a_guest_also_when_it_was_added_later_and_after_a_save() {
    let home = Home::new();
    let (first, second) = (free_port(), free_port());
    let forward = format!("tcp:{first}:80");
    let words: Vec<&str> = CARD.into_iter().chain(["--forward", &forward]).collect();
    let Some(mut linux) = Linux::boot(&home, "served", &words).await else { return };
    linux.load_network().await;
    linux.serve("hello").await;
    eventually("the guest's word", async || word_at(first).await.filter(|word| word == "hello")).await;

    let more = format!("tcp:{second}:80");
    let said = home.hv(["nic", "served", "set", "--forward", &more]).await.done();
    assert_eq!(said, "nic0.forward: applied now\n");
    eventually("the same at another port", async || word_at(second).await.filter(|word| word == "hello"))
        .await;
    let said = home.hv(["nic", "served", "set", "--no-forward", &forward]).await.done();
    assert_eq!(said, "nic0.forward: applied now\n");
    assert!(TcpStream::connect(("127.0.0.1", first)).is_err(), "nobody listens there any more");

    // A card that is added while it runs is there after a save, at the same place.
    assert_eq!(
        home.hv(["nic", "served", "add", "--mac", "52:54:00:aa:bb:01"]).await.done(),
        "nic1: applied now\n"
    );
    eventually("a second card", async || linux.has_card("52:54:00:aa:bb:01").await.then_some(())).await;
    let place = linux.run("readlink /sys/class/net/eth1/device").await;
    home.hv(["save", "served"]).await.done();
    home.no_engine().await;
    home.hv(["start", "served"]).await.done();
    eventually("the word after a save", async || word_at(second).await.filter(|word| word == "hello")).await;
    assert_eq!(linux.run("readlink /sys/class/net/eth1/device").await, place);
    assert_eq!(home.hv(["nic", "served", "remove", "--nic", "nic1"]).await.done(), "nic1: applied now\n");
    assert!(!linux.has_card("52:54:00:aa:bb:01").await);
    let guest = shown(&home, "served").await;
    assert_eq!((&guest["pending"], guest["nics"].as_array().map(Vec::len)), (&json!([]), Some(1)));
}

#[tokio::test]
async fn a_cable_is_unplugged_and_cards_come_and_go_while_a_guest_runs() {
    let home = Home::new();
    let words: Vec<&str> = CARD.into_iter().chain(["--nic", "user,mac=52:54:00:aa:bb:00"]).collect();
    let Some(mut linux) = Linux::boot(&home, "cabled", &words).await else { return };
    linux.load_network().await;
    linux.run("ip link set eth0 up").await;
    assert_eq!(linux.carrier().await, "1");
    for (link, carrier) in [("down", "0"), ("up", "1"), ("down", "0")] {
        assert_eq!(
            home.hv(["nic", "cabled", "set", "--link", link]).await.done(),
            "nic0.link: applied now\n"
        );
        eventually("the guest sees it", async || (linux.carrier().await == carrier).then_some(())).await;
    }
    // The first card is at a fixed place, which is said before and after.
    let guest = shown(&home, "cabled").await;
    assert_eq!((&guest["nics"][0]["pluggable"], &guest["nics"][0]["link"]), (&json!(false), &json!("down")));
    for turn in 0..2 {
        let mac = format!("52:54:00:aa:bb:1{turn}");
        let said = home.hv(["nic", "cabled", "add", "--mac", &mac, "--link", "down"]).await.done();
        assert_eq!(said, "nic1: applied now\n");
        eventually("a second card", async || linux.has_card(&mac).await.then_some(())).await;
        assert_eq!(home.hv(["nic", "cabled", "remove", "--nic", "nic1"]).await.done(), "nic1: applied now\n");
        assert!(!linux.has_card(&mac).await);
    }
    let said = home.hv(["nic", "cabled", "remove"]).await.done();
    assert_eq!(said, "nic0: applied at next start (the machine has it from its start)\n");
    assert!(linux.has_card("52:54:00:aa:bb:00").await);
    let guest = shown(&home, "cabled").await;
    let pending = json!([{ "key": "nic0", "now": "52:54:00:aa:bb:00", "next": "none" }]);
    assert_eq!((&guest["nics"], &guest["pending"]), (&json!([]), &pending));
}
