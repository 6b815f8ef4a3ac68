//! Labels that a rule of the database fits: made from its expressions.

use super::super::media::Labels;
use super::super::model::Media;
use super::super::pattern::Pattern;
use regex_syntax::hir::{Class, Hir, HirKind};

/// What is chosen where an expression leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taste {
    /// As little as possible.
    Lean,
    /// Something wherever something may be.
    Full,
}

/// A text that an expression matches from its beginning.
pub fn text(pattern: &str, taste: Taste) -> Option<String> {
    let hir = regex_syntax::Parser::new().parse(pattern).ok()?;
    let mut text = String::new();
    write(&hir, taste, &mut text);
    Some(text)
}

fn write(hir: &Hir, taste: Taste, text: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.push(member(class, taste)),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            let count = match taste {
                Taste::Lean => repetition.min,
                Taste::Full => repetition.min.max(1).min(most),
            };
            for _ in 0..count {
                write(&repetition.sub, taste, text);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, taste, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, taste, text)),
        HirKind::Alternation(parts) => {
            let part = if taste == Taste::Lean { parts.first() } else { parts.last() };
            if let Some(part) = part {
                write(part, taste, text);
            }
        }
    }
}

/// A character of a class that could be in a label.
fn member(class: &Class, taste: Taste) -> char {
    let Class::Unicode(class) = class else { return '?' };
    let has = |c: char| class.ranges().iter().any(|range| range.start() <= c && c <= range.end());
    let wanted = if taste == Taste::Lean { ".-_ 1A" } else { "-._9Z " };
    let first = class.ranges().first().map_or('?', regex_syntax::hir::ClassUnicodeRange::start);
    wanted.chars().find(|c| has(*c)).unwrap_or(first)
}

/// Labels of a made-up disc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    pub volume: Option<String>,
    pub system: Option<String>,
    pub publisher: Option<String>,
    pub application: Option<String>,
    pub size: Option<u64>,
}

impl Made {
    /// A disc that a medium of the database fits.
    pub fn of(media: &Media, taste: Taste) -> Option<Self> {
        let make = |pattern: &Option<Pattern>| match pattern {
            // A label is never empty: then it is not there, which is the same to all rules.
            Some(pattern) => {
                text(pattern.as_str(), taste).map(|text| Some(text).filter(|text| !text.is_empty()))
            }
            None => Some(None),
        };
        Some(Self {
            volume: make(&media.volume)?,
            system: make(&media.system)?,
            publisher: make(&media.publisher)?,
            application: make(&media.application)?,
            size: media.volume_size,
        })
    }

    pub fn labels(&self) -> Labels<'_> {
        Labels {
            volume: self.volume.as_deref(),
            system: self.system.as_deref(),
            publisher: self.publisher.as_deref(),
            application: self.application.as_deref(),
            volume_size: self.size,
            arch: None,
        }
    }
}
