//! A guest's network cards.

use super::guests;
use crate::args::NicAction;
use crate::failure::Failure;
use crate::output::{NicsView, Output, SettingsView, mode_words, table, wire_word};
use hv_api::client::{Connection, settle};
use hv_api::{Core, NicInfo};

/// Changes cards, where that is asked for, and says what became of it; else shows all of them.
pub async fn run(
    core: &mut Connection,
    guest: &str,
    action: Option<NicAction>,
    output: &mut Output,
) -> Result<(), Failure> {
    let reply = match action {
        None => return show(core, guest, output).await,
        Some(NicAction::Add(add)) => core.add_nic(guest, &add.into_nic()).await,
        Some(NicAction::Remove { nic }) => core.remove_nic(guest, nic.as_deref()).await,
        Some(NicAction::Set(set)) => {
            let nic = set.nic.clone();
            core.set_nic(guest, nic.as_deref(), &set.into_settings()).await
        }
    };
    let results = settle(reply)?.settings;
    if output.is_json() {
        return output.object(&SettingsView::from(&results[..]));
    }
    guests::results(&results, output)
}

async fn show(core: &mut Connection, guest: &str, output: &mut Output) -> Result<(), Failure> {
    let nics = settle(core.show(guest).await)?.guest.nics;
    if output.is_json() {
        return output.object(&NicsView::from(&nics[..]));
    }
    let row = |nic: NicInfo| {
        let link = if nic.link { "up" } else { "down" };
        let link = if nic.present == Some(false) { "at next start" } else { link };
        let forwards = nic.forwards.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mode = mode_words(&nic);
        [nic.name, mode, wire_word(&nic.model), nic.mac.to_string(), link.to_owned(), forwards.join(" ")]
    };
    let head = ["CARD", "MODE", "MODEL", "ADDRESS", "LINK", "FORWARDS"];
    output.text(&table(head, nics.into_iter().map(row).collect()))
}
