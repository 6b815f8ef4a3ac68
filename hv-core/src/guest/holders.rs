//! Whether a file or block device can be a guest's disk: who else has it, in the definitions of all guests and on this
//! computer. Reads files; not for the core's own thread.

use super::disk::{self, Disk};
use super::disk_file::Image;
use super::volumes::Hold;
use crate::engine::DiskFormat;
use crate::host::Kernel;
use crate::host::block::Block;
use crate::storage::{Foundation, VolumeId, backing_files, partial, volume_id, volume_ids};
use hv_api::{DiskInfo, Error, FileFault, GuestId, GuestInfo};
use std::path::{Path, PathBuf};

impl Disk {
    /// What the disk needs its volume for.
    pub fn hold(&self) -> Hold {
        match (self.read_only, self.shareable) {
            (true, _) => Hold::Read,
            (false, true) => Hold::Shared,
            (false, false) => Hold::Alone,
        }
    }

    /// What makes it the same as another, or a part of that. Its path is absolute.
    pub fn volumes(&self) -> Vec<VolumeId> {
        volume_ids(&self.path, &self.partitions)
    }

    /// The files that it builds on. Its path is absolute. Only such a volume names others as its own: in any other, its
    /// guest can write what it likes.
    pub fn foundation(&self) -> Vec<PathBuf> {
        if self.format == DiskFormat::Qcow2 { backing_files(&self.path) } else { Vec::new() }
    }
}

/// Makes sure that a disk, whose path is absolute, can be defined for this guest: no guest has it, also none that is
/// off, unless both can have it at once.
///
/// # Errors
/// [`Error::DiskInUse`], [`Error::DiskInUseByHost`], [`Error::DiskIsBacking`].
pub fn check_free(guest: GuestId, wanted: &Disk, guests: &[GuestInfo]) -> Result<(), Error> {
    let own = wanted.volumes();
    for (holder, other) in disks(guests) {
        let same = overlap(&own, &other.volumes());
        // One guest has no use for the same disk twice.
        if same && (holder.id == guest || !wanted.hold().goes_with(other.hold())) {
            return Err(in_use(&wanted.path, holder));
        }
    }
    for base in wanted.foundation() {
        let written =
            |(_, other): &(&GuestInfo, Disk)| other.hold() != Hold::Read && same(&base, &other.path);
        if let Some((holder, _)) = disks(guests).find(written) {
            return Err(in_use(&base, holder));
        }
    }
    check_startable(guest, wanted, guests)
}

/// Makes sure that a guest's disk can be used now: this computer does not have it, and no other guest's disk builds on
/// it. Whether a guest that runs has it is left to [`super::volumes`].
///
/// # Errors
/// [`Error::DiskInUseByHost`], [`Error::DiskIsBacking`].
pub fn check_startable(guest: GuestId, wanted: &Disk, guests: &[GuestInfo]) -> Result<(), Error> {
    check_host_of(wanted)?;
    check_foundation(wanted, guest, guests)?;
    if wanted.hold() == Hold::Read || wanted.is_partial() {
        return Ok(());
    }
    check_not_backing(guest, &wanted.path, guests)
}

/// Makes sure that nobody writes to an image while it is copied.
///
/// # Errors
/// [`Error::DiskInUse`], [`Error::DiskInUseByHost`].
pub fn check_copyable(source: &Path, guests: &[GuestInfo]) -> Result<(), Error> {
    let mut running = disks(guests).filter(|(holder, _)| holder.pid.is_some());
    match running.find(|(_, other)| other.hold() != Hold::Read && same(source, &other.path)) {
        Some((holder, _)) => Err(in_use(source, holder)),
        None => check_host(source),
    }
}

/// The same of an image and all that it builds on.
///
/// # Errors
/// Those of [`check_copyable`].
pub fn check_image_copyable(image: &Image, guests: &[GuestInfo]) -> Result<(), Error> {
    check_copyable(&image.source.path, guests)?;
    image.foundation.layers().iter().try_for_each(|layer| check_copyable(&layer.path, guests))
}

/// Makes sure that an image outside of its guest's folder builds on what somebody has agreed to, and on nothing else:
/// it may be another image by now.
fn check_foundation(wanted: &Disk, guest: GuestId, guests: &[GuestInfo]) -> Result<(), Error> {
    let own = guests.iter().find(|other| other.id == guest).map(|own| PathBuf::from(&own.paths.folder));
    if wanted.format != DiskFormat::Qcow2 || own.is_some_and(|folder| wanted.path.starts_with(folder)) {
        return Ok(());
    }
    match Foundation::agreed(&wanted.path, Some(&wanted.backing)) {
        // One that is not there is told in another way.
        Err(Error::FileUnusable { fault: FileFault::Missing, .. }) => Ok(()),
        found => found.map(drop),
    }
}

/// The same of what a disk is made of.
fn check_host_of(disk: &Disk) -> Result<(), Error> {
    if !disk.is_partial() {
        return check_host(&disk.path);
    }
    let parts = partial::partitions(&disk.path, &disk.partitions)?;
    parts.iter().try_for_each(|part| check_host(part.device().as_ref()))
}

fn check_host(path: &Path) -> Result<(), Error> {
    match Kernel::default().use_of(path) {
        Some(used) => {
            let path = path.display().to_string();
            Err(Error::DiskInUseByHost { path, way: used.way, by: used.by })
        }
        None => Ok(()),
    }
}

/// Makes sure that no other guest's disk builds on a file that is to be written or deleted.
///
/// # Errors
/// [`Error::DiskIsBacking`].
pub fn check_not_backing(guest: GuestId, path: &Path, guests: &[GuestInfo]) -> Result<(), Error> {
    let Some(volume) = volume_id(path) else { return Ok(()) };
    let builds_on = |path: &PathBuf| volume_id(path) == Some(volume);
    let mut others = disks(guests).filter(|(holder, _)| holder.id != guest);
    match others.find(|(_, other)| other.foundation().iter().any(builds_on)) {
        Some((holder, _)) => {
            Err(Error::DiskIsBacking { path: path.display().to_string(), holder: holder.name.clone() })
        }
        None => Ok(()),
    }
}

/// Makes sure that no other guest has a disk in this one's folder: it would be deleted with that.
///
/// # Errors
/// [`Error::DiskInUse`].
pub fn check_folder_is_its_own(guest: GuestId, folder: &Path, guests: &[GuestInfo]) -> Result<(), Error> {
    let mut others = disks(guests).filter(|(holder, _)| holder.id != guest);
    match others.find(|(_, other)| other.path.starts_with(folder)) {
        Some((holder, other)) => Err(in_use(&other.path, holder)),
        None => Ok(()),
    }
}

fn disks(guests: &[GuestInfo]) -> impl Iterator<Item = (&GuestInfo, Disk)> {
    guests
        .iter()
        .flat_map(|guest| guest.disks.iter().filter_map(move |info| Some((guest, disk::of_info(info)?))))
}

/// Whether two disks have something in common.
fn overlap(one: &[VolumeId], other: &[VolumeId]) -> bool {
    one.iter().any(|volume| other.contains(volume))
}

/// Makes sure that a guest can be saved: what a guest has in its memory of a physical disk is true only as long as nobody
/// else can write to that.
///
/// # Errors
/// [`Error::DiskNotSavable`].
pub fn check_savable(guest: &GuestInfo) -> Result<(), Error> {
    let is_physical = |disk: &&DiskInfo| {
        let block = Block::at(disk.path.as_ref());
        // Volumes that were put together are not mounted by chance.
        block.is_some_and(|block| !block.folder().join("dm").exists()) && !disk.read_only
    };
    match guest.disks.iter().find(is_physical) {
        Some(disk) if guest.pid.is_some() => Err(Error::DiskNotSavable {
            guest: guest.name.clone(),
            disk: disk.name.clone(),
            path: disk.path.clone(),
        }),
        _ => Ok(()),
    }
}

/// What the disks of all guests are, looked up once for many questions.
#[derive(Debug)]
pub struct Holders<'a>(Vec<(&'a GuestInfo, Vec<VolumeId>)>);

impl<'a> Holders<'a> {
    /// Those of these guests.
    pub fn of(guests: &'a [GuestInfo]) -> Self {
        Self(disks(guests).map(|(holder, disk)| (holder, disk.volumes())).collect())
    }

    /// The guest that has a disk or something of it.
    pub fn holder(&self, wanted: &Disk) -> Option<&'a str> {
        let own = wanted.volumes();
        self.0.iter().find(|(_, volumes)| overlap(&own, volumes)).map(|(holder, _)| &*holder.name)
    }
}

fn same(one: &Path, other: &Path) -> bool {
    let volume: Option<VolumeId> = volume_id(one);
    volume.is_some() && volume == volume_id(other)
}

fn in_use(path: &Path, holder: &GuestInfo) -> Error {
    Error::DiskInUse { path: path.display().to_string(), holder: holder.name.clone() }
}
