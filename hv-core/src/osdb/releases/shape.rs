//! The shape of a line's labels: an expression of the database, made for one release, as one for all releases.
//!
//! `Debian 11.\d+.\d+ amd64 n` becomes `Debian ([0-9]+).[0-9]+.[0-9]+ (processor) n`, from which the version of a
//! release can be read that came after the database.

use super::super::pattern::Pattern;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::fmt::Write;

/// How processors are written in labels, and what the database calls them. Longer words first.
pub const PROCESSORS: [(&str, &str); 34] = [
    ("loongarch64", "loongarch64"),
    ("loong64", "loongarch64"),
    ("powerpc", "ppc"),
    ("aarch64", "aarch64"),
    ("ppc64le", "ppc64le"),
    ("ppc64el", "ppc64le"),
    ("riscv64", "riscv64"),
    ("sparc64", "sparc64"),
    ("mipsel", "mipsel"),
    ("armhfp", "armv7l"),
    ("armv7l", "armv7l"),
    ("x86_64", "x86_64"),
    ("X86_64", "x86_64"),
    ("x86-64", "x86_64"),
    ("p64el", "ppc64le"),
    ("amd64", "x86_64"),
    ("AMD64", "x86_64"),
    ("arm64", "aarch64"),
    ("ARM64", "aarch64"),
    ("armhf", "armv7l"),
    ("armel", "armv6l"),
    ("armv7", "armv7l"),
    ("ppc64", "ppc64"),
    ("s390x", "s390x"),
    ("i386", "i686"),
    ("I386", "i686"),
    ("i486", "i686"),
    ("i586", "i686"),
    ("i686", "i686"),
    ("I686", "i686"),
    ("ia64", "ia64"),
    ("x86", "i686"),
    ("x64", "x86_64"),
    ("ppc", "ppc"),
];

/// The most digits in one number of a version.
const MOST_DIGITS: u32 = 4;

/// The deepest nesting of an expression that is looked at.
const DEEPEST: u32 = 64;

/// A shape, not yet bound to the release that it was made from.
#[derive(Debug, PartialEq, Eq)]
pub struct Form {
    /// The expression. Its groups are the numbers of the version.
    pub text: String,
    /// How many numbers of the version are in it.
    pub numbers: usize,
    /// How many letters of a matching label are certain, which tells good shapes from poor ones.
    pub letters: usize,
    /// What stands before the version, and the version; anything may follow.
    pub beginning: Option<String>,
}

/// One thing after the other in an expression.
#[derive(Debug, Clone)]
enum Token {
    Char(char),
    /// Any character.
    Any,
    /// One of those that stand between numbers.
    Separator(String),
    Processor,
    Other(String),
}

impl Token {
    fn is_digit(&self) -> bool {
        matches!(self, Self::Char(c) if c.is_ascii_digit())
    }
}

/// Where a version is among tokens.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    end: usize,
    numbers: usize,
}

/// The shape of an expression that was made for a release with this version and code name. Nothing where it can't
/// be taken apart, or where the version is not in it and `must` says that it has to be.
pub fn form(pattern: &Pattern, version: &[&str], codename: Option<&str>, must: bool) -> Option<Form> {
    let hir = regex_syntax::Parser::new().parse(pattern.as_str()).ok()?;
    let mut tokens = Vec::new();
    flatten(&hir, &mut tokens, 0)?;
    let tokens = with_processors(&tokens);
    let place = find_version(&tokens, version);
    if place.is_none() && must {
        return None;
    }
    let (mut text, mut letters, mut beginning) = (String::new(), 0, None);
    let mut at = 0;
    while at < tokens.len() {
        if let Some(place) = place.filter(|place| place.start == at) {
            text.push_str(&version_text(&tokens[place.start..place.end], &version[..place.numbers]));
            at = place.end;
            beginning = (letters >= 2).then(|| format!(r"{text}(?:[^0-9].*)?$"));
            continue;
        }
        if let Some(length) = codename.and_then(|codename| codename_at(&tokens[at..], codename)) {
            text.push_str(".+?");
            at += length;
            continue;
        }
        match &tokens[at] {
            Token::Char(c) if c.is_ascii_digit() => {
                text.push_str("[0-9]+");
                while tokens.get(at + 1).is_some_and(Token::is_digit) {
                    at += 1;
                }
            }
            Token::Char(c) => {
                letters += usize::from(c.is_alphabetic());
                text.push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
            }
            Token::Any => text.push('.'),
            Token::Processor => text.push_str(&processor_text()),
            Token::Separator(other) | Token::Other(other) => text.push_str(other),
        }
        at += 1;
    }
    Some(Form { text, numbers: place.map_or(0, |place| place.numbers), letters, beginning })
}

/// The processor that a label names; nothing where it names none or several kinds.
pub fn processor(label: &str) -> Option<&'static str> {
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    let mut found = None;
    let mut rest = label;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        let word = PROCESSORS.iter().find(|(word, _)| {
            ends(before) && rest.starts_with(word) && ends(rest[word.len()..].chars().next())
        });
        if let Some((word, arch)) = word {
            if found.is_some_and(|found| found != *arch) {
                return None;
            }
            found = Some(*arch);
            before = word.chars().last();
            rest = &rest[word.len()..];
        } else {
            before = Some(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

fn processor_text() -> String {
    let words: Vec<String> = PROCESSORS.iter().map(|(word, _)| regex_syntax::escape(word)).collect();
    format!("(?:{})", words.join("|"))
}

fn flatten(hir: &Hir, tokens: &mut Vec<Token>, depth: u32) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => {
            tokens.extend(std::str::from_utf8(&literal.0).ok()?.chars().map(Token::Char));
        }
        HirKind::Concat(parts) => {
            for part in parts {
                flatten(part, tokens, depth + 1)?;
            }
        }
        HirKind::Capture(capture) => flatten(&capture.sub, tokens, depth + 1)?,
        HirKind::Class(Class::Unicode(class)) => {
            let one_of = |allowed: &str| {
                class.ranges().iter().all(|range| (range.start()..=range.end()).all(|c| allowed.contains(c)))
            };
            let large = class.ranges().iter().any(|range| range.end() > '\u{2000}');
            tokens.push(if large && class.ranges().iter().any(|range| range.start() <= ' ') {
                if class.ranges().iter().any(|range| range.start() <= '5' && '5' <= range.end()) {
                    Token::Any
                } else {
                    Token::Other(hir.to_string())
                }
            } else if !large && one_of("-_. ") {
                Token::Separator(hir.to_string())
            } else {
                Token::Other(general(hir, depth + 1)?)
            });
        }
        _ => tokens.push(Token::Other(general(hir, depth + 1)?)),
    }
    Some(())
}

/// A part of an expression, in which every class of some digits becomes one of all.
fn general(hir: &Hir, depth: u32) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    let join = |parts: &[Hir], between: &str| -> Option<String> {
        let parts: Option<Vec<String>> = parts.iter().map(|part| general(part, depth + 1)).collect();
        Some(parts?.join(between))
    };
    Some(match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            let digits = class.ranges().iter().all(|range| range.start() >= '0' && range.end() <= '9');
            // All digits of all scripts are what `\d` means.
            let any_digit =
                class.ranges().iter().all(|range| range.start().is_numeric() && range.end().is_numeric());
            if digits || any_digit { "[0-9]".to_owned() } else { hir.to_string() }
        }
        HirKind::Concat(parts) => join(parts, "")?,
        HirKind::Alternation(parts) => format!("(?:{})", join(parts, "|")?),
        HirKind::Capture(capture) => format!("(?:{})", general(&capture.sub, depth + 1)?),
        HirKind::Repetition(repetition) => {
            let sub = general(&repetition.sub, depth + 1)?;
            let mut text = format!("(?:{sub})");
            match (repetition.min, repetition.max) {
                (0, None) => text.push('*'),
                (1, None) => text.push('+'),
                (0, Some(1)) => text.push('?'),
                (min, None) => write!(text, "{{{min},}}").ok()?,
                (min, Some(max)) => write!(text, "{{{min},{max}}}").ok()?,
            }
            text
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => hir.to_string(),
    })
}

fn chars_at(tokens: &[Token]) -> impl Iterator<Item = char> {
    tokens.iter().map_while(|token| if let Token::Char(c) = token { Some(*c) } else { None })
}

/// Joins the letters of processors' names.
fn with_processors(tokens: &[Token]) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let starts = !matches!(joined.last(), Some(Token::Char(c)) if c.is_alphanumeric());
        let is_here = |word: &str| {
            let count = word.chars().count();
            let ends = !matches!(tokens.get(at + count), Some(Token::Char(c)) if c.is_alphanumeric());
            ends && tokens.len() >= at + count && chars_at(&tokens[at..at + count]).eq(word.chars())
        };
        if let Some((word, _)) = PROCESSORS.iter().find(|(word, _)| starts && is_here(word)) {
            joined.push(Token::Processor);
            at += word.chars().count();
        } else {
            joined.push(tokens[at].clone());
            at += 1;
        }
    }
    joined
}

/// The first place with most of the version's numbers.
fn find_version(tokens: &[Token], version: &[&str]) -> Option<Place> {
    let mut best: Option<Place> = None;
    for start in 0..tokens.len() {
        if start > 0 && tokens[start - 1].is_digit() {
            continue;
        }
        if let Some(place) = version_at(tokens, start, version)
            && best.is_none_or(|best| place.numbers > best.numbers)
        {
            best = Some(place);
        }
    }
    best
}

fn version_at(tokens: &[Token], start: usize, version: &[&str]) -> Option<Place> {
    let number_ends = |at: usize, number: &str| -> Option<usize> {
        let end = at + number.len();
        (end <= tokens.len() && chars_at(&tokens[at..end]).eq(number.chars())).then_some(end)
    };
    let is_whole = |end: usize| !tokens.get(end).is_some_and(Token::is_digit);
    let mut end = number_ends(start, version.first()?)?;
    let mut found = is_whole(end).then_some(Place { start, end, numbers: 1 });
    for (index, number) in version.iter().enumerate().skip(1) {
        let next = (0..=separator_length(&tokens[end..]))
            .rev()
            .filter(|length| *length == 0 || *length == separator_length(&tokens[end..]))
            .find_map(|length| number_ends(end + length, number));
        let Some(next) = next else { break };
        end = next;
        if is_whole(end) {
            found = Some(Place { start, end, numbers: index + 1 });
        }
    }
    found
}

/// How many tokens stand between two numbers of a version: one separator, or that and `SP`.
fn separator_length(tokens: &[Token]) -> usize {
    let one = usize::from(match tokens.first() {
        Some(Token::Char(c)) => "-_. ".contains(*c),
        Some(Token::Any | Token::Separator(_)) => true,
        _ => false,
    });
    let pack: String = chars_at(&tokens[one.min(tokens.len())..]).take(2).collect();
    if pack.eq_ignore_ascii_case("sp") { one + 2 } else { one }
}

/// A version's numbers as groups, with what is between them.
fn version_text(tokens: &[Token], version: &[&str]) -> String {
    let mut text = String::new();
    let mut at = 0;
    let mut before_was_number = false;
    for number in version {
        while at < tokens.len() && !tokens[at].is_digit() {
            match &tokens[at] {
                Token::Char(c) if !"-_. ".contains(*c) => {
                    text.push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
                }
                _ => text.push_str("[-_. ]"),
            }
            at += 1;
            before_was_number = false;
        }
        // Numbers that stand together are told apart by their length only: all but the first have one digit.
        let digits = if before_was_number { 1 } else { MOST_DIGITS };
        let _ = write!(text, "([0-9]{{1,{digits}}})");
        at += number.len();
        before_was_number = true;
    }
    text
}

/// How many tokens from here are the code name.
fn codename_at(tokens: &[Token], codename: &str) -> Option<usize> {
    let count = codename.chars().count();
    let here: String = chars_at(tokens).take(count).collect();
    (count >= 4 && here.chars().count() == count && here.eq_ignore_ascii_case(codename)).then_some(count)
}
