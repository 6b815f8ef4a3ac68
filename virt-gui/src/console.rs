//! The console window of a guest: its display, its serial port, and what is to be done about its power.
//!
//! It is told of the guest's changes by who owns the event stream, and opens display and serial port
//! itself, again after each start of the guest or of the core. It outlives the guest's power-off;
//! closing it never changes the guest.

mod details;
mod keys;
mod open;
mod page;
mod ports;
mod retry;
mod view;
mod words;

#[cfg(test)]
mod tests;

use crate::calls::{self, Wish};
use crate::model::power::PowerAction;
use crate::pages::guest::GuestWish;
use crate::widgets::framebuffer::FramebufferNews;
use crate::widgets::framebuffer::keyboard::Chord;
use crate::widgets::power::{PowerButton, PowerInit, PowerInput, perform};
use crate::widgets::{dialogs, text_window};
use adw::prelude::*;
use gtk::glib;
use hv_api::display::Channel;
use hv_api::{GuestId, GuestInfo, HostInfo, JobInfo, JobState};
use page::{Display, Page, has_display, page};
use relm4::prelude::*;
use retry::Retry;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tracing::debug;
use virt_kit::daemon::Daemon;
use virt_kit::problem::{Problem, ProblemAction};

pub use view::View;

/// How long a hint over the picture stays.
const HINT_STAYS: Duration = Duration::from_secs(3);

/// What a console window is made from.
#[derive(Debug)]
pub struct ConsoleInit {
    /// The handle on the core.
    pub daemon: Daemon,
    /// The guest.
    pub guest: GuestInfo,
    /// What this computer has for guests, where that is known.
    pub host: Option<HostInfo>,
    /// Whether the core can be reached now.
    pub core_reachable: bool,
}

/// The window.
#[derive(Debug)]
pub struct ConsoleWindow {
    daemon: Daemon,
    guest: GuestInfo,
    host: Option<HostInfo>,
    core_reachable: bool,
    display: Display,
    display_retry: Retry,
    /// The serial port that is shown, from 0.
    serial_port: u32,
    /// Whether it is open or the core was asked for it.
    serial_wanted: bool,
    serial_retry: Retry,
    /// Why the display could not be opened.
    problem: Option<Problem>,
    /// The work that goes on with the guest.
    job: Option<JobInfo>,
    grabbed: bool,
    /// What is said over the picture, with a number that tells it from what was said before.
    hint: Option<Hint>,
    hints: u32,
    sized: bool,
    power: Controller<PowerButton>,
}

/// What is said over the picture for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    /// How to get the keyboard back.
    WayOut,
    /// That the guest's pointer may be elsewhere.
    MovementsOnly,
    /// How to leave fullscreen.
    Fullscreen,
}

/// What the window is told.
#[derive(Debug)]
pub enum ConsoleInput {
    /// The guest has changed.
    Guest(Box<GuestInfo>),
    /// What this computer has for guests has changed.
    Host(Box<HostInfo>),
    /// Long work with the guest has come so far.
    Job(Box<JobInfo>),
    /// The guest was deleted.
    Gone,
    /// The window shall be seen.
    Present,
    /// The core can't be reached any more.
    LinkLost,
    /// The core can be reached again. What the guest is then is told as a change.
    LinkUp,
    /// Something happened at the display.
    Display(FramebufferNews),
    /// Another serial port was chosen, from 0.
    SerialPort(u32),
    /// The core has closed the serial port.
    SerialClosed,
    /// A command was given with the host key outside of the display.
    Chord(Chord),
    /// Do something about the guest's power.
    Power(PowerAction),
    /// Something is wished in the details.
    Wish(GuestWish),
    /// That came to nothing.
    Refused(Box<Wish>, Problem),
    /// The button of that problem's dialog was pressed.
    SolveWish(Box<Wish>, ProblemAction),
    /// Press this entry of the menu of combinations.
    SendKeys(usize),
    /// Enter or leave fullscreen.
    ToggleFullscreen,
    /// The window became fullscreen, or is so no longer.
    Fullscreen(bool),
    /// Do what a page's button says.
    Press(Button),
    /// Do what the button of a problem's dialog says.
    Solve(ProblemAction),
    /// A while has passed since the display was closed.
    OpenDisplayAgain,
    /// A while has passed since the serial port was closed.
    OpenSerialAgain,
    /// The hint with this number has been seen long enough.
    HintSeen(u32),
    /// The window was closed.
    Close,
}

/// The buttons of the pages that say why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Start the guest, also again.
    Start,
    /// Let the guest go on.
    Resume,
    /// Do not save it after all.
    CancelSaving,
    /// Throw its saved state away.
    Discard,
    /// Show what its engine wrote.
    ShowLog,
    /// Start the core.
    StartCore,
    /// Try again to open the display.
    TryAgain,
    /// Show the problem's details.
    Details,
}

/// What the window says.
#[derive(Debug)]
pub enum ConsoleOutput {
    /// It was closed. The guest is as it was.
    Closed(GuestId),
    /// Something is wished for the guest.
    Wish(GuestId, GuestWish),
    /// What was wished came to nothing, and this is to be done about it.
    Solve(GuestId, Wish, ProblemAction),
}

/// What a call came to.
#[derive(Debug)]
pub enum ConsoleCommand {
    /// The display was opened, or not.
    Display(Result<OwnedFd, Problem>),
    /// The serial port with this number was opened, or not.
    Serial(u32, Result<OwnedFd, Problem>),
    /// The core did what was asked; the event stream says what that changed.
    Done,
    /// It did not.
    Failed(Problem),
    /// A log was read, or not.
    Log(Result<String, Problem>),
}

impl Component for ConsoleWindow {
    type Init = ConsoleInit;
    type Input = ConsoleInput;
    type Output = ConsoleOutput;
    type CommandOutput = ConsoleCommand;
    type Root = adw::Window;
    type Widgets = View;

    fn init_root() -> Self::Root {
        let window = adw::Window::builder()
            .default_width(1024)
            .default_height(768)
            .width_request(360)
            .height_request(294)
            .build();
        // F10 is the guest's.
        window.set_handle_menubar_accel(false);
        window
    }

    fn init(init: Self::Init, root: Self::Root, sender: ComponentSender<Self>) -> ComponentParts<Self> {
        let ConsoleInit { daemon, guest, host, core_reachable } = init;
        let power = PowerButton::builder()
            .launch(PowerInit { name: guest.name.clone(), state: guest.state, compact: true })
            .forward(sender.input_sender(), ConsoleInput::Power);
        let mut model = Self {
            daemon,
            guest,
            host,
            core_reachable,
            display: Display::None,
            display_retry: Retry::default(),
            serial_port: 0,
            serial_wanted: false,
            serial_retry: Retry::default(),
            problem: None,
            job: None,
            grabbed: false,
            hint: None,
            hints: 0,
            sized: false,
            power,
        };
        let widgets = View::new(&root, model.power.widget(), &sender);
        model.open_what_is_missing(&sender);
        widgets.show(&model);
        root.present();
        ComponentParts { model, widgets }
    }

    fn update_with_view(
        &mut self,
        view: &mut View,
        input: ConsoleInput,
        sender: ComponentSender<Self>,
        root: &adw::Window,
    ) {
        match input {
            ConsoleInput::Guest(guest) => self.take_guest(view, *guest, &sender),
            ConsoleInput::Host(host) => self.host = Some(*host),
            ConsoleInput::Job(job) => self.job = Some(*job).filter(|job| job.state == JobState::Running),
            ConsoleInput::Gone => root.close(),
            ConsoleInput::Present => root.present(),
            ConsoleInput::LinkLost => {
                self.core_reachable = false;
                self.tell_power_button();
            }
            ConsoleInput::LinkUp => {
                self.core_reachable = true;
                self.tell_power_button();
                self.begin_anew(view);
                self.open_what_is_missing(&sender);
            }
            ConsoleInput::Display(news) => self.take_news(view, news, root, &sender),
            ConsoleInput::SerialPort(port) => self.choose_port(view, port, &sender),
            ConsoleInput::SerialClosed => self.serial_failed(open::unusable(), &sender),
            ConsoleInput::Chord(chord) => self.do_chord(view, chord, root),
            ConsoleInput::Power(action) => self.ask(action, &sender),
            // Nobody may be left to hear what is wished.
            ConsoleInput::Wish(wish) => drop(sender.output(ConsoleOutput::Wish(self.guest.id, wish))),
            ConsoleInput::Refused(wish, problem) => self.refused(view, wish, problem, root, &sender),
            ConsoleInput::SolveWish(wish, action) => {
                drop(sender.output(ConsoleOutput::Solve(self.guest.id, *wish, action)));
            }
            ConsoleInput::SendKeys(index) => {
                if let Some(combination) = keys::combinations().get(index) {
                    view.framebuffer.send_combination(&combination.codes);
                    view.framebuffer.grab_focus();
                }
            }
            ConsoleInput::ToggleFullscreen => root.set_fullscreened(!root.is_fullscreen()),
            ConsoleInput::Fullscreen(true) => self.say(Hint::Fullscreen, &sender),
            ConsoleInput::Fullscreen(false) => {}
            ConsoleInput::Press(button) => self.press(button, root, &sender),
            ConsoleInput::Solve(action) => self.solve(action, root, &sender),
            ConsoleInput::OpenDisplayAgain => {
                if self.display == Display::Opening {
                    self.display = Display::None;
                }
                self.open_what_is_missing(&sender);
            }
            ConsoleInput::OpenSerialAgain => {
                self.serial_wanted = false;
                self.open_what_is_missing(&sender);
            }
            ConsoleInput::HintSeen(number) => {
                if number == self.hints {
                    self.hint = None;
                }
            }
            ConsoleInput::Close => {
                view.close();
                // Nobody may be left to hear it.
                drop(sender.output(ConsoleOutput::Closed(self.guest.id)));
            }
        }
        view.show(self);
    }

    fn update_cmd_with_view(
        &mut self,
        view: &mut View,
        command: ConsoleCommand,
        sender: ComponentSender<Self>,
        root: &adw::Window,
    ) {
        match command {
            ConsoleCommand::Display(result) => self.display_opened(view, result, &sender),
            ConsoleCommand::Serial(port, result) if port == self.serial_port => {
                self.serial_opened(view, result, &sender);
            }
            // Done, or another port was chosen meanwhile.
            ConsoleCommand::Done | ConsoleCommand::Serial(..) => {}
            ConsoleCommand::Log(Ok(log)) => text_window::show_log(root, &self.guest.name, &log),
            ConsoleCommand::Failed(problem) | ConsoleCommand::Log(Err(problem)) => {
                tell_problem(view, problem, root, &sender, ConsoleInput::Solve);
            }
        }
        view.show(self);
    }
}

impl ConsoleWindow {
    /// What the display's place shows.
    fn page(&self) -> Page {
        page(self.guest.state, self.core_reachable, self.display)
    }

    fn take_guest(&mut self, view: &View, guest: GuestInfo, sender: &ComponentSender<Self>) {
        let had_display = has_display(self.guest.state);
        self.guest = guest;
        self.tell_power_button();
        if self.serial_port >= ports::count(&self.guest) {
            self.choose_port(view, 0, sender);
        }
        if !has_display(self.guest.state) {
            view.framebuffer.detach();
            self.display = Display::None;
        } else if !had_display {
            self.begin_anew(view);
        }
        self.open_what_is_missing(sender);
    }

    /// The guest or the core has started: what was given up before is worth trying again.
    fn begin_anew(&mut self, view: &View) {
        self.display_retry.succeeded();
        self.serial_retry.succeeded();
        self.serial_wanted = view.terminal.is_attached();
        if self.display == Display::Failed {
            self.display = Display::None;
        }
    }

    /// Opens display and serial port where they should be open and are not.
    fn open_what_is_missing(&mut self, sender: &ComponentSender<Self>) {
        if !self.core_reachable {
            return;
        }
        if self.display == Display::None && has_display(self.guest.state) {
            self.display = Display::Opening;
            let (daemon, guest) = (self.daemon.clone(), self.guest.id);
            sender
                .oneshot_command(async move { ConsoleCommand::Display(open::display(daemon, guest).await) });
        }
        if !self.serial_wanted && ports::count(&self.guest) > 0 {
            self.serial_wanted = true;
            let (daemon, guest, port) = (self.daemon.clone(), self.guest.id, self.serial_port);
            sender.oneshot_command(async move {
                ConsoleCommand::Serial(port, open::serial(daemon, guest, port).await)
            });
        }
    }

    /// Shows another serial port, with what was written there before.
    fn choose_port(&mut self, view: &View, port: u32, sender: &ComponentSender<Self>) {
        if port != self.serial_port {
            self.serial_port = port;
            view.terminal.detach();
            view.terminal.set_port(port);
            self.begin_serial_anew();
            self.open_what_is_missing(sender);
        }
    }

    fn begin_serial_anew(&mut self) {
        self.serial_retry.succeeded();
        self.serial_wanted = false;
    }

    fn display_opened(
        &mut self,
        view: &View,
        result: Result<OwnedFd, Problem>,
        sender: &ComponentSender<Self>,
    ) {
        if !has_display(self.guest.state) {
            self.display = Display::None;
            return;
        }
        match result.and_then(|end| Channel::from_fd(end).map_err(|_not_a_socket| open::unusable())) {
            Ok(channel) => {
                self.display = Display::Blank;
                view.framebuffer.attach(channel);
            }
            Err(problem) => {
                self.problem = Some(problem);
                self.display_failed(sender);
            }
        }
    }

    /// The display could not be opened, or was closed: tries again, or gives up.
    fn display_failed(&mut self, sender: &ComponentSender<Self>) {
        if !has_display(self.guest.state) || !self.core_reachable {
            self.display = Display::None;
        } else if let Some(pause) = self.display_retry.failed() {
            debug!(problem = ?self.problem, ?pause, "opening the display again");
            self.display = Display::Opening;
            later(pause, ConsoleInput::OpenDisplayAgain, sender);
        } else {
            self.problem.get_or_insert_with(open::unusable);
            self.display = Display::Failed;
        }
    }

    fn serial_opened(
        &mut self,
        view: &View,
        result: Result<OwnedFd, Problem>,
        sender: &ComponentSender<Self>,
    ) {
        let attached =
            result.and_then(|socket| view.terminal.attach(socket).map_err(|_not_a_socket| open::unusable()));
        if let Err(problem) = attached {
            self.serial_failed(problem, sender);
        }
    }

    /// The serial port could not be opened, or was closed: tries again, or says that it gives up.
    fn serial_failed(&mut self, problem: Problem, sender: &ComponentSender<Self>) {
        if !self.core_reachable {
            self.serial_wanted = false;
        } else if let Some(pause) = self.serial_retry.failed() {
            debug!(code = problem.code, detail = problem.detail, ?pause, "opening the serial port again");
            later(pause, ConsoleInput::OpenSerialAgain, sender);
        } else {
            sender.oneshot_command(async move { ConsoleCommand::Failed(problem) });
        }
    }

    fn take_news(
        &mut self,
        view: &View,
        news: FramebufferNews,
        root: &adw::Window,
        sender: &ComponentSender<Self>,
    ) {
        match news {
            FramebufferNews::Picture { width, height } => {
                self.display = Display::Picture;
                self.display_retry.succeeded();
                self.problem = None;
                if !std::mem::replace(&mut self.sized, true) {
                    view.fit_window(root, width, height);
                }
            }
            FramebufferNews::Closed => self.display_failed(sender),
            FramebufferNews::Grabbed(grabbed) => {
                self.grabbed = grabbed;
                if grabbed {
                    self.say(Hint::WayOut, sender);
                } else if self.hint == Some(Hint::WayOut) {
                    self.hint = None;
                }
            }
            FramebufferNews::MovementsOnly => self.say(Hint::MovementsOnly, sender),
            FramebufferNews::Chord(chord) => self.do_chord(view, chord, root),
        }
    }

    fn say(&mut self, hint: Hint, sender: &ComponentSender<Self>) {
        self.hint = Some(hint);
        self.hints = self.hints.wrapping_add(1);
        later(HINT_STAYS, ConsoleInput::HintSeen(self.hints), sender);
    }

    fn do_chord(&mut self, view: &View, chord: Chord, root: &adw::Window) {
        match chord {
            Chord::Fullscreen => root.set_fullscreened(!root.is_fullscreen()),
            Chord::Display => view.show_display(),
            Chord::Serial if ports::count(&self.guest) > 0 => view.show_serial(),
            Chord::Serial => {}
            Chord::Close => root.close(),
            Chord::Details => view.toggle_details(),
            Chord::Toolbar => view.focus_toolbar(),
        }
    }

    fn ask(&self, action: PowerAction, sender: &ComponentSender<Self>) {
        let (daemon, guest) = (self.daemon.clone(), self.guest.id);
        sender.oneshot_command(async move {
            match perform(&daemon, guest, action).await {
                Ok(_) => ConsoleCommand::Done,
                Err(trouble) => ConsoleCommand::Failed(Problem::from(&trouble)),
            }
        });
    }

    /// Says that something wished in the details came to nothing: at its own row, or in a toast.
    fn refused(
        &self,
        view: &View,
        wish: Box<Wish>,
        problem: Problem,
        root: &adw::Window,
        sender: &ComponentSender<Self>,
    ) {
        if view.details.live.refuse(&self.guest, &wish, &problem) {
            return view.show_details();
        }
        if matches!(*wish, Wish::Set(_)) {
            view.details.revert();
        }
        let solve = move |action| ConsoleInput::SolveWish(wish.clone(), action);
        tell_problem(view, problem, root, sender, solve);
    }

    fn press(&mut self, button: Button, root: &adw::Window, sender: &ComponentSender<Self>) {
        match button {
            Button::Start => self.ask(PowerAction::Start, sender),
            Button::Resume => self.ask(PowerAction::Resume, sender),
            Button::CancelSaving => self.ask(PowerAction::CancelSaving, sender),
            Button::Discard => self.solve(ProblemAction::Discard, root, sender),
            Button::ShowLog => self.show_log(sender),
            Button::StartCore => self.daemon.start(),
            Button::TryAgain => {
                self.display_retry.succeeded();
                self.display = Display::None;
                self.open_what_is_missing(sender);
            }
            Button::Details => {
                let problem = if self.page() == Page::Failed {
                    self.problem.clone()
                } else {
                    Problem::of_guest(&self.guest)
                };
                if let Some(problem) = problem {
                    let input = sender.input_sender().clone();
                    let act = move |action| input.emit(ConsoleInput::Solve(action));
                    dialogs::show_problem(root, &problem, Some(Box::new(act)));
                }
            }
        }
    }

    fn solve(&self, action: ProblemAction, root: &adw::Window, sender: &ComponentSender<Self>) {
        match action {
            ProblemAction::StartCore => self.daemon.start(),
            ProblemAction::ShowLog => self.show_log(sender),
            ProblemAction::Resume => self.ask(PowerAction::Resume, sender),
            ProblemAction::ForceOff => {
                let input = sender.input_sender().clone();
                crate::widgets::power::confirm_force_off(
                    Some(root.upcast_ref()),
                    &self.guest.name,
                    move || input.emit(ConsoleInput::Power(PowerAction::ForceOff)),
                );
            }
            ProblemAction::Discard => {
                let input = sender.input_sender().clone();
                crate::widgets::power::confirm_discard(
                    Some(root.upcast_ref()),
                    &self.guest.name,
                    move || input.emit(ConsoleInput::Power(PowerAction::Discard)),
                );
            }
            // Nothing that is done here names a file or a drive.
            ProblemAction::ChooseAnotherFile | ProblemAction::EjectAnyway => {}
        }
    }

    fn show_log(&self, sender: &ComponentSender<Self>) {
        let (daemon, guest) = (self.daemon.clone(), self.guest.id);
        sender.oneshot_command(async move { ConsoleCommand::Log(calls::read_log(daemon, guest).await) });
    }

    fn tell_power_button(&self) {
        let (name, state) = (self.guest.name.clone(), self.guest.state);
        self.power.emit(PowerInput::Guest { name, state });
        self.power.emit(PowerInput::Reachable(self.core_reachable));
    }
}

/// Says in a toast what went wrong, and more when that is asked for. What its button does is told as `solve` says.
fn tell_problem(
    view: &View,
    problem: Problem,
    root: &adw::Window,
    sender: &ComponentSender<ConsoleWindow>,
    solve: impl Fn(ProblemAction) -> ConsoleInput + Clone + 'static,
) {
    let (parent, input) = (root.clone(), sender.input_sender().clone());
    view.toast(&problem.what.clone(), move || {
        let (input, solve) = (input.clone(), solve.clone());
        let act = move |action| input.emit(solve(action));
        dialogs::show_problem(&parent, &problem, Some(Box::new(act)));
    });
}

/// Tells the window something after a while; nothing where it is closed by then.
fn later(pause: Duration, input: ConsoleInput, sender: &ComponentSender<ConsoleWindow>) {
    let sender = sender.input_sender().clone();
    glib::timeout_add_local_once(pause, move || drop(sender.send(input)));
}
