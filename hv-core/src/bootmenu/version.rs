//! The order of versions in names of boot entries: as RPM compares them, which GRUB and systemd-boot both do.

use std::cmp::Ordering;

/// Compares two names, piece by piece: numbers by their value, letters by the alphabet, and `~` before everything.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (mut a, mut b) = (one.as_bytes(), other.as_bytes());
    loop {
        a = skip(a);
        b = skip(b);
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (a, b) = (&a[1..], &b[1..]);
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) | (Some(b'^'), None) => return Ordering::Greater,
            (Some(b'^'), _) | (None, Some(_)) => return Ordering::Less,
            (_, Some(b'^')) | (Some(_), None) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (Some(_), Some(_)) => {}
        }
        let numeric = a[0].is_ascii_digit();
        let (piece, rest) = piece(a, numeric);
        let (other_piece, other_rest) = self::piece(b, numeric);
        if other_piece.is_empty() {
            // Numbers are newer than letters.
            return if numeric { Ordering::Greater } else { Ordering::Less };
        }
        let order = if numeric {
            let (piece, other_piece) = (without_zeros(piece), without_zeros(other_piece));
            piece.len().cmp(&other_piece.len()).then_with(|| piece.cmp(other_piece))
        } else {
            piece.cmp(other_piece)
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest, other_rest);
    }
}

fn skip(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| byte.is_ascii_alphanumeric() || b"~^".contains(byte));
    &text[end.unwrap_or(text.len())..]
}

fn piece(text: &[u8], numeric: bool) -> (&[u8], &[u8]) {
    let fits = |byte: &u8| if numeric { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    text.split_at(text.iter().position(|byte| !fits(byte)).unwrap_or(text.len()))
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn newer_versions_are_greater() {
        for (older, newer) in [
            ("6.8.5-301.fc40.x86_64", "6.8.11-300.fc40.x86_64"),
            ("0-rescue", "6.8.5"),
            ("6.9.0~rc1", "6.9.0"),
            ("5.14.0-70.el9", "5.14.0-362.8.1.el9"),
            ("fc39", "1"),
            ("1.0", "1.0.1"),
            ("1.0", "1.0^git"),
            ("1.0^git", "1.0.1"),
            ("009", "10"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{older} {newer}");
        }
        assert_eq!(compare("1.01", "1.1"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a-c0-2.~^-]{0,8}", b in "[a-c0-2.~^-]{0,8}", c in "[a-c0-2.~^-]{0,8}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b) != Ordering::Greater && compare(&b, &c) != Ordering::Greater {
                prop_assert_ne!(compare(&a, &c), Ordering::Greater);
            }
        }
    }
}
