//! The widget itself: what it keeps, what the core says to it, and how it is drawn. Keys and pointer
//! are in [`super::input`].

use super::frame::{Frame, Renderer};
use super::keyboard::{Act, Keyboard};
use super::link::{Arrival, Link};
use super::placement::Placement;
use super::wheel::Wheel;
use super::{FramebufferNews, input};
use gtk::prelude::*;
use gtk::subclass::prelude::*;
use gtk::{gdk, glib, graphene, gsk};
use hv_api::display::{Button, Channel, DisplayEvent, DisplayRequest, PICTURE_LIMIT};
use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;
use tracing::warn;

/// How long the widget's size has to stay the same until the guest is asked to follow.
const SETTLED: Duration = Duration::from_millis(200);

/// The smallest picture that a guest is asked for, in pixels. In a smaller window it is scaled: what
/// guests draw needs this room.
const SMALLEST_PICTURE: (u32, u32) = (640, 480);

/// The largest cursor that is taken, in pixels.
const CURSOR_LIMIT: u32 = 256;

/// What lies over the picture of a guest that stands still.
const DIM: gdk::RGBA = gdk::RGBA::new(0.0, 0.0, 0.0, 0.6);

type Listener = Rc<dyn Fn(FramebufferNews)>;

/// What a guest's pointer looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CursorShape {
    width: u32,
    height: u32,
    hot_x: u32,
    hot_y: u32,
    pixels: Vec<u8>,
}

/// The widget's state.
#[derive(Default)]
pub struct Framebuffer {
    link: RefCell<Option<Link>>,
    frame: RefCell<Option<Frame>>,
    /// Whether the core waits for word that what it sent has been taken in.
    owes_shown: Cell<bool>,
    listener: RefCell<Option<Listener>>,

    pub(super) keyboard: RefCell<Keyboard>,
    pub(super) buttons: RefCell<Vec<Button>>,
    pub(super) wheel: RefCell<Wheel>,
    /// Where the pointer was last, in the toolkit's units; nothing while it is elsewhere.
    pub(super) pointer: Cell<Option<(f64, f64)>>,
    /// What of a relative movement is not yet a whole guest pixel.
    pub(super) movement: Cell<(f64, f64)>,
    /// Whether the guest takes movements only.
    pub(super) relative: Cell<bool>,
    /// Whether the user was told so.
    pub(super) told_of_movements: Cell<bool>,
    pub(super) grabbed: Cell<bool>,

    dimmed: Cell<bool>,
    cursor: RefCell<Option<CursorShape>>,
    cursor_hidden: Cell<bool>,

    resizes_guest: Cell<bool>,
    /// The size in screen pixels that the guest was last asked for, or has had from the beginning.
    asked_size: Cell<Option<(u32, u32)>>,
    resize_timer: Cell<Option<glib::SourceId>>,
}

impl std::fmt::Debug for Framebuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Framebuffer").field("link", &self.link).finish_non_exhaustive()
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Framebuffer {
    const NAME: &'static str = "GuesthouseFramebuffer";
    type Type = super::Framebuffer;
    type ParentType = gtk::Widget;

    fn class_init(class: &mut Self::Class) {
        class.set_css_name("framebuffer");
        class.set_accessible_role(gtk::AccessibleRole::Img);
    }
}

impl ObjectImpl for Framebuffer {
    fn constructed(&self) {
        self.parent_constructed();
        let widget = self.obj();
        widget.set_focusable(true);
        widget.set_hexpand(true);
        widget.set_vexpand(true);
        widget.connect_scale_factor_notify(|widget| {
            widget.imp().follow_size();
            widget.queue_draw();
        });
        input::connect(&widget);
    }

    fn dispose(&self) {
        if let Some(timer) = self.resize_timer.take() {
            timer.remove();
        }
        self.link.take();
    }
}

impl WidgetImpl for Framebuffer {
    fn measure(&self, _orientation: gtk::Orientation, _for_size: i32) -> (i32, i32, i32, i32) {
        (0, 0, -1, -1)
    }

    fn size_allocate(&self, width: i32, height: i32, baseline: i32) {
        self.parent_size_allocate(width, height, baseline);
        self.follow_size();
    }

    fn unmap(&self) {
        input::let_go(&self.obj());
        self.parent_unmap();
    }

    fn snapshot(&self, snapshot: &gtk::Snapshot) {
        let widget = self.obj();
        let (width, height) = (widget.width() as f32, widget.height() as f32);
        snapshot.append_color(&gdk::RGBA::BLACK, &graphene::Rect::new(0.0, 0.0, width, height));
        if let (Some(placement), Some(frame)) = (self.placement(), self.frame.borrow_mut().as_mut()) {
            let cairo = widget
                .native()
                .and_then(|native| native.renderer())
                .is_some_and(|renderer| renderer.is::<gsk::CairoRenderer>());
            frame.draw(snapshot, placement, if cairo { Renderer::Cairo } else { Renderer::Textures });
        }
        if self.dimmed.get() {
            snapshot.append_color(&DIM, &graphene::Rect::new(0.0, 0.0, width, height));
        }
        if self.owes_shown.take() {
            self.send(DisplayRequest::Shown);
        }
    }
}

impl Framebuffer {
    pub(super) fn set_listener(&self, listener: impl Fn(FramebufferNews) + 'static) {
        self.listener.replace(Some(Rc::new(listener)));
    }

    pub(super) fn tell(&self, news: FramebufferNews) {
        let listener = self.listener.borrow().clone();
        if let Some(listener) = listener {
            listener(news);
        }
    }

    pub(super) fn attach(&self, channel: Channel) {
        self.detach();
        let widget = self.obj().downgrade();
        let link = Link::new(channel, move |arrival| {
            let Some(widget) = widget.upgrade() else { return };
            match arrival {
                Arrival::Events(events) => widget.imp().take(events),
                Arrival::Closed => widget.imp().closed(),
            }
        });
        self.link.replace(Some(link));
    }

    pub(super) fn detach(&self) {
        input::let_go(&self.obj());
        self.link.take();
        self.frame.take();
        self.owes_shown.set(false);
        self.relative.set(false);
        self.told_of_movements.set(false);
        self.asked_size.set(None);
        self.cursor.take();
        self.cursor_hidden.set(false);
        self.obj().set_cursor(None);
        self.obj().queue_draw();
    }

    pub(super) fn is_attached(&self) -> bool {
        self.link.borrow().is_some()
    }

    pub(super) fn picture_size(&self) -> Option<(u32, u32)> {
        self.frame.borrow().as_ref().map(Frame::size)
    }

    pub(super) fn send(&self, request: DisplayRequest) {
        if let Some(link) = self.link.borrow().as_ref() {
            link.send(request);
        }
    }

    pub(super) fn act(&self, act: Act) {
        match act {
            Act::Key { code, down } => self.send(DisplayRequest::Key { code, down }),
            Act::Combination(codes) => self.send_combination(&codes),
            Act::Chord(chord) => self.tell(FramebufferNews::Chord(chord)),
            Act::ToggleGrab => input::set_grabbed(&self.obj(), !self.grabbed.get()),
        }
    }

    pub(super) fn send_combination(&self, codes: &[u16]) {
        for code in codes {
            self.send(DisplayRequest::Key { code: *code, down: true });
        }
        for code in codes.iter().rev() {
            self.send(DisplayRequest::Key { code: *code, down: false });
        }
    }

    pub(super) fn set_resizes_guest(&self, resizes: bool) {
        self.resizes_guest.set(resizes);
        self.follow_size();
    }

    pub(super) fn set_dimmed(&self, dimmed: bool) {
        if self.dimmed.replace(dimmed) != dimmed {
            self.obj().queue_draw();
        }
    }

    /// Where the picture lies, if there is one.
    pub(super) fn placement(&self) -> Option<Placement> {
        let widget = self.obj();
        let size = |length: i32| u32::try_from(length).unwrap_or(0);
        Placement::fit(
            self.picture_size()?,
            (size(widget.width()), size(widget.height())),
            size(widget.scale_factor()),
        )
    }

    fn closed(&self) {
        self.detach();
        self.tell(FramebufferNews::Closed);
    }

    /// Takes in what the core said. Nothing is drawn here: that happens once, with the next frame.
    fn take(&self, events: Vec<(DisplayEvent, Option<OwnedFd>)>) {
        let mut news = Vec::new();
        let mut cursor_changed = false;
        for (event, memory) in events {
            match event {
                DisplayEvent::Picture { width, height, stride } => {
                    let frame = memory
                        .ok_or_else(|| std::io::Error::other("a picture came without its memory"))
                        .and_then(|memory| Frame::new(memory, width, height, stride));
                    match frame {
                        Ok(frame) => {
                            self.frame.replace(Some(frame));
                            self.owes_shown.set(true);
                            news.push(FramebufferNews::Picture { width, height });
                        }
                        Err(error) => {
                            warn!(%error, "gave up a display channel");
                            return self.closed();
                        }
                    }
                }
                DisplayEvent::Damage(parts) => {
                    if let Some(frame) = self.frame.borrow_mut().as_mut() {
                        for part in parts {
                            frame.damage(part);
                        }
                    }
                    self.owes_shown.set(true);
                }
                DisplayEvent::Cursor { width, height, hot_x, hot_y, pixels } => {
                    let shape = CursorShape { width, height, hot_x, hot_y, pixels };
                    cursor_changed |= self.cursor.borrow().as_ref() != Some(&shape);
                    self.cursor.replace(Some(shape));
                }
                DisplayEvent::CursorVisible(visible) => {
                    cursor_changed |= self.cursor_hidden.replace(!visible) == visible;
                }
                DisplayEvent::PointerAbsolute(absolute) => {
                    self.relative.set(!absolute);
                    self.told_of_movements.set(false);
                }
                DisplayEvent::Lights { .. } => {}
            }
        }
        if cursor_changed {
            self.show_cursor();
        }
        if self.owes_shown.get() {
            self.obj().queue_draw();
        }
        if news.iter().any(|news| matches!(news, FramebufferNews::Picture { .. })) {
            self.follow_size();
        }
        for news in news {
            self.tell(news);
        }
    }

    fn show_cursor(&self) {
        let cursor = if self.cursor_hidden.get() {
            gdk::Cursor::from_name("none", None)
        } else {
            self.cursor.borrow().as_ref().and_then(CursorShape::cursor)
        };
        self.obj().set_cursor(cursor.as_ref());
    }

    /// Asks the guest, once the widget's size has settled, for a picture of that size.
    fn follow_size(&self) {
        if let Some(timer) = self.resize_timer.take() {
            timer.remove();
        }
        let wanted = self.size_on_screen();
        if !self.resizes_guest.get() || self.picture_size().is_none() || wanted == self.asked_size.get() {
            return;
        }
        let widget = self.obj().downgrade();
        let timer = glib::timeout_add_local_once(SETTLED, move || {
            if let Some(widget) = widget.upgrade() {
                widget.imp().resize_timer.take();
                widget.imp().ask_for_size();
            }
        });
        self.resize_timer.set(Some(timer));
    }

    fn ask_for_size(&self) {
        let Some((width, height)) = self.size_on_screen() else { return };
        let asked = self.asked_size.replace(Some((width, height)));
        if asked.is_none() && self.picture_size() == Some((width, height)) {
            return;
        }
        self.send(DisplayRequest::Resize { width, height });
    }

    /// The size of a picture that fills the widget, in screen pixels; nothing while it has no size.
    fn size_on_screen(&self) -> Option<(u32, u32)> {
        let widget = self.obj();
        let pixels = |length: i32, least: u32| {
            let pixels = u32::try_from(length.saturating_mul(widget.scale_factor())).ok()?;
            (pixels > 0).then(|| pixels.clamp(least, PICTURE_LIMIT))
        };
        Some((pixels(widget.width(), SMALLEST_PICTURE.0)?, pixels(widget.height(), SMALLEST_PICTURE.1)?))
    }
}

impl CursorShape {
    /// The cursor for the toolkit; nothing where what the guest says makes no sense.
    fn cursor(&self) -> Option<gdk::Cursor> {
        let sensible = |length| (1..=CURSOR_LIMIT).contains(&length);
        if !sensible(self.width)
            || !sensible(self.height)
            || self.pixels.len() != self.width as usize * self.height as usize * 4
        {
            return None;
        }
        let texture = gdk::MemoryTexture::new(
            self.width as i32,
            self.height as i32,
            gdk::MemoryFormat::B8g8r8a8Premultiplied,
            &glib::Bytes::from(&self.pixels),
            self.width as usize * 4,
        );
        let hot = |place: u32, length: u32| place.min(length - 1) as i32;
        Some(gdk::Cursor::from_texture(
            &texture,
            hot(self.hot_x, self.width),
            hot(self.hot_y, self.height),
            None,
        ))
    }
}
