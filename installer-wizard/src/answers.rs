//! Answers to what an installer or a cloud image would ask: who uses the guest, and in which language. Pure.
//!
//! Whether a system takes an answer is the core's word; what is judged here is only what needs no system to see.

use crate::form::{Field, Invalid};
use hv_api::{AnswerField, Answers, CloudInit, NewGuest, Preferences, Secret};

/// Who is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// An installer.
    Installer,
    /// The system in a cloud image, at its first start.
    CloudImage,
}

/// One answer, as a row of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The name for people.
    FullName,
    /// The login name.
    User,
    /// The password.
    Password,
    /// The password once more: it can't be seen while it is typed.
    Again,
    /// A public key.
    SshKey,
    /// Language and country.
    Language,
    /// The keyboard's layout.
    Keyboard,
    /// The time zone.
    TimeZone,
}

/// All of them, from top to bottom.
pub const ANSWERS: [Answer; 8] = [
    Answer::FullName,
    Answer::User,
    Answer::Password,
    Answer::Again,
    Answer::SshKey,
    Answer::Language,
    Answer::Keyboard,
    Answer::TimeZone,
];

impl Answer {
    /// The row that a refusal of the core's is about; the host's name has none, it follows the guest's.
    pub const fn of(field: AnswerField) -> Option<Self> {
        match field {
            AnswerField::User => Some(Self::User),
            AnswerField::FullName => Some(Self::FullName),
            AnswerField::Password => Some(Self::Password),
            AnswerField::SshKey => Some(Self::SshKey),
            AnswerField::HostName => None,
            AnswerField::Language => Some(Self::Language),
            AnswerField::Keyboard => Some(Self::Keyboard),
            AnswerField::TimeZone => Some(Self::TimeZone),
        }
    }
}

/// What was put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswersForm {
    /// Whether they are given at all.
    pub on: Field<bool>,
    texts: [Field<String>; ANSWERS.len()],
}

impl Default for AnswersForm {
    fn default() -> Self {
        Self { on: Field::new(false), texts: std::array::from_fn(|_| Field::new(String::new())) }
    }
}

impl AnswersForm {
    /// One answer.
    pub const fn get(&self, answer: Answer) -> &Field<String> {
        &self.texts[answer as usize]
    }

    fn text(&self, answer: Answer) -> &str {
        self.get(answer).get().trim()
    }

    /// Takes what the person typed.
    pub fn typed(&mut self, answer: Answer, text: String) {
        self.texts[answer as usize].typed(text);
    }

    /// Takes defaults for all that the person has not put in.
    pub fn propose(&mut self, asker: Option<Asker>, preferences: &Preferences) {
        // A cloud image that is told nothing lets nobody in.
        self.on.propose(asker == Some(Asker::CloudImage));
        let Preferences { user, full_name, language, keyboard, time_zone, .. } = preferences;
        for (answer, text) in [
            (Answer::FullName, full_name.clone().unwrap_or_default()),
            (Answer::User, user.clone().unwrap_or_default()),
            (Answer::Language, language.clone()),
            (Answer::Keyboard, keyboard.clone()),
            (Answer::TimeZone, time_zone.clone()),
        ] {
            self.texts[answer as usize].propose(text);
        }
    }

    /// What is wrong with one of them.
    pub fn fault(&self, answer: Answer, asker: Option<Asker>) -> Option<Invalid> {
        let asker = asker.filter(|_| *self.on.get())?;
        let password = self.get(Answer::Password).get();
        match answer {
            Answer::User => self.text(answer).is_empty().then_some(Invalid::NoUser),
            Answer::Password => {
                let by_key = asker == Asker::CloudImage && !self.text(Answer::SshKey).is_empty();
                (password.is_empty() && !by_key).then_some(Invalid::NoPassword)
            }
            Answer::Again => (self.get(answer).get() != password).then_some(Invalid::PasswordsDiffer),
            Answer::FullName | Answer::SshKey | Answer::Language | Answer::Keyboard | Answer::TimeZone => {
                None
            }
        }
    }

    /// Adds them to what the core is asked for.
    pub fn give(&self, asker: Option<Asker>, wish: &mut NewGuest) {
        let Some(asker) = asker.filter(|_| *self.on.get()) else { return };
        let given = |answer| Some(self.text(answer).to_owned()).filter(|text| !text.is_empty());
        let password = self.get(Answer::Password).get();
        let answers = Answers {
            user: self.text(Answer::User).to_owned(),
            full_name: given(Answer::FullName),
            password: (!password.is_empty()).then(|| Secret::new(password.as_str())),
            ssh_keys: given(Answer::SshKey).map(|key| vec![key]),
            host_name: None,
            language: given(Answer::Language),
            keyboard: given(Answer::Keyboard),
            time_zone: given(Answer::TimeZone),
        };
        match asker {
            Asker::Installer => wish.express = Some(answers),
            Asker::CloudImage => {
                wish.cloud = Some(CloudInit { answers: Some(answers), ..CloudInit::default() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> AnswersForm {
        let mut form = AnswersForm::default();
        let preferences = Preferences {
            user: Some("ada".into()),
            language: "de_DE".into(),
            keyboard: "de".into(),
            time_zone: "Europe/Berlin".into(),
            ..Preferences::default()
        };
        form.propose(Some(Asker::Installer), &preferences);
        form
    }

    fn faults(form: &AnswersForm, asker: Asker) -> Vec<Invalid> {
        ANSWERS.into_iter().filter_map(|answer| form.fault(answer, Some(asker))).collect()
    }

    #[test]
    fn nothing_is_wrong_with_what_is_not_given() {
        let form = filled();
        assert_eq!(faults(&form, Asker::Installer), []);
        let mut wish = NewGuest::default();
        form.give(Some(Asker::Installer), &mut wish);
        assert_eq!(wish, NewGuest::default());
    }

    #[test]
    fn an_installer_needs_a_password_and_a_cloud_image_that_or_a_key() {
        let mut form = filled();
        form.on.typed(true);
        assert_eq!(faults(&form, Asker::Installer), [Invalid::NoPassword]);
        form.typed(Answer::SshKey, "ssh-ed25519 AAAA ada".into());
        assert_eq!(faults(&form, Asker::Installer), [Invalid::NoPassword]);
        assert_eq!(faults(&form, Asker::CloudImage), []);
        form.typed(Answer::Password, " open sesame ".into());
        assert_eq!(faults(&form, Asker::Installer), [Invalid::PasswordsDiffer]);
        form.typed(Answer::Again, " open sesame ".into());
        assert_eq!(faults(&form, Asker::Installer), []);
        let mut wish = NewGuest::default();
        form.give(Some(Asker::Installer), &mut wish);
        let answers = wish.express.expect("answers");
        assert_eq!((answers.user.as_str(), answers.language.as_deref()), ("ada", Some("de_DE")));
        assert_eq!(answers.password.expect("a password").reveal(), " open sesame ", "blanks are part of it");
        assert_eq!(answers.full_name, None);
    }

    #[test]
    fn a_cloud_image_is_answered_unless_a_person_says_otherwise() {
        let mut form = AnswersForm::default();
        form.propose(Some(Asker::CloudImage), &Preferences::default());
        assert!(form.on.get());
        form.on.typed(false);
        form.propose(Some(Asker::CloudImage), &Preferences::default());
        assert!(!form.on.get());
    }
}
