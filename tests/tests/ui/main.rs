//! The tier of the window: the real programs on a screen of their own, used as a person uses them.
//!
//! Each test is a visit that goes through several things, because a screen, a bus and two programs take
//! longer to start than most of what is then looked at.

mod boot;
mod disks;
mod guest;
mod journey;
mod library;
mod network;
mod pci;
mod snapshots;
mod usage;
mod usb;
mod wizard;

use hv_tests::ui::{Desktop, on_desktop};
use std::path::Path;

/// A boot loader's rescue disc: it waits at a prompt, and its picture stands still.
const DISC: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

/// Runs a visit.
async fn visit(name: &str, steps: impl AsyncFnOnce(&Desktop)) {
    on_desktop(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui"), name, steps).await;
}

/// Whether a test can't take place, which is then said aloud.
fn disc_is_missing() -> bool {
    let missing = !Path::new(DISC).is_file();
    if missing {
        hv_tests::skip(&format!("{DISC} (package grub-rescue-pc) is not installed"));
    }
    missing
}
