//! Opening a file that a client named, with the reason where that can't be.
//!
//! Promises not to hang on a pipe and not to touch devices other than disks. What is in the file is
//! left to [`crate::medium`].

use hv_api::{Error, FileFault};
use rustix::fs::{Mode, OFlags};
use std::fs::{File, FileType};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Does something with files on a thread of its own: a file system that does not answer then holds up who
/// asked, and nobody else.
///
/// # Errors
/// Those of the work.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let detail = format!("looking at files failed: {error}");
        Err(Error::StoreFailed { path: String::new(), detail })
    })
}

/// Opens a regular file or a block device for reading. Also gives its length in bytes, which is not
/// zero. The path's links are followed.
///
/// # Errors
/// [`Error::FileUnusable`] with what is wrong.
pub fn open_readable(path: &Path) -> Result<(File, u64), Error> {
    let unusable = |fault, detail: String| Error::FileUnusable {
        path: path.to_string_lossy().into_owned(),
        fault,
        detail,
    };
    let failed = |error: io::Error| unusable(fault_of(&error), error.to_string());

    if !path.is_absolute() {
        return Err(unusable(FileFault::NotAbsolute, "not an absolute path".to_owned()));
    }
    // Some devices act when they are opened; so this asks first, and then again what was opened.
    check_type(std::fs::metadata(path).map_err(failed)?.file_type())
        .map_err(|(fault, detail)| unusable(fault, detail.to_owned()))?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
    let mut file = File::from(file);
    let found = file.metadata().map_err(failed)?;
    check_type(found.file_type()).map_err(|(fault, detail)| unusable(fault, detail.to_owned()))?;

    let length = if found.is_file() {
        found.len()
    } else {
        let end = file.seek(SeekFrom::End(0)).map_err(failed)?;
        file.rewind().map_err(failed)?;
        end
    };
    if length == 0 {
        return Err(unusable(FileFault::Empty, "0 bytes long".to_owned()));
    }
    Ok((file, length))
}

fn check_type(found: FileType) -> Result<(), (FileFault, &'static str)> {
    if found.is_file() || found.is_block_device() {
        return Ok(());
    }
    if found.is_dir() {
        return Err((FileFault::IsFolder, "a folder"));
    }
    let kind = if found.is_fifo() {
        "a pipe"
    } else if found.is_socket() {
        "a socket"
    } else if found.is_char_device() {
        "a character device"
    } else {
        "not a regular file"
    };
    Err((FileFault::NotAFile, kind))
}

/// What an error of the operating system means for a file that was named.
pub fn fault_of(error: &io::Error) -> FileFault {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileFault::Missing,
        io::ErrorKind::PermissionDenied => FileFault::NoPermission,
        io::ErrorKind::IsADirectory => FileFault::IsFolder,
        _ => FileFault::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    fn fault(path: &Path) -> FileFault {
        match open_readable(path) {
            Err(Error::FileUnusable { fault, path: named, .. }) => {
                assert_eq!(Path::new(&named), path);
                fault
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_is_opened_through_links_with_its_length() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "content").expect("a file");
        symlink(&file, &link).expect("a link");
        for path in [file, link] {
            assert_eq!(open_readable(&path).expect("it can be read").1, 7);
        }
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let in_folder = |name: &str| folder.path().join(name);
        std::fs::write(in_folder("empty"), "").expect("a file");
        symlink("nowhere", in_folder("dangling")).expect("a link");
        symlink("loop", in_folder("loop")).expect("a link");
        let _listener = UnixListener::bind(in_folder("socket")).expect("a socket");
        let pipe = in_folder("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a pipe");

        assert_eq!(fault(&in_folder("missing")), FileFault::Missing);
        assert_eq!(fault(&in_folder("dangling")), FileFault::Missing);
        assert_eq!(fault(&in_folder("empty/below")), FileFault::Missing);
        assert_eq!(fault(&in_folder("loop")), FileFault::Unreadable);
        assert_eq!(fault(&in_folder("empty")), FileFault::Empty);
        assert_eq!(fault(&in_folder("socket")), FileFault::NotAFile);
        assert_eq!(fault(&pipe), FileFault::NotAFile);
        assert_eq!(fault(folder.path()), FileFault::IsFolder);
        assert_eq!(fault(Path::new("/dev/null")), FileFault::NotAFile);
        assert_eq!(fault(Path::new("relative.iso")), FileFault::NotAbsolute);
        assert_eq!(fault(Path::new("")), FileFault::NotAbsolute);
        assert_eq!(fault(Path::new("/a\0b")), FileFault::Unreadable);
    }

    #[test]
    fn words_of_the_system_become_faults() {
        let fault = |kind: io::ErrorKind| fault_of(&kind.into());
        assert_eq!(fault(io::ErrorKind::PermissionDenied), FileFault::NoPermission);
        assert_eq!(fault(io::ErrorKind::NotFound), FileFault::Missing);
        assert_eq!(fault(io::ErrorKind::Other), FileFault::Unreadable);
    }
}
