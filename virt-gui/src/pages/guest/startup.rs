//! What becomes of the guest when it ends by itself, and how long it has to shut down. All of it takes effect at
//! once, which is said before anything is touched.

use super::GuestWish;
use crate::calls::Wish;
use crate::model::startup;
use crate::widgets::ignore_wheel;
use crate::widgets::setting_row::{ChoiceRow, SwitchRow};
use adw::prelude::*;
use gtk::glib;
use hv_api::{
    BatteryAction, CrashAction, EndAction, GuestInfo, GuestState, HostInfo, LogoutAction, PowerInfo,
    PowerSettings, Settings, SleepAction,
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

const LOGOUTS: [LogoutAction; 3] = [LogoutAction::Shutdown, LogoutAction::Save, LogoutAction::Keep];
const BATTERIES: [BatteryAction; 2] = [BatteryAction::Keep, BatteryAction::Pause];
const SLEEPS: [SleepAction; 2] = [SleepAction::Keep, SleepAction::Pause];

/// The group.
#[derive(Debug)]
pub struct StartupGroup {
    root: adw::PreferencesGroup,
    autostart: SwitchRow,
    logout: ChoiceRow<LogoutAction>,
    sleep: ChoiceRow<SleepAction>,
    battery: ChoiceRow<BatteryAction>,
    wait: gtk::SpinButton,
    poweroff: ChoiceRow<EndAction>,
    reboot: ChoiceRow<EndAction>,
    crash: ChoiceRow<CrashAction>,
    /// Set while values of the core are shown, which nobody has chosen.
    quiet: Rc<Cell<bool>>,
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
        let poweroff = ChoiceRow::new(
            &gettext("When It Powers Itself Off"),
            &ENDS,
            |action| match action {
                EndAction::Destroy => gettext("Leave it off"),
                EndAction::Restart => gettext("Start it again"),
                EndAction::Preserve => gettext("Keep it paused"),
            },
            change(|action| PowerSettings { on_poweroff: Some(action), ..PowerSettings::default() }),
        );
        let reboot = ChoiceRow::new(
            &gettext("When It Restarts Itself"),
            &ENDS,
            |action| match action {
                EndAction::Destroy => gettext("Turn it off"),
                EndAction::Restart => gettext("Let it restart"),
                EndAction::Preserve => gettext("Keep it paused"),
            },
            change(|action| PowerSettings { on_reboot: Some(action), ..PowerSettings::default() }),
        );
        let crash = ChoiceRow::new(
            &gettext("When It Crashes"),
            &CRASHES,
            |action| match action {
                CrashAction::Destroy => gettext("Turn it off"),
                CrashAction::Restart => gettext("Start it again"),
                CrashAction::Preserve => gettext("Keep it paused"),
                CrashAction::CoredumpDestroy => gettext("Save its memory, turn it off"),
                CrashAction::CoredumpRestart => gettext("Save its memory, start it again"),
            },
            {
                let set = Rc::clone(&set);
                move |action| set(PowerSettings { on_crash: Some(action), ..PowerSettings::default() })
            },
        );
        let logout = ChoiceRow::new(
            &gettext("When You Log Out"),
            &LOGOUTS,
            |action| match action {
                LogoutAction::Shutdown => gettext("Shut it down"),
                LogoutAction::Save => gettext("Save it"),
                LogoutAction::Keep => gettext("Leave it as it is"),
            },
            {
                let set = Rc::clone(&set);
                move |action| set(PowerSettings { at_logout: Some(action), ..PowerSettings::default() })
            },
        );
        let sleep = ChoiceRow::new(
            &gettext("When This Computer Sleeps"),
            &SLEEPS,
            |action| match action {
                SleepAction::Keep => gettext("Leave it as it is"),
                SleepAction::Pause => gettext("Pause it"),
            },
            {
                let set = Rc::clone(&set);
                move |action| set(PowerSettings { on_host_sleep: Some(action), ..PowerSettings::default() })
            },
        );
        let battery = ChoiceRow::new(
            &gettext("In the Background on Battery"),
            &BATTERIES,
            |action| match action {
                BatteryAction::Keep => gettext("Let it run"),
                BatteryAction::Pause => gettext("Pause it"),
            },
            {
                let set = Rc::clone(&set);
                move |action| set(PowerSettings { on_battery: Some(action), ..PowerSettings::default() })
            },
        );
        let autostart = SwitchRow::new(&gettext("Start When You Log In"), "", {
            let set = Rc::clone(&set);
            move |on| set(PowerSettings { autostart: Some(on), ..PowerSettings::default() })
        });
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
        root.add(autostart.widget());
        root.add(logout.widget());
        root.add(sleep.widget());
        root.add(battery.widget());
        root.add(&row);
        root.add(poweroff.widget());
        root.add(reboot.widget());
        root.add(crash.widget());
        Self { root, autostart, logout, sleep, battery, wait, poweroff, reboot, crash, quiet }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesGroup {
        &self.root
    }

    /// Shows a guest.
    pub fn show(&self, guest: &GuestInfo, host: Option<&HostInfo>) {
        self.quiet.set(true);
        let PowerInfo {
            shutdown_wait,
            on_poweroff,
            on_reboot,
            on_crash,
            autostart,
            at_logout,
            on_host_sleep,
            on_battery,
        } = &guest.power;
        // The group's description says when.
        self.autostart.show(*autostart, "");
        self.logout.show(*at_logout, "");
        self.logout.widget().set_subtitle(&startup::logout_hint(*at_logout, host));
        self.sleep.show(*on_host_sleep, "");
        self.battery.show(*on_battery, "");
        self.battery.widget().set_subtitle(&startup::battery_hint(*on_battery, host));
        self.wait.set_value(f64::from(*shutdown_wait));
        self.poweroff.show(*on_poweroff, "");
        self.reboot.show(*on_reboot, "");
        self.crash.show(*on_crash, "");
        self.root.set_sensitive(guest.state != GuestState::Unavailable);
        self.quiet.set(false);
    }
}
