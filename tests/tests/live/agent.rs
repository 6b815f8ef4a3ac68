//! QEMU's own agent in a real Linux: what it tells of the guest, and what it does for the core.

use crate::linux::Linux;
use crate::{eventually, installed, shown};
use hv_tests::Home;
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The agent with the libraries that it needs, among them that which loads them.
fn agent() -> Option<Vec<PathBuf>> {
    let program = installed("qemu-guest-agent", &["/usr/sbin/qemu-ga", "/usr/bin/qemu-ga"])?;
    let said = Command::new("ldd").arg(&program).output().expect("ldd").stdout;
    let said = String::from_utf8(said).expect("text");
    let libraries = said.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    Some(std::iter::once(program).chain(libraries).collect())
}

/// The year by the guest's clock.
async fn year(linux: &mut Linux) -> u64 {
    linux.number("date +%Y").await
}

#[tokio::test]
async fn an_agent_tells_addresses_and_sets_the_clock_and_shuts_the_guest_down() {
    let Some(files) = agent() else { return };
    let home = Home::new();
    let words = ["--no-disk", "--memory", "256MiB", "--cpus", "1"];
    let Some(mut linux) = Linux::boot_with(&home, "told", &words, &files).await else { return };
    assert_eq!(shown(&home, "told").await["addresses"], json!(null), "no agent runs yet");

    linux.load_virtio().await;
    for driver in ["failover", "net_failover", "virtio_net", "virtio_console"] {
        linux.load(driver).await;
    }
    let prepare = "mount -t devtmpfs dev /dev; mkdir -p /var/run /run; \
        printf '#!/bin/sh\\nexec poweroff -f\\n' > /sbin/shutdown; chmod +x /sbin/shutdown; \
        ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0 && echo well";
    assert!(linux.run(prepare).await.ends_with("well"));
    linux
        .run(
            "cd /added; ./ld-linux-x86-64.so.2 --library-path . ./qemu-ga -p /dev/vport*p1 -t /run \
            >/agent.log 2>&1 & true",
        )
        .await;
    eventually("its addresses", async || {
        let told = shown(&home, "told").await["addresses"].clone();
        told.as_array().is_some_and(|told| told.contains(&json!("10.0.2.15"))).then_some(())
    })
    .await;
    let stats = home.hv(["stats", "told", "--json"]).await.json();
    assert_eq!(stats["nics"].as_array().map(Vec::len), Some(1), "{stats}");
    assert_eq!(stats["nics"][0]["mac"], shown(&home, "told").await["nics"][0]["mac"]);

    // A clock that stood is set when the guest goes on, also in another engine.
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let now = 1970 + seconds / (365 * 24 * 3600 + 6 * 3600);
    for (stop, go_on) in [("pause", "resume"), ("save", "restore")] {
        linux.run("date -s '2001-01-01 00:00'").await;
        assert_eq!(year(&mut linux).await, 2001);
        home.hv([stop, "told"]).await.done();
        home.hv([go_on, "told"]).await.done();
        eventually(&format!("the year after {go_on}"), async || {
            (year(&mut linux).await.abs_diff(now) <= 1).then_some(())
        })
        .await;
    }

    // Nothing in it listens to the power button.
    home.hv(["shutdown", "told"]).await.done();
    home.no_engine().await;
    let state = async || (shown(&home, "told").await["state"] == "off").then_some(());
    eventually("it is off", state).await;
}
