//! The row of a drive: what is in it, and how to change that.

use super::GuestWish;
use crate::calls::Wish;
use crate::widgets::{decoration, icon_button, text_button};
use adw::prelude::*;
use hv_api::DriveInfo;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};
use virt_kit::words::file_name;

/// The row; `several` says whether it has to be told from others, `badge` when a change takes effect.
pub fn row(
    drive: &DriveInfo,
    several: bool,
    badge: Option<&gtk::Label>,
    wish: &Rc<dyn Fn(GuestWish)>,
) -> adw::ActionRow {
    let title =
        if several { gettext_f("CD Drive {name}", &[("name", &drive.name)]) } else { gettext("CD Drive") };
    let row = adw::ActionRow::builder().title(&title).use_markup(false).subtitle_lines(2).build();
    row.add_prefix(&decoration("media-optical-symbolic"));
    let medium = drive.medium.as_deref();
    row.set_subtitle(&medium.map_or_else(|| gettext("Empty"), file_name));
    row.set_tooltip_text(medium);
    if let Some(badge) = badge {
        row.add_suffix(badge);
    }
    let change = text_button(&medium.map_or_else(|| gettext("Insert…"), |_| gettext("Change…")), &[]);
    change.update_property(&[gtk::accessible::Property::Description(&title)]);
    change.connect_clicked({
        let (wish, drive) = (Rc::clone(wish), drive.name.clone());
        move |_| wish(GuestWish::ChooseMedium(drive.clone()))
    });
    row.add_suffix(&change);
    if medium.is_some() {
        let eject = icon_button("media-eject-symbolic", &gettext("Eject"));
        eject.add_css_class("flat");
        eject.connect_clicked({
            let (wish, drive) = (Rc::clone(wish), drive.name.clone());
            move |_| wish(GuestWish::Core(Wish::Eject { drive: drive.clone(), force: false }))
        });
        row.add_suffix(&eject);
    }
    row
}
