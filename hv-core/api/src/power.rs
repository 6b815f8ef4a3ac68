//! How a guest's power is looked after: what becomes of it when it is asked to shut down, and when it ends by
//! itself.

use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// A guest that was asked to shut down and has not yet done so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct ShutdownWait {
    /// When it was asked, in seconds since 1970.
    pub since: u64,
    /// Until when it should have shut down, in seconds since 1970.
    pub deadline: u64,
    /// True as soon as the deadline has passed. Nothing is done about it without a person's word: the guest
    /// can be forced off, waited for, or left running.
    pub overdue: bool,
    /// False where no system in the guest listens to the power button, so that it won't shut down by itself.
    pub heard: bool,
    /// True where it is started anew as soon as it has shut down.
    pub restart: bool,
}

/// What becomes of a guest that powers itself off, or restarts itself, without having been asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum EndAction {
    /// It is off.
    Destroy,
    /// It starts anew: after it has powered itself off by another engine, with its pending changes; where it
    /// restarts itself in the same machine.
    Restart,
    /// It stays paused, with its memory and display as they are, until a person says more.
    Preserve,
}

/// What becomes of a guest that crashes: whose system says so, or whose engine ends by itself. Of an engine that
/// has ended nothing can be preserved or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum CrashAction {
    /// It is off.
    Destroy,
    /// It starts anew, with its pending changes.
    Restart,
    /// It stays paused, with its memory and display as they are, until a person says more.
    Preserve,
    /// Its memory is written to the file `core.elf` in its folder, then it is off.
    CoredumpDestroy,
    /// Its memory is written to that file, then it starts anew.
    CoredumpRestart,
}

/// What becomes of a guest when its user's session ends: when the host is shut down, or the last session is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum LogoutAction {
    /// It is asked to shut down.
    Shutdown,
    /// It is saved. A host that is shut down waits only for a moment ([`crate::HostInfo::session_wait`]): what can't
    /// be saved within that, or not at all, is asked to shut down.
    Save,
    /// It is left as it is. A host that is shut down ends it.
    Keep,
}

/// What becomes of a guest when the host goes to sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum SleepAction {
    /// It stands still with the host, and does not notice.
    Keep,
    /// It is paused before and goes on after.
    Pause,
}

/// What becomes of a guest while the host runs on battery and nobody looks at its display or its serial ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum BatteryAction {
    /// It runs on.
    Keep,
    /// It is paused, until somebody looks, the plug is put in or a person lets it go on.
    Pause,
}

/// How a guest's power is looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct PowerInfo {
    /// How long the guest may take to shut down, in seconds, 1–86400.
    pub shutdown_wait: u32,
    /// What becomes of it when it powers itself off.
    pub on_poweroff: EndAction,
    /// What becomes of it when it restarts itself.
    pub on_reboot: EndAction,
    /// What becomes of it when it crashes.
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

impl Default for PowerInfo {
    /// What a guest has of which nothing else is said.
    fn default() -> Self {
        Self {
            shutdown_wait: 90,
            on_poweroff: EndAction::Destroy,
            on_reboot: EndAction::Restart,
            on_crash: CrashAction::Destroy,
            autostart: false,
            at_logout: LogoutAction::Shutdown,
            on_host_sleep: SleepAction::Keep,
            on_battery: BatteryAction::Keep,
        }
    }
}

/// New values for that; what is left out stays as it is. All take effect now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct PowerSettings {
    /// How long the guest may take to shut down, in seconds, 1–86400.
    pub shutdown_wait: Option<u32>,
    /// What becomes of it when it powers itself off.
    pub on_poweroff: Option<EndAction>,
    /// What becomes of it when it restarts itself.
    pub on_reboot: Option<EndAction>,
    /// What becomes of it when it crashes.
    pub on_crash: Option<CrashAction>,
    /// Whether it starts with its user's session.
    pub autostart: Option<bool>,
    /// What becomes of it when that session ends.
    pub at_logout: Option<LogoutAction>,
    /// What becomes of it when the host goes to sleep.
    pub on_host_sleep: Option<SleepAction>,
    /// What becomes of it on battery while nobody looks.
    pub on_battery: Option<BatteryAction>,
}
