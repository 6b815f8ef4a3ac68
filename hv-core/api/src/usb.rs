//! USB devices: those of the host, and which of them a guest has.

use crate::text::as_text;
use crate::{GuestInfo, HostUse};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zlink::introspect::CustomType;

/// The longest place that is read: more than seven hubs in a row there can't be.
const LONGEST_PORT: usize = 31;

/// What a USB device is: who made it, and which of their products it is. Written `0781:5567`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsbId {
    /// Who made it.
    pub vendor: u16,
    /// Which of their products it is.
    pub product: u16,
}

/// Where a USB device is plugged in: the number of the host's bus, and port by port. Written `3-1.2`, as Linux does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsbPort(String);

/// A USB device of the host's, as it is asked for: what it is, and where several are the same, where it is plugged
/// in. Written `0781:5567` or `0781:5567@3-1.2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
pub struct UsbDevice {
    /// What it is.
    pub id: UsbId,
    /// Where it is plugged in; wherever, where left out.
    pub port: Option<UsbPort>,
}

/// What a USB device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum UsbKind {
    /// A keyboard: who gives it away types nothing on the host with it.
    Keyboard,
    /// A mouse or the like: who gives it away points at nothing on the host with it.
    Mouse,
    /// A stick, a disk or a reader of memory cards.
    Storage,
    /// A sound device.
    Audio,
    /// A camera.
    Video,
    /// A printer.
    Printer,
    /// A reader of smart cards, or a key that is one.
    SmartCard,
    /// A radio, as one for Bluetooth.
    Wireless,
}

/// A USB device of the host's. Hubs are left out: no guest can have one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct HostUsbDevice {
    /// What it is.
    pub id: UsbId,
    /// Where it is plugged in.
    pub port: UsbPort,
    /// The number of its bus.
    pub bus: u32,
    /// Its number on the bus, another one each time that it is plugged in.
    pub number: u32,
    /// What it calls itself, or the host's list of names; nothing where neither does.
    pub name: Option<String>,
    /// Its serial number, where it has one.
    pub serial: Option<String>,
    /// What it is for, as far as that is known.
    pub kinds: Vec<UsbKind>,
    /// The file by which programs use it.
    pub node: String,
    /// Whether this user may do that.
    pub permitted: bool,
    /// In which way this computer itself has it.
    pub used: Option<HostUse>,
    /// What has it then: a mount point, or the name of a device.
    pub used_by: Option<String>,
}

/// A USB device of the host's that a guest has, whether it is plugged in or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct UsbInfo {
    /// Its name within the guest: `usb0`, `usb1`, … It keeps it when others are taken away.
    pub name: String,
    /// Which it is.
    pub device: UsbDevice,
    /// What it called itself when the guest got it.
    pub label: Option<String>,
    /// While an engine runs: whether the machine has it yet.
    pub present: Option<bool>,
}

/// Why a guest can't have a USB device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum UsbFault {
    /// It is a hub.
    Hub,
    /// This user may not use it. `by` is its file.
    NotPermitted,
    /// A file system on it is mounted on the host. `by` is where.
    Mounted,
    /// The host has it in another way: as swap, or as a part of LVM, RAID or encryption. `by` is what has it.
    InUse,
    /// This guest has it already.
    Doubled,
    /// Another guest has it. `by` is its name.
    HeldByGuest,
    /// Several devices are the same. `by` says where they are plugged in.
    Ambiguous,
    /// The engine was installed without its part for this.
    EngineCannot,
}

/// A text that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsbTextError {
    /// It names no device.
    #[error("a USB device is written VENDOR:PRODUCT with four hexadecimal digits each, as 0781:5567")]
    Id,
    /// It is no place.
    #[error("where a USB device is plugged in is written BUS-PORT, as 3-1 or behind a hub 3-1.2")]
    Port,
}

impl UsbDevice {
    /// Whether one and the same device can be both.
    pub fn collides(&self, other: &Self) -> bool {
        let apart = self.port.is_some() && other.port.is_some() && self.port != other.port;
        self.id == other.id && !apart
    }
}

impl HostUsbDevice {
    /// Whether this is what is asked for.
    pub fn is(&self, device: &UsbDevice) -> bool {
        self.id == device.id && device.port.as_ref().is_none_or(|port| *port == self.port)
    }

    /// What it is called where one thing to call it is wanted.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// The same, as it is asked for: with its place where another one of these is the same.
    pub fn device(&self, all: &[Self]) -> UsbDevice {
        let same = all.iter().filter(|other| other.id == self.id).count() > 1;
        UsbDevice { id: self.id, port: same.then(|| self.port.clone()) }
    }

    /// The guest that has it.
    pub fn holder<'a>(&self, guests: impl IntoIterator<Item = &'a GuestInfo>) -> Option<&'a GuestInfo> {
        guests.into_iter().find(|guest| guest.usb.iter().any(|usb| self.is(&usb.device)))
    }

    /// Why no guest can have it now, besides that one has it, and what that has to do with; nothing where one can.
    pub fn fault(&self) -> Option<(UsbFault, &str)> {
        let by = self.used_by.as_deref().unwrap_or_default();
        match self.used {
            Some(HostUse::Mounted) => Some((UsbFault::Mounted, by)),
            Some(HostUse::Swap | HostUse::Loop | HostUse::Part | HostUse::Program) => {
                Some((UsbFault::InUse, by))
            }
            None if !self.permitted => Some((UsbFault::NotPermitted, &self.node)),
            None => None,
        }
    }
}

impl UsbInfo {
    /// What it is called where one thing to call it is wanted.
    pub fn title(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.device.id.to_string())
    }

    /// The host's device, where it is plugged in.
    pub fn plugged<'a>(&self, devices: &'a [HostUsbDevice]) -> Option<&'a HostUsbDevice> {
        devices.iter().find(|device| device.is(&self.device))
    }
}

impl UsbPort {
    /// The number of the bus.
    pub fn bus(&self) -> u32 {
        self.parts().0
    }

    /// The ports from there: `1.2`.
    pub fn path(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (u32, &str) {
        let (bus, path) = self.0.split_once('-').unwrap_or_default();
        (bus.parse().unwrap_or_default(), path)
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)
    }
}

impl FromStr for UsbId {
    type Err = UsbTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| {
            let digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            u16::from_str_radix(text, 16).ok().filter(|_| digits)
        };
        let (vendor, product) = text.split_once(':').ok_or(UsbTextError::Id)?;
        match (number(vendor), number(product)) {
            // To an engine, a zero means any.
            (Some(vendor), Some(product)) if vendor != 0 && product != 0 => Ok(Self { vendor, product }),
            _ => Err(UsbTextError::Id),
        }
    }
}

impl fmt::Display for UsbPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UsbPort {
    type Err = UsbTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = |text: &str| {
            (1..=3).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && !text.starts_with('0')
        };
        let (bus, path) = text.split_once('-').ok_or(UsbTextError::Port)?;
        if text.len() > LONGEST_PORT || !is_number(bus) || !path.split('.').all(is_number) {
            return Err(UsbTextError::Port);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for UsbDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            Some(port) => write!(f, "{}@{port}", self.id),
            None => self.id.fmt(f),
        }
    }
}

impl FromStr for UsbDevice {
    type Err = UsbTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, port) = match text.split_once('@') {
            Some((id, port)) => (id, Some(port.parse()?)),
            None => (text, None),
        };
        Ok(Self { id: id.parse()?, port })
    }
}

as_text!(UsbId, UsbPort);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn device(text: &str) -> UsbDevice {
        text.parse().unwrap()
    }

    #[test]
    fn a_device_is_what_it_is_and_where_it_is() {
        let stick = device("0781:5567@3-1.2");
        assert_eq!(stick.id, UsbId { vendor: 0x0781, product: 0x5567 });
        let port = stick.port.unwrap();
        assert_eq!((port.bus(), port.path()), (3, "1.2"));
        assert_eq!(device("ABCD:00ff").to_string(), "abcd:00ff");
        for wrong in [
            "",
            "0781",
            "0781:",
            "781:5567",
            "0781:5567:1",
            "+781:5567",
            "0x81:5567",
            "0000:0001",
            "0001:0000",
        ] {
            assert_eq!(wrong.parse::<UsbDevice>(), Err(UsbTextError::Id), "{wrong}");
        }
        for wrong in
            ["", "3", "3-", "-1", "3-1.", "3-1..2", "3-0", "0-1", "usb3", "3-1:1.0", "3-1,2", "1000-1"]
        {
            assert_eq!(format!("0781:5567@{wrong}").parse::<UsbDevice>(), Err(UsbTextError::Port), "{wrong}");
        }
        assert!(format!("1-{}", ["1"; 20].join(".")).parse::<UsbPort>().is_err());
    }

    #[test]
    fn two_that_can_be_the_same_device_collide() {
        for (one, other, collide) in [
            ("0781:5567", "0781:5567", true),
            ("0781:5567", "0781:5567@3-1", true),
            ("0781:5567@3-1", "0781:5567@3-1", true),
            ("0781:5567@3-1", "0781:5567@3-2", false),
            ("0781:5567", "0781:5568", false),
        ] {
            assert_eq!(device(one).collides(&device(other)), collide, "{one} {other}");
            assert_eq!(device(other).collides(&device(one)), collide, "{other} {one}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(vendor in 1..=u16::MAX, product in 1..=u16::MAX, port in "[1-9]{1,2}-[1-9](\\.[1-9]){0,6}") {
            let device = UsbDevice { id: UsbId { vendor, product }, port: Some(port.parse().unwrap()) };
            prop_assert_eq!(device.to_string().parse(), Ok(device.clone()));
            prop_assert_eq!(device.id.to_string().parse(), Ok(device.id));
        }

        #[test]
        fn no_text_becomes_more_than_digits_and_marks(text in "\\PC{0,40}|[0-9a-f]{4}:[0-9a-f]{4}@\\PC{0,20}") {
            if let Ok(device) = text.parse::<UsbDevice>() {
                prop_assert!(device.to_string().chars().all(|c| c.is_ascii_hexdigit() || ":@-.".contains(c)));
            }
        }
    }
}
