//! Disks of every kind: firmware starts from them, and a real Linux sees them come and go.

use crate::linux::Linux;
use crate::{eventually, installed, shown};
use hv_tests::Home;
use std::fs;

/// A raw disk whose boot sector writes this on the first serial port.
pub fn bootable(home: &Home, name: &str, says: &str) -> String {
    let mut disk = vec![0; 1 << 20];
    // cli; ax = ds = 0; si = what it says; dx = 0x3f8; out dx, [si++] until it is 0; hlt for ever
    let code = b"\xfa\x31\xc0\x8e\xd8\xbe\x16\x7c\xba\xf8\x03\xac\x84\xc0\x74\x03\xee\xeb\xf8\xf4\xeb\xfd";
    disk[..code.len()].copy_from_slice(code);
    disk[code.len()..code.len() + says.len()].copy_from_slice(says.as_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    home.file(name, disk)
}

pub fn has_qemu() -> bool {
    installed("qemu-system-x86", &["/usr/share/seabios/bios-256k.bin"]).is_some()
}

pub async fn boots(home: &Home, guest: &str, says: &str) {
    home.hv(["start", guest]).await.done();
    eventually(says, async || {
        let log = home.hv(["log", guest, "--serial", "0"]).await.out;
        log.contains(says).then_some(())
    })
    .await;
    home.hv(["force-off", guest]).await.done();
}

#[tokio::test]
async fn firmware_starts_from_a_disk_on_every_bus() {
    if !has_qemu() {
        return;
    }
    let home = Home::new();
    for bus in ["virtio", "sata", "nvme", "scsi", "usb"] {
        home.hv(["create", bus, "--empty", "--no-disk", "--nic", "none", "--memory", "32MiB"]).await.done();
        let says = format!("started from {bus}");
        let path = bootable(&home, &format!("{bus}, disk.img"), &says);
        home.hv(["disk", bus, "add", "--path", &path, "--bus", bus, "--serial", "a,b"]).await.done();
        boots(&home, bus, &says).await;
    }
    // The same disk, made by another program, and only read.
    let (raw, vmdk) = (home.text("virtio, disk.img"), home.text("disk.vmdk"));
    let mut tool = home.command("qemu-img");
    home.run(tool.args(["convert", "-O", "vmdk", &raw, &vmdk])).await.done();
    home.hv(["disk", "virtio", "remove", "--disk", "disk0"]).await.done();
    home.hv(["disk", "virtio", "add", "--path", &vmdk, "--read-only"]).await.done();
    boots(&home, "virtio", "started from virtio").await;
    home.hv(["disk", "virtio", "remove", "--disk", "disk0"]).await.done();
    home.hv(["disk", "virtio", "add", "--path", &vmdk, "--copy"]).await.done();
    for cache in ["writeback", "directsync", "unsafe"] {
        home.hv(["disk", "virtio", "set", "--disk", "disk0", "--cache", cache]).await.done();
        boots(&home, "virtio", "started from virtio").await;
    }
}

#[tokio::test]
async fn a_running_linux_gets_a_stick_writes_it_and_loses_it() {
    let home = Home::new();
    let words = ["--no-disk", "--memory", "256MiB", "--cpus", "1"];
    let Some(mut linux) = Linux::boot(&home, "plugged", &words).await else { return };
    linux.load_usb_storage().await;
    let image = home.file("stick, 1.img", vec![7; 4 << 20]);
    let mut add = vec!["disk", "plugged", "add", "--path", &image, "--format", "raw", "--bus", "usb"];
    add.extend(["--serial", "a,drive=none"]);
    assert_eq!(home.hv(add).await.done(), "disk0: added now\n");
    let size = eventually("the stick", async || {
        let size = linux.run("cat /sys/block/sda/size").await;
        size.parse::<u64>().ok().filter(|size| *size > 0)
    })
    .await;
    assert_eq!(size * 512, 4 << 20);
    // Its own name; the file system of this small one has no devices.
    linux.run("mknod /dev/stick b $(sed 's/:/ /' /sys/block/sda/dev)").await;
    linux.run("echo written-by-the-guest | dd of=/dev/stick bs=512 conv=sync,fsync 2>/dev/null").await;
    assert!(fs::read(&image).unwrap().starts_with(b"written-by-the-guest"));
    let guest = shown(&home, "plugged").await;
    assert_eq!((&guest["disks"][0]["removable"], &guest["pending"]), (&true.into(), &serde_json::json!([])));
    let names = home.hv(["stats", "plugged", "--json"]).await.json()["disks"].clone();
    assert!(names.to_string().contains("disk0"), "{names}");

    assert_eq!(
        home.hv(["disk", "plugged", "remove", "--disk", "disk0"]).await.done(),
        "disk0: removed now\n"
    );
    eventually("no stick", async || (linux.run("ls /sys/block").await).is_empty().then_some(())).await;
    // Nothing is held of it any more.
    fs::write(&image, "free").unwrap();
}

/// How many functions the guest finds on its bus.
const DEVICES: &str = "ls /sys/bus/pci/devices | wc -l";

#[tokio::test]
async fn a_running_linux_sees_disks_come_and_go_and_they_survive_being_saved() {
    let home = Home::new();
    let words = ["--no-disk", "--memory", "256MiB", "--cpus", "1"];
    let Some(mut linux) = Linux::boot(&home, "slots", &words).await else { return };
    let before = linux.number(DEVICES).await;
    for (number, bus) in ["virtio", "scsi", "virtio"].into_iter().enumerate() {
        let said = home.hv(["disk", "slots", "add", "--size", "16MiB", "--bus", bus]).await.done();
        assert_eq!(said, format!("disk{number}: added now\n"));
    }
    eventually("three disks", async || (linux.number(DEVICES).await == before + 3).then_some(())).await;
    // What was added is a part of what is saved, and is where it was.
    home.hv(["save", "slots"]).await.done();
    home.hv(["start", "slots"]).await.done();
    assert_eq!(linux.number(DEVICES).await, before + 3);
    for disk in ["disk1", "disk0", "disk2"] {
        let said = home.hv(["disk", "slots", "remove", "--disk", disk, "--delete"]).await.done();
        assert_eq!(said, format!("{disk}: removed and deleted now\n"));
    }
    eventually("no disks", async || (linux.number(DEVICES).await == before).then_some(())).await;
    // The places are free again.
    home.hv(["disk", "slots", "add", "--size", "16MiB", "--bus", "nvme"]).await.done();
    eventually("a disk", async || (linux.number(DEVICES).await == before + 1).then_some(())).await;
    let said = home.hv(["disk", "slots", "remove", "--disk", "disk0"]).await.done();
    assert_eq!(said, "disk0: removed now\n");
    home.hv(["disk", "slots", "add", "--size", "16MiB"]).await.done();
    home.hv(["disk", "slots", "add", "--size", "16MiB", "--bus", "sata"]).await.done();
    home.hv(["force-off", "slots"]).await.done();
    home.hv(["start", "slots"]).await.done();
    assert_eq!(shown(&home, "slots").await["disks"][0]["removable"], true);
}

/// A machine that runs no system lets go of nothing, and says so in time.
#[tokio::test]
async fn a_guest_without_a_system_keeps_its_disks() {
    if !has_qemu() {
        return;
    }
    let home = Home::new();
    let path = bootable(&home, "disk.img", "started");
    home.hv(["create", "deaf", "--empty", "--no-disk", "--memory", "32MiB"]).await.done();
    home.hv(["disk", "deaf", "add", "--path", &path]).await.done();
    home.hv(["start", "deaf"]).await.done();
    eventually("its start", async || {
        home.hv(["log", "deaf", "--serial", "0"]).await.out.contains("started").then_some(())
    })
    .await;
    let said = home.hv(["disk", "deaf", "remove", "--disk", "disk0"]).await.done();
    assert_eq!(said, "disk0: removed at next start (the guest did not do its part)\n");
    let guest = shown(&home, "deaf").await;
    assert_eq!(
        (guest["disks"].as_array().map(Vec::len), guest["pending"][0]["key"].as_str()),
        (Some(0), Some("disk0"))
    );
    // A reset is when firmware lets go of what it was asked for.
    home.hv(["reset", "deaf"]).await.done();
    eventually("the disk to be gone", async || {
        (shown(&home, "deaf").await["pending"] == serde_json::json!([])).then_some(())
    })
    .await;
    fs::write(&path, "free").unwrap();
}

/// Two guests write to one disk that both say is shareable, and the same disk is refused to a third.
#[tokio::test]
async fn guests_share_what_is_shareable() {
    if !has_qemu() {
        return;
    }
    let home = Home::new();
    let path = bootable(&home, "shared.img", "x");
    for guest in ["one", "two"] {
        home.hv(["create", guest, "--empty", "--no-disk", "--memory", "32MiB"]).await.done();
        home.hv(["disk", guest, "add", "--path", &path, "--shareable"]).await.done();
        home.hv(["start", guest]).await.done();
    }
    let refused = home.hv(["create", "three", "--empty", "--disk-path", &path, "--json"]).await;
    assert!(refused.out.contains("\"disk-in-use\""), "{refused:?}");
}
