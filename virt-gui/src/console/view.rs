//! The widgets of the console window, and how the model becomes what they show.

use super::details::DetailsPanel;
use super::page::{Display, Page};
use super::ports::{self, PortChooser};
use super::words::{self, Words};
use super::{Button, ConsoleInput, ConsoleWindow, keys};
use crate::model::install;
use crate::widgets::framebuffer::Framebuffer;
use crate::widgets::framebuffer::keyboard::{Act, Chord, Keyboard, code_of};
use crate::widgets::rename;
use crate::widgets::terminal::SerialTerminal;
use adw::prelude::*;
use gtk::{gio, glib};
use relm4::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use virt_kit::i18n::{gettext, gettext_f};

/// The smallest content that the window is given for the guest's first picture: firmware is small, and
/// what comes after it follows the window's size.
const LEAST_CONTENT: (i32, i32) = (1024, 700);

/// How much of the monitor the window takes at most, in hundredths.
const MOST_OF_MONITOR: i32 = 90;

/// How long the pointer has to rest at the upper edge until the bar comes down in fullscreen.
const DWELL: Duration = Duration::from_millis(300);

/// How far below the bar the pointer has to be until it goes up again.
const BAR_KEPT: f64 = 24.0;

/// The widgets.
#[derive(Debug)]
pub struct View {
    pub(super) framebuffer: Framebuffer,
    pub(super) terminal: SerialTerminal,
    pub(super) details: DetailsPanel,
    /// Beside display and serial port, or over them where there is no room.
    flap: adw::Flap,
    window: adw::Window,
    toasts: adw::ToastOverlay,
    header: adw::HeaderBar,
    title: adw::WindowTitle,
    switcher: adw::Squeezer,
    switcher_bar: adw::ViewSwitcherBar,
    stack: adw::ViewStack,
    serial_page: adw::ViewStackPage,
    ports: PortChooser,
    bar: gtk::Revealer,
    keys_button: gtk::MenuButton,
    pages: gtk::Stack,
    veil: gtk::Box,
    veil_words: gtk::Label,
    chip: gtk::Revealer,
    chip_words: gtk::Label,
    status: adw::StatusPage,
    input: relm4::Sender<ConsoleInput>,
    shown: RefCell<Option<(Page, Option<Words>)>>,
}

impl View {
    /// Builds the window's content.
    pub(super) fn new(
        window: &adw::Window,
        power: &adw::SplitButton,
        sender: &ComponentSender<ConsoleWindow>,
    ) -> Self {
        let input = sender.input_sender().clone();
        let framebuffer = Framebuffer::default();
        framebuffer.set_resizes_guest(true);
        framebuffer.listen({
            let input = input.clone();
            move |news| drop(input.send(ConsoleInput::Display(news)))
        });
        let terminal = SerialTerminal::default();
        terminal.on_closed({
            let input = input.clone();
            move || drop(input.send(ConsoleInput::SerialClosed))
        });

        let (veil, veil_words) = veil(&input);
        let (chip, chip_words) = chip();
        let picture = gtk::Overlay::builder().child(&framebuffer).build();
        picture.add_overlay(&veil);
        picture.add_overlay(&chip);
        let status = adw::StatusPage::builder().hexpand(true).vexpand(true).build();
        let pages = gtk::Stack::new();
        pages.add_named(&status, Some("status"));
        pages.add_named(&picture, Some("picture"));

        let stack = adw::ViewStack::new();
        stack
            .add_titled(&pages, Some("display"), &gettext("Display"))
            .set_icon_name(Some("video-display-symbolic"));
        let ports = PortChooser::new(&input);
        let serial = gtk::Box::new(gtk::Orientation::Vertical, 0);
        serial.append(ports.widget());
        serial.append(terminal.widget());
        let serial_page = stack.add_titled(&serial, Some("serial"), &gettext("Serial"));
        serial_page.set_icon_name(Some("utilities-terminal-symbolic"));

        let title = adw::WindowTitle::new("", "");
        let (switcher, switcher_bar) = switcher(&stack);
        let keys_button =
            gtk::MenuButton::builder().icon_name("input-keyboard-symbolic").menu_model(&keys::menu()).build();
        name_menu_button(&keys_button, &gettext("Send Keys"));
        let fullscreen = gtk::Button::from_icon_name("view-fullscreen-symbolic");
        rename(&fullscreen, &gettext("Fullscreen"));
        fullscreen.connect_clicked({
            let input = input.clone();
            move |_| input.emit(ConsoleInput::ToggleFullscreen)
        });
        let header = adw::HeaderBar::builder().title_widget(&title).build();
        header.pack_start(&switcher);
        header.pack_end(power);
        // Where there is no room for it, the window is narrow since somebody wants it so; its keys still do it.
        let squeezed = adw::Squeezer::builder().allow_none(true).build();
        squeezed.add(&fullscreen);
        header.pack_end(&squeezed);
        header.pack_end(&keys_button);
        let details = DetailsPanel::new(&input);
        let flap = flap(&stack, details.widget());
        header.pack_end(&details_button(&flap));

        let content = gtk::Box::new(gtk::Orientation::Vertical, 0);
        content.append(&header);
        content.append(&flap);
        content.append(&switcher_bar);
        let bar = gtk::Revealer::builder()
            .transition_type(gtk::RevealerTransitionType::SlideDown)
            .valign(gtk::Align::Start)
            .build();
        let overlay = gtk::Overlay::builder().child(&content).build();
        overlay.add_overlay(&bar);
        let toasts = adw::ToastOverlay::new();
        toasts.set_child(Some(&overlay));
        window.set_content(Some(&toasts));

        let view = Self {
            framebuffer,
            terminal,
            details,
            flap,
            window: window.clone(),
            toasts,
            header,
            title,
            switcher,
            switcher_bar,
            stack,
            serial_page,
            ports,
            bar,
            keys_button,
            pages,
            veil,
            veil_words,
            chip,
            chip_words,
            status,
            input,
            shown: RefCell::default(),
        };
        view.connect_fullscreen(&content, &fullscreen, &overlay);
        view.connect_tabs();
        view.connect_details();
        view.connect_chords();
        view.connect_actions();
        view
    }

    /// Makes the widgets show the model.
    pub(super) fn show(&self, model: &ConsoleWindow) {
        let guest = &model.guest;
        self.window.set_title(Some(&gettext_f("{guest} — Guesthouse", &[("guest", &guest.name)])));
        self.title.set_title(&guest.name);
        let state = if model.core_reachable { install::word(guest) } else { gettext("Unknown") };
        self.title.set_subtitle(&if model.grabbed { words::way_out() } else { state });
        let serial = ports::count(guest) > 0;
        self.serial_page.set_visible(serial);
        self.switcher.set_visible(serial);
        self.switcher_bar.set_reveal(serial && is_squeezed(&self.switcher));
        if !serial {
            self.show_display();
        }
        self.ports.show(&model.guest, model.serial_port);
        self.keys_button.set_sensitive(model.display == Display::Picture);
        self.terminal.describe(&gettext_f("Serial port of {guest}", &[("guest", &guest.name)]));
        self.framebuffer.describe(
            &words::display_name(guest, self.framebuffer.picture_size()),
            &words::display_description(),
        );
        self.chip.set_reveal_child(model.hint.is_some());
        if let Some(hint) = model.hint {
            self.chip_words.set_label(&words::hint(hint));
        }
        self.details.show(guest, model.host.as_ref());
        self.show_page(model);
    }

    fn show_page(&self, model: &ConsoleWindow) {
        let page = model.page();
        let words = words::of_page(page, &model.guest, model.job.as_ref(), model.problem.as_ref());
        let paused = page == Page::PausedPicture;
        self.veil.set_visible(paused);
        self.framebuffer.set_dimmed(paused);
        if paused {
            self.veil_words.set_label(&words::paused(&model.guest));
        }
        let now = Some((page, words));
        let before = self.shown.replace(now.clone());
        if before == now {
            return;
        }
        let former = before.as_ref().and_then(|(_, words)| words.clone());
        let (Some((_, words)), before) = (now, before.map(|(page, _)| page)) else { return };
        if let Some(words) = words {
            if former.is_some_and(|former| (former.icon, &former.buttons) == (words.icon, &words.buttons)) {
                // Whoever is at a button stays there while only a number changes.
                self.say_status(&words);
            } else {
                self.fill_status(&words);
            }
            self.pages.set_visible_child_name("status");
        } else {
            self.pages.set_visible_child_name("picture");
            // A spinner that nobody sees would go on to wake the window with every frame.
            self.status.set_child(None::<&gtk::Widget>);
            let had_picture = matches!(before, Some(Page::Picture | Page::PausedPicture));
            if !had_picture && self.stack.visible_child_name().as_deref() == Some("display") {
                self.framebuffer.grab_focus();
            }
        }
    }

    fn say_status(&self, words: &Words) {
        self.status.set_title(&glib::markup_escape_text(&words.title));
        self.status.set_description(Some(&glib::markup_escape_text(&words.description)));
    }

    fn fill_status(&self, words: &Words) {
        self.status.set_icon_name(words.icon);
        self.say_status(words);
        let content = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(12)
            .halign(gtk::Align::Center)
            .build();
        if words.icon.is_none() {
            let spinner = gtk::Spinner::builder().spinning(true).width_request(32).height_request(32).build();
            content.append(&spinner);
        }
        for (index, (button, label)) in words.buttons.iter().enumerate() {
            let widget = gtk::Button::builder().label(label).use_underline(true).build();
            widget.add_css_class("pill");
            if index == 0 && *button != Button::CancelSaving {
                widget.add_css_class("suggested-action");
            }
            let (input, button) = (self.input.clone(), *button);
            widget.connect_clicked(move |_| input.emit(ConsoleInput::Press(button)));
            content.append(&widget);
        }
        self.status.set_child(Some(&content));
        // What is over in a moment need not be read.
        if words.icon.is_none() {
            self.status.add_css_class("appears-late");
        } else {
            self.status.remove_css_class("appears-late");
        }
    }

    /// Shows the guest's display.
    pub(super) fn show_display(&self) {
        self.stack.set_visible_child_name("display");
    }

    /// Shows the guest's serial port.
    pub(super) fn show_serial(&self) {
        self.stack.set_visible_child_name("serial");
    }

    /// Shows the guest's details, or hides them.
    pub(super) fn toggle_details(&self) {
        self.flap.set_reveal_flap(!self.flap.reveals_flap());
    }

    /// Shows the guest's details.
    pub(super) fn show_details(&self) {
        self.flap.set_reveal_flap(true);
    }

    /// Moves the keyboard to the window's buttons.
    pub(super) fn focus_toolbar(&self) {
        self.bar.set_reveal_child(true);
        self.header.child_focus(gtk::DirectionType::TabForward);
    }

    /// Says something for a moment, with a button for more.
    pub(super) fn toast(&self, text: &str, details: impl Fn() + 'static) {
        let toast = adw::Toast::builder()
            .title(glib::markup_escape_text(text))
            .button_label(gettext("Details"))
            .priority(adw::ToastPriority::High)
            .build();
        toast.connect_button_clicked(move |_| details());
        self.toasts.add_toast(toast);
    }

    /// Makes the window as large as the guest's first picture needs, within the monitor.
    pub(super) fn fit_window(&self, window: &adw::Window, width: u32, height: u32) {
        if window.is_maximized() || window.is_fullscreen() {
            return;
        }
        let unit = window.scale_factor().max(1);
        let length = |pixels: u32, least: i32| (i32::try_from(pixels).unwrap_or(i32::MAX) / unit).max(least);
        let (mut width, mut height) = (length(width, LEAST_CONTENT.0), length(height, LEAST_CONTENT.1));
        height = height.saturating_add(self.header.height());
        let surface = window.surface();
        let monitor = surface.and_then(|surface| WidgetExt::display(window).monitor_at_surface(&surface));
        if let Some(monitor) = monitor {
            let geometry = monitor.geometry();
            width = width.min(geometry.width() * MOST_OF_MONITOR / 100);
            height = height.min(geometry.height() * MOST_OF_MONITOR / 100);
        }
        window.set_default_size(width, height);
    }

    /// Lets everything go that the window holds of the guest.
    pub(super) fn close(&self) {
        self.framebuffer.detach();
        self.terminal.detach();
    }

    /// In fullscreen the header is not above the picture but slides over it when it is wanted.
    fn connect_fullscreen(&self, content: &gtk::Box, button: &gtk::Button, overlay: &gtk::Overlay) {
        let (content, bar, header) = (content.clone(), self.bar.clone(), self.header.clone());
        let (button, input) = (button.clone(), self.input.clone());
        self.window.connect_fullscreened_notify(move |window| {
            let fullscreen = window.is_fullscreen();
            if fullscreen {
                content.remove(&header);
                bar.set_child(Some(&header));
            } else {
                bar.set_child(None::<&gtk::Widget>);
                bar.set_reveal_child(false);
                content.prepend(&header);
            }
            let (icon, name) = if fullscreen {
                ("view-restore-symbolic", gettext("Leave Fullscreen"))
            } else {
                ("view-fullscreen-symbolic", gettext("Fullscreen"))
            };
            button.set_icon_name(icon);
            rename(&button, &name);
            drop(input.send(ConsoleInput::Fullscreen(fullscreen)));
        });

        let motion = gtk::EventControllerMotion::new();
        motion.set_propagation_phase(gtk::PropagationPhase::Capture);
        let at_edge = Rc::new(Cell::new(false));
        let (bar, framebuffer) = (self.bar.clone(), self.framebuffer.clone());
        motion.connect_motion(move |_, _, y| {
            if bar.child().is_none() {
                return;
            }
            let was_at_edge = at_edge.replace(y <= 1.0);
            if at_edge.get() && !was_at_edge && !framebuffer.is_grabbed() {
                let (at_edge, bar) = (Rc::clone(&at_edge), bar.clone());
                glib::timeout_add_local_once(DWELL, move || {
                    if at_edge.get() {
                        bar.set_reveal_child(true);
                    }
                });
            } else if y > f64::from(bar.height()) + BAR_KEPT {
                bar.set_reveal_child(false);
            }
        });
        overlay.add_controller(motion);
    }

    /// The keyboard goes to what is shown.
    fn connect_tabs(&self) {
        let focus = self.focus_content();
        self.stack.connect_visible_child_name_notify(move |_| focus());
        let bar = self.switcher_bar.clone();
        self.switcher.connect_visible_child_notify(move |switcher| {
            let (bar, switcher) = (bar.clone(), switcher.clone());
            // It is told while the window gives out its room: what asks for room or gives it back then is not heard.
            glib::idle_add_local_once(move || {
                bar.set_reveal(switcher.is_visible() && is_squeezed(&switcher));
            });
        });
    }

    /// The keyboard goes to the details when they come, and back when they go.
    fn connect_details(&self) {
        let (panel, focus) = (self.details.widget().clone(), self.focus_content());
        self.flap.connect_reveal_flap_notify(move |flap| {
            if flap.reveals_flap() {
                panel.child_focus(gtk::DirectionType::TabForward);
            } else {
                focus();
            }
        });
    }

    /// What gives the keyboard to the display or the serial port, whichever is shown.
    fn focus_content(&self) -> impl Fn() + 'static {
        let (framebuffer, terminal) = (self.framebuffer.clone(), self.terminal.focus_widget().clone());
        let stack = self.stack.clone();
        move || {
            match stack.visible_child_name().as_deref() {
                Some("serial") => terminal.grab_focus(),
                _ => framebuffer.grab_focus(),
            };
        }
    }

    /// Chords of the host key also work where the keyboard is not the display's.
    fn connect_chords(&self) {
        let keyboard = Rc::new(RefCell::new(Keyboard::default()));
        let keys = gtk::EventControllerKey::new();
        keys.set_propagation_phase(gtk::PropagationPhase::Capture);
        let (framebuffer, terminal) = (self.framebuffer.clone(), self.terminal.focus_widget().clone());
        let (input, pressed) = (self.input.clone(), Rc::clone(&keyboard));
        keys.connect_key_pressed(move |_, symbol, hardware, _| {
            if framebuffer.has_focus() {
                pressed.borrow_mut().leave();
                return glib::Propagation::Proceed;
            }
            let letter = symbol.to_unicode().filter(|character| character.is_alphabetic());
            let act = code_of(hardware).and_then(|code| pressed.borrow_mut().press(code, letter));
            match act {
                // In a terminal it erases a word, and who is used to that loses the window.
                Some(Act::Chord(Chord::Close)) if terminal.has_focus() => glib::Propagation::Proceed,
                Some(Act::Chord(chord)) => {
                    input.emit(ConsoleInput::Chord(chord));
                    glib::Propagation::Stop
                }
                _ => glib::Propagation::Proceed,
            }
        });
        let released = Rc::clone(&keyboard);
        keys.connect_key_released(move |_, _, hardware, _| {
            if let Some(code) = code_of(hardware) {
                released.borrow_mut().release(code);
            }
        });
        self.window.add_controller(keys);
        self.window.connect_is_active_notify(move |_| {
            keyboard.borrow_mut().leave();
        });
    }

    fn connect_actions(&self) {
        let send_keys = gio::SimpleAction::new(keys::ACTION, Some(glib::VariantTy::UINT32));
        let input = self.input.clone();
        send_keys.connect_activate(move |_, index| {
            if let Some(index) = index.and_then(glib::Variant::get::<u32>) {
                input.emit(ConsoleInput::SendKeys(index as usize));
            }
        });
        let actions = gio::SimpleActionGroup::new();
        actions.add_action(&send_keys);
        self.window.insert_action_group("console", Some(&actions));
        let input = self.input.clone();
        self.window.connect_close_request(move |_| {
            input.emit(ConsoleInput::Close);
            glib::Propagation::Proceed
        });
    }
}

/// Puts the guest's details at the end of what is shown. The hand on the guest's pointer never draws them in or out.
fn flap(content: &adw::ViewStack, details: &adw::Clamp) -> adw::Flap {
    adw::Flap::builder()
        .content(content)
        .flap(details)
        .separator(&gtk::Separator::new(gtk::Orientation::Vertical))
        .flap_position(gtk::PackType::End)
        .reveal_flap(false)
        .locked(true)
        .swipe_to_open(false)
        .swipe_to_close(false)
        .build()
}

fn details_button(flap: &adw::Flap) -> gtk::ToggleButton {
    let button = gtk::ToggleButton::builder().icon_name("sidebar-show-right-symbolic").build();
    rename(&button, &gettext("Guest Details"));
    flap.bind_property("reveal-flap", &button, "active").bidirectional().sync_create().build();
    button
}

/// What lies over the picture of a guest that stands still.
fn veil(input: &relm4::Sender<ConsoleInput>) -> (gtk::Box, gtk::Label) {
    let veil = gtk::Box::builder()
        .orientation(gtk::Orientation::Vertical)
        .spacing(12)
        .halign(gtk::Align::Center)
        .valign(gtk::Align::Center)
        .css_classes(["over-picture"])
        .build();
    let title = gtk::Label::builder().label(gettext("Paused")).css_classes(["title-2"]).build();
    let words =
        gtk::Label::builder().wrap(true).max_width_chars(40).justify(gtk::Justification::Center).build();
    let resume = gtk::Button::builder()
        .label(gettext("_Resume"))
        .use_underline(true)
        .halign(gtk::Align::Center)
        .css_classes(["pill", "suggested-action"])
        .build();
    let input = input.clone();
    resume.connect_clicked(move |_| input.emit(ConsoleInput::Press(Button::Resume)));
    veil.append(&title);
    veil.append(&words);
    veil.append(&resume);
    (veil, words)
}

/// A few words over the picture.
fn chip() -> (gtk::Revealer, gtk::Label) {
    let words = gtk::Label::builder().wrap(true).justify(gtk::Justification::Center).build();
    words.add_css_class("over-picture");
    let chip = gtk::Revealer::builder()
        .transition_type(gtk::RevealerTransitionType::Crossfade)
        .halign(gtk::Align::Center)
        .valign(gtk::Align::Start)
        .margin_top(12)
        .margin_start(12)
        .margin_end(12)
        .can_target(false)
        .child(&words)
        .build();
    (chip, words)
}

/// Chooses between display and serial port: in the header where there is room, else at the bottom.
fn switcher(stack: &adw::ViewStack) -> (adw::Squeezer, adw::ViewSwitcherBar) {
    let wide = adw::ViewSwitcher::builder().stack(stack).policy(adw::ViewSwitcherPolicy::Wide).build();
    let squeezer = adw::Squeezer::builder().homogeneous(false).build();
    squeezer.add(&wide);
    squeezer.add(&gtk::Box::default());
    (squeezer, adw::ViewSwitcherBar::builder().stack(stack).build())
}

/// Whether there is no room for it in the header.
fn is_squeezed(switcher: &adw::Squeezer) -> bool {
    switcher.visible_child().is_some_and(|child| child.is::<gtk::Box>())
}

/// Names a menu button: the name belongs to the button within it.
fn name_menu_button(button: &gtk::MenuButton, name: &str) {
    rename(button, name);
    if let Some(inner) = button.first_child() {
        inner.update_property(&[gtk::accessible::Property::Label(name)]);
    }
}
