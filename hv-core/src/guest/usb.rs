//! A guest's USB devices of the host's: what each is in the definition, how they come and go, and what clients are
//! told of them. Pure; what the host has is looked at elsewhere.
//!
//! A device is named by what it is, and by its place only where several are the same: one that is unplugged and
//! plugged in again, wherever, is the guest's again.

use super::config::Definition;
use super::edit::Course;
use crate::engine::{Alteration, DiskName, MAX_USB, UsbConfig};
use hv_api::{DiskBus, Error, PendingChange, UsbDevice, UsbFault, UsbId, UsbInfo, UsbPort};
use serde::{Deserialize, Serialize};

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Usb {
    /// Its number, 0–7, which says where in the machine it is and which it keeps when others are taken away; written
    /// as its name.
    #[serde(rename = "name", with = "as_name")]
    pub number: u32,
    /// What it is.
    pub device: UsbId,
    /// Where it is plugged in; wherever, where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<UsbPort>,
    /// What it called itself when the guest got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Usb {
    /// A device as it was asked for. It gets its number when it is its turn.
    pub fn new(device: UsbDevice, label: Option<String>) -> Self {
        Self { number: 0, device: device.id, port: device.port, label }
    }

    /// Which it is.
    pub fn device(&self) -> UsbDevice {
        UsbDevice { id: self.device, port: self.port.clone() }
    }

    /// Its name within the guest.
    pub fn name(&self) -> String {
        name(self.number)
    }

    /// The device to ask an engine for.
    pub fn config(&self) -> UsbConfig {
        UsbConfig { number: self.number, device: self.device() }
    }
}

/// One change to a guest's USB devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsbEdit {
    /// One more.
    Add(Usb),
    /// The one with this number is taken away.
    Remove(u32),
}

impl UsbEdit {
    /// What it changes.
    pub fn key(&self) -> String {
        match self {
            Self::Add(usb) => usb.name(),
            Self::Remove(number) => name(*number),
        }
    }

    /// The same as it can be done to a guest that is to be `wanted`, and whose machine, where there is one, is
    /// `running`: a device that is added gets its number.
    ///
    /// # Errors
    /// [`Error::UsbRefused`], [`Error::UsbExhausted`], [`Error::UsbNotFound`].
    pub fn settled(&self, wanted: &Definition, running: Option<&Definition>) -> Result<Self, Error> {
        let guest = &wanted.name;
        match self {
            Self::Add(usb) => {
                let device = usb.device();
                if wanted.usb.iter().any(|other| other.device().collides(&device)) {
                    let name = usb.label.clone().unwrap_or_else(|| device.to_string());
                    return Err(refused(&device, name, UsbFault::Doubled, ""));
                }
                let is_free = |number: &u32| {
                    [Some(wanted), running].into_iter().flatten().all(|definition| {
                        let is_taken = definition.usb.iter().any(|other| other.number == *number);
                        !is_taken && !disk_is_there(definition, *number)
                    })
                };
                let number = (0..MAX_USB).find(is_free);
                let number =
                    number.ok_or_else(|| Error::UsbExhausted { guest: guest.clone(), maximum: MAX_USB })?;
                Ok(Self::Add(Usb { number, ..usb.clone() }))
            }
            Self::Remove(number) if find(wanted, *number).is_none() => {
                Err(Error::UsbNotFound { guest: guest.clone(), device: name(*number) })
            }
            Self::Remove(_) => Ok(self.clone()),
        }
    }

    /// Makes the change in a definition.
    pub fn apply(&self, definition: &mut Definition) {
        match self {
            Self::Add(usb) => definition.usb.push(usb.clone()),
            Self::Remove(number) => definition.usb.retain(|usb| usb.number != *number),
        }
    }

    /// What it takes, where a machine runs that was last told to be `running`.
    pub fn course(&self, running: &Definition) -> Course {
        match self {
            Self::Add(usb) => Course::Altered(Alteration::AddUsb(usb.config())),
            Self::Remove(number) if find(running, *number).is_none() => Course::Written,
            Self::Remove(number) => Course::Altered(Alteration::RemoveUsb(*number)),
        }
    }
}

/// What clients are told.
pub fn info(definition: &Definition, running: Option<&Definition>) -> Vec<UsbInfo> {
    let told = |usb: &Usb| UsbInfo {
        name: usb.name(),
        device: usb.device(),
        label: usb.label.clone(),
        present: running.map(|running| running.usb.iter().any(|other| same(usb, other))),
    };
    definition.usb.iter().map(told).collect()
}

/// What the definition says otherwise than the running machine has it.
pub fn pending(running: &Definition, next: &Definition) -> Vec<PendingChange> {
    let word = |usb: Option<&Usb>| usb.map_or_else(|| "none".to_owned(), |usb| usb.device().to_string());
    let change = |number| PendingChange {
        key: name(number),
        now: word(find(running, number)),
        next: word(find(next, number)),
    };
    (0..MAX_USB).map(change).filter(|change| change.now != change.next).collect()
}

/// Whether these devices can be a guest's.
///
/// # Errors
/// Why not, in words.
pub fn check(definition: &Definition) -> Result<(), String> {
    for (index, usb) in definition.usb.iter().enumerate() {
        let before = definition.usb.iter().take(index);
        if usb.number >= MAX_USB {
            return Err(format!("a guest has at most {MAX_USB} USB devices, with numbers from 0 on"));
        }
        if before.clone().any(|other| other.number == usb.number) {
            return Err(format!("two USB devices have the number {}", usb.number));
        }
        if before.clone().any(|other| other.device().collides(&usb.device())) {
            return Err(format!("two USB devices are the same: {}", usb.device()));
        }
        if disk_is_there(definition, usb.number) {
            return Err(format!("{} is where a USB disk is", usb.name()));
        }
    }
    Ok(())
}

/// The error that says why a guest can't have a device.
pub fn refused(device: &UsbDevice, name: String, fault: UsbFault, by: &str) -> Error {
    Error::UsbRefused { device: device.to_string(), name, fault, by: by.to_owned() }
}

/// Whether one of these guests' USB devices is where the USB disk of this name would be.
pub fn is_at_disk<'a>(definitions: impl IntoIterator<Item = &'a Definition>, disk: DiskName) -> bool {
    let number = UsbConfig::at_disk(disk);
    definitions.into_iter().any(|definition| definition.usb.iter().any(|usb| Some(usb.number) == number))
}

fn disk_is_there(definition: &Definition, number: u32) -> bool {
    let mut disks = definition.disks.iter().filter(|disk| disk.bus == DiskBus::Usb);
    disks.any(|disk| UsbConfig::at_disk(disk.name) == Some(number))
}

fn find(definition: &Definition, number: u32) -> Option<&Usb> {
    definition.usb.iter().find(|usb| usb.number == number)
}

fn same(one: &Usb, other: &Usb) -> bool {
    one.config() == other.config()
}

/// The number of the device with this name.
pub fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_prefix("usb")?.parse().ok()?;
    (name == self::name(number)).then_some(number)
}

fn name(number: u32) -> String {
    format!("usb{number}")
}

/// Numbers of devices in definitions: as names.
mod as_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::name(*number))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let name = String::deserialize(deserializer)?;
        super::number_of(&name).ok_or_else(|| D::Error::custom(format!("“{name}” is not written as usb0 is")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{DiskFormat, MAX_DISKS};
    use crate::guest::config::Disk;
    use crate::guest::config::tests::example;
    use crate::guest::edit::Edit;

    fn usb(number: u32, device: &str) -> Usb {
        Usb { number, ..Usb::new(device.parse().unwrap(), None) }
    }

    fn with(devices: &[Usb]) -> Definition {
        Definition { usb: devices.to_vec(), ..example() }
    }

    fn add(device: &str) -> UsbEdit {
        UsbEdit::Add(usb(0, device))
    }

    #[test]
    fn a_device_keeps_its_number_and_there_is_a_place_for_eight() {
        let two = with(&[usb(0, "0781:5567"), usb(2, "046d:c077")]);
        assert_eq!(add("1234:0001").settled(&two, None), Ok(UsbEdit::Add(usb(1, "1234:0001"))));
        // What was taken away from the definition may be in the machine yet.
        let running = with(&[usb(1, "1234:0002")]);
        assert_eq!(add("1234:0001").settled(&two, Some(&running)), Ok(UsbEdit::Add(usb(3, "1234:0001"))));
        let full: Vec<Usb> =
            (0..MAX_USB).map(|number| usb(number, &format!("1234:{:04x}", number + 1))).collect();
        let exhausted = add("0781:5567").settled(&with(&full), None);
        assert!(matches!(exhausted, Err(Error::UsbExhausted { maximum: MAX_USB, .. })));
        assert!(matches!(UsbEdit::Remove(5).settled(&two, None), Err(Error::UsbNotFound { .. })));
    }

    #[test]
    fn one_device_is_given_once() {
        let one = with(&[usb(0, "0781:5567@3-1")]);
        let doubled = |device: &str| {
            let settled = add(device).settled(&one, None);
            matches!(settled, Err(Error::UsbRefused { fault: UsbFault::Doubled, .. }))
        };
        assert!(doubled("0781:5567") && doubled("0781:5567@3-1"));
        assert!(!doubled("0781:5567@3-2") && !doubled("0781:5568"));
    }

    #[test]
    fn what_runs_is_changed_and_what_is_not_there_is_only_written() {
        let running = with(&[usb(1, "0781:5567")]);
        let stick = UsbConfig { number: 0, device: "046d:c077".parse().unwrap() };
        assert_eq!(add("046d:c077").course(&running), Course::Altered(Alteration::AddUsb(stick)));
        assert_eq!(UsbEdit::Remove(1).course(&running), Course::Altered(Alteration::RemoveUsb(1)));
        assert_eq!(UsbEdit::Remove(0).course(&running), Course::Written);
        let next = with(&[usb(1, "0781:5567@3-1")]);
        assert_eq!(info(&next, Some(&running))[0].present, Some(false));
        let change = pending(&running, &next).remove(0);
        assert_eq!((&*change.key, &*change.now, &*change.next), ("usb1", "0781:5567", "0781:5567@3-1"));
        assert_eq!(pending(&next, &next), []);
    }

    /// A machine has 15 USB ports: the pointer's, those of disks from the last on, those of devices from the second.
    #[test]
    fn devices_and_disks_are_never_at_the_same_port() {
        let disk = |number| {
            let name = DiskName::numbered(number).unwrap();
            Disk { bus: DiskBus::Usb, ..Disk::new(name, "/d", DiskFormat::Raw) }
        };
        let last = Definition { disks: vec![disk(MAX_DISKS - 1)], ..with(&[]) };
        assert_eq!(add("0781:5567").settled(&last, None), Ok(UsbEdit::Add(usb(1, "0781:5567"))));
        let both = Definition { usb: vec![usb(0, "0781:5567")], ..last };
        assert!(check(&both).is_err());
        let mut one = with(&[usb(0, "0781:5567")]);
        one.disks = (0..MAX_DISKS - 1).map(disk).collect();
        assert_eq!(check(&one), Ok(()));
        let added = Edit::AddDisk(disk(0)).settled(&one, None);
        assert!(matches!(added, Err(Error::TooManyDisks { .. })), "{added:?}");
        one.disks = vec![Disk { bus: DiskBus::Virtio, ..disk(MAX_DISKS - 1) }];
        let name = one.disks[0].name;
        let settings = hv_api::DiskSettings { bus: Some(DiskBus::Usb), ..hv_api::DiskSettings::default() };
        let set = Edit::SetDisk(name, settings).settled(&one, None);
        assert!(matches!(set, Err(Error::OptionsConflict { .. })), "{set:?}");
    }

    #[test]
    fn what_can_not_be_is_no_definition() {
        for (devices, word) in [
            (vec![usb(8, "0781:5567")], "at most"),
            (vec![usb(1, "0781:5567"), usb(1, "0781:5568")], "number 1"),
            (vec![usb(1, "0781:5567"), usb(2, "0781:5567@3-1")], "the same"),
        ] {
            assert!(check(&with(&devices)).unwrap_err().contains(word), "{word}");
            assert!(Definition::read(&with(&devices).write()).is_err());
        }
        let two = with(&[usb(1, "0781:5567@3-1"), usb(0, "0781:5567@3-2")]);
        assert_eq!(Definition::read(&two.write()), Ok(two));
    }
}
