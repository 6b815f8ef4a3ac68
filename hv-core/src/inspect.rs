//! Answers "what is this file?" for a client: opens it, reads what it is, and adds what depends on
//! this host and on the guests there are.
//!
//! It blocks while the file is read (a few kilobytes). What a file is, [`crate::medium`] decides.

use crate::{files, medium};
use hv_api::{ByteSize, Confidence, Error, MediumInfo, Recommended};
use std::path::Path;

/// What this host has for guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// CPUs, at least 1.
    pub cpus: u32,
    /// Memory.
    pub memory: ByteSize,
}

/// Looks at a file. `taken` tells whether a guest has a name already.
///
/// # Errors
/// [`Error::FileUnusable`] where it can't be opened or read. A file of an unknown kind is no error.
pub fn inspect(path: &Path, taken: &dyn Fn(&str) -> bool, limits: Limits) -> Result<MediumInfo, Error> {
    let (mut file, length) = files::open_readable(path)?;
    let shown = path.to_string_lossy().into_owned();
    let facts = medium::read(&mut file, length).map_err(|error| Error::FileUnusable {
        path: shown.clone(),
        fault: files::fault_of(&error),
        detail: error.to_string(),
    })?;
    let file_name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let suggested_name = medium::unique_name(&medium::suggested_name(&facts, &file_name), taken);
    Ok(MediumInfo {
        path: shown,
        kind: facts.kind,
        os: None,
        os_name: None,
        confidence: Confidence::Unknown,
        arch: facts.arch.or_else(|| medium::architecture(&file_name)).map(str::to_owned),
        boot: facts.boot,
        volume_id: facts.volume_id,
        system_id: facts.system_id,
        publisher_id: facts.publisher_id,
        application_id: facts.application_id,
        volume_size: facts.volume_size,
        size: facts.size,
        format: facts.format.map(|format| format.as_str().to_owned()),
        virtual_size: facts.virtual_size,
        recommended: recommended(limits),
        suggested_name,
        notes: facts.notes,
    })
}

/// Resources for a guest about which nothing is known: enough for most systems of today, and at most
/// half of the host's memory, so that host and guest both live.
pub fn recommended(limits: Limits) -> Recommended {
    let half = ByteSize::mib((limits.memory.as_mib() / 2).max(16));
    Recommended { cpus: limits.cpus.clamp(1, 2), memory: half.min(ByteSize::gib(2)), disk: ByteSize::gib(20) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::{FileFault, MediumKind};

    const LARGE: Limits = Limits { cpus: 16, memory: ByteSize::gib(64) };

    #[test]
    fn resources_stay_within_the_host() {
        let expected = |cpus, memory| Recommended { cpus, memory, disk: ByteSize::gib(20) };
        assert_eq!(recommended(LARGE), expected(2, ByteSize::gib(2)));
        let small = Limits { cpus: 1, memory: ByteSize::mib(3001) };
        assert_eq!(recommended(small), expected(1, ByteSize::mib(1500)));
        let unknown = Limits { cpus: 0, memory: ByteSize::bytes(0) };
        assert_eq!(recommended(unknown), expected(1, ByteSize::mib(16)));
    }

    #[test]
    fn a_file_of_no_known_kind_is_no_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes-amd64.txt");
        std::fs::write(&path, "nothing to start").expect("a file");
        let found = inspect(&path, &|_| false, LARGE).expect("it can be read");
        assert_eq!(found.kind, MediumKind::Unknown);
        assert_eq!(found.size, ByteSize::bytes(16));
        assert_eq!(found.path, path.to_str().expect("UTF-8"));
        assert_eq!(found.arch.as_deref(), Some("x86_64"));
    }

    #[test]
    fn the_suggested_name_is_free() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("My System.img");
        let mut image = vec![0; 4096];
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        std::fs::write(&path, image).expect("a file");
        let found = inspect(&path, &|name| name == "My System", LARGE).expect("it can be read");
        assert_eq!(found.suggested_name, "My System 2");
        assert_eq!(found.format.as_deref(), Some("raw"));
        assert_eq!(found.virtual_size, Some(ByteSize::bytes(4096)));
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let missing = inspect(Path::new("/nowhere/at/all.iso"), &|_| false, LARGE);
        assert!(matches!(missing, Err(Error::FileUnusable { fault: FileFault::Missing, .. })), "{missing:?}");
    }
}
