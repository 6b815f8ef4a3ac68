//! Why no kernel of a guest's own disk is started, and why its boot menu stays as it is.

use super::{Explanation, Translate, fill, some_text};
use crate::{BootDefaultFault, KernelFault};

pub(super) fn kernel_not_on_disk(
    guest: &str,
    disk: &str,
    fault: KernelFault,
    detail: &str,
    t: Translate<'_>,
) -> Explanation {
    let choose = || t("Choose another entry of the menu that “hv boot-menu” shows.");
    let firmware = || {
        t(
            "Let the guest be started by its firmware instead: its kernel is none, and its boot loader runs in the guest.",
        )
    };
    let (why, remedy) = match fault {
        KernelFault::Format => (
            t("The disk's file is in a format that is not read for this; the details say more."),
            t("Copy it into a new disk of the guest, which is then in a format that is."),
        ),
        KernelFault::NoFileSystem => {
            (t("Nothing on the disk {disk} is a file system that can be read from outside."), firmware())
        }
        KernelFault::NoLoader => (
            t(
                "No file system on the disk {disk} has the configuration of GRUB or systemd-boot. The details say what was looked at.",
            ),
            firmware(),
        ),
        KernelFault::NoEntry => {
            (t("The boot menu on the disk {disk} has no entry that starts a Linux kernel."), firmware())
        }
        KernelFault::EntryNotFound => (
            t("The boot menu on the disk {disk} has no such entry; the details list those that it has."),
            choose(),
        ),
        KernelFault::NotLinux => {
            (t("The entry starts no Linux kernel, and nothing else can be started from outside."), choose())
        }
        KernelFault::FileMissing => {
            (t("A file that the entry names is not on the disk {disk}; the details say which."), choose())
        }
        KernelFault::TooLarge => {
            (t("A file that the entry names is larger than any kernel or initial file system is."), choose())
        }
        KernelFault::Unreadable => (
            t("The disk {disk} can't be read as it should; the details say where that ended."),
            t("Let the guest be started by its firmware, or from a medium that can check the disk."),
        ),
    };
    Explanation {
        code: "kernel-not-on-disk",
        what: fill(&t("No kernel of the disk of “{guest}” can be started."), &[("guest", guest)]),
        why: fill(&why, &[("disk", disk)]),
        remedy,
        detail: some_text(detail),
    }
}

pub(super) fn default_fixed(
    guest: &str,
    disk: &str,
    fault: BootDefaultFault,
    detail: &str,
    t: Translate<'_>,
) -> Explanation {
    let inside = || {
        t(
            "Start the entry once with “hv start --kernel-entry”, then make it the default inside, as with “grub-set-default”.",
        )
    };
    let (why, remedy) = match fault {
        BootDefaultFault::NoPlace => (
            t(
                "Nothing on the disk {disk} says which entry is the default in a way that can be changed in its place.",
            ),
            inside(),
        ),
        BootDefaultFault::FileSystem => (
            t("The file that says it is in a file system whose files can't be changed in their place."),
            inside(),
        ),
        BootDefaultFault::Unclean => (
            t("The file system that says it was not left in order, as when a guest is forced off."),
            t("Start the guest and shut it down properly, then try again."),
        ),
        BootDefaultFault::NoRoom => (
            t(
                "What would have to be written is longer than what is there, so that it can't be written in its place.",
            ),
            inside(),
        ),
        BootDefaultFault::NotLocated => (
            t("Where on the disk {disk} it would have to be written is not certain, so nothing was."),
            inside(),
        ),
        BootDefaultFault::NotWritable => (
            t("The disk {disk} is only read by this guest, or has other users."),
            t("Change it where it can be written."),
        ),
        BootDefaultFault::NothingToUndo => (
            t("Nothing on the disk {disk} was changed from outside, or it was changed again since."),
            t("Make the entry the default that you want."),
        ),
    };
    Explanation {
        code: "boot-default-fixed",
        what: fill(&t("The default of the boot menu of “{guest}” was not changed."), &[("guest", guest)]),
        why: fill(&why, &[("disk", disk)]),
        remedy,
        detail: some_text(detail),
    }
}
