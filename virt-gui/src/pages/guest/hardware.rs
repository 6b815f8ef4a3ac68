//! Settings of the guest's virtual hardware. Each says when it takes effect before it is touched.

use super::GuestWish;
use super::cpu_model::CpuModelRow;
use super::devices::DevicesGroup;
use super::firmware::FirmwareGroup;
use super::live::LiveGroups;
use super::pci::PciGroup;
use super::startup::StartupGroup;
use crate::widgets::text_button;
use adw::prelude::*;
use hv_api::{GuestInfo, GuestState, HostInfo};
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The page.
#[derive(Debug)]
pub struct HardwarePage {
    root: adw::PreferencesPage,
    /// What can be changed while the guest runs.
    pub live: LiveGroups,
    pci: PciGroup,
    firmware: FirmwareGroup,
    machine: adw::ActionRow,
    /// The model of its CPUs.
    pub cpu_model: CpuModelRow,
    show_command: gtk::Button,
    devices: DevicesGroup,
    startup: StartupGroup,
}

impl HardwarePage {
    /// The page; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let live = LiveGroups::new(wish);
        let machine = adw::PreferencesGroup::builder().title(gettext("Machine")).build();
        let kind = adw::ActionRow::builder().title(gettext("Machine Type")).use_markup(false).build();
        let cpu_model = CpuModelRow::new(wish);
        let command = adw::ActionRow::builder()
            .title(gettext("Generated Command"))
            .subtitle(gettext("What starts QEMU for this guest"))
            .build();
        let show = text_button(&gettext("Show"), &[]);
        show.connect_clicked({
            let wish = Rc::clone(wish);
            move |_| wish(GuestWish::ShowCommand)
        });
        command.add_suffix(&show);
        command.set_activatable_widget(Some(&show));
        machine.add(&kind);
        machine.add(cpu_model.widget());
        machine.add(&command);
        let root = adw::PreferencesPage::new();
        for group in live.widgets() {
            root.add(group);
        }
        let pci = PciGroup::new(wish);
        root.add(pci.widget());
        let firmware = FirmwareGroup::new(wish);
        root.add(firmware.widget());
        let devices = DevicesGroup::new(wish);
        root.add(devices.widget());
        root.add(&machine);
        let startup = StartupGroup::new(wish);
        root.add(startup.widget());
        Self { root, live, pci, firmware, machine: kind, cpu_model, show_command: show, devices, startup }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesPage {
        &self.root
    }

    /// Shows a guest; `anew` drops what somebody has begun to change.
    pub fn show(&self, guest: &GuestInfo, host: Option<&HostInfo>, anew: bool) {
        let usable = guest.state != GuestState::Unavailable;
        self.live.show(guest, host, anew);
        self.firmware.show(guest);
        self.machine.set_subtitle(&guest.boot.machine);
        self.cpu_model.show(guest);
        self.show_command.set_sensitive(usable);
        self.devices.show(guest, host);
        self.startup.show(guest, host);
        self.pci.show(guest, host);
    }
}
