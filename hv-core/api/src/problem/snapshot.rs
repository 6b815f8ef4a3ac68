//! Why something can't be done with snapshots of guests and with copies of them.

use super::{Explanation, Translate, fill, some_text};

/// No snapshot has that name.
pub(super) fn not_found(guest: &str, snapshot: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("snapshot", snapshot)];
    Explanation {
        code: "snapshot-not-found",
        what: fill(&t("“{guest}” has no snapshot “{snapshot}”."), &values),
        why: t("None of its snapshots has that name or identity."),
        remedy: t("Look for it in the list of its snapshots; upper and lower case count."),
        detail: None,
    }
}

/// Another snapshot has that name.
pub(super) fn name_taken(guest: &str, name: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("name", name)];
    Explanation {
        code: "snapshot-name-taken",
        what: fill(&t("“{guest}” already has a snapshot named “{name}”."), &values),
        why: t("Each snapshot of a guest needs a name of its own."),
        remedy: t("Choose another name, or rename or delete the snapshot that has it."),
        detail: None,
    }
}

/// A disk does not have it.
pub(super) fn unusable(guest: &str, snapshot: &str, detail: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("snapshot", snapshot)];
    Explanation {
        code: "snapshot-unusable",
        what: fill(&t("“{guest}” could not be put back to “{snapshot}”."), &values),
        why: t("One of its disks is missing, or no longer has what it held then. Nothing was changed."),
        remedy: t(
            "Put a copy of the disk back in its place, or delete the snapshot; the details name the disk.",
        ),
        detail: some_text(detail),
    }
}

/// The format of a disk knows no snapshots.
pub(super) fn disk_cannot_keep(guest: &str, path: &str, format: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("path", path), ("format", format)];
    Explanation {
        code: "disk-cannot-keep",
        what: fill(&t("“{guest}” can't have snapshots."), &values),
        why: fill(
            &t("Its disk {path} is in the format {format}, which can't keep what it holds. QCOW2 can."),
            &values,
        ),
        remedy: t("Make a clone of the guest: its disks are in QCOW2 format."),
        detail: None,
    }
}

/// The disks are something in between.
pub(super) fn put_back_in_part(guest: &str, snapshot: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("snapshot", snapshot)];
    Explanation {
        code: "put-back-in-part",
        what: fill(&t("“{guest}” can't be used as it is."), &values),
        why: fill(
            &t(
                "It was being put back to “{snapshot}”, and that failed on the way: some of its disks are as they were then, others are not.",
            ),
            &values,
        ),
        remedy: fill(&t("Put it back to “{snapshot}” again, or to another snapshot."), &values),
        detail: None,
    }
}

/// Somebody reads the disks.
pub(super) fn not_linked(guest: &str, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "clone-not-linked",
        what: fill(&t("No clone can share the disks of “{guest}”."), &[("guest", guest)]),
        why: t(
            "The guest has snapshots. They are kept within its disks, which must not change any more when they are shared.",
        ),
        remedy: t("Make a clone with copies of the disks, or delete the snapshots first."),
        detail: None,
    }
}

pub(super) fn being_cloned(guest: &str, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "being-cloned",
        what: fill(&t("“{guest}” has to wait."), &[("guest", guest)]),
        why: t("Its disks are just being copied for another guest, and must stay as they are until then."),
        remedy: t("Try again when the copy is complete, or cancel that."),
        detail: None,
    }
}
