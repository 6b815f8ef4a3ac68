//! Settings of a guest's devices, as `hv set` reads them.

use clap::ValueEnum;
use hv_api::{DeviceSettings, SoundCard, Watchdog};

/// Their keys, for people.
pub const KEYS: &str = "serial-ports, watchdog, sound";

/// What becomes of a guest that hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WatchdogName {
    None,
    Reset,
    Poweroff,
    Pause,
}

impl From<WatchdogName> for Watchdog {
    fn from(name: WatchdogName) -> Self {
        match name {
            WatchdogName::None => Self::None,
            WatchdogName::Reset => Self::Reset,
            WatchdogName::Poweroff => Self::Poweroff,
            WatchdogName::Pause => Self::Pause,
        }
    }
}

/// A sound card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SoundName {
    None,
    Ich9,
    Ac97,
}

impl From<SoundName> for SoundCard {
    fn from(name: SoundName) -> Self {
        match name {
            SoundName::None => Self::None,
            SoundName::Ich9 => Self::Ich9,
            SoundName::Ac97 => Self::Ac97,
        }
    }
}

/// Takes one in; true where it stood there already. Nothing where the key is not one of these.
pub fn take(settings: &mut DeviceSettings, key: &str, value: &str) -> Option<Result<bool, String>> {
    Some(match key {
        "serial-ports" => value
            .parse()
            .map(|count| settings.serial_ports.replace(count).is_some())
            .map_err(|_number| format!("“{value}” is no number of serial ports; a guest has 0 to 4")),
        "watchdog" => WatchdogName::from_str(value, false)
            .map(|name| settings.watchdog.replace(name.into()).is_some())
            .map_err(|_unknown| {
                format!(
                    "“{value}” is nothing that a watchdog does; there are none, reset, poweroff and pause"
                )
            }),
        "sound" => SoundName::from_str(value, false)
            .map(|name| settings.sound.replace(name.into()).is_some())
            .map_err(|_unknown| format!("“{value}” is no sound card; there are none, ich9 and ac97")),
        _ => return None,
    })
}
