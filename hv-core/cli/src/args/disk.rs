//! What can be done with a guest's disks.

use super::{path, size};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use hv_api::{ByteSize, DiskBus, DiskCache, DiskSettings, NewDisk};

/// What is done with a guest's disks.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum DiskAction {
    /// Add a disk: a new one, or an image or block device that exists. At once where the guest runs and its
    /// machine can have it, else with its next start.
    Add(Box<AddDisk>),
    /// Take a disk away. Its file stays, unless it is asked to be deleted.
    Remove {
        /// The disk.
        #[arg(long, value_name = "NAME")]
        disk: String,
        /// Delete its file, which must be in the guest's folder, too.
        #[arg(long)]
        delete: bool,
    },
    /// Change what a disk is attached to and how. A guest that runs has it so after its next start.
    Set(Box<SetDisk>),
    /// Make a disk larger. What is on it stays.
    Grow {
        /// The disk [default: the first].
        #[arg(long)]
        disk: Option<String>,
        /// Its new size, as 40GiB.
        #[arg(value_parser = size)]
        size: ByteSize,
    },
}

/// A disk to add.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(group(ArgGroup::new("source").required(true).args(["size", "path"])))]
pub struct AddDisk {
    /// Make a new disk of this size, as 20GiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size: Option<ByteSize>,
    /// Use this image, physical disk or partition, in place.
    #[arg(long, value_name = "PATH", value_parser = path)]
    path: Option<String>,
    /// Of the physical disk at the path, give the guest these partitions and nothing else, as 2,3.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', conflicts_with_all = ["size", "copy"])]
    partitions: Option<Vec<u32>>,
    /// Its format: qcow2, raw, vmdk, vdi, vhdx, vpc [default: what it says itself; qcow2 for a new one].
    #[arg(long)]
    format: Option<String>,
    /// A file that the image builds on and that the guest may read; each is named, in the order in which they are told.
    #[arg(long, value_name = "PATH", value_parser = path, conflicts_with = "size")]
    pub backing: Vec<String>,
    /// Copy the image into a new disk instead of using it in place.
    #[arg(long, conflicts_with = "size")]
    pub copy: bool,
    /// What it is attached to [default: virtio].
    #[arg(long, value_enum)]
    bus: Option<Bus>,
    /// How it is cached [default: writeback].
    #[arg(long, value_enum)]
    cache: Option<Cache>,
    /// Whether what the guest deletes is given back to the host [default: true].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    discard: Option<bool>,
    /// The serial number that the guest sees [default: the disk's name].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    serial: Option<String>,
    /// The guest can only read it.
    #[arg(long)]
    read_only: bool,
    /// Guests may have it at the same time, where all say so; raw disks only.
    #[arg(long)]
    shareable: bool,
}

/// New values for a disk.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(group(ArgGroup::new("setting").required(true).multiple(true)
    .args(["bus", "cache", "discard", "serial", "read_only", "shareable"])))]
pub struct SetDisk {
    /// The disk.
    #[arg(long, value_name = "NAME")]
    pub disk: String,
    /// What it is attached to.
    #[arg(long, value_enum)]
    bus: Option<Bus>,
    /// How it is cached.
    #[arg(long, value_enum)]
    cache: Option<Cache>,
    /// Whether what the guest deletes is given back to the host.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    discard: Option<bool>,
    /// The serial number that the guest sees; empty for the disk's name.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    serial: Option<String>,
    /// Whether the guest can only read it.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_only: Option<bool>,
    /// Whether guests may have it at the same time; raw disks only.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    shareable: Option<bool>,
}

/// What a disk is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bus {
    Virtio,
    Sata,
    Nvme,
    Scsi,
    Usb,
}

/// How a disk is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cache {
    /// Through the host's memory, and on its disk when the guest asks for that.
    Writeback,
    /// Past the host's memory.
    None,
    /// Past the host's memory, and on its disk before the guest hears that it is written.
    Directsync,
    /// Through the host's memory, and on its disk some time: a host that fails damages it.
    Unsafe,
}

impl From<Bus> for DiskBus {
    fn from(bus: Bus) -> Self {
        match bus {
            Bus::Virtio => Self::Virtio,
            Bus::Sata => Self::Sata,
            Bus::Nvme => Self::Nvme,
            Bus::Scsi => Self::Scsi,
            Bus::Usb => Self::Usb,
        }
    }
}

impl From<Cache> for DiskCache {
    fn from(cache: Cache) -> Self {
        match cache {
            Cache::Writeback => Self::Writeback,
            Cache::None => Self::None,
            Cache::Directsync => Self::Directsync,
            Cache::Unsafe => Self::Unsafe,
        }
    }
}

impl AddDisk {
    /// The same in the core's words.
    pub fn into_disk(self) -> NewDisk {
        NewDisk {
            size: self.size,
            path: self.path,
            copy: None,
            partitions: self.partitions,
            member: None,
            backing: Some(self.backing).filter(|files| !files.is_empty()),
            format: self.format,
            bus: self.bus.map(DiskBus::from),
            cache: self.cache.map(DiskCache::from),
            discard: self.discard,
            serial: self.serial,
            read_only: self.read_only.then_some(true),
            shareable: self.shareable.then_some(true),
        }
    }
}

impl SetDisk {
    /// The same in the core's words.
    pub fn into_settings(self) -> DiskSettings {
        DiskSettings {
            bus: self.bus.map(DiskBus::from),
            cache: self.cache.map(DiskCache::from),
            discard: self.discard,
            serial: self.serial,
            read_only: self.read_only,
            shareable: self.shareable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Call, Command};
    use clap::Parser;

    fn action(line: &str) -> Result<DiskAction, clap::Error> {
        match Args::try_parse_from(line.split_whitespace())?.command {
            Command::Call(Call::Disk { action: Some(action), .. }) => Ok(action),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_disk_is_added_as_was_said() {
        let Ok(DiskAction::Add(add)) =
            action("hv disk A add --size 1GiB --bus nvme --discard=false --serial a,b")
        else {
            panic!()
        };
        let expected = NewDisk {
            copy: None,
            member: None,
            backing: None,
            size: Some(ByteSize::gib(1)),
            bus: Some(DiskBus::Nvme),
            discard: Some(false),
            serial: Some("a,b".into()),
            ..NewDisk::default()
        };
        assert_eq!(add.into_disk(), expected);
        for wrong in [
            "hv disk A add",
            "hv disk A add --size 1GiB --path /d",
            "hv disk A add --size 1GiB --copy",
            "hv disk A add --size 1",
            "hv disk A add --size 1GiB --partitions 1",
            "hv disk A add --path /dev/sda --partitions x",
            "hv disk A add --path /d --bus ide",
            "hv disk A remove",
            "hv disk A set --disk disk0",
            "hv disk A set --cache none",
        ] {
            assert_eq!(action(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn what_is_set_is_what_was_said() {
        let Ok(DiskAction::Set(set)) =
            action("hv disk A set --disk disk1 --cache none --read-only --shareable=false")
        else {
            panic!()
        };
        let expected = DiskSettings {
            cache: Some(DiskCache::None),
            read_only: Some(true),
            shareable: Some(false),
            ..DiskSettings::default()
        };
        assert_eq!((set.disk.as_str(), set.clone().into_settings()), ("disk1", expected));
    }
}
