//! USB devices of the host's in QEMU: its `usb-host`, which looks by itself whether such a device is plugged in and
//! takes it then, as often as it comes.
//!
//! A saved machine has it at the port where it was: each has a port of its own for good. To a guest that is restored,
//! it was unplugged meanwhile, and is plugged in again.

use super::disks;
use super::qmp::Client;
use crate::engine::{EngineError, UsbConfig};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// QEMU's name of the device.
pub const DRIVER: &str = "usb-host";

/// The port of the first one: the pointer has the one before, and disks have the last ones.
const FIRST_PORT: u32 = 2;

/// How long QEMU may take to let go of one. No guest is asked.
const REMOVAL_DEADLINE: Duration = Duration::from_secs(5);

/// How often it is looked at until then.
const REMOVAL_LOOK: Duration = Duration::from_millis(50);

/// A device, as `-device` and `device_add` take it.
pub fn device(usb: &UsbConfig) -> Value {
    let mut device = json!({
        "driver": DRIVER,
        "id": id(usb.number),
        "bus": "usb.0",
        "port": (FIRST_PORT + usb.number).to_string(),
        "vendorid": usb.device.id.vendor,
        "productid": usb.device.id.product,
    });
    if let Some(port) = &usb.device.port {
        device["hostbus"] = port.bus().into();
        device["hostport"] = port.path().into();
    }
    device
}

/// Gives a machine that runs one more.
pub async fn add(client: &Client, usb: &UsbConfig) -> Result<(), EngineError> {
    client.call("device_add", device(usb)).await.map(drop)
}

/// Takes one away, which the host has again then.
pub async fn remove(client: &Client, number: u32) -> Result<(), EngineError> {
    let id = id(number);
    if !disks::present(client).await?.contains(&id) {
        return Ok(());
    }
    client.call("device_del", json!({ "id": id })).await?;
    let begun = Instant::now();
    while disks::present(client).await?.contains(&id) {
        if begun.elapsed() > REMOVAL_DEADLINE {
            return Err(EngineError::Silent { seconds: REMOVAL_DEADLINE.as_secs() as u32 });
        }
        sleep(REMOVAL_LOOK).await;
    }
    Ok(())
}

fn id(number: u32) -> String {
    format!("hostusb{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_by_what_it_is_and_where_it_has_to_be() {
        let config = |device: &str| UsbConfig { number: 3, device: device.parse().unwrap() };
        let any = device(&config("0781:5567"));
        assert_eq!(
            any,
            json!({ "driver": "usb-host", "id": "hostusb3", "bus": "usb.0", "port": "5", "vendorid": 0x781, "productid": 0x5567 })
        );
        let there = device(&config("0781:5567@3-1.2"));
        assert_eq!((&there["hostbus"], &there["hostport"]), (&json!(3), &json!("1.2")));
    }
}
