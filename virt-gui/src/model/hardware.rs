//! Settings of the virtual hardware: limits, words, what waits for the next start.

use hv_api::{ByteSize, CpuLimitFault, Error, GuestInfo, GuestState, HostInfo, PendingChange};
use std::ops::RangeInclusive;
use virt_kit::i18n::{gettext, gettext_f, ngettext_f};
use virt_kit::problem::Problem;

/// The least memory that the core gives to a guest, in MiB.
const MEMORY_MINIMUM: u64 = 16;

/// A whole number with its limits, as a slider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// The value.
    pub value: u64,
    /// The least possible.
    pub minimum: u64,
    /// The most possible on this host.
    pub maximum: u64,
    /// The most that leaves the host enough for itself.
    pub sensible: u64,
    /// Within what a change takes effect at once; nothing where every change does.
    pub live: Option<RangeInclusive<u64>>,
}

impl Amount {
    /// When this value would take effect: said before anything is touched, and while it is.
    pub fn when(&self, value: u64) -> String {
        let waits = self.live.as_ref().is_some_and(|live| value != self.value && !live.contains(&value));
        when(waits)
    }
}

/// Virtual CPUs, and what this host allows.
pub fn cpus(guest: &GuestInfo, host: Option<&HostInfo>) -> Amount {
    let value = u64::from(guest.cpus);
    let maximum = host.map_or(value, |host| u64::from(host.cpus)).max(1).max(value);
    let live = guest.live.map(|live| live.cpus_lowest.into()..=live.cpus_highest.into());
    Amount { value, minimum: 1, maximum, sensible: (maximum / 2).max(1), live }
}

/// Memory in MiB, and what this host allows.
pub fn memory(guest: &GuestInfo, host: Option<&HostInfo>) -> Amount {
    let value = guest.memory.as_mib();
    let maximum = host.map_or(value, |host| host.memory.as_mib()).max(MEMORY_MINIMUM).max(value);
    let live = guest.live.map(|live| live.memory_lowest.as_mib()..=live.memory_highest.as_mib());
    let sensible = (maximum / 2).max(MEMORY_MINIMUM);
    Amount { value, minimum: MEMORY_MINIMUM.min(value), maximum, sensible, live }
}

/// Percent of what its CPUs could use that the guest gets at most; 100 is no limit.
pub fn cpu_limit(guest: &GuestInfo) -> Amount {
    let value = u64::from(guest.cpu_limit.unwrap_or(100));
    Amount { value, minimum: 1, maximum: 100, sensible: 100, live: None }
}

/// Why the limit can't be changed; nothing where it can. One that a guest has can be taken away in any case.
pub fn cpu_limit_fault(guest: &GuestInfo, fault: Option<CpuLimitFault>) -> Option<String> {
    let fault = fault.filter(|_| guest.cpu_limit.is_none())?;
    let error = Error::CpuLimitUnavailable { fault, detail: String::new() };
    Some(Problem::from(&error).why)
}

/// Beneath the limit: what it means, and whether the running guest is held to it.
pub fn cpu_limit_hint(guest: &GuestInfo, fault: Option<CpuLimitFault>) -> String {
    if let Some(fault) = cpu_limit_fault(guest, fault) {
        return fault;
    }
    if guest.pending_change("cpu-limit").is_some() {
        return gettext("The running guest is not held to it");
    }
    match guest.cpu_limit {
        None => gettext("No limit"),
        Some(percent) => ngettext_f(
            "At most {percent} % of what its CPU could use, even where nobody else needs it",
            "At most {percent} % of what its {count} CPUs could use, even where nobody else needs it",
            guest.cpus as usize,
            &[("percent", &percent.to_string()), ("count", &guest.cpus.to_string())],
        ),
    }
}

/// What is worth knowing beneath a setting: what the running machine has, where that differs from what
/// is wanted; within what it can be changed at once; else what this host allows.
pub fn hint(guest: &GuestInfo, key: &str, amount: &Amount) -> String {
    if let Some(PendingChange { now, .. }) = guest.pending_change(key) {
        return running_has(&value(key, now));
    }
    if let Some(now) = guest.memory_now.filter(|now| key == "memory" && *now != guest.memory) {
        // Translators: while a guest gives memory back, as in "The guest still has 3.2 GiB".
        return gettext_f("The guest still has {now}", &[("now", &now.to_string())]);
    }
    if let Some(pci) = guest.pinning().filter(|_| key == "memory") {
        // Translators: {device} is what a PCI device is called.
        return gettext_f(
            "While it runs, no less: all of it stays in place for {device}",
            &[("device", &pci.title())],
        );
    }
    if let Some(live) = amount.live.as_ref().filter(|live| live.start() < live.end()) {
        let bytes = |value: u64| if key == "memory" { ByteSize::mib(value).as_bytes() } else { value };
        let [lowest, highest] = [live.start(), live.end()].map(|end| value(key, &bytes(*end).to_string()));
        return gettext_f(
            "While it runs, from {lowest} to {highest}",
            &[("lowest", &lowest), ("highest", &highest)],
        );
    }
    let maximum = match key {
        "memory" => ByteSize::mib(amount.maximum).as_bytes(),
        _ => amount.maximum,
    };
    gettext_f("This computer has {maximum}", &[("maximum", &value(key, &maximum.to_string()))])
}

/// That the running machine has something else than what is wanted.
pub fn running_has(now: &str) -> String {
    gettext_f("The running guest has {now}", &[("now", now)])
}

/// The word for when a change takes effect: at once, or when the guest's machine starts the next time.
pub fn when(waits: bool) -> String {
    if waits { gettext("At next start") } else { gettext("Now") }
}

/// When a setting takes effect that a machine has from its start.
pub fn when_fixed(guest: &GuestInfo) -> String {
    let waits = guest.pid.is_some() || guest.state == GuestState::Saved;
    when(waits)
}

/// A setting's value as the wire has it, for people.
fn value(key: &str, value: &str) -> String {
    match (key, value.parse::<u64>()) {
        ("memory", Ok(bytes)) => ByteSize::bytes(bytes).to_string(),
        ("cpus", Ok(count)) => ngettext_f("{count} CPU", "{count} CPUs", count as usize, &[("count", value)]),
        _ => value.to_owned(),
    }
}

/// `2 changes apply at next start`; nothing where none waits.
pub fn pending_sentence(guest: &GuestInfo) -> Option<String> {
    let count = guest.pending.len();
    (count > 0).then(|| {
        ngettext_f(
            "{count} change applies at next start",
            "{count} changes apply at next start",
            count,
            &[("count", &count.to_string())],
        )
    })
}

/// Reads an amount of memory as somebody typed it; a bare number is taken for MiB.
pub fn read_memory(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Ok(mib) = text.parse::<u64>() {
        return Some(mib);
    }
    text.parse::<ByteSize>().ok().map(ByteSize::as_mib)
}

/// Reads a share as somebody typed it, with its sign or without.
pub fn read_percent(text: &str) -> Option<u64> {
    text.trim().trim_end_matches('%').trim_end().parse().ok()
}

/// Writes an amount of memory so that nothing is rounded away.
pub fn write_memory(mib: u64) -> String {
    let short = ByteSize::mib(mib).to_string();
    if read_memory(&short) == Some(mib) { short } else { format!("{mib} MiB") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, guest};
    use hv_api::LiveRanges;
    use proptest::prelude::*;

    #[test]
    fn what_waits_is_told_before_it_is_touched() {
        let mut guest = guest("one", GuestState::Off);
        assert_eq!(cpus(&guest, None).when(64), "Now");
        let memory_ends = (ByteSize::mib(128), ByteSize::gib(4));
        guest.live = Some(LiveRanges {
            cpus_lowest: 2,
            cpus_highest: 4,
            memory_lowest: memory_ends.0,
            memory_highest: memory_ends.1,
        });
        let amount = cpus(&guest, None);
        assert_eq!(
            [1, 2, 4, 5].map(|value| amount.when(value)),
            ["At next start", "Now", "Now", "At next start"]
        );
        assert_eq!(hint(&guest, "cpus", &amount), "While it runs, from 2 CPUs to 4 CPUs");
        guest.memory_now = Some(ByteSize::gib(3));
        let amount = memory(&guest, None);
        assert_eq!(amount.when(64), "At next start");
        assert_eq!(hint(&guest, "memory", &amount), "The guest still has 3 GiB");
        guest.memory_now = None;
        guest.pci = vec![hv_api::PciInfo {
            name: "pci0".into(),
            address: "01:00.0".parse().unwrap(),
            id: "8086:10d3".parse().unwrap(),
            label: None,
            present: Some(true),
            leaving: false,
        }];
        let words = "While it runs, no less: all of it stays in place for 8086:10d3";
        assert_eq!(hint(&guest, "memory", &amount), words);
    }

    #[test]
    fn a_limit_says_what_it_means_and_why_there_is_none() {
        let mut guest = guest("one", GuestState::Off);
        assert_eq!((cpu_limit(&guest).value, cpu_limit_hint(&guest, None)), (100, "No limit".to_owned()));
        let fault = Some(CpuLimitFault::NoManager);
        let why = "The limit is kept by the systemd of your session, and there is none.";
        assert_eq!(cpu_limit_fault(&guest, fault).as_deref(), Some(why));
        assert_eq!(cpu_limit_hint(&guest, fault), why);
        guest.cpu_limit = Some(50);
        assert_eq!(cpu_limit_fault(&guest, fault), None, "it can be taken away");
        let means = "At most 50 % of what its 2 CPUs could use, even where nobody else needs it";
        assert_eq!(cpu_limit_hint(&guest, None), means);
        guest.pending.push(change("cpu-limit", "none", "50"));
        assert_eq!(cpu_limit_hint(&guest, fault), "The running guest is not held to it");
    }

    #[test]
    fn memory_is_read_as_people_write_it() {
        assert_eq!(read_memory("2 GiB"), Some(2048));
        assert_eq!(read_memory(" 1.5GiB "), Some(1536));
        assert_eq!(read_memory("512"), Some(512));
        assert_eq!(read_memory("lots"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(mib in 1_u64..4_000_000) {
            prop_assert_eq!(read_memory(&write_memory(mib)), Some(mib));
        }
    }
}
