//! Which USB device a guest is to be given: a list of those that are plugged in, which follows what comes and goes.

use super::question::{Answer, allow, ask, question, rows};
use super::{decoration, icon_button};
use crate::model::usb::Offer;
use adw::prelude::*;
use hv_api::{GuestId, UsbDevice};
use std::cell::RefCell;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// The dialog.
#[derive(Debug, Clone)]
pub struct UsbDialog {
    guest: GuestId,
    dialog: adw::MessageDialog,
    list: gtk::ListBox,
    shown: Rc<RefCell<Vec<Offer>>>,
    chosen: Rc<RefCell<Option<UsbDevice>>>,
}

impl UsbDialog {
    /// Asks what to give the guest with this id and name; `give` hears the answer.
    pub fn open(
        parent: &impl IsA<gtk::Window>,
        (guest, name): (GuestId, &str),
        offers: Vec<Offer>,
        give: impl Fn(UsbDevice) + 'static,
    ) -> Self {
        let heading = gettext_f("Give “{guest}” a USB Device", &[("guest", name)]);
        let body = gettext("This computer does not have it as long as the guest runs.");
        let dialog = question(Some(parent), &heading, &body, &gettext("_Add"), Answer::Usual);
        dialog.set_title(Some(&heading));
        let list = rows();
        let scrolled = gtk::ScrolledWindow::builder()
            .hscrollbar_policy(gtk::PolicyType::Never)
            .propagate_natural_height(true)
            .propagate_natural_width(true)
            .max_content_height(400)
            .max_content_width(480)
            .child(&list)
            .build();
        dialog.set_extra_child(Some(&scrolled));
        let chosen: Rc<RefCell<Option<UsbDevice>>> = Rc::default();
        ask(&dialog, {
            let chosen = Rc::clone(&chosen);
            move || {
                if let Some(device) = chosen.take() {
                    give(device);
                }
            }
        });
        let this = Self { guest, dialog, list, shown: Rc::default(), chosen };
        this.lay_out(offers);
        this
    }

    /// The guest that it is about; nothing where it was answered.
    pub fn guest(&self) -> Option<GuestId> {
        self.dialog.is_visible().then_some(self.guest)
    }

    /// Offers something else, where it is something else.
    pub fn show(&self, offers: Vec<Offer>) {
        if *self.shown.borrow() != offers {
            self.lay_out(offers);
        }
    }

    fn lay_out(&self, offers: Vec<Offer>) {
        while let Some(row) = self.list.first_child() {
            self.list.remove(&row);
        }
        // What somebody has chosen stays so while it can be.
        let before = self.chosen.take();
        let mut first: Option<gtk::CheckButton> = None;
        for offer in &offers {
            let row = adw::ActionRow::builder()
                .title(&offer.title)
                .subtitle(&offer.subtitle)
                .use_markup(false)
                .subtitle_lines(0)
                .build();
            let check =
                gtk::CheckButton::builder().valign(gtk::Align::Center).sensitive(offer.possible).build();
            check.update_property(&[gtk::accessible::Property::Label(&offer.title)]);
            check.set_group(first.as_ref());
            check.connect_toggled({
                let (dialog, chosen) = (self.dialog.clone(), Rc::clone(&self.chosen));
                let device = offer.device.clone();
                move |check| {
                    if check.is_active() {
                        chosen.replace(Some(device.clone()));
                        allow(&dialog, true);
                    }
                }
            });
            row.add_prefix(&decoration(offer.icon));
            row.add_prefix(&check);
            if let Some(remedy) = &offer.remedy {
                let copy = icon_button("edit-copy-symbolic", &gettext("Copy What to Do"));
                copy.add_css_class("flat");
                copy.connect_clicked({
                    let remedy = remedy.clone();
                    move |button| button.clipboard().set_text(&remedy)
                });
                row.add_suffix(&copy);
            }
            if offer.possible {
                row.set_activatable_widget(Some(&check));
            }
            self.list.append(&row);
            check.set_active(offer.possible && before.as_ref() == Some(&offer.device));
            first.get_or_insert(check);
        }
        allow(&self.dialog, self.chosen.borrow().is_some());
        if offers.is_empty() {
            let none = adw::ActionRow::builder()
                .title(gettext("No USB device is connected to this computer"))
                .subtitle(gettext("As soon as you plug one in, it is listed here"))
                .build();
            self.list.append(&none);
        }
        self.shown.replace(offers);
    }
}
