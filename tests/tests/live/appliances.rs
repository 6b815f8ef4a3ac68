//! Appliances that start: the firmware finds the disk that came out of the archive.

use crate::disks::{bootable, boots, has_qemu};
use hv_tests::{Home, Ova};

#[tokio::test]
async fn a_machine_of_an_appliance_starts_from_its_disk() {
    if !has_qemu() {
        return;
    }
    let home = Home::new();
    let (raw, vmdk, path) = (
        bootable(&home, "disk.img", "started from an appliance"),
        home.text("disk.vmdk"),
        home.path("machine.ova"),
    );
    let mut tool = home.command("qemu-img");
    let words = ["convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", &raw, &vmdk];
    home.run(tool.args(words)).await.done();
    let mut ova = Ova::new();
    ova.disk("disk1.vmdk", vmdk.as_ref());
    ova.write(&path, Some(&ova.manifest("sha256", &home.path("."))));
    let told = home.hv(["import", path.to_str().unwrap(), "--name", "handed on"]).await.done();
    assert!(told.contains("kept     operating system: Debian12_64, 96"), "{told}");
    boots(&home, "handed on", "started from an appliance").await;
}
