//! A guest's saved state on disk: the folder `saved` in the guest's own.
//!
//! It has three files: `memory`, as the engine wrote it; `guest.toml`, the definition of the machine that was
//! saved, which by now may not be the guest's any more; and `saved.toml`, what else must fit when it goes on.
//!
//! Promises that a saved state is whole or not there: it is written in the folder `.saving`, flushed, and that
//! folder then becomes `saved` by a rename. In the same way it ends: `saved` becomes `.resumed` before the first
//! instruction of the restored machine, and is deleted once that has run. So where there is a `saved`, no CPU
//! has run since it was written. What an interruption leaves is told apart by these names alone.

use super::config::Definition;
use super::exact_size;
use crate::store::{self, read_text};
use hv_api::{Accelerator, ByteSize, Error};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tracing::warn;

const SAVED: &str = "saved";
const WRITING: &str = ".saving";
const RESUMED: &str = ".resumed";
const DOOMED: &str = ".discarded";

const MEMORY: &str = "memory";
/// The file with the definition of the machine that was saved.
pub const DEFINITION: &str = "guest.toml";
const FACTS: &str = "saved.toml";

/// The version that this program writes, and the newest that it reads.
const VERSION: u32 = 1;

/// What must fit when a saved state goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    version: u32,
    /// What ran the guest's instructions.
    pub accelerator: Accelerator,
    /// The version of the engine.
    pub engine: Option<String>,
    /// When it was saved, in seconds since 1970.
    pub since: u64,
    /// Whether its CPUs ran before.
    pub running: bool,
    /// The memory that the guest was to have, where that is not what its machine was started with.
    #[serde(default, with = "exact_size::optional", skip_serializing_if = "Option::is_none")]
    pub given: Option<ByteSize>,
    /// What was added to the machine's memory while it ran, piece by piece, in bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<ByteSize>,
    /// Set while this program changes what the disks have besides what the guest sees of them. Where it was ended
    /// in that, their marks are of no use.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    altering: bool,
    /// The length of the memory's file in bytes; zero until that is written.
    memory: u64,
    /// The disks as they were left.
    #[serde(default, rename = "disk", skip_serializing_if = "Vec::is_empty")]
    disks: Vec<DiskMark>,
}

/// By what it shows that a disk was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct DiskMark {
    path: PathBuf,
    length: u64,
    /// Its last change, in seconds and nanoseconds since 1970.
    modified: (i64, i64),
}

/// A saved state that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// What the guest was when it was saved.
    pub definition: Definition,
    /// What else must fit.
    pub facts: Facts,
}

impl Saved {
    /// All the memory that the machine has.
    pub fn machine_memory(&self) -> ByteSize {
        let added: u64 = self.facts.added.iter().map(|piece| piece.as_bytes()).sum();
        ByteSize::bytes(self.definition.memory.as_bytes().saturating_add(added))
    }

    /// The length of the memory's file.
    pub fn memory(&self) -> ByteSize {
        ByteSize::bytes(self.facts.memory)
    }

    /// Notes the disks as they are now.
    fn mark_disks(&mut self, guest: &Path) -> Result<(), Error> {
        let disks = self.definition.disks.iter().map(|disk| {
            let path = guest.join(&disk.path);
            DiskMark::of(&path).map_err(|error| store::failed(&path, &error))
        });
        self.facts.disks = disks.collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// Why a saved state can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A file is missing, cut short or not readable.
    #[error("{0}")]
    Damaged(String),
    /// A disk is not as it was left.
    #[error("{0}")]
    DisksChanged(String),
}

impl Unusable {
    /// As what was found in this folder.
    fn in_folder(self, folder: &Path) -> Error {
        Error::StoreFailed { path: folder.display().to_string(), detail: self.to_string() }
    }
}

impl Facts {
    /// For a guest that is about to be saved.
    pub fn new(accelerator: Accelerator, since: u64, running: bool) -> Self {
        Self {
            version: VERSION,
            accelerator,
            engine: None,
            since,
            running,
            given: None,
            added: Vec::new(),
            altering: false,
            memory: 0,
            disks: Vec::new(),
        }
    }

    fn text(&self) -> io::Result<String> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        Ok(format!("{text}\n{}", store::END))
    }
}

/// Whether the guest in this folder is saved.
pub fn exists(guest: &Path) -> bool {
    guest.join(SAVED).is_dir()
}

/// Reads the saved state of the guest in this folder, and makes sure that it fits the disks.
pub fn open(guest: &Path) -> Result<Saved, Unusable> {
    let saved = read(&guest.join(SAVED))?;
    let length = saved.facts.memory;
    let found = fs::metadata(guest.join(SAVED).join(MEMORY)).map_err(|error| damaged(MEMORY, &error))?;
    if found.len() != length {
        let has = found.len();
        return Err(Unusable::Damaged(format!("{MEMORY}: it has {has} of {length} bytes")));
    }
    for mark in saved.facts.disks.iter().filter(|_| !saved.facts.altering) {
        let now = DiskMark::of(&mark.path)
            .map_err(|error| Unusable::DisksChanged(format!("{}: {error}", mark.path.display())))?;
        if now != *mark {
            return Err(Unusable::DisksChanged(format!("{}: it was written since", mark.path.display())));
        }
    }
    Ok(saved)
}

/// What is known of the guest's saved state, whether or not it fits the disks.
pub fn known(guest: &Path) -> Option<Saved> {
    read(&guest.join(SAVED)).ok()
}

/// The length of the memory that is kept in this folder; nothing where there is none.
pub fn memory_length(folder: &Path) -> Option<ByteSize> {
    fs::metadata(folder.join(MEMORY)).ok().map(|found| ByteSize::bytes(found.len()))
}

/// Opens the memory of the guest's saved state for reading.
pub fn open_memory(guest: &Path) -> io::Result<OwnedFd> {
    File::open(guest.join(SAVED).join(MEMORY)).map(OwnedFd::from)
}

fn read(folder: &Path) -> Result<Saved, Unusable> {
    let text = |name: &str| read_text(&folder.join(name)).map_err(|error| damaged(name, &error));
    let facts = text(FACTS)?;
    if !store::is_whole(&facts) {
        return Err(Unusable::Damaged(format!("{FACTS}: it is cut short")));
    }
    let facts: Facts = toml::from_str(&facts).map_err(|error| damaged(FACTS, &error))?;
    if facts.version > VERSION {
        return Err(Unusable::Damaged(format!("{FACTS}: it has version {}", facts.version)));
    }
    let definition = Definition::read(&text(DEFINITION)?).map_err(|error| damaged(DEFINITION, &error))?;
    Ok(Saved { definition, facts })
}

fn damaged(file: &str, error: &dyn std::fmt::Display) -> Unusable {
    Unusable::Damaged(format!("{file}: {}", error.to_string().trim()))
}

impl DiskMark {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        let modified = (found.mtime(), found.mtime_nsec());
        Ok(Self { path: path.to_owned(), length: found.len(), modified })
    }
}

/// A saved state that is being written.
#[derive(Debug, Clone)]
pub struct Writing {
    guest: PathBuf,
    folder: PathBuf,
    saved: Saved,
}

impl Writing {
    /// Begins to write: from now on, an interrupted core's successor knows what the guest was doing. Also gives
    /// the file for the memory.
    pub fn begin(guest: &Path, saved: Saved) -> Result<(Self, OwnedFd), Error> {
        let folder = guest.join(WRITING);
        remove(guest, WRITING);
        let made = fs::DirBuilder::new().mode(0o700).create(&folder);
        let begun = made
            .map_err(|error| store::failed(&folder, &error))
            .and_then(|()| Self::begin_in(guest, folder.clone(), saved));
        if begun.is_err() {
            remove(guest, WRITING);
        }
        begun
    }

    /// Begins to write into a folder that is there, and that is its caller's to look after.
    pub fn begin_in(guest: &Path, folder: PathBuf, saved: Saved) -> Result<(Self, OwnedFd), Error> {
        let writing = Self { guest: guest.to_owned(), folder, saved };
        let begin = || {
            writing.write()?;
            let mut options = File::options();
            options.write(true).create_new(true).mode(0o600).open(writing.folder.join(MEMORY))
        };
        let memory = begin().map_err(|error| store::failed(&writing.folder, &error))?;
        Ok((writing, memory.into()))
    }

    /// The folder into which it is written.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name that the guest had when this began.
    pub fn guest_name(&self) -> &str {
        &self.saved.definition.name
    }

    /// All the memory that the machine has.
    pub fn machine_memory(&self) -> ByteSize {
        self.saved.machine_memory()
    }

    /// The length of the memory's file, once it is written and [`flush`](Self::flush)ed.
    pub fn memory(&self) -> ByteSize {
        self.saved.memory()
    }

    /// By which version of the engine the memory is written.
    pub fn saved_by(&mut self, engine: Option<String>) {
        self.saved.facts.engine = engine;
    }

    /// The memory is written: makes sure that everything is on the disk. Takes as long as that takes.
    pub fn flush(&mut self) -> Result<(), Error> {
        let folder = &self.folder;
        let memory = folder.join(MEMORY);
        let failed = |error: io::Error| store::failed(&memory, &error);
        let file = File::open(&memory).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        self.saved.facts.memory = file.metadata().map_err(failed)?.len();
        self.saved.mark_disks(&self.guest)?;
        let flush = || {
            self.write_facts()?;
            [FACTS, DEFINITION].iter().try_for_each(|name| File::open(folder.join(name))?.sync_all())?;
            File::open(folder)?.sync_all()
        };
        flush().map_err(|error| store::failed(folder, &error))
    }

    /// Makes it the guest's saved state, in one step.
    pub fn keep(self) -> Result<Saved, Error> {
        rename(&self.guest, WRITING, SAVED)?;
        Ok(self.saved)
    }

    /// What goes with the memory, for a core that finds the engine; should the host stop, it is of no use yet.
    fn write(&self) -> io::Result<()> {
        fs::write(self.folder.join(DEFINITION), self.saved.definition.write())?;
        self.write_facts()
    }

    fn write_facts(&self) -> io::Result<()> {
        fs::write(self.folder.join(FACTS), self.saved.facts.text()?)
    }
}

/// Looks for what an interruption has left, and removes what is of no use whatever the guest does. Where a state
/// was being written, says whether the guest's CPUs ran before.
pub fn interrupted(guest: &Path) -> Option<bool> {
    // Of a machine that may have run since: to go on with it again would damage the disks.
    remove(guest, RESUMED);
    remove(guest, DOOMED);
    let writing = guest.join(WRITING);
    // Where it was not even written down, the CPUs had not been stopped for it yet.
    writing.is_dir().then(|| read(&writing).is_ok_and(|saved| saved.facts.running))
}

/// Where a machine's memory was being written into this folder and was not completed, whether its CPUs ran before.
pub fn unfinished(folder: &Path) -> Option<bool> {
    let facts = read(folder).ok()?.facts;
    (facts.memory == 0).then_some(facts.running)
}

/// Makes what is kept in a folder of the same form the guest's saved state; the disks are what they were then. The
/// memory's file is the same afterwards: neither is ever written again.
pub fn put_back(guest: &Path, kept: &Path) -> Result<(), Error> {
    let saved = read(kept).map_err(|unusable| unusable.in_folder(kept))?;
    let folder = guest.join(WRITING);
    let failed = |error: io::Error| store::failed(&folder, &error);
    remove(guest, WRITING);
    fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
    let mut writing = Writing { guest: guest.to_owned(), folder: folder.clone(), saved };
    share_memory(kept, &folder).and_then(|()| writing.write()).map_err(failed)?;
    writing.flush()?;
    writing.keep().map(drop)
}

/// Keeps the guest's saved state in another folder as well, in the form that [`put_back`] reads. Takes as long as
/// the disk does.
pub fn keep_in(guest: &Path, kept: &Path) -> Result<(), Error> {
    let folder = guest.join(SAVED);
    let saved = read(&folder).map_err(|unusable| unusable.in_folder(&folder))?;
    let keep = || {
        share_memory(&folder, kept)?;
        store::replace(&kept.join(DEFINITION), saved.definition.write().as_bytes())?;
        store::replace(&kept.join(FACTS), saved.facts.text()?.as_bytes())?;
        File::open(kept.join(MEMORY))?.sync_all()
    };
    keep().map_err(|error| store::failed(kept, &error))
}

fn share_memory(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (from.join(MEMORY), to.join(MEMORY));
    // A file system may have no links.
    fs::hard_link(&from, &to).or_else(|_refused| fs::copy(&from, &to).map(drop))
}

/// Begins to change what the disks of the saved guest have besides what it sees of them: until
/// [`altered`] it is not held against the saved state that they are written.
pub fn alter(guest: &Path) -> Result<(), Error> {
    note(guest, true)
}

/// The disks are from now on to stay as they are. Also where a core was ended while they were changed.
pub fn altered(guest: &Path) -> Result<(), Error> {
    note(guest, false)
}

fn note(guest: &Path, altering: bool) -> Result<(), Error> {
    let folder = guest.join(SAVED);
    let mut saved = read(&folder).map_err(|unusable| unusable.in_folder(&folder))?;
    if saved.facts.altering == altering {
        return Ok(());
    }
    saved.facts.altering = altering;
    if !altering {
        saved.mark_disks(guest)?;
    }
    let path = folder.join(FACTS);
    let written = saved.facts.text().and_then(|text| store::replace(&path, text.as_bytes()));
    written.map_err(|error| store::failed(&path, &error))
}

/// Removes a saved state that was not completed.
pub fn remove_writing(guest: &Path) {
    remove(guest, WRITING);
}

/// The machine has the saved state and is about to run: from here on it must never be used again.
pub fn resume(guest: &Path) -> Result<(), Error> {
    remove(guest, RESUMED);
    rename(guest, SAVED, RESUMED)
}

/// The machine did not run after all.
pub fn take_back(guest: &Path) -> Result<(), Error> {
    rename(guest, RESUMED, SAVED)
}

/// The machine runs: what it was restored from goes.
pub fn forget_resumed(guest: &Path) {
    remove(guest, RESUMED);
}

/// Throws a saved state away.
pub fn discard(guest: &Path) -> Result<(), Error> {
    remove(guest, DOOMED);
    rename(guest, SAVED, DOOMED)
}

/// Removes the files of one that was thrown away, which takes a moment where they are large.
pub fn forget_discarded(guest: &Path) {
    remove(guest, DOOMED);
}

/// Removes whatever there is of a saved state, in a guest's folder that is deleted but for its disks.
pub fn remove_all(guest: &Path) {
    for name in [SAVED, WRITING, RESUMED, DOOMED] {
        remove(guest, name);
    }
}

fn rename(guest: &Path, from: &str, to: &str) -> Result<(), Error> {
    let (from, to) = (guest.join(from), guest.join(to));
    store::rename(&from, &to).map_err(|error| store::failed(&from, &error))
}

fn remove(guest: &Path, name: &str) {
    let folder = guest.join(name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(folder = %folder.display(), %error, "what is left of a saved state stays");
        }
        _ => {}
    }
}

/// How much room the state of a guest may take at most. Memory that it never used takes none, so the engine's
/// own share of the host's memory, `used`, is enough where it is known.
pub fn room_needed(memory: ByteSize, used: Option<ByteSize>) -> ByteSize {
    /// Devices, the display's memory, and the list of pages.
    const REST: ByteSize = ByteSize::mib(32);
    let most = used.map_or(memory, |used| used.min(memory));
    ByteSize::bytes(most.as_bytes().saturating_add(REST.as_bytes()))
}

/// What of a process is in memory or swapped out; nothing where that can't be known.
pub fn memory_of(pid: u32) -> Option<ByteSize> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    let kibibytes = field("VmRSS:")?.saturating_add(field("VmSwap:").unwrap_or_default());
    Some(ByteSize::bytes(kibibytes.saturating_mul(1024)))
}

#[cfg(test)]
mod tests;
