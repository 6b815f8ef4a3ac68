//! PCI devices of the host's that guests are given, over files as Linux would have them.

use hv_tests::{Home, PciSlots, Script};
use serde_json::{Value, json};

#[tokio::test]
async fn the_command_says_of_each_device_what_is_in_the_way_and_what_to_do() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let slots = PciSlots::of(&home);
    let _core = home.core().await;
    assert!(home.hv(["pci"]).await.done().contains("no PCI device"));
    slots.put("0000:00:1f.0", "8086:1234", "0x060100", 9, "lpc_ich");
    slots.put("0000:01:00.0", "10de:1b80", "0x030000", 1, "nouveau");
    slots.put("0000:01:00.1", "10de:10f0", "0x040300", 1, "snd_hda_intel");
    slots.put("0000:02:00.0", "8086:10d3", "0x020000", 2, "e1000e");
    slots.put_ready("0000:03:00.0", "8086:10d3", 3);
    slots.connect("0000:02:00.0", "eth0");
    let list = home.hv(["pci"]).await.done();
    for words in [
        "0000:03:00.0",
        "free",
        "connected to a network by it, as eth0",
        "driver snd_hda_intel has it",
        "for d in 0000:01:00.0; do echo vfio-pci > devices/$d/driver_override;",
        "for d in 0000:01:00.1; do echo vfio-pci",
    ] {
        assert!(list.contains(words), "{words}: {list}");
    }
    assert!(!list.contains("1f.0"), "a bridge is nothing to give away: {list}");
    let listed = home.hv(["pci", "--json"]).await.done();
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let faults = |device: &Value| {
        let all = device["obstacles"].as_array().expect("a list").iter();
        all.map(|it| it["fault"].as_str().expect("a word").to_owned()).collect::<Vec<_>>()
    };
    let told: Vec<_> = listed.iter().map(faults).collect();
    let shared = ["not-bound", "group-shared"].map(str::to_owned).to_vec();
    assert_eq!(told, [shared.clone(), shared, vec!["network-up".into(), "not-bound".into()], vec![]]);
    assert_eq!((&listed[3]["group"], &listed[3]["driver"]), (&json!(3), &json!("vfio-pci")));

    // Without an IOMMU, that is all there is to say, and it is said once.
    slots.switch_iommu_off();
    let list = home.hv(["pci"]).await.done();
    assert_eq!(list.matches("intel_iommu=on").count(), 1, "{list}");
    assert!(list.contains("0000:01:00.0 0000:01:00.1 0000:02:00.0 0000:03:00.0:"), "{list}");
}

#[tokio::test]
async fn a_device_that_is_made_ready_is_noticed() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let slots = PciSlots::of(&home);
    slots.put("0000:02:00.0", "8086:10d3", "0x020000", 2, "vfio-pci");
    let _core = home.core().await;
    let (_core, mut events) = crate::connected(&home).await;
    let obstacles = |library: &hv_api::Library| library.host().map(|host| host.pci[0].obstacles.len());
    assert_eq!(obstacles(&events.library()), Some(1));
    slots.permit(2);
    events.until("that it may be used", |library| obstacles(library) == Some(0)).await;
}
