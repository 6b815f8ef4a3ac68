//! How QEMU is started for a machine: from its configuration to arguments, and nothing else.
//!
//! Promises that a guest finds the same devices at the same places whatever is added or left out, so
//! that its system never renames a disk or a network card; and that no name or path, whatever
//! characters it has, is taken for something else. Sockets come as descriptors: who makes them is left
//! to `process`.

use super::agent;
use super::devices;
use super::disks;
use super::network::Networks;
use super::pci;
use super::ports;
use super::usb;
use crate::engine::{BootDevice, DiskConfig, FirmwareConfig, MAX_DISKS, MachineConfig, NetworkConfig};
use hv_api::Accelerator;
use serde_json::json;
use std::path::Path;

/// What a machine can have at most, by the slots that are set aside.
const MOST_DRIVES: usize = 6;
const MOST_NICS: usize = 8;
const MOST_SERIAL_PORTS: usize = 4;

/// What Linux takes memory in and out by on this kind of machine: a module of another size stays unused.
pub const MEMORY_MODULE_MIB: u64 = 128;

/// How often memory can be added until the next start.
const MEMORY_SLOTS: u64 = 32;
/// QEMU's name of the firmware's variable store.
pub const VARIABLES_NODE: &str = "variables";

/// The numbers of the listening sockets that QEMU inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets {
    /// That for QMP.
    pub monitor: i32,
    /// That of the guest's agent.
    pub agent: i32,
    /// Those of the serial ports.
    pub serial: Vec<i32>,
    /// That of the TPM, which is connected already.
    pub tpm: Option<i32>,
    /// Those of cards on bridges, each with the card's number: interfaces that are open.
    pub taps: Vec<(u32, i32)>,
}

impl Sockets {
    /// Numbers for a command line that is only looked at.
    pub fn nominal(machine: &MachineConfig) -> Self {
        let serial: Vec<i32> = (5..).take(machine.run.serial_logs.len()).collect();
        let next = 5 + serial.len() as i32;
        let on_bridges =
            machine.nics.iter().filter(|nic| matches!(nic.network, NetworkConfig::Bridge { .. }));
        let taps = on_bridges.map(|nic| nic.number).zip(next + i32::from(machine.tpm)..).collect();
        Self { monitor: 3, agent: 4, serial, tpm: machine.tpm.then_some(next), taps }
    }
}

/// Whether QEMU can be asked for this machine.
///
/// # Errors
/// Why it can't, in words.
pub fn check(machine: &MachineConfig) -> Result<(), String> {
    let counts = [
        ("disks", machine.disks.len(), MAX_DISKS),
        ("drives", machine.drives.len(), MOST_DRIVES),
        ("network cards", machine.nics.len(), MOST_NICS),
        ("serial ports", machine.run.serial_logs.len(), MOST_SERIAL_PORTS),
    ];
    for (what, count, most) in counts {
        if count > most {
            return Err(format!("{count} {what}, where a machine has at most {most}"));
        }
    }
    if let Some(model) = machine.cpu_model.as_ref().filter(|model| !super::is_cpu_model(model)) {
        return Err(format!("“{model}” is no CPU model"));
    }
    let kernel = machine.kernel.iter().flat_map(|kernel| kernel.initrd.iter().chain([&kernel.kernel]));
    let firmware = match &machine.firmware {
        FirmwareConfig::Bios => Vec::new(),
        FirmwareConfig::Uefi(uefi) => vec![&uefi.image, &uefi.store],
    };
    let mut paths = machine
        .disks
        .iter()
        .map(|disk| &disk.path)
        .chain(machine.drives.iter().filter_map(|drive| drive.medium.as_ref()))
        .chain(&machine.run.serial_logs)
        .chain(kernel)
        .chain(firmware);
    match paths.find(|path| !path.is_absolute() || path.to_str().is_none()) {
        Some(path) => Err(format!("the path {} is not absolute or not UTF-8", path.display())),
        None => Ok(()),
    }
}

/// The arguments for this machine, without the program.
pub fn arguments(machine: &MachineConfig, sockets: &Sockets) -> Vec<String> {
    let mut line = Line::default();
    base(&mut line, machine);
    processor(&mut line, machine);
    channels(&mut line, machine, sockets);
    fixed_devices(&mut line);
    for (option, value) in devices::arguments(machine) {
        line.add(option, value);
    }
    for disk in &machine.disks {
        add_disk(&mut line, place_in_order(machine, BootDevice::Disk(disk.name)), disk);
    }
    for (number, drive) in machine.drives.iter().enumerate() {
        let order = place_in_order(machine, BootDevice::Drive(number));
        add_drive(&mut line, number, order, drive.medium.as_deref());
    }
    let networks = Networks::new(machine.guest, &machine.run, None);
    for nic in &machine.nics {
        let tap = sockets.taps.iter().find(|(number, _)| *number == nic.number).map(|(_, tap)| *tap);
        for (option, value) in networks.arguments(nic, tap) {
            line.add(option, value);
        }
    }
    for device in &machine.usb {
        line.add("-device", usb::device(device).to_string());
    }
    for device in &machine.pci {
        line.add("-device", pci::device(device).to_string());
    }
    if let Some(kernel) = &machine.kernel {
        line.add("-kernel", text(&kernel.kernel));
        if let Some(initrd) = &kernel.initrd {
            line.add("-initrd", text(initrd));
        }
        if let Some(append) = &kernel.append {
            line.add("-append", append.clone());
        }
    }
    if machine.restoring {
        line.add("-incoming", "defer".into());
    }
    line.0
}

/// When a device is tried, from 1; nothing where it is not tried at all.
fn place_in_order(machine: &MachineConfig, device: BootDevice) -> Option<usize> {
    let place = if machine.order.is_empty() {
        // Drives behind the disks: a blank disk falls through to the medium, and once a system is installed
        // it starts although the medium is still there.
        match device {
            BootDevice::Disk(name) => machine.disks.iter().position(|disk| disk.name == name),
            BootDevice::Drive(number) => Some(machine.disks.len() + number),
        }
    } else {
        machine.order.iter().position(|other| *other == device)
    };
    place.map(|place| place + 1)
}

fn base(line: &mut Line, machine: &MachineConfig) {
    let name = escaped(&machine.name);
    line.flag("-nodefaults");
    line.flag("-no-user-config");
    line.flag("-S");
    line.add("-name", format!("guest={name},process=hv-{name},debug-threads=on"));
    line.add("-uuid", machine.guest.to_string());
    line.add("-msg", "timestamp=on".into());
    line.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny".into());
    // The engine stays when the guest has ended, so that a core that was away still learns why.
    line.add("-action", "shutdown=pause,panic=pause,watchdog=pause,reboot=reset".into());
    line.add("-rtc", "base=utc".into());
    line.add("-boot", "strict=on".into());
}

/// The firmware's image and variables, and the properties of the machine that go with them. Without any,
/// QEMU takes its own BIOS.
fn firmware(line: &mut Line, machine: &MachineConfig) -> &'static str {
    let FirmwareConfig::Uefi(uefi) = &machine.firmware else { return "" };
    let image = json!({
        "driver": uefi.image_format.name(),
        "node-name": "firmware",
        "read-only": true,
        "file": { "driver": "file", "filename": text(&uefi.image), "read-only": true },
    });
    let store = json!({
        "driver": "qcow2",
        "node-name": VARIABLES_NODE,
        "file": { "driver": "file", "filename": text(&uefi.store) },
    });
    line.add("-blockdev", image.to_string());
    line.add("-blockdev", store.to_string());
    if !uefi.smm {
        return ",pflash0=firmware,pflash1=variables";
    }
    // Only code in system management mode may write variables; and what sleep to memory keeps in memory
    // could be changed by anybody.
    line.add("-global", "driver=cfi.pflash01,property=secure,value=on".into());
    line.add("-global", "driver=ICH9-LPC,property=disable_s3,value=1".into());
    ",smm=on,pflash0=firmware,pflash1=variables"
}

fn processor(line: &mut Line, machine: &MachineConfig) {
    let (accelerator, cpu) = match machine.accelerator {
        Accelerator::Kvm => ("kvm", "host"),
        Accelerator::Emulation => ("tcg", "max"),
    };
    let kind = escaped(&machine.machine);
    let flash = firmware(line, machine);
    line.add("-machine", format!("{kind},accel={accelerator},usb=off,vmport=off,dump-guest-core=off{flash}"));
    line.add("-cpu", machine.cpu_model.clone().unwrap_or_else(|| cpu.into()));
    // Always one socket: some systems count those, and are licensed for few.
    let (cpus, most) = (machine.cpus, machine.max_cpus.max(machine.cpus));
    let room = if most > cpus { format!(",maxcpus={most}") } else { String::new() };
    line.add("-smp", format!("cpus={cpus},sockets=1,cores={most},threads=1{room}"));
    line.add("-m", format!("size={}M{}", machine.memory.as_mib(), memory_room(machine)));
    for (number, size) in machine.added_memory.iter().enumerate() {
        let (module, memory) = (module_name(number), module_memory(number));
        line.add("-object", format!("memory-backend-ram,id={memory},size={}", size.as_bytes()));
        line.add("-device", format!("pc-dimm,id={module},memdev={memory}"));
    }
}

/// The room for modules that are added while the machine runs, in whole modules.
fn memory_room(machine: &MachineConfig) -> String {
    let more = machine.max_memory.as_mib().saturating_sub(machine.memory.as_mib());
    match more / MEMORY_MODULE_MIB {
        0 => String::new(),
        modules => {
            let most = machine.memory.as_mib() + modules * MEMORY_MODULE_MIB;
            format!(",slots={MEMORY_SLOTS},maxmem={most}M")
        }
    }
}

fn channels(line: &mut Line, machine: &MachineConfig, sockets: &Sockets) {
    line.add("-chardev", format!("socket,id=mon,fd={},server=on,wait=off", sockets.monitor));
    line.add("-mon", "chardev=mon,mode=control".into());
    line.add("-chardev", format!("socket,id={},fd={},server=on,wait=off", agent::PORT, sockets.agent));
    for (number, (log, socket)) in machine.run.serial_logs.iter().zip(&sockets.serial).enumerate() {
        let log = escaped(&text(log));
        line.add(
            "-chardev",
            format!("socket,id=ser{number},fd={socket},server=on,wait=off,logfile={log},logappend=on"),
        );
        line.add("-device", format!("isa-serial,chardev=ser{number},id=serial{number},index={number}"));
    }
    if let Some(socket) = sockets.tpm {
        line.add("-chardev", format!("socket,id=tpm0,fd={socket}"));
        line.add("-tpmdev", "emulator,id=tpm0,chardev=tpm0".into());
        line.add("-device", "tpm-crb,tpmdev=tpm0".into());
    }
}

fn fixed_devices(line: &mut Line) {
    line.add("-display", "dbus,p2p=on".into());
    for device in [
        "virtio-vga,id=video0,addr=0x1",
        // As many ports as it can have.
        "qemu-xhci,id=usb,addr=0x2,p2=15,p3=15",
        // A tablet says where the pointer is; a mouse only how far it went.
        "usb-tablet,id=tablet0,bus=usb.0",
        "virtio-balloon-pci,id=balloon0,free-page-reporting=on,addr=0x3",
        "virtio-rng-pci,id=rng0,addr=0x4",
        "pvpanic-pci,id=panic0,addr=0x5",
        "virtio-serial-pci,id=ports0,addr=0x6,max_ports=4",
    ] {
        line.add("-device", device.into());
    }
    for port in ports::devices() {
        line.add("-device", port);
    }
    let port = agent::PORT;
    line.add(
        "-device",
        format!("virtserialport,bus=ports0.0,nr=1,chardev={port},id={port},name=org.qemu.guest_agent.0"),
    );
}

fn add_disk(line: &mut Line, order: Option<usize>, disk: &DiskConfig) {
    line.add("-blockdev", disks::node(disk).to_string());
    if let Some(thread) = disks::thread(disk) {
        line.add("-object", format!("iothread,id={thread}"));
    }
    for device in disks::devices(disk, order) {
        line.add("-device", device.option());
    }
}

fn add_drive(line: &mut Line, number: usize, order: Option<usize>, medium: Option<&Path>) {
    let order = order.map(|order| format!(",bootindex={order}")).unwrap_or_default();
    let device = format!("ide-cd,id={},bus=ide.{number}{order}", drive_name(number));
    let Some(medium) = medium else {
        line.add("-device", device);
        return;
    };
    let node = json!({
        "driver": "raw",
        "node-name": medium_node(number),
        "read-only": true,
        "file": { "driver": "file", "filename": text(medium), "read-only": true },
    });
    line.add("-blockdev", node.to_string());
    line.add("-device", format!("{device},drive={}", medium_node(number)));
}

/// QEMU's name of the memory module with this number.
pub fn module_name(number: usize) -> String {
    format!("dimm{number}")
}

/// QEMU's name of what is in it.
pub fn module_memory(number: usize) -> String {
    format!("memory{number}")
}

/// QEMU's name of the drive with this number.
pub fn drive_name(number: usize) -> String {
    format!("cd{number}")
}

/// QEMU's name of the medium with which a drive starts.
pub fn medium_node(drive: usize) -> String {
    format!("medium{drive}")
}

/// A value for one of QEMU's `a=b,c=d` lists, in which a comma is written twice.
pub fn escaped(value: &str) -> String {
    value.replace(',', ",,")
}

/// Paths that aren't UTF-8 were refused by [`check`]; a line that is only looked at shows them as well
/// as it can.
pub fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn flag(&mut self, option: &str) {
        self.0.push(option.into());
    }

    fn add(&mut self, option: &str, value: String) {
        self.0.extend([option.into(), value]);
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::engine::{
        DiskFormat, DiskName, DriveConfig, KernelConfig, NicConfig, RunFiles, UefiConfig, UsbConfig,
    };
    use crate::storage::partial::Partial;
    use hv_api::{AudioService, ByteSize, DiskBus, DiskCache, NicModel, SoundCard};
    use proptest::prelude::*;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    use std::path::PathBuf;

    fn numbered(number: usize) -> DiskName {
        DiskName::numbered(number).unwrap()
    }

    /// A machine without any device that can be left out.
    pub fn bare() -> MachineConfig {
        MachineConfig {
            guest: "6f1c7c0e-3b1f-4a52-9d5e-0c6f0a6d9b11".parse().unwrap(),
            name: "Bare".into(),
            machine: "pc-q35-7.2".into(),
            accelerator: Accelerator::Emulation,
            cpus: 1,
            cpu_model: None,
            max_cpus: 1,
            memory: ByteSize::mib(256),
            max_memory: ByteSize::mib(256),
            firmware: FirmwareConfig::Bios,
            tpm: false,
            order: Vec::new(),
            disks: Vec::new(),
            drives: Vec::new(),
            nics: Vec::new(),
            usb: Vec::new(),
            pci: Vec::new(),
            watchdog: false,
            sound: SoundCard::None,
            audio: None,
            kernel: None,
            restoring: false,
            added_memory: Vec::new(),
            run: RunFiles {
                folder: "/run/guest".into(),
                tpm_folder: "/data/tpm".into(),
                networks: "/run/networks".into(),
                engine_log: "/state/engine.log".into(),
                serial_logs: Vec::new(),
            },
        }
    }

    /// A card in user mode.
    pub fn nic(number: u32) -> NicConfig {
        NicConfig {
            number,
            network: NetworkConfig::User { forwards: Vec::new() },
            model: NicModel::Virtio,
            mac: format!("52:54:00:00:00:{:02x}", number + 1).parse().unwrap(),
            link: true,
            slot: None,
        }
    }

    fn full() -> MachineConfig {
        let mut machine = bare();
        machine.name = "Debian, 12".into();
        machine.accelerator = Accelerator::Kvm;
        machine.cpus = 4;
        machine.max_cpus = 8;
        machine.cpu_model = Some("Nehalem".into());
        machine.memory = ByteSize::gib(4);
        machine.max_memory = ByteSize::mib(10_000);
        machine.disks = vec![
            DiskConfig::new(DiskName::FIRST, "/data/disk, first.qcow2", DiskFormat::Qcow2),
            DiskConfig::new(numbered(1), "/data/\"second\".img", DiskFormat::Raw),
        ];
        machine.drives =
            vec![DriveConfig { medium: Some("/iso/debian: 12.iso".into()) }, DriveConfig { medium: None }];
        machine.nics = vec![
            nic(0),
            NicConfig { network: NetworkConfig::Bridge { bridge: "br0".into() }, slot: Some(3), ..nic(2) },
            NicConfig { network: NetworkConfig::Isolated { network: "lab".into() }, ..nic(3) },
        ];
        machine.usb = vec![
            UsbConfig { number: 0, device: "0781:5567".parse().unwrap() },
            UsbConfig { number: 5, device: "046d:c077@3-1.2".parse().unwrap() },
        ];
        machine.run.serial_logs = vec!["/state/a,b/serial0.log".into(), "/state/serial1.log".into()];
        machine.sound = SoundCard::Ac97;
        machine.audio = Some(AudioService::Pulseaudio);
        machine
    }

    fn shown(machine: &MachineConfig) -> String {
        let mut shown = String::new();
        for word in arguments(machine, &Sockets::nominal(machine)) {
            if word.starts_with('-') && !shown.is_empty() {
                shown.push('\n');
            } else if !shown.is_empty() {
                shown.push(' ');
            }
            shown.push_str(&word);
        }
        shown
    }

    #[test]
    fn a_machine_without_anything() {
        insta::assert_snapshot!(shown(&bare()));
    }

    #[test]
    fn a_machine_with_everything() {
        insta::assert_snapshot!(shown(&full()));
    }

    #[test]
    fn a_machine_that_starts_a_kernel() {
        let mut machine = bare();
        machine.kernel = Some(KernelConfig {
            kernel: "/boot/vmlinuz, new".into(),
            initrd: Some("/boot/initrd.img".into()),
            append: Some("console=ttyS0 a=\"b,c\"".into()),
        });
        insta::assert_snapshot!(shown(&machine));
    }

    #[test]
    fn a_machine_with_secure_firmware_and_a_tpm() {
        let mut machine = bare();
        machine.firmware = FirmwareConfig::Uefi(UefiConfig {
            image: "/usr/share/OVMF/code, secure.fd".into(),
            image_format: DiskFormat::Raw,
            store: "/data/variables-secure-boot.qcow2".into(),
            smm: true,
        });
        machine.tpm = true;
        insta::assert_snapshot!(shown(&machine));
    }

    #[test]
    fn what_is_started_from_is_in_the_order_that_was_asked_for() {
        let mut machine = full();
        let mut order = |order: &[BootDevice]| {
            machine.order = order.to_vec();
            let line = arguments(&machine, &Sockets::nominal(&machine));
            ["id=vd0,", "id=vd1,", "id=cd0,", "id=cd1,"].map(|id| {
                let device = line.iter().find(|word| word.contains(id)).unwrap();
                device.split_once("bootindex=").map(|(_, rest)| rest[..1].to_owned()).unwrap_or_default()
            })
        };
        assert_eq!(order(&[]), ["1", "2", "3", "4"]);
        assert_eq!(order(&[BootDevice::Drive(1), BootDevice::Disk(DiskName::FIRST)]), ["2", "", "", "1"]);
    }

    #[test]
    fn what_is_added_moves_nothing() {
        let devices = |machine: &MachineConfig| -> Vec<String> {
            arguments(machine, &Sockets::nominal(machine))
                .into_iter()
                .filter(|word| {
                    word.contains("addr=0x")
                        || word.contains("\"addr\"")
                        || word.contains("\"bus\"")
                        || word.starts_with("ide-cd")
                })
                .map(|word| word.split(",bootindex").next().unwrap_or_default().to_owned())
                .collect()
        };
        let before = devices(&full());
        let mut more = full();
        more.disks.push(DiskConfig::new(numbered(2), "/data/third.img", DiskFormat::Raw));
        more.nics.push(NicConfig { slot: Some(4), ..nic(1) });
        more.watchdog = true;
        let after = devices(&more);
        assert!(before.iter().all(|device| after.contains(device)), "{before:#?}\n{after:#?}");
        assert_eq!(after.len(), before.len() + 3);
        // Nor does what is taken away.
        more.disks.remove(0);
        let fewer = devices(&more);
        assert!(fewer.iter().all(|device| after.contains(device)), "{fewer:#?}\n{after:#?}");
    }

    #[test]
    fn machines_that_qemu_can_not_have_are_refused() {
        assert_eq!(check(&full()), Ok(()));
        let mut crowded = bare();
        crowded.drives = vec![DriveConfig { medium: None }; 7];
        assert!(check(&crowded).unwrap_err().contains("7 drives"));
        let mut relative = bare();
        relative.drives = vec![DriveConfig { medium: Some("nbd:localhost".into()) }];
        assert!(check(&relative).unwrap_err().contains("nbd:localhost"));
        let mut odd = bare();
        let name: OsString = OsStringExt::from_vec(b"/\xff.iso".to_vec());
        odd.drives = vec![DriveConfig { medium: Some(name.into()) }];
        assert!(check(&odd).unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn a_machine_with_a_disk_of_each_kind() {
        let mut machine = bare();
        let buses = [DiskBus::Virtio, DiskBus::Sata, DiskBus::Nvme, DiskBus::Scsi, DiskBus::Usb];
        machine.disks = buses
            .into_iter()
            .enumerate()
            .map(|(number, bus)| DiskConfig {
                bus,
                ..DiskConfig::new(numbered(number), format!("/data/{number}"), DiskFormat::Qcow2)
            })
            .collect();
        // Places that were given to them when they were added.
        machine.disks.extend([DiskBus::Virtio, DiskBus::Scsi].into_iter().enumerate().map(|(slot, bus)| {
            let name = numbered(buses.len() + slot);
            DiskConfig {
                bus,
                slot: Some(slot as u32),
                ..DiskConfig::new(name, "/data/added", DiskFormat::Raw)
            }
        }));
        machine.disks[0].cache = DiskCache::None;
        machine.disks[1].cache = DiskCache::Directsync;
        machine.disks[2].cache = DiskCache::Unsafe;
        machine.disks[3].serial = Some("a,b=\"c\"".into());
        machine.disks[4].discard = false;
        machine.disks[5].shareable = true;
        machine.disks[1].partial = Some(Partial::planned(Path::new("/data, a"), "disk1"));
        machine.disks[4].layer = Some("/data/disposable/disk4.qcow2".into());
        machine.disks[5].is_device = true;
        (machine.disks[6].format, machine.disks[6].read_only) = (DiskFormat::Vmdk, true);
        insta::assert_snapshot!(shown(&machine));
    }

    /// How QEMU takes a list of `key=value` apart.
    fn parsed(list: &str) -> Vec<(String, String)> {
        let mut values = vec![String::new()];
        let mut rest = list.chars().peekable();
        while let Some(c) = rest.next() {
            if c != ',' {
                values.last_mut().unwrap().push(c);
            } else if rest.next_if_eq(&',').is_some() {
                values.last_mut().unwrap().push(',');
            } else {
                values.push(String::new());
            }
        }
        let pair = |value: String| {
            let (key, value) = value.split_once('=').unwrap_or((&value, ""));
            (key.to_owned(), value.to_owned())
        };
        values.into_iter().map(pair).collect()
    }

    proptest! {
        #[test]
        fn no_serial_number_becomes_an_option(serial in "[!-~]{1,20}", bus in 0..5_usize) {
            let bus = [DiskBus::Virtio, DiskBus::Sata, DiskBus::Nvme, DiskBus::Scsi, DiskBus::Usb][bus];
            let mut machine = bare();
            let disk = DiskConfig::new(DiskName::FIRST, "/data/x", DiskFormat::Raw);
            machine.disks = vec![DiskConfig { bus, serial: Some(serial.clone()), ..disk }];
            let line = arguments(&machine, &Sockets::nominal(&machine));
            let device = line.iter().find(|word| word.contains(",id=vd0,")).unwrap();
            let values = parsed(device);
            let found: Vec<_> = values.iter().filter(|(key, _)| key == "serial").collect();
            prop_assert_eq!(found, [&("serial".to_owned(), serial)]);
            let known = [
                "driver", "drive", "id", "iothread", "bus", "addr", "port", "bootindex", "werror", "rerror", "serial",
            ];
            for (key, value) in values.iter().skip(1) {
                prop_assert!(known.contains(&key.as_str()), "{}={}", key, value);
            }
        }

        #[test]
        fn no_name_and_no_path_becomes_an_option(name in "[^\\x00]{1,64}", path in "/[^\\x00]{1,64}") {
            let mut machine = full();
            machine.name = name.clone();
            machine.run.serial_logs = vec![PathBuf::from(&path)];
            machine.disks[0].path = PathBuf::from(&path);
            let line = arguments(&machine, &Sockets::nominal(&machine));
            let value = |option: &str, start: &str| {
                let found = line.windows(2).find(|pair| pair[0] == option && pair[1].starts_with(start));
                found.unwrap()[1].clone()
            };
            prop_assert_eq!(parsed(&value("-name", "")), [
                ("guest".to_owned(), name.clone()),
                ("process".to_owned(), format!("hv-{name}")),
                ("debug-threads".to_owned(), "on".to_owned()),
            ]);
            let serial = parsed(&value("-chardev", "socket,id=ser0"));
            prop_assert!(serial.contains(&("logfile".to_owned(), path.clone())));
            prop_assert_eq!(serial.len(), 7);
            let node: serde_json::Value = serde_json::from_str(&value("-blockdev", "{")).unwrap();
            prop_assert_eq!(node["file"]["filename"].as_str(), Some(path.as_str()));
        }
    }
}
