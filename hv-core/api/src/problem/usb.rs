//! Why a guest can't have a USB device of the host's.

use super::{Explanation, Translate, fill};
use crate::{HostUsbDevice, UsbFault, UsbKind};

pub(super) fn not_found(guest: &str, device: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("device", device)];
    Explanation {
        code: "usb-not-found",
        what: fill(&t("“{guest}” does not have the USB device {device}."), &values),
        why: t("It was not given to the guest, or was taken away again."),
        remedy: t("Look at the guest's USB devices and choose one of them."),
        detail: None,
    }
}

pub(super) fn exhausted(guest: &str, maximum: u32, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "usb-exhausted",
        what: fill(&t("“{guest}” can't have one more USB device."), &[("guest", guest)]),
        why: fill(
            &t("A guest has at most {maximum}, and less where its disks are USB disks as well."),
            &[("maximum", &maximum.to_string())],
        ),
        remedy: t("Take another one away and try again."),
        detail: None,
    }
}

/// Says why no guest can have a device of the host's now; nothing where one can.
pub fn explain_usb(device: &HostUsbDevice, t: Translate<'_>) -> Option<Explanation> {
    let (fault, by) = device.fault()?;
    Some(refused(&device.id.to_string(), &device.title(), fault, by, t))
}

pub(super) fn refused(device: &str, name: &str, fault: UsbFault, by: &str, t: Translate<'_>) -> Explanation {
    // Behind the two, there may be a place.
    let (vendor, product) = device.get(..9).and_then(|id| id.split_once(':')).unwrap_or_default();
    let values = [("device", name), ("by", by), ("vendor", vendor), ("product", product)];
    let (why, remedy) = fault_words(fault, t);
    Explanation {
        code: "usb-refused",
        what: fill(&t("The USB device “{device}” can't be used by the guest."), &values),
        why: fill(&why, &values),
        remedy: fill(&remedy, &values),
        detail: None,
    }
}

/// Why, and what to do, with places for values.
fn fault_words(fault: UsbFault, t: Translate<'_>) -> (String, String) {
    match fault {
        UsbFault::Hub => (
            t("It is a hub, through which other devices are connected."),
            t("Give the guest the devices that are plugged into the hub, one by one."),
        ),
        UsbFault::NotPermitted => (
            t("Your user may not use its file, {by}."),
            // Translators: the quotation marks hold a line of a file and a command, which are written as they are.
            t(
                "As an administrator, write the line “SUBSYSTEM==\"usb\", ATTR{idVendor}==\"{vendor}\", ATTR{idProduct}==\"{product}\", TAG+=\"uaccess\"” into the file /etc/udev/rules.d/70-guesthouse.rules, run “udevadm control --reload”, and plug the device in again.",
            ),
        ),
        UsbFault::Mounted => (
            t("This computer has it mounted at {by}, and what is written there would be lost."),
            t("Unmount {by}, then try again."),
        ),
        UsbFault::InUse => (
            t("This computer uses it for {by} (swap, LVM, RAID or encryption)."),
            t("Take {by} out of use first, or choose another device."),
        ),
        UsbFault::Doubled => (
            t("This guest has it already."),
            t("If two devices are the same, name each with the place where it is plugged in."),
        ),
        UsbFault::HeldByGuest => {
            (t("The guest “{by}” has it."), t("Take it away from “{by}” first, or choose another device."))
        }
        UsbFault::EngineCannot => (
            t("QEMU, which runs the guest, was installed without its part for USB devices."),
            t(
                "Install the package qemu-device-usb-host on Fedora, or qemu-hw-usb-host on Arch Linux and openSUSE.",
            ),
        ),
        UsbFault::Ambiguous => (
            t("Several devices are the same; they are plugged in at {by}."),
            t("Say which, with “@” and the place behind the device, as in 0781:5567@3-1."),
        ),
    }
}

/// What a USB device is for, in a word or two.
pub fn usb_kind_word(kind: UsbKind, t: Translate<'_>) -> String {
    match kind {
        UsbKind::Keyboard => t("Keyboard"),
        UsbKind::Mouse => t("Mouse"),
        UsbKind::Storage => t("Storage"),
        UsbKind::Audio => t("Audio"),
        UsbKind::Video => t("Camera"),
        UsbKind::Printer => t("Printer"),
        UsbKind::SmartCard => t("Smart card"),
        UsbKind::Wireless => t("Wireless"),
    }
}
