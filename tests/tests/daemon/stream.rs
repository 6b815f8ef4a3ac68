//! The event stream: everything first, then every change, so that who follows it knows what who asks is
//! told.

use crate::{bare, connected, make};
use hv_api::{ByteSize, Core, Error, GuestInfo, GuestState, NewGuest, Settings};
use hv_core::engine::EngineEvent;
use hv_tests::fake_engine::{FakeCore, FakeEngine};
use hv_tests::{Follower, Home, Script};
use std::sync::Arc;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        // Knuth's MMIX generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn by_identity(guests: impl IntoIterator<Item = GuestInfo>) -> Vec<GuestInfo> {
    let mut guests: Vec<_> = guests.into_iter().collect();
    guests.sort_by_key(|guest| guest.id);
    guests
}

#[tokio::test]
async fn who_follows_the_stream_knows_what_who_asks_is_told() {
    for seed in 1..=4 {
        let home = Home::without_programs();
        let engine = Arc::<FakeEngine>::default();
        let _core = FakeCore::start(&home, &engine).await;
        let (mut core, mut early) = connected(&home).await;
        let mut dice = Dice(seed);
        for step in 0..120_u32 {
            let name = format!("guest {}", dice.below(6));
            // Whatever is refused is refused; the states that come of it are compared.
            match dice.below(10) {
                0 | 1 => drop(make(&mut core, &bare(&name)).await),
                2 | 3 => drop(core.start(&name, Some(dice.below(3) == 0)).await.expect("a connection")),
                4 => drop(core.pause(&name).await.expect("a connection")),
                5 => drop(core.resume(&name).await.expect("a connection")),
                6 => drop(core.force_off(&name).await.expect("a connection")),
                7 => drop(core.delete(&name, Some(true)).await.expect("a connection")),
                8 => {
                    let memory = Some(ByteSize::mib(64 + u64::from(step)));
                    let settings = Settings { memory, ..Settings::default() };
                    drop(core.set(&name, &settings).await.expect("a connection"));
                }
                _ => {
                    let library = early.library();
                    let found = library.guests().find(|guest| guest.name == name && guest.pid.is_some());
                    if let Some(id) = found.map(|guest| guest.id) {
                        engine.machine(id).say(EngineEvent::Exited { detail: "died".into() });
                        let ended = early.until("its end", |library| {
                            library.guest(id).is_none_or(|guest| guest.pid.is_none())
                        });
                        ended.await;
                    }
                }
            }
        }
        let late = Follower::begin(home.connect().await).await.library();
        let listed = by_identity(core.list().await.expect("a connection").expect("a list").guests);
        assert!(!listed.is_empty());
        assert_eq!(by_identity(late.guests().cloned()), listed, "seed {seed}");
        let followed = early.until("the same", |library| {
            by_identity(library.guests().cloned()) == listed && library.jobs().len() == 0
        });
        followed.await;
    }
}

#[tokio::test]
async fn a_late_reader_is_told_everything_first() {
    let home = Home::without_programs();
    let engine = Arc::<FakeEngine>::default();
    let _core = FakeCore::start(&home, &engine).await;
    let mut core = home.connect().await;
    make(&mut core, &bare("early")).await.expect("a guest");
    core.start("early", None).await.expect("a connection").expect("it starts");
    let library = Follower::begin(home.connect().await).await.library();
    let guest = library.guests().next().expect("the guest");
    assert_eq!((guest.name.as_str(), guest.state), ("early", GuestState::Running));
    assert_eq!(library.host().map(|host| host.core_pid), Some(std::process::id()));
}

#[tokio::test]
async fn a_guest_in_the_making_is_seen_only_when_it_is_made() {
    let home = Home::with_fake_qemu(&Script::obedient());
    // Its disk can't be made: there is an engine, and no image tool.
    let search = format!("PATH={}", home.path("bin").display());
    let _core = home.core_under(&["/usr/bin/env", &search]).await;
    let (mut core, mut events) = connected(&home).await;
    let before = home.tree();
    let new = NewGuest { name: "never".into(), disk: Some(ByteSize::gib(1)), ..NewGuest::default() };
    let failed = make(&mut core, &new).await.unwrap_err();
    assert_eq!(failed, Error::EngineMissing { program: "qemu-img".into() });
    assert_eq!(home.tree(), before);
    make(&mut core, &bare("seen")).await.expect("a guest");
    let library = events.until("the other one", |library| library.guests().len() > 0).await;
    assert!(library.guests().all(|guest| guest.name == "seen"));
}
