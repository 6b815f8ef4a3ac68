//! The engine's process: its sockets, its start, its end and its last words.
//!
//! Promises that what is started here outlives the core: it has a session of its own, writes to a file
//! and serves sockets whose listeners were made before it began. Promises too that a signal never
//! reaches another process that came to have the same number. What is said over the sockets is left to
//! others.

use crate::engine::NOTE_MARK;
use landlock::RulesetCreated;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::FdFlags;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tracing::warn;

/// QMP's socket in a machine's folder.
pub const MONITOR: &str = "qmp";

/// The socket of the guest's agent in a machine's folder.
pub const AGENT: &str = "agent";

/// Stands before the command line in the engine's log, where a start begins.
pub const START_MARK: &str = "--- starting: ";

/// A log that has grown beyond this begins anew at the next start.
const LOG_LIMIT: u64 = 1 << 20;
/// How much of a log is looked at for last words.
const WORDS_LIMIT: u64 = 64 << 10;
/// How many lines are last words.
const WORDS_LINES: usize = 20;

/// The longest path that the address of a socket has room for, with its closing zero.
const SOCKET_PATH_ROOM: usize = 108;

/// A serial port's socket in a machine's folder.
pub fn serial_socket(port: usize) -> String {
    format!("serial{port}")
}

/// The folder with a machine's sockets, held open: its path may be longer than a socket's may.
#[derive(Debug)]
pub struct RunFolder {
    folder: OwnedFd,
    path: PathBuf,
}

impl RunFolder {
    /// Opens it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH;
        Ok(Self { folder: rustix::fs::open(path, flags, Mode::empty())?, path: path.to_owned() })
    }

    /// A path to the socket of this name that fits into a socket's address.
    fn address(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        if path.as_os_str().len() < SOCKET_PATH_ROOM {
            return path;
        }
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.folder.as_raw_fd()))
    }

    /// Makes a listening socket in place of whatever has this name.
    pub fn listen(&self, name: &str) -> io::Result<UnixListener> {
        self.remove(name);
        UnixListener::bind(self.address(name))
    }

    /// Connects to the socket of this name.
    pub async fn connect(&self, name: &str) -> io::Result<UnixStream> {
        UnixStream::connect(self.address(name)).await
    }

    /// Removes the socket of this name, where there is one.
    pub fn remove(&self, name: &str) {
        match rustix::fs::unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => warn!(%error, name, "a stale socket can't be removed"),
        }
    }

    /// Removes all sockets of a machine with so many serial ports.
    pub fn clear(&self, serial_ports: usize) {
        self.remove(MONITOR);
        self.remove(AGENT);
        (0..serial_ports).for_each(|port| self.remove(&serial_socket(port)));
    }
}

/// A process that stays the one it is: no other can take its place under the same number.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    handle: OwnedFd,
}

impl Process {
    /// That with this number. The caller sees to it that it still is the one that is meant.
    pub fn with_pid(pid: u32) -> io::Result<Self> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let number =
            number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no process number"))?;
        Ok(Self { pid, handle: pidfd_open(number, PidfdFlags::NONBLOCK)? })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it at once. Nothing happens where it has ended.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends it a signal. Nothing happens where it has ended.
    pub fn signal(&self, signal: Signal) {
        match pidfd_send_signal(&self.handle, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => warn!(%error, pid = self.pid, ?signal, "the engine takes no signal"),
        }
    }

    /// Waits until it has ended. May be cancelled.
    pub async fn ended(&self) -> io::Result<()> {
        let handle = self.handle.try_clone()?;
        // SAFETY: the `OwnedFd` is open, always names the same descriptor, and is closed with `watched`.
        #[expect(unsafe_code, reason = "tokio can't see that an owned descriptor stays the same")]
        let watched = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }?;
        watched.readable().await.map(|_guard| ())
    }
}

/// The end of a process, to be waited for.
#[derive(Debug)]
pub enum Ending {
    /// Of a child of ours, which is reaped.
    Ours(Child),
    /// Of a process that somebody else has started.
    Foreign(Process),
}

impl Ending {
    /// Waits for the end and says how it came, where that can be known. May be cancelled.
    pub async fn wait(&mut self) -> Option<ExitStatus> {
        match self {
            Self::Ours(child) => child.wait().await.ok(),
            Self::Foreign(process) => {
                if let Err(error) = process.ended().await {
                    warn!(%error, pid = process.pid, "the engine's end can't be watched");
                    std::future::pending::<()>().await;
                }
                None
            }
        }
    }
}

/// Starts a program that outlives this process, with this working folder. It inherits `sockets` under
/// their own numbers, its output goes behind a mark to the end of `log`, and it keeps to `rules`.
pub fn spawn(
    program: &Path,
    arguments: &[String],
    sockets: &[OwnedFd],
    log: &Path,
    folder: &Path,
    mut rules: Option<RulesetCreated>,
) -> io::Result<Child> {
    let mut log = File::options().append(true).create(true).mode(0o600).open(log)?;
    if log.metadata()?.len() > LOG_LIMIT {
        log.set_len(0)?;
    }
    let line: Vec<String> = [program.to_string_lossy().as_ref()]
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .map(quoted)
        .collect();
    writeln!(log, "{START_MARK}{}", line.join(" "))?;
    let inherited: Vec<RawFd> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(false);
    let prepare = move || {
        rustix::process::setsid()?;
        for number in &inherited {
            // SAFETY: the descriptors are open: `sockets` is borrowed until the child was made, and the
            // child is a copy of this process.
            #[expect(unsafe_code, reason = "only numbers can be kept by a closure without a lifetime")]
            let socket = unsafe { std::os::fd::BorrowedFd::borrow_raw(*number) };
            rustix::io::fcntl_setfd(socket, FdFlags::empty())?;
        }
        match rules.take().map(RulesetCreated::restrict_self) {
            Some(Err(_refused)) => Err(io::Error::from(rustix::io::Errno::PERM)),
            _ => Ok(()),
        }
    };
    // SAFETY: between fork and exec `prepare` does nothing but system calls: no memory, no locks. The rules were
    // made before, and are only put into force.
    #[expect(unsafe_code, reason = "the standard library has no other way to a new session")]
    unsafe {
        command.pre_exec(prepare);
    }
    command.spawn()
}

/// The end of what the engine wrote since it was started last, for people: without time stamps and
/// without `noise`, which are beginnings of messages that say nothing to them.
pub fn last_words(log: &Path, noise: &[String]) -> String {
    let written = read_tail(log).unwrap_or_else(|error| {
        warn!(%error, log = %log.display(), "the engine's log can't be read");
        Vec::new()
    });
    words_in(&String::from_utf8_lossy(&written), noise)
}

fn read_tail(log: &Path) -> io::Result<Vec<u8>> {
    // Without waiting, should somebody have put a pipe there.
    let mut file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(log)?;
    let length = file.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(WORDS_LIMIT);
    let mut tail = vec![0; (length - start) as usize];
    file.read_exact_at(&mut tail, start)?;
    Ok(tail)
}

fn words_in(written: &str, noise: &[String]) -> String {
    let mut lines = VecDeque::new();
    for line in written.lines() {
        if line.starts_with(START_MARK) {
            lines.clear();
            continue;
        }
        if line.starts_with(NOTE_MARK) {
            continue;
        }
        let line = cleaned(line, noise);
        if !line.is_empty() {
            lines.push_back(line);
        }
    }
    // Warnings are of no interest where something worse happened.
    if lines.iter().any(|line| !line.starts_with("warning: ")) {
        lines.retain(|line| !line.starts_with("warning: "));
    }
    let surplus = lines.len().saturating_sub(WORDS_LINES);
    let kept: Vec<String> = lines.into_iter().skip(surplus).collect();
    kept.join("\n")
}

/// `2026-01-31T12:00:00.123456Z qemu-system-x86_64: -device x: no such thing` without all that stands
/// before the message.
fn cleaned(line: &str, noise: &[String]) -> String {
    let mut rest = line.trim();
    if let Some((stamp, behind)) = rest.split_once(' ')
        && stamp.len() >= 20
        && stamp.ends_with('Z')
        && stamp.bytes().all(|byte| byte.is_ascii_digit() || b"-:.TZ".contains(&byte))
    {
        rest = behind;
    }
    for beginning in noise {
        rest = rest.strip_prefix(beginning.as_str()).unwrap_or(rest).trim_start();
    }
    // A log may hold anything, and this goes to screens.
    rest.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// How a shell would take this for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''").replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn last_words_are_those_since_the_last_start() {
        let written = "--- starting: qemu\nold words\n--- starting: qemu 'a b'\n\
            2026-01-31T12:00:00.123456Z qemu-system-x86_64: warning: host is slow\n\
            2026-01-31T12:00:00.123456Z qemu-system-x86_64: -device nothing: 'nothing' is no device\n\n";
        let noise = ["qemu-system-x86_64: ".to_owned(), "-device nothing: ".to_owned()];
        assert_eq!(words_in(written, &noise), "'nothing' is no device");
        assert_eq!(words_in("--- starting: qemu\nwarning: slow\n", &noise), "warning: slow");
        assert_eq!(words_in("words\n--- starting: qemu\n", &noise), "");
        assert_eq!(words_in("words\n--- note: ours\n", &noise), "words");
        assert_eq!(words_in("what the system's loader says\n", &[]), "what the system's loader says");
    }

    #[test]
    fn many_words_are_cut_to_the_last() {
        let written: Vec<String> = (0..100).map(|line| format!("line {line}")).collect();
        let words = words_in(&written.join("\n"), &[]);
        assert_eq!(words.lines().count(), WORDS_LINES);
        assert!(words.starts_with("line 80\n") && words.ends_with("line 99"));
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "x".repeat(5 << 20) + "\nlast\n").unwrap();
        let words = last_words(&log, &[]);
        assert!(words.len() as u64 <= WORDS_LIMIT && words.ends_with("\nlast"));
        assert_eq!(last_words(&folder.path().join("none"), &[]), "");
    }

    #[test]
    fn a_command_line_in_the_log_can_be_copied() {
        assert_eq!(quoted("-machine"), "-machine");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(r#"{"a":"b"}"#), r#"'{"a":"b"}'"#);
    }

    proptest! {
        #[test]
        fn no_words_reach_people_with_control_characters(written in "(.|[\\x00-\\x1f])*") {
            let words = words_in(&written, &["x".into()]);
            prop_assert!(words.chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert!(words.lines().count() <= WORDS_LINES);
        }
    }
}
