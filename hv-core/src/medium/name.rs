//! A name for a guest, made from what its medium calls itself.
//!
//! Promises names that the core accepts: 1–64 characters, no `/`, no control characters, no blanks at
//! the ends, no dot at the beginning. Whether a name is taken, the caller knows.

use super::{Facts, label};

/// The longest name, in characters.
const LONGEST: usize = 64;

/// The name where nothing better is to be had.
const PLAIN: &str = "Guest";

/// Labels, by their letters, that discs get when nobody thinks of one.
const MEANINGLESS: [&str; 12] = [
    "boot",
    "cdrom",
    "cidata",
    "data",
    "disc",
    "dvd",
    "isoimage",
    "live",
    "newvolume",
    "noname",
    "untitled",
    "volume",
];

/// Words that say which disc of a release it is, not what is on it.
const DISC_WORDS: [&str; 15] = [
    "baseos",
    "bootonly",
    "cd",
    "cd1",
    "disc",
    "disc1",
    "dvd",
    "dvd1",
    "install",
    "iso",
    "minimal",
    "netboot",
    "netinst",
    "netinstall",
    "ostree",
];

/// Endings of files that hold media.
const ENDINGS: [&str; 9] = ["img", "iso", "qcow", "qcow2", "raw", "vdi", "vhd", "vhdx", "vmdk"];

/// A name for a guest made from this medium: the disc's own where it means something to a person, else
/// the file's. `file_name` is without its folder.
pub fn suggested_name(facts: &Facts, file_name: &str) -> String {
    let from_label = facts.volume_id.as_deref().filter(|label| is_meaningful(label)).and_then(release);
    from_label.or_else(|| from_file_name(file_name)).unwrap_or_else(|| PLAIN.to_owned())
}

/// A name for a guest with a system of this name: without its maker, whom everybody knows.
pub fn system_name(name: &str) -> Option<String> {
    tidy(name.strip_prefix("Microsoft ").unwrap_or(name))
}

/// `base`, or where that is taken, the first of `base 2`, `base 3` … that is not.
pub fn unique_name(base: &str, taken: impl Fn(&str) -> bool) -> String {
    let base = tidy(base).unwrap_or_else(|| PLAIN.to_owned());
    let mut name = base.clone();
    let mut number = 2_u64;
    while taken(&name) {
        let ending = format!(" {number}");
        let start: String = base.chars().take(LONGEST - ending.len()).collect();
        name = format!("{}{ending}", start.trim_end());
        number += 1;
    }
    name
}

/// Whether a label was written for people. One without small letters keeps to the few characters that
/// old discs may have, and is more often a code (`CCCOMA_X64FRE_EN-US_DV9`, `14_3_RELEASE_AMD64_DVD`,
/// `MT86PLUS_64`, `ISOIMAGE`): there the file's name says more.
fn is_meaningful(label: &str) -> bool {
    let letters: String =
        label.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    label.starts_with(char::is_alphabetic)
        && label.contains(char::is_lowercase)
        && !MEANINGLESS.contains(&letters.as_str())
}

fn from_file_name(file_name: &str) -> Option<String> {
    let stem = match file_name.rsplit_once('.') {
        Some((stem, ending)) if ENDINGS.contains(&ending.to_ascii_lowercase().as_str()) => stem,
        _ => file_name,
    };
    // Only names in the manner of a release are taken apart; others are somebody's choice.
    if words(stem).iter().any(|word| is_processor(word)) { release(stem) } else { tidy(stem) }
}

/// `Debian 12.5.0` from `Debian 12.5.0 amd64 n` or `Debian-12.5.0-amd64-netinst`.
fn release(text: &str) -> Option<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut behind_processor = false;
    // True where the last word kept is part of a version that may go on.
    let mut in_version = false;
    for word in words(text) {
        let is_number = word.chars().all(|c| c.is_ascii_digit());
        let is_single = word.chars().count() == 1;
        if is_processor(&word) {
            (behind_processor, in_version) = (true, false);
        } else if DISC_WORDS.contains(&word.to_ascii_lowercase().as_str())
            || is_single && (!is_number || behind_processor)
        {
            in_version = false;
        } else if let Some(version) = kept.last_mut().filter(|_| in_version && is_number && word.len() <= 2) {
            // Labels that may not have a point write `10-0` for 10.0.
            version.push('.');
            version.push_str(&word);
        } else {
            in_version = is_number && word.len() <= 2;
            kept.push(word);
        }
    }
    tidy(&kept.join(" ")).or_else(|| tidy(text))
}

/// The words of a text. Where it has blanks, hyphens belong to its words.
fn words(text: &str) -> Vec<String> {
    let mut text = text.trim().to_owned();
    for processor in ["x86_64", "X86_64", "x86-64"] {
        text = text.replace(processor, "amd64");
    }
    let has_blanks = text.contains(char::is_whitespace);
    let separates = |c: char| match c {
        '_' | '/' => true,
        '-' => !has_blanks,
        _ => c.is_whitespace(),
    };
    text.split(separates).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn is_processor(word: &str) -> bool {
    // A word with more in it, as `memtest86+x64`, is a name.
    word.chars().all(char::is_alphanumeric) && label::architecture(word).is_some()
}

/// The text as a name that the core accepts; nothing where nothing of it is left.
fn tidy(text: &str) -> Option<String> {
    let harmless: String = text
        .chars()
        .filter(|&c| c != char::REPLACEMENT_CHARACTER)
        .map(|c| if c == '/' || c == '_' || !label::is_plain(c) { ' ' } else { c })
        .collect();
    let joined = harmless.split_whitespace().collect::<Vec<_>>().join(" ");
    let start = joined.trim_start_matches(|c: char| c == '.' || c.is_whitespace());
    let name: String = start.chars().take(LONGEST).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labelled(volume_id: &str) -> Facts {
        Facts { volume_id: Some(volume_id.to_owned()), ..Facts::unknown(0) }
    }

    #[test]
    fn labels_become_the_names_of_releases() {
        for (label, name) in [
            ("Debian 12.5.0 amd64 n", "Debian 12.5.0"),
            ("Debian 13.0.0 amd64 1", "Debian 13.0.0"),
            ("Ubuntu 24.04 LTS amd64", "Ubuntu 24.04 LTS"),
            ("Ubuntu-Server 24.04 LTS amd64", "Ubuntu-Server 24.04 LTS"),
            ("Fedora-S-dvd-x86_64-43", "Fedora 43"),
            ("Fedora-WS-Live-43", "Fedora WS Live 43"),
            ("RHEL-10-0-BaseOS-x86_64", "RHEL 10.0"),
            ("AlmaLinux-10-0-x86_64-dvd", "AlmaLinux 10.0"),
            ("OL-9-4-0-BaseOS-x86_64", "OL 9.4.0"),
            ("openSUSE-Leap-15.6-DVD-x86_64", "openSUSE Leap 15.6"),
            ("alpine-std 3.22.0 x86_64", "alpine-std 3.22.0"),
            ("OpenBSD/amd64   7.5 Install CD", "OpenBSD 7.5"),
            ("nixos-minimal-25.05-x86_64", "nixos 25.05"),
        ] {
            assert_eq!(suggested_name(&labelled(label), "x.iso"), name);
        }
    }

    #[test]
    fn the_file_has_the_name_where_the_label_means_nothing() {
        for (label, file_name, name) in [
            ("MT86PLUS_64", "memtest86+x64.iso", "memtest86+x64"),
            ("ISOIMAGE", "grub-rescue-cdrom.iso", "grub-rescue-cdrom"),
            ("New Volume", "tools_2024.ISO", "tools 2024"),
            ("CCCOMA_X64FRE_EN-US_DV9", "Win11_23H2_English_x64.iso", "Win11 23H2 English"),
            ("14_3_RELEASE_AMD64_DVD", "FreeBSD-14.3-RELEASE-amd64-dvd1.iso", "FreeBSD 14.3 RELEASE"),
            ("ARCH_202402", "archlinux-2024.02.01-x86_64.iso", "archlinux 2024.02.01"),
            ("", "debian-12.5.0-amd64-netinst.iso", "debian 12.5.0"),
            ("\u{fffd}\u{fffd}", "a.tar.gz", "a.tar.gz"),
            ("", "...hidden", "hidden"),
            ("", ".iso", "Guest"),
            ("", "..", "Guest"),
            ("", "", "Guest"),
            ("", "amd64.iso", "amd64"),
        ] {
            assert_eq!(suggested_name(&labelled(label), file_name), name, "{label} {file_name}");
        }
    }

    #[test]
    fn systems_lend_their_names() {
        assert_eq!(system_name("Debian 12").as_deref(), Some("Debian 12"));
        assert_eq!(system_name("Microsoft Windows 11").as_deref(), Some("Windows 11"));
        assert_eq!(system_name("/"), None);
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        assert_eq!(unique_name("Debian", |_| false), "Debian");
        assert_eq!(unique_name("Debian", |name| name == "Debian"), "Debian 2");
        assert_eq!(unique_name("Debian", |name| ["Debian", "Debian 2"].contains(&name)), "Debian 3");
    }

    fn assert_valid(name: &str) {
        assert!((1..=64).contains(&name.chars().count()), "{name:?}");
        assert!(!name.contains('/') && !name.contains(char::is_control), "{name:?}");
        assert!(!name.starts_with('.') && name.trim() == name, "{name:?}");
    }

    proptest! {
        #[test]
        fn every_name_is_valid(label in "\\PC{0,40}|.{0,40}|[a-z0-9_. /-]{0,90}", file in "\\PC{0,90}|.{0,90}") {
            assert_valid(&suggested_name(&labelled(&label), &file));
        }

        #[test]
        fn every_numbered_name_is_valid_and_free(base in "\\PC{0,90}|.{0,90}", count in 0_u64..30) {
            let mut taken: Vec<String> = Vec::new();
            for _ in 0..=count {
                let name = unique_name(&base, |name| taken.iter().any(|other| other == name));
                assert_valid(&name);
                prop_assert!(!taken.contains(&name));
                taken.push(name);
            }
        }
    }
}
