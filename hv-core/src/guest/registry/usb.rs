//! USB devices of guests: what of a change has to do with other guests and with the host; and what of the host's
//! devices clients are told.

use super::Registry;
use crate::files;
use crate::guest::edit::Edit;
use crate::guest::handle::{Request, engine_error};
use crate::guest::usb::{Usb, UsbEdit, number_of, refused};
use crate::host::usb::{Found, listed_name, scan};
use hv_api::{
    Change, Error, GuestInfo, HostUsbDevice, Operation, SettingResult, UsbDevice, UsbFault, UsbInfo,
};

impl Registry {
    /// Gives a guest a USB device of the host's.
    pub async fn add_usb(&self, guest: &str, device: UsbDevice) -> Result<Vec<SettingResult>, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        let can = self.context.engine.has_usb().await;
        if !can.map_err(|error| engine_error(&info.name, Operation::Set, error))? {
            return Err(refused(&device, device.to_string(), UsbFault::EngineCannot, ""));
        }
        let found = self.look_for_usb().await?;
        let found = plugged(&device, &found)?;
        let label = if let Some(found) = found {
            found.name.clone()
        } else {
            let (root, id) = (self.context.folders.devices.clone(), device.id);
            files::off_thread(move || Ok(listed_name(&root, id))).await?
        };
        let name = label.clone().unwrap_or_else(|| device.to_string());
        let has_it = |usb: &UsbInfo| usb.device.collides(&device);
        if !info.usb.iter().any(has_it) {
            let guests = self.list();
            held(&device, &name, guests.iter().filter(|other| other.id != info.id))?;
            if let Some((fault, by)) = found.and_then(HostUsbDevice::fault) {
                return Err(refused(&device, name, fault, by));
            }
        }
        let edit = Edit::Usb(UsbEdit::Add(Usb::new(device, label)));
        handle.ask(|answer| Request::Edit(vec![edit], answer)).await
    }

    /// Takes a USB device from a guest.
    pub async fn remove_usb(&self, guest: &str, device: UsbDevice) -> Result<Vec<SettingResult>, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        let exactly = info.usb.iter().find(|usb| usb.device == device);
        let mut like = info.usb.iter().filter(|usb| device.port.is_none() && usb.device.id == device.id);
        let found = match (exactly, like.next(), like.next()) {
            (Some(usb), ..) | (None, Some(usb), None) => usb,
            (None, Some(one), Some(_)) => {
                let same = info.usb.iter().filter(|usb| usb.device.id == device.id);
                let ports: Vec<String> =
                    same.filter_map(|usb| usb.device.port.as_ref()).map(ToString::to_string).collect();
                return Err(refused(&device, one.title(), UsbFault::Ambiguous, &ports.join(", ")));
            }
            (None, None, _) => {
                return Err(Error::UsbNotFound { guest: info.name.clone(), device: device.to_string() });
            }
        };
        let number = number_of(&found.name).unwrap_or_default();
        let edit = Edit::Usb(UsbEdit::Remove(number));
        handle.ask(|answer| Request::Edit(vec![edit], answer)).await
    }

    /// Makes sure that a guest which is about to start takes no device from another one that runs, and none from under
    /// what the host has mounted. One that is not plugged in, or that this user may not use, is no reason not to start.
    pub(super) async fn check_usb(&self, guest: &GuestInfo) -> Result<(), Error> {
        if guest.usb.is_empty() {
            return Ok(());
        }
        self.look_for_usb().await?;
        let found = self.usb.borrow().clone();
        let others = self.list();
        let running = others.iter().filter(|other| other.id != guest.id && other.pid.is_some());
        for usb in &guest.usb {
            held(&usb.device, &usb.title(), running.clone())?;
            let plugged = usb.plugged(&found).filter(|device| device.used.is_some());
            if let Some((fault, by)) = plugged.and_then(HostUsbDevice::fault) {
                return Err(refused(&usb.device, usb.title(), fault, by));
            }
        }
        Ok(())
    }

    /// Looks for the host's devices, and tells everybody where they have changed.
    pub async fn look_for_usb(&self) -> Result<Vec<Found>, Error> {
        let root = self.context.folders.devices.clone();
        let found = files::off_thread(move || Ok(scan(&root))).await?;
        let told: Vec<HostUsbDevice> =
            found.iter().filter(|found| !found.is_hub).map(|found| found.device.clone()).collect();
        if *self.usb.borrow() != told {
            self.usb.replace(told);
            // Nobody may be watching.
            let _ = self.context.changes.send(Change::Host(self.host().await));
        }
        Ok(found)
    }
}

/// The host's device that is asked for; nothing where it is not plugged in.
fn plugged<'a>(device: &UsbDevice, found: &'a [Found]) -> Result<Option<&'a HostUsbDevice>, Error> {
    let fits: Vec<&Found> = found.iter().filter(|found| found.device.is(device)).collect();
    match fits[..] {
        [] => Ok(None),
        [one] if one.is_hub => Err(refused(device, one.device.title(), UsbFault::Hub, "")),
        [one] => Ok(Some(&one.device)),
        [one, ..] => {
            let ports: Vec<String> = fits.iter().map(|found| found.device.port.to_string()).collect();
            Err(refused(device, one.device.title(), UsbFault::Ambiguous, &ports.join(", ")))
        }
    }
}

/// Makes sure that none of these guests has this device.
fn held<'a>(
    device: &UsbDevice,
    name: &str,
    mut guests: impl Iterator<Item = &'a GuestInfo>,
) -> Result<(), Error> {
    match guests.find(|guest| guest.usb.iter().any(|usb| usb.device.collides(device))) {
        Some(holder) => Err(refused(device, name.to_owned(), UsbFault::HeldByGuest, &holder.name)),
        None => Ok(()),
    }
}
