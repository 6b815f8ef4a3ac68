//! How a guest's machine starts: its firmware with the variable store, Secure Boot, the TPM, a kernel that is
//! started directly, and what it tries to start from.
//!
//! What is decided by the definition alone is pure. Making the firmware's files ready is done beside
//! the guest's task. A store that was made is never replaced: a guest that goes to other firmware and
//! back finds what it had left there, and each kind of firmware has a store of its own.

use super::config::{Definition, Kernel};
use super::pending;
use crate::engine::{
    BootDevice, DiskFormat, DiskName, Engine, EngineError, FirmwareConfig, MachineConfig, UefiConfig,
};
use crate::host::firmware::{self, Uefi};
use crate::{files, kernel, storage};
use hv_api::{BootInfo, BootSettings, ByteSize, Error, Firmware, GuestInfo, NewGuest, PendingChange};
use std::path::{Path, PathBuf};

/// The variables of firmware that starts anything, and of firmware that starts only what is signed.
const STORE: &str = "variables.qcow2";
const SECURE_STORE: &str = "variables-secure-boot.qcow2";

/// Where the variable store of a guest is that has one, in its folder. It is made at the guest's first start.
pub fn variable_store(definition: &Definition, folder: &Path) -> Option<PathBuf> {
    let name = if definition.secure_boot { SECURE_STORE } else { STORE };
    (definition.firmware == Firmware::Uefi).then(|| folder.join(name))
}

/// What clients are told.
pub fn info(definition: &Definition) -> BootInfo {
    let Definition { machine, cpu_model, secure_boot, tpm, order, kernel, .. } = definition;
    let kernel = kernel.as_ref();
    BootInfo {
        machine: machine.clone(),
        cpu_model: cpu_model.clone(),
        secure_boot: *secure_boot,
        tpm: *tpm,
        order: order.clone(),
        initrd: kernel.and_then(|kernel| Some(kernel.initrd.as_ref()?.display().to_string())),
        append: kernel.and_then(|kernel| kernel.append.clone()),
        kernel_disk: kernel.and_then(|kernel| kernel.from_disk).map(|disk| disk.to_string()),
        kernel_entry: kernel.and_then(|kernel| kernel.entry.clone()),
    }
}

/// Makes sure that such settings can be a guest's on this computer.
///
/// # Errors
/// [`Error::OptionsConflict`], [`Error::OptionNeeds`], [`Error::BootDeviceNotFound`],
/// [`Error::CpuModelUnknown`], [`Error::FileUnusable`] and those of [`Needs::check`].
pub async fn check(settings: &BootSettings, guest: &GuestInfo, engine: &dyn Engine) -> Result<(), Error> {
    possible(settings, guest)?;
    if let Some(needs) = Needs::changed(settings, guest) {
        needs.check(engine).await?;
    }
    if let Some(model) = settings.cpu_model.as_ref().filter(|model| !model.is_empty()) {
        check_cpu_model(model, engine).await?;
    }
    check_files(settings).await
}

async fn check_cpu_model(model: &str, engine: &dyn Engine) -> Result<(), Error> {
    let known = engine.cpu_models().await.map_err(|error| match error {
        EngineError::Missing { program } => Error::EngineMissing { program },
        other => Error::CpuModelUnknown { model: model.to_owned(), known: vec![other.to_string()] },
    })?;
    if known.iter().any(|known| known == model) {
        return Ok(());
    }
    Err(Error::CpuModelUnknown { model: model.to_owned(), known })
}

/// Whether settings go together with each other and with what a guest has.
fn possible(settings: &BootSettings, guest: &GuestInfo) -> Result<(), Error> {
    if settings.firmware == Some(Firmware::Bios) && settings.secure_boot == Some(true) {
        return Err(Error::conflict("firmware=bios", "secure-boot=true"));
    }
    let order = settings.order.as_deref().unwrap_or_default();
    for (index, device) in order.iter().enumerate() {
        let disk = guest.disks.iter().any(|disk| disk.name == *device);
        let drive = guest.drives.iter().any(|drive| drive.name == *device);
        if !(disk || drive) || order[..index].contains(device) {
            let guest = guest.name.clone();
            return Err(Error::BootDeviceNotFound { guest, device: device.clone() });
        }
    }
    let given = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
    if given(&settings.kernel) && given(&settings.kernel_disk) {
        return Err(Error::conflict("kernel", "kernel-disk"));
    }
    if let Some(disk) = settings.kernel_disk.as_ref().filter(|disk| !disk.is_empty())
        && !guest.disks.iter().any(|other| other.name == *disk)
    {
        return Err(Error::DiskNotFound { guest: guest.name.clone(), disk: disk.clone() });
    }
    // Each of the two takes the other's place.
    let now = |value: &Option<String>, has: bool, other: &Option<String>| {
        value.as_ref().map_or(has && !given(other), |value| !value.is_empty())
    };
    let file = now(&settings.kernel, guest.kernel.is_some(), &settings.kernel_disk);
    let disk = now(&settings.kernel_disk, guest.boot.kernel_disk.is_some(), &settings.kernel);
    for (option, value, fits, needs) in [
        ("initrd", &settings.initrd, file, "kernel"),
        ("append", &settings.append, file || disk, "kernel"),
        ("kernel-entry", &settings.kernel_entry, disk, "kernel-disk"),
    ] {
        if !fits && given(value) {
            return Err(Error::OptionNeeds { option: option.into(), needs: needs.into() });
        }
    }
    Ok(())
}

/// The settings that are named, as `hv set` has them.
pub fn keys(settings: &BootSettings) -> Vec<&'static str> {
    let BootSettings {
        firmware,
        secure_boot,
        tpm,
        order,
        kernel,
        initrd,
        append,
        cpu_model,
        kernel_disk,
        kernel_entry,
    } = settings;
    let named = [
        firmware.is_some(),
        secure_boot.is_some(),
        tpm.is_some(),
        order.is_some(),
        kernel.is_some(),
        initrd.is_some(),
        append.is_some(),
        cpu_model.is_some(),
        kernel_disk.is_some(),
        kernel_entry.is_some(),
    ];
    pending::named(KEYS, named)
}

/// Puts new settings, which were checked, into a definition.
pub fn apply(settings: &BootSettings, wanted: &mut Definition) {
    let BootSettings {
        firmware,
        secure_boot,
        tpm,
        order,
        kernel,
        initrd,
        append,
        cpu_model,
        kernel_disk,
        kernel_entry,
    } = settings.clone();
    let given = |value: String| Some(value).filter(|value| !value.is_empty());
    if let Some(model) = cpu_model {
        wanted.cpu_model = given(model);
    }
    if let Some(firmware) = firmware {
        wanted.firmware = firmware;
    }
    if secure_boot == Some(true) {
        wanted.firmware = Firmware::Uefi;
    }
    wanted.secure_boot = secure_boot.unwrap_or(wanted.secure_boot) && wanted.firmware == Firmware::Uefi;
    wanted.tpm = tpm.unwrap_or(wanted.tpm);
    if let Some(order) = order {
        wanted.order = order;
    }
    match kernel {
        None => {}
        Some(image) if image.is_empty() => wanted.kernel = None,
        Some(image) => match &mut wanted.kernel {
            Some(kernel) if kernel.from_disk.is_none() => kernel.image = Some(image.into()),
            other => *other = Some(Kernel::of_file(image)),
        },
    }
    match kernel_disk.map(|disk| disk.parse::<DiskName>()) {
        None => {}
        Some(Ok(disk)) => match &mut wanted.kernel {
            Some(kernel) if kernel.from_disk.is_some() => kernel.from_disk = Some(disk),
            other => *other = Some(Kernel::of_disk(disk)),
        },
        // None.
        Some(Err(_)) => wanted.kernel = wanted.kernel.take().filter(|kernel| kernel.from_disk.is_none()),
    }
    if let Some(kernel) = &mut wanted.kernel {
        if let Some(initrd) = initrd {
            kernel.initrd = given(initrd).map(PathBuf::from);
        }
        if let Some(append) = append {
            kernel.append = given(append);
        }
        if let Some(entry) = kernel_entry {
            kernel.entry = given(entry);
        }
    }
}

/// Makes sure that files which are newly named can be read.
///
/// # Errors
/// [`Error::FileUnusable`].
async fn check_files(settings: &BootSettings) -> Result<(), Error> {
    let named: Vec<String> = [&settings.kernel, &settings.initrd].into_iter().flatten().cloned().collect();
    files::off_thread(move || {
        let mut named = named.iter().filter(|path| !path.is_empty());
        named.try_for_each(|path| files::open_readable(path.as_ref()).map(drop))
    })
    .await
}

/// Makes a machine try its drives first, whatever else it is told to start from.
pub fn from_cd(machine: &mut MachineConfig) {
    machine.kernel = None;
    let disks = machine.disks.iter().map(|disk| BootDevice::Disk(disk.name));
    machine.order = (0..machine.drives.len()).map(BootDevice::Drive).chain(disks).collect();
}

/// Memory with which there is room for a packed and an unpacked kernel at the places where they are put.
const ROOM_TO_UNPACK: ByteSize = ByteSize::mib(256);

/// Lets a machine start its kernel in the form in which it is the quickest. UEFI firmware takes no other
/// than the usual one.
pub async fn unpack_kernel(machine: &mut MachineConfig, cache: &Path) {
    if machine.firmware != FirmwareConfig::Bios || machine.memory < ROOM_TO_UNPACK {
        return;
    }
    let Some(kernel) = &mut machine.kernel else { return };
    let (image, cache) = (kernel.kernel.clone(), cache.join("kernels"));
    if let Ok(Some(unpacked)) = files::off_thread(move || Ok(kernel::uncompressed(&image, &cache))).await {
        kernel.kernel = unpacked;
    }
}

/// Everything here that a machine has from its start, by the setting's name.
const KEYS: [&str; 10] = [
    "firmware",
    "secure-boot",
    "tpm",
    "boot",
    "kernel",
    "initrd",
    "append",
    "cpu-model",
    "kernel-disk",
    "kernel-entry",
];

/// What a machine is started with, in the order of [`KEYS`] and as `hv set` writes it.
fn shown(definition: &Definition) -> [String; 10] {
    let firmware = match definition.firmware {
        Firmware::Bios => "bios",
        Firmware::Uefi => "uefi",
    };
    let kernel = definition.kernel.as_ref();
    let path = |path: &PathBuf| path.display().to_string();
    [
        firmware.to_owned(),
        definition.secure_boot.to_string(),
        definition.tpm.to_string(),
        definition.order.join(","),
        kernel.and_then(|kernel| kernel.image.as_ref()).map(path).unwrap_or_default(),
        kernel.and_then(|kernel| kernel.initrd.as_ref()).map(path).unwrap_or_default(),
        kernel.and_then(|kernel| kernel.append.clone()).unwrap_or_default(),
        definition.cpu_model.clone().unwrap_or_default(),
        kernel.and_then(|kernel| kernel.from_disk).map(|disk| disk.to_string()).unwrap_or_default(),
        kernel.and_then(|kernel| kernel.entry.clone()).unwrap_or_default(),
    ]
}

/// What the definition says otherwise than a machine was started with.
pub fn pending(running: &Definition, next: &Definition) -> impl Iterator<Item = PendingChange> {
    pending::differing(KEYS, shown(running), shown(next))
}

/// The firmware of a new guest, and whether it starts only what is signed: what was asked for, else what
/// the medium needs.
pub fn for_new(new: &NewGuest) -> Result<(Firmware, bool), Error> {
    let secure = new.secure_boot == Some(true);
    match new.firmware {
        Some(Firmware::Bios) if secure => Err(Error::conflict("firmware", "secure_boot")),
        Some(firmware) => Ok((firmware, secure)),
        None if secure => Ok((Firmware::Uefi, true)),
        None => Ok((new.iso.as_deref().map_or(Firmware::Bios, |iso| needed(iso.as_ref())), false)),
    }
}

/// The firmware that a medium needs; BIOS where it can do with that, as it starts sooner and starts
/// systems of any age.
fn needed(iso: &Path) -> Firmware {
    let facts = files::open_readable(iso).ok();
    let facts = facts.and_then(|(mut file, length)| crate::medium::read(&mut file, length).ok());
    match facts {
        Some(facts) if facts.boot == [hv_api::BootMode::Uefi] => Firmware::Uefi,
        _ => Firmware::Bios,
    }
}

/// What a guest needs of this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    firmware: Firmware,
    secure_boot: bool,
    tpm: bool,
    /// Empty where it is not known yet: all that can be chosen have this beginning.
    machine: String,
}

impl Needs {
    /// What a guest needs that is as its definition says.
    pub fn of(definition: &Definition) -> Self {
        let Definition { firmware, secure_boot, tpm, machine, .. } = definition.clone();
        Self { firmware, secure_boot, tpm, machine }
    }

    /// What these settings make a guest need that it did not before; nothing where they change none of it.
    pub fn changed(settings: &BootSettings, guest: &GuestInfo) -> Option<Self> {
        let BootSettings { firmware, secure_boot, tpm, .. } = settings.clone();
        if firmware.is_none() && secure_boot.is_none() && tpm.is_none() {
            return None;
        }
        let secure = secure_boot.unwrap_or(guest.boot.secure_boot && firmware != Some(Firmware::Bios));
        let firmware = if secure { Firmware::Uefi } else { firmware.unwrap_or(guest.firmware) };
        let machine = guest.boot.machine.clone();
        Some(Self { firmware, secure_boot: secure, tpm: tpm == Some(true), machine })
    }

    /// Makes sure that this computer has it.
    ///
    /// # Errors
    /// [`Error::FirmwareMissing`] and [`Error::EngineMissing`].
    pub async fn check(self, engine: &dyn Engine) -> Result<(), Error> {
        if self.tpm && engine.tpm_program().is_none() {
            return Err(Error::EngineMissing { program: "swtpm".into() });
        }
        look(self, PathBuf::new()).await.map(drop)
    }
}

/// The firmware for a guest, whose folder this is, with the store that it has or would get.
///
/// # Errors
/// [`Error::FirmwareMissing`].
pub async fn find(definition: &Definition, folder: &Path) -> Result<Found, Error> {
    look(Needs::of(definition), folder.to_owned()).await
}

async fn look(needs: Needs, folder: PathBuf) -> Result<Found, Error> {
    let Needs { firmware, secure_boot, machine, .. } = needs;
    if firmware == Firmware::Bios {
        return Ok(Found(None));
    }
    let store = folder.join(if secure_boot { SECURE_STORE } else { STORE });
    let look = move || {
        let machine = if machine.is_empty() { "pc-q35-" } else { &machine };
        let suitable = firmware::suitable(firmware::uefi(), machine, secure_boot);
        Ok(suitable.into_iter().find(|uefi| fits(uefi, &store)).map(|uefi| (uefi, store)))
    };
    let found = files::off_thread(look).await?;
    found.map(|found| Found(Some(found))).ok_or(Error::FirmwareMissing { firmware, secure_boot })
}

/// Whether a guest's store can be this firmware's: one for a flash of another size can't. Firmware that
/// comes with an update may be the second in its list and the one that a guest needs all the same.
fn fits(uefi: &Uefi, store: &Path) -> bool {
    let Some(size) = storage::volume_size(store, DiskFormat::Qcow2) else { return true };
    storage::volume_size(&uefi.template, uefi.template_format) == Some(size)
}

/// Firmware that was found for a guest, with the place of the guest's store.
#[derive(Debug)]
pub struct Found(Option<(Uefi, PathBuf)>);

impl Found {
    /// As an engine is asked for it.
    pub fn config(&self) -> FirmwareConfig {
        match &self.0 {
            None => FirmwareConfig::Bios,
            Some((uefi, store)) => FirmwareConfig::Uefi(UefiConfig {
                image: uefi.image.clone(),
                image_format: uefi.image_format,
                store: store.clone(),
                smm: uefi.requires_smm,
            }),
        }
    }

    /// Makes the store, where the guest has none yet.
    ///
    /// # Errors
    /// Where it can't be made; nothing is left of it then.
    pub async fn make_store(&self) -> Result<(), Error> {
        match &self.0 {
            Some((uefi, store)) if !store.exists() => {
                storage::copy_as_qcow2(&uefi.template, uefi.template_format, store).await
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::config::tests::example;
    use crate::guest::install::Install;
    use hv_api::{DriveInfo, GuestId, GuestState};

    fn definition() -> Definition {
        Definition { kernel: None, ..example() }
    }

    #[test]
    fn settings_bring_with_them_what_they_need() {
        let mut wanted = definition();
        let secure = BootSettings { secure_boot: Some(true), tpm: Some(true), ..BootSettings::default() };
        apply(&secure, &mut wanted);
        assert_eq!((wanted.firmware, wanted.secure_boot, wanted.tpm), (Firmware::Uefi, true, true));
        assert_eq!(keys(&secure), ["secure-boot", "tpm"]);
        let bios = BootSettings { firmware: Some(Firmware::Bios), ..BootSettings::default() };
        apply(&bios, &mut wanted);
        assert_eq!((wanted.firmware, wanted.secure_boot, wanted.tpm), (Firmware::Bios, false, true));
        apply(&BootSettings::default(), &mut wanted);
        assert_eq!((wanted.firmware, wanted.secure_boot, wanted.tpm), (Firmware::Bios, false, true));
        let both = BootSettings { secure_boot: Some(true), ..bios };
        let guest = GuestInfo::new(GuestId::random(), "one", GuestState::Off);
        assert!(matches!(possible(&both, &guest), Err(Error::OptionsConflict { .. })));
    }

    #[test]
    fn settings_say_what_stays_after_an_installation() {
        let kernel = Some(Kernel::of_disk(DiskName::FIRST));
        let install = Some(Install { kernel: Some(Kernel::of_file("/k")), ..Install::default() });
        let installing = Definition { kernel: kernel.clone(), install, ..example() };
        assert_eq!(info(&installing).kernel_disk.as_deref(), Some("disk0"));
        let installed = Definition { kernel, ..example() };
        assert_eq!(pending(&installing, &installed).count(), 0);
    }

    #[test]
    fn an_order_names_what_is_there_and_once() {
        let mut guest = GuestInfo::new(GuestId::random(), "one", GuestState::Off);
        guest.drives = ["cd0", "cd1"].map(|name| DriveInfo { name: name.into(), medium: None }).to_vec();
        let order = |names: &[&str]| BootSettings {
            order: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..BootSettings::default()
        };
        assert_eq!(possible(&order(&["cd1", "cd0"]), &guest), Ok(()));
        for wrong in [&["disk0"][..], &["cd2"], &["cd00"], &["cd"], &["cd0", "cd0"], &["floppy"]] {
            let refused = possible(&order(wrong), &guest);
            assert!(matches!(refused, Err(Error::BootDeviceNotFound { .. })), "{wrong:?}");
        }
        let definition = definition();
        assert_eq!(definition.boot_device("disk0"), Some(BootDevice::Disk(DiskName::FIRST)));
        for none in ["disk1", "disk00", "cd2", "cd", ""] {
            assert_eq!(definition.boot_device(none), None, "{none}");
        }
    }

    #[test]
    fn a_kernel_and_what_belongs_to_it_come_and_go() {
        let mut wanted = definition();
        let guest = GuestInfo::new(GuestId::random(), "one", GuestState::Off);
        let append = BootSettings { append: Some("quiet".into()), ..BootSettings::default() };
        assert!(matches!(possible(&append, &guest), Err(Error::OptionNeeds { .. })));
        let kernel = BootSettings { kernel: Some("/k".into()), initrd: Some("/i".into()), ..append };
        assert_eq!(possible(&kernel, &guest), Ok(()));
        apply(&kernel, &mut wanted);
        let other = BootSettings { kernel: Some("/l".into()), ..BootSettings::default() };
        apply(&other, &mut wanted);
        let expected =
            Kernel { initrd: Some("/i".into()), append: Some("quiet".into()), ..Kernel::of_file("/l") };
        assert_eq!(wanted.kernel, Some(expected));
        let changes: Vec<_> = pending(&definition(), &wanted).map(|change| change.key).collect();
        assert_eq!(changes, ["kernel", "initrd", "append"]);
        apply(&BootSettings { kernel: Some(String::new()), ..BootSettings::default() }, &mut wanted);
        assert_eq!(wanted, definition());
    }

    #[test]
    fn a_new_guest_gets_the_firmware_that_was_asked_for() {
        let new = NewGuest::default();
        assert_eq!(for_new(&new), Ok((Firmware::Bios, false)));
        let secure = NewGuest { secure_boot: Some(true), ..new.clone() };
        assert_eq!(for_new(&secure), Ok((Firmware::Uefi, true)));
        let both = NewGuest { firmware: Some(Firmware::Bios), ..secure };
        assert!(for_new(&both).is_err());
    }
}
