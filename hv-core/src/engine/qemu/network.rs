//! QEMU's side of network cards: what of a command line they are, and how they are changed while it runs.
//!
//! Between a card and its network is a hub of QEMU's own: a card keeps what it was plugged into for as long as it
//! exists, so that without one its network could not be exchanged. Everything is JSON, but for forwards, which
//! QEMU changes only by its monitor for people: that gets numbers and addresses, never text from outside.

use super::ports::{self, Port};
use super::qmp::Client;
use crate::engine::{EngineError, NetworkConfig, NicConfig};
use hv_api::{Forward, NicModel};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The first fixed place of cards on the machine's own bus.
const PLACE: u32 = 0x08;

/// How long a guest may take to give a card back.
const REMOVAL_DEADLINE: Duration = Duration::from_secs(10);

/// How often it is looked at until then.
const REMOVAL_LOOK: Duration = Duration::from_millis(100);

/// What a card takes of a command line, as `-netdev` and `-device` take it.
pub fn arguments(nic: &NicConfig) -> Vec<(&'static str, String)> {
    let [network, wire, plug] = network(nic);
    vec![
        ("-netdev", network.to_string()),
        ("-netdev", wire.to_string()),
        ("-netdev", plug.to_string()),
        ("-device", device(nic).to_string()),
    ]
}

/// A network, the hub's end of it, and the hub's end of the card, in the order in which they are made.
fn network(nic: &NicConfig) -> [Value; 3] {
    let number = nic.number;
    let network = match &nic.network {
        NetworkConfig::User { forwards } => {
            let forwards = forwards.iter().map(|forward| json!({ "str": words(forward, true) }));
            json!({ "type": "user", "id": network_name(number), "hostfwd": forwards.collect::<Vec<_>>() })
        }
    };
    let wire = json!({
        "type": "hubport", "id": wire_name(number), "hubid": number, "netdev": network_name(number),
    });
    [network, wire, json!({ "type": "hubport", "id": plug_name(number), "hubid": number })]
}

fn device(nic: &NicConfig) -> Value {
    let driver = match nic.model {
        NicModel::Virtio => "virtio-net-pci",
        NicModel::E1000e => "e1000e",
        NicModel::E1000 => "e1000",
        NicModel::Rtl8139 => "rtl8139",
        NicModel::Pcnet => "pcnet",
    };
    let mut device = json!({
        "driver": driver,
        "id": card_name(nic.number),
        "netdev": plug_name(nic.number),
        "mac": nic.mac.to_string(),
        // Without its ROM: nothing boots from the network, and the firmware would wait for it.
        "romfile": "",
    });
    match nic.slot.and_then(Port::of_slot) {
        Some(port) => device["bus"] = port.bus().into(),
        None => device["addr"] = format!("{:#x}", PLACE + nic.number).into(),
    }
    device
}

/// Unplugs the cables that are not to be plugged in, of a machine whose CPUs have not run yet.
pub async fn unplug(client: &Client, nics: &[NicConfig]) -> Result<(), EngineError> {
    for nic in nics.iter().filter(|nic| !nic.link) {
        set_link(client, nic.number, false).await?;
    }
    Ok(())
}

/// Adds a card.
pub async fn add(client: &Client, nic: &NicConfig) -> Result<(), EngineError> {
    let no_slot = || EngineError::NotWhileRunning { detail: "the card has a fixed place".into() };
    let port = nic.slot.and_then(Port::of_slot).ok_or_else(no_slot)?;
    ports::require_free(client, port).await?;
    let added = async {
        for network in network(nic) {
            client.call("netdev_add", network).await?;
        }
        client.call("device_add", device(nic)).await?;
        if nic.link { Ok(()) } else { set_link(client, nic.number, false).await }
    };
    let added = added.await;
    if added.is_err() {
        remove_network(client, nic.number).await;
    }
    added
}

/// Takes a card away; answers when the guest has given it back.
pub async fn remove(client: &Client, number: u32) -> Result<(), EngineError> {
    let card = card_name(number);
    match client.call("device_del", json!({ "id": card })).await {
        // The guest was asked before and has not answered yet, or there is no such card.
        Ok(_) | Err(EngineError::Refused { .. }) => {}
        Err(error) => return Err(error),
    }
    let begun = Instant::now();
    while has_card(client, &card).await? {
        if begun.elapsed() > REMOVAL_DEADLINE {
            return Err(EngineError::GuestRefused);
        }
        sleep(REMOVAL_LOOK).await;
    }
    remove_network(client, number).await;
    Ok(())
}

/// Plugs a card's cable in, or out.
pub async fn set_link(client: &Client, number: u32, up: bool) -> Result<(), EngineError> {
    client.call("set_link", json!({ "name": card_name(number), "up": up })).await.map(drop)
}

/// Lets a port of the host's lead to a card.
pub async fn add_forward(client: &Client, number: u32, forward: &Forward) -> Result<(), EngineError> {
    let line = format!("hostfwd_add {} {}", network_name(number), words(forward, true));
    let said = tell(client, &line).await?;
    if said.trim().is_empty() { Ok(()) } else { Err(EngineError::Refused { detail: said.trim().to_owned() }) }
}

/// Ends that.
pub async fn remove_forward(client: &Client, number: u32, forward: &Forward) -> Result<(), EngineError> {
    let line = format!("hostfwd_remove {} {}", network_name(number), words(forward, false));
    let said = tell(client, &line).await?;
    // Where there is none, nothing is left to be done.
    let gone = said.contains("removed") || said.contains("not found");
    if gone { Ok(()) } else { Err(EngineError::Refused { detail: said.trim().to_owned() }) }
}

/// A forward as QEMU writes it; without the guest's end to name it.
fn words(forward: &Forward, whole: bool) -> String {
    let Forward { protocol, address, host_port, guest_port } = forward;
    let end = if whole { format!("-:{guest_port}") } else { String::new() };
    format!("{protocol}:{address}:{host_port}{end}")
}

async fn tell(client: &Client, line: &str) -> Result<String, EngineError> {
    let answer = client.call("human-monitor-command", json!({ "command-line": line })).await?;
    Ok(answer.as_str().unwrap_or_default().to_owned())
}

async fn has_card(client: &Client, card: &str) -> Result<bool, EngineError> {
    let answer = client.call("qom-list", json!({ "path": "/machine/peripheral" })).await?;
    let devices = answer
        .as_array()
        .ok_or_else(|| EngineError::Refused { detail: "it does not say which devices it has".into() })?;
    Ok(devices.iter().any(|device| device["name"] == card))
}

/// Removes what of a card's network there is.
async fn remove_network(client: &Client, number: u32) {
    for name in [wire_name(number), plug_name(number), network_name(number)] {
        // It may have come no further than to one of them.
        let _gone = client.call("netdev_del", json!({ "id": name })).await;
    }
}

fn card_name(number: u32) -> String {
    format!("nic{number}")
}

fn network_name(number: u32) -> String {
    format!("net{number}")
}

/// The hub's end of the network.
fn wire_name(number: u32) -> String {
    format!("wire{number}")
}

/// The hub's end of the card.
fn plug_name(number: u32) -> String {
    format!("plug{number}")
}
