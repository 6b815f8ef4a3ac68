//! Numbers and files of this computer: CPUs, memory, free space, firmware.
//!
//! What Linux writes for programs to read is read by pure functions here, each of which takes nonsense
//! for "not known". All calls are short and touch only local files.

use hv_api::ByteSize;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::thread;

/// The host's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// All of it that this process may use.
    pub total: ByteSize,
    /// What could be given out now.
    pub available: ByteSize,
}

impl Memory {
    /// This memory under a limit of `limit` bytes of which `used` are in use.
    fn limited(self, limit: u64, used: u64) -> Self {
        let free = ByteSize::bytes(limit.saturating_sub(used));
        Self { total: self.total.min(ByteSize::bytes(limit)), available: self.available.min(free) }
    }
}

/// Hardware threads that this process may use, at least 1: affinity and limits of its control group
/// are counted in.
pub fn cpus() -> u32 {
    thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok()).unwrap_or(1)
}

/// The host's memory, or what this process's control group may have of it, where that is less.
///
/// # Errors
/// Where `/proc/meminfo` can't be read or is not written as expected.
pub fn memory() -> io::Result<Memory> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let host = parse_meminfo(&text).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "/proc/meminfo does not tell the memory")
    })?;
    let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| parse_group(&text));
    Ok(group.map_or(host, |group| within_group(host, Path::new("/sys/fs/cgroup"), &group)))
}

/// Free space for this user in the file system that a folder is in.
///
/// # Errors
/// Where the folder is not there or can't be asked.
pub fn free_space(folder: &Path) -> io::Result<ByteSize> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(ByteSize::bytes(found.f_bavail.saturating_mul(found.f_frsize)))
}

/// The image of the BIOS that QEMU takes by itself.
pub fn bios() -> Option<PathBuf> {
    // Debian and Fedora, then Arch and what is built by hand.
    const FOLDERS: [&str; 4] =
        ["/usr/share/seabios", "/usr/share/qemu", "/usr/local/share/qemu", "/usr/share/qemu-kvm"];
    bios_in(&FOLDERS.map(Path::new))
}

fn bios_in(folders: &[&Path]) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join("bios-256k.bin")).find(|path| path.is_file())
}

/// The CPU's flag for virtualization, `svm` or `vmx`, from `/proc/cpuinfo`.
pub fn virtualization_flag() -> Option<&'static str> {
    parse_cpu_flag(&fs::read_to_string("/proc/cpuinfo").ok()?)
}

fn parse_cpu_flag(cpuinfo: &str) -> Option<&'static str> {
    let flags =
        cpuinfo.lines().find_map(|line| line.strip_prefix("flags")?.trim_start().strip_prefix(':'))?;
    ["svm", "vmx"].into_iter().find(|wanted| flags.split_whitespace().any(|flag| flag == *wanted))
}

fn parse_meminfo(text: &str) -> Option<Memory> {
    let value = |key: &str| -> Option<ByteSize> {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
        Some(ByteSize::bytes(kib.saturating_mul(1024)))
    };
    Some(Memory { total: value("MemTotal")?, available: value("MemAvailable")? })
}

/// The path of a process's group in the unified hierarchy, from `/proc/self/cgroup`.
fn parse_group(text: &str) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let path = Path::new(path);
    // A group outside of what this process may see is shown as `..`.
    path.components().all(|part| matches!(part, Component::Normal(_))).then(|| path.to_owned())
}

/// Applies the limits of a group and of all groups that it is in.
fn within_group(host: Memory, root: &Path, group: &Path) -> Memory {
    let value = |folder: &Path, name: &str| -> Option<u64> {
        // `max`, where there is no limit, is not a number.
        fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
    };
    group.ancestors().map(|group| root.join(group)).fold(host, |memory, folder| {
        match value(&folder, "memory.max") {
            Some(limit) => memory.limited(limit, value(&folder, "memory.current").unwrap_or(0)),
            None => memory,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEMINFO: &str = "MemTotal:       24683520 kB\nMemFree:        10 kB\nMemAvailable:   24320000 kB\n";

    #[test]
    fn memory_is_read_in_kibibytes() {
        let expected = Memory {
            total: ByteSize::bytes(24_683_520 * 1024),
            available: ByteSize::bytes(24_320_000 * 1024),
        };
        assert_eq!(parse_meminfo(MEMINFO), Some(expected));
        assert_eq!(parse_meminfo("MemTotal: 1 kB\n"), None);
        assert_eq!(parse_meminfo("MemTotal: many kB\nMemAvailable: 1 kB"), None);
    }

    #[test]
    fn a_group_is_read_from_the_unified_hierarchy_only() {
        let text = "4:memory:/x\n0::/user.slice/user-1000.slice\n";
        assert_eq!(parse_group(text), Some(PathBuf::from("user.slice/user-1000.slice")));
        assert_eq!(parse_group("0::/\n"), Some(PathBuf::new()));
        assert_eq!(parse_group("0::/../../x\n"), None);
        assert_eq!(parse_group("4:memory:/x\n"), None);
    }

    #[test]
    fn the_lowest_limit_of_all_groups_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let outer = root.path().join("user.slice");
        let inner = outer.join("session.scope");
        fs::create_dir_all(&inner).expect("folders");
        fs::write(outer.join("memory.max"), "1073741824\n").expect("a file");
        fs::write(outer.join("memory.current"), "73741824\n").expect("a file");
        fs::write(inner.join("memory.max"), "max\n").expect("a file");
        let host = Memory { total: ByteSize::gib(8), available: ByteSize::gib(4) };
        let expected = Memory { total: ByteSize::gib(1), available: ByteSize::bytes(1_000_000_000) };
        assert_eq!(within_group(host, root.path(), Path::new("user.slice/session.scope")), expected);
        assert_eq!(within_group(host, root.path(), Path::new("elsewhere")), host);
    }

    #[test]
    fn the_flag_of_the_cpu_is_found_as_a_word() {
        assert_eq!(parse_cpu_flag("model\t: x\nflags\t\t: fpu svm lm\n"), Some("svm"));
        assert_eq!(parse_cpu_flag("flags\t\t: fpu vmx lm\n"), Some("vmx"));
        assert_eq!(parse_cpu_flag("flags\t\t: fpu svm_lock lm\nvmx flags\t: vnmi\n"), None);
        assert_eq!(parse_cpu_flag(""), None);
    }

    #[test]
    fn firmware_is_found_in_the_first_folder_that_has_it() {
        let root = tempfile::tempdir().expect("a folder");
        let (without, with) = (root.path().join("a"), root.path().join("b"));
        fs::create_dir(&with).expect("a folder");
        fs::write(with.join("bios-256k.bin"), "x").expect("a file");
        assert_eq!(bios_in(&[&without, &with]), Some(with.join("bios-256k.bin")));
        assert_eq!(bios_in(&[&without]), None);
    }

    #[test]
    fn this_host_has_cpus_memory_and_space() {
        assert!(cpus() >= 1);
        let memory = memory().expect("it can be read");
        assert!(memory.total >= memory.available && memory.available > ByteSize::MIB);
        assert!(free_space(Path::new("/")).expect("it can be asked") > ByteSize::MIB);
        assert!(free_space(Path::new("/nowhere")).is_err());
    }

    proptest! {
        #[test]
        fn nonsense_is_survived(text in "(MemTotal|MemAvailable|flags|0::)?[: /\\PC\\n]{0,60}") {
            parse_meminfo(&text);
            parse_group(&text);
            parse_cpu_flag(&text);
        }
    }
}
