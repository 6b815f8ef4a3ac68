//! The installation of a system: what a guest has only for that, and when it is over. Pure.
//!
//! A definition has a table `install` exactly while a system is being installed. What of it is the guest's own is in
//! the folder [`FOLDER`] beside the definition and goes with the table: whoever finds that folder without the table
//! may remove it, so that a change of the definition is all that an installation ends with.

mod startable;

pub use startable::{Look, is_startable};

use super::config::{Definition, Kernel};
use super::view::drive_name;
use crate::tree::without_password;
use hv_api::Installation;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a guest has only while it is installed, in its folder.
pub const FOLDER: &str = "install";

/// More restarts than any installer makes.
pub const MOST_RESTARTS: u32 = 16;

/// The table `install` of a definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Install {
    /// The drive whose medium is taken out afterwards; nothing where it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// A medium with answers for the installer, in one more drive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<PathBuf>,
    /// The tree that the installer reads: an address, or a folder of this computer, which the core serves to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// What stands in the address of a tree that the core serves, and only its guest is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How often the installer ends the machine from now on until the system is installed.
    pub restarts: u32,
    /// Whether nobody has to answer it: the system is started when the installer has powered the machine off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unattended: bool,
    /// The installer's kernel, which is started directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
}

/// How the machine of a guest that is being installed has ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It powered itself off.
    PoweredOff,
    /// It wanted to restart.
    Restarted,
}

/// What becomes of an installation whose machine has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is made once and taken apart at once")]
pub enum Next {
    /// Nothing was installed: what there is for it stays as it is.
    Same,
    /// A part is done, and this is left.
    Goes(Install),
    /// The system is installed.
    Done,
}

impl Install {
    /// Whether such a table can be. `drives` tells how many drives the guest has.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self, drives: usize) -> Result<(), String> {
        let is_drive = |name: &String| (0..drives).any(|index| drive_name(index) == *name);
        if let Some(medium) = self.medium.as_ref().filter(|medium| !is_drive(medium)) {
            return Err(format!("there is no drive {medium} to take the installer's medium out of"));
        }
        if !(1..=MOST_RESTARTS).contains(&self.restarts) {
            return Err(format!("an installer ends its machine 1 to {MOST_RESTARTS} times"));
        }
        Ok(())
    }

    /// What becomes of it when its machine has ended, and the guest's first disk can be started from by then or not.
    pub fn after_end(&self, startable: bool) -> Next {
        match self.restarts {
            _ if !startable => Next::Same,
            0 | 1 => Next::Done,
            // What it goes on with is on the disk.
            more => Next::Goes(Self { restarts: more - 1, kernel: None, ..self.clone() }),
        }
    }

    /// Files of the host's that the machine needs for it, as they stand in the definition.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let kernel = self.kernel.iter();
        kernel.flat_map(|kernel| kernel.image.iter().chain(&kernel.initrd)).chain(&self.seed)
    }

    /// The folder with the tree that the core serves to it, and the secret in its address.
    pub fn served(&self) -> Option<(&Path, &str)> {
        let folder = self.tree.as_deref().map(Path::new).filter(|path| path.is_absolute());
        Some((folder?, self.secret.as_deref()?))
    }

    /// What clients are told.
    pub fn info(&self) -> Installation {
        Installation {
            medium: self.medium.clone(),
            tree: self.tree.as_deref().map(without_password),
            unattended: self.unattended,
            restarts: self.restarts,
        }
    }
}

impl Definition {
    /// The same guest with its system installed, at this time: what was there for the installation is gone.
    #[must_use]
    pub fn installed(&self, now: u64) -> Self {
        let mut definition = Self { installed: Some(now), ..self.clone() };
        if let Some(medium) = definition.install.take().and_then(|install| install.medium) {
            for (index, drive) in definition.drives.iter_mut().enumerate() {
                if drive_name(index) == medium {
                    drive.medium = None;
                }
            }
        }
        definition
    }

    /// Whether a machine begins anew where its guest restarts itself: it may begin otherwise after that, as that of an
    /// installer, or has to look for the kernel that it starts with.
    pub fn begins_anew(&self) -> bool {
        self.install.is_some() || self.kernel_disk().is_some()
    }

    /// Whether the machine has to stop where its guest restarts itself, instead of starting it again by itself.
    pub fn stops_on_reboot(&self) -> bool {
        self.begins_anew() || self.power.stops_on_reboot()
    }
}

/// Removes what a guest had only while it was installed. What is in the way of that is no matter: the next core tries
/// again.
pub fn sweep(guest: &Path) {
    match std::fs::remove_dir_all(guest.join(FOLDER)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "what an installation has left stays for now");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
