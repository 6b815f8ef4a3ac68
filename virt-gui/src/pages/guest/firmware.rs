//! How the guest starts: its firmware, its TPM, what it tries to start from, and a kernel that is started directly.

use super::GuestWish;
use crate::calls::Wish;
use crate::model::{boot, hardware};
use crate::widgets::dialogs::choose_file;
use crate::widgets::setting_row::{ChoiceRow, SwitchRow, describe};
use crate::widgets::{badge, icon_button, is_typing, text_button};
use adw::prelude::*;
use gtk::glib;
use hv_api::{BootSettings, GuestInfo, GuestState, Settings};
use std::cell::RefCell;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};
use virt_kit::words::{FIRMWARE_KINDS, FirmwareKind, firmware_name};

/// Hears what is wished.
type Set = Rc<dyn Fn(BootSettings)>;

/// The group.
pub struct FirmwareGroup {
    root: adw::PreferencesGroup,
    kind: ChoiceRow<FirmwareKind>,
    tpm: SwitchRow,
    order: Order,
    kernel: KernelRow,
}

impl std::fmt::Debug for FirmwareGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FirmwareGroup").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl FirmwareGroup {
    /// The group; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let set: Set = {
            let wish = Rc::clone(wish);
            Rc::new(move |boot| {
                wish(GuestWish::Core(Wish::Set(Settings { boot: Some(boot), ..Settings::default() })));
            })
        };
        let kind = ChoiceRow::new(&gettext("Firmware"), &FIRMWARE_KINDS, firmware_name, {
            let set = Rc::clone(&set);
            move |kind| set(boot::with_kind(kind))
        });
        kind.widget().set_subtitle_lines(0);
        let tpm = SwitchRow::new(
            &gettext("TPM 2.0"),
            &gettext("A security chip, pretended; Windows 11 asks for one"),
            {
                let set = Rc::clone(&set);
                move |on| set(BootSettings { tpm: Some(on), ..BootSettings::default() })
            },
        );
        let (order, kernel) = (Order::new(&set), KernelRow::new(&set, wish));
        let root = adw::PreferencesGroup::builder()
            .title(glib::markup_escape_text(&gettext("Firmware & Boot")))
            .build();
        root.add(kind.widget());
        root.add(tpm.widget());
        root.add(&order.row);
        root.add(&kernel.row);
        Self { root, kind, tpm, order, kernel }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Shows a guest.
    pub fn show(&self, guest: &GuestInfo) {
        self.root.set_visible(guest.state != GuestState::Unavailable);
        let when = hardware::when_fixed(guest);
        self.kind.show(boot::kind(guest), &when);
        self.kind.widget().set_subtitle(&boot::firmware_hint(guest));
        self.tpm.show(guest.boot.tpm, &when);
        self.order.show(guest, &when);
        self.kernel.show(guest, &when);
    }
}

/// What it tries to start from.
struct Order {
    row: adw::ExpanderRow,
    badge: gtk::Label,
    guest: Rc<RefCell<Option<GuestInfo>>>,
    set: Set,
    rows: RefCell<Vec<DeviceRow>>,
}

/// One device in that order.
struct DeviceRow {
    device: boot::Device,
    row: SwitchRow,
    up: gtk::Button,
    down: gtk::Button,
}

impl Order {
    fn new(set: &Set) -> Self {
        let row = adw::ExpanderRow::builder().title(gettext("Boot Order")).build();
        let badge = badge("");
        row.add_action(&badge);
        Self { row, badge, guest: Rc::default(), set: Rc::clone(set), rows: RefCell::default() }
    }

    fn show(&self, guest: &GuestInfo, when: &str) {
        self.row.set_subtitle(&glib::markup_escape_text(&boot::order_summary(guest)));
        self.badge.set_label(when);
        self.guest.replace(Some(guest.clone()));
        let devices = boot::devices(guest);
        self.row.set_sensitive(!devices.is_empty());
        let same = self.rows.borrow().iter().map(|row| &row.device).eq(&devices);
        if !same {
            self.lay_out(devices);
        }
        let rows = self.rows.borrow();
        let tried = rows.iter().filter(|row| row.device.tried).count();
        for (place, row) in rows.iter().enumerate() {
            let DeviceRow { device, row, up, down } = row;
            row.show(device.tried, "");
            // The last one that is tried stays.
            row.set_sensitive(!device.tried || tried > 1);
            up.set_sensitive(device.tried && place > 0);
            down.set_sensitive(device.tried && place + 1 < tried);
        }
    }

    /// Puts the devices in their order, and the focus where it was.
    fn lay_out(&self, devices: Vec<boot::Device>) {
        let focus = self.row.root().and_then(|root| root.focus());
        let focused = focus.and_then(|focus| {
            let rows = self.rows.borrow();
            let row = rows.iter().find(|row| focus.is_ancestor(row.row.widget()))?;
            Some((row.device.name.clone(), focus == row.up.clone().upcast::<gtk::Widget>()))
        });
        for row in self.rows.take() {
            self.row.remove(row.row.widget());
        }
        let rows: Vec<DeviceRow> = devices.into_iter().map(|device| self.device_row(device)).collect();
        for row in &rows {
            self.row.add_row(row.row.widget());
        }
        self.rows.replace(rows);
        if let Some((name, up)) = focused
            && let Some(row) = self.rows.borrow().iter().find(|row| row.device.name == name)
        {
            let _taken = if up { row.up.grab_focus() } else { row.down.grab_focus() };
        }
    }

    /// Wishes for what is to become of the guest that is shown.
    fn wishing(
        &self,
        settings: impl Fn(&GuestInfo, bool) -> Option<BootSettings> + 'static,
    ) -> impl Fn(bool) + 'static {
        let (set, guest) = (Rc::clone(&self.set), Rc::clone(&self.guest));
        move |way| {
            let settings = guest.borrow().as_ref().and_then(|guest| settings(guest, way));
            if let Some(settings) = settings {
                set(settings);
            }
        }
    }

    fn device_row(&self, device: boot::Device) -> DeviceRow {
        let row = SwitchRow::new(&device.title, &device.summary, {
            let name = device.name.clone();
            self.wishing(move |guest, on| boot::switched(guest, &name, on))
        });
        let step = |icon: &str, name: String, sooner: bool| {
            let button = icon_button(icon, &name);
            button.add_css_class("flat");
            let device = device.name.clone();
            let go = self.wishing(move |guest, sooner| boot::moved(guest, &device, sooner));
            button.connect_clicked(move |_| go(sooner));
            button
        };
        let title = [("device", &*device.title)];
        let up = step("go-up-symbolic", gettext_f("Try {device} Sooner", &title), true);
        let down = step("go-down-symbolic", gettext_f("Try {device} Later", &title), false);
        row.widget().add_prefix(&down);
        row.widget().add_prefix(&up);
        DeviceRow { device, row, up, down }
    }
}

/// A Linux kernel that is started directly.
struct KernelRow {
    row: adw::ExpanderRow,
    badge: gtk::Label,
    own: SwitchRow,
    /// The disk whose boot loader chooses, as its own is switched on.
    disk: Rc<RefCell<Option<String>>>,
    menu: gtk::Button,
    kernel: FileRow,
    initrd: FileRow,
    append: adw::EntryRow,
}

/// A file that is chosen or done without.
struct FileRow {
    row: adw::ActionRow,
    clear: gtk::Button,
}

impl FileRow {
    fn new(title: &str, set: &Set, settings: fn(String) -> BootSettings) -> Self {
        let row = adw::ActionRow::builder().title(title).use_markup(false).subtitle_lines(2).build();
        let choose = text_button(&gettext("Choose…"), &[]);
        choose.update_property(&[gtk::accessible::Property::Description(title)]);
        choose.connect_clicked({
            let (set, title) = (Rc::clone(set), title.to_owned());
            move |button| {
                let Some(window) = button.root().and_downcast::<gtk::Window>() else { return };
                let set = Rc::clone(&set);
                choose_file(&window, &title, &[], move |path| {
                    if let Ok(path) = path.into_os_string().into_string() {
                        set(settings(path));
                    }
                });
            }
        });
        let clear = icon_button("edit-clear-symbolic", &gettext_f("No {file}", &[("file", title)]));
        clear.add_css_class("flat");
        clear.connect_clicked({
            let set = Rc::clone(set);
            move |_| set(settings(String::new()))
        });
        row.add_suffix(&clear);
        row.add_suffix(&choose);
        Self { row, clear }
    }

    fn show(&self, path: Option<&str>) {
        self.row.set_subtitle(&boot::file(path, gettext("None")));
        self.row.set_tooltip_text(path);
        self.clear.set_visible(path.is_some());
    }
}

impl KernelRow {
    fn new(set: &Set, wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let row = adw::ExpanderRow::builder().title(gettext("Start a Linux Kernel Directly")).build();
        let badge = badge("");
        row.add_action(&badge);
        let disk: Rc<RefCell<Option<String>>> = Rc::default();
        let own = SwitchRow::new(
            &gettext("Kernel on Its Own Disk"),
            &gettext("What the boot loader there would start, looked for anew at each start"),
            {
                let (set, disk) = (Rc::clone(set), Rc::clone(&disk));
                move |on| {
                    let disk = if on { disk.borrow().clone() } else { Some(String::new()) };
                    set(BootSettings { kernel_disk: disk, ..BootSettings::default() });
                }
            },
        );
        let menu = text_button(&gettext("Show…"), &[]);
        menu.connect_clicked({
            let wish = Rc::clone(wish);
            move |_| wish(GuestWish::ShowBootMenu)
        });
        let menu_row = adw::ActionRow::builder()
            .title(gettext("Boot Menu"))
            .subtitle(gettext("Read from the guest's disk, while it is off"))
            .activatable_widget(&menu)
            .build();
        menu_row.add_suffix(&menu);
        row.add_row(own.widget());
        row.add_row(&menu_row);
        let kernel = FileRow::new(&gettext("Kernel"), set, |path| BootSettings {
            kernel: Some(path),
            ..BootSettings::default()
        });
        let initrd = FileRow::new(&gettext("Initial File System"), set, |path| BootSettings {
            initrd: Some(path),
            ..BootSettings::default()
        });
        let append = adw::EntryRow::builder().title(gettext("Command Line")).show_apply_button(true).build();
        append.connect_apply({
            let set = Rc::clone(set);
            move |row| {
                let append = Some(row.text().trim().to_owned());
                set(BootSettings { append, ..BootSettings::default() });
            }
        });
        row.add_row(&kernel.row);
        row.add_row(&initrd.row);
        row.add_row(&append);
        describe(&row, &badge);
        Self { row, badge, own, disk, menu, kernel, initrd, append }
    }

    fn show(&self, guest: &GuestInfo, when: &str) {
        let own = guest.boot.kernel_disk.is_some();
        let without = if own {
            gettext("The one on its own disk")
        } else {
            gettext("No: it starts from its disks and drives")
        };
        self.row.set_subtitle(&glib::markup_escape_text(&boot::file(guest.kernel.as_deref(), without)));
        self.badge.set_label(when);
        self.disk.replace(guest.disks.first().map(|disk| disk.name.clone()));
        self.own.show(own, when);
        self.own.set_sensitive(own || !guest.disks.is_empty());
        self.menu.set_sensitive(!guest.disks.is_empty() && boot::is_menu_readable(guest));
        self.kernel.row.set_sensitive(!own);
        self.kernel.show(guest.kernel.as_deref());
        self.initrd.show(guest.boot.initrd.as_deref());
        let direct = guest.kernel.is_some();
        self.initrd.row.set_sensitive(direct);
        self.append.set_sensitive(direct || own);
        let append = guest.boot.append.as_deref().unwrap_or_default();
        if !is_typing(&self.append) && self.append.text() != append {
            self.append.set_text(append);
        }
    }
}
