//! How much room the host has for what a guest's disks can still take. Reads files; not for the core's own thread.

use super::disposable;
use crate::engine::DiskConfig;
use crate::{host, storage};
use hv_api::{ByteSize, HostRoom};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// With so much room a guest goes on, also where its disks can take more.
const ENOUGH: ByteSize = ByteSize::mib(256);

/// How much more there must be where the guest went on in vain.
const MORE: ByteSize = ByteSize::mib(16);

/// What more must be free for the guest to go on. `in_vain` is the room with which it did so a moment ago and
/// stopped again, as a quota of the user's makes it: what is free there is not all for us.
pub fn needed(room: &HostRoom, in_vain: Option<ByteSize>) -> ByteSize {
    let (free, missing) = (room.free.as_bytes(), room.missing.as_bytes());
    let for_disks = free.saturating_add(missing).min(ENOUGH.as_bytes().max(free));
    let least = in_vain.map_or(0, |had| had.as_bytes().saturating_add(MORE.as_bytes()));
    ByteSize::bytes(for_disks.max(least).saturating_sub(free))
}

/// The room in the fullest of the file systems in which these disks grow; nothing where none of them does.
pub fn measure(disks: &[DiskConfig]) -> Option<HostRoom> {
    let mut systems: BTreeMap<u64, (PathBuf, u64)> = BTreeMap::new();
    for disk in disks.iter().filter(|disk| !disk.read_only) {
        let (path, format) = disposable::written(disk);
        let Some(found) = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file) else {
            continue;
        };
        let (size, used) = (storage::volume_size(&path, format), storage::volume_use(&path));
        let more = size.unwrap_or_default().as_bytes().saturating_sub(used.unwrap_or_default().as_bytes());
        let folder = path.parent()?.to_owned();
        let system = systems.entry(found.dev()).or_insert((folder, 0));
        system.1 = system.1.saturating_add(more);
    }
    let room = |(folder, more): (PathBuf, u64)| {
        let free = host::free_space(&folder).ok()?;
        let missing = ByteSize::bytes(more.saturating_sub(free.as_bytes()));
        Some(HostRoom { folder: folder.display().to_string(), free, missing, needed: ByteSize::default() })
    };
    systems.into_values().filter_map(room).min_by_key(|room| room.free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{DiskFormat, DiskName};

    #[test]
    fn a_guest_goes_on_where_its_disks_find_room_or_there_is_much_of_it() {
        let mib = ByteSize::mib;
        let needs = |free, missing, in_vain: Option<u64>| {
            let room = HostRoom { free: mib(free), missing: mib(missing), ..HostRoom::default() };
            needed(&room, in_vain.map(mib))
        };
        assert_eq!(needs(1, 20, None), mib(20));
        assert_eq!(needs(1, 1 << 20, None), mib(255));
        assert_eq!(needs(300, 1 << 20, None), mib(0));
        assert_eq!(needs(0, 0, None), mib(0));
        // It had all of this, and could not use it.
        assert_eq!(needs(300, 1 << 20, Some(300)), mib(16));
        assert_eq!(needs(310, 0, Some(300)), mib(6));
        assert_eq!(needs(316, 0, Some(300)), mib(0));
        assert_eq!(needs(1, 20, Some(1)), mib(20));
    }

    #[test]
    fn what_disks_can_still_take_is_held_against_what_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
        let disk = DiskConfig::new(DiskName::FIRST, &path, DiskFormat::Raw);
        let room = measure(std::slice::from_ref(&disk)).unwrap();
        assert_eq!((room.missing, room.folder), (ByteSize::bytes(0), folder.path().display().to_string()));
        // As much as no host has.
        let mut head = b"QFI\xfb".to_vec();
        head.resize(24, 0);
        head.extend((1_u64 << 60).to_be_bytes());
        std::fs::write(&path, head).unwrap();
        let disk = DiskConfig { format: DiskFormat::Qcow2, ..disk };
        let room = measure(std::slice::from_ref(&disk)).unwrap();
        let total = room.missing.as_bytes() + room.free.as_bytes();
        assert!((1 << 60) - total < 1 << 20, "{room:?}");
        assert_eq!(measure(&[DiskConfig { read_only: true, ..disk }]), None);
        assert_eq!(measure(&[]), None);
    }
}
