//! A machine's disks, as an engine is asked for them.

use crate::storage::partial::Partial;
use hv_api::{DiskBus, DiskCache};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The most disks that a machine has.
pub const MAX_DISKS: usize = 14;

/// A disk's name within its guest, `disk0` to `disk13`. It says where the disk is in the machine, and stays the same
/// when others come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DiskName(u8);

/// A text that is no disk's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no disk's name: they go from disk0 to disk{last}", last = MAX_DISKS - 1)]
pub struct NotADisk(String);

impl DiskName {
    /// The name of the first disk.
    pub const FIRST: Self = Self(0);

    /// The name with this number; nothing beyond the last.
    pub fn numbered(number: usize) -> Option<Self> {
        u8::try_from(number).ok().filter(|_| number < MAX_DISKS).map(Self)
    }

    /// Its number, from 0.
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    /// The first name that none of these disks has; nothing where all are taken.
    pub fn free(taken: impl IntoIterator<Item = Self>) -> Option<Self> {
        let taken: Vec<Self> = taken.into_iter().collect();
        (0..MAX_DISKS).filter_map(Self::numbered).find(|name| !taken.contains(name))
    }
}

impl fmt::Display for DiskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "disk{}", self.0)
    }
}

impl FromStr for DiskName {
    type Err = NotADisk;

    fn from_str(text: &str) -> Result<Self, NotADisk> {
        let name = text.strip_prefix("disk").and_then(|number| Self::numbered(number.parse().ok()?));
        // There is one way to write it: neither `disk+1` nor `disk01`.
        name.filter(|name| name.to_string() == text).ok_or_else(|| NotADisk(text.to_owned()))
    }
}

impl From<DiskName> for String {
    fn from(name: DiskName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for DiskName {
    type Error = NotADisk;

    fn try_from(text: String) -> Result<Self, NotADisk> {
        text.parse()
    }
}

/// One disk of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskConfig {
    /// Its name.
    pub name: DiskName,
    /// The volume behind it.
    pub path: PathBuf,
    /// Whether that is a block device.
    pub is_device: bool,
    /// What of it the machine gets, where that is not all of it: `path` is a physical disk then.
    pub partial: Option<Partial>,
    /// Where what the machine writes goes instead: a qcow2 file of the same size, in which only that is.
    pub layer: Option<PathBuf>,
    /// Its format.
    pub format: DiskFormat,
    /// What it is attached to.
    pub bus: DiskBus,
    /// The slot that it is in, of a bus that has any; nothing where it has a fixed place, at which it can't be taken
    /// away while the machine runs.
    pub slot: Option<u32>,
    /// How it is cached.
    pub cache: DiskCache,
    /// Whether what the guest deletes is given back to the host.
    pub discard: bool,
    /// The serial number that the guest sees: 1–20 visible characters of ASCII; the name where there is none.
    pub serial: Option<String>,
    /// Whether the guest can only read it.
    pub read_only: bool,
    /// Whether other machines may have it at the same time.
    pub shareable: bool,
}

impl DiskConfig {
    /// A disk that is as disks are where nothing else is said.
    pub fn new(name: DiskName, path: impl Into<PathBuf>, format: DiskFormat) -> Self {
        Self {
            name,
            path: path.into(),
            is_device: false,
            partial: None,
            layer: None,
            format,
            bus: DiskBus::Virtio,
            slot: None,
            cache: DiskCache::Writeback,
            discard: true,
            serial: None,
            read_only: false,
            shareable: false,
        }
    }

    /// Finds out whether the volume is a block device, which engines open in another way.
    pub fn find_device(&mut self) {
        let found = std::fs::metadata(&self.path);
        self.is_device = found.is_ok_and(|found| found.file_type().is_block_device());
    }

    /// What of this computer's disks the machine has for itself alone.
    pub fn devices(&self) -> Vec<PathBuf> {
        match &self.partial {
            _ if self.read_only || self.shareable => Vec::new(),
            Some(partial) => partial.devices().map(Path::to_owned).collect(),
            None if self.is_device => vec![self.path.clone()],
            None => Vec::new(),
        }
    }
}

/// The format of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskFormat {
    /// QEMU's own: grows as it is written, knows snapshots.
    Qcow2,
    /// Plain bytes.
    Raw,
    /// `VMware`'s.
    Vmdk,
    /// `VirtualBox`'s.
    Vdi,
    /// Hyper-V's.
    Vhdx,
    /// Virtual PC's, which is older: VHD.
    Vpc,
}

impl DiskFormat {
    /// Its name, the same everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhdx => "vhdx",
            Self::Vpc => "vpc",
        }
    }

    /// The format of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        let all = [Self::Qcow2, Self::Raw, Self::Vmdk, Self::Vdi, Self::Vhdx, Self::Vpc];
        all.into_iter().find(|format| format.name() == name)
    }

    /// Whether guests write volumes of this format. The others are of other programs, and only read.
    pub fn is_written(self) -> bool {
        matches!(self, Self::Qcow2 | Self::Raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_in_one_way() {
        for number in 0..MAX_DISKS {
            let name = DiskName::numbered(number).unwrap();
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        for text in ["", "disk", "disk14", "disk01", "disk+1", "disk-1", "disk 1", "Disk1", "cd0", "disk256"]
        {
            assert_eq!(text.parse::<DiskName>(), Err(NotADisk(text.to_owned())));
        }
    }

    #[test]
    fn the_first_free_name_is_taken() {
        let names = |numbers: &[usize]| -> Vec<DiskName> {
            numbers.iter().filter_map(|number| DiskName::numbered(*number)).collect()
        };
        assert_eq!(DiskName::free(names(&[0, 2])), DiskName::numbered(1));
        assert_eq!(DiskName::free((0..MAX_DISKS).filter_map(DiskName::numbered)), None);
    }
}
