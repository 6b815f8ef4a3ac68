//! A guest that was asked to shut down: what is said while it is waited for. Pure.

use hv_api::ShutdownWait;
use virt_kit::i18n::{gettext, gettext_f};

/// What to say about it at this moment, in seconds since 1970.
pub fn sentence(asked: &ShutdownWait, now: u64) -> String {
    let left = asked.deadline.saturating_sub(now);
    if !asked.heard {
        gettext("No system in the guest listens to its power button: it will not shut down by itself.")
    } else if asked.overdue || left == 0 {
        let seconds = asked.deadline.saturating_sub(asked.since).to_string();
        gettext_f(
            "The guest has not shut down within {seconds} s. It may wait for an answer on its screen.",
            &[("seconds", &seconds)],
        )
    } else if asked.restart {
        // Translators: shown while a guest shuts down to be started anew; {seconds} counts down.
        gettext_f("Waiting for the guest to restart… {seconds} s", &[("seconds", &left.to_string())])
    } else {
        // Translators: shown while a guest shuts down; {seconds} counts down.
        gettext_f("Waiting for the guest… {seconds} s", &[("seconds", &left.to_string())])
    }
}

/// Whether the sentence is another one a second later.
pub fn counts(asked: &ShutdownWait, now: u64) -> bool {
    asked.heard && !asked.overdue && asked.deadline > now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_down_until_the_time_is_over() {
        let mut asked =
            ShutdownWait { since: 1000, deadline: 1090, overdue: false, heard: true, restart: false };
        assert_eq!(sentence(&asked, 1048), "Waiting for the guest… 42 s");
        assert!(counts(&asked, 1089) && !counts(&asked, 1090));
        assert!(sentence(&asked, 1090).starts_with("The guest has not shut down within 90 s."));
        asked.restart = true;
        assert_eq!(sentence(&asked, 1000), "Waiting for the guest to restart… 90 s");
        asked.heard = false;
        assert!(sentence(&asked, 1000).contains("will not shut down by itself"));
        assert!(!counts(&asked, 1000));
    }
}
