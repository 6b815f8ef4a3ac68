//! A guest's engine: what must be there before it starts, how it is found or launched, and what is given back
//! when it has ended.

use super::{Actor, Internal, State, beside};
use crate::engine::{Adopted, EngineEvent, MachineStatus};
use crate::files;
use crate::guest::disposable;
use crate::guest::handle::Answer;
use crate::guest::launch::{Asked, Launched, find, launch, restore};
use crate::guest::record::{self, RunRecord};
use crate::guest::saved;
use crate::guest::state::{Happening, Wish};
use hv_api::{Error, GuestInfo, Operation};
use std::path::PathBuf;
use std::rc::Rc;
use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

impl Actor {
    /// Makes sure that what the guest needs is there and nobody else's, before anything is started.
    pub(super) fn prepare_start(&mut self) -> Result<(), Error> {
        self.check_disks_are_whole()?;
        let is_saved = matches!(self.state, State::Saved(_));
        let saved = if is_saved { Some(self.prepare_restoring()?) } else { None };
        let definition = saved.as_ref().map_or(&self.definition, |saved| &saved.definition);
        let folder = self.context.store.folder(definition.id);
        let media = definition.drives.iter().filter_map(|drive| drive.medium.as_ref());
        let kernel = definition.started_kernel();
        let kernels = kernel.iter().flat_map(|kernel| kernel.image.iter().chain(&kernel.initrd));
        let answers = definition.install.iter().filter_map(|install| install.seed.as_ref());
        let told = definition.first_start.iter().filter_map(|first| first.disc.as_ref());
        for path in media.chain(kernels).chain(answers).chain(told) {
            files::open_readable(&folder.join(path))?;
        }
        for disk in &definition.disks {
            disk.check_readable(&folder)?;
        }
        self.claim_disks(definition)?;
        self.restore_at_launch(saved);
        self.launch_error = None;
        Ok(())
    }

    pub(super) fn start_from_cd(&mut self, paused: bool, answer: Answer<GuestInfo>) {
        if self.definition.drives.iter().all(|drive| drive.medium.is_none()) {
            let guest = self.definition.name.clone();
            drop(answer.send(Err(Error::BootDeviceNotFound { guest, device: String::new() })));
            return;
        }
        self.start_as(Asked::FromCd, paused, answer);
    }

    /// Starts it so that nothing is kept of what it writes.
    pub(super) fn start_disposable(&mut self, paused: bool, answer: Answer<GuestInfo>) {
        let guest = self.definition.name.clone();
        if self.definition.install.is_some() || self.definition.first_start.is_some() {
            // Its disk is not yet what is to be kept as it is.
            drop(answer.send(Err(Error::NotInstalled { guest, operation: Operation::Start })));
            return;
        }
        if !self.state.is_off() {
            drop(answer.send(Err(self.wrong_state(Operation::Start))));
            return;
        }
        disposable::sweep(&self.folder());
        self.start_as(Asked::Disposable, paused, answer);
    }

    /// Starts it from an entry of the boot menu on its disk, this once.
    pub(super) fn start_entry(&mut self, entry: u32, paused: bool, answer: Answer<GuestInfo>) {
        if self.definition.kernel_disk().is_none() {
            let (option, needs) = ("kernel-entry".to_owned(), "kernel-disk".to_owned());
            drop(answer.send(Err(Error::OptionNeeds { option, needs })));
            return;
        }
        self.start_as(Asked::Entry(entry), paused, answer);
    }

    fn start_as(&mut self, asked: Asked, paused: bool, answer: Answer<GuestInfo>) {
        // The launch is prepared within the wish, if it is granted.
        self.asked_start = asked;
        self.wish(Wish::Start { paused }, answer);
        self.asked_start = Asked::Usual;
    }

    pub(super) fn launch(&mut self) {
        self.launch = None;
        if self.look_at_installation() {
            // It goes on when it is known what is to be started.
            return;
        }
        let context = Rc::clone(&self.context);
        let definition = self.definition.clone();
        self.disposable |= self.asked_start == Asked::Disposable;
        // Also where it restarts.
        let asked = if self.disposable { Asked::Disposable } else { self.asked_start };
        let internal = self.internal.clone();
        let saved = self.take_restoring();
        let launch = beside(async move {
            let news = match find(&context, &definition).await {
                Ok(Some((adopted, events))) => Internal::Found(adopted, events),
                Ok(None) => {
                    if asked != Asked::Disposable {
                        // What an engine that could not be reached has left.
                        disposable::sweep(&context.store.folder(definition.id));
                    }
                    Internal::Launched(match saved {
                        Some((saved, progress)) => restore(&context, saved, &progress).await,
                        None => launch(&context, &definition, asked).await,
                    })
                }
                Err(error) => Internal::Launched(Err(error)),
            };
            drop(internal.send(Box::new(news)));
        });
        self.launch = Some(launch);
    }

    pub(super) fn adopt(&mut self, adopted: Adopted, events: mpsc::Receiver<EngineEvent>) {
        self.unreachable = None;
        info!(pid = adopted.machine.pid(), status = ?adopted.status, "found running");
        self.events = Some(events);
        self.record = RunRecord::read(&self.record_file());
        self.disposable = disposable::is_prepared(&self.folder());
        let running = self.record.as_ref().map_or(&self.definition, |record| &record.machine);
        if let Err(error) = self.claim_disks(running) {
            error!(?error, "two running guests have the same disk");
        }
        drop(self.machine.send_replace(Some(adopted.machine)));
        self.ask_for_memory();
        self.serve_again();
        self.go_on_waiting();
        if adopted.status == MachineStatus::PoweredOff {
            self.first_start_may_end(&EngineEvent::PoweredOff);
        }
        let saving = match adopted.status {
            MachineStatus::Running => self.interrupted_saving(true),
            MachineStatus::Paused => self.interrupted_saving(false),
            // What it was to be saved from is over.
            MachineStatus::PoweredOff | MachineStatus::Panicked | MachineStatus::Hung => None,
        };
        let interrupted = saving.is_some();
        let ended = if adopted.status == MachineStatus::PoweredOff { self.recall_end() } else { None };
        self.happen(saving.or(ended).unwrap_or(Happening::Adopted(adopted.status)));
        if !interrupted {
            self.sweep_snapshots();
        }
        if let Some(record) = &self.record {
            self.since = record.since;
            self.publish();
        }
    }

    pub(super) fn launched(&mut self, result: Result<Launched, Error>) {
        self.launch = None;
        if !matches!(result, Err(Error::EngineSilent { .. })) {
            // Something answered, or nothing is there.
            self.unreachable = None;
        }
        let starting = matches!(self.state, State::Starting { ready: false, .. });
        let restoring = matches!(self.state, State::Starting { restoring: true, .. });
        match result {
            Ok(Launched { machine, .. }) if !starting => {
                // Given up in the moment in which it was ready.
                machine.kill();
            }
            Ok(Launched { machine, record, events, serving }) => {
                self.installing.serve(serving);
                if restoring && let Err(error) = self.take_saved() {
                    machine.kill();
                    return self.launch_failed(error);
                }
                self.events = Some(events);
                self.record = Some(record);
                self.note_record();
                self.memory_now = None;
                drop(self.machine.send_replace(Some(machine)));
                self.happen(Happening::EngineReady);
            }
            Err(error) => self.launch_failed(error),
        }
    }

    fn launch_failed(&mut self, error: Error) {
        let detail = match &error {
            Error::StartFailed { detail, .. } | Error::SavedStateUnusable { detail, .. } => detail.clone(),
            other => format!("{other:?}"),
        };
        self.launch_error = Some(error);
        self.happen(Happening::LaunchFailed { detail });
    }

    /// Nothing runs any more: gives back what only a running guest holds.
    pub(super) fn clean_up(&mut self) {
        drop(self.machine.send_replace(None));
        self.record = None;
        if std::mem::take(&mut self.disposable) {
            disposable::sweep(&self.folder());
        }
        self.memory_now = None;
        self.end_alteration();
        self.display = None;
        self.installing.serve(None);
        for answer in std::mem::take(&mut self.display_waiting) {
            drop(answer.send(Err(self.wrong_state(Operation::OpenDisplay))));
        }
        self.context.volumes.release(self.definition.id);
        if matches!(self.state, State::Saved(_)) {
            self.enter_saved(saved::known(&self.context.store.folder(self.definition.id)));
        }
        if !self.is_end_open() {
            self.forget_record();
        }
        self.sweep_snapshots();
    }

    /// Nothing more follows from what the machine had.
    pub(super) fn forget_record(&self) {
        match std::fs::remove_file(self.record_file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                debug!(%error, "the note of what the machine had stays");
            }
            // An empty folder goes as well; one in which an engine still has a socket stays.
            _ => drop(std::fs::remove_dir(self.context.run_folder(self.definition.id))),
        }
    }

    /// Notes what the machine has and what is waited for, for a later core.
    pub(super) fn note_record(&self) {
        let Some(record) = &self.record else { return };
        if let Err(error) = record.write(&self.record_file()) {
            warn!(%error, "what the machine has could not be noted, and a later core will not know it");
        }
    }

    pub(super) fn record_file(&self) -> PathBuf {
        self.context.run_folder(self.definition.id).join(record::FILE)
    }
}
