//! The installers that lie in a folder: what a person has most likely just downloaded.
//!
//! It reads the file system and may wait for it, so it is called off the main thread.

use hv_api::ByteSize;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tracing::debug;

/// How many are offered.
const OFFERED: usize = 5;

/// How many entries of a folder are looked at: more would make a person wait for an offer nobody asked for.
const LOOKED_AT: usize = 4000;

/// An installer that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// The file.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// Its length.
    pub size: ByteSize,
    /// When it was last written.
    pub modified: SystemTime,
}

/// The newest ISO files right in a folder, newest first; none where the folder can't be read.
pub fn scan(folder: &Path) -> Vec<Recent> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            debug!(folder = %folder.display(), %error, "no recent installers are offered");
            return Vec::new();
        }
    };
    let mut found: Vec<Recent> =
        entries.take(LOOKED_AT).filter_map(|entry| recent(entry.ok()?.path())).collect();
    found.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.name.cmp(&b.name)));
    found.truncate(OFFERED);
    found
}

fn recent(path: PathBuf) -> Option<Recent> {
    let name = path.file_name()?.to_str()?.to_owned();
    if !path.extension()?.eq_ignore_ascii_case("iso") {
        return None;
    }
    let about = path.metadata().ok().filter(|about| about.is_file() && about.len() > 0)?;
    let modified = about.modified().ok()?;
    Some(Recent { path, name, size: ByteSize::bytes(about.len()), modified })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::time::Duration;

    #[test]
    fn the_newest_installers_come_first_and_nothing_else_comes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for age in 0..7_u64 {
            let file = File::create(at(&format!("disc{age}.ISO"))).unwrap();
            file.set_len(2048).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60 * age)).unwrap();
        }
        File::create(at("empty.iso")).unwrap();
        fs::write(at("notes.txt"), "text").unwrap();
        fs::create_dir(at("folder.iso")).unwrap();
        std::os::unix::fs::symlink(at("gone"), at("broken.iso")).unwrap();
        let names: Vec<String> = scan(folder.path()).into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["disc0.ISO", "disc1.ISO", "disc2.ISO", "disc3.ISO", "disc4.ISO"]);
    }

    #[test]
    fn a_folder_that_is_not_there_offers_nothing() {
        assert_eq!(scan(Path::new("/nonexistent")), []);
    }
}
