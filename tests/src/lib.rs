//! What the tiers of tests share: private homes for processes, a runner for `hv`, a follower of the event
//! stream, and two engines that only pretend.
//!
//! - [`Home`] is a user's home that is nobody's: its folders, its environment, and every process that was
//!   started in it, which all end with it.
//! - [`Script`] tells `fake-qemu`, a program of this package that stands where QEMU would, how to misbehave;
//!   a real `hv-core` is then none the wiser.
//! - [`bus`] is a message bus, for services that only pretend.
//! - [`fake_engine`] is an engine within the test's own process, for what has to happen at an exact moment.
//! - [`FaultyDisk`] is full, or can only be read, from a chosen change on.
//! - [`PhysicalDisk`] is a disk that this computer takes for a physical one.
//! - [`FileServer`] is a mirror, or a server that never answers.
//! - [`disc`] makes discs that say what they are.
//! - [`fuzz`] is what the fuzzers do, and the tests with what they once found.
//! - [`ui`] is the window, operated as a person does.
//!
//! Nothing here knows what is tested; assertions are left to the tiers.
#![expect(clippy::missing_panics_doc, reason = "what a test can't go on without, it panics over")]

pub mod bus;
pub mod disc;
pub mod fake_engine;
mod fake_qemu;
mod faulty_disk;
mod files;
mod follower;
pub mod fuzz;
mod home;
mod ova;
mod pci;
mod physical;
mod picture;
mod process;
pub mod ui;
mod usb;

pub use fake_qemu::{Reaction, Script};
pub use faulty_disk::{DiskFault, FaultyDisk};
pub use files::FileServer;
pub use follower::Follower;
pub use home::{Core, Home, Ran};
pub use ova::{Ova, entry, header};
pub use pci::PciSlots;
pub use physical::PhysicalDisk;
pub use picture::Picture;
pub use process::{Process, program};
pub use usb::UsbPorts;

use std::time::Duration;

/// Longer than anything takes that does not hang, on a host that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition that nobody tells of is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// Says aloud that a test, or a part of it, did not take place.
#[expect(clippy::print_stdout, reason = "a runner shows it beside the test's name")]
pub fn skip(why: &str) {
    println!("SKIPPED: {why}");
}

/// Waits for something within [`PATIENCE`].
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, work).await;
    waited.unwrap_or_else(|_late| panic!("waited {} s in vain: {what}", PATIENCE.as_secs()))
}

/// Looks until there is something, within [`PATIENCE`]: for conditions that nobody tells of.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(GLANCE).await;
        }
    })
    .await
}
