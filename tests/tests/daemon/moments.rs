//! What happens at an exact moment, or can't be made to happen from outside: disks that fail, guests that
//! crash, media that are held, displays, and engines that fall silent.

use crate::{bare, connected, make, shown};
use hv_api::display::{Channel, DisplayEvent, DisplayRequest, FrameView, Rect};
use hv_api::{Core, Error, GuestState, NewGuest, Operation, StateReason};
use hv_core::engine::{EngineError, EngineEvent};
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine};
use hv_tests::{Home, until, within};
use std::sync::Arc;

fn with_disc(home: &Home) -> NewGuest {
    NewGuest { iso: Some(home.file("a.iso", "not quite")), ..bare("one") }
}

#[tokio::test]
async fn a_full_disk_pauses_the_guest_until_it_is_let_go_on() {
    running_guest!(with_disc(&home); home, engine, core, events, machine);
    for full in [true, false] {
        machine.say(EngineEvent::DiskFailed { full, detail: "disk0: write: it failed".into() });
        let paused = events.state("one", GuestState::Paused).await;
        let reason = if full { StateReason::DiskFull } else { StateReason::DiskError };
        assert_eq!(paused.reason, Some(reason));
        assert_eq!(paused.detail.as_deref(), Some("disk0: write: it failed"));
        let resumed = core.resume("one").await.unwrap().unwrap().guest;
        assert_eq!((resumed.state, resumed.reason), (GuestState::Running, None));
        events.state("one", GuestState::Running).await;
    }
}

#[tokio::test]
async fn a_guest_that_crashes_is_not_one_that_powers_off() {
    running_guest!(with_disc(&home); home, engine, core, events, machine);
    machine.say(EngineEvent::Panicked);
    let crashed = events.state("one", GuestState::Crashed).await;
    assert_eq!(crashed.reason, Some(StateReason::GuestPanicked));
    assert_eq!(engine.running(), 0);

    core.start("one", None).await.unwrap().unwrap();
    engine.machine(crashed.id).say(EngineEvent::PoweredOff);
    let off = events.state("one", GuestState::Off).await;
    assert_eq!(off.reason, Some(StateReason::PoweredOff));
    assert_eq!(engine.running(), 0);
}

#[tokio::test]
async fn what_happened_while_no_core_ran_is_known_to_the_next() {
    let ends: [(EngineEvent, GuestState, Option<StateReason>); 3] = [
        (EngineEvent::PoweredOff, GuestState::Off, Some(StateReason::PoweredOff)),
        (EngineEvent::Panicked, GuestState::Crashed, Some(StateReason::GuestPanicked)),
        (EngineEvent::Paused, GuestState::Paused, None),
    ];
    for (event, state, reason) in ends {
        let home = Home::without_programs();
        let engine = Arc::<FakeEngine>::default();
        let first = FakeCore::start(&home, &engine).await;
        let (mut core, _) = connected(&home).await;
        let id = make(&mut core, &bare("one")).await.expect("a guest").id;
        core.start("one", None).await.unwrap().unwrap();
        drop((core, first));
        assert_eq!(engine.running(), 1, "the end of a core is no guest's end");
        engine.machine(id).say(event);
        let _second = FakeCore::start(&home, &engine).await;
        let (_core, mut events) = connected(&home).await;
        assert_eq!(events.state("one", state).await.reason, reason);
    }
}

#[tokio::test]
async fn a_medium_that_the_guest_holds_stays_unless_it_is_forced_out() {
    running_guest!(with_disc(&home); home, engine, core, events, machine);
    engine.answer(Asked::ChangeMedium, Answer::Fail(EngineError::MediumLocked));
    let locked = core.eject_medium("one", None, None).await.unwrap().unwrap_err();
    assert_eq!(locked, Error::MediumLocked { guest: "one".into(), drive: "cd0".into() });
    let other = home.file("other.iso", "other");
    let locked = core.insert_medium("one", Some("cd0"), &other).await.unwrap().unwrap_err();
    assert!(matches!(locked, Error::MediumLocked { .. }), "{locked:?}");
    assert!(shown(&mut core, "one").await.drives[0].medium.is_some());

    let ejected = core.eject_medium("one", None, Some(true)).await.unwrap().unwrap().guest;
    assert_eq!(ejected.drives[0].medium, None);
    engine.obey();
    let inserted = core.insert_medium("one", None, &other).await.unwrap().unwrap().guest;
    assert_eq!(inserted.drives[0].medium.as_deref(), Some(other.as_str()));
    let missing = core.eject_medium("one", Some("cd7"), None).await.unwrap().unwrap_err();
    assert_eq!(missing, Error::DriveNotFound { guest: "one".into(), drive: "cd7".into() });

    machine.say(EngineEvent::MediumEjected { drive: 0 });
    let told = events
        .until("the empty drive", |library| library.guests().all(|guest| guest.drives[0].medium.is_none()));
    told.await;
}

#[tokio::test]
async fn an_engine_that_falls_silent_is_reported_with_the_operation() {
    running_guest!(with_disc(&home); home, engine, core, events, machine);
    engine.answer(Asked::Pause, Answer::Fail(EngineError::Silent { seconds: 10 }));
    engine.answer(Asked::Reset, Answer::Fail(EngineError::Gone));
    let silent = |operation| Error::EngineSilent { guest: "one".into(), operation, seconds: 10 };
    assert_eq!(core.pause("one").await.unwrap().unwrap_err(), silent(Operation::Pause));
    let gone = core.reset("one").await.unwrap().unwrap_err();
    assert!(matches!(gone, Error::EngineRefused { operation: Operation::Reset, .. }), "{gone:?}");
    assert_eq!(shown(&mut core, "one").await.state, GuestState::Running);
    machine.say(EngineEvent::Exited { detail: "at last".into() });
    assert_eq!(events.state("one", GuestState::Crashed).await.detail.as_deref(), Some("at last"));
}

#[tokio::test]
async fn a_cancelled_creation_leaves_nothing_at_whichever_step() {
    let home = Home::without_programs();
    let engine = Arc::<FakeEngine>::default();
    let _thread = FakeCore::start(&home, &engine).await;
    let (mut core, mut events) = connected(&home).await;
    make(&mut core, &bare("kept")).await.expect("a guest");
    let before = home.tree();
    engine.answer(Asked::Start, Answer::Stall);
    let new = NewGuest { start: Some(true), ..bare("one") };
    let created = core.create(&new).await.unwrap().unwrap();
    events.state("one", GuestState::Starting).await;
    let mut follower = home.connect().await;
    let follow = async {
        let mut job = std::pin::pin!(follower.follow(created.job).await.unwrap());
        loop {
            let message = futures_util::StreamExt::next(&mut job).await.expect("an end").unwrap();
            if let Err(error) = message {
                return error;
            }
        }
    };
    let (ended, cancelled) = tokio::join!(follow, core.cancel(created.job));
    cancelled.unwrap().unwrap();
    assert_eq!(ended, Error::JobCancelled { job: created.job.0 });
    events.until("its end", |library| library.guests().len() == 1 && library.jobs().len() == 0).await;
    until("the former files", || (home.tree() == before).then_some(())).await;
    // The name is free again, and a job that has ended can be cancelled as often as one likes.
    core.cancel(created.job).await.unwrap().unwrap();
    engine.obey();
    make(&mut core, &new).await.expect("a guest");
    assert_eq!(core.cancel(hv_api::JobId(999)).await.unwrap().unwrap_err(), Error::JobNotFound { job: 999 });
}

#[tokio::test]
async fn a_creation_whose_start_fails_leaves_nothing() {
    let home = Home::without_programs();
    let engine = Arc::<FakeEngine>::default();
    let _thread = FakeCore::start(&home, &engine).await;
    let (mut core, mut events) = connected(&home).await;
    make(&mut core, &bare("kept")).await.expect("a guest");
    let before = home.tree();
    engine.answer(Asked::Start, Answer::Fail(EngineError::NotStarted { detail: "no luck".into() }));
    let failed = make(&mut core, &NewGuest { start: Some(true), ..bare("one") }).await.unwrap_err();
    assert_eq!(failed, Error::StartFailed { guest: "one".into(), detail: "no luck".into() });
    events.until("its end", |library| library.guests().len() == 1).await;
    until("the former files", || (home.tree() == before).then_some(())).await;
}

/// A window: everything that it is told, once it has come.
struct Window {
    channel: Channel,
    picture: Option<(u32, u32, FrameView)>,
}

impl Window {
    async fn open(core: &mut hv_api::client::Connection) -> Self {
        let (answer, fds) = core.open_display("one").await.expect("a connection");
        answer.expect("a display");
        let channel = Channel::from_fd(fds.into_iter().next().expect("a descriptor")).expect("a channel");
        Self { channel, picture: None }
    }

    /// Takes in what comes until something holds of the picture.
    async fn until(&mut self, what: &str, holds: impl Fn(u32, u32, &[u8]) -> bool) {
        until(what, || {
            while let Ok(Some((event, memory))) = self.channel.receive::<DisplayEvent>() {
                if let DisplayEvent::Picture { width, height, stride } = event {
                    let length = stride as usize * height as usize;
                    let view = FrameView::new(memory.expect("its memory"), length).expect("a view of it");
                    self.picture = Some((width, height, view));
                }
                if matches!(event, DisplayEvent::Picture { .. } | DisplayEvent::Damage(_)) {
                    self.channel.send(&DisplayRequest::Shown, None).expect("the core reads");
                }
            }
            self.picture
                .as_ref()
                .filter(|(width, height, view)| holds(*width, *height, view.bytes()))
                .map(|_| ())
        })
        .await;
    }

    async fn closed(&self) {
        until("the end of the display", || {
            matches!(self.channel.receive::<DisplayEvent>(), Ok(None)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_display_reaches_every_window_and_keys_the_guest() {
    running_guest!(with_disc(&home); home, engine, core, events, machine);
    let mut first = Window::open(&mut core).await;
    let picture = [7; 8 * 4 * 4];
    machine.draw(|canvas| canvas.picture(8, 4, 32, &picture));
    first
        .until("the picture", |width, height, bytes| (width, height) == (8, 4) && bytes[..128] == [7; 128])
        .await;
    machine.draw(|canvas| canvas.update(Rect { x: 1, y: 0, width: 1, height: 1 }, 4, &[9; 4]));
    first.until("the change", |_, _, bytes| bytes[4..8] == [9; 4]).await;
    // Who comes later sees the same.
    let mut second = Window::open(&mut core).await;
    second.until("the picture", |_, _, bytes| bytes[..4] == [7; 4] && bytes[4..8] == [9; 4]).await;
    machine.draw(|canvas| canvas.picture(2, 2, 8, &[5; 16]));
    for window in [&mut first, &mut second] {
        window.until("the new size", |width, height, _| (width, height) == (2, 2)).await;
    }

    second.channel.send(&DisplayRequest::Key { code: 30, down: true }, None).unwrap();
    until("the key", || (machine.pressed() == [(30, true)]).then_some(())).await;
    // What a window that is gone held down is let go.
    drop(second);
    until("the key's release", || (machine.pressed() == [(30, true), (30, false)]).then_some(())).await;

    core.force_off("one").await.unwrap().unwrap();
    first.closed().await;
    let refused = within("an answer", core.open_display("one")).await.unwrap().0.unwrap_err();
    assert!(matches!(refused, Error::WrongState { operation: Operation::OpenDisplay, .. }), "{refused:?}");
}

#[tokio::test]
async fn a_display_that_does_not_open_is_reported_and_can_be_tried_again() {
    running_guest!(with_disc(&home); home, engine, core, events, machine);
    engine.answer(Asked::OpenDisplay, Answer::Fail(EngineError::Refused { detail: "busy".into() }));
    let refused = core.open_display("one").await.unwrap().0.unwrap_err();
    let expected = Error::EngineRefused {
        guest: "one".into(),
        operation: Operation::OpenDisplay,
        detail: "busy".into(),
    };
    assert_eq!(refused, expected);
    engine.obey();
    let mut window = Window::open(&mut core).await;
    machine.draw(|canvas| canvas.picture(1, 1, 4, &[1; 4]));
    window.until("the picture", |width, _, _| width == 1).await;
}
