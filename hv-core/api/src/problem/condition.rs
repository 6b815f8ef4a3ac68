//! What is wrong with a guest that stands still, and with a host that has no acceleration.

use super::refusal::definition_fault;
use super::{Explanation, Translate, fill, some_text};
use crate::{
    Accelerator, AcceleratorInfo, DefinitionFault, GuestInfo, GuestState, HostRoom, KvmState, StateReason,
};

/// Says why a guest is in a state that nobody asked for; nothing where it is in none.
pub fn explain_state(guest: &GuestInfo, t: Translate<'_>) -> Option<Explanation> {
    match guest.state {
        GuestState::Crashed => Some(crashed(guest, t)),
        GuestState::Unavailable => Some(unavailable(guest, t)),
        GuestState::Paused => paused(guest, t),
        GuestState::Saved => not_restored(guest, t),
        GuestState::Off
        | GuestState::Starting
        | GuestState::Running
        | GuestState::Saving
        | GuestState::ShuttingDown => None,
    }
}

fn crashed(guest: &GuestInfo, t: Translate<'_>) -> Explanation {
    let detail = guest.detail.clone().unwrap_or_default();
    let (code, what, why, remedy) = match guest.reason {
        Some(StateReason::StartFailed) => {
            let (why, remedy) = start_failure(&detail, t);
            ("start-failed", t("“{guest}” could not start."), why, remedy)
        }
        Some(StateReason::GuestPanicked) => (
            "guest-panicked",
            t("“{guest}” has crashed."),
            t("The operating system inside it reported a fatal error and stopped."),
            t("Start it again. If it crashes again, look at what it wrote on its serial port last."),
        ),
        Some(StateReason::Watchdog) => (
            "watchdog",
            t("“{guest}” hung and was ended."),
            t(
                "Its operating system did not calm its watchdog in time, which was to take its power away then.",
            ),
            t("Start it again. If it hangs again, look at what it wrote on its serial port last."),
        ),
        Some(StateReason::RestartedTooOften) => (
            "restarted-too-often",
            t("“{guest}” crashes again and again."),
            t(
                "It was started anew each time, as its settings say, and is not once more; the details say how often.",
            ),
            t("Look at what it wrote on its serial port last, and start it when the cause is mended."),
        ),
        Some(
            StateReason::EngineDied
            | StateReason::PoweredOff
            | StateReason::ForcedOff
            | StateReason::RestoreFailed
            | StateReason::Rebooted
            | StateReason::DiskError
            | StateReason::DiskFull
            | StateReason::OnBattery
            | StateReason::DefinitionMalformed
            | StateReason::DefinitionNewer,
        )
        | None => (
            "engine-died",
            t("“{guest}” has stopped unexpectedly."),
            t("QEMU, which ran it, has ended by itself or was ended by another program or the system."),
            t("Start it again. If it stops again, the details and the engine's log say how QEMU ended."),
        ),
    };
    let what = fill(&what, &[("guest", &guest.name)]);
    Explanation { code, what, why, remedy, detail: some_text(&detail) }
}

fn unavailable(guest: &GuestInfo, t: Translate<'_>) -> Explanation {
    let fault = match guest.reason {
        Some(StateReason::DefinitionMalformed) => DefinitionFault::Malformed,
        Some(StateReason::DefinitionNewer) => DefinitionFault::Newer,
        Some(
            StateReason::PoweredOff
            | StateReason::ForcedOff
            | StateReason::Rebooted
            | StateReason::RestartedTooOften
            | StateReason::StartFailed
            | StateReason::RestoreFailed
            | StateReason::EngineDied
            | StateReason::GuestPanicked
            | StateReason::Watchdog
            | StateReason::DiskError
            | StateReason::DiskFull
            | StateReason::OnBattery,
        )
        | None => DefinitionFault::Unreadable,
    };
    let (why, remedy) = definition_fault(fault, &guest.paths.definition, t);
    Explanation {
        code: "definition-unusable",
        what: fill(&t("“{guest}” can't be used at the moment."), &[("guest", &guest.name)]),
        why,
        remedy,
        detail: guest.detail.clone(),
    }
}

fn paused(guest: &GuestInfo, t: Translate<'_>) -> Option<Explanation> {
    let (code, why, remedy) = match guest.reason? {
        StateReason::DiskFull if guest.room.is_some() => full_disk(guest, t),
        StateReason::DiskFull => (
            "disk-full",
            t(
                "The host has no room left for what it writes to its disk. It was paused so that nothing is lost.",
            ),
            t("Delete something on the host, then let the guest go on."),
        ),
        StateReason::DiskError => (
            "disk-error",
            t("Its disk could not be read or written. It was paused so that nothing is lost."),
            t(
                "Check the drive that holds its disk, then let the guest go on; the details have QEMU's words.",
            ),
        ),
        StateReason::GuestPanicked => (
            "guest-panicked",
            t("The operating system inside it reported a fatal error. Its memory is kept as it is."),
            t("Look into it, then let it go on, restart it or force it off."),
        ),
        StateReason::Watchdog => (
            "watchdog",
            t(
                "Its operating system hangs: it did not calm its watchdog in time. Its memory is kept as it is.",
            ),
            t("Look into it, then let it go on, restart it or force it off."),
        ),
        StateReason::OnBattery => (
            "on-battery",
            t("This computer runs on battery and nobody looked at it, which its settings answer by a pause."),
            t("Open its display or its serial console, put the plug in, or let the guest go on."),
        ),
        StateReason::PoweredOff
        | StateReason::ForcedOff
        | StateReason::Rebooted
        | StateReason::RestartedTooOften
        | StateReason::StartFailed
        | StateReason::RestoreFailed
        | StateReason::EngineDied
        | StateReason::DefinitionMalformed
        | StateReason::DefinitionNewer => return None,
    };
    let what = fill(&t("“{guest}” was paused."), &[("guest", &guest.name)]);
    Some(Explanation { code, what, why, remedy, detail: guest.detail.clone() })
}

/// What there is, and what is missing, where that is known.
fn full_disk(guest: &GuestInfo, t: Translate<'_>) -> (&'static str, String, String) {
    let HostRoom { folder, free, needed, missing } = guest.room.clone().unwrap_or_default();
    let again = missing > needed;
    let (free, needed, missing) = (free.to_string(), needed.to_string(), missing.to_string());
    let values = [("folder", &*folder), ("free", &*free), ("needed", &*needed), ("missing", &*missing)];
    let why = t(
        "The host has no room left for what it writes to its disk: {free} is free in {folder}. It was paused so that nothing is lost.",
    );
    let remedy = if again {
        t(
            "Make {needed} of room on the host: the guest then goes on by itself. With {missing} more, its disks can't fill the host's again.",
        )
    } else {
        t("Make {needed} of room on the host: the guest then goes on by itself.")
    };
    ("disk-full", fill(&why, &values), fill(&remedy, &values))
}

/// A saved guest is in order, unless it was tried in vain to let it go on.
fn not_restored(guest: &GuestInfo, t: Translate<'_>) -> Option<Explanation> {
    if guest.reason != Some(StateReason::RestoreFailed) {
        return None;
    }
    Some(Explanation {
        code: "restore-failed",
        what: fill(&t("“{guest}” could not go on with its saved state."), &[("guest", &guest.name)]),
        why: t("QEMU could not start it with the memory that was saved. The saved state is kept."),
        remedy: t("Mend what the details name and try again, or discard the saved state and start it anew."),
        detail: guest.detail.clone(),
    })
}

/// Why an engine did not start, and what to do: read from the engine's words, as far as they are of
/// the kinds that people meet. What to do fits a guest that is there and one that was to be made, which
/// is gone again: neither can be told to be started.
pub(super) fn start_failure(detail: &str, t: Translate<'_>) -> (String, String) {
    let says = |words: &str| detail.contains(words);
    if says("Cannot allocate memory") || says("cannot set up guest memory") {
        (
            t("This computer has not enough free memory for it."),
            t("Give it less memory, or end other guests and programs, then try again."),
        )
    } else if says("Failed to get \"write\" lock") || says("Failed to get shared \"write\" lock") {
        (
            t("Another program uses one of its disks."),
            t("End the program or the guest that uses the disk, then try again; the details name the file."),
        )
    } else if says("Permission denied") {
        (
            t("Your user may not open a file that it uses."),
            t("Give yourself the right to open the file that the details name, then try again."),
        )
    } else if says("No such file or directory") {
        (
            t("A file that it uses is missing."),
            t("Put the file that the details name back, or do without it, then try again."),
        )
    } else {
        (
            t("QEMU, which should run it, ended before it was ready."),
            t("Look at the details, which have QEMU's words, mend what they name and try again."),
        )
    }
}

/// Says what guests on this host are run by, and why not by hardware where it is not.
pub fn explain_accelerator(accelerator: &AcceleratorInfo, t: Translate<'_>) -> Explanation {
    let slow = || t("Guests run without hardware acceleration, some ten times slower.");
    let (code, what, why, remedy) = match (accelerator.chosen, accelerator.kvm) {
        (Accelerator::Kvm, _) => (
            "kvm-works",
            t("Guests run with hardware acceleration."),
            t("KVM has run a test program at the speed of hardware."),
            t("Nothing needs to be done."),
        ),
        (Accelerator::Emulation, KvmState::Works) => {
            ("kvm-unused", slow(), t("KVM works, but emulation was chosen."), t("Nothing needs to be done."))
        }
        (Accelerator::Emulation, KvmState::NoDevice) => (
            "kvm-no-device",
            slow(),
            t("This computer has no /dev/kvm: its processor has no virtualization, or it is switched off."),
            t(
                "Switch on virtualization (Intel VT-x, AMD SVM) in the computer's firmware settings. Where this computer is a virtual machine, switch on nested virtualization for it.",
            ),
        ),
        (Accelerator::Emulation, KvmState::NoPermission) => (
            "kvm-no-permission",
            slow(),
            t("Your user may not open /dev/kvm."),
            t("Ask an administrator to add you to the group “kvm”, then log out and in again."),
        ),
        (Accelerator::Emulation, KvmState::TooSlow) => (
            "kvm-too-slow",
            slow(),
            t("KVM is there, but runs programs far slower than hardware does; guests would hang in it."),
            t("Use a computer with hardware virtualization where you need more speed."),
        ),
        (Accelerator::Emulation, KvmState::Broken) => (
            "kvm-broken",
            slow(),
            t("KVM is there, but did not run a test program."),
            t(
                "Restart the computer. If that does not help, “journalctl -k” shows what the kernel says about KVM.",
            ),
        ),
    };
    Explanation { code, what, why, remedy, detail: some_text(&accelerator.detail) }
}
