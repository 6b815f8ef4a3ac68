//! The root: it follows the core's event stream and owns the library window.
//!
//! The pages are functions of what it keeps here. What somebody wishes becomes a call; what the core
//! then says comes back through the stream, and only that changes what is shown.

mod consoles;
mod notice;
mod questions;
mod view;

use crate::actions::Action;
use crate::calls::{self, Wish};
use crate::model::power::PowerAction;
use crate::model::row::Row;
use crate::pages::guest::{GuestWish, Question};
use crate::widgets::device_dialog::DeviceDialog;
use crate::widgets::guest_list::ListNews;
use crate::widgets::{boot_menu, dialogs, power, text_window};
use adw::prelude::*;
use consoles::Consoles;
use gtk::gio;
use hv_api::{Accelerator, BootMenu, Change, GuestId, GuestState, Library, PciAddress, UsbDevice};
use installer_wizard::NewGuestWindow;
use relm4::prelude::*;
use std::cell::RefCell;
use std::path::PathBuf;
use virt_kit::daemon::{Daemon, Link, News};
use virt_kit::i18n::gettext;
use virt_kit::problem::{Problem, ProblemAction};

pub use notice::connect_notices;
pub use view::View;

/// What the window knows.
#[derive(Debug)]
pub struct App {
    daemon: Option<Daemon>,
    link: LinkState,
    library: Library,
    selected: Option<GuestId>,
    host_bar_dismissed: bool,
    consoles: Consoles,
    wizard: Option<Controller<NewGuestWindow>>,
    /// A guest that was just made, until the stream has it; and whether its console is to be opened.
    made: Option<(GuestId, bool)>,
    /// The question which USB device a guest shall have, while it is asked.
    usb_dialog: RefCell<Option<DeviceDialog<UsbDevice>>>,
    /// The question which PCI device, in the same way.
    pci_dialog: RefCell<Option<DeviceDialog<PciAddress>>>,
}

/// The connection to the core.
#[derive(Debug)]
enum LinkState {
    Connecting,
    Up,
    /// Away, with the reason where it could not be reached at all.
    Away(Option<Problem>),
}

/// Where somebody wishes something: what is asked about it, and why it came to nothing, is shown there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The library's window.
    Library,
    /// The guest's console.
    Console,
}

/// What the window is told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "messages are moved once and not kept")]
pub enum AppInput {
    /// The core has something to say.
    News(News),
    /// The window shall be seen: it was launched, perhaps again.
    Present,
    /// A guest shall be seen: its notification was pressed.
    Show(GuestId),
    /// Files were dropped on the window or opened with it.
    Files(Vec<PathBuf>),
    /// A command.
    Act(Action),
    /// Something happened in the list.
    List(ListNews),
    /// The list shall show only what this text finds.
    Search(String),
    /// Something is wished for a guest.
    Guest(Place, GuestId, GuestWish),
    /// Something is wished that needs no guest: to go back to the list.
    Back,
    /// Something to be done by the core.
    Wish(Place, GuestId, Wish),
    /// A problem's button was pressed.
    Solve(Place, GuestId, Option<Wish>, ProblemAction),
    /// A console window has closed.
    ConsoleClosed(GuestId),
    /// The New Guest window has closed.
    Wizard(installer_wizard::Output),
    /// Start the core.
    StartCore,
    /// Say why the core is away.
    AwayDetails,
    /// Say how guests are run.
    HostDetails,
    /// Hide the bar about that.
    DismissHostBar,
    /// The window became too narrow, or wide enough, for list and page beside each other.
    Folded,
    /// The window was asked to close.
    Close,
}

/// What a call came to.
#[derive(Debug)]
pub enum AppCommand {
    /// It was done; the stream says what it changed.
    Done,
    /// It was not.
    Failed(Place, GuestId, Box<Wish>, Problem),
    /// A log was read.
    Log(GuestId, Result<String, Problem>),
    /// The command of a guest's next start is known.
    Command(GuestId, Result<String, Problem>),
    /// The boot menu on a guest's disk is known.
    BootMenu(Place, GuestId, Result<BootMenu, Problem>),
    /// The models of CPUs are known.
    CpuModels(Result<Vec<String>, Problem>),
}

impl Component for App {
    type Init = PathBuf;
    type Input = AppInput;
    type Output = ();
    type CommandOutput = AppCommand;
    type Root = adw::ApplicationWindow;
    type Widgets = View;

    fn init_root() -> Self::Root {
        adw::ApplicationWindow::builder()
            .title(gettext("Guesthouse"))
            .default_width(1000)
            .default_height(680)
            .width_request(360)
            .height_request(294)
            .build()
    }

    fn init(socket: PathBuf, root: Self::Root, sender: ComponentSender<Self>) -> ComponentParts<Self> {
        // The core answers while the widgets are made, so that the first frame can have the guests in it.
        let news = sender.input_sender().clone();
        let daemon = Daemon::connect(socket, move |what| {
            // The window may have closed.
            drop(news.send(AppInput::News(what)));
        });
        let (daemon, link) = match daemon {
            Ok(daemon) => (Some(daemon), LinkState::Connecting),
            Err(error) => (None, LinkState::Away(Some(no_thread(&error)))),
        };
        let model = Self {
            daemon,
            link,
            library: Library::default(),
            selected: None,
            host_bar_dismissed: false,
            consoles: Consoles::default(),
            wizard: None,
            made: None,
            usb_dialog: RefCell::default(),
            pci_dialog: RefCell::default(),
        };
        let mut parts = ComponentParts { model, widgets: View::new(&root, &sender) };
        if let Some(daemon) = parts.model.daemon.clone() {
            parts.widgets.guest.set_statistics(move |guest| daemon.statistics(guest));
        }
        parts.widgets.show(&parts.model);
        parts
    }

    fn update_with_view(
        &mut self,
        view: &mut Self::Widgets,
        input: AppInput,
        sender: ComponentSender<Self>,
        root: &Self::Root,
    ) {
        match input {
            AppInput::News(news) => {
                self.take_news(view, news, root);
                self.show_made(view, &sender, root);
            }
            AppInput::Present => root.present(),
            AppInput::Show(id) => {
                root.present();
                self.selected = Some(id).filter(|id| self.library.guest(*id).is_some());
                view.library.select(self.selected);
                view.go_to_guest(self.selected.is_some());
            }
            AppInput::Files(files) if files.is_empty() => {}
            AppInput::Files(files) => self.new_guest(files, &sender, root),
            AppInput::Act(action) => self.act(view, action, &sender, root),
            AppInput::List(news) => self.list_news(view, news, &sender, root),
            AppInput::Search(text) => view.library.search(&text),
            AppInput::Guest(place, id, wish) => self.guest_wish(place, id, wish, &sender, root),
            AppInput::Back => {
                self.selected = None;
                view.library.select(None);
            }
            AppInput::Wish(place, id, wish) => self.ask(place, id, wish, &sender),
            AppInput::Solve(place, id, wish, action) => self.solve(place, id, wish, action, &sender, root),
            AppInput::Wizard(output) => {
                self.wizard = None;
                if let installer_wizard::Output::Created { guest, started } = output {
                    self.made = Some((guest, started));
                    self.show_made(view, &sender, root);
                }
            }
            AppInput::StartCore => self.start_core(),
            AppInput::AwayDetails => {
                if let LinkState::Away(Some(problem)) = &self.link {
                    dialogs::show_problem(root, problem, None);
                }
            }
            AppInput::HostDetails => {
                if let Some(problem) = self.no_acceleration() {
                    dialogs::show_problem(root, &problem, None);
                }
            }
            AppInput::DismissHostBar => self.host_bar_dismissed = true,
            AppInput::Folded => view.go_to_guest(self.selected.is_some()),
            AppInput::ConsoleClosed(id) => {
                self.consoles.closed(id);
                if self.consoles.is_empty() && !root.is_visible() {
                    relm4::main_application().quit();
                }
            }
            // While consoles are open the window only goes out of sight: they live by what it hears.
            AppInput::Close if !self.consoles.is_empty() => root.set_visible(false),
            AppInput::Close => relm4::main_application().quit(),
        }
        view.show(self);
    }

    fn update_cmd_with_view(
        &mut self,
        view: &mut Self::Widgets,
        command: AppCommand,
        sender: ComponentSender<Self>,
        root: &Self::Root,
    ) {
        match command {
            AppCommand::Done => {}
            AppCommand::Failed(Place::Console, id, wish, problem) => self.consoles.failed(id, *wish, problem),
            AppCommand::Failed(Place::Library, id, wish, problem) => {
                Self::failed(view, id, *wish, problem, &sender, root);
            }
            AppCommand::Log(id, Ok(log)) => text_window::show_log(root, &self.name(id), &log),
            AppCommand::Command(id, Ok(command)) => {
                text_window::show_command(root, &self.name(id), &command);
            }
            AppCommand::BootMenu(place, id, Ok(menu)) => {
                if let Some(guest) = self.library.guest(id) {
                    let sender = sender.input_sender().clone();
                    let act = move |wish| sender.emit(AppInput::Wish(place, id, wish));
                    boot_menu::show(&self.window(place, id, root), guest, &menu, act);
                }
            }
            AppCommand::CpuModels(Ok(models)) => view.guest.learn_cpu_models(models),
            AppCommand::Log(_, Err(problem))
            | AppCommand::Command(_, Err(problem))
            | AppCommand::BootMenu(_, _, Err(problem))
            | AppCommand::CpuModels(Err(problem)) => {
                let parent = root.clone();
                view.toast(&problem.what.clone(), move || dialogs::show_problem(&parent, &problem, None));
            }
        }
        view.show(self);
    }
}

impl App {
    fn take_news(&mut self, view: &mut View, news: News, root: &adw::ApplicationWindow) {
        match news {
            News::Link(Link::Connecting) => self.link = LinkState::Connecting,
            // What there is comes next; until then there is nothing to show.
            News::Link(Link::Up) => {}
            News::Link(Link::Down(error)) => {
                self.link = LinkState::Away(Some(Problem::from(&error)));
                self.consoles.link_lost();
            }
            News::Link(Link::Lost) => {
                self.link = LinkState::Away(None);
                self.consoles.link_lost();
            }
            News::Change(change) => self.take_change(view, change, root),
        }
    }

    fn take_change(&mut self, view: &mut View, change: Change, root: &adw::ApplicationWindow) {
        let touched = match &change {
            Change::Guest(guest) => Some(guest.id),
            Change::Removed(id) => Some(*id),
            Change::Job(job) => Some(job.guest),
            Change::Snapshot(_) | Change::Host(_) => None,
        };
        let everything = matches!(change, Change::Snapshot(_));
        self.notice_installed(&change, view, root);
        self.consoles.change(&change, &self.library);
        self.library.apply(change);
        self.follow_devices();
        if everything {
            self.link = LinkState::Up;
            view.library.fill(Row::all(&self.library));
            tracing::debug!(guests = self.library.guests().len(), "the library is filled");
        } else if let Some(id) = touched {
            view.library.put(id, Row::find(&self.library, id));
        }
        if let Some(wizard) = &self.wizard {
            wizard.emit(installer_wizard::Input::TakenNames(self.taken_names()));
        }
        if self.selected.is_some_and(|id| self.library.guest(id).is_none()) {
            self.selected = None;
        }
    }

    fn ask(&self, place: Place, id: GuestId, wish: Wish, sender: &ComponentSender<Self>) {
        let Some(daemon) = self.daemon.clone() else { return };
        sender.oneshot_command(async move {
            match calls::perform(daemon, id, wish.clone()).await {
                Ok(()) => AppCommand::Done,
                Err(problem) => AppCommand::Failed(place, id, Box::new(wish), problem),
            }
        });
    }

    fn name(&self, id: GuestId) -> String {
        self.library.guest(id).map(|guest| guest.name.clone()).unwrap_or_default()
    }

    fn read_log(&self, id: GuestId, sender: &ComponentSender<Self>) {
        let Some(daemon) = self.daemon.clone() else { return };
        sender.oneshot_command(async move { AppCommand::Log(id, calls::read_log(daemon, id).await) });
    }

    /// Says that a wish came to nothing: a name beneath its field, everything else in a toast.
    fn failed(
        view: &View,
        id: GuestId,
        wish: Wish,
        problem: Problem,
        sender: &ComponentSender<Self>,
        root: &adw::ApplicationWindow,
    ) {
        match &wish {
            Wish::Set(settings) if settings.name.is_some() && problem.code.starts_with("name-") => {
                view.guest.refuse_name(id, &format!("{} {}", problem.why, problem.remedy));
                return;
            }
            Wish::Set(_) => view.guest.revert(id),
            other if view.guest.refuse(id, other, &problem) => return,
            _ => {}
        }
        let (parent, sender) = (root.clone(), sender.input_sender().clone());
        view.toast(&problem.what.clone(), move || {
            let (sender, wish) = (sender.clone(), wish.clone());
            let act =
                move |action| sender.emit(AppInput::Solve(Place::Library, id, Some(wish.clone()), action));
            dialogs::show_problem(&parent, &problem, Some(Box::new(act)));
        });
    }

    fn list_news(
        &mut self,
        view: &View,
        news: ListNews,
        sender: &ComponentSender<Self>,
        root: &adw::ApplicationWindow,
    ) {
        match news {
            ListNews::Selected(id) => {
                // A guest that is being made has a row, but nothing to show yet.
                self.selected = id.filter(|id| self.library.guest(*id).is_some());
                view.go_to_guest(self.selected.is_some());
            }
            ListNews::Opened(id) => {
                self.selected = Some(id);
                self.act(view, Action::OpenConsole, sender, root);
            }
            ListNews::Power(id, action) => self.ask(Place::Library, id, Wish::Power(action), sender),
        }
    }

    fn act(
        &mut self,
        view: &View,
        action: Action,
        sender: &ComponentSender<Self>,
        root: &adw::ApplicationWindow,
    ) {
        let guest = self.selected.and_then(|id| self.library.guest(id));
        let change_power = |action| {
            let Some(guest) = guest else { return };
            let (id, sender) = (guest.id, sender.input_sender().clone());
            let ask = move || sender.emit(AppInput::Wish(Place::Library, id, Wish::Power(action)));
            power::confirmed(Some(root.upcast_ref()), &guest.name, action, ask);
        };
        let ask = |question| {
            if let Some(guest) = guest {
                self.question(Place::Library, guest, question, sender, root.upcast_ref());
            }
        };
        match action {
            Action::New => self.new_guest(Vec::new(), sender, root),
            Action::ChooseInstaller => {
                let sender = sender.input_sender().clone();
                dialogs::choose_medium(root, &gettext("Choose an Installer"), move |path| {
                    sender.emit(AppInput::Files(vec![path]));
                });
            }
            Action::Search => view.library.open_search(),
            Action::OpenConsole => {
                if let Some(id) = self.selected {
                    let mut consoles = std::mem::take(&mut self.consoles);
                    consoles.open(id, self, sender);
                    self.consoles = consoles;
                }
            }
            Action::Start
                if guest
                    .is_some_and(|guest| matches!(guest.state, GuestState::Paused | GuestState::Saved)) =>
            {
                change_power(PowerAction::Resume);
            }
            Action::Start => change_power(PowerAction::Start),
            Action::StartDisposable => change_power(PowerAction::StartDisposable),
            Action::ShutDown => change_power(PowerAction::Shutdown),
            Action::Save => change_power(PowerAction::Save),
            Action::Pause => change_power(PowerAction::Pause),
            Action::Restart => change_power(PowerAction::Restart),
            Action::ForceOff => change_power(PowerAction::ForceOff),
            Action::TakeSnapshot => ask(Question::Take),
            Action::Clone => ask(Question::Clone(None)),
            Action::Rename => view.guest.edit_name(),
            Action::ShowLog => {
                if let Some(id) = self.selected {
                    self.read_log(id, sender);
                }
            }
            Action::Delete => {
                if let Some(guest) = guest {
                    let (id, sender) = (guest.id, sender.input_sender().clone());
                    dialogs::confirm_delete(root, guest, move |disks| {
                        sender.emit(AppInput::Wish(Place::Library, id, Wish::Delete { disks }));
                    });
                }
            }
            Action::Shortcuts => dialogs::show_shortcuts(root),
            Action::About => {
                let host = self.library.host();
                dialogs::show_about(
                    root,
                    host.map(|host| host.core_version.as_str()),
                    host.and_then(|host| host.engine.version.as_deref()),
                );
            }
            Action::Menu => {}
            Action::Close => root.close(),
            Action::Quit => relm4::main_application().quit(),
        }
    }

    fn guest_wish(
        &mut self,
        place: Place,
        id: GuestId,
        wish: GuestWish,
        sender: &ComponentSender<Self>,
        root: &adw::ApplicationWindow,
    ) {
        let parent = &self.window(place, id, root);
        match wish {
            GuestWish::Core(wish) => self.ask(place, id, wish, sender),
            GuestWish::ChooseMedium(drive) => choose_medium(place, id, drive, sender, parent),
            GuestWish::Apply => {
                if let Some(guest) = self.library.guest(id) {
                    let sender = sender.input_sender().clone();
                    dialogs::confirm_apply(parent, guest, move || {
                        sender.emit(AppInput::Guest(place, id, GuestWish::ApplyNow));
                    });
                }
            }
            GuestWish::ApplyNow => self.ask(place, id, Wish::Power(PowerAction::Restart), sender),
            GuestWish::Details => {
                if let Some(problem) = self.library.guest(id).and_then(Problem::of_guest) {
                    let sender = sender.input_sender().clone();
                    let act = move |action| sender.emit(AppInput::Solve(place, id, None, action));
                    dialogs::show_problem(parent, &problem, Some(Box::new(act)));
                }
            }
            GuestWish::Ask(question) => {
                if let Some(guest) = self.library.guest(id) {
                    self.question(place, guest, question, sender, parent);
                }
            }
            GuestWish::Solve(action) => self.solve(place, id, None, action, sender, root),
            GuestWish::ShowCommand => {
                if let Some(daemon) = self.daemon.clone() {
                    sender.oneshot_command(async move {
                        AppCommand::Command(id, calls::plan_start(daemon, id).await)
                    });
                }
            }
            GuestWish::ShowBootMenu => {
                if let Some(daemon) = self.daemon.clone() {
                    sender.oneshot_command(async move {
                        AppCommand::BootMenu(place, id, calls::boot_menu(daemon, id).await)
                    });
                }
            }
            GuestWish::LearnCpuModels => {
                if let Some(daemon) = self.daemon.clone() {
                    sender.oneshot_command(async { AppCommand::CpuModels(calls::cpu_models(daemon).await) });
                }
            }
            GuestWish::OpenFolder(folder) => open_folder(&folder, parent),
            GuestWish::Back => sender.input(AppInput::Back),
        }
    }

    /// The window in which something was wished.
    fn window(&self, place: Place, id: GuestId, root: &adw::ApplicationWindow) -> gtk::Window {
        let console = if place == Place::Console { self.consoles.window(id) } else { None };
        console.unwrap_or_else(|| root.clone().upcast())
    }

    /// Does what a problem's button says. `wish` is what had failed.
    fn solve(
        &mut self,
        place: Place,
        id: GuestId,
        wish: Option<Wish>,
        action: ProblemAction,
        sender: &ComponentSender<Self>,
        root: &adw::ApplicationWindow,
    ) {
        let parent = &self.window(place, id, root);
        let power = |action| {
            let sender = sender.input_sender().clone();
            move || sender.emit(AppInput::Wish(place, id, Wish::Power(action)))
        };
        let name = || self.library.guest(id).map(|guest| guest.name.clone());
        match (action, wish) {
            (ProblemAction::StartCore, _) => self.start_core(),
            (ProblemAction::ForceOff, _) => {
                if let Some(name) = name() {
                    power::confirm_force_off(Some(parent), &name, power(PowerAction::ForceOff));
                }
            }
            (ProblemAction::Discard, _) => {
                if let Some(name) = name() {
                    power::confirm_discard(Some(parent), &name, power(PowerAction::Discard));
                }
            }
            (ProblemAction::ShowLog, _) => self.read_log(id, sender),
            (ProblemAction::Resume, _) => self.ask(place, id, Wish::Power(PowerAction::Resume), sender),
            (ProblemAction::EjectAnyway, Some(Wish::Eject { drive, .. } | Wish::Insert { drive, .. })) => {
                self.ask(place, id, Wish::Eject { drive, force: true }, sender);
            }
            (ProblemAction::ChooseAnotherFile, Some(Wish::Insert { drive, .. })) => {
                choose_medium(place, id, drive, sender, parent);
            }
            (ProblemAction::EjectAnyway | ProblemAction::ChooseAnotherFile, _) => {}
        }
    }

    fn start_core(&mut self) {
        if let Some(daemon) = &self.daemon {
            daemon.start();
        }
    }

    /// Opens the New Guest window, with these files where some were dropped or opened.
    fn new_guest(
        &mut self,
        sources: Vec<PathBuf>,
        sender: &ComponentSender<Self>,
        root: &adw::ApplicationWindow,
    ) {
        let Some(daemon) = self.daemon.clone() else { return };
        if let Some(wizard) = &self.wizard {
            if !sources.is_empty() {
                wizard.emit(installer_wizard::Input::Open(sources));
            }
            return wizard.widget().present();
        }
        let wizard = NewGuestWindow::builder().launch(installer_wizard::Init {
            daemon,
            sources,
            host: self.library.host().cloned(),
            taken_names: self.taken_names(),
            parent: Some(root.clone().upcast()),
        });
        self.wizard = Some(wizard.forward(sender.input_sender(), AppInput::Wizard));
    }

    fn taken_names(&self) -> Vec<String> {
        self.library.guests().map(|guest| guest.name.clone()).collect()
    }

    /// Goes to the guest that was just made, as soon as the stream has it.
    fn show_made(&mut self, view: &View, sender: &ComponentSender<Self>, root: &adw::ApplicationWindow) {
        let Some((id, started)) = self.made else { return };
        if self.library.guest(id).is_none() {
            return;
        }
        self.made = None;
        self.selected = Some(id);
        view.library.select(Some(id));
        view.go_to_guest(true);
        if started {
            self.act(view, Action::OpenConsole, sender, root);
        }
    }

    /// The words about missing hardware acceleration; nothing where guests have it.
    fn no_acceleration(&self) -> Option<Problem> {
        let accelerator = self.library.host()?.accelerator.as_ref()?;
        (accelerator.chosen == Accelerator::Emulation).then(|| Problem::of_accelerator(accelerator))
    }

    fn is_up(&self) -> bool {
        matches!(self.link, LinkState::Up)
    }
}

fn choose_medium(
    place: Place,
    id: GuestId,
    drive: String,
    sender: &ComponentSender<App>,
    parent: &gtk::Window,
) {
    let sender = sender.input_sender().clone();
    dialogs::choose_medium(parent, &gettext("Choose a Disc Image"), move |path| {
        sender.emit(AppInput::Wish(place, id, Wish::Insert { drive: drive.clone(), path }));
    });
}

fn open_folder(folder: &std::path::Path, parent: &gtk::Window) {
    let file = gio::File::for_path(folder);
    gtk::show_uri(Some(parent), &file.uri(), gtk::gdk::CURRENT_TIME);
}

fn no_thread(error: &std::io::Error) -> Problem {
    Problem {
        code: "no-thread",
        what: gettext("The connection to the hypervisor core could not be prepared."),
        why: gettext("The system gives Guesthouse no further thread."),
        remedy: gettext("End other programs, then open Guesthouse again. Guests run on."),
        action: None,
        detail: Some(error.to_string()),
    }
}
