//! The physical disks of this computer, as a guest can have them: whole, or some of their partitions.

use crate::{ByteSize, HostUse};
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// All physical disks of this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct HostDisks {
    /// In the order of their names.
    pub disks: Vec<HostDisk>,
}

/// A physical disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct HostDisk {
    /// Where it is for good, also when disks come and go: a path in `/dev/disk/by-id` where there is one. What a guest's
    /// definition names.
    pub path: String,
    /// Where it is now, as `/dev/sda`.
    pub device: String,
    /// What it calls itself.
    pub name: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// How large it is.
    pub size: ByteSize,
    /// Whether it is made to be taken away, as a USB stick.
    pub removable: bool,
    /// Whether it can't be written.
    pub read_only: bool,
    /// Whether this user may read and write it.
    pub permitted: bool,
    /// What is on it as a whole, where it has no partitions: the name of a file system, `swap`, `LVM2_member`, …
    pub content: Option<String>,
    /// The label of that.
    pub label: Option<String>,
    /// What this computer does with it or with one of its partitions.
    pub used: Option<HostUse>,
    /// Where or through what.
    pub used_by: Option<String>,
    /// The guest that has it, or one of its partitions.
    pub guest: Option<String>,
    /// Its partitions, by their numbers.
    pub partitions: Vec<HostPartition>,
}

/// A partition of a physical disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct HostPartition {
    /// Its number, from 1.
    pub number: u32,
    /// Where it is now, as `/dev/sda2`.
    pub device: String,
    /// What the partition table calls it.
    pub name: Option<String>,
    /// How large it is.
    pub size: ByteSize,
    /// Whether this user may read and write it.
    pub permitted: bool,
    /// What is on it: the name of a file system, `swap`, `LVM2_member`, …
    pub content: Option<String>,
    /// The label of that.
    pub label: Option<String>,
    /// What this computer does with it.
    pub used: Option<HostUse>,
    /// Where or through what.
    pub used_by: Option<String>,
    /// The guest that has it.
    pub guest: Option<String>,
}
