//! What of a guest can be changed while it runs, and what became of a change.

use crate::ByteSize;
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// Within what a change takes effect at once, as long as the guest runs. Values outside of it are kept for the
/// next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct LiveRanges {
    /// The fewest virtual CPUs. As many as there are, where none can be taken away.
    pub cpus_lowest: u32,
    /// The most virtual CPUs.
    pub cpus_highest: u32,
    /// The least memory.
    pub memory_lowest: ByteSize,
    /// The most memory.
    pub memory_highest: ByteSize,
}

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum Applied {
    /// It has taken effect.
    Now,
    /// It takes effect when the guest is started the next time.
    AtNextStart,
}

/// Why a changed setting waits for the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum NotNow {
    /// It is a part of the machine that stands from its start.
    Fixed,
    /// It is more than the running machine was prepared for.
    BeyondMaximum,
    /// It is less than a running guest is safe with.
    BelowMinimum,
    /// This engine can't do it while the guest runs.
    EngineCannot,
    /// The guest was asked, and did not do its part.
    GuestRefused,
    /// A PCI device of the host's may reach all memory of the running machine, so that none can be given back.
    Pinned,
}

/// What became of one changed setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct SettingResult {
    /// The setting's name.
    pub key: String,
    /// When it takes effect.
    pub applied: Applied,
    /// Why it waits, where it does.
    pub reason: Option<NotNow>,
}
