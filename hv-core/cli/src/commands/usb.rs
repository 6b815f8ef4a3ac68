//! USB devices: those of this computer, and those of a guest.

use super::guests;
use crate::args::UsbAction;
use crate::failure::{Failure, english};
use crate::output::{GuestUsbView, HeldUsbView, Output, SettingsView, UsbView, escaped, table, wire_word};
use hv_api::client::{self, Connection, settle};
use hv_api::problem::explain_usb;
use hv_api::{Core, GuestInfo, HostUsbDevice, UsbInfo};

/// Shows devices, or changes what a guest has, and says what became of it.
pub async fn run(
    core: &mut Connection,
    guest: Option<&str>,
    action: Option<UsbAction>,
    output: &mut Output,
) -> Result<(), Failure> {
    let reply = match (guest, action) {
        (None, None) => return host(core, output).await,
        (None, Some(_)) => return Err(Failure::no_guest("usb")),
        (Some(guest), None) => return show(core, guest, output).await,
        (Some(guest), Some(UsbAction::Add { device })) => core.add_usb(guest, &device).await,
        (Some(guest), Some(UsbAction::Remove { device })) => core.remove_usb(guest, &device).await,
    };
    let results = settle(reply)?.settings;
    if output.is_json() {
        return output.object(&SettingsView::from(&results[..]));
    }
    guests::results(&results, output)
}

/// All devices of this computer, and who has them.
async fn host(core: &mut Connection, output: &mut Output) -> Result<(), Failure> {
    let devices = settle(core.host().await)?.usb;
    let guests = client::list(core).await?.guests;
    if output.is_json() {
        return devices.iter().try_for_each(|device| output.object(&HeldUsbView::new(device, &guests)));
    }
    if devices.is_empty() {
        return output.line("No USB device is connected to this computer.");
    }
    let row = |device: &HostUsbDevice| {
        let kinds: Vec<String> = device.kinds.iter().map(wire_word).collect();
        let is_input = kinds.iter().any(|kind| kind == "keyboard" || kind == "mouse");
        let who = match device.holder(&guests) {
            Some(guest) => format!("guest {}", guest.name),
            None if device.fault().is_some() => "can't be used, see below".to_owned(),
            None if is_input => "free, but used to work with this computer".to_owned(),
            None => "free".to_owned(),
        };
        let number = format!("{}:{}", device.bus, device.number);
        [device.id.to_string(), device.port.to_string(), number, device.title(), kinds.join(" "), who]
    };
    let head = ["DEVICE", "PLACE", "BUS:NUMBER", "NAME", "FOR", "HELD BY"];
    output.text(&table(head, devices.iter().map(row).collect()))?;
    let unused = devices.iter().filter(|device| device.holder(&guests).is_none());
    for (device, explanation) in unused.filter_map(|device| Some((device, explain_usb(device, &english)?))) {
        let name = escaped(&format!("{}@{}", device.id, device.port));
        output.line(&format!("\n{name}: {}\n{}", escaped(&explanation.why), escaped(&explanation.remedy)))?;
    }
    Ok(())
}

/// The devices that a guest has, plugged in or not.
async fn show(core: &mut Connection, guest: &str, output: &mut Output) -> Result<(), Failure> {
    let guest: GuestInfo = settle(core.show(guest).await)?.guest;
    let devices = settle(core.host().await)?.usb;
    if output.is_json() {
        let usb = guest.usb.iter().map(|usb| UsbView::new(usb, Some(&devices))).collect();
        return output.object(&GuestUsbView { usb });
    }
    let row = |usb: &UsbInfo| {
        let plugged = usb.plugged(&devices);
        let is_at = match plugged {
            None => "not plugged in".to_owned(),
            Some(device) if !device.permitted => format!("{}, but may not be used", device.port),
            Some(device) => device.port.to_string(),
        };
        let when = if usb.present == Some(false) { "at next start" } else { "" };
        [usb.name.clone(), usb.device.to_string(), usb.title(), is_at, when.to_owned()]
    };
    output.text(&table(["USB", "DEVICE", "NAME", "PLACE", ""], guest.usb.iter().map(row).collect()))
}
