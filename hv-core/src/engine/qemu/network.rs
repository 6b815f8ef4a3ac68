//! QEMU's side of network cards: what of a command line they are, and how they are changed while it runs.
//!
//! Between a card and its network is a hub of QEMU's own: a card keeps what it was plugged into for as long as it
//! exists, so that without one its network could not be exchanged. Everything is JSON, but for forwards, which
//! QEMU changes only by its monitor for people: that gets numbers and addresses, never text from outside.

use super::bridge;
use super::ports::{self, Port};
use super::process;
use super::qmp::{CALL_DEADLINE, Client};
use crate::engine::{EngineError, NetworkConfig, NicConfig, RunFiles};
use crate::switch;
use hv_api::{Forward, GuestId, NicModel};
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

/// The first fixed place of cards on the machine's own bus.
const PLACE: u32 = 0x08;

/// The longest path that the address of a socket has room for.
const SOCKET_PATH: usize = 107;

/// How long a guest may take to give a card back.
const REMOVAL_DEADLINE: Duration = Duration::from_secs(10);

/// How often it is looked at until then.
const REMOVAL_LOOK: Duration = Duration::from_millis(100);

/// How long to wait until a switch that failed is started anew, and how often.
const SWITCH_PAUSE: Duration = Duration::from_secs(1);
const SWITCH_TRIES: u32 = 5;

/// Where the networks of a guest's cards are on the host.
#[derive(Debug, Clone)]
pub struct Networks {
    guest: GuestId,
    folder: PathBuf,
    logs: PathBuf,
    /// The program that is the switch of an isolated network.
    switch: Option<PathBuf>,
}

impl Networks {
    /// Those of the guest with these files.
    pub fn new(guest: GuestId, run: &RunFiles, switch: Option<PathBuf>) -> Self {
        let logs = run.engine_log.parent().unwrap_or(Path::new("/")).to_owned();
        Self { guest, folder: run.networks.clone(), logs, switch }
    }

    /// Makes ready what a card is to be plugged into, and gives the descriptor where it is one.
    pub async fn prepare(&self, network: &NetworkConfig) -> Result<Option<OwnedFd>, EngineError> {
        match network {
            NetworkConfig::User { .. } => Ok(None),
            NetworkConfig::Bridge { bridge } => {
                bridge::open(bridge, &self.logs.join("bridge.log")).await.map(Some)
            }
            NetworkConfig::Isolated { network } => {
                if self.switch.is_none() {
                    return Err(EngineError::Missing { program: "hv-core".into() });
                }
                let folder = self.folder.join(network);
                if self.socket(network, u32::MAX).as_os_str().len() > SOCKET_PATH {
                    let detail = format!("{}: the path is too long for a socket", folder.display());
                    return Err(EngineError::Refused { detail });
                }
                hv_api::paths::private_folder(&folder).map_err(|error| EngineError::Refused {
                    detail: format!("{}: {error}", folder.display()),
                })?;
                Ok(None)
            }
        }
    }

    /// Sees to it that a network which has a card now has a switch as well. That comes after the card: a switch
    /// that is about to end looks once more whether there is a card.
    pub fn connect(&self, network: &NetworkConfig) {
        let (NetworkConfig::Isolated { network }, Some(program)) = (network, &self.switch) else { return };
        let arguments = [switch::FLAG.to_owned(), self.folder.join(network).to_string_lossy().into_owned()];
        let (program, log) = (program.clone(), self.logs.join("switch.log"));
        tokio::spawn(async move {
            for _try in 0..SWITCH_TRIES {
                // One that finds another one at work ends at once.
                match process::spawn(&program, &arguments, &[], &log, Path::new("/"), None) {
                    Err(error) => warn!(%error, "an isolated network has no switch"),
                    Ok(mut child) => match child.wait().await {
                        Ok(status) if status.success() => return,
                        how => warn!(?how, "the switch of an isolated network has ended"),
                    },
                }
                sleep(SWITCH_PAUSE).await;
            }
        });
    }

    /// As [`Self::connect`], for a machine that was found running.
    pub fn reconnect(&self) {
        for network in self
            .of_guest()
            .into_iter()
            .filter_map(|socket| Some(socket.parent()?.file_name()?.to_str()?.to_owned()))
        {
            self.connect(&NetworkConfig::Isolated { network });
        }
    }

    /// Removes the sockets of a machine that has ended.
    pub fn clear(&self) {
        for socket in self.of_guest() {
            if let Err(error) = std::fs::remove_file(&socket) {
                debug!(socket = %socket.display(), %error, "a socket stays");
            }
        }
    }

    /// The sockets of this guest's cards in all networks.
    fn of_guest(&self) -> Vec<PathBuf> {
        let own = format!("{}-", self.guest);
        let Ok(networks) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let sockets = networks.flatten().filter_map(|network| std::fs::read_dir(network.path()).ok());
        let sockets = sockets.flatten().flatten();
        let is_own = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.starts_with(&own));
        sockets.filter(|socket| is_own(&socket.file_name())).map(|socket| socket.path()).collect()
    }

    fn socket(&self, network: &str, number: u32) -> PathBuf {
        self.folder.join(network).join(format!("{}-{number}", self.guest))
    }

    /// What a card is plugged into, as QEMU makes it. `descriptor` is that of a bridge's interface.
    fn network(&self, number: u32, network: &NetworkConfig, descriptor: &str) -> Value {
        let id = network_name(number);
        match network {
            NetworkConfig::User { forwards } => {
                let forwards = forwards.iter().map(|forward| json!({ "str": words(forward, true) }));
                json!({ "type": "user", "id": id, "hostfwd": forwards.collect::<Vec<_>>() })
            }
            NetworkConfig::Bridge { .. } => json!({ "type": "tap", "id": id, "fd": descriptor }),
            NetworkConfig::Isolated { network } => {
                let address = |path: PathBuf| json!({ "type": "unix", "path": path.to_string_lossy() });
                json!({
                    "type": "dgram",
                    "id": id,
                    "local": address(self.socket(network, number)),
                    "remote": address(self.folder.join(network).join(switch::SOCKET)),
                })
            }
        }
    }

    /// What a card takes of a command line, as `-netdev` and `-device` take it. `descriptor` is the number of
    /// a bridge's interface.
    pub fn arguments(&self, nic: &NicConfig, descriptor: Option<i32>) -> Vec<(&'static str, String)> {
        let descriptor = descriptor.map(|number| number.to_string()).unwrap_or_default();
        let network = self.network(nic.number, &nic.network, &descriptor);
        vec![
            ("-netdev", network.to_string()),
            ("-netdev", wire(nic.number).to_string()),
            ("-netdev", plug(nic.number).to_string()),
            ("-device", device(nic).to_string()),
        ]
    }

    /// Adds a card.
    pub async fn add(&self, client: &Client, nic: &NicConfig) -> Result<(), EngineError> {
        let no_slot = || EngineError::NotWhileRunning { detail: "the card has a fixed place".into() };
        let port = nic.slot.and_then(Port::of_slot).ok_or_else(no_slot)?;
        ports::require_free(client, port).await?;
        let descriptor = self.prepare(&nic.network).await?;
        let added = async {
            self.add_network(client, nic.number, &nic.network, descriptor).await?;
            client.call("netdev_add", plug(nic.number)).await?;
            client.call("device_add", device(nic)).await?;
            if nic.link { Ok(()) } else { set_link(client, nic.number, false).await }
        };
        let added = added.await;
        if added.is_err() {
            remove_networks(client, nic.number, true).await;
        } else {
            self.connect(&nic.network);
        }
        added
    }

    /// Plugs a card, which is as `nic` says, into another network. Its guest sees the cable go out and in again, so
    /// that it asks for an address anew.
    pub async fn replug(
        &self,
        client: &Client,
        nic: &NicConfig,
        network: &NetworkConfig,
    ) -> Result<(), EngineError> {
        let descriptor = self.prepare(network).await?;
        if nic.link {
            set_link(client, nic.number, false).await?;
        }
        remove_networks(client, nic.number, false).await;
        let added = self.add_network(client, nic.number, network, descriptor).await;
        if added.is_err() {
            // A card without any network would be worse than one in its former.
            remove_networks(client, nic.number, false).await;
            let former = async {
                let descriptor = self.prepare(&nic.network).await?;
                self.add_network(client, nic.number, &nic.network, descriptor).await
            };
            if let Err(error) = former.await {
                warn!(%error, card = nic.number, "a card has no network any more");
            }
        } else {
            self.connect(network);
        }
        if nic.link {
            set_link(client, nic.number, true).await?;
        }
        added
    }

    /// Makes a network and the hub's end of it.
    async fn add_network(
        &self,
        client: &Client,
        number: u32,
        network: &NetworkConfig,
        descriptor: Option<OwnedFd>,
    ) -> Result<(), EngineError> {
        let name = format!("tap{number}");
        let passed = descriptor.is_some();
        if let Some(descriptor) = descriptor {
            client.call_within("getfd", json!({ "fdname": name }), vec![descriptor], CALL_DEADLINE).await?;
        }
        let made = client.call("netdev_add", self.network(number, network, &name)).await;
        if made.is_err() && passed {
            let _gone = client.call("closefd", json!({ "fdname": name })).await;
        }
        made?;
        client.call("netdev_add", wire(number)).await.map(drop)
    }
}

/// The hub's end of the network.
fn wire(number: u32) -> Value {
    json!({ "type": "hubport", "id": wire_name(number), "hubid": number, "netdev": network_name(number) })
}

/// The hub's end of the card.
fn plug(number: u32) -> Value {
    json!({ "type": "hubport", "id": plug_name(number), "hubid": number })
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
    remove_networks(client, number, true).await;
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

/// Removes what of a card's network there is, and of the hub's end of the card, where that has gone.
async fn remove_networks(client: &Client, number: u32, with_plug: bool) {
    let plug = with_plug.then(|| plug_name(number));
    for name in [Some(wire_name(number)), plug, Some(network_name(number))].into_iter().flatten() {
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

fn wire_name(number: u32) -> String {
    format!("wire{number}")
}

fn plug_name(number: u32) -> String {
    format!("plug{number}")
}
