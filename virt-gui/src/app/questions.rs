//! What is asked about the selected guest before something is done with its snapshots and its USB devices.

use super::{App, AppInput};
use crate::calls::Wish;
use crate::model::usb::{Offer, offers};
use crate::pages::guest::Question;
use crate::widgets::snapshot_dialogs as dialogs;
use crate::widgets::usb_dialog::UsbDialog;
use hv_api::{GuestId, GuestInfo, SnapshotId, SnapshotInfo};
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
            Question::AddUsb => {
                let of = (guest.id, guest.name.as_str());
                let dialog = UsbDialog::open(root, of, self.usb_offers(guest.id), move |device| {
                    wish(Wish::AddUsb(device));
                });
                self.usb_dialog.replace(Some(dialog));
            }
        }
    }

    /// Lets the question about USB devices follow what comes and goes, where it is being asked.
    pub(super) fn follow_usb(&self) {
        let mut dialog = self.usb_dialog.borrow_mut();
        match dialog.as_ref().and_then(UsbDialog::guest) {
            Some(guest) => dialog.iter().for_each(|dialog| dialog.show(self.usb_offers(guest))),
            None => *dialog = None,
        }
    }

    fn usb_offers(&self, guest: GuestId) -> Vec<Offer> {
        let devices = self.library.host().map(|host| &host.usb[..]).unwrap_or_default();
        offers(guest, devices, &self.library.guests().collect::<Vec<_>>())
    }
}

fn find(guest: &GuestInfo, id: SnapshotId) -> Option<&SnapshotInfo> {
    guest.snapshots.iter().find(|snapshot| snapshot.id == id)
}
