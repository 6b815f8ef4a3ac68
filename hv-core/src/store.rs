//! Definitions on disk: one folder a guest, named by its id, with `guest.toml` and the disks made for it.
//!
//! Every write is whole or not at all: a temporary file beside it, flushed, renamed over it, and the
//! folder flushed. A guest in the making has a folder whose name begins with `.new-`, which becomes the
//! guest's own by a rename as the very last step, and one that is deleted with its disks gets such a name
//! back as the first; what an interruption left is swept up here.

mod bases;

use crate::engine::{DiskName, MAX_DISKS};
use crate::guest::config::{Definition, ReadError};
use crate::guest::{first_start, install, saved, snapshots};
use crate::storage::partial;
use hv_api::{DefinitionFault, Error, GuestId};
use rustix::fs::OFlags;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tracing::{info, warn};

pub use bases::Sharing;

const DEFINITION: &str = "guest.toml";
const NEW: &str = ".new-";

/// More than any definition has, in bytes.
pub const LONGEST: u64 = 1 << 20;

/// The last line of each TOML file of ours. One without it is cut short: whole tables could be missing, and TOML would
/// not mind.
pub const END: &str = "# end\n";

/// The folder with all guests.
#[derive(Debug, Clone)]
pub struct Store {
    guests: PathBuf,
}

/// One guest's folder, read.
#[derive(Debug)]
pub struct Loaded {
    /// The guest.
    pub id: GuestId,
    /// Its definition, or what is wrong with it.
    pub definition: Result<Definition, Unreadable>,
}

/// What is wrong with a definition's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its kind.
    pub fault: DefinitionFault,
    /// Words about it.
    pub detail: String,
}

impl Store {
    /// The store in this folder, which exists.
    pub fn new(guests: PathBuf) -> Self {
        Self { guests }
    }

    /// A guest's folder.
    pub fn folder(&self, guest: GuestId) -> PathBuf {
        self.guests.join(guest.to_string())
    }

    /// A guest's definition.
    pub fn definition_file(&self, guest: GuestId) -> PathBuf {
        self.folder(guest).join(DEFINITION)
    }

    /// Reads all guests, and sweeps up what was interrupted. Folders that are not named by an id are not
    /// ours and are left alone, as are those without a definition: they hold the disks of deleted guests.
    pub fn load(&self) -> Result<Vec<Loaded>, Error> {
        let mut guests = Vec::new();
        let entries = fs::read_dir(&self.guests).map_err(|error| failed(&self.guests, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| failed(&self.guests, &error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(NEW) {
                info!(folder = name, "sweeping up a creation or deletion that was interrupted");
                if let Err(error) = fs::remove_dir_all(entry.path()) {
                    warn!(folder = name, %error, "it could not be swept up, leaving it");
                }
            } else if let Ok(id) = name.parse()
                && fs::symlink_metadata(self.definition_file(id)).is_ok()
            {
                guests.push(Loaded { id, definition: self.read(id) });
            }
        }
        Ok(guests)
    }

    fn read(&self, guest: GuestId) -> Result<Definition, Unreadable> {
        let text = read_text(&self.definition_file(guest))
            .map_err(|error| Unreadable { fault: DefinitionFault::Unreadable, detail: error.to_string() })?;
        let definition = Definition::read(&text).map_err(|error| {
            let fault = match error {
                ReadError::Newer { .. } => DefinitionFault::Newer,
                ReadError::Malformed(_) => DefinitionFault::Malformed,
            };
            Unreadable { fault, detail: error.to_string() }
        })?;
        if definition.id == guest {
            Ok(definition)
        } else {
            let detail = format!("it is of guest {}: the folder was copied or renamed", definition.id);
            Err(Unreadable { fault: DefinitionFault::Malformed, detail })
        }
    }

    /// Writes a guest's definition in place of the present one.
    pub fn write(&self, definition: &Definition) -> Result<(), Error> {
        let file = self.definition_file(definition.id);
        replace(&file, definition.write().as_bytes()).map_err(|error| failed(&file, &error))
    }

    /// Makes the folder in which a guest is made.
    pub fn begin(&self, guest: GuestId) -> Result<Draft, Error> {
        let folder = self.guests.join(format!("{NEW}{guest}"));
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| failed(&folder, &error))?;
        Ok(Draft { folder, guest: self.folder(guest), kept: false })
    }

    /// Deletes a guest: its whole folder, or, with `keep_disks`, its definition only.
    pub fn delete(&self, guest: GuestId, keep_disks: bool) -> Result<(), Error> {
        let folder = self.folder(guest);
        if keep_disks {
            let file = self.definition_file(guest);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&file, &error)),
                _ => {}
            }
            saved::remove_all(&folder);
            snapshots::remove_all(&folder);
            // They may have secrets in them, and are of no use without the guest.
            first_start::sweep(&folder);
            install::sweep(&folder);
            // What was between partitions of a physical disk is no disk.
            for name in (0..MAX_DISKS).filter_map(DiskName::numbered) {
                if let Err(error) = partial::remove(&folder, &name.to_string()) {
                    warn!(folder = %folder.display(), %error, "what belonged to a physical disk stays");
                }
            }
            // Gone if nothing else is in it; where a disk is, the folder stays for it.
            let _ = fs::remove_dir(&folder);
            return Ok(());
        }
        // With this step it is no guest any more; what is interrupted later is swept up at the next start.
        let doomed = self.guests.join(format!("{NEW}{guest}"));
        fs::rename(&folder, &doomed).map_err(|error| failed(&folder, &error))?;
        if let Err(error) = fs::remove_dir_all(&doomed) {
            warn!(folder = %doomed.display(), %error, "a deleted guest's folder stays until the next start");
        }
        Ok(())
    }
}

/// A guest in the making. Dropped before it is kept, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    folder: PathBuf,
    guest: PathBuf,
    kept: bool,
}

impl Draft {
    /// The folder to put disks into.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the definition and makes the draft a guest.
    pub fn keep(mut self, definition: &Definition) -> Result<(), Error> {
        let file = self.folder.join(DEFINITION);
        replace(&file, definition.write().as_bytes()).map_err(|error| failed(&file, &error))?;
        rename(&self.folder, &self.guest).map_err(|error| failed(&self.guest, &error))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_dir_all(&self.folder)
        {
            warn!(folder = %self.folder.display(), %error, "a creation could not be cleaned up, leaving it");
        }
    }
}

/// The text in a regular file, which must not be longer than any definition.
pub fn read_text(path: &Path) -> io::Result<String> {
    // Without waiting, should somebody have put a pipe there.
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file, or far too long"));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// Whether a text that we wrote has its last line.
pub fn is_whole(text: &str) -> bool {
    text.strip_suffix(END).is_some_and(|rest| rest.ends_with('\n'))
}

/// Replaces a file's content, all or nothing.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    if let Err(error) = flush(folder) {
        // Everybody reads the new content already: to say that it is not there would be wrong.
        warn!(path = %path.display(), %error, "it may be lost again if the power is cut now");
    }
    Ok(())
}

/// Gives something its place by a rename that stays so, or leaves it where it is.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    let Err(error) = flush(to.parent().ok_or(io::ErrorKind::InvalidInput)?) else { return Ok(()) };
    // What is told must be what is there, also where it can't be undone.
    if fs::rename(to, from).is_ok() {
        return Err(error);
    }
    warn!(path = %to.display(), %error, "it may be elsewhere again if the power is cut now");
    Ok(())
}

/// A new file that only this user can read.
pub fn secret_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

fn flush(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The error of a file or folder that could not be used.
pub fn failed(path: &Path, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
        return no_space(path);
    }
    Error::StoreFailed { path: path.display().to_string(), detail: error.to_string() }
}

/// The error of a place that is full.
pub fn no_space(path: &Path) -> Error {
    let folder = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(path);
    let available = rustix::fs::statvfs(folder).map_or(0, |found| found.f_bavail * found.f_frsize);
    Error::NoSpace { path: folder.display().to_string(), available: hv_api::ByteSize::bytes(available) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(id: GuestId) -> Definition {
        Definition { id, name: "one".into(), ..crate::guest::config::tests::example() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_guest_is_made_read_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        let id = GuestId::random();
        let draft = store.begin(id).unwrap();
        fs::write(draft.folder().join("disk0.qcow2"), "disk").unwrap();
        draft.keep(&definition(id)).unwrap();
        let loaded = store.load().unwrap();
        assert_eq!(loaded.len(), 1);
        assert_eq!(loaded[0].definition, Ok(definition(id)));
        store.delete(id, true).unwrap();
        assert_eq!(names(&store.folder(id)), ["disk0.qcow2"]);
        // Disks that were kept are no guest, today and after the next start.
        assert!(store.load().unwrap().is_empty());
        store.delete(id, false).unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_deletion_that_can_not_begin_leaves_the_guest_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        let id = GuestId::random();
        store.begin(id).unwrap().keep(&definition(id)).unwrap();
        // What stands in the way of the folder's rename.
        fs::create_dir(folder.path().join(format!("{NEW}{id}"))).unwrap();
        fs::write(folder.path().join(format!("{NEW}{id}/file")), "").unwrap();
        assert!(store.delete(id, false).is_err());
        assert_eq!(store.read(id), Ok(definition(id)));
    }

    #[test]
    fn only_a_file_of_reasonable_length_is_a_definition() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        let id = GuestId::random();
        store.begin(id).unwrap().keep(&definition(id)).unwrap();
        let file = store.definition_file(id);
        File::create(&file).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(store.read(id).unwrap_err().fault, DefinitionFault::Unreadable);
        fs::remove_file(&file).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(store.read(id).unwrap_err().fault, DefinitionFault::Unreadable);
    }

    #[test]
    fn a_creation_given_up_or_interrupted_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        drop(store.begin(GuestId::random()).unwrap());
        assert_eq!(names(folder.path()), [""; 0]);
        // As if the power had gone: the draft is never dropped.
        std::mem::forget(store.begin(GuestId::random()).unwrap());
        assert!(store.load().unwrap().is_empty());
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_definition_that_is_wrong_is_reported_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        let id = GuestId::random();
        store.begin(id).unwrap().keep(&definition(id)).unwrap();
        for (content, fault) in [
            ("version = 9\n", DefinitionFault::Newer),
            ("version = 1\nid =", DefinitionFault::Malformed),
            ("", DefinitionFault::Malformed),
        ] {
            fs::write(store.definition_file(id), content).unwrap();
            assert_eq!(store.load().unwrap()[0].definition.as_ref().unwrap_err().fault, fault);
            assert_eq!(fs::read_to_string(store.definition_file(id)).unwrap(), content);
        }
        // A copied folder must not become a second guest with the first one's disks.
        let copy = GuestId::random();
        fs::create_dir(store.folder(copy)).unwrap();
        fs::write(store.definition_file(copy), definition(id).write()).unwrap();
        let loaded = store.load().unwrap();
        assert!(loaded.iter().find(|one| one.id == copy).unwrap().definition.is_err());
    }

    #[test]
    fn a_write_that_fails_leaves_the_former_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"former").unwrap();
        // The temporary file can't be made where a folder has its name.
        fs::create_dir(folder.path().join("file.new")).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"former");
    }
}
