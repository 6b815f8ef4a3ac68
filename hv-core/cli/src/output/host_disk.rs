//! This computer's physical disks in JSON.

use super::views::Word;
use hv_api::{HostDisk, HostPartition, HostUse};
use serde::Serialize;

/// A physical disk.
#[derive(Debug, Serialize)]
pub struct HostDiskView<'a> {
    path: &'a str,
    device: &'a str,
    name: Option<&'a str>,
    serial: Option<&'a str>,
    size: u64,
    removable: bool,
    read_only: bool,
    permitted: bool,
    content: Option<&'a str>,
    label: Option<&'a str>,
    used: Option<Word<HostUse>>,
    used_by: Option<&'a str>,
    guest: Option<&'a str>,
    partitions: Vec<HostPartitionView<'a>>,
}

#[derive(Debug, Serialize)]
struct HostPartitionView<'a> {
    number: u32,
    device: &'a str,
    name: Option<&'a str>,
    size: u64,
    permitted: bool,
    content: Option<&'a str>,
    label: Option<&'a str>,
    used: Option<Word<HostUse>>,
    used_by: Option<&'a str>,
    guest: Option<&'a str>,
}

impl<'a> From<&'a HostDisk> for HostDiskView<'a> {
    fn from(disk: &'a HostDisk) -> Self {
        Self {
            path: &disk.path,
            device: &disk.device,
            name: disk.name.as_deref(),
            serial: disk.serial.as_deref(),
            size: disk.size.as_bytes(),
            removable: disk.removable,
            read_only: disk.read_only,
            permitted: disk.permitted,
            content: disk.content.as_deref(),
            label: disk.label.as_deref(),
            used: disk.used.map(Word),
            used_by: disk.used_by.as_deref(),
            guest: disk.guest.as_deref(),
            partitions: disk.partitions.iter().map(HostPartitionView::from).collect(),
        }
    }
}

impl<'a> From<&'a HostPartition> for HostPartitionView<'a> {
    fn from(part: &'a HostPartition) -> Self {
        Self {
            number: part.number,
            device: &part.device,
            name: part.name.as_deref(),
            size: part.size.as_bytes(),
            permitted: part.permitted,
            content: part.content.as_deref(),
            label: part.label.as_deref(),
            used: part.used.map(Word),
            used_by: part.used_by.as_deref(),
            guest: part.guest.as_deref(),
        }
    }
}
