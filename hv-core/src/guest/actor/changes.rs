//! What is changed in a guest: its settings and the media in its drives.

use super::{Actor, Internal, State, beside};
use crate::engine::{Alteration, EngineError};
use crate::guest::config::Definition;
use crate::guest::edit::{Course, Edit};
use crate::guest::handle::{Answer, engine_error};
use crate::guest::limit;
use crate::guest::view::drive_name;
use crate::host::scopes::ScopeError;
use hv_api::{Applied, ByteSize, Error, GuestInfo, NotNow, Operation, SettingResult};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};

/// What people have asked to be changed.
#[derive(Default)]
pub(super) struct Edits {
    waiting: VecDeque<EditOrder>,
    /// The machine has been told of the first change of the first order.
    altering: Option<AbortHandle>,
}

/// What one person asked for.
struct EditOrder {
    edits: VecDeque<Edit>,
    done: Vec<SettingResult>,
    answer: Answer<Vec<SettingResult>>,
}

impl Actor {
    /// Makes changes one after the other, behind those that were asked for before.
    pub(super) fn edit(&mut self, edits: Vec<Edit>, answer: Answer<Vec<SettingResult>>) {
        let running = self.record.as_ref().map(|record| &record.machine);
        if let Err(error) = Edit::rehearse(&edits, &self.definition, running) {
            drop(answer.send(Err(error)));
            return;
        }
        self.edits.waiting.push_back(EditOrder { edits: edits.into(), done: Vec::new(), answer });
        if self.edits.altering.is_none() {
            self.next_edit();
        }
    }

    /// Goes on with the first order until it waits for the machine.
    fn next_edit(&mut self) {
        while let Some(order) = self.edits.waiting.front_mut() {
            let Some(edit) = order.edits.front().cloned() else {
                if let Some(EditOrder { done, answer, .. }) = self.edits.waiting.pop_front() {
                    drop(answer.send(Ok(done)));
                }
                continue;
            };
            // Others had their turn since it was asked for.
            let running = self.record.as_ref().map(|record| &record.machine);
            let edit = match edit.settled(&self.definition, running) {
                Ok(edit) => edit,
                Err(error) => {
                    self.edit_failed(error);
                    continue;
                }
            };
            if let Some(first) = order.edits.front_mut() {
                first.clone_from(&edit);
            }
            if let Err(error) = self.claim_for(&edit) {
                self.edit_failed(error);
                continue;
            }
            match self.course(&edit) {
                Course::Written => self.edit_done(&edit, Ok(())),
                Course::Waits(reason) => self.edit_done(&edit, Err(reason)),
                Course::Altered(mut alteration) => {
                    if let Alteration::AddDisk(disk) = &mut alteration {
                        disk.find_device();
                    }
                    let Some(machine) = self.machine.borrow().clone() else { return };
                    let internal = self.internal.clone();
                    let limit = self.limit_after(&edit, machine.pid());
                    self.edits.altering = Some(beside(async move {
                        let result = machine.alter(alteration).await;
                        if let (Ok(()), Some(limit)) = (&result, limit)
                            && let Err(error) = limit.await
                        {
                            warn!(%error, "the limit of its CPU time does not follow its CPUs");
                        }
                        drop(internal.send(Box::new(Internal::Altered(result))));
                    }));
                    return;
                }
                Course::Limited(quota) => {
                    let Some(machine) = self.machine.borrow().clone() else { return };
                    let (internal, limit) = (self.internal.clone(), self.limit(machine.pid(), quota));
                    self.edits.altering = Some(beside(async move {
                        let result = limit.await.map_err(|error| limit::unavailable(&error));
                        drop(internal.send(Box::new(Internal::Limited(result))));
                    }));
                    return;
                }
            }
        }
    }

    /// Gives an engine's process so much CPU time a second at most.
    fn limit(
        &self,
        pid: u32,
        quota: Option<Duration>,
    ) -> impl Future<Output = Result<(), ScopeError>> + use<> {
        let (scopes, engine) = (Rc::clone(&self.context.scopes), limit::enclosed(&self.definition, pid));
        async move { scopes.limit(&engine, quota).await }
    }

    /// The same, where an edit changes what the guest's limit is a share of.
    fn limit_after(
        &self,
        edit: &Edit,
        pid: u32,
    ) -> Option<impl Future<Output = Result<(), ScopeError>> + use<>> {
        let mut machine = self.record.as_ref()?.machine.clone();
        let former = limit::quota(&machine)?;
        edit.apply(&mut machine);
        let quota = limit::quota(&machine).filter(|quota| *quota != former)?;
        Some(self.limit(pid, Some(quota)))
    }

    fn course(&self, edit: &Edit) -> Course {
        let running = self.machine.borrow().is_some() && !matches!(self.state, State::Stopping(_));
        let is_launched = matches!(self.state, State::Starting { ready: false, .. });
        if edit.is_of_machine() && (self.state.is_kept() || is_launched) {
            return Course::Waits(NotNow::Fixed);
        }
        match &self.record {
            Some(record) if running => edit.course(record, &self.context.store.folder(self.definition.id)),
            // An engine of which an older core noted nothing.
            None if running && edit.is_of_machine() => Course::Waits(NotNow::EngineCannot),
            _ => Course::Written,
        }
    }

    /// The machine has its part of the first order's first change, or not.
    pub(super) fn altered(&mut self, result: Result<(), EngineError>) {
        let Some(edit) = self.end_altering() else { return };
        match result {
            Ok(()) => {
                self.machine_has(&edit);
                if let Edit::Memory(_) = edit {
                    self.ask_for_memory();
                }
                self.edit_done(&edit, Ok(()));
            }
            Err(EngineError::NotWhileRunning { detail }) => {
                info!(keys = ?edit.keys(), detail, "waits for the next start");
                self.edit_done(&edit, Err(NotNow::EngineCannot));
            }
            Err(EngineError::GuestRefused) => self.edit_done(&edit, Err(NotNow::GuestRefused)),
            // It has ended meanwhile, so that the next start is what comes next.
            Err(EngineError::Gone) => self.edit_done(&edit, Ok(())),
            Err(error) => {
                self.edit_failed(engine_error(&self.definition.name, Operation::Set, error));
            }
        }
        self.next_edit();
    }

    /// The machine's CPU time is limited by the first order's first change, or not.
    pub(super) fn limited(&mut self, result: Result<(), Error>) {
        let Some(edit) = self.end_altering() else { return };
        match result {
            Ok(()) => {
                self.machine_has(&edit);
                self.edit_done(&edit, Ok(()));
            }
            Err(error) => self.edit_failed(error),
        }
        self.next_edit();
    }

    /// The first order's first change, of which the machine has been told; nothing where that came to an end with it.
    fn end_altering(&mut self) -> Option<Edit> {
        self.edits.altering.take()?;
        self.edits.waiting.front()?.edits.front().cloned()
    }

    /// Notes what the machine that runs has by now.
    fn machine_has(&mut self, edit: &Edit) {
        if let Some(record) = &mut self.record {
            edit.apply(&mut record.machine);
            self.note_record();
        }
    }

    /// The machine is gone: what it was told last comes with the next start, which gives it all that is wanted.
    pub(super) fn end_alteration(&mut self) {
        if let Some(alteration) = &self.edits.altering {
            alteration.abort();
            self.altered(Err(EngineError::Gone));
        }
    }

    /// Writes the first order's first change down, which is done or waits for the next start.
    fn edit_done(&mut self, edit: &Edit, now: Result<(), NotNow>) {
        let mut wanted = self.definition.clone();
        edit.apply(&mut wanted);
        if let Err(error) = self.keep(wanted) {
            return self.edit_failed(error);
        }
        self.publish();
        self.hold_disks_after(edit);
        if matches!(edit, Edit::Installed(_)) && self.state.is_off() {
            self.end_known();
        }
        if let Some(order) = self.edits.waiting.front_mut() {
            order.edits.pop_front();
            order.done.extend(edit.keys().into_iter().map(|key| SettingResult {
                key,
                applied: if now.is_ok() { Applied::Now } else { Applied::AtNextStart },
                reason: now.err(),
            }));
        }
    }

    /// Gives the first order up. What of it was done stays, and is what the guest is told to be.
    fn edit_failed(&mut self, error: Error) {
        if let Some(order) = self.edits.waiting.pop_front() {
            if let Some(edit) = order.edits.front() {
                self.hold_disks_after(edit);
            }
            drop(order.answer.send(Err(error)));
        }
    }

    /// Asks how much memory the guest has: a guest without a driver for it says nothing by itself.
    pub(super) fn ask_for_memory(&self) {
        let (machine, internal) = (self.machine.borrow().clone(), self.internal.clone());
        let Some(machine) = machine else { return };
        beside(async move {
            match machine.memory().await {
                Ok(size) => drop(internal.send(Box::new(Internal::Memory(size)))),
                Err(error) => debug!(%error, "what memory the guest has is not known"),
            }
        });
    }

    /// The guest has this much memory.
    pub(super) fn memory_is(&mut self, size: ByteSize) {
        self.memory_now = Some(size);
        self.publish();
    }

    pub(super) fn change_medium(
        &mut self,
        drive: Option<String>,
        medium: Option<PathBuf>,
        force: bool,
        answer: Answer<GuestInfo>,
    ) {
        let Some(index) = self.drive_index(drive.as_deref()) else {
            let error = Error::DriveNotFound {
                guest: self.definition.name.clone(),
                drive: drive.unwrap_or_default(),
            };
            drop(answer.send(Err(error)));
            return;
        };
        let machine = self.machine.borrow().clone().filter(|_| !matches!(self.state, State::Stopping(_)));
        let operation = if medium.is_some() { Operation::InsertMedium } else { Operation::EjectMedium };
        match machine {
            Some(machine) => {
                let internal = self.internal.clone();
                let name = self.definition.name.clone();
                beside(async move {
                    let changed = machine.change_medium(index as u32, medium.clone(), force).await;
                    let result = changed.map_err(|error| match error {
                        EngineError::MediumLocked => {
                            Error::MediumLocked { guest: name.clone(), drive: drive_name(index) }
                        }
                        other => engine_error(&name, operation, other),
                    });
                    drop(internal.send(Box::new(Internal::MediumChanged {
                        drive: index,
                        medium,
                        result,
                        answer,
                    })));
                });
            }
            None if self.state.is_off() => {
                let result = self.keep_medium(index, medium);
                drop(answer.send(result.map(|()| self.told())));
            }
            None => drop(answer.send(Err(self.wrong_state(operation)))),
        }
    }

    pub(super) fn drive_index(&self, name: Option<&str>) -> Option<usize> {
        match name {
            None => (!self.definition.drives.is_empty()).then_some(0),
            Some(name) => (0..self.definition.drives.len()).find(|index| drive_name(*index) == name),
        }
    }

    pub(super) fn keep_medium(&mut self, drive: usize, medium: Option<PathBuf>) -> Result<(), Error> {
        if self.machine.borrow().is_some()
            && let Some(record) = &mut self.record
            && let Some(drive) = record.machine.drives.get_mut(drive)
        {
            drive.medium.clone_from(&medium);
            self.note_record();
        }
        let mut wanted = self.definition.clone();
        if let Some(drive) = wanted.drives.get_mut(drive) {
            drive.medium = medium;
        }
        let kept = self.keep(wanted);
        self.publish();
        kept
    }

    /// Writes the definition down, and only then goes by it.
    pub(super) fn keep(&mut self, wanted: Definition) -> Result<(), Error> {
        if wanted != self.definition {
            self.context.store.write(&wanted)?;
            self.definition = wanted;
        }
        Ok(())
    }
}
