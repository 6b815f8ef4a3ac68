//! What the window asks of the core: each wish is one call, each failure a [`Problem`].

use crate::model::power::PowerAction;
use crate::widgets::power;
use hv_api::client::{CallError, Connection, settle};
use hv_api::{
    BootMenu, ByteSize, Core, DiskSettings, GuestId, LogKind, NewDisk, NewNic, NicSettings, PciAddress,
    Settings, SnapshotId, UsbDevice,
};
use std::path::PathBuf;
use virt_kit::daemon::{Daemon, ended};
use virt_kit::i18n::gettext;
use virt_kit::problem::{Problem, ProblemAction};

/// Something to be done to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Turn it on, off or whatever else its power control does.
    Power(PowerAction),
    /// Wait no longer until it has shut down.
    CancelShutdown,
    /// Change its settings.
    Set(Settings),
    /// Put a medium into a drive.
    Insert {
        /// The drive's name.
        drive: String,
        /// The medium.
        path: PathBuf,
    },
    /// Take the medium out of a drive.
    Eject {
        /// The drive's name.
        drive: String,
        /// Also where the guest holds it.
        force: bool,
    },
    /// Take a snapshot of it; an empty note is none.
    TakeSnapshot {
        /// Its name.
        name: String,
        /// What a person writes about it.
        note: String,
    },
    /// Put it back to a snapshot.
    RestoreSnapshot {
        /// Which.
        snapshot: SnapshotId,
        /// By what name a snapshot of what it is now is taken first.
        first: Option<String>,
    },
    /// Give a snapshot another name and note.
    EditSnapshot {
        /// Which.
        snapshot: SnapshotId,
        /// Its name.
        name: String,
        /// What a person writes about it.
        note: String,
    },
    /// Delete a snapshot.
    DeleteSnapshot(SnapshotId),
    /// Make another guest of it.
    Clone {
        /// The name of that one.
        name: String,
        /// As it was in this snapshot; nothing for what it is now.
        snapshot: Option<SnapshotId>,
        /// Whether both share what the disks hold now.
        linked: bool,
    },
    /// Change its network cards.
    Nic(NicWish),
    /// Give it a USB device of this computer's.
    AddUsb(UsbDevice),
    /// Take a USB device away from it.
    RemoveUsb(UsbDevice),
    /// Give it a PCI device of this computer's.
    AddPci(PciAddress),
    /// Take a PCI device away from it.
    RemovePci(PciAddress),
    /// Add a disk.
    AddDisk {
        /// The disk.
        disk: NewDisk,
        /// Copy the image instead of using it in place.
        copy: bool,
    },
    /// Take a disk away.
    RemoveDisk {
        /// The disk's name.
        disk: String,
        /// With its file.
        delete: bool,
    },
    /// Change what a disk is attached to and how.
    SetDisk {
        /// The disk's name.
        disk: String,
        /// What is changed.
        settings: DiskSettings,
    },
    /// Make a disk larger.
    GrowDisk {
        /// The disk's name.
        disk: String,
        /// Its new size.
        size: ByteSize,
    },
    /// Make an entry of the boot menu on its disk the default.
    SetBootDefault(u32),
    /// Start it with an entry of that menu, this once.
    StartEntry(u32),
    /// Delete it.
    Delete {
        /// With the disks made for it.
        disks: bool,
    },
}

/// Something to be done to a guest's network cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicWish {
    /// Give it one more.
    Add(NewNic),
    /// Take the one with this name away.
    Remove(String),
    /// Change the one with this name.
    Set(String, NicSettings),
}

/// Does it; answers when the core has.
pub async fn perform(daemon: Daemon, guest: GuestId, wish: Wish) -> Result<(), Problem> {
    let result = match wish {
        Wish::Power(action) => power::perform(&daemon, guest, action).await.map(drop),
        Wish::CancelShutdown => {
            daemon
                .call(async move |core| settle(core.cancel_shutdown(&guest.to_string()).await).map(drop))
                .await
        }
        Wish::Set(settings) => {
            daemon
                .call(async move |core| settle(core.set(&guest.to_string(), &settings).await).map(drop))
                .await
        }
        Wish::Insert { drive, path } => {
            let Ok(path) = path.into_os_string().into_string() else {
                return Err(unspeakable_path());
            };
            daemon
                .call(async move |core| {
                    settle(core.insert_medium(&guest.to_string(), Some(&drive), &path).await).map(drop)
                })
                .await
        }
        Wish::Eject { drive, force } => {
            daemon
                .call(async move |core| {
                    settle(core.eject_medium(&guest.to_string(), Some(&drive), Some(force)).await).map(drop)
                })
                .await
        }
        Wish::TakeSnapshot { name, note } => {
            daemon.call(async move |core| take_snapshot(core, guest, &name, Some(&note)).await).await
        }
        Wish::RestoreSnapshot { snapshot, first } => {
            daemon
                .call(async move |core| {
                    if let Some(name) = first {
                        take_snapshot(core, guest, &name, None).await?;
                    }
                    let begun = core.restore_snapshot(&guest.to_string(), &snapshot.to_string(), None).await;
                    ended(core, settle(begun)?.job).await
                })
                .await
        }
        Wish::EditSnapshot { snapshot, name, note } => {
            daemon
                .call(async move |core| {
                    let (guest, snapshot) = (guest.to_string(), snapshot.to_string());
                    settle(core.edit_snapshot(&guest, &snapshot, Some(&name), Some(&note)).await).map(drop)
                })
                .await
        }
        Wish::DeleteSnapshot(snapshot) => {
            daemon
                .call(async move |core| {
                    settle(core.delete_snapshot(&guest.to_string(), &snapshot.to_string()).await).map(drop)
                })
                .await
        }
        Wish::Clone { name, snapshot, linked } => {
            daemon
                .call(async move |core| {
                    let snapshot = snapshot.map(|snapshot| snapshot.to_string());
                    let begun =
                        core.clone_guest(&guest.to_string(), &name, snapshot.as_deref(), Some(linked)).await;
                    ended(core, settle(begun)?.job).await
                })
                .await
        }
        Wish::Nic(wish) => {
            daemon
                .call(async move |core| {
                    let guest = guest.to_string();
                    let reply = match wish {
                        NicWish::Add(nic) => core.add_nic(&guest, &nic).await,
                        NicWish::Remove(name) => core.remove_nic(&guest, Some(&name)).await,
                        NicWish::Set(name, settings) => core.set_nic(&guest, Some(&name), &settings).await,
                    };
                    settle(reply).map(drop)
                })
                .await
        }
        Wish::AddUsb(device) => {
            daemon
                .call(async move |core| settle(core.add_usb(&guest.to_string(), &device).await).map(drop))
                .await
        }
        Wish::RemoveUsb(device) => {
            daemon
                .call(async move |core| settle(core.remove_usb(&guest.to_string(), &device).await).map(drop))
                .await
        }
        Wish::AddPci(address) => {
            daemon
                .call(async move |core| settle(core.add_pci(&guest.to_string(), address).await).map(drop))
                .await
        }
        Wish::RemovePci(address) => {
            daemon
                .call(async move |core| settle(core.remove_pci(&guest.to_string(), address).await).map(drop))
                .await
        }
        Wish::AddDisk { disk, copy: false } => {
            daemon
                .call(async move |core| settle(core.add_disk(&guest.to_string(), &disk).await).map(drop))
                .await
        }
        Wish::AddDisk { disk, copy: true } => {
            daemon
                .call(async move |core| {
                    let job = settle(core.copy_disk(&guest.to_string(), &disk).await)?.job;
                    ended(core, job).await
                })
                .await
        }
        Wish::RemoveDisk { disk, delete } => {
            daemon
                .call(async move |core| {
                    settle(core.remove_disk(&guest.to_string(), &disk, Some(delete)).await).map(drop)
                })
                .await
        }
        Wish::SetDisk { disk, settings } => {
            daemon
                .call(async move |core| {
                    settle(core.set_disk(&guest.to_string(), &disk, &settings).await).map(drop)
                })
                .await
        }
        Wish::GrowDisk { disk, size } => {
            daemon
                .call(async move |core| {
                    settle(core.grow_disk(&guest.to_string(), Some(&disk), size).await).map(drop)
                })
                .await
        }
        Wish::SetBootDefault(entry) => {
            daemon
                .call(async move |core| {
                    settle(core.set_boot_default(&guest.to_string(), Some(entry), None).await).map(drop)
                })
                .await
        }
        Wish::StartEntry(entry) => {
            daemon
                .call(async move |core| {
                    settle(core.start_entry(&guest.to_string(), entry, None).await).map(drop)
                })
                .await
        }
        Wish::Delete { disks } => {
            daemon.call(async move |core| settle(core.delete(&guest.to_string(), Some(disks)).await)).await
        }
    };
    result.map_err(|trouble| Problem::from(&trouble))
}

async fn take_snapshot(
    core: &mut Connection,
    guest: GuestId,
    name: &str,
    note: Option<&str>,
) -> Result<(), CallError> {
    let job = settle(core.take_snapshot(&guest.to_string(), name, note).await)?.job;
    ended(core, job).await
}

/// The end of what the guest's engine wrote.
pub async fn read_log(daemon: Daemon, guest: GuestId) -> Result<String, Problem> {
    daemon
        .call(async move |core| settle(core.log(&guest.to_string(), LogKind::Engine, None).await))
        .await
        .map(|reply| reply.text)
        .map_err(|trouble| Problem::from(&trouble))
}

/// The command that a guest's next start runs, as a shell takes it.
pub async fn plan_start(daemon: Daemon, guest: GuestId) -> Result<String, Problem> {
    let plan = daemon.call(async move |core| settle(core.plan_start(&guest.to_string()).await)).await;
    plan.map(|plan| command(&plan.command)).map_err(|trouble| Problem::from(&trouble))
}

/// A command as a shell takes it, with each option on a line of its own.
fn command(words: &[String]) -> String {
    let mut text = String::new();
    for word in words {
        let begins = word.starts_with('-');
        text.push_str(if text.is_empty() {
            ""
        } else if begins {
            " \\\n  "
        } else {
            " "
        });
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
        if word.chars().all(plain) {
            text.push_str(word);
        } else {
            text.push_str(&glib::shell_quote(word).to_string_lossy());
        }
    }
    text
}

/// The menu of the boot loader on a guest's disk.
pub async fn boot_menu(daemon: Daemon, guest: GuestId) -> Result<BootMenu, Problem> {
    let menu = daemon.call(async move |core| settle(core.boot_menu(&guest.to_string(), None).await)).await;
    menu.map(|reply| reply.menu).map_err(|trouble| Problem::from(&trouble))
}

/// The models of CPUs that guests can have besides the usual one.
pub async fn cpu_models(daemon: Daemon) -> Result<Vec<String>, Problem> {
    let models = daemon.call(async move |core| settle(core.cpu_models().await)).await;
    models.map(|models| models.models).map_err(|trouble| Problem::from(&trouble))
}

/// The wire carries text, and a few file names are none.
fn unspeakable_path() -> Problem {
    Problem {
        code: "path-not-text",
        what: gettext("This file can't be used."),
        why: gettext("Its path has characters that are not UTF-8."),
        remedy: gettext("Rename the file or the folder that it is in."),
        action: Some(ProblemAction::ChooseAnotherFile),
        detail: None,
    }
}
