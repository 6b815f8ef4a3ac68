//! PCI devices on the command line.

use hv_api::PciAddress;

/// What is done with a guest's PCI devices.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum PciAction {
    /// Give the guest a device of this computer's, which the driver vfio-pci must have.
    Add {
        /// Where it is, as 0000:01:00.0 or 01:00.0.
        #[arg(value_name = "ADDRESS")]
        address: PciAddress,
    },
    /// Take a device away.
    Remove {
        /// Where it is.
        #[arg(value_name = "ADDRESS")]
        address: PciAddress,
    },
}
