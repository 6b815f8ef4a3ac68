//! Which system an install tree holds, and where its installer's kernel is.
//!
//! A tree is known by a few small files, which are asked for at once ([`Fetch`]): over a network each question takes
//! its time. What they say is hostile: paths in them may not leave the tree.

use super::Database;
use super::media::{Identity, Named};
use super::model::{System, Tree};
use super::pattern::Pattern;
use super::releases::{Release, processor};
use async_trait::async_trait;
use hv_api::Confidence;
use std::collections::HashMap;

/// The files that tell what a tree is, in the order in which they are believed.
pub const MARKERS: [&str; 8] = [
    ".treeinfo",
    "treeinfo",
    "content",
    "current/images/MANIFEST",
    "current/legacy-images/MANIFEST",
    "daily/MANIFEST",
    ".disk/info",
    "VERSION",
];

/// Where lines of systems stand in the database.
const OPENSUSE: &str = "http://opensuse.org/opensuse";
const SLES: &str = "http://suse.com/sles";
const SLED: &str = "http://suse.com/sled";
const DEBIAN: &str = "http://debian.org/debian";
const UBUNTU: &str = "http://ubuntu.com/ubuntu";
const MAGEIA: &str = "http://mageia.org/mageia";

/// Code names of releases that came after some database that is in use.
const CODENAMES: [(&str, &str, &str); 14] = [
    (DEBIAN, "bookworm", "12"),
    (DEBIAN, "trixie", "13"),
    (DEBIAN, "forky", "14"),
    (DEBIAN, "duke", "15"),
    (UBUNTU, "jammy", "22.04"),
    (UBUNTU, "kinetic", "22.10"),
    (UBUNTU, "lunar", "23.04"),
    (UBUNTU, "mantic", "23.10"),
    (UBUNTU, "noble", "24.04"),
    (UBUNTU, "oracular", "24.10"),
    (UBUNTU, "plucky", "25.04"),
    (UBUNTU, "questing", "25.10"),
    (UBUNTU, "resolute", "26.04"),
    (UBUNTU, "focal", "20.04"),
];

/// The release of Ubuntu's that is called so, as `noble`.
pub(super) fn ubuntu_release(word: &str) -> Option<&'static str> {
    CODENAMES.iter().find(|(line, name, _)| *line == UBUNTU && *name == word).map(|(_, _, version)| *version)
}

/// Processors as Debian writes them.
const DEBIAN_PROCESSORS: [&str; 8] =
    ["amd64", "i386", "arm64", "armhf", "ppc64el", "s390x", "riscv64", "mips64el"];

/// Gets small files of a tree, all that are asked for at once.
#[async_trait(?Send)]
pub trait Fetch {
    /// The texts of these files; nothing for one that is not there, is no text or is too large.
    async fn texts(&mut self, paths: &[&str]) -> Vec<Option<String>>;
    /// Which of these files are there.
    async fn exist(&mut self, paths: &[String]) -> Vec<bool>;
}

/// What was found out about an install tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The system, and where its kernel is.
    pub identity: Identity,
    /// What the kernel has to be told to find the tree, without where that is: as `inst.repo`.
    pub url_argument: Option<String>,
    /// What its `treeinfo` says that files contain, each as `sha256:…`, by their paths.
    pub checksums: HashMap<String, String>,
}

/// A pair of a kernel and what is loaded with it.
type Pair = (String, String);

/// Looks at a tree. `location` is its path or address. Nothing where it is no tree.
pub async fn identify(tree: &mut dyn Fetch, location: &str, database: &Database) -> Option<Found> {
    let texts = tree.texts(&MARKERS).await;
    let text = |name: &str| {
        let at = MARKERS.iter().position(|marker| *marker == name)?;
        texts.get(at)?.as_deref()
    };
    if let Some(info) =
        text(".treeinfo").or_else(|| text("treeinfo")).map(TreeInfo::of).filter(TreeInfo::is_any)
    {
        return Some(info.found(database));
    }
    let manifests = [
        ("current/images", text("current/images/MANIFEST")),
        ("current/legacy-images", text("current/legacy-images/MANIFEST")),
        ("daily", text("daily/MANIFEST")),
    ];
    let disk_info = text(".disk/info");
    let (identity, pairs) = if let Some(content) = text("content") {
        suse(content, location, database)?
    } else if let Some((root, manifest)) = manifests.iter().find_map(|(root, text)| Some((*root, (*text)?))) {
        debian_tree(root, manifest, location, database)?
    } else if let Some(info) = disk_info {
        debian_disc(info, database)?
    } else {
        mageia(text("VERSION")?, database)?
    };
    // The first pair of which both are there.
    let paths: Vec<String> =
        pairs.iter().flat_map(|(kernel, initrd)| [kernel.clone(), initrd.clone()]).collect();
    let there = tree.exist(&paths).await;
    let both = there.chunks(2).position(|pair| pair.iter().all(|there| *there) && pair.len() == 2);
    let (kernel, initrd) = both.and_then(|at| pairs.get(at).cloned()).unzip();
    let url_argument = argument(&identity, database);
    let checksums = HashMap::new();
    Some(Found { identity: Identity { kernel, initrd, ..identity }, url_argument, checksums })
}

fn argument(identity: &Identity, database: &Database) -> Option<String> {
    let like = database.find(identity.like.as_deref()?)?;
    database.url_argument(like).map(str::to_owned)
}

/// What a `treeinfo` says.
#[derive(Debug, Default)]
struct TreeInfo {
    sections: HashMap<String, HashMap<String, String>>,
}

impl TreeInfo {
    fn of(text: &str) -> Self {
        let mut info = Self::default();
        let mut section = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                name.trim().clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once(['=', ':'])
                && !line.starts_with(['#', ';'])
            {
                let values = info.sections.entry(section.clone()).or_default();
                values.insert(key.trim().to_owned(), value.trim().to_owned());
            }
        }
        info
    }

    fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.sections.get(section)?.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn is_any(&self) -> bool {
        self.family().is_some()
    }

    fn family(&self) -> Option<&str> {
        self.get("general", "family").or_else(|| self.get("release", "name"))
    }

    fn version(&self) -> Option<&str> {
        self.get("general", "version").or_else(|| self.get("release", "version"))
    }

    fn variant(&self) -> Option<&str> {
        self.get("general", "variant")
    }

    fn arch(&self) -> &str {
        self.get("general", "arch").or_else(|| self.get("tree", "arch")).unwrap_or("i386")
    }

    fn found(&self, database: &Database) -> Found {
        let fits = self.fits(database);
        let mut identity = if fits.iter().any(|(system, _)| !system.is_generic()) {
            known(&fits, database)
        } else {
            self.newer(database, &fits)
        };
        let images = format!("images-{}", self.arch());
        let path = |key| self.get(&images, key).and_then(within).map(str::to_owned);
        identity.kernel = path("kernel").or(identity.kernel);
        identity.initrd = path("initrd").or(identity.initrd);
        // An install tree's own word counts more than where it fits.
        identity.arch = Some(processor(self.arch()).unwrap_or_else(|| self.arch()).to_owned());
        let usual = || {
            let family = self.family().unwrap_or_default();
            let red_hat = ["Fedora", "Red Hat", "RHEL", "CentOS", "AlmaLinux", "Rocky", "Oracle"];
            red_hat.iter().any(|name| family.contains(name)).then(|| "inst.repo".to_owned())
        };
        let url_argument = argument(&identity, database).or_else(usual);
        let checksums = self.sections.get("checksums").cloned().unwrap_or_default();
        Found { identity, url_argument, checksums }
    }

    /// The trees of the database that fit, the likeliest first.
    fn fits<'a>(&self, database: &'a Database) -> Vec<(&'a System, &'a Tree)> {
        let said = [self.family(), self.version(), self.variant(), Some(self.arch())];
        let mut fits: Vec<((usize, usize, bool), &System, &Tree)> = Vec::new();
        for system in database.systems() {
            for tree in &system.trees {
                let Some(info) = &tree.info else { continue };
                let patterns = [&info.family, &info.version, &info.variant, &info.arch];
                let given: Vec<(&Pattern, &str)> = patterns
                    .into_iter()
                    .zip(said)
                    .filter_map(|(pattern, said)| Some((pattern.as_ref()?, said.unwrap_or_default())))
                    .collect();
                if given.is_empty() || !given.iter().all(|(pattern, said)| fits_version(pattern, said)) {
                    continue;
                }
                let whole = given.iter().filter(|(pattern, said)| is_whole(pattern, said)).count();
                fits.push(((whole, given.len(), *tree.arch != *"all"), system, tree));
            }
        }
        let is_fallback =
            |(_, system, tree): &(_, &System, &Tree)| system.is_fallback() || *tree.arch == *"all";
        if !fits.iter().all(is_fallback) {
            fits.retain(|fit| !is_fallback(fit));
        }
        fits.sort_by_key(|(weight, ..)| std::cmp::Reverse(*weight));
        let best = fits.first().map(|(weight, ..)| *weight);
        fits.into_iter()
            .filter(|(weight, ..)| Some(*weight) == best)
            .map(|(_, system, tree)| (system, tree))
            .collect()
    }

    /// A release that the database does not know, of a line whose trees are of the same family.
    fn newer(&self, database: &Database, generic: &[(&System, &Tree)]) -> Identity {
        let family = self.family().unwrap_or_default();
        let variant = self.variant().unwrap_or_default();
        let fits =
            |pattern: &Option<Pattern>, said| pattern.as_ref().is_none_or(|pattern| is_whole(pattern, said));
        let of_family = |system: &System| {
            let infos = system.trees.iter().filter_map(|tree| tree.info.as_ref());
            let fit =
                |info: &super::model::TreeInfo| fits(&info.family, family) && fits(&info.variant, variant);
            infos.filter(|info| fit(info)).map(|info| usize::from(info.variant.is_some()) + 1).max()
        };
        let mut lines: Vec<(usize, &str)> = Vec::new();
        for system in database.systems() {
            let (Some(weight), Some((stem, _))) = (of_family(system), system.id.rsplit_once('/')) else {
                continue;
            };
            match lines.iter_mut().find(|(_, known)| *known == stem) {
                Some((known, _)) => *known = weight.max(*known),
                None => lines.push((weight, stem)),
            }
        }
        // Of a family that is written in a new way, what it is made of.
        let by_name = || {
            let family = family.to_lowercase();
            let known = [
                ("fedora", "http://fedoraproject.org/fedora"),
                ("red hat enterprise linux", "http://redhat.com/rhel"),
                ("rhel", "http://redhat.com/rhel"),
                ("centos stream", "http://centos.org/centos-stream"),
                ("centos", "http://centos.org/centos"),
                ("scientific", "http://scientificlinux.org/scientificlinux"),
                ("almalinux", "http://almalinux.org/almalinux"),
                ("rocky", "http://rockylinux.org/rocky"),
                ("oracle", "http://oracle.com/ol"),
                ("opensuse", OPENSUSE),
                ("suse linux enterprise desktop", SLED),
                ("suse linux enterprise", "http://suse.com/sle"),
            ];
            known.into_iter().find(|(name, _)| family.contains(name)).map(|(_, stem)| (0, stem))
        };
        lines.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let numbers: Vec<&str> = self.version().unwrap_or_default().split(['.', '-']).collect();
        let releases = lines.into_iter().chain(by_name()).map(|(_, stem)| release(database, stem, &numbers));
        let mut identity = match releases.flatten().next() {
            Some(release) => of_release(release),
            None if generic.is_empty() => Identity { family: self.is_linux(), ..Identity::default() },
            None => return known(generic, database),
        };
        let general = generic.iter().map(|(system, _)| Named::of(system));
        identity.candidates.extend(general);
        identity
    }

    fn is_linux(&self) -> Option<String> {
        self.family().map(|_| "linux".to_owned())
    }
}

/// Whether the beginning matches, and a number does not go on behind it: `5.1` is not 5.10.
fn fits_version(pattern: &Pattern, said: &str) -> bool {
    let Some(groups) = pattern.captures(said) else { return false };
    let end = groups.get(0).map_or(0, |whole| whole.end());
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    !(digit(said[..end].chars().next_back()) && digit(said[end..].chars().next()))
}

fn is_whole(pattern: &Pattern, said: &str) -> bool {
    pattern.captures(said).and_then(|groups| groups.get(0)).is_some_and(|whole| whole.end() == said.len())
}

/// A path in the tree; nothing for one that leads out of it.
fn within(path: &str) -> Option<&str> {
    let path = path.trim_start_matches("./");
    let inside = !path.is_empty()
        && !path.starts_with('/')
        && path.len() <= 256
        && path.split('/').all(|part| part != "..")
        && !path.contains(char::is_control);
    inside.then_some(path)
}

/// What the database knows of trees that fit alike.
fn known(fits: &[(&System, &Tree)], database: &Database) -> Identity {
    let Some((system, tree)) = fits.first() else { return Identity::default() };
    let mut names: Vec<Named> = Vec::new();
    for named in fits.iter().map(|(system, _)| Named::of(system)) {
        if !names.contains(&named) {
            names.push(named);
        }
    }
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let certain = names.len() == 1;
    Identity {
        system: certain.then(|| Named::of(system)),
        candidates: if certain { Vec::new() } else { names },
        like: Some(system.short_id().to_owned()),
        family: database.family(system).map(str::to_owned),
        variants: tree.variants.iter().map(ToString::to_string).collect(),
        kernel: text(&tree.kernel),
        initrd: text(&tree.initrd),
        installer: Some(true),
        live: Some(false),
        confidence: Confidence::Exact,
        newer: system.is_generic(),
        ..Identity::default()
    }
}

/// The release of a line with these numbers.
fn release<'a>(database: &'a Database, stem: &str, numbers: &[&str]) -> Option<Release<'a>> {
    let all_numbers =
        numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    let mut found =
        if all_numbers { database.lines().of_line(database.systems(), stem, numbers) } else { Vec::new() };
    // A label that says less than the version is the first such release.
    if found.len() > 1 { found.pop() } else { found.into_iter().next() }
}

fn of_release(release: Release<'_>) -> Identity {
    Identity {
        family: Some(release.like.and_then(|like| like.family.as_deref()).unwrap_or("linux").to_owned()),
        like: release.like.map(|like| like.short_id().to_owned()),
        system: Some(release.named),
        installer: Some(true),
        live: Some(false),
        confidence: if release.newer { Confidence::Probable } else { Confidence::Exact },
        newer: release.newer,
        ..Identity::default()
    }
}

/// Trees of SUSE until 2017, by their `content`.
fn suse(content: &str, location: &str, database: &Database) -> Option<(Identity, Vec<Pair>)> {
    let value = |wanted: &str| {
        let mut lines = content.lines().filter_map(|line| line.split_once(char::is_whitespace));
        lines.find(|(key, _)| *key == wanted).map(|(_, value)| value.trim())
    };
    let distro = value("DISTRO");
    let product = value("LABEL").or_else(|| distro?.rsplit_once(',').map(|(_, name)| name))?;
    let stem = if product.contains("openSUSE") {
        OPENSUSE
    } else if product.contains("Desktop") {
        SLED
    } else if product.contains("SUSE") {
        SLES
    } else {
        return None;
    };
    let version = value("VERSION").map(|version| version.split('-').next().unwrap_or(version).to_owned());
    let version = version.or_else(|| {
        let (_, version) = distro?.split_once("opensuse:opensuse:")?;
        Some(version.split(',').next().unwrap_or(version).to_owned())
    });
    // `SUSE Linux Enterprise Server 11 SP4`: the service pack is the second number.
    let words: Vec<&str> = product.split_whitespace().collect();
    let pack = words
        .iter()
        .find_map(|word| word.strip_prefix("SP"))
        .filter(|pack| pack.bytes().all(|b| b.is_ascii_digit()));
    let numbers: Vec<String> =
        match (stem == OPENSUSE, words.iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))) {
            (false, Some(major)) => {
                [Some((*major).to_owned()), pack.map(str::to_owned)].into_iter().flatten().collect()
            }
            _ => version.unwrap_or_default().split('.').map(str::to_owned).collect(),
        };
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let tumbleweed = || database.find("opensusetumbleweed").filter(|_| product.contains("Tumbleweed"));
    let mut identity = match tumbleweed() {
        Some(system) => Identity {
            system: Some(Named::of(system)),
            like: Some(system.short_id().to_owned()),
            family: Some("linux".into()),
            confidence: Confidence::Exact,
            ..Identity::default()
        },
        None => release(database, stem, &numbers).map(of_release).unwrap_or_default(),
    };
    let arch = value("BASEARCHS").or_else(|| value("DEFAULTBASE"));
    let arch = arch.and_then(|arch| arch.split_whitespace().next());
    let arch = arch.or_else(|| {
        value("REPOID")
            .and_then(|repo| repo.rsplit_once('/'))
            .map(|(_, last)| last.rsplit('-').next().unwrap_or(last))
    });
    let arch = arch.unwrap_or(if location.contains("x86_64") { "x86_64" } else { "i586" });
    let plain = if arch.starts_with('i') && arch.ends_with("86") { "i386" } else { arch };
    identity.arch = Some(processor(plain).unwrap_or(plain).to_owned());
    let wide = if arch == "x86_64" { "64" } else { "" };
    let pair = |kernel: String, initrd: String| (kernel, initrd);
    let pairs = vec![
        pair("boot/s390x/vmrdr.ikr".into(), "boot/s390x/initrd".into()),
        pair("suseboot/linux64".into(), "suseboot/initrd64".into()),
        pair(format!("boot/{plain}/linux"), format!("boot/{plain}/initrd")),
        pair(format!("boot/loader/linux{wide}"), format!("boot/loader/initrd{wide}")),
        pair(format!("boot/{plain}/loader/linux"), format!("boot/{plain}/loader/initrd")),
    ];
    within(plain).map(|_| (identity, pairs))
}

/// The release with a code name, of Debian or Ubuntu.
fn by_codename(database: &Database, stem: &str, codename: &str) -> Option<Identity> {
    let first = |name: &str| name.split_whitespace().next().map(str::to_lowercase);
    let mut systems = database.systems().iter().filter(|system| {
        system.id.rsplit_once('/').is_some_and(|(line, _)| line == stem)
            && system.codename.as_deref().and_then(first).as_deref() == Some(codename)
    });
    if let Some(system) = systems.next() {
        let confidence = Confidence::Exact;
        let family = database.family(system).map(str::to_owned);
        let (system, like) = (Some(Named::of(system)), Some(system.short_id().to_owned()));
        return Some(Identity { system, like, family, confidence, ..Identity::default() });
    }
    let (.., version) = CODENAMES.iter().find(|(line, name, _)| *line == stem && *name == codename)?;
    let numbers: Vec<&str> = version.split('.').collect();
    release(database, stem, &numbers).map(of_release)
}

/// Mirrors of Debian, and of Ubuntu until 20.04.
fn debian_tree(
    root: &str,
    manifest: &str,
    location: &str,
    database: &Database,
) -> Option<(Identity, Vec<Pair>)> {
    let lower = manifest.to_lowercase();
    let (stem, name) = if lower.contains("ubuntu") {
        (UBUNTU, "ubuntu")
    } else if lower.contains("debian") {
        (DEBIAN, "debian")
    } else {
        return None;
    };
    let parts = || location.split('/').filter(|part| !part.is_empty());
    let known = parts().find_map(|part| by_codename(database, stem, part));
    let testing = || {
        let system = database.find("debiantesting").filter(|_| root == "daily")?;
        Some(Identity {
            system: Some(Named::of(system)),
            like: Some(system.short_id().to_owned()),
            ..Identity::default()
        })
    };
    let mut identity = known.or_else(testing).unwrap_or_default();
    identity.family.get_or_insert_with(|| "linux".into());
    // What the folder is called, else what the tree lists.
    let named = || {
        parts()
            .filter_map(|part| part.strip_prefix("installer-"))
            .find(|arch| DEBIAN_PROCESSORS.contains(arch))
    };
    let listed =
        || DEBIAN_PROCESSORS.into_iter().find(|arch| manifest.contains(&format!("{name}-installer/{arch}/")));
    let arch = named().or_else(listed);
    let all: Vec<&str> = arch.map_or_else(|| DEBIAN_PROCESSORS.to_vec(), |arch| vec![arch]);
    identity.arch = arch.map(|arch| processor(arch).unwrap_or(arch).to_owned());
    let pairs = all
        .into_iter()
        .flat_map(|arch| {
            let linux = if arch == "ppc64el" { "vmlinux" } else { "linux" };
            let folder = format!("{root}/netboot/{name}-installer/{arch}");
            [
                (format!("{folder}/{linux}"), format!("{folder}/initrd.gz")),
                (format!("{root}/generic/kernel.{name}"), format!("{root}/generic/initrd.{name}")),
                (format!("{root}/netboot/vmlinuz"), format!("{root}/netboot/initrd.gz")),
            ]
        })
        .collect();
    Some((identity, pairs))
}

/// The unpacked disc of a Debian or Ubuntu: `Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST …`.
pub fn debian_disc(info: &str, database: &Database) -> Option<(Identity, Vec<Pair>)> {
    let info: String = info.lines().next()?.chars().take(200).collect();
    let stem = if info.contains("Debian") {
        DEBIAN
    } else if info.contains("buntu") {
        UBUNTU
    } else {
        return None;
    };
    let words: Vec<&str> = info.split_whitespace().collect();
    let version = words.iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let mut numbers: Vec<&str> = version.map(|version| version.split('.').collect()).unwrap_or_default();
    numbers.truncate(if stem == DEBIAN { 1 } else { 2 });
    let quoted =
        info.split('"').nth(1).and_then(|name| name.split_whitespace().next()).map(str::to_lowercase);
    let by_name = || quoted.as_deref().and_then(|codename| by_codename(database, stem, codename));
    let by_number = || release(database, stem, &numbers).map(of_release);
    let mut identity = by_number().or_else(by_name).unwrap_or_default();
    identity.family.get_or_insert_with(|| "linux".into());
    let arch = words.iter().rev().find(|word| DEBIAN_PROCESSORS.contains(word)).copied();
    identity.arch = arch.map(|arch| processor(arch).unwrap_or(arch).to_owned());
    let pair = |kernel: &str, initrd: &str| (kernel.to_owned(), initrd.to_owned());
    let own = match arch {
        Some("amd64") => "install.amd/vmlinuz",
        Some("i386") => "install.386/vmlinuz",
        Some("arm64") => "install.a64/vmlinuz",
        Some("armhf") => "install.ahf/vmlinuz",
        Some("ppc64el" | "riscv64") => "install/vmlinux",
        _ => "install/vmlinuz",
    };
    let folder = own.rsplit_once('/').map_or("install", |(folder, _)| folder);
    let pairs = vec![
        (own.to_owned(), format!("{folder}/initrd.gz")),
        pair("boot/linux_vm", "boot/root.bin"),
        pair("boot/kernel.ubuntu", "boot/initrd.ubuntu"),
        pair("install/vmlinuz", "install/initrd.gz"),
        pair("casper/vmlinuz", "casper/initrd"),
        pair("casper/vmlinux", "casper/initrd"),
        pair("casper/vmlinuz", "casper/initrd.lz"),
        pair("casper/vmlinuz.efi", "casper/initrd.lz"),
        pair("install/gtk/vmlinuz", "install/gtk/initrd.gz"),
        pair("live/vmlinuz", "live/initrd.img"),
    ];
    Some((identity, pairs))
}

/// Trees of Mageia, by their `VERSION`: `Mageia 9 Release for x86_64`.
fn mageia(version: &str, database: &Database) -> Option<(Identity, Vec<Pair>)> {
    let mut words = version.lines().next()?.split_whitespace();
    let (Some("Mageia"), Some(number)) = (words.next(), words.next()) else { return None };
    let mut identity = release(database, MAGEIA, &[number]).map(of_release)?;
    let arch = words.find_map(processor);
    identity.arch = arch.map(str::to_owned);
    let folders = match arch {
        Some("x86_64") => vec!["x86_64"],
        Some(_) => vec!["i386", "i586"],
        None => vec!["x86_64", "i386", "i586"],
    };
    let mut pairs: Vec<Pair> = folders
        .into_iter()
        .map(|arch| (format!("isolinux/{arch}/vmlinuz"), format!("isolinux/{arch}/all.rdz")))
        .collect();
    pairs.push(("boot/vmlinuz".into(), "boot/all.rdz".into()));
    pairs.push(("boot/vmlinuz".into(), "boot/initrd.img".into()));
    Some((identity, pairs))
}
