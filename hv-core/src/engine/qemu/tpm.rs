//! The TPM of a machine: a process of its own, swtpm, which pretends the chip.
//!
//! Promises that it needs no looking after while its machine runs: it and QEMU hold the two ends of a pair
//! of sockets that has no name, it outlives the core as QEMU does, and it ends when QEMU does. Only a TPM
//! that QEMU has not yet spoken to does not notice; one whose machine does not come up is ended here, and
//! one that a core left which died in that moment, when the guest's engine is looked for next. What a TPM
//! knows is kept by swtpm in the guest's folder.

use super::process::{self, Process};
use crate::engine::EngineError;
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;
use tracing::warn;

/// The program, as it is named in every distribution.
pub const PROGRAM: &str = "swtpm";

/// How long the TPM of a machine that has ended may take to write what it knows and end as well.
const END_DEADLINE: Duration = Duration::from_secs(1);

/// A TPM that was started. Dropped before its machine runs, it is ended.
#[derive(Debug)]
pub struct Tpm {
    process: Option<Process>,
}

impl Tpm {
    /// Starts the TPM whose memory is in this folder, which is made where it is not there. Gives QEMU's end
    /// of the pair too. Its output goes to the end of `log`.
    pub async fn start(program: &Path, folder: &Path, log: &Path) -> Result<(Self, OwnedFd), EngineError> {
        let failed =
            |what: &str, error: &io::Error| EngineError::NotStarted { detail: format!("{what}: {error}") };
        hv_api::paths::private_folder(folder).map_err(|error| failed("the TPM has no folder", &error))?;
        // That of a machine that has just ended is about to end as well.
        if let Some(former) = Former::of(folder) {
            former.end().await;
        }
        let (its, socket) = UnixStream::pair().map_err(|error| failed("the TPM has no socket", &error))?;
        let its = [OwnedFd::from(its)];
        let mut child = process::spawn(program, &arguments(its[0].as_raw_fd()), &its, log, folder, None)
            .map_err(|error| failed(&format!("{} could not be run", program.display()), &error))?;
        // The child isn't waited for yet, so that nobody else can have its number.
        let process = child.id().and_then(|pid| Process::with_pid(pid).ok());
        tokio::spawn(async move { child.wait().await });
        Ok((Self { process }, socket.into()))
    }

    /// Its machine runs, and will end it.
    pub fn release(mut self) {
        self.process = None;
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }
}

/// The arguments for a TPM with its memory in the working folder: a path could hold a comma, which swtpm
/// has no way to write.
fn arguments(socket: i32) -> Vec<String> {
    let control = format!("type=unixio,clientfd={socket}");
    let words = ["socket", "--tpm2", "--terminate", "--ctrl", &control, "--tpmstate", "dir=.,mode=0600"];
    words.map(str::to_owned).into()
}

/// A TPM whose machine has ended.
#[derive(Debug)]
pub struct Former(Process);

impl Former {
    /// That which works in this folder at this moment; nothing where none does.
    ///
    /// It is looked for among all processes: a number that swtpm writes down itself is not there yet when a core
    /// is killed that has just started it.
    pub fn of(folder: &Path) -> Option<Self> {
        let wanted = fs::metadata(folder).ok()?;
        let numbers =
            fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        numbers.into_iter().find_map(|number| Self::with_number(number, &wanted))
    }

    fn with_number(number: u32, folder: &Metadata) -> Option<Self> {
        let proc = PathBuf::from(format!("/proc/{number}"));
        let is_it = || {
            let its = fs::metadata(proc.join("cwd")).ok()?;
            let works_here = its.dev() == folder.dev() && its.ino() == folder.ino();
            (works_here && fs::read(proc.join("comm")).ok()? == b"swtpm\n").then_some(())
        };
        is_it()?;
        // The number may be another process's by now. Looked at after the process was taken hold of, what is
        // there is its own.
        let process = Process::with_pid(number).ok()?;
        is_it()?;
        Some(Self(process))
    }

    /// Waits a moment for its end, and ends it.
    pub async fn end(self) {
        if timeout(END_DEADLINE, self.0.ended()).await.is_err() {
            warn!(pid = self.0.pid(), "ending a TPM that its machine has left");
            self.0.kill();
            let _ended = timeout(END_DEADLINE, self.0.ended()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[tokio::test]
    async fn a_tpm_that_its_machine_has_left_is_ended_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Former::of(folder.path()).is_none());
        // In another folder, or another program.
        let sleep = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join("sleep"))
            .find(|path| path.exists())
            .unwrap();
        let named = folder.path().join(PROGRAM);
        std::os::unix::fs::symlink(&sleep, &named).unwrap();
        for (program, place) in [(&named, Path::new("/")), (&sleep, folder.path())] {
            let mut child = Command::new(program).arg("60").current_dir(place).spawn().unwrap();
            assert!(Former::of(folder.path()).is_none());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let mut child = Command::new(&named).arg("60").current_dir(folder.path()).spawn().unwrap();
        Former::of(folder.path()).unwrap().end().await;
        child.wait().unwrap();
        assert!(Former::of(folder.path()).is_none());
    }
}
