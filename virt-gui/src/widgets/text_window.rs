//! The window that shows what an engine wrote, or how it is started.

use gtk::prelude::*;
use virt_kit::i18n::{gettext, gettext_f};

/// Shows the end of a guest's engine log.
pub fn show_log(parent: &impl IsA<gtk::Window>, guest: &str, log: &str) {
    // Translators: the subtitle of the window with a guest's log.
    let subtitle = gettext_f("QEMU, running “{guest}”", &[("guest", guest)]);
    present(parent, &gettext("Log"), &subtitle, log);
}

/// Shows the command that starts a guest's engine.
pub fn show_command(parent: &impl IsA<gtk::Window>, guest: &str, command: &str) {
    // Translators: the subtitle of the window with the command line of QEMU.
    let subtitle = gettext_f("The next start of “{guest}”", &[("guest", guest)]);
    present(parent, &gettext("Generated Command"), &subtitle, command);
}

fn present(parent: &impl IsA<gtk::Window>, title: &str, subtitle: &str, text: &str) {
    let copy = super::icon_button("edit-copy-symbolic", &gettext("Copy"));
    let header = adw::HeaderBar::builder().title_widget(&adw::WindowTitle::new(title, subtitle)).build();
    header.pack_start(&copy);
    let content = gtk::Box::new(gtk::Orientation::Vertical, 0);
    content.append(&header);
    if text.trim().is_empty() {
        content.append(
            &adw::StatusPage::builder()
                .icon_name("text-editor-symbolic")
                .title(gettext("Nothing Was Written"))
                .description(gettext("QEMU writes here only when something is worth saying."))
                .vexpand(true)
                .build(),
        );
        copy.set_sensitive(false);
    } else {
        let view = gtk::TextView::builder()
            .editable(false)
            .monospace(true)
            .wrap_mode(gtk::WrapMode::WordChar)
            .left_margin(12)
            .right_margin(12)
            .top_margin(12)
            .bottom_margin(12)
            .build();
        view.update_property(&[gtk::accessible::Property::Label(title)]);
        view.buffer().set_text(text);
        content.append(&gtk::ScrolledWindow::builder().child(&view).vexpand(true).build());
    }
    let window = adw::Window::builder()
        .title(title)
        .transient_for(parent)
        .default_width(680)
        .default_height(460)
        .content(&content)
        .build();
    copy.connect_clicked({
        let text = text.to_owned();
        move |button| button.clipboard().set_text(&text)
    });
    close_by_keys(&window);
    window.present();
}

/// Lets a window be closed with the keys that close a dialog.
pub(super) fn close_by_keys(window: &adw::Window) {
    let keys = gtk::ShortcutController::new();
    for key in ["Escape", "<Control>w"] {
        keys.add_shortcut(gtk::Shortcut::new(
            gtk::ShortcutTrigger::parse_string(key),
            Some(gtk::NamedAction::new("window.close")),
        ));
    }
    window.add_controller(keys);
}
