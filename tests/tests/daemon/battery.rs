//! Guests that nobody looks at while the host runs on battery. UPower is one that only pretends, on a bus of the test's
//! own.

use crate::{bare, connected, make, shown};
use hv_api::client::Connection;
use hv_api::{BatteryAction, Core, GuestState, Library, PowerSettings, Settings, StateReason};
use hv_tests::bus::Bus;
use hv_tests::fake_engine::{FakeCore, FakeEngine, UNSEEN_FOR};
use hv_tests::{Follower, Home, Script};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::time::sleep;

const PATH: &str = "/org/freedesktop/UPower";

#[derive(Default, Clone)]
struct Upower(Arc<AtomicBool>);

#[zbus::interface(name = "org.freedesktop.UPower")]
impl Upower {
    #[zbus(property)]
    fn on_battery(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Upower {
    async fn serve(&self, bus: &Bus) -> zbus::Connection {
        let builder = bus.service("org.freedesktop.UPower").serve_at(PATH, self.clone()).expect("a place");
        builder.build().await.expect("a bus")
    }

    /// The plug is pulled, or put in.
    async fn run_on_battery(&self, system: &zbus::Connection, on_battery: bool) {
        self.0.store(on_battery, Ordering::SeqCst);
        let place = system.object_server().interface::<_, Self>(PATH).await.expect("it is there");
        place.get().await.on_battery_changed(place.signal_emitter()).await.expect("it is told");
    }
}

/// A guest of this name that runs and that is paused on battery while nobody looks.
async fn frugal(core: &mut Connection, name: &str) {
    make(core, &bare(name)).await.expect("a guest");
    let power = PowerSettings { on_battery: Some(BatteryAction::Pause), ..PowerSettings::default() };
    let settings = Settings { power: Some(power), ..Settings::default() };
    core.set(name, &settings).await.expect("a connection").expect("a rule");
    core.start(name, None).await.expect("a connection").expect("it runs");
}

async fn serial(core: &mut Connection, name: &str) -> OwnedFd {
    let (opened, mut fds) = core.open_serial(name, 0).await.expect("a connection");
    opened.expect("a port");
    fds.remove(0)
}

async fn paused_on_battery(events: &mut Follower, name: &str) {
    let guest = events.state(name, GuestState::Paused).await;
    assert_eq!(guest.reason, Some(StateReason::OnBattery), "{name}");
}

async fn power_is(events: &mut Follower, on_battery: Option<bool>) {
    let told = |library: &Library| library.host().is_some_and(|host| host.on_battery == on_battery);
    events.until("the host's power", told).await;
}

#[tokio::test]
async fn guests_in_the_background_are_paused_on_battery() {
    let home = Home::without_programs();
    let Some(bus) = Bus::start(&home).await else { return };
    let upower = Upower::default();
    let system = upower.serve(&bus).await;
    let engine = Arc::<FakeEngine>::default();
    let first = FakeCore::start_on_bus(&home, &engine, &bus.address).await;
    let (mut core, mut events) = connected(&home).await;
    power_is(&mut events, Some(false)).await;
    for name in ["back", "front", "person"] {
        frugal(&mut core, name).await;
    }
    make(&mut core, &bare("ruleless")).await.expect("a guest");
    core.start("ruleless", None).await.unwrap().unwrap();
    core.pause("person").await.unwrap().unwrap();
    let looks = serial(&mut core, "front").await;
    sleep(UNSEEN_FOR).await;

    // Who was not looked at for long is paused at once, and only that.
    upower.run_on_battery(&system, true).await;
    paused_on_battery(&mut events, "back").await;
    // Looked at last when somebody has just gone.
    let gone = Instant::now();
    drop(looks);
    paused_on_battery(&mut events, "front").await;
    assert!(gone.elapsed() >= UNSEEN_FOR, "{:?}", gone.elapsed());
    assert_eq!(shown(&mut core, "ruleless").await.state, GuestState::Running);
    let person = shown(&mut core, "person").await;
    assert_eq!((person.state, person.reason), (GuestState::Paused, None));

    // It goes on for who looks, and for who says so.
    let looks = serial(&mut core, "front").await;
    events.state("front", GuestState::Running).await;
    core.resume("back").await.unwrap().unwrap();
    sleep(UNSEEN_FOR * 2).await;
    for name in ["front", "back"] {
        assert_eq!(shown(&mut core, name).await.state, GuestState::Running, "{name}");
    }
    drop(looks);
    paused_on_battery(&mut events, "front").await;
    // Whoever pauses what is paused already means it.
    frugal(&mut core, "meant").await;
    paused_on_battery(&mut events, "meant").await;
    let meant = core.pause("meant").await.unwrap().unwrap().guest;
    assert_eq!((meant.state, meant.reason), (GuestState::Paused, None));

    // Another core knows why it stands.
    drop((core, first));
    let second = FakeCore::start_on_bus(&home, &engine, &bus.address).await;
    (core, events) = connected(&home).await;
    paused_on_battery(&mut events, "front").await;
    power_is(&mut events, Some(true)).await;
    upower.run_on_battery(&system, false).await;
    events.state("front", GuestState::Running).await;
    for name in ["person", "meant"] {
        assert_eq!(shown(&mut core, name).await.state, GuestState::Paused, "{name}");
    }

    // Nobody tells any more, and then somebody does again.
    upower.run_on_battery(&system, true).await;
    paused_on_battery(&mut events, "back").await;
    drop(system);
    power_is(&mut events, None).await;
    events.state("back", GuestState::Running).await;
    let _system = upower.serve(&bus).await;
    power_is(&mut events, Some(true)).await;
    paused_on_battery(&mut events, "back").await;
    drop(second);
}

#[tokio::test]
async fn without_upower_guests_run_on() {
    let home = Home::without_programs();
    let Some(bus) = Bus::start(&home).await else { return };
    let engine = Arc::<FakeEngine>::default();
    let _core = FakeCore::start_on_bus(&home, &engine, &bus.address).await;
    let (mut core, _) = connected(&home).await;
    frugal(&mut core, "one").await;
    sleep(UNSEEN_FOR * 2).await;
    assert_eq!(shown(&mut core, "one").await.state, GuestState::Running);
    // Also without any bus, with the real program.
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core_under(&["/usr/bin/env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere"]).await;
    let (mut core, events) = connected(&home).await;
    frugal(&mut core, "one").await;
    assert_eq!(events.library().host().and_then(|host| host.on_battery), None);
}
