//! Why a network card can't be what it shall be.

use super::{Explanation, Translate, fill, some_text};
use crate::{BridgeFault, ForwardFault};

pub(super) fn nic_not_found(guest: &str, nic: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("nic", nic)];
    let (what, why, remedy) = if nic.is_empty() {
        (
            t("“{guest}” has no network card."),
            t("It was made without one, or the last one was taken away."),
            t("Add a network card."),
        )
    } else {
        (
            t("“{guest}” has no network card “{nic}”."),
            t("Its cards are called nic0, nic1 and so on, and keep their names when others are taken away."),
            t("Look at the guest's network cards and choose one of them."),
        )
    };
    Explanation { code: "nic-not-found", what: fill(&what, &values), why, remedy, detail: None }
}

pub(super) fn nics_exhausted(guest: &str, maximum: u32, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "nics-exhausted",
        what: fill(&t("“{guest}” can't have one more network card."), &[("guest", guest)]),
        why: fill(
            &t("A guest has at most {maximum}, and those that are taken away at its next start count."),
            &[("maximum", &maximum.to_string())],
        ),
        remedy: t("Take another one away, or shut the guest down and try again."),
        detail: None,
    }
}

pub(super) fn network_name_invalid(name: &str, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "network-name-invalid",
        what: fill(&t("A bridge or a network can't be called “{name}”."), &[("name", name)]),
        why: t(
            "Such names have 1 to 15 letters from a to z, digits and the characters “-”, “_” and “.”, and begin with a letter or a digit.",
        ),
        remedy: t("Choose another name."),
        detail: None,
    }
}

pub(super) fn bridge_unusable(
    bridge: &str,
    fault: BridgeFault,
    detail: &str,
    t: Translate<'_>,
) -> Explanation {
    let bridge = [("bridge", bridge)];
    let (why, remedy) = match fault {
        BridgeFault::NoSuchBridge => (
            t("This computer has no bridge of that name."),
            t(
                "Make it with the computer's network settings, choose another one, or let the guest use this computer's own connection.",
            ),
        ),
        BridgeFault::HelperMissing => (
            t("QEMU's bridge helper, which makes the connection, is not installed."),
            t(
                "Install the package qemu-system-common on Debian and Ubuntu, qemu-common on Fedora, or qemu-base on Arch Linux.",
            ),
        ),
        BridgeFault::NotAllowed => (
            t("The administrator has not allowed guests on it."),
            t("As an administrator, write the line “allow {bridge}” into the file /etc/qemu/bridge.conf."),
        ),
        BridgeFault::HelperNotPermitted => (
            t("QEMU's bridge helper has not the rights that it needs."),
            t(
                "As an administrator, run: chmod u+s /usr/lib/qemu/qemu-bridge-helper (on Fedora, /usr/libexec/qemu-bridge-helper).",
            ),
        ),
        BridgeFault::Failed => (
            t("QEMU's bridge helper failed; the details have its words."),
            t("Ask an administrator, or let the guest use this computer's own connection."),
        ),
    };
    Explanation {
        code: "bridge-unusable",
        what: fill(&t("The guest can't be connected to the bridge “{bridge}”."), &bridge),
        why: fill(&why, &bridge),
        remedy: fill(&remedy, &bridge),
        detail: some_text(detail),
    }
}

pub(super) fn mac_taken(mac: &str, holder: &str, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "mac-taken",
        what: fill(&t("A network card can't have the address {mac}."), &[("mac", mac)]),
        why: fill(
            &t("A card of the guest “{holder}” has it, and two cards with one address disturb each other."),
            &[("holder", holder)],
        ),
        remedy: t("Choose another address, or leave it out to get one that is free."),
        detail: None,
    }
}

pub(super) fn forward_refused(
    forward: &str,
    fault: ForwardFault,
    holder: &str,
    t: Translate<'_>,
) -> Explanation {
    let values = [("forward", forward), ("holder", holder)];
    let (why, remedy) = match fault {
        ForwardFault::Privileged => (
            t("Only an administrator may use ports that low."),
            t("Choose a port of this computer from 1024 on."),
        ),
        ForwardFault::Doubled => (
            t("A network card of this guest has that port of this computer already."),
            t("Choose another port, or remove the forward that has it first."),
        ),
        ForwardFault::HeldByGuest => (
            t("The guest “{holder}” has that port of this computer."),
            t("Choose another port, or remove the forward from “{holder}”."),
        ),
        ForwardFault::HeldByProgram => (
            t("Another program on this computer listens on that port."),
            t("Choose another port, or end the program that has it."),
        ),
        ForwardFault::NoSuchAddress => (
            t("This computer has no such address."),
            t("Use 127.0.0.1 for this computer alone, or 0.0.0.0 for everybody who can reach it."),
        ),
        ForwardFault::Missing => (
            t("The network card has no such forward."),
            t("Look at the card's forwards, and write it as it stands there."),
        ),
        ForwardFault::NotUser => (
            t("Only a network card that uses this computer's own connection has forwards."),
            t("Reach the guest by its own address, or change the mode of the card."),
        ),
    };
    Explanation {
        code: "forward-refused",
        what: fill(&t("The port forward {forward} is not possible."), &values),
        why: fill(&why, &values),
        remedy: fill(&remedy, &values),
        detail: None,
    }
}
