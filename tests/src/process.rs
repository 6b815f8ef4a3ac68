//! Processes: finding the built programs, and holding on to a process so that it can be ended and waited
//! for without ever meeting another one that came to have its number.

use crate::{PATIENCE, until};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// A program of this workspace, beside the test that runs.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.parent().expect("a folder");
    let folder = if folder.ends_with("deps") { folder.parent().expect("a folder") } else { folder };
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace --bins` before the tests",
        path.display()
    );
    path
}

/// A process, held.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    handle: OwnedFd,
}

impl Process {
    /// That with this number; nothing where it has gone.
    pub fn with_pid(pid: u32) -> Option<Self> {
        let number = Pid::from_raw(i32::try_from(pid).ok()?)?;
        pidfd_open(number, PidfdFlags::empty()).ok().map(|handle| Self { pid, handle })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it at once. Nothing happens where it has ended.
    pub fn kill(&self) {
        // It has gone already, which is what is wanted.
        let _gone = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Asks it to end, as a session that is closed does.
    pub fn terminate(&self) {
        let _gone = pidfd_send_signal(&self.handle, Signal::TERM);
    }

    /// Lets it stand still, whatever it does.
    pub fn stop(&self) {
        let _gone = pidfd_send_signal(&self.handle, Signal::STOP);
    }

    /// Lets it go on after that.
    pub fn go_on(&self) {
        let _gone = pidfd_send_signal(&self.handle, Signal::CONT);
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ends_within(Timespec { tv_sec: 0, tv_nsec: 0 })
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        until(&format!("the end of process {}", self.pid), || self.has_ended().then_some(())).await;
    }

    /// Waits until it has ended, where nothing can be awaited.
    pub(crate) fn wait(&self) {
        self.ends_within(Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 });
    }

    fn ends_within(&self, time: Timespec) -> bool {
        poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&time)).is_ok_and(|count| count > 0)
    }

    /// All processes in whose environment this stands.
    pub(crate) fn with_variable(assignment: &str) -> Vec<Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        // Held first and looked at then: what is held can't become another.
        let held = numbers.filter_map(Self::with_pid);
        held.filter(|process| {
            let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == assignment.as_bytes())
        })
        .collect()
    }
}
