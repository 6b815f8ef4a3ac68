//! Which system is on a disk, as that itself says: `os-release` of a Linux, and what starts a Windows.

use super::bytes::Disk;
use super::find::Systems;
use super::partitions;
use std::rc::Rc;

/// Where it stands, also on file systems whose systems are each in a part of their own.
const FILES: [&str; 8] = [
    "/etc/os-release",
    "/usr/lib/os-release",
    "/@/etc/os-release",
    "/@/usr/lib/os-release",
    "/root/etc/os-release",
    "/root/usr/lib/os-release",
    "/@rootfs/etc/os-release",
    "/@rootfs/usr/lib/os-release",
];

/// The longest that is read, in bytes.
const LONGEST: u64 = 16 << 10;

/// The longest of its words that are kept, in characters.
const LONGEST_WORD: usize = 128;

/// What starts a Windows, in the first bytes of its file system, in UTF-16.
const WINDOWS: &[u8] = b"B\0O\0O\0T\0M\0G\0R\0";

/// How much of those is looked at.
const BOOT_RECORD: usize = 8 << 10;

/// A system.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Installed {
    /// `linux` or `winnt`.
    pub family: String,
    /// What it calls itself in one word, as `debian`; empty where it does not.
    pub id: String,
    /// Its version, as `12`.
    pub version: String,
    /// What it calls itself for people.
    pub name: String,
}

impl Installed {
    /// What the operating-system database may call it, the most exact first.
    pub fn short_ids(&self) -> Vec<String> {
        let Self { id, version, .. } = self;
        let major = version.split('.').next().unwrap_or_default();
        let minor = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        let versions = [version.as_str(), &minor, major];
        let id = match id.as_str() {
            "opensuse-leap" => "opensuse",
            "opensuse-tumbleweed" => return vec!["opensusetumbleweed".into()],
            "sles" if minor.contains('.') => return vec![format!("sle{}", minor.replacen('.', "sp", 1))],
            "alpine" => "alpinelinux",
            "arch" => return vec!["archlinux".into()],
            "centos" if self.name.contains("Stream") => "centos-stream",
            "nixos" => "nixos-",
            other => other,
        };
        if version.is_empty() {
            Vec::new()
        } else {
            versions.map(|version| format!("{id}{version}")).to_vec()
        }
    }
}

/// The system on a disk: of several, the first.
pub fn installed(disk: &Rc<Disk>) -> Option<Installed> {
    let systems = Systems::of(disk);
    let texts = systems
        .readable()
        .into_iter()
        .flat_map(|(_, system)| FILES.iter().filter_map(|file| system.read(file, LONGEST).ok()));
    let mut found = texts.filter_map(|text| os_release(&String::from_utf8_lossy(&text)));
    found.next().or_else(|| windows(disk))
}

/// What such a file says.
fn os_release(text: &str) -> Option<Installed> {
    let value = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        lines.next_back().map(plain).unwrap_or_default()
    };
    let (id, version) = (value("ID"), value("VERSION_ID"));
    let name = Some(value("PRETTY_NAME")).filter(|name| !name.is_empty()).unwrap_or_else(|| value("NAME"));
    (!name.is_empty()).then(|| Installed { family: "linux".into(), id, version, name })
}

/// A value as a shell would take it, as far as such files may use that, on one line.
fn plain(value: &str) -> String {
    let value = value.trim();
    let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let mut text = String::new();
    let mut letters = quoted.unwrap_or(value).chars();
    while let Some(letter) = letters.next() {
        text.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST_WORD).collect()
}

fn windows(disk: &Rc<Disk>) -> Option<Installed> {
    let starts = partitions::read(disk).into_iter().any(|partition| {
        partition.part.take::<8>(3) == Some(*b"NTFS    ")
            && partition
                .part
                .take::<BOOT_RECORD>(0)
                .is_some_and(|head| head.windows(WINDOWS.len()).any(|bytes| bytes == WINDOWS))
    });
    starts.then(|| Installed { family: "winnt".into(), name: "Windows".into(), ..Installed::default() })
}

#[cfg(test)]
mod tests {
    use super::super::find::tests::made;
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str =
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=Debian\n# ID=no\nVERSION_ID='12'\nID=debian\n";

    fn of(bytes: Vec<u8>) -> Option<Installed> {
        installed(&Disk::new(Box::new(bytes), None))
    }

    #[test]
    fn a_linux_is_what_it_says() {
        let debian = os_release(TEXT).unwrap();
        let name = "Debian GNU/Linux 12 (bookworm)";
        assert_eq!((&*debian.id, &*debian.version, &*debian.name), ("debian", "12", name));
        assert_eq!(os_release("ID=x\n"), None);
        assert_eq!(os_release("NAME=a\\ \\\"b\\\"\u{7}").unwrap().name, "a \"b\"");
        let Some(disk) = made("mkfs.ext4", 8, &[("/etc/os-release", TEXT.as_bytes())]) else { return };
        assert_eq!(of(disk), Some(debian));
    }

    #[test]
    fn the_database_knows_it_by_another_word() {
        let first = |id: &str, version: &str, name: &str| {
            let (id, version, name) = (id.into(), version.into(), name.into());
            Installed { id, version, name, family: "linux".into() }.short_ids().first().cloned()
        };
        assert_eq!(first("debian", "12", "").as_deref(), Some("debian12"));
        assert_eq!(first("ubuntu", "24.04", "").as_deref(), Some("ubuntu24.04"));
        assert_eq!(first("opensuse-leap", "15.6", "").as_deref(), Some("opensuse15.6"));
        assert_eq!(first("sles", "15.6", "").as_deref(), Some("sle15sp6"));
        assert_eq!(first("centos", "9", "CentOS Stream 9").as_deref(), Some("centos-stream9"));
        assert_eq!(first("arch", "", "Arch Linux").as_deref(), Some("archlinux"));
        assert_eq!(first("debian", "", "Debian GNU/Linux trixie/sid"), None);
        let alpine = Installed { id: "alpine".into(), version: "3.22.1".into(), ..Installed::default() };
        assert!(alpine.short_ids().contains(&"alpinelinux3.22".to_owned()));
    }

    #[test]
    fn a_windows_is_known_by_what_starts_it() {
        let mut disk = vec![0; 1 << 20];
        disk[3..11].copy_from_slice(b"NTFS    ");
        assert_eq!(of(disk.clone()), None);
        disk[1000..1000 + WINDOWS.len()].copy_from_slice(WINDOWS);
        assert_eq!(of(disk).unwrap().family, "winnt");
    }

    #[test]
    fn a_disk_without_a_system_has_none() {
        assert_eq!(of(vec![0; 4096]), None);
        assert_eq!(of(Vec::new()), None);
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text in any::<String>()) {
            if let Some(found) = os_release(&format!("NAME={text}")) {
                prop_assert!(found.name.chars().count() <= LONGEST_WORD);
                prop_assert!(!found.name.contains('\n'));
            }
        }
    }
}
