//! USB devices in JSON.

use super::views::{Word, wire_word};
use crate::failure::english;
use hv_api::problem::explain_usb;
use hv_api::{GuestInfo, HostUsbDevice, UsbInfo, UsbKind};
use serde::Serialize;

/// A device of this computer's.
#[derive(Debug, Serialize)]
pub struct HostUsbView<'a> {
    device: String,
    port: String,
    bus: u32,
    number: u32,
    name: Option<&'a str>,
    serial: Option<&'a str>,
    kinds: Vec<Word<UsbKind>>,
    node: &'a str,
    /// Why no guest can have it now.
    fault: Option<FaultView>,
}

#[derive(Debug, Serialize)]
struct FaultView {
    fault: String,
    why: String,
    remedy: String,
}

/// The same and the guest that has it.
#[derive(Debug, Serialize)]
pub struct HeldUsbView<'a> {
    #[serde(flatten)]
    device: HostUsbView<'a>,
    guest: Option<&'a str>,
}

impl<'a> HeldUsbView<'a> {
    /// A device and who of these guests has it.
    pub fn new(device: &'a HostUsbDevice, guests: &'a [GuestInfo]) -> Self {
        let guest = device.holder(guests).map(|guest| guest.name.as_str());
        Self { device: HostUsbView::from(device), guest }
    }
}

impl<'a> From<&'a HostUsbDevice> for HostUsbView<'a> {
    fn from(device: &'a HostUsbDevice) -> Self {
        let fault = device.fault().zip(explain_usb(device, &english)).map(|((fault, _), words)| FaultView {
            fault: wire_word(&fault),
            why: words.why,
            remedy: words.remedy,
        });
        Self {
            device: device.id.to_string(),
            port: device.port.to_string(),
            bus: device.bus,
            number: device.number,
            name: device.name.as_deref(),
            serial: device.serial.as_deref(),
            kinds: device.kinds.iter().copied().map(Word).collect(),
            node: &device.node,
            fault,
        }
    }
}

/// A device that a guest has.
#[derive(Debug, Serialize)]
pub struct UsbView<'a> {
    usb: &'a str,
    device: String,
    label: Option<&'a str>,
    present: Option<bool>,
    /// Whether it is plugged in, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugged: Option<bool>,
}

impl<'a> UsbView<'a> {
    /// A device, with whether it is one of these.
    pub fn new(usb: &'a UsbInfo, devices: Option<&[HostUsbDevice]>) -> Self {
        Self {
            usb: &usb.name,
            device: usb.device.to_string(),
            label: usb.label.as_deref(),
            present: usb.present,
            plugged: devices.map(|devices| usb.plugged(devices).is_some()),
        }
    }
}

/// All USB devices of a guest.
#[derive(Debug, Serialize)]
pub struct GuestUsbView<'a> {
    /// Each of them.
    pub usb: Vec<UsbView<'a>>,
}
