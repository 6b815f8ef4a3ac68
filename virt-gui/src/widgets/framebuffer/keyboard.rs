//! What a key press means: a key for the guest, or a command for the window given with the host key.
//!
//! Pure: it is told what goes down and up and says what to do. It promises that the guest is told of
//! each key that goes up if and only if it was told that it went down, and that the host key and what
//! is pressed together with it never reach the guest.

use std::collections::BTreeSet;

/// The host key: the right control key, by its code in `input-event-codes.h`.
const HOST: u16 = 97;

/// Codes of keys that the window names, from `input-event-codes.h`.
pub mod code {
    #![expect(missing_docs, reason = "the names are those of the keys")]
    pub const DIGIT_1: u16 = 2;
    pub const DIGIT_2: u16 = 3;
    pub const BACKSPACE: u16 = 14;
    pub const TAB: u16 = 15;
    pub const W: u16 = 17;
    pub const LEFT_CTRL: u16 = 29;
    pub const D: u16 = 32;
    pub const F: u16 = 33;
    pub const LEFT_ALT: u16 = 56;
    pub const F1: u16 = 59;
    pub const F10: u16 = 68;
    pub const F11: u16 = 87;
    pub const F12: u16 = 88;
    pub const PRINT: u16 = 99;
    pub const DELETE: u16 = 111;
    pub const LEFT_SUPER: u16 = 125;
}

/// The highest code that a guest can be told.
const HIGHEST_CODE: u32 = 767;

/// A command for the window, given with the host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chord {
    /// Enter or leave fullscreen.
    Fullscreen,
    /// Show the display.
    Display,
    /// Show the serial port.
    Serial,
    /// Close the window.
    Close,
    /// Show or hide the guest's details.
    Details,
    /// Move the keyboard to the window's own buttons.
    Toolbar,
}

/// What to do about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Tell the guest that a key goes down or up.
    Key {
        /// Which.
        code: u16,
        /// True when it goes down.
        down: bool,
    },
    /// Press these together and let them go.
    Combination([u16; 3]),
    /// Do this in the window.
    Chord(Chord),
    /// The host key was pressed alone: take the whole keyboard, or give it back.
    ToggleGrab,
}

/// Whether the host key is down, and whether something was pressed with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Host {
    #[default]
    Up,
    Alone,
    InUse,
}

/// The keyboard as the guest sees it.
#[derive(Debug, Default)]
pub struct Keyboard {
    /// The keys that the guest was told are down.
    pressed: BTreeSet<u16>,
    /// The keys that went down for the window, until they go up.
    kept: BTreeSet<u16>,
    host: Host,
    grabbed: bool,
}

/// The code of a key, from the number that the windowing system gives it: X11 and Wayland both add 8.
pub fn code_of(hardware: u32) -> Option<u16> {
    let code = hardware.checked_sub(8)?;
    if code == 0 || code > HIGHEST_CODE { None } else { u16::try_from(code).ok() }
}

/// The function key of that code: 1–12.
fn function_key(code: u16) -> Option<u16> {
    match code {
        code::F1..=code::F10 => Some(code - code::F1 + 1),
        code::F11 => Some(11),
        code::F12 => Some(12),
        _ => None,
    }
}

/// The code of a function key: 1–12.
pub const fn code_of_function_key(number: u16) -> u16 {
    match number {
        11 => code::F11,
        12 => code::F12,
        number => code::F1 + number - 1,
    }
}

fn is_modifier(code: u16) -> bool {
    const RIGHT_ALT: u16 = 100;
    const LEFT_SHIFT: u16 = 42;
    const RIGHT_SHIFT: u16 = 54;
    const RIGHT_SUPER: u16 = 126;
    matches!(
        code,
        code::LEFT_CTRL
            | code::LEFT_ALT
            | code::LEFT_SUPER
            | RIGHT_ALT
            | LEFT_SHIFT
            | RIGHT_SHIFT
            | RIGHT_SUPER
    )
}

/// What a key means together with the host key. `letter` says what is printed on the key; where that
/// is no Latin letter, the key's place counts.
fn chord(code: u16, letter: Option<char>) -> Option<Act> {
    let letter = letter.map(|letter| letter.to_ascii_lowercase()).filter(char::is_ascii_lowercase);
    let is = |wanted: char, place: u16| letter.map_or(code == place, |letter| letter == wanted);
    let combination = |last| Act::Combination([code::LEFT_CTRL, code::LEFT_ALT, last]);
    if is('f', code::F) {
        Some(Act::Chord(Chord::Fullscreen))
    } else if is('w', code::W) {
        Some(Act::Chord(Chord::Close))
    } else if is('d', code::D) {
        Some(Act::Chord(Chord::Details))
    } else if let Some(number) = function_key(code) {
        Some(combination(code_of_function_key(number)))
    } else {
        match code {
            code::DIGIT_1 => Some(Act::Chord(Chord::Display)),
            code::DIGIT_2 => Some(Act::Chord(Chord::Serial)),
            code::TAB => Some(Act::Chord(Chord::Toolbar)),
            code::DELETE => Some(combination(code::DELETE)),
            _ => None,
        }
    }
}

impl Keyboard {
    /// Whether the whole keyboard belongs to the guest, so that even F11 is the guest's.
    pub fn set_grabbed(&mut self, grabbed: bool) {
        self.grabbed = grabbed;
    }

    /// A key goes down, or repeats. `letter` is what is printed on it, where that is a letter.
    pub fn press(&mut self, code: u16, letter: Option<char>) -> Option<Act> {
        if code == HOST {
            if self.host == Host::Up {
                self.host = Host::Alone;
            }
            return None;
        }
        // What is held for the window stays the window's, and does its work once.
        if self.kept.contains(&code) {
            return None;
        }
        if self.host != Host::Up && !self.pressed.contains(&code) {
            self.host = Host::InUse;
            self.kept.insert(code);
            return chord(code, letter);
        }
        let with_modifier = self.pressed.iter().any(|key| is_modifier(*key));
        if code == code::F11 && !self.grabbed && !with_modifier {
            self.kept.insert(code);
            return Some(Act::Chord(Chord::Fullscreen));
        }
        self.pressed.insert(code);
        Some(Act::Key { code, down: true })
    }

    /// A key goes up.
    pub fn release(&mut self, code: u16) -> Option<Act> {
        if code == HOST {
            let alone = std::mem::take(&mut self.host) == Host::Alone;
            return alone.then_some(Act::ToggleGrab);
        }
        self.kept.remove(&code);
        self.pressed.remove(&code).then_some(Act::Key { code, down: false })
    }

    /// The pointer was used: a host key that is held is then not pressed alone.
    pub fn pointer_used(&mut self) {
        if self.host == Host::Alone {
            self.host = Host::InUse;
        }
    }

    /// The keyboard goes elsewhere. True where the guest holds keys, which it must be told to let go.
    pub fn leave(&mut self) -> bool {
        self.host = Host::Up;
        self.kept.clear();
        !std::mem::take(&mut self.pressed).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: u16 = 30;

    fn key(code: u16, down: bool) -> Act {
        Act::Key { code, down }
    }

    #[test]
    fn codes_are_those_of_the_kernel() {
        assert_eq!(code_of(38), Some(A));
        assert_eq!(code_of(104), Some(96), "the keypad's Enter");
        assert_eq!(code_of(133), Some(code::LEFT_SUPER));
        assert_eq!(code_of(105), Some(HOST));
        for outside in [0, 7, 8, 8 + 768, u32::MAX] {
            assert_eq!(code_of(outside), None);
        }
        assert_eq!(code_of(8 + 767), Some(767));
    }

    #[test]
    fn keys_go_down_repeat_and_go_up() {
        let mut keyboard = Keyboard::default();
        assert_eq!(keyboard.press(A, Some('a')), Some(key(A, true)));
        assert_eq!(keyboard.press(A, Some('a')), Some(key(A, true)));
        assert_eq!(keyboard.release(A), Some(key(A, false)));
        assert_eq!(keyboard.release(A), None, "it is up already");
    }

    #[test]
    fn the_host_key_alone_toggles_the_grab() {
        let mut keyboard = Keyboard::default();
        assert_eq!(keyboard.press(HOST, None), None);
        assert_eq!(keyboard.press(HOST, None), None, "a repeat");
        assert_eq!(keyboard.release(HOST), Some(Act::ToggleGrab));
        assert_eq!(keyboard.release(HOST), None);
    }

    #[test]
    fn a_chord_is_done_once_and_stays_out_of_the_guest() {
        let mut keyboard = Keyboard::default();
        keyboard.press(HOST, None);
        assert_eq!(keyboard.press(code::F, Some('f')), Some(Act::Chord(Chord::Fullscreen)));
        assert_eq!(keyboard.press(code::F, Some('f')), None, "a repeat");
        assert_eq!(keyboard.release(HOST), None, "it was not alone");
        assert_eq!(keyboard.press(code::F, Some('f')), None, "a repeat after the host key is up");
        assert_eq!(keyboard.release(code::F), None);
        assert_eq!(keyboard.press(code::F, Some('f')), Some(key(code::F, true)), "now it is the guest's");
    }

    #[test]
    fn a_chord_that_means_nothing_stays_out_of_the_guest() {
        let mut keyboard = Keyboard::default();
        keyboard.press(HOST, None);
        assert_eq!(keyboard.press(A, Some('a')), None);
        assert_eq!(keyboard.release(A), None);
        assert_eq!(keyboard.release(HOST), None);
    }

    #[test]
    fn a_chord_goes_by_what_is_printed_on_a_key() {
        let press = |code, letter| {
            let mut keyboard = Keyboard::default();
            keyboard.press(HOST, None);
            keyboard.press(code, letter)
        };
        // French: W is where others have Z.
        assert_eq!(press(44, Some('w')), Some(Act::Chord(Chord::Close)));
        assert_eq!(press(code::W, Some('z')), None);
        // Russian: no Latin letter, so the place counts. French digits need Shift.
        assert_eq!(press(code::W, Some('ц')), Some(Act::Chord(Chord::Close)));
        assert_eq!(press(code::DIGIT_2, Some('é')), Some(Act::Chord(Chord::Serial)));
        assert_eq!(press(code::DIGIT_1, None), Some(Act::Chord(Chord::Display)));
        // Dvorak: D is where others have H.
        assert_eq!(press(35, Some('d')), Some(Act::Chord(Chord::Details)));
        assert_eq!(press(code::D, Some('e')), None);
    }

    #[test]
    fn combinations_that_the_host_would_take_have_a_chord() {
        let press = |code| {
            let mut keyboard = Keyboard::default();
            keyboard.press(HOST, None);
            keyboard.press(code, None)
        };
        let with = |last| Some(Act::Combination([code::LEFT_CTRL, code::LEFT_ALT, last]));
        assert_eq!(press(code::DELETE), with(code::DELETE));
        assert_eq!(press(code::F1), with(code::F1));
        assert_eq!(press(code::F12), with(code::F12));
        for number in 1..=12 {
            assert_eq!(function_key(code_of_function_key(number)), Some(number));
        }
    }

    #[test]
    fn f11_is_the_windows_only_while_the_keyboard_is_not_grabbed() {
        let mut keyboard = Keyboard::default();
        assert_eq!(keyboard.press(code::F11, None), Some(Act::Chord(Chord::Fullscreen)));
        assert_eq!(keyboard.release(code::F11), None);
        keyboard.set_grabbed(true);
        assert_eq!(keyboard.press(code::F11, None), Some(key(code::F11, true)));
        assert_eq!(keyboard.release(code::F11), Some(key(code::F11, false)));
        keyboard.set_grabbed(false);
        keyboard.press(code::LEFT_CTRL, None);
        assert_eq!(
            keyboard.press(code::F11, None),
            Some(key(code::F11, true)),
            "with a modifier it is another key"
        );
    }

    #[test]
    fn leaving_lets_everything_go() {
        let mut keyboard = Keyboard::default();
        assert!(!keyboard.leave());
        keyboard.press(code::LEFT_CTRL, None);
        keyboard.press(HOST, None);
        assert!(keyboard.leave());
        assert!(!keyboard.leave());
        assert_eq!(keyboard.release(code::LEFT_CTRL), None);
        assert_eq!(keyboard.release(HOST), None, "it was let go elsewhere");
        assert_eq!(keyboard.press(A, None), Some(key(A, true)));
    }

    #[test]
    fn a_key_held_since_before_the_host_key_goes_on_repeating() {
        let mut keyboard = Keyboard::default();
        keyboard.press(A, None);
        keyboard.press(HOST, None);
        assert_eq!(keyboard.press(A, None), Some(key(A, true)));
        assert_eq!(keyboard.release(A), Some(key(A, false)));
        assert_eq!(keyboard.release(HOST), Some(Act::ToggleGrab));
    }

    #[test]
    fn a_click_with_the_host_key_is_not_the_host_key_alone() {
        let mut keyboard = Keyboard::default();
        keyboard.press(HOST, None);
        keyboard.pointer_used();
        assert_eq!(keyboard.release(HOST), None);
    }

    proptest! {
        #[test]
        fn whatever_is_pressed_the_guest_is_told_of_pairs_and_never_of_the_host_key(
            events in proptest::collection::vec((0_u16..120, 0_u8..8), 0..200),
        ) {
            let mut keyboard = Keyboard::default();
            let mut guest = BTreeSet::new();
            for (code, what) in events {
                let act = match what {
                    0 => {
                        prop_assert_eq!(keyboard.leave(), !guest.is_empty());
                        guest.clear();
                        None
                    }
                    1 => {
                        keyboard.set_grabbed(code % 2 == 0);
                        None
                    }
                    2..=4 => keyboard.press(code, None),
                    _ => keyboard.release(code),
                };
                if let Some(Act::Key { code, down }) = act {
                    prop_assert_ne!(code, HOST);
                    if down {
                        guest.insert(code);
                    } else {
                        prop_assert!(guest.remove(&code));
                    }
                }
            }
        }
    }
}
