//! Discs and disk images as programs write them, as liars write them, and as chance writes them.

use super::*;
use hv_api::MediumNote::{BootRecordDamaged, CutShort, NotBootable, UefiOnly};
use proptest::prelude::*;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

const SECTOR: usize = 2048;
const CATALOGUE: usize = 20 * SECTOR;

fn facts(bytes: &[u8]) -> Facts {
    read(&mut Cursor::new(bytes), bytes.len() as u64).expect("memory can be read")
}

/// A disc of 64 sectors with a boot catalogue in sector 20 and no entries in it.
fn disc() -> Vec<u8> {
    let mut disc = vec![0; 64 * SECTOR];
    let primary = &mut disc[16 * SECTOR..][..SECTOR];
    primary[..6].copy_from_slice(b"\x01CD001");
    for (offset, length) in [(8, 32), (40, 32), (318, 128), (574, 128)] {
        primary[offset..offset + length].fill(b' ');
    }
    primary[8..13].copy_from_slice(b"LINUX");
    primary[40..61].copy_from_slice(b"Debian 12.5.0 amd64 n");
    primary[80..84].copy_from_slice(&64_u32.to_le_bytes());
    primary[128..130].copy_from_slice(&(SECTOR as u16).to_le_bytes());
    let record = &mut disc[17 * SECTOR..][..SECTOR];
    record[..6].copy_from_slice(b"\x00CD001");
    record[7..30].copy_from_slice(b"EL TORITO SPECIFICATION");
    record[71..75].copy_from_slice(&20_u32.to_le_bytes());
    let validation = &mut disc[CATALOGUE..][..32];
    validation[0] = 1;
    validation[28..].copy_from_slice(&[0xaa, 0x55, 0x55, 0xaa]);
    disc
}

/// A bootable entry whose image is at this sector.
fn entry(sector: u32) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[0] = 0x88;
    entry[8..12].copy_from_slice(&sector.to_le_bytes());
    entry
}

fn section(last: bool, platform: u8, count: u8) -> [u8; 32] {
    let mut header = [0; 32];
    header[..3].copy_from_slice(&[if last { 0x91 } else { 0x90 }, platform, count]);
    header
}

/// [`disc`] with these entries behind the validation entry.
fn disc_with(entries: &[[u8; 32]]) -> Vec<u8> {
    let mut disc = disc();
    for (index, entry) in entries.iter().enumerate() {
        disc[CATALOGUE + 32 * (index + 1)..][..32].copy_from_slice(entry);
    }
    disc
}

fn set_platform(disc: &mut [u8], platform: u8) {
    disc[CATALOGUE + 1] = platform;
    // The sum of all words stays zero.
    let sum = 0x55aa_u16.wrapping_sub(u16::from(platform) << 8);
    disc[CATALOGUE + 28..][..2].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn a_disc_tells_its_labels_its_size_and_both_firmwares() {
    let found = facts(&disc_with(&[entry(30), section(true, 0xef, 1), entry(40)]));
    let expected = Facts {
        kind: MediumKind::Iso,
        arch: Some("x86_64"),
        boot: vec![BootMode::Bios, BootMode::Uefi],
        volume_id: Some("Debian 12.5.0 amd64 n".into()),
        system_id: Some("LINUX".into()),
        volume_size: Some(ByteSize::bytes(64 * 2048)),
        ..Facts::unknown(64 * 2048)
    };
    assert_eq!(found, expected);
}

#[test]
fn later_sections_and_extensions_are_read() {
    let mut extension = [0; 32];
    extension[0] = 0x44;
    let entries = [
        [0; 32],
        section(false, 2, 1),
        entry(30),
        section(false, 0xef, 1),
        entry(31),
        extension,
        section(true, 0, 1),
        entry(32),
    ];
    assert_eq!(facts(&disc_with(&entries)).boot, [BootMode::Bios, BootMode::Uefi]);
}

#[test]
fn a_disc_for_uefi_only_says_so() {
    let mut disc = disc_with(&[entry(30)]);
    set_platform(&mut disc, 0xef);
    let found = facts(&disc);
    assert_eq!((found.boot, found.notes), (vec![BootMode::Uefi], vec![UefiOnly]));
}

#[test]
fn a_disc_without_anything_to_start_says_so() {
    let mut without_record = disc_with(&[entry(30)]);
    without_record[17 * SECTOR + 7] = b'X';
    let mut for_other_machines = disc_with(&[entry(30)]);
    set_platform(&mut for_other_machines, 1);
    let with_nothing_bootable = disc();
    for disc in [without_record, for_other_machines, with_nothing_bootable] {
        let found = facts(&disc);
        assert_eq!((found.boot, found.notes), (Vec::new(), vec![NotBootable]));
    }
}

#[test]
fn a_damaged_boot_record_is_noticed() {
    let mut far_away = disc_with(&[entry(30)]);
    far_away[17 * SECTOR + 71..][..4].fill(0xff);
    let mut cut_catalogue = disc_with(&[entry(30)]);
    cut_catalogue.truncate(CATALOGUE + 40);
    let mut no_catalogue = disc_with(&[entry(30)]);
    no_catalogue[CATALOGUE + 30] = 0;
    let image_far_away = disc_with(&[entry(64)]);
    for disc in [far_away, cut_catalogue, no_catalogue, image_far_away] {
        let found = facts(&disc);
        assert_eq!(found.boot, []);
        assert!(found.notes.contains(&BootRecordDamaged), "{:?}", found.notes);
        assert!(!found.notes.contains(&NotBootable), "{:?}", found.notes);
    }

    let mut wrong_sum = disc_with(&[entry(30)]);
    wrong_sum[CATALOGUE + 5] = 1;
    let found = facts(&wrong_sum);
    assert_eq!((found.boot, found.notes), (vec![BootMode::Bios], vec![BootRecordDamaged]));
}

#[test]
fn a_disc_that_is_cut_short_says_so() {
    let mut disc = disc_with(&[entry(30)]);
    disc.truncate(63 * SECTOR);
    assert_eq!(facts(&disc).notes, [CutShort]);
}

#[test]
fn a_disc_for_usb_sticks_too_is_a_disc() {
    let mut disc = disc_with(&[entry(30)]);
    disc[510..512].copy_from_slice(&[0x55, 0xaa]);
    disc[512..520].copy_from_slice(b"EFI PART");
    assert_eq!(facts(&disc).kind, MediumKind::Iso);
}

fn qcow2(version: u32, backing: u64, incompatible: u64) -> Vec<u8> {
    let mut image = vec![0; 65536];
    image[..4].copy_from_slice(b"QFI\xfb");
    image[4..8].copy_from_slice(&version.to_be_bytes());
    image[8..16].copy_from_slice(&backing.to_be_bytes());
    image[20..24].copy_from_slice(&16_u32.to_be_bytes());
    image[24..32].copy_from_slice(&(20_u64 << 30).to_be_bytes());
    image[72..80].copy_from_slice(&incompatible.to_be_bytes());
    image
}

#[test]
fn a_qcow2_image_tells_its_size_and_whether_it_stands_alone() {
    for (version, backing, incompatible, needs) in
        [(3, 0, 0, false), (2, 0, 4, false), (3, 512, 0, true), (3, 0, 4, true)]
    {
        let found = facts(&qcow2(version, backing, incompatible));
        assert_eq!(found.format, Some(ImageFormat::Qcow2));
        assert_eq!(found.virtual_size, Some(ByteSize::gib(20)));
        assert_eq!(found.needs_other_file, needs);
    }
    assert_eq!(facts(&qcow2(1, 0, 0)).kind, MediumKind::Unknown);
    assert_eq!(facts(&qcow2(3, 0, 0)[..70]).kind, MediumKind::Unknown);
}

#[test]
fn a_raw_image_is_known_by_its_first_sectors() {
    let mut image = vec![0; 4000];
    assert_eq!(facts(&image).kind, MediumKind::Unknown);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    let found = facts(&image);
    assert_eq!(found.format, Some(ImageFormat::Raw));
    assert_eq!(found.virtual_size, Some(ByteSize::bytes(4096)));

    let mut kernel = image.clone();
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    let mut vdi = image.clone();
    vdi[64..68].copy_from_slice(&0xbeda_107f_u32.to_le_bytes());
    let mut vhd = image;
    vhd.extend_from_slice(b"conectix");
    vhd.resize(4512, 0);
    for container in [kernel, vdi, vhd] {
        assert_eq!(facts(&container).kind, MediumKind::Unknown);
    }
}

/// Discs that xorriso writes, with the firmware they are for.
#[test]
fn discs_of_a_real_program_are_understood() {
    if Command::new("xorriso").arg("-version").output().is_err() {
        eprintln!("skipped: xorriso is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let content = folder.path().join("content");
    std::fs::create_dir(&content).expect("a folder");
    for name in ["bios.img", "efi.img"] {
        std::fs::write(content.join(name), [0x90; 4096]).expect("a file");
    }
    let bios = ["-b", "bios.img", "-no-emul-boot", "-boot-load-size", "4"];
    let uefi = ["-e", "efi.img", "-no-emul-boot"];
    let both = [&bios[..], &["-eltorito-alt-boot"], &uefi].concat();
    let cases: [(&[&str], &[BootMode], &[MediumNote]); 4] = [
        (&[], &[], &[NotBootable]),
        (&bios, &[BootMode::Bios], &[]),
        (&uefi, &[BootMode::Uefi], &[UefiOnly]),
        (&both, &[BootMode::Bios, BootMode::Uefi], &[]),
    ];
    for (index, (options, boot, notes)) in cases.into_iter().enumerate() {
        let iso = folder.path().join(format!("{index}.iso"));
        let made = Command::new("xorriso")
            .args(["-as", "mkisofs", "-quiet", "-V", "Test 1.0 amd64", "-publisher", "US", "-o"])
            .arg(&iso)
            .args(options)
            .arg(&content)
            .output()
            .expect("xorriso runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let found = facts(&std::fs::read(&iso).expect("the disc"));
        assert_eq!((found.boot.as_slice(), found.notes.as_slice()), (boot, notes), "{options:?}");
        assert_eq!(found.volume_id.as_deref(), Some("Test 1.0 amd64"));
        assert_eq!(found.publisher_id.as_deref(), Some("US"));
        assert_eq!(found.arch, Some("x86_64"));
        assert_eq!(found.volume_size, Some(found.size));
    }
}

/// Discs of Debian packages, with the firmware they are for.
#[test]
fn discs_of_distributions_are_understood() {
    let both: &[BootMode] = &[BootMode::Bios, BootMode::Uefi];
    for (path, boot, name) in [
        ("/usr/lib/memtest86+/memtest86+x64.iso", both, "memtest86+x64"),
        ("/usr/lib/grub-rescue/grub-rescue-cdrom.iso", &[BootMode::Bios], "grub-rescue-cdrom"),
        ("/usr/lib/ipxe/ipxe.iso", both, "ipxe"),
    ] {
        let Ok(bytes) = std::fs::read(path) else {
            eprintln!("skipped: {path} is not installed");
            continue;
        };
        let found = facts(&bytes);
        assert_eq!((found.kind, found.boot.as_slice()), (MediumKind::Iso, boot), "{path}");
        assert_eq!(found.notes, [], "{path}");
        let file_name = Path::new(path).file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(suggested_name(&found, file_name), name);
    }
}

/// Counts what is read.
struct Counted<'a> {
    bytes: Cursor<&'a [u8]>,
    read: usize,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.read += count;
        Ok(count)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// What holds for every file, whatever is in it.
fn check(bytes: &[u8], length: u64) {
    let mut file = Counted { bytes: Cursor::new(bytes), read: 0 };
    let found = read(&mut file, length).expect("memory can be read");
    assert!(file.read <= 16 << 10, "{} bytes were read", file.read);
    assert_eq!(found.size, ByteSize::bytes(length));
    let labels = [&found.volume_id, &found.system_id, &found.publisher_id, &found.application_id];
    for label in labels.into_iter().flatten() {
        assert!(!label.is_empty() && label.chars().all(is_plain), "{label:?}");
    }
    for (index, note) in found.notes.iter().enumerate() {
        assert!(!found.notes[..index].contains(note), "{:?}", found.notes);
    }
    assert!(found.boot.is_sorted() && found.boot.len() <= 2);
    assert_eq!(found.format.is_some(), found.kind == MediumKind::DiskImage);
    suggested_name(&found, "file.iso");
}

proptest! {
    #[test]
    fn chance_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..4096), length: u64) {
        check(&bytes, length);
    }

    #[test]
    fn a_disc_with_any_damage_is_survived(
        damage in proptest::collection::vec((0..5_usize, 0..SECTOR, any::<u8>()), 0..200),
        catalogue in proptest::collection::vec(any::<[u8; 32]>(), 0..63),
        cut in 0..=64 * SECTOR,
        length: u64,
    ) {
        let mut disc = disc_with(&catalogue);
        for (sector, offset, byte) in damage {
            disc[(16 + sector) * SECTOR + offset] = byte;
        }
        disc.truncate(cut);
        check(&disc, length);
        check(&disc, disc.len() as u64);
    }

    #[test]
    fn a_boot_catalogue_of_any_content_is_survived(
        platforms in proptest::collection::vec((0..6_usize, any::<u8>(), any::<u16>(), any::<u32>()), 0..63),
    ) {
        let kinds = [0x90, 0x91, 0x88, 0x44, 0x00, 0xff];
        let entries: Vec<[u8; 32]> = platforms.into_iter().map(|(kind, platform, count, sector)| {
            let mut entry = entry(sector % 128);
            entry[0] = kinds[kind];
            entry[1] = platform;
            entry[2..4].copy_from_slice(&count.to_le_bytes());
            entry
        }).collect();
        let disc = disc_with(&entries);
        check(&disc, disc.len() as u64);
    }

    #[test]
    fn a_qcow2_image_with_any_damage_is_survived(
        damage in proptest::collection::vec((4..104_usize, any::<u8>()), 0..20),
        cut in 0..200_usize,
    ) {
        let mut image = qcow2(3, 0, 0);
        for (offset, byte) in damage {
            image[offset] = byte;
        }
        check(&image, image.len() as u64);
        image.truncate(cut);
        check(&image, cut as u64);
    }
}
