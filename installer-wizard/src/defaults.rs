//! What the form begins with and how far its values may go: from the host's limits and from what the
//! core recommends for a medium.
//!
//! Pure: it knows no widgets, clock or file system. That a value within these bounds is accepted is the
//! core's word alone; the bounds only spare people from asking for what can't be.

use crate::sizes::whole_mib;
use hv_api::{ByteSize, HostInfo, MediumInfo, MediumKind, NewGuest, OsChoice, Recommended};
use std::ops::RangeInclusive;
use virt_kit::words::{FIRMWARE_KINDS, FirmwareKind};

/// The least memory that a guest may have.
const LEAST_MEMORY: ByteSize = ByteSize::mib(16);
/// The smallest disk.
const LEAST_DISK: ByteSize = ByteSize::mib(1);
/// The largest disk that the disk format in use can describe and file systems usually hold.
const MOST_DISK: ByteSize = ByteSize::gib(64 * 1024);
/// Bounds where the host has not yet said its own: as many as QEMU's machine can have at all.
const MOST_CPUS: u32 = 255;
const MOST_MEMORY: ByteSize = ByteSize::gib(4 * 1024);

/// What suits a guest about whose system nothing is known.
const GENERAL: Recommended = Recommended { cpus: 2, memory: ByteSize::gib(2), disk: ByteSize::gib(20) };

/// How far each value may go on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Virtual CPUs.
    pub cpus: RangeInclusive<u32>,
    /// Memory, in whole mebibytes.
    pub memory: RangeInclusive<ByteSize>,
    /// The size of a new disk.
    pub disk: RangeInclusive<ByteSize>,
    /// Memory that is free now; more may be asked for, but then the host will swap.
    pub memory_free: Option<ByteSize>,
    /// The firmware that the host has for guests.
    pub firmware: Vec<FirmwareKind>,
    /// Space that is free now; a larger disk may be made, as it grows only with what is written.
    pub space_free: Option<ByteSize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpus: 1..=MOST_CPUS,
            memory: LEAST_MEMORY..=MOST_MEMORY,
            disk: LEAST_DISK..=MOST_DISK,
            memory_free: None,
            firmware: FIRMWARE_KINDS.into(),
            space_free: None,
        }
    }
}

impl Limits {
    /// The limits of this host.
    pub fn of(host: &HostInfo) -> Self {
        Self {
            cpus: 1..=host.cpus.max(1),
            memory: LEAST_MEMORY..=whole_mib(host.memory).max(LEAST_MEMORY),
            disk: LEAST_DISK..=MOST_DISK,
            memory_free: Some(host.memory_available),
            firmware: FIRMWARE_KINDS.into_iter().filter(|kind| has_firmware(host, *kind)).collect(),
            space_free: Some(host.free_space),
        }
    }
}

fn has_firmware(host: &HostInfo, (kind, signed_only): FirmwareKind) -> bool {
    host.firmware.iter().any(|found| found.kind == kind && (found.secure_boot || !signed_only))
}

/// What the form begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// A name that is not taken.
    pub name: String,
    /// Values that suit, within the limits.
    pub recommended: Recommended,
}

impl Defaults {
    /// For a guest that is made from a medium.
    pub fn of_medium(medium: &MediumInfo, limits: &Limits, taken: &[String]) -> Self {
        let suits = medium.recommended;
        // A copy of a disk is never smaller than that.
        let least = medium.virtual_size.filter(|_| medium.cloud_image).unwrap_or(suits.disk);
        let recommended = within(Recommended { disk: suits.disk.max(least), ..suits }, limits);
        Self { name: free_name(&medium.suggested_name, taken), recommended }
    }

    /// For a guest that another program's machine becomes. What that does not say is as its file suggests.
    pub fn of_machine(medium: &MediumInfo, planned: &NewGuest, limits: &Limits, taken: &[String]) -> Self {
        let suits = medium.recommended;
        let recommended = Recommended {
            cpus: planned.cpus.unwrap_or(suits.cpus),
            memory: planned.memory.unwrap_or(suits.memory),
            ..suits
        };
        Self { name: free_name(&planned.name, taken), recommended: within(recommended, limits) }
    }

    /// For a guest whose system was chosen by a person.
    pub fn of_system(choice: &OsChoice, limits: &Limits, taken: &[String]) -> Self {
        let name = choice.os_name.strip_prefix("Microsoft ").unwrap_or(&choice.os_name);
        Self { name: free_name(name, taken), recommended: within(choice.recommended, limits) }
    }

    /// For a guest without any medium, whose name begins with `name`.
    pub fn of_empty(name: &str, limits: &Limits, taken: &[String]) -> Self {
        // A small host keeps three quarters of its memory for itself.
        let quarter = ByteSize::mib(limits.memory.end().as_mib() / 4);
        let memory = GENERAL.memory.min(quarter.max(ByteSize::mib(512)));
        Self { name: free_name(name, taken), recommended: within(Recommended { memory, ..GENERAL }, limits) }
    }
}

/// True where the medium becomes the guest's disk instead of lying in its drive.
pub fn is_disk(medium: &MediumInfo) -> bool {
    match medium.kind {
        MediumKind::DiskImage | MediumKind::BlockDevice => true,
        MediumKind::Iso
        | MediumKind::Tree
        | MediumKind::XenConfig
        | MediumKind::LibvirtXml
        | MediumKind::Appliance
        | MediumKind::Unknown => false,
    }
}

/// True where the guest gets a copy of the disk on the medium: its own is never written in a form of another program.
pub fn is_copied(medium: &MediumInfo) -> bool {
    medium.kind == MediumKind::DiskImage && !matches!(medium.format.as_deref(), Some("raw" | "qcow2"))
}

/// How the memory scale is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryScale {
    /// Its left end, in MiB.
    pub lower: u64,
    /// Its right end, in MiB.
    pub upper: u64,
    /// What one key press moves it by, in MiB.
    pub step: u64,
}

impl MemoryScale {
    /// A scale for these limits: fine steps on a small host, coarse ones on a large host.
    pub fn of(limits: &Limits) -> Self {
        let (lower, upper) = (limits.memory.start().as_mib(), limits.memory.end().as_mib());
        let step = match upper {
            0..=4096 => 64,
            4097..=16_384 => 128,
            16_385..=65_536 => 512,
            _ => 1024,
        };
        Self { lower, upper, step }
    }

    /// The size at a position of the scale: the nearest step, and the ends themselves.
    pub fn size_at(&self, position: f64) -> ByteSize {
        let steps = (position.max(0.0) / self.step as f64).round() as u64;
        ByteSize::mib(steps.saturating_mul(self.step).clamp(self.lower, self.upper))
    }
}

/// The same values, moved to the nearest that the limits allow.
fn within(recommended: Recommended, limits: &Limits) -> Recommended {
    Recommended {
        cpus: recommended.cpus.clamp(*limits.cpus.start(), *limits.cpus.end()),
        memory: whole_mib(recommended.memory).clamp(*limits.memory.start(), *limits.memory.end()),
        disk: whole_mib(recommended.disk).clamp(*limits.disk.start(), *limits.disk.end()),
    }
}

/// `wanted`, or `wanted 2`, `wanted 3`, … where that is taken.
fn free_name(wanted: &str, taken: &[String]) -> String {
    let free = |name: &String| !taken.contains(name);
    let numbered = (2_u32..).map(|number| format!("{wanted} {number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(free).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hv_api::{BootMode, Confidence, EngineInfo};
    use proptest::prelude::*;

    pub fn host(cpus: u32, memory: ByteSize) -> HostInfo {
        HostInfo {
            accelerator: None,
            engine: EngineInfo { program: "qemu-system-x86_64".into(), path: None, version: None },
            cpus,
            cpu_limit_fault: None,
            memory,
            memory_available: ByteSize::bytes(memory.as_bytes() / 2),
            firmware: vec![],
            tpm_program: None,
            audio: None,
            on_battery: None,
            session_wait: None,
            usb: Vec::new(),
            iommu: false,
            pci: Vec::new(),
            locked_memory: None,
            data_folder: "/d".into(),
            state_folder: "/s".into(),
            runtime_folder: "/r".into(),
            free_space: ByteSize::gib(30),
            core_version: "0.1.0".into(),
            core_pid: 1,
        }
    }

    pub fn medium(name: &str, recommended: Recommended) -> MediumInfo {
        MediumInfo {
            path: "/isos/disc.iso".into(),
            kind: MediumKind::Iso,
            os: None,
            os_name: None,
            candidates: vec![],
            family: None,
            confidence: Confidence::Unknown,
            newer_than_database: false,
            arch: None,
            variants: vec![],
            languages: vec![],
            live: None,
            kernel: None,
            initrd: None,
            kernel_args: None,
            boot: vec![BootMode::Bios],
            volume_id: Some("DISC".into()),
            system_id: None,
            publisher_id: None,
            application_id: None,
            volume_size: None,
            size: ByteSize::mib(600),
            format: None,
            virtual_size: None,
            express: None,
            cloud_image: false,
            cloud_user: None,
            kernel_on_disk: false,
            recommended,
            suggested_name: name.into(),
            notes: vec![],
            appliance: None,
            backing: vec![],
            backing_fault: None,
        }
    }

    #[test]
    fn the_recommendation_stays_within_the_host() {
        let limits = Limits::of(&host(2, ByteSize::bytes((3 << 30) + 777)));
        assert_eq!(limits.memory, LEAST_MEMORY..=ByteSize::gib(3), "in whole mebibytes");
        let large = Recommended { cpus: 8, memory: ByteSize::gib(16), disk: ByteSize::gib(40) };
        let defaults = Defaults::of_medium(&medium("Large", large), &limits, &[]);
        assert_eq!(
            defaults.recommended,
            Recommended { cpus: 2, memory: ByteSize::gib(3), disk: ByteSize::gib(40) }
        );
    }

    #[test]
    fn an_empty_guest_leaves_a_small_host_room() {
        let small = Defaults::of_empty("New guest", &Limits::of(&host(1, ByteSize::gib(4))), &[]);
        assert_eq!((small.recommended.cpus, small.recommended.memory), (1, ByteSize::gib(1)));
        let large = Defaults::of_empty("New guest", &Limits::of(&host(16, ByteSize::gib(64))), &[]);
        assert_eq!((large.recommended.cpus, large.recommended.memory), (2, ByteSize::gib(2)));
    }

    #[test]
    fn a_name_that_is_taken_gets_the_next_free_number() {
        let taken = ["Debian".to_owned(), "Debian 2".to_owned(), "Debian 4".to_owned()];
        assert_eq!(free_name("Debian", &taken), "Debian 3");
        assert_eq!(free_name("Fedora", &taken), "Fedora");
    }

    #[test]
    fn the_scale_reaches_both_ends_and_lands_on_steps() {
        let scale = MemoryScale::of(&Limits::of(&host(4, ByteSize::mib(7901))));
        assert_eq!((scale.lower, scale.upper, scale.step), (16, 7901, 128));
        assert_eq!(scale.size_at(0.0), ByteSize::mib(16));
        assert_eq!(scale.size_at(2040.0), ByteSize::mib(2048));
        assert_eq!(scale.size_at(9e9), ByteSize::mib(7901));
        assert_eq!(scale.size_at(f64::NAN), ByteSize::mib(16));
    }

    proptest! {
        #[test]
        fn defaults_are_always_within_the_limits(
            cpus in any::<u32>(), memory in any::<u64>(),
            wanted_cpus in any::<u32>(), wanted in any::<u64>(), disk in any::<u64>(),
        ) {
            let limits = Limits::of(&host(cpus, ByteSize::bytes(memory)));
            let wanted = Recommended {
                cpus: wanted_cpus, memory: ByteSize::bytes(wanted), disk: ByteSize::bytes(disk),
            };
            for found in [
                Defaults::of_medium(&medium("A", wanted), &limits, &[]),
                Defaults::of_empty("A", &limits, &[]),
            ] {
                prop_assert!(limits.cpus.contains(&found.recommended.cpus));
                prop_assert!(limits.memory.contains(&found.recommended.memory));
                prop_assert!(limits.disk.contains(&found.recommended.disk));
            }
        }
    }
}
