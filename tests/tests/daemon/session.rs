//! A session that begins and ends, and a host that sleeps: what becomes of guests. logind is one that only
//! pretends, on a bus of the test's own.

use crate::{bare, connected, make, shown};
use hv_api::{Core, GuestState, LogoutAction, PowerSettings, Settings, SleepAction, StateReason};
use hv_tests::fake_engine::{FakeCore, FakeEngine};
use hv_tests::{Home, Script, until, within};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, BufReader};
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

/// The end that was handed out to who delays, while it is open.
#[derive(Default, Clone)]
struct Logind(Arc<Mutex<Vec<(UnixStream, String)>>>);

#[expect(clippy::unused_self, reason = "an interface's methods have it")]
#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> OwnedFd {
        let (kept, given) = UnixStream::pair().expect("a pipe");
        assert!(!who.is_empty() && !why.is_empty(), "people are told");
        self.0.lock().expect("nobody panicked").push((kept, format!("{what} {mode}")));
        std::os::fd::OwnedFd::from(given).into()
    }

    fn get_user(&self, user: u32) -> ObjectPath<'static> {
        assert_eq!(user, rustix::process::getuid().as_raw());
        ObjectPath::from_static_str("/org/freedesktop/login1/user/me").expect("a path")
    }

    #[zbus(property, name = "InhibitDelayMaxUSec")]
    fn limit(&self) -> u64 {
        20_000_000
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
    /// How often it was asked to delay, and whether the last of these is over.
    fn delays(&self) -> (usize, bool) {
        let delays = self.0.lock().expect("nobody panicked");
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

#[tokio::test]
async fn the_host_sleeps_and_shuts_down_when_guests_are_ready() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let mut bus = home.command("/usr/bin/dbus-daemon");
    bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]).stdout(Stdio::piped());
    let Ok(mut daemon) = bus.kill_on_drop(true).spawn() else {
        hv_tests::skip("dbus-daemon is not installed");
        return;
    };
    let mut lines = BufReader::new(daemon.stdout.take().expect("its output")).lines();
    let address = within("an address", lines.next_line()).await.expect("a line").expect("a line");
    let logind = Logind::default();
    let builder = zbus::connection::Builder::address(address.as_str()).expect("an address");
    let builder = builder.name("org.freedesktop.login1").expect("a name");
    let builder = builder.serve_at(PATH, logind.clone()).expect("a place");
    let served = builder.serve_at("/org/freedesktop/login1/user/me", User).expect("a place").build().await;
    let system = served.expect("a bus");
    let say = async |signal: &str, begins: bool| {
        system.emit_signal(None::<&str>, PATH, MANAGER, signal, &begins).await.expect("it is told");
    };
    let variable = format!("DBUS_SYSTEM_BUS_ADDRESS={address}");
    let _core = home.core_under(&["/usr/bin/env", &variable]).await;
    let (mut core, mut events) = connected(&home).await;
    until("a delay", || (logind.delays() == (1, false)).then_some(())).await;
    assert_eq!(logind.0.lock().expect("nobody panicked")[0].1, "shutdown:sleep delay");
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
}
