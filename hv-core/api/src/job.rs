//! Long work of the core. A job goes on whoever watches it, and ends in exactly one way.

use crate::{ByteSize, GuestId, JobId};
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum JobKind {
    /// Makes a new guest.
    Create,
    /// Writes a guest's memory to a file and ends its engine.
    Save,
    /// Starts a guest with its saved state.
    Restore,
    /// Takes a snapshot of a guest.
    TakeSnapshot,
    /// Puts a guest back to a snapshot.
    RestoreSnapshot,
    /// Makes a guest of another.
    Clone,
    /// Copies a disk image into a new disk of a guest.
    CopyDisk,
}

/// The step that a job is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum JobStage {
    /// Reads the medium and checks that what was asked can be.
    Checking,
    /// Makes the disk.
    Disk,
    /// Writes the definition.
    Definition,
    /// Starts the guest.
    Starting,
    /// Writes the guest's memory.
    Saving,
    /// Reads the guest's memory.
    Restoring,
    /// Makes disks what they were.
    PuttingBack,
    /// Copies disks.
    Copying,
    /// Compares files with the digests that came with them.
    Verifying,
    /// Fetches the installer of a tree.
    Fetching,
}

/// Whether a job goes on, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum JobState {
    /// It goes on.
    Running,
    /// It has done what it was for.
    Done,
    /// It failed and left nothing behind. `Follow` gives the error.
    Failed,
    /// It was cancelled and left nothing behind.
    Cancelled,
}

/// A job as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct JobInfo {
    /// Its identity.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// The guest it is about; of a creation, the guest to be.
    pub guest: GuestId,
    /// That guest's name.
    pub guest_name: String,
    /// Whether it goes on.
    pub state: JobState,
    /// The step it is at.
    pub stage: JobStage,
    /// How much of it is done, 0–1.
    pub progress: f64,
    /// How many bytes of `total` are done, where the step moves bytes.
    pub done: Option<ByteSize>,
    /// How many bytes the step moves, as far as that is known.
    pub total: Option<ByteSize>,
}
