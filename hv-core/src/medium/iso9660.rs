//! The outside of an optical disc's image: ISO 9660's primary volume descriptor.
//!
//! Reads the two sectors behind the system area. What is in the disc's file system is left to others.

use super::{Facts, el_torito, field, label, read_at};
use hv_api::{BootMode, ByteSize, MediumKind, MediumNote};
use std::io::{self, Read, Seek};

/// A sector of an optical disc, in bytes.
pub(super) const SECTOR: u64 = 2048;

/// Where the volume descriptors begin. ISO 9660 puts the primary one first, and El Torito wants the
/// boot record right behind it.
const PRIMARY: u64 = 16 * SECTOR;
const BOOT_RECORD: u64 = 17 * SECTOR;

/// The disc in the file; nothing where it holds none.
pub(super) fn read(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<Facts>> {
    let primary = read_at::<2048>(file, PRIMARY)?;
    if field(&primary, 1) != Some(*b"CD001") {
        return Ok(None);
    }
    let mut facts = Facts { kind: MediumKind::Iso, ..Facts::unknown(length) };
    if primary.first() == Some(&1) {
        describe(&mut facts, &primary);
    }

    let boot_record = read_at::<2048>(file, BOOT_RECORD)?;
    match el_torito::read(file, length, &boot_record)? {
        None => facts.notes.push(MediumNote::NotBootable),
        Some(found) => {
            match found.modes.as_slice() {
                [BootMode::Uefi] => facts.notes.push(MediumNote::UefiOnly),
                // A catalogue that is in order but has nothing for a PC in it.
                [] if !found.damaged => facts.notes.push(MediumNote::NotBootable),
                _ => (),
            }
            if found.damaged {
                facts.notes.push(MediumNote::BootRecordDamaged);
            }
            facts.boot = found.modes;
        }
    }
    if facts.volume_size.is_some_and(|claimed| claimed > facts.size) {
        facts.notes.push(MediumNote::CutShort);
    }
    Ok(Some(facts))
}

/// Fills in what the primary volume descriptor says.
fn describe(facts: &mut Facts, primary: &[u8]) {
    let text = |offset: usize, length: usize| primary.get(offset..offset + length).and_then(label::clean);
    facts.system_id = text(8, 32);
    facts.volume_id = text(40, 32);
    facts.publisher_id = text(318, 128);
    facts.application_id = text(574, 128);
    facts.arch = facts.volume_id.as_deref().and_then(label::architecture);

    let blocks = field(primary, 80).map(u32::from_le_bytes);
    let block_size = field(primary, 128).map(u16::from_le_bytes);
    facts.volume_size = blocks
        .zip(block_size)
        .map(|(blocks, block_size)| u64::from(blocks) * u64::from(block_size))
        .filter(|&size| size > 0)
        .map(ByteSize::bytes);
}
