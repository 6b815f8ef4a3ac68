//! What is done beside the task to take snapshots, to put guests back to them, and to remove what is left of them.

use super::Draft;
use crate::engine::Machine;
use crate::guest::actor::Order;
use crate::guest::actor::saving::{check_room, write_memory};
use crate::guest::boot;
use crate::guest::context::Context;
use crate::guest::saved::{self, Writing};
use crate::guest::snapshots::{self, Index, KeptVolume};
use crate::storage::{self, Keeping, keep_content};
use crate::{files, store};
use futures_util::FutureExt;
use hv_api::{Error, Operation, SnapshotId};
use std::fs::File;
use std::path::Path;
use tokio::sync::Notify;
use tracing::debug;

/// Keeps what a guest has that is off or saved. Given up between two volumes: a tool that is killed while it writes
/// one may still do so for a moment.
pub(super) async fn keep_off(folder: &Path, draft: &Draft, cancelled: &Notify) -> Result<(), Error> {
    let (guest, id) = (folder.to_owned(), draft.entry.id);
    let (definition, wanted) = (draft.definition.clone(), draft.wanted.clone());
    let is_saved = draft.entry.memory.is_some();
    let begin = move || {
        let kept = snapshots::begin(&guest, id, &definition, &wanted)?;
        snapshots::copy_tpm(&guest, &kept)?;
        if is_saved { saved::keep_in(&guest, &kept) } else { Ok(()) }
    };
    files::off_thread(begin).await?;
    for volume in &draft.volumes {
        if cancelled.notified().now_or_never().is_some() {
            return Err(Error::JobCancelled { job: 0 });
        }
        keep_content(Keeping::Keep, &volume.path, &draft.name()).await?;
    }
    Ok(())
}

/// Does something with the disks of a guest of which no engine runs, without a saved state of it coming to harm.
pub(super) async fn with_disks<T>(
    folder: &Path,
    is_saved: bool,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    if !is_saved {
        return work.await;
    }
    let guest = folder.to_owned();
    files::off_thread(move || saved::alter(&guest)).await?;
    let done = work.await;
    let guest = folder.to_owned();
    files::off_thread(move || saved::altered(&guest)).await?;
    done
}

/// Keeps what a guest has that runs; its CPUs stand then.
pub(super) async fn keep_running(
    context: &Context,
    machine: &dyn Machine,
    folder: &Path,
    draft: &Draft,
    (writing, memory): (&mut Writing, std::os::fd::OwnedFd),
    order: &Order,
) -> Result<(), Error> {
    check_room(folder, writing.machine_memory(), machine)?;
    let (guest, kept) = (folder.to_owned(), writing.folder().to_owned());
    let volumes: Vec<_> = draft.volumes.iter().map(|kept| kept.volume).collect();
    let name = draft.name();
    // Before the memory is written: an engine lets go of the disks when it has.
    let keep = machine.keep_volumes(&name, &volumes);
    let operation = Operation::TakeSnapshot;
    write_memory(context, machine, writing, memory, &order.progress, operation, keep).await?;
    files::off_thread(move || snapshots::copy_tpm(&guest, &kept)).await
}

/// Takes a picture of the display for the snapshot. Some engines and guests have none.
pub(super) async fn take_picture(machine: &dyn Machine, folder: &Path, draft: &Draft) -> bool {
    let path = snapshots::picture(folder, draft.entry.id);
    let Ok(file) = File::create(&path) else { return false };
    match machine.screenshot(file.into()).await {
        Ok(()) => true,
        Err(error) => {
            debug!(%error, "a snapshot without a picture");
            drop(std::fs::remove_file(&path));
            false
        }
    }
}

/// Makes the volumes, the TPM and the saved state what they were.
pub(super) async fn put_back_all(
    folder: &Path,
    guest: &str,
    index: Index,
    id: SnapshotId,
    volumes: &[KeptVolume],
    touched: &mut bool,
) -> Result<(), Error> {
    let name = id.to_string();
    let missing = || Error::SnapshotNotFound { guest: guest.to_owned(), snapshot: name.clone() };
    let entry = index.snapshots.iter().find(|entry| entry.id == id).cloned().ok_or_else(missing)?;
    let definition = snapshots::definition(folder, id)?;
    snapshots::check_kept(folder, &definition, &entry, volumes).await?;
    let has_memory = entry.memory.is_some();
    let kept = snapshots::folder(folder, id);
    let (home, begun) = (folder.to_owned(), index.clone().putting_back(id));
    files::off_thread(move || begun.write(&home)).await?;
    *touched = true;
    for volume in volumes {
        keep_content(Keeping::PutBack, &volume.path, &name).await?;
    }
    // One that was not made yet is made anew at the next start.
    let store = boot::variable_store(&definition, folder).filter(|_| !entry.variables);
    let home = folder.to_owned();
    let finish = move || {
        // It goes with disks that are no more.
        if saved::exists(&home) {
            saved::discard(&home)?;
            saved::forget_discarded(&home);
        }
        if let Some(variables) = store.filter(|store| store.is_file()) {
            std::fs::remove_file(&variables).map_err(|error| store::failed(&variables, &error))?;
        }
        snapshots::copy_tpm(&kept, &home)?;
        if has_memory { saved::put_back(&home, &kept) } else { Ok(()) }
    };
    files::off_thread(finish).await
}

/// Removes what volumes have kept for a snapshot. `present` are those of the machine, where there is one.
pub(super) async fn forget(
    machine: Option<&dyn Machine>,
    folder: &Path,
    id: SnapshotId,
    present: &[KeptVolume],
) -> Result<(), Error> {
    // Before it had a definition, nothing was kept.
    let Ok(definition) = snapshots::definition(folder, id) else { return Ok(()) };
    let name = id.to_string();
    for kept in snapshots::attached(&definition, folder) {
        let attached = present.iter().find(|present| present.path == kept.path);
        match (machine, attached) {
            (Some(machine), Some(attached)) => {
                let forgotten = machine.forget_kept(&name, attached.volume).await;
                forgotten.map_err(|error| Error::EngineRefused {
                    guest: definition.name.clone(),
                    operation: Operation::DeleteSnapshot,
                    detail: error.to_string(),
                })?;
            }
            _ => forget_off(&kept.path, &name).await?,
        }
    }
    Ok(())
}

async fn forget_off(path: &Path, name: &str) -> Result<(), Error> {
    // Its owner may have deleted the file.
    if path.is_file() && storage::kept_content(path).await?.iter().any(|kept| kept == name) {
        keep_content(Keeping::Forget, path, name).await?;
    }
    Ok(())
}
