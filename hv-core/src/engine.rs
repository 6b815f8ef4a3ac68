//! What a guest needs from the program that runs it, in our own words.
//!
//! Everything outside of `engine/` knows engines by these traits only: a guest's task asks a
//! [`Machine`] for things and learns from [`EngineEvent`]s what has become of it. `engine/qemu` is the
//! engine that people use; tests bring one of their own.

mod disk;
mod pci;
pub mod qemu;
mod usb;

use async_trait::async_trait;
use hv_api::display::{Button, Rect};
use hv_api::{
    Accelerator, AudioService, BridgeFault, ByteSize, EngineInfo, Forward, GuestId, GuestStatistics,
    MacAddress, NicModel, SoundCard,
};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

pub use disk::{DiskConfig, DiskFormat, DiskName, MAX_DISKS, NotADisk};
pub use pci::{MAX_PCI, PciConfig};
pub use usb::{MAX_USB, UsbConfig};

/// The slots that every machine has for devices which are added and taken away while it runs, 0 to one less.
/// A device that was added keeps its slot for good: its guest knows it by that.
pub const SLOTS: u32 = 8;

/// Where an engine says what happens to its machine.
pub type EventSender = mpsc::Sender<EngineEvent>;

/// A program that runs guests.
#[async_trait]
pub trait Engine: Send + Sync {
    /// What it is and whether it is installed. May start it to ask for its version, once.
    async fn info(&self) -> EngineInfo;

    /// The newest kind of machine it offers, by a name that will mean the same machine in years. It is
    /// written into a new guest's definition, so that the guest never finds itself in other hardware.
    async fn newest_machine(&self) -> Result<String, EngineError>;

    /// The program that gives guests a TPM; nothing where it is not installed or the engine knows none.
    fn tpm_program(&self) -> Option<PathBuf> {
        None
    }

    /// What plays the sound of its machines on this computer; nothing where nobody would hear it.
    async fn audio(&self) -> Option<AudioService> {
        None
    }

    /// The models of CPUs that a machine can have besides the usual one, whatever runs its instructions.
    async fn cpu_models(&self) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    /// Whether its machines can have USB devices of the host's.
    async fn has_usb(&self) -> Result<bool, EngineError> {
        Ok(true)
    }

    /// Whether its machines can have PCI devices of the host's.
    async fn has_pci(&self) -> Result<bool, EngineError> {
        Ok(true)
    }

    /// How it would be started for this machine: program first. Starts nothing.
    fn command_line(&self, machine: &MachineConfig) -> Vec<String>;

    /// Starts a machine with its CPUs stopped; answers when it is ready to run. Everything that happens
    /// from then on is said through `events`, the last of them [`EngineEvent::Exited`].
    async fn start(
        &self,
        machine: &MachineConfig,
        events: EventSender,
    ) -> Result<Arc<dyn Machine>, EngineError>;

    /// Finds a machine that another core has started and that still runs; nothing where there is none.
    /// Makes sure that it is this guest's machine and not some process with its number.
    async fn adopt(
        &self,
        guest: GuestId,
        run: &RunFiles,
        events: EventSender,
    ) -> Result<Option<Adopted>, EngineError>;
}

/// A machine found running.
pub struct Adopted {
    /// The machine.
    pub machine: Arc<dyn Machine>,
    /// What it is doing.
    pub status: MachineStatus,
}

impl std::fmt::Debug for Adopted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adopted").field("pid", &self.machine.pid()).field("status", &self.status).finish()
    }
}

/// What a machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineStatus {
    /// Its CPUs run.
    Running,
    /// Its CPUs are stopped.
    Paused,
    /// Its guest has powered itself off, and the engine waits to be ended.
    PoweredOff,
    /// Its guest has crashed, and the engine waits to be ended.
    Panicked,
    /// Its guest hangs, as its watchdog found out, and its CPUs are stopped.
    Hung,
}

/// One running machine. Dropping it leaves the machine running.
#[async_trait]
pub trait Machine: Send + Sync {
    /// The engine's process.
    fn pid(&self) -> u32;

    /// Lets the CPUs run. [`EngineEvent::Running`] follows.
    async fn resume(&self) -> Result<(), EngineError>;

    /// Stops the CPUs. [`EngineEvent::Paused`] follows.
    async fn pause(&self) -> Result<(), EngineError>;

    /// Presses the power button.
    async fn power_button(&self) -> Result<(), EngineError>;

    /// Whether a system in the guest listens to the power button; without one, a press does nothing. Where
    /// an engine can't know, the guest gets its chance.
    async fn hears_power_button(&self) -> Result<bool, EngineError> {
        Ok(true)
    }

    /// Presses the reset button. [`EngineEvent::Reset`] follows.
    async fn reset(&self) -> Result<(), EngineError>;

    /// Writes the whole memory of a machine whose CPUs stand into this file. May take minutes.
    async fn dump_memory(&self, _file: OwnedFd) -> Result<(), EngineError> {
        Err(EngineError::Refused { detail: "it can't write its memory".into() })
    }

    /// Ends the engine, letting it write what it holds; [`EngineEvent::Exited`] follows.
    async fn quit(&self) -> Result<(), EngineError>;

    /// Ends the engine at once, whatever it does. [`EngineEvent::Exited`] follows.
    fn kill(&self);

    /// Writes all that the machine is at this moment into this file, which is empty: memory and devices, not
    /// disks. Its CPUs stand, and stay so. Answers when all is handed to the operating system; `progress` is
    /// told on the way.
    async fn save(&self, _file: OwnedFd, _progress: &watch::Sender<Amount>) -> Result<(), EngineError> {
        Err(EngineError::Refused { detail: "it can't be saved".into() })
    }

    /// Keeps what these volumes hold at this moment within them, by a name that none of them knows yet: all of
    /// them, or none. The CPUs stand.
    async fn keep_volumes(&self, _name: &str, _volumes: &[Volume]) -> Result<(), EngineError> {
        Err(EngineError::Refused { detail: "its disks keep nothing".into() })
    }

    /// Removes what was kept in this volume by that name. Harmless where there is none.
    async fn forget_kept(&self, _name: &str, _volume: Volume) -> Result<(), EngineError> {
        Ok(())
    }

    /// Ends a [`save`](Self::save) that goes on, also one that another core has begun, and makes sure that the
    /// machine can run again. Harmless where there is none.
    async fn cancel_save(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Waits until whatever it has said so far is among its events. What was asked of it and has been answered
    /// has no late echo then.
    async fn hear_out(&self) {}

    /// Makes the machine what it was when this file was saved. It must have been started with
    /// [`MachineConfig::restoring`], for the same hardware, and its CPUs stand afterwards. One that can't do it
    /// is good for nothing any more.
    async fn load(&self, _file: OwnedFd, _progress: &watch::Sender<Amount>) -> Result<(), EngineError> {
        Err(EngineError::Refused { detail: "it can't be saved".into() })
    }

    /// Puts a medium into the drive with this number, from 0, or takes it out. `force` does so even where
    /// the guest holds it.
    async fn change_medium(
        &self,
        drive: u32,
        medium: Option<PathBuf>,
        force: bool,
    ) -> Result<(), EngineError>;

    /// Changes the machine while it runs; answers when the engine has done its part, and where it is the
    /// guest's turn as well, when that has done it or is overdue.
    async fn alter(&self, alteration: Alteration) -> Result<(), EngineError>;

    /// What was added to the memory while the machine runs, piece by piece, in the order in which that was done.
    async fn added_memory(&self) -> Result<Vec<ByteSize>, EngineError> {
        Ok(Vec::new())
    }

    /// The memory that the guest has at this moment.
    async fn memory(&self) -> Result<ByteSize, EngineError>;

    /// Writes a PNG picture of the display into this file, which was opened for writing only.
    async fn screenshot(&self, file: OwnedFd) -> Result<(), EngineError>;

    /// Presses keys together and lets them go. Codes are those of Linux's `input-event-codes.h`.
    async fn press_keys(&self, codes: &[u16]) -> Result<(), EngineError>;

    /// Types into the serial port with this number, from 0.
    async fn write_serial(&self, port: u32, bytes: Vec<u8>) -> Result<(), EngineError>;

    /// What the machine has used until this moment. What it does not tell soon is left out. An engine
    /// that counts nothing leaves this out.
    async fn statistics(&self) -> Result<GuestStatistics, EngineError> {
        Err(EngineError::Refused { detail: "it does not count what its guests use".into() })
    }

    /// Begins or ceases to ask the guest about its memory, once a second. A machine that is started or
    /// found doesn't ask it.
    async fn observe_memory(&self, _on: bool) -> Result<(), EngineError> {
        Ok(())
    }

    /// Draws the display into `canvas` from now on, until what is returned is dropped.
    async fn open_display(&self, canvas: Box<dyn Canvas>) -> Result<Box<dyn DisplayInput>, EngineError>;
}

/// What can be changed in a machine that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    /// So many virtual CPUs, up to the machine's most.
    Cpus(u32),
    /// So much memory, up to the machine's most. What is more than the guest has now is there for it at once;
    /// what is less it gives back as it can, and [`EngineEvent::Memory`] tells how far it is.
    Memory(ByteSize),
    /// The disk of this name grows to this size.
    DiskSize(DiskName, ByteSize),
    /// It gets this disk, at the place that it has there.
    AddDisk(Box<DiskConfig>),
    /// It loses the disk of this name, of which nothing is held any more afterwards. Where the guest does not let
    /// go of it, [`EngineError::GuestRefused`]; when it does later, [`EngineEvent::DiskGone`] tells.
    RemoveDisk(DiskName),
    /// With true, the machine stops where its guest restarts itself, and [`EngineEvent::Rebooted`] is said; with
    /// false, the guest begins anew. A press of the reset button may set it to false.
    StopOnReboot(bool),
    /// A network card more.
    AddNic(NicConfig),
    /// The network card with this number is taken away.
    RemoveNic(u32),
    /// A network card, as it is, is plugged into another network, as the second one says.
    Replug(NicConfig, NetworkConfig),
    /// The cable of the network card with this number is plugged in, or not.
    NicLink(u32, bool),
    /// A USB device of the host's.
    AddUsb(UsbConfig),
    /// The USB device of the host's with this number is taken away.
    RemoveUsb(u32),
    /// A PCI device of the host's, at the place that it has in the machine.
    AddPci(PciConfig),
    /// The PCI device of the host's with this number is taken away. Where the guest does not let go of it,
    /// [`EngineError::GuestRefused`]; when it does later, [`EngineEvent::PciGone`] tells.
    RemovePci(u32),
    /// A port of the host's leads to the network card with this number, which is in user mode.
    AddForward(u32, Forward),
    /// It leads there no longer.
    RemoveForward(u32, Forward),
}

/// A volume that a machine writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// That of the disk with this name.
    Disk(DiskName),
    /// That with the variables of its firmware.
    VariableStore,
}

/// How far something has come that moves bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// What is done.
    pub done: ByteSize,
    /// The whole, as far as it is known.
    pub total: ByteSize,
}

/// What an engine draws a display on. Calls come one after the other; all are quick. What an engine's
/// program says is passed on as it is: sizes and lengths may be nonsense, which a canvas leaves out.
pub trait Canvas: Send {
    /// The whole picture: its size, bytes a line, and 32 bits a pixel (blue, green, red, unused).
    fn picture(&mut self, width: u32, height: u32, stride: u32, pixels: &[u8]);

    /// A part of the picture, in the same form; `stride` is that of `pixels`.
    fn update(&mut self, part: Rect, stride: u32, pixels: &[u8]);

    /// The pointer's look: blue, green, red, alpha.
    fn cursor(&mut self, width: u32, height: u32, hot: (u32, u32), pixels: &[u8]);

    /// Whether the guest shows a pointer.
    fn cursor_visible(&mut self, visible: bool);

    /// Whether the guest takes positions or movements.
    fn pointer_absolute(&mut self, absolute: bool);

    /// The lights of the keyboard.
    fn lights(&mut self, caps: bool, num: bool, scroll: bool);

    /// The engine has ended or shows nothing any more.
    fn closed(&mut self);
}

/// Keys and pointer for a display that is open. Nothing here waits: what an engine can't take at once is
/// put in order and delivered, and a guest that takes nothing loses it.
pub trait DisplayInput: Send {
    /// A key goes down or up.
    fn key(&self, code: u16, down: bool);
    /// The pointer is at this place, in guest pixels.
    fn pointer_at(&self, x: u32, y: u32);
    /// The pointer moved.
    fn pointer_by(&self, dx: i32, dy: i32);
    /// A button goes down or up.
    fn button(&self, button: Button, down: bool);
    /// The display should have this size.
    fn resize(&self, width: u32, height: u32);
}

/// What happens to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineEvent {
    /// Its CPUs run.
    Running,
    /// Its CPUs stand.
    Paused,
    /// It was reset, by its guest or from outside.
    Reset,
    /// Its guest has powered it off. The engine waits to be ended.
    PoweredOff,
    /// Its guest has restarted it, and it stands instead, as it was told.
    Rebooted,
    /// Its guest says that it has crashed. The engine waits to be ended.
    Panicked,
    /// Its guest hangs: it did not calm its watchdog. Its CPUs stand, and it is decided outside what comes of it.
    Hung,
    /// A disk failed, and its CPUs stand so that nothing is lost.
    DiskFailed {
        /// True where the host's disk is full.
        full: bool,
        /// The engine's words.
        detail: String,
    },
    /// The guest has this much memory now.
    Memory(ByteSize),
    /// The guest has opened (`None`) or changed a drive itself.
    MediumEjected {
        /// The drive's number, from 0.
        drive: u32,
    },
    /// The guest has let go of a disk that it was to lose.
    DiskGone(DiskName),
    /// The guest has let go of the PCI device of the host's with this number, which it was to lose.
    PciGone(u32),
    /// The engine has ended. Nothing follows.
    Exited {
        /// The end of what it wrote, and how it ended.
        detail: String,
    },
}

/// A machine as an engine is asked for it. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineConfig {
    /// Whose machine it is.
    pub guest: GuestId,
    /// The guest's name, for people who look at the host's processes.
    pub name: String,
    /// The kind of machine, as [`Engine::newest_machine`] named it.
    pub machine: String,
    /// What runs its instructions.
    pub accelerator: Accelerator,
    /// The model of its CPUs; the usual one of the accelerator where there is none.
    pub cpu_model: Option<String>,
    /// Virtual CPUs.
    pub cpus: u32,
    /// How many it can be given while it runs, at least as many.
    pub max_cpus: u32,
    /// Memory.
    pub memory: ByteSize,
    /// How much it can be given while it runs, at least as much.
    pub max_memory: ByteSize,
    /// Firmware.
    pub firmware: FirmwareConfig,
    /// Whether it has a TPM.
    pub tpm: bool,
    /// What it tries to start from, in this order; where nothing is named, its disks, then its drives.
    pub order: Vec<BootDevice>,
    /// Disks, in their order.
    pub disks: Vec<DiskConfig>,
    /// Drives for optical media, in their order.
    pub drives: Vec<DriveConfig>,
    /// Network cards, in their order.
    pub nics: Vec<NicConfig>,
    /// USB devices of the host's.
    pub usb: Vec<UsbConfig>,
    /// PCI devices of the host's.
    pub pci: Vec<PciConfig>,
    /// Whether it has a watchdog.
    pub watchdog: bool,
    /// Its sound card.
    pub sound: SoundCard,
    /// What plays its sound.
    pub audio: Option<AudioService>,
    /// A Linux kernel to start directly.
    pub kernel: Option<KernelConfig>,
    /// It is started only to be given what another machine was, with [`Machine::load`].
    pub restoring: bool,
    /// What was added to the memory of that other machine while it ran, piece by piece.
    pub added_memory: Vec<ByteSize>,
    /// Its files while it runs. `run.serial_logs` has one entry a serial port.
    pub run: RunFiles,
}

/// What a machine can start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootDevice {
    /// A disk.
    Disk(DiskName),
    /// A drive for optical media, by its number, from 0.
    Drive(usize),
}

/// The firmware of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirmwareConfig {
    /// The engine's own BIOS.
    Bios,
    /// UEFI firmware from these files.
    Uefi(UefiConfig),
}

/// UEFI firmware and its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UefiConfig {
    /// The firmware's image, which is only read.
    pub image: PathBuf,
    /// The format of the image.
    pub image_format: DiskFormat,
    /// The guest's variable store, in qcow2 so that snapshots can have it too.
    pub store: PathBuf,
    /// Whether the firmware keeps its secrets in system management mode, and works in no other way.
    pub smm: bool,
}

/// One drive for optical media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveConfig {
    /// The medium in it.
    pub medium: Option<PathBuf>,
}

/// One network card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicConfig {
    /// Its number, by which it is named. That of the other cards needn't be near.
    pub number: u32,
    /// How it reaches the world.
    pub network: NetworkConfig,
    /// What it is.
    pub model: NicModel,
    /// Its address.
    pub mac: MacAddress,
    /// Whether its cable is plugged in.
    pub link: bool,
    /// The slot that it is in; nothing where it has a fixed place, at which it can't be taken away while the
    /// machine runs.
    pub slot: Option<u32>,
}

/// What a network card is plugged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkConfig {
    /// The user's own connections.
    User {
        /// Ports of the host's that lead to the card.
        forwards: Vec<Forward>,
    },
    /// A bridge of the host's.
    Bridge {
        /// Its name, which is one that an interface can have.
        bridge: String,
    },
    /// A network of guests alone.
    Isolated {
        /// Its name, which is one that a file can have.
        network: String,
    },
}

/// A Linux kernel that is started without firmware's help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelConfig {
    /// The kernel.
    pub kernel: PathBuf,
    /// Its initial file system.
    pub initrd: Option<PathBuf>,
    /// Its command line.
    pub append: Option<String>,
}

/// Stands before what the core itself notes in an engine's log.
pub const NOTE_MARK: &str = "--- note: ";

/// The files of a machine while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFiles {
    /// A folder that only this user may enter, for the engine's sockets; the engine chooses the names.
    pub folder: PathBuf,
    /// Where what its TPM knows is kept. Made when it first has one.
    pub tpm_folder: PathBuf,
    /// Where isolated networks are, a folder each.
    pub networks: PathBuf,
    /// Where the engine's output is appended.
    pub engine_log: PathBuf,
    /// Where the output of each serial port is appended, by the engine itself, so that none is lost
    /// while no core runs.
    pub serial_logs: Vec<PathBuf>,
}

/// Why an engine did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// It is not installed.
    #[error("{program} is not installed")]
    Missing {
        /// Its name.
        program: String,
    },
    /// It could not be started, or ended before it was ready.
    #[error("the engine did not start: {detail}")]
    NotStarted {
        /// Its words.
        detail: String,
    },
    /// It refused.
    #[error("the engine refused: {detail}")]
    Refused {
        /// Its words.
        detail: String,
    },
    /// It can't do that while the guest runs, but will have it so when it is started the next time.
    #[error("it can't be done while the guest runs: {detail}")]
    NotWhileRunning {
        /// Why.
        detail: String,
    },
    /// Something else on this computer has a block device for itself.
    #[error("{} is in use: {by}", path.display())]
    DeviceTaken {
        /// The device.
        path: PathBuf,
        /// The programs that have it, where that can be known.
        by: String,
    },
    /// It asked the guest, and the guest did not do its part.
    #[error("the guest did not do its part")]
    GuestRefused,
    /// The guest holds the medium.
    #[error("the guest holds the medium")]
    MediumLocked,
    /// It did not answer in time.
    #[error("the engine was silent for {seconds} s")]
    Silent {
        /// How long was waited.
        seconds: u32,
    },
    /// A bridge of the host's can't be used.
    #[error("the bridge {bridge} can't be used: {detail}")]
    Bridge {
        /// The bridge.
        bridge: String,
        /// What is wrong.
        fault: BridgeFault,
        /// The helper's words.
        detail: String,
    },
    /// It has ended.
    #[error("the engine has ended")]
    Gone,
}
