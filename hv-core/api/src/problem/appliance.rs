//! Why an appliance can't be imported, or not as it is.

use super::{Explanation, Translate, fill};
use crate::{ApplianceFault, ByteSize};

pub(super) fn file_unusable(path: &str, file: &str, fault: ApplianceFault, t: Translate<'_>) -> Explanation {
    let values = [("path", path), ("file", file)];
    let (why, remedy) = match fault {
        ApplianceFault::Missing => (
            t("It belongs to the appliance, and is not there."),
            t("Get the appliance again with all of its files, and keep them together in one folder."),
        ),
        ApplianceFault::Outside => (
            t("Its name leads out of the appliance, and could mean any file of yours."),
            t(
                "Put the file beside the description and name it there without folders, if you trust its maker.",
            ),
        ),
        ApplianceFault::Remote => (
            t("It is somewhere on a network, and nothing is fetched from there."),
            t("Download it, put it beside the description, and name it there by its name alone."),
        ),
        ApplianceFault::InPieces => (
            t("It comes in pieces, which Guesthouse can't put together."),
            t("Put the pieces together with the program that made them, then try again."),
        ),
    };
    Explanation {
        code: "appliance-file-unusable",
        what: fill(&t("“{file}” of the appliance “{path}” can't be used."), &values),
        why,
        remedy,
        detail: None,
    }
}

pub(super) fn damaged(
    (path, file): (&str, &str),
    algorithm: &str,
    (expected, found): (&str, &str),
    t: Translate<'_>,
) -> Explanation {
    Explanation {
        code: "appliance-damaged",
        what: fill(&t("“{file}” in the appliance “{path}” is damaged."), &[("file", file), ("path", path)]),
        why: fill(
            &t("Its {algorithm} digest is another one than the appliance's manifest says."),
            &[("algorithm", algorithm)],
        ),
        remedy: t("Download or copy the appliance again. Where that does not help, ask its maker."),
        detail: Some(format!("expected {expected}, found {found}")),
    }
}

pub(super) fn machine_not_found(
    path: &str,
    machine: &str,
    known: &[String],
    t: Translate<'_>,
) -> Explanation {
    Explanation {
        code: "machine-not-found",
        what: fill(
            &t("There is no machine “{machine}” in “{path}”."),
            &[("machine", machine), ("path", path)],
        ),
        why: fill(&t("It has these: {known}."), &[("known", &known.join(", "))]),
        remedy: t("Choose one of them."),
        detail: None,
    }
}

pub(super) fn space_missing(
    path: &str,
    needed: ByteSize,
    available: ByteSize,
    t: Translate<'_>,
) -> Explanation {
    Explanation {
        code: "space-missing",
        what: fill(&t("There is not enough room in “{path}”."), &[("path", path)]),
        why: fill(
            &t("The disks will take up at least {needed}, and {available} is free there."),
            &[("needed", &needed.to_string()), ("available", &available.to_string())],
        ),
        remedy: t("Delete something there, then try again."),
        detail: None,
    }
}
