//! Answers "what is this file?" for a client: opens it, reads what it is, and adds what depends on
//! this host and on the guests there are.
//!
//! It blocks while the file is read (a few kilobytes). What a file is, [`crate::medium`] decides.

use crate::appliance::Appliance;
use crate::bootmenu::Installed;
use crate::engine::DiskFormat;
use crate::guest::disk_file::{Image, ImageForm};
use crate::host::block::Block;
use crate::medium::{Facts, ImageFormat};
use crate::osdb::images::CloudImage;
use crate::osdb::model::System;
use crate::osdb::resources::{Suits, suits};
use crate::osdb::trees::{self, Found};
use crate::osdb::{Database, Identity, Labels, Named};
use crate::storage::{Foundation, Layer, Source};
use crate::tree::Folder;
use crate::{express, files, import, medium};
use futures_util::FutureExt;
use hv_api::{
    BackingFile, BootMode, ByteSize, Confidence, Error, FileFault, Firmware, ImportKind, MediumInfo,
    MediumKind, MediumNote, OsChoice, Recommended,
};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// What this host has for guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// CPUs, at least 1.
    pub cpus: u32,
    /// Memory.
    pub memory: ByteSize,
}

/// Looks at a file. `taken` tells whether a guest has a name already.
///
/// # Errors
/// [`Error::FileUnusable`] where it can't be opened or read. A file of an unknown kind is no error.
pub fn inspect(
    path: &Path,
    taken: &dyn Fn(&str) -> bool,
    limits: Limits,
    database: &Database,
) -> Result<MediumInfo, Error> {
    if path.is_absolute() && path.is_dir() {
        return folder(path, taken, limits, database);
    }
    let (mut file, length) = files::open_readable(path)?;
    let shown = path.to_string_lossy().into_owned();
    if let Some(appliance) = Appliance::open(path)? {
        return Ok(of_appliance(&appliance, (shown, length), taken, limits, database));
    }
    let facts = medium::read(&mut file, length).map_err(|error| Error::FileUnusable {
        path: shown.clone(),
        fault: files::fault_of(&error),
        detail: error.to_string(),
    })?;
    let facts = if facts.kind == MediumKind::Unknown {
        match machine(&mut file, length) {
            Some(kind) => Facts { kind, ..facts },
            None => to_copy(path, facts),
        }
    } else {
        facts
    };
    let block = Block::at(path);
    let facts = match &block {
        // What is on it may be a disc, from which one starts as from any.
        Some(_) if facts.kind != MediumKind::Iso => of_device(facts, length),
        _ => facts,
    };
    let mut notes = facts.notes.clone();
    let (backing, backing_fault) = foundation(path, &facts);
    if backing_fault.is_some() {
        notes.push(MediumNote::FoundationUnknown);
    } else if !backing.is_empty() {
        notes.push(MediumNote::BuildsOnOthers);
    }
    let file_name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let named = medium::architecture(&file_name).map(|arch| if arch == "i386" { "i686" } else { arch });
    let identity = identify(&facts, named, database);
    let Identity { system, family, variants, languages, live, kernel, initrd, confidence, newer, .. } =
        identity.clone();
    let arch = identity
        .arch
        .clone()
        .or_else(|| facts.arch.or_else(|| medium::architecture(&file_name)).map(str::to_owned));
    let by_system = system.as_ref().and_then(|system| medium::system_name(&system.name));
    let label = block.and_then(|block| block.record().get("ID_FS_LABEL_ENC"));
    let by_system = by_system.or_else(|| medium::system_name(&label?));
    let suggested_name = by_system.unwrap_or_else(|| medium::suggested_name(&facts, &file_name));
    let suits = suits_of(&identity, arch.as_deref(), database);
    let is_disc = facts.kind == MediumKind::Iso;
    let express = is_disc.then(|| express::offered(&mut file, length, &identity, arch.as_deref()));
    let is_disk = facts.kind == MediumKind::DiskImage;
    let image = is_disk.then(|| database.cloud_image(&file_name)).flatten();
    let cloud_image = image.is_some();
    let CloudImage { system: on_image, user: cloud_user } = image.unwrap_or_default();
    let system = system.or(on_image);
    Ok(MediumInfo {
        express,
        cloud_image,
        cloud_user,
        os: system.as_ref().map(|system| system.id.clone()),
        os_name: system.map(|system| system.name),
        candidates: choices(&identity, database, limits),
        family,
        confidence,
        newer_than_database: newer,
        arch,
        variants,
        languages,
        live,
        kernel,
        initrd,
        suggested_name: medium::unique_name(&suggested_name, taken),
        notes,
        backing,
        backing_fault,
        ..medium_of(shown, facts, within(&suits, limits))
    })
}

/// A physical disk or a partition, which is a disk whatever is on it.
fn of_device(facts: Facts, length: u64) -> Facts {
    let format = facts.format.or(Some(ImageFormat::Raw));
    let virtual_size = facts.virtual_size.or(Some(ByteSize::bytes(length)));
    Facts { kind: MediumKind::BlockDevice, format, virtual_size, notes: Vec::new(), ..facts }
}

/// What the system on a disk is, where the disk says it itself.
pub fn with_installed(
    info: MediumInfo,
    found: Installed,
    taken: &dyn Fn(&str) -> bool,
    limits: Limits,
    database: &Database,
) -> MediumInfo {
    let named = found.short_ids().into_iter().find_map(|id| database.named(&id));
    let like = named.as_ref().map(|(_, like)| *like);
    let suits = suits(database, like, Some(&found.family), info.arch.as_deref().unwrap_or("x86_64"));
    let suggested_name = medium::system_name(&found.name).unwrap_or_else(|| info.suggested_name.clone());
    MediumInfo {
        newer_than_database: named.as_ref().is_some_and(|(named, like)| like.short_id() != named.id),
        os: named.map(|(named, _)| named.id),
        os_name: Some(found.name),
        family: Some(found.family),
        confidence: Confidence::Exact,
        recommended: within(&suits, limits),
        suggested_name: medium::unique_name(&suggested_name, taken),
        ..info
    }
}

/// Whose machine a file describes. A disc or a disk is no text.
fn machine(file: &mut File, length: u64) -> Option<MediumKind> {
    if length > import::LONGEST {
        return None;
    }
    let mut text = String::new();
    file.rewind().and_then(|()| file.take(length).read_to_string(&mut text)).ok()?;
    import::kind_of(&text).map(|kind| match kind {
        ImportKind::XenConfig => MediumKind::XenConfig,
        ImportKind::LibvirtXml => MediumKind::LibvirtXml,
        ImportKind::Appliance => MediumKind::Appliance,
        ImportKind::DiskImage => MediumKind::DiskImage,
    })
}

/// The files that a disk image builds on, or why that can't be told.
fn foundation(path: &Path, facts: &Facts) -> (Vec<BackingFile>, Option<String>) {
    if facts.format != Some(ImageFormat::Qcow2) {
        return (Vec::new(), None);
    }
    let folder = path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned()));
    let shown = |layer: &Layer| BackingFile {
        path: layer.path.display().to_string(),
        format: layer.format.map(DiskFormat::name).unwrap_or_default().to_owned(),
        outside: layer.path.parent() != folder.as_deref(),
    };
    match Foundation::of(path) {
        Ok(found) => (found.layers().iter().map(shown).collect(), None),
        Err(Error::FileUnusable { detail, .. }) => (Vec::new(), Some(detail)),
        Err(_) => (Vec::new(), None),
    }
}

/// Looks at an appliance, by its description.
fn of_appliance(
    appliance: &Appliance,
    (path, length): (String, u64),
    taken: &dyn Fn(&str) -> bool,
    limits: Limits,
    database: &Database,
) -> MediumInfo {
    let nothing = Facts { kind: MediumKind::Appliance, ..Facts::unknown(length) };
    let Some((info, found, suits)) = import::facts(appliance, database) else {
        return medium_of(path, nothing, within(&suits(database, None, None, "x86_64"), limits));
    };
    // What it had is what suits it.
    let disk = info.disks.iter().filter_map(|disk| disk.size).map(ByteSize::as_bytes);
    let suits = Suits {
        cpus: info.cpus.unwrap_or(suits.cpus),
        memory: info.memory.unwrap_or(suits.memory),
        disk: ByteSize::bytes(disk.fold(0, u64::saturating_add)),
        ..suits
    };
    let suggested_name = medium::unique_name(&info.name, taken);
    let boot = match info.firmware {
        Firmware::Bios => BootMode::Bios,
        Firmware::Uefi => BootMode::Uefi,
    };
    let format = if appliance.is_archive() { "ova" } else { "ovf" };
    MediumInfo {
        os: found.system.as_ref().map(|system| system.id.clone()),
        os_name: found.system.map(|system| system.name),
        family: found.family.map(str::to_owned),
        confidence: found.confidence,
        arch: Some(found.arch.to_owned()),
        boot: vec![boot],
        format: Some(format.to_owned()),
        virtual_size: Some(suits.disk),
        suggested_name,
        appliance: Some(info),
        ..medium_of(path, nothing, within(&suits, limits))
    }
}

/// A file of which no more is known than these facts.
fn medium_of(path: String, facts: Facts, recommended: Recommended) -> MediumInfo {
    MediumInfo {
        kind: facts.kind,
        os: None,
        os_name: None,
        candidates: Vec::new(),
        family: None,
        confidence: Confidence::Unknown,
        newer_than_database: false,
        arch: facts.arch.map(str::to_owned),
        variants: Vec::new(),
        languages: Vec::new(),
        live: None,
        kernel: None,
        initrd: None,
        kernel_args: None,
        boot: facts.boot,
        volume_id: facts.volume_id,
        system_id: facts.system_id,
        publisher_id: facts.publisher_id,
        application_id: facts.application_id,
        volume_size: facts.volume_size,
        size: facts.size,
        format: facts.format.map(|format| format.as_str().to_owned()),
        virtual_size: facts.virtual_size,
        recommended,
        suggested_name: String::new(),
        notes: facts.notes,
        express: None,
        cloud_image: false,
        cloud_user: None,
        kernel_on_disk: false,
        appliance: None,
        backing: Vec::new(),
        backing_fault: None,
        path,
    }
}

/// What an image is that can be copied into a disk, and not be one itself.
fn to_copy(path: &Path, facts: Facts) -> Facts {
    let Ok(image) = Image::look(Source::of(path), None, None) else { return facts };
    let format = match image.form {
        ImageForm::Plain(format) => ImageFormat::Foreign(format.name()),
        ImageForm::Packed(packing) => ImageFormat::Packed(packing.name()),
    };
    Facts { kind: MediumKind::DiskImage, format: Some(format), virtual_size: image.size(), ..facts }
}

/// A system of the database, to choose.
pub fn choice(system: &System, database: &Database, limits: Limits) -> OsChoice {
    let suits = suits(database, Some(system), None, "x86_64");
    OsChoice {
        os: system.short_id().to_owned(),
        os_name: system.name.to_string(),
        released: system.released.as_deref().map(str::to_owned),
        recommended: within(&suits, limits),
    }
}

/// The systems that a medium may hold, to choose.
fn choices(identity: &Identity, database: &Database, limits: Limits) -> Vec<OsChoice> {
    let one = |named: &Named| match database.named(&named.id) {
        Some((_, like)) => {
            OsChoice { os: named.id.clone(), os_name: named.name.clone(), ..choice(like, database, limits) }
        }
        None => OsChoice {
            os: named.id.clone(),
            os_name: named.name.clone(),
            released: None,
            recommended: within(&suits_of(identity, identity.arch.as_deref(), database), limits),
        },
    };
    identity.candidates.iter().map(one).collect()
}

/// Looks at a folder: an install tree, or nothing that a guest could be made from.
fn folder(
    path: &Path,
    taken: &dyn Fn(&str) -> bool,
    limits: Limits,
    database: &Database,
) -> Result<MediumInfo, Error> {
    let shown = path.to_string_lossy().into_owned();
    let mut tree = Folder { path: path.to_owned() };
    // A folder is never waited for.
    let found = trees::identify(&mut tree, &shown, database).now_or_never().flatten();
    let Some(found) = found else {
        let detail = "a folder that is no install tree".to_owned();
        return Err(Error::FileUnusable { path: shown, fault: FileFault::IsFolder, detail });
    };
    let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(of_tree(shown, &file_name, found, taken, limits, database))
}

/// What is told of an install tree that is at this place, which without its system would be called by this name.
pub fn of_tree(
    shown: String,
    file_name: &str,
    found: Found,
    taken: &dyn Fn(&str) -> bool,
    limits: Limits,
    database: &Database,
) -> MediumInfo {
    let Found { identity, url_argument, .. } = found;
    let suits = suits_of_tree(&identity, database);
    let candidates = choices(&identity, database, limits);
    let name = identity.system.as_ref().and_then(|system| medium::system_name(&system.name));
    let nothing = Facts { kind: MediumKind::Tree, ..Facts::unknown(0) };
    let suggested_name = name.unwrap_or_else(|| medium::suggested_name(&nothing, file_name));
    MediumInfo {
        os: identity.system.as_ref().map(|system| system.id.clone()),
        os_name: identity.system.map(|system| system.name),
        candidates,
        family: identity.family,
        confidence: identity.confidence,
        newer_than_database: identity.newer,
        arch: identity.arch,
        variants: identity.variants,
        languages: identity.languages,
        live: identity.live,
        kernel: identity.kernel,
        initrd: identity.initrd,
        kernel_args: url_argument.map(|argument| format!("{argument}={shown}")),
        suggested_name: medium::unique_name(&suggested_name, taken),
        ..medium_of(shown, nothing, within(&suits, limits))
    }
}

/// What suits what a tree holds: its installer is fetched into memory, which may take more than the system does.
pub fn suits_of_tree(identity: &Identity, database: &Database) -> Suits {
    let arch = identity.arch.as_deref().unwrap_or("x86_64");
    let suits = suits_of(identity, Some(arch), database);
    let like = identity.like.as_deref().and_then(|like| database.find(like));
    let floor = like.and_then(|like| database.network_install_memory(like, arch));
    Suits { memory: suits.memory.max(floor.unwrap_or_default()), ..suits }
}

/// Which system a disc holds, by its labels. `arch` is the processor that its file's name tells.
pub fn identify(facts: &Facts, arch: Option<&str>, database: &Database) -> Identity {
    database.identify(&Labels {
        volume: facts.volume_id.as_deref(),
        system: facts.system_id.as_deref(),
        publisher: facts.publisher_id.as_deref(),
        application: facts.application_id.as_deref(),
        volume_size: facts.volume_size.map(ByteSize::as_bytes),
        arch,
    })
}

/// What suits what was found, on any host.
pub fn suits_of(identity: &Identity, arch: Option<&str>, database: &Database) -> Suits {
    let like = identity.like.as_deref().and_then(|like| database.find(like));
    suits(database, like, identity.family.as_deref(), arch.unwrap_or("x86_64"))
}

/// What suits a guest, as far as this host has it: at most half of the memory, so that host and guest both live.
pub fn within(suits: &Suits, limits: Limits) -> Recommended {
    let half = ByteSize::mib((limits.memory.as_mib() / 2).max(16));
    Recommended { cpus: suits.cpus.min(limits.cpus).max(1), memory: half.min(suits.memory), disk: suits.disk }
}

/// Resources for a guest about which nothing is known.
pub fn recommended(limits: Limits) -> Recommended {
    within(&suits(&Database::default(), None, None, "x86_64"), limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: Limits = Limits { cpus: 16, memory: ByteSize::gib(64) };

    #[test]
    fn resources_stay_within_the_host() {
        let expected = |cpus, memory| Recommended { cpus, memory, disk: ByteSize::gib(20) };
        assert_eq!(recommended(LARGE), expected(2, ByteSize::gib(2)));
        let small = Limits { cpus: 1, memory: ByteSize::mib(3001) };
        assert_eq!(recommended(small), expected(1, ByteSize::mib(1500)));
        let unknown = Limits { cpus: 0, memory: ByteSize::bytes(0) };
        assert_eq!(recommended(unknown), expected(1, ByteSize::mib(16)));
    }

    #[test]
    fn a_file_of_no_known_kind_is_no_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes-amd64.txt");
        std::fs::write(&path, "nothing to start").expect("a file");
        let found = inspect(&path, &|_| false, LARGE, &Database::default()).expect("it can be read");
        assert_eq!(found.kind, MediumKind::Unknown);
        assert_eq!(found.size, ByteSize::bytes(16));
        assert_eq!(found.path, path.to_str().expect("UTF-8"));
        assert_eq!(found.arch.as_deref(), Some("x86_64"));
    }

    #[test]
    fn machines_of_other_programs_are_known_by_what_they_say() {
        let folder = tempfile::tempdir().expect("a folder");
        let kind = |text: &str| {
            let path = folder.path().join("machine");
            std::fs::write(&path, text).expect("a file");
            inspect(&path, &|_| false, LARGE, &Database::default()).expect("it can be read").kind
        };
        assert_eq!(kind("name = \"guest1\"\nmemory = 256\nvcpus = 1\n"), MediumKind::XenConfig);
        assert_eq!(kind("<domain type='kvm'><name>a</name></domain>"), MediumKind::LibvirtXml);
        assert_eq!(kind("<network><name>default</name></network>"), MediumKind::Unknown);
        assert_eq!(kind("memory of a walk\n"), MediumKind::Unknown);
    }

    #[test]
    fn the_suggested_name_is_free() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("My System.img");
        let mut image = vec![0; 4096];
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        std::fs::write(&path, image).expect("a file");
        let found =
            inspect(&path, &|name| name == "My System", LARGE, &Database::default()).expect("it can be read");
        assert_eq!(found.suggested_name, "My System 2");
        assert_eq!(found.format.as_deref(), Some("raw"));
        assert_eq!(found.virtual_size, Some(ByteSize::bytes(4096)));
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let missing = inspect(Path::new("/nowhere/at/all.iso"), &|_| false, LARGE, &Database::default());
        assert!(matches!(missing, Err(Error::FileUnusable { fault: FileFault::Missing, .. })), "{missing:?}");
    }
}
