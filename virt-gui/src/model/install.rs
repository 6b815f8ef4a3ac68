//! A guest that runs for something else than itself: its system is being installed, or nothing of it is kept. What is said
//! of that, and when an installed one is ready. Pure.

use super::state;
use hv_api::{GuestInfo, GuestState};
use virt_kit::i18n::gettext;

/// The state as a word or two: a machine that runs an installer is not yet what it is for, and what is done in one that
/// is disposable is lost.
pub fn word(guest: &GuestInfo) -> String {
    match guest.state {
        GuestState::Running if guest.installing.is_some() => gettext("Installing"),
        // Translators: the state of a guest that runs, and of which nothing is kept when it is off.
        GuestState::Running if guest.disposable => gettext("Running, disposable"),
        state => state::word(state),
    }
}

/// What is said above the pages of a guest that is being installed.
pub fn sentence(guest: &GuestInfo) -> Option<String> {
    let installing = guest.installing.as_ref()?;
    Some(match guest.state {
        GuestState::Off | GuestState::Crashed | GuestState::Unavailable => {
            gettext("No system is installed yet. The guest starts its installer.")
        }
        _ if installing.unattended => gettext(
            "The system is being installed, and nobody has to answer anything. Then it starts by itself.",
        ),
        _ => gettext(
            "The system is being installed. When the installer has finished, the guest starts from its disk.",
        ),
    })
}

/// Whether its system has been installed between what was told before and now.
pub fn became_ready(before: &GuestInfo, now: &GuestInfo) -> bool {
    before.installing.is_some() && now.installing.is_none() && now.installed.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::Installation;

    fn guest(state: GuestState) -> GuestInfo {
        GuestInfo { installing: Some(Installation::default()), ..crate::testing::guest("web", state) }
    }

    #[test]
    fn it_says_that_it_installs_while_it_runs() {
        assert_eq!(word(&guest(GuestState::Running)), "Installing");
        assert_eq!(word(&guest(GuestState::Off)), "Off");
        assert_eq!(word(&crate::testing::guest("web", GuestState::Running)), "Running");
        assert!(sentence(&guest(GuestState::Off)).is_some_and(|said| said.starts_with("No system")));
        assert!(sentence(&guest(GuestState::Running)).is_some_and(|said| said.contains("its disk")));
        assert_eq!(sentence(&crate::testing::guest("web", GuestState::Running)), None);
    }

    #[test]
    fn it_is_ready_once() {
        let before = guest(GuestState::Running);
        let ready = GuestInfo { installing: None, installed: Some(1), ..before.clone() };
        assert!(became_ready(&before, &ready));
        assert!(!became_ready(&ready, &ready) && !became_ready(&before, &before));
        let given_up = GuestInfo { installing: None, ..before.clone() };
        assert!(!became_ready(&before, &given_up), "nobody has seen a system");
    }
}
