//! A new guest on the command line.

use super::{answers, boot, network, path, place, size};
use clap::ArgGroup;
use hv_api::{ByteSize, Firmware, Forward, NewGuest};

/// What is said of a new guest.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("started").args(["kernel", "kernel_disk", "tree"])))]
#[command(group(ArgGroup::new("source").args(["iso", "image", "kernel", "tree", "empty"])))]
#[command(group(ArgGroup::new("given").required(true).multiple(true)
    .args(["iso", "image", "kernel", "tree", "empty", "disk_path"])))]
pub struct Create {
    /// The name of the new guest.
    pub name: String,
    /// Install or start from this ISO file.
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub iso: Option<String>,
    /// Start this Linux kernel directly.
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub kernel: Option<String>,
    /// Install from this tree: a folder, or an address (http, https).
    #[arg(long, value_name = "DIR|URL", value_parser = place, conflicts_with = "no_disk")]
    pub tree: Option<String>,
    /// Start the kernel that the boot loader on this disk of its own would start, as disk0, found anew at each start.
    #[arg(long, value_name = "DISK", conflicts_with = "kernel")]
    pub kernel_disk: Option<String>,
    /// The initial file system that goes with the kernel.
    #[arg(long, value_name = "PATH", requires = "kernel", conflicts_with_all = ["iso", "empty"], value_parser = path)]
    pub initrd: Option<String>,
    /// The kernel's command line; with --tree and --kernel-disk, what is added to theirs.
    #[arg(
        long,
        value_name = "TEXT",
        requires = "started",
        conflicts_with = "iso",
        allow_hyphen_values = true
    )]
    pub append: Option<String>,
    /// Nothing to start from yet.
    #[arg(long)]
    pub empty: bool,
    /// The operating system, as a short id of the operating-system database.
    #[arg(long, value_name = "ID")]
    pub os: Option<String>,
    /// Virtual CPUs.
    #[arg(long, value_name = "NUMBER")]
    pub cpus: Option<u32>,
    /// Memory, as 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<ByteSize>,
    /// How many virtual CPUs it can be given while it runs [default: the host's].
    #[arg(long, value_name = "NUMBER")]
    pub max_cpus: Option<u32>,
    /// How much memory it can be given while it runs [default: the host's, from 1 GiB of memory on].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_memory: Option<ByteSize>,
    /// The size of its new disk, as 20GiB.
    #[arg(long, value_name = "SIZE", value_parser = size, conflicts_with_all = ["disk_path", "no_disk"])]
    pub disk: Option<ByteSize>,
    /// Copy this disk image into a disk of its own: raw, qcow2, VMDK, VDI, VHD or VHDX, also packed as .gz, .xz or .zst.
    #[arg(long, value_name = "PATH", value_parser = path, conflicts_with_all = ["disk_path", "no_disk"])]
    pub image: Option<String>,
    /// An existing disk image, a physical disk or a partition of one to use in place.
    #[arg(long, value_name = "PATH", value_parser = path, conflicts_with = "no_disk")]
    pub disk_path: Option<String>,
    /// Of the physical disk at --disk-path, give it these partitions and nothing else, as 2,3.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', requires = "disk_path")]
    pub partitions: Option<Vec<u32>>,
    /// A file that the image builds on and that its guest may read. Of an image that builds on several, each is named,
    /// in the order in which they are told when it is refused.
    #[arg(long, value_name = "PATH", value_parser = path, conflicts_with = "no_disk")]
    pub backing: Vec<String>,
    /// No disk at all.
    #[arg(long)]
    pub no_disk: bool,
    /// A network card: user, bridge=BRIDGE or isolated=NAME, with ,mac=ADDRESS and ,model=MODEL behind it, or none.
    /// May be repeated [default: user].
    #[arg(long = "nic", value_name = "CARD", value_parser = network::nic_word)]
    pub nics: Vec<network::NicWord>,
    /// A port of this computer's that leads to its card: tcp|udp:[ADDRESS:]PORT:GUEST-PORT. May be repeated.
    /// Without an address, only this computer reaches it.
    #[arg(long = "forward", value_name = "FORWARD")]
    pub forwards: Vec<Forward>,
    /// Serial ports, 0 to 4 [default: 1].
    #[arg(long, value_name = "NUMBER")]
    pub serial: Option<u32>,
    /// Its firmware [default: what the medium needs].
    #[arg(long, value_enum)]
    pub firmware: Option<boot::FirmwareName>,
    /// UEFI firmware that starts only what is signed.
    #[arg(long)]
    pub secure_boot: bool,
    /// A TPM 2.0 of its own.
    #[arg(long)]
    pub tpm: bool,
    #[command(flatten)]
    pub answers: answers::AnswerOptions,
    /// Start it when it is made.
    #[arg(long)]
    pub start: bool,
    /// Start it and show its serial console.
    #[arg(long)]
    pub console: bool,
    /// Change nothing: print its definition and the engine's command line.
    #[arg(long, conflicts_with = "console")]
    pub dry_run: bool,
}

impl Create {
    /// The same in the core's words.
    ///
    /// # Errors
    /// Which options don't go together, in words.
    pub fn into_guest(self) -> Result<NewGuest, String> {
        let (express, cloud) = self.answers.into_parts()?;
        Ok(NewGuest {
            express,
            cloud,
            name: self.name,
            iso: self.iso,
            kernel: self.kernel,
            kernel_disk: self.kernel_disk,
            initrd: self.initrd,
            append: self.append,
            tree: self.tree,
            os: self.os,
            cpus: self.cpus,
            memory: self.memory,
            max_cpus: self.max_cpus,
            max_memory: self.max_memory,
            disk: self.disk,
            image: self.image,
            disk_path: self.disk_path,
            partitions: self.partitions,
            backing: Some(self.backing).filter(|files| !files.is_empty()),
            no_disk: self.no_disk.then_some(true),
            network: None,
            nics: network::cards(self.nics, self.forwards)?,
            serial_ports: self.serial,
            firmware: self.firmware.map(Firmware::from),
            secure_boot: self.secure_boot.then_some(true),
            tpm: self.tpm.then_some(true),
            disks: None,
            id: None,
            power: None,
            devices: None,
            start: (self.start || self.console).then_some(true),
        })
    }
}
