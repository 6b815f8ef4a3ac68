//! A guest's first start from a cloud image: the disc that tells its system what to become, in one more drive.
//!
//! What is on it may be a secret. It is in the guest's folder, for this user alone, and goes when the guest has powered
//! itself off for the first time: the definition first, then the file, so that whoever finds the file without the
//! definition's word removes it. A guest that was forced off may not be set up yet, and keeps it.

use super::config::Definition;
use super::view::drive_name;
use crate::answers::{self, Answers, System};
use crate::files;
use crate::host::preferences::{Environment, known, preferences};
use crate::seed::{self, Label, SeedError, SeedFile};
use crate::store;
use hv_api::{CloudInit, Error, FileFault, GuestId, NewGuest};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tracing::warn;

/// The disc, in the guest's folder.
pub const DISC: &str = "first-start.iso";

/// The table `first-start` of a definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FirstStart {
    /// The disc in the drive; nothing where it is gone, and the drive is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disc: Option<PathBuf>,
}

impl FirstStart {
    /// That of a guest that was just made.
    pub fn new() -> Self {
        Self { disc: Some(DISC.into()) }
    }

    /// The same, where the disc is no longer there: as after a snapshot of that time was put back.
    #[must_use]
    pub fn found(self, folder: &Path) -> Self {
        Self { disc: self.disc.filter(|disc| folder.join(disc).is_file()) }
    }
}

/// The files for a new guest's first start, from what was asked for; nothing where nothing was.
///
/// # Errors
/// [`Error::AnswerInvalid`], [`Error::FileUnusable`], [`Error::OptionsConflict`], [`Error::OptionNeeds`].
pub fn resolve(id: GuestId, new: &NewGuest) -> Result<Option<Vec<SeedFile>>, Error> {
    let Some(cloud) = &new.cloud else { return Ok(None) };
    if new.image.is_none() {
        return Err(Error::OptionNeeds { option: "cloud".into(), needs: "image".into() });
    }
    let CloudInit { answers, user_data, meta_data, network_config } = cloud;
    if answers.is_some() && user_data.is_some() {
        return Err(Error::conflict("answers", "user_data"));
    }
    let own = match answers {
        Some(asked) => {
            let root = Path::new("/");
            let checked = Answers::new(asked, System::Cloud, &usual(&new.name), &known(root))?;
            answers::cloud_init(&checked, &id.to_string())
        }
        None if user_data.is_none() => {
            return Err(Error::OptionNeeds { option: "cloud".into(), needs: "answers".into() });
        }
        None => answers::nothing(&answers::host_name_of(&new.name, System::Cloud), &id.to_string()),
    };
    let mut files = own;
    for (name, path) in
        [("user-data", user_data), ("meta-data", meta_data), ("network-config", network_config)]
    {
        if let Some(path) = path {
            files.retain(|file| file.name != name);
            files.push(SeedFile::new(name, whole(path.as_ref())?));
        }
    }
    Ok(Some(files))
}

/// What counts where a person did not answer.
pub fn usual(guest: &str) -> answers::Usual {
    let user = rustix::process::getuid().as_raw();
    let found = preferences("/".as_ref(), &Environment::of_process(), user);
    answers::Usual {
        guest: guest.to_owned(),
        language: found.language,
        keyboard: found.keyboard,
        time_zone: found.time_zone,
    }
}

/// A file that is handed on as it is.
fn whole(path: &Path) -> Result<Vec<u8>, Error> {
    let (file, length) = files::open_readable(path)?;
    let unusable =
        |fault, detail: String| Error::FileUnusable { path: path.display().to_string(), fault, detail };
    if length > seed::LARGEST_FILE as u64 {
        let detail = format!("it is larger than {} bytes", seed::LARGEST_FILE);
        return Err(unusable(FileFault::WrongFormat, detail));
    }
    let mut content = Vec::new();
    let read = file.take(seed::LARGEST_FILE as u64).read_to_end(&mut content);
    read.map_err(|error| unusable(files::fault_of(&error), error.to_string()))?;
    Ok(content)
}

/// Writes the disc into the folder in which a guest is made.
///
/// # Errors
/// [`Error::StoreFailed`], [`Error::NoSpace`].
pub fn write(folder: &Path, files: &[SeedFile]) -> Result<(), Error> {
    let path = folder.join(DISC);
    let failed =
        |error: SeedError| Error::StoreFailed { path: path.display().to_string(), detail: error.to_string() };
    let bytes = seed::disc(Label::CloudInit, files).map_err(failed)?;
    write_secret(&path, &bytes).map_err(|error| store::failed(&path, &error))
}

/// Copies a guest's disc for another guest, which its system takes for another one as well.
///
/// # Errors
/// [`Error::StoreFailed`], [`Error::NoSpace`].
pub fn copy(from: (&Path, GuestId), to: (&Path, GuestId)) -> Result<(), Error> {
    let (from, former) = (from.0.join(DISC), from.1.to_string());
    let (to, new) = (to.0.join(DISC), to.1.to_string());
    let mut bytes = std::fs::read(&from).map_err(|error| store::failed(&from, &error))?;
    // Both are of the same length.
    let (former, new) = (former.as_bytes(), new.as_bytes());
    let mut at = 0;
    while let Some(found) =
        bytes.get(at..).and_then(|rest| rest.windows(former.len()).position(|it| it == former))
    {
        bytes[at + found..][..former.len()].copy_from_slice(new);
        at += found + former.len();
    }
    write_secret(&to, &bytes).map_err(|error| store::failed(&to, &error))
}

fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = store::secret_file(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Removes the disc, where there is one.
pub fn sweep(folder: &Path) {
    match std::fs::remove_file(folder.join(DISC)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(%error, "what a first start has left stays for now");
        }
        _ => {}
    }
}

impl Definition {
    /// What the drive with the disc is called; nothing where there is none.
    pub fn first_start_drive(&self) -> Option<String> {
        let seed = self.install.iter().filter(|install| install.seed.is_some()).count();
        self.first_start.as_ref().map(|_| drive_name(self.drives.len() + seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::medium;
    use hv_api::Secret;
    use std::os::unix::fs::PermissionsExt;

    fn asked() -> CloudInit {
        let answers = hv_api::Answers {
            user: "ada".into(),
            password: Some(Secret::new("open sesame")),
            ..hv_api::Answers::default()
        };
        CloudInit { answers: Some(answers), ..CloudInit::default() }
    }

    fn new(cloud: CloudInit) -> NewGuest {
        NewGuest {
            name: "one".into(),
            image: Some("/a.qcow2".into()),
            cloud: Some(cloud),
            ..NewGuest::default()
        }
    }

    fn names(files: Option<Vec<SeedFile>>) -> Vec<String> {
        files.unwrap().into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn files_that_are_given_whole_count_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network");
        std::fs::write(&path, "version: 2\n").unwrap();
        let path = path.display().to_string();
        let id = GuestId::random();
        assert_eq!(names(resolve(id, &new(asked())).unwrap()), ["user-data", "meta-data"]);
        let with = CloudInit { network_config: Some(path.clone()), ..asked() };
        assert_eq!(names(resolve(id, &new(with)).unwrap()), ["user-data", "meta-data", "network-config"]);
        let alone = CloudInit { user_data: Some(path.clone()), ..CloudInit::default() };
        let files = resolve(id, &new(alone)).unwrap().unwrap();
        assert_eq!(files.iter().map(|file| &*file.name).collect::<Vec<_>>(), ["meta-data", "user-data"]);
        assert_eq!(files[1].content, b"version: 2\n");
        let both = CloudInit { user_data: Some(path), ..asked() };
        assert_eq!(resolve(id, &new(both)), Err(Error::conflict("answers", "user_data")));
        let none = resolve(id, &new(CloudInit::default()));
        assert_eq!(none, Err(Error::OptionNeeds { option: "cloud".into(), needs: "answers".into() }));
        let elsewhere = NewGuest { image: None, ..new(asked()) };
        let expected = Error::OptionNeeds { option: "cloud".into(), needs: "image".into() };
        assert_eq!(resolve(id, &elsewhere), Err(expected));
    }

    #[test]
    fn the_disc_is_for_this_user_alone_and_another_guests_is_another() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let ids = [GuestId::random(), GuestId::random()];
        let [one, other] = [folders[0].path(), folders[1].path()];
        write(one, &resolve(ids[0], &new(asked())).unwrap().unwrap()).unwrap();
        copy((one, ids[0]), (other, ids[1])).unwrap();
        for (folder, id, not) in [(one, ids[0], ids[1]), (other, ids[1], ids[0])] {
            let path = folder.join(DISC);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let bytes = std::fs::read(&path).unwrap();
            let has = |text: &str| bytes.windows(text.len()).any(|it| it == text.as_bytes());
            assert!(has(&id.to_string()) && !has(&not.to_string()) && !has("open sesame"));
            let facts = medium::read(&mut io::Cursor::new(&bytes), bytes.len() as u64).unwrap();
            assert_eq!(facts.volume_id.as_deref(), Some("cidata"));
        }
        sweep(one);
        sweep(one);
        assert!(!one.join(DISC).exists());
        assert_eq!(FirstStart::new().found(one), FirstStart { disc: None });
        assert_eq!(FirstStart::new().found(other), FirstStart::new());
    }
}
