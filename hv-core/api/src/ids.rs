//! Identities. An id never changes and is never reused; a name may change at any time.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;
use zlink::idl;
use zlink::introspect::Type;

/// Names one guest for as long as it exists, whatever it is called: a random (version 4) UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GuestId(Uuid);

impl GuestId {
    /// A new identity that no other guest has.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> [u8; 16] {
        self.0.into_bytes()
    }
}

impl fmt::Display for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuestId({self})")
    }
}

impl FromStr for GuestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

impl Type for GuestId {
    const TYPE: &'static idl::Type<'static> = &idl::Type::String;
}

/// Names one job of the running core. Numbers start at 1 with each start of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Type for JobId {
    const TYPE: &'static idl::Type<'static> = &idl::Type::Int;
}
