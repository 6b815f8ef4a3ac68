//! The menu of the boot loader on a guest's disk: which entry is the default, another one to be that, and one to be started
//! this once.

use super::text_window::close_by_keys;
use super::{badge, rename, text_button};
use crate::calls::Wish;
use adw::prelude::*;
use gtk::glib;
use hv_api::{BootLoader, BootMenu, BootMenuEntry, GuestInfo};
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// Shows a menu; `act` hears what is wished, and the window closes with that.
pub fn show(
    parent: &impl IsA<gtk::Window>,
    guest: &GuestInfo,
    menu: &BootMenu,
    act: impl Fn(Wish) + 'static,
) {
    let title = gettext_f("Boot Menu of “{guest}”", &[("guest", &guest.name)]);
    let window = adw::Window::builder()
        .transient_for(parent)
        .modal(true)
        .title(&title)
        .default_width(560)
        .default_height(480)
        .width_request(360)
        .build();
    let act: Rc<dyn Fn(Wish)> = {
        let window = window.downgrade();
        Rc::new(move |wish| {
            act(wish);
            if let Some(window) = window.upgrade() {
                window.close();
            }
        })
    };
    let group = adw::PreferencesGroup::builder().description(glib::markup_escape_text(&about(menu))).build();
    let starts = guest.boot.kernel_disk.as_deref() == Some(menu.disk.as_str());
    for entry in &menu.entries {
        group.add(&row(entry, starts, &act));
    }
    let page = adw::PreferencesPage::new();
    page.add(&group);
    if !starts {
        let hint = adw::PreferencesGroup::builder()
            .description(gettext(
                "An entry can be started from here once the guest starts the kernel on its own disk.",
            ))
            .build();
        page.add(&hint);
    }
    let content = gtk::Box::new(gtk::Orientation::Vertical, 0);
    content.append(&adw::HeaderBar::new());
    content.append(&page);
    page.set_vexpand(true);
    window.set_content(Some(&content));
    close_by_keys(&window);
    window.present();
}

/// Whose menu it is, and where it was found.
fn about(menu: &BootMenu) -> String {
    let loader = match menu.loader {
        BootLoader::Grub | BootLoader::GrubLegacy => "GRUB",
        BootLoader::SystemdBoot => "systemd-boot",
    };
    gettext_f(
        "What {loader} would show, by {file} on {disk}. The disk was only read.",
        &[("loader", loader), ("file", &menu.config), ("disk", &menu.disk)],
    )
}

fn row(entry: &BootMenuEntry, starts: bool, act: &Rc<dyn Fn(Wish)>) -> adw::ActionRow {
    let kernel = entry.kernel.clone().unwrap_or_else(|| gettext("No Linux kernel"));
    let row = adw::ActionRow::builder()
        .title(&entry.title)
        .subtitle(format!("{kernel}\n{}", entry.append).trim())
        .use_markup(false)
        .title_lines(3)
        .subtitle_lines(3)
        .build();
    let named = [("entry", entry.title.as_str())];
    if entry.is_default {
        row.add_suffix(&badge(&gettext("Default")));
    } else {
        let button = text_button(&gettext("Make Default"), &["flat"]);
        rename(&button, &gettext_f("Make “{entry}” the Default", &named));
        let (act, number) = (Rc::clone(act), entry.number);
        button.connect_clicked(move |_| act(Wish::SetBootDefault(number)));
        row.add_suffix(&button);
    }
    if starts && entry.kernel.is_some() {
        let button = text_button(&gettext("Start"), &[]);
        rename(&button, &gettext_f("Start “{entry}” This Once", &named));
        let (act, number) = (Rc::clone(act), entry.number);
        button.connect_clicked(move |_| act(Wish::StartEntry(number)));
        row.add_suffix(&button);
    }
    row
}
