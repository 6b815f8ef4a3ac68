//! El Torito: what a firmware finds to start from on an optical disc.
//!
//! Follows the boot record to the boot catalogue, of which it reads one sector, as firmware does.
//! Whether the boot images work is left to whoever starts them.

use super::iso9660::SECTOR;
use super::{field, read_at};
use hv_api::BootMode;
use std::io::{self, Read, Seek};

const ENTRY: usize = 32;
const BOOTABLE: u8 = 0x88;
const SECTION: u8 = 0x90;
const LAST_SECTION: u8 = 0x91;
const EXTENSION: u8 = 0x44;

/// What a disc's boot record leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BootCatalogue {
    /// For which firmware there is a boot image, in order, each once.
    pub modes: Vec<BootMode>,
    /// True where the catalogue, or a boot image that it names, is not where it should be, or where
    /// the catalogue is not written as one.
    pub damaged: bool,
}

/// Reads the catalogue that `boot_record`, the disc's sector 17, points to; nothing where that sector
/// is no boot record.
pub(super) fn read(
    file: &mut (impl Read + Seek),
    length: u64,
    boot_record: &[u8],
) -> io::Result<Option<BootCatalogue>> {
    let is_boot_record = boot_record.first() == Some(&0)
        && field(boot_record, 1) == Some(*b"CD001")
        && field(boot_record, 7) == Some(*b"EL TORITO SPECIFICATION");
    if !is_boot_record {
        return Ok(None);
    }
    let Some(start) = field(boot_record, 71).map(u32::from_le_bytes) else {
        return Ok(Some(BootCatalogue { modes: Vec::new(), damaged: true }));
    };
    let catalogue = read_at::<2048>(file, u64::from(start) * SECTOR)?;
    Ok(Some(parse(&catalogue, length)))
}

fn parse(catalogue: &[u8], length: u64) -> BootCatalogue {
    let mut found = BootCatalogue { modes: Vec::new(), damaged: true };
    let (entries, _cut_off) = catalogue.as_chunks::<ENTRY>();
    let [validation, default, entries @ ..] = entries else {
        return found;
    };
    let mut entries = entries;
    if validation[0] != 1 || validation[30..] != [0x55, 0xaa] {
        return found;
    }
    // UEFI firmware refuses a wrong sum, BIOS firmware does not look at it: entries still count.
    let (words, _none) = validation.as_chunks::<2>();
    let sum = words.iter().fold(0_u16, |sum, word| sum.wrapping_add(u16::from_le_bytes(*word)));
    found.damaged = sum != 0;

    found.add(validation[1], default, length);
    while let [header, rest @ ..] = entries {
        if header[0] != SECTION && header[0] != LAST_SECTION {
            break;
        }
        entries = rest;
        for _ in 0..u16::from_le_bytes([header[2], header[3]]) {
            let [entry, rest @ ..] = entries else {
                break;
            };
            found.add(header[1], entry, length);
            let extensions = rest.iter().take_while(|entry| entry[0] == EXTENSION).count();
            entries = &rest[extensions..];
        }
        if header[0] == LAST_SECTION {
            break;
        }
    }
    found.modes.sort_unstable();
    found
}

impl BootCatalogue {
    /// Counts one entry, if it is for a PC and its boot image is inside of the file.
    fn add(&mut self, platform: u8, entry: &[u8; ENTRY], length: u64) {
        let mode = match platform {
            0x00 => BootMode::Bios,
            0xef => BootMode::Uefi,
            _ => return,
        };
        if entry[0] != BOOTABLE {
            return;
        }
        let image = u32::from_le_bytes([entry[8], entry[9], entry[10], entry[11]]);
        if u64::from(image) * SECTOR >= length {
            self.damaged = true;
        } else if !self.modes.contains(&mode) {
            self.modes.push(mode);
        }
    }
}
