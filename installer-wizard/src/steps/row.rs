//! A row of the form: what it is called, its control, and what is to be said about its value.

use super::{name, text};
use adw::prelude::*;
use gtk::accessible::{Property, State};

/// A row whose remark stands under it.
#[derive(Debug)]
pub struct FormRow {
    row: adw::PreferencesRow,
    control: gtk::Widget,
    remark: gtk::Label,
}

impl FormRow {
    /// A row with a control at its end and, where there is one, something as wide as the row below. What is to be
    /// said stands under the title where the control leaves room beside it.
    pub fn new(title: &str, control: &impl IsA<gtk::Widget>, below: Option<&gtk::Widget>) -> Self {
        let label = gtk::Label::builder().label(title).xalign(0.0).build();
        let line = gtk::Box::builder().spacing(12).build();
        let remark = text(&["caption"]);
        remark.set_visible(false);
        let leaves_room = below.is_none() && control.halign() == gtk::Align::End;
        let words = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(3)
            .valign(gtk::Align::Center)
            .hexpand(leaves_room)
            .build();
        words.append(&label);
        line.append(&words);
        control.set_hexpand(!leaves_room);
        control.set_valign(gtk::Align::Center);
        line.append(control);
        let content = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(6)
            .margin_top(8)
            .margin_bottom(8)
            .margin_start(12)
            .margin_end(12)
            .build();
        content.append(&line);
        if let Some(below) = below {
            content.append(below);
        }
        if leaves_room {
            words.append(&remark);
        } else {
            content.append(&remark);
        }
        let row = adw::PreferencesRow::builder()
            .title(title)
            .use_markup(false)
            .activatable(false)
            .focusable(false)
            .child(&content)
            .build();
        name(control.upcast_ref::<gtk::Widget>(), title);
        // What of a choice is pressed is a button within it, which has no name of its own.
        if let Some(button) = control.dynamic_cast_ref::<gtk::DropDown>().and_then(gtk::DropDown::first_child)
        {
            name(&button, title);
        }
        Self { row, control: control.clone().upcast(), remark }
    }

    /// The row for a list.
    pub const fn widget(&self) -> &adw::PreferencesRow {
        &self.row
    }

    /// Shows what is to be said about the value: an error where it forbids, else something to know.
    pub fn say(&self, remark: Option<(&str, bool)>) {
        let (sentence, forbids) = remark.unwrap_or_default();
        self.remark.set_visible(!sentence.is_empty());
        if self.remark.label() != sentence {
            self.remark.set_label(sentence);
            self.control.update_property(&[Property::Description(sentence)]);
        }
        set_class(&self.control, "error", forbids);
        set_class(&self.remark, "error", forbids);
        set_class(&self.remark, "dim-label", !forbids);
        let invalid =
            if forbids { gtk::AccessibleInvalidState::True } else { gtk::AccessibleInvalidState::False };
        self.control.update_state(&[State::Invalid(invalid)]);
    }
}

/// A row with a switch; the whole row switches it.
pub fn switch_row(title: &str, subtitle: &str) -> (adw::ActionRow, gtk::Switch) {
    // The row names the switch that it activates; a second name would be read after the first.
    let switch = gtk::Switch::builder().valign(gtk::Align::Center).build();
    switch.update_property(&[Property::Description(subtitle)]);
    let row = adw::ActionRow::builder()
        .title(title)
        .subtitle(subtitle)
        .use_markup(false)
        .activatable_widget(&switch)
        .build();
    row.add_suffix(&switch);
    (row, switch)
}

fn set_class(widget: &impl IsA<gtk::Widget>, class: &str, on: bool) {
    if on {
        widget.add_css_class(class);
    } else {
        widget.remove_css_class(class);
    }
}
