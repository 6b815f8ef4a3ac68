//! The guest's disks and drives: a row for each, which opens to what can be changed of it. Each value says when it
//! takes effect before it is touched, and what the core refuses is said at the row.

use super::{GuestWish, disk_dialogs, drive};
use crate::calls::Wish;
use crate::model::disk::{self as words, BUSES, CACHES};
use crate::widgets::{badge, decoration, file_name, icon_button, text_button};
use adw::prelude::*;
use gtk::glib;
use hv_api::{DiskInfo, DiskSettings, DriveInfo, GuestInfo, GuestState};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// The group.
pub struct DisksGroup {
    root: adw::PreferencesGroup,
    wish: Rc<dyn Fn(GuestWish)>,
    guest: Rc<RefCell<Option<GuestInfo>>>,
    disks: RefCell<BTreeMap<String, DiskRow>>,
    /// In their order.
    order: RefCell<Vec<String>>,
    rest: RefCell<Rest>,
}

/// What is beneath the disks.
#[derive(Default)]
struct Rest {
    shows: (Vec<(String, String)>, Vec<DriveInfo>),
    rows: Vec<adw::ActionRow>,
}

impl std::fmt::Debug for DisksGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DisksGroup").field("order", &self.order).finish_non_exhaustive()
    }
}

/// What is asked about a disk in a window of its own.
type Question = fn(&gtk::Window, &GuestInfo, &DiskInfo, &Rc<dyn Fn(GuestWish)>);

/// One disk.
struct DiskRow {
    row: adw::ExpanderRow,
    waits: gtk::Label,
    size: adw::ActionRow,
    grow: gtk::Button,
    bus: adw::ComboRow,
    cache: adw::ComboRow,
    discard: gtk::Switch,
    read_only: gtk::Switch,
    shareable: gtk::Switch,
    serial: adw::EntryRow,
    file: adw::ActionRow,
    /// Those that say when a changed setting takes effect.
    badges: Vec<gtk::Label>,
    removal: gtk::Label,
    disk: Rc<RefCell<DiskInfo>>,
    /// Set while values of the core are shown, which nobody has chosen.
    quiet: Rc<Cell<bool>>,
    error: gtk::Label,
}

impl DisksGroup {
    /// The group; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let root = adw::PreferencesGroup::builder()
            .title(glib::markup_escape_text(&gettext("Disks & Drives")))
            .build();
        let add = text_button(&gettext("Add Disk…"), &["flat"]);
        root.set_header_suffix(Some(&add));
        let guest: Rc<RefCell<Option<GuestInfo>>> = Rc::default();
        add.connect_clicked({
            let (wish, guest) = (Rc::clone(wish), Rc::clone(&guest));
            move |button| {
                if let (Some(guest), Some(window)) = (&*guest.borrow(), window_of(button)) {
                    disk_dialogs::add(&window, guest, &wish);
                }
            }
        });
        Self {
            root,
            wish: Rc::clone(wish),
            guest,
            disks: RefCell::default(),
            order: RefCell::default(),
            rest: RefCell::default(),
        }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Shows a guest; `anew` drops what somebody has begun to change.
    pub fn show(&self, guest: &GuestInfo, anew: bool) {
        self.guest.replace(Some(guest.clone()));
        self.root.set_visible(guest.state != GuestState::Unavailable);
        let names: Vec<String> = guest.disks.iter().map(|disk| disk.name.clone()).collect();
        if anew || *self.order.borrow() != names {
            self.lay_out_disks(guest, anew);
            self.order.replace(names);
            self.lay_out_rest(guest);
        } else if self.rest.borrow().shows != Rest::of(guest) {
            self.lay_out_rest(guest);
        }
        let disks = self.disks.borrow();
        for disk in &guest.disks {
            if let Some(row) = disks.get(&disk.name) {
                row.show(guest, disk);
            }
        }
    }

    /// Says at a disk's row why the core refused what was wished for it.
    pub fn refuse(&self, disk: &str, reason: &str) {
        let guest = self.guest.borrow();
        let disks = self.disks.borrow();
        let (Some(guest), Some(row)) = (&*guest, disks.get(disk)) else { return };
        if let Some(disk) = guest.disks.iter().find(|other| other.name == disk) {
            row.show(guest, disk);
        }
        row.refuse(reason);
    }

    /// Puts the disks in their order. A row stays what it is while its disk is there: open, and with the focus.
    fn lay_out_disks(&self, guest: &GuestInfo, anew: bool) {
        self.clear_rest();
        let mut old = self.disks.take();
        for row in old.values() {
            self.root.remove(&row.row);
        }
        let mut disks = BTreeMap::new();
        for disk in &guest.disks {
            let kept = old.remove(&disk.name).filter(|_| !anew);
            let row = kept.unwrap_or_else(|| DiskRow::new(disk, &self.wish, &self.guest));
            self.root.add(&row.row);
            disks.insert(disk.name.clone(), row);
        }
        self.disks.replace(disks);
    }

    fn clear_rest(&self) {
        for row in self.rest.take().rows {
            self.root.remove(&row);
        }
    }

    /// Puts what is beneath the disks: those that the machine has yet, and the drives.
    fn lay_out_rest(&self, guest: &GuestInfo) {
        self.clear_rest();
        let shows = Rest::of(guest);
        let several = guest.drives.len() > 1;
        let leaving = shows.0.iter().map(|(name, path)| leaving_row(name, path));
        let drives = guest
            .drives
            .iter()
            .map(|drive| drive::row(drive, several, Some(&badge(&gettext("Now"))), &self.wish));
        let rows: Vec<adw::ActionRow> = leaving.chain(drives).collect();
        for row in &rows {
            self.root.add(row);
        }
        self.rest.replace(Rest { shows, rows });
    }
}

impl Rest {
    /// What is to be seen of a guest beneath its disks.
    fn of(guest: &GuestInfo) -> (Vec<(String, String)>, Vec<DriveInfo>) {
        (words::leaving(guest), guest.drives.clone())
    }
}

/// A disk that is removed, and that the running machine has yet.
fn leaving_row(name: &str, path: &str) -> adw::ActionRow {
    let row = adw::ActionRow::builder().title(file_name(path)).use_markup(false).build();
    row.set_subtitle(&gettext_f("{disk} · removed, the running guest has it yet", &[("disk", name)]));
    row.add_prefix(&decoration("drive-harddisk-symbolic"));
    row.add_suffix(&badge(&gettext("At next start")));
    row
}

impl DiskRow {
    fn new(disk: &DiskInfo, wish: &Rc<dyn Fn(GuestWish)>, guest: &Rc<RefCell<Option<GuestInfo>>>) -> Self {
        let row = adw::ExpanderRow::builder().use_markup(false).build();
        row.add_prefix(&decoration("drive-harddisk-symbolic"));
        let waits = badge(&gettext("At next start"));
        row.add_action(&waits);
        let quiet = Rc::new(Cell::new(true));
        let set: Rc<dyn Fn(DiskSettings)> = {
            let (wish, quiet, disk) = (Rc::clone(wish), Rc::clone(&quiet), disk.name.clone());
            Rc::new(move |settings| {
                if !quiet.get() {
                    wish(GuestWish::Core(Wish::SetDisk { disk: disk.clone(), settings }));
                }
            })
        };
        let shown = Rc::new(RefCell::new(disk.clone()));
        // What a button opens: a question about the disk as it is then.
        let ask = |open: Question| {
            let (wish, guest, disk) = (Rc::clone(wish), Rc::clone(guest), Rc::clone(&shown));
            move |button: &gtk::Button| {
                if let (Some(guest), Some(window)) = (&*guest.borrow(), window_of(button)) {
                    open(&window, guest, &disk.borrow(), &wish);
                }
            }
        };
        let error = gtk::Label::builder()
            .xalign(0.0)
            .wrap(true)
            .visible(false)
            .css_classes(["error", "caption"])
            .margin_top(9)
            .margin_bottom(9)
            .margin_start(12)
            .margin_end(12)
            .build();
        row.add_row(&adw::PreferencesRow::builder().child(&error).activatable(false).visible(false).build());

        let size = adw::ActionRow::builder().title(gettext("Size")).build();
        let grow = text_button(&gettext("Grow…"), &[]);
        grow.connect_clicked(ask(disk_dialogs::grow));
        size.add_suffix(&badge(&gettext("Now")));
        size.add_suffix(&grow);
        row.add_row(&size);

        let bus = choice(&gettext("Attached To"), &BUSES.map(words::bus), {
            let set = Rc::clone(&set);
            move |place| set(DiskSettings { bus: BUSES.get(place).copied(), ..DiskSettings::default() })
        });
        let cache = choice(&gettext("Cache"), &CACHES.map(words::cache), {
            let set = Rc::clone(&set);
            move |place| set(DiskSettings { cache: CACHES.get(place).copied(), ..DiskSettings::default() })
        });
        let (discard_row, discard) = switch(
            &gettext("Give Deleted Space Back"),
            &gettext("What the guest deletes takes up no room on this computer"),
            &set,
            |on| DiskSettings { discard: Some(on), ..DiskSettings::default() },
        );
        let (read_only_row, read_only) = switch(&gettext("Read Only"), "", &set, |on| DiskSettings {
            read_only: Some(on),
            ..DiskSettings::default()
        });
        let (shareable_row, shareable) = switch(
            &gettext("Shared with Other Guests"),
            &gettext("For systems that know of each other; raw disks only"),
            &set,
            |on| DiskSettings { shareable: Some(on), ..DiskSettings::default() },
        );
        let serial = adw::EntryRow::builder().title(gettext("Serial Number")).show_apply_button(true).build();
        serial.connect_apply({
            let set = Rc::clone(&set);
            move |row| {
                set(DiskSettings { serial: Some(row.text().trim().to_owned()), ..DiskSettings::default() });
            }
        });
        let mut badges = Vec::new();
        for row in [
            bus.upcast_ref::<adw::ActionRow>(),
            cache.upcast_ref(),
            &discard_row,
            &read_only_row,
            &shareable_row,
        ] {
            let badge = badge("");
            row.add_suffix(&badge);
            badges.push(badge);
        }
        // Suffixes stand in the order in which they came; a switch belongs at the end.
        for (row, switch) in
            [(&discard_row, &discard), (&read_only_row, &read_only), (&shareable_row, &shareable)]
        {
            row.add_suffix(switch);
        }
        let of_serial = badge("");
        serial.add_suffix(&of_serial);
        badges.push(of_serial);
        row.add_row(&bus);
        row.add_row(&cache);
        for other in [&discard_row, &read_only_row, &shareable_row] {
            row.add_row(other);
        }
        row.add_row(&serial);

        let file =
            adw::ActionRow::builder().title(gettext("File")).use_markup(false).subtitle_lines(4).build();
        let open = icon_button("folder-open-symbolic", &gettext("Open Folder"));
        open.add_css_class("flat");
        open.connect_clicked({
            let (wish, disk) = (Rc::clone(wish), Rc::clone(&shown));
            move |_| {
                if let Some(folder) = Path::new(&disk.borrow().path).parent() {
                    wish(GuestWish::OpenFolder(folder.to_owned()));
                }
            }
        });
        file.add_suffix(&open);
        row.add_row(&file);
        let removal = badge("");
        let remove = text_button(&gettext("Remove…"), &["destructive-action"]);
        remove.connect_clicked(ask(disk_dialogs::remove));
        let last = adw::ActionRow::builder()
            .title(gettext("Remove Disk"))
            .subtitle(gettext("Its file stays unless you choose otherwise"))
            .build();
        last.add_suffix(&removal);
        last.add_suffix(&remove);
        row.add_row(&last);
        Self {
            row,
            waits,
            size,
            grow,
            bus,
            cache,
            discard,
            read_only,
            shareable,
            serial,
            file,
            badges,
            removal,
            error,
            disk: shown,
            quiet,
        }
    }

    fn show(&self, guest: &GuestInfo, disk: &DiskInfo) {
        self.quiet.set(true);
        let before = self.disk.replace(disk.clone());
        self.row.set_title(&words::title(disk));
        self.row.set_subtitle(&words::summary(disk));
        self.waits.set_visible(words::waits(guest, disk));
        self.size.set_subtitle(&words::size(disk));
        let written = matches!(disk.format.as_str(), "qcow2" | "raw");
        self.grow.set_sensitive(written && !disk.read_only && disk.size.is_some());
        self.grow
            .set_tooltip_text((!written).then(|| gettext("Disks of this format are only read")).as_deref());
        let place =
            |found: Option<usize>| found.and_then(|place| u32::try_from(place).ok()).unwrap_or_default();
        self.bus.set_selected(place(BUSES.iter().position(|bus| *bus == disk.bus)));
        self.cache.set_selected(place(CACHES.iter().position(|cache| *cache == disk.cache)));
        self.discard.set_active(disk.discard);
        self.read_only.set_active(disk.read_only);
        self.read_only.set_sensitive(written);
        self.shareable.set_active(disk.shareable);
        self.shareable.set_sensitive(disk.format == "raw");
        if before.serial != disk.serial || self.serial.text().is_empty() {
            self.serial.set_text(disk.serial.as_deref().unwrap_or_default());
        }
        self.file.set_subtitle(&disk.path);
        let when = words::when_set(guest);
        for badge in &self.badges {
            badge.set_label(&when);
        }
        self.removal.set_label(&words::when_removed(guest, disk));
        if before != *disk {
            self.forget_refusal();
        }
        self.quiet.set(false);
    }

    fn refuse(&self, reason: &str) {
        self.error.set_label(reason);
        self.set_refused(true);
        self.row.set_expanded(true);
        self.row.update_property(&[gtk::accessible::Property::Description(reason)]);
    }

    fn forget_refusal(&self) {
        self.set_refused(false);
        self.row.reset_property(gtk::AccessibleProperty::Description);
    }

    fn set_refused(&self, refused: bool) {
        self.error.set_visible(refused);
        if let Some(row) = self.error.ancestor(adw::PreferencesRow::static_type()) {
            row.set_visible(refused);
        }
    }
}

/// A row with a few choices; `chosen` hears the place of the one that is chosen.
fn choice<const N: usize>(
    title: &str,
    words: &[String; N],
    chosen: impl Fn(usize) + 'static,
) -> adw::ComboRow {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let row = adw::ComboRow::builder().title(title).model(&gtk::StringList::new(&words)).build();
    row.connect_selected_notify(move |row| chosen(row.selected() as usize));
    row
}

/// A row with a switch, which its caller puts at the row's end.
fn switch(
    title: &str,
    subtitle: &str,
    set: &Rc<dyn Fn(DiskSettings)>,
    settings: fn(bool) -> DiskSettings,
) -> (adw::ActionRow, gtk::Switch) {
    let switch = gtk::Switch::builder().valign(gtk::Align::Center).build();
    switch.update_property(&[gtk::accessible::Property::Label(title)]);
    switch.connect_active_notify({
        let set = Rc::clone(set);
        move |switch| set(settings(switch.is_active()))
    });
    let row = adw::ActionRow::builder().title(title).subtitle(subtitle).activatable_widget(&switch).build();
    (row, switch)
}

fn window_of(widget: &impl IsA<gtk::Widget>) -> Option<gtk::Window> {
    widget.root().and_downcast()
}
