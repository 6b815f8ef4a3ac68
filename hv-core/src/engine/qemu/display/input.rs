//! Keys and pointer on their way to QEMU.
//!
//! A bounded queue between those who press and the connection: what moves is folded into what moved
//! before it, and where QEMU takes nothing, the newest is lost, but never the release of something that
//! is held. Dropping the [`Sender`] releases everything and ends the queue.

use crate::engine::DisplayInput;
use hv_api::display::Button;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How much may wait for QEMU, releases aside.
const QUEUE_LIMIT: usize = 1024;

/// A key of a PC keyboard, in QEMU's numbers, or a button in those of its D-Bus display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// A key.
    Key(u16),
    /// A button.
    Button(u8),
}

/// Something to tell QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A key or button goes down (true) or up.
    Switch(Switch, bool),
    /// The pointer is here.
    At(u32, u32),
    /// The pointer has moved by this much.
    By(i32, i32),
    /// The picture should have this size.
    Size(u32, u32),
}

/// What has not been told yet.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    ready: Notify,
    closing: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Input>,
    held: Vec<Switch>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next to tell; nothing when everything has been told and no more will come.
    pub async fn next(&self) -> Option<Input> {
        loop {
            {
                let mut state = self.lock();
                if let Some(input) = state.waiting.pop_front() {
                    return Some(input);
                }
                if state.closed {
                    return None;
                }
            }
            self.ready.notified().await;
        }
    }

    /// Waits for the sender to be dropped. One may wait.
    pub async fn closed(&self) {
        self.closing.notified().await;
    }

    fn push(&self, input: Input) {
        self.lock().push(input);
        self.ready.notify_one();
    }
}

impl State {
    fn push(&mut self, input: Input) {
        let mut release = false;
        if let Input::Switch(switch, down) = input {
            let known = self.held.iter().position(|held| *held == switch);
            match (down, known) {
                (true, Some(_)) => {}
                (true, None) if self.waiting.len() >= QUEUE_LIMIT => {}
                (true, None) => self.held.push(switch),
                (false, Some(position)) => {
                    self.held.swap_remove(position);
                    release = true;
                }
                // Its press was lost, or never came.
                (false, None) => return,
            }
        }
        if let Some(last) = self.waiting.back_mut()
            && let Some(both) = fold(*last, input)
        {
            *last = both;
            return;
        }
        // There is at most one release for each press that got through.
        if self.waiting.len() < QUEUE_LIMIT || release {
            self.waiting.push_back(input);
        } else {
            tracing::debug!(?input, "the engine takes no input, dropping it");
        }
    }
}

/// Two inputs as one, where the first does not matter by itself.
fn fold(earlier: Input, later: Input) -> Option<Input> {
    match (earlier, later) {
        (Input::At(..), Input::At(..)) | (Input::Size(..), Input::Size(..)) => Some(later),
        (Input::By(dx, dy), Input::By(more_x, more_y)) => {
            Some(Input::By(dx.saturating_add(more_x), dy.saturating_add(more_y)))
        }
        _ => None,
    }
}

/// The end that presses.
#[derive(Debug)]
pub struct Sender {
    queue: Arc<Queue>,
    qnum: fn(u16) -> Option<u16>,
}

impl Sender {
    /// A new queue and its sender. `qnum` says which of QEMU's key numbers a code has.
    pub fn new(qnum: fn(u16) -> Option<u16>) -> (Self, Arc<Queue>) {
        let queue = Arc::new(Queue::default());
        (Self { queue: queue.clone(), qnum }, queue)
    }
}

impl DisplayInput for Sender {
    fn key(&self, code: u16, down: bool) {
        // Some keys of today's keyboards have no number.
        if let Some(number) = (self.qnum)(code) {
            self.queue.push(Input::Switch(Switch::Key(number), down));
        }
    }

    fn pointer_at(&self, x: u32, y: u32) {
        self.queue.push(Input::At(x, y));
    }

    fn pointer_by(&self, dx: i32, dy: i32) {
        self.queue.push(Input::By(dx, dy));
    }

    fn button(&self, button: Button, down: bool) {
        let number = match button {
            Button::Left => 0,
            Button::Middle => 1,
            Button::Right => 2,
            Button::WheelUp => 3,
            Button::WheelDown => 4,
            Button::Side => 5,
            Button::Extra => 6,
        };
        self.queue.push(Input::Switch(Switch::Button(number), down));
    }

    fn resize(&self, width: u32, height: u32) {
        self.queue.push(Input::Size(width, height));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        {
            let mut state = self.queue.lock();
            for held in std::mem::take(&mut state.held) {
                state.waiting.push_back(Input::Switch(held, false));
            }
            state.closed = true;
        }
        self.queue.ready.notify_one();
        self.queue.closing.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> (Sender, Arc<Queue>) {
        Sender::new(|code| (code < 100).then_some(code + 1000))
    }

    fn waiting(queue: &Queue) -> Vec<Input> {
        queue.lock().waiting.drain(..).collect()
    }

    #[test]
    fn motion_is_folded_and_the_order_kept() {
        let (sender, queue) = sender();
        sender.pointer_at(1, 1);
        sender.pointer_at(2, 3);
        sender.button(Button::Right, true);
        sender.pointer_at(4, 4);
        sender.pointer_by(i32::MAX, -1);
        sender.pointer_by(1, -2);
        sender.key(30, true);
        sender.key(30, true);
        sender.key(100, true);
        sender.key(31, false);
        sender.resize(640, 480);
        sender.resize(800, 600);
        let key = Input::Switch(Switch::Key(1030), true);
        assert_eq!(
            waiting(&queue),
            [
                Input::At(2, 3),
                Input::Switch(Switch::Button(2), true),
                Input::At(4, 4),
                Input::By(i32::MAX, -3),
                key,
                key,
                Input::Size(800, 600),
            ]
        );
    }

    #[test]
    fn a_full_queue_still_takes_releases() {
        let (sender, queue) = sender();
        sender.key(1, true);
        sender.button(Button::Left, true);
        for _ in 0..QUEUE_LIMIT {
            sender.pointer_at(1, 1);
            sender.pointer_by(1, 1);
        }
        sender.key(2, true);
        sender.key(2, false);
        for _ in 0..3 {
            sender.key(1, false);
        }
        drop(sender);
        let waiting = waiting(&queue);
        assert_eq!(waiting.len(), QUEUE_LIMIT + 2);
        assert_eq!(
            waiting[QUEUE_LIMIT..],
            [Input::Switch(Switch::Key(1001), false), Input::Switch(Switch::Button(0), false)]
        );
    }

    #[tokio::test]
    async fn the_queue_ends_with_its_sender() {
        let (sender, queue) = sender();
        sender.key(1, true);
        assert_eq!(queue.next().await, Some(Input::Switch(Switch::Key(1001), true)));
        let (next, ()) = tokio::join!(queue.next(), async { drop(sender) });
        assert_eq!(next, Some(Input::Switch(Switch::Key(1001), false)));
        assert_eq!(queue.next().await, None);
    }
}
