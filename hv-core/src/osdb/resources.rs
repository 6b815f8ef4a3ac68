//! What a system needs of a machine: resources, devices and firmware, by the database and, where that is silent, by
//! what its relatives need and by the kind of system it is.

use super::Database;
use super::model::{Amounts, System};
use hv_api::{ByteSize, NicModel};

/// The identities of virtio's disk, new and old.
const VIRTIO_DISK: [&str; 2] = ["http://pcisig.com/pci/1af4/1042", "http://pcisig.com/pci/1af4/1001"];

/// Network cards, the best first, and their identities.
const CARDS: [(NicModel, &[&str]); 5] = [
    (NicModel::Virtio, &["http://pcisig.com/pci/1af4/1041", "http://pcisig.com/pci/1af4/1000"]),
    (NicModel::E1000e, &["http://pcisig.com/pci/8086/10d3"]),
    (NicModel::E1000, &["http://pcisig.com/pci/8086/100e"]),
    (NicModel::Rtl8139, &["http://pcisig.com/pci/10ec/8139"]),
    (NicModel::Pcnet, &["http://pcisig.com/pci/1022/2000"]),
];

/// Windows from this release on has to be started by UEFI with Secure Boot and a TPM.
const STRICT_WINDOWS: &str = "win11";

/// What suits a guest with some system, on any host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suits {
    /// CPUs, at least 1.
    pub cpus: u32,
    /// Memory.
    pub memory: ByteSize,
    /// A disk's size.
    pub disk: ByteSize,
    /// The least memory with which it can be used, where that is known.
    pub least_memory: Option<ByteSize>,
    /// The least disk.
    pub least_disk: Option<ByteSize>,
    /// It has a driver for virtio disks.
    pub virtio_disk: bool,
    /// The network card that it has a driver for.
    pub network: NicModel,
    /// It does not start from a PC's traditional firmware, or not as it should.
    pub uefi: bool,
    /// Its installer wants Secure Boot and a TPM.
    pub secure: bool,
}

/// What suits a kind of system of which nothing else is known.
fn usual(family: Option<&str>, released: Option<&str>) -> Suits {
    let old = released.is_some_and(|date| date < "2007");
    let (cpus, memory, disk) = match family {
        Some("winnt") if !old => (2, ByteSize::gib(4), ByteSize::gib(64)),
        Some("msdos" | "win16" | "win9x") => (1, ByteSize::mib(64), ByteSize::gib(2)),
        Some(_) if old => (1, ByteSize::mib(512), ByteSize::gib(10)),
        _ => (2, ByteSize::gib(2), ByteSize::gib(20)),
    };
    let virtio =
        !matches!(family, Some("winnt" | "win9x" | "win16" | "msdos" | "darwin" | "netware" | "solaris"));
    Suits {
        cpus,
        memory,
        disk,
        least_memory: None,
        least_disk: None,
        virtio_disk: virtio,
        network: match family {
            _ if virtio => NicModel::Virtio,
            Some("winnt") if !old => NicModel::E1000e,
            _ => NicModel::Rtl8139,
        },
        uefi: false,
        secure: false,
    }
}

/// What suits a system. `like` is its nearest relative in the database, `arch` the processor.
pub fn suits(database: &Database, like: Option<&System>, family: Option<&str>, arch: &str) -> Suits {
    let Some(system) = like else { return usual(family, None) };
    let usual = usual(database.family(system).or(family), system.released.as_deref());
    let [minimum, recommended, maximum] = database.amounts(system, arch);
    let cpus = recommended.cpus.unwrap_or(usual.cpus).max(minimum.cpus.unwrap_or(1));
    let memory = recommended.memory.unwrap_or(usual.memory).max(minimum.memory.unwrap_or(ByteSize::bytes(0)));
    let disk = recommended.disk.unwrap_or(usual.disk).max(minimum.disk.unwrap_or(ByteSize::bytes(0)));
    let drivers = database.descent(system).iter().any(|system| !system.devices.is_empty());
    let has =
        |devices: &[&str], unknown| if drivers { database.has_device(system, devices) } else { unknown };
    let at_most = |value: ByteSize, most: Option<ByteSize>| most.map_or(value, |most| value.min(most));
    Suits {
        cpus: cpus.min(maximum.cpus.unwrap_or(u32::MAX)).max(1),
        memory: at_most(memory, maximum.memory),
        disk: at_most(disk, maximum.disk),
        least_memory: minimum.memory,
        least_disk: minimum.disk,
        virtio_disk: has(&VIRTIO_DISK, usual.virtio_disk),
        network: CARDS.into_iter().find(|(_, ids)| has(ids, false)).map_or(usual.network, |(model, _)| model),
        uefi: !database.starts_from_bios(system, arch) || is_strict(system),
        secure: is_strict(system),
    }
}

fn is_strict(system: &System) -> bool {
    system.short_ids.iter().any(|id| **id == *STRICT_WINDOWS)
}

impl Database {
    /// What a system needs at least, what is recommended, and what it can use at most. Where it says nothing, the
    /// nearest that it is made from or comes after is asked; where it says that it inherits, that fills up the rest.
    fn amounts(&self, system: &System, arch: &str) -> [Amounts; 3] {
        let mut all = self.descent(system);
        let mut before = system;
        for _ in 0..super::LONGEST_DESCENT {
            let Some(next) = before.upgrades.iter().find_map(|id| self.find(id)) else { break };
            all.push(next);
            before = next;
        }
        let mut found = [Amounts::default(); 3];
        for relative in all {
            let exact = relative.resources.iter().filter(|resources| *resources.arch == *arch);
            let any = relative.resources.iter().filter(|resources| *resources.arch == *"all");
            // What it says of other processors is nearer than what others say of this one.
            let other = relative
                .resources
                .iter()
                .filter(|resources| *resources.arch != *arch && *resources.arch != *"all");
            let mut complete = false;
            for resources in exact.chain(any).chain(other) {
                complete |= !resources.inherit;
                let said = [&resources.minimum, &resources.recommended, &resources.maximum];
                for (found, said) in found.iter_mut().zip(said) {
                    found.cpus = found.cpus.or(said.cpus);
                    found.memory = found.memory.or(said.memory);
                    found.disk = found.disk.or(said.disk);
                }
            }
            if complete {
                break;
            }
        }
        // A limit of something older is none of this one.
        if system.resources.is_empty() {
            found[2] = Amounts::default();
        }
        found
    }

    /// What an installation over the network needs of memory, where that is more than usual.
    pub fn network_install_memory(&self, system: &System, arch: &str) -> Option<ByteSize> {
        let all = self.descent(system).into_iter().flat_map(|system| &system.resources);
        all.filter(|resources| *resources.arch == *arch || *resources.arch == *"all")
            .find_map(|resources| resources.network_install.memory)
    }

    /// Whether a system can use one of these devices: who is the nearest relative to say so is believed.
    fn has_device(&self, system: &System, devices: &[&str]) -> bool {
        let all = self.descent(system);
        devices.iter().any(|wanted| {
            let mut said =
                all.iter().flat_map(|system| &system.devices).filter(|device| *device.id == **wanted);
            said.next().is_some_and(|device| device.supported)
        })
    }

    fn starts_from_bios(&self, system: &System, arch: &str) -> bool {
        let all = self.descent(system);
        let mut said = all.iter().flat_map(|system| &system.firmware).filter(|firmware| {
            &*firmware.kind == "bios" && (*firmware.arch == *arch || &*firmware.arch == "all")
        });
        said.next().is_none_or(|firmware| firmware.supported)
    }
}
