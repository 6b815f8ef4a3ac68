//! A guest's serial port as a terminal.
//!
//! It owns the port from [`SerialTerminal::attach`] on. However fast the guest writes, the window stays
//! quick and memory bounded. Opening the port, and opening it again when the core comes back, is left
//! to who listens to its news.

mod palette;
mod port;

#[cfg(test)]
mod tests;

use adw::prelude::*;
use gtk::accessible::Property;
use gtk::{gdk, glib};
use palette::Palette;
use port::{Arrival, Port};
use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;
use virt_kit::i18n::gettext;
use vte4::TerminalExt as _;
use vte4::TerminalExtManual as _;

/// Lines that can be scrolled back to.
const SCROLLBACK: i64 = 10_000;

/// How often at most screen readers are told what the guest wrote last.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// How much of it they are told, in characters.
const TOLD_LIMIT: usize = 200;

/// How many lines up to the cursor that is taken from.
const TOLD_LINES: i64 = 24;

/// How long after what the guest wrote earlier has arrived the terminal may have yet to answer it.
const REPLAY_SETTLES: Duration = Duration::from_millis(300);

/// What a Linux guest needs on its kernel's command line in order to write to the serial port with this number.
fn kernel_argument(port: u32) -> String {
    format!("console=ttyS{port}")
}

/// The size of letters relative to the desktop's.
const SMALLEST_FONT: f64 = 0.5;
const LARGEST_FONT: f64 = 4.0;
const FONT_STEP: f64 = 1.2;

/// The terminal. Clones are the same one.
#[derive(Debug, Clone)]
pub struct SerialTerminal(Rc<Inner>);

struct Inner {
    root: gtk::Overlay,
    terminal: vte4::Terminal,
    hint: gtk::Box,
    /// What the hint says to write.
    argument: gtk::Label,
    port: RefCell<Option<Port>>,
    /// Whether what arrives is what the guest wrote before the port was opened.
    replaying: Cell<bool>,
    telling: Cell<bool>,
    closed: RefCell<Option<Rc<dyn Fn()>>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SerialTerminal").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Default for SerialTerminal {
    fn default() -> Self {
        let terminal = vte4::Terminal::new();
        terminal.set_scrollback_lines(SCROLLBACK);
        terminal.set_scroll_on_keystroke(true);
        terminal.set_scroll_on_output(false);
        terminal.set_audible_bell(false);
        terminal.set_mouse_autohide(true);
        // Linux consoles delete with 0x7f.
        terminal.set_backspace_binding(vte4::EraseBinding::AsciiDelete);
        let scrolled = gtk::ScrolledWindow::builder()
            .hscrollbar_policy(gtk::PolicyType::Never)
            .child(&terminal)
            .hexpand(true)
            .vexpand(true)
            .build();
        let (hint, argument) = hint();
        let root = gtk::Overlay::builder().child(&scrolled).build();
        root.add_overlay(&hint);
        let this = Self(Rc::new(Inner {
            root,
            terminal,
            hint,
            argument,
            port: RefCell::default(),
            replaying: Cell::default(),
            telling: Cell::default(),
            closed: RefCell::default(),
        }));
        this.follow_style();
        this.connect_typing();
        this.connect_shortcuts();
        this.connect_reading_aloud();
        this
    }
}

impl SerialTerminal {
    /// The widget to show.
    pub fn widget(&self) -> &gtk::Widget {
        self.0.root.upcast_ref()
    }

    /// What takes the keyboard.
    pub fn focus_widget(&self) -> &gtk::Widget {
        self.0.terminal.upcast_ref()
    }

    /// Has `closed` called when the core closes the port, in place of who was called before.
    pub fn on_closed(&self, closed: impl Fn() + 'static) {
        self.0.closed.replace(Some(Rc::new(closed)));
    }

    /// Shows this port, from the first thing that the guest wrote to it.
    ///
    /// # Errors
    /// Where the descriptor is not a socket.
    pub fn attach(&self, socket: OwnedFd) -> std::io::Result<()> {
        self.detach();
        self.0.terminal.reset(true, true);
        self.0.hint.set_visible(true);
        self.0.replaying.set(true);
        let weak = Rc::downgrade(&self.0);
        let port = Port::new(socket, move |arrival| {
            let Some(inner) = weak.upgrade() else { return };
            match arrival {
                Arrival::Bytes(bytes) => {
                    inner.hint.set_visible(false);
                    inner.terminal.feed(bytes);
                }
                Arrival::Quiet => Self(inner).end_replay_soon(),
                Arrival::Closed => {
                    inner.port.take();
                    let closed = inner.closed.borrow().clone();
                    if let Some(closed) = closed {
                        closed();
                    }
                }
            }
        })?;
        self.0.port.replace(Some(port));
        Ok(())
    }

    /// Closes the port. What was written stays to be read.
    pub fn detach(&self) {
        self.0.port.take();
    }

    /// Whether a port is open.
    pub fn is_attached(&self) -> bool {
        self.0.port.borrow().is_some()
    }

    /// Says that the port with this number is shown, from 0.
    pub fn set_port(&self, port: u32) {
        self.0.argument.set_label(&kernel_argument(port));
    }

    /// Names the terminal for screen readers.
    pub fn describe(&self, name: &str) {
        self.0.terminal.update_property(&[Property::Label(name)]);
    }

    /// Copies the selected text.
    pub fn copy(&self) {
        if self.0.terminal.has_selection() {
            self.0.terminal.copy_clipboard_format(vte4::Format::Text);
        }
    }

    /// Types what is in the clipboard.
    pub fn paste(&self) {
        self.0.terminal.paste_clipboard();
    }

    /// Makes letters larger by that many steps, or smaller; nothing for the desktop's size.
    pub fn zoom(&self, steps: Option<i32>) {
        let scale = steps.map_or(1.0, |steps| self.0.terminal.font_scale() * FONT_STEP.powi(steps));
        self.0.terminal.set_font_scale(scale.clamp(SMALLEST_FONT, LARGEST_FONT));
    }

    /// The last lines up to the cursor.
    fn last_lines(&self) -> String {
        let (_, row) = self.0.terminal.cursor_position();
        text(&self.0.terminal, (row - TOLD_LINES + 1).max(0), row)
    }

    /// When the guest's earlier output is through, what the terminal says is an answer to the guest.
    fn end_replay_soon(&self) {
        if !self.0.replaying.get() {
            return;
        }
        let weak = Rc::downgrade(&self.0);
        glib::timeout_add_local_once(REPLAY_SETTLES, move || {
            if let Some(inner) = weak.upgrade() {
                inner.replaying.set(false);
            }
        });
    }

    fn follow_style(&self) {
        let style = adw::StyleManager::default();
        self.dress(style.is_dark());
        let weak = Rc::downgrade(&self.0);
        let handler = style.connect_dark_notify(move |style| {
            if let Some(inner) = weak.upgrade() {
                Self(inner).dress(style.is_dark());
            }
        });
        let handler = Cell::new(Some(handler));
        self.0.root.connect_destroy(move |_| {
            if let Some(handler) = handler.take() {
                adw::StyleManager::default().disconnect(handler);
            }
        });
    }

    fn dress(&self, dark: bool) {
        let Palette { foreground, background, colours } = Palette::of(dark);
        self.0.terminal.set_colors(Some(&foreground), Some(&background), &colours.each_ref());
    }

    fn connect_typing(&self) {
        let weak = Rc::downgrade(&self.0);
        // The bindings take the text for UTF-8, which a guest can make it not to be by asking for the
        // pointer's place; so it is taken as it is.
        self.0.terminal.connect_local("commit", false, move |values| {
            let inner = weak.upgrade()?;
            let bytes = typed(values)?;
            // What the guest asked for in the past was answered then.
            if !(inner.replaying.get() && bytes.first() == Some(&0x1b))
                && let Some(port) = inner.port.borrow().as_ref()
            {
                port.write(&bytes);
            }
            None
        });
    }

    fn connect_shortcuts(&self) {
        let keys = gtk::EventControllerKey::new();
        keys.set_propagation_phase(gtk::PropagationPhase::Capture);
        let weak = Rc::downgrade(&self.0);
        keys.connect_key_pressed(move |_, key, _, state| {
            let Some(this) = weak.upgrade().map(Self) else { return glib::Propagation::Proceed };
            let control = state.contains(gdk::ModifierType::CONTROL_MASK);
            let shift = state.contains(gdk::ModifierType::SHIFT_MASK);
            match key {
                gdk::Key::C | gdk::Key::c if control && shift => this.copy(),
                gdk::Key::V | gdk::Key::v if control && shift => this.paste(),
                gdk::Key::plus | gdk::Key::equal | gdk::Key::KP_Add if control => this.zoom(Some(1)),
                gdk::Key::minus | gdk::Key::KP_Subtract if control && !shift => this.zoom(Some(-1)),
                gdk::Key::_0 | gdk::Key::KP_0 if control && !shift => this.zoom(None),
                _ => return glib::Propagation::Proceed,
            }
            glib::Propagation::Stop
        });
        self.0.terminal.add_controller(keys);
    }

    /// The terminal gives screen readers no text; so its description has what the guest wrote last.
    fn connect_reading_aloud(&self) {
        let weak = Rc::downgrade(&self.0);
        self.0.terminal.connect_contents_changed(move |_| {
            let Some(inner) = weak.upgrade() else { return };
            if inner.telling.replace(true) {
                return;
            }
            let weak = weak.clone();
            glib::timeout_add_local_once(TELL_EVERY, move || {
                let Some(this) = weak.upgrade().map(Self) else { return };
                this.0.telling.set(false);
                let told = last_words(&this.last_lines());
                this.0.terminal.update_property(&[Property::Description(&told)]);
            });
        });
    }
}

/// The end of a text without its empty lines and the blanks that fill lines up.
fn last_words(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let text = lines.join("\n");
    let surplus = text.chars().count().saturating_sub(TOLD_LIMIT);
    text.chars().skip(surplus).collect()
}

/// The text of the terminal's lines from `first` to `last`.
fn text(terminal: &vte4::Terminal, first: i64, last: i64) -> String {
    use glib::translate::{FromGlibPtrFull, ToGlibPtr};
    #[expect(unsafe_code, reason = "the bindings leave out the only way to the text that VTE 0.70 has")]
    // SAFETY: the terminal lives as long as the borrow; no callback and no array of attributes are
    // given, both of which may be null; the answer is ours to free, and may be null.
    let text = unsafe {
        let text = vte4::ffi::vte_terminal_get_text_range(
            terminal.to_glib_none().0,
            first,
            0,
            last,
            terminal.column_count(),
            None,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
        Option::<glib::GString>::from_glib_full(text)
    };
    text.map(String::from).unwrap_or_default()
}

/// The bytes of the signal `commit`.
fn typed(values: &[glib::Value]) -> Option<Vec<u8>> {
    use glib::translate::ToGlibPtr;
    let [_, text, length] = values else { return None };
    if !text.is::<String>() {
        return None;
    }
    #[expect(unsafe_code, reason = "the bindings would panic where the text is not UTF-8")]
    // SAFETY: the value holds a string, which is null or ends with a zero, and lives as long as it.
    let bytes = unsafe {
        let text = glib::gobject_ffi::g_value_get_string(text.to_glib_none().0);
        if text.is_null() { Vec::new() } else { CStr::from_ptr(text).to_bytes().to_vec() }
    };
    // A zero byte, which is Ctrl+Space, ends the string too early; the length still counts it.
    if bytes.is_empty() && length.get::<u32>() == Ok(1) { Some(vec![0]) } else { Some(bytes) }
}

/// What is shown until the guest writes something, and what it says to write.
fn hint() -> (gtk::Box, gtk::Label) {
    let hint = gtk::Box::builder()
        .orientation(gtk::Orientation::Vertical)
        .spacing(12)
        .halign(gtk::Align::Center)
        .valign(gtk::Align::Center)
        .margin_start(18)
        .margin_end(18)
        .build();
    let centred = |label: gtk::Label| {
        label.set_wrap(true);
        label.set_justify(gtk::Justification::Center);
        label
    };
    let title = centred(gtk::Label::new(Some(&gettext("Nothing Yet"))));
    title.add_css_class("title-2");
    hint.append(&title);
    hint.append(&centred(gtk::Label::new(Some(&gettext(
        "Linux guests need this on their kernel’s command line in order to write to their serial port:",
    )))));
    let argument = gtk::Box::builder().spacing(6).halign(gtk::Align::Center).build();
    let code = gtk::Label::builder().label(kernel_argument(0)).selectable(true).build();
    code.add_css_class("monospace");
    let copy = gtk::Button::builder()
        .icon_name("edit-copy-symbolic")
        .tooltip_text(gettext("Copy"))
        .valign(gtk::Align::Center)
        .build();
    copy.add_css_class("flat");
    copy.update_property(&[Property::Label(&gettext("Copy"))]);
    copy.connect_clicked({
        let code = code.clone();
        move |button| button.clipboard().set_text(&code.text())
    });
    argument.append(&code);
    argument.append(&copy);
    hint.append(&argument);
    (hint, code)
}
