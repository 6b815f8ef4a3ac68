//! Settings of the guest's virtual hardware. Each says when it takes effect before it is touched.

use super::GuestWish;
use super::cpu_model::CpuModelRow;
use super::devices::DevicesGroup;
use super::disks::DisksGroup;
use super::firmware::FirmwareGroup;
use super::network::NetworkGroup;
use super::pci::PciGroup;
use super::startup::StartupGroup;
use super::usb::UsbGroup;
use crate::calls::Wish;
use crate::model::hardware;
use crate::widgets::amount_row::{AmountRow, Format};
use crate::widgets::text_button;
use adw::prelude::*;
use gtk::glib;
use hv_api::{ByteSize, GuestInfo, GuestState, HostInfo, Settings};
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The page.
#[derive(Debug)]
pub struct HardwarePage {
    root: adw::PreferencesPage,
    cpus: AmountRow,
    cpu_limit: AmountRow,
    memory: AmountRow,
    disks: DisksGroup,
    /// Its network cards.
    pub network: NetworkGroup,
    usb: UsbGroup,
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
        let set = |settings: fn(u64) -> Settings| {
            let wish = Rc::clone(wish);
            move |value| wish(GuestWish::Core(Wish::Set(settings(value))))
        };
        let cpus = AmountRow::new(
            &gettext("CPUs"),
            1,
            Format { write: |count| count.to_string(), read: |text| text.trim().parse().ok() },
            set(|count| Settings { cpus: u32::try_from(count).ok(), ..Settings::default() }),
        );
        let cpu_limit = AmountRow::new(
            &gettext("CPU Limit"),
            5,
            Format { write: |percent| format!("{percent} %"), read: hardware::read_percent },
            set(|percent| Settings { cpu_limit: u32::try_from(percent).ok(), ..Settings::default() }),
        );
        let memory = AmountRow::new(
            &gettext("Memory"),
            256,
            Format { write: hardware::write_memory, read: hardware::read_memory },
            set(|mib| Settings { memory: Some(ByteSize::mib(mib)), ..Settings::default() }),
        );
        let amounts = adw::PreferencesGroup::builder()
            .title(glib::markup_escape_text(&gettext("Processor & Memory")))
            .build();
        amounts.add(cpus.widget());
        amounts.add(memory.widget());
        amounts.add(cpu_limit.widget());
        let network = NetworkGroup::new(wish);
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
        root.add(&amounts);
        let disks = DisksGroup::new(wish);
        root.add(disks.widget());
        root.add(network.widget());
        let usb = UsbGroup::new(wish);
        root.add(usb.widget());
        let pci = PciGroup::new(wish);
        root.add(pci.widget());
        let firmware = FirmwareGroup::new(wish);
        root.add(firmware.widget());
        let devices = DevicesGroup::new(wish);
        root.add(devices.widget());
        root.add(&machine);
        let startup = StartupGroup::new(wish);
        root.add(startup.widget());
        Self {
            root,
            cpus,
            cpu_limit,
            memory,
            disks,
            network,
            usb,
            pci,
            firmware,
            machine: kind,
            cpu_model,
            show_command: show,
            devices,
            startup,
        }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesPage {
        &self.root
    }

    /// Tells what somebody has just changed, before another guest is shown.
    pub fn settle(&self) {
        self.cpus.settle();
        self.cpu_limit.settle();
        self.memory.settle();
    }

    /// Says at a disk's row why the core refused what was wished for it.
    pub fn refuse_disk(&self, disk: &str, reason: &str) {
        self.disks.refuse(disk, reason);
    }

    /// Shows a guest; `anew` drops what somebody has begun to change.
    pub fn show(&self, guest: &GuestInfo, host: Option<&HostInfo>, anew: bool) {
        let usable = guest.state != GuestState::Unavailable;
        let reason = gettext("The guest's definition can't be read");
        let (cpus, memory) = (hardware::cpus(guest, host), hardware::memory(guest, host));
        let fault = host.and_then(|host| host.cpu_limit_fault);
        let limit_fault = hardware::cpu_limit_fault(guest, fault);
        for (row, hint, amount, fault) in [
            (&self.cpus, hardware::hint(guest, "cpus", &cpus), cpus, None),
            (
                &self.cpu_limit,
                hardware::cpu_limit_hint(guest, fault),
                hardware::cpu_limit(guest),
                limit_fault.as_deref(),
            ),
            (&self.memory, hardware::hint(guest, "memory", &memory), memory, None),
        ] {
            if anew {
                row.forget();
            }
            row.show(&amount, &hint);
            row.set_sensitive(usable && fault.is_none(), fault.unwrap_or(&reason));
        }
        self.firmware.show(guest);
        self.machine.set_subtitle(&guest.boot.machine);
        self.cpu_model.show(guest);
        self.show_command.set_sensitive(usable);
        self.devices.show(guest, host);
        self.startup.show(guest, host);
        self.disks.show(guest, anew);
        self.network.show(guest, anew);
        self.usb.show(guest, host);
        self.pci.show(guest, host);
    }
}
