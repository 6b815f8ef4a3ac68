//! How many CPUs the guest has, how much memory, and how much of the processor it may use.

use super::GuestWish;
use crate::calls::Wish;
use crate::model::hardware;
use crate::widgets::amount_row::{AmountRow, Format};
use adw::prelude::*;
use gtk::glib;
use hv_api::{ByteSize, GuestInfo, GuestState, HostInfo, Settings};
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The group.
#[derive(Debug)]
pub struct AmountsGroup {
    root: adw::PreferencesGroup,
    cpus: AmountRow,
    memory: AmountRow,
    cpu_limit: AmountRow,
}

impl AmountsGroup {
    /// The group; `wish` hears what is wished.
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
        let root = adw::PreferencesGroup::builder()
            .title(glib::markup_escape_text(&gettext("Processor & Memory")))
            .build();
        root.add(cpus.widget());
        root.add(memory.widget());
        root.add(cpu_limit.widget());
        Self { root, cpus, memory, cpu_limit }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Tells what somebody has just changed, before another guest is shown.
    pub fn settle(&self) {
        for row in [&self.cpus, &self.cpu_limit, &self.memory] {
            row.settle();
        }
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
    }
}
