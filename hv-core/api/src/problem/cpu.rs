//! Why a guest's CPUs can't be as they were to be.

use super::{Explanation, Translate, fill, some_text};
use crate::CpuLimitFault;

pub(super) fn model_unknown(model: &str, known: &[String], t: Translate<'_>) -> Explanation {
    Explanation {
        code: "cpu-model-unknown",
        what: fill(&t("There is no CPU “{model}”."), &[("model", model)]),
        why: t("QEMU, which runs the guest, has none of that name."),
        remedy: t("Choose one of those that the details list, or leave it empty for the usual one."),
        detail: Some(known.join(", ")),
    }
}

pub(super) fn limit_out_of_range(requested: u32, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "cpu-limit-out-of-range",
        what: fill(
            &t("{percent} % can't be a limit of the CPU time."),
            &[("percent", &requested.to_string())],
        ),
        why: t("It is a share of what the guest's CPUs could use."),
        remedy: t("Give a number from 1 to 100, where 100 is no limit."),
        detail: None,
    }
}

pub(super) fn limit_unavailable(fault: CpuLimitFault, detail: &str, t: Translate<'_>) -> Explanation {
    let (why, remedy) = match fault {
        CpuLimitFault::NoManager => (
            t("The limit is kept by the systemd of your session, and there is none."),
            t("Log in to a session that systemd manages, or leave the guest without a limit."),
        ),
        CpuLimitFault::NotDelegated => (
            t("The systemd of your session is not allowed to share out CPU time."),
            t(
                "Let the administrator of this computer write “Delegate=cpu memory pids” below “[Service]” with “systemctl edit user@.service”, then log in anew.",
            ),
        ),
        CpuLimitFault::Refused => (
            t("The systemd of your session refused to keep it; the details have its words."),
            t("Log out and in again, or leave the guest without a limit."),
        ),
    };
    Explanation {
        code: "cpu-limit-unavailable",
        what: t("The CPU time of guests can't be limited on this computer."),
        why,
        remedy,
        detail: some_text(detail),
    }
}
