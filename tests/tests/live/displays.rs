//! Guests with a display: they boot from discs, show something, and take keys.

use crate::{eventually, installed, memtest, screenshot, shown};
use hv_tests::{Home, Picture};

/// How many pixels show something, on a screen that is black for the most part.
fn lit(picture: &Picture) -> usize {
    picture.count(|pixel| pixel != [0; 3])
}

/// Whether most of the screen is blue, as memtest86+ has it.
fn is_blue(picture: &Picture) -> bool {
    let blue = picture.count(|[red, green, blue]| red == 0 && green == 0 && blue > 100);
    blue * 2 > (picture.width * picture.height) as usize
}

#[tokio::test]
async fn a_disc_boots_and_all_that_can_be_done_to_its_guest_is_done() {
    let Some(iso) = memtest() else { return };
    let iso = iso.to_str().expect("UTF-8");
    let home = Home::new();
    let words =
        ["create", "memtest", "--iso", iso, "--no-disk", "--memory", "64MiB", "--cpus", "1", "--start"];
    home.hv(words).await.done();
    let guest = shown(&home, "memtest").await;
    assert_eq!(guest["state"], "running");
    let pid = guest["pid"].clone();

    let is_up = async || Some(screenshot(&home, "memtest").await).filter(is_blue);
    let picture = eventually("memtest86+ on the screen", is_up).await;
    assert!(picture.width >= 640 && picture.height >= 400 && picture.colours() >= 3, "{}", picture.colours());

    home.hv(["pause", "memtest"]).await.done();
    let still = screenshot(&home, "memtest").await;
    assert_eq!(shown(&home, "memtest").await["state"], "paused");
    // Its clock and its progress stand.
    for _ in 0..3 {
        assert_eq!(screenshot(&home, "memtest").await, still);
    }
    home.hv(["resume", "memtest"]).await.done();
    eventually("its clock going on", async || {
        (screenshot(&home, "memtest").await.difference(&still) > 0).then_some(())
    })
    .await;

    home.hv(["media", "memtest", "eject", "--force"]).await.done();
    assert!(shown(&home, "memtest").await["media"][0]["path"].is_null());
    home.hv(["media", "memtest", "insert", iso]).await.done();
    assert_eq!(shown(&home, "memtest").await["media"][0]["path"], iso);

    home.hv(["restart", "memtest"]).await.done();
    eventually("its screen cleared by the firmware", async || {
        (!is_blue(&screenshot(&home, "memtest").await)).then_some(())
    })
    .await;
    eventually("memtest86+ on the screen again", is_up).await;
    assert_eq!(shown(&home, "memtest").await["pid"], pid);

    home.hv(["force-off", "memtest"]).await.done();
    home.no_engine().await;
    let guest = shown(&home, "memtest").await;
    assert_eq!((&guest["state"], &guest["reason"]), (&"off".into(), &"forced-off".into()));
    home.hv(["delete", "memtest", "--with-disks"]).await.done();
}

#[tokio::test]
async fn what_is_typed_arrives() {
    let Some(iso) = installed("grub-rescue-pc", &["/usr/lib/grub-rescue/grub-rescue-cdrom.iso"]) else {
        return;
    };
    let home = Home::new();
    let iso = iso.to_str().expect("UTF-8");
    let words =
        ["create", "grub", "--iso", iso, "--no-disk", "--nic", "none", "--memory", "64MiB", "--start"];
    home.hv(words).await.done();
    // A menu with a bright bar over its first entry.
    let until = async |what: &str, fits: fn(usize) -> bool| {
        eventually(what, async || Some(screenshot(&home, "grub").await).filter(|now| fits(lit(now)))).await
    };
    let menu = until("the menu", |lit| lit > 15_000).await;
    home.hv(["key", "grub", "down"]).await.done();
    eventually("the bar on the next entry", async || {
        (screenshot(&home, "grub").await.difference(&menu) > 5000).then_some(())
    })
    .await;
    home.hv(["key", "grub", "c"]).await.done();
    let before = until("the prompt", |lit| (500..12_000).contains(&lit)).await;
    home.hv(["type", "grub", "echo WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"]).await.done();
    let grown = |by: usize, than: &Picture| {
        let than = lit(than) + by;
        let home = &home;
        async move {
            eventually("more on the screen", async || {
                Some(screenshot(home, "grub").await).filter(|now| lit(now) > than)
            })
            .await
        }
    };
    let typed = grown(1500, &before).await;
    // The line is carried out: the same is there once more.
    home.hv(["key", "grub", "enter"]).await.done();
    grown(1000, &typed).await;
    home.hv(["type", "grub", "clear\n"]).await.done();
    let cleared = until("a screen without it", |lit| lit < 1000).await;
    // Capital letters and signs need two keys at once.
    home.hv(["type", "grub", "echo \"{}|~A_%\""]).await.done();
    grown(100, &cleared).await;
    home.hv(["key", "grub", "ctrl+alt+delete"]).await.done();
    assert_eq!(shown(&home, "grub").await["state"], "running");
    home.hv(["force-off", "grub"]).await.done();
    home.no_engine().await;
}

#[tokio::test]
async fn a_small_disc_shows_what_it_prints() {
    let Some(iso) = installed("ipxe", &["/usr/lib/ipxe/ipxe.iso"]) else { return };
    let home = Home::new();
    let iso = iso.to_str().expect("UTF-8");
    let words = ["create", "ipxe", "--iso", iso, "--no-disk", "--memory", "128MiB", "--start", "--json"];
    home.hv(words).await.done();
    eventually("text on the screen", async || {
        let picture = screenshot(&home, "ipxe").await;
        (picture.colours() > 1 && lit(&picture) > 2000).then_some(())
    })
    .await;
    // What the firmware and iPXE say to a power button is nothing; the guest runs on until it is forced.
    home.hv(["shutdown", "ipxe"]).await.done();
    assert_eq!(shown(&home, "ipxe").await["state"], "shutting-down");
    home.hv(["force-off", "ipxe"]).await.done();
    home.no_engine().await;
}
