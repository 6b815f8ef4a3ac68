//! What devices are called that don't say it themselves: the lists `usb.ids` and `pci.ids`, which many systems have.

use super::sysfs::shown;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// More of a list is not read. The longest one had 1.4 MB in 2024.
const LIMIT: u64 = 8 << 20;

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// That of USB devices.
    Usb,
    /// That of PCI devices.
    Pci,
}

/// Who made a device, and which of their products it is.
pub type Id = (u16, u16);

impl List {
    /// Where it is kept, by different systems.
    fn places(self) -> [&'static str; 3] {
        match self {
            Self::Usb => ["usr/share/hwdata/usb.ids", "usr/share/misc/usb.ids", "var/lib/usbutils/usb.ids"],
            Self::Pci => ["usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids", "var/lib/pciutils/pci.ids"],
        }
    }

    /// The maker and the product of each of these, or the maker alone; nothing where there is no list, or not in it.
    pub fn names(self, root: &Path, ids: &BTreeSet<Id>) -> BTreeMap<Id, String> {
        let list = self.places().iter().find_map(|place| File::open(root.join(place)).ok());
        list.map(|list| find(BufReader::new(list.take(LIMIT)), ids)).unwrap_or_default()
    }

    /// That of one.
    pub fn name(self, root: &Path, id: Id) -> Option<String> {
        self.names(root, &BTreeSet::from([id])).remove(&id)
    }
}

/// Makers stand at the beginning of a line, their products behind a tab below: `0781  SanDisk Corp.`
fn find(list: impl BufRead, ids: &BTreeSet<Id>) -> BTreeMap<Id, String> {
    let mut names = BTreeMap::new();
    if ids.is_empty() {
        return names;
    }
    let mut maker: Option<(u16, String)> = None;
    // It may have signs that are not UTF-8.
    for line in list.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if let Some(line) = line.strip_prefix('\t') {
            let Some((vendor, maker)) = &maker else { continue };
            let Some((product, name)) = entry(line).filter(|(number, _)| ids.contains(&(*vendor, *number)))
            else {
                continue;
            };
            names.extend(shown(&format!("{maker} {name}")).map(|name| ((*vendor, product), name)));
        } else if !line.starts_with('#') {
            maker = entry(&line).map(|(number, name)| (number, name.to_owned()));
            let Some((vendor, name)) = &maker else { continue };
            let own = ids.range((*vendor, 0)..=(*vendor, u16::MAX));
            names.extend(own.filter_map(|id| Some((*id, shown(name)?))));
        }
    }
    names
}

/// `0781  SanDisk Corp.`
fn entry(line: &str) -> Option<(u16, &str)> {
    let (number, name) = line.split_once("  ")?;
    let is_number = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((u16::from_str_radix(number, 16).ok().filter(|_| is_number)?, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIST: &[u8] =
        b"# comment\n0781  SanDisk Corp.\n\t5566  Cruzer\n# more\n\t5567  Cruzer Blade\n\t\t01  interface\n\
        0782  Other \xff\n\t5568  Thing\nC 00  (Defined at Interface level)\n\t5569  No product\n";

    #[test]
    fn a_device_is_found_by_its_maker_and_its_number() {
        let ids = [(0x781, 0x5567), (0x781, 0x5568), (0x782, 0x5568), (0x782, 0x5569), (0x5567, 1)];
        let names = find(LIST, &BTreeSet::from(ids));
        let name = |id| names.get(&id).map(String::as_str);
        assert_eq!(name((0x781, 0x5567)), Some("SanDisk Corp. Cruzer Blade"));
        // The product is another maker's.
        assert_eq!(name((0x781, 0x5568)), Some("SanDisk Corp."));
        assert_eq!(name((0x782, 0x5568)), Some("Other \u{fffd} Thing"));
        assert_eq!(name((0x782, 0x5569)), Some("Other \u{fffd}"));
        assert_eq!(name((0x5567, 1)), None);
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_list_names_only_what_was_asked_for(
            list in "(([0-9a-f]{4}|[\\x00-\\x7f]{0,4})  ?[\\x00-\\x7f]{0,9}\n\t?){0,20}",
            ids in proptest::collection::btree_set(any::<(u16, u16)>(), 0..4),
        ) {
            let names = find(list.as_bytes(), &ids);
            prop_assert!(names.keys().all(|id| ids.contains(id)));
            prop_assert!(names.values().all(|name| !name.chars().any(char::is_control)));
        }
    }
}
