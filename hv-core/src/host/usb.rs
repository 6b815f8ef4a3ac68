//! The USB devices of this computer, as Linux tells: what each is, whether this user may use it, and whether the
//! computer itself has it in use.
//!
//! Devices say themselves what they are called, and anybody can make one: what they say is bounded and shown, and
//! nothing else. What can't be read is left out.

use super::names::List;
use super::sysfs::{is_permitted, shown, text};
use super::uses::Kernel;
use hv_api::{HostUsbDevice, UsbId, UsbKind, UsbPort};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The most entries that are looked at: ten times what 32 buses full of devices would be.
const MOST_ENTRIES: usize = 40_000;

/// The largest number of a bus, and of a device on it: their files are named by three digits.
const LAST_NUMBER: u32 = 999;

/// Interfaces of a device say by these numbers what they are for.
const CLASS_AUDIO: u8 = 0x01;
const CLASS_INPUT: u8 = 0x03;
const CLASS_PRINTER: u8 = 0x07;
const CLASS_STORAGE: u8 = 0x08;
const CLASS_HUB: u8 = 0x09;
const CLASS_SMART_CARD: u8 = 0x0b;
const CLASS_VIDEO: u8 = 0x0e;
const CLASS_WIRELESS: u8 = 0xe0;
const PROTOCOL_KEYBOARD: u8 = 1;
const PROTOCOL_MOUSE: u8 = 2;

/// One device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What clients are told of it.
    pub device: HostUsbDevice,
    /// Whether it is a hub, of which they aren't.
    pub is_hub: bool,
}

/// The USB devices of a computer whose files are under `root`, in the order of their places. Reads many small files:
/// not for the core's own thread.
pub fn scan(root: &Path) -> Vec<Found> {
    let folder = root.join("sys/bus/usb/devices");
    let entries = fs::read_dir(&folder).into_iter().flatten().take(MOST_ENTRIES);
    let entries: BTreeSet<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let ports = entries.iter().filter_map(|name| name.parse::<UsbPort>().ok());
    let mut found: Vec<Found> =
        ports.filter_map(|port| read(root, &folder.join(port.to_string()), port, &entries)).collect();
    let place = |found: &Found| {
        let ports: Vec<u32> = found.device.port.path().split('.').flat_map(str::parse).collect();
        (found.device.port.bus(), ports)
    };
    found.sort_by_cached_key(place);
    found
}

fn read(root: &Path, folder: &Path, port: UsbPort, entries: &BTreeSet<String>) -> Option<Found> {
    let id = format!("{}:{}", text(folder, "idVendor")?, text(folder, "idProduct")?);
    let id: UsbId = id.parse().ok()?;
    let number = |name: &str| -> Option<u32> {
        text(folder, name)?.parse().ok().filter(|number| (1..=LAST_NUMBER).contains(number))
    };
    let (bus, number) = (number("busnum")?, number("devnum")?);
    let node = format!("/dev/bus/usb/{bus:03}/{number:03}");
    let used = Kernel::under(root).use_of_hardware(folder);
    let device = HostUsbDevice {
        id,
        bus,
        number,
        name: name(root, folder, id),
        serial: text(folder, "serial"),
        kinds: kinds(folder, &port, entries),
        permitted: is_permitted(root, &node),
        used: used.as_ref().map(|used| used.way),
        used_by: used.map(|used| used.by),
        node,
        port,
    };
    Some(Found { device, is_hub: byte(folder, "bDeviceClass") == Some(CLASS_HUB) })
}

/// What a device with this number is called by the computer's list of names; nothing where that does not know it.
pub fn listed_name(root: &Path, id: UsbId) -> Option<String> {
    List::Usb.name(root, (id.vendor, id.product))
}

fn name(root: &Path, folder: &Path, id: UsbId) -> Option<String> {
    let (maker, product) = (text(folder, "manufacturer"), text(folder, "product"));
    let Some(product) = product else { return listed_name(root, id).or(maker) };
    Some(match maker {
        Some(maker) if !product.to_lowercase().starts_with(&maker.to_lowercase()) => {
            shown(&format!("{maker} {product}"))?
        }
        _ => product,
    })
}

/// What its interfaces are for.
fn kinds(folder: &Path, port: &UsbPort, entries: &BTreeSet<String>) -> Vec<UsbKind> {
    let own = format!("{port}:");
    let interfaces = entries.range(own.clone()..).take_while(|name| name.starts_with(&own));
    let mut kinds = Vec::new();
    for interface in interfaces {
        let folder = folder.with_file_name(interface);
        let kind = match byte(&folder, "bInterfaceClass") {
            Some(CLASS_AUDIO) => UsbKind::Audio,
            Some(CLASS_INPUT) => match byte(&folder, "bInterfaceProtocol") {
                Some(PROTOCOL_KEYBOARD) => UsbKind::Keyboard,
                Some(PROTOCOL_MOUSE) => UsbKind::Mouse,
                _ => continue,
            },
            Some(CLASS_PRINTER) => UsbKind::Printer,
            Some(CLASS_STORAGE) => UsbKind::Storage,
            Some(CLASS_SMART_CARD) => UsbKind::SmartCard,
            Some(CLASS_VIDEO) => UsbKind::Video,
            Some(CLASS_WIRELESS) => UsbKind::Wireless,
            _ => continue,
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

fn byte(folder: &Path, name: &str) -> Option<u8> {
    u8::from_str_radix(&text(folder, name)?, 16).ok()
}

#[cfg(test)]
mod tests;
