//! Releases that the database does not know, by a disc's own words.
//!
//! A *line* is a system's releases one after the other. Of each line that is known, the labels of its next
//! releases look like those of the last ones with another version in them ([`shape`]), so that hundreds of lines
//! need no table of ours. What looks different from all that came before is in a small table ([`table`]), and what
//! is not there either is known by the line's name and a number behind it.

mod line;
mod shape;
mod table;

use super::Database;
use super::media::{Labels, Named};
use super::model::{Media, System};
use line::Line;
use std::collections::HashMap;

pub use shape::processor;

/// A release that a disc's labels may mean.
#[derive(Debug)]
pub struct Release<'a> {
    /// What it is.
    pub named: Named,
    /// The known system that is the nearest to it.
    pub like: Option<&'a System>,
    /// A medium of a relative, whose files are at the same places.
    pub media: Option<&'a Media>,
    /// The processor that the label names.
    pub arch: Option<&'static str>,
    /// The kind of system, where no relative is known.
    pub family: Option<&'static str>,
    /// Whether the database does not know it.
    pub newer: bool,
    /// What speaks for it: how it was found, then how many letters of the label were certain.
    pub weight: (Found, usize),
}

/// How a release was found, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// By the line's name and a number.
    Words,
    /// The label begins like those of the line.
    Beginning,
    /// By the table.
    Table,
    /// The label looks like those of the line.
    Shape,
}

/// All lines.
#[derive(Debug)]
pub struct Lines {
    lines: Vec<Line>,
    by_stem: HashMap<Box<str>, usize>,
}

impl Lines {
    /// The lines of these systems: those whose identities differ in what comes last.
    pub fn of(systems: &[System]) -> Self {
        let mut members: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, system) in systems.iter().enumerate() {
            members.entry(stem(&system.id)).or_default().push(index);
        }
        let mut lines: Vec<Line> =
            members.into_iter().map(|(stem, members)| Line::new(stem, members, systems)).collect();
        lines.sort_by(|a, b| a.stem.cmp(&b.stem));
        let by_stem = lines.iter().enumerate().map(|(index, line)| (line.stem.clone(), index)).collect();
        Self { lines, by_stem }
    }

    /// The release that comes next in some line and has this short word.
    pub fn named<'a>(&self, systems: &'a [System], id: &str) -> Option<Release<'a>> {
        self.lines.iter().flat_map(|line| line.by_id(systems, id)).find(|release| release.named.id == id)
    }

    /// The releases of a line that a version with these numbers may mean.
    pub fn of_line<'a>(&self, systems: &'a [System], stem: &str, numbers: &[&str]) -> Vec<Release<'a>> {
        self.line(stem).map(|line| line.releases(systems, numbers, "")).unwrap_or_default()
    }

    fn line(&self, stem: &str) -> Option<&Line> {
        self.by_stem.get(stem).map(|index| &self.lines[*index])
    }

    /// What the labels may mean, the likeliest first. `generic` are systems of the database that stand for releases
    /// it does not know: where there are any, it is one of their lines.
    pub fn releases<'a>(
        &self,
        database: &'a Database,
        labels: &Labels<'_>,
        generic: &[&'a System],
    ) -> Vec<Release<'a>> {
        let systems = database.systems();
        let of_generic = |line: &&Line| generic.iter().any(|system| *stem(&system.id) == *line.stem);
        let mut found: Vec<Release<'a>> = Vec::new();
        let lines: Vec<&Line> =
            self.lines.iter().filter(|line| generic.is_empty() || of_generic(line)).collect();
        for line in &lines {
            found.extend(line.by_shape(systems, labels));
        }
        if let Some(label) = labels.volume {
            if generic.is_empty() {
                found.extend(table::look(self, systems, labels));
            }
            if found.is_empty() {
                found.extend(line::by_words(&lines, systems, label, !generic.is_empty()));
            }
        }
        found.sort_by_key(|release| std::cmp::Reverse(release.weight));
        // What was found in a poorer way says nothing beside what was found in a better one.
        let best = found.first().map(|release| release.weight.0);
        found.retain(|release| Some(release.weight.0) == best);
        found
    }
}

/// The part of an identity that all releases of a line have.
fn stem(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(stem, _)| stem)
}
