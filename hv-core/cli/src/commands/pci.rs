//! PCI devices: those of this computer, and those of a guest.

use super::guests;
use crate::args::PciAction;
use crate::failure::{Failure, english};
use crate::output::{GuestPciView, HeldPciView, Output, PciView, SettingsView, escaped, table, wire_word};
use hv_api::client::{self, Connection, settle};
use hv_api::problem::explain_pci;
use hv_api::{Core, GuestInfo, HostPciDevice, PciFault, PciInfo};

/// Shows devices, or changes what a guest has, and says what became of it.
pub async fn run(
    core: &mut Connection,
    guest: Option<&str>,
    action: Option<PciAction>,
    output: &mut Output,
) -> Result<(), Failure> {
    let reply = match (guest, action) {
        (None, None) => return host(core, output).await,
        (None, Some(_)) => return Err(Failure::no_guest("pci")),
        (Some(guest), None) => return show(core, guest, output).await,
        (Some(guest), Some(PciAction::Add { address })) => core.add_pci(guest, address).await,
        (Some(guest), Some(PciAction::Remove { address })) => core.remove_pci(guest, address).await,
    };
    let results = settle(reply)?.settings;
    if output.is_json() {
        return output.object(&SettingsView::from(&results[..]));
    }
    guests::results(&results, output)
}

/// All devices of this computer, who has them, and of each that guests can't have what is in the way, and what to do.
async fn host(core: &mut Connection, output: &mut Output) -> Result<(), Failure> {
    let devices = settle(core.host().await)?.pci;
    let guests = client::list(core).await?.guests;
    if output.is_json() {
        return devices
            .iter()
            .try_for_each(|device| output.object(&HeldPciView::new(device, &devices, &guests)));
    }
    if devices.is_empty() {
        return output.line("This computer has no PCI device that a guest would have a use for.");
    }
    let row = |device: &HostPciDevice| {
        let group = device.group.map_or_else(|| "-".to_owned(), |group| group.to_string());
        let driver = device.driver.clone().unwrap_or_else(|| "-".to_owned());
        let state = match device.holder(&devices, &guests) {
            Some((PciFault::HeldByGuest, guest)) => format!("guest {}", guest.name),
            Some((_, guest)) => format!("free for guest {}, which has another one of its group", guest.name),
            None if device.obstacles.is_empty() => "free".to_owned(),
            None => "can't be given, see below".to_owned(),
        };
        let (address, id) = (device.address.to_string(), device.id.to_string());
        [address, id, wire_word(&device.kind), device.title(), group, driver, state]
    };
    let head = ["ADDRESS", "DEVICE", "FOR", "NAME", "GROUP", "DRIVER", "STATE"];
    output.text(&table(head, devices.iter().map(row).collect()))?;
    obstacles(&devices, output)
}

/// The devices that a guest has.
async fn show(core: &mut Connection, guest: &str, output: &mut Output) -> Result<(), Failure> {
    let guest: GuestInfo = settle(core.show(guest).await)?.guest;
    if output.is_json() {
        return output.object(&GuestPciView { pci: guest.pci.iter().map(PciView::from).collect() });
    }
    let row = |pci: &PciInfo| {
        let when = if pci.leaving {
            "taken away, but the guest has it yet"
        } else if pci.present == Some(false) {
            "at next start"
        } else {
            ""
        };
        [pci.name.clone(), pci.address.to_string(), pci.id.to_string(), pci.title(), when.to_owned()]
    };
    output.text(&table(["PCI", "ADDRESS", "DEVICE", "NAME", ""], guest.pci.iter().map(row).collect()))
}

/// What is in the way. What is so of several devices, as that nothing works without an IOMMU, is said once.
fn obstacles(devices: &[HostPciDevice], output: &mut Output) -> Result<(), Failure> {
    let mut told: Vec<(Vec<String>, String)> = Vec::new();
    for device in devices {
        let words = explain_pci(device, &english);
        let lines = words.iter().map(|it| format!("{}\n{}\n", escaped(&it.why), escaped(&it.remedy)));
        let text: String = lines.collect();
        match told.iter_mut().find(|(_, other)| *other == text) {
            _ if text.is_empty() => {}
            Some((addresses, _)) => addresses.push(device.address.to_string()),
            None => told.push((vec![device.address.to_string()], text)),
        }
    }
    told.iter().try_for_each(|(addresses, text)| output.text(&format!("\n{}:\n{text}", addresses.join(" "))))
}
