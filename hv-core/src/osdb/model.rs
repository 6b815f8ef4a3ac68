//! What the operating-system database says, as we keep it: systems, and how their media and install trees
//! are recognised.
//!
//! Only what the core uses is kept; texts are in English. Where it came from, [`super::xml`] knows, what
//! follows from it, [`super::Database`].

use super::pattern::Pattern;
use hv_api::ByteSize;

/// How a release is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// It was released.
    #[default]
    Released,
    /// It comes before a release.
    Prerelease,
    /// A state in between.
    Snapshot,
    /// It has no releases and is always the newest.
    Rolling,
}

/// An operating system: one release, or all of a rolling one.
#[derive(Debug, Default)]
pub struct System {
    /// Its identity, an address that leads nowhere.
    pub id: Box<str>,
    /// Short words for it, the usual one first.
    pub short_ids: Vec<Box<str>>,
    /// Its name for people.
    pub name: Box<str>,
    /// The release, as `12` or `24.04`.
    pub version: Option<Box<str>>,
    /// Who makes it.
    pub vendor: Option<Box<str>>,
    /// The kind of system, as `linux` or `winnt`.
    pub family: Option<Box<str>>,
    /// The line of systems it belongs to, as `debian`.
    pub distro: Option<Box<str>>,
    /// What its makers call the release.
    pub codename: Option<Box<str>>,
    /// When it was released, as `2023-06-10`.
    pub released: Option<Box<str>>,
    /// When its makers stop caring for it.
    pub end_of_life: Option<Box<str>>,
    /// How the release is to be taken.
    pub status: Status,
    /// Identities of what it follows, is made from, or is the same as.
    pub upgrades: Vec<Box<str>>,
    /// See `upgrades`.
    pub derives_from: Vec<Box<str>>,
    /// See `upgrades`.
    pub clones: Vec<Box<str>>,
    /// Its editions.
    pub variants: Vec<Variant>,
    /// Firmware that it starts from, where that is told.
    pub firmware: Vec<Firmware>,
    /// Devices that it can use, or can't any more.
    pub devices: Vec<Device>,
    /// Its installation media.
    pub media: Vec<Media>,
    /// Its install trees.
    pub trees: Vec<Tree>,
    /// What it needs of a machine.
    pub resources: Vec<Resources>,
    /// The names of files with images of it that set themselves up at their first start.
    pub cloud_images: Vec<Box<str>>,
    /// What its makers call the user that such an image makes.
    pub cloud_user: Option<Box<str>>,
    /// The kernel's argument that says where its install tree is.
    pub kernel_url_argument: Option<Box<str>>,
}

/// An edition of a system.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its word, as `netinst`.
    pub id: Box<str>,
    /// Its name for people.
    pub name: Box<str>,
}

/// Firmware, and whether the system starts from it.
#[derive(Debug, PartialEq, Eq)]
pub struct Firmware {
    /// The processor.
    pub arch: Box<str>,
    /// `bios` or `efi`.
    pub kind: Box<str>,
    /// False where it does not.
    pub supported: bool,
}

/// A device, and whether the system can use it.
#[derive(Debug, PartialEq, Eq)]
pub struct Device {
    /// Its identity, as `http://pcisig.com/pci/1af4/1041`.
    pub id: Box<str>,
    /// False where it no longer can.
    pub supported: bool,
}

/// An installation medium.
#[derive(Debug, Default)]
pub struct Media {
    /// The processor it is for; `all` where it does not matter.
    pub arch: Box<str>,
    /// The editions on it.
    pub variants: Vec<Box<str>>,
    /// It can be used without installing.
    pub live: bool,
    /// It installs.
    pub installer: bool,
    /// How often the installer restarts the machine.
    pub reboots: u32,
    /// It is to be taken out when the installer has ended.
    pub eject: bool,
    /// What the disc's volume id looks like.
    pub volume: Option<Pattern>,
    /// The same for its system id.
    pub system: Option<Pattern>,
    /// The same for who published it.
    pub publisher: Option<Pattern>,
    /// The same for what it was made with.
    pub application: Option<Pattern>,
    /// The disc's exact size, in bytes.
    pub volume_size: Option<u64>,
    /// Languages on it.
    pub languages: Vec<Box<str>>,
    /// Where in the volume id a language is written.
    pub language: Option<LanguageRule>,
    /// The installer's kernel, as a path on the disc.
    pub kernel: Option<Box<str>>,
    /// What is loaded with it.
    pub initrd: Option<Box<str>>,
}

/// How a language is read from a volume id.
#[derive(Debug)]
pub struct LanguageRule {
    /// Its first group is the language.
    pub pattern: Pattern,
    /// The identity of a table that translates it.
    pub map: Option<Box<str>>,
}

/// An install tree.
#[derive(Debug, Default)]
pub struct Tree {
    /// The processor it is for; `all` where it does not matter.
    pub arch: Box<str>,
    /// The editions in it.
    pub variants: Vec<Box<str>>,
    /// Where it is published.
    pub url: Option<Box<str>>,
    /// What its `treeinfo` looks like; nothing where it has none.
    pub info: Option<TreeInfo>,
    /// The installer's kernel, as a path in the tree.
    pub kernel: Option<Box<str>>,
    /// What is loaded with it.
    pub initrd: Option<Box<str>>,
}

/// What the words of a tree's `treeinfo` look like.
#[derive(Debug, Default)]
pub struct TreeInfo {
    /// The family.
    pub family: Option<Pattern>,
    /// The variant.
    pub variant: Option<Pattern>,
    /// The version.
    pub version: Option<Pattern>,
    /// The processor.
    pub arch: Option<Pattern>,
}

/// What a system needs of a machine with one kind of processor.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// The processor; `all` where it does not matter.
    pub arch: Box<str>,
    /// The least with which it runs.
    pub minimum: Amounts,
    /// What suits it.
    pub recommended: Amounts,
    /// The most that it can use.
    pub maximum: Amounts,
    /// What an installation over the network needs.
    pub network_install: Amounts,
    /// True where what is left out is to be taken from what the system is made from.
    pub inherit: bool,
}

/// Amounts of what a machine has; nothing where the database does not say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// Processors.
    pub cpus: Option<u32>,
    /// Memory.
    pub memory: Option<ByteSize>,
    /// Room on disks.
    pub disk: Option<ByteSize>,
}

impl System {
    /// The usual short word for it; its identity where it has none.
    pub fn short_id(&self) -> &str {
        self.short_ids.first().unwrap_or(&self.id)
    }

    /// Whether it stands for releases that the database does not know.
    pub fn is_generic(&self) -> bool {
        let id = self.short_id();
        ["unknown", "-unstable"].iter().any(|ending| id.ends_with(ending))
    }

    /// Adds what another file says of the same system.
    pub fn absorb(&mut self, other: Self) {
        fn set<T>(mine: &mut Option<T>, theirs: Option<T>) {
            if mine.is_none() {
                *mine = theirs;
            }
        }
        for short_id in other.short_ids {
            if !self.short_ids.contains(&short_id) {
                self.short_ids.push(short_id);
            }
        }
        if self.name.is_empty() {
            self.name = other.name;
        }
        if self.status == Status::Released {
            self.status = other.status;
        }
        set(&mut self.version, other.version);
        set(&mut self.vendor, other.vendor);
        set(&mut self.family, other.family);
        set(&mut self.distro, other.distro);
        set(&mut self.codename, other.codename);
        set(&mut self.released, other.released);
        set(&mut self.end_of_life, other.end_of_life);
        set(&mut self.kernel_url_argument, other.kernel_url_argument);
        set(&mut self.cloud_user, other.cloud_user);
        self.cloud_images.extend(other.cloud_images);
        self.upgrades.extend(other.upgrades);
        self.derives_from.extend(other.derives_from);
        self.clones.extend(other.clones);
        self.variants.extend(other.variants);
        self.firmware.extend(other.firmware);
        self.devices.extend(other.devices);
        self.media.extend(other.media);
        self.trees.extend(other.trees);
        self.resources.extend(other.resources);
    }
}
