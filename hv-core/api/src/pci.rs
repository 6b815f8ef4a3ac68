//! PCI devices: those of the host, and which of them a guest has for itself alone.

use crate::text::as_text;
use crate::{ByteSize, GuestInfo};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zlink::introspect::CustomType;

/// What a guest's machine needs of locked memory besides the guest's own, with a margin: for its firmware, its picture
/// and its devices. QEMU 7.2 needed 8 MiB.
const LOCKED_BESIDES: ByteSize = ByteSize::mib(256);

/// Where a PCI device is in the host. Written `0000:01:00.0`; read without the first number as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PciAddress {
    /// The domain, 0 on most computers.
    pub domain: u32,
    /// The bus in it.
    pub bus: u8,
    /// The device on the bus, 0–31.
    pub device: u8,
    /// The function of the device, 0–7.
    pub function: u8,
}

/// What a PCI device is: who made it, and which of their devices it is. Written `8086:10d3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PciId {
    /// Who made it.
    pub vendor: u16,
    /// Which of their devices it is.
    pub device: u16,
}

/// What a PCI device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum PciKind {
    /// It shows pictures or computes them.
    Display,
    /// A network card.
    Network,
    /// A radio.
    Wireless,
    /// A disk, or a controller of disks.
    Storage,
    /// A sound device.
    Audio,
    /// It captures or decodes video.
    Video,
    /// A controller of USB ports, with all that is plugged into them.
    Usb,
    /// Serial and parallel ports, modems.
    Communication,
    /// It computes or encrypts.
    Accelerator,
    /// Through it, other devices are connected.
    Bridge,
    /// Anything else.
    Other,
}

/// Why a guest can't have a PCI device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum PciFault {
    /// There is none at that address.
    Missing,
    /// At that address is another one by now. `by` says what it is, as `8086:10d3`.
    Changed,
    /// It is a bridge.
    Bridge,
    /// This computer has no IOMMU, or it is not switched on.
    NoIommu,
    /// The IOMMU has nothing to do with this device.
    NoGroup,
    /// A file system behind it is mounted on the host. `by` is where.
    Mounted,
    /// The host has a disk behind it in another way: as swap, or as a part of LVM, RAID or encryption. `by` is what
    /// has it.
    InUse,
    /// The host is connected to a network by it. `by` is the name of the interface.
    NetworkUp,
    /// The host shows its own picture by it.
    BootDisplay,
    /// The driver of the host's that gives devices to guests, `vfio-pci`, does not have it. `by` is the driver that
    /// does; empty where there is none.
    NotBound,
    /// Devices that can't be told apart from it by the IOMMU are still the host's. `by` has their addresses, with blanks
    /// between them.
    GroupShared,
    /// This user may not use it. `by` is the file.
    NotPermitted,
    /// This guest has it already.
    Doubled,
    /// Another guest has it. `by` is its name.
    HeldByGuest,
    /// Another guest has a device that can't be told apart from it by the IOMMU. `by` is its name.
    GroupHeldByGuest,
    /// The engine was installed without its part for this.
    EngineCannot,
}

/// What keeps guests from having a PCI device of the host's, whatever guest it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct PciObstacle {
    /// What it is.
    pub fault: PciFault,
    /// What that has to do with; empty where there is nothing.
    pub by: String,
}

/// A PCI device of the host's. Bridges, and what only the computer itself has a use for, are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct HostPciDevice {
    /// Where it is.
    pub address: PciAddress,
    /// What it is.
    pub id: PciId,
    /// What it is for.
    pub kind: PciKind,
    /// What the host's list of names calls it.
    pub name: Option<String>,
    /// The number of its IOMMU group: those that only one guest or the host can have together.
    pub group: Option<u32>,
    /// The driver of the host's that has it.
    pub driver: Option<String>,
    /// What is in the way of a guest's having it, in the order in which it is to be removed. Nothing where a guest can
    /// have it, unless another one has.
    pub obstacles: Vec<PciObstacle>,
}

/// A PCI device of the host's that a guest has for itself alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct PciInfo {
    /// Its name within the guest: `pci0`, `pci1`, … It keeps it when others are taken away.
    pub name: String,
    /// Where it is in the host.
    pub address: PciAddress,
    /// What was there when the guest got it.
    pub id: PciId,
    /// What the host called it then.
    pub label: Option<String>,
    /// While an engine runs: whether the machine has it yet.
    pub present: Option<bool>,
    /// It was taken away, and the running guest has it until it lets go of it or ends.
    pub leaving: bool,
}

impl PciObstacle {
    /// One that has to do with this.
    pub fn new(fault: PciFault, by: impl Into<String>) -> Self {
        Self { fault, by: by.into() }
    }
}

impl HostPciDevice {
    /// What it is called where one thing to call it is wanted.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// The guest among these that has it, or that has another one of its group, which is among `all`; and which of the
    /// two it is.
    pub fn holder<'a, 'b>(
        &self,
        all: impl IntoIterator<Item = &'b Self>,
        guests: impl IntoIterator<Item = &'a GuestInfo>,
    ) -> Option<(PciFault, &'a GuestInfo)> {
        let group: Vec<PciAddress> = all
            .into_iter()
            .filter(|other| other.group.is_some() && other.group == self.group)
            .map(|other| other.address)
            .collect();
        let mut of_group = None;
        for guest in guests {
            if guest.pci.iter().any(|pci| pci.address == self.address) {
                return Some((PciFault::HeldByGuest, guest));
            }
            if guest.pci.iter().any(|pci| group.contains(&pci.address)) {
                of_group.get_or_insert((PciFault::GroupHeldByGuest, guest));
            }
        }
        of_group
    }
}

impl PciInfo {
    /// What it is called where one thing to call it is wanted.
    pub fn title(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// How much memory a process must be allowed to lock that runs a guest with this much memory and a PCI device.
pub fn locked_memory(memory: ByteSize) -> ByteSize {
    ByteSize::bytes(memory.as_bytes().saturating_add(LOCKED_BESIDES.as_bytes()))
}

/// A text that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PciTextError {
    /// It is no place.
    #[error(
        "where a PCI device is is written DOMAIN:BUS:DEVICE.FUNCTION, as 0000:01:00.0, or without the domain, as 01:00.0"
    )]
    Address,
    /// It names no device.
    #[error("what a PCI device is is written VENDOR:DEVICE with four hexadecimal digits each, as 8086:10d3")]
    Id,
}

/// A number of so many hexadecimal digits.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let is_number = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(text, 16).ok().filter(|_| is_number)
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function}")
    }
}

impl FromStr for PciAddress {
    type Err = PciTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (place, function) = text.rsplit_once('.')?;
            let (rest, device) = place.rsplit_once(':')?;
            let (domain, bus) = rest.split_once(':').unwrap_or(("0000", rest));
            Some(Self {
                domain: number(domain, 4..=8)?,
                bus: u8::try_from(number(bus, 2..=2)?).ok()?,
                device: u8::try_from(number(device, 2..=2)?).ok().filter(|device| *device < 32)?,
                function: u8::try_from(number(function, 1..=1)?).ok().filter(|function| *function < 8)?,
            })
        };
        read().ok_or(PciTextError::Address)
    }
}

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.device)
    }
}

impl FromStr for PciId {
    type Err = PciTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let half = |text| number(text, 4..=4).and_then(|number| u16::try_from(number).ok());
        let (vendor, device) = text.split_once(':').ok_or(PciTextError::Id)?;
        half(vendor).zip(half(device)).map(|(vendor, device)| Self { vendor, device }).ok_or(PciTextError::Id)
    }
}

as_text!(PciAddress, PciId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_is_read_with_and_without_its_domain() {
        let address: PciAddress = "01:1f.7".parse().unwrap();
        assert_eq!(address, PciAddress { domain: 0, bus: 1, device: 31, function: 7 });
        assert_eq!("0000:01:1F.7".parse(), Ok(address));
        assert_eq!("10000:e1:00.0".parse::<PciAddress>().unwrap().to_string(), "10000:e1:00.0");
        for wrong in [
            "",
            "01",
            "01:00",
            "1:00.0",
            "01:20.0",
            "01:00.8",
            "01:00.00",
            "000:01:00.0",
            "0:0000:01:00.0",
            "01:00.0,x",
            "+1:00.0",
            "01:00.",
            "123456789:01:00.0",
            "01:0x.0",
        ] {
            assert_eq!(wrong.parse::<PciAddress>(), Err(PciTextError::Address), "{wrong}");
        }
        for wrong in ["", "8086", "8086:10d", "8086:10d3:1", "+086:10d3"] {
            assert_eq!(wrong.parse::<PciId>(), Err(PciTextError::Id), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(domain: u32, bus: u8, device in 0..32_u8, function in 0..8_u8, vendor: u16) {
            let address = PciAddress { domain, bus, device, function };
            prop_assert_eq!(address.to_string().parse(), Ok(address));
            let id = PciId { vendor, device: vendor.rotate_left(3) };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn no_text_becomes_more_than_digits_and_marks(text in "\\PC{0,20}|[0-9a-f]{2}:[0-9a-f]{2}.\\PC{0,4}") {
            if let Ok(address) = text.parse::<PciAddress>() {
                prop_assert!(address.to_string().chars().all(|c| c.is_ascii_hexdigit() || ":.".contains(c)));
            }
        }
    }
}
