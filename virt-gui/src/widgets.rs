//! Widgets that pages share. They know the model, not the core.

pub mod amount_row;
pub mod dialogs;
pub mod framebuffer;
pub mod guest_list;
pub mod host_bar;
pub mod log_window;
pub mod power;
pub mod terminal;

use gtk::prelude::*;

/// A button with an icon only. `name` is what screen readers say and the tooltip shows.
pub fn icon_button(icon: &str, name: &str) -> gtk::Button {
    let button = gtk::Button::builder().icon_name(icon).valign(gtk::Align::Center).build();
    rename(&button, name);
    button
}

/// Gives a widget without words a name, for screen readers and as its tooltip.
pub fn rename(widget: &(impl IsA<gtk::Widget> + IsA<gtk::Accessible>), name: &str) {
    widget.set_tooltip_text(Some(name));
    widget.update_property(&[gtk::accessible::Property::Label(name)]);
}
