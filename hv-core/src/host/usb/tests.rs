//! Computers that are made of files.

use super::*;
use crate::host::{sysfs, told::Told, watch::Watch};
use hv_api::{HostUse, UsbDevice};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

/// Where all its devices hang.
const HUB: &str = "sys/devices/pci0000:00/usb3";

impl Told {
    /// Plugs a device in, with a file of its own and these facts.
    fn plug(&self, port: &str, facts: &[(&str, &str)]) {
        let number = fs::read_dir(self.root().join("dev/bus/usb/003")).map_or(0, Iterator::count) + 2;
        let usual =
            [("idVendor", "0781"), ("idProduct", "5567"), ("busnum", "3"), ("devnum", &number.to_string())];
        for (name, value) in usual.iter().chain(facts) {
            self.write(&format!("{HUB}/{port}/{name}"), format!("{value}\n"));
        }
        self.list(port, &format!("{HUB}/{port}"));
        self.write(&format!("dev/bus/usb/003/{number:03}"), "");
    }

    /// Gives a device an interface.
    fn interface(&self, port: &str, number: u32, class: &str, protocol: &str) {
        let folder = format!("{HUB}/{port}/{port}:1.{number}");
        self.write(&format!("{folder}/bInterfaceClass"), format!("{class}\n"));
        self.write(&format!("{folder}/bInterfaceProtocol"), format!("{protocol}\n"));
        self.list(&format!("{port}:1.{number}"), &folder);
    }

    fn list(&self, name: &str, folder: &str) {
        let devices = self.root().join("sys/bus/usb/devices");
        fs::create_dir_all(&devices).unwrap();
        symlink(self.root().join(folder), devices.join(name)).unwrap();
    }

    fn devices(&self) -> Vec<HostUsbDevice> {
        scan(self.root()).into_iter().map(|found| found.device).collect()
    }
}

#[test]
fn a_computer_without_usb_has_none() {
    assert_eq!(scan(Told::new().root()), []);
    assert_eq!(scan(Path::new("/nonexistent")), []);
}

#[test]
fn devices_are_told_in_the_order_of_their_places() {
    let told = Told::new();
    told.plug("3-10", &[("product", "Last"), ("manufacturer", "Acme")]);
    told.plug("3-2.10", &[("product", "SanDisk Cruzer"), ("manufacturer", "sandisk"), ("serial", "4C53")]);
    told.plug("3-2.9", &[("manufacturer", "Only maker")]);
    told.plug("3-2", &[("bDeviceClass", "09"), ("product", "Hub")]);
    told.list("usb3", HUB);
    told.interface("3-10", 0, "03", "01");
    told.interface("3-10", 1, "03", "02");
    told.interface("3-10", 2, "03", "02");
    told.interface("3-10", 3, "ff", "00");
    let found = scan(told.root());
    let places: Vec<String> = found.iter().map(|found| found.device.port.to_string()).collect();
    assert_eq!(places, ["3-2", "3-2.9", "3-2.10", "3-10"]);
    assert_eq!(found.iter().map(|found| found.is_hub).collect::<Vec<_>>(), [true, false, false, false]);
    let [_, maker, stick, last] = &found[..] else { panic!("{found:?}") };
    assert_eq!(maker.device.name.as_deref(), Some("Only maker"));
    assert_eq!(
        (stick.device.title(), stick.device.serial.as_deref()),
        ("SanDisk Cruzer".into(), Some("4C53"))
    );
    assert_eq!(last.device.title(), "Acme Last");
    assert_eq!(last.device.kinds, [UsbKind::Keyboard, UsbKind::Mouse]);
    assert_eq!((last.device.bus, last.device.number, &*last.device.node), (3, 2, "/dev/bus/usb/003/002"));
    assert_eq!(last.device.fault(), None);
}

#[test]
fn a_device_that_says_nothing_is_called_as_the_list_has_it() {
    let told = Told::new();
    told.plug("3-1", &[]);
    assert_eq!((told.devices()[0].name.clone(), told.devices()[0].title()), (None, "0781:5567".into()));
    told.write("usr/share/misc/usb.ids", "0781  SanDisk Corp.\n\t5567  Cruzer Blade\n");
    assert_eq!(told.devices()[0].title(), "SanDisk Corp. Cruzer Blade");
}

#[test]
fn a_device_whose_file_may_not_be_written_is_not_permitted() {
    let told = Told::new();
    told.plug("3-1", &[]);
    told.plug("3-2", &[("devnum", "77")]);
    // Who may do everything may write this one as well; a file that is missing nobody may.
    let file = told.root().join("dev/bus/usb/003/002");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    let may_all = rustix::process::geteuid().is_root();
    let devices = told.devices();
    assert_eq!((devices[0].permitted, devices[1].permitted), (may_all, false));
    assert_eq!(devices[1].fault(), Some((hv_api::UsbFault::NotPermitted, "/dev/bus/usb/003/077")));
}

#[test]
fn a_stick_that_is_mounted_is_in_use() {
    let told = Told::new();
    told.plug("3-1", &[]);
    told.plug("3-11", &[]);
    told.write(&format!("{HUB}/3-1/3-1:1.0/host6/block/sdb/dev"), "8:16\n");
    fs::create_dir_all(told.root().join("sys/block")).unwrap();
    symlink(
        told.root().join(format!("{HUB}/3-1/3-1:1.0/host6/block/sdb")),
        told.root().join("sys/block/sdb"),
    )
    .unwrap();
    // One that leads nowhere, and one to itself.
    symlink("nowhere", told.root().join("sys/block/sdc")).unwrap();
    symlink("sdd", told.root().join("sys/block/sdd")).unwrap();
    assert_eq!(told.devices()[0].used, None);
    told.write("sys/dev/block/8:16/sdb1/partition", "1\n");
    told.write("sys/dev/block/8:16/sdb1/dev", "8:17\n");
    told.write("proc/self/mountinfo", "36 35 8:17 / /media/ada/MY\\040STICK rw - vfat /dev/sdb1 rw\n");
    let devices = told.devices();
    assert_eq!(
        (devices[0].used, devices[0].used_by.as_deref()),
        (Some(HostUse::Mounted), Some("/media/ada/MY STICK"))
    );
    assert_eq!(devices[1].used, None, "the other one's name begins alike");
}

#[test]
fn what_a_device_says_is_bounded_and_one_line() {
    let told = Told::new();
    told.plug("3-1", &[("product", &"x".repeat(100_000)), ("manufacturer", "a\u{1b}[31m,\n\tb\0")]);
    let name = told.devices()[0].title();
    assert!(name.chars().count() <= sysfs::LONGEST && name.starts_with("a [31m, b xxx"), "{name}");
    told.write(&format!("{HUB}/3-1/product"), [0xff, 0xfe, b'A', b'\n']);
    assert!(told.devices()[0].title().ends_with("\u{fffd}\u{fffd}A"));
    told.write(&format!("{HUB}/3-1/product"), " \n");
    told.write(&format!("{HUB}/3-1/manufacturer"), "");
    assert_eq!(told.devices()[0].name, None);
}

#[test]
fn what_is_no_device_is_left_out() {
    let told = Told::new();
    for (port, fact) in [
        ("3-1", ("idVendor", "+781")),
        ("3-2", ("idProduct", "")),
        ("3-3", ("busnum", "-1")),
        ("3-4", ("devnum", "99999999999999999999")),
        ("3-5", ("busnum", "1000")),
        ("3-6", ("devnum", "0")),
    ] {
        told.plug(port, &[fact]);
    }
    let devices = told.root().join("sys/bus/usb/devices");
    symlink("3-9", devices.join("3-9")).unwrap();
    fs::create_dir(devices.join("3-8")).unwrap();
    fs::write(devices.join("3-7"), "a file").unwrap();
    fs::create_dir(devices.join(OsStr::from_bytes(b"3-\xff"))).unwrap();
    fs::create_dir_all(devices.join("../3-1,2")).unwrap();
    assert_eq!(scan(told.root()), []);
}

proptest! {
    #[test]
    fn whatever_a_device_says_does_no_harm(value in prop::collection::vec(any::<u8>(), 0..80)) {
        let told = Told::new();
        told.plug("3-1", &[]);
        told.interface("3-1", 0, "08", "50");
        for name in ["product", "manufacturer", "serial", "bDeviceClass", "3-1:1.0/bInterfaceClass"] {
            told.write(&format!("{HUB}/3-1/{name}"), &value);
        }
        told.write("usr/share/misc/usb.ids", &value);
        let device = told.devices().remove(0);
        prop_assert!(!device.title().is_empty() && !device.title().chars().any(char::is_control));
        let again: UsbDevice = device.device(&[]).to_string().parse().unwrap();
        prop_assert!(device.is(&again));
    }
}

#[tokio::test]
async fn devices_that_come_and_go_are_noticed_also_on_the_first_bus() {
    let told = Told::new();
    fs::create_dir_all(told.root().join("dev")).unwrap();
    let mut watch = Watch::begin(told.root()).unwrap();
    let mut changed = async || {
        tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.expect("it is noticed").unwrap();
    };
    told.plug("3-1", &[]);
    changed().await;
    for port in ["3-2", "3-3"] {
        told.plug(port, &[]);
        changed().await;
    }
    let file = told.root().join("dev/bus/usb/003/002");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    changed().await;
    fs::remove_file(&file).unwrap();
    changed().await;
}
