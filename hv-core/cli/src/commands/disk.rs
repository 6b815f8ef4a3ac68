//! A guest's disks: shown, added, removed, changed, made larger.

use super::guests::applied;
use super::job;
use crate::args::{AddDisk, DiskAction};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{DiskReplyView, DisksView, Output, SettingsView, escaped, table};
use hv_api::client::{Connection, settle};
use hv_api::{Core, DiskInfo, DiskReply};
use std::path::Path;

/// Does what is asked for, and says what became of it.
pub async fn disk(
    core: &mut Connection,
    guest: &str,
    action: Option<DiskAction>,
    output: &mut Output,
) -> Result<(), Failure> {
    match action {
        None => show(&settle(core.show(guest).await)?.guest.disks, output),
        Some(DiskAction::Grow { disk, size }) => {
            let reply = core.grow_disk(guest, disk.as_deref(), size).await;
            show(&settle(reply)?.guest.disks, output)
        }
        Some(DiskAction::Add(add)) => {
            let reply = settle(core.add_disk(guest, &add.into_disk()).await)?;
            tell(&reply, "added", output)
        }
        Some(DiskAction::Remove { disk, delete }) => {
            let reply = settle(core.remove_disk(guest, &disk, delete.then_some(true)).await)?;
            tell(&reply, if reply.deleted { "removed and deleted" } else { "removed" }, output)
        }
        Some(DiskAction::Set(set)) => {
            let disk = set.disk.clone();
            let results = settle(core.set_disk(guest, &disk, &set.into_settings()).await)?.settings;
            if output.is_json() {
                return output.object(&SettingsView::from(&results[..]));
            }
            results.iter().try_for_each(|result| {
                let when = applied(result.applied, result.reason);
                output.line(&format!("{}: applied {when}", escaped(&result.key)))
            })
        }
    }
}

/// Copies an image into a new disk, which is long work, and shows all disks then.
pub async fn copy(
    core: &mut Connection,
    socket: &Path,
    guest: &str,
    add: AddDisk,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let disk = add.into_disk();
    let begin =
        async |core: &mut Connection| settle(core.copy_disk(guest, &disk).await).map(|begun| begun.job);
    job::run(core, socket, begin, output, interrupt).await?;
    let reply = interrupt.guard(async { settle(core.show(guest).await) }).await?;
    show(&reply.guest.disks, output)
}

fn tell(reply: &DiskReply, done: &str, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&DiskReplyView::from(reply));
    }
    output.line(&format!("{}: {done} {}", escaped(&reply.disk), applied(reply.applied, reply.reason)))
}

fn show(disks: &[DiskInfo], output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&DisksView { disks });
    }
    let rows = disks.iter().map(|disk| {
        let size = disk.size.map_or_else(|| "unknown".into(), |size| size.to_string());
        let traits = [(disk.read_only, "read only"), (disk.shareable, "shareable")];
        let traits: Vec<_> = traits.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        let how = [&[crate::output::wire_word(&disk.bus).as_str()], &traits[..]].concat().join(", ");
        [disk.name.clone(), size, how, disk.format.clone(), disk.path.clone()]
    });
    output.text(&table(["DISK", "SIZE", "BUS", "FORMAT", "FILE"], rows.collect()))
}
