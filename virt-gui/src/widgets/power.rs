//! The power button of a guest: one press does what its state suggests, the menu beside it has the rest.
//!
//! The button says which action a person chose, confirmed where it can lose data. Whoever shows it
//! carries the action out, with [`perform`], and shows what went wrong.

use crate::model::power::{PowerAction, Refusal, default_action, refusal};
use crate::widgets::question::{Answer, ask, question};
use adw::prelude::*;
use gtk::gio;
use hv_api::client::{CallError, Connection, Events, settle};
use hv_api::{Core, GuestId, GuestInfo, GuestReply, GuestState, JobKind};
use relm4::prelude::*;
use virt_kit::daemon::{Daemon, Trouble, ended};
use virt_kit::i18n::{gettext, gettext_f};

/// Asks the core for an action. Answers when the core has done it, or for a shutdown when the guest has
/// been asked.
pub async fn perform(daemon: &Daemon, guest: GuestId, action: PowerAction) -> Result<GuestInfo, Trouble> {
    if action == PowerAction::CancelSaving {
        return cancel_saving(daemon, guest).await;
    }
    let guest = guest.to_string();
    let reply = daemon
        .call(async move |core| {
            settle(match action {
                PowerAction::Start => core.start(&guest, None).await,
                PowerAction::StartFromCd => core.start_from_cd(&guest, None).await,
                PowerAction::StartDisposable => core.start_disposable(&guest, None).await,
                PowerAction::Shutdown => core.shutdown(&guest).await,
                PowerAction::ForceOff => core.force_off(&guest).await,
                PowerAction::Pause => core.pause(&guest).await,
                PowerAction::Resume => core.resume(&guest).await,
                PowerAction::Restart => core.restart(&guest).await,
                PowerAction::Reset => core.reset(&guest).await,
                PowerAction::Discard => core.discard(&guest).await,
                PowerAction::Save => return saved(core, &guest).await,
                PowerAction::CancelSaving => core.show(&guest).await,
            })
        })
        .await?;
    Ok(reply.guest)
}

/// Saves a guest; answers when that has ended, also where a person has cancelled it meanwhile.
async fn saved(core: &mut Connection, guest: &str) -> Result<GuestReply, CallError> {
    let job = settle(core.save(guest).await)?.job;
    ended(core, job).await?;
    settle(core.show(guest).await)
}

/// Cancels what saves a guest.
async fn cancel_saving(daemon: &Daemon, guest: GuestId) -> Result<GuestInfo, Trouble> {
    // The stream of events goes on over its connection, so the rest is asked over another.
    let jobs = daemon
        .call(async move |core| {
            let first = Events::watch(core).await?.next().await?;
            Ok(first.snapshot.map(|present| present.jobs).unwrap_or_default())
        })
        .await?;
    let saving = jobs.into_iter().find(|job| job.kind == JobKind::Save && job.guest == guest);
    let reply = daemon
        .call(async move |core| {
            if let Some(job) = saving {
                settle(core.cancel(job.id).await)?;
            }
            settle(core.show(&guest.to_string()).await)
        })
        .await?;
    Ok(reply.guest)
}

/// What an action is called on buttons and in menus.
pub fn label(action: PowerAction) -> String {
    match action {
        PowerAction::Start => gettext("Start"),
        PowerAction::StartFromCd => gettext("Start From CD"),
        PowerAction::StartDisposable => gettext("Start Disposable"),
        PowerAction::Shutdown => gettext("Shut Down"),
        PowerAction::ForceOff => gettext("Force Off…"),
        PowerAction::Pause => gettext("Pause"),
        PowerAction::Resume => gettext("Resume"),
        PowerAction::Restart => gettext("Restart…"),
        PowerAction::Reset => gettext("Reset…"),
        PowerAction::Save => gettext("Save State"),
        PowerAction::CancelSaving => gettext("Cancel Saving"),
        PowerAction::Discard => gettext("Discard Saved State…"),
    }
}

/// Why an action is not possible, as a sentence.
pub fn refusal_text(refusal: Refusal) -> String {
    match refusal {
        Refusal::Off => gettext("The guest is off"),
        Refusal::Starting => gettext("The guest is just starting"),
        Refusal::Running => gettext("The guest is running already"),
        Refusal::Paused => gettext("The guest is paused; resume it first"),
        Refusal::NotPaused => gettext("The guest is not paused"),
        Refusal::Saving => gettext("The guest’s memory is just being saved"),
        Refusal::Saved => gettext("The guest is saved; resume it or discard its saved state first"),
        Refusal::NotSaved => gettext("The guest is not saved"),
        Refusal::ShuttingDown => gettext("The guest is shutting down"),
        Refusal::Crashed => gettext("The guest has crashed and is off"),
        Refusal::Unavailable => gettext("The definition of this guest can’t be read"),
        Refusal::CoreAway => gettext("The hypervisor core can’t be reached"),
    }
}

/// The icon of an action, for buttons too small for words.
pub fn icon(action: PowerAction) -> &'static str {
    match action {
        PowerAction::Start | PowerAction::StartDisposable | PowerAction::Resume => {
            "media-playback-start-symbolic"
        }
        PowerAction::StartFromCd => "media-optical-symbolic",
        PowerAction::Shutdown | PowerAction::ForceOff => "system-shutdown-symbolic",
        PowerAction::Pause => "media-playback-pause-symbolic",
        PowerAction::Restart | PowerAction::Reset => "view-refresh-symbolic",
        PowerAction::Save => "document-save-symbolic",
        PowerAction::CancelSaving => "process-stop-symbolic",
        PowerAction::Discard => "user-trash-symbolic",
    }
}

/// What a press of the button does, in more words than its label has.
fn explanation(action: PowerAction) -> String {
    match action {
        PowerAction::Start => gettext("Start the guest"),
        PowerAction::StartFromCd => gettext("Start the guest from what is in its drive, this once"),
        PowerAction::StartDisposable => {
            gettext("Start the guest, and throw away what it writes when it is off")
        }
        PowerAction::Shutdown => gettext("Ask the guest to shut down, as its power button would"),
        PowerAction::ForceOff => {
            gettext("Take the guest’s power away; what it has not yet written to its disks is lost")
        }
        PowerAction::Pause => gettext("Stop the guest’s processors and keep its memory"),
        PowerAction::Resume => gettext("Let the guest go on"),
        PowerAction::Restart => gettext("Ask the guest to shut down, and start it anew when it has"),
        PowerAction::Reset => {
            gettext("Press the guest’s reset button; what it has not yet written to its disks is lost")
        }
        PowerAction::Save => {
            gettext("Keep the guest’s memory on the disk, so that it goes on later where it is now")
        }
        PowerAction::CancelSaving => gettext("Do not save the guest; it goes on as before"),
        PowerAction::Discard => {
            gettext("Throw the saved state away; what the guest had not written to its disks is lost")
        }
    }
}

/// Calls `act`, after a question where the action can lose data.
pub fn confirmed(parent: Option<&gtk::Window>, name: &str, action: PowerAction, act: impl Fn() + 'static) {
    match action {
        PowerAction::ForceOff => confirm_force_off(parent, name, act),
        PowerAction::Restart => confirm_restart(parent, name, act),
        PowerAction::Reset => confirm_reset(parent, name, act),
        PowerAction::Discard => confirm_discard(parent, name, act),
        PowerAction::Start
        | PowerAction::StartFromCd
        | PowerAction::StartDisposable
        | PowerAction::Shutdown
        | PowerAction::Pause
        | PowerAction::Resume
        | PowerAction::Save
        | PowerAction::CancelSaving => act(),
    }
}

/// Asks whether a guest's power shall really be taken away, and calls `confirmed` if so.
pub fn confirm_force_off(parent: Option<&gtk::Window>, name: &str, confirmed: impl Fn() + 'static) {
    let heading = gettext_f("Force off “{guest}”?", &[("guest", name)]);
    let body = gettext(
        "It loses its power at once. What it has not yet written to its disks is lost, and its files may be damaged.",
    );
    ask(&question(parent, &heading, &body, &gettext("_Force Off"), Answer::Destructive), confirmed);
}

/// Asks whether a guest's saved state shall really be thrown away, and calls `confirmed` if so.
pub fn confirm_discard(parent: Option<&gtk::Window>, name: &str, confirmed: impl Fn() + 'static) {
    let heading = gettext_f("Discard the saved state of “{guest}”?", &[("guest", name)]);
    let body = gettext(
        "At its next start it begins anew, as after a loss of power. What it had not yet written to its disks is lost.",
    );
    ask(&question(parent, &heading, &body, &gettext("_Discard"), Answer::Destructive), confirmed);
}

/// Asks whether a guest shall really be restarted, and calls `confirmed` if so.
pub fn confirm_restart(parent: Option<&gtk::Window>, name: &str, confirmed: impl Fn() + 'static) {
    let heading = gettext_f("Restart “{guest}”?", &[("guest", name)]);
    let body = gettext(
        "It is asked to shut down and started again as soon as it is off. Where no system in it listens, it is reset at once.",
    );
    ask(&question(parent, &heading, &body, &gettext("_Restart"), Answer::Usual), confirmed);
}

/// Asks whether a guest shall really be reset, and calls `confirmed` if so.
pub fn confirm_reset(parent: Option<&gtk::Window>, name: &str, confirmed: impl Fn() + 'static) {
    let heading = gettext_f("Reset “{guest}”?", &[("guest", name)]);
    let body = gettext(
        "It starts anew at once, as if its reset button were pressed. What it has not yet written to its disks is lost.",
    );
    ask(&question(parent, &heading, &body, &gettext("_Reset"), Answer::Destructive), confirmed);
}

/// The button. Its output is the action to carry out.
#[derive(Debug)]
pub struct PowerButton {
    name: String,
    state: GuestState,
    compact: bool,
    reachable: bool,
    actions: gio::SimpleActionGroup,
}

/// What the button is made from.
#[derive(Debug, Clone)]
pub struct PowerInit {
    /// The guest's name.
    pub name: String,
    /// What it is doing.
    pub state: GuestState,
    /// True to show an icon instead of a word, where room is short.
    pub compact: bool,
}

/// What the button is told.
#[derive(Debug)]
pub enum PowerInput {
    /// The guest it stands for is called this and does this.
    Guest {
        /// The guest's name.
        name: String,
        /// What it is doing.
        state: GuestState,
    },
    /// Whether the core can be reached; without it nothing can be done. At first it can.
    Reachable(bool),
    /// True to show an icon instead of a word, where room is short.
    Compact(bool),
    /// A person pressed the button.
    Press,
    /// A person chose this in the menu.
    Choose(PowerAction),
}

impl PowerButton {
    fn action(&self) -> PowerAction {
        default_action(self.state)
    }

    fn refusal(&self, action: PowerAction) -> Option<Refusal> {
        if self.reachable { refusal(self.state, action) } else { Some(Refusal::CoreAway) }
    }

    /// A reason where it is insensitive, else what it does.
    fn tooltip(&self) -> String {
        self.refusal(self.action()).map_or_else(|| explanation(self.action()), refusal_text)
    }

    /// Shows what a press does, and which entries of the menu can be chosen.
    fn dress(&self, root: &adw::SplitButton) {
        let action = self.action();
        if self.compact {
            root.set_icon_name(icon(action));
        } else {
            root.set_label(&label(action));
        }
        // The name belongs to the button within, which is what the keyboard and screen readers reach.
        if let Some(button) = root.first_child() {
            button.update_property(&[gtk::accessible::Property::Label(&label(action))]);
        }
        let suggested = matches!(action, PowerAction::Start | PowerAction::Resume);
        let destructive = action == PowerAction::ForceOff && self.state == GuestState::ShuttingDown;
        for (class, wanted) in [("suggested-action", suggested), ("destructive-action", destructive)] {
            if wanted { root.add_css_class(class) } else { root.remove_css_class(class) }
        }
        for action in PowerAction::ALL {
            if let Some(entry) = self.actions.lookup_action(action.name()).and_downcast::<gio::SimpleAction>()
            {
                entry.set_enabled(self.refusal(action).is_none());
            }
        }
    }

    fn choose(&self, action: PowerAction, root: &adw::SplitButton, sender: &ComponentSender<Self>) {
        if self.refusal(action).is_some() {
            return;
        }
        let window = root.root().and_downcast::<gtk::Window>();
        let output = sender.output_sender().clone();
        confirmed(window.as_ref(), &self.name, action, move || output.emit(action));
    }
}

/// The menu with all actions; those that the state refuses are shown insensitive.
fn menu() -> gio::Menu {
    let menu = gio::Menu::new();
    let section = |actions: &[PowerAction]| {
        let section = gio::Menu::new();
        for action in actions {
            section.append(Some(&label(*action)), Some(&format!("power.{}", action.name())));
        }
        menu.append_section(None, &section);
    };
    section(&[PowerAction::Start, PowerAction::Shutdown]);
    section(&[PowerAction::StartFromCd, PowerAction::StartDisposable]);
    section(&[PowerAction::Save, PowerAction::Pause, PowerAction::Resume, PowerAction::Restart]);
    section(&[PowerAction::Discard, PowerAction::Reset, PowerAction::ForceOff]);
    menu
}

#[relm4::component(pub)]
impl Component for PowerButton {
    type Init = PowerInit;
    type Input = PowerInput;
    type Output = PowerAction;
    type CommandOutput = ();

    view! {
        adw::SplitButton {
            #[watch]
            set_sensitive: model.refusal(model.action()).is_none(),
            #[watch]
            set_tooltip_text: Some(&model.tooltip()),
            set_dropdown_tooltip: &gettext("More power actions"),
            set_menu_model: Some(&menu()),
            connect_clicked => PowerInput::Press,
        }
    }

    fn init(init: Self::Init, root: Self::Root, sender: ComponentSender<Self>) -> ComponentParts<Self> {
        let PowerInit { name, state, compact } = init;
        let actions = gio::SimpleActionGroup::new();
        for action in PowerAction::ALL {
            let entry = gio::SimpleAction::new(action.name(), None);
            let input = sender.input_sender().clone();
            entry.connect_activate(move |_, _| input.emit(PowerInput::Choose(action)));
            actions.add_action(&entry);
        }
        root.insert_action_group("power", Some(&actions));
        // The arrow beside it has no words; its tooltip alone is no name.
        if let Some(arrow) = root.last_child().and_downcast::<gtk::MenuButton>() {
            arrow.update_property(&[gtk::accessible::Property::Label(&gettext("More power actions"))]);
        }
        let model = Self { name, state, compact, reachable: true, actions };
        model.dress(&root);
        let widgets = view_output!();
        ComponentParts { model, widgets }
    }

    fn update(&mut self, message: PowerInput, sender: ComponentSender<Self>, root: &Self::Root) {
        match message {
            PowerInput::Guest { name, state } => (self.name, self.state) = (name, state),
            PowerInput::Reachable(reachable) => self.reachable = reachable,
            PowerInput::Compact(compact) => self.compact = compact,
            PowerInput::Press => self.choose(self.action(), root, &sender),
            PowerInput::Choose(action) => self.choose(action, root, &sender),
        }
        self.dress(root);
    }
}
