//! Cores that die: guests run on, and the next core takes them over as they are.

use crate::{bare, connected, make, shown};
use hv_api::{ByteSize, Core, GuestState, Settings};
use hv_tests::{Home, Process, Reaction, Script, until};

#[tokio::test]
async fn a_core_that_is_killed_leaves_its_guests_running_for_the_next() {
    let home = Home::with_fake_qemu(&Script { serial: "first words\n".into(), ..Script::default() });
    let process = home.core().await;
    let mut core = home.connect().await;
    make(&mut core, &bare("running")).await.unwrap();
    make(&mut core, &bare("paused")).await.unwrap();
    make(&mut core, &bare("off")).await.unwrap();
    let running = core.start("running", None).await.unwrap().unwrap().guest;
    let paused = core.start("paused", Some(true)).await.unwrap().unwrap().guest;
    let memory = Some(ByteSize::mib(77));
    core.set("running", &Settings { memory, ..Settings::default() }).await.unwrap().unwrap();
    let pending = shown(&mut core, "running").await.pending;
    assert_eq!(pending.len(), 1);
    process.kill().await;

    for _ in 0..3 {
        let process = home.core().await;
        let mut core = home.connect().await;
        let now = shown(&mut core, "running").await;
        assert_eq!((now.state, now.pid, now.since), (GuestState::Running, running.pid, running.since));
        assert_eq!((now.accelerator, &now.pending), (running.accelerator, &pending));
        let now = shown(&mut core, "paused").await;
        assert_eq!((now.state, now.pid), (GuestState::Paused, paused.pid));
        assert_eq!(shown(&mut core, "off").await.state, GuestState::Off);
        assert_eq!(home.engines().len(), 2);
        process.kill().await;
    }

    let _process = home.core().await;
    let (mut core, mut events) = connected(&home).await;
    core.pause("running").await.unwrap().unwrap();
    core.resume("running").await.unwrap().unwrap();
    assert_eq!(home.hv(["log", "running", "--serial", "0"]).await.done(), "first words\n");
    core.shutdown("running").await.unwrap().unwrap();
    events.state("running", GuestState::Off).await;
    Process::with_pid(paused.pid.unwrap()).expect("it runs").kill();
    let crashed = events.state("paused", GuestState::Crashed).await;
    assert!(crashed.detail.is_some());
    home.no_engine().await;
}

#[tokio::test]
async fn a_core_that_is_killed_at_any_moment_of_a_start_never_lies_afterwards() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let process = home.core().await;
    make(&mut home.connect().await, &bare("one")).await.unwrap();
    process.kill().await;
    // Each round gets a little further, from a call that was just sent to a guest that has long started.
    for round in 0..16_u32 {
        let process = home.core().await;
        let mut core = home.connect().await;
        if shown(&mut core, "one").await.pid.is_some() {
            core.force_off("one").await.unwrap().unwrap();
        }
        let kill = tokio::time::sleep(std::time::Duration::from_millis(u64::from(round) * 2));
        tokio::select! {
            () = kill => {}
            started = core.start("one", None) => drop(started),
        }
        process.kill().await;

        let process = home.core().await;
        let mut core = home.connect().await;
        let now = shown(&mut core, "one").await;
        let engines = home.engines();
        let known: Vec<u32> = now.pid.into_iter().collect();
        let running: Vec<u32> = engines.iter().map(Process::pid).collect();
        assert_eq!(running, known, "round {round}: what runs and what the core knows");
        let expected: &[GuestState] =
            if known.is_empty() { &[GuestState::Off] } else { &[GuestState::Running, GuestState::Paused] };
        assert!(expected.contains(&now.state), "round {round}: {now:?}");
        process.kill().await;
    }
}

#[tokio::test]
async fn an_engine_whose_core_was_killed_before_it_was_ready_is_not_lost() {
    let home = Home::with_fake_qemu(&Script::obedient().on("start", Reaction::Delay(500)));
    let process = home.core().await;
    let mut core = home.connect().await;
    make(&mut core, &bare("one")).await.unwrap();
    let engine = tokio::select! {
        started = core.start("one", None) => panic!("it was quicker: {started:?}"),
        engine = until("its engine", || home.engines().pop()) => engine,
    };
    process.kill().await;
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let now = shown(&mut core, "one").await;
    assert_eq!((now.state, now.pid), (GuestState::Paused, Some(engine.pid())));
    core.force_off("one").await.unwrap().unwrap();
    home.no_engine().await;
}

#[tokio::test]
async fn a_core_that_is_killed_while_a_guest_is_made_leaves_a_whole_guest_or_none() {
    if !crate::files::has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    home.core().await.kill().await;
    let empty = home.tree();
    for round in 0..12_u32 {
        let process = home.core().await;
        let mut core = home.connect().await;
        let new = hv_api::NewGuest { name: "one".into(), disk: Some(ByteSize::gib(1)), ..Default::default() };
        let kill = tokio::time::sleep(std::time::Duration::from_millis(u64::from(round) * 4));
        tokio::select! {
            () = kill => {}
            made = make(&mut core, &new) => drop(made),
        }
        process.kill().await;

        let process = home.core().await;
        let mut core = home.connect().await;
        let guests = core.list().await.unwrap().unwrap().guests;
        if let Some(guest) = guests.first() {
            assert_eq!((guest.state, guest.disks.len()), (GuestState::Off, 1), "round {round}");
            assert_eq!(guest.disks[0].size, Some(ByteSize::gib(1)), "round {round}");
            core.delete("one", Some(true)).await.unwrap().unwrap();
        }
        assert_eq!(home.tree(), empty, "round {round}");
        process.kill().await;
    }
}

#[tokio::test]
async fn a_core_that_is_asked_to_end_leaves_guests_running_too() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let process = home.core().await;
    let mut core = home.connect().await;
    make(&mut core, &bare("one")).await.unwrap();
    let pid = core.start("one", None).await.unwrap().unwrap().guest.pid;
    core.quit().await.unwrap().unwrap();
    assert_eq!(process.exit_code().await, Some(0));
    assert!(!home.socket().exists());
    let shown = home.hv(["show", "one", "--json"]).await.json();
    assert_eq!(shown["state"], "running");
    assert_eq!(shown["pid"].as_u64(), pid.map(u64::from));
}
