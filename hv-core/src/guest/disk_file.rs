//! Files that become disks: what an existing one is, and room for a new one.

use super::config::MAX_DISK;
use super::disk::Disk;
use crate::engine::{Amount, DiskFormat, DiskName, MAX_DISKS};
use crate::host::block::Block;
use crate::storage::{self, Foundation, Packing, Source, partial, partial::Partial};
use crate::{files, medium, store};
use hv_api::{ByteSize, Error, FileFault, NewDisk};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

/// What is there as a disk, as somebody asked for it: an image, a physical disk or some of its partitions.
///
/// # Errors
/// Those of [`existing`], and [`Error::OptionNeeds`] where partitions are asked for of what has none.
pub fn found(path: &Path, new: &NewDisk) -> Result<Disk, Error> {
    let read_only = new.read_only == Some(true);
    let block = Block::at(path);
    let wanted = new.partitions.clone().filter(|numbers| !numbers.is_empty());
    let (whole, numbers) = match (block, wanted) {
        (Some(block), None) => match block.partition {
            Some(number) => (block.whole(), vec![number]),
            None => return physical(&block, path, new),
        },
        (Some(block), Some(numbers)) if block.partition.is_none() => (Some(block), numbers),
        (_, Some(_)) => {
            return Err(Error::OptionNeeds { option: "partitions".into(), needs: "path=/dev/…".into() });
        }
        (None, None) => return existing(path, known_format(new)?, read_only, new.backing.as_deref()),
    };
    let missing = || unusable(path, FileFault::Missing, "the disk that it is a part of".into());
    let whole = lasting(&whole.ok_or_else(missing)?);
    for part in partial::partitions(&whole, &numbers)? {
        openable(part.device().as_ref(), read_only)?;
    }
    let disk = Disk { partitions: numbers, read_only, ..Disk::new(DiskName::FIRST, whole, DiskFormat::Raw) };
    disk.check()?;
    Ok(disk)
}

/// Makes sure that what is to be copied is a disk as a whole: of partitions, there is no copy that anything starts from.
///
/// # Errors
/// [`Error::OptionsConflict`].
pub fn check_copied(path: &Path, new: &NewDisk) -> Result<(), Error> {
    let is_part = Block::at(path).is_some_and(|block| block.partition.is_some());
    if is_part || new.partitions.is_some() { Err(Error::conflict("copy", "partitions")) } else { Ok(()) }
}

/// A physical disk as a whole. One that is empty is a disk as well.
fn physical(block: &Block, path: &Path, new: &NewDisk) -> Result<Disk, Error> {
    let read_only = new.read_only == Some(true);
    openable(path, read_only)?;
    let disk =
        existing(path, known_format(new)?.or(Some(DiskFormat::Raw)), read_only, new.backing.as_deref())?;
    // The names right in this folder are given out anew at each start of the computer.
    let changes = path.parent() == Some(Path::new("/dev"));
    Ok(if changes { Disk { path: lasting(block), ..disk } } else { disk })
}

/// A path to a physical disk that stays.
fn lasting(block: &Block) -> PathBuf {
    let path = PathBuf::from(block.lasting_path());
    let is_it = Block::at(&path).is_some_and(|other| other.number == block.number);
    if is_it { path } else { block.device().into() }
}

/// Makes sure that a guest could use a file, so far as its rights go.
fn openable(path: &Path, read_only: bool) -> Result<(), Error> {
    let opened = OpenOptions::new().read(true).write(!read_only).open(path);
    opened.map(drop).map_err(|error| unusable(path, files::fault_of(&error), error.to_string()))
}

/// A disk image or block device as a disk. Its format is what it says it is: guessing `raw` for a file that could be
/// something else would let a guest change what the host takes it for.
///
/// # Errors
/// [`Error::FileUnusable`], and [`Error::FormatOnlyRead`] where it is to be written and can't be.
pub fn existing(
    path: &Path,
    format: Option<DiskFormat>,
    read_only: bool,
    agreed: Option<&[String]>,
) -> Result<Disk, Error> {
    let foundation = Foundation::agreed(path, agreed)?;
    let found = if foundation.is_empty() {
        look(path, format)?
    } else if !foundation.names_formats() {
        // QEMU would guess them.
        let detail = "it does not say which format the file has that it builds on: copy it instead";
        return Err(unusable(path, FileFault::WrongFormat, detail.into()));
    } else {
        of_its_own(path, format)?
    };
    let backing = foundation.files();
    let disk = Disk { backing, read_only, ..Disk::new(DiskName::FIRST, path, found) };
    disk.check()?;
    openable(path, read_only)?;
    Ok(disk)
}

impl Disk {
    /// How large the guest sees it, and of a physical disk, how large what the guest gets of it is; nothing where that is
    /// not there or can't be read. The guest's folder is this one.
    pub fn size(&self, folder: &Path) -> Option<ByteSize> {
        if self.is_partial() {
            return partial::size(&self.path, &self.partitions);
        }
        storage::volume_size(&folder.join(&self.path), self.format)
    }

    /// Makes sure that what is behind the disk is there and can be read: of a physical disk, only what the guest gets.
    ///
    /// # Errors
    /// [`Error::FileUnusable`].
    pub fn check_readable(&self, folder: &Path) -> Result<(), Error> {
        if !self.is_partial() {
            return files::open_readable(&folder.join(&self.path)).map(drop);
        }
        let parts = partial::partitions(&self.path, &self.partitions)?;
        parts.iter().try_for_each(|part| files::open_readable(part.device().as_ref()).map(drop))
    }

    /// Lays out what its guest, whose folder this is, gets of a physical disk.
    ///
    /// # Errors
    /// Those of [`partial::lay_out`].
    pub async fn lay_out(&self, folder: &Path) -> Result<Partial, Error> {
        let (disk, folder) = (self.clone(), folder.to_owned());
        files::off_thread(move || {
            partial::lay_out(&disk.path, &disk.partitions, &folder, &disk.name.to_string())
        })
        .await
    }
}

/// The format of a disk image or block device; `told` where it is known, and no other is found.
///
/// # Errors
/// [`Error::FileUnusable`].
pub fn look(path: &Path, told: Option<DiskFormat>) -> Result<DiskFormat, Error> {
    look_in(&Source::of(path), told)
}

/// The same of an image that may be a part of a file.
fn look_in(source: &Source, told: Option<DiskFormat>) -> Result<DiskFormat, Error> {
    let (mut file, length) = source.open()?;
    let path = &source.path;
    let failed = |error: io::Error| unusable(path, files::fault_of(&error), error.to_string());
    let wrong = |detail: String| Err(unusable(path, FileFault::WrongFormat, detail));
    let foreign = medium::foreign(&mut file, length).map_err(failed)?;
    let facts = medium::read(&mut file, length).map_err(failed)?;
    if facts.needs_other_file || foreign.is_some_and(|foreign| foreign.needs_other_file) {
        // A disk image from somewhere could name any file of this user's as the one it builds on.
        return wrong("it builds on another file, and only images that are whole can be used".to_owned());
    }
    let foreign = foreign.and_then(|foreign| DiskFormat::of_name(foreign.format));
    let found = foreign.or_else(|| DiskFormat::of_name(facts.format?.as_str()));
    match (told, found) {
        (Some(told), Some(found)) if told != found => {
            wrong(format!("it is an image in the format {}, not {}", found.name(), told.name()))
        }
        (_, Some(found)) => Ok(found),
        (Some(DiskFormat::Raw), None) => Ok(DiskFormat::Raw),
        (Some(told), None) => wrong(format!("it is no image in the format {}", told.name())),
        (None, None) => wrong("it is neither a disk image nor a disk with a partition table".to_owned()),
    }
}

/// The format of an image that builds on others, all of which are known.
fn of_its_own(path: &Path, told: Option<DiskFormat>) -> Result<DiskFormat, Error> {
    let wrong = |detail: String| Err(unusable(path, FileFault::WrongFormat, detail));
    match told.filter(|told| *told != DiskFormat::Qcow2) {
        Some(told) => wrong(format!("it is an image in the format qcow2, not {}", told.name())),
        None if storage::volume_size(path, DiskFormat::Qcow2).is_none() => {
            wrong("its header is damaged".into())
        }
        None => Ok(DiskFormat::Qcow2),
    }
}

/// The format that was named for a disk.
///
/// # Errors
/// [`Error::OptionNeeds`] where there is none of this name.
pub fn known_format(new: &NewDisk) -> Result<Option<DiskFormat>, Error> {
    let Some(name) = &new.format else { return Ok(None) };
    let format = DiskFormat::of_name(name);
    format
        .map(Some)
        .ok_or_else(|| Error::OptionNeeds { option: format!("format={name}"), needs: "format=qcow2".into() })
}

/// A disk image that is to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Where it is.
    pub source: Source,
    /// What the image is inside.
    pub form: ImageForm,
    /// What it builds on.
    pub foundation: Foundation,
}

/// In which form a disk image is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageForm {
    /// As it is.
    Plain(DiskFormat),
    /// Packed. Its format shows when it is unpacked.
    Packed(Packing),
}

impl Image {
    /// Looks at one; `told` is its format, where that is known.
    ///
    /// # Errors
    /// [`Error::FileUnusable`].
    pub fn look(source: Source, told: Option<DiskFormat>, agreed: Option<&[String]>) -> Result<Self, Error> {
        let (mut file, _) = source.open()?;
        // One in an archive has nothing beside it.
        if source.part.is_none() {
            let foundation = Foundation::agreed(&source.path, agreed)?;
            if !foundation.is_empty() {
                let form = ImageForm::Plain(of_its_own(&source.path, told)?);
                return Ok(Self { source, form, foundation });
            }
        }
        let path = &source.path;
        let mut head = [0; 8];
        let failed = |error: io::Error| unusable(path, files::fault_of(&error), error.to_string());
        let read = file.read(&mut head).map_err(failed)?;
        let form = match Packing::of(&head[..read]) {
            Some(packing) => {
                file.rewind().map_err(failed)?;
                let head = storage::packed_head(file, packing).map_err(failed)?;
                check_head(&head).map_err(|detail| unusable(path, FileFault::WrongFormat, detail.into()))?;
                ImageForm::Packed(packing)
            }
            None => ImageForm::Plain(look_in(&source, told)?),
        };
        Ok(Self { source, form, foundation: Foundation::default() })
    }

    /// The size that a guest sees of it, where that can be known before it is unpacked.
    pub fn size(&self) -> Option<ByteSize> {
        match self.form {
            ImageForm::Plain(format) => storage::image_size(&self.source, format),
            ImageForm::Packed(_) => None,
        }
    }

    /// How much there is to do for a copy, in the bytes that [`Image::copy`] tells of.
    pub fn work(&self) -> ByteSize {
        self.size().unwrap_or_else(|| self.length())
    }

    /// How long the image is as it is handed on.
    pub fn length(&self) -> ByteSize {
        let of_file = || std::fs::metadata(&self.source.path).map_or(0, |found| found.len());
        ByteSize::bytes(self.source.part.map_or_else(of_file, |part| part.size))
    }

    /// What a copy of it takes up at the most, of one of plain bytes: of what is not there, nothing is copied. Others are
    /// measured, by which is found out as well whether they are whole.
    pub fn copy_takes_at_most(&self) -> Option<ByteSize> {
        /// What is added by which a copy finds its content again: less than one part of so many.
        const TABLES: u64 = 4096;
        let ImageForm::Plain(DiskFormat::Raw) = self.form else { return None };
        let size = self.size()?.as_bytes();
        let there = storage::volume_use(&self.source.path).filter(|_| self.source.part.is_none());
        let most = there.map_or(size, |there| size.min(there.as_bytes()));
        Some(ByteSize::bytes(most.saturating_add(size / TABLES).saturating_add(1 << 20)))
    }

    /// What a copy of it takes up at the least.
    ///
    /// # Errors
    /// Those of the image tool.
    pub async fn copy_needs(&self) -> Result<ByteSize, Error> {
        match self.form {
            ImageForm::Plain(format) => {
                match storage::copy_needs((&self.source, format), &self.foundation).await {
                    Err(Error::StoreFailed { path, detail }) => {
                        Err(Error::FileUnusable { path, fault: FileFault::WrongFormat, detail })
                    }
                    needs => needs,
                }
            }
            // More than it has packed it will have.
            ImageForm::Packed(_) => Ok(self.length()),
        }
    }

    /// Makes a qcow2 volume of it, of at least this size. `progress` is told what of how much has been read. Given up,
    /// it leaves files behind in the folder of `to`, which its caller throws away.
    ///
    /// # Errors
    /// [`Error::FileUnusable`], [`Error::DiskSizeOutOfRange`], [`Error::NoSpace`], [`Error::StoreFailed`].
    pub async fn copy(
        &self,
        to: &Path,
        size: Option<ByteSize>,
        progress: impl Fn(Amount),
    ) -> Result<(), Error> {
        let packing = match self.form {
            ImageForm::Plain(format) => {
                return copy_plain((&self.source, format), &self.foundation, to, size, progress).await;
            }
            ImageForm::Packed(packing) => packing,
        };
        let unpacked = Source::of(&to.with_extension("unpacked"));
        let total = self.length();
        let told = |done| progress(Amount { done: ByteSize::bytes(done), total });
        storage::unpack(&self.source, packing, &unpacked.path, MAX_DISK, told).await?;
        let inner = unpacked.clone();
        let found = files::off_thread(move || look_in(&inner, None)).await;
        // What is wrong with it is wrong with the file that somebody knows.
        let format = found.map_err(|error| renamed(error, &self.source.path))?;
        copy_plain((&unpacked, format), &Foundation::default(), to, size, |_| {}).await?;
        let unpacked = unpacked.path;
        std::fs::remove_file(&unpacked).map_err(|error| store::failed(&unpacked, &error))
    }
}

async fn copy_plain(
    (source, format): (&Source, DiskFormat),
    foundation: &Foundation,
    to: &Path,
    size: Option<ByteSize>,
    progress: impl Fn(Amount),
) -> Result<(), Error> {
    let known = storage::image_size(source, format);
    let own = known.unwrap_or_default();
    if let Some(requested) = size.filter(|size| *size < own) {
        return Err(Error::DiskSizeOutOfRange { requested, minimum: own, maximum: MAX_DISK });
    }
    // Of some formats the size stands where nobody looks.
    let total = known.unwrap_or_else(|| source.open().map_or(own, |(_, length)| ByteSize::bytes(length)));
    let told = |part: f64| {
        let done = ByteSize::bytes((total.as_bytes() as f64 * part) as u64);
        progress(Amount { done, total });
    };
    told(0.0);
    storage::copy_image((source, format), foundation, to, told).await?;
    match size.filter(|size| *size > own) {
        Some(size) => storage::grow_volume(to, DiskFormat::Qcow2, size).await,
        None => Ok(()),
    }
}

/// Makes sure that what is packed begins like a disk image.
fn check_head(head: &[u8]) -> Result<(), &'static str> {
    let (mut file, length) = (io::Cursor::new(head), head.len() as u64);
    let foreign = medium::foreign(&mut file, length).ok().flatten();
    let facts = medium::read(&mut file, length).ok();
    if facts.as_ref().is_some_and(|facts| facts.needs_other_file) {
        return Err("it builds on another file, and only images that are whole can be used");
    }
    if foreign.is_some() || facts.is_some_and(|facts| facts.format.is_some()) {
        return Ok(());
    }
    Err("what is packed in it is no disk image")
}

fn renamed(error: Error, path: &Path) -> Error {
    match error {
        Error::FileUnusable { fault, detail, .. } => unusable(path, fault, detail),
        other => other,
    }
}

fn unusable(path: &Path, fault: FileFault, detail: String) -> Error {
    Error::FileUnusable { path: path.display().to_string(), fault, detail }
}

/// A file in a guest's folder that is to become a disk. Dropped before it is kept, it is deleted.
#[derive(Debug)]
pub struct Room {
    path: PathBuf,
    kept: bool,
}

impl Room {
    /// Makes an empty file with a name that none in the folder has, so that two who do so never get the same.
    ///
    /// # Errors
    /// [`Error::StoreFailed`] and [`Error::NoSpace`].
    pub fn make(folder: &Path, format: DiskFormat) -> Result<Self, Error> {
        let ending = if format == DiskFormat::Raw { "img" } else { format.name() };
        // Files of disks that were taken away may still be there.
        for number in 0..MAX_DISKS * MAX_DISKS {
            let path = folder.join(format!("disk{number}.{ending}"));
            match File::create_new(&path) {
                Ok(_empty) => return Ok(Self { path, kept: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(store::failed(&path, &error)),
            }
        }
        let detail = "it is full of files of disks".to_owned();
        Err(Error::StoreFailed { path: folder.display().to_string(), detail })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name in the folder.
    pub fn name(&self) -> PathBuf {
        self.path.file_name().map(PathBuf::from).unwrap_or_default()
    }

    /// It is a disk now.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.kept {
            let _gone = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_beside_what_is_there_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("disk0.qcow2"), "kept").unwrap();
        let one = Room::make(folder.path(), DiskFormat::Qcow2).unwrap();
        let other = Room::make(folder.path(), DiskFormat::Qcow2).unwrap();
        assert_eq!((one.name(), other.name()), ("disk1.qcow2".into(), "disk2.qcow2".into()));
        drop(one);
        other.keep();
        assert!(!folder.path().join("disk1.qcow2").exists());
        assert!(folder.path().join("disk2.qcow2").exists());
        assert_eq!(std::fs::read(folder.path().join("disk0.qcow2")).unwrap(), b"kept");
    }

    #[test]
    fn an_image_is_what_it_is_and_not_what_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blank");
        std::fs::write(&path, vec![0; 4096]).unwrap();
        let fault = |result: Result<DiskFormat, Error>| match result {
            Err(Error::FileUnusable { fault, .. }) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(look(&path, None)), FileFault::WrongFormat);
        assert_eq!(fault(look(&path, Some(DiskFormat::Vdi))), FileFault::WrongFormat);
        assert_eq!(look(&path, Some(DiskFormat::Raw)), Ok(DiskFormat::Raw));
        let mut vhdx = vec![0; 4096];
        vhdx[..8].copy_from_slice(b"vhdxfile");
        std::fs::write(&path, vhdx).unwrap();
        assert_eq!(look(&path, None), Ok(DiskFormat::Vhdx));
        assert_eq!(fault(look(&path, Some(DiskFormat::Raw))), FileFault::WrongFormat);
        assert!(matches!(existing(&path, None, false, None), Err(Error::FormatOnlyRead { .. })));
        assert!(existing(&path, None, true, None).is_ok());
    }
}
