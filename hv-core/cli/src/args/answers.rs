//! Answers for an installer or a cloud image on the command line.
//!
//! A password is never on the command line, where every user of the computer could read it: it comes from a file or
//! from standard input.

use super::path;
use hv_api::{Answers, CloudInit, Secret};
use std::fs::File;
use std::io::{self, Read};

/// The longest file with a password or keys, in bytes.
const LONGEST: u64 = 64 << 10;

/// What is said of the user and the settings of a new guest's system.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Answers")]
pub struct AnswerOptions {
    /// Install the system on --iso without questions; where that is offered, `hv inspect` says.
    #[arg(long, requires = "user", conflicts_with_all = ["image", "kernel", "empty", "cloud_user", "user_data"])]
    pub express: bool,
    /// With --express: the user who may administer the guest.
    #[arg(long, value_name = "NAME", requires = "express")]
    pub user: Option<String>,
    /// The image is a cloud image: the user that it is to make.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["iso", "kernel", "empty", "user_data"])]
    pub cloud_user: Option<String>,
    /// That user's name for people.
    #[arg(long, value_name = "NAME")]
    pub full_name: Option<String>,
    /// A file with the user's password in its first line; - for standard input.
    #[arg(long, value_name = "PATH")]
    pub password_file: Option<String>,
    /// A file with the user's public SSH key, as ~/.ssh/id_ed25519.pub. May be repeated.
    #[arg(long = "ssh-key", value_name = "PATH")]
    pub ssh_keys: Vec<String>,
    /// The guest's name in networks [default: made of its name].
    #[arg(long, value_name = "NAME")]
    pub host_name: Option<String>,
    /// Language and country, as de_DE [default: this computer's].
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<String>,
    /// The keyboard's layout, as de or de(nodeadkeys) [default: this computer's].
    #[arg(long, value_name = "LAYOUT")]
    pub keyboard: Option<String>,
    /// The time zone, as Europe/Berlin [default: this computer's].
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// A whole file for the cloud image, instead of what is made of these options: user-data.
    #[arg(long, value_name = "PATH", value_parser = path, conflicts_with_all = ["iso", "kernel", "empty"])]
    pub user_data: Option<String>,
    /// The same: meta-data.
    #[arg(long, value_name = "PATH", value_parser = path, conflicts_with_all = ["iso", "kernel", "empty"])]
    pub meta_data: Option<String>,
    /// The same: network-config.
    #[arg(long, value_name = "PATH", value_parser = path, conflicts_with_all = ["iso", "kernel", "empty"])]
    pub network_config: Option<String>,
}

impl AnswerOptions {
    /// The same in the core's words: for an installer, and for a cloud image.
    ///
    /// # Errors
    /// Which options don't go together, or which file can't be read, in words.
    pub fn into_parts(self) -> Result<(Option<Answers>, Option<CloudInit>), String> {
        let Self { express, user, cloud_user, user_data, meta_data, network_config, .. } = &self;
        let (user, files) =
            (user.clone().or_else(|| cloud_user.clone()), [user_data, meta_data, network_config]);
        let (express, is_cloud) = (*express, files.iter().any(|file| file.is_some()) || cloud_user.is_some());
        let [user_data, meta_data, network_config] = files.map(Clone::clone);
        let answers = match user {
            Some(user) => Some(self.answers(user)?),
            None if self.has_answers() => {
                return Err(
                    "these answers are for a user: give --cloud-user, or --express with --user".to_owned()
                );
            }
            None => None,
        };
        if express {
            return Ok((answers, None));
        }
        Ok((None, is_cloud.then_some(CloudInit { answers, user_data, meta_data, network_config })))
    }

    fn has_answers(&self) -> bool {
        let Self { full_name, password_file, ssh_keys, host_name, language, keyboard, time_zone, .. } = self;
        let texts = [full_name, password_file, host_name, language, keyboard, time_zone];
        texts.iter().any(|text| text.is_some()) || !ssh_keys.is_empty()
    }

    fn answers(self, user: String) -> Result<Answers, String> {
        let keys: Vec<String> = self.ssh_keys.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        let keys: Vec<String> = keys.iter().flat_map(|text| text.lines().map(str::to_owned)).collect();
        let password = self.password_file.as_deref().map(password).transpose()?;
        Ok(Answers {
            user,
            full_name: self.full_name,
            password,
            ssh_keys: (!keys.is_empty()).then_some(keys),
            host_name: self.host_name,
            language: self.language,
            keyboard: self.keyboard,
            time_zone: self.time_zone,
        })
    }
}

/// The first line of a file.
fn password(path: &str) -> Result<Secret, String> {
    // Wiped as a whole when it goes.
    let text = Secret::new(read(path)?);
    Ok(Secret::new(text.reveal().lines().next().unwrap_or_default()))
}

fn read(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let taken = if path == "-" {
        io::stdin().take(LONGEST).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    taken.map(|_| text).map_err(|error| format!("{path} can't be read: {error}"))
}

#[cfg(test)]
mod tests {
    use crate::args::{Args, Command};
    use clap::Parser;
    use hv_api::{Answers, CloudInit, NewGuest, Secret};

    fn created(words: &[&str]) -> Result<NewGuest, String> {
        let words = ["hv", "create", "A"].iter().chain(words);
        match Args::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Command::Create(create) => create.into_guest(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_come_from_options_and_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        std::fs::write(&path, "open sesame\nmore\n").expect("a file");
        let path = path.to_str().expect("UTF-8");
        let answers =
            Answers { user: "ada".into(), password: Some(Secret::new("open sesame")), ..Answers::default() };
        let cloud = created(&["--image", "/a.qcow2", "--cloud-user", "ada", "--password-file", path]);
        let expected = CloudInit { answers: Some(answers.clone()), ..CloudInit::default() };
        assert_eq!(cloud.map(|guest| guest.cloud), Ok(Some(expected)));
        let express = created(&["--iso", "/a.iso", "--express", "--user", "ada", "--password-file", path]);
        assert_eq!(express.map(|guest| (guest.express, guest.cloud)), Ok((Some(answers), None)));
    }

    #[test]
    fn answers_without_a_question_are_refused() {
        for words in [
            &["--iso", "/a.iso", "--language", "de_DE"][..],
            &["--iso", "/a.iso", "--cloud-user", "ada"],
            &["--image", "/a.qcow2", "--express", "--user", "ada"],
            &["--iso", "/a.iso", "--express"],
            &["--image", "/a.qcow2", "--cloud-user", "ada", "--password-file", "/nowhere/at/all"],
        ] {
            assert!(created(words).is_err(), "{words:?}");
        }
    }
}
