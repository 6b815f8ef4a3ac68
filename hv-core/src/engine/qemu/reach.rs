//! What of the host's files a QEMU can reach: what its machine is made of, and nothing else. Linux's Landlock keeps
//! it: a guest that has broken out of its machine finds neither its user's files nor those of other guests.
//!
//! What a machine is given later comes as open descriptors (`descriptors`). On a kernel without Landlock a QEMU runs
//! without; what it may do besides files is left to QEMU's own sandbox.

use super::pci;
use crate::engine::{DiskFormat, FirmwareConfig, MachineConfig};
use crate::storage::backing_files;
use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    path_beneath_rules,
};
use std::env;
use std::path::{Path, PathBuf};
use tracing::warn;

/// What is kept away is what this version of Landlock knows, as far as the kernel does.
const KNOWN: ABI = ABI::V3;

/// Programs, libraries, firmware, and what they read: nobody's own.
const SYSTEM: [&str; 14] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/bin",
    "/sbin",
    "/etc",
    "/nix/store",
    "/gnu/store",
    "/proc",
    "/sys",
    "/run/udev",
    "/run/opengl-driver",
];

/// Devices that a machine may have a use for. Who may open them is decided by their modes.
const DEVICES: [&str; 14] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/kvm",
    "/dev/vhost-net",
    "/dev/vhost-vsock",
    "/dev/net/tun",
    "/dev/udmabuf",
    "/dev/dri",
    "/dev/snd",
    "/dev/shm",
    "/dev/bus/usb",
];

/// Optical drives of this computer, whose medium may be put into one of the guest's while it runs.
const OPTICAL_DRIVES: [&str; 4] = ["/dev/sr0", "/dev/sr1", "/dev/sr2", "/dev/sr3"];

/// Files and folders, with all in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// What can be read.
    pub read: Vec<PathBuf>,
    /// What can be read and written.
    pub write: Vec<PathBuf>,
}

impl Reach {
    /// That of a QEMU which is this program and has this machine. Looks at files; not for the core's own thread.
    pub fn of(program: &Path, machine: &MachineConfig) -> Self {
        let mut reach = Self {
            read: SYSTEM.iter().chain(&OPTICAL_DRIVES).map(PathBuf::from).collect(),
            write: DEVICES.iter().map(PathBuf::from).collect(),
        };
        reach.read.extend(installed(program));
        // The host's name servers are asked anew when they change, which comes as another file.
        let resolver = Path::new("/etc/resolv.conf").canonicalize().ok();
        reach.read.extend(resolver.and_then(|file| Some(file.parent()?.to_owned())));
        if machine.audio.is_some() {
            reach.add_sound();
        }
        if let FirmwareConfig::Uefi(uefi) = &machine.firmware {
            reach.read.push(uefi.image.clone());
            reach.write.push(uefi.store.clone());
        }
        for disk in &machine.disks {
            // Only such a volume names others as its own: in any other, its guest can write what it likes.
            if disk.format == DiskFormat::Qcow2 {
                reach.read.extend(backing_files(&disk.path));
            }
            reach.write.extend(disk.layer.clone());
            let is_read = disk.read_only || disk.layer.is_some();
            let alike = if is_read { &mut reach.read } else { &mut reach.write };
            if let Some(partial) = &disk.partial {
                alike.extend(partial.pieces.iter().map(|piece| piece.path.clone()));
                // It is written anew at each start.
                alike.push(partial.descriptor.clone());
                continue;
            }
            alike.push(disk.path.clone());
            // Such an image may be in several files.
            if disk.format == DiskFormat::Vmdk {
                reach.read.extend(disk.path.parent().map(Path::to_owned));
            }
        }
        reach.read.extend(machine.drives.iter().filter_map(|drive| drive.medium.clone()));
        if let Some(kernel) = &machine.kernel {
            reach.read.push(kernel.kernel.clone());
            reach.read.extend(kernel.initrd.clone());
        }
        reach.write.extend(pci::files(&machine.pci));
        let run = &machine.run;
        reach.write.extend([run.folder.clone(), run.networks.clone()]);
        reach.write.extend(run.serial_logs.iter().filter_map(|log| Some(log.parent()?.to_owned())));
        reach
    }

    /// What plays sound keeps its sockets and its secret where users have theirs.
    fn add_sound(&mut self) {
        let folder = |variable: &str, usual: &str| {
            let home = || Some(PathBuf::from(env::var_os("HOME")?).join(usual));
            env::var_os(variable).map(PathBuf::from).or_else(home)
        };
        let own = folder("XDG_CONFIG_HOME", ".config");
        self.read.extend(own.iter().flat_map(|own| [own.join("pulse"), own.join("pipewire")]));
        let sockets = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        self.write.extend(sockets.iter().flat_map(|own| [own.join("pulse"), own.join("pipewire-0")]));
    }

    /// What keeps a process to it from the moment on in which the process restricts itself. What is not there can't be
    /// reached.
    ///
    /// # Errors
    /// Where the kernel knows Landlock and refuses.
    pub fn rules(&self) -> Result<RulesetCreated, RulesetError> {
        let ruleset = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?.create()?;
        let ruleset = ruleset.add_rules(path_beneath_rules(&self.read, AccessFs::from_read(KNOWN)))?;
        ruleset.add_rules(path_beneath_rules(&self.write, AccessFs::from_all(KNOWN)))
    }

    /// The same; nothing, and a warning, where there are none.
    pub fn rules_or_none(&self) -> Option<RulesetCreated> {
        self.rules()
            .inspect_err(|error| warn!(%error, "a guest's engine can reach all of its user's files"))
            .ok()
    }
}

/// The folders with what belongs to a program: the one that it is in, or where that is a `bin`, the one around it.
fn installed(program: &Path) -> impl Iterator<Item = PathBuf> {
    let folder = |program: &Path| {
        let folder = program.parent()?;
        let around = folder.parent().filter(|around| folder.ends_with("bin") && around.parent().is_some());
        Some(around.unwrap_or(folder).to_owned())
    };
    [folder(program), program.canonicalize().ok().and_then(|real| folder(&real))].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::qemu::process;
    use std::fs;

    #[test]
    fn a_program_reaches_what_was_installed_with_it() {
        let of = |path: &str| installed(Path::new(path)).next();
        assert_eq!(of("/opt/qemu/bin/qemu"), Some("/opt/qemu".into()));
        assert_eq!(of("/home/ada/build/qemu"), Some("/home/ada/build".into()));
        assert_eq!(of("/bin/qemu"), Some("/bin".into()), "not everything there is");
    }

    #[tokio::test]
    async fn a_process_reaches_what_it_may_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for name in ["secret", "medium", "disk"] {
            fs::write(at(name), name).unwrap();
        }
        fs::create_dir(at("run")).unwrap();
        let reach = Reach {
            read: SYSTEM.iter().map(PathBuf::from).chain([at("medium")]).collect(),
            write: vec![at("disk"), at("run"), "/dev/null".into(), at("not there")],
        };
        let script = "cat secret; cat medium disk; echo changed > disk; echo x > medium; echo y > secret; \
            echo z > run/new; rm medium; ls; true";
        let log = at("log");
        let mut child = process::spawn(
            Path::new("/bin/sh"),
            &["-c".into(), script.into()],
            &[],
            &log,
            home.path(),
            reach.rules_or_none(),
        )
        .unwrap();
        assert!(child.wait().await.unwrap().success());
        let said = fs::read_to_string(&log).unwrap();
        let lines: Vec<&str> = said.lines().skip(1).collect();
        if said.contains("secretmedium") {
            println!("SKIPPED: this kernel has no Landlock");
            return;
        }
        assert!(lines[0].contains("secret: Permission denied"), "{said}");
        assert!(said.contains("mediumdisk"), "{said}");
        assert_eq!(fs::read_to_string(at("disk")).unwrap(), "changed\n");
        assert_eq!(fs::read_to_string(at("medium")).unwrap(), "medium");
        assert_eq!(fs::read_to_string(at("secret")).unwrap(), "secret");
        assert_eq!(fs::read_to_string(at("run/new")).unwrap(), "z\n");
    }
}
