//! The TPM of a machine: a process of its own, swtpm, which pretends the chip.
//!
//! Promises that it needs no looking after while its machine runs: it and QEMU hold the two ends of a pair
//! of sockets that has no name, it outlives the core as QEMU does, and it ends when QEMU does. Only a TPM
//! that QEMU has not yet spoken to does not notice; one whose machine does not come up is ended here, and
//! one that a core left which died in that moment, when the guest's engine is looked for next. What a TPM
//! knows is kept by swtpm in the guest's folder.

use super::process::{self, Process};
use crate::engine::EngineError;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;
use tracing::warn;

/// The program, as it is named in every distribution.
pub const PROGRAM: &str = "swtpm";

/// The file in a TPM's folder into which swtpm writes its number while it runs.
const PID: &str = "pid";
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
        let mut child = process::spawn(program, &arguments(its[0].as_raw_fd()), &its, log, folder)
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
    let (control, pid) = (format!("type=unixio,clientfd={socket}"), format!("file={PID}"));
    let state = ["--tpmstate", "dir=.,mode=0600"];
    let words = ["socket", "--tpm2", "--terminate", "--ctrl", &control, "--pid", &pid].into_iter();
    words.chain(state).map(str::to_owned).collect()
}

/// A TPM whose machine has ended.
#[derive(Debug)]
pub struct Former(Process);

impl Former {
    /// That which has this folder at this moment; nothing where none does.
    pub fn of(folder: &Path) -> Option<Self> {
        let mut number = String::new();
        // No longer than any number of a process, should something else be written there.
        File::open(folder.join(PID)).ok()?.take(16).read_to_string(&mut number).ok()?;
        let process = Process::with_pid(number.trim().parse().ok()?).ok()?;
        // The number may be another process's by now. Looked at after the process was taken hold of, what
        // is there is its own.
        let proc = PathBuf::from(format!("/proc/{}", process.pid()));
        let (its, wanted) = (fs::metadata(proc.join("cwd")).ok()?, fs::metadata(folder).ok()?);
        let works_here = its.dev() == wanted.dev() && its.ino() == wanted.ino();
        (works_here && fs::read(proc.join("comm")).ok()? == b"swtpm\n").then_some(Self(process))
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
        let write = |text: &str| fs::write(folder.path().join(PID), text).unwrap();
        assert!(Former::of(folder.path()).is_none());
        for text in ["", "0", "-1", "1", "99999999999999999999", "\u{e9}"] {
            write(text);
            assert!(Former::of(folder.path()).is_none(), "{text:?}");
        }
        // The right number of the wrong process: in another folder, or another program.
        let sleep = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join("sleep"))
            .find(|path| path.exists())
            .unwrap();
        let named = folder.path().join(PROGRAM);
        std::os::unix::fs::symlink(&sleep, &named).unwrap();
        for (program, place) in [(&named, Path::new("/")), (&sleep, folder.path())] {
            let mut child = Command::new(program).arg("60").current_dir(place).spawn().unwrap();
            write(&child.id().to_string());
            assert!(Former::of(folder.path()).is_none());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let mut child = Command::new(&named).arg("60").current_dir(folder.path()).spawn().unwrap();
        write(&format!("{}\n", child.id()));
        Former::of(folder.path()).unwrap().end().await;
        child.wait().unwrap();
        assert!(Former::of(folder.path()).is_none());
    }
}
