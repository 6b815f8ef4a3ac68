//! One window that shows a guest's display: what it has to be told, and what it holds down.
//!
//! A window is told the picture and its changes one at a time, the next when it has shown the last. In
//! between, changes add up. Whatever its socket does not take stays due until it does. Deciding what a
//! window's keys do is left to the relay.

use super::screen::{Changes, Screen};
use hv_api::display::{Button, Channel, DisplayEvent, DisplayRequest};
use std::io;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;

/// How many requests are read from one window before the others have their turn.
const TURN: usize = 64;

/// Something that a window can hold down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A key, by its code in `input-event-codes.h`.
    Key(u16),
    /// A button of the pointer.
    Button(Button),
}

/// A window.
#[derive(Debug)]
pub struct Window {
    channel: AsyncFd<Channel>,
    due: Changes,
    /// Whether the last picture or damage has been shown.
    ready: bool,
    /// Whether the socket was full when something was last sent.
    full: bool,
    gone: bool,
    /// What the window holds down.
    pub held: Vec<Held>,
    /// What it asks for and what has not been done yet.
    pub requests: Vec<DisplayRequest>,
}

impl Window {
    /// A window that knows nothing yet. Has to be called within a runtime.
    pub fn new(channel: Channel) -> io::Result<Self> {
        #[expect(unsafe_code, reason = "tokio's way to wait for a descriptor of another type")]
        // SAFETY: a channel owns its descriptor, keeps it open until it is dropped, and never changes it.
        let channel = unsafe { AsyncFd::register(channel)? };
        Ok(Self {
            channel,
            due: Changes::all(),
            ready: true,
            full: false,
            gone: false,
            held: Vec::new(),
            requests: Vec::new(),
        })
    }

    /// Notes what has changed.
    pub fn note(&mut self, changes: &Changes) {
        self.due.add(changes);
    }

    /// Whether the window has closed its end, or does not speak as windows do.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// Says what can be said now.
    pub fn tell(&mut self, screen: &Screen) {
        if self.full || self.gone {
            return;
        }
        match self.tell_all(screen) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.full = true,
            Err(_) => self.gone = true,
        }
    }

    fn tell_all(&mut self, screen: &Screen) -> io::Result<()> {
        if self.ready && self.due.picture {
            if let Some((event, memory)) = screen.picture() {
                self.try_send(|channel| channel.send(&event, Some(memory)))?;
                self.ready = false;
                self.due.picture = false;
                self.due.damage.clear();
            }
        } else if self.ready && !self.due.damage.is_empty() {
            let event = DisplayEvent::Damage(self.due.damage.parts().to_vec());
            self.try_send(|channel| channel.send(&event, None))?;
            self.ready = false;
            self.due.damage.clear();
        }
        if self.due.cursor {
            self.send(screen.cursor())?;
            self.due.cursor = false;
        }
        if self.due.cursor_visible {
            self.send(screen.cursor_visible().as_ref())?;
            self.due.cursor_visible = false;
        }
        if self.due.pointer {
            self.send(screen.pointer().as_ref())?;
            self.due.pointer = false;
        }
        if self.due.lights {
            self.send(screen.lights())?;
            self.due.lights = false;
        }
        Ok(())
    }

    fn send(&self, event: Option<&DisplayEvent>) -> io::Result<()> {
        match event {
            Some(event) => self.try_send(|channel| channel.send(event, None)),
            None => Ok(()),
        }
    }

    /// Sends without waiting, in a way that the runtime learns of a full socket.
    fn try_send(&self, send: impl FnOnce(&Channel) -> io::Result<()>) -> io::Result<()> {
        self.channel.try_io(tokio::io::Interest::WRITABLE, send)
    }

    /// Waits until the window has said something, has gone, or can be told what it could not be told
    /// before.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.gone {
            return Poll::Ready(());
        }
        match ready!(self.poll_channel(cx)) {
            Ok(()) => {}
            Err(error) => {
                if error.kind() != io::ErrorKind::UnexpectedEof {
                    tracing::warn!(%error, "a window speaks otherwise than windows do, closing it");
                }
                self.gone = true;
            }
        }
        Poll::Ready(())
    }

    fn poll_channel(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.full && self.channel.poll_write_ready(cx)?.is_ready() {
            self.full = false;
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut readable = ready!(self.channel.poll_read_ready(cx))?;
            let mut heard = false;
            for _ in 0..TURN {
                let Ok(received) = readable.try_io(|channel| channel.get_ref().receive()) else { break };
                heard = true;
                match received? {
                    None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    Some((DisplayRequest::Shown, _)) => self.ready = true,
                    Some((request, _)) => self.requests.push(request),
                }
            }
            if heard {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
