//! systemd-boot: `/loader/loader.conf`, which says which of the entries is the default by a pattern of their names.

use super::bls::Entry;

/// The entry that systemd-boot would choose; nothing where there is none.
///
/// `text` is that of `loader.conf`; the entries are in their order.
pub fn default(text: &str, entries: &[Entry]) -> Option<usize> {
    let patterns = wanted(text);
    let matching = |pattern: &str| {
        entries
            .iter()
            .position(|entry| matches(pattern, &format!("{}.conf", entry.id)) || matches(pattern, &entry.id))
    };
    // The first is the newest. One that never started in time (“+0”) is the last choice.
    let good = || entries.iter().position(|entry| !entry.id.ends_with("+0") && !entry.id.contains("+0-"));
    patterns.and_then(matching).or_else(good).or_else(|| (!entries.is_empty()).then_some(0))
}

/// The pattern in a `loader.conf`.
pub fn wanted(text: &str) -> Option<&str> {
    let lines = text.lines().map(str::trim);
    let mut values = lines
        .filter_map(|line| Some(line.strip_prefix("default")?.strip_prefix(char::is_whitespace)?.trim()));
    values.rfind(|value| !value.is_empty() && !value.starts_with('@'))
}

/// Whether a name fits a pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.to_lowercase().chars().collect(), name.to_lowercase().chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` was, and what it stood for up to.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((place, up_to)) => {
                    *up_to += 1;
                    (p, n) = (*place + 1, *up_to);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(ids: &[&str]) -> Vec<Entry> {
        let mut entries: Vec<_> =
            ids.iter().map(|id| Entry { id: (*id).into(), ..Entry::default() }).collect();
        entries.sort_by(super::super::bls::systemd_order);
        entries
    }

    #[test]
    fn the_pattern_chooses() {
        let entries = named(&["arch", "arch-lts", "arch-fallback"]);
        let chosen = |text: &str| default(text, &entries).map(|index| &*entries[index].id);
        assert_eq!(chosen("timeout 3\ndefault arch.conf\n"), Some("arch"));
        assert_eq!(chosen("default  arch-l*\n"), Some("arch-lts"));
        assert_eq!(chosen("default none*\n"), Some("arch-lts"), "the newest");
        assert_eq!(chosen("default @saved\n"), Some("arch-lts"));
        assert_eq!(default("", &[]), None);
    }

    proptest! {
        #[test]
        fn patterns_end(pattern in "[*?ab]{0,12}", name in "[ab]{0,24}") {
            let _ = matches(&pattern, &name);
            prop_assert!(matches(&name, &name));
        }
    }
}
