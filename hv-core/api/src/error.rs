//! Why the core refuses or fails: typed, with the values a client can act on.

mod faults;

use crate::{
    AnswerFault, AnswerField, BootDefaultFault, BridgeFault, ByteSize, CpuLimitFault, Express, Firmware,
    ForwardFault, GuestInfo, GuestState, HostUse, KernelFault, PciAddress, PciFault, SavedStateFault,
    UsbFault,
};
pub use faults::{ApplianceFault, DefinitionFault, FileFault, NameFault, Operation, TreeFault};
use zlink::ReplyError;
use zlink::introspect;

/// Why a call did not do what was asked. Nothing was changed unless a variant says so.
///
/// `detail` is for experts: words of the engine or the operating system, in English.
#[derive(Debug, Clone, PartialEq, Eq, ReplyError, introspect::ReplyError)]
#[zlink(interface = "dev.guesthouse.Core")]
pub enum Error {
    /// No guest has that name or id.
    GuestNotFound {
        /// What was asked for.
        guest: String,
    },
    /// Another guest has that name.
    NameTaken {
        /// The name.
        name: String,
    },
    /// A guest can't have that name.
    NameInvalid {
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// A guest can't have that many virtual CPUs here.
    CpusOutOfRange {
        /// What was asked for.
        requested: u32,
        /// The fewest possible.
        minimum: u32,
        /// The most possible on this host.
        maximum: u32,
    },
    /// A guest can't have that much memory here.
    MemoryOutOfRange {
        /// What was asked for.
        requested: ByteSize,
        /// The least possible.
        minimum: ByteSize,
        /// The most possible on this host.
        maximum: ByteSize,
    },
    /// The host has that much memory, but has promised it to other guests that run.
    MemoryPromised {
        /// What was asked for.
        requested: ByteSize,
        /// What the other guests have.
        promised: ByteSize,
        /// What the host has.
        total: ByteSize,
    },
    /// A disk can't have that size.
    DiskSizeOutOfRange {
        /// What was asked for.
        requested: ByteSize,
        /// The least possible.
        minimum: ByteSize,
        /// The most possible.
        maximum: ByteSize,
    },
    /// A guest can't have that many serial ports.
    SerialPortsOutOfRange {
        /// What was asked for.
        requested: u32,
        /// The most possible.
        maximum: u32,
    },
    /// Two things were asked for of which only one can be.
    OptionsConflict {
        /// The first, as the method names it.
        first: String,
        /// The second.
        second: String,
    },
    /// Something was asked for that makes sense only together with something else.
    OptionNeeds {
        /// What was asked for, as the method names it.
        option: String,
        /// What it needs.
        needs: String,
    },
    /// The guest has nothing of that name to start from.
    BootDeviceNotFound {
        /// The guest's name.
        guest: String,
        /// What was named; empty where it has no medium in any drive.
        device: String,
    },
    /// No kernel of the guest's own disk can be started. Nothing else is started instead.
    KernelNotOnDisk {
        /// The guest's name.
        guest: String,
        /// The disk.
        disk: String,
        /// Why not.
        fault: KernelFault,
        /// What was looked at, or for, in English.
        detail: String,
    },
    /// Another entry of the boot menu on the guest's disk can't be made the default from outside.
    BootDefaultFixed {
        /// The guest's name.
        guest: String,
        /// The disk.
        disk: String,
        /// Why not.
        fault: BootDefaultFault,
        /// What that has to do with: a file on the disk, the words of a program; empty where there is nothing.
        detail: String,
    },
    /// This computer has no such firmware for guests.
    FirmwareMissing {
        /// Its kind.
        firmware: Firmware,
        /// Whether it had to know Secure Boot.
        secure_boot: bool,
    },
    /// A file that was named can't be used.
    FileUnusable {
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: FileFault,
        /// Words of the operating system.
        detail: String,
    },
    /// A disk image builds on other files than those to which somebody has agreed.
    BuildsOnOthers {
        /// The image.
        path: String,
        /// All files that it builds on, from the nearest on.
        files: Vec<String>,
    },
    /// A file that belongs to an appliance can't be used.
    ApplianceFileUnusable {
        /// The appliance.
        path: String,
        /// The file, as the appliance names it.
        file: String,
        /// What is wrong with it.
        fault: ApplianceFault,
    },
    /// A file of an appliance is not as the appliance's manifest says.
    ApplianceDamaged {
        /// The appliance.
        path: String,
        /// The file, as the manifest names it.
        file: String,
        /// How the digests are made, as `SHA-256`.
        algorithm: String,
        /// The digest that the manifest says.
        expected: String,
        /// The digest that the file has.
        found: String,
    },
    /// There is no machine of that name in an appliance.
    MachineNotFound {
        /// The appliance.
        path: String,
        /// The name.
        machine: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The host has less room than what is to be made takes up.
    SpaceMissing {
        /// Where.
        path: String,
        /// What it takes up at the least.
        needed: ByteSize,
        /// What is free there.
        available: ByteSize,
    },
    /// A disk is in use already.
    DiskInUse {
        /// The disk's file.
        path: String,
        /// The name of the guest that has it.
        holder: String,
    },
    /// A file or device can't be a disk, as this computer itself has it.
    DiskInUseByHost {
        /// The file or device.
        path: String,
        /// In which way it is used.
        way: HostUse,
        /// What has it: a mount point, or the name of a device.
        by: String,
    },
    /// A file can't be written as a disk, as another guest's disk builds on it.
    DiskIsBacking {
        /// The file.
        path: String,
        /// The name of the guest whose disk builds on it.
        holder: String,
    },
    /// A guest has as many disks as it can have.
    TooManyDisks {
        /// The guest's name.
        guest: String,
        /// How many that are.
        maximum: u32,
    },
    /// A disk can't have that serial number.
    SerialInvalid {
        /// The serial number.
        serial: String,
        /// How long it may be, in characters.
        longest: u32,
    },
    /// Guests can read disks of that format, and not write them.
    FormatOnlyRead {
        /// The disk's file.
        path: String,
        /// The format.
        format: String,
    },
    /// A disk's file is needed by a snapshot of its guest, and is not deleted with the disk.
    DiskInSnapshot {
        /// The disk.
        disk: String,
        /// The snapshot's name.
        snapshot: String,
    },
    /// A disk's file is not in its guest's folder, and is not deleted with the disk.
    DiskNotOwn {
        /// The disk.
        disk: String,
        /// Its file.
        path: String,
    },
    /// The host has no room.
    NoSpace {
        /// Where.
        path: String,
        /// What is free there.
        available: ByteSize,
    },
    /// A file of the core could not be read or written. The former content is kept.
    StoreFailed {
        /// The file or folder.
        path: String,
        /// Words of the operating system.
        detail: String,
    },
    /// A guest's definition can't be used as it is. The file is left alone.
    DefinitionUnusable {
        /// The guest.
        guest: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: DefinitionFault,
        /// Where in the file, and what the reader says.
        detail: String,
    },
    /// That can't be done in the state that the guest is in.
    WrongState {
        /// The guest's name.
        guest: String,
        /// Its state.
        state: GuestState,
        /// What was tried.
        operation: Operation,
    },
    /// A limit of the CPU time is from 1 to 100 percent.
    CpuLimitOutOfRange {
        /// Percent that were asked for.
        requested: u32,
    },
    /// The CPU time of guests can't be limited on this computer.
    CpuLimitUnavailable {
        /// Why not.
        fault: CpuLimitFault,
        /// The words of the system.
        detail: String,
    },
    /// An answer for an installer or a cloud image can't be used.
    AnswerInvalid {
        /// Which.
        field: AnswerField,
        /// What is wrong with it.
        fault: AnswerFault,
        /// Its beginning; always empty for a password.
        value: String,
    },
    /// A medium can't be installed without questions.
    ExpressNotOffered {
        /// The medium.
        path: String,
        /// Why not.
        reason: Express,
        /// The system that is on it; empty where that is unknown.
        os: String,
    },
    /// Nobody knows an operating system of that short id.
    OsUnknown {
        /// The short id.
        os: String,
    },
    /// The engine has no CPU of that model.
    CpuModelUnknown {
        /// The model.
        model: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// A program that is needed is not installed.
    EngineMissing {
        /// Its name.
        program: String,
    },
    /// The engine could not start the guest.
    StartFailed {
        /// The guest's name.
        guest: String,
        /// The engine's words.
        detail: String,
    },
    /// The guest's saved state can't be used. It is kept.
    SavedStateUnusable {
        /// The guest's name.
        guest: String,
        /// What is wrong with it.
        fault: SavedStateFault,
        /// The file or disk, or the engine's words.
        detail: String,
    },
    /// The engine refused or failed at something.
    EngineRefused {
        /// The guest's name.
        guest: String,
        /// What was tried.
        operation: Operation,
        /// The engine's words.
        detail: String,
    },
    /// The engine did not answer in time. Whether it will do it yet is not known.
    EngineSilent {
        /// The guest's name.
        guest: String,
        /// What was tried.
        operation: Operation,
        /// How long was waited, in seconds.
        seconds: u32,
    },
    /// The guest was asked to shut down and has not done so in time. It runs on, and may do it yet.
    ShutdownOverdue {
        /// The guest's name.
        guest: String,
        /// How long was waited, in seconds.
        seconds: u32,
    },
    /// Somebody said not to wait any longer until the guest has shut down. It runs on.
    ShutdownCancelled {
        /// The guest's name.
        guest: String,
    },
    /// A guest can't be given that long to shut down.
    ShutdownWaitOutOfRange {
        /// What was asked for, in seconds.
        requested: u32,
        /// The least possible, in seconds.
        minimum: u32,
        /// The most possible, in seconds.
        maximum: u32,
    },
    /// The guest has no such snapshot.
    SnapshotNotFound {
        /// The guest's name.
        guest: String,
        /// What was asked for.
        snapshot: String,
    },
    /// Another snapshot of the guest has that name.
    SnapshotNameTaken {
        /// The guest's name.
        guest: String,
        /// The name.
        name: String,
    },
    /// A disk of the guest does not have what it held when the snapshot was taken.
    SnapshotUnusable {
        /// The guest's name.
        guest: String,
        /// The snapshot's name.
        snapshot: String,
        /// The disk, and what is wrong with it.
        detail: String,
    },
    /// A disk of the guest can't keep what it holds for a snapshot, as its format does not know that.
    DiskCannotKeep {
        /// The guest's name.
        guest: String,
        /// The disk's file.
        path: String,
        /// Its format.
        format: String,
    },
    /// The guest was being put back to a snapshot, which failed on the way: its disks are so only in part.
    PutBackInPart {
        /// The guest's name.
        guest: String,
        /// The snapshot's name.
        snapshot: String,
    },
    /// The guest's disks are just being copied for another guest.
    BeingCloned {
        /// The guest's name.
        guest: String,
    },
    /// The guest has snapshots, which are kept within its disks: no other guest can build on these.
    CloneNotLinked {
        /// The guest's name.
        guest: String,
    },
    /// An install tree can't be used.
    TreeUnusable {
        /// Where it is, without a password.
        location: String,
        /// What is wrong with it.
        fault: TreeFault,
        /// The file of it that this is about; empty where it is about all.
        file: String,
        /// Words about it: those of the system or the server, or what was expected and what was found.
        detail: String,
    },
    /// No system is being installed in the guest.
    NotInstalling {
        /// The guest's name.
        guest: String,
    },
    /// The guest holds the medium in its drive.
    MediumLocked {
        /// The guest's name.
        guest: String,
        /// The drive.
        drive: String,
    },
    /// The guest has no such disk.
    DiskNotFound {
        /// The guest's name.
        guest: String,
        /// The disk asked for; empty where it has none at all.
        disk: String,
    },
    /// The guest has no such drive.
    DriveNotFound {
        /// The guest's name.
        guest: String,
        /// The drive asked for; empty where it has none at all.
        drive: String,
    },
    /// The guest has no such network card.
    NicNotFound {
        /// The guest's name.
        guest: String,
        /// The card asked for; empty where it has none at all.
        nic: String,
    },
    /// The guest can't have one more network card.
    NicsExhausted {
        /// The guest's name.
        guest: String,
        /// The most possible.
        maximum: u32,
    },
    /// A bridge or an isolated network can't be called that.
    NetworkNameInvalid {
        /// The name.
        name: String,
    },
    /// A guest can't be on that bridge.
    BridgeUnusable {
        /// The bridge.
        bridge: String,
        /// What is wrong.
        fault: BridgeFault,
        /// Words of the helper.
        detail: String,
    },
    /// A network card has that address already.
    MacTaken {
        /// The address.
        mac: String,
        /// The name of the guest that has the card.
        holder: String,
    },
    /// A port of the host's can't lead into a guest.
    ForwardRefused {
        /// The forward, as `tcp:127.0.0.1:2222:22`.
        forward: String,
        /// What is wrong with it.
        fault: ForwardFault,
        /// The name of the guest that has the port; empty where none has it.
        holder: String,
    },
    /// The guest has no such USB device of the host's.
    UsbNotFound {
        /// The guest's name.
        guest: String,
        /// What was asked for, as `0781:5567`.
        device: String,
    },
    /// The guest can't have one more USB device of the host's.
    UsbExhausted {
        /// The guest's name.
        guest: String,
        /// The most possible.
        maximum: u32,
    },
    /// A guest can't have that USB device of the host's.
    UsbRefused {
        /// The device, as `0781:5567` or `0781:5567@3-1.2`.
        device: String,
        /// What it is called.
        name: String,
        /// Why it can't.
        fault: UsbFault,
        /// What that has to do with: a guest's name, a mount point, a file; empty where there is nothing.
        by: String,
    },
    /// The guest has no such PCI device of the host's.
    PciNotFound {
        /// The guest's name.
        guest: String,
        /// What was asked for, as `0000:01:00.0`.
        device: String,
    },
    /// The guest can't have one more PCI device of the host's: there is no slot for it.
    PciExhausted {
        /// The guest's name.
        guest: String,
        /// The slots that a machine has, for all that is added.
        maximum: u32,
    },
    /// A guest can't have that PCI device of the host's.
    PciRefused {
        /// Where it is.
        address: PciAddress,
        /// What it is called.
        name: String,
        /// Why it can't.
        fault: PciFault,
        /// What that has to do with: a guest's name, a driver, a file; empty where there is nothing.
        by: String,
    },
    /// The memory of a guest that has a PCI device of the host's can't be written into a file.
    PciNotSavable {
        /// The guest's name.
        guest: String,
        /// What was asked for.
        operation: Operation,
        /// Where the device is.
        address: PciAddress,
        /// What it is called.
        name: String,
    },
    /// That would keep something of a guest that runs so that nothing of it is kept.
    Disposable {
        /// The guest's name.
        guest: String,
        /// What was asked for.
        operation: Operation,
    },
    /// A guest whose system is not installed yet, or has not yet started for the first time.
    NotInstalled {
        /// The guest's name.
        guest: String,
        /// What was asked for.
        operation: Operation,
    },
    /// A guest that writes to a physical disk can't be saved: the computer may change the disk meanwhile.
    DiskNotSavable {
        /// The guest's name.
        guest: String,
        /// The disk's name.
        disk: String,
        /// The physical disk.
        path: String,
    },
    /// An engine may lock less memory than a guest with a PCI device of the host's needs.
    LockedMemoryTooSmall {
        /// The guest's name.
        guest: String,
        /// What it needs.
        needed: ByteSize,
        /// What is allowed.
        limit: ByteSize,
    },
    /// The guest has no such serial port.
    PortNotFound {
        /// The guest's name.
        guest: String,
        /// The port asked for, from 0.
        port: u32,
        /// How many it has.
        ports: u32,
    },
    /// No key has that name.
    KeyUnknown {
        /// The name.
        key: String,
    },
    /// A character can't be typed on the guest's keyboard.
    CharacterUntypable {
        /// The character.
        character: String,
    },
    /// There is no such job, or it ended long ago.
    JobNotFound {
        /// Its number.
        job: u64,
    },
    /// The job was cancelled.
    JobCancelled {
        /// Its number.
        job: u64,
    },
}

impl Error {
    /// That this can't be done in the state that the guest is in.
    pub fn wrong_state(guest: &GuestInfo, operation: Operation) -> Self {
        Self::WrongState { guest: guest.name.clone(), state: guest.state, operation }
    }

    /// That only one of these two can be.
    pub fn conflict(first: &str, second: &str) -> Self {
        Self::OptionsConflict { first: first.to_owned(), second: second.to_owned() }
    }
}
