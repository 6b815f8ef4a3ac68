//! Network cards that are changed, over the socket, with an engine that only pretends.

use crate::{bare, connected, make, shown};
use hv_api::{
    Applied, BridgeFault, Core, Error, Forward, ForwardFault, GuestState, NetworkMode, NewGuest, NewNic,
    NicModel, NicSettings, NotNow, SettingResult,
};
use hv_core::engine::{Alteration, EngineError, NetworkConfig};
use hv_tests::Home;
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine};
use std::net::TcpListener;
use std::sync::Arc;

/// A forward from a port that nobody listens on, to port 22.
fn forward() -> Forward {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    format!("tcp:{port}:22").parse().expect("a forward")
}

fn now(key: &str) -> SettingResult {
    SettingResult { key: key.into(), applied: Applied::Now, reason: None }
}

fn later(key: &str, reason: NotNow) -> SettingResult {
    SettingResult { key: key.into(), applied: Applied::AtNextStart, reason: Some(reason) }
}

fn add(forwards: &[Forward]) -> NicSettings {
    NicSettings { add_forwards: Some(forwards.to_vec()), ..NicSettings::default() }
}

#[tokio::test]
async fn cards_come_and_go_while_a_guest_runs() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    let changed = core.add_nic("one", &NewNic::default()).await.unwrap().unwrap().settings;
    assert_eq!(changed, [now("nic1")]);
    let nics = shown(&mut core, "one").await.nics;
    assert_eq!((nics[1].name.as_str(), nics[1].pluggable, nics[1].present), ("nic1", true, Some(true)));
    assert_ne!(nics[0].mac, nics[1].mac);

    let removed = core.remove_nic("one", None).await.unwrap().unwrap_err();
    assert!(matches!(removed, Error::OptionNeeds { .. }), "{removed:?}");
    assert_eq!(core.remove_nic("one", Some("nic1")).await.unwrap().unwrap().settings, [now("nic1")]);
    let done = machine.alterations();
    assert!(matches!(&done[..], [Alteration::AddNic(nic), Alteration::RemoveNic(1)] if nic.slot == Some(0)));

    // The first card is at a fixed place: it goes with the next start.
    let fixed = later("nic0", NotNow::Fixed);
    assert_eq!(core.remove_nic("one", None).await.unwrap().unwrap().settings, [fixed]);
    let guest = shown(&mut core, "one").await;
    assert_eq!((guest.nics.len(), guest.pending[0].key.as_str()), (0, "nic0"));
    let missing = core.remove_nic("one", Some("nic0")).await.unwrap().unwrap_err();
    assert!(matches!(missing, Error::NicNotFound { .. }), "{missing:?}");
    drop(home);
    drop(events);
}

#[tokio::test]
async fn a_card_is_changed_whole_or_not_at_all() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    let (first, second) = (forward(), forward());
    let all = NicSettings {
        model: Some(NicModel::E1000e),
        link: Some(false),
        add_forwards: Some(vec![first, second]),
        ..NicSettings::default()
    };
    let changed = core.set_nic("one", None, &all).await.unwrap().unwrap().settings;
    let model = later("nic0.model", NotNow::Fixed);
    assert_eq!(changed, [model, now("nic0.forward"), now("nic0.forward"), now("nic0.link")]);
    let done =
        [Alteration::AddForward(0, first), Alteration::AddForward(0, second), Alteration::NicLink(0, false)];
    assert_eq!(machine.alterations(), done);
    let nic = shown(&mut core, "one").await.nics.remove(0);
    assert_eq!((nic.model, nic.link, nic.forwards), (NicModel::E1000e, false, vec![first, second]));

    // The second of these can't be, so the first isn't done either.
    let third = forward();
    let error = core.set_nic("one", None, &add(&[third, first])).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::ForwardRefused { fault: ForwardFault::Doubled, .. }), "{error:?}");
    assert_eq!(machine.alterations(), done);

    // What the engine refuses is not kept.
    engine.answer(Asked::Alter, Answer::Fail(EngineError::Refused { detail: "no".into() }));
    let error = core.set_nic("one", None, &add(&[third])).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::EngineRefused { .. }), "{error:?}");
    assert_eq!(shown(&mut core, "one").await.nics[0].forwards.len(), 2);
    drop(home);
    drop(events);
}

#[tokio::test]
async fn a_card_is_plugged_into_another_network_or_stays_where_it_is() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    let bridge = |name: &str| NicSettings {
        mode: Some(NetworkMode::Bridge),
        bridge: Some(name.into()),
        ..NicSettings::default()
    };
    let (fault, detail) = (BridgeFault::NotAllowed, "access denied by acl file".to_owned());
    let denied = EngineError::Bridge { bridge: "br0".into(), fault, detail: detail.clone() };
    engine.answer(Asked::Alter, Answer::Fail(denied));
    let error = core.set_nic("one", None, &bridge("br0")).await.unwrap().unwrap_err();
    assert_eq!(error, Error::BridgeUnusable { bridge: "br0".into(), fault, detail });
    engine.obey();
    let user = shown(&mut core, "one").await.nics.remove(0);
    assert_eq!((user.mode, &user.bridge), (NetworkMode::User, &None));

    assert_eq!(
        core.set_nic("one", None, &bridge("br0")).await.unwrap().unwrap().settings,
        [now("nic0.mode")]
    );
    let nic = shown(&mut core, "one").await.nics.remove(0);
    assert_eq!((nic.mode, nic.bridge.as_deref()), (NetworkMode::Bridge, Some("br0")));
    assert!(matches!(&machine.alterations()[..], [Alteration::Replug(nic, network)]
        if matches!(nic.network, NetworkConfig::User { .. })
            && *network == NetworkConfig::Bridge { bridge: "br0".into() }));
    let error = core.set_nic("one", None, &bridge("../br0")).await.unwrap().unwrap_err();
    assert_eq!(error, Error::NetworkNameInvalid { name: "../br0".into() });
    let nameless = NicSettings { mode: Some(NetworkMode::Isolated), ..NicSettings::default() };
    let error = core.set_nic("one", None, &nameless).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::OptionNeeds { .. }), "{error:?}");
    let error = core.set_nic("one", None, &add(&[forward()])).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::ForwardRefused { fault: ForwardFault::NotUser, .. }), "{error:?}");
    drop((home, events));
}

#[tokio::test]
async fn a_port_of_the_host_is_one_guests() {
    let (held, free) = (forward(), forward());
    let nic = NewNic { forwards: Some(vec![held]), ..NewNic::default() };
    let new = NewGuest { nics: Some(vec![nic.clone()]), ..bare("one") };
    running_guest!(new; home, engine, core, events, machine);
    let other = NewGuest { nics: Some(vec![nic]), ..bare("two") };
    let refused = |error: Error| match error {
        Error::ForwardRefused { fault, holder, .. } => (fault, holder),
        other => panic!("{other:?}"),
    };
    let error = core.create(&other).await.unwrap().unwrap_err();
    assert_eq!(refused(error), (ForwardFault::HeldByGuest, "one".into()));
    make(&mut core, &bare("two")).await.expect("a guest");
    // One for everybody is the same port.
    let everybody = held.to_string().replace("127.0.0.1", "0.0.0.0").parse().unwrap();
    let error = core.set_nic("two", None, &add(&[everybody])).await.unwrap().unwrap_err();
    assert_eq!(refused(error), (ForwardFault::HeldByGuest, "one".into()));

    let program = TcpListener::bind(("127.0.0.1", free.host_port)).expect("a port");
    let error = core.set_nic("two", None, &add(&[free])).await.unwrap().unwrap_err();
    assert_eq!(refused(error), (ForwardFault::HeldByProgram, String::new()));
    drop(program);
    core.set_nic("two", None, &add(&[free])).await.unwrap().unwrap();
    // Taken by a program since: the guest does not start, and says why.
    let program = TcpListener::bind(("127.0.0.1", free.host_port)).expect("a port");
    let error = core.start("two", None).await.unwrap().unwrap_err();
    assert_eq!(refused(error), (ForwardFault::HeldByProgram, String::new()));
    drop(program);
    core.start("two", None).await.unwrap().unwrap();
    events.state("two", GuestState::Running).await;

    let gone = NicSettings { remove_forwards: Some(vec![held]), ..NicSettings::default() };
    core.set_nic("one", None, &gone).await.unwrap().unwrap();
    assert_eq!(machine.alterations(), [Alteration::RemoveForward(0, held)]);
    core.set_nic("two", None, &add(&[held])).await.unwrap().unwrap();
    let error = core.set_nic("one", None, &gone).await.unwrap().unwrap_err();
    assert_eq!(refused(error), (ForwardFault::Missing, String::new()));
    drop(home);
    drop(engine);
}

#[tokio::test]
async fn an_address_is_one_cards() {
    running_guest!(bare("one"); home, engine, core, events, machine);
    make(&mut core, &bare("two")).await.expect("a guest");
    let mac = shown(&mut core, "one").await.nics[0].mac;
    let taken = Error::MacTaken { mac: mac.to_string(), holder: "one".into() };
    let nic = NewNic { mac: Some(mac), ..NewNic::default() };
    assert_eq!(core.add_nic("one", &nic).await.unwrap().unwrap_err(), taken);
    assert_eq!(core.add_nic("two", &nic).await.unwrap().unwrap_err(), taken);
    let settings = NicSettings { mac: Some(mac), ..NicSettings::default() };
    assert_eq!(core.set_nic("two", None, &settings).await.unwrap().unwrap_err(), taken);
    // Its own is no change.
    assert_eq!(core.set_nic("one", None, &settings).await.unwrap().unwrap().settings, [now("nic0.mac")]);
    assert_eq!(machine.alterations(), []);
    let _ = (home, engine, events);
}

#[tokio::test]
async fn a_guest_that_is_off_has_cards_of_any_number_and_model() {
    let home = Home::without_programs();
    let engine = Arc::<FakeEngine>::default();
    let _core = FakeCore::start(&home, &engine).await;
    let (mut core, _events) = connected(&home).await;
    let nics =
        [NicModel::Virtio, NicModel::Rtl8139].map(|model| NewNic { model: Some(model), ..NewNic::default() });
    let new = NewGuest { nics: Some(nics.to_vec()), ..bare("one") };
    let guest = make(&mut core, &new).await.expect("a guest");
    assert!(guest.nics.iter().all(|nic| !nic.pluggable && nic.present.is_none()));
    for number in 2..8 {
        let added = core.add_nic("one", &NewNic::default()).await.unwrap().unwrap().settings;
        assert_eq!(added, [now(&format!("nic{number}"))]);
    }
    let error = core.add_nic("one", &NewNic::default()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::NicsExhausted { maximum: 8, .. }), "{error:?}");
    assert_eq!(core.remove_nic("one", Some("nic0")).await.unwrap().unwrap().settings, [now("nic0")]);
    let names: Vec<_> = shown(&mut core, "one").await.nics.into_iter().map(|nic| nic.name).collect();
    assert_eq!(names, ["nic1", "nic2", "nic3", "nic4", "nic5", "nic6", "nic7"]);
}
