//! What an installer or a cloud image would ask a person, answered beforehand.

use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroize;
use zlink::idl;
use zlink::introspect::{CustomType, Type};

/// Something that is sent to the core and never sent back, shown or logged. It is wiped from memory when it goes.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// This text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for who has to use it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Type for Secret {
    const TYPE: &'static idl::Type<'static> = &idl::Type::String;
}

/// Answers to an installer's questions. All but the user may be left out; the host's own settings then count, as
/// `GetPreferences` tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Answers {
    /// The user who may administer the guest, as a login name.
    pub user: String,
    /// The user's name for people; the login name where left out.
    pub full_name: Option<String>,
    /// The user's password. The core keeps only what can't be turned back into it, and that until the system is
    /// installed. An installer needs one; a cloud image needs one or a key.
    pub password: Option<Secret>,
    /// Public keys that let the user in by SSH, each one line of an `authorized_keys` file.
    pub ssh_keys: Option<Vec<String>>,
    /// The guest's name in networks; made from the guest's name where left out.
    pub host_name: Option<String>,
    /// Language and country, as `de_DE`.
    pub language: Option<String>,
    /// The keyboard's layout, as `de` or `de(nodeadkeys)`.
    pub keyboard: Option<String>,
    /// The time zone, as `Europe/Berlin`.
    pub time_zone: Option<String>,
}

/// What a cloud image is to find at its first start. Each file can be given whole instead of the answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct CloudInit {
    /// Answers, from which the files are made. Excludes `user_data`.
    pub answers: Option<Answers>,
    /// A file that is given to the image as `user-data`, as it is: an absolute path.
    pub user_data: Option<String>,
    /// The same for `meta-data`.
    pub meta_data: Option<String>,
    /// The same for `network-config`. Where left out, the image asks the network for its address.
    pub network_config: Option<String>,
}

/// One of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum AnswerField {
    /// The login name.
    User,
    /// The name for people.
    FullName,
    /// The password.
    Password,
    /// A public key.
    SshKey,
    /// The name in networks.
    HostName,
    /// Language and country.
    Language,
    /// The keyboard's layout.
    Keyboard,
    /// The time zone.
    TimeZone,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum AnswerFault {
    /// There is none, and the system needs one.
    Missing,
    /// It is too long for the system.
    TooLong,
    /// It has a character that the system does not take there, or does not look like one.
    Malformed,
    /// The system itself uses that name.
    Reserved,
    /// There is none of that name.
    Unknown,
}

/// Whether a medium can be installed without questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, CustomType)]
#[serde(rename_all = "snake_case")]
#[zlink(rename_all = "snake_case")]
pub enum Express {
    /// It can be.
    Offered,
    /// It is not known which system is on it.
    SystemUnknown,
    /// The system can't be installed so, or nobody has tried yet that it works.
    NotTested,
    /// It is for another kind of processor.
    WrongProcessor,
    /// It has no installer that takes answers, as a live system has not.
    NoInstaller,
}

/// The host's own settings, from which a guest's can be proposed, and what can be chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, CustomType)]
pub struct Preferences {
    /// The login name of the host's user; nothing where no guest could use it.
    pub user: Option<String>,
    /// That user's name for people.
    pub full_name: Option<String>,
    /// Language and country, as `de_DE`.
    pub language: String,
    /// The keyboard's layout, as `de` or `de(nodeadkeys)`.
    pub keyboard: String,
    /// The time zone, as `Europe/Berlin`.
    pub time_zone: String,
    /// Every language and country that is known here, in order; empty where there is no list.
    pub languages: Vec<String>,
    /// Every layout that is known here, in order.
    pub keyboards: Vec<String>,
    /// Every time zone that is known here, in order.
    pub time_zones: Vec<String>,
    /// Systems that can be installed without questions, as short ids of the operating-system database.
    pub express: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let answers = Answers { password: Some(Secret::new("open sesame")), ..Answers::default() };
        assert!(!format!("{answers:?}").contains("sesame"));
        let sent = serde_json::to_string(&answers).expect("JSON");
        assert_eq!(serde_json::from_str::<Answers>(&sent).expect("answers"), answers);
    }
}
