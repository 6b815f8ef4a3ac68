//! Serial ports, a watchdog and a sound card as a real Linux sees them.

use crate::linux::Linux;
use crate::{eventually, shown};
use hv_tests::Home;

/// Lets the watchdog run out in two times a second, by its registers: no driver calms it.
const HANG: &str = "d=$(dirname $(grep -l 0x25ab /sys/bus/pci/devices/*/device)); \
    printf '\\004\\000' | dd of=$d/config bs=2 seek=48 conv=notrunc 2>/dev/null; \
    printf '\\002' | dd of=$d/config bs=1 seek=104 conv=notrunc 2>/dev/null";

#[tokio::test]
async fn a_linux_has_the_devices_that_it_was_given_also_after_a_save() {
    let home = Home::new();
    let words = ["--no-disk", "--memory", "256MiB", "--cpus", "1"];
    let Some(linux) = Linux::boot(&home, "full", &words).await else { return };
    drop(linux);
    home.hv(["set", "full", "serial-ports=4", "watchdog=pause", "sound=ich9"]).await.done();
    home.hv(["force-off", "full"]).await.done();
    home.no_engine().await;
    home.hv(["start", "full"]).await.done();
    let mut linux = Linux::at(&home, "full").await;
    linux.run("mount -t devtmpfs dev /dev").await;
    for _ in 0..2 {
        let devices = linux.run("cat /sys/bus/pci/devices/*/vendor /sys/bus/pci/devices/*/device").await;
        // Intel's 6300ESB and the sound of ICH9.
        for id in ["0x25ab", "0x293e"] {
            assert!(devices.contains(id), "{id}: {devices}");
        }
        assert_eq!(linux.number("grep -c uart:16550A /proc/tty/driver/serial").await, 4);
        linux.run("echo hello there > /dev/ttyS3").await;
        eventually("a word at the last port", async || {
            home.hv(["log", "full", "--serial", "3"]).await.done().contains("hello there").then_some(())
        })
        .await;
        home.hv(["save", "full"]).await.done();
        home.no_engine().await;
        home.hv(["start", "full"]).await.done();
    }
    linux.run(HANG).await;
    let state = async |wanted: &str| {
        eventually(wanted, async || {
            let guest = shown(&home, "full").await;
            (guest["state"] == wanted).then_some(guest["reason"].clone())
        })
        .await
    };
    assert_eq!(state("paused").await, "watchdog");
    // It went on in time, and is not ended.
    home.hv(["resume", "full"]).await.done();
    home.hv(["force-off", "full"]).await.done();
    home.no_engine().await;

    // The other sound card, and a watchdog that takes the power away.
    home.hv(["set", "full", "watchdog=poweroff", "sound=ac97", "serial-ports=1"]).await.done();
    home.hv(["start", "full"]).await.done();
    let mut linux = Linux::at(&home, "full").await;
    assert!(linux.run("cat /sys/bus/pci/devices/*/device").await.contains("0x2415"));
    linux.run(HANG).await;
    assert_eq!(state("crashed").await, "watchdog");
    home.no_engine().await;
}
