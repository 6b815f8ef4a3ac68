//! What becomes of the guest when it ends by itself, and how long it has to shut down. All of it takes effect at
//! once, which is said before anything is touched.

use super::GuestWish;
use crate::calls::Wish;
use crate::widgets::ignore_wheel;
use adw::prelude::*;
use gtk::glib;
use hv_api::{
    CrashAction, EndAction, GuestInfo, GuestState, LogoutAction, PowerInfo, PowerSettings, Settings,
    SleepAction,
};
use std::cell::Cell;
use std::rc::Rc;
use virt_kit::i18n::gettext;

const ENDS: [EndAction; 3] = [EndAction::Destroy, EndAction::Restart, EndAction::Preserve];
const CRASHES: [CrashAction; 5] = [
    CrashAction::Destroy,
    CrashAction::Restart,
    CrashAction::Preserve,
    CrashAction::CoredumpDestroy,
    CrashAction::CoredumpRestart,
];

const LOGOUTS: [LogoutAction; 2] = [LogoutAction::Shutdown, LogoutAction::Keep];
const SLEEPS: [SleepAction; 2] = [SleepAction::Keep, SleepAction::Pause];

/// The group.
#[derive(Debug)]
pub struct StartupGroup {
    root: adw::PreferencesGroup,
    autostart: gtk::Switch,
    logout: Choice,
    sleep: Choice,
    wait: gtk::SpinButton,
    poweroff: Choice,
    reboot: Choice,
    crash: Choice,
    /// Set while values of the core are shown, which nobody has chosen.
    quiet: Rc<Cell<bool>>,
}

/// A row with a few choices.
#[derive(Debug)]
struct Choice(adw::ComboRow);

impl Choice {
    fn new<T: Copy + 'static>(
        title: &str,
        words: &[String],
        values: &'static [T],
        chosen: impl Fn(T) + 'static,
    ) -> Self {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let row = adw::ComboRow::builder().title(title).model(&gtk::StringList::new(&words)).build();
        row.connect_selected_notify(move |row| {
            if let Some(value) = values.get(row.selected() as usize) {
                chosen(*value);
            }
        });
        Self(row)
    }

    fn show<T: PartialEq>(&self, values: &[T], value: &T) {
        let place = values.iter().position(|other| other == value).unwrap_or_default();
        self.0.set_selected(place as u32);
    }
}

impl StartupGroup {
    /// The group; `wish` hears what is wished.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let quiet = Rc::new(Cell::new(false));
        let set: Rc<dyn Fn(PowerSettings)> = {
            let (wish, quiet) = (Rc::clone(wish), Rc::clone(&quiet));
            Rc::new(move |power| {
                if !quiet.get() {
                    wish(GuestWish::Core(Wish::Set(Settings { power: Some(power), ..Settings::default() })));
                }
            })
        };
        let change = |settings: fn(EndAction) -> PowerSettings| {
            let set = Rc::clone(&set);
            move |action| set(settings(action))
        };
        let poweroff = Choice::new(
            &gettext("When It Powers Itself Off"),
            &[gettext("Leave it off"), gettext("Start it again"), gettext("Keep it paused")],
            &ENDS,
            change(|action| PowerSettings { on_poweroff: Some(action), ..PowerSettings::default() }),
        );
        let reboot = Choice::new(
            &gettext("When It Restarts Itself"),
            &[gettext("Turn it off"), gettext("Let it restart"), gettext("Keep it paused")],
            &ENDS,
            change(|action| PowerSettings { on_reboot: Some(action), ..PowerSettings::default() }),
        );
        let crash = Choice::new(
            &gettext("When It Crashes"),
            &[
                gettext("Turn it off"),
                gettext("Start it again"),
                gettext("Keep it paused"),
                gettext("Save its memory, turn it off"),
                gettext("Save its memory, start it again"),
            ],
            &CRASHES,
            {
                let set = Rc::clone(&set);
                move |action| set(PowerSettings { on_crash: Some(action), ..PowerSettings::default() })
            },
        );
        let logout = Choice::new(
            &gettext("When You Log Out"),
            &[gettext("Shut it down"), gettext("Leave it as it is")],
            &LOGOUTS,
            {
                let set = Rc::clone(&set);
                move |action| set(PowerSettings { at_logout: Some(action), ..PowerSettings::default() })
            },
        );
        let sleep = Choice::new(
            &gettext("When This Computer Sleeps"),
            &[gettext("Leave it as it is"), gettext("Pause it")],
            &SLEEPS,
            {
                let set = Rc::clone(&set);
                move |action| set(PowerSettings { on_host_sleep: Some(action), ..PowerSettings::default() })
            },
        );
        let autostart = gtk::Switch::builder().valign(gtk::Align::Center).build();
        let start_title = gettext("Start When You Log In");
        autostart.update_property(&[gtk::accessible::Property::Label(&start_title)]);
        autostart.connect_active_notify({
            let set = Rc::clone(&set);
            move |switch| {
                set(PowerSettings { autostart: Some(switch.is_active()), ..PowerSettings::default() });
            }
        });
        let start = adw::ActionRow::builder().title(start_title).activatable_widget(&autostart).build();
        start.add_suffix(&autostart);
        let wait = gtk::SpinButton::with_range(1.0, 86_400.0, 10.0);
        ignore_wheel(&wait);
        wait.set_valign(gtk::Align::Center);
        wait.set_numeric(true);
        let title = gettext("Seconds to Shut Down");
        wait.update_property(&[gtk::accessible::Property::Label(&title)]);
        wait.connect_value_changed(move |wait| {
            let seconds = u32::try_from(wait.value_as_int()).ok();
            set(PowerSettings { shutdown_wait: seconds, ..PowerSettings::default() });
        });
        let row = adw::ActionRow::builder()
            .title(title)
            .subtitle(gettext("Then you are asked what to do; nothing is forced off"))
            .activatable_widget(&wait)
            .build();
        row.add_suffix(&wait);
        let root = adw::PreferencesGroup::builder()
            .title(glib::markup_escape_text(&gettext("Startup & Shutdown")))
            .description(gettext("Changes take effect now."))
            .build();
        root.add(&start);
        root.add(&logout.0);
        root.add(&sleep.0);
        root.add(&row);
        for choice in [&poweroff, &reboot, &crash] {
            root.add(&choice.0);
        }
        Self { root, autostart, logout, sleep, wait, poweroff, reboot, crash, quiet }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Shows a guest.
    pub fn show(&self, guest: &GuestInfo) {
        self.quiet.set(true);
        let PowerInfo {
            shutdown_wait,
            on_poweroff,
            on_reboot,
            on_crash,
            autostart,
            at_logout,
            on_host_sleep,
        } = &guest.power;
        self.autostart.set_active(*autostart);
        self.logout.show(&LOGOUTS, at_logout);
        self.sleep.show(&SLEEPS, on_host_sleep);
        self.wait.set_value(f64::from(*shutdown_wait));
        self.poweroff.show(&ENDS, on_poweroff);
        self.reboot.show(&ENDS, on_reboot);
        self.crash.show(&CRASHES, on_crash);
        self.root.set_sensitive(guest.state != GuestState::Unavailable);
        self.quiet.set(false);
    }
}
