//! Facts about the host.

use crate::{Accelerator, AudioService, ByteSize, Firmware, HostPciDevice, HostUsbDevice};
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// What `/dev/kvm` turned out to be when it was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum KvmState {
    /// It ran a test program at the speed of hardware.
    Works,
    /// There is no `/dev/kvm`: no virtualization in this CPU, or it is switched off in the firmware.
    NoDevice,
    /// This user may not open it.
    NoPermission,
    /// It opens, but runs programs far slower than hardware does: guests would hang.
    TooSlow,
    /// It opens, but does not run the test program. `detail` says what failed.
    Broken,
}

/// The accelerator that guests get, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct AcceleratorInfo {
    /// The one that was chosen.
    pub chosen: Accelerator,
    /// What was found out about KVM.
    pub kvm: KvmState,
    /// Measurements and words of the operating system behind that, in English.
    pub detail: String,
}

/// The program that runs guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct EngineInfo {
    /// The program's name: `qemu-system-x86_64`.
    pub program: String,
    /// Where it was found; nothing where it is not installed.
    pub path: Option<String>,
    /// Its version, as `7.2.22`; nothing where it could not be asked.
    pub version: Option<String>,
}

/// One firmware that guests could start with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct FirmwareInfo {
    /// Which kind it is.
    pub kind: Firmware,
    /// Its image on the host.
    pub path: String,
    /// Whether it can start only what is signed: it knows Secure Boot, and whose signatures to trust.
    pub secure_boot: bool,
}

/// Why the CPU time of guests can't be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum CpuLimitFault {
    /// This user has no systemd that could share it out.
    NoManager,
    /// The user's systemd has not been handed it to share out.
    NotDelegated,
    /// The user's systemd refused.
    Refused,
}

/// What this computer has for guests, and where the core keeps things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct HostInfo {
    /// The accelerator that guests get; nothing in the short time until it has been tried.
    pub accelerator: Option<AcceleratorInfo>,
    /// The program that runs guests.
    pub engine: EngineInfo,
    /// CPUs (hardware threads) that this user may use; the most that one guest may have.
    pub cpus: u32,
    /// Why the CPU time of guests can't be limited; nothing where it can.
    pub cpu_limit_fault: Option<CpuLimitFault>,
    /// Memory of the host; the most that one guest may have.
    pub memory: ByteSize,
    /// Memory that could be given out at the moment this was asked.
    pub memory_available: ByteSize,
    /// Firmware found on the host.
    pub firmware: Vec<FirmwareInfo>,
    /// The program that gives guests a TPM; nothing where it is not installed.
    pub tpm_program: Option<String>,
    /// What plays the guests' sound; nothing where nobody hears it.
    pub audio: Option<AudioService>,
    /// Whether this computer runs on battery; nothing where nobody tells, so that nothing is done about it.
    pub on_battery: Option<bool>,
    /// How long the end of the user's session and the host's sleep wait for guests, in whole seconds; nothing where
    /// nobody tells of them, so that nothing is done then.
    pub session_wait: Option<u32>,
    /// What is plugged into its USB ports, in the order of their places.
    pub usb: Vec<HostUsbDevice>,
    /// Whether it has an IOMMU that is switched on, without which no guest can have a PCI device.
    pub iommu: bool,
    /// Its PCI devices that guests may have a use for, in the order of their addresses.
    pub pci: Vec<HostPciDevice>,
    /// The most memory that an engine may lock, as it does for a guest with a PCI device; nothing where there is no
    /// limit.
    pub locked_memory: Option<ByteSize>,
    /// The folder with the guests.
    pub data_folder: String,
    /// The folder with logs.
    pub state_folder: String,
    /// The folder with sockets.
    pub runtime_folder: String,
    /// Free space in the folder with the guests.
    pub free_space: ByteSize,
    /// The core's version.
    pub core_version: String,
    /// The core's process.
    pub core_pid: u32,
}
