//! The registry without an engine: what it refuses, and what it leaves behind.

use super::*;
use crate::engine::{
    Adopted, Alteration, Canvas, DisplayInput, EngineError, EngineEvent, EventSender, Machine, MachineConfig,
    RunFiles,
};
use hv_api::{Accelerator, AcceleratorInfo, EngineInfo, KvmState, NameFault};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

/// An engine that is not installed.
struct Missing;

#[async_trait::async_trait]
impl Engine for Missing {
    async fn info(&self) -> EngineInfo {
        EngineInfo { program: "none".into(), path: None, version: None }
    }

    async fn newest_machine(&self) -> Result<String, EngineError> {
        Err(EngineError::Missing { program: "none".into() })
    }

    fn command_line(&self, _: &MachineConfig) -> Vec<String> {
        Vec::new()
    }

    async fn start(&self, _: &MachineConfig, _: EventSender) -> Result<Arc<dyn Machine>, EngineError> {
        Err(EngineError::Missing { program: "none".into() })
    }

    async fn adopt(&self, _: GuestId, _: &RunFiles, _: EventSender) -> Result<Option<Adopted>, EngineError> {
        Ok(None)
    }
}

/// An engine whose machines have ended at the moment at which they are ready.
struct Brief;

#[async_trait::async_trait]
impl Engine for Brief {
    async fn info(&self) -> EngineInfo {
        Missing.info().await
    }

    async fn newest_machine(&self) -> Result<String, EngineError> {
        Ok("m".into())
    }

    fn command_line(&self, _: &MachineConfig) -> Vec<String> {
        Vec::new()
    }

    async fn start(&self, _: &MachineConfig, events: EventSender) -> Result<Arc<dyn Machine>, EngineError> {
        let _heard = events.send(EngineEvent::Exited { detail: "killed".into() }).await;
        Ok(Arc::new(Ended))
    }

    async fn adopt(&self, _: GuestId, _: &RunFiles, _: EventSender) -> Result<Option<Adopted>, EngineError> {
        Ok(None)
    }
}

/// A machine that has ended.
struct Ended;

#[async_trait::async_trait]
impl Machine for Ended {
    fn pid(&self) -> u32 {
        1 << 30
    }

    async fn resume(&self) -> Result<(), EngineError> {
        Err(EngineError::Gone)
    }

    async fn pause(&self) -> Result<(), EngineError> {
        Err(EngineError::Gone)
    }

    async fn power_button(&self) -> Result<(), EngineError> {
        Err(EngineError::Gone)
    }

    async fn reset(&self) -> Result<(), EngineError> {
        Err(EngineError::Gone)
    }

    async fn quit(&self) -> Result<(), EngineError> {
        Ok(())
    }

    fn kill(&self) {}

    async fn change_medium(&self, _: u32, _: Option<PathBuf>, _: bool) -> Result<(), EngineError> {
        Err(EngineError::Gone)
    }

    async fn alter(&self, _: Alteration) -> Result<(), EngineError> {
        Err(EngineError::Gone)
    }

    async fn memory(&self) -> Result<ByteSize, EngineError> {
        Err(EngineError::Gone)
    }

    async fn screenshot(&self, _: OwnedFd) -> Result<(), EngineError> {
        Err(EngineError::Gone)
    }

    async fn press_keys(&self, _: &[u16]) -> Result<(), EngineError> {
        Err(EngineError::Gone)
    }

    async fn write_serial(&self, _: u32, _: Vec<u8>) -> Result<(), EngineError> {
        Err(EngineError::Gone)
    }

    async fn open_display(&self, _: Box<dyn Canvas>) -> Result<Box<dyn DisplayInput>, EngineError> {
        Err(EngineError::Gone)
    }
}

/// A registry without guests, in a folder that goes with the test's process.
pub(crate) async fn empty() -> Rc<Registry> {
    with_guests(Arc::new(Missing), &[]).await
}

/// A registry with guests of these names.
async fn with_guests(engine: Arc<dyn Engine>, names: &[&str]) -> Rc<Registry> {
    let base = tempfile::tempdir().unwrap().keep();
    let folders = Folders {
        data: base.join("data"),
        guests: base.join("data/guests"),
        state: base.join("state"),
        cache: base.join("cache"),
        runtime: base.join("run"),
        config: base.join("config"),
        devices: base.join("devices"),
    };
    folders.create().unwrap();
    let limits = Limits { cpus: 1, memory: ByteSize::gib(1) };
    for name in names {
        let id = GuestId::random();
        let new = NewGuest { name: (*name).into(), no_disk: Some(true), ..NewGuest::default() };
        let resolved = creation::resolve(id, &new, None, limits, "m".into()).unwrap();
        Store::new(folders.guests.clone()).begin(id).unwrap().keep(&resolved.definition).unwrap();
    }
    let info =
        AcceleratorInfo { chosen: Accelerator::Emulation, kvm: KvmState::NoDevice, detail: String::new() };
    Registry::open(engine, folders, Accelerators::fixed(info), Scopes::none()).await.unwrap()
}

fn local<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

#[test]
fn what_can_be_refused_is_refused_before_there_is_a_job() {
    local(async {
        let registry = empty().await;
        let new = |name: &str| NewGuest { name: name.into(), ..NewGuest::default() };
        let refused = registry.create(new("../x")).await.unwrap_err();
        assert_eq!(refused, Error::NameInvalid { name: "../x".into(), fault: NameFault::BadCharacter });
        for cpus in [0, 10_000] {
            let refused = registry.create(NewGuest { cpus: Some(cpus), ..new("a") }).await.unwrap_err();
            assert!(matches!(refused, Error::CpusOutOfRange { requested, .. } if requested == cpus));
        }
        for memory in [ByteSize::bytes(0), ByteSize::gib(1 << 20)] {
            let refused = registry.create(NewGuest { memory: Some(memory), ..new("a") }).await.unwrap_err();
            assert!(matches!(refused, Error::MemoryOutOfRange { requested, .. } if requested == memory));
        }
        assert!(registry.jobs().running().is_empty());
        assert!(registry.names().is_empty());
    });
}

#[test]
fn a_creation_that_fails_gives_its_name_back_and_leaves_no_file() {
    local(async {
        let registry = empty().await;
        let new = NewGuest { name: "one".into(), ..NewGuest::default() };
        let created = registry.create(new.clone()).await.unwrap();
        // While it is under way the name is taken, in any case of its letters.
        let taken = registry.create(NewGuest { name: "ONE".into(), ..NewGuest::default() }).await;
        assert_eq!(taken.unwrap_err(), Error::NameTaken { name: "ONE".into() });
        let mut job = registry.jobs().follow(created.job).unwrap();
        let ended = job.wait_for(|status| status.info.state != hv_api::JobState::Running).await.unwrap();
        assert_eq!(ended.error, Some(Error::EngineMissing { program: "none".into() }));
        drop(ended);
        assert!(registry.names().is_empty());
        let folder = &registry.context().folders.guests;
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    });
}

#[test]
fn a_client_that_does_not_wait_for_a_deletion_leaves_no_ghost() {
    local(async {
        let registry = with_guests(Arc::new(Missing), &["one"]).await;
        {
            let mut deletion = std::pin::pin!(registry.delete("one", false));
            assert!(futures_util::poll!(&mut deletion).is_pending());
        }
        let gone = async {
            while !registry.list().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the guest is gone");
    });
}

#[test]
fn of_two_who_want_a_name_at_once_one_gets_it() {
    local(async {
        let registry = with_guests(Arc::new(Missing), &["one", "two"]).await;
        let name = || Settings { name: Some("three".into()), ..Settings::default() };
        let (one, two) = tokio::join!(registry.set("one", name()), registry.set("two", name()));
        assert!(one.is_ok());
        assert_eq!(two, Err(Error::NameTaken { name: "three".into() }));
        // Who keeps its name has it.
        registry.set("three", name()).await.unwrap();
    });
}

#[test]
fn an_engine_that_ends_when_it_is_ready_is_a_start_that_failed() {
    local(async {
        let registry = with_guests(Arc::new(Brief), &["one"]).await;
        for paused in [false, true] {
            drop(registry.wish("one", Wish::Start { paused }).await);
            let mut info = registry.find("one").unwrap().info;
            let crashed = info.wait_for(|guest| guest.state == hv_api::GuestState::Crashed);
            tokio::time::timeout(Duration::from_secs(1), crashed).await.expect("it has crashed").unwrap();
        }
    });
}

#[test]
fn a_creation_that_fails_at_its_start_is_undone_before_that_is_told() {
    local(async {
        let registry = with_guests(Arc::new(Brief), &[]).await;
        let new =
            NewGuest { name: "one".into(), no_disk: Some(true), start: Some(true), ..NewGuest::default() };
        let created = registry.create(new).await.unwrap();
        let mut job = registry.jobs().follow(created.job).unwrap();
        let ended = job.wait_for(|status| status.info.state != hv_api::JobState::Running);
        let ended = tokio::time::timeout(Duration::from_secs(10), ended).await.expect("an end").unwrap();
        assert!(matches!(ended.error, Some(Error::StartFailed { .. })), "{:?}", ended.error);
        drop(ended);
        assert!(registry.names().is_empty());
        let folder = &registry.context().folders.guests;
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    });
}
