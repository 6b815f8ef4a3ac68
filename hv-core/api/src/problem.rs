//! The words in which a refusal, a failure or a guest's trouble is explained to a person: what
//! happened, why, and what to do.
//!
//! Both the application and `hv` take their texts from here, so that they say the same. Every sentence
//! is one literal in a call `t("…")`, where a tool finds it for translation; values come in by named
//! placeholders. Where a sentence is shown, and with which button, is left to who shows it; so is
//! making a value harmless for a terminal.

mod answer;
mod appliance;
mod boot;
mod condition;
mod cpu;
mod disk;
mod network;
mod pci;
mod refusal;
mod snapshot;
mod tree;
mod usb;
mod words;

pub use answer::{answer_field_word, express_sentence};
pub use condition::{explain_accelerator, explain_state};
pub use pci::{explain_pci, pci_kind_word};
pub use refusal::explain;
pub use usb::{explain_usb, usb_kind_word};
pub use words::{import_outcome, import_reason, note_sentence, stage_word, state_word};

use crate::client::{CallError, ConnectError};
use std::io::ErrorKind;

/// Turns an English sentence into the user's language. The application passes gettext, `hv` the
/// identity.
pub type Translate<'a> = &'a dyn Fn(&str) -> String;

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Names the kind of trouble for programs, as `name-taken`. Never changes.
    pub code: &'static str,
    /// What happened, in one sentence.
    pub what: String,
    /// Why, in one or two sentences.
    pub why: String,
    /// What the person can do about it.
    pub remedy: String,
    /// Words of the engine or the operating system, in English, for experts.
    pub detail: Option<String>,
}

/// Says why the core can't be reached.
pub fn explain_connect(error: &ConnectError, t: Translate<'_>) -> Explanation {
    match error {
        ConnectError::NotRunning { path, source } => Explanation {
            code: "core-not-running",
            what: t("Guesthouse's core, hv-core, does not run."),
            why: fill(&t("Nothing answers on {path}."), &[("path", &path.display().to_string())]),
            remedy: t("Try again. If that does not help, start hv-core in a terminal to see what it says."),
            detail: Some(source.to_string()),
        },
        ConnectError::Foreign { path } => Explanation {
            code: "core-foreign",
            what: t("Guesthouse does not talk to the core that it found."),
            why: fill(
                &t("The socket {path} belongs to another user, who would see what you do."),
                &[("path", &path.display().to_string())],
            ),
            remedy: t("Name a socket of your own, or remove the environment variable GUESTHOUSE_SOCKET."),
            detail: None,
        },
        ConnectError::NotStartable { program, source } => {
            let program = [("program", &*program.display().to_string())];
            let (why, remedy) = if source.kind() == ErrorKind::NotFound {
                (
                    t("The program {program} was not found."),
                    t("Install Guesthouse again, so that hv-core is in the folder with its other programs."),
                )
            } else {
                (
                    t("The program {program} could not be run."),
                    t("Check that you may run it; the details say what the system reports."),
                )
            };
            Explanation {
                code: "core-not-startable",
                what: t("Guesthouse's core, hv-core, could not be started."),
                why: fill(&why, &program),
                remedy: fill(&remedy, &program),
                detail: Some(source.to_string()),
            }
        }
        ConnectError::Ended { program, words } => Explanation {
            code: "core-ended",
            what: t("Guesthouse's core, hv-core, could not be started."),
            why: fill(
                &t("The program {program} ended before it answered."),
                &[("program", &program.display().to_string())],
            ),
            remedy: t("Start hv-core in a terminal to see what it says."),
            detail: (!words.is_empty()).then(|| words.clone()),
        },
    }
}

/// Says why a call came to nothing.
pub fn explain_call(error: &CallError, t: Translate<'_>) -> Explanation {
    match error {
        CallError::Refused(refusal) => explain(refusal, t),
        CallError::Broken(broken) => Explanation {
            code: "connection-broken",
            what: t("The connection to Guesthouse's core, hv-core, broke."),
            why: t("The core has ended, or is of a version that speaks differently. Guests run on."),
            remedy: t("Try again: the core is started anew. Whether the last command was done is not known."),
            detail: Some(chain(broken)),
        },
    }
}

/// Puts values in place of `{name}`s. What a value contains is never taken for a placeholder.
fn fill(sentence: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(sentence.len() + 64);
    let mut rest = sentence;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        let value = after.find('}').and_then(|close| {
            let (_, value) = values.iter().find(|(name, _)| *name == &after[..close])?;
            Some((*value, close))
        });
        rest = if let Some((value, close)) = value {
            filled.push_str(value);
            &after[close + 1..]
        } else {
            filled.push('{');
            after
        };
    }
    filled.push_str(rest);
    filled
}

/// An error and its sources in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        line.push_str(": ");
        line.push_str(&next.to_string());
        source = next.source();
    }
    line
}

/// The text, where there is any.
fn some_text(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
