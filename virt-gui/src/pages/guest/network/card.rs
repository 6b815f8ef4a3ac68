//! One network card: a row that unfolds to its settings.

use super::forwards::Forwards;
use super::{error_label, tell};
use crate::calls::NicWish;
use crate::model::network::{self, MODELS, MODES};
use crate::widgets::choice::{ChoiceRow, describe};
use crate::widgets::{badge, icon_button, text_button};
use adw::prelude::*;
use gtk::glib;
use hv_api::{GuestInfo, NetworkMode, NicInfo, NicSettings};
use std::cell::Cell;
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The row.
#[derive(Debug)]
pub struct Card {
    name: String,
    root: adw::ExpanderRow,
    mode: ChoiceRow,
    network: adw::EntryRow,
    model: ChoiceRow,
    address: adw::ActionRow,
    link: gtk::Switch,
    link_badge: gtk::Label,
    forwards: Forwards,
    remove_badge: gtk::Label,
    error: gtk::Label,
    error_row: adw::PreferencesRow,
    /// Set while values of the core are shown, which nobody has chosen.
    quiet: Rc<Cell<bool>>,
}

impl Card {
    /// The row of the card with this name; `wish` hears what is wished of it.
    pub fn new(name: &str, wish: &Rc<dyn Fn(NicWish)>) -> Self {
        let quiet = Rc::new(Cell::new(false));
        let (error, error_row) = (error_label(), adw::PreferencesRow::new());
        error.set_margin_start(12);
        error.set_margin_end(12);
        error_row.set_child(Some(&error));
        error_row.set_visible(false);
        error_row.set_activatable(false);
        let set: Rc<dyn Fn(NicSettings)> = {
            let (wish, quiet, name, error) =
                (Rc::clone(wish), Rc::clone(&quiet), name.to_owned(), error_row.clone());
            Rc::new(move |settings| {
                if !quiet.get() {
                    error.set_visible(false);
                    wish(NicWish::Set(name.clone(), settings));
                }
            })
        };
        let root = adw::ExpanderRow::new();
        root.add_prefix(
            &gtk::Image::builder()
                .icon_name("network-wired-symbolic")
                .accessible_role(gtk::AccessibleRole::Presentation)
                .build(),
        );
        let mode = ChoiceRow::new(&gettext("Connected To"), &MODES.map(network::mode));
        let network = adw::EntryRow::builder().show_apply_button(true).visible(false).build();
        let model = ChoiceRow::new(&gettext("Model"), &MODELS.map(|model| network::model(model).to_owned()));
        let address = adw::ActionRow::builder().title(gettext("Address")).build();
        let copy = icon_button("edit-copy-symbolic", &gettext("Copy Address"));
        copy.add_css_class("flat");
        copy.connect_clicked({
            let address = address.clone();
            move |button| button.clipboard().set_text(&address.subtitle().unwrap_or_default())
        });
        address.add_suffix(&copy);
        let (link, link_badge) = (gtk::Switch::builder().valign(gtk::Align::Center).build(), badge(""));
        let title = gettext("Cable Plugged In");
        link.update_property(&[gtk::accessible::Property::Label(&title)]);
        let link_row = adw::ActionRow::builder().title(title).activatable_widget(&link).build();
        link_row.add_suffix(&link_badge);
        link_row.add_suffix(&link);
        describe(&link, &link_badge);
        let forwards = Forwards::new(&set);
        let (remove, remove_badge) = (text_button(&gettext("Remove Card"), &["flat", "error"]), badge(""));
        remove.connect_clicked({
            let (wish, name) = (Rc::clone(wish), name.to_owned());
            move |_| wish(NicWish::Remove(name.clone()))
        });
        let remove_row = adw::ActionRow::new();
        remove_row.add_suffix(&remove_badge);
        remove_row.add_suffix(&remove);
        describe(&remove, &remove_badge);

        for row in [
            mode.row.upcast_ref::<gtk::Widget>(),
            network.upcast_ref(),
            model.row.upcast_ref(),
            address.upcast_ref(),
            link_row.upcast_ref(),
        ] {
            root.add_row(row);
        }
        root.add_row(forwards.widget());
        root.add_row(&error_row);
        root.add_row(&remove_row);
        let this = Self {
            name: name.to_owned(),
            root,
            mode,
            network,
            model,
            address,
            link,
            link_badge,
            forwards,
            remove_badge,
            error,
            error_row,
            quiet,
        };
        this.listen(&set);
        this
    }

    fn listen(&self, set: &Rc<dyn Fn(NicSettings)>) {
        self.mode.row.connect_selected_notify({
            let (set, network, quiet) = (Rc::clone(set), self.network.clone(), Rc::clone(&self.quiet));
            move |row| {
                let Some(mode) = MODES.get(row.selected() as usize).copied() else { return };
                ask_for_name(&network, mode);
                if quiet.get() {
                    return;
                }
                if let Some(settings) = network::replugged(mode, "") {
                    set(settings);
                } else {
                    network.set_text("");
                    network.grab_focus();
                }
            }
        });
        self.network.connect_apply({
            let (set, mode) = (Rc::clone(set), self.mode.row.clone());
            move |network| {
                let mode = MODES.get(mode.selected() as usize).copied().unwrap_or_default();
                if let Some(settings) = network::replugged(mode, &network.text()) {
                    set(settings);
                }
            }
        });
        self.model.row.connect_selected_notify({
            let set = Rc::clone(set);
            move |row| {
                let model = MODELS.get(row.selected() as usize).copied();
                set(NicSettings { model, ..NicSettings::default() });
            }
        });
        self.link.connect_active_notify({
            let set = Rc::clone(set);
            move |link| set(NicSettings { link: Some(link.is_active()), ..NicSettings::default() })
        });
    }

    /// The card's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The widget.
    pub fn widget(&self) -> &adw::ExpanderRow {
        &self.root
    }

    /// Shows the card.
    pub fn show(&self, guest: &GuestInfo, nic: &NicInfo) {
        self.quiet.set(true);
        self.root.set_title(&glib::markup_escape_text(&network::title(nic)));
        self.root.set_subtitle(&glib::markup_escape_text(&network::subtitle(nic)));
        let (live, fixed) = (network::when_live(guest, nic), network::when_fixed(guest));
        // A name that is asked for is not taken away by news of something else.
        let asking = self.network.is_visible() && self.chosen() != Some(nic.mode);
        if !asking {
            self.mode.show(MODES.iter().position(|mode| *mode == nic.mode), &live);
            ask_for_name(&self.network, nic.mode);
            let name = nic.bridge.as_deref().or(nic.network.as_deref()).unwrap_or_default();
            if !self.is_typing() && self.network.text() != name {
                self.network.set_text(name);
            }
        }
        self.model.show(MODELS.iter().position(|model| *model == nic.model), &fixed);
        self.model.row.set_subtitle(&network::running(guest, nic, "model").unwrap_or_default());
        self.address.set_subtitle(&nic.mac.to_string());
        self.link.set_active(nic.link);
        self.link_badge.set_label(&live);
        self.forwards.show(nic, &live);
        self.remove_badge.set_label(&network::when_removed(guest, nic));
        self.quiet.set(false);
    }

    /// Shows the values of the core again.
    pub fn revert(&self, guest: &GuestInfo, nic: &NicInfo) {
        self.network.set_visible(false);
        self.show(guest, nic);
    }

    /// Says why the core refused something.
    pub fn refuse(&self, reason: &str) {
        tell(&self.error, reason);
        self.error_row.set_visible(true);
        self.root.set_expanded(true);
    }

    fn chosen(&self) -> Option<NetworkMode> {
        MODES.get(self.mode.row.selected() as usize).copied()
    }

    fn is_typing(&self) -> bool {
        let focus = self.network.root().and_then(|root| root.focus());
        focus.is_some_and(|focus| focus.is_ancestor(&self.network))
    }
}

/// Shows the field for a network's name, where this way into one needs it.
fn ask_for_name(network: &adw::EntryRow, mode: NetworkMode) {
    network.set_visible(mode != NetworkMode::User);
    network.set_title(&match mode {
        NetworkMode::Isolated => gettext("Name of the network that guests share"),
        NetworkMode::User | NetworkMode::Bridge => gettext("Name of the bridge"),
    });
}
