//! Whole disks, made by the tools that make them, or wrong on purpose.

use super::super::{Change, change};
use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Where such tools are, also for who is not root.
const PATHS: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// A file system with these files, of so many MiB; nothing, said aloud, where its tool is not installed.
pub(crate) fn made(tool: &str, mib: u64, files: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    let home = tempfile::tempdir().unwrap();
    let (tree, image) = (home.path().join("tree"), home.path().join("image"));
    for (path, content) in files {
        let path = tree.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::create_dir_all(&tree).unwrap();
    fs::File::create(&image).unwrap().set_len(mib << 20).unwrap();
    let mut command = Command::new(tool);
    command.env("PATH", PATHS);
    match tool {
        "mkfs.btrfs" => command.arg("-q").arg("--rootdir").arg(&tree).arg(&image),
        "mkfs.xfs" => command.arg("-q").arg("-p").arg(prototype(&tree, home.path())).arg(&image),
        _ => command.args(["-q", "-L", "boot", "-d"]).arg(&tree).arg(&image),
    };
    match command.output() {
        Err(_) => {
            println!("SKIPPED: {tool} is not installed");
            None
        }
        Ok(done) => {
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            Some(fs::read(image).unwrap())
        }
    }
}

/// What `mkfs.xfs` makes files of.
fn prototype(tree: &Path, home: &Path) -> std::path::PathBuf {
    fn list(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() {
                writeln!(text, "{name} d--755 0 0").unwrap();
                list(&entry.path(), text);
                text.push_str("$\n");
            } else {
                writeln!(text, "{name} ---644 0 0 {}", entry.path().display()).unwrap();
            }
        }
    }
    let mut text = "x\n0 0\nd--755 0 0\n".to_owned();
    list(tree, &mut text);
    text += "$\n";
    let place = home.join("prototype");
    fs::write(&place, text).unwrap();
    place
}

/// A FAT with these files.
fn fat(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = io::Cursor::new(vec![0; 4 << 20]);
    fatfs::format_volume(&mut bytes, fatfs::FormatVolumeOptions::new().volume_id(0xaaaa_bbbb)).unwrap();
    let system = fatfs::FileSystem::new(&mut bytes, fatfs::FsOptions::new()).unwrap();
    for (path, content) in files {
        let path = path.trim_start_matches('/');
        for (end, _) in path.match_indices('/') {
            system.root_dir().create_dir(&path[..end]).unwrap();
        }
        let mut file = system.root_dir().create_file(path).unwrap();
        file.write_all(content).unwrap();
        file.flush().unwrap();
    }
    drop(system);
    bytes.into_inner()
}

/// A disk with an MBR and these partitions.
fn disk(partitions: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    for (index, partition) in partitions.iter().enumerate() {
        let entry = 446 + 16 * index;
        bytes[entry + 4] = 0x83;
        let (start, count) = (bytes.len() as u32 / 512, partition.len() as u32 / 512);
        bytes[entry + 8..entry + 12].copy_from_slice(&start.to_le_bytes());
        bytes[entry + 12..entry + 16].copy_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(partition);
    }
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes
}

fn read(bytes: Vec<u8>) -> Result<Found, Nothing> {
    menu(&Disk::new(Box::new(bytes), Some(Instant::now() + Duration::from_secs(20))), false)
}

fn titles(found: &Found) -> Vec<String> {
    let told = found.told("disk0");
    let mark = |entry: &BootMenuEntry| if entry.is_default { "*" } else { "" };
    told.entries.iter().map(|entry| format!("{}{}", mark(entry), entry.title)).collect()
}

fn block(lines: &str) -> Vec<u8> {
    let mut block = format!("# GRUB Environment Block\n{lines}").into_bytes();
    block.resize(1024, b'#');
    block
}

const SAVED: &str = "load_env\nset default=\"${saved_entry}\"\nmenuentry One --id one { linux /vmlinuz-1 a\n initrd /i1 /i2\n}\n\
    menuentry Two --id two { linux /vmlinuz-2 b\n}\n";

fn saved_files(env: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("/grub/grub.cfg", SAVED.into()),
        ("/grub/grubenv", env.to_vec()),
        ("/vmlinuz-1", vec![1; 300_000]),
        ("/vmlinuz-2", vec![2; 5]),
        ("/i1", b"abcde".to_vec()),
        ("/i2", b"fg".to_vec()),
    ]
}

fn borrowed<'a>(files: &'a [(&'static str, Vec<u8>)]) -> Vec<(&'static str, &'a [u8])> {
    files.iter().map(|(path, content)| (*path, content.as_slice())).collect()
}

#[test]
fn an_entry_is_copied_with_its_files_one_behind_the_other() {
    for tool in ["mkfs.ext4", "mkfs.ext2", "mkfs.btrfs", "mkfs.xfs"] {
        let mib = if tool == "mkfs.ext4" || tool == "mkfs.ext2" { 8 } else { 320 };
        let files = saved_files(&block("saved_entry=two\n"));
        let Some(boot) = made(tool, mib, &borrowed(&files)) else { continue };
        let found = read(disk(&[&fat(&[("/a", b"x")]), &boot]))
            .map_err(|error| format!("{tool}: {error:?}"))
            .unwrap();
        assert_eq!(titles(&found), ["One", "*Two"], "{tool}");
        assert_eq!(found.told("disk0").partition, Some(2));
        let (mut kernel, mut initrd) = (Vec::new(), Vec::new());
        let (entry, has) = copy(&found, &Choice::Named("one".into()), &mut kernel, &mut initrd).unwrap();
        assert_eq!((&*entry.append, has), ("a", true));
        assert!(kernel == vec![1; 300_000], "{tool}");
        assert_eq!(initrd, b"abcde\0\0\0fg");
        kernel.clear();
        let (entry, has) = copy(&found, &Choice::Default, &mut kernel, &mut Vec::new()).unwrap();
        assert_eq!((&*entry.title, has, &kernel[..]), ("Two", false, &[2; 5][..]));
        let none = copy(&found, &Choice::Number(7), &mut kernel, &mut initrd).unwrap_err();
        assert_eq!(none, (KernelFault::EntryNotFound, "One; Two".into()));
    }
}

/// The disk with a change made, by which it must be another one in just these bytes.
fn changed(bytes: &[u8], number: u32) -> Result<Vec<u8>, super::super::NotChanged> {
    let disk = Disk::new(Box::new(bytes.to_vec()), None);
    let found = menu(&disk, false).unwrap();
    let made = change(&disk, &found, number, false)?.unwrap();
    let Change { place, before, after, .. } = made;
    let range = place as usize..place as usize + before.len();
    let mut bytes = bytes.to_vec();
    assert_eq!(bytes[range.clone()], before);
    bytes[range].copy_from_slice(&after);
    Ok(bytes)
}

#[test]
fn the_default_is_changed_where_grub_notes_it() {
    let files = saved_files(&block("saved_entry=one\nx=y\n"));
    let fats: Vec<_> = borrowed(&files);
    let mut all = vec![disk(&[&fat(&fats)])];
    all.extend(made("mkfs.ext4", 8, &borrowed(&files)).map(|boot| disk(&[&boot])));
    // Without a table.
    all.extend(made("mkfs.ext2", 8, &borrowed(&files)));
    for bytes in all {
        assert_eq!(titles(&read(bytes.clone()).unwrap()), ["*One", "Two"]);
        let bytes = changed(&bytes, 1).unwrap();
        assert_eq!(titles(&read(bytes.clone()).unwrap()), ["One", "*Two"]);
        let bytes = changed(&bytes, 0).unwrap();
        assert_eq!(titles(&read(bytes).unwrap()), ["*One", "Two"]);
    }
}

#[test]
fn numbers_and_patterns_are_changed_in_their_place() {
    let legacy = "default 0 \ntitle a\nkernel /k\ntitle b\nroot (hd0,4)\nkernel /k x\n";
    let loader = "timeout 3\ndefault  first*\n";
    let entry = |name: &str| format!("title {name}\nlinux /k\noptions {name}\n").into_bytes();
    let cases: [Vec<(&'static str, Vec<u8>)>; 3] = [
        vec![("/boot/grub/menu.lst", legacy.into()), ("/k", vec![1])],
        vec![
            ("/loader/loader.conf", loader.into()),
            ("/loader/entries/first.conf", entry("first")),
            ("/loader/entries/other.conf", entry("other")),
            ("/k", vec![1]),
        ],
        vec![
            (
                "/grub2/grub.cfg",
                b"set default=\"0\"\nmenuentry a { linux /k\n}\nmenuentry b { linux /k\n}\n".into(),
            ),
            ("/k", vec![1]),
        ],
    ];
    for files in cases {
        for boot in
            [Some(fat(&borrowed(&files))), made("mkfs.ext4", 8, &borrowed(&files))].into_iter().flatten()
        {
            let before = read(disk(&[&boot])).unwrap();
            let other = u32::from(before.default == Some(0));
            let after = read(changed(&disk(&[&boot]), other).unwrap()).unwrap();
            assert_eq!(after.default, Some(other as usize), "{:?}", titles(&before));
            assert_eq!(after.items, before.items);
        }
    }
}

#[test]
fn what_can_not_be_changed_safely_is_refused_with_the_reason() {
    use hv_api::BootDefaultFault::{FileSystem, NoPlace, NoRoom, Unclean};
    let fixed = |boot: Option<Vec<u8>>| boot.map(|boot| changed(&disk(&[&boot]), 1).unwrap_err().0);
    let none = b"menuentry a { linux /k\n}\nmenuentry b { linux /k\n}\n";
    assert_eq!(fixed(Some(fat(&[("/grub/grub.cfg", none), ("/k", b"x")]))), Some(NoPlace));
    let long = b"set default=\"10000\"\nmenuentry a { linux /k\n}\nmenuentry b { linux /k\n}\n";
    assert_eq!(fixed(Some(fat(&[("/grub/grub.cfg", long), ("/k", b"x")]))), Some(NoRoom));
    let files = saved_files(&block("saved_entry=one\n"));
    let btrfs = made("mkfs.btrfs", 320, &borrowed(&files));
    assert!(fixed(btrfs).is_none_or(|fault| fault == FileSystem));
    let unclean = made("mkfs.ext4", 8, &borrowed(&files)).map(|mut boot| {
        // “Needs recovery”, with a journal in which there is nothing.
        boot[1024 + 0x60] |= 4;
        boot
    });
    // Where its checksum is not believed, it is not even read.
    if let Some(boot) = unclean
        && read(disk(&[&boot])).is_ok()
    {
        assert_eq!(fixed(Some(boot)), Some(Unclean));
    }
}

#[test]
fn a_menu_of_old_is_found_beside_other_partitions() {
    let rhel = "# grub.conf generated by anaconda\n#boot=/dev/sda\ndefault=1\ntimeout=5\nsplashimage=(hd0,0)/grub/splash.xpm.gz\nhiddenmenu\n\
        title Red Hat Enterprise Linux Server (2.6.18-194.el5xen)\n\troot (hd0,0)\n\tkernel /xen.gz-2.6.18-194.el5\n\
        \tmodule /vmlinuz-2.6.18-194.el5xen ro root=/dev/VolGroup00/LogVol00 rhgb quiet\n\tmodule /initrd-2.6.18-194.el5xen.img\n\
        title Red Hat Enterprise Linux Server-base (2.6.18-194.el5)\n\troot (hd0,0)\n\
        \tkernel /vmlinuz-2.6.18-194.el5 ro root=/dev/VolGroup00/LogVol00 rhgb quiet\n\tinitrd /initrd-2.6.18-194.el5.img\n";
    let Some(boot) =
        made("mkfs.ext3", 8, &[("/grub/grub.conf", rhel.as_bytes()), ("/vmlinuz-2.6.18-194.el5", b"k")])
    else {
        return;
    };
    let mut volume = vec![0; 1 << 20];
    volume[512..520].copy_from_slice(b"LABELONE");
    let told = read(disk(&[&boot, &volume])).unwrap().told("disk0");
    assert_eq!(told.loader, BootLoader::GrubLegacy);
    assert_eq!((told.partition, &*told.config), (Some(1), "/grub/grub.conf"));
    insta::assert_json_snapshot!(told.entries);
    // Moved into a disk of its own, as a partition was given to a guest as one.
    let alone = read(boot).unwrap().told("disk0");
    assert_eq!(alone.entries[1].kernel, told.entries[1].kernel);
}

#[test]
fn what_was_looked_at_is_said() {
    let mut volume = vec![0; 1 << 20];
    volume[512..520].copy_from_slice(b"LABELONE");
    let nothing = |bytes: Vec<u8>| read(bytes).err().unwrap();
    assert_eq!(nothing(disk(&[&volume])), (KernelFault::NoFileSystem, "partition 1: LVM".into()));
    let (fault, detail) = nothing(disk(&[&fat(&[("/a", b"x")]), &volume]));
    assert_eq!((fault, &*detail), (KernelFault::NoLoader, "partition 1: FAT; partition 2: LVM"));
    let (fault, detail) = nothing(disk(&[&fat(&[("/grub/grub.cfg", b"menuentry a { chainloader +1\n}")])]));
    assert_eq!((fault, &*detail), (KernelFault::NoEntry, "/grub/grub.cfg (partition 1: FAT)"));
    let gone = read(fat(&[("/grub/grub.cfg", b"menuentry a { linux /k\n}")])).unwrap();
    let error = copy(&gone, &Choice::Default, &mut Vec::new(), &mut Vec::new()).unwrap_err();
    assert_eq!(error, (KernelFault::FileMissing, "/k".into()));
}

/// A disk of which bytes were changed or which was cut: whatever comes of it, it comes soon.
fn endure(bytes: Vec<u8>) {
    let begun = Instant::now();
    if let Ok(found) = read(bytes) {
        let _ = found.told("disk0");
        let _ = copy(&found, &Choice::Default, &mut io::sink(), &mut io::sink());
        let _ = change(&Disk::new(Box::new(Vec::new()), None), &found, 1, false);
    }
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn links_and_folders_that_lead_in_a_circle_end() {
    let home = tempfile::tempdir().unwrap();
    let (tree, image) = (home.path().join("tree"), home.path().join("image"));
    fs::create_dir_all(tree.join("boot/grub")).unwrap();
    std::os::unix::fs::symlink("grub.cfg", tree.join("boot/grub/grub.cfg")).unwrap();
    std::os::unix::fs::symlink("/grub", tree.join("grub")).unwrap();
    std::os::unix::fs::symlink("../loader/../loader", tree.join("loader")).unwrap();
    fs::File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let mut command = Command::new("mkfs.ext4");
    let done = command.env("PATH", PATHS).args(["-q", "-d"]).arg(&tree).arg(&image).status();
    if done.is_err() {
        return println!("SKIPPED: mkfs.ext4 is not installed");
    }
    let (fault, _) = read(fs::read(image).unwrap()).err().unwrap();
    assert_eq!(fault, KernelFault::NoLoader);
}

#[test]
fn a_folder_that_goes_round_in_circles_ends() {
    let mut bytes = fat(&[("/grub/grub.cfg", SAVED.as_bytes()), ("/vmlinuz-1", &vec![1; 20_000])]);
    // Each cluster's successor is itself.
    let sectors = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]) as usize;
    let (reserved, length) = (sectors(14), sectors(22));
    let table = reserved * 512..(reserved + length) * 512;
    let wide = bytes[0x36..].starts_with(b"FAT16");
    assert!(wide || bytes[0x36..].starts_with(b"FAT12"));
    for cluster in 2..200_u16 {
        if wide {
            let at = table.start + 2 * cluster as usize;
            bytes[at..at + 2].copy_from_slice(&cluster.to_le_bytes());
        } else {
            let at = table.start + cluster as usize * 3 / 2;
            let shift = 4 * (cluster % 2);
            let old = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
            let new = (old & !(0xfff << shift)) | (cluster << shift);
            bytes[at..at + 2].copy_from_slice(&new.to_le_bytes());
        }
    }
    endure(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_disk_that_lies_does_no_harm(
        at in prop::collection::vec((0_usize..40_000, any::<u8>()), 1..40),
        cut in prop::option::of(0_usize..9_000_000),
        small in any::<bool>(),
    ) {
        let files = saved_files(&block("saved_entry=one\n"));
        let boot = if small { Some(fat(&borrowed(&files))) } else { made("mkfs.ext4", 8, &borrowed(&files)) };
        let Some(boot) = boot else { return Ok(()) };
        let mut bytes = disk(&[&boot]);
        for (place, byte) in at {
            bytes[(1 << 20) + place] = byte;
        }
        bytes.truncate(cut.unwrap_or(bytes.len()).max(512));
        endure(bytes);
    }
}
