//! The core is killed at every moment of everything that it does to a guest, and at random ones. Whatever the
//! moment: no guest is lost, none runs twice, every definition can be read, nothing is left lying about, and what
//! the next core says is true.

mod writes;

use crate::{eventually, installed, shown};
use futures_util::StreamExt;
use hv_tests::{Home, PciSlots, Process, program, until, within};
use inotify::{EventMask, Inotify, WatchMask};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What is done to the guest “one”, or to make and delete another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Create,
    Delete,
    Clone,
    Set,
    SetLive,
    Start,
    ForceOff,
    Pause,
    Resume,
    Save,
    Restore,
    Discard,
    Take,
    TakeRunning,
    TakeSaved,
    PutBack,
    PutBackRunning,
    Forget,
    ForgetSaved,
    AddDisk,
    AddNic,
    AddUsb,
    RemoveUsb,
    AddPci,
    RemovePci,
    StartDisposable,
}

const DEEDS: [Deed; 26] = [
    Deed::Create,
    Deed::Delete,
    Deed::Clone,
    Deed::Set,
    Deed::SetLive,
    Deed::Start,
    Deed::ForceOff,
    Deed::Pause,
    Deed::Resume,
    Deed::Save,
    Deed::Restore,
    Deed::Discard,
    Deed::Take,
    Deed::TakeRunning,
    Deed::TakeSaved,
    Deed::PutBack,
    Deed::PutBackRunning,
    Deed::Forget,
    Deed::ForgetSaved,
    Deed::AddDisk,
    Deed::AddNic,
    Deed::AddUsb,
    Deed::RemoveUsb,
    Deed::AddPci,
    Deed::RemovePci,
    Deed::StartDisposable,
];

/// Devices of the host's, of which only Linux tells.
const USB: &str = "0781:5567@3-1";
const PCI: &str = "0000:01:00.0";

impl Deed {
    /// What the guest has to be before.
    fn state(self) -> &'static str {
        match self {
            Self::SetLive
            | Self::ForceOff
            | Self::Pause
            | Self::Save
            | Self::TakeRunning
            | Self::AddUsb
            | Self::RemoveUsb
            | Self::AddPci => "running",
            Self::Resume => "paused",
            Self::Restore | Self::Discard | Self::TakeSaved | Self::ForgetSaved => "saved",
            _ => "off",
        }
    }

    /// As it is said to `hv`.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Create => &["create", "two", "--empty", "--disk", "1MiB", "--memory", "32MiB"],
            Self::Delete => &["delete", "two", "--with-disks"],
            Self::Clone => &["clone", "one", "two"],
            Self::Set => &["set", "one", "cpus=2", "memory=80MiB"],
            Self::SetLive => &["set", "one", "cpus=2", "shutdown-wait=60"],
            Self::Start => &["start", "one"],
            Self::ForceOff | Self::Discard => &["force-off", "one"],
            Self::Pause => &["pause", "one"],
            Self::Resume => &["resume", "one"],
            Self::Save => &["save", "one"],
            Self::Restore => &["restore", "one"],
            Self::Take | Self::TakeRunning | Self::TakeSaved => &["snapshot", "one", "take", "new"],
            Self::PutBack => &["snapshot", "one", "restore", "off"],
            Self::PutBackRunning => &["snapshot", "one", "restore", "running"],
            Self::Forget | Self::ForgetSaved => &["snapshot", "one", "delete", "new"],
            Self::AddDisk => &["disk", "one", "add", "--size", "1MiB"],
            Self::AddNic => &["nic", "one", "add"],
            Self::AddUsb => &["usb", "one", "add", USB],
            Self::RemoveUsb => &["usb", "one", "remove", USB],
            Self::AddPci => &["pci", "one", "add", PCI],
            Self::RemovePci => &["pci", "one", "remove", PCI],
            Self::StartDisposable => &["start", "one", "--disposable"],
        }
    }
}

/// When the core is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// When so many things have happened to its files since the deed began.
    Event(usize),
    /// So long after the deed began.
    After(Duration),
}

/// Watches all folders below some.
struct Watch {
    stream: inotify::EventStream<Vec<u8>>,
    folders: HashMap<inotify::WatchDescriptor, PathBuf>,
}

impl Watch {
    fn new(roots: &[PathBuf]) -> Self {
        let inotify = Inotify::init().expect("inotify");
        let stream = inotify.into_event_stream(vec![0; 16 << 10]).expect("inotify");
        let mut this = Self { stream, folders: HashMap::new() };
        for root in roots {
            this.add(root);
        }
        this
    }

    fn add(&mut self, folder: &Path) {
        let mask = WatchMask::CREATE | WatchMask::MOVE | WatchMask::DELETE | WatchMask::CLOSE_WRITE;
        // One that has gone meanwhile has nothing to tell.
        let Ok(watch) = self.stream.watches().add(folder, mask) else { return };
        self.folders.insert(watch, folder.to_owned());
        let within = std::fs::read_dir(folder).into_iter().flatten().flatten();
        within.filter(|entry| entry.path().is_dir()).for_each(|entry| self.add(&entry.path()));
    }

    /// Waits until something happens.
    async fn next(&mut self) {
        let event = self.stream.next().await.expect("inotify").expect("an event");
        let arrived = event.mask.intersects(EventMask::CREATE | EventMask::MOVED_TO);
        if arrived
            && event.mask.contains(EventMask::ISDIR)
            && let (Some(folder), Some(name)) = (self.folders.get(&event.wd).cloned(), event.name)
        {
            self.add(&folder.join(name));
        }
    }
}

/// A home with the guest “one”, which is made what a deed needs again and again.
struct Stage {
    home: Home,
}

impl Stage {
    async fn new() -> Self {
        let home = Home::new();
        PciSlots::of(&home).put_ready(PCI, "8086:10d3", 1);
        let core = home.core().await;
        let words = ["create", "one", "--empty", "--disk", "1MiB", "--memory", "64MiB", "--cpus", "1"];
        home.hv(words.iter().chain(&["--max-cpus", "4"])).await.done();
        home.hv(["snapshot", "one", "take", "off"]).await.done();
        home.hv(["start", "one"]).await.done();
        home.hv(["snapshot", "one", "take", "running"]).await.done();
        core.kill().await;
        Self { home }
    }

    /// Makes everything what it has to be before a deed, through the core that runs.
    async fn make_ready(&self, deed: Deed) {
        let hv = async |words: &[&str]| drop(self.home.hv(words).await);
        if shown(&self.home, "one").await["state"] != "off" {
            hv(&["force-off", "one"]).await;
        }
        // Also where it was only in part what it was.
        self.home.hv(["snapshot", "one", "restore", "off"]).await.done();
        self.remove_added_disks().await;
        if matches!(deed, Deed::Forget | Deed::ForgetSaved) {
            hv(&["snapshot", "one", "take", "new"]).await;
        } else {
            hv(&["snapshot", "one", "delete", "new"]).await;
        }
        if deed == Deed::Delete {
            hv(Deed::Create.words()).await;
        } else {
            hv(Deed::Delete.words()).await;
        }
        match deed.state() {
            "running" => hv(&["start", "one"]).await,
            "paused" => hv(&["start", "one", "--paused"]).await,
            "saved" => {
                hv(&["start", "one"]).await;
                hv(&["save", "one"]).await;
            }
            _ => {}
        }
        match deed {
            Deed::RemoveUsb => hv(Deed::AddUsb.words()).await,
            Deed::RemovePci => hv(Deed::AddPci.words()).await,
            _ => {}
        }
        let guest = shown(&self.home, "one").await;
        let devices = |kind: &str| guest[kind].as_array().map_or(0, Vec::len);
        let expected = (usize::from(deed == Deed::RemoveUsb), usize::from(deed == Deed::RemovePci));
        assert_eq!((devices("usb"), devices("pci")), expected, "before {deed:?}");
        assert_eq!(guest["state"], deed.state(), "before {deed:?}");
    }

    /// Files that were added stay when the guest is put back to before that.
    async fn remove_added_disks(&self) {
        let guest = shown(&self.home, "one").await;
        let folder = Path::new(guest["paths"]["folder"].as_str().expect("a path")).to_owned();
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let name = entry.file_name().into_string().expect("text");
            if name.starts_with("disk") && name != "disk0.qcow2" {
                std::fs::remove_file(entry.path()).expect("a file");
            }
        }
    }

    /// Does it and kills the core at this moment; false where it was done before that came.
    async fn interrupt(&self, deed: Deed, moment: Moment) -> bool {
        let core = self.home.core().await;
        self.make_ready(deed).await;
        let mut watch = Watch::new(&[self.home.guests(), self.home.path("run"), self.home.path("state")]);
        let mut work = self.home.command(program("hv"));
        let mut work =
            work.args(deed.words()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("hv");
        let comes = async {
            match moment {
                Moment::Event(count) => {
                    for _ in 0..count {
                        watch.next().await;
                    }
                }
                Moment::After(time) => tokio::time::sleep(time).await,
            }
        };
        let came = tokio::select! {
            biased;
            () = comes => true,
            ended = within("the deed", work.wait()) => {
                ended.expect("a status");
                false
            }
        };
        core.kill().await;
        within("its end", work.wait()).await.expect("a status");
        // `hv` starts another core where it finds none.
        until("the end of every core", || {
            self.home.cores().iter().for_each(Process::kill);
            self.home.cores().is_empty().then_some(())
        })
        .await;
        came
    }

    /// Looks at everything through the next core.
    async fn check(&self, what: &str) {
        let core = self.home.core().await;
        let guests = self.home.hv(["list", "--json"]).await.done();
        let guests: Vec<Value> =
            guests.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(guests.iter().all(|guest| guest["state"] != "unavailable"), "{what}: {guests:?}");
        let names: Vec<_> = guests.iter().filter_map(|guest| guest["name"].as_str()).collect();
        assert!(names.contains(&"one"), "{what}: {names:?}");
        assert!(names.iter().all(|name| ["one", "two"].contains(name)), "{what}: {names:?}");

        // A core that goes on with what was interrupted comes to an end with it.
        let guest = eventually("a state that lasts and is true", async || {
            let guest = shown(&self.home, "one").await;
            let state = guest["state"].as_str().expect("text").to_owned();
            let folder = PathBuf::from(guest["paths"]["folder"].as_str().expect("a path"));
            let lasts = ["off", "crashed", "running", "paused", "saved"].contains(&&*state);
            let is_disposable = guest["disposable"] == true;
            let fits = folder.join("saved").exists() == (state == "saved")
                && folder.join("disposable").exists() == is_disposable;
            (lasts && fits).then_some(guest)
        })
        .await;
        // A guest is saved, or runs, or does neither: never two of them, and never twice.
        let runs = ["running", "paused"].contains(&guest["state"].as_str().expect("text"));
        let engines = usize::from(runs);
        until(&format!("{engines} engines after {what}"), || {
            (self.home.engines().len() == engines).then_some(())
        })
        .await;
        let folder = PathBuf::from(guest["paths"]["folder"].as_str().expect("a path"));
        let pid = guest["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        assert_eq!(pid, self.home.engines().first().map(Process::pid), "{what}");

        // What was interrupted is gone or complete.
        let snapshots = guest["snapshots"].as_array().expect("a list").len();
        assert!(snapshots >= 2, "{what}: {guest}");
        let disk = folder.join("disk0.qcow2");
        eventually(&format!("nothing left over after {what}"), async || {
            let names = |folder: &Path| -> Vec<String> {
                let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
                entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
            };
            let kept = Command::new("qemu-img").args(["info", "-U", "--output=json"]).arg(&disk).output();
            let kept: Value = serde_json::from_slice(&kept.expect("qemu-img").stdout).ok()?;
            let kept_apart = names(&folder.join("snapshots"));
            let whole = names(&folder).iter().all(|name| !name.starts_with('.'))
                && names(&self.home.guests()).iter().all(|name| !name.starts_with('.'))
                && kept_apart.iter().filter(|name| !name.starts_with("index.toml")).count() == snapshots
                && kept["snapshots"].as_array().map_or(0, Vec::len) == snapshots;
            whole.then_some(())
        })
        .await;
        // A saved state is one that the guest can go on from.
        if guest["state"] == "saved" {
            self.home.hv(["start", "one"]).await.done();
        }
        core.kill().await;
    }

    async fn end(self) {
        let _core = self.home.core().await;
        drop(self.home.hv(["force-off", "one"]).await);
        self.home.no_engine().await;
    }
}

fn can_run() -> bool {
    installed("qemu-system-x86", &["/usr/share/seabios/bios-256k.bin"]).is_some()
}

#[tokio::test]
async fn a_core_that_is_killed_at_any_effect_loses_nothing() {
    if !can_run() {
        return;
    }
    let stage = Stage::new().await;
    for deed in DEEDS {
        let mut event = 1;
        // More than any of them does.
        while event < 60 && stage.interrupt(deed, Moment::Event(event)).await {
            stage.check(&format!("{deed:?} and {event} events")).await;
            event += 1;
        }
        stage.check(&format!("{deed:?}")).await;
    }
    stage.end().await;
}

#[tokio::test]
async fn a_core_that_is_killed_at_two_hundred_random_moments_loses_nothing() {
    if !can_run() {
        return;
    }
    let stage = Stage::new().await;
    // The same ones each time, so that what fails can be found: a generator of Knuth's.
    let mut seed = 1_u64;
    let mut random = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % most
    };
    for _ in 0..200 {
        let deed = DEEDS[random(DEEDS.len() as u64) as usize];
        let time = Duration::from_micros(random(250_000));
        stage.interrupt(deed, Moment::After(time)).await;
        stage.check(&format!("{deed:?} and {time:?}")).await;
    }
    stage.end().await;
}
