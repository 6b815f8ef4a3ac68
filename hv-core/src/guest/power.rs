//! How a guest's power is looked after, as its definition says it. Pure.

use hv_api::{Error, PowerInfo, PowerSettings};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// How long a guest may be given to shut down, in seconds.
const SHUTDOWN_WAIT: RangeInclusive<u32> = 1..=86_400;

/// The table `power` of a definition. What is not written has its usual value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PowerPolicy {
    /// How long the guest may take to shut down, in seconds.
    pub shutdown_wait: u32,
}

impl Default for PowerPolicy {
    fn default() -> Self {
        Self { shutdown_wait: 90 }
    }
}

impl PowerPolicy {
    /// Whether everything has its usual value, and need not be written.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// What clients are told.
    pub fn info(&self) -> PowerInfo {
        let Self { shutdown_wait } = *self;
        PowerInfo { shutdown_wait }
    }

    /// Takes new values in, and says which were changed.
    pub fn set(&mut self, settings: &PowerSettings) -> Vec<&'static str> {
        let PowerSettings { shutdown_wait } = *settings;
        let mut changed = Vec::new();
        if let Some(seconds) = shutdown_wait {
            self.shutdown_wait = seconds;
            changed.push("shutdown-wait");
        }
        changed
    }

    /// Whether these values can be.
    pub fn check(&self) -> Result<(), Error> {
        let (minimum, maximum) = SHUTDOWN_WAIT.into_inner();
        if SHUTDOWN_WAIT.contains(&self.shutdown_wait) {
            Ok(())
        } else {
            Err(Error::ShutdownWaitOutOfRange { requested: self.shutdown_wait, minimum, maximum })
        }
    }
}
