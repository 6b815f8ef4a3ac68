//! Shutting down, restarting and resetting: what a guest is asked, how long it is waited for, and that nothing
//! is taken from it without a person's word.

use crate::{bare, connected, make, shown};
use hv_api::{
    Applied, Core, CrashAction, EndAction, Error, GuestId, GuestState, NewGuest, Operation, PowerSettings,
    SettingResult, Settings, StateReason,
};
use hv_core::engine::{EngineError, EngineEvent};
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine, FakeMachine};
use hv_tests::{Home, Reaction, Script, until, within};
use std::sync::Arc;

/// A core with a guest "one" that runs and has a second to shut down.
macro_rules! hasty_guest {
    ($home:ident, $engine:ident, $thread:ident, $core:ident, $events:ident, $id:ident) => {
        let $home = Home::without_programs();
        let $engine = Arc::<FakeEngine>::default();
        let $thread = FakeCore::start(&$home, &$engine).await;
        let (mut $core, mut $events) = connected(&$home).await;
        let $id = make(&mut $core, &bare("one")).await.expect("a guest").id;
        let power = Some(PowerSettings { shutdown_wait: Some(1), ..PowerSettings::default() });
        $core.set("one", &Settings { power, ..Settings::default() }).await.unwrap().unwrap();
        $core.start("one", None).await.unwrap().unwrap();
        $events.state("one", GuestState::Running).await;
    };
}

fn refusal() -> Answer {
    Answer::Fail(EngineError::Refused { detail: String::new() })
}

#[tokio::test]
async fn a_guest_that_does_not_shut_down_in_time_is_told_of_and_left_alone() {
    hasty_guest!(home, engine, _thread, core, events, id);
    engine.answer(Asked::PowerButton, Answer::Ignore);
    core.shutdown("one").await.unwrap().unwrap();
    let asked = shown(&mut core, "one").await.waiting.expect("it is waited for");
    assert_eq!(
        (asked.deadline - asked.since, asked.overdue, asked.heard, asked.restart),
        (1, false, true, false)
    );
    let overdue = |library: &hv_api::Library| {
        library.guests().all(|guest| guest.waiting.as_ref().is_some_and(|asked| asked.overdue))
    };
    let library = events.until("the end of the time", overdue).await;
    assert_eq!(library.guests().next().expect("it").state, GuestState::ShuttingDown);
    assert_eq!(engine.running(), 1, "nothing is forced off without a person's word");

    // A person says not to wait, and the guest shuts down all the same.
    let cancelled = core.cancel_shutdown("one").await.unwrap().unwrap().guest;
    assert_eq!((cancelled.state, cancelled.waiting), (GuestState::Running, None));
    let refused = core.cancel_shutdown("one").await.unwrap().unwrap_err();
    let operation = Operation::CancelShutdown;
    assert_eq!(refused, Error::WrongState { guest: "one".into(), state: GuestState::Running, operation });
    engine.machine(id).say(EngineEvent::PoweredOff);
    let off = events.state("one", GuestState::Off).await;
    assert_eq!((off.reason, off.waiting), (Some(StateReason::PoweredOff), None));
}

#[tokio::test]
async fn a_restart_begins_anew_with_what_was_changed_and_no_window_open() {
    hasty_guest!(home, engine, _thread, core, events, id);
    core.set("one", &Settings { cpus: Some(3), ..Settings::default() }).await.unwrap().unwrap();
    let before = engine.machine(id);
    let restarted = core.restart("one").await.unwrap().unwrap().guest;
    assert_eq!((restarted.state, &restarted.waiting), (GuestState::Running, &None));
    assert!(restarted.pending.is_empty(), "{restarted:?}");
    assert!(!Arc::ptr_eq(&before, &engine.machine(id)), "it is another machine");
    assert_eq!(engine.running(), 1);

    // Who wished it need not wait for it.
    engine.answer(Asked::PowerButton, Answer::Ignore);
    core.set("one", &Settings { cpus: Some(4), ..Settings::default() }).await.unwrap().unwrap();
    let mut other = home.connect().await;
    let wished = async { other.restart("one").await.unwrap().unwrap_err() };
    assert_eq!(
        within("the end of the time", wished).await,
        Error::ShutdownOverdue { guest: "one".into(), seconds: 1 }
    );
    drop(core);
    engine.machine(id).say(EngineEvent::PoweredOff);
    let done = |library: &hv_api::Library| {
        library.guests().all(|guest| guest.state == GuestState::Running && guest.pending.is_empty())
    };
    events.until("it has restarted", done).await;
}

#[tokio::test]
async fn a_restart_that_somebody_gives_up_is_answered() {
    hasty_guest!(home, engine, _thread, core, events, id);
    engine.answer(Asked::PowerButton, Answer::Ignore);
    let mut other = home.connect().await;
    let (answer, ()) = tokio::join!(other.restart("one"), async {
        events.state("one", GuestState::ShuttingDown).await;
        core.cancel_shutdown("one").await.unwrap().unwrap();
    });
    assert_eq!(answer.unwrap().unwrap_err(), Error::ShutdownCancelled { guest: "one".into() });
    engine.machine(id).say(EngineEvent::PoweredOff);
    assert_eq!(events.state("one", GuestState::Off).await.reason, Some(StateReason::PoweredOff));
}

#[tokio::test]
async fn a_guest_that_listens_to_nothing_is_reset_at_once_or_gets_its_new_machine() {
    hasty_guest!(home, engine, _thread, core, events, id);
    engine.answer(Asked::HearPowerButton, refusal());
    engine.answer(Asked::PowerButton, Answer::Stall);
    let before = engine.machine(id);
    assert_eq!(core.restart("one").await.unwrap().unwrap().guest.state, GuestState::Running);
    assert!(Arc::ptr_eq(&before, &engine.machine(id)), "it is the same machine");
    core.set("one", &Settings { cpus: Some(3), ..Settings::default() }).await.unwrap().unwrap();
    assert!(core.restart("one").await.unwrap().unwrap().guest.pending.is_empty());
    assert!(!Arc::ptr_eq(&before, &engine.machine(id)), "it is another machine");

    // To shut it down, a person has to say what is to become of it.
    engine.answer(Asked::PowerButton, Answer::Ignore);
    core.shutdown("one").await.unwrap().unwrap();
    let asked = shown(&mut core, "one").await.waiting.expect("it is waited for");
    assert!(!asked.heard);
    assert_eq!(core.reset("one").await.unwrap().unwrap().guest.state, GuestState::ShuttingDown);
    assert_eq!(events.state("one", GuestState::Running).await.waiting, None);
}

#[tokio::test]
async fn what_was_asked_of_a_guest_outlives_the_core() {
    for (event, state) in
        [(None, GuestState::ShuttingDown), (Some(EngineEvent::PoweredOff), GuestState::Running)]
    {
        hasty_guest!(home, engine, first, core, events, id);
        engine.answer(Asked::PowerButton, Answer::Ignore);
        core.set("one", &Settings { cpus: Some(3), ..Settings::default() }).await.unwrap().unwrap();
        let mut other = home.connect().await;
        tokio::select! {
            answer = other.restart("one") => panic!("{answer:?}"),
            _asked = events.state("one", GuestState::ShuttingDown) => {}
        }
        drop((core, first));
        let away = event.is_some();
        if let Some(event) = event {
            engine.machine(id).say(event);
        }
        let _second = FakeCore::start(&home, &engine).await;
        let (mut core, mut events) = connected(&home).await;
        let found = events.state("one", state).await;
        assert_eq!(found.waiting.is_some(), !away, "{found:?}");
        if !away {
            assert!(found.waiting.is_some_and(|asked| asked.restart));
            engine.machine(id).say(EngineEvent::PoweredOff);
            events.state("one", GuestState::Running).await;
        }
        assert!(shown(&mut core, "one").await.pending.is_empty(), "it has what was changed");
    }
}

#[tokio::test]
async fn a_restart_for_which_something_is_missing_says_what() {
    let home = Home::without_programs();
    let engine = Arc::<FakeEngine>::default();
    let _thread = FakeCore::start(&home, &engine).await;
    let (mut core, mut events) = connected(&home).await;
    let iso = home.file("a.iso", "not quite");
    make(&mut core, &NewGuest { iso: Some(iso.clone()), ..bare("one") }).await.expect("a guest");
    core.start("one", None).await.unwrap().unwrap();
    std::fs::remove_file(&iso).expect("it was there");
    let missing = core.restart("one").await.unwrap().unwrap_err();
    assert!(matches!(&missing, Error::FileUnusable { path, .. } if *path == iso), "{missing:?}");
    assert_eq!(shown(&mut core, "one").await.state, GuestState::Running, "it was not asked for nothing");

    // It is gone only when the guest has shut down.
    std::fs::write(&iso, "again").expect("a file");
    engine.answer(Asked::PowerButton, Answer::Ignore);
    let mut other = home.connect().await;
    let (missing, ()) = tokio::join!(other.restart("one"), async {
        let id = events.state("one", GuestState::ShuttingDown).await.id;
        std::fs::remove_file(&iso).expect("it was there");
        engine.machine(id).say(EngineEvent::PoweredOff);
    });
    let missing = missing.unwrap().unwrap_err();
    assert!(matches!(&missing, Error::FileUnusable { path, .. } if *path == iso), "{missing:?}");
    assert_eq!(events.state("one", GuestState::Crashed).await.reason, Some(StateReason::StartFailed));
    assert_eq!(engine.running(), 0);
}

#[tokio::test]
async fn how_long_a_guest_may_take_is_kept_and_has_bounds() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let core = home.core().await;
    home.hv(["create", "one", "--empty", "--no-disk"]).await.done();
    let wait = async || home.hv(["show", "one", "--json"]).await.json()["shutdown_wait"].clone();
    assert_eq!(wait().await, 90);
    let set = home.hv(["set", "one", "shutdown-wait=7"]).await.done();
    assert_eq!(set, "shutdown-wait: applied now\n");
    for wrong in ["shutdown-wait=0", "shutdown-wait=86401"] {
        let refused = home.hv(["set", "one", wrong, "--json"]).await;
        assert_eq!(
            (refused.code, &refused.json()["error"]["code"]),
            (1, &"shutdown-wait-out-of-range".into())
        );
    }
    assert_eq!(home.hv(["set", "one", "shutdown-wait=soon"]).await.code, 2);
    core.kill().await;
    let _core = home.core().await;
    assert_eq!(wait().await, 7);
}

#[tokio::test]
async fn a_command_asks_gives_up_and_presses_the_button() {
    let home = Home::with_fake_qemu(&Script::obedient().on("system_powerdown", Reaction::Delay(0)));
    let _core = home.core().await;
    home.hv(["create", "one", "--empty", "--no-disk", "--start"]).await.done();
    for (words, says) in [
        (&["reset", "one"][..], "one: running\n"),
        (&["restart", "one"], "one: running\n"),
        (&["shutdown", "one"], "one: shutting-down\n"),
    ] {
        assert_eq!(home.hv(words).await.done(), says, "{words:?}");
    }
    assert_eq!(home.hv(["shutdown", "one", "--cancel"]).await.code, 1);
}

/// A core with a guest "one" that runs, and these rules.
macro_rules! ruled_guest {
    ($rules:expr => $home:ident, $engine:ident, $thread:ident, $core:ident, $events:ident, $id:ident) => {
        let $home = Home::without_programs();
        let $engine = Arc::<FakeEngine>::default();
        let $thread = FakeCore::start(&$home, &$engine).await;
        let (mut $core, mut $events) = connected(&$home).await;
        let $id = make(&mut $core, &bare("one")).await.expect("a guest").id;
        $core.set("one", &Settings { power: Some($rules), ..Settings::default() }).await.unwrap().unwrap();
        $core.start("one", None).await.unwrap().unwrap();
        $events.state("one", GuestState::Running).await;
    };
}

/// Waits until the guest has another machine than this one, which runs. The event stream may yet tell of the former.
async fn begun_anew(engine: &FakeEngine, former: &Arc<FakeMachine>, id: GuestId) {
    let another =
        || Some(engine.machine(id)).filter(|machine| !Arc::ptr_eq(former, machine) && machine.runs());
    until("another machine that runs", another).await;
}

#[tokio::test]
async fn a_guest_that_powers_itself_off_starts_anew_where_its_rules_say_so() {
    let rules = PowerSettings { on_poweroff: Some(EndAction::Restart), ..PowerSettings::default() };
    ruled_guest!(rules => home, engine, _thread, core, events, id);
    core.set("one", &Settings { cpus: Some(3), ..Settings::default() }).await.unwrap().unwrap();
    let machine = engine.machine(id);
    machine.say(EngineEvent::PoweredOff);
    begun_anew(&engine, &machine, id).await;
    assert!(shown(&mut core, "one").await.pending.is_empty());
    // Whoever asks it to shut down wants it off.
    core.shutdown("one").await.unwrap().unwrap();
    assert_eq!(events.state("one", GuestState::Off).await.reason, Some(StateReason::PoweredOff));
    assert_eq!(engine.running(), 0);
}

#[tokio::test]
async fn a_guest_that_crashes_in_a_circle_is_stopped_and_says_why() {
    let rules = PowerSettings { on_crash: Some(CrashAction::Restart), ..PowerSettings::default() };
    ruled_guest!(rules => home, engine, _thread, core, events, id);
    for turn in 0..5 {
        let machine = engine.machine(id);
        // Its system or its engine, that is the same to who waits for it.
        if turn % 2 == 0 {
            machine.say(EngineEvent::Panicked);
        } else {
            machine.say(EngineEvent::Exited { detail: "killed".into() });
        }
        begun_anew(&engine, &machine, id).await;
    }
    engine.machine(id).say(EngineEvent::Panicked);
    let crashed = events.state("one", GuestState::Crashed).await;
    assert_eq!(crashed.reason, Some(StateReason::RestartedTooOften));
    assert!(crashed.detail.expect("words").contains("5 times within 10 minutes"));
    assert_eq!(engine.running(), 0);
    // A person may try as often as they like, and the count begins anew.
    core.start("one", None).await.unwrap().unwrap();
    let machine = engine.machine(id);
    machine.say(EngineEvent::Panicked);
    begun_anew(&engine, &machine, id).await;
}

#[tokio::test]
async fn what_is_preserved_can_be_looked_at_go_on_begin_anew_and_end() {
    let rules = PowerSettings {
        on_poweroff: Some(EndAction::Preserve),
        on_crash: Some(CrashAction::Preserve),
        ..PowerSettings::default()
    };
    ruled_guest!(rules => home, engine, _thread, core, events, id);
    for (event, reason) in [
        (EngineEvent::PoweredOff, StateReason::PoweredOff),
        (EngineEvent::Panicked, StateReason::GuestPanicked),
    ] {
        engine.machine(id).say(event.clone());
        let kept = events.state("one", GuestState::Paused).await;
        assert_eq!((kept.reason, kept.pid.is_some()), (Some(reason), true));
        core.open_display("one").await.unwrap().0.expect("its last picture");
        assert_eq!(core.resume("one").await.unwrap().unwrap().guest.state, GuestState::Running);
        events.state("one", GuestState::Running).await;
        let machine = engine.machine(id);
        machine.say(event);
        events.state("one", GuestState::Paused).await;
        let restarted = core.restart("one").await.unwrap().unwrap().guest;
        assert_eq!((restarted.state, restarted.reason), (GuestState::Running, None));
        events.state("one", GuestState::Running).await;
        assert!(!Arc::ptr_eq(&machine, &engine.machine(id)), "it is another machine");
        events.state("one", GuestState::Running).await;
    }
    engine.machine(id).say(EngineEvent::PoweredOff);
    events.state("one", GuestState::Paused).await;
    let off = core.force_off("one").await.unwrap().unwrap().guest;
    assert_eq!((off.state, off.reason), (GuestState::Off, Some(StateReason::PoweredOff)));
    assert_eq!(engine.running(), 0);
}

#[tokio::test]
async fn a_rule_for_restarts_reaches_a_machine_that_runs() {
    ruled_guest!(PowerSettings::default() => home, engine, _thread, core, events, id);
    engine.machine(id).reboot();
    assert_eq!(shown(&mut core, "one").await.state, GuestState::Running);
    let set = async |core: &mut hv_api::client::Connection, action| {
        let power = Some(PowerSettings { on_reboot: Some(action), ..PowerSettings::default() });
        core.set("one", &Settings { power, ..Settings::default() }).await.unwrap().unwrap().settings
    };
    let results = set(&mut core, EndAction::Preserve).await;
    assert_eq!(results, [SettingResult { key: "on-reboot".into(), applied: Applied::Now, reason: None }]);
    engine.machine(id).reboot();
    assert_eq!(events.state("one", GuestState::Paused).await.reason, Some(StateReason::Rebooted));
    // To go on, it begins anew, and the rule holds after that as well.
    core.resume("one").await.unwrap().unwrap();
    engine.machine(id).reboot();
    events.state("one", GuestState::Paused).await;
    core.force_off("one").await.unwrap().unwrap();

    set(&mut core, EndAction::Destroy).await;
    core.start("one", None).await.unwrap().unwrap();
    engine.machine(id).reboot();
    let off = events.state("one", GuestState::Off).await;
    assert_eq!(off.reason, Some(StateReason::Rebooted));
}

#[tokio::test]
async fn the_memory_of_a_crashed_guest_is_kept_in_a_file() {
    let rules = PowerSettings { on_crash: Some(CrashAction::CoredumpDestroy), ..PowerSettings::default() };
    ruled_guest!(rules => home, engine, _thread, core, events, id);
    engine.machine(id).say(EngineEvent::Panicked);
    let crashed = events.state("one", GuestState::Crashed).await;
    let file = home.guests().join(id.to_string()).join("core.elf");
    assert_eq!(std::fs::read(&file).expect("the file"), b"memory");
    let expected = format!("Its memory is in {}.", file.display());
    assert_eq!((crashed.reason, crashed.detail), (Some(StateReason::GuestPanicked), Some(expected)));

    // What can't be written is no reason to keep the guest from starting anew.
    let power =
        Some(PowerSettings { on_crash: Some(CrashAction::CoredumpRestart), ..PowerSettings::default() });
    core.set("one", &Settings { power, ..Settings::default() }).await.unwrap().unwrap();
    core.start("one", None).await.unwrap().unwrap();
    engine.answer(Asked::DumpMemory, refusal());
    let machine = engine.machine(id);
    machine.say(EngineEvent::Panicked);
    begun_anew(&engine, &machine, id).await;
    let names = std::fs::read_dir(file.parent().expect("a folder")).expect("a folder");
    let left =
        names.filter(|name| name.as_ref().is_ok_and(|name| name.path().extension() == Some("part".as_ref())));
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn rules_hold_for_what_happened_while_no_core_ran() {
    for (rules, event, state) in [
        (
            PowerSettings { on_poweroff: Some(EndAction::Restart), ..PowerSettings::default() },
            EngineEvent::PoweredOff,
            GuestState::Running,
        ),
        (
            PowerSettings { on_crash: Some(CrashAction::Preserve), ..PowerSettings::default() },
            EngineEvent::Panicked,
            GuestState::Paused,
        ),
    ] {
        ruled_guest!(rules => home, engine, first, core, events, id);
        drop((core, first));
        engine.machine(id).say(event);
        let _second = FakeCore::start(&home, &engine).await;
        let (_core, mut events) = connected(&home).await;
        events.state("one", state).await;
        assert_eq!(engine.running(), 1);
    }
}
