//! A guest's drives and logs.

use crate::args::MediaAction;
use crate::failure::Failure;
use crate::output::{DriveView, LogView, MediaView, Output, printable_lines, table};
use hv_api::client::{Connection, settle};
use hv_api::{Core, LogKind};

/// Changes what is in a drive, where that is asked for, and shows what then is in all of them.
pub async fn media(
    core: &mut Connection,
    guest: &str,
    action: Option<MediaAction>,
    output: &mut Output,
) -> Result<(), Failure> {
    let reply = match action {
        None => core.show(guest).await,
        Some(MediaAction::Insert { drive, path }) => core.insert_medium(guest, drive.as_deref(), &path).await,
        Some(MediaAction::Eject { drive, force }) => {
            core.eject_medium(guest, drive.as_deref(), force.then_some(true)).await
        }
    };
    let drives = settle(reply)?.guest.drives;
    if output.is_json() {
        return output.object(&MediaView { media: drives.iter().map(DriveView::from).collect() });
    }
    let rows = drives.into_iter().map(|drive| [drive.name, drive.medium.unwrap_or_else(|| "empty".into())]);
    output.text(&table(["DRIVE", "MEDIUM"], rows.collect()))
}

/// Shows the end of a log.
pub async fn log(
    core: &mut Connection,
    guest: &str,
    serial: Option<u32>,
    output: &mut Output,
) -> Result<(), Failure> {
    let kind = if serial.is_some() { LogKind::Serial } else { LogKind::Engine };
    let text = settle(core.log(guest, kind, serial).await)?.text;
    if output.is_json() {
        output.object(&LogView { text: &text })
    } else if output.is_terminal() {
        output.text(&printable_lines(&text))
    } else {
        output.text(&text)
    }
}
