//! The pages of the window. Each builds its widgets once, says what was done as [`crate::Input`], and
//! shows the flow as it stands; none decides anything.

pub mod answers;
pub mod choice;
pub mod create;
pub mod disks;
pub mod foundation;
pub mod plan;
pub mod review;
pub mod row;
pub mod source;
pub mod system;

use crate::Input;
use gtk::prelude::*;
use std::cell::Cell;
use std::rc::Rc;

/// Where a page says what a person did, but not what it changed itself while showing something.
#[derive(Debug, Clone)]
pub struct Say {
    sender: relm4::Sender<Input>,
    showing: Rc<Cell<bool>>,
}

impl Say {
    /// A way to say things to `sender`.
    pub fn new(sender: relm4::Sender<Input>) -> Self {
        Self { sender, showing: Rc::default() }
    }

    /// Says something, unless it is an echo of what is being shown.
    pub fn say(&self, input: Input) {
        if !self.showing.get() {
            // A window that is gone does not listen.
            self.sender.emit(input);
        }
    }

    /// Changes controls without their saying so.
    pub fn quietly(&self, show: impl FnOnce()) {
        self.showing.set(true);
        show();
        self.showing.set(false);
    }
}

/// A page that scrolls where it is too high, and is never wider than is pleasant to read.
pub fn scrolled(content: &impl IsA<gtk::Widget>) -> gtk::ScrolledWindow {
    let clamp = adw::Clamp::builder()
        .maximum_size(560)
        .margin_top(12)
        .margin_bottom(12)
        .margin_start(12)
        .margin_end(12)
        .child(content)
        .build();
    gtk::ScrolledWindow::builder()
        .hscrollbar_policy(gtk::PolicyType::Never)
        .propagate_natural_height(true)
        .vexpand(true)
        .child(&clamp)
        .build()
}

/// What stands one below the other, `spacing` pixels apart.
pub fn vertical(spacing: i32) -> gtk::Box {
    gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(spacing).build()
}

/// Rows on a card.
pub fn list() -> gtk::ListBox {
    gtk::ListBox::builder().selection_mode(gtk::SelectionMode::None).css_classes(["boxed-list"]).build()
}

/// A text that wraps, from the left.
pub fn text(classes: &[&str]) -> gtk::Label {
    gtk::Label::builder()
        .wrap(true)
        .wrap_mode(gtk::pango::WrapMode::WordChar)
        .natural_wrap_mode(gtk::NaturalWrapMode::None)
        .xalign(0.0)
        .hexpand(true)
        .css_classes(classes)
        .build()
}

/// An icon beside text that says the same: screen readers pass over it.
pub fn ornament(name: &str) -> gtk::Image {
    gtk::Image::builder()
        .icon_name(name)
        .valign(gtk::Align::Start)
        .accessible_role(gtk::AccessibleRole::Presentation)
        .build()
}

/// An icon before or after the text of a row.
pub fn centred(name: &str) -> gtk::Image {
    let image = ornament(name);
    image.set_valign(gtk::Align::Center);
    image
}

/// A sentence with an icon before it.
pub fn note(icon: &str, sentence: &str, class: &str) -> gtk::Box {
    let line = gtk::Box::builder().spacing(8).css_classes(["note", class]).build();
    let label = text(&[]);
    label.set_label(sentence);
    line.append(&ornament(icon));
    line.append(&label);
    line
}

/// Takes everything out of a box.
pub fn clear(container: &gtk::Box) {
    while let Some(child) = container.first_child() {
        container.remove(&child);
    }
}

/// Gives a control its name for screen readers, where none is written on it.
pub fn name(control: &impl IsA<gtk::Accessible>, name: &str) {
    control.update_property(&[gtk::accessible::Property::Label(name)]);
}

#[cfg(test)]
mod tests;
