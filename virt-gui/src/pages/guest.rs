//! The page of the selected guest: its header with the power control, what needs attention, and the
//! pages within.

mod addresses;
mod amounts;
mod cpu_model;
mod devices;
mod disk_dialogs;
mod disks;
mod drive;
mod firmware;
mod hardware;
pub mod live;
mod network;
mod overview;
mod pci;
mod snapshots;
mod startup;
mod usage;
mod usb;
mod waiting;

use crate::actions::{self, Action};
use crate::calls::Wish;
use crate::model::{hardware as settings, install};
use crate::widgets::dialogs::action_label;
use crate::widgets::host_bar::HostBar;
use crate::widgets::power::{PowerButton, PowerInit, PowerInput};
use crate::widgets::{rename, set_words, text_button};
use adw::prelude::*;
use hardware::HardwarePage;
use hv_api::{GuestId, GuestInfo, GuestState, GuestStatistics, HostInfo, Settings};
use overview::OverviewPage;
use relm4::prelude::*;
pub use snapshots::Question;
use snapshots::SnapshotsPage;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use tokio::sync::mpsc;
use virt_kit::i18n::gettext;
use virt_kit::problem::{Problem, ProblemAction};
use waiting::WaitingBar;

/// What somebody wishes on this page.
#[expect(clippy::large_enum_variant, reason = "there is one for each thing that somebody does")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestWish {
    /// To be done by the core.
    Core(Wish),
    /// Choose a medium for this drive.
    ChooseMedium(String),
    /// Restart it so that changes take effect.
    Apply,
    /// The same, after the question.
    ApplyNow,
    /// Show the details of what is wrong with it.
    Details,
    /// Do what the problem's button says.
    Solve(ProblemAction),
    /// Ask what has to be known first, or whether it is meant.
    Ask(Question),
    /// Show the command of its next start.
    ShowCommand,
    /// Show the menu of the boot loader on its disk.
    ShowBootMenu,
    /// Ask what models of CPUs there are.
    LearnCpuModels,
    /// Open this folder in the file manager.
    OpenFolder(PathBuf),
    /// Go back to the list.
    Back,
}

/// The page.
#[derive(Debug)]
pub struct GuestPage {
    root: gtk::Box,
    shown: Rc<Cell<Option<GuestId>>>,
    last: RefCell<Option<(GuestInfo, Option<HostInfo>)>>,
    header: adw::HeaderBar,
    folded: Cell<bool>,
    content: gtk::Stack,
    pages: adw::ViewStack,
    switcher: adw::ViewSwitcherTitle,
    back: gtk::Button,
    menu: gtk::MenuButton,
    power: Controller<PowerButton>,
    trouble: Trouble,
    waiting: WaitingBar,
    installing: gtk::InfoBar,
    installing_text: gtk::Label,
    pending: gtk::InfoBar,
    pending_text: gtk::Label,
    overview: OverviewPage,
    hardware: HardwarePage,
    snapshots: SnapshotsPage,
}

/// The bar that says what is wrong with the guest.
#[derive(Debug)]
struct Trouble {
    bar: gtk::InfoBar,
    what: gtk::Label,
    why: gtk::Label,
    act: gtk::Button,
    action: Rc<Cell<Option<ProblemAction>>>,
}

impl GuestPage {
    /// The page; `wish` hears what is wished for which guest.
    pub fn new(host_bar: &HostBar, wish: impl Fn(Option<GuestId>, GuestWish) + 'static) -> Self {
        let shown: Rc<Cell<Option<GuestId>>> = Rc::default();
        let wish: Rc<dyn Fn(GuestWish)> = {
            let shown = Rc::clone(&shown);
            Rc::new(move |what| wish(shown.get(), what))
        };
        let overview = OverviewPage::new(&wish);
        let hardware = HardwarePage::new(&wish);
        let snapshots = SnapshotsPage::new(&wish);
        let pages = adw::ViewStack::builder().vexpand(true).build();
        pages
            .add_titled(overview.widget(), Some("overview"), &gettext("Overview"))
            .set_icon_name(Some("computer-symbolic"));
        pages
            .add_titled(hardware.widget(), Some("hardware"), &gettext("Hardware"))
            .set_icon_name(Some("applications-engineering-symbolic"));
        pages
            .add_titled(snapshots.widget(), Some("snapshots"), &gettext("Snapshots"))
            .set_icon_name(Some("document-open-recent-symbolic"));

        let switcher = adw::ViewSwitcherTitle::builder().stack(&pages).visible(false).build();
        let bottom = adw::ViewSwitcherBar::builder().stack(&pages).build();
        switcher.bind_property("title-visible", &bottom, "reveal").sync_create().build();

        let header = adw::HeaderBar::builder().title_widget(&switcher).build();
        let back = gtk::Button::builder().icon_name("go-previous-symbolic").visible(false).build();
        rename(&back, &gettext("Back to the List"));
        back.connect_clicked({
            let wish = Rc::clone(&wish);
            move |_| wish(GuestWish::Back)
        });
        let menu = gtk::MenuButton::builder()
            .icon_name("view-more-symbolic")
            .menu_model(&actions::menu(&[
                &[Action::OpenConsole],
                &[Action::TakeSnapshot, Action::Clone],
                &[Action::Rename, Action::ShowLog],
                &[Action::Delete],
            ]))
            .build();
        rename(&menu, &gettext("Guest Menu"));
        let power = PowerButton::builder()
            .launch(PowerInit { name: String::new(), state: GuestState::Unavailable, compact: false })
            .connect_receiver({
                let wish = Rc::clone(&wish);
                move |_, action| wish(GuestWish::Core(Wish::Power(action)))
            });
        header.pack_start(&back);
        header.pack_end(&menu);
        header.pack_end(power.widget());

        let (pending, pending_text) = pending_bar(&wish);
        let trouble = Trouble::new(&wish);
        let waiting = WaitingBar::new(&wish);
        let (installing, installing_text) = installing_bar(&wish);
        let guest = gtk::Box::new(gtk::Orientation::Vertical, 0);
        guest.append(&trouble.bar);
        guest.append(waiting.widget());
        guest.append(&installing);
        guest.append(&pending);
        guest.append(&pages);
        guest.append(&bottom);

        let none = adw::StatusPage::builder()
            .icon_name("computer-symbolic")
            .title(gettext("No Guest Selected"))
            .description(gettext("Select one in the list, or drop an installer here to make another."))
            .build();
        let content = gtk::Stack::builder().vexpand(true).vhomogeneous(false).build();
        content.add_named(&none, Some("none"));
        content.add_named(&guest, Some("guest"));

        let root = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .hexpand(true)
            .width_request(340)
            .build();
        root.append(&header);
        root.append(host_bar.widget());
        root.append(&content);
        let this = Self {
            root,
            shown,
            last: RefCell::default(),
            header,
            folded: Cell::default(),
            content,
            pages,
            switcher,
            back,
            menu,
            power,
            trouble,
            waiting,
            installing,
            installing_text,
            pending,
            pending_text,
            overview,
            hardware,
            snapshots,
        };
        this.show(None, None);
        this
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::Box {
        &self.root
    }

    /// Says how a guest's statistics are listened to.
    pub fn set_statistics(&self, listen: impl Fn(GuestId) -> mpsc::Receiver<GuestStatistics> + 'static) {
        self.overview.usage.set_source(listen);
    }

    /// Shows a guest, or that none is selected.
    pub fn show(&self, guest: Option<&GuestInfo>, host: Option<&HostInfo>) {
        let another = self.shown.get() != guest.map(|guest| guest.id);
        if another {
            // While the wish is still the former guest's.
            self.hardware.live.settle();
            self.shown.set(guest.map(|guest| guest.id));
        }
        // Also where nothing about the guest has changed: its core may have been away.
        self.overview.usage.show(guest);
        let now = guest.map(|guest| (guest.clone(), host.cloned()));
        if !another && now.is_some() && *self.last.borrow() == now {
            return;
        }
        self.content.set_visible_child_name(if guest.is_some() { "guest" } else { "none" });
        self.switcher.set_visible(guest.is_some());
        self.menu.set_visible(guest.is_some());
        self.power.widget().set_visible(guest.is_some());
        if let Some(guest) = guest {
            self.switcher.set_title(&guest.name);
            let (name, state) = (guest.name.clone(), guest.state);
            self.power.emit(PowerInput::Guest { name, state });
            self.trouble.show(Problem::of_guest(guest).as_ref());
            self.waiting.show(guest);
            let sentence = install::sentence(guest);
            self.installing.set_revealed(sentence.is_some());
            if let Some(sentence) = sentence {
                self.installing_text.set_label(&sentence);
            }
            let sentence = settings::pending_sentence(guest);
            self.pending.set_revealed(sentence.is_some());
            if let Some(sentence) = sentence {
                self.pending_text.set_label(&sentence);
            }
            self.overview.show(guest, another);
            self.hardware.show(guest, host, another);
            self.snapshots.show(guest);
        } else {
            self.switcher.set_title("");
        }
        self.last.replace(now);
    }

    /// Shows or hides the button that goes back to the list.
    pub fn set_folded(&self, folded: bool) {
        self.back.set_visible(folded);
        if self.folded.replace(folded) != folded {
            self.power.emit(PowerInput::Compact(folded));
        }
        self.header.set_show_start_title_buttons(folded);
    }

    /// Opens the field with the guest's name.
    pub fn edit_name(&self) {
        self.pages.set_visible_child_name("overview");
        self.overview.edit_name();
    }

    /// Says that the core refused a name.
    pub fn refuse_name(&self, guest: GuestId, reason: &str) {
        if self.shown.get() == Some(guest) {
            self.overview.refuse_name(reason);
        }
    }

    /// Says at its own row why the core refused a wish about a guest. False where it has no row here.
    pub fn refuse(&self, guest: GuestId, wish: &Wish, problem: &Problem) -> bool {
        match &*self.last.borrow() {
            Some((shown, _host)) if shown.id == guest => self.hardware.live.refuse(shown, wish, problem),
            _ => false,
        }
    }

    /// These are the models that a guest's CPUs can be of.
    pub fn learn_cpu_models(&self, models: Vec<String>) {
        self.hardware.cpu_model.learn(models);
    }

    /// Shows the values of the core again: it refused those that were wished.
    pub fn revert(&self, guest: GuestId) {
        if self.shown.get() == Some(guest)
            && let Some((guest, host)) = &*self.last.borrow()
        {
            self.hardware.show(guest, host.as_ref(), true);
        }
    }
}

impl Trouble {
    fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let bar = gtk::InfoBar::builder().message_type(gtk::MessageType::Warning).revealed(false).build();
        let words = |class: &str| {
            gtk::Label::builder()
                .xalign(0.0)
                .wrap(true)
                .natural_wrap_mode(gtk::NaturalWrapMode::None)
                .css_classes([class])
                .build()
        };
        let (what, why) = (words("heading"), words("body"));
        let words = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(3).build();
        words.append(&what);
        words.append(&why);
        bar.add_child(&words);
        let action: Rc<Cell<Option<ProblemAction>>> = Rc::default();
        let act = text_button("", &[]);
        act.connect_clicked({
            let (wish, action) = (Rc::clone(wish), Rc::clone(&action));
            move |_| {
                if let Some(action) = action.get() {
                    wish(GuestWish::Solve(action));
                }
            }
        });
        let details = text_button(&gettext("Details"), &[]);
        details.connect_clicked({
            let wish = Rc::clone(wish);
            move |_| wish(GuestWish::Details)
        });
        bar.add_action_widget(&act, gtk::ResponseType::Accept);
        bar.add_action_widget(&details, gtk::ResponseType::Help);
        Self { bar, what, why, act, action }
    }

    fn show(&self, problem: Option<&Problem>) {
        self.bar.set_revealed(problem.is_some());
        let Some(problem) = problem else { return };
        self.what.set_label(&problem.what);
        self.why.set_label(&problem.why);
        self.action.set(problem.action);
        self.act.set_visible(problem.action.is_some());
        if let Some(action) = problem.action {
            set_words(&self.act, &action_label(action).replace('_', ""));
        }
    }
}

fn installing_bar(wish: &Rc<dyn Fn(GuestWish)>) -> (gtk::InfoBar, gtk::Label) {
    let (bar, text) = info_bar();
    let installed = text_button(&gettext("It Is Installed"), &[]);
    let words = gettext("Takes the installer away; the guest starts from its disk from now on");
    installed.set_tooltip_text(Some(&words));
    bar.add_action_widget(&installed, gtk::ResponseType::Apply);
    bar.connect_response({
        let wish = Rc::clone(wish);
        move |_, _| {
            wish(GuestWish::Core(Wish::Set(Settings { installed: Some(true), ..Settings::default() })));
        }
    });
    (bar, text)
}

/// A bar with words, and nothing to press yet.
fn info_bar() -> (gtk::InfoBar, gtk::Label) {
    let bar = gtk::InfoBar::builder().message_type(gtk::MessageType::Info).revealed(false).build();
    let text =
        gtk::Label::builder().xalign(0.0).wrap(true).natural_wrap_mode(gtk::NaturalWrapMode::None).build();
    bar.add_child(&text);
    (bar, text)
}

fn pending_bar(wish: &Rc<dyn Fn(GuestWish)>) -> (gtk::InfoBar, gtk::Label) {
    let (bar, text) = info_bar();
    bar.add_action_widget(&text_button(&gettext("Restart to Apply…"), &[]), gtk::ResponseType::Apply);
    bar.connect_response({
        let wish = Rc::clone(wish);
        move |_, _| wish(GuestWish::Apply)
    });
    (bar, text)
}
