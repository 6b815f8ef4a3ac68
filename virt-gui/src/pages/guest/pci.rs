//! The PCI devices of this computer that the guest has: a row each, which says what is wrong with it.

use super::{GuestWish, Question};
use crate::calls::Wish;
use crate::model::pci::{icon_of, is_shown, subtitle, when_any_added, when_changed};
use crate::widgets::setting_row::describe;
use crate::widgets::{badge, icon_button, text_button};
use adw::prelude::*;
use hv_api::{GuestInfo, HostInfo, PciInfo};
use std::cell::RefCell;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// The group. It is only there where it is of use: most computers can give no guest a PCI device.
pub struct PciGroup {
    root: adw::PreferencesGroup,
    add: gtk::Button,
    none: adw::ActionRow,
    rows: RefCell<Vec<PciRow>>,
    wish: Rc<dyn Fn(GuestWish)>,
}

/// One device.
struct PciRow {
    shows: PciInfo,
    row: adw::ActionRow,
    icon: gtk::Image,
    when: gtk::Label,
    remove: gtk::Button,
}

impl std::fmt::Debug for PciGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PciGroup").field("rows", &self.rows.borrow().len()).finish_non_exhaustive()
    }
}

impl PciGroup {
    /// The group; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let add = text_button(&gettext("Add PCI Device…"), &["flat"]);
        add.connect_clicked({
            let wish = Rc::clone(wish);
            move |_| wish(GuestWish::Ask(Question::AddPci))
        });
        let root = adw::PreferencesGroup::builder().title(gettext("PCI Devices")).header_suffix(&add).build();
        let none = adw::ActionRow::builder()
            .title(gettext("No PCI Device"))
            .subtitle(gettext("Give it a graphics or network card of this computer's, for itself alone"))
            .build();
        root.add(&none);
        Self { root, add, none, rows: RefCell::default(), wish: Rc::clone(wish) }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Shows a guest.
    pub fn show(&self, guest: &GuestInfo, host: Option<&HostInfo>) {
        self.root.set_visible(is_shown(guest, host));
        let devices = host.map(|host| &host.pci[..]).unwrap_or_default();
        let mut rows = self.rows.borrow_mut();
        let same = |row: &PciRow, pci: &PciInfo| {
            (&row.shows.name, row.shows.address, row.shows.leaving) == (&pci.name, pci.address, pci.leaving)
        };
        let stays =
            rows.len() == guest.pci.len() && rows.iter().zip(&guest.pci).all(|(row, pci)| same(row, pci));
        if !stays {
            for row in rows.drain(..) {
                self.root.remove(&row.row);
            }
            for pci in &guest.pci {
                let row = PciRow::new(pci, &self.wish);
                self.root.add(&row.row);
                rows.push(row);
            }
        }
        for (row, pci) in rows.iter().zip(&guest.pci) {
            row.row.set_subtitle(&subtitle(pci, devices));
            row.icon.set_icon_name(Some(icon_of(pci, devices)));
            row.when.set_label(&when_changed(pci));
            row.remove.set_sensitive(!pci.leaving);
        }
        self.none.set_visible(guest.pci.is_empty());
        let when = gettext_f("Takes effect: {when}", &[("when", &when_any_added(guest))]);
        self.add.set_tooltip_text(Some(&when));
        let words = gettext("While it runs with them, it can't be saved and keeps all of its memory");
        self.root.set_description(Some(&words).filter(|_| !guest.pci.is_empty()).map(String::as_str));
    }
}

impl PciRow {
    fn new(pci: &PciInfo, wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let title = pci.title();
        let row = adw::ActionRow::builder().title(&title).use_markup(false).subtitle_lines(3).build();
        let icon = gtk::Image::builder().accessible_role(gtk::AccessibleRole::Presentation).build();
        row.add_prefix(&icon);
        let when = badge("");
        row.add_suffix(&when);
        let remove =
            icon_button("user-trash-symbolic", &gettext_f("Take {device} Away", &[("device", &title)]));
        remove.add_css_class("flat");
        remove.connect_clicked({
            let (wish, address) = (Rc::clone(wish), pci.address);
            move |_| wish(GuestWish::Core(Wish::RemovePci(address)))
        });
        describe(&remove, &when);
        row.add_suffix(&remove);
        Self { shows: pci.clone(), row, icon, when, remove }
    }
}
