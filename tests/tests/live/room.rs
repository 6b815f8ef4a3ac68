//! The host's disk fills while a real Linux writes to it: it stands, says how much is missing, and goes on when there is
//! room, with nothing lost.

use crate::linux::Linux;
use crate::{eventually, shown};
use hv_tests::{Home, skip};

#[tokio::test]
async fn a_guest_stands_while_the_hosts_disk_is_full_and_goes_on_with_nothing_lost() {
    let home = Home::new();
    // A file system of the core's own, too small for the disk, that goes with it.
    let data = home.text("data");
    let small = format!("mount -t tmpfs -o size=12m,mode=0700 none {data} && exec \"$0\"");
    let wrapper = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &small];
    let tried = home.run(home.command(wrapper[0]).args(&wrapper[1..]).arg("true")).await;
    if tried.code != 0 {
        skip(&format!("no file system can be mounted here: {}", tried.err));
        return;
    }
    let core = home.core_under(&wrapper).await;
    let words = ["--no-disk", "--memory", "256MiB", "--cpus", "1"];
    let Some(mut linux) = Linux::boot(&home, "full", &words).await else { return };
    linux.load_usb_storage().await;
    let add = ["disk", "full", "add", "--size", "32MiB", "--bus", "usb"];
    assert_eq!(home.hv(add).await.done(), "disk0: added now\n");
    eventually("the stick", async || linux.run("ls /sys/block").await.contains("sda").then_some(())).await;
    linux.run("mount -t devtmpfs none /dev").await;
    linux.run("dd if=/dev/urandom of=/data bs=64k count=384 2>/dev/null").await;
    let written = linux.run("dd if=/data of=/dev/sda bs=64k conv=fsync 2>/dev/null && echo written");
    let (written, ()) = tokio::join!(written, make_room_when_it_stands(&home, core.pid()));
    assert_eq!(written, "written");
    let read = "echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/sda bs=64k count=384 2>/dev/null | cmp - /data \
                && echo same";
    assert_eq!(linux.run(read).await, "same");
    home.hv(["force-off", "full"]).await.done();
}

async fn make_room_when_it_stands(home: &Home, core: u32) {
    let guest = eventually("a full disk", async || {
        let guest = shown(home, "full").await;
        (guest["reason"] == "disk-full" && !guest["room"].is_null()).then_some(guest)
    })
    .await;
    assert_eq!(guest["state"], "paused");
    let room = |key: &str| guest["room"][key].as_u64().expect("a number") >> 20;
    assert!(room("free") < 2, "{guest}");
    assert!((8..32).contains(&room("missing")), "{guest}");
    assert_eq!(guest["room"]["needed"], guest["room"]["missing"], "{guest}");
    let told = home.hv(["show", "full"]).await.done();
    assert!(told.contains("is free in") && told.contains("of room on the host"), "{told}");

    let mut more = home.command("nsenter");
    more.args(["--target", &core.to_string(), "--user", "--mount", "--preserve-credentials"]);
    more.args(["mount", "-o", "remount,size=96m", &home.text("data")]);
    home.run(&mut more).await.done();
    eventually("it to go on", async || (shown(home, "full").await["state"] == "running").then_some(())).await;
}
