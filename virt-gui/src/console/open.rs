//! Asks the core for the descriptors of a guest's display and serial port.

use hv_api::client::settle;
use hv_api::{Core, GuestId};
use std::os::fd::OwnedFd;
use virt_kit::daemon::{Daemon, Trouble};
use virt_kit::i18n::gettext;
use virt_kit::problem::Problem;

/// The guest's display.
pub async fn display(daemon: Daemon, guest: GuestId) -> Result<OwnedFd, Problem> {
    let guest = guest.to_string();
    first(
        daemon
            .call(async move |core| {
                let answer = core.open_display(&guest).await;
                settle(answer.map(|(result, descriptors)| result.map(|()| descriptors)))
            })
            .await,
    )
}

/// One of the guest's serial ports, counted from 0.
pub async fn serial(daemon: Daemon, guest: GuestId, port: u32) -> Result<OwnedFd, Problem> {
    let guest = guest.to_string();
    first(
        daemon
            .call(async move |core| {
                let answer = core.open_serial(&guest, port).await;
                settle(answer.map(|(result, descriptors)| result.map(|_port| descriptors)))
            })
            .await,
    )
}

fn first(answer: Result<Vec<OwnedFd>, Trouble>) -> Result<OwnedFd, Problem> {
    let descriptors = answer.map_err(|trouble| Problem::from(&trouble))?;
    descriptors.into_iter().next().ok_or_else(unusable)
}

/// What the core handed out can't be used.
pub fn unusable() -> Problem {
    Problem {
        code: "descriptor-unusable",
        what: gettext("The console could not be opened."),
        why: gettext("What the hypervisor core handed out can't be used."),
        remedy: gettext("Check that Guesthouse and its core, hv-core, are of the same version."),
        action: None,
        detail: None,
    }
}
