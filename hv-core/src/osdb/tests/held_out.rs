//! How well releases are recognised that came after the database: the newest of each line are taken out of it, and
//! labels made from their rules are then looked at.

use super::super::model::System;
use super::super::places::contents;
use super::super::{Database, DatabaseBuilder};
use super::generator::{Made, Taste};
use std::collections::{HashMap, HashSet};
use std::path::Path;

fn version(system: &System) -> Option<Vec<u32>> {
    system.version.as_deref()?.split('.').map(|number| number.parse().ok()).collect()
}

/// The newest systems of each line: one where there are two to four, two where there are more.
fn newest(database: &Database) -> HashSet<String> {
    let mut lines: HashMap<&str, Vec<(&System, Vec<u32>)>> = HashMap::new();
    for system in database.systems().iter().filter(|system| !system.is_generic() && !system.media.is_empty())
    {
        if let (Some(version), Some((stem, _))) = (version(system), system.id.rsplit_once('/')) {
            lines.entry(stem).or_default().push((system, version));
        }
    }
    let mut found = HashSet::new();
    for (stem, mut members) in lines {
        // What Windows is called is not on its discs.
        if stem.starts_with("http://microsoft.com") {
            continue;
        }
        members.sort_by(|a, b| a.1.cmp(&b.1));
        let count = match members.len() {
            0 | 1 => 0,
            2..=4 => 1,
            _ => 2,
        };
        found.extend(members.iter().rev().take(count).map(|(system, _)| system.id.to_string()));
    }
    found
}

#[test]
fn releases_that_came_after_the_database_are_recognised() {
    let places = [Path::new("/usr/share/osinfo").to_owned()];
    let build = |without: &HashSet<String>| {
        let mut builder = DatabaseBuilder::default();
        for mut content in contents(&places) {
            content.systems.retain(|system| !without.contains(&*system.id));
            builder.add(content);
        }
        builder.finish(None)
    };
    let whole = build(&HashSet::new());
    if whole.is_empty() {
        eprintln!("skipped: osinfo-db is not installed");
        return;
    }
    let out = newest(&whole);
    let reduced = build(&out);
    let (mut all, mut right, mut offered, mut line) = (0, 0, 0, 0);
    let mut seen = HashSet::new();
    for id in &out {
        let system = whole.find(id).expect("it was in it");
        for (media, taste) in
            system.media.iter().flat_map(|media| [(media, Taste::Lean), (media, Taste::Full)])
        {
            let Some(made) = Made::of(media, taste) else { continue };
            if !seen.insert(format!("{id} {made:?}")) {
                continue;
            }
            all += 1;
            let found = reduced.identify(&made.labels());
            let wanted = system.short_id();
            let stem = id.rsplit_once('/').map(|(stem, _)| stem);
            let like = found.like.as_ref().and_then(|like| reduced.find(like));
            if found.system.as_ref().is_some_and(|named| named.id == wanted) {
                right += 1;
                continue;
            }
            if found.candidates.iter().any(|named| named.id == wanted) {
                offered += 1;
            } else if like.is_some_and(|like| like.id.rsplit_once('/').map(|(stem, _)| stem) == stem) {
                line += 1;
            }
            eprintln!(
                "{wanted}: {:?} -> {:?} {:?}",
                made.volume.or(made.application),
                found.system.map(|named| named.id),
                found.candidates.iter().map(|named| &named.id).collect::<Vec<_>>()
            );
        }
    }
    eprintln!(
        "{} releases, {all} labels: {right} right, {offered} offered, {line} of the right line",
        out.len()
    );
    assert!(right * 100 >= all * 80, "{right} of {all} right");
}
