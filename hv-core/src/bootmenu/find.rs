//! Which boot loader a disk has, and what its menu comes to: looks through all file systems for the configurations that
//! are known, and makes one form of what they say.

use super::Choice;
use super::bls;
use super::bytes::Disk;
use super::environment;
use super::file_system::{FileSystem, Unreadable};
use super::grub::{self, By, Device, Item, Place, World};
use super::legacy::{self, Preset};
use super::partitions::{self, Partition};
use super::systemd_boot;
use hv_api::{BootLoader, BootMenu, BootMenuEntry, KernelFault};
use std::io::{self, Write};
use std::rc::Rc;

/// The largest kernel that is copied.
pub const LARGEST_KERNEL: u64 = 256 << 20;

/// The most that the initial file systems of one entry may have together.
pub const LARGEST_INITRD: u64 = 1 << 30;

/// The longest of the texts that come from a disk, in characters.
const LONGEST_TEXT: usize = 4096;

/// Where GRUB 2 has its configuration, where it has no partition of its own and where it has one.
const GRUB: [&str; 6] = [
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/grub/grub.cfg",
    "/grub2/grub.cfg",
    "/@/boot/grub/grub.cfg",
    "/@/boot/grub2/grub.cfg",
];

/// Where its first generation has it.
const LEGACY: [&str; 4] =
    ["/boot/grub/menu.lst", "/boot/grub/grub.conf", "/grub/menu.lst", "/grub/grub.conf"];

/// Where entries are of which each is a file.
const DESCRIBED: [&str; 2] = ["/loader/entries", "/boot/loader/entries"];

/// The configuration of systemd-boot.
const LOADER: &str = "/loader/loader.conf";

/// Why there is nothing to start, with what was looked at.
pub type Nothing = (KernelFault, String);

/// The boot loader that was found.
#[derive(Debug)]
pub struct Found {
    /// Whose configuration it is.
    pub loader: BootLoader,
    /// That.
    pub config: Place,
    /// All entries.
    pub items: Vec<Item>,
    /// Which is the default.
    pub default: Option<usize>,
    /// GRUB's environment block, where it was read.
    pub environment: Option<Place>,
    /// All files that say something of the default.
    pub files: Vec<Place>,
    /// The file systems.
    pub systems: Systems,
}

/// All file systems of a disk.
#[derive(Debug)]
pub struct Systems {
    all: Vec<(Partition, Result<FileSystem, Unreadable>)>,
}

impl Systems {
    /// Those of this disk.
    pub fn of(disk: &Rc<Disk>) -> Self {
        let partitions = partitions::read(disk).into_iter();
        Self { all: partitions.map(|one| (FileSystem::open(&one.part), one)).map(|(a, b)| (b, a)).collect() }
    }

    /// One of them, where it can be read.
    pub fn get(&self, device: Device) -> Option<&FileSystem> {
        self.all.get(device)?.1.as_ref().ok()
    }

    /// The number of the partition that one is on.
    pub fn number(&self, device: Device) -> Option<u32> {
        self.all.get(device)?.0.number
    }

    /// Those that can be read, the one that is marked first.
    pub fn readable(&self) -> Vec<(Device, &FileSystem)> {
        let mut devices: Vec<_> = self.all.iter().enumerate().collect();
        devices.sort_by_key(|(_, (partition, _))| !partition.active);
        devices
            .into_iter()
            .filter_map(|(device, (_, system))| Some((device, system.as_ref().ok()?)))
            .collect()
    }

    /// What was looked at, in words.
    fn looked_at(&self) -> String {
        let lines = self.all.iter().map(|(partition, system)| {
            let place =
                partition.number.map_or("the whole disk".to_owned(), |number| format!("partition {number}"));
            match system {
                Ok(system) if system.label.is_empty() => format!("{place}: {}", system.kind),
                Ok(system) => format!("{place}: {} “{}”", system.kind, system.label),
                Err(Some(what)) => format!("{place}: {what}"),
                Err(None) => format!("{place}: no file system that is known"),
            }
        });
        shown(&lines.collect::<Vec<_>>().join("; "))
    }
}

impl World for Systems {
    fn device(&self, name: &str) -> Option<Device> {
        let name = name.trim_matches(['(', ')']);
        let (disk, partition) = name.split_once(',').map_or((name, None), |(disk, rest)| (disk, Some(rest)));
        if disk != "hd0" {
            return None;
        }
        let digits =
            partition.map(|partition| partition.trim_start_matches(|c: char| c.is_ascii_alphabetic()));
        let number = match digits {
            None => None,
            Some(digits) => Some(digits.parse::<u32>().ok()?),
        };
        self.all.iter().position(|(partition, _)| partition.number == number)
    }

    fn name(&self, device: Device) -> String {
        self.number(device).map_or("hd0".to_owned(), |number| format!("hd0,{number}"))
    }

    fn search(&self, by: By, value: &str) -> Option<Device> {
        let value_lower = value.to_lowercase();
        let is = |system: &FileSystem| match by {
            By::Uuid => system.uuid == value_lower,
            By::Label => system.label == value,
            By::File => system.has_file(value),
        };
        self.all.iter().position(|(_, system)| !value.is_empty() && system.as_ref().is_ok_and(is))
    }

    fn read(&self, device: Device, path: &str, most: u64) -> Option<Vec<u8>> {
        self.get(device)?.read(path, most).ok()
    }

    fn has_file(&self, device: Device, path: &str) -> bool {
        self.get(device).is_some_and(|system| system.has_file(path))
    }

    fn names(&self, device: Device, path: &str) -> Vec<String> {
        self.get(device).map(|system| system.names(path)).unwrap_or_default()
    }
}

/// A text from a disk as it can be shown.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_TEXT).collect()
}

/// The boot loader of a disk, as firmware of that kind starts it.
///
/// # Errors
/// Where there is none that is known, or nothing in its menu starts a kernel.
pub fn menu(disk: &Rc<Disk>, uefi: bool) -> Result<Found, Nothing> {
    let found = first_menu(disk, uefi);
    if disk.gave_up() {
        return Err((KernelFault::Unreadable, "it takes too long to read".to_owned()));
    }
    found
}

fn first_menu(disk: &Rc<Disk>, uefi: bool) -> Result<Found, Nothing> {
    let systems = Systems::of(disk);
    let looked = systems.looked_at();
    if systems.readable().is_empty() {
        return Err((KernelFault::NoFileSystem, looked));
    }
    let mut empty = None;
    let mut kinds: [fn(&Systems, bool) -> Vec<Raw>; 3] = [all_grub, all_legacy, all_described];
    if uefi && has_systemd_boot(&systems) {
        kinds.rotate_right(1);
    }
    for kind in kinds {
        for raw in kind(&systems, uefi) {
            let Raw { loader, config, mut items, default, environment, files } = raw;
            for item in &mut items {
                settle(&systems, config.device, item);
            }
            if items.iter().any(|item| item.kernel.is_some()) {
                return Ok(Found { loader, config, items, default, environment, files, systems });
            }
            empty.get_or_insert(config.path);
        }
    }
    match empty {
        Some(config) => Err((KernelFault::NoEntry, shown(&format!("{config} ({looked})")))),
        None => Err((KernelFault::NoLoader, looked)),
    }
}

/// How many entries a text has, read as each of the files that boot loaders have; what fuzzers ask.
pub fn entries_in(text: &str) -> usize {
    let nothing = Systems { all: Vec::new() };
    let place = Place { device: 0, path: "/grub/grub.cfg".to_owned() };
    let block = environment::read(text.as_bytes());
    let other = environment::with(text.as_bytes(), "saved_entry", "x").is_some();
    let described = bls::read("x.conf", text);
    let chosen = systemd_boot::default(text, std::slice::from_ref(&described));
    let grub = [false, true].map(|uefi| grub::read(&nothing, &place, text, uefi).items.len());
    let others = block.len() + usize::from(other) + chosen.map_or(0, |_| 1);
    grub.iter().sum::<usize>() + legacy::read(text).entries.len() + others
}

/// What a configuration says.
struct Raw {
    loader: BootLoader,
    config: Place,
    items: Vec<Item>,
    default: Option<usize>,
    environment: Option<Place>,
    files: Vec<Place>,
}

/// Whether UEFI firmware finds systemd-boot, and no GRUB.
fn has_systemd_boot(systems: &Systems) -> bool {
    let has =
        |device: Device, name: &str, file: &str| systems.has_file(device, &format!("/EFI/{name}/{file}"));
    let readable = systems.readable();
    let mut folders = readable
        .iter()
        .flat_map(|(device, system)| system.names("/EFI").into_iter().map(|name| (*device, name)));
    let systemd = readable.iter().any(|(device, _)| has(*device, "systemd", "systemd-bootx64.efi"));
    systemd && !folders.any(|(device, name)| has(device, &name, "grubx64.efi"))
}

fn all_grub(systems: &Systems, uefi: bool) -> Vec<Raw> {
    let mut found = Vec::new();
    for (device, system) in systems.readable() {
        let efi = system.names("/EFI").into_iter().take(64).map(|name| format!("/EFI/{name}/grub.cfg"));
        let efi: Vec<String> = if system.kind == "FAT" { efi.collect() } else { Vec::new() };
        for path in GRUB.iter().map(|path| (*path).to_owned()).chain(efi) {
            let Some(text) = systems.read(device, &path, grub::LONGEST) else { continue };
            let config = Place { device, path };
            let menu = grub::read(systems, &config, &String::from_utf8_lossy(&text), uefi);
            let grub::Menu { items, default, environment, files } = menu;
            found.push(Raw { loader: BootLoader::Grub, config, items, default, environment, files });
        }
    }
    found
}

fn all_legacy(systems: &Systems, _uefi: bool) -> Vec<Raw> {
    let mut found = Vec::new();
    for (device, _) in systems.readable() {
        for path in LEGACY {
            let Some(text) = systems.read(device, path, grub::LONGEST) else { continue };
            let menu = legacy::read(&String::from_utf8_lossy(&text));
            let config = Place { device, path: path.to_owned() };
            let mut files = vec![config.clone()];
            let default = match menu.default {
                Preset::First => 0,
                Preset::Number(number) => number,
                Preset::Saved => {
                    let path = path
                        .rsplit_once('/')
                        .map(|(folder, _)| format!("{folder}/default"))
                        .unwrap_or_default();
                    let saved = systems.read(device, &path, environment::LONGEST);
                    files.push(Place { device, path });
                    saved.and_then(|saved| saved_number(&saved)).unwrap_or(0)
                }
            };
            let items: Vec<Item> = (0..)
                .zip(menu.entries)
                .map(|(number, entry): (usize, _)| {
                    let root = legacy_device(systems, &entry.root).unwrap_or(device);
                    let place = |path: &str| legacy_place(systems, root, path);
                    Item {
                        id: entry.title.clone(),
                        title: entry.title,
                        position: number.to_string(),
                        kernel: place(&entry.kernel),
                        initrds: entry.initrds.iter().filter_map(|path| place(path)).collect(),
                        append: entry.append,
                    }
                })
                .collect();
            let default = Some(default).filter(|default| *default < items.len());
            let default = default.or_else(|| (!items.is_empty()).then_some(0));
            found.push(Raw {
                loader: BootLoader::GrubLegacy,
                config,
                items,
                default,
                environment: None,
                files,
            });
        }
    }
    found
}

/// The number in the file in which GRUB's first generation notes the default.
pub fn saved_number(text: &[u8]) -> Option<usize> {
    str::from_utf8(text).ok()?.lines().next()?.trim().parse().ok()
}

/// The file system that GRUB's first generation calls so: `(hd0,0)` is that of the first partition.
fn legacy_device(systems: &Systems, name: &str) -> Option<Device> {
    let Some(inner) = name.strip_prefix('(').and_then(|rest| rest.split(')').next()) else {
        return systems.search(By::Uuid, name);
    };
    let number = inner.strip_prefix("hd0,")?.split(',').next()?.parse::<u32>().ok()?;
    systems.device(&format!("hd0,{}", number.checked_add(1)?))
}

fn legacy_place(systems: &Systems, root: Device, path: &str) -> Option<Place> {
    match path.split_once(')') {
        Some((device, rest)) if path.starts_with('(') => {
            let device = legacy_device(systems, &format!("{device})")).unwrap_or(root);
            Some(Place { device, path: rest.to_owned() })
        }
        _ => path.starts_with('/').then(|| Place { device: root, path: path.to_owned() }),
    }
}

fn all_described(systems: &Systems, _uefi: bool) -> Vec<Raw> {
    let readable = systems.readable();
    // The partition of the firmware and an extended one have entries together.
    let found = readable
        .iter()
        .flat_map(|(device, _)| DESCRIBED.map(|folder| grub::entries(systems, *device, folder)));
    let found: Vec<(Place, bls::Entry)> = found.flatten().collect();
    let Some((first, _)) = found.first() else { return Vec::new() };
    let loader =
        readable.iter().find(|(device, _)| systems.has_file(*device, LOADER)).map(|(device, _)| *device);
    let text = loader.and_then(|device| systems.read(device, LOADER, bls::LONGEST)).unwrap_or_default();
    let config = loader.map_or_else(|| first.clone(), |device| Place { device, path: LOADER.to_owned() });
    let mut entries = found;
    entries.sort_by(|(_, one), (_, other)| bls::systemd_order(one, other));
    let described: Vec<bls::Entry> = entries.iter().map(|(_, entry)| entry.clone()).collect();
    let default = systemd_boot::default(&String::from_utf8_lossy(&text), &described);
    let items = entries.into_iter().enumerate().map(|(number, (place, entry))| {
        let file = |path: &str| Place { device: place.device, path: path.to_owned() };
        let none = |_: &str| None;
        let initrds =
            entry.initrds.iter().map(|path| bls::expanded(path, none)).filter(|path| !path.is_empty());
        Item {
            kernel: Some(&entry.linux).filter(|path| !path.is_empty()).map(|path| file(path)),
            initrds: initrds.map(|path| file(&path)).collect(),
            append: bls::expanded(&entry.options, none),
            title: if entry.version.is_empty() || entry.title.contains(&entry.version) {
                entry.title
            } else {
                format!("{} ({})", entry.title, entry.version)
            },
            id: format!("{}.conf", entry.id),
            position: number.to_string(),
        }
    });
    let (items, files) = (items.collect(), vec![config.clone()]);
    vec![Raw { loader: BootLoader::SystemdBoot, config, items, default, environment: None, files }]
}

/// Where an entry's files are. A guest whose disk was once a partition of another names places that it does not have:
/// then its files are beside the menu.
fn settle(systems: &Systems, home: Device, item: &mut Item) {
    for place in item.kernel.iter_mut().chain(&mut item.initrds) {
        if !systems.has_file(place.device, &place.path) && systems.has_file(home, &place.path) {
            place.device = home;
        }
    }
}

impl Found {
    /// As clients are told.
    pub fn told(&self, disk: &str) -> BootMenu {
        BootMenu {
            disk: disk.to_owned(),
            loader: self.loader,
            config: shown(&self.config.path),
            partition: self.systems.number(self.config.device),
            entries: (0..self.items.len()).filter_map(|index| self.entry(index)).collect(),
        }
    }

    /// One of the entries.
    pub fn entry(&self, index: usize) -> Option<BootMenuEntry> {
        let item = self.items.get(index)?;
        let device = item.kernel.as_ref().map_or(self.config.device, |place| place.device);
        Some(BootMenuEntry {
            number: u32::try_from(index).ok()?,
            title: shown(&item.title),
            id: shown(&item.id),
            kernel: item.kernel.as_ref().map(|place| shown(&place.path)),
            initrds: item.initrds.iter().take(16).map(|place| shown(&place.path)).collect(),
            append: shown(&item.append),
            partition: self.systems.number(device),
            is_default: self.default == Some(index),
        })
    }

    /// The entry that is chosen.
    ///
    /// # Errors
    /// [`KernelFault::EntryNotFound`] with the names of those that there are.
    pub fn chosen(&self, choice: &Choice) -> Result<usize, Nothing> {
        let found = match choice {
            Choice::Default => self.default,
            Choice::Number(number) => Some(*number as usize).filter(|number| *number < self.items.len()),
            Choice::Named(name) => self.told("").named(name).map(|entry| entry.number as usize),
        };
        let titles =
            || self.items.iter().take(20).map(|item| shown(&item.title)).collect::<Vec<_>>().join("; ");
        found.ok_or_else(|| (KernelFault::EntryNotFound, shown(&titles())))
    }
}

/// Copies the kernel of an entry, and one behind the other what goes with it; says which entry that was, and whether
/// anything goes with it.
///
/// # Errors
/// Where there is no such entry, it starts no kernel, or its files can't be copied.
pub fn copy(
    found: &Found,
    choice: &Choice,
    kernel: &mut dyn Write,
    initrd: &mut dyn Write,
) -> Result<(BootMenuEntry, bool), Nothing> {
    let index = found.chosen(choice)?;
    let entry = found.entry(index).ok_or((KernelFault::EntryNotFound, String::new()))?;
    let item = &found.items[index];
    let Some(place) = &item.kernel else {
        return Err((KernelFault::NotLinux, entry.title));
    };
    copy_one(&found.systems, place, LARGEST_KERNEL, kernel)?;
    let mut copied: u64 = 0;
    for place in &item.initrds {
        // Each begins where the kernel looks for it.
        let padding = copied.next_multiple_of(4) - copied;
        let padded = initrd.write_all(&[0; 4][..padding as usize]);
        padded.map_err(|error| (KernelFault::Unreadable, error.to_string()))?;
        copied += padding;
        copied += copy_one(&found.systems, place, LARGEST_INITRD - copied.min(LARGEST_INITRD), initrd)?;
    }
    Ok((entry, copied > 0))
}

fn copy_one(systems: &Systems, place: &Place, most: u64, to: &mut dyn Write) -> Result<u64, Nothing> {
    let name = match systems.number(place.device) {
        Some(number) => format!("{} on partition {number}", shown(&place.path)),
        None => shown(&place.path),
    };
    if !systems.has_file(place.device, &place.path) {
        return Err((KernelFault::FileMissing, name));
    }
    let system = systems.get(place.device).ok_or((KernelFault::FileMissing, name.clone()))?;
    system.copy(&place.path, most, &mut |chunk| to.write_all(chunk)).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => (KernelFault::TooLarge, name),
        _ => (KernelFault::Unreadable, shown(&format!("{name}: {error}"))),
    })
}

#[cfg(test)]
pub mod tests;
