//! How a guest's machine starts.

use crate::Firmware;
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// How a guest starts, besides the kind of its firmware.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct BootInfo {
    /// The kind of machine, as the engine names it: fixed when the guest was made.
    pub machine: String,
    /// The model of its CPUs, as the engine names it; nothing where it is the usual one: this computer's own, or, where
    /// they are emulated, one with all that can be.
    pub cpu_model: Option<String>,
    /// Whether its firmware starts only what is signed.
    pub secure_boot: bool,
    /// Whether it has a TPM 2.0.
    pub tpm: bool,
    /// What it tries to start from, in this order: `disk0`, `cd0`, …; nothing else is tried. Empty: its
    /// disks, then its drives.
    pub order: Vec<String>,
    /// The initial file system that goes with its kernel.
    pub initrd: Option<String>,
    /// Its kernel's command line; of a kernel on its own disk, what is added behind that of the entry.
    pub append: Option<String>,
    /// The disk of its own whose boot loader says which kernel on it is started, anew at each start.
    pub kernel_disk: Option<String>,
    /// The entry of that boot loader's menu that is started, by its title or id; nothing for the one that it would choose.
    pub kernel_entry: Option<String>,
}

/// New values for that; what is left out stays as it is. All take effect at the next start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct BootSettings {
    /// The firmware. BIOS ends Secure Boot; the variable store that UEFI had is kept for another time.
    pub firmware: Option<Firmware>,
    /// Whether its firmware starts only what is signed. True brings UEFI with it.
    pub secure_boot: Option<bool>,
    /// Whether it has a TPM 2.0. What one that is taken away knows is kept.
    pub tpm: Option<bool>,
    /// What it tries to start from, in this order, each once: `disk0`, `cd0`, …; empty for the usual order.
    pub order: Option<Vec<String>>,
    /// A Linux kernel to start directly: an absolute path; empty for none, which takes away what belongs
    /// to it.
    pub kernel: Option<String>,
    /// The initial file system that goes with the kernel: an absolute path; empty for none.
    pub initrd: Option<String>,
    /// The kernel's command line; empty for none.
    pub append: Option<String>,
    /// The model of its CPUs, as the engine names it; empty for the usual one.
    pub cpu_model: Option<String>,
    /// A disk of the guest's, as `disk0`, whose boot loader says which kernel on it is started, anew at each start;
    /// empty for none. It takes the place of `kernel`, and the other way about.
    pub kernel_disk: Option<String>,
    /// The entry of that boot loader's menu, by its title or id; empty for the one that it would choose.
    pub kernel_entry: Option<String>,
}
