//! A real Linux that is started by the boot menu on its own disk.

use crate::linux::{Linux, on_a_disk};
use hv_tests::Home;
use std::fs;
use std::process::Command;

const MENU: &str = "load_env\nset default=\"${saved_entry}\"\n\
    menuentry 'One' --id one {\n linux /boot/linux console=ttyS0 quiet rdinit=/bin/sh entry=one\n initrd /boot/initrd\n}\n\
    menuentry 'Two' --id two {\n linux /boot/linux console=ttyS0 quiet rdinit=/bin/sh entry=two\n initrd /boot/initrd\n}\n";

#[tokio::test]
async fn a_guest_boots_what_its_own_disk_says_and_another_entry_when_that_is_the_default() {
    let home = Home::new();
    let mut block = b"# GRUB Environment Block\nsaved_entry=one\n".to_vec();
    block.resize(1024, b'#');
    let beside = [("boot/grub/grubenv", &*block)];
    let Some(system) = on_a_disk(&home, MENU, &beside, 80 << 20).await else { return };
    // A partition behind the first MiB, as systems make them.
    let (raw, disk) = (home.path("raw"), home.path("disk.qcow2"));
    let mut bytes = vec![0; 1 << 20];
    bytes[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0x80, 2, 0]);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes.extend(fs::read(&system).expect("a file"));
    fs::write(&raw, bytes).expect("a file");
    let mut tool = Command::new("qemu-img");
    tool.args(["convert", "-f", "raw", "-O", "qcow2"]).arg(&raw).arg(&disk);
    assert!(tool.status().expect("qemu-img").success());

    let path = disk.to_str().expect("UTF-8");
    let create =
        ["create", "one", "--empty", "--disk-path", path, "--kernel-disk", "disk0", "--memory", "512MiB"];
    home.hv(create).await.done();
    let entry = async |linux: &mut Linux| linux.run("cat /proc/cmdline").await;
    home.hv(["start", "one"]).await.done();
    assert!(entry(&mut Linux::at(&home, "one").await).await.contains("entry=one"));
    home.hv(["force-off", "one"]).await.done();

    home.hv(["boot-menu", "one", "default", "1"]).await.done();
    home.hv(["start", "one"]).await.done();
    assert!(entry(&mut Linux::at(&home, "one").await).await.contains("entry=two"));
    home.hv(["force-off", "one"]).await.done();

    // Another one once; when the guest restarts itself, it gets the default.
    home.hv(["start", "one", "--kernel-entry", "0"]).await.done();
    let mut linux = Linux::at(&home, "one").await;
    assert!(entry(&mut linux).await.contains("entry=one"));
    linux.say("echo b > /proc/sysrq-trigger").await;
    crate::eventually("its own restart", async || {
        let log = home.hv(["log", "one"]).await.done();
        (log.matches("--- starting: ").count() >= 4).then_some(())
    })
    .await;
    // Not before: what was said may still be on its way through the console.
    drop(linux);
    assert!(entry(&mut Linux::at(&home, "one").await).await.contains("entry=two"));
    home.hv(["force-off", "one"]).await.done();
}
