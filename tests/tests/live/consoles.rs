//! A system's installer on the serial console.

use crate::{eventually, installed};
use hv_tests::Home;
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const FOLDER: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

#[tokio::test]
async fn an_installer_is_seen_and_answered_on_the_serial_console() {
    let kernel = format!("{FOLDER}/linux");
    let Some(kernel) = installed("debian-installer-12-netboot-amd64", &[&kernel]) else { return };
    let initrd = format!("{FOLDER}/initrd.gz");
    let home = Home::new();
    // With less memory it begins with a dialog about that.
    let mut create = home.command(hv_tests::program("hv"));
    create.args(["create", "debian", "--no-disk", "--memory", "1GiB", "--cpus", "1", "--start", "--kernel"]);
    create.arg(kernel).args(["--initrd", &initrd, "--append", "console=ttyS0"]);
    home.run(&mut create).await.done();
    let dialog = async |title: &str| {
        eventually(title, async || {
            let log = home.hv(["log", "debian", "--serial", "0"]).await.done();
            log.contains(title).then_some(log)
        })
        .await
    };
    let log = dialog("Select a language").await;
    assert!(log.contains("Linux version 6.1"), "the kernel's first words are kept");

    // Who comes late sees what was before, and what is typed arrives.
    let mut console = home.command(hv_tests::program("hv"));
    console.args(["console", "debian"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut console = console.spawn().expect("hv");
    let (mut input, mut output) =
        (console.stdin.take().expect("its input"), console.stdout.take().expect("its output"));
    let mut seen = Vec::new();
    let mut read_until = async |text: &str| {
        hv_tests::within(text, async {
            while !String::from_utf8_lossy(&seen).contains(text) {
                let mut bytes = vec![0; 16 << 10];
                let count = output.read(&mut bytes).await.expect("output");
                assert_ne!(count, 0, "the console ended before: {text}");
                seen.extend_from_slice(&bytes[..count]);
            }
        })
        .await;
    };
    read_until("Linux version 6.1").await;
    read_until("Select a language").await;
    input.write_all(b"\r").await.expect("it reads");
    read_until("Select your location").await;

    let ran = home.hv(["force-off", "debian"]).await;
    assert_eq!(ran.done(), "debian: off\n");
    home.no_engine().await;
}
