//! A real Linux with nothing but a shell, on its first serial port: the kernel of Debian's installer, and of its
//! initial file system the shell, its tools and the drivers for virtual devices.

use crate::{BOOT, installed};
use flate2::read::GzDecoder;
use hv_tests::{Home, program, skip};
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

pub const FOLDER: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

/// A guest with such a system, and a console to it.
pub struct Linux {
    input: ChildStdin,
    output: ChildStdout,
    seen: String,
    _console: Child,
}

impl Linux {
    /// Makes it with these words for `hv create`, and starts it; nothing where the system is not installed.
    pub async fn boot(home: &Home, name: &str, words: &[&str]) -> Option<Self> {
        Self::boot_with(home, name, words, &[]).await
    }

    /// The same, with these files of the host in the folder `/added`.
    pub async fn boot_with(home: &Home, name: &str, words: &[&str], files: &[PathBuf]) -> Option<Self> {
        let kernel = format!("{FOLDER}/linux");
        installed("debian-installer-12-netboot-amd64", &[&kernel])?;
        let mut initrd = shell().await;
        if !files.is_empty() {
            initrd = with_files(&initrd, files, home.path("initrd.cpio")).expect("a file system");
        }
        let initrd = initrd.to_str().expect("a path that is text");
        let append = "console=ttyS0 quiet rdinit=/bin/sh";
        let mut create = vec!["create", name, "--start", "--kernel", &kernel, "--initrd", initrd];
        create.extend(["--append", append].iter().chain(words));
        home.hv(create).await.done();
        Some(Self::at(home, name).await)
    }

    /// A console to one that runs, with its shell waiting.
    pub async fn at(home: &Home, name: &str) -> Self {
        let mut console = home.command(program("hv"));
        console.args(["console", name]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut console = console.spawn().expect("hv");
        let input = console.stdin.take().expect("its input");
        let output = console.stdout.take().expect("its output");
        let mut this = Self { input, output, seen: String::new(), _console: console };
        // In the whole of the installer, the root folder is at home.
        this.until_one(&["/ #", "~ #"]).await;
        let mounted = this.run("mount -t proc proc /proc; mount -t sysfs sys /sys; stty -echo; PS1=").await;
        assert!(!mounted.contains("failed"), "{mounted}");
        this
    }

    /// What a command says.
    pub async fn run(&mut self, command: &str) -> String {
        self.seen.clear();
        // The mark is put together by the shell, so that the typed line is not taken for the answer.
        let line = format!("{command}; echo do''ne\n");
        self.input.write_all(line.as_bytes()).await.expect("it reads");
        self.until("done\r\n").await;
        let said = self.seen.split("done\r\n").next().unwrap_or_default();
        said.lines().filter(|line| !line.contains("do''ne")).collect::<Vec<_>>().join("\n").trim().to_owned()
    }

    /// Says a command that gives no answer.
    pub async fn say(&mut self, command: &str) {
        self.input.write_all(format!("{command}\n").as_bytes()).await.expect("it reads");
    }

    /// The number that a command says last.
    pub async fn number(&mut self, command: &str) -> u64 {
        let said = self.run(command).await;
        let last = said.split_whitespace().next_back().and_then(|word| word.parse().ok());
        last.unwrap_or_else(|| panic!("{command}: {said}"))
    }

    /// Loads a driver of the installer's.
    pub async fn load(&mut self, driver: &str) {
        let said = self.run(&format!("insmod $(find /lib/modules -name {driver}.ko) && echo well")).await;
        assert!(said.ends_with("well"), "{driver}: {said}");
    }

    /// Loads what all drivers of virtual devices need.
    pub async fn load_virtio(&mut self) {
        let drivers =
            ["virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"];
        for driver in drivers {
            self.load(driver).await;
        }
    }

    /// Loads what a USB stick needs.
    pub async fn load_usb_storage(&mut self) {
        let drivers = [
            "usb-common",
            "usbcore",
            "xhci-hcd",
            "xhci-pci",
            "scsi_common",
            "scsi_mod",
            "usb-storage",
            "crct10dif_common",
            "crc-t10dif",
            "crc64",
            "crc64-rocksoft",
            "t10-pi",
            "sd_mod",
        ];
        for driver in drivers {
            self.load(driver).await;
        }
    }

    async fn until(&mut self, text: &str) {
        self.until_one(&[text]).await;
    }

    async fn until_one(&mut self, texts: &[&str]) {
        let heard = tokio::time::timeout(BOOT, async {
            while !texts.iter().any(|text| self.seen.contains(text)) {
                let mut bytes = vec![0; 16 << 10];
                let count = self.output.read(&mut bytes).await.expect("output");
                assert_ne!(count, 0, "the console ended: {}", self.seen);
                self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let late = heard.await.is_err();
        assert!(!late, "waited {} s in vain for {texts:?}: {}", BOOT.as_secs(), self.seen);
    }
}

/// An ext4 file system of this length with such a system that GRUB would start, by this menu, and these files beside it;
/// nothing, said aloud, where that can't be made here.
pub async fn on_a_disk(home: &Home, menu: &str, beside: &[(&str, &[u8])], length: u64) -> Option<PathBuf> {
    let kernel = format!("{FOLDER}/linux");
    installed("debian-installer-12-netboot-amd64", &[&kernel])?;
    let tree = home.path("tree");
    fs::create_dir_all(tree.join("boot/grub")).expect("a folder");
    for (name, content) in [("boot/grub/grub.cfg", menu.as_bytes())].iter().chain(beside) {
        fs::write(tree.join(name), content).expect("a file");
    }
    fs::copy(&kernel, tree.join("boot/linux")).expect("a file");
    fs::copy(shell().await, tree.join("boot/initrd")).expect("a file");
    let system = home.path("system");
    fs::File::create(&system).and_then(|file| file.set_len(length)).expect("a file");
    let mut tool = Command::new("mkfs.ext4");
    tool.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").arg("-q").arg("-d").arg(&tree).arg(&system);
    if tool.status().is_err() {
        skip("mkfs.ext4 is not installed");
        return None;
    }
    Some(system)
}

/// The file system with the shell: made once, and small enough that an emulated machine unpacks it at once.
pub async fn shell() -> PathBuf {
    let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("shell-with-usb-and-e1000e.cpio");
    if made.exists() {
        return made;
    }
    let target = made.clone();
    let make = move || {
        // Tests that run at the same time make the same; the last one's stays.
        let own = target.with_extension(std::process::id().to_string());
        let whole = fs::File::open(format!("{FOLDER}/initrd.gz"))?;
        let mut small = fs::File::create(&own)?;
        keep_what_a_shell_needs(&mut GzDecoder::new(BufReader::new(whole)), &mut small)?;
        fs::rename(own, target)
    };
    let done: io::Result<()> = tokio::task::spawn_blocking(make).await.expect("it does not panic");
    done.expect("a file system");
    made
}

/// A file system with these files in addition, in the folder `/added`: Linux unpacks one archive after the other.
fn with_files(small: &Path, files: &[PathBuf], target: PathBuf) -> io::Result<PathBuf> {
    const FOLDER: usize = 0o040_755;
    const PROGRAM: usize = 0o100_755;
    let mut archive = fs::read(small)?;
    let mut add = |number: usize, name: &str, mode: usize, content: &[u8]| {
        archive.resize(archive.len().next_multiple_of(4), 0);
        let fields = [number, mode, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        archive.extend_from_slice(b"070701");
        for field in fields {
            archive.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        archive.extend_from_slice(format!("{name}\0").as_bytes());
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend_from_slice(content);
    };
    add(1, "added", FOLDER, &[]);
    for (index, file) in files.iter().enumerate() {
        let name = file.file_name().expect("a name").to_str().expect("text");
        add(index + 2, &format!("added/{name}"), PROGRAM, &fs::read(file)?);
    }
    add(0, "TRAILER!!!", 0, &[]);
    fs::write(&target, archive)?;
    Ok(target)
}

/// The length of an entry's head in the format `newc`: a magic word and 13 numbers of 8 hexadecimal digits.
const HEAD: usize = 6 + 13 * 8;

fn keep_what_a_shell_needs(whole: &mut impl Read, small: &mut impl Write) -> io::Result<()> {
    loop {
        let mut head = [0; HEAD];
        whole.read_exact(&mut head)?;
        let number = |index: usize| {
            let digits = std::str::from_utf8(&head[6 + index * 8..][..8]).expect("digits");
            usize::from_str_radix(digits, 16).expect("a number")
        };
        let (mode, size, name_size) = (number(1), number(6), number(11));
        // Both the name and the content fill whole words of four bytes.
        let mut name = vec![0; (HEAD + name_size).next_multiple_of(4) - HEAD];
        whole.read_exact(&mut name)?;
        let mut content = vec![0; size.next_multiple_of(4)];
        whole.read_exact(&mut content)?;
        let path = String::from_utf8_lossy(&name[..name_size - 1]).into_owned();
        if path == "TRAILER!!!" || is_needed(&path, mode) {
            small.write_all(&head)?;
            small.write_all(&name)?;
            small.write_all(&content)?;
        }
        if path == "TRAILER!!!" {
            return Ok(());
        }
    }
}

/// What the drivers of virtual devices and of USB sticks, and those that they need, have in their names.
const DRIVERS: [&str; 10] = [
    "/e1000e",
    "virtio",
    "failover",
    "usb-common",
    "usbcore",
    "xhci",
    "usb-storage",
    "/scsi/s",
    "crc",
    "t10-pi",
];

fn is_needed(path: &str, mode: usize) -> bool {
    const KIND: usize = 0o170_000;
    const DIRECTORY: usize = 0o040_000;
    const LINK: usize = 0o120_000;
    const DEVICE: usize = 0o020_000;
    let in_any = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
    match mode & KIND {
        DIRECTORY => !in_any(&["etc/", "usr/share/", "var/"]),
        LINK | DEVICE => in_any(&["bin", "sbin", "lib", "usr/", "dev/"]),
        _ if in_any(&["lib/modules/"]) => DRIVERS.iter().any(|driver| path.contains(driver)),
        _ => {
            ["bin/busybox", "bin/kmod"].contains(&path)
                || (in_any(&["lib/x86_64-linux-gnu/", "usr/lib/x86_64-linux-gnu/", "lib64/"])
                    && path.contains(".so"))
        }
    }
}
