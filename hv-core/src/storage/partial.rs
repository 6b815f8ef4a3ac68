//! A disk that has some partitions of a physical disk and nothing else of it.
//!
//! Its guest sees a disk with a partition table of its own, in which these partitions have the numbers, places, kinds and
//! identities that they have on the physical disk, so that what names them by any of these finds them. What lies between
//! them is in files in the guest's folder, to which the guest can write what it likes. So a guest that was given a
//! partition reaches neither the others nor the physical disk's own table.
//!
//! The layout is pure ([`Layout`]). What is made of it is a text in VMDK's form, which names the pieces in their order:
//! QEMU reads and writes through it as fast as without it.

use super::table::{self, Entry, Table};
use crate::host::block::{Block, SECTOR};
use crate::store;
use hv_api::{ByteSize, Error, FileFault};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What follows the last partition, in sectors: room for the table's copy.
const TAIL: u64 = 2048;

/// The most partitions that a partial disk has.
pub const MOST: usize = 32;

/// One piece of a partial disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins on the disk, in sectors of 512 bytes.
    pub start: u64,
    /// How long it is, in the same.
    pub sectors: u64,
    /// The partition; nothing for what lies between.
    pub partition: Option<u32>,
}

/// Where everything is on a partial disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The table.
    pub table: Table,
    /// From the first sector to the last, without gaps.
    pub pieces: Vec<Piece>,
}

impl Layout {
    /// That of these partitions. Nothing where they overlap, or leave no room for a table.
    pub fn of(table: Table) -> Option<Self> {
        let mut entries: Vec<&Entry> = table.entries.iter().collect();
        entries.sort_by_key(|entry| entry.start);
        let (mut pieces, mut at) = (Vec::new(), 0_u64);
        for entry in entries {
            let least = if at == 0 { table.room() } else { at };
            if entry.start < least || entry.sectors == 0 {
                return None;
            }
            if entry.start > at {
                pieces.push(Piece { start: at, sectors: entry.start - at, partition: None });
            }
            pieces.push(Piece { start: entry.start, sectors: entry.sectors, partition: Some(entry.number) });
            at = entry.start.checked_add(entry.sectors)?;
        }
        pieces.push(Piece { start: at, sectors: TAIL, partition: None });
        at.checked_add(TAIL)?.checked_mul(SECTOR).filter(|_| !table.entries.is_empty())?;
        Some(Self { table, pieces })
    }

    /// How long the disk is, in sectors.
    pub fn sectors(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.start + piece.sectors)
    }
}

/// A partial disk whose pieces are all there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// What QEMU opens.
    pub descriptor: PathBuf,
    /// Its pieces in their order.
    pub pieces: Vec<PieceFile>,
}

/// What is behind a piece of a partial disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceFile {
    /// Its file, or the partition.
    pub path: PathBuf,
    /// How long it is, in bytes.
    pub length: u64,
    /// Whether it is a partition.
    pub is_partition: bool,
}

impl Partial {
    /// One of this name in a guest's folder, of which nothing is known yet.
    pub fn planned(folder: &Path, name: &str) -> Self {
        let descriptor = folder.join(format!("{name}.vmdk"));
        Self { descriptor, pieces: Vec::new() }
    }

    /// The partitions.
    pub fn devices(&self) -> impl Iterator<Item = &Path> {
        self.pieces.iter().filter(|piece| piece.is_partition).map(|piece| &*piece.path)
    }

    /// How long the disk is.
    pub fn length(&self) -> ByteSize {
        ByteSize::bytes(self.pieces.iter().map(|piece| piece.length).sum())
    }
}

/// The partitions with these numbers of the physical disk at a path.
///
/// # Errors
/// [`Error::FileUnusable`] where the disk or one of them is not there.
pub fn partitions(disk: &Path, numbers: &[u32]) -> Result<Vec<Block>, Error> {
    let unusable =
        |fault, detail: String| Error::FileUnusable { path: disk.display().to_string(), fault, detail };
    if !disk.exists() {
        return Err(unusable(FileFault::Missing, String::new()));
    }
    let block = Block::at(disk).filter(|block| block.partition.is_none());
    let block = block.ok_or_else(|| unusable(FileFault::WrongFormat, "it is no physical disk".into()))?;
    let all = block.partitions();
    let find = |number: &u32| {
        let found = all.iter().find(|part| part.partition == Some(*number)).cloned();
        found.ok_or_else(|| unusable(FileFault::WrongFormat, format!("it has no partition {number}")))
    };
    numbers.iter().map(find).collect()
}

/// Lays a partial disk out in a guest's folder, under this name: makes what is not there, and writes its table. What the
/// guest wrote between its partitions stays.
///
/// # Errors
/// [`Error::FileUnusable`] where the physical disk is not there or has no such partitions, [`Error::StoreFailed`].
pub fn lay_out(disk: &Path, numbers: &[u32], folder: &Path, name: &str) -> Result<Partial, Error> {
    let blocks = partitions(disk, numbers)?;
    let unusable = |detail: &str| Error::FileUnusable {
        path: disk.display().to_string(),
        fault: FileFault::WrongFormat,
        detail: detail.to_owned(),
    };
    let whole = blocks.first().and_then(Block::whole).ok_or_else(|| unusable("it has no partitions"))?;
    let layout = Layout::of(Table::of(&whole, &blocks));
    let layout =
        layout.ok_or_else(|| unusable("its partitions overlap, or there is no room before the first"))?;
    let (mut pieces, mut gaps) = (Vec::new(), 0);
    for piece in &layout.pieces {
        let length = piece.sectors * SECTOR;
        let block =
            blocks.iter().find(|block| piece.partition.is_some() && block.partition == piece.partition);
        let path = if let Some(block) = block {
            block.device().into()
        } else {
            let path = folder.join(gap(name, gaps));
            gaps += 1;
            make_gap(&path, length).map_err(|error| store::failed(&path, &error))?;
            path
        };
        pieces.push(PieceFile { path, length, is_partition: block.is_some() });
    }
    let written = layout.table.write(layout.sectors(), &Gaps::open(&pieces)?);
    written.map_err(|error| store::failed(folder, &error))?;
    let Partial { descriptor, .. } = Partial::planned(folder, name);
    let text = described(&pieces);
    store::replace(&descriptor, text.as_bytes()).map_err(|error| store::failed(&descriptor, &error))?;
    Ok(Partial { descriptor, pieces })
}

/// How large a partial disk's partitions are together; nothing where one is not there.
pub fn size(disk: &Path, numbers: &[u32]) -> Option<ByteSize> {
    let blocks = partitions(disk, numbers).ok()?;
    Some(ByteSize::bytes(blocks.iter().map(|block| block.size.as_bytes()).fold(0, u64::saturating_add)))
}

/// A file of this length, of which only what is written takes up room.
fn make_gap(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.len() == length { Ok(()) } else { file.set_len(length) }
}

/// What names the pieces to QEMU. Files in the guest's folder are named by their own names, so that no folder's name gets
/// into it.
fn described(pieces: &[PieceFile]) -> String {
    let mut text = "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n\
        createType=\"monolithicFlat\"\n\n# Written at each start.\n"
        .to_owned();
    for PieceFile { path, length, is_partition } in pieces {
        let file = if *is_partition { Some(path.as_os_str()) } else { path.file_name() };
        let file = file.unwrap_or_default().to_string_lossy();
        let _ = writeln!(text, "RW {} FLAT \"{file}\" 0", length / SECTOR);
    }
    text.push_str("\nddb.adapterType = \"ide\"\n");
    text
}

/// The files between the partitions, as places of the disk.
struct Gaps(Vec<(u64, u64, File)>);

impl Gaps {
    fn open(pieces: &[PieceFile]) -> Result<Self, Error> {
        let (mut at, mut gaps) = (0, Vec::new());
        for PieceFile { path, length, is_partition } in pieces {
            if !is_partition {
                let file = OpenOptions::new().read(true).write(true).open(path);
                gaps.push((at, *length, file.map_err(|error| store::failed(path, &error))?));
            }
            at += length;
        }
        Ok(Self(gaps))
    }

    fn file(&self, place: u64, length: usize) -> io::Result<(&File, u64)> {
        let end = place + length as u64;
        let found = self.0.iter().find(|(start, size, _)| *start <= place && end <= start + size);
        found.map(|(start, _, file)| (file, place - start)).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

impl table::Sectors for Gaps {
    fn read(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        let (file, place) = self.file(place, into.len())?;
        file.read_exact_at(into, place)
    }

    fn write(&self, place: u64, bytes: &[u8]) -> io::Result<()> {
        let (file, place) = self.file(place, bytes.len())?;
        file.write_all_at(bytes, place)
    }
}

/// Deletes what a partial disk has in its guest's folder, which nothing has open any more. Of what other disks have there,
/// nothing is touched.
///
/// # Errors
/// Where that is not possible.
pub fn remove(folder: &Path, name: &str) -> io::Result<()> {
    let mut number = 0;
    loop {
        match fs::remove_file(folder.join(gap(name, number))) {
            Ok(()) => number += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    // Before the first partition, there is always something.
    if number == 0 { Ok(()) } else { fs::remove_file(Partial::planned(folder, name).descriptor) }
}

/// The name of the file with what lies before, between or behind the partitions.
fn gap(name: &str, number: usize) -> String {
    format!("{name}-gap{number}.img")
}
