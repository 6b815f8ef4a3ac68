//! The bar above a guest's pages that says what it is waited for while it shuts down, and how to end that. It
//! counts the seconds while it is seen, and costs nothing else.

use super::GuestWish;
use crate::calls::Wish;
use crate::model::power::PowerAction;
use crate::model::waiting::{counts, sentence};
use crate::widgets::{power, text_button};
use adw::prelude::*;
use gtk::glib;
use hv_api::{GuestInfo, ShutdownWait};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use virt_kit::i18n::gettext;

/// The bar.
#[derive(Debug, Clone)]
pub struct WaitingBar(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    bar: gtk::InfoBar,
    text: gtk::Label,
    name: RefCell<String>,
    asked: RefCell<Option<ShutdownWait>>,
    ticking: Cell<bool>,
}

impl WaitingBar {
    /// The bar; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let bar = gtk::InfoBar::builder().message_type(gtk::MessageType::Info).revealed(false).build();
        let text = gtk::Label::builder()
            .xalign(0.0)
            .wrap(true)
            .natural_wrap_mode(gtk::NaturalWrapMode::None)
            .css_classes(["numeric"])
            .build();
        bar.add_child(&text);
        let force = text_button(&gettext("Force Off…"), &[]);
        let cancel = text_button(&gettext("Stop Waiting"), &[]);
        cancel.set_tooltip_text(Some(&gettext("Let the guest run on; it may shut down yet")));
        bar.add_action_widget(&force, gtk::ResponseType::Reject);
        bar.add_action_widget(&cancel, gtk::ResponseType::Cancel);
        let inner = Rc::new(Inner {
            bar,
            text,
            name: RefCell::default(),
            asked: RefCell::default(),
            ticking: Cell::new(false),
        });
        force.connect_clicked({
            let (wish, inner) = (Rc::clone(wish), Rc::downgrade(&inner));
            move |button| {
                let Some(inner) = inner.upgrade() else { return };
                let window = button.root().and_downcast::<gtk::Window>();
                let wish = Rc::clone(&wish);
                let force = move || wish(GuestWish::Core(Wish::Power(PowerAction::ForceOff)));
                power::confirm_force_off(window.as_ref(), &inner.name.borrow(), force);
            }
        });
        cancel.connect_clicked({
            let wish = Rc::clone(wish);
            move |_| wish(GuestWish::Core(Wish::CancelShutdown))
        });
        Self(inner)
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::InfoBar {
        &self.0.bar
    }

    /// Shows what a guest is waited for, where it is.
    pub fn show(&self, guest: &GuestInfo) {
        self.0.name.replace(guest.name.clone());
        self.0.asked.replace(guest.waiting.clone());
        self.0.bar.set_revealed(guest.waiting.is_some());
        let trouble = guest.waiting.as_ref().is_some_and(|asked| asked.overdue || !asked.heard);
        let kind = if trouble { gtk::MessageType::Warning } else { gtk::MessageType::Info };
        self.0.bar.set_message_type(kind);
        if self.0.tell() && !self.0.ticking.replace(true) {
            let inner = Rc::downgrade(&self.0);
            glib::timeout_add_local(Duration::from_secs(1), move || match inner.upgrade() {
                Some(inner) if inner.tell() => glib::ControlFlow::Continue,
                Some(inner) => {
                    inner.ticking.set(false);
                    glib::ControlFlow::Break
                }
                None => glib::ControlFlow::Break,
            });
        }
    }
}

impl Inner {
    /// Says how it stands, and whether that will be something else in a second.
    fn tell(&self) -> bool {
        let asked = self.asked.borrow();
        let Some(asked) = &*asked else { return false };
        let now = u64::try_from(glib::real_time() / 1_000_000).unwrap_or_default();
        self.text.set_label(&sentence(asked, now));
        counts(asked, now)
    }
}
