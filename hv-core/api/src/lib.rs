//! What crosses the socket between the hypervisor core and its clients: the types of every method,
//! event and error, the reducer that turns the event stream into the present, the channels that carry
//! pixels and keys, the client, and the words in which a refusal is explained.
//!
//! It is the only crate that both sides share. It promises that the wire only grows: new methods,
//! optional inputs, outputs, members of enumerations and errors, never a changed meaning. It decides
//! nothing about guests (that is `hv-core`) and shows nothing (that is `virt-gui` and `hv`).
#![deny(missing_docs)]

mod answers;
mod boot;
mod boot_menu;
pub mod client;
mod devices;
mod disk;
pub mod display;
mod error;
mod event;
mod guest;
mod host;
mod host_disk;
mod ids;
mod import;
mod job;
mod live;
mod medium;
mod network;
pub mod paths;
mod pci;
mod power;
pub mod problem;
mod saved;
mod service;
mod size;
mod snapshot;
mod statistics;
mod text;
mod usb;

pub use answers::{AnswerFault, AnswerField, Answers, CloudInit, Express, Preferences, Secret};
pub use boot::{BootInfo, BootSettings};
pub use boot_menu::{BootDefaultFault, BootLoader, BootMenu, BootMenuEntry, BootMenuReply, KernelFault};
pub use devices::{AudioService, DeviceSettings, SoundCard, Watchdog};
pub use disk::{DiskBus, DiskCache, DiskInfo, DiskReply, DiskSettings, HostRoom, HostUse, NewDisk};
pub use error::{ApplianceFault, DefinitionFault, Error, FileFault, NameFault, Operation, TreeFault};
pub use event::{Change, Event, Library, Snapshot};
pub use guest::{
    Accelerator, DriveInfo, Firmware, GuestInfo, GuestPaths, GuestState, Installation, NewGuest,
    PendingChange, Settings, StateReason,
};
pub use host::{AcceleratorInfo, CpuLimitFault, EngineInfo, FirmwareInfo, HostInfo, KvmState};
pub use host_disk::{HostDisk, HostDisks, HostPartition};
pub use ids::{GuestId, JobId, SnapshotId};
pub use import::{ImportKind, ImportNote, ImportOutcome, ImportPlan, ImportReason};
pub use job::{JobInfo, JobKind, JobStage, JobState};
pub use live::{Applied, LiveRanges, NotNow, SettingResult};
pub use medium::{
    ApplianceDisk, ApplianceInfo, BackingFile, BootMode, Confidence, MediumInfo, MediumKind, MediumNote,
    OsChoice, Recommended,
};
pub use network::{
    BridgeFault, Forward, ForwardFault, HostAddress, MacAddress, NetworkMode, NetworkTextError, NewNic,
    NicInfo, NicModel, NicSettings, Protocol,
};
pub use pci::{
    HostPciDevice, PciAddress, PciFault, PciId, PciInfo, PciKind, PciObstacle, PciTextError, locked_memory,
};
pub use power::{
    BatteryAction, CrashAction, EndAction, LogoutAction, PowerInfo, PowerSettings, ShutdownWait, SleepAction,
};
pub use saved::{Begun, SavedStateFault};
pub use service::{
    Changed, Core, CpuModels, Created, GuestReply, Guests, INTERFACE, JobReply, LogKind, LogReply, Media,
    Plan, Port, PreferencesReply, StatisticsReply, Systems,
};
pub use size::{ByteSize, SizeError};
pub use snapshot::SnapshotInfo;
pub use statistics::{
    CpuStatistics, DiskStatistics, GuestMemory, GuestStatistics, MemoryStatistics, NicStatistics, Usage,
    VcpuStatistics,
};
pub use usb::{HostUsbDevice, UsbDevice, UsbFault, UsbId, UsbInfo, UsbKind, UsbPort, UsbTextError};
