//! The New Guest window: from a medium to a guest in one form.
//!
//! It owns the way there (source, a look at it, review, creation), asks the core to look and to create,
//! and shows the core's progress and refusals. It leaves to its opener to keep it informed of the names
//! that are taken and to show the guest afterwards. Closing it cancels nothing: a creation under way is
//! the core's job.
#![deny(missing_docs)]

mod answers;
mod calls;
mod defaults;
mod flow;
mod form;
mod recent;
mod sizes;
mod steps;
mod texts;

use adw::prelude::*;
use calls::News;
use flow::{Effect, Flow, Page};
use gtk::{gdk, gio, glib};
use hv_api::{GuestId, HostInfo};
use recent::Recent;
use relm4::{Component, ComponentParts, ComponentSender};
use std::path::PathBuf;
use std::time::Duration;
use steps::Say;
use steps::create::CreatePage;
use steps::disks::DisksPage;
use steps::review::ReviewPage;
use steps::source::SourcePage;
use virt_kit::daemon::Daemon;
use virt_kit::i18n::gettext;

/// How long a look at a file may last before it is shown that it goes on.
const SLOW: Duration = Duration::from_millis(300);

/// How the names of files end that a guest can be made from, as far as names tell.
const SUFFIXES: [&str; 16] = [
    "iso", "img", "qcow2", "raw", "vmdk", "vdi", "vhd", "vhdx", "gz", "xz", "zst", "ova", "ovf", "xml",
    "cfg", "xl",
];

/// What the window begins with.
#[derive(Debug)]
pub struct Init {
    /// The handle on the core.
    pub daemon: Daemon,
    /// What was dropped or opened. With one installer the first page is skipped; of several it says that
    /// one at a time is used.
    pub sources: Vec<PathBuf>,
    /// The host's facts, where they are known already. They are asked for anew in any case.
    pub host: Option<HostInfo>,
    /// The names of all guests.
    pub taken_names: Vec<String>,
    /// The window to which this one belongs, and which waits for it.
    pub parent: Option<gtk::Window>,
}

/// What the window can be told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "messages are moved once and not kept")]
pub enum Input {
    /// The names of all guests have become these.
    TakenNames(Vec<String>),
    /// The host's facts have become these.
    Host(Box<HostInfo>),
    /// Make the guest from this file; of several none is used. Has no effect while one is being made.
    Open(Vec<PathBuf>),
    /// Let a file be chosen.
    ChooseFile,
    /// Let a folder be chosen that has an install tree in it.
    ChooseFolder,
    /// One page back; closes the window where there is none.
    Leave,
    /// What happened on a page.
    #[doc(hidden)]
    Step(flow::Input),
}

/// What the window tells. It is closed when it does.
#[derive(Debug)]
pub enum Output {
    /// A guest was made.
    Created {
        /// The guest.
        guest: GuestId,
        /// True where it was to be started as well.
        started: bool,
    },
    /// No guest was made in this window. One whose creation was under way is still being made.
    Closed,
}

/// The window.
#[derive(Debug)]
pub struct NewGuestWindow {
    flow: Flow,
    daemon: Daemon,
    recent: Vec<Recent>,
    /// A source was given: until the core has looked at it there is no page to show.
    given: bool,
    chooser: Option<gtk::FileChooserNative>,
}

/// The window's widgets.
#[derive(Debug)]
pub struct Widgets {
    stack: gtk::Stack,
    back: gtk::Button,
    source: SourcePage,
    disks: DisksPage,
    review: ReviewPage,
    create: CreatePage,
    offered: usize,
    page: Option<Shown>,
}

/// The pages as the stack knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Waiting,
    Source,
    Disks,
    Review,
    Create,
    Failed,
}

impl Shown {
    const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Source => "source",
            Self::Disks => "disks",
            Self::Review => "review",
            Self::Create | Self::Failed => "create",
        }
    }
}

impl Component for NewGuestWindow {
    type Init = Init;
    type Input = Input;
    type Output = Output;
    type CommandOutput = News;
    type Root = adw::Window;
    type Widgets = Widgets;

    fn init_root() -> Self::Root {
        let window = adw::Window::builder()
            .title(gettext("New Guest"))
            .default_width(560)
            .default_height(776)
            .width_request(360)
            .height_request(400)
            .build();
        window.add_css_class("new-guest");
        window
    }

    fn init(init: Init, root: Self::Root, sender: ComponentSender<Self>) -> ComponentParts<Self> {
        load_style();
        let Init { daemon, sources, host, taken_names, parent } = init;
        root.set_transient_for(parent.as_ref());
        root.set_modal(parent.is_some());
        let widgets = build(&root, &sender);
        let flow = Flow::new(host.as_ref(), taken_names, gettext("New guest"));
        let given = !sources.is_empty();
        let mut model = Self { flow, daemon, recent: Vec::new(), given, chooser: None };
        calls::host(&model.daemon, &sender);
        calls::systems(&model.daemon, &sender);
        calls::preferences(&model.daemon, &sender);
        if let Some(folder) = glib::user_special_dir(glib::UserDirectory::Downloads) {
            sender.spawn_oneshot_command(move || News::Recent(recent::scan(&folder)));
        }
        if given {
            model.step(opened(sources), &sender, &root);
        }
        let mut parts = ComponentParts { model, widgets };
        parts.model.update_view(&mut parts.widgets, sender);
        root.present();
        parts
    }

    fn update(&mut self, input: Input, sender: ComponentSender<Self>, root: &Self::Root) {
        match input {
            Input::TakenNames(names) => self.step(flow::Input::Taken(names), &sender, root),
            Input::Host(host) => self.step(flow::Input::Host(host), &sender, root),
            Input::Open(paths) => self.step(opened(paths), &sender, root),
            Input::ChooseFile => self.choose_file(&sender, root),
            Input::ChooseFolder => self.choose_folder(&sender, root),
            Input::Leave if self.flow.offers_way_back() => self.step(flow::Input::Back, &sender, root),
            Input::Leave => match self.flow.page() {
                Page::Source { .. } => self.step(flow::Input::Close, &sender, root),
                Page::Disks(_)
                | Page::Looking { .. }
                | Page::Review(_)
                | Page::Creating(_)
                | Page::Failed { .. }
                | Page::Gone => {}
            },
            Input::Step(input) => self.step(input, &sender, root),
        }
    }

    fn update_cmd(&mut self, news: News, sender: ComponentSender<Self>, root: &Self::Root) {
        match news {
            News::Recent(found) => self.recent = found,
            News::Step(input) => self.step(*input, &sender, root),
        }
    }

    fn update_view(&self, widgets: &mut Self::Widgets, _sender: ComponentSender<Self>) {
        if widgets.offered != self.recent.len() {
            widgets.offered = self.recent.len();
            widgets.source.offer(&self.recent);
        }
        widgets.source.show(&self.flow);
        widgets.disks.show(&self.flow);
        widgets.review.show(&self.flow);
        widgets.create.show(&self.flow);
        widgets.back.set_visible(self.flow.offers_way_back());
        if let Some(page) = self.shown()
            && widgets.page.replace(page) != Some(page)
        {
            widgets.turn_to(page);
        }
    }
}

impl NewGuestWindow {
    /// Takes one input of the flow, and does what it asks for.
    fn step(&mut self, input: flow::Input, sender: &ComponentSender<Self>, root: &adw::Window) {
        let effect = self.flow.step(input);
        self.given &= matches!(self.flow.page(), Page::Looking { .. });
        match effect {
            None => {}
            Some(Effect::Look { ticket, path }) => {
                calls::look(&self.daemon, ticket, &path, sender);
                let to = sender.input_sender().clone();
                glib::timeout_add_local_once(SLOW, move || {
                    to.emit(Input::Step(flow::Input::Slow { ticket }));
                });
            }
            Some(Effect::LookForDisks { ticket }) => calls::disks(&self.daemon, ticket, sender),
            Some(Effect::Create { attempt, wish }) => calls::create(&self.daemon, attempt, *wish, sender),
            Some(Effect::Cancel(job)) => calls::cancel(&self.daemon, job, sender),
            Some(Effect::Finish { guest, started }) => {
                tell(sender, Output::Created { guest, started });
                root.destroy();
            }
            Some(Effect::Close) => {
                tell(sender, Output::Closed);
                root.destroy();
            }
        }
    }

    /// The page to be shown; nothing where the one that is shown stays.
    fn shown(&self) -> Option<Shown> {
        match self.flow.page() {
            // In place, whichever page that is; the first shows how it goes on when it lasts.
            Page::Looking { slow: false, .. } => self.given.then_some(Shown::Waiting),
            Page::Looking { slow: true, .. } | Page::Source { .. } => Some(Shown::Source),
            Page::Disks(_) => Some(Shown::Disks),
            Page::Review(_) => Some(Shown::Review),
            Page::Creating(_) => Some(Shown::Create),
            Page::Failed { .. } => Some(Shown::Failed),
            Page::Gone => None,
        }
    }

    fn choose_file(&mut self, sender: &ComponentSender<Self>, root: &adw::Window) {
        let chooser = gtk::FileChooserNative::new(
            Some(&gettext("Choose an Installer")),
            Some(root),
            gtk::FileChooserAction::Open,
            Some(&gettext("_Choose")),
            Some(&gettext("_Cancel")),
        );
        chooser.set_modal(true);
        let fitting = gtk::FileFilter::new();
        fitting.set_name(Some(&gettext("Installers, disk images and machines")));
        for suffix in SUFFIXES {
            fitting.add_suffix(suffix);
        }
        let all = gtk::FileFilter::new();
        all.set_name(Some(&gettext("All files")));
        all.add_pattern("*");
        chooser.add_filter(&fitting);
        chooser.add_filter(&all);
        self.await_choice(chooser, sender);
    }

    fn choose_folder(&mut self, sender: &ComponentSender<Self>, root: &adw::Window) {
        let chooser = gtk::FileChooserNative::new(
            Some(&gettext("Choose an Install Tree")),
            Some(root),
            gtk::FileChooserAction::SelectFolder,
            Some(&gettext("_Choose")),
            Some(&gettext("_Cancel")),
        );
        chooser.set_modal(true);
        self.await_choice(chooser, sender);
    }

    fn await_choice(&mut self, chooser: gtk::FileChooserNative, sender: &ComponentSender<Self>) {
        let to = sender.input_sender().clone();
        chooser.connect_response(move |chooser, response| {
            if response == gtk::ResponseType::Accept
                && let Some(file) = chooser.file()
            {
                to.emit(Input::Step(chosen(&[file])));
            }
        });
        chooser.show();
        // A native chooser is nobody's child: it lasts as long as somebody holds it.
        self.chooser = Some(chooser);
    }
}

impl Widgets {
    fn turn_to(&self, page: Shown) {
        self.stack.set_visible_child_name(page.name());
        let window = self.stack.root().and_downcast::<gtk::Window>();
        let default = (page == Shown::Review).then(|| self.review.default_button());
        if let Some(window) = window {
            window.set_default_widget(default);
        }
        match page {
            Shown::Waiting => {}
            Shown::Source => self.source.focus(),
            Shown::Disks => self.disks.focus(),
            Shown::Review => self.review.focus(),
            Shown::Create | Shown::Failed => self.create.focus(),
        }
    }
}

/// Tells the opener, who may have gone.
fn tell(sender: &ComponentSender<NewGuestWindow>, output: Output) {
    if sender.output(output).is_err() {
        tracing::debug!("nobody waits for the New Guest window any more");
    }
}

/// What choosing or dropping these files means.
fn chosen(files: &[gio::File]) -> flow::Input {
    match files {
        [file] => file.path().map_or(flow::Input::Unfit(flow::SourceFault::NotLocal), flow::Input::Choose),
        _ => flow::Input::Unfit(flow::SourceFault::Several),
    }
}

/// What opening these files from outside means.
fn opened(mut paths: Vec<PathBuf>) -> flow::Input {
    match (paths.pop(), paths.is_empty()) {
        (Some(only), true) => flow::Input::Choose(only),
        _ => flow::Input::Unfit(flow::SourceFault::Several),
    }
}

fn build(root: &adw::Window, sender: &ComponentSender<NewGuestWindow>) -> Widgets {
    let say = Say::new(sender.input_sender().clone());
    let back = gtk::Button::builder()
        .icon_name("go-previous-symbolic")
        .tooltip_text(gettext("Back"))
        .visible(false)
        .build();
    steps::name(&back, &gettext("Back"));
    let to = say.clone();
    back.connect_clicked(move |_| to.say(Input::Step(flow::Input::Back)));
    let header = adw::HeaderBar::new();
    header.pack_start(&back);

    let (source, disks) = (SourcePage::new(&say), DisksPage::new(&say));
    let (review, create) = (ReviewPage::new(&say), CreatePage::new(&say));
    let waiting = gtk::Box::default();
    let stack = gtk::Stack::builder()
        .transition_type(gtk::StackTransitionType::SlideLeftRight)
        .vhomogeneous(false)
        .vexpand(true)
        .build();
    stack.add_named(&waiting, Some(Shown::Waiting.name()));
    stack.add_named(source.widget(), Some(Shown::Source.name()));
    stack.add_named(disks.widget(), Some(Shown::Disks.name()));
    stack.add_named(review.widget(), Some(Shown::Review.name()));
    stack.add_named(create.widget(), Some(Shown::Create.name()));
    let content = gtk::Box::builder().orientation(gtk::Orientation::Vertical).build();
    content.append(&header);
    content.append(&stack);
    root.set_content(Some(&content));

    accept_drops(root, &say);
    let to = say.clone();
    root.connect_close_request(move |_| {
        to.say(Input::Step(flow::Input::Close));
        glib::Propagation::Stop
    });
    let keys = gtk::ShortcutController::new();
    for trigger in ["Escape", "<Alt>Left"] {
        let to = say.clone();
        let leave = gtk::CallbackAction::new(move |_, _| {
            to.say(Input::Leave);
            glib::Propagation::Stop
        });
        keys.add_shortcut(gtk::Shortcut::new(gtk::ShortcutTrigger::parse_string(trigger), Some(leave)));
    }
    root.add_controller(keys);
    Widgets { stack, back, source, disks, review, create, offered: 0, page: None }
}

/// Files may be dropped anywhere in the window.
fn accept_drops(root: &adw::Window, say: &Say) {
    let target = gtk::DropTarget::new(gdk::FileList::static_type(), gdk::DragAction::COPY);
    // Before the entries, which would take a file's address for text.
    target.set_propagation_phase(gtk::PropagationPhase::Capture);
    let window = root.downgrade();
    target.connect_enter(move |_, _, _| {
        if let Some(window) = window.upgrade() {
            window.add_css_class("drag-over");
        }
        gdk::DragAction::COPY
    });
    let window = root.downgrade();
    target.connect_leave(move |_| {
        if let Some(window) = window.upgrade() {
            window.remove_css_class("drag-over");
        }
    });
    let (to, window) = (say.clone(), root.downgrade());
    target.connect_drop(move |_, value, _, _| {
        if let Some(window) = window.upgrade() {
            window.remove_css_class("drag-over");
        }
        let Ok(list) = value.get::<gdk::FileList>() else { return false };
        to.say(Input::Step(chosen(&list.files())));
        true
    });
    root.add_controller(target);
}

/// Gives the display this window's style, once.
fn load_style() {
    static LOADED: std::sync::Once = std::sync::Once::new();
    LOADED.call_once(|| {
        let Some(display) = gdk::Display::default() else { return };
        let provider = gtk::CssProvider::new();
        provider.load_from_data(include_str!("style.css"));
        gtk::style_context_add_provider_for_display(
            &display,
            &provider,
            gtk::STYLE_PROVIDER_PRIORITY_APPLICATION,
        );
    });
}
