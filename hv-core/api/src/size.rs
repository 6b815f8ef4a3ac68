//! Sizes of memory, disks and files, always with their unit when people write or read them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zlink::idl;
use zlink::introspect::Type;

/// A number of bytes. On the wire an integer; for people `2 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteSize(u64);

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// A bare number: it could mean bytes, megabytes or gibibytes.
    #[error("“{0}” has no unit")]
    NoUnit(String),
    /// Not a number followed by a unit.
    #[error("“{0}” is not a size")]
    Malformed(String),
}

impl ByteSize {
    /// One mebibyte.
    pub const MIB: Self = Self(1 << 20);
    /// One gibibyte.
    pub const GIB: Self = Self(1 << 30);

    /// This many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// This many mebibytes; the largest size there is where that is too many.
    pub const fn mib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 20))
    }

    /// This many gibibytes; the largest size there is where that is too many.
    pub const fn gib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 30))
    }

    /// The number of bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// Whole mebibytes, rounded down.
    pub const fn as_mib(self) -> u64 {
        self.0 >> 20
    }
}

impl fmt::Display for ByteSize {
    /// `2 GiB`, `512 MiB`, `1.5 GiB`: at most one digit behind the point, none where it is zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let mut unit = 0;
        let mut value = self.0 as f64;
        while value >= 1024.0 && unit < UNITS.len() - 1 {
            value /= 1024.0;
            unit += 1;
        }
        let rounded = (value * 10.0).round() / 10.0;
        if rounded.fract() == 0.0 {
            write!(f, "{rounded:.0} {}", UNITS[unit])
        } else {
            write!(f, "{rounded:.1} {}", UNITS[unit])
        }
    }
}

impl FromStr for ByteSize {
    type Err = SizeError;

    /// Reads `2GiB`, `512 MiB`, `20GB`, `4096 bytes`. A bare number is refused.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let unit_start = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_start);
        if number.is_empty() {
            return Err(SizeError::Malformed(text.to_owned()));
        }
        let unit = match unit.trim() {
            "" => return Err(SizeError::NoUnit(text.to_owned())),
            "bytes" | "byte" => "B",
            other => other,
        };
        format!("{number}{unit}")
            .parse::<bytesize::ByteSize>()
            .map(|size| Self(size.as_u64()))
            .map_err(|_unreadable| SizeError::Malformed(text.to_owned()))
    }
}

impl Type for ByteSize {
    const TYPE: &'static idl::Type<'static> = &idl::Type::Int;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit_only() {
        assert_eq!("2GiB".parse(), Ok(ByteSize::gib(2)));
        assert_eq!("512 MiB".parse(), Ok(ByteSize::mib(512)));
        assert_eq!("20GB".parse(), Ok(ByteSize::bytes(20_000_000_000)));
        assert_eq!("1.5GiB".parse(), Ok(ByteSize::mib(1536)));
        assert_eq!("0 bytes".parse(), Ok(ByteSize::bytes(0)));
        assert_eq!("2048".parse::<ByteSize>(), Err(SizeError::NoUnit("2048".into())));
        for wrong in ["", "GiB", "two GiB", "-1GiB", "1 GiB more", "1..2GiB"] {
            assert!(matches!(wrong.parse::<ByteSize>(), Err(SizeError::Malformed(_))), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        let shown = |bytes| ByteSize::bytes(bytes).to_string();
        assert_eq!(shown(0), "0 bytes");
        assert_eq!(shown(1536 << 20), "1.5 GiB");
        assert_eq!(shown(2 << 30), "2 GiB");
        assert_eq!(shown(u64::MAX), "16 EiB");
    }
}
