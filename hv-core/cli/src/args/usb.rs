//! USB devices on the command line.

use hv_api::UsbDevice;

/// What is done with a guest's USB devices.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum UsbAction {
    /// Give the guest a device of this computer's, also while it runs. One that is not plugged in is the guest's as
    /// soon as it is.
    Add {
        /// VENDOR:PRODUCT, and where several are the same, @ and the place where it is plugged in: 0781:5567@3-1.2.
        #[arg(value_name = "DEVICE")]
        device: UsbDevice,
    },
    /// Take a device away: this computer has it again.
    Remove {
        /// VENDOR:PRODUCT, and where it has several of these, @ and the place.
        #[arg(value_name = "DEVICE")]
        device: UsbDevice,
    },
}
