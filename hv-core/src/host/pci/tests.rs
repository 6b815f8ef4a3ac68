//! Computers that are made of files.

use super::*;
use crate::host::told::Told;
use proptest::prelude::*;
use std::os::unix::fs::symlink;

/// A computer with an IOMMU and with the file for all groups.
fn with_iommu() -> Told {
    let told = Told::new();
    told.write("dev/vfio/vfio", "");
    told
}

impl Told {
    fn link(&self, path: &str, to: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(self.root().join(to), path).unwrap();
    }

    /// Puts a device in, with an Intel card's number.
    fn put(&self, address: &str, class: &str, group: u32, driver: &str) {
        let folder = format!("sys/devices/pci0000:00/{address}");
        for (name, value) in [("vendor", "0x8086"), ("device", "0x10d3"), ("class", class)] {
            self.write(&format!("{folder}/{name}"), format!("{value}\n"));
        }
        let own = format!("sys/kernel/iommu_groups/{group}");
        fs::create_dir_all(self.root().join(&own)).unwrap();
        self.link(&format!("{folder}/iommu_group"), &own);
        if !driver.is_empty() {
            self.link(&format!("{folder}/driver"), &format!("sys/bus/pci/drivers/{driver}"));
        }
        self.link(&format!("sys/bus/pci/devices/{address}"), &folder);
    }

    fn obstacles(&self, address: &str) -> Vec<(PciFault, String)> {
        let pci = scan(self.root());
        let device = pci.find(address.parse().unwrap()).expect("it is there");
        device.obstacles.iter().map(|it| (it.fault, it.by.clone())).collect()
    }
}

fn one(fault: PciFault, by: &str) -> Vec<(PciFault, String)> {
    vec![(fault, by.to_owned())]
}

const NETWORK: &str = "0x020000";

#[test]
fn a_computer_without_pci_has_none() {
    let told = with_iommu();
    assert_eq!(scan(told.root()), Pci::default());
    assert_eq!(scan(Path::new("/nonexistent")), Pci::default());
}

#[test]
fn devices_are_told_in_the_order_of_their_addresses_with_their_names() {
    let told = with_iommu();
    told.write(
        "usr/share/misc/pci.ids",
        "8086  Intel Corporation\n\t10d3  82574L Gigabit Network Connection\n",
    );
    told.put("0000:02:00.0", NETWORK, 2, "vfio-pci");
    told.put("0000:00:1f.0", "0x060100", 7, "lpc_ich");
    told.put("0000:00:1f.4", "0x0c0500", 7, "i801_smbus");
    told.put("10000:e0:00.0", "0x010802", 4, "");
    told.write("dev/vfio/2", "");
    let pci = scan(told.root());
    let offered: Vec<_> =
        pci.devices.iter().filter(|found| found.is_offered).map(|found| &found.device).collect();
    let addresses: Vec<String> = offered.iter().map(|device| device.address.to_string()).collect();
    assert_eq!(addresses, ["0000:02:00.0", "10000:e0:00.0"]);
    assert!(pci.iommu);
    let (card, disk) = (offered[0], offered[1]);
    assert_eq!(card.title(), "Intel Corporation 82574L Gigabit Network Connection");
    assert_eq!(
        (card.kind, card.group, card.driver.as_deref()),
        (PciKind::Network, Some(2), Some("vfio-pci"))
    );
    assert_eq!((card.id.to_string().as_str(), &card.obstacles[..]), ("8086:10d3", &[][..]));
    assert_eq!((disk.kind, disk.driver.as_ref()), (PciKind::Storage, None));
    assert_eq!(group(told.root(), card.address), Some(2));
    assert_eq!(group(told.root(), "0000:07:00.0".parse().unwrap()), None);
}

#[test]
fn a_device_that_can_not_be_given_says_all_that_is_in_the_way() {
    let told = with_iommu();
    told.put("0000:00:1c.0", "0x060400", 2, "pcieport");
    told.put("0000:02:00.0", NETWORK, 2, "e1000e");
    assert_eq!(
        told.obstacles("0000:02:00.0"),
        one(PciFault::NotBound, "e1000e"),
        "the bridge is no other device"
    );
    assert_eq!(told.obstacles("0000:00:1c.0"), one(PciFault::Bridge, ""));
    told.put("0000:02:00.1", "0x040300", 2, "snd_hda_intel");
    told.put("0000:02:00.2", "0x040300", 2, "");
    told.put("0000:02:00.3", "0x040300", 2, "pci-stub");
    let both = [(PciFault::NotBound, "e1000e".into()), (PciFault::GroupShared, "0000:02:00.1".into())];
    assert_eq!(told.obstacles("0000:02:00.0"), both);
    assert_eq!(
        told.obstacles("0000:02:00.2"),
        [(PciFault::NotBound, String::new()), (PciFault::GroupShared, "0000:02:00.0 0000:02:00.1".into())]
    );
    told.put("0000:03:00.0", NETWORK, 3, "mlx5_vfio_pci");
    assert_eq!(told.obstacles("0000:03:00.0"), one(PciFault::NotPermitted, "/dev/vfio/3"));
    told.write("dev/vfio/3", "");
    assert_eq!(told.obstacles("0000:03:00.0"), []);
    fs::remove_file(told.root().join("dev/vfio/vfio")).unwrap();
    assert_eq!(told.obstacles("0000:03:00.0"), one(PciFault::NotPermitted, "/dev/vfio/vfio"));
    fs::remove_file(told.root().join("sys/devices/pci0000:00/0000:03:00.0/iommu_group")).unwrap();
    assert_eq!(told.obstacles("0000:03:00.0"), one(PciFault::NoGroup, ""));
    fs::remove_dir_all(told.root().join("sys/kernel/iommu_groups")).unwrap();
    assert_eq!(told.obstacles("0000:03:00.0"), one(PciFault::NoIommu, ""));
}

#[test]
fn what_the_host_uses_itself_is_told_until_its_driver_has_let_go() {
    let told = with_iommu();
    told.put("0000:02:00.0", NETWORK, 2, "e1000e");
    let (folder, first) =
        ("sys/devices/pci0000:00/0000:02:00.0", |told: &Told| told.obstacles("0000:02:00.0").remove(0));
    told.write(&format!("{folder}/net/eth0/operstate"), "down\n");
    told.link("sys/class/net/eth0", &format!("{folder}/net/eth0"));
    told.write("sys/devices/virtual/net/lo/operstate", "up\n");
    told.link("sys/class/net/lo", "sys/devices/virtual/net/lo");
    assert_eq!(first(&told).0, PciFault::NotBound);
    told.write(&format!("{folder}/net/eth0/operstate"), "up\n");
    assert_eq!(first(&told), (PciFault::NetworkUp, "eth0".into()));
    told.write(&format!("{folder}/net/eth0/operstate"), "unknown\n");
    assert_eq!(first(&told).0, PciFault::NotBound);
    told.write(&format!("{folder}/net/eth0/flags"), "0x1003\n");
    assert_eq!(first(&told), (PciFault::NetworkUp, "eth0".into()));
    told.write(&format!("{folder}/boot_vga"), "1\n");
    assert_eq!(first(&told).0, PciFault::BootDisplay);
    told.write(&format!("{folder}/nvme/nvme0/nvme0n1/dev"), "259:0\n");
    told.link("sys/block/nvme0n1", &format!("{folder}/nvme/nvme0/nvme0n1"));
    told.write("proc/self/mountinfo", "22 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n");
    assert_eq!(first(&told), (PciFault::Mounted, "/".into()));
    told.write("proc/self/mountinfo", "");
    told.write("sys/dev/block/259:0/holders/md0/md/level", "raid1\n");
    assert_eq!(first(&told), (PciFault::InUse, "md0".into()));
    fs::remove_file(told.root().join(folder).join("driver")).unwrap();
    told.link(&format!("{folder}/driver"), "sys/bus/pci/drivers/vfio-pci");
    told.write("dev/vfio/2", "");
    assert_eq!(told.obstacles("0000:02:00.0"), []);
}

#[test]
fn the_limit_of_locked_memory_is_that_which_the_process_may_have_at_most() {
    let told = with_iommu();
    let locked = || scan(told.root()).locked_memory;
    let head = "Limit                     Soft Limit           Hard Limit           Units\n";
    assert_eq!(locked(), None);
    told.write(
        "proc/self/limits",
        format!("{head}Max locked memory         65536                8388608              bytes\n"),
    );
    assert_eq!(locked(), Some(ByteSize::mib(8)));
    told.write("proc/self/uid_map", "         0          0 4294967295\n");
    told.write("proc/self/status", "Name:\thv-core\nCapEff:\t0000000000000000\n");
    assert_eq!(locked(), Some(ByteSize::mib(8)));
    told.write("proc/self/status", "CapEff:\t000001fffeffffff\n");
    assert_eq!(locked(), None);
    told.write("proc/self/uid_map", "         0       1000          1\n");
    assert_eq!(locked(), Some(ByteSize::mib(8)), "rights of a container's own users don't count");
    told.write(
        "proc/self/limits",
        format!("{head}Max locked memory         unlimited            unlimited            bytes\n"),
    );
    assert_eq!(locked(), None);
}

proptest! {
    #[test]
    fn whatever_stands_in_the_files_does_no_harm(
        text in proptest::collection::vec(any::<u8>(), 0..80),
        name in "[ -.:-~]{1,20}",
        class in "0x[0-9a-f]{6}",
    ) {
        let told = with_iommu();
        told.put("0000:02:00.0", &class, 2, "e1000e");
        told.put("0000:02:00.1", &class, 2, "vfio-pci");
        let folder = "sys/devices/pci0000:00/0000:02:00.0";
        for file in ["vendor", "class", "boot_vga"] {
            told.write(&format!("{folder}/{file}"), &text);
        }
        for file in ["proc/self/limits", "proc/self/status", "proc/self/uid_map", "sys/class/net/x/operstate", "usr/share/misc/pci.ids"] {
            told.write(file, &text);
        }
        let odd = told.root().join("sys/bus/pci/devices").join(&name);
        if !odd.exists() {
            fs::create_dir_all(&odd).unwrap();
            let _taken = symlink(std::ffi::OsStr::new("\u{1b}[31m\n"), odd.join("driver"));
        }
        for found in scan(told.root()).devices {
            let texts = [found.device.name, found.device.driver];
            let shown = texts.into_iter().flatten().chain(found.device.obstacles.into_iter().map(|it| it.by));
            for text in shown {
                prop_assert!(text.chars().count() <= 200 && !text.chars().any(char::is_control), "{text:?}");
            }
        }
    }
}
