//! A guest's disks: shown, added, removed, changed, made larger.

use super::guests::applied;
use super::job;
use crate::args::{AddDisk, DiskAction};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{DiskReplyView, DisksView, HostDiskView, Output, SettingsView, escaped, table};
use hv_api::client::{Connection, settle};
use hv_api::{Core, DiskInfo, DiskReply, HostUse};
use std::path::Path;

/// Does what is asked for, and says what became of it.
pub async fn disk(
    core: &mut Connection,
    guest: Option<&str>,
    action: Option<DiskAction>,
    output: &mut Output,
) -> Result<(), Failure> {
    let Some(guest) = guest else {
        return match action {
            None => host(core, output).await,
            Some(_) => Err(Failure::no_guest("disk")),
        };
    };
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

/// All physical disks of this computer, with their partitions, and who has them.
async fn host(core: &mut Connection, output: &mut Output) -> Result<(), Failure> {
    let disks = settle(core.disks().await)?.disks;
    if output.is_json() {
        return disks.iter().try_for_each(|disk| output.object(&HostDiskView::from(disk)));
    }
    if disks.is_empty() {
        return output.line("This computer has no disk that a guest could have.");
    }
    let rows = disks.iter().flat_map(|disk| {
        let content = |content: &Option<String>, label: &Option<String>| match (content, label) {
            (Some(content), Some(label)) => format!("{content} “{label}”"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => "-".to_owned(),
        };
        let whole = [
            disk.device.clone(),
            disk.size.to_string(),
            disk.name.clone().unwrap_or_else(|| "-".to_owned()),
            content(&disk.content, &disk.label),
            state(disk.guest.as_deref(), disk.used.zip(disk.used_by.as_deref()), disk.permitted),
        ];
        let parts = disk.partitions.iter().map(move |part| {
            [
                format!("  {}", part.device),
                part.size.to_string(),
                part.name.clone().unwrap_or_else(|| "-".to_owned()),
                content(&part.content, &part.label),
                state(part.guest.as_deref(), part.used.zip(part.used_by.as_deref()), part.permitted),
            ]
        });
        std::iter::once(whole).chain(parts)
    });
    output.text(&table(["DISK", "SIZE", "NAME", "CONTENT", "STATE"], rows.collect()))
}

/// Who has a physical disk or a partition, or what else is in the way.
fn state(guest: Option<&str>, used: Option<(HostUse, &str)>, permitted: bool) -> String {
    match (guest, used) {
        (Some(guest), _) => format!("guest {guest}"),
        (None, Some((HostUse::Mounted, place))) => format!("mounted at {place}"),
        (None, Some((HostUse::Swap, _))) => "this computer swaps to it".to_owned(),
        (None, Some((_, by))) => format!("part of {by}"),
        (None, None) if !permitted => "free, but your user may not open it".to_owned(),
        (None, None) => "free".to_owned(),
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
        let numbers: Vec<_> = disk.partitions.iter().map(ToString::to_string).collect();
        let parts =
            if numbers.is_empty() { String::new() } else { format!(", partitions {}", numbers.join(", ")) };
        [disk.name.clone(), size, how, disk.format.clone(), format!("{}{parts}", disk.path)]
    });
    output.text(&table(["DISK", "SIZE", "BUS", "FORMAT", "FILE"], rows.collect()))
}
