//! Pausing the guest while the host runs on battery and nobody looks at it: who looks, since when nobody does, and
//! what a person has said meanwhile. What comes of that is decided in [`crate::guest::battery`].

use super::{Actor, PauseCause, State};
use crate::guest::battery::{Decision, Doing, Present, decide};
use crate::guest::state::{Effect, Wish};
use crate::guest::viewers::Viewers;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::info;

/// What the task knows of it.
pub(super) struct Battery {
    /// Whether the host runs on battery; nothing where nobody tells.
    power: watch::Receiver<Option<bool>>,
    pub(super) viewers: Viewers,
    looking: watch::Receiver<usize>,
    /// Since when the guest runs and nobody looks at it.
    unseen: Option<Instant>,
    /// A person has let it go on since the plug was pulled.
    wanted: bool,
    /// The machine is told to stop, or to go on, and has not yet.
    told: Option<Effect>,
    /// It did not; it is told again when something changes.
    failed: bool,
    /// When it is to be decided again.
    pub(super) deadline: Option<Instant>,
}

impl Battery {
    pub(super) fn new(power: watch::Receiver<Option<bool>>) -> Self {
        let viewers = Viewers::default();
        let looking = viewers.watch();
        Self {
            power,
            viewers,
            looking,
            unseen: None,
            wanted: false,
            told: None,
            failed: false,
            deadline: None,
        }
    }

    /// Waits until the plug was pulled or put in, or somebody came or has gone. May be cancelled.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            Ok(()) = self.power.changed() => self.wanted = false,
            Ok(()) = self.looking.changed() => {}
            else => std::future::pending().await,
        }
        self.failed = false;
    }

    /// The machine did not take this.
    pub(super) fn not_done(&mut self, effect: Effect) {
        if self.told == Some(effect) {
            (self.told, self.failed) = (None, true);
        }
    }
}

impl Actor {
    /// A person has asked this of the guest.
    pub(super) fn person_wishes(&mut self, wish: Wish) {
        if let Wish::Resume | Wish::Reset | Wish::Restart = wish {
            self.battery.wanted = *self.battery.power.borrow() == Some(true);
        }
    }

    /// Pauses the guest or lets it go on, where the time has come for that.
    pub(super) fn mind_battery(&mut self) {
        let is_paused = self.waiting.iter().any(|(wish, _)| *wish == Wish::Pause);
        let doing = match (&self.state, self.battery.told) {
            // Whoever wants it to be paused shall find it paused for that reason.
            (State::Running, _) if is_paused => Doing::Else,
            // Until the machine has done what it was told.
            (State::Running, Some(Effect::Halt))
            | (State::Paused(PauseCause::OnBattery), Some(Effect::Run)) => return,
            (State::Running, _) => Doing::Runs,
            (State::Paused(PauseCause::OnBattery), _) => Doing::PausedForIt,
            _ => Doing::Else,
        };
        self.battery.told = None;
        self.battery.deadline = None;
        let unseen = self.unseen();
        if self.battery.failed {
            return;
        }
        let on_battery = *self.battery.power.borrow();
        let (rule, wanted) = (self.definition.power.on_battery, self.battery.wanted);
        let patience = self.context.patience.get();
        let decision = decide(Present { rule, on_battery, doing, unseen, patience, wanted });
        // A later core must know why it stands, also where this one ends in between.
        self.note_battery(decision == Decision::Pause || doing == Doing::PausedForIt);
        match decision {
            Decision::Leave => {}
            Decision::Wait(time) => self.battery.deadline = Some(Instant::now() + time),
            Decision::Pause => {
                info!("paused, as the host runs on battery and nobody looks at the guest");
                self.tell_for_battery(Effect::Halt);
            }
            Decision::Resume => {
                info!("going on after it was paused on battery");
                self.tell_for_battery(Effect::Run);
            }
        }
    }

    /// Whether the machine was told to stop for this: then that is why it stands.
    pub(super) fn is_halted_on_battery(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.on_battery)
    }

    fn tell_for_battery(&mut self, effect: Effect) {
        self.battery.told = Some(effect);
        self.carry_out(&[effect]);
    }

    /// For how long nobody has looked; nothing where somebody does.
    fn unseen(&mut self) -> Option<std::time::Duration> {
        if *self.battery.looking.borrow() > 0 || !self.state.has_engine() {
            self.battery.unseen = None;
            return None;
        }
        Some(self.battery.unseen.get_or_insert_with(Instant::now).elapsed())
    }

    fn note_battery(&mut self, paused: bool) {
        let stands = matches!(self.state, State::Running | State::Paused(_));
        if let Some(record) = self.record.as_mut().filter(|record| stands && record.on_battery != paused) {
            record.on_battery = paused;
            self.note_record();
        }
    }
}
