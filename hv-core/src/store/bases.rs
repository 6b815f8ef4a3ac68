//! Volumes on which the disks of several guests build, and which nobody writes any more.
//!
//! Owns the folder `.bases` among the guests'. A disk becomes a base by a second name for its file, and then an empty
//! layer on that takes its place in one step: cut anywhere, the guest has its disk as it was or a layer on it. A base
//! goes when no file in any guest's folder, nor of a guest that is being made, builds on it. That is found out by
//! looking at the files themselves, so nothing has to be counted and no count can be wrong.

use super::{Store, failed};
use crate::storage::backing_files;
use hv_api::Error;
use hv_api::paths::private_folder;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tracing::{info, warn};
use uuid::Uuid;

const BASES: &str = ".bases";

/// A disk that is to become a base, and the layer that is to take its place.
#[derive(Debug)]
pub struct Sharing {
    /// The disk's file.
    pub disk: PathBuf,
    /// The layer, which is complete but for what it builds on.
    pub layer: PathBuf,
    /// The base to be.
    pub base: PathBuf,
}

impl Sharing {
    /// Makes the disk a base, and the layer the disk.
    pub fn carry_out(&self) -> Result<(), Error> {
        let carry_out = || {
            File::open(&self.layer)?.sync_all()?;
            let bases = self.base.parent().unwrap_or(&self.base);
            private_folder(bases)?;
            fs::hard_link(&self.disk, &self.base)?;
            File::open(bases)?.sync_all()?;
            fs::rename(&self.layer, &self.disk)?;
            File::open(self.disk.parent().unwrap_or(&self.disk))?.sync_all()
        };
        carry_out().map_err(|error| failed(&self.base, &error))
    }
}

impl Store {
    /// A name for a base that is not there yet.
    pub fn new_base(&self) -> PathBuf {
        self.guests.join(BASES).join(format!("{}.qcow2", Uuid::new_v4()))
    }

    /// How a volume in a guest's folder names this base, wherever all of them are moved to.
    pub fn base_name(base: &Path) -> PathBuf {
        Path::new("..").join(BASES).join(base.file_name().unwrap_or_default())
    }

    /// Removes the bases on which nothing builds any more. It takes its time.
    pub fn sweep_bases(&self) {
        if let Err(error) = self.try_sweep_bases() {
            warn!(%error, "it is not known which bases are of no use any more; all stay");
        }
    }

    fn try_sweep_bases(&self) -> io::Result<()> {
        let bases = match fs::read_dir(self.guests.join(BASES)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            bases => bases?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?,
        };
        if bases.is_empty() {
            return Ok(());
        }
        let used = self.built_on()?;
        for base in bases.iter().filter(|base| base.file_name().is_none_or(|name| !used.contains(name))) {
            info!(base = %base.display(), "nothing builds on it any more");
            fs::remove_file(base)?;
        }
        Ok(())
    }

    /// The names of all files that others in guests' folders build on.
    fn built_on(&self) -> io::Result<HashSet<std::ffi::OsString>> {
        let mut names = HashSet::new();
        for folder in fs::read_dir(&self.guests)? {
            let folder = folder?;
            if folder.file_name() == BASES || !folder.file_type()?.is_dir() {
                continue;
            }
            let files = match fs::read_dir(folder.path()) {
                // Deleted meanwhile, or a creation that has just ended.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                files => files?,
            };
            for file in files {
                let file = file?;
                if !file.file_type()?.is_file() {
                    continue;
                }
                // What can't be read may build on any.
                drop(File::open(file.path())?);
                let chain = backing_files(&file.path());
                names.extend(chain.iter().filter_map(|base| base.file_name()).map(ToOwned::to_owned));
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::overlay;

    #[test]
    fn a_base_is_there_as_long_as_something_builds_on_it() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::new(home.path().to_owned());
        let at = |path: &str| home.path().join(path);
        for folder in ["one", ".new-two"] {
            fs::create_dir(at(folder)).unwrap();
        }
        store.sweep_bases();
        fs::write(at("one/disk0.qcow2"), "what it holds").unwrap();
        let base = store.new_base();
        overlay(&at(".new-two/layer"), Store::base_name(&base));
        overlay(&at(".new-two/disk0.qcow2"), Store::base_name(&base));
        let (disk, layer) = (at("one/disk0.qcow2"), at(".new-two/layer"));
        Sharing { disk: disk.clone(), layer, base: base.clone() }.carry_out().unwrap();
        assert_eq!(fs::read(&base).unwrap(), b"what it holds");
        assert_eq!(backing_files(&disk).len(), 1);

        // The one that was copied is deleted, then the copy.
        fs::remove_dir_all(at("one")).unwrap();
        store.sweep_bases();
        assert!(base.exists());
        // As is one on which another base builds.
        let second = store.new_base();
        fs::rename(at(".new-two/disk0.qcow2"), &second).unwrap();
        overlay(&at(".new-two/disk0.qcow2"), Store::base_name(&second));
        store.sweep_bases();
        assert!(base.exists() && second.exists());
        fs::remove_dir_all(at(".new-two")).unwrap();
        store.sweep_bases();
        assert!(!base.exists() && !second.exists());
    }

    #[test]
    fn a_sharing_that_was_cut_leaves_the_disk_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::new(home.path().to_owned());
        let disk = home.path().join("one/disk0.qcow2");
        fs::create_dir(home.path().join("one")).unwrap();
        fs::write(&disk, "what it holds").unwrap();
        // A folder can be flushed as a layer is, but not take a file's place.
        let layer = home.path().join("layer");
        fs::create_dir(&layer).unwrap();
        let sharing = Sharing { disk: disk.clone(), layer, base: store.new_base() };
        assert!(sharing.carry_out().is_err());
        assert_eq!(fs::read(&disk).unwrap(), b"what it holds");
        assert!(sharing.base.exists(), "cut after the first of the two steps");
        store.sweep_bases();
        assert!(!sharing.base.exists());
        assert_eq!(fs::read(&disk).unwrap(), b"what it holds");
    }
}
