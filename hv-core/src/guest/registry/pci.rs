//! PCI devices of guests: what of a change has to do with other guests and with the host; and what of the host's
//! devices clients are told.

use super::Registry;
use crate::files;
use crate::guest::assign::{self, Wanted};
use crate::guest::edit::Edit;
use crate::guest::handle::{Request, engine_error};
use crate::guest::pci::{PciEdit, number_of, refused};
use crate::host::pci::{self as host, scan};
use crate::host::watch::Watch;
use hv_api::{
    ByteSize, Change, Error, GuestInfo, GuestState, HostPciDevice, Operation, PciAddress, PciFault,
    SettingResult,
};
use tracing::warn;

impl Registry {
    /// Gives a guest a PCI device of the host's.
    pub async fn add_pci(&self, guest: &str, address: PciAddress) -> Result<Vec<SettingResult>, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        let can = self.context.engine.has_pci().await;
        if !can.map_err(|error| engine_error(&info.name, Operation::Set, error))? {
            return Err(refused(address, address.to_string(), PciFault::EngineCannot, ""));
        }
        let pci = self.look_for_pci().await?;
        let missing = || refused(address, address.to_string(), PciFault::Missing, "");
        let device = pci.find(address).ok_or_else(missing)?;
        if !info.pci.iter().any(|pci| pci.address == address && !pci.leaving) {
            let guests = self.list();
            held(device, &pci, guests.iter().filter(|other| other.id != info.id))?;
            let wanted = Wanted { address, id: device.id, title: device.title() };
            assign::check(&pci, &info.name, info.memory, [&wanted])?;
        }
        let edit = Edit::Pci(PciEdit::Add(crate::guest::pci::Pci::new(device), device.group));
        handle.ask(|answer| Request::Edit(vec![edit], answer)).await
    }

    /// Takes a PCI device from a guest.
    pub async fn remove_pci(&self, guest: &str, address: PciAddress) -> Result<Vec<SettingResult>, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        let found = info.pci.iter().find(|pci| pci.address == address && !pci.leaving);
        let missing = || Error::PciNotFound { guest: info.name.clone(), device: address.to_string() };
        let number = found.and_then(|pci| number_of(&pci.name)).ok_or_else(missing)?;
        let edit = Edit::Pci(PciEdit::Remove(number));
        handle.ask(|answer| Request::Edit(vec![edit], answer)).await
    }

    /// Makes sure that a guest which is about to start takes no device from another one that runs, and that the host
    /// can give it those that it has. A saved machine has none.
    pub(super) async fn check_pci(&self, guest: &GuestInfo) -> Result<(), Error> {
        if guest.pci.is_empty() || guest.state == GuestState::Saved {
            return Ok(());
        }
        let pci = self.look_for_pci().await?;
        let others = self.list();
        let running = others.iter().filter(|other| other.id != guest.id && other.pid.is_some());
        for device in guest.pci.iter().filter_map(|wanted| pci.find(wanted.address)) {
            held(device, &pci, running.clone())?;
        }
        let wanted: Vec<Wanted> = guest
            .pci
            .iter()
            .map(|pci| Wanted { address: pci.address, id: pci.id, title: pci.title() })
            .collect();
        assign::check(&pci, &guest.name, guest.memory, &wanted)
    }

    /// Makes sure that a guest which runs and has a PCI device can have more memory: all of it is locked.
    pub(super) async fn check_pinned(&self, guest: &GuestInfo, memory: ByteSize) -> Result<(), Error> {
        if guest.pid.is_none() || guest.pinning().is_none() {
            return Ok(());
        }
        assign::check_memory(&self.look_for_pci().await?, &guest.name, memory)
    }

    /// Looks for the host's devices, and tells everybody where they have changed.
    pub async fn look_for_pci(&self) -> Result<host::Pci, Error> {
        let root = self.context.folders.devices.clone();
        let found = files::off_thread(move || Ok(scan(&root))).await?;
        if *self.pci.borrow() != found {
            self.pci.replace(found.clone());
            // Nobody may be watching.
            let _ = self.context.changes.send(Change::Host(self.host().await));
        }
        Ok(found)
    }

    /// Looks for the host's devices that guests can have, of all kinds, whenever some come or go, for as long as the
    /// core runs.
    pub async fn follow_devices(&self) {
        let followed = async {
            let mut watch = Watch::begin(&self.context.folders.devices)?;
            loop {
                watch.changed().await?;
                let found = match self.look_for_usb().await {
                    Ok(_usb) => self.look_for_pci().await.map(drop),
                    Err(error) => Err(error),
                };
                if let Err(error) = found {
                    warn!(?error, "the host's devices can't be looked for");
                }
            }
        };
        let ended: std::io::Result<()> = followed.await;
        if let Err(error) = ended {
            warn!(%error, "devices that come and go are not noticed");
        }
    }
}

/// Makes sure that a guest's memory can be written into a file: a device that is the host's own could change it
/// meanwhile, and has a state that nobody can read.
///
/// # Errors
/// [`Error::PciNotSavable`].
pub(super) fn check_savable(guest: &GuestInfo, operation: Operation) -> Result<(), Error> {
    match guest.pinning() {
        Some(pci) if guest.pid.is_some() => Err(Error::PciNotSavable {
            guest: guest.name.clone(),
            operation,
            address: pci.address,
            name: pci.title(),
        }),
        _ => Ok(()),
    }
}

/// Makes sure that none of these guests has this device, or another one of its group.
fn held<'a>(
    device: &HostPciDevice,
    all: &host::Pci,
    guests: impl Iterator<Item = &'a GuestInfo>,
) -> Result<(), Error> {
    let all: Vec<&HostPciDevice> = all.devices.iter().map(|found| &found.device).collect();
    match device.holder(all, guests) {
        Some((fault, holder)) => Err(refused(device.address, device.title(), fault, &holder.name)),
        None => Ok(()),
    }
}
