//! What an image from somewhere builds on: its whole chain of files, each with its format, or why that can't be told.
//!
//! An image can name any file of this user's as the one it builds on, and so bring what is in it to whoever gets the
//! guest's disk. So such a chain is shown and agreed to before anything of it is used: [`Foundation::agreed`]. Formats
//! are those that the images name; where one names none, they are what is found in the file, and never probed by an
//! engine. What can't be followed is refused, with its name.

use super::chain::{Layer, MAX_DEPTH, plain_backing_file};
use super::{DiskFormat, Source};
use crate::{files, medium};
use hv_api::{Error, FileFault};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// The files that an image builds on, from the nearest on, each by its real path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Foundation {
    layers: Vec<Layer>,
    /// Whether each of them says what format the next one has.
    is_named: bool,
}

impl Foundation {
    /// That of an image; empty where it is whole.
    ///
    /// # Errors
    /// [`Error::FileUnusable`], which names the image, and in `detail` the file at which it can't be followed.
    pub fn of(image: &Path) -> Result<Self, Error> {
        let wrong = |detail: String| Error::FileUnusable {
            path: image.display().to_string(),
            fault: FileFault::WrongFormat,
            detail,
        };
        let mut found = Self { layers: Vec::new(), is_named: true };
        if !builds_on(image)? {
            return Ok(found);
        }
        let mut seen = vec![real(image).map_err(|error| unreadable(image, &error))?];
        let mut last = image.to_owned();
        while builds_on(&last)? {
            if found.layers.len() == MAX_DEPTH {
                return Err(wrong(format!("it builds on more than {MAX_DEPTH} files")));
            }
            let shown = last.display();
            let (next, named) = plain_backing_file(&last).map_err(|why| wrong(format!("{shown} {why}")))?;
            let path = real(&next)
                .map_err(|error| wrong(format!("{shown} builds on {}: {error}", next.display())))?;
            if seen.contains(&path) {
                return Err(wrong(format!("{} builds on itself", path.display())));
            }
            let format = format_of(&path, named).map_err(&wrong)?;
            let is_device = std::fs::metadata(&path).is_ok_and(|found| found.file_type().is_block_device());
            found.is_named &= named.is_some();
            found.layers.push(Layer { path: path.clone(), format: Some(format), is_device });
            seen.push(path.clone());
            // Others than QEMU's own are whole, or refused.
            if format != DiskFormat::Qcow2 {
                break;
            }
            last = path;
        }
        Ok(found)
    }

    /// The same where somebody has agreed to exactly these files; also where there are none.
    ///
    /// # Errors
    /// [`Error::BuildsOnOthers`] where nobody has, and those of [`of`](Self::of).
    pub fn agreed(image: &Path, files: Option<&[String]>) -> Result<Self, Error> {
        let found = Self::of(image)?;
        let all = found.files();
        if all.is_empty() || files.is_some_and(|files| *files == all) {
            return Ok(found);
        }
        Err(Error::BuildsOnOthers { path: image.display().to_string(), files: all })
    }

    /// Whether the image is whole.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// What it builds on, each with its format.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The files, as they are shown and agreed to.
    pub fn files(&self) -> Vec<String> {
        self.layers.iter().map(|layer| layer.path.display().to_string()).collect()
    }

    /// Whether an engine finds all formats in the images, and so need not guess any.
    pub fn names_formats(&self) -> bool {
        self.is_named
    }
}

/// Whether a file is an image of QEMU's own that is not whole.
///
/// # Errors
/// [`Error::FileUnusable`].
fn builds_on(path: &Path) -> Result<bool, Error> {
    let (mut file, _) = files::open_readable(path)?;
    let mut head = Vec::new();
    file.by_ref().take(16).read_to_end(&mut head).map_err(|error| unreadable(path, &error))?;
    Ok(head.starts_with(b"QFI\xfb")
        && head.get(8..16).is_some_and(|offset| offset.iter().any(|byte| *byte != 0)))
}

/// The format of a file that an image builds on: as that says, else as is found.
fn format_of(path: &Path, named: Option<DiskFormat>) -> Result<DiskFormat, String> {
    let shown = path.display();
    let (mut file, length) = Source::of(path).open().map_err(|error| match error {
        Error::FileUnusable { detail, .. } => format!("{shown}: {detail}"),
        other => format!("{shown}: {other:?}"),
    })?;
    let unread = |error: io::Error| format!("{shown}: {error}");
    let foreign = medium::foreign(&mut file, length).map_err(unread)?;
    let facts = medium::read(&mut file, length).map_err(unread)?;
    let found = match &foreign {
        _ if builds_on(path).unwrap_or_default() => Some(DiskFormat::Qcow2),
        Some(foreign) => DiskFormat::of_name(foreign.format),
        None => facts.format.and_then(|format| DiskFormat::of_name(format.as_str())),
    };
    let format = match (named, found) {
        // What a guest wrote to a raw disk decides nothing where its format is known.
        (Some(DiskFormat::Raw), _) => return Ok(DiskFormat::Raw),
        (Some(named), Some(found)) if named != found => {
            return Err(format!("{shown} is said to be {}, and is {}", named.name(), found.name()));
        }
        (_, Some(found)) => found,
        (_, None) => return Err(format!("the format of {shown} can't be told")),
    };
    // Of QEMU's own it is followed what they build on; a part of them in another file is another thing.
    let elsewhere = match foreign {
        Some(foreign) => foreign.needs_other_file,
        None => facts.needs_other_file && !builds_on(path).unwrap_or_default(),
    };
    if elsewhere { Err(format!("a part of {shown} is in another file")) } else { Ok(format) }
}

fn real(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let (path, fault) = (path.display().to_string(), files::fault_of(error));
    Error::FileUnusable { path, fault, detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::overlay;
    use super::*;
    use std::process::Command;

    fn image(words: &[&str], path: &Path) {
        let made = Command::new("qemu-img").args(["create", "-q"]).args(words).arg(path).arg("1M").status();
        assert!(made.unwrap().success(), "{words:?}");
    }

    fn detail(path: &Path) -> String {
        match Foundation::of(path) {
            Err(Error::FileUnusable { path: named, detail, .. }) => {
                assert_eq!(Path::new(&named), path);
                detail
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_chain_has_the_formats_that_are_named_or_found() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let at = |name: &str| folder.join(name);
        let text = |name: &str| at(name).display().to_string();
        image(&["-f", "vdi"], &at("base.vdi"));
        image(&["-f", "qcow2", "-F", "vdi", "-b", &text("base.vdi")], &at("middle"));
        overlay(&at("top"), "middle");
        let found = Foundation::of(&at("top")).unwrap();
        let told: Vec<_> = found.layers().iter().map(|layer| (layer.path.clone(), layer.format)).collect();
        let expected = [(at("middle"), Some(DiskFormat::Qcow2)), (at("base.vdi"), Some(DiskFormat::Vdi))];
        assert_eq!(told, expected);
        assert!(!found.names_formats(), "the first one does not say");
        assert!(Foundation::of(&at("middle")).unwrap().names_formats());
        assert!(Foundation::of(&at("base.vdi")).unwrap().is_empty());

        let refused = Foundation::agreed(&at("top"), None);
        let files = vec![text("middle"), text("base.vdi")];
        assert_eq!(refused, Err(Error::BuildsOnOthers { path: text("top"), files: files.clone() }));
        assert!(Foundation::agreed(&at("top"), Some(&files)).is_ok());
        assert!(Foundation::agreed(&at("top"), Some(&files[..1])).is_err());
        assert!(Foundation::agreed(&at("base.vdi"), None).is_ok());
        // A link hides nothing.
        std::os::unix::fs::symlink("base.vdi", at("link")).unwrap();
        image(&["-f", "qcow2", "-F", "vdi", "-b", &text("link")], &at("linked"));
        assert_eq!(Foundation::of(&at("linked")).unwrap().files(), [text("base.vdi")]);
    }

    #[test]
    fn a_raw_base_is_what_its_image_says_whatever_a_guest_wrote_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let at = |name: &str| folder.join(name);
        overlay(&at("lying"), "/etc/passwd");
        let mut padded = std::fs::read(at("lying")).unwrap();
        padded.resize(1 << 20, 0);
        std::fs::write(at("lying"), padded).unwrap();
        image(&["-f", "qcow2", "-F", "raw", "-b", &at("lying").display().to_string()], &at("top"));
        let found = Foundation::of(&at("top")).unwrap();
        assert_eq!(found.layers().len(), 1);
        assert_eq!(found.layers()[0].format, Some(DiskFormat::Raw));
    }

    #[test]
    fn what_can_not_be_followed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        overlay(&at("a"), "b");
        overlay(&at("b"), "a");
        assert!(detail(&at("a")).contains("builds on itself"));
        overlay(&at("missing"), "nowhere.img");
        assert!(detail(&at("missing")).contains("nowhere.img"));
        std::fs::write(at("text"), "words").unwrap();
        overlay(&at("unknown"), "text");
        assert!(detail(&at("unknown")).contains("can't be told"));
        overlay(&at("network"), "nbd://example.org/disk");
        assert!(detail(&at("network")).contains("no file of this computer's"));
        overlay(&at("json"), r#"json:{"driver":"nbd","host":"example.org","file":{"filename":"text"}}"#);
        assert!(detail(&at("json")).contains("can't be followed"));
        std::fs::write(at("flat.vmdk"), "# Disk DescriptorFile\nversion=1\n").unwrap();
        overlay(&at("parts"), "flat.vmdk");
        assert!(detail(&at("parts")).contains("in another file"));
        overlay(&at("folder"), ".");
        assert!(detail(&at("folder")).contains("a folder"));
        for number in 0..=MAX_DEPTH + 1 {
            overlay(&at(&format!("deep{number}")), format!("deep{}", number + 1));
        }
        assert!(detail(&at("deep0")).contains("more than"));
    }
}
