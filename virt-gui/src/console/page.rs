//! What the display's place shows: the picture, or words about why there is none. Pure.

use hv_api::GuestState;

/// How far the window is with the guest's display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Display {
    /// There is no channel.
    #[default]
    None,
    /// The core was asked for one.
    Opening,
    /// There is one, without a picture so far.
    Blank,
    /// There is a picture.
    Picture,
    /// The core could not open one, several times.
    Failed,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Page {
    /// The guest's picture.
    Picture,
    /// The guest's picture, standing still until the guest is resumed.
    PausedPicture,
    /// The guest is being started.
    Starting,
    /// The guest runs; its picture is about to come.
    Waiting,
    /// The guest is paused, and there is no picture of it.
    Paused,
    /// The guest's memory is being saved.
    Saving,
    /// The guest is saved.
    Saved,
    /// The guest is off.
    Off,
    /// The guest crashed.
    Crashed,
    /// The guest's definition can't be read.
    Unavailable,
    /// The display could not be opened.
    Failed,
    /// The core can't be reached.
    CoreAway,
}

/// What to show of a guest in this state.
pub const fn page(state: GuestState, core_reachable: bool, display: Display) -> Page {
    if !core_reachable {
        return Page::CoreAway;
    }
    match (state, display) {
        (GuestState::Off, _) => Page::Off,
        (GuestState::Saving, _) => Page::Saving,
        (GuestState::Saved, _) => Page::Saved,
        (GuestState::Crashed, _) => Page::Crashed,
        (GuestState::Unavailable, _) => Page::Unavailable,
        (GuestState::Starting, _) => Page::Starting,
        (GuestState::Running | GuestState::ShuttingDown, Display::Picture) => Page::Picture,
        (GuestState::Paused, Display::Picture) => Page::PausedPicture,
        (GuestState::Running | GuestState::ShuttingDown | GuestState::Paused, Display::Failed) => {
            Page::Failed
        }
        (GuestState::Paused, Display::None | Display::Opening | Display::Blank) => Page::Paused,
        (
            GuestState::Running | GuestState::ShuttingDown,
            Display::None | Display::Opening | Display::Blank,
        ) => Page::Waiting,
    }
}

/// Whether a guest in this state has a display.
pub const fn has_display(state: GuestState) -> bool {
    matches!(state, GuestState::Running | GuestState::Paused | GuestState::ShuttingDown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISPLAYS: [Display; 5] =
        [Display::None, Display::Opening, Display::Blank, Display::Picture, Display::Failed];

    #[test]
    fn the_picture_is_shown_only_where_there_is_one_of_a_guest_that_has_a_display() {
        for display in DISPLAYS {
            let picture = display == Display::Picture;
            assert_eq!(page(GuestState::Running, true, display) == Page::Picture, picture);
            assert_eq!(page(GuestState::ShuttingDown, true, display) == Page::Picture, picture);
            assert_eq!(page(GuestState::Paused, true, display) == Page::PausedPicture, picture);
            for (state, expected) in [
                (GuestState::Off, Page::Off),
                (GuestState::Saving, Page::Saving),
                (GuestState::Saved, Page::Saved),
                (GuestState::Starting, Page::Starting),
                (GuestState::Crashed, Page::Crashed),
                (GuestState::Unavailable, Page::Unavailable),
            ] {
                assert_eq!(page(state, true, display), expected);
                assert!(!has_display(state));
            }
        }
    }

    #[test]
    fn without_the_core_nothing_is_known() {
        for display in DISPLAYS {
            assert_eq!(page(GuestState::Running, false, display), Page::CoreAway);
            assert_eq!(page(GuestState::Off, false, display), Page::CoreAway);
        }
    }

    #[test]
    fn a_display_that_could_not_be_opened_is_not_waited_for() {
        assert_eq!(page(GuestState::Running, true, Display::Failed), Page::Failed);
        assert_eq!(page(GuestState::Running, true, Display::Opening), Page::Waiting);
        assert_eq!(page(GuestState::Paused, true, Display::Blank), Page::Paused);
    }
}
