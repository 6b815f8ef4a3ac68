//! Network cards: what a guest's cards are, and what may be asked of them.

use crate::text::as_text;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use zlink::introspect::CustomType;

/// How a network card of a guest reaches the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum NetworkMode {
    /// Through the user's own network connections, without any set-up (QEMU's user-mode network).
    #[default]
    User,
    /// Through a bridge of the host's, as a computer of its own in the host's network.
    Bridge,
    /// Only with those guests that are in the same isolated network.
    Isolated,
}

/// Which network card a guest believes to have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum NicModel {
    /// A card made for guests: by far the quickest. Systems since about 2008 know it, Windows with a driver.
    #[default]
    Virtio,
    /// Intel 82574L, known by Windows since Vista and by everything else of its time.
    E1000e,
    /// Intel 82540EM, known by Windows XP and later.
    E1000,
    /// Realtek 8139, known by nearly everything since 1998.
    Rtl8139,
    /// AMD PCnet, for systems that are older still.
    Pcnet,
}

/// What is carried through a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Single packets.
    Udp,
}

/// The address of a network card on its wire: of one card, not of a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddress([u8; 6]);

/// An address of the host's at which something listens, in IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostAddress(pub Ipv4Addr);

/// A port of the host's that leads into a guest. Written `tcp:127.0.0.1:2222:22`; where the address is left out,
/// only this computer reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
pub struct Forward {
    /// What is carried.
    pub protocol: Protocol,
    /// Where the host listens: `127.0.0.1` for itself only, `0.0.0.0` for everybody who reaches it.
    pub address: HostAddress,
    /// The port there, from 1 on.
    #[serde(deserialize_with = "port")]
    pub host_port: u16,
    /// The guest's port, from 1 on.
    #[serde(deserialize_with = "port")]
    pub guest_port: u16,
}

/// One network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct NicInfo {
    /// Its name within the guest: `nic0`, `nic1`, … It stays the same when others are taken away.
    pub name: String,
    /// How it reaches the world.
    pub mode: NetworkMode,
    /// The bridge, in bridge mode.
    pub bridge: Option<String>,
    /// The name of the isolated network, in isolated mode.
    pub network: Option<String>,
    /// What it is.
    pub model: NicModel,
    /// Its address on the wire, which stays the same for the guest's life.
    pub mac: MacAddress,
    /// Whether its cable is plugged in.
    pub link: bool,
    /// The ports of the host's that lead to it, in user mode.
    pub forwards: Vec<Forward>,
    /// Whether it can be taken away while the guest runs.
    pub pluggable: bool,
    /// While an engine runs: whether the machine has it yet.
    pub present: Option<bool>,
}

/// A network card to be. What is left out is chosen by the core.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct NewNic {
    /// How it reaches the world; in user mode where left out.
    pub mode: Option<NetworkMode>,
    /// The bridge, which bridge mode needs: 1–15 letters, digits, “-”, “_” and “.”.
    pub bridge: Option<String>,
    /// The name of the isolated network, which isolated mode needs; of the same characters. Guests that name the
    /// same one reach each other.
    pub network: Option<String>,
    /// What it is; where left out, virtio, or what the guest's system has a driver for.
    pub model: Option<NicModel>,
    /// Its address; one that nobody has where left out.
    pub mac: Option<MacAddress>,
    /// False to leave its cable unplugged.
    pub link: Option<bool>,
    /// Ports of the host's that lead to it.
    pub forwards: Option<Vec<Forward>>,
}

/// New values for a network card; what is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct NicSettings {
    /// How it reaches the world.
    pub mode: Option<NetworkMode>,
    /// The bridge; with bridge mode only.
    pub bridge: Option<String>,
    /// The name of the isolated network; with isolated mode only.
    pub network: Option<String>,
    /// What it is.
    pub model: Option<NicModel>,
    /// Its address.
    pub mac: Option<MacAddress>,
    /// Whether its cable is plugged in.
    pub link: Option<bool>,
    /// Ports of the host's that shall lead to it no longer.
    pub remove_forwards: Option<Vec<Forward>>,
    /// Ports of the host's that shall lead to it as well.
    pub add_forwards: Option<Vec<Forward>>,
}

/// What is wrong with a port that shall lead into a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum ForwardFault {
    /// It is below 1024 (or what the host has set instead), which this user may not listen on.
    Privileged,
    /// This guest has it already.
    Doubled,
    /// Another guest has it.
    HeldByGuest,
    /// Some other program listens there.
    HeldByProgram,
    /// The host has no such address.
    NoSuchAddress,
    /// The card has no such forward.
    Missing,
    /// The card is not in user mode.
    NotUser,
}

/// Why a guest can't be on a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum BridgeFault {
    /// The host has no bridge of that name.
    NoSuchBridge,
    /// QEMU's bridge helper is not installed.
    HelperMissing,
    /// The helper's list, `/etc/qemu/bridge.conf`, does not allow this bridge or is missing.
    NotAllowed,
    /// The helper has not the rights that it needs.
    HelperNotPermitted,
    /// Something else; `detail` says what.
    Failed,
}

/// Why a text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkTextError {
    /// It is no card's address.
    #[error("an address of a network card has six pairs of hexadecimal digits, as 52:54:00:12:34:56")]
    Mac,
    /// It is an address, but not that of one card.
    #[error("this address means a group of cards: the second digit must be even")]
    MacOfGroup,
    /// It is no forward.
    #[error("a forward is written tcp:2222:22, or tcp:ADDRESS:2222:22 with an IPv4 address of this computer")]
    Forward,
}

impl MacAddress {
    /// One of the range that QEMU uses for guests, with these three bytes at its end.
    pub fn of_guest(end: [u8; 3]) -> Self {
        let [a, b, c] = end;
        Self([0x52, 0x54, 0x00, a, b, c])
    }
}

impl Forward {
    /// Whether both can't be at once: they listen at the same port of the same address, or one of them at all.
    pub fn collides(&self, other: &Self) -> bool {
        let (one, another) = (self.address.0, other.address.0);
        self.protocol == other.protocol
            && self.host_port == other.host_port
            && (one == another || one.is_unspecified() || another.is_unspecified())
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacAddress({self})")
    }
}

impl FromStr for MacAddress {
    type Err = NetworkTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 6];
        let mut pairs = text.split([':', '-']);
        for byte in &mut bytes {
            let pair =
                pairs.next().filter(|pair| pair.len() == 2 && pair.is_ascii() && !pair.starts_with('+'));
            let pair = pair.ok_or(NetworkTextError::Mac)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_digits| NetworkTextError::Mac)?;
        }
        if pairs.next().is_some() || bytes == [0; 6] {
            return Err(NetworkTextError::Mac);
        }
        if bytes[0] & 1 == 1 {
            return Err(NetworkTextError::MacOfGroup);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostAddress({self})")
    }
}

impl FromStr for HostAddress {
    type Err = NetworkTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_no_address| NetworkTextError::Forward)
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, address, host_port, guest_port } = self;
        write!(f, "{protocol}:{address}:{host_port}:{guest_port}")
    }
}

impl FromStr for Forward {
    type Err = NetworkTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let (protocol, address, host_port, guest_port) = match parts[..] {
            [protocol, host, guest] => (protocol, HostAddress(Ipv4Addr::LOCALHOST), host, guest),
            [protocol, address, host, guest] => (protocol, address.parse()?, host, guest),
            _ => return Err(NetworkTextError::Forward),
        };
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(NetworkTextError::Forward),
        };
        let port = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let port = text.parse().ok().filter(|port| digits && *port != 0);
            port.ok_or(NetworkTextError::Forward)
        };
        Ok(Self { protocol, address, host_port: port(host_port)?, guest_port: port(guest_port)? })
    }
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let port = u16::deserialize(deserializer)?;
    if port == 0 { Err(de::Error::custom("there is no port 0")) } else { Ok(port) }
}

as_text!(MacAddress, HostAddress);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_of_cards_are_those_of_one_card() {
        let mac: MacAddress = "52:54:00:AB:cd:01".parse().unwrap();
        assert_eq!(mac.to_string(), "52:54:00:ab:cd:01");
        assert_eq!("52-54-00-ab-cd-01".parse(), Ok(mac));
        for wrong in [
            "",
            "52:54:00:ab:cd",
            "52:54:00:ab:cd:01:02",
            "52:54:00:ab:cd:0",
            "+2:54:00:ab:cd:01",
            "0:0:0:0:0:0",
        ] {
            assert_eq!(wrong.parse::<MacAddress>(), Err(NetworkTextError::Mac), "{wrong}");
        }
        assert_eq!("00:00:00:00:00:00".parse::<MacAddress>(), Err(NetworkTextError::Mac));
        assert_eq!("33:33:00:00:00:01".parse::<MacAddress>(), Err(NetworkTextError::MacOfGroup));
    }

    #[test]
    fn a_forward_is_for_this_computer_unless_it_says_otherwise() {
        let forward: Forward = "tcp:2222:22".parse().unwrap();
        assert_eq!(forward.to_string(), "tcp:127.0.0.1:2222:22");
        let open: Forward = "udp:0.0.0.0:53:5353".parse().unwrap();
        assert_eq!((open.protocol, open.host_port, open.guest_port), (Protocol::Udp, 53, 5353));
        for wrong in [
            "",
            "2222:22",
            "tcp:2222",
            "tcp::22",
            "tcp:0:22",
            "tcp:2222:0",
            "tcp:65536:1",
            "tcp:+1:1",
            "TCP:1:1",
        ] {
            assert_eq!(wrong.parse::<Forward>(), Err(NetworkTextError::Forward), "{wrong}");
        }
        for wrong in ["tcp:localhost:1:1", "tcp:::1:1:1", "tcp:1.2.3.4:1:1:1", "tcp:127.0.0.1 :1:1"] {
            assert_eq!(wrong.parse::<Forward>(), Err(NetworkTextError::Forward), "{wrong}");
        }
    }

    #[test]
    fn forwards_collide_where_both_would_listen() {
        let forward = |text: &str| text.parse::<Forward>().unwrap();
        let one = forward("tcp:2222:22");
        assert!(one.collides(&forward("tcp:2222:80")));
        assert!(one.collides(&forward("tcp:0.0.0.0:2222:22")));
        assert!(!one.collides(&forward("udp:2222:22")));
        assert!(!one.collides(&forward("tcp:127.0.0.2:2222:22")));
        assert!(!one.collides(&forward("tcp:2223:22")));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(udp: bool, address: u32, host in 1..=u16::MAX, guest in 1..=u16::MAX) {
            let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
            let address = HostAddress(Ipv4Addr::from_bits(address));
            let forward = Forward { protocol, address, host_port: host, guest_port: guest };
            prop_assert_eq!(forward.to_string().parse(), Ok(forward));
        }

        #[test]
        fn no_text_becomes_more_than_numbers_and_addresses(text in "\\PC{0,40}") {
            if let Ok(forward) = text.parse::<Forward>() {
                let harmless = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == ':';
                prop_assert!(forward.to_string().chars().all(harmless));
            }
            let _ = text.parse::<MacAddress>();
        }
    }
}
