//! A run of a guest of which nothing is kept: what it writes goes into layers on its disks, and into copies of its
//! firmware's variables and of what its TPM knows. All of that is in one folder of the guest's, which goes when the guest
//! is off. A guest that restarts itself meanwhile finds what it wrote.

use super::config::TPM_FOLDER;
use super::{boot, snapshots};
use crate::engine::{DiskConfig, DiskFormat, FirmwareConfig, MachineConfig};
use crate::guest::config::Definition;
use crate::{files, storage, store};
use hv_api::{ByteSize, Error};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tracing::warn;

/// The folder in the guest's.
pub const FOLDER: &str = "disposable";

/// Makes what a machine writes to, where it is not there from before a restart, and has the machine write to it.
///
/// # Errors
/// Where a disk can't be read, and [`Error::NoSpace`] and [`Error::StoreFailed`]; what was made stays until the next sweep.
pub async fn prepare(
    machine: &mut MachineConfig,
    definition: &Definition,
    folder: &Path,
) -> Result<(), Error> {
    let own = folder.join(FOLDER);
    hv_api::paths::private_folder(&own).map_err(|error| store::failed(&own, &error))?;
    for disk in machine.disks.iter_mut().filter(|disk| !disk.read_only) {
        let layer = own.join(format!("{}.qcow2", disk.name));
        if !layer.exists() {
            let beneath = disk.clone();
            let size = files::off_thread(move || size_of(&beneath)).await?;
            storage::create_volume(&layer, size).await?;
        }
        disk.layer = Some(layer);
    }
    let (has_tpm, machine_store) = (machine.tpm, boot::variable_store(definition, folder));
    let (home, to) = (folder.to_owned(), own.clone());
    let copied_store = files::off_thread(move || {
        if has_tpm && !to.join(TPM_FOLDER).exists() {
            snapshots::copy_tpm(&home, &to)?;
        }
        let Some(from) = machine_store.filter(|store| store.is_file()) else { return Ok(None) };
        let copy = to.join(from.file_name().unwrap_or_default());
        if !copy.exists() {
            fs::copy(&from, &copy).map_err(|error| store::failed(&copy, &error))?;
        }
        Ok(Some(copy))
    })
    .await?;
    if let (FirmwareConfig::Uefi(uefi), Some(copy)) = (&mut machine.firmware, copied_store) {
        uefi.store = copy;
    }
    if has_tpm {
        machine.run.tpm_folder = own.join(TPM_FOLDER);
    }
    Ok(())
}

/// How large the guest sees a disk.
fn size_of(disk: &DiskConfig) -> Result<ByteSize, Error> {
    let size = match &disk.partial {
        Some(partial) => Some(partial.length()),
        None => storage::volume_size(&disk.path, disk.format),
    };
    size.ok_or_else(|| store::failed(&disk.path, &io::ErrorKind::InvalidData.into()))
}

/// The disk that takes up room for what is written to this one: its layer, where it has one.
pub fn written(disk: &DiskConfig) -> (PathBuf, DiskFormat) {
    match &disk.layer {
        Some(layer) => (layer.clone(), DiskFormat::Qcow2),
        None => (disk.path.clone(), disk.format),
    }
}

/// Whether a guest that runs does so for such a run: what it writes to is made before its engine is started, and goes
/// after that has ended.
pub fn is_prepared(folder: &Path) -> bool {
    folder.join(FOLDER).is_dir()
}

/// Deletes it all. Nothing has it open any more.
pub fn sweep(folder: &Path) {
    let own = folder.join(FOLDER);
    match fs::remove_dir_all(&own) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(folder = %own.display(), %error, "what was not to be kept stays");
        }
        _ => {}
    }
}
