//! Why an answer for an installer can't be used, and why a medium can't be installed without questions.

use super::{Explanation, Translate, fill};
use crate::{AnswerFault, AnswerField, Express};

/// What an answer is about.
pub fn answer_field_word(field: AnswerField, t: Translate<'_>) -> String {
    match field {
        AnswerField::User => t("User name"),
        AnswerField::FullName => t("Full name"),
        AnswerField::Password => t("Password"),
        AnswerField::SshKey => t("SSH key"),
        AnswerField::HostName => t("Host name"),
        AnswerField::Language => t("Language"),
        AnswerField::Keyboard => t("Keyboard layout"),
        AnswerField::TimeZone => t("Time zone"),
    }
}

pub(super) fn invalid(field: AnswerField, fault: AnswerFault, value: &str, t: Translate<'_>) -> Explanation {
    let (what, why) = match fault {
        AnswerFault::Missing => (missing(field, t), t("The system can't be set up without it.")),
        AnswerFault::TooLong => (unusable(field, t), t("It is longer than the system takes.")),
        AnswerFault::Malformed => (unusable(field, t), malformed(field, t)),
        AnswerFault::Reserved => {
            (unusable(field, t), t("The system uses that name itself, or keeps it for a group."))
        }
        AnswerFault::Unknown => (unusable(field, t), t("This computer does not know one of that name.")),
    };
    Explanation {
        code: "answer-invalid",
        what: fill(&what, &[("value", value)]),
        why,
        remedy: remedy(field, t),
        detail: None,
    }
}

fn missing(field: AnswerField, t: Translate<'_>) -> String {
    match field {
        AnswerField::User => t("A user name is missing."),
        AnswerField::Password => t("A password is missing."),
        AnswerField::FullName
        | AnswerField::SshKey
        | AnswerField::HostName
        | AnswerField::Language
        | AnswerField::Keyboard
        | AnswerField::TimeZone => t("An answer is missing."),
    }
}

fn unusable(field: AnswerField, t: Translate<'_>) -> String {
    match field {
        AnswerField::User => t("The user can't be called “{value}”."),
        AnswerField::FullName => t("The user's full name can't be “{value}”."),
        AnswerField::Password => t("This password can't be used."),
        AnswerField::SshKey => t("“{value}” is no SSH key that can be used."),
        AnswerField::HostName => t("The guest can't be called “{value}” in networks."),
        AnswerField::Language => t("The language can't be “{value}”."),
        AnswerField::Keyboard => t("The keyboard layout can't be “{value}”."),
        AnswerField::TimeZone => t("The time zone can't be “{value}”."),
    }
}

fn malformed(field: AnswerField, t: Translate<'_>) -> String {
    match field {
        AnswerField::User => {
            t("It has a character that user names of the system don't have, or begins with one.")
        }
        AnswerField::FullName => t("It has a character that would mean something else in the list of users."),
        AnswerField::Password => t("It has a character that can't be typed."),
        AnswerField::SshKey => t("It is not the line of a public key, or of a kind that is no longer used."),
        AnswerField::HostName => {
            t("It has other characters than letters, digits and hyphens, or only digits.")
        }
        AnswerField::Language => t("It is not written as a language and a country are."),
        AnswerField::Keyboard => t("It is not written as a layout is."),
        AnswerField::TimeZone => t("It is not written as a time zone is."),
    }
}

fn remedy(field: AnswerField, t: Translate<'_>) -> String {
    match field {
        AnswerField::User => {
            t("On Linux, use small letters and digits, a letter first; on Windows, at most 20 characters.")
        }
        AnswerField::FullName => t("Leave out colons, commas and backslashes."),
        AnswerField::Password => t("Give one with up to 128 letters, digits and signs, in one line."),
        AnswerField::SshKey => {
            t("Use a line such as those in the files ~/.ssh/id_ed25519.pub or ~/.ssh/id_rsa.pub.")
        }
        AnswerField::HostName => {
            t("Use letters, digits and hyphens, or leave it out: the guest's name is then used.")
        }
        AnswerField::Language => t("Use one such as de_DE or en_GB."),
        AnswerField::Keyboard => t("Use one such as de, us or de(nodeadkeys)."),
        AnswerField::TimeZone => t("Use one such as Europe/Berlin or UTC."),
    }
}

/// Why a medium can't be installed without questions, or that it can.
pub fn express_sentence(express: Express, t: Translate<'_>) -> String {
    match express {
        Express::Offered => t("It can be installed without questions."),
        Express::SystemUnknown => t("It is not known which system is on it."),
        Express::NotTested => {
            t("This system has not been tried with that yet, and a failure halfway helps nobody.")
        }
        Express::WrongProcessor => t("It is for another kind of processor."),
        Express::NoInstaller => t("It has no installer that takes answers, as live systems have not."),
    }
}

pub(super) fn not_offered(path: &str, reason: Express, os: &str, t: Translate<'_>) -> Explanation {
    let what = if os.is_empty() {
        fill(&t("“{path}” can't be installed without questions."), &[("path", path)])
    } else {
        fill(&t("{os} can't be installed from “{path}” without questions."), &[("os", os), ("path", path)])
    };
    Explanation {
        code: "express-not-offered",
        what,
        why: express_sentence(reason, t),
        remedy: t("Install it as usual: make the guest without these answers, and answer its installer."),
        detail: None,
    }
}
