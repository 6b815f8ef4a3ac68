//! The menu of the boot loader on a guest's own disk.

use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// Whose menu it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum BootLoader {
    /// GRUB 2: `grub.cfg`.
    Grub,
    /// GRUB's first generation: `menu.lst`.
    GrubLegacy,
    /// systemd-boot, and other loaders of entries of which each is a file.
    SystemdBoot,
}

/// One entry of a menu.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct BootMenuEntry {
    /// Its number, from 0, counted through all menus.
    pub number: u32,
    /// Its title, behind the titles of the menus that it is in: `Advanced options › Linux 6.1`.
    pub title: String,
    /// What the boot loader calls it; the title where it has no other name.
    pub id: String,
    /// The Linux kernel that it starts, as a path on the disk; nothing where it starts something else.
    pub kernel: Option<String>,
    /// The initial file systems that go with it.
    pub initrds: Vec<String>,
    /// The kernel's command line.
    pub append: String,
    /// The partition that these are on; nothing where the disk has no partitions.
    pub partition: Option<u32>,
    /// Whether it is the one that is started where nobody chooses.
    pub is_default: bool,
}

/// The menu of the boot loader on a guest's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct BootMenu {
    /// The disk: `disk0`.
    pub disk: String,
    /// Whose menu it is.
    pub loader: BootLoader,
    /// The file that it is written in, as a path on the disk.
    pub config: String,
    /// The partition that this is on; nothing where the disk has no partitions.
    pub partition: Option<u32>,
    /// The entries, in their order.
    pub entries: Vec<BootMenuEntry>,
}

impl BootMenu {
    /// The entry that is started where nobody chooses.
    pub fn default_entry(&self) -> Option<&BootMenuEntry> {
        self.entries.iter().find(|entry| entry.is_default)
    }

    /// The entry with this id or title, with or without those of the menus that it is in.
    pub fn named(&self, name: &str) -> Option<&BootMenuEntry> {
        let whole = |entry: &&BootMenuEntry| entry.id == name || entry.title == name;
        let last = |entry: &&BootMenuEntry| {
            entry.id.rsplit('>').next() == Some(name) || entry.title.rsplit(" › ").next() == Some(name)
        };
        self.entries.iter().find(whole).or_else(|| self.entries.iter().find(last))
    }
}

/// A menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct BootMenuReply {
    /// As it is now.
    pub menu: BootMenu,
}

/// Why no kernel of a guest's disk can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum KernelFault {
    /// The disk's file is in a format that is not read for this.
    Format,
    /// There is no file system on it that can be read.
    NoFileSystem,
    /// No file system on it has the configuration of a boot loader.
    NoLoader,
    /// The menu has no entry that starts a Linux kernel.
    NoEntry,
    /// The menu has no such entry.
    EntryNotFound,
    /// The entry starts no Linux kernel.
    NotLinux,
    /// The entry's kernel, or what goes with it, is not on the disk.
    FileMissing,
    /// The entry's kernel, or what goes with it, is larger than any of these are.
    TooLarge,
    /// The disk could not be read to its end: it is damaged, or made so that it takes for ever.
    Unreadable,
}

/// Why another entry can't be made the default from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum BootDefaultFault {
    /// Nothing on the disk says which entry is the default in a way that can be changed.
    NoPlace,
    /// Files of that file system can't be changed in place.
    FileSystem,
    /// The file system was not left in order: the guest was not shut down, or is only saved.
    Unclean,
    /// What would have to be written is longer than what is there.
    NoRoom,
    /// Where on the disk the file is could not be found out for certain.
    NotLocated,
    /// The disk is read only, or others have it as well.
    NotWritable,
    /// There is nothing to undo, or the disk has changed since.
    NothingToUndo,
}
