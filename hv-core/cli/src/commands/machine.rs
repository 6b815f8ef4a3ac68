//! A guest's drives and logs.

use crate::args::{DiskAction, MediaAction};
use crate::failure::Failure;
use crate::output::{DisksView, DriveView, LogView, MediaView, Output, printable_lines, table};
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

/// Changes a disk, where that is asked for, and shows all of them.
pub async fn disk(
    core: &mut Connection,
    guest: &str,
    action: Option<DiskAction>,
    output: &mut Output,
) -> Result<(), Failure> {
    let reply = match action {
        None => core.show(guest).await,
        Some(DiskAction::Grow { disk, size }) => core.grow_disk(guest, disk.as_deref(), size).await,
    };
    let disks = settle(reply)?.guest.disks;
    if output.is_json() {
        return output.object(&DisksView { disks: &disks });
    }
    let rows = disks.into_iter().map(|disk| {
        let size = disk.size.map_or_else(|| "unknown".into(), |size| size.to_string());
        [disk.name, size, disk.format, disk.path]
    });
    output.text(&table(["DISK", "SIZE", "FORMAT", "FILE"], rows.collect()))
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
