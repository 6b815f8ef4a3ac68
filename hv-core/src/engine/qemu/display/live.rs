//! A real QEMU, its display relayed to windows. Left out, aloud, where QEMU or GRUB's rescue disc is not
//! installed.

use super::super::qmp::Client;
use crate::display::Relay;
use crate::display::tests::{DEADLINE, DisplayOnly, Opening, Peer, until};
use crate::engine::{DisplayInput, Machine};
use hv_api::display::{DisplayEvent, DisplayRequest, FrameView};
use serde_json::json;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

const QEMU: &str = "/usr/bin/qemu-system-x86_64";
const DISC: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

/// A running QEMU, ended when it is dropped. Its QMP client lives on a runtime of its own, as it does in
/// the core.
struct Qemu {
    child: Child,
    qmp: Arc<Client>,
    runtime: Runtime,
    folder: tempfile::TempDir,
}

impl Qemu {
    fn start() -> Option<Self> {
        if let Some(missing) = [QEMU, DISC].into_iter().find(|path| !Path::new(path).exists()) {
            eprintln!("skipped: {missing} is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("qmp");
        let child = Command::new(QEMU)
            .args(["-nodefaults", "-accel", "tcg", "-m", "64", "-vga", "std", "-display", "dbus,p2p=on"])
            .args(["-device", "qemu-xhci", "-device", "usb-tablet", "-cdrom", DISC])
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut stream = None;
        until("QEMU's start", || {
            stream = runtime.block_on(UnixStream::connect(&socket)).ok();
            stream.is_some()
        });
        let (qmp, _events) = runtime.block_on(Client::connect(stream.unwrap(), DEADLINE)).unwrap();
        Some(Self { child, qmp: Arc::new(qmp), runtime, folder })
    }

    fn open(&self) -> Relay {
        let qmp = self.qmp.clone();
        let machine: Arc<dyn Machine> =
            Arc::new(DisplayOnly(move |canvas| -> Opening { Box::pin(super::open(qmp.clone(), canvas)) }));
        self.runtime.block_on(Relay::open(machine, ())).unwrap()
    }

    fn call(&self, command: &str, arguments: serde_json::Value) {
        self.runtime.block_on(self.qmp.call(command, arguments)).unwrap();
    }

    /// What QEMU itself says that the display shows: width, height, and red, green, blue.
    fn screendump(&self) -> (usize, usize, Vec<u8>) {
        let file = self.folder.path().join("dump.ppm");
        self.call("screendump", json!({ "filename": file }));
        let ppm = std::fs::read(file).unwrap();
        let mut header = ppm.splitn(4, |byte| *byte == b'\n');
        assert_eq!(header.next().unwrap(), b"P6");
        let size = String::from_utf8(header.next().unwrap().to_vec()).unwrap();
        let (width, height) = size.split_once(' ').unwrap();
        assert_eq!(header.next().unwrap(), b"255");
        (width.parse().unwrap(), height.parse().unwrap(), header.next().unwrap().to_vec())
    }

    fn descriptors(&self) -> usize {
        entries(&format!("/proc/{}/fd", self.child.id()))
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// A window that shows what it is told.
struct Viewer {
    peer: Peer,
    size: (u32, u32),
    view: Option<FrameView>,
    damaged: usize,
    absolute: Option<bool>,
}

impl Viewer {
    /// A window that has seen its first picture.
    fn new(relay: &Relay) -> Self {
        let mut viewer =
            Self { peer: Peer::new(relay), size: (0, 0), view: None, damaged: 0, absolute: None };
        while viewer.view.is_none() {
            viewer.take_in();
        }
        viewer
    }

    /// Takes in what comes within this time.
    fn look(&mut self, wait: Duration) {
        let end = Instant::now() + wait;
        while self.peer.readable(end.saturating_duration_since(Instant::now())) {
            self.take_in();
        }
    }

    fn take_in(&mut self) {
        let (event, memory) = self.peer.next().expect("the display has ended");
        match event {
            DisplayEvent::Picture { width, height, stride } => {
                self.size = (width, height);
                self.view = Some(FrameView::new(memory.unwrap(), (stride * height) as usize).unwrap());
            }
            DisplayEvent::Damage(parts) => {
                let (width, height) = self.size;
                assert!(parts.iter().all(|part| part.x + part.width <= width));
                assert!(parts.iter().all(|part| part.y + part.height <= height));
                self.damaged += parts.len();
            }
            DisplayEvent::PointerAbsolute(absolute) => {
                self.absolute = Some(absolute);
                return;
            }
            _ => return,
        }
        self.peer.say(DisplayRequest::Shown);
    }

    /// The picture as QEMU dumps it.
    fn pixels(&self) -> (usize, usize, Vec<u8>) {
        let pixels = self
            .view
            .as_ref()
            .unwrap()
            .bytes()
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]);
        (self.size.0 as usize, self.size.1 as usize, pixels.collect())
    }

    /// Waits until the picture has stood still for a while, with something on it.
    fn wait_for_prompt(&mut self) {
        let start = Instant::now();
        loop {
            let before = self.pixels();
            self.look(Duration::from_millis(100));
            std::thread::sleep(Duration::from_millis(1500));
            self.look(Duration::from_millis(100));
            let lit = before.2.iter().filter(|byte| **byte > 100).count();
            // The text cursor blinks.
            if lit > 20_000 && columns(&before, &self.pixels()).len() <= 9 {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(180), "GRUB did not come up");
        }
    }
}

/// In which columns two pictures differ; in all where they have different sizes.
fn columns(one: &(usize, usize, Vec<u8>), other: &(usize, usize, Vec<u8>)) -> Vec<usize> {
    if (one.0, one.1) != (other.0, other.1) {
        return (0..one.0).collect();
    }
    let width = one.0;
    let mut columns: Vec<usize> = one
        .2
        .chunks_exact(3)
        .zip(other.2.chunks_exact(3))
        .enumerate()
        .filter(|(_, (one, other))| one != other)
        .map(|(index, _)| index % width)
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

#[test]
fn the_picture_is_what_qemu_shows_and_keys_change_it() {
    let Some(qemu) = Qemu::start() else { return };
    let relay = qemu.open();
    let mut viewer = Viewer::new(&relay);
    let opened = Instant::now();
    viewer.wait_for_prompt();
    eprintln!("GRUB's prompt after {:?}, {} damaged parts", opened.elapsed(), viewer.damaged);
    assert!(viewer.damaged > 0);
    assert!(viewer.absolute.is_some());

    let stop_and_compare = |viewer: &mut Viewer| {
        qemu.call("stop", json!({}));
        let mut dump = qemu.screendump();
        until("the same picture", || {
            viewer.look(Duration::from_millis(50));
            dump = qemu.screendump();
            dump == viewer.pixels()
        });
        dump
    };
    let before = stop_and_compare(&mut viewer);
    qemu.call("cont", json!({}));
    for _ in 0..8 {
        viewer.peer.say(DisplayRequest::Key { code: 45, down: true });
        viewer.peer.say(DisplayRequest::Key { code: 45, down: false });
    }
    // Eight letters are wider than the cursor, which blinks by itself.
    until("the letters", || {
        viewer.look(Duration::from_millis(50));
        columns(&before, &viewer.pixels()).len() > 4 * 9
    });
    stop_and_compare(&mut viewer);

    // A window that comes late sees the same.
    let late = Viewer::new(&relay);
    assert_eq!(late.pixels(), viewer.pixels());
    drop(qemu);
    until("the end of the display", || !relay.is_open());
    assert!(relay.attach().unwrap().is_none());
}

#[test]
fn coming_and_going_leaves_nothing_behind() {
    let Some(qemu) = Qemu::start() else { return };
    let round = |windows: usize| {
        let relay = qemu.open();
        let viewers: Vec<Viewer> = (0..windows).map(|_| Viewer::new(&relay)).collect();
        viewers[0].peer.say(DisplayRequest::Key { code: 30, down: true });
        drop(viewers);
        until("the relay's end", || !relay.is_open());
    };
    // Other tests of this process open and close things meanwhile, but not hundreds of them.
    let count = || (qemu.descriptors(), entries("/proc/self/fd"), entries("/proc/self/task"));
    (0..5).for_each(|_| round(1));
    let before = count();
    let start = Instant::now();
    (0..200).for_each(|index| round(1 + index % 3));
    let elapsed = start.elapsed();
    until("as few descriptors and threads as before", || {
        let now = count();
        now.0 <= before.0 + 4 && now.1 <= before.1 + 40 && now.2 <= before.2 + 40
    });
    eprintln!("200 rounds in {elapsed:?}: before {before:?}, after {:?}", count());
}

#[test]
fn a_display_that_is_closed_at_once_does_not_hold_up_qemu() {
    let Some(qemu) = Qemu::start() else { return };
    let before = qemu.descriptors();
    for _ in 0..10 {
        let qmp = qemu.qmp.clone();
        // The opening is given up at every possible point.
        for polls in 0..12 {
            let canvas = Box::new(crate::engine::qemu::display::tests::Ignoring);
            let mut opening = Box::pin(super::open(qmp.clone(), canvas));
            let _opened: Option<Box<dyn DisplayInput>> = qemu.runtime.block_on(async {
                for _ in 0..polls {
                    if let std::task::Poll::Ready(opened) = futures_util::poll!(&mut opening) {
                        return opened.ok();
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                None
            });
        }
        qemu.call("query-status", json!({}));
    }
    // QEMU keeps the last control connection, if it was given away, until the next.
    until("QEMU's letting go", || qemu.descriptors() <= before + 4);
    let relay = qemu.open();
    assert!(Viewer::new(&relay).size.0 > 0);
}
