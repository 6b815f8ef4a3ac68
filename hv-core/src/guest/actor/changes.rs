//! What is changed in a guest: its settings and the media in its drives.

use super::{Actor, Internal, State, beside};
use crate::engine::EngineError;
use crate::guest::config::Definition;
use crate::guest::handle::{Answer, engine_error};
use crate::guest::view::drive_name;
use hv_api::{Applied, Error, GuestInfo, Operation, SettingResult, Settings};
use std::path::PathBuf;

impl Actor {
    pub(super) fn set(&mut self, settings: Settings) -> Result<Vec<SettingResult>, Error> {
        let Settings { name, cpus, memory, power } = settings;
        let mut wanted = self.definition.clone();
        let mut results = Vec::new();
        let hardware = if self.state.is_down() { Applied::Now } else { Applied::AtNextStart };
        let mut result = |key: &str, applied| results.push(SettingResult { key: key.into(), applied });
        if let Some(name) = name {
            wanted.name = name;
            result("name", Applied::Now);
        }
        if let Some(cpus) = cpus {
            wanted.cpus = cpus;
            result("cpus", hardware);
        }
        if let Some(memory) = memory {
            wanted.memory = memory;
            result("memory", hardware);
        }
        if let Some(power) = power {
            wanted.power.set(&power, &mut results);
            wanted.power.check()?;
        }
        self.keep(wanted)?;
        Ok(results)
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
            None if self.state.is_down() => {
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
        let mut wanted = self.definition.clone();
        if let Some(drive) = wanted.drives.get_mut(drive) {
            drive.medium = medium;
        }
        self.keep(wanted)
    }

    /// Writes the definition down, and only then goes by it.
    pub(super) fn keep(&mut self, wanted: Definition) -> Result<(), Error> {
        if wanted != self.definition {
            self.context.store.write(&wanted)?;
            self.definition = wanted;
            self.publish();
        }
        Ok(())
    }
}
