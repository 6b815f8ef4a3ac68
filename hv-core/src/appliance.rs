//! Appliances: machines as they are handed on, a description (OVF) with the disks that belong to it, in a folder or
//! packed into one archive (OVA).
//!
//! What an appliance consists of is known from its headers; its disks are read where they are, and nothing is unpacked.
//! All of it is hostile: what it names is looked for in it and nowhere else, and what it claims is held against what is
//! there. What its machines would be here, [`crate::import`] says.

mod archive;
mod manifest;
pub mod ovf;
pub mod systems;

pub use manifest::{Algorithm, Expected};

use crate::files;
use crate::storage::{Part, Source, followed};
use archive::Member;
use hv_api::{ApplianceFault, ByteSize, Error, FileFault};
use ovf::Description;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

/// The longest description and the longest manifest that are read. Large ones have some hundred kilobytes.
const LONGEST_TEXT: u64 = 1 << 20;

/// As much as shows what a file is.
const HEAD: u64 = 4 << 10;

/// An appliance.
#[derive(Debug)]
pub struct Appliance {
    path: PathBuf,
    place: Place,
    /// What it says.
    pub description: Description,
}

/// Where its files are.
#[derive(Debug)]
enum Place {
    /// Packed into one; the description comes first.
    Archive(Vec<Member>),
    /// In a folder, with nothing in its path that leads elsewhere.
    Folder(PathBuf),
}

impl Appliance {
    /// Looks at a file; nothing where it is no appliance.
    ///
    /// # Errors
    /// [`Error::FileUnusable`] where it can't be read, or is one that is damaged.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        let (mut file, length) = files::open_readable(path)?;
        let head = head(&mut file).map_err(|error| unreadable(path, &error))?;
        if archive::is_archive(&head) {
            return Self::open_archive(path, file, length);
        }
        let named = has_ending(&path.to_string_lossy(), "ovf");
        let text = String::from_utf8_lossy(&head);
        let is_xml = text.trim_start_matches('\u{feff}').trim_start().starts_with('<');
        if !is_xml || !(named || text.contains("Envelope")) {
            return Ok(None);
        }
        let description = Self::describe(path, file, length)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let folder = folder.canonicalize().map_err(|error| unreadable(path, &error))?;
        Ok(Some(Self { path: path.to_owned(), place: Place::Folder(folder), description }))
    }

    fn open_archive(path: &Path, mut file: File, length: u64) -> Result<Option<Self>, Error> {
        let members = archive::members(&mut file, length);
        let is_named = has_ending(&path.to_string_lossy(), "ova");
        let described = members.as_ref().is_ok_and(|all| all.first().is_some_and(Member::is_description));
        if !described && !is_named {
            return Ok(None);
        }
        let members = members.map_err(|detail| wrong(path, detail))?;
        let first = members.first().filter(|first| first.is_description());
        let first =
            first.ok_or_else(|| wrong(path, "the first file in it is no description (.ovf)".into()))?;
        let (window, length) = first.source(path).open()?;
        let description = Self::describe(path, window, length)?;
        Ok(Some(Self { path: path.to_owned(), place: Place::Archive(members), description }))
    }

    fn describe(path: &Path, file: impl Read, length: u64) -> Result<Description, Error> {
        if length > LONGEST_TEXT {
            return Err(wrong(path, "its description is too long".into()));
        }
        let mut text = String::new();
        let read = file.take(LONGEST_TEXT).read_to_string(&mut text);
        read.map_err(|error| wrong(path, format!("its description is no text: {error}")))?;
        ovf::read(&text).map_err(|detail| wrong(path, detail))
    }

    /// Whether it is packed into one file.
    pub fn is_archive(&self) -> bool {
        matches!(self.place, Place::Archive(_))
    }

    /// Where a file is that it names.
    ///
    /// # Errors
    /// [`Error::ApplianceFileUnusable`].
    pub fn find(&self, name: &str) -> Result<Source, Error> {
        let unusable = |fault| Error::ApplianceFileUnusable {
            path: self.path.display().to_string(),
            file: name.to_owned(),
            fault,
        };
        if self.description.files.iter().any(|file| file.is_chunked && file.href == name) {
            return Err(unusable(ApplianceFault::InPieces));
        }
        let decoded = percent_decoded(name);
        let tried = [Some(name), decoded.as_deref()].into_iter().flatten().map(|name| self.look_for(name));
        let mut last = ApplianceFault::Missing;
        for found in tried {
            match found {
                Ok(source) => return Ok(source),
                Err(fault) => last = fault,
            }
        }
        Err(unusable(last))
    }

    fn look_for(&self, name: &str) -> Result<Source, ApplianceFault> {
        if name.contains("://") {
            return Err(ApplianceFault::Remote);
        }
        let name = name.strip_prefix("./").unwrap_or(name);
        if name.starts_with('/') || name.split('/').any(|part| part == "..") {
            return Err(ApplianceFault::Outside);
        }
        match &self.place {
            Place::Archive(members) => {
                let found = members.iter().find(|member| member.name == name);
                found.map(|member| member.source(&self.path)).ok_or(ApplianceFault::Missing)
            }
            Place::Folder(folder) => {
                // A link may lead out of the folder.
                let found = folder.join(name).canonicalize().map_err(|_missing| ApplianceFault::Missing)?;
                if !found.starts_with(folder) {
                    return Err(ApplianceFault::Outside);
                }
                if found.is_file() { Ok(Source::of(&found)) } else { Err(ApplianceFault::Missing) }
            }
        }
    }

    /// The name of the description, as its manifest has it.
    fn own_name(&self) -> String {
        match &self.place {
            Place::Archive(members) => members.first().map(|first| first.name.clone()).unwrap_or_default(),
            Place::Folder(_) => {
                self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
        }
    }

    /// A file that goes with the description, by its ending.
    fn companion(&self, ending: &str) -> Option<Source> {
        let own = self.own_name();
        let named = format!("{}.{ending}", own.rsplit_once('.').map_or(&*own, |(stem, _)| stem));
        match &self.place {
            Place::Archive(members) => {
                let exact = members.iter().find(|member| member.name == named);
                let any = || members.iter().find(|member| has_ending(&member.name, ending));
                exact.or_else(any).map(|member| member.source(&self.path))
            }
            Place::Folder(_) => self.look_for(&named).ok(),
        }
    }

    /// Whether it has a manifest.
    pub fn has_manifest(&self) -> bool {
        self.companion("mf").is_some()
    }

    /// Whether somebody has signed it.
    pub fn has_certificate(&self) -> bool {
        self.companion("cert").is_some()
    }

    /// What is to be compared with its manifest: of each file that is there, where it is and what it should be.
    ///
    /// # Errors
    /// [`Error::FileUnusable`] where there is a manifest that can't be understood.
    pub fn checks(&self) -> Result<Vec<(Source, Expected)>, Error> {
        let Some(manifest) = self.companion("mf") else { return Ok(Vec::new()) };
        let (file, length) = manifest.open()?;
        if length > LONGEST_TEXT {
            return Err(wrong(&self.path, "its manifest is too long".into()));
        }
        let mut text = String::new();
        let read = file.take(LONGEST_TEXT).read_to_string(&mut text);
        read.map_err(|error| wrong(&self.path, format!("its manifest is no text: {error}")))?;
        let expected = manifest::read(&text).map_err(|detail| wrong(&self.path, detail))?;
        // What is not there, and what nobody asks for, does no harm.
        Ok(expected.into_iter().filter_map(|one| Some((self.look_for(&one.file).ok()?, one))).collect())
    }

    /// Compares the files of the appliance at this path with its manifest. `progress` is told how many of how many
    /// bytes have been read.
    ///
    /// # Errors
    /// [`Error::ApplianceDamaged`], [`Error::FileUnusable`].
    pub async fn verify(path: &Path, progress: impl Fn(ByteSize, ByteSize)) -> Result<(), Error> {
        let shown = path.to_owned();
        let all =
            files::off_thread(move || Self::open(&shown)?.map_or(Ok(Vec::new()), |found| found.checks()));
        let all = all.await?;
        let length = |(source, _): &(Source, Expected)| source.open().map_or(0, |(_, length)| length);
        let total = ByteSize::bytes(all.iter().map(length).sum());
        let path = path.to_owned();
        let work = move |told: &mut dyn FnMut(u64) -> bool| {
            let mut done = 0;
            for (source, expected) in &all {
                check(&path, source, expected, &mut |count| {
                    done += count;
                    told(done)
                })?;
            }
            Ok(())
        };
        followed(work, |done| progress(ByteSize::bytes(done), total)).await
    }
}

/// Compares one file with what it should be.
fn check(
    path: &Path,
    source: &Source,
    expected: &Expected,
    told: &mut dyn FnMut(u64) -> bool,
) -> Result<(), Error> {
    let (mut file, _) = source.open()?;
    let found = match manifest::digest(expected.algorithm, &mut file, told) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            return Err(Error::JobCancelled { job: 0 });
        }
        Err(error) => return Err(unreadable(path, &error)),
    };
    if found == expected.digest {
        return Ok(());
    }
    Err(Error::ApplianceDamaged {
        path: path.display().to_string(),
        file: expected.file.clone(),
        algorithm: expected.algorithm.name().to_owned(),
        expected: expected.digest.clone(),
        found,
    })
}

impl Member {
    fn is_description(&self) -> bool {
        has_ending(&self.name, "ovf")
    }

    fn source(&self, archive: &Path) -> Source {
        Source { path: archive.to_owned(), part: Some(Part { offset: self.offset, size: self.size }) }
    }
}

fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head)
}

fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, found)| found.eq_ignore_ascii_case(ending))
}

/// A name as it stands in an address, where that is another one.
fn percent_decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| str::from_utf8(digits).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    let decoded = String::from_utf8(bytes).ok()?;
    (decoded != name && !decoded.contains('\0')).then_some(decoded)
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let (path, fault) = (path.display().to_string(), files::fault_of(error));
    Error::FileUnusable { path, fault, detail: error.to_string() }
}

fn wrong(path: &Path, detail: String) -> Error {
    Error::FileUnusable { path: path.display().to_string(), fault: FileFault::WrongFormat, detail }
}

#[cfg(test)]
mod tests;
