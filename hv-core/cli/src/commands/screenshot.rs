//! A picture of a guest's display in a file. A file that exists is replaced only by a whole picture.

use crate::failure::Failure;
use crate::output::{Output, ScreenshotView};
use hv_api::client::{Connection, settle};
use hv_api::{Core, Error, FileFault};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Takes the picture.
pub async fn take(
    core: &mut Connection,
    guest: &str,
    path: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let (file, target) = Target::open(Path::new(path))?;
    settle(core.screenshot(guest, vec![file.into()]).await)?;
    target.complete()?;
    if output.is_json() { output.object(&ScreenshotView { file: path }) } else { Ok(()) }
}

/// Where the picture goes in the end.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    /// The file beside it that the picture is written into; none where that can't be, as for a pipe.
    draft: Option<PathBuf>,
}

impl Target {
    fn open(path: &Path) -> Result<(File, Self), Failure> {
        // What a link points to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_new| path.to_owned());
        let unusable = |error: &io::Error| {
            Failure::from(Error::StoreFailed { path: path.display().to_string(), detail: error.to_string() })
        };
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                return Err(Failure::from(Error::FileUnusable {
                    path: path.display().to_string(),
                    fault: FileFault::IsFolder,
                    detail: String::new(),
                }));
            }
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(&path).map_err(|error| unusable(&error))?;
                return Ok((file, Self { path, draft: None }));
            }
            Ok(_) | Err(_) => {}
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let file =
            OpenOptions::new().write(true).create_new(true).open(&draft).map_err(|error| unusable(&error))?;
        Ok((file, Self { path, draft: Some(draft) }))
    }

    /// Puts the picture into its place.
    fn complete(mut self) -> Result<(), Failure> {
        let Some(draft) = &self.draft else { return Ok(()) };
        fs::rename(draft, &self.path).map_err(|error| {
            Failure::from(Error::StoreFailed {
                path: self.path.display().to_string(),
                detail: error.to_string(),
            })
        })?;
        self.draft = None;
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(draft) = &self.draft {
            // It is worth nothing, and who asked is told of the failure that led here.
            let _removed = fs::remove_file(draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.expect("an entry").file_name().to_string_lossy().into_owned()
        };
        fs::read_dir(folder).expect("a folder").map(name).collect()
    }

    #[test]
    fn a_picture_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.png");
        fs::write(&path, "old").expect("an old file");
        let (mut file, target) = Target::open(&path).expect("a target");
        file.write_all(b"half").expect("half a picture");
        drop(target);
        assert_eq!(fs::read(&path).expect("the file"), b"old");
        assert_eq!(names(folder.path()), ["a.png"]);
    }

    #[test]
    fn a_whole_picture_replaces_what_the_link_points_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("a.png"), folder.path().join("link.png"));
        fs::write(&path, "old").expect("an old file");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        let (mut file, target) = Target::open(&link).expect("a target");
        file.write_all(b"new").expect("a picture");
        target.complete().expect("completed");
        assert_eq!(fs::read(&path).expect("the file"), b"new");
        assert!(link.is_symlink());
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn devices_are_written_directly_and_folders_are_refused() {
        let (_file, target) = Target::open(Path::new("/dev/null")).expect("a target");
        assert_eq!(target.draft, None);
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Target::open(folder.path()).is_err());
        assert!(Target::open(&folder.path().join("none/a.png")).is_err());
    }
}
