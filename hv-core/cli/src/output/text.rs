//! Text that is safe to show on a terminal and to paste into a shell.

use std::fmt::Write as _;

/// Whether a character would do something to a terminal, or hide what stands there, instead of being
/// seen: control characters, separators of lines, and those that turn the direction of writing.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text in one line, with escapes in place of characters that act instead of being seen.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if acts(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The text in its lines, for a terminal.
pub fn printable_lines(text: &str) -> String {
    text.lines().fold(String::with_capacity(text.len() + 1), |mut shown, line| {
        let parts: Vec<String> = line.split('\t').map(escaped).collect();
        shown.push_str(&parts.join("\t"));
        shown.push('\n');
        shown
    })
}

/// A program and its arguments as one would write them in a shell (bash, zsh, ksh).
pub fn command_line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.chars().any(acts) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for character in word.chars() {
        match character {
            '\'' | '\\' => quoted.extend(['\\', character]),
            _ if acts(character) => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    // Writing into a string can't fail.
                    let _done = write!(quoted, "\\x{byte:02x}");
                }
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_acts_on_a_terminal_is_escaped() {
        assert_eq!(escaped("a\u{1b}[31mb\nc\u{9b}\u{202e}é 日"), "a\\u{1b}[31mb\\nc\\u{9b}\\u{202e}é 日");
        assert_eq!(printable_lines("a\tb\r\n\u{7}c"), "a\tb\n\\u{7}c\n");
    }

    #[test]
    fn a_shell_reads_the_same_words_back() {
        let words =
            ["", "a b", "it's", "$HOME", "`id`", "new\nline", "\u{1b}]0;x\u{7}'\\", "é日", "*", "a=b,c"];
        let words: Vec<String> = words.map(str::to_owned).into();
        let script = format!("printf '%s\\0' {}", command_line(&words));
        let output = Command::new("bash").args(["-c", &script]).output().expect("bash is there");
        let read: Vec<&[u8]> =
            output.stdout.strip_suffix(b"\0").expect("an end").split(|b| *b == 0).collect();
        assert_eq!(read, words.iter().map(String::as_bytes).collect::<Vec<_>>());
        assert!(!command_line(&words).contains(['\n', '\u{1b}', '\u{7}']));
    }

    #[test]
    fn ordinary_words_stay_readable() {
        let words = ["qemu-system-x86_64", "-m", "2048", "-name", "Fedora 42"].map(str::to_owned);
        assert_eq!(command_line(&words), "qemu-system-x86_64 -m 2048 -name 'Fedora 42'");
    }
}
