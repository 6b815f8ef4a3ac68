//! The JSON that programs get. Keys are written `so_called`, members of enumerations `so-called`, sizes
//! are numbers of bytes, times seconds since 1970. What is written here is interface.

use super::network::NicView;
use super::pci::{HostPciView, PciView};
use super::usb::{HostUsbView, UsbView};
use hv_api::problem::explain_accelerator;
use hv_api::{
    Accelerator, AudioService, BatteryAction, ByteSize, CrashAction, DriveInfo, EndAction, Firmware,
    FirmwareInfo, GuestId, GuestInfo, GuestState, HostInfo, Installation, JobId, JobInfo, JobKind, JobStage,
    JobState, KvmState, LogoutAction, PendingChange, Plan, PowerInfo, SettingResult, ShutdownWait,
    SleepAction, SnapshotId, SnapshotInfo, SoundCard, StateReason, Watchdog,
};
use hv_api::{
    Applied, CpuLimitFault, DiskInfo, DiskReply, EngineInfo, GuestPaths, HostRoom, LiveRanges, NotNow,
};
use serde::{Serialize, Serializer};

/// The name of an enumeration's member, as it is written in JSON and in tables: `shutting-down`.
pub fn wire_word(member: &impl Serialize) -> String {
    let name = serde_json::to_string(member).unwrap_or_default();
    name.trim_matches('"').replace('_', "-")
}

/// A member of an enumeration.
#[derive(Debug, Clone, Copy)]
pub struct Word<T>(pub(super) T);

impl<T: Serialize> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&wire_word(&self.0))
    }
}

/// A guest.
#[derive(Debug, Serialize)]
pub struct GuestView<'a> {
    id: GuestId,
    name: &'a str,
    state: Word<GuestState>,
    reason: Option<Word<StateReason>>,
    detail: Option<&'a str>,
    since: u64,
    waiting: Option<&'a ShutdownWait>,
    pid: Option<u32>,
    disposable: bool,
    accelerator: Option<Word<Accelerator>>,
    os: Option<&'a str>,
    os_name: Option<&'a str>,
    cpus: u32,
    memory: ByteSize,
    max_cpus: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_limit: Option<u32>,
    max_memory: ByteSize,
    live: Option<&'a LiveRanges>,
    memory_now: Option<ByteSize>,
    room: Option<&'a HostRoom>,
    firmware: Word<Firmware>,
    machine: &'a str,
    secure_boot: bool,
    tpm: bool,
    boot: &'a [String],
    disks: &'a [DiskInfo],
    media: Vec<DriveView<'a>>,
    nics: Vec<NicView<'a>>,
    usb: Vec<UsbView<'a>>,
    pci: Vec<PciView<'a>>,
    addresses: Option<&'a [String]>,
    serial_ports: u32,
    watchdog: Word<Watchdog>,
    sound: Word<SoundCard>,
    first_start: Option<&'a str>,
    kernel: Option<&'a str>,
    kernel_disk: Option<&'a str>,
    kernel_entry: Option<&'a str>,
    initrd: Option<&'a str>,
    append: Option<&'a str>,
    installing: Option<&'a Installation>,
    installed: Option<u64>,
    #[serde(flatten)]
    power: PowerView,
    snapshots: &'a [SnapshotInfo],
    current_snapshot: Option<SnapshotId>,
    pending: &'a [PendingChange],
    paths: &'a GuestPaths,
}

impl<'a> From<&'a GuestInfo> for GuestView<'a> {
    fn from(guest: &'a GuestInfo) -> Self {
        Self {
            id: guest.id,
            name: &guest.name,
            state: Word(guest.state),
            reason: guest.reason.map(Word),
            detail: guest.detail.as_deref(),
            since: guest.since,
            waiting: guest.waiting.as_ref(),
            pid: guest.pid,
            disposable: guest.disposable,
            accelerator: guest.accelerator.map(Word),
            os: guest.os.as_deref(),
            os_name: guest.os_name.as_deref(),
            cpus: guest.cpus,
            memory: guest.memory,
            max_cpus: guest.max_cpus,
            cpu_limit: guest.cpu_limit,
            max_memory: guest.max_memory,
            live: guest.live.as_ref(),
            memory_now: guest.memory_now,
            room: guest.room.as_ref(),
            firmware: Word(guest.firmware),
            machine: &guest.boot.machine,
            secure_boot: guest.boot.secure_boot,
            tpm: guest.boot.tpm,
            boot: &guest.boot.order,
            disks: &guest.disks,
            media: guest.drives.iter().map(DriveView::from).collect(),
            nics: guest.nics.iter().map(NicView::from).collect(),
            usb: guest.usb.iter().map(|usb| UsbView::new(usb, None)).collect(),
            pci: guest.pci.iter().map(PciView::from).collect(),
            addresses: None,
            serial_ports: guest.serial_ports,
            watchdog: Word(guest.watchdog),
            sound: Word(guest.sound),
            first_start: guest.first_start.as_deref(),
            kernel: guest.kernel.as_deref(),
            kernel_disk: guest.boot.kernel_disk.as_deref(),
            kernel_entry: guest.boot.kernel_entry.as_deref(),
            initrd: guest.boot.initrd.as_deref(),
            append: guest.boot.append.as_deref(),
            installing: guest.installing.as_ref(),
            installed: guest.installed,
            power: PowerView::from(&guest.power),
            snapshots: &guest.snapshots,
            current_snapshot: guest.current_snapshot,
            pending: &guest.pending,
            paths: &guest.paths,
        }
    }
}

impl<'a> GuestView<'a> {
    /// With the addresses that the guest tells, where it does.
    pub fn new(guest: &'a GuestInfo, addresses: Option<&'a [String]>) -> Self {
        Self { addresses, ..Self::from(guest) }
    }
}

/// A drive for removable media.
#[derive(Debug, Serialize)]
pub struct DriveView<'a> {
    drive: &'a str,
    path: Option<&'a str>,
}

impl<'a> From<&'a DriveInfo> for DriveView<'a> {
    fn from(drive: &'a DriveInfo) -> Self {
        Self { drive: &drive.name, path: drive.medium.as_deref() }
    }
}

/// How a guest's power is looked after: one member a setting.
#[derive(Debug, Serialize)]
struct PowerView {
    shutdown_wait: u32,
    on_poweroff: Word<EndAction>,
    on_reboot: Word<EndAction>,
    on_crash: Word<CrashAction>,
    autostart: bool,
    at_logout: Word<LogoutAction>,
    on_host_sleep: Word<SleepAction>,
    on_battery: Word<BatteryAction>,
}

impl From<&PowerInfo> for PowerView {
    fn from(power: &PowerInfo) -> Self {
        Self {
            shutdown_wait: power.shutdown_wait,
            on_poweroff: Word(power.on_poweroff),
            on_reboot: Word(power.on_reboot),
            on_crash: Word(power.on_crash),
            autostart: power.autostart,
            at_logout: Word(power.at_logout),
            on_host_sleep: Word(power.on_host_sleep),
            on_battery: Word(power.on_battery),
        }
    }
}

/// All disks of a guest.
#[derive(Debug, Serialize)]
pub struct DisksView<'a> {
    pub disks: &'a [DiskInfo],
}

/// All snapshots of a guest.
#[derive(Debug, Serialize)]
pub struct SnapshotsView<'a> {
    snapshots: &'a [SnapshotInfo],
    current: Option<SnapshotId>,
}

impl<'a> From<&'a GuestInfo> for SnapshotsView<'a> {
    fn from(guest: &'a GuestInfo) -> Self {
        Self { snapshots: &guest.snapshots, current: guest.current_snapshot }
    }
}

/// What became of a disk that was added or taken away.
#[derive(Debug, Serialize)]
pub struct DiskReplyView<'a> {
    disk: &'a str,
    applied: Word<Applied>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Word<NotNow>>,
    deleted: bool,
}

impl<'a> From<&'a DiskReply> for DiskReplyView<'a> {
    fn from(reply: &'a DiskReply) -> Self {
        let DiskReply { disk, applied, reason, deleted } = reply;
        Self { disk, applied: Word(*applied), reason: reason.map(Word), deleted: *deleted }
    }
}

/// All drives of a guest.
#[derive(Debug, Serialize)]
pub struct MediaView<'a> {
    pub media: Vec<DriveView<'a>>,
}

/// The host.
#[derive(Debug, Serialize)]
pub struct HostView<'a> {
    accelerator: Option<AcceleratorView<'a>>,
    engine: &'a EngineInfo,
    cpus: u32,
    cpu_limit_fault: Option<CpuLimitFault>,
    memory: ByteSize,
    memory_available: ByteSize,
    firmware: Vec<FirmwareView<'a>>,
    tpm_program: Option<&'a str>,
    audio: Option<Word<AudioService>>,
    on_battery: Option<bool>,
    session_wait: Option<u32>,
    usb: Vec<HostUsbView<'a>>,
    iommu: bool,
    pci: Vec<HostPciView<'a>>,
    locked_memory: Option<ByteSize>,
    data_folder: &'a str,
    state_folder: &'a str,
    runtime_folder: &'a str,
    free_space: ByteSize,
    core_version: &'a str,
    core_pid: u32,
}

#[derive(Debug, Serialize)]
struct AcceleratorView<'a> {
    chosen: Word<Accelerator>,
    kvm: Word<KvmState>,
    why: String,
    remedy: String,
    detail: &'a str,
}

#[derive(Debug, Serialize)]
struct FirmwareView<'a> {
    kind: Word<Firmware>,
    path: &'a str,
    secure_boot: bool,
}

impl<'a> From<&'a HostInfo> for HostView<'a> {
    fn from(host: &'a HostInfo) -> Self {
        let accelerator = host.accelerator.as_ref().map(|info| {
            let explanation = explain_accelerator(info, &crate::failure::english);
            AcceleratorView {
                chosen: Word(info.chosen),
                kvm: Word(info.kvm),
                why: explanation.why,
                remedy: explanation.remedy,
                detail: &info.detail,
            }
        });
        let firmware = |FirmwareInfo { kind, path, secure_boot }: &'a FirmwareInfo| FirmwareView {
            kind: Word(*kind),
            path,
            secure_boot: *secure_boot,
        };
        Self {
            accelerator,
            engine: &host.engine,
            cpus: host.cpus,
            cpu_limit_fault: host.cpu_limit_fault,
            memory: host.memory,
            memory_available: host.memory_available,
            firmware: host.firmware.iter().map(firmware).collect(),
            tpm_program: host.tpm_program.as_deref(),
            audio: host.audio.map(Word),
            on_battery: host.on_battery,
            session_wait: host.session_wait,
            usb: host.usb.iter().map(HostUsbView::from).collect(),
            iommu: host.iommu,
            pci: host.pci.iter().map(HostPciView::from).collect(),
            locked_memory: host.locked_memory,
            data_folder: &host.data_folder,
            state_folder: &host.state_folder,
            runtime_folder: &host.runtime_folder,
            free_space: host.free_space,
            core_version: &host.core_version,
            core_pid: host.core_pid,
        }
    }
}

/// A job.
#[derive(Debug, Serialize)]
pub struct JobView<'a> {
    id: JobId,
    kind: Word<JobKind>,
    guest: GuestId,
    guest_name: &'a str,
    state: Word<JobState>,
    stage: Word<JobStage>,
    progress: f64,
    done: Option<ByteSize>,
    total: Option<ByteSize>,
}

impl<'a> From<&'a JobInfo> for JobView<'a> {
    fn from(job: &'a JobInfo) -> Self {
        Self {
            id: job.id,
            kind: Word(job.kind),
            guest: job.guest,
            guest_name: &job.guest_name,
            state: Word(job.state),
            stage: Word(job.stage),
            progress: job.progress,
            done: job.done,
            total: job.total,
        }
    }
}

/// How far long work has come.
#[derive(Debug, Serialize)]
pub struct ProgressView {
    progress: f64,
    stage: Word<JobStage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<ByteSize>,
}

impl From<&JobInfo> for ProgressView {
    fn from(job: &JobInfo) -> Self {
        Self { progress: job.progress, stage: Word(job.stage), done: job.done, total: job.total }
    }
}

/// What a creation would do.
#[derive(Debug, Serialize)]
pub struct PlanView<'a> {
    definition: &'a str,
    command: &'a [String],
}

impl<'a> From<&'a Plan> for PlanView<'a> {
    fn from(plan: &'a Plan) -> Self {
        Self { definition: &plan.definition, command: &plan.command }
    }
}

/// What became of changed settings.
#[derive(Debug, Serialize)]
pub struct SettingsView<'a> {
    settings: Vec<SettingView<'a>>,
}

#[derive(Debug, Serialize)]
struct SettingView<'a> {
    key: &'a str,
    applied: Word<Applied>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Word<NotNow>>,
}

impl<'a> From<&'a [SettingResult]> for SettingsView<'a> {
    fn from(results: &'a [SettingResult]) -> Self {
        let view = |SettingResult { key, applied, reason }: &'a SettingResult| SettingView {
            key,
            applied: Word(*applied),
            reason: reason.map(Word),
        };
        Self { settings: results.iter().map(view).collect() }
    }
}

/// A log.
#[derive(Debug, Serialize)]
pub struct LogView<'a> {
    pub text: &'a str,
}

/// A picture that was taken.
#[derive(Debug, Serialize)]
pub struct ScreenshotView<'a> {
    pub file: &'a str,
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use hv_api::{BootInfo, DiskBus, DiskCache, NetworkMode, NicInfo, NicModel};
    use serde_json::{Value, json};

    pub fn guest() -> GuestInfo {
        let id = "00112233-4455-4677-8899-aabbccddeeff".parse().expect("an id");
        GuestInfo {
            reason: Some(StateReason::DiskFull),
            since: 1_700_000_000,
            waiting: Some(ShutdownWait {
                since: 1_700_000_000,
                deadline: 1_700_000_090,
                overdue: false,
                heard: true,
                restart: false,
            }),
            pid: Some(42),
            accelerator: Some(Accelerator::Emulation),
            os: Some("fedora42".into()),
            os_name: Some("Fedora Linux 42".into()),
            cpus: 2,
            memory: ByteSize::gib(2),
            max_cpus: 8,
            cpu_limit: Some(50),
            max_memory: ByteSize::gib(16),
            live: Some(LiveRanges {
                cpus_lowest: 2,
                cpus_highest: 8,
                memory_lowest: ByteSize::mib(256),
                memory_highest: ByteSize::gib(16),
            }),
            memory_now: Some(ByteSize::gib(2)),
            firmware: Firmware::Bios,
            boot: BootInfo::default(),
            disks: vec![DiskInfo {
                name: "disk0".into(),
                path: "/d.qcow2".into(),
                partitions: Vec::new(),
                format: "qcow2".into(),
                size: Some(ByteSize::gib(20)),
                used: Some(ByteSize::mib(3)),
                backing: Vec::new(),
                bus: DiskBus::Virtio,
                cache: DiskCache::Directsync,
                discard: true,
                serial: None,
                read_only: false,
                shareable: false,
                own: true,
                removable: false,
            }],
            drives: vec![DriveInfo { name: "cd0".into(), medium: Some("/f.iso".into()) }],
            nics: vec![NicInfo {
                name: "nic0".into(),
                mode: NetworkMode::User,
                bridge: None,
                network: None,
                model: NicModel::Virtio,
                mac: "52:54:00:00:00:01".parse().expect("an address"),
                link: true,
                forwards: vec!["tcp:2222:22".parse().expect("a forward")],
                pluggable: false,
                present: Some(true),
            }],
            serial_ports: 1,
            watchdog: Watchdog::None,
            sound: SoundCard::None,
            power: PowerInfo {
                shutdown_wait: 90,
                on_poweroff: EndAction::Destroy,
                on_reboot: EndAction::Restart,
                on_crash: CrashAction::CoredumpDestroy,
                autostart: true,
                at_logout: LogoutAction::Shutdown,
                on_host_sleep: SleepAction::Keep,
                on_battery: BatteryAction::Keep,
            },
            pending: vec![PendingChange { key: "cpus".into(), now: "2".into(), next: "4".into() }],
            paths: GuestPaths {
                folder: "/g".into(),
                definition: "/g/guest.toml".into(),
                engine_log: "/g/engine.log".into(),
                serial_logs: vec!["/g/serial0.log".into()],
            },
            ..GuestInfo::new(id, "Fedora 42", GuestState::ShuttingDown)
        }
    }

    fn value(view: &impl Serialize) -> Value {
        serde_json::to_value(view).expect("it can be written")
    }

    #[test]
    fn a_guest_in_json() {
        assert_eq!(
            value(&GuestView::from(&guest())),
            json!({
                "id": "00112233-4455-4677-8899-aabbccddeeff",
                "name": "Fedora 42",
                "state": "shutting-down",
                "reason": "disk-full",
                "detail": null,
                "since": 1_700_000_000,
                "waiting": {
                    "since": 1_700_000_000,
                    "deadline": 1_700_000_090,
                    "overdue": false,
                    "heard": true,
                    "restart": false
                },
                "pid": 42,
                "addresses": null, "accelerator": "emulation",
                "os": "fedora42", "os_name": "Fedora Linux 42",
                "cpus": 2,
                "memory": 2_147_483_648_u64,
                "max_cpus": 8,
                "cpu_limit": 50,
                "max_memory": 17_179_869_184_u64,
                "live": {
                    "cpus_lowest": 2,
                    "cpus_highest": 8,
                    "memory_lowest": 268_435_456,
                    "memory_highest": 17_179_869_184_u64
                },
                "memory_now": 2_147_483_648_u64,
                "room": null,
                "firmware": "bios",
                "machine": "",
                "secure_boot": false,
                "tpm": false,
                "boot": [],
                "disks": [{
                    "name": "disk0", "path": "/d.qcow2", "format": "qcow2", "size": 21_474_836_480_u64,
                    "used": 3_145_728, "bus": "virtio", "cache": "directsync", "discard": true,
                    "backing": [], "partitions": [], "serial": null,
                    "read_only": false, "shareable": false, "own": true, "removable": false,
                }],
                "media": [{"drive": "cd0", "path": "/f.iso"}],
                "nics": [{
                    "nic": "nic0",
                    "mode": "user",
                    "model": "virtio",
                    "mac": "52:54:00:00:00:01",
                    "link": "up",
                    "forwards": [{
                        "protocol": "tcp",
                        "address": "127.0.0.1",
                        "host_port": 2222,
                        "guest_port": 22
                    }],
                    "pluggable": false,
                    "present": true
                }],
                "usb": [],
                "pci": [],
                "serial_ports": 1, "watchdog": "none", "sound": "none",
                "first_start": null,
                "kernel": null, "kernel_disk": null, "kernel_entry": null,
                "initrd": null,
                "append": null,
                "installing": null, "disposable": false,
                "installed": null,
                "shutdown_wait": 90,
                "on_poweroff": "destroy",
                "on_reboot": "restart",
                "on_crash": "coredump-destroy",
                "autostart": true,
                "at_logout": "shutdown",
                "on_host_sleep": "keep",
                "on_battery": "keep",
                "snapshots": [],
                "current_snapshot": null,
                "pending": [{"key": "cpus", "now": "2", "next": "4"}],
                "paths": {
                    "folder": "/g",
                    "definition": "/g/guest.toml",
                    "engine_log": "/g/engine.log",
                    "serial_logs": ["/g/serial0.log"]
                }
            })
        );
    }

    #[test]
    fn members_of_enumerations_are_written_with_hyphens() {
        assert_eq!(wire_word(&hv_api::MediumKind::DiskImage), "disk-image");
        assert_eq!(wire_word(&Applied::AtNextStart), "at-next-start");
        assert_eq!(wire_word(&KvmState::NoPermission), "no-permission");
        let results = [SettingResult {
            key: "name".into(),
            applied: Applied::AtNextStart,
            reason: Some(NotNow::GuestRefused),
        }];
        let expected =
            json!({"settings": [{"key": "name", "applied": "at-next-start", "reason": "guest-refused"}]});
        assert_eq!(value(&SettingsView::from(&results[..])), expected);
    }

    #[test]
    fn progress_in_json() {
        let job = JobInfo {
            id: JobId(1),
            kind: JobKind::Create,
            guest: guest().id,
            guest_name: "Fedora 42".into(),
            state: JobState::Running,
            stage: JobStage::Disk,
            progress: 0.42,
            done: Some(ByteSize::mib(42)),
            total: Some(ByteSize::mib(100)),
        };
        assert_eq!(
            value(&ProgressView::from(&job)),
            json!({"progress": 0.42, "stage": "disk", "done": 44_040_192, "total": 104_857_600})
        );
    }
}
