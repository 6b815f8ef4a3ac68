//! The life of one guest, as a pure function: what it does next, given what it does and what happens.
//!
//! Nothing here waits, reads a clock or touches the world. [`State::wish`] says whether a person's wish
//! can be, [`State::happen`] takes in what happened; both answer with [`Effect`]s for the guest's task to
//! carry out. Invariant: there is an engine exactly in the states in which [`State::has_engine`] holds,
//! and [`Effect::Launch`] is only ever given out where there is none.

use crate::engine::{EngineEvent, MachineStatus};
use hv_api::{GuestState, Operation, StateReason};

/// What a guest is doing. Each variant holds only what exists then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No engine.
    Off(OffCause),
    /// An engine is being started. With `paused` its CPUs shall not run yet.
    Starting {
        /// Stop before the first instruction.
        paused: bool,
        /// The engine is ready, and has been told to run.
        ready: bool,
    },
    /// The CPUs run.
    Running,
    /// The CPUs stand.
    Paused(PauseCause),
    /// The guest was asked to shut down.
    ShuttingDown {
        /// It is started anew when it has.
        restart: bool,
    },
    /// The engine was told to end; then this comes of it.
    Stopping(Ending),
    /// No engine, and nobody wanted that.
    Crashed(Crash),
}

/// Why a guest is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffCause {
    /// It was not started since the core found it.
    Never,
    /// The guest powered itself off.
    PoweredOff,
    /// A person took its power away.
    ForcedOff,
}

/// Why a guest is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PauseCause {
    /// A person wanted it.
    Asked,
    /// A disk failed.
    DiskFailed {
        /// The host's disk is full.
        full: bool,
        /// The engine's words.
        detail: String,
    },
}

/// What comes of an engine that was told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Another engine is launched for the guest.
    Restart,
    /// The guest is off.
    Off(OffCause),
    /// The guest has crashed.
    Crashed(Crash),
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// Its kind.
    pub kind: CrashKind,
    /// The engine's words.
    pub detail: String,
}

/// Kinds of crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashKind {
    /// The engine did not start.
    StartFailed,
    /// The engine ended by itself.
    EngineDied,
    /// The guest's system crashed.
    GuestPanicked,
}

/// What a person asks of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Start it; with `paused`, without running its CPUs.
    Start {
        /// Stop before the first instruction.
        paused: bool,
    },
    /// Ask it to shut down.
    Shutdown,
    /// Take its power away.
    ForceOff,
    /// Stop its CPUs.
    Pause,
    /// Let its CPUs go on.
    Resume,
    /// Ask it to shut down, and start it anew when it has.
    Restart,
    /// Press its reset button.
    Reset,
    /// Wait no longer until it has shut down.
    CancelShutdown,
}

impl Wish {
    /// The wish as clients name it.
    pub fn operation(self) -> Operation {
        match self {
            Self::Start { .. } => Operation::Start,
            Self::Shutdown => Operation::Shutdown,
            Self::ForceOff => Operation::ForceOff,
            Self::Pause => Operation::Pause,
            Self::Resume => Operation::Resume,
            Self::Restart => Operation::Restart,
            Self::Reset => Operation::Reset,
            Self::CancelShutdown => Operation::CancelShutdown,
        }
    }
}

/// What happens to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The engine that was launched is ready, its CPUs standing.
    EngineReady,
    /// The engine could not be launched.
    LaunchFailed {
        /// Its words.
        detail: String,
    },
    /// The engine is ready but would not run.
    RunFailed {
        /// Its words.
        detail: String,
    },
    /// The power button was not pressed, as the engine refused.
    PowerButtonFailed,
    /// Nothing in the guest listens to its power button, which was to be pressed to restart it.
    Deaf {
        /// Changes wait for the next start.
        pending: bool,
    },
    /// An engine of an earlier core was found. The state before says what that core was waiting for.
    Adopted(MachineStatus),
    /// The engine says something.
    Engine(EngineEvent),
    /// The engine that was told to end did not, in time.
    EndingOverdue,
}

/// What the guest's task has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Launch an engine.
    Launch,
    /// Give the launch up, leaving no engine.
    AbandonLaunch,
    /// Let the CPUs run.
    Run,
    /// Stop the CPUs.
    Halt,
    /// Press the power button.
    PressPower {
        /// Only where something in the guest listens to it; else [`Happening::Deaf`] follows.
        if_heard: bool,
    },
    /// Press the reset button.
    PressReset,
    /// Tell the engine to end, and wait for that with a deadline.
    End,
    /// End the engine at once.
    Kill,
}

/// A wish that can't be in the present state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

impl State {
    /// Whether there is an engine, ready or told to end.
    pub fn has_engine(&self) -> bool {
        match self {
            Self::Running | Self::Paused(_) | Self::ShuttingDown { .. } | Self::Stopping(_) => true,
            Self::Starting { ready, .. } => *ready,
            Self::Off(_) | Self::Crashed(_) => false,
        }
    }

    /// Whether nothing of the guest runs or is about to.
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Off(_) | Self::Crashed(_))
    }

    /// What clients are told.
    pub fn told(&self) -> (GuestState, Option<StateReason>, Option<&str>) {
        match self {
            Self::Off(OffCause::Never) => (GuestState::Off, None, None),
            Self::Off(OffCause::PoweredOff) => (GuestState::Off, Some(StateReason::PoweredOff), None),
            Self::Off(OffCause::ForcedOff) => (GuestState::Off, Some(StateReason::ForcedOff), None),
            Self::Starting { .. } => (GuestState::Starting, None, None),
            Self::Running => (GuestState::Running, None, None),
            Self::Paused(PauseCause::Asked) => (GuestState::Paused, None, None),
            Self::Paused(PauseCause::DiskFailed { full, detail }) => {
                let reason = if *full { StateReason::DiskFull } else { StateReason::DiskError };
                (GuestState::Paused, Some(reason), Some(detail))
            }
            Self::ShuttingDown { .. } | Self::Stopping(_) => (GuestState::ShuttingDown, None, None),
            Self::Crashed(crash) => {
                let reason = match crash.kind {
                    CrashKind::StartFailed => StateReason::StartFailed,
                    CrashKind::EngineDied => StateReason::EngineDied,
                    CrashKind::GuestPanicked => StateReason::GuestPanicked,
                };
                (GuestState::Crashed, Some(reason), Some(&crash.detail))
            }
        }
    }

    /// Takes a wish in, or refuses it and leaves everything as it is.
    #[expect(clippy::unnested_or_patterns, reason = "one line a state reads better than one pattern for all")]
    pub fn wish(self, wish: Wish) -> Result<(Self, Vec<Effect>), (Self, Refused)> {
        let forced = Self::Stopping(Ending::Off(OffCause::ForcedOff));
        match (self, wish) {
            (Self::Off(_) | Self::Crashed(_), Wish::Start { paused }) => {
                Ok((Self::Starting { paused, ready: false }, vec![Effect::Launch]))
            }

            (Self::Running | Self::ShuttingDown { .. }, Wish::Shutdown) => {
                Ok((Self::ShuttingDown { restart: false }, vec![Effect::PressPower { if_heard: false }]))
            }
            (Self::ShuttingDown { .. }, Wish::CancelShutdown) => Ok((Self::Running, Vec::new())),

            (Self::Starting { ready: false, .. }, Wish::ForceOff) => {
                Ok((Self::Off(OffCause::ForcedOff), vec![Effect::AbandonLaunch]))
            }
            (
                Self::Starting { ready: true, .. }
                | Self::Running
                | Self::Paused(_)
                | Self::ShuttingDown { .. },
                Wish::ForceOff,
            ) => Ok((forced, vec![Effect::End])),
            (Self::Stopping(Ending::Restart), Wish::ForceOff) => Ok((forced, vec![Effect::Kill])),
            // It ends already, but perhaps not quickly enough for the person who asks again.
            (Self::Stopping(ending), Wish::ForceOff) => Ok((Self::Stopping(ending), vec![Effect::Kill])),

            (Self::Running, Wish::Pause) => Ok((Self::Running, vec![Effect::Halt])),
            (state @ Self::ShuttingDown { .. }, Wish::Pause) => Ok((state, vec![Effect::Halt])),

            (Self::Paused(cause), Wish::Resume) => Ok((Self::Paused(cause), vec![Effect::Run])),

            (Self::Running | Self::ShuttingDown { .. }, Wish::Restart) => {
                Ok((Self::ShuttingDown { restart: true }, vec![Effect::PressPower { if_heard: true }]))
            }
            // It can only shut down while it runs.
            (Self::Paused(_), Wish::Restart) => {
                let effects = vec![Effect::Run, Effect::PressPower { if_heard: true }];
                Ok((Self::ShuttingDown { restart: true }, effects))
            }

            (state @ (Self::Running | Self::ShuttingDown { .. }), Wish::Reset) => {
                Ok((state, vec![Effect::PressReset]))
            }
            // A reset leaves the CPUs standing, so they are let run as well.
            (state @ Self::Paused(_), Wish::Reset) => Ok((state, vec![Effect::PressReset, Effect::Run])),

            (state @ (Self::Off(_) | Self::Crashed(_) | Self::Starting { .. }), _)
            | (state @ Self::Running, Wish::Start { .. } | Wish::Resume | Wish::CancelShutdown)
            | (state @ Self::ShuttingDown { .. }, Wish::Start { .. } | Wish::Resume)
            | (
                state @ Self::Paused(_),
                Wish::Start { .. } | Wish::Shutdown | Wish::Pause | Wish::CancelShutdown,
            )
            | (state @ Self::Stopping(_), _) => Err((state, Refused)),
        }
    }

    /// Takes in what happened.
    pub fn happen(self, happening: Happening) -> (Self, Vec<Effect>) {
        match happening {
            Happening::EngineReady => self.engine_ready(),
            Happening::LaunchFailed { detail } => match self {
                Self::Starting { .. } => (crashed(CrashKind::StartFailed, detail), Vec::new()),
                other => (other, Vec::new()),
            },
            Happening::RunFailed { detail } => match self {
                Self::Starting { ready: true, .. } => {
                    let crash = Crash { kind: CrashKind::StartFailed, detail };
                    (Self::Stopping(Ending::Crashed(crash)), vec![Effect::End])
                }
                other => (other, Vec::new()),
            },
            Happening::PowerButtonFailed => match self {
                Self::ShuttingDown { .. } => (Self::Running, Vec::new()),
                other => (other, Vec::new()),
            },
            // There is nobody to ask, and nothing that could be lost by a reset only.
            Happening::Deaf { pending } => match self {
                Self::ShuttingDown { restart: true } if pending => {
                    (Self::Stopping(Ending::Restart), vec![Effect::End])
                }
                Self::ShuttingDown { restart: true } => (Self::Running, vec![Effect::PressReset]),
                other => (other, Vec::new()),
            },
            Happening::Adopted(status) => match (status, self) {
                (MachineStatus::Running, state @ Self::ShuttingDown { .. }) => (state, Vec::new()),
                (MachineStatus::Running, _) => (Self::Running, Vec::new()),
                (MachineStatus::Paused, _) => (Self::Paused(PauseCause::Asked), Vec::new()),
                (MachineStatus::PoweredOff, state) => state.powered_off(),
                (MachineStatus::Panicked, _) => panicked(),
            },
            Happening::EndingOverdue => match self {
                Self::Stopping(ending) => (Self::Stopping(ending), vec![Effect::Kill]),
                other => (other, Vec::new()),
            },
            Happening::Engine(event) => self.engine_says(event),
        }
    }

    fn engine_ready(self) -> (Self, Vec<Effect>) {
        match self {
            Self::Starting { paused: true, .. } => (Self::Paused(PauseCause::Asked), Vec::new()),
            Self::Starting { paused: false, .. } => {
                (Self::Starting { paused: false, ready: true }, vec![Effect::Run])
            }
            other => (other, Vec::new()),
        }
    }

    fn powered_off(self) -> (Self, Vec<Effect>) {
        let ending = match self {
            Self::ShuttingDown { restart: true } => Ending::Restart,
            _ => Ending::Off(OffCause::PoweredOff),
        };
        (Self::Stopping(ending), vec![Effect::End])
    }

    fn engine_says(self, event: EngineEvent) -> (Self, Vec<Effect>) {
        match (self, event) {
            // Without an engine, nothing that one still says is believed.
            (state @ (Self::Off(_) | Self::Crashed(_) | Self::Starting { ready: false, .. }), _) => {
                (state, Vec::new())
            }

            (Self::Stopping(Ending::Off(cause)), EngineEvent::Exited { .. }) => {
                (Self::Off(cause), Vec::new())
            }
            (Self::Stopping(Ending::Restart), EngineEvent::Exited { .. }) => {
                (Self::Starting { paused: false, ready: false }, vec![Effect::Launch])
            }
            (Self::Stopping(Ending::Crashed(crash)), EngineEvent::Exited { .. }) => {
                (Self::Crashed(crash), Vec::new())
            }
            (state @ Self::Stopping(_), _) => (state, Vec::new()),

            (Self::Starting { .. }, EngineEvent::Exited { detail }) => {
                (crashed(CrashKind::StartFailed, detail), Vec::new())
            }
            (Self::Running | Self::Paused(_) | Self::ShuttingDown { .. }, EngineEvent::Exited { detail }) => {
                (crashed(CrashKind::EngineDied, detail), Vec::new())
            }

            (state, EngineEvent::PoweredOff) => state.powered_off(),
            (_, EngineEvent::Panicked) => panicked(),

            (Self::Starting { .. } | Self::Running | Self::Paused(_), EngineEvent::Running) => {
                (Self::Running, Vec::new())
            }

            (_, EngineEvent::DiskFailed { full, detail }) => {
                (Self::Paused(PauseCause::DiskFailed { full, detail }), Vec::new())
            }
            (Self::Paused(cause), EngineEvent::Paused) => (Self::Paused(cause), Vec::new()),
            (_, EngineEvent::Paused) => (Self::Paused(PauseCause::Asked), Vec::new()),

            // Asked to shut down, it restarted instead.
            (Self::ShuttingDown { .. }, EngineEvent::Reset) => (Self::Running, Vec::new()),
            (state @ Self::ShuttingDown { .. }, EngineEvent::Running)
            | (state, EngineEvent::Reset | EngineEvent::MediumEjected { .. } | EngineEvent::Memory(_)) => {
                (state, Vec::new())
            }
        }
    }
}

fn crashed(kind: CrashKind, detail: String) -> State {
    State::Crashed(Crash { kind, detail })
}

fn panicked() -> (State, Vec<Effect>) {
    let crash = Crash { kind: CrashKind::GuestPanicked, detail: String::new() };
    (State::Stopping(Ending::Crashed(crash)), vec![Effect::End])
}

/// What a person who made a wish waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has come true.
    Done,
    /// It can't come true any more.
    Failed,
    /// It may yet.
    Pending,
}

impl Wish {
    /// Whether the wish, once accepted, has come true in this state. A restart, a reset and a press of the
    /// power button come true with the engine's word, whatever state that finds.
    #[expect(
        clippy::match_same_arms,
        reason = "a table with one row a wish reads better than a row an answer"
    )]
    pub fn verdict(self, state: &State) -> Verdict {
        match (self, state) {
            (Self::Start { .. }, State::Starting { .. }) => Verdict::Pending,
            (Self::Start { .. }, State::Running | State::Paused(_) | State::ShuttingDown { .. }) => {
                Verdict::Done
            }
            (Self::Start { .. }, State::Off(_) | State::Crashed(_) | State::Stopping(_)) => Verdict::Failed,

            (Self::Shutdown, State::Off(_) | State::Stopping(_)) => Verdict::Done,
            (Self::Shutdown, State::Crashed(_)) => Verdict::Failed,
            (Self::Shutdown, _) => Verdict::Pending,

            (Self::ForceOff, State::Off(_) | State::Crashed(_)) => Verdict::Done,
            (Self::ForceOff, _) => Verdict::Pending,

            (Self::Pause, State::Paused(_)) => Verdict::Done,
            (Self::Pause, State::Running | State::ShuttingDown { .. }) => Verdict::Pending,
            (Self::Resume, State::Running | State::ShuttingDown { .. }) => Verdict::Done,
            (Self::Resume, State::Paused(_)) => Verdict::Pending,

            (Self::Restart, State::ShuttingDown { restart: false }) => Verdict::Failed,
            (Self::Restart, State::Stopping(Ending::Restart) | State::Starting { .. }) => Verdict::Pending,
            (Self::Restart | Self::Reset, State::Running | State::Paused(_) | State::ShuttingDown { .. }) => {
                Verdict::Pending
            }
            (
                Self::Pause | Self::Resume | Self::Restart | Self::Reset,
                State::Off(_) | State::Starting { .. } | State::Stopping(_) | State::Crashed(_),
            ) => Verdict::Failed,
            (Self::CancelShutdown, State::Running) => Verdict::Done,
            (Self::CancelShutdown, _) => Verdict::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_guest_starts_runs_and_powers_itself_off() {
        let (state, effects) = State::Off(OffCause::Never).wish(Wish::Start { paused: false }).unwrap();
        assert_eq!(effects, [Effect::Launch]);
        let (state, effects) = state.happen(Happening::EngineReady);
        assert_eq!(effects, [Effect::Run]);
        assert_eq!(state.told().0, GuestState::Starting);
        let (state, _) = state.happen(Happening::Engine(EngineEvent::Running));
        assert_eq!(state, State::Running);
        let (state, effects) = state.happen(Happening::Engine(EngineEvent::PoweredOff));
        assert_eq!(effects, [Effect::End]);
        // The CPUs stop as part of it; that is not a pause.
        let (state, _) = state.happen(Happening::Engine(EngineEvent::Paused));
        let (state, _) = state.happen(Happening::Engine(EngineEvent::Exited { detail: String::new() }));
        assert_eq!(state, State::Off(OffCause::PoweredOff));
    }

    #[test]
    fn an_engine_that_dies_is_a_crash_unless_it_was_told_to_end() {
        let exited = || Happening::Engine(EngineEvent::Exited { detail: "killed".into() });
        let (state, _) = State::Running.happen(exited());
        assert_eq!(state.told(), (GuestState::Crashed, Some(StateReason::EngineDied), Some("killed")));
        let (state, effects) = State::Running.wish(Wish::ForceOff).unwrap();
        assert_eq!(effects, [Effect::End]);
        let (state, _) = state.happen(exited());
        assert_eq!(state.told(), (GuestState::Off, Some(StateReason::ForcedOff), None));
    }

    #[test]
    fn a_full_disk_pauses_and_says_so_until_the_guest_goes_on() {
        let failed = EngineEvent::DiskFailed { full: true, detail: "No space left".into() };
        let (state, _) = State::Running.happen(Happening::Engine(failed));
        let (state, _) = state.happen(Happening::Engine(EngineEvent::Paused));
        assert_eq!(state.told().1, Some(StateReason::DiskFull));
        let (state, effects) = state.wish(Wish::Resume).unwrap();
        assert_eq!(effects, [Effect::Run]);
        assert_eq!(state.happen(Happening::Engine(EngineEvent::Running)).0, State::Running);
    }

    #[test]
    fn a_start_that_is_given_up_leaves_the_guest_off() {
        let (state, _) = State::Off(OffCause::Never).wish(Wish::Start { paused: false }).unwrap();
        let (state, effects) = state.wish(Wish::ForceOff).unwrap();
        assert_eq!(effects, [Effect::AbandonLaunch]);
        assert_eq!(state, State::Off(OffCause::ForcedOff));
        // A launch that had got through in the meantime changes nothing.
        assert_eq!(state.clone().happen(Happening::EngineReady).0, state);
    }

    #[test]
    fn a_restart_asks_and_then_begins_anew() {
        let exited = || Happening::Engine(EngineEvent::Exited { detail: String::new() });
        let (asked, effects) = State::Running.wish(Wish::Restart).unwrap();
        assert_eq!(effects, [Effect::PressPower { if_heard: true }]);
        assert_eq!(Wish::Restart.verdict(&asked), Verdict::Pending);
        let (ending, effects) = asked.clone().happen(Happening::Engine(EngineEvent::PoweredOff));
        assert_eq!(effects, [Effect::End]);
        let (starting, effects) = ending.clone().happen(exited());
        assert_eq!(effects, [Effect::Launch]);
        assert_eq!(Wish::Restart.verdict(&starting), Verdict::Pending);
        // A person's later word counts.
        let (ended, _) = ending.wish(Wish::ForceOff).unwrap();
        assert_eq!(ended.happen(exited()).0, State::Off(OffCause::ForcedOff));
        let (off, _) = asked.clone().wish(Wish::Shutdown).unwrap();
        assert_eq!(Wish::Restart.verdict(&off), Verdict::Failed);
        assert_eq!(asked.clone().wish(Wish::CancelShutdown).unwrap(), (State::Running, Vec::new()));
        // It did not wait for the power button, but restarted as it was asked to.
        assert_eq!(asked.happen(Happening::Engine(EngineEvent::Reset)).0, State::Running);
    }

    #[test]
    fn a_restart_of_a_guest_that_listens_to_nothing_is_a_reset_or_a_new_machine() {
        let (asked, _) = State::Running.wish(Wish::Restart).unwrap();
        let (state, effects) = asked.clone().happen(Happening::Deaf { pending: false });
        assert_eq!((state, &effects[..]), (State::Running, &[Effect::PressReset][..]));
        let (state, effects) = asked.happen(Happening::Deaf { pending: true });
        assert_eq!((state, &effects[..]), (State::Stopping(Ending::Restart), &[Effect::End][..]));
        // Who was asked to shut down is only waited for.
        let (asked, _) = State::Running.wish(Wish::Shutdown).unwrap();
        assert_eq!(asked.clone().happen(Happening::Deaf { pending: true }), (asked, Vec::new()));
    }

    fn wishes() -> impl Strategy<Value = Wish> {
        prop_oneof![
            any::<bool>().prop_map(|paused| Wish::Start { paused }),
            Just(Wish::Shutdown),
            Just(Wish::ForceOff),
            Just(Wish::Pause),
            Just(Wish::Resume),
            Just(Wish::Restart),
            Just(Wish::Reset),
            Just(Wish::CancelShutdown),
        ]
    }

    fn engine_events() -> impl Strategy<Value = EngineEvent> {
        prop_oneof![
            Just(EngineEvent::Running),
            Just(EngineEvent::Paused),
            Just(EngineEvent::Reset),
            Just(EngineEvent::PoweredOff),
            Just(EngineEvent::Panicked),
            any::<bool>().prop_map(|full| EngineEvent::DiskFailed { full, detail: "d".into() }),
            Just(EngineEvent::MediumEjected { drive: 0 }),
            Just(EngineEvent::Exited { detail: "gone".into() }),
        ]
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wish(Wish),
        LaunchEnds(bool),
        Engine(EngineEvent),
        Overdue,
        RunFails,
        PowerButtonFails,
        Deaf { pending: bool },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => wishes().prop_map(Step::Wish),
            2 => any::<bool>().prop_map(Step::LaunchEnds),
            4 => engine_events().prop_map(Step::Engine),
            1 => Just(Step::Overdue),
            1 => Just(Step::RunFails),
            1 => Just(Step::PowerButtonFails),
            1 => any::<bool>().prop_map(|pending| Step::Deaf { pending }),
        ];
        prop::collection::vec(step, 0..60)
    }

    /// The world as far as the state machine may know it: is a launch under way, is there an engine?
    #[derive(Default)]
    struct World {
        launching: bool,
        engine: bool,
    }

    impl World {
        fn carry_out(&mut self, effects: &[Effect]) {
            for effect in effects {
                match effect {
                    Effect::Launch => {
                        assert!(!self.launching && !self.engine, "launched twice");
                        self.launching = true;
                    }
                    Effect::AbandonLaunch => {
                        assert!(self.launching, "gave up a launch that was not");
                        self.launching = false;
                    }
                    Effect::Run
                    | Effect::Halt
                    | Effect::PressPower { .. }
                    | Effect::PressReset
                    | Effect::End
                    | Effect::Kill => assert!(self.engine, "{effect:?} without an engine"),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_order_of_things_loses_or_doubles_an_engine(steps in steps()) {
            let mut world = World::default();
            let mut state = State::Off(OffCause::Never);
            for step in steps {
                let effects;
                (state, effects) = match step {
                    Step::Wish(wish) => match state.wish(wish) {
                        Ok(next) => next,
                        Err((same, Refused)) => (same, Vec::new()),
                    },
                    Step::LaunchEnds(well) if world.launching => {
                        world.launching = false;
                        world.engine = well;
                        state.happen(if well {
                            Happening::EngineReady
                        } else {
                            Happening::LaunchFailed { detail: "no".into() }
                        })
                    }
                    Step::Engine(event) if world.engine => {
                        world.engine = !matches!(event, EngineEvent::Exited { .. });
                        state.happen(Happening::Engine(event))
                    }
                    Step::Overdue => state.happen(Happening::EndingOverdue),
                    Step::Deaf { pending } => state.happen(Happening::Deaf { pending }),
                    Step::PowerButtonFails => state.happen(Happening::PowerButtonFailed),
                    Step::RunFails => state.happen(Happening::RunFailed { detail: "no".into() }),
                    Step::LaunchEnds(_) | Step::Engine(_) => continue,
                };
                world.carry_out(&effects);
                prop_assert_eq!(state.has_engine(), world.engine, "{:?}", state);
                prop_assert_eq!(state.is_down(), !world.engine && !world.launching, "{:?}", state);
            }
            // Whatever happened, a person can get the guest off: force, and if it will not end, again.
            if world.engine {
                let (next, _) = state.wish(Wish::ForceOff).unwrap();
                let (next, _) = next.happen(Happening::Engine(EngineEvent::Exited { detail: String::new() }));
                prop_assert!(next.is_down(), "{:?}", next);
            }
        }
    }
}
