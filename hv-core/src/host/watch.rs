//! When devices come and go that guests can have: Linux makes and removes their files, sets who may use them, and
//! mounts what is on them. Nothing is asked for again and again.

use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchMask};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How long it is quiet before it is worth looking: a device that comes makes several changes, one of them being
/// that its user gets the right to use it.
const QUIET: Duration = Duration::from_millis(300);

/// Looks after so many changes, however busy it is.
const PATIENCE: u32 = 10;

/// The folder with a folder for each USB bus, in which each device has its file.
const BUSES: &str = "dev/bus/usb";

/// The folder with a file for each group of PCI devices that can be assigned.
const GROUPS: &str = "dev/vfio";

/// The folders around them, which are watched until they are there.
const FOLDERS: [&str; 2] = ["dev", "dev/bus"];

/// A watch on the devices of the computer whose files are under a root.
pub struct Watch {
    root: PathBuf,
    files: EventStream<Vec<u8>>,
    /// The table of what is mounted. Nothing where it can't be watched.
    mounts: Option<AsyncFd<OwnedFd>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Watch {
    /// Begins to watch. Must be called within the runtime.
    ///
    /// # Errors
    /// Where Linux does not let it.
    pub fn begin(root: &Path) -> io::Result<Self> {
        let files = Inotify::init()?.into_event_stream(vec![0; 4096])?;
        let watch = Self { root: root.to_owned(), files, mounts: mounts(root) };
        watch.look()?;
        Ok(watch)
    }

    /// Waits until something has changed, and until that has calmed.
    ///
    /// # Errors
    /// Where Linux does not tell any more.
    pub async fn changed(&mut self) -> io::Result<()> {
        self.next().await?;
        for _change in 0..PATIENCE {
            match tokio::time::timeout(QUIET, self.next()).await {
                Ok(changed) => changed?,
                Err(_quiet) => break,
            }
        }
        self.look()
    }

    /// What has changed is found out by looking.
    async fn next(&mut self) -> io::Result<()> {
        tokio::select! {
            event = self.files.next() => event.unwrap_or(Err(io::ErrorKind::UnexpectedEof.into())).map(drop),
            mounted = mounted(self.mounts.as_ref()) => mounted,
        }
    }

    /// Watches the folder of the groups and that of each bus, also of those that are new. A folder that is watched
    /// already stays so.
    fn look(&self) -> io::Result<()> {
        let kinds = WatchMask::CREATE | WatchMask::DELETE;
        let add = |folder: &Path, kinds| self.files.watches().add(folder, kinds);
        let (buses, groups) = (self.root.join(BUSES), self.root.join(GROUPS));
        if !buses.is_dir() || !groups.is_dir() {
            // From the outermost on, so that none of them is made in between and nobody sees it.
            for folder in FOLDERS {
                let _missing = add(&self.root.join(folder), kinds);
            }
        }
        if groups.is_dir() {
            add(&groups, kinds | WatchMask::ATTRIB)?;
        }
        if buses.is_dir() {
            add(&buses, kinds)?;
            for bus in fs::read_dir(&buses)?.flatten().filter(|bus| bus.path().is_dir()) {
                let _gone = add(&bus.path(), kinds | WatchMask::ATTRIB);
            }
        }
        Ok(())
    }
}

fn mounts(root: &Path) -> Option<AsyncFd<OwnedFd>> {
    let table = OwnedFd::from(File::open(root.join("proc/self/mountinfo")).ok()?);
    // SAFETY: the `OwnedFd` is open, always names the same descriptor, and is closed with the `AsyncFd`.
    #[expect(unsafe_code, reason = "tokio can't see that an owned descriptor stays the same")]
    let registered = unsafe { AsyncFd::register_with_interest(table, Interest::PRIORITY) };
    registered.ok()
}

async fn mounted(table: Option<&AsyncFd<OwnedFd>>) -> io::Result<()> {
    match table {
        Some(table) => {
            table.ready(Interest::PRIORITY).await?.clear_ready();
            Ok(())
        }
        None => std::future::pending().await,
    }
}
