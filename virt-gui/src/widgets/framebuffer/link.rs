//! The display channel on the main loop: many messages of the core at a time, and requests that wait
//! while the core reads slowly.

use gtk::glib;
use hv_api::display::{Channel, DisplayEvent, DisplayRequest};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::{Rc, Weak};
use tracing::warn;

/// How many messages are taken before the window does something else.
const BATCH: usize = 64;

/// How many requests may wait. A core that reads so slowly is about to be given up.
const WAITING: usize = 256;

/// What comes over the channel.
#[derive(Debug)]
pub enum Arrival {
    /// These, in their order; a picture with its memory.
    Events(Vec<(DisplayEvent, Option<OwnedFd>)>),
    /// Nothing more: the core has closed the channel, or what it says makes no sense.
    Closed,
}

/// The window's end of a channel. Dropping it closes the channel.
#[derive(Debug)]
pub struct Link(Rc<Inner>);

struct Inner {
    channel: Channel,
    arrived: Box<dyn Fn(Arrival)>,
    reading: Cell<Option<glib::SourceId>>,
    writing: Cell<Option<glib::SourceId>>,
    waiting: RefCell<VecDeque<DisplayRequest>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for source in [self.reading.take(), self.writing.take()].into_iter().flatten() {
            source.remove();
        }
    }
}

impl Link {
    /// Listens on a channel. `arrived` is called on the main loop, never from within this function.
    pub fn new(channel: Channel, arrived: impl Fn(Arrival) + 'static) -> Self {
        let inner = Rc::new(Inner {
            channel,
            arrived: Box::new(arrived),
            reading: Cell::default(),
            writing: Cell::default(),
            waiting: RefCell::default(),
        });
        let weak = Rc::downgrade(&inner);
        // After keys and pointer, before drawing: what is drawn is then the newest.
        let source = glib::source::unix_fd_add_local_full(
            inner.channel.as_raw_fd(),
            glib::Priority::HIGH_IDLE,
            glib::IOCondition::IN | glib::IOCondition::HUP | glib::IOCondition::ERR,
            move |_, _| read(&weak),
        );
        inner.reading.set(Some(source));
        Self(inner)
    }

    /// Sends a request, now or as soon as the core takes it.
    pub fn send(&self, request: DisplayRequest) {
        let inner = &self.0;
        let mut waiting = inner.waiting.borrow_mut();
        if waiting.len() >= WAITING {
            // What the guest would be told is no longer true anyway; it must not be left with a key down.
            let shown = waiting.contains(&DisplayRequest::Shown) || request == DisplayRequest::Shown;
            waiting.clear();
            waiting.push_back(DisplayRequest::ReleaseAll);
            waiting.extend(shown.then_some(DisplayRequest::Shown));
        } else {
            waiting.push_back(request);
        }
        drop(waiting);
        if write(inner) == Progress::Waits {
            wait_for_room(inner);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// All is sent, or can never be.
    Done,
    /// The core has to read first.
    Waits,
}

fn write(inner: &Inner) -> Progress {
    let mut waiting = inner.waiting.borrow_mut();
    while let Some(request) = waiting.front() {
        match inner.channel.send(request, None) {
            Ok(()) => {
                waiting.pop_front();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Waits,
            // Reading tells that the channel is closed.
            Err(_) => waiting.clear(),
        }
    }
    Progress::Done
}

fn wait_for_room(inner: &Rc<Inner>) {
    let source = inner.writing.take();
    let source = source.unwrap_or_else(|| {
        let weak = Rc::downgrade(inner);
        glib::source::unix_fd_add_local(inner.channel.as_raw_fd(), glib::IOCondition::OUT, move |_, _| {
            let Some(inner) = weak.upgrade() else { return glib::ControlFlow::Break };
            match write(&inner) {
                Progress::Waits => glib::ControlFlow::Continue,
                Progress::Done => {
                    inner.writing.take();
                    glib::ControlFlow::Break
                }
            }
        })
    });
    inner.writing.set(Some(source));
}

fn read(weak: &Weak<Inner>) -> glib::ControlFlow {
    let Some(inner) = weak.upgrade() else { return glib::ControlFlow::Break };
    let mut events = Vec::new();
    let mut closed = false;
    while events.len() < BATCH && !closed {
        match inner.channel.receive::<DisplayEvent>() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => closed = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                warn!(%error, "gave up a display channel");
                closed = true;
            }
        }
    }
    if !events.is_empty() {
        (inner.arrived)(Arrival::Events(events));
    }
    if closed {
        inner.reading.take();
        (inner.arrived)(Arrival::Closed);
        glib::ControlFlow::Break
    } else {
        glib::ControlFlow::Continue
    }
}
