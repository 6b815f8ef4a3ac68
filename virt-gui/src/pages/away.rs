//! What is shown while the core can't be reached: never anything that looks like an empty library.

use crate::widgets::text_button;
use adw::prelude::*;
use virt_kit::i18n::gettext;
use virt_kit::problem::Problem;

/// The page.
#[derive(Debug)]
pub struct AwayPage {
    root: gtk::Box,
    page: adw::StatusPage,
    details: gtk::Button,
}

impl AwayPage {
    /// The page; `start` and `details` are told when their buttons are pressed.
    pub fn new(menu: &gtk::MenuButton, start: impl Fn() + 'static, details: impl Fn() + 'static) -> Self {
        let header = adw::HeaderBar::new();
        header.pack_end(menu);
        let start_button = text_button(&gettext("Start Core"), &["pill", "suggested-action"]);
        start_button.connect_clicked(move |_| start());
        let details_button = text_button(&gettext("Details"), &["pill"]);
        details_button.connect_clicked(move |_| details());
        let buttons = gtk::Box::builder().spacing(12).halign(gtk::Align::Center).build();
        buttons.append(&start_button);
        buttons.append(&details_button);
        let page = adw::StatusPage::builder()
            .icon_name("computer-fail-symbolic")
            .title(gettext("The Hypervisor Core Is Not Running"))
            .child(&buttons)
            .vexpand(true)
            .build();
        let root = gtk::Box::new(gtk::Orientation::Vertical, 0);
        root.append(&header);
        root.append(&page);
        Self { root, page, details: details_button }
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::Box {
        &self.root
    }

    /// Says why; without a problem the core was there and has ended.
    pub fn show(&self, problem: Option<&Problem>) {
        self.details.set_visible(problem.is_some());
        self.page.set_description(Some(&problem.map_or_else(
            || gettext("It has ended. Your guests run on; start it again to see and control them."),
            |problem| format!("{} {}", problem.why, problem.remedy),
        )));
    }
}
