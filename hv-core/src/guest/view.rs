//! What clients are told of a guest, made from what it is and what it does.

use super::boot;
use super::config::Definition;
use super::context::Context;
use super::disk;
use super::disposable;
use super::edit::live_ranges;
use super::install::Install;
use super::network;
use super::pci;
use super::pending;
use super::record::RunRecord;
use super::state::State;
use super::usb;
use crate::{storage, store};
use hv_api::{
    ByteSize, DefinitionFault, DiskInfo, DriveInfo, GuestId, GuestInfo, GuestPaths, GuestState, HostRoom,
    StateReason,
};
use std::path::Path;
use std::time::SystemTime;

/// What an engine that runs tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its process.
    pub pid: u32,
    /// The memory that the guest has at this moment.
    pub memory: Option<ByteSize>,
    /// The room that the host has for a guest that waits for it.
    pub room: Option<HostRoom>,
}

/// A guest as clients are told. `record` and `engine` are there while an engine is.
pub fn view(
    context: &Context,
    definition: &Definition,
    state: &State,
    since: u64,
    record: Option<&RunRecord>,
    engine: Option<EngineFacts>,
) -> GuestInfo {
    let folder = context.store.folder(definition.id);
    let run = context.run_files(record.map_or(definition, |record| &record.machine));
    let (told, reason, detail) = state.told();
    let text = |path: &Path| folder.join(path).display().to_string();
    GuestInfo {
        id: definition.id,
        name: definition.name.clone(),
        state: told,
        reason,
        detail: detail.map(ToOwned::to_owned),
        since,
        waiting: record.and_then(|record| record.asked.clone()),
        pid: engine.as_ref().map(|engine| engine.pid),
        disposable: engine.is_some() && disposable::is_prepared(&folder),
        accelerator: record.filter(|_| engine.is_some()).map(|record| record.accelerator),
        os: definition.os.clone(),
        os_name: definition.os_name.clone(),
        cpus: definition.cpus,
        memory: definition.memory,
        max_cpus: definition.most_cpus(),
        cpu_limit: definition.cpu_limit,
        max_memory: definition.most_memory(),
        live: record.map(live_ranges),
        memory_now: engine.as_ref().and_then(|engine| engine.memory),
        room: engine.and_then(|engine| engine.room),
        firmware: definition.firmware,
        boot: boot::info(definition),
        disks: definition
            .disks
            .iter()
            .map(|disk| DiskInfo {
                name: disk.name.to_string(),
                path: text(&disk.path),
                partitions: disk.partitions.clone(),
                format: disk.format.name().into(),
                backing: disk.backing.clone(),
                size: disk.size(&folder),
                used: storage::volume_use(&folder.join(&disk.path)),
                bus: disk.bus,
                cache: disk.cache,
                discard: disk.discard,
                serial: disk.serial.clone(),
                read_only: disk.read_only,
                shareable: disk.shareable,
                own: folder.join(&disk.path).parent() == Some(&*folder),
                removable: record.is_some_and(|record| {
                    record.machine.disks.iter().any(|other| other.name == disk.name && other.is_removable())
                }),
            })
            .collect(),
        live_disk_buses: record
            .map(|record| disk::live_buses(definition, &record.machine))
            .unwrap_or_default(),
        drives: definition
            .drives
            .iter()
            .enumerate()
            .map(|(index, drive)| DriveInfo {
                name: drive_name(index),
                medium: drive.medium.as_ref().map(|medium| text(medium)),
            })
            .collect(),
        nics: network::info(definition, record.map(|record| &record.machine)),
        usb: usb::info(definition, record.map(|record| &record.machine)),
        pci: pci::info(definition, record.map(|record| &record.machine)),
        live_pci_groups: record.map(|record| record.pci_groups.clone()).unwrap_or_default(),
        serial_ports: definition.serial_ports,
        watchdog: definition.watchdog,
        sound: definition.sound,
        installing: definition.install.as_ref().map(Install::info),
        installed: definition.installed,
        first_start: definition.first_start_drive(),
        kernel: definition.kernel.as_ref().and_then(|kernel| Some(text(kernel.image.as_ref()?))),
        snapshots: Vec::new(),
        current_snapshot: None,
        power: definition.power.info(),
        pending: record.map(|record| pending::all(&record.machine, definition)).unwrap_or_default(),
        paths: GuestPaths {
            folder: folder.display().to_string(),
            definition: context.store.definition_file(definition.id).display().to_string(),
            engine_log: run.engine_log.display().to_string(),
            serial_logs: run.serial_logs.iter().map(|log| log.display().to_string()).collect(),
        },
    }
}

/// What clients are told of a guest whose definition can't be used.
pub fn unavailable(context: &Context, id: GuestId, fault: &store::Unreadable) -> GuestInfo {
    let folder = context.store.folder(id);
    GuestInfo {
        reason: Some(match fault.fault {
            DefinitionFault::Newer => StateReason::DefinitionNewer,
            DefinitionFault::Malformed | DefinitionFault::Unreadable => StateReason::DefinitionMalformed,
        }),
        detail: Some(fault.detail.clone()),
        since: now(),
        paths: GuestPaths {
            folder: folder.display().to_string(),
            definition: context.store.definition_file(id).display().to_string(),
            ..GuestPaths::default()
        },
        ..GuestInfo::new(id, id.to_string(), GuestState::Unavailable)
    }
}

/// The name of the drive with this number.
pub fn drive_name(index: usize) -> String {
    format!("cd{index}")
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
