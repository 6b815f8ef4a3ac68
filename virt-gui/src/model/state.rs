//! How a guest's state looks: a word and an icon, never a colour alone.

use hv_api::{Accelerator, GuestInfo, GuestState, problem};
use virt_kit::i18n::{gettext, gettext_f, ngettext_f};

/// The state as a word or two, in the user's language.
pub fn word(state: GuestState) -> String {
    problem::state_word(state, &|text| gettext(text))
}

/// The name of the icon that goes with the word.
pub fn icon(state: GuestState) -> &'static str {
    match state {
        GuestState::Off => "media-playback-stop-symbolic",
        GuestState::Starting | GuestState::Saving | GuestState::ShuttingDown => "content-loading-symbolic",
        GuestState::Running => "media-playback-start-symbolic",
        GuestState::Paused => "media-playback-pause-symbolic",
        GuestState::Saved => "document-save-symbolic",
        GuestState::Crashed => "dialog-error-symbolic",
        GuestState::Unavailable => "dialog-warning-symbolic",
    }
}

/// The style class that goes with both; empty where it looks like plain text.
pub fn style(state: GuestState) -> &'static str {
    match state {
        GuestState::Running => "success",
        GuestState::Crashed => "error",
        GuestState::Unavailable => "warning",
        GuestState::Off
        | GuestState::Starting
        | GuestState::ShuttingDown
        | GuestState::Paused
        | GuestState::Saving
        | GuestState::Saved => "",
    }
}

/// True where an engine runs.
pub fn has_machine(state: GuestState) -> bool {
    match state {
        GuestState::Starting
        | GuestState::Running
        | GuestState::Paused
        | GuestState::Saving
        | GuestState::ShuttingDown => true,
        GuestState::Off | GuestState::Saved | GuestState::Crashed | GuestState::Unavailable => false,
    }
}

/// What a guest has, in one line: `2 CPUs · 4 GiB`.
pub fn resources(guest: &GuestInfo) -> String {
    let count = guest.cpus.to_string();
    let cpus = ngettext_f("{count} CPU", "{count} CPUs", guest.cpus as usize, &[("count", &count)]);
    // Translators: a guest's resources, as in "2 CPUs · 4 GiB".
    gettext_f("{cpus} · {memory}", &[("cpus", &cpus), ("memory", &guest.memory.to_string())])
}

/// What runs the guest's instructions, where an engine runs.
pub fn accelerator(guest: &GuestInfo) -> Option<String> {
    guest.accelerator.map(|accelerator| match accelerator {
        Accelerator::Kvm => gettext("With hardware acceleration"),
        Accelerator::Emulation => gettext("Emulated, without hardware acceleration"),
    })
}
