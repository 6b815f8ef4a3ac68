//! One line of systems: its releases, what their labels look like, and how a release that comes next is called.

use super::super::media::{Labels, Named};
use super::super::model::{Media, Status, System};
use super::super::pattern::Pattern;
use super::shape::{self, Form};
use super::{Found, Release};
use std::cmp::Ordering;
use std::sync::OnceLock;

/// What stands between the numbers of a version in names and short words.
const BETWEEN: [&str; 6] = [".", "sp", " SP", "-", "_", ""];

/// The most numbers in a version.
const MOST_NUMBERS: usize = 4;

/// The releases of one system.
#[derive(Debug)]
pub struct Line {
    /// What their identities begin with.
    pub stem: Box<str>,
    /// Those with a version in numbers, the oldest first.
    members: Vec<Member>,
    /// Those with a word instead, as `testing`; and what has no releases.
    others: Vec<usize>,
    /// What it is called, in small letters without anything between them.
    names: Vec<String>,
    /// What labels have to contain to be looked at.
    landmarks: Vec<Box<str>>,
    shapes: OnceLock<Vec<Shape>>,
}

#[derive(Debug)]
struct Member {
    system: usize,
    version: Vec<String>,
}

/// What labels of the line look like.
#[derive(Debug)]
struct Shape {
    pattern: Pattern,
    /// It is the application's label, not the disc's.
    of_application: bool,
    /// How many numbers of the version it tells.
    numbers: usize,
    letters: usize,
    /// Nothing is said of what comes after the version.
    only_beginning: bool,
    /// The media it was made from: the system's place in the database, and theirs in it.
    sources: Vec<(usize, usize)>,
}

/// The numbers of a version that is made of numbers.
fn numbers(version: &str) -> Option<Vec<String>> {
    let numbers: Vec<String> = version.split(['.', '-']).map(str::to_owned).collect();
    let all = numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    (all && numbers.len() <= MOST_NUMBERS).then_some(numbers)
}

/// Compares versions by their numbers; what is left out counts as zero.
fn compare(a: &[String], b: &[String]) -> Ordering {
    let number =
        |version: &[String], at: usize| version.get(at).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let by_number = |at| number(a, at).cmp(&number(b, at));
    (0..a.len().max(b.len())).map(by_number).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Small letters and nothing else.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect()
}

impl Line {
    /// A line of these systems, by their places.
    pub fn new(stem: &str, systems: Vec<usize>, all: &[System]) -> Self {
        let mut members = Vec::new();
        let mut others = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for index in systems {
            let system = &all[index];
            if system.is_generic() {
                continue;
            }
            match system.version.as_deref().and_then(numbers) {
                Some(version) => members.push(Member { system: index, version }),
                None => others.push(index),
            }
            let short = system.short_id();
            let number_at = short.find(|c: char| c.is_ascii_digit()).unwrap_or(short.len());
            let name_end = system.name.find(|c: char| c.is_ascii_digit()).unwrap_or(system.name.len());
            let word = system.version.as_deref().map(str::to_lowercase);
            for name in [letters(&short[..number_at]), letters(&system.name[..name_end])] {
                // A word that is the release's is not the line's.
                let name = word.as_ref().and_then(|word| name.strip_suffix(word.as_str())).unwrap_or(&name);
                if name.len() > 2 && !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
        }
        members.sort_by(|a, b| compare(&a.version, &b.version));
        let mut landmarks: Vec<Box<str>> = Vec::new();
        let all_members = members.iter().map(|member: &Member| member.system).chain(others.iter().copied());
        for system in all_members.map(|index| &all[index]) {
            let patterns =
                system.media.iter().flat_map(|media| [&media.volume, &media.application]).flatten();
            for pattern in patterns {
                let landmark = pattern.landmark(system.codename.as_deref());
                if landmark.len() > 1 && !landmarks.iter().any(|known| **known == *landmark) {
                    landmarks.push(landmark.into());
                }
            }
        }
        Self { stem: stem.into(), members, others, names, landmarks, shapes: OnceLock::new() }
    }

    /// What the shapes of its labels say these labels mean.
    pub fn by_shape<'a>(&self, systems: &'a [System], labels: &Labels<'_>) -> Vec<Release<'a>> {
        let label = |of_application| if of_application { labels.application } else { labels.volume };
        let known = [false, true].into_iter().filter_map(label);
        if !known.into_iter().any(|label| self.landmarks.iter().any(|mark| label.contains(&**mark))) {
            return Vec::new();
        }
        let mut found: Vec<Release<'a>> = Vec::new();
        let mut fullest = 0;
        for shape in self.shapes.get_or_init(|| self.make_shapes(systems)) {
            let Some(label) = label(shape.of_application) else { continue };
            let Some(groups) = shape.pattern.captures(label) else { continue };
            let version: Vec<&str> = groups.iter().skip(1).flatten().map(|group| group.as_str()).collect();
            // Where numbers stand together, a third one that is zero is none: `100` is 10.0.
            let glued = shape.numbers > 2 && shape.pattern.as_str().contains(")(");
            if version.len() != shape.numbers || glued && version.last() == Some(&"0") {
                continue;
            }
            let how = if shape.only_beginning { Found::Beginning } else { Found::Shape };
            let arch = labels
                .volume
                .and_then(shape::processor)
                .or_else(|| labels.application.and_then(shape::processor));
            let mut releases = if version.is_empty() {
                shape
                    .sources
                    .first()
                    .map(|(system, _)| known_release(&systems[*system]))
                    .into_iter()
                    .collect()
            } else {
                self.releases(systems, &version, label)
            };
            for release in &mut releases {
                release.weight = (how, shape.letters);
                release.arch = arch;
                if how == Found::Shape {
                    release.media = self.nearest_media(systems, shape, release, arch);
                }
            }
            let most = self.members.last().map_or(0, |member| member.version.len());
            for release in releases {
                // What tells less of the version counts only for want of better.
                let full = shape.numbers.min(most);
                if full < fullest {
                    continue;
                }
                if full > fullest {
                    found.clear();
                    fullest = full;
                }
                // The same by a poorer shape adds nothing.
                match found.iter_mut().find(|known| known.named.id == release.named.id) {
                    Some(known) if known.weight >= release.weight => {}
                    Some(known) => *known = release,
                    None => found.push(release),
                }
            }
        }
        found
    }

    /// Of the media with this shape, that of the release's nearest relative for the same processor.
    fn nearest_media<'a>(
        &self,
        systems: &'a [System],
        shape: &Shape,
        release: &Release<'a>,
        arch: Option<&str>,
    ) -> Option<&'a Media> {
        let fits =
            shape.sources.iter().map(|(system, media)| (&systems[*system], &systems[*system].media[*media]));
        let mut fits: Vec<_> =
            fits.filter(|(_, media)| arch.is_none_or(|arch| *media.arch == *arch)).collect();
        let place = |system: &System| {
            self.members.iter().position(|member| std::ptr::eq(&raw const systems[member.system], system))
        };
        let wanted = release.like.and_then(place);
        fits.sort_by_key(|(system, _)| match (place(system), wanted) {
            (Some(at), Some(wanted)) => at.abs_diff(wanted),
            _ => usize::MAX,
        });
        fits.first().map(|(_, media)| *media)
    }

    /// The releases that a version with these numbers may mean.
    pub fn releases<'a>(&self, systems: &'a [System], version: &[&str], label: &str) -> Vec<Release<'a>> {
        let version: Vec<String> = version.iter().map(|number| (*number).to_owned()).collect();
        let same = |member: &&Member| compare(&member.version, &version).is_eq();
        let exact: Vec<&Member> = self.members.iter().filter(same).collect();
        if let Some(member) = exact.first() {
            return vec![known_release(&systems[member.system])];
        }
        // A label that says less than the version is any release that begins so.
        let begins = |member: &&Member| {
            member.version.len() > version.len()
                && compare(&member.version[..version.len()], &version).is_eq()
        };
        let begun: Vec<&Member> = self.members.iter().filter(begins).collect();
        if !begun.is_empty() {
            return begun.iter().rev().map(|member| known_release(&systems[member.system])).collect();
        }
        // A label that says more is the release of which it is a point release.
        let major = |member: &&Member| {
            member.version.len() < version.len()
                && compare(&member.version, &version[..member.version.len()]).is_eq()
                && !self.members.iter().any(|other| {
                    other.version.len() >= version.len()
                        && other.version[..member.version.len()] == member.version[..]
                })
        };
        if let Some(member) = self.members.iter().rev().find(major) {
            return vec![known_release(&systems[member.system])];
        }
        self.next(systems, &version, label).into_iter().collect()
    }

    /// A release that is not known; nothing where it is none that could come after what is known.
    fn next<'a>(&self, systems: &'a [System], version: &[String], label: &str) -> Option<Release<'a>> {
        let first = |version: &[String]| version.first().and_then(|number| number.parse::<u64>().ok());
        let highest = self.members.last()?;
        if first(version)? > first(&highest.version)?.saturating_mul(2) + 5 {
            return None;
        }
        let mut same_branch =
            self.members.iter().rev().filter(|member| first(&member.version) == first(version));
        let before = if let Some(member) = same_branch.next() {
            member
        } else {
            // Some lines once had higher numbers than they have now: what comes next counts from the last one.
            let date = |member: &&Member| systems[member.system].released.clone();
            let last = self.members.iter().max_by_key(date)?;
            let below = |member: &&Member| compare(&member.version, version).is_lt();
            self.members.iter().rev().find(below).filter(|_| below(&last))?
        };
        // As many numbers as the line's releases have now.
        let mut version = version.to_vec();
        version.resize(before.version.len(), "0".to_owned());
        let version = version.as_slice();
        match compare(version, &before.version) {
            Ordering::Less => return None,
            Ordering::Equal => return Some(known_release(&systems[before.system])),
            Ordering::Greater => {}
        }
        let like = &systems[before.system];
        let mut id = replaced(like.short_id(), &before.version, version)?;
        // The first of a new branch has no service pack.
        if let Some(whole) = id.strip_suffix("sp0") {
            id.truncate(whole.len());
        }
        let mut name = replaced(&like.name, &before.version, version)
            .unwrap_or_else(|| format!("{} {}", like.name, version.join(".")));
        if let Some(whole) = name.strip_suffix(" SP0") {
            name.truncate(whole.len());
        }
        let name = without_codename(&name, like);
        let named = Named { id, name: with_support(name, label) };
        let (media, arch, family) = (None, None, None);
        Some(Release { named, like: Some(like), media, arch, family, newer: true, weight: (Found::Words, 0) })
    }

    /// The releases that a short word may be, if it is one of this line.
    pub fn by_id<'a>(&self, systems: &'a [System], id: &str) -> Vec<Release<'a>> {
        let word = |id: &str| id.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default().to_owned();
        let is_ours = self.members.iter().any(|member| word(systems[member.system].short_id()) == word(id));
        let numbers: Vec<&str> = id
            .split(|c: char| !c.is_ascii_digit())
            .filter(|number| !number.is_empty())
            .take(MOST_NUMBERS)
            .collect();
        if is_ours && !numbers.is_empty() { self.releases(systems, &numbers, "") } else { Vec::new() }
    }

    fn make_shapes(&self, systems: &[System]) -> Vec<Shape> {
        let mut shapes: Vec<Shape> = Vec::new();
        let mut add = |form: Form, of_application: bool, source: (usize, usize)| {
            let whole = (form.text, false);
            let beginning = form.beginning.map(|beginning| (beginning, true));
            for (text, only_beginning) in [Some(whole), beginning].into_iter().flatten() {
                let same = |shape: &&mut Shape| {
                    shape.pattern.as_str() == text && shape.of_application == of_application
                };
                match shapes.iter_mut().find(same) {
                    Some(shape) => shape.sources.push(source),
                    None => shapes.push(Shape {
                        pattern: Pattern::new(&text),
                        of_application,
                        numbers: form.numbers,
                        letters: form.letters,
                        only_beginning,
                        sources: vec![source],
                    }),
                }
            }
        };
        // The newest first: where shapes are the same, theirs are the places of files.
        let versioned =
            self.members.iter().rev().map(|member| (member.system, member.version.as_slice(), true));
        let alone = self.members.is_empty() && self.others.len() == 1;
        let rolling = |index: &&usize| alone || systems[**index].status == Status::Rolling;
        let others = self.others.iter().filter(rolling).map(|index| (*index, [].as_slice(), false));
        for (index, version, must) in versioned.chain(others) {
            let system = &systems[index];
            let version: Vec<&str> = version.iter().map(String::as_str).collect();
            for (place, media) in system.media.iter().enumerate() {
                let form = |pattern: &Option<Pattern>| {
                    let form = shape::form(pattern.as_ref()?, &version, system.codename.as_deref(), must)?;
                    // Too few letters to tell it from what others write.
                    (form.letters >= if must { 2 } else { 4 }).then_some(form)
                };
                if let Some(form) = form(&media.volume) {
                    add(form, false, (index, place));
                } else if let Some(form) = form(&media.application) {
                    add(form, true, (index, place));
                }
            }
        }
        shapes
    }

    /// Its member with a word for a version that the label has too.
    fn by_word<'a>(&self, systems: &'a [System], label: &str) -> Option<&'a System> {
        let label = label.to_lowercase();
        let has = |word: &str| {
            label.split(|c: char| !c.is_alphanumeric()).any(|part| {
                part == word || part.len() >= 4 && word.starts_with(part) && word.len() > part.len() + 1
            })
        };
        let all = self.others.iter().copied().chain(self.members.iter().rev().map(|member| member.system));
        all.map(|index| &systems[index]).find(|system| {
            let words = [&system.version, &system.codename].into_iter().flatten();
            words
                .map(|word| word.to_lowercase())
                .any(|word| word.len() >= 4 && word.chars().all(char::is_alphabetic) && has(&word))
        })
    }
}

/// A release that the database knows.
pub fn known_release(system: &System) -> Release<'_> {
    Release {
        named: Named::of(system),
        like: Some(system),
        media: None,
        arch: None,
        family: None,
        newer: false,
        weight: (Found::Words, 0),
    }
}

/// The releases that a label means which begins with a line's name. Where the line is `certain`, a number is enough.
pub fn by_words<'a>(lines: &[&Line], systems: &'a [System], label: &str, certain: bool) -> Vec<Release<'a>> {
    let said = letters(label);
    let named = |line: &&&Line| {
        let fits = |name: &&String| said.starts_with(name.as_str());
        line.names.iter().filter(fits).map(String::len).max()
    };
    let best = lines.iter().filter_map(|line| Some((named(&line)?, *line)));
    // Of lines with the same name, the one with more releases.
    let best = best.max_by_key(|(length, line)| (*length, line.members.len()));
    let (length, line) = match (best, certain, lines) {
        (Some(best), ..) => best,
        (None, true, [line, ..]) => (0, *line),
        _ => return Vec::new(),
    };
    let most = line.members.last().map_or(0, |member| member.version.len());
    let version = version_in(label, most);
    let mut releases = if version.is_empty() { Vec::new() } else { line.releases(systems, &version, label) };
    if releases.is_empty() {
        let alone =
            if line.members.is_empty() { line.others.first().map(|index| &systems[*index]) } else { None };
        releases.extend(line.by_word(systems, label).or(alone).map(known_release));
    }
    for release in &mut releases {
        release.weight = (Found::Words, length);
        release.arch = shape::processor(label);
    }
    releases
}

/// A label in which processors are crossed out, each with as many letters as it had.
pub fn without_processors(label: &str) -> String {
    let mut without = label.to_owned();
    for (word, _) in shape::PROCESSORS {
        without = without.replace(word, &"#".repeat(word.len()));
    }
    without
}

/// The first number in a label that is a word of its own, with up to `most` - 1 more behind it.
fn version_in(label: &str, most: usize) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let label_without = without_processors(label);
    let bytes = label_without.as_bytes();
    let mut at = 0;
    while at < bytes.len() && found.len() < most {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = (at..bytes.len()).find(|end| !bytes[*end].is_ascii_digit()).unwrap_or(bytes.len());
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let is_own = before.is_none_or(|before| !before.is_ascii_alphanumeric() && before != b'#');
        let behind_pack = label[..at].to_ascii_lowercase().ends_with("sp") && !found.is_empty();
        if found.is_empty() && is_own && end - at <= 4
            || !found.is_empty() && (is_own || behind_pack) && end - at <= 3
        {
            found.push(&label[at..end]);
        } else if !found.is_empty() {
            break;
        }
        at = end;
        // What goes on with a letter is no longer the version, but for a service pack.
        let rest = label[at..].trim_start_matches(['.', '-', '_', ' ']);
        let goes_on = rest.len() < label.len() - at
            && (rest.starts_with(|c: char| c.is_ascii_digit())
                || rest.to_ascii_lowercase().starts_with("sp"));
        if !found.is_empty() && !goes_on {
            break;
        }
    }
    found
}

/// A text with one version in place of another; nothing where that is not in it.
fn replaced(text: &str, old: &[String], new: &[String]) -> Option<String> {
    for count in (1..=old.len()).rev() {
        for between in BETWEEN {
            let needle = old[..count].join(between);
            let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            let place = text.match_indices(&needle).map(|(at, _)| at).find(|at| {
                !is_digit(text[..*at].chars().next_back())
                    && !is_digit(text[at + needle.len()..].chars().next())
            });
            let Some(at) = place else { continue };
            // As many numbers as the line's words have; where it has one only, as many as before.
            let wanted = if count == old.len() { new.len() } else { count.min(new.len()) };
            let between = if count == 1 { "." } else { between };
            let fresh = new[..wanted].join(between);
            return Some(format!("{}{fresh}{}", &text[..at], &text[at + needle.len()..]));
        }
    }
    None
}

fn without_codename(name: &str, like: &System) -> String {
    let Some(codename) = like.codename.as_deref() else { return name.to_owned() };
    let is_it = |word: &str| word.trim_matches(['(', ')', '"']).eq_ignore_ascii_case(codename);
    let words: Vec<&str> = name.split(' ').filter(|word| !is_it(word)).collect();
    words.join(" ")
}

/// Long support is a release's own, and written on its label.
fn with_support(name: String, label: &str) -> String {
    let says = label.split(' ').any(|word| word == "LTS");
    match name.strip_suffix(" LTS") {
        Some(short) if !says => short.to_owned(),
        None if says => format!("{name} LTS"),
        _ => name,
    }
}
