//! Which firmware this computer has for guests: read from the descriptions that packages of firmware
//! install for programs like this one (QEMU's `docs/interop/firmware.json`).
//!
//! Promises that a file written by anybody is read without harm: a description that is too long, says
//! nonsense or names files that are not there is left out. Which firmware a guest gets is decided here
//! too, as it follows from nothing but the descriptions; its files are made ready elsewhere.

use crate::engine::DiskFormat;
use hv_api::{Firmware, FirmwareInfo};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use tracing::debug;

/// What a description has at most, in bytes. The longest known has 1,200.
const LONGEST: u64 = 64 << 10;

/// How many descriptions are read at most.
const MOST: usize = 200;

/// The architecture that guests have here.
const ARCHITECTURE: &str = "x86_64";

/// UEFI firmware that guests could start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uefi {
    /// The image that the machine executes.
    pub image: PathBuf,
    /// Its format.
    pub image_format: DiskFormat,
    /// The variables with which a guest begins.
    pub template: PathBuf,
    /// Their format.
    pub template_format: DiskFormat,
    /// Whether it knows Secure Boot at all.
    pub secure_boot: bool,
    /// Whether its variables say whose signatures to trust, so that Secure Boot is on.
    pub enrolled_keys: bool,
    /// Whether it works in system management mode only.
    pub requires_smm: bool,
    /// The kinds of machine that it is for, with `*` for anything.
    machines: Vec<String>,
}

/// The UEFI firmware of this computer, the preferred first.
pub fn uefi() -> Vec<Uefi> {
    let own = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let own = own.or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    // A file in an earlier folder stands in place of those with its name in the later ones.
    let folders = own.map(|folder| folder.join("qemu/firmware")).into_iter();
    let folders: Vec<_> =
        folders.chain(["/etc/qemu/firmware".into(), "/usr/share/qemu/firmware".into()]).collect();
    uefi_in(&folders)
}

/// All firmware of this computer, for people.
pub fn all() -> Vec<FirmwareInfo> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let uefi = uefi().into_iter().map(|found| FirmwareInfo {
        kind: Firmware::Uefi,
        path: text(&found.image),
        secure_boot: found.secure_boot && found.enrolled_keys,
    });
    let bios = super::facts::bios().into_iter();
    bios.map(|path| FirmwareInfo { kind: Firmware::Bios, path: text(&path), secure_boot: false })
        .chain(uefi)
        .collect()
}

/// The firmware for this kind of machine, the best first. With `secure_boot` only such as starts nothing
/// unsigned from the beginning; without it, only such as starts anything.
pub fn suitable(found: Vec<Uefi>, machine: &str, secure_boot: bool) -> Vec<Uefi> {
    let mut fitting: Vec<Uefi> = found
        .into_iter()
        .filter(|one| one.machines.iter().any(|pattern| matches(pattern, machine)))
        .filter(|one| (one.secure_boot && one.enrolled_keys) == secure_boot)
        .collect();
    // System management mode costs time where it protects nothing. The sort keeps the order otherwise.
    fitting.sort_by_key(|one| one.requires_smm && !secure_boot);
    fitting
}

fn uefi_in(folders: &[PathBuf]) -> Vec<Uefi> {
    let mut files: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for folder in folders {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten().take(MOST) {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                files.entry(entry.file_name()).or_insert(path);
            }
        }
    }
    files
        .values()
        .take(MOST)
        .filter_map(|path| {
            let found = read(path);
            if found.is_none() {
                debug!(path = %path.display(), "describes no UEFI firmware for guests here");
            }
            found
        })
        .collect()
}

fn read(path: &Path) -> Option<Uefi> {
    // Neither a pipe nor a device; an empty file, or a link to nothing, hides others of its name.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
    let found = described(&text)?;
    (found.image.is_file() && found.template.is_file()).then_some(found)
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Description {
    interface_types: Vec<String>,
    mapping: Mapping,
    targets: Vec<Target>,
    features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mapping {
    device: String,
    mode: Option<String>,
    executable: Option<FlashFile>,
    nvram_template: Option<FlashFile>,
}

#[derive(Deserialize)]
struct FlashFile {
    filename: PathBuf,
    format: DiskFormat,
}

#[derive(Deserialize)]
struct Target {
    architecture: String,
    machines: Vec<String>,
}

/// What a description says; nothing where it is not of UEFI firmware with variables beside its image.
fn described(text: &str) -> Option<Uefi> {
    let Description { interface_types, mapping, targets, features } = serde_json::from_str(text).ok()?;
    let split = mapping.device == "flash" && mapping.mode.is_none_or(|mode| mode == "split");
    if !split || !interface_types.iter().any(|kind| kind == "uefi") {
        return None;
    }
    let (image, template) = (mapping.executable?, mapping.nvram_template?);
    let usable = |file: &FlashFile| {
        file.filename.is_absolute() && file.filename.to_str().is_some() && file.format.is_written()
    };
    if !usable(&image) || !usable(&template) {
        return None;
    }
    let has = |feature: &str| features.iter().any(|other| other == feature);
    let machines: Vec<String> = targets
        .into_iter()
        .filter(|target| target.architecture == ARCHITECTURE)
        .flat_map(|target| target.machines)
        .collect();
    (!machines.is_empty()).then(|| Uefi {
        image: image.filename,
        image_format: image.format,
        template: template.filename,
        template_format: template.format,
        secure_boot: has("secure-boot"),
        enrolled_keys: has("enrolled-keys"),
        requires_smm: has("requires-smm"),
        machines,
    })
}

/// Whether a name is of a form in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| name.strip_prefix(start)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((end, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A description as Debian's package has it, of files in `folder`.
    fn description(folder: &Path, features: &[&str]) -> String {
        let file = |name: &str| serde_json::json!({ "filename": folder.join(name), "format": "raw" });
        serde_json::json!({
            "description": "UEFI firmware",
            "interface-types": ["uefi"],
            "mapping": { "device": "flash", "executable": file("code"), "nvram-template": file("vars") },
            "targets": [{ "architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"] }],
            "features": features,
            "tags": [],
        })
        .to_string()
    }

    const SECURE: &[&str] = &["secure-boot", "enrolled-keys", "requires-smm"];

    fn files() -> (tempfile::TempDir, [PathBuf; 2]) {
        let root = tempfile::tempdir().expect("a folder");
        let folders = ["own", "usual"].map(|name| root.path().join(name));
        for folder in &folders {
            fs::create_dir(folder).expect("a folder");
        }
        for name in ["code", "vars"] {
            fs::write(root.path().join(name), "x").expect("a file");
        }
        let write = |name: &str, features: &[&str]| {
            fs::write(folders[1].join(name), description(root.path(), features)).expect("a file");
        };
        write("40-secure.json", SECURE);
        write("50-no-keys.json", &["secure-boot", "requires-smm"]);
        write("60-plain.json", &[]);
        (root, folders)
    }

    #[test]
    fn firmware_is_found_and_chosen_by_what_a_guest_needs() {
        let (_root, folders) = files();
        let found = uefi_in(&folders);
        assert_eq!(found.len(), 3);
        assert!(found[0].secure_boot && found[0].enrolled_keys && found[0].requires_smm);
        assert_eq!(suitable(found.clone(), "pc-q35-7.2", true), found[..1]);
        let plain = suitable(found.clone(), "pc-q35-7.2", false);
        assert_eq!(plain, [found[2].clone(), found[1].clone()]);
        assert_eq!(suitable(found, "virt-7.2", false), []);
    }

    #[test]
    fn a_file_of_ones_own_stands_in_place_of_the_packages() {
        let (root, folders) = files();
        fs::write(folders[0].join("60-plain.json"), "").expect("a file");
        std::os::unix::fs::symlink("/dev/null", folders[0].join("50-no-keys.json")).expect("a link");
        fs::write(folders[0].join("10-first.json"), description(root.path(), &[])).expect("a file");
        let found = uefi_in(&folders);
        assert_eq!(found.iter().map(|one| one.secure_boot).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_description_without_its_files_or_with_nonsense_is_left_out() {
        let (root, folders) = files();
        fs::write(folders[1].join("70-long.json"), vec![b' '; 1 << 20]).expect("a file");
        fs::write(folders[1].join("71-binary.json"), [0xff, 0, 1]).expect("a file");
        fs::write(folders[1].join("72-other.txt"), description(root.path(), &[])).expect("a file");
        fs::create_dir(folders[1].join("73-folder.json")).expect("a folder");
        assert_eq!(uefi_in(&folders).len(), 3);
        fs::remove_file(root.path().join("vars")).expect("it is there");
        assert_eq!(uefi_in(&folders), []);
        assert_eq!(uefi_in(&["/nowhere".into()]), []);
    }

    #[test]
    fn only_uefi_firmware_with_variables_of_its_own_is_taken() {
        let text = description(Path::new("/f"), &[]);
        assert!(described(&text).is_some());
        for (part, other) in [
            ("\"uefi\"", "\"bios\""),
            ("\"flash\"", "\"memory\""),
            ("\"flash\"", "\"flash\",\"mode\":\"stateless\""),
            ("\"flash\"", "\"flash\",\"mode\":\"combined\""),
            ("x86_64", "aarch64"),
            ("/f/vars", "vars"),
            ("\"raw\"", "\"vmdk\""),
        ] {
            assert_ne!(text, text.replace(part, other));
            assert_eq!(described(&text.replace(part, other)), None, "{other}");
        }
        let newer = text.replace("\"raw\"", "\"qcow2\"").replace("\"flash\"", "\"flash\",\"mode\":\"split\"");
        assert_eq!(described(&newer).map(|found| found.image_format), Some(DiskFormat::Qcow2));
    }

    #[test]
    fn names_of_machines_have_one_kind_of_joker() {
        for (pattern, name, fits) in [
            ("pc-q35-*", "pc-q35-7.2", true),
            ("pc-q35-*", "pc-i440fx-7.2", false),
            ("q35", "q35", true),
            ("q35", "q355", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("", "q35", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn nonsense_is_survived(text in "\\PC{0,100}", pattern in "[a*é]{0,8}", name in "[aé]{0,8}") {
            described(&text);
            matches(&pattern, &name);
        }
    }
}
