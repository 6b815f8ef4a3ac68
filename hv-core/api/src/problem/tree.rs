//! Install trees that can't be used, for people.

use super::{Explanation, Translate, fill};
use crate::TreeFault;

/// An install tree that can't be used.
pub(super) fn unusable(
    location: &str,
    fault: TreeFault,
    file: &str,
    detail: &str,
    t: Translate<'_>,
) -> Explanation {
    let (why, remedy) = match fault {
        TreeFault::Address => (
            t("This is no address that can be fetched from."),
            t(
                "Give a folder, or an address that begins with http:// or https://. From others, fetch the tree first.",
            ),
        ),
        TreeFault::Unreachable => (
            t("Its server can't be reached, or broke the connection off."),
            t("Look at the address and at the network connection, then try again."),
        ),
        TreeFault::Overdue => {
            (t("Its server answers too slowly."), t("Try again later, or choose another mirror."))
        }
        TreeFault::Refused => (
            t("Its server refuses to give it."),
            t(
                "Look at the address, and whether it wants a user and a password, written before the host as user:password@.",
            ),
        ),
        TreeFault::Certificate => (
            t("The server could not prove that it is the one it claims to be."),
            t(
                "Look at the address and at this computer's clock. Where the server is your own, add its certificate to those that this computer trusts.",
            ),
        ),
        TreeFault::Redirects => (
            t(
                "Its server leads elsewhere again and again, or to where nobody should follow, as from https to http.",
            ),
            t("Choose another mirror."),
        ),
        TreeFault::NotATree => (
            t("There is no install tree: none of the files is there by which one is known."),
            t(
                "Give the address of the folder that holds “.treeinfo”, “.disk” or “current/images”, as mirrors have it.",
            ),
        ),
        TreeFault::NoKernel => (
            t("It is a tree, but the kernel of its installer was not found in it."),
            t("Choose another mirror, or install from an ISO."),
        ),
        TreeFault::Missing => (
            fill(&t("The file “{file}” is not there, or outside of the tree."), &[("file", file)]),
            t("Choose another mirror: this one is not complete."),
        ),
        TreeFault::TooLarge => (
            fill(&t("The file “{file}” is larger than any such file is."), &[("file", file)]),
            t("Choose another mirror: something is wrong with this one."),
        ),
        TreeFault::Checksum => (
            fill(&t("The file “{file}” is not what the tree says that it is."), &[("file", file)]),
            t("It was damaged or exchanged on the way. Try again, or choose another mirror."),
        ),
        TreeFault::Processor => (
            t("It is for another processor than guests have here, which is that of a PC."),
            t("Choose the tree for x86_64, which is also called amd64."),
        ),
    };
    let what = fill(&t("The install tree “{location}” can't be used."), &[("location", location)]);
    let detail = Some(detail.to_owned()).filter(|detail| !detail.is_empty());
    Explanation { code: "tree-unusable", what, why, remedy, detail }
}
