//! A guest's serial ports, watchdog and sound card, as its definition says them. Pure.

use super::config::{Definition, MAX_SERIAL_PORTS};
use super::pending;
use hv_api::{DeviceSettings, Error, PendingChange, SoundCard, Watchdog};

/// Makes sure that a guest can have such devices.
///
/// # Errors
/// [`Error::SerialPortsOutOfRange`].
pub fn check(settings: &DeviceSettings) -> Result<(), Error> {
    match settings.serial_ports {
        Some(requested) if requested > MAX_SERIAL_PORTS => {
            Err(Error::SerialPortsOutOfRange { requested, maximum: MAX_SERIAL_PORTS })
        }
        _ => Ok(()),
    }
}

/// The settings that are named, as `hv set` has them.
pub fn keys(settings: &DeviceSettings) -> Vec<&'static str> {
    let DeviceSettings { serial_ports, watchdog, sound } = settings;
    let named = [serial_ports.is_some(), watchdog.is_some(), sound.is_some()];
    pending::named(KEYS, named)
}

/// Puts new settings, which were checked, into a definition.
pub fn apply(settings: &DeviceSettings, wanted: &mut Definition) {
    let DeviceSettings { serial_ports, watchdog, sound } = *settings;
    wanted.serial_ports = serial_ports.unwrap_or(wanted.serial_ports);
    wanted.watchdog = watchdog.unwrap_or(wanted.watchdog);
    wanted.sound = sound.unwrap_or(wanted.sound);
}

/// Everything here that a machine has from its start, by the setting's name.
const KEYS: [&str; 3] = ["serial-ports", "watchdog", "sound"];

/// What a machine is started with, in the order of [`KEYS`] and as `hv set` writes it.
fn shown(definition: &Definition) -> [String; 3] {
    let watchdog = match definition.watchdog {
        Watchdog::None => "none",
        Watchdog::Reset => "reset",
        Watchdog::Poweroff => "poweroff",
        Watchdog::Pause => "pause",
    };
    let sound = match definition.sound {
        SoundCard::None => "none",
        SoundCard::Ich9 => "ich9",
        SoundCard::Ac97 => "ac97",
    };
    [definition.serial_ports.to_string(), watchdog.to_owned(), sound.to_owned()]
}

/// What the definition says otherwise than a machine was started with.
pub fn pending(running: &Definition, next: &Definition) -> impl Iterator<Item = PendingChange> {
    pending::differing(KEYS, shown(running), shown(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::config::tests::example;

    #[test]
    fn what_is_set_is_what_the_next_start_brings() {
        let running = Definition { watchdog: Watchdog::Reset, sound: SoundCard::None, ..example() };
        let all = DeviceSettings {
            serial_ports: Some(3),
            watchdog: Some(Watchdog::Pause),
            sound: Some(SoundCard::Ac97),
        };
        assert_eq!(keys(&all), KEYS);
        assert_eq!(
            keys(&DeviceSettings { sound: Some(SoundCard::None), ..DeviceSettings::default() }),
            ["sound"]
        );
        let mut next = running.clone();
        apply(&DeviceSettings::default(), &mut next);
        assert_eq!(next, running);
        apply(&all, &mut next);
        let told: Vec<_> =
            pending(&running, &next).map(|change| (change.key, change.now, change.next)).collect();
        let change = |key: &str, now: &str, next: &str| (key.to_owned(), now.to_owned(), next.to_owned());
        assert_eq!(
            told,
            [
                change("serial-ports", "1", "3"),
                change("watchdog", "reset", "pause"),
                change("sound", "none", "ac97")
            ]
        );
    }

    #[test]
    fn a_pc_has_four_serial_ports_at_most() {
        let ports = |count| check(&DeviceSettings { serial_ports: Some(count), ..DeviceSettings::default() });
        assert_eq!(ports(4), Ok(()));
        assert_eq!(ports(5), Err(Error::SerialPortsOutOfRange { requested: 5, maximum: 4 }));
        assert_eq!(check(&DeviceSettings::default()), Ok(()));
    }
}
