//! The physical disks of this computer: what each is, what is on it, and what this computer does with it.
//!
//! Disks and what is on them say what they are called, and anybody can make one: what they say is bounded and shown,
//! and nothing else. Nothing of a disk is opened where udev has looked at it already, and of others only a few of their
//! first bytes are read, where this user may.

use super::block::{Block, Record};
use super::sysfs::{is_permitted, text, under};
use super::uses::Kernel;
use hv_api::{ByteSize, HostDisk, HostPartition};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The most disks that are looked at.
const MOST_DISKS: usize = 1024;

/// What is never offered: memory in the shape of a disk, and drives, whose media are put in otherwise.
const LEFT_OUT: [&str; 6] = ["ram", "zram", "sr", "fd", "mtdblock", "nbd"];

/// The disks of a computer whose files are under `root`, in the order of their names. Reads many small files: not for
/// the core's own thread.
pub fn scan(root: &Path) -> Vec<HostDisk> {
    let entries = fs::read_dir(root.join("sys/block")).into_iter().flatten().take(MOST_DISKS);
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut disks: Vec<HostDisk> = folders.filter_map(|folder| read(root, &folder)).collect();
    disks.sort_by_cached_key(|disk| (disk.device.len(), disk.device.clone()));
    disks
}

fn read(root: &Path, folder: &Path) -> Option<HostDisk> {
    let block = Block::read(root, folder)?;
    let folder = block.folder();
    let is_left_out = LEFT_OUT.iter().any(|start| {
        block.name.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    // Areas of a memory card that hold no files, and paths to a disk that is there otherwise.
    let is_special = text(folder, "hidden").as_deref() == Some("1")
        || block.name.starts_with("mmcblk") && (block.name.contains("boot") || block.name.ends_with("rpmb"));
    if is_left_out || is_special || block.size == ByteSize::default() {
        return None;
    }
    let used = Kernel::under(root).use_of_number(block.number);
    let record = block.record();
    let device = block.device();
    let parts = block.partitions();
    // Parts of systems come as files that are mounted so: they are no disks to anybody.
    if block.name.starts_with("loop") && parts.is_empty() && used.is_some() {
        return None;
    }
    let permitted = is_permitted(root, &device);
    let (content, label) = if parts.is_empty() { content(root, &block, &record) } else { (None, None) };
    Some(HostDisk {
        path: record.lasting_path().unwrap_or_else(|| device.clone()),
        name: name(folder, &record),
        serial: text(folder, "serial")
            .or_else(|| text(folder, "device/serial"))
            .or_else(|| record.get("ID_SERIAL_SHORT")),
        size: block.size,
        removable: text(folder, "removable").as_deref() == Some("1")
            || record.get("ID_BUS").as_deref() == Some("usb"),
        read_only: text(folder, "ro").as_deref() == Some("1"),
        permitted,
        content,
        label,
        used: used.as_ref().map(|used| used.way),
        used_by: used.map(|used| used.by),
        guest: None,
        partitions: parts.iter().filter_map(|part| partition(root, part)).collect(),
        device,
    })
}

fn partition(root: &Path, block: &Block) -> Option<HostPartition> {
    /// An extended partition holds others, and shows two sectors of itself at the most.
    const EXTENDED: u64 = 1024;
    if block.size.as_bytes() <= EXTENDED {
        return None;
    }
    let record = block.record();
    let used = Kernel::under(root).use_of_number(block.number);
    let (content, label) = content(root, block, &record);
    Some(HostPartition {
        number: block.partition?,
        name: record.get("ID_PART_ENTRY_NAME"),
        size: block.size,
        permitted: is_permitted(root, &block.device()),
        content,
        label,
        used: used.as_ref().map(|used| used.way),
        used_by: used.map(|used| used.by),
        guest: None,
        device: block.device(),
    })
}

fn name(folder: &Path, record: &Record) -> Option<String> {
    // Volumes that were put together have a name that people gave them.
    if let Some(name) = text(folder, "dm/name") {
        return Some(name);
    }
    let model = text(folder, "device/model").or_else(|| text(folder, "device/name"));
    let model = model.or_else(|| record.get("ID_MODEL_ENC"))?;
    // For SATA, Linux says how it speaks with it, not who made it.
    let maker = text(folder, "device/vendor").filter(|maker| maker != "ATA" && !maker.starts_with("0x"));
    Some(match maker {
        Some(maker) if !model.starts_with(&maker) => format!("{maker} {model}"),
        _ => model,
    })
}

/// What is on a device, and its label.
fn content(root: &Path, block: &Block, record: &Record) -> (Option<String>, Option<String>) {
    let label = record.get("ID_FS_LABEL_ENC").or_else(|| record.get("ID_FS_LABEL"));
    match record.get("ID_FS_TYPE") {
        Some(known) => (Some(known), label),
        None => (seen(&under(root, &block.device())).map(str::to_owned), label),
    }
}

/// What its first bytes say that is on it, in the words of udev. None where it can't be read.
fn seen(device: &PathBuf) -> Option<&'static str> {
    const MARKS: [(&str, u64, &[u8]); 12] = [
        ("crypto_LUKS", 0, b"LUKS\xba\xbe"),
        ("LVM2_member", 0x218, b"LVM2 001"),
        ("swap", 0xff6, b"SWAPSPACE2"),
        ("ext4", 0x438, &[0x53, 0xef]),
        ("xfs", 0, b"XFSB"),
        ("btrfs", 0x1_0040, b"_BHRfS_M"),
        ("ntfs", 3, b"NTFS    "),
        ("exfat", 3, b"EXFAT   "),
        ("vfat", 0x52, b"FAT32   "),
        ("vfat", 0x36, b"FAT1"),
        ("squashfs", 0, b"hsqs"),
        ("iso9660", 0x8001, b"CD001"),
    ];
    let file = File::open(device).ok()?;
    let found = MARKS.iter().find(|(_, place, mark)| {
        let mut bytes = [0; 16];
        bytes
            .get_mut(..mark.len())
            .is_some_and(|bytes| file.read_exact_at(bytes, *place).is_ok() && bytes == *mark)
    });
    found.map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::told::Told;
    use hv_api::HostUse;

    impl Told {
        fn disks(&self) -> Vec<HostDisk> {
            scan(self.root())
        }
    }

    #[test]
    fn a_computer_without_disks_has_none() {
        assert_eq!(Told::new().disks(), []);
        assert_eq!(scan(Path::new("/nonexistent")), []);
    }

    #[test]
    fn disks_are_told_with_what_udev_knows() {
        let told = Told::new();
        told.disk("sda", "8:0", 4_000_000);
        told.write("sys/block/sda/device/vendor", "ATA\n");
        told.write("sys/block/sda/device/model", "Samsung SSD 870\n");
        told.part("sda", "sda10", (10, "259:0"), (90_000, 2048));
        told.part("sda", "sda2", (2, "8:2"), (2048, 80_000));
        told.part("sda", "sda4", (4, "8:4"), (89_000, 2));
        told.write("run/udev/data/b8:0", "S:disk/by-id/ata-Samsung_SSD_870_S1\nE:ID_SERIAL_SHORT=S1\n");
        told.write("run/udev/data/b8:2", "E:ID_FS_TYPE=ntfs\nE:ID_FS_LABEL_ENC=My\\x20Windows\n");
        told.write("dev/sda10", [0; 4096]);
        let disks = told.disks();
        let [disk] = &disks[..] else { panic!("{disks:?}") };
        assert_eq!(
            (disk.path.as_str(), disk.device.as_str()),
            ("/dev/disk/by-id/ata-Samsung_SSD_870_S1", "/dev/sda")
        );
        assert_eq!((disk.name.as_deref(), disk.serial.as_deref()), (Some("Samsung SSD 870"), Some("S1")));
        assert_eq!((disk.size, disk.permitted), (ByteSize::bytes(4_000_000 * 512), false));
        let [windows, other] = &disk.partitions[..] else { panic!("{disk:?}") };
        assert_eq!((windows.number, windows.content.as_deref()), (2, Some("ntfs")));
        assert_eq!(windows.label.as_deref(), Some("My Windows"));
        assert_eq!((other.number, other.permitted, other.content.as_deref()), (10, true, None));
    }

    #[test]
    fn what_udev_did_not_look_at_is_seen_by_its_first_bytes() {
        let told = Told::new();
        told.disk("vda", "254:0", 8192);
        let mut bytes = vec![0; 0x2000];
        bytes[0x438..0x43a].copy_from_slice(&[0x53, 0xef]);
        told.write("dev/vda", bytes);
        assert_eq!(told.disks()[0].content.as_deref(), Some("ext4"));
        assert_eq!(told.disks()[0].path, "/dev/vda");
    }

    #[test]
    fn what_is_no_disk_is_left_out() {
        let told = Told::new();
        for (name, number) in
            [("zram0", "253:0"), ("sr0", "11:0"), ("mmcblk0boot0", "179:8"), ("ram1", "1:1")]
        {
            told.disk(name, number, 100);
        }
        told.disk("sdc", "8:32", 0);
        assert_eq!(told.disks(), []);
        // A file that somebody shows as a disk is one, as long as nothing on it is mounted.
        told.disk("loop0", "7:0", 100);
        assert_eq!(told.disks().len(), 1);
        told.write("proc/self/mountinfo", "36 35 7:0 / /snap/a ro - squashfs /dev/loop0 ro\n");
        assert_eq!(told.disks(), []);
    }

    #[test]
    fn what_the_computer_uses_is_said() {
        let told = Told::new();
        told.disk("sda", "8:0", 4_000_000);
        told.part("sda", "sda1", (1, "8:1"), (2048, 80_000));
        told.part("sda", "sda2", (2, "8:2"), (90_000, 80_000));
        told.write("sys/dev/block/8:0/sda1/dev", "8:1\n");
        told.write("sys/dev/block/8:0/sda1/partition", "1\n");
        told.write("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
        let disk = told.disks().remove(0);
        assert_eq!((disk.used, disk.used_by.as_deref()), (Some(HostUse::Mounted), Some("/")));
        assert_eq!((disk.partitions[0].used, disk.partitions[1].used), (Some(HostUse::Mounted), None));
    }
}
