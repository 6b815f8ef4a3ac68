//! The folders where the core keeps things, by the XDG Base Directory Specification.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The name of this program's folder in each of the user's base folders.
const OWN: &str = "guesthouse";

/// The core's folders, all absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// What must not be lost: `guesthouse` in `$XDG_DATA_HOME` or in `~/.local/share`.
    pub data: PathBuf,
    /// The guests, one folder each, in `data`.
    pub guests: PathBuf,
    /// Logs, and what can be found out again: `guesthouse` in `$XDG_STATE_HOME` or in
    /// `~/.local/state`.
    pub state: PathBuf,
    /// What can be made again: `guesthouse` in `$XDG_CACHE_HOME` or in `~/.cache`.
    pub cache: PathBuf,
    /// Sockets; gone after the session.
    pub runtime: PathBuf,
    /// The user's settings, not only ours: `$XDG_CONFIG_HOME` or `~/.config`.
    pub config: PathBuf,
    /// Where Linux tells about this computer's devices, by `sys`, `proc` and `dev`, and lists name them: `/`, unless
    /// `$GUESTHOUSE_DEVICES` names another folder, as tests do.
    pub devices: PathBuf,
}

/// The environment names no home folder, and neither does the user database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this user has no home folder: neither HOME nor XDG_DATA_HOME and XDG_STATE_HOME name one")]
pub struct NoHome;

impl Folders {
    /// The folders that the environment names. Values that are not absolute are ignored, as the
    /// specification asks.
    ///
    /// # Errors
    /// Where a base folder is not named and the user has no home folder either.
    pub fn from_env() -> Result<Self, NoHome> {
        let devices = env::var_os("GUESTHOUSE_DEVICES").map(PathBuf::from).filter(|path| path.is_absolute());
        let folders = Self::from_values(
            env::var_os("XDG_DATA_HOME"),
            env::var_os("XDG_STATE_HOME"),
            env::var_os("XDG_CACHE_HOME"),
            env::var_os("XDG_CONFIG_HOME"),
            env::home_dir(),
            hv_api::paths::runtime_folder(),
        )?;
        Ok(Self { devices: devices.unwrap_or(folders.devices), ..folders })
    }

    fn from_values(
        data: Option<OsString>,
        state: Option<OsString>,
        cache: Option<OsString>,
        config: Option<OsString>,
        home: Option<PathBuf>,
        runtime: PathBuf,
    ) -> Result<Self, NoHome> {
        let home = home.filter(|path| path.is_absolute());
        let base = |named: Option<OsString>, usual: &str| {
            let named = named.map(PathBuf::from).filter(|path| path.is_absolute());
            named.or_else(|| home.as_ref().map(|home| home.join(usual))).ok_or(NoHome)
        };
        let data = base(data, ".local/share")?.join(OWN);
        let state = base(state, ".local/state")?.join(OWN);
        // Never needed: where there is nowhere to keep it, it is made in the folder with the state.
        let cache = base(cache, ".cache").map_or_else(|_none| state.join("cache"), |cache| cache.join(OWN));
        let config = base(config, ".config")?;
        let devices = PathBuf::from("/");
        Ok(Self { guests: data.join("guests"), data, state, cache, runtime, config, devices })
    }

    /// Makes those that are not there, for this user only. One that is there, or a link to one, is
    /// used as it is; only the folder with the sockets is closed to others in any case.
    ///
    /// # Errors
    /// Where one can't be made, with its path, or where somebody else owns the folder with the
    /// sockets.
    pub fn create(&self) -> io::Result<()> {
        for folder in [&self.data, &self.guests, &self.state] {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|error| with_path(&error, folder))?;
        }
        hv_api::paths::private_folder(&self.runtime).map_err(|error| with_path(&error, &self.runtime))
    }
}

fn with_path(error: &io::Error, folder: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("could not make the folder {}: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn folders(data: Option<&str>, state: Option<&str>, home: Option<&str>) -> Result<Folders, NoHome> {
        Folders::from_values(
            data.map(OsString::from),
            state.map(OsString::from),
            None,
            Some(OsString::from("/config")),
            home.map(PathBuf::from),
            PathBuf::from("/run/user/1/guesthouse"),
        )
    }

    #[test]
    fn the_environment_names_the_folders_else_the_home_folder_does() {
        let usual = folders(None, None, Some("/home/a")).expect("folders");
        assert_eq!(usual.data, Path::new("/home/a/.local/share/guesthouse"));
        assert_eq!(usual.guests, Path::new("/home/a/.local/share/guesthouse/guests"));
        assert_eq!(usual.state, Path::new("/home/a/.local/state/guesthouse"));

        let named = folders(Some("/data"), Some("/state"), None).expect("folders");
        assert_eq!(named.data, Path::new("/data/guesthouse"));
        assert_eq!(named.state, Path::new("/state/guesthouse"));
    }

    #[test]
    fn what_is_not_absolute_is_ignored() {
        let ignored = folders(Some("data"), Some(""), Some("/home/a"));
        assert_eq!(ignored, folders(None, None, Some("/home/a")));
        assert_eq!(folders(Some("data"), Some("/state"), Some("home")), Err(NoHome));
    }

    #[test]
    fn folders_are_made_for_this_user_only() {
        let base = tempfile::tempdir().expect("a folder");
        let elsewhere = base.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).expect("a folder");
        std::fs::create_dir(base.path().join("share")).expect("a folder");
        symlink(&elsewhere, base.path().join("share/guesthouse")).expect("a link");
        let made = Folders::from_values(
            Some(base.path().join("share").into()),
            Some(base.path().join("state").into()),
            None,
            Some(base.path().join("config").into()),
            None,
            base.path().join("run"),
        )
        .expect("folders");
        made.create().expect("they can be made");
        made.create().expect("they may be there");
        for folder in [&made.guests, &made.state, &made.runtime] {
            let mode = std::fs::metadata(folder).expect("it is there").mode();
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
        assert!(elsewhere.join("guests").is_dir());

        std::fs::set_permissions(&made.runtime, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        made.create().expect("it can be closed");
        assert_eq!(std::fs::metadata(&made.runtime).expect("it is there").mode() & 0o777, 0o700);
    }

    #[test]
    fn the_path_is_told_where_a_folder_can_not_be_made() {
        let base = tempfile::tempdir().expect("a folder");
        let file = base.path().join("file");
        std::fs::write(&file, "").expect("a file");
        let blocked = folders(file.to_str(), file.to_str(), None).expect("folders");
        let error = blocked.create().expect_err("a file is in the way");
        assert!(error.to_string().contains(file.to_str().expect("UTF-8")), "{error}");
    }
}
