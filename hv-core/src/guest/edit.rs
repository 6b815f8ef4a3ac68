//! One change to a guest, as a pure thing: what it makes of the definition, and what it takes to give a machine
//! that runs the same.

use super::boot;
use super::config::Definition;
use super::devices;
use super::disk::{self, Disk};
use super::limit;
use super::network::NicEdit;
use super::pci::PciEdit;
use super::power::PowerPolicy;
use super::record::RunRecord;
use super::usb::{self, UsbEdit};
use crate::engine::{Alteration, DiskName};
use hv_api::{
    Accelerator, BootSettings, ByteSize, DeviceSettings, DiskBus, DiskSettings, EndAction, Error, LiveRanges,
    NotNow, PowerSettings, Settings,
};
use std::path::Path;
use std::time::Duration;

/// The least memory that a guest is left with while it runs. With less, Linux begins to end programs.
const LEAST_LIVE_MEMORY: ByteSize = ByteSize::mib(128);

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Another name.
    Name(String),
    /// So many virtual CPUs.
    Cpus(u32),
    /// Room for so many.
    MaxCpus(u32),
    /// So many percent of what its CPUs could use.
    CpuLimit(u32),
    /// So much memory.
    Memory(ByteSize),
    /// Room for so much.
    MaxMemory(ByteSize),
    /// The disk of this name is this large. It is in the volume and not in the definition: that of a guest that
    /// is off has been grown already.
    DiskSize(DiskName, ByteSize),
    /// One more disk. Its name and its slot are given to it when it is its turn.
    AddDisk(Disk),
    /// The disk of this name is taken away.
    RemoveDisk(DiskName),
    /// The disk of this name is another one.
    SetDisk(DiskName, DiskSettings),
    /// Another way to start.
    Boot(BootSettings),
    /// Another way to look after its power.
    Power(PowerSettings),
    /// Its system is installed, at this time.
    Installed(u64),
    /// Other devices.
    Devices(DeviceSettings),
    /// Other network cards.
    Nic(NicEdit),
    /// Other USB devices of the host's.
    Usb(UsbEdit),
    /// Other PCI devices of the host's.
    Pci(PciEdit),
}

/// What an edit takes, where a machine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// Nothing but to write it down: the machine has no part in it.
    Written,
    /// The machine is changed.
    Altered(Alteration),
    /// The host gives the machine so much CPU time a second at most.
    Limited(Option<Duration>),
    /// It waits for the next start.
    Waits(NotNow),
}

impl Edit {
    /// What is asked for by new settings, in the order in which it is done.
    pub fn of_settings(settings: Settings) -> Vec<Self> {
        let Settings {
            name,
            cpus,
            memory,
            max_cpus,
            cpu_limit,
            max_memory,
            boot,
            power,
            devices,
            // When that is, a clock tells.
            installed: _,
        } = settings;
        // Of the rules, the machine has to know one.
        let rule = power.as_ref().and_then(|power| power.on_reboot);
        let rule = rule.map(|rule| PowerSettings { on_reboot: Some(rule), ..PowerSettings::default() });
        let power = power.map(|power| PowerSettings { on_reboot: None, ..power });
        [
            name.map(Self::Name),
            max_cpus.map(Self::MaxCpus),
            cpus.map(Self::Cpus),
            cpu_limit.map(Self::CpuLimit),
            max_memory.map(Self::MaxMemory),
            memory.map(Self::Memory),
            boot.map(Self::Boot),
            power.map(Self::Power),
            rule.map(Self::Power),
        ]
        .into_iter()
        .flatten()
        .chain(devices.map(Self::Devices))
        .collect()
    }

    /// The same as it can be done to a guest that is to be `wanted`, and whose machine, where there is one, is
    /// `running`: with what is decided only when its turn has come.
    ///
    /// # Errors
    /// Why it can't be done.
    pub fn settled(&self, wanted: &Definition, running: Option<&Definition>) -> Result<Self, Error> {
        match self {
            Self::Nic(edit) => edit.settled(wanted, running).map(Self::Nic),
            Self::Usb(edit) => edit.settled(wanted, running).map(Self::Usb),
            Self::Pci(edit) => edit.settled(wanted, running).map(Self::Pci),
            Self::AddDisk(disk) => disk.placed(wanted, running).map(Self::AddDisk),
            Self::SetDisk(name, DiskSettings { bus: Some(DiskBus::Usb), .. })
                if usb::is_at_disk([wanted], *name) =>
            {
                Err(Error::conflict("bus=usb", "usb"))
            }
            other => Ok(other.clone()),
        }
    }

    /// Whether all of these can be done one after the other.
    ///
    /// # Errors
    /// Why one can't.
    pub fn rehearse(edits: &[Self], wanted: &Definition, running: Option<&Definition>) -> Result<(), Error> {
        let mut wanted = wanted.clone();
        edits.iter().try_for_each(|edit| {
            edit.settled(&wanted, running)?.apply(&mut wanted);
            Ok(())
        })
    }

    /// The settings that it changes, by their names.
    pub fn keys(&self) -> Vec<String> {
        let keys = match self {
            Self::Nic(edit) => return vec![edit.key()],
            Self::Usb(edit) => return vec![edit.key()],
            Self::Pci(edit) => return vec![edit.key()],
            Self::AddDisk(disk) => return vec![disk.name.to_string()],
            Self::RemoveDisk(name) => return vec![name.to_string()],
            Self::SetDisk(_, settings) => disk::keys(settings),
            Self::Name(_) => vec!["name"],
            Self::Cpus(_) => vec!["cpus"],
            Self::MaxCpus(_) => vec!["max-cpus"],
            Self::CpuLimit(_) => vec!["cpu-limit"],
            Self::Memory(_) => vec!["memory"],
            Self::MaxMemory(_) => vec!["max-memory"],
            Self::DiskSize(..) => vec!["disk-size"],
            Self::Boot(settings) => boot::keys(settings),
            Self::Installed(_) => vec!["installed"],
            Self::Devices(settings) => devices::keys(settings),
            Self::Power(settings) => PowerPolicy::default().set(settings),
        };
        keys.into_iter().map(str::to_owned).collect()
    }

    /// Whether the machine has a part in it.
    pub fn is_of_machine(&self) -> bool {
        match self {
            Self::Name(_) => false,
            Self::Power(settings) => settings.on_reboot.is_some(),
            Self::Cpus(_)
            | Self::MaxCpus(_)
            | Self::CpuLimit(_)
            | Self::Memory(_)
            | Self::MaxMemory(_)
            | Self::DiskSize(..)
            | Self::AddDisk(_)
            | Self::RemoveDisk(_)
            | Self::SetDisk(..)
            | Self::Boot(_)
            | Self::Installed(_)
            | Self::Devices(_)
            | Self::Nic(_)
            | Self::Usb(_)
            | Self::Pci(_) => true,
        }
    }

    /// Makes the change in a definition.
    pub fn apply(&self, definition: &mut Definition) {
        match self {
            Self::Name(name) => definition.name.clone_from(name),
            Self::Cpus(count) => definition.cpus = *count,
            Self::MaxCpus(count) => definition.max_cpus = Some(*count),
            Self::CpuLimit(percent) => definition.cpu_limit = limit::of_percent(*percent),
            Self::Memory(size) => definition.memory = *size,
            Self::MaxMemory(size) => definition.max_memory = Some(*size),
            Self::DiskSize(..) => {}
            Self::AddDisk(disk) => definition.disks.push(disk.clone()),
            Self::RemoveDisk(name) => {
                definition.disks.retain(|disk| disk.name != *name);
                definition.order.retain(|device| *device != name.to_string());
            }
            Self::SetDisk(name, settings) => {
                let disk = definition.disks.iter_mut().find(|disk| disk.name == *name);
                if let Some(disk) = disk {
                    disk.set(settings);
                }
            }
            Self::Boot(settings) => boot::apply(settings, definition),
            Self::Installed(now) => {
                if definition.install.is_some() {
                    *definition = definition.installed(*now);
                }
            }
            Self::Devices(settings) => devices::apply(settings, definition),
            Self::Power(settings) => drop(definition.power.set(settings)),
            Self::Nic(edit) => edit.apply(definition),
            Self::Usb(edit) => edit.apply(definition),
            Self::Pci(edit) => edit.apply(definition),
        }
    }

    /// What it takes, where this machine runs. `folder` is the guest's own.
    pub fn course(&self, running: &RunRecord, folder: &Path) -> Course {
        let live = live_ranges(running);
        match self {
            Self::Power(PowerSettings { on_reboot: Some(rule), .. }) => {
                let anew = running.machine.begins_anew();
                Course::Altered(Alteration::StopOnReboot(anew || *rule != EndAction::Restart))
            }
            Self::Name(_) | Self::Power(_) => Course::Written,
            Self::Cpus(count) if *count > live.cpus_highest => Course::Waits(NotNow::BeyondMaximum),
            Self::Cpus(count) if *count < live.cpus_lowest => Course::Waits(NotNow::EngineCannot),
            Self::Cpus(count) => Course::Altered(Alteration::Cpus(*count)),
            Self::CpuLimit(_) => {
                let mut limited = running.machine.clone();
                self.apply(&mut limited);
                Course::Limited(limit::quota(&limited))
            }
            Self::Memory(size) if *size > live.memory_highest => Course::Waits(NotNow::BeyondMaximum),
            Self::Memory(size) if *size < live.memory_lowest => {
                let pinned = !running.machine.pci.is_empty();
                Course::Waits(if pinned { NotNow::Pinned } else { NotNow::BelowMinimum })
            }
            Self::Memory(size) => Course::Altered(Alteration::Memory(*size)),
            Self::DiskSize(disk, size) => Course::Altered(Alteration::DiskSize(*disk, *size)),
            Self::AddDisk(disk) => match disk.waits() {
                None => Course::Altered(Alteration::AddDisk(Box::new(disk.config(folder)))),
                Some(reason) => Course::Waits(reason),
            },
            Self::RemoveDisk(name) | Self::SetDisk(name, _) => {
                let Some(disk) = running.machine.disks.iter().find(|disk| disk.name == *name) else {
                    return Course::Written;
                };
                let removed = matches!(self, Self::RemoveDisk(_));
                if removed && disk.is_removable() {
                    Course::Altered(Alteration::RemoveDisk(*name))
                } else {
                    Course::Waits(NotNow::Fixed)
                }
            }
            Self::MaxCpus(_) | Self::MaxMemory(_) | Self::Boot(_) | Self::Installed(_) | Self::Devices(_) => {
                Course::Waits(NotNow::Fixed)
            }
            Self::Nic(edit) => edit.course(&running.machine),
            Self::Usb(edit) => edit.course(&running.machine),
            Self::Pci(edit) => edit.course(running),
        }
    }
}

/// Within what a machine that runs can be changed.
pub fn live_ranges(running: &RunRecord) -> LiveRanges {
    let machine = &running.machine;
    LiveRanges {
        cpus_lowest: match running.accelerator {
            Accelerator::Kvm => 1,
            // Emulation does not survive to take one away.
            Accelerator::Emulation => machine.cpus,
        },
        cpus_highest: machine.most_cpus(),
        // What a PCI device may reach is given back to nobody.
        memory_lowest: if machine.pci.is_empty() {
            LEAST_LIVE_MEMORY.min(machine.memory)
        } else {
            machine.memory
        },
        memory_highest: running.most_memory(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::config::tests::example;
    use proptest::prelude::*;

    #[test]
    fn what_is_within_reach_is_done_at_once_and_the_rest_waits() {
        let running = Definition { cpus: 2, max_cpus: Some(4), pci: Vec::new(), ..example() };
        let course = |edit: Edit, accelerator| {
            edit.course(&RunRecord::new(running.clone(), accelerator, 0), Path::new("/guest"))
        };
        assert_eq!(course(Edit::Name("x".into()), Accelerator::Kvm), Course::Written);
        let three = Edit::Cpus(3);
        assert_eq!(course(three, Accelerator::Emulation), Course::Altered(Alteration::Cpus(3)));
        assert_eq!(course(Edit::Cpus(5), Accelerator::Kvm), Course::Waits(NotNow::BeyondMaximum));
        assert_eq!(course(Edit::Cpus(1), Accelerator::Kvm), Course::Altered(Alteration::Cpus(1)));
        assert_eq!(course(Edit::Cpus(1), Accelerator::Emulation), Course::Waits(NotNow::EngineCannot));
        let little = Edit::Memory(ByteSize::mib(64));
        assert_eq!(course(little, Accelerator::Kvm), Course::Waits(NotNow::BelowMinimum));
        assert_eq!(course(Edit::MaxCpus(8), Accelerator::Kvm), Course::Waits(NotNow::Fixed));
        let pinned = RunRecord::new(example(), Accelerator::Kvm, 0);
        let less = Edit::Memory(ByteSize::mib(example().memory.as_mib() - 1));
        assert_eq!(less.course(&pinned, Path::new("/guest")), Course::Waits(NotNow::Pinned));
    }

    proptest! {
        /// What the ranges promise before somebody touches a setting is what comes of it.
        #[test]
        fn the_ranges_tell_what_will_be(cpus in 1..40_u32, memory in 16..40_000_u64, kvm: bool, pinned: bool) {
            let mut machine = example();
            machine.pci.truncate(usize::from(pinned));
            let accelerator = if kvm { Accelerator::Kvm } else { Accelerator::Emulation };
            let (running, size) = (RunRecord::new(machine, accelerator, 0), ByteSize::mib(memory));
            let live = live_ranges(&running);
            let now = |edit: Edit| matches!(edit.course(&running, Path::new("/guest")), Course::Altered(_));
            prop_assert_eq!(now(Edit::Cpus(cpus)), (live.cpus_lowest..=live.cpus_highest).contains(&cpus));
            let within = (live.memory_lowest..=live.memory_highest).contains(&size);
            prop_assert_eq!(now(Edit::Memory(size)), within);
        }
    }
}
