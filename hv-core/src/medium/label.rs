//! Words on a disc: made harmless, and read for the name of a processor.

/// The text of a fixed-length field that is filled up with blanks or zeros; nothing where it is empty.
/// Characters that would act on a terminal or turn a line of text around are replaced.
pub(super) fn clean(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let text: String = String::from_utf8_lossy(&bytes[..end])
        .chars()
        .map(|c| if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER })
        .collect();
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether a character only shows itself: no control character, no mark for the direction of text, no
/// invisible joiner, no line separator.
pub(crate) fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Words for processors, and the one name that we use for each.
const ARCHITECTURES: [(&str, &str); 18] = [
    ("x86_64", "x86_64"),
    ("x86-64", "x86_64"),
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("i386", "i386"),
    ("i486", "i386"),
    ("i586", "i386"),
    ("i686", "i386"),
    ("ia32", "i386"),
    ("aarch64", "aarch64"),
    ("arm64", "aarch64"),
    ("armhf", "arm"),
    ("armv7", "arm"),
    ("riscv64", "riscv64"),
    ("ppc64le", "ppc64le"),
    ("ppc64el", "ppc64le"),
    ("s390x", "s390x"),
    ("loongarch64", "loongarch64"),
];

/// The processor that a label or a file name names as a word of its own; nothing where it names none,
/// or more than one kind.
pub fn architecture(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let mut named = ARCHITECTURES.iter().filter(|(word, _)| has_word(&text, word)).map(|&(_, arch)| arch);
    let first = named.next()?;
    named.all(|arch| arch == first).then_some(first)
}

fn has_word(text: &str, word: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(word)
        .any(|(at, _)| ends(text[..at].chars().next_back()) && ends(text[at + word.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_lose_their_padding_and_what_acts_on_a_terminal() {
        assert_eq!(clean(b"Debian 12.5.0 amd64 n           ").as_deref(), Some("Debian 12.5.0 amd64 n"));
        assert_eq!(clean(b"BOOT\0\0\0garbage").as_deref(), Some("BOOT"));
        assert_eq!(clean(b"                "), None);
        assert_eq!(clean(b"\0\0\0\0"), None);
        assert_eq!(clean(b"a\x1b[31mb").as_deref(), Some("a\u{fffd}[31mb"));
        assert_eq!(clean(b"caf\xe9").as_deref(), Some("caf\u{fffd}"));
        assert_eq!(clean("a\u{202e}b\u{200b}".as_bytes()).as_deref(), Some("a\u{fffd}b\u{fffd}"));
    }

    #[test]
    fn a_processor_is_read_from_words_only() {
        for (text, arch) in [
            ("Debian 12.5.0 amd64 n", Some("x86_64")),
            ("Fedora-S-dvd-x86_64-43", Some("x86_64")),
            ("14_3_RELEASE_AMD64_DVD", Some("x86_64")),
            ("memtest86+x64", Some("x86_64")),
            ("memtest86+ia32", Some("i386")),
            ("OpenBSD/arm64   7.5 Install CD", Some("aarch64")),
            ("debian-12-i386", Some("i386")),
            ("Debian 9 amd64 i386 1", None),
            ("x86_64 and amd64", Some("x86_64")),
            ("CCCOMA_X64FRE_EN-US_DV9", None),
            ("ISOIMAGE", None),
            ("", None),
        ] {
            assert_eq!(architecture(text), arch, "{text}");
        }
    }
}
