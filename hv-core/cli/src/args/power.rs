//! Settings of how a guest's power is looked after, as `hv set` reads them.

use hv_api::PowerSettings;

/// Their keys, for people.
pub const KEYS: &str = "shutdown-wait";

/// Takes one in; true where it stood there already. Nothing where the key is not one of these.
pub fn take(settings: &mut PowerSettings, key: &str, value: &str) -> Option<Result<bool, String>> {
    Some(match key {
        "shutdown-wait" => seconds(value).map(|seconds| settings.shutdown_wait.replace(seconds).is_some()),
        _ => return None,
    })
}

fn seconds(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_unreadable| format!("“{text}” is not a number of seconds"))
}
