//! A session that begins and ends, and a host that sleeps: what becomes of guests. logind is one that only
//! pretends, on a bus of the test's own.

use crate::{bare, connected, make, shown};
use hv_api::{Core, GuestState, Library, LogoutAction, PowerSettings, Settings, SleepAction, StateReason};
use hv_core::engine::EngineError;
use hv_tests::bus::Bus;
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine};
use hv_tests::{Home, Script, until};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use zbus::zvariant::{ObjectPath, OwnedFd};

fn power(settings: PowerSettings) -> Settings {
    Settings { power: Some(settings), ..Settings::default() }
}

#[tokio::test]
async fn guests_start_with_the_session_but_not_with_every_core() {
    let home = Home::without_programs();
    let engine = Arc::<FakeEngine>::default();
    let first = FakeCore::start(&home, &engine).await;
    let (mut core, _) = connected(&home).await;
    make(&mut core, &bare("wanted")).await.expect("a guest");
    make(&mut core, &bare("other")).await.expect("a guest");
    let entry = home.path("config/autostart/dev.guesthouse.Core.desktop");
    assert!(!entry.exists());
    let autostart = |wanted| power(PowerSettings { autostart: Some(wanted), ..PowerSettings::default() });
    core.set("wanted", &autostart(true)).await.unwrap().unwrap();
    assert!(
        std::fs::read_to_string(&entry).expect("an entry").contains("Exec="),
        "the desktop starts the core"
    );
    let note = home.path("run/guesthouse/autostarted");
    until("the session has begun", || note.exists().then_some(())).await;

    // The core comes back, the session is the same.
    drop((core, first));
    let second = FakeCore::start(&home, &engine).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(engine.running(), 0);
    drop(second);

    // A session's runtime folder goes with it.
    std::fs::remove_file(&note).expect("it was there");
    let _third = FakeCore::start(&home, &engine).await;
    let (mut again, mut events) = connected(&home).await;
    events.state("wanted", GuestState::Running).await;
    assert_eq!(shown(&mut again, "other").await.state, GuestState::Off);
    again.set("wanted", &autostart(false)).await.unwrap().unwrap();
    assert!(!entry.exists());
}

#[derive(Clone)]
struct Logind {
    /// The ends of what was handed out to who delays, and what was asked.
    delays: Arc<Mutex<Vec<(UnixStream, String)>>>,
    /// How long it can be delayed, in seconds.
    limit: u64,
}

#[expect(clippy::unused_self, reason = "an interface's methods have it")]
#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> OwnedFd {
        let (kept, given) = UnixStream::pair().expect("a pipe");
        assert!(!who.is_empty() && !why.is_empty(), "people are told");
        self.delays.lock().expect("nobody panicked").push((kept, format!("{what} {mode}")));
        std::os::fd::OwnedFd::from(given).into()
    }

    fn get_user(&self, user: u32) -> ObjectPath<'static> {
        assert_eq!(user, rustix::process::getuid().as_raw());
        ObjectPath::from_static_str("/org/freedesktop/login1/user/me").expect("a path")
    }

    #[zbus(property, name = "InhibitDelayMaxUSec")]
    fn limit(&self) -> u64 {
        self.limit * 1_000_000
    }
}

/// One user, who is leaving.
struct User;

#[expect(clippy::unused_self, reason = "an interface's properties have it")]
#[zbus::interface(name = "org.freedesktop.login1.User")]
impl User {
    #[zbus(property)]
    fn state(&self) -> &'static str {
        "closing"
    }
}

impl Logind {
    fn new(limit: u64) -> Self {
        Self { delays: Arc::default(), limit }
    }

    async fn serve(&self, bus: &Bus) -> zbus::Connection {
        let builder = bus.service("org.freedesktop.login1").serve_at(PATH, self.clone()).expect("a place");
        let builder = builder.serve_at("/org/freedesktop/login1/user/me", User).expect("a place");
        builder.build().await.expect("a bus")
    }

    /// How often it was asked to delay, and whether the last of these is over.
    fn delays(&self) -> (usize, bool) {
        let delays = self.delays.lock().expect("nobody panicked");
        let over = delays.last().is_none_or(|(kept, _)| {
            let mut ready =
                [rustix::event::PollFd::from_borrowed_fd(kept.as_fd(), rustix::event::PollFlags::IN)];
            let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
            rustix::event::poll(&mut ready, Some(&none)).expect("it can be asked") > 0
        });
        (delays.len(), over)
    }
}

const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";

async fn say(system: &zbus::Connection, signal: &str, begins: bool) {
    system.emit_signal(None::<&str>, PATH, MANAGER, signal, &begins).await.expect("it is told");
}

#[tokio::test]
async fn the_host_sleeps_and_shuts_down_when_guests_are_ready() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let Some(bus) = Bus::start(&home).await else { return };
    let logind = Logind::new(20);
    let system = logind.serve(&bus).await;
    let say = async |signal: &str, begins: bool| say(&system, signal, begins).await;
    let variable = format!("DBUS_SYSTEM_BUS_ADDRESS={}", bus.address);
    let process = home.core_under(&["/usr/bin/env", &variable]).await;
    let (mut core, mut events) = connected(&home).await;
    until("a delay", || (logind.delays() == (1, false)).then_some(())).await;
    let told = |library: &Library| library.host().is_some_and(|host| host.session_wait == Some(20));
    events.until("how long it waits", told).await;
    assert_eq!(logind.delays.lock().expect("nobody panicked")[0].1, "shutdown:sleep delay");
    for name in ["sleeper", "keeper"] {
        make(&mut core, &bare(name)).await.expect("a guest");
        core.start(name, None).await.unwrap().unwrap();
    }
    let pause = PowerSettings { on_host_sleep: Some(SleepAction::Pause), ..PowerSettings::default() };
    core.set("sleeper", &power(pause)).await.unwrap().unwrap();
    let keep = PowerSettings { at_logout: Some(LogoutAction::Keep), ..PowerSettings::default() };
    core.set("keeper", &power(keep)).await.unwrap().unwrap();

    say("PrepareForSleep", true).await;
    until("the host may sleep", || (logind.delays() == (1, true)).then_some(())).await;
    assert_eq!(shown(&mut core, "sleeper").await.state, GuestState::Paused);
    assert_eq!(shown(&mut core, "keeper").await.state, GuestState::Running);
    say("PrepareForSleep", false).await;
    events.state("sleeper", GuestState::Running).await;
    until("the next delay", || (logind.delays() == (2, false)).then_some(())).await;

    say("PrepareForShutdown", true).await;
    until("the host may shut down", || (logind.delays() == (2, true)).then_some(())).await;
    let off = shown(&mut core, "sleeper").await;
    assert_eq!((off.state, off.reason), (GuestState::Off, Some(StateReason::PoweredOff)));
    assert_eq!(shown(&mut core, "keeper").await.state, GuestState::Running);

    // The last session is left, the host goes on.
    core.start("sleeper", None).await.unwrap().unwrap();
    let session = ("1", ObjectPath::from_static_str("/org/freedesktop/login1/session/1").expect("a path"));
    system.emit_signal(None::<&str>, PATH, MANAGER, "SessionRemoved", &session).await.expect("it is told");
    events.state("sleeper", GuestState::Off).await;
    assert_eq!(shown(&mut core, "keeper").await.state, GuestState::Running);
    core.quit().await.unwrap().unwrap();
    assert_eq!(process.exit_code().await, Some(0));
}

#[tokio::test]
async fn guests_are_saved_when_the_session_ends_or_else_asked_to_shut_down() {
    let home = Home::without_programs();
    let Some(bus) = Bus::start(&home).await else { return };
    let logind = Logind::new(2);
    let system = logind.serve(&bus).await;
    let engine = Arc::<FakeEngine>::default();
    let core = FakeCore::start_on_bus(&home, &engine, &bus.address).await;
    let (mut client, mut events) = connected(&home).await;
    until("a delay", || (logind.delays() == (1, false)).then_some(())).await;
    let save = PowerSettings { at_logout: Some(LogoutAction::Save), ..PowerSettings::default() };
    for name in ["runs", "paused"] {
        make(&mut client, &bare(name)).await.expect("a guest");
        client.set(name, &power(save.clone())).await.unwrap().unwrap();
        client.start(name, None).await.unwrap().unwrap();
    }
    client.pause("paused").await.unwrap().unwrap();
    let mut ends = async |count: usize| {
        say(&system, "PrepareForShutdown", true).await;
        until("the host may shut down", || (logind.delays() == (count, true)).then_some(())).await;
        let states = [shown(&mut client, "runs").await, shown(&mut client, "paused").await];
        // It was only pretended.
        say(&system, "PrepareForShutdown", false).await;
        until("the next delay", || (logind.delays() == (count + 1, false)).then_some(())).await;
        states.map(|guest| (guest.state, guest.reason))
    };
    assert_eq!(ends(1).await, [(GuestState::Saved, None), (GuestState::Saved, None)]);
    assert_eq!(engine.running(), 0);

    let (mut other, _) = connected(&home).await;
    let mut again = async || {
        // What could not be saved is still there.
        drop(other.force_off("paused").await.unwrap());
        other.start("runs", None).await.unwrap().unwrap();
        other.start("paused", Some(true)).await.unwrap().unwrap();
        (shown(&mut other, "runs").await.paths.engine_log, shown(&mut other, "paused").await.paths.engine_log)
    };
    // It can't be: the one is asked to shut down, the other can't hear that.
    let cannot = "State blocked by non-migratable device";
    engine.answer(Asked::Save, Answer::Fail(EngineError::Refused { detail: cannot.into() }));
    let (runs, paused) = again().await;
    let powered_off = (GuestState::Off, Some(StateReason::PoweredOff));
    assert_eq!(ends(2).await, [powered_off, (GuestState::Paused, None)]);
    let note = |log: &str| {
        let log = std::fs::read_to_string(log).expect("a log");
        log.lines().rfind(|line| line.starts_with("--- note: ")).expect("a note").to_owned()
    };
    for (log, asked) in [(&runs, true), (&paused, false)] {
        let words = note(log);
        assert!(words.contains("not saved") && words.contains(cannot), "{words}");
        assert_eq!(words.contains("asked to shut down"), asked, "{words}");
    }

    // It takes too long, which is seen while there is still time for something else.
    engine.answer(Asked::Save, Answer::Stall);
    let (runs, _) = again().await;
    assert_eq!(ends(3).await, [powered_off, (GuestState::Paused, None)]);
    assert!(note(&runs).contains("too short"), "{}", note(&runs));

    // The core ends in the middle, as it does where the host goes on: nothing is half saved.
    engine.obey();
    again().await;
    engine.answer(Asked::Save, Answer::Stall);
    say(&system, "PrepareForShutdown", true).await;
    events.state("runs", GuestState::Saving).await;
    drop(core);
    engine.obey();
    let _core = FakeCore::start(&home, &engine).await;
    let (_, mut events) = connected(&home).await;
    events.state("runs", GuestState::Running).await;
    events.state("paused", GuestState::Paused).await;
}
