//! Finding or launching the engine of a guest.

use super::assign;
use super::boot;
use super::config::Definition;
use super::context::Context;
use super::disk_kernel;
use super::disposable;
use super::forwards;
use super::handle::engine_error;
use super::install::Install;
use super::limit;
use super::network::Nic;
use super::record::{self, RunRecord};
use super::saved::{self, Saved};
use super::view::now;
use crate::bootmenu::Choice;
use crate::engine::{
    Adopted, Alteration, Amount, DiskConfig, EngineError, EngineEvent, FirmwareConfig, Machine, MachineConfig,
};
use crate::tree::serve::Serving;
use crate::{files, host, serial, store};
use hv_api::{Accelerator, ByteSize, Error, GuestId, Operation, Plan, SavedStateFault, SoundCard};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// News of an engine that may wait for the guest's task at once.
const ENGINE_EVENTS: usize = 64;

/// How long an engine that has closed its connection may take to end. It ends within milliseconds.
pub(super) const LAST_WORDS_DEADLINE: Duration = Duration::from_secs(3);

/// Looks for an engine that an earlier core left and that answered nobody when this one began: were it
/// overlooked, the guest would run twice.
pub async fn find(
    context: &Context,
    definition: &Definition,
) -> Result<Option<(Adopted, mpsc::Receiver<EngineEvent>)>, Error> {
    let folder = context.run_folder(definition.id);
    if !folder.is_dir() {
        return Ok(None);
    }
    // It has the ports that it was started with.
    let record = RunRecord::read(&folder.join(record::FILE));
    let run = context.run_files(record.as_ref().map_or(definition, |record| &record.machine));
    let (sender, events) = mpsc::channel(ENGINE_EVENTS);
    let found = context.engine.adopt(definition.id, &run, sender).await;
    let found = found.map_err(|error| engine_error(&definition.name, Operation::Start, error))?;
    Ok(found.map(|adopted| (adopted, events)))
}

/// An engine that was launched.
pub(super) struct Launched {
    /// Its machine.
    pub machine: Arc<dyn Machine>,
    /// What that machine has.
    pub record: RunRecord,
    /// What the engine says.
    pub events: mpsc::Receiver<EngineEvent>,
    /// The install tree that is served to it.
    pub serving: Option<Serving>,
}

/// Launches an engine for a guest, with its logs begun anew; its CPUs stand.
pub(super) async fn launch(
    context: &Context,
    definition: &Definition,
    asked: Asked,
) -> Result<Launched, Error> {
    prepare_folders(context, definition)?;
    for log in &context.run_files(definition).serial_logs {
        serial::begin_log(log).map_err(|error| store::failed(log, &error))?;
    }
    let accelerator = context.accelerator.get().await.chosen;
    start(context, definition, accelerator, Beginning::Asked(asked)).await
}

/// Launches an engine for a saved guest and gives it the saved state; its CPUs stand. Its logs go on: to the
/// guest, no time has passed. Given up, it leaves no engine, and the saved state in any case.
pub(super) async fn restore(
    context: &Context,
    saved: Saved,
    progress: &watch::Sender<Amount>,
) -> Result<Launched, Error> {
    let Saved { definition, facts } = saved;
    prepare_folders(context, &definition)?;
    let folder = context.store.folder(definition.id);
    let memory = files::off_thread(move || {
        saved::open_memory(&folder).map_err(|error| store::failed(&folder, &error))
    });
    let memory = memory.await?;
    let Launched { machine, record, mut events, serving } =
        start(context, &definition, facts.accelerator, Beginning::Restoring(&facts.added)).await?;
    let unfinished = Unfinished { machine, kept: false };
    if let Err(error) = unfinished.machine.load(memory, progress).await {
        let detail = match error {
            // It ended because of that, and says why.
            EngineError::Gone => last_words(&mut events).await.unwrap_or_else(|| error.to_string()),
            EngineError::Refused { detail } => detail,
            other => other.to_string(),
        };
        let used = facts.engine.as_deref().unwrap_or("unknown");
        let present = context.engine.info().await.version.unwrap_or_default();
        let detail = if used == present {
            detail
        } else {
            format!("{detail}\nsaved with version {used}, and this is {present}")
        };
        let (guest, fault) = (definition.name.clone(), SavedStateFault::Refused);
        return Err(Error::SavedStateUnusable { guest, fault, detail });
    }
    Ok(Launched { machine: unfinished.keep(), record: record.restored(facts.given), events, serving })
}

/// What a cold start would do, but for what is made ready only then: the command names a kernel as it is, not the
/// unpacked form in which it may be started. Starts nothing and makes nothing.
pub async fn plan(context: &Context, definition: &Definition) -> Result<Plan, Error> {
    let accelerator = context.accelerator.get().await.chosen;
    let firmware = boot::find(definition, &context.store.folder(definition.id)).await?;
    let mut machine = machine(context, definition, accelerator, firmware.config()).await;
    if definition.kernel_disk().is_some() {
        machine.kernel = Some(disk_kernel::planned(context, definition).await?);
    }
    Ok(Plan { definition: definition.write(), command: context.engine.command_line(&machine) })
}

/// The machine of a definition, with what it has of this computer at the moment.
async fn machine(
    context: &Context,
    definition: &Definition,
    accelerator: Accelerator,
    firmware: FirmwareConfig,
) -> MachineConfig {
    let (folder, run) = (context.store.folder(definition.id), context.run_files(definition));
    let mut machine = definition.machine(&folder, accelerator, firmware, run);
    machine.disks.iter_mut().for_each(DiskConfig::find_device);
    machine.pci.iter_mut().for_each(|pci| {
        pci.group = host::pci::group(&context.folders.devices, pci.address);
    });
    if machine.sound != SoundCard::None {
        machine.audio = context.engine.audio().await;
    }
    machine
}

/// Lays out what a machine gets of physical disks.
async fn lay_out(machine: &mut MachineConfig, definition: &Definition, folder: &Path) -> Result<(), Error> {
    for (config, disk) in machine.disks.iter_mut().zip(&definition.disks) {
        if disk.is_partial() {
            config.partial = Some(disk.lay_out(folder).await?);
        }
    }
    Ok(())
}

fn prepare_folders(context: &Context, definition: &Definition) -> Result<(), Error> {
    for folder in [&context.run_folder(definition.id), &context.log_folder(definition.id)] {
        hv_api::paths::private_folder(folder).map_err(|error| store::failed(folder, &error))?;
    }
    Ok(())
}

/// How a start was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// As its definition says.
    Usual,
    /// From its optical drives, this once.
    FromCd,
    /// With this entry of the boot menu on its disk, this once.
    Entry(u32),
    /// So that nothing of what it writes is kept.
    Disposable,
}

/// How a machine begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning<'a> {
    /// As somebody asked for.
    Asked(Asked),
    /// With a saved state, of a machine to which this memory was added.
    Restoring(&'a [ByteSize]),
}

async fn start(
    context: &Context,
    definition: &Definition,
    accelerator: Accelerator,
    beginning: Beginning<'_>,
) -> Result<Launched, Error> {
    let folder = context.store.folder(definition.id);
    let firmware = boot::find(definition, &folder).await?;
    firmware.make_store().await?;
    let mut machine = machine(context, definition, accelerator, firmware.config()).await;
    lay_out(&mut machine, definition, &folder).await?;
    if beginning == Beginning::Asked(Asked::Disposable) {
        disposable::prepare(&mut machine, definition, &folder).await?;
    }
    let from_disk = definition.kernel_disk().is_some();
    match beginning {
        Beginning::Asked(Asked::FromCd) => boot::from_cd(&mut machine),
        Beginning::Asked(asked) if from_disk => {
            let choice = match asked {
                Asked::Entry(entry) => Choice::Number(entry),
                Asked::Usual | Asked::FromCd | Asked::Disposable => disk_kernel::choice(definition),
            };
            machine.kernel = Some(disk_kernel::copied(context, definition, choice).await?);
        }
        Beginning::Asked(_) => {}
        Beginning::Restoring(added) => {
            if from_disk {
                machine.kernel = Some(disk_kernel::kept(context, definition).await?);
            }
            machine.restoring = true;
            machine.added_memory = added.to_vec();
        }
    }
    let serving = serve_tree(definition, None).await?;
    if let (Some(serving), Some(kernel)) = (&serving, &mut machine.kernel) {
        kernel.append = kernel.append.as_deref().map(|append| serving.fill(append));
    }
    definition.nics.iter().flat_map(Nic::open_forwards).try_for_each(forwards::check)?;
    assign::check_definition(&context.folders.devices, definition).await?;
    boot::unpack_kernel(&mut machine, &context.folders.cache).await;
    let pci_groups = machine.pci.iter().filter_map(|pci| pci.group).collect();
    let (sender, events) = mpsc::channel(ENGINE_EVENTS);
    let started = context.engine.start(&machine, sender).await;
    let machine = started.map_err(|error| engine_error(&definition.name, Operation::Start, error))?;
    if definition.stops_on_reboot() {
        // Its CPUs stand: no restart can come before this.
        let told = machine.alter(Alteration::StopOnReboot(true)).await;
        if let Err(error) = told {
            machine.kill();
            return Err(engine_error(&definition.name, Operation::Start, error));
        }
    }
    let cpu_limit = limit::begin(context, definition, machine.pid()).await;
    let record = RunRecord::new(Definition { cpu_limit, ..definition.clone() }, accelerator, now());
    let mut record = record.with_groups(pci_groups);
    record.tree_port = serving.as_ref().map(|serving| serving.port);
    Ok(Launched { machine, record, events, serving })
}

/// Serves the tree that a guest is installed from, where that is in a folder: at the port that its machine knows, or else
/// at one that is the same for this guest each time where that is free.
///
/// # Errors
/// Where no port can be had.
pub(super) async fn serve_tree(
    definition: &Definition,
    known: Option<u16>,
) -> Result<Option<Serving>, Error> {
    let Some((folder, secret)) = definition.install.as_ref().and_then(Install::served) else {
        return Ok(None);
    };
    let ports = known.map_or_else(|| [usual_port(definition.id), 0].to_vec(), |port| vec![port]);
    let serving = Serving::begin(folder, secret, &ports).await;
    serving.map(Some).map_err(|error| store::failed(folder, &error))
}

/// A port below those that Linux gives out by itself.
fn usual_port(guest: GuestId) -> u16 {
    let bytes =
        guest.to_string().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    20_000 + (bytes % 12_000) as u16
}

/// What an engine says last, where it ends within a moment.
async fn last_words(events: &mut mpsc::Receiver<EngineEvent>) -> Option<String> {
    let words = async {
        loop {
            if let EngineEvent::Exited { detail } = events.recv().await? {
                return Some(detail);
            }
        }
    };
    timeout(LAST_WORDS_DEADLINE, words).await.ok().flatten()
}

/// A machine that is not yet what it shall be. Dropped before it is kept, it is ended.
struct Unfinished {
    machine: Arc<dyn Machine>,
    kept: bool,
}

impl Unfinished {
    fn keep(mut self) -> Arc<dyn Machine> {
        self.kept = true;
        Arc::clone(&self.machine)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept {
            self.machine.kill();
        }
    }
}
