//! PCI devices of the host's in QEMU: its `vfio-pci`, which opens the file of the device's IOMMU group itself. QEMU 7.2
//! does not take it open, so that what a machine can be given while it runs is what it could open from its start on
//! (`reach`).

use super::disks;
use super::ports::{self, Port};
use super::qmp::Client;
use crate::engine::{EngineError, PciConfig};
use crate::host::pci::{CONTAINER, group_file};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::path::PathBuf;
use tracing::warn;

/// QEMU's name of the device.
pub const DRIVER: &str = "vfio-pci";

/// A device, as `-device` and `device_add` take it.
pub fn device(pci: &PciConfig) -> Value {
    let mut device = json!({ "driver": DRIVER, "id": id(pci.number), "host": pci.address.to_string() });
    if let Some(port) = Port::of_slot(pci.slot) {
        device["bus"] = port.bus().into();
    }
    device
}

/// The files that a QEMU opens for these devices.
pub fn files(devices: &[PciConfig]) -> impl Iterator<Item = PathBuf> {
    let container = (!devices.is_empty()).then(|| PathBuf::from(CONTAINER));
    container.into_iter().chain(devices.iter().filter_map(|pci| Some(group_file(pci.group?).into())))
}

/// Lets this process and what it starts lock as much memory as it may: all that a guest with such a device has.
pub fn allow_locked_memory() {
    let Rlimit { current, maximum } = getrlimit(Resource::Memlock);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Memlock, Rlimit { current: maximum, maximum }) {
        warn!(%error, "no more memory can be locked than at the start");
    }
}

/// Gives a machine that runs one more.
pub async fn add(client: &Client, pci: &PciConfig) -> Result<(), EngineError> {
    if let Some(port) = Port::of_slot(pci.slot) {
        ports::require_free(client, port).await?;
    }
    match client.call("device_add", device(pci)).await {
        // The file is another one than at its start: the host's driver has let go of the device and got it again.
        Err(EngineError::Refused { detail }) if detail.contains("Permission denied") => {
            Err(EngineError::NotWhileRunning { detail })
        }
        other => other.map(drop),
    }
}

/// Takes one away. The guest must let go of it first, which it is asked for.
pub async fn remove(client: &Client, number: u32) -> Result<(), EngineError> {
    disks::remove_device(client, &id(number)).await
}

/// The number of the one with this name.
pub fn number_of(device: &str) -> Option<u32> {
    let number = device.strip_prefix(PREFIX)?.parse().ok()?;
    (device == id(number)).then_some(number)
}

const PREFIX: &str = "hostpci";

fn id(number: u32) -> String {
    format!("{PREFIX}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_by_its_place_and_is_in_its_slot() {
        let pci = PciConfig { number: 3, address: "01:00.1".parse().unwrap(), slot: 2, group: Some(12) };
        assert_eq!(
            device(&pci),
            json!({ "driver": "vfio-pci", "id": "hostpci3", "host": "0000:01:00.1", "bus": "port2" })
        );
        assert_eq!(number_of("hostpci3"), Some(3));
        assert_eq!([number_of("hostpci03"), number_of("hostusb3"), number_of("hostpci")], [None; 3]);
    }

    #[test]
    fn only_the_groups_of_a_machines_own_devices_are_opened() {
        let pci = |group| PciConfig { number: 0, address: "01:00.1".parse().unwrap(), slot: 2, group };
        assert_eq!(files(&[]).count(), 0);
        let files: Vec<_> = files(&[pci(Some(12)), pci(None)]).collect();
        assert_eq!(files, [PathBuf::from("/dev/vfio/vfio"), "/dev/vfio/12".into()]);
    }
}
