//! The menu of the boot loader on a guest's disk.

use crate::args::BootMenuAction;
use crate::failure::Failure;
use crate::output::{BootMenuView, Output, boot_menu_block};
use hv_api::Core;
use hv_api::client::{Connection, settle};

/// Changes its default, where that is asked for, and shows it as it is then.
pub async fn run(
    core: &mut Connection,
    guest: &str,
    disk: Option<&str>,
    action: Option<BootMenuAction>,
    output: &mut Output,
) -> Result<(), Failure> {
    let reply = match action {
        None => core.boot_menu(guest, disk).await,
        // Without an entry, what was changed is undone.
        Some(BootMenuAction::Default { entry, undo: _ }) => core.set_boot_default(guest, entry, disk).await,
    };
    let menu = settle(reply)?.menu;
    if output.is_json() {
        return output.object(&BootMenuView::from(&menu));
    }
    output.text(&boot_menu_block(&menu))
}
