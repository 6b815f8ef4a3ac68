//! The large files of a tree: its installer's kernel and what is loaded with it, put where they are wanted.
//!
//! What comes from a server is kept in the user's cache, by what is in it where the tree says that, else by the server's
//! own mark for it; what was used least lately goes. Given up, it leaves nothing there.

use super::checksum::{Checksum, Digester, hexadecimal};
use super::place::Place;
use super::remote::{Answer, Patience, Remote};
use super::{Fault, Tree, beneath};
use crate::engine::Amount;
use crate::{files, store};
use hv_api::{ByteSize, Error, TreeFault};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

/// The largest file that is taken: no initrd comes near it.
const LARGEST_FILE: u64 = 1 << 30;

/// How many files are kept: four installers.
const KEPT: usize = 8;

/// Gets both files of a tree's installer into a folder, as `linux` and `initrd`.
///
/// # Errors
/// [`Error::TreeUnusable`] and what can go wrong with files here.
pub async fn installer(
    tree: &Tree,
    cache: &Path,
    folder: &Path,
    progress: impl Fn(Amount),
) -> Result<(), Error> {
    let shown = tree.place.shown();
    let none = || Fault::new(TreeFault::NoKernel, "", "").into_error(&shown);
    let identity = &tree.found.identity;
    let kernel = identity.kernel.as_deref().ok_or_else(none)?;
    let initrd = identity.initrd.as_deref().ok_or_else(none)?;
    let mut done = 0;
    for (path, name) in [(kernel, "linux"), (initrd, "initrd")] {
        let (target, expected) = (folder.join(name), tree.checksum(path));
        let before = done;
        let tell = |now: u64, total: u64| {
            let bytes = |count| ByteSize::bytes(count);
            progress(Amount { done: bytes(before + now), total: bytes(before + total.max(now)) });
        };
        done += match &tree.place {
            Place::Folder(root) => copy(root, path, expected, &target).await?,
            Place::Address(_) => {
                let remote = Remote::new(tree.place.clone()).await?;
                fetch(&remote, path, expected, cache, &target, &tell).await.map_err(|error| match error {
                    Trouble::Tree(fault) => fault.into_error(&shown),
                    Trouble::File(path, error) => store::failed(&path, &error),
                })?
            }
        };
        tell(done - before, done - before);
    }
    Ok(())
}

/// What can go wrong.
enum Trouble {
    Tree(Fault),
    File(PathBuf, io::Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Tree(fault)
    }
}

/// Copies a file out of a folder; how many bytes it has.
async fn copy(root: &Path, path: &str, expected: Option<&Checksum>, target: &Path) -> Result<u64, Error> {
    let (root, path, target) = (root.to_owned(), path.to_owned(), target.to_owned());
    let mut digester = Digester::new(expected);
    files::off_thread(move || {
        let shown = root.display().to_string();
        let fault = |kind, detail: &str| Fault::new(kind, &path, detail).into_error(&shown);
        let missing = |error: io::Error| fault(TreeFault::Missing, &error.to_string());
        let mut from = beneath(&root, Path::new(&path)).map_err(missing)?;
        let mut to = store_file(&target).map_err(|error| store::failed(&target, &error))?;
        let (mut count, mut chunk) = (0, vec![0; 256 << 10]);
        loop {
            let read = from.read(&mut chunk).map_err(missing)?;
            if read == 0 {
                break;
            }
            count += read as u64;
            if count > LARGEST_FILE {
                return Err(fault(TreeFault::TooLarge, ""));
            }
            digester.take(&chunk[..read]);
            io::Write::write_all(&mut to, &chunk[..read]).map_err(|error| store::failed(&target, &error))?;
        }
        digester.finish().map_err(|words| fault(TreeFault::Checksum, &words))?;
        Ok(count)
    })
    .await
}

fn store_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Fetches a file, or takes it from the cache; how many bytes it has.
async fn fetch(
    remote: &Remote,
    path: &str,
    expected: Option<&Checksum>,
    cache: &Path,
    target: &Path,
    tell: &impl Fn(u64, u64),
) -> Result<u64, Trouble> {
    let file = |error| Trouble::File(cache.to_owned(), error);
    hv_api::paths::private_folder(cache).map_err(file)?;
    let by_content = expected.and_then(Checksum::name);
    if let Some(name) = &by_content
        && let Some(length) = take(&cache.join(name), target, expected).await
    {
        return Ok(length);
    }
    let mut answer = remote.get(path).await?;
    let by_mark = || answer.tag().map(|tag| format!("mark-{}", hexadecimal(&Sha256::digest(tag.as_bytes()))));
    let name = by_content.or_else(by_mark);
    if let Some(name) = &name
        && let Some(length) = take(&cache.join(name), target, expected).await
    {
        return Ok(length);
    }
    let temporary = Temporary::new(cache);
    let length = receive(&mut answer, remote.patience, path, expected, &temporary.0, tell).await?;
    let target_error = |error| Trouble::File(target.to_owned(), error);
    match name {
        Some(name) => {
            let kept = cache.join(name);
            fs::rename(&temporary.0, &kept).map_err(file)?;
            link(&kept, target).await.map_err(target_error)?;
            throw_old_away(cache);
        }
        None => link(&temporary.0, target).await.map_err(target_error)?,
    }
    Ok(length)
}

async fn receive(
    answer: &mut Answer,
    patience: Patience,
    path: &str,
    expected: Option<&Checksum>,
    to: &Path,
    tell: &impl Fn(u64, u64),
) -> Result<u64, Trouble> {
    let failed = |error| Trouble::File(to.to_owned(), error);
    let said = answer.length();
    if said.is_some_and(|length| length > LARGEST_FILE) {
        return Err(Fault::new(TreeFault::TooLarge, path, "").into());
    }
    let mut writer = tokio::fs::File::from_std(store_file(to).map_err(failed)?);
    let mut digester = Digester::new(expected);
    let (mut count, mut since) = (0_u64, (Instant::now(), 0_u64));
    while let Some(chunk) = answer.next().await? {
        count += chunk.len() as u64;
        if count > LARGEST_FILE {
            return Err(Fault::new(TreeFault::TooLarge, path, "").into());
        }
        if since.0.elapsed() > patience.least.1 {
            if count - since.1 < patience.least.0 {
                return Err(Fault::new(TreeFault::Overdue, path, "it drips").into());
            }
            since = (Instant::now(), count);
        }
        digester.take(&chunk);
        writer.write_all(&chunk).await.map_err(failed)?;
        tell(count, said.unwrap_or(count));
    }
    writer.flush().await.map_err(failed)?;
    if said.is_some_and(|said| said != count) {
        return Err(Fault::new(TreeFault::Unreachable, path, "it broke off").into());
    }
    digester.finish().map_err(|words| Fault::new(TreeFault::Checksum, path, &words))?;
    Ok(count)
}

/// Takes a file that was kept, where it is there and still what it was.
async fn take(kept: &Path, target: &Path, expected: Option<&Checksum>) -> Option<u64> {
    let path = kept.to_owned();
    let mut digester = Digester::new(expected);
    let look = move || {
        let (mut file, length) = files::open_readable(&path)?;
        let mut chunk = vec![0; 256 << 10];
        let failed = |error: io::Error| store::failed(&path, &error);
        loop {
            match file.read(&mut chunk).map_err(failed)? {
                0 => break,
                read => digester.take(&chunk[..read]),
            }
        }
        digester.finish().map_err(|words| failed(io::Error::other(words)))?;
        // It was used now.
        let _ = file.set_modified(SystemTime::now());
        Ok(length)
    };
    let length = files::off_thread(look).await.ok()?;
    link(kept, target).await.ok()?;
    Some(length)
}

/// Gives a file another name, or where that can't be, makes another one of it.
async fn link(from: &Path, to: &Path) -> io::Result<()> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    tokio::fs::copy(from, to).await.map(drop)
}

/// A file in the making, removed with this value.
struct Temporary(PathBuf);

impl Temporary {
    fn new(cache: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = cache.join(format!(".new-{}-{count}", std::process::id()));
        // Left by a process with the same number that was killed.
        let _ = fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes what was used least lately, and what was cut short.
fn throw_old_away(cache: &Path) {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    let mut kept: Vec<(SystemTime, PathBuf)> =
        entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    kept.sort();
    for (_time, path) in kept.iter().rev().skip(KEPT) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What is wrong with a file that is fetched into this folder, with a cache there.
    pub(in crate::tree) async fn fetched(remote: &Remote, path: &str, folder: &Path) -> Option<TreeFault> {
        let (cache, target) = (folder.join("cache"), folder.join("file"));
        match fetch(remote, path, None, &cache, &target, &|_, _| {}).await {
            Err(Trouble::Tree(fault)) => Some(fault.kind),
            Err(Trouble::File(path, error)) => panic!("{}: {error}", path.display()),
            Ok(_) => None,
        }
    }
}
