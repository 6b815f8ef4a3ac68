//! What can be done about a guest's power: which action a state offers first, and which it refuses.
//!
//! It decides what the button shows; the core decides again, and its word counts.

use hv_api::GuestState;

/// Something that a person can do about a guest's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PowerAction {
    /// Start it.
    Start,
    /// Start it from what is in its drives, this once.
    StartFromCd,
    /// Start it so that nothing is kept of what it writes.
    StartDisposable,
    /// Ask it to shut down.
    Shutdown,
    /// Take its power away. To be confirmed first: what the guest has not written is lost.
    ForceOff,
    /// Stop its CPUs.
    Pause,
    /// Let its CPUs go on.
    Resume,
    /// Ask it to shut down, and start it anew when it has.
    Restart,
    /// Press its reset button. To be confirmed first: what the guest has not written is lost.
    Reset,
    /// Keep its memory on the disk and end its engine.
    Save,
    /// Give that up while it goes on.
    CancelSaving,
    /// Throw its saved state away. To be confirmed first: what the guest had not written is lost.
    Discard,
}

impl PowerAction {
    /// All, in the order in which menus show them.
    pub const ALL: [Self; 12] = [
        Self::Start,
        Self::StartFromCd,
        Self::StartDisposable,
        Self::Shutdown,
        Self::Save,
        Self::CancelSaving,
        Self::Pause,
        Self::Resume,
        Self::Restart,
        Self::Reset,
        Self::ForceOff,
        Self::Discard,
    ];

    /// Its name among the window's actions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::StartFromCd => "start-from-cd",
            Self::StartDisposable => "start-disposable",
            Self::Shutdown => "shutdown",
            Self::ForceOff => "force-off",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Restart => "restart",
            Self::Reset => "reset",
            Self::Save => "save",
            Self::CancelSaving => "cancel-saving",
            Self::Discard => "discard",
        }
    }
}

/// Why an action is not possible now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The guest is off.
    Off,
    /// It is just being started.
    Starting,
    /// It runs already.
    Running,
    /// It is paused: whoever is paused hears nothing.
    Paused,
    /// It is not paused.
    NotPaused,
    /// Its memory is just being saved.
    Saving,
    /// It is saved.
    Saved,
    /// It is not saved.
    NotSaved,
    /// It is just shutting down.
    ShuttingDown,
    /// It has crashed, and is off.
    Crashed,
    /// Its definition can't be read.
    Unavailable,
    /// The core can't be reached.
    CoreAway,
}

/// The action that the button itself does in this state.
pub const fn default_action(state: GuestState) -> PowerAction {
    match state {
        GuestState::Off | GuestState::Crashed | GuestState::Unavailable => PowerAction::Start,
        // A guest that does not come up can be asked for nothing. One that was asked to shut down and is
        // pressed again hangs; asking again is in the menu.
        GuestState::Starting | GuestState::ShuttingDown => PowerAction::ForceOff,
        GuestState::Running => PowerAction::Shutdown,
        GuestState::Saving => PowerAction::CancelSaving,
        GuestState::Paused | GuestState::Saved => PowerAction::Resume,
    }
}

/// Why this state refuses the action; nothing where it is possible.
pub const fn refusal(state: GuestState, action: PowerAction) -> Option<Refusal> {
    use GuestState as State;
    use PowerAction as Action;
    match (state, action) {
        (State::Unavailable, _) => Some(Refusal::Unavailable),
        (State::Off | State::Crashed, Action::Start | Action::StartFromCd | Action::StartDisposable)
        | (State::Paused, Action::Resume | Action::Restart | Action::Reset)
        | (
            State::Running | State::ShuttingDown,
            Action::Shutdown | Action::Pause | Action::Restart | Action::Reset,
        )
        | (State::Running | State::Paused, Action::Save)
        | (State::Saving, Action::CancelSaving)
        | (State::Saved, Action::Resume | Action::Discard)
        | (
            State::Starting | State::Running | State::Paused | State::Saving | State::ShuttingDown,
            Action::ForceOff,
        ) => None,
        (State::Saving, _) => Some(Refusal::Saving),
        (State::Saved, _) => Some(Refusal::Saved),
        (State::Off, _) => Some(Refusal::Off),
        (State::Crashed, _) => Some(Refusal::Crashed),
        (State::Starting, _) => Some(Refusal::Starting),
        (State::Paused, _) => Some(Refusal::Paused),
        (State::Running | State::ShuttingDown, Action::Resume) => Some(Refusal::NotPaused),
        (State::Running | State::ShuttingDown, Action::CancelSaving | Action::Discard) => {
            Some(Refusal::NotSaved)
        }
        (State::ShuttingDown, Action::Save) => Some(Refusal::ShuttingDown),
        (
            State::Running | State::ShuttingDown,
            Action::Start | Action::StartFromCd | Action::StartDisposable,
        ) => Some(Refusal::Running),
    }
}

/// The action of the small button beside a row of the list: the default one, unless it destroys.
pub fn beside_row(state: GuestState) -> Option<PowerAction> {
    let action = default_action(state);
    (action != PowerAction::ForceOff && refusal(state, action).is_none()).then_some(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [GuestState; 9] = [
        GuestState::Off,
        GuestState::Starting,
        GuestState::Running,
        GuestState::Paused,
        GuestState::Saving,
        GuestState::Saved,
        GuestState::ShuttingDown,
        GuestState::Crashed,
        GuestState::Unavailable,
    ];

    fn possible(state: GuestState) -> Vec<PowerAction> {
        PowerAction::ALL.into_iter().filter(|action| refusal(state, *action).is_none()).collect()
    }

    #[test]
    fn each_state_offers_what_makes_sense_in_it() {
        use PowerAction::{
            CancelSaving, Discard, ForceOff, Pause, Reset, Restart, Resume, Save, Shutdown, Start,
            StartDisposable, StartFromCd,
        };
        let expected: [&[PowerAction]; 9] = [
            &[Start, StartFromCd, StartDisposable],
            &[ForceOff],
            &[Shutdown, Save, Pause, Restart, Reset, ForceOff],
            &[Save, Resume, Restart, Reset, ForceOff],
            &[CancelSaving, ForceOff],
            &[Resume, Discard],
            &[Shutdown, Pause, Restart, Reset, ForceOff],
            &[Start, StartFromCd, StartDisposable],
            &[],
        ];
        for (state, expected) in STATES.into_iter().zip(expected) {
            assert_eq!(possible(state), expected, "{state:?}");
        }
    }

    #[test]
    fn the_button_never_offers_what_is_refused_but_for_a_guest_that_cannot_be_read() {
        for state in STATES {
            let refused = refusal(state, default_action(state));
            let expected = (state == GuestState::Unavailable).then_some(Refusal::Unavailable);
            assert_eq!(refused, expected, "{state:?}");
        }
    }

    #[test]
    fn a_guest_that_runs_or_may_run_can_always_be_forced_off() {
        for state in STATES {
            let runs = !matches!(
                state,
                GuestState::Off | GuestState::Saved | GuestState::Crashed | GuestState::Unavailable
            );
            assert_eq!(refusal(state, PowerAction::ForceOff).is_none(), runs, "{state:?}");
        }
    }

    #[test]
    fn nothing_beside_a_row_destroys() {
        let offered: Vec<_> = STATES.into_iter().filter_map(beside_row).collect();
        use PowerAction::{CancelSaving, Resume, Shutdown, Start};
        assert_eq!(offered, [Start, Shutdown, Resume, CancelSaving, Resume, Start]);
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = PowerAction::ALL.iter().map(|a| a.name()).collect();
        assert_eq!(names.len(), PowerAction::ALL.len());
    }
}
