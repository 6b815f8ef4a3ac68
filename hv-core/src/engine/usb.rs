//! The host's USB devices, as an engine is asked for them.

use super::DiskName;
use hv_api::UsbDevice;

/// The most USB devices of the host's that a machine has.
pub const MAX_USB: u32 = 8;

/// One USB device of the host's. The machine has it as long as it is plugged in there, from now on or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbConfig {
    /// Its number, 0–7: the place in the machine that it has, whatever else comes and goes.
    pub number: u32,
    /// Which it is.
    pub device: UsbDevice,
}

impl UsbConfig {
    /// The number of the place that this disk has, where it is a USB disk: a machine has either there. Nothing where
    /// no other device can be.
    pub fn at_disk(disk: DiskName) -> Option<u32> {
        (super::MAX_DISKS - 1)
            .checked_sub(disk.number())
            .map(|number| number as u32)
            .filter(|it| *it < MAX_USB)
    }
}
