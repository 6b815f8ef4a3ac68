//! The rest of the core's hold on a guest's task: what can be asked of it, and what it shows.

use super::actor::{Loan, Order};
use super::config::Definition;
use super::edit::Edit;
use super::state::Wish;
use super::statistics::Meter;
use super::viewers::Viewers;
use crate::engine::{EngineError, Machine};
use crate::serial::MachineWatch;
use hv_api::{Error, GuestInfo, GuestState, HostUse, Operation, SettingResult};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Where an answer goes.
pub type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// What the rest of the core asks of a guest's task.
#[derive(Debug)]
pub enum Request {
    /// A person's wish; answered when it has come true.
    Wish(Wish, Answer<GuestInfo>),
    /// The same, by a rule of the guest's and without a person's word.
    Rule(Wish, Answer<GuestInfo>),
    /// Changes, checked already against the host and the other guests. Answered when each is done, or is
    /// known to wait for the next start.
    Edit(Vec<Edit>, Answer<Vec<SettingResult>>),
    /// A start that tries the drives first, this one time; answered when the guest runs.
    StartFromCd {
        /// Whether its CPUs stay stopped.
        paused: bool,
        /// Answered when it has come true.
        answer: Answer<GuestInfo>,
    },
    /// A start after which nothing is kept of what the guest writes; answered when the guest runs.
    StartDisposable {
        /// Whether its CPUs stay stopped.
        paused: bool,
        /// Answered when it has come true.
        answer: Answer<GuestInfo>,
    },
    /// A start with another entry of the boot menu on its disk, this one time; answered when the guest runs.
    StartEntry {
        /// Its number.
        entry: u32,
        /// Whether its CPUs stay stopped.
        paused: bool,
        /// Answered when it has come true.
        answer: Answer<GuestInfo>,
    },
    /// What it is defined as.
    Definition(Answer<Definition>),
    /// Another medium in a drive, or none.
    ChangeMedium {
        /// The drive; the first where it is left out.
        drive: Option<String>,
        /// What to put in.
        medium: Option<PathBuf>,
        /// Even where the guest holds what is in it.
        force: bool,
        /// Answered when it is done.
        answer: Answer<GuestInfo>,
    },
    /// Save it to its folder; answered when that is done.
    Save { order: Order, answer: Answer<GuestInfo> },
    /// Let it go on with its saved state; answered when it does.
    Restore { paused: bool, order: Order, answer: Answer<GuestInfo> },
    /// Take a snapshot; answered when it is complete.
    TakeSnapshot {
        /// Its name.
        name: String,
        /// What a person writes about it.
        note: Option<String>,
        /// What the job has to do with it.
        order: Order,
        /// Answered when it is complete.
        answer: Answer<GuestInfo>,
    },
    /// Put the guest back to a snapshot; answered when it is, and is saved or off.
    RestoreSnapshot { snapshot: String, answer: Answer<GuestInfo> },
    /// Delete a snapshot.
    DeleteSnapshot { snapshot: String, answer: Answer<GuestInfo> },
    /// Give a snapshot another name or note.
    EditSnapshot {
        /// Which.
        snapshot: String,
        /// Its new name.
        name: Option<String>,
        /// What a person writes about it.
        note: Option<String>,
        /// Answered when it is done.
        answer: Answer<GuestInfo>,
    },
    /// Let the disks be copied, as they are or were in a snapshot.
    Lend { snapshot: Option<String>, answer: Answer<Loan> },
    /// A window's end of a display channel.
    OpenDisplay(Answer<OwnedFd>),
    /// The end of the guest and of the task.
    Delete { disks: bool, answer: Answer<()> },
}

/// The rest of the core's hold on a guest's task.
#[derive(Clone)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Box<Request>>,
    pub(super) info: watch::Receiver<Arc<GuestInfo>>,
    pub(super) machine: MachineWatch,
    pub(super) meter: Meter,
    pub(super) viewers: Viewers,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handle").field(&self.info().id).finish()
    }
}

impl Handle {
    /// The guest at this moment.
    pub fn info(&self) -> Arc<GuestInfo> {
        Arc::clone(&self.info.borrow())
    }

    /// The machine, while there is one.
    pub fn machine(&self) -> Option<Arc<dyn Machine>> {
        self.machine.borrow().clone()
    }

    /// The machine, whichever there is at a moment.
    pub fn watch_machine(&self) -> MachineWatch {
        self.machine.clone()
    }

    /// Who looks at it.
    pub fn viewers(&self) -> &Viewers {
        &self.viewers
    }

    /// Waits until nothing of the guest runs any more.
    pub async fn down(&self) {
        let mut info = self.info.clone();
        let down = |info: &Arc<GuestInfo>| matches!(info.state, GuestState::Off | GuestState::Crashed);
        // A guest that is gone is down.
        let _ended = info.wait_for(down).await.is_err();
    }

    /// Asks something of the task, and waits for its answer.
    pub async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, Error> {
        let gone = || Error::GuestNotFound { guest: self.info().name.clone() };
        let (answer, answered) = oneshot::channel();
        self.requests.send(Box::new(request(answer))).await.map_err(|_gone| gone())?;
        answered.await.map_err(|_gone| gone())?
    }
}

/// An engine's error as clients are told.
pub fn engine_error(guest: &str, operation: Operation, error: EngineError) -> Error {
    let guest = guest.to_owned();
    match error {
        EngineError::Missing { program } => Error::EngineMissing { program },
        EngineError::NotStarted { detail } => Error::StartFailed { guest, detail },
        EngineError::Refused { detail } => Error::EngineRefused { guest, operation, detail },
        EngineError::Silent { seconds } => Error::EngineSilent { guest, operation, seconds },
        EngineError::DeviceTaken { path, by } => {
            Error::DiskInUseByHost { path: path.display().to_string(), way: HostUse::Program, by }
        }
        EngineError::Bridge { bridge, fault, detail } => Error::BridgeUnusable { bridge, fault, detail },
        EngineError::MediumLocked
        | EngineError::Gone
        | EngineError::GuestRefused
        | EngineError::NotWhileRunning { .. } => {
            Error::EngineRefused { guest, operation, detail: error.to_string() }
        }
    }
}
