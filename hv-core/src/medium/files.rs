//! Files on an optical disc: where one is, by its path. Of the disc's two kinds of names, Rock Ridge's count where there
//! are some, else the plain ones, whatever their capital letters.
//!
//! The disc is hostile: a path is followed down and never up, each folder is read once and only as far as any known
//! one reaches, and what would be outside of the file is not there.

use super::iso9660::SECTOR;
use super::{field, read_at};
use std::io::{self, Read, Seek, SeekFrom};

/// The most of a folder that is read, in bytes. That of a Debian disc's packages has 300,000.
const LARGEST_FOLDER: u64 = 256 << 10;

/// The longest path, in names.
const DEEPEST: usize = 8;

/// Flags of an entry.
const FOLDER: u8 = 2;
const GOES_ON: u8 = 0x80;

/// A piece of the disc's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins.
    pub start: u64,
    /// How long it is, in bytes.
    pub length: u64,
}

/// Where the file with this path is on a disc of `length` bytes; nothing where there is none.
///
/// # Errors
/// Where reading fails. A disc that makes no sense is not an error.
pub fn find(disc: &mut (impl Read + Seek), length: u64, path: &str) -> io::Result<Option<Piece>> {
    let primary = read_at::<2048>(disc, 16 * SECTOR)?;
    let is_disc = primary.first() == Some(&1) && field(&primary, 1) == Some(*b"CD001");
    let has_usual_blocks = field(&primary, 128).map(u16::from_le_bytes) == Some(SECTOR as u16);
    let Some(root) = primary.get(156..190).filter(|_| is_disc && has_usual_blocks) else { return Ok(None) };
    let mut place = piece(root, length);
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    if names.is_empty() || names.len() > DEEPEST {
        return Ok(None);
    }
    for (number, name) in names.iter().enumerate() {
        let Some(folder) = place else { return Ok(None) };
        let is_last = number + 1 == names.len();
        let entries = read(disc, folder)?;
        place = Entries(&entries)
            .find(|entry| has_name(entry, name) && is_folder(entry) != is_last)
            .filter(|entry| entry[25] & GOES_ON == 0)
            .and_then(|entry| piece(entry, length));
    }
    Ok(place)
}

fn read(disc: &mut (impl Read + Seek), folder: Piece) -> io::Result<Vec<u8>> {
    disc.seek(SeekFrom::Start(folder.start))?;
    let mut bytes = Vec::new();
    disc.by_ref().take(folder.length.min(LARGEST_FOLDER)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What an entry stands for, where that is inside of the file.
fn piece(entry: &[u8], length: u64) -> Option<Piece> {
    let start = u64::from(u32::from_le_bytes(field(entry, 2)?)) * SECTOR;
    let size = u64::from(u32::from_le_bytes(field(entry, 10)?));
    (start.checked_add(size)? <= length).then_some(Piece { start, length: size })
}

fn is_folder(entry: &[u8]) -> bool {
    entry[25] & FOLDER != 0
}

/// The entries of a folder, each whole.
struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let size = usize::from(*self.0.first()?);
            if size == 0 {
                // The rest of this sector is empty.
                let rest = self.0.len() % SECTOR as usize;
                let rest = if rest == 0 { SECTOR as usize } else { rest };
                self.0 = self.0.get(rest..)?;
                continue;
            }
            let (entry, rest) = self.0.split_at_checked(size)?;
            self.0 = rest;
            // Shorter than its fixed part and its name: whatever follows makes no sense either.
            return (size >= 34 && size >= 33 + usize::from(entry[32])).then_some(entry);
        }
    }
}

fn has_name(entry: &[u8], wanted: &str) -> bool {
    let length = usize::from(entry[32]);
    let name = &entry[33..33 + length];
    // An entry's name is filled up to an even length.
    let extension = entry.get(33 + length + (length + 1) % 2..).unwrap_or_default();
    if let Some(name) = true_name(extension) {
        return name == wanted.as_bytes();
    }
    let plain = name.split(|byte| *byte == b';').next().unwrap_or_default();
    let plain = plain.strip_suffix(b".").unwrap_or(plain);
    plain.eq_ignore_ascii_case(wanted.as_bytes())
}

/// Rock Ridge's name.
fn true_name(mut extension: &[u8]) -> Option<&[u8]> {
    loop {
        let size = usize::from(*extension.get(2)?);
        let (field, rest) = extension.split_at_checked(size).filter(|_| size >= 4)?;
        if field.starts_with(b"NM") && size >= 5 {
            return Some(&field[5..]);
        }
        extension = rest;
    }
}

#[cfg(test)]
mod tests;
