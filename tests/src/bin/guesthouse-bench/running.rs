//! What the core does with guests that run: it finds them again, hears of their engines' ends, changes them.
//!
//! These have no other side to be compared with here. Their limits come from what libvirt took for the same, as far
//! as that was measured: 106 to 165 ms to find ten guests again, 206 ms until a client heard of an engine's end.

use crate::done;
use crate::measure::{median, milliseconds, stopwatch};
use crate::table::Table;
use hv_api::client::Connection;
use hv_api::{ByteSize, Core as _, GuestState, Settings};
use hv_tests::{Follower, Home, Process};
use std::time::{Duration, Instant};

/// How many guests are found again.
const GUESTS: usize = 10;

/// How often each is measured.
const ROUNDS: usize = 7;

/// All of it.
pub async fn guests_that_run(table: &mut Table) {
    let home = Home::new();
    let mut core = home.core().await;
    for number in 0..GUESTS {
        let name = format!("guest {number}");
        let words = ["create", &name, "--empty", "--no-disk", "--memory", "32MiB", "--cpus", "1"];
        done(&home, &words).await;
        done(&home, &["set", &name, "max-cpus=4", "max-memory=256MiB"]).await;
        done(&home, &["start", &name]).await;
    }
    let mut found_again = Vec::new();
    for _round in 0..ROUNDS {
        core.kill().await;
        let begun = Instant::now();
        core = home.core().await;
        all_run(&home).await;
        found_again.push(begun.elapsed());
    }
    limit(table, "ten guests found again by a new core, ms", found_again, 100.0);

    changes(table, &mut home.connect().await).await;
    limit(table, "an engine's end, to a client, ms", ends(&home).await, 20.0);
    drop(core);
}

/// Makes sure that a core tells of all guests as running.
async fn all_run(home: &Home) {
    let mut core = home.connect().await;
    let guests = core.list().await.expect("a core").expect("a list").guests;
    let running = guests.iter().filter(|guest| guest.state == GuestState::Running).count();
    assert_eq!(running, GUESTS);
}

/// A client's call until it is answered, which is after QEMU has done it.
async fn changes(table: &mut Table, core: &mut Connection) {
    let (mut cpus, mut memory) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        let guest = format!("guest {number}");
        let more = Settings { cpus: Some(2), ..Settings::default() };
        cpus.push(stopwatch(set(core, &guest, &more)).await);
        let less = Settings { memory: Some(ByteSize::mib(24)), ..Settings::default() };
        memory.push(stopwatch(set(core, &guest, &less)).await);
    }
    // The promise is 5 ms until QEMU is told. What comes after it, which QEMU needs to make a CPU, is in here as well.
    table.note("a client's call for another CPU, to its answer", &milliseconds(median(cpus)));
    limit(table, "a client's call for less memory, to its answer, ms", memory, 5.0);
}

async fn set(core: &mut Connection, guest: &str, settings: &Settings) {
    core.set(guest, settings).await.expect("a core").expect("it can be set");
}

async fn ends(home: &Home) -> Vec<Duration> {
    let mut events = Follower::begin(home.connect().await).await;
    let mut heard = Vec::new();
    for number in 0..ROUNDS {
        let name = format!("guest {number}");
        let guest = events.state(&name, GuestState::Running).await;
        let engine = Process::with_pid(guest.pid.expect("an engine")).expect("it runs");
        let begun = Instant::now();
        engine.kill();
        events.state(&name, GuestState::Crashed).await;
        heard.push(begun.elapsed());
    }
    heard
}

fn limit(table: &mut Table, what: &str, measured: Vec<Duration>, milliseconds: f64) {
    table.limit(what, median(measured).as_secs_f64() * 1000.0, milliseconds);
}
