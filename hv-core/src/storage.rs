//! Volumes: making them, copying them, keeping what they hold, what they build on, and knowing whether two paths are the
//! same one.

mod chain;
mod foundation;
mod packed;
pub mod partial;
mod source;
mod table;

use crate::engine::DiskFormat;
use crate::host::block::Block;
use crate::{files, medium, store};
use hv_api::{ByteSize, Error};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::Deserialize;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

#[cfg(test)]
pub(crate) use chain::tests::overlay;
pub use chain::{Layer, backing_files, layers};
pub use foundation::Foundation;
pub use packed::{Packing, head as packed_head};
pub use source::{Part, Source};

/// The program that writes to volumes, of the same package.
const WRITE_TOOL: &str = "qemu-io";

/// The program that makes volumes.
const IMAGE_TOOL: &str = "qemu-img";

/// How long it may take to make an empty volume or to grow one. Some hundred kilobytes are written.
const SIZE_DEADLINE: Duration = Duration::from_secs(60);

/// How long it may take to keep what a volume holds, or to put it back: as long as it takes to count its parts.
const KEEP_DEADLINE: Duration = Duration::from_secs(600);

/// What the tool says of a volume that another program has open.
const LOCKED: &str = "lock";

/// How long the other program may have it open.
const LOCK_DEADLINE: Duration = Duration::from_secs(5);

/// How long to wait until it is tried again.
const LOCK_LOOK: Duration = Duration::from_millis(50);

/// Makes an empty qcow2 volume. Given up, it leaves at most a part of the file behind, which is in a
/// folder that its caller throws away.
pub async fn create_volume(path: &Path, size: ByteSize) -> Result<(), Error> {
    size_volume("create", path, DiskFormat::Qcow2, size).await
}

/// Makes an empty qcow2 volume of this size that builds on another, which need not be there yet.
pub async fn create_layer(path: &Path, base: &Path, size: ByteSize) -> Result<(), Error> {
    let mut tool = Command::new(IMAGE_TOOL);
    tool.args(["create", "-q", "-f", "qcow2", "-u", "-F", "qcow2", "-b"]).arg(base);
    tool.arg("--").arg(path).arg(size.as_bytes().to_string());
    run(tool, path).await
}

/// Makes an empty volume in a file that is there already and belongs to its caller.
pub async fn create_volume_of(path: &Path, format: DiskFormat, size: ByteSize) -> Result<(), Error> {
    size_volume("create", path, format, size).await
}

/// Overwrites bytes of what a volume holds that no engine has open, which the tool makes sure of. What its snapshots
/// hold, and what it builds on, stays. `folder` is for a file that is needed meanwhile.
pub async fn overwrite(
    (path, format): (&Path, DiskFormat),
    place: u64,
    bytes: &[u8],
    folder: &Path,
) -> Result<(), Error> {
    /// In its folder: the tool takes its commands apart at blanks.
    const NEW: &str = "new-bytes";
    let file = folder.join(NEW);
    std::fs::write(&file, bytes).map_err(|error| store::failed(&file, &error))?;
    let mut tool = Command::new(WRITE_TOOL);
    let write = format!("write -s {NEW} {place} {}", bytes.len());
    tool.current_dir(folder).args(["-c", &write, "-c", "flush", "--image-opts"]).arg(image(path, format));
    let written = run_within(SIZE_DEADLINE, tool, path).await;
    drop(std::fs::remove_file(&file));
    written.map(drop)
}

/// Makes a volume larger that no engine has open. What it holds stays as it is.
pub async fn grow_volume(path: &Path, format: DiskFormat, size: ByteSize) -> Result<(), Error> {
    size_volume("resize", path, format, size).await
}

async fn size_volume(verb: &str, path: &Path, format: DiskFormat, size: ByteSize) -> Result<(), Error> {
    let mut tool = Command::new(IMAGE_TOOL);
    tool.args([verb, "-q", "-f", format.name(), "--"]).arg(path).arg(size.as_bytes().to_string());
    run(tool, path).await
}

/// Copies a volume of some hundred kilobytes into a qcow2 volume, all or nothing.
pub async fn copy_as_qcow2(source: &Path, format: DiskFormat, path: &Path) -> Result<(), Error> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let mut tool = Command::new(IMAGE_TOOL);
    tool.args(["convert", "-q", "-f", format.name(), "-O", "qcow2", "--"]).arg(source).arg(&temporary);
    let copied = run(tool, path).await.and_then(|()| {
        let flushed = File::open(&temporary).and_then(|file| file.sync_all());
        flushed.and_then(|()| std::fs::rename(&temporary, path)).map_err(|error| store::failed(path, &error))
    });
    if copied.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    copied
}

/// Copies what a volume holds, or has kept by this name, into a new qcow2 volume. `progress` is told of the whole,
/// 0–1. Given up, it leaves a part of the file behind, and perhaps another beside it.
pub async fn copy_volume(
    from: (&Path, DiskFormat),
    kept: Option<&str>,
    to: &Path,
    progress: impl Fn(f64),
) -> Result<(), Error> {
    let (path, format) = from;
    match kept {
        // The tool would copy as much as the volume has now.
        Some(name) if kept_size(path, name) != volume_size(path, format) => {
            let mut whole = to.as_os_str().to_owned();
            whole.push(".whole");
            let whole = PathBuf::from(whole);
            let (source, copy) = (path.to_owned(), whole.clone());
            let copied = move || std::fs::copy(&source, &copy).map_err(|error| store::failed(&copy, &error));
            files::off_thread(copied).await?;
            keep_content(Keeping::PutBack, &whole, name).await?;
            convert((&Source::of(&whole), format), None, to, progress).await?;
            std::fs::remove_file(&whole).map_err(|error| store::failed(&whole, &error))
        }
        kept => convert((&Source::of(path), format), kept, to, progress).await,
    }
}

/// Unpacks a file into one that is not there yet. `progress` is told how many packed bytes have been read. Given up, it
/// leaves a part of the file behind, and stops writing to it within a moment.
pub async fn unpack(
    source: &Source,
    packing: Packing,
    to: &Path,
    largest: ByteSize,
    progress: impl Fn(u64),
) -> Result<(), Error> {
    let (source, to) = (source.clone(), to.to_owned());
    let work = move |told: &mut dyn FnMut(u64) -> bool| {
        packed::unpack(&source, packing, &to, largest.as_bytes(), told)
    };
    followed(work, progress).await
}

/// Does work on a thread of its own that tells how far it is. What it tells is answered with false where nobody
/// waits for it any more: then it ends within a moment.
pub async fn followed<T: Send + 'static>(
    work: impl FnOnce(&mut dyn FnMut(u64) -> bool) -> Result<T, Error> + Send + 'static,
    progress: impl Fn(u64),
) -> Result<T, Error> {
    let (tell, mut told) = watch::channel(0);
    let mut work = pin!(files::off_thread(move || work(&mut |done| tell.send(done).is_ok())));
    loop {
        tokio::select! {
            done = &mut work => {
                // What it told last, it may have told in the same moment.
                progress(*told.borrow_and_update());
                return done;
            }
            Ok(()) = told.changed() => progress(*told.borrow_and_update()),
        }
    }
}

/// Copies an image from somewhere into a new qcow2 volume, as [`copy_volume`] does.
///
/// What it builds on is in the copy: that has nothing under it.
pub async fn copy_image(
    (source, format): (&Source, DiskFormat),
    foundation: &Foundation,
    to: &Path,
    progress: impl Fn(f64),
) -> Result<(), Error> {
    let mut tool = Command::new(IMAGE_TOOL);
    tool.args(["convert", "-p", "-O", "qcow2"]);
    add_image(&mut tool, (source, format), foundation);
    tool.arg(to);
    run_convert(tool, to, progress).await
}

/// An image, which a tool reads, with all that it builds on and no format to guess.
fn add_image(tool: &mut Command, (source, format): (&Source, DiskFormat), foundation: &Foundation) {
    if foundation.is_empty() {
        tool.arg("--image-opts").arg(image_in(source, format));
        return;
    }
    let file = |path: &Path, is_device: bool| {
        let driver = if is_device { "host_device" } else { "file" };
        serde_json::json!({ "driver": driver, "filename": path.to_string_lossy() })
    };
    let mut below = serde_json::Value::Null;
    for layer in foundation.layers().iter().rev() {
        let format = layer.format.unwrap_or(DiskFormat::Raw);
        let mut node =
            serde_json::json!({ "driver": format.name(), "file": file(&layer.path, layer.is_device) });
        if matches!(format, DiskFormat::Qcow2 | DiskFormat::Vmdk) {
            node["backing"] = below;
        }
        below = node;
    }
    let is_device = is_device(&source.path);
    let top = serde_json::json!({
        "driver": format.name(), "file": file(&source.path, is_device), "backing": below,
    });
    tool.arg(format!("json:{top}"));
}

/// What a copy of an image as qcow2 will take up, where the tool can tell.
pub async fn copy_needs(
    (source, format): (&Source, DiskFormat),
    foundation: &Foundation,
) -> Result<ByteSize, Error> {
    #[derive(Deserialize)]
    struct Measured {
        required: u64,
    }
    let mut tool = Command::new(IMAGE_TOOL);
    tool.args(["measure", "-O", "qcow2", "--output=json"]);
    add_image(&mut tool, (source, format), foundation);
    let words = run_within(KEEP_DEADLINE, tool, &source.path).await?;
    let measured: Measured = serde_json::from_slice(&words).map_err(|error| Error::StoreFailed {
        path: source.path.display().to_string(),
        detail: format!("{IMAGE_TOOL} can't be understood: {error}"),
    })?;
    Ok(ByteSize::bytes(measured.required))
}

async fn convert(
    (source, format): (&Source, DiskFormat),
    kept: Option<&str>,
    to: &Path,
    progress: impl Fn(f64),
) -> Result<(), Error> {
    let mut tool = Command::new(IMAGE_TOOL);
    tool.args(["convert", "-p", "-O", "qcow2", "--image-opts"]);
    if let Some(name) = kept {
        tool.args(["-l", &format!("snapshot.name={name}")]);
    }
    tool.arg(image_in(source, format)).arg(to);
    run_convert(tool, to, progress).await
}

/// Runs the tool that copies into this file, and tells what it says of its progress, 0–1.
async fn run_convert(mut tool: Command, to: &Path, progress: impl Fn(f64)) -> Result<(), Error> {
    let mut child = spawn(&mut tool, to)?;
    let told = async {
        let Some(stdout) = child.stdout.take() else { return };
        let mut parts = BufReader::new(stdout).split(b'\r');
        while let Ok(Some(part)) = parts.next_segment().await {
            if let Some(percent) = percent(&part) {
                progress((percent / 100.0).clamp(0.0, 1.0));
            }
        }
    };
    told.await;
    finish(child.wait_with_output().await, to).map(drop)
}

/// The figure in one of the tool's lines about progress, such as `    (12.50/100%)`.
fn percent(part: &[u8]) -> Option<f64> {
    str::from_utf8(part).ok()?.trim().strip_prefix('(')?.split_once('/')?.0.trim().parse().ok()
}

/// Reads from a volume that no engine has open, at most some megabytes; nothing where that can't be. What its guest has
/// written there, the tool hands on and does not look at.
pub async fn read_volume(path: &Path, format: DiskFormat, offset: u64, length: usize) -> Option<Vec<u8>> {
    let memory = memfd_create("guesthouse-sectors", MemfdFlags::CLOEXEC).ok()?;
    // The tool makes a file of what it reads; this one is in memory, and only its name is somewhere else.
    let to = format!("of=/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd());
    let mut from = OsString::from(format!("if=driver=raw,offset={offset},size={length},"));
    from.push(options("file.", &Source::of(path), format));
    let mut tool = Command::new(IMAGE_TOOL);
    tool.args(["dd", "-O", "raw", "bs=512"]).arg("--image-opts").arg(from).arg(to);
    run_within(SIZE_DEADLINE, tool, path).await.ok()?;
    let mut bytes = vec![0; length];
    File::from(memory).read_exact_at(&mut bytes, 0).ok()?;
    Some(bytes)
}

/// What is done with the content that a qcow2 volume keeps by a name: as an internal snapshot, which takes no room
/// until the volume is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Keep what it holds now.
    Keep,
    /// Make it hold what it has kept.
    PutBack,
    /// Keep that no longer.
    Forget,
}

/// Does this with a qcow2 volume that no engine has open.
pub async fn keep_content(what: Keeping, path: &Path, name: &str) -> Result<(), Error> {
    let verb = match what {
        Keeping::Keep => "-c",
        Keeping::PutBack => "-a",
        Keeping::Forget => "-d",
    };
    let mut tool = Command::new(IMAGE_TOOL);
    tool.args(["snapshot", "-q", verb, name, "--image-opts"]).arg(image(path, DiskFormat::Qcow2));
    run_within(KEEP_DEADLINE, tool, path).await.map(drop)
}

/// The names by which a qcow2 volume keeps what it once held.
pub async fn kept_content(path: &Path) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(default)]
        snapshots: Vec<Kept>,
    }
    #[derive(Deserialize)]
    struct Kept {
        name: String,
    }
    let mut tool = Command::new(IMAGE_TOOL);
    // Also while an engine has it open.
    tool.args(["info", "-U", "--output=json", "--image-opts"]).arg(image(path, DiskFormat::Qcow2));
    let words = run_within(SIZE_DEADLINE, tool, path).await?;
    let found: Found = serde_json::from_slice(&words).map_err(|error| Error::StoreFailed {
        path: path.display().to_string(),
        detail: format!("{IMAGE_TOOL} can't be understood: {error}"),
    })?;
    Ok(found.snapshots.into_iter().map(|kept| kept.name).collect())
}

/// A volume as the tool's options name it, so that its format is not guessed.
fn image(path: &Path, format: DiskFormat) -> OsString {
    image_in(&Source::of(path), format)
}

fn is_device(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_block_device())
}

/// The same of one that may be a part of a file.
fn image_in(source: &Source, format: DiskFormat) -> OsString {
    options("", source, format)
}

/// The same, each option with this before its name.
fn options(before: &str, source: &Source, format: DiskFormat) -> OsString {
    let driver = if is_device(&source.path) { "host_device" } else { "file" };
    let (format_name, file) = (format.name(), format!("{before}file."));
    let mut options = OsString::from(match source.part {
        None => format!("{before}driver={format_name},{file}driver={driver},{file}filename="),
        Some(Part { offset, size }) => format!(
            "{before}driver={format_name},{file}driver=raw,{file}offset={offset},{file}size={size},\
             {file}file.driver={driver},{file}file.filename="
        ),
    });
    // In a list of options, a comma is written twice.
    let path = source.path.as_os_str().as_bytes();
    let doubled = path.split(|byte| *byte == b',').collect::<Vec<_>>().join(&b",,"[..]);
    options.push(OsStr::from_bytes(&doubled));
    if format == DiskFormat::Vmdk {
        // One from somewhere could name any file of this user's as the one it builds on.
        options.push(format!(",{before}backing="));
    }
    options
}

/// Runs the image tool, which makes something of some hundred kilobytes at this path.
async fn run(tool: Command, path: &Path) -> Result<(), Error> {
    run_within(SIZE_DEADLINE, tool, path).await.map(drop)
}

/// Runs the image tool, which does something with this path; what it wrote.
async fn run_within(deadline: Duration, mut tool: Command, path: &Path) -> Result<Vec<u8>, Error> {
    let begun = Instant::now();
    loop {
        let ended = tokio::time::timeout(deadline, spawn(&mut tool, path)?.wait_with_output()).await;
        let done = finish(ended.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())), path);
        match &done {
            // One that an earlier core has started may just be at it.
            Err(Error::StoreFailed { detail, .. })
                if detail.contains(LOCKED) && begun.elapsed() < LOCK_DEADLINE =>
            {
                tokio::time::sleep(LOCK_LOOK).await;
            }
            _ => return done,
        }
    }
}

fn spawn(tool: &mut Command, path: &Path) -> Result<Child, Error> {
    tool.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let program = tool.as_std().get_program().to_string_lossy().into_owned();
                Error::EngineMissing { program }
            }
            _ => store::failed(path, &error),
        })
}

fn finish(ended: io::Result<Output>, path: &Path) -> Result<Vec<u8>, Error> {
    let output = ended.map_err(|error| store::failed(path, &error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    if words.contains("No space left on device") || words.contains("Disk quota exceeded") {
        return Err(store::no_space(path));
    }
    Err(Error::StoreFailed { path: path.display().to_string(), detail: words.trim().to_owned() })
}

/// The size that a guest sees of a volume; nothing where it can't be read.
pub fn volume_size(path: &Path, format: DiskFormat) -> Option<ByteSize> {
    image_size(&Source::of(path), format)
}

/// The same of one that may be a part of a file.
pub fn image_size(source: &Source, format: DiskFormat) -> Option<ByteSize> {
    let (mut file, length) = source.open().ok()?;
    match format {
        DiskFormat::Raw => Some(ByteSize::bytes(length)),
        DiskFormat::Qcow2 => {
            let mut header = [0; 32];
            file.read_exact(&mut header).ok()?;
            let (magic, size) = (header.first_chunk::<4>()?, header.last_chunk::<8>()?);
            (magic == b"QFI\xfb").then(|| ByteSize::bytes(u64::from_be_bytes(*size)))
        }
        DiskFormat::Vmdk | DiskFormat::Vdi | DiskFormat::Vhdx | DiskFormat::Vpc => {
            medium::foreign(&mut file, length).ok().flatten()?.virtual_size
        }
    }
}

/// The size that a guest saw of what a qcow2 volume has kept by this name; nothing where that can't be read. The
/// image tool does not tell it.
fn kept_size(path: &Path, name: &str) -> Option<ByteSize> {
    /// What stands before the parts of an entry whose lengths differ.
    const ENTRY: usize = 40;
    let (mut file, _) = files::open_readable(path).ok()?;
    let mut header = [0; 72];
    file.read_exact(&mut header).ok()?;
    let count = u32::from_be_bytes(*header[60..].first_chunk()?);
    let mut place = u64::from_be_bytes(*header[64..].first_chunk()?);
    for _ in 0..count {
        file.seek(SeekFrom::Start(place)).ok()?;
        let mut entry = [0; ENTRY];
        file.read_exact(&mut entry).ok()?;
        let length = |at: usize| Some(usize::from(u16::from_be_bytes(*entry[at..].first_chunk()?)));
        let (id_length, name_length) = (length(12)?, length(14)?);
        let extra_length = u32::from_be_bytes(*entry[36..].first_chunk()?) as usize;
        if extra_length > 1024 {
            return None;
        }
        let mut rest = vec![0; extra_length + id_length + name_length];
        file.read_exact(&mut rest).ok()?;
        if rest.ends_with(name.as_bytes()) && name.len() == name_length {
            return Some(ByteSize::bytes(u64::from_be_bytes(*rest[..extra_length].get(8..)?.first_chunk()?)));
        }
        // Entries begin at multiples of eight.
        place = place.checked_add((ENTRY + rest.len()).next_multiple_of(8) as u64)?;
    }
    None
}

/// What a volume takes up on the host; nothing where it can't be read.
pub fn volume_use(path: &Path) -> Option<ByteSize> {
    /// The unit of what Linux says here, whatever the file system's own is.
    const BLOCK: u64 = 512;
    let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(ByteSize::bytes(found.blocks().saturating_mul(BLOCK)))
}

/// What makes two paths the same volume: the file itself, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VolumeId {
    /// A file.
    File {
        /// The file system.
        device: u64,
        /// The file in it.
        file: u64,
    },
    /// A physical disk or a partition.
    Device(u64),
}

/// The identity of the volume at a path; nothing where there is none.
pub fn volume_id(path: &Path) -> Option<VolumeId> {
    let found = std::fs::metadata(path).ok()?;
    if found.file_type().is_block_device() {
        return Some(VolumeId::Device(found.rdev()));
    }
    Some(VolumeId::File { device: found.dev(), file: found.ino() })
}

/// The identities of all that is at a path: with a physical disk come its partitions, so that whoever has one of them has
/// a part of the disk. Where only some `partitions` are meant, of those.
pub fn volume_ids(path: &Path, partitions: &[u32]) -> Vec<VolumeId> {
    let Some(own) = volume_id(path) else { return Vec::new() };
    let block = if let VolumeId::Device(_) = own { Block::at(path) } else { None };
    let parts = block.as_ref().map(Block::partitions).unwrap_or_default();
    let parts = parts.into_iter().filter(|part| {
        partitions.is_empty() || part.partition.is_some_and(|number| partitions.contains(&number))
    });
    let parts = parts.map(|part| VolumeId::Device(part.number));
    if partitions.is_empty() { std::iter::once(own).chain(parts).collect() } else { parts.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_volume_is_made_and_its_size_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a disk, with a comma.qcow2");
        create_volume(&path, ByteSize::gib(20)).await.unwrap();
        assert_eq!(volume_size(&path, DiskFormat::Qcow2), Some(ByteSize::gib(20)));
        assert!(path.metadata().unwrap().len() < 1 << 20);
    }

    #[tokio::test]
    async fn what_a_volume_holds_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("raw, a");
        let mut bytes = vec![0; 1 << 20];
        bytes[8192..8195].copy_from_slice(b"abc");
        std::fs::write(&raw, bytes).unwrap();
        let layered = folder.path().join("a disk, b.qcow2");
        copy_as_qcow2(&raw, DiskFormat::Raw, &layered).await.unwrap();
        for (path, format) in [(&raw, DiskFormat::Raw), (&layered, DiskFormat::Qcow2)] {
            let read = read_volume(path, format, 8192, 1024).await.unwrap();
            assert_eq!((&read[..4], read.len()), (&b"abc\0"[..], 1024));
            assert_eq!(read_volume(path, format, 1 << 30, 512).await, None, "beyond its end");
        }
        assert_eq!(read_volume(&folder.path().join("none"), DiskFormat::Raw, 0, 512).await, None);
    }

    #[tokio::test]
    async fn a_volume_grows_and_never_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        for (name, format) in [("a.qcow2", DiskFormat::Qcow2), ("b, raw", DiskFormat::Raw)] {
            let path = folder.path().join(name);
            if format == DiskFormat::Raw {
                std::fs::write(&path, vec![7; 1 << 20]).unwrap();
            } else {
                create_volume(&path, ByteSize::MIB).await.unwrap();
            }
            grow_volume(&path, format, ByteSize::mib(3)).await.unwrap();
            assert_eq!(volume_size(&path, format), Some(ByteSize::mib(3)));
            let smaller = grow_volume(&path, format, ByteSize::MIB).await;
            assert!(matches!(smaller, Err(Error::StoreFailed { .. })), "{smaller:?}");
            assert_eq!(volume_size(&path, format), Some(ByteSize::mib(3)));
        }
    }

    #[tokio::test]
    async fn a_volume_holds_again_what_it_has_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a disk,id=x, with a comma.qcow2");
        create_volume(&path, ByteSize::MIB).await.unwrap();
        keep_content(Keeping::Keep, &path, "one").await.unwrap();
        grow_volume(&path, DiskFormat::Qcow2, ByteSize::mib(3)).await.unwrap();
        keep_content(Keeping::Keep, &path, "two").await.unwrap();
        assert_eq!(kept_content(&path).await.unwrap(), ["one", "two"]);
        keep_content(Keeping::PutBack, &path, "one").await.unwrap();
        assert_eq!(volume_size(&path, DiskFormat::Qcow2), Some(ByteSize::MIB));
        keep_content(Keeping::PutBack, &path, "two").await.unwrap();
        assert_eq!(volume_size(&path, DiskFormat::Qcow2), Some(ByteSize::mib(3)));
        keep_content(Keeping::Forget, &path, "one").await.unwrap();
        assert_eq!(kept_content(&path).await.unwrap(), ["two"]);
        let none = keep_content(Keeping::PutBack, &path, "one").await;
        assert!(matches!(none, Err(Error::StoreFailed { .. })), "{none:?}");
    }

    #[tokio::test]
    async fn a_copy_holds_what_the_volume_did() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("from, a.qcow2");
        create_volume(&path, ByteSize::MIB).await.unwrap();
        keep_content(Keeping::Keep, &path, "one").await.unwrap();
        grow_volume(&path, DiskFormat::Qcow2, ByteSize::mib(3)).await.unwrap();
        let (now, then) = (folder.path().join("now"), folder.path().join("then"));
        let told = std::cell::RefCell::new(Vec::new());
        copy_volume((&path, DiskFormat::Qcow2), None, &now, |part| told.borrow_mut().push(part))
            .await
            .unwrap();
        assert_eq!(told.borrow().last(), Some(&1.0));
        copy_volume((&path, DiskFormat::Qcow2), Some("one"), &then, |_| {}).await.unwrap();
        assert_eq!(volume_size(&now, DiskFormat::Qcow2), Some(ByteSize::mib(3)));
        assert_eq!(volume_size(&then, DiskFormat::Qcow2), Some(ByteSize::MIB));
        // Also where the volume was larger then.
        keep_content(Keeping::Keep, &path, "two").await.unwrap();
        keep_content(Keeping::PutBack, &path, "one").await.unwrap();
        assert_eq!(volume_size(&path, DiskFormat::Qcow2), Some(ByteSize::MIB));
        copy_volume((&path, DiskFormat::Qcow2), Some("two"), &then, |_| {}).await.unwrap();
        assert_eq!(volume_size(&then, DiskFormat::Qcow2), Some(ByteSize::mib(3)));
        assert_eq!(kept_content(&then).await.unwrap(), [""; 0]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        assert_eq!(kept_content(&now).await.unwrap(), [""; 0]);
        let none = copy_volume((&path, DiskFormat::Qcow2), Some("three"), &then, |_| {}).await;
        assert!(matches!(none, Err(Error::StoreFailed { .. })), "{none:?}");
    }

    #[tokio::test]
    async fn a_volume_in_a_place_that_is_not_there_is_refused_with_the_place() {
        let error = create_volume(Path::new("/nonexistent/disk"), ByteSize::gib(1)).await.unwrap_err();
        assert!(matches!(error, Error::StoreFailed { path, .. } if path == "/nonexistent/disk"));
    }

    #[tokio::test]
    async fn bytes_are_overwritten_and_what_was_kept_stays() {
        let folder = tempfile::tempdir().unwrap();
        for (name, format) in [("a disk, x.qcow2", DiskFormat::Qcow2), ("raw, a", DiskFormat::Raw)] {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            create_volume_of(&path, format, ByteSize::MIB).await.unwrap();
            let write = |bytes: &'static [u8]| overwrite((&path, format), 70_001, bytes, folder.path());
            write(b"before").await.unwrap();
            if format == DiskFormat::Qcow2 {
                keep_content(Keeping::Keep, &path, "one").await.unwrap();
            }
            write(b"after!").await.unwrap();
            let whole = folder.path().join("whole");
            let read = |image: OsString| {
                let done = std::process::Command::new("qemu-img")
                    .args(["convert", "-O", "raw", "--image-opts"])
                    .arg(image)
                    .arg(&whole)
                    .status();
                assert!(done.unwrap().success());
                std::fs::read(&whole).unwrap()[70_001..70_007].to_vec()
            };
            assert_eq!(read(image(&path, format)), b"after!");
            if format == DiskFormat::Qcow2 {
                keep_content(Keeping::PutBack, &path, "one").await.unwrap();
                assert_eq!(read(image(&path, format)), b"before");
            }
            let beyond = overwrite((&path, format), 1 << 20, b"x", folder.path()).await;
            assert!(matches!(beyond, Err(Error::StoreFailed { .. })), "{beyond:?}");
        }
    }

    #[test]
    fn a_pipe_in_place_of_a_volume_has_no_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(volume_size(&path, DiskFormat::Raw), None);
    }

    #[test]
    fn a_volume_is_the_same_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        std::fs::write(&one, "x").unwrap();
        std::os::unix::fs::symlink(&one, &other).unwrap();
        assert_eq!(volume_id(&one), volume_id(&other));
        assert_eq!(volume_id(&folder.path().join("none")), None);
    }
}
