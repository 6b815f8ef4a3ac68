//! Which device of this computer's a guest is to be given: a list of those that there are, which follows what comes and
//! goes.

use super::question::{Answer, allow, ask, question, rows};
use super::{badge, decoration, icon_button};
use crate::model::offer::{Offer, Step};
use adw::prelude::*;
use hv_api::GuestId;
use std::cell::RefCell;
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The dialog, for devices that are named by a `D`.
#[derive(Debug, Clone)]
pub struct DeviceDialog<D> {
    guest: GuestId,
    dialog: adw::MessageDialog,
    list: gtk::ListBox,
    words: Words,
    shown: Rc<RefCell<Vec<Offer<D>>>>,
    chosen: Rc<RefCell<Option<D>>>,
}

/// What it says.
#[derive(Debug, Clone)]
pub struct Words {
    /// What is asked.
    pub heading: String,
    /// What that means.
    pub body: String,
    /// That there is no device at all.
    pub none: String,
    /// What that means.
    pub none_hint: String,
}

impl<D: Clone + PartialEq + 'static> DeviceDialog<D> {
    /// Asks what to give the guest with this id; `give` hears the answer.
    pub fn open(
        parent: &impl IsA<gtk::Window>,
        guest: GuestId,
        words: Words,
        offers: Vec<Offer<D>>,
        give: impl Fn(D) + 'static,
    ) -> Self {
        let dialog = question(Some(parent), &words.heading, &words.body, &gettext("_Add"), Answer::Usual);
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
        let chosen: Rc<RefCell<Option<D>>> = Rc::default();
        ask(&dialog, {
            let chosen = Rc::clone(&chosen);
            move || {
                if let Some(device) = chosen.take() {
                    give(device);
                }
            }
        });
        let this = Self { guest, dialog, list, words, shown: Rc::default(), chosen };
        this.lay_out(offers);
        this
    }

    /// The guest that it is about; nothing where it was answered.
    pub fn guest(&self) -> Option<GuestId> {
        self.dialog.is_visible().then_some(self.guest)
    }

    /// Offers something else, where it is something else.
    pub fn show(&self, offers: Vec<Offer<D>>) {
        if *self.shown.borrow() != offers {
            self.lay_out(offers);
        }
    }

    fn lay_out(&self, offers: Vec<Offer<D>>) {
        while let Some(row) = self.list.first_child() {
            self.list.remove(&row);
        }
        // What somebody has chosen stays so while it can be.
        let before = self.chosen.take();
        let mut first: Option<gtk::CheckButton> = None;
        for offer in &offers {
            if !offer.steps.is_empty() {
                self.list.append(&obstructed(offer));
                continue;
            }
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
                row.add_suffix(&copy_button(remedy));
            }
            if let Some(when) = &offer.when {
                row.add_suffix(&badge(when));
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
            let none =
                adw::ActionRow::builder().title(&self.words.none).subtitle(&self.words.none_hint).build();
            self.list.append(&none);
        }
        self.shown.replace(offers);
    }
}

/// A device that can't be given: opened, it says all that is in the way, and what to do.
fn obstructed<D>(offer: &Offer<D>) -> adw::ExpanderRow {
    let row =
        adw::ExpanderRow::builder().title(&offer.title).subtitle(&offer.subtitle).use_markup(false).build();
    row.add_prefix(&decoration(offer.icon));
    for Step { why, remedy } in &offer.steps {
        let step = adw::ActionRow::builder()
            .title(why)
            .subtitle(remedy)
            .use_markup(false)
            .title_lines(0)
            .subtitle_lines(0)
            .build();
        step.add_suffix(&copy_button(remedy));
        row.add_row(&step);
    }
    row
}

/// What to do is often done elsewhere, as in a terminal.
fn copy_button(remedy: &str) -> gtk::Button {
    let copy = icon_button("edit-copy-symbolic", &gettext("Copy What to Do"));
    copy.add_css_class("flat");
    copy.connect_clicked({
        let remedy = remedy.to_owned();
        move |button| button.clipboard().set_text(&remedy)
    });
    copy
}
