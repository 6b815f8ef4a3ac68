//! Saved states: a guest's memory in a file, with which it goes on later.

use crate::JobId;
use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// Why a saved state can't be used. It is kept all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum SavedStateFault {
    /// Its files are missing, cut short or can't be read.
    Damaged,
    /// A disk of the guest was changed or replaced since: the memory would not fit it any more.
    DisksChanged,
    /// The engine does not take it.
    Refused,
}

/// Long work that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Begun {
    /// The job that does it.
    pub job: JobId,
}
