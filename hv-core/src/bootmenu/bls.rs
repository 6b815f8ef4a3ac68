//! Boot entries of which each is a file: `/loader/entries/*.conf`, as the Boot Loader Specification has them. GRUB of
//! Fedora and its relatives shows them, and so does systemd-boot.

use super::version;
use std::cmp::Ordering;

/// The longest file of an entry.
pub const LONGEST: u64 = 64 << 10;

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The file's name without `.conf`.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: String,
    /// Its key for the order, by which the newest is not always the first.
    pub sort_key: String,
    /// The computer for which it was made.
    pub machine: String,
    /// The kernel.
    pub linux: String,
    /// What goes with it.
    pub initrds: Vec<String>,
    /// The command line, with variables.
    pub options: String,
    /// An EFI program that is started instead of a kernel.
    pub efi: String,
}

/// Reads one.
pub fn read(name: &str, text: &str) -> Entry {
    let mut entry = Entry { id: name.strip_suffix(".conf").unwrap_or(name).to_owned(), ..Entry::default() };
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let value = value.trim().to_owned();
        match key {
            "title" => entry.title = value,
            "version" => entry.version = value,
            "sort-key" => entry.sort_key = value,
            "machine-id" => entry.machine = value,
            "linux" => entry.linux = value,
            // Fedora has several in one line.
            "initrd" => entry.initrds.extend(value.split_whitespace().map(str::to_owned)),
            "options" if entry.options.is_empty() => entry.options = value,
            "options" => entry.options = format!("{} {value}", entry.options),
            "efi" | "uki" => entry.efi = value,
            _ => {}
        }
    }
    if entry.title.is_empty() {
        entry.title.clone_from(&entry.id);
    }
    entry
}

/// The order in which GRUB shows them: the newest first, by their names.
pub fn grub_order(one: &Entry, other: &Entry) -> Ordering {
    version::compare(&other.id, &one.id).then_with(|| other.id.cmp(&one.id))
}

/// The order in which systemd-boot does: by their sort key where they have one, the newest first in each.
pub fn systemd_order(one: &Entry, other: &Entry) -> Ordering {
    let newest = || version::compare(&other.version, &one.version);
    match (one.sort_key.is_empty(), other.sort_key.is_empty()) {
        (false, true) => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, false) => {
            let keys = one.sort_key.cmp(&other.sort_key).then_with(|| one.machine.cmp(&other.machine));
            keys.then_with(newest).then_with(|| version::compare(&other.id, &one.id))
        }
        (true, true) => version::compare(&other.id, &one.id),
    }
}

/// A command line with the values of its variables; those that nobody knows are left out.
pub fn expanded(options: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut words = Vec::new();
    for word in options.split_whitespace() {
        let mut made = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once('$') {
            made.push_str(before);
            let (name, after) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                Some(braced) => braced,
                None => after.split_at(
                    after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len()),
                ),
            };
            made.push_str(&value(name).unwrap_or_default());
            rest = after;
        }
        made.push_str(rest);
        words.extend(made.split_whitespace().map(str::to_owned));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read() {
        let text = "title Fedora Linux (6.8.5)\nversion 6.8.5\nlinux /vmlinuz-6.8.5\ninitrd /a.img $tuned_initrd\n\
            options root=UUID=1 ro\n# options not\noptions quiet $tuned_params\ngrub_users $grub_users\n";
        let entry = read("abc-6.8.5.conf", text);
        assert_eq!((&*entry.id, &*entry.linux), ("abc-6.8.5", "/vmlinuz-6.8.5"));
        assert_eq!(entry.initrds, ["/a.img", "$tuned_initrd"]);
        let known = |name: &str| (name == "kernelopts").then(|| "root=/dev/sda1 ro".to_owned());
        assert_eq!(expanded(&entry.options, known), "root=UUID=1 ro quiet");
        assert_eq!(expanded("$kernelopts ${none}x a$", known), "root=/dev/sda1 ro x a");
    }

    #[test]
    fn the_newest_is_the_first() {
        let named = |id: &str| Entry { id: id.into(), ..Entry::default() };
        let mut entries = [named("m-0-rescue"), named("m-6.8.5-301.fc40"), named("m-6.8.11-300.fc40")];
        entries.sort_by(grub_order);
        let ids = entries.map(|entry| entry.id);
        assert_eq!(ids, ["m-6.8.11-300.fc40", "m-6.8.5-301.fc40", "m-0-rescue"]);
    }
}
