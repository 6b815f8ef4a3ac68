//! The kernel that a guest starts with and that is on its own disk: looked for at each start, copied into the guest's
//! folder of logs, and started from there. Nothing else is started where there is none.
//!
//! What was copied stays until the next start: a guest that is restored needs the same again, since its machine has
//! the boot record with which it was started.

use super::config::Definition;
use super::context::Context;
use crate::bootmenu::{Choice, Extracted, NoAnswer, Place};
use crate::engine::{DiskFormat, KernelConfig};
use crate::storage::partial::Partial;
use crate::{files, store};
use hv_api::{Error, Firmware};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tracing::info;

/// The folder of what was copied, in the guest's folder of logs.
pub const FOLDER: &str = "boot";

/// What was copied, in that folder.
const NOTE: &str = "boot.json";

/// What was copied.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    append: String,
    initrd: bool,
}

/// The disk whose boot loader chooses; nothing where none is to.
pub async fn place(definition: &Definition, name: Option<&str>, folder: &Path) -> Result<Place, Error> {
    let wanted = name.map(str::to_owned).or_else(|| Some(definition.kernel_disk()?.to_string()));
    let found = match &wanted {
        None => definition.disks.first(),
        Some(name) => definition.disks.iter().find(|disk| disk.name.to_string() == *name),
    };
    let disk = found.ok_or_else(|| Error::DiskNotFound {
        guest: definition.name.clone(),
        disk: wanted.unwrap_or_default(),
    })?;
    let (name, uefi) = (disk.name.to_string(), definition.firmware == Firmware::Uefi);
    if disk.is_partial() {
        let Partial { descriptor: path, pieces } = disk.lay_out(folder).await?;
        return Ok(Place { name, path, format: DiskFormat::Vmdk, pieces, uefi });
    }
    Ok(Place { name, path: folder.join(&disk.path), format: disk.format, pieces: Vec::new(), uefi })
}

/// A disk that is no guest's yet.
pub fn place_of(path: &Path, format: DiskFormat) -> Place {
    let (name, path) = ("disk0".to_owned(), path.to_owned());
    Place { name, path, format, pieces: Vec::new(), uefi: false }
}

/// Why there is no answer, as clients are told.
pub fn error(guest: &str, disk: &str, reason: NoAnswer) -> Error {
    let (guest, disk) = (guest.to_owned(), disk.to_owned());
    match reason {
        NoAnswer::Kernel(fault, detail) => Error::KernelNotOnDisk { guest, disk, fault, detail },
        NoAnswer::Default(fault, detail) => Error::BootDefaultFixed { guest, disk, fault, detail },
        NoAnswer::File(error) => error,
    }
}

/// The entry that a definition names.
pub fn choice(definition: &Definition) -> Choice {
    let entry = definition.kernel.as_ref().and_then(|kernel| kernel.entry.clone());
    entry.map_or(Choice::Default, Choice::Named)
}

/// Copies what an entry starts.
pub async fn copied(
    context: &Context,
    definition: &Definition,
    choice: Choice,
) -> Result<KernelConfig, Error> {
    let place = place(definition, None, &context.store.folder(definition.id)).await?;
    let folder = context.log_folder(definition.id).join(FOLDER);
    let copied = context.boot_menus.copy(&place, choice, &folder).await;
    let copied = copied.map_err(|reason| error(&definition.name, &place.name, reason))?;
    let Extracted { entry, kernel, initrd } = copied;
    info!(title = entry.title, kernel = entry.kernel, "starting the kernel of its own disk");
    let append = appended(definition, &entry.append);
    let note = Note { append: append.clone(), initrd: initrd.is_some() };
    files::off_thread(move || {
        let file = folder.join(NOTE);
        let written = serde_json::to_vec(&note).map_err(std::io::Error::other);
        written
            .and_then(|written| std::fs::write(&file, written))
            .map_err(|error| store::failed(&file, &error))
    })
    .await?;
    Ok(KernelConfig { kernel, initrd, append: Some(append) })
}

/// What was copied when the guest was started last; copied anew where it is gone.
pub async fn kept(context: &Context, definition: &Definition) -> Result<KernelConfig, Error> {
    let folder = context.log_folder(definition.id).join(FOLDER);
    let (kernel, initrd) = (folder.join("kernel"), folder.join("initrd"));
    let found = files::off_thread(move || {
        let note: Option<Note> =
            std::fs::read(folder.join(NOTE)).ok().and_then(|note| serde_json::from_slice(&note).ok());
        Ok(note.filter(|note| kernel.is_file() && (!note.initrd || initrd.is_file())).map(|note| {
            KernelConfig { kernel, initrd: note.initrd.then_some(initrd), append: Some(note.append) }
        }))
    });
    match found.await? {
        Some(kept) => Ok(kept),
        None => copied(context, definition, choice(definition)).await,
    }
}

/// What would be started; copies nothing.
pub async fn planned(context: &Context, definition: &Definition) -> Result<KernelConfig, Error> {
    let place = place(definition, None, &context.store.folder(definition.id)).await?;
    let failed = |reason| error(&definition.name, &place.name, reason);
    let menu = context.boot_menus.menu(&place).await.map_err(failed)?;
    let wanted = definition.kernel.as_ref().and_then(|kernel| kernel.entry.as_ref());
    let entry = match wanted {
        None => menu.default_entry(),
        Some(name) => menu.named(name),
    };
    let entry = entry.filter(|entry| entry.kernel.is_some());
    let entry = entry.ok_or_else(|| {
        failed(NoAnswer::Kernel(hv_api::KernelFault::NotLinux, wanted.cloned().unwrap_or_default()))
    })?;
    let folder = context.log_folder(definition.id).join(FOLDER);
    let initrd = (!entry.initrds.is_empty()).then(|| folder.join("initrd"));
    let append = appended(definition, &entry.append);
    Ok(KernelConfig { kernel: folder.join("kernel"), initrd, append: Some(append) })
}

/// The command line of an entry, with what the definition adds.
fn appended(definition: &Definition, entry: &str) -> String {
    let added = definition.kernel.as_ref().and_then(|kernel| kernel.append.as_deref()).unwrap_or_default();
    [entry, added].join(" ").trim().to_owned()
}

/// Where what was changed on a guest's disk is noted, so that it can be undone.
pub fn undo_file(context: &Context, definition: &Definition) -> PathBuf {
    context.log_folder(definition.id).join(FOLDER).join("undo.json")
}
