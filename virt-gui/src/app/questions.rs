//! What is asked about a guest before something is done with its snapshots and its devices.

use super::{App, AppCommand, AppInput, Place};
use crate::calls::Wish;
use crate::model::offer::Offer;
use crate::model::{pci, usb};
use crate::pages::guest::Question;
use crate::widgets::device_dialog::{DeviceDialog, Words};
use crate::widgets::snapshot_dialogs as dialogs;
use hv_api::client::settle;
use hv_api::{Core, GuestId, GuestInfo, PciAddress, SnapshotId, SnapshotInfo, UsbDevice};
use relm4::prelude::*;
use std::cell::RefCell;
use virt_kit::i18n::{gettext, gettext_f};

impl App {
    /// Asks, and lets the core do what is answered.
    pub(super) fn question(
        &self,
        place: Place,
        guest: &GuestInfo,
        question: Question,
        sender: &ComponentSender<Self>,
        root: &gtk::Window,
    ) {
        let wish = {
            let (id, sender) = (guest.id, sender.input_sender().clone());
            move |wish| sender.emit(AppInput::Wish(place, id, wish))
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
                let words = Words {
                    heading: gettext_f("Give “{guest}” a USB Device", &[("guest", &guest.name)]),
                    body: gettext("This computer does not have it as long as the guest runs."),
                    none: gettext("No USB device is connected to this computer"),
                    none_hint: gettext("As soon as you plug one in, it is listed here"),
                };
                let offers = self.usb_offers(guest.id);
                let give = move |device| wish(Wish::AddUsb(device));
                self.usb_dialog.replace(Some(DeviceDialog::open(root, guest.id, words, offers, give)));
            }
            Question::AddPci => {
                // A network that was just disconnected is told by nobody.
                self.look_at_host(sender);
                let words = Words {
                    heading: gettext_f("Give “{guest}” a PCI Device", &[("guest", &guest.name)]),
                    body: gettext(
                        "The guest has it for itself alone, and all of the guest's memory stays in place for it: the guest can't be saved.",
                    ),
                    none: gettext("This computer has no PCI device that a guest would have a use for"),
                    none_hint: String::new(),
                };
                let offers = self.pci_offers(guest.id);
                let give = move |device| wish(Wish::AddPci(device));
                self.pci_dialog.replace(Some(DeviceDialog::open(root, guest.id, words, offers, give)));
            }
        }
    }

    /// Lets the questions about devices follow what comes and goes, where they are being asked.
    pub(super) fn follow_devices(&self) {
        follow(&self.usb_dialog, |guest| self.usb_offers(guest));
        follow(&self.pci_dialog, |guest| self.pci_offers(guest));
    }

    /// Lets the core look at the host anew; what it finds is told to everybody.
    fn look_at_host(&self, sender: &ComponentSender<Self>) {
        let Some(daemon) = self.daemon.clone() else { return };
        sender.oneshot_command(async move {
            // Where that fails, what was told before is as good as it gets.
            let _unheard = daemon.call(async |core| settle(core.host().await)).await;
            AppCommand::Done
        });
    }

    fn usb_offers(&self, guest: GuestId) -> Vec<Offer<UsbDevice>> {
        let devices = self.library.host().map(|host| &host.usb[..]).unwrap_or_default();
        usb::offers(guest, devices, &self.library.guests().collect::<Vec<_>>())
    }

    fn pci_offers(&self, guest: GuestId) -> Vec<Offer<PciAddress>> {
        let Some(guest) = self.library.guest(guest) else { return Vec::new() };
        let devices = self.library.host().map(|host| &host.pci[..]).unwrap_or_default();
        pci::offers(guest, devices, &self.library.guests().collect::<Vec<_>>())
    }
}

/// Offers what there is now, where the question is being asked.
fn follow<D: Clone + PartialEq + 'static>(
    dialog: &RefCell<Option<DeviceDialog<D>>>,
    offers: impl Fn(GuestId) -> Vec<Offer<D>>,
) {
    let mut dialog = dialog.borrow_mut();
    match dialog.as_ref().and_then(DeviceDialog::guest) {
        Some(guest) => dialog.iter().for_each(|dialog| dialog.show(offers(guest))),
        None => *dialog = None,
    }
}

fn find(guest: &GuestInfo, id: SnapshotId) -> Option<&SnapshotInfo> {
    guest.snapshots.iter().find(|snapshot| snapshot.id == id)
}
