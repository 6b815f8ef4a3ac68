//! Whether an unpacked kernel is one that a machine can enter directly: an ELF file with the note that
//! names the entry for that (PVH, from Xen's `elfnote.h`). Pure over `Read + Seek`; addresses and sizes in
//! the file are claims.

use std::io::{self, Read, Seek, SeekFrom};

/// Who the note is for, and its number.
const OWNER: &[u8] = b"Xen\0";
const ENTRY_NOTE: u32 = 18;

const LOAD_SEGMENT: u32 = 1;
const NOTE_SEGMENT: u32 = 4;

/// What is looked at of segments and of the notes in one.
const MOST_SEGMENTS: u16 = 64;
const MOST_NOTES: u64 = 64 << 10;

/// Whether a file of `length` bytes can be entered directly, and has all that it says.
pub fn starts_by_itself(file: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    let mut header = [0; 64];
    if length < header.len() as u64 {
        return Ok(false);
    }
    file.read_exact(&mut header)?;
    // 64 bits, little-endian, for x86-64.
    if header[..6] != *b"\x7fELF\x02\x01" || half(&header, 18) != Some(62) {
        return Ok(false);
    }
    let (Some(table), Some(size), Some(count)) = (long(&header, 32), half(&header, 54), half(&header, 56))
    else {
        return Ok(false);
    };
    if size != 56 || count > MOST_SEGMENTS || beyond(table, u64::from(size) * u64::from(count), length) {
        return Ok(false);
    }
    let mut table_bytes = vec![0; usize::from(size) * usize::from(count)];
    file.seek(SeekFrom::Start(table))?;
    file.read_exact(&mut table_bytes)?;
    let (mut loads, mut enters) = (false, false);
    for segment in table_bytes.chunks_exact(usize::from(size)) {
        let (Some(kind), Some(offset), Some(in_file)) =
            (word(segment, 0), long(segment, 8), long(segment, 32))
        else {
            return Ok(false);
        };
        if beyond(offset, in_file, length) {
            return Ok(false);
        }
        match kind {
            LOAD_SEGMENT => loads = true,
            NOTE_SEGMENT if in_file <= MOST_NOTES => {
                let mut notes = vec![0; in_file as usize];
                file.seek(SeekFrom::Start(offset))?;
                file.read_exact(&mut notes)?;
                enters |= has_entry(&notes);
            }
            _ => {}
        }
    }
    Ok(loads && enters)
}

/// Whether one of these notes is the one that names the entry.
fn has_entry(mut notes: &[u8]) -> bool {
    while let (Some(name), Some(content), Some(kind)) = (word(notes, 0), word(notes, 4), word(notes, 8)) {
        let (name, content) = (name as usize, content as usize);
        let padded = |size: usize| size.checked_next_multiple_of(4);
        let Some(rest) = notes.get(12..) else { return false };
        if kind == ENTRY_NOTE && rest.get(..name) == Some(OWNER) {
            return true;
        }
        let end = padded(name).zip(padded(content)).and_then(|(name, content)| name.checked_add(content));
        let Some(behind) = end.and_then(|end| rest.get(end..)) else { return false };
        notes = behind;
    }
    false
}

fn beyond(offset: u64, size: u64, length: u64) -> bool {
    offset.checked_add(size).is_none_or(|end| end > length)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}
