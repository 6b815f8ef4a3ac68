//! The PCI devices of this computer, as Linux tells: what each is, which can't be told apart by the IOMMU, and what is
//! in the way of a guest's having one; and how much memory this process may lock, which such a guest needs.
//!
//! Nothing here changes anything: giving a device from the host's driver to `vfio-pci` needs an administrator.

use super::names::List;
use super::sysfs::{self, is_permitted, link, text};
use super::uses::Kernel;
use hv_api::{ByteSize, HostPciDevice, HostUse, PciAddress, PciFault, PciId, PciKind, PciObstacle};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The most devices that are looked at.
const MOST_DEVICES: usize = 4096;

/// The most devices that are named where they are in the way.
const MOST_NAMED: usize = 8;

/// The file by which programs use all groups.
pub const CONTAINER: &str = "/dev/vfio/vfio";

/// The right to lock any amount of memory, by its number in `CapEff`.
const CAP_IPC_LOCK: u32 = 14;

/// The flag of a network interface that somebody has switched on.
const IFF_UP: u32 = 1;

/// Base classes of devices.
const CLASS_STORAGE: u8 = 0x01;
const CLASS_NETWORK: u8 = 0x02;
const CLASS_DISPLAY: u8 = 0x03;
const CLASS_MULTIMEDIA: u8 = 0x04;
const CLASS_BRIDGE: u8 = 0x06;
const CLASS_COMMUNICATION: u8 = 0x07;
const CLASS_SYSTEM: u8 = 0x08;
const CLASS_PROCESSOR: u8 = 0x0b;
const CLASS_SERIAL_BUS: u8 = 0x0c;
const CLASS_WIRELESS: u8 = 0x0d;
const CLASS_ENCRYPTION: u8 = 0x10;
const CLASS_ACCELERATOR: u8 = 0x12;

/// The PCI devices of a computer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pci {
    /// Whether it has an IOMMU that is switched on.
    pub iommu: bool,
    /// The most memory that this process and what it starts may lock; nothing where there is no limit, or none is known.
    pub locked_memory: Option<ByteSize>,
    /// The devices, in the order of their addresses.
    pub devices: Vec<Found>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What clients are told of it.
    pub device: HostPciDevice,
    /// Whether it is one that people may want to give away.
    pub is_offered: bool,
}

impl Pci {
    /// Those that people may want to give away.
    pub fn offered(&self) -> Vec<HostPciDevice> {
        let offered = self.devices.iter().filter(|found| found.is_offered);
        offered.map(|found| found.device.clone()).collect()
    }

    /// The device at this address.
    pub fn find(&self, address: PciAddress) -> Option<&HostPciDevice> {
        self.devices.iter().map(|found| &found.device).find(|device| device.address == address)
    }
}

/// What Linux says of one device.
struct Seen {
    address: PciAddress,
    folder: PathBuf,
    id: PciId,
    /// Base class and subclass.
    class: (u8, u8),
    group: Option<u32>,
    driver: Option<String>,
    shows_boot: bool,
}

/// The PCI devices of a computer whose files are under `root`. Reads many small files: not for the core's own thread.
pub fn scan(root: &Path) -> Pci {
    let folder = root.join("sys/bus/pci/devices");
    let entries = fs::read_dir(&folder).into_iter().flatten().take(MOST_DEVICES);
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut seen: Vec<Seen> = names.filter_map(|name| Seen::read(&folder, &name)).collect();
    seen.sort_by_key(|seen| seen.address);
    let iommu =
        fs::read_dir(root.join("sys/kernel/iommu_groups")).is_ok_and(|mut groups| groups.next().is_some());
    let ids: BTreeSet<_> = seen.iter().map(|seen| (seen.id.vendor, seen.id.device)).collect();
    let names = List::Pci.names(root, &ids);
    let host = Host { root, iommu, interfaces: interfaces(root), foreign: foreign(&seen) };
    let found = |seen: &Seen| Found {
        device: HostPciDevice {
            address: seen.address,
            id: seen.id,
            kind: seen.kind(),
            name: names.get(&(seen.id.vendor, seen.id.device)).cloned(),
            group: seen.group,
            driver: seen.driver.clone(),
            obstacles: host.obstacles(seen),
        },
        is_offered: seen.is_offered(),
    };
    let devices = seen.iter().map(found).collect();
    Pci { iommu, locked_memory: locked_memory(root), devices }
}

/// The IOMMU group of a device. Reads one link.
pub fn group(root: &Path, address: PciAddress) -> Option<u32> {
    group_of(&root.join("sys/bus/pci/devices").join(address.to_string()))
}

/// The file by which programs use the devices of a group.
pub fn group_file(group: u32) -> String {
    format!("/dev/vfio/{group}")
}

fn group_of(folder: &Path) -> Option<u32> {
    link(folder, "iommu_group")?.parse().ok()
}

impl Seen {
    fn read(folder: &Path, name: &str) -> Option<Self> {
        // As Linux writes it, and no other way.
        let address: PciAddress =
            name.parse().ok().filter(|address: &PciAddress| address.to_string() == name)?;
        let folder = folder.join(name);
        let number = |name: &str| {
            let text = text(&folder, name)?;
            u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
        };
        let [vendor, device] = ["vendor", "device"].map(|name| u16::try_from(number(name)?).ok());
        let [_, base, sub, _] = number("class").unwrap_or_default().to_be_bytes();
        Some(Self {
            address,
            id: PciId { vendor: vendor?, device: device? },
            class: (base, sub),
            group: group_of(&folder),
            driver: link(&folder, "driver"),
            shows_boot: text(&folder, "boot_vga").as_deref() == Some("1"),
            folder,
        })
    }

    /// Whether the driver has it that gives devices to guests, or one of its kind for certain devices.
    fn is_bound(&self) -> bool {
        self.driver.as_ref().is_some_and(|driver| driver.replace('_', "-").ends_with("vfio-pci"))
    }

    /// Whether it keeps others of its group from a guest.
    fn is_foreign(&self) -> bool {
        let is_link = matches!(self.class, (CLASS_BRIDGE, 0x04 | 0x09));
        let has_driver = self.driver.as_ref().is_some_and(|driver| driver != "pci-stub");
        !is_link && has_driver && !self.is_bound()
    }

    fn kind(&self) -> PciKind {
        match self.class {
            (CLASS_STORAGE, _) | (CLASS_SYSTEM, 0x05) => PciKind::Storage,
            (CLASS_NETWORK, _) => PciKind::Network,
            (CLASS_DISPLAY, _) => PciKind::Display,
            (CLASS_MULTIMEDIA, 0x00) => PciKind::Video,
            (CLASS_MULTIMEDIA, _) => PciKind::Audio,
            (CLASS_BRIDGE, _) => PciKind::Bridge,
            (CLASS_COMMUNICATION, _) => PciKind::Communication,
            (CLASS_SERIAL_BUS, 0x03) => PciKind::Usb,
            (CLASS_WIRELESS, _) => PciKind::Wireless,
            (CLASS_PROCESSOR, 0x40) | (CLASS_ENCRYPTION | CLASS_ACCELERATOR, _) => PciKind::Accelerator,
            _ => PciKind::Other,
        }
    }

    /// Whether people may want to give it away: what only the computer itself has a use for is not worth a line. What
    /// was made ready for guests is.
    fn is_offered(&self) -> bool {
        match self.kind() {
            PciKind::Bridge => false,
            _ if self.is_bound() => true,
            // Where the firmware's own processors are, besides ports.
            PciKind::Communication => self.class.1 != 0x80,
            PciKind::Other => matches!(self.class.0, 0x09 | 0xff),
            _ => true,
        }
    }
}

/// What of a computer matters to all its devices.
struct Host<'a> {
    root: &'a Path,
    iommu: bool,
    interfaces: Vec<Interface>,
    /// Of each group, the devices that are still the host's.
    foreign: BTreeMap<u32, Vec<PciAddress>>,
}

/// A network interface that is connected.
struct Interface {
    name: String,
    folder: PathBuf,
}

impl Host<'_> {
    fn obstacles(&self, seen: &Seen) -> Vec<PciObstacle> {
        if seen.class.0 == CLASS_BRIDGE {
            return vec![PciObstacle::new(PciFault::Bridge, "")];
        }
        let without = if self.iommu { PciFault::NoGroup } else { PciFault::NoIommu };
        // All else is of no use before that.
        let Some(group) = seen.group.filter(|_| self.iommu) else {
            return vec![PciObstacle::new(without, "")];
        };
        let mut obstacles = Vec::new();
        if !seen.is_bound() {
            // Nobody shall be told to take it from under what is mounted.
            if let Some(used) = self.use_by_host(seen) {
                return vec![used];
            }
            obstacles.push(PciObstacle::new(PciFault::NotBound, seen.driver.clone().unwrap_or_default()));
        }
        let others = self.foreign.get(&group).into_iter().flatten().filter(|other| **other != seen.address);
        let others: Vec<String> = others.take(MOST_NAMED).map(ToString::to_string).collect();
        if !others.is_empty() {
            obstacles.push(PciObstacle::new(PciFault::GroupShared, others.join(" ")));
        }
        // Only then is there a file for it.
        if obstacles.is_empty() {
            let files = [group_file(group), CONTAINER.to_owned()];
            let denied = files.into_iter().find(|file| !is_permitted(self.root, file));
            obstacles.extend(denied.map(|file| PciObstacle::new(PciFault::NotPermitted, file)));
        }
        obstacles
    }

    /// What the host itself does with it. What its drivers don't have, it does nothing with.
    fn use_by_host(&self, seen: &Seen) -> Option<PciObstacle> {
        if let Some(used) = Kernel::under(self.root).use_of_hardware(&seen.folder) {
            let fault = match used.way {
                HostUse::Mounted => PciFault::Mounted,
                HostUse::Swap | HostUse::Loop | HostUse::Part | HostUse::Program => PciFault::InUse,
            };
            return Some(PciObstacle::new(fault, used.by));
        }
        if seen.shows_boot {
            return Some(PciObstacle::new(PciFault::BootDisplay, ""));
        }
        let folder = seen.folder.canonicalize().ok()?;
        let connected = self.interfaces.iter().find(|interface| interface.folder.starts_with(&folder))?;
        Some(PciObstacle::new(PciFault::NetworkUp, connected.name.clone()))
    }
}

/// The network interfaces that are connected.
fn interfaces(root: &Path) -> Vec<Interface> {
    let entries = fs::read_dir(root.join("sys/class/net")).into_iter().flatten().take(MOST_DEVICES);
    let connected = |folder: &Path| match text(folder, "operstate")?.as_str() {
        "up" => Some(()),
        // Of some, Linux knows no more than whether they were switched on.
        "unknown" => {
            let flags = u32::from_str_radix(text(folder, "flags")?.strip_prefix("0x")?, 16).ok()?;
            (flags & IFF_UP != 0).then_some(())
        }
        _ => None,
    };
    let mut interfaces: Vec<Interface> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = sysfs::shown(&entry.file_name().to_string_lossy())?;
            let folder = entry.path().canonicalize().ok()?;
            connected(&folder)?;
            Some(Interface { name, folder })
        })
        .collect();
    interfaces.sort_by(|one, other| one.name.cmp(&other.name));
    interfaces
}

fn foreign(seen: &[Seen]) -> BTreeMap<u32, Vec<PciAddress>> {
    let mut foreign: BTreeMap<u32, Vec<PciAddress>> = BTreeMap::new();
    for seen in seen.iter().filter(|seen| seen.is_foreign()) {
        foreign.entry(seen.group.unwrap_or(u32::MAX)).or_default().push(seen.address);
    }
    foreign
}

/// How much memory this process may lock; nothing where it may lock any amount, or it is not known.
fn locked_memory(root: &Path) -> Option<ByteSize> {
    let process = root.join("proc/self");
    if may_lock_all(&process).unwrap_or(false) {
        return None;
    }
    // Max locked memory         8388608              8388608              bytes
    let limits = fs::read_to_string(process.join("limits")).ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    // The second one is that up to which this process sets the first one itself.
    limit.split_whitespace().nth(1)?.parse().ok().map(ByteSize::bytes)
}

/// Whether it has the right to, also beyond a limit. Within a container's own users, no right is worth anything here.
fn may_lock_all(process: &Path) -> Option<bool> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let rights = u64::from_str_radix(rights.trim(), 16).ok()?;
    let users = fs::read_to_string(process.join("uid_map")).ok()?;
    let all = users.split_whitespace().eq(["0", "0", "4294967295"]);
    Some(all && rights & 1 << CAP_IPC_LOCK != 0)
}

#[cfg(test)]
mod tests;
