//! What a guest is and does at one glance, its media and its disks.

use super::addresses::AddressRow;
use super::usage::UsagePanel;
use super::{GuestWish, drive};
use crate::actions::Action;
use crate::calls::Wish;
use crate::model::{install, state};
use crate::widgets::{decoration, icon_button, local_time, text_button};
use adw::prelude::*;
use gtk::glib;
use hv_api::{DiskInfo, DriveInfo, GuestInfo, GuestState, Settings};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};
use virt_kit::words::file_name;

/// The page.
pub struct OverviewPage {
    root: gtk::ScrolledWindow,
    wish: Rc<dyn Fn(GuestWish)>,
    title: gtk::Label,
    icon: gtk::Image,
    state: gtk::Label,
    console: gtk::Button,
    name: adw::EntryRow,
    name_error: gtk::Label,
    shown_name: Rc<RefCell<String>>,
    about: adw::PreferencesGroup,
    resources: adw::ActionRow,
    media: Rows<DriveInfo>,
    disks: Rows<DiskInfo>,
    /// What it uses.
    pub usage: UsagePanel,
}

impl std::fmt::Debug for OverviewPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OverviewPage").finish_non_exhaustive()
    }
}

/// A group whose rows are made anew when what they show has changed.
struct Rows<T> {
    group: adw::PreferencesGroup,
    shown: RefCell<Vec<T>>,
    widgets: RefCell<Vec<adw::ActionRow>>,
}

impl<T: Clone + PartialEq> Rows<T> {
    fn new(title: &str) -> Self {
        let group = adw::PreferencesGroup::builder().title(title).build();
        Self { group, shown: RefCell::default(), widgets: RefCell::default() }
    }

    fn show(&self, things: &[T], row: impl Fn(&T) -> adw::ActionRow) {
        self.group.set_visible(!things.is_empty());
        if *self.shown.borrow() == things {
            return;
        }
        self.shown.replace(things.to_vec());
        for old in self.widgets.take() {
            self.group.remove(&old);
        }
        let new: Vec<_> = things.iter().map(row).collect();
        for row in &new {
            self.group.add(row);
        }
        self.widgets.replace(new);
    }
}

impl OverviewPage {
    /// The page; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        // The whole name is in the row beneath.
        let title = gtk::Label::builder()
            .wrap(true)
            .wrap_mode(gtk::pango::WrapMode::WordChar)
            .lines(3)
            .ellipsize(gtk::pango::EllipsizeMode::End)
            .xalign(0.0)
            .css_classes(["title-1"])
            .build();
        let icon = gtk::Image::builder().accessible_role(gtk::AccessibleRole::Presentation).build();
        let state = gtk::Label::builder().xalign(0.0).wrap(true).build();
        // A label that wraps has two least heights, a pixel apart, of which GTK 4.8 complains.
        let state_line = gtk::Box::builder().spacing(6).height_request(24).build();
        state_line.append(&icon);
        state_line.append(&state);
        let words = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(6)
            .hexpand(true)
            .valign(gtk::Align::Center)
            .build();
        words.append(&title);
        words.append(&state_line);
        let console = text_button(&gettext("Open Console"), &["pill"]);
        console.set_action_name(Some(&Action::OpenConsole.full_name()));
        let head = gtk::Box::builder().spacing(12).build();
        head.append(&words);
        head.append(&console);

        let name = adw::EntryRow::builder().title(gettext("Name")).show_apply_button(true).build();
        let name_error = gtk::Label::builder()
            .xalign(0.0)
            .wrap(true)
            .visible(false)
            .css_classes(["error", "caption"])
            .build();
        let resources = adw::ActionRow::builder().title(gettext("Processor and Memory")).build();
        let about = adw::PreferencesGroup::new();
        about.add(&name);
        about.add(&resources);
        let addresses = Rc::new(AddressRow::new());
        about.add(addresses.widget());
        let about_box = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(6).build();
        about_box.append(&about);
        about_box.append(&name_error);

        let media = Rows::new(&gettext("Removable Media"));
        let disks = Rows::new(&gettext("Disks"));
        let layout = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(24)
            .margin_top(24)
            .margin_bottom(24)
            .margin_start(12)
            .margin_end(12)
            .build();
        let usage = UsagePanel::new();
        usage.connect_measured(move |measured| addresses.show(measured));
        layout.append(&head);
        layout.append(usage.widget());
        layout.append(&about_box);
        layout.append(&media.group);
        layout.append(&disks.group);
        let root = gtk::ScrolledWindow::builder()
            .hscrollbar_policy(gtk::PolicyType::Never)
            .child(&adw::Clamp::builder().maximum_size(640).child(&layout).build())
            .build();
        let shown_name: Rc<RefCell<String>> = Rc::default();
        let this = Self {
            root,
            wish: Rc::clone(wish),
            title,
            icon,
            state,
            console,
            name,
            name_error,
            shown_name,
            about,
            resources,
            media,
            disks,
            usage,
        };
        this.listen();
        this
    }

    fn listen(&self) {
        self.name.connect_apply({
            let wish = Rc::clone(&self.wish);
            move |row| {
                let name = row.text().trim().to_owned();
                wish(GuestWish::Core(Wish::Set(Settings { name: Some(name), ..Settings::default() })));
            }
        });
        self.name.connect_changed({
            let error = self.name_error.clone();
            move |row| {
                error.set_visible(false);
                row.remove_css_class("error");
            }
        });
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::ScrolledWindow {
        &self.root
    }

    /// Shows a guest; `another` where it is not the one that was shown before.
    pub fn show(&self, guest: &GuestInfo, another: bool) {
        self.title.set_label(&guest.name);
        self.icon.set_icon_name(Some(state::icon(guest.state)));
        self.state.set_label(&state_sentence(guest));
        let style = state::style(guest.state);
        for widget in [self.icon.upcast_ref::<gtk::Widget>(), self.state.upcast_ref()] {
            widget.set_css_classes(if style.is_empty() { &[] } else { std::slice::from_ref(&style) });
        }
        let runs = state::has_machine(guest.state);
        if runs {
            self.console.add_css_class("suggested-action");
        } else {
            self.console.remove_css_class("suggested-action");
        }
        if another || *self.shown_name.borrow() != guest.name {
            self.shown_name.replace(guest.name.clone());
            self.name.set_text(&guest.name);
            self.name_error.set_visible(false);
            self.name.remove_css_class("error");
        }
        let known = guest.state != GuestState::Unavailable;
        self.about.set_visible(known);
        self.resources.set_subtitle(&match state::accelerator(guest) {
            Some(accelerator) => format!("{}\n{accelerator}", state::resources(guest)),
            None => state::resources(guest),
        });
        let several = guest.drives.len() > 1;
        self.media.show(&guest.drives, |drive| drive::row(drive, several, None, &self.wish));
        self.disks.show(&guest.disks, |disk| self.disk_row(disk));
    }

    /// Puts the cursor into the name.
    pub fn edit_name(&self) {
        self.name.grab_focus();
        self.name.select_region(0, -1);
    }

    /// Says beneath the name why the core refused it.
    pub fn refuse_name(&self, reason: &str) {
        self.name_error.set_label(reason);
        self.name_error.set_visible(true);
        self.name.add_css_class("error");
        self.name.update_property(&[gtk::accessible::Property::Description(reason)]);
    }

    fn disk_row(&self, disk: &DiskInfo) -> adw::ActionRow {
        let row = adw::ActionRow::builder()
            .use_markup(false)
            .title(file_name(&disk.path))
            .subtitle_lines(4)
            .build();
        row.add_prefix(&decoration("drive-harddisk-symbolic"));
        let size = disk.size.map_or_else(|| gettext("The file could not be read"), |size| size.to_string());
        row.set_tooltip_text(Some(&disk.path));
        let folder = Path::new(&disk.path).parent();
        row.set_subtitle(&format!(
            "{size} · {}\n{}",
            disk.format,
            folder.map(short_folder).unwrap_or_default()
        ));
        if let Some(folder) = folder {
            let open = icon_button("folder-open-symbolic", &gettext("Open Folder"));
            open.add_css_class("flat");
            open.connect_clicked({
                let (wish, folder) = (Rc::clone(&self.wish), folder.to_owned());
                move |_| wish(GuestWish::OpenFolder(folder.clone()))
            });
            row.add_suffix(&open);
        }
        row
    }
}

/// A folder as people write it: their own begins with `~`.
fn short_folder(folder: &Path) -> String {
    match folder.strip_prefix(glib::home_dir()) {
        Ok(within) if within.as_os_str().is_empty() => "~".to_owned(),
        Ok(within) => format!("~/{}", within.display()),
        Err(_elsewhere) => folder.display().to_string(),
    }
}

/// `Running since 14:03`; the time is written once and needs no clock.
fn state_sentence(guest: &GuestInfo) -> String {
    let word = install::word(guest);
    let Some(since) = local_time(guest.since) else { return word };
    // Translators: {state} is a guest's state, as in "Running since 14:03".
    gettext_f("{state} since {time}", &[("state", &word), ("time", &since)])
}
