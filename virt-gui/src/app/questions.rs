//! What is asked about the selected guest's snapshots before something is done with them.

use super::{App, AppInput};
use crate::calls::Wish;
use crate::pages::guest::Question;
use crate::widgets::snapshot_dialogs as dialogs;
use hv_api::{GuestInfo, SnapshotId, SnapshotInfo};
use relm4::prelude::*;

impl App {
    /// Asks, and lets the core do what is answered.
    pub(super) fn question(
        &self,
        question: Question,
        sender: &ComponentSender<Self>,
        root: &adw::ApplicationWindow,
    ) {
        let Some(guest) = self.selected.and_then(|id| self.library.guest(id)) else { return };
        let wish = {
            let (id, sender) = (guest.id, sender.input_sender().clone());
            move |wish| sender.emit(AppInput::Wish(id, wish))
        };
        let named = |id: SnapshotId| find(guest, id);
        match question {
            Question::Take => dialogs::take(root, guest, move |name, note| {
                wish(Wish::TakeSnapshot { name, note });
            }),
            Question::Restore(id) => {
                let Some(snapshot) = named(id) else { return };
                dialogs::restore(root, guest, snapshot, move |first| {
                    wish(Wish::RestoreSnapshot { snapshot: id, first });
                });
            }
            Question::Edit(id) => {
                let Some(snapshot) = named(id) else { return };
                dialogs::edit(root, snapshot, move |name, note| {
                    wish(Wish::EditSnapshot { snapshot: id, name, note });
                });
            }
            Question::Delete(id) => {
                let Some(snapshot) = named(id) else { return };
                dialogs::delete(root, snapshot, move || wish(Wish::DeleteSnapshot(id)));
            }
            Question::Clone(snapshot) => {
                let from = snapshot.and_then(named);
                dialogs::clone(root, guest, from, move |name, linked| {
                    wish(Wish::Clone { name, snapshot, linked });
                });
            }
        }
    }
}

fn find(guest: &GuestInfo, id: SnapshotId) -> Option<&SnapshotInfo> {
    guest.snapshots.iter().find(|snapshot| snapshot.id == id)
}
