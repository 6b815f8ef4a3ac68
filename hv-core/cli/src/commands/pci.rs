//! PCI devices of this computer.

use crate::failure::{Failure, english};
use crate::output::{HostPciView, Output, escaped, table, wire_word};
use hv_api::client::{Connection, settle};
use hv_api::problem::explain_pci;
use hv_api::{Core, HostPciDevice};

/// Shows the devices of this computer, and of each that guests can't have what is in the way, and what to do.
pub async fn run(core: &mut Connection, output: &mut Output) -> Result<(), Failure> {
    let devices = settle(core.host().await)?.pci;
    if output.is_json() {
        return devices.iter().try_for_each(|device| output.object(&HostPciView::from(device)));
    }
    if devices.is_empty() {
        return output.line("This computer has no PCI device that a guest would have a use for.");
    }
    let row = |device: &HostPciDevice| {
        let group = device.group.map_or_else(|| "-".to_owned(), |group| group.to_string());
        let driver = device.driver.clone().unwrap_or_else(|| "-".to_owned());
        let state = if device.obstacles.is_empty() { "free" } else { "can't be given, see below" };
        let (address, id) = (device.address.to_string(), device.id.to_string());
        [address, id, wire_word(&device.kind), device.title(), group, driver, state.to_owned()]
    };
    let head = ["ADDRESS", "DEVICE", "FOR", "NAME", "GROUP", "DRIVER", "STATE"];
    output.text(&table(head, devices.iter().map(row).collect()))?;
    obstacles(&devices, output)
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
