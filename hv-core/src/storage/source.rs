//! Where the bytes of an image are: a file or block device, or a part of a file that holds several.

use crate::files;
use hv_api::{Error, FileFault};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Where the bytes of an image are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file or block device.
    pub path: PathBuf,
    /// Which part of it; nothing where it is all.
    pub part: Option<Part>,
}

/// A part of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
}

impl Source {
    /// All of a file.
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), part: None }
    }

    /// Opens it to be read, with its length.
    ///
    /// # Errors
    /// [`Error::FileUnusable`].
    pub fn open(&self) -> Result<(Window, u64), Error> {
        let (file, length) = files::open_readable(&self.path)?;
        let Part { offset, size } = self.part.unwrap_or(Part { offset: 0, size: length });
        if offset.checked_add(size).is_none_or(|end| end > length) || size == 0 {
            let (path, fault) = (self.path.display().to_string(), FileFault::Empty);
            let detail = format!("{size} bytes from {offset} on, of {length}");
            return Err(Error::FileUnusable { path, fault, detail });
        }
        Ok((Window { file, begin: offset, length: size, place: 0 }, size))
    }
}

/// A part of an open file, as if it were a file.
#[derive(Debug)]
pub struct Window {
    file: File,
    begin: u64,
    length: u64,
    place: u64,
}

impl Read for Window {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.place);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(part.len());
        self.file.seek(SeekFrom::Start(self.begin + self.place))?;
        let count = self.file.read(&mut part[..most])?;
        self.place += count as u64;
        Ok(count)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.place.checked_add_signed(offset),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        // So that no sum with it is too large.
        if i64::try_from(self.place).is_err() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_if_it_were_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all");
        std::fs::write(&path, "before the middle after").unwrap();
        let source = |offset, size| Source { path: path.clone(), part: Some(Part { offset, size }) };
        let (mut window, length) = source(7, 10).open().unwrap();
        let mut text = String::new();
        window.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), length), ("the middle", 10));
        window.seek(SeekFrom::End(-3)).unwrap();
        text.clear();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "dle");
        window.seek(SeekFrom::Start(99)).unwrap();
        assert_eq!(window.read(&mut [0; 9]).unwrap(), 0, "nothing beyond its end");
        assert!(window.seek(SeekFrom::Start(u64::MAX)).is_err());
        for (offset, size) in [(20, 10), (u64::MAX, 2), (3, 0)] {
            assert!(source(offset, size).open().is_err());
        }
        assert_eq!(Source::of(&path).open().unwrap().1, 23);
    }
}
