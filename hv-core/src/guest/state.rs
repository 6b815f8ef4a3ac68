//! The life of one guest, as a pure function: what it does next, given what it does and what happens.
//!
//! Nothing here waits, reads a clock or touches the world. [`State::wish`] says whether a person's wish
//! can be, [`State::happen`] takes in what happened; both answer with [`Effect`]s for the guest's task to
//! carry out. Invariant: there is an engine exactly in the states in which [`State::has_engine`] holds,
//! and [`Effect::Launch`] is only ever given out where there is none.

mod battery;
mod former;
mod policy;

pub use policy::{Kept, Rules};

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
        /// It goes on with its saved state.
        restoring: bool,
    },
    /// The CPUs run.
    Running,
    /// The CPUs stand.
    Paused(PauseCause),
    /// The CPUs stand, and the memory is being written to a file; or that was given up, and the former state
    /// is being restored.
    Saving(Former),
    /// No engine; the memory is in a file.
    Saved(SavedCause),
    /// The guest was asked to shut down.
    ShuttingDown {
        /// It is started anew when it has.
        restart: bool,
    },
    /// The guest's system has crashed, and its memory is being written to a file.
    Dumping {
        /// It is started anew then.
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
    /// The guest restarted itself, and was to be off then.
    Rebooted,
    /// The guest powered itself off again and again, each time after it was started for that.
    TooOften,
}

/// Why a guest is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PauseCause {
    /// A person wanted it.
    Asked,
    /// The host runs on battery, and nobody looks at it.
    OnBattery,
    /// It has ended, and is kept as it was.
    Kept(Kept),
    /// A disk failed.
    DiskFailed {
        /// The host's disk is full.
        full: bool,
        /// The engine's words.
        detail: String,
    },
}

/// What a guest did before it was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Former {
    /// Its CPUs ran.
    Running,
    /// Its CPUs stood.
    Paused(PauseCause),
}

/// Why a guest is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavedCause {
    /// A person wanted it.
    Asked,
    /// It was tried in vain to let it go on.
    NotRestored {
        /// The engine's words.
        detail: String,
    },
}

/// What comes of an engine that was told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Another engine is launched for the guest.
    Restart {
        /// A person wanted that.
        asked: bool,
    },
    /// The guest is off.
    Off(OffCause),
    /// The guest is saved.
    Saved(SavedCause),
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
    /// The guest's system hung.
    Hung,
    /// The guest or its engine crashed again and again.
    TooOften,
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
    /// Write its memory to a file and end its engine.
    Save,
    /// Throw its saved state away.
    Discard,
    /// Give a restoration up that is under way.
    GiveUp,
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
            Self::Save => Operation::Save,
            Self::Discard => Operation::Discard,
            Self::GiveUp => Operation::Restore,
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
        /// It is certain that not one instruction was carried out.
        untouched: bool,
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
    /// The memory of the crashed guest was written, or was not.
    Dumped {
        /// Where it is, or why it is not.
        detail: String,
    },
    /// An engine of an earlier core was found that has been saved, but not yet ended.
    AdoptedSaved,
    /// An engine of an earlier core was found that was just being saved.
    AdoptedSaving(Former),
    /// The saved state is whole and on the disk.
    Saved,
    /// The guest could not be saved, or no longer should be; all is as before.
    NotSaved(Former),
    /// The CPUs stand, as they were told since the host runs on battery.
    HaltedOnBattery,
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
    /// Write the guest's memory to a file; [`Happening::Dumped`] follows.
    DumpMemory,
    /// Write the machine's memory to a file.
    Save,
    /// Give that up, and restore what was before.
    UndoSave,
    /// Give that up; the engine ends anyway.
    AbandonSave,
    /// The engine would not run: the saved state is good again.
    KeepSaved,
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
            Self::Running
            | Self::Paused(_)
            | Self::Saving(_)
            | Self::ShuttingDown { .. }
            | Self::Dumping { .. }
            | Self::Stopping(_) => true,
            Self::Starting { ready, .. } => *ready,
            Self::Off(_) | Self::Saved(_) | Self::Crashed(_) => false,
        }
    }

    /// Whether nothing of the guest runs or is about to.
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Off(_) | Self::Saved(_) | Self::Crashed(_))
    }

    /// Whether there is nothing of the guest but its definition and its disks, so that what is changed in it
    /// is so at once.
    pub fn is_off(&self) -> bool {
        matches!(self, Self::Off(_) | Self::Crashed(_))
    }

    /// Whether the machine as it is has been saved, is just being saved or is given back what was saved: nothing
    /// in it can be changed then.
    pub fn is_kept(&self) -> bool {
        let restoring = matches!(self, Self::Starting { restoring: true, .. });
        restoring || matches!(self, Self::Saving(_) | Self::Saved(_) | Self::Stopping(Ending::Saved(_)))
    }

    /// What clients are told.
    pub fn told(&self) -> (GuestState, Option<StateReason>, Option<&str>) {
        match self {
            Self::Off(OffCause::Never) => (GuestState::Off, None, None),
            Self::Off(OffCause::PoweredOff) => (GuestState::Off, Some(StateReason::PoweredOff), None),
            Self::Off(OffCause::ForcedOff) => (GuestState::Off, Some(StateReason::ForcedOff), None),
            Self::Off(OffCause::Rebooted) => (GuestState::Off, Some(StateReason::Rebooted), None),
            Self::Off(OffCause::TooOften) => (GuestState::Off, Some(StateReason::RestartedTooOften), None),
            Self::Starting { .. } => (GuestState::Starting, None, None),
            Self::Running => (GuestState::Running, None, None),
            Self::Paused(PauseCause::Asked) => (GuestState::Paused, None, None),
            Self::Paused(PauseCause::OnBattery) => (GuestState::Paused, Some(StateReason::OnBattery), None),
            Self::Paused(PauseCause::Kept(kept)) => (GuestState::Paused, Some(kept.reason()), None),
            Self::Dumping { .. } => (GuestState::Paused, Some(StateReason::GuestPanicked), None),
            Self::Paused(PauseCause::DiskFailed { full, detail }) => {
                let reason = if *full { StateReason::DiskFull } else { StateReason::DiskError };
                (GuestState::Paused, Some(reason), Some(detail))
            }
            Self::Saving(_) | Self::Stopping(Ending::Saved(_)) => (GuestState::Saving, None, None),
            Self::Saved(SavedCause::Asked) => (GuestState::Saved, None, None),
            Self::Saved(SavedCause::NotRestored { detail }) => {
                (GuestState::Saved, Some(StateReason::RestoreFailed), Some(detail))
            }
            Self::ShuttingDown { .. } | Self::Stopping(_) => (GuestState::ShuttingDown, None, None),
            Self::Crashed(crash) => {
                let reason = match crash.kind {
                    CrashKind::StartFailed => StateReason::StartFailed,
                    CrashKind::EngineDied => StateReason::EngineDied,
                    CrashKind::GuestPanicked => StateReason::GuestPanicked,
                    CrashKind::Hung => StateReason::Watchdog,
                    CrashKind::TooOften => StateReason::RestartedTooOften,
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
                Ok((Self::Starting { paused, ready: false, restoring: false }, vec![Effect::Launch]))
            }
            (Self::Saved(_), Wish::Start { paused }) => {
                Ok((Self::Starting { paused, ready: false, restoring: true }, vec![Effect::Launch]))
            }
            // Its files were thrown away before.
            (Self::Saved(_), Wish::ForceOff | Wish::Discard) => {
                Ok((Self::Off(OffCause::ForcedOff), Vec::new()))
            }

            (Self::Running | Self::ShuttingDown { .. }, Wish::Shutdown) => {
                Ok((Self::ShuttingDown { restart: false }, vec![Effect::PressPower { if_heard: false }]))
            }
            (Self::ShuttingDown { .. }, Wish::CancelShutdown) => Ok((Self::Running, Vec::new())),

            // Nothing is lost: what was saved is still there.
            (Self::Starting { ready: false, restoring: true, .. }, Wish::ForceOff | Wish::GiveUp) => {
                Ok((Self::Saved(SavedCause::Asked), vec![Effect::AbandonLaunch]))
            }
            (Self::Starting { ready: false, .. }, Wish::ForceOff) => {
                Ok((Self::Off(OffCause::ForcedOff), vec![Effect::AbandonLaunch]))
            }
            (Self::Paused(PauseCause::Kept(kept)), Wish::ForceOff) => {
                Ok((Self::Stopping(kept.ending()), vec![Effect::End]))
            }
            (Self::Dumping { .. }, Wish::ForceOff) => {
                Ok((Self::Stopping(Kept::Panicked.ending()), vec![Effect::End]))
            }
            (
                Self::Starting { ready: true, .. }
                | Self::Running
                | Self::Paused(_)
                | Self::ShuttingDown { .. },
                Wish::ForceOff,
            ) => Ok((forced, vec![Effect::End])),
            (Self::Stopping(Ending::Restart { .. }), Wish::ForceOff) => Ok((forced, vec![Effect::Kill])),
            (Self::Saving(_), Wish::ForceOff) => Ok((forced, vec![Effect::AbandonSave, Effect::End])),
            // It ends already, but perhaps not quickly enough for the person who asks again.
            (Self::Stopping(ending), Wish::ForceOff) => Ok((Self::Stopping(ending), vec![Effect::Kill])),

            (Self::Running, Wish::Pause) => Ok((Self::Running, vec![Effect::Halt])),
            (state @ Self::ShuttingDown { .. }, Wish::Pause) => Ok((state, vec![Effect::Halt])),
            // It stays so; and it may just have been told to go on.
            (Self::Paused(PauseCause::OnBattery), Wish::Pause) => {
                Ok((Self::Paused(PauseCause::Asked), vec![Effect::Halt]))
            }

            (Self::Running, Wish::Save) => Ok((Self::Saving(Former::Running), vec![Effect::Save])),
            // It has ended: its memory is of no use any more.
            (state @ Self::Paused(PauseCause::Kept(_)), Wish::Save) => Err((state, Refused)),
            (Self::Paused(cause), Wish::Save) => {
                Ok((Self::Saving(Former::Paused(cause)), vec![Effect::Save]))
            }

            (Self::Paused(PauseCause::Kept(kept)), Wish::Resume) => {
                Ok((Self::Paused(PauseCause::Kept(kept)), kept.go_on()))
            }
            (Self::Paused(cause), Wish::Resume) => Ok((Self::Paused(cause), vec![Effect::Run])),

            (Self::Running | Self::ShuttingDown { .. }, Wish::Restart) => {
                Ok((Self::ShuttingDown { restart: true }, vec![Effect::PressPower { if_heard: true }]))
            }
            // It has ended: there is nothing left to ask it.
            (Self::Paused(PauseCause::Kept(_)), Wish::Restart) => {
                Ok((Self::Stopping(Ending::Restart { asked: true }), vec![Effect::End]))
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

            (state @ (Self::Off(_) | Self::Saved(_) | Self::Crashed(_) | Self::Starting { .. }), _)
            | (
                state @ Self::Running,
                Wish::Start { .. } | Wish::Resume | Wish::CancelShutdown | Wish::Discard | Wish::GiveUp,
            )
            | (
                state @ Self::ShuttingDown { .. },
                Wish::Start { .. } | Wish::Resume | Wish::Save | Wish::Discard | Wish::GiveUp,
            )
            | (
                state @ Self::Paused(_),
                Wish::Start { .. }
                | Wish::Shutdown
                | Wish::Pause
                | Wish::CancelShutdown
                | Wish::Discard
                | Wish::GiveUp,
            )
            | (state @ (Self::Saving(_) | Self::Stopping(_) | Self::Dumping { .. }), _) => {
                Err((state, Refused))
            }
        }
    }

    /// Takes in what happened, and goes by these rules where the guest has ended.
    pub fn happen(self, happening: Happening, rules: &Rules) -> (Self, Vec<Effect>) {
        match happening {
            Happening::EngineReady => self.engine_ready(),
            Happening::LaunchFailed { detail } => match self {
                Self::Starting { restoring: true, .. } => {
                    (Self::Saved(SavedCause::NotRestored { detail }), Vec::new())
                }
                Self::Starting { .. } => (crashed(CrashKind::StartFailed, detail), Vec::new()),
                other => (other, Vec::new()),
            },
            Happening::RunFailed { detail, untouched } => match self {
                Self::Starting { ready: true, restoring: true, .. } if untouched => {
                    let cause = SavedCause::NotRestored { detail };
                    (Self::Stopping(Ending::Saved(cause)), vec![Effect::KeepSaved, Effect::End])
                }
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
                    (Self::Stopping(Ending::Restart { asked: true }), vec![Effect::End])
                }
                Self::ShuttingDown { restart: true } => (Self::Running, vec![Effect::PressReset]),
                other => (other, Vec::new()),
            },
            Happening::Adopted(status) => match (status, self) {
                (MachineStatus::Running, state @ Self::ShuttingDown { .. })
                | (MachineStatus::Paused, state @ Self::Paused(_)) => (state, Vec::new()),
                (MachineStatus::Running, _) => (Self::Running, Vec::new()),
                (MachineStatus::Paused, _) => (Self::Paused(PauseCause::Asked), Vec::new()),
                (MachineStatus::PoweredOff, state) => state.found_ended(rules),
                (MachineStatus::Panicked, state) => state.panicked(rules),
                (MachineStatus::Hung, state) => state.hung(rules),
            },
            Happening::AdoptedSaved => (Self::Stopping(Ending::Saved(SavedCause::Asked)), vec![Effect::End]),
            Happening::AdoptedSaving(former) => (Self::Saving(former), vec![Effect::UndoSave]),
            Happening::Saved => match self {
                Self::Saving(_) => (Self::Stopping(Ending::Saved(SavedCause::Asked)), vec![Effect::End]),
                other => (other, Vec::new()),
            },
            Happening::NotSaved(former) => match self {
                Self::Saving(_) => (former.into(), Vec::new()),
                other => (other, Vec::new()),
            },
            Happening::EndingOverdue => match self {
                Self::Stopping(ending) => (Self::Stopping(ending), vec![Effect::Kill]),
                other => (other, Vec::new()),
            },
            Happening::Dumped { detail } => self.dumped(detail, rules),
            Happening::HaltedOnBattery => self.halted_on_battery(rules),
            Happening::Engine(event) => self.engine_says(event, rules),
        }
    }

    fn engine_ready(self) -> (Self, Vec<Effect>) {
        match self {
            Self::Starting { paused: true, .. } => (Self::Paused(PauseCause::Asked), Vec::new()),
            Self::Starting { paused: false, restoring, .. } => {
                (Self::Starting { paused: false, ready: true, restoring }, vec![Effect::Run])
            }
            other => (other, Vec::new()),
        }
    }

    fn engine_says(self, event: EngineEvent, rules: &Rules) -> (Self, Vec<Effect>) {
        match (self, event) {
            (Self::Stopping(Ending::Off(cause)), EngineEvent::Exited { .. }) => {
                (Self::Off(cause), Vec::new())
            }
            (Self::Stopping(Ending::Restart { .. }), EngineEvent::Exited { .. }) => {
                (Self::Starting { paused: false, ready: false, restoring: false }, vec![Effect::Launch])
            }
            (Self::Stopping(Ending::Saved(cause)), EngineEvent::Exited { .. }) => {
                (Self::Saved(cause), Vec::new())
            }
            (Self::Stopping(Ending::Crashed(crash)), EngineEvent::Exited { .. }) => {
                (Self::Crashed(crash), Vec::new())
            }
            (Self::Dumping { .. }, EngineEvent::Exited { detail }) => {
                (crashed(CrashKind::GuestPanicked, detail), Vec::new())
            }
            // What a machine says that ends or is only read from is of no matter.
            // Without an engine, or of one that ends, nothing that it still says is believed.
            (
                state @ (Self::Off(_)
                | Self::Saved(_)
                | Self::Crashed(_)
                | Self::Starting { ready: false, .. }
                | Self::Stopping(_)
                | Self::Dumping { .. }),
                _,
            ) => (state, Vec::new()),

            (Self::Starting { .. }, EngineEvent::Exited { detail }) => {
                (crashed(CrashKind::StartFailed, detail), Vec::new())
            }
            (
                state @ (Self::Running | Self::Paused(_) | Self::ShuttingDown { .. }),
                EngineEvent::Exited { detail },
            ) => state.died(detail, rules),

            (Self::Saving(former), event) => former.engine_says_while_saving(event),

            (state, EngineEvent::PoweredOff) => state.powered_off(rules),
            (state, EngineEvent::Rebooted) => state.rebooted(rules),
            (state, EngineEvent::Panicked) => state.panicked(rules),
            (state, EngineEvent::Hung) => state.hung(rules),

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
            | (
                state,
                EngineEvent::Reset
                | EngineEvent::MediumEjected { .. }
                | EngineEvent::Memory(_)
                | EngineEvent::DiskGone(_)
                | EngineEvent::PciGone(_),
            ) => (state, Vec::new()),
        }
    }
}

fn crashed(kind: CrashKind, detail: String) -> State {
    State::Crashed(Crash { kind, detail })
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
            (Self::Start { .. }, State::Starting { .. } | State::Stopping(Ending::Saved(_))) => {
                Verdict::Pending
            }
            (Self::Start { .. }, State::Running | State::Paused(_) | State::ShuttingDown { .. }) => {
                Verdict::Done
            }
            (
                Self::Start { .. },
                State::Off(_) | State::Saving(_) | State::Saved(_) | State::Crashed(_) | State::Stopping(_),
            ) => Verdict::Failed,

            (Self::Shutdown, State::Off(_) | State::Stopping(_)) => Verdict::Done,
            (Self::Shutdown, State::Saving(_) | State::Saved(_) | State::Crashed(_)) => Verdict::Failed,
            (Self::Shutdown, _) => Verdict::Pending,

            // One that was to be given up while it was restored is saved as before: nothing of it runs.
            (
                Self::ForceOff | Self::Discard | Self::GiveUp,
                State::Off(_) | State::Saved(_) | State::Crashed(_),
            ) => Verdict::Done,
            (Self::ForceOff | Self::Discard | Self::GiveUp, _) => Verdict::Pending,

            (Self::Save, State::Saving(_) | State::Stopping(Ending::Saved(_))) => Verdict::Pending,
            (Self::Save, State::Saved(_)) => Verdict::Done,
            (Self::Save, _) => Verdict::Failed,

            (Self::Pause, State::Paused(_)) => Verdict::Done,
            (Self::Pause, State::Running | State::ShuttingDown { .. }) => Verdict::Pending,
            (Self::Resume, State::Running | State::ShuttingDown { .. }) => Verdict::Done,
            (Self::Resume, State::Paused(_)) => Verdict::Pending,

            (Self::Restart, State::ShuttingDown { restart: false }) => Verdict::Failed,
            (Self::Restart, State::Stopping(Ending::Restart { .. }) | State::Starting { .. }) => {
                Verdict::Pending
            }
            (Self::Restart, State::Running | State::ShuttingDown { restart: true }) => Verdict::Pending,
            (Self::Restart, State::Paused(_) | State::Dumping { .. }) => Verdict::Failed,
            (Self::Reset, State::Running | State::Paused(_) | State::ShuttingDown { .. }) => Verdict::Pending,
            (Self::Start { .. } | Self::Pause, State::Dumping { .. }) => Verdict::Done,
            (Self::Resume | Self::Reset, State::Dumping { .. }) => Verdict::Failed,
            (
                Self::Pause | Self::Resume | Self::Restart | Self::Reset,
                State::Off(_)
                | State::Starting { .. }
                | State::Saving(_)
                | State::Saved(_)
                | State::Stopping(_)
                | State::Crashed(_),
            ) => Verdict::Failed,
            (Self::CancelShutdown, State::Running) => Verdict::Done,
            (Self::CancelShutdown, _) => Verdict::Failed,
        }
    }
}

#[cfg(test)]
mod tests;
