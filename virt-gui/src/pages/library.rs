//! The list of guests with its search, at the left of the window.

use crate::actions::Action;
use crate::model::row::{Row, Search};
use crate::widgets::guest_list::{GuestList, ListNews};
use crate::widgets::{rename, text_button};
use adw::prelude::*;
use hv_api::GuestId;
use virt_kit::i18n::gettext;

/// The page.
#[derive(Debug)]
pub struct LibraryPage {
    root: gtk::Box,
    header: adw::HeaderBar,
    list: GuestList,
    stack: gtk::Stack,
    bar: gtk::SearchBar,
    entry: gtk::SearchEntry,
    summary: gtk::Label,
}

impl LibraryPage {
    /// The page; `tell` hears what people do with the list, `search` each new text.
    pub fn new(
        menu: &gtk::MenuButton,
        tell: impl Fn(ListNews) + 'static,
        search: impl Fn(String) + 'static,
    ) -> Self {
        let list = GuestList::new(tell);
        let header = adw::HeaderBar::builder()
            .title_widget(&adw::WindowTitle::new(&gettext("Guesthouse"), ""))
            .build();
        let new = gtk::Button::builder()
            .child(
                &adw::ButtonContent::builder().icon_name("list-add-symbolic").label(gettext("New")).build(),
            )
            .action_name(Action::New.full_name())
            .build();
        rename(&new, &gettext("New Guest"));
        let find = gtk::ToggleButton::builder().icon_name("edit-find-symbolic").build();
        rename(&find, &gettext("Search"));
        header.pack_start(&new);
        header.pack_end(menu);
        header.pack_end(&find);

        let entry = gtk::SearchEntry::builder()
            .placeholder_text(gettext("Name, system or state"))
            .hexpand(true)
            .build();
        entry.update_property(&[gtk::accessible::Property::Label(&gettext("Search guests"))]);
        entry.connect_search_changed(move |entry| search(entry.text().into()));
        let bar = gtk::SearchBar::builder().child(&entry).build();
        bar.connect_entry(&entry);
        bar.set_key_capture_widget(Some(list.widget()));
        find.bind_property("active", &bar, "search-mode-enabled").bidirectional().sync_create().build();

        let scroll = gtk::ScrolledWindow::builder()
            .child(list.widget())
            .hscrollbar_policy(gtk::PolicyType::Never)
            .vexpand(true)
            .build();
        let clear = text_button(&gettext("Clear Search"), &["pill"]);
        clear.set_halign(gtk::Align::Center);
        clear.connect_clicked({
            let entry = entry.clone();
            move |_| entry.set_text("")
        });
        let nothing = nothing_found(&clear);
        let stack = gtk::Stack::builder().vexpand(true).build();
        stack.add_named(&scroll, Some("list"));
        stack.add_named(&nothing, Some("nothing"));

        let summary = gtk::Label::builder().css_classes(["caption", "dim-label", "summary"]).build();
        let root = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .width_request(300)
            .hexpand(false)
            .css_classes(["sidebar-pane"])
            .build();
        root.append(&header);
        root.append(&bar);
        root.append(&stack);
        root.append(&summary);
        Self { root, header, list, stack, bar, entry, summary }
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::Box {
        &self.root
    }

    /// Shows exactly these rows.
    pub fn fill(&mut self, rows: Vec<Row>) {
        self.list.fill(rows);
        self.show_what_is_found();
    }

    /// Shows this row in place of the guest's former one; `None` takes it out.
    pub fn put(&mut self, id: GuestId, row: Option<Row>) {
        match row {
            Some(row) => self.list.put(row),
            None => self.list.remove(id),
        }
        self.show_what_is_found();
    }

    /// Says how many there are.
    pub fn summarize(&self, summary: &str) {
        if self.summary.label() != summary {
            self.summary.set_label(summary);
        }
    }

    /// Selects a guest.
    pub fn select(&self, id: Option<GuestId>) {
        self.list.select(id);
    }

    /// Shows the window's buttons while nothing is beside the list.
    pub fn set_folded(&self, folded: bool) {
        self.header.set_show_end_title_buttons(folded);
    }

    /// Opens the search field.
    pub fn open_search(&self) {
        self.bar.set_search_mode(true);
        self.entry.grab_focus();
    }

    /// Shows what is found by this text.
    pub fn search(&self, text: &str) {
        self.list.search(Search::new(text));
        self.show_what_is_found();
    }

    fn show_what_is_found(&self) {
        self.stack.set_visible_child_name(if self.list.finds_nothing() { "nothing" } else { "list" });
    }
}

/// What is shown when a search finds nothing: a status page is too wide for the place.
fn nothing_found(clear: &gtk::Button) -> gtk::Box {
    let icon = gtk::Image::builder()
        .icon_name("edit-find-symbolic")
        .pixel_size(64)
        .accessible_role(gtk::AccessibleRole::Presentation)
        .css_classes(["dim-label"])
        .build();
    let words = |text: &str, class: &str| {
        gtk::Label::builder()
            .label(text)
            .wrap(true)
            .justify(gtk::Justification::Center)
            .max_width_chars(30)
            .css_classes([class])
            .build()
    };
    let page = gtk::Box::builder()
        .orientation(gtk::Orientation::Vertical)
        .spacing(12)
        .valign(gtk::Align::Center)
        .margin_start(12)
        .margin_end(12)
        .build();
    page.append(&icon);
    page.append(&words(&gettext("Nothing Found"), "title-2"));
    page.append(&words(&gettext("No guest has this name, system or state."), "body"));
    page.append(clear);
    page
}
