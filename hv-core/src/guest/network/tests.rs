//! Cards that come, go and change, and what is refused.

use super::*;
use crate::engine::SLOTS;
use crate::guest::config::tests::example;
use proptest::prelude::*;

fn nic(mac: &str) -> Nic {
    Nic::new(NewNic::default(), mac.parse().unwrap()).unwrap()
}

fn forward(text: &str) -> Forward {
    text.parse().unwrap()
}

/// Adds a card as the guest's task does it.
fn added(nic: Nic, wanted: &mut Definition, running: Option<&Definition>) -> NicEdit {
    let edit = NicEdit::Add(nic).settled(wanted, running).unwrap();
    edit.apply(wanted);
    edit
}

#[test]
fn a_card_of_an_older_file_is_numbered_by_its_place() {
    let text = example().write();
    let (start, _nics) = text.split_once("[[network]]").unwrap();
    let old = "[[network]]\nmode = \"user\"\nmac = \"52:54:00:00:00:01\"\n\n";
    let other = old.replace("00:01", "00:02");
    let read = Definition::read(&format!("{start}{old}{other}# end\n")).unwrap();
    let cards: Vec<_> = read.nics.iter().map(|nic| (nic.number, nic.link, nic.slot)).collect();
    assert_eq!(cards, [(0, true, None), (1, true, None)]);
    assert_eq!(Definition::read(&read.write()), Ok(read));
}

#[test]
fn cards_that_disturb_each_other_are_no_definition() {
    let with = |change: fn(&mut Nic)| {
        let mut definition = example();
        let mut other = Nic { number: 1, ..nic("52:54:00:00:00:09") };
        change(&mut other);
        definition.nics.push(other);
        Definition::read(&definition.write())
    };
    assert!(with(|_| {}).is_ok());
    assert!(with(|nic| nic.number = 0).is_err());
    assert!(with(|nic| nic.number = MAX_NICS).is_err());
    assert!(with(|nic| nic.mac = example().nics[0].mac).is_err());
    assert!(with(|nic| nic.forwards = vec![forward("tcp:0.0.0.0:2222:80")]).is_err());
    assert!(with(|nic| nic.forwards = vec![forward("tcp:1234:80"); 2]).is_err());
    assert!(with(|nic| nic.forwards = vec![forward("udp:2222:80")]).is_ok());
}

#[test]
fn cards_keep_their_names_and_slots_when_others_go() {
    let mut wanted = example();
    for end in 1..=3 {
        added(nic(&format!("52:54:00:00:00:0{end}")), &mut wanted, None);
    }
    let places = |definition: &Definition| -> Vec<_> {
        definition.nics.iter().map(|nic| (nic.number, nic.slot)).collect()
    };
    assert_eq!(places(&wanted), [(0, None), (1, Some(0)), (2, Some(1)), (3, Some(2))]);
    NicEdit::Remove(1).settled(&wanted, None).unwrap().apply(&mut wanted);
    assert_eq!(places(&wanted), [(0, None), (2, Some(1)), (3, Some(2))]);
    // Its machine still has the card that was taken away.
    let running =
        Definition { nics: vec![Nic { number: 1, slot: Some(0), ..nic("52:54:00:00:00:01") }], ..example() };
    added(nic("52:54:00:00:00:05"), &mut wanted, Some(&running));
    assert_eq!(places(&wanted).last(), Some(&(4, Some(3))));
    assert!(
        matches!(NicEdit::Remove(7).settled(&wanted, None), Err(Error::NicNotFound { nic, .. }) if nic == "nic7")
    );
}

#[test]
fn there_is_an_end_to_cards_and_to_slots() {
    let mut wanted = example();
    for end in 1..MAX_NICS {
        added(nic(&format!("52:54:00:00:00:0{end}")), &mut wanted, None);
    }
    let more = NicEdit::Add(nic("52:54:00:00:00:99")).settled(&wanted, None);
    assert_eq!(more, Err(Error::NicsExhausted { guest: wanted.name.clone(), maximum: MAX_NICS }));
    // Where all slots have a card, one more has to wait for a start.
    let mut full = Definition { nics: Vec::new(), ..example() };
    full.nics.extend((0..MAX_NICS - 1).map(|number| Nic {
        number,
        slot: Some(number),
        ..nic(&format!("52:54:00:00:01:0{number}"))
    }));
    let mut running = full.clone();
    running.nics[0].slot = Some(SLOTS - 1);
    let edit = added(nic("52:54:00:00:00:99"), &mut full, Some(&running));
    assert_eq!(edit.course(&running), Course::Waits(NotNow::BeyondMaximum));
}

#[test]
fn what_a_machine_can_do_is_done_at_once_and_the_rest_waits() {
    let mut running = example();
    let add = added(nic("52:54:00:00:00:01"), &mut running, None);
    assert!(matches!(add.course(&running), Course::Altered(Alteration::AddNic(nic)) if nic.slot == Some(0)));
    let ssh = forward("tcp:2200:22");
    for (edit, course) in [
        (NicEdit::Remove(0), Course::Waits(NotNow::Fixed)),
        (NicEdit::Remove(1), Course::Altered(Alteration::RemoveNic(1))),
        (NicEdit::Remove(5), Course::Written),
        (NicEdit::Model(1, NicModel::E1000e), Course::Waits(NotNow::Fixed)),
        (NicEdit::Model(1, NicModel::Virtio), Course::Written),
        (NicEdit::Link(0, false), Course::Altered(Alteration::NicLink(0, false))),
        (NicEdit::Link(5, false), Course::Waits(NotNow::Fixed)),
        (NicEdit::Forward(0, ssh), Course::Altered(Alteration::AddForward(0, ssh))),
        (NicEdit::NoForward(0, ssh), Course::Altered(Alteration::RemoveForward(0, ssh))),
    ] {
        assert_eq!(edit.course(&running), course, "{edit:?}");
    }
}

#[test]
fn a_port_leads_to_one_card_of_a_guest() {
    let mut wanted = example();
    added(nic("52:54:00:00:00:01"), &mut wanted, None);
    let doubled = NicEdit::Forward(1, forward("tcp:0.0.0.0:2222:80")).settled(&wanted, None);
    assert!(matches!(doubled, Err(Error::ForwardRefused { fault: ForwardFault::Doubled, .. })));
    let missing = NicEdit::NoForward(1, forward("tcp:2222:22")).settled(&wanted, None);
    assert!(matches!(missing, Err(Error::ForwardRefused { fault: ForwardFault::Missing, .. })));
    // Taken from one and given to the other, in this order.
    let edits = [NicEdit::NoForward(0, forward("tcp:2222:22")), NicEdit::Forward(1, forward("tcp:2222:80"))];
    for edit in edits {
        edit.settled(&wanted, None).unwrap().apply(&mut wanted);
    }
    assert_eq!(wanted.nics[1].forwards, [forward("tcp:2222:80")]);
}

#[test]
fn a_card_is_plugged_into_one_network_and_its_forwards_rest_meanwhile() {
    let mut wanted = example();
    let bridge = Plug::Bridge("br0".into());
    let edit = NicEdit::Plug(0, bridge).settled(&wanted, None).unwrap();
    let Course::Altered(Alteration::Replug(nic, network)) = edit.course(&wanted) else { panic!("at once") };
    assert_eq!((nic, network), (wanted.nics[0].config(), NetworkConfig::Bridge { bridge: "br0".into() }));
    edit.apply(&mut wanted);
    assert_eq!(edit.course(&wanted), Course::Written);
    assert_eq!(Definition::read(&wanted.write()), Ok(wanted.clone()));
    let forwards = [NicEdit::Forward(0, forward("tcp:1:1")), NicEdit::Forward(0, forward("tcp:2222:22"))];
    for forward in forwards {
        let refused = forward.settled(&wanted, None);
        assert!(matches!(refused, Err(Error::ForwardRefused { fault: ForwardFault::NotUser, .. })));
    }
    // Another card may have the port as long as that of the first one rests.
    let mut other = nic_with_forward("52:54:00:00:00:01", "tcp:2222:80");
    other = match added(other, &mut wanted, None) {
        NicEdit::Add(nic) => nic,
        edit => panic!("{edit:?}"),
    };
    let back = NicEdit::Plug(0, Plug::User).settled(&wanted, None);
    assert!(matches!(back, Err(Error::ForwardRefused { fault: ForwardFault::Doubled, .. })));
    NicEdit::Remove(other.number).apply(&mut wanted);
    let back = NicEdit::Plug(0, Plug::User).settled(&wanted, None).unwrap();
    let Course::Altered(Alteration::Replug(_, network)) = back.course(&wanted) else { panic!("at once") };
    assert_eq!(network, NetworkConfig::User { forwards: vec![forward("tcp:2222:22")] });
}

fn nic_with_forward(mac: &str, text: &str) -> Nic {
    Nic { forwards: vec![forward(text)], ..nic(mac) }
}

#[test]
fn networks_have_names_that_interfaces_and_folders_can_have() {
    let asked = |mode, bridge: Option<&str>, network: Option<&str>| {
        let (bridge, network) = (bridge.map(str::to_owned), network.map(str::to_owned));
        let new = NewNic { mode, bridge, network, ..NewNic::default() };
        Nic::new(new, "52:54:00:00:00:01".parse().unwrap())
    };
    let (bridge, isolated) = (Some(NetworkMode::Bridge), Some(NetworkMode::Isolated));
    assert!(asked(bridge, Some("br0"), None).is_ok());
    assert!(asked(isolated, None, Some("my-lab_1.x")).is_ok());
    for name in ["", ".", "..", "a/b", "-x", "br 0", "a,b", "1234567890123456", "größe", "a\nb"] {
        for refused in [asked(bridge, Some(name), None), asked(isolated, None, Some(name))] {
            assert_eq!(refused, Err(Error::NetworkNameInvalid { name: name.into() }));
        }
    }
    for refused in [
        asked(bridge, None, None),
        asked(isolated, None, None),
        asked(None, Some("br0"), None),
        asked(bridge, Some("br0"), Some("lab")),
    ] {
        assert!(matches!(refused, Err(Error::OptionNeeds { .. })), "{refused:?}");
    }
}

#[test]
fn what_waits_is_told() {
    let running = example();
    let mut next = running.clone();
    added(nic("52:54:00:00:00:01"), &mut next, Some(&running));
    NicEdit::Model(0, NicModel::Rtl8139).apply(&mut next);
    let told: Vec<_> =
        pending(&running, &next).into_iter().map(|change| [change.key, change.now, change.next]).collect();
    assert_eq!(told, [["nic0.model", "virtio", "rtl8139"], ["nic1", "none", "52:54:00:00:00:01"]]);
    let cards = info(&next, Some(&running));
    assert_eq!(cards.iter().map(|card| card.present).collect::<Vec<_>>(), [Some(true), Some(false)]);
    assert_eq!(pending(&running, &running), []);
}

proptest! {
    /// Whatever is asked for one after the other, what comes of it can be read again.
    #[test]
    fn no_change_breaks_a_definition(changes in prop::collection::vec((0..6_u8, 0..MAX_NICS, 1..5_u16), 0..40)) {
        let mut wanted = example();
        for (kind, number, port) in changes {
            let forward = forward(&format!("tcp:{port}:22"));
            let edit = match kind {
                0 => NicEdit::Add(Nic {
                    forwards: vec![forward],
                    ..nic(&format!("52:54:00:00:00:{port:02x}"))
                }),
                1 => NicEdit::Remove(number),
                2 => NicEdit::Mac(number, format!("52:54:00:00:00:{port:02x}").parse().unwrap()),
                3 => NicEdit::Link(number, port % 2 == 0),
                4 => NicEdit::Forward(number, forward),
                _ => NicEdit::NoForward(number, forward),
            };
            if let Ok(edit) = edit.settled(&wanted, None) {
                edit.apply(&mut wanted);
            }
            prop_assert_eq!(Definition::read(&wanted.write()), Ok(wanted.clone()));
        }
    }
}
