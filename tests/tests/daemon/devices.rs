//! Serial ports, watchdogs and sound cards: set, told of, there from the next start on.

use crate::bare;
use hv_api::{Core, DeviceSettings, GuestState, Settings, StateReason, Watchdog};
use hv_core::engine::{EngineEvent, MachineStatus};
use hv_tests::{Home, Script, until};
use serde_json::{Value, json};

async fn pending(home: &Home) -> Vec<Value> {
    let shown = home.hv(["show", "one", "--json"]).await.json();
    shown["pending"].as_array().expect("a list").iter().map(|change| change["key"].clone()).collect()
}

#[tokio::test]
async fn devices_come_with_the_next_start_and_until_then_the_machine_has_what_it_had() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    home.hv(["create", "one", "--empty", "--no-disk", "--memory", "64MiB", "--cpus", "1", "--start"])
        .await
        .done();
    let said = home.hv(["set", "one", "serial-ports=3", "watchdog=reset", "sound=ac97"]).await.done();
    let waits = |key| format!("{key}: applied at next start (the machine has it from its start)\n");
    assert_eq!(said, ["serial-ports", "watchdog", "sound"].map(waits).concat());
    assert_eq!(pending(&home).await, ["serial-ports", "watchdog", "sound"]);
    let shown = home.hv(["show", "one", "--json"]).await.json();
    assert_eq!(
        (&shown["serial_ports"], &shown["watchdog"], &shown["sound"]),
        (&json!(3), &json!("reset"), &json!("ac97"))
    );

    // A core that comes later finds the machine with the ports that it has.
    for core in home.cores() {
        core.kill();
    }
    until("the end of the core", || home.cores().is_empty().then_some(())).await;
    let _core = home.core().await;
    assert_eq!(pending(&home).await, ["serial-ports", "watchdog", "sound"]);
    assert_eq!(home.hv(["log", "one", "--serial", "0"]).await.code, 0);
    let missing = home.hv(["log", "one", "--serial", "2", "--json"]).await;
    assert_eq!(missing.error_code(), "port-not-found");

    home.hv(["force-off", "one"]).await.done();
    home.no_engine().await;
    assert_eq!(pending(&home).await, [(); 0].map(|()| Value::Null));
    home.hv(["start", "one"]).await.done();
    assert_eq!(home.hv(["log", "one", "--serial", "2"]).await.code, 0);
    let log = home.hv(["log", "one"]).await.done();
    let line = log.lines().rfind(|line| line.contains("--- starting: ")).expect("a command line");
    for words in ["i6300esb,id=watchdog0", "AC97,id=sound0", "id=serial2,index=2", ",in.voices=0"] {
        assert!(line.contains(words), "{words}: {line}");
    }

    home.hv(["set", "one", "serial-ports=0", "watchdog=none", "sound=none"]).await.done();
    home.hv(["force-off", "one"]).await.done();
    home.no_engine().await;
    let definition = home.hv(["show", "one", "--json"]).await.json();
    let definition = std::fs::read_to_string(definition["paths"]["definition"].as_str().expect("a path"));
    let definition = definition.expect("a definition");
    assert!(!definition.contains("watchdog") && !definition.contains("sound"), "{definition}");
}

#[tokio::test]
async fn devices_that_can_not_be_are_refused_in_words() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    home.hv(["create", "one", "--empty", "--no-disk"]).await.done();
    let before = home.hv(["show", "one", "--json"]).await.json();
    let many = home.hv(["set", "one", "name=two", "serial-ports=5", "--json"]).await;
    assert_eq!((many.code, many.error_code().as_str()), (1, "serial-ports-out-of-range"));
    for (setting, words) in [
        ("serial-ports=many", "0 to 4"),
        ("watchdog=bark", "none, reset, poweroff and pause"),
        ("sound=virtio", "none, ich9 and ac97"),
    ] {
        let wrong = home.hv(["set", "one", setting]).await;
        assert_eq!(wrong.code, 2, "{setting}");
        assert!(wrong.err.contains(words), "{}", wrong.err);
    }
    assert_eq!(home.hv(["show", "one", "--json"]).await.json(), before);
}

#[tokio::test]
async fn a_guest_that_hangs_is_what_its_watchdog_makes_of_it() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    let id = core.show("one").await.unwrap().unwrap().guest.id;
    let set = |watchdog| Settings {
        devices: Some(DeviceSettings { watchdog: Some(watchdog), ..DeviceSettings::default() }),
        ..Settings::default()
    };
    // What its machine was started with counts.
    for (watchdog, next) in [(Watchdog::Pause, Watchdog::Reset), (Watchdog::Reset, Watchdog::Poweroff)] {
        core.set("one", &set(watchdog)).await.unwrap().unwrap();
        core.force_off("one").await.unwrap().unwrap();
        core.start("one", None).await.unwrap().unwrap();
        core.set("one", &set(next)).await.unwrap().unwrap();
        let present = engine.machine(id);
        present.say(EngineEvent::Hung);
        if watchdog == Watchdog::Pause {
            let kept = events.state("one", GuestState::Paused).await;
            assert_eq!(kept.reason, Some(StateReason::Watchdog));
            core.resume("one").await.unwrap().unwrap();
        } else {
            until("it to run again", || (present.status() == MachineStatus::Running).then_some(())).await;
        }
    }
    drop(machine);
    core.force_off("one").await.unwrap().unwrap();
    core.start("one", None).await.unwrap().unwrap();
    engine.machine(id).say(EngineEvent::Hung);
    assert_eq!(events.state("one", GuestState::Crashed).await.reason, Some(StateReason::Watchdog));
    assert_eq!(engine.running(), 0);
    drop(home);
}
