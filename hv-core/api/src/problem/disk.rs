//! Why a file can't be a disk, or not as it was asked for.

use super::{Explanation, Translate, fill};
use crate::HostUse;

pub(super) fn in_use(path: &str, holder: &str, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "disk-in-use",
        what: fill(&t("“{path}” can't be used as a disk."), &[("path", path)]),
        why: fill(
            &t("It is a disk of the guest “{holder}”, and two guests that write to one disk destroy it."),
            &[("holder", holder)],
        ),
        remedy: fill(
            &t("Choose another disk or a copy of this one, or delete “{holder}” but keep its disks."),
            &[("holder", holder)],
        ),
        detail: None,
    }
}

pub(super) fn in_use_by_host(path: &str, way: HostUse, by: &str, t: Translate<'_>) -> Explanation {
    let (why, remedy) = match way {
        HostUse::Mounted => (
            t("This computer has it mounted at {by}, and a guest that wrote to it would destroy it."),
            t("Unmount {by}, then try again."),
        ),
        HostUse::Swap => {
            (t("This computer swaps to it: {by}."), t("Take it out of use with “swapoff”, then try again."))
        }
        HostUse::Loop => (
            t("This computer shows it as {by}, and what is written there and by a guest would destroy it."),
            t("Detach {by} with “losetup --detach”, then try again."),
        ),
        HostUse::Part => (
            t("This computer uses it as a part of {by} (LVM, RAID or encryption)."),
            t("Choose another disk, or take {by} out of use first."),
        ),
        HostUse::Program if by.is_empty() => (
            t("Another program on this computer has it for itself alone."),
            t("End the program that uses the disk, then try again."),
        ),
        HostUse::Program => {
            (t("On this computer, {by} has it for itself alone."), t("End {by}, then try again."))
        }
    };
    Explanation {
        code: "disk-in-use-by-host",
        what: fill(&t("“{path}” can't be used as a disk."), &[("path", path)]),
        why: fill(&why, &[("by", by)]),
        remedy: fill(&remedy, &[("by", by)]),
        detail: None,
    }
}

/// Why a physical disk can't be opened, and what to do.
pub(super) fn device_denied(path: &str, t: Translate<'_>) -> (String, String) {
    (
        t(
            "Your user may not open it: on most computers, only an administrator may use whole disks and partitions.",
        ),
        fill(
            &t(
                "Give it to your user with “sudo chown $USER {path}”, which lasts until this computer starts anew.",
            ),
            &[("path", path)],
        ),
    )
}

pub(super) fn not_savable(guest: &str, disk: &str, path: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("disk", disk), ("path", path)];
    Explanation {
        code: "disk-not-savable",
        what: fill(&t("“{guest}” can't be saved."), &values),
        why: fill(
            &t(
                "Its disk {disk} is a physical one, {path}. While “{guest}” is saved, this computer could change what is on it, \
                and the guest would not know of that and destroy it.",
            ),
            &values,
        ),
        remedy: t("Pause the guest, or shut it down."),
        detail: None,
    }
}

pub(super) fn is_backing(path: &str, holder: &str, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "disk-is-backing",
        what: fill(&t("“{path}” can't be changed."), &[("path", path)]),
        why: fill(
            &t("A disk of the guest “{holder}” builds on it, and would be destroyed."),
            &[("holder", holder)],
        ),
        remedy: fill(
            &t("Use a copy of it, or use it read only, or delete the disk of “{holder}” first."),
            &[("holder", holder)],
        ),
        detail: None,
    }
}

pub(super) fn builds_on_others(path: &str, files: &[String], t: Translate<'_>) -> Explanation {
    Explanation {
        code: "builds-on-others",
        what: fill(&t("“{path}” is only a part of a disk."), &[("path", path)]),
        why: fill(
            &t("It builds on other files, whose content the guest could read: {files}."),
            &[("files", &files.join(", "))],
        ),
        remedy: t("Where you trust them all, name each of them: with hv, by --backing in this order."),
        detail: None,
    }
}

pub(super) fn too_many(guest: &str, maximum: u32, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "too-many-disks",
        what: fill(&t("“{guest}” can't have one more disk."), &[("guest", guest)]),
        why: fill(&t("A guest has at most {maximum} disks."), &[("maximum", &maximum.to_string())]),
        remedy: t("Remove a disk first, or make one larger instead."),
        detail: None,
    }
}

pub(super) fn serial_invalid(serial: &str, longest: u32, t: Translate<'_>) -> Explanation {
    let longest = [("longest", &*longest.to_string())];
    Explanation {
        code: "serial-invalid",
        what: fill(&t("A disk can't have the serial number “{serial}”."), &[("serial", serial)]),
        why: fill(
            &t(
                "It has 1 to {longest} characters: letters, digits and punctuation marks of ASCII, without blanks.",
            ),
            &longest,
        ),
        remedy: t("Choose another one, or none: the guest then sees the disk's name."),
        detail: None,
    }
}

pub(super) fn only_read(path: &str, format: &str, t: Translate<'_>) -> Explanation {
    let values = [("path", path), ("format", format)];
    Explanation {
        code: "format-only-read",
        what: fill(&t("“{path}” can't be used as a disk that is written."), &values),
        why: fill(&t("Its format, {format}, is another program's, and can only be read here."), &values),
        remedy: t("Copy it into a new disk, or use it read only."),
        detail: None,
    }
}

pub(super) fn not_own(disk: &str, path: &str, t: Translate<'_>) -> Explanation {
    let values = [("disk", disk), ("path", path)];
    Explanation {
        code: "disk-not-own",
        what: fill(&t("The file of {disk} is not deleted."), &values),
        why: fill(&t("“{path}” was not made for this guest: it is outside of its folder."), &values),
        remedy: t("Remove the disk and keep its file, and delete that yourself where you want it gone."),
        detail: None,
    }
}

pub(super) fn in_snapshot(disk: &str, snapshot: &str, t: Translate<'_>) -> Explanation {
    let values = [("disk", disk), ("snapshot", snapshot)];
    Explanation {
        code: "disk-in-snapshot",
        what: fill(&t("The file of {disk} is not deleted."), &values),
        why: fill(
            &t("The snapshot “{snapshot}” has this disk, and could not be restored without it."),
            &values,
        ),
        remedy: t("Remove the disk and keep its file, or delete the snapshots that have it first."),
        detail: None,
    }
}
