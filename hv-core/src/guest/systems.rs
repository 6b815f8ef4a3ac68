//! What a new guest gets by the operating system that it is for: resources, firmware, and devices that the system
//! has drivers for.
//!
//! Only what was left open is filled in. It reads the medium and looks for firmware, and so blocks.

use super::config::{Definition, Kernel};
use super::first_start::usual;
use super::install::{self, Install, MOST_RESTARTS};
use super::view::drive_name;
use crate::engine::DiskName;
use crate::express::{self, Plan};
use crate::host::firmware;
use crate::host::preferences::known;
use crate::inspect::{Limits, identify, suits_of, suits_of_tree, within};
use crate::osdb::resources::{Suits, suits};
use crate::osdb::{Database, Identity, Named};
use crate::tree::Tree;
use crate::{files, medium};
use hv_api::{DiskBus, Error, Firmware, NewDisk, NewGuest, NewNic};
use std::path::Path;

/// All machines that can be chosen have this beginning.
const MACHINE: &str = "pc-q35-";

/// The system of a new guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// What it is; nothing where that is unknown.
    pub system: Option<Named>,
    /// What suits it.
    pub suits: Suits,
    /// What there is for its installation; nothing where its medium is no installer's, or can be used without one.
    pub install: Option<Install>,
}

/// Which system a new guest is for: the one that was asked for, else the one on its medium or in its install tree.
///
/// # Errors
/// [`Error::OsUnknown`].
pub fn chosen(new: &NewGuest, tree: Option<&Tree>, database: &Database) -> Result<Chosen, Error> {
    let of_tree = tree.map(|tree| tree.found.identity.clone());
    let identity = new.iso.as_deref().and_then(|iso| on_medium(iso.as_ref(), database));
    let identity = of_tree.or(identity).unwrap_or_default();
    let install = if tree.is_none() { installation(&identity) } else { None };
    let of_medium = |system| {
        let suits = match tree {
            Some(_) => suits_of_tree(&identity, database),
            None => suits_of(&identity, identity.arch.as_deref(), database),
        };
        Chosen { system, suits, install: install.clone() }
    };
    let Some(os) = new.os.as_deref().filter(|os| !os.is_empty()) else {
        return Ok(of_medium(identity.system.clone()));
    };
    // What the medium says of itself may be newer than the database.
    if let Some(system) = identity.system.clone().filter(|system| system.id == os) {
        return Ok(of_medium(Some(system)));
    }
    if let Some((system, like)) = database.named(os) {
        let arch = identity.arch.as_deref().unwrap_or("x86_64");
        let suits = suits(database, Some(like), None, arch);
        return Ok(Chosen { system: Some(system), suits, install: install.clone() });
    }
    match identity.candidates.iter().find(|candidate| candidate.id == os) {
        Some(candidate) => Ok(of_medium(Some(candidate.clone()))),
        // Nothing can be said against it.
        None if database.is_empty() => Ok(of_medium(Some(Named { id: os.to_owned(), name: os.to_owned() }))),
        None => Err(Error::OsUnknown { os: os.to_owned() }),
    }
}

/// The installation that a medium in the first drive is for.
fn installation(identity: &Identity) -> Option<Install> {
    let medium = identity.eject.then(|| drive_name(0));
    let installs = identity.installer == Some(true) && identity.live == Some(false);
    installs.then(|| Install {
        medium,
        restarts: identity.restarts.clamp(1, MOST_RESTARTS),
        ..Install::default()
    })
}

/// How a new guest's system is installed without questions, where that was asked for.
///
/// # Errors
/// [`Error::ExpressNotOffered`], [`Error::AnswerInvalid`], [`Error::OptionNeeds`], [`Error::FileUnusable`].
pub fn express(new: &NewGuest, database: &Database) -> Result<Option<Plan>, Error> {
    let Some(asked) = &new.express else { return Ok(None) };
    let needs = |needs: &str| Error::OptionNeeds { option: "express".into(), needs: needs.into() };
    let iso = Path::new(new.iso.as_deref().ok_or_else(|| needs("iso"))?);
    if new.no_disk == Some(true) {
        return Err(needs("disk"));
    }
    let (mut file, length) = files::open_readable(iso)?;
    let facts = medium::read(&mut file, length).ok();
    let identity = facts.as_ref().map(|facts| identify(facts, None, database)).unwrap_or_default();
    let arch = identity.arch.clone().or_else(|| facts.and_then(|facts| facts.arch).map(str::to_owned));
    let known = known("/".as_ref());
    express::plan(iso, &identity, arch.as_deref(), asked, (&usual(&new.name), &known)).map(Some)
}

/// What there is for such an installation, of which the disc is in the first drive.
pub fn unattended(plan: &Plan) -> Install {
    let folder = Path::new(install::FOLDER);
    let kernel = Kernel {
        initrd: Some(folder.join(express::INITRD_FILE)),
        append: Some(plan.append.clone()),
        ..Kernel::of_file(folder.join(express::KERNEL_FILE))
    };
    Install {
        medium: Some(drive_name(0)),
        restarts: 1,
        unattended: true,
        kernel: Some(kernel),
        ..Install::default()
    }
}

/// Notes the system of a disk image that is known by its name, where nobody said another.
pub fn recognise_image(new: &mut NewGuest, database: &Database) {
    let file = new.image.as_deref().and_then(|image| Path::new(image).file_name());
    if new.os.is_none()
        && let Some(image) = file.and_then(|file| database.cloud_image(&file.to_string_lossy()))
    {
        new.os = image.system.map(|system| system.id);
    }
}

fn on_medium(iso: &Path, database: &Database) -> Option<Identity> {
    let (mut file, length) = files::open_readable(iso).ok()?;
    Some(identify(&medium::read(&mut file, length).ok()?, None, database))
}

/// Fills in what was left open. `tpm` tells whether this computer has TPMs for guests.
pub fn fill(new: &mut NewGuest, chosen: &Chosen, limits: Limits, tpm: bool) {
    let Chosen { system, suits, .. } = chosen;
    new.os = system.as_ref().map(|system| system.id.clone());
    let recommended = within(suits, limits);
    new.cpus.get_or_insert(recommended.cpus);
    new.memory.get_or_insert(recommended.memory);
    let has_disk = new.disk_path.is_some() || new.image.is_some() || new.disks.is_some();
    if !has_disk && new.no_disk != Some(true) {
        new.disk.get_or_insert(recommended.disk);
    }
    if new.firmware.is_none() && new.secure_boot.is_none() && suits.uefi {
        let has = |secure| !firmware::suitable(firmware::uefi(), MACHINE, secure).is_empty();
        if suits.secure && has(true) {
            (new.firmware, new.secure_boot) = (Some(Firmware::Uefi), Some(true));
        } else if has(false) {
            new.firmware = Some(Firmware::Uefi);
        }
    }
    // Its installer looks for both.
    if new.tpm.is_none() && suits.secure && tpm && new.firmware == Some(Firmware::Uefi) {
        new.tpm = Some(true);
    }
    if new.network != Some(false) {
        let nics = new.nics.get_or_insert_with(|| vec![NewNic::default()]);
        for nic in nics {
            nic.model.get_or_insert(suits.network);
        }
    }
}

/// Gives a guest the name of its system, what there is for the installation on an empty disk, and its new disk the bus that the system knows.
pub fn settle(definition: &mut Definition, new: &NewGuest, chosen: Chosen) {
    if new.disk_path.is_none() && new.disks.is_none() {
        for disk in definition.disks.iter_mut().filter(|disk| disk.name == DiskName::FIRST) {
            disk.bus = if chosen.suits.virtio_disk { disk.bus } else { DiskBus::Sata };
        }
    }
    let is_empty = |disk: &NewDisk| disk.path.is_none();
    let first = new.disks.as_ref().map(|disks| disks.first().is_some_and(is_empty));
    let single = new.image.is_none() && new.disk_path.is_none() && new.no_disk != Some(true);
    if definition.install.is_none() {
        definition.install = chosen.install.filter(|_| new.iso.is_some() && first.unwrap_or(single));
    }
    definition.os_name = chosen.system.map(|system| system.name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::{ByteSize, NicModel};

    const HOST: Limits = Limits { cpus: 4, memory: ByteSize::gib(16) };

    fn windows() -> Chosen {
        let system = Some(Named { id: "win11".into(), name: "Windows 11".into() });
        let usual = suits(&Database::default(), None, Some("winnt"), "x86_64");
        Chosen { system, suits: Suits { uefi: true, secure: true, ..usual }, install: None }
    }

    #[test]
    fn only_what_was_left_open_is_filled_in() {
        let mut new = NewGuest { cpus: Some(1), ..NewGuest::default() };
        fill(&mut new, &windows(), HOST, false);
        assert_eq!(
            (new.os.as_deref(), new.cpus, new.memory),
            (Some("win11"), Some(1), Some(ByteSize::gib(4)))
        );
        assert_eq!((new.disk, new.tpm), (Some(ByteSize::gib(64)), None));
        assert_eq!(new.nics.unwrap()[0].model, Some(NicModel::E1000e));

        let bios = NewGuest {
            firmware: Some(Firmware::Bios),
            no_disk: Some(true),
            network: Some(false),
            ..NewGuest::default()
        };
        let mut new = bios.clone();
        fill(&mut new, &windows(), HOST, true);
        assert_eq!((new.firmware, new.secure_boot, new.tpm), (bios.firmware, None, None));
        assert_eq!((new.disk, new.nics), (None, None));
    }

    #[test]
    fn a_system_that_nobody_knows_is_refused() {
        let mut builder = crate::osdb::DatabaseBuilder::default();
        let text = "<libosinfo><os id='http://a.org/a/1'><short-id>a1</short-id><name>A 1</name><version>1</version></os></libosinfo>";
        builder.add(crate::osdb::xml_content(text));
        let database = builder.finish(None);
        let name = |os: &str| {
            let found = chosen(&NewGuest { os: Some(os.into()), ..NewGuest::default() }, None, &database);
            found.map(|chosen| chosen.system.map(|system| system.name))
        };
        assert_eq!(name("a1"), Ok(Some("A 1".into())));
        assert_eq!(name("a2"), Ok(Some("A 2".into())), "the next one of a line");
        assert_eq!(name("b1"), Err(Error::OsUnknown { os: "b1".into() }));
        let none = Database::default();
        assert!(chosen(&NewGuest { os: Some("b1".into()), ..NewGuest::default() }, None, &none).is_ok());
    }
}
