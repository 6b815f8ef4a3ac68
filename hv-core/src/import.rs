//! Machines of other programs: reads what they wrote, and says what guest that would be here, and what of it is
//! otherwise.
//!
//! The readers are pure over the text and what [`Host`] says. They promise that nothing is dropped without a note. The
//! text is hostile: it is bounded, and nothing in it decides more than what the guest is to be, which is checked again
//! when the guest is made.

mod libvirt;
mod machine;
mod xen;

pub use machine::facts;

use crate::appliance::Appliance;
use crate::engine::DiskName;
use crate::guest::config::name_fault;
use crate::guest::disk_file::{Image, ImageForm};
use crate::osdb::Database;
use crate::storage::Source;
use crate::{files, medium};
use hv_api::{
    ByteSize, CrashAction, EndAction, Error, FileFault, GuestId, ImportKind, ImportNote, ImportOutcome,
    ImportPlan, ImportReason, MacAddress, NetworkMode, NewDisk, NewGuest, NewNic,
};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest file that is read. Those of machines have a few kilobytes.
pub const LONGEST: u64 = 1 << 20;

/// The longest line of a note, in characters.
const LONGEST_ITEM: usize = 200;

/// What the readers ask of this computer.
pub trait Host {
    /// Whether a guest has this name.
    fn has_name(&self, name: &str) -> bool;
    /// Whether a guest has this identity.
    fn has_id(&self, id: GuestId) -> bool;
    /// Whether there is such a bridge.
    fn has_bridge(&self, bridge: &str) -> bool;
    /// Whether there is something at this path.
    fn has_file(&self, path: &Path) -> bool;
    /// The most memory and the most CPUs of a guest.
    fn most(&self) -> (ByteSize, u32);
    /// Whether a guest's network card has this address.
    fn has_mac(&self, mac: MacAddress) -> bool;
    /// The operating systems that it knows.
    fn database(&self) -> &Database;
}

/// Says what a file would be here. `machine` names one of several that are in it.
///
/// # Errors
/// [`Error::FileUnusable`] where it can't be read, or is of no program that is known here;
/// [`Error::MachineNotFound`].
pub fn plan(path: &Path, machine: Option<&str>, host: &dyn Host) -> Result<ImportPlan, Error> {
    if let Some(appliance) = Appliance::open(path)? {
        let mut draft = Draft::new(path, host);
        machine::read(&appliance, machine, &mut draft)?;
        return Ok(draft.finish(ImportKind::Appliance));
    }
    if machine.is_some() {
        return Err(Error::OptionNeeds { option: "machine".into(), needs: "appliance".into() });
    }
    let image = Image::look(Source::of(path), None, None);
    if let Ok(image) = image {
        return Ok(of_image(&image, host));
    }
    match text_of(path) {
        Ok(text) => of_text(path, &text, host),
        // Nobody takes it for a description of a machine: what is wrong with it as a disk is of more use.
        Err(error) => Err(image.err().unwrap_or(error)),
    }
}

/// A guest with a copy of a disk image.
fn of_image(image: &Image, host: &dyn Host) -> ImportPlan {
    let path = &image.source.path;
    let mut draft = Draft::new(path, host);
    let form = match image.form {
        ImageForm::Plain(format) => format.name(),
        ImageForm::Packed(packing) => packing.name(),
    };
    let size = image.size().map(|size| format!(", {size}")).unwrap_or_default();
    draft.changed(&format!("{} ({form}{size})", path.display()), ImportReason::Copied);
    draft.guest.name = draft.other_name(&medium::suggested_name(
        &medium::Facts::unknown(0),
        &path.file_name().unwrap_or_default().to_string_lossy(),
    ));
    draft.guest.image = Some(path.display().to_string());
    let mut plan = draft.finish(ImportKind::DiskImage);
    (plan.guest.no_disk, plan.guest.nics) = (None, None);
    plan
}

fn no_description(path: &Path, detail: String) -> Error {
    Error::FileUnusable { path: path.display().to_string(), fault: FileFault::WrongFormat, detail }
}

/// What stands in a file that describes a machine.
fn text_of(path: &Path) -> Result<String, Error> {
    let unusable = |detail| no_description(path, detail);
    let (file, length) = files::open_readable(path)?;
    if length > LONGEST {
        return Err(unusable("it is too long to describe a machine".into()));
    }
    let mut text = String::new();
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| unusable(format!("it is no text: {error}")))?;
    Ok(text)
}

fn of_text(path: &Path, text: &str, host: &dyn Host) -> Result<ImportPlan, Error> {
    let unusable = |detail| no_description(path, detail);
    let mut draft = Draft::new(path, host);
    let kind = draft.read(text).map_err(unusable)?;
    Ok(draft.finish(kind))
}

/// Whose machine a text describes; nothing where it describes none.
pub fn kind_of(text: &str) -> Option<ImportKind> {
    let nowhere = Nowhere(Database::default());
    Draft::new(Path::new("/"), &nowhere).read(text).ok()
}

/// A computer without anything, which is enough to see what a text is.
struct Nowhere(Database);

impl Host for Nowhere {
    fn has_name(&self, _name: &str) -> bool {
        false
    }

    fn has_id(&self, _id: GuestId) -> bool {
        false
    }

    fn has_bridge(&self, _bridge: &str) -> bool {
        false
    }

    fn has_file(&self, _path: &Path) -> bool {
        false
    }

    fn has_mac(&self, _mac: MacAddress) -> bool {
        false
    }

    fn database(&self) -> &Database {
        &self.0
    }

    fn most(&self) -> (ByteSize, u32) {
        (ByteSize::GIB, 1)
    }
}

/// A guest in the making, and what became of everything so far.
struct Draft<'h> {
    host: &'h dyn Host,
    path: &'h Path,
    guest: NewGuest,
    disks: Vec<NewDisk>,
    nics: Vec<NewNic>,
    notes: Vec<ImportNote>,
    machines: Vec<String>,
    licences: Vec<String>,
}

impl<'h> Draft<'h> {
    fn new(path: &'h Path, host: &'h dyn Host) -> Self {
        Self {
            host,
            path,
            guest: NewGuest::default(),
            disks: Vec::new(),
            nics: Vec::new(),
            notes: Vec::new(),
            machines: Vec::new(),
            licences: Vec::new(),
        }
    }

    /// Reads whatever it is.
    fn read(&mut self, text: &str) -> Result<ImportKind, String> {
        if text.trim_start().starts_with('<') {
            libvirt::read(text, self).map(|()| ImportKind::LibvirtXml)
        } else {
            xen::read(text, self).map(|()| ImportKind::XenConfig)
        }
    }

    fn note(&mut self, item: &str, outcome: ImportOutcome, reason: Option<ImportReason>) {
        let words = item.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = words.chars().filter(|c| !c.is_control()).take(LONGEST_ITEM);
        self.notes.push(ImportNote { item: shown.collect(), outcome, reason });
    }

    fn kept(&mut self, item: &str) {
        self.note(item, ImportOutcome::Kept, None);
    }

    fn changed(&mut self, item: &str, reason: ImportReason) {
        self.note(item, ImportOutcome::Changed, Some(reason));
    }

    fn lost(&mut self, item: &str, reason: ImportReason) {
        self.note(item, ImportOutcome::Lost, Some(reason));
    }

    /// Notes something that is as it was, unless there is a reason.
    fn settled(&mut self, item: &str, reason: Option<ImportReason>) {
        match reason {
            None => self.kept(item),
            Some(ImportReason::FileMissing) => self.lost(item, ImportReason::FileMissing),
            Some(reason) => self.changed(item, reason),
        }
    }

    /// Takes a name, or one that is like it.
    fn name(&mut self, item: &str, name: &str) {
        let free = !self.host.has_name(name) && name_fault(name).is_none();
        self.guest.name = if free { name.to_owned() } else { self.other_name(name) };
        self.settled(item, (!free).then_some(ImportReason::Name));
    }

    fn other_name(&self, name: &str) -> String {
        medium::unique_name(name, |name| self.host.has_name(name))
    }

    fn id(&mut self, item: &str, id: &str) {
        match id.parse::<GuestId>() {
            Ok(id) if self.host.has_id(id) => self.changed(item, ImportReason::Identity),
            Ok(id) => {
                self.guest.id = Some(id);
                self.kept(item);
            }
            Err(_) => self.lost(item, ImportReason::Unknown),
        }
    }

    /// Takes a number of CPUs, as near to it as can be.
    fn cpus(&mut self, item: &str, count: Option<u32>) -> Option<u32> {
        let Some(count) = count else {
            self.lost(item, ImportReason::Unknown);
            return None;
        };
        let fit = count.clamp(1, self.host.most().1);
        self.fitted(item, fit == count);
        Some(fit)
    }

    /// Takes a size of memory, as near to it as can be.
    fn memory(&mut self, item: &str, size: Option<ByteSize>) -> Option<ByteSize> {
        let Some(size) = size else {
            self.lost(item, ImportReason::Unknown);
            return None;
        };
        let fit = ByteSize::mib(size.as_mib().clamp(16, self.host.most().0.as_mib()));
        self.fitted(item, fit == size);
        Some(fit)
    }

    fn fitted(&mut self, item: &str, fits: bool) {
        self.settled(item, (!fits).then_some(ImportReason::OutOfRange));
    }

    /// What becomes of the guest when it ends. Xen and libvirt have the same words.
    fn end_action(&mut self, item: &str, word: &str) -> Option<EndAction> {
        let action = match word {
            "destroy" => Some(EndAction::Destroy),
            "restart" | "rename-restart" => Some(EndAction::Restart),
            "preserve" => Some(EndAction::Preserve),
            _ => None,
        };
        self.known(item, action)
    }

    /// What becomes of the guest when it crashes.
    fn crash_action(&mut self, item: &str, word: &str) -> Option<CrashAction> {
        let action = match word {
            "destroy" => Some(CrashAction::Destroy),
            "restart" | "rename-restart" => Some(CrashAction::Restart),
            "preserve" => Some(CrashAction::Preserve),
            "coredump-destroy" => Some(CrashAction::CoredumpDestroy),
            "coredump-restart" => Some(CrashAction::CoredumpRestart),
            _ => None,
        };
        self.known(item, action)
    }

    fn known<T>(&mut self, item: &str, value: Option<T>) -> Option<T> {
        match &value {
            Some(_) => self.kept(item),
            None => self.lost(item, ImportReason::Unknown),
        }
        value
    }

    /// Where a file is that the machine needs: at its path, else beside the imported file.
    fn file(&self, path: &str) -> (PathBuf, Option<ImportReason>) {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let named = folder.join(path);
        if self.host.has_file(&named) {
            return (named, None);
        }
        let beside = named.file_name().map(|name| folder.join(name)).filter(|path| self.host.has_file(path));
        match beside {
            Some(beside) => (beside, Some(ImportReason::FoundBeside)),
            None => (named, Some(ImportReason::FileMissing)),
        }
    }

    /// Adds a disk whose `path` is as the file says, with what else there is to say about it.
    fn disk(&mut self, item: &str, disk: NewDisk, reason: Option<ImportReason>) {
        let (path, found) = self.file(disk.path.as_deref().unwrap_or_default());
        self.disks.push(NewDisk { path: Some(path.display().to_string()), ..disk });
        self.settled(item, found.or(reason));
    }

    /// Puts a disc into the one drive that a new guest has.
    fn disc(&mut self, item: &str, path: Option<&str>) {
        match path.filter(|path| !path.is_empty()) {
            None => self.kept(item),
            Some(_) if self.guest.iso.is_some() => self.lost(item, ImportReason::NoCounterpart),
            Some(path) => match self.file(path) {
                // The guest can do without.
                (_, Some(ImportReason::FileMissing)) => self.lost(item, ImportReason::FileMissing),
                (path, reason) => {
                    self.guest.iso = Some(path.display().to_string());
                    self.settled(item, reason);
                }
            },
        }
    }

    /// Lets the guest start the kernel that the boot loader on its first disk would: as the programs did that Xen called
    /// for that.
    fn kernel_from_disk(&mut self) {
        self.guest.kernel_disk = (!self.disks.is_empty()).then(|| DiskName::FIRST.to_string());
    }

    /// Adds a network card; one at a bridge that is not there shares the host's connection.
    fn nic(&mut self, item: &str, mut nic: NewNic, reason: Option<ImportReason>) {
        let mut reason = reason;
        if let Some(bridge) = &nic.bridge
            && !self.host.has_bridge(bridge)
        {
            (nic.mode, nic.bridge) = (Some(NetworkMode::User), None);
            reason = Some(ImportReason::NoBridge);
        }
        self.nics.push(nic);
        self.settled(item, reason);
    }

    fn finish(mut self, kind: ImportKind) -> ImportPlan {
        if self.guest.name.is_empty() {
            let stem = self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            self.guest.name = self.other_name(&stem.unwrap_or_default());
        }
        self.guest.no_disk = self.disks.is_empty().then_some(true);
        self.guest.disks = Some(self.disks).filter(|disks| !disks.is_empty());
        self.guest.nics = Some(self.nics);
        // No more CPUs or memory than the machine had.
        let NewGuest { cpus, memory, .. } = self.guest;
        self.guest.max_cpus = self.guest.max_cpus.or(cpus);
        self.guest.max_memory = self.guest.max_memory.or(memory);
        let Self { guest, notes, machines, licences, .. } = self;
        ImportPlan { kind, guest, notes, machines, licences }
    }
}

#[cfg(test)]
mod tests;
