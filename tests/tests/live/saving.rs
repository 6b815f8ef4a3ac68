//! Real guests that are saved and go on.

use crate::{eventually, installed, memtest, shown};
use hv_tests::{Home, Process, until};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

const FOLDER: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

/// Counts on the serial port for as long as it runs.
const COUNTER: &[u8] = b"i=0; while :; do i=$((i+1)); echo \"count=$i.\"; sleep 1; done\r";

/// The last number that the guest has counted to.
async fn count(home: &Home) -> u64 {
    let log = home.hv(["log", "linux", "--serial", "0"]).await.done();
    let whole = log.rsplit_once('.').map_or("", |(whole, _)| whole);
    whole.rsplit("count=").next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_linux_guest_goes_on_counting_where_it_was_saved() {
    let kernel = format!("{FOLDER}/linux");
    let Some(kernel) = installed("debian-installer-12-netboot-amd64", &[&kernel]) else { return };
    let initrd = format!("{FOLDER}/initrd.gz");
    let home = Home::new();
    let core = home.core().await;
    let mut create = home.command(hv_tests::program("hv"));
    create.args(["create", "linux", "--no-disk", "--memory", "512MiB", "--cpus", "1", "--start", "--kernel"]);
    create.arg(kernel).args(["--initrd", &initrd, "--append", "console=ttyS0 quiet rdinit=/bin/sh"]);
    home.run(&mut create).await.done();
    let log = async || home.hv(["log", "linux", "--serial", "0"]).await.done();
    eventually("a shell", async || log().await.contains("# ").then_some(())).await;
    let mut console = home.command(hv_tests::program("hv"));
    let console = console.args(["console", "linux"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut console = console.spawn().expect("hv");
    let mut input = console.stdin.take().expect("its input");
    input.write_all(COUNTER).await.expect("it reads");
    eventually("it counts", async || (count(&home).await > 2).then_some(())).await;
    drop(input);
    console.kill().await.expect("it ends");

    assert_eq!(home.hv(["save", "linux"]).await.done(), "linux: saved\n");
    home.no_engine().await;
    let saved_at = count(&home).await;
    // What is changed now counts from the next cold start on; the machine is the one that was saved.
    home.hv(["set", "linux", "memory=768MiB"]).await.done();
    core.kill().await;
    assert_eq!(shown(&home, "linux").await["state"], "saved");
    assert_eq!(home.hv(["restore", "linux"]).await.done(), "linux: running\n");
    eventually("it goes on", async || (count(&home).await > saved_at + 1).then_some(())).await;
    // It was not booted anew: the kernel's first words are there once, and the numbers go on without a gap.
    let log = log().await;
    let numbers: Vec<u64> =
        log.split("count=").skip(1).filter_map(|rest| rest.split_once('.')?.0.parse().ok()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    let guest = shown(&home, "linux").await;
    assert_eq!((&guest["state"], guest["pending"][0]["key"].as_str()), (&"running".into(), Some("memory")));
    home.hv(["save", "linux"]).await.done();
    assert_eq!(home.hv(["force-off", "linux"]).await.done(), "linux: off\n");
    home.no_engine().await;
}

#[tokio::test]
async fn a_guest_is_never_lost_whenever_its_core_dies_while_it_is_saved_and_restored() {
    let Some(iso) = memtest() else { return };
    let iso = iso.to_str().expect("UTF-8");
    let home = Home::new();
    let core = home.core().await;
    home.hv(["create", "one", "--iso", iso, "--no-disk", "--memory", "64MiB", "--start"]).await.done();
    core.kill().await;
    for moment in [0, 5, 15, 30, 60, 120] {
        for command in ["save", "start"] {
            let core = home.core().await;
            let mut work = home.command(hv_tests::program("hv"));
            let mut work = work.args([command, "one"]).stderr(Stdio::null()).spawn().expect("hv");
            tokio::time::sleep(Duration::from_millis(moment)).await;
            core.kill().await;
            hv_tests::within("its end", work.wait()).await.expect("a status");
            let settled = eventually("a state that lasts", async || {
                let guest = shown(&home, "one").await;
                let lasts = ["running", "saved", "paused"]
                    .contains(&guest["state"].as_str().unwrap_or_else(|| panic!("{guest}")));
                lasts.then_some(guest)
            })
            .await;
            let folder = settled["paths"]["folder"].as_str().expect("a path").to_owned();
            let is_saved = std::path::Path::new(&folder).join("saved").exists();
            assert_eq!(is_saved, settled["state"] == "saved", "{command} + {moment} ms: {settled}");
            if is_saved {
                home.no_engine().await;
            } else {
                assert_eq!(home.engines().len(), 1, "{command} + {moment} ms");
            }
            if settled["state"] == "paused" {
                home.hv(["resume", "one"]).await.done();
            }
            home.cores().iter().for_each(Process::kill);
            until("the core's end", || home.cores().is_empty().then_some(())).await;
        }
    }
    if shown(&home, "one").await["state"] == "saved" {
        home.hv(["start", "one"]).await.done();
    }
    home.hv(["force-off", "one"]).await.done();
    home.no_engine().await;
}
