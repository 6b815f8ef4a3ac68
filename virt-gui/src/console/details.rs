//! What can be changed of the guest beside its picture: the groups that the Hardware page has on top, and a
//! snapshot.

use super::ConsoleInput;
use crate::pages::guest::live::LiveGroups;
use crate::pages::guest::{GuestWish, Question};
use crate::widgets::text_button;
use adw::prelude::*;
use hv_api::{GuestInfo, GuestState, HostInfo};
use std::cell::RefCell;
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The narrowest that its rows can be used at, and the widest that it takes from the guest's picture, in pixels.
const WIDTHS: (i32, i32) = (340, 400);

/// The panel.
#[derive(Debug)]
pub struct DetailsPanel {
    root: adw::Clamp,
    pub(super) live: LiveGroups,
    snapshot: gtk::Button,
    shown: RefCell<Option<(GuestInfo, Option<HostInfo>)>>,
}

impl DetailsPanel {
    /// The panel; `input` hears what is wished.
    pub fn new(input: &relm4::Sender<ConsoleInput>) -> Self {
        let wish: Rc<dyn Fn(GuestWish)> = {
            let input = input.clone();
            // The window may be closing.
            Rc::new(move |wish| drop(input.send(ConsoleInput::Wish(wish))))
        };
        let live = LiveGroups::new(&wish);
        let page = adw::PreferencesPage::builder().width_request(WIDTHS.0).build();
        for group in live.widgets() {
            page.add(group);
        }
        let snapshot = text_button(&gettext("Take Snapshot…"), &["flat"]);
        snapshot.connect_clicked(move |_| wish(GuestWish::Ask(Question::Take)));
        let snapshots = adw::PreferencesGroup::builder()
            .title(gettext("Snapshots"))
            .description(gettext("What the guest is now, to come back to"))
            .header_suffix(&snapshot)
            .build();
        page.add(&snapshots);
        // Where it lies over the picture, nothing of that is to be seen between its rows.
        let root = adw::Clamp::builder()
            .maximum_size(WIDTHS.1)
            .tightening_threshold(WIDTHS.1)
            .child(&page)
            .hexpand(false)
            .css_classes(["background"])
            .build();
        Self { root, live, snapshot, shown: RefCell::default() }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::Clamp {
        &self.root
    }

    /// Shows the guest.
    pub fn show(&self, guest: &GuestInfo, host: Option<&HostInfo>) {
        let now = Some((guest.clone(), host.cloned()));
        let before = self.shown.replace(now.clone());
        if before == now {
            return;
        }
        self.live.show(guest, host, before.is_none());
        self.snapshot.set_sensitive(guest.state != GuestState::Unavailable);
    }

    /// Shows the values of the core again: it refused those that were wished.
    pub fn revert(&self) {
        if let Some((guest, host)) = &*self.shown.borrow() {
            self.live.show(guest, host.as_ref(), true);
        }
    }
}
