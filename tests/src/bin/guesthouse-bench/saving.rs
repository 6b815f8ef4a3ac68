//! A guest that is saved and goes on, beside the same engine that is told so by hand.

use crate::by_hand::Command;
use crate::done;
use crate::measure::{median, stopwatch};
use crate::table::Table;
use hv_tests::Home;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// A system that boots in seconds and needs no disk.
const FOLDER: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

/// What makes it use its memory.
const FILL: &[u8] = b"dd if=/dev/urandom of=/fill bs=1M count=400; echo fill\"\"ed\r";

/// How often each is measured.
const ROUNDS: usize = 15;

/// How often it is looked whether the guest is ready.
const LOOK: Duration = Duration::from_millis(250);

/// A guest with 1 GiB of memory that it uses for the most part.
pub async fn saving_of_a_guest(table: &mut Table) {
    let (kernel, initrd) = (format!("{FOLDER}/linux"), format!("{FOLDER}/initrd.gz"));
    if !Path::new(&kernel).exists() {
        return table.note("saving a guest", "debian-installer-12-netboot-amd64 is not installed");
    }
    let home = Home::new();
    let _core = home.core().await;
    let append = "console=ttyS0 quiet rdinit=/bin/sh";
    let words = ["create", "measured", "--no-disk", "--memory", "1GiB", "--cpus", "1"];
    let kernel = ["--kernel", &kernel, "--initrd", &initrd, "--append", append];
    let plan = home.hv(["--json"].iter().chain(&words).chain(&kernel).chain(&["--dry-run"])).await.json();
    let command = Command::from_plan(&plan, &home);
    let create: Vec<&str> = words.into_iter().chain(kernel).chain(["--start"]).collect();
    done(&home, &create).await;
    until_log(&home, "# ").await;
    let mut console = home.command(hv_tests::program("hv"));
    console.args(["console", "measured"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut console = console.spawn().expect("hv");
    let mut input = console.stdin.take().expect("its input");
    input.write_all(FILL).await.expect("it reads");
    until_log(&home, "filled").await;
    console.kill().await.expect("it ends");

    let guest = home.hv(["show", "measured", "--json"]).await.json();
    let folder = guest["paths"]["folder"].as_str().expect("a folder").to_owned();
    let memory = Path::new(&folder).join("saved/memory");
    let (mut saved, mut restored) = (Vec::new(), Vec::new());
    let (mut saved_by_hand, mut restored_by_hand) = (Vec::new(), Vec::new());
    for _round in 0..ROUNDS {
        saved.push(stopwatch(done(&home, &["save", "measured"])).await);
        let (restoring, saving) = command.time_of_restoring_and_saving(&memory).await;
        restored_by_hand.push(restoring);
        saved_by_hand.push(saving);
        restored.push(stopwatch(done(&home, &["start", "measured"])).await);
    }
    let (by_hand, goal) = ("QEMU by hand", Some(1.1));
    table.compare("saving a guest of 1 GiB", median(saved), by_hand, median(saved_by_hand), goal);
    table.compare("restoring it", median(restored), by_hand, median(restored_by_hand), goal);
}

async fn until_log(home: &Home, words: &str) {
    while !home.hv(["log", "measured", "--serial", "0"]).await.done().contains(words) {
        tokio::time::sleep(LOOK).await;
    }
}
