//! Which of a machine's slots the devices of a guest are in: those that were added and can be taken away while it
//! runs. Pure.

use super::config::Definition;
use crate::engine::SLOTS;

/// The slots that have a device, in no order.
pub fn taken(definition: &Definition) -> impl Iterator<Item = u32> {
    let disks = definition.disks.iter().filter_map(|disk| disk.slot);
    let pci = definition.pci.iter().map(|pci| pci.slot);
    definition.nics.iter().filter_map(|nic| nic.slot).chain(disks).chain(pci)
}

/// The first slot that none of these definitions has a device in: of a guest that runs, both what it is to be and
/// what its machine is.
pub fn free(definitions: &[&Definition]) -> Option<u32> {
    (0..SLOTS).find(|slot| definitions.iter().all(|definition| taken(definition).all(|other| other != *slot)))
}

/// Whether each device has a slot of its own.
///
/// # Errors
/// Why not, in words.
pub fn check(definition: &Definition) -> Result<(), String> {
    let mut seen = [false; SLOTS as usize];
    for slot in taken(definition) {
        match seen.get_mut(slot as usize) {
            None => return Err(format!("there is no slot {slot}: the last is {}", SLOTS - 1)),
            Some(true) => return Err(format!("two devices are in slot {slot}")),
            Some(free) => *free = true,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::config::tests::example;

    fn with_slots(slots: &[u32]) -> Definition {
        let mut definition = Definition { pci: Vec::new(), ..example() };
        let nic = definition.nics[0].clone();
        definition.nics.extend(slots.iter().map(|slot| {
            let mut nic = nic.clone();
            nic.slot = Some(*slot);
            nic
        }));
        definition
    }

    #[test]
    fn a_slot_is_free_where_neither_the_guest_nor_its_machine_has_a_device_in_it() {
        let (wanted, running) = (with_slots(&[0, 2]), with_slots(&[1]));
        assert_eq!(free(&[&wanted]), Some(1));
        assert_eq!(free(&[&wanted, &running]), Some(3));
        let all: Vec<u32> = (0..SLOTS).collect();
        assert_eq!(free(&[&with_slots(&all)]), None);
    }

    #[test]
    fn two_devices_in_one_slot_are_no_definition() {
        assert_eq!(check(&with_slots(&[0, 7])), Ok(()));
        assert!(check(&with_slots(&[3, 3])).unwrap_err().contains("slot 3"));
        assert!(check(&with_slots(&[SLOTS])).unwrap_err().contains("no slot 8"));
        let text = with_slots(&[3, 3]).write();
        assert!(Definition::read(&text).is_err());
    }
}
