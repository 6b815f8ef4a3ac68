//! Remembers what trying KVM showed, for as long as that holds: until the next boot, or until
//! `/dev/kvm` is another one.
//!
//! The file can be deleted at any time. One that can't be read, or makes no sense, is as good as none.

use hv_api::AcceleratorInfo;
use rustix::fs::Access;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// To be counted up when the same host could get another verdict.
const PROBE_VERSION: u32 = 1;

/// More than the file ever has, in bytes.
const LONGEST: u64 = 16 << 10;

/// On what a verdict depends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    probe_version: u32,
    boot_id: String,
    device_inode: u64,
    device_modified: (i64, i64),
    device_mode: u32,
    user: u32,
}

impl Key {
    /// The key of now; nothing where this user may not use the device, or where the host does not tell
    /// enough.
    pub fn of(device: &Path) -> Option<Self> {
        rustix::fs::access(device, Access::READ_OK | Access::WRITE_OK).ok()?;
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let found = std::fs::metadata(device).ok()?;
        Some(Self {
            probe_version: PROBE_VERSION,
            boot_id,
            device_inode: found.ino(),
            device_modified: (found.mtime(), found.mtime_nsec()),
            device_mode: found.mode(),
            user: rustix::process::geteuid().as_raw(),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    key: Key,
    accelerator: AcceleratorInfo,
}

/// What was remembered under this key.
pub(super) fn load(path: &Path, key: &Key) -> Option<AcceleratorInfo> {
    let mut text = String::new();
    File::open(path).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
    let entry: Entry = serde_json::from_str(&text).ok()?;
    (entry.key == *key).then_some(entry.accelerator)
}

/// Remembers a verdict, in place of any former one.
pub(super) fn store(path: &Path, key: Key, accelerator: &AcceleratorInfo) -> io::Result<()> {
    let entry = Entry { key, accelerator: accelerator.clone() };
    let text = serde_json::to_vec(&entry).map_err(io::Error::other)?;
    // Written beside and then moved, so that nobody reads half of it. Two cores of one user would
    // write the same.
    let new = path.with_extension("new");
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?.write_all(&text)?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::{Accelerator, KvmState};

    fn verdict() -> AcceleratorInfo {
        AcceleratorInfo { chosen: Accelerator::Kvm, kvm: KvmState::Works, detail: "0.3 ms".into() }
    }

    #[test]
    fn a_verdict_is_remembered_for_its_key_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = folder.path().join("accelerator.json");
        let key = Key::of(Path::new("/dev/null")).expect("a key");
        assert_eq!(load(&cache, &key), None);
        store(&cache, key.clone(), &verdict()).expect("it can be written");
        assert_eq!(load(&cache, &key), Some(verdict()));
        for other in [
            Key { boot_id: "another".into(), ..key.clone() },
            Key { device_modified: (0, 0), ..key.clone() },
            Key { user: key.user + 1, ..key.clone() },
        ] {
            assert_eq!(load(&cache, &other), None);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn a_broken_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = folder.path().join("accelerator.json");
        let key = Key::of(Path::new("/dev/null")).expect("a key");
        store(&cache, key.clone(), &verdict()).expect("it can be written");
        let whole = std::fs::read(&cache).expect("it is there");
        let cut_short = (0..whole.len()).map(|end| &whole[..end]);
        for broken in cut_short.chain([&b"\xff\xfe"[..], b"{}", &vec![b' '; 40_000]]) {
            std::fs::write(&cache, broken).expect("it can be written");
            assert_eq!(load(&cache, &key), None);
        }
        assert_eq!(load(folder.path(), &key), None);
        assert_eq!(Key::of(&folder.path().join("nothing")), None);
    }
}
