//! Physical disks and their partitions as guests' disks: who may have one, and what is said where that can't be.

use crate::{bare, connected, make, shown};
use hv_api::client::settle;
use hv_api::{
    Applied, ByteSize, Core, Error, FileFault, GuestState, HostUse, MediumKind, NewDisk, NewGuest, NotNow,
};
use hv_tests::{Home, PhysicalDisk, Script, skip};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

fn of(path: &Path, partitions: &[u32]) -> NewDisk {
    let partitions = Some(partitions.to_vec()).filter(|numbers| !numbers.is_empty());
    NewDisk { path: Some(path.display().to_string()), partitions, ..NewDisk::default() }
}

fn guest(name: &str, disk: NewDisk) -> NewGuest {
    NewGuest { no_disk: None, disks: Some(vec![disk]), ..bare(name) }
}

/// A disk with three partitions of 1 MiB.
fn physical(home: &Home) -> Option<PhysicalDisk> {
    PhysicalDisk::new(home, &vec![0; 8 << 20], &[(1, 2048, 2048), (2, 4096, 2048), (3, 8192, 2048)])
}

#[tokio::test]
async fn partitions_of_a_disk_are_each_one_guests() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let Some(disk) = physical(&home) else { return };
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    // A partition is that partition of its disk, however it is named.
    make(&mut core, &guest("one", of(&disk.partition(2), &[]))).await.unwrap();
    let had = shown(&mut core, "one").await.disks.remove(0);
    assert_eq!((had.path.as_str(), had.partitions), (disk.device().to_str().unwrap(), vec![2]));
    assert_eq!((had.size, had.own), (Some(ByteSize::mib(1)), false));
    let in_use = |path: &Path| Error::DiskInUse { path: path.display().to_string(), holder: "one".into() };
    for (path, partitions) in [(disk.partition(2), vec![]), (disk.device().into(), vec![1, 2])] {
        let refused = make(&mut core, &guest("two", of(&path, &partitions))).await.unwrap_err();
        assert_eq!(refused, in_use(disk.device()));
    }
    let refused = make(&mut core, &guest("two", of(disk.device(), &[]))).await.unwrap_err();
    assert_eq!(refused, in_use(disk.device()));
    // The others are free.
    make(&mut core, &guest("two", of(disk.device(), &[1, 3]))).await.unwrap();
    for name in ["one", "two"] {
        settle(core.start(name, None).await).unwrap();
    }
    // Parts of a physical disk are opened when a machine starts.
    make(&mut core, &bare("three")).await.unwrap();
    settle(core.start("three", None).await).unwrap();
    settle(core.force_off("two").await).unwrap();
    let folder = shown(&mut core, "two").await.paths.folder;
    let files = || fs::read_dir(&folder).unwrap().count();
    // The definition, the text that names the pieces, and what lies before, between and behind the partitions.
    assert_eq!(files(), 5);
    settle(core.remove_disk("two", "disk0", None).await).unwrap();
    assert_eq!(files(), 1);
    let added = settle(core.add_disk("three", &of(disk.device(), &[3])).await).unwrap();
    assert_eq!((added.applied, added.reason), (Applied::AtNextStart, Some(NotNow::EngineCannot)));
    let refused = core.save("one").await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::DiskNotSavable { .. }), "{refused:?}");
    for name in ["one", "three"] {
        settle(core.force_off(name).await).unwrap();
    }
    // A disk that is gone is said, and the definition stays.
    let device = disk.device().display().to_string();
    drop(disk);
    let refused = core.start("one", None).await.unwrap().unwrap_err();
    assert!(matches!(&refused, Error::FileUnusable { path, .. } if *path == device), "{refused:?}");
    assert_eq!(shown(&mut core, "one").await.disks[0].partitions, [2]);
}

#[tokio::test]
async fn what_is_no_partition_is_refused() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let Some(disk) = physical(&home) else { return };
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let file = home.file("a file", vec![0; 4096]);
    for (path, partitions) in [
        (file.as_ref(), vec![1]),
        (&*disk.partition(1), vec![1]),
        (disk.device(), vec![0, 1]),
        (disk.device(), vec![1, 1]),
        (disk.device(), vec![4]),
        (disk.device(), (1..=33).collect()),
    ] {
        let refused = make(&mut core, &guest("one", of(path, &partitions))).await.unwrap_err();
        let is_said = match &refused {
            Error::OptionNeeds { option, .. } => option == "partitions",
            Error::FileUnusable { fault, .. } => *fault == FileFault::WrongFormat,
            _ => false,
        };
        assert!(is_said, "{path:?} {partitions:?}: {refused:?}");
    }
    let copied = NewDisk { copy: Some(true), ..of(&disk.partition(1), &[]) };
    let refused = make(&mut core, &guest("one", copied)).await.unwrap_err();
    assert_eq!(refused, Error::OptionsConflict { first: "copy".into(), second: "partitions".into() });
    assert!(settle(core.list().await).unwrap().guests.is_empty());
}

#[tokio::test]
async fn a_disk_that_a_program_has_for_itself_is_refused_and_its_name_is_said() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let Some(disk) = physical(&home) else { return };
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    make(&mut core, &guest("one", of(disk.device(), &[2]))).await.unwrap();
    make(&mut core, &guest("three", of(disk.device(), &[3]))).await.unwrap();
    let exclusively = rustix::fs::OFlags::EXCL.bits().cast_signed();
    let alone = |number| OpenOptions::new().read(true).custom_flags(exclusively).open(disk.partition(number));
    let holder = alone(2).expect("nobody has it");
    let refused = core.start("one", None).await.unwrap().unwrap_err();
    let own = fs::read_to_string("/proc/self/comm").unwrap();
    let Error::DiskInUseByHost { path, way: HostUse::Program, by } = &refused else { panic!("{refused:?}") };
    assert_eq!((path.as_str(), by.as_str()), (disk.partition(2).to_str().unwrap(), own.trim()));
    settle(core.start("three", None).await).unwrap();
    assert!(alone(3).is_err(), "a guest has it");
    drop(holder);
    settle(core.start("one", None).await).unwrap();
    assert!(alone(2).is_err(), "a guest has it");
    settle(core.force_off("one").await).unwrap();
    assert_eq!(shown(&mut core, "one").await.state, GuestState::Off);
    drop(alone(2).expect("nobody has it any more"));
}

#[tokio::test]
async fn the_system_on_a_disk_is_recognised() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let release =
        "NAME=Debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n";
    let menu = "menuentry 'Own' {\n linux /boot/linux quiet\n}\n";
    let tree = home.path("tree");
    for (path, text) in [("etc/os-release", release), ("boot/grub/grub.cfg", menu), ("boot/linux", "kernel")]
    {
        fs::create_dir_all(tree.join(path).parent().unwrap()).unwrap();
        fs::write(tree.join(path), text).unwrap();
    }
    let system = home.file("system.img", vec![0; 16 << 20]);
    let mut tool = home.command("mkfs.ext4");
    tool.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").args(["-q", "-d"]).arg(&tree).arg(&system);
    if home.run(&mut tool).await.code != 0 {
        return skip("mkfs.ext4 is not installed");
    }
    let mut content = vec![0; 1 << 20];
    content[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0x80, 0, 0]);
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    content.extend(fs::read(&system).unwrap());
    let image = home.file("image.img", &content);
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let mut paths = vec![image];
    let disk = PhysicalDisk::new(&home, &content, &[(1, 2048, 32_768)]);
    paths.extend(disk.iter().map(|disk| disk.device().display().to_string()));
    paths.extend(disk.iter().map(|disk| disk.partition(1).display().to_string()));
    let media = settle(core.inspect(&paths).await).unwrap().media;
    for medium in &media {
        assert_eq!(medium.os_name.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"), "{medium:?}");
        assert_eq!(medium.os.as_deref(), Some("debian12"), "{medium:?}");
        assert_eq!((medium.family.as_deref(), medium.format.as_deref()), (Some("linux"), Some("raw")));
    }
    let kinds: Vec<_> = media.iter().map(|medium| (medium.kind, medium.kernel_on_disk)).collect();
    let expected =
        [(MediumKind::DiskImage, false), (MediumKind::BlockDevice, false), (MediumKind::BlockDevice, true)];
    assert_eq!(kinds, expected[..kinds.len()]);
}
