//! Keys: Linux's numbers to those of QEMU.
//!
//! QEMU names a key by its scan code on a PC keyboard ("qnum"): the first set's code, with 0x80 added
//! for codes behind an 0xe0. For most keys that is Linux's own number; the rest comes from the table
//! `data/keymaps.csv` (column "XT KBD") of keycodemapdb, from which QEMU makes its own, without those
//! keys (170, 174, 175) that share their number with one of a real keyboard.

/// Qnums of the evdev codes 85 to 194; zero where there is none.
const REST: [u8; 110] = [
    0x76, 0x56, 0x57, 0x58, 0x73, 0x78, 0x77, 0x79, 0x70, 0x7b, // 85
    0x5c, 0x9c, 0x9d, 0xb5, 0x54, 0xb8, 0x5b, 0xc7, 0xc8, 0xc9, // 95
    0xcb, 0xcd, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xef, 0xa0, 0xae, // 105
    0xb0, 0xde, 0x59, 0xce, 0xc6, 0x8b, 0x7e, 0x72, 0x71, 0x7d, // 115
    0xdb, 0xdc, 0xdd, 0xe8, 0x85, 0x86, 0x87, 0x8c, 0xf8, 0x64, // 125
    0x65, 0xc1, 0xbc, 0xf5, 0x9e, 0xa1, 0x66, 0xdf, 0xe3, 0x67, // 135
    0x68, 0x69, 0x93, 0x9f, 0x97, 0x82, 0x6a, 0x92, 0x6b, 0xa6, // 145
    0xec, 0xe6, 0xeb, 0xea, 0xe9, 0xa3, 0x6c, 0xfd, 0x99, 0xa2, // 155
    0x90, 0xa4, 0xb1, 0x98, 0x63, 0x00, 0x81, 0xb2, 0xe7, 0x00, // 165
    0x00, 0x88, 0x75, 0x8f, 0xf6, 0xfb, 0x89, 0x8a, 0x5d, 0x5e, // 175
    0x5f, 0x55, 0x83, 0xf7, 0x84, 0x5a, 0x74, 0xf9, 0x6d, 0x6f, // 185
];

/// QEMU's number of the key with this evdev code; nothing for keys that QEMU has no number for.
pub fn qnum(evdev: u16) -> Option<u16> {
    match evdev {
        // 84 is nobody's key.
        1..=83 => Some(evdev),
        85.. => REST.get(usize::from(evdev) - 85).copied().map(u16::from).filter(|qnum| *qnum != 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::qnum;
    use std::collections::HashMap;

    #[test]
    fn well_known_keys_have_their_scan_codes() {
        // Linux's code and that of the keyboard, as in any table of PC scan codes.
        for (evdev, expected) in [
            (1, 0x01),   // escape
            (28, 0x1c),  // enter
            (57, 0x39),  // space
            (83, 0x53),  // keypad point
            (86, 0x56),  // the key beside the left shift
            (88, 0x58),  // F12
            (96, 0x9c),  // keypad enter
            (97, 0x9d),  // right control
            (100, 0xb8), // right alt
            (102, 0xc7), // home
            (103, 0xc8), // up
            (111, 0xd3), // delete
            (119, 0xc6), // pause
            (122, 0x72), // Hangul
            (125, 0xdb), // left meta
            (127, 0xdd), // menu
            (183, 0x5d), // F13
        ] {
            assert_eq!(qnum(evdev), Some(expected), "evdev {evdev}");
        }
    }

    #[test]
    fn what_is_no_key_has_no_number() {
        for code in [0, 84, 170, 195, 272, u16::MAX] {
            assert_eq!(qnum(code), None, "evdev {code}");
        }
    }

    #[test]
    fn no_two_keys_share_a_number() {
        let mut seen = HashMap::new();
        for code in 0..=u16::MAX {
            if let Some(number) = qnum(code) {
                assert!((1..=0xff).contains(&number), "evdev {code} is {number}");
                assert_eq!(seen.insert(number, code), None, "evdev {code} is {number:#x} too");
            }
        }
    }
}
