//! Widgets that pages share. They know the model, not the core.

pub mod amount_row;
pub mod boot_menu;
pub mod device_dialog;
pub mod dialogs;
pub mod framebuffer;
pub mod graph;
pub mod guest_list;
pub mod host_bar;
pub mod power;
pub mod question;
pub mod setting_row;
pub mod snapshot_dialogs;
pub mod terminal;
pub mod text_window;

use gtk::glib;
use gtk::prelude::*;
use virt_kit::i18n::gettext;

/// A button with an icon only. `name` is what screen readers say and the tooltip shows.
pub fn icon_button(icon: &str, name: &str) -> gtk::Button {
    let button = gtk::Button::builder().icon_name(icon).valign(gtk::Align::Center).build();
    rename(&button, name);
    button
}

/// An icon that says nothing which words beside it don't say.
pub fn decoration(icon: &str) -> gtk::Image {
    gtk::Image::builder().icon_name(icon).accessible_role(gtk::AccessibleRole::Presentation).build()
}

/// The word that says when a setting takes effect.
pub fn badge(words: &str) -> gtk::Label {
    gtk::Label::builder().label(words).css_classes(["badge", "caption"]).valign(gtk::Align::Center).build()
}

/// Whether somebody is typing in a field: its text is not to be changed then.
pub fn is_typing(field: &impl IsA<gtk::Widget>) -> bool {
    let focus = field.root().and_then(|root| root.focus());
    focus.is_some_and(|focus| focus.is_ancestor(field))
}

/// A button with words.
///
/// GTK 4.8 tells screen readers a button's words and those of the label within, one after the other; and
/// of a mnemonic also its underscore. So it has none, and is told once.
pub fn text_button(words: &str, classes: &[&str]) -> gtk::Button {
    let button = gtk::Button::builder().label(words).css_classes(classes).valign(gtk::Align::Center).build();
    say_once(&button);
    button
}

/// Gives a button other words, as [`text_button`] would have.
pub fn set_words(button: &gtk::Button, words: &str) {
    button.set_label(words);
    say_once(button);
}

fn say_once(button: &gtk::Button) {
    button.reset_relation(gtk::AccessibleRelation::LabelledBy);
}

/// Lets the wheel move the page on which a control stands, instead of its value: who scrolls past a slider does not
/// mean to change it.
pub fn ignore_wheel(control: &impl IsA<gtk::Widget>) {
    let controllers = control.observe_controllers();
    let all: Vec<_> = controllers.iter::<glib::Object>().flatten().collect();
    for wheel in all.iter().filter_map(|one| one.downcast_ref::<gtk::EventControllerScroll>()) {
        control.remove_controller(wheel);
    }
}

/// Names the button that closes an info bar, which has an icon only and can't be reached otherwise.
pub fn name_close_button(bar: &gtk::InfoBar, name: &str) {
    let mut waiting: Vec<gtk::Widget> = bar.first_child().into_iter().collect();
    while let Some(widget) = waiting.pop() {
        if widget.has_css_class("close")
            && let Some(button) = widget.downcast_ref::<gtk::Button>()
        {
            return rename(button, name);
        }
        waiting.extend(widget.next_sibling());
        waiting.extend(widget.first_child());
    }
}

/// Gives a widget without words a name, for screen readers and as its tooltip.
pub fn rename(widget: &(impl IsA<gtk::Widget> + IsA<gtk::Accessible>), name: &str) {
    widget.set_tooltip_text(Some(name));
    widget.update_property(&[gtk::accessible::Property::Label(name)]);
}

/// A moment, given in seconds since 1970, as people say it: today's by its time only.
pub fn local_time(seconds: u64) -> Option<String> {
    let then = glib::DateTime::from_unix_local(i64::try_from(seconds).ok()?).ok()?;
    let now = glib::DateTime::now_local().ok()?;
    let today = then.ymd() == now.ymd();
    // Translators: a time of day, and a date with a time of day, as strftime writes them.
    let format = if today { gettext("%H:%M") } else { gettext("%e %B %Y, %H:%M") };
    Some(then.format(&format).ok()?.trim().to_owned())
}
