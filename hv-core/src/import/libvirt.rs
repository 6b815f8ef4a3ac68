//! Domains of libvirt's, in XML.

use super::Draft;
use hv_api::{
    ByteSize, DeviceSettings, DiskBus, Firmware, ImportReason, NetworkMode, NewDisk, NewNic, NicModel,
    PowerSettings, SoundCard, Watchdog,
};
use roxmltree::{Document, Node, ParsingOptions};

/// The most elements and attributes that are read. A large domain has some hundred.
const MOST_NODES: u32 = 20_000;

/// Reads one.
///
/// # Errors
/// What is wrong, where it is no domain.
pub fn read(text: &str, draft: &mut Draft<'_>) -> Result<(), String> {
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(text, options).map_err(|error| format!("it is no XML: {error}"))?;
    let root = document.root_element();
    // As `virsh snapshot-dumpxml` and others wrap it.
    let domain = root.descendants().find(|node| node.has_tag_name("domain"));
    let Some(domain) = domain else { return Err("it describes no machine of libvirt's".into()) };
    let mut power = PowerSettings::default();
    let mut devices = DeviceSettings::default();
    let mut loads = false;
    let name = child(domain, "name").map(text_of).unwrap_or_default();
    for node in domain.children().filter(Node::is_element) {
        let (item, words) = (shown(node), text_of(node));
        match node.tag_name().name() {
            "name" => draft.name(&item, &name),
            "uuid" => draft.id(&item, &words),
            "memory" => {
                let most = draft.memory(&item, size(node));
                // What the domain has is often less than what it may have.
                draft.guest.max_memory = most;
                draft.guest.memory = draft.guest.memory.or(most);
            }
            "currentMemory" => draft.guest.memory = draft.memory(&item, size(node)),
            "vcpu" => {
                let now = node.attribute("current").and_then(|now| now.parse().ok());
                draft.guest.max_cpus = draft.cpus(&item, words.parse().ok());
                draft.guest.cpus = now.map(|now: u32| now.max(1)).or(draft.guest.max_cpus);
            }
            "os" => system(node, draft),
            "bootloader" => {
                loads = true;
                // The same is done here, by another program.
                draft.changed(&item, ImportReason::KernelFromDisk);
            }
            "on_poweroff" => power.on_poweroff = draft.end_action(&item, &words),
            "on_reboot" => power.on_reboot = draft.end_action(&item, &words),
            "on_crash" => power.on_crash = draft.crash_action(&item, &words),
            "devices" => {
                for device in node.children().filter(Node::is_element) {
                    add_device(device, &mut devices, draft);
                }
            }
            "bootloader_args" | "title" | "description" | "metadata" | "features" | "cpu" | "clock"
            | "pm" | "iothreads" | "cputune" | "resource" | "seclabel" | "genid" => {
                draft.changed(&item, ImportReason::NotNeeded);
            }
            "memoryBacking" | "numatune" | "blkiotune" | "memtune" | "sysinfo" | "launchSecurity"
            | "commandline" | "idmap" => draft.lost(&item, ImportReason::NoCounterpart),
            _ => draft.lost(&item, ImportReason::Unknown),
        }
    }
    if loads && draft.guest.kernel.is_none() {
        draft.kernel_from_disk();
    }
    if draft.guest.kernel.is_none() && draft.guest.kernel_disk.is_none() {
        draft.guest.append = None;
    }
    draft.guest.power = Some(power).filter(|power| *power != PowerSettings::default());
    draft.guest.devices = Some(devices).filter(|devices| *devices != DeviceSettings::default());
    Ok(())
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn text_of(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}

/// An attribute of a child.
fn of<'a>(node: Node<'a, '_>, name: &str, attribute: &str) -> Option<&'a str> {
    child(node, name)?.attribute(attribute)
}

/// An element on one line: its name, what it says of itself, and its text or what is in it.
fn shown(node: Node<'_, '_>) -> String {
    let inner = match text_of(node) {
        text if !text.is_empty() => text,
        _ => {
            let parts = node.children().filter(Node::is_element).filter(|part| part.attributes().len() > 0);
            parts.take(3).map(tag).collect::<Vec<_>>().join(" ")
        }
    };
    [tag(node), inner].join(" ").trim_end().to_owned()
}

fn tag(node: Node<'_, '_>) -> String {
    let attributes = node.attributes().map(|one| format!(" {}='{}'", one.name(), one.value()));
    format!("<{}{}>", node.tag_name().name(), attributes.collect::<String>())
}

/// A size of memory, which is in KiB where no unit is named.
fn size(node: Node<'_, '_>) -> Option<ByteSize> {
    let number: u64 = text_of(node).parse().ok()?;
    let unit = match node.attribute("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit).map(ByteSize::bytes)
}

/// How it starts.
fn system(os: Node<'_, '_>, draft: &mut Draft<'_>) {
    if os.attribute("firmware") == Some("efi") || child(os, "nvram").is_some() {
        draft.guest.firmware = Some(Firmware::Uefi);
    }
    let mut append = None;
    for node in os.children().filter(Node::is_element) {
        let (item, words) = (shown(node), text_of(node));
        match node.tag_name().name() {
            "type" => match (node.attribute("arch").unwrap_or("x86_64"), &*words) {
                ("x86_64" | "i686", "hvm") => draft.kept(&item),
                ("x86_64" | "i686", "xen" | "linux" | "xenpvh") => {
                    draft.changed(&item, ImportReason::Paravirtual);
                }
                // Guests here are PCs.
                _ => draft.lost(&item, ImportReason::NoCounterpart),
            },
            "loader" => {
                let uefi = node.attribute("type") == Some("pflash")
                    || ["ovmf", "efi"].iter().any(|part| words.to_lowercase().contains(part));
                draft.guest.firmware = Some(if uefi { Firmware::Uefi } else { Firmware::Bios });
                draft.guest.secure_boot = (uefi && node.attribute("secure") == Some("yes")).then_some(true);
                draft.changed(&item, ImportReason::NotNeeded);
            }
            "kernel" | "initrd" => {
                let (path, reason) = draft.file(&words);
                let path = Some(path.display().to_string());
                if node.has_tag_name("kernel") {
                    draft.guest.kernel = path;
                } else {
                    draft.guest.initrd = path;
                }
                draft.settled(&item, reason);
            }
            "cmdline" => {
                append = Some(words);
                draft.kept(&item);
            }
            "boot" if node.attribute("dev") == Some("hd") => draft.kept(&item),
            "bootmenu" | "smbios" | "bios" | "firmware" => draft.changed(&item, ImportReason::NotNeeded),
            _ => draft.lost(&item, ImportReason::NoCounterpart),
        }
    }
    draft.guest.append = append;
}

fn add_device(node: Node<'_, '_>, devices: &mut DeviceSettings, draft: &mut Draft<'_>) {
    let item = shown(node);
    let model = node.attribute("model").or_else(|| of(node, "model", "type"));
    match node.tag_name().name() {
        "disk" => add_disk(node, &item, draft),
        "interface" => add_nic(node, &item, draft),
        // A console is a second word for the first port.
        "serial" => {
            let ports = devices.serial_ports.unwrap_or_default() + 1;
            devices.serial_ports = Some(ports.min(4));
            draft.fitted(&item, ports <= 4);
        }
        "sound" => {
            let known = ["ich6", "ich7", "ich9", "ac97"].contains(&model.unwrap_or_default());
            devices.sound = Some(if model == Some("ac97") { SoundCard::Ac97 } else { SoundCard::Ich9 });
            draft.settled(&item, (!known).then_some(ImportReason::OtherDevice));
        }
        "watchdog" => {
            devices.watchdog = match node.attribute("action").unwrap_or("reset") {
                "poweroff" | "shutdown" => Some(Watchdog::Poweroff),
                "pause" => Some(Watchdog::Pause),
                "none" => Some(Watchdog::None),
                _ => Some(Watchdog::Reset),
            };
            draft.kept(&item);
        }
        "tpm" => {
            draft.guest.tpm = Some(true);
            let own = of(node, "backend", "type") == Some("emulator");
            draft.settled(&item, (!own).then_some(ImportReason::OtherDevice));
        }
        "emulator" | "controller" | "graphics" | "video" | "input" | "console" | "channel" | "rng"
        | "memballoon" | "audio" | "panic" | "hub" | "iommu" => draft.changed(&item, ImportReason::NotNeeded),
        "hostdev" | "redirdev" | "filesystem" | "smartcard" | "parallel" | "shmem" | "memory" | "vsock"
        | "lease" => {
            draft.lost(&item, ImportReason::NoCounterpart);
        }
        _ => draft.lost(&item, ImportReason::Unknown),
    }
}

fn add_disk(node: Node<'_, '_>, item: &str, draft: &mut Draft<'_>) {
    let source = ["file", "dev"].into_iter().find_map(|kind| of(node, "source", kind));
    match node.attribute("device").unwrap_or("disk") {
        "cdrom" => return draft.disc(item, source),
        "disk" | "lun" => {}
        // A floppy disk drive.
        _ => return draft.lost(item, ImportReason::NoCounterpart),
    }
    // Pools and servers are libvirt's own.
    let Some(source) = source else { return draft.lost(item, ImportReason::NoCounterpart) };
    let format = of(node, "driver", "type").unwrap_or("raw");
    if !["raw", "qcow2", "vmdk", "vdi", "vhdx", "vpc"].contains(&format) {
        return draft.lost(item, ImportReason::NoCounterpart);
    }
    let read_only = child(node, "readonly").is_some();
    let (bus, reason) = match of(node, "target", "bus") {
        Some("virtio") | None => (DiskBus::Virtio, None),
        Some("scsi") => (DiskBus::Scsi, None),
        Some("usb") => (DiskBus::Usb, None),
        Some("nvme") => (DiskBus::Nvme, None),
        Some("sata") if !read_only => (DiskBus::Sata, None),
        // The PC of today has no IDE.
        Some("ide") if !read_only => (DiskBus::Sata, Some(ImportReason::OtherDevice)),
        Some(_) => (DiskBus::Virtio, Some(ImportReason::OtherDevice)),
    };
    let disk = NewDisk {
        path: Some(source.to_owned()),
        format: Some(format.to_owned()),
        copy: (!["raw", "qcow2"].contains(&format)).then_some(true),
        bus: Some(bus),
        serial: child(node, "serial").map(text_of),
        read_only: read_only.then_some(true),
        shareable: (child(node, "shareable").is_some() && format == "raw").then_some(true),
        ..NewDisk::default()
    };
    draft.disk(item, disk, reason);
}

fn add_nic(node: Node<'_, '_>, item: &str, draft: &mut Draft<'_>) {
    let mut reason = None;
    let model = match of(node, "model", "type") {
        Some("virtio" | "virtio-net-pci" | "virtio-transitional" | "virtio-non-transitional") => {
            NicModel::Virtio
        }
        Some("e1000e") => NicModel::E1000e,
        Some("e1000") => NicModel::E1000,
        Some("rtl8139") | None => NicModel::Rtl8139,
        Some("pcnet") => NicModel::Pcnet,
        Some(_) => {
            reason = Some(ImportReason::OtherDevice);
            NicModel::E1000e
        }
    };
    let bridge = of(node, "source", "bridge").map(str::to_owned);
    // A network of libvirt's lends an address and leads out, as the user mode here does.
    let mode = if bridge.is_some() { NetworkMode::Bridge } else { NetworkMode::User };
    if !["bridge", "network", "user"].contains(&node.attribute("type").unwrap_or_default()) {
        reason = Some(ImportReason::NoBridge);
    }
    let nic = NewNic {
        mode: Some(mode),
        bridge,
        model: Some(model),
        mac: of(node, "mac", "address").and_then(|mac| mac.parse().ok()),
        link: (of(node, "link", "state") == Some("down")).then_some(false),
        ..NewNic::default()
    };
    draft.nic(item, nic, reason);
}
