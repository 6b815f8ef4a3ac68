//! The host's PCI devices, as an engine is asked for them.

use super::SLOTS;
use hv_api::PciAddress;

/// The most PCI devices of the host's that a machine has: each is in a slot.
pub const MAX_PCI: u32 = SLOTS;

/// One PCI device of the host's, which the host's driver for that has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciConfig {
    /// Its number, by which it is named.
    pub number: u32,
    /// Where it is in the host.
    pub address: PciAddress,
    /// The machine's slot that it is in.
    pub slot: u32,
    /// Its IOMMU group, as it is when the machine is started.
    pub group: Option<u32>,
}
