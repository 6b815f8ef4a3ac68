//! USB devices of the host's that guests are given and that come and go, over files as Linux would have them.

use crate::{bare, make, shown};
use hv_api::{Applied, Core, Error, GuestState, NotNow, SettingResult, UsbDevice, UsbFault};
use hv_core::engine::{Alteration, EngineError, UsbConfig};
use hv_tests::fake_engine::{Answer, Asked};
use hv_tests::{Home, Script, UsbPorts, until};
use serde_json::{Value, json};

const STICK: &str = "0781:5567";

fn device(text: &str) -> UsbDevice {
    text.parse().expect("a device")
}

fn now(key: &str) -> SettingResult {
    SettingResult { key: key.into(), applied: Applied::Now, reason: None }
}

/// Why it is refused, and what that has to do with.
fn fault(error: Error) -> (UsbFault, String) {
    match error {
        Error::UsbRefused { fault, by, .. } => (fault, by),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn devices_come_and_go_while_a_guest_runs_and_stay_its_own() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    let ports = UsbPorts::of(&home);
    ports.know("046d  Logitech, Inc.\n\t0825  Webcam C270\n");
    ports.plug("3-1", STICK, "Cruzer");
    let changed = core.add_usb("one", &device(STICK)).await.unwrap().unwrap().settings;
    assert_eq!(changed, [now("usb0")]);
    // One that is not there yet.
    let camera = device("046d:0825@3-4.1");
    assert_eq!(core.add_usb("one", &camera).await.unwrap().unwrap().settings, [now("usb1")]);
    let guest = shown(&mut core, "one").await;
    assert_eq!((guest.usb[0].title(), guest.usb[0].present), ("Cruzer".into(), Some(true)));
    assert_eq!((guest.usb[1].title(), guest.pending.len()), ("Logitech, Inc. Webcam C270".into(), 0));
    let config = |number, device: &UsbDevice| UsbConfig { number, device: device.clone() };
    let both = [Alteration::AddUsb(config(0, &device(STICK))), Alteration::AddUsb(config(1, &camera))];
    assert_eq!(machine.alterations(), both);

    // What the engine refuses is not kept.
    engine.answer(Asked::Alter, Answer::Fail(EngineError::Refused { detail: "no".into() }));
    let refused = core.add_usb("one", &device("1234:0001")).await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::EngineRefused { .. }), "{refused:?}");
    engine.obey();
    let removed = core.remove_usb("one", &device(STICK)).await.unwrap().unwrap().settings;
    assert_eq!((removed, machine.alterations().pop()), (vec![now("usb0")], Some(Alteration::RemoveUsb(0))));
    assert_eq!(shown(&mut core, "one").await.usb.len(), 1);

    // The next machine has what is left, at its place.
    core.force_off("one").await.unwrap().unwrap();
    assert_eq!(core.add_usb("one", &device(STICK)).await.unwrap().unwrap().settings, [now("usb0")]);
    core.start("one", None).await.unwrap().unwrap();
    events.state("one", GuestState::Running).await;
    let names: Vec<String> = shown(&mut core, "one").await.usb.into_iter().map(|usb| usb.name).collect();
    assert_eq!(names, ["usb1", "usb0"]);
    let missing = core.remove_usb("one", &device("1234:0001")).await.unwrap().unwrap_err();
    assert!(matches!(missing, Error::UsbNotFound { .. }), "{missing:?}");
}

#[tokio::test]
async fn the_hosts_devices_are_told_as_they_come_and_go() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let ports = UsbPorts::of(&home);
    let _core = home.core().await;
    let (mut core, mut events) = crate::connected(&home).await;
    assert_eq!(events.library().host().expect("a host").usb, []);
    assert!(home.hv(["usb"]).await.done().contains("No USB device"));
    for round in 0..2 {
        ports.plug("3-1", STICK, "Cruzer");
        events.until("the stick", |library| library.host().is_some_and(|host| host.usb.len() == 1)).await;
        if round == 0 {
            make(&mut core, &bare("one")).await.expect("a guest");
            home.hv(["usb", "one", "add", STICK]).await.done();
        }
        let listed = home.hv(["usb", "one", "--json"]).await.json();
        assert_eq!(listed["usb"][0]["plugged"], true, "{listed}");
        let all = home.hv(["usb", "--json"]).await.json();
        assert_eq!(
            (&all["guest"], &all["name"], &all["port"]),
            (&json!("one"), &json!("Cruzer"), &json!("3-1"))
        );
        ports.unplug("3-1");
        events.until("it to be gone", |library| library.host().is_some_and(|host| host.usb.is_empty())).await;
        assert!(home.hv(["usb", "one"]).await.done().contains("not plugged in"));
    }
}

#[tokio::test]
async fn what_can_not_be_given_is_refused_with_what_is_in_the_way() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    let ports = UsbPorts::of(&home);
    make(&mut core, &bare("two")).await.expect("a guest");
    let mut refused =
        async |guest: &str, text: &str| fault(core.add_usb(guest, &device(text)).await.unwrap().unwrap_err());
    ports.plug("3-1", STICK, "Cruzer");
    ports.plug("3-2", STICK, "Cruzer");
    assert_eq!(refused("one", STICK).await, (UsbFault::Ambiguous, "3-1, 3-2".into()));
    ports.plug_with("3-3", "05e3:0608", "Hub", &[("bDeviceClass", "09")]);
    assert_eq!(refused("one", "05e3:0608").await, (UsbFault::Hub, String::new()));
    ports.mount("3-1", "/media/ada/STICK");
    let mounted = (UsbFault::Mounted, "/media/ada/STICK".to_owned());
    assert_eq!(refused("one", "0781:5567@3-1").await, mounted);
    // A file that is gone is one that nobody may use, whoever the test is.
    std::fs::remove_file(ports.node("3-2")).expect("a file");
    assert_eq!(
        refused("one", "0781:5567@3-2").await,
        (UsbFault::NotPermitted, "/dev/bus/usb/003/003".into())
    );
    assert_eq!(machine.alterations(), []);

    let here = device("0781:5567@3-1");
    ports.unmount();
    core.add_usb("one", &here).await.unwrap().unwrap();
    let mut refused =
        async |guest: &str, text: &str| fault(core.add_usb(guest, &device(text)).await.unwrap().unwrap_err());
    assert_eq!(refused("one", "0781:5567@3-1").await, (UsbFault::Doubled, String::new()));
    assert_eq!(refused("two", "0781:5567@3-1").await, (UsbFault::HeldByGuest, "one".into()));
    // Also while that one is off.
    core.force_off("one").await.unwrap().unwrap();
    events.state("one", GuestState::Off).await;
    let held = fault(core.add_usb("two", &here).await.unwrap().unwrap_err());
    assert_eq!(held, (UsbFault::HeldByGuest, "one".into()));

    // What the host has mounted meanwhile is not taken from under it.
    ports.mount("3-1", "/media/ada/STICK");
    assert_eq!(fault(core.start("one", None).await.unwrap().unwrap_err()), mounted);
    ports.unmount();
    ports.unplug("3-1");
    core.start("one", None).await.unwrap().unwrap();
    drop(engine);
}

#[tokio::test]
async fn a_guest_that_is_being_saved_gets_its_device_with_the_next_start() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    engine.answer(Asked::Save, Answer::Stall);
    core.save("one").await.unwrap().unwrap();
    events.state("one", GuestState::Saving).await;
    let changed = core.add_usb("one", &device(STICK)).await.unwrap().unwrap().settings;
    let waits =
        SettingResult { key: "usb0".into(), applied: Applied::AtNextStart, reason: Some(NotNow::Fixed) };
    assert_eq!(changed, [waits]);
    let guest = shown(&mut core, "one").await;
    assert_eq!((guest.usb[0].present, &*guest.pending[0].next), (Some(false), STICK));
    assert_eq!(machine.alterations(), []);
    drop(home);
}

#[tokio::test]
async fn the_command_says_who_has_what_and_what_to_do() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let ports = UsbPorts::of(&home);
    ports.plug("3-1", STICK, "Cruzer\u{1b}[31m, the, blade");
    ports.plug("3-2.1", "046d:c31c", "Keyboard");
    ports.plug("3-3", "046d:0825", "Camera");
    ports.mount("3-1", "/media/ada/STICK");
    std::fs::remove_file(ports.node("3-3")).expect("a file");
    let _core = home.core().await;
    for name in ["one", "two"] {
        home.hv(["create", name, "--empty", "--no-disk"]).await.done();
    }
    assert_eq!(home.hv(["usb", "one", "add", "046d:c31c"]).await.done(), "usb0: applied now\n");
    let list = home.hv(["usb"]).await.done();
    for words in
        ["guest one", "mounted at /media/ada/STICK", "ATTR{idVendor}==\"046d\"", "0781:5567", "3-2.1"]
    {
        assert!(list.contains(words), "{words}: {list}");
    }
    assert!(!list.contains('\u{1b}'));
    let listed = home.hv(["usb", "--json"]).await.done();
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let facts: Vec<_> = listed.iter().map(|it| (it["fault"]["fault"].clone(), it["guest"].clone())).collect();
    let (null, mounted, denied) = (Value::Null, json!("mounted"), json!("not-permitted"));
    assert_eq!(facts, [(mounted, null.clone()), (null.clone(), json!("one")), (denied, null)]);
    assert_eq!(home.hv(["usb", "two", "add", "046d:c31c", "--json"]).await.error_code(), "usb-refused");
    assert_eq!(home.hv(["usb", "two", "remove", "046d:c31c", "--json"]).await.error_code(), "usb-not-found");
    for wrong in [
        &["usb", "one", "add", "046d"][..],
        &["usb", "one", "add", "046d:c31c@usb3"],
        &["usb", "add", "046d:c31c"],
    ] {
        assert_eq!(home.hv(wrong).await.code, 2, "{wrong:?}");
    }

    // It is in the machine's command line, in the definition, and not in a clone.
    home.hv(["start", "one"]).await.done();
    let log = home.hv(["log", "one"]).await.done();
    assert!(log.contains(r#""driver":"usb-host","id":"hostusb0""#), "{log}");
    home.hv(["force-off", "one"]).await.done();
    until("the end of the engine", || home.engines().is_empty().then_some(())).await;
    home.hv(["clone", "one", "three"]).await.done();
    assert_eq!(home.hv(["show", "three", "--json"]).await.json()["usb"], json!([]));
    let shown = home.hv(["show", "one", "--json"]).await.json();
    assert_eq!(shown["usb"][0]["device"], "046d:c31c");
    let definition = std::fs::read_to_string(shown["paths"]["definition"].as_str().expect("a path"));
    assert!(definition.expect("a definition").contains("device = \"046d:c31c\""));
    assert_eq!(home.hv(["usb", "one", "remove", "046d:c31c"]).await.done(), "usb0: applied now\n");
    assert_eq!(home.hv(["usb", "two", "add", "046d:c31c"]).await.code, 0);
}
