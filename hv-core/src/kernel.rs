//! The uncompressed form of a Linux kernel, by which a machine starts it sooner: a machine that is told to
//! start a compressed one first has it decompress itself, which takes an emulated CPU seconds.
//!
//! A kernel that was unpacked is kept in the user's cache, under what makes its file the one it is. Kernels
//! are hostile: at most 512 MiB and ten seconds are spent on one, memory is bounded by each decompressor's
//! window, and whatever is not as expected ends in taking the kernel as it is. All of it blocks and belongs
//! on a thread of its own.

mod elf;
mod image;

use crate::files;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tracing::{debug, info};

/// The largest kernel that is unpacked. Those of distributions have some 70 MiB.
const LARGEST: u64 = 512 << 20;

/// How long unpacking may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many kernels are kept.
const KEPT: usize = 8;

/// Where a kernel that can be started without decompressing itself is, which was made of this one now or
/// before; nothing where none can be made. `cache` is a folder of this user's, made where it is not there.
pub fn uncompressed(kernel: &Path, cache: &Path) -> Option<PathBuf> {
    match find_or_make(kernel, cache) {
        Ok(found) => found,
        Err(error) => {
            debug!(kernel = %kernel.display(), %error, "taken as it is");
            None
        }
    }
}

fn find_or_make(kernel: &Path, cache: &Path) -> io::Result<Option<PathBuf>> {
    let (file, length) =
        files::open_readable(kernel).map_err(|error| io::Error::other(format!("{error:?}")))?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Ok(None);
    }
    hv_api::paths::private_folder(cache)?;
    let place = cache.join(name(&found));
    if let Ok(made) = fs::metadata(&place) {
        // Used just now: the last to be thrown away.
        let _ =
            File::options().append(true).open(&place).and_then(|file| file.set_modified(SystemTime::now()));
        // An empty one says that none can be made.
        return Ok((made.len() > 0).then_some(place));
    }
    let begun = Instant::now();
    let temporary = Temporary::new(cache)?;
    let usable = unpack(file, length, &temporary.path)?;
    if !usable {
        File::create(&temporary.path)?;
    }
    temporary.keep_as(&place)?;
    throw_old_away(cache);
    if usable {
        info!(kernel = %kernel.display(), seconds = begun.elapsed().as_secs_f32(), "unpacked");
    }
    Ok(usable.then_some(place))
}

/// What makes a file the one it is, with its content: whoever changes it changes one of these.
fn name(found: &fs::Metadata) -> String {
    format!(
        "{:x}-{:x}-{:x}-{:x}.{:x}-{:x}.{:x}",
        found.dev(),
        found.ino(),
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec()
    )
}

/// Unpacks a kernel into a file that is not there yet; says whether a machine can start it.
fn unpack(mut file: File, length: u64, place: &Path) -> io::Result<bool> {
    let Some(payload) = image::payload(&mut file, length)? else { return Ok(false) };
    if payload.unpacked == 0 || payload.unpacked > LARGEST {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(payload.offset))?;
    let packed = BufReader::with_capacity(256 << 10, file.take(payload.length));
    let Some(mut unpacked) = image::decoder(payload.format, packed)? else { return Ok(false) };
    let made = File::options().read(true).write(true).create_new(true).mode(0o600).open(place)?;
    let mut writer = BufWriter::with_capacity(256 << 10, &made);
    let written = copy(&mut unpacked, &mut writer, payload.unpacked, Instant::now() + DEADLINE)?;
    writer.flush()?;
    drop(writer);
    if written != payload.unpacked {
        return Ok(false);
    }
    (&made).rewind()?;
    elf::starts_by_itself(&mut &made, written)
}

/// Copies up to `most` bytes; one more is an error, and so is being late.
fn copy(from: &mut dyn Read, to: &mut dyn Write, most: u64, deadline: Instant) -> io::Result<u64> {
    let mut chunk = vec![0; 256 << 10];
    let mut written = 0;
    loop {
        let count = from.read(&mut chunk)?;
        if count == 0 {
            return Ok(written);
        }
        written += count as u64;
        if written > most {
            return Err(io::Error::other("it is larger than it says"));
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("it takes too long to unpack"));
        }
        to.write_all(&chunk[..count])?;
    }
}

/// A file in the making, removed unless it is kept.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn new(cache: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = cache.join(format!(".new-{}-{count}", std::process::id()));
        // Left by a process with the same number that was killed.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self { path }),
        }
    }

    fn keep_as(&self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path, place)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes what was used least lately. A machine has read its kernel when it runs.
fn throw_old_away(cache: &Path) {
    let mut kept: Vec<(SystemTime, PathBuf)> = fs::read_dir(cache)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    kept.sort();
    for (_time, path) in kept.iter().rev().skip(KEPT) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests;
