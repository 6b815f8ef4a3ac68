//! The guest's snapshots: a tree of them with where the guest is now, and what can be done with each.

use super::GuestWish;
use crate::model::snapshots::{self, Row};
use crate::widgets::{decoration, icon_button, local_time, rename, text_button};
use adw::prelude::*;
use gdk_pixbuf::Pixbuf;
use gtk::{gdk, gio, glib};
use hv_api::{GuestInfo, GuestState, SnapshotId, SnapshotInfo};
use std::cell::RefCell;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// How far a row stands to the right of that after which it comes, in pixels.
const STEP: i32 = 24;

/// The width of a picture in a row, in pixels. It is read larger, for screens on which a pixel is several dots.
const PICTURE: i32 = 56;

/// Something that is asked about before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Take one?
    Take,
    /// Put the guest back to this one?
    Restore(SnapshotId),
    /// Another name or note for this one?
    Edit(SnapshotId),
    /// Delete this one?
    Delete(SnapshotId),
    /// Make another guest of it, as it is now or was in a snapshot?
    Clone(Option<SnapshotId>),
    /// Which USB device of this computer's shall it have?
    AddUsb,
    /// Give it a PCI device of this computer's.
    AddPci,
}

/// The page.
pub struct SnapshotsPage {
    root: gtk::Stack,
    group: adw::PreferencesGroup,
    take: gtk::Button,
    take_first: gtk::Button,
    shown: RefCell<Option<(Vec<Row>, GuestState)>>,
    rows: RefCell<Vec<adw::ActionRow>>,
    wish: Rc<dyn Fn(GuestWish)>,
}

impl std::fmt::Debug for SnapshotsPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotsPage").finish_non_exhaustive()
    }
}

impl SnapshotsPage {
    /// The page; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let ask = |button: &gtk::Button, question: Question| {
            let wish = Rc::clone(wish);
            button.connect_clicked(move |_| wish(GuestWish::Ask(question)));
        };
        let take_first = text_button(&gettext("Take Snapshot…"), &["pill", "suggested-action"]);
        take_first.set_halign(gtk::Align::Center);
        ask(&take_first, Question::Take);
        let none = adw::StatusPage::builder()
            .icon_name("document-open-recent-symbolic")
            .title(gettext("No Snapshots"))
            .description(gettext(
                "A snapshot keeps the guest as it is now, with its disks, and while it runs with its memory. Whatever you try then, you can go back.",
            ))
            .child(&take_first)
            .build();

        let take = text_button(&gettext("Take Snapshot…"), &[]);
        take.set_margin_start(12);
        ask(&take, Question::Take);
        let group = adw::PreferencesGroup::builder()
            .title(gettext("Snapshots"))
            .description(gettext("Each stands beneath the one after which it was taken."))
            .header_suffix(&take)
            .build();
        let page = adw::PreferencesPage::new();
        page.add(&group);
        let root = gtk::Stack::builder().vhomogeneous(false).build();
        root.add_named(&none, Some("none"));
        root.add_named(&page, Some("tree"));
        Self {
            root,
            group,
            take,
            take_first,
            shown: RefCell::default(),
            rows: RefCell::default(),
            wish: Rc::clone(wish),
        }
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::Stack {
        &self.root
    }

    /// Shows a guest.
    pub fn show(&self, guest: &GuestInfo) {
        let now = Some((snapshots::rows(guest), guest.state));
        if *self.shown.borrow() == now {
            return;
        }
        let refusal = snapshots::take_refusal(guest.state);
        for button in [&self.take, &self.take_first] {
            button.set_sensitive(refusal.is_none());
            button.set_tooltip_text(refusal.as_deref());
        }
        self.root.set_visible_child_name(if guest.snapshots.is_empty() { "none" } else { "tree" });
        for old in self.rows.take() {
            self.group.remove(&old);
        }
        let rows: Vec<_> = now.iter().flat_map(|(rows, _)| rows).map(|row| self.row(row, guest)).collect();
        for row in &rows {
            self.group.add(row);
        }
        self.rows.replace(rows);
        self.shown.replace(now);
    }

    fn row(&self, row: &Row, guest: &GuestInfo) -> adw::ActionRow {
        let widget = match &row.snapshot {
            Some(snapshot) => self.snapshot(snapshot, guest),
            None => now(),
        };
        // An icon within the row, so that its lines go on from one edge to the other.
        let step =
            gtk::Box::builder().width_request(STEP * i32::try_from(row.depth).unwrap_or_default()).build();
        widget.add_prefix(&step);
        step.set_visible(row.depth > 0);
        widget
    }

    fn snapshot(&self, snapshot: &SnapshotInfo, guest: &GuestInfo) -> adw::ActionRow {
        let taken = local_time(snapshot.taken).unwrap_or_default();
        let mut subtitle = snapshots::subtitle(snapshot, &taken);
        if let Some(note) = &snapshot.note {
            subtitle = format!("{subtitle}\n{note}");
        }
        let row = adw::ActionRow::builder()
            .use_markup(false)
            .title(&snapshot.name)
            .title_lines(2)
            .subtitle(subtitle)
            .subtitle_lines(4)
            .build();
        row.add_prefix(&picture(snapshot));
        let restore = icon_button("edit-undo-symbolic", &gettext("Restore…"));
        restore.add_css_class("flat");
        restore.update_property(&[gtk::accessible::Property::Description(&snapshot.name)]);
        restore.connect_clicked({
            let (wish, id) = (Rc::clone(&self.wish), snapshot.id);
            move |_| wish(GuestWish::Ask(Question::Restore(id)))
        });
        let usable = guest.state != GuestState::Unavailable;
        restore.set_sensitive(usable);
        row.add_suffix(&restore);
        let (menu, actions) = self.menu(snapshot, guest);
        row.add_suffix(&menu);
        // Not to the button: screen readers are told all actions of a widget, and pressing it is the button's own.
        row.insert_action_group("snapshot", Some(&actions));
        row
    }

    fn menu(&self, snapshot: &SnapshotInfo, guest: &GuestInfo) -> (gtk::MenuButton, gio::SimpleActionGroup) {
        let group = gio::SimpleActionGroup::new();
        let menu = gio::Menu::new();
        let refused = snapshots::clone_refusal(guest.state).is_some();
        for (name, words, question, enabled) in [
            ("clone", gettext("Clone from Here…"), Question::Clone(Some(snapshot.id)), !refused),
            ("edit", gettext("Name and Note…"), Question::Edit(snapshot.id), true),
            ("delete", gettext("Delete…"), Question::Delete(snapshot.id), true),
        ] {
            let action = gio::SimpleAction::new(name, None);
            action.set_enabled(enabled);
            let wish = Rc::clone(&self.wish);
            action.connect_activate(move |_, _| wish(GuestWish::Ask(question)));
            group.add_action(&action);
            menu.append(Some(&words), Some(&format!("snapshot.{name}")));
        }
        let button = gtk::MenuButton::builder()
            .icon_name("view-more-symbolic")
            .menu_model(&menu)
            .valign(gtk::Align::Center)
            .css_classes(["flat"])
            .build();
        // Translators: the menu of one of a guest's snapshots.
        rename(&button, &gettext_f("More for “{snapshot}”", &[("snapshot", &snapshot.name)]));
        (button, group)
    }
}

/// Where the guest is.
fn now() -> adw::ActionRow {
    let row = adw::ActionRow::builder()
        .title(format!("<b>{}</b>", glib::markup_escape_text(&gettext("Now"))))
        .subtitle(gettext("What the guest is at this moment"))
        .build();
    let icon = decoration("go-next-symbolic");
    icon.set_width_request(PICTURE);
    row.add_prefix(&icon);
    row
}

/// What the guest's display showed, or that it was off.
fn picture(snapshot: &SnapshotInfo) -> gtk::Image {
    let read = |path: &String| Pixbuf::from_file_at_scale(path, 2 * PICTURE, 2 * PICTURE, true).ok();
    let icon = match snapshot.memory {
        Some(_) => "media-playback-start-symbolic",
        None => "system-shutdown-symbolic",
    };
    let picture = decoration(icon);
    // Without a picture, the words stand where they stand with one.
    picture.set_width_request(PICTURE);
    if let Some(read) = snapshot.picture.as_ref().and_then(read) {
        picture.set_paintable(Some(&gdk::Texture::for_pixbuf(&read)));
        picture.set_pixel_size(PICTURE);
    }
    picture
}
