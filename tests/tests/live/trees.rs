//! Debian's own installer, from a tree on a server and from one in a folder; and what becomes of a guest when a system
//! is on its disk.

use crate::linux::Linux;
use crate::{eventually, installed};
use hv_tests::{FileServer, Home};
use std::fs;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

/// A system that writes the text behind it to the first serial port, and halts: 16-bit code for where firmware puts it.
const SYSTEM: &str = "\\372\\061\\300\\216\\330\\276\\026\\174\\272\\370\\003\\254\\204\\300\\164\\003\\356\\353\\370\\364\\353\\375";

/// Puts the installer into the layout of a mirror; where in it the tree is.
fn mirror(root: &Path) -> String {
    let tree = "debian/dists/bookworm/main/installer-amd64";
    let images = root.join(tree).join("current/images");
    let folder = images.join("netboot/debian-installer/amd64");
    fs::create_dir_all(&folder).expect("a folder");
    for name in ["linux", "initrd.gz"] {
        fs::copy(Path::new(FOLDER).join(name), folder.join(name)).expect("a copy");
    }
    let manifest = "netboot/debian-installer/amd64/linux -- kernel of Debian's installer\n";
    fs::write(images.join("MANIFEST"), manifest).expect("a file");
    let sums = Command::new("sha256sum")
        .args(["./netboot/debian-installer/amd64/linux", "./netboot/debian-installer/amd64/initrd.gz"])
        .current_dir(&images)
        .output();
    fs::write(images.join("SHA256SUMS"), sums.expect("sha256sum").stdout).expect("a file");
    fs::write(root.join("debian/dists/bookworm/Release"), "Suite: of-the-test\n").expect("a file");
    tree.to_owned()
}

#[tokio::test]
async fn debians_installer_comes_up_from_a_tree() {
    let kernel = format!("{FOLDER}/linux");
    let Some(_) = installed("debian-installer-12-netboot-amd64", &[&kernel]) else { return };
    let home = Home::new();
    let _core = home.core().await;
    let tree = mirror(&home.path("mirror"));
    let server = FileServer::start(&home.path("mirror"));

    let address = server.address(&tree);
    let words =
        ["create", "from a server", "--tree", &address, "--memory", "512MiB", "--disk", "1GiB", "--start"];
    home.hv(words).await.done();
    let guest = home.hv(["show", "from a server", "--json"]).await.json();
    assert_eq!((&guest["os"], &guest["state"]), (&"debian12".into(), &"running".into()));
    // It shows its first question on the serial port as well.
    let log = async || {
        let log = home.hv(["log", "from a server", "--serial", "0"]).await.out;
        log.contains("[!!]").then_some(())
    };
    eventually("Debian's installer on the serial port", log).await;
    home.hv(["force-off", "from a server"]).await.done();
    assert!(home.hv(["show", "from a server", "--json"]).await.json()["installing"].is_object());

    // The same in a folder: what is in it the guest reads from the core.
    let folder = home.text(&format!("mirror/{tree}"));
    let append = "console=ttyS0 quiet rdinit=/bin/sh";
    let words = ["--memory", "512MiB", "--disk", "16MiB", "--append", append];
    home.hv(["create", "from a folder", "--tree", &folder].into_iter().chain(words)).await.done();
    // Of virtual disks, the first part of Debian's installer has no driver.
    home.hv(["disk", "from a folder", "set", "--disk", "disk0", "--bus", "usb"]).await.done();
    home.hv(["start", "from a folder"]).await.done();
    let mut linux = Linux::at(&home, "from a folder").await;
    linux.load_network().await;
    linux.run("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0").await;
    linux.run("for word in $(cat /proc/cmdline); do case $word in mirror/http/hostname=*) h=${word#*=};; mirror/http/directory=*) d=${word#*=};; esac; done").await;
    let said = linux.run("wget -q -O - http://$h${d}dists/bookworm/Release").await;
    assert_eq!(said, "Suite: of-the-test");
    let said = linux.run("wget -q -O - http://$h/dists/bookworm/Release || echo refused").await;
    assert!(said.ends_with("refused"), "{said}");

    // It writes a system to the disk, that says where it is, and restarts the machine.
    linux.load_usb_storage().await;
    eventually("the disk", async || linux.run("ls /sys/block").await.contains("sda").then_some(())).await;
    linux.run("mount -t devtmpfs none /dev").await;
    for command in [
        format!("printf '{SYSTEM}from the disk\\r\\n\\000' | dd of=/dev/sda 2>/dev/null"),
        "printf '\\125\\252' | dd of=/dev/sda bs=1 seek=510 conv=notrunc 2>/dev/null; sync".to_owned(),
        "(sleep 1; echo b > /proc/sysrq-trigger) & true".to_owned(),
    ] {
        linux.run(&command).await;
    }
    let ready = async || {
        let guest = home.hv(["show", "from a folder", "--json"]).await.json();
        (guest["installing"].is_null() && guest["installed"].is_u64()).then_some(())
    };
    eventually("the guest to be ready", ready).await;
    let log = async || {
        let log = home.hv(["log", "from a folder", "--serial", "0"]).await.out;
        log.contains("from the disk").then_some(())
    };
    eventually("the system on the disk", log).await;
    let guest = home.hv(["show", "from a folder", "--json"]).await.json();
    assert_eq!(guest["state"], "running");
    let folder = Path::new(guest["paths"]["folder"].as_str().expect("a path"));
    assert!(!folder.join("install").exists());
}
