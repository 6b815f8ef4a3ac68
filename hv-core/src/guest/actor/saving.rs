//! Saving a guest to its folder and letting it go on from there.
//!
//! The engine writes beside the task; whether what it wrote becomes the guest's saved state is decided here, in one
//! step, so that no wish comes in between. Until then everything is as it was, and is so again where it fails.

use super::{Actor, Internal, State, beside};
use crate::engine::{Amount, EngineError, Machine};
use crate::guest::config::Definition;
use crate::guest::context::Context;
use crate::guest::handle::{Answer, engine_error};
use crate::guest::record::RunRecord;
use crate::guest::saved::{self, Facts, Saved, Unusable, Writing};
use crate::guest::state::{Former, Happening, SavedCause, Wish};
use crate::guest::view::now;
use crate::{files, host, store};
use hv_api::{Accelerator, ByteSize, Error, GuestInfo, Operation, SavedStateFault};
use std::convert::Infallible;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tracing::{info, warn};

/// How often what is written of a saved state is sent to the disk on the way.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// What a job has to do with the work that it stands for.
#[derive(Debug)]
pub struct Order {
    /// Where it is told how far that has come.
    pub progress: watch::Sender<Amount>,
    /// Notified where it shall be given up.
    pub cancelled: Rc<Notify>,
}

/// What the task knows of saving and restoring.
#[derive(Default)]
pub(super) struct Saving {
    /// What the next save or restoration is told and tells.
    order: Option<Order>,
    /// The work that goes on.
    work: Option<AbortHandle>,
    /// Why the last one came to nothing.
    error: Option<Error>,
    /// The saved state with which the engine is launched.
    restoring: Option<Saved>,
    /// The machine has it and is told to run, but has not said that it does.
    resumed: bool,
}

/// What must be known of a machine for another one to be given its memory.
pub(super) struct Running {
    /// What the other one must be launched as.
    pub definition: Definition,
    /// What runs its instructions, as far as that was noted.
    pub accelerator: Option<Accelerator>,
    /// The memory that its guest is to have.
    pub given: Option<ByteSize>,
}

impl Saving {
    /// The next save or restoration is told and tells through this.
    pub(super) fn order(&mut self, order: Order) {
        (self.order, self.error) = (Some(order), None);
    }
}

impl Actor {
    /// The guest's own folder.
    pub(super) fn folder(&self) -> PathBuf {
        self.context.store.folder(self.definition.id)
    }

    /// What must be known of the machine for another one to be given its memory.
    pub(super) fn running(&self) -> Running {
        let record = self.record.as_ref();
        Running {
            definition: record.map_or_else(|| self.definition.clone(), RunRecord::to_restore),
            accelerator: record.map(|record| record.accelerator),
            given: record.map(|record| record.machine.memory),
        }
    }

    /// What the guest is as its task begins and no engine of it runs.
    pub(super) fn recall_saved(&mut self) {
        let folder = self.folder();
        if saved::interrupted(&folder).is_some() {
            info!("removing a saved state that was not completed; its engine has ended");
            saved::remove_writing(&folder);
        }
        if saved::exists(&folder) {
            self.state = State::Saved(SavedCause::Asked);
            if let Err(error) = saved::altered(&folder) {
                warn!(?error, "its saved state can't be used");
            }
            let known = saved::known(&folder);
            if let Some(saved) = &known {
                self.since = saved.facts.since;
            }
            self.enter_saved(known);
            self.publish();
        }
    }

    /// What the guest is whose engine an earlier core has left running; nothing where it just goes on.
    pub(super) fn interrupted_saving(&self, runs: bool) -> Option<Happening> {
        let folder = self.folder();
        let interrupted = saved::interrupted(&folder);
        if saved::exists(&folder) {
            if !runs {
                return Some(Happening::AdoptedSaved);
            }
            // Somebody has put it there: with a machine that runs, it would damage the disks.
            warn!("the guest runs and has a saved state, which is discarded");
            discard_saved(&folder).unwrap_or_else(|error| warn!(?error, "it stays"));
        }
        let former = |ran| match &self.state {
            _ if ran => Former::Running,
            State::Paused(cause) => Former::Paused(cause.clone()),
            _ => Former::Paused(super::PauseCause::Asked),
        };
        let interrupted = interrupted.or_else(|| self.interrupted_snapshot());
        interrupted.map(|ran| Happening::AdoptedSaving(former(ran || runs)))
    }

    /// A saved guest keeps its disks, and what waits for its next cold start is told.
    pub(super) fn enter_saved(&mut self, saved: Option<Saved>) {
        let Some(Saved { definition, facts }) = saved else { return };
        if let Err(error) = self.claim_disks(&definition) {
            warn!(?error, "a disk of the saved guest is in use");
        }
        let Facts { accelerator, since, given, .. } = facts;
        self.record = Some(RunRecord::new(definition, accelerator, since).restored(given));
    }

    /// Save it, as a job has ordered.
    pub(super) fn save(&mut self, order: Order, answer: Answer<GuestInfo>) {
        if self.takes_snapshot() {
            drop(answer.send(Err(self.wrong_state(Operation::Save))));
            return;
        }
        self.saving.order(order);
        self.wish(Wish::Save, answer);
    }

    /// Let it go on with its saved state, as a job has ordered.
    pub(super) fn restore(&mut self, paused: bool, order: Order, answer: Answer<GuestInfo>) {
        if !matches!(self.state, State::Saved(_)) {
            drop(answer.send(Err(self.wrong_state(Operation::Restore))));
            return;
        }
        self.saving.order(order);
        self.wish(Wish::Start { paused }, answer);
    }

    /// Makes sure that the saved state can be used, before anything is started with it.
    pub(super) fn prepare_restoring(&self) -> Result<Saved, Error> {
        let mut saved = saved::open(&self.folder()).map_err(|unusable| {
            let detail = unusable.to_string();
            let fault = match unusable {
                Unusable::Damaged(_) => SavedStateFault::Damaged,
                Unusable::DisksChanged(_) => SavedStateFault::DisksChanged,
            };
            Error::SavedStateUnusable { guest: self.definition.name.clone(), fault, detail }
        })?;
        saved.definition.name.clone_from(&self.definition.name);
        Ok(saved)
    }

    /// The next launch restores this, or nothing.
    pub(super) fn restore_at_launch(&mut self, saved: Option<Saved>) {
        self.saving.restoring = saved;
    }

    /// What the launch that begins now is to restore, and where it tells how far it has come.
    pub(super) fn take_restoring(&mut self) -> Option<(Saved, watch::Sender<Amount>)> {
        let saved = self.saving.restoring.take()?;
        let progress = self.saving.order.take().map(|order| order.progress);
        Some((saved, progress.unwrap_or_else(|| watch::channel(Amount::default()).0)))
    }

    /// The machine was given the saved state: from here on that must never be used again, unless it does not run.
    pub(super) fn take_saved(&mut self) -> Result<(), Error> {
        saved::resume(&self.folder())?;
        self.saving.resumed = true;
        Ok(())
    }

    /// The machine did not carry out one instruction: the saved state is good again.
    pub(super) fn keep_saved(&mut self) {
        self.saving.resumed = false;
        if let Err(error) = saved::take_back(&self.folder()) {
            warn!(?error, "the saved state could not be kept");
        }
    }

    /// Gives back what is of no use in the state that was entered.
    pub(super) fn settle_saving(&mut self) {
        let still_saved = matches!(self.state, State::Starting { .. } | State::Stopping(_));
        if self.saving.resumed && !still_saved {
            self.saving.resumed = false;
            let folder = self.folder();
            // It may be large.
            drop(tokio::task::spawn_blocking(move || saved::forget_resumed(&folder)));
        }
    }

    /// Throws the saved state away.
    pub(super) fn discard(&mut self) -> Result<(), Error> {
        discard_saved(&self.folder())
    }

    /// Writes the machine's memory, beside the task.
    pub(super) fn begin_saving(&mut self) {
        let (Some(machine), State::Saving(former)) = (self.machine.borrow().clone(), &self.state) else {
            return;
        };
        let former = former.clone();
        let order = self.saving.order.take().unwrap_or_else(|| Order {
            progress: watch::channel(Amount::default()).0,
            cancelled: Rc::default(),
        });
        if self.takes_snapshot() {
            self.saving.work = self.keep_machine(machine, former, order);
            return;
        }
        let (context, folder, internal) = (Rc::clone(&self.context), self.folder(), self.internal.clone());
        let running = self.running();
        self.saving.work = Some(beside(async move {
            let written = match to_save(&context, &*machine, running, &former).await {
                Ok(saved) => write_state(&context, &*machine, saved, order).await,
                Err(error) => Err(error),
            };
            let news = match written {
                Ok(writing) => Internal::StateWritten(writing),
                Err(error) => Internal::NotSaved(undo(&*machine, folder, former).await, Some(error)),
            };
            drop(internal.send(Box::new(news)));
        }));
    }

    /// Gives up a save that an earlier core has begun.
    pub(super) fn undo_saving(&mut self) {
        let (Some(machine), State::Saving(former)) = (self.machine.borrow().clone(), &self.state) else {
            return;
        };
        let (former, folder, internal) = (former.clone(), self.folder(), self.internal.clone());
        self.saving.work = Some(beside(async move {
            let former = undo(&*machine, folder, former).await;
            drop(internal.send(Box::new(Internal::NotSaved(former, None))));
        }));
    }

    /// Gives up a save whose engine ends.
    pub(super) fn abandon_saving(&mut self) {
        if let Some(work) = self.saving.work.take() {
            work.abort();
        }
        // The engine has the large file open until it has ended, so this is quick.
        saved::remove_writing(&self.folder());
        self.abandon_snapshot();
    }

    /// The memory is written and on the disk: it becomes the guest's saved state now, or not at all.
    pub(super) fn state_written(&mut self, writing: Writing) {
        let State::Saving(former) = &self.state else { return };
        match writing.keep() {
            Ok(_saved) => self.happen(Happening::Saved),
            Err(error) => {
                let (former, folder, internal) = (former.clone(), self.folder(), self.internal.clone());
                let Some(machine) = self.machine.borrow().clone() else { return };
                self.saving.work = Some(beside(async move {
                    let former = undo(&*machine, folder, former).await;
                    drop(internal.send(Box::new(Internal::NotSaved(former, Some(error)))));
                }));
            }
        }
    }

    /// It was not saved, and is again what it was.
    pub(super) fn not_saved(&mut self, former: Former, error: Option<Error>) {
        let name = &self.definition.name;
        self.saving.error = error.map(|error| match error {
            // Told by work that does not know whose it is.
            Error::EngineRefused { detail, .. } => {
                Error::EngineRefused { guest: name.clone(), operation: Operation::Save, detail }
            }
            other => other,
        });
        self.happen(Happening::NotSaved(former));
        self.sweep_snapshots();
    }

    /// Why the guest was not saved.
    pub(super) fn saving_error(&self) -> Option<Error> {
        self.saving.error.clone()
    }
}

fn discard_saved(folder: &Path) -> Result<(), Error> {
    saved::discard(folder)?;
    let folder = folder.to_owned();
    drop(tokio::task::spawn_blocking(move || saved::forget_discarded(&folder)));
    Ok(())
}

/// Stops the machine and writes its memory. Nothing is undone where that fails.
async fn write_state(
    context: &Context,
    machine: &dyn Machine,
    saved: Saved,
    order: Order,
) -> Result<Writing, Error> {
    let folder = &context.store.folder(saved.definition.id);
    check_room(folder, saved.machine_memory(), machine)?;
    // Three small files that need not reach the disk: were they written on another thread, a save that is
    // abandoned in this moment would leave them.
    let (mut writing, memory) = Writing::begin(folder, saved)?;
    let Order { progress, cancelled } = order;
    let write = async {
        let first = async { Ok(()) };
        write_memory(context, machine, &mut writing, memory, &progress, Operation::Save, first).await?;
        files::off_thread(move || writing.flush().map(|()| writing)).await
    };
    tokio::select! {
        written = write => written,
        () = cancelled.notified() => Err(Error::JobCancelled { job: 0 }),
    }
}

/// What is to be saved of a machine that does this.
pub(super) async fn to_save(
    context: &Context,
    machine: &dyn Machine,
    running: Running,
    former: &Former,
) -> Result<Saved, Error> {
    let Running { definition, accelerator, given } = running;
    let accelerator = match accelerator {
        Some(accelerator) => accelerator,
        None => context.accelerator.get().await.chosen,
    };
    let added = machine.added_memory().await;
    let added = added.map_err(|error| engine_error(&definition.name, Operation::Save, error))?;
    let mut facts = Facts::new(accelerator, now(), *former == Former::Running);
    (facts.given, facts.added) = (given, added);
    Ok(Saved { definition, facts })
}

/// Makes sure that a machine's memory, of which it has so much at most, has room in its guest's folder.
pub(super) fn check_room(folder: &Path, memory: ByteSize, machine: &dyn Machine) -> Result<(), Error> {
    let needed = saved::room_needed(memory, saved::memory_of(machine.pid()));
    if host::free_space(folder).is_ok_and(|free| free < needed) {
        return Err(store::no_space(folder));
    }
    Ok(())
}

/// Stops the machine, does what is to be done before anything is written, and writes its memory.
pub(super) async fn write_memory(
    context: &Context,
    machine: &dyn Machine,
    writing: &mut Writing,
    memory: OwnedFd,
    progress: &watch::Sender<Amount>,
    operation: Operation,
    first: impl Future<Output = Result<(), EngineError>>,
) -> Result<(), Error> {
    let folder = writing.folder().to_owned();
    let guest = writing.guest_name().to_owned();
    let refused = |error: EngineError| match error {
        EngineError::Refused { detail } if is_full(&detail) => store::no_space(&folder),
        error => engine_error(&guest, operation, error),
    };
    machine.pause().await.map_err(refused)?;
    first.await.map_err(refused)?;
    let copy = memory.try_clone().map_err(|error| store::failed(&folder, &error))?;
    let saved = async {
        tokio::select! {
            saved = machine.save(memory, progress) => saved.map_err(refused),
            never = flush_meanwhile(copy) => match never {},
        }
    };
    // Who has not asked the engine for its version yet has to start it for that.
    let (saved, engine) = tokio::join!(saved, context.engine.info());
    saved?;
    writing.saved_by(engine.version);
    Ok(())
}

/// Sends what is written to the disk while more is written, so that there is less to wait for at the end.
async fn flush_meanwhile(file: OwnedFd) -> Infallible {
    let file = Arc::new(File::from(file));
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        let file = Arc::clone(&file);
        // What fails now fails again at the end, where it counts.
        let _flushed = tokio::task::spawn_blocking(move || file.sync_data()).await;
    }
}

fn is_full(words: &str) -> bool {
    words.contains("No space left on device") || words.contains("Disk quota exceeded")
}

/// Makes everything what it was before a save; says what the guest then does.
async fn undo(machine: &dyn Machine, folder: PathBuf, former: Former) -> Former {
    let former = go_on(machine, former).await;
    let removed = tokio::task::spawn_blocking(move || saved::remove_writing(&folder)).await;
    if let Err(error) = removed {
        warn!(%error, "a saved state that was not completed stays");
    }
    former
}

/// Lets a machine do again what it did before it was stopped to be written; says what the guest then does.
pub(super) async fn go_on(machine: &dyn Machine, former: Former) -> Former {
    if let Err(error) = machine.cancel_save().await {
        warn!(%error, "the engine does not end a save that was given up");
    }
    let resumed = if former == Former::Running { machine.resume().await } else { Ok(()) };
    // That its CPUs stood and ran meanwhile is part of the save, and is not to be heard of after it.
    machine.hear_out().await;
    if let Err(error) = resumed {
        warn!(%error, "the guest could not go on after a save that was given up");
        return Former::Paused(super::PauseCause::Asked);
    }
    former
}
