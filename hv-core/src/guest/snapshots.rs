//! A guest's snapshots on disk: the folder `snapshots` in the guest's own.
//!
//! `index.toml` lists them, says after which one the guest is now, and to which one it is just being put back. What
//! a snapshot keeps besides disks is in a folder named by its identity: the guest's definition and, where it ran,
//! its memory, in the same form as a saved state; what its TPM knew; and a picture of its display. What the disks
//! and the variable store held is inside of them, as internal snapshots by the same name.
//!
//! Promises that a snapshot is there exactly when the index has it, which is replaced in one step: a folder that
//! the index does not know is of one that was not completed or has been deleted, and is removed together with what
//! it has in the disks. And that a guest whose disks are only in part what a snapshot has is known as such, until it
//! has been put back to one.

use super::boot;
use super::config::{Definition, TPM_FOLDER, name_fault};
use super::exact_size;
use super::saved;
use crate::engine::{DiskFormat, Volume};
use crate::{storage, store};
use hv_api::{ByteSize, Error, SnapshotId, SnapshotInfo};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tracing::warn;

/// The folder in a guest's own.
const FOLDER: &str = "snapshots";

const INDEX: &str = "index.toml";
const PICTURE: &str = "picture.png";

/// What the guest itself was to be, where its machine had changes of its own or waited for some.
const WANTED: &str = "wanted.toml";

/// The version that this program writes, and the newest that it reads.
const VERSION: u32 = 1;

/// The longest note, in characters.
const LONGEST_NOTE: usize = 4000;

/// All snapshots of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Index {
    version: u32,
    /// That after which the guest is now; nothing where it is after none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<SnapshotId>,
    /// That to which the guest is just being put back. Its disks may have been, in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restoring: Option<SnapshotId>,
    /// In the order in which they were taken.
    #[serde(default, rename = "snapshot", skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Entry>,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// Its identity.
    pub id: SnapshotId,
    /// Its name.
    pub name: String,
    /// What a person has written about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// That after which it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<SnapshotId>,
    /// When, in seconds since 1970.
    pub taken: u64,
    /// The size of the guest's memory, where that is in it.
    #[serde(default, with = "exact_size::optional", skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Whether its CPUs ran.
    pub running: bool,
    /// Whether there is a picture of its display.
    pub picture: bool,
    /// Whether the variable store of its firmware is in it, which is made at a guest's first start.
    #[serde(default)]
    pub variables: bool,
}

impl Default for Index {
    fn default() -> Self {
        Self { version: VERSION, current: None, restoring: None, snapshots: Vec::new() }
    }
}

impl Index {
    /// Reads that of the guest in this folder, which is empty where nothing was ever written.
    ///
    /// # Errors
    /// Where there is one that can't be read. Nothing in the folder may be removed then.
    pub fn read(guest: &Path) -> Result<Self, Error> {
        let path = guest.join(FOLDER).join(INDEX);
        let malformed = |detail: String| Error::StoreFailed { path: path.display().to_string(), detail };
        let text = match store::read_text(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|error| store::failed(&path, &error))?,
        };
        if !store::is_whole(&text) {
            return Err(malformed("the last line, “# end”, is missing: the file is cut short".into()));
        }
        let index: Self = toml::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if index.version > VERSION {
            return Err(malformed(format!("it has version {}", index.version)));
        }
        Ok(index)
    }

    /// Writes it in place of the former one, in one step.
    pub fn write(&self, guest: &Path) -> Result<(), Error> {
        let folder = guest.join(FOLDER);
        let path = folder.join(INDEX);
        let text = toml::to_string(self).map_err(io::Error::other);
        let written = text.and_then(|text| {
            if text.len() + store::END.len() >= store::LONGEST as usize {
                return Err(io::Error::other("there are too many snapshots, or their notes are too long"));
            }
            make_folder(&folder)?;
            store::replace(&path, format!("{text}\n{}", store::END).as_bytes())
        });
        written.map_err(|error| store::failed(&path, &error))
    }

    /// The snapshot of this name or identity.
    pub fn find(&self, snapshot: &str) -> Option<&Entry> {
        let id = snapshot.parse().ok();
        let by_id = self.snapshots.iter().find(|entry| Some(entry.id) == id);
        by_id.or_else(|| self.snapshots.iter().find(|entry| entry.name == snapshot))
    }

    fn get(&self, id: SnapshotId) -> Option<&Entry> {
        self.snapshots.iter().find(|entry| entry.id == id)
    }

    /// Makes sure that a snapshot, new or of this identity, can have this name.
    pub fn check_name(&self, guest: &str, name: &str, of: Option<SnapshotId>) -> Result<(), Error> {
        if let Some(fault) = name_fault(name) {
            return Err(Error::NameInvalid { name: name.to_owned(), fault });
        }
        match self.find(name) {
            Some(entry) if Some(entry.id) != of => {
                Err(Error::SnapshotNameTaken { guest: guest.to_owned(), name: name.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// With this one, after which the guest then is.
    #[must_use]
    pub fn with(mut self, entry: Entry) -> Self {
        self.current = Some(entry.id);
        self.snapshots.push(entry);
        self
    }

    /// Of a guest that is just being put back to this one.
    #[must_use]
    pub fn putting_back(self, id: SnapshotId) -> Self {
        Self { restoring: Some(id), ..self }
    }

    /// Of a guest that was put back to this one.
    #[must_use]
    pub fn at(self, id: SnapshotId) -> Self {
        Self { current: Some(id), restoring: None, ..self }
    }

    /// Without this one. What came after it comes after that before it.
    #[must_use]
    pub fn without(mut self, id: SnapshotId) -> Self {
        let parent = self.get(id).and_then(|entry| entry.parent);
        self.snapshots.retain(|entry| entry.id != id);
        for entry in &mut self.snapshots {
            if entry.parent == Some(id) {
                entry.parent = parent;
            }
        }
        if self.current == Some(id) {
            self.current = parent;
        }
        self
    }

    /// With another name or note for this one; an empty note is none.
    #[must_use]
    pub fn renamed(mut self, id: SnapshotId, name: Option<String>, note: Option<String>) -> Self {
        if let Some(entry) = self.snapshots.iter_mut().find(|entry| entry.id == id) {
            entry.name = name.unwrap_or_else(|| entry.name.clone());
            if let Some(note) = note {
                entry.note = kept_note(note);
            }
        }
        self
    }

    /// What clients are told.
    pub fn told(&self, guest: &Path) -> Vec<SnapshotInfo> {
        let info = |entry: &Entry| SnapshotInfo {
            id: entry.id,
            name: entry.name.clone(),
            note: entry.note.clone(),
            parent: entry.parent,
            taken: entry.taken,
            memory: entry.memory,
            running: entry.running,
            picture: entry.picture.then(|| picture(guest, entry.id).display().to_string()),
        };
        self.snapshots.iter().map(info).collect()
    }
}

/// A note as it is kept: not without end, and not where there is nothing in it.
pub fn kept_note(note: String) -> Option<String> {
    let note =
        if note.chars().count() > LONGEST_NOTE { note.chars().take(LONGEST_NOTE).collect() } else { note };
    Some(note).filter(|note| !note.trim().is_empty())
}

/// The folder with what a snapshot keeps.
pub fn folder(guest: &Path, id: SnapshotId) -> PathBuf {
    guest.join(FOLDER).join(id.to_string())
}

/// Where a picture of the guest's display is, where one was taken.
pub fn picture(guest: &Path, id: SnapshotId) -> PathBuf {
    folder(guest, id).join(PICTURE)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Makes the folder of a new snapshot, so that from now on it is known of what remains should this be interrupted.
pub fn begin(
    guest: &Path,
    id: SnapshotId,
    definition: &Definition,
    wanted: &Definition,
) -> Result<PathBuf, Error> {
    let folder = folder(guest, id);
    let made = make_folder(&guest.join(FOLDER))
        .and_then(|()| make_folder(&folder))
        .and_then(|()| store::replace(&folder.join(WANTED), wanted.write().as_bytes()))
        .and_then(|()| store::replace(&folder.join(saved::DEFINITION), definition.write().as_bytes()))
        .and_then(|()| File::open(guest.join(FOLDER))?.sync_all());
    made.map_err(|error| store::failed(&folder, &error))?;
    Ok(folder)
}

/// The definition of the machine that a snapshot has.
pub fn definition(guest: &Path, id: SnapshotId) -> Result<Definition, Error> {
    read(&folder(guest, id).join(saved::DEFINITION))
}

/// What the guest itself was to be when the snapshot was taken: with settings of which a machine knows nothing, and
/// those that waited for its next start.
pub fn wanted(guest: &Path, id: SnapshotId) -> Result<Definition, Error> {
    read(&folder(guest, id).join(WANTED))
}

fn read(path: &Path) -> Result<Definition, Error> {
    let failed = |detail: String| Error::StoreFailed { path: path.display().to_string(), detail };
    let text = store::read_text(path).map_err(|error| store::failed(path, &error))?;
    Definition::read(&text).map_err(|error| failed(error.to_string()))
}

/// What there is in the guest's folder that the index does not know.
pub fn leftovers(guest: &Path, index: &Index) -> Vec<SnapshotId> {
    let Ok(entries) = fs::read_dir(guest.join(FOLDER)) else { return Vec::new() };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| index.get(*id).is_none()).collect()
}

/// Whether the memory of a machine was being written into a snapshot that was not completed; then, whether its CPUs
/// ran before.
pub fn interrupted(guest: &Path, index: &Index) -> Option<bool> {
    leftovers(guest, index).into_iter().find_map(|id| saved::unfinished(&folder(guest, id)))
}

/// Removes what a snapshot has besides the disks.
pub fn remove(guest: &Path, id: SnapshotId) {
    let folder = folder(guest, id);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(folder = %folder.display(), %error, "what is left of a snapshot stays");
        }
        _ => {}
    }
}

/// Removes whatever there is of snapshots besides the disks, in a guest's folder that is deleted but for its disks.
pub fn remove_all(guest: &Path) {
    let folder = guest.join(FOLDER);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(folder = %folder.display(), %error, "what is left of the snapshots stays");
        }
        _ => {}
    }
}

/// A volume whose content belongs to the guest's snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptVolume {
    /// What the machine knows it by.
    pub volume: Volume,
    /// Its file.
    pub path: PathBuf,
}

/// The volumes whose content belongs to a snapshot of a guest with this definition.
///
/// # Errors
/// [`Error::DiskCannotKeep`] where one of them can't keep snapshots.
pub fn volumes(definition: &Definition, guest: &Path, variables: bool) -> Result<Vec<KeptVolume>, Error> {
    let written = definition.disks.iter().filter(|disk| !disk.read_only);
    if let Some(disk) = written.clone().find(|disk| disk.format != DiskFormat::Qcow2) {
        let (name, path) = (definition.name.clone(), guest.join(&disk.path).display().to_string());
        return Err(Error::DiskCannotKeep { guest: name, path, format: disk.format.name().into() });
    }
    let disks =
        written.map(|disk| KeptVolume { volume: Volume::Disk(disk.name), path: guest.join(&disk.path) });
    let store = boot::variable_store(definition, guest).filter(|_| variables);
    let store = store.map(|path| KeptVolume { volume: Volume::VariableStore, path });
    Ok(disks.chain(store).collect())
}

/// All volumes of a guest with this definition that may have kept something.
pub fn attached(definition: &Definition, guest: &Path) -> Vec<KeptVolume> {
    let mut definition = definition.clone();
    definition.disks.retain(|disk| disk.format == DiskFormat::Qcow2);
    let store = boot::variable_store(&definition, guest).is_some_and(|store| store.is_file());
    volumes(&definition, guest, store).unwrap_or_default()
}

/// Makes sure that a guest can be put back to a snapshot, before anything of it is touched.
///
/// # Errors
/// [`Error::SnapshotUnusable`].
pub async fn check_kept(
    guest: &Path,
    definition: &Definition,
    entry: &Entry,
    volumes: &[KeptVolume],
) -> Result<(), Error> {
    let unusable = |detail: String| Error::SnapshotUnusable {
        guest: definition.name.clone(),
        snapshot: entry.name.clone(),
        detail,
    };
    for volume in volumes {
        let path = volume.path.display();
        let kept = storage::kept_content(&volume.path).await;
        if !kept.map_err(|error| unusable(format!("{path}: {error:?}")))?.contains(&entry.id.to_string()) {
            return Err(unusable(format!("{path} does not have it")));
        }
    }
    if let Some(memory) = entry.memory {
        // What the guest only reads has to be there as well for its memory to be of use.
        for path in definition.disks.iter().map(|disk| guest.join(&disk.path)) {
            fs::metadata(&path).map_err(|error| unusable(format!("{}: {error}", path.display())))?;
        }
        let found = saved::memory_length(&folder(guest, entry.id));
        if found != Some(memory) {
            return Err(unusable("its memory is missing or cut short".into()));
        }
    }
    Ok(())
}

/// Copies what a TPM knows into a snapshot, or from it; what was there goes. Where there is nothing to copy, nothing
/// is there then.
pub fn copy_tpm(from: &Path, to: &Path) -> Result<(), Error> {
    let (from, to) = (from.join(TPM_FOLDER), to.join(TPM_FOLDER));
    let copy = || -> io::Result<()> {
        match fs::remove_dir_all(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let Ok(entries) = fs::read_dir(&from) else { return Ok(()) };
        make_folder(&to)?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let copy = to.join(entry.file_name());
                fs::copy(entry.path(), &copy)?;
                File::open(&copy)?.sync_all()?;
            }
        }
        File::open(&to)?.sync_all()
    };
    copy().map_err(|error| store::failed(&to, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(name: &str, parent: Option<SnapshotId>) -> Entry {
        let id = SnapshotId::random();
        Entry {
            id,
            name: name.into(),
            note: None,
            parent,
            taken: 7,
            memory: None,
            running: false,
            picture: false,
            variables: false,
        }
    }

    /// Three, one after the other, and a fourth beside the third.
    fn tree() -> (Index, [SnapshotId; 4]) {
        let first = entry("first", None);
        let second = Entry { note: Some("mine, “too”".into()), ..entry("second", Some(first.id)) };
        let third =
            Entry { memory: Some(ByteSize::mib(512)), running: true, ..entry("third", Some(second.id)) };
        let beside = entry("beside", Some(second.id));
        let ids = [first.id, second.id, third.id, beside.id];
        (Index::default().with(first).with(second).with(third).with(beside), ids)
    }

    fn parents(index: &Index) -> Vec<Option<SnapshotId>> {
        index.snapshots.iter().map(|entry| entry.parent).collect()
    }

    #[test]
    fn what_came_after_a_deleted_one_comes_after_that_before_it() {
        let (index, [first, second, third, beside]) = tree();
        assert_eq!(index.current, Some(beside));
        let index = index.without(second);
        assert_eq!(parents(&index), [None, Some(first), Some(first)]);
        let index = index.without(beside);
        assert_eq!(index.current, Some(first));
        let index = index.without(first);
        assert_eq!((parents(&index), index.current, index.snapshots[0].id), (vec![None], None, third));
    }

    #[test]
    fn one_is_found_by_its_name_and_by_its_identity() {
        let (index, [first, ..]) = tree();
        assert_eq!(index.find("first").map(|entry| entry.id), Some(first));
        assert_eq!(index.find(&first.to_string()).map(|entry| entry.id), Some(first));
        assert_eq!(index.find("none"), None);
        let taken = index.check_name("one", "first", None);
        assert_eq!(taken, Err(Error::SnapshotNameTaken { guest: "one".into(), name: "first".into() }));
        assert_eq!(index.check_name("one", "first", Some(first)), Ok(()));
        assert!(matches!(index.check_name("one", "a/b", None), Err(Error::NameInvalid { .. })));
    }

    #[test]
    fn an_index_that_is_cut_short_is_never_taken_for_a_whole_one() {
        let guest = tempfile::tempdir().unwrap();
        assert_eq!(Index::read(guest.path()), Ok(Index::default()));
        let (index, _) = tree();
        index.write(guest.path()).unwrap();
        assert_eq!(Index::read(guest.path()), Ok(index));
        let path = guest.path().join(FOLDER).join(INDEX);
        let text = fs::read_to_string(&path).unwrap();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            fs::write(&path, &text[..end]).unwrap();
            assert!(Index::read(guest.path()).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn what_a_snapshot_was_of_is_whole_or_an_error() {
        let (guest, id) = (tempfile::tempdir().unwrap(), SnapshotId::random());
        let kept = crate::guest::config::tests::example();
        begin(guest.path(), id, &kept, &kept).unwrap();
        assert_eq!((definition(guest.path(), id), wanted(guest.path(), id)), (Ok(kept.clone()), Ok(kept)));
        for name in [WANTED, saved::DEFINITION] {
            let path = folder(guest.path(), id).join(name);
            let text = fs::read_to_string(&path).unwrap();
            for end in (0..text.trim_end().len()).filter(|end| text.is_char_boundary(*end)) {
                fs::write(&path, &text[..end]).unwrap();
                let read =
                    if name == WANTED { wanted(guest.path(), id) } else { definition(guest.path(), id) };
                assert!(matches!(read, Err(Error::StoreFailed { .. })), "{name} cut at {end}: {read:?}");
            }
            fs::write(&path, &text).unwrap();
        }
    }

    #[test]
    fn what_the_index_does_not_know_is_left_over() {
        let guest = tempfile::tempdir().unwrap();
        let (index, [first, ..]) = tree();
        let definition = crate::guest::config::tests::example();
        let unknown = SnapshotId::random();
        for id in [first, unknown] {
            begin(guest.path(), id, &definition, &definition).unwrap();
        }
        index.write(guest.path()).unwrap();
        assert_eq!(leftovers(guest.path(), &index), [unknown]);
        assert_eq!(super::definition(guest.path(), unknown), Ok(definition));
        assert_eq!(interrupted(guest.path(), &index), None);
        remove(guest.path(), unknown);
        assert_eq!(leftovers(guest.path(), &index), []);
    }

    #[test]
    fn what_a_tpm_knows_is_replaced_as_a_whole() {
        let (guest, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tpm = guest.path().join(TPM_FOLDER);
        fs::create_dir(&tpm).unwrap();
        fs::write(tpm.join("state"), "secret").unwrap();
        copy_tpm(guest.path(), kept.path()).unwrap();
        fs::write(tpm.join("state"), "other").unwrap();
        fs::write(tpm.join("more"), "other").unwrap();
        copy_tpm(kept.path(), guest.path()).unwrap();
        assert_eq!(fs::read_to_string(tpm.join("state")).unwrap(), "secret");
        assert!(!tpm.join("more").exists());
        let none = tempfile::tempdir().unwrap();
        copy_tpm(none.path(), guest.path()).unwrap();
        assert!(!tpm.exists());
    }

    proptest! {
        /// Whatever is deleted, in whatever order: those that stay form a tree, and each comes after one that it
        /// came after before.
        #[test]
        fn deletions_leave_a_tree(parents in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
                                  deleted in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
            let mut index = Index::default();
            for (number, parent) in parents.iter().enumerate() {
                let parent = (number > 0).then(|| index.snapshots[parent.index(number)].id);
                index = index.with(entry(&number.to_string(), parent));
            }
            let whole = index.clone();
            let ancestors = |index: &Index, mut id: Option<SnapshotId>| {
                let mut found = Vec::new();
                while let Some(entry) = id.and_then(|id| index.get(id)) {
                    found.push(entry.id);
                    id = entry.parent;
                }
                found
            };
            for one in deleted {
                if index.snapshots.is_empty() { break }
                let id = index.snapshots[one.index(index.snapshots.len())].id;
                index = index.without(id);
            }
            let there = |id: &SnapshotId| index.get(*id).is_some();
            for entry in &index.snapshots {
                let before: Vec<_> = ancestors(&whole, Some(entry.id)).into_iter().filter(there).collect();
                prop_assert_eq!(ancestors(&index, Some(entry.id)), before);
            }
            prop_assert!(index.current.is_none_or(|id| there(&id)));
        }
    }
}
