//! A regular expression of the database: compiled when it is needed, and not even then where a look at its
//! plain letters says that it can't match.
//!
//! Matching takes linear time and bounded memory, whatever the expression is. One that does not compile never
//! matches.

use regex::{Regex, RegexBuilder};
use std::sync::OnceLock;
use tracing::debug;

/// The longest expression that is looked at, in bytes. The longest one known has 600.
const LONGEST: usize = 4096;

/// The most memory that a compiled expression may take, in bytes.
const COMPILED_LIMIT: usize = 1 << 20;

/// An expression that is matched from the beginning of a text.
#[derive(Debug)]
pub struct Pattern {
    text: Box<str>,
    /// Letters with which every match begins.
    prefix: Box<str>,
    /// Letters that are in every match.
    within: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Takes an expression as the database writes it. Costs little: nothing is compiled yet.
    pub fn new(text: &str) -> Self {
        let (prefix, within) = plain_letters(text);
        Self { text: text.into(), prefix: prefix.into(), within: within.into(), compiled: OnceLock::new() }
    }

    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Letters that are in every match, also of the same expression for another release: without numbers and the
    /// release's code name. May be empty.
    pub fn landmark(&self, codename: Option<&str>) -> &str {
        let has_codename = |part: &str| {
            codename.is_some_and(|name| part.to_ascii_lowercase().contains(&name.to_ascii_lowercase()))
        };
        let longest = |text| steady(text).filter(|part| !has_codename(part)).max_by_key(|part| part.len());
        let at_start = longest(&self.prefix).filter(|part| part.len() > 1);
        at_start.or_else(|| longest(&self.within)).unwrap_or_default()
    }

    /// Whether the text begins with a match.
    pub fn matches(&self, text: &str) -> bool {
        self.could_match(text) && self.regex().is_some_and(|regex| regex.is_match(text))
    }

    /// The match with which the text begins, with its groups; nothing where there is none.
    pub fn captures<'t>(&self, text: &'t str) -> Option<regex::Captures<'t>> {
        if self.could_match(text) { self.regex()?.captures(text) } else { None }
    }

    /// The first group of the match with which the text begins; nothing where there is none.
    pub fn first_group<'t>(&self, text: &'t str) -> Option<&'t str> {
        Some(self.captures(text)?.get(1)?.as_str())
    }

    /// False where the text can't begin with a match.
    fn could_match(&self, text: &str) -> bool {
        text.starts_with(&*self.prefix) && text.contains(&*self.within)
    }

    fn regex(&self) -> Option<&Regex> {
        let compile = || {
            if self.text.len() > LONGEST {
                debug!(length = self.text.len(), "an expression is too long, so it matches nothing");
                return None;
            }
            anchored(&self.text)
                .map_err(|error| debug!(pattern = %self.text, %error, "it matches nothing"))
                .ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }
}

/// The parts of a text between its numbers, without what may be a part of a processor's name.
fn steady(text: &str) -> impl Iterator<Item = &str> {
    let last = text.split(|c: char| c.is_ascii_digit()).count() - 1;
    text.split(|c: char| c.is_ascii_digit()).enumerate().map(move |(index, part)| {
        let part = if index > 0 { part.trim_start_matches(char::is_alphanumeric) } else { part };
        if index < last { part.trim_end_matches(char::is_alphanumeric) } else { part }
    })
}

/// An expression that is matched from the beginning of a text, compiled.
pub fn anchored(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!(r"\A(?:{text})"))
        .size_limit(COMPILED_LIMIT)
        .dfa_size_limit(COMPILED_LIMIT)
        .nest_limit(64)
        .build()
}

/// The plain letters with which every match of an expression begins, and the longest run of plain letters that
/// is in every match. Both may be empty, and neither is ever wrong.
fn plain_letters(text: &str) -> (String, String) {
    let mut runs = vec![String::new()];
    let mut chars = text.chars().peekable();
    let mut depth = 0_u32;
    while let Some(c) = chars.next() {
        let mut plain = None;
        match c {
            '\\' => match chars.next() {
                // A class or a place. `\x41`, `\u{41}`, `\p{L}`: their rest would pass for letters.
                Some('x' | 'u' | 'U' | 'p' | 'P' | 'b') => return Default::default(),
                Some(escaped) if escaped.is_ascii_punctuation() => plain = Some(escaped),
                _ => {}
            },
            '(' => {
                if chars.peek() == Some(&'?') {
                    chars.next();
                    match chars.next() {
                        Some(':') => {}
                        Some('P') => drop(chars.by_ref().find(|c| *c == '>')),
                        // Flags may change what letters mean.
                        _ => return Default::default(),
                    }
                }
                depth += 1;
            }
            ')' => depth = depth.saturating_sub(1),
            '[' => {
                // A `]` that comes first is a member of the class.
                if chars.peek() == Some(&'^') {
                    chars.next();
                }
                let mut first = true;
                loop {
                    match chars.next() {
                        Some('\\') => drop(chars.next()),
                        Some(']') if !first => break,
                        // Classes within classes are not taken apart.
                        Some('[') | None => return Default::default(),
                        Some(_) => {}
                    }
                    first = false;
                }
            }
            '|' if depth == 0 => return Default::default(),
            '^' if depth == 0 && runs.len() == 1 && runs[0].is_empty() => continue,
            '*' | '?' | '{' if depth == 0 => {
                // What stands before it may be missing.
                if let Some(run) = runs.last_mut() {
                    run.pop();
                }
                if c == '{' {
                    for c in chars.by_ref() {
                        if c == '}' {
                            break;
                        }
                    }
                }
            }
            '+' | '.' | '$' | '|' | '*' | '?' | '{' | '}' | ']' | '^' => {}
            letter => plain = Some(letter),
        }
        match plain {
            Some(letter) if depth == 0 => {
                if let Some(run) = runs.last_mut() {
                    run.push(letter);
                }
            }
            _ => runs.push(String::new()),
        }
    }
    let prefix = runs[0].clone();
    let longest = runs.into_iter().max_by_key(String::len).unwrap_or_default();
    (prefix, longest)
}
