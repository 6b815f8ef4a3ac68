//! The boot menu on a guest's own disk: shown, started from, and its default changed, with an engine that only pretends
//! and disks that are real.

use crate::files::has_image_tool;
use hv_tests::{Home, Script, skip, until, within};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MENU: &str = "load_env\nset default=\"${saved_entry}\"\n\
    menuentry 'First' --id first {\n search --label boot --set=root\n linux /vmlinuz-1 root=/dev/vda1 one\n initrd /initrd-1\n}\n\
    submenu 'Others' --id others {\n menuentry 'Second' --id second {\n linux /vmlinuz-2 two\n}\n}\n\
    menuentry 'Windows' {\n chainloader +1\n}\n";

/// A file system for `/boot`, as ext4; nothing, said aloud, where none can be made.
pub fn boot(home: &Home, name: &str, files: &[(&str, &[u8])]) -> Option<PathBuf> {
    let (tree, image) = (home.path(&format!("{name}-tree")), home.path(name));
    for (path, content) in files {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    fs::File::create(&image).and_then(|file| file.set_len(96 << 20)).expect("a file");
    let mut tool = Command::new("mkfs.ext4");
    tool.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").args(["-q", "-L", "boot", "-d"]).arg(tree).arg(&image);
    let Ok(status) = tool.status() else {
        skip("mkfs.ext4 is not installed");
        return None;
    };
    assert!(status.success());
    Some(image)
}

/// A disk whose one partition has this content.
fn partitioned(content: &[u8]) -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    disk[446 + 4] = 0x83;
    disk[446 + 8..446 + 12].copy_from_slice(&2048_u32.to_le_bytes());
    let sectors = u32::try_from(content.len() / 512).expect("a small disk");
    disk[446 + 12..446 + 16].copy_from_slice(&sectors.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk.extend_from_slice(content);
    disk
}

/// GRUB's environment block with these lines.
pub fn block(lines: &str) -> Vec<u8> {
    let mut block = format!("# GRUB Environment Block\n{lines}").into_bytes();
    block.resize(1024, b'#');
    block
}

/// A guest named “one” with such a disk, in this format, which starts the kernel on it.
async fn guest(home: &Home, format: &str) -> Option<PathBuf> {
    let files: [(&str, &[u8]); 5] = [
        ("grub/grub.cfg", MENU.as_bytes()),
        ("grub/grubenv", &block("saved_entry=first\n")),
        ("vmlinuz-1", b"kernel one"),
        ("initrd-1", b"initrd one"),
        ("vmlinuz-2", b"kernel two"),
    ];
    let mut disk = boot(home, "boot.img", &files)?;
    fs::write(&disk, partitioned(&fs::read(&disk).expect("a file"))).expect("a file");
    if format == "qcow2" {
        let raw = std::mem::replace(&mut disk, home.path("boot.qcow2"));
        let mut tool = Command::new("qemu-img");
        tool.args(["convert", "-f", "raw", "-O", "qcow2"]).arg(raw).arg(&disk);
        assert!(tool.status().expect("qemu-img").success());
    }
    let path = disk.to_str().expect("UTF-8");
    let create =
        ["create", "one", "--empty", "--disk-path", path, "--kernel-disk", "disk0", "--append", "mine"];
    home.hv(create).await.done();
    Some(disk)
}

/// What the engine was started with last: its kernel's content, its command line, and whether it has an initrd.
async fn started(home: &Home) -> (String, String, bool) {
    let log = home.hv(["log", "one"]).await.done();
    let line = log.lines().rfind(|line| line.starts_with("--- starting: ")).expect("a start").to_owned();
    let after = |option: &str| {
        let rest = line.split_once(&format!(" {option} ")).map(|(_, rest)| rest)?;
        Some(match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next().unwrap_or_default().to_owned(),
            None => rest.split(' ').next().unwrap_or_default().to_owned(),
        })
    };
    let kernel = fs::read_to_string(after("-kernel").expect("a kernel")).expect("a file");
    (kernel, after("-append").unwrap_or_default(), after("-initrd").is_some())
}

async fn menu(home: &Home, words: &[&str]) -> Vec<String> {
    let words = ["boot-menu", "one", "--json"].iter().chain(words);
    let menu = home.hv(words).await.json();
    let entries = menu["entries"].as_array().expect("entries").iter();
    let shown = entries.map(|entry| {
        let mark = if entry["default"] == true { "*" } else { "" };
        format!(
            "{mark}{} {}",
            entry["title"].as_str().expect("a title"),
            entry["kernel"].as_str().unwrap_or("-")
        )
    });
    shown.collect()
}

#[tokio::test]
async fn a_guest_starts_what_its_own_boot_loader_would_anew_each_time() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    for format in ["raw", "qcow2"] {
        let Some(disk) = guest(&home, format).await else { return };
        let told = ["*First /vmlinuz-1", "Others › Second /vmlinuz-2", "Windows -"];
        assert_eq!(menu(&home, &[]).await, told);
        home.hv(["start", "one"]).await.done();
        assert_eq!(started(&home).await, ("kernel one".into(), "root=/dev/vda1 one mine".into(), true));
        // Its system is at the disk.
        assert_eq!(home.hv(["boot-menu", "one", "--json"]).await.error_code(), "wrong-state");
        assert_eq!(home.hv(["boot-menu", "one", "default", "1", "--json"]).await.error_code(), "wrong-state");
        home.hv(["force-off", "one"]).await.done();

        home.hv(["start", "one", "--kernel-entry", "1"]).await.done();
        assert_eq!(started(&home).await, ("kernel two".into(), "two mine".into(), false));
        home.hv(["force-off", "one"]).await.done();
        assert_eq!(menu(&home, &[]).await, told, "that was for once");

        let before = fs::read(&disk).expect("the disk");
        let changed = ["First /vmlinuz-1", "*Others › Second /vmlinuz-2", "Windows -"];
        assert_eq!(menu(&home, &["default", "1"]).await, changed);
        assert_eq!(fs::read(&disk).expect("the disk").len(), before.len(), "written in its place");
        home.hv(["start", "one"]).await.done();
        assert_eq!(started(&home).await.0, "kernel two");
        home.hv(["force-off", "one"]).await.done();
        assert_eq!(menu(&home, &["default", "--undo"]).await, told);
        assert_eq!(fs::read(&disk).expect("the disk"), before, "as it was");
        let again = home.hv(["boot-menu", "one", "default", "--undo", "--json"]).await;
        assert_eq!(again.error_code(), "boot-default-fixed");

        // One that starts something else, and one that is not there.
        let wrong = home.hv(["start", "one", "--kernel-entry", "2", "--json"]).await;
        assert_eq!(wrong.error_code(), "kernel-not-on-disk");
        let wrong = home.hv(["boot-menu", "one", "default", "9", "--json"]).await;
        assert_eq!(wrong.error_code(), "kernel-not-on-disk");

        home.hv(["set", "one", "kernel-entry=second"]).await.done();
        let plan = home.hv(["start", "one", "--dry-run"]).await.done();
        assert!(plan.contains("from-disk = \"disk0\"") && plan.contains("two mine"), "{plan}");
        home.hv(["start", "one"]).await.done();
        assert_eq!(started(&home).await.0, "kernel two");
        home.hv(["force-off", "one"]).await.done();
        home.hv(["set", "one", "kernel-disk="]).await.done();
        let shown = home.hv(["show", "one", "--json"]).await.json();
        assert!(shown["kernel_disk"].is_null() && shown["append"].is_null(), "{shown}");
        home.hv(["delete", "one"]).await.done();
    }
}

#[tokio::test]
async fn where_there_is_nothing_to_start_nothing_else_is_started() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    let disk = home.path("disk");
    let make = async |content: Vec<u8>| {
        fs::write(&disk, content).expect("a file");
        let path = disk.to_str().expect("UTF-8");
        home.hv(["create", "one", "--empty", "--disk-path", path]).await.done();
        home.hv(["set", "one", "kernel-disk=disk0"]).await.done();
        let started = home.hv(["start", "one", "--json"]).await;
        let error = started.out.clone();
        assert_eq!(home.hv(["show", "one", "--json"]).await.json()["pid"], serde_json::Value::Null);
        home.hv(["delete", "one"]).await.done();
        error
    };
    let mut mbr = vec![0; 1 << 20];
    mbr[510..512].copy_from_slice(&[0x55, 0xaa]);
    mbr[446 + 4] = 0x8e;
    mbr[446 + 8] = 1;
    mbr[446 + 12..446 + 14].copy_from_slice(&[0xff, 0x07]);
    mbr[1024..1032].copy_from_slice(b"LABELONE");
    let error = make(mbr).await;
    assert!(error.contains("kernel-not-on-disk") && error.contains("partition 1: LVM"), "{error}");
    if let Some(image) = boot(&home, "boot.img", &[("grub/grub.cfg", b"menuentry a {\n linux /gone\n}")]) {
        let error = make(partitioned(&fs::read(image).expect("a file"))).await;
        assert!(error.contains("/gone"), "{error}");
    }
    let conflict =
        home.hv(["create", "two", "--empty", "--no-disk", "--kernel-disk", "disk0", "--json"]).await;
    assert_eq!(conflict.error_code(), "disk-not-found");
}

#[tokio::test]
async fn a_paravirtual_guest_of_xen_starts_the_kernel_on_its_first_disk() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    let menu = "default=0\ntitle Fedora (2.6.18-1.2849.fc6xen)\n\troot (hd0,4)\n\
        \tkernel /vmlinuz-2.6.18-1.2849.fc6xen ro root=/dev/sda10\n\tinitrd /initrd-2.6.18-1.2849.fc6xen.img\n";
    let files: [(&str, &[u8]); 3] = [
        ("grub/menu.lst", menu.as_bytes()),
        ("vmlinuz-2.6.18-1.2849.fc6xen", b"its kernel"),
        ("initrd-2.6.18-1.2849.fc6xen.img", b"its initrd"),
    ];
    let Some(_boot) = boot(&home, "sda5", &files) else { return };
    fs::write(home.path("sda10"), vec![0; 1 << 20]).expect("a file");
    let config = "name = \"one\"\nmemory = \"512\"\ndisk = [ 'file:/x/sda5,sda5,w', 'file:/x/sda10,sda10,w' ]\n\
        vif = [ 'mac=00:16:3e:47:04:43, bridge=xenbr0', ]\nbootloader = \"/usr/bin/pygrub\"\n";
    let file = home.file("meathead.cfg", config);
    home.hv(["import", &file]).await.done();
    home.hv(["start", "one"]).await.done();
    assert_eq!(started(&home).await, ("its kernel".into(), "ro root=/dev/sda10".into(), true));
}

/// A FAT with a folder that goes round in circles.
fn endless() -> Vec<u8> {
    let mut disk = vec![0; 64 * 512];
    disk[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    disk[11..24].copy_from_slice(&[0, 2, 1, 1, 0, 1, 16, 0, 64, 0, 0xf8, 1, 0]);
    disk[0x26] = 0x29;
    disk[0x36..0x3e].copy_from_slice(b"FAT12   ");
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    // The folder's only piece is followed by itself, and holds nothing but what was deleted.
    disk[512..517].copy_from_slice(&[0xf8, 0xff, 0xff, 2, 0]);
    disk[1024..1036].copy_from_slice(b"EFI        \x10");
    disk[1024 + 26] = 2;
    disk[1536..2048].fill(0xe5);
    disk
}

#[tokio::test]
async fn a_disk_without_end_is_read_by_a_process_that_is_kept_and_ends_with_the_start() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let core = home.core().await;
    let path = home.file("disk", endless());
    home.hv(["create", "one", "--empty", "--disk-path", &path, "--kernel-disk", "disk0"]).await.done();
    let mut start = home.command(hv_tests::program("hv"));
    let mut start = start.args(["start", "one"]).stdout(std::process::Stdio::null()).spawn().expect("hv");
    let children = || {
        let pid = core.pid();
        let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let reads = |pid: &&str| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"--read-boot-menu\0"))
        };
        listed.split_whitespace().filter(reads).map(str::to_owned).collect::<Vec<_>>()
    };
    let kept = until("the process that reads", || {
        let pid = children().into_iter().next()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        // It gives up what it has before it looks at the disk.
        let value =
            |key: &str| status.lines().find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()));
        (value("Seccomp:")? == "2").then_some((pid.clone(), value("NoNewPrivs:")?))
    })
    .await;
    assert_eq!(kept.1, "1");
    let limits = fs::read_to_string(format!("/proc/{}/limits", kept.0)).expect("its limits");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    assert_eq!(files.split_whitespace().nth(3), Some("0"), "{files}");
    home.hv(["force-off", "one"]).await.done();
    until("its end", || children().is_empty().then_some(())).await;
    assert!(!within("hv start", start.wait()).await.expect("it ends").success());
    let left = fs::read_dir(home.path("state/guesthouse/guests")).expect("a folder").count();
    let copied = fs::read_dir(home.path("state/guesthouse/guests")).expect("a folder").flatten();
    let copied = copied.filter(|guest| guest.path().join("boot/kernel").exists()).count();
    assert_eq!((left, copied), (1, 0), "nothing was copied");
}

/// The disk's reader as such: what it can reach, and that it ends.
#[tokio::test]
async fn what_reads_a_disk_reads_nothing_else() {
    let home = Home::without_programs();
    let done = home.run(home.command(hv_tests::program("hv-core")).arg("--read-boot-menu")).await;
    assert_ne!(done.code, 0, "without a question there is no answer");
    assert!(Path::new(&home.text("state")).read_dir().expect("a folder").next().is_none(), "and no trace");
}
