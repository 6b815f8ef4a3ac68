//! The menu of key combinations that the host would otherwise take for itself.

use crate::widgets::framebuffer::keyboard::{code, code_of_function_key};
use gtk::gio;
use virt_kit::i18n::gettext;

/// The name of the action that sends a combination, with its place in [`combinations`].
pub const ACTION: &str = "send-keys";

/// A combination of keys with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// As it is printed on keyboards.
    pub name: String,
    /// Its keys in the order in which they go down, by their codes in `input-event-codes.h`.
    pub codes: Vec<u16>,
}

/// All combinations of the menu: those that stand alone first, then Ctrl+Alt with a function key.
pub fn combinations() -> Vec<Combination> {
    let control_alt = |name: &str, last| Combination {
        name: format!("{}+{}+{name}", gettext("Ctrl"), gettext("Alt")),
        codes: vec![code::LEFT_CTRL, code::LEFT_ALT, last],
    };
    let alone = |name: String, last| Combination { name, codes: vec![last] };
    let mut all = vec![
        // Translators: the names of keys, as they are printed on keyboards.
        control_alt(&gettext("Del"), code::DELETE),
        control_alt(&gettext("Backspace"), code::BACKSPACE),
        alone(gettext("Print Screen"), code::PRINT),
        alone(gettext("Super"), code::LEFT_SUPER),
    ];
    all.extend((1..=12).map(|number| control_alt(&format!("F{number}"), code_of_function_key(number))));
    all
}

/// How many of them stand alone.
const ALONE: usize = 4;

/// The menu; its entries activate [`ACTION`] of the group "console".
pub fn menu() -> gio::Menu {
    let (menu, function_keys) = (gio::Menu::new(), gio::Menu::new());
    for (index, combination) in combinations().into_iter().enumerate() {
        let section = if index < ALONE { &menu } else { &function_keys };
        section.append(Some(&combination.name), Some(&format!("console.{ACTION}(uint32 {index})")));
    }
    menu.append_submenu(Some(&gettext("Text Consoles")), &function_keys);
    menu
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_a_combination_of_its_own() {
        let all = combinations();
        assert_eq!(all.len(), ALONE + 12);
        assert_eq!(all[0].codes, [29, 56, 111]);
        assert_eq!(all[0].name, "Ctrl+Alt+Del");
        assert_eq!(all.last().map(|last| last.name.as_str()), Some("Ctrl+Alt+F12"));
        for (index, one) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other.codes != one.codes), "{}", one.name);
        }
    }
}
