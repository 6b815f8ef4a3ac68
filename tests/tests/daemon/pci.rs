//! PCI devices of the host's that guests are given, over files as Linux would have them.

use crate::{bare, make, shown};
use hv_api::client::settle;
use hv_api::{
    Applied, ByteSize, Core, Error, GuestState, NewGuest, NotNow, Operation, PciAddress, PciFault,
    SettingResult, Settings,
};
use hv_core::engine::{Alteration, EngineError, EngineEvent};
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine};
use hv_tests::{Home, PciSlots, Script, until};
use serde_json::{Value, json};
use std::sync::Arc;

const CARD: &str = "8086:10d3";

/// A guest with 128 MiB, whatever the host has.
fn small(name: &str) -> NewGuest {
    let memory = Some(ByteSize::mib(128));
    NewGuest { memory, max_memory: Some(ByteSize::gib(1)), ..bare(name) }
}

fn at(text: &str) -> PciAddress {
    text.parse().expect("an address")
}

fn result(key: &str, reason: Option<NotNow>) -> SettingResult {
    let applied = if reason.is_none() { Applied::Now } else { Applied::AtNextStart };
    SettingResult { key: key.into(), applied, reason }
}

/// Why it is refused, and what that has to do with.
fn fault(error: Error) -> (PciFault, String) {
    match error {
        Error::PciRefused { fault, by, .. } => (fault, by),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn devices_come_and_go_as_far_as_the_engine_may_open_them() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    let slots = PciSlots::of(&home);
    for (number, address) in [(1, "0000:01:00.0"), (2, "0000:02:00.0")] {
        slots.put_ready(address, CARD, number);
    }
    // Its engine was started without any.
    let waits = result("pci0", Some(NotNow::Fixed));
    assert_eq!(settle(core.add_pci("one", at("01:00.0")).await).unwrap().settings, [waits]);
    let guest = shown(&mut core, "one").await;
    assert_eq!((guest.pci[0].present, &*guest.pending[0].next), (Some(false), "0000:01:00.0"));
    assert_eq!((machine.alterations(), guest.pinning()), (vec![], None));

    core.force_off("one").await.unwrap().unwrap();
    events.state("one", GuestState::Off).await;
    core.start("one", None).await.unwrap().unwrap();
    events.state("one", GuestState::Running).await;
    let machine = engine.machine(guest.id);
    let guest = shown(&mut core, "one").await;
    assert_eq!(
        (guest.pci[0].present, &guest.live_pci_groups[..], guest.pending.len()),
        (Some(true), &[1][..], 0)
    );

    // What it has, it loses and gets again at once; another one waits.
    let removed = settle(core.remove_pci("one", at("01:00.0")).await).unwrap().settings;
    assert_eq!(
        (removed, machine.alterations().pop()),
        (vec![result("pci0", None)], Some(Alteration::RemovePci(0)))
    );
    let waits = result("pci0", Some(NotNow::Fixed));
    assert_eq!(settle(core.add_pci("one", at("02:00.0")).await).unwrap().settings, [waits]);
    assert_eq!(settle(core.add_pci("one", at("01:00.0")).await).unwrap().settings, [result("pci1", None)]);
    let Some(Alteration::AddPci(device)) = machine.alterations().pop() else { panic!("it was not added") };
    assert_eq!((device.address, device.number, device.slot), (at("01:00.0"), 1, 1));

    // One that the guest does not let go of is the guest's until it does.
    engine.answer(Asked::Alter, Answer::Fail(EngineError::GuestRefused));
    let refused = settle(core.remove_pci("one", at("01:00.0")).await).unwrap().settings;
    assert_eq!(refused, [result("pci1", Some(NotNow::GuestRefused))]);
    engine.obey();
    let guest = shown(&mut core, "one").await;
    let leaving: Vec<_> = guest.pci.iter().map(|pci| (&*pci.name, pci.leaving)).collect();
    assert_eq!(leaving, [("pci0", false), ("pci1", true)]);
    make(&mut core, &bare("two")).await.expect("a guest");
    let held = fault(core.add_pci("two", at("01:00.0")).await.unwrap().unwrap_err());
    assert_eq!(held, (PciFault::HeldByGuest, "one".into()));
    machine.say(EngineEvent::PciGone(1));
    events
        .until("it is let go of", |library| {
            library.guests().any(|guest| guest.name == "one" && guest.pci.len() == 1)
        })
        .await;
    core.add_pci("two", at("01:00.0")).await.unwrap().unwrap();
    let missing = core.remove_pci("one", at("01:00.0")).await.unwrap().unwrap_err();
    assert!(matches!(missing, Error::PciNotFound { .. }), "{missing:?}");
}

#[tokio::test]
async fn each_condition_is_refused_by_its_name_when_it_is_added_and_at_each_start() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let slots = PciSlots::of(&home);
    let _core = home.core().await;
    let mut core = home.connect().await;
    for name in ["one", "two"] {
        make(&mut core, &small(name)).await.expect("a guest");
    }
    let mut added = async |text: &str| fault(core.add_pci("one", at(text)).await.unwrap().unwrap_err());
    assert_eq!(added("01:00.0").await, (PciFault::Missing, String::new()));
    slots.put("0000:00:1c.0", CARD, "0x060400", 1, "pcieport");
    assert_eq!(added("00:1c.0").await, (PciFault::Bridge, String::new()));
    slots.put("0000:01:00.0", CARD, "0x020000", 1, "e1000e");
    slots.put("0000:01:00.1", CARD, "0x020000", 1, "igb");
    slots.connect("0000:01:00.0", "eth0");
    assert_eq!(added("01:00.0").await, (PciFault::NetworkUp, "eth0".into()));
    slots.disconnect("eth0");
    assert_eq!(added("01:00.0").await, (PciFault::NotBound, "e1000e".into()));
    slots.bind("0000:01:00.0", "vfio-pci");
    assert_eq!(added("01:00.0").await, (PciFault::GroupShared, "0000:01:00.1".into()));
    slots.bind("0000:01:00.1", "");
    assert_eq!(added("01:00.0").await, (PciFault::NotPermitted, "/dev/vfio/1".into()));
    slots.permit(1);
    slots.limit_locked_memory(8 << 20);
    let locked = core.add_pci("one", at("01:00.0")).await.unwrap().unwrap_err();
    let (needed, limit) = (ByteSize::mib(256 + 128), ByteSize::mib(8));
    assert_eq!(locked, Error::LockedMemoryTooSmall { guest: "one".into(), needed, limit });
    slots.limit_locked_memory(2 << 30);
    assert_eq!(settle(core.add_pci("one", at("01:00.0")).await).unwrap().settings, [result("pci0", None)]);

    let mut refused =
        async |guest: &str, text: &str| fault(core.add_pci(guest, at(text)).await.unwrap().unwrap_err());
    assert_eq!(refused("one", "01:00.0").await, (PciFault::Doubled, String::new()));
    assert_eq!(refused("two", "01:00.0").await, (PciFault::HeldByGuest, "one".into()));
    slots.bind("0000:01:00.1", "vfio-pci");
    assert_eq!(refused("two", "01:00.1").await, (PciFault::GroupHeldByGuest, "one".into()));

    // What was right when it was added is looked at again at each start, before anything is begun.
    let mut started = async || core.start("one", None).await.unwrap().unwrap_err();
    slots.bind("0000:01:00.1", "igb");
    assert_eq!(fault(started().await), (PciFault::GroupShared, "0000:01:00.1".into()));
    slots.bind("0000:01:00.1", "");
    slots.forbid(1);
    assert_eq!(fault(started().await), (PciFault::NotPermitted, "/dev/vfio/1".into()));
    slots.bind("0000:01:00.0", "e1000e");
    assert_eq!(fault(started().await), (PciFault::NotBound, "e1000e".into()));
    slots.take("0000:01:00.0");
    assert_eq!(fault(started().await), (PciFault::Missing, String::new()));
    slots.put_ready("0000:01:00.0", "10de:1b80", 1);
    assert_eq!(fault(started().await), (PciFault::Changed, "10de:1b80".into()));
    slots.take("0000:01:00.0");
    slots.put_ready("0000:01:00.0", CARD, 1);
    slots.limit_locked_memory(300 << 20);
    assert!(matches!(started().await, Error::LockedMemoryTooSmall { .. }));
    slots.limit_locked_memory(2 << 30);
    slots.switch_iommu_off();
    assert_eq!(fault(started().await), (PciFault::NoIommu, String::new()));
    assert_eq!(shown(&mut core, "one").await.state, GuestState::Off);
}

#[tokio::test]
async fn a_guest_that_is_restarted_is_not_started_without_its_device() {
    let home = Home::without_programs();
    let slots = PciSlots::of(&home);
    slots.put_ready("0000:01:00.0", CARD, 1);
    let engine = Arc::<FakeEngine>::default();
    let _thread = FakeCore::start(&home, &engine).await;
    let (mut core, mut events) = crate::connected(&home).await;
    make(&mut core, &bare("one")).await.expect("a guest");
    core.add_pci("one", at("01:00.0")).await.unwrap().unwrap();
    core.start("one", None).await.unwrap().unwrap();
    events.state("one", GuestState::Running).await;
    // The host's own restart would do this; nobody asks the guest's registry at this start.
    slots.bind("0000:01:00.0", "e1000e");
    let refused = core.restart("one").await.unwrap().unwrap_err();
    assert_eq!(fault(refused), (PciFault::NotBound, "e1000e".into()));
    assert_eq!(engine.running(), 0);
}

#[tokio::test]
async fn all_memory_of_a_guest_with_a_device_stays_where_it_is() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let slots = PciSlots::of(&home);
    slots.put_ready("0000:01:00.0", CARD, 1);
    slots.limit_locked_memory(500 << 20);
    let _core = home.core().await;
    let (mut core, mut events) = crate::connected(&home).await;
    make(&mut core, &small("one")).await.expect("a guest");
    core.add_pci("one", at("01:00.0")).await.unwrap().unwrap();
    // While it is off, there is nothing in the way of keeping its disks.
    home.hv(["snapshot", "one", "take", "before"]).await.done();
    core.start("one", None).await.unwrap().unwrap();
    events.state("one", GuestState::Running).await;
    for (operation, refused) in [
        (Operation::Save, core.save("one").await.unwrap().unwrap_err()),
        (Operation::TakeSnapshot, core.take_snapshot("one", "now", None).await.unwrap().unwrap_err()),
    ] {
        match refused {
            Error::PciNotSavable { operation: told, address, .. } => {
                assert_eq!((told, address), (operation, at("01:00.0")));
            }
            other => panic!("{other:?}"),
        }
    }
    let set = |memory| Settings { memory: Some(memory), ..Settings::default() };
    let less = settle(core.set("one", &set(ByteSize::mib(64))).await).unwrap().settings;
    assert_eq!(less, [result("memory", Some(NotNow::Pinned))]);
    let more = core.set("one", &set(ByteSize::mib(512))).await.unwrap().unwrap_err();
    assert!(matches!(more, Error::LockedMemoryTooSmall { .. }), "{more:?}");
    assert_eq!(home.hv(["save", "one", "--json"]).await.error_code(), "pci-not-savable");
}

#[tokio::test]
async fn the_command_gives_devices_and_a_clone_has_none() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let slots = PciSlots::of(&home);
    slots.put_ready("0000:01:00.0", CARD, 1);
    slots.put_ready("0000:01:00.1", CARD, 1);
    let _core = home.core().await;
    home.hv(["create", "one", "--empty", "--no-disk"]).await.done();
    assert_eq!(home.hv(["pci", "one", "add", "01:00.0"]).await.done(), "pci0: applied now\n");
    let list = home.hv(["pci"]).await.done();
    assert!(list.contains("guest one") && list.contains("free for guest one, which has another"), "{list}");
    home.hv(["create", "two", "--empty", "--no-disk"]).await.done();
    assert_eq!(home.hv(["pci", "two", "add", "0000:01:00.0", "--json"]).await.error_code(), "pci-refused");
    for wrong in [
        &["pci", "one", "add", "1:0.0"][..],
        &["pci", "one", "add", "01:00.0,x=y"],
        &["pci", "add", "01:00.0"],
    ] {
        assert_eq!(home.hv(wrong).await.code, 2, "{wrong:?}");
    }

    // It is in the machine's command line, in the definition, and not in a clone.
    home.hv(["start", "one"]).await.done();
    let log = home.hv(["log", "one"]).await.done();
    let device = r#""bus":"port0","driver":"vfio-pci","host":"0000:01:00.0","id":"hostpci0""#;
    assert!(log.contains(device), "{log}");
    home.hv(["force-off", "one"]).await.done();
    until("the end of the engine", || home.engines().is_empty().then_some(())).await;
    home.hv(["clone", "one", "three"]).await.done();
    assert_eq!(home.hv(["show", "three", "--json"]).await.json()["pci"], json!([]));
    let shown = home.hv(["show", "one", "--json"]).await.json();
    assert_eq!(
        (&shown["pci"][0]["address"], &shown["pci"][0]["pci"]),
        (&json!("0000:01:00.0"), &json!("pci0"))
    );
    let definition = std::fs::read_to_string(shown["paths"]["definition"].as_str().expect("a path"));
    assert!(definition.expect("a definition").contains("address = \"0000:01:00.0\""));
    assert!(home.hv(["show", "one"]).await.done().contains("pci0: 8086:10d3 (0000:01:00.0)"));
    assert_eq!(home.hv(["pci", "one", "remove", "01:00.0"]).await.done(), "pci0: applied now\n");
    assert_eq!(home.hv(["pci", "two", "add", "01:00.0"]).await.code, 0);
}

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
    assert_eq!(told, [shared.clone(), shared, vec!["network-up".into()], vec![]]);
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
