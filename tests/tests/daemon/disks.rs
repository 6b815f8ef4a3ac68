//! Disks that come and go, and who may have them.

use crate::{bare, connected, make, shown};
use hv_api::client::{Connection, settle};
use hv_api::{
    Applied, ByteSize, Core, DiskBus, DiskCache, DiskSettings, Error, GuestState, HostUse, NewDisk, NotNow,
};
use hv_core::engine::{Alteration, EngineError, EngineEvent};
use hv_tests::fake_engine::{Answer, Asked};
use hv_tests::{Home, Script, skip, until};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A raw image with a boot sector.
fn image(home: &Home, name: &str) -> String {
    let mut content = vec![0; 1 << 20];
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    home.file(name, content)
}

fn existing(path: &str) -> NewDisk {
    NewDisk { path: Some(path.to_owned()), ..NewDisk::default() }
}

async fn names(core: &mut Connection) -> Vec<String> {
    shown(core, "one").await.disks.into_iter().map(|disk| disk.name).collect()
}

#[tokio::test]
async fn a_running_guest_gets_disks_and_loses_them() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    let guest = shown(&mut core, "one").await;
    let all_but_sata = [DiskBus::Virtio, DiskBus::Nvme, DiskBus::Scsi, DiskBus::Usb];
    assert_eq!(guest.live_disk_buses, all_but_sata);
    let first = settle(core.add_disk("one", &existing(&image(&home, "a, b.img"))).await).unwrap();
    assert_eq!((first.disk.as_str(), first.applied, first.reason), ("disk0", Applied::Now, None));
    let usb =
        NewDisk { bus: Some(DiskBus::Usb), serial: Some("a,b".into()), ..existing(&image(&home, "usb")) };
    assert_eq!(settle(core.add_disk("one", &usb).await).unwrap().disk, "disk1");
    let told: Vec<_> = machine.alterations();
    let [Alteration::AddDisk(virtio), Alteration::AddDisk(usb)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (virtio.slot, virtio.bus, virtio.path.clone()),
        (Some(0), DiskBus::Virtio, home.path("a, b.img"))
    );
    assert_eq!((usb.slot, usb.serial.as_deref()), (None, Some("a,b")));

    // What the machine can't get while it runs it gets at its next start.
    let sata = NewDisk { bus: Some(DiskBus::Sata), ..existing(&image(&home, "sata")) };
    let waits = settle(core.add_disk("one", &sata).await).unwrap();
    assert_eq!((waits.applied, waits.reason), (Applied::AtNextStart, Some(NotNow::Fixed)));
    let guest = shown(&mut core, "one").await;
    let pending: Vec<_> =
        guest.pending.iter().map(|change| (change.key.as_str(), change.now.as_str())).collect();
    assert_eq!(pending, [("disk2", "none")]);
    assert_eq!(guest.disks.iter().map(|disk| disk.removable).collect::<Vec<_>>(), [true, true, false]);

    // What goes takes neither the others' names nor any file with it.
    let gone = settle(core.remove_disk("one", "disk0", None).await).unwrap();
    assert_eq!((gone.applied, gone.deleted), (Applied::Now, false));
    assert_eq!(machine.alterations().last(), Some(&Alteration::RemoveDisk("disk0".parse().unwrap())));
    assert_eq!(names(&mut core).await, ["disk1", "disk2"]);
    assert!(home.path("a, b.img").exists());
    // One that the machine never had just goes.
    let asked = machine.alterations().len();
    assert_eq!(settle(core.remove_disk("one", "disk2", None).await).unwrap().applied, Applied::Now);
    assert_eq!(machine.alterations().len(), asked);
    let guest = shown(&mut core, "one").await;
    assert_eq!((guest.pending, guest.disks.len()), (Vec::new(), 1));
    // The name that is free is the next one's.
    let again = settle(core.add_disk("one", &existing(&home.text("sata"))).await).unwrap();
    assert_eq!(again.disk, "disk0");
}

/// A guest that has a disk mounted, or has no system yet, lets go of nothing.
#[tokio::test]
async fn a_disk_that_a_guest_does_not_let_go_of_stays_until_it_does() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    settle(core.add_disk("one", &existing(&image(&home, "a"))).await).unwrap();
    engine.answer(Asked::Alter, Answer::Fail(EngineError::GuestRefused));
    let kept = settle(core.remove_disk("one", "disk0", None).await).unwrap();
    assert_eq!((kept.applied, kept.reason), (Applied::AtNextStart, Some(NotNow::GuestRefused)));
    let guest = shown(&mut core, "one").await;
    assert_eq!((guest.disks.len(), guest.pending.len()), (0, 1));
    engine.obey();
    // Until then it is no other guest's, and its name and place are not given away.
    make(&mut core, &bare("two")).await.unwrap();
    settle(core.add_disk("two", &existing(&home.text("a"))).await).unwrap();
    let refused = settle(core.start("two", None).await);
    assert!(format!("{refused:?}").contains("DiskInUse"), "{refused:?}");
    assert_eq!(settle(core.add_disk("one", &existing(&image(&home, "b"))).await).unwrap().disk, "disk1");

    machine.say(EngineEvent::DiskGone("disk0".parse().unwrap()));
    events
        .until("nothing pending", |library| {
            library.guests().any(|guest| guest.name == "one" && guest.pending.is_empty())
        })
        .await;
    core.start("two", None).await.unwrap().unwrap();
    // Of a disk that the guest is to have, such a word changes nothing.
    machine.say(EngineEvent::DiskGone("disk1".parse().unwrap()));
    core.pause("one").await.unwrap().unwrap();
    assert_eq!(names(&mut core).await, ["disk1"]);
}

#[tokio::test]
async fn a_disk_that_the_engine_refuses_is_not_the_guests() {
    running_guest!(bare("one"); home, engine, core, _events, _machine);
    let path = image(&home, "a");
    engine.answer(Asked::Alter, Answer::Fail(EngineError::Refused { detail: "no".into() }));
    let refused = core.add_disk("one", &existing(&path)).await.unwrap();
    assert!(matches!(refused, Err(Error::EngineRefused { .. })), "{refused:?}");
    assert_eq!(names(&mut core).await, Vec::<String>::new());
    engine.obey();
    make(&mut core, &bare("two")).await.unwrap();
    settle(core.add_disk("two", &existing(&path)).await).unwrap();
    core.start("two", None).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_disk_is_is_kept_and_what_it_can_not_be_is_refused() {
    running_guest!(bare("one"); home, engine, core, _events, machine);
    settle(core.add_disk("one", &existing(&image(&home, "a"))).await).unwrap();
    let asked = machine.alterations().len();
    let set = DiskSettings {
        cache: Some(DiskCache::Unsafe),
        serial: Some("S-1".into()),
        shareable: Some(true),
        ..DiskSettings::default()
    };
    let results = settle(core.set_disk("one", "disk0", &set).await).unwrap().settings;
    assert!(results.iter().all(|result| result.reason == Some(NotNow::Fixed)), "{results:?}");
    assert_eq!(machine.alterations().len(), asked);
    let guest = shown(&mut core, "one").await;
    let keys: Vec<_> = guest.pending.iter().map(|change| change.key.as_str()).collect();
    assert_eq!(keys, ["disk0.cache", "disk0.serial", "disk0.shareable"]);
    assert_eq!((guest.disks[0].cache, guest.disks[0].shareable), (DiskCache::Unsafe, true));
    for (wrong, code) in [
        (DiskSettings { serial: Some("a\nb".into()), ..DiskSettings::default() }, "SerialInvalid"),
        (
            DiskSettings { bus: Some(DiskBus::Sata), read_only: Some(true), ..DiskSettings::default() },
            "OptionsConflict",
        ),
    ] {
        let refused = core.set_disk("one", "disk0", &wrong).await.unwrap();
        assert!(format!("{refused:?}").contains(code), "{refused:?}");
    }
    let none = core.set_disk("one", "disk7", &set).await.unwrap();
    assert!(matches!(none, Err(Error::DiskNotFound { .. })));
    assert_eq!(shown(&mut core, "one").await.disks, guest.disks);
}

/// Nobody's file is deleted but the guest's own, and only when nothing has it any more.
#[tokio::test]
async fn a_file_is_deleted_only_where_it_is_asked_for_and_the_guests_own() {
    let home = Home::with_fake_qemu(&Script::obedient());
    if home.run(home.command("qemu-img").arg("--version")).await.code != 0 {
        return skip("qemu-img is not installed");
    }
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    make(&mut core, &bare("one")).await.unwrap();
    let new = NewDisk { size: Some(ByteSize::mib(8)), ..NewDisk::default() };
    assert_eq!(settle(core.add_disk("one", &new).await).unwrap().disk, "disk0");
    assert_eq!(settle(core.add_disk("one", &new).await).unwrap().disk, "disk1");
    let own: Vec<PathBuf> =
        shown(&mut core, "one").await.disks.iter().map(|disk| disk.path.clone().into()).collect();
    settle(core.add_disk("one", &existing(&image(&home, "mine"))).await).unwrap();
    let refused = core.remove_disk("one", "disk2", Some(true)).await.unwrap().unwrap_err();
    assert_eq!(refused, Error::DiskNotOwn { disk: "disk2".into(), path: home.text("mine") });
    settle(core.remove_disk("one", "disk2", None).await).unwrap();
    settle(core.remove_disk("one", "disk0", None).await).unwrap();
    assert!(home.path("mine").exists() && own[0].exists());
    // The file of the disk that went is in nobody's way.
    settle(core.add_disk("one", &new).await).unwrap();
    assert_eq!(names(&mut core).await, ["disk1", "disk0"]);
    let replaced = shown(&mut core, "one").await.disks[1].path.clone();
    assert!(own[0].exists() && own[0] != Path::new(&replaced));

    // While a machine has it, it stays: this engine's disks have no slots and can't go.
    let deleted = settle(core.remove_disk("one", "disk1", Some(true)).await).unwrap();
    assert_eq!((deleted.deleted, own[1].exists()), (true, false));
}

#[tokio::test]
async fn a_disk_that_somebody_has_is_refused_with_their_name() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    for name in ["one", "two"] {
        make(&mut core, &bare(name)).await.unwrap();
    }
    let path = image(&home, "a.img");
    symlink(&path, home.path("link")).unwrap();
    settle(core.add_disk("one", &existing(&path)).await).unwrap();
    for guest in ["one", "two"] {
        let refused = core.add_disk(guest, &existing(&home.text("link"))).await.unwrap().unwrap_err();
        assert_eq!(refused, Error::DiskInUse { path: home.text("link"), holder: "one".into() });
    }
    // One that both say is shareable both have, also while they run.
    let shareable = DiskSettings { shareable: Some(true), ..DiskSettings::default() };
    settle(core.set_disk("one", "disk0", &shareable).await).unwrap();
    let shared = NewDisk { shareable: Some(true), ..existing(&path) };
    settle(core.add_disk("two", &shared).await).unwrap();
    core.start("one", None).await.unwrap().unwrap();
    core.start("two", None).await.unwrap().unwrap();
    core.force_off("two").await.unwrap().unwrap();
    let alone = DiskSettings { shareable: Some(false), ..DiskSettings::default() };
    let refused = core.set_disk("two", "disk0", &alone).await.unwrap().unwrap_err();
    assert_eq!(refused, Error::DiskInUse { path, holder: "one".into() });
}

#[tokio::test]
async fn what_another_disk_builds_on_is_not_written() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let base = image(&home, "base.img");
    let overlay = home.text("overlay.qcow2");
    let mut tool = home.command("qemu-img");
    tool.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &base, &overlay]);
    if home.run(&mut tool).await.code != 0 {
        return skip("qemu-img is not installed");
    }
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    for name in ["one", "two"] {
        make(&mut core, &bare(name)).await.unwrap();
    }
    // An image from somewhere could name any file as the one it builds on: it is not taken until somebody agrees.
    let refused = core.add_disk("one", &existing(&overlay)).await.unwrap();
    let files = vec![fs::canonicalize(&base).unwrap().display().to_string()];
    let expected = Error::BuildsOnOthers { path: overlay.clone(), files: files.clone() };
    assert_eq!(refused, Err(expected));
    let agreed = NewDisk { backing: Some(files), ..existing(&overlay) };
    settle(core.add_disk("one", &agreed).await).unwrap();

    let refused = core.add_disk("two", &existing(&base)).await.unwrap().unwrap_err();
    assert_eq!(refused, Error::DiskIsBacking { path: base.clone(), holder: "one".into() });
    let read = NewDisk { read_only: Some(true), ..existing(&base) };
    settle(core.add_disk("two", &read).await).unwrap();
    core.start("one", None).await.unwrap().unwrap();
    core.start("two", None).await.unwrap().unwrap();
    core.force_off("two").await.unwrap().unwrap();
    let write = DiskSettings { read_only: Some(false), ..DiskSettings::default() };
    let refused = core.set_disk("two", "disk0", &write).await.unwrap().unwrap_err();
    assert_eq!(refused, Error::DiskIsBacking { path: base, holder: "one".into() });
}

/// Where this computer itself has a loop device or a file in swap can be had by an administrator only; so a file
/// system that is mounted in the core's own view has to do.
#[tokio::test]
async fn a_disk_that_this_computer_has_is_refused() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    make(&mut core, &bare("one")).await.unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let device = mounts.lines().filter_map(|line| {
        let (_, rest) = line.split_once(" - ")?;
        let source = rest.split(' ').nth(1)?;
        source.starts_with("/dev/").then(|| source.to_owned())
    });
    let mut readable = device.filter(|device| fs::File::open(device).is_ok());
    let Some(device) = readable.next() else { return skip("no mounted device can be read here") };
    let disk = NewDisk { format: Some("raw".into()), read_only: Some(true), ..existing(&device) };
    let refused = core.add_disk("one", &disk).await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::DiskInUseByHost { way: HostUse::Mounted, .. }), "{refused:?}");
}

#[tokio::test]
async fn an_image_of_another_program_is_read_or_copied() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let vdi = home.text("a, b.vdi");
    let mut tool = home.command("qemu-img");
    tool.args(["create", "-q", "-f", "vdi", &vdi, "4M"]);
    if home.run(&mut tool).await.code != 0 {
        return skip("qemu-img is not installed");
    }
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    make(&mut core, &bare("one")).await.unwrap();
    let refused = core.add_disk("one", &existing(&vdi)).await.unwrap().unwrap_err();
    assert_eq!(refused, Error::FormatOnlyRead { path: vdi.clone(), format: "vdi".into() });
    let read = NewDisk { read_only: Some(true), ..existing(&vdi) };
    settle(core.add_disk("one", &read).await).unwrap();
    let disks = shown(&mut core, "one").await.disks;
    assert_eq!((disks[0].format.as_str(), disks[0].size), ("vdi", Some(ByteSize::mib(4))));

    let copied = home.hv(["disk", "one", "add", "--path", &vdi, "--copy", "--bus", "scsi"]).await.done();
    assert!(copied.contains("disk1") && copied.contains("scsi"), "{copied}");
    let disks = shown(&mut core, "one").await.disks;
    assert_eq!(
        (disks[1].format.as_str(), disks[1].size, disks[1].own),
        ("qcow2", Some(ByteSize::mib(4)), true)
    );
    let before = home.tree();
    let missing = home.hv(["disk", "one", "add", "--path", &home.text("none"), "--copy", "--json"]).await;
    assert_eq!(missing.code, 1);
    assert_eq!(home.tree(), before);
}

#[tokio::test]
async fn disks_on_the_command_line() {
    running_guest!(bare("one"); home, _engine, core, _events, _machine);
    let path = image(&home, "a");
    let said = home.hv(["disk", "one", "add", "--path", &path]).await.done();
    assert_eq!(said, "disk0: added now\n");
    let said = home.hv(["disk", "one", "set", "--disk", "disk0", "--cache", "none"]).await.done();
    assert_eq!(said, "cache: applied at next start (the machine has it from its start)\n");
    let reply = home.hv(["disk", "one", "remove", "--disk", "disk0", "--json"]).await.json();
    assert_eq!(reply, serde_json::json!({"disk": "disk0", "applied": "now", "deleted": false}));
    let none = home.hv(["disk", "one", "remove", "--disk", "disk0", "--json"]).await;
    assert_eq!(none.error_code(), "disk-not-found");
    assert_eq!(names(&mut core).await, Vec::<String>::new());
    let many = [(); 14].map(|()| ());
    for (number, ()) in many.iter().enumerate() {
        let path = image(&home, &format!("many{number}"));
        settle(core.add_disk("one", &existing(&path)).await).unwrap();
    }
    let guest = shown(&mut core, "one").await;
    // Eight places for devices that come and go, and then what there is room for at the next start.
    let now = guest.disks.iter().filter(|disk| disk.removable).count();
    assert_eq!((now, guest.pending.len(), guest.live_disk_buses), (8, 6, vec![DiskBus::Usb]));
    let one_more = core.add_disk("one", &existing(&path)).await.unwrap().unwrap_err();
    assert_eq!(one_more, Error::TooManyDisks { guest: "one".into(), maximum: 14 });
    assert_eq!(shown(&mut core, "one").await.state, GuestState::Running);
}

/// How much room there is is told while a guest waits for it; where there is some, it goes on by itself.
#[tokio::test]
async fn a_guest_that_waits_for_room_goes_on_by_itself_when_there_is_some() {
    running_guest!(bare("one"); home, _engine, core, events, machine);
    settle(core.add_disk("one", &existing(&image(&home, "a"))).await).unwrap();
    machine.say(EngineEvent::DiskFailed { full: true, detail: "disk0: write: no".into() });
    assert!(!machine.runs());
    until("the machine to run again", || machine.runs().then_some(())).await;
    let running = events.state("one", GuestState::Running).await;
    assert_eq!((running.room, running.reason), (None, None));
    // One that stops again at once had no room after all, and waits until there is more.
    machine.say(EngineEvent::DiskFailed { full: true, detail: "disk0: write: no".into() });
    let waits = |library: &hv_api::Library| {
        library.guests().any(|guest| guest.state == GuestState::Paused && guest.room.is_some())
    };
    events.until("the room again", waits).await;
    assert_eq!(shown(&mut core, "one").await.state, GuestState::Paused);
    core.resume("one").await.unwrap().unwrap();
    events.state("one", GuestState::Running).await;
    // Another error is nobody's to mend but a person's.
    machine.say(EngineEvent::DiskFailed { full: false, detail: "disk0: write: no".into() });
    let paused = events.state("one", GuestState::Paused).await;
    assert_eq!(paused.room, None);
}

#[tokio::test]
async fn a_disk_that_another_guest_has_as_well_is_not_deleted_with_a_guest() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    machine.say(EngineEvent::Exited { detail: "killed".into() });
    events.state("one", GuestState::Crashed).await;
    let new = NewDisk { size: Some(ByteSize::mib(4)), ..NewDisk::default() };
    settle(core.add_disk("one", &new).await).unwrap();
    let path = shown(&mut core, "one").await.disks[0].path.clone();
    let only_read = DiskSettings { read_only: Some(true), ..DiskSettings::default() };
    settle(core.set_disk("one", "disk0", &only_read).await).unwrap();
    make(&mut core, &bare("two")).await.unwrap();
    let shared = NewDisk { read_only: Some(true), ..existing(&path) };
    settle(core.add_disk("two", &shared).await).unwrap();
    let refused = core.delete("one", Some(true)).await.unwrap().unwrap_err();
    assert_eq!(refused, Error::DiskInUse { path: path.clone(), holder: "two".into() });
    assert!(Path::new(&path).exists() && engine.running() == 0);
    // It may go without, and with it when nobody else has it.
    settle(core.remove_disk("two", "disk0", None).await).unwrap();
    settle(core.delete("one", Some(true)).await).unwrap();
    assert!(!Path::new(&path).exists() && home.guests().exists());
}
