//! What is found out about the host is what guests then get.

use crate::{installed, memtest, shown};
use hv_tests::Home;

#[tokio::test]
async fn the_accelerator_that_was_tried_is_the_one_that_is_used() {
    let Some(iso) = memtest() else { return };
    let home = Home::new();
    let host = home.hv(["host", "--json"]).await.json();
    let accelerator = &host["accelerator"];
    let works = accelerator["kvm"] == "works";
    assert_eq!(accelerator["chosen"], if works { "kvm" } else { "emulation" }, "{host}");
    assert!(accelerator["why"].as_str().is_some_and(|why| !why.is_empty()), "{host}");
    assert!(host["engine"]["version"].as_str().is_some_and(|version| version.contains('.')), "{host}");
    let iso = iso.to_str().expect("UTF-8");
    home.hv(["create", "one", "--iso", iso, "--no-disk", "--memory", "64MiB", "--start"]).await.done();
    let guest = shown(&home, "one").await;
    assert_eq!(guest["accelerator"], accelerator["chosen"]);
    let command = std::fs::read(format!("/proc/{}/cmdline", guest["pid"])).expect("it runs");
    let expected = if works { "accel=kvm" } else { "accel=tcg" };
    assert!(String::from_utf8_lossy(&command).contains(expected), "{host}");
}

#[tokio::test]
async fn a_medium_is_known_for_what_it_is() {
    let Some(iso) = installed("grub-rescue-pc", &["/usr/lib/grub-rescue/grub-rescue-cdrom.iso"]) else {
        return;
    };
    let home = Home::new();
    let medium = home.hv(["inspect", iso.to_str().expect("UTF-8"), "--json"]).await.json();
    assert_eq!(medium["kind"], "iso", "{medium}");
    assert!(medium["boot"].as_array().is_some_and(|boot| boot.contains(&"bios".into())), "{medium}");
}
