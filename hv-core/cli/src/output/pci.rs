//! PCI devices in JSON.

use super::views::{Word, wire_word};
use crate::failure::english;
use hv_api::problem::explain_pci;
use hv_api::{GuestInfo, HostPciDevice, PciFault, PciInfo, PciKind};
use serde::Serialize;

/// A device of this computer's.
#[derive(Debug, Serialize)]
pub struct HostPciView<'a> {
    address: String,
    device: String,
    kind: Word<PciKind>,
    name: Option<&'a str>,
    group: Option<u32>,
    driver: Option<&'a str>,
    /// What keeps every guest from having it, in the order in which it is to be removed.
    obstacles: Vec<ObstacleView<'a>>,
}

#[derive(Debug, Serialize)]
struct ObstacleView<'a> {
    fault: String,
    by: &'a str,
    why: String,
    remedy: String,
}

impl<'a> From<&'a HostPciDevice> for HostPciView<'a> {
    fn from(device: &'a HostPciDevice) -> Self {
        let words = explain_pci(device, &english);
        let obstacles = device.obstacles.iter().zip(words).map(|(obstacle, words)| ObstacleView {
            fault: wire_word(&obstacle.fault),
            by: &obstacle.by,
            why: words.why,
            remedy: words.remedy,
        });
        Self {
            address: device.address.to_string(),
            device: device.id.to_string(),
            kind: Word(device.kind),
            name: device.name.as_deref(),
            group: device.group,
            driver: device.driver.as_deref(),
            obstacles: obstacles.collect(),
        }
    }
}

/// The same, and the guest that has it.
#[derive(Debug, Serialize)]
pub struct HeldPciView<'a> {
    #[serde(flatten)]
    device: HostPciView<'a>,
    guest: Option<&'a str>,
    /// A guest that has another one of its group, so that only that guest can have it.
    group_guest: Option<&'a str>,
}

impl<'a> HeldPciView<'a> {
    /// One of these devices and who of these guests has it.
    pub fn new(device: &'a HostPciDevice, all: &[HostPciDevice], guests: &'a [GuestInfo]) -> Self {
        let holder = device.holder(all, guests);
        let named = |fault| holder.filter(|(other, _)| *other == fault).map(|(_, guest)| guest.name.as_str());
        let (guest, group_guest) = (named(PciFault::HeldByGuest), named(PciFault::GroupHeldByGuest));
        Self { device: HostPciView::from(device), guest, group_guest }
    }
}

/// A device that a guest has.
#[derive(Debug, Serialize)]
pub struct PciView<'a> {
    pci: &'a str,
    address: String,
    device: String,
    label: Option<&'a str>,
    present: Option<bool>,
    leaving: bool,
}

impl<'a> From<&'a PciInfo> for PciView<'a> {
    fn from(pci: &'a PciInfo) -> Self {
        Self {
            pci: &pci.name,
            address: pci.address.to_string(),
            device: pci.id.to_string(),
            label: pci.label.as_deref(),
            present: pci.present,
            leaving: pci.leaving,
        }
    }
}

/// All PCI devices of a guest.
#[derive(Debug, Serialize)]
pub struct GuestPciView<'a> {
    /// Each of them.
    pub pci: Vec<PciView<'a>>,
}
