//! A guest's definition: what it is, as it stands in its file and is edited by people.
//!
//! The file is TOML, version 1. A file of a newer version is refused and left alone; an older one would
//! be brought up to date here when there is one.

use super::disk;
use super::exact_size;
use super::first_start::FirstStart;
use super::install::Install;
use super::network::{self, Nic};
use super::pci::{self, Pci};
use super::power::PowerPolicy;
use super::slots;
use super::usb::{self, Usb};
use crate::engine::{
    BootDevice, DiskName, DriveConfig, FirmwareConfig, KernelConfig, MachineConfig, RunFiles,
};
use crate::store;
use hv_api::{Accelerator, ByteSize, Firmware, GuestId, NameFault, SoundCard, Watchdog};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub use super::disk::Disk;

/// The version that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// The most serial ports that a PC can have.
pub const MAX_SERIAL_PORTS: u32 = 4;

/// The least memory that any machine starts with.
pub const MIN_MEMORY: ByteSize = ByteSize::mib(16);

/// The smallest disk that can be made.
pub const MIN_DISK: ByteSize = ByteSize::MIB;

/// The largest disk that can be made: what its file format can hold with the usual cluster size.
pub const MAX_DISK: ByteSize = ByteSize::gib(64 << 10);

/// What a guest's TPM knows, in the guest's folder.
pub const TPM_FOLDER: &str = "tpm";

const HEADER: &str = "\
# A guest of Guesthouse. It can be edited by hand while the guest is off and the core is not running;
# ARCHITECTURE.md describes every line. Sizes have a unit; paths without a leading / start at this folder.

";

/// What a guest is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Definition {
    /// The version of this form: 1.
    pub version: u32,
    /// The guest's identity; the same as the name of the folder.
    pub id: GuestId,
    /// Its name.
    pub name: String,
    /// The operating system, as a short id of the operating-system database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_name: Option<String>,
    /// The kind of machine, as the engine named it when the guest was made.
    pub machine: String,
    /// The model of its CPUs, as the engine names it; the usual one where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_model: Option<String>,
    /// Virtual CPUs: one socket with so many cores.
    pub cpus: u32,
    /// How many virtual CPUs it can be given while it runs; none more where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpus: Option<u32>,
    /// Percent of what its CPUs could use that it gets at most, below 100; no limit where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<u32>,
    /// Memory.
    #[serde(with = "exact_size")]
    pub memory: ByteSize,
    /// How much memory it can be given while it runs; none more where left out.
    #[serde(default, with = "exact_size::optional", skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<ByteSize>,
    /// Firmware.
    pub firmware: Firmware,
    /// Whether it starts only what is signed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secure_boot: bool,
    /// Whether the machine has a TPM.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tpm: bool,
    /// What it tries to start from, by name; empty for the usual order.
    #[serde(default, rename = "boot", skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// Serial ports, 0–4.
    pub serial_ports: u32,
    /// What becomes of it when it hangs.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub watchdog: Watchdog,
    /// Its sound card.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub sound: SoundCard,
    /// When its system was installed here, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<u64>,
    /// How its power is looked after.
    #[serde(default, skip_serializing_if = "PowerPolicy::is_usual")]
    pub power: PowerPolicy,
    /// A kernel to start directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
    /// What is there only while its system is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    /// What is there only for its first start from a cloud image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_start: Option<FirstStart>,
    /// Disks, in the order in which the guest sees them.
    #[serde(
        default,
        rename = "disk",
        deserialize_with = "disk::read",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub disks: Vec<Disk>,
    /// Drives for optical media.
    #[serde(default, rename = "drive", skip_serializing_if = "Vec::is_empty")]
    pub drives: Vec<Drive>,
    /// Network cards.
    #[serde(
        default,
        rename = "network",
        deserialize_with = "network::numbered",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub nics: Vec<Nic>,
    /// USB devices of the host's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usb: Vec<Usb>,
    /// PCI devices of the host's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pci: Vec<Pci>,
}

/// One drive for optical media.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Drive {
    /// The medium in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<PathBuf>,
}

/// A kernel to start directly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kernel {
    /// The kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PathBuf>,
    /// Instead, the disk of the guest's own whose boot loader says which kernel on it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_disk: Option<DiskName>,
    /// The entry of that boot loader's menu; the one that it would choose where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Its initial file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initrd: Option<PathBuf>,
    /// Its command line; of a kernel on the guest's own disk, what is added behind that of its entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append: Option<String>,
}

impl Kernel {
    /// One that is a file of this computer.
    pub fn of_file(image: impl Into<PathBuf>) -> Self {
        Self { image: Some(image.into()), from_disk: None, entry: None, initrd: None, append: None }
    }

    /// The one that the boot loader on a disk of the guest's chooses.
    pub fn of_disk(disk: DiskName) -> Self {
        Self { image: None, from_disk: Some(disk), entry: None, initrd: None, append: None }
    }

    fn check(&self) -> Result<(), &'static str> {
        match (&self.image, self.from_disk) {
            (Some(_), Some(_)) => Err("a kernel is either a file or from a disk, not both"),
            (None, None) => Err("a kernel is a file, or from a disk"),
            (None, Some(_)) if self.initrd.is_some() => {
                Err("what goes with a kernel from a disk is there too")
            }
            (Some(_), None) if self.entry.is_some() => Err("only a boot loader's menu on a disk has entries"),
            _ => Ok(()),
        }
    }
}

/// Why a file is not a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It was written by a newer version of this program.
    #[error("it has version {found}, and this program reads up to version {VERSION}")]
    Newer {
        /// The file's version.
        found: u32,
    },
    /// It is not written as a definition is.
    #[error("{0}")]
    Malformed(String),
}

impl Definition {
    /// Reads a definition and makes sure that it is one that can be.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let malformed =
            |error: &dyn std::fmt::Display| ReadError::Malformed(error.to_string().trim().to_owned());
        // The version is read first and alone: what else stands in a newer file can't be known.
        let Versioned { version } = toml::from_str(text).map_err(|error| malformed(&error))?;
        if version > VERSION {
            return Err(ReadError::Newer { found: version });
        }
        if text.trim_end().lines().next_back() != Some(store::END.trim_end()) {
            return Err(malformed(&"the last line, “# end”, is missing: the file is cut short"));
        }
        let definition: Self = toml::from_str(text).map_err(|error| malformed(&error))?;
        if let Some(fault) = name_fault(&definition.name) {
            return Err(malformed(&format!("the name can't be used: {fault:?}")));
        }
        if definition.cpus == 0 || definition.memory < MIN_MEMORY {
            return Err(malformed(&format!("a guest needs a CPU and at least {MIN_MEMORY} of memory")));
        }
        if definition.cpu_limit.is_some_and(|percent| !(1..100).contains(&percent)) {
            return Err(malformed(&"a limit of the CPU time is from 1 to 99 percent"));
        }
        if definition.serial_ports > MAX_SERIAL_PORTS {
            return Err(malformed(&format!("a guest has at most {MAX_SERIAL_PORTS} serial ports")));
        }
        if definition.secure_boot && definition.firmware != Firmware::Uefi {
            return Err(malformed(&"only UEFI firmware knows Secure Boot"));
        }
        definition.kernel.as_ref().map_or(Ok(()), Kernel::check).map_err(|error| malformed(&error))?;
        network::check(&definition).map_err(|error| malformed(&error))?;
        usb::check(&definition).map_err(|error| malformed(&error))?;
        pci::check(&definition).map_err(|error| malformed(&error))?;
        slots::check(&definition).map_err(|error| malformed(&error))?;
        let install = definition.install.as_ref();
        install
            .map_or(Ok(()), |install| install.check(definition.drives.len()))
            .map_err(|words| malformed(&words))?;
        definition.power.check().map_err(|error| malformed(&format!("{error:?}")))?;
        Ok(definition)
    }

    /// The definition as it is written, with a few words for who opens it.
    pub fn write(&self) -> String {
        // Every type in it can be written as TOML, so this can't fail; were that to change, the golden
        // test below would say so.
        let body = toml::to_string(self).unwrap_or_default();
        format!("{HEADER}{body}\n{}", store::END)
    }

    /// How many virtual CPUs it can be given while it runs.
    pub fn most_cpus(&self) -> u32 {
        self.max_cpus.map_or(self.cpus, |most| most.max(self.cpus))
    }

    /// How much memory it can be given while it runs.
    pub fn most_memory(&self) -> ByteSize {
        self.max_memory.map_or(self.memory, |most| most.max(self.memory))
    }

    /// The disk whose boot loader says which kernel is started, where that is to be so.
    pub fn kernel_disk(&self) -> Option<DiskName> {
        self.started_kernel()?.from_disk
    }

    /// The disk or drive of this name; nothing where the guest has none, as after it was taken away.
    pub fn boot_device(&self, name: &str) -> Option<BootDevice> {
        let disk = self.disks.iter().find(|disk| disk.name.to_string() == name);
        let drive = || (0..self.drives.len()).find(|drive| name == format!("cd{drive}"));
        disk.map(|disk| BootDevice::Disk(disk.name)).or_else(|| drive().map(BootDevice::Drive))
    }

    /// The kernel that is started directly at the next start: the installer's, or its own.
    pub fn started_kernel(&self) -> Option<&Kernel> {
        match &self.install {
            Some(install) => install.kernel.as_ref(),
            None => self.kernel.as_ref(),
        }
    }

    /// The machine to ask an engine for. `folder` is the guest's own, in which relative paths start;
    /// `firmware` is what was found for it on this computer.
    pub fn machine(
        &self,
        folder: &Path,
        accelerator: Accelerator,
        firmware: FirmwareConfig,
        run: RunFiles,
    ) -> MachineConfig {
        MachineConfig {
            guest: self.id,
            name: self.name.clone(),
            machine: self.machine.clone(),
            accelerator,
            cpu_model: self.cpu_model.clone(),
            cpus: self.cpus,
            max_cpus: self.most_cpus(),
            memory: self.memory,
            max_memory: self.most_memory(),
            firmware,
            tpm: self.tpm,
            order: self.order.iter().filter_map(|name| self.boot_device(name)).collect(),
            disks: self.disks.iter().map(|disk| disk.config(folder)).collect(),
            // What is said to an installer, or to a cloud image, comes last, so that it moves no other.
            drives: (self.drives.iter().map(|drive| drive.medium.as_ref()))
                .chain(self.install.iter().filter_map(|install| install.seed.as_ref()).map(Some))
                .chain(self.first_start.iter().map(|first| first.disc.as_ref()))
                .map(|medium| DriveConfig { medium: medium.map(|medium| folder.join(medium)) })
                .collect(),
            nics: self.nics.iter().map(Nic::config).collect(),
            usb: self.usb.iter().map(Usb::config).collect(),
            pci: self.pci.iter().map(Pci::config).collect(),
            watchdog: self.watchdog != Watchdog::None,
            sound: self.sound,
            audio: None,
            // One on its own disk is looked for at each start.
            kernel: self.started_kernel().and_then(|kernel| {
                Some(KernelConfig {
                    kernel: folder.join(kernel.image.as_ref()?),
                    initrd: kernel.initrd.as_ref().map(|initrd| folder.join(initrd)),
                    append: kernel.append.clone(),
                })
            }),
            restoring: false,
            added_memory: Vec::new(),
            run,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What is wrong with a name; nothing where it can be used.
pub fn name_fault(name: &str) -> Option<NameFault> {
    if name.trim().is_empty() {
        Some(NameFault::Empty)
    } else if name.chars().count() > 64 {
        Some(NameFault::TooLong)
    } else if name.contains('/')
        || name.chars().any(char::is_control)
        || name.starts_with('.')
        || name.trim() != name
    {
        Some(NameFault::BadCharacter)
    } else {
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::engine::DiskFormat;
    use hv_api::NewNic;
    use proptest::prelude::*;

    /// A guest with something of everything.
    pub(crate) fn example() -> Definition {
        Definition {
            version: VERSION,
            id: "5f0c2a52-9a3e-4a75-b7d5-0c8b8f6d1e11".parse().unwrap(),
            name: "Debian 12".into(),
            os: Some("debian12".into()),
            os_name: Some("Debian 12".into()),
            machine: "pc-q35-7.2".into(),
            cpus: 2,
            cpu_model: None,
            cpu_limit: Some(80),
            max_cpus: Some(8),
            memory: ByteSize::mib(2560),
            max_memory: Some(ByteSize::gib(16)),
            firmware: Firmware::Bios,
            secure_boot: false,
            tpm: false,
            order: Vec::new(),
            serial_ports: 1,
            watchdog: Watchdog::Reset,
            sound: SoundCard::Ich9,
            installed: None,
            power: PowerPolicy { shutdown_wait: 120, ..PowerPolicy::default() },
            kernel: Some(Kernel { append: Some("quiet".into()), ..Kernel::of_file("/boot/vmlinuz") }),
            install: None,
            first_start: None,
            disks: vec![Disk::new(DiskName::FIRST, "disk0.qcow2", DiskFormat::Qcow2)],
            drives: vec![Drive { medium: Some("/home/ada/debian, 12.iso".into()) }, Drive::default()],
            nics: vec![Nic {
                number: 0,
                forwards: vec!["tcp:2222:22".parse().unwrap()],
                ..Nic::new(NewNic::default(), "52:54:00:12:34:56".parse().unwrap()).unwrap()
            }],
            usb: vec![Usb::new("0781:5567@3-1.2".parse().unwrap(), Some("SanDisk Cruzer Blade".into()))],
            pci: vec![Pci {
                number: 0,
                address: "0000:01:00.0".parse().unwrap(),
                device: "8086:10d3".parse().unwrap(),
                slot: 7,
                label: Some("Intel Corporation 82574L".into()),
            }],
        }
    }

    #[test]
    fn a_definition_reads_well() {
        insta::assert_snapshot!(example().write());
        assert_eq!(Definition::read(&example().write()), Ok(example()));
    }

    #[test]
    fn a_kernel_is_a_file_or_on_a_disk() {
        let mut guest = Definition { kernel: Some(Kernel::of_disk(DiskName::FIRST)), ..example() };
        assert!(guest.write().contains("[kernel]\nfrom-disk = \"disk0\"\n"));
        assert_eq!(Definition::read(&guest.write()), Ok(guest.clone()));
        assert!(guest.stops_on_reboot() && !example().stops_on_reboot());
        let wrong = [
            Kernel { image: Some("/k".into()), ..Kernel::of_disk(DiskName::FIRST) },
            Kernel { initrd: Some("/i".into()), ..Kernel::of_disk(DiskName::FIRST) },
            Kernel { entry: Some("x".into()), ..Kernel::of_file("/k") },
            Kernel { image: None, ..Kernel::of_file("/k") },
        ];
        for kernel in wrong {
            guest.kernel = Some(kernel);
            assert!(matches!(Definition::read(&guest.write()), Err(ReadError::Malformed(_))));
        }
    }

    #[test]
    fn a_newer_definition_is_refused_whatever_else_stands_in_it() {
        let text = "version = 2\nquantum = true\n";
        assert_eq!(Definition::read(text), Err(ReadError::Newer { found: 2 }));
    }

    #[test]
    fn a_definition_that_is_cut_short_is_never_taken_for_a_whole_one() {
        let text = example().write();
        for end in 0..text.trim_end().len() {
            if let Some(start) = text.get(..end) {
                assert!(Definition::read(start).is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn names_that_could_do_harm_are_refused() {
        for (name, fault) in [
            ("", Some(NameFault::Empty)),
            ("   ", Some(NameFault::Empty)),
            ("../x", Some(NameFault::BadCharacter)),
            ("a/b", Some(NameFault::BadCharacter)),
            (".hidden", Some(NameFault::BadCharacter)),
            ("tab\there", Some(NameFault::BadCharacter)),
            (" padded", Some(NameFault::BadCharacter)),
            ("Größe, 中文 =x", None),
        ] {
            assert_eq!(name_fault(name), fault, "{name:?}");
        }
        assert_eq!(name_fault(&"é".repeat(64)), None);
        assert_eq!(name_fault(&"é".repeat(65)), Some(NameFault::TooLong));
    }

    /// Before disks had names, their places were what they were called by.
    #[test]
    fn disks_without_names_are_called_by_their_places() {
        let mut definition = example();
        definition.disks.push(Disk::new(DiskName::numbered(1).unwrap(), "/second", DiskFormat::Raw));
        let text = definition.write();
        let without = text.replace("name = \"disk0\"\n", "").replace("name = \"disk1\"\n", "");
        assert_ne!(without, text);
        assert_eq!(Definition::read(&without), Ok(definition));
        for wrong in ["disk0", "disk14", "sda", ""] {
            let text = text.replace("name = \"disk1\"", &format!("name = \"{wrong}\""));
            assert!(Definition::read(&text).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            name in "[^/\\x00-\\x1f\\x7f-\\u{9f}. ][^/\\x00-\\x1f\\x7f-\\u{9f}]{0,40}[^/\\x00-\\x1f\\x7f-\\u{9f}\\s]",
            memory in MIN_MEMORY.as_bytes()..u64::from(u32::MAX) * 4096,
            medium in prop::option::of("/[^\\x00]{1,60}"),
            cpus in 1..512_u32,
        ) {
            prop_assume!(name_fault(&name).is_none());
            let mut definition = example();
            definition.name = name;
            definition.memory = ByteSize::bytes(memory);
            definition.cpus = cpus;
            definition.drives = vec![Drive { medium: medium.map(PathBuf::from) }];
            prop_assert_eq!(Definition::read(&definition.write()), Ok(definition));
        }

        #[test]
        fn nothing_that_is_read_can_do_harm(text in "\\PC{0,200}") {
            let _ = Definition::read(&text);
        }
    }
}
