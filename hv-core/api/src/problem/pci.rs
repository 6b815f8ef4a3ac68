//! Why a guest can't have a PCI device of the host's.

use super::{Explanation, Translate, fill};
use crate::{ByteSize, HostPciDevice, Operation, PciFault, PciKind};

/// Says what is in the way of any guest's having a device of the host's, each with what to do, in that order; nothing
/// where nothing is.
pub fn explain_pci(device: &HostPciDevice, t: Translate<'_>) -> Vec<Explanation> {
    let refused = |fault, by: &str| refused(&device.address.to_string(), &device.title(), fault, by, t);
    device.obstacles.iter().map(|obstacle| refused(obstacle.fault, &obstacle.by)).collect()
}

pub(super) fn refused(address: &str, name: &str, fault: PciFault, by: &str, t: Translate<'_>) -> Explanation {
    let to_bind = if fault == PciFault::GroupShared { by } else { address };
    let values = [("device", name), ("address", address), ("by", by), ("command", &binding(to_bind))];
    let (why, remedy) = fault_words(fault, by.is_empty(), t);
    Explanation {
        code: "pci-refused",
        what: fill(&t("The PCI device “{device}” ({address}) can't be used by the guest."), &values),
        why: fill(&why, &values),
        remedy: fill(&remedy, &values),
        detail: None,
    }
}

pub(super) fn not_found(guest: &str, device: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("device", device)];
    Explanation {
        code: "pci-not-found",
        what: fill(&t("“{guest}” does not have the PCI device {device}."), &values),
        why: t("It was not given to the guest, or was taken away again."),
        remedy: t("Look at the guest's PCI devices and choose one of them."),
        detail: None,
    }
}

pub(super) fn exhausted(guest: &str, maximum: u32, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "pci-exhausted",
        what: fill(&t("“{guest}” can't have one more PCI device."), &[("guest", guest)]),
        why: fill(
            &t(
                "Each needs a slot of its machine, of which there are {maximum}, for added disks and network cards as well.",
            ),
            &[("maximum", &maximum.to_string())],
        ),
        remedy: t("Take another one away and try again."),
        detail: None,
    }
}

pub(super) fn not_savable(
    guest: &str,
    operation: Operation,
    address: &str,
    name: &str,
    t: Translate<'_>,
) -> Explanation {
    let values = [("guest", guest), ("device", name), ("address", address)];
    let what = match operation {
        Operation::TakeSnapshot => t("No snapshot of “{guest}” can be taken while it runs."),
        _ => t("“{guest}” can't be saved."),
    };
    Explanation {
        code: "pci-not-savable",
        what: fill(&what, &values),
        why: fill(
            &t(
                "It has the PCI device “{device}” ({address}) of this computer, whose state can't be written into a file.",
            ),
            &values,
        ),
        remedy: t("Take the device away from the guest first, or shut the guest down."),
        detail: None,
    }
}

pub(super) fn locked_memory(guest: &str, needed: ByteSize, limit: ByteSize, t: Translate<'_>) -> Explanation {
    let (needed, limit) = (needed.to_string(), limit.to_string());
    let values = [("guest", guest), ("needed", &*needed), ("limit", &*limit)];
    Explanation {
        code: "locked-memory-too-small",
        what: fill(&t("“{guest}” can't have its PCI device with this much memory."), &values),
        why: fill(
            &t(
                "All of its memory must stay in place for the device, which takes {needed} of locked memory (RLIMIT_MEMLOCK), and your user's programs may lock {limit}.",
            ),
            &values,
        ),
        // Translators: the quotation marks hold lines of files, which are written as they are.
        remedy: t(
            "As an administrator, write the lines “[Service]” and “LimitMEMLOCK=infinity” into the file /etc/systemd/system/user@.service.d/memlock.conf, and the line “* hard memlock unlimited” into /etc/security/limits.d/guesthouse.conf, then restart this computer. Or give the guest less memory.",
        ),
        detail: None,
    }
}

/// What an administrator gives devices to `vfio-pci` with, by any shell and without any other program.
fn binding(addresses: &str) -> String {
    format!(
        "sudo sh -c 'modprobe vfio-pci; cd /sys/bus/pci; for d in {addresses}; do echo vfio-pci > devices/$d/driver_override; \
         [ ! -e devices/$d/driver ] || echo $d > devices/$d/driver/unbind; echo $d > drivers_probe; done'"
    )
}

/// Why, and what to do, with places for values.
fn fault_words(fault: PciFault, unnamed: bool, t: Translate<'_>) -> (String, String) {
    match fault {
        PciFault::Missing => (
            t("This computer has no PCI device at that address."),
            t("Look at this computer's PCI devices and choose one of them."),
        ),
        PciFault::Changed => (
            t("At that address is another device by now: {by}."),
            t("Take it away from the guest, and give the guest the device at its new address."),
        ),
        PciFault::Bridge => (
            t("It is a bridge, through which other devices are connected."),
            t("Give the guest the devices behind the bridge, one by one."),
        ),
        PciFault::NoIommu => (
            t(
                "This computer's IOMMU is off, or it has none. Without one, the guest could read and change all memory of this computer through the device.",
            ),
            // Translators: VT-d and AMD-Vi are names of settings; the quotation marks hold a word that is written as it is.
            t(
                "Switch on VT-d or AMD-Vi (IOMMU) in this computer's firmware settings. On Intel processors, also add “intel_iommu=on” to the command line of its Linux kernel. Then restart this computer.",
            ),
        ),
        PciFault::NoGroup => {
            (t("This computer's IOMMU has nothing to do with it."), t("Choose another device."))
        }
        PciFault::Mounted => (
            t("This computer has a disk of it mounted at {by}, and what is written there would be lost."),
            t("Unmount {by}, then try again."),
        ),
        PciFault::InUse => (
            t("This computer uses a disk of it for {by} (swap, LVM, RAID or encryption)."),
            t("Take {by} out of use first, or choose another device."),
        ),
        PciFault::NetworkUp => (
            t("This computer is connected to a network by it, as {by}."),
            t("Disconnect {by} first, if this computer can do without it, or choose another device."),
        ),
        PciFault::BootDisplay => (
            t("This computer shows its own picture by it."),
            t(
                "Choose another graphics card, or make another one this computer's first in its firmware settings.",
            ),
        ),
        PciFault::NotBound => (
            if unnamed {
                t("The driver vfio-pci, which gives devices to guests, does not have it.")
            } else {
                t("This computer's driver {by} has it, and not vfio-pci, which gives devices to guests.")
            },
            // Translators: the quotation marks hold a command, which is written as it is.
            t("As an administrator, run “{command}”. It holds until this computer is started the next time."),
        ),
        PciFault::GroupShared => (
            t(
                "It shares an IOMMU group with devices that this computer uses itself ({by}), and a guest gets a group whole or not at all.",
            ),
            // Translators: the quotation marks hold a command, which is written as it is.
            t(
                "If this computer can do without them, run “{command}” as an administrator, or put the device into another slot of the computer.",
            ),
        ),
        PciFault::NotPermitted => (
            t("Your user may not use its file, {by}."),
            // Translators: the quotation marks hold commands and a line of a file, which are written as they are.
            t(
                "Run “sudo chown $USER {by}”, which holds until this computer is started the next time. For good, write the line “SUBSYSTEM==\"vfio\", TAG+=\"uaccess\"” into the file /etc/udev/rules.d/70-guesthouse-vfio.rules.",
            ),
        ),
        PciFault::Doubled => (t("This guest has it already."), t("Choose another device.")),
        PciFault::HeldByGuest => {
            (t("The guest “{by}” has it."), t("Take it away from “{by}” first, or choose another device."))
        }
        PciFault::GroupHeldByGuest => (
            t("The guest “{by}” has another device of its IOMMU group, and a group is one guest's."),
            t("Give this guest all of the group's devices, or choose another device."),
        ),
        PciFault::EngineCannot => (
            t("QEMU, which runs the guest, was built without its part for PCI devices (vfio-pci)."),
            t("Install QEMU from your distribution's packages."),
        ),
    }
}

/// What a PCI device is for, in a word or two.
pub fn pci_kind_word(kind: PciKind, t: Translate<'_>) -> String {
    match kind {
        PciKind::Display => t("Graphics"),
        PciKind::Network => t("Network"),
        PciKind::Wireless => t("Wireless"),
        PciKind::Storage => t("Storage"),
        PciKind::Audio => t("Audio"),
        PciKind::Video => t("Video"),
        PciKind::Usb => t("USB controller"),
        PciKind::Communication => t("Communication"),
        PciKind::Accelerator => t("Accelerator"),
        PciKind::Bridge => t("Bridge"),
        PciKind::Other => t("Other"),
    }
}
