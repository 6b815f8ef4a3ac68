//! Machines of other programs: what `hv import` says of their files, and the guest that is made.

use crate::files::has_image_tool;
use crate::shown;
use hv_api::{CrashAction, DiskBus, NicModel};
use hv_tests::{Home, Script};
use std::fs;

/// A configuration of Xen's whose disk came along with it.
const XEN: &str = "name = 'guest1'\nbuilder = 'hvm'\nmemory = '500'\nvcpus = 2\n\
    disk = [ 'file:/guests/guest1.img,hda,w', ]\n\
    vif = [ 'type=ioemu, mac=00:16:3e:6d:02:f3, bridge=xenbr0', ]\n\
    uuid = '5891d2eb-7bcc-607c-d509-14943b2c36b9'\nserial = 'pty' # of use\non_crash = 'preserve'\n";

#[tokio::test]
async fn a_machine_of_another_program_becomes_a_guest_with_what_it_had() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let mut core = home.connect().await;
    let file = home.path("guest1.cfg");
    fs::write(&file, XEN).expect("a file");
    let file = file.to_str().expect("UTF-8");
    fs::write(home.path("guest1.img"), vec![0; 1 << 20]).expect("a file");

    let before = home.tree();
    let told = home.hv(["import", file, "--dry-run"]).await.done();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "kept     name = 'guest1'");
    let missing = lines.iter().position(|line| line.starts_with("changed  vif: ")).expect("the card");
    assert!(lines[missing + 1].contains("no such bridge"), "{told}");
    let plan = home.hv(["import", file, "--dry-run", "--json"]).await.json();
    assert_eq!((plan["kind"].as_str(), plan["guest"]["cpus"].as_u64()), (Some("xen_config"), Some(2)));
    assert_eq!(home.tree(), before, "nothing was made");

    home.hv(["import", file]).await.done();
    let guest = shown(&mut core, "guest1").await;
    assert_eq!(guest.id.to_string(), "5891d2eb-7bcc-607c-d509-14943b2c36b9");
    assert_eq!((guest.cpus, guest.memory.as_mib(), guest.power.on_crash), (2, 500, CrashAction::Preserve));
    let (disk, nic) = (&guest.disks[0], &guest.nics[0]);
    assert!(disk.path.ends_with("/guest1.img") && !disk.own && disk.bus == DiskBus::Sata, "{disk:?}");
    assert_eq!((nic.mac.to_string().as_str(), nic.model), ("00:16:3e:6d:02:f3", NicModel::Rtl8139));

    // The same once more is another guest, which can't have the same disk.
    let again = home.hv(["import", file, "--json"]).await;
    assert_eq!(again.code, 1, "{again:?}");
    let plan = home.hv(["import", file, "--dry-run", "--json"]).await.json();
    assert_eq!((plan["guest"]["name"].as_str(), plan["guest"]["id"].is_null()), (Some("guest1 2"), true));
    assert_eq!(
        home.hv(["import", "/etc/hostname", "--dry-run", "--json"]).await.error_code(),
        "file-unusable"
    );
}

#[tokio::test]
async fn a_domain_of_libvirt_brings_its_disks_in_place_and_copied() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let mut core = home.connect().await;
    for (name, format) in [("first.qcow2", "qcow2"), ("second.vmdk", "vmdk")] {
        let mut tool = std::process::Command::new("qemu-img");
        tool.args(["create", "-q", "-f", format]).arg(home.path(name)).arg("1M");
        assert!(tool.status().expect("qemu-img").success());
    }
    let disk = |name: &str, format: &str, target: &str| {
        format!(
            "<disk type='file' device='disk'><driver name='qemu' type='{format}'/>\
            <source file='/var/lib/libvirt/images/{name}'/>{target}</disk>"
        )
    };
    let domain = format!(
        "<domain type='kvm'><name>old/one</name><memory>262144</memory><vcpu>1</vcpu><os><type>hvm</type></os>\
         <devices>{}{}<hostdev mode='subsystem' type='usb'/></devices></domain>",
        disk("first.qcow2", "qcow2", "<target dev='vda' bus='virtio'/>"),
        disk("second.vmdk", "vmdk", "<target dev='hda' bus='ide'/>"),
    );
    let file = home.path("old.xml");
    fs::write(&file, domain).expect("a file");
    let told = home.hv(["import", file.to_str().expect("UTF-8")]).await.done();
    assert!(told.contains("lost     <hostdev mode='subsystem' type='usb'>"), "{told}");
    let guest = shown(&mut core, "old one").await;
    let disks: Vec<_> = guest.disks.iter().map(|disk| (disk.own, disk.bus, &*disk.format)).collect();
    assert_eq!(disks, [(false, DiskBus::Virtio, "qcow2"), (true, DiskBus::Sata, "qcow2")]);
    assert!(guest.disks[1].path.ends_with("disk1.qcow2") && guest.nics.is_empty(), "{guest:?}");
}
