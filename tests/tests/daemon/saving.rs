//! Guests that are saved and go on, whatever happens on the way.

use crate::{bare, connected, ended, make, shown};
use hv_api::client::Connection;
use hv_api::{ByteSize, Core, Error, GuestState, JobId, NewGuest, Operation, SavedStateFault, Settings};
use hv_api::{JobStage, StateReason};
use hv_core::engine::{EngineError, EngineEvent};
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine};
use hv_tests::{Follower, Home, until};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A core with a guest that runs.
struct Stage {
    home: Home,
    engine: Arc<FakeEngine>,
    thread: Option<FakeCore>,
    core: Connection,
    events: Follower,
    folder: PathBuf,
    id: hv_api::GuestId,
}

impl Stage {
    async fn new(new: &NewGuest) -> Self {
        let home = Home::without_programs();
        let engine = Arc::<FakeEngine>::default();
        let thread = FakeCore::start(&home, &engine).await;
        let (mut core, events) = connected(&home).await;
        let guest = make(&mut core, new).await.expect("a guest");
        core.start("one", None).await.expect("a connection").expect("it starts");
        let folder = home.guests().join(guest.id.to_string());
        Self { home, engine, thread: Some(thread), core, events, folder, id: guest.id }
    }

    async fn save(&mut self) -> Result<(), Error> {
        let begun = self.core.save("one").await.expect("a connection")?;
        self.ended(begun.job).await
    }

    async fn restore(&mut self) -> Result<(), Error> {
        let begun = self.core.restore("one", None).await.expect("a connection")?;
        self.ended(begun.job).await
    }

    /// What became of a job.
    async fn ended(&self, job: JobId) -> Result<(), Error> {
        ended(&self.home, job).await
    }

    async fn state(&mut self, state: GuestState) {
        self.events.state("one", state).await;
    }

    /// The core ends, as one does that is killed, and another begins.
    async fn another_core(&mut self) {
        drop(self.thread.take());
        self.thread = Some(FakeCore::start(&self.home, &self.engine).await);
        (self.core, self.events) = connected(&self.home).await;
    }

    /// The names in the guest's folder.
    fn files(&self) -> Vec<String> {
        names(&self.folder)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_saved_guest_needs_no_engine_and_no_core_and_goes_on() {
    let mut stage = Stage::new(&bare("one")).await;
    for start in [true, false] {
        stage.save().await.expect("it is saved");
        let saved = shown(&mut stage.core, "one").await;
        assert_eq!((saved.state, saved.pid, saved.reason), (GuestState::Saved, None, None));
        assert_eq!(stage.engine.running(), 0);
        assert_eq!(stage.files(), ["guest.toml", "saved"]);
        stage.another_core().await;
        let known = shown(&mut stage.core, "one").await;
        assert_eq!((known.state, known.since), (GuestState::Saved, saved.since));
        // By any of the ways that a person may take.
        let guest = if start {
            stage.core.start("one", None).await.unwrap().unwrap().guest
        } else {
            stage.core.resume("one").await.unwrap().unwrap().guest
        };
        assert_eq!(guest.state, GuestState::Running);
        let folder = stage.folder.clone();
        until("the end of its saved state", || (names(&folder) == ["guest.toml"]).then_some(())).await;
    }
    // Also stopped, if that is wished.
    stage.core.pause("one").await.unwrap().unwrap();
    stage.save().await.expect("it is saved");
    let job = stage.core.restore("one", Some(true)).await.unwrap().unwrap().job;
    stage.ended(job).await.expect("it is restored");
    assert_eq!(shown(&mut stage.core, "one").await.state, GuestState::Paused);
}

#[tokio::test]
async fn a_save_that_fails_or_is_cancelled_leaves_the_guest_as_it_was() {
    let mut stage = Stage::new(&bare("one")).await;
    for state in [GuestState::Running, GuestState::Paused] {
        if state == GuestState::Paused {
            stage.core.pause("one").await.unwrap().unwrap();
        }
        let before = stage.home.tree();
        let full = EngineError::Refused { detail: "Unable to write: No space left on device".into() };
        stage.engine.answer(Asked::Save, Answer::Fail(full));
        let error = stage.save().await.unwrap_err();
        assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
        assert_eq!(shown(&mut stage.core, "one").await.state, state);
        assert_eq!(stage.home.tree(), before);

        stage.engine.answer(Asked::Save, Answer::Fail(EngineError::Silent { seconds: 9 }));
        let silent = Error::EngineSilent { guest: "one".into(), operation: Operation::Save, seconds: 9 };
        assert_eq!(stage.save().await, Err(silent));
        assert_eq!(shown(&mut stage.core, "one").await.state, state);

        stage.engine.answer(Asked::Save, Answer::Stall);
        let job = stage.core.save("one").await.unwrap().unwrap().job;
        let quarter = |library: &hv_api::Library| {
            let mut jobs = library.jobs();
            jobs.any(|one| {
                one.id == job && one.stage == JobStage::Saving && (one.progress - 0.25).abs() < 1e-9
            })
        };
        let library = stage.events.until("its progress", quarter).await;
        let told = library.jobs().next().expect("a job").clone();
        assert_eq!((told.done, told.total), (Some(ByteSize::bytes(2)), Some(ByteSize::bytes(8))));
        let wrong = stage.core.pause("one").await.unwrap().unwrap_err();
        let saving = GuestState::Saving;
        let expected = Error::WrongState { guest: "one".into(), state: saving, operation: Operation::Pause };
        assert_eq!(wrong, expected);
        stage.core.cancel(job).await.unwrap().unwrap();
        assert_eq!(stage.ended(job).await, Err(Error::JobCancelled { job: job.0 }));
        assert_eq!(shown(&mut stage.core, "one").await.state, state);
        assert_eq!(stage.home.tree(), before);
        stage.engine.obey();
    }
}

#[tokio::test]
async fn an_engine_that_ends_while_it_is_saved_leaves_no_half_of_it() {
    let mut stage = Stage::new(&bare("one")).await;
    stage.engine.answer(Asked::Save, Answer::Stall);
    let job = stage.core.save("one").await.unwrap().unwrap().job;
    stage.state(GuestState::Saving).await;
    stage.engine.machine(stage.id).say(EngineEvent::Exited { detail: "killed".into() });
    stage.state(GuestState::Crashed).await;
    assert!(stage.ended(job).await.is_err());
    assert_eq!(stage.files(), ["guest.toml"]);

    stage.core.start("one", None).await.unwrap().unwrap();
    let job = stage.core.save("one").await.unwrap().unwrap().job;
    stage.state(GuestState::Saving).await;
    let off = stage.core.force_off("one").await.unwrap().unwrap().guest;
    assert_eq!((off.state, off.reason), (GuestState::Off, Some(StateReason::ForcedOff)));
    assert!(stage.ended(job).await.is_err());
    assert_eq!(stage.files(), ["guest.toml"]);
}

#[tokio::test]
async fn a_core_that_dies_while_it_saves_leaves_the_guest_running_or_saved() {
    // In the middle: it runs on.
    let mut stage = Stage::new(&bare("one")).await;
    for paused in [false, true] {
        if paused {
            stage.core.pause("one").await.unwrap().unwrap();
        }
        stage.engine.answer(Asked::Save, Answer::Stall);
        stage.core.save("one").await.unwrap().unwrap();
        until("the files", || stage.folder.join(".saving/memory").exists().then_some(())).await;
        stage.engine.obey();
        stage.another_core().await;
        let former = if paused { GuestState::Paused } else { GuestState::Running };
        stage.state(former).await;
        assert_eq!((stage.files(), stage.engine.running()), (vec!["guest.toml".to_owned()], 1));
    }
    // When it is saved, but its engine has not yet ended: it is saved, and no engine is left.
    stage.engine.answer(Asked::Quit, Answer::Stall);
    stage.core.save("one").await.unwrap().unwrap();
    until("the files", || stage.folder.join("saved").exists().then_some(())).await;
    stage.engine.obey();
    stage.another_core().await;
    stage.state(GuestState::Saved).await;
    assert_eq!((stage.files(), stage.engine.running()), (vec!["guest.toml".into(), "saved".into()], 0));
    // While it is restored: both are still there, and the saved state counts.
    stage.engine.answer(Asked::Load, Answer::Stall);
    stage.core.restore("one", None).await.unwrap().unwrap();
    until("its engine", || (stage.engine.running() == 1).then_some(())).await;
    stage.engine.obey();
    stage.another_core().await;
    stage.state(GuestState::Saved).await;
    assert_eq!((stage.files(), stage.engine.running()), (vec!["guest.toml".into(), "saved".into()], 0));
    stage.restore().await.expect("it goes on");
}

#[tokio::test]
async fn a_saved_state_that_does_not_go_on_is_kept_until_it_is_discarded() {
    let mut stage = Stage::new(&bare("one")).await;
    stage.save().await.expect("it is saved");
    stage.engine.answer(Asked::Load, Answer::Fail(EngineError::Refused { detail: "no match".into() }));
    let error = stage.core.start("one", None).await.unwrap().unwrap_err();
    let refused = SavedStateFault::Refused;
    let expected =
        Error::SavedStateUnusable { guest: "one".into(), fault: refused, detail: "no match".into() };
    assert_eq!(error, expected);
    let guest = shown(&mut stage.core, "one").await;
    assert_eq!((guest.state, guest.reason), (GuestState::Saved, Some(StateReason::RestoreFailed)));
    until("the end of its engine", || (stage.engine.running() == 0).then_some(())).await;

    // It has its memory, but would not run.
    stage.engine.obey();
    stage.engine.answer(Asked::Resume, Answer::Fail(EngineError::Refused { detail: "locked".into() }));
    let error = stage.restore().await.unwrap_err();
    assert!(matches!(error, Error::SavedStateUnusable { .. }), "{error:?}");
    assert_eq!(shown(&mut stage.core, "one").await.reason, Some(StateReason::RestoreFailed));

    stage.engine.answer(Asked::Load, Answer::Stall);
    let job = stage.core.restore("one", None).await.unwrap().unwrap().job;
    until("its engine", || (stage.engine.running() == 1).then_some(())).await;
    stage.core.cancel(job).await.unwrap().unwrap();
    assert_eq!(stage.ended(job).await, Err(Error::JobCancelled { job: job.0 }));
    assert_eq!(shown(&mut stage.core, "one").await.state, GuestState::Saved);
    stage.engine.obey();
    stage.restore().await.expect("nothing was lost");
    stage.save().await.expect("it is saved");

    std::fs::write(stage.folder.join("saved/memory"), "cut").expect("a file");
    let error = stage.restore().await.unwrap_err();
    assert!(matches!(error, Error::SavedStateUnusable { fault: SavedStateFault::Damaged, .. }), "{error:?}");
    let off = stage.core.discard("one").await.unwrap().unwrap().guest;
    assert_eq!(off.state, GuestState::Off);
    let folder = stage.folder.clone();
    until("the end of its saved state", || (names(&folder) == ["guest.toml"]).then_some(())).await;
    let refused = stage.core.discard("one").await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::WrongState { operation: Operation::Discard, .. }), "{refused:?}");
    stage.core.start("one", None).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_changed_in_a_saved_guest_waits_until_it_starts_anew() {
    let home = Home::without_programs();
    let disk = home.file("disk.img", vec![0_u8; 4096]);
    // A partition table makes it a disk.
    let mut content = vec![0_u8; 4096];
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&disk, content).expect("a file");
    let mut stage =
        Stage::new(&NewGuest { disk_path: Some(disk.clone()), no_disk: None, ..bare("one") }).await;
    stage.save().await.expect("it is saved");
    let settings = Settings { cpus: Some(7), ..Settings::default() };
    let set = stage.core.set("one", &settings).await.unwrap().unwrap().settings;
    assert_eq!(set[0].applied, hv_api::Applied::AtNextStart);
    let waits = |guest: hv_api::GuestInfo| guest.pending.iter().any(|change| change.key == "cpus");
    assert!(waits(shown(&mut stage.core, "one").await));
    let iso = stage.home.file("a.iso", "not quite");
    let refused = stage.core.insert_medium("one", None, &iso).await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::WrongState { state: GuestState::Saved, .. }), "{refused:?}");
    // Nobody else gets its disk meanwhile.
    let other = NewGuest { disk_path: Some(disk.clone()), no_disk: None, ..bare("other") };
    assert!(matches!(make(&mut stage.core, &other).await, Err(Error::DiskInUse { .. })));
    stage.restore().await.expect("it goes on");
    assert!(waits(shown(&mut stage.core, "one").await));

    stage.save().await.expect("it is saved");
    std::fs::write(&disk, "something else").expect("a file");
    let error = stage.restore().await.unwrap_err();
    assert!(
        matches!(error, Error::SavedStateUnusable { fault: SavedStateFault::DisksChanged, .. }),
        "{error:?}"
    );
    // Deleted, it leaves nothing but its disks.
    stage.core.delete("one", None).await.unwrap().unwrap();
    assert!(!stage.folder.exists() && Path::new(&disk).exists());
}
