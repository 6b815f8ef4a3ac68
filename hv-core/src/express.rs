//! Installing a system without questions: from which media, and what the installer is started with.
//!
//! Only what was tried is offered; whoever would rather be asked makes the guest as usual. What the answers become,
//! `crate::answers` decides; when the installer has finished, the guest's own task finds out.

use crate::answers::{Answers, Debian, Known, System, Usual, preseed};
use crate::files;
use crate::medium::{self, Piece};
use crate::osdb::Identity;
use crate::seed::{SeedError, SeedFile, behind_initrd};
use crate::store;
use hv_api::{Error, Express};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Systems that are offered, by their short ids.
pub const OFFERED: [&str; 1] = ["debian12"];

/// Where Debian's installer is on its discs.
const KERNEL: &str = "install.amd/vmlinuz";
const INITRD: &str = "install.amd/initrd.gz";

/// More than any kernel or initial RAM disk of an installer has, in bytes.
const LARGEST: u64 = 512 << 20;

/// Room for what is read at once, in bytes.
const STEP: usize = 1 << 20;

/// What a disc has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Installer {
    kernel: Piece,
    initrd: Piece,
}

/// A system that is to be installed without questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    disc: PathBuf,
    installer: Installer,
    files: Vec<SeedFile>,
    /// What the installer's kernel is told.
    pub append: String,
}

/// Whether a disc can be installed without questions. `arch` is the processor that it is for.
pub fn offered(
    disc: &mut (impl Read + Seek),
    length: u64,
    identity: &Identity,
    arch: Option<&str>,
) -> Express {
    match installer(disc, length, identity, arch) {
        Ok(_) => Express::Offered,
        Err(reason) => reason,
    }
}

fn installer(
    disc: &mut (impl Read + Seek),
    length: u64,
    identity: &Identity,
    arch: Option<&str>,
) -> Result<Installer, Express> {
    let system = identity.system.as_ref().ok_or(Express::SystemUnknown)?;
    if !OFFERED.contains(&&*system.id) {
        return Err(Express::NotTested);
    }
    if arch.is_some_and(|arch| arch != "x86_64") {
        return Err(Express::WrongProcessor);
    }
    if identity.live == Some(true) {
        return Err(Express::NoInstaller);
    }
    let mut find = |path| {
        let found = medium::find(disc, length, path).ok().flatten();
        found.filter(|piece| (1..=LARGEST).contains(&piece.length)).ok_or(Express::NoInstaller)
    };
    Ok(Installer { kernel: find(KERNEL)?, initrd: find(INITRD)? })
}

/// Plans to install the system on a disc with these answers.
///
/// # Errors
/// [`Error::ExpressNotOffered`], [`Error::AnswerInvalid`], [`Error::FileUnusable`].
pub fn plan(
    disc: &Path,
    identity: &Identity,
    arch: Option<&str>,
    asked: &hv_api::Answers,
    (usual, known): (&Usual, &Known),
) -> Result<Plan, Error> {
    let (mut file, length) = files::open_readable(disc)?;
    let os = identity.system.as_ref().map(|system| system.name.clone()).unwrap_or_default();
    let refused =
        |reason| Error::ExpressNotOffered { path: disc.display().to_string(), reason, os: os.clone() };
    let installer = installer(&mut file, length, identity, arch).map_err(refused)?;
    let answers = Answers::new(asked, System::Linux, usual, known)?;
    let release = identity.system.as_ref().and_then(|system| system.id.strip_prefix("debian")?.parse().ok());
    let debian = Debian { release: release.unwrap_or(12), whole_medium: false };
    Ok(Plan { disc: disc.to_owned(), installer, append: append(&answers), files: preseed(&answers, debian) })
}

/// Language and keyboard are asked for before the list of answers is read, so the kernel is told them too. Its console is
/// the display alone: with a serial one beside it, the installer would show its progress there and nowhere else. The
/// list of answers sends the installer's log to the first serial port.
fn append(answers: &Answers) -> String {
    let (language, layout) = (answers.language(), answers.layout());
    format!("auto=true priority=critical locale={language}.UTF-8 keymap={layout}")
}

/// The installer's kernel and its initial RAM disk with the answers, by their names in the folder that has both.
pub const KERNEL_FILE: &str = "vmlinuz";
/// See [`KERNEL_FILE`].
pub const INITRD_FILE: &str = "initrd.gz";

impl Plan {
    /// Copies the installer's kernel and initial RAM disk into this folder, which is made, with the answers behind the
    /// latter: for this user alone.
    ///
    /// # Errors
    /// [`Error::FileUnusable`], [`Error::StoreFailed`], [`Error::NoSpace`].
    pub fn carry_out(&self, folder: &Path) -> Result<(), Error> {
        let (mut disc, _) = files::open_readable(&self.disc)?;
        let made = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(folder);
        made.map_err(|error| store::failed(folder, &error))?;
        copy(&mut disc, &self.disc, self.installer.kernel, &folder.join(KERNEL_FILE), &[])?;
        let path = folder.join(INITRD_FILE);
        let failed = |error: SeedError| Error::StoreFailed {
            path: path.display().to_string(),
            detail: error.to_string(),
        };
        let answers = behind_initrd(self.installer.initrd.length, &self.files).map_err(failed)?;
        copy(&mut disc, &self.disc, self.installer.initrd, &path, &answers)
    }
}

/// Copies a piece of a disc into a file, and something behind it.
fn copy(disc: &mut File, path: &Path, piece: Piece, to: &Path, behind: &[u8]) -> Result<(), Error> {
    let unreadable = |error: io::Error| Error::FileUnusable {
        path: path.display().to_string(),
        fault: files::fault_of(&error),
        detail: error.to_string(),
    };
    let unwritable = |error: io::Error| store::failed(to, &error);
    let mut new = store::secret_file(to).map_err(unwritable)?;
    disc.seek(SeekFrom::Start(piece.start)).map_err(unreadable)?;
    let mut left = piece.length;
    let mut buffer = vec![0; STEP.min(left as usize)];
    while left > 0 {
        let part = buffer.len().min(left as usize);
        disc.read_exact(&mut buffer[..part]).map_err(unreadable)?;
        new.write_all(&buffer[..part]).map_err(unwritable)?;
        left -= part as u64;
    }
    new.write_all(behind).and_then(|()| new.sync_all()).map_err(unwritable)
}
