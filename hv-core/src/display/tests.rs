//! The relay between an engine that draws what the test says and windows that the test plays.

use super::*;
use crate::engine::{Alteration, Canvas};
use async_trait::async_trait;
use hv_api::ByteSize;
use hv_api::display::{Button, DisplayEvent, FrameView, Rect};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Instant;

/// No condition takes longer than this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What the engine and the test share.
#[derive(Default)]
struct Fake {
    canvas: Mutex<Option<Box<dyn Canvas>>>,
    heard: Mutex<Vec<String>>,
    refuses: bool,
    /// Whether it takes its time to let go of a display.
    lingers: bool,
}

impl Fake {
    fn draw(&self, draw: impl FnOnce(&mut dyn Canvas)) {
        draw(self.canvas.lock().unwrap().as_deref_mut().unwrap());
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    fn is_open(&self) -> bool {
        self.canvas.lock().unwrap().is_some()
    }
}

pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Box<dyn DisplayInput>, EngineError>> + Send>>;

/// A machine that has nothing but a display, which this function opens.
pub(crate) struct DisplayOnly<F>(pub(crate) F);

#[async_trait]
impl<F: Fn(Box<dyn Canvas>) -> Opening + Send + Sync> Machine for DisplayOnly<F> {
    fn pid(&self) -> u32 {
        unreachable!("a relay only opens the display")
    }
    async fn resume(&self) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn pause(&self) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn power_button(&self) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn reset(&self) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn quit(&self) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    fn kill(&self) {
        unreachable!("a relay only opens the display")
    }
    async fn change_medium(&self, _: u32, _: Option<PathBuf>, _: bool) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn alter(&self, _: Alteration) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn memory(&self) -> Result<ByteSize, EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn screenshot(&self, _: OwnedFd) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn press_keys(&self, _: &[u16]) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn write_serial(&self, _: u32, _: Vec<u8>) -> Result<(), EngineError> {
        unreachable!("a relay only opens the display")
    }
    async fn open_display(&self, canvas: Box<dyn Canvas>) -> Result<Box<dyn DisplayInput>, EngineError> {
        (self.0)(canvas).await
    }
}

fn machine(fake: &Arc<Fake>) -> Arc<dyn Machine> {
    let fake = fake.clone();
    Arc::new(DisplayOnly(move |canvas| -> Opening {
        let fake = fake.clone();
        Box::pin(async move {
            if fake.refuses {
                return Err(EngineError::Refused { detail: "no display".to_owned() });
            }
            *fake.canvas.lock().unwrap() = Some(canvas);
            Ok(Box::new(FakeInput(fake)) as Box<dyn DisplayInput>)
        })
    }))
}

struct FakeInput(Arc<Fake>);

impl FakeInput {
    fn note(&self, what: String) {
        self.0.heard.lock().unwrap().push(what);
    }
}

impl DisplayInput for FakeInput {
    fn key(&self, code: u16, down: bool) {
        self.note(format!("key {code} {down}"));
    }
    fn pointer_at(&self, x: u32, y: u32) {
        self.note(format!("at {x} {y}"));
    }
    fn pointer_by(&self, dx: i32, dy: i32) {
        self.note(format!("by {dx} {dy}"));
    }
    fn button(&self, button: Button, down: bool) {
        self.note(format!("{button:?} {down}"));
    }
    fn resize(&self, width: u32, height: u32) {
        self.note(format!("size {width} {height}"));
    }
}

impl Drop for FakeInput {
    fn drop(&mut self) {
        if self.0.lingers {
            self.note("left".to_owned());
        } else {
            self.0.canvas.lock().unwrap().take();
        }
    }
}

/// A window's end.
pub(crate) struct Peer(pub(crate) Channel, std::cell::Cell<bool>);

impl Peer {
    pub(crate) fn new(relay: &Relay) -> Self {
        Self(Channel::from_fd(relay.attach().unwrap().unwrap()).unwrap(), false.into())
    }

    pub(crate) fn readable(&self, wait: Duration) -> bool {
        let wait = Timespec::try_from(wait).unwrap();
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&wait)).unwrap() > 0
    }

    /// The next message; nothing at the end of the channel.
    pub(crate) fn next(&self) -> Option<(DisplayEvent, Option<OwnedFd>)> {
        assert!(self.readable(DEADLINE), "nothing came");
        self.0.receive().unwrap()
    }

    fn event(&self) -> DisplayEvent {
        self.next().expect("the channel has ended").0
    }

    pub(crate) fn picture(&self) -> (u32, u32, FrameView) {
        match self.next().expect("the channel has ended") {
            (DisplayEvent::Picture { width, height, stride }, Some(memory)) => {
                (width, height, FrameView::new(memory, (stride * height) as usize).unwrap())
            }
            other => panic!("{other:?} instead of a picture"),
        }
    }

    fn damage(&self) -> Vec<Rect> {
        match self.event() {
            DisplayEvent::Damage(parts) => parts,
            other => panic!("{other:?} instead of damage"),
        }
    }

    pub(crate) fn say(&self, request: DisplayRequest) {
        self.0.send(&request, None).unwrap();
    }

    /// Waits until the relay has handled all that was said and drawn so far, and makes sure that it told
    /// this window nothing: the lights are outside of the order of pictures.
    fn expect_silence(&self, fake: &Fake) {
        let scroll = !self.1.get();
        self.1.set(scroll);
        fake.draw(|canvas| canvas.lights(true, true, scroll));
        assert_eq!(self.event(), DisplayEvent::Lights { caps: true, num: true, scroll });
    }
}

fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
    Rect { x, y, width, height }
}

pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn open() -> (Arc<Fake>, Relay) {
    open_with(Fake::default())
}

fn open_with(fake: Fake) -> (Arc<Fake>, Relay) {
    let fake = Arc::new(fake);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let relay = runtime.block_on(Relay::open(machine(&fake), ())).unwrap();
    (fake, relay)
}

/// A relay with a picture of 8 × 4 pixels, all 1, and a window that has shown it.
fn open_shown() -> (Arc<Fake>, Relay, Peer, FrameView) {
    let (fake, relay) = open();
    fake.draw(|canvas| canvas.picture(8, 4, 32, &[1; 128]));
    let peer = Peer::new(&relay);
    let (width, height, view) = peer.picture();
    assert_eq!((width, height), (8, 4));
    peer.say(DisplayRequest::Shown);
    (fake, relay, peer, view)
}

#[test]
fn a_window_is_told_the_state_at_once() {
    let (fake, relay) = open();
    let peer = Peer::new(&relay);
    fake.draw(|canvas| {
        canvas.pointer_absolute(true);
        canvas.lights(false, true, false);
        canvas.cursor_visible(false);
        canvas.cursor(1, 1, (0, 0), &[1, 2, 3, 255]);
        canvas.picture(2, 2, 8, &[7; 16]);
    });
    let mut said: Vec<DisplayEvent> = (0..5).map(|_| peer.event()).collect();
    let later = Peer::new(&relay);
    let picture = DisplayEvent::Picture { width: 2, height: 2, stride: 8 };
    let again: Vec<DisplayEvent> = (0..5).map(|_| later.event()).collect();
    assert_eq!(again[0], picture);
    assert!(again.contains(&DisplayEvent::PointerAbsolute(true)));
    assert!(again.contains(&DisplayEvent::Lights { caps: false, num: true, scroll: false }));
    assert!(again.contains(&DisplayEvent::CursorVisible(false)));
    assert!(again.iter().any(|event| matches!(event, DisplayEvent::Cursor { .. })));
    for event in again {
        let position = said.iter().position(|earlier| *earlier == event);
        said.remove(position.unwrap_or_else(|| panic!("the first window was not told {event:?}")));
    }
}

#[test]
fn changes_add_up_until_the_last_is_shown() {
    let (fake, _relay, peer, view) = open_shown();
    fake.draw(|canvas| canvas.update(rect(0, 0, 1, 1), 4, &[2; 4]));
    assert_eq!(peer.damage(), [rect(0, 0, 1, 1)]);
    assert_eq!(view.bytes()[..8], [2, 2, 2, 2, 1, 1, 1, 1]);

    fake.draw(|canvas| {
        canvas.update(rect(2, 2, 1, 1), 4, &[3; 4]);
        canvas.update(rect(4, 0, 4, 1), 16, &[4; 16]);
    });
    peer.expect_silence(&fake);
    assert_eq!(view.bytes()[16..32], [4; 16], "the memory is always the newest picture");
    peer.say(DisplayRequest::Shown);
    assert_eq!(peer.damage(), [rect(2, 2, 1, 1), rect(4, 0, 4, 1)]);

    // A picture of the same size is damage all over.
    fake.draw(|canvas| canvas.picture(8, 4, 32, &[5; 128]));
    peer.say(DisplayRequest::Shown);
    assert_eq!(peer.damage(), [rect(0, 0, 8, 4)]);
    assert_eq!(view.bytes(), [5; 128]);

    peer.say(DisplayRequest::Shown);
    peer.expect_silence(&fake);
}

#[test]
fn a_new_size_brings_new_memory_and_leaves_the_old_alone() {
    let (fake, _relay, peer, old) = open_shown();
    fake.draw(|canvas| canvas.update(rect(0, 0, 1, 1), 4, &[2; 4]));
    assert_eq!(peer.damage().len(), 1);
    // Not shown yet: of these two the window only ever sees the second.
    fake.draw(|canvas| canvas.picture(3, 3, 12, &[3; 36]));
    fake.draw(|canvas| canvas.picture(2, 2, 8, &[4; 16]));
    peer.expect_silence(&fake);
    peer.say(DisplayRequest::Shown);
    let (width, height, new) = peer.picture();
    assert_eq!((width, height), (2, 2));
    assert_eq!(new.bytes(), [4; 16]);
    assert_eq!(old.bytes()[4..], [1; 124]);
    fake.draw(|canvas| canvas.update(rect(1, 1, 1, 1), 4, &[6; 4]));
    peer.expect_silence(&fake);
    peer.say(DisplayRequest::Shown);
    assert_eq!(peer.damage(), [rect(1, 1, 1, 1)]);
}

#[test]
fn a_window_that_has_stopped_holds_up_nobody() {
    let (fake, relay, quick, _view) = open_shown();
    let stopped = Peer::new(&relay);
    assert!(stopped.readable(DEADLINE));
    // Far more than its socket takes; the other window hears of each.
    for round in 0..60_u8 {
        fake.draw(|canvas| canvas.cursor(128, 128, (0, 0), &vec![255 - round; 128 * 128 * 4]));
        assert!(matches!(quick.event(), DisplayEvent::Cursor { .. }));
        fake.draw(|canvas| canvas.update(rect(u32::from(round % 8), 0, 1, 1), 4, &[round + 2; 4]));
        assert_eq!(quick.damage().len(), 1);
        quick.say(DisplayRequest::Shown);
    }
    assert_eq!(stopped.picture().0, 8);
    let mut cursors = Vec::new();
    while cursors.last() != Some(&196) {
        match stopped.event() {
            DisplayEvent::Cursor { pixels, .. } => cursors.push(pixels[0]),
            other => panic!("{other:?} without credit"),
        }
    }
    assert!(cursors.len() < 20, "{} cursors were kept for a stopped window", cursors.len());
    stopped.say(DisplayRequest::Shown);
    assert_eq!(stopped.damage(), (0..8).map(|x| rect(x, 0, 1, 1)).collect::<Vec<_>>());
}

#[test]
fn a_window_that_talks_nonsense_is_closed_alone() {
    let (fake, relay, peer, _view) = open_shown();
    let bad = Peer::new(&relay);
    assert_eq!(bad.picture().0, 8);
    bad.say(DisplayRequest::Key { code: 30, down: true });
    rustix::net::send(&bad.0, &[0xff; 40], rustix::net::SendFlags::empty()).unwrap();
    assert!(bad.next().is_none());
    peer.say(DisplayRequest::Key { code: 48, down: true });
    until("the keys", || fake.heard.lock().unwrap().len() == 3);
    assert_eq!(fake.heard(), ["key 30 true", "key 30 false", "key 48 true"]);
    assert!(relay.is_open());
}

#[test]
fn keys_are_let_go_when_nobody_holds_them() {
    let (fake, relay, one, _view) = open_shown();
    let other = Peer::new(&relay);
    let key = |code, down| DisplayRequest::Key { code, down };
    let heard = |count| {
        until("the input", || fake.heard.lock().unwrap().len() >= count);
        fake.heard()
    };
    one.say(key(29, true));
    assert_eq!(heard(1), ["key 29 true"]);
    other.say(key(29, true));
    other.say(key(30, true));
    other.say(key(30, true));
    other.say(key(30, false));
    other.say(key(31, false));
    other.say(DisplayRequest::Button { button: Button::Left, down: true });
    assert_eq!(heard(5), ["key 29 true", "key 30 true", "key 30 true", "key 30 false", "Left true"]);
    drop(other);
    assert_eq!(heard(1), ["Left false"], "the first window still holds the key");
    one.say(key(30, true));
    one.say(DisplayRequest::ReleaseAll);
    one.say(key(29, false));
    one.say(key(0, true));
    one.say(key(768, true));
    one.say(DisplayRequest::PointerAt { x: 8, y: u32::MAX });
    one.say(DisplayRequest::PointerBy { dx: -5, dy: 3 });
    one.say(DisplayRequest::Resize { width: 63, height: 100 });
    one.say(DisplayRequest::Resize { width: 640, height: 480 });
    assert_eq!(
        heard(6),
        ["key 30 true", "key 29 false", "key 30 false", "at 7 3", "by -5 3", "size 640 480"]
    );
}

#[test]
fn the_relay_ends_with_its_last_window() {
    let (fake, relay, one, _view) = open_shown();
    let other = Peer::new(&relay);
    other.say(DisplayRequest::Key { code: 30, down: true });
    drop(one);
    until("the key", || fake.heard.lock().unwrap().len() == 1);
    assert!(relay.is_open());
    drop(other);
    until("the end", || !relay.is_open());
    assert!(relay.attach().unwrap().is_none());
    until("the display's end", || !fake.is_open());
    assert_eq!(fake.heard(), ["key 30 true", "key 30 false"]);
}

#[test]
fn a_window_that_comes_while_the_display_closes_sees_it_opened_again() {
    let (fake, relay) = open_with(Fake { lingers: true, ..Fake::default() });
    fake.draw(|canvas| canvas.picture(8, 4, 32, &[1; 128]));
    let peer = Peer::new(&relay);
    peer.picture();
    drop(peer);
    until("the closing", || fake.heard() == ["left"]);
    let next = Peer::new(&relay);
    drop(fake.canvas.lock().unwrap().take());
    until("the opening", || fake.is_open());
    fake.draw(|canvas| canvas.picture(2, 2, 8, &[2; 16]));
    assert_eq!(next.picture().0, 2);
}

#[test]
fn a_relay_that_nobody_wants_ends() {
    let (fake, relay) = open();
    let clone = relay.clone();
    drop(relay);
    assert!(clone.is_open());
    drop(clone);
    until("the display's end", || !fake.is_open());
}

#[test]
fn windows_see_the_end_of_the_engine() {
    for says_so in [true, false] {
        let (fake, relay, one, _view) = open_shown();
        let other = Peer::new(&relay);
        other.picture();
        if says_so {
            fake.draw(|canvas| canvas.closed());
        } else {
            drop(fake.canvas.lock().unwrap().take());
        }
        assert!(one.next().is_none());
        assert!(other.next().is_none());
        until("the end", || !relay.is_open());
        assert!(relay.attach().unwrap().is_none());
    }
}

#[test]
fn a_display_that_does_not_open_is_an_error() {
    let fake = Arc::new(Fake { refuses: true, ..Fake::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Relay::open(machine(&fake), ())).unwrap_err();
    assert_eq!(error, EngineError::Refused { detail: "no display".to_owned() });
}

#[test]
fn windows_are_counted() {
    let (_fake, relay, one, _view) = open_shown();
    let mut others: Vec<Peer> = (1..WINDOW_LIMIT).map(|_| Peer::new(&relay)).collect();
    assert_eq!(relay.attach().unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    others.pop();
    drop(one);
    until("room for a window", || relay.attach().is_ok());
}
