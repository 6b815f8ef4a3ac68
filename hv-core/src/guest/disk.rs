//! A guest's disks, as its definition has them: what they are, what can be, and what of them can be changed while
//! the guest runs. Pure.

use super::config::Definition;
use super::{slots, usb};
use crate::engine::{DiskConfig, DiskFormat, DiskName, MAX_DISKS};
use crate::storage::partial::{self, Partial};
use hv_api::{DiskBus, DiskCache, DiskInfo, DiskSettings, Error, NewDisk, NotNow, PendingChange};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::{Path, PathBuf};

/// The longest serial number that all buses can show, in characters.
const MAX_SERIAL: usize = 20;

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Disk {
    /// Its name.
    pub name: DiskName,
    /// The file behind it.
    pub path: PathBuf,
    /// The partitions that the guest gets of the physical disk at `path`; none where it gets all that is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<u32>,
    /// Its format.
    pub format: DiskFormat,
    /// The files outside of the guest's folder that it builds on, to which somebody has agreed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backing: Vec<String>,
    /// What it is attached to.
    #[serde(default = "usual_bus", skip_serializing_if = "is_usual_bus")]
    pub bus: DiskBus,
    /// The slot that it is in; nothing where it has a fixed place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// How it is cached.
    #[serde(default = "usual_cache", skip_serializing_if = "is_usual_cache")]
    pub cache: DiskCache,
    /// Whether what the guest deletes is given back to the host.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub discard: bool,
    /// The serial number that the guest sees, where it is not the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Whether the guest can only read it.
    #[serde(default, skip_serializing_if = "is_no")]
    pub read_only: bool,
    /// Whether guests may have it at the same time.
    #[serde(default, skip_serializing_if = "is_no")]
    pub shareable: bool,
}

impl Disk {
    /// A disk that is as disks are where nothing else is said.
    pub fn new(name: DiskName, path: impl Into<PathBuf>, format: DiskFormat) -> Self {
        Self {
            name,
            path: path.into(),
            partitions: Vec::new(),
            format,
            backing: Vec::new(),
            bus: usual_bus(),
            slot: None,
            cache: usual_cache(),
            discard: true,
            serial: None,
            read_only: false,
            shareable: false,
        }
    }

    /// As an engine is asked for it. `folder` is the guest's own.
    pub fn config(&self, folder: &Path) -> DiskConfig {
        let Self { name, path, format, bus, slot, cache, discard, serial, read_only, shareable, .. } =
            self.clone();
        let path = folder.join(path);
        DiskConfig {
            name,
            path,
            is_device: false,
            partial: self.is_partial().then(|| Partial::planned(folder, &name.to_string())),
            layer: None,
            format,
            bus,
            slot,
            cache,
            discard,
            serial,
            read_only,
            shareable,
        }
    }

    /// Whether the guest gets some partitions of a physical disk and nothing else of it.
    pub fn is_partial(&self) -> bool {
        !self.partitions.is_empty()
    }

    /// Takes new settings over.
    pub fn set(&mut self, settings: &DiskSettings) {
        let DiskSettings { bus, cache, discard, serial, read_only, shareable } = settings.clone();
        self.bus = bus.unwrap_or(self.bus);
        if !has_slot(self.bus) {
            self.slot = None;
        }
        self.cache = cache.unwrap_or(self.cache);
        self.discard = discard.unwrap_or(self.discard);
        if let Some(serial) = serial {
            self.serial = Some(serial).filter(|serial| !serial.is_empty());
        }
        self.read_only = read_only.unwrap_or(self.read_only);
        self.shareable = shareable.unwrap_or(self.shareable);
    }

    /// Takes over what was asked for a new disk. Its path is absolute, for what may be wrong with it.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    pub fn set_new(&mut self, new: &NewDisk) -> Result<(), Error> {
        self.set(&DiskSettings {
            bus: new.bus,
            cache: new.cache,
            discard: new.discard,
            serial: new.serial.clone(),
            read_only: new.read_only,
            shareable: new.shareable,
        });
        self.check()
    }

    /// Whether there can be such a disk.
    ///
    /// # Errors
    /// [`Error::SerialInvalid`], [`Error::OptionsConflict`], [`Error::FormatOnlyRead`].
    pub fn check(&self) -> Result<(), Error> {
        if let Some(serial) = &self.serial {
            let printable = serial.bytes().all(|byte| byte.is_ascii_graphic());
            if serial.is_empty() || serial.len() > MAX_SERIAL || !printable {
                return Err(Error::SerialInvalid { serial: serial.clone(), longest: MAX_SERIAL as u32 });
            }
        }
        if !self.format.is_written() && !self.read_only {
            let (path, format) = (self.path.display().to_string(), self.format.name().to_owned());
            return Err(Error::FormatOnlyRead { path, format });
        }
        if self.read_only && self.bus == DiskBus::Sata {
            return Err(Error::conflict("read-only", "bus=sata"));
        }
        if self.is_partial() {
            let mut sorted = self.partitions.clone();
            sorted.sort_unstable();
            sorted.dedup();
            let are_numbers = sorted.len() == self.partitions.len() && !sorted.contains(&0);
            if !are_numbers || sorted.len() > partial::MOST || self.format != DiskFormat::Raw {
                return Err(Error::OptionNeeds {
                    option: "partitions".into(), needs: "path=/dev/…".into()
                });
            }
            if self.shareable {
                return Err(Error::conflict("shareable", "partitions"));
            }
        }
        if self.shareable && self.format != DiskFormat::Raw {
            return Err(Error::conflict("shareable", &format!("format={}", self.format.name())));
        }
        Ok(())
    }

    /// The same with a name and a slot that nobody has, for a guest that is to be `wanted`, and whose machine, where
    /// there is one, is `running`.
    ///
    /// # Errors
    /// [`Error::TooManyDisks`].
    pub fn placed(&self, wanted: &Definition, running: Option<&Definition>) -> Result<Self, Error> {
        let definitions: Vec<&Definition> = std::iter::once(wanted).chain(running).collect();
        let taken = definitions.iter().flat_map(|definition| &definition.disks).map(|disk| disk.name);
        let usb_taken = (0..MAX_DISKS)
            .filter_map(DiskName::numbered)
            .filter(|name| self.bus == DiskBus::Usb && usb::is_at_disk(definitions.iter().copied(), *name));
        let name = DiskName::free(taken.chain(usb_taken))
            .ok_or_else(|| Error::TooManyDisks { guest: wanted.name.clone(), maximum: MAX_DISKS as u32 })?;
        let slot = if has_slot(self.bus) { slots::free(&definitions) } else { None };
        Ok(Self { name, slot, ..self.clone() })
    }

    /// Why it can't be given to a machine that runs; nothing where it can.
    pub fn waits(&self) -> Option<NotNow> {
        if self.is_partial() {
            return Some(NotNow::EngineCannot);
        }
        match self.bus {
            DiskBus::Usb => None,
            DiskBus::Sata => Some(NotNow::Fixed),
            DiskBus::Virtio | DiskBus::Nvme | DiskBus::Scsi if self.slot.is_some() => None,
            DiskBus::Virtio | DiskBus::Nvme | DiskBus::Scsi => Some(NotNow::BeyondMaximum),
        }
    }

    /// Whether a machine that runs and has it can lose it.
    pub fn is_removable(&self) -> bool {
        self.waits().is_none()
    }
}

/// The settings that are named, by their names.
pub fn keys(settings: &DiskSettings) -> Vec<&'static str> {
    let DiskSettings { bus, cache, discard, serial, read_only, shareable } = settings;
    let named = [
        ("bus", bus.is_some()),
        ("cache", cache.is_some()),
        ("discard", discard.is_some()),
        ("serial", serial.is_some()),
        ("read-only", read_only.is_some()),
        ("shareable", shareable.is_some()),
    ];
    named.into_iter().filter(|(_, named)| *named).map(|(key, _)| key).collect()
}

/// Whether disks of this bus are devices of the machine's own bus, and have a slot if they were added.
pub fn has_slot(bus: DiskBus) -> bool {
    match bus {
        DiskBus::Virtio | DiskBus::Nvme | DiskBus::Scsi => true,
        DiskBus::Sata | DiskBus::Usb => false,
    }
}

/// The buses to which a disk can be added at once, where a machine runs.
pub fn live_buses(wanted: &Definition, running: &Definition) -> Vec<DiskBus> {
    let slot = slots::free(&[wanted, running]).is_some();
    let all = [DiskBus::Virtio, DiskBus::Sata, DiskBus::Nvme, DiskBus::Scsi, DiskBus::Usb];
    all.into_iter().filter(|bus| *bus == DiskBus::Usb || has_slot(*bus) && slot).collect()
}

/// What the definition says otherwise than a machine has it.
pub fn pending(running: &Definition, next: &Definition) -> Vec<PendingChange> {
    let mut changes = Vec::new();
    let mut change = |key: String, now: String, next: String| {
        if now != next {
            changes.push(PendingChange { key, now, next });
        }
    };
    let of = |definition: &Definition, name| definition.disks.iter().find(|disk| disk.name == name).cloned();
    for name in (0..MAX_DISKS).filter_map(DiskName::numbered) {
        match (of(running, name), of(next, name)) {
            (None, None) => {}
            (None, Some(next)) => change(name.to_string(), "none".into(), next.path.display().to_string()),
            (Some(now), None) => change(name.to_string(), now.path.display().to_string(), "none".into()),
            (Some(now), Some(next)) => {
                change(name.to_string(), now.path.display().to_string(), next.path.display().to_string());
                for ((key, now), (_, next)) in shown(&now).into_iter().zip(shown(&next)) {
                    change(format!("{name}.{key}"), now, next);
                }
            }
        }
    }
    changes
}

/// What can be set of a disk, as `hv` writes it.
fn shown(disk: &Disk) -> [(&'static str, String); 6] {
    [
        ("bus", bus_word(disk.bus).to_owned()),
        ("cache", cache_word(disk.cache).to_owned()),
        ("discard", disk.discard.to_string()),
        ("serial", disk.serial.clone().unwrap_or_else(|| disk.name.to_string())),
        ("read-only", disk.read_only.to_string()),
        ("shareable", disk.shareable.to_string()),
    ]
}

fn bus_word(bus: DiskBus) -> &'static str {
    match bus {
        DiskBus::Virtio => "virtio",
        DiskBus::Sata => "sata",
        DiskBus::Nvme => "nvme",
        DiskBus::Scsi => "scsi",
        DiskBus::Usb => "usb",
    }
}

fn cache_word(cache: DiskCache) -> &'static str {
    match cache {
        DiskCache::Writeback => "writeback",
        DiskCache::None => "none",
        DiskCache::Directsync => "directsync",
        DiskCache::Unsafe => "unsafe",
    }
}

/// The disk that clients were told of; nothing where what they were told is no disk of ours.
pub fn of_info(info: &DiskInfo) -> Option<Disk> {
    let name = info.name.parse().ok()?;
    Some(Disk {
        partitions: info.partitions.clone(),
        backing: info.backing.clone(),
        bus: info.bus,
        slot: None,
        cache: info.cache,
        discard: info.discard,
        serial: info.serial.clone(),
        read_only: info.read_only,
        shareable: info.shareable,
        ..Disk::new(name, &info.path, DiskFormat::of_name(&info.format)?)
    })
}

/// Reads a guest's disks. Those of a file from a time in which disks had no names are called by their places.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Disk>, D::Error> {
    let tables = Vec::<toml::Table>::deserialize(deserializer)?;
    let mut disks: Vec<Disk> = Vec::new();
    for (place, mut table) in tables.into_iter().enumerate() {
        table.entry("name").or_insert_with(|| format!("disk{place}").into());
        let disk = Disk::deserialize(table).map_err(D::Error::custom)?;
        disk.check().map_err(|error| D::Error::custom(format!("{}: {error:?}", disk.name)))?;
        if disks.iter().any(|other| other.name == disk.name) {
            return Err(D::Error::custom(format!("two disks are called {}", disk.name)));
        }
        disks.push(disk);
    }
    Ok(disks)
}

fn usual_bus() -> DiskBus {
    DiskBus::Virtio
}

fn usual_cache() -> DiskCache {
    DiskCache::Writeback
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_usual_bus(bus: &DiskBus) -> bool {
    *bus == usual_bus()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_usual_cache(cache: &DiskCache) -> bool {
    *cache == usual_cache()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_no(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::config::tests::example;
    use proptest::prelude::*;

    fn raw() -> Disk {
        Disk::new(DiskName::FIRST, "/d", DiskFormat::Raw)
    }

    #[test]
    fn what_can_not_be_is_refused() {
        assert_eq!(raw().check(), Ok(()));
        let check = |change: &dyn Fn(&mut Disk)| {
            let mut disk = raw();
            change(&mut disk);
            disk.check()
        };
        for serial in ["", "a b", "a\n", "é", "123456789012345678901"] {
            let refused = check(&|disk| disk.serial = Some(serial.into()));
            assert!(matches!(refused, Err(Error::SerialInvalid { .. })), "{serial:?}");
        }
        assert_eq!(check(&|disk| disk.serial = Some("a,b=\"c\"".into())), Ok(()));
        assert!(check(&|disk| disk.format = DiskFormat::Vmdk).is_err());
        assert!(check(&|disk| (disk.bus, disk.read_only) = (DiskBus::Sata, true)).is_err());
        assert!(check(&|disk| (disk.format, disk.shareable) = (DiskFormat::Qcow2, true)).is_err());
        assert_eq!(check(&|disk| disk.shareable = true), Ok(()));
    }

    #[test]
    fn a_disk_that_is_added_gets_a_name_and_a_slot_that_nobody_has() {
        let (wanted, mut running) = (example(), example());
        running.disks.push(Disk {
            slot: Some(0),
            ..Disk::new(DiskName::numbered(1).unwrap(), "/leaving", DiskFormat::Raw)
        });
        let disk = raw().placed(&wanted, Some(&running)).unwrap();
        assert_eq!((disk.name, disk.slot), (DiskName::numbered(2).unwrap(), Some(1)));
        let disk = Disk { bus: DiskBus::Usb, ..disk }.placed(&wanted, None).unwrap();
        assert_eq!((disk.name, disk.slot), (DiskName::numbered(1).unwrap(), None));
        let mut crowded = Definition { usb: Vec::new(), ..example() };
        while let Ok(disk) = disk.placed(&crowded, None) {
            crowded.disks.push(disk);
        }
        assert_eq!(crowded.disks.len(), MAX_DISKS);
        assert_eq!(Definition::read(&crowded.write()), Ok(crowded));
    }

    #[test]
    fn what_differs_is_pending() {
        let running = example();
        let mut next = example();
        next.disks[0].set(&DiskSettings { cache: Some(DiskCache::Unsafe), ..DiskSettings::default() });
        next.disks.push(Disk::new(DiskName::numbered(2).unwrap(), "/more", DiskFormat::Raw));
        let changes: Vec<_> =
            pending(&running, &next).into_iter().map(|it| (it.key, it.now, it.next)).collect();
        let expected = [("disk0.cache", "writeback", "unsafe"), ("disk2", "none", "/more")];
        assert_eq!(changes, expected.map(|(key, now, next)| (key.into(), now.into(), next.into())));
        assert_eq!(pending(&next, &running).len(), 2);
        assert_eq!(pending(&next, &next), []);
    }

    proptest! {
        /// What somebody is told before is what then can be.
        #[test]
        fn what_can_be_added_at_once_is_what_is_told(filled in 0..9_u32, bus in 0..5_usize) {
            let bus = [DiskBus::Virtio, DiskBus::Sata, DiskBus::Nvme, DiskBus::Scsi, DiskBus::Usb][bus];
            let mut running = example();
            for slot in 0..filled.min(crate::engine::SLOTS) {
                let name = DiskName::numbered(slot as usize + 1).unwrap();
                running.disks.push(Disk { slot: Some(slot), ..Disk::new(name, "/x", DiskFormat::Raw) });
            }
            let disk = Disk { bus, ..raw() }.placed(&running, Some(&running)).unwrap();
            prop_assert_eq!(live_buses(&running, &running).contains(&bus), disk.waits().is_none());
        }

        #[test]
        fn disks_are_read_as_they_were_written(
            serial in prop::option::of("[!-~]{1,20}"), path in "/[^\\x00]{1,40}", cache in 0..4_usize,
            discard: bool, shareable: bool, slot in prop::option::of(0..8_u32),
        ) {
            let cache = [DiskCache::Writeback, DiskCache::None, DiskCache::Directsync, DiskCache::Unsafe][cache];
            let disk = Disk { serial, cache, discard, shareable, slot, path: path.into(), ..raw() };
            let definition = Definition { disks: vec![disk], pci: Vec::new(), ..example() };
            prop_assert_eq!(Definition::read(&definition.write()), Ok(definition));
        }
    }
}
