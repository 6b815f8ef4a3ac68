//! Sizes as people type them: read, and written back so that they can be edited.
//!
//! A unit is required, as everywhere in this program: `2048` could be megabytes or gibibytes. Pure.

use hv_api::{ByteSize, SizeError};

/// Reads `2 GiB`, `2048MiB`, `20 GB`, and `1,5 GiB` as it is written where the comma is the decimal sign.
///
/// A comma before three digits stays unreadable: `1,024 MiB` means something different in each country.
///
/// # Errors
/// Where the unit is missing, or it is no size.
pub fn parse(text: &str) -> Result<ByteSize, SizeError> {
    let malformed = || SizeError::Malformed(text.trim().to_owned());
    if let Some((whole, rest)) = text.split_once(',') {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        if digits == 0 || digits == 3 {
            return Err(malformed());
        }
        return format!("{whole}.{rest}").parse().map_err(|_unreadable| malformed());
    }
    text.parse()
}

/// Writes a size so that [`parse`] gives the same back, to the mebibyte: `2 GiB`, `1536 MiB`.
pub fn exact(size: ByteSize) -> String {
    let mib = size.as_mib();
    if mib > 0 && mib.is_multiple_of(1024) { format!("{} GiB", mib / 1024) } else { format!("{mib} MiB") }
}

/// The same size in whole mebibytes, rounded down.
pub const fn whole_mib(size: ByteSize) -> ByteSize {
    ByteSize::mib(size.as_mib())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_type_is_read() {
        let table: [(&str, Option<ByteSize>); 22] = [
            ("2 GiB", Some(ByteSize::gib(2))),
            ("2GiB", Some(ByteSize::gib(2))),
            ("  2 GiB ", Some(ByteSize::gib(2))),
            ("2 gib", Some(ByteSize::gib(2))),
            ("2048 MiB", Some(ByteSize::gib(2))),
            ("20 GB", Some(ByteSize::bytes(20_000_000_000))),
            ("1.5 GiB", Some(ByteSize::mib(1536))),
            ("1,5 GiB", Some(ByteSize::mib(1536))),
            ("0,25 TiB", Some(ByteSize::gib(256))),
            ("1 TiB", Some(ByteSize::gib(1024))),
            ("512 MB", Some(ByteSize::bytes(512_000_000))),
            ("", None),
            ("2048", None),
            ("2,5", None),
            ("1,024 MiB", None),
            ("1,5,5 GiB", None),
            ("1, GiB", None),
            ("GiB", None),
            ("-2 GiB", None),
            ("two GiB", None),
            ("2 GiB or so", None),
            ("2 elephants", None),
        ];
        for (text, size) in table {
            assert_eq!(parse(text).ok(), size, "{text:?}");
        }
    }

    #[test]
    fn a_missing_unit_is_told_from_nonsense() {
        assert_eq!(parse("2048"), Err(SizeError::NoUnit("2048".into())));
        assert_eq!(parse("lots"), Err(SizeError::Malformed("lots".into())));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(mib in 0_u64..1 << 40) {
            prop_assert_eq!(parse(&exact(ByteSize::mib(mib))), Ok(ByteSize::mib(mib)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            drop(parse(&text));
        }
    }
}
