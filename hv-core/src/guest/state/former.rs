//! What a guest did before it was saved, and does again where that is given up. Pure.

use super::{Crash, CrashKind, Effect, Ending, Former, Kept, OffCause, PauseCause, State, crashed};
use crate::engine::EngineEvent;

impl Former {
    /// What the engine says while the memory is written: that the CPUs stand and go on is part of it.
    pub(super) fn engine_says_while_saving(self, event: EngineEvent) -> (State, Vec<Effect>) {
        // The last that the guest did before its CPUs were stopped. Its engine ends, so nothing is undone.
        let ended = |ending| (State::Stopping(ending), vec![Effect::AbandonSave, Effect::End]);
        match event {
            EngineEvent::Exited { detail } => {
                (crashed(CrashKind::EngineDied, detail), vec![Effect::AbandonSave])
            }
            EngineEvent::PoweredOff => ended(Ending::Off(OffCause::PoweredOff)),
            EngineEvent::Rebooted => ended(Ending::Restart { asked: false }),
            EngineEvent::Panicked => {
                let (kind, detail) = (CrashKind::GuestPanicked, String::new());
                ended(Ending::Crashed(Crash { kind, detail }))
            }
            // It goes on hanging when it goes on, and its watchdog finds out again.
            EngineEvent::Hung => (State::Saving(Self::Paused(PauseCause::Kept(Kept::Hung))), Vec::new()),
            EngineEvent::DiskFailed { full, detail } => {
                let former = Self::Paused(PauseCause::DiskFailed { full, detail });
                (State::Saving(former), Vec::new())
            }
            EngineEvent::Running
            | EngineEvent::Paused
            | EngineEvent::Reset
            | EngineEvent::MediumEjected { .. }
            | EngineEvent::Memory(_)
            | EngineEvent::DiskGone(_)
            | EngineEvent::PciGone(_) => (State::Saving(self), Vec::new()),
        }
    }
}

impl From<Former> for State {
    fn from(former: Former) -> Self {
        match former {
            Former::Running => Self::Running,
            Former::Paused(cause) => Self::Paused(cause),
        }
    }
}
