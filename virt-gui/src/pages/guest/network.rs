//! The network cards of the guest: a row each, with what is plugged into what and the ports that lead to it.
//! Each setting says when it takes effect, and what was refused is told where it was asked for.

mod card;
mod forwards;

use super::GuestWish;
use crate::calls::{NicWish, Wish};
use crate::widgets::text_button;
use adw::prelude::*;
use card::Card;
use hv_api::{GuestInfo, GuestState, NewNic};
use std::cell::RefCell;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// The group.
pub struct NetworkGroup {
    root: adw::PreferencesGroup,
    add: gtk::Button,
    none: adw::ActionRow,
    error: gtk::Label,
    cards: RefCell<Vec<Card>>,
    wish: Rc<dyn Fn(NicWish)>,
}

impl std::fmt::Debug for NetworkGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkGroup").field("cards", &self.cards).finish_non_exhaustive()
    }
}

impl NetworkGroup {
    /// The group; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let error = error_label();
        let wish: Rc<dyn Fn(NicWish)> = {
            let (wish, error) = (Rc::clone(wish), error.clone());
            Rc::new(move |nic| {
                error.set_visible(false);
                wish(GuestWish::Core(Wish::Nic(nic)));
            })
        };
        let add = text_button(&gettext("Add Network Card"), &["flat"]);
        add.connect_clicked({
            let wish = Rc::clone(&wish);
            move |_| wish(NicWish::Add(NewNic::default()))
        });
        let root = adw::PreferencesGroup::builder().title(gettext("Network")).header_suffix(&add).build();
        let none = adw::ActionRow::builder()
            .title(gettext("No Network Card"))
            .subtitle(gettext("The guest is on no network"))
            .build();
        root.add(&none);
        root.add(&error);
        Self { root, add, none, error, cards: RefCell::default(), wish }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Shows a guest; `anew` drops what somebody has begun to change.
    pub fn show(&self, guest: &GuestInfo, anew: bool) {
        let mut cards = self.cards.borrow_mut();
        let same = cards.iter().map(Card::name).eq(guest.nics.iter().map(|nic| nic.name.as_str()));
        if anew {
            self.error.set_visible(false);
        }
        if !same || anew {
            // What is unfolded stays so, as long as it is this guest's.
            let open: Vec<String> = if anew { Vec::new() } else { unfolded(&cards) };
            for card in cards.drain(..) {
                self.root.remove(card.widget());
            }
            // What was refused stands last.
            self.root.remove(&self.error);
            for nic in &guest.nics {
                let card = Card::new(&nic.name, &self.wish);
                card.widget().set_expanded(open.contains(&nic.name));
                self.root.add(card.widget());
                cards.push(card);
            }
            self.root.add(&self.error);
        }
        for (card, nic) in cards.iter().zip(&guest.nics) {
            card.show(guest, nic);
        }
        self.none.set_visible(guest.nics.is_empty());
        let usable = guest.state != GuestState::Unavailable;
        self.root.set_visible(usable);
        let when = gettext("Now");
        self.add.set_tooltip_text(Some(&gettext_f("Takes effect: {when}", &[("when", &when)])));
    }

    /// Shows the values of the core again, and says why it refused others.
    pub fn refuse(&self, guest: &GuestInfo, wish: &NicWish, reason: &str) {
        let cards = self.cards.borrow();
        let named = |name: &str| cards.iter().find(|card| card.name() == name);
        let card = match wish {
            NicWish::Add(_) => None,
            NicWish::Remove(name) | NicWish::Set(name, _) => named(name),
        };
        if let Some(card) = card {
            if let Some(nic) = guest.nics.iter().find(|nic| nic.name == card.name()) {
                card.revert(guest, nic);
            }
            card.refuse(reason);
        } else {
            tell(&self.error, reason);
        }
    }
}

fn unfolded(cards: &[Card]) -> Vec<String> {
    let open = cards.iter().filter(|card| card.widget().is_expanded());
    open.map(|card| card.name().to_owned()).collect()
}

/// Where it stands why something was refused.
fn error_label() -> gtk::Label {
    gtk::Label::builder()
        .xalign(0.0)
        .wrap(true)
        .visible(false)
        .margin_top(6)
        .margin_bottom(6)
        .css_classes(["error", "caption"])
        .build()
}

fn tell(label: &gtk::Label, reason: &str) {
    label.set_label(reason);
    label.set_visible(true);
}
