//! Snapshots of guests and guests made of guests: what their disks hold then, and whatever happens on the way.

use crate::{bare, connected, ended, make, shown};
use hv_api::PowerSettings;
use hv_api::client::Connection;
use hv_api::{ByteSize, Core, Error, GuestInfo, GuestState, JobId, NewGuest, Operation, Settings};
use hv_core::engine::EngineError;
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine};
use hv_tests::{Follower, Home, until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// A core with a guest named “one” that has a disk.
struct Stage {
    home: Home,
    engine: Arc<FakeEngine>,
    thread: Option<FakeCore>,
    core: Connection,
    events: Follower,
    folder: PathBuf,
    disk: PathBuf,
}

impl Stage {
    async fn new() -> Self {
        let home = Home::without_programs();
        let engine = Arc::<FakeEngine>::default();
        let thread = FakeCore::start(&home, &engine).await;
        let (mut core, events) = connected(&home).await;
        let new = NewGuest { name: "one".into(), disk: Some(ByteSize::mib(4)), ..NewGuest::default() };
        let guest = make(&mut core, &new).await.expect("a guest");
        let folder = home.guests().join(guest.id.to_string());
        let disk = folder.join("disk0.qcow2");
        Self { home, engine, thread: Some(thread), core, events, folder, disk }
    }

    async fn take(&mut self, name: &str) -> Result<(), Error> {
        let begun = self.core.take_snapshot("one", name, None).await.expect("a connection")?;
        self.ended(begun.job).await
    }

    async fn restore(&mut self, name: &str) -> Result<(), Error> {
        let begun = self.core.restore_snapshot("one", name, None).await.expect("a connection")?;
        self.ended(begun.job).await
    }

    async fn link(&mut self, name: &str) -> Result<(), Error> {
        let begun = self.core.clone_guest("one", name, None, Some(true)).await.expect("a connection")?;
        self.ended(begun.job).await
    }

    async fn copy(&mut self, name: &str, snapshot: Option<&str>) -> Result<(), Error> {
        let begun = self.core.clone_guest("one", name, snapshot, None).await.expect("a connection")?;
        self.ended(begun.job).await
    }

    /// What became of a job.
    async fn ended(&self, job: JobId) -> Result<(), Error> {
        ended(&self.home, job).await
    }

    async fn start(&mut self) {
        self.core.start("one", None).await.expect("a connection").expect("it starts");
        self.events.state("one", GuestState::Running).await;
    }

    async fn guest(&mut self) -> GuestInfo {
        shown(&mut self.core, "one").await
    }

    /// Ends the core as if it were killed, and begins another.
    async fn other_core(&mut self) {
        drop(self.thread.take());
        self.thread = Some(FakeCore::start(&self.home, &self.engine).await);
        (self.core, self.events) = connected(&self.home).await;
    }

    /// How many snapshots there are folders of.
    fn folders(&self) -> usize {
        let folders = std::fs::read_dir(self.folder.join("snapshots"));
        folders.map_or(0, |folders| {
            folders.filter(|entry| entry.as_ref().expect("an entry").path().is_dir()).count()
        })
    }
}

fn tool(program: &str, words: &[&str], disk: &Path) -> String {
    let output = Command::new(program).args(words).arg(disk).output().expect("QEMU's tools");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Fills a disk's first mebibyte with a byte.
fn write(disk: &Path, byte: u8) {
    tool("qemu-io", &["-f", "qcow2", "-c", &format!("write -P {byte} 0 1M")], disk);
}

/// Whether the disk's first mebibyte is full of a byte.
fn holds(disk: &Path, byte: u8) -> bool {
    let words = ["-f", "qcow2", "-c", &format!("read -P {byte} 0 1M")];
    let output = Command::new("qemu-io").args(words).arg(disk).output().expect("QEMU's tools");
    output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("verification failed")
}

/// How many states of itself a disk keeps.
fn kept(disk: &Path) -> usize {
    let info: serde_json::Value =
        serde_json::from_str(&tool("qemu-img", &["info", "-U", "--output=json", "-f", "qcow2"], disk))
            .expect("JSON");
    info["snapshots"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_guest_that_is_off_is_put_back_with_its_disks_and_settings() {
    let mut stage = Stage::new().await;
    write(&stage.disk, 1);
    stage.take("clean").await.unwrap();
    write(&stage.disk, 2);
    let more = Settings { cpus: Some(2), name: Some("one".into()), ..Settings::default() };
    stage.core.set("one", &more).await.unwrap().unwrap();
    stage.take("changed").await.unwrap();
    write(&stage.disk, 3);

    let guest = stage.guest().await;
    let [clean, changed] = &guest.snapshots[..] else { panic!("{:?}", guest.snapshots) };
    assert_eq!((changed.parent, guest.current_snapshot), (Some(clean.id), Some(changed.id)));
    assert_eq!((clean.memory, clean.running), (None, false));

    let cpus = guest.cpus;
    stage.restore("clean").await.unwrap();
    assert!(holds(&stage.disk, 1));
    let guest = stage.guest().await;
    assert_eq!((guest.state, guest.current_snapshot), (GuestState::Off, Some(guest.snapshots[0].id)));
    stage.restore("changed").await.unwrap();
    assert!(holds(&stage.disk, 2));
    assert_eq!(stage.guest().await.cpus, cpus);

    // Whatever is deleted, what the others have stays bit for bit.
    stage.core.delete_snapshot("one", "clean").await.unwrap().unwrap();
    until("its rest gone", || (stage.folders() == 1).then_some(())).await;
    assert_eq!(kept(&stage.disk), 1);
    write(&stage.disk, 4);
    stage.restore("changed").await.unwrap();
    assert!(holds(&stage.disk, 2));
    tool("qemu-img", &["check", "-q", "-f", "qcow2"], &stage.disk);
}

#[tokio::test]
async fn a_guest_that_runs_goes_on_and_can_be_put_back_with_its_memory() {
    let mut stage = Stage::new().await;
    write(&stage.disk, 1);
    stage.start().await;
    // A machine knows nothing of this.
    let wait = |seconds| {
        let power = Some(PowerSettings { shutdown_wait: Some(seconds), ..PowerSettings::default() });
        Settings { power, ..Settings::default() }
    };
    stage.core.set("one", &wait(7)).await.unwrap().unwrap();
    stage.take("running").await.unwrap();
    stage.core.set("one", &wait(8)).await.unwrap().unwrap();
    let guest = stage.guest().await;
    assert_eq!((guest.state, guest.snapshots.len()), (GuestState::Running, 1));
    assert!(guest.snapshots[0].memory.is_some() && guest.snapshots[0].running);

    // It is paused, and is so again when it is put back.
    stage.core.pause("one").await.unwrap().unwrap();
    stage.take("paused").await.unwrap();
    assert_eq!(stage.guest().await.state, GuestState::Paused);
    assert!(!stage.guest().await.snapshots[1].running);
    write(&stage.disk, 2);

    stage.restore("running").await.unwrap();
    assert!(holds(&stage.disk, 1));
    let guest = stage.guest().await;
    assert_eq!((guest.state, guest.power.shutdown_wait), (GuestState::Running, 7));
    stage.restore("paused").await.unwrap();
    assert_eq!(stage.guest().await.state, GuestState::Paused);
    // What a snapshot has is there as often as it is wanted.
    stage.restore("running").await.unwrap();
    assert_eq!(stage.guest().await.state, GuestState::Running);

    stage.core.delete_snapshot("one", "running").await.unwrap().unwrap();
    until("its rest gone", || (kept(&stage.disk) == 1).then_some(())).await;
    assert_eq!(stage.guest().await.state, GuestState::Running);
}

/// Its disks are written then, which is not held against its saved state, and its memory is there twice.
#[tokio::test]
async fn a_guest_that_is_saved_stays_so_and_can_be_put_back_with_its_memory() {
    let mut stage = Stage::new().await;
    write(&stage.disk, 1);
    stage.start().await;
    assert_eq!(save(&mut stage).await, GuestState::Saved);
    stage.take("saved").await.unwrap();
    stage.take("again").await.unwrap();
    let guest = stage.guest().await;
    assert_eq!((guest.state, guest.snapshots.len()), (GuestState::Saved, 2));
    assert!(guest.snapshots[0].memory.is_some() && guest.snapshots[0].running);
    stage.core.delete_snapshot("one", "again").await.unwrap().unwrap();
    until("its rest gone", || (stage.folders() == 1 && kept(&stage.disk) == 1).then_some(())).await;

    // A core that was ended before it had noted that the disks are as they are to be.
    drop(stage.thread.take());
    let facts = stage.folder.join("saved/saved.toml");
    let text = std::fs::read_to_string(&facts).expect("a file");
    std::fs::write(&facts, text.replacen("memory = ", "altering = true\nmemory = ", 1)).expect("a file");
    tool("qemu-img", &["snapshot", "-c", "more"], &stage.disk);
    stage.other_core().await;
    stage.start().await;
    stage.core.force_off("one").await.unwrap().unwrap();
    write(&stage.disk, 2);
    stage.restore("saved").await.unwrap();
    assert!(holds(&stage.disk, 1));
    assert_eq!(stage.guest().await.state, GuestState::Running);

    // What somebody else does to the disk is still held against it.
    assert_eq!(save(&mut stage).await, GuestState::Saved);
    write(&stage.disk, 3);
    let refused = stage.take("changed").await.unwrap_err();
    assert!(matches!(refused, Error::SavedStateUnusable { .. }), "{refused:?}");
    assert_eq!(stage.folders(), 1);
}

/// Saves the guest; says what it is then.
async fn save(stage: &mut Stage) -> GuestState {
    let begun = stage.core.save("one").await.expect("a connection").expect("a job");
    stage.ended(begun.job).await.expect("it is saved");
    stage.guest().await.state
}

#[tokio::test]
async fn a_snapshot_that_fails_leaves_nothing_and_the_guest_as_it_was() {
    let mut stage = Stage::new().await;
    stage.start().await;
    let refused = || Answer::Fail(EngineError::Refused { detail: "no".into() });
    for asked in [Asked::KeepVolumes, Asked::Save] {
        stage.engine.answer(asked, refused());
        let error = stage.take("a").await.unwrap_err();
        assert!(
            matches!(error, Error::EngineRefused { operation: Operation::TakeSnapshot, .. }),
            "{error:?}"
        );
        stage.engine.obey();
        let guest = stage.guest().await;
        assert_eq!((guest.state, guest.snapshots.len()), (GuestState::Running, 0));
        until("nothing left", || (stage.folders() == 0 && kept(&stage.disk) == 0).then_some(())).await;
    }
    // So does one that is given up, and one whose guest is forced off meanwhile.
    stage.engine.answer(Asked::Save, Answer::Stall);
    let begun = stage.core.take_snapshot("one", "a", None).await.unwrap().unwrap();
    stage.events.state("one", GuestState::Saving).await;
    stage.core.cancel(begun.job).await.unwrap().unwrap();
    stage.events.state("one", GuestState::Running).await;
    until("nothing left", || (stage.folders() == 0 && kept(&stage.disk) == 0).then_some(())).await;

    let begun = stage.core.take_snapshot("one", "a", None).await.unwrap().unwrap();
    stage.events.state("one", GuestState::Saving).await;
    stage.core.force_off("one").await.unwrap().unwrap();
    let error = stage.ended(begun.job).await.unwrap_err();
    assert!(matches!(error, Error::WrongState { operation: Operation::TakeSnapshot, .. }), "{error:?}");
    until("nothing left", || (stage.folders() == 0 && kept(&stage.disk) == 0).then_some(())).await;
}

#[tokio::test]
async fn a_core_that_is_ended_while_it_takes_one_leaves_a_guest_that_goes_on() {
    let mut stage = Stage::new().await;
    stage.start().await;
    stage.engine.answer(Asked::Save, Answer::Stall);
    stage.core.take_snapshot("one", "a", None).await.unwrap().unwrap();
    until("its disk kept", || (kept(&stage.disk) == 1).then_some(())).await;
    stage.engine.obey();
    stage.other_core().await;
    stage.events.state("one", GuestState::Running).await;
    until("nothing left", || (stage.folders() == 0 && kept(&stage.disk) == 0).then_some(())).await;
    stage.take("a").await.unwrap();
    assert_eq!(stage.guest().await.snapshots.len(), 1);
}

/// Whether the next core finds a restoration that was begun, or the rest of a deletion, it completes it.
#[tokio::test]
async fn what_was_interrupted_is_completed() {
    let mut stage = Stage::new().await;
    write(&stage.disk, 1);
    stage.take("clean").await.unwrap();
    let id = stage.guest().await.snapshots[0].id;
    write(&stage.disk, 2);
    drop(stage.thread.take());
    let index = stage.folder.join("snapshots/index.toml");
    let text = std::fs::read_to_string(&index).unwrap();
    let begun = text.replacen("version = 1\n", &format!("version = 1\nrestoring = \"{id}\"\n"), 1);
    std::fs::write(&index, begun).unwrap();
    stage.other_core().await;
    stage.start().await;
    assert!(holds(&stage.disk, 1), "it starts only when it has been put back");
    stage.core.force_off("one").await.unwrap().unwrap();

    drop(stage.thread.take());
    std::fs::write(&index, "version = 1\n\n# end\n").unwrap();
    stage.other_core().await;
    until("nothing left", || (stage.folders() == 0 && kept(&stage.disk) == 0).then_some(())).await;
    assert_eq!(stage.guest().await.snapshots, []);

    // A list that can't be read is not taken for an empty one.
    stage.take("again").await.unwrap();
    drop(stage.thread.take());
    let text = std::fs::read_to_string(&index).unwrap();
    std::fs::write(&index, &text[..text.len() - 3]).unwrap();
    stage.other_core().await;
    stage.start().await;
    let error = stage.take("b").await.unwrap_err();
    assert!(matches!(&error, Error::StoreFailed { path, .. } if path.ends_with("index.toml")), "{error:?}");
    assert_eq!((stage.folders(), kept(&stage.disk)), (1, 1));
}

#[tokio::test]
async fn a_disk_that_lost_what_it_kept_is_told_before_anything_is_touched() {
    let mut stage = Stage::new().await;
    stage.take("clean").await.unwrap();
    let id = stage.guest().await.snapshots[0].id;
    tool("qemu-img", &["snapshot", "-q", "-d", &id.to_string()], &stage.disk);
    write(&stage.disk, 2);
    let error = stage.restore("clean").await.unwrap_err();
    assert!(matches!(&error, Error::SnapshotUnusable { snapshot, .. } if snapshot == "clean"), "{error:?}");
    assert!(holds(&stage.disk, 2));
    stage.start().await;
    let name = stage.take("clean").await.unwrap_err();
    assert_eq!(name, Error::SnapshotNameTaken { guest: "one".into(), name: "clean".into() });
    let missing = stage.core.delete_snapshot("one", "none").await.unwrap().unwrap_err();
    assert_eq!(missing, Error::SnapshotNotFound { guest: "one".into(), snapshot: "none".into() });
    stage.core.edit_snapshot("one", "clean", Some("old"), Some("a note")).await.unwrap().unwrap();
    let guest = stage.guest().await;
    assert_eq!((&*guest.snapshots[0].name, guest.snapshots[0].note.as_deref()), ("old", Some("a note")));
}

#[tokio::test]
async fn a_disk_whose_format_keeps_nothing_is_named() {
    let home = Home::without_programs();
    let _core = FakeCore::start(&home, &Arc::<FakeEngine>::default()).await;
    let (mut core, _) = connected(&home).await;
    let mut disk = vec![0; 1 << 20];
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let path = PathBuf::from(home.file("raw.img", ""));
    std::fs::write(&path, disk).unwrap();
    let raw = NewGuest { disk_path: Some(path.display().to_string()), no_disk: None, ..bare("one") };
    make(&mut core, &raw).await.unwrap();
    let job = core.take_snapshot("one", "a", None).await.unwrap().unwrap().job;
    let last = ended(&home, job).await;
    assert!(matches!(&last, Err(Error::DiskCannotKeep { format, .. }) if format == "raw"), "{last:?}");
}

#[tokio::test]
async fn a_clone_has_disks_and_an_identity_of_its_own() {
    let mut stage = Stage::new().await;
    write(&stage.disk, 1);
    stage.take("clean").await.unwrap();
    write(&stage.disk, 2);
    stage.copy("two", None).await.unwrap();
    stage.copy("three", Some("clean")).await.unwrap();
    let one = stage.guest().await;
    for (name, byte) in [("two", 2), ("three", 1)] {
        let clone = shown(&mut stage.core, name).await;
        assert_ne!((clone.id, &clone.nics[0].mac), (one.id, &one.nics[0].mac));
        assert_eq!((clone.snapshots.len(), clone.state, clone.memory), (0, GuestState::Off, one.memory));
        let disk = PathBuf::from(&clone.disks[0].path);
        assert!(disk.starts_with(&clone.paths.folder));
        assert!(holds(&disk, byte), "{name}");
        assert_eq!(kept(&disk), 0);
    }
    let taken = stage.copy("two", None).await.unwrap_err();
    assert_eq!(taken, Error::NameTaken { name: "two".into() });
    stage.start().await;
    let running = stage.copy("four", None).await.unwrap_err();
    assert!(matches!(running, Error::WrongState { operation: Operation::Clone, .. }), "{running:?}");
}

#[tokio::test]
async fn a_linked_clone_shares_what_the_disks_held() {
    let mut stage = Stage::new().await;
    let bases = stage.home.guests().join(".bases");
    let count = || std::fs::read_dir(&bases).map_or(0, Iterator::count);
    write(&stage.disk, 1);
    stage.link("two").await.unwrap();
    stage.link("three").await.unwrap();
    assert_eq!(count(), 2, "the second is a layer on the first");
    let mut disks = vec![stage.disk.clone()];
    for name in ["two", "three"] {
        disks.push(PathBuf::from(&shown(&mut stage.core, name).await.disks[0].path));
    }
    for disk in &disks {
        assert!(holds(disk, 1) && disk.metadata().expect("a disk").len() < 1 << 20, "{}", disk.display());
    }
    // What one changes is its own, and each can start at any time and have snapshots.
    write(&disks[0], 2);
    write(&disks[1], 3);
    for (disk, byte) in disks.iter().zip([2, 3, 1]) {
        assert!(holds(disk, byte), "{}", disk.display());
    }
    for name in ["one", "two", "three"] {
        stage.core.start(name, None).await.expect("a connection").expect("it starts");
        stage.events.state(name, GuestState::Running).await;
        stage.core.force_off(name).await.expect("a connection").expect("it ends");
        stage.events.state(name, GuestState::Off).await;
    }
    stage.take("kept").await.unwrap();
    assert_eq!(stage.link("four").await, Err(Error::CloneNotLinked { guest: "one".into() }));

    // Whichever goes first, the others have what they had.
    for (gone, rest) in [("one", &disks[1..]), ("three", &disks[1..2])] {
        stage.core.delete(gone, Some(true)).await.expect("a connection").expect("it goes");
        assert!(holds(&rest[0], 3));
    }
    // That of the third one and of the one that was copied last.
    until("the end of one base", || (count() == 1).then_some(())).await;
    assert!(holds(&disks[1], 3));
    stage.core.delete("two", Some(true)).await.expect("a connection").expect("it goes");
    until("the end of the bases", || (count() == 0).then_some(())).await;
}

#[tokio::test]
async fn snapshots_and_clones_from_the_command_line() {
    let stage = Stage::new().await;
    let hv = async |words: &[&str]| stage.home.hv(words).await;
    hv(&["snapshot", "one", "take", "clean", "--note", "as installed"]).await.done();
    let list = hv(&["snapshot", "one", "--json"]).await.json();
    assert_eq!(list["snapshots"][0]["note"], "as installed");
    assert_eq!(list["current"], list["snapshots"][0]["id"]);
    hv(&["snapshot", "one", "edit", "clean", "--name", "new"]).await.done();
    let text = hv(&["snapshot", "one"]).await.out;
    assert!(text.contains("new") && text.contains("  (now)"), "{text}");
    hv(&["snapshot", "one", "restore", "new"]).await.done();
    hv(&["clone", "one", "two"]).await.done();
    assert_eq!(hv(&["clone", "one", "three", "--linked", "--json"]).await.error_code(), "clone-not-linked");
    assert_eq!(hv(&["clone", "one", "three", "--linked", "--snapshot", "new"]).await.code, 2);
    hv(&["snapshot", "one", "delete", "new"]).await.done();
    hv(&["clone", "one", "three", "--linked"]).await.done();
    let refused = hv(&["snapshot", "one", "restore", "new", "--json"]).await;
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (1, &"snapshot-not-found".into()));
}
