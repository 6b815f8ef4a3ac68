//! What a tree says that a file of it contains: digests, as `treeinfo` and Debian's `SHA256SUMS` write them. Pure.

use sha2::digest::DynDigest;
use std::fmt::Write;

/// A digest that a file is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    kind: Kind,
    /// In hexadecimal, small letters.
    digest: String,
}

/// How it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Kind {
    const ALL: [(&str, Self, usize); 4] = [
        ("sha256", Self::Sha256, 64),
        ("sha512", Self::Sha512, 128),
        ("sha1", Self::Sha1, 40),
        ("md5", Self::Md5, 32),
    ];

    fn digest(self) -> Box<dyn DynDigest + Send> {
        match self {
            Self::Md5 => Box::<md5::Md5>::default(),
            Self::Sha1 => Box::<sha1::Sha1>::default(),
            Self::Sha256 => Box::<sha2::Sha256>::default(),
            Self::Sha512 => Box::<sha2::Sha512>::default(),
        }
    }
}

impl Checksum {
    /// One that is written `sha256:…`; nothing where it is none that is known.
    pub fn of_word(word: &str) -> Option<Self> {
        let (kind, digest) = word.trim().split_once(':')?;
        Self::new(&kind.trim().to_ascii_lowercase(), digest.trim())
    }

    /// That of a file in a list as `sha256sum` writes it.
    pub fn in_list(list: &str, path: &str) -> Option<Self> {
        let mut lines = list.lines().filter_map(|line| line.split_once(char::is_whitespace));
        let name = |name: &str| name.trim_start().trim_start_matches('*').trim_start_matches("./") == path;
        lines.find(|(_, found)| name(found)).and_then(|(digest, _)| Self::new("sha256", digest))
    }

    fn new(kind: &str, digest: &str) -> Option<Self> {
        let (_, kind, length) = Kind::ALL.into_iter().find(|(name, ..)| *name == kind)?;
        let is_one = digest.len() == length && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| Self { kind, digest: digest.to_ascii_lowercase() })
    }

    /// A name by which a file with this content can be kept: nobody can make two of which one name is. The older
    /// digests don't promise that.
    pub fn name(&self) -> Option<String> {
        matches!(self.kind, Kind::Sha256 | Kind::Sha512).then(|| format!("content-{}", self.digest))
    }
}

/// Bytes as digests are written.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Makes a digest of what goes past, where there is one to compare it with.
pub struct Digester(Option<(Box<dyn DynDigest + Send>, String)>);

impl Digester {
    /// For a file that is to have this digest, or any.
    pub fn new(expected: Option<&Checksum>) -> Self {
        Self(expected.map(|expected| (expected.kind.digest(), expected.digest.clone())))
    }

    /// Takes in what comes next.
    pub fn take(&mut self, bytes: &[u8]) {
        if let Some((digest, _)) = &mut self.0 {
            digest.update(bytes);
        }
    }

    /// Compares.
    ///
    /// # Errors
    /// What was expected and what was found, in words.
    pub fn finish(self) -> Result<(), String> {
        let Some((digest, expected)) = self.0 else { return Ok(()) };
        let found = hexadecimal(&digest.finalize());
        if found == expected { Ok(()) } else { Err(format!("expected {expected}, found {found}")) }
    }
}

impl std::fmt::Debug for Digester {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Digester").field(&self.0.as_ref().map(|(_, expected)| expected)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(word: &str, content: &[u8]) -> Option<bool> {
        let mut digester = Digester::new(Some(&Checksum::of_word(word)?));
        content.chunks(2).for_each(|chunk| digester.take(chunk));
        Some(digester.finish().is_ok())
    }

    #[test]
    fn files_are_compared_with_what_their_tree_says() {
        for word in [
            "md5:900150983cd24fb0d6963f7d28e17f72",
            "sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
            "sha256: BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD ",
        ] {
            assert_eq!(compare(word, b"abc"), Some(true), "{word}");
            assert_eq!(compare(word, b"abd"), Some(false), "{word}");
        }
        for wrong in ["", "sha256", "sha256:", "sha256:zz", "crc:00", "sha256:../../../etc/passwd"] {
            assert_eq!(Checksum::of_word(wrong), None, "{wrong}");
        }
        assert_eq!(Digester::new(None).finish(), Ok(()));
    }

    #[test]
    fn a_file_is_found_in_a_list() {
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let list =
            format!("{}  ./netboot/mini.iso\n{sum}  ./netboot/linux\n{sum} *cdrom/linux\n", "0".repeat(64));
        let found = Checksum::in_list(&list, "netboot/linux").unwrap();
        assert_eq!(found.name(), Some(format!("content-{sum}")));
        assert!(Checksum::in_list(&list, "cdrom/linux").is_some());
        assert_eq!(Checksum::in_list(&list, "linux"), None);
        assert_eq!(Checksum::in_list("<html>\n", "linux"), None);
    }
}
