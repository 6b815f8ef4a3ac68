//! What a guest uses: counters at a moment, and the rates between two moments.
//!
//! Counters only grow while the guest's engine runs and begin anew with its next start. What the engine
//! or the guest does not tell is left out, never zero.

use crate::{ByteSize, MacAddress};
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// Everything a running guest has used so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct GuestStatistics {
    /// When it was measured, in nanoseconds of the host's monotonic clock: good for differences only.
    pub time: u64,
    /// Processor time.
    pub cpu: CpuStatistics,
    /// Memory.
    pub memory: MemoryStatistics,
    /// Its disks and drives; nothing where the engine does not answer.
    pub disks: Option<Vec<DiskStatistics>>,
    /// Its network cards; nothing where nobody counts. The engine does not: it is the guest's agent that
    /// tells, where one runs.
    pub nics: Option<Vec<NicStatistics>>,
}

/// Processor time of a guest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct CpuStatistics {
    /// What the whole engine has used, in nanoseconds: the guest's CPUs and the work of its devices.
    pub engine: u64,
    /// The guest's CPUs; nothing where the engine does not answer.
    pub vcpus: Option<Vec<VcpuStatistics>>,
}

/// Processor time of one virtual CPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct VcpuStatistics {
    /// Its number, from 0.
    pub number: u32,
    /// The host's processor time that it has used, in nanoseconds.
    pub time: u64,
}

/// Memory of a guest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct MemoryStatistics {
    /// What the engine holds of the host's memory.
    pub resident: ByteSize,
    /// What the guest has at the moment; nothing where the engine does not answer.
    pub assigned: Option<ByteSize>,
    /// What the guest's own system says of it; nothing where it has no driver for that, or has not been
    /// asked for longer than a second yet.
    pub guest: Option<GuestMemory>,
}

/// Memory as the guest's own system sees it. Each is left out that it does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct GuestMemory {
    /// All that it manages.
    pub total: Option<ByteSize>,
    /// What programs can have without others being moved out.
    pub available: Option<ByteSize>,
    /// What nothing is kept in.
    pub free: Option<ByteSize>,
    /// What holds contents of disks and can be given up.
    pub caches: Option<ByteSize>,
    /// What was brought back from its swap since it started.
    pub swapped_in: Option<ByteSize>,
    /// What was moved to its swap since it started.
    pub swapped_out: Option<ByteSize>,
}

/// One disk or drive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct DiskStatistics {
    /// Its name within the guest: `disk0`, `cd0`, …
    pub name: String,
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// How often something was read.
    pub reads: u64,
    /// How often something was written.
    pub writes: u64,
    /// How often the guest asked for everything to be on the disk.
    pub flushes: u64,
}

/// One network card, as the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct NicStatistics {
    /// Its address on the wire.
    pub mac: MacAddress,
    /// Its Internet addresses, as `10.0.2.15` and `fe80::1`.
    pub addresses: Vec<String>,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
}

/// What a guest used between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Which share of its virtual CPUs was busy: 0 to 1.
    pub cpu: Option<f64>,
    /// How many of the host's processors its engine kept busy.
    pub host_cpus: f64,
    /// Bytes read from its disks, a second.
    pub read: Option<f64>,
    /// Bytes written to its disks, a second.
    pub written: Option<f64>,
    /// Bytes received by its network cards, a second.
    pub received: Option<f64>,
    /// Bytes sent by its network cards, a second.
    pub sent: Option<f64>,
}

impl Usage {
    /// From what was counted at two moments; nothing where the later one is not later, or where the
    /// guest was started anew in between. What came or went between the two is left out.
    pub fn between(before: &GuestStatistics, after: &GuestStatistics) -> Option<Self> {
        let nanoseconds = after.time.checked_sub(before.time).filter(|time| *time > 0)? as f64;
        let engine = after.cpu.engine.checked_sub(before.cpu.engine)?;
        let a_second = |bytes: u64| bytes as f64 / nanoseconds * 1e9;
        let disk = |count: fn(&DiskStatistics) -> u64| {
            let (before, after) = (before.disks.as_ref()?, after.disks.as_ref()?);
            Some(a_second(grown(before, after, |disk| &disk.name, count).0))
        };
        let nic = |count: fn(&NicStatistics) -> u64| {
            let (before, after) = (before.nics.as_ref()?, after.nics.as_ref()?);
            Some(a_second(grown(before, after, |nic| &nic.mac, count).0))
        };
        let cpu = || {
            let (before, after) = (before.cpu.vcpus.as_ref()?, after.cpu.vcpus.as_ref()?);
            let (busy, vcpus) = grown(before, after, |vcpu| &vcpu.number, |vcpu| vcpu.time);
            (vcpus > 0).then(|| (busy as f64 / nanoseconds / vcpus as f64).clamp(0.0, 1.0))
        };
        Some(Self {
            cpu: cpu(),
            host_cpus: engine as f64 / nanoseconds,
            read: disk(|disk| disk.read),
            written: disk(|disk| disk.written),
            received: nic(|nic| nic.received),
            sent: nic(|nic| nic.sent),
        })
    }
}

/// By how much a counter of those grew that are in both lists, and how many these are.
fn grown<T, K: PartialEq>(
    before: &[T],
    after: &[T],
    key: fn(&T) -> &K,
    count: fn(&T) -> u64,
) -> (u64, usize) {
    let pair = |late: &T| {
        let early = before.iter().find(|early| key(early) == key(late))?;
        Some(count(late).saturating_sub(count(early)))
    };
    after.iter().filter_map(pair).fold((0, 0), |(sum, found), grown| (sum.saturating_add(grown), found + 1))
}

impl MemoryStatistics {
    /// What the guest's programs and system use themselves, and of how much, as the guest says.
    pub fn used(&self) -> Option<(ByteSize, ByteSize)> {
        let guest = self.guest.as_ref()?;
        let total = guest.total?;
        let left = guest.available.or(guest.free)?;
        Some((ByteSize::bytes(total.as_bytes().saturating_sub(left.as_bytes())), total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(time: u64, vcpus: &[u64], disks: &[(&str, u64)]) -> GuestStatistics {
        let vcpu = |(number, time): (usize, &u64)| VcpuStatistics { number: number as u32, time: *time };
        let disk = |(name, read): &(&str, u64)| DiskStatistics {
            name: (*name).to_owned(),
            read: *read,
            ..Default::default()
        };
        GuestStatistics {
            time,
            cpu: CpuStatistics {
                engine: vcpus.iter().sum(),
                vcpus: Some(vcpus.iter().enumerate().map(vcpu).collect()),
            },
            disks: Some(disks.iter().map(disk).collect()),
            ..Default::default()
        }
    }

    #[test]
    fn rates_are_differences_by_time() {
        let before = at(SECOND, &[SECOND, 0], &[("disk0", 100)]);
        let after = at(3 * SECOND, &[2 * SECOND, 2 * SECOND], &[("disk0", 300), ("disk1", 1 << 40)]);
        let usage = Usage::between(&before, &after).expect("two moments");
        assert_eq!(usage.cpu, Some(0.75));
        assert!((usage.host_cpus - 1.5).abs() < 1e-9, "{usage:?}");
        // The disk that came in between has a counter, but no rate yet.
        assert_eq!((usage.read, usage.written), (Some(100.0), Some(0.0)));
        assert_eq!((usage.received, usage.sent), (None, None));
    }

    #[test]
    fn a_cpu_that_came_in_between_is_not_counted() {
        let before = at(SECOND, &[0], &[]);
        let after = at(2 * SECOND, &[SECOND / 2, SECOND], &[]);
        assert_eq!(Usage::between(&before, &after).and_then(|usage| usage.cpu), Some(0.5));
    }

    #[test]
    fn without_two_moments_of_one_start_there_is_no_rate() {
        let (first, second) = (at(SECOND, &[SECOND], &[]), at(2 * SECOND, &[0], &[]));
        assert_eq!(Usage::between(&first, &first), None);
        assert_eq!(Usage::between(&second, &first), None);
        assert_eq!(Usage::between(&first, &second), None, "the counters began anew");
    }

    #[test]
    fn what_nobody_tells_is_not_zero() {
        let silent = |time| GuestStatistics { time, ..Default::default() };
        let usage = Usage::between(&silent(1), &silent(2)).expect("two moments");
        assert_eq!((usage.cpu, usage.read, usage.written), (None, None, None));
        assert_eq!(MemoryStatistics::default().used(), None);
        let guest = GuestMemory { total: Some(ByteSize::mib(10)), ..Default::default() };
        let memory = |guest| MemoryStatistics { guest: Some(guest), ..Default::default() };
        assert_eq!(memory(guest.clone()).used(), None);
        let told = GuestMemory { free: Some(ByteSize::mib(4)), ..guest };
        assert_eq!(memory(told).used(), Some((ByteSize::mib(6), ByteSize::mib(10))));
    }

    proptest! {
        #[test]
        fn no_counters_are_too_odd(
            times in any::<[u64; 2]>(),
            cpus in any::<[u64; 4]>(),
            disks in any::<[u64; 2]>(),
        ) {
            let of = |time, cpus: &[u64], read| {
                let mut counted = at(time, &[], &[("disk0", read), ("disk0", read)]);
                counted.cpu.engine = cpus[0];
                let vcpu = |time: &u64| VcpuStatistics { number: 7, time: *time };
                counted.cpu.vcpus = Some(cpus.iter().map(vcpu).collect());
                counted
            };
            let usage = Usage::between(&of(times[0], &cpus[..2], disks[0]), &of(times[1], &cpus[2..], disks[1]));
            if let Some(usage) = usage {
                prop_assert!((0.0..=1.0).contains(&usage.cpu.unwrap_or_default()));
                prop_assert!(usage.host_cpus.is_finite() && usage.host_cpus >= 0.0);
                prop_assert!(usage.read.is_some_and(|rate| rate.is_finite() && rate >= 0.0));
            }
        }
    }
}
