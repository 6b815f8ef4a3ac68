//! Physical disks that are files: loop devices, with partitions of which the kernel is told. It takes an administrator to
//! make one.

use crate::{Home, skip};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A disk that this computer takes for a physical one, until it is dropped.
#[derive(Debug)]
pub struct PhysicalDisk {
    device: PathBuf,
    partitions: Vec<u32>,
}

impl PhysicalDisk {
    /// One with this content and these partitions: number, first sector of 512 bytes, and how many. Where there can be
    /// none, that is said aloud.
    pub fn new(home: &Home, content: &[u8], partitions: &[(u32, u64, u64)]) -> Option<Self> {
        let file = home.path("physical disk");
        fs::write(&file, content).expect("a file");
        let output = tool("losetup").args(["--find", "--show"]).arg(&file).output();
        let device = output.ok().filter(|output| output.status.success());
        let Some(device) = device.and_then(|output| String::from_utf8(output.stdout).ok()) else {
            skip("this user can't make a loop device");
            return None;
        };
        let mut disk = Self { device: device.trim().into(), partitions: Vec::new() };
        for (number, start, sectors) in partitions {
            // One from the time before this disk may still be there.
            let _none = tool("delpart").arg(&disk.device).arg(number.to_string()).output();
            let mut add = tool("addpart");
            add.arg(&disk.device).args([number.to_string(), start.to_string(), sectors.to_string()]);
            let added = add.output().is_ok_and(|output| output.status.success());
            if !added || !disk.partition(*number).exists() {
                skip("the kernel can't be told of partitions here");
                return None;
            }
            disk.partitions.push(*number);
        }
        Some(disk)
    }

    /// Lets the cores of this home find it among the computer's disks, and no other.
    pub fn show(&self, home: &Home) {
        let root = home.path(Home::DEVICES);
        let name = self.device.file_name().expect("a name");
        for (link, target) in [
            (root.join("sys/block").join(name), Path::new("/sys/block").join(name)),
            (root.join("dev").join(name), self.device.clone()),
        ] {
            fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
            symlink(target, link).expect("a link");
        }
        for number in &self.partitions {
            let part = self.partition(*number);
            symlink(&part, root.join("dev").join(part.file_name().expect("a name"))).expect("a link");
        }
    }

    /// Its device.
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// The device of a partition.
    pub fn partition(&self, number: u32) -> PathBuf {
        let mut name = self.device.clone().into_os_string();
        name.push(format!("p{number}"));
        name.into()
    }
}

impl Drop for PhysicalDisk {
    fn drop(&mut self) {
        for number in &self.partitions {
            drop(tool("delpart").arg(&self.device).arg(number.to_string()).output());
        }
        drop(tool("losetup").arg("--detach").arg(&self.device).output());
    }
}

/// A program for administrators.
fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    command
}
