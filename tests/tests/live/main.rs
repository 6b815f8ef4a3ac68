//! Real QEMU under emulation with real software in it, through `hv` as a person would use it. What is not
//! installed is skipped aloud.

mod agent;
mod appliances;
mod boot_menu;
mod consoles;
mod devices;
mod disks;
mod displays;
mod disposable;
mod express;
mod faults;
mod firmware;
mod host;
mod linux;
mod network;
mod physical;
mod power;
mod resources;
mod room;
mod saving;
mod snapshots;
mod statistics;
mod stopped;
mod survival;
mod trees;
mod usb;

use hv_tests::{Home, Picture, skip};
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Far longer than anything here takes to boot: a host that is busy with a build emulates ten times slower.
const BOOT: Duration = Duration::from_secs(300);

/// How long to wait between two looks at a guest, which themselves cost it time.
const LOOK: Duration = Duration::from_millis(100);

/// The first of these files that is there; says so where QEMU or all of them are not.
fn installed(package: &str, files: &[&str]) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&folders).any(|folder| folder.join("qemu-system-x86_64").exists()) {
        skip("qemu-system-x86_64 is not installed");
        return None;
    }
    let found = files.iter().map(PathBuf::from).find(|file| file.exists());
    if found.is_none() {
        skip(&format!("{package} is not installed"));
    }
    found
}

fn memtest() -> Option<PathBuf> {
    installed("memtest86+", &["/usr/lib/memtest86+/memtest86+x64.iso", "/boot/memtest86+x64.iso"])
}

/// Looks at a guest again and again until there is what is looked for.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < BOOT, "waited {} s in vain: {what}", BOOT.as_secs());
        tokio::time::sleep(LOOK).await;
    }
}

async fn shown(home: &Home, guest: &str) -> Value {
    home.hv(["show", guest, "--json"]).await.json()
}

async fn screenshot(home: &Home, guest: &str) -> Picture {
    let file = home.text(&format!("{guest}.png"));
    home.hv(["screenshot", guest, &file]).await.done();
    Picture::read(file.as_ref())
}
