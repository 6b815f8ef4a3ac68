//! One network card: a row that unfolds to its settings.

use super::forwards::Forwards;
use super::{error_label, tell};
use crate::calls::NicWish;
use crate::model::hardware::when_fixed;
use crate::model::network::{self, MODELS, MODES};
use crate::widgets::setting_row::{ChoiceRow, SwitchRow, describe};
use crate::widgets::{badge, icon_button, is_typing, text_button};
use adw::prelude::*;
use gtk::glib;
use hv_api::{GuestInfo, NetworkMode, NicInfo, NicModel, NicSettings};
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The row.
#[derive(Debug)]
pub struct Card {
    name: String,
    root: adw::ExpanderRow,
    mode: ChoiceRow<NetworkMode>,
    network: adw::EntryRow,
    model: ChoiceRow<NicModel>,
    address: adw::ActionRow,
    link: SwitchRow,
    forwards: Forwards,
    remove_badge: gtk::Label,
    error: gtk::Label,
    error_row: adw::PreferencesRow,
}

impl Card {
    /// The row of the card with this name; `wish` hears what is wished of it.
    pub fn new(name: &str, wish: &Rc<dyn Fn(NicWish)>) -> Self {
        let (error, error_row) = (error_label(), adw::PreferencesRow::new());
        error.set_margin_start(12);
        error.set_margin_end(12);
        error_row.set_child(Some(&error));
        error_row.set_visible(false);
        error_row.set_activatable(false);
        let set: Rc<dyn Fn(NicSettings)> = {
            let (wish, name, error) = (Rc::clone(wish), name.to_owned(), error_row.clone());
            Rc::new(move |settings| {
                error.set_visible(false);
                wish(NicWish::Set(name.clone(), settings));
            })
        };
        let root = adw::ExpanderRow::new();
        root.add_prefix(
            &gtk::Image::builder()
                .icon_name("network-wired-symbolic")
                .accessible_role(gtk::AccessibleRole::Presentation)
                .build(),
        );
        let network = adw::EntryRow::builder().show_apply_button(true).visible(false).build();
        let mode = ChoiceRow::new(&gettext("Connected To"), &MODES, network::mode, {
            let (set, network) = (Rc::clone(&set), network.clone());
            move |mode| {
                ask_for_name(&network, mode);
                if let Some(settings) = network::replugged(mode, "") {
                    set(settings);
                } else {
                    network.set_text("");
                    network.grab_focus();
                }
            }
        });
        let model = ChoiceRow::new(&gettext("Model"), &MODELS, |model| network::model(model).to_owned(), {
            let set = Rc::clone(&set);
            move |model| set(NicSettings { model: Some(model), ..NicSettings::default() })
        });
        let address = adw::ActionRow::builder().title(gettext("Address")).build();
        let copy = icon_button("edit-copy-symbolic", &gettext("Copy Address"));
        copy.add_css_class("flat");
        copy.connect_clicked({
            let address = address.clone();
            move |button| button.clipboard().set_text(&address.subtitle().unwrap_or_default())
        });
        address.add_suffix(&copy);
        let link = SwitchRow::new(&gettext("Cable Plugged In"), "", {
            let set = Rc::clone(&set);
            move |on| set(NicSettings { link: Some(on), ..NicSettings::default() })
        });
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
            mode.widget().upcast_ref::<gtk::Widget>(),
            network.upcast_ref(),
            model.widget().upcast_ref(),
            address.upcast_ref(),
            link.widget().upcast_ref(),
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
            forwards,
            remove_badge,
            error,
            error_row,
        };
        this.listen(&set);
        this
    }

    fn listen(&self, set: &Rc<dyn Fn(NicSettings)>) {
        self.network.connect_apply({
            let (set, mode) = (Rc::clone(set), self.mode.widget().clone());
            move |network| {
                let mode = MODES.get(mode.selected() as usize).copied().unwrap_or_default();
                if let Some(settings) = network::replugged(mode, &network.text()) {
                    set(settings);
                }
            }
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
        self.root.set_title(&glib::markup_escape_text(&network::title(nic)));
        self.root.set_subtitle(&glib::markup_escape_text(&network::subtitle(nic)));
        let live = network::when_live(guest, nic);
        // A name that is asked for is not taken away by news of something else.
        let asking = self.network.is_visible() && self.chosen() != Some(nic.mode);
        if !asking {
            self.mode.show(nic.mode, &live);
            ask_for_name(&self.network, nic.mode);
            let name = nic.bridge.as_deref().or(nic.network.as_deref()).unwrap_or_default();
            if !is_typing(&self.network) && self.network.text() != name {
                self.network.set_text(name);
            }
        }
        self.model.show(nic.model, &when_fixed(guest));
        self.model.widget().set_subtitle(&network::running(guest, nic, "model").unwrap_or_default());
        self.address.set_subtitle(&nic.mac.to_string());
        self.link.show(nic.link, &live);
        self.forwards.show(nic, &live);
        self.remove_badge.set_label(&network::when_removed(guest, nic));
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
        self.mode.value()
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
