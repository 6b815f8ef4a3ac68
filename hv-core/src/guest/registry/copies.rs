//! Guests that are made of others.

use super::{Registry, Reservation};
use crate::engine::DiskFormat;
use crate::files;
use crate::guest::actor::Loan;
use crate::guest::boot;
use crate::guest::config::{Definition, Disk};
use crate::guest::first_start::{self, FirstStart};
use crate::guest::forwards::mac_of;
use crate::guest::handle::Request;
use crate::guest::holders::check_copyable;
use crate::guest::snapshots;
use crate::host;
use crate::job::Progress;
use crate::storage::{VolumeId, copy_volume, create_layer, kept_content, volume_id, volume_size};
use crate::store::{self, Sharing, Store};
use hv_api::{Created, Error, GuestId, JobKind, JobStage};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

impl Registry {
    /// Begins to make a guest of another that is off. What can be refused at once is refused here.
    pub async fn clone_guest(
        self: &Rc<Self>,
        guest: &str,
        name: String,
        snapshot: Option<String>,
        linked: bool,
    ) -> Result<Created, Error> {
        if linked && snapshot.is_some() {
            return Err(Error::conflict("linked", "snapshot"));
        }
        self.check_name(&name, None)?;
        let handle = self.find(guest)?;
        if linked && !handle.info().snapshots.is_empty() {
            // They are within the volumes that nobody would write any more.
            return Err(Error::CloneNotLinked { guest: handle.info().name.clone() });
        }
        let id = GuestId::random();
        let reservation = self.reserve(id, &name);
        let loan = handle.ask(|answer| Request::Lend { snapshot, answer }).await?;
        let source = self.context.store.folder(handle.info().id);
        let registry = Rc::clone(self);
        let new = name.clone();
        let job = self.jobs.start(JobKind::Clone, id, &name, |progress| async move {
            let made = registry.copy(&source, loan, (id, new), linked, reservation, &progress).await;
            if linked && made.is_err() {
                registry.sweep_bases();
            }
            made
        });
        Ok(Created { guest: id, job })
    }

    async fn copy(
        &self,
        source: &Path,
        loan: Loan,
        (id, name): (GuestId, String),
        linked: bool,
        reservation: Reservation,
        progress: &Progress,
    ) -> Result<(), Error> {
        let kept = loan.snapshot.map(|snapshot| snapshot.to_string());
        let draft = self.context.store.begin(id)?;
        let is_linked = |disk: &Disk| linked && can_be_base(disk, source);
        check_room(source, &loan.definition, draft.folder(), is_linked)?;
        let mut definition = renewed(&loan.definition, source, id, name);
        definition.first_start = definition.first_start.map(|first| first.found(source));
        let disks = loan.definition.disks.iter().zip(&definition.disks);
        let disks = disks.filter(|(disk, _)| is_copied(disk, source));
        let (shared, disks): (Vec<_>, Vec<_>) = disks.partition(|(disk, _)| is_linked(disk));
        let count = disks.len() as f64;
        for (number, (from, to)) in disks.into_iter().enumerate() {
            let told = |part: f64| progress.stage(JobStage::Copying, (number as f64 + part) / count);
            told(0.0);
            let to = draft.folder().join(&to.path);
            if from.is_partial() {
                let partial = from.lay_out(source).await?;
                copy_volume((&partial.descriptor, DiskFormat::Vmdk), None, &to, told).await?;
                continue;
            }
            copy_volume((&*source.join(&from.path), from.format), kept.as_deref(), &to, told).await?;
        }
        progress.stage(JobStage::Definition, 1.0);
        if loan.variables
            && let Some(store) =
                boot::variable_store(&loan.definition, source).filter(|store| store.is_file())
            && let Some(to) = boot::variable_store(&definition, draft.folder())
        {
            copy_volume((&store, DiskFormat::Qcow2), kept.as_deref(), &to, |_| {}).await?;
        }
        let mut sharings = Vec::new();
        for (from, to) in shared {
            let from = Disk { path: source.join(&from.path), ..from.clone() };
            sharings.push(self.layers(&loan.definition.name, from, &draft.folder().join(&to.path)).await?);
        }
        let home = loan.snapshot.map_or_else(|| source.to_owned(), |one| snapshots::folder(source, one));
        let new = draft.folder().to_owned();
        let told = definition.first_start.clone().is_some_and(|FirstStart { disc }| disc.is_some());
        let told = told.then(|| (source.to_owned(), loan.definition.id));
        files::off_thread(move || {
            if let Some((source, former)) = told {
                first_start::copy((&source, former), (&new, id))?;
            }
            snapshots::copy_tpm(&home, &new)?;
            flush(&new)?;
            sharings.iter().try_for_each(Sharing::carry_out)
        })
        .await?;
        draft.keep(&definition)?;
        drop(loan);
        reservation.keep(definition).done();
        Ok(())
    }

    /// Makes two layers on what is now a guest's disk: one for the guest in the making, and one to take the disk's place.
    async fn layers(&self, guest: &str, disk: Disk, new: &Path) -> Result<Sharing, Error> {
        if !kept_content(&disk.path).await?.is_empty() {
            return Err(Error::CloneNotLinked { guest: guest.to_owned() });
        }
        let guests = self.list();
        let disk = files::off_thread(move || check_copyable(&disk.path, &guests).map(|()| disk.path)).await?;
        let unreadable = || store::failed(&disk, &std::io::ErrorKind::InvalidData.into());
        let size = volume_size(&disk, DiskFormat::Qcow2).ok_or_else(unreadable)?;
        let base = self.context.store.new_base();
        let layer = new.with_extension("former");
        for path in [new, &layer] {
            create_layer(path, &Store::base_name(&base), size).await?;
        }
        Ok(Sharing { disk, layer, base })
    }

    /// Removes the volumes on which no guest builds any more, beside everything else.
    pub(super) fn sweep_bases(&self) {
        let store = self.context.store.clone();
        drop(tokio::task::spawn_blocking(move || store.sweep_bases()));
    }
}

/// The definition of the copy: with an identity, a name and network addresses of its own, and its own disks. It
/// does not start with the session until that is wished for it too.
fn renewed(definition: &Definition, source: &Path, id: GuestId, name: String) -> Definition {
    let mut new = Definition { id, name, ..definition.clone() };
    let whole = |path: &mut PathBuf| *path = source.join(&*path);
    new.drives.iter_mut().filter_map(|drive| drive.medium.as_mut()).for_each(whole);
    if let Some(kernel) = &mut new.kernel {
        kernel.image.iter_mut().chain(&mut kernel.initrd).for_each(whole);
    }
    // What an installer has in its folder is of the guest that it installs.
    if new.install.as_ref().is_some_and(|install| !install.files().all(|file| file.is_absolute())) {
        new.install = None;
    }
    for disk in &mut new.disks {
        if is_copied(disk, source) {
            disk.shareable = false;
            disk.path = format!("{}.qcow2", disk.name).into();
            disk.format = DiskFormat::Qcow2;
            disk.partitions.clear();
            // What it built on is in it.
            disk.backing.clear();
        } else {
            whole(&mut disk.path);
        }
    }
    for (number, nic) in new.nics.iter_mut().enumerate() {
        nic.mac = mac_of(if number == 0 { id } else { GuestId::random() });
        // A port of the host's leads to one guest, and both shall be able to run.
        nic.forwards.clear();
    }
    // One device is one guest's.
    new.usb.clear();
    new.pci.clear();
    new.power.autostart = false;
    new
}

/// Whether the new guest gets a copy of this disk. What is only read, or shared with others already, it has as well,
/// unless that goes when the other guest is deleted.
fn is_copied(disk: &Disk, source: &Path) -> bool {
    let goes_with_it = source.join(&disk.path).starts_with(source);
    goes_with_it || !(disk.read_only || disk.shareable)
}

/// Whether a disk that would be copied can be shared instead, by a layer for each guest on what it holds now. Another
/// format, or a file elsewhere, which may be known to others by its name, is copied in any case.
fn can_be_base(disk: &Disk, source: &Path) -> bool {
    let path = source.join(&disk.path);
    let is_own_file =
        path.parent() == Some(source) && path.symlink_metadata().is_ok_and(|found| found.is_file());
    disk.format == DiskFormat::Qcow2 && is_own_file
}

/// Makes sure that there is room for copies of the disks: as much as they take up now, at most.
fn check_room(
    source: &Path,
    definition: &Definition,
    new: &Path,
    is_linked: impl Fn(&Disk) -> bool,
) -> Result<(), Error> {
    /// The unit in which a file system counts, whatever its own is.
    const BLOCK: u64 = 512;
    let taken = |disk: &Disk| match volume_id(&source.join(&disk.path)) {
        Some(VolumeId::Device(_)) => disk.size(source).unwrap_or_default().as_bytes(),
        _ => std::fs::metadata(source.join(&disk.path)).map_or(0, |found| found.blocks() * BLOCK),
    };
    let needed: u64 =
        definition.disks.iter().filter(|disk| is_copied(disk, source) && !is_linked(disk)).map(taken).sum();
    if host::free_space(new).is_ok_and(|free| free.as_bytes() < needed) {
        return Err(store::no_space(new));
    }
    Ok(())
}

/// Makes sure that the files in a folder are on the disk.
fn flush(folder: &Path) -> Result<(), Error> {
    let flush = || {
        for entry in std::fs::read_dir(folder)? {
            std::fs::File::open(entry?.path())?.sync_all()?;
        }
        Ok(())
    };
    flush().map_err(|error| store::failed(folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::config::tests::example;

    #[test]
    fn a_disk_that_is_only_read_or_shared_is_the_same() {
        let mut one = example();
        one.disks[0].read_only = true;
        one.disks[0].path = "/elsewhere/disk.qcow2".into();
        let new = renewed(&one, Path::new("/guests/one"), GuestId::random(), "two".into());
        assert_eq!(new.disks[0].path, Path::new("/guests/one").join(&one.disks[0].path));
        assert_eq!(new.disks[0].format, one.disks[0].format);
    }

    #[test]
    fn a_copy_has_nothing_of_its_own_in_common_with_the_other() {
        let one = Definition {
            drives: vec![crate::guest::config::Drive { medium: Some("here.iso".into()) }],
            ..example()
        };
        let id = GuestId::random();
        let new = renewed(&one, Path::new("/guests/one"), id, "two".into());
        assert_eq!((new.id, &*new.name), (id, "two"));
        assert_ne!(new.nics[0].mac, one.nics[0].mac);
        assert_eq!((one.nics[0].forwards.len(), new.nics[0].forwards.len()), (1, 0));
        assert_eq!((one.usb.len(), new.usb.len()), (1, 0));
        assert_eq!((one.pci.len(), new.pci.len()), (1, 0));
        assert_eq!(new.disks[0].path, Path::new("disk0.qcow2"));
        assert_eq!(new.drives[0].medium.as_deref(), Some(Path::new("/guests/one/here.iso")));
        assert_eq!((new.cpus, new.memory), (one.cpus, one.memory));
    }
}
