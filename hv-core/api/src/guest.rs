//! A guest as clients see it: what it is, what it is doing, and what a client may ask of it.

use crate::{
    Answers, BootInfo, BootSettings, ByteSize, CloudInit, DeviceSettings, DiskBus, DiskInfo, GuestId,
    HostRoom, LiveRanges, NewDisk, NewNic, NicInfo, PciInfo, PowerInfo, PowerSettings, ShutdownWait,
    SnapshotId, SnapshotInfo, SoundCard, UsbInfo, Watchdog,
};
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// What a guest is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum GuestState {
    /// No engine runs; the guest costs nothing but its disks.
    Off,
    /// An engine is being started and has not yet said that the guest runs.
    Starting,
    /// The guest runs.
    Running,
    /// The guest's CPUs are stopped; its memory is kept.
    Paused,
    /// The guest's memory is being written to a file; its CPUs are stopped.
    Saving,
    /// No engine runs; the guest's memory is in a file, with which it goes on when it is started.
    Saved,
    /// The guest was asked to shut down and has not yet done so.
    ShuttingDown,
    /// The engine or the guest ended in a way nobody asked for. `reason` and `detail` say which.
    Crashed,
    /// The guest's definition can't be read. `detail` says why; the file is left as it is.
    Unavailable,
}

/// What brought a guest into its state, where that is worth saying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum StateReason {
    /// The guest powered itself off.
    PoweredOff,
    /// A person forced it off.
    ForcedOff,
    /// The guest restarted itself, which its definition answers otherwise.
    Rebooted,
    /// It was started anew again and again, and ended or crashed each time; it is not started once more.
    /// `detail` says how often.
    RestartedTooOften,
    /// The engine could not be started. `detail` has its words.
    StartFailed,
    /// The saved state could not be restored; it is kept. `detail` has the engine's words.
    RestoreFailed,
    /// The engine ended by itself. `detail` has its last words.
    EngineDied,
    /// The guest's own system reported a crash.
    GuestPanicked,
    /// The guest hung: its watchdog was not calmed in time.
    Watchdog,
    /// A disk could not be written; the guest is paused so that nothing is lost.
    DiskError,
    /// The host's disk is full; the guest is paused so that nothing is lost.
    DiskFull,
    /// The host runs on battery and nobody looks at the guest, whose rule is to be paused then. It goes on by itself
    /// when somebody looks or the plug is put in.
    OnBattery,
    /// The definition is cut short or malformed.
    DefinitionMalformed,
    /// The definition was written by a newer version of this program.
    DefinitionNewer,
}

/// What runs a guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum Accelerator {
    /// The host's CPU, through Linux's KVM.
    Kvm,
    /// Software emulation (QEMU's TCG): works everywhere, some ten times slower.
    Emulation,
}

/// The firmware that a guest's machine starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum Firmware {
    /// The PC's traditional firmware.
    Bios,
    /// UEFI firmware, with a variable store of the guest's own.
    Uefi,
}

/// Everything a client needs to show or list one guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct GuestInfo {
    /// Its identity.
    pub id: GuestId,
    /// Its name: 1–64 characters, unique for this user. Of an unavailable guest, its folder's name.
    pub name: String,
    /// What it is doing.
    pub state: GuestState,
    /// Why it is in that state.
    pub reason: Option<StateReason>,
    /// Words of the engine or the operating system about `reason`, in English, unformatted.
    pub detail: Option<String>,
    /// Since when it is in that state, in seconds since 1970.
    pub since: u64,
    /// What is waited for while it shuts down because it was asked to.
    pub waiting: Option<ShutdownWait>,
    /// The engine's process, while there is one.
    pub pid: Option<u32>,
    /// Whether nothing is kept of what it writes while it runs this time.
    #[serde(default)]
    pub disposable: bool,
    /// What runs its instructions, while an engine runs.
    pub accelerator: Option<Accelerator>,
    /// The operating system, as a short id of the operating-system database.
    pub os: Option<String>,
    /// The operating system's name for people.
    pub os_name: Option<String>,
    /// How many virtual CPUs it is defined with.
    pub cpus: u32,
    /// How much memory it is defined with.
    pub memory: ByteSize,
    /// How many virtual CPUs it can be given while it runs.
    pub max_cpus: u32,
    /// Percent of what its CPUs could use that it gets at most, from 1 to 99; no limit where left out.
    pub cpu_limit: Option<u32>,
    /// How much memory it can be given while it runs.
    pub max_memory: ByteSize,
    /// What can be changed at once, while an engine runs.
    pub live: Option<LiveRanges>,
    /// The memory that the guest has at this moment, while an engine runs and says so. It follows a change as
    /// the guest gives memory back or takes it.
    pub memory_now: Option<ByteSize>,
    /// The room on the host, while the guest stands since there was none for what it writes. It goes on by itself
    /// when there is.
    pub room: Option<HostRoom>,
    /// The firmware it starts with.
    pub firmware: Firmware,
    /// How it starts, besides that.
    pub boot: BootInfo,
    /// Its disks, in the order in which it sees them.
    pub disks: Vec<DiskInfo>,
    /// The buses to which a disk can be added at once, while an engine runs.
    pub live_disk_buses: Vec<DiskBus>,
    /// Its drives for removable media.
    pub drives: Vec<DriveInfo>,
    /// Its network cards.
    pub nics: Vec<NicInfo>,
    /// USB devices of the host's that it has.
    pub usb: Vec<UsbInfo>,
    /// PCI devices of the host's that it has, and those that were taken away and that it has not let go of.
    pub pci: Vec<PciInfo>,
    /// While an engine runs: the IOMMU groups whose devices its machine can be given at once. Those of others it gets
    /// with its next start.
    pub live_pci_groups: Vec<u32>,
    /// How many serial ports it has, 0–4.
    pub serial_ports: u32,
    /// What becomes of it when it hangs, as its watchdog finds out.
    pub watchdog: Watchdog,
    /// Its sound card.
    pub sound: SoundCard,
    /// The kernel it is started with directly, instead of by its firmware.
    pub kernel: Option<String>,
    /// What is known of the installation of its system, while that goes on. The message of the event stream with which it
    /// goes, and `installed` comes, says that the guest is ready.
    #[serde(default)]
    pub installing: Option<Installation>,
    /// When its system was installed, in seconds since 1970; missing where that was not seen.
    #[serde(default)]
    pub installed: Option<u64>,
    /// The drive, behind the others, with what a cloud image is told at its first start; nothing when that is over.
    #[serde(default)]
    pub first_start: Option<String>,
    /// How its power is looked after.
    pub power: PowerInfo,
    /// Its snapshots, in the order in which they were taken.
    pub snapshots: Vec<SnapshotInfo>,
    /// The snapshot after which it is now: that which was taken last, or to which it was put back last.
    pub current_snapshot: Option<SnapshotId>,
    /// Changes that the running machine has not yet: they apply at the next start.
    pub pending: Vec<PendingChange>,
    /// Where its files are.
    pub paths: GuestPaths,
}

impl GuestInfo {
    /// The PCI device because of which all memory of its machine stays where it is: it can't be written into a file, and
    /// no part of it can be given back. Nothing where its machine has none, or no engine runs.
    pub fn pinning(&self) -> Option<&PciInfo> {
        self.pci.iter().find(|pci| pci.present == Some(true))
    }

    /// What of the setting with this name waits for the next start; nothing where the machine has what is wanted.
    pub fn pending_change(&self, key: &str) -> Option<&PendingChange> {
        self.pending.iter().find(|change| change.key == key)
    }

    /// A guest of which nothing else is known: no devices, no files, no engine.
    pub fn new(id: GuestId, name: impl Into<String>, state: GuestState) -> Self {
        Self {
            id,
            name: name.into(),
            state,
            reason: None,
            detail: None,
            since: 0,
            waiting: None,
            pid: None,
            disposable: false,
            accelerator: None,
            os: None,
            os_name: None,
            cpus: 0,
            memory: ByteSize::bytes(0),
            max_cpus: 0,
            cpu_limit: None,
            max_memory: ByteSize::bytes(0),
            live: None,
            memory_now: None,
            room: None,
            firmware: Firmware::Bios,
            boot: BootInfo::default(),
            disks: Vec::new(),
            live_disk_buses: Vec::new(),
            drives: Vec::new(),
            nics: Vec::new(),
            usb: Vec::new(),
            pci: Vec::new(),
            live_pci_groups: Vec::new(),
            serial_ports: 0,
            watchdog: Watchdog::None,
            sound: SoundCard::None,
            kernel: None,
            installing: None,
            installed: None,
            first_start: None,
            power: PowerInfo::default(),
            snapshots: Vec::new(),
            current_snapshot: None,
            pending: Vec::new(),
            paths: GuestPaths::default(),
        }
    }
}

/// The installation of a guest's system, while it goes on. It ends by itself when the installer has restarted the machine
/// or powered it off often enough and the guest's first disk can be started from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Installation {
    /// The drive whose medium is taken out afterwards.
    pub medium: Option<String>,
    /// The tree that the installer reads: an address, or a folder of this computer.
    pub tree: Option<String>,
    /// True where nobody has to answer the installer.
    pub unattended: bool,
    /// How often the installer restarts the machine, or powers it off, until the system is installed.
    pub restarts: u32,
}

/// One drive for removable media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct DriveInfo {
    /// Its name within the guest: `cd0`, `cd1`, …
    pub name: String,
    /// The medium in it, as a path on the host.
    pub medium: Option<String>,
}

/// A setting whose new value waits for the next start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct PendingChange {
    /// The setting, as `Set` names it.
    pub key: String,
    /// What the running machine has.
    pub now: String,
    /// What it will have after its next start.
    pub next: String,
}

/// Where a guest's files are on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct GuestPaths {
    /// The folder with its definition and the disks made for it.
    pub folder: String,
    /// The definition, a TOML file.
    pub definition: String,
    /// What the engine wrote.
    pub engine_log: String,
    /// What the guest wrote on each serial port since its last start: of one that runs, those of its machine.
    pub serial_logs: Vec<String>,
}

/// What a new guest shall be. All but the name may be left out: the core then chooses by the medium
/// and by what the host has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct NewGuest {
    /// 1–64 characters without `/` or control characters, not starting with a dot, not yet taken.
    pub name: String,
    /// The installation medium: the absolute path of an ISO.
    pub iso: Option<String>,
    /// A Linux kernel to start directly: an absolute path.
    pub kernel: Option<String>,
    /// Instead, one of its disks, as `disk0`, whose boot loader says which kernel on it is started, anew at each start.
    pub kernel_disk: Option<String>,
    /// The initial file system that goes with the kernel: an absolute path.
    pub initrd: Option<String>,
    /// The kernel's command line; of an install tree's, what is added to it.
    pub append: Option<String>,
    /// The install tree: the absolute path of a folder, which the core serves to the guest while it installs, or an
    /// address (http, https).
    pub tree: Option<String>,
    /// The operating system, as a short id of the operating-system database; where left out, what the medium says.
    pub os: Option<String>,
    /// Virtual CPUs, at least 1 and at most what the host's `limits` allow.
    pub cpus: Option<u32>,
    /// Memory, at least 16 MiB and at most what the host has.
    pub memory: Option<ByteSize>,
    /// How many virtual CPUs it can be given while it runs; as many as the host has where left out.
    pub max_cpus: Option<u32>,
    /// How much memory it can be given while it runs; where left out, as much as the host has, from 1 GiB on.
    pub max_memory: Option<ByteSize>,
    /// The size of a new disk, at least 1 MiB; of a copy, at least the image's own, which it has where left out.
    pub disk: Option<ByteSize>,
    /// A disk image, of which its disk is to be a copy: an absolute path. Also in a form of other programs (VMDK, VDI,
    /// VHD, VHDX), or packed (gzip, xz, Zstandard). The file itself stays as it is.
    pub image: Option<String>,
    /// What a cloud image is told at its first start; goes with `image`.
    pub cloud: Option<CloudInit>,
    /// Answers to the questions of the installer on `iso`, which then installs the system by itself.
    pub express: Option<Answers>,
    /// An existing disk image to use in place, instead of a new disk: an absolute path.
    pub disk_path: Option<String>,
    /// The partitions that the guest gets of the physical disk at `disk_path`, by their numbers, as in [`crate::NewDisk`].
    pub partitions: Option<Vec<u32>>,
    /// The files that the image at `image` or `disk_path` builds on, all of them and in their order, where somebody has
    /// agreed to them.
    pub backing: Option<Vec<String>>,
    /// All of its disks, instead of `disk`, `image` and `disk_path`.
    pub disks: Option<Vec<NewDisk>>,
    /// True where it shall have no disk at all.
    pub no_disk: Option<bool>,
    /// False where it shall have no network card.
    pub network: Option<bool>,
    /// Its network cards; where left out, one in user mode.
    pub nics: Option<Vec<NewNic>>,
    /// Serial ports, 0–4; one where left out.
    pub serial_ports: Option<u32>,
    /// The firmware; where left out, what the medium or its system needs, or BIOS.
    pub firmware: Option<Firmware>,
    /// True for UEFI firmware that starts only what is signed. Excludes BIOS.
    pub secure_boot: Option<bool>,
    /// True for a TPM 2.0 of its own.
    pub tpm: Option<bool>,
    /// Its identity, where another program has given it one; nobody else may have it.
    pub id: Option<GuestId>,
    /// What becomes of it when it ends, and when the session does.
    pub power: Option<PowerSettings>,
    /// Its watchdog, sound card and serial ports, which count more than `serial_ports`.
    pub devices: Option<DeviceSettings>,
    /// True to start it as soon as it is made.
    pub start: Option<bool>,
}

/// New values for a guest's settings; what is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Settings {
    /// A new name.
    pub name: Option<String>,
    /// Virtual CPUs.
    pub cpus: Option<u32>,
    /// Memory.
    pub memory: Option<ByteSize>,
    /// How many virtual CPUs it can be given while it runs.
    pub max_cpus: Option<u32>,
    /// Percent of what its CPUs could use that it gets at most, from 1 to 100, which is no limit.
    pub cpu_limit: Option<u32>,
    /// How much memory it can be given while it runs.
    pub max_memory: Option<ByteSize>,
    /// How its power is looked after.
    pub power: Option<PowerSettings>,
    /// How its machine starts.
    pub boot: Option<BootSettings>,
    /// Its serial ports, watchdog and sound card.
    pub devices: Option<DeviceSettings>,
    /// True ends the installation of its system by hand: what was there for it is taken away.
    pub installed: Option<bool>,
}
