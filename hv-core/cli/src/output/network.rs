//! Network cards in JSON.

use super::views::{Word, wire_word};
use hv_api::{Forward, MacAddress, NetworkMode, NicInfo, NicModel};
use serde::Serialize;

/// A network card.
#[derive(Debug, Serialize)]
pub struct NicView<'a> {
    nic: &'a str,
    mode: Word<NetworkMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bridge: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'a str>,
    model: Word<NicModel>,
    mac: MacAddress,
    link: &'a str,
    forwards: &'a [Forward],
    pluggable: bool,
    present: Option<bool>,
}

impl<'a> From<&'a NicInfo> for NicView<'a> {
    fn from(nic: &'a NicInfo) -> Self {
        Self {
            nic: &nic.name,
            mode: Word(nic.mode),
            bridge: nic.bridge.as_deref(),
            network: nic.network.as_deref(),
            model: Word(nic.model),
            mac: nic.mac,
            link: if nic.link { "up" } else { "down" },
            forwards: &nic.forwards,
            pluggable: nic.pluggable,
            present: nic.present,
        }
    }
}

/// How a card reaches the world, as it is written on the command line.
pub fn mode_words(nic: &NicInfo) -> String {
    let mode = wire_word(&nic.mode);
    match nic.bridge.as_ref().or(nic.network.as_ref()) {
        Some(name) => format!("{mode}={name}"),
        None => mode,
    }
}

/// All network cards of a guest.
#[derive(Debug, Serialize)]
pub struct NicsView<'a> {
    nics: Vec<NicView<'a>>,
}

impl<'a> From<&'a [NicInfo]> for NicsView<'a> {
    fn from(nics: &'a [NicInfo]) -> Self {
        Self { nics: nics.iter().map(NicView::from).collect() }
    }
}
