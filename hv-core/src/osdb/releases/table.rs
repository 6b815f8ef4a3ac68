//! Labels that look like nothing the database has: new shapes of known lines, and lines that it does not know.
//!
//! Collected from what distributions and Microsoft print on their discs. A line that the database knows names the
//! system; one that it does not is called by its own words.

use super::super::media::{Labels, Named};
use super::super::model::System;
use super::super::pattern::Pattern;
use super::line::{known_release, without_processors};
use super::shape::processor;
use super::{Found, Lines, Release};
use std::sync::LazyLock;

/// What a label means.
#[derive(Debug, Clone, Copy)]
enum Means {
    /// A release of the line with this stem; the groups are its version. Without the line, the words and the
    /// name with the version behind them.
    Line(&'static str, &'static str, &'static str),
    /// One of these systems.
    OneOf(&'static [(&'static str, &'static str)]),
    /// A system of its own, with the version, where there is one, behind word and name.
    Own(&'static str, &'static str),
}

struct Row {
    label: Pattern,
    means: Means,
    family: &'static str,
}

use Means::{Line, OneOf, Own};

const UBUNTU: Means = Line("http://ubuntu.com/ubuntu", "ubuntu", "Ubuntu");
const DEBIAN: Means = Line("http://debian.org/debian", "debian", "Debian");
const FEDORA: Means = Line("http://fedoraproject.org/fedora", "fedora", "Fedora Linux");
const SILVERBLUE: Means = Line("http://fedoraproject.org/silverblue", "silverblue", "Fedora Silverblue");
const LEAP: Means = Line("http://opensuse.org/opensuse", "opensuse", "openSUSE Leap");
const MICRO: Means = Line("http://suse.com/slem", "slem", "SUSE Linux Enterprise Micro");

const DEBIAN_TESTING: &[(&str, &str)] = &[("debiantesting", "Debian testing")];
const SUSE_16: &[(&str, &str)] =
    &[("sles16.0", "SUSE Linux Enterprise Server 16.0"), ("sle16", "SUSE Linux Enterprise 16")];
const TUMBLEWEED: &[(&str, &str)] = &[("opensusetumbleweed", "openSUSE Tumbleweed")];
const RAWHIDE: &[(&str, &str)] = &[("fedora-rawhide", "Fedora Rawhide")];
const WINDOWS: &[(&str, &str)] = &[("win11", "Microsoft Windows 11"), ("win10", "Microsoft Windows 10")];
const WINDOWS_SERVER: &[(&str, &str)] = &[
    ("win2k25", "Microsoft Windows Server 2025"),
    ("win2k22", "Microsoft Windows Server 2022"),
    ("win2k19", "Microsoft Windows Server 2019"),
    ("win2k16", "Microsoft Windows Server 2016"),
];

/// Who publishes Windows; labels that are codes count only with it.
const MICROSOFT: &str = "MICROSOFT CORPORATION";

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let row =
        |family: &'static str, label: &str, means: Means| Row { label: Pattern::new(label), means, family };
    let linux = |label: &str, means: Means| row("linux", label, means);
    vec![
        // Flavours, and names that changed.
        linux(r"(?:K|X|L|Ed|Myth)ubuntu[ -].*?([0-9]{2})\.([0-9]{2})", UBUNTU),
        linux(
            r"Ubuntu[ -]?(?:MATE|Studio|Budgie|Kylin|Unity|Cinnamon|GNOME|Desktop|Server|Core|Netboot|Mini|Live)[A-Za-z -]*([0-9]{2})\.([0-9]{2})",
            UBUNTU,
        ),
        linux(r"Ubuntu.*?([0-9]{2})\.([0-9]{2})", UBUNTU),
        linux(r"d-live (?:nf )?([0-9]+)\.", DEBIAN),
        linux(r"d-live (?:nf )?testing", OneOf(DEBIAN_TESTING)),
        linux(r"Debian (?:GNU/Linux )?testing", OneOf(DEBIAN_TESTING)),
        linux(r"(?:DEBIAN|Debian)[ _-](?:GNU/Linux[ _-])?([0-9]+)(?:[._][0-9].*|[ _-].*)?$", DEBIAN),
        linux(
            r"Fedora-(?:SB|Silverblue|KN|Kinoite|Sericea|Onyx|SWA|BA|COSMIC-Atomic)-.*?(?:-|_)([0-9]{2})(?:[-_.].*)?$",
            SILVERBLUE,
        ),
        linux(r"Fedora-.*[-_](?:rawh|Rawh)", OneOf(RAWHIDE)),
        linux(r"Fedora-.*?[-_]([0-9]{2})(?:[-_.].*)?$", FEDORA),
        linux(r"(?:Install-)?(?:openSUSE-)?Leap-([0-9]+)\.([0-9]+)", LEAP),
        linux(r"(?:Install-)?(?:openSUSE-)?Tumbleweed", OneOf(TUMBLEWEED)),
        linux(r"openSUSE_Tumbleweed", OneOf(TUMBLEWEED)),
        linux(r"Install-(?:SUSE-)?SLE[SD]?[-_](?:SAP[-_])?16", OneOf(SUSE_16)),
        linux(r"SLE[SD]?[-_]16", OneOf(SUSE_16)),
        linux(r"(?:SLE|SL|SUSE)[-_](?:Micro|MicroOS)[-_.A-Za-z]*?([0-9]+)\.([0-9]+)", MICRO),
        linux(r"OracleLinux-R([0-9]+)-U([0-9]+)", Line("http://oracle.com/ol", "ol", "Oracle Linux")),
        linux(
            r"CentOS-Stream-(?:Image-)?.*?-([0-9]+)(?:-|$)",
            Line("http://centos.org/centos-stream", "centos-stream", "CentOS Stream"),
        ),
        linux(
            r"EuroLinux-([0-9]+)\.([0-9]+)",
            Line("http://euro-linux.com/eurolinux", "eurolinux", "EuroLinux"),
        ),
        linux(r"AlmaLinux-Kitten", Own("almalinux-kitten", "AlmaLinux OS Kitten")),
        linux(
            r"AlmaLinux[-_ ].*?([0-9]+)[-_.](?:[0-9]+)",
            Line("http://almalinux.org/almalinux", "almalinux", "AlmaLinux"),
        ),
        linux(
            r"Rocky[-_ ].*?([0-9]+)[-_.](?:[0-9]+)",
            Line("http://rockylinux.org/rocky", "rocky", "Rocky Linux"),
        ),
        linux(
            r"RHEL[-_]([0-9]+)[-_.]([0-9]+)",
            Line("http://redhat.com/rhel", "rhel", "Red Hat Enterprise Linux"),
        ),
        linux(r"OL[-_]([0-9]+)[-_.]([0-9]+)", Line("http://oracle.com/ol", "ol", "Oracle Linux")),
        linux(
            r"alpine-[a-z]+ (?:v)?([0-9]+)\.([0-9]+)",
            Line("http://alpinelinux.org/alpinelinux", "alpinelinux", "Alpine Linux"),
        ),
        linux(
            r"nixos-(?:[a-z]+[0-9]?-)?([0-9]{2})\.([0-9]{2})",
            Line("http://nixos.org/nixos", "nixos-", "NixOS"),
        ),
        linux(r"Mageia-([0-9]+)", Line("http://mageia.org/mageia", "mageia", "Mageia")),
        linux(
            r"[A-Za-z]+-OS-([0-9]+)-([0-9]+)-[0-9]+",
            Line("http://endlessos.com/eos", "eos", "Endless OS"),
        ),
        linux(
            r"(?i:elementary) OS ([0-9]+)\.([0-9]+)",
            Line("http://elementary.io/elementary", "elementary", "elementary OS"),
        ),
        linux(r"Pop_OS ([0-9]{2})\.([0-9]{2})", Line("http://system76.com/popos", "popos", "Pop!_OS")),
        linux(
            r"(?i:tri[s]?[qk]uel(?:-mini|-sugar)?|triskel) ([0-9]+)\.",
            Line("http://trisquel.info/trisquel", "trisquel", "Trisquel"),
        ),
        linux(r"PureOS ([0-9]+)", Line("http://pureos.net/pureos", "pureos", "PureOS")),
        linux(
            r"UCS ([0-9]+)\.([0-9]+)",
            Line("http://univention.de/ucs", "ucs", "Univention Corporate Server"),
        ),
        linux(r"ARCH_[0-9]{6}", OneOf(&[("archlinux", "Arch Linux")])),
        linux(r"MANJARO", OneOf(&[("manjaro", "Manjaro")])),
        linux(r"(?i:gentoo)", OneOf(&[("gentoo", "Gentoo Linux")])),
        linux(r"VOID_LIVE", OneOf(&[("voidlinux", "Void Linux")])),
        linux(r"(?i:guix_.*linux_)([0-9]+)\.([0-9]+)", Line("http://guix.gnu.org/guix", "guix-", "Guix")),
        linux(r"(?:GUIX_|guix-)", OneOf(&[("guix-latest", "Guix latest")])),
        linux(r"fedora-coreos-[0-9]+\.[0-9]+\.1\.", OneOf(&[("fedora-coreos-next", "Fedora CoreOS")])),
        linux(r"fedora-coreos-[0-9]+\.[0-9]+\.2\.", OneOf(&[("fedora-coreos-testing", "Fedora CoreOS")])),
        linux(r"fedora-coreos-", OneOf(&[("fedora-coreos-stable", "Fedora CoreOS")])),
        // Lines that no database has.
        linux(r"Linux Mint ([0-9]+)(?:\.([0-9]+))?", Own("linuxmint", "Linux Mint")),
        linux(r"LMDE ([0-9]+)", Own("lmde", "LMDE")),
        linux(r"Kali(?: |-)(?:Live|Linux|[0-9])", Own("kali", "Kali Linux")),
        linux(r"(?i:zorin[ -]?os)[ -]([0-9]+)", Own("zorin", "Zorin OS")),
        linux(r"MX-(?:Live|[0-9])", Own("mxlinux", "MX Linux")),
        linux(r"PVE", Own("proxmox-ve", "Proxmox VE")),
        linux(r"Parrot", Own("parrot", "Parrot OS")),
        linux(r"TAILS", Own("tails", "Tails")),
        linux(r"EOS_[0-9]{6}", Own("endeavouros", "EndeavourOS")),
        linux(r"(?:GARUDA|Garuda)", Own("garuda", "Garuda Linux")),
        linux(r"CACHYOS|COS_[0-9]{6}", Own("cachyos", "CachyOS")),
        linux(r"(?i:deepin)[ -]?([0-9]+)?", Own("deepin", "Deepin")),
        linux(r"(?i:neon)[ -]", Own("neon", "KDE neon")),
        linux(r"Qubes-", Own("qubes", "Qubes OS")),
        linux(r"(?i:openEuler)-([0-9]+)\.([0-9]+)", Own("openeuler", "openEuler")),
        linux(r"(?i:AnolisOS)-([0-9]+)", Own("anolis", "Anolis OS")),
        linux(r"(?i:nobara)", Own("nobara", "Nobara")),
        linux(r"(?i:bazzite)", Own("bazzite", "Bazzite")),
        linux(r"(?i:vanilla[ -]?os)", Own("vanillaos", "Vanilla OS")),
        linux(r"(?i:solus)", Own("solus", "Solus")),
        linux(r"(?i:slackware64|SlackDVD)", Own("slackware", "Slackware")),
        row(
            "freebsd",
            r"([0-9]+)_([0-9]+)_RELEASE_",
            Line("http://freebsd.org/freebsd", "freebsd", "FreeBSD"),
        ),
        row("freebsd", r"(?i:GhostBSD)", Own("ghostbsd", "GhostBSD")),
        row("freebsd", r"(?i:OPNSENSE)", Own("opnsense", "OPNsense")),
        row("freebsd", r"(?i:PFSENSE)", Own("pfsense", "pfSense")),
        row("freebsd", r"(?i:TRUENAS)", Own("truenas", "TrueNAS")),
        row(
            "openbsd",
            r"OpenBSD/[a-z0-9]+ +([0-9]+)\.([0-9])",
            Line("http://openbsd.org/openbsd", "openbsd", "OpenBSD"),
        ),
        row("netbsd", r"NETBSD_([0-9]{1,2})([0-9])$", Line("http://netbsd.org/netbsd", "netbsd", "NetBSD")),
        row(
            "dragonflybsd",
            r"DragonFly v([0-9]+)\.([0-9]+)(?:\.([0-9]+))?",
            Line("http://dragonflybsd.org/dragonflybsd", "dragonflybsd", "DragonFlyBSD"),
        ),
        row("haiku", r"(?i:haiku)", Own("haiku", "Haiku")),
    ]
});

/// Codes on discs of Windows: for people, and for servers.
static WINDOWS_ROWS: LazyLock<[Row; 2]> = LazyLock::new(|| {
    let row = |label: &str, means: Means| Row { label: Pattern::new(label), means, family: "winnt" };
    [
        row(r"(?:J_)?C[A-Z]{1,5}_(?:X64|X86|A64|ARM64)FREE?[A-Z]?_", OneOf(WINDOWS)),
        row(r"(?:J_)?S[A-Z]{1,5}_(?:X64|A64)FREE?[A-Z]?_", OneOf(WINDOWS_SERVER)),
    ]
});

/// What the table says the labels mean.
pub fn look<'a>(lines: &Lines, systems: &'a [System], labels: &Labels<'_>) -> Vec<Release<'a>> {
    let Some(label) = labels.volume else { return Vec::new() };
    let windows = labels.publisher.is_some_and(|publisher| publisher.eq_ignore_ascii_case(MICROSOFT));
    let rows: &[Row] = if windows { &*WINDOWS_ROWS } else { &ROWS };
    // Numbers in the names of processors are no versions.
    let without = without_processors(label);
    let looked_at = if windows { label } else { &without };
    for row in rows {
        let Some(groups) = row.label.captures(looked_at) else { continue };
        let version: Vec<&str> = groups.iter().skip(1).flatten().map(|group| group.as_str()).collect();
        let mut releases = row.releases(lines, systems, &version, label);
        for release in &mut releases {
            release.weight = (Found::Table, 0);
            release.arch = processor(label).or_else(|| windows.then(|| windows_processor(label)).flatten());
            release.family.get_or_insert(row.family);
        }
        if !releases.is_empty() {
            return releases;
        }
    }
    Vec::new()
}

fn windows_processor(label: &str) -> Option<&'static str> {
    let codes = [("_X64", "x86_64"), ("_X86", "i686"), ("_A64", "aarch64"), ("_ARM64", "aarch64")];
    codes.into_iter().find(|(code, _)| label.contains(code)).map(|(_, arch)| arch)
}

impl Row {
    fn releases<'a>(
        &self,
        lines: &Lines,
        systems: &'a [System],
        version: &[&str],
        label: &str,
    ) -> Vec<Release<'a>> {
        let known =
            |id: &str| systems.iter().find(|system| system.short_ids.iter().any(|known| **known == *id));
        let named = |id: &str, name: &str| match known(id) {
            Some(system) => known_release(system),
            None => unknown(id.to_owned(), name.to_owned()),
        };
        match self.means {
            Line(stem, id, name) => match lines.line(stem) {
                Some(line) if !version.is_empty() => line.releases(systems, version, label),
                _ => vec![own(id, name, version)],
            },
            OneOf(all) => all.iter().map(|(id, name)| named(id, name)).collect(),
            Own(id, name) => vec![known(id).map_or_else(|| own(id, name, version), known_release)],
        }
    }
}

fn own<'a>(id: &str, name: &str, version: &[&str]) -> Release<'a> {
    if version.is_empty() {
        return unknown(id.to_owned(), name.to_owned());
    }
    let version = version.join(".");
    unknown(format!("{id}{version}"), format!("{name} {version}"))
}

fn unknown<'a>(id: String, name: String) -> Release<'a> {
    Release {
        named: Named { id, name },
        like: None,
        media: None,
        arch: None,
        family: None,
        newer: true,
        weight: (Found::Table, 0),
    }
}
