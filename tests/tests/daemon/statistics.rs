//! What guests use: told while somebody listens, and at no cost otherwise.

use crate::clients::{Raw, method};
use crate::{bare, connected, make};
use futures_util::StreamExt;
use hv_api::client::settle;
use hv_api::{ByteSize, Core, Error, GuestState, NewGuest, Operation};
use hv_core::engine::EngineEvent;
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine};
use hv_tests::{Home, Reaction, Script, until, within};
use std::pin::pin;
use std::sync::Arc;

/// A guest with 64 MiB.
fn small(name: &str) -> NewGuest {
    NewGuest { memory: Some(ByteSize::mib(64)), ..bare(name) }
}

#[tokio::test]
async fn a_guest_is_measured_while_somebody_listens_and_no_longer() {
    let home = Home::without_programs();
    let engine = Arc::<FakeEngine>::default();
    let _thread = FakeCore::start(&home, &engine).await;
    let (mut core, mut events) = connected(&home).await;
    let id = make(&mut core, &bare("one")).await.expect("a guest").id;
    let off = |state| Error::WrongState { guest: "one".into(), state, operation: Operation::Statistics };
    {
        let mut refused = pin!(core.statistics("one").await.unwrap());
        assert_eq!(refused.next().await.unwrap().unwrap().unwrap_err(), off(GuestState::Off));
    }
    core.start("one", None).await.unwrap().unwrap();
    let machine = engine.machine(id);
    assert_eq!(machine.measured(), (0, false), "nobody listens yet");

    let mut first = home.connect().await;
    let mut second = home.connect().await;
    {
        let mut heard = pin!(first.statistics("one").await.unwrap());
        let mut times = Vec::new();
        for _message in 0..2 {
            let message = within("a measurement", heard.next()).await.unwrap().unwrap();
            times.push(message.unwrap().statistics.time);
        }
        assert_eq!(times, [1, 2]);
        assert_eq!(machine.measured(), (2, true));
        // A second listener shares the measurement, and costs no other.
        let mut also = pin!(second.statistics("one").await.unwrap());
        let shared = within("a measurement", also.next()).await.unwrap().unwrap().unwrap();
        assert_eq!((shared.statistics.time, machine.measured()), (3, (3, true)));
    }
    drop(first);
    // One of two still listens.
    until("another measurement", || (machine.measured().0 > 3).then_some(())).await;
    assert!(machine.measured().1);
    drop(second);
    until("the guest's rest", || (!machine.measured().1).then_some(())).await;
    let rest = machine.measured();

    // What was begun ends with the machine; who listened is told so.
    let mut third = home.connect().await;
    let mut heard = pin!(third.statistics("one").await.unwrap());
    let again = within("a measurement", heard.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(again.statistics.time, rest.0 + 1, "nothing was measured in between");
    machine.say(EngineEvent::PoweredOff);
    events.state("one", GuestState::Off).await;
    let end = loop {
        match within("the end", heard.next()).await.unwrap().unwrap() {
            Ok(_measured) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(end, Error::WrongState { operation: Operation::Statistics, .. }), "{end:?}");
}

#[tokio::test]
async fn an_engine_that_does_not_answer_ends_no_stream() {
    let home = Home::without_programs();
    let engine = Arc::<FakeEngine>::default();
    let _thread = FakeCore::start(&home, &engine).await;
    let (mut core, _events) = connected(&home).await;
    let id = make(&mut core, &bare("one")).await.expect("a guest").id;
    core.start("one", None).await.unwrap().unwrap();
    engine.answer(Asked::Statistics, Answer::Fail(hv_core::engine::EngineError::Silent { seconds: 2 }));
    let mut listener = home.connect().await;
    let mut heard = pin!(listener.statistics("one").await.unwrap());
    until("a listener", || engine.machine(id).measured().1.then_some(())).await;
    engine.obey();
    let measured = within("a measurement", heard.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(measured.statistics.time, 1);
}

#[tokio::test]
async fn what_an_engine_does_not_tell_is_left_out() {
    let script = Script::obedient().on("query-cpus-fast", Reaction::Refuse("no CPUs here".into()));
    let home = Home::with_fake_qemu(&script);
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    make(&mut core, &small("one")).await.expect("a guest");
    core.start("one", None).await.unwrap().unwrap();
    {
        let mut heard = pin!(core.statistics("one").await.unwrap());
        let told = settle(within("a measurement", heard.next()).await.unwrap()).unwrap().statistics;
        assert!(told.time > 0 && told.memory.resident > ByteSize::mib(1), "{told:?}");
        assert_eq!(told.cpu.vcpus, None);
        assert_eq!(told.disks.as_ref().map(Vec::len), Some(0));
        assert_eq!(told.memory.assigned, Some(ByteSize::mib(64)));
        // What is all ones was not told.
        assert_eq!(told.memory.used(), Some((ByteSize::mib(40), ByteSize::mib(60))));
        assert_eq!(told.memory.guest.and_then(|guest| guest.free), None);
        assert_eq!(told.nics, None);
    }
    let told = home.hv(["stats", "one", "--json"]).await;
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.json()["memory"]["used"].is_u64(), "{told:?}");
}

#[tokio::test]
async fn a_core_that_takes_over_asks_the_guest_nothing_that_nobody_wants_to_know() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    make(&mut core, &small("one")).await.expect("a guest");
    core.start("one", None).await.unwrap().unwrap();
    {
        let mut heard = pin!(core.statistics("one").await.unwrap());
        let told = settle(within("a measurement", heard.next()).await.unwrap()).unwrap().statistics;
        assert!(told.memory.guest.is_some(), "{told:?}");
        process.kill().await;
    }
    let _process = home.core().await;
    // A single call asks the guest nothing: what it tells is what it was asked for before.
    let mut raw = Raw::connect(&home).await;
    let call = method("Statistics", &serde_json::json!({ "guest": "one" }));
    let rest = async {
        loop {
            let told = raw.call(&call).await.expect("an answer");
            let memory = &told["parameters"]["statistics"]["memory"];
            assert_eq!(memory["assigned"], 64 << 20, "{told}");
            if memory["guest"].is_null() {
                return;
            }
        }
    };
    within("the guest's rest", rest).await;
}

#[tokio::test]
async fn a_guests_agent_tells_its_addresses_and_what_it_sent() {
    let home = Home::with_fake_qemu(&Script::obedient().with_agent());
    let process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    make(&mut core, &small("one")).await.expect("a guest");
    core.start("one", None).await.unwrap().unwrap();
    for _core in 0..2 {
        // The cards that the guest has made itself are not its own.
        let shown = home.hv(["show", "one", "--json"]).await.json();
        assert_eq!(shown["addresses"], serde_json::json!(["10.0.2.15"]), "{shown}");
        let told = home.hv(["stats", "one", "--json"]).await.json();
        let nics = told["nics"].as_array().expect("cards").clone();
        assert_eq!(nics.len(), 1, "{told}");
        assert_eq!((&nics[0]["received"], &nics[0]["sent"]), (&100.into(), &50.into()));
        assert_eq!(nics[0]["mac"], shown["nics"][0]["mac"]);
        assert_eq!(told["rates"]["received"], 0.0, "{told}");
        if home.cores().len() == 1 {
            home.cores()[0].kill();
            until("the end of the core", || home.cores().is_empty().then_some(())).await;
        }
    }
    drop(process);
    // An agent that refuses to shut down has a power button beside it.
    assert_eq!(home.hv(["shutdown", "one"]).await.code, 0);
    let (_core, mut events) = connected(&home).await;
    events.state("one", GuestState::Off).await;
}
