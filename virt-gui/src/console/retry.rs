//! When to try again to open what the core has closed or refused. Pure.

use std::time::Duration;

/// After so many attempts in a row without success nothing more is tried by itself.
const ATTEMPTS: u32 = 5;

/// The pause before the second attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Counts attempts.
#[derive(Debug, Default)]
pub struct Retry {
    failed: u32,
}

impl Retry {
    /// Something came: the next failure is the first again.
    pub fn succeeded(&mut self) {
        self.failed = 0;
    }

    /// An attempt failed, or what it had opened has closed without anything having come. Answers with
    /// the pause until the next attempt; nothing where there shall be none.
    pub fn failed(&mut self) -> Option<Duration> {
        self.failed += 1;
        (self.failed < ATTEMPTS).then(|| FIRST_PAUSE * 2_u32.pow(self.failed - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let mut retry = Retry::default();
        let pauses: Vec<_> = std::iter::from_fn(|| retry.failed()).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000]);
        retry.succeeded();
        assert_eq!(retry.failed(), Some(FIRST_PAUSE));
    }
}
