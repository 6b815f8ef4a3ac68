//! What is said of a guest's rules before anything is touched: what this computer does about them. Pure.

use hv_api::{BatteryAction, HostInfo, LogoutAction};
use virt_kit::i18n::{gettext, ngettext_f};

/// What comes of this choice when its user logs out or turns the computer off.
pub fn logout_hint(action: LogoutAction, host: Option<&HostInfo>) -> String {
    let Some(host) = host.filter(|_| action != LogoutAction::Keep) else { return String::new() };
    let Some(seconds) = host.session_wait else {
        return gettext("This computer tells nobody when you log out, so nothing is done");
    };
    let (count, values) = (seconds as usize, [("n", &*seconds.to_string())]);
    match action {
        LogoutAction::Save => ngettext_f(
            "When you turn it off, this computer waits {n} second for that. A guest that takes longer is asked to \
             shut down, and may be cut off",
            "When you turn it off, this computer waits {n} seconds for that. A guest that takes longer is asked to \
             shut down, and may be cut off",
            count,
            &values,
        ),
        LogoutAction::Shutdown | LogoutAction::Keep => ngettext_f(
            "When you turn it off, this computer waits {n} second for that, then the guest is cut off",
            "When you turn it off, this computer waits {n} seconds for that, then the guest is cut off",
            count,
            &values,
        ),
    }
}

/// What comes of this choice while the computer runs on battery.
pub fn battery_hint(action: BatteryAction, host: Option<&HostInfo>) -> String {
    match (action, host) {
        (BatteryAction::Keep, _) | (_, None) => String::new(),
        (BatteryAction::Pause, Some(HostInfo { on_battery: None, .. })) => {
            gettext("This computer does not tell whether it runs on battery, so nothing is done")
        }
        (BatteryAction::Pause, Some(_)) => gettext(
            "It is paused when nobody has looked at it for a minute, and goes on when somebody does or you put the \
             plug in",
        ),
    }
}
