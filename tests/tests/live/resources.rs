//! CPUs and memory as a real Linux sees them, from its start and changed while it runs.

use crate::linux::Linux;
use crate::{eventually, installed, shown};
use hv_tests::Home;

const CPUS: &str = "grep -c ^processor /proc/cpuinfo";

/// Two CPUs that hang a guest are where this program's story starts.
#[tokio::test]
async fn a_kernel_for_many_cpus_starts_with_each_number_of_them() {
    let home = Home::new();
    for cpus in ["1", "2", "4", "8"] {
        let name = format!("with {cpus}");
        let words = ["--no-disk", "--memory", "256MiB", "--cpus", cpus];
        let Some(mut linux) = Linux::boot(&home, &name, &words).await else { return };
        assert_eq!(linux.run(CPUS).await, cpus);
        home.hv(["force-off", &name]).await.done();
    }
}

#[tokio::test]
async fn a_guest_has_the_cpu_that_was_chosen() {
    let home = Home::new();
    let words = ["--no-disk", "--memory", "256MiB", "--cpus", "1"];
    let Some(mut linux) = Linux::boot(&home, "old", &words).await else { return };
    let model = "grep -m1 'model name' /proc/cpuinfo";
    assert!(linux.run(model).await.contains("QEMU"));
    let said = home.hv(["set", "old", "cpu-model=Nehalem"]).await.done();
    assert_eq!(said, "cpu-model: applied at next start (the machine has it from its start)\n");
    let unknown = home.hv(["set", "old", "cpu-model=Nehalen", "--json"]).await;
    assert_eq!(unknown.error_code(), "cpu-model-unknown");
    assert!(unknown.out.contains("Nehalem, "), "it lists those that there are: {}", unknown.out);
    home.hv(["force-off", "old"]).await.done();
    home.hv(["start", "old"]).await.done();
    let mut linux = Linux::at(&home, "old").await;
    assert!(linux.run(model).await.contains("Nehalem Class"));
    assert!(shown(&home, "old").await["pending"].as_array().is_some_and(Vec::is_empty));
}

#[tokio::test]
async fn a_running_guest_gets_cpus() {
    let home = Home::new();
    let words = ["--no-disk", "--memory", "256MiB", "--cpus", "1", "--max-cpus", "4"];
    let Some(mut linux) = Linux::boot(&home, "growing", &words).await else { return };
    assert_eq!(linux.run(CPUS).await, "1");
    assert_eq!(home.hv(["set", "growing", "cpus=3"]).await.done(), "cpus: applied now\n");
    // Systems with udev do this themselves.
    eventually("three CPUs", async || {
        linux.run("for cpu in 1 2; do echo 1 > /sys/devices/system/cpu/cpu$cpu/online; done").await;
        (linux.run(CPUS).await == "3").then_some(())
    })
    .await;
    let guest = shown(&home, "growing").await;
    assert_eq!((&guest["cpus"], &guest["pending"]), (&3.into(), &serde_json::json!([])));

    // Emulation can't take one away, and says so before and after.
    assert_eq!(guest["live"]["cpus_lowest"], 3);
    let said = home.hv(["set", "growing", "cpus=2"]).await.done();
    assert_eq!(said, "cpus: applied at next start (the engine can't do it while the guest runs)\n");
    assert_eq!(linux.run(CPUS).await, "3");
}

#[tokio::test]
async fn a_running_guest_is_given_less_memory_and_then_more() {
    let home = Home::new();
    let words = ["--no-disk", "--memory", "384MiB", "--max-memory", "1GiB", "--cpus", "1"];
    let Some(mut linux) = Linux::boot(&home, "breathing", &words).await else { return };
    linux.load_virtio().await;
    linux.load("virtio_balloon").await;
    linux.run("echo online > /sys/devices/system/memory/auto_online_blocks").await;
    // In MiB. What the kernel keeps for itself is not in it.
    const TOTAL: &str = "echo $(($(sed -n 's/MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo) / 1024))";
    let kept = 384 - linux.number(TOTAL).await;
    for memory in [256, 1024, 320, 1024] {
        let setting = format!("memory={memory}MiB");
        assert_eq!(home.hv(["set", "breathing", &setting]).await.done(), "memory: applied now\n");
        eventually(&format!("a guest with {memory} MiB"), async || {
            let has = linux.number(TOTAL).await + kept;
            // To account for a module takes memory as well.
            (memory - 24..=memory + 8).contains(&has).then_some(())
        })
        .await;
        eventually(&format!("a guest that is told to have {memory} MiB"), async || {
            let guest = shown(&home, "breathing").await;
            (guest["memory_now"] == memory << 20).then_some(())
        })
        .await;
    }
    // What was added is there again in another machine, which can have less and more as well.
    home.hv(["save", "breathing"]).await.done();
    home.hv(["restore", "breathing"]).await.done();
    let guest = shown(&home, "breathing").await;
    assert_eq!((guest["memory"].as_u64(), &guest["pending"]), (Some(1024 << 20), &serde_json::json!([])));
    for memory in [320, 1024] {
        home.hv(["set", "breathing", &format!("memory={memory}MiB")]).await.done();
        eventually(&format!("a guest with {memory} MiB"), async || {
            let has = linux.number(TOTAL).await + kept;
            (memory - 24..=memory + 8).contains(&has).then_some(())
        })
        .await;
    }
    // More than the machine has room for waits, and a start gives it.
    let said = home.hv(["set", "breathing", "max-memory=2GiB", "memory=1536MiB"]).await.done();
    assert!(said.contains("max-memory: applied at next start"), "{said}");
    assert!(
        said.contains("memory: applied at next start (the running machine was prepared for less)"),
        "{said}"
    );
}

/// Seen from the engine's side: the installer's small system has no driver for these disks.
#[tokio::test]
async fn the_disk_of_a_running_guest_grows() {
    if installed("qemu-system-x86", &["/usr/share/seabios/bios-256k.bin"]).is_none() {
        return;
    }
    let home = Home::new();
    home.hv(["create", "growing", "--empty", "--disk", "64MiB", "--memory", "64MiB", "--start"]).await.done();
    home.hv(["disk", "growing", "grow", "96MiB"]).await.done();
    assert_eq!(shown(&home, "growing").await["disks"][0]["size"], 96 << 20);
    home.hv(["force-off", "growing"]).await.done();
    home.hv(["disk", "growing", "grow", "128MiB"]).await.done();
    home.hv(["start", "growing"]).await.done();
    assert_eq!(shown(&home, "growing").await["disks"][0]["size"], 128 << 20);
}
