//! Whether this computer can give a guest its PCI devices at this moment.
//!
//! It is looked at when a device is added and at each start, also one by a rule: drivers, rights and limits are gone
//! after the host's own restart, and the engine names what is missing only by a number.

use super::config::Definition;
use super::pci::refused;
use crate::files;
use crate::host::pci::{Pci, scan};
use hv_api::{ByteSize, Error, PciAddress, PciFault, PciId, locked_memory};
use std::path::Path;

/// A device as it is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where it is.
    pub address: PciAddress,
    /// What it must be.
    pub id: PciId,
    /// What it is called.
    pub title: String,
}

/// Makes sure that all of these can be given to a guest that has this much memory, as far as the host is concerned.
///
/// # Errors
/// [`Error::PciRefused`] with the first that is in the way; [`Error::LockedMemoryTooSmall`].
pub fn check<'a>(
    host: &Pci,
    guest: &str,
    memory: ByteSize,
    wanted: impl IntoIterator<Item = &'a Wanted>,
) -> Result<(), Error> {
    let mut any = false;
    for Wanted { address, id, title } in wanted {
        any = true;
        let refuse = |fault, by: &str| Err(refused(*address, title.clone(), fault, by));
        match host.find(*address) {
            None => return refuse(PciFault::Missing, ""),
            Some(device) if device.id != *id => return refuse(PciFault::Changed, &device.id.to_string()),
            Some(device) => {
                if let Some(obstacle) = device.obstacles.first() {
                    return refuse(obstacle.fault, &obstacle.by);
                }
            }
        }
    }
    if any { check_memory(host, guest, memory) } else { Ok(()) }
}

/// Makes sure that an engine may lock what a guest with this much memory needs, all of which a device may reach.
///
/// # Errors
/// [`Error::LockedMemoryTooSmall`].
pub fn check_memory(host: &Pci, guest: &str, memory: ByteSize) -> Result<(), Error> {
    let needed = locked_memory(memory);
    match host.locked_memory {
        Some(limit) if limit < needed => {
            Err(Error::LockedMemoryTooSmall { guest: guest.to_owned(), needed, limit })
        }
        _ => Ok(()),
    }
}

/// The same for a machine that is about to be started from a definition, by what the host says at this moment.
///
/// # Errors
/// As [`check`].
pub async fn check_definition(root: &Path, definition: &Definition) -> Result<(), Error> {
    if definition.pci.is_empty() {
        return Ok(());
    }
    let wanted: Vec<Wanted> = definition
        .pci
        .iter()
        .map(|pci| Wanted { address: pci.address, id: pci.device, title: pci.title() })
        .collect();
    let (root, guest, memory) = (root.to_owned(), definition.name.clone(), definition.memory);
    files::off_thread(move || check(&scan(&root), &guest, memory, &wanted)).await
}
