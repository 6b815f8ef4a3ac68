//! Making another entry the default: finds out what has to be written where on the disk, and proves it before anything
//! is written.
//!
//! Nothing but bytes within one file changes, and as many as there were: what is overwritten is what the boot loader
//! itself overwrites (`saved_entry` in GRUB's environment block), or a value of the same length. Where the file's bytes
//! are is taken from where reading the file has read. Then the disk is read anew as if they were written: the file must
//! hold exactly what it shall, and the menu must be the same one with the other default. So it does not depend on how a
//! file system keeps its files; where anything is not as expected, nothing is changed.

use super::bytes::{Bytes, Disk};
use super::environment;
use super::file_system::Fixed;
use super::find::{Found, Systems, menu};
use super::grub::{self, Item, Place, World};
use hv_api::{BootDefaultFault, BootLoader, BootMenuEntry};
use std::rc::Rc;

/// What no file system divides.
const SECTOR: usize = 512;

/// The most bytes that are overwritten.
const MOST: usize = 4096;

/// What has to be written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Change {
    /// The file, for people.
    pub file: String,
    /// The place on the disk.
    pub place: u64,
    /// What is there.
    pub before: Vec<u8>,
    /// What has to be there; as long.
    pub after: Vec<u8>,
    /// The entry that is the default then.
    pub entry: BootMenuEntry,
}

/// Why nothing is changed, with what that has to do with.
pub type NotChanged = (BootDefaultFault, String);

/// What makes an entry the default; nothing where it is.
///
/// # Errors
/// Where that can't be done, or not with certainty.
pub fn change(disk: &Rc<Disk>, found: &Found, number: u32, uefi: bool) -> Result<Option<Change>, NotChanged> {
    let index = number as usize;
    if found.default == Some(index) {
        return Ok(None);
    }
    let entry = found.entry(index).ok_or((BootDefaultFault::NoPlace, String::new()))?;
    let mut reason = (BootDefaultFault::NoPlace, found.config.path.clone());
    for Candidate { file, after } in candidates(found, &found.items[index], &mut reason) {
        let name = file.path.clone();
        match found.systems.get(file.device).and_then(|system| system.fixed) {
            Some(Fixed::Kind) => reason = (BootDefaultFault::FileSystem, name),
            Some(Fixed::Dirty) => reason = (BootDefaultFault::Unclean, name),
            None => match located(disk, found, &file, &after, index, uefi) {
                Some((place, before, after)) => {
                    let entry = BootMenuEntry { is_default: true, ..entry };
                    return Ok(Some(Change { file: name, place, before, after, entry }));
                }
                None if reason.0 == BootDefaultFault::NoPlace => {
                    reason = (BootDefaultFault::NotLocated, name);
                }
                None => {}
            },
        }
    }
    Err(reason)
}

/// What undoes a change; nothing where the disk no longer has what was written.
pub fn undone(disk: &Rc<Disk>, made: Change) -> Option<Change> {
    let mut there = vec![0; made.after.len()];
    disk.read_at(made.place, &mut there).ok()?;
    let same = there == made.after && made.before.len() == made.after.len();
    same.then_some(Change { before: made.after, after: made.before, ..made })
}

/// A file, with what it would hold.
struct Candidate {
    file: Place,
    after: Vec<u8>,
}

/// What may make an entry the default, the likeliest first. Whether it does is tried afterwards.
fn candidates(found: &Found, item: &Item, reason: &mut NotChanged) -> Vec<Candidate> {
    let mut all = Vec::new();
    let systems = &found.systems;
    let mut no_room = |file: &Place| *reason = (BootDefaultFault::NoRoom, file.path.clone());
    match found.loader {
        BootLoader::Grub => {
            if let Some(file) = &found.environment
                && let Some(block) = systems.read(file.device, &file.path, environment::LONGEST)
                && says_saved(found)
            {
                for value in [&item.id, &item.position] {
                    let after = environment::with(&block, "saved_entry", value).filter(|_| !value.is_empty());
                    match after {
                        Some(after) => all.push(Candidate { file: file.clone(), after }),
                        None => no_room(file),
                    }
                }
            }
            for file in &found.files {
                let Some(text) = text(systems, file) else { continue };
                for (start, end) in values(&text, &["set", "default="]) {
                    let old = &text[start..end];
                    if old.contains('$') {
                        continue;
                    }
                    let value = [&item.position, &item.id].into_iter().find(|value| value.len() == old.len());
                    match value {
                        Some(value) => all.push(replaced(file, &text, start, end, value)),
                        None => no_room(file),
                    }
                }
            }
        }
        BootLoader::GrubLegacy => {
            for file in &found.files {
                let Some(text) = text(systems, file) else { continue };
                let ranges = if file.path.ends_with("/default") {
                    vec![(0, text.find('\n').unwrap_or(text.len()))]
                } else {
                    values(&text, &["default"])
                };
                for (start, end) in ranges {
                    // Blanks may follow.
                    let width = end - start;
                    if text[start..end].trim().parse::<usize>().is_err() {
                        continue;
                    }
                    if item.position.len() <= width {
                        all.push(replaced(file, &text, start, end, &format!("{:width$}", item.position)));
                    } else {
                        no_room(file);
                    }
                }
            }
        }
        BootLoader::SystemdBoot => {
            let file = &found.config;
            let Some(text) = text(systems, file) else { return all };
            for (start, end) in values(&text, &["default"]) {
                let width = end - start;
                let short = item.id.strip_suffix(".conf").unwrap_or(&item.id);
                match [&*item.id, short].into_iter().find(|value| value.len() <= width) {
                    Some(value) => all.push(replaced(file, &text, start, end, &format!("{value:width$}"))),
                    None => no_room(file),
                }
            }
        }
    }
    all
}

/// Whether a configuration takes its default from `saved_entry`.
fn says_saved(found: &Found) -> bool {
    let says = |file: &Place| text(&found.systems, file).is_some_and(|text| text.contains("saved_entry"));
    found.files.iter().any(says)
}

fn text(systems: &Systems, file: &Place) -> Option<String> {
    String::from_utf8(systems.read(file.device, &file.path, grub::LONGEST)?).ok()
}

/// Where the values are of lines that begin with these words: without quotes, and with the blanks behind them.
fn values(text: &str, words: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let mut rest = body.trim_start();
        let mut fits = true;
        for (index, word) in words.iter().enumerate() {
            match rest.strip_prefix(word) {
                Some(after) if index + 1 < words.len() => {
                    fits &= after.starts_with(char::is_whitespace);
                    rest = after.trim_start();
                }
                Some(after) if word.ends_with('=') => rest = after,
                Some(after) => {
                    fits &= after.starts_with(|c: char| c.is_whitespace() || c == '=');
                    rest = after.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
                }
                None => fits = false,
            }
        }
        if fits && !rest.is_empty() {
            let (mut start, mut end) = (body.len() - rest.len(), body.len());
            for quote in ['"', '\''] {
                if rest.len() > 1 && rest.starts_with(quote) && rest[1..].trim_end().ends_with(quote) {
                    start += 1;
                    end = body.trim_end().len() - 1;
                    break;
                }
            }
            found.push((line_start + start, line_start + end));
        }
        line_start += line.len();
    }
    found
}

fn replaced(file: &Place, text: &str, start: usize, end: usize, value: &str) -> Candidate {
    let after = format!("{}{value}{}", &text[..start], &text[end..]);
    Candidate { file: file.clone(), after: after.into_bytes() }
}

/// Where a file's bytes have to be changed on the disk, with what is there and what has to be; nothing where that can't
/// be known, or the entry would not be the default then.
fn located(
    disk: &Rc<Disk>,
    found: &Found,
    file: &Place,
    after: &[u8],
    wanted: usize,
    uefi: bool,
) -> Option<(u64, Vec<u8>, Vec<u8>)> {
    let (content, places) = disk.places_of(|| {
        // Anew: what was read before is remembered, and not read again.
        Systems::of(disk).read(file.device, &file.path, grub::LONGEST)
    });
    let content = content?;
    let (start, end) = difference(&content, after).filter(|(start, end)| end - start <= MOST)?;
    let (before, new) = (content[start..end].to_vec(), after[start..end].to_vec());
    // The sectors of the file that change; each piece of a file begins with one.
    let chunk = start / SECTOR * SECTOR;
    let there = content.get(chunk..content.len().min(end.next_multiple_of(SECTOR)))?;
    let mut tried: Vec<u64> = Vec::new();
    for (place, length) in places.into_iter().rev() {
        let mut read = vec![0; length.min(1 << 20)];
        if disk.read_at(place, &mut read).is_err() {
            continue;
        }
        for index in 0..read.len().div_ceil(SECTOR) {
            if !read.get(index * SECTOR..).is_some_and(|read| read.starts_with(there)) {
                continue;
            }
            let at = place + (index * SECTOR + start - chunk) as u64;
            if tried.contains(&at) || tried.len() > 64 {
                continue;
            }
            tried.push(at);
            disk.put_over(Some((at, new.clone())));
            let is_it = proves(disk, found, file, after, wanted, uefi);
            disk.put_over(None);
            if is_it {
                return Some((at, before, new));
            }
        }
    }
    None
}

/// Whether the disk, as it is read now, is what it shall be.
fn proves(disk: &Rc<Disk>, found: &Found, file: &Place, after: &[u8], wanted: usize, uefi: bool) -> bool {
    if Systems::of(disk).read(file.device, &file.path, grub::LONGEST).as_deref() != Some(after) {
        return false;
    }
    menu(disk, uefi).is_ok_and(|then| then.default == Some(wanted) && then.items == found.items)
}

/// From where to where two contents of the same length differ.
fn difference(one: &[u8], other: &[u8]) -> Option<(usize, usize)> {
    if one.len() != other.len() {
        return None;
    }
    let differs = |(a, b): (&u8, &u8)| a != b;
    let start = one.iter().zip(other).position(differs)?;
    let end = one.iter().zip(other).rposition(differs)? + 1;
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_found_with_the_blanks_behind_them() {
        let text = "  set default=\"0\"\nset  default=1 \n# set default=3\ndefault 12  \ndefault=4\nset defaults=2\n";
        let found =
            |words: &[&str]| values(text, words).into_iter().map(|(a, b)| &text[a..b]).collect::<Vec<_>>();
        assert_eq!(found(&["set", "default="]), ["0", "1 "]);
        assert_eq!(found(&["default"]), ["12  ", "4"]);
    }

    proptest! {
        #[test]
        fn values_lie_within_the_text(text in "(set|default|[=\"' \na-z0-9é])*") {
            for words in [&["set", "default="][..], &["default"]] {
                for (start, end) in values(&text, words) {
                    prop_assert!(text.get(start..end).is_some());
                }
            }
        }
    }
}
