//! What a volume builds on: the backing files of a qcow2 volume, which it only reads and which must not change.
//!
//! The headers are hostile: names are claims, the length of a chain is bounded, and nothing is opened that is not a
//! file or a disk.

use crate::engine::DiskFormat;
use crate::files;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// The longest chain that is followed.
pub(super) const MAX_DEPTH: usize = 64;

/// The longest name of a backing file, in bytes, as the format has it.
const MAX_NAME: u32 = 1023;

/// One of the files that a volume builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The file.
    pub path: PathBuf,
    /// Its format, as the volume above it has it; nothing where that does not say.
    pub format: Option<DiskFormat>,
    /// Whether it is a block device.
    pub is_device: bool,
}

/// The files that this volume builds on, from the nearest on; none where it is whole. A chain ends where a file can't
/// be read or names something that is not a file.
pub fn backing_files(volume: &Path) -> Vec<PathBuf> {
    layers(volume).into_iter().map(|layer| layer.path).collect()
}

/// The same with what is known of each.
pub fn layers(volume: &Path) -> Vec<Layer> {
    let mut chain: Vec<Layer> = Vec::new();
    let mut last = volume.to_owned();
    while chain.len() < MAX_DEPTH
        && let Some((next, format)) = backing_file(&last)
        && next != volume
        && !chain.iter().any(|layer| layer.path == next)
    {
        let is_device = std::fs::metadata(&next).is_ok_and(|found| found.file_type().is_block_device());
        chain.push(Layer { path: next.clone(), format, is_device });
        last = next;
    }
    chain
}

/// The file that this one names as the one it builds on, and the format of that.
fn backing_file(path: &Path) -> Option<(PathBuf, Option<DiskFormat>)> {
    let (name, format) = backing_name(path)?;
    Some((path.parent()?.join(named_file(name)?), format))
}

/// The same, only where it is named in the plain way.
///
/// # Errors
/// How it is named, to be said behind the name of this file.
pub(super) fn plain_backing_file(path: &Path) -> Result<(PathBuf, Option<DiskFormat>), String> {
    let unread = || "does not say what it builds on".to_owned();
    let (name, format) = backing_name(path).ok_or_else(unread)?;
    if name.starts_with(b"json:") {
        return Err("builds on something that is described in a way that can't be followed".to_owned());
    }
    let plain = name.strip_prefix(b"file:").unwrap_or(&name);
    // As QEMU tells a protocol from a path.
    if plain.split(|byte| *byte == b'/').next().is_some_and(|first| first.contains(&b':')) {
        return Err(format!(
            "builds on {}, which is no file of this computer's",
            String::from_utf8_lossy(plain)
        ));
    }
    let folder = path.parent().ok_or_else(unread)?;
    Ok((folder.join(OsString::from_vec(plain.to_vec())), format))
}

/// What this file calls the file that it builds on, and the format of that.
fn backing_name(path: &Path) -> Option<(Vec<u8>, Option<DiskFormat>)> {
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
    let version = u32::from_be_bytes(*head.get(4..8)?.first_chunk()?);
    Some((name, backing_format(&mut file, version)))
}

/// The format of the file that a volume builds on, as its header says among other things.
fn backing_format(file: &mut File, version: u32) -> Option<DiskFormat> {
    /// What says it.
    const FORMAT: u32 = 0xe279_2aca;
    /// The length of a header of version 2, and where a later one has its own.
    const FIRST_LENGTH: u32 = 72;
    const LENGTH_AT: u64 = 100;
    /// More than there ever are.
    const MOST_ENTRIES: usize = 64;
    /// The longest name of a format.
    const LONGEST: u32 = 16;
    let number = |file: &mut File| -> Option<u32> {
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes).ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    let length = if version < 3 {
        FIRST_LENGTH
    } else {
        file.seek(SeekFrom::Start(LENGTH_AT)).ok()?;
        number(file)?
    };
    file.seek(SeekFrom::Start(length.into())).ok()?;
    for _entry in 0..MOST_ENTRIES {
        let (kind, length) = (number(file)?, number(file)?);
        if kind == FORMAT && length <= LONGEST {
            let mut name = vec![0; length as usize];
            file.read_exact(&mut name).ok()?;
            return DiskFormat::of_name(str::from_utf8(&name).ok()?);
        }
        if kind == 0 {
            return None;
        }
        file.seek(SeekFrom::Current((i64::from(length) + 7) & !7)).ok()?;
    }
    None
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

    #[test]
    fn what_a_volume_builds_on_has_its_format() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let image = |words: &[&str]| {
            let made = std::process::Command::new("qemu-img").arg("create").arg("-q").args(words).status();
            made.is_ok_and(|made| made.success())
        };
        if !image(&["-f", "raw", &at("base"), "1M"]) {
            println!("SKIPPED: qemu-img is not installed");
            return;
        }
        let (base, middle, top, old) = (at("base"), at("middle"), at("top"), at("old"));
        assert!(image(&["-f", "qcow2", "-b", &base, "-F", "raw", &middle]));
        assert!(image(&["-f", "qcow2", "-b", &middle, "-F", "qcow2", &top]));
        assert!(image(&["-f", "qcow2", "-o", "compat=0.10", "-b", &base, "-F", "raw", &old]));
        let formats =
            |path: &str| layers(path.as_ref()).into_iter().map(|layer| layer.format).collect::<Vec<_>>();
        assert_eq!(formats(&top), [Some(DiskFormat::Qcow2), Some(DiskFormat::Raw)]);
        assert_eq!(formats(&old), [Some(DiskFormat::Raw)]);
        overlay(at("silent").as_ref(), &base);
        assert_eq!(formats(&at("silent")), [None]);
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
