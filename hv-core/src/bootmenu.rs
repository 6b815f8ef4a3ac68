//! What the boot loader on a guest's own disk would start: its menu, the kernel and the initial file systems of an
//! entry, and what has to be written to make another entry the default.
//!
//! A guest's disk is hostile: whoever is in the guest writes it. So all of this is read in a process of its own
//! (`child`), which can reach nothing but the disk and is given little time and memory; the rest of the core only
//! `ask`s it. The readers themselves are pure over [`bytes::Bytes`]: they are bounded in what they read and remember,
//! and nothing of what they find is ever run. They write nothing.

mod ask;
mod bls;
mod bytes;
mod child;
mod default;
mod environment;
mod file_system;
mod find;
mod grub;
mod image;
mod installed;
mod legacy;
mod partitions;
mod script;
mod systemd_boot;
mod version;

pub use ask::{Extracted, NoAnswer, Place, Reader};
pub use bytes::{Bytes, Disk};
pub use child::run;
pub use default::{Change, NotChanged, change};
pub use find::{Found, copy, entries_in, menu};
pub use installed::{Installed, installed};

/// The partitions of a disk, as they are found when a guest's disk is read: number, whether it is the one to start from,
/// length in bytes.
#[cfg(test)]
pub(crate) fn partitions(disk: &std::rc::Rc<Disk>) -> Vec<(u32, bool, u64)> {
    let found = partitions::read(disk).into_iter();
    found.filter_map(|one| Some((one.number?, one.active, one.part.length()))).collect()
}

/// What is asked of the process that reads.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Question {
    /// The formats of the disk's file and of those that it builds on, whose descriptors come with this.
    formats: Vec<crate::engine::DiskFormat>,
    /// How long these files are, where they are pieces of the disk that follow each other and not layers of it.
    pieces: Vec<u64>,
    /// Whether UEFI firmware would start from it.
    uefi: bool,
    /// What the guest calls it.
    disk: String,
    /// What for.
    task: Task,
}

/// What a disk is read for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Task {
    /// To show the menu.
    Menu,
    /// To start an entry, or else the default: two more descriptors come, for the kernel and the initial file systems.
    Copy(Choice),
    /// To make an entry the default.
    Default(u32),
    /// To say which system is on it.
    System,
    /// To undo such a change, if it is still there.
    Undo(Change),
}

/// Which entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Choice {
    /// The one that the boot loader would choose.
    #[default]
    Default,
    /// By its number.
    Number(u32),
    /// By its title or id.
    Named(String),
}

/// What the process that reads answers.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) enum Answer {
    /// The menu.
    Menu(hv_api::BootMenu),
    /// What was copied.
    Copied {
        /// The entry.
        entry: hv_api::BootMenuEntry,
        /// Whether there is an initial file system.
        initrd: bool,
    },
    /// The system on it, and whether a kernel of its own can be started.
    System(Option<Installed>, bool),
    /// What is to be written; nothing where it is so already.
    Change(Option<Change>),
    /// Why nothing is: of the disk, what was looked at.
    Nothing(hv_api::KernelFault, String),
    /// Why another entry can't be made the default.
    Fixed(hv_api::BootDefaultFault, String),
}
