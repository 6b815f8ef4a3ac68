//! Keys and pointer: from the toolkit's events to what the guest is told.

use super::keyboard::code_of;
use super::{Framebuffer, FramebufferNews};
use gtk::prelude::*;
use gtk::subclass::prelude::*;
use gtk::{gdk, glib, graphene};
use hv_api::display::{Button, DisplayRequest};

/// How far a touchpad scrolls for one step of a wheel, in the toolkit's units.
const STEP_OF_A_TOUCHPAD: f64 = 10.0;

/// Connects the widget to what happens on it.
pub fn connect(widget: &Framebuffer) {
    connect_keys(widget);
    connect_focus(widget);
    connect_pointer(widget);
    connect_buttons(widget);
    connect_wheel(widget);
}

fn connect_keys(widget: &Framebuffer) {
    let keys = gtk::EventControllerKey::new();
    // Before the toolkit looks for shortcuts and moves the focus: all of these keys are the guest's.
    keys.set_propagation_phase(gtk::PropagationPhase::Capture);
    let weak = widget.downgrade();
    keys.connect_key_pressed(move |_, symbol, hardware, _| {
        let Some(widget) = weak.upgrade().filter(Framebuffer::is_attached) else {
            return glib::Propagation::Proceed;
        };
        if let Some(code) = code_of(hardware) {
            let letter = symbol.to_unicode().filter(|character| character.is_alphabetic());
            let act = widget.imp().keyboard.borrow_mut().press(code, letter);
            if let Some(act) = act {
                widget.imp().act(act);
            }
        }
        glib::Propagation::Stop
    });
    let weak = widget.downgrade();
    keys.connect_key_released(move |_, _, hardware, _| {
        let Some(widget) = weak.upgrade() else { return };
        if let Some(code) = code_of(hardware) {
            let act = widget.imp().keyboard.borrow_mut().release(code);
            if let Some(act) = act {
                widget.imp().act(act);
            }
        }
    });
    widget.add_controller(keys);
}

fn connect_focus(widget: &Framebuffer) {
    let focus = gtk::EventControllerFocus::new();
    let weak = widget.downgrade();
    focus.connect_enter(move |_| {
        // X11 forgets the grab with the focus.
        if let Some(widget) = weak.upgrade().filter(|widget| widget.imp().grabbed.get()) {
            inhibit_shortcuts(&widget, true);
        }
    });
    let weak = widget.downgrade();
    focus.connect_leave(move |_| {
        // The keys that are down now go up where we do not see it.
        if let Some(widget) = weak.upgrade() {
            let_go(&widget);
        }
    });
    widget.add_controller(focus);
}

fn connect_pointer(widget: &Framebuffer) {
    let motion = gtk::EventControllerMotion::new();
    let weak = widget.downgrade();
    motion.connect_enter(move |_, x, y| {
        if let Some(widget) = weak.upgrade() {
            pointer_at(&widget, x, y);
        }
    });
    let weak = widget.downgrade();
    motion.connect_motion(move |_, x, y| {
        if let Some(widget) = weak.upgrade() {
            pointer_at(&widget, x, y);
        }
    });
    let weak = widget.downgrade();
    motion.connect_leave(move |_| {
        if let Some(widget) = weak.upgrade() {
            widget.imp().pointer.set(None);
        }
    });
    widget.add_controller(motion);
}

fn connect_buttons(widget: &Framebuffer) {
    // Gestures follow one button at a time; a guest is to see each.
    let buttons = gtk::EventControllerLegacy::new();
    let weak = widget.downgrade();
    buttons.connect_event(move |_, event| {
        let down = match event.event_type() {
            gdk::EventType::ButtonPress => true,
            gdk::EventType::ButtonRelease => false,
            _ => return glib::Propagation::Proceed,
        };
        let (Some(widget), Some(number)) =
            (weak.upgrade(), event.downcast_ref::<gdk::ButtonEvent>().map(gdk::ButtonEvent::button))
        else {
            return glib::Propagation::Proceed;
        };
        if down {
            widget.grab_focus();
        }
        if let Some((x, y)) = place_of(&widget, event) {
            pointer_at(&widget, x, y);
        }
        if let Some(button) = button_of(number) {
            press_button(&widget, button, down);
        }
        glib::Propagation::Stop
    });
    widget.add_controller(buttons);
}

fn connect_wheel(widget: &Framebuffer) {
    let scroll = gtk::EventControllerScroll::new(gtk::EventControllerScrollFlags::VERTICAL);
    let weak = widget.downgrade();
    scroll.connect_scroll(move |scroll, _, dy| {
        let Some(widget) = weak.upgrade().filter(Framebuffer::is_attached) else {
            return glib::Propagation::Proceed;
        };
        let steps = if scroll.unit() == gdk::ScrollUnit::Surface { dy / STEP_OF_A_TOUCHPAD } else { dy };
        let steps = widget.imp().wheel.borrow_mut().turn(steps);
        let button = if steps < 0 { Button::WheelUp } else { Button::WheelDown };
        for _ in 0..steps.unsigned_abs() {
            widget.imp().send(DisplayRequest::Button { button, down: true });
            widget.imp().send(DisplayRequest::Button { button, down: false });
        }
        glib::Propagation::Stop
    });
    widget.add_controller(scroll);
}

/// Takes the whole keyboard, or gives it back.
pub fn set_grabbed(widget: &Framebuffer, grabbed: bool) {
    let imp = widget.imp();
    if imp.grabbed.replace(grabbed) != grabbed {
        imp.keyboard.borrow_mut().set_grabbed(grabbed);
        inhibit_shortcuts(widget, grabbed);
        imp.tell(FramebufferNews::Grabbed(grabbed));
    }
}

/// Lets all keys and buttons go that the guest thinks are down.
pub fn let_go(widget: &Framebuffer) {
    let imp = widget.imp();
    let keys = imp.keyboard.borrow_mut().leave();
    let buttons = !std::mem::take(&mut *imp.buttons.borrow_mut()).is_empty();
    if keys || buttons {
        imp.send(DisplayRequest::ReleaseAll);
    }
}

/// Asks the host's desktop to keep its own shortcuts to itself, or not to any more.
fn inhibit_shortcuts(widget: &Framebuffer, inhibit: bool) {
    // A display without a seat, as of a remote session without input, can't be asked.
    if widget.display().default_seat().is_none() {
        return;
    }
    let surface = widget.native().and_then(|native| native.surface()).and_downcast::<gdk::Toplevel>();
    match surface {
        Some(toplevel) if inhibit => toplevel.inhibit_system_shortcuts(None::<&gdk::Event>),
        Some(toplevel) => toplevel.restore_system_shortcuts(),
        None => {}
    }
}

fn button_of(number: u32) -> Option<Button> {
    match number {
        1 => Some(Button::Left),
        2 => Some(Button::Middle),
        3 => Some(Button::Right),
        8 => Some(Button::Side),
        9 => Some(Button::Extra),
        _ => None,
    }
}

fn press_button(widget: &Framebuffer, button: Button, down: bool) {
    let imp = widget.imp();
    imp.keyboard.borrow_mut().pointer_used();
    let mut held = imp.buttons.borrow_mut();
    let was_down = held.contains(&button);
    held.retain(|other| *other != button);
    if down {
        held.push(button);
    }
    drop(held);
    // A release of what was never pressed here is not the guest's business.
    if down || was_down {
        imp.send(DisplayRequest::Button { button, down });
    }
}

/// The pointer is at a place on the widget, given in the toolkit's units.
fn pointer_at(widget: &Framebuffer, x: f64, y: f64) {
    let imp = widget.imp();
    let before = imp.pointer.replace(Some((x, y)));
    if before == Some((x, y)) {
        return;
    }
    let Some(placement) = imp.placement() else { return };
    if !imp.relative.get() {
        let (x, y) = placement.guest_pixel(x, y);
        imp.send(DisplayRequest::PointerAt { x, y });
    } else if let Some((old_x, old_y)) = before {
        let (dx, dy) = placement.guest_distance(x - old_x, y - old_y);
        let rest = imp.movement.get();
        let (dx, dy) = (dx + rest.0, dy + rest.1);
        imp.movement.set((dx.fract(), dy.fract()));
        let (dx, dy) = (dx.trunc() as i32, dy.trunc() as i32);
        if (dx, dy) != (0, 0) {
            imp.send(DisplayRequest::PointerBy { dx, dy });
            if !imp.told_of_movements.replace(true) {
                imp.tell(FramebufferNews::MovementsOnly);
            }
        }
    }
}

/// Where on the widget something happened, in the toolkit's units.
fn place_of(widget: &Framebuffer, event: &gdk::Event) -> Option<(f64, f64)> {
    let (x, y) = event.position()?;
    let native = widget.native()?;
    let (left, top) = native.surface_transform();
    let point = native.compute_point(widget, &graphene::Point::new((x - left) as f32, (y - top) as f32))?;
    Some((f64::from(point.x()), f64::from(point.y())))
}
