//! Snapshots of guests: what a guest was at a moment, to which it can be put back.

use crate::{ByteSize, SnapshotId};
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// One snapshot of a guest: its settings and what its disks held at that moment, and, where it ran, its memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct SnapshotInfo {
    /// Its identity.
    pub id: SnapshotId,
    /// Its name: 1–64 characters, unique within the guest.
    pub name: String,
    /// What a person has written about it.
    pub note: Option<String>,
    /// The snapshot after which it was taken; nothing for those that were taken after none.
    pub parent: Option<SnapshotId>,
    /// When it was taken, in seconds since 1970.
    pub taken: u64,
    /// The size of the guest's memory in it. Left out where the guest was off: put back to it, the guest is off.
    pub memory: Option<ByteSize>,
    /// Whether the guest's CPUs ran. One that was paused is so again.
    pub running: bool,
    /// A PNG picture of the display at that moment, as a path on the host.
    pub picture: Option<String>,
}
