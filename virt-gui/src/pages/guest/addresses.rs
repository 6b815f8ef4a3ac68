//! The addresses by which the guest is reached, as its agent tells them. Without an agent there is no row.

use crate::model::usage::addresses;
use crate::widgets::icon_button;
use adw::prelude::*;
use hv_api::GuestStatistics;
use std::cell::{Cell, RefCell};
use virt_kit::i18n::{gettext, gettext_f};

/// For how many measurements, one a second, what the agent said last is shown while it is silent: one that is busy
/// is left alone for ten.
const PATIENCE: u32 = 15;

/// The row.
#[derive(Debug)]
pub struct AddressRow {
    root: adw::PreferencesRow,
    lines: gtk::Box,
    shown: RefCell<Vec<String>>,
    silent: Cell<u32>,
}

impl AddressRow {
    /// A row that is not seen.
    pub fn new() -> Self {
        let title =
            gtk::Label::builder().label(gettext("Addresses")).xalign(0.0).css_classes(["title"]).build();
        let lines = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(2).build();
        let layout = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(3)
            .margin_top(9)
            .margin_bottom(9)
            .margin_start(12)
            .margin_end(12)
            .build();
        layout.append(&title);
        layout.append(&lines);
        let root = adw::PreferencesRow::builder()
            .child(&layout)
            .activatable(false)
            .focusable(false)
            .visible(false)
            .build();
        root.update_property(&[gtk::accessible::Property::Label(&gettext("Addresses"))]);
        Self { root, lines, shown: RefCell::default(), silent: Cell::default() }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesRow {
        &self.root
    }

    /// Takes a measurement in; nothing where there is none any more.
    pub fn show(&self, measured: Option<&GuestStatistics>) {
        let told = measured.map_or_else(|| Some(Vec::new()), addresses);
        let silent = if told.is_some() { 0 } else { self.silent.get().saturating_add(1) };
        self.silent.set(silent);
        let told = match told {
            Some(told) => told,
            None if silent > PATIENCE => Vec::new(),
            None => return,
        };
        self.root.set_visible(!told.is_empty());
        if *self.shown.borrow() == told {
            return;
        }
        while let Some(line) = self.lines.first_child() {
            self.lines.remove(&line);
        }
        for address in &told {
            self.lines.append(&line(address));
        }
        self.shown.replace(told);
    }
}

fn line(address: &str) -> gtk::Box {
    let words = gtk::Label::builder()
        .label(address)
        .xalign(0.0)
        .hexpand(true)
        .selectable(true)
        .wrap(true)
        .wrap_mode(gtk::pango::WrapMode::Char)
        .css_classes(["numeric"])
        .build();
    // Translators: the name of a button; {address} is an address like 10.0.2.15.
    let name = gettext_f("Copy {address}", &[("address", address)]);
    let copy = icon_button("edit-copy-symbolic", &name);
    copy.add_css_class("flat");
    copy.connect_clicked({
        let address = address.to_owned();
        move |button| button.clipboard().set_text(&address)
    });
    let line = gtk::Box::builder().spacing(6).build();
    line.append(&words);
    line.append(&copy);
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::with_display;
    use hv_api::NicStatistics;

    fn told(addresses: &[&str]) -> GuestStatistics {
        let nic = NicStatistics {
            mac: "52:54:00:00:00:01".parse().expect("an address"),
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            received: 0,
            sent: 0,
            packets_received: 0,
            packets_sent: 0,
        };
        GuestStatistics { nics: Some(vec![nic]), ..GuestStatistics::default() }
    }

    #[test]
    fn addresses_are_shown_while_an_agent_tells_them() {
        with_display(|| {
            let row = AddressRow::new();
            row.show(Some(&GuestStatistics::default()));
            assert!(!row.root.get_visible(), "nobody tells");
            row.show(Some(&told(&["10.0.2.15", "fec0::1"])));
            assert!(row.root.get_visible());
            assert_eq!(*row.shown.borrow(), ["10.0.2.15", "fec0::1"]);
            for _second in 0..PATIENCE {
                row.show(Some(&GuestStatistics::default()));
            }
            assert!(row.root.get_visible(), "the agent may be busy");
            row.show(Some(&GuestStatistics::default()));
            assert!(!row.root.get_visible());
            row.show(Some(&told(&["10.0.2.15"])));
            assert!(row.root.get_visible());
            row.show(None);
            assert!(!row.root.get_visible(), "the guest is off");
        });
    }
}
