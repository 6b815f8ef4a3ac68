//! Which system a cloud image holds, by the name of its file.
//!
//! The database has the addresses of images, and so their names. One of a later release differs from them in its
//! numbers, or in what the release is called. Others are known as cloud images by a word that their makers use.

use super::Database;
use super::media::Named;
use super::model::System;
use super::trees::ubuntu_release;

/// Words in the names of images that set themselves up at their first start.
const WORDS: [&str; 4] = ["cloudimg", "genericcloud", "cloud", "cloudguest"];

/// A word for one that does not, though it is made for clouds.
const EXCEPTION: &str = "nocloud";

/// A cloud image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudImage {
    /// The system; nothing where that is unknown.
    pub system: Option<Named>,
    /// What its makers call the user that it makes.
    pub user: Option<String>,
}

impl Database {
    /// What a file of this name is, where it looks like a cloud image.
    pub fn cloud_image(&self, file: &str) -> Option<CloudImage> {
        let words = words(file);
        if words.iter().any(|word| word == EXCEPTION) {
            return None;
        }
        let known = self.systems().iter().filter_map(|system| {
            let mut releases =
                system.cloud_images.iter().map(|image| release(system, &self::words(image), &words));
            releases.find_map(|release| release).map(|release| (system, release))
        });
        // That of the same release says more than that of another.
        if let Some((system, release)) = known.min_by_key(|(system, release)| {
            (Some(&**release) != system.version.as_deref(), std::cmp::Reverse(system.released.clone()))
        }) {
            let id = match system.version.as_deref() {
                Some(version) if version != release => system.short_id().replace(version, &release),
                _ => system.short_id().to_owned(),
            };
            return Some(CloudImage {
                system: self.named(&id).map(|(named, _)| named),
                user: self.cloud_user(system),
            });
        }
        if !words.iter().any(|word| WORDS.contains(&word.as_str())) {
            return None;
        }
        let line = words.first()?;
        let relative = self
            .systems()
            .iter()
            .filter(|system| system.distro.as_deref() == Some(line))
            .max_by_key(|system| (self.cloud_user(system).is_some(), system.released.clone()));
        let number = words.iter().find(|word| word.chars().all(|c| c.is_ascii_digit()));
        let system = number.and_then(|number| Some(self.named(&format!("{line}{number}"))?.0));
        Some(CloudImage { system, user: relative.and_then(|system| self.cloud_user(system)) })
    }

    fn cloud_user(&self, system: &System) -> Option<String> {
        let mut known = self.descent(system).into_iter().filter_map(|system| system.cloud_user.as_deref());
        let of_line = || {
            let mut line = self.systems().iter().filter(|other| other.distro == system.distro);
            line.find_map(|other| other.cloud_user.as_deref())
        };
        known.next().or_else(of_line).map(str::to_owned)
    }
}

/// A name's words, without capital letters.
fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(32).map(str::to_ascii_lowercase).collect()
}

/// The release of an image whose name is made of these words, if it is one of a system's: `known` are the words of one
/// of the system's own.
fn release(system: &System, known: &[String], words: &[String]) -> Option<String> {
    let version = system.version.as_deref().unwrap_or_default();
    let codename = system.codename.as_deref().and_then(|name| name.split_whitespace().next());
    let codename = codename.map(str::to_ascii_lowercase);
    let mut found = version.to_owned();
    if known.len() != words.len() {
        return None;
    }
    let is_number = |word: &str| word.chars().all(|c| c.is_ascii_digit());
    for (known, word) in known.iter().zip(words) {
        if codename.as_ref() == Some(known) {
            if known != word {
                ubuntu_release(word)?.clone_into(&mut found);
            }
        } else if known == version && is_number(word) {
            found.clone_from(word);
        } else if known != word && !(is_number(known) && is_number(word)) {
            return None;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::osdb::{Database, Source};

    fn known(database: &Database, file: &str) -> Option<(Option<String>, Option<String>)> {
        database.cloud_image(file).map(|image| (image.system.map(|system| system.id), image.user))
    }

    #[test]
    fn cloud_images_are_known_by_their_names() {
        let database = Source::from_env().get();
        if database.is_empty() {
            eprintln!("skipped: osinfo-db is not installed");
            return;
        }
        for (file, system, user) in [
            ("debian-11-generic-amd64.qcow2", Some("debian11"), Some("debian")),
            ("debian-13-generic-amd64.qcow2", Some("debian13"), Some("debian")),
            ("debian-12-genericcloud-amd64.qcow2", Some("debian12"), Some("debian")),
            ("jammy-server-cloudimg-amd64.img", Some("ubuntu22.04"), Some("ubuntu")),
            ("noble-server-cloudimg-amd64.img", Some("ubuntu24.04"), Some("ubuntu")),
            ("Fedora-Cloud-Base-36-1.5.x86_64.qcow2", Some("fedora36"), Some("fedora")),
            ("Fedora-Cloud-Base-Generic-42-1.1.x86_64.qcow2", Some("fedora42"), Some("fedora")),
        ] {
            let expected = Some((system.map(str::to_owned), user.map(str::to_owned)));
            assert_eq!(known(&database, file), expected, "{file}");
        }
        for file in ["debian-12-nocloud-amd64.qcow2", "windows.qcow2", "", "my disk.img"] {
            assert_eq!(known(&database, file), None, "{file}");
        }
    }
}
