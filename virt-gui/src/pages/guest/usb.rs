//! The USB devices of this computer that the guest has: a row each, which says whether it is plugged in.

use super::{GuestWish, Question};
use crate::calls::Wish;
use crate::model::usb::{icon_of, subtitle, when};
use crate::widgets::setting_row::describe;
use crate::widgets::{badge, icon_button, text_button};
use adw::prelude::*;
use hv_api::{GuestInfo, GuestState, HostInfo, UsbInfo};
use std::cell::RefCell;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// The group.
pub struct UsbGroup {
    root: adw::PreferencesGroup,
    none: adw::ActionRow,
    rows: RefCell<Vec<UsbRow>>,
    wish: Rc<dyn Fn(GuestWish)>,
}

/// One device.
struct UsbRow {
    shows: UsbInfo,
    row: adw::ActionRow,
    icon: gtk::Image,
    when: gtk::Label,
}

impl std::fmt::Debug for UsbGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UsbGroup").field("rows", &self.rows.borrow().len()).finish_non_exhaustive()
    }
}

impl UsbGroup {
    /// The group; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let add = text_button(&gettext("Add USB Device…"), &["flat"]);
        add.set_tooltip_text(Some(&gettext_f("Takes effect: {when}", &[("when", &gettext("Now"))])));
        add.connect_clicked({
            let wish = Rc::clone(wish);
            move |_| wish(GuestWish::Ask(Question::AddUsb))
        });
        let root = adw::PreferencesGroup::builder().title(gettext("USB Devices")).header_suffix(&add).build();
        let none = adw::ActionRow::builder()
            .title(gettext("No USB Device"))
            .subtitle(gettext("Give it a stick, a camera or a key of this computer's"))
            .build();
        root.add(&none);
        Self { root, none, rows: RefCell::default(), wish: Rc::clone(wish) }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Shows a guest.
    pub fn show(&self, guest: &GuestInfo, host: Option<&HostInfo>) {
        self.root.set_visible(guest.state != GuestState::Unavailable);
        let devices = host.map(|host| &host.usb[..]).unwrap_or_default();
        let mut rows = self.rows.borrow_mut();
        let same =
            |row: &UsbRow, usb: &UsbInfo| (&row.shows.name, &row.shows.device) == (&usb.name, &usb.device);
        let stays =
            rows.len() == guest.usb.len() && rows.iter().zip(&guest.usb).all(|(row, usb)| same(row, usb));
        if !stays {
            for row in rows.drain(..) {
                self.root.remove(&row.row);
            }
            for usb in &guest.usb {
                let row = UsbRow::new(usb, &self.wish);
                self.root.add(&row.row);
                rows.push(row);
            }
        }
        for (row, usb) in rows.iter().zip(&guest.usb) {
            row.row.set_subtitle(&subtitle(usb, devices));
            row.icon.set_icon_name(Some(icon_of(usb, devices)));
            row.when.set_label(&when(usb));
        }
        self.none.set_visible(guest.usb.is_empty());
        let words = gettext("A guest that was saved finds them unplugged and plugged in again");
        self.root.set_description(Some(&words).filter(|_| !guest.usb.is_empty()).map(String::as_str));
    }
}

impl UsbRow {
    fn new(usb: &UsbInfo, wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let title = usb.title();
        let row = adw::ActionRow::builder().title(&title).use_markup(false).subtitle_lines(3).build();
        let icon = gtk::Image::builder().accessible_role(gtk::AccessibleRole::Presentation).build();
        row.add_prefix(&icon);
        let when = badge("");
        row.add_suffix(&when);
        let remove =
            icon_button("user-trash-symbolic", &gettext_f("Take {device} Away", &[("device", &title)]));
        remove.add_css_class("flat");
        remove.connect_clicked({
            let (wish, device) = (Rc::clone(wish), usb.device.clone());
            move |_| wish(GuestWish::Core(Wish::RemoveUsb(device.clone())))
        });
        describe(&remove, &when);
        row.add_suffix(&remove);
        Self { shows: usb.clone(), row, icon, when }
    }
}
