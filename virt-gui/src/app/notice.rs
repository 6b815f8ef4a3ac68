//! What is said when something has ended that nobody waits for in front of the screen: by the desktop where no window of
//! ours is looked at, else in the window.

use super::{App, AppInput, View};
use crate::model::install::became_ready;
use adw::prelude::*;
use gtk::{gio, glib};
use hv_api::{Change, GuestId};
use relm4::MessageBroker;
use virt_kit::i18n::{gettext, gettext_f};

/// The application's action that shows a guest, which notifications name.
const SHOW: &str = "show-guest";

impl App {
    /// Says that a guest's system has been installed. `change` is not taken in yet.
    pub(super) fn notice_installed(&self, change: &Change, view: &View, root: &adw::ApplicationWindow) {
        let Change::Guest(guest) = change else { return };
        if !self.library.guest(guest.id).is_some_and(|before| became_ready(before, guest)) {
            return;
        }
        let title = gettext_f("“{guest}” is ready", &[("guest", &guest.name)]);
        let Some(application) = root.application() else { return };
        if application.windows().iter().any(GtkWindowExt::is_active) {
            return view.say(&title);
        }
        let notification = gio::Notification::new(&title);
        notification.set_body(Some(&gettext("Its system is installed, and its installer was taken away.")));
        let action = format!("app.{SHOW}");
        let target = guest.id.to_string().to_variant();
        notification.set_default_action_and_target_value(&action, Some(&target));
        notification.add_button_with_target_value(&gettext("Open"), &action, Some(&target));
        application.send_notification(Some(&guest.id.to_string()), &notification);
    }
}

/// Lets notifications be answered, also by a launch that they begin.
pub fn connect_notices(application: &adw::Application, outside: &'static MessageBroker<AppInput>) {
    let show = gio::SimpleAction::new(SHOW, Some(glib::VariantTy::STRING));
    show.connect_activate(move |_, guest| {
        let guest = guest.and_then(glib::Variant::str).and_then(|id| id.parse::<GuestId>().ok());
        if let Some(guest) = guest {
            outside.send(AppInput::Show(guest));
        }
    });
    application.add_action(&show);
}
