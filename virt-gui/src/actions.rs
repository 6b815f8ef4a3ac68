//! All commands of the window, in one table: their names, keys and words.
//!
//! Menus, keys, the shortcuts window and tests take them from here, so that they agree.

use crate::model::power::{PowerAction, refusal};
use crate::model::snapshots;
use crate::widgets::power::label;
use gtk::prelude::*;
use hv_api::{GuestInfo, GuestState};
use virt_kit::i18n::gettext;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Make a guest.
    New,
    /// Make a guest from a file that is chosen first.
    ChooseInstaller,
    /// Search the list.
    Search,
    /// Open the selected guest's console.
    OpenConsole,
    /// Start the selected guest, or let it go on.
    Start,
    /// Start it so that nothing is kept of what it writes.
    StartDisposable,
    /// Ask it to shut down.
    ShutDown,
    /// Keep its memory on the disk and end its engine.
    Save,
    /// Stop its CPUs.
    Pause,
    /// Restart it.
    Restart,
    /// Take its power away.
    ForceOff,
    /// Take a snapshot of it.
    TakeSnapshot,
    /// Make another guest of it.
    Clone,
    /// Give it another name.
    Rename,
    /// Show what its engine wrote.
    ShowLog,
    /// Delete it.
    Delete,
    /// Open the main menu.
    Menu,
    /// Show the keys.
    Shortcuts,
    /// Show the version and the licence.
    About,
    /// Close the window.
    Close,
    /// Leave; guests run on.
    Quit,
}

/// Where a command's keys are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Everywhere in the window.
    Window,
    /// In the list only: elsewhere the key means something else.
    List,
    /// Wherever GTK hears it by itself.
    BuiltIn,
}

/// The section of the shortcuts window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The application.
    General,
    /// The selected guest.
    Guest,
}

impl Action {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 21] = [
        Self::New,
        Self::ChooseInstaller,
        Self::Search,
        Self::Menu,
        Self::Shortcuts,
        Self::About,
        Self::Close,
        Self::Quit,
        Self::OpenConsole,
        Self::Start,
        Self::StartDisposable,
        Self::ShutDown,
        Self::Save,
        Self::Pause,
        Self::Restart,
        Self::ForceOff,
        Self::TakeSnapshot,
        Self::Clone,
        Self::Rename,
        Self::ShowLog,
        Self::Delete,
    ];

    /// Its name within the window's action group.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::ChooseInstaller => "choose-installer",
            Self::Search => "search",
            Self::OpenConsole => "open-console",
            Self::Start => "start",
            Self::StartDisposable => "start-disposable",
            Self::ShutDown => "shut-down",
            Self::Save => "save",
            Self::Pause => "pause",
            Self::Restart => "restart",
            Self::ForceOff => "force-off",
            Self::TakeSnapshot => "take-snapshot",
            Self::Clone => "clone",
            Self::Rename => "rename",
            Self::ShowLog => "show-log",
            Self::Delete => "delete",
            Self::Menu => "menu",
            Self::Shortcuts => "shortcuts",
            Self::About => "about",
            Self::Close => "close",
            Self::Quit => "quit",
        }
    }

    /// Its name with the group's, as menus and keys name it.
    pub fn full_name(self) -> String {
        format!("win.{}", self.name())
    }

    /// Its keys, as GTK writes them.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::New => &["<Control>n"],
            Self::ChooseInstaller => &["<Control>o"],
            Self::Search => &["<Control>f"],
            Self::OpenConsole => &["Return"],
            Self::Start => &["<Control>Return", "<Control>KP_Enter"],
            Self::StartDisposable => &["<Control><Shift>Return", "<Control><Shift>KP_Enter"],
            Self::ShutDown => &["<Control><Shift>d"],
            Self::Save => &["<Control><Shift>s"],
            Self::TakeSnapshot => &["<Control>t"],
            Self::Clone => &["<Control>d"],
            Self::Rename => &["F2"],
            Self::Delete => &["Delete"],
            Self::Menu => &["F10"],
            Self::Shortcuts => &["<Control>question"],
            Self::Close => &["<Control>w"],
            Self::Quit => &["<Control>q"],
            Self::Pause | Self::Restart | Self::ForceOff | Self::ShowLog | Self::About => &[],
        }
    }

    /// Where its keys are heard.
    pub fn heard(self) -> Heard {
        match self {
            Self::Delete => Heard::List,
            Self::Menu | Self::OpenConsole => Heard::BuiltIn,
            _ => Heard::Window,
        }
    }

    /// Its words in a menu and in the shortcuts window.
    pub fn title(self) -> String {
        match self {
            Self::New => gettext("New Guest…"),
            Self::ChooseInstaller => gettext("New Guest from File…"),
            Self::Search => gettext("Search"),
            Self::OpenConsole => gettext("Open Console"),
            Self::Start => gettext("Start or Resume"),
            Self::StartDisposable => label(PowerAction::StartDisposable),
            Self::ShutDown => label(PowerAction::Shutdown),
            Self::Save => label(PowerAction::Save),
            Self::Pause => label(PowerAction::Pause),
            Self::Restart => label(PowerAction::Restart),
            Self::ForceOff => label(PowerAction::ForceOff),
            Self::TakeSnapshot => gettext("Take Snapshot…"),
            Self::Clone => gettext("Clone…"),
            Self::Rename => gettext("Rename"),
            Self::ShowLog => gettext("Show Log"),
            Self::Delete => gettext("Delete…"),
            Self::Menu => gettext("Main Menu"),
            Self::Shortcuts => gettext("Keyboard Shortcuts"),
            Self::About => gettext("About Guesthouse"),
            Self::Close => gettext("Close Window"),
            Self::Quit => gettext("Quit"),
        }
    }

    /// Its section in the shortcuts window.
    pub fn section(self) -> Section {
        match self {
            Self::New
            | Self::ChooseInstaller
            | Self::Search
            | Self::Menu
            | Self::Shortcuts
            | Self::About
            | Self::Close
            | Self::Quit => Section::General,
            Self::OpenConsole
            | Self::Start
            | Self::StartDisposable
            | Self::ShutDown
            | Self::Save
            | Self::Pause
            | Self::Restart
            | Self::ForceOff
            | Self::TakeSnapshot
            | Self::Clone
            | Self::Rename
            | Self::ShowLog
            | Self::Delete => Section::Guest,
        }
    }

    /// Whether it can act: `up` says whether the core is there, `guest` is the selected one.
    pub fn possible(self, up: bool, guest: Option<&GuestInfo>) -> bool {
        let state = guest.map(|guest| guest.state);
        let power = |action| up && state.is_some_and(|state| refusal(state, action).is_none());
        match self {
            Self::Menu | Self::Shortcuts | Self::About | Self::Close | Self::Quit => true,
            Self::New | Self::ChooseInstaller | Self::Search => up,
            Self::OpenConsole | Self::Rename => {
                up && state.is_some_and(|state| state != GuestState::Unavailable)
            }
            Self::ShowLog => up && state.is_some(),
            Self::Start => power(PowerAction::Start) || power(PowerAction::Resume),
            Self::StartDisposable => power(PowerAction::StartDisposable),
            Self::ShutDown => power(PowerAction::Shutdown),
            Self::Save => power(PowerAction::Save),
            Self::Pause => power(PowerAction::Pause),
            Self::Restart => power(PowerAction::Restart),
            Self::ForceOff => power(PowerAction::ForceOff),
            Self::TakeSnapshot => up && state.is_some_and(|state| snapshots::take_refusal(state).is_none()),
            Self::Clone => up && state.is_some_and(|state| snapshots::clone_refusal(state).is_none()),
            Self::Delete => {
                up && matches!(
                    state,
                    Some(GuestState::Off | GuestState::Saved | GuestState::Crashed | GuestState::Unavailable)
                )
            }
        }
    }
}

/// The actions of a window, as GTK knows them.
#[derive(Debug)]
pub struct ActionGroup(Vec<(Action, gtk::gio::SimpleAction)>);

impl ActionGroup {
    /// Gives a window its actions; `act` is told of each wish.
    pub fn install(window: &impl IsA<gtk::gio::ActionMap>, act: impl Fn(Action) + Clone + 'static) -> Self {
        let actions = Action::ALL.into_iter().filter(|action| *action != Action::Menu).map(|action| {
            let simple = gtk::gio::SimpleAction::new(action.name(), None);
            let act = act.clone();
            simple.connect_activate(move |_, _| act(action));
            window.add_action(&simple);
            (action, simple)
        });
        Self(actions.collect())
    }

    /// Makes insensitive what can't act.
    pub fn update(&self, up: bool, guest: Option<&GuestInfo>) {
        for (action, simple) in &self.0 {
            let possible = action.possible(up, guest);
            if simple.is_enabled() != possible {
                simple.set_enabled(possible);
            }
        }
    }
}

/// Binds the keys that are heard in the whole window.
pub fn bind_keys(application: &impl IsA<gtk::Application>) {
    for action in Action::ALL.into_iter().filter(|action| action.heard() == Heard::Window) {
        application.set_accels_for_action(&action.full_name(), action.keys());
    }
}

/// The keys that are heard in the list only.
pub fn list_keys() -> gtk::ShortcutController {
    let controller = gtk::ShortcutController::new();
    for action in Action::ALL.into_iter().filter(|action| action.heard() == Heard::List) {
        for key in action.keys() {
            controller.add_shortcut(gtk::Shortcut::new(
                gtk::ShortcutTrigger::parse_string(key),
                Some(gtk::NamedAction::new(&action.full_name())),
            ));
        }
    }
    controller
}

/// A menu of these actions; each inner list is a section.
pub fn menu(sections: &[&[Action]]) -> gtk::gio::Menu {
    let menu = gtk::gio::Menu::new();
    for section in sections {
        let part = gtk::gio::Menu::new();
        for action in *section {
            part.append(Some(&action.title()), Some(&action.full_name()));
        }
        menu.append_section(None, &part);
    }
    menu
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_action_is_listed_once_with_a_name_and_keys_of_its_own() {
        let names: HashSet<_> = Action::ALL.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        let keys: Vec<_> = Action::ALL.iter().flat_map(|action| action.keys()).collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
    }

    #[test]
    fn without_a_core_only_the_window_itself_can_be_used() {
        let possible: Vec<_> =
            Action::ALL.into_iter().filter(|action| action.possible(false, None)).collect();
        assert_eq!(possible, [Action::Menu, Action::Shortcuts, Action::About, Action::Close, Action::Quit]);
    }

    #[test]
    fn keys_that_edit_text_are_left_to_text_fields() {
        for action in Action::ALL.into_iter().filter(|action| action.heard() == Heard::Window) {
            for key in action.keys() {
                assert!(
                    key.starts_with('<') || key.starts_with('F'),
                    "{key} of {action:?} would not be typed"
                );
            }
        }
    }
}
