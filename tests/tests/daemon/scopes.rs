//! Engines in scopes of the user's systemd, and the limit of their CPU time. systemd is one that only pretends.

use crate::{bare, connected, make, shown};
use hv_api::{Applied, Core, CpuLimitFault, Error, GuestState, Settings};
use hv_tests::bus::Bus;
use hv_tests::fake_engine::{FakeCore, FakeEngine};
use hv_tests::{Home, Script};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use zbus::zvariant::{ObjectPath, OwnedValue};

/// What systemd was told of each unit, in order.
type Told = Vec<(String, BTreeMap<String, OwnedValue>)>;

#[derive(Default, Clone)]
struct Systemd(Arc<Mutex<Told>>);

type Auxiliary = Vec<(String, Vec<(String, OwnedValue)>)>;

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.systemd1")]
enum Refused {
    #[zbus(error)]
    Bus(zbus::Error),
    NoSuchUnit(String),
}

#[expect(
    clippy::unused_self,
    clippy::needless_pass_by_value,
    reason = "an interface's methods are like that"
)]
#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl Systemd {
    fn start_transient_unit(
        &self,
        name: String,
        mode: &str,
        properties: Vec<(String, OwnedValue)>,
        auxiliary: Auxiliary,
    ) -> ObjectPath<'static> {
        assert_eq!((mode, auxiliary.len()), ("fail", 0));
        self.0.lock().expect("nobody panicked").push((name, properties.into_iter().collect()));
        ObjectPath::from_static_str("/org/freedesktop/systemd1/job/1").expect("a path")
    }

    fn set_unit_properties(
        &self,
        name: String,
        runtime: bool,
        properties: Vec<(String, OwnedValue)>,
    ) -> Result<(), Refused> {
        assert!(runtime, "the limit goes with the engine");
        let mut told = self.0.lock().expect("nobody panicked");
        if !told.iter().any(|(unit, _)| *unit == name) {
            return Err(Refused::NoSuchUnit(format!("Unit {name} not loaded.")));
        }
        told.push((name, properties.into_iter().collect()));
        Ok(())
    }

    #[zbus(property)]
    fn control_group(&self) -> &'static str {
        "/user.slice/me.service"
    }
}

impl Systemd {
    async fn serve(&self, bus: &Bus) -> zbus::Connection {
        let builder = bus.service("org.freedesktop.systemd1");
        let builder = builder.serve_at("/org/freedesktop/systemd1", self.clone()).expect("a place");
        builder.build().await.expect("a bus")
    }

    /// The unit that it was told of last, and how much CPU time a second that gets at most, in microseconds.
    fn last(&self) -> Option<(String, u64)> {
        let told = self.0.lock().expect("nobody panicked");
        let (name, properties) = told.last()?;
        let quota = properties["CPUQuotaPerSecUSec"].downcast_ref::<u64>().expect("a number");
        Some((name.clone(), quota))
    }
}

#[tokio::test]
async fn an_engines_cpu_time_is_limited_from_its_start_and_while_it_runs() {
    let home = Home::without_programs();
    let Some(bus) = Bus::start(&home).await else { return };
    let systemd = Systemd::default();
    let _served = systemd.serve(&bus).await;
    let groups = home.path("cgroup");
    let controllers = groups.join("user.slice/me.service/cgroup.controllers");
    std::fs::create_dir_all(controllers.parent().expect("a folder")).expect("a folder");
    std::fs::write(&controllers, "cpu memory pids\n").expect("a file");
    let engine = Arc::<FakeEngine>::default();
    let _thread = FakeCore::start_with(&home, &engine, Some((bus.address.clone(), groups))).await;
    let (mut core, mut events) = connected(&home).await;
    let id = make(&mut core, &hv_api::NewGuest { cpus: Some(1), max_cpus: Some(2), ..bare("one") })
        .await
        .expect("a guest")
        .id;
    assert_eq!(core.host().await.unwrap().unwrap().cpu_limit_fault, None);
    let set = async |core: &mut hv_api::client::Connection, settings: Settings| {
        let results = core.set("one", &settings).await.unwrap().unwrap().settings;
        assert!(results.iter().all(|result| result.applied == Applied::Now), "{results:?}");
    };
    let limit = |percent| Settings { cpu_limit: Some(percent), ..Settings::default() };
    set(&mut core, limit(50)).await;
    assert_eq!(systemd.last(), None, "nothing runs");

    core.start("one", None).await.unwrap().unwrap();
    events.state("one", GuestState::Running).await;
    let (unit, quota) = systemd.last().expect("a scope");
    assert_eq!(quota, 500_000);
    assert!(unit.starts_with(&format!("app-guesthouse-{id}-")), "{unit}");
    set(&mut core, limit(20)).await;
    assert_eq!(systemd.last(), Some((unit.clone(), 200_000)));
    assert_eq!(shown(&mut core, "one").await.cpu_limit, Some(20));
    set(&mut core, Settings { cpus: Some(2), ..Settings::default() }).await;
    assert_eq!(systemd.last(), Some((unit.clone(), 400_000)), "it is a share of what its CPUs could use");
    set(&mut core, limit(100)).await;
    assert_eq!(systemd.last(), Some((unit, u64::MAX)));
    assert_eq!(shown(&mut core, "one").await.cpu_limit, None);
    // An engine that has no scope yet gets one.
    systemd.0.lock().expect("nobody panicked").clear();
    set(&mut core, limit(40)).await;
    assert_eq!(systemd.last().map(|(_, quota)| quota), Some(800_000));

    // What can't be, or can't be kept, is refused and told of.
    set(&mut core, limit(30)).await;
    let refused = core.set("one", &limit(0)).await.unwrap();
    assert_eq!(refused.err(), Some(Error::CpuLimitOutOfRange { requested: 0 }));
    std::fs::write(&controllers, "memory pids\n").expect("a file");
    let refused = core.set("one", &limit(10)).await.unwrap();
    assert!(
        matches!(
            refused.as_ref().err(),
            Some(Error::CpuLimitUnavailable { fault: CpuLimitFault::NotDelegated, .. })
        ),
        "{refused:?}"
    );
    core.force_off("one").await.unwrap().unwrap();
    events.state("one", GuestState::Off).await;
    core.start("one", None).await.unwrap().unwrap();
    events.state("one", GuestState::Running).await;
    let guest = shown(&mut core, "one").await;
    let pending: Vec<_> =
        guest.pending.iter().map(|change| (&*change.key, &*change.now, &*change.next)).collect();
    assert_eq!(pending, [("cpu-limit", "none", "30")], "that it runs without its limit is told");
    assert_eq!(systemd.last().map(|(_, quota)| quota), Some(u64::MAX), "it has a scope nevertheless");
    set(&mut core, limit(100)).await;
    assert_eq!(shown(&mut core, "one").await.pending, []);
}

#[tokio::test]
async fn a_real_engine_is_in_a_scope_of_its_own() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let Some(bus) = Bus::start(&home).await else { return };
    let systemd = Systemd::default();
    let _served = systemd.serve(&bus).await;
    let variable = format!("DBUS_SESSION_BUS_ADDRESS={}", bus.address);
    let _core = home.core_under(&["/usr/bin/env", &variable]).await;
    home.hv(["create", "one", "--empty", "--no-disk", "--start"]).await.done();
    let pid = home.hv(["show", "one", "--json"]).await.json()["pid"].as_u64().expect("an engine");
    let pids = {
        let told = systemd.0.lock().expect("nobody panicked");
        let (_, properties) = told.last().expect("a scope");
        Vec::<u32>::try_from(properties["PIDs"].try_clone().expect("a value")).expect("numbers")
    };
    assert_eq!(pids, [u32::try_from(pid).expect("a number")]);
    // Its group is not one of this host's.
    let refused = home.hv(["set", "one", "cpu-limit=50%", "--json"]).await;
    assert_eq!(refused.error_code(), "cpu-limit-unavailable");
    assert_eq!(home.hv(["host", "--json"]).await.json()["cpu_limit_fault"], "not_delegated");
}
