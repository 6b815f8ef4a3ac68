//! A guest's PCI devices of the host's: what each is in the definition, how they come and go, and what clients are
//! told of them. Pure; what the host has is looked at elsewhere.
//!
//! A device is named by its place in the host, and by what was there when the guest got it: places change when cards
//! are put in, and no guest shall get another device for that. Each is in a slot of its own.

use super::config::Definition;
use super::edit::Course;
use super::record::RunRecord;
use super::slots;
use crate::engine::{Alteration, MAX_PCI, PciConfig};
use hv_api::{Error, HostPciDevice, NotNow, PciAddress, PciFault, PciId, PciInfo, PendingChange};
use serde::{Deserialize, Serialize};

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pci {
    /// Its number, 0–7, which it keeps when others are taken away; written as its name.
    #[serde(rename = "name", with = "as_name")]
    pub number: u32,
    /// Where it is in the host.
    pub address: PciAddress,
    /// What was there when the guest got it.
    pub device: PciId,
    /// The slot of the guest's machine that it is in.
    pub slot: u32,
    /// What the host called it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Pci {
    /// A device of the host's. It gets its number and its slot when it is its turn.
    pub fn new(device: &HostPciDevice) -> Self {
        Self { number: 0, address: device.address, device: device.id, slot: 0, label: device.name.clone() }
    }

    /// Its name within the guest.
    pub fn name(&self) -> String {
        name(self.number)
    }

    /// What it is called where one thing to call it is wanted.
    pub fn title(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.device.to_string())
    }

    /// The device to ask an engine for.
    pub fn config(&self) -> PciConfig {
        PciConfig { number: self.number, address: self.address, slot: self.slot, group: None }
    }
}

/// One change to a guest's PCI devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PciEdit {
    /// One more, which is in this IOMMU group.
    Add(Pci, Option<u32>),
    /// The one with this number is taken away.
    Remove(u32),
}

impl PciEdit {
    /// What it changes.
    pub fn key(&self) -> String {
        match self {
            Self::Add(pci, _) => pci.name(),
            Self::Remove(number) => name(*number),
        }
    }

    /// The same as it can be done to a guest that is to be `wanted`, and whose machine, where there is one, is
    /// `running`: a device that is added gets its number and its slot.
    ///
    /// # Errors
    /// [`Error::PciRefused`], [`Error::PciExhausted`], [`Error::PciNotFound`].
    pub fn settled(&self, wanted: &Definition, running: Option<&Definition>) -> Result<Self, Error> {
        let guest = &wanted.name;
        match self {
            Self::Add(pci, group) => {
                let is_it = |other: &&Pci| other.address == pci.address;
                if wanted.pci.iter().any(|other| is_it(&other)) {
                    return Err(refused(pci.address, pci.title(), PciFault::Doubled, ""));
                }
                // One that was taken away, and that the guest has not let go of.
                let present = running.and_then(|running| running.pci.iter().find(is_it));
                if let Some(Pci { number, slot, .. }) = present {
                    return Ok(Self::Add(Pci { number: *number, slot: *slot, ..pci.clone() }, *group));
                }
                let both: Vec<&Definition> = [Some(wanted), running].into_iter().flatten().collect();
                let is_free = |number: &u32| {
                    both.iter().all(|definition| definition.pci.iter().all(|other| other.number != *number))
                };
                let place = (0..MAX_PCI).find(is_free).zip(slots::free(&both));
                let (number, slot) =
                    place.ok_or_else(|| Error::PciExhausted { guest: guest.clone(), maximum: MAX_PCI })?;
                Ok(Self::Add(Pci { number, slot, ..pci.clone() }, *group))
            }
            Self::Remove(number) if find(wanted, *number).is_none() => {
                Err(Error::PciNotFound { guest: guest.clone(), device: name(*number) })
            }
            Self::Remove(_) => Ok(self.clone()),
        }
    }

    /// Makes the change in a definition.
    pub fn apply(&self, definition: &mut Definition) {
        match self {
            Self::Add(pci, _) if definition.pci.iter().any(|other| other.number == pci.number) => {}
            Self::Add(pci, _) => definition.pci.push(pci.clone()),
            Self::Remove(number) => definition.pci.retain(|pci| pci.number != *number),
        }
    }

    /// What it takes, where this machine runs.
    pub fn course(&self, running: &RunRecord) -> Course {
        let present = |number| find(&running.machine, number);
        match self {
            Self::Add(pci, _) if present(pci.number).is_some() => Course::Written,
            // What its engine may open was settled at its start.
            Self::Add(_, group) if !group.is_some_and(|group| running.pci_groups.contains(&group)) => {
                Course::Waits(NotNow::Fixed)
            }
            Self::Add(pci, _) => Course::Altered(Alteration::AddPci(pci.config())),
            Self::Remove(number) if present(*number).is_none() => Course::Written,
            Self::Remove(number) => Course::Altered(Alteration::RemovePci(*number)),
        }
    }
}

/// What clients are told: what it is to have, and what its machine still has of what was taken away.
pub fn info(definition: &Definition, running: Option<&Definition>) -> Vec<PciInfo> {
    let told = |pci: &Pci, leaving: bool| PciInfo {
        name: pci.name(),
        address: pci.address,
        id: pci.device,
        label: pci.label.clone(),
        present: running.map(|running| running.pci.iter().any(|other| same(pci, other))),
        leaving,
    };
    let left = running.into_iter().flat_map(|running| &running.pci);
    let left = left.filter(|pci| !definition.pci.iter().any(|other| same(pci, other)));
    definition.pci.iter().map(|pci| told(pci, false)).chain(left.map(|pci| told(pci, true))).collect()
}

/// What the definition says otherwise than the running machine has it.
pub fn pending(running: &Definition, next: &Definition) -> Vec<PendingChange> {
    let word = |pci: Option<&Pci>| pci.map_or_else(|| "none".to_owned(), |pci| pci.address.to_string());
    let change = |number| PendingChange {
        key: name(number),
        now: word(find(running, number)),
        next: word(find(next, number)),
    };
    (0..MAX_PCI).map(change).filter(|change| change.now != change.next).collect()
}

/// Whether these devices can be a guest's.
///
/// # Errors
/// Why not, in words.
pub fn check(definition: &Definition) -> Result<(), String> {
    for (index, pci) in definition.pci.iter().enumerate() {
        let mut before = definition.pci.iter().take(index);
        if pci.number >= MAX_PCI {
            return Err(format!("a guest has at most {MAX_PCI} PCI devices, with numbers from 0 on"));
        }
        if before.clone().any(|other| other.number == pci.number) {
            return Err(format!("two PCI devices have the number {}", pci.number));
        }
        if before.any(|other| other.address == pci.address) {
            return Err(format!("two PCI devices are the same: {}", pci.address));
        }
    }
    Ok(())
}

/// The error that says why a guest can't have a device.
pub fn refused(address: PciAddress, name: String, fault: PciFault, by: &str) -> Error {
    Error::PciRefused { address, name, fault, by: by.to_owned() }
}

fn find(definition: &Definition, number: u32) -> Option<&Pci> {
    definition.pci.iter().find(|pci| pci.number == number)
}

fn same(one: &Pci, other: &Pci) -> bool {
    (one.number, one.address) == (other.number, other.address)
}

/// The number of the device with this name.
pub fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_prefix("pci")?.parse().ok()?;
    (name == self::name(number)).then_some(number)
}

fn name(number: u32) -> String {
    format!("pci{number}")
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
        super::number_of(&name).ok_or_else(|| D::Error::custom(format!("“{name}” is not written as pci0 is")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SLOTS;
    use crate::guest::config::tests::example;
    use hv_api::Accelerator;

    fn pci(number: u32, address: &str) -> Pci {
        let device = "8086:10d3".parse().unwrap();
        Pci { number, address: address.parse().unwrap(), device, slot: number + 1, label: None }
    }

    /// The example without what else is in slots.
    fn with(devices: &[Pci]) -> Definition {
        let mut definition = Definition { pci: devices.to_vec(), ..example() };
        definition.disks.iter_mut().for_each(|disk| disk.slot = None);
        definition.nics.iter_mut().for_each(|nic| nic.slot = None);
        definition
    }

    fn add(address: &str, group: u32) -> PciEdit {
        PciEdit::Add(pci(0, address), Some(group))
    }

    fn running(machine: Definition, groups: &[u32]) -> RunRecord {
        RunRecord::new(machine, Accelerator::Emulation, 0).with_groups(groups.to_vec())
    }

    #[test]
    fn a_device_gets_a_number_and_a_slot_that_nothing_else_has() {
        let one = with(&[pci(0, "01:00.0")]);
        let placed = |edit: Result<PciEdit, Error>| match edit {
            Ok(PciEdit::Add(pci, _)) => (pci.number, pci.slot),
            other => panic!("{other:?}"),
        };
        assert_eq!(placed(add("02:00.0", 2).settled(&one, None)), (1, 0));
        let machine = with(&[pci(0, "01:00.0"), pci(1, "03:00.0")]);
        assert_eq!(placed(add("02:00.0", 2).settled(&one, Some(&machine))), (2, 0));
        // One that the machine has not let go of is the same again.
        let again = add("03:00.0", 3).settled(&one, Some(&machine));
        assert_eq!(placed(again.clone()), (1, 2));
        assert_eq!(again.unwrap().course(&running(machine, &[])), Course::Written);
        let full: Vec<Pci> = (0..MAX_PCI)
            .map(|number| Pci { slot: number % SLOTS, ..pci(number, &format!("0{number}:00.0")) })
            .collect();
        let exhausted = add("1f:00.0", 2).settled(&with(&full), None);
        assert!(matches!(exhausted, Err(Error::PciExhausted { maximum: MAX_PCI, .. })), "{exhausted:?}");
        let doubled = add("01:00.0", 1).settled(&one, None);
        assert!(matches!(doubled, Err(Error::PciRefused { fault: PciFault::Doubled, .. })), "{doubled:?}");
        assert!(matches!(PciEdit::Remove(5).settled(&one, None), Err(Error::PciNotFound { .. })));
    }

    #[test]
    fn only_what_an_engine_could_open_from_its_start_on_is_given_at_once() {
        let machine = running(with(&[pci(1, "01:00.0")]), &[1, 2]);
        let now = |edit: PciEdit| edit.course(&machine);
        assert_eq!(now(add("02:00.0", 2)), Course::Altered(Alteration::AddPci(pci(0, "02:00.0").config())));
        assert_eq!(now(add("03:00.0", 3)), Course::Waits(NotNow::Fixed));
        assert_eq!(now(PciEdit::Add(pci(0, "02:00.0"), None)), Course::Waits(NotNow::Fixed));
        assert_eq!(now(PciEdit::Remove(1)), Course::Altered(Alteration::RemovePci(1)));
        assert_eq!(now(PciEdit::Remove(0)), Course::Written);
    }

    #[test]
    fn what_was_taken_away_is_the_guests_until_it_lets_go() {
        let (machine, next) = (with(&[pci(1, "01:00.0")]), with(&[pci(0, "02:00.0")]));
        let told: Vec<_> =
            info(&next, Some(&machine)).into_iter().map(|pci| (pci.name, pci.present, pci.leaving)).collect();
        assert_eq!(told, [("pci0".into(), Some(false), false), ("pci1".into(), Some(true), true)]);
        assert_eq!(info(&next, None)[0].present, None);
        let changes: Vec<_> =
            pending(&machine, &next).into_iter().map(|it| (it.key, it.now, it.next)).collect();
        let change = |key: &str, now: &str, next: &str| (key.to_owned(), now.to_owned(), next.to_owned());
        assert_eq!(changes, [change("pci0", "none", "0000:02:00.0"), change("pci1", "0000:01:00.0", "none")]);
    }

    #[test]
    fn what_can_not_be_is_no_definition() {
        let in_slot = |slot, it: Pci| Pci { slot, ..it };
        for (devices, word) in [
            (vec![in_slot(3, pci(8, "01:00.0"))], "at most"),
            (vec![pci(1, "01:00.0"), in_slot(5, pci(1, "02:00.0"))], "number 1"),
            (vec![pci(1, "01:00.0"), pci(2, "01:00.0")], "the same"),
            (vec![pci(1, "01:00.0"), in_slot(2, pci(2, "02:00.0"))], "slot 2"),
        ] {
            let definition = with(&devices);
            let fault = check(&definition).and_then(|()| slots::check(&definition)).unwrap_err();
            assert!(fault.contains(word), "{word}: {fault}");
            assert!(Definition::read(&definition.write()).is_err());
        }
        let two = with(&[pci(1, "01:00.0"), pci(0, "10000:02:00.0")]);
        assert_eq!(Definition::read(&two.write()), Ok(two));
    }
}
