//! What can be changed of a guest while it runs: CPUs and memory, disks and drives, network cards, USB devices. The
//! Hardware page has these groups on top, and the console has them beside the guest's picture.

use super::GuestWish;
use super::amounts::AmountsGroup;
use super::disks::DisksGroup;
use super::network::NetworkGroup;
use super::usb::UsbGroup;
use crate::calls::Wish;
use hv_api::{GuestInfo, HostInfo};
use std::rc::Rc;
use virt_kit::problem::Problem;

/// The groups.
#[derive(Debug)]
pub struct LiveGroups {
    amounts: AmountsGroup,
    disks: DisksGroup,
    network: NetworkGroup,
    usb: UsbGroup,
}

impl LiveGroups {
    /// The groups; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        Self {
            amounts: AmountsGroup::new(wish),
            disks: DisksGroup::new(wish),
            network: NetworkGroup::new(wish),
            usb: UsbGroup::new(wish),
        }
    }

    /// The widgets, in their order.
    pub fn widgets(&self) -> [&adw::PreferencesGroup; 4] {
        [self.amounts.widget(), self.disks.widget(), self.network.widget(), self.usb.widget()]
    }

    /// Tells what somebody has just changed, before another guest is shown.
    pub fn settle(&self) {
        self.amounts.settle();
    }

    /// Shows a guest; `anew` drops what somebody has begun to change.
    pub fn show(&self, guest: &GuestInfo, host: Option<&HostInfo>, anew: bool) {
        self.amounts.show(guest, host, anew);
        self.disks.show(guest, anew);
        self.network.show(guest, anew);
        self.usb.show(guest, host);
    }

    /// Says at its own row why the core refused a wish about this guest. False where it has no row here.
    pub fn refuse(&self, guest: &GuestInfo, wish: &Wish, problem: &Problem) -> bool {
        let reason = || [&problem.what, &problem.why, &problem.remedy].map(String::as_str).join(" ");
        match wish {
            Wish::Nic(nic) => self.network.refuse(guest, nic, &reason()),
            Wish::SetDisk { disk, .. } | Wish::GrowDisk { disk, .. } | Wish::RemoveDisk { disk, .. } => {
                self.disks.refuse(disk, &reason());
            }
            _ => return false,
        }
        true
    }
}
