//! What clients are told of a guest, made from what it is and what it does.

use super::config::Definition;
use super::context::Context;
use super::power::PowerPolicy;
use super::state::State;
use crate::engine::DiskFormat;
use crate::{storage, store};
use hv_api::{
    Accelerator, ByteSize, DefinitionFault, DiskInfo, DriveInfo, Firmware, GuestId, GuestInfo, GuestPaths,
    GuestState, NicInfo, PendingChange, ShutdownWait, StateReason,
};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::SystemTime;

/// What the running machine has, whatever the definition says by now. Kept in the run folder, so that a
/// later core knows it as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory: ByteSize,
    /// What runs its instructions.
    pub accelerator: Accelerator,
    /// When it was started, in seconds since 1970.
    pub since: u64,
    /// What is waited for since the guest was asked to shut down.
    #[serde(default)]
    pub asked: Option<ShutdownWait>,
}

/// A guest as clients are told. `record` and `pid` are there while an engine is.
pub fn view(
    context: &Context,
    definition: &Definition,
    state: &State,
    since: u64,
    record: Option<&RunRecord>,
    pid: Option<u32>,
) -> GuestInfo {
    let folder = context.store.folder(definition.id);
    let run = context.run_files(definition);
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
        pid,
        accelerator: record.map(|record| record.accelerator),
        os: definition.os.clone(),
        cpus: definition.cpus,
        memory: definition.memory,
        firmware: definition.firmware,
        disks: definition
            .disks
            .iter()
            .map(|disk| DiskInfo {
                path: text(&disk.path),
                format: match disk.format {
                    DiskFormat::Qcow2 => "qcow2".into(),
                    DiskFormat::Raw => "raw".into(),
                },
                size: storage::volume_size(&folder.join(&disk.path), disk.format),
            })
            .collect(),
        drives: definition
            .drives
            .iter()
            .enumerate()
            .map(|(index, drive)| DriveInfo {
                name: drive_name(index),
                medium: drive.medium.as_ref().map(|medium| text(medium)),
            })
            .collect(),
        nics: definition.nics.iter().map(|nic| NicInfo { mode: nic.mode, mac: nic.mac.clone() }).collect(),
        serial_ports: definition.serial_ports,
        kernel: definition.kernel.as_ref().map(|kernel| text(&kernel.image)),
        power: definition.power.info(),
        pending: record.map(|record| pending(record, definition)).unwrap_or_default(),
        paths: GuestPaths {
            folder: folder.display().to_string(),
            definition: context.store.definition_file(definition.id).display().to_string(),
            engine_log: run.engine_log.display().to_string(),
            serial_logs: run.serial_logs.iter().map(|log| log.display().to_string()).collect(),
        },
    }
}

/// What the definition says otherwise than the running machine has it.
fn pending(record: &RunRecord, definition: &Definition) -> Vec<PendingChange> {
    let change = |key: &str, now: String, next: String| PendingChange { key: key.into(), now, next };
    let mut changes = Vec::new();
    if record.cpus != definition.cpus {
        changes.push(change("cpus", record.cpus.to_string(), definition.cpus.to_string()));
    }
    if record.memory != definition.memory {
        changes.push(change("memory", record.memory.to_string(), definition.memory.to_string()));
    }
    changes
}

/// What clients are told of a guest whose definition can't be used.
pub fn unavailable(context: &Context, id: GuestId, fault: &store::Unreadable) -> GuestInfo {
    let folder = context.store.folder(id);
    GuestInfo {
        id,
        name: id.to_string(),
        state: GuestState::Unavailable,
        reason: Some(match fault.fault {
            DefinitionFault::Newer => StateReason::DefinitionNewer,
            DefinitionFault::Malformed | DefinitionFault::Unreadable => StateReason::DefinitionMalformed,
        }),
        detail: Some(fault.detail.clone()),
        since: now(),
        waiting: None,
        pid: None,
        accelerator: None,
        os: None,
        cpus: 0,
        memory: ByteSize::bytes(0),
        firmware: Firmware::Bios,
        disks: Vec::new(),
        drives: Vec::new(),
        nics: Vec::new(),
        serial_ports: 0,
        kernel: None,
        power: PowerPolicy::default().info(),
        pending: Vec::new(),
        paths: GuestPaths {
            folder: folder.display().to_string(),
            definition: context.store.definition_file(id).display().to_string(),
            engine_log: String::new(),
            serial_logs: Vec::new(),
        },
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
