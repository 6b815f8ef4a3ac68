//! Discs and archives are read back by others' programs, and by our own reader.

use super::*;
use crate::medium;
use hv_api::MediumKind;
use proptest::prelude::*;
use std::io::{Cursor, Read};
use std::path::Path;
use std::process::{Command, Stdio};

fn cloud() -> Vec<SeedFile> {
    vec![
        SeedFile::new("user-data", "#cloud-config\n{}\n"),
        SeedFile::new("meta-data", "{\"instance-id\": \"one\"}\n"),
        SeedFile::new("network-config", vec![b'#'; 5000]),
        SeedFile::new("vendor-data", ""),
    ]
}

/// What xorriso finds in a disc: each file with its content; nothing where it is not installed. `rock_ridge` is whose
/// names it takes.
fn extracted(disc: &[u8], rock_ridge: bool) -> Option<Vec<SeedFile>> {
    let folder = tempfile::tempdir().unwrap();
    let (image, out) = (folder.path().join("disc.iso"), folder.path().join("out"));
    std::fs::write(&image, disc).unwrap();
    let mut command = Command::new("xorriso");
    command.args(["-no_rc", "-abort_on", "WARNING", "-osirrox", "on"]);
    if !rock_ridge {
        command.args(["-read_fs", "norock"]);
    }
    command.args(["-indev".as_ref(), image.as_os_str(), "-extract".as_ref(), "/".as_ref(), out.as_os_str()]);
    match command.stdout(Stdio::null()).stderr(Stdio::piped()).output() {
        Err(_) => {
            eprintln!("skipped: xorriso is not installed");
            None
        }
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(files_in(&out))
        }
    }
}

fn files_in(folder: &Path) -> Vec<SeedFile> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<SeedFile> = entries
        .map(|entry| {
            SeedFile::new(entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

fn sorted(mut files: Vec<SeedFile>) -> Vec<SeedFile> {
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

fn assert_same(found: &[SeedFile], files: &[SeedFile]) {
    let (found, files) = (sorted(found.to_vec()), sorted(files.to_vec()));
    assert_eq!(found, files);
    assert!(found.iter().zip(&files).all(|(one, other)| one.content == other.content));
}

#[test]
fn a_disc_has_its_files_by_their_names() {
    let disc = disc(Label::CloudInit, &cloud()).unwrap();
    for rock_ridge in [true, false] {
        if let Some(found) = extracted(&disc, rock_ridge) {
            assert_same(&found, &cloud());
        }
    }
}

#[test]
fn a_disc_calls_itself_what_is_looked_for() {
    for label in [Label::CloudInit, Label::DriverDisc, Label::None] {
        let disc = disc(label, &cloud()).unwrap();
        let facts = medium::read(&mut Cursor::new(&disc), disc.len() as u64).unwrap();
        assert_eq!(facts.kind, MediumKind::Iso);
        assert_eq!(facts.volume_id.unwrap_or_default(), label.text());
        assert_eq!(facts.volume_size.unwrap().as_bytes(), disc.len() as u64);
    }
}

#[test]
fn the_same_files_are_the_same_disc() {
    assert_eq!(disc(Label::None, &cloud()), disc(Label::None, &cloud()));
}

#[test]
fn names_that_lead_elsewhere_or_are_one_are_refused() {
    let one = |name: &str| vec![SeedFile::new(name, "")];
    for name in ["", "..", ".", "a/b", "a b", "ä", "a\nb", "a\0", &"x".repeat(65)] {
        assert_eq!(disc(Label::None, &one(name)), Err(SeedError::Name(name.into())));
        assert_eq!(behind_initrd(0, &one(name)), Err(SeedError::Name(name.into())));
    }
    let two = [SeedFile::new("a", ""), SeedFile::new("A", "")];
    assert_eq!(disc(Label::None, &two), Err(SeedError::Twice("A".into())));
    let large = [SeedFile::new("a", vec![0; LARGEST_FILE + 1])];
    assert_eq!(disc(Label::None, &large), Err(SeedError::TooLarge("a".into())));
    let many: Vec<_> = (0..65).map(|number| SeedFile::new(number.to_string(), "")).collect();
    assert_eq!(disc(Label::None, &many), Err(SeedError::TooMany(65)));
}

/// What an archive has, as a reader of such archives finds it.
fn unpacked(archive: &[u8]) -> Vec<SeedFile> {
    let mut rest = Cursor::new(archive);
    let mut files = Vec::new();
    loop {
        let mut reader = cpio::NewcReader::new(rest).unwrap();
        if reader.entry().is_trailer() {
            return files;
        }
        assert_eq!(reader.entry().mode(), 0o100_400);
        let (name, mut content) = (reader.entry().name().to_owned(), Vec::new());
        reader.read_to_end(&mut content).unwrap();
        files.push(SeedFile { name, content });
        rest = reader.finish().unwrap();
    }
}

#[test]
fn what_is_behind_an_initrd_begins_where_linux_looks() {
    for length in 0..9_u64 {
        let bytes = behind_initrd(length, &cloud()).unwrap();
        assert_eq!((length + bytes.len() as u64) % 4, 0);
        let start = bytes.iter().position(|byte| *byte != 0).unwrap();
        assert_eq!((length + start as u64) % 4, 0, "{length}");
        assert_same(&unpacked(&bytes[start..]), &cloud());
    }
}

fn any_files() -> impl Strategy<Value = Vec<SeedFile>> {
    let name = "[a-zA-Z0-9._-]{1,64}".prop_filter("a name", |name| name != "." && name != "..");
    let content = prop::collection::vec(any::<u8>(), 0..5000);
    prop::collection::btree_map(name, content, 0..MOST_FILES).prop_map(|files| {
        let mut seen = std::collections::BTreeSet::new();
        let files = files.into_iter().filter(|(name, _)| seen.insert(name.to_lowercase()));
        files.map(|(name, content)| SeedFile { name, content }).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_files_are_read_back(files in any_files()) {
        let image = disc(Label::DriverDisc, &files).unwrap();
        prop_assert_eq!(image.len() % 2048, 0);
        for rock_ridge in [true, false] {
            if let Some(found) = extracted(&image, rock_ridge) {
                assert_same(&found, &files);
            }
        }
        assert_same(&unpacked(&behind_initrd(0, &files).unwrap()), &files);
    }
}
