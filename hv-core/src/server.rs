//! The core's methods on the socket: decode, hand over to the registry or to a guest, encode. Nothing is
//! decided here.

mod connection;
mod statistics;

pub use connection::serve;

use crate::guest::handle::{Request, engine_error};
use crate::guest::registry::Registry;
use crate::guest::state::Wish;
use crate::job::Status;
use crate::{files, keys, serial, store};
use futures_util::stream::{self, Stream};
use hv_api::{
    Accelerator, AcceleratorInfo, AnswerFault, AnswerField, Answers, ApplianceDisk, ApplianceFault,
    ApplianceInfo, Applied, AudioService, BackingFile, BatteryAction, Begun, BootDefaultFault, BootInfo,
    BootLoader, BootMenu, BootMenuEntry, BootMenuReply, BootMode, BootSettings, ByteSize, Change, Changed,
    CloudInit, Confidence, CpuLimitFault, CpuModels, CpuStatistics, CrashAction, Created, DefinitionFault,
    DeviceSettings, DiskBus, DiskCache, DiskInfo, DiskReply, DiskSettings, DiskStatistics, DriveInfo,
    EndAction, EngineInfo, Error, Event, Express, FileFault, Firmware, FirmwareInfo, Forward, ForwardFault,
    GuestInfo, GuestMemory, GuestPaths, GuestReply, GuestState, GuestStatistics, Guests, HostDisk, HostDisks,
    HostInfo, HostPartition, HostPciDevice, HostRoom, HostUsbDevice, HostUse, ImportKind, ImportNote,
    ImportOutcome, ImportPlan, ImportReason, JobId, JobInfo, JobKind, JobReply, JobStage, JobState,
    KernelFault, KvmState, LiveRanges, LogKind, LogReply, LogoutAction, Media, MediumInfo, MediumKind,
    MediumNote, MemoryStatistics, NameFault, NetworkMode, NewDisk, NewGuest, NewNic, NicInfo, NicModel,
    NicSettings, NicStatistics, NotNow, Operation, OsChoice, PciAddress, PciFault, PciInfo, PciKind,
    PciObstacle, PendingChange, Plan, Port, PowerInfo, PowerSettings, Preferences, PreferencesReply,
    Protocol, Recommended, SavedStateFault, SettingResult, Settings, ShutdownWait, SleepAction, Snapshot,
    SnapshotInfo, SoundCard, StateReason, StatisticsReply, Systems, UsbDevice, UsbFault, UsbInfo, UsbKind,
    VcpuStatistics, Watchdog,
};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use tokio::sync::{Notify, broadcast, watch};
use zlink::Reply;

/// How much of a log is given at most, in bytes.
const LOG_LIMIT: u64 = 256 << 10;

type Messages<T> = Pin<Box<dyn Stream<Item = Result<Reply<T>, Error>>>>;

/// The service of one connection.
#[derive(Debug, Clone)]
pub struct Service {
    registry: Rc<Registry>,
    quit: Rc<Notify>,
}

impl Service {
    /// The service over this registry. `quit` is notified when a client ends the core.
    pub fn new(registry: Rc<Registry>, quit: Rc<Notify>) -> Self {
        Self { registry, quit }
    }

    async fn wish(&self, guest: &str, wish: Wish) -> Result<GuestReply, Error> {
        self.registry.wish(guest, wish).await.map(|guest| GuestReply { guest })
    }

    async fn press(&self, guest: &str, groups: Vec<Vec<u16>>) -> Result<(), Error> {
        let handle = self.registry.find(guest)?;
        let info = handle.info();
        let operation = Operation::SendKeys;
        let machine = handle.machine().ok_or_else(|| Error::wrong_state(&info, operation))?;
        for group in groups {
            let pressed = machine.press_keys(&group).await;
            pressed.map_err(|error| engine_error(&info.name, operation, error))?;
        }
        Ok(())
    }
}

#[expect(clippy::unused_async, reason = "a method of the service is a future, also where it need not wait")]
#[zlink::service(
    interface = "dev.guesthouse.Core",
    vendor = "Guesthouse",
    product = "hv-core",
    version = env!("CARGO_PKG_VERSION"),
    types = [
Accelerator, AcceleratorInfo, AnswerFault, AnswerField, Answers, ApplianceDisk, ApplianceFault, ApplianceInfo, Applied, AudioService, BackingFile, BatteryAction, Begun, BootDefaultFault, BootInfo, BootLoader, BootMenu, BootMenuEntry, BootMenuReply, BootMode, BootSettings, Changed, CloudInit, Confidence, CpuLimitFault, CpuModels, CpuStatistics, CrashAction, Created, DefinitionFault, DeviceSettings, DiskBus, DiskCache, DiskInfo, DiskReply, DiskSettings, DiskStatistics, DriveInfo, EndAction, EngineInfo, Event, Express, FileFault, Firmware, FirmwareInfo, Forward, ForwardFault, GuestInfo, GuestMemory, GuestPaths, GuestReply, GuestState, GuestStatistics, Guests, HostDisk, HostDisks, HostInfo, HostPartition, HostPciDevice, HostRoom, HostUsbDevice, HostUse, ImportKind, ImportNote, ImportOutcome, ImportPlan, ImportReason, JobInfo, JobKind, JobReply, JobStage, JobState, KernelFault, KvmState, LiveRanges, LogKind, LogReply, LogoutAction, Media, MediumInfo, MediumKind, MediumNote, MemoryStatistics, NameFault, NetworkMode, NewDisk, NewGuest, NewNic, NicInfo, NicModel, NicSettings, NicStatistics, NotNow, Operation, OsChoice, PciFault, PciInfo, PciKind, PciObstacle, PendingChange, Plan, Port, PowerInfo, PowerSettings, Preferences, PreferencesReply, Protocol, Recommended, SavedStateFault, SettingResult, Settings, ShutdownWait, SleepAction, Snapshot, SnapshotInfo, SoundCard, StateReason, StatisticsReply, Systems, UsbDevice, UsbFault, UsbInfo, UsbKind, VcpuStatistics, Watchdog,
    ]
)]
impl Service {
    async fn host(&self) -> Result<HostInfo, Error> {
        // Who asks for the host wants to know the accelerator, and can wait the moment it takes to try it.
        self.registry.context().accelerator.get().await;
        self.registry.look_for_usb().await?;
        self.registry.look_for_pci().await?;
        Ok(self.registry.host().await)
    }

    async fn disks(&self) -> Result<HostDisks, Error> {
        self.registry.host_disks().await.map(|disks| HostDisks { disks })
    }

    async fn inspect(&self, paths: Vec<String>) -> Result<Media, Error> {
        self.registry.inspect(paths).await.map(|media| Media { media })
    }

    async fn cpu_models(&self) -> Result<CpuModels, Error> {
        self.registry.cpu_models().await.map(|models| CpuModels { models })
    }

    async fn get_preferences(&self) -> Result<PreferencesReply, Error> {
        self.registry.preferences().await.map(|preferences| PreferencesReply { preferences })
    }

    async fn systems(&self, search: Option<String>) -> Result<Systems, Error> {
        self.registry.systems(search).await
    }

    async fn plan_start(&self, guest: String) -> Result<Plan, Error> {
        self.registry.plan_start(&guest).await
    }

    async fn plan(&self, guest: NewGuest) -> Result<Plan, Error> {
        self.registry.plan(&guest).await
    }

    async fn plan_import(&self, path: String, machine: Option<String>) -> Result<ImportPlan, Error> {
        self.registry.plan_import(path, machine).await
    }

    async fn create(&self, guest: NewGuest) -> Result<Created, Error> {
        self.registry.create(guest).await
    }

    #[zlink(more)]
    async fn follow(
        &self,
        more: bool,
        job: JobId,
    ) -> impl Stream<Item = Result<Reply<JobReply>, Error>> + Unpin {
        let messages: Messages<JobReply> = match self.registry.jobs().follow(job) {
            Ok(status) => Box::pin(follow(status, more)),
            Err(error) => Box::pin(stream::iter([Err(error)])),
        };
        messages
    }

    async fn cancel(&self, job: JobId) -> Result<(), Error> {
        self.registry.jobs().cancel(job)
    }

    async fn list(&self) -> Result<Guests, Error> {
        Ok(Guests { guests: self.registry.list() })
    }

    async fn show(&self, guest: String) -> Result<GuestReply, Error> {
        self.registry.show(&guest).map(|guest| GuestReply { guest })
    }

    async fn start(&self, guest: String, paused: Option<bool>) -> Result<GuestReply, Error> {
        let started = self.registry.start(&guest, paused.unwrap_or_default()).await;
        started.map(|guest| GuestReply { guest })
    }

    async fn start_from_cd(&self, guest: String, paused: Option<bool>) -> Result<GuestReply, Error> {
        let paused = paused.unwrap_or_default();
        self.registry.start_from_cd(&guest, paused).await.map(|guest| GuestReply { guest })
    }

    async fn start_disposable(&self, guest: String, paused: Option<bool>) -> Result<GuestReply, Error> {
        let paused = paused.unwrap_or_default();
        self.registry.start_disposable(&guest, paused).await.map(|guest| GuestReply { guest })
    }

    async fn boot_menu(&self, guest: String, disk: Option<String>) -> Result<BootMenuReply, Error> {
        let menu = self.registry.boot_menu(&guest, disk.as_deref()).await;
        menu.map(|menu| BootMenuReply { menu })
    }

    async fn set_boot_default(
        &self,
        guest: String,
        entry: Option<u32>,
        disk: Option<String>,
    ) -> Result<BootMenuReply, Error> {
        let menu = self.registry.set_boot_default(&guest, disk, entry).await;
        menu.map(|menu| BootMenuReply { menu })
    }

    async fn start_entry(
        &self,
        guest: String,
        entry: u32,
        paused: Option<bool>,
    ) -> Result<GuestReply, Error> {
        let started = self.registry.start_entry(&guest, entry, paused.unwrap_or_default()).await;
        started.map(|guest| GuestReply { guest })
    }

    async fn shutdown(&self, guest: String) -> Result<GuestReply, Error> {
        self.wish(&guest, Wish::Shutdown).await
    }

    async fn force_off(&self, guest: String) -> Result<GuestReply, Error> {
        self.wish(&guest, Wish::ForceOff).await
    }

    async fn pause(&self, guest: String) -> Result<GuestReply, Error> {
        self.wish(&guest, Wish::Pause).await
    }

    async fn resume(&self, guest: String) -> Result<GuestReply, Error> {
        self.registry.resume(&guest).await.map(|guest| GuestReply { guest })
    }

    async fn cancel_shutdown(&self, guest: String) -> Result<GuestReply, Error> {
        self.wish(&guest, Wish::CancelShutdown).await
    }

    async fn restart(&self, guest: String) -> Result<GuestReply, Error> {
        self.wish(&guest, Wish::Restart).await
    }

    async fn reset(&self, guest: String) -> Result<GuestReply, Error> {
        self.wish(&guest, Wish::Reset).await
    }

    async fn save(&self, guest: String) -> Result<Begun, Error> {
        self.registry.save(&guest).map(|job| Begun { job })
    }

    async fn restore(&self, guest: String, paused: Option<bool>) -> Result<Begun, Error> {
        self.registry.restore(&guest, paused.unwrap_or_default()).map(|job| Begun { job })
    }

    async fn discard(&self, guest: String) -> Result<GuestReply, Error> {
        self.wish(&guest, Wish::Discard).await
    }

    async fn take_snapshot(&self, guest: String, name: String, note: Option<String>) -> Result<Begun, Error> {
        self.registry.take_snapshot(&guest, name, note).map(|job| Begun { job })
    }

    async fn restore_snapshot(
        &self,
        guest: String,
        snapshot: String,
        paused: Option<bool>,
    ) -> Result<Begun, Error> {
        let begun = self.registry.restore_snapshot(&guest, &snapshot, paused.unwrap_or_default());
        begun.map(|job| Begun { job })
    }

    async fn delete_snapshot(&self, guest: String, snapshot: String) -> Result<GuestReply, Error> {
        self.registry.delete_snapshot(&guest, snapshot).await.map(|guest| GuestReply { guest })
    }

    async fn edit_snapshot(
        &self,
        guest: String,
        snapshot: String,
        name: Option<String>,
        note: Option<String>,
    ) -> Result<GuestReply, Error> {
        self.registry.edit_snapshot(&guest, snapshot, name, note).await.map(|guest| GuestReply { guest })
    }

    async fn clone_guest(
        &self,
        guest: String,
        name: String,
        snapshot: Option<String>,
        linked: Option<bool>,
    ) -> Result<Created, Error> {
        self.registry.clone_guest(&guest, name, snapshot, linked == Some(true)).await
    }

    async fn set(&self, guest: String, settings: Settings) -> Result<Changed, Error> {
        self.registry.set(&guest, settings).await.map(|settings| Changed { settings })
    }

    async fn grow_disk(
        &self,
        guest: String,
        disk: Option<String>,
        size: ByteSize,
    ) -> Result<GuestReply, Error> {
        self.registry.grow_disk(&guest, disk.as_deref(), size).await.map(|guest| GuestReply { guest })
    }

    async fn add_nic(&self, guest: String, nic: NewNic) -> Result<Changed, Error> {
        self.registry.add_nic(&guest, nic).await.map(|settings| Changed { settings })
    }

    async fn remove_nic(&self, guest: String, nic: Option<String>) -> Result<Changed, Error> {
        self.registry.remove_nic(&guest, nic.as_deref()).await.map(|settings| Changed { settings })
    }

    async fn set_nic(
        &self,
        guest: String,
        nic: Option<String>,
        settings: NicSettings,
    ) -> Result<Changed, Error> {
        self.registry.set_nic(&guest, nic.as_deref(), settings).await.map(|settings| Changed { settings })
    }

    async fn add_usb(&self, guest: String, device: UsbDevice) -> Result<Changed, Error> {
        self.registry.add_usb(&guest, device).await.map(|settings| Changed { settings })
    }

    async fn remove_usb(&self, guest: String, device: UsbDevice) -> Result<Changed, Error> {
        self.registry.remove_usb(&guest, device).await.map(|settings| Changed { settings })
    }

    async fn add_pci(&self, guest: String, address: PciAddress) -> Result<Changed, Error> {
        self.registry.add_pci(&guest, address).await.map(|settings| Changed { settings })
    }

    async fn remove_pci(&self, guest: String, address: PciAddress) -> Result<Changed, Error> {
        self.registry.remove_pci(&guest, address).await.map(|settings| Changed { settings })
    }

    async fn add_disk(&self, guest: String, disk: NewDisk) -> Result<DiskReply, Error> {
        self.registry.add_disk(&guest, disk).await
    }

    async fn copy_disk(&self, guest: String, disk: NewDisk) -> Result<Begun, Error> {
        self.registry.copy_disk(&guest, disk).map(|job| Begun { job })
    }

    async fn remove_disk(
        &self,
        guest: String,
        disk: String,
        delete: Option<bool>,
    ) -> Result<DiskReply, Error> {
        self.registry.remove_disk(&guest, &disk, delete.unwrap_or_default()).await
    }

    async fn set_disk(&self, guest: String, disk: String, settings: DiskSettings) -> Result<Changed, Error> {
        self.registry.set_disk(&guest, &disk, settings).await.map(|settings| Changed { settings })
    }

    async fn insert_medium(
        &self,
        guest: String,
        drive: Option<String>,
        path: String,
    ) -> Result<GuestReply, Error> {
        let path = PathBuf::from(path);
        let medium =
            files::off_thread(move || files::open_readable(&path).map(|_readable| Some(path))).await?;
        let handle = self.registry.find(&guest)?;
        let request = |answer| Request::ChangeMedium { drive, medium, force: false, answer };
        handle.ask(request).await.map(|guest| GuestReply { guest })
    }

    async fn eject_medium(
        &self,
        guest: String,
        drive: Option<String>,
        force: Option<bool>,
    ) -> Result<GuestReply, Error> {
        let handle = self.registry.find(&guest)?;
        let force = force.unwrap_or_default();
        let request = |answer| Request::ChangeMedium { drive, medium: None, force, answer };
        handle.ask(request).await.map(|guest| GuestReply { guest })
    }

    async fn delete(&self, guest: String, disks: Option<bool>) -> Result<(), Error> {
        self.registry.delete(&guest, disks.unwrap_or_default()).await
    }

    async fn screenshot(&self, guest: String, #[zlink(fds)] file: Vec<OwnedFd>) -> Result<(), Error> {
        let handle = self.registry.find(&guest)?;
        let info = handle.info();
        let operation = Operation::Screenshot;
        let machine = handle.machine().ok_or_else(|| Error::wrong_state(&info, operation))?;
        let file = file.into_iter().next().ok_or_else(|| Error::EngineRefused {
            guest: info.name.clone(),
            operation,
            detail: "no file came with the call".into(),
        })?;
        let taken = machine.screenshot(file).await;
        taken.map_err(|error| engine_error(&info.name, operation, error))
    }

    async fn send_keys(&self, guest: String, keys: Vec<String>) -> Result<(), Error> {
        let codes = keys.iter().map(|key| keys::named(key)).collect::<Result<Vec<_>, _>>()?;
        self.press(&guest, vec![codes]).await
    }

    async fn type_text(&self, guest: String, text: String) -> Result<(), Error> {
        self.press(&guest, keys::typing(&text)?).await
    }

    async fn log(&self, guest: String, log: LogKind, port: Option<u32>) -> Result<LogReply, Error> {
        let info = self.registry.show(&guest)?;
        let port = port.unwrap_or_default();
        let path = match log {
            LogKind::Engine => Some(&info.paths.engine_log),
            LogKind::Serial => info.paths.serial_logs.get(port as usize),
        };
        let Some(path) = path else {
            let ports = info.paths.serial_logs.len() as u32;
            return Err(Error::PortNotFound { guest: info.name, port, ports });
        };
        let path = Path::new(path);
        serial::tail(path, LOG_LIMIT)
            .map(|text| LogReply { text })
            .map_err(|error| store::failed(path, &error))
    }

    #[zlink(more)]
    async fn statistics(
        &self,
        more: bool,
        guest: String,
    ) -> impl Stream<Item = Result<Reply<StatisticsReply>, Error>> + Unpin {
        statistics::messages(self.registry.find(&guest), more)
    }

    #[zlink(return_fds)]
    async fn open_serial(&self, guest: String, port: u32) -> (Result<Port, Error>, Vec<OwnedFd>) {
        match self.serial(&guest, port) {
            Ok(viewer) => (Ok(Port { port }), vec![viewer]),
            Err(error) => (Err(error), Vec::new()),
        }
    }

    #[zlink(return_fds)]
    async fn open_display(&self, guest: String) -> (Result<(), Error>, Vec<OwnedFd>) {
        let opened = match self.registry.find(&guest) {
            Ok(handle) => handle.ask(Request::OpenDisplay).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(window) => (Ok(()), vec![window]),
            Err(error) => (Err(error), Vec::new()),
        }
    }

    #[zlink(more)]
    async fn watch(&self, more: bool) -> impl Stream<Item = Result<Reply<Event>, Error>> + Unpin {
        Box::pin(watch_changes(Rc::clone(&self.registry), more))
    }

    async fn quit(&self) -> Result<(), Error> {
        self.quit.notify_one();
        Ok(())
    }
}

impl Service {
    fn serial(&self, guest: &str, port: u32) -> Result<OwnedFd, Error> {
        let handle = self.registry.find(guest)?;
        let info = handle.info();
        let Some(log) = info.paths.serial_logs.get(port as usize).map(PathBuf::from) else {
            let ports = info.paths.serial_logs.len() as u32;
            return Err(Error::PortNotFound { guest: info.name.clone(), port, ports });
        };
        if let Some(folder) = log.parent() {
            hv_api::paths::private_folder(folder).map_err(|error| store::failed(folder, &error))?;
        }
        let viewer = handle.viewers().enter();
        serial::attach(log.clone(), port, handle.watch_machine(), viewer)
            .map_err(|error| store::failed(&log, &error))
    }
}

/// A job's messages: as it is, and with `more`, each change until it ends.
fn follow(status: watch::Receiver<Status>, more: bool) -> impl Stream<Item = Result<Reply<JobReply>, Error>> {
    stream::unfold(Some((status, true)), move |state| async move {
        let (mut status, first) = state?;
        if !first && status.changed().await.is_err() {
            return None;
        }
        let Status { info, error } = status.borrow_and_update().clone();
        let message =
            |info, continues| Ok(Reply::new(Some(JobReply { job: info })).set_continues(Some(continues)));
        match info.state {
            JobState::Running => Some((message(info, more), more.then_some((status, false)))),
            JobState::Done => Some((message(info, false), None)),
            JobState::Failed | JobState::Cancelled => {
                Some((Err(error.unwrap_or(Error::JobCancelled { job: info.id.0 })), None))
            }
        }
    })
}

/// Everything, and with `more`, each change after it. Who reads too slowly is told everything anew.
fn watch_changes(registry: Rc<Registry>, more: bool) -> impl Stream<Item = Result<Reply<Event>, Error>> {
    let message = move |change: Change| Ok(Reply::new(Some(Event::from(change))).set_continues(Some(more)));
    stream::unfold(Some(None), move |state: Option<Option<broadcast::Receiver<Change>>>| {
        let registry = Rc::clone(&registry);
        async move {
            let Some(mut changes) = state? else {
                let (snapshot, changes) = registry.watch().await;
                return Some((message(Change::Snapshot(snapshot)), more.then_some(Some(changes))));
            };
            let change = match changes.recv().await {
                Ok(change) => change,
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    changes = changes.resubscribe();
                    Change::Snapshot(registry.snapshot().await)
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((message(change), Some(Some(changes))))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::INTERFACE;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::spawn_local;

    /// The interface as any client can ask for it, held against the committed one. After a change that
    /// only grows it, `UPDATE_INTERFACE=1 cargo test -p hv-core` writes it anew.
    #[test]
    fn the_committed_interface_is_the_one_that_is_served() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let text = tokio::task::LocalSet::new().block_on(&runtime, async {
            let (mut client, core) = tokio::net::UnixStream::pair().unwrap();
            let registry = crate::guest::registry::tests::empty().await;
            spawn_local(serve(core, Service::new(registry, Rc::default())));
            let method = "org.varlink.service.GetInterfaceDescription";
            let call = serde_json::json!({ "method": method, "parameters": { "interface": INTERFACE } });
            client.write_all(format!("{call}\0").as_bytes()).await.unwrap();
            let mut reply = Vec::new();
            while reply.last() != Some(&0) {
                client.read_buf(&mut reply).await.unwrap();
            }
            reply.pop();
            let reply: serde_json::Value = serde_json::from_slice(&reply).unwrap();
            reply["parameters"]["description"].as_str().unwrap().to_owned()
        });
        let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/api/dev.guesthouse.Core.varlink");
        if std::env::var_os("UPDATE_INTERFACE").is_some() {
            std::fs::write(committed, &text).unwrap();
        }
        let committed = std::fs::read_to_string(committed).unwrap();
        assert_eq!(text, committed, "UPDATE_INTERFACE=1 writes it anew");
    }
}
