//! Network cards as a real Linux sees them, and as the host reaches it through them.

use crate::linux::Linux;
use crate::{eventually, shown};
use hv_tests::{Home, Process, skip};
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
    pub async fn load_network(&mut self) {
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
    // A cable that is out stays so from the next start on, and with another model.
    let said = home.hv(["nic", "cabled", "set", "--model", "e1000e"]).await.done();
    assert_eq!(said, "nic0.model: applied at next start (the machine has it from its start)\n");
    home.hv(["force-off", "cabled"]).await.done();
    home.hv(["start", "cabled"]).await.done();
    let mut linux = Linux::at(&home, "cabled").await;
    assert_eq!(linux.run("cat /sys/bus/pci/devices/0000:00:08.0/device").await, "0x10d3");
    linux.load("e1000e").await;
    linux.run("ip link set eth0 up").await;
    assert_eq!(linux.carrier().await, "0");
    assert_eq!(home.hv(["nic", "cabled", "set", "--link", "up"]).await.done(), "nic0.link: applied now\n");
    eventually("the guest sees it", async || (linux.carrier().await == "1").then_some(())).await;
    let said = home.hv(["nic", "cabled", "remove"]).await.done();
    assert_eq!(said, "nic0: applied at next start (the machine has it from its start)\n");
    assert!(linux.has_card("52:54:00:aa:bb:00").await);
    let guest = shown(&home, "cabled").await;
    let pending = json!([{ "key": "nic0", "now": "52:54:00:aa:bb:00", "next": "none" }]);
    assert_eq!((&guest["nics"], &guest["pending"]), (&json!([]), &pending));
}

#[tokio::test]
async fn guests_in_an_isolated_network_reach_each_other_and_nobody_else_also_without_a_core() {
    let home = Home::new();
    let core = home.core().await;
    let words = |name| -> Vec<&str> { CARD.into_iter().chain(["--nic", name]).collect() };
    let Some(mut one) = Linux::boot(&home, "one", &words("isolated=lab")).await else { return };
    let (same, other) = (words("isolated=lab"), words("isolated=other"));
    let two = Linux::boot(&home, "two", &same);
    let three = Linux::boot(&home, "three", &other);
    let (Some(mut two), Some(mut three)) = tokio::join!(two, three) else { return };
    for (linux, number) in [(&mut one, 1), (&mut two, 2), (&mut three, 3)] {
        linux.load_network().await;
        linux.run(&format!("ip link set eth0 up && ip addr add 10.9.0.{number}/24 dev eth0")).await;
    }
    assert!(pings(&mut one, "10.9.0.2").await);
    assert!(!pings(&mut one, "10.9.0.3").await);
    assert_eq!(home.switches().len(), 2);
    // A switch that was ended is there again, and nobody has to connect anew.
    home.switches().iter().for_each(Process::kill);
    eventually("the other guest again", async || pings(&mut two, "10.9.0.1").await.then_some(())).await;
    // Into the same network, while it runs.
    let said = home.hv(["nic", "three", "set", "--mode", "isolated=lab"]).await.done();
    assert_eq!(said, "nic0.mode: applied now\n");
    eventually("the third guest", async || pings(&mut one, "10.9.0.3").await.then_some(())).await;
    let nics = home.hv(["nic", "three", "--json"]).await.json();
    assert_eq!((&nics["nics"][0]["mode"], &nics["nics"][0]["network"]), (&json!("isolated"), &json!("lab")));
    // The switch outlives the core as the guests do, which write down themselves what they see.
    let log = shown(&home, "one").await["paths"]["serial_logs"][0].as_str().expect("a path").to_owned();
    one.run("(while :; do ping -c 1 -W 2 10.9.0.2; done) & true").await;
    core.kill().await;
    let answers = || std::fs::read_to_string(&log).expect("a log").matches(" 0% packet loss").count();
    let before = answers();
    eventually("the guests reach each other", async || (answers() > before + 2).then_some(())).await;
    assert_eq!(home.cores().len(), 0);
}

async fn pings(linux: &mut Linux, address: &str) -> bool {
    linux.run(&format!("ping -c 1 -W 2 {address}")).await.contains(" 0% packet loss")
}

/// As root, which needs no helper with rights of its own, and in a network of the test's own.
#[tokio::test]
async fn a_guest_on_a_bridge_is_in_the_hosts_network() {
    let home = Home::new();
    let conf = home.path("qemu");
    std::fs::create_dir(&conf).expect("a folder");
    home.file("qemu/bridge.conf", "allow br0\n");
    let script = format!(
        "mount --bind {} /etc/qemu && mount -t sysfs sys /sys && ip link set lo up && \
         ip link add br0 type bridge && ip addr add 10.8.0.1/24 dev br0 && ip link set br0 up && \
         ip link add br1 type bridge && exec \"$0\"",
        conf.display()
    );
    let wrapper = ["unshare", "--net", "--mount", "sh", "-c", &script];
    let mut trial = home.command(wrapper[0]);
    let trial = home.run(trial.args(&wrapper[1..]).arg("true")).await;
    if trial.code != 0 {
        return skip(&format!("no network of its own: {}", trial.err.trim()));
    }
    let _core = home.core_under(&wrapper).await;
    let words: Vec<&str> = CARD.into_iter().chain(["--nic", "user"]).collect();
    let Some(mut linux) = Linux::boot(&home, "bridged", &words).await else { return };
    linux.load_network().await;
    linux.run("ip link set eth0 up && ip addr add 10.8.0.2/24 dev eth0").await;
    assert!(!pings(&mut linux, "10.8.0.1").await);
    let said = home.hv(["nic", "bridged", "set", "--mode", "bridge=br0"]).await.done();
    assert_eq!(said, "nic0.mode: applied now\n");
    eventually("the host's bridge", async || pings(&mut linux, "10.8.0.1").await.then_some(())).await;
    for (bridge, word) in [("br1", "bridge.conf"), ("br7", "no bridge of that name")] {
        let mode = format!("bridge={bridge}");
        let ran = home.hv(["nic", "bridged", "set", "--mode", &mode]).await;
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains(word), "{}", ran.err);
    }
    assert!(pings(&mut linux, "10.8.0.1").await, "what was refused changed nothing");
    // Also from its start.
    home.hv(["force-off", "bridged"]).await.done();
    home.hv(["start", "bridged"]).await.done();
    let mut linux = Linux::at(&home, "bridged").await;
    linux.load_network().await;
    linux.run("ip link set eth0 up && ip addr add 10.8.0.2/24 dev eth0").await;
    assert!(pings(&mut linux, "10.8.0.1").await);
}
