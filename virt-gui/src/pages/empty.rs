//! What is shown when there are no guests yet: how to make the first.

use crate::actions::Action;
use crate::widgets::host_bar::HostBar;
use adw::prelude::*;
use virt_kit::i18n::gettext;

/// Builds the page around the bar that says how guests will run.
pub fn build(menu: &gtk::MenuButton, host_bar: &HostBar) -> gtk::Box {
    let header = adw::HeaderBar::new();
    header.pack_end(menu);
    let choose = gtk::Button::builder()
        .label(gettext("_Choose Installer…"))
        .use_underline(true)
        .action_name(Action::ChooseInstaller.full_name())
        .halign(gtk::Align::Center)
        .css_classes(["pill", "suggested-action"])
        .build();
    let other = gtk::Button::builder()
        .label(gettext("_Other Ways…"))
        .use_underline(true)
        .action_name(Action::New.full_name())
        .halign(gtk::Align::Center)
        .css_classes(["pill", "flat"])
        .build();
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
