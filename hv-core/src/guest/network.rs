//! A guest's network cards: what each is in the definition, how they are changed, and what clients are told of
//! them. Pure; whether the host can do it is looked at elsewhere.

use super::config::Definition;
use super::edit::Course;
use super::slots;
use crate::engine::{Alteration, NetworkConfig, NicConfig};
use hv_api::{
    Error, Forward, ForwardFault, MacAddress, NetworkMode, NewNic, NicInfo, NicModel, NicSettings, NotNow,
    PendingChange,
};
use serde::{Deserialize, Deserializer, Serialize};

/// The most cards that a guest can have: as many as have a fixed place each.
pub const MAX_NICS: u32 = 8;

/// The number of a card that has none yet.
const UNNUMBERED: u32 = u32::MAX;

/// One network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Nic {
    /// Its number, 0–7, which it keeps when others are taken away, written as its name; the first one that is free
    /// where left out.
    #[serde(rename = "name", default = "unnumbered", with = "as_name")]
    pub number: u32,
    /// How it reaches the world.
    pub mode: NetworkMode,
    /// The bridge, in bridge mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// The isolated network, in isolated mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub model: NicModel,
    /// Its address.
    pub mac: MacAddress,
    /// Whether its cable is plugged in.
    #[serde(default = "plugged", skip_serializing_if = "is_plugged")]
    pub link: bool,
    /// Ports of the host's that lead to it, in user mode.
    #[serde(default, rename = "forward", with = "as_words", skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<Forward>,
    /// The slot that it is in, 0–7; nothing where it has a fixed place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
}

impl Nic {
    /// A card as it was asked for, without a number yet and at a fixed place.
    ///
    /// # Errors
    /// [`Error::OptionNeeds`], [`Error::NetworkNameInvalid`], [`Error::ForwardRefused`].
    pub fn new(new: NewNic, mac: MacAddress) -> Result<Self, Error> {
        let NewNic { mode, bridge, network, model, mac: own, link, forwards } = new;
        let mut nic = Self {
            number: UNNUMBERED,
            mode: NetworkMode::User,
            bridge: None,
            network: None,
            model: model.unwrap_or_default(),
            mac: own.unwrap_or(mac),
            link: link.unwrap_or(true),
            forwards: forwards.unwrap_or_default(),
            slot: None,
        };
        if let Some(plug) = Plug::of(mode, bridge, network)? {
            nic.plug(&plug);
        }
        match nic.forwards.first().filter(|_| nic.mode != NetworkMode::User) {
            Some(forward) => Err(refused(forward, ForwardFault::NotUser, "")),
            None => Ok(nic),
        }
    }

    /// Plugs its cable into another network.
    fn plug(&mut self, plug: &Plug) {
        match plug {
            Plug::User => self.mode = NetworkMode::User,
            Plug::Bridge(bridge) => {
                self.mode = NetworkMode::Bridge;
                self.bridge = Some(bridge.clone());
            }
            Plug::Isolated(network) => {
                self.mode = NetworkMode::Isolated;
                self.network = Some(network.clone());
            }
        }
    }

    /// Those of its forwards that are there: in other modes than user mode, they rest.
    pub fn open_forwards(&self) -> &[Forward] {
        if self.mode == NetworkMode::User { &self.forwards } else { &[] }
    }

    /// Its name within the guest.
    pub fn name(&self) -> String {
        name(self.number)
    }

    /// The card to ask an engine for.
    pub fn config(&self) -> NicConfig {
        NicConfig {
            number: self.number,
            network: match (self.mode, &self.bridge, &self.network) {
                (NetworkMode::Bridge, Some(bridge), _) => NetworkConfig::Bridge { bridge: bridge.clone() },
                (NetworkMode::Isolated, _, Some(network)) => {
                    NetworkConfig::Isolated { network: network.clone() }
                }
                // Without a name there is no such card; `check` sees to it.
                (NetworkMode::User | NetworkMode::Bridge | NetworkMode::Isolated, ..) => {
                    NetworkConfig::User { forwards: self.open_forwards().to_vec() }
                }
            },
            model: self.model,
            mac: self.mac,
            link: self.link,
            slot: self.slot,
        }
    }
}

/// What a card is plugged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plug {
    /// The user's own connections.
    User,
    /// This bridge of the host's.
    Bridge(String),
    /// The isolated network of this name.
    Isolated(String),
}

impl Plug {
    /// What was asked for; nothing where nothing was.
    fn of(
        mode: Option<NetworkMode>,
        bridge: Option<String>,
        network: Option<String>,
    ) -> Result<Option<Self>, Error> {
        let needs =
            |option: &str, needs: &str| Error::OptionNeeds { option: option.into(), needs: needs.into() };
        let valid = |name: String| {
            if is_network_name(&name) { Ok(name) } else { Err(Error::NetworkNameInvalid { name }) }
        };
        if bridge.is_some() && mode != Some(NetworkMode::Bridge) {
            return Err(needs("bridge", "mode=bridge"));
        }
        if network.is_some() && mode != Some(NetworkMode::Isolated) {
            return Err(needs("network", "mode=isolated"));
        }
        Ok(match mode {
            None => None,
            Some(NetworkMode::User) => Some(Self::User),
            Some(NetworkMode::Bridge) => {
                Some(Self::Bridge(valid(bridge.ok_or_else(|| needs("mode=bridge", "bridge"))?)?))
            }
            Some(NetworkMode::Isolated) => {
                Some(Self::Isolated(valid(network.ok_or_else(|| needs("mode=isolated", "network"))?)?))
            }
        })
    }
}

/// Whether an interface, and a folder, can be called that.
fn is_network_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=15).contains(&name.len())
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// One change to a guest's cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicEdit {
    /// A card more.
    Add(Nic),
    /// The card with this number is gone.
    Remove(u32),
    /// A card is plugged into another network.
    Plug(u32, Plug),
    /// A card is something else.
    Model(u32, NicModel),
    /// A card has another address.
    Mac(u32, MacAddress),
    /// A card's cable is plugged in, or not.
    Link(u32, bool),
    /// A port of the host's leads to a card.
    Forward(u32, Forward),
    /// A port of the host's leads to a card no longer.
    NoForward(u32, Forward),
}

impl NicEdit {
    /// What is asked for by new settings of the card with this number, in the order in which it is done.
    ///
    /// # Errors
    /// [`Error::OptionNeeds`], [`Error::NetworkNameInvalid`].
    pub fn of_settings(number: u32, settings: NicSettings) -> Result<Vec<Self>, Error> {
        let NicSettings { mode, bridge, network, model, mac, link, remove_forwards, add_forwards } = settings;
        let (gone, more) = (remove_forwards.unwrap_or_default(), add_forwards.unwrap_or_default());
        let mut edits = Vec::new();
        edits.extend(Plug::of(mode, bridge, network)?.map(|plug| Self::Plug(number, plug)));
        edits.extend(model.map(|model| Self::Model(number, model)));
        edits.extend(mac.map(|mac| Self::Mac(number, mac)));
        edits.extend(gone.into_iter().map(|forward| Self::NoForward(number, forward)));
        edits.extend(more.into_iter().map(|forward| Self::Forward(number, forward)));
        edits.extend(link.map(|link| Self::Link(number, link)));
        Ok(edits)
    }

    /// The setting that it changes.
    pub fn key(&self) -> String {
        let (number, part) = match self {
            Self::Add(nic) => (nic.number, ""),
            Self::Remove(number) => (*number, ""),
            Self::Plug(number, _) => (*number, ".mode"),
            Self::Model(number, _) => (*number, ".model"),
            Self::Mac(number, _) => (*number, ".mac"),
            Self::Link(number, _) => (*number, ".link"),
            Self::Forward(number, _) | Self::NoForward(number, _) => (*number, ".forward"),
        };
        format!("{}{part}", name(number))
    }

    /// The same as it can be done to a guest that is to be `wanted`, and whose machine, where there is one, is
    /// `running`: a card that is added gets its number and its slot.
    ///
    /// # Errors
    /// [`Error::NicNotFound`], [`Error::NicsExhausted`], [`Error::MacTaken`], [`Error::ForwardRefused`].
    pub fn settled(&self, wanted: &Definition, running: Option<&Definition>) -> Result<Self, Error> {
        let guest = &wanted.name;
        let card = |number: u32| {
            let missing = || Error::NicNotFound { guest: guest.clone(), nic: name(number) };
            find(wanted, number).ok_or_else(missing)
        };
        match self {
            Self::Add(nic) => {
                let both = [Some(wanted), running];
                let mut present = both.iter().flatten().flat_map(|definition| &definition.nics);
                let is_free = |number: &u32| present.clone().all(|other| other.number != *number);
                let number = (0..MAX_NICS).find(is_free);
                let number =
                    number.ok_or_else(|| Error::NicsExhausted { guest: guest.clone(), maximum: MAX_NICS })?;
                if present.any(|other| other.mac == nic.mac) {
                    return Err(Error::MacTaken { mac: nic.mac.to_string(), holder: guest.clone() });
                }
                for (index, forward) in nic.forwards.iter().enumerate() {
                    undoubled(wanted, number, forward)?;
                    if nic.forwards.iter().take(index).any(|other| other.collides(forward)) {
                        return Err(refused(forward, ForwardFault::Doubled, guest));
                    }
                }
                let slot = slots::free(&both.into_iter().flatten().collect::<Vec<_>>());
                Ok(Self::Add(Nic { number, slot, ..nic.clone() }))
            }
            Self::Mac(number, mac) => {
                card(*number)?;
                if wanted.nics.iter().any(|other| other.number != *number && other.mac == *mac) {
                    return Err(Error::MacTaken { mac: mac.to_string(), holder: guest.clone() });
                }
                Ok(self.clone())
            }
            Self::Plug(number, plug) => {
                let nic = card(*number)?;
                if *plug == Plug::User && nic.mode != NetworkMode::User {
                    nic.forwards.iter().try_for_each(|forward| undoubled(wanted, *number, forward))?;
                }
                Ok(self.clone())
            }
            Self::Forward(number, forward) => {
                if card(*number)?.mode != NetworkMode::User {
                    return Err(refused(forward, ForwardFault::NotUser, ""));
                }
                undoubled(wanted, UNNUMBERED, forward)?;
                Ok(self.clone())
            }
            Self::NoForward(number, forward) => {
                if !card(*number)?.forwards.contains(forward) {
                    return Err(refused(forward, ForwardFault::Missing, ""));
                }
                Ok(self.clone())
            }
            Self::Remove(number) | Self::Model(number, _) | Self::Link(number, _) => {
                card(*number).map(|_there| self.clone())
            }
        }
    }

    /// Makes the change in a definition.
    pub fn apply(&self, definition: &mut Definition) {
        match self {
            Self::Add(nic) => definition.nics.push(nic.clone()),
            Self::Remove(number) => definition.nics.retain(|nic| nic.number != *number),
            Self::Plug(number, plug) => change(definition, *number, |nic| nic.plug(plug)),
            Self::Model(number, model) => change(definition, *number, |nic| nic.model = *model),
            Self::Mac(number, mac) => change(definition, *number, |nic| nic.mac = *mac),
            Self::Link(number, link) => change(definition, *number, |nic| nic.link = *link),
            Self::Forward(number, forward) => {
                change(definition, *number, |nic| nic.forwards.push(*forward));
            }
            Self::NoForward(number, forward) => {
                change(definition, *number, |nic| nic.forwards.retain(|other| other != forward));
            }
        }
    }

    /// What it takes, where a machine runs that was last told to be `running`.
    pub fn course(&self, running: &Definition) -> Course {
        let fixed = Course::Waits(NotNow::Fixed);
        let present = |number: &u32| find(running, *number);
        match self {
            Self::Add(nic) if nic.slot.is_none() => Course::Waits(NotNow::BeyondMaximum),
            Self::Add(nic) => Course::Altered(Alteration::AddNic(nic.config())),
            Self::Remove(number) => match present(number) {
                None => Course::Written,
                Some(nic) if nic.slot.is_none() => fixed,
                Some(_) => Course::Altered(Alteration::RemoveNic(*number)),
            },
            Self::Model(number, model) if present(number).is_some_and(|nic| nic.model == *model) => {
                Course::Written
            }
            Self::Mac(number, mac) if present(number).is_some_and(|nic| nic.mac == *mac) => Course::Written,
            Self::Model(..) | Self::Mac(..) => fixed,
            // It waits together with its card.
            Self::Link(number, _)
            | Self::Forward(number, _)
            | Self::NoForward(number, _)
            | Self::Plug(number, _)
                if present(number).is_none() =>
            {
                fixed
            }
            Self::Plug(number, plug) => {
                let Some(nic) = present(number) else { return fixed };
                let mut plugged = nic.clone();
                plugged.plug(plug);
                let (now, next) = (nic.config(), plugged.config().network);
                if now.network == next {
                    return Course::Written;
                }
                Course::Altered(Alteration::Replug(now, next))
            }
            // It rests until the card is in user mode again.
            Self::NoForward(number, _)
                if present(number).is_some_and(|nic| nic.mode != NetworkMode::User) =>
            {
                Course::Written
            }
            Self::Link(number, link) => Course::Altered(Alteration::NicLink(*number, *link)),
            Self::Forward(number, forward) => Course::Altered(Alteration::AddForward(*number, *forward)),
            Self::NoForward(number, forward) => Course::Altered(Alteration::RemoveForward(*number, *forward)),
        }
    }
}

/// What clients are told.
pub fn info(definition: &Definition, running: Option<&Definition>) -> Vec<NicInfo> {
    let told = |nic: &Nic| NicInfo {
        name: nic.name(),
        mode: nic.mode,
        bridge: nic.bridge.clone().filter(|_| nic.mode == NetworkMode::Bridge),
        network: nic.network.clone().filter(|_| nic.mode == NetworkMode::Isolated),
        model: nic.model,
        mac: nic.mac,
        link: nic.link,
        forwards: nic.forwards.clone(),
        pluggable: nic.slot.is_some(),
        present: running.map(|running| find(running, nic.number).is_some()),
    };
    definition.nics.iter().map(told).collect()
}

/// What the definition says otherwise than the running machine has it.
pub fn pending(running: &Definition, next: &Definition) -> Vec<PendingChange> {
    let mut changes = Vec::new();
    let mut differ = |key: String, now: String, next: String| {
        if now != next {
            changes.push(PendingChange { key, now, next });
        }
    };
    for number in 0..MAX_NICS {
        let name = name(number);
        match (find(running, number), find(next, number)) {
            (None, None) => {}
            (Some(nic), None) => differ(name, nic.mac.to_string(), "none".into()),
            (None, Some(nic)) => differ(name, "none".into(), nic.mac.to_string()),
            (Some(now), Some(next)) => {
                differ(format!("{name}.mode"), mode_of(now), mode_of(next));
                differ(format!("{name}.model"), word(now.model), word(next.model));
                differ(format!("{name}.mac"), now.mac.to_string(), next.mac.to_string());
                differ(format!("{name}.link"), up_or_down(now.link), up_or_down(next.link));
                differ(format!("{name}.forward"), words(&now.forwards), words(&next.forwards));
            }
        }
    }
    changes
}

/// Whether these cards can be a guest's.
///
/// # Errors
/// Why not, in words.
pub fn check(definition: &Definition) -> Result<(), String> {
    let mut checked: Vec<&Nic> = Vec::new();
    for nic in &definition.nics {
        if nic.number >= MAX_NICS {
            return Err(format!("a guest has at most {MAX_NICS} network cards, with numbers from 0 on"));
        }
        if checked.iter().any(|other| other.number == nic.number) {
            return Err(format!("two network cards have the number {}", nic.number));
        }
        if checked.iter().any(|other| other.mac == nic.mac) {
            return Err(format!("two network cards have the address {}", nic.mac));
        }
        let unnamed = match nic.mode {
            NetworkMode::User => false,
            NetworkMode::Bridge => nic.bridge.is_none(),
            NetworkMode::Isolated => nic.network.is_none(),
        };
        if unnamed || ![&nic.bridge, &nic.network].into_iter().flatten().all(|name| is_network_name(name)) {
            return Err(format!("{} has no name of a network that can be", nic.name()));
        }
        let mut before = checked.iter().flat_map(|other| other.open_forwards()).copied().collect::<Vec<_>>();
        for forward in nic.open_forwards() {
            if before.iter().any(|other| other.collides(forward)) {
                return Err(format!("two forwards take the same port: {forward}"));
            }
            before.push(*forward);
        }
        checked.push(nic);
    }
    Ok(())
}

/// Reads cards, and gives those a number that have none.
pub fn numbered<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Nic>, D::Error> {
    let mut nics = Vec::<Nic>::deserialize(deserializer)?;
    number(&mut nics);
    Ok(nics)
}

/// Gives those cards a number that have none.
pub fn number(nics: &mut [Nic]) {
    for index in 0..nics.len() {
        if nics[index].number == UNNUMBERED {
            let is_free = |number: &u32| nics.iter().all(|nic| nic.number != *number);
            nics[index].number = (0..UNNUMBERED).find(is_free).unwrap_or(UNNUMBERED);
        }
    }
}

/// The card with this number.
pub fn find(definition: &Definition, number: u32) -> Option<&Nic> {
    definition.nics.iter().find(|nic| nic.number == number)
}

/// The error that says why a port can't lead into a guest.
pub fn refused(forward: &Forward, fault: ForwardFault, holder: &str) -> Error {
    Error::ForwardRefused { forward: forward.to_string(), fault, holder: holder.to_owned() }
}

fn change(definition: &mut Definition, number: u32, how: impl FnOnce(&mut Nic)) {
    if let Some(nic) = definition.nics.iter_mut().find(|nic| nic.number == number) {
        how(nic);
    }
}

/// Makes sure that no card has the port, besides that with this number.
fn undoubled(definition: &Definition, besides: u32, forward: &Forward) -> Result<(), Error> {
    let others = definition.nics.iter().filter(|nic| nic.number != besides);
    let mut present = others.flat_map(Nic::open_forwards);
    if present.any(|other| other.collides(forward)) {
        return Err(refused(forward, ForwardFault::Doubled, &definition.name));
    }
    Ok(())
}

/// The number of the card with this name.
pub fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_prefix("nic")?.parse().ok()?;
    (name == self::name(number)).then_some(number)
}

fn name(number: u32) -> String {
    format!("nic{number}")
}

fn mode_of(nic: &Nic) -> String {
    match nic.config().network {
        NetworkConfig::User { .. } => "user".to_owned(),
        NetworkConfig::Bridge { bridge } => format!("bridge={bridge}"),
        NetworkConfig::Isolated { network } => format!("isolated={network}"),
    }
}

fn word(model: NicModel) -> String {
    match model {
        NicModel::Virtio => "virtio",
        NicModel::E1000e => "e1000e",
        NicModel::E1000 => "e1000",
        NicModel::Rtl8139 => "rtl8139",
        NicModel::Pcnet => "pcnet",
    }
    .to_owned()
}

fn up_or_down(link: bool) -> String {
    if link { "up" } else { "down" }.to_owned()
}

fn words(forwards: &[Forward]) -> String {
    if forwards.is_empty() {
        return "none".to_owned();
    }
    forwards.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn unnumbered() -> u32 {
    UNNUMBERED
}

fn plugged() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_plugged(link: &bool) -> bool {
    *link
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_usual(model: &NicModel) -> bool {
    *model == NicModel::default()
}

/// Numbers of cards in definitions: as names.
mod as_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::name(*number))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let name = String::deserialize(deserializer)?;
        super::number_of(&name).ok_or_else(|| D::Error::custom(format!("“{name}” is not written as nic0 is")))
    }
}

/// Forwards in definitions: a word each, as people write them.
mod as_words {
    use hv_api::Forward;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(forwards: &[Forward], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(forwards.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Forward>, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        words.iter().map(|word| word.parse().map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests;
