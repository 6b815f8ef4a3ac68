//! The end of a guest's first start from a cloud image: what its system was told is taken away.

use super::Actor;
use crate::engine::EngineEvent;
use crate::guest::config::Definition;
use crate::guest::first_start;
use tracing::{info, warn};

impl Actor {
    /// Removes what a core that was cut short has left.
    pub(super) fn recall_first_start(&self) {
        if self.definition.first_start.is_none() {
            first_start::sweep(&self.context.store.folder(self.definition.id));
        }
    }

    /// The system has powered the machine off, or wanted it to begin anew: it has read what it was told.
    pub(super) fn first_start_may_end(&mut self, event: &EngineEvent) {
        if self.definition.first_start.is_none()
            || !matches!(event, EngineEvent::PoweredOff | EngineEvent::Rebooted)
        {
            return;
        }
        let wanted = Definition { first_start: None, ..self.definition.clone() };
        match self.keep(wanted) {
            Ok(()) => {
                info!("its first start is over");
                // The engine may still have it open, which does no harm.
                first_start::sweep(&self.context.store.folder(self.definition.id));
            }
            Err(error) => warn!(?error, "that its first start is over could not be noted"),
        }
    }
}
