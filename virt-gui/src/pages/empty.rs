//! What is shown when there are no guests yet: how to make the first.

use crate::actions::Action;
use crate::widgets::host_bar::HostBar;
use crate::widgets::text_button;
use adw::prelude::*;
use virt_kit::i18n::gettext;

/// Builds the page around the bar that says how guests will run.
pub fn build(menu: &gtk::MenuButton, host_bar: &HostBar) -> gtk::Box {
    let header = adw::HeaderBar::new();
    header.pack_end(menu);
    let choose = text_button(&gettext("Choose Installer…"), &["pill", "suggested-action"]);
    choose.set_action_name(Some(&Action::ChooseInstaller.full_name()));
    choose.set_halign(gtk::Align::Center);
    let other = text_button(&gettext("Other Ways…"), &["pill", "flat"]);
    other.set_action_name(Some(&Action::New.full_name()));
    other.set_halign(gtk::Align::Center);
    let buttons = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(12).build();
    buttons.append(&choose);
    buttons.append(&other);
    let page = adw::StatusPage::builder()
        .icon_name(format!("{}-symbolic", crate::APP_ID))
        .title(gettext("Make Your First Guest"))
        .description(gettext("Drop an installer here, or choose one: the ISO file of an operating system."))
        .child(&buttons)
        .vexpand(true)
        .build();
    let root = gtk::Box::new(gtk::Orientation::Vertical, 0);
    root.append(&header);
    root.append(host_bar.widget());
    root.append(&page);
    root
}
