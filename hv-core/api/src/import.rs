//! Machines of other programs: what was understood of one, what is otherwise here, and what can't be.

use crate::NewGuest;
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum ImportKind {
    /// A configuration of Xen's, as `xm` and `xl` read it.
    XenConfig,
    /// A domain of libvirt's, in XML.
    LibvirtXml,
    /// An appliance: OVF beside its files, or OVA.
    Appliance,
    /// A disk image without any machine.
    DiskImage,
}

/// What becomes of one thing that the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum ImportOutcome {
    /// It is so here.
    Kept,
    /// Something else stands for it here.
    Changed,
    /// It can't be here, and the guest goes without.
    Lost,
}

/// Why something is otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum ImportReason {
    /// Nothing here knows what it means.
    Unknown,
    /// It is understood, and there is nothing like it here.
    NoCounterpart,
    /// It told the other program how to run machines; here that is done otherwise.
    NotNeeded,
    /// It is more or less than can be here, and is as near to it as can be.
    OutOfRange,
    /// The name is not one, or another guest has it; the guest gets another.
    Name,
    /// Another guest has this identity; the guest gets a new one.
    Identity,
    /// The host has no such bridge; the guest shares the host's connection.
    NoBridge,
    /// It was a paravirtual guest; here it is a whole PC, with virtio devices.
    Paravirtual,
    /// Its kernel was taken from its own disk; here its firmware starts what is on the disk.
    KernelOnDisk,
    /// Its kernel was taken from its own disk, and is so here: what the boot loader there would start, found anew at each
    /// start.
    KernelFromDisk,
    /// The guest saw a partition; here it sees a disk, whose name in the guest is another.
    PartitionAsDisk,
    /// A file of this name is beside the imported one, and is used instead.
    FoundBeside,
    /// The file is not on this computer, and no guest can be made without it.
    FileMissing,
    /// The device is another one here, for which the guest needs a driver of its own.
    OtherDevice,
    /// It is a licence, which a person should read.
    Licence,
    /// It is another machine, or another way to set this one up, than the one that was chosen.
    OneOfSeveral,
    /// Nobody can tell whether it is as its maker made it.
    NotVerified,
    /// It is somewhere on a network, from where nothing is fetched.
    Remote,
    /// It would be outside of the folder or archive that it comes in.
    Outside,
    /// It is copied into a disk of the guest's own; the file stays as it is.
    Copied,
}

/// What becomes of one thing that the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct ImportNote {
    /// What the file says, on one line: `vif: mac=00:16:3e:6d:02:f3, bridge=xenbr0`.
    pub item: String,
    /// What becomes of it.
    pub outcome: ImportOutcome,
    /// Why, where it is not as the file says.
    pub reason: Option<ImportReason>,
}

/// What a file of another program comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct ImportPlan {
    /// Whose file it is.
    pub kind: ImportKind,
    /// The guest that would be made of it.
    pub guest: NewGuest,
    /// What becomes of all that the file says, in its order.
    pub notes: Vec<ImportNote>,
    /// The machines in the file, where there are several: any of them can be asked for.
    pub machines: Vec<String>,
    /// Licences of the machine, as long as they are up to 64 thousand characters each.
    pub licences: Vec<String>,
}
