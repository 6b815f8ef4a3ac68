//! The window that shows what an engine wrote.

use gtk::prelude::*;
use virt_kit::i18n::{gettext, gettext_f};

/// Shows the end of a guest's engine log.
pub fn present(parent: &impl IsA<gtk::Window>, guest: &str, log: &str) {
    let copy = super::icon_button("edit-copy-symbolic", &gettext("Copy the Log"));
    let header = adw::HeaderBar::builder()
        .title_widget(&adw::WindowTitle::new(
            &gettext("Log"),
            // Translators: the subtitle of the window with a guest's log.
            &gettext_f("QEMU, running “{guest}”", &[("guest", guest)]),
        ))
        .build();
    header.pack_start(&copy);
    let content = gtk::Box::new(gtk::Orientation::Vertical, 0);
    content.append(&header);
    if log.trim().is_empty() {
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
        let text = gtk::TextView::builder()
            .editable(false)
            .monospace(true)
            .wrap_mode(gtk::WrapMode::WordChar)
            .left_margin(12)
            .right_margin(12)
            .top_margin(12)
            .bottom_margin(12)
            .build();
        text.update_property(&[gtk::accessible::Property::Label(&gettext("Log"))]);
        text.buffer().set_text(log);
        content.append(&gtk::ScrolledWindow::builder().child(&text).vexpand(true).build());
    }
    let window = adw::Window::builder()
        .title(gettext("Log"))
        .transient_for(parent)
        .default_width(680)
        .default_height(460)
        .content(&content)
        .build();
    copy.connect_clicked({
        let log = log.to_owned();
        move |button| button.clipboard().set_text(&log)
    });
    close_by_escape(&window);
    window.present();
}

fn close_by_escape(window: &adw::Window) {
    let keys = gtk::ShortcutController::new();
    for key in ["Escape", "<Control>w"] {
        keys.add_shortcut(gtk::Shortcut::new(
            gtk::ShortcutTrigger::parse_string(key),
            Some(gtk::NamedAction::new("window.close")),
        ));
    }
    window.add_controller(keys);
}
