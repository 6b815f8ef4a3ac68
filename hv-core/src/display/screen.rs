//! What a guest shows right now, and what of it has changed.
//!
//! A [`Screen`] keeps the picture in memory that windows can map, and the newest cursor, pointer mode
//! and lights; [`Brush`] is the canvas that the engine draws it with. What an engine says is checked
//! here once more: sizes and lengths that do not fit are left out, and nothing here panics. Who is told
//! of a change, and when, is not decided here.

use crate::engine::Canvas;
use hv_api::display::{DisplayEvent, FrameMemory, PICTURE_LIMIT, Rect};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The bytes of a pixel.
const PIXEL: usize = 4;

/// More separate parts than this are told as the one rectangle around them.
const PARTS_LIMIT: usize = 16;

/// The widest and highest cursor that fits into a message.
const CURSOR_LIMIT: u32 = 128;

/// Parts of a picture that have changed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Damage(Vec<Rect>);

impl Damage {
    /// Adds a part, whose edges have to be within a picture.
    pub fn add(&mut self, part: Rect) {
        if self.0.iter().any(|known| contains(*known, part)) {
            return;
        }
        self.0.retain(|known| !contains(part, *known));
        self.0.push(part);
        if self.0.len() > PARTS_LIMIT {
            let all = self.0.iter().copied().reduce(Rect::union);
            self.0.clear();
            self.0.extend(all);
        }
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all parts.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The parts.
    pub fn parts(&self) -> &[Rect] {
        &self.0
    }
}

fn contains(outer: Rect, inner: Rect) -> bool {
    outer.x <= inner.x
        && outer.y <= inner.y
        && outer.x + outer.width >= inner.x + inner.width
        && outer.y + outer.height >= inner.y + inner.height
}

/// What somebody who looks at a screen has not been told yet.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    /// There is another picture.
    pub picture: bool,
    /// Parts of the picture have changed.
    pub damage: Damage,
    /// The cursor looks different.
    pub cursor: bool,
    /// The cursor has appeared or gone.
    pub cursor_visible: bool,
    /// The pointer works differently.
    pub pointer: bool,
    /// The lights have changed.
    pub lights: bool,
}

impl Changes {
    /// Everything, for somebody who has just come.
    pub fn all() -> Self {
        Self {
            picture: true,
            damage: Damage::default(),
            cursor: true,
            cursor_visible: true,
            pointer: true,
            lights: true,
        }
    }

    /// Adds parts that have changed, which another picture covers.
    fn add_damage(&mut self, parts: impl IntoIterator<Item = Rect>) {
        if !self.picture {
            parts.into_iter().for_each(|part| self.damage.add(part));
        }
    }

    /// Adds what happened later.
    pub fn add(&mut self, later: &Self) {
        if later.picture {
            self.picture = true;
            self.damage.clear();
        }
        self.add_damage(later.damage.parts().iter().copied());
        self.cursor |= later.cursor;
        self.cursor_visible |= later.cursor_visible;
        self.pointer |= later.pointer;
        self.lights |= later.lights;
    }
}

/// A picture in shared memory, its lines without gaps.
#[derive(Debug)]
struct Frame {
    width: u32,
    height: u32,
    memory: FrameMemory,
}

impl Frame {
    fn new(width: u32, height: u32) -> std::io::Result<Self> {
        let memory = FrameMemory::new(width as usize * height as usize * PIXEL)?;
        Ok(Self { width, height, memory })
    }

    /// Takes over a part that is known to lie within the picture. Answers its lines from the first to the
    /// last that are different now; nothing where none is: a VGA adapter draws the text cursor 30 times a
    /// second, whether it has just blinked or not, and nobody is to be woken for that.
    fn draw(&mut self, part: Rect, stride: usize, pixels: &[u8]) -> Option<Rect> {
        let own = self.width as usize * PIXEL;
        let start = part.y as usize * own + part.x as usize * PIXEL;
        let line = part.width as usize * PIXEL;
        let memory = &mut self.memory.bytes_mut()[start..];
        let mut different: Option<(u32, u32)> = None;
        for ((to, from), index) in memory.chunks_mut(own).zip(pixels.chunks(stride)).zip(0..part.height) {
            if to[..line] != from[..line] {
                to[..line].copy_from_slice(&from[..line]);
                different = Some((different.map_or(index, |(first, _)| first), index));
            }
        }
        different.map(|(first, last)| Rect { y: part.y + first, height: last - first + 1, ..part })
    }
}

/// Whether `pixels` hold as many lines of this width, `stride` bytes apart.
fn fits(width: u32, height: u32, stride: u32, pixels: &[u8]) -> bool {
    let line = u64::from(width) * PIXEL as u64;
    (1..=PICTURE_LIMIT).contains(&width)
        && (1..=PICTURE_LIMIT).contains(&height)
        && u64::from(stride) >= line
        && pixels.len() as u64 >= u64::from(stride) * u64::from(height - 1) + line
}

/// What a guest shows.
#[derive(Debug, Default)]
pub struct Screen {
    frame: Option<Frame>,
    cursor: Option<DisplayEvent>,
    cursor_visible: Option<bool>,
    pointer_absolute: Option<bool>,
    lights: Option<DisplayEvent>,
    changes: Changes,
    closed: bool,
    released: bool,
}

impl Screen {
    /// What has changed since this was asked last.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// The picture's message and memory, once there is one.
    pub fn picture(&self) -> Option<(DisplayEvent, BorrowedFd<'_>)> {
        let frame = self.frame.as_ref()?;
        let (width, height) = (frame.width, frame.height);
        let event = DisplayEvent::Picture { width, height, stride: width * PIXEL as u32 };
        Some((event, frame.memory.as_fd()))
    }

    /// The picture's width and height, once there is one.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.frame.as_ref().map(|frame| (frame.width, frame.height))
    }

    /// The cursor, once there is one.
    pub fn cursor(&self) -> Option<&DisplayEvent> {
        self.cursor.as_ref()
    }

    /// Whether the cursor is shown, once that is known.
    pub fn cursor_visible(&self) -> Option<DisplayEvent> {
        self.cursor_visible.map(DisplayEvent::CursorVisible)
    }

    /// How the pointer works, once that is known.
    pub fn pointer(&self) -> Option<DisplayEvent> {
        self.pointer_absolute.map(DisplayEvent::PointerAbsolute)
    }

    /// The lights, once they are known.
    pub fn lights(&self) -> Option<&DisplayEvent> {
        self.lights.as_ref()
    }

    /// Whether nothing will be drawn any more.
    pub fn is_closed(&self) -> bool {
        self.closed || self.released
    }

    /// Whether the engine has let go of the canvas.
    pub fn is_released(&self) -> bool {
        self.released
    }
}

/// A screen that an engine draws and a relay reads.
#[derive(Debug, Default)]
pub struct SharedScreen {
    screen: Mutex<Screen>,
    changed: Notify,
}

impl SharedScreen {
    /// Its state now. Nobody may wait for something else while holding this.
    pub fn lock(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has changed since this was last waited for.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The canvas of a screen.
#[derive(Debug)]
pub struct Brush(Arc<SharedScreen>);

impl Brush {
    /// A canvas that draws this screen. There is one for each screen.
    pub fn new(screen: Arc<SharedScreen>) -> Self {
        Self(screen)
    }

    fn draw(&self, change: impl FnOnce(&mut Screen)) {
        change(&mut self.0.lock());
        self.0.changed.notify_one();
    }
}

impl Canvas for Brush {
    fn picture(&mut self, width: u32, height: u32, stride: u32, pixels: &[u8]) {
        if !fits(width, height, stride, pixels) {
            tracing::debug!(width, height, stride, length = pixels.len(), "a picture does not fit");
            return;
        }
        self.draw(|screen| {
            let whole = Rect { x: 0, y: 0, width, height };
            if screen.size() != Some((width, height)) {
                match Frame::new(width, height) {
                    Ok(frame) => screen.frame = Some(frame),
                    Err(error) => {
                        tracing::error!(width, height, %error, "no memory for a picture");
                        return;
                    }
                }
                screen.changes.picture = true;
                screen.changes.damage.clear();
            }
            let different =
                screen.frame.as_mut().and_then(|frame| frame.draw(whole, stride as usize, pixels));
            screen.changes.add_damage(different);
        });
    }

    fn update(&mut self, part: Rect, stride: u32, pixels: &[u8]) {
        self.draw(|screen| {
            let Some(frame) = &mut screen.frame else { return };
            let inside = u64::from(part.x) + u64::from(part.width) <= u64::from(frame.width)
                && u64::from(part.y) + u64::from(part.height) <= u64::from(frame.height);
            if !inside || !fits(part.width, part.height, stride, pixels) {
                tracing::debug!(?part, stride, length = pixels.len(), "an update does not fit");
                return;
            }
            let different = frame.draw(part, stride as usize, pixels);
            screen.changes.add_damage(different);
        });
    }

    fn cursor(&mut self, width: u32, height: u32, hot: (u32, u32), pixels: &[u8]) {
        if !(1..=CURSOR_LIMIT).contains(&width) || !(1..=CURSOR_LIMIT).contains(&height) {
            tracing::debug!(width, height, "a cursor is too large");
            return;
        }
        let length = width as usize * height as usize * PIXEL;
        let Some(pixels) = pixels.get(..length) else { return };
        let mut pixels = pixels.to_vec();
        // Whatever the guest drew, a colour above its alpha is not a premultiplied one.
        for pixel in pixels.chunks_exact_mut(PIXEL) {
            let alpha = pixel[3];
            for colour in &mut pixel[..3] {
                *colour = (*colour).min(alpha);
            }
        }
        let (hot_x, hot_y) = (hot.0.min(width - 1), hot.1.min(height - 1));
        let cursor = DisplayEvent::Cursor { width, height, hot_x, hot_y, pixels };
        // Guests define the same cursor again and again.
        self.draw(|screen| {
            if screen.cursor.as_ref() != Some(&cursor) {
                screen.cursor = Some(cursor);
                screen.changes.cursor = true;
            }
        });
    }

    fn cursor_visible(&mut self, visible: bool) {
        self.draw(|screen| {
            screen.changes.cursor_visible |= screen.cursor_visible.replace(visible) != Some(visible);
        });
    }

    fn pointer_absolute(&mut self, absolute: bool) {
        self.draw(|screen| {
            screen.changes.pointer |= screen.pointer_absolute.replace(absolute) != Some(absolute);
        });
    }

    fn lights(&mut self, caps: bool, num: bool, scroll: bool) {
        let lights = DisplayEvent::Lights { caps, num, scroll };
        self.draw(|screen| {
            screen.changes.lights |= screen.lights.as_ref() != Some(&lights);
            screen.lights = Some(lights);
        });
    }

    fn closed(&mut self) {
        self.draw(|screen| screen.closed = true);
    }
}

impl Drop for Brush {
    fn drop(&mut self) {
        self.draw(|screen| screen.released = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::display::FrameView;

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect { x, y, width, height }
    }

    fn view(screen: &SharedScreen) -> FrameView {
        let screen = screen.lock();
        let (event, fd) = screen.picture().unwrap();
        let DisplayEvent::Picture { height, stride, .. } = event else { panic!("{event:?}") };
        FrameView::new(fd.try_clone_to_owned().unwrap(), (stride * height) as usize).unwrap()
    }

    #[test]
    fn damage_stays_short() {
        let mut damage = Damage::default();
        for index in 0..16 {
            damage.add(rect(index * 10, 0, 5, 5));
        }
        assert_eq!(damage.parts().len(), 16);
        damage.add(rect(20, 1, 2, 2));
        assert_eq!(damage.parts().len(), 16, "a part of a known part adds nothing");
        damage.add(rect(0, 0, 25, 5));
        assert_eq!(damage.parts().len(), 14, "a part takes the place of those it covers");
        for index in 0..3 {
            damage.add(rect(index * 10, 50, 5, 5));
        }
        assert_eq!(damage.parts(), [rect(0, 0, 155, 55)]);
    }

    #[test]
    fn lines_are_taken_over_whatever_their_distance() {
        let screen = Arc::new(SharedScreen::default());
        let mut brush = Brush::new(screen.clone());
        // Two lines of 2 pixels, 12 bytes apart, the last without its gap.
        let mut pixels = vec![9; 12 + 8];
        pixels[8..12].fill(7);
        brush.picture(2, 2, 12, &pixels);
        assert_eq!(view(&screen).bytes(), [9; 16]);
        brush.update(rect(1, 0, 1, 2), 4, &[5; 8]);
        assert_eq!(view(&screen).bytes(), [9, 9, 9, 9, 5, 5, 5, 5, 9, 9, 9, 9, 5, 5, 5, 5]);
        brush.update(rect(0, 1, 2, 1), 8, &[3; 8]);
        assert_eq!(view(&screen).bytes()[8..], [3; 8]);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let screen = Arc::new(SharedScreen::default());
        let mut brush = Brush::new(screen.clone());
        brush.update(rect(0, 0, 1, 1), 4, &[1; 4]);
        brush.picture(0, 1, 4, &[1; 4]);
        brush.picture(1, 0, 4, &[1; 4]);
        brush.picture(PICTURE_LIMIT + 1, 1, u32::MAX, &[1; 4]);
        brush.picture(2, 2, 4, &[1; 100]);
        brush.picture(2, 2, 8, &[1; 15]);
        brush.picture(2, 2, u32::MAX, &[1; 16]);
        assert!(screen.lock().size().is_none());
        assert_eq!(screen.lock().take_changes(), Changes::default());

        brush.picture(2, 2, 8, &[1; 16]);
        screen.lock().take_changes();
        for part in [rect(2, 0, 1, 1), rect(0, 2, 1, 1), rect(u32::MAX, 0, 2, 1), rect(0, 0, 3, 1)] {
            brush.update(part, 64, &[2; 256]);
        }
        brush.update(rect(0, 0, 2, 2), 8, &[2; 15]);
        brush.update(rect(0, 0, 0, 2), 8, &[2; 16]);
        brush.cursor(2, 2, (0, 0), &[0; 15]);
        brush.cursor(CURSOR_LIMIT + 1, 1, (0, 0), &[0; 4096]);
        brush.cursor(0, 1, (0, 0), &[0; 4]);
        brush.cursor(u32::MAX, u32::MAX, (0, 0), &[0; 4]);
        assert_eq!(screen.lock().take_changes(), Changes::default());
        assert_eq!(view(&screen).bytes(), [1; 16]);
    }

    #[test]
    fn only_what_is_different_is_a_change() {
        let screen = Arc::new(SharedScreen::default());
        let mut brush = Brush::new(screen.clone());
        for round in 0..2 {
            brush.cursor(1, 1, (9, 9), &[255, 10, 0, 20]);
            brush.cursor_visible(true);
            brush.pointer_absolute(true);
            brush.lights(true, false, false);
            let changes = screen.lock().take_changes();
            assert_eq!(changes != Changes::default(), round == 0);
        }
        let cursor =
            DisplayEvent::Cursor { width: 1, height: 1, hot_x: 0, hot_y: 0, pixels: vec![20, 10, 0, 20] };
        assert_eq!(screen.lock().cursor(), Some(&cursor));
    }

    #[test]
    fn what_is_drawn_again_as_it_was_changes_nothing() {
        let screen = Arc::new(SharedScreen::default());
        let mut brush = Brush::new(screen.clone());
        brush.picture(2, 4, 8, &[1; 32]);
        screen.lock().take_changes();
        brush.picture(2, 4, 8, &[1; 32]);
        brush.update(rect(1, 1, 1, 2), 4, &[1; 8]);
        assert_eq!(screen.lock().take_changes(), Changes::default());
        // Only the lines between are told, and all of them are taken over.
        let mut pixels = [1; 32];
        pixels[8..24].fill(2);
        brush.picture(2, 4, 8, &pixels);
        assert_eq!(screen.lock().take_changes().damage.parts(), [rect(0, 1, 2, 2)]);
        assert_eq!(view(&screen).bytes(), pixels);
    }

    #[test]
    fn a_new_picture_covers_older_damage() {
        let mut due = Changes::default();
        let mut damage = Changes::default();
        damage.damage.add(rect(0, 0, 5, 5));
        due.add(&damage);
        assert_eq!(due.damage.parts().len(), 1);
        due.add(&Changes { picture: true, ..Changes::default() });
        due.add(&damage);
        assert!(due.picture && due.damage.is_empty());
    }
}
