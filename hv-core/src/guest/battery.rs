//! Whether a guest is paused because the host runs on battery and nobody looks at it, or goes on again. Pure.

use hv_api::BatteryAction;
use std::time::Duration;

/// So long nobody must have looked at a guest before it is paused: who closes a window to open another, or whose
/// connection broke, finds the guest as it was. What was unseen before the plug was pulled counts, so that a guest that
/// has been in the background for long is paused at once.
pub const UNSEEN: Duration = Duration::from_secs(60);

/// What the guest does, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Its CPUs run.
    Runs,
    /// They stand for this reason.
    PausedForIt,
    /// Something else, which is never meddled with: a person has paused it, it is just being saved, it is off.
    Else,
}

/// What the decision is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// The guest's rule.
    pub rule: BatteryAction,
    /// Whether the host runs on battery; nothing where nobody tells.
    pub on_battery: Option<bool>,
    /// What the guest does.
    pub doing: Doing,
    /// For how long nobody has looked at its display or its serial ports; nothing where somebody does.
    pub unseen: Option<Duration>,
    /// For how long nobody must have looked: [`UNSEEN`], but for tests.
    pub patience: Duration,
    /// A person has let it go on since the plug was pulled, which counts until it is put in again.
    pub wanted: bool,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Leave,
    /// Nothing yet; it is decided again after this time.
    Wait(Duration),
    /// It is paused.
    Pause,
    /// It goes on.
    Resume,
}

/// Decides.
pub fn decide(present: Present) -> Decision {
    let Present { rule, on_battery, doing, unseen, patience, wanted } = present;
    let spare = rule == BatteryAction::Pause && on_battery == Some(true) && !wanted;
    match (doing, unseen.filter(|_| spare)) {
        (Doing::Runs, Some(unseen)) if unseen >= patience => Decision::Pause,
        (Doing::Runs, Some(unseen)) => Decision::Wait(patience.saturating_sub(unseen)),
        (Doing::PausedForIt, None) => Decision::Resume,
        (Doing::Runs, None) | (Doing::PausedForIt, Some(_)) | (Doing::Else, _) => Decision::Leave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_paused_on_battery_only_while_nobody_wants_it() {
        let background = Present {
            rule: BatteryAction::Pause,
            on_battery: Some(true),
            doing: Doing::Runs,
            unseen: Some(UNSEEN),
            patience: UNSEEN,
            wanted: false,
        };
        let paused = Present { doing: Doing::PausedForIt, ..background };
        let long = Some(UNSEEN * 100);
        let (soon, left) = (Some(UNSEEN / 4), UNSEEN / 4 * 3);
        for (present, decision) in [
            (background, Decision::Pause),
            (Present { unseen: long, ..background }, Decision::Pause),
            (Present { unseen: soon, ..background }, Decision::Wait(left)),
            (Present { unseen: None, ..background }, Decision::Leave),
            (Present { wanted: true, ..background }, Decision::Leave),
            (Present { on_battery: Some(false), ..background }, Decision::Leave),
            (Present { on_battery: None, ..background }, Decision::Leave),
            (Present { rule: BatteryAction::Keep, ..background }, Decision::Leave),
            (Present { doing: Doing::Else, ..background }, Decision::Leave),
            (paused, Decision::Leave),
            // Also where it was paused before its time, as by an earlier core.
            (Present { unseen: soon, ..paused }, Decision::Leave),
            (Present { unseen: None, ..paused }, Decision::Resume),
            (Present { wanted: true, ..paused }, Decision::Resume),
            (Present { on_battery: Some(false), ..paused }, Decision::Resume),
            (Present { on_battery: None, ..paused }, Decision::Resume),
            (Present { rule: BatteryAction::Keep, ..paused }, Decision::Resume),
            // A person has paused it.
            (Present { doing: Doing::Else, on_battery: Some(false), ..paused }, Decision::Leave),
            (Present { doing: Doing::Else, unseen: None, ..paused }, Decision::Leave),
        ] {
            assert_eq!(decide(present), decision, "{present:?}");
        }
    }
}
