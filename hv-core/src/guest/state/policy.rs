//! What becomes of a guest that ends by itself, by the rules of its definition. Part of [`super::State`]'s
//! table, and as pure.
//!
//! Rules decide only what happens without a word: a guest that was asked to shut down is off, or starts anew,
//! whatever they say.

use super::{Crash, CrashKind, Effect, Ending, Happening, OffCause, PauseCause, State};
use crate::engine::EngineEvent;
use hv_api::{CrashAction, EndAction, StateReason, Watchdog};

/// What the life of a guest goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What becomes of it when it powers itself off.
    pub on_poweroff: EndAction,
    /// What becomes of it when it restarts itself.
    pub on_reboot: EndAction,
    /// What becomes of it when it crashes.
    pub on_crash: CrashAction,
    /// What becomes of it when it hangs.
    pub watchdog: Watchdog,
    /// Whether it has to be started anew where it restarts itself: what it starts with is looked for then, or may be
    /// otherwise by then, as of an installer.
    pub anew: bool,
    /// It was started anew without a person's word so often, in words, that it is not once more.
    pub too_often: Option<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            on_poweroff: EndAction::Destroy,
            on_reboot: EndAction::Restart,
            on_crash: CrashAction::Destroy,
            watchdog: Watchdog::None,
            anew: false,
            too_often: None,
        }
    }
}

/// How a guest has ended whose machine is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It powered itself off.
    PoweredOff,
    /// It wanted to restart.
    Rebooted,
    /// Its system crashed.
    Panicked,
    /// Its system hangs.
    Hung,
}

impl Kept {
    /// What clients are told.
    pub(super) fn reason(self) -> StateReason {
        match self {
            Self::PoweredOff => StateReason::PoweredOff,
            Self::Rebooted => StateReason::Rebooted,
            Self::Panicked => StateReason::GuestPanicked,
            Self::Hung => StateReason::Watchdog,
        }
    }

    /// What the guest is when its kept machine is given up.
    pub(super) fn ending(self) -> Ending {
        match self {
            Self::PoweredOff => Ending::Off(OffCause::PoweredOff),
            Self::Rebooted => Ending::Off(OffCause::Rebooted),
            Self::Panicked => panicked(String::new()),
            Self::Hung => hung(),
        }
    }

    /// How the guest goes on: one that has only crashed or hangs may, any other begins anew.
    pub(super) fn go_on(self) -> Vec<Effect> {
        match self {
            Self::PoweredOff | Self::Rebooted => vec![Effect::PressReset, Effect::Run],
            Self::Panicked | Self::Hung => vec![Effect::Run],
        }
    }
}

impl State {
    /// The guest has powered itself off.
    pub(super) fn powered_off(self, rules: &Rules) -> (Self, Vec<Effect>) {
        match (self.asked(), rules.on_poweroff) {
            (Some(restart), _) => asked_to_end(restart),
            (None, EndAction::Destroy) => end(Ending::Off(OffCause::PoweredOff)),
            (None, EndAction::Preserve) => keep(Kept::PoweredOff),
            (None, EndAction::Restart) if rules.too_often.is_none() => end(Ending::Restart { asked: false }),
            (None, EndAction::Restart) => end(Ending::Off(OffCause::TooOften)),
        }
    }

    /// The guest wanted to restart, and its machine stands instead.
    pub(super) fn rebooted(self, rules: &Rules) -> (Self, Vec<Effect>) {
        match (self.asked(), rules.on_reboot) {
            (Some(restart), _) => asked_to_end(restart),
            (None, EndAction::Destroy) => end(Ending::Off(OffCause::Rebooted)),
            (None, EndAction::Preserve) => keep(Kept::Rebooted),
            // What it starts with may be otherwise by now.
            (None, EndAction::Restart) if rules.anew => match rules.too_often {
                None => end(Ending::Restart { asked: false }),
                Some(_) => end(Ending::Off(OffCause::TooOften)),
            },
            // The rule has just become another one.
            (None, EndAction::Restart) => (Self::Running, Kept::Rebooted.go_on()),
        }
    }

    /// It was found that the guest has powered itself off or restarted itself, and its engine no longer knows
    /// which.
    pub(super) fn found_ended(self, rules: &Rules) -> (Self, Vec<Effect>) {
        match rules.on_reboot {
            // Then it would have restarted.
            EndAction::Restart if !rules.anew => self.powered_off(rules),
            on_reboot if on_reboot == rules.on_poweroff || self.asked().is_some() => self.powered_off(rules),
            // Where the two differ, nothing is done that could be wrong.
            EndAction::Restart | EndAction::Destroy | EndAction::Preserve => keep(Kept::PoweredOff),
        }
    }

    /// The guest's system says that it has crashed.
    pub(super) fn panicked(self, rules: &Rules) -> (Self, Vec<Effect>) {
        // Who was to shut down is not started anew.
        let restart = self.asked() != Some(false);
        match rules.on_crash {
            CrashAction::Restart if restart => restart_or(rules, ""),
            CrashAction::Destroy | CrashAction::Restart => end(panicked(String::new())),
            CrashAction::Preserve => keep(Kept::Panicked),
            CrashAction::CoredumpDestroy => (Self::Dumping { restart: false }, vec![Effect::DumpMemory]),
            CrashAction::CoredumpRestart => (Self::Dumping { restart }, vec![Effect::DumpMemory]),
        }
    }

    /// The guest did not calm its watchdog.
    pub(super) fn hung(self, rules: &Rules) -> (Self, Vec<Effect>) {
        match (rules.watchdog, self.asked()) {
            // None is known to be there: nothing is done that could be wrong.
            (Watchdog::Pause | Watchdog::None, _) => keep(Kept::Hung),
            // It hung on its way down.
            (Watchdog::Reset | Watchdog::Poweroff, Some(restart)) => asked_to_end(restart),
            (Watchdog::Reset, None) => match &rules.too_often {
                None => (Self::Running, vec![Effect::PressReset, Effect::Run]),
                Some(_) => restart_or(rules, ""),
            },
            (Watchdog::Poweroff, None) => end(hung()),
        }
    }

    /// The memory of the crashed guest was written, or was not, which `detail` says.
    pub(super) fn dumped(self, detail: String, rules: &Rules) -> (Self, Vec<Effect>) {
        match self {
            Self::Dumping { restart: true } => restart_or(rules, &detail),
            Self::Dumping { restart: false } => end(panicked(detail)),
            other => (other, Vec::new()),
        }
    }

    /// The engine has ended, and nobody wanted that.
    pub(super) fn died(self, detail: String, rules: &Rules) -> (Self, Vec<Effect>) {
        let restarts = match rules.on_crash {
            CrashAction::Restart | CrashAction::CoredumpRestart => true,
            CrashAction::Destroy | CrashAction::Preserve | CrashAction::CoredumpDestroy => false,
        };
        // Who was to shut down, or had ended and was only kept, is not started for that.
        let wanted = match self {
            Self::ShuttingDown { restart } => restart,
            Self::Paused(PauseCause::Kept(_)) => false,
            _ => true,
        };
        match &rules.too_often {
            None if restarts && wanted => {
                (Self::Starting { paused: false, ready: false, restoring: false }, vec![Effect::Launch])
            }
            Some(often) if restarts && wanted => {
                let detail = format!("{often}\n{detail}");
                (Self::Crashed(Crash { kind: CrashKind::TooOften, detail }), Vec::new())
            }
            _ => (Self::Crashed(Crash { kind: CrashKind::EngineDied, detail }), Vec::new()),
        }
    }

    /// Whether this is a step by which the guest starts anew without a person's word.
    pub fn restarts_by_itself(&self, happening: &Happening, effects: &[Effect]) -> bool {
        let asked = matches!(self, Self::Stopping(Ending::Restart { asked: true }));
        let reset =
            *happening == Happening::Engine(EngineEvent::Hung) && effects.contains(&Effect::PressReset);
        reset || (effects.contains(&Effect::Launch) && !asked && matches!(happening, Happening::Engine(_)))
    }

    /// Whether somebody has asked it to shut down, and if so, whether it is to start anew then.
    fn asked(&self) -> Option<bool> {
        match self {
            Self::ShuttingDown { restart } => Some(*restart),
            _ => None,
        }
    }
}

fn asked_to_end(restart: bool) -> (State, Vec<Effect>) {
    end(if restart { Ending::Restart { asked: true } } else { Ending::Off(OffCause::PoweredOff) })
}

fn end(ending: Ending) -> (State, Vec<Effect>) {
    (State::Stopping(ending), vec![Effect::End])
}

fn keep(kept: Kept) -> (State, Vec<Effect>) {
    (State::Paused(PauseCause::Kept(kept)), Vec::new())
}

fn panicked(detail: String) -> Ending {
    Ending::Crashed(Crash { kind: CrashKind::GuestPanicked, detail })
}

fn hung() -> Ending {
    Ending::Crashed(Crash { kind: CrashKind::Hung, detail: String::new() })
}

fn restart_or(rules: &Rules, detail: &str) -> (State, Vec<Effect>) {
    match &rules.too_often {
        None => end(Ending::Restart { asked: false }),
        Some(often) => {
            let detail = if detail.is_empty() { often.clone() } else { format!("{often}\n{detail}") };
            end(Ending::Crashed(Crash { kind: CrashKind::TooOften, detail }))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Verdict, Wish};
    use super::*;
    use crate::engine::MachineStatus;
    use hv_api::GuestState;
    use proptest::prelude::*;

    /// Rules of all kinds.
    pub fn any_rules() -> impl Strategy<Value = Rules> {
        let end = || prop::sample::select(vec![EndAction::Destroy, EndAction::Restart, EndAction::Preserve]);
        let crash = prop::sample::select(vec![
            CrashAction::Destroy,
            CrashAction::Restart,
            CrashAction::Preserve,
            CrashAction::CoredumpDestroy,
            CrashAction::CoredumpRestart,
        ]);
        let watchdog =
            prop::sample::select(vec![Watchdog::None, Watchdog::Reset, Watchdog::Poweroff, Watchdog::Pause]);
        let all = (end(), end(), crash, watchdog, any::<bool>(), any::<bool>());
        all.prop_map(|(on_poweroff, on_reboot, on_crash, watchdog, anew, often)| Rules {
            on_poweroff,
            on_reboot,
            on_crash,
            watchdog,
            anew,
            too_often: often.then(|| "often".into()),
        })
    }

    #[test]
    fn a_guest_whose_kernel_is_looked_for_anew_restarts_in_a_new_machine() {
        let anew = Rules { anew: true, ..Rules::default() };
        let rebooted = || Happening::Engine(EngineEvent::Rebooted);
        let (state, effects) = State::Running.happen(rebooted(), &anew);
        assert_eq!((state, effects), end(Ending::Restart { asked: false }));
        let often = Rules { too_often: Some("often".into()), ..anew.clone() };
        assert_eq!(State::Running.happen(rebooted(), &often), end(Ending::Off(OffCause::TooOften)));
        // Whether it wanted to restart or to be off is not known any more.
        let found = Happening::Adopted(MachineStatus::PoweredOff);
        assert_eq!(State::Running.happen(found.clone(), &anew), keep(Kept::PoweredOff));
        let both = Rules { on_poweroff: EndAction::Restart, ..anew };
        assert_eq!(State::Running.happen(found, &both), end(Ending::Restart { asked: false }));
    }

    fn rules(on_end: EndAction, on_crash: CrashAction) -> Rules {
        Rules { on_poweroff: on_end, on_reboot: on_end, on_crash, ..Rules::default() }
    }

    fn exited() -> Happening {
        Happening::Engine(EngineEvent::Exited { detail: "words".into() })
    }

    fn told(state: &State) -> (GuestState, Option<StateReason>) {
        (state.told().0, state.told().1)
    }

    #[test]
    fn a_guest_that_ends_goes_by_its_rules() {
        let destroy = rules(EndAction::Destroy, CrashAction::Destroy);
        let restart = rules(EndAction::Restart, CrashAction::Restart);
        let preserve = rules(EndAction::Preserve, CrashAction::Preserve);
        for (event, reason) in [
            (EngineEvent::PoweredOff, StateReason::PoweredOff),
            (EngineEvent::Rebooted, StateReason::Rebooted),
            (EngineEvent::Panicked, StateReason::GuestPanicked),
        ] {
            let (ending, effects) = State::Running.happen(Happening::Engine(event.clone()), &destroy);
            assert_eq!(effects, [Effect::End]);
            let state = if event == EngineEvent::Panicked { GuestState::Crashed } else { GuestState::Off };
            assert_eq!(told(&ending.happen(exited(), &destroy).0), (state, Some(reason)));

            let (kept, effects) = State::Running.happen(Happening::Engine(event.clone()), &preserve);
            assert_eq!((told(&kept), effects), ((GuestState::Paused, Some(reason)), Vec::new()));
            // It can go on, begin anew and be given up.
            assert!(kept.clone().wish(Wish::Resume).unwrap().1.contains(&Effect::Run));
            let (ending, _) = kept.clone().wish(Wish::Restart).unwrap();
            assert_eq!(ending.happen(exited(), &preserve).1, [Effect::Launch]);
            let (ending, _) = kept.wish(Wish::ForceOff).unwrap();
            assert_eq!(told(&ending.happen(exited(), &preserve).0), (state, Some(reason)));

            if event != EngineEvent::Rebooted {
                let (ending, _) = State::Running.happen(Happening::Engine(event), &restart);
                let (state, effects) = ending.clone().happen(exited(), &restart);
                assert_eq!((state.told().0, &effects[..]), (GuestState::Starting, &[Effect::Launch][..]));
                assert!(ending.restarts_by_itself(&exited(), &effects));
            }
        }
    }

    #[test]
    fn an_installer_that_restarts_its_machine_gets_another_one() {
        let restarts = Rules { anew: true, ..Rules::default() };
        let rebooted = || Happening::Engine(EngineEvent::Rebooted);
        let (ending, effects) = State::Running.happen(rebooted(), &restarts);
        assert_eq!(effects, [Effect::End]);
        let (state, effects) = ending.clone().happen(exited(), &restarts);
        assert_eq!((state.told().0, &effects[..]), (GuestState::Starting, &[Effect::Launch][..]));
        assert!(ending.restarts_by_itself(&exited(), &effects));
        let often = Rules { too_often: Some("often".into()), ..restarts.clone() };
        let (ending, _) = State::Running.happen(rebooted(), &often);
        assert_eq!(told(&ending.happen(exited(), &often).0).1, Some(StateReason::RestartedTooOften));
        // What a person has said counts more.
        for rule in [EndAction::Destroy, EndAction::Preserve] {
            let ruled = Rules { on_reboot: rule, ..restarts.clone() };
            let usual = Rules { on_reboot: rule, ..Rules::default() };
            let happened = |rules| State::Running.happen(rebooted(), rules);
            assert_eq!(happened(&ruled), happened(&usual));
        }
        // Powered off, it is off.
        let (ending, _) = State::Running.happen(Happening::Engine(EngineEvent::PoweredOff), &restarts);
        assert_eq!(ending.happen(exited(), &restarts).0, State::Off(OffCause::PoweredOff));
    }

    #[test]
    fn a_guest_that_hangs_goes_by_what_its_watchdog_shall_do() {
        let rules = |watchdog| Rules { watchdog, ..Rules::default() };
        let hung = || Happening::Engine(EngineEvent::Hung);
        let reset = vec![Effect::PressReset, Effect::Run];
        assert_eq!(State::Running.happen(hung(), &rules(Watchdog::Reset)), (State::Running, reset.clone()));
        assert!(State::Running.restarts_by_itself(&hung(), &reset));
        let often = Rules { too_often: Some("often".into()), ..rules(Watchdog::Reset) };
        let (ending, _) = State::Running.happen(hung(), &often);
        assert_eq!(told(&ending.happen(exited(), &often).0).1, Some(StateReason::RestartedTooOften));

        let (ending, effects) = State::Running.happen(hung(), &rules(Watchdog::Poweroff));
        assert_eq!(effects, [Effect::End]);
        let crashed = (GuestState::Crashed, Some(StateReason::Watchdog));
        assert_eq!(told(&ending.happen(exited(), &Rules::default()).0), crashed);

        for watchdog in [Watchdog::Pause, Watchdog::None] {
            let (kept, effects) = State::Running.happen(hung(), &rules(watchdog));
            assert_eq!(
                (told(&kept), effects),
                ((GuestState::Paused, Some(StateReason::Watchdog)), Vec::new())
            );
            assert_eq!(kept.clone().wish(Wish::Resume).unwrap().1, [Effect::Run]);
            let (ending, _) = kept.wish(Wish::ForceOff).unwrap();
            assert_eq!(told(&ending.happen(exited(), &Rules::default()).0), crashed);
        }
        // One that hangs on its way down was to be down.
        for watchdog in [Watchdog::Reset, Watchdog::Poweroff] {
            let (asked, _) = State::Running.wish(Wish::Shutdown).unwrap();
            let (ending, _) = asked.happen(hung(), &rules(watchdog));
            assert_eq!(ending.happen(exited(), &Rules::default()).0, State::Off(OffCause::PoweredOff));
        }
        // A core that was away learns it as well.
        let (kept, _) = State::Off(OffCause::Never)
            .happen(Happening::Adopted(MachineStatus::Hung), &rules(Watchdog::Pause));
        assert_eq!(told(&kept).1, Some(StateReason::Watchdog));
    }

    #[test]
    fn a_persons_word_counts_more_than_a_rule() {
        for on_end in [EndAction::Destroy, EndAction::Restart, EndAction::Preserve] {
            let rules = rules(on_end, CrashAction::Restart);
            for event in [EngineEvent::PoweredOff, EngineEvent::Rebooted] {
                let (asked, _) = State::Running.wish(Wish::Shutdown).unwrap();
                let (ending, _) = asked.clone().happen(Happening::Engine(event), &rules);
                assert_eq!(ending.happen(exited(), &rules).0, State::Off(OffCause::PoweredOff));
                assert!(asked.happen(exited(), &rules).0.is_down(), "it is not started for a crash");
            }
            let (asked, _) = State::Running.wish(Wish::Restart).unwrap();
            let (ending, _) = asked.happen(Happening::Engine(EngineEvent::PoweredOff), &rules);
            let (starting, effects) = ending.clone().happen(exited(), &rules);
            assert_eq!(starting.told().0, GuestState::Starting);
            assert!(!ending.restarts_by_itself(&exited(), &effects));
        }
    }

    #[test]
    fn a_guest_that_starts_anew_too_often_stays_off_and_says_so() {
        let mut rules = rules(EndAction::Restart, CrashAction::Restart);
        rules.too_often = Some("5 times".into());
        for (event, state) in
            [(EngineEvent::PoweredOff, GuestState::Off), (EngineEvent::Panicked, GuestState::Crashed)]
        {
            let (ending, _) = State::Running.happen(Happening::Engine(event), &rules);
            let expected = (state, Some(StateReason::RestartedTooOften));
            assert_eq!(told(&ending.happen(exited(), &rules).0), expected);
        }
        let (crashed, effects) = State::Running.happen(exited(), &rules);
        assert_eq!((crashed.told().1, effects), (Some(StateReason::RestartedTooOften), Vec::new()));
        assert_eq!(crashed.told().2, Some("5 times\nwords"));
    }

    #[test]
    fn an_engine_that_dies_is_launched_again_where_the_guest_is_to_restart() {
        for on_crash in [CrashAction::Restart, CrashAction::CoredumpRestart] {
            let (state, effects) = State::Running.happen(exited(), &rules(EndAction::Destroy, on_crash));
            assert_eq!((state.told().0, &effects[..]), (GuestState::Starting, &[Effect::Launch][..]));
            assert!(State::Running.restarts_by_itself(&exited(), &effects));
        }
        for on_crash in [CrashAction::Destroy, CrashAction::Preserve, CrashAction::CoredumpDestroy] {
            let (state, _) = State::Running.happen(exited(), &rules(EndAction::Restart, on_crash));
            assert_eq!(told(&state), (GuestState::Crashed, Some(StateReason::EngineDied)));
        }
    }

    #[test]
    fn memory_is_written_before_the_guest_is_off_or_starts_anew() {
        let dumped = || Happening::Dumped { detail: "in a file".into() };
        let (dumping, effects) = State::Running.happen(
            Happening::Engine(EngineEvent::Panicked),
            &rules(EndAction::Destroy, CrashAction::CoredumpDestroy),
        );
        assert_eq!(effects, [Effect::DumpMemory]);
        let (ending, effects) = dumping.clone().happen(dumped(), &Rules::default());
        assert_eq!(effects, [Effect::End]);
        assert_eq!(ending.happen(exited(), &Rules::default()).0.told().2, Some("in a file"));
        let (given_up, effects) = dumping.wish(Wish::ForceOff).unwrap();
        assert_eq!(effects, [Effect::End]);
        // The end of the writing is no news then.
        assert_eq!(given_up.clone().happen(dumped(), &Rules::default()).0, given_up);
        let (ending, _) = State::Dumping { restart: true }.happen(dumped(), &Rules::default());
        assert_eq!(ending.happen(exited(), &Rules::default()).1, [Effect::Launch]);
    }

    #[test]
    fn what_can_not_be_known_is_done_to_nobody() {
        let found = |on_poweroff, on_reboot| {
            let rules = Rules { on_poweroff, on_reboot, ..Rules::default() };
            State::Off(OffCause::Never).happen(Happening::Adopted(MachineStatus::PoweredOff), &rules).0
        };
        let restart = found(EndAction::Restart, EndAction::Restart);
        assert_eq!(restart, State::Stopping(Ending::Restart { asked: false }));
        let off = found(EndAction::Destroy, EndAction::Destroy);
        assert_eq!(off, State::Stopping(Ending::Off(OffCause::PoweredOff)));
        let unsure = found(EndAction::Restart, EndAction::Destroy);
        assert_eq!(unsure, State::Paused(PauseCause::Kept(Kept::PoweredOff)));
    }

    #[test]
    fn a_restart_asks_and_then_begins_anew() {
        let exited = || Happening::Engine(EngineEvent::Exited { detail: String::new() });
        let (asked, effects) = State::Running.wish(Wish::Restart).unwrap();
        assert_eq!(effects, [Effect::PressPower { if_heard: true }]);
        assert_eq!(Wish::Restart.verdict(&asked), Verdict::Pending);
        let (ending, effects) =
            asked.clone().happen(Happening::Engine(EngineEvent::PoweredOff), &Rules::default());
        assert_eq!(effects, [Effect::End]);
        let (starting, effects) = ending.clone().happen(exited(), &Rules::default());
        assert_eq!(effects, [Effect::Launch]);
        assert_eq!(Wish::Restart.verdict(&starting), Verdict::Pending);
        // A person's later word counts.
        let (ended, _) = ending.wish(Wish::ForceOff).unwrap();
        assert_eq!(ended.happen(exited(), &Rules::default()).0, State::Off(OffCause::ForcedOff));
        let (off, _) = asked.clone().wish(Wish::Shutdown).unwrap();
        assert_eq!(Wish::Restart.verdict(&off), Verdict::Failed);
        assert_eq!(asked.clone().wish(Wish::CancelShutdown).unwrap(), (State::Running, Vec::new()));
        // It did not wait for the power button, but restarted as it was asked to.
        assert_eq!(asked.happen(Happening::Engine(EngineEvent::Reset), &Rules::default()).0, State::Running);
    }

    #[test]
    fn a_restart_of_a_guest_that_listens_to_nothing_is_a_reset_or_a_new_machine() {
        let (asked, _) = State::Running.wish(Wish::Restart).unwrap();
        let (state, effects) = asked.clone().happen(Happening::Deaf { pending: false }, &Rules::default());
        assert_eq!((state, &effects[..]), (State::Running, &[Effect::PressReset][..]));
        let (state, effects) = asked.happen(Happening::Deaf { pending: true }, &Rules::default());
        assert_eq!(
            (state, &effects[..]),
            (State::Stopping(Ending::Restart { asked: true }), &[Effect::End][..])
        );
        // Who was asked to shut down is only waited for.
        let (asked, _) = State::Running.wish(Wish::Shutdown).unwrap();
        assert_eq!(
            asked.clone().happen(Happening::Deaf { pending: true }, &Rules::default()),
            (asked, Vec::new())
        );
    }
}
