//! A serial port on the main loop: reads what the guest writes in steps that leave the window time to
//! draw, and writes what is typed as fast as the guest takes it.
//!
//! Nothing is kept here of what the guest writes: while the window is busy it stays in the socket, and
//! once that is full, in the core, which bounds it.

use gtk::glib;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::{Rc, Weak};
use std::time::Duration;
use tracing::warn;

/// How much is read at once. The terminal works it off in one go.
const STEP: usize = 64 * 1024;

/// After a step of at least this size the next one waits: the guest writes a lot.
const LARGE_STEP: usize = 4 * 1024;

/// For how long.
const PAUSE: Duration = Duration::from_millis(12);

/// How much of what is typed or pasted may wait for the guest. More is dropped.
const TYPED_LIMIT: usize = 256 * 1024;

/// What comes from the port.
#[derive(Debug)]
pub enum Arrival<'a> {
    /// The guest wrote this.
    Bytes(&'a [u8]),
    /// That was all for now.
    Quiet,
    /// The core has closed the port.
    Closed,
}

/// An open port. Dropping it closes it.
#[derive(Debug)]
pub struct Port(Rc<Inner>);

struct Inner {
    socket: UnixStream,
    arrived: Box<dyn Fn(Arrival<'_>)>,
    reading: Cell<Option<glib::SourceId>>,
    writing: Cell<Option<glib::SourceId>>,
    typed: RefCell<VecDeque<u8>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for source in [self.reading.take(), self.writing.take()].into_iter().flatten() {
            source.remove();
        }
    }
}

impl Port {
    /// Opens the port behind a stream socket. `arrived` is called on the main loop, never from within
    /// this function.
    ///
    /// # Errors
    /// Where the descriptor is not a socket that can be read without waiting.
    pub fn new(socket: OwnedFd, arrived: impl Fn(Arrival<'_>) + 'static) -> io::Result<Self> {
        let socket = UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        let inner = Rc::new(Inner {
            socket,
            arrived: Box::new(arrived),
            reading: Cell::default(),
            writing: Cell::default(),
            typed: RefCell::default(),
        });
        listen(&inner);
        Ok(Self(inner))
    }

    /// Types these bytes.
    pub fn write(&self, bytes: &[u8]) {
        let inner = &self.0;
        let mut typed = inner.typed.borrow_mut();
        if typed.len() + bytes.len() > TYPED_LIMIT {
            warn!(bytes = bytes.len(), "dropped what was typed, as the guest does not read its serial port");
            return;
        }
        typed.extend(bytes);
        drop(typed);
        if !write(inner) {
            wait_for_room(inner);
        }
    }
}

/// Reads as soon as there is something to read.
fn listen(inner: &Rc<Inner>) {
    let weak = Rc::downgrade(inner);
    // After keys and pointer, but before drawing: a display that is slow to draw would else leave the
    // port unread for ever. The pauses leave the drawing its time.
    let source = glib::source::unix_fd_add_local_full(
        inner.socket.as_raw_fd(),
        glib::Priority::HIGH_IDLE,
        glib::IOCondition::IN | glib::IOCondition::HUP | glib::IOCondition::ERR,
        move |_, _| read(&weak),
    );
    inner.reading.set(Some(source));
}

fn read(weak: &Weak<Inner>) -> glib::ControlFlow {
    let Some(inner) = weak.upgrade() else { return glib::ControlFlow::Break };
    let mut bytes = vec![0; STEP];
    let length = match (&inner.socket).read(&mut bytes) {
        Ok(0) => None,
        Ok(length) => Some(length),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            return glib::ControlFlow::Continue;
        }
        Err(_) => None,
    };
    let Some(length) = length else {
        inner.reading.take();
        (inner.arrived)(Arrival::Closed);
        return glib::ControlFlow::Break;
    };
    (inner.arrived)(Arrival::Bytes(&bytes[..length]));
    if length < STEP {
        (inner.arrived)(Arrival::Quiet);
    }
    if length < LARGE_STEP {
        return glib::ControlFlow::Continue;
    }
    // A timer and not the next frame: a terminal that nobody sees has no frames.
    let weak = weak.clone();
    let source = glib::timeout_add_local_once(PAUSE, move || {
        if let Some(inner) = weak.upgrade() {
            inner.reading.take();
            listen(&inner);
        }
    });
    inner.reading.set(Some(source));
    glib::ControlFlow::Break
}

/// Writes what the guest takes. True where nothing is left.
fn write(inner: &Inner) -> bool {
    let mut typed = inner.typed.borrow_mut();
    while !typed.is_empty() {
        let (front, _) = typed.as_slices();
        match (&inner.socket).write(front) {
            Ok(length) => drop(typed.drain(..length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Reading tells that the port is closed.
            Err(_) => typed.clear(),
        }
    }
    true
}

fn wait_for_room(inner: &Rc<Inner>) {
    let source = inner.writing.take().unwrap_or_else(|| {
        let weak = Rc::downgrade(inner);
        glib::source::unix_fd_add_local(inner.socket.as_raw_fd(), glib::IOCondition::OUT, move |_, _| {
            let Some(inner) = weak.upgrade() else { return glib::ControlFlow::Break };
            if write(&inner) {
                inner.writing.take();
                glib::ControlFlow::Break
            } else {
                glib::ControlFlow::Continue
            }
        })
    });
    inner.writing.set(Some(source));
}

#[cfg(test)]
impl Port {
    /// Whether nothing waits to be written.
    pub fn is_idle(&self) -> bool {
        self.0.typed.borrow().is_empty()
    }
}
