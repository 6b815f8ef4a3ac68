//! Network cards on the command line.

use hv_api::{Forward, MacAddress, NetworkMode, NewNic, NicModel, NicSettings};

/// What is done with a guest's network cards.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum NicAction {
    /// Give the guest a card more, also while it runs.
    Add(NicAdd),
    /// Take a card away.
    Remove {
        /// The card [default: the only one].
        #[arg(long, value_name = "CARD")]
        nic: Option<String>,
    },
    /// Change a card.
    Set(NicSet),
}

/// A card to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct NicAdd {
    /// How it reaches the world: user, bridge=BRIDGE or isolated=NAME [default: user].
    #[arg(long, value_parser = mode)]
    pub mode: Option<Mode>,
    #[command(flatten)]
    pub common: NicCommon,
}

/// What may be said of any card.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct NicCommon {
    /// What the guest believes to have: virtio, e1000e, e1000, rtl8139 or pcnet.
    #[arg(long, value_parser = model)]
    pub model: Option<NicModel>,
    /// Its address on the wire, as 52:54:00:12:34:56.
    #[arg(long, value_name = "ADDRESS")]
    pub mac: Option<MacAddress>,
    /// Whether its cable is plugged in: up or down.
    #[arg(long, value_parser = link)]
    pub link: Option<bool>,
    /// A port of this computer's that leads to it: tcp|udp:[ADDRESS:]PORT:GUEST-PORT. May be repeated. Without an
    /// address, only this computer reaches it.
    #[arg(long = "forward", value_name = "FORWARD")]
    pub forwards: Vec<Forward>,
}

/// New values for a card.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)
    .args(["mode", "model", "mac", "link", "forwards", "no_forwards"])))]
pub struct NicSet {
    /// The card [default: the first].
    #[arg(long, value_name = "CARD")]
    pub nic: Option<String>,
    /// How it reaches the world: user, bridge=BRIDGE or isolated=NAME.
    #[arg(long, value_parser = mode)]
    pub mode: Option<Mode>,
    #[command(flatten)]
    pub common: NicCommon,
    /// A port of this computer's that leads to it no longer. May be repeated.
    #[arg(long = "no-forward", value_name = "FORWARD")]
    pub no_forwards: Vec<Forward>,
}

/// How a card reaches the world, as one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Through the user's own network connections.
    User,
    /// On this bridge of the host's.
    Bridge(String),
    /// In the isolated network of this name.
    Isolated(String),
}

/// A card of a new guest, as `--nic` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicWord {
    /// There is none.
    None,
    /// There is this one.
    Card(Box<NewNic>),
}

impl Mode {
    /// The same in the core's words: the mode, the bridge, the network.
    fn parts(self) -> (NetworkMode, Option<String>, Option<String>) {
        match self {
            Self::User => (NetworkMode::User, None, None),
            Self::Bridge(bridge) => (NetworkMode::Bridge, Some(bridge), None),
            Self::Isolated(network) => (NetworkMode::Isolated, None, Some(network)),
        }
    }

    fn fill(self, nic: &mut NewNic) {
        let (mode, bridge, network) = self.parts();
        (nic.mode, nic.bridge, nic.network) = (Some(mode), bridge, network);
    }
}

impl NicAdd {
    /// The same in the core's words.
    pub fn into_nic(self) -> NewNic {
        let NicCommon { model, mac, link, forwards } = self.common;
        let forwards = Some(forwards).filter(|forwards| !forwards.is_empty());
        let mut nic = NewNic { model, mac, link, forwards, ..NewNic::default() };
        if let Some(mode) = self.mode {
            mode.fill(&mut nic);
        }
        nic
    }
}

impl NicSet {
    /// The same in the core's words.
    pub fn into_settings(self) -> NicSettings {
        let NicCommon { model, mac, link, forwards } = self.common;
        let some = |forwards: Vec<Forward>| Some(forwards).filter(|forwards| !forwards.is_empty());
        let (mode, bridge, network) = self
            .mode
            .map(Mode::parts)
            .map_or((None, None, None), |(mode, bridge, network)| (Some(mode), bridge, network));
        NicSettings {
            mode,
            bridge,
            network,
            model,
            mac,
            link,
            remove_forwards: some(self.no_forwards),
            add_forwards: some(forwards),
        }
    }
}

/// The cards of a new guest; nothing where nothing was said of them.
///
/// # Errors
/// What is wrong, in words.
pub fn cards(words: Vec<NicWord>, forwards: Vec<Forward>) -> Result<Option<Vec<NewNic>>, String> {
    if words.is_empty() && forwards.is_empty() {
        return Ok(None);
    }
    let none = words.contains(&NicWord::None);
    let mut cards: Vec<NewNic> = words
        .into_iter()
        .filter_map(|word| match word {
            NicWord::None => None,
            NicWord::Card(card) => Some(*card),
        })
        .collect();
    if none && !cards.is_empty() {
        return Err("--nic none excludes any other card".to_owned());
    }
    if forwards.is_empty() {
        return Ok(Some(cards));
    }
    if !none && cards.is_empty() {
        cards.push(NewNic::default());
    }
    let is_user = |card: &&mut NewNic| card.mode.is_none_or(|mode| mode == NetworkMode::User);
    let card = cards.iter_mut().find(is_user).ok_or("--forward needs a card in user mode: --nic user")?;
    card.forwards = Some(forwards);
    Ok(Some(cards))
}

/// `user`, `bridge=BRIDGE`, `isolated=NAME` with `,mac=…` and `,model=…` behind it, or `none`.
pub fn nic_word(text: &str) -> Result<NicWord, String> {
    let mut parts = text.split(',');
    let first = parts.next().unwrap_or_default();
    if first == "none" {
        return match parts.next() {
            None => Ok(NicWord::None),
            Some(_) => Err("where there is no card, there is nothing to say of it".to_owned()),
        };
    }
    let mut card = NewNic::default();
    mode(first)?.fill(&mut card);
    for part in parts {
        let twice = match part.split_once('=') {
            Some(("mac", value)) => card.mac.replace(value.parse().map_err(words)?).is_some(),
            Some(("model", value)) => card.model.replace(model(value)?).is_some(),
            _ => return Err(format!("“{part}” is not known; behind a comma stands mac=… or model=…")),
        };
        if twice {
            return Err(format!("“{part}” says a second time what was said before"));
        }
    }
    Ok(NicWord::Card(Box::new(card)))
}

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "user" => return Ok(Mode::User),
        "bridge" => return Err("which bridge is meant? It is written bridge=br0".to_owned()),
        "isolated" => return Err("which network is meant? It is written isolated=NAME".to_owned()),
        _ => {}
    }
    match text.split_once('=') {
        Some(("bridge", name)) => Ok(Mode::Bridge(name.to_owned())),
        Some(("isolated", name)) => Ok(Mode::Isolated(name.to_owned())),
        _ => {
            Err(format!("“{text}” is no way into a network; there are user, bridge=BRIDGE and isolated=NAME"))
        }
    }
}

fn model(text: &str) -> Result<NicModel, String> {
    Ok(match text {
        "virtio" => NicModel::Virtio,
        "e1000e" => NicModel::E1000e,
        "e1000" => NicModel::E1000,
        "rtl8139" => NicModel::Rtl8139,
        "pcnet" => NicModel::Pcnet,
        other => {
            return Err(format!("“{other}” is no model; there are virtio, e1000e, e1000, rtl8139, pcnet"));
        }
    })
}

fn link(text: &str) -> Result<bool, String> {
    match text {
        "up" => Ok(true),
        "down" => Ok(false),
        other => Err(format!("“{other}” is neither up nor down")),
    }
}

fn words(error: hv_api::NetworkTextError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_of_a_new_guest_are_read() {
        assert_eq!(cards(Vec::new(), Vec::new()), Ok(None));
        assert_eq!(cards(vec![NicWord::None], Vec::new()), Ok(Some(Vec::new())));
        let word = nic_word("user,model=e1000e,mac=52:54:00:00:00:01").unwrap();
        let forward: Forward = "tcp:2222:22".parse().unwrap();
        let found = cards(vec![word.clone()], vec![forward]).unwrap().unwrap();
        assert_eq!((found.len(), found[0].model), (1, Some(NicModel::E1000e)));
        assert_eq!(found[0].forwards, Some(vec![forward]));
        // A forward alone is that of the usual card.
        assert_eq!(cards(Vec::new(), vec![forward]).unwrap().unwrap().len(), 1);
        assert!(cards(vec![NicWord::None], vec![forward]).is_err());
        assert!(cards(vec![NicWord::None, word], Vec::new()).is_err());
        let NicWord::Card(card) = nic_word("bridge=br0,model=virtio").unwrap() else { panic!("a card") };
        assert_eq!((card.mode, card.bridge.as_deref()), (Some(NetworkMode::Bridge), Some("br0")));
        for wrong in [
            "bridge",
            "isolated",
            "",
            "tap",
            "none,model=virtio",
            "user,",
            "user,mac=x",
            "user,model=ne2k",
            "user,mac",
        ] {
            assert!(nic_word(wrong).is_err(), "{wrong}");
        }
        assert!(nic_word("user,model=virtio,model=virtio").is_err());
    }
}
