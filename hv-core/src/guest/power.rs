//! How a guest's power is looked after, as its definition says it, and how often a guest that ends again and
//! again is started anew. Pure.

use super::state::Rules;
use hv_api::{
    BatteryAction, CrashAction, EndAction, Error, LogoutAction, PowerInfo, PowerSettings, SleepAction,
    Watchdog,
};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// How long a guest may be given to shut down, in seconds.
const SHUTDOWN_WAIT: RangeInclusive<u32> = 1..=86_400;

/// A guest is started anew at most so many times within [`TRIES_WITHIN`] seconds without a person's word: one
/// that ends as soon as it runs would otherwise keep the host busy and its log full for ever, and one that has run
/// well for a while is worth another try.
const TRIES: usize = 5;
const TRIES_WITHIN: u64 = 600;

/// The table `power` of a definition. What is not written has its usual value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PowerPolicy {
    /// How long the guest may take to shut down, in seconds.
    pub shutdown_wait: u32,
    /// What becomes of it when it powers itself off.
    pub on_poweroff: EndAction,
    /// What becomes of it when it restarts itself.
    pub on_reboot: EndAction,
    /// What becomes of it when it crashes.
    #[serde(with = "CrashWord")]
    pub on_crash: CrashAction,
    /// Whether it starts with its user's session.
    pub autostart: bool,
    /// What becomes of it when that session ends.
    pub at_logout: LogoutAction,
    /// What becomes of it when the host goes to sleep.
    pub on_host_sleep: SleepAction,
    /// What becomes of it on battery while nobody looks.
    pub on_battery: BatteryAction,
}

/// The same as it is written in definitions, with hyphens.
#[derive(Serialize, Deserialize)]
#[serde(remote = "CrashAction", rename_all = "kebab-case")]
enum CrashWord {
    Destroy,
    Restart,
    Preserve,
    CoredumpDestroy,
    CoredumpRestart,
}

impl Default for PowerPolicy {
    fn default() -> Self {
        let PowerInfo {
            shutdown_wait,
            on_poweroff,
            on_reboot,
            on_crash,
            autostart,
            at_logout,
            on_host_sleep,
            on_battery,
        } = PowerInfo::default();
        Self {
            shutdown_wait,
            on_poweroff,
            on_reboot,
            on_crash,
            autostart,
            at_logout,
            on_host_sleep,
            on_battery,
        }
    }
}

impl PowerPolicy {
    /// Whether everything has its usual value, and need not be written.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// What clients are told.
    pub fn info(&self) -> PowerInfo {
        let Self {
            shutdown_wait,
            on_poweroff,
            on_reboot,
            on_crash,
            autostart,
            at_logout,
            on_host_sleep,
            on_battery,
        } = *self;
        PowerInfo {
            shutdown_wait,
            on_poweroff,
            on_reboot,
            on_crash,
            autostart,
            at_logout,
            on_host_sleep,
            on_battery,
        }
    }

    /// Takes new values in, and says which were changed.
    pub fn set(&mut self, settings: &PowerSettings) -> Vec<&'static str> {
        let PowerSettings {
            shutdown_wait,
            on_poweroff,
            on_reboot,
            on_crash,
            autostart,
            at_logout,
            on_host_sleep,
            on_battery,
        } = *settings;
        let mut set = Setter(Vec::new());
        set.value("shutdown-wait", &mut self.shutdown_wait, shutdown_wait);
        set.value("on-poweroff", &mut self.on_poweroff, on_poweroff);
        set.value("on-reboot", &mut self.on_reboot, on_reboot);
        set.value("on-crash", &mut self.on_crash, on_crash);
        set.value("autostart", &mut self.autostart, autostart);
        set.value("at-logout", &mut self.at_logout, at_logout);
        set.value("on-host-sleep", &mut self.on_host_sleep, on_host_sleep);
        set.value("on-battery", &mut self.on_battery, on_battery);
        set.0
    }

    /// Whether these values can be.
    pub fn check(&self) -> Result<(), Error> {
        let (minimum, maximum) = SHUTDOWN_WAIT.into_inner();
        if SHUTDOWN_WAIT.contains(&self.shutdown_wait) {
            Ok(())
        } else {
            Err(Error::ShutdownWaitOutOfRange { requested: self.shutdown_wait, minimum, maximum })
        }
    }

    /// Whether the machine has to stop where its guest restarts itself, instead of starting it anew by itself.
    pub fn stops_on_reboot(&self) -> bool {
        self.on_reboot != EndAction::Restart
    }

    /// What the life of the guest goes by at this moment, in seconds since 1970.
    pub fn rules(&self, tries: &Tries, now: u64) -> Rules {
        Rules {
            on_poweroff: self.on_poweroff,
            on_reboot: self.on_reboot,
            on_crash: self.on_crash,
            watchdog: Watchdog::None,
            anew: false,
            too_often: tries
                .are_used_up(now)
                .then(|| format!("It was started anew {TRIES} times within {} minutes.", TRIES_WITHIN / 60)),
        }
    }
}

/// The keys of what was changed.
struct Setter(Vec<&'static str>);

impl Setter {
    fn value<T>(&mut self, key: &'static str, place: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *place = value;
            self.0.push(key);
        }
    }
}

/// When a guest was started anew without a person's word, in seconds since 1970.
#[derive(Debug, Default)]
pub struct Tries(Vec<u64>);

impl Tries {
    /// It is started anew now.
    pub fn take(&mut self, now: u64) {
        self.0.retain(|time| time.saturating_add(TRIES_WITHIN) > now);
        self.0.push(now);
    }

    /// A person has started it: what was before does not count.
    pub fn forget(&mut self) {
        self.0 = Vec::new();
    }

    fn are_used_up(&self, now: u64) -> bool {
        self.0.iter().filter(|time| time.saturating_add(TRIES_WITHIN) > now).count() >= TRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_ends_again_and_again_is_not_started_for_ever() {
        let mut tries = Tries::default();
        let policy = PowerPolicy::default();
        for time in 0..5 {
            assert_eq!(policy.rules(&tries, time).too_often, None);
            tries.take(time);
        }
        assert!(policy.rules(&tries, 5).too_often.is_some_and(|words| words.contains("5 times")));
        // The first of them is long ago.
        assert_eq!(policy.rules(&tries, 600).too_often, None);
        tries.take(600);
        assert!(policy.rules(&tries, 600).too_often.is_some());
        tries.forget();
        assert_eq!(policy.rules(&tries, 600).too_often, None);
    }

    #[test]
    fn what_is_not_written_is_usual_and_words_have_hyphens() {
        let policy: PowerPolicy = toml::from_str("on-crash = \"coredump-restart\"").unwrap();
        let expected = PowerPolicy { on_crash: CrashAction::CoredumpRestart, ..PowerPolicy::default() };
        assert_eq!(policy, expected);
        assert!(toml::from_str::<PowerPolicy>("on-crash = \"coredump_restart\"").is_err());
        assert!(toml::from_str::<PowerPolicy>("on-reboot = \"explode\"").is_err());
    }
}
