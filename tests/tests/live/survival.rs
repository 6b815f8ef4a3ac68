//! Real engines survive their core, die alone, and are never lost.

use crate::{eventually, memtest, shown};
use hv_tests::{Home, Process, until};
use std::time::Duration;

#[tokio::test]
async fn guests_run_on_without_a_core_and_are_taken_over_by_the_next() {
    let Some(iso) = memtest() else { return };
    let iso = iso.to_str().expect("UTF-8");
    let home = Home::new();
    let core = home.core().await;
    home.hv(["create", "one", "--iso", iso, "--no-disk", "--memory", "64MiB", "--start"]).await.done();
    let before = shown(&home, "one").await;
    core.kill().await;
    let engine = Process::with_pid(before["pid"].as_u64().expect("a number") as u32).expect("it runs on");
    let after = shown(&home, "one").await;
    assert_eq!(
        (&after["state"], &after["pid"], &after["since"]),
        (&"running".into(), &before["pid"], &before["since"])
    );
    home.hv(["pause", "one"]).await.done();
    home.hv(["resume", "one"]).await.done();

    // An engine that the system kills is a crash, told within a moment, with what is known of it.
    engine.kill();
    let crashed = eventually("its end", async || {
        Some(shown(&home, "one").await).filter(|guest| guest["state"] == "crashed")
    })
    .await;
    assert_eq!(crashed["reason"], "engine-died");
    assert!(crashed["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{crashed}");
    home.hv(["start", "one"]).await.done();
    home.hv(["force-off", "one"]).await.done();
    home.no_engine().await;
}

#[tokio::test]
async fn an_engine_is_not_lost_whenever_its_core_dies() {
    let Some(iso) = memtest() else { return };
    let iso = iso.to_str().expect("UTF-8");
    let home = Home::new();
    let core = home.core().await;
    home.hv(["create", "one", "--iso", iso, "--no-disk", "--memory", "64MiB"]).await.done();
    core.kill().await;
    for moment in [0, 5, 10, 20, 40, 80] {
        let core = home.core().await;
        let mut start = home.command(hv_tests::program("hv"));
        let mut start = start.args(["start", "one"]).stderr(std::process::Stdio::null()).spawn().expect("hv");
        until("its engine", || home.engines().pop()).await;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        core.kill().await;
        hv_tests::within("its end", start.wait()).await.expect("a status");

        let guest = shown(&home, "one").await;
        let known: Vec<u64> = guest["pid"].as_u64().into_iter().collect();
        let running: Vec<u64> = home.engines().iter().map(|engine| u64::from(engine.pid())).collect();
        assert_eq!(running, known, "{moment} ms after its start: {guest}");
        if !known.is_empty() {
            home.hv(["force-off", "one"]).await.done();
        }
        home.no_engine().await;
        home.cores().iter().for_each(Process::kill);
        until("the core's end", || home.cores().is_empty().then_some(())).await;
    }
}

#[tokio::test]
async fn an_engine_that_refuses_its_machine_says_why() {
    if memtest().is_none() {
        return;
    }
    let home = Home::new();
    let core = home.core().await;
    home.hv(["create", "one", "--empty", "--no-disk"]).await.done();
    let file = shown(&home, "one").await["paths"]["definition"].as_str().expect("a path").to_owned();
    core.kill().await;
    let definition = std::fs::read_to_string(&file).expect("a definition");
    let machine = definition.lines().find(|line| line.starts_with("machine = ")).expect("a machine");
    std::fs::write(&file, definition.replace(machine, "machine = \"pc-q35-0.1\"")).expect("a definition");
    let ran = home.hv(["start", "one"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("unsupported machine type"), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 3, "{ran:?}");
    let guest = shown(&home, "one").await;
    assert_eq!((&guest["state"], &guest["reason"]), (&"crashed".into(), &"start-failed".into()));
}
