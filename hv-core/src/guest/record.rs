//! What a machine that runs has, whatever its guest's definition says by now. It is kept in the run folder, so that
//! a later core knows it as well.

use super::config::Definition;
use super::exact_size;
use super::install::Ended;
use crate::store;
use hv_api::{Accelerator, ByteSize, ShutdownWait};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Its file in the run folder.
pub const FILE: &str = "running.toml";

/// What the running machine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunRecord {
    /// What runs its instructions.
    pub accelerator: Accelerator,
    /// When it was started, in seconds since 1970.
    pub since: u64,
    /// What is waited for since the guest was asked to shut down.
    #[serde(default)]
    pub asked: Option<ShutdownWait>,
    /// How it has ended by itself, where that says something about an installation.
    #[serde(default)]
    pub ended: Option<Ended>,
    /// The port at which the core serves the install tree that it reads.
    #[serde(default)]
    pub tree_port: Option<u16>,
    /// It is paused, or just told to be, since the host runs on battery.
    #[serde(default)]
    pub on_battery: bool,
    /// The memory that it was started with.
    #[serde(with = "exact_size")]
    memory_at_start: ByteSize,
    /// The most memory that it can be given.
    #[serde(with = "exact_size")]
    most_memory: ByteSize,
    /// The IOMMU groups of the PCI devices that it was started with: its engine can open no others.
    #[serde(default)]
    pub pci_groups: Vec<u32>,
    /// The definition that it was started with, and changed by since.
    pub machine: Definition,
}

impl RunRecord {
    /// That of a machine that was just started from this definition.
    pub fn new(machine: Definition, accelerator: Accelerator, since: u64) -> Self {
        Self {
            accelerator,
            since,
            asked: None,
            ended: None,
            tree_port: None,
            on_battery: false,
            memory_at_start: machine.memory,
            most_memory: machine.most_memory(),
            pci_groups: Vec::new(),
            machine,
        }
    }

    /// That of a machine whose engine can open the devices of these IOMMU groups.
    #[must_use]
    pub fn with_groups(mut self, pci_groups: Vec<u32>) -> Self {
        self.pci_groups = pci_groups;
        self
    }

    /// That of a machine which was given what another one was, whose guest was to have this much memory.
    #[must_use]
    pub fn restored(mut self, given: Option<ByteSize>) -> Self {
        self.machine.memory = given.unwrap_or(self.machine.memory);
        self
    }

    /// The most memory that the machine can be given. What it has less by now than at its start, it can have again.
    pub fn most_memory(&self) -> ByteSize {
        self.most_memory
    }

    /// What another machine must be started as to be given the memory of this one. What its guest was given or has
    /// given back since is in the memory itself; a CPU that it was given counts like those from the beginning.
    pub fn to_restore(&self) -> Definition {
        let mut definition = self.machine.clone();
        definition.memory = self.memory_at_start;
        definition.max_memory = (self.most_memory > self.memory_at_start).then_some(self.most_memory);
        definition
    }

    /// Notes it, whole or not at all. It lives no longer than the engine: nobody waits until it is on a disk.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let new = path.with_extension("new");
        std::fs::write(&new, format!("{text}\n{}", store::END))?;
        std::fs::rename(&new, path)
    }

    /// What an earlier core has noted; nothing where it has not, or where what is there is no such note.
    pub fn read(path: &Path) -> Option<Self> {
        let text = store::read_text(path).ok()?;
        store::is_whole(&text).then(|| toml::from_str(&text).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::config::tests::example;

    #[test]
    fn a_note_that_is_cut_short_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("running.toml");
        let record = RunRecord::new(example(), Accelerator::Emulation, 7);
        record.write(&path).unwrap();
        assert_eq!(RunRecord::read(&path), Some(record.clone()));
        // A core that was ended while it noted something new leaves what was noted before.
        std::fs::create_dir(folder.path().join("running.new")).unwrap();
        assert!(RunRecord { since: 8, ..record.clone() }.write(&path).is_err());
        assert_eq!(RunRecord::read(&path), Some(record));
        let text = std::fs::read_to_string(&path).unwrap();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            std::fs::write(&path, &text[..end]).unwrap();
            assert_eq!(RunRecord::read(&path), None, "cut at {end}");
        }
    }

    #[test]
    fn memory_that_a_guest_gave_back_is_still_the_machines() {
        let definition = Definition { memory: ByteSize::gib(2), max_memory: None, ..example() };
        let mut record = RunRecord::new(definition.clone(), Accelerator::Emulation, 7);
        record.machine.memory = ByteSize::gib(1);
        assert_eq!(record.most_memory(), ByteSize::gib(2));
        assert_eq!(record.to_restore(), definition);
    }
}
