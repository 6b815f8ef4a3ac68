//! Disk images as they are handed on: packed with gzip, xz or Zstandard.
//!
//! What comes out is hostile and may be endless: it is written with holes where it is zero, bounded by the largest
//! disk, and each decoder's memory by a limit. All of it blocks and belongs on a thread of its own.

use super::Source;
use hv_api::{Error, FileFault};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

/// The memory that an xz decoder may take: what its strongest usual level needs, and as much again.
const WINDOW_KIB: u32 = 128 << 10;

/// The unit in which it is read and written, and the smallest hole.
const PART: usize = 64 << 10;

/// As much as shows what an image is.
const HEAD: usize = 4 << 10;

/// What a file is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As `gzip` does.
    Gzip,
    /// As `xz` does.
    Xz,
    /// As `zstd` does.
    Zstd,
}

impl Packing {
    /// That of a file which begins like this; nothing where it is not packed.
    pub fn of(head: &[u8]) -> Option<Self> {
        let begins: [(&[u8], Self); 3] = [
            (&[0x1f, 0x8b, 0x08], Self::Gzip),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Self::Xz),
            (&[0x28, 0xb5, 0x2f, 0xfd], Self::Zstd),
        ];
        begins.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, packing)| packing)
    }

    /// What people call it, and the usual end of such files' names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Xz => "xz",
            Self::Zstd => "zst",
        }
    }

    fn decoder<'a, R: BufRead + 'a>(self, packed: &'a mut R) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(packed, true, WINDOW_KIB)),
            Self::Zstd => {
                let decoder = StreamingDecoder::new(packed);
                Box::new(Zstd(decoder.map_err(|error| io::Error::other(error.to_string()))?))
            }
        })
    }
}

/// Unpacks a file into one that is not there yet. `told` hears how many packed bytes have been read, and ends it by
/// answering false.
///
/// # Errors
/// [`Error::FileUnusable`] where it is damaged or larger than a disk can be; [`Error::NoSpace`] and
/// [`Error::StoreFailed`] where it can't be written.
pub fn unpack(
    source: &Source,
    packing: Packing,
    to: &Path,
    largest: u64,
    told: &mut dyn FnMut(u64) -> bool,
) -> Result<(), Error> {
    let (file, _) = source.open()?;
    let damaged = |error: io::Error| Error::FileUnusable {
        path: source.path.display().to_string(),
        fault: FileFault::WrongFormat,
        detail: format!("it can't be unpacked: {error}"),
    };
    let failed = |error: io::Error| crate::store::failed(to, &error);
    let mut made = File::options().write(true).create_new(true).mode(0o600).open(to).map_err(failed)?;
    let taken = Rc::new(Cell::new(0));
    let mut packed = BufReader::with_capacity(PART, Counted { file, taken: Rc::clone(&taken) });
    let mut part = vec![0; PART];
    let mut length: u64 = 0;
    // Several that were packed one by one make one file.
    while !packed.fill_buf().map_err(damaged)?.is_empty() {
        let mut unpacked = packing.decoder(&mut packed).map_err(damaged)?;
        loop {
            let count = fill(&mut *unpacked, &mut part).map_err(damaged)?;
            if count == 0 {
                break;
            }
            length += count as u64;
            if length > largest {
                return Err(damaged(io::Error::other("it is larger than a disk can be")));
            }
            let written = &part[..count];
            if written.iter().all(|byte| *byte == 0) {
                made.seek(SeekFrom::Current(count as i64)).map_err(failed)?;
            } else {
                made.write_all(written).map_err(failed)?;
            }
            if !told(taken.get()) {
                return Err(Error::JobCancelled { job: 0 });
            }
        }
    }
    made.set_len(length).map_err(failed)
}

/// A decoder that at the end compares the check sum, where there is one.
struct Zstd<R: BufRead>(StreamingDecoder<R, FrameDecoder>);

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(part)?;
        let told = self.0.decoder.get_checksum_from_data();
        if count == 0 && told.is_some() && told != self.0.decoder.get_calculated_checksum() {
            return Err(io::Error::other("its check sum is another one"));
        }
        Ok(count)
    }
}

/// What is at the beginning of a packed file, up to some kilobytes.
///
/// # Errors
/// Where it can't be read or unpacked.
pub fn head(file: impl Read, packing: Packing) -> io::Result<Vec<u8>> {
    let mut packed = BufReader::with_capacity(PART, file);
    let mut head = vec![0; HEAD];
    let filled = fill(&mut *packing.decoder(&mut packed)?, &mut head)?;
    head.truncate(filled);
    Ok(head)
}

/// A file of which it is counted how much has been read.
struct Counted<F> {
    file: F,
    taken: Rc<Cell<u64>>,
}

impl<F: Read> Read for Counted<F> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(part)?;
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}

/// Reads until the part is full or there is no more.
fn fill(from: &mut dyn Read, part: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < part.len() {
        match from.read(&mut part[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::process::{Command, Stdio};

    /// A disk of 8 MiB of which most is zero.
    fn image() -> Vec<u8> {
        let mut image = vec![0; 8 << 20];
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        for (place, byte) in image[1 << 20..][..100_000].iter_mut().enumerate() {
            *byte = (place * place % 251) as u8;
        }
        image
    }

    /// What a program makes of it; nothing where that is not installed.
    fn packed(program: &str, image: &[u8]) -> Option<Vec<u8>> {
        let spawned = Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = spawned else {
            eprintln!("skipped: {program} is not installed");
            return None;
        };
        let (mut input, image) = (child.stdin.take().unwrap(), image.to_vec());
        let writer = std::thread::spawn(move || input.write_all(&image).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Some(output.stdout)
    }

    fn unpacked(packed: &[u8], largest: u64) -> Result<(Vec<u8>, u64), Error> {
        let folder = tempfile::tempdir().unwrap();
        let (source, to) = (folder.path().join("packed"), folder.path().join("disk"));
        std::fs::write(&source, packed).unwrap();
        let packing = Packing::of(packed).unwrap();
        let mut last = 0;
        unpack(&Source::of(&source), packing, &to, largest, &mut |taken| {
            assert!(taken >= last);
            last = taken;
            true
        })?;
        assert_eq!(last, packed.len() as u64, "all of it is told");
        let blocks = std::fs::metadata(&to).unwrap().blocks() * 512;
        Ok((std::fs::read(&to).unwrap(), blocks))
    }

    #[test]
    fn what_was_packed_comes_out_with_holes_where_it_is_zero() {
        let image = image();
        for (program, packing) in [("gzip", Packing::Gzip), ("xz", Packing::Xz), ("zstd", Packing::Zstd)] {
            let Some(packed) = packed(program, &image) else { continue };
            assert_eq!(Packing::of(&packed), Some(packing));
            let (found, blocks) = unpacked(&packed, 8 << 20).unwrap();
            assert!(found == image, "{program}");
            assert!(blocks < 1 << 20, "{program}: {blocks} bytes on the disk");
            // As tools that pack on several CPUs do: one after the other.
            let twice = [&packed[..], &packed[..]].concat();
            assert!(unpacked(&twice, 16 << 20).unwrap().0 == [&image[..], &image[..]].concat(), "{program}");
        }
        assert_eq!(Packing::of(&image), None);
        assert_eq!(Packing::of(b""), None);
    }

    #[test]
    fn what_is_damaged_or_too_large_is_an_error() {
        let image = image();
        for program in ["gzip", "xz", "zstd"] {
            let Some(packed) = packed(program, &image) else { continue };
            let mut flipped = packed.clone();
            flipped[packed.len() / 2] ^= 0x55;
            for (bytes, largest) in [
                (&packed[..packed.len() - 20], u64::MAX),
                (&packed[..8], u64::MAX),
                (&packed[..], (8 << 20) - 1),
                (&flipped[..], u64::MAX),
            ] {
                let error = unpacked(bytes, largest).map(drop).unwrap_err();
                let wrong = matches!(error, Error::FileUnusable { fault: FileFault::WrongFormat, .. });
                assert!(wrong, "{program}: {error:?}");
            }
        }
    }
}
