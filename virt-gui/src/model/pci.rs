//! PCI devices in words: what a guest has of this computer's, and what it could have.

use super::hardware::when;
use super::offer::{Offer, Step};
use hv_api::problem::{explain_pci, pci_kind_word};
use hv_api::{GuestInfo, GuestState, HostInfo, HostPciDevice, PciAddress, PciFault, PciInfo, PciKind};
use virt_kit::i18n::{gettext, gettext_f};

/// Whether a guest's PCI devices are worth a place on its page: where the computer could give it some, or it has some.
pub fn is_shown(guest: &GuestInfo, host: Option<&HostInfo>) -> bool {
    guest.state != GuestState::Unavailable && (!guest.pci.is_empty() || host.is_some_and(|host| host.iommu))
}

/// What this computer has, as it can be offered to a guest; what can't be given comes last, and says why.
pub fn offers(guest: &GuestInfo, devices: &[HostPciDevice], guests: &[&GuestInfo]) -> Vec<Offer<PciAddress>> {
    let offer = |device: &HostPciDevice| {
        let own = guest.pci.iter().any(|pci| pci.address == device.address && !pci.leaving);
        let others = guests.iter().copied().filter(|other| other.id != guest.id);
        let holder = device.holder(devices, others).filter(|_| !own);
        let held = match holder {
            _ if own => Some(gettext("This guest has it already")),
            Some((PciFault::HeldByGuest, holder)) => {
                Some(gettext_f("The guest “{guest}” has it", &[("guest", &holder.name)]))
            }
            Some((_, holder)) => Some(gettext_f(
                "The guest “{guest}” has another device of its IOMMU group",
                &[("guest", &holder.name)],
            )),
            None => None,
        };
        let words = explain_pci(device, &|text| gettext(text)).into_iter();
        let steps: Vec<Step> =
            words.filter(|_| held.is_none()).map(|it| Step { why: it.why, remedy: it.remedy }).collect();
        let facts = description(device);
        let possible = held.is_none() && steps.is_empty();
        Offer {
            device: device.address,
            title: device.title(),
            subtitle: held
                .or_else(|| steps.first().map(|step| step.why.clone()))
                .map_or_else(|| facts.clone(), |why| format!("{facts}\n{why}")),
            icon: icon(device.kind),
            possible,
            when: possible.then(|| when_added(guest, device)),
            remedy: None,
            steps,
        }
    };
    let mut offers: Vec<Offer<PciAddress>> = devices.iter().map(offer).collect();
    offers.sort_by_key(|offer| !offer.possible);
    offers
}

/// What a device is for, and where it is.
fn description(device: &HostPciDevice) -> String {
    let kind = pci_kind_word(device.kind, &|text| gettext(text));
    format!("{kind} · {} · {}", device.id, device.address)
}

/// When a device takes effect that is added now.
fn when_added(guest: &GuestInfo, device: &HostPciDevice) -> String {
    let reached = device.group.is_some_and(|group| guest.live_pci_groups.contains(&group));
    when((guest.pid.is_some() && !reached) || guest.state == GuestState::Saved)
}

/// The same of whatever is added, as far as that is known before it is chosen.
pub fn when_any_added(guest: &GuestInfo) -> String {
    if guest.pid.is_some() && !guest.live_pci_groups.is_empty() {
        return gettext("Now or at next start, as the list says");
    }
    when(guest.pid.is_some() || guest.state == GuestState::Saved)
}

/// What else is worth knowing of a device that a guest has.
pub fn subtitle(pci: &PciInfo, devices: &[HostPciDevice]) -> String {
    let facts = format!("{} · {}", pci.name, pci.address);
    let device = devices.iter().find(|device| device.address == pci.address);
    let words = match device {
        _ if pci.leaving => gettext("taken away, but the guest has not let go of it yet"),
        _ if pci.present == Some(true) => return facts,
        None => gettext("not in this computer any more"),
        Some(device) if device.id != pci.id => gettext("another device is at this address by now"),
        Some(device) => match explain_pci(device, &|text| gettext(text)).first() {
            Some(explanation) => explanation.why.clone(),
            None => return facts,
        },
    };
    format!("{facts} · {words}")
}

/// When a change to a device takes effect.
pub fn when_changed(pci: &PciInfo) -> String {
    when(pci.present == Some(false))
}

/// The icon of a device that a guest has.
pub fn icon_of(pci: &PciInfo, devices: &[HostPciDevice]) -> &'static str {
    let device = devices.iter().find(|device| device.address == pci.address);
    device.map_or(PLAIN, |device| icon(device.kind))
}

const PLAIN: &str = "application-x-addon-symbolic";

fn icon(kind: PciKind) -> &'static str {
    match kind {
        PciKind::Display => "video-display-symbolic",
        PciKind::Network => "network-wired-symbolic",
        PciKind::Wireless => "network-wireless-symbolic",
        PciKind::Storage => "drive-harddisk-symbolic",
        PciKind::Audio => "audio-card-symbolic",
        PciKind::Video => "camera-video-symbolic",
        PciKind::Usb => "media-removable-symbolic",
        PciKind::Communication | PciKind::Accelerator | PciKind::Bridge | PciKind::Other => PLAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::guest;
    use hv_api::PciObstacle;

    fn device(address: &str, group: u32) -> HostPciDevice {
        HostPciDevice {
            address: address.parse().unwrap(),
            id: "8086:10d3".parse().unwrap(),
            kind: PciKind::Network,
            name: Some("82574L".into()),
            group: Some(group),
            driver: Some("vfio-pci".into()),
            obstacles: Vec::new(),
        }
    }

    fn pci(address: &str) -> PciInfo {
        PciInfo {
            name: "pci0".into(),
            address: address.parse().unwrap(),
            id: "8086:10d3".parse().unwrap(),
            label: None,
            present: None,
            leaving: false,
        }
    }

    #[test]
    fn each_device_says_whether_it_can_be_given_and_all_that_is_in_the_way() {
        let mut lamp = guest("Lamp", GuestState::Running);
        (lamp.pid, lamp.live_pci_groups) = (Some(7), vec![5]);
        lamp.pci = vec![pci("01:00.0")];
        let mut other = guest("Rack", GuestState::Off);
        other.pci = vec![pci("02:00.0")];
        let bound = PciObstacle { fault: PciFault::NotBound, by: "e1000e".into() };
        let shared = PciObstacle { fault: PciFault::GroupShared, by: "0000:03:00.1".into() };
        let foreign = HostPciDevice { obstacles: vec![bound, shared], ..device("03:00.0", 3) };
        let all = vec![
            device("01:00.0", 1),
            device("02:00.0", 2),
            device("02:00.1", 2),
            foreign,
            device("04:00.0", 4),
            device("05:00.0", 5),
        ];
        let offers = offers(&lamp, &all, &[&lamp, &other]);
        let possible: Vec<bool> = offers.iter().map(|offer| offer.possible).collect();
        assert_eq!(possible, [true, true, false, false, false, false]);
        for (offer, words) in offers.iter().zip([
            "Network · 8086:10d3 · 0000:04:00.0",
            "0000:05:00.0",
            "This guest has it already",
            "“Rack” has it",
            "“Rack” has another device of its IOMMU group",
            "driver e1000e has it",
        ]) {
            assert!(offer.subtitle.contains(words), "{words}: {offer:?}");
        }
        let when: Vec<_> = offers.iter().map(|offer| offer.when.as_deref()).collect();
        assert_eq!(when[..3], [Some("At next start"), Some("Now"), None]);
        let steps: Vec<usize> = offers.iter().map(|offer| offer.steps.len()).collect();
        assert_eq!(steps, [0, 0, 0, 0, 0, 2]);
        assert!(offers[5].steps[0].remedy.contains("driver_override"));
    }

    #[test]
    fn a_device_that_a_guest_has_says_what_is_wrong_with_it() {
        let all = vec![
            device("01:00.0", 1),
            HostPciDevice {
                obstacles: vec![PciObstacle { fault: PciFault::NotBound, by: String::new() }],
                ..device("02:00.0", 2)
            },
            HostPciDevice { id: "10de:1b80".parse().unwrap(), ..device("03:00.0", 3) },
        ];
        assert_eq!(subtitle(&pci("01:00.0"), &all), "pci0 · 0000:01:00.0");
        assert!(subtitle(&pci("02:00.0"), &all).contains("vfio-pci"));
        assert!(subtitle(&pci("03:00.0"), &all).ends_with("another device is at this address by now"));
        assert!(subtitle(&pci("04:00.0"), &all).ends_with("not in this computer any more"));
        let leaving = PciInfo { leaving: true, present: Some(true), ..pci("01:00.0") };
        assert!(subtitle(&leaving, &all).ends_with("not let go of it yet"));
        assert_eq!(subtitle(&PciInfo { present: Some(true), ..pci("02:00.0") }, &all), "pci0 · 0000:02:00.0");
    }

    #[test]
    fn the_group_is_there_where_it_is_of_use() {
        let mut one = guest("one", GuestState::Off);
        assert!(!is_shown(&one, None));
        one.pci = vec![pci("01:00.0")];
        assert!(is_shown(&one, None));
        assert_eq!(when_any_added(&one), "Now");
        one.pid = Some(7);
        assert_eq!(when_any_added(&one), "At next start");
    }
}
