//! USB devices of a home: files as Linux would have them, which the home's core takes for the computer's.

use crate::Home;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// The USB ports of a home's computer, all of them on its third bus.
#[derive(Debug)]
pub struct UsbPorts(PathBuf);

impl UsbPorts {
    /// Those of this home's computer, into which nothing is plugged yet.
    pub fn of(home: &Home) -> Self {
        let root = home.path(Home::DEVICES);
        for folder in ["sys/bus/usb/devices", "sys/block", "proc/self", "dev/bus/usb/003"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        Self(root)
    }

    /// Plugs a device in that is called `0781:5567` or the like, and says its name. `port` is as `3-1`.
    pub fn plug(&self, port: &str, id: &str, name: &str) {
        self.plug_with(port, id, name, &[]);
    }

    /// The same with more facts, by the names of their files.
    pub fn plug_with(&self, port: &str, id: &str, name: &str, facts: &[(&str, &str)]) {
        let folder = self.folder(port);
        fs::create_dir_all(&folder).expect("a folder");
        let (vendor, product) = id.split_once(':').expect("a maker and a product");
        let number = number(port).to_string();
        let usual = [
            ("idVendor", vendor),
            ("idProduct", product),
            ("busnum", "3"),
            ("devnum", &number),
            ("product", name),
        ];
        for (fact, value) in usual.iter().chain(facts) {
            fs::write(folder.join(fact), format!("{value}\n")).expect("a file");
        }
        // The last of them: a core looks when the file comes.
        fs::write(self.node(port), "").expect("a file");
    }

    /// Gives the computer a list of what devices are called, in the form of `usb.ids`.
    pub fn know(&self, list: &str) {
        let folder = self.0.join("usr/share/misc");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("usb.ids"), list).expect("a file");
    }

    /// Pulls a device out.
    pub fn unplug(&self, port: &str) {
        fs::remove_dir_all(self.folder(port)).expect("it was plugged in");
        fs::remove_file(self.node(port)).expect("it has a file");
    }

    /// Mounts what is on a device, which is a stick.
    pub fn mount(&self, port: &str, point: &str) {
        let disk = self.folder(port).join("host0/block/sdz");
        fs::create_dir_all(&disk).expect("a folder");
        fs::write(disk.join("dev"), "65:144\n").expect("a file");
        symlink(&disk, self.0.join("sys/block/sdz")).expect("a link");
        let line = format!("36 35 65:144 / {point} rw - vfat /dev/sdz rw\n");
        fs::write(self.mounts(), line).expect("a file");
    }

    /// Unmounts it.
    pub fn unmount(&self) {
        fs::write(self.mounts(), "").expect("a file");
        fs::remove_file(self.0.join("sys/block/sdz")).expect("it was mounted");
    }

    /// The file by which programs use a device.
    pub fn node(&self, port: &str) -> PathBuf {
        self.0.join(format!("dev/bus/usb/003/{:03}", number(port)))
    }

    fn mounts(&self) -> PathBuf {
        self.0.join("proc/self/mountinfo")
    }

    fn folder(&self, port: &str) -> PathBuf {
        self.0.join("sys/bus/usb/devices").join(port)
    }
}

/// The number on its bus of what is plugged in there.
fn number(port: &str) -> u32 {
    let ports = port.split_once('-').expect("a bus").1;
    1 + ports.split('.').map(|port| port.parse::<u32>().expect("a port")).fold(0, |all, port| all * 10 + port)
}
