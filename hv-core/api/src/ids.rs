//! Identities. An id never changes and is never reused; a name may change at any time.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;
use zlink::idl;
use zlink::introspect::Type;

/// A random (version 4) UUID that stands for one kind of thing.
macro_rules! identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identity that nothing else has.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// Its bytes.
            pub fn as_bytes(&self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }

        impl Type for $name {
            const TYPE: &'static idl::Type<'static> = &idl::Type::String;
        }
    };
}

identity! {
    /// Names one guest for as long as it exists, whatever it is called.
    GuestId
}

identity! {
    /// Names one snapshot for as long as it exists, whatever it is called.
    SnapshotId
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
