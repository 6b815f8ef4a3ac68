//! The ports of this computer that lead to a card, with what it takes to add another.

use super::{error_label, tell};
use crate::model::network;
use crate::widgets::setting_row::describe;
use crate::widgets::{badge, icon_button, text_button};
use adw::prelude::*;
use hv_api::{Forward, NetworkMode, NicInfo, NicSettings, Protocol};
use std::cell::RefCell;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

const PROTOCOLS: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

/// The row with all of them.
pub struct Forwards {
    row: adw::PreferencesRow,
    list: gtk::ListBox,
    badge: gtk::Label,
    shown: RefCell<Vec<Forward>>,
    set: Rc<dyn Fn(NicSettings)>,
}

impl std::fmt::Debug for Forwards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwards").field("shown", &self.shown.borrow()).finish_non_exhaustive()
    }
}

impl Forwards {
    /// The row; `set` hears what is to be changed.
    pub fn new(set: &Rc<dyn Fn(NicSettings)>) -> Self {
        let title = gettext("Port Forwards");
        let list = gtk::ListBox::builder()
            .selection_mode(gtk::SelectionMode::None)
            .show_separators(true)
            .css_classes(["forwards"])
            .build();
        list.update_property(&[gtk::accessible::Property::Label(&title)]);
        let badge = badge("");
        let head = gtk::Box::builder().spacing(12).build();
        head.append(&gtk::Label::builder().label(&title).xalign(0.0).hexpand(true).build());
        head.append(&badge);
        let layout = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(6)
            .css_classes(["amount-row"])
            .build();
        layout.append(&head);
        layout.append(&list);
        fill_form(&layout, &badge, set);
        let row = adw::PreferencesRow::builder().title(title).child(&layout).activatable(false).build();
        Self { row, list, badge, shown: RefCell::default(), set: Rc::clone(set) }
    }

    /// The row.
    pub fn widget(&self) -> &adw::PreferencesRow {
        &self.row
    }

    /// Shows those of a card; `when` says when a change takes effect.
    pub fn show(&self, nic: &NicInfo, when: &str) {
        self.row.set_visible(nic.mode == NetworkMode::User);
        self.list.set_visible(!nic.forwards.is_empty());
        self.badge.set_label(when);
        if *self.shown.borrow() == nic.forwards {
            return;
        }
        self.shown.replace(nic.forwards.clone());
        while let Some(row) = self.list.first_child() {
            self.list.remove(&row);
        }
        for forward in &nic.forwards {
            self.list.append(&self.row(*forward));
        }
    }

    fn row(&self, forward: Forward) -> adw::ActionRow {
        let (title, subtitle) = (network::forward_title(&forward), network::forward_subtitle(&forward));
        let remove =
            icon_button("user-trash-symbolic", &gettext_f("Remove Forward {ports}", &[("ports", &title)]));
        remove.add_css_class("flat");
        remove.connect_clicked({
            let set = Rc::clone(&self.set);
            move |_| set(NicSettings { remove_forwards: Some(vec![forward]), ..NicSettings::default() })
        });
        let row = adw::ActionRow::builder().title(title).subtitle(subtitle).activatable(false).build();
        row.add_suffix(&remove);
        row
    }
}

/// Adds what somebody fills in to add a forward.
fn fill_form(layout: &gtk::Box, badge: &gtk::Label, set: &Rc<dyn Fn(NicSettings)>) {
    let protocol = gtk::DropDown::from_strings(&["TCP", "UDP"]);
    // It is the button within that gets the keyboard.
    for widget in
        [Some(protocol.clone().upcast::<gtk::Widget>()), protocol.first_child()].into_iter().flatten()
    {
        widget.update_property(&[gtk::accessible::Property::Label(&gettext("Protocol"))]);
    }
    // Translators: a port of this computer, which leads to the guest; there is little room.
    let host = port(&gettext("Port of This Computer"), &gettext("Port here"));
    let guest = port(&gettext("Port of the Guest"), &gettext("In guest"));
    let arrow = gtk::Label::builder().label("→").accessible_role(gtk::AccessibleRole::Presentation).build();
    let add = text_button(&gettext("Add"), &[]);
    add.update_property(&[gtk::accessible::Property::Label(&gettext("Add Forward"))]);
    describe(&add, badge);
    let fields = gtk::Box::builder().spacing(6).build();
    fields.append(&protocol);
    fields.append(&host);
    fields.append(&arrow);
    fields.append(&guest);
    fields.append(&add);
    let everybody = gtk::CheckButton::with_label(&gettext("Other computers may use it, too"));
    let error = error_label();

    layout.append(&fields);
    layout.append(&everybody);
    layout.append(&error);

    let submit: Rc<dyn Fn()> = {
        let (set, host, guest) = (Rc::clone(set), host.clone(), guest.clone());
        Rc::new(move || {
            let protocol = PROTOCOLS.get(protocol.selected() as usize).copied().unwrap_or(Protocol::Tcp);
            match network::forward(protocol, &host.text(), &guest.text(), everybody.is_active()) {
                Ok(forward) => {
                    error.set_visible(false);
                    host.set_text("");
                    guest.set_text("");
                    set(NicSettings { add_forwards: Some(vec![forward]), ..NicSettings::default() });
                }
                Err(reason) => tell(&error, &reason),
            }
        })
    };
    add.connect_clicked({
        let submit = Rc::clone(&submit);
        move |_| submit()
    });
    for field in [host, guest] {
        let submit = Rc::clone(&submit);
        field.connect_activate(move |_| submit());
    }
}

/// A field for a port.
fn port(name: &str, hint: &str) -> gtk::Entry {
    let field = gtk::Entry::builder()
        .placeholder_text(hint)
        .input_purpose(gtk::InputPurpose::Digits)
        .max_length(5)
        .width_chars(5)
        .max_width_chars(5)
        .hexpand(true)
        .build();
    field.set_tooltip_text(Some(name));
    field.update_property(&[gtk::accessible::Property::Label(name)]);
    field
}
