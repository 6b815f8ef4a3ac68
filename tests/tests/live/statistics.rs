//! What a real guest uses: a Linux that idles, burns processor time, and says what its memory holds.

use crate::{eventually, installed};
use hv_tests::Home;
use serde_json::Value;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

const FOLDER: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

async fn stats(home: &Home) -> Value {
    home.hv(["stats", "linux", "--json"]).await.json()
}

async fn type_in(shell: &mut ChildStdin, line: &str) {
    shell.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
}

#[tokio::test]
async fn a_guest_that_works_is_told_from_one_that_idles() {
    let kernel = format!("{FOLDER}/linux");
    let Some(kernel) = installed("debian-installer-12-netboot-amd64", &[&kernel]) else { return };
    let initrd = format!("{FOLDER}/initrd.gz");
    let home = Home::new();
    let mut create = home.command(hv_tests::program("hv"));
    create.args(["create", "linux", "--no-disk", "--memory", "512MiB", "--cpus", "2", "--start", "--kernel"]);
    create.arg(kernel).args(["--initrd", &initrd, "--append", "console=ttyS0 quiet rdinit=/bin/sh"]);
    home.run(&mut create).await.done();
    let said = async |words: &str| {
        eventually(words, async || {
            let log = home.hv(["log", "linux", "--serial", "0"]).await.done();
            log.lines().any(|line| line.contains(words)).then_some(())
        })
        .await;
    };
    said("built-in shell").await;
    let mut console = home.command(hv_tests::program("hv"));
    let mut console =
        console.args(["console", "linux"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("hv");
    let shell = console.stdin.as_mut().expect("its input");

    let idle = eventually("rest", async || {
        let told = stats(&home).await;
        told["cpu"]["usage"].as_f64().is_some_and(|usage| usage < 0.2).then_some(told)
    })
    .await;
    assert_eq!(idle["cpu"]["vcpus"].as_array().map(Vec::len), Some(2), "{idle}");
    assert_eq!(idle["memory"]["assigned"], 512 << 20);
    assert!(idle["memory"]["resident"].as_u64().is_some_and(|bytes| bytes > 64 << 20), "{idle}");
    assert_eq!(idle["memory"]["guest"], Value::Null, "no driver is loaded yet");
    assert_eq!(idle["disks"][0]["name"], "cd0");
    assert_eq!(idle["nics"], Value::Null);

    type_in(shell, "while :; do :; done &").await;
    let busy = eventually("work", async || {
        let told = stats(&home).await;
        // One of two CPUs, on a host that has others to serve as well.
        told["cpu"]["usage"].as_f64().is_some_and(|usage| usage > 0.2).then_some(told)
    })
    .await;
    assert!(busy["cpu"]["usage"].as_f64().is_some_and(|usage| usage < 0.7), "{busy}");
    assert!(busy["cpu"]["host_cpus"].as_f64().is_some_and(|cpus| cpus > 0.2), "{busy}");
    assert!(busy["cpu"]["engine"].as_u64() > idle["cpu"]["engine"].as_u64(), "{busy}");

    // The driver by which a guest tells about its memory.
    type_in(shell, "kill %1; modprobe virtio_balloon; modprobe virtio_pci").await;
    let told = eventually("what the guest says of its memory", async || {
        let told = stats(&home).await;
        told["memory"]["used"].is_u64().then_some(told)
    })
    .await;
    let memory = &told["memory"];
    let total = memory["guest"]["total"].as_u64().expect("a total");
    assert!((400 << 20..512 << 20).contains(&total), "{told}");
    assert!(memory["used"].as_u64().is_some_and(|used| used > 0 && used < total), "{told}");
    // What it writes into a file in memory it then uses.
    type_in(shell, "mount -t devtmpfs none /dev; dd if=/dev/zero of=/filled bs=1M count=64; echo fil\"\"led")
        .await;
    said("filled").await;
    eventually("more use", async || {
        let now = stats(&home).await["memory"]["used"].as_u64()?;
        (now > memory["used"].as_u64()? + (48 << 20)).then_some(())
    })
    .await;

    let mut follow = home.command(hv_tests::program("hv"));
    let follow = home.run(follow.args(["stats", "linux", "--follow", "--json"]));
    let (followed, ()) = tokio::join!(follow, async {
        stats(&home).await;
        home.hv(["force-off", "linux"]).await.done();
    });
    // Who follows a guest to its end is told no error.
    assert_eq!((followed.code, followed.err.as_str()), (0, ""), "{followed:?}");
    assert!(followed.out.lines().count() >= 1, "{followed:?}");
}
