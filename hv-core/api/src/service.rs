//! The methods of the core, as a client calls them. The core's own side is `hv_core::server`; a test
//! there compares both with the committed `dev.guesthouse.Core.varlink`.

use crate::{
    Begun, BootMenuReply, ByteSize, DiskReply, DiskSettings, Error, Event, GuestId, GuestInfo,
    GuestStatistics, HostDisks, HostInfo, ImportPlan, JobId, JobInfo, MediumInfo, NewDisk, NewGuest, NewNic,
    NicSettings, OsChoice, PciAddress, Preferences, SettingResult, Settings, UsbDevice,
};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use zlink::introspect::CustomType;

/// The name of the interface.
pub const INTERFACE: &str = "dev.guesthouse.Core";

/// All guests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct Guests {
    /// By name.
    pub guests: Vec<GuestInfo>,
}

/// One guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct GuestReply {
    /// The guest, as it is after the call.
    pub guest: GuestInfo,
}

/// Files that were looked at, in the order in which they were named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct Media {
    /// What each is.
    pub media: Vec<MediumInfo>,
}

/// A creation under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Created {
    /// The guest to be.
    pub guest: GuestId,
    /// The job that makes it.
    pub job: JobId,
}

/// What a creation or a start would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Plan {
    /// The definition that would be written, or that the guest has.
    pub definition: String,
    /// The engine's command line, program first.
    pub command: Vec<String>,
}

/// What CPUs guests can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct CpuModels {
    /// The names of the models, in the engine's order.
    pub models: Vec<String>,
}

/// How this computer is set up for its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct PreferencesReply {
    /// Its settings.
    pub preferences: Preferences,
}

/// Operating systems that this computer's database knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Systems {
    /// The systems, the newest first; at most a thousand.
    pub systems: Vec<OsChoice>,
    /// The version of the database, as it names it; missing where there is none.
    pub version: Option<String>,
}

/// One message about a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct JobReply {
    /// The job.
    pub job: JobInfo,
}

/// What became of changed settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct Changed {
    /// Each setting that was asked for.
    pub settings: Vec<SettingResult>,
}

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum LogKind {
    /// What the engine wrote.
    Engine,
    /// What the guest wrote on a serial port since its last start.
    Serial,
}

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct LogReply {
    /// Its text, at most the last 256 KiB; what is not UTF-8 is replaced.
    pub text: String,
}

/// One message of a guest's statistics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct StatisticsReply {
    /// What it has used so far.
    pub statistics: GuestStatistics,
}

/// A serial port that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Port {
    /// Its number, from 0.
    pub port: u32,
}

/// The methods of the core. The outer result is the connection's, the inner one the core's;
/// [`crate::client::settle`] makes one of the two.
///
/// `guest` is a name or an id everywhere; a name that looks like an id is taken for the id.
#[zlink::proxy("dev.guesthouse.Core")]
pub trait Core {
    /// Facts about the host, measured now where they change.
    async fn host(&mut self) -> zlink::Result<Result<HostInfo, Error>>;

    /// The models of CPUs that guests can have besides the usual one.
    async fn cpu_models(&mut self) -> zlink::Result<Result<CpuModels, Error>>;

    /// The physical disks of the host, with their partitions, what is on them and who has them.
    async fn disks(&mut self) -> zlink::Result<Result<HostDisks, Error>>;

    /// What each of these files is. Paths are absolute.
    async fn inspect(&mut self, paths: &[String]) -> zlink::Result<Result<Media, Error>>;

    /// How this computer is set up for its user, from which answers to an installer's questions can be proposed.
    async fn get_preferences(&mut self) -> zlink::Result<Result<PreferencesReply, Error>>;

    /// The operating systems that a guest can be for. With `search`, those whose name or short id has each of its
    /// words.
    async fn systems(&mut self, search: Option<&str>) -> zlink::Result<Result<Systems, Error>>;

    /// What [`Core::create`] would do with the same words; changes nothing.
    async fn plan(&mut self, guest: &NewGuest) -> zlink::Result<Result<Plan, Error>>;

    /// What guest a file of another program's would be here, which [`Core::create`] then makes; changes nothing. The path
    /// is absolute; `machine` is the name of one of several in it, the first where left out.
    async fn plan_import(
        &mut self,
        path: &str,
        machine: Option<&str>,
    ) -> zlink::Result<Result<ImportPlan, Error>>;

    /// Begins to make a guest. What can be refused at once is refused here, the rest by the job.
    async fn create(&mut self, guest: &NewGuest) -> zlink::Result<Result<Created, Error>>;

    /// A job until it ends: the present first, then each change. A job that failed ends the stream
    /// with its error.
    #[zlink(more)]
    async fn follow(
        &mut self,
        job: JobId,
    ) -> zlink::Result<impl Stream<Item = zlink::Result<Result<JobReply, Error>>>>;

    /// Cancels a job; the former state is restored.
    async fn cancel(&mut self, job: JobId) -> zlink::Result<Result<(), Error>>;

    /// All guests.
    async fn list(&mut self) -> zlink::Result<Result<Guests, Error>>;

    /// One guest.
    async fn show(&mut self, guest: &str) -> zlink::Result<Result<GuestReply, Error>>;

    /// What the guest's next cold start would do; changes nothing.
    async fn plan_start(&mut self, guest: &str) -> zlink::Result<Result<Plan, Error>>;

    /// Starts a guest that is off or crashed, or lets one go on that is saved; answers when it runs.
    async fn start(&mut self, guest: &str, paused: Option<bool>) -> zlink::Result<Result<GuestReply, Error>>;

    /// Starts a guest that is off or crashed from the medium in a drive, and without its kernel, this one
    /// time; answers when it runs.
    async fn start_from_cd(
        &mut self,
        guest: &str,
        paused: Option<bool>,
    ) -> zlink::Result<Result<GuestReply, Error>>;

    /// Starts a guest that is off or crashed so that nothing is kept of what it writes to its disks, its firmware's
    /// variables and its TPM: when it is off, all is as before. A restart meanwhile keeps it. Answers when it runs.
    async fn start_disposable(
        &mut self,
        guest: &str,
        paused: Option<bool>,
    ) -> zlink::Result<Result<GuestReply, Error>>;

    /// The menu of the boot loader on a disk of a guest that does not run. Without a name: on the disk whose kernel it
    /// starts, or else the first. Nothing on the disk is changed.
    async fn boot_menu(
        &mut self,
        guest: &str,
        disk: Option<&str>,
    ) -> zlink::Result<Result<BootMenuReply, Error>>;

    /// Makes an entry of that menu the default, by changing what the boot loader itself would change on the disk of a
    /// guest that is off; without an entry, undoes what was changed so last. Answers with the menu as it is then.
    async fn set_boot_default(
        &mut self,
        guest: &str,
        entry: Option<u32>,
        disk: Option<&str>,
    ) -> zlink::Result<Result<BootMenuReply, Error>>;

    /// Starts a guest that starts with a kernel of its own disk with another entry of the menu there, this one time;
    /// answers when it runs.
    async fn start_entry(
        &mut self,
        guest: &str,
        entry: u32,
        paused: Option<bool>,
    ) -> zlink::Result<Result<GuestReply, Error>>;

    /// Asks the guest to shut down, as its power button would. Answers when it has been asked; how long it
    /// has for it, and whether it listens, is in [`GuestInfo::waiting`].
    async fn shutdown(&mut self, guest: &str) -> zlink::Result<Result<GuestReply, Error>>;

    /// Takes the guest's power away; what it has not written is lost, and so is a saved state. Answers
    /// when it is off.
    async fn force_off(&mut self, guest: &str) -> zlink::Result<Result<GuestReply, Error>>;

    /// Stops the guest's CPUs; answers when they stand.
    async fn pause(&mut self, guest: &str) -> zlink::Result<Result<GuestReply, Error>>;

    /// Lets the guest's CPUs go on, or the guest with its saved state; answers when they do.
    async fn resume(&mut self, guest: &str) -> zlink::Result<Result<GuestReply, Error>>;

    /// Waits no longer until a guest has shut down: it counts as running again. It may shut down yet.
    async fn cancel_shutdown(&mut self, guest: &str) -> zlink::Result<Result<GuestReply, Error>>;

    /// Restarts the guest: asks it to shut down and starts it anew when it has, so that pending changes
    /// apply. A guest that does not listen to its power button is reset at once, or where changes are
    /// pending, stopped and started anew. Answers when its firmware runs again, or with
    /// [`Error::ShutdownOverdue`] when it was waited for long enough.
    async fn restart(&mut self, guest: &str) -> zlink::Result<Result<GuestReply, Error>>;

    /// Presses the guest's reset button; what it has not written is lost. Answers when its firmware runs
    /// again.
    async fn reset(&mut self, guest: &str) -> zlink::Result<Result<GuestReply, Error>>;

    /// Begins to write the guest's memory to a file. When the job is done, the guest is saved and no engine
    /// runs; when it fails or is cancelled, the guest goes on as before.
    async fn save(&mut self, guest: &str) -> zlink::Result<Result<Begun, Error>>;

    /// Begins to start a saved guest with its saved state. When the job is done, the guest runs, or with
    /// `paused` stands where it stood; when it fails or is cancelled, the guest is saved as before.
    async fn restore(&mut self, guest: &str, paused: Option<bool>) -> zlink::Result<Result<Begun, Error>>;

    /// Throws a guest's saved state away; the guest is off then, as if its power had been taken away when
    /// it was saved.
    async fn discard(&mut self, guest: &str) -> zlink::Result<Result<GuestReply, Error>>;

    /// Begins to take a snapshot of a guest: of its settings and disks, and where it runs or is paused, of its
    /// memory. Its CPUs stand until that is written. When the job fails or is cancelled, nothing was taken.
    async fn take_snapshot(
        &mut self,
        guest: &str,
        name: &str,
        note: Option<&str>,
    ) -> zlink::Result<Result<Begun, Error>>;

    /// Begins to put a guest back to a snapshot, by its name or id: its settings but for the name, its disks, and
    /// its memory where the snapshot has it; then it goes on, or with `paused` stands where it stood. What the
    /// guest is now is lost: one that runs is forced off, a saved state goes. The snapshot stays. When the job
    /// fails before anything of that, the guest is as before; cancelled it can't be.
    async fn restore_snapshot(
        &mut self,
        guest: &str,
        snapshot: &str,
        paused: Option<bool>,
    ) -> zlink::Result<Result<Begun, Error>>;

    /// Deletes a snapshot. Those that came after it stay, and the guest is as it is.
    async fn delete_snapshot(
        &mut self,
        guest: &str,
        snapshot: &str,
    ) -> zlink::Result<Result<GuestReply, Error>>;

    /// Gives a snapshot another name or note, of at most 4,000 characters; an empty one is none. What is left
    /// out stays.
    async fn edit_snapshot(
        &mut self,
        guest: &str,
        snapshot: &str,
        name: Option<&str>,
        note: Option<&str>,
    ) -> zlink::Result<Result<GuestReply, Error>>;

    /// Begins to make a guest of another that is off, as it is now or was when a snapshot was taken: with a name,
    /// an identity and network addresses of its own, and copies of its disks. `linked` copies nothing: what the disks
    /// hold now is shared, and each of both guests keeps only what it changes. When the job fails or is cancelled,
    /// nothing of it remains.
    async fn clone_guest(
        &mut self,
        guest: &str,
        name: &str,
        snapshot: Option<&str>,
        linked: Option<bool>,
    ) -> zlink::Result<Result<Created, Error>>;

    /// Changes settings: all that were asked for, or none.
    async fn set(&mut self, guest: &str, settings: &Settings) -> zlink::Result<Result<Changed, Error>>;

    /// Makes a disk larger, also while the guest runs, which sees it at once. Without a name: the first disk.
    /// What is on it stays; a disk never shrinks.
    async fn grow_disk(
        &mut self,
        guest: &str,
        disk: Option<&str>,
        size: ByteSize,
    ) -> zlink::Result<Result<GuestReply, Error>>;

    /// Gives a guest a network card, at once where it runs and has room for it. What became of it is told with
    /// the card's name.
    async fn add_nic(&mut self, guest: &str, nic: &NewNic) -> zlink::Result<Result<Changed, Error>>;

    /// Takes a network card away, at once where it runs and the card is pluggable. Without a name: the only one.
    async fn remove_nic(&mut self, guest: &str, nic: Option<&str>) -> zlink::Result<Result<Changed, Error>>;

    /// Changes a network card: all that was asked for, or nothing. Without a name: the first.
    async fn set_nic(
        &mut self,
        guest: &str,
        nic: Option<&str>,
        settings: &NicSettings,
    ) -> zlink::Result<Result<Changed, Error>>;

    /// Gives a guest a USB device of the host's, at once where it runs. One that is not plugged in is the guest's as
    /// soon as it is. What became of it is told with its name within the guest.
    async fn add_usb(&mut self, guest: &str, device: &UsbDevice) -> zlink::Result<Result<Changed, Error>>;

    /// Takes a USB device away, at once where the guest runs; the host has it again.
    async fn remove_usb(&mut self, guest: &str, device: &UsbDevice) -> zlink::Result<Result<Changed, Error>>;

    /// Gives a guest a PCI device of the host's, at once where it runs and its engine may use the device, else with its
    /// next start. What became of it is told with its name within the guest.
    async fn add_pci(&mut self, guest: &str, address: PciAddress) -> zlink::Result<Result<Changed, Error>>;

    /// Takes a PCI device away, at once where the guest runs and lets go of it; the host's driver for guests keeps it.
    async fn remove_pci(&mut self, guest: &str, address: PciAddress)
    -> zlink::Result<Result<Changed, Error>>;

    /// Adds a disk: a new one, or an image or block device that exists and is used in place. Where the guest runs
    /// and the disk can't be added at once, it has it after its next start.
    async fn add_disk(&mut self, guest: &str, disk: &NewDisk) -> zlink::Result<Result<DiskReply, Error>>;

    /// Begins to copy an image or block device into a new disk in the guest's folder. When the job is done, the disk
    /// is added as by [`Core::add_disk`]; when it fails or is cancelled, nothing has changed.
    async fn copy_disk(&mut self, guest: &str, disk: &NewDisk) -> zlink::Result<Result<Begun, Error>>;

    /// Takes a disk away. Where the guest runs and does not let go of it, it has it until its next start. With
    /// `delete`, its file is deleted when nothing has it any more; it must be in the guest's folder.
    async fn remove_disk(
        &mut self,
        guest: &str,
        disk: &str,
        delete: Option<bool>,
    ) -> zlink::Result<Result<DiskReply, Error>>;

    /// Changes what a disk is attached to and how: all that was asked for, or nothing.
    async fn set_disk(
        &mut self,
        guest: &str,
        disk: &str,
        settings: &DiskSettings,
    ) -> zlink::Result<Result<Changed, Error>>;

    /// Puts a medium into a drive, in place of what is there. Without a name: into the first drive.
    async fn insert_medium(
        &mut self,
        guest: &str,
        drive: Option<&str>,
        path: &str,
    ) -> zlink::Result<Result<GuestReply, Error>>;

    /// Takes the medium out of a drive. `force` does so even where the guest holds it.
    async fn eject_medium(
        &mut self,
        guest: &str,
        drive: Option<&str>,
        force: Option<bool>,
    ) -> zlink::Result<Result<GuestReply, Error>>;

    /// Deletes a guest that is off: its definition, and with `disks` the disks made for it. Media and
    /// disks elsewhere are never touched.
    async fn delete(&mut self, guest: &str, disks: Option<bool>) -> zlink::Result<Result<(), Error>>;

    /// Writes a PNG picture of the guest's display into the file whose descriptor comes with the call.
    async fn screenshot(
        &mut self,
        guest: &str,
        #[zlink(fds)] file: Vec<OwnedFd>,
    ) -> zlink::Result<Result<(), Error>>;

    /// Presses these keys together and lets them go: `["ctrl", "alt", "delete"]`.
    async fn send_keys(&mut self, guest: &str, keys: &[String]) -> zlink::Result<Result<(), Error>>;

    /// Types a text on a US keyboard; refused whole where it has a character that has no key there.
    async fn type_text(&mut self, guest: &str, text: &str) -> zlink::Result<Result<(), Error>>;

    /// The end of one of a guest's logs. `port` says which serial port's, from 0; the first where it is
    /// left out.
    async fn log(
        &mut self,
        guest: &str,
        log: LogKind,
        port: Option<u32>,
    ) -> zlink::Result<Result<LogReply, Error>>;

    /// What a guest that has an engine has used so far: once a second until that ends, which
    /// [`Error::WrongState`] tells. A single call is answered once, at once. The guest is asked about its
    /// memory only while a stream of these is open.
    #[zlink(more)]
    async fn statistics(
        &mut self,
        guest: &str,
    ) -> zlink::Result<impl Stream<Item = zlink::Result<Result<StatisticsReply, Error>>>>;

    /// Opens a serial port. The descriptor is a stream socket: it gives what the guest has written
    /// since its last start, then what it writes, across restarts of the guest, and takes what to type.
    #[zlink(return_fds)]
    async fn open_serial(
        &mut self,
        guest: &str,
        port: u32,
    ) -> zlink::Result<(Result<Port, Error>, Vec<OwnedFd>)>;

    /// Opens the display of a guest that runs or is paused. The descriptor is a
    /// [`crate::display::Channel`]; it closes when the guest's engine ends.
    #[zlink(return_fds)]
    async fn open_display(&mut self, guest: &str) -> zlink::Result<(Result<(), Error>, Vec<OwnedFd>)>;

    /// The event stream: everything first, then each change.
    #[zlink(more)]
    async fn watch(&mut self) -> zlink::Result<impl Stream<Item = zlink::Result<Result<Event, Error>>>>;

    /// Ends the core once the answer is sent. Guests run on, and the next core takes them over.
    async fn quit(&mut self) -> zlink::Result<Result<(), Error>>;
}
