//! What this computer has for guests: the accelerator, CPUs, memory, firmware, and the folders where
//! the core keeps things.
//!
//! It measures and reports; what a guest gets of it is decided elsewhere.

pub mod accelerator;
mod accelerators;
pub mod audio;
pub mod block;
pub mod disks;
pub mod facts;
pub mod firmware;
mod names;
pub mod paths;
pub mod pci;
pub mod preferences;
pub mod scopes;
mod sysfs;
#[cfg(test)]
pub(crate) mod told;
pub mod usb;
mod uses;
pub mod watch;

pub use accelerator::probe_main;
pub use accelerators::Accelerators;
pub use facts::{cpus, free_space, memory};
pub use paths::Folders;
pub use uses::{Kernel, Use};
