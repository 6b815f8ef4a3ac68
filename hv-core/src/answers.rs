//! Answers to the questions of an installer or a cloud image, as the files that each of them reads.
//!
//! Pure, but for the salt of passwords. What a person typed is checked by the rules of the system that it is for
//! ([`check`]) before anything is made; after that, no value can end its line or its quotation, whatever the format.
//! The clear text of a password ends in [`password`]. Which system can be installed so is decided in `crate::express`,
//! and on which medium a file is put.

mod check;
mod cloud;
mod debian;
mod kickstart;
mod password;
mod suse;
mod ubuntu;
mod windows;

pub use check::{Known, host_name_of, is_language, is_login, keyboard_parts};
pub use cloud::{cloud_init, nothing};
pub use debian::{Debian, preseed};
pub use kickstart::{Anaconda, Source, kickstart};
pub use suse::{agama, autoyast};
pub use ubuntu::autoinstall;
pub use windows::unattend;

use hv_api::Error;
use password::Password;

/// Whose rules count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// A Linux that is installed.
    Linux,
    /// A Linux that is copied and needs no password where there is a key.
    Cloud,
    /// Windows.
    Windows,
}

/// What counts where a person did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usual {
    /// The guest's name, from which that in networks is made.
    pub guest: String,
    /// Language and country.
    pub language: String,
    /// The keyboard's layout.
    pub keyboard: String,
    /// The time zone.
    pub time_zone: String,
}

/// Answers that were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    user: String,
    full_name: String,
    password: Option<Password>,
    ssh_keys: Vec<String>,
    host_name: String,
    language: String,
    layout: String,
    variant: Option<String>,
    time_zone: String,
}

impl Answers {
    /// Checks what a person answered, by the rules of the system that it is for.
    ///
    /// # Errors
    /// [`Error::AnswerInvalid`] for the first answer that can't be used.
    pub fn new(asked: &hv_api::Answers, system: System, usual: &Usual, known: &Known) -> Result<Self, Error> {
        let user = check::user(&asked.user, system)?;
        let full_name = match asked.full_name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => check::full_name(name, system)?,
            None => user.clone(),
        };
        let host_name = match asked.host_name.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => check::host_name(name, system)?,
            None => host_name_of(&usual.guest, system),
        };
        let ssh_keys = check::ssh_keys(asked.ssh_keys.as_deref().unwrap_or_default())?;
        let language = check::language(asked.language.as_deref().unwrap_or(&usual.language), known)?;
        let keyboard = asked.keyboard.as_deref().unwrap_or(&usual.keyboard);
        let (layout, variant) = check::keyboard(keyboard, known)?;
        let time_zone = check::time_zone(asked.time_zone.as_deref().unwrap_or(&usual.time_zone), known)?;
        // Last, as it takes some milliseconds.
        let clear = asked.password.as_ref().map(hv_api::Secret::reveal);
        let password = match check::password(clear, system, !ssh_keys.is_empty())? {
            Some(clear) if system == System::Windows => Some(Password::windows(clear)),
            Some(clear) => Some(Password::linux(clear)?),
            None => None,
        };
        Ok(Self { user, full_name, password, ssh_keys, host_name, language, layout, variant, time_zone })
    }

    /// The login name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Language and country, as `de_DE`.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The keyboard's layout, without its variant.
    pub fn layout(&self) -> &str {
        &self.layout
    }

    /// The password in the form that the system takes; empty where there is none.
    fn password(&self) -> &str {
        self.password.as_ref().map_or("", Password::text)
    }

    fn locale(&self) -> String {
        format!("{}.UTF-8", self.language)
    }
}

#[cfg(test)]
mod tests;
