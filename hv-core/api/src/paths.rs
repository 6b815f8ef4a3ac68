//! Where the core's socket is: the one path that core and clients must agree on.

use rustix::fs::{Mode, OFlags};
use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Names the socket for `hv` and the application, in place of the usual one.
pub const SOCKET_VARIABLE: &str = "GUESTHOUSE_SOCKET";

/// The folder with the core's sockets and those of its guests: `guesthouse` in `XDG_RUNTIME_DIR`, or
/// in `/run/user/UID`, or, where a session has neither, `/tmp/guesthouse-UID`.
pub fn runtime_folder() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    let given = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = PathBuf::from(format!("/run/user/{user}"));
    given
        .or_else(|| usual.is_dir().then_some(usual))
        .map_or_else(|| PathBuf::from(format!("/tmp/guesthouse-{user}")), |base| base.join("guesthouse"))
}

/// The socket on which the core answers: `$GUESTHOUSE_SOCKET`, else `core` in [`runtime_folder`].
pub fn socket() -> PathBuf {
    env::var_os(SOCKET_VARIABLE)
        .filter(|value: &OsString| !value.is_empty())
        .map_or_else(|| runtime_folder().join("core"), PathBuf::from)
}

/// Makes a folder that only this user may enter, and makes sure that an existing one is that.
///
/// # Errors
/// Where it can't be made, is a link, belongs to somebody else, or is open to others.
pub fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let folder =
        rustix::fs::open(path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let found = std::fs::File::from(folder).metadata()?;
    let user = rustix::process::getuid().as_raw();
    if found.uid() != user {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} belongs to user {}", path.display(), found.uid()),
        ));
    }
    if found.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    }
    Ok(())
}
