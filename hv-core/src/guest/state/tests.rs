//! Tests of [`super`]: single stories, and a property over all orders of things.

use super::*;
use proptest::prelude::*;

#[test]
fn a_guest_starts_runs_and_powers_itself_off() {
    let (state, effects) = State::Off(OffCause::Never).wish(Wish::Start { paused: false }).unwrap();
    assert_eq!(effects, [Effect::Launch]);
    let (state, effects) = state.happen(Happening::EngineReady, &Rules::default());
    assert_eq!(effects, [Effect::Run]);
    assert_eq!(state.told().0, GuestState::Starting);
    let (state, _) = state.happen(Happening::Engine(EngineEvent::Running), &Rules::default());
    assert_eq!(state, State::Running);
    let (state, effects) = state.happen(Happening::Engine(EngineEvent::PoweredOff), &Rules::default());
    assert_eq!(effects, [Effect::End]);
    // The CPUs stop as part of it; that is not a pause.
    let (state, _) = state.happen(Happening::Engine(EngineEvent::Paused), &Rules::default());
    let (state, _) =
        state.happen(Happening::Engine(EngineEvent::Exited { detail: String::new() }), &Rules::default());
    assert_eq!(state, State::Off(OffCause::PoweredOff));
}

#[test]
fn an_engine_that_dies_is_a_crash_unless_it_was_told_to_end() {
    let exited = || Happening::Engine(EngineEvent::Exited { detail: "killed".into() });
    let (state, _) = State::Running.happen(exited(), &Rules::default());
    assert_eq!(state.told(), (GuestState::Crashed, Some(StateReason::EngineDied), Some("killed")));
    let (state, effects) = State::Running.wish(Wish::ForceOff).unwrap();
    assert_eq!(effects, [Effect::End]);
    let (state, _) = state.happen(exited(), &Rules::default());
    assert_eq!(state.told(), (GuestState::Off, Some(StateReason::ForcedOff), None));
}

#[test]
fn a_full_disk_pauses_and_says_so_until_the_guest_goes_on() {
    let failed = EngineEvent::DiskFailed { full: true, detail: "No space left".into() };
    let (state, _) = State::Running.happen(Happening::Engine(failed), &Rules::default());
    let (state, _) = state.happen(Happening::Engine(EngineEvent::Paused), &Rules::default());
    assert_eq!(state.told().1, Some(StateReason::DiskFull));
    let (state, effects) = state.wish(Wish::Resume).unwrap();
    assert_eq!(effects, [Effect::Run]);
    assert_eq!(state.happen(Happening::Engine(EngineEvent::Running), &Rules::default()).0, State::Running);
}

#[test]
fn a_guest_that_is_paused_on_battery_stays_so_for_who_pauses_it() {
    let rules = Rules::default();
    let (state, _) = State::Running.happen(Happening::HaltedOnBattery, &rules);
    assert_eq!(state.told().1, Some(StateReason::OnBattery));
    let (found, _) = state.clone().happen(Happening::Adopted(MachineStatus::Paused), &rules);
    assert_eq!(found, state);
    let (state, effects) = state.wish(Wish::Pause).unwrap();
    assert_eq!((state, effects), (State::Paused(PauseCause::Asked), vec![Effect::Halt]));
    // It was asked to shut down before it stood.
    let asked = State::ShuttingDown { restart: false };
    assert_eq!(asked.clone().happen(Happening::HaltedOnBattery, &rules), (asked, vec![Effect::Run]));
}

#[test]
fn a_start_that_is_given_up_leaves_the_guest_off() {
    let (state, _) = State::Off(OffCause::Never).wish(Wish::Start { paused: false }).unwrap();
    let (state, effects) = state.wish(Wish::ForceOff).unwrap();
    assert_eq!(effects, [Effect::AbandonLaunch]);
    assert_eq!(state, State::Off(OffCause::ForcedOff));
    // A launch that had got through in the meantime changes nothing.
    assert_eq!(state.clone().happen(Happening::EngineReady, &Rules::default()).0, state);
}

#[test]
fn a_guest_is_saved_and_goes_on() {
    let (state, effects) = State::Running.wish(Wish::Save).unwrap();
    assert_eq!(effects, [Effect::Save]);
    assert_eq!(state.told().0, GuestState::Saving);
    // That its CPUs are stopped is part of it.
    let (state, effects) = state.happen(Happening::Engine(EngineEvent::Paused), &Rules::default());
    assert_eq!((&state, effects), (&State::Saving(Former::Running), Vec::new()));
    let (state, effects) = state.happen(Happening::Saved, &Rules::default());
    assert_eq!((state.told().0, effects), (GuestState::Saving, vec![Effect::End]));
    let (state, _) =
        state.happen(Happening::Engine(EngineEvent::Exited { detail: String::new() }), &Rules::default());
    assert_eq!(state, State::Saved(SavedCause::Asked));
    let (state, effects) = state.wish(Wish::Start { paused: false }).unwrap();
    assert_eq!(effects, [Effect::Launch]);
    let (state, effects) = state.happen(Happening::EngineReady, &Rules::default());
    assert_eq!(effects, [Effect::Run]);
    let (state, _) = state.happen(Happening::Engine(EngineEvent::Running), &Rules::default());
    assert_eq!(state, State::Running);
}

#[test]
fn a_guest_that_could_not_be_saved_does_what_it_did_before() {
    let full = PauseCause::DiskFailed { full: true, detail: "d".into() };
    for state in [State::Running, State::Paused(PauseCause::Asked), State::Paused(full)] {
        let (saving, _) = state.clone().wish(Wish::Save).unwrap();
        let State::Saving(former) = saving.clone() else { panic!("{saving:?}") };
        assert_eq!(saving.happen(Happening::NotSaved(former), &Rules::default()).0, state);
    }
}

#[test]
fn a_saved_guest_loses_nothing_by_trying_in_vain() {
    let refused = || "no".to_owned();
    let (state, _) = State::Saved(SavedCause::Asked).wish(Wish::Start { paused: false }).unwrap();
    let (failed, effects) =
        state.clone().happen(Happening::LaunchFailed { detail: refused() }, &Rules::default());
    assert_eq!(failed.told(), (GuestState::Saved, Some(StateReason::RestoreFailed), Some("no")));
    assert!(effects.is_empty());
    let (given_up, effects) = state.clone().wish(Wish::GiveUp).unwrap();
    assert_eq!((given_up, effects), (State::Saved(SavedCause::Asked), vec![Effect::AbandonLaunch]));
    // It was given its memory, but would not run.
    let (ready, _) = state.happen(Happening::EngineReady, &Rules::default());
    let happening = |untouched| Happening::RunFailed { detail: refused(), untouched };
    let (state, effects) = ready.clone().happen(happening(true), &Rules::default());
    assert_eq!(effects, [Effect::KeepSaved, Effect::End]);
    let (state, _) =
        state.happen(Happening::Engine(EngineEvent::Exited { detail: String::new() }), &Rules::default());
    assert_eq!(state.told().0, GuestState::Saved);
    // Perhaps it did run, and its disks are others now.
    let (state, _) = ready.happen(happening(false), &Rules::default());
    let (state, _) =
        state.happen(Happening::Engine(EngineEvent::Exited { detail: String::new() }), &Rules::default());
    assert_eq!(state.told().0, GuestState::Crashed);
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
        Just(Wish::Save),
        Just(Wish::Discard),
        Just(Wish::GiveUp),
    ]
}

fn engine_events() -> impl Strategy<Value = EngineEvent> {
    prop_oneof![
        Just(EngineEvent::Running),
        Just(EngineEvent::Paused),
        Just(EngineEvent::Reset),
        Just(EngineEvent::PoweredOff),
        Just(EngineEvent::Rebooted),
        Just(EngineEvent::Panicked),
        any::<bool>().prop_map(|full| EngineEvent::DiskFailed { full, detail: "d".into() }),
        Just(EngineEvent::MediumEjected { drive: 0 }),
        Just(EngineEvent::DiskGone(crate::engine::DiskName::FIRST)),
        Just(EngineEvent::PciGone(0)),
        Just(EngineEvent::Exited { detail: "gone".into() }),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Wish(Wish),
    LaunchEnds(bool),
    Engine(EngineEvent),
    HaltedOnBattery,
    Overdue,
    RunFails { untouched: bool },
    SaveEnds { well: bool },
    PowerButtonFails,
    Deaf { pending: bool },
    Dumped,
    Rules(Rules),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => wishes().prop_map(Step::Wish),
        2 => any::<bool>().prop_map(Step::LaunchEnds),
        4 => engine_events().prop_map(Step::Engine),
        1 => Just(Step::HaltedOnBattery),
        1 => Just(Step::Overdue),
        1 => any::<bool>().prop_map(|untouched| Step::RunFails { untouched }),
        2 => any::<bool>().prop_map(|well| Step::SaveEnds { well }),
        1 => Just(Step::PowerButtonFails),
        1 => any::<bool>().prop_map(|pending| Step::Deaf { pending }),
        1 => Just(Step::Dumped),
        2 => policy::tests::any_rules().prop_map(Step::Rules),
    ];
    prop::collection::vec(step, 0..60)
}

/// What there is of a saved state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum File {
    /// Nothing.
    #[default]
    None,
    /// One that a guest can go on with.
    Whole,
    /// The machine was given it, and perhaps runs.
    Taken,
}

/// The world as far as the state machine may know it: is a launch under way, is there an engine, is a saved
/// state being written, and is there one?
#[derive(Default)]
struct World {
    launching: bool,
    engine: bool,
    writing: bool,
    file: File,
    rules: Rules,
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
                Effect::Save | Effect::UndoSave => {
                    assert!(self.engine && !self.writing, "{effect:?}: two at once, or none");
                    assert_eq!(self.file, File::None, "a saved state beside a machine that has run");
                    self.writing = true;
                }
                Effect::AbandonSave => {
                    assert!(self.writing, "gave up a save that was not");
                    self.writing = false;
                }
                Effect::KeepSaved => {
                    assert_eq!(self.file, File::Taken, "kept what was not there");
                    self.file = File::Whole;
                }
                Effect::Run => {
                    assert!(self.engine, "runs without an engine");
                    assert_ne!(self.file, File::Whole, "runs beside its saved state");
                }
                Effect::Halt
                | Effect::PressPower { .. }
                | Effect::PressReset
                | Effect::DumpMemory
                | Effect::End
                | Effect::Kill => {
                    assert!(self.engine, "{effect:?} without an engine");
                }
            }
        }
    }

    /// One thing happens; nothing where it can't.
    fn step(&mut self, state: State, step: Step) -> (State, Vec<Effect>) {
        match step {
            Step::Wish(wish) => {
                let was_saved = matches!(state, State::Saved(_));
                match state.wish(wish) {
                    Ok(next) => {
                        if was_saved && matches!(wish, Wish::ForceOff | Wish::Discard) {
                            self.file = File::None;
                        }
                        next
                    }
                    Err((same, Refused)) => (same, Vec::new()),
                }
            }
            Step::LaunchEnds(well) if self.launching => {
                self.launching = false;
                self.engine = well;
                if well && self.file == File::Whole {
                    self.file = File::Taken;
                }
                state.happen(
                    if well {
                        Happening::EngineReady
                    } else {
                        Happening::LaunchFailed { detail: "no".into() }
                    },
                    &self.rules,
                )
            }
            Step::Engine(event) if self.engine => {
                self.engine = !matches!(event, EngineEvent::Exited { .. });
                state.happen(Happening::Engine(event), &self.rules)
            }
            Step::SaveEnds { well } if self.writing => {
                self.writing = false;
                let State::Saving(former) = state.clone() else { panic!("saves in {state:?}") };
                if well {
                    self.file = File::Whole;
                }
                state.happen(if well { Happening::Saved } else { Happening::NotSaved(former) }, &self.rules)
            }
            Step::HaltedOnBattery if self.engine => state.happen(Happening::HaltedOnBattery, &self.rules),
            Step::Overdue => state.happen(Happening::EndingOverdue, &self.rules),
            Step::Deaf { pending } => state.happen(Happening::Deaf { pending }, &self.rules),
            Step::Dumped => state.happen(Happening::Dumped { detail: "d".into() }, &self.rules),
            Step::Rules(rules) => {
                self.rules = rules;
                (state, Vec::new())
            }
            Step::PowerButtonFails => state.happen(Happening::PowerButtonFailed, &self.rules),
            Step::RunFails { untouched } => {
                state.happen(Happening::RunFailed { detail: "no".into(), untouched }, &self.rules)
            }
            Step::LaunchEnds(_) | Step::Engine(_) | Step::HaltedOnBattery | Step::SaveEnds { .. } => {
                (state, Vec::new())
            }
        }
    }

    /// What the guest's task gives back by itself in each state.
    fn settle(&mut self, state: &State) {
        if self.file == File::Taken && !matches!(state, State::Starting { .. } | State::Stopping(_)) {
            self.file = File::None;
        }
    }
}

proptest! {
    #[test]
    fn no_order_of_things_loses_or_doubles_an_engine_or_a_saved_state(steps in steps()) {
        let mut world = World::default();
        let mut state = State::Off(OffCause::Never);
        for step in steps {
            let effects;
            (state, effects) = world.step(state, step);
            world.carry_out(&effects);
            world.settle(&state);
            prop_assert_eq!(state.has_engine(), world.engine, "{:?}", state);
            prop_assert_eq!(state.is_down(), !world.engine && !world.launching, "{:?}", state);
            prop_assert_eq!(matches!(state, State::Saving(_)), world.writing, "{:?}", state);
            let saved = matches!(
                state,
                State::Saved(_)
                    | State::Starting { restoring: true, ready: false, .. }
                    | State::Stopping(Ending::Saved(_))
            );
            prop_assert_eq!(saved, world.file == File::Whole, "{:?}", state);
        }
        // Whatever happened, a person can get the guest off: force, and if it will not end, again.
        if world.engine {
            let (next, _) = state.wish(Wish::ForceOff).unwrap();
            let ended = Happening::Engine(EngineEvent::Exited { detail: String::new() });
            let (next, _) = next.happen(ended, &world.rules);
            prop_assert!(next.is_down());
        }
    }
}
