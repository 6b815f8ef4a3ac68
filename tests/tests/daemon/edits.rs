//! Settings that are changed while the guest runs.

use crate::{bare, connected, make, shown};
use hv_api::{Applied, ByteSize, Core, Error, GuestState, NewGuest, NotNow, Operation, Settings};
use hv_core::engine::{Alteration, EngineError};
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine};
use hv_tests::{Home, Script, until};
use std::sync::Arc;

fn roomy() -> NewGuest {
    NewGuest {
        cpus: Some(1),
        max_cpus: Some(4),
        memory: Some(ByteSize::mib(256)),
        max_memory: Some(ByteSize::gib(1)),
        ..bare("one")
    }
}

#[tokio::test]
async fn what_a_machine_took_is_what_the_guest_has() {
    running_guest!(roomy(); home, engine, core, events, machine);
    let guest = shown(&mut core, "one").await;
    assert_eq!(guest.live.map(|live| (live.cpus_lowest, live.cpus_highest)), Some((1, 4)));

    let both = Settings { cpus: Some(3), memory: Some(ByteSize::mib(512)), ..Settings::default() };
    let changed = core.set("one", &both).await.unwrap().unwrap().settings;
    assert!(changed.iter().all(|one| one.applied == Applied::Now && one.reason.is_none()), "{changed:?}");
    let done = [Alteration::Cpus(3), Alteration::Memory(ByteSize::mib(512))];
    assert_eq!(machine.alterations(), done);
    let guest = shown(&mut core, "one").await;
    assert_eq!((guest.cpus, guest.memory, guest.pending), (3, ByteSize::mib(512), Vec::new()));
    assert_eq!(guest.memory_now, Some(ByteSize::mib(512)));

    // What the machine was not prepared for waits, and the machine is not asked.
    let more = Settings { cpus: Some(5), ..Settings::default() };
    let changed = core.set("one", &more).await.unwrap().unwrap().settings;
    assert_eq!((changed[0].applied, changed[0].reason), (Applied::AtNextStart, Some(NotNow::BeyondMaximum)));
    assert_eq!(machine.alterations(), done);
    let pending = shown(&mut core, "one").await.pending;
    let keys: Vec<_> = pending.iter().map(|change| change.key.as_str()).collect();
    assert_eq!(keys, ["cpus", "max-cpus"]);
}

#[tokio::test]
async fn what_a_machine_did_not_take_waits_or_is_refused() {
    running_guest!(roomy(); home, engine, core, events, _machine);
    let two = Settings { cpus: Some(2), ..Settings::default() };

    let refused = EngineError::Refused { detail: "no".into() };
    engine.answer(Asked::Alter, Answer::Fail(refused));
    let error = core.set("one", &two).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::EngineRefused { operation: Operation::Set, .. }), "{error:?}");
    assert_eq!(shown(&mut core, "one").await.cpus, 1, "what was refused is not kept");

    let cannot = EngineError::NotWhileRunning { detail: "no slot".into() };
    for (error, reason) in [(EngineError::GuestRefused, NotNow::GuestRefused), (cannot, NotNow::EngineCannot)]
    {
        engine.answer(Asked::Alter, Answer::Fail(error));
        let changed = core.set("one", &two).await.unwrap().unwrap().settings;
        assert_eq!((changed[0].applied, changed[0].reason), (Applied::AtNextStart, Some(reason)));
        let guest = shown(&mut core, "one").await;
        assert_eq!((guest.cpus, guest.pending.len()), (2, 1));
    }
}

/// A change that hangs holds up no other request, and comes to an end with its machine.
#[tokio::test]
async fn a_change_that_hangs_ends_with_its_machine() {
    running_guest!(roomy(); home, engine, core, events, _machine);
    engine.answer(Asked::Alter, Answer::Stall);
    let mut other = home.connect().await;
    let two = Settings { cpus: Some(2), ..Settings::default() };
    let hangs = tokio::spawn(async move { other.set("one", &two).await });
    core.pause("one").await.unwrap().unwrap();
    core.resume("one").await.unwrap().unwrap();
    core.force_off("one").await.unwrap().unwrap();
    let changed = hangs.await.unwrap().unwrap().unwrap().settings;
    assert_eq!(changed[0].applied, Applied::Now);
    let guest = shown(&mut core, "one").await;
    assert_eq!((guest.cpus, guest.state), (2, GuestState::Off));
}

#[tokio::test]
async fn what_was_changed_is_known_to_the_next_core() {
    let home = Home::with_fake_qemu(&Script::default());
    let process = home.core().await;
    let mut core = home.connect().await;
    make(&mut core, &roomy()).await.unwrap();
    core.start("one", None).await.unwrap().unwrap();
    let more = Settings { cpus: Some(4), memory: Some(ByteSize::gib(1)), ..Settings::default() };
    let changed = core.set("one", &more).await.unwrap().unwrap().settings;
    assert!(changed.iter().all(|one| one.applied == Applied::Now), "{changed:?}");
    process.kill().await;
    let _process = home.core().await;
    let (mut core, mut events) = connected(&home).await;
    let guest = shown(&mut core, "one").await;
    assert_eq!((guest.cpus, guest.pending, guest.live.unwrap().cpus_lowest), (4, Vec::new(), 4));
    let all = Some(ByteSize::gib(1));
    events.until("its memory", |library| library.guests().any(|guest| guest.memory_now == all)).await;
}

/// Its machine still has what the guest gave back, also where it was given no room for more.
#[tokio::test]
async fn memory_that_was_given_back_can_be_had_again() {
    let new = NewGuest { max_memory: Some(ByteSize::mib(256)), ..roomy() };
    running_guest!(new; home, engine, core, events, machine);
    let with = |mib| Settings { memory: Some(ByteSize::mib(mib)), ..Settings::default() };
    for mib in [128, 256] {
        let changed = core.set("one", &with(mib)).await.unwrap().unwrap().settings;
        assert_eq!(changed[0].applied, Applied::Now, "{mib} MiB");
    }
    assert_eq!(machine.alterations(), [128, 256].map(|mib| Alteration::Memory(ByteSize::mib(mib))));
}

#[tokio::test]
async fn memory_that_others_have_is_not_promised_again() {
    let home = Home::without_programs();
    let engine = Arc::<FakeEngine>::default();
    let _core = FakeCore::start(&home, &engine).await;
    let (mut core, mut events) = connected(&home).await;
    let all = core.host().await.unwrap().unwrap().memory;
    let most = ByteSize::mib(all.as_mib() - 64);
    let large = NewGuest { memory: Some(most), ..bare("large") };
    make(&mut core, &large).await.unwrap();
    make(&mut core, &NewGuest { name: "two".into(), ..roomy() }).await.unwrap();
    core.start("large", None).await.unwrap().unwrap();
    events.state("large", GuestState::Running).await;
    let error = core.start("two", None).await.unwrap().unwrap_err();
    assert_eq!(error, Error::MemoryPromised { requested: ByteSize::mib(256), promised: most, total: all });
    let less = Settings { memory: Some(ByteSize::gib(1)), ..Settings::default() };
    core.set("large", &less).await.unwrap().unwrap();
    core.start("two", None).await.unwrap().unwrap();
    // What it gave back is promised to nobody, so that it can have it again.
    until("two guests", || (engine.running() == 2).then_some(())).await;
}

#[tokio::test]
async fn a_disk_grows_while_its_guest_runs_and_while_it_is_off() {
    let home = Home::with_fake_qemu(&Script::default());
    let _core = home.core().await;
    home.hv(["create", "one", "--empty", "--disk", "1GiB"]).await.done();
    let size = async || home.hv(["disk", "one", "--json"]).await.json()["disks"][0]["size"].clone();
    home.hv(["disk", "one", "grow", "2GiB"]).await.done();
    assert_eq!(size().await, 2_u64 << 30);
    for (words, code) in
        [(&["1GiB"][..], "disk-size-out-of-range"), (&["--disk", "disk1", "4GiB"], "disk-not-found")]
    {
        let refused = home.hv(["disk", "one", "grow", "--json"].iter().chain(words)).await;
        assert_eq!((refused.code, &refused.json()["error"]["code"]), (1, &code.into()));
    }
    // The pretended engine has no disks, and says so: nothing is told that is not so.
    home.hv(["start", "one"]).await.done();
    let refused = home.hv(["disk", "one", "grow", "3GiB"]).await;
    assert!(refused.err.contains("block_resize"), "{}", refused.err);
    assert_eq!(size().await, 2_u64 << 30);
}
