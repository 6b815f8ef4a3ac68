//! What a file turned out to be when the core looked at it.

use crate::{ByteSize, Express, Firmware};
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum MediumKind {
    /// An optical disc's image (ISO 9660).
    Iso,
    /// A hard disk's image.
    DiskImage,
    /// A folder with what installs a system.
    Tree,
    /// A physical disk of this computer, or a partition of one.
    BlockDevice,
    /// What Xen is told about a machine, as `xm` and `xl` read it.
    XenConfig,
    /// What libvirt is told about a machine, in XML.
    LibvirtXml,
    /// A whole machine as programs hand it on (OVF, OVA), which is imported.
    Appliance,
    /// Something else.
    Unknown,
}

/// Which firmware can start from a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum BootMode {
    /// The PC's traditional firmware.
    Bios,
    /// UEFI firmware.
    Uefi,
}

/// How sure the core is about the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum Confidence {
    /// The medium says so itself in more than one place.
    Exact,
    /// Its label looks like it.
    Probable,
    /// Nothing is known.
    Unknown,
}

/// Something about a medium that a person should know before using it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum MediumNote {
    /// No boot record was found: a guest may not start from it.
    NotBootable,
    /// The file is shorter than the disc it claims to hold: the download may be incomplete.
    CutShort,
    /// It can be started by UEFI firmware only.
    UefiOnly,
    /// The boot record points outside of the file or is damaged.
    BootRecordDamaged,
    /// It is a disk image that builds on other files: those that are listed with it, to which a person has to agree.
    BuildsOnOthers,
    /// It is a disk image that builds on other files, which can't be followed.
    FoundationUnknown,
}

/// Resources that suit a medium and this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Recommended {
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory: ByteSize,
    /// The size of a new disk.
    pub disk: ByteSize,
}

/// An operating system to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct OsChoice {
    /// Its short id.
    pub os: String,
    /// Its name for people.
    pub os_name: String,
    /// When it was released, as `2023-06-10`, where that is known.
    pub released: Option<String>,
    /// Resources that suit it on this host.
    pub recommended: Recommended,
}

/// What is in an appliance. Where there are several machines in it, this is the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct ApplianceInfo {
    /// The machine's name.
    pub name: String,
    /// All machines in it, this one first.
    pub machines: Vec<String>,
    /// The product on it, where that has a name.
    pub product: Option<String>,
    /// How many CPUs the machine has, where that is said.
    pub cpus: Option<u32>,
    /// Its memory, where that is said.
    pub memory: Option<ByteSize>,
    /// Its firmware.
    pub firmware: Firmware,
    /// Its disks.
    pub disks: Vec<ApplianceDisk>,
    /// The networks of its network cards, a card each; empty where a card's network has no name.
    pub networks: Vec<String>,
    /// How many licences a person should read.
    pub licences: u32,
    /// Whether there are digests by which its files can be checked, which an import does.
    pub has_manifest: bool,
}

/// A disk in an appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct ApplianceDisk {
    /// Its file; nothing of one that is empty.
    pub file: Option<String>,
    /// Its format, as `vmdk`, or what it is packed with, as `gz`; nothing where it can't be used.
    pub format: Option<String>,
    /// The size that the machine sees, where that is known.
    pub size: Option<ByteSize>,
    /// The length of its file, where it is there.
    pub length: Option<ByteSize>,
}

/// A file that a disk image builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct BackingFile {
    /// Where it really is, links followed.
    pub path: String,
    /// Its format.
    pub format: String,
    /// Whether it is in another folder than the image.
    pub outside: bool,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct MediumInfo {
    /// The file, as it was asked for.
    pub path: String,
    /// Its kind.
    pub kind: MediumKind,
    /// The operating system on it, as a short id of the operating-system database.
    pub os: Option<String>,
    /// The operating system's name for people.
    pub os_name: Option<String>,
    /// Every system that it may be, the likeliest first. Where `os` is missing and these are not, a person has to
    /// choose. Empty where there is no doubt, and where nothing is known.
    pub candidates: Vec<OsChoice>,
    /// The kind of system, as `linux`, `winnt` or `freebsd`.
    pub family: Option<String>,
    /// How sure that is.
    pub confidence: Confidence,
    /// True where this computer's operating-system database does not know the release: then `os` is by the medium's
    /// own words, and what is recommended is by the nearest release that it knows.
    pub newer_than_database: bool,
    /// The processor it is for, as `x86_64` or `i686`, where that is known.
    pub arch: Option<String>,
    /// The system's editions that are on it.
    pub variants: Vec<String>,
    /// Languages that are on it, as `de_DE`, where it says so.
    pub languages: Vec<String>,
    /// Whether it can be used without installing; missing where that is unknown.
    pub live: Option<bool>,
    /// The installer's kernel, as a path on the medium.
    pub kernel: Option<String>,
    /// What is loaded with that kernel.
    pub initrd: Option<String>,
    /// What the kernel has to be told to find what it installs.
    pub kernel_args: Option<String>,
    /// Which firmware can start from it.
    pub boot: Vec<BootMode>,
    /// The disc's name for itself (ISO 9660 volume id).
    pub volume_id: Option<String>,
    /// The system it says it is for (ISO 9660 system id).
    pub system_id: Option<String>,
    /// Who published it (ISO 9660 publisher id).
    pub publisher_id: Option<String>,
    /// What it was made with (ISO 9660 application id).
    pub application_id: Option<String>,
    /// The size of the disc that the file claims to hold.
    pub volume_size: Option<ByteSize>,
    /// The file's length.
    pub size: ByteSize,
    /// A disk image's format: `qcow2` or `raw`.
    pub format: Option<String>,
    /// The size that a guest would see of a disk image.
    pub virtual_size: Option<ByteSize>,
    /// Whether it can be installed without questions, with `express` of a new guest; nothing where it is no disc.
    #[serde(default)]
    pub express: Option<Express>,
    /// Whether it is a disk image that sets itself up at its first start, as `cloud` of a new guest tells it.
    #[serde(default)]
    pub cloud_image: bool,
    /// What its makers call the user that such an image makes.
    #[serde(default)]
    pub cloud_user: Option<String>,
    /// Whether it is a partition with the configuration of a boot loader that says which Linux kernel to start. Such a
    /// partition seldom starts by itself: `kernel_disk` of a new guest does it.
    #[serde(default)]
    pub kernel_on_disk: bool,
    /// Resources that suit it.
    pub recommended: Recommended,
    /// A name for a guest made from it, not yet taken.
    pub suggested_name: String,
    /// What a person should know before using it.
    pub notes: Vec<MediumNote>,
    /// What is in it, of an appliance.
    pub appliance: Option<ApplianceInfo>,
    /// The files that a disk image builds on, from the nearest on.
    pub backing: Vec<BackingFile>,
    /// Why what it builds on can't be followed, with the file at which that is so, in English.
    pub backing_fault: Option<String>,
}
