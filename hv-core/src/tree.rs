//! Install trees: what one is that lies in a folder of this computer or on a server, by its small files
//! ([`osdb::trees`](crate::osdb::trees) decides), its installer's kernel ([`get`]), what that is told, and how a folder
//! is served to the guest that installs from it ([`serve`]).
//!
//! Of a folder, links are followed while it is looked at, as a mounted disc has them; nothing but the start of small
//! files is read then. What a guest is given is within the folder.

mod checksum;
pub mod get;
mod place;
mod remote;
pub mod serve;

pub use place::{Place, without_password};

use crate::files;
use crate::osdb::Database;
use crate::osdb::trees::{self, Fetch, Found};
use async_trait::async_trait;
use checksum::Checksum;
use futures_util::FutureExt;
use hv_api::{Error, TreeFault};
use remote::Remote;
use reqwest::Url;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest small file that is read, in bytes: the manifest of a mirror has 20,000, its list of checksums 60,000.
const LARGEST: u64 = 256 << 10;

/// Processors for which guests can be made here.
const PROCESSORS: [&str; 2] = ["x86_64", "i686"];

/// What is wrong with a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: TreeFault,
    file: String,
    detail: String,
}

impl Fault {
    fn new(kind: TreeFault, file: &str, detail: &str) -> Self {
        Self { kind, file: file.to_owned(), detail: detail.to_owned() }
    }

    fn into_error(self, location: &str) -> Error {
        let Self { kind: fault, file, detail } = self;
        Error::TreeUnusable { location: location.to_owned(), fault, file, detail }
    }
}

/// An install tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Where it is.
    pub place: Place,
    /// What is in it.
    pub found: Found,
    /// What its files are to contain.
    checksums: HashMap<String, Checksum>,
}

/// Looks at a tree.
///
/// # Errors
/// [`Error::TreeUnusable`] with what is wrong.
pub async fn look(place: Place, database: Arc<Database>) -> Result<Tree, Error> {
    let (shown, text) = (place.shown(), place.text());
    match place.clone() {
        Place::Folder(path) => {
            let look = move || {
                let mut folder = Folder { path };
                // A folder is never waited for.
                let found = trees::identify(&mut folder, &text, &database).now_or_never().flatten();
                let Some(found) = found else { return Err(no_tree(&[]).into_error(&shown)) };
                let list = list_of(&found).and_then(|list| folder.text(&list));
                Ok(Tree::new(place, found, list.as_deref()))
            };
            files::off_thread(look).await
        }
        Place::Address(_) => {
            let mut remote = Remote::new(place.clone()).await?;
            let Some(found) = trees::identify(&mut remote, &text, &database).await else {
                return Err(no_tree(&remote.faults).into_error(&shown));
            };
            if found.identity.kernel.is_none()
                && let Some(fault) = remote.faults.first()
            {
                return Err(fault.clone().into_error(&shown));
            }
            let list = match list_of(&found) {
                Some(list) => remote.text(&list).await.map_err(|fault| fault.into_error(&shown))?,
                None => None,
            };
            Ok(Tree::new(place, found, list.as_deref()))
        }
    }
}

/// Why no tree was found: what went wrong first, or that nothing did.
fn no_tree(faults: &[Fault]) -> Fault {
    let nothing =
        || Fault::new(TreeFault::NotATree, "", &format!("looked for {}", trees::MARKERS.join(", ")));
    faults.first().cloned().unwrap_or_else(nothing)
}

/// The list of checksums that Debian puts beside the images of its installer.
fn list_of(found: &Found) -> Option<String> {
    let (root, _) = split_images(found.identity.kernel.as_deref()?)?;
    Some(format!("{root}/SHA256SUMS"))
}

/// The folder with the images of Debian's installer, and the path in it.
fn split_images(path: &str) -> Option<(&str, &str)> {
    let roots = ["current/images", "current/legacy-images", "daily"];
    roots.into_iter().find_map(|root| Some((root, path.strip_prefix(root)?.strip_prefix('/')?)))
}

impl Tree {
    fn new(place: Place, found: Found, list: Option<&str>) -> Self {
        let identity = &found.identity;
        let listed = |path: &str| Checksum::in_list(list?, split_images(path)?.1);
        let said = |path: &str| Checksum::of_word(found.checksums.get(path)?);
        let files = identity.kernel.iter().chain(&identity.initrd);
        let checksums = files.filter_map(|path| Some((path.clone(), said(path).or_else(|| listed(path))?)));
        Self { place, checksums: checksums.collect(), found }
    }

    fn checksum(&self, path: &str) -> Option<&Checksum> {
        self.checksums.get(path)
    }

    /// Makes sure that a guest can be installed from it here.
    ///
    /// # Errors
    /// [`Error::TreeUnusable`].
    pub fn check(&self) -> Result<(), Error> {
        let identity = &self.found.identity;
        let wrong = |kind, detail: &str| Err(Fault::new(kind, "", detail).into_error(&self.place.shown()));
        match &identity.arch {
            Some(arch) if !PROCESSORS.contains(&arch.as_str()) => wrong(TreeFault::Processor, arch),
            _ if identity.kernel.is_none() || identity.initrd.is_none() => wrong(TreeFault::NoKernel, ""),
            _ => Ok(()),
        }
    }

    /// What its kernel is told. Where the tree is in a folder, what only its server knows is left open, for
    /// [`serve::Serving::fill`]. The screen stays the main console, as installers with pictures need it; `added` comes
    /// last and so counts more.
    pub fn append(&self, serial: bool, added: Option<&str>) -> String {
        let mut words = Vec::new();
        if serial {
            words.push("console=ttyS0 console=tty0".to_owned());
        }
        words.extend(self.found.url_argument.iter().map(|argument| format!("{argument}={TREE}")));
        let is_debian = self.found.identity.kernel.as_deref().and_then(split_images).is_some();
        let mirror = self.place.mirror().filter(|_| is_debian);
        let scheme = match &self.place {
            Place::Address(url) => url.scheme(),
            Place::Folder(_) => "http",
        };
        if mirror.is_some() {
            // It asks for a mirror otherwise.
            words.push(format!("mirror/country=manual mirror/protocol={scheme}"));
            words.push(format!(
                "mirror/{scheme}/hostname={HOST} mirror/{scheme}/directory={MIRROR} mirror/{scheme}/proxy="
            ));
        }
        words.extend(added.map(str::to_owned));
        let append = words.join(" ");
        match (&self.place, mirror) {
            (Place::Folder(_), _) => append,
            (Place::Address(url), mirror) => {
                let mirror = match &mirror {
                    Some((Place::Address(mirror), _)) => mirror,
                    _ => url,
                };
                let (url, mirror) = (seen_by_guest(url), seen_by_guest(mirror));
                let port = mirror.port().map(|port| format!(":{port}")).unwrap_or_default();
                let host = format!("{}{port}", mirror.host_str().unwrap_or_default());
                fill(&append, url.as_str(), &host, mirror.path())
            }
        }
    }
}

/// The same address to a guest with a network in user mode: this computer itself is somewhere else to it.
fn seen_by_guest(url: &Url) -> Url {
    let mut url = url.clone();
    let is_here = match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback()),
        None => false,
    };
    if is_here {
        // It had a host before, and so can have another.
        let _ = url.set_host(Some(serve::HOST));
    }
    url
}

/// What is left open in the words for a kernel: the address of the tree, the host of its mirror, and where on it that is.
const TREE: &str = "{tree}";
const HOST: &str = "{host}";
const MIRROR: &str = "{mirror}";

fn fill(append: &str, tree: &str, host: &str, mirror: &str) -> String {
    append.replace(TREE, tree).replace(HOST, host).replace(MIRROR, mirror)
}

/// Opens a file of a folder for reading, and nothing that is outside of it or no file.
fn beneath(root: &Path, path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(root, flags, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = File::from(rustix::fs::openat2(folder, path, flags, Mode::empty(), within)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// A folder.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
}

impl Folder {
    fn text(&self, path: &str) -> Option<String> {
        let path = self.path.join(path);
        // A pipe would be waited for.
        let found = fs::metadata(&path).ok().filter(|found| found.is_file() && found.len() <= LARGEST)?;
        let mut bytes = Vec::with_capacity(found.len() as usize);
        File::open(path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
        // Old ones are in Latin-1; what matters in them is not.
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[async_trait(?Send)]
impl Fetch for Folder {
    async fn texts(&mut self, paths: &[&str]) -> Vec<Option<String>> {
        paths.iter().map(|path| self.text(path)).collect()
    }

    async fn exist(&mut self, paths: &[String]) -> Vec<bool> {
        paths.iter().map(|path| self.path.join(path).is_file()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::osdb::trees::identify;
    use crate::osdb::{Identity, Source};

    fn look(files: &[(&str, &str)], below: &str, database: &Database) -> Option<Found> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(below);
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir_all(&root).unwrap();
        let location = root.display().to_string();
        identify(&mut Folder { path: root }, &location, database).now_or_never().unwrap()
    }

    fn parts(found: Option<&Found>) -> [Option<&str>; 5] {
        let Some(Found { identity, url_argument, .. }) = found else { return [None; 5] };
        [
            identity.system.as_ref().map(|system| system.id.as_str()),
            identity.arch.as_deref(),
            identity.kernel.as_deref(),
            identity.initrd.as_deref(),
            url_argument.as_deref(),
        ]
    }

    #[test]
    fn trees_of_every_kind_are_known() {
        let database = Source::from_env().get();
        if database.is_empty() {
            eprintln!("skipped: osinfo-db is not installed");
            return;
        }
        let treeinfo = |family: &str, version: &str, arch: &str| {
            format!(
                "[general]\nfamily = {family}\nversion = {version}\narch = {arch}\n\
                 [images-{arch}]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n"
            )
        };
        let pxe = [Some("images/pxeboot/vmlinuz"), Some("images/pxeboot/initrd.img"), Some("inst.repo")];
        for (family, version, arch, id) in [
            ("Fedora", "37", "x86_64", "fedora37"),
            ("Fedora", "43", "aarch64", "fedora43"),
            ("Red Hat Enterprise Linux", "8.10.0", "x86_64", "rhel8.10"),
            ("Red Hat Enterprise Linux", "10.0", "x86_64", "rhel10.0"),
            ("CentOS Stream", "10", "x86_64", "centos-stream10"),
            ("AlmaLinux", "9", "x86_64", "almalinux9"),
            ("Rocky Linux", "10", "x86_64", "rocky10"),
        ] {
            let found = look(&[(".treeinfo", &treeinfo(family, version, arch))], "", &database);
            assert_eq!(
                parts(found.as_ref()),
                [Some(id), Some(arch), pxe[0], pxe[1], pxe[2]],
                "{family} {version}"
            );
        }
        let old = look(&[("treeinfo", &treeinfo("CentOS", "5.10", "i386"))], "", &database);
        assert_eq!(parts(old.as_ref())[..2], [Some("centos5.10"), Some("i686")]);

        let manifest = "netboot/debian-installer/amd64/linux -- kernel\nDebian";
        let files = [
            ("current/images/MANIFEST", manifest),
            ("current/images/netboot/debian-installer/amd64/linux", "k"),
            ("current/images/netboot/debian-installer/amd64/initrd.gz", "i"),
        ];
        for (below, id) in [
            ("dists/trixie/main/installer-amd64", Some("debian13")),
            ("dists/bullseye/x", Some("debian11")),
            ("x", None),
        ] {
            let found = look(&files, below, &database);
            let kernel = "current/images/netboot/debian-installer/amd64/linux";
            assert_eq!(parts(found.as_ref())[..3], [id, Some("x86_64"), Some(kernel)], "{below}");
        }
        let info =
            "Debian GNU/Linux 12.5.0 \"Bookworm\" - Official amd64 NETINST with firmware 20240210-11:27";
        let disc = [(".disk/info", info), ("install.amd/vmlinuz", "k"), ("install.amd/initrd.gz", "i")];
        let expected = [
            Some("debian12"),
            Some("x86_64"),
            Some("install.amd/vmlinuz"),
            Some("install.amd/initrd.gz"),
            None,
        ];
        assert_eq!(parts(look(&disc, "", &database).as_ref()), expected);
        let info = "Ubuntu-Server 24.04.1 LTS \"Noble Numbat\" - Release amd64 (20240827)";
        let disc = [(".disk/info", info), ("casper/vmlinuz", "k"), ("casper/initrd", "i")];
        let expected =
            [Some("ubuntu24.04"), Some("x86_64"), Some("casper/vmlinuz"), Some("casper/initrd"), None];
        assert_eq!(parts(look(&disc, "", &database).as_ref()), expected);

        let content = "CONTENTSTYLE 11\nLABEL SUSE Linux Enterprise Server 11 SP4\nVERSION 11.4-1.109\nBASEARCHS x86_64\n";
        let suse =
            [("content", content), ("boot/x86_64/loader/linux", "k"), ("boot/x86_64/loader/initrd", "i")];
        let expected = [
            Some("sles11sp4"),
            Some("x86_64"),
            Some("boot/x86_64/loader/linux"),
            Some("boot/x86_64/loader/initrd"),
        ];
        assert_eq!(parts(look(&suse, "", &database).as_ref())[..4], expected);
        let mageia = [
            ("VERSION", "Mageia 9 Release for x86_64\n"),
            ("isolinux/x86_64/vmlinuz", "k"),
            ("isolinux/x86_64/all.rdz", "i"),
        ];
        let expected = [
            Some("mageia9"),
            Some("x86_64"),
            Some("isolinux/x86_64/vmlinuz"),
            Some("isolinux/x86_64/all.rdz"),
        ];
        assert_eq!(parts(look(&mageia, "", &database).as_ref())[..4], expected);
        assert_eq!(look(&[("README", "nothing")], "", &database), None);
    }

    fn tree(place: &str, kernel: &str, url_argument: Option<&str>) -> Tree {
        let identity = Identity { kernel: Some(kernel.into()), ..Identity::default() };
        let url_argument = url_argument.map(str::to_owned);
        let found = Found { identity, url_argument, checksums: HashMap::new() };
        Tree::new(Place::of(place).unwrap(), found, None)
    }

    #[test]
    fn an_installer_is_told_where_its_tree_is() {
        let fedora = tree("https://u:p@h.example/fedora/os", "images/pxeboot/vmlinuz", Some("inst.repo"));
        let expected = "console=ttyS0 console=tty0 inst.repo=https://u:p@h.example/fedora/os/ quiet";
        assert_eq!(fedora.append(true, Some("quiet")), expected);
        let kernel = "current/images/netboot/debian-installer/amd64/linux";
        let debian = tree("http://h:8080/debian/dists/bookworm/main/installer-amd64", kernel, None);
        let expected = "mirror/country=manual mirror/protocol=http mirror/http/hostname=h:8080 \
            mirror/http/directory=/debian/ mirror/http/proxy=";
        assert_eq!(debian.append(false, None), expected);
        let here = tree("http://localhost:8000/os", "images/pxeboot/vmlinuz", Some("inst.repo"));
        assert_eq!(here.append(false, None), "inst.repo=http://10.0.2.2:8000/os/");
        let folder = tree("/srv/os", "images/pxeboot/vmlinuz", Some("inst.repo"));
        assert_eq!(folder.append(false, None), "inst.repo={tree}");
        let alone = tree("http://h/installer-amd64", kernel, None);
        assert_eq!(alone.append(false, None), "");
    }

    #[test]
    fn only_what_is_within_a_folder_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        fs::create_dir_all(root.join("images")).unwrap();
        fs::write(folder.path().join("secret"), "x").unwrap();
        fs::write(root.join("images/linux"), "k").unwrap();
        std::os::unix::fs::symlink("images/linux", root.join("inside")).unwrap();
        std::os::unix::fs::symlink("../secret", root.join("outside")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("absolute")).unwrap();
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        for (path, opens) in [
            ("images/linux", true),
            ("inside", true),
            ("outside", false),
            ("absolute", false),
            ("loop", false),
            ("../secret", false),
            ("images/../../secret", false),
            ("/etc/passwd", false),
            ("images", false),
            ("", false),
        ] {
            assert_eq!(beneath(&root, Path::new(path)).is_ok(), opens, "{path}");
        }
    }

    #[test]
    fn a_tree_leads_nowhere_else() {
        let text = "[general]\nfamily = X\narch = x86_64\n[images-x86_64]\nkernel = ../../etc/passwd\ninitrd = /etc/passwd\n";
        let found = look(&[(".treeinfo", text)], "", &Database::default()).unwrap();
        assert_eq!((found.identity.kernel, found.identity.initrd), (None, None));
    }
}
