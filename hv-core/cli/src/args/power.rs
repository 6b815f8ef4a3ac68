//! Settings of how a guest's power is looked after, as `hv set` reads them.

use hv_api::PowerSettings;

/// Their keys, for people.
pub const KEYS: &str = "shutdown-wait";

/// One changed setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    ShutdownWait(u32),
}

impl Setting {
    /// Puts it to the others; says its key and whether it was there already.
    pub fn put(self, settings: &mut PowerSettings) -> (&'static str, bool) {
        match self {
            Self::ShutdownWait(seconds) => {
                ("shutdown-wait", settings.shutdown_wait.replace(seconds).is_some())
            }
        }
    }
}

/// Reads one; nothing where the key is not one of these.
pub fn setting(key: &str, value: &str) -> Option<Result<Setting, String>> {
    match key {
        "shutdown-wait" => {
            let seconds = value.parse().map(Setting::ShutdownWait);
            Some(seconds.map_err(|_unreadable| format!("“{value}” is not a number of seconds")))
        }
        _ => None,
    }
}
