//! PCI devices in JSON.

use super::views::{Word, wire_word};
use crate::failure::english;
use hv_api::problem::explain_pci;
use hv_api::{HostPciDevice, PciKind};
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
