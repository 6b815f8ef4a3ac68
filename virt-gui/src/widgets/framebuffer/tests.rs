//! The widget with a core played by the test, drawn by the toolkit's own renderers.

use super::frame::{Frame, Renderer};
use super::placement::Placement;
use super::{Framebuffer, FramebufferNews};
use crate::testing::{until, with_display};
use gtk::prelude::*;
use gtk::subclass::prelude::*;
use gtk::{graphene, gsk};
use hv_api::display::{Channel, DisplayEvent, DisplayRequest, FrameMemory, Rect};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A picture as the core keeps it, with one byte more than needed at the end of each line group.
struct Picture {
    memory: FrameMemory,
    width: u32,
    height: u32,
    stride: u32,
}

impl Picture {
    /// Each pixel has a colour of its own, and rubbish where the format has no meaning.
    fn new(width: u32, height: u32) -> Self {
        let stride = width * 4 + 16;
        let mut memory = FrameMemory::new((stride * height) as usize).unwrap();
        for y in 0..height {
            for x in 0..width {
                let at = (y * stride + x * 4) as usize;
                memory.bytes_mut()[at..at + 4].copy_from_slice(&colour(x, y));
            }
        }
        Self { memory, width, height, stride }
    }

    fn announcement(&self) -> DisplayEvent {
        DisplayEvent::Picture { width: self.width, height: self.height, stride: self.stride }
    }

    fn send(&self, core: &Channel) {
        core.send(&self.announcement(), Some(self.memory.as_fd())).unwrap();
    }

    fn fill(&mut self, part: Rect, colour: [u8; 4]) {
        for y in part.y..part.y + part.height {
            for x in part.x..part.x + part.width {
                let at = (y * self.stride + x * 4) as usize;
                self.memory.bytes_mut()[at..at + 4].copy_from_slice(&colour);
            }
        }
    }

    fn frame(&self) -> Frame {
        let memory = self.memory.as_fd().try_clone_to_owned().unwrap();
        Frame::new(memory, self.width, self.height, self.stride).unwrap()
    }
}

fn colour(x: u32, y: u32) -> [u8; 4] {
    [x as u8, y as u8, (x / 256 * 16 + y / 256) as u8, (x ^ y) as u8]
}

/// Draws a frame as a window of that size and scale factor would: blue, green, red, alpha.
fn draw(frame: &mut Frame, widget: (u32, u32), factor: u32, renderer: Renderer) -> Vec<[u8; 4]> {
    let placement = Placement::fit(frame.size(), widget, factor).unwrap();
    let snapshot = gtk::Snapshot::new();
    snapshot.scale(factor as f32, factor as f32);
    frame.draw(&snapshot, placement, renderer);
    let gsk = gsk::CairoRenderer::new();
    gsk.realize(None).unwrap();
    let size = (widget.0 * factor, widget.1 * factor);
    let viewport = graphene::Rect::new(0.0, 0.0, size.0 as f32, size.1 as f32);
    let texture = gsk.render_texture(snapshot.to_node().unwrap(), Some(&viewport));
    gsk.unrealize();
    let mut bytes = vec![0; (size.0 * size.1 * 4) as usize];
    texture.download(&mut bytes, size.0 as usize * 4);
    bytes.chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2], pixel[3]]).collect()
}

#[test]
fn a_picture_at_its_own_size_is_exact_with_each_renderer_and_scale_factor() {
    with_display(|| {
        let picture = Picture::new(600, 300);
        for renderer in [Renderer::Textures, Renderer::Cairo] {
            for (widget, factor) in [((600, 300), 1), ((300, 150), 2), ((620, 310), 1)] {
                let pixels = draw(&mut picture.frame(), widget, factor, renderer);
                let width = widget.0 * factor;
                let (left, top) = ((width - 600) / 2, (widget.1 * factor - 300) / 2);
                for (x, y) in (0..300).flat_map(|y| (0..600).map(move |x| (x, y))) {
                    let [blue, green, red, _] = colour(x, y);
                    let drawn = pixels[((y + top) * width + x + left) as usize];
                    assert_eq!(drawn, [blue, green, red, 255], "{renderer:?} × {factor} at {x}, {y}");
                }
            }
        }
    });
}

#[test]
fn a_picture_at_a_whole_scale_is_sharp_with_each_renderer() {
    with_display(|| {
        let picture = Picture::new(300, 20);
        for renderer in [Renderer::Textures, Renderer::Cairo] {
            for (widget, factor) in [((900, 60), 1), ((450, 30), 2)] {
                let pixels = draw(&mut picture.frame(), widget, factor, renderer);
                for (x, y) in (0..60).flat_map(|y| (0..900).map(move |x| (x, y))) {
                    let [blue, green, red, _] = colour(x / 3, y / 3);
                    let drawn = pixels[(y * 900 + x) as usize];
                    assert_eq!(drawn, [blue, green, red, 255], "{renderer:?} × {factor} at {x}, {y}");
                }
            }
        }
    });
}

#[test]
fn a_scaled_picture_has_no_seams() {
    with_display(|| {
        let mut picture = Picture::new(1280, 800);
        picture.fill(Rect { x: 0, y: 0, width: 1280, height: 800 }, [200, 150, 100, 0]);
        for renderer in [Renderer::Textures, Renderer::Cairo] {
            for widget in [(941, 588), (363, 227), (1777, 1111)] {
                let placement = Placement::fit((1280, 800), widget, 1).unwrap();
                let area = placement.area(Rect { x: 0, y: 0, width: 1280, height: 800 });
                let pixels = draw(&mut picture.frame(), widget, 1, renderer);
                for y in area.y as u32..(area.y + area.height) as u32 {
                    for x in area.x as u32..(area.x + area.width) as u32 {
                        let drawn = pixels[(y * widget.0 + x) as usize];
                        let near = drawn.iter().zip([200_u8, 150, 100, 255]).all(|(a, b)| a.abs_diff(b) <= 1);
                        assert!(near, "{renderer:?} {widget:?} at {x}, {y}: {drawn:?}");
                    }
                }
            }
        }
    });
}

#[test]
fn only_damaged_tiles_are_made_anew_and_show_the_damage() {
    with_display(|| {
        let mut picture = Picture::new(1000, 600);
        let mut frame = picture.frame();
        assert_eq!(frame.stale(), 12);
        draw(&mut frame, (1000, 600), 1, Renderer::Textures);
        assert_eq!(frame.stale(), 0);
        let part = Rect { x: 250, y: 10, width: 12, height: 5 };
        picture.fill(part, [1, 2, 3, 4]);
        frame.damage(part);
        assert_eq!(frame.stale(), 2, "the part lies on two tiles");
        let pixels = draw(&mut frame, (1000, 600), 1, Renderer::Textures);
        assert_eq!(pixels[10 * 1000 + 250], [1, 2, 3, 255]);
        assert_eq!(pixels[14 * 1000 + 261], [1, 2, 3, 255]);
        frame.damage(Rect { x: u32::MAX, y: 3, width: u32::MAX, height: 9 });
        frame.damage(Rect { x: 999, y: 599, width: u32::MAX, height: u32::MAX });
        assert_eq!(frame.stale(), 1, "only what lies within the picture counts");
    });
}

#[test]
fn memory_that_does_not_fit_its_size_is_refused() {
    let picture = Picture::new(64, 64);
    let new = |width, height, stride| {
        Frame::new(picture.memory.as_fd().try_clone_to_owned().unwrap(), width, height, stride)
    };
    assert!(new(64, 64, picture.stride).is_ok());
    for (width, height, stride) in [
        (0, 64, 272),
        (64, 0, 272),
        (64, 64, 255),
        (64, 65, 272),
        (16_385, 1, 65_540),
        (1, u32::MAX, u32::MAX),
    ] {
        assert!(new(width, height, stride).is_err(), "{width} × {height}, {stride}");
    }
}

/// The widget in a window, and a core played by the test.
struct Stage {
    window: gtk::Window,
    widget: Framebuffer,
    core: Channel,
    news: Rc<RefCell<Vec<FramebufferNews>>>,
    told: RefCell<Vec<DisplayRequest>>,
}

impl Stage {
    fn new(width: i32, height: i32) -> Self {
        let widget = Framebuffer::default();
        let news = Rc::new(RefCell::new(Vec::new()));
        let heard = Rc::clone(&news);
        widget.listen(move |news| heard.borrow_mut().push(news));
        let window = gtk::Window::builder()
            .default_width(width)
            .default_height(height)
            .decorated(false)
            .child(&widget)
            .build();
        window.present();
        until("the widget has its size", || widget.width() > 0);
        let (core, end) = Channel::pair().unwrap();
        widget.attach(end);
        Self { window, widget, core, news, told: RefCell::default() }
    }

    /// Waits until the widget has told the core something that `wanted` accepts.
    fn told(&self, what: &str, wanted: impl Fn(&DisplayRequest) -> bool) -> DisplayRequest {
        let found = RefCell::new(None);
        until(what, || {
            while let Ok(Some((request, _))) = self.core.receive::<DisplayRequest>() {
                self.told.borrow_mut().push(request);
            }
            let mut told = self.told.borrow_mut();
            let place = told.iter().position(&wanted);
            *found.borrow_mut() = place.map(|place| told.remove(place));
            found.borrow().is_some()
        });
        found.into_inner().unwrap()
    }

    fn shown(&self) {
        self.told("the widget says Shown", |request| *request == DisplayRequest::Shown);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.window.destroy();
    }
}

#[test]
fn damage_is_answered_once_it_is_drawn_and_an_idle_picture_wakes_nobody() {
    with_display(|| {
        let stage = Stage::new(400, 300);
        let picture = Picture::new(320, 200);
        picture.send(&stage.core);
        stage.shown();
        assert_eq!(stage.news.borrow()[..], [FramebufferNews::Picture { width: 320, height: 200 }]);
        assert_eq!(stage.widget.picture_size(), Some((320, 200)));
        stage.core.send(&DisplayEvent::Damage(vec![Rect { x: 0, y: 0, width: 9, height: 9 }]), None).unwrap();
        stage.shown();

        let painted = Rc::new(RefCell::new(0));
        let counter = Rc::clone(&painted);
        let clock = stage.widget.frame_clock().unwrap();
        let handler = clock.connect_paint(move |_| *counter.borrow_mut() += 1);
        // That nothing happens can only be seen by waiting.
        let end = Instant::now() + Duration::from_millis(400);
        until("a while has passed", || Instant::now() > end);
        clock.disconnect(handler);
        let frames = *painted.borrow();
        assert!(frames <= 3, "{frames} frames were drawn of a picture that stands still");
        assert!(stage.told.borrow().is_empty());
    });
}

#[test]
fn a_channel_that_closes_or_talks_nonsense_is_given_up() {
    with_display(|| {
        let stage = Stage::new(400, 300);
        Picture::new(320, 200).send(&stage.core);
        stage.shown();
        // A picture without its memory.
        stage.core.send(&Picture::new(8, 8).announcement(), None).unwrap();
        until("the channel is given up", || !stage.widget.is_attached());
        assert_eq!(stage.news.borrow().last(), Some(&FramebufferNews::Closed));
        assert_eq!(stage.widget.picture_size(), None);

        let (core, end) = Channel::pair().unwrap();
        stage.widget.attach(end);
        drop(core);
        until("the end is seen", || !stage.widget.is_attached());
        assert_eq!(stage.news.borrow().iter().filter(|news| **news == FramebufferNews::Closed).count(), 2);
    });
}

#[test]
fn the_guest_is_asked_once_for_the_size_at_which_the_window_settles() {
    with_display(|| {
        let stage = Stage::new(700, 500);
        stage.widget.set_resizes_guest(true);
        Picture::new(320, 200).send(&stage.core);
        let resize = |request: &DisplayRequest| matches!(request, DisplayRequest::Resize { .. });
        let asked = stage.told("the guest is asked", resize);
        assert_eq!(asked, DisplayRequest::Resize { width: 700, height: 500 });
        for step in 1..=10 {
            stage.window.set_default_size(700 + step * 10, 500 + step * 10);
        }
        let asked = stage.told("the guest is asked again", resize);
        assert_eq!(asked, DisplayRequest::Resize { width: 800, height: 600 });
        stage.window.set_default_size(300, 700);
        let asked = stage.told("the guest keeps a usable size", resize);
        assert_eq!(asked, DisplayRequest::Resize { width: 640, height: 700 });
        assert!(!stage.told.borrow().iter().any(resize));
    });
}

#[test]
fn keys_reach_the_core_and_go_up_when_the_widget_goes_away() {
    with_display(|| {
        let stage = Stage::new(400, 300);
        Picture::new(320, 200).send(&stage.core);
        stage.shown();
        stage.widget.send_combination(&[29, 56, 111]);
        let keys: Vec<_> = (0..6)
            .map(|_| stage.told("a key", |request| matches!(request, DisplayRequest::Key { .. })))
            .collect();
        let key = |code, down| DisplayRequest::Key { code, down };
        let expected =
            [key(29, true), key(56, true), key(111, true), key(111, false), key(56, false), key(29, false)];
        assert_eq!(keys, expected);
        let act = stage.widget.imp().keyboard.borrow_mut().press(30, None);
        stage.widget.imp().act(act.unwrap());
        stage.window.set_visible(false);
        stage.told("all keys go up", |request| *request == DisplayRequest::ReleaseAll);
    });
}

#[test]
fn requests_wait_in_their_order_while_the_core_does_not_read() {
    with_display(|| {
        let stage = Stage::new(400, 300);
        // The socket takes some hundreds of packets; a few more wait; then only the release counts.
        for _ in 0..100_000 {
            stage.widget.send_combination(&[30]);
        }
        stage.told("all keys go up", |request| *request == DisplayRequest::ReleaseAll);
        stage.widget.send_combination(&[48]);
        let down =
            stage.told("a later key", |request| *request == DisplayRequest::Key { code: 48, down: true });
        assert_eq!(down, DisplayRequest::Key { code: 48, down: true });
    });
}
