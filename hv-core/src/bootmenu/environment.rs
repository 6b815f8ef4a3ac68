//! GRUB's environment block: a file of 1,024 bytes with a line for each variable, in which GRUB remembers things across
//! starts, and which it overwrites in its place.

use std::collections::BTreeMap;

/// How it begins.
const SIGNATURE: &str = "# GRUB Environment Block\n";

/// How long one is; longer ones are as long as several.
const LENGTH: usize = 1024;

/// The longest that is read.
pub const LONGEST: u64 = 64 << 10;

/// The variables in a block; none where it is no such block.
pub fn read(block: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(block);
    let Some(lines) = text.strip_prefix(SIGNATURE) else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    let mut rest = lines;
    while !rest.is_empty() {
        // A `\` keeps what follows, also the end of a line.
        let mut line = String::new();
        let mut end = rest.len();
        let mut letters = rest.char_indices();
        while let Some((place, letter)) = letters.next() {
            match letter {
                '\n' => {
                    end = place + 1;
                    break;
                }
                '\\' => line.extend(letters.next().map(|(_, letter)| letter)),
                letter => line.push(letter),
            }
        }
        rest = &rest[end..];
        if line.starts_with('#') {
            continue;
        }
        if let Some((name, value)) = line.split_once('=') {
            found.insert(name.to_owned(), value.to_owned());
        }
    }
    found
}

/// A block of the same length in which one variable has another value, the others as they are; nothing where it is no
/// such block or has no room.
pub fn with(block: &[u8], name: &str, value: &str) -> Option<Vec<u8>> {
    let text = str::from_utf8(block).ok()?;
    if block.len() < LENGTH || !text.starts_with(SIGNATURE) || value.contains('\n') {
        return None;
    }
    let mut made = String::from(SIGNATURE);
    let mut put = false;
    let line = format!("{name}={}\n", value.replace('\\', "\\\\"));
    // Lines that go on in the next one are kept as they are.
    let mut continued = false;
    for one in text[SIGNATURE.len()..].split_inclusive('\n') {
        let padding = one.starts_with('#') && !continued;
        if padding {
            break;
        }
        if !continued && one.split_once('=').is_some_and(|(key, _)| key == name) {
            if one.ends_with("\\\n") {
                return None;
            }
            made.push_str(&line);
            put = true;
        } else {
            made.push_str(one);
        }
        continued = one.ends_with("\\\n");
    }
    if !put {
        made.push_str(&line);
    }
    let room = block.len().checked_sub(made.len())?;
    made.extend(std::iter::repeat_n('#', room));
    Some(made.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(lines: &str) -> Vec<u8> {
        let mut block = format!("{SIGNATURE}{lines}").into_bytes();
        block.resize(LENGTH, b'#');
        block
    }

    #[test]
    fn a_variable_is_replaced_in_place() {
        let before = block("saved_entry=old\nkernelopts=root=/dev/sda1 ro\nmessage=a\\\nb\n");
        let value = |block: &[u8], name: &str| read(block).get(name).cloned().unwrap_or_default();
        assert_eq!(value(&before, "kernelopts"), "root=/dev/sda1 ro");
        let after = with(&before, "saved_entry", "a longer name>with one below").unwrap();
        assert_eq!(after.len(), LENGTH);
        assert_eq!(value(&after, "saved_entry"), "a longer name>with one below");
        assert_eq!(value(&after, "kernelopts"), "root=/dev/sda1 ro");
        assert_eq!(value(&after, "message"), "a\nb");
        assert_eq!(value(&with(&block(""), "saved_entry", "x\\y").unwrap(), "saved_entry"), "x\\y");
    }

    #[test]
    fn what_is_no_block_or_has_no_room_is_left_alone() {
        assert_eq!(with(&block(""), "saved_entry", &"x".repeat(LENGTH)), None);
        assert_eq!(with(b"# GRUB Environment Block\n", "saved_entry", "x"), None);
        assert_eq!(with(&[b'#'; LENGTH], "saved_entry", "x"), None);
        assert!(read(b"saved_entry=0").is_empty());
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(value in "[a-zA-Z0-9>\\\\ ._-]{0,60}", other in "[a-z=#\\\\\n]{0,60}") {
            let before = block(&other);
            if let Some(after) = with(&before, "saved_entry", &value) {
                prop_assert_eq!(after.len(), before.len());
                let found = read(&after);
                prop_assert_eq!(found.get("saved_entry"), Some(&value));
            }
        }
    }
}
