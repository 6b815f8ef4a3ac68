//! What is this file: an optical disc, a disk image, or something else? Also the name that a guest
//! made from it could have.
//!
//! Everything here is pure over `Read + Seek`: no file system, no clock, no environment. The content
//! is hostile: sizes and addresses in it are claims, checked against the length of the file. At most
//! four reads of 2 KiB are made and nothing is followed twice, so a lying file costs no time, and
//! text from it is made harmless before it is handed on. Which operating system it holds, and
//! opening the file, are left to others.

mod disk;
mod el_torito;
mod files;
mod foreign;
mod iso9660;
mod label;
mod name;

pub use files::{Piece, find};
pub use foreign::{Foreign, foreign};
pub use label::architecture;
pub(crate) use label::is_plain;
pub use name::{suggested_name, system_name, unique_name};

use hv_api::{BootMode, ByteSize, MediumKind, MediumNote};
use std::io::{self, Read, Seek, SeekFrom};

/// What can be told about a file from its content alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its kind.
    pub kind: MediumKind,
    /// The processor that the disc's label names, as `x86_64`.
    pub arch: Option<&'static str>,
    /// Which firmware can start from a disc, in a fixed order, each once. Empty for a disk image:
    /// what it can do shows only when it is started.
    pub boot: Vec<BootMode>,
    /// A disc's name for itself.
    pub volume_id: Option<String>,
    /// The system it says it is for.
    pub system_id: Option<String>,
    /// Who published it.
    pub publisher_id: Option<String>,
    /// What it was made with.
    pub application_id: Option<String>,
    /// The size of the disc that the file claims to hold.
    pub volume_size: Option<ByteSize>,
    /// The file's length.
    pub size: ByteSize,
    /// A disk image's format.
    pub format: Option<ImageFormat>,
    /// The size that a guest would see of a disk image.
    pub virtual_size: Option<ByteSize>,
    /// True for a disk image whose content is partly in another file that it names. Such a file could
    /// name any file of this user.
    pub needs_other_file: bool,
    /// What a person should know before using it, each once.
    pub notes: Vec<MediumNote>,
}

/// The format of a disk image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// The disk's bytes as they are.
    Raw,
    /// QEMU's format, version 2 or 3.
    Qcow2,
    /// One of another program, by the engine's name.
    Foreign(&'static str),
    /// Packed, by the usual ending of such files' names. What is in it shows when it is unpacked.
    Packed(&'static str),
}

impl ImageFormat {
    /// Its name on the wire and for the engine.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Foreign(name) | Self::Packed(name) => name,
        }
    }
}

impl Facts {
    /// A file of this length about which nothing is known.
    pub(crate) fn unknown(length: u64) -> Self {
        Self {
            kind: MediumKind::Unknown,
            arch: None,
            boot: Vec::new(),
            volume_id: None,
            system_id: None,
            publisher_id: None,
            application_id: None,
            volume_size: None,
            size: ByteSize::bytes(length),
            format: None,
            virtual_size: None,
            needs_other_file: false,
            notes: Vec::new(),
        }
    }
}

/// Looks at a file of `length` bytes.
///
/// # Errors
/// Where reading fails. A file that ends early, or that makes no sense, is not an error.
pub fn read(file: &mut (impl Read + Seek), length: u64) -> io::Result<Facts> {
    // Discs first: one that can also be written to a USB stick begins like a hard disk.
    let facts = match iso9660::read(file, length)? {
        Some(disc) => Some(disc),
        None => disk::read(file, length)?,
    };
    Ok(facts.unwrap_or_else(|| Facts::unknown(length)))
}

/// Up to `N` bytes from `offset`, fewer where the file ends before.
fn read_at<const N: usize>(file: &mut (impl Read + Seek), offset: u64) -> io::Result<Vec<u8>> {
    // Beyond what a signed offset can say nothing can be.
    if i64::try_from(offset).is_err() {
        return Ok(Vec::new());
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(N);
    file.by_ref().take(N as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The `N` bytes at `offset`, for `from_le_bytes` and the like; nothing where there are fewer.
fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// The number of four bytes at `offset`, the lowest first; 0 where there are fewer.
pub fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    field(bytes, offset).map_or(0, u32::from_le_bytes)
}

/// The number of eight bytes at `offset`, the lowest first; 0 where there are fewer.
pub fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    field(bytes, offset).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests;
