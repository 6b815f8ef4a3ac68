//! A guest's disks: what clients are told of them, and what can be asked for.

use crate::{Applied, ByteSize, NotNow};
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// What a disk is attached to, and so which driver its guest needs for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum DiskBus {
    /// Virtio, made for guests: the quickest.
    Virtio,
    /// SATA, which nearly every system has a driver for. Comes and goes at a start only.
    Sata,
    /// `NVMe`. Its guest is told of errors, also where the host's disk is full: it is not paused. A guest that has
    /// one can't be saved: QEMU does not write down what state it is in.
    Nvme,
    /// SCSI, through a virtio controller.
    Scsi,
    /// A USB stick.
    Usb,
}

/// How what a guest writes to a disk gets to the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum DiskCache {
    /// Through the host's page cache, and on its disk when the guest asks for that. The usual.
    Writeback,
    /// Past the host's page cache, and on its disk when the guest asks for that.
    None,
    /// Past the host's page cache, and on its disk before the guest hears that it is written.
    Directsync,
    /// Through the host's page cache, and on its disk some time: a host that fails damages it.
    Unsafe,
}

/// One disk of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct DiskInfo {
    /// Its name within the guest: `disk0`, `disk1`, … It keeps it when others are taken away.
    pub name: String,
    /// The file behind it.
    pub path: String,
    /// The numbers of the partitions that the guest gets of the physical disk at `path`; none where it gets all that is
    /// there.
    pub partitions: Vec<u32>,
    /// The format of that file: `qcow2`, `raw`, `vmdk`, `vdi`, `vhdx` or `vpc`.
    pub format: String,
    /// The size that the guest sees, where the file could be read.
    pub size: Option<ByteSize>,
    /// What the file takes up on the host, where that could be read.
    pub used: Option<ByteSize>,
    /// The files outside of the guest's folder that it builds on, to which somebody has agreed.
    pub backing: Vec<String>,
    /// What it is attached to.
    pub bus: DiskBus,
    /// How it is cached.
    pub cache: DiskCache,
    /// Whether what the guest deletes is given back to the host.
    pub discard: bool,
    /// The serial number that the guest sees, where it is not the disk's name.
    pub serial: Option<String>,
    /// Whether the guest can only read it.
    pub read_only: bool,
    /// Whether guests may have it at the same time, where all say so.
    pub shareable: bool,
    /// Whether its file is in the guest's own folder, and goes with it.
    pub own: bool,
    /// Whether the guest has it at this moment and it can be taken away at once.
    pub removable: bool,
}

/// A disk to add. A new one has `size`, one that exists has `path`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct NewDisk {
    /// The size of a new disk, at least 1 MiB.
    pub size: Option<ByteSize>,
    /// A disk image or block device: an absolute path.
    pub path: Option<String>,
    /// The partitions that the guest gets of the physical disk at `path`, by their numbers: 1–32 of them, and nothing else
    /// of the disk. A path to a partition means just that one.
    pub partitions: Option<Vec<u32>>,
    /// True for a copy of what is at `path`, which then may be in a form of other programs, or packed. For disks of new
    /// guests; to one that is there, a copy is added by a job.
    pub copy: Option<bool>,
    /// The files that the image at `path` builds on, all of them and in their order, where somebody has agreed to them.
    pub backing: Option<Vec<String>>,
    /// What is copied of the appliance at `path`: the name of a file that belongs to it, as its description has it. The
    /// appliance's files are first compared with its manifest, where it has one.
    pub member: Option<String>,
    /// Its format, where it is not to be found out: `raw` for one without a partition table.
    pub format: Option<String>,
    /// What it is attached to; virtio where left out.
    pub bus: Option<DiskBus>,
    /// How it is cached; write-back where left out.
    pub cache: Option<DiskCache>,
    /// False where what the guest deletes is not to be given back to the host.
    pub discard: Option<bool>,
    /// The serial number that the guest sees: 1–20 letters, digits and punctuation marks of ASCII.
    pub serial: Option<String>,
    /// True where the guest shall only read it.
    pub read_only: Option<bool>,
    /// True where guests may have it at the same time. Raw disks only.
    pub shareable: Option<bool>,
}

/// New values for a disk; what is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct DiskSettings {
    /// What it is attached to.
    pub bus: Option<DiskBus>,
    /// How it is cached.
    pub cache: Option<DiskCache>,
    /// Whether what the guest deletes is given back to the host.
    pub discard: Option<bool>,
    /// The serial number that the guest sees; empty for the disk's name.
    pub serial: Option<String>,
    /// Whether the guest can only read it.
    pub read_only: Option<bool>,
    /// Whether guests may have it at the same time. Raw disks only.
    pub shareable: Option<bool>,
}

/// What became of a disk that was added or taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct DiskReply {
    /// The disk's name.
    pub disk: String,
    /// When it takes effect.
    pub applied: Applied,
    /// Why it waits, where it does.
    pub reason: Option<NotNow>,
    /// Whether its file was deleted, as a removal may ask for. One that still has a part in the running
    /// machine stays.
    pub deleted: bool,
}

/// What on the host has a file or a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum HostUse {
    /// A file system on it is mounted.
    Mounted,
    /// The host swaps to it.
    Swap,
    /// A loop device shows it.
    Loop,
    /// It is a part of another block device: LVM, RAID or encryption.
    Part,
    /// A program has it for itself alone. By whom is empty where that can't be known.
    Program,
}

/// The room that the host has for what a guest's disks can still take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct HostRoom {
    /// The folder of the disks, in the fullest file system that has any.
    pub folder: String,
    /// What is free there.
    pub free: ByteSize,
    /// What more must be free for the guest to go on by itself.
    pub needed: ByteSize,
    /// What more it takes until these disks can't fill it any more.
    pub missing: ByteSize,
}
