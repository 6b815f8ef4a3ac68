//! What tests of widgets need: the toolkit's thread, and a way to wait.

use gtk::glib;
use hv_api::{ByteSize, DiskBus, DiskCache, DiskInfo, GuestId, GuestInfo, GuestState, PendingChange};
use std::panic::UnwindSafe;
use std::time::{Duration, Instant};

/// How long a test waits for anything.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test on the toolkit's thread. Without a display it is skipped, which it says.
pub fn with_display(test: impl FnOnce() + Send + UnwindSafe + 'static) {
    let displays = ["DISPLAY", "WAYLAND_DISPLAY"];
    if displays.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
        eprintln!("SKIPPED: no display; run the tests under xvfb-run");
        return;
    }
    gtk::test_synced(test);
}

/// Runs the main loop until `reached` says true.
pub fn until(what: &str, reached: impl Fn() -> bool) {
    let context = glib::MainContext::default();
    let begun = Instant::now();
    // So that the loop wakes up and the deadline is seen even where nothing happens.
    let pulse = glib::timeout_add_local(Duration::from_millis(5), || glib::ControlFlow::Continue);
    while !reached() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain until {what}");
        context.iteration(true);
    }
    pulse.remove();
}

/// A disk as most are.
pub fn disk(name: &str) -> DiskInfo {
    DiskInfo {
        name: name.into(),
        path: format!("/guests/one/{name}.qcow2"),
        partitions: Vec::new(),
        format: "qcow2".into(),
        size: Some(ByteSize::gib(20)),
        used: Some(ByteSize::gib(3)),
        backing: Vec::new(),
        bus: DiskBus::Virtio,
        cache: DiskCache::Writeback,
        discard: true,
        serial: None,
        read_only: false,
        shareable: false,
        own: true,
        removable: false,
    }
}

/// A guest with this name in this state, and with little else.
pub fn guest(name: &str, state: GuestState) -> GuestInfo {
    GuestInfo {
        cpus: 2,
        memory: ByteSize::gib(2),
        serial_ports: 1,
        ..GuestInfo::new(GuestId::random(), name, state)
    }
}

/// A setting that waits for the next start.
pub fn change(key: &str, now: &str, next: &str) -> PendingChange {
    PendingChange { key: key.into(), now: now.into(), next: next.into() }
}
