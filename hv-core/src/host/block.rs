//! Block devices as Linux tells of them: whole disks and their partitions, and what udev has found out about each.
//!
//! All of it can be read by anybody, without opening a device. What can't be read is left out.

use super::sysfs::{self, under};
use hv_api::ByteSize;
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Linux counts in these, whatever a disk does.
pub const SECTOR: u64 = 512;

/// The most partitions of a disk that are looked at.
const MOST_PARTITIONS: usize = 256;

/// The longest file of udev's that is read, in bytes.
const LONGEST_RECORD: u64 = 64 << 10;

/// A disk or a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    root: PathBuf,
    folder: PathBuf,
    /// Its name in `/dev`.
    pub name: String,
    /// Its device number.
    pub number: u64,
    /// How large it is.
    pub size: ByteSize,
    /// Which partition it is; nothing where it is a whole disk.
    pub partition: Option<u32>,
    /// Where it begins on its disk, in sectors of 512 bytes.
    pub start: u64,
}

impl Block {
    /// The one at a path of this computer; nothing where that is no block device.
    pub fn at(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        if !found.file_type().is_block_device() {
            return None;
        }
        let (major, minor) = (rustix::fs::major(found.rdev()), rustix::fs::minor(found.rdev()));
        Self::read(Path::new("/"), Path::new(&format!("/sys/dev/block/{major}:{minor}")))
    }

    /// The one of which this folder tells.
    pub fn read(root: &Path, folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        let number = |name: &str| sysfs::text(&folder, name)?.parse::<u64>().ok();
        let (major, minor) = sysfs::text(&folder, "dev")?
            .split_once(':')
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))?;
        // `/` in a name stands as `!` there.
        let name = folder.file_name()?.to_str()?.replace('!', "/");
        Some(Self {
            root: root.to_owned(),
            name,
            number: rustix::fs::makedev(major, minor),
            size: ByteSize::bytes(number("size")?.saturating_mul(SECTOR)),
            partition: number("partition").and_then(|number| u32::try_from(number).ok()),
            start: number("start").unwrap_or_default(),
            folder,
        })
    }

    /// Its file.
    pub fn device(&self) -> String {
        format!("/dev/{}", self.name)
    }

    /// The folder in which Linux tells of it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The disk that it is a partition of, or itself.
    pub fn whole(&self) -> Option<Self> {
        if self.partition.is_none() {
            return Some(self.clone());
        }
        Self::read(&self.root, self.folder.parent()?)
    }

    /// Its partitions, by their numbers.
    pub fn partitions(&self) -> Vec<Self> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().take(MOST_PARTITIONS * 4);
        let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let parts = folders.filter(|folder| folder.join("partition").exists());
        let mut found: Vec<Self> = parts
            .filter_map(|folder| Self::read(&self.root, &folder))
            .filter(|part| part.partition.is_some())
            .take(MOST_PARTITIONS)
            .collect();
        found.sort_by_key(|part| part.partition);
        found
    }

    /// What udev knows of it.
    pub fn record(&self) -> Record {
        let (major, minor) = (rustix::fs::major(self.number), rustix::fs::minor(self.number));
        let path = under(&self.root, &format!("/run/udev/data/b{major}:{minor}"));
        let mut text = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(LONGEST_RECORD).read_to_end(&mut text));
        Record::of(&read.map(|_| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default())
    }

    /// A path to it that stays when disks come and go, where udev has made one.
    pub fn lasting_path(&self) -> String {
        let whole = if self.partition.is_some() { self.whole() } else { None };
        match (whole, self.partition) {
            (Some(whole), Some(number)) => {
                let path = whole.lasting_path();
                if path == whole.device() { self.device() } else { format!("{path}-part{number}") }
            }
            _ => self.record().lasting_path().unwrap_or_else(|| self.device()),
        }
    }
}

/// What udev found out about a device.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record {
    values: HashMap<String, String>,
    links: Vec<String>,
}

impl Record {
    fn of(text: &str) -> Self {
        let mut record = Self::default();
        for line in text.lines() {
            match line.split_once(':') {
                Some(("E", value)) => {
                    if let Some((key, value)) = value.split_once('=') {
                        record.values.insert(key.to_owned(), unescaped(value));
                    }
                }
                Some(("S", link)) => record.links.push(link.to_owned()),
                _ => {}
            }
        }
        record
    }

    /// A value as it can be shown.
    pub fn get(&self, key: &str) -> Option<String> {
        sysfs::shown(self.values.get(key)?)
    }

    /// The link by what the disk itself says of itself; among several, one that people can read.
    pub fn lasting_path(&self) -> Option<String> {
        let numbers = |link: &str| {
            ["wwn-", "nvme-eui.", "nvme-nvme.", "scsi-3", "dm-uuid-", "md-uuid-", "lvm-pv-uuid-"]
                .iter()
                .any(|start| link.strip_prefix("disk/by-id/").is_some_and(|name| name.starts_with(start)))
        };
        let plain = |link: &&String| {
            link.starts_with("disk/by-id/") && !link.contains("..") && !link.chars().any(char::is_control)
        };
        let mut links: Vec<&String> = self.links.iter().filter(plain).collect();
        links.sort_by_key(|link| (numbers(link), link.len(), (*link).clone()));
        links.first().map(|link| format!("/dev/{link}"))
    }
}

/// Udev writes what is no plain character as `\x20`.
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let code = rest.strip_prefix("\\x").and_then(|code| u8::from_str_radix(code.get(..2)?, 16).ok());
        let length = if code.is_some() { 4 } else { first.len_utf8() };
        let (this, after) = rest.split_at(length);
        match code {
            Some(code) => bytes.push(code),
            None => bytes.extend_from_slice(this.as_bytes()),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_is_read() {
        let record = Record::of(
            "S:disk/by-id/wwn-0x5000\nS:disk/by-id/ata-Disk_1\nS:disk/by-path/pci-0\nI:17\n\
             E:ID_FS_TYPE=ext4\nE:ID_FS_LABEL_ENC=my\\x20disk\nE:ODD\nG:systemd\n",
        );
        assert_eq!(record.get("ID_FS_TYPE").as_deref(), Some("ext4"));
        assert_eq!(record.get("ID_FS_LABEL_ENC").as_deref(), Some("my disk"));
        assert_eq!(record.get("ODD"), None);
        assert_eq!(record.lasting_path().as_deref(), Some("/dev/disk/by-id/ata-Disk_1"));
        let hostile = Record::of("S:disk/by-id/../../etc/passwd\nS:other\n");
        assert_eq!(hostile.lasting_path(), None);
    }

    proptest! {
        #[test]
        fn no_record_does_harm(text in any::<String>()) {
            let record = Record::of(&text);
            let _ = record.lasting_path();
            let _ = unescaped(&text);
        }

        #[test]
        fn plain_text_stays(text in "[a-zA-Z0-9ä\\\\ ]{0,20}") {
            prop_assert_eq!(unescaped(&text), text);
        }
    }
}
