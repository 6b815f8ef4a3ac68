//! Volumes: making them, and knowing whether two paths are the same one.

use crate::engine::DiskFormat;
use crate::{files, store};
use hv_api::{ByteSize, Error};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The program that makes volumes.
const IMAGE_TOOL: &str = "qemu-img";

/// How long it may take to make an empty volume or to grow one. Some hundred kilobytes are written.
const SIZE_DEADLINE: Duration = Duration::from_secs(60);

/// Makes an empty qcow2 volume. Given up, it leaves at most a part of the file behind, which is in a
/// folder that its caller throws away.
pub async fn create_volume(path: &Path, size: ByteSize) -> Result<(), Error> {
    size_volume("create", path, DiskFormat::Qcow2, size).await
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
        let flushed = std::fs::File::open(&temporary).and_then(|file| file.sync_all());
        flushed.and_then(|()| std::fs::rename(&temporary, path)).map_err(|error| store::failed(path, &error))
    });
    if copied.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    copied
}

/// Runs the image tool, which makes something at this path.
async fn run(mut tool: Command, path: &Path) -> Result<(), Error> {
    let child = tool
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::EngineMissing { program: IMAGE_TOOL.into() },
            _ => store::failed(path, &error),
        })?;
    let output = tokio::time::timeout(SIZE_DEADLINE, child.wait_with_output())
        .await
        .unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|error| store::failed(path, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    if words.contains("No space left on device") || words.contains("Disk quota exceeded") {
        return Err(store::no_space(path));
    }
    Err(Error::StoreFailed { path: path.display().to_string(), detail: words.trim().to_owned() })
}

/// The size that a guest sees of a volume; nothing where it can't be read.
pub fn volume_size(path: &Path, format: DiskFormat) -> Option<ByteSize> {
    let (mut file, length) = files::open_readable(path).ok()?;
    match format {
        DiskFormat::Raw => Some(ByteSize::bytes(length)),
        DiskFormat::Qcow2 => {
            let mut header = [0; 32];
            file.read_exact(&mut header).ok()?;
            let (magic, size) = (header.first_chunk::<4>()?, header.last_chunk::<8>()?);
            (magic == b"QFI\xfb").then(|| ByteSize::bytes(u64::from_be_bytes(*size)))
        }
    }
}

/// What makes two paths the same volume: the file itself, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VolumeId {
    device: u64,
    file: u64,
}

/// The identity of the volume at a path; nothing where there is none.
pub fn volume_id(path: &Path) -> Option<VolumeId> {
    let found = std::fs::metadata(path).ok()?;
    Some(VolumeId { device: found.dev(), file: found.ino() })
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
    async fn a_volume_in_a_place_that_is_not_there_is_refused_with_the_place() {
        let error = create_volume(Path::new("/nonexistent/disk"), ByteSize::gib(1)).await.unwrap_err();
        assert!(matches!(error, Error::StoreFailed { path, .. } if path == "/nonexistent/disk"));
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
