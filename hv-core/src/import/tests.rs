//! Tests of [`super`].

use super::*;
use crate::osdb::{DatabaseBuilder, xml_content};
use hv_api::{CrashAction, DiskBus, EndAction, Firmware, NicModel, PowerSettings, SoundCard, Watchdog};
use proptest::prelude::*;
use std::sync::OnceLock;

/// A computer with a bridge, a guest, and these files.
pub(super) struct Fake(&'static [&'static str]);

impl Host for Fake {
    fn has_name(&self, name: &str) -> bool {
        name == "taken"
    }

    fn has_id(&self, id: GuestId) -> bool {
        id.to_string() == "11111111-2222-4333-8444-555555555555"
    }

    fn has_bridge(&self, bridge: &str) -> bool {
        bridge == "br0"
    }

    fn has_file(&self, path: &Path) -> bool {
        self.0.iter().any(|file| path == Path::new(file))
    }

    fn most(&self) -> (ByteSize, u32) {
        (ByteSize::gib(16), 8)
    }

    fn has_mac(&self, mac: MacAddress) -> bool {
        mac.to_string() == "52:54:00:00:00:99"
    }

    fn database(&self) -> &Database {
        static DATABASE: OnceLock<Database> = OnceLock::new();
        DATABASE.get_or_init(|| {
            let mut builder = DatabaseBuilder::default();
            for (id, family) in [("debian12", "linux"), ("win10", "winnt")] {
                let devices = "<devices><device id='http://pcisig.com/pci/1af4/1041'/></devices>";
                let devices = if family == "linux" { devices } else { "" };
                builder.add(xml_content(&format!(
                    "<libosinfo><os id='http://a.org/{id}'><short-id>{id}</short-id><name>{id}</name>\
                     <version>12</version><family>{family}</family>{devices}</os></libosinfo>"
                )));
            }
            builder.finish(None)
        })
    }
}

pub(super) const HERE: Fake = Fake(&[
    "/guests/guest1",
    "/dev/sda5",
    "/dev/sda10",
    "/etc/xen/beside.img",
    "/d.qcow2",
    "/cd.iso",
    "/k",
    "/i",
]);

fn read(text: &str) -> Result<ImportPlan, String> {
    let path = Path::new("/etc/xen/machine.cfg");
    let mut draft = Draft::new(path, &HERE);
    let kind = if text.starts_with('<') {
        libvirt::read(text, &mut draft).map(|()| ImportKind::LibvirtXml)
    } else {
        xen::read(text, &mut draft).map(|()| ImportKind::XenConfig)
    };
    kind.map(|kind| draft.finish(kind))
}

/// What became of what, without what was kept.
fn otherwise(plan: &ImportPlan) -> Vec<(String, ImportReason)> {
    let notes = plan.notes.iter();
    notes
        .filter_map(|note| Some((note.item.split([' ', '=', '>']).next()?.trim().to_owned(), note.reason?)))
        .collect()
}

/// As it was printed where people looked for help.
const FULL: &str = r#"# Automatically generated xen config file
name = "guest1"
builder = "hvm"
memory = "500"
disk = [ 'file:/guests/guest1,hda,w', ]
vif = [ 'type=ioemu, mac=00:16:3e:6d:02:f3, bridge=xenbr0', ]
uuid = "5891d2eb-7bcc-607c-d509-14943b2c36b9"
device_model = "/usr/lib64/xen/bin/qemu-dm"
kernel = "/usr/lib/xen/boot/hvmloader"

serial = "pty" # enable serial console
on_reboot   = 'restart'
on_crash    = 'restart'
"#;

const PARAVIRTUAL: &str = r#"# Automatically generated xen config file
name = "meathead"
memory = "512"
disk = [ 'phy:sda5,sda5,w', 'phy:sda10,sda10,w' ]
vif = [ 'mac=00:16:3e:47:04:43, bridge=xenbr0', ]
uuid = "b5f9eb7c-a1ad-e228-ab52-8858700edf33"
on_reboot   = 'restart'
on_crash    = 'restart'
"#;

#[test]
fn a_full_machine_of_xen_is_one_here() {
    let plan = read(FULL).unwrap();
    let guest = &plan.guest;
    assert_eq!((plan.kind, &*guest.name), (ImportKind::XenConfig, "guest1"));
    assert_eq!(guest.memory, Some(ByteSize::mib(500)));
    assert_eq!(guest.id.unwrap().to_string(), "5891d2eb-7bcc-607c-d509-14943b2c36b9");
    let disk = &guest.disks.as_ref().unwrap()[0];
    let expected = NewDisk {
        path: Some("/guests/guest1".into()),
        format: Some("raw".into()),
        bus: Some(DiskBus::Sata),
        ..NewDisk::default()
    };
    assert_eq!(disk, &expected);
    let nic = &guest.nics.as_ref().unwrap()[0];
    assert_eq!((nic.mode, &nic.bridge, nic.model), (Some(NetworkMode::User), &None, Some(NicModel::Rtl8139)));
    assert_eq!(nic.mac.unwrap().to_string(), "00:16:3e:6d:02:f3");
    let power = PowerSettings {
        on_reboot: Some(EndAction::Restart),
        on_crash: Some(CrashAction::Restart),
        ..PowerSettings::default()
    };
    assert_eq!(
        (guest.serial_ports, guest.power.as_ref(), guest.kernel.as_ref()),
        (Some(1), Some(&power), None)
    );
    let expected = [
        ("vif:", ImportReason::NoBridge),
        ("device_model", ImportReason::NotNeeded),
        ("kernel", ImportReason::NotNeeded),
    ];
    assert_eq!(otherwise(&plan), expected.map(|(item, reason)| (item.to_owned(), reason)));
    assert_eq!(plan.notes.len(), 11, "each of its lines: {:?}", plan.notes);
}

#[test]
fn a_paravirtual_guest_says_what_is_otherwise() {
    let plan = read(PARAVIRTUAL).unwrap();
    let disks = plan.guest.disks.as_ref().unwrap();
    let paths: Vec<_> = disks.iter().map(|disk| (disk.path.as_deref(), disk.bus)).collect();
    assert_eq!(
        paths,
        [(Some("/dev/sda5"), Some(DiskBus::Virtio)), (Some("/dev/sda10"), Some(DiskBus::Virtio))]
    );
    let expected = [
        ("disk:", ImportReason::PartitionAsDisk),
        ("disk:", ImportReason::PartitionAsDisk),
        ("vif:", ImportReason::NoBridge),
        ("a", ImportReason::Paravirtual),
        ("a", ImportReason::KernelFromDisk),
    ];
    assert_eq!(otherwise(&plan), expected.map(|(item, reason)| (item.to_owned(), reason)));
    let NewGuest { kernel, kernel_disk, append, .. } = &plan.guest;
    assert_eq!((kernel, kernel_disk.as_deref(), append), (&None, Some("disk0"), &None));
}

#[test]
fn both_printed_configurations_come_to_what_they_were() {
    insta::assert_json_snapshot!("full", read(FULL).unwrap());
    insta::assert_json_snapshot!("paravirtual", read(PARAVIRTUAL).unwrap());
}

#[test]
fn a_boot_loader_of_xen_finds_the_kernel_on_the_disk() {
    let text =
        "name='a'\nmemory=64\nbootloader='/usr/bin/pygrub'\nextra='console=ttyS0'\ndisk=['file:/a,xvda,w']";
    let NewGuest { kernel, kernel_disk, append, .. } = read(text).unwrap().guest;
    assert_eq!(
        (kernel, kernel_disk.as_deref(), append.as_deref()),
        (None, Some("disk0"), Some("console=ttyS0"))
    );
    // A whole PC has its boot loader within.
    let full =
        read("name='a'\nmemory=64\nbuilder='hvm'\nbootloader='pygrub'\ndisk=['file:/a,hda,w']").unwrap();
    assert_eq!(full.guest.kernel_disk, None);
    let domain = "<domain type='xen'><name>a</name><bootloader>/usr/lib/xen/bin/pygrub</bootloader>\
        <bootloader_args>-q</bootloader_args><os><type>linux</type><cmdline>single</cmdline></os>\
        <devices><disk type='file'><source file='/a'/><target dev='xvda'/></disk></devices></domain>";
    let plan = read(domain).unwrap();
    let NewGuest { kernel_disk, append, .. } = &plan.guest;
    assert_eq!((kernel_disk.as_deref(), append.as_deref()), (Some("disk0"), Some("single")));
    assert!(otherwise(&plan).contains(&("<bootloader".to_owned(), ImportReason::KernelFromDisk)));
}

#[test]
fn the_forms_of_a_disk_are_told_apart() {
    let disks = |words: &str| {
        let plan =
            read(&format!("name='a'\nbuilder='hvm'\nmemory=64\ndisk=[\n  # mine\n {words} ]")).unwrap();
        let shown = plan.guest.disks.clone().unwrap_or_default().into_iter().map(|disk| {
            let path = disk.path.unwrap_or_default();
            format!("{path} {} {}", disk.format.unwrap_or_default(), disk.read_only == Some(true))
        });
        (shown.collect::<Vec<_>>(), plan.guest.iso)
    };
    let one = |words: &str| disks(&format!("'{words}'")).0;
    assert_eq!(one("phy:/dev/sda5,hda,w"), ["/dev/sda5 raw false"]);
    assert_eq!(one("tap:aio:/guests/guest1,hda,r"), ["/guests/guest1 raw true"]);
    assert_eq!(one("tap2:qcow2:/d.qcow2,xvda,w"), ["/d.qcow2 qcow2 false"]);
    assert_eq!(one("/d.qcow2,qcow2,xvda,rw"), ["/d.qcow2 qcow2 false"]);
    assert_eq!(one("/guests/guest1,,hda"), ["/guests/guest1 raw false"]);
    assert_eq!(one("format=qcow2, vdev=hda, access=ro, target=/d.qcow2"), ["/d.qcow2 qcow2 true"]);
    // One that has moved here together with its configuration.
    assert_eq!(one("file:/old/place/beside.img,hda,w"), ["/etc/xen/beside.img raw false"]);
    for disc in [
        "file:/cd.iso,hdc:cdrom,r",
        "/cd.iso,raw,hdc,cdrom",
        "/cd.iso,,hdc,cdrom",
        "devtype=cdrom,vdev=hdc,target=/cd.iso",
    ] {
        assert_eq!(disks(&format!("'{disc}'")), (Vec::new(), Some("/cd.iso".into())), "{disc}");
    }
    assert_eq!(disks("'file:/a,hda,w', \"file:/b,hdb,w\",").0.len(), 2);
}

#[test]
fn a_kernel_of_its_own_is_started_directly() {
    let text =
        "name='pv'\nmemory=128\nkernel='/k'\nramdisk='/i'\nroot='/dev/xvda1 ro'\nextra='quiet'\nvcpus=2";
    let plan = read(text).unwrap();
    let NewGuest { kernel, initrd, append, cpus, .. } = plan.guest;
    assert_eq!((kernel.as_deref(), initrd.as_deref()), (Some("/k"), Some("/i")));
    assert_eq!((append.as_deref(), cpus), (Some("root=/dev/xvda1 ro quiet"), Some(2)));
}

#[test]
fn what_is_not_understood_is_said() {
    let text = "import os\nname = 'a'\nmemory = 64 * 2\nmemory = 99999999\nwings = 2\nvcpus = 'many'\nname = os.uname()\nuuid='x'";
    let plan = read(text).unwrap();
    let notes: Vec<_> = plan.notes.iter().map(|note| (&*note.item, note.outcome)).collect();
    let (kept, changed, lost) = (ImportOutcome::Kept, ImportOutcome::Changed, ImportOutcome::Lost);
    let expected = [
        ("import os", lost),
        ("name = 'a'", kept),
        ("memory = 64 * 2", lost),
        ("memory = 99999999", changed),
        ("wings = 2", lost),
        ("vcpus = 'many'", lost),
        ("name = os.uname()", lost),
        ("uuid='x'", lost),
        ("a paravirtual guest", changed),
        ("a kernel that a boot loader finds", changed),
    ];
    assert_eq!(notes, expected);
    assert!(read("shopping list").is_err());
    assert!(read("memory = 5").is_err());
}

#[test]
fn a_taken_name_and_identity_are_not_taken_again() {
    let plan = read("name='taken'\nmemory=64\nuuid='11111111-2222-4333-8444-555555555555'").unwrap();
    assert_eq!((&*plan.guest.name, plan.guest.id), ("taken 2", None));
    let plan = read("memory=64\nvcpus=1").unwrap();
    assert_eq!(plan.guest.name, "machine");
}

#[test]
fn a_domain_of_libvirt_is_read() {
    let plan = read(r"<domain type='kvm'>
      <name>fedora</name><uuid>5891d2eb-7bcc-407c-9509-14943b2c36b9</uuid>
      <memory unit='GiB'>4</memory><currentMemory unit='MiB'>2048</currentMemory>
      <vcpu placement='static' current='2'>4</vcpu>
      <os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>
      <features><acpi/></features><on_crash>preserve</on_crash>
      <devices>
        <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/d.qcow2'/><target dev='vda' bus='virtio'/></disk>
        <disk type='file' device='cdrom'><source file='/cd.iso'/><target dev='sda' bus='sata'/><readonly/></disk>
        <disk type='network' device='disk'><source protocol='rbd'/></disk>
        <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/><model type='e1000e'/></interface>
        <interface type='network'><source network='default'/><model type='virtio'/><link state='down'/></interface>
        <serial type='pty'/><console type='pty'/><sound model='ich9'/><watchdog model='itco' action='pause'/>
        <tpm><backend type='emulator'/></tpm><hostdev mode='subsystem'/>
      </devices></domain>").unwrap();
    let guest = plan.guest.clone();
    assert_eq!((&*guest.name, guest.cpus, guest.max_cpus), ("fedora", Some(2), Some(4)));
    assert_eq!((guest.memory, guest.max_memory), (Some(ByteSize::gib(2)), Some(ByteSize::gib(4))));
    assert_eq!(
        (guest.firmware, guest.tpm, guest.iso.as_deref()),
        (Some(Firmware::Uefi), Some(true), Some("/cd.iso"))
    );
    let devices = guest.devices.unwrap();
    assert_eq!(
        (devices.serial_ports, devices.sound, devices.watchdog),
        (Some(1), Some(SoundCard::Ich9), Some(Watchdog::Pause))
    );
    let nics = guest.nics.unwrap();
    assert_eq!(
        (nics[0].mode, nics[0].bridge.as_deref(), nics[0].model),
        (Some(NetworkMode::Bridge), Some("br0"), Some(NicModel::E1000e))
    );
    assert_eq!((nics[1].mode, nics[1].link), (Some(NetworkMode::User), Some(false)));
    assert_eq!(guest.disks.unwrap().len(), 1);
    let lost: Vec<_> = plan
        .notes
        .iter()
        .filter(|note| note.outcome == ImportOutcome::Lost)
        .map(|note| &*note.item)
        .collect();
    assert_eq!(
        lost,
        ["<disk type='network' device='disk'> <source protocol='rbd'>", "<hostdev mode='subsystem'>"]
    );
    assert!(read("<network><name>x</name></network>").is_err());
    assert!(read("<domain>").is_err());
    assert!(read("<!DOCTYPE d [<!ENTITY a 'b'>]><domain/>").is_err());
}

proptest! {
    /// Whatever is written: it is read or refused, and what is read is noted.
    #[test]
    fn nothing_stops_the_readers(
        lines in prop::collection::vec(
            prop_oneof![
                "[a-z_]{1,8} ?= ?['\"\\[]{0,3}[ -~]{0,20}['\"\\],]{0,3}",
                Just("memory = 64".to_owned()),
                Just("disk = [ 'file:/a,hda,w',".to_owned()),
                Just("vif = [''".to_owned()),
                "\\PC{0,30}",
            ],
            0..12,
        )
    ) {
        let text = format!("name = 'a'\nmemory = 64\n{}", lines.join("\n"));
        let plan = read(&text).unwrap();
        prop_assert!(plan.notes.len() >= 2 && plan.notes.iter().all(|note| note.item.chars().count() <= LONGEST_ITEM));
        prop_assert_eq!(&*plan.guest.name == "taken", false);
        let _domain = read(&format!("<domain>{}</domain>", lines.join(" ")));
    }
}
