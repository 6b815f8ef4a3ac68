//! Configurations of Xen's guests, as `xm` and `xl` read them.
//!
//! Those of `xm` are programs in Python, of which nobody wrote more than assignments: `name = "guest1"`, of words,
//! numbers and lists of words. What is none is not understood, and noted so.

use super::Draft;
use hv_api::{
    ByteSize, DeviceSettings, DiskBus, Firmware, ImportReason, NetworkMode, NewDisk, NewNic, NicModel,
    PowerSettings, SoundCard,
};

/// The most assignments that are read, and the most parts of a list.
const MOST: usize = 500;

/// What an assignment says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// A word or number.
    One(String),
    /// A list of them.
    Many(Vec<String>),
}

impl Value {
    fn one(&self) -> &str {
        match self {
            Self::One(word) => word.trim(),
            Self::Many(words) => words.first().map_or("", |word| word.trim()),
        }
    }

    fn many(&self) -> Vec<&str> {
        match self {
            Self::One(word) => vec![word],
            Self::Many(words) => words.iter().map(String::as_str).collect(),
        }
    }
}

/// Reads one.
///
/// # Errors
/// What is wrong, where nothing in it is an assignment that describes a machine.
pub fn read(text: &str, draft: &mut Draft<'_>) -> Result<(), String> {
    let parsed = parse(text);
    let has = |wanted: &[&str]| {
        parsed.iter().any(|(key, ..)| key.as_deref().is_some_and(|key| wanted.contains(&key)))
    };
    if !(has(&["memory"]) && has(&["name", "disk", "vif", "kernel", "builder", "type", "vcpus"])) {
        return Err("it describes no machine of Xen's, and nothing else that is known here".into());
    }
    let value = |wanted: &str| {
        parsed.iter().rev().find(|(key, ..)| key.as_deref() == Some(wanted)).map(|(_, value, _)| value)
    };
    let full = [value("builder"), value("type")]
        .into_iter()
        .flatten()
        .any(|value| ["hvm", "pvh"].contains(&value.one()));
    let machine = Machine { full, loads: value("bootloader").is_some() || value("kernel").is_none() };
    let mut power = PowerSettings::default();
    let mut devices = DeviceSettings::default();
    let mut kernel = KernelWords::default();
    for (key, value, line) in &parsed {
        let Some(key) = key.as_deref() else {
            draft.lost(line, ImportReason::Unknown);
            continue;
        };
        let number = value.one().parse::<u32>().ok();
        let mebibytes = number.map(|number| ByteSize::mib(number.into()));
        match key {
            "name" => draft.name(line, value.one()),
            "uuid" => draft.id(line, value.one()),
            "memory" => draft.guest.memory = draft.memory(line, mebibytes),
            "maxmem" => draft.guest.max_memory = draft.memory(line, mebibytes),
            "vcpus" => draft.guest.cpus = draft.cpus(line, number),
            "maxvcpus" => draft.guest.max_cpus = draft.cpus(line, number),
            "disk" => value.many().into_iter().for_each(|disk| add_disk(disk, machine, draft)),
            "cdrom" => draft.disc(line, Some(value.one())),
            "vif" => value.many().into_iter().for_each(|vif| add_nic(vif, machine, draft)),
            "on_poweroff" => power.on_poweroff = draft.end_action(line, value.one()),
            "on_reboot" => power.on_reboot = draft.end_action(line, value.one()),
            "on_crash" => power.on_crash = draft.crash_action(line, value.one()),
            "serial" => {
                let ports = value.many().iter().filter(|port| **port != "none").count();
                draft.guest.serial_ports = u32::try_from(ports).ok().map(|ports| ports.clamp(0, 4));
                draft.fitted(line, ports <= 4);
            }
            "soundhw" => {
                let (sound, reason) = sound(value.one());
                devices.sound = Some(sound);
                draft.settled(line, reason);
            }
            "firmware" | "firmware_override" => {
                let uefi = ["ovmf", "uefi"].contains(&value.one());
                draft.guest.firmware = Some(if uefi { Firmware::Uefi } else { Firmware::Bios });
                draft.kept(line);
            }
            "kernel" if value.one().ends_with("hvmloader") => draft.changed(line, ImportReason::NotNeeded),
            "kernel" => kernel.image = Some(found(line, value.one(), draft)),
            "ramdisk" => kernel.initrd = Some(found(line, value.one(), draft)),
            "cmdline" | "extra" => kernel.words(line, value.one().to_owned(), draft),
            "root" => kernel.words(line, format!("root={}", value.one()), draft),
            "bootloader" if machine.full => draft.changed(line, ImportReason::NotNeeded),
            // The same is done here, by another program.
            "bootloader" => draft.changed(line, ImportReason::KernelFromDisk),
            "builder" | "type" if machine.full => draft.kept(line),
            "builder" | "type" => draft.changed(line, ImportReason::Paravirtual),
            // The disk first, then a disc, is what guests here do.
            "boot" if value.one().starts_with('c') => draft.kept(line),
            "device_model"
            | "device_model_version"
            | "device_model_override"
            | "xen_platform_pci"
            | "pae"
            | "acpi"
            | "apic"
            | "nx"
            | "hap"
            | "shadow_memory"
            | "viridian"
            | "vnc"
            | "vnclisten"
            | "vncdisplay"
            | "vncunused"
            | "vncpasswd"
            | "vncconsole"
            | "sdl"
            | "opengl"
            | "stdvga"
            | "vga"
            | "videoram"
            | "spice"
            | "keymap"
            | "usb"
            | "usbdevice"
            | "localtime"
            | "rtc_timeoffset"
            | "vfb"
            | "pool"
            | "cpu_weight"
            | "bootargs"
            | "bootloader_args"
            | "gfx_passthru"
            | "timer_mode"
            | "hpet"
            | "nographic"
            | "console" => {
                draft.changed(line, ImportReason::NotNeeded);
            }
            "boot" | "cpus" | "cpu_cap" | "pci" | "tpm" | "vtpm" | "vtb" | "localdomain" | "nomigrate"
            | "cpuid" => {
                draft.lost(line, ImportReason::NoCounterpart);
            }
            _ => draft.lost(line, ImportReason::Unknown),
        }
    }
    if !machine.full {
        kernel.finish(machine, draft);
        if value("builder").is_none() && value("type").is_none() {
            draft.changed("a paravirtual guest", ImportReason::Paravirtual);
        }
        if machine.loads && value("bootloader").is_none() {
            draft.changed("a kernel that a boot loader finds", ImportReason::KernelFromDisk);
        }
    }
    draft.guest.power = Some(power).filter(|power| *power != PowerSettings::default());
    draft.guest.devices = Some(devices).filter(|devices| *devices != DeviceSettings::default());
    Ok(())
}

/// What kind of machine it was.
#[derive(Debug, Clone, Copy)]
struct Machine {
    /// A whole PC; else the paravirtual machine of Xen's.
    full: bool,
    /// Its kernel was found on its own disk.
    loads: bool,
}

/// A kernel that is started directly, in pieces.
#[derive(Debug, Default)]
struct KernelWords {
    image: Option<String>,
    initrd: Option<String>,
    append: Vec<String>,
}

impl KernelWords {
    fn words(&mut self, line: &str, words: String, draft: &mut Draft<'_>) {
        self.append.push(words);
        draft.kept(line);
    }

    fn finish(self, machine: Machine, draft: &mut Draft<'_>) {
        if machine.loads {
            draft.kernel_from_disk();
        } else {
            (draft.guest.kernel, draft.guest.initrd) = (self.image, self.initrd);
        }
        if draft.guest.kernel.is_some() || draft.guest.kernel_disk.is_some() {
            draft.guest.append = Some(self.append.join(" ")).filter(|words| !words.is_empty());
        }
    }
}

/// Where a file is that the machine starts with.
fn found(line: &str, path: &str, draft: &mut Draft<'_>) -> String {
    let (path, reason) = draft.file(path);
    draft.settled(line, reason);
    path.display().to_string()
}

fn sound(word: &str) -> (SoundCard, Option<ImportReason>) {
    match word {
        "ac97" => (SoundCard::Ac97, None),
        "hda" | "ich6" | "ich9" => (SoundCard::Ich9, None),
        _ => (SoundCard::Ac97, Some(ImportReason::OtherDevice)),
    }
}

/// Adds what one part of `disk` says: `phy:sda5,sda5,w`, `/d.qcow2,qcow2,xvda,rw`, or
/// `format=raw, vdev=hda, access=rw, target=/d.img`.
fn add_disk(words: &str, machine: Machine, draft: &mut Draft<'_>) {
    let item = format!("disk: {words}");
    let (mut target, mut format, mut vdev, mut access) = ("", None, "", "rw");
    let mut is_disc = false;
    let mut plain = Vec::new();
    for part in words.split(',').map(str::trim) {
        match part.split_once('=') {
            Some(("target", path)) => target = path,
            Some(("format", name)) => format = Some(name),
            Some(("vdev", name)) => vdev = name,
            Some(("access", word)) => access = word,
            Some(("devtype", kind)) => is_disc |= kind == "cdrom",
            Some((key, _)) if key.chars().all(|c| c.is_ascii_lowercase() || c == '-') => {}
            None if part == "cdrom" => is_disc = true,
            _ => plain.push(part),
        }
    }
    // With three of them, those of `xm` come without the format.
    let is_vdev = |word: &str| ["hd", "sd", "xvd", "vd"].iter().any(|start| word.starts_with(start));
    let mut plain = plain.into_iter();
    target = plain.next().unwrap_or(target);
    if let Some(second) = plain.next() {
        if is_vdev(second) || second.contains(':') {
            vdev = second;
        } else {
            format = Some(second).filter(|format| !format.is_empty()).or(format);
            vdev = plain.next().unwrap_or(vdev);
        }
    }
    access = plain.next().filter(|word| !word.is_empty()).unwrap_or(access);
    if let Some((name, kind)) = vdev.split_once(':') {
        (vdev, is_disc) = (name, kind == "cdrom");
    }
    let mut is_device = false;
    while let Some((kind, rest)) = target.split_once(':') {
        match kind {
            "phy" => is_device = true,
            "file" | "tap" | "tap2" | "aio" | "raw" => {}
            "qcow2" | "qcow" | "vmdk" | "vdi" | "vhd" | "vhdx" | "qed" => format = Some(kind),
            _ => break,
        }
        target = rest;
    }
    let path =
        if is_device && !target.starts_with('/') { format!("/dev/{target}") } else { target.to_owned() };
    if is_disc {
        return draft.disc(&item, Some(&path));
    }
    let format = match format {
        Some("vhd") => "vpc",
        Some(format @ ("qcow2" | "vmdk" | "vdi" | "vhdx")) => format,
        None | Some("raw" | "aio" | "") => "raw",
        Some(_) => return draft.lost(&item, ImportReason::NoCounterpart),
    };
    let read_only = !access.contains('w');
    let partition = vdev.ends_with(|c: char| c.is_ascii_digit());
    let reason = match machine.full {
        _ if partition => Some(ImportReason::PartitionAsDisk),
        true => None,
        false => Some(ImportReason::Paravirtual),
    };
    let disk = NewDisk {
        path: Some(path),
        format: Some(format.to_owned()),
        // Systems that began on a whole PC of Xen's know no virtio by themselves.
        bus: Some(if machine.full && !read_only { DiskBus::Sata } else { DiskBus::Virtio }),
        copy: (!["raw", "qcow2"].contains(&format)).then_some(true),
        read_only: read_only.then_some(true),
        ..NewDisk::default()
    };
    draft.disk(&item, disk, reason);
}

/// Adds what one part of `vif` says: `mac=00:16:3e:47:04:43, bridge=xenbr0`.
fn add_nic(words: &str, machine: Machine, draft: &mut Draft<'_>) {
    let item = format!("vif: {words}");
    // The card that Xen's machines had where nobody said another.
    let model = if machine.full { NicModel::Rtl8139 } else { NicModel::Virtio };
    let mut nic = NewNic { model: Some(model), mode: Some(NetworkMode::User), ..NewNic::default() };
    let mut reason = (!machine.full).then_some(ImportReason::Paravirtual);
    for part in words.split(',').map(str::trim) {
        match part.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("mac", mac)) => match mac.parse() {
                Ok(mac) => nic.mac = Some(mac),
                Err(_) => reason = Some(ImportReason::OutOfRange),
            },
            Some(("bridge", bridge)) if !bridge.is_empty() => {
                (nic.mode, nic.bridge) = (Some(NetworkMode::Bridge), Some(bridge.to_owned()));
            }
            Some(("model", model)) => {
                let known = match model {
                    "e1000" => Some(NicModel::E1000),
                    "rtl8139" => Some(NicModel::Rtl8139),
                    "pcnet" => Some(NicModel::Pcnet),
                    "virtio" | "virtio-net" => Some(NicModel::Virtio),
                    _ => None,
                };
                reason = reason.or(known.is_none().then_some(ImportReason::OtherDevice));
                nic.model = known.or(nic.model);
            }
            _ => {}
        }
    }
    draft.nic(&item, nic, reason);
}

/// All assignments: key, value, and the whole on one line. What is none has no key.
fn parse(text: &str) -> Vec<(Option<String>, Value, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && found.len() < MOST {
        let line = rest.split('\n').next().unwrap_or_default();
        let bare = uncommented(line).trim();
        if let Some((key, value, left)) = assignment(rest) {
            let whole = &rest[..rest.len() - left.len()];
            let shown = whole.lines().map(uncommented).collect::<Vec<_>>().join(" ");
            found.push((Some(key.to_owned()), value, shown));
            rest = left.split_once('\n').map_or("", |(_, next)| next);
            continue;
        }
        if !bare.is_empty() {
            found.push((None, Value::One(String::new()), bare.to_owned()));
        }
        rest = rest.get(line.len() + 1..).unwrap_or_default();
    }
    found
}

/// The assignment at the beginning of a text, after which nothing else is on its line, and what comes after it.
fn assignment(text: &str) -> Option<(&str, Value, &str)> {
    let (key, after) = text.split_once('=')?;
    let key = key.trim_matches([' ', '\t']);
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let (value, left) = value(after)?;
    let rest = uncommented(left.split('\n').next().unwrap_or_default()).trim();
    ["", ";"].contains(&rest).then_some((key, value, left))
}

/// A line without what is said about it.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    for (place, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return &line[..place],
            (None, '"' | '\'') => quote = Some(c),
            (Some(begun), c) if begun == c => quote = None,
            _ => {}
        }
    }
    line
}

/// The value at the beginning of a text, and what comes after it.
fn value(text: &str) -> Option<(Value, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    if let Some(mut rest) = text.strip_prefix('[') {
        let mut words = Vec::new();
        loop {
            rest = skip(rest);
            if let Some(after) = rest.strip_prefix(']') {
                return Some((Value::Many(words), after));
            }
            let (word, after) = word(rest)?;
            if words.len() == MOST {
                return None;
            }
            words.push(word);
            rest = skip(after);
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
    }
    let (one, after) = word(text)?;
    Some((Value::One(one), after))
}

/// Without blanks, ends of lines and remarks at its beginning.
fn skip(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        match text.strip_prefix('#') {
            Some(remark) => text = remark.split_once('\n').map_or("", |(_, next)| next),
            None => return text,
        }
    }
}

/// A word in quotes, or a number or name without them.
fn word(text: &str) -> Option<(String, &str)> {
    for quote in ["\"\"\"", "'''", "\"", "'"] {
        if let Some(inner) = text.strip_prefix(quote) {
            let (word, after) = inner.split_once(quote)?;
            return (quote.len() == 3 || !word.contains('\n')).then(|| (word.to_owned(), after));
        }
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-+".contains(c))).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}
