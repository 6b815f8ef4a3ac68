//! The file systems of a guest's disk: ext2, ext3, ext4, FAT, btrfs and XFS, each by a crate of its own, read and never
//! written. What else is there is named, so that it can be said why nothing was found in it.
//!
//! Paths begin with `/`. Links are followed within the file system. Files are read up to a limit that the caller sets.

use super::bytes::{Bytes, Part};
use std::cell::RefCell;
use std::fmt::{self, Debug};
use std::io::{self, Read, Seek, SeekFrom, Write};

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// The most names that are taken from a folder.
const MOST_NAMES: usize = 4096;

/// The most links that are followed for one path.
const MOST_LINKS: usize = 16;

/// The longest path, and the most parts of one.
const LONGEST_PATH: usize = 4096;

/// A file system that can be read.
pub struct FileSystem {
    /// What people call it.
    pub kind: &'static str,
    /// Its label; empty where it has none.
    pub label: String,
    /// How it is told from all others, in lower case; empty where it says nothing.
    pub uuid: String,
    /// Why a file in it can't be changed in place.
    pub fixed: Option<Fixed>,
    tree: RefCell<Box<dyn Tree>>,
}

impl Debug for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSystem")
            .field("kind", &self.kind)
            .field("uuid", &self.uuid)
            .finish_non_exhaustive()
    }
}

/// Why a file can't be changed in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixed {
    /// Its blocks may be others' too, or have checksums.
    Kind,
    /// It was not left in order, and what was last written to it is not in its place.
    Dirty,
}

/// What is at a place that holds no file system that can be read: its name for people, where it is known.
pub type Unreadable = Option<String>;

impl FileSystem {
    /// The one in this part of a disk.
    ///
    /// # Errors
    /// What is there instead, or what is wrong with it.
    pub fn open(part: &Part) -> Result<Self, Unreadable> {
        let Some(kind) = kind(part) else { return Err(None) };
        let failed = |error: &dyn fmt::Display| Some(format!("{kind}, which can't be read: {error}"));
        let (fixed, label, uuid, tree): (_, _, _, Box<dyn Tree>) = match kind {
            "ext4" => {
                let opened = ext4_view::Ext4::load(Box::new(Source(part.clone())));
                let ext = opened.map_err(|error| failed(&error))?;
                // “Needs recovery”.
                let dirty =
                    part.take::<4>(1024 + 0x60).is_none_or(|flags| u32::from_le_bytes(flags) & 4 != 0);
                let (label, uuid) = (ext.label().display().to_string(), ext.uuid().to_string());
                (dirty.then_some(Fixed::Dirty), label, uuid, Box::new(ext))
            }
            "FAT" => {
                let opened = fatfs::FileSystem::new(Cursor::new(part.clone()), fatfs::FsOptions::new());
                let fat = opened.map_err(|error| failed(&error))?;
                let (id, label) = (fat.volume_id(), fat.volume_label().trim().to_owned());
                let label = if label == "NO NAME" { String::new() } else { label };
                (None, label, format!("{:04x}-{:04x}", id >> 16, id & 0xffff), Box::new(fat))
            }
            "btrfs" => {
                let open = || Source(part.clone());
                let tree = lambutter::Btrfs::open(open(), part.length());
                let tree = tree.map_err(|error| failed(&said(&error)))?;
                let top = lambutter::Btrfs::open_subvol_id(open(), part.length(), 5).ok();
                let label = part.take::<256>(0x1_0000 + 0x12b).map(|label| text(&label)).unwrap_or_default();
                let uuid = part.take::<16>(0x1_0000 + 0x20).map(|id| uuid(&id)).unwrap_or_default();
                (Some(Fixed::Kind), label, uuid, Box::new(Btrfs { tree, top }))
            }
            "XFS" => {
                let tree = lamxfs::Xfs::open(Source(part.clone()), part.length());
                let tree = tree.map_err(|error| failed(&said(&error)))?;
                let label = tree.label().unwrap_or_default().to_owned();
                (Some(Fixed::Kind), label, uuid(&tree.uuid()), Box::new(tree))
            }
            other => return Err(Some(other.to_owned())),
        };
        Ok(Self { kind, label, uuid: uuid.to_lowercase(), fixed, tree: RefCell::new(tree) })
    }

    /// A file's content, where it is not longer than that.
    ///
    /// # Errors
    /// Where there is no such file, or it can't be read or is longer.
    pub fn read(&self, path: &str, most: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.copy(path, most, &mut |chunk| {
            content.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(content)
    }

    /// A file's content, piece by piece, and how long it is.
    ///
    /// # Errors
    /// The same, and those of `sink`.
    pub fn copy(&self, path: &str, most: u64, sink: Sink<'_>) -> io::Result<u64> {
        self.tree.borrow_mut().copy(&plain(path)?, most, sink)
    }

    /// Whether there is such a file.
    pub fn has_file(&self, path: &str) -> bool {
        plain(path).is_ok_and(|path| self.tree.borrow_mut().has_file(&path))
    }

    /// The names in a folder; none where there is no such folder.
    pub fn names(&self, path: &str) -> Vec<String> {
        let names = plain(path).and_then(|path| self.tree.borrow_mut().names(&path));
        let mut names = names.unwrap_or_default();
        names.sort();
        names
    }
}

/// A path without double slashes and steps back.
pub fn plain(path: &str) -> io::Result<String> {
    if path.len() > LONGEST_PATH || path.contains('\0') {
        return Err(io::Error::other("such a path can't be"));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Ok(format!("/{}", parts.join("/")))
}

/// What is in a part of a disk, as people call it; those that can be read come first.
fn kind(part: &Part) -> Option<&'static str> {
    let at = |place: u64, magic: &[u8]| {
        let mut found = vec![0; magic.len()];
        part.read_at(place, &mut found).is_ok() && found == magic
    };
    let known: [(&str, u64, &[u8]); 19] = [
        ("ext4", 1024 + 0x38, &[0x53, 0xef]),
        ("btrfs", 0x1_0040, b"_BHRfS_M"),
        ("XFS", 0, b"XFSB"),
        ("LVM", 512, b"LABELONE"),
        ("LVM", 0, b"LABELONE"),
        ("LVM", 1024, b"LABELONE"),
        ("an encrypted volume (LUKS)", 0, b"LUKS\xba\xbe"),
        ("swap", 4096 - 10, b"SWAPSPACE2"),
        ("swap", 4096 - 10, b"SWAP-SPACE"),
        ("NTFS", 3, b"NTFS    "),
        ("BitLocker", 3, b"-FVE-FS-"),
        ("a RAID member", 4096, &[0xfc, 0x4e, 0x2b, 0xa9]),
        ("a RAID member", 0, &[0xfc, 0x4e, 0x2b, 0xa9]),
        ("F2FS", 1024, &[0x10, 0x20, 0xf5, 0xf2]),
        ("ReiserFS", 0x1_0034, b"ReIsEr"),
        ("ISO 9660", 0x8001, b"CD001"),
        ("FAT", 0x36, b"FAT1"),
        ("FAT", 0x52, b"FAT32"),
        ("UFS", 0x1_0000 + 0x55c, &[0x19, 0x01, 0x54, 0x19]),
    ];
    known.iter().find(|(_, place, magic)| at(*place, magic)).map(|(name, ..)| *name)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn uuid(bytes: &[u8; 16]) -> String {
    uuid::Uuid::from_bytes(*bytes).to_string()
}

fn said(error: &dyn Debug) -> String {
    format!("{error:?}")
}

fn failed(error: &dyn Debug) -> io::Error {
    io::Error::other(said(error))
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "it is too long")
}

/// Where a file's content goes.
type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// The files of a file system.
trait Tree {
    fn copy(&mut self, path: &str, most: u64, sink: Sink<'_>) -> io::Result<u64>;
    fn has_file(&mut self, path: &str) -> bool;
    fn names(&mut self, path: &str) -> io::Result<Vec<String>>;
}

/// Bytes for the crates that ask for them by place.
struct Source(Part);

impl ext4_view::Ext4Read for Source {
    fn read(
        &mut self,
        start: u64,
        into: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self.0.read_at(start, into)?)
    }
}

impl lambutter::BlockRead for Source {
    type Error = io::Error;

    fn read_at(&mut self, place: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(place, into)
    }
}

impl lamxfs::BlockRead for Source {
    type Error = io::Error;

    fn read_at(&mut self, place: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(place, into)
    }
}

impl Tree for ext4_view::Ext4 {
    fn copy(&mut self, path: &str, most: u64, sink: Sink<'_>) -> io::Result<u64> {
        let mut file = self.open(path).map_err(io::Error::other)?;
        if file.metadata().len() > most {
            return Err(too_long());
        }
        let mut chunk = vec![0; CHUNK];
        let mut copied = 0;
        loop {
            let count = file.read_bytes(&mut chunk).map_err(io::Error::other)?;
            if count == 0 {
                return Ok(copied);
            }
            copied += count as u64;
            sink(chunk.get(..count).unwrap_or_default())?;
        }
    }

    fn has_file(&mut self, path: &str) -> bool {
        self.metadata(path).is_ok_and(|found| found.file_type().is_regular_file())
    }

    fn names(&mut self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.read_dir(path).map_err(io::Error::other)?.take(MOST_NAMES) {
            let entry = entry.map_err(io::Error::other)?;
            names.extend(entry.file_name().as_str().ok().map(str::to_owned));
        }
        Ok(names)
    }
}

/// Bytes for the crate that reads them as a file.
struct Cursor {
    part: Part,
    place: u64,
}

impl Cursor {
    fn new(part: Part) -> Self {
        Self { part, place: 0 }
    }
}

impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.part.length().saturating_sub(self.place);
        let count = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let into = into.get_mut(..count).unwrap_or_default();
        self.part.read_at(self.place, into)?;
        self.place += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.part.length().checked_add_signed(by),
            SeekFrom::Current(by) => self.place.checked_add_signed(by),
        };
        self.place = place.ok_or_else(super::bytes::too_short)?;
        Ok(self.place)
    }
}

impl Write for Cursor {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tree for fatfs::FileSystem<Cursor> {
    fn copy(&mut self, path: &str, most: u64, sink: Sink<'_>) -> io::Result<u64> {
        let mut file = self.root_dir().open_file(path.trim_start_matches('/'))?;
        let mut chunk = vec![0; CHUNK];
        let mut copied = 0;
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                return Ok(copied);
            }
            copied += count as u64;
            if copied > most {
                return Err(too_long());
            }
            sink(chunk.get(..count).unwrap_or_default())?;
        }
    }

    fn has_file(&mut self, path: &str) -> bool {
        self.root_dir().open_file(path.trim_start_matches('/')).is_ok()
    }

    fn names(&mut self, path: &str) -> io::Result<Vec<String>> {
        let root = self.root_dir();
        let folder = match path.trim_start_matches('/') {
            "" => root,
            path => root.open_dir(path)?,
        };
        let mut names = Vec::new();
        for entry in folder.iter().take(MOST_NAMES) {
            names.push(entry?.file_name());
        }
        Ok(names)
    }
}

/// A file in a tree whose crate does not follow links.
trait Walked {
    type Inode;
    fn inode(&mut self, path: &str) -> io::Result<(Self::Inode, Kind, u64)>;
    fn link(&mut self, path: &str) -> io::Result<Vec<u8>>;
    fn bytes(&mut self, inode: &Self::Inode, place: u64, into: &mut [u8]) -> io::Result<usize>;
    fn folder(&mut self, path: &str) -> io::Result<Vec<Vec<u8>>>;

    /// Where a path leads to.
    fn follow(&mut self, path: &str) -> io::Result<String> {
        let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let (mut at, mut links) = (String::new(), 0);
        while let Some(part) = left.pop() {
            match &*part {
                "" | "." => continue,
                ".." => {
                    at.truncate(at.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = format!("{at}/{part}");
            if next.len() > LONGEST_PATH {
                return Err(io::Error::other("such a path can't be"));
            }
            if self.inode(&next)?.1 == Kind::Link {
                links += 1;
                let target = String::from_utf8(self.link(&next)?).map_err(io::Error::other)?;
                if links > MOST_LINKS || target.len() > LONGEST_PATH {
                    return Err(io::Error::other("it leads from link to link"));
                }
                if target.starts_with('/') {
                    at.clear();
                }
                left.extend(target.split('/').rev().map(str::to_owned));
            } else {
                at = next;
            }
        }
        Ok(if at.is_empty() { "/".to_owned() } else { at })
    }

    fn copied(&mut self, path: &str, most: u64, sink: Sink<'_>) -> io::Result<u64> {
        let path = self.follow(path)?;
        let (inode, kind, size) = self.inode(&path)?;
        if kind != Kind::File {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if size > most {
            return Err(too_long());
        }
        let mut chunk = vec![0; CHUNK];
        let mut copied = 0;
        while copied < size {
            let count = self.bytes(&inode, copied, &mut chunk)?;
            if count == 0 {
                break;
            }
            copied += count as u64;
            sink(chunk.get(..count).unwrap_or_default())?;
        }
        Ok(copied)
    }

    fn names_in(&mut self, path: &str) -> io::Result<Vec<String>> {
        let path = self.follow(path)?;
        let names = self.folder(&path)?;
        Ok(names.into_iter().take(MOST_NAMES).filter_map(|name| String::from_utf8(name).ok()).collect())
    }
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Link,
    Other,
}

impl Kind {
    fn of(is_file: bool, is_link: bool) -> Self {
        match (is_file, is_link) {
            (true, _) => Self::File,
            (_, true) => Self::Link,
            _ => Self::Other,
        }
    }
}

impl Walked for lambutter::Btrfs<Source> {
    type Inode = lambutter::Inode;

    fn inode(&mut self, path: &str) -> io::Result<(Self::Inode, Kind, u64)> {
        let inode = self.resolve(path.into()).map_err(|error| failed(&error))?;
        let found = self.metadata(&inode).map_err(|error| failed(&error))?;
        Ok((inode, Kind::of(found.is_file(), found.is_symlink()), found.size))
    }

    fn link(&mut self, path: &str) -> io::Result<Vec<u8>> {
        self.read_link(path.into()).map_err(|error| failed(&error))
    }

    fn bytes(&mut self, inode: &Self::Inode, place: u64, into: &mut [u8]) -> io::Result<usize> {
        self.read_file_at(inode, place, into).map_err(|error| failed(&error))
    }

    fn folder(&mut self, path: &str) -> io::Result<Vec<Vec<u8>>> {
        let names = self.read_dir(path.into()).map_err(|error| failed(&error))?;
        Ok(names.into_iter().map(|entry| entry.name).collect())
    }
}

/// A btrfs, as a system sees it that mounts it without more words, and from its very top, which is where boot loaders
/// of most systems begin.
struct Btrfs {
    tree: lambutter::Btrfs<Source>,
    top: Option<lambutter::Btrfs<Source>>,
}

impl Btrfs {
    fn having(&mut self, path: &str) -> &mut lambutter::Btrfs<Source> {
        match &mut self.top {
            Some(top) if self.tree.follow(path).is_err() => top,
            _ => &mut self.tree,
        }
    }
}

impl Tree for Btrfs {
    fn copy(&mut self, path: &str, most: u64, sink: Sink<'_>) -> io::Result<u64> {
        self.having(path).copied(path, most, sink)
    }

    fn has_file(&mut self, path: &str) -> bool {
        let tree = self.having(path);
        let inode = tree.follow(path).and_then(|path| tree.inode(&path));
        inode.is_ok_and(|(_, kind, _)| kind == Kind::File)
    }

    fn names(&mut self, path: &str) -> io::Result<Vec<String>> {
        self.having(path).names_in(path)
    }
}

impl Walked for lamxfs::Xfs<Source> {
    type Inode = lamxfs::Inode;

    fn inode(&mut self, path: &str) -> io::Result<(Self::Inode, Kind, u64)> {
        let inode = self.resolve(lamxfs::Path::new(path.as_bytes())).map_err(|error| failed(&error))?;
        let found = self.metadata(&inode).map_err(|error| failed(&error))?;
        Ok((inode, Kind::of(found.is_file(), found.is_symlink()), found.size()))
    }

    fn link(&mut self, path: &str) -> io::Result<Vec<u8>> {
        self.read_link(lamxfs::Path::new(path.as_bytes())).map_err(|error| failed(&error))
    }

    fn bytes(&mut self, inode: &Self::Inode, place: u64, into: &mut [u8]) -> io::Result<usize> {
        self.read_file_at(inode, place, into).map_err(|error| failed(&error))
    }

    fn folder(&mut self, path: &str) -> io::Result<Vec<Vec<u8>>> {
        let names = self.read_dir(lamxfs::Path::new(path.as_bytes())).map_err(|error| failed(&error))?;
        Ok(names.into_iter().map(|entry| entry.name).collect())
    }
}

impl Tree for lamxfs::Xfs<Source> {
    fn copy(&mut self, path: &str, most: u64, sink: Sink<'_>) -> io::Result<u64> {
        self.copied(path, most, sink)
    }

    fn has_file(&mut self, path: &str) -> bool {
        let inode = self.follow(path).and_then(|path| self.inode(&path));
        inode.is_ok_and(|(_, kind, _)| kind == Kind::File)
    }

    fn names(&mut self, path: &str) -> io::Result<Vec<String>> {
        self.names_in(path)
    }
}
