//! The wheel: turns what touchpads and fine wheels report into the whole steps that a guest knows.

/// More steps than this at once are not passed on: nobody turns a wheel that fast.
const MOST_STEPS: f64 = 20.0;

/// What of a turn is not yet a whole step.
#[derive(Debug, Default)]
pub struct Wheel {
    rest: f64,
}

impl Wheel {
    /// The wheel turned by `steps`, downwards where positive. Answers with the whole steps to pass on.
    pub fn turn(&mut self, steps: f64) -> i32 {
        if !steps.is_finite() {
            return 0;
        }
        // A turn the other way begins anew, or its first step would need more than a step.
        if steps * self.rest < 0.0 {
            self.rest = 0.0;
        }
        let sum = (self.rest + steps).clamp(-MOST_STEPS, MOST_STEPS);
        self.rest = sum.fract();
        sum.trunc() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_add_up_to_steps() {
        let mut wheel = Wheel::default();
        let steps: Vec<_> = [0.5, 0.25, 0.25, 1.0, -0.5, -0.5, 2.5].map(|turn| wheel.turn(turn)).into();
        assert_eq!(steps, [0, 0, 1, 1, 0, -1, 2]);
    }

    #[test]
    fn absurd_turns_are_bounded() {
        let mut wheel = Wheel::default();
        assert_eq!(wheel.turn(1e300), 20);
        assert_eq!(wheel.turn(f64::NEG_INFINITY), 0);
        assert_eq!(wheel.turn(f64::NAN), 0);
        assert_eq!(wheel.turn(-1.0), -1);
    }
}
