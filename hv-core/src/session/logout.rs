//! What becomes of guests when their user's session ends: asked to shut down, saved, or left, as each one's definition
//! says, within the time that is granted.
//!
//! A guest is saved whole or not at all: what the host's end cuts short is swept up by the next core, and its guest is
//! then off, as after a power cut. So a save that has not come half the way in half of the time is given up, and
//! likewise one that can't be: the guest is asked to shut down instead, which is noted in its log.

use crate::guest::handle::{Handle, Request};
use crate::guest::note;
use crate::guest::registry::Registry;
use crate::guest::state::Wish;
use futures_util::future::join_all;
use hv_api::{Error, GuestState, JobState, LogoutAction, StateReason, problem};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// Below this part of its way, 0–1, a save is given up when half of the time is over.
const HALF: f64 = 0.5;

/// Does with each guest what is to be done when the session ends, and waits for that as long as may be.
pub async fn end(registry: &Registry, limit: Duration) {
    let guests = registry.list().into_iter().filter_map(|guest| {
        let what = guest.power.at_logout;
        let concerned = match what {
            LogoutAction::Shutdown => {
                guest.state == GuestState::Running || guest.reason == Some(StateReason::OnBattery)
            }
            LogoutAction::Save => matches!(guest.state, GuestState::Running | GuestState::Paused),
            LogoutAction::Keep => false,
        };
        concerned.then(|| registry.find(&guest.id.to_string()).ok().map(|handle| (what, handle))).flatten()
    });
    let ends = guests.map(async |(what, handle)| match what {
        LogoutAction::Save => save(registry, &handle, limit).await,
        LogoutAction::Shutdown | LogoutAction::Keep => shut_down(&handle).await,
    });
    let ends: Vec<_> = ends.collect();
    info!(guests = ends.len(), "the session ends");
    if timeout(limit, join_all(ends)).await.is_err() {
        warn!(?limit, "logind waits no longer for guests that have not ended yet");
    }
}

async fn shut_down(handle: &Handle) {
    if handle.info().reason == Some(StateReason::OnBattery) {
        // As for a person: what was paused to spare the battery must run to shut down.
        drop(handle.ask(|answer| Request::Wish(Wish::Resume, answer)).await);
    }
    if handle.ask(|answer| Request::Wish(Wish::Shutdown, answer)).await.is_ok() {
        handle.down().await;
    }
}

async fn save(registry: &Registry, handle: &Handle, limit: Duration) {
    let why = match saved(registry, handle, limit).await {
        Ok(()) => return,
        Err(why) => why,
    };
    let guest = handle.info();
    warn!(guest = %guest.id, why, "it is not saved at the end of the session");
    if guest.state == GuestState::Running || guest.reason == Some(StateReason::OnBattery) {
        note::write(&guest, &format!("not saved at the end of the session, but asked to shut down: {why}"));
        shut_down(handle).await;
    } else {
        note::write(&guest, &format!("not saved at the end of the session: {why}"));
    }
}

/// Saves a guest, or says why it can't be.
async fn saved(registry: &Registry, handle: &Handle, limit: Duration) -> Result<(), String> {
    let job = registry.save(&handle.info().id.to_string()).map_err(|error| words(&error))?;
    let mut status = registry.jobs().follow(job).map_err(|error| words(&error))?;
    let mut waits = status.clone();
    let ended = waits.wait_for(|status| status.info.state != JobState::Running);
    let slow = tokio::select! {
        _ended = ended => false,
        () = sleep(limit / 2) => status.borrow().info.progress < HALF,
    };
    if slow {
        registry.jobs().cancel(job).map_err(|error| words(&error))?;
    }
    let ended = status.wait_for(|status| status.info.state != JobState::Running).await;
    let ended = ended.map_err(|gone| gone.to_string())?.clone();
    match (ended.info.state, ended.error) {
        (JobState::Cancelled, _) if slow => {
            Err(format!("The session's end waits {} s, which is too short for that.", limit.as_secs()))
        }
        (_, Some(error)) => Err(words(&error)),
        // A person has cancelled it, and knows what they do.
        _ => Ok(()),
    }
}

fn words(error: &Error) -> String {
    let told = problem::explain(error, &str::to_owned);
    let detail = told.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{} {}{detail}", told.what, told.why)
}
