//! Serial ports, watchdog and sound card in words, and when a change to them takes effect.

use hv_api::{AudioService, GuestInfo, HostInfo, PendingChange, SoundCard, Watchdog};
use virt_kit::i18n::{gettext, gettext_f, ngettext_f};

/// The most serial ports that a PC can have.
pub const MOST_PORTS: u32 = 4;

/// What a watchdog can do, in the order of the list.
pub const WATCHDOGS: [Watchdog; 4] = [Watchdog::None, Watchdog::Reset, Watchdog::Poweroff, Watchdog::Pause];

/// Sound cards, in the order of the list.
pub const CARDS: [SoundCard; 3] = [SoundCard::None, SoundCard::Ich9, SoundCard::Ac97];

/// So many serial ports.
pub fn ports(count: u32) -> String {
    match count {
        // Translators: no serial ports.
        0 => gettext("None"),
        count => {
            ngettext_f("{count} port", "{count} ports", count as usize, &[("count", &count.to_string())])
        }
    }
}

/// What becomes of a guest that hangs.
pub fn watchdog(action: Watchdog) -> String {
    match action {
        // Translators: no watchdog.
        Watchdog::None => gettext("No watchdog"),
        Watchdog::Reset => gettext("Reset it"),
        Watchdog::Poweroff => gettext("Turn it off"),
        Watchdog::Pause => gettext("Pause it"),
    }
}

/// A sound card.
pub fn sound(card: SoundCard) -> String {
    match card {
        // Translators: no sound card.
        SoundCard::None => gettext("None"),
        SoundCard::Ich9 => "Intel HD Audio".to_owned(),
        SoundCard::Ac97 => "AC’97".to_owned(),
    }
}

/// Beneath the sound card: who plays, where one is wanted.
pub fn sound_hint(guest: &GuestInfo, host: Option<&HostInfo>) -> String {
    if let Some(waits) = waits(guest, "sound") {
        return waits;
    }
    let (SoundCard::Ich9 | SoundCard::Ac97, Some(host)) = (guest.sound, host) else { return String::new() };
    match host.audio {
        Some(AudioService::Pipewire) => gettext_f("Played by {service}", &[("service", "PipeWire")]),
        Some(AudioService::Pulseaudio) => gettext_f("Played by {service}", &[("service", "PulseAudio")]),
        Some(AudioService::Alsa) => gettext_f("Played by {service}", &[("service", "ALSA")]),
        None => gettext("This computer has no sound service that QEMU can use: nobody hears it"),
    }
}

/// What the running guest has, where another value waits for its next start.
pub fn waits(guest: &GuestInfo, key: &str) -> Option<String> {
    let PendingChange { now, .. } = guest.pending_change(key)?;
    let now = match (key, now.as_str()) {
        ("serial-ports", count) => ports(count.parse().ok()?),
        ("watchdog", "none") => watchdog(Watchdog::None),
        ("watchdog", "reset") => watchdog(Watchdog::Reset),
        ("watchdog", "poweroff") => watchdog(Watchdog::Poweroff),
        ("watchdog", "pause") => watchdog(Watchdog::Pause),
        ("sound", "none") => sound(SoundCard::None),
        ("sound", "ich9") => sound(SoundCard::Ich9),
        ("sound", "ac97") => sound(SoundCard::Ac97),
        (_, other) => other.to_owned(),
    };
    Some(gettext_f("The running guest has: {now}", &[("now", &now)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, guest};
    use hv_api::GuestState;

    #[test]
    fn what_the_running_guest_has_is_told_where_it_is_something_else() {
        let mut lamp = guest("Lamp", GuestState::Running);
        assert_eq!(waits(&lamp, "serial-ports"), None);
        lamp.pending = vec![
            change("serial-ports", "1", "3"),
            change("watchdog", "reset", "none"),
            change("sound", "none", "ich9"),
        ];
        assert_eq!(waits(&lamp, "serial-ports").as_deref(), Some("The running guest has: 1 port"));
        assert_eq!(waits(&lamp, "watchdog").as_deref(), Some("The running guest has: Reset it"));
        assert_eq!(sound_hint(&lamp, None), "The running guest has: None");
        lamp.pending.clear();
        lamp.sound = SoundCard::Ich9;
        assert_eq!(sound_hint(&lamp, None), "", "this computer is not known yet");
    }
}
