//! Real guests that are put back to what they were.

use crate::linux::Linux;
use crate::{eventually, installed, shown};
use hv_tests::Home;

#[tokio::test]
async fn a_linux_guest_knows_again_what_it_knew_then() {
    let home = Home::new();
    let _core = home.core().await;
    let words = ["--memory", "256MiB", "--cpus", "1", "--disk", "64MiB"];
    let Some(mut linux) = Linux::boot(&home, "linux", &words).await else { return };
    linux.run("x=first").await;
    home.hv(["snapshot", "linux", "take", "first"]).await.done();
    assert_eq!(shown(&home, "linux").await["state"], "running");
    linux.run("x=second").await;
    home.hv(["snapshot", "linux", "take", "second"]).await.done();
    linux.run("x=third").await;

    for name in ["first", "second"] {
        home.hv(["snapshot", "linux", "restore", name]).await.done();
        assert_eq!(shown(&home, "linux").await["state"], "running");
        assert_eq!(linux.run("echo $x").await, name);
    }
    // One that is saved is kept with its memory, and goes on from either.
    home.hv(["save", "linux"]).await.done();
    home.hv(["snapshot", "linux", "take", "saved"]).await.done();
    home.hv(["start", "linux"]).await.done();
    linux.run("x=fourth").await;
    home.hv(["snapshot", "linux", "restore", "saved"]).await.done();
    assert_eq!(linux.run("echo $x").await, "second");
    home.hv(["snapshot", "linux", "delete", "saved"]).await.done();
    // A guest that stands can be kept more than once, and its disks are its own in between.
    home.hv(["pause", "linux"]).await.done();
    for name in ["standing", "still standing"] {
        home.hv(["snapshot", "linux", "take", name]).await.done();
        assert_eq!(shown(&home, "linux").await["state"], "paused");
    }
    home.hv(["snapshot", "linux", "delete", "standing"]).await.done();
    home.hv(["disk", "linux", "grow", "96MiB"]).await.done();
    home.hv(["resume", "linux"]).await.done();
    assert_eq!(linux.run("echo $x").await, "second");
    home.hv(["snapshot", "linux", "delete", "still standing"]).await.done();
    // What the deleted one had goes out of the disk while the guest runs, and the other is whole.
    home.hv(["snapshot", "linux", "delete", "second"]).await.done();
    home.hv(["snapshot", "linux", "restore", "first", "--paused"]).await.done();
    assert_eq!(shown(&home, "linux").await["state"], "paused");
    home.hv(["resume", "linux"]).await.done();
    assert_eq!(linux.run("echo $x").await, "first");
    home.hv(["force-off", "linux"]).await.done();
    home.no_engine().await;
    let disk = shown(&home, "linux").await["disks"][0]["path"].as_str().expect("a path").to_owned();
    let kept =
        std::process::Command::new("qemu-img").args(["snapshot", "-l", &disk]).output().expect("qemu-img");
    assert_eq!(String::from_utf8_lossy(&kept.stdout).lines().count(), 3, "{kept:?}");
}

/// The variables of its firmware and what its TPM knows are part of it.
#[tokio::test]
async fn a_guest_with_uefi_firmware_and_a_tpm_goes_on_from_a_snapshot() {
    let firmware = "/usr/share/OVMF/OVMF_CODE_4M.fd";
    if installed("ovmf", &[firmware]).is_none() || installed("swtpm", &["/usr/bin/swtpm"]).is_none() {
        return;
    }
    let iso = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";
    let Some(iso) = installed("grub-rescue-pc", &[iso]) else { return };
    let iso = iso.to_str().expect("UTF-8").to_owned();
    let home = Home::new();
    let _core = home.core().await;
    let words =
        ["create", "one", "--iso", &iso, "--disk", "64MiB", "--memory", "256MiB", "--firmware", "uefi"];
    home.hv(words.iter().chain(&["--tpm", "--start"])).await.done();
    let picture = home.path("one.png");
    let picture = picture.to_str().expect("UTF-8");
    eventually("a display", async || (home.hv(["screenshot", "one", picture]).await.code == 0).then_some(()))
        .await;
    home.hv(["snapshot", "one", "take", "running"]).await.done();
    home.hv(["force-off", "one"]).await.done();
    home.hv(["snapshot", "one", "take", "off"]).await.done();
    for (name, state) in [("running", "running"), ("off", "off"), ("running", "running")] {
        home.hv(["snapshot", "one", "restore", name]).await.done();
        assert_eq!(shown(&home, "one").await["state"], state, "{name}");
    }
    let clone = ["clone", "one", "two", "--snapshot", "off"];
    assert_eq!(home.hv(clone).await.code, 1, "its disks are in use");
    home.hv(["force-off", "one"]).await.done();
    home.hv(clone).await.done();
    home.hv(["start", "two"]).await.done();
    home.hv(["force-off", "two"]).await.done();
    home.no_engine().await;
}
