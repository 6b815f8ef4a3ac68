//! Snapshots of guests, taken and put back as jobs, which a client may watch.

use super::Registry;
use super::pci::check_savable;
use super::saving::check_kept;
use super::saving::told;
use crate::engine::Amount;
use crate::files;
use crate::guest::actor::Order;
use crate::guest::disk::Disk;
use crate::guest::handle::{Handle, Request};
use crate::guest::holders;
use crate::guest::snapshots::{self, Index};
use crate::guest::state::Wish;
use crate::job::{Ended, Progress};
use hv_api::{Error, GuestInfo, GuestState, JobId, JobKind, JobStage, Operation, SnapshotId, SnapshotInfo};
use std::path::PathBuf;
use std::rc::Rc;
use tokio::sync::{Notify, watch};

impl Registry {
    /// Begins to take a snapshot. When the job is cancelled or fails, there is none, and the guest does what it did.
    pub fn take_snapshot(&self, guest: &str, name: String, note: Option<String>) -> Result<JobId, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        check_savable(&info, Operation::TakeSnapshot)?;
        check_kept(&info, Operation::TakeSnapshot)?;
        let work = |progress: Progress, cancelled: Rc<Notify>| async move {
            let (sender, amounts) = watch::channel(Amount::default());
            let order = Order { progress: sender, cancelled };
            let taken = handle.ask(|answer| Request::TakeSnapshot { name, note, order, answer });
            match told(taken, amounts, &progress, JobStage::Saving).await {
                Ok(_taken) => Ok(Ended::Done),
                Err(Error::JobCancelled { .. }) => Ok(Ended::Cancelled),
                Err(error) => Err(error),
            }
        };
        Ok(self.jobs.start_orderly(JobKind::TakeSnapshot, info.id, &info.name, work))
    }

    /// Begins to put a guest back to a snapshot, whatever it does now. Disks that are in part what they were are of
    /// no use, so this is not given up on the way.
    pub fn restore_snapshot(
        self: &Rc<Self>,
        guest: &str,
        snapshot: &str,
        paused: bool,
    ) -> Result<JobId, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        let wanted = find(&info, snapshot)?.clone();
        let registry = Rc::clone(self);
        let work = |progress: Progress, _cancelled: Rc<Notify>| async move {
            progress.stage(JobStage::PuttingBack, 0.0);
            registry.check_restorable(&handle.info(), wanted.id).await?;
            end(&handle).await?;
            let snapshot = wanted.id.to_string();
            let put_back = handle.ask(|answer| Request::RestoreSnapshot { snapshot, answer }).await?;
            registry.keep_autostart();
            if put_back.state == GuestState::Saved {
                progress.stage(JobStage::Restoring, 0.5);
                registry.start(&put_back.id.to_string(), paused || !wanted.running).await?;
            }
            Ok(Ended::Done)
        };
        Ok(self.jobs.start_orderly(JobKind::RestoreSnapshot, info.id, &info.name, work))
    }

    /// Makes sure that a guest can be put back to a snapshot, and that nobody else has its disks by now, before
    /// anything of the guest is touched.
    async fn check_restorable(&self, guest: &GuestInfo, snapshot: SnapshotId) -> Result<(), Error> {
        let folder = PathBuf::from(&guest.paths.folder);
        let (id, name) = (guest.id, guest.name.clone());
        let others: Vec<_> = self.list().into_iter().filter(|other| other.id != id).collect();
        let look = move || {
            let index = Index::read(&folder)?;
            let missing = Error::SnapshotNotFound { guest: name, snapshot: snapshot.to_string() };
            let entry = index.snapshots.into_iter().find(|entry| entry.id == snapshot).ok_or(missing)?;
            let definition = snapshots::definition(&folder, snapshot)?;
            for disk in &definition.disks {
                let whole = Disk { path: folder.join(&disk.path), ..disk.clone() };
                holders::check_free(id, &whole, &others)?;
            }
            Ok((folder, entry, definition))
        };
        let (folder, entry, definition) = files::off_thread(look).await?;
        let volumes = snapshots::volumes(&definition, &folder, entry.variables)?;
        snapshots::check_kept(&folder, &definition, &entry, &volumes).await
    }

    /// Deletes a snapshot.
    pub async fn delete_snapshot(&self, guest: &str, snapshot: String) -> Result<GuestInfo, Error> {
        self.find(guest)?.ask(|answer| Request::DeleteSnapshot { snapshot, answer }).await
    }

    /// Gives a snapshot another name or note.
    pub async fn edit_snapshot(
        &self,
        guest: &str,
        snapshot: String,
        name: Option<String>,
        note: Option<String>,
    ) -> Result<GuestInfo, Error> {
        self.find(guest)?.ask(|answer| Request::EditSnapshot { snapshot, name, note, answer }).await
    }
}

/// The guest's snapshot of this identity or name.
pub(super) fn find<'a>(guest: &'a GuestInfo, snapshot: &str) -> Result<&'a SnapshotInfo, Error> {
    let all = &guest.snapshots;
    let by_id = all.iter().find(|one| one.id.to_string() == snapshot);
    by_id
        .or_else(|| all.iter().find(|one| one.name == snapshot))
        .ok_or_else(|| Error::SnapshotNotFound { guest: guest.name.clone(), snapshot: snapshot.to_owned() })
}

/// Takes a guest's power away, where it runs.
async fn end(handle: &Handle) -> Result<(), Error> {
    let is_down = |state| matches!(state, GuestState::Off | GuestState::Crashed | GuestState::Saved);
    if is_down(handle.info().state) {
        return Ok(());
    }
    match handle.ask(|answer| Request::Wish(Wish::ForceOff, answer)).await {
        // It has ended by itself in this moment.
        Err(Error::WrongState { state, .. }) if is_down(state) => Ok(()),
        ended => ended.map(drop),
    }
}
