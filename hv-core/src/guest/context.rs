//! What every guest's task needs of the rest of the core, and where a guest's files are.

use super::config::{Definition, TPM_FOLDER};
use super::volumes::Volumes;
use crate::bootmenu::Reader;
use crate::engine::{Engine, RunFiles};
use crate::host::scopes::Scopes;
use crate::host::{Accelerators, Folders};
use crate::osdb::Source;
use crate::store::Store;
use hv_api::{Change, GuestId};
use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// What every guest's task needs of the rest of the core.
pub struct Context {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// Definitions.
    pub store: Store,
    /// Folders.
    pub folders: Folders,
    /// The accelerator that guests get.
    pub accelerator: Accelerators,
    /// The scopes that engines run in.
    pub scopes: Rc<Scopes>,
    /// Who has which disk.
    pub volumes: Volumes,
    /// How long the session's end waits for guests, where it is told of.
    pub session_wait: Cell<Option<Duration>>,
    /// Whether the host runs on battery; nothing where nobody tells.
    pub power: watch::Sender<Option<bool>>,
    /// For how long nobody must have looked at a guest that is paused on battery.
    pub patience: Cell<Duration>,
    /// The operating-system database.
    pub systems: Arc<Source>,
    /// Who reads boot menus on guests' disks.
    pub boot_menus: Reader,
    /// Where changes are told.
    pub changes: broadcast::Sender<Change>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("folders", &self.folders).finish_non_exhaustive()
    }
}

impl Context {
    /// The folder with a guest's sockets.
    pub fn run_folder(&self, guest: GuestId) -> PathBuf {
        self.folders.runtime.join("guests").join(guest.to_string())
    }

    /// The folder with a guest's logs.
    pub fn log_folder(&self, guest: GuestId) -> PathBuf {
        self.folders.state.join("guests").join(guest.to_string())
    }

    /// Where a guest's engine and serial ports write.
    pub fn run_files(&self, definition: &Definition) -> RunFiles {
        let logs = self.log_folder(definition.id);
        RunFiles {
            folder: self.run_folder(definition.id),
            tpm_folder: self.store.folder(definition.id).join(TPM_FOLDER),
            networks: self.folders.runtime.join("networks"),
            engine_log: logs.join("engine.log"),
            serial_logs: (0..definition.serial_ports)
                .map(|port| logs.join(format!("serial{port}.log")))
                .collect(),
        }
    }
}
