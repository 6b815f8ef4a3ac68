//! Engines that stall, lie, refuse and die, as programs: the guest's state and the error are right, the
//! core goes on, and no process is left.

use crate::{bare, connected, make, shown};
use hv_api::{Core, Error, GuestState, Operation, StateReason};
use hv_tests::{Home, Process, Reaction, Script, within};

/// A core with a guest "one", off, whose engine follows the script.
macro_rules! home_with_guest {
    ($script:expr => $home:ident, $core:ident, $events:ident) => {
        let $home = Home::with_fake_qemu(&$script);
        let _process = $home.core().await;
        let (mut $core, mut $events) = connected(&$home).await;
        make(&mut $core, &bare("one")).await.expect("a guest");
    };
}

fn die(words: &str) -> Reaction {
    Reaction::Die(words.to_owned(), 1)
}

#[tokio::test]
async fn an_obedient_engine_goes_through_all_states() {
    home_with_guest!(Script::obedient() => home, core, events);
    let started = core.start("one", Some(true)).await.unwrap().unwrap().guest;
    assert_eq!(started.state, GuestState::Paused);
    let pid = started.pid.expect("a process");
    assert_eq!(home.engines()[0].pid(), pid);
    assert_eq!(core.resume("one").await.unwrap().unwrap().guest.state, GuestState::Running);
    assert_eq!(core.restart("one").await.unwrap().unwrap().guest.state, GuestState::Running);
    assert_eq!(core.pause("one").await.unwrap().unwrap().guest.state, GuestState::Paused);
    assert_eq!(core.resume("one").await.unwrap().unwrap().guest.state, GuestState::Running);
    core.shutdown("one").await.unwrap().unwrap();
    let off = events.state("one", GuestState::Off).await;
    assert_eq!((off.reason, off.pid), (Some(StateReason::PoweredOff), None));
    core.start("one", None).await.unwrap().unwrap();
    let off = core.force_off("one").await.unwrap().unwrap().guest;
    assert_eq!((off.state, off.reason), (GuestState::Off, Some(StateReason::ForcedOff)));
    home.no_engine().await;
}

#[tokio::test]
async fn an_engine_that_does_not_start_gives_its_words_to_who_started_it() {
    let words = "qemu-system-x86_64: -accel kvm: failed to initialize kvm: Permission denied";
    for (script, expected) in [
        (Script::obedient().on("start", die(words)), "failed to initialize kvm: Permission denied"),
        (Script::obedient().on("start", die("")), "exit status: 1"),
        (Script::obedient().on("greeting", die("no monitor today")), "no monitor today"),
        (Script::obedient().on("greeting", Reaction::Garbage), "does not speak QMP"),
        (Script::obedient().on("qmp_capabilities", Reaction::Garbage), "does not speak QMP"),
        (Script::obedient().on("qmp_capabilities", Reaction::Refuse("not now".into())), "not now"),
        (Script::obedient().on("cont", Reaction::Refuse("no CPU".into())), "no CPU"),
        (Script::obedient().on("cont", die("no CPU left")), "no CPU left"),
    ] {
        home_with_guest!(script => home, core, events);
        match core.start("one", None).await.unwrap() {
            Err(Error::StartFailed { guest, detail }) => {
                assert_eq!(guest, "one");
                assert!(detail.contains(expected), "{script:?}: {detail}");
            }
            other => panic!("{script:?}: {other:?}"),
        }
        let crashed = events.state("one", GuestState::Crashed).await;
        assert_eq!((crashed.reason, crashed.pid), (Some(StateReason::StartFailed), None), "{script:?}");
        assert!(crashed.detail.as_ref().is_some_and(|detail| detail.contains(expected)), "{crashed:?}");
        home.no_engine().await;
        // It is as good as new as soon as the engine is.
        home.set_script(&Script::obedient());
        assert_eq!(core.start("one", None).await.unwrap().unwrap().guest.state, GuestState::Running);
    }
}

#[tokio::test]
async fn a_slow_engine_is_waited_for() {
    let script = Script::obedient().on("start", Reaction::Delay(300)).on("greeting", Reaction::Delay(300));
    home_with_guest!(script => home, core, events);
    let mut other = home.connect().await;
    let (started, ()) = tokio::join!(core.start("one", None), async {
        events.state("one", GuestState::Starting).await;
        // Whoever asks meanwhile is told so, at once.
        let refused = other.start("one", None).await.unwrap().unwrap_err();
        let state = GuestState::Starting;
        assert_eq!(refused, Error::WrongState { guest: "one".into(), state, operation: Operation::Start });
        let refused = other.delete("one", None).await.unwrap().unwrap_err();
        assert!(matches!(refused, Error::WrongState { operation: Operation::Delete, .. }), "{refused:?}");
    });
    assert_eq!(started.unwrap().unwrap().guest.state, GuestState::Running);
}

#[tokio::test]
async fn a_start_that_hangs_can_be_given_up() {
    for at in ["greeting", "qmp_capabilities"] {
        home_with_guest!(Script::obedient().on(at, Reaction::Ignore) => home, core, events);
        let mut other = home.connect().await;
        let (started, forced) = tokio::join!(core.start("one", None), async {
            events.state("one", GuestState::Starting).await;
            hv_tests::until("its process", || home.engines().pop()).await;
            other.force_off("one").await.unwrap().unwrap().guest
        });
        assert_eq!((forced.state, forced.reason), (GuestState::Off, Some(StateReason::ForcedOff)));
        assert!(matches!(started.unwrap(), Err(Error::WrongState { operation: Operation::Start, .. })));
        home.no_engine().await;
    }
}

#[tokio::test]
async fn an_engine_that_does_not_answer_delays_only_who_asked() {
    home_with_guest!(Script::obedient().on("stop", Reaction::Ignore) => home, core, events);
    make(&mut core, &bare("other")).await.unwrap();
    core.start("one", None).await.unwrap().unwrap();
    let mut patient = home.connect().await;
    let (paused, ()) = tokio::join!(patient.pause("one"), async {
        core.start("other", None).await.unwrap().unwrap();
        assert_eq!(shown(&mut core, "one").await.state, GuestState::Running);
        core.force_off("one").await.unwrap().unwrap();
    });
    // The wish can't come true any more, so nobody is kept waiting for the engine.
    let state = GuestState::ShuttingDown;
    let expected = Error::WrongState { guest: "one".into(), state, operation: Operation::Pause };
    assert_eq!(paused.unwrap().unwrap_err(), expected);
    assert_eq!(events.state("one", GuestState::Off).await.pid, None);
}

#[tokio::test]
async fn who_asked_in_vain_is_told_how_long_was_waited() {
    home_with_guest!(Script::obedient().on("stop", Reaction::Ignore) => home, core, events);
    core.start("one", None).await.unwrap().unwrap();
    let silent = core.pause("one").await.unwrap().unwrap_err();
    assert!(
        matches!(silent, Error::EngineSilent { operation: Operation::Pause, seconds: 1.., .. }),
        "{silent:?}"
    );
    assert_eq!(events.state("one", GuestState::Running).await.reason, None);
}

#[tokio::test]
async fn an_engine_that_does_not_end_is_made_to() {
    home_with_guest!(Script::obedient().on("quit", Reaction::Ignore) => home, core, events);
    core.start("one", None).await.unwrap().unwrap();
    let off = core.force_off("one").await.unwrap().unwrap().guest;
    assert_eq!((off.state, off.reason), (GuestState::Off, Some(StateReason::ForcedOff)));
    home.no_engine().await;

    // Who asks again need not wait.
    core.start("one", None).await.unwrap().unwrap();
    let mut other = home.connect().await;
    let (first, second) = tokio::join!(core.force_off("one"), async {
        events.state("one", GuestState::ShuttingDown).await;
        other.force_off("one").await
    });
    assert_eq!(first.unwrap().unwrap().guest.state, GuestState::Off);
    assert_eq!(second.unwrap().unwrap().guest.state, GuestState::Off);
    home.no_engine().await;
}

#[tokio::test]
async fn an_engine_that_refuses_is_quoted_and_the_guest_runs_on() {
    let script = Script::obedient()
        .on("stop", Reaction::Refuse("not in this phase".into()))
        .on("system_powerdown", Reaction::Refuse("no button".into()))
        .on("system_reset", Reaction::Refuse("no button".into()));
    home_with_guest!(script => home, core, events);
    core.start("one", None).await.unwrap().unwrap();
    let refused = |operation, detail: &str| Error::EngineRefused {
        guest: "one".into(),
        operation,
        detail: detail.into(),
    };
    assert_eq!(core.pause("one").await.unwrap().unwrap_err(), refused(Operation::Pause, "not in this phase"));
    assert_eq!(core.restart("one").await.unwrap().unwrap_err(), refused(Operation::Restart, "no button"));
    assert_eq!(core.reset("one").await.unwrap().unwrap_err(), refused(Operation::Reset, "no button"));
    assert_eq!(events.state("one", GuestState::Running).await.reason, None);
}

#[tokio::test]
async fn a_power_button_that_fails_leaves_the_guest_running() {
    let script = Script::obedient().on("system_powerdown", Reaction::Refuse("no button".into()));
    home_with_guest!(script => home, core, events);
    core.start("one", None).await.unwrap().unwrap();
    let answer = core.shutdown("one").await.unwrap();
    assert!(matches!(answer, Err(Error::EngineRefused { operation: Operation::Shutdown, .. })), "{answer:?}");
    events.state("one", GuestState::Running).await;
}

#[tokio::test]
async fn an_engine_that_is_killed_or_dies_is_a_crash_with_its_last_words() {
    home_with_guest!(Script::obedient() => home, core, events);
    let pid = core.start("one", None).await.unwrap().unwrap().guest.pid.expect("a process");
    Process::with_pid(pid).expect("it runs").kill();
    let crashed = events.state("one", GuestState::Crashed).await;
    assert_eq!((crashed.reason, crashed.pid), (Some(StateReason::EngineDied), None));
    assert!(crashed.detail.expect("words").contains("SIGKILL"));

    let words = "qemu-system-x86_64: terminating: the roof is on fire";
    home.set_script(&Script::obedient().on("stop", die(words)));
    core.start("one", None).await.unwrap().unwrap();
    let failed = within("an answer", core.pause("one")).await.unwrap().unwrap_err();
    assert!(matches!(failed, Error::WrongState { operation: Operation::Pause, .. }), "{failed:?}");
    let crashed = events.state("one", GuestState::Crashed).await;
    assert!(crashed.detail.expect("words").starts_with("terminating: the roof is on fire"));
    let ran = home.hv(["log", "one"]).await.done();
    assert!(ran.contains("the roof is on fire"), "{ran}");
    home.no_engine().await;
}

#[tokio::test]
async fn garbage_from_an_engine_that_ran_does_not_lose_the_guest() {
    home_with_guest!(Script::obedient().on("stop", Reaction::Garbage) => home, core, events);
    core.start("one", None).await.unwrap().unwrap();
    let refused = within("an answer", core.pause("one")).await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::EngineRefused { operation: Operation::Pause, .. }), "{refused:?}");
    assert_eq!(events.state("one", GuestState::Running).await.reason, None);
    // The process is all that can still be spoken to.
    let off = core.force_off("one").await.unwrap().unwrap().guest;
    assert_eq!(off.state, GuestState::Off);
    home.no_engine().await;
}

#[tokio::test]
async fn a_console_shows_what_was_before_and_takes_what_is_typed() {
    home_with_guest!(Script { serial: "booting\r\nlogin: ".into(), ..Script::default() } => home, core, events);
    core.start("one", None).await.unwrap().unwrap();
    events.state("one", GuestState::Running).await;
    let (answer, fds) = core.open_serial("one", 0).await.unwrap();
    answer.unwrap();
    let port = std::os::unix::net::UnixStream::from(fds.into_iter().next().expect("a port"));
    port.set_nonblocking(true).unwrap();
    let mut port = tokio::net::UnixStream::from_std(port).unwrap();
    let mut seen = vec![0; "booting\r\nlogin: ".len()];
    within("what was before", tokio::io::AsyncReadExt::read_exact(&mut port, &mut seen)).await.unwrap();
    assert_eq!(seen, b"booting\r\nlogin: ");
    tokio::io::AsyncWriteExt::write_all(&mut port, b"root\r").await.unwrap();
    let mut echo = [0; 5];
    within("the echo", tokio::io::AsyncReadExt::read_exact(&mut port, &mut echo)).await.unwrap();
    assert_eq!(&echo, b"root\r");
    assert_eq!(home.hv(["log", "one", "--serial", "0"]).await.done(), "booting\r\nlogin: root\r");
    let missing = core.open_serial("one", 4).await.unwrap().0.unwrap_err();
    assert_eq!(missing, Error::PortNotFound { guest: "one".into(), port: 4, ports: 1 });
}

#[tokio::test]
async fn an_engine_that_is_not_installed_is_named() {
    let home = Home::without_programs();
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let missing = Error::EngineMissing { program: "qemu-system-x86_64".into() };
    assert_eq!(make(&mut core, &bare("one")).await.unwrap_err(), missing);
    assert_eq!(core.host().await.unwrap().unwrap().engine.path, None);
    assert_eq!(home.hv(["create", "one", "--empty", "--json"]).await.code, 1);
    assert_eq!(home.hv(["list"]).await.done().lines().count(), 1);
}

#[tokio::test]
async fn an_engine_that_is_gone_at_the_next_start_is_named() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let process = home.core().await;
    make(&mut home.connect().await, &bare("one")).await.unwrap();
    process.kill().await;
    let _process = home.core_under(&["/usr/bin/env", "PATH=/nonexistent"]).await;
    let (mut core, mut events) = connected(&home).await;
    let missing = core.start("one", None).await.unwrap().unwrap_err();
    assert_eq!(missing, Error::EngineMissing { program: "qemu-system-x86_64".into() });
    let crashed = events.state("one", GuestState::Crashed).await;
    assert_eq!(crashed.reason, Some(StateReason::StartFailed));
}
