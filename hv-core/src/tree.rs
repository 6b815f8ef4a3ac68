//! An install tree in a folder of this computer: its small files, for [`osdb::trees`](crate::osdb::trees).
//!
//! It blocks. Links are followed, as a mounted disc has them; nothing but the start of small files is read.

use crate::osdb::trees::Fetch;
use async_trait::async_trait;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

/// The largest file that is read, in bytes: the manifest of a mirror has 20,000.
const LARGEST: u64 = 256 << 10;

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
        fs::File::open(path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
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
    use crate::osdb::trees::{Found, identify};
    use crate::osdb::{Database, Source};
    use futures_util::FutureExt;

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
        let Some(Found { identity, url_argument }) = found else { return [None; 5] };
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

    #[test]
    fn a_tree_leads_nowhere_else() {
        let text = "[general]\nfamily = X\narch = x86_64\n[images-x86_64]\nkernel = ../../etc/passwd\ninitrd = /etc/passwd\n";
        let found = look(&[(".treeinfo", text)], "", &Database::default()).unwrap();
        assert_eq!((found.identity.kernel, found.identity.initrd), (None, None));
    }
}
