//! A computer for tests: Linux, udev and lists tell of it what is written into its files.

use std::fs;
use std::path::Path;

/// A computer that tells what is written into its files.
#[derive(Debug)]
pub struct Told(tempfile::TempDir);

impl Told {
    /// One of which nothing is told.
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The folder that is its root.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and makes its folder.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Gives it a disk.
    pub fn disk(&self, name: &str, number: &str, sectors: u64) {
        self.write(&format!("sys/block/{name}/dev"), format!("{number}\n"));
        self.write(&format!("sys/block/{name}/size"), format!("{sectors}\n"));
    }

    /// Gives a disk a partition.
    pub fn part(&self, disk: &str, name: &str, (part, number): (u32, &str), (start, sectors): (u64, u64)) {
        let folder = format!("sys/block/{disk}/{name}");
        let facts = [("dev", number.to_owned()), ("partition", part.to_string())];
        let place = [("start", start.to_string()), ("size", sectors.to_string())];
        for (file, value) in facts.into_iter().chain(place) {
            self.write(&format!("{folder}/{file}"), format!("{value}\n"));
        }
    }
}
