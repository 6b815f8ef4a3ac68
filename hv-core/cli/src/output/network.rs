//! Network cards in JSON.

use super::views::Word;
use hv_api::{Forward, MacAddress, NetworkMode, NicInfo, NicModel};
use serde::Serialize;

/// A network card.
#[derive(Debug, Serialize)]
pub struct NicView<'a> {
    nic: &'a str,
    mode: Word<NetworkMode>,
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
            model: Word(nic.model),
            mac: nic.mac,
            link: if nic.link { "up" } else { "down" },
            forwards: &nic.forwards,
            pluggable: nic.pluggable,
            present: nic.present,
        }
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
