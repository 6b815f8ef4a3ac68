//! A run of which nothing is kept.

use crate::linux::Linux;
use crate::shown;
use hv_tests::Home;
use std::fs;
use std::path::Path;

#[tokio::test]
async fn a_disposable_run_leaves_the_disks_as_they_were() {
    let home = Home::new();
    // With a partition table, by which it is a disk.
    let mut bytes = vec![7; 4 << 20];
    bytes[446..510].fill(0);
    (bytes[450], bytes[454], bytes[458]) = (0x83, 1, 1);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    let image = home.file("stick.img", &bytes);
    let words = ["--disk-path", &image, "--memory", "256MiB", "--cpus", "1"];
    let Some(linux) = Linux::boot(&home, "one", &words).await else { return };
    drop(linux);
    home.hv(["force-off", "one"]).await.done();
    home.hv(["disk", "one", "set", "--disk", "disk0", "--bus", "usb"]).await.done();

    home.hv(["start", "one", "--disposable"]).await.done();
    assert_eq!(shown(&home, "one").await["disposable"], true);
    let folder = shown(&home, "one").await["paths"]["folder"].as_str().expect("a folder").to_owned();
    let mut linux = Linux::at(&home, "one").await;
    write(&mut linux).await;
    // What was written is there for the guest, and nowhere else.
    assert_eq!(read(&mut linux).await, "written-by-the-guest");
    assert!(fs::read(&image).expect("the disk") == bytes, "the disk is as it was");
    for (words, code) in [
        (&["save", "one", "--json"][..], "disposable"),
        (&["snapshot", "one", "take", "a", "--json"], "disposable"),
        (&["disk", "one", "grow", "1GiB", "--json"], "disposable"),
    ] {
        assert_eq!(home.hv(words).await.error_code(), code, "{words:?}");
    }
    // A restart that takes another engine, for a change that waits, finds it again.
    home.hv(["set", "one", "sound=ac97"]).await.done();
    home.hv(["restart", "one"]).await.done();
    drop(linux);
    let mut linux = Linux::at(&home, "one").await;
    assert!(shown(&home, "one").await["pending"].as_array().expect("a list").is_empty());
    stick(&mut linux).await;
    assert_eq!(read(&mut linux).await, "written-by-the-guest");
    // A core that begins meanwhile knows it.
    for core in home.cores() {
        core.kill();
        core.ended().await;
    }
    assert_eq!(shown(&home, "one").await["disposable"], true);
    home.hv(["force-off", "one"]).await.done();
    assert!(fs::read(&image).expect("the disk") == bytes, "the disk is as it was");
    assert!(!Path::new(&folder).join("disposable").exists());

    // The next start is a usual one.
    home.hv(["start", "one"]).await.done();
    assert_eq!(shown(&home, "one").await["disposable"], false);
    let mut linux = Linux::at(&home, "one").await;
    write(&mut linux).await;
    home.hv(["force-off", "one"]).await.done();
    assert!(fs::read(&image).expect("the disk") != bytes, "it is kept");
}

async fn write(linux: &mut Linux) {
    stick(linux).await;
    linux.run("echo written-by-the-guest | dd of=/dev/stick bs=512 seek=9 conv=sync,fsync 2>/dev/null").await;
}

/// Makes the disk known, as a stick.
async fn stick(linux: &mut Linux) {
    linux.load_usb_storage().await;
    crate::eventually("the stick", async || linux.run("ls /sys/block").await.contains("sda").then_some(()))
        .await;
    linux.run("mknod /dev/stick b $(sed 's/:/ /' /sys/block/sda/dev)").await;
}

async fn read(linux: &mut Linux) -> String {
    linux
        .run("echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/stick bs=1 skip=4608 count=20 2>/dev/null; echo")
        .await
}
