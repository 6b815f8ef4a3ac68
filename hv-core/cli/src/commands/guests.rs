//! Guests: listed, shown, changed.

use crate::args::{Setting, settings};
use crate::failure::Failure;
use crate::output::{GuestView, Output, SettingsView, escaped, guest_block, table, wire_word};
use futures_util::StreamExt;
use hv_api::client::{self, Connection, settle};
use hv_api::{Applied, Core, GuestInfo, NotNow, SettingResult};
use serde::Serialize;
use std::pin::pin;

/// The answer of a command that has nothing to say.
#[derive(Serialize)]
struct Done {
    done: bool,
}

/// Lists all guests.
pub async fn list(core: &mut Connection, output: &mut Output) -> Result<(), Failure> {
    let guests = client::list(core).await?.guests;
    if output.is_json() {
        return guests.iter().try_for_each(|guest| output.object(&GuestView::from(guest)));
    }
    let row = |guest: &GuestInfo| {
        let installing = if guest.installing.is_some() { ", installing" } else { "" };
        let state = format!("{}{installing}", wire_word(&guest.state));
        [guest.name.clone(), state, guest.cpus.to_string(), guest.memory.to_string()]
    };
    output.text(&table(["NAME", "STATE", "CPUS", "MEMORY"], guests.iter().map(row).collect()))
}

/// Shows one guest.
pub async fn show(core: &mut Connection, guest: &str, output: &mut Output) -> Result<(), Failure> {
    let guest = settle(core.show(guest).await)?.guest;
    // That of a guest that runs is worth the question; where it comes to nothing, the rest is still true.
    let addresses = if guest.pid.is_some() { addresses(core, &guest).await } else { None };
    if output.is_json() {
        return output.object(&GuestView::new(&guest, addresses.as_deref()));
    }
    output.text(&guest_block(&guest, addresses.as_deref().unwrap_or_default()))
}

/// The addresses that the guest's agent tells; nothing where none does.
async fn addresses(core: &mut Connection, guest: &GuestInfo) -> Option<Vec<String>> {
    let guest = guest.id.to_string();
    let mut messages = pin!(core.statistics(&guest).await.ok()?);
    let nics = settle(messages.next().await?).ok()?.statistics.nics?;
    Some(nics.into_iter().flat_map(|nic| nic.addresses).collect())
}

/// Says what a guest does after a command.
pub fn changed(guest: &GuestInfo, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        output.object(&GuestView::from(guest))
    } else {
        output.line(&format!("{}: {}", escaped(&guest.name), wire_word(&guest.state)))
    }
}

/// Says that it was done, to programs; people hear of failures only.
pub fn done(output: &mut Output) -> Result<(), Failure> {
    if output.is_json() { output.object(&Done { done: true }) } else { Ok(()) }
}

/// Changes settings.
pub async fn set(
    core: &mut Connection,
    guest: &str,
    list: Vec<Setting>,
    output: &mut Output,
) -> Result<(), Failure> {
    let settings = settings(list).map_err(Failure::Usage)?;
    let results = settle(core.set(guest, &settings).await)?.settings;
    if output.is_json() {
        return output.object(&SettingsView::from(&results[..]));
    }
    self::results(&results, output)
}

/// Says what became of each change, to people.
pub fn results(results: &[SettingResult], output: &mut Output) -> Result<(), Failure> {
    results.iter().try_for_each(|result| {
        let when = applied(result.applied, result.reason);
        output.line(&format!("{}: applied {when}", escaped(&result.key)))
    })
}

/// When a change takes effect, and why it waits.
pub fn applied(applied: Applied, reason: Option<NotNow>) -> String {
    let when = match applied {
        Applied::Now => "now",
        Applied::AtNextStart => "at next start",
    };
    let why = match reason {
        None => "",
        Some(NotNow::Fixed) => " (the machine has it from its start)",
        Some(NotNow::BeyondMaximum) => " (the running machine was prepared for less)",
        Some(NotNow::BelowMinimum) => " (a running guest is not safe with so little)",
        Some(NotNow::EngineCannot) => " (the engine can't do it while the guest runs)",
        Some(NotNow::GuestRefused) => " (the guest did not do its part)",
        Some(NotNow::Pinned) => " (a PCI device may reach all of the running guest's memory)",
    };
    format!("{when}{why}")
}
