//! The operating-system database (the package `osinfo-db`): which system a medium or an install tree holds, and
//! what that system needs of a machine.
//!
//! Everything here is pure but [`places`], which reads the files. The database is read at run time from where it
//! is installed, and nothing of it is copied into this program. What is newer than it is recognised by the
//! medium's own words ([`releases`]): the right line and release, with the hardware of the newest release of
//! that line that is known. Where there is no database at all, only the table there is left.

pub mod images;
pub mod media;
pub mod model;
mod pattern;
pub mod places;
mod releases;
pub mod resources;
pub mod trees;
mod xml;

pub use media::{Identity, Labels, Named};
pub use places::Source;

use model::{Status, System};
use releases::Lines;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use xml::{Content, Words};

/// The longest way from a system to one that it is made from.
const LONGEST_DESCENT: usize = 64;

/// All systems that are known.
#[derive(Debug, Default)]
pub struct Database {
    systems: Vec<System>,
    by_id: HashMap<Box<str>, usize>,
    by_short_id: HashMap<Box<str>, usize>,
    maps: HashMap<Box<str>, Words>,
    version: Option<Box<str>>,
    /// Made when the first medium comes that the database does not know.
    lines: OnceLock<Lines>,
}

/// Puts a database together from its files.
#[derive(Debug, Default)]
pub struct DatabaseBuilder {
    systems: Vec<System>,
    by_id: HashMap<Box<str>, usize>,
    maps: HashMap<Box<str>, Words>,
}

impl DatabaseBuilder {
    /// Adds what a file says. The first one that says something about a system has it.
    pub fn add(&mut self, content: Content) {
        for system in content.systems {
            if let Some(&known) = self.by_id.get(&system.id) {
                self.systems[known].absorb(system);
            } else {
                self.by_id.insert(system.id.clone(), self.systems.len());
                self.systems.push(system);
            }
        }
        for (id, entries) in content.maps {
            self.maps.entry(id).or_default().extend(entries);
        }
    }

    /// The database.
    pub fn finish(self, version: Option<Box<str>>) -> Database {
        let mut by_short_id = HashMap::new();
        for (index, system) in self.systems.iter().enumerate() {
            for short_id in &system.short_ids {
                by_short_id.entry(short_id.clone()).or_insert(index);
            }
        }
        let Self { systems, by_id, maps } = self;
        Database { systems, by_id, by_short_id, maps, version, lines: OnceLock::new() }
    }
}

impl Database {
    /// All systems, in no order that means anything.
    pub fn systems(&self) -> &[System] {
        &self.systems
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.systems.is_empty()
    }

    /// Its version, as it names it.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// A system by one of its short words or by its identity.
    pub fn find(&self, id: &str) -> Option<&System> {
        self.index(id).map(|index| &self.systems[index])
    }

    /// What a short word means, with the known system that is the nearest to it: also that of a release that came
    /// after the database, as `debian13`.
    pub fn named(&self, id: &str) -> Option<(Named, &System)> {
        if let Some(system) = self.find(id) {
            return Some((Named::of(system), system));
        }
        let release = self.lines().named(&self.systems, id)?;
        Some((release.named, release.like?))
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.by_short_id.get(id).or_else(|| self.by_id.get(id)).copied()
    }

    /// A word translated by one of the tables; nothing where that does not have it.
    fn translate(&self, map: &str, word: &str) -> Option<&str> {
        Some(self.maps.get(map)?.get(word)?)
    }

    fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| Lines::of(&self.systems))
    }

    /// A system, what it is the same as or made from, what that is made from, and so on; the nearest first, each
    /// once.
    pub fn descent(&self, system: &System) -> Vec<&System> {
        let mut found: Vec<&System> = Vec::new();
        let mut seen = HashSet::new();
        let mut next: Vec<usize> = self.by_id.get(&system.id).copied().into_iter().collect();
        while let Some(index) = (!next.is_empty()).then(|| next.remove(0)) {
            if !seen.insert(index) || found.len() >= LONGEST_DESCENT {
                continue;
            }
            let system = &self.systems[index];
            found.push(system);
            let parents = system.clones.iter().chain(&system.derives_from);
            next.extend(parents.filter_map(|id| self.by_id.get(id)));
        }
        found
    }

    /// The kernel's argument that says where an install tree is, as `inst.repo`.
    pub fn url_argument(&self, system: &System) -> Option<&str> {
        self.descent(system).into_iter().find_map(|system| system.kernel_url_argument.as_deref())
    }

    /// The kind of a system, as `linux` or `winnt`.
    pub fn family(&self, system: &System) -> Option<&str> {
        self.descent(system).into_iter().find_map(|system| system.family.as_deref())
    }
}

impl System {
    /// Whether others are to be believed before it: what it looks like is also what others look like.
    fn is_fallback(&self) -> bool {
        self.status == Status::Rolling
    }
}

/// What a file says, for tests elsewhere.
#[cfg(test)]
pub fn xml_content(text: &str) -> Content {
    xml::read(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
