//! A disk's file as the disk that its guest sees: raw, or qcow2 with what it builds on.
//!
//! The files come as descriptors: nothing that an image names is ever opened.

use super::bytes::{Bytes, too_short};
use crate::engine::DiskFormat;
use imago::file::File as Storage;
use imago::qcow2::Qcow2;
use imago::raw::Raw;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder, StorageOpenOptions};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The most files that a disk may be made of.
pub const MOST_LAYERS: usize = 65;

/// The disk in these files, of which each builds on the next.
///
/// # Errors
/// Where one is not in a format that can be read here, or damaged.
pub fn open(layers: Vec<(File, DiskFormat)>) -> io::Result<Box<dyn Bytes>> {
    if layers.len() == 1 && layers[0].1 == DiskFormat::Raw {
        let file = layers.into_iter().next().map(|(file, _)| file).ok_or_else(too_short)?;
        return Ok(Box::new(RawFile { length: length(&file)?, file }));
    }
    let mut below: Option<FormatAccess<Storage>> = None;
    for (file, format) in layers.into_iter().take(MOST_LAYERS).rev() {
        let storage = Storage::from_open_file(file, StorageOpenOptions::new())?;
        let opened = match format {
            DiskFormat::Raw => {
                FormatAccess::new(Raw::builder(storage).open(DenyImplicitOpenGate::default())?)
            }
            DiskFormat::Qcow2 => {
                let image = Qcow2::<Storage>::builder(storage).backing(below.take()).data_file(None);
                FormatAccess::new(image.open(DenyImplicitOpenGate::default())?)
            }
            DiskFormat::Vmdk | DiskFormat::Vdi | DiskFormat::Vhdx | DiskFormat::Vpc => {
                return Err(io::Error::other(format!("disks in the format {} can't be read", format.name())));
            }
        };
        below = Some(opened);
    }
    Ok(Box::new(Layered(below.ok_or_else(too_short)?)))
}

/// The disk of which these files are pieces, one after the other, each so long.
///
/// # Errors
/// Where one is shorter, or in another format than plain bytes.
pub fn join(pieces: Vec<(File, DiskFormat)>, lengths: &[u64]) -> io::Result<Box<dyn Bytes>> {
    let (mut joined, mut end) = (Joined { pieces: Vec::new(), length: 0 }, 0_u64);
    for ((file, format), wanted) in pieces.into_iter().zip(lengths) {
        if format != DiskFormat::Raw || length(&file)? < *wanted {
            return Err(too_short());
        }
        let start = end;
        end = end.checked_add(*wanted).ok_or_else(too_short)?;
        joined.pieces.push((start, end, file));
    }
    joined.length = end;
    Ok(Box::new(joined))
}

/// A disk in pieces.
struct Joined {
    /// Each with where it begins and ends on the disk.
    pieces: Vec<(u64, u64, File)>,
    length: u64,
}

impl Bytes for Joined {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        let (mut place, mut rest) = (place, into);
        while !rest.is_empty() {
            let piece = self.pieces.iter().find(|(start, end, _)| (*start..*end).contains(&place));
            let (start, end, file) = piece.ok_or_else(too_short)?;
            let here = usize::try_from(end - place).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(here);
            file.read_exact_at(now, place - start)?;
            (place, rest) = (place + here as u64, later);
        }
        Ok(())
    }
}

/// A file that is the disk.
struct RawFile {
    file: File,
    length: u64,
}

/// The length of a file or block device.
fn length(file: &File) -> io::Result<u64> {
    use std::io::{Seek, SeekFrom};
    let mut file = file;
    let end = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok(end)
}

impl Bytes for RawFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, place)
    }
}

/// A disk that is within a file, or in several.
struct Layered(FormatAccess<Storage>);

impl Bytes for Layered {
    fn length(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read(into, place)
    }
}
