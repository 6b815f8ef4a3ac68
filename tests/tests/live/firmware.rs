//! UEFI firmware, its variable store, Secure Boot and the TPM, as guests find them.

use crate::{eventually, installed, shown};
use hv_tests::{Home, Process, until};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};

/// What Debian's packages call them; other distributions have other names, and these tests skip there.
const PLAIN: &str = "/usr/share/qemu/firmware/60-edk2-x86_64.json";
const SECURE: &str = "/usr/share/qemu/firmware/40-edk2-x86_64-secure-enrolled.json";
const KERNELS: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";

/// A serial console to type into.
struct Console {
    _hv: Child,
    input: ChildStdin,
}

impl Console {
    fn open(home: &Home, guest: &str) -> Self {
        let mut command = home.command(hv_tests::program("hv"));
        let mut hv =
            command.args(["console", guest]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("hv");
        let input = hv.stdin.take().expect("its input");
        Self { _hv: hv, input }
    }

    async fn enter(&mut self, line: &str) {
        self.input.write_all(format!("{line}\r").as_bytes()).await.expect("it reads");
    }
}

async fn log_with(home: &Home, guest: &str, text: &str) -> String {
    eventually(text, async || {
        let log = home.hv(["log", guest, "--serial", "0"]).await.done();
        log.contains(text).then_some(log)
    })
    .await
}

/// Waits for the shell of the firmware itself, to which it comes where nothing else can be started.
async fn shell(home: &Home) -> Console {
    log_with(home, "one", "Shell>").await;
    Console::open(home, "one")
}

#[tokio::test]
async fn a_guest_reaches_its_uefi_firmware_which_remembers_what_it_is_told() {
    if installed("ovmf", &[PLAIN]).is_none() {
        return;
    }
    let home = Home::new();
    let words = ["create", "one", "--empty", "--no-disk", "--firmware", "uefi", "--memory", "256MiB"];
    home.hv(words.iter().chain(&["--nic", "none", "--cpus", "1", "--start"])).await.done();
    assert_eq!(shown(&home, "one").await["firmware"], "uefi");
    let mut console = shell(&home).await;
    console.enter("setvar Guesthouse -guid 5f0c2a52-9a3e-4a75-b7d5-0c8b8f6d1e11 -nv -bs =0x42").await;
    console.enter("setvar Guesthouse -guid 5f0c2a52-9a3e-4a75-b7d5-0c8b8f6d1e11").await;
    log_with(&home, "one", "0001 Bytes").await;
    home.hv(["force-off", "one"]).await.done();

    // BIOS and back: what the firmware knew is kept.
    home.hv(["set", "one", "firmware=bios"]).await.done();
    home.hv(["start", "one"]).await.done();
    home.hv(["force-off", "one"]).await.done();
    home.hv(["set", "one", "firmware=uefi"]).await.done();
    home.hv(["start", "one"]).await.done();
    let mut console = shell(&home).await;
    console.enter("setvar Guesthouse -guid 5f0c2a52-9a3e-4a75-b7d5-0c8b8f6d1e11").await;
    log_with(&home, "one", "0001 Bytes").await;
    home.hv(["force-off", "one"]).await.done();
}

#[tokio::test]
async fn a_guest_sees_secure_boot_and_its_tpm() {
    let kernel = format!("{KERNELS}/linux");
    if installed("ovmf", &[SECURE]).is_none()
        || installed("debian-installer-12-netboot-amd64", &[&kernel]).is_none()
        || installed("swtpm", &["/usr/bin/swtpm"]).is_none()
    {
        return;
    }
    let initrd = format!("{KERNELS}/initrd.gz");
    let home = Home::new();
    let core = home.core().await;
    let mut create = home.command(hv_tests::program("hv"));
    create.args(["create", "one", "--no-disk", "--memory", "512MiB", "--cpus", "1", "--nic", "none"]);
    create.args(["--secure-boot", "--tpm", "--start", "--kernel", &kernel, "--initrd", &initrd]);
    create.args(["--append", "console=ttyS0 rdinit=/bin/sh"]);
    home.run(&mut create).await.done();
    let log = log_with(&home, "one", "BusyBox").await;
    assert!(log.contains("secureboot: Secure boot enabled"), "{log}");
    assert!(log.contains("ACPI: TPM2"), "{log}");

    // Both processes outlive the core, and the TPM ends with the machine.
    let tpm = home.tpms().pop().expect("its TPM");
    core.kill().await;
    assert_eq!(shown(&home, "one").await["state"], "running");
    let mut console = Console::open(&home, "one");
    console.enter("mount -t sysfs s /sys; cat /sys/class/tpm/tpm0/tpm_version_major; echo en''d").await;
    let log = log_with(&home, "one", "\nend").await;
    assert!(log.contains("\n2\r"), "{log}");
    assert_eq!(home.tpms().iter().map(Process::pid).collect::<Vec<_>>(), [tpm.pid()]);
    home.hv(["restart", "one"]).await.done();
    home.hv(["force-off", "one"]).await.done();
    until("the end of its TPM", || home.tpms().is_empty().then_some(())).await;

    // At once again, and killed as a whole.
    home.hv(["start", "one"]).await.done();
    home.engines().iter().for_each(Process::kill);
    until("the end of its TPM", || home.tpms().is_empty().then_some(())).await;
}

#[tokio::test]
async fn every_kind_of_firmware_starts_with_and_without_a_tpm() {
    if installed("ovmf", &[SECURE]).is_none() || installed("swtpm", &["/usr/bin/swtpm"]).is_none() {
        return;
    }
    let home = Home::new();
    let words = ["create", "one", "--empty", "--no-disk", "--memory", "128MiB", "--cpus", "1"];
    home.hv(words).await.done();
    for firmware in ["firmware=bios", "firmware=uefi", "secure-boot=true"] {
        for tpm in ["tpm=true", "tpm=false"] {
            home.hv(["set", "one", firmware, tpm]).await.done();
            home.hv(["start", "one"]).await.done();
            assert_eq!(home.tpms().len(), usize::from(tpm == "tpm=true"), "{firmware} {tpm}");
            home.hv(["force-off", "one"]).await.done();
            until("the end of its TPM", || home.tpms().is_empty().then_some(())).await;
        }
    }
}

/// How long a guest takes from its start to its first program, and with which kernel it was started.
async fn start_of_a_kernel(home: &Home) -> (std::time::Duration, String) {
    let begun = std::time::Instant::now();
    home.hv(["start", "one"]).await.done();
    log_with(home, "one", "BusyBox").await;
    let taken = begun.elapsed();
    let pid = shown(home, "one").await["pid"].clone();
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).expect("it runs");
    let mut words = line.split(|byte| *byte == 0).skip_while(|word| *word != b"-kernel");
    let kernel = String::from_utf8_lossy(words.nth(1).expect("a kernel")).into_owned();
    home.hv(["force-off", "one"]).await.done();
    (taken, kernel)
}

#[tokio::test]
async fn a_kernel_is_started_in_the_form_that_is_the_quickest() {
    let kernel = format!("{KERNELS}/linux");
    if installed("debian-installer-12-netboot-amd64", &[&kernel]).is_none() {
        return;
    }
    let home = Home::new();
    let words =
        ["create", "one", "--empty", "--no-disk", "--memory", "512MiB", "--cpus", "1", "--nic", "none"];
    home.hv(words).await.done();
    let refused = home.hv(["set", "one", "append=quiet", "--json"]).await;
    assert_eq!(refused.error_code(), "option-needs");
    let (image, initrd) = (format!("kernel={kernel}"), format!("initrd={KERNELS}/initrd.gz"));
    home.hv(["set", "one", &image, &initrd, "append=console=ttyS0 rdinit=/bin/sh"]).await.done();
    let (_, first) = start_of_a_kernel(&home).await;
    assert!(first.starts_with(&home.text("cache/guesthouse/kernels/")), "{first}");
    let (quick, again) = start_of_a_kernel(&home).await;
    assert_eq!(first, again);
    println!("unpacked: {quick:?}");

    // UEFI firmware takes the packed one only.
    if installed("ovmf", &[PLAIN]).is_some() {
        home.hv(["set", "one", "firmware=uefi"]).await.done();
        let (slow, packed) = start_of_a_kernel(&home).await;
        assert_eq!(packed, kernel);
        println!("by UEFI: {slow:?}");
    }
    home.hv(["set", "one", "kernel="]).await.done();
    assert!(shown(&home, "one").await["append"].is_null());
}
