//! USB devices in words: what a guest has of this computer's, and what it could have.

use super::offer::Offer;
use hv_api::problem::{explain_usb, usb_kind_word};
use hv_api::{GuestId, GuestInfo, HostUsbDevice, UsbDevice, UsbInfo, UsbKind};
use virt_kit::i18n::{gettext, gettext_f};

/// Everything that is plugged into this computer, as it can be offered to the guest with this id; what can't be given
/// comes last.
pub fn offers(guest: GuestId, devices: &[HostUsbDevice], guests: &[&GuestInfo]) -> Vec<Offer<UsbDevice>> {
    let offer = |device: &HostUsbDevice| {
        let holder = device.holder(guests.iter().copied());
        let explanation = explain_usb(device, &|text| gettext(text)).filter(|_| holder.is_none());
        let subtitle = match (holder, &explanation) {
            (Some(holder), _) if holder.id == guest => gettext("This guest has it already"),
            (Some(holder), _) => gettext_f("The guest “{guest}” has it", &[("guest", &holder.name)]),
            (None, Some(explanation)) => format!("{} {}", explanation.why, explanation.remedy),
            (None, None) => description(device),
        };
        Offer {
            device: device.device(devices),
            title: device.title(),
            subtitle,
            icon: icon(&device.kinds),
            possible: holder.is_none() && explanation.is_none(),
            when: None,
            steps: Vec::new(),
            remedy: explanation.filter(|_| device.used.is_none()).map(|explanation| explanation.remedy),
        }
    };
    let mut offers: Vec<Offer<UsbDevice>> = devices.iter().map(offer).collect();
    offers.sort_by_key(|offer| !offer.possible);
    offers
}

/// What a device is for, and where it is plugged in.
fn description(device: &HostUsbDevice) -> String {
    let kinds = device.kinds.iter().map(|kind| usb_kind_word(*kind, &|text| gettext(text)));
    // Translators: {place} is a number like 3-1.2: a bus and its ports.
    let place = gettext_f("at {place}", &[("place", &device.port.to_string())]);
    let mut words: Vec<String> = kinds.chain([device.id.to_string(), place]).collect();
    if device.kinds.iter().any(|kind| matches!(kind, UsbKind::Keyboard | UsbKind::Mouse)) {
        words.push(gettext("this computer can't be used with it meanwhile"));
    }
    words.join(" · ")
}

/// What else is worth knowing of a device that a guest has.
pub fn subtitle(usb: &UsbInfo, devices: &[HostUsbDevice]) -> String {
    let words = match usb.plugged(devices) {
        None => gettext("not plugged in"),
        Some(device) if !device.permitted => gettext("plugged in, but your user may not use it"),
        Some(_) => gettext("plugged in"),
    };
    format!("{} · {} · {words}", usb.name, usb.device)
}

/// When a change to a device takes effect.
pub fn when(usb: &UsbInfo) -> String {
    if usb.present == Some(false) { gettext("At next start") } else { gettext("Now") }
}

/// The icon of a device that a guest has.
pub fn icon_of(usb: &UsbInfo, devices: &[HostUsbDevice]) -> &'static str {
    usb.plugged(devices).map_or(PLAIN, |device| icon(&device.kinds))
}

const PLAIN: &str = "application-x-addon-symbolic";

fn icon(kinds: &[UsbKind]) -> &'static str {
    match kinds.first() {
        Some(UsbKind::Keyboard) => "input-keyboard-symbolic",
        Some(UsbKind::Mouse) => "input-mouse-symbolic",
        Some(UsbKind::Storage) => "drive-removable-media-symbolic",
        Some(UsbKind::Audio) => "audio-card-symbolic",
        Some(UsbKind::Video) => "camera-web-symbolic",
        Some(UsbKind::Printer) => "printer-symbolic",
        Some(UsbKind::SmartCard) => "auth-smartcard-symbolic",
        Some(UsbKind::Wireless) => "network-wireless-symbolic",
        None => PLAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::guest;
    use hv_api::{GuestState, HostUse};

    fn device(id: &str, port: &str) -> HostUsbDevice {
        HostUsbDevice {
            id: id.parse().unwrap(),
            port: port.parse().unwrap(),
            bus: 3,
            number: 2,
            name: Some("Cruzer".into()),
            serial: None,
            kinds: vec![UsbKind::Storage],
            node: "/dev/bus/usb/003/002".into(),
            permitted: true,
            used: None,
            used_by: None,
        }
    }

    #[test]
    fn each_device_says_whether_it_can_be_given_and_why_not() {
        let usb = |device: &str| UsbInfo {
            name: "usb0".into(),
            device: device.parse().unwrap(),
            label: None,
            present: None,
        };
        let mut lamp = guest("Lamp", GuestState::Off);
        lamp.usb = vec![usb("1234:0001")];
        let mut other = guest("Rack", GuestState::Off);
        other.usb = vec![usb("1234:0002")];
        let mounted = HostUsbDevice {
            used: Some(HostUse::Mounted),
            used_by: Some("/media/stick".into()),
            ..device("1234:0003", "3-3")
        };
        let denied = HostUsbDevice { permitted: false, ..device("1234:0004", "3-4") };
        let keyboard = HostUsbDevice { kinds: vec![UsbKind::Keyboard], ..device("1234:0005", "3-5") };
        let all = vec![
            device("1234:0001", "3-1"),
            device("1234:0002", "3-2"),
            mounted,
            denied,
            keyboard,
            device("1234:0006", "3-6"),
            device("1234:0006", "3-7"),
        ];
        let offers = offers(lamp.id, &all, &[&lamp, &other]);
        let possible: Vec<bool> = offers.iter().map(|offer| offer.possible).collect();
        assert_eq!(possible, [true, true, true, false, false, false, false]);
        for (offer, words) in offers.iter().zip([
            "can't be used with it",
            "Storage · 1234:0006 · at 3-6",
            "at 3-7",
            "This guest has it already",
            "“Rack” has it",
            "mounted at /media/stick",
            "70-guesthouse.rules",
        ]) {
            assert!(offer.subtitle.contains(words), "{words}: {offer:?}");
        }
        let remedies: Vec<bool> = offers.iter().map(|offer| offer.remedy.is_some()).collect();
        assert_eq!(remedies, [false, false, false, false, false, false, true]);
        // Of two that are the same, each is meant with its place.
        let meant: Vec<String> = offers.iter().map(|offer| offer.device.to_string()).collect();
        assert_eq!(meant[..3], ["1234:0005", "1234:0006@3-6", "1234:0006@3-7"]);
        assert_eq!(subtitle(&lamp.usb[0], &all), "usb0 · 1234:0001 · plugged in");
        assert_eq!(subtitle(&usb("1234:0009"), &all), "usb0 · 1234:0009 · not plugged in");
        assert!(subtitle(&usb("1234:0004"), &all).ends_with("may not use it"));
    }
}
