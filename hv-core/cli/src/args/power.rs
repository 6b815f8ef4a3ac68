//! Settings of how a guest's power is looked after, as `hv set` reads them.

use hv_api::{BatteryAction, CrashAction, EndAction, LogoutAction, PowerSettings, SleepAction};

/// Their keys, for people.
pub const KEYS: &str =
    "shutdown-wait, on-poweroff, on-reboot, on-crash, autostart, at-logout, on-host-sleep and on-battery";

/// Takes one in; true where it stood there already. Nothing where the key is not one of these.
pub fn take(settings: &mut PowerSettings, key: &str, value: &str) -> Option<Result<bool, String>> {
    Some(match key {
        "shutdown-wait" => seconds(value).map(|seconds| settings.shutdown_wait.replace(seconds).is_some()),
        "on-poweroff" => end(value).map(|action| settings.on_poweroff.replace(action).is_some()),
        "on-reboot" => end(value).map(|action| settings.on_reboot.replace(action).is_some()),
        "on-crash" => crash(value).map(|action| settings.on_crash.replace(action).is_some()),
        "autostart" => truth(value).map(|starts| settings.autostart.replace(starts).is_some()),
        "at-logout" => logout(value).map(|action| settings.at_logout.replace(action).is_some()),
        "on-host-sleep" => sleep(value).map(|action| settings.on_host_sleep.replace(action).is_some()),
        "on-battery" => battery(value).map(|action| settings.on_battery.replace(action).is_some()),
        _ => return None,
    })
}

fn seconds(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_unreadable| format!("“{text}” is not a number of seconds"))
}

fn truth(value: &str) -> Result<bool, String> {
    match value {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        other => Err(format!("“{other}” is neither true nor false")),
    }
}

fn logout(value: &str) -> Result<LogoutAction, String> {
    match value {
        "shutdown" => Ok(LogoutAction::Shutdown),
        "save" => Ok(LogoutAction::Save),
        "keep" => Ok(LogoutAction::Keep),
        other => Err(format!("“{other}” is none of shutdown, save and keep")),
    }
}

fn sleep(value: &str) -> Result<SleepAction, String> {
    match value {
        "keep" => Ok(SleepAction::Keep),
        "pause" => Ok(SleepAction::Pause),
        other => Err(format!("“{other}” is neither keep nor pause")),
    }
}

fn battery(value: &str) -> Result<BatteryAction, String> {
    match value {
        "keep" => Ok(BatteryAction::Keep),
        "pause" => Ok(BatteryAction::Pause),
        other => Err(format!("“{other}” is neither keep nor pause")),
    }
}

fn end(value: &str) -> Result<EndAction, String> {
    match value {
        "destroy" => Ok(EndAction::Destroy),
        "restart" => Ok(EndAction::Restart),
        "preserve" => Ok(EndAction::Preserve),
        other => Err(format!("“{other}” is none of destroy, restart and preserve")),
    }
}

fn crash(value: &str) -> Result<CrashAction, String> {
    match value {
        "destroy" => Ok(CrashAction::Destroy),
        "restart" => Ok(CrashAction::Restart),
        "preserve" => Ok(CrashAction::Preserve),
        "coredump-destroy" => Ok(CrashAction::CoredumpDestroy),
        "coredump-restart" => Ok(CrashAction::CoredumpRestart),
        other => Err(format!(
            "“{other}” is none of destroy, restart, preserve, coredump-destroy and coredump-restart"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_read_as_it_is_shown() {
        for action in ["destroy", "restart", "preserve", "coredump-destroy", "coredump-restart"] {
            let read = crash(action).expect(action);
            assert_eq!(crate::output::wire_word(&read), action);
            if !action.starts_with("core") {
                assert_eq!(crate::output::wire_word(&end(action).expect(action)), action);
            }
        }
        for wrong in ["on-crash=", "on-reboot=coredump-restart", "on-poweroff=Destroy", "shutdown-wait=-1"] {
            let (key, value) = wrong.split_once('=').expect("a setting");
            assert!(take(&mut PowerSettings::default(), key, value).expect("a key").is_err(), "{wrong}");
        }
        assert_eq!(take(&mut PowerSettings::default(), "colour", "red"), None);
    }
}
