//! Physical disks and partitions that a machine has for itself alone.
//!
//! While a machine has one, Linux lets nobody mount it, swap to it or put it together with others: that is what opening a
//! block device exclusively means, and QEMU does not do it. So the core opens it for each machine, and the machine's
//! process inherits the descriptor and never looks at it: it lasts as long as the machine, also while no core runs.

use crate::engine::{DiskConfig, EngineError, MachineConfig};
use rustix::fs::OFlags;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The most programs that are named.
const MOST_NAMED: usize = 3;

/// Opens all block devices that a machine has for itself.
///
/// # Errors
/// [`EngineError::DeviceTaken`] where something else has one, and [`EngineError::NotStarted`].
pub async fn of(machine: &MachineConfig) -> Result<Vec<OwnedFd>, EngineError> {
    let devices: Vec<PathBuf> = machine.disks.iter().flat_map(DiskConfig::devices).collect();
    let mut claims = Vec::new();
    for device in devices {
        let path = device.clone();
        let opened = tokio::task::spawn_blocking(move || {
            OpenOptions::new().read(true).custom_flags(OFlags::EXCL.bits().cast_signed()).open(path)
        });
        match opened.await.unwrap_or_else(|panicked| Err(io::Error::other(panicked))) {
            Ok(file) => claims.push(file.into()),
            Err(error) if is_taken(&error) => return Err(taken(&device).await),
            Err(error) => {
                return Err(EngineError::NotStarted { detail: format!("{}: {error}", device.display()) });
            }
        }
    }
    Ok(claims)
}

/// Whether this is what Linux says where somebody else has it.
pub fn is_taken(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error())
}

/// What tells that somebody else has it, and who.
pub async fn taken(device: &Path) -> EngineError {
    let path = device.to_owned();
    let by =
        tokio::task::spawn_blocking(move || holders(Path::new("/proc"), &path)).await.unwrap_or_default();
    EngineError::DeviceTaken { path: device.to_owned(), by }
}

/// The programs that have a device open, as far as this user may know.
fn holders(proc: &Path, device: &Path) -> String {
    let Ok(wanted) = fs::metadata(device) else { return String::new() };
    let is_it = |open: &Path| {
        fs::metadata(open).is_ok_and(|found| found.rdev() == wanted.rdev() && found.rdev() != 0)
    };
    let own = std::process::id().to_string();
    let mut names = Vec::new();
    for process in fs::read_dir(proc).into_iter().flatten().flatten() {
        let is_number = |name: &OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        let name = process.file_name();
        if !is_number(&name) || name == own.as_str() {
            continue;
        }
        let mut open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        if open.any(|open| is_it(&open.path()))
            && let Ok(name) = fs::read_to_string(process.path().join("comm"))
        {
            let name = name.trim().to_owned();
            if !names.contains(&name) && names.len() < MOST_NAMED {
                names.push(name);
            }
        }
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_device_open_is_named() {
        let mut holder = std::process::Command::new("sh")
            .args(["-c", "exec 5</dev/full; read x"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let folder = format!("/proc/{}/fd/5", holder.id());
        while !Path::new(&folder).exists() {
            std::thread::yield_now();
        }
        assert!(holders(Path::new("/proc"), Path::new("/dev/full")).contains("sh"));
        assert_eq!(holders(Path::new("/proc"), Path::new("/nonexistent")), "");
        holder.kill().unwrap();
        holder.wait().unwrap();
    }
}
