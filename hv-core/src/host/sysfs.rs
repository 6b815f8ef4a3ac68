//! Reading Linux's small files about devices: what stands in them is bounded and can be shown.
//!
//! Devices say themselves what they are called, and anybody can make one. What can't be read is left out.

use rustix::fs::Access;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest text that is kept, in characters.
pub const LONGEST: usize = 64;

/// What stands in one of these files; nothing where that is nothing.
pub fn text(folder: &Path, name: &str) -> Option<String> {
    /// Linux writes no more into one.
    const LIMIT: u64 = 4096;
    let mut bytes = Vec::new();
    File::open(folder.join(name)).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    shown(&String::from_utf8_lossy(&bytes))
}

/// The last part of what a link leads to, which is a name there.
pub fn link(folder: &Path, name: &str) -> Option<String> {
    shown(&fs::read_link(folder.join(name)).ok()?.file_name()?.to_string_lossy())
}

/// A text from a device as it can be shown: a line of bounded length.
pub fn shown(text: &str) -> Option<String> {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().take(LONGEST).collect();
    Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
}

/// A path of the computer's, where its files are under `root`.
pub fn under(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Whether this user may read and write that file of the computer's.
pub fn is_permitted(root: &Path, path: &str) -> bool {
    rustix::fs::access(under(root, path), Access::READ_OK | Access::WRITE_OK).is_ok()
}
