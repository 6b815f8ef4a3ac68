//! The ports that devices are added to and taken from while a QEMU runs: one device each, all there from the
//! start.
//!
//! Which are free is asked of QEMU each time and never remembered, so that a core which found the machine running
//! knows as much as the one that started it. A guest sees a device by its port: one that was added keeps its slot
//! in the definition, so that it is at the same place after the next start and after a restoration.

use super::qmp::Client;
use crate::engine::{EngineError, SLOTS};
use serde_json::{Value, json};

/// Where the ports are on the machine's own bus: the functions of one device there.
const PLACE: u32 = 0x07;

/// A port by its number, which is that of the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(u32);

impl Port {
    /// That of a slot; nothing where a machine has no such slot.
    pub fn of_slot(slot: u32) -> Option<Self> {
        (slot < SLOTS).then_some(Self(slot))
    }

    /// QEMU's name of the bus behind it: what a device that goes there has for `bus`.
    pub fn bus(self) -> String {
        format!("port{}", self.0)
    }
}

/// The ports as devices of a machine that is about to be started, each as `-device` takes it.
pub fn devices() -> impl Iterator<Item = String> {
    (0..SLOTS).map(|number| {
        // A chassis each: QEMU wants the two numbers of a slot to be different from any other's together.
        let (bus, chassis) = (Port(number).bus(), number + 1);
        let more = if number == 0 { ",multifunction=on" } else { "" };
        format!("pcie-root-port,id={bus},chassis={chassis},addr={PLACE:#x}.{number:#x}{more}")
    })
}

/// Makes sure that a port has no device. QEMU 7.2 itself doesn't: it takes a second one, which the guest never
/// sees and which can't be removed.
///
/// # Errors
/// `NotWhileRunning` where it has one, or where the machine was started without ports; what a call can end in.
pub async fn require_free(client: &Client, port: Port) -> Result<(), EngineError> {
    if is_free(client, port).await? {
        return Ok(());
    }
    Err(EngineError::NotWhileRunning { detail: format!("{} has a device", port.bus()) })
}

async fn is_free(client: &Client, port: Port) -> Result<bool, EngineError> {
    // Not `query-pci`: it knows nothing of a bus until the guest's firmware has numbered it.
    let bus = port.bus();
    let path = format!("/machine/peripheral/{bus}/{bus}");
    let answer = client.call("qom-list", json!({ "path": path })).await.map_err(|error| match error {
        EngineError::Refused { detail } => EngineError::NotWhileRunning { detail },
        other => other,
    })?;
    let Some(properties) = answer.as_array() else {
        return Err(EngineError::Refused { detail: format!("it does not say what is behind {bus}") });
    };
    let is_device =
        |property: &Value| property["name"].as_str().is_some_and(|name| name.starts_with("child["));
    Ok(!properties.iter().any(is_device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_port_for_each_slot_and_none_besides() {
        assert_eq!(devices().count(), SLOTS as usize);
        assert_eq!(Port::of_slot(SLOTS), None);
        for slot in 0..SLOTS {
            let port = Port::of_slot(slot).unwrap();
            let device = format!("id={},", port.bus());
            assert_eq!(devices().filter(|other| other.contains(&device)).count(), 1);
        }
    }
}
