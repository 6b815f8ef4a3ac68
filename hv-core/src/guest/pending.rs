//! What of a guest's settings waits for its next start: where its definition says otherwise than its machine was
//! started with. Pure.

use super::config::Definition;
use super::{boot, devices, disk, network, pci, usb};
use hv_api::PendingChange;

/// Everything that waits, by the setting's name as `hv set` has it.
pub fn all(running: &Definition, next: &Definition) -> Vec<PendingChange> {
    const KEYS: [&str; 6] = ["cpus", "max-cpus", "cpu-limit", "memory", "max-memory", "installed"];
    let shown = |it: &Definition| {
        [
            it.cpus.to_string(),
            it.most_cpus().to_string(),
            it.cpu_limit.map_or_else(|| "none".to_owned(), |percent| percent.to_string()),
            it.memory.to_string(),
            it.most_memory().to_string(),
            it.install.is_none().to_string(),
        ]
    };
    differing(KEYS, shown(running), shown(next))
        .chain(disk::pending(running, next))
        .chain(boot::pending(running, next))
        .chain(devices::pending(running, next))
        .chain(network::pending(running, next))
        .chain(usb::pending(running, next))
        .chain(pci::pending(running, next))
        .collect()
}

/// Settings that differ, of some of which each is given by its name, as it is now, and as it is next.
pub fn differing<const N: usize>(
    keys: [&'static str; N],
    now: [String; N],
    next: [String; N],
) -> impl Iterator<Item = PendingChange> {
    let values = keys.into_iter().zip(now.into_iter().zip(next));
    values.filter(|(_, (now, next))| now != next).map(|(key, (now, next))| PendingChange {
        key: key.to_owned(),
        now,
        next,
    })
}

/// Those of some names that are marked.
pub fn named<const N: usize>(keys: [&'static str; N], marked: [bool; N]) -> Vec<&'static str> {
    keys.into_iter().zip(marked).filter(|(_, marked)| *marked).map(|(key, _)| key).collect()
}
