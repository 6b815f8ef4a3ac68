//! Discs as xorriso and our own writer make them, cut short and lying.

use super::*;
use crate::seed;
use proptest::prelude::*;
use std::io::Cursor;
use std::process::{Command, Stdio};

/// A disc with folders, by xorriso; nothing where that is not installed.
fn disc_with(files: &[(&str, &str)], options: &[&str]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    for (name, text) in files {
        let path = tree.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let image = folder.path().join("disc.iso");
    let mut command = Command::new("xorriso");
    command.args(["-as", "mkisofs", "-quiet"]).args(options).arg("-o").arg(&image).arg(&tree);
    let Ok(status) = command.stderr(Stdio::null()).status() else {
        eprintln!("skipped: xorriso is not installed");
        return None;
    };
    assert!(status.success());
    Some(std::fs::read(image).unwrap())
}

#[test]
fn files_are_found_by_either_kind_of_name() {
    let many: Vec<(String, String)> = (0..200).map(|n| (format!("pool/a-{n:03}"), n.to_string())).collect();
    let mut files = vec![("install.amd/vmlinuz", "kernel"), (".disk/info", "Debian"), ("a/b/c/d", "deep")];
    files.extend(many.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let text = |disc: &[u8], path: &str| {
        let piece = find(&mut Cursor::new(disc), disc.len() as u64, path).unwrap()?;
        let bytes = &disc[piece.start as usize..][..piece.length as usize];
        Some(std::str::from_utf8(bytes).unwrap().to_owned())
    };
    if let Some(disc) = disc_with(&files, &["-R"]) {
        for (path, content) in &files {
            assert_eq!(text(&disc, path).as_deref(), Some(*content), "{path}");
        }
        for path in [
            "",
            "/",
            "install.amd",
            "INSTALL.AMD/VMLINUZ",
            "install.amd/vmlinuz/x",
            "nothing",
            "a/../a/b/c/d",
        ] {
            assert_eq!(text(&disc, path), None, "{path}");
        }
        // Whatever is cut off: nothing is found, or what is still there.
        for end in (0..disc.len()).step_by(1021) {
            let found = find(&mut Cursor::new(&disc[..end]), end as u64, "install.amd/vmlinuz").unwrap();
            assert!(found.is_none_or(|piece| piece.start + piece.length <= end as u64));
        }
    }
    if let Some(mut disc) = disc_with(&files, &["-R", "-iso-level", "3"]) {
        // Without its true names, the plain ones count, which have fewer kinds of signs.
        for at in 0..disc.len() - 4 {
            if disc[at..].starts_with(b"NM") && disc[at + 3..].starts_with(b"\x01\0") {
                disc[at] = b'X';
            }
        }
        assert_eq!(text(&disc, "a/b/c/d").as_deref(), Some("deep"));
        assert_eq!(text(&disc, "pool/a_007").as_deref(), Some("7"));
    }
    let ours = seed::disc(seed::Label::None, &[seed::SeedFile::new("user-data", "x")]).unwrap();
    assert_eq!(text(&ours, "user-data").as_deref(), Some("x"));
}

proptest! {
    #[test]
    fn a_disc_that_lies_is_no_harm(at in 0_usize..20 * 2048, byte: u8) {
        let files: Vec<_> = (0..40).map(|n| seed::SeedFile::new(format!("file-{n}"), "x")).collect();
        let mut disc = seed::disc(seed::Label::None, &files).unwrap();
        // The descriptor and the folders behind it.
        let at = 16 * 2048 + at % (disc.len() - 16 * 2048);
        disc[at] = byte;
        let length = disc.len() as u64;
        let found = find(&mut Cursor::new(&disc), length, "file-39").unwrap();
        prop_assert!(found.is_none_or(|piece| piece.start + piece.length <= length));
    }
}
