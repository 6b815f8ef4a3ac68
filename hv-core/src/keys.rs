//! Keys by name and by what they type: names and characters to Linux's `input-event-codes.h`.
//!
//! A code names the place of a key on the keyboard. What it types depends on the layout that the guest
//! has set; typing a text therefore assumes the layout of installers, which is US English.

use hv_api::Error;

/// The code of the left shift key.
pub const SHIFT: u16 = 42;

const NAMED: &[(&str, u16)] = &[
    ("esc", 1),
    ("escape", 1),
    ("backspace", 14),
    ("tab", 15),
    ("enter", 28),
    ("return", 28),
    ("ctrl", 29),
    ("control", 29),
    ("shift", SHIFT),
    ("alt", 56),
    ("space", 57),
    ("capslock", 58),
    ("f1", 59),
    ("f2", 60),
    ("f3", 61),
    ("f4", 62),
    ("f5", 63),
    ("f6", 64),
    ("f7", 65),
    ("f8", 66),
    ("f9", 67),
    ("f10", 68),
    ("numlock", 69),
    ("scrolllock", 70),
    ("f11", 87),
    ("f12", 88),
    ("rightshift", 54),
    ("rightctrl", 97),
    ("sysrq", 99),
    ("print", 99),
    ("printscreen", 99),
    ("rightalt", 100),
    ("altgr", 100),
    ("home", 102),
    ("up", 103),
    ("pageup", 104),
    ("left", 105),
    ("right", 106),
    ("end", 107),
    ("down", 108),
    ("pagedown", 109),
    ("insert", 110),
    ("delete", 111),
    ("del", 111),
    ("pause", 119),
    ("super", 125),
    ("meta", 125),
    ("win", 125),
    ("rightsuper", 126),
    ("menu", 127),
    ("minus", 12),
    ("equal", 13),
    ("comma", 51),
    ("dot", 52),
    ("slash", 53),
    ("plus", 78),
];

/// Rows of the keyboard, in the order of their codes: the first code, what the keys type, and what they
/// type with shift.
const ROWS: &[(u16, &str, &str)] = &[
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (57, " ", " "),
    (28, "\n", "\n"),
    (15, "\t", "\t"),
];

/// The code of a key by its name (`ctrl`, `f1`, `a`, `5`, `delete`), in small or capital letters.
pub fn named(name: &str) -> Result<u16, Error> {
    let small = name.trim().to_lowercase();
    let of_character = || {
        let mut characters = small.chars();
        let character = characters.next().filter(|_| characters.next().is_none())?;
        let (code, shifted) = typed(character)?;
        (!shifted).then_some(code)
    };
    NAMED
        .iter()
        .find(|(known, _)| *known == small)
        .map(|(_, code)| *code)
        .or_else(of_character)
        .ok_or_else(|| Error::KeyUnknown { key: name.to_owned() })
}

/// The key that types a character, and whether shift must be held.
fn typed(character: char) -> Option<(u16, bool)> {
    ROWS.iter().find_map(|(first, plain, shifted)| {
        let at = |row: &str| row.chars().position(|other| other == character);
        at(plain)
            .map(|offset| (first + offset as u16, false))
            .or_else(|| at(shifted).map(|offset| (first + offset as u16, true)))
    })
}

/// The keys to press, one group after the other, to type a text. Refused whole where it has a character
/// that has no key.
pub fn typing(text: &str) -> Result<Vec<Vec<u16>>, Error> {
    text.replace("\r\n", "\n")
        .chars()
        .map(|character| match typed(character) {
            Some((code, false)) => Ok(vec![code]),
            Some((code, true)) => Ok(vec![SHIFT, code]),
            None => Err(Error::CharacterUntypable { character: character.to_string() }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_codes_of_the_kernel() {
        for (name, code) in
            [("Ctrl", 29), ("a", 30), ("Z", 44), ("0", 11), ("F12", 88), ("delete", 111), ("/", 53)]
        {
            assert_eq!(named(name), Ok(code), "{name}");
        }
        for wrong in ["", "hyper", "ab", "é", "!"] {
            assert!(matches!(named(wrong), Err(Error::KeyUnknown { .. })), "{wrong}");
        }
    }

    #[test]
    fn a_text_is_typed_key_by_key() {
        assert_eq!(typing("aB!\n"), Ok(vec![vec![30], vec![SHIFT, 48], vec![SHIFT, 2], vec![28]]));
        assert_eq!(typing("`~\\|"), Ok(vec![vec![41], vec![SHIFT, 41], vec![43], vec![SHIFT, 43]]));
        assert_eq!(typing("naïve"), Err(Error::CharacterUntypable { character: "ï".into() }));
        let all: String = (' '..='~').collect();
        assert_eq!(typing(&all).map(|keys| keys.len()), Ok(95));
    }
}
