//! A guest that stands since the host runs on battery. Pure.

use super::{Effect, PauseCause, Rules, State};
use crate::engine::EngineEvent;

impl State {
    /// Its CPUs were stopped for that, and stand now.
    pub(super) fn halted_on_battery(self, rules: &Rules) -> (Self, Vec<Effect>) {
        match self {
            Self::Running => (Self::Paused(PauseCause::OnBattery), Vec::new()),
            // It was asked to shut down in the same moment, and can only do that while it runs.
            state @ Self::ShuttingDown { .. } => (state, vec![Effect::Run]),
            state => state.engine_says(EngineEvent::Paused, rules),
        }
    }
}
