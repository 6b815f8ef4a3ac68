//! Where an install tree is: a folder of this computer, or an address.

use hv_api::{Error, TreeFault};
use reqwest::Url;
use std::path::PathBuf;

/// The longest address that is taken.
const LONGEST: usize = 2048;

/// Where an install tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// An address; its path ends with a slash.
    Address(Url),
}

impl Place {
    /// Whether this is written as an address is, and not as a path.
    pub fn is_address(text: &str) -> bool {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        })
    }

    /// The place that is written so: an absolute path, or an address.
    ///
    /// # Errors
    /// [`Error::TreeUnusable`] where it is neither.
    pub fn of(text: &str) -> Result<Self, Error> {
        if text.starts_with('/') {
            return Ok(Self::Folder(text.into()));
        }
        let wrong = |detail: &str| Error::TreeUnusable {
            location: if Self::is_address(text) { without_password(text) } else { text.to_owned() },
            fault: TreeFault::Address,
            file: String::new(),
            detail: detail.to_owned(),
        };
        if text.len() > LONGEST {
            return Err(wrong("it is too long"));
        }
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong("only http and https are known"));
        }
        url.set_fragment(None);
        url.set_query(None);
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push("");
        }
        Ok(Self::Address(url))
    }

    /// The same as text, with the password that an address may have.
    pub fn text(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::Address(url) => url.to_string(),
        }
    }

    /// As it is shown and noted in logs: without a password.
    pub fn shown(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::Address(url) => {
                let mut url = url.clone();
                // It has a host, and so can have none.
                let _ = url.set_password(None);
                url.to_string()
            }
        }
    }

    /// A tree that is a part of a mirror of Debian: the mirror, and where in it the tree is.
    pub fn mirror(&self) -> Option<(Self, String)> {
        let text = self.text();
        let at = text.rfind("/dists/")?;
        let (root, rest) = (&text[..=at], text[at + 1..].trim_end_matches('/'));
        Some((Self::of(root).ok()?, rest.to_owned()))
    }

    /// The address of a file in it; nothing in a folder.
    pub fn file(&self, path: &str) -> Option<Url> {
        let Self::Address(url) = self else { return None };
        let mut url = url.clone();
        // Piece by piece: what looks like an address of its own is none.
        url.path_segments_mut().ok()?.pop_if_empty().extend(path.split('/'));
        Some(url)
    }
}

/// An address that may be no right one, as it is shown: without a password.
pub fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match host.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}{path}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_and_folders_are_told_apart() {
        let place = Place::of("https://u:secret@host.example/a%20b/tree").unwrap();
        assert_eq!(place.shown(), "https://u@host.example/a%20b/tree/");
        assert_eq!(place.text(), "https://u:secret@host.example/a%20b/tree/");
        let file = place.file("images/../x y/http://z?q#f").unwrap();
        assert_eq!(file.as_str(), "https://u:secret@host.example/a%20b/tree/images/x%20y/http://z%3Fq%23f");
        assert_eq!(Place::of("/srv/tree"), Ok(Place::Folder("/srv/tree".into())));
        for wrong in ["tree", "ftp://h/t", "file:///etc", "https://", "data://x", "http://u:secret@/x"] {
            let error = Place::of(wrong).unwrap_err();
            assert!(matches!(error, Error::TreeUnusable { fault: TreeFault::Address, .. }), "{wrong}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_mirror_is_what_is_above_its_lists() {
        let mirror = |text: &str| {
            let (root, path) = Place::of(text).unwrap().mirror()?;
            Some((root.text(), path))
        };
        let debian = "http://deb.debian.org/debian/dists/bookworm/main/installer-amd64/";
        let expected = ("http://deb.debian.org/debian/".into(), "dists/bookworm/main/installer-amd64".into());
        assert_eq!(mirror(debian), Some(expected));
        assert_eq!(mirror("/srv/m/dists/x"), Some(("/srv/m/".into(), "dists/x".into())));
        assert_eq!(mirror("http://h/fedora/os"), None);
    }

    proptest! {
        #[test]
        fn no_file_is_outside_of_its_tree(path in "[a-z./%:@?#\\\\ ]{0,40}") {
            let url = Place::of("http://h/tree").unwrap().file(&path).unwrap();
            prop_assert!(url.as_str().starts_with("http://h/tree"));
        }

        #[test]
        fn no_password_is_shown(text in "[a-z]{1,5}://[a-z:@/]{0,12}:secret@[a-z/@:]{0,12}") {
            if let Ok(place) = Place::of(&text) {
                prop_assert!(place.shown().matches("secret").count() <= place.shown().split_once('/').map_or(0, |(_, rest)| rest.trim_start_matches('/').split_once('/').map_or(0, |(_, path)| path.matches("secret").count())));
            }
        }
    }
}
