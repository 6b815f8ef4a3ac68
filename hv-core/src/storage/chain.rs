//! What a volume builds on: the backing files of a qcow2 volume, which it only reads and which must not change.
//!
//! The headers are hostile: names are claims, the length of a chain is bounded, and nothing is opened that is not a
//! file or a disk.

use crate::files;
use std::ffi::OsString;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The longest chain that is followed.
const MAX_DEPTH: usize = 64;

/// The longest name of a backing file, in bytes, as the format has it.
const MAX_NAME: u32 = 1023;

/// The files that this volume builds on, from the nearest on; none where it is whole. A chain ends where a file can't
/// be read or names something that is not a file.
pub fn backing_files(volume: &Path) -> Vec<PathBuf> {
    let mut chain = Vec::new();
    let mut last = volume.to_owned();
    while chain.len() < MAX_DEPTH
        && let Some(next) = backing_file(&last)
        && next != volume
        && !chain.contains(&next)
    {
        chain.push(next.clone());
        last = next;
    }
    chain
}

/// The file that this one names as the one it builds on.
fn backing_file(path: &Path) -> Option<PathBuf> {
    let (mut file, _) = files::open_readable(path).ok()?;
    let mut head = [0; 20];
    file.read_exact(&mut head).ok()?;
    if head.first_chunk() != Some(b"QFI\xfb") {
        return None;
    }
    let offset = u64::from_be_bytes(*head.get(8..16)?.first_chunk()?);
    let length = u32::from_be_bytes(*head.get(16..20)?.first_chunk()?);
    if offset == 0 || !(1..=MAX_NAME).contains(&length) {
        return None;
    }
    file.seek(SeekFrom::Start(offset)).ok()?;
    let mut name = vec![0; length as usize];
    file.read_exact(&mut name).ok()?;
    let name = named_file(name)?;
    Some(path.parent()?.join(name))
}

/// The file behind a name as QEMU writes it: a path, `file:` and a path, or a description in JSON.
fn named_file(name: Vec<u8>) -> Option<PathBuf> {
    if let Some(json) = name.strip_prefix(b"json:") {
        let described: serde_json::Value = serde_json::from_slice(json).ok()?;
        let filename = |value: &serde_json::Value| value["filename"].as_str().map(PathBuf::from);
        let dotted = described["file.filename"].as_str().map(PathBuf::from);
        return filename(&described["file"]).or(dotted).or_else(|| filename(&described));
    }
    let path = name.strip_prefix(b"file:").map(<[u8]>::to_vec).unwrap_or(name);
    Some(PathBuf::from(OsString::from_vec(path)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    /// A file that says that it builds on this one.
    pub(crate) fn overlay(path: &Path, name: impl AsRef<OsStr>) {
        let name = name.as_ref().as_bytes();
        let mut head = b"QFI\xfb\0\0\0\x03".to_vec();
        head.extend(64_u64.to_be_bytes());
        head.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
        head.resize(64, 0);
        head.extend(name);
        std::fs::write(path, head).unwrap();
    }

    #[test]
    fn a_chain_is_followed_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("base, raw"), "MBR").unwrap();
        overlay(&at("a"), at("base, raw"));
        overlay(&at("b"), "a");
        overlay(&at("c"), "file:b");
        overlay(&at("d"), r#"json:{"driver":"qcow2","file":{"driver":"file","filename":"c"}}"#);
        assert_eq!(backing_files(&at("d")), [at("c"), at("b"), at("a"), at("base, raw")]);
        assert_eq!(backing_files(&at("base, raw")), Vec::<PathBuf>::new());
        assert_eq!(backing_files(&at("none")), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_chain_that_bites_its_tail_ends() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        overlay(&at("a"), "b");
        overlay(&at("b"), "a");
        overlay(&at("self"), "self");
        assert_eq!(backing_files(&at("a")), [at("b")]);
        assert_eq!(backing_files(&at("self")), Vec::<PathBuf>::new());
    }

    proptest! {
        #[test]
        fn whatever_a_header_names_does_no_harm(name in prop::collection::vec(any::<u8>(), 0..80)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x");
            overlay(&path, OsStr::from_bytes(&name));
            let _ = backing_files(&path);
        }
    }
}
