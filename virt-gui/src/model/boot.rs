//! How a guest starts, in words: its firmware, and what it tries to start from and in which order.

use super::{disk, hardware};
use hv_api::{BootSettings, Firmware, GuestInfo, GuestState};
use virt_kit::i18n::{gettext, gettext_f};
use virt_kit::words::{FirmwareKind, file_name, firmware_name};

/// That of a guest.
pub fn kind(guest: &GuestInfo) -> FirmwareKind {
    (guest.firmware, guest.boot.secure_boot)
}

/// What it takes to have this firmware.
pub fn with_kind((firmware, secure_boot): FirmwareKind) -> BootSettings {
    BootSettings { firmware: Some(firmware), secure_boot: Some(secure_boot), ..BootSettings::default() }
}

/// Which firmware the running guest has, where it is another one; else what speaks for it.
pub fn firmware_hint(guest: &GuestInfo) -> String {
    let now = |key: &str| guest.pending_change(key).map(|change| &*change.now);
    let (firmware, secure) = (now("firmware"), now("secure-boot"));
    if firmware.is_none() && secure.is_none() {
        return gettext("An installed system starts only with the firmware that it was installed with");
    }
    let (mut kind, known) =
        (kind(guest), |word: Option<&str>, other: bool| word.map_or(other, |word| word == "true"));
    match firmware {
        Some("bios") => kind.0 = Firmware::Bios,
        Some(_) => kind.0 = Firmware::Uefi,
        None => {}
    }
    kind.1 = known(secure, kind.1);
    hardware::running_has(&firmware_name(kind))
}

/// Something that a guest can start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name: `disk0`, `cd0`.
    pub name: String,
    /// What people know it by.
    pub title: String,
    /// What else tells it from others.
    pub summary: String,
    /// Whether it is tried at all.
    pub tried: bool,
}

/// All that a guest can start from: what is tried in its order, then what is not.
pub fn devices(guest: &GuestInfo) -> Vec<Device> {
    let usual = usual(guest);
    let tried = if guest.boot.order.is_empty() { &usual } else { &guest.boot.order };
    let rest = usual.iter().filter(|name| !tried.contains(name));
    let device = |name: &String, tried: bool| {
        let (title, summary) = words(guest, name);
        Device { name: name.clone(), title, summary, tried }
    };
    tried.iter().map(|name| device(name, true)).chain(rest.map(|name| device(name, false))).collect()
}

/// `disk0, cd0`, or that a kernel is started instead.
pub fn order_summary(guest: &GuestInfo) -> String {
    if guest.kernel.is_some() || guest.boot.kernel_disk.is_some() {
        return gettext("Not used while a kernel is started directly");
    }
    let names: Vec<_> =
        devices(guest).into_iter().filter(|device| device.tried).map(|device| device.name).collect();
    if names.is_empty() { gettext("There is nothing to start from") } else { names.join(", ") }
}

/// Whether the boot menu on the guest's disk can be read now: no machine is writing there.
pub fn is_menu_readable(guest: &GuestInfo) -> bool {
    matches!(guest.state, GuestState::Off | GuestState::Crashed | GuestState::Saved)
}

/// The settings that try a device sooner or later; nothing where it is the first or last already.
pub fn moved(guest: &GuestInfo, name: &str, sooner: bool) -> Option<BootSettings> {
    let mut tried = tried(guest);
    let place = tried.iter().position(|other| other == name)?;
    let other = if sooner { place.checked_sub(1)? } else { place + 1 };
    if other >= tried.len() {
        return None;
    }
    tried.swap(place, other);
    Some(with_order(guest, tried))
}

/// The settings that try a device or do not. The last one that is tried stays.
pub fn switched(guest: &GuestInfo, name: &str, on: bool) -> Option<BootSettings> {
    let mut tried = tried(guest);
    tried.retain(|other| other != name);
    if on {
        tried.push(name.to_owned());
    }
    (!tried.is_empty()).then(|| with_order(guest, tried))
}

/// A kernel's or initial file system's file name, or what is done without.
pub fn file(path: Option<&str>, without: String) -> String {
    path.map_or(without, file_name)
}

fn tried(guest: &GuestInfo) -> Vec<String> {
    devices(guest).into_iter().filter(|device| device.tried).map(|device| device.name).collect()
}

/// The usual order is told by none, so that disks to come are in it.
fn with_order(guest: &GuestInfo, order: Vec<String>) -> BootSettings {
    let order = if order == usual(guest) { Vec::new() } else { order };
    BootSettings { order: Some(order), ..BootSettings::default() }
}

/// The disks, then the drives.
fn usual(guest: &GuestInfo) -> Vec<String> {
    let disks = guest.disks.iter().map(|disk| disk.name.clone());
    disks.chain(guest.drives.iter().map(|drive| drive.name.clone())).collect()
}

/// As the disks and drives are called elsewhere on the page.
fn words(guest: &GuestInfo, name: &str) -> (String, String) {
    if let Some(found) = guest.disks.iter().find(|disk| disk.name == name) {
        return (file_name(&found.path), disk::summary(found));
    }
    match guest.drives.iter().find(|drive| drive.name == name) {
        Some(drive) if guest.drives.len() > 1 => {
            (gettext_f("CD Drive {name}", &[("name", name)]), file(drive.medium.as_deref(), gettext("Empty")))
        }
        Some(drive) => (gettext("CD Drive"), file(drive.medium.as_deref(), gettext("Empty"))),
        // In the order, and taken away since.
        None => (name.to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, change, guest};
    use hv_api::{DriveInfo, GuestState};
    use virt_kit::words::FIRMWARE_KINDS;

    fn two_disks_and_a_drive() -> GuestInfo {
        let mut guest = guest("one", GuestState::Off);
        guest.disks = vec![testing::disk("disk0"), testing::disk("disk1")];
        guest.drives = vec![DriveInfo { name: "cd0".into(), medium: None }];
        guest
    }

    fn names(devices: &[Device]) -> Vec<(&str, bool)> {
        devices.iter().map(|device| (&*device.name, device.tried)).collect()
    }

    #[test]
    fn the_order_is_changed_a_step_at_a_time() {
        let mut guest = two_disks_and_a_drive();
        assert_eq!(names(&devices(&guest)), [("disk0", true), ("disk1", true), ("cd0", true)]);
        assert_eq!(order_summary(&guest), "disk0, disk1, cd0");
        let words: Vec<_> =
            devices(&guest).into_iter().map(|device| (device.title, device.summary)).collect();
        assert_eq!(words[1], ("disk1.qcow2".into(), "disk1 · 20 GiB · Virtio".into()));
        assert_eq!(words[2], ("CD Drive".into(), "Empty".into()));
        let order = |settings: Option<BootSettings>| settings.and_then(|settings| settings.order);
        assert_eq!(moved(&guest, "disk0", true), None);
        assert_eq!(moved(&guest, "cd0", false), None);
        let sooner = order(moved(&guest, "cd0", true)).unwrap();
        assert_eq!(sooner, ["disk0", "cd0", "disk1"]);
        guest.boot.order = sooner;
        assert_eq!(order(moved(&guest, "cd0", false)), Some(Vec::new()), "the usual one again");

        guest.boot.order = vec!["cd0".into()];
        assert_eq!(names(&devices(&guest)), [("cd0", true), ("disk0", false), ("disk1", false)]);
        assert_eq!(switched(&guest, "cd0", false), None, "something must be tried");
        assert_eq!(order(switched(&guest, "disk1", true)).unwrap(), ["cd0", "disk1"]);
        guest.kernel = Some("/boot/vmlinuz".into());
        assert_eq!(order_summary(&guest), "Not used while a kernel is started directly");
        assert_eq!(file(guest.kernel.as_deref(), "None".into()), "vmlinuz");
    }

    #[test]
    fn the_firmware_that_runs_is_told_where_another_one_waits() {
        let mut guest = two_disks_and_a_drive();
        let waits = |key: &str, now: &str| change(key, now, "");
        (guest.firmware, guest.boot.secure_boot) = FIRMWARE_KINDS[2];
        guest.pending = vec![waits("firmware", "bios"), waits("secure-boot", "false")];
        assert_eq!(firmware_hint(&guest), "The running guest has BIOS");
        guest.pending = vec![waits("secure-boot", "false")];
        assert_eq!(firmware_hint(&guest), "The running guest has UEFI");
        for other in FIRMWARE_KINDS {
            let BootSettings { firmware, secure_boot, .. } = with_kind(other);
            assert_eq!((firmware, secure_boot), (Some(other.0), Some(other.1)));
        }
    }
}
