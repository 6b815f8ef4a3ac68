//! What is in a compressed kernel: where, in which format, and how it is read. By Linux's
//! `Documentation/arch/x86/boot.rst`. Pure over `Read + Seek`.

use std::io::{self, Read, Seek, SeekFrom};

/// What a decompressor may take of memory for its window, in KiB. Linux's own build uses up to 128 MiB.
const WINDOW_KIB: u32 = 160 << 10;

/// What is packed in a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// How it is packed.
    pub format: Format,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
    /// How long it says that it is unpacked.
    pub unpacked: u64,
}

/// How a kernel can be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Gzip,
    Xz,
    Zstd,
    Lz4,
}

/// What is packed in a file of this length; nothing where it is not a kernel in one of these formats.
pub fn payload(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<Payload>> {
    let mut header = [0; 0x250];
    if length < header.len() as u64 {
        return Ok(None);
    }
    file.read_exact(&mut header)?;
    let word =
        |at: usize| header.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_le_bytes);
    // From version 2.8 of the protocol on, the header says where the payload is.
    let version = u16::from_le_bytes([header[0x206], header[0x207]]);
    if header[0x202..0x206] != *b"HdrS" || version < 0x0208 {
        return Ok(None);
    }
    let sectors = match header[0x1f1] {
        0 => 4,
        count => u64::from(count),
    };
    let offset = (sectors + 1) * 512 + u64::from(word(0x248));
    let packed = u64::from(word(0x24c));
    // Six bytes tell the format, four the size.
    if packed < 16 || offset + packed > length {
        return Ok(None);
    }
    let mut magic = [0; 6];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut magic)?;
    let Some(format) = format(magic) else { return Ok(None) };
    let mut size = [0; 4];
    file.seek(SeekFrom::Start(offset + packed - 4))?;
    file.read_exact(&mut size)?;
    // Of gzip the size is a part, for the others Linux's build puts it behind.
    let length = if format == Format::Gzip { packed } else { packed - 4 };
    Ok(Some(Payload { format, offset, length, unpacked: u64::from(u32::from_le_bytes(size)) }))
}

fn format(magic: [u8; 6]) -> Option<Format> {
    match magic {
        [0x1f, 0x8b, 8, ..] => Some(Format::Gzip),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Some(Format::Xz),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Format::Zstd),
        // The older form, which Linux keeps to.
        [2, 0x21, 0x4c, 0x18, ..] => Some(Format::Lz4),
        _ => None,
    }
}

/// What unpacks it; nothing where it asks for more memory than any kernel needs.
pub fn decoder<'a>(format: Format, packed: impl Read + 'a) -> io::Result<Option<Box<dyn Read + 'a>>> {
    Ok(Some(match format {
        Format::Gzip => Box::new(flate2::read::GzDecoder::new(packed)),
        Format::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(packed, false, WINDOW_KIB)),
        Format::Zstd => match ruzstd::decoding::StreamingDecoder::new(packed) {
            Ok(decoder) => Box::new(decoder),
            Err(error) => return Err(io::Error::other(error.to_string())),
        },
        Format::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(packed)),
    }))
}
