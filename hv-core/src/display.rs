//! The relay between an engine's display and the windows that show it.
//!
//! One [`Relay`] belongs to one guest while somebody looks at it. It owns a thread, with a runtime of its
//! own, so that no frame ever holds up the rest of the core: there the engine draws on a
//! [`screen`], and each [`window`] is told what has changed as fast as it can show it. A window that is
//! slow sees fewer pictures; one that has stopped costs nothing; one that talks nonsense is closed. Keys
//! and pointer go the other way, and what a window holds down is let go when it leaves.
//!
//! The relay ends when its last window has gone or the engine shows nothing any more; its windows then
//! read the end of their channels. Opening another is left to the guest's task.

mod screen;
mod window;

use crate::engine::{DisplayInput, EngineError, Machine};
use hv_api::display::{Channel, DisplayRequest, PICTURE_LIMIT};
use screen::{Brush, SharedScreen};
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use window::{Held, Window};

/// The most windows of one guest.
const WINDOW_LIMIT: usize = 32;

/// The highest code of a key in `input-event-codes.h`.
const KEY_LIMIT: u16 = 767;

/// The smallest width and height that a window can ask for.
const SIZE_FLOOR: u32 = 64;

/// How long an engine may take to let go of a display.
const CLOSING_TIME: Duration = Duration::from_secs(3);

/// The display of one guest, open. Clones are handles to the same display.
#[derive(Debug, Clone)]
pub struct Relay(Arc<Handle>);

/// What the last clone of a relay drops.
#[derive(Debug)]
struct Handle(Arc<Door>);

/// Where windows come in.
#[derive(Debug, Default)]
struct Door {
    state: Mutex<DoorState>,
    knock: Notify,
}

#[derive(Debug, Default)]
struct DoorState {
    /// Windows that the relay has not let in yet.
    waiting: Vec<Channel>,
    /// The windows that it has let in.
    inside: usize,
    /// Whether a window has ever come.
    used: bool,
    /// Nobody can bring further windows.
    abandoned: bool,
    /// The relay has ended.
    ended: bool,
}

impl Relay {
    /// Opens a machine's display. The relay waits for its first window until it is dropped. When it ends, `guard` is
    /// dropped.
    ///
    /// # Errors
    /// Those of [`Machine::open_display`]; `Refused` where the host has no thread or descriptor left.
    pub async fn open(machine: Arc<dyn Machine>, guard: impl Send + 'static) -> Result<Self, EngineError> {
        let door = Arc::new(Door::default());
        let (answer, opened) = oneshot::channel();
        let inner = door.clone();
        std::thread::Builder::new()
            .name("display".to_owned())
            .spawn(move || {
                let _until_the_end = guard;
                run(machine.as_ref(), &inner, answer);
            })
            .map_err(|error| EngineError::Refused {
                detail: format!("no thread for the display: {error}"),
            })?;
        let relay = Self(Arc::new(Handle(door)));
        opened.await.unwrap_or(Err(EngineError::Gone))?;
        Ok(relay)
    }

    /// Lets in a new window and answers its end of the channel; nothing when the relay has ended, and
    /// another has to be opened. The channel ends at once where the display can't be shown.
    ///
    /// # Errors
    /// There are too many windows, or no descriptors left.
    pub fn attach(&self) -> io::Result<Option<OwnedFd>> {
        let door = &self.0.0;
        let mut state = door.lock();
        if state.ended {
            return Ok(None);
        }
        if state.inside + state.waiting.len() >= WINDOW_LIMIT {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the guest has too many windows"));
        }
        let (ours, theirs) = Channel::pair()?;
        state.waiting.push(ours);
        state.used = true;
        drop(state);
        door.knock.notify_one();
        Ok(Some(theirs.into_fd()))
    }

    /// Whether windows can still come.
    pub fn is_open(&self) -> bool {
        !self.0.0.lock().ended
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().abandoned = true;
        self.0.knock.notify_one();
    }
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, DoorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in those who wait; `inside` windows are there already. Nothing when there is no window to
    /// work for.
    fn enter(&self, inside: usize) -> Option<Vec<Channel>> {
        let mut state = self.lock();
        state.inside = inside + state.waiting.len();
        if state.inside == 0 && (state.used || state.abandoned) {
            return None;
        }
        Some(std::mem::take(&mut state.waiting))
    }

    /// Lets nobody in any more, unless somebody waits.
    fn close_if_unused(&self) -> bool {
        let mut state = self.lock();
        state.ended = state.waiting.is_empty();
        state.ended
    }
}

/// Closes the door however the relay's thread ends.
struct Closing<'a>(&'a Door);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        state.inside = 0;
        state.waiting.clear();
    }
}

/// The relay's thread.
fn run(machine: &dyn Machine, door: &Door, answer: oneshot::Sender<Result<(), EngineError>>) {
    let closing = Closing(door);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let detail = format!("no runtime for the display: {error}");
            // Whoever asked may have gone.
            let _ = answer.send(Err(EngineError::Refused { detail }));
            return;
        }
    };
    runtime.block_on(async {
        let mut answer = Some(answer);
        loop {
            let screen = Arc::new(SharedScreen::default());
            let opened = machine.open_display(Box::new(Brush::new(screen.clone()))).await;
            let (input, opened) = match opened {
                Ok(input) => (Some(input), Ok(())),
                Err(error) => (None, Err(error)),
            };
            if let Some(answer) = answer.take() {
                // Where whoever asked has gone, the door has been abandoned.
                let _ = answer.send(opened);
            } else if let Err(error) = opened {
                tracing::warn!(%error, "the display does not open again");
            }
            let Some(input) = input else { return };
            let end = relay(door, &screen, input.as_ref()).await;
            drop(input);
            if end == End::Engine {
                return;
            }
            released(&screen).await;
            // Who came meanwhile needs the display opened again, which can't be done before it is closed.
            if door.close_if_unused() {
                return;
            }
        }
    });
    drop(closing);
}

/// Waits for the engine to let go of a display, having told it the last keys.
async fn released(screen: &SharedScreen) {
    let released = async {
        while !screen.lock().is_released() {
            screen.changed().await;
        }
    };
    if tokio::time::timeout(CLOSING_TIME, released).await.is_err() {
        tracing::warn!("the engine does not let go of its display, leaving it behind");
    }
}

/// Why relaying ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// There is no window left.
    Windows,
    /// The engine shows nothing any more.
    Engine,
}

/// Relays until there is nobody to relay for.
async fn relay(door: &Door, screen: &SharedScreen, input: &dyn DisplayInput) -> End {
    let mut windows = Windows { windows: Vec::new(), input };
    loop {
        let Some(entering) = door.enter(windows.windows.len()) else { return End::Windows };
        let mut lost = windows.let_in(entering);
        {
            let mut screen = screen.lock();
            if screen.is_closed() {
                return End::Engine;
            }
            windows.hear(screen.size());
            let changes = screen.take_changes();
            for window in &mut windows.windows {
                window.note(&changes);
                window.tell(&screen);
            }
        }
        lost |= windows.sweep();
        if lost {
            continue;
        }
        tokio::select! {
            () = door.knock.notified() => {}
            () = screen.changed() => {}
            () = windows.listen() => {}
        }
    }
}

/// The windows of a guest, and the input that they share.
struct Windows<'a> {
    windows: Vec<Window>,
    input: &'a dyn DisplayInput,
}

impl Windows<'_> {
    /// Takes in new windows; true where one could not be.
    fn let_in(&mut self, channels: Vec<Channel>) -> bool {
        let before = self.windows.len();
        let expected = before + channels.len();
        for channel in channels {
            match Window::new(channel) {
                Ok(window) => self.windows.push(window),
                Err(error) => tracing::error!(%error, "a window could not be let in"),
            }
        }
        self.windows.len() < expected
    }

    /// Waits until a window has said something or can be told something.
    async fn listen(&mut self) {
        poll_fn(|cx| {
            let mut ready = Poll::Pending;
            for window in &mut self.windows {
                if window.poll(cx).is_ready() {
                    ready = Poll::Ready(());
                }
            }
            ready
        })
        .await;
    }

    /// Does what the windows have asked for; `size` is that of the picture.
    fn hear(&mut self, size: Option<(u32, u32)>) {
        for index in 0..self.windows.len() {
            for request in std::mem::take(&mut self.windows[index].requests) {
                self.act(index, request, size);
            }
        }
    }

    fn act(&mut self, index: usize, request: DisplayRequest, size: Option<(u32, u32)>) {
        match request {
            // The window itself has noted it.
            DisplayRequest::Shown => {}
            DisplayRequest::Key { code, down } => {
                if (1..=KEY_LIMIT).contains(&code) {
                    self.hold(index, Held::Key(code), down);
                }
            }
            DisplayRequest::Button { button, down } => self.hold(index, Held::Button(button), down),
            DisplayRequest::PointerAt { x, y } => {
                // A window may not know yet that the picture has become smaller.
                if let Some((width, height)) = size {
                    self.input.pointer_at(x.min(width - 1), y.min(height - 1));
                }
            }
            DisplayRequest::PointerBy { dx, dy } => self.input.pointer_by(dx, dy),
            DisplayRequest::Resize { width, height } => {
                let sizes = SIZE_FLOOR..=PICTURE_LIMIT;
                if sizes.contains(&width) && sizes.contains(&height) {
                    self.input.resize(width, height);
                }
            }
            DisplayRequest::ReleaseAll => {
                for held in std::mem::take(&mut self.windows[index].held) {
                    self.let_go(held);
                }
            }
        }
    }

    fn hold(&mut self, index: usize, what: Held, down: bool) {
        let held = &mut self.windows[index].held;
        let known = held.iter().position(|held| *held == what);
        match (down, known) {
            // Pressed again is how a key repeats.
            (true, Some(_)) => self.press(what, true),
            (true, None) => {
                held.push(what);
                self.press(what, true);
            }
            (false, Some(position)) => {
                held.swap_remove(position);
                self.let_go(what);
            }
            (false, None) => {}
        }
    }

    /// Lifts what a window does not hold any more, unless another one does.
    fn let_go(&self, what: Held) {
        if !self.windows.iter().any(|window| window.held.contains(&what)) {
            self.press(what, false);
        }
    }

    fn press(&self, what: Held, down: bool) {
        match what {
            Held::Key(code) => self.input.key(code, down),
            Held::Button(button) => self.input.button(button, down),
        }
    }

    /// Parts with the windows that have gone; true where there were any.
    fn sweep(&mut self) -> bool {
        let gone: Vec<Window> = self.windows.extract_if(.., |window| window.is_gone()).collect();
        for held in gone.iter().flat_map(|window| &window.held) {
            self.let_go(*held);
        }
        !gone.is_empty()
    }
}

#[cfg(test)]
pub(crate) mod tests;
