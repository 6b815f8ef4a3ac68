//! Finding or launching the engine of a guest.

use super::config::Definition;
use super::context::Context;
use super::handle::engine_error;
use super::view::{RunRecord, now};
use crate::engine::{Adopted, EngineEvent, Machine};
use crate::{serial, store};
use hv_api::{Error, Operation};
use std::sync::Arc;
use tokio::sync::mpsc;

/// News of an engine that may wait for the guest's task at once.
const ENGINE_EVENTS: usize = 64;

/// Looks for an engine that an earlier core left and that answered nobody when this one began: were it
/// overlooked, the guest would run twice.
pub async fn find(
    context: &Context,
    definition: &Definition,
) -> Result<Option<(Adopted, mpsc::Receiver<EngineEvent>)>, Error> {
    let run = context.run_files(definition);
    if !run.folder.is_dir() {
        return Ok(None);
    }
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
}

/// Launches an engine for a guest, with its logs begun anew; its CPUs stand.
pub(super) async fn launch(context: &Context, definition: &Definition) -> Result<Launched, Error> {
    let run = context.run_files(definition);
    for folder in [&run.folder, &context.log_folder(definition.id)] {
        hv_api::paths::private_folder(folder).map_err(|error| store::failed(folder, &error))?;
    }
    for log in &run.serial_logs {
        serial::begin_log(log).map_err(|error| store::failed(log, &error))?;
    }
    let accelerator = context.accelerator.get().await.chosen;
    let machine = definition.machine(&context.store.folder(definition.id), accelerator, run);
    let (sender, events) = mpsc::channel(ENGINE_EVENTS);
    let started = context.engine.start(&machine, sender).await;
    let machine = started.map_err(|error| engine_error(&definition.name, Operation::Start, error))?;
    let record = RunRecord { accelerator, since: now(), asked: None, machine: definition.clone() };
    Ok(Launched { machine, record, events })
}
