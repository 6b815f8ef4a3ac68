//! What becomes of a guest when it is asked to shut down.

use serde::{Deserialize, Serialize};
use zlink::introspect::CustomType;

/// A guest that was asked to shut down and has not yet done so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct ShutdownWait {
    /// When it was asked, in seconds since 1970.
    pub since: u64,
    /// Until when it should have shut down, in seconds since 1970.
    pub deadline: u64,
    /// True as soon as the deadline has passed. Nothing is done about it without a person's word: the guest
    /// can be forced off, waited for, or left running.
    pub overdue: bool,
    /// False where no system in the guest listens to the power button, so that it won't shut down by itself.
    pub heard: bool,
    /// True where it is started anew as soon as it has shut down.
    pub restart: bool,
}

/// How a guest's power is looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct PowerInfo {
    /// How long the guest may take to shut down, in seconds, 1–86400.
    pub shutdown_wait: u32,
}

/// New values for that; what is left out stays as it is. All take effect now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct PowerSettings {
    /// How long the guest may take to shut down, in seconds, 1–86400.
    pub shutdown_wait: Option<u32>,
}
