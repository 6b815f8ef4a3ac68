//! Files behind an initial RAM disk: Linux unpacks one archive after the other, and the last one counts.

use super::{SeedError, SeedFile, check};
use cpio::newc::{Builder, ModeFileType, trailer};
use std::io::{self, Write};

/// Linux looks for an archive that is not packed at multiples of this.
const ALIGNMENT: u64 = 4;

/// What to write behind an initial RAM disk of `length` bytes, so that these files are in its top folder. Nobody but
/// root reads them there.
///
/// # Errors
/// Where the files can't be put together.
pub fn behind_initrd(length: u64, files: &[SeedFile]) -> Result<Vec<u8>, SeedError> {
    check(files)?;
    let padding = (ALIGNMENT - length % ALIGNMENT) % ALIGNMENT;
    let mut bytes = vec![0; padding as usize];
    // Writing into memory does not fail, and the sizes were checked.
    let _never = archive(&mut bytes, files);
    let padding = (ALIGNMENT - (length + bytes.len() as u64) % ALIGNMENT) % ALIGNMENT;
    bytes.resize(bytes.len() + padding as usize, 0);
    Ok(bytes)
}

fn archive(to: &mut Vec<u8>, files: &[SeedFile]) -> io::Result<()> {
    // Padding within an archive counts from its own start.
    let mut bytes = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let entry = Builder::new(&file.name)
            .ino(number as u32 + 1)
            .nlink(1)
            .mode(0o400)
            .set_mode_file_type(ModeFileType::Regular);
        let mut writer = entry.write(&mut bytes, file.content.len() as u32);
        writer.write_all(&file.content)?;
        writer.finish()?;
    }
    trailer(&mut bytes)?;
    to.append(&mut bytes);
    Ok(())
}
