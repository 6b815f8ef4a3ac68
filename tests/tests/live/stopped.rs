//! A real QEMU stands still, as on a host that swaps, under a debugger or in a frozen control group: who asked is told
//! so in a bounded time, nobody else is held up, and when it goes on, what the core says is true.

use crate::{eventually, installed, shown};
use hv_tests::{Home, Process, program, until};
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Two calls in vain, as where something was begun and has to be undone, and what a busy host adds.
const BOUND: Duration = Duration::from_secs(28);

/// What is asked of a guest whose engine stands still, as it is said to `hv`, and what the guest is when it was done.
const ASKED: [(&str, &[&str], &str); 5] = [
    ("pause", &["pause", "pause"], "paused"),
    ("set", &["set", "set", "cpus=2"], "running"),
    ("disk", &["disk", "disk", "add", "--size", "1MiB"], "running"),
    ("nic", &["nic", "nic", "add"], "running"),
    ("reset", &["reset", "reset"], "running"),
];

fn engine(guest: &Value) -> Process {
    let pid = guest["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    Process::with_pid(pid.expect("an engine")).expect("it runs")
}

async fn is(home: &Home, guest: &str, state: &str) {
    eventually(&format!("{guest} to be {state}"), async || {
        (shown(home, guest).await["state"] == state).then_some(())
    })
    .await;
}

async fn ask(home: &Home, (guest, words, state): (&str, &[&str], &str)) {
    let engine = engine(&shown(home, guest).await);
    engine.stop();
    let begun = Instant::now();
    let told = home.hv(words.iter().chain(&["--json"])).await;
    assert!(begun.elapsed() < BOUND, "{guest}: {:?}", begun.elapsed());
    assert_eq!(told.error_code(), "engine-silent", "{guest}");
    engine.go_on();
    // It may have done in the meantime what it was asked for; the core must know.
    eventually(&format!("{guest} at rest"), async || {
        let now = shown(home, guest).await["state"].as_str().map(str::to_owned);
        ["running", state].contains(&&*now?).then_some(())
    })
    .await;
    if shown(home, guest).await["state"] != state || state == "running" {
        home.hv(words).await.done();
    }
    is(home, guest, state).await;
}

#[tokio::test]
async fn an_engine_that_stands_still_holds_up_only_who_asked_and_not_for_ever() {
    if installed("qemu-system-x86", &["/usr/share/seabios/bios-256k.bin"]).is_none() {
        return;
    }
    let home = Home::new();
    let others = ["start", "save", "snapshot"];
    for guest in ASKED.iter().map(|(guest, ..)| guest).chain(&others) {
        let words = ["create", guest, "--empty", "--disk", "1MiB", "--memory", "32MiB", "--cpus", "1"];
        home.hv(words.iter().chain(&["--max-cpus", "4"])).await.done();
        if *guest != "start" {
            home.hv(["start", guest]).await.done();
        }
    }
    let asked = ASKED.map(|one| ask(&home, one));
    tokio::join!(start(&home), save(&home), snapshot(&home), futures_util::future::join_all(asked));
    // Also one that hears nothing is forced off, for good.
    for (guest, ..) in ASKED {
        engine(&shown(&home, guest).await).stop();
        home.hv(["force-off", guest]).await.done();
    }
    assert_eq!(home.engines().len(), 0);
}

/// Writing much memory may take long: who asked can stop to wait for it, and the guest does what it did.
async fn save(home: &Home) {
    let engine = engine(&shown(home, "save").await);
    engine.stop();
    let mut save = home.command(program("hv"));
    let save = save.args(["save", "save", "--json"]).stdout(Stdio::piped()).spawn().expect("hv");
    is(home, "save", "saving").await;
    // It goes on in the middle of it, as a host does that has swapped.
    tokio::time::sleep(Duration::from_secs(2)).await;
    engine.go_on();
    let told = save.wait_with_output().await.expect("its end");
    assert!(told.status.success(), "{told:?}");
    engine.ended().await;
    is(home, "save", "saved").await;
    home.hv(["start", "save"]).await.done();
    is(home, "save", "running").await;
    home.hv(["force-off", "save"]).await.done();
}

/// A snapshot that stands still ends with its machine, and nothing is left of it.
async fn snapshot(home: &Home) {
    let guest = shown(home, "snapshot").await;
    let engine = engine(&guest);
    engine.stop();
    let mut take = home.command(program("hv"));
    let take = take.args(["snapshot", "snapshot", "take", "new", "--json"]);
    let take = take.stdout(Stdio::piped()).spawn().expect("hv");
    is(home, "snapshot", "saving").await;
    home.hv(["force-off", "snapshot"]).await.done();
    let told = take.wait_with_output().await.expect("its end");
    assert!(!told.status.success(), "{told:?}");
    engine.ended().await;
    let guest = shown(home, "snapshot").await;
    assert_eq!(
        (guest["state"].as_str(), guest["snapshots"].as_array().map(Vec::len)),
        (Some("off"), Some(0))
    );
    home.hv(["snapshot", "snapshot", "take", "new"]).await.done();
}

/// One that stands still before it has begun is given up, and none is left.
async fn start(home: &Home) {
    // It may have begun before it is seen.
    let engine = loop {
        let known: Vec<u32> = home.engines().iter().map(Process::pid).collect();
        let mut start = home.command(program("hv"));
        let start = start.args(["start", "start", "--json"]).stdout(Stdio::piped()).spawn().expect("hv");
        let is_new = |engine: &Process| !known.contains(&engine.pid());
        let engine = until("its engine", || home.engines().into_iter().find(is_new)).await;
        engine.stop();
        let told = start.wait_with_output().await.expect("its end");
        if !told.status.success() {
            break engine;
        }
        home.hv(["force-off", "start"]).await.done();
    };
    engine.ended().await;
    is(home, "start", "crashed").await;
    home.hv(["start", "start"]).await.done();
    home.hv(["force-off", "start"]).await.done();
}
