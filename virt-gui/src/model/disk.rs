//! Disks in words: what each is, what can be chosen for it, and when that takes effect.

use super::hardware::when;
use hv_api::{ByteSize, DiskBus, DiskCache, DiskInfo, GuestInfo};
use virt_kit::i18n::{gettext, gettext_f, ngettext_f};
use virt_kit::words::file_name;

/// What a disk can be attached to, in the order in which it is offered.
pub const BUSES: [DiskBus; 5] = [DiskBus::Virtio, DiskBus::Sata, DiskBus::Nvme, DiskBus::Scsi, DiskBus::Usb];

/// How a disk can be cached, in the order in which it is offered.
pub const CACHES: [DiskCache; 4] =
    [DiskCache::Writeback, DiskCache::None, DiskCache::Directsync, DiskCache::Unsafe];

/// What a disk is attached to.
pub fn bus(bus: DiskBus) -> String {
    match bus {
        DiskBus::Virtio => gettext("Virtio"),
        DiskBus::Sata => gettext("SATA"),
        DiskBus::Nvme => gettext("NVMe"),
        DiskBus::Scsi => gettext("SCSI"),
        DiskBus::Usb => gettext("USB"),
    }
}

/// How a disk is cached.
pub fn cache(cache: DiskCache) -> String {
    match cache {
        DiskCache::Writeback => gettext("In memory, safe when flushed"),
        DiskCache::None => gettext("Not in memory"),
        DiskCache::Directsync => gettext("None at all, slow and safe"),
        DiskCache::Unsafe => gettext("Fast, and lost if this computer fails"),
    }
}

/// What a disk is called: its file's name, or which part of a physical disk it is.
pub fn name(disk: &DiskInfo) -> String {
    let file = file_name(&disk.path);
    let numbers: Vec<String> = disk.partitions.iter().map(ToString::to_string).collect();
    if numbers.is_empty() {
        return file;
    }
    let (count, numbers) = (numbers.len(), numbers.join(", "));
    let values = [("disk", &*file), ("numbers", &*numbers)];
    // Translators: a part of a physical disk, as “sda, partition 2” or “sda, partitions 2, 3”.
    ngettext_f("{disk}, partition {numbers}", "{disk}, partitions {numbers}", count, &values)
}

/// `disk0 · 20 GiB · Virtio`
pub fn summary(disk: &DiskInfo) -> String {
    let size = disk.size.map_or_else(|| gettext("The file could not be read"), |size| size.to_string());
    let mut words = vec![disk.name.clone(), size, bus(disk.bus)];
    if disk.read_only {
        words.push(gettext("read only"));
    }
    words.join(" · ")
}

/// `20 GiB, of which 3.2 GiB are taken up here`
pub fn size(disk: &DiskInfo) -> String {
    match (disk.size, disk.used) {
        (Some(size), Some(used)) => gettext_f(
            // Translators: the size of a disk, and what its file takes up on this computer.
            "{size}, takes up {used} on this computer",
            &[("size", &size.to_string()), ("used", &used.to_string())],
        ),
        (Some(size), None) => size.to_string(),
        (None, _) => gettext("The file could not be read"),
    }
}

/// Whether the running machine has this disk, or another one, only from its next start on.
pub fn waits(guest: &GuestInfo, disk: &DiskInfo) -> bool {
    guest
        .pending
        .iter()
        .any(|change| change.key == disk.name || change.key.starts_with(&format!("{}.", disk.name)))
}

/// Disks that the running machine has and the guest is to have no more.
pub fn leaving(guest: &GuestInfo) -> Vec<(String, String)> {
    let is_disk = |key: &str| key.strip_prefix("disk").is_some_and(|number| number.parse::<u32>().is_ok());
    let gone = guest.pending.iter().filter(|change| is_disk(&change.key) && change.next == "none");
    gone.map(|change| (change.key.clone(), change.now.clone())).collect()
}

/// When a disk that is added is there.
pub fn when_added(guest: &GuestInfo, bus: DiskBus) -> String {
    let waits = guest.live.is_some() && !guest.live_disk_buses.contains(&bus);
    when(waits)
}

/// When a disk that is removed is gone.
pub fn when_removed(guest: &GuestInfo, disk: &DiskInfo) -> String {
    let has = guest.pending_change(&disk.name).is_none();
    let waits = guest.live.is_some() && has && !disk.removable;
    when(waits)
}

/// A size that somebody typed; a bare number is taken for GiB.
pub fn read_size(text: &str) -> Option<ByteSize> {
    let text = text.trim();
    match text.parse::<u64>() {
        Ok(gib) => Some(ByteSize::gib(gib)).filter(|_| gib < 1 << 20),
        Err(_with_unit) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hardware::when_fixed;
    use crate::testing::{change, disk, guest};
    use hv_api::{GuestState, LiveRanges};

    fn running() -> GuestInfo {
        let mut guest = guest("one", GuestState::Running);
        let (memory_lowest, memory_highest) = (ByteSize::gib(1), ByteSize::gib(2));
        guest.live = Some(LiveRanges { cpus_lowest: 1, cpus_highest: 1, memory_lowest, memory_highest });
        guest.live_disk_buses = vec![DiskBus::Usb];
        guest.pid = Some(1);
        guest
    }

    #[test]
    fn what_waits_is_told_before_it_is_touched() {
        let off = guest("one", GuestState::Off);
        let fixed = disk("disk0");
        assert_eq!(
            [when_fixed(&off), when_added(&off, DiskBus::Sata), when_removed(&off, &fixed)],
            ["Now"; 3]
        );
        let running = running();
        assert_eq!(when_fixed(&running), "At next start");
        assert_eq!(when_added(&running, DiskBus::Virtio), "At next start");
        assert_eq!(when_added(&running, DiskBus::Usb), "Now");
        assert_eq!(when_removed(&running, &fixed), "At next start");
        assert_eq!(when_removed(&running, &DiskInfo { removable: true, ..fixed }), "Now");
    }

    #[test]
    fn a_disk_that_goes_and_one_that_changes_are_told_apart() {
        let mut guest = running();
        guest.pending = vec![
            change("disk1", "/a/b.img", "none"),
            change("disk2", "none", "/c"),
            change("disk3.cache", "writeback", "none"),
        ];
        assert_eq!(leaving(&guest), [("disk1".to_owned(), "/a/b.img".to_owned())]);
        assert!(
            waits(&guest, &disk("disk2")) && waits(&guest, &disk("disk3")) && !waits(&guest, &disk("disk0"))
        );
        // The machine never had it.
        assert_eq!(when_removed(&guest, &disk("disk2")), "Now");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(read_size(" 20 "), Some(ByteSize::gib(20)));
        assert_eq!(read_size("512MiB"), Some(ByteSize::mib(512)));
        for wrong in ["", "much", "-1", "99999999999999"] {
            assert_eq!(read_size(wrong), None, "{wrong}");
        }
    }
}
