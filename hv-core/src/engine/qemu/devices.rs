//! QEMU's watchdog and sound cards, and what of the host plays their sound.

use crate::engine::MachineConfig;
use hv_api::{AudioService, SoundCard};

/// A place on the machine's own bus that no other device has: beside the chip set's own.
const WATCHDOG_PLACE: &str = "0x1f.0x1";
const SOUND_PLACE: &str = "0x1e";

/// A machine's options for its watchdog and its sound card.
///
/// What a watchdog that was not calmed brings about is no matter of QEMU's, which only stops the machine. Without a
/// service, a sound card plays, and nobody hears it. None records: no guest hears the host's microphone.
pub fn arguments(machine: &MachineConfig) -> Vec<(&'static str, String)> {
    let mut arguments = Vec::new();
    if machine.watchdog {
        arguments.push(("-device", format!("i6300esb,id=watchdog0,addr={WATCHDOG_PLACE}")));
    }
    let devices: &[String] = match machine.sound {
        SoundCard::None => return arguments,
        SoundCard::Ich9 => &[
            format!("ich9-intel-hda,id=sound0,addr={SOUND_PLACE}"),
            "hda-output,id=codec0,bus=sound0.0,audiodev=audio0".into(),
        ],
        SoundCard::Ac97 => &[format!("AC97,id=sound0,addr={SOUND_PLACE},audiodev=audio0")],
    };
    let driver = machine.audio.map_or("none", driver);
    arguments.push(("-audiodev", format!("{driver},id=audio0,in.voices=0")));
    arguments.extend(devices.iter().map(|device| ("-device", device.clone())));
    arguments
}

/// How QEMU calls it.
fn driver(service: AudioService) -> &'static str {
    match service {
        AudioService::Pipewire => "pipewire",
        AudioService::Pulseaudio => "pa",
        AudioService::Alsa => "alsa",
    }
}

/// The services that a program can use, by its answer to `-audiodev help`.
pub fn services_in(answer: &str) -> Vec<AudioService> {
    let all = [AudioService::Pipewire, AudioService::Pulseaudio, AudioService::Alsa];
    all.into_iter().filter(|service| answer.lines().any(|line| line.trim() == driver(*service))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_qemu_has_is_used() {
        // As QEMU 7.2 says it without its package of drivers for desktops.
        let answer = "Available audio drivers:\nnone\nalsa\ndbus\noss\nsndio\nspice\nwav\n";
        assert_eq!(services_in(answer), [AudioService::Alsa]);
        assert_eq!(
            services_in("none\r\npa\npipewire\nalsa-like\n"),
            [AudioService::Pipewire, AudioService::Pulseaudio]
        );
        assert_eq!(services_in(""), []);
    }
}
