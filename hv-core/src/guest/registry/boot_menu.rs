//! The boot menu on a guest's disk: shown, started from once, and its default changed.

use super::Registry;
use crate::bootmenu::{Change, NoAnswer, Place};
use crate::guest::disk_kernel::{self, FOLDER};
use crate::guest::handle::{Handle, Request};
use crate::guest::{disk, holders};
use crate::{files, storage, store};
use hv_api::{BootDefaultFault, BootMenu, Error, GuestInfo, GuestState, Operation};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::rc::Rc;
use tokio::task::spawn_local;
use tracing::{info, warn};

/// What was changed, so that it can be undone.
#[derive(Debug, Serialize, Deserialize)]
struct Undo {
    /// The disk.
    disk: String,
    /// What was written.
    change: Change,
}

impl Registry {
    /// The menu on a disk of a guest that does not run. Without a name: on the disk whose kernel it starts, or else
    /// the first.
    pub async fn boot_menu(&self, guest: &str, disk: Option<&str>) -> Result<BootMenu, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        if !matches!(info.state, GuestState::Off | GuestState::Crashed | GuestState::Saved) {
            // Its system is just writing to it.
            return Err(Error::wrong_state(&info, Operation::BootMenu));
        }
        let place = self.place(&handle, disk).await?;
        self.menu_at(&info.name, &place).await
    }

    /// Starts a guest with an entry of the menu on its disk, this once.
    pub async fn start_entry(&self, guest: &str, entry: u32, paused: bool) -> Result<GuestInfo, Error> {
        let handle = self.find(guest)?;
        if handle.info().state == GuestState::Saved {
            // It would go on with what it has in its memory.
            return Err(Error::wrong_state(&handle.info(), Operation::Start));
        }
        self.check_start(&handle.info()).await?;
        handle.ask(|answer| Request::StartEntry { entry, paused, answer }).await
    }

    /// Makes an entry of the menu the default, or undoes that; also where nobody waits for the answer any more.
    pub async fn set_boot_default(
        self: &Rc<Self>,
        guest: &str,
        disk: Option<String>,
        entry: Option<u32>,
    ) -> Result<BootMenu, Error> {
        let handle = self.find(guest)?;
        let registry = Rc::clone(self);
        let work = spawn_local(async move { registry.change_default(&handle, disk.as_deref(), entry).await });
        work.await.unwrap_or_else(|_panicked| Err(Error::GuestNotFound { guest: guest.to_owned() }))
    }

    async fn change_default(
        &self,
        handle: &Handle,
        disk: Option<&str>,
        entry: Option<u32>,
    ) -> Result<BootMenu, Error> {
        let info = handle.info();
        let wrong_state = |error| match error {
            Error::WrongState { guest, state, .. } => {
                Error::WrongState { guest, state, operation: Operation::BootMenu }
            }
            other => other,
        };
        // Until it is done, the guest can't start.
        let loan =
            handle.ask(|answer| Request::Lend { snapshot: None, answer }).await.map_err(wrong_state)?;
        if !loan.is_alone() {
            return Err(Error::BeingCloned { guest: info.name.clone() });
        }
        let place = disk_kernel::place(&loan.definition, disk, &self.context.store.folder(info.id)).await?;
        self.check_writable(&info, &place).await?;
        let failed = |reason| disk_kernel::error(&info.name, &place.name, reason);
        let undo_file = disk_kernel::undo_file(&self.context, &loan.definition);
        let reader = &self.context.boot_menus;
        let change = if let Some(entry) = entry {
            reader.change(&place, entry).await.map_err(failed)?
        } else {
            let nothing = || failed(NoAnswer::Default(BootDefaultFault::NothingToUndo, String::new()));
            let undo = read_undo(undo_file.clone()).await.filter(|undo| undo.disk == place.name);
            let undo = undo.ok_or_else(nothing)?;
            Some(reader.undo(&place, undo.change).await.map_err(failed)?)
        };
        let Some(change) = change else { return self.menu_at(&info.name, &place).await };
        let folder = self.context.log_folder(info.id).join(FOLDER);
        hv_api::paths::private_folder(&folder).map_err(|error| store::failed(&folder, &error))?;
        let Change { place: at, before, after, .. } = &change;
        if entry.is_some() {
            write_undo(undo_file.clone(), Undo { disk: place.name.clone(), change: change.clone() }).await?;
        }
        storage::overwrite((&place.path, place.format), *at, after, &folder).await?;
        info!(
            disk = place.name,
            file = change.file,
            at,
            bytes = after.len(),
            "changed the default of its boot menu"
        );
        let menu = self.menu_at(&info.name, &place).await;
        let is_done = |menu: &BootMenu| {
            entry.is_none_or(|wanted| menu.default_entry().is_some_and(|entry| entry.number == wanted))
        };
        match menu {
            Ok(menu) if is_done(&menu) => {
                if entry.is_none() {
                    drop(std::fs::remove_file(&undo_file));
                }
                Ok(menu)
            }
            _ => {
                // It was tried before. Whatever is otherwise now, what was there is put back.
                warn!(disk = place.name, "the changed default was not found again and is put back");
                storage::overwrite((&place.path, place.format), *at, before, &folder).await?;
                Err(failed(NoAnswer::Default(BootDefaultFault::NotLocated, change.file)))
            }
        }
    }

    /// Makes sure that the disk is this guest's alone, and not this computer's.
    async fn check_writable(&self, info: &GuestInfo, place: &Place) -> Result<(), Error> {
        let found = info.disks.iter().find(|disk| disk.name == place.name).and_then(disk::of_info);
        let fixed =
            |fault| disk_kernel::error(&info.name, &place.name, NoAnswer::Default(fault, String::new()));
        let Some(found) = found.filter(|disk| !disk.read_only && !disk.shareable) else {
            return Err(fixed(BootDefaultFault::NotWritable));
        };
        if !found.format.is_written() {
            return Err(fixed(BootDefaultFault::NotWritable));
        }
        let (id, guests) = (info.id, self.list());
        files::off_thread(move || holders::check_startable(id, &found, &guests)).await
    }

    async fn place(&self, handle: &Handle, disk: Option<&str>) -> Result<Place, Error> {
        let definition = handle.ask(Request::Definition).await?;
        disk_kernel::place(&definition, disk, &self.context.store.folder(definition.id)).await
    }

    async fn menu_at(&self, guest: &str, place: &Place) -> Result<BootMenu, Error> {
        let menu = self.context.boot_menus.menu(place).await;
        menu.map_err(|reason| disk_kernel::error(guest, &place.name, reason))
    }
}

async fn read_undo(file: PathBuf) -> Option<Undo> {
    let read = files::off_thread(move || Ok(std::fs::read(&file).ok())).await.ok().flatten()?;
    serde_json::from_slice(&read).ok()
}

async fn write_undo(file: PathBuf, undo: Undo) -> Result<(), Error> {
    files::off_thread(move || {
        let written = serde_json::to_vec(&undo).map_err(std::io::Error::other);
        written
            .and_then(|written| std::fs::write(&file, written))
            .map_err(|error| store::failed(&file, &error))
    })
    .await
}
