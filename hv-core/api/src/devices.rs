//! A guest's devices besides disks, drives and network cards: a watchdog, sound, and what the host has for that.

use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// What becomes of a guest whose watchdog was not calmed in time: its system hangs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum Watchdog {
    /// It has no watchdog.
    #[default]
    None,
    /// It is reset.
    Reset,
    /// Its power is taken away.
    Poweroff,
    /// It is paused, as it is.
    Pause,
}

/// A guest's sound card. Guests play; none hears the host's microphone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum SoundCard {
    /// It has none.
    #[default]
    None,
    /// Intel HD Audio of the chip set ICH9, which every system of the last fifteen years knows.
    Ich9,
    /// Intel 82801AA AC'97, for older systems.
    Ac97,
}

/// What plays sound on this computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum AudioService {
    /// The sound server `PipeWire`.
    Pipewire,
    /// The sound server `PulseAudio`, or another that speaks as it does.
    Pulseaudio,
    /// The kernel's drivers, without a sound server.
    Alsa,
}

/// New values for a guest's devices; what is left out stays as it is. All take effect at the next start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct DeviceSettings {
    /// Serial ports, 0–4.
    pub serial_ports: Option<u32>,
    /// What becomes of it when it hangs.
    pub watchdog: Option<Watchdog>,
    /// Its sound card.
    pub sound: Option<SoundCard>,
}
