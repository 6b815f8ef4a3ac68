//! What `fake-qemu` is told: for each command that it gets, how to behave otherwise than QEMU.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The script's file, beside the link by which `fake-qemu` was started.
const FILE: &str = "script.json";

/// How `fake-qemu` behaves. What is not said here it does as QEMU would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// By command. `start` stands for the moment before it looks at anything, `greeting` for the first
    /// word to each client.
    pub reactions: BTreeMap<String, Reaction>,
    /// What the guest writes on its first serial port as soon as it runs.
    pub serial: String,
    /// Whether an agent runs in the guest, which tells of its network cards.
    pub agent: bool,
}

/// Another answer than QEMU's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reaction {
    /// Nothing at all.
    Ignore,
    /// An error with these words.
    Refuse(String),
    /// Bytes that are not of the language.
    Garbage,
    /// QEMU's answer, after so many milliseconds.
    Delay(u64),
    /// No answer: these words on the standard error, and the end with this exit code.
    Die(String, i32),
}

impl Script {
    /// Nothing but what QEMU does.
    pub fn obedient() -> Self {
        Self::default()
    }

    /// Another behaviour for one command.
    #[must_use]
    pub fn on(mut self, command: &str, reaction: Reaction) -> Self {
        self.reactions.insert(command.to_owned(), reaction);
        self
    }

    /// With an agent in the guest.
    #[must_use]
    pub fn with_agent(mut self) -> Self {
        self.agent = true;
        self
    }

    /// Where a script is for programs in this folder.
    pub fn path(programs: &Path) -> PathBuf {
        programs.join(FILE)
    }

    /// Writes the script beside its place, and says where.
    pub(crate) fn write_beside(&self, programs: &Path) -> PathBuf {
        let path = Self::path(programs).with_extension("new");
        std::fs::write(&path, serde_json::to_vec(self).expect("JSON")).expect("a script");
        path
    }
}
