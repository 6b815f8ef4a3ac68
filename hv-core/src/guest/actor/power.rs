//! Shutting a guest down: how long it has for that, who waits for it, and what is noted of it for a later
//! core. Nothing is taken from the guest when the time is over; it is only said. And what a guest's own end
//! brings with it: the count of its starts, and its memory in a file.

use super::{Actor, Internal, State, beside};
use crate::engine::{Alteration, EngineError, Machine};
use crate::guest::state::{Effect, Happening, PauseCause, Rules, Wish};
use crate::guest::view::now;
use crate::host;
use hv_api::{ByteSize, Error, ShutdownWait};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info};

impl Actor {
    /// The next moment at which something is overdue.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.ending_deadline.into_iter().chain(self.shutdown_deadline).chain(self.battery.deadline).min()
    }

    pub(super) fn deadline_passed(&mut self) {
        if self.ending_deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.happen(Happening::EndingOverdue);
        }
        if self.shutdown_deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.shutdown_overdue();
        }
    }

    /// Notes what a wish that was accepted means for what is waited for.
    pub(super) fn power_wish(&mut self, wish: Wish, next: &State) {
        match (wish, next) {
            (Wish::Shutdown | Wish::Restart, State::ShuttingDown { restart }) => {
                let wait = self.definition.power.shutdown_wait;
                let asked = ShutdownWait {
                    since: now(),
                    deadline: now() + u64::from(wait),
                    overdue: false,
                    heard: true,
                    restart: *restart,
                };
                self.shutdown_deadline = Some(Instant::now() + Duration::from_secs(wait.into()));
                self.note_shutdown(Some(asked));
            }
            (Wish::Start { .. }, _) => self.tries.forget(),
            (Wish::CancelShutdown, _) => {
                let guest = self.definition.name.clone();
                self.disappoint(Wish::Restart, &Error::ShutdownCancelled { guest });
            }
            _ => {}
        }
    }

    /// Lets the state take in what happened, and counts a start that nobody asked for.
    pub(super) fn go_by(
        &mut self,
        rules: &Rules,
        state: State,
        happening: Happening,
    ) -> (State, Vec<Effect>) {
        let (before, what) = (state.clone(), happening.clone());
        let (state, effects) = state.happen(happening, rules);
        if before.restarts_by_itself(&what, &effects) {
            info!("starting it anew, as its definition says");
            self.tries.take(now());
        }
        (state, effects)
    }

    /// Whether this is the machine that the guest has now.
    pub(super) fn is_present(&self, machine: &Arc<dyn Machine>) -> bool {
        self.machine.borrow().as_ref().is_some_and(|present| Arc::ptr_eq(present, machine))
    }

    /// Writes the guest's memory into the file `core.elf` in its folder, in place of an earlier one.
    pub(super) fn dump_memory(&self) {
        let Some(machine) = self.machine.borrow().clone() else { return };
        let memory = self.record.as_ref().map_or(self.definition.memory, |record| record.machine.memory);
        let folder = self.context.store.folder(self.definition.id);
        let internal = self.internal.clone();
        beside(async move {
            let detail = match dump(&*machine, &folder, memory).await {
                Ok(file) => format!("Its memory is in {}.", file.display()),
                Err(error) => format!("Its memory could not be kept: {error}."),
            };
            info!(detail, "the guest has crashed");
            drop(internal.send(Box::new(Internal::Dumped { detail, machine })));
        });
    }

    pub(super) fn power_pressed(&mut self, heard: bool, if_heard: bool) {
        if let Some(asked) = self.asked().cloned()
            && asked.heard != heard
        {
            self.note_shutdown(Some(ShutdownWait { heard, ..asked }));
            self.publish();
        }
        if !heard && if_heard {
            info!("nothing in the guest listens to its power button");
            // The kernel that it starts with next is looked for at a start, not at a reset.
            let anew = self.definition.kernel_disk().is_some();
            let pending = anew || !self.info.borrow().pending.is_empty();
            self.happen(Happening::Deaf { pending });
        } else {
            self.came_true(Wish::Shutdown);
        }
    }

    /// Forgets what was waited for, where the guest is no longer shutting down.
    pub(super) fn forget_shutdown(&mut self) {
        if !matches!(self.state, State::ShuttingDown { .. }) {
            self.shutdown_deadline = None;
            if self.asked().is_some() {
                self.note_shutdown(None);
            }
        }
    }

    /// Goes on waiting for what an earlier core has asked of the guest that was found.
    pub(super) fn go_on_waiting(&mut self) {
        if self.is_halted_on_battery() {
            self.state = State::Paused(PauseCause::OnBattery);
        }
        let Some(asked) = self.asked().cloned() else { return };
        let left = asked.deadline.saturating_sub(now()).min(self.definition.power.shutdown_wait.into());
        if !asked.overdue {
            self.shutdown_deadline = Some(Instant::now() + Duration::from_secs(left));
        }
        self.state = State::ShuttingDown { restart: asked.restart };
    }

    fn shutdown_overdue(&mut self) {
        self.shutdown_deadline = None;
        let Some(asked) = self.asked().cloned() else { return };
        let seconds = u32::try_from(asked.deadline.saturating_sub(asked.since)).unwrap_or(u32::MAX);
        info!(seconds, "the guest has not shut down in time");
        self.note_shutdown(Some(ShutdownWait { overdue: true, ..asked }));
        self.publish();
        let guest = self.definition.name.clone();
        self.disappoint(Wish::Restart, &Error::ShutdownOverdue { guest, seconds });
    }

    fn asked(&self) -> Option<&ShutdownWait> {
        self.record.as_ref()?.asked.as_ref()
    }

    fn note_shutdown(&mut self, asked: Option<ShutdownWait>) {
        if let Some(record) = &mut self.record {
            record.asked = asked;
            // The note goes with the engine.
            if self.machine.borrow().is_some() {
                self.note_record();
            }
        }
    }

    /// Tells those who had this wish that it does not come true.
    fn disappoint(&mut self, refused: Wish, error: &Error) {
        for (wish, waiting) in std::mem::take(&mut self.waiting) {
            if wish == refused {
                drop(waiting.send(Err(error.clone())));
            } else {
                self.waiting.push((wish, waiting));
            }
        }
    }
}

/// Presses the reset button of a machine, which may make it forget that it stops where its guest restarts.
///
/// One press at a time: the rule that the first one sets anew would stop the machine at the second.
pub(super) async fn press_reset(
    machine: &dyn Machine,
    stops_on_reboot: bool,
    turn: &Semaphore,
) -> Result<(), EngineError> {
    let _turn = turn.acquire().await.map_err(|_closed| EngineError::Gone)?;
    machine.reset().await?;
    if stops_on_reboot { machine.alter(Alteration::StopOnReboot(true)).await } else { Ok(()) }
}

/// Why memory was not written.
#[derive(Debug, thiserror::Error)]
enum DumpError {
    #[error("only {free} is free in its folder")]
    NoRoom { free: ByteSize },
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("{0}")]
    Engine(#[from] EngineError),
}

/// Writes the memory of a machine into a file of this folder, and says into which.
async fn dump(machine: &dyn Machine, folder: &Path, memory: ByteSize) -> Result<PathBuf, DumpError> {
    let (file, draft) = (folder.join("core.elf"), folder.join("core.elf.part"));
    let free = host::free_space(folder).unwrap_or_default();
    if free < memory {
        return Err(DumpError::NoRoom { free });
    }
    let target = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    let written = machine.dump_memory(target.into()).await;
    let kept = written.map_err(DumpError::from).and_then(|()| Ok(std::fs::rename(&draft, &file)?));
    if let Err(error) = kept {
        // Half of it is of no use, and takes room.
        drop(std::fs::remove_file(&draft));
        return Err(error);
    }
    Ok(file)
}

/// Presses the power button of a machine, with `if_heard` only where something in the guest listens to it,
/// and says whether something does.
pub(super) async fn press_power(
    machine: &dyn Machine,
    if_heard: bool,
    internal: &mpsc::UnboundedSender<Box<Internal>>,
) -> Result<(), EngineError> {
    let heard = machine.hears_power_button().await.unwrap_or_else(|error| {
        // Where that can't be known, the guest gets its chance.
        debug!(%error, "whether the guest listens to its power button is unknown");
        true
    });
    if heard || !if_heard {
        machine.power_button().await?;
    }
    drop(internal.send(Box::new(Internal::PowerPressed { heard, if_heard })));
    Ok(())
}
