//! The guest's disks and drives: a row for each, which opens to what can be changed of it. Each value says when it
//! takes effect before it is touched, and what the core refuses is said at the row.

use super::{GuestWish, disk_dialogs, drive};
use crate::calls::Wish;
use crate::model::disk::{self as words, BUSES, CACHES};
use crate::model::hardware::when_fixed;
use crate::widgets::setting_row::{ChoiceRow, SwitchRow};
use crate::widgets::{badge, decoration, icon_button, text_button};
use adw::prelude::*;
use gtk::glib;
use hv_api::{DiskBus, DiskCache, DiskInfo, DiskSettings, DriveInfo, GuestInfo, GuestState};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};
use virt_kit::words::file_name;

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
    bus: ChoiceRow<DiskBus>,
    cache: ChoiceRow<DiskCache>,
    discard: SwitchRow,
    read_only: SwitchRow,
    shareable: SwitchRow,
    serial: adw::EntryRow,
    of_serial: gtk::Label,
    file: adw::ActionRow,
    removal: gtk::Label,
    disk: Rc<RefCell<DiskInfo>>,
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
        let set: Rc<dyn Fn(DiskSettings)> = {
            let (wish, disk) = (Rc::clone(wish), disk.name.clone());
            Rc::new(move |settings| wish(GuestWish::Core(Wish::SetDisk { disk: disk.clone(), settings })))
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
        grow.connect_clicked(ask(|parent, _guest, disk, wish| disk_dialogs::grow(parent, disk, wish)));
        size.add_suffix(&badge(&gettext("Now")));
        size.add_suffix(&grow);
        row.add_row(&size);

        let bus = ChoiceRow::new(&gettext("Attached To"), &BUSES, words::bus, {
            let set = Rc::clone(&set);
            move |bus| set(DiskSettings { bus: Some(bus), ..DiskSettings::default() })
        });
        let cache = ChoiceRow::new(&gettext("Cache"), &CACHES, words::cache, {
            let set = Rc::clone(&set);
            move |cache| set(DiskSettings { cache: Some(cache), ..DiskSettings::default() })
        });
        let switch = |title: &str, subtitle: &str, settings: fn(bool) -> DiskSettings| {
            let set = Rc::clone(&set);
            SwitchRow::new(title, subtitle, move |on| set(settings(on)))
        };
        let discard = switch(
            &gettext("Give Deleted Space Back"),
            &gettext("What the guest deletes takes up no room on this computer"),
            |on| DiskSettings { discard: Some(on), ..DiskSettings::default() },
        );
        let read_only = switch(&gettext("Read Only"), "", |on| DiskSettings {
            read_only: Some(on),
            ..DiskSettings::default()
        });
        let shareable = switch(
            &gettext("Shared with Other Guests"),
            &gettext("For systems that know of each other; raw disks only"),
            |on| DiskSettings { shareable: Some(on), ..DiskSettings::default() },
        );
        let serial = adw::EntryRow::builder().title(gettext("Serial Number")).show_apply_button(true).build();
        serial.connect_apply({
            let set = Rc::clone(&set);
            move |row| {
                set(DiskSettings { serial: Some(row.text().trim().to_owned()), ..DiskSettings::default() });
            }
        });
        let of_serial = badge("");
        serial.add_suffix(&of_serial);
        row.add_row(bus.widget());
        row.add_row(cache.widget());
        for other in [&discard, &read_only, &shareable] {
            row.add_row(other.widget());
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
            of_serial,
            removal,
            error,
            disk: shown,
        }
    }

    fn show(&self, guest: &GuestInfo, disk: &DiskInfo) {
        let before = self.disk.replace(disk.clone());
        self.row.set_title(&words::name(disk));
        self.row.set_subtitle(&words::summary(disk));
        self.waits.set_visible(words::waits(guest, disk));
        self.size.set_subtitle(&words::size(disk));
        let written = matches!(disk.format.as_str(), "qcow2" | "raw");
        let is_partial = !disk.partitions.is_empty();
        self.grow.set_sensitive(written && !disk.read_only && disk.size.is_some() && !is_partial);
        self.grow
            .set_tooltip_text((!written).then(|| gettext("Disks of this format are only read")).as_deref());
        let when = when_fixed(guest);
        self.bus.show(disk.bus, &when);
        self.cache.show(disk.cache, &when);
        self.discard.show(disk.discard, &when);
        self.read_only.show(disk.read_only, &when);
        self.read_only.set_sensitive(written);
        self.shareable.show(disk.shareable, &when);
        self.shareable.set_sensitive(disk.format == "raw" && !is_partial);
        self.of_serial.set_label(&when);
        if before.serial != disk.serial || self.serial.text().is_empty() {
            self.serial.set_text(disk.serial.as_deref().unwrap_or_default());
        }
        self.file.set_subtitle(&disk.path);
        self.removal.set_label(&words::when_removed(guest, disk));
        if before != *disk {
            self.forget_refusal();
        }
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

fn window_of(widget: &impl IsA<gtk::Widget>) -> Option<gtk::Window> {
    widget.root().and_downcast()
}
