//! Viewers of a serial port. The engine appends what the guest writes to a log file; a viewer gets that
//! file from (near) its beginning and then as it grows. Nothing is kept in memory, a viewer that reads
//! slowly delays nobody, and what was written while no core ran is there as well.

use crate::engine::Machine;
use inotify::{EventStream, Inotify, WatchMask};
use rustix::fs::FallocateFlags;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::watch;
use tracing::debug;

/// How much of what was written before a viewer came it is shown at most, in bytes.
const REPLAY: u64 = 1 << 20;

/// How much of a log is kept, in bytes. What is older gives its room back.
const KEPT: u64 = 8 << 20;

/// How much is read at once.
const STEP: usize = 64 << 10;

/// The machine that a guest has at a moment.
pub type MachineWatch = watch::Receiver<Option<Arc<dyn Machine>>>;

/// Opens a viewer: what is returned gives the port's output and takes what is to be typed, until the
/// viewer closes it. It outlives the machine and goes on with the guest's next one. Then `guard` is dropped.
pub fn attach(
    log: PathBuf,
    port: u32,
    machine: MachineWatch,
    guard: impl Send + 'static,
) -> io::Result<OwnedFd> {
    // The file may not be there yet; a viewer waits for it to fill.
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&log)?;
    // Before it is read, so that nothing is missed; and here, so that who asks is told where the user has
    // no watches left.
    let changes = Inotify::init()?;
    changes.watches().add(&log, changed())?;
    let changes = changes.into_event_stream(vec![0; 1024])?;
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let (input, mut output) = UnixStream::from_std(ours)?.into_split();
    tokio::spawn(async move {
        let result = tokio::select! {
            result = show(&log, file, changes, &mut output) => result,
            result = take_input(input, port, &machine) => result,
        };
        debug!(port, ?result, "a viewer of a serial port has gone");
        drop(guard);
    });
    Ok(theirs.into())
}

/// What tells that there is more in a log, or that another file has taken its place.
fn changed() -> WatchMask {
    WatchMask::MODIFY | WatchMask::ATTRIB
}

/// Sends the log and what is added to it, then that of the guest's next start, until there is no log.
async fn show(
    log: &Path,
    mut file: File,
    mut changes: EventStream<Vec<u8>>,
    output: &mut (impl AsyncWriteExt + Unpin),
) -> io::Result<()> {
    let mut position = file.metadata()?.len().saturating_sub(REPLAY);
    let mut bytes = vec![0; STEP];
    loop {
        let length = file.metadata()?.len();
        if length < position {
            // Somebody has emptied it.
            position = 0;
        }
        if length - position > KEPT {
            // Too slow for what the guest writes, the beginning of which is no longer kept.
            let skipped = length - REPLAY - position;
            position += skipped;
            output.write_all(format!("\r\n[{skipped} bytes are not shown]\r\n").as_bytes()).await?;
        }
        let count = file.read_at(&mut bytes, position)?;
        if count > 0 {
            output.write_all(&bytes[..count]).await?;
            position += count as u64;
        } else if let Some(next) = successor(log, &file)? {
            // Watched before it is looked at again.
            changes.watches().add(log, changed())?;
            (file, position) = (next, 0);
        } else if futures_util::StreamExt::next(&mut changes).await.is_none() {
            return Ok(());
        }
    }
}

/// The log of the guest's next start, where there has been one since this file was opened.
fn successor(log: &Path, file: &File) -> io::Result<Option<File>> {
    let next = File::open(log)?;
    let (old, new) = (file.metadata()?, next.metadata()?);
    Ok(((old.dev(), old.ino()) != (new.dev(), new.ino())).then_some(next))
}

/// Passes what is typed to whichever machine there is; without one it is lost, as on a real port.
async fn take_input(mut input: OwnedReadHalf, port: u32, machine: &MachineWatch) -> io::Result<()> {
    let mut bytes = vec![0; 4096];
    loop {
        let count = input.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        let now = machine.borrow().clone();
        if let Some(machine) = now
            && let Err(error) = machine.write_serial(port, bytes[..count].to_vec()).await
        {
            debug!(port, %error, "typed into a serial port in vain");
        }
    }
}

/// Begins a port's log anew for a new start of the guest: in a new file, so that a viewer who still reads
/// the former one misses nothing of either.
pub fn begin_log(log: &Path) -> io::Result<()> {
    let new = log.with_extension("new");
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    std::fs::rename(new, log)
}

/// Gives back the room of what is no longer kept of a log. Positions in it stay what they are.
pub fn shorten_log(log: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(log)?;
    let length = file.metadata()?.len();
    if length > KEPT {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&file, hole, 0, length - KEPT)?;
    }
    Ok(())
}

/// The end of a log as text, at most `limit` bytes of it; empty where there is no log.
pub fn tail(log: &Path, limit: u64) -> io::Result<String> {
    let file = match File::open(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        other => other?,
    };
    let length = file.metadata()?.len();
    let start = length.saturating_sub(limit);
    let mut bytes = vec![0; (length - start) as usize];
    file.read_exact_at(&mut bytes, start)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    async fn read(viewer: &mut UnixStream, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        viewer.read_exact(&mut got).await.unwrap();
        assert_eq!(got, expected);
    }

    fn viewer(log: &Path) -> UnixStream {
        let (_keep, machine) = watch::channel(None);
        let fd = attach(log.to_owned(), 0, machine, ()).unwrap();
        let stream = std::os::unix::net::UnixStream::from(fd);
        stream.set_nonblocking(true).unwrap();
        UnixStream::from_std(stream).unwrap()
    }

    #[tokio::test]
    async fn a_viewer_sees_what_was_before_what_comes_and_a_new_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("serial0.log");
        std::fs::write(&log, "before ").unwrap();
        let mut viewer = viewer(&log);
        read(&mut viewer, b"before ").await;
        let mut guest = OpenOptions::new().append(true).open(&log).unwrap();
        guest.write_all(b"after").unwrap();
        read(&mut viewer, b"after").await;
        // At once: the new log is longer than the former one when the viewer looks.
        guest.write_all(b" the end").unwrap();
        begin_log(&log).unwrap();
        let mut guest = OpenOptions::new().append(true).open(&log).unwrap();
        guest.write_all(b"again, and longer than before").unwrap();
        read(&mut viewer, b" the endagain, and longer than before").await;
        guest.write_all(b" and on").unwrap();
        read(&mut viewer, b" and on").await;
    }

    #[tokio::test]
    async fn a_viewer_of_a_guest_that_is_deleted_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("serial0.log");
        std::fs::write(&log, "before").unwrap();
        let mut viewer = viewer(&log);
        read(&mut viewer, b"before").await;
        std::fs::remove_file(&log).unwrap();
        assert_eq!(viewer.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn two_viewers_see_the_same_and_a_late_one_at_most_the_last_mebibyte() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("serial0.log");
        let mut content = vec![b'x'; 100];
        content.extend(vec![b'y'; REPLAY as usize]);
        std::fs::write(&log, &content).unwrap();
        for _ in 0..2 {
            read(&mut viewer(&log), &content[100..]).await;
        }
    }

    #[tokio::test]
    async fn a_log_takes_no_more_room_than_is_kept_and_a_slow_viewer_is_told_what_it_missed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("serial0.log");
        std::fs::write(&log, "start").unwrap();
        let mut viewer = viewer(&log);
        read(&mut viewer, b"start").await;
        let length = KEPT as usize * 2;
        OpenOptions::new().append(true).open(&log).unwrap().write_all(&vec![b'z'; length]).unwrap();
        shorten_log(&log).unwrap();
        let found = log.metadata().unwrap().blocks() * 512;
        assert!(found <= KEPT + (1 << 16), "{found}");
        assert_eq!(log.metadata().unwrap().len(), 5 + length as u64);
        let told = format!("\r\n[{} bytes are not shown]\r\nzzzz", length as u64 - REPLAY);
        read(&mut viewer, told.as_bytes()).await;
    }

    #[tokio::test]
    async fn a_viewer_may_come_before_the_first_byte() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("serial0.log");
        let mut viewer = viewer(&log);
        OpenOptions::new().append(true).open(&log).unwrap().write_all(b"first").unwrap();
        read(&mut viewer, b"first").await;
    }
}
