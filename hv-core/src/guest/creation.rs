//! Making a guest: from what a person asked for, and what the host has, to a definition.

use super::boot;
use super::config::{Definition, Disk, Drive, Kernel, MAX_DISK, MAX_SERIAL_PORTS, MIN_DISK, VERSION};
use super::devices;
use super::disk_file::{self, Image};
use super::first_start::{self, FirstStart};
use super::forwards::mac_of;
use super::install::{self, Install};
use super::network::{Nic, NicEdit};
use super::power::PowerPolicy;
use crate::appliance::Appliance;
use crate::engine::{Amount, DiskFormat, DiskName, MAX_DISKS};
use crate::express::Plan;
use crate::inspect::{Limits, recommended};
use crate::job::Progress;
use crate::seed::SeedFile;
use crate::storage::{self, Source};
use crate::tree::{Place, Tree};
use crate::{files, host};
use hv_api::{ByteSize, Error, FileFault, GuestId, JobStage, NetworkMode, NewDisk, NewGuest, NewNic};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A guest to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What it will be.
    pub definition: Definition,
    /// The disks to make for it.
    pub own_disks: OwnDisks,
    /// What its system finds at its first start.
    pub first_start: Option<Vec<SeedFile>>,
    /// How its system is installed without questions.
    pub express: Option<Plan>,
    /// Appliances that disks are made from.
    pub appliances: BTreeSet<PathBuf>,
}

/// Disks that are made for a guest, with the names of their files.
pub type OwnDisks = Vec<(PathBuf, OwnDisk)>;

/// A disk that is made for its guest, in the guest's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnDisk {
    /// An empty one of this size.
    Empty(ByteSize),
    /// A copy of an image, where a size is said of that size.
    Copy(Image, Option<ByteSize>),
}

/// Decides everything that was left open, and makes sure that the files are there. Name, CPUs and memory
/// were checked already.
pub fn resolve(
    id: GuestId,
    new: &NewGuest,
    tree: Option<&Tree>,
    limits: Limits,
    machine: String,
) -> Result<Resolved, Error> {
    let no_disk = new.no_disk == Some(true);
    conflict("iso", new.iso.is_some(), "kernel", new.kernel.is_some())?;
    conflict("express", new.express.is_some(), "cloud", new.cloud.is_some())?;
    conflict("iso", new.iso.is_some(), "tree", new.tree.is_some())?;
    conflict("kernel", new.kernel.is_some(), "tree", new.tree.is_some())?;
    conflict("no_disk", no_disk, "tree", new.tree.is_some())?;
    conflict("kernel", new.kernel.is_some(), "kernel_disk", new.kernel_disk.is_some())?;
    let any = new.kernel.is_some() || new.kernel_disk.is_some() || new.tree.is_some();
    for (option, given, fits) in
        [("initrd", new.initrd.is_some(), new.kernel.is_some()), ("append", new.append.is_some(), any)]
    {
        if given && !fits {
            return Err(Error::OptionNeeds { option: option.into(), needs: "kernel".into() });
        }
    }
    conflict("disk", new.disk.is_some(), "disk_path", new.disk_path.is_some())?;
    conflict("disk", new.disk.is_some(), "no_disk", no_disk)?;
    conflict("network", new.network == Some(false), "nics", new.nics.is_some())?;
    conflict("disk_path", new.disk_path.is_some(), "no_disk", no_disk)?;
    conflict("image", new.image.is_some(), "no_disk", no_disk)?;
    conflict("image", new.image.is_some(), "disk_path", new.disk_path.is_some())?;
    if new.partitions.is_some() && new.disk_path.is_none() {
        return Err(Error::OptionNeeds { option: "partitions".into(), needs: "disk_path".into() });
    }
    for (option, given) in [
        ("disk", new.disk.is_some()),
        ("image", new.image.is_some()),
        ("disk_path", new.disk_path.is_some()),
        ("no_disk", no_disk),
    ] {
        conflict("disks", new.disks.is_some(), option, given)?;
    }

    let serial_ports = new.serial_ports.unwrap_or(1);
    if serial_ports > MAX_SERIAL_PORTS {
        return Err(Error::SerialPortsOutOfRange { requested: serial_ports, maximum: MAX_SERIAL_PORTS });
    }
    for path in [&new.iso, &new.kernel, &new.initrd].into_iter().flatten() {
        files::open_readable(path.as_ref())?;
    }
    let first_start = first_start::resolve(id, new)?;
    let (firmware, secure_boot) = boot::for_new(new)?;
    let suggested = recommended(limits);
    let (disks, own_disks) = match &new.disks {
        Some(disks) => listed(&new.name, disks)?,
        None if no_disk => (Vec::new(), Vec::new()),
        None => listed(&new.name, &[single(new, suggested.disk)])?,
    };
    let cpus = new.cpus.unwrap_or(suggested.cpus);
    let memory = new.memory.unwrap_or(suggested.memory);
    let definition = Definition {
        version: VERSION,
        id,
        name: new.name.clone(),
        os: new.os.clone(),
        os_name: None,
        machine,
        cpu_model: None,
        cpus,
        cpu_limit: None,
        max_cpus: Some(new.max_cpus.unwrap_or(limits.cpus).max(cpus)),
        memory,
        max_memory: new.max_memory.or_else(|| room(memory, limits)).map(|most| most.max(memory)),
        firmware,
        secure_boot,
        tpm: new.tpm.unwrap_or_default(),
        order: Vec::new(),
        serial_ports,
        watchdog: hv_api::Watchdog::None,
        sound: hv_api::SoundCard::None,
        installed: None,
        power: PowerPolicy::default(),
        kernel: kernel(new, &disks)?,
        install: tree.map(|tree| from_tree(tree, serial_ports > 0, new.append.as_deref())),
        first_start: first_start.is_some().then(FirstStart::new),
        disks,
        // Every guest has a drive, so that a medium can be put in at any time.
        drives: vec![Drive { medium: new.iso.as_ref().map(PathBuf::from) }],
        nics: Vec::new(),
        usb: Vec::new(),
        pci: Vec::new(),
    };
    let mut definition = with_nics(definition, new)?;
    if let Some(Tree { place: Place::Folder(_), .. }) = tree
        && definition.nics.iter().all(|nic| nic.mode != NetworkMode::User)
    {
        // It reaches the core's server by no other.
        return Err(Error::OptionNeeds { option: "tree".into(), needs: "nics (user)".into() });
    }
    if let Some(power) = &new.power {
        definition.power.set(power);
    }
    if let Some(devices) = &new.devices {
        devices::apply(devices, &mut definition);
    }
    let of_appliances = new.disks.iter().flatten().filter(|disk| disk.member.is_some());
    let appliances = of_appliances.filter_map(|disk| Some(PathBuf::from(disk.path.as_deref()?))).collect();
    Ok(Resolved { definition, own_disks, first_start, express: None, appliances })
}

/// The installation from a tree. The files that it names are fetched when the guest is made.
fn from_tree(tree: &Tree, serial: bool, added: Option<&str>) -> Install {
    let file = |name: &str| Path::new(install::FOLDER).join(name);
    let is_folder = matches!(tree.place, Place::Folder(_));
    Install {
        tree: Some(tree.place.text()),
        secret: is_folder.then(|| GuestId::random().to_string()),
        restarts: 1,
        kernel: Some(Kernel {
            initrd: Some(file("initrd")),
            append: Some(tree.append(serial, added)).filter(|append| !append.is_empty()),
            ..Kernel::of_file(file("linux"))
        }),
        ..Install::default()
    }
}

/// The kernel that is started directly, where one is.
fn kernel(new: &NewGuest, disks: &[Disk]) -> Result<Option<Kernel>, Error> {
    if let Some(image) = &new.kernel {
        let initrd = new.initrd.as_ref().map(PathBuf::from);
        return Ok(Some(Kernel { initrd, append: new.append.clone(), ..Kernel::of_file(image) }));
    }
    let Some(name) = &new.kernel_disk else { return Ok(None) };
    let found = disks.iter().find(|disk| disk.name.to_string() == *name);
    let found = found.ok_or_else(|| Error::DiskNotFound { guest: new.name.clone(), disk: name.clone() })?;
    Ok(Some(Kernel { append: new.append.clone(), ..Kernel::of_disk(found.name) }))
}

/// Room for memory that is added later: as much as the host has. Linux keeps 64 MiB for itself where there is
/// any, which a small guest would miss.
fn room(memory: ByteSize, limits: Limits) -> Option<ByteSize> {
    (memory >= ByteSize::gib(1)).then(|| ByteSize::mib(limits.memory.as_mib()))
}

/// The one disk of a guest of which no list says what it has.
fn single(new: &NewGuest, suggested: ByteSize) -> NewDisk {
    let NewGuest { disk, image, disk_path, partitions, backing, .. } = new.clone();
    let size = disk.or_else(|| (image.is_none() && disk_path.is_none()).then_some(suggested));
    let copy = image.is_some().then_some(true);
    NewDisk { size, copy, path: image.or(disk_path), partitions, backing, ..NewDisk::default() }
}

/// The disks that a list says, and which of them are to be made.
fn listed(guest: &str, list: &[NewDisk]) -> Result<(Vec<Disk>, OwnDisks), Error> {
    let (mut disks, mut made) = (Vec::new(), Vec::new());
    for (number, new) in list.iter().enumerate() {
        let too_many = || Error::TooManyDisks { guest: guest.to_owned(), maximum: MAX_DISKS as u32 };
        let name = DiskName::numbered(number).ok_or_else(too_many)?;
        let file = PathBuf::from(format!("{name}.qcow2"));
        let own = Disk::new(name, &file, DiskFormat::Qcow2);
        let copied = new.copy == Some(true);
        let mut disk = match (new.path.as_deref(), new.size) {
            (Some(path), size) if copied => {
                disk_file::check_copied(path.as_ref(), new)?;
                let source = source(path.as_ref(), new.member.as_deref())?;
                let image = Image::look(source, disk_file::known_format(new)?, new.backing.as_deref())?;
                let least = image.size().unwrap_or(MIN_DISK);
                size.map_or(Ok(()), |size| check_size(size, least))?;
                made.push((file, OwnDisk::Copy(image, size)));
                own
            }
            (Some(_), _) if new.member.is_some() => {
                return Err(Error::OptionNeeds { option: "member".into(), needs: "copy".into() });
            }
            (Some(_), Some(_)) => return Err(Error::conflict("size", "path")),
            (Some(path), None) => Disk { name, ..disk_file::found(path.as_ref(), new)? },
            (None, Some(size)) => {
                check_size(size, MIN_DISK)?;
                made.push((file, OwnDisk::Empty(size)));
                own
            }
            (None, None) => {
                return Err(Error::OptionNeeds { option: "disks".into(), needs: "size".into() });
            }
        };
        disk.set_new(new)?;
        disks.push(disk);
    }
    Ok((disks, made))
}

/// Where an image is that is copied: a file, or one that belongs to an appliance.
fn source(path: &Path, member: Option<&str>) -> Result<Source, Error> {
    let Some(member) = member else { return Ok(Source::of(path)) };
    let appliance = Appliance::open(path)?.ok_or_else(|| Error::FileUnusable {
        path: path.display().to_string(),
        fault: FileFault::WrongFormat,
        detail: "it is no appliance".into(),
    })?;
    appliance.find(member)
}

fn check_size(requested: ByteSize, minimum: ByteSize) -> Result<(), Error> {
    if (minimum..=MAX_DISK).contains(&requested) {
        return Ok(());
    }
    Err(Error::DiskSizeOutOfRange { requested, minimum, maximum: MAX_DISK })
}

/// Puts everything but the definition into the folder in which the guest is made.
///
/// # Errors
/// [`Error::FileUnusable`], [`Error::DiskSizeOutOfRange`], [`Error::NoSpace`], [`Error::StoreFailed`].
pub async fn furnish(folder: &Path, resolved: &Resolved, progress: &Progress) -> Result<(), Error> {
    progress.stage(JobStage::Disk, 0.0);
    make_disks(folder, resolved, progress).await?;
    progress.stage(JobStage::Definition, 0.5);
    let (plan, told, folder) = (resolved.express.clone(), resolved.first_start.clone(), folder.to_owned());
    files::off_thread(move || {
        if let Some(plan) = plan {
            plan.carry_out(&folder.join(install::FOLDER))?;
        }
        told.map_or(Ok(()), |files| first_start::write(&folder, &files))
    })
    .await
}

/// Which part of a creation it is to compare files with what they should be, and which to copy them.
const VERIFYING: Range<f64> = 0.0..0.2;
const COPYING: Range<f64> = 0.2..0.95;

/// Makes sure that there is room for the disks that are copied, and that what they are copied from is whole.
///
/// # Errors
/// [`Error::SpaceMissing`], [`Error::ApplianceDamaged`], [`Error::FileUnusable`].
pub async fn check_sources(resolved: &Resolved, folder: &Path, progress: &Progress) -> Result<(), Error> {
    let images = resolved.own_disks.iter().filter_map(|(_, disk)| match disk {
        OwnDisk::Copy(image, _) => Some(image),
        OwnDisk::Empty(_) => None,
    });
    let available = host::free_space(folder).ok();
    let most = images
        .clone()
        .map(Image::copy_takes_at_most)
        .try_fold(0_u64, |sum, most| Some(sum.saturating_add(most?.as_bytes())));
    // Where all that they could take is there, it need not be known any better.
    if let Some(available) = available.filter(|free| most.is_none_or(|most| free.as_bytes() < most)) {
        let mut needed = 0_u64;
        for image in images {
            needed = needed.saturating_add(image.copy_needs().await?.as_bytes());
        }
        let needed = ByteSize::bytes(needed);
        if available < needed {
            return Err(Error::SpaceMissing { path: folder.display().to_string(), needed, available });
        }
    }
    for appliance in &resolved.appliances {
        let told = |done, total| progress.share(JobStage::Verifying, Amount { done, total }, VERIFYING);
        Appliance::verify(appliance, told).await?;
    }
    Ok(())
}

/// Makes the guest's own disks in the folder in which the guest is made.
async fn make_disks(folder: &Path, resolved: &Resolved, progress: &Progress) -> Result<(), Error> {
    let Resolved { own_disks: disks, appliances, .. } = resolved;
    let part = if appliances.is_empty() { VERIFYING.start..COPYING.end } else { COPYING };
    let work = |disk: &OwnDisk| match disk {
        OwnDisk::Empty(_) => 0,
        OwnDisk::Copy(image, _) => image.work().as_bytes(),
    };
    let total = disks.iter().map(|(_, disk)| work(disk)).fold(0, u64::saturating_add);
    let mut before = 0;
    for (name, disk) in disks {
        let path = folder.join(name);
        match disk {
            OwnDisk::Empty(size) => storage::create_volume(&path, *size).await?,
            OwnDisk::Copy(image, size) => {
                let told = |amount: Amount| {
                    let done = ByteSize::bytes(amount.done.as_bytes().saturating_add(before));
                    let total = ByteSize::bytes(total);
                    progress.share(JobStage::Copying, Amount { done: done.min(total), total }, part.clone());
                };
                image.copy(&path, *size, told).await?;
                before = before.saturating_add(work(disk));
            }
        }
    }
    Ok(())
}

fn conflict(first: &str, has_first: bool, second: &str, has_second: bool) -> Result<(), Error> {
    if has_first && has_second {
        return Err(Error::conflict(first, second));
    }
    Ok(())
}

/// Gives a guest its network cards, at fixed places: any firmware and any system finds them there.
fn with_nics(mut definition: Definition, new: &NewGuest) -> Result<Definition, Error> {
    let usual = || if new.network == Some(false) { Vec::new() } else { vec![NewNic::default()] };
    for (index, nic) in new.nics.clone().unwrap_or_else(usual).into_iter().enumerate() {
        let mac = mac_of(if index == 0 { definition.id } else { GuestId::random() });
        if let NicEdit::Add(nic) = NicEdit::Add(Nic::new(nic, mac)?).settled(&definition, None)? {
            definition.nics.push(Nic { slot: None, ..nic });
        }
    }
    Ok(definition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::FileFault;

    const HOST: Limits = Limits { cpus: 4, memory: ByteSize::gib(16) };

    fn id() -> GuestId {
        "5f0c2a52-9a3e-4a75-b7d5-0c8b8f6d1e11".parse().unwrap()
    }

    fn resolved(new: NewGuest) -> Result<Resolved, Error> {
        resolve(id(), &NewGuest { name: "one".into(), ..new }, None, HOST, "pc-q35-7.2".into())
    }

    #[test]
    fn what_is_left_open_is_chosen() {
        let Resolved { definition, own_disks, .. } = resolved(NewGuest::default()).unwrap();
        assert_eq!(own_disks, [("disk0.qcow2".into(), OwnDisk::Empty(ByteSize::gib(20)))]);
        assert_eq!((definition.cpus, definition.memory), (2, ByteSize::gib(2)));
        assert_eq!(definition.nics[0].mac.to_string(), "52:54:00:6d:1e:11");
        assert_eq!(definition.drives, [Drive::default()]);
        assert_eq!(definition.serial_ports, 1);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let new = NewGuest { disk: Some(ByteSize::gib(1)), no_disk: Some(true), ..NewGuest::default() };
        let expected = Error::OptionsConflict { first: "disk".into(), second: "no_disk".into() };
        assert_eq!(resolved(new), Err(expected));
    }

    #[test]
    fn what_belongs_to_a_kernel_is_refused_without_one() {
        let new = NewGuest { append: Some("quiet".into()), ..NewGuest::default() };
        assert_eq!(
            resolved(new),
            Err(Error::OptionNeeds { option: "append".into(), needs: "kernel".into() })
        );
    }

    #[test]
    fn sizes_and_counts_have_limits() {
        let disk = |size| NewGuest { disk: Some(size), ..NewGuest::default() };
        assert!(matches!(resolved(disk(ByteSize::bytes(0))), Err(Error::DiskSizeOutOfRange { .. })));
        assert!(matches!(resolved(disk(ByteSize::bytes(u64::MAX))), Err(Error::DiskSizeOutOfRange { .. })));
        let ports = NewGuest { serial_ports: Some(5), ..NewGuest::default() };
        assert_eq!(resolved(ports), Err(Error::SerialPortsOutOfRange { requested: 5, maximum: 4 }));
    }

    #[test]
    fn a_disk_image_is_used_as_what_it_is_and_not_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, vec![b'x'; 4096]).unwrap();
        let new = NewGuest { disk_path: Some(path.display().to_string()), ..NewGuest::default() };
        assert!(matches!(resolved(new), Err(Error::FileUnusable { fault: FileFault::WrongFormat, .. })));
    }
}
