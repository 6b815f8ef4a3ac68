//! A guest's disks that come and go: their places, and whose they are; and PCI devices that go by themselves.

use super::Actor;
use crate::engine::DiskName;
use crate::guest::config::Definition;
use crate::guest::disk::Disk;
use crate::guest::edit::Edit;
use crate::guest::volumes::{Claim, Hold};
use crate::storage;
use hv_api::Error;
use std::path::Path;
use tokio::sync::oneshot;
use tracing::{info, warn};

impl Actor {
    /// Keeps a disk that is to be added for this guest alone, where that runs.
    pub(super) fn claim_for(&self, edit: &Edit) -> Result<(), Error> {
        match (edit, &self.record) {
            (Edit::AddDisk(disk), Some(record)) => {
                let mut machine = record.machine.clone();
                machine.disks.push(disk.clone());
                self.claim_disks(&machine)
            }
            _ => Ok(()),
        }
    }

    /// Makes the disks of this definition the guest's alone.
    pub(super) fn claim_disks(&self, definition: &Definition) -> Result<(), Error> {
        let folder = self.context.store.folder(definition.id);
        let claims = definition.disks.iter().flat_map(|disk| claims(disk, &folder)).collect();
        self.context.volumes.claim(definition.id, &self.definition.name, claims)
    }

    /// After a change of disks, whatever came of it: holds what the machine has, and nothing else any more.
    pub(super) fn hold_disks_after(&self, edit: &Edit) {
        let Some(record) =
            self.record.as_ref().filter(|_| matches!(edit, Edit::AddDisk(_) | Edit::RemoveDisk(_)))
        else {
            return;
        };
        if let Err(error) = self.claim_disks(&record.machine) {
            warn!(?error, "two running guests have the same disk");
        }
    }

    /// The guest has let go of a disk. It was asked to, and waited for, unless it took too long: then it is let go of
    /// here as well, now.
    pub(super) fn disk_gone(&mut self, name: DiskName) {
        let has = |definition: &Definition| definition.disks.iter().any(|disk| disk.name == name);
        let machine_has = self.record.as_ref().is_some_and(|record| has(&record.machine));
        if machine_has && !has(&self.definition) {
            info!(%name, "the guest let go of the disk in the end");
            let (answer, _nobody_waits) = oneshot::channel();
            self.edit(vec![Edit::RemoveDisk(name)], answer);
        }
    }

    /// The guest has let go of a PCI device, in time or later.
    pub(super) fn pci_gone(&mut self, number: u32) {
        if let Some(record) = &mut self.record {
            record.machine.pci.retain(|pci| pci.number != number);
            self.note_record();
            self.publish();
        }
    }
}

/// What a machine with this disk needs: the volume, and those that it builds on.
fn claims(disk: &Disk, folder: &Path) -> Vec<Claim> {
    let disk = Disk { path: folder.join(&disk.path), ..disk.clone() };
    let own =
        disk.volumes().into_iter().map(|volume| Claim { volume, path: disk.path.clone(), hold: disk.hold() });
    let backing = disk
        .foundation()
        .into_iter()
        .filter_map(|path| Some(Claim { volume: storage::volume_id(&path)?, path, hold: Hold::Read }));
    own.chain(backing).collect()
}
