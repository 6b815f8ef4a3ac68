//! The disks of a guest: adding, removing, changing, growing and copying them.

use super::Registry;
use super::saving::check_kept;
use crate::engine::{DiskFormat, DiskName};
use crate::guest::config::{MAX_DISK, MIN_DISK};
use crate::guest::disk::{self, Disk};
use crate::guest::disk_file::{self, Image, Room};
use crate::guest::edit::Edit;
use crate::guest::handle::{Handle, Request};
use crate::guest::holders::{self, Holders};
use crate::guest::snapshots;
use crate::host::disks::scan;
use crate::storage::{self, Source, grow_volume, partial};
use crate::{files, store};
use hv_api::{
    Applied, ByteSize, DiskInfo, DiskReply, DiskSettings, Error, GuestInfo, GuestState, HostDisk, JobId,
    JobKind, JobStage, NewDisk, Operation, SettingResult,
};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tokio::task::spawn_local;
use tracing::warn;

impl Registry {
    /// The physical disks of this computer, with who has them.
    pub async fn host_disks(&self) -> Result<Vec<HostDisk>, Error> {
        let (root, guests) = (self.context.folders.devices.clone(), self.list());
        files::off_thread(move || {
            let (mut disks, holders) = (scan(&root), Holders::of(&guests));
            for disk in &mut disks {
                let wanted = |partitions| Disk {
                    partitions,
                    ..Disk::new(DiskName::FIRST, &disk.path, DiskFormat::Raw)
                };
                disk.guest = holders.holder(&wanted(Vec::new())).map(str::to_owned);
                for part in &mut disk.partitions {
                    part.guest = holders.holder(&wanted(vec![part.number])).map(str::to_owned);
                }
            }
            Ok(disks)
        })
        .await
    }

    /// Adds a disk to a guest, also where nobody waits for the answer any more.
    pub async fn add_disk(self: &Rc<Self>, guest: &str, new: NewDisk) -> Result<DiskReply, Error> {
        let handle = self.find(guest)?;
        let registry = Rc::clone(self);
        let addition = spawn_local(async move {
            if new.copy == Some(true) {
                return Err(Error::conflict("copy", "add"));
            }
            no_member(&new)?;
            match (new.size, &new.path) {
                (Some(_), Some(_)) => Err(Error::conflict("size", "path")),
                (None, None) => Err(Error::OptionNeeds { option: "add".into(), needs: "size".into() }),
                (Some(size), None) => registry.add_new_disk(&handle, size, &new).await,
                (None, Some(path)) => {
                    let (path, wanted) = (PathBuf::from(path), new.clone());
                    let found = files::off_thread(move || disk_file::found(&path, &wanted)).await?;
                    registry.add_found_disk(&handle, found, &new).await
                }
            }
        });
        ended(addition.await, guest)
    }

    /// A new, empty disk in the guest's folder.
    async fn add_new_disk(&self, handle: &Handle, size: ByteSize, new: &NewDisk) -> Result<DiskReply, Error> {
        check_size(size)?;
        let format = disk_file::known_format(new)?.unwrap_or(DiskFormat::Qcow2);
        let folder = PathBuf::from(&handle.info().paths.folder);
        let mut disk = Disk::new(DiskName::FIRST, folder.join("new"), format);
        disk.set_new(new)?;
        let room = Room::make(&folder, format)?;
        storage::create_volume_of(room.path(), format, size).await?;
        disk.path = room.name();
        let added = self.ask_to_add(handle, disk).await;
        if added.is_ok() {
            room.keep();
        }
        added
    }

    /// A disk that is there, and that nobody else may have.
    async fn add_found_disk(&self, handle: &Handle, found: Disk, new: &NewDisk) -> Result<DiskReply, Error> {
        let mut disk = found;
        disk.set_new(new)?;
        let (id, guests, checked) = (handle.info().id, self.list(), disk.clone());
        files::off_thread(move || holders::check_free(id, &checked, &guests)).await?;
        self.ask_to_add(handle, disk).await
    }

    async fn ask_to_add(&self, handle: &Handle, disk: Disk) -> Result<DiskReply, Error> {
        let results = handle.ask(|answer| Request::Edit(vec![Edit::AddDisk(disk)], answer)).await?;
        Ok(reply(results))
    }

    /// Begins to copy an image into a new disk of a guest.
    pub fn copy_disk(self: &Rc<Self>, guest: &str, new: NewDisk) -> Result<JobId, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        let Some(source) = new.path.clone().map(PathBuf::from) else {
            return Err(Error::OptionNeeds { option: "copy".into(), needs: "path".into() });
        };
        if new.size.is_some() {
            return Err(Error::conflict("size", "path"));
        }
        no_member(&new)?;
        let told = disk_file::known_format(&new)?;
        let registry = Rc::clone(self);
        let (id, name) = (info.id, info.name.clone());
        let work = |progress: crate::job::Progress| async move {
            let (guests, agreed) = (registry.list(), new.backing.clone());
            let wanted = new.clone();
            let found = files::off_thread(move || {
                disk_file::check_copied(&source, &wanted)?;
                let image = Image::look(Source::of(&source), told, agreed.as_deref())?;
                // What somebody writes meanwhile can't be copied.
                holders::check_image_copyable(&image, &guests)?;
                Ok(image)
            });
            let image = found.await?;
            let folder = PathBuf::from(&handle.info().paths.folder);
            let mut disk = Disk::new(DiskName::FIRST, folder.join("new"), DiskFormat::Qcow2);
            disk.set_new(&new)?;
            let room = Room::make(&folder, DiskFormat::Qcow2)?;
            image.copy(room.path(), None, |amount| progress.amount(JobStage::Copying, amount)).await?;
            disk.path = room.name();
            // Also where it is cancelled in this moment: the guest may have the disk already.
            let adding = spawn_local(async move {
                registry.ask_to_add(&handle, disk).await?;
                room.keep();
                Ok(())
            });
            ended(adding.await, &name)
        };
        Ok(self.jobs.start(JobKind::CopyDisk, id, &info.name, work))
    }

    /// Takes a disk from a guest, and its file with it where that is asked for; also where nobody waits any more.
    pub async fn remove_disk(
        self: &Rc<Self>,
        guest: &str,
        disk: &str,
        delete: bool,
    ) -> Result<DiskReply, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        let (name, found) = named(&info, Some(disk))?;
        let (found, path) = (found.clone(), PathBuf::from(&found.path));
        if delete {
            if !found.own {
                return Err(Error::DiskNotOwn { disk: disk.to_owned(), path: found.path.clone() });
            }
            if matches!(info.state, GuestState::Saving | GuestState::Saved) {
                // Its saved state needs the disk.
                return Err(Error::wrong_state(&info, Operation::Set));
            }
            let (guest, guests, path, disk) = (info.clone(), self.list(), path.clone(), disk.to_owned());
            let check = move || {
                holders::check_not_backing(guest.id, &path, &guests)?;
                check_no_snapshot(&guest, &disk, &path)
            };
            files::off_thread(check).await?;
        }
        let removal = spawn_local(async move {
            let results = handle.ask(|answer| Request::Edit(vec![Edit::RemoveDisk(name)], answer)).await?;
            let mut reply = reply(results);
            if !found.partitions.is_empty() && reply.applied == Applied::Now {
                let (folder, name) = (PathBuf::from(&info.paths.folder), name.to_string());
                let removed =
                    move || partial::remove(&folder, &name).map_err(|error| store::failed(&folder, &error));
                files::off_thread(removed).await?;
            }
            if delete && reply.applied == Applied::Now {
                reply.deleted = files::off_thread(move || Ok(delete_file(&path))).await?;
            }
            Ok(reply)
        });
        ended(removal.await, guest)
    }

    /// Changes what a disk is attached to and how.
    pub async fn set_disk(
        &self,
        guest: &str,
        disk: &str,
        settings: DiskSettings,
    ) -> Result<Vec<SettingResult>, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        let (name, found) = named(&info, Some(disk))?;
        let not_found = || Error::DiskNotFound { guest: info.name.clone(), disk: disk.to_owned() };
        let mut wanted = disk::of_info(found).ok_or_else(not_found)?;
        let before = wanted.hold();
        wanted.set(&settings);
        wanted.check()?;
        if wanted.hold() != before {
            let (id, mut guests) = (info.id, self.list());
            // Its own disk is not in its way.
            let own = guests.iter_mut().filter(|guest| guest.id == id);
            own.for_each(|guest| guest.disks.retain(|other| other.name != name.to_string()));
            files::off_thread(move || holders::check_free(id, &wanted, &guests)).await?;
        }
        handle.ask(|answer| Request::Edit(vec![Edit::SetDisk(name, settings)], answer)).await
    }

    /// Makes a guest's disk larger.
    pub async fn grow_disk(
        &self,
        guest: &str,
        disk: Option<&str>,
        size: ByteSize,
    ) -> Result<GuestInfo, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        check_kept(&info, Operation::Set)?;
        let (name, disk) = named(&info, disk)?;
        let (minimum, maximum) = (disk.size.unwrap_or_default(), MAX_DISK);
        if !(minimum..=maximum).contains(&size) {
            return Err(Error::DiskSizeOutOfRange { requested: size, minimum, maximum });
        }
        if matches!(info.state, GuestState::Saving | GuestState::Saved) {
            // Its saved state goes with the disk as it is.
            return Err(Error::wrong_state(&info, Operation::Set));
        }
        if info.pid.is_none() {
            // An engine that is started meanwhile has a lock on it, which the tool respects, or finds it grown.
            let format = DiskFormat::of_name(&disk.format).filter(|format| format.is_written());
            let format = format.ok_or_else(|| Error::FormatOnlyRead {
                path: disk.path.clone(),
                format: disk.format.clone(),
            })?;
            grow_volume(disk.path.as_ref(), format, size).await?;
        }
        handle.ask(|answer| Request::Edit(vec![Edit::DiskSize(name, size)], answer)).await?;
        Ok((*handle.info()).clone())
    }
}

/// The disk of this name, or the first.
fn named<'a>(info: &'a GuestInfo, disk: Option<&str>) -> Result<(DiskName, &'a DiskInfo), Error> {
    let found = match disk {
        None => info.disks.first(),
        Some(name) => info.disks.iter().find(|disk| disk.name == name),
    };
    found.and_then(|disk| Some((disk.name.parse().ok()?, disk))).ok_or_else(|| Error::DiskNotFound {
        guest: info.name.clone(),
        disk: disk.unwrap_or_default().to_owned(),
    })
}

/// Disks of appliances come with a new guest.
fn no_member(new: &NewDisk) -> Result<(), Error> {
    if new.member.is_some() { Err(Error::conflict("member", "add")) } else { Ok(()) }
}

fn check_size(requested: ByteSize) -> Result<(), Error> {
    let (minimum, maximum) = (MIN_DISK, MAX_DISK);
    if (minimum..=maximum).contains(&requested) {
        Ok(())
    } else {
        Err(Error::DiskSizeOutOfRange { requested, minimum, maximum })
    }
}

/// Makes sure that no snapshot of the guest has a disk whose file is to be deleted.
fn check_no_snapshot(guest: &GuestInfo, disk: &str, path: &Path) -> Result<(), Error> {
    let folder = Path::new(&guest.paths.folder);
    // One that can't be read is no proof that there is none.
    for snapshot in snapshots::Index::read(folder)?.snapshots {
        let definition = snapshots::definition(folder, snapshot.id)?;
        if definition.disks.iter().any(|other| folder.join(&other.path) == path) {
            let (disk, snapshot) = (disk.to_owned(), snapshot.name.clone());
            return Err(Error::DiskInSnapshot { disk, snapshot });
        }
    }
    Ok(())
}

/// Deletes the file of a disk that no guest has any more. A link is not followed.
fn delete_file(path: &Path) -> bool {
    let deleted = std::fs::remove_file(path);
    if let Err(error) = &deleted {
        warn!(path = %path.display(), %error, "the file of a disk that was removed stays");
    }
    deleted.is_ok()
}

fn reply(results: Vec<SettingResult>) -> DiskReply {
    let result = results.into_iter().next();
    let SettingResult { key, applied, reason } =
        result.unwrap_or(SettingResult { key: String::new(), applied: Applied::Now, reason: None });
    DiskReply { disk: key, applied, reason, deleted: false }
}

/// What work came to that went on beside the call.
fn ended<T>(work: Result<Result<T, Error>, tokio::task::JoinError>, guest: &str) -> Result<T, Error> {
    work.unwrap_or_else(|_panicked| Err(Error::GuestNotFound { guest: guest.to_owned() }))
}
