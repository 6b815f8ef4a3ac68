//! What on this computer has a file or a block device, as Linux tells: mounted, in swap, shown by a loop device, or
//! a part of LVM, RAID or encryption. A guest that wrote to it as well would destroy it.
//!
//! What can't be read is taken for not in use: without these files there is nothing to know it from.

use hv_api::HostUse;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Who has it on this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// In which way.
    pub way: HostUse,
    /// What: a mount point, or the name of a device.
    pub by: String,
}

/// Where Linux tells about itself.
#[derive(Debug, Clone)]
pub struct Kernel {
    proc: PathBuf,
    sys: PathBuf,
}

impl Default for Kernel {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into() }
    }
}

/// A block device by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Device {
    number: u64,
    /// `8:1`
    name: String,
}

impl Device {
    fn of(number: u64) -> Self {
        Self { number, name: format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number)) }
    }
}

impl Kernel {
    /// That of a computer whose files are under this folder.
    pub fn under(root: &Path) -> Self {
        Self { proc: root.join("proc"), sys: root.join("sys") }
    }

    /// What has a disk that is a part of the device with this folder in `/sys`.
    pub fn use_of_hardware(&self, folder: &Path) -> Option<Use> {
        let folder = folder.canonicalize().ok()?;
        let disks = entries(&self.sys.join("block"));
        let own = disks.filter(|disk| disk.canonicalize().is_ok_and(|disk| disk.starts_with(&folder)));
        own.filter_map(|disk| number_of(&disk)).find_map(|number| self.use_of_number(number))
    }

    /// What has the file or block device at this path; nothing where it is free or not there.
    pub fn use_of(&self, path: &Path) -> Option<Use> {
        let found = fs::metadata(path).ok()?;
        if found.file_type().is_block_device() {
            return self.use_of_number(found.rdev());
        }
        self.swap(|other| other.dev() == found.dev() && other.ino() == found.ino())
            .or_else(|| self.looped(&found))
    }

    /// What has the block device with this number, or one of its partitions, or the disk that it is a partition of.
    pub fn use_of_number(&self, number: u64) -> Option<Use> {
        let whole = self.whole(number);
        let mut devices = self.with_partitions(number);
        devices.extend(whole.map(Device::of));
        self.mounted(&devices)
            .or_else(|| self.swap(|other| devices.iter().any(|device| device.number == other.rdev())))
            .or_else(|| devices.iter().find_map(|device| self.holder(device)))
    }

    /// A device and its partitions.
    fn with_partitions(&self, number: u64) -> Vec<Device> {
        let whole = Device::of(number);
        let parts = entries(&self.sys.join("dev/block").join(&whole.name))
            .filter(|entry| entry.join("partition").exists())
            .filter_map(|entry| number_of(&entry).map(Device::of));
        let mut devices: Vec<Device> = parts.collect();
        devices.insert(0, whole);
        devices
    }

    /// The disk that this is a partition of.
    fn whole(&self, number: u64) -> Option<u64> {
        let folder = self.sys.join("dev/block").join(Device::of(number).name).canonicalize().ok()?;
        if folder.join("partition").exists() { number_of(folder.parent()?) } else { None }
    }

    fn mounted(&self, devices: &[Device]) -> Option<Use> {
        let table = fs::read(self.proc.join("self/mountinfo")).ok()?;
        table.split(|byte| *byte == b'\n').find_map(|line| {
            // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            let (number, point) = (fields.get(2)?, fields.get(4)?);
            let by_number = devices.iter().any(|device| device.name.as_bytes() == *number);
            // File systems that span devices have a number of their own.
            let by_name = || {
                let separator = fields.iter().position(|field| *field == b"-")?;
                let source = unescaped(fields.get(separator + 2)?);
                let found = Some(source).filter(|source| source.as_bytes().first() == Some(&b'/'));
                let found = fs::metadata(found?).ok()?;
                let is_it = devices.iter().any(|device| device.number == found.rdev());
                (found.file_type().is_block_device() && is_it).then_some(())
            };
            (by_number || by_name().is_some())
                .then(|| Use { way: HostUse::Mounted, by: shown(&unescaped(point)) })
        })
    }

    fn swap(&self, is_it: impl Fn(&Metadata) -> bool) -> Option<Use> {
        let table = fs::read(self.proc.join("swaps")).ok()?;
        let lines = table.split(|byte| *byte == b'\n').skip(1);
        lines.filter_map(|line| line.split(u8::is_ascii_whitespace).next()).find_map(|path| {
            let path = unescaped(path);
            let found = fs::metadata(&path).ok()?;
            is_it(&found).then(|| Use { way: HostUse::Swap, by: shown(&path) })
        })
    }

    /// The loop device that shows this file, or where that is mounted.
    fn looped(&self, file: &Metadata) -> Option<Use> {
        entries(&self.sys.join("block")).find_map(|device| {
            let text = fs::read(device.join("loop/backing_file")).ok()?;
            let path = PathBuf::from(OsString::from_vec(text.strip_suffix(b"\n").unwrap_or(&text).to_vec()));
            let found = fs::metadata(path).ok()?;
            if (found.dev(), found.ino()) != (file.dev(), file.ino()) {
                return None;
            }
            let used = number_of(&device).and_then(|number| self.use_of_number(number));
            used.or_else(|| Some(Use { way: HostUse::Loop, by: format!("/dev/{}", file_name(&device)) }))
        })
    }

    fn holder(&self, device: &Device) -> Option<Use> {
        let holder = entries(&self.sys.join("dev/block").join(&device.name).join("holders")).next()?;
        // Those of the device mapper have a name that people gave them.
        let name = fs::read_to_string(holder.join("dm/name")).ok();
        let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Some(Use { way: HostUse::Part, by: name.unwrap_or_else(|| file_name(&holder)) })
    }
}

/// The number of the block device with this folder.
fn number_of(folder: &Path) -> Option<u64> {
    let text = fs::read_to_string(folder.join("dev")).ok()?;
    let (major, minor) = text.trim().split_once(':')?;
    Some(rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?))
}

/// What is in a folder, in the order of the names.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    entries.into_iter()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(shown).unwrap_or_default()
}

fn shown(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// Linux writes blanks in these tables as `\040`.
fn unescaped(field: &[u8]) -> OsString {
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..3)
            .filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        let code = digits.and_then(|digits| {
            u8::try_from(digits.iter().fold(0_u32, |code, digit| code * 8 + u32::from(digit - b'0'))).ok()
        });
        if let Some(code) = code {
            text.push(code);
            rest = after.get(3..).unwrap_or_default();
        } else {
            text.push(*first);
            rest = after;
        }
    }
    OsString::from_vec(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::told::Told;
    use proptest::prelude::*;

    impl Told {
        fn kernel(&self) -> Kernel {
            Kernel::under(self.root())
        }

        /// A file on this computer, with a blank in its name.
        fn file(&self) -> PathBuf {
            self.write("a disk", "x");
            self.root().join("a disk")
        }
    }

    fn used(way: HostUse, by: &str) -> Use {
        Use { way, by: by.to_owned() }
    }

    #[test]
    fn a_file_that_nobody_has_is_free() {
        let told = Told::new();
        assert_eq!(told.kernel().use_of(&told.file()), None);
        assert_eq!(Kernel::default().use_of(&told.file()), None);
        assert_eq!(told.kernel().use_of(Path::new("/nonexistent")), None);
    }

    #[test]
    fn a_file_is_in_swap() {
        let told = Told::new();
        let file = told.file();
        let escaped = file.display().to_string().replace(' ', "\\040");
        told.write("proc/swaps", format!("Filename Type Size Used Priority\n{escaped} file 1024 0 -2\n"));
        assert_eq!(told.kernel().use_of(&file), Some(used(HostUse::Swap, &file.display().to_string())));
    }

    #[test]
    fn a_file_is_shown_by_a_loop_device_that_may_be_mounted() {
        let told = Told::new();
        let file = told.file();
        told.write("sys/block/loop3/loop/backing_file", format!("{}\n", file.display()));
        told.write("sys/block/loop2/loop/backing_file", "/nonexistent (deleted)\n");
        assert_eq!(told.kernel().use_of(&file), Some(used(HostUse::Loop, "/dev/loop3")));
        told.write("sys/block/loop3/dev", "7:3\n");
        told.write("proc/self/mountinfo", "36 35 7:3 / /media/an\\040iso ro - iso9660 /dev/loop3 ro\n");
        assert_eq!(told.kernel().use_of(&file), Some(used(HostUse::Mounted, "/media/an iso")));
    }

    #[test]
    fn a_device_is_in_use_where_one_of_its_partitions_is() {
        let told = Told::new();
        let whole = rustix::fs::makedev(8, 0);
        let kernel = told.kernel();
        assert_eq!(kernel.use_of_number(whole), None);
        told.write("sys/dev/block/8:0/sda2/partition", "2\n");
        told.write("sys/dev/block/8:0/sda2/dev", "8:2\n");
        told.write("sys/dev/block/8:2/holders/dm-0/dm/name", "debian-root\n");
        assert_eq!(kernel.use_of_number(whole), Some(used(HostUse::Part, "debian-root")));
        told.write("sys/dev/block/9:0/holders/md0/md/level", "raid1\n");
        assert_eq!(kernel.use_of_number(rustix::fs::makedev(9, 0)), Some(used(HostUse::Part, "md0")));
        told.write("proc/self/mountinfo", "22 1 8:2 / / rw shared:1 - ext4 /dev/sda2 rw\n");
        assert_eq!(kernel.use_of_number(whole), Some(used(HostUse::Mounted, "/")));
        assert_eq!(kernel.use_of_number(rustix::fs::makedev(8, 20)), None);
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_tables_does_no_harm(text in "[\\x00-\\x7f]{0,200}") {
            let told = Told::new();
            told.write("proc/self/mountinfo", &text);
            told.write("proc/swaps", &text);
            told.write("sys/block/loop0/loop/backing_file", &text);
            let _ = told.kernel().use_of(&told.file());
            let _ = told.kernel().use_of_number(rustix::fs::makedev(8, 0));
        }
    }
}
