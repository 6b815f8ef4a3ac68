//! PCI devices of a home: files as Linux would have them, which the home's core takes for the computer's.

use crate::Home;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The PCI slots of a home's computer.
#[derive(Debug)]
pub struct PciSlots(PathBuf);

impl PciSlots {
    /// Those of this home's computer, which has an IOMMU, and in which nothing is yet.
    pub fn of(home: &Home) -> Self {
        let slots = Self(home.path(Home::DEVICES));
        for folder in ["sys/bus/pci/devices", "sys/kernel/iommu_groups", "sys/class/net", "proc/self"] {
            fs::create_dir_all(slots.0.join(folder)).expect("a folder");
        }
        slots.write("dev/vfio/vfio", "");
        slots
    }

    /// Puts a device in: its address, what it is, its class as `0x020000`, its IOMMU group and its driver, which may
    /// be empty.
    pub fn put(&self, address: &str, id: &str, class: &str, group: u32, driver: &str) {
        let (vendor, device) = id.split_once(':').expect("a maker and a device");
        let folder = folder(address);
        for (name, value) in [("vendor", vendor), ("device", device), ("class", class)] {
            self.write(&format!("{folder}/{name}"), &format!("0x{}\n", value.trim_start_matches("0x")));
        }
        let own = format!("sys/kernel/iommu_groups/{group}");
        fs::create_dir_all(self.0.join(&own)).expect("a folder");
        self.link(&format!("{folder}/iommu_group"), &own);
        self.bind(address, driver);
    }

    /// A network card that is ready for guests: with `vfio-pci`, and the file of its group.
    pub fn put_ready(&self, address: &str, id: &str, group: u32) {
        self.put(address, id, "0x020000", group, "vfio-pci");
        self.permit(group);
    }

    /// Gives a device to another driver of the computer's, or to none where that is empty.
    pub fn bind(&self, address: &str, driver: &str) {
        let link = format!("{}/driver", folder(address));
        let _none = fs::remove_file(self.0.join(&link));
        if !driver.is_empty() {
            self.link(&link, &format!("sys/bus/pci/drivers/{driver}"));
        }
    }

    /// Makes the file of a group, which this user may use.
    pub fn permit(&self, group: u32) {
        self.write(&format!("dev/vfio/{group}"), "");
    }

    /// Takes it away again: a file that is gone is one that nobody may use, whoever the test is.
    pub fn forbid(&self, group: u32) {
        fs::remove_file(self.0.join(format!("dev/vfio/{group}"))).expect("it has a file");
    }

    /// Connects the computer by a network card, as the interface with this name.
    pub fn connect(&self, address: &str, interface: &str) {
        let folder = format!("{}/net/{interface}", folder(address));
        self.write(&format!("{folder}/operstate"), "up\n");
        self.link(&format!("sys/class/net/{interface}"), &folder);
    }

    /// Disconnects it.
    pub fn disconnect(&self, interface: &str) {
        fs::remove_file(self.0.join("sys/class/net").join(interface)).expect("it was connected");
    }

    /// Lets a process of this computer lock so many bytes at most.
    pub fn limit_locked_memory(&self, bytes: u64) {
        self.write("proc/self/limits", &format!("Max locked memory         {bytes}   {bytes}   bytes\n"));
    }

    /// Switches the IOMMU off.
    pub fn switch_iommu_off(&self) {
        fs::remove_dir_all(self.0.join("sys/kernel/iommu_groups")).expect("it was on");
    }

    /// Takes a device out.
    pub fn take(&self, address: &str) {
        fs::remove_dir_all(self.0.join(folder(address))).expect("it was put in");
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn link(&self, path: &str, to: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
        symlink(self.0.join(to), path).expect("a link");
    }
}

fn folder(address: &str) -> String {
    format!("sys/bus/pci/devices/{address}")
}
