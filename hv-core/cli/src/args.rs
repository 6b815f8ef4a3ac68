//! The command line: what may be written, and what it means.

mod answers;
mod boot;
mod boot_menu;
mod create;
mod devices;
mod disk;
mod network;
mod pci;
mod power;
mod usb;

pub use boot_menu::BootMenuAction;
use clap::{Parser, Subcommand};
pub use create::Create;
use hv_api::{ByteSize, Settings, SizeError};
pub use network::NicAction;
pub use pci::PciAction;
use std::path::PathBuf;
pub use usb::UsbAction;

pub use disk::{AddDisk, DiskAction};

/// Runs guest operating systems: the Guesthouse core without a window.
///
/// GUEST is a name or an identity everywhere. Exit status: 0 done, 1 refused or failed, 2 wrong usage,
/// 3 the core can't be reached, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "hv", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Args {
    /// The core's socket [default: $GUESTHOUSE_SOCKET, else the user's own].
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Print one JSON object, or one a line for lists and streams, and nothing else.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Call(Call),
    /// Make a new guest. What is not said is chosen by the medium and the host.
    Create(Box<Create>),
    /// Make a guest of another program's: an appliance (OVA, OVF), a configuration of Xen's (xm, xl) or libvirt's (XML),
    /// or a disk image. Says what becomes of each thing in the file.
    Import {
        /// The file.
        #[arg(value_parser = path)]
        file: String,
        /// Which machine, of an appliance that has several [default: the first].
        #[arg(long, value_name = "NAME")]
        machine: Option<String>,
        /// Another name for it.
        #[arg(long)]
        name: Option<String>,
        /// Start it when it is made.
        #[arg(long)]
        start: bool,
        /// Change nothing: only say what would become of it.
        #[arg(long, conflicts_with = "start")]
        dry_run: bool,
    },
    /// Keep a guest's memory on the disk and end its engine. Starting it lets it go on from there.
    Save {
        /// Its name or identity.
        guest: String,
    },
    /// Let a saved guest go on.
    Restore {
        /// Its name or identity.
        guest: String,
        /// Leave its CPUs stopped, until it is resumed.
        #[arg(long)]
        paused: bool,
    },
    /// Show a guest's snapshots, or take one, put the guest back to one, rename or delete one.
    Snapshot {
        /// Its name or identity.
        guest: String,
        #[command(subcommand)]
        action: Option<SnapshotAction>,
    },
    /// Make a guest of another one that is off, with copies of its disks or sharing what they hold.
    Clone {
        /// Its name or identity.
        guest: String,
        /// The name of the new guest.
        new: String,
        /// As it was when this snapshot was taken [default: as it is now].
        #[arg(long, value_name = "NAME")]
        snapshot: Option<String>,
        /// Share what the disks hold now instead of copying it: quick, and only changes take room.
        #[arg(long, conflicts_with = "snapshot")]
        linked: bool,
    },
    /// Show a serial port on this terminal, from what was printed before on. Ctrl+] leaves.
    Console {
        /// Its name or identity.
        guest: String,
        /// The number of the port, from 0.
        #[arg(long, default_value_t = 0)]
        port: u32,
    },
}

/// Commands that are over with a call, and may be interrupted anywhere.
#[derive(Debug, Subcommand)]
pub enum Call {
    /// Show what this computer has for guests: accelerator, QEMU, CPUs, memory, free space, folders.
    Host {
        /// List the CPU models that a guest can have instead.
        #[arg(long)]
        cpu_models: bool,
    },
    /// Say what files are: installation media, disk images, install trees.
    Inspect {
        /// The files, folders with install trees, and addresses of such (http, https).
        #[arg(required = true, value_name = "PATH", value_parser = place)]
        paths: Vec<String>,
    },
    /// List the operating systems that a guest can be for, the newest first.
    Systems {
        /// Words that have to be in the name or the short id.
        search: Vec<String>,
    },
    /// List all guests.
    List,
    /// Show one guest.
    Show {
        /// Its name or identity.
        guest: String,
    },
    /// Start a guest, or let it go on where it is saved.
    Start {
        /// Its name or identity.
        guest: String,
        /// Leave its CPUs stopped, until it is resumed.
        #[arg(long)]
        paused: bool,
        /// Try its drives first, and its kernel not at all, this one time.
        #[arg(long)]
        from_cd: bool,
        /// With this entry of the boot menu on its disk, this one time: its number, as “hv boot-menu” shows it.
        #[arg(long, value_name = "NUMBER", conflicts_with = "from_cd")]
        kernel_entry: Option<u32>,
        /// Keep nothing of what it writes: when it is off, its disks are as before.
        #[arg(long, conflicts_with_all = ["from_cd", "kernel_entry"])]
        disposable: bool,
        /// Show the guest's definition and QEMU's command line, and start nothing.
        #[arg(long, conflicts_with_all = ["paused", "from_cd", "kernel_entry", "disposable"])]
        dry_run: bool,
    },
    /// Ask a guest to shut down, as its power button would.
    Shutdown {
        /// Its name or identity.
        guest: String,
        /// Wait no longer until it has shut down: it counts as running again.
        #[arg(long)]
        cancel: bool,
    },
    /// Take a guest's power away; what it has not written is lost, and so is a saved state.
    ForceOff {
        /// Its name or identity.
        guest: String,
    },
    /// Stop a guest's CPUs; its memory is kept.
    Pause {
        /// Its name or identity.
        guest: String,
    },
    /// Let a paused or saved guest go on.
    Resume {
        /// Its name or identity.
        guest: String,
    },
    /// Ask a guest to shut down, and start it anew when it has, with its pending changes. One that does
    /// not listen to its power button is reset.
    Restart {
        /// Its name or identity.
        guest: String,
    },
    /// Press a guest's reset button; what it has not written is lost.
    Reset {
        /// Its name or identity.
        guest: String,
    },
    /// Change settings: all that are named, or none.
    Set {
        /// Its name or identity.
        guest: String,
        /// name=NAME, cpus=NUMBER, max-cpus=NUMBER, cpu-limit=PERCENT|none, memory=SIZE, max-memory=SIZE,
        /// firmware=bios|uefi,
        /// secure-boot=true|false, tpm=true|false, boot=disk0,cd0,… (none for the usual order), kernel=PATH,
        /// initrd=PATH, append=TEXT (empty for none), kernel-disk=disk0 (the kernel that the boot loader on its disk would
        /// start, found anew at each start), kernel-entry=TITLE (always this entry of its menu), serial-ports=0–4, watchdog= (none, reset, poweroff, pause),
        /// sound= (none, ich9, ac97), shutdown-wait=SECONDS,
        /// on-poweroff= and on-reboot= (destroy, restart, preserve), on-crash= (these, coredump-destroy,
        /// coredump-restart), autostart= (true, false), at-logout= (shutdown, save, keep), on-host-sleep= (keep, pause),
        /// on-battery= (keep, pause: while nobody looks at it), installed=true (ends an installation by hand).
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = setting)]
        settings: Vec<Setting>,
    },
    /// Show the menu of the boot loader on a guest's disk, or make another entry the default. The guest must be off.
    BootMenu {
        /// Its name or identity.
        guest: String,
        /// The disk [default: the one whose kernel it starts, else the first].
        #[arg(long, value_name = "DISK")]
        disk: Option<String>,
        #[command(subcommand)]
        action: Option<BootMenuAction>,
    },
    /// Show this computer's physical disks and who has them, or a guest's disks, or add, remove, change or enlarge one,
    /// also while the guest runs.
    Disk {
        /// A guest's name or identity.
        guest: Option<String>,
        #[command(subcommand)]
        action: Option<DiskAction>,
    },
    /// Show a guest's network cards, or change them, also while the guest runs.
    Nic {
        /// Its name or identity.
        guest: String,
        #[command(subcommand)]
        action: Option<NicAction>,
    },
    /// Show this computer's USB devices, or those of a guest, or give it one, also while it runs.
    Usb {
        /// A guest's name or identity.
        guest: Option<String>,
        #[command(subcommand)]
        action: Option<UsbAction>,
    },
    /// Show this computer's PCI devices and whether guests can have them, or those of a guest, or give it one.
    Pci {
        /// A guest's name or identity.
        guest: Option<String>,
        #[command(subcommand)]
        action: Option<PciAction>,
    },
    /// Show what is in a guest's drives, or change it, also while the guest runs.
    Media {
        /// Its name or identity.
        guest: String,
        #[command(subcommand)]
        action: Option<MediaAction>,
    },
    /// Show what the engine wrote, or a serial port.
    Log {
        /// Its name or identity.
        guest: String,
        /// What the guest wrote on this serial port, from 0, since its last start.
        #[arg(long, value_name = "PORT")]
        serial: Option<u32>,
    },
    /// Write a picture of a guest's display into a file.
    Screenshot {
        /// Its name or identity.
        guest: String,
        /// The file, in PNG format. One that exists is replaced when the picture is complete.
        #[arg(value_name = "FILE.png", value_parser = path)]
        file: String,
    },
    /// Press keys together and let them go.
    Key {
        /// Its name or identity.
        guest: String,
        /// The keys, as ctrl+alt+delete.
        #[arg(value_parser = keys)]
        keys: Keys,
    },
    /// Type a text on a US keyboard.
    Type {
        /// Its name or identity.
        guest: String,
        /// The text.
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Delete a guest that is off. Media and disks elsewhere are never touched.
    Delete {
        /// Its name or identity.
        guest: String,
        /// Delete the disks that were made for it, too.
        #[arg(long)]
        with_disks: bool,
    },
    /// Show what a guest that runs uses, measured over a second.
    Stats {
        /// Its name or identity.
        guest: String,
        /// Go on, a line a second, until the guest ends.
        #[arg(long)]
        follow: bool,
    },
    /// Show everything that is, then each change, until interrupted.
    Events,
}

/// What to do with a guest's snapshots.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum SnapshotAction {
    /// Show them, each under that after which it was taken.
    List,
    /// Take one, of a guest that runs with its memory.
    Take {
        /// Its name.
        name: String,
        /// A note about it.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Put the guest back to one. What it is now is lost; one that runs is forced off first.
    Restore {
        /// Its name or identity.
        snapshot: String,
        /// Leave its CPUs stopped, until it is resumed.
        #[arg(long)]
        paused: bool,
    },
    /// Give one another name or note.
    Edit {
        /// Its name or identity.
        snapshot: String,
        /// Its new name.
        #[arg(long, required_unless_present = "note")]
        name: Option<String>,
        /// A note about it; empty for none.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Delete one. Those after it stay, and the guest as it is.
    Delete {
        /// Its name or identity.
        snapshot: String,
    },
}

/// What to do with a drive.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum MediaAction {
    /// Put a medium into a drive, in place of what is there.
    Insert {
        /// The drive [default: the first].
        #[arg(long)]
        drive: Option<String>,
        /// The medium.
        #[arg(value_parser = path)]
        path: String,
    },
    /// Take the medium out of a drive.
    Eject {
        /// The drive [default: the first].
        #[arg(long)]
        drive: Option<String>,
        /// Do so even where the guest holds it.
        #[arg(long)]
        force: bool,
    },
}

/// One changed setting, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    key: String,
    value: String,
}

/// Keys that are pressed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(pub Vec<String>);

/// Puts settings together; refused where one is named twice.
pub fn settings(list: Vec<Setting>) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for Setting { key, value } in list {
        if take_setting(&mut settings, &key, &value)? {
            return Err(format!("“{key}” is set twice: which of the two values is meant?"));
        }
    }
    Ok(settings)
}

/// Takes one in; true where it stood there already.
fn take_setting(settings: &mut Settings, key: &str, value: &str) -> Result<bool, String> {
    Ok(match key {
        "name" => settings.name.replace(value.to_owned()).is_some(),
        "cpus" => settings.cpus.replace(cpu_count(value)?).is_some(),
        "max-cpus" => settings.max_cpus.replace(cpu_count(value)?).is_some(),
        "cpu-limit" => settings.cpu_limit.replace(percent(value)?).is_some(),
        "memory" => settings.memory.replace(size(value)?).is_some(),
        "max-memory" => settings.max_memory.replace(size(value)?).is_some(),
        "installed" if value == "true" => settings.installed.replace(true).is_some(),
        "installed" => {
            return Err("an installation is ended by installed=true, and never begins again".to_owned());
        }
        other => {
            let mut boot_settings = settings.boot.clone().unwrap_or_default();
            if let Some(taken) = boot::take(&mut boot_settings, other, value) {
                settings.boot = Some(boot_settings);
                return taken;
            }
            let mut device_settings = settings.devices.clone().unwrap_or_default();
            if let Some(taken) = devices::take(&mut device_settings, other, value) {
                settings.devices = Some(device_settings);
                return taken;
            }
            let mut power_settings = settings.power.take().unwrap_or_default();
            let taken = power::take(&mut power_settings, other, value);
            let unknown = || {
                Err(format!(
                    "there is no setting “{other}”; there are {SETTINGS}, {}, {}, {}",
                    boot::KEYS,
                    devices::KEYS,
                    power::KEYS
                ))
            };
            let before = taken.unwrap_or_else(unknown)?;
            settings.power = Some(power_settings);
            before
        }
    })
}

/// What can be set, without what is read in `power`.
const SETTINGS: &str = "name, cpus, max-cpus, cpu-limit, memory, max-memory, installed";

fn setting(text: &str) -> Result<Setting, String> {
    let (key, value) = text.split_once('=').ok_or("a setting is written KEY=VALUE")?;
    take_setting(&mut Settings::default(), key, value)?;
    Ok(Setting { key: key.to_owned(), value: value.to_owned() })
}

/// `50%`; none is all.
fn percent(text: &str) -> Result<u32, String> {
    match text {
        "none" => Ok(100),
        text => text
            .strip_suffix('%')
            .unwrap_or(text)
            .parse()
            .map_err(|_unreadable| format!("“{text}” is no share; write it as 50%, or none for no limit")),
    }
}

fn cpu_count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_unreadable| format!("“{text}” is not a number of CPUs"))
}

fn size(text: &str) -> Result<ByteSize, String> {
    text.parse().map_err(|error| match error {
        SizeError::NoUnit(number) => {
            format!("which unit is meant: {number}MiB, {number}GiB or {number}GB?")
        }
        SizeError::Malformed(text) => format!("“{text}” is not a size; sizes are written as 512MiB or 2GiB"),
    })
}

fn keys(text: &str) -> Result<Keys, String> {
    let keys: Vec<String> = text.split('+').map(str::to_ascii_lowercase).collect();
    if keys.iter().any(String::is_empty) {
        return Err("keys are written as ctrl+alt+delete".to_owned());
    }
    Ok(Keys(keys))
}

/// The core has another working folder: it gets whole paths only.
fn path(text: &str) -> Result<String, String> {
    let path = std::path::absolute(text).map_err(|error| error.to_string())?;
    path.into_os_string()
        .into_string()
        .map_err(|_not_text| "the path of the working folder is not valid text (UTF-8)".to_owned())
}

/// A path, or an address, which stays as it is.
fn place(text: &str) -> Result<String, String> {
    let is_address = text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if is_address { Ok(text.to_owned()) } else { path(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;
    use hv_api::NewGuest;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split_whitespace())
    }

    fn created(line: &str) -> NewGuest {
        match parse(line).expect("a right command line").command {
            Command::Create(create) => create.into_guest().expect("options that go together"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn create_passes_on_what_was_said_and_only_that() {
        let guest = created("hv create A --iso /a.iso");
        let expected = NewGuest { name: "A".into(), iso: Some("/a.iso".into()), ..NewGuest::default() };
        assert_eq!(guest, expected);

        let guest = created(
            "hv --json create B --kernel /k --initrd /i --append -- --cpus 2 --memory 512MiB --disk 1GiB \
             --nic none --serial 2 --console --os debian12",
        );
        assert_eq!(
            guest,
            NewGuest {
                name: "B".into(),
                kernel: Some("/k".into()),
                initrd: Some("/i".into()),
                append: Some("--".into()),
                os: Some("debian12".into()),
                cpus: Some(2),
                memory: Some(ByteSize::mib(512)),
                disk: Some(ByteSize::gib(1)),
                nics: Some(Vec::new()),
                serial_ports: Some(2),
                start: Some(true),
                ..NewGuest::default()
            }
        );
    }

    #[test]
    fn relative_paths_become_whole() {
        let here = std::env::current_dir().expect("a working folder");
        let guest = created("hv create A --iso sub/a.iso --disk-path ./d.qcow2");
        assert_eq!(guest.iso.as_deref(), here.join("sub/a.iso").to_str());
        assert_eq!(guest.disk_path.as_deref(), here.join("d.qcow2").to_str());
    }

    #[test]
    fn a_new_guest_has_exactly_one_source_and_at_most_one_disk() {
        for wrong in [
            "hv create A",
            "hv create A --iso /a --empty",
            "hv create A --iso /a --kernel /k",
            "hv create A --empty --initrd /i",
            "hv create A --empty --append x",
            "hv create A --empty --disk 1GiB --no-disk",
            "hv create A --empty --disk 1GiB --disk-path /d",
            "hv create A --empty --disk-path /d --no-disk",
            "hv create A --empty --nic bridge",
            "hv create A --empty --dry-run --console",
            "hv create --empty",
        ] {
            let error = parse(wrong).expect_err(wrong);
            assert_eq!(error.exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_bare_number_for_a_size_is_answered_with_a_question() {
        for line in ["hv create A --empty --memory 2048", "hv set A memory=2048"] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.kind(), ErrorKind::ValueValidation);
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("which unit is meant: 2048MiB, 2048GiB"), "{error}");
        }
    }

    #[test]
    fn settings_are_read_and_none_is_set_twice() {
        let read = |words: &[&str]| settings(words.iter().map(|word| setting(word).expect(word)).collect());
        let name = Settings { name: Some("a=b".into()), ..Settings::default() };
        assert_eq!(read(&["name=a=b"]), Ok(name));
        for wrong in
            ["cpus", "cpus=-1", "cpus=two", "colour=red", "memory=2", "memory=much", "firmware=efi", "tpm=2"]
        {
            assert!(setting(wrong).is_err(), "{wrong}");
        }
        let both = Settings { max_cpus: Some(8), cpus: Some(2), ..Settings::default() };
        assert_eq!(read(&["cpus=2", "max-cpus=8"]), Ok(both));
        assert!(read(&["cpus=2", "cpus=2"]).is_err());
    }

    #[test]
    fn keys_are_parted_at_plus_signs() {
        assert_eq!(keys("Ctrl+Alt+Delete"), Ok(Keys(vec!["ctrl".into(), "alt".into(), "delete".into()])));
        for wrong in ["", "+", "ctrl+", "ctrl++a"] {
            assert!(keys(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn media_is_listed_without_an_action() {
        let action = |line: &str| match parse(line).expect(line).command {
            Command::Call(Call::Media { action, .. }) => action,
            other => panic!("{other:?}"),
        };
        assert_eq!(action("hv media A"), None);
        let inserted = MediaAction::Insert { drive: Some("cd1".into()), path: "/a.iso".into() };
        assert_eq!(action("hv media A insert --drive cd1 /a.iso"), Some(inserted));
        assert_eq!(action("hv media A eject --force"), Some(MediaAction::Eject { drive: None, force: true }));
    }

    #[test]
    fn options_for_all_commands_may_stand_anywhere() {
        for line in ["hv --json --socket /s list", "hv list --socket /s --json"] {
            let args = parse(line).expect(line);
            assert!(args.json && args.socket == Some("/s".into()), "{line}");
        }
    }

    #[test]
    fn nothing_is_offered_that_is_not_there() {
        for command in ["snapshot A list b", "clone A", "export f", "create A --tree /x --iso /y"] {
            assert!(parse(&format!("hv {command}")).is_err(), "{command}");
        }
    }
}
