//! Network cards in words: what each is, when a change to it takes effect, and what somebody typed.

use super::hardware::when;
use hv_api::{Forward, GuestInfo, HostAddress, NetworkMode, NicInfo, NicModel, NicSettings, Protocol};
use std::net::Ipv4Addr;
use virt_kit::i18n::{gettext, gettext_f};

/// The ways into a network, in the order in which they are offered.
pub const MODES: [NetworkMode; 3] = [NetworkMode::User, NetworkMode::Bridge, NetworkMode::Isolated];

/// The models, in the order in which they are offered.
pub const MODELS: [NicModel; 5] =
    [NicModel::Virtio, NicModel::E1000e, NicModel::E1000, NicModel::Rtl8139, NicModel::Pcnet];

/// What a card is plugged into.
pub fn title(nic: &NicInfo) -> String {
    let named = |sentence: &str, name: &Option<String>| {
        gettext_f(sentence, &[("name", name.as_deref().unwrap_or_default())])
    };
    match nic.mode {
        NetworkMode::User => gettext("This computer's connection"),
        // Translators: a bridge of this computer's, as in "Bridge br0".
        NetworkMode::Bridge => named("Bridge {name}", &nic.bridge),
        NetworkMode::Isolated => named("Isolated network “{name}”", &nic.network),
    }
}

/// What else is worth knowing while the card's settings are folded.
pub fn subtitle(nic: &NicInfo) -> String {
    let mut words = vec![nic.name.clone(), model(nic.model).to_owned()];
    if nic.present == Some(false) {
        words.push(gettext("from the next start on"));
    }
    if !nic.link {
        words.push(gettext("unplugged"));
    }
    words.join(" · ")
}

/// The words for a way into a network.
pub fn mode(mode: NetworkMode) -> String {
    match mode {
        // Translators: what a network card is connected to.
        NetworkMode::User => gettext("This computer"),
        NetworkMode::Bridge => gettext("A bridge"),
        NetworkMode::Isolated => gettext("Other guests only"),
    }
}

/// The name of a model, the same in each language.
pub fn model(model: NicModel) -> &'static str {
    match model {
        NicModel::Virtio => "Virtio",
        NicModel::E1000e => "Intel e1000e",
        NicModel::E1000 => "Intel e1000",
        NicModel::Rtl8139 => "Realtek 8139",
        NicModel::Pcnet => "AMD PCnet",
    }
}

/// When a change to a card takes effect that a machine which runs can do at once.
pub fn when_live(guest: &GuestInfo, nic: &NicInfo) -> String {
    when(guest.pid.is_some() && nic.present == Some(false))
}

/// When a card is gone that is removed.
pub fn when_removed(guest: &GuestInfo, nic: &NicInfo) -> String {
    when(guest.pid.is_some() && !nic.pluggable && nic.present != Some(false))
}

/// What waits for the next start, of one of a card's settings: what the running guest has instead.
pub fn running(guest: &GuestInfo, nic: &NicInfo, part: &str) -> Option<String> {
    let key = format!("{}.{part}", nic.name);
    let change = guest.pending_change(&key)?;
    Some(gettext_f("The running guest has {now}", &[("now", &change.now)]))
}

/// Where a forward begins and ends.
pub fn forward_title(forward: &Forward) -> String {
    format!("{} → {}", forward.host_port, forward.guest_port)
}

/// What a forward carries, and who reaches it.
pub fn forward_subtitle(forward: &Forward) -> String {
    let protocol = forward.protocol.to_string().to_uppercase();
    let address = forward.address.0;
    let who = if address.is_loopback() {
        gettext("from this computer only")
    } else if address.is_unspecified() {
        gettext("from everywhere")
    } else {
        gettext_f("at {address}", &[("address", &address.to_string())])
    };
    format!("{protocol} · {who}")
}

/// The forward that somebody typed.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn forward(protocol: Protocol, host: &str, guest: &str, everybody: bool) -> Result<Forward, String> {
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let (Some(host_port), Some(guest_port)) = (port(host), port(guest)) else {
        return Err(gettext("A port is a number from 1 to 65535."));
    };
    let address = if everybody { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    Ok(Forward { protocol, address: HostAddress(address), host_port, guest_port })
}

/// What is asked for to plug a card into another network; nothing where it needs a name first.
pub fn replugged(mode: NetworkMode, name: &str) -> Option<NicSettings> {
    let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    let settings = NicSettings { mode: Some(mode), ..NicSettings::default() };
    match mode {
        NetworkMode::User => Some(settings),
        NetworkMode::Bridge => Some(NicSettings { bridge: Some(name?), ..settings }),
        NetworkMode::Isolated => Some(NicSettings { network: Some(name?), ..settings }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hardware::when_fixed;
    use crate::testing::guest;
    use hv_api::GuestState;

    fn card() -> NicInfo {
        NicInfo {
            name: "nic0".into(),
            mode: NetworkMode::User,
            bridge: None,
            network: None,
            model: NicModel::Virtio,
            mac: "52:54:00:00:00:01".parse().expect("an address"),
            link: true,
            forwards: Vec::new(),
            pluggable: false,
            present: None,
        }
    }

    #[test]
    fn when_a_change_takes_effect_is_told_before_it_is_made() {
        let mut guest = guest("one", GuestState::Off);
        guest.pid = None;
        let mut nic = card();
        assert_eq!([when_live(&guest, &nic), when_fixed(&guest), when_removed(&guest, &nic)], ["Now"; 3]);
        (guest.pid, nic.present) = (Some(1), Some(true));
        let when = [when_live(&guest, &nic), when_fixed(&guest), when_removed(&guest, &nic)];
        assert_eq!(when, ["Now", "At next start", "At next start"]);
        nic.pluggable = true;
        assert_eq!(when_removed(&guest, &nic), "Now");
        nic.present = Some(false);
        assert_eq!(when_live(&guest, &nic), "At next start");
    }

    #[test]
    fn a_forward_is_typed_and_told() {
        let typed = forward(Protocol::Tcp, " 2222 ", "22", false).expect("a forward");
        assert_eq!(typed.to_string(), "tcp:127.0.0.1:2222:22");
        let told = [forward_title(&typed), forward_subtitle(&typed)];
        assert_eq!(told, ["2222 → 22", "TCP · from this computer only"]);
        let open = forward(Protocol::Udp, "53", "53", true).expect("a forward");
        assert_eq!(forward_subtitle(&open), "UDP · from everywhere");
        for wrong in ["", "0", "65536", "ssh", "-1"] {
            assert!(forward(Protocol::Tcp, wrong, "22", false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_network_needs_its_name() {
        assert!(replugged(NetworkMode::User, "").is_some());
        assert_eq!(replugged(NetworkMode::Bridge, " "), None);
        let settings = replugged(NetworkMode::Isolated, " lab ").expect("settings");
        assert_eq!(settings.network.as_deref(), Some("lab"));
        let mut nic = card();
        (nic.mode, nic.network, nic.link) = (NetworkMode::Isolated, Some("lab".into()), false);
        assert_eq!([title(&nic), subtitle(&nic)], ["Isolated network “lab”", "nic0 · Virtio · unplugged"]);
    }
}
