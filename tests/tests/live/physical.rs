//! Partitions of a physical disk, given to a guest as a disk of their own.

use crate::linux::{Linux, on_a_disk};
use crate::{eventually, installed};
use hv_tests::{Home, PhysicalDisk};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const MENU: &str = "menuentry 'Own' {\n linux /boot/linux console=ttyS0 quiet rdinit=/bin/sh root=PARTUUID=11223344-02\n\
    initrd /boot/initrd\n}\n";

/// Where the second partition is, and how long, in sectors.
const SECOND: (u64, u64) = (6144, 163_840);

/// Writes “started” to the first serial port, again and again, and what the firmware calls the disk is not asked.
const BOOT_SECTOR: [u8; 27] = [
    0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xbe, 0x11, 0x7c, // next: mov si, text
    0xac, 0x84, 0xc0, 0x74, 0xf8, // lodsb; test al, al; jz next
    0xee, 0xeb, 0xf8, // out dx, al; back
    0xf4, 0xeb, 0xfd, // hlt; jmp $-1
    b's', b't', b'a', b'r', b't', b'e', b'd', b'\r', b'\n', 0,
];

fn entry(kind: u8, (start, sectors): (u64, u64)) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[4] = kind;
    entry[8..12].copy_from_slice(&(start as u32).to_le_bytes());
    entry[12..].copy_from_slice(&(sectors as u32).to_le_bytes());
    entry
}

/// Opens a device for itself alone, as mounting it does.
fn alone(device: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::EXCL.bits().cast_signed()).open(device)
}

#[tokio::test]
async fn a_partition_starts_its_own_kernel_and_nothing_else_is_reached() {
    let home = Home::new();
    let Some(system) = on_a_disk(&home, MENU, &[], SECOND.1 * 512).await else { return };
    let mut content = vec![0; SECOND.0 as usize * 512];
    content[440..444].copy_from_slice(&0x1122_3344_u32.to_le_bytes());
    content[446..462].copy_from_slice(&entry(0x83, (2048, 4096)));
    content[462..478].copy_from_slice(&entry(0x83, SECOND));
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    content[2048 * 512..6144 * 512].fill(0x11);
    content.extend(fs::read(&system).expect("a file"));
    content.resize(content.len() + (1 << 20), 0x22);
    let Some(disk) = PhysicalDisk::new(&home, &content, &[(1, 2048, 4096), (2, SECOND.0, SECOND.1)]) else {
        return;
    };
    let second = disk.partition(2);
    let path = second.to_str().expect("UTF-8");
    home.hv(["create", "one", "--disk-path", path, "--kernel-disk", "disk0", "--memory", "512MiB"])
        .await
        .done();
    // The installer has a driver for sticks, but none for virtio disks.
    home.hv(["disk", "one", "set", "--disk", "disk0", "--bus", "usb"]).await.done();
    home.hv(["start", "one"]).await.done();
    let mut linux = Linux::at(&home, "one").await;
    assert!(linux.run("cat /proc/cmdline").await.contains("PARTUUID=11223344-02"));
    linux.load_usb_storage().await;
    // Only it is there, with its number, at its place, on a disk with the same identity.
    let found = eventually("the partition", async || {
        let found = linux.run("cat /sys/block/sda/sda2/start /sys/block/sda/sda2/size").await;
        (!found.contains("No such file")).then_some(found)
    });
    assert_eq!(found.await, format!("{}\n{}", SECOND.0, SECOND.1));
    assert_eq!(linux.run("cd /sys/block/sda; ls -d sda?; cd /").await, "sda2");
    linux.run("mknod /dev/disk b $(sed 's/:/ /' /sys/block/sda/dev)").await;
    linux.run("mknod /dev/part b $(sed 's/:/ /' /sys/block/sda/sda2/dev)").await;
    // What it writes beyond its partition does not get to the physical disk; what it writes on it does.
    let write = |to: &str, seek: u64| {
        format!("echo guest | dd of={to} bs=512 seek={seek} conv=sync,notrunc,fsync 2>&1")
    };
    let before = fs::read(disk.device()).expect("the disk");
    linux.run(&write("/dev/disk", 2048)).await;
    linux.run(&write("/dev/disk", 1)).await;
    linux.run(&write("/dev/part", SECOND.1 - 8)).await;
    linux.run("sync").await;
    // While it runs, this computer can't use it, and knows who has it; also with no core.
    assert!(alone(&second).is_err());
    assert!(alone(disk.device()).is_err());
    assert!(alone(&disk.partition(1)).is_ok());
    for core in home.cores() {
        core.kill();
        core.ended().await;
    }
    assert!(alone(&second).is_err());
    let whole = disk.device().to_str().expect("UTF-8");
    for taken in [path, whole] {
        let refused = home.hv(["create", "two", "--disk-path", taken, "--json"]).await;
        assert_eq!(refused.error_code(), "disk-in-use");
    }
    home.hv(["force-off", "one"]).await.done();
    assert!(alone(&second).is_ok());

    let after = fs::read(disk.device()).expect("the disk");
    let end = (SECOND.0 + SECOND.1) as usize * 512;
    assert_eq!(&after[end - 4096..end - 4090], b"guest\n");
    assert!(after[..SECOND.0 as usize * 512] == before[..SECOND.0 as usize * 512], "the rest is as it was");
    assert!(after[end..] == before[end..], "the rest is as it was");
    // Its menu can be read from here, too.
    assert!(home.hv(["boot-menu", "one"]).await.done().contains("Own"));
}

#[tokio::test]
async fn a_partition_with_a_boot_loader_of_its_own_starts_by_itself() {
    if installed("QEMU", &["/"]).is_none() {
        return;
    }
    let home = Home::new();
    // A GPT, of which only what is needed is right: the fifth partition begins at sector 4096.
    let mut content = vec![0; 16 << 20];
    content[450] = 0xee;
    content[454] = 1;
    content[458..462].fill(0xff);
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    content[512..520].copy_from_slice(b"EFI PART");
    content[512 + 56..512 + 72].fill(0x77);
    for (place, value) in [(72, 2_u32), (80, 128), (84, 128)] {
        content[512 + place..512 + place + 4].copy_from_slice(&value.to_le_bytes());
    }
    let fifth = 1024 + 4 * 128;
    content[fifth..fifth + 32].fill(0x55);
    content[fifth + 32..fifth + 36].copy_from_slice(&4096_u32.to_le_bytes());
    content[fifth + 40..fifth + 44].copy_from_slice(&8191_u32.to_le_bytes());
    let boot = 4096 * 512;
    content[boot..boot + BOOT_SECTOR.len()].copy_from_slice(&BOOT_SECTOR);
    content[boot + 510..boot + 512].copy_from_slice(&[0x55, 0xaa]);
    let Some(disk) = PhysicalDisk::new(&home, &content, &[(5, 4096, 4096)]) else { return };
    let path = disk.device().to_str().expect("UTF-8");
    let create = ["create", "one", "--disk-path", path, "--partitions", "5", "--memory", "64MiB", "--start"];
    home.hv(create).await.done();
    eventually("its boot loader", async || {
        home.hv(["log", "one", "--serial", "0"]).await.done().contains("started").then_some(())
    })
    .await;
    // In the guest's folder is a GPT with the same identities, of which the disk's own boot loader knows the rest.
    let shown = home.hv(["show", "one", "--json"]).await.json();
    let folder = Path::new(shown["paths"]["folder"].as_str().expect("a folder"));
    let mut table = vec![0; 4096];
    File::open(folder.join("disk0-gap0.img")).expect("a file").read_exact_at(&mut table, 0).expect("a table");
    assert_eq!(&table[512..520], b"EFI PART");
    assert!(table[512 + 56..512 + 72].iter().all(|byte| *byte == 0x77));
    assert!(table[fifth..fifth + 32].iter().all(|byte| *byte == 0x55));
    home.hv(["force-off", "one"]).await.done();
}
