//! The words of the console: of the pages that say why there is no picture, and for screen readers.

use super::page::Page;
use super::{Button, Hint};
use crate::model::install;
use crate::model::row::progress;
use hv_api::{GuestInfo, JobInfo, JobKind, StateReason};
use virt_kit::i18n::{gettext, gettext_f};
use virt_kit::problem::Problem;

/// A page of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Its picture; a spinner where there is none.
    pub icon: Option<&'static str>,
    /// Its heading.
    pub title: String,
    /// One or two sentences.
    pub description: String,
    /// What can be done, the most likely first.
    pub buttons: Vec<(Button, String)>,
}

/// The words of a page; nothing for pages that show the picture.
pub fn of_page(
    page: Page,
    guest: &GuestInfo,
    job: Option<&JobInfo>,
    problem: Option<&Problem>,
) -> Option<Words> {
    let start = || (Button::Start, gettext("_Start"));
    let details = || (Button::Details, gettext("_Details"));
    let words = match page {
        Page::Picture | Page::PausedPicture => return None,
        Page::Starting => match job.filter(|job| job.kind == JobKind::Restore) {
            None => Words {
                icon: None,
                title: gettext("Starting…"),
                description: gettext("The guest’s machine is being turned on."),
                buttons: vec![],
            },
            Some(job) => Words {
                icon: None,
                // Translators: as in "Resuming… 60 %".
                title: gettext_f("Resuming… {progress}", &[("progress", &progress(job))]),
                description: gettext("The guest’s memory is read from the disk."),
                buttons: vec![],
            },
        },
        Page::Waiting => Words {
            icon: None,
            title: gettext("Waiting for the Picture…"),
            description: gettext("The guest is running."),
            buttons: vec![],
        },
        Page::Paused => Words {
            icon: Some("media-playback-pause-symbolic"),
            title: gettext("Paused"),
            description: paused(guest),
            buttons: vec![(Button::Resume, gettext("_Resume"))],
        },
        Page::Saving => Words {
            icon: None,
            title: match job.filter(|job| job.kind == JobKind::Save) {
                // Translators: as in "Saving… 60 %".
                Some(job) => gettext_f("Saving… {progress}", &[("progress", &progress(job))]),
                None => gettext("Saving…"),
            },
            description: gettext("The guest’s memory is written to the disk."),
            buttons: vec![(Button::CancelSaving, gettext("_Cancel"))],
        },
        Page::Saved => Words {
            icon: Some("document-save-symbolic"),
            title: gettext("Saved"),
            description: Problem::of_guest(guest).map_or_else(
                || gettext("The guest’s memory is on the disk. It goes on where it was."),
                |problem| format!("{} {} {}", problem.what, problem.why, problem.remedy),
            ),
            buttons: vec![
                (Button::Resume, gettext("_Resume")),
                (Button::Discard, gettext("_Discard Saved State…")),
            ],
        },
        Page::Off => Words {
            icon: Some("system-shutdown-symbolic"),
            title: match guest.reason {
                Some(StateReason::ForcedOff) => gettext("Forced Off"),
                _ => gettext("Powered Off"),
            },
            description: gettext("Start the guest to see its display here."),
            buttons: vec![start()],
        },
        Page::Crashed => {
            let problem = Problem::of_guest(guest);
            Words {
                icon: Some("dialog-error-symbolic"),
                title: gettext("Crashed"),
                description: problem.map_or_else(
                    || gettext("The guest ended in a way that nobody asked for."),
                    |problem| format!("{} {}", problem.what, problem.why),
                ),
                buttons: vec![
                    (Button::Start, gettext("_Start Again")),
                    (Button::ShowLog, gettext("Show _Log")),
                    details(),
                ],
            }
        }
        Page::Unavailable => Words {
            icon: Some("dialog-warning-symbolic"),
            title: gettext("Unavailable"),
            description: Problem::of_guest(guest).map_or_else(
                || gettext("The definition of this guest can’t be read."),
                |problem| problem.why,
            ),
            buttons: vec![details()],
        },
        Page::Failed => Words {
            icon: Some("dialog-warning-symbolic"),
            title: gettext("No Picture"),
            description: problem.map_or_else(
                || gettext("The guest’s display could not be opened."),
                |problem| format!("{} {}", problem.what, problem.why),
            ),
            buttons: vec![(Button::TryAgain, gettext("_Try Again")), details()],
        },
        Page::CoreAway => Words {
            icon: Some("network-offline-symbolic"),
            title: gettext("The Core Is Not Running"),
            description: gettext(
                "Guesthouse’s core, hv-core, can’t be reached. Guests that were running go on; they appear here again with the core.",
            ),
            buttons: vec![(Button::StartCore, gettext("_Start Core"))],
        },
    };
    Some(words)
}

/// Why a guest stands still.
pub fn paused(guest: &GuestInfo) -> String {
    Problem::of_guest(guest).map_or_else(
        || gettext("The guest stands still; its memory is kept."),
        |problem| format!("{} {} {}", problem.what, problem.why, problem.remedy),
    )
}

/// What is said over the picture.
pub fn hint(hint: Hint) -> String {
    match hint {
        Hint::WayOut => way_out(),
        Hint::MovementsOnly => {
            gettext("This guest takes movements only: its pointer may be elsewhere than yours")
        }
        Hint::Fullscreen => gettext("Press Right Ctrl+F to leave fullscreen"),
    }
}

/// How to get the keyboard back.
pub fn way_out() -> String {
    gettext("Press Right Ctrl to release the keyboard")
}

/// The display's name for screen readers.
pub fn display_name(guest: &GuestInfo, size: Option<(u32, u32)>) -> String {
    let state = install::word(guest).to_lowercase();
    match size {
        Some((width, height)) => gettext_f(
            "Display of {guest}, {width} × {height}, {state}",
            &[
                ("guest", &guest.name),
                ("width", &width.to_string()),
                ("height", &height.to_string()),
                ("state", &state),
            ],
        ),
        None => gettext_f("Display of {guest}, {state}", &[("guest", &guest.name), ("state", &state)]),
    }
}

/// What else screen readers are told of the display: the ways out.
pub fn display_description() -> String {
    gettext(
        "Keys go to the guest. Right Ctrl takes or releases the whole keyboard, Right Ctrl+Tab moves to the toolbar, Right Ctrl+F enters or leaves fullscreen, Right Ctrl+2 shows the serial port.",
    )
}
