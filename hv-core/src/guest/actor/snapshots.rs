//! Taking snapshots of a guest, putting it back to one, and deleting them.
//!
//! What is done with the disks of a guest that is off takes a moment, in which nobody may do anything else with the
//! guest: what is asked of it then waits until that is over; so it is with a saved guest's. A snapshot of a machine that runs is taken as one is
//! saved, but its disks keep what they hold, and it goes on afterwards. What takes time is in `work`.

mod work;

use super::saving::{go_on, to_save};
use super::{Actor, Internal, Order, State, beside};
use crate::engine::Machine;
use crate::files;
use crate::guest::boot;
use crate::guest::config::Definition;
use crate::guest::handle::Answer;
use crate::guest::saved::{self, Saved, Writing};
use crate::guest::snapshots::{self, Entry, Index, KeptVolume};
use crate::guest::state::{Former, OffCause, SavedCause, Wish};
use crate::guest::view::now;
use hv_api::{Error, GuestInfo, Operation, SnapshotId};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};
use work::{forget, keep_off, keep_running, put_back_all, take_picture, with_disks};

/// What the task knows of snapshots.
#[derive(Default)]
pub(super) struct Snapshots {
    /// Nothing where it can't be read.
    index: Option<Index>,
    /// How many things are done with the disks while no engine runs. Until all are over, nothing else is begun.
    pub(super) holding: u32,
    /// One is being taken, and somebody waits for it.
    taking: Option<Taking>,
    /// The guest is being put back to one, and somebody waits for it.
    restoring: Option<Answer<GuestInfo>>,
    /// Somebody copies the disks while this is held.
    lent: Weak<()>,
}

/// A snapshot that is being taken.
struct Taking {
    draft: Draft,
    /// Of a guest of which no engine runs.
    down: bool,
    answer: Answer<GuestInfo>,
}

/// A snapshot to be.
#[derive(Clone)]
struct Draft {
    entry: Entry,
    definition: Definition,
    wanted: Definition,
    volumes: Vec<KeptVolume>,
}

impl Draft {
    /// The name by which volumes know it.
    fn name(&self) -> String {
        self.entry.id.to_string()
    }
}

/// A guest that is off and stays so, with its disks as they are, while this is held.
#[derive(Debug)]
pub struct Loan {
    /// What the guest is, or was when the snapshot was taken.
    pub definition: Definition,
    /// Of which snapshot the content of its disks is to be read; nothing for what they hold now.
    pub snapshot: Option<SnapshotId>,
    /// Whether there is a variable store to be copied.
    pub variables: bool,
    held: Rc<()>,
}

impl Loan {
    /// Whether nobody else has borrowed them.
    pub fn is_alone(&self) -> bool {
        Rc::strong_count(&self.held) == 1
    }
}

/// A snapshot to which a guest was put back.
pub struct PutBack {
    id: SnapshotId,
    definition: Definition,
    result: Result<(), Error>,
    /// Something of the guest may be otherwise than before.
    touched: bool,
}

impl Actor {
    /// Reads which snapshots there are, as the task begins.
    pub(super) fn recall_snapshots(&mut self) {
        match Index::read(&self.folder()) {
            Ok(index) => {
                let any = !index.snapshots.is_empty();
                self.snapshots.index = Some(index);
                if any {
                    self.publish();
                }
            }
            Err(error) => warn!(?error, "its snapshots can't be used"),
        }
    }

    /// Goes on with what was interrupted, where no engine runs.
    pub(super) fn resume_snapshots(&mut self) {
        if let Some(id) = self.snapshots.index.as_ref().and_then(|index| index.restoring) {
            info!(snapshot = %id, "going on to put it back to a snapshot, in which it was interrupted");
            match self.to_put_back(id) {
                Ok((definition, volumes)) => self.put_back(id, definition, volumes),
                Err(error) => warn!(?error, "it can't be put back"),
            }
        }
        self.sweep_snapshots();
    }

    /// The snapshots as clients are told: all of them, and that after which the guest is now.
    pub(super) fn tell_snapshots(&self, info: &mut GuestInfo) {
        if let Some(index) = &self.snapshots.index {
            info.snapshots = index.told(&self.folder());
            info.current_snapshot = index.current;
        }
    }

    fn index(&self) -> Result<&Index, Error> {
        match &self.snapshots.index {
            Some(index) => Ok(index),
            // It says again what is wrong with it.
            None => Err(Index::read(&self.folder()).err().unwrap_or_else(|| Error::SnapshotNotFound {
                guest: self.definition.name.clone(),
                snapshot: String::new(),
            })),
        }
    }

    /// Makes sure that the disks are what they should be, and that nobody copies them.
    pub(super) fn check_disks_are_whole(&self) -> Result<(), Error> {
        let guest = self.definition.name.clone();
        if self.snapshots.lent.upgrade().is_some() {
            return Err(Error::BeingCloned { guest });
        }
        let Some(index) = &self.snapshots.index else { return Ok(()) };
        let Some(entry) = index.restoring.and_then(|id| index.find(&id.to_string())) else { return Ok(()) };
        Err(Error::PutBackInPart { guest, snapshot: entry.name.clone() })
    }

    fn find(&self, snapshot: &str) -> Result<&Entry, Error> {
        let missing =
            || Error::SnapshotNotFound { guest: self.definition.name.clone(), snapshot: snapshot.to_owned() };
        self.index()?.find(snapshot).ok_or_else(missing)
    }

    /// Takes one, as a job has ordered.
    pub(super) fn take_snapshot(
        &mut self,
        name: String,
        note: Option<String>,
        order: Order,
        answer: Answer<GuestInfo>,
    ) {
        let draft = match self.draft(name, note) {
            Ok(draft) => draft,
            Err(error) => return drop(answer.send(Err(error))),
        };
        if self.state.is_down() {
            self.snapshots.holding += 1;
            let (folder, internal, entry) = (self.folder(), self.internal.clone(), draft.entry.clone());
            self.snapshots.taking = Some(Taking { draft: draft.clone(), down: true, answer });
            beside(async move {
                let keep = keep_off(&folder, &draft, &order.cancelled);
                let is_saved = entry.memory.is_some();
                let taken = with_disks(&folder, is_saved, keep).await.map(|()| entry);
                drop(internal.send(Box::new(Internal::SnapshotTaken(taken))));
            });
            return;
        }
        let state = std::mem::replace(&mut self.state, State::Off(OffCause::Never));
        match state.wish(Wish::Save) {
            Ok((state, effects)) => {
                self.snapshots.taking = Some(Taking { draft, down: false, answer });
                self.saving.order(order);
                self.become_state(state, &effects);
            }
            Err((state, _refused)) => {
                self.state = state;
                drop(answer.send(Err(self.wrong_state(Operation::TakeSnapshot))));
            }
        }
    }

    fn draft(&self, name: String, note: Option<String>) -> Result<Draft, Error> {
        if self.snapshots.taking.is_some() {
            return Err(self.wrong_state(Operation::TakeSnapshot));
        }
        self.check_disks_are_whole()?;
        let index = self.index()?;
        index.check_name(&self.definition.name, &name, None)?;
        let is_saved = matches!(self.state, State::Saved(_));
        let saved = is_saved.then(|| self.prepare_restoring()).transpose()?;
        let has_machine = self.machine.borrow().is_some();
        let definition = match &saved {
            Some(saved) => saved.definition.clone(),
            None if has_machine => self.running().definition,
            None => self.definition.clone(),
        };
        let folder = self.folder();
        let variables = boot::variable_store(&definition, &folder).is_some_and(|store| store.is_file());
        let volumes = snapshots::volumes(&definition, &folder, variables)?;
        let entry = Entry {
            id: SnapshotId::random(),
            name,
            note: note.and_then(snapshots::kept_note),
            parent: index.current,
            taken: now(),
            memory: saved.as_ref().map(Saved::memory),
            running: saved.is_some_and(|saved| saved.facts.running),
            picture: false,
            variables,
        };
        Ok(Draft { entry, definition, wanted: self.definition.clone(), volumes })
    }

    /// Whether one is being taken, for which the memory is written, or was and goes to the disk yet.
    pub(super) fn takes_snapshot(&self) -> bool {
        self.snapshots.taking.is_some()
    }

    /// Takes the snapshot that was asked for of a machine that runs, beside the task.
    pub(super) fn keep_machine(
        &self,
        machine: Arc<dyn Machine>,
        former: Former,
        order: Order,
    ) -> Option<AbortHandle> {
        let mut draft = self.snapshots.taking.as_ref()?.draft.clone();
        let (context, folder, internal) = (Rc::clone(&self.context), self.folder(), self.internal.clone());
        let running = self.running();
        Some(beside(async move {
            draft.entry.running = former == Former::Running;
            let begun = to_save(&context, &*machine, running, &former).await.and_then(|saved| {
                let kept = snapshots::begin(&folder, draft.entry.id, &draft.definition, &draft.wanted)?;
                Writing::begin_in(&folder, kept, saved)
            });
            let written = match begun {
                Ok((mut writing, memory)) => {
                    draft.entry.picture = take_picture(&*machine, &folder, &draft).await;
                    let written = tokio::select! {
                        written = keep_running(&context, &*machine, &folder, &draft, (&mut writing, memory), &order)
                            => written,
                        () = order.cancelled.notified() => Err(Error::JobCancelled { job: 0 }),
                    };
                    written.map(|()| writing)
                }
                Err(error) => Err(error),
            };
            let former = go_on(&*machine, former).await;
            drop(internal.send(Box::new(Internal::NotSaved(former, None))));
            // The guest runs already while the last of it goes to the disk.
            let flushed = match written {
                Ok(mut writing) => {
                    files::off_thread(move || writing.flush().map(|()| writing.memory())).await
                }
                Err(error) => Err(error),
            };
            let taken = flushed.map(|memory| Entry { memory: Some(memory), ..draft.entry });
            drop(internal.send(Box::new(Internal::SnapshotTaken(taken))));
        }))
    }

    /// A snapshot is complete and on the disk, or could not be taken.
    pub(super) fn snapshot_taken(&mut self, taken: Result<Entry, Error>) {
        let Some(Taking { answer, down, .. }) = self.snapshots.taking.take() else { return };
        self.snapshots.holding -= u32::from(down);
        let kept = taken.and_then(|entry| {
            info!(snapshot = %entry.id, "taken");
            let index = self.index()?.clone().with(entry);
            self.keep_index(index)
        });
        self.publish();
        drop(answer.send(kept.map(|()| self.told())));
        self.sweep_snapshots();
    }

    /// The engine ends while a snapshot is taken of its machine.
    pub(super) fn abandon_snapshot(&mut self) {
        if let Some(Taking { answer, .. }) = self.snapshots.taking.take() {
            drop(answer.send(Err(self.wrong_state(Operation::TakeSnapshot))));
        }
    }

    /// Whether a core was ended while it took a snapshot of the machine; then, whether the CPUs ran before.
    pub(super) fn interrupted_snapshot(&self) -> Option<bool> {
        snapshots::interrupted(&self.folder(), self.snapshots.index.as_ref()?)
    }

    /// Puts the guest, which is off, back to a snapshot.
    pub(super) fn restore_snapshot(&mut self, snapshot: &str, answer: Answer<GuestInfo>) {
        let found = self.may_put_back().and_then(|()| Ok(self.find(snapshot)?.id));
        match found.and_then(|id| Ok((id, self.to_put_back(id)?))) {
            Ok((id, (definition, volumes))) => {
                self.snapshots.restoring = Some(answer);
                self.put_back(id, definition, volumes);
            }
            Err(error) => drop(answer.send(Err(error))),
        }
    }

    fn may_put_back(&self) -> Result<(), Error> {
        if !self.state.is_down() || self.takes_snapshot() {
            return Err(self.wrong_state(Operation::RestoreSnapshot));
        }
        if let Some(error) = &self.unreachable {
            return Err(error.clone());
        }
        match self.check_disks_are_whole() {
            // This is what mends it.
            Err(Error::PutBackInPart { .. }) => Ok(()),
            other => other,
        }
    }

    /// What a snapshot has, which nobody else uses.
    fn to_put_back(&self, id: SnapshotId) -> Result<(Definition, Vec<KeptVolume>), Error> {
        let folder = self.folder();
        let definition = snapshots::definition(&folder, id)?;
        let variables = self.index()?.snapshots.iter().any(|entry| entry.id == id && entry.variables);
        let volumes = snapshots::volumes(&definition, &folder, variables)?;
        self.claim_disks(&definition)?;
        Ok((snapshots::wanted(&folder, id)?, volumes))
    }

    fn put_back(&mut self, id: SnapshotId, definition: Definition, volumes: Vec<KeptVolume>) {
        self.snapshots.holding += 1;
        let (folder, internal, guest) = (self.folder(), self.internal.clone(), self.definition.name.clone());
        let index = self.snapshots.index.clone().unwrap_or_default();
        beside(async move {
            let mut touched = index.restoring.is_some();
            let result = put_back_all(&folder, &guest, index, id, &volumes, &mut touched).await;
            let put_back = PutBack { id, definition, result, touched };
            drop(internal.send(Box::new(Internal::SnapshotRestored(put_back))));
        });
    }

    /// The disks are what the snapshot has, or could not be made so.
    pub(super) fn snapshot_restored(&mut self, put_back: PutBack) {
        let PutBack { id, definition, result, touched } = put_back;
        self.snapshots.holding -= 1;
        self.context.volumes.release(self.definition.id);
        let name = self.definition.name.clone();
        let done = result.and_then(|()| {
            let mut definition = Definition { name, ..definition };
            // It was installed since, and what its installer needs is gone.
            let folder = self.folder();
            definition.install.take_if(|install| !install.files().all(|file| folder.join(file).exists()));
            definition.first_start = definition.first_start.map(|first| first.found(&folder));
            self.keep(definition)?;
            let index = self.index()?.clone().at(id);
            self.keep_index(index)
        });
        if done.is_err()
            && touched
            && let Some(index) = &mut self.snapshots.index
        {
            index.restoring = Some(id);
        }
        let saved = saved::known(&self.folder());
        let state = match saved {
            Some(_) => State::Saved(SavedCause::Asked),
            None if done.is_ok() || touched => State::Off(OffCause::Never),
            None => self.state.clone(),
        };
        self.since = if done.is_ok() { now() } else { self.since };
        self.become_state(state, &[]);
        match &done {
            Ok(()) => info!(snapshot = %id, "put back"),
            Err(error) => warn!(snapshot = %id, ?error, "it could not be put back"),
        }
        if let Some(answer) = self.snapshots.restoring.take() {
            drop(answer.send(done.map(|()| self.told())));
        }
    }

    /// Deletes one. What came after it stays, and so does what the guest is now.
    pub(super) fn delete_snapshot(&mut self, snapshot: &str) -> Result<(), Error> {
        let steady = matches!(self.state, State::Running | State::Paused(_) | State::ShuttingDown { .. });
        if self.snapshots.taking.is_some() || !(steady || self.state.is_down()) {
            return Err(self.wrong_state(Operation::DeleteSnapshot));
        }
        let id = self.find(snapshot)?.id;
        match self.check_disks_are_whole() {
            // Any but that to which it is to be put back: it may be the host's room that was missing.
            Err(Error::PutBackInPart { .. }) if self.index()?.restoring != Some(id) => {}
            other => other?,
        }
        let index = self.index()?.clone().without(id);
        self.keep_index(index)?;
        info!(snapshot = %id, "deleted");
        self.publish();
        self.sweep_snapshots();
        Ok(())
    }

    /// Gives one another name or note.
    pub(super) fn edit_snapshot(
        &mut self,
        snapshot: &str,
        name: Option<String>,
        note: Option<String>,
    ) -> Result<(), Error> {
        let id = self.find(snapshot)?.id;
        let index = self.index()?.clone();
        if let Some(name) = &name {
            index.check_name(&self.definition.name, name, Some(id))?;
        }
        self.keep_index(index.renamed(id, name, note))?;
        self.publish();
        Ok(())
    }

    /// Lets the guest's disks be copied, or those that it had in a snapshot. It can't start meanwhile.
    pub(super) fn lend(&mut self, snapshot: Option<&str>) -> Result<Loan, Error> {
        if !self.state.is_off() || self.takes_snapshot() {
            return Err(self.wrong_state(Operation::Clone));
        }
        match self.check_disks_are_whole() {
            // Another may be made of it as well.
            Err(Error::BeingCloned { .. }) => {}
            other => other?,
        }
        let snapshot = snapshot.map(|snapshot| self.find(snapshot).map(|entry| entry.id)).transpose()?;
        let definition = match snapshot {
            Some(id) => {
                // What is on the disks that the machine had.
                let disks = snapshots::definition(&self.folder(), id)?.disks;
                Definition { disks, ..snapshots::wanted(&self.folder(), id)? }
            }
            None => self.definition.clone(),
        };
        let held = self.snapshots.lent.upgrade().unwrap_or_default();
        self.snapshots.lent = Rc::downgrade(&held);
        let has_it = |id: SnapshotId| self.find(&id.to_string()).is_ok_and(|entry| entry.variables);
        Ok(Loan { definition, snapshot, variables: snapshot.is_none_or(has_it), held })
    }

    /// Writes the index down, and only then goes by it.
    fn keep_index(&mut self, index: Index) -> Result<(), Error> {
        index.write(&self.folder())?;
        self.snapshots.index = Some(index);
        Ok(())
    }

    /// Removes what there is of snapshots that were not completed or have been deleted.
    pub(super) fn sweep_snapshots(&mut self) {
        let Some(index) = &self.snapshots.index else { return };
        if self.snapshots.holding > 0 || self.snapshots.taking.is_some() {
            return;
        }
        let folder = self.folder();
        let leftovers = snapshots::leftovers(&folder, index);
        if leftovers.is_empty() {
            return;
        }
        let machine = self.machine.borrow().clone();
        let present = self.record.as_ref().map_or(&self.definition, |record| &record.machine);
        let present = snapshots::attached(present, &folder);
        if machine.is_none() && !self.state.is_down() {
            // An engine is about to have the disks. They are swept when it has ended.
            return;
        }
        let held = u32::from(machine.is_none());
        self.snapshots.holding += held;
        let internal = self.internal.clone();
        let is_saved = matches!(self.state, State::Saved(_));
        beside(async move {
            let forget = async {
                for id in leftovers {
                    match forget(machine.as_deref(), &folder, id, &present).await {
                        Ok(()) => snapshots::remove(&folder, id),
                        // It is tried again when the guest has ended next.
                        Err(error) => {
                            debug!(snapshot = %id, ?error, "what is left of a snapshot stays for now");
                        }
                    }
                }
                Ok(())
            };
            if let Err(error) = with_disks(&folder, is_saved, forget).await {
                warn!(?error, "what is left of snapshots stays for now");
            }
            drop(internal.send(Box::new(Internal::SnapshotsSwept { held })));
        });
    }
}
