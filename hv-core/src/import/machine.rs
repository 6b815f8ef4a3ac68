//! Machines of appliances: what one of them is as a guest, with what is otherwise.
//!
//! What decides over starting is kept wherever it can be: the firmware, and controllers of disks that a system has a
//! driver for. One that there is nothing like here becomes SATA, which nearly every system can start from; virtio only
//! comes where there was virtio before.

use super::Draft;
use crate::appliance::Appliance;
use crate::appliance::ovf::{Configuration, Description, Device, Disk, Machine, unit};
use crate::appliance::systems::{Found, identify};
use crate::guest::disk_file::{Image, ImageForm};
use crate::osdb::resources::{Suits, suits};
use hv_api::{
    ApplianceDisk, ApplianceFault, ApplianceInfo, ByteSize, DeviceSettings, DiskBus, Error, Firmware,
    ImportOutcome, ImportReason, MacAddress, NewDisk, NewNic, NicModel, SoundCard,
};

/// Kinds of devices, as CIM numbers them.
mod kind {
    pub const OTHER: u32 = 1;
    pub const CPU: u32 = 3;
    pub const MEMORY: u32 = 4;
    pub const IDE: u32 = 5;
    pub const SCSI: u32 = 6;
    pub const NETWORK: u32 = 10;
    pub const FLOPPY: u32 = 14;
    pub const CD: u32 = 15;
    pub const DVD: u32 = 16;
    pub const DISK: u32 = 17;
    pub const STORAGE: u32 = 20;
    pub const SERIAL: u32 = 21;
    pub const PARALLEL: u32 = 22;
    pub const USB: u32 = 23;
    pub const GRAPHICS: u32 = 24;
    pub const FRAMEBUFFER: u32 = 26;
    pub const SOUND: u32 = 35;
}

impl Machine {
    /// What people call it.
    fn shown_name(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.id)
    }

    /// The devices that it has in a configuration.
    fn devices_in(&self, configuration: Option<&Configuration>) -> Vec<&Device> {
        let is_for = |device: &&Device| {
            let named = configuration.is_some_and(|chosen| device.configurations.contains(&chosen.id));
            device.configurations.is_empty() || named
        };
        let all: Vec<&Device> = self.devices.iter().filter(is_for).collect();
        // One for this configuration replaces the one for all that has its number.
        let replaced = |device: &Device| {
            let same = |other: &&&Device| {
                !other.configurations.is_empty() && other.id == device.id && other.kind == device.kind
            };
            device.configurations.is_empty() && !device.id.is_empty() && all.iter().find(same).is_some()
        };
        all.iter().copied().filter(|device| !replaced(device)).collect()
    }

    fn says_firmware(name: &str, value: &str) -> Option<(Firmware, bool)> {
        match (name, value.to_ascii_lowercase().as_str()) {
            ("firmware", "efi") | ("ovirt:BiosType", "3") => Some((Firmware::Uefi, false)),
            ("vbox:Firmware", value) if value.starts_with("efi") => Some((Firmware::Uefi, false)),
            ("bootOptions.efiSecureBootEnabled" | "uefi.secureBoot.enabled" | "vbox:SecureBoot", "true") => {
                Some((Firmware::Uefi, true))
            }
            ("ovirt:BiosType", "4") => Some((Firmware::Uefi, true)),
            ("firmware" | "vbox:Firmware", "bios") | ("ovirt:BiosType", "1" | "2") => {
                Some((Firmware::Bios, false))
            }
            _ => None,
        }
    }

    /// Its firmware: BIOS where it says nothing, as it is with all programs. And whether it starts only what is signed.
    fn firmware(&self) -> (Firmware, bool) {
        let said = self.settings.iter().filter_map(|(name, value, _)| Self::says_firmware(name, value));
        let said: Vec<(Firmware, bool)> = said.collect();
        let uefi = said.iter().any(|(firmware, _)| *firmware == Firmware::Uefi);
        let secure = said.iter().any(|(_, secure)| *secure);
        (if uefi { Firmware::Uefi } else { Firmware::Bios }, secure)
    }
}

/// The configuration that is taken: the usual one, else the first.
fn configuration(description: &Description) -> Option<&Configuration> {
    let all = &description.configurations;
    all.iter().find(|one| one.is_default).or(all.first())
}

fn cpus(devices: &[&Device]) -> Option<u32> {
    let cpu = devices.iter().find(|device| device.kind == kind::CPU)?;
    cpu.quantity.and_then(|count| u32::try_from(count).ok())
}

fn memory(device: &Device) -> Option<ByteSize> {
    // VirtualBox once wrote sizes in megabytes with no unit or another one.
    let unit = unit(&device.unit, 1 << 20)?;
    device.quantity?.checked_mul(unit).map(ByteSize::bytes)
}

/// The disk that a device shows, by what it names: `ovf:/disk/vmdisk1`, or with oVirt `image/volume`.
fn disk_of<'d>(device: &Device, description: &'d Description) -> Option<&'d Disk> {
    let named = device.resource.as_deref()?;
    let path = named.strip_prefix("ovf:").unwrap_or(named).trim_start_matches('/');
    if let Some(file) = path.strip_prefix("file/") {
        return description.disks.iter().find(|disk| disk.file.as_deref() == Some(file));
    }
    let id = path.strip_prefix("disk/").unwrap_or(path);
    let last = id.rsplit('/').next().unwrap_or(id);
    let exact = description.disks.iter().find(|disk| disk.id == id || disk.file.as_deref() == Some(id));
    exact.or_else(|| {
        description.disks.iter().find(|disk| disk.id == last || disk.file.as_deref() == Some(last))
    })
}

/// The name of the file with this word.
fn file_of<'d>(word: &str, description: &'d Description) -> Option<(&'d str, bool)> {
    let file = description.files.iter().find(|file| file.id == word)?;
    Some((&file.href, file.is_chunked))
}

/// The machine with this name, or the first.
fn chosen<'a>(appliance: &'a Appliance, path: &str, name: Option<&str>) -> Result<&'a Machine, Error> {
    let all = &appliance.description.machines;
    let found = match name {
        None => all.first(),
        Some(name) => all.iter().find(|machine| machine.shown_name() == name || machine.id == name),
    };
    found.ok_or_else(|| Error::MachineNotFound {
        path: path.to_owned(),
        machine: name.unwrap_or_default().to_owned(),
        known: all.iter().map(|machine| machine.shown_name().to_owned()).collect(),
    })
}

/// Reads the machine with this name, or the first.
///
/// # Errors
/// [`Error::MachineNotFound`].
pub(super) fn read(appliance: &Appliance, name: Option<&str>, draft: &mut Draft<'_>) -> Result<(), Error> {
    let description = &appliance.description;
    let machine = chosen(appliance, &draft.path.display().to_string(), name)?;
    if description.machines.len() > 1 {
        draft.machines = description.machines.iter().map(|one| one.shown_name().to_owned()).collect();
        for other in description.machines.iter().filter(|other| !std::ptr::eq(*other, machine)) {
            draft.lost(&format!("machine: {}", other.shown_name()), ImportReason::OneOfSeveral);
        }
    }
    let configuration = configuration(description);
    for one in &description.configurations {
        let item = format!("configuration: {}", one.label);
        if configuration == Some(one) {
            draft.kept(&item);
        } else {
            draft.lost(&item, ImportReason::OneOfSeveral);
        }
    }
    if !appliance.has_manifest() {
        draft.note("no manifest (.mf)", ImportOutcome::Changed, Some(ImportReason::NotVerified));
    }
    if appliance.has_certificate() {
        draft.lost("signature (.cert)", ImportReason::NotVerified);
    }
    for licence in description.licences.iter().chain(&machine.licences) {
        draft.changed(&format!("licence: {licence}"), ImportReason::Licence);
        draft.licences.push(licence.clone());
    }
    let shown = machine.shown_name();
    if !shown.is_empty() {
        draft.name(&format!("name: {shown}"), shown);
    }
    for (what, text) in [("product", &machine.product), ("annotation", &machine.annotation)] {
        if let Some(text) = text {
            draft.lost(&format!("{what}: {text}"), ImportReason::NoCounterpart);
        }
    }
    let found = identify(machine, draft.host.database());
    system(machine, &found, draft);
    let suits = suits_of(&found, draft);
    let mut devices = DeviceSettings::default();
    settings(machine, &mut devices, draft);
    add_devices(appliance, &machine.devices_in(configuration), suits, &mut devices, draft);
    macs(machine, draft);
    draft.guest.devices = Some(devices).filter(|devices| *devices != DeviceSettings::default());
    for other in description.others.iter().chain(&machine.others) {
        draft.lost(other, ImportReason::NoCounterpart);
    }
    Ok(())
}

fn suits_of(found: &Found, draft: &Draft<'_>) -> Suits {
    let database = draft.host.database();
    let like = found.like.as_deref().and_then(|like| database.find(like));
    suits(database, like, found.family, found.arch)
}

fn system(machine: &Machine, found: &Found, draft: &mut Draft<'_>) {
    let Some(item) = &machine.system_item else { return };
    let words = &machine.system;
    let all = [words.vmware.as_deref(), words.virtualbox.as_deref()];
    if all.into_iter().flatten().any(|word| word.to_ascii_lowercase().contains("arm")) {
        // Guests here are PCs.
        return draft.lost(item, ImportReason::NoCounterpart);
    }
    match &found.system {
        Some(system) => {
            draft.guest.os = Some(system.id.clone());
            draft.kept(item);
        }
        None => draft.lost(item, ImportReason::Unknown),
    }
}

/// What single programs say besides devices.
fn settings(machine: &Machine, devices: &mut DeviceSettings, draft: &mut Draft<'_>) {
    let (firmware, secure) = machine.firmware();
    draft.guest.firmware = Some(firmware);
    draft.guest.secure_boot = secure.then_some(true);
    for (name, value, item) in &machine.settings {
        match (name.as_str(), value.as_str()) {
            ("vbox:Tpm", "None" | "none") => draft.kept(item),
            ("vbox:Tpm", kind) => {
                draft.guest.tpm = Some(true);
                let own = kind.starts_with("v2");
                // What the old one knows stays with the old one.
                draft.settled(item, (!own).then_some(ImportReason::OtherDevice));
            }
            ("vbox:Audio", controller) => sound(controller, item, devices, draft),
            ("vbox:Uart", "true") => serial(item, devices, draft),
            // The cards have their addresses.
            ("vbox:Mac" | "vbox:Uart", _) => {}
            ("vbox:SharedFolder", _) => draft.lost(item, ImportReason::NoCounterpart),
            (name, value) if Machine::says_firmware(name, value).is_some() => draft.kept(item),
            _ => draft.changed(item, ImportReason::NotNeeded),
        }
    }
}

fn sound(model: &str, item: &str, devices: &mut DeviceSettings, draft: &mut Draft<'_>) {
    let model = model.to_ascii_lowercase();
    let (card, known) = if model.contains("ac97") {
        (SoundCard::Ac97, true)
    } else {
        (SoundCard::Ich9, model.contains("hda") || model.contains("hdaudio") || model.contains("ich"))
    };
    devices.sound = Some(card);
    draft.settled(item, (!known).then_some(ImportReason::OtherDevice));
}

fn serial(item: &str, devices: &mut DeviceSettings, draft: &mut Draft<'_>) {
    let ports = devices.serial_ports.unwrap_or_default() + 1;
    devices.serial_ports = Some(ports.min(4));
    draft.fitted(item, ports <= 4);
}

fn add_devices(
    appliance: &Appliance,
    all: &[&Device],
    suits: Suits,
    devices: &mut DeviceSettings,
    draft: &mut Draft<'_>,
) {
    let place = |device: &Device| {
        let of = |id: &String| all.iter().position(|controller| controller.id == *id);
        (device.parent.as_ref().and_then(of), device.address)
    };
    let mut disks: Vec<&Device> = all.iter().copied().filter(|device| device.kind == kind::DISK).collect();
    // As the machine's firmware finds them: controller by controller.
    disks.sort_by_key(|device| place(device));
    let mut disks = disks.into_iter();
    for device in all {
        let item = &device.item;
        let model = device.model.to_ascii_lowercase();
        match device.kind {
            kind::CPU => {
                let count = device.quantity.and_then(|count| u32::try_from(count).ok());
                draft.guest.cpus = draft.cpus(item, count);
            }
            kind::MEMORY => draft.guest.memory = draft.memory(item, memory(device)),
            kind::DISK => {
                // In that order, at the places of the list.
                let Some(device) = disks.next() else { continue };
                let controller = all.iter().copied().find(|other| Some(&other.id) == device.parent.as_ref());
                add_disk(appliance, device, controller, draft);
            }
            kind::CD | kind::DVD => add_disc(appliance, device, draft),
            kind::NETWORK => add_nic(device, suits, draft),
            kind::SERIAL => serial(item, devices, draft),
            kind::SOUND => sound(&model, item, devices, draft),
            kind::OTHER if model.contains("sound") || model.contains("audio") => {
                sound(&model, item, devices, draft);
            }
            kind::OTHER if model.contains("tpm") => {
                draft.guest.tpm = Some(true);
                draft.changed(item, ImportReason::OtherDevice);
            }
            // Where nobody names what it is, it is one of oVirt's own; VMware's machines talk to each other by VMCI.
            0 | kind::IDE | kind::SCSI | kind::STORAGE | kind::USB | kind::GRAPHICS | kind::FRAMEBUFFER => {
                draft.changed(item, ImportReason::NotNeeded);
            }
            kind::OTHER
                if model.contains("vmci") || model.contains("video") || model.contains("keyboard") =>
            {
                draft.changed(item, ImportReason::NotNeeded);
            }
            kind::FLOPPY | kind::PARALLEL => draft.lost(item, ImportReason::NoCounterpart),
            _ => draft.lost(item, ImportReason::Unknown),
        }
    }
}

/// What a disk is attached to here, and whether that is something else than before.
fn bus(device: &Device, disk: &Disk, controller: Option<&Device>) -> (DiskBus, bool) {
    let interface = disk.interface.as_deref().unwrap_or_default().to_ascii_lowercase();
    let model = controller.map(|controller| controller.model.to_ascii_lowercase()).unwrap_or_default();
    let own = device.model.to_ascii_lowercase();
    let says = |words: &str| [&model, &own, &interface].iter().any(|said| said.contains(words));
    if says("virtioscsi") || says("virtio_scsi") || says("virtio-scsi") {
        (DiskBus::Scsi, false)
    } else if says("virtio") {
        (DiskBus::Virtio, false)
    } else if says("nvme") {
        (DiskBus::Nvme, false)
    } else if says("sata") || says("ahci") {
        (DiskBus::Sata, false)
    } else {
        // The PC of today has no IDE, and no SCSI but virtio's.
        (DiskBus::Sata, true)
    }
}

fn add_disk(appliance: &Appliance, device: &Device, controller: Option<&Device>, draft: &mut Draft<'_>) {
    let description = &appliance.description;
    let item = &device.item;
    let Some(disk) = disk_of(device, description) else { return draft.lost(item, ImportReason::FileMissing) };
    if disk.parent.is_some() {
        // What it builds on is not in an appliance that is whole.
        return draft.lost(item, ImportReason::NoCounterpart);
    }
    let (bus, is_other) = bus(device, disk, controller);
    let reason = is_other.then_some(ImportReason::OtherDevice);
    let Some(file) = &disk.file else {
        let Some(size) = disk.capacity else { return draft.lost(item, ImportReason::Unknown) };
        draft.disks.push(NewDisk { size: Some(size), bus: Some(bus), ..NewDisk::default() });
        return draft.settled(item, reason);
    };
    // Also one that can't be used: without its disk there is no such guest, as making it will say.
    let (name, is_chunked) = file_of(file, description).unwrap_or((file, false));
    draft.disks.push(NewDisk {
        path: Some(draft.path.display().to_string()),
        member: Some(name.to_owned()),
        copy: Some(true),
        bus: Some(bus),
        ..NewDisk::default()
    });
    let item = format!("{item} ({name})");
    let missing = if is_chunked { Some(ImportReason::NoCounterpart) } else { not_found(appliance, name) };
    match missing {
        Some(reason) => draft.lost(&item, reason),
        None => draft.settled(&item, reason),
    }
}

fn not_found(appliance: &Appliance, name: &str) -> Option<ImportReason> {
    match appliance.find(name) {
        Ok(_) => None,
        Err(Error::ApplianceFileUnusable { fault: ApplianceFault::Remote, .. }) => Some(ImportReason::Remote),
        Err(Error::ApplianceFileUnusable { fault: ApplianceFault::Outside, .. }) => {
            Some(ImportReason::Outside)
        }
        Err(_) => Some(ImportReason::FileMissing),
    }
}

fn add_disc(appliance: &Appliance, device: &Device, draft: &mut Draft<'_>) {
    let word = device.resource.as_deref().and_then(|named| named.rsplit_once("file/"));
    let file = word.and_then(|(_, word)| file_of(word, &appliance.description));
    let Some((name, _)) = file else { return draft.kept(&device.item) };
    let item = format!("{} ({name})", device.item);
    match appliance.find(name) {
        // A disc is read where it is, and nobody can put a part of a file into a drive.
        Ok(source) if source.part.is_none() && draft.guest.iso.is_none() => {
            draft.guest.iso = Some(source.path.display().to_string());
            draft.kept(&item);
        }
        Ok(_) => draft.lost(&item, ImportReason::NoCounterpart),
        Err(_) => draft.lost(&item, not_found(appliance, name).unwrap_or(ImportReason::FileMissing)),
    }
}

fn add_nic(device: &Device, suits: Suits, draft: &mut Draft<'_>) {
    let model = device.model.to_ascii_lowercase();
    let says = |words: &str| model.contains(words);
    let (model, reason) = match model.as_str() {
        // oVirt numbers them.
        "1" => (Some(NicModel::Rtl8139), None),
        "2" => (Some(NicModel::E1000), None),
        "3" => (Some(NicModel::Virtio), None),
        "6" => (Some(NicModel::E1000e), None),
        _ if says("virtio") => (Some(NicModel::Virtio), None),
        _ if says("e1000e") => (Some(NicModel::E1000e), None),
        _ if says("e1000") => (Some(NicModel::E1000), None),
        _ if says("pcnet") || says("vlance") => (Some(NicModel::Pcnet), None),
        _ if says("rtl8139") => (Some(NicModel::Rtl8139), None),
        // What the system has a driver for.
        _ => (Some(suits.network), Some(ImportReason::OtherDevice)),
    };
    let mac: Option<MacAddress> = device.mac.as_deref().and_then(|mac| mac.parse().ok());
    let taken = mac.is_some_and(|mac| draft.host.has_mac(mac));
    let nic = NewNic {
        model,
        mac: mac.filter(|_| !taken),
        link: (!device.is_connected).then_some(false),
        ..NewNic::default()
    };
    draft.nic(&device.item, nic, reason.or(taken.then_some(ImportReason::Identity)));
    if let Some(network) = device.connection.as_ref().filter(|network| !network.eq_ignore_ascii_case("nat")) {
        let item = format!("network: {network}");
        if !draft.notes.iter().any(|note| note.item == item) {
            draft.changed(&item, ImportReason::NoBridge);
        }
    }
}

/// Gives the cards the addresses that stand in VirtualBox' own part.
fn macs(machine: &Machine, draft: &mut Draft<'_>) {
    let said = machine.settings.iter().filter(|(name, _, _)| name == "vbox:Mac");
    for (number, (_, digits, item)) in said.enumerate() {
        let pairs: Vec<&str> = (0..6).filter_map(|pair| digits.get(2 * pair..2 * pair + 2)).collect();
        let mac = pairs.join(":").parse::<MacAddress>().ok();
        let taken = mac.is_some_and(|mac| draft.host.has_mac(mac));
        match draft.nics.get_mut(number) {
            Some(nic) if mac.is_some() && !taken => {
                nic.mac = nic.mac.or(mac);
                draft.kept(item);
            }
            Some(_) => draft.changed(item, ImportReason::Identity),
            None => draft.lost(item, ImportReason::Unknown),
        }
    }
}

/// What is in an appliance, with the system of its first machine and what suits that.
pub fn facts(
    appliance: &Appliance,
    database: &crate::osdb::Database,
) -> Option<(ApplianceInfo, Found, Suits)> {
    let description = &appliance.description;
    let machine = description.machines.first()?;
    let found = identify(machine, database);
    let like = found.like.as_deref().and_then(|like| database.find(like));
    let suits = suits(database, like, found.family, found.arch);
    let devices = machine.devices_in(configuration(description));
    let disks = devices.iter().filter(|device| device.kind == kind::DISK);
    let disks = disks.filter_map(|device| disk_of(device, description));
    let networks = devices.iter().filter(|device| device.kind == kind::NETWORK);
    let memory = devices.iter().find(|device| device.kind == kind::MEMORY).and_then(|device| memory(device));
    let licences = description.licences.len() + machine.licences.len();
    let info = ApplianceInfo {
        name: machine.shown_name().to_owned(),
        machines: description.machines.iter().map(|machine| machine.shown_name().to_owned()).collect(),
        product: machine.product.clone(),
        cpus: cpus(&devices),
        memory,
        firmware: machine.firmware().0,
        disks: disks.map(|disk| disk_facts(appliance, disk)).collect(),
        networks: networks.map(|device| device.connection.clone().unwrap_or_default()).collect(),
        licences: u32::try_from(licences).unwrap_or(u32::MAX),
        has_manifest: appliance.has_manifest(),
    };
    Some((info, found, suits))
}

fn disk_facts(appliance: &Appliance, disk: &Disk) -> ApplianceDisk {
    let named =
        disk.file.as_deref().map(|word| file_of(word, &appliance.description).map_or(word, |(name, _)| name));
    let source = named.and_then(|name| appliance.find(name).ok());
    let image = source.clone().and_then(|source| Image::look(source, None, None).ok());
    let format = image.as_ref().map(|image| match image.form {
        ImageForm::Plain(format) => format.name().to_owned(),
        ImageForm::Packed(packing) => packing.name().to_owned(),
    });
    ApplianceDisk {
        file: named.map(str::to_owned),
        format,
        size: image.as_ref().and_then(Image::size).or(disk.capacity),
        length: source.and_then(|source| source.open().ok()).map(|(_, length)| ByteSize::bytes(length)),
    }
}

#[cfg(test)]
mod tests;
