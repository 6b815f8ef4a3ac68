//! Tests of [`super`].

use super::*;
use hv_api::GuestId;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

fn definition() -> Definition {
    let id = GuestId::random();
    let text = format!(
        "version = 1\nid = \"{id}\"\nname = \"one\"\nmachine = \"m\"\ncpus = 1\nmemory = \"1 GiB\"\n\
         firmware = \"bios\"\nserial-ports = 1\n[[disk]]\npath = \"disk0.qcow2\"\nformat = \"qcow2\"\n# end\n"
    );
    Definition::read(&text).unwrap()
}

/// A guest's folder with a disk.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("disk0.qcow2"), "content").unwrap();
    folder
}

fn begin(guest: &Path) -> Writing {
    let facts = Facts::new(Accelerator::Emulation, 7, true);
    let (writing, memory) = Writing::begin(guest, Saved { definition: definition(), facts }).unwrap();
    File::from(memory).write_all(b"memory").unwrap();
    writing
}

fn save(guest: &Path) -> Saved {
    let mut writing = begin(guest);
    writing.flush().unwrap();
    writing.keep().unwrap()
}

fn names(guest: &Path) -> Vec<String> {
    let entries = fs::read_dir(guest).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_saved_is_read_again_and_is_nobody_elses() {
    let folder = folder();
    assert!(!exists(folder.path()));
    let saved = save(folder.path());
    assert!(exists(folder.path()));
    assert_eq!(open(folder.path()), Ok(saved.clone()));
    assert_eq!(known(folder.path()), Some(saved));
    for (path, mode) in [("saved", 0o700), ("saved/memory", 0o600)] {
        let found = fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
    discard(folder.path()).unwrap();
    forget_discarded(folder.path());
    assert_eq!(names(folder.path()), ["disk0.qcow2"]);
}

#[test]
fn a_saved_state_of_which_a_file_is_cut_short_is_kept_and_not_used() {
    let folder = folder();
    save(folder.path());
    for name in [FACTS, DEFINITION, MEMORY] {
        let path = folder.path().join(SAVED).join(name);
        let whole = fs::read(&path).unwrap();
        // Without its last line's end it is whole.
        for end in 0..whole.trim_ascii_end().len() {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(matches!(open(folder.path()), Err(Unusable::Damaged(_))), "{name} cut at {end}");
            assert!(exists(folder.path()));
        }
        fs::write(&path, &whole).unwrap();
        assert!(open(folder.path()).is_ok(), "{name}");
    }
}

#[test]
fn wherever_it_is_cut_there_is_a_whole_saved_state_or_none() {
    // While it is written.
    let folder = folder();
    let mut writing = begin(folder.path());
    assert!(!exists(folder.path()));
    assert_eq!(interrupted(folder.path()), Some(true));
    writing.flush().unwrap();
    assert!(!exists(folder.path()));
    remove_writing(folder.path());
    assert_eq!(names(folder.path()), ["disk0.qcow2"]);
    // While it is restored: before the rename it is whole, after it the machine has it.
    let saved = save(folder.path());
    resume(folder.path()).unwrap();
    assert!(!exists(folder.path()));
    take_back(folder.path()).unwrap();
    assert_eq!(open(folder.path()), Ok(saved));
    resume(folder.path()).unwrap();
    assert_eq!(interrupted(folder.path()), None);
    assert_eq!(names(folder.path()), ["disk0.qcow2"]);
    // While it is discarded.
    save(folder.path());
    discard(folder.path()).unwrap();
    assert!(!exists(folder.path()));
    assert_eq!(interrupted(folder.path()), None);
    assert_eq!(names(folder.path()), ["disk0.qcow2"]);
}

#[test]
fn what_is_cut_short_or_missing_is_not_used() {
    for file in ["memory", "guest.toml", "saved.toml"] {
        let folder = folder();
        save(folder.path());
        let path = folder.path().join("saved").join(file);
        let content = fs::read(&path).unwrap();
        for end in 0..content.len() - 1 {
            fs::write(&path, &content[..end]).unwrap();
            assert!(open(folder.path()).is_err(), "{file} cut at {end}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(open(folder.path()), Err(Unusable::Damaged(words)) if words.starts_with(file)));
        // Whatever is wrong with it, it can be thrown away.
        discard(folder.path()).unwrap();
    }
}

#[test]
fn memory_is_never_used_with_a_disk_that_was_written_since() {
    let folder = folder();
    save(folder.path());
    let disk = folder.path().join("disk0.qcow2");
    fs::write(&disk, "other content").unwrap();
    assert!(matches!(open(folder.path()), Err(Unusable::DisksChanged(words)) if words.contains("disk0")));
    fs::remove_file(&disk).unwrap();
    assert!(matches!(open(folder.path()), Err(Unusable::DisksChanged(_))));
}

#[test]
fn what_this_program_changes_in_the_disks_is_not_held_against_it() {
    let folder = folder();
    save(folder.path());
    let disk = folder.path().join("disk0.qcow2");
    alter(folder.path()).unwrap();
    fs::write(&disk, "content with more").unwrap();
    assert!(open(folder.path()).is_ok(), "a core that was ended here finds it whole");
    altered(folder.path()).unwrap();
    assert!(open(folder.path()).is_ok());
    altered(folder.path()).unwrap();
    fs::write(&disk, "other content").unwrap();
    assert!(matches!(open(folder.path()), Err(Unusable::DisksChanged(_))));
}

#[test]
fn it_is_kept_elsewhere_as_well_and_put_back_from_there() {
    let (folder, kept) = (folder(), tempfile::tempdir().unwrap());
    let saved = save(folder.path());
    keep_in(folder.path(), kept.path()).unwrap();
    assert_eq!(open(folder.path()), Ok(saved.clone()));
    resume(folder.path()).unwrap();
    forget_resumed(folder.path());
    assert_eq!(memory_length(kept.path()), Some(saved.memory()));
    assert_eq!(unfinished(kept.path()), None);
    put_back(folder.path(), kept.path()).unwrap();
    assert_eq!(open(folder.path()), Ok(saved));
}

#[test]
fn a_newer_form_is_not_guessed_at() {
    let folder = folder();
    save(folder.path());
    let path = folder.path().join("saved/saved.toml");
    let text = fs::read_to_string(&path).unwrap().replace("version = 1", "version = 2");
    fs::write(&path, text).unwrap();
    assert!(matches!(open(folder.path()), Err(Unusable::Damaged(words)) if words.contains("version 2")));
}

#[test]
fn the_room_that_is_needed_is_what_the_engine_uses_and_no_more_than_the_memory() {
    let room = |used| room_needed(ByteSize::gib(1), used);
    assert_eq!(room(None), ByteSize::mib(1024 + 32));
    assert_eq!(room(Some(ByteSize::mib(100))), ByteSize::mib(132));
    assert_eq!(room(Some(ByteSize::gib(9))), ByteSize::mib(1024 + 32));
    assert!(memory_of(std::process::id()).unwrap() > ByteSize::MIB);
    assert_eq!(memory_of(u32::MAX), None);
}
