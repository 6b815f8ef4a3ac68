//! What can be answered, by the rules of the systems. What passes has no line end, no control character and nothing
//! that is invisible, so that no format has to guess about it.

use super::System;
use crate::medium::is_plain;
use base64ct::{Base64, Encoding};
use hv_api::{AnswerFault, AnswerField, Error};
use std::collections::BTreeSet;

/// Names that are there already, or that mean something else. Names that begin with `systemd-` as well.
const RESERVED: [&str; 66] = [
    "_apt",
    "adm",
    "admin",
    "audio",
    "avahi",
    "backup",
    "bin",
    "cdrom",
    "chrony",
    "colord",
    "crontab",
    "daemon",
    "dbus",
    "dialout",
    "dip",
    "disk",
    "floppy",
    "ftp",
    "games",
    "gdm",
    "geoclue",
    "gnats",
    "halt",
    "input",
    "irc",
    "kmem",
    "kvm",
    "landscape",
    "list",
    "lp",
    "lxd",
    "mail",
    "man",
    "messagebus",
    "netdev",
    "news",
    "nobody",
    "nogroup",
    "operator",
    "plugdev",
    "polkitd",
    "pollinate",
    "postfix",
    "proxy",
    "render",
    "root",
    "rtkit",
    "saned",
    "sasl",
    "shadow",
    "shutdown",
    "src",
    "sshd",
    "staff",
    "statd",
    "sudo",
    "sync",
    "syslog",
    "tape",
    "tcpdump",
    "tss",
    "tty",
    "users",
    "uucp",
    "wheel",
    "www-data",
];

/// The same for Windows, whatever the capital letters.
const RESERVED_BY_WINDOWS: [&str; 12] = [
    "administrator",
    "anonymous",
    "batch",
    "defaultaccount",
    "dialup",
    "everyone",
    "guest",
    "interactive",
    "local service",
    "network service",
    "system",
    "wdagutilityaccount",
];

/// Kinds of keys that SSH servers take today.
const KEY_KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

const LONGEST_LINUX_USER: usize = 32;
const LONGEST_WINDOWS_USER: usize = 20;
const LONGEST_FULL_NAME: usize = 100;
const LONGEST_PASSWORD: usize = 128;
const LONGEST_KEY: usize = 8 << 10;
const MOST_KEYS: usize = 32;
const LONGEST_HOST_NAME: usize = 63;
const LONGEST_WINDOWS_HOST_NAME: usize = 15;

/// What this computer has a list of. Where one is empty, only the form is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Languages with their countries.
    pub languages: BTreeSet<String>,
    /// Keyboard layouts, with and without a variant.
    pub keyboards: BTreeSet<String>,
    /// Time zones.
    pub time_zones: BTreeSet<String>,
}

fn invalid(field: AnswerField, fault: AnswerFault, value: &str) -> Error {
    // Long enough to recognise it.
    Error::AnswerInvalid { field, fault, value: value.chars().take(100).collect() }
}

fn present(field: AnswerField, value: &str) -> Result<(), Error> {
    if value.is_empty() { Err(invalid(field, AnswerFault::Missing, value)) } else { Ok(()) }
}

fn at_most(field: AnswerField, longest: usize, value: &str) -> Result<(), Error> {
    if value.chars().count() > longest { Err(invalid(field, AnswerFault::TooLong, value)) } else { Ok(()) }
}

fn formed(field: AnswerField, well: bool, value: &str) -> Result<(), Error> {
    if well { Ok(()) } else { Err(invalid(field, AnswerFault::Malformed, value)) }
}

/// Whether a text is a login name that every Linux takes.
pub fn is_login(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    begins
        && name.len() <= LONGEST_LINUX_USER
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

pub(super) fn user(name: &str, system: System) -> Result<String, Error> {
    const FIELD: AnswerField = AnswerField::User;
    present(FIELD, name)?;
    let reserved = if system == System::Windows {
        at_most(FIELD, LONGEST_WINDOWS_USER, name)?;
        let well = name.chars().all(|c| is_plain(c) && !"/\\[]:;|<>+=,?*%@\"".contains(c));
        formed(FIELD, well && name.trim() == name && !name.ends_with('.'), name)?;
        let name = name.to_lowercase();
        RESERVED_BY_WINDOWS.contains(&&*name) || name == "none"
    } else {
        at_most(FIELD, LONGEST_LINUX_USER, name)?;
        formed(FIELD, is_login(name), name)?;
        RESERVED.contains(&name) || name.starts_with("systemd-")
    };
    if reserved { Err(invalid(FIELD, AnswerFault::Reserved, name)) } else { Ok(name.to_owned()) }
}

pub(super) fn full_name(name: &str, system: System) -> Result<String, Error> {
    const FIELD: AnswerField = AnswerField::FullName;
    at_most(FIELD, LONGEST_FULL_NAME, name)?;
    // A colon and a comma end a field of the list of users; a backslash joins lines.
    let forbidden = if system == System::Windows { "\"/\\[]:;|<>+=,?*%@" } else { ":,\\" };
    formed(FIELD, name.chars().all(|c| is_plain(c) && !forbidden.contains(c)), name)?;
    Ok(name.to_owned())
}

/// A password that can be used; nothing where none is needed.
pub(super) fn password(clear: Option<&str>, system: System, has_key: bool) -> Result<Option<&str>, Error> {
    const FIELD: AnswerField = AnswerField::Password;
    // Whatever is wrong with it, it is not told.
    let fault = |fault| invalid(FIELD, fault, "");
    let Some(clear) = clear else {
        let can_be_missing = system == System::Cloud && has_key;
        return if can_be_missing { Ok(None) } else { Err(fault(AnswerFault::Missing)) };
    };
    if clear.is_empty() {
        return Err(fault(AnswerFault::Missing));
    }
    if clear.len() > LONGEST_PASSWORD {
        return Err(fault(AnswerFault::TooLong));
    }
    // It could not be typed at a login.
    if clear.chars().any(char::is_control) {
        return Err(fault(AnswerFault::Malformed));
    }
    Ok(Some(clear))
}

/// Keys without what stands behind them.
pub(super) fn ssh_keys(lines: &[String]) -> Result<Vec<String>, Error> {
    const FIELD: AnswerField = AnswerField::SshKey;
    if lines.len() > MOST_KEYS {
        return Err(invalid(FIELD, AnswerFault::TooLong, &lines.len().to_string()));
    }
    let lines =
        lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| ssh_key(line).ok_or_else(|| invalid(FIELD, AnswerFault::Malformed, line))).collect()
}

/// One key, which says within itself of which kind it is. Options before it are not taken: they could be commands.
fn ssh_key(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    let kind = words.next().filter(|kind| line.len() <= LONGEST_KEY && KEY_KINDS.contains(kind))?;
    let data = words.next()?;
    let bytes = Base64::decode_vec(data).ok()?;
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let named = bytes.get(4..)?.get(..length)?;
    let is_rest_plain = line.chars().all(|c| is_plain(c) || c == '\t');
    (named == kind.as_bytes() && is_rest_plain).then(|| format!("{kind} {data}"))
}

pub(super) fn host_name(name: &str, system: System) -> Result<String, Error> {
    const FIELD: AnswerField = AnswerField::HostName;
    let longest = longest_host_name(system);
    at_most(FIELD, longest, name)?;
    let letter = |c: char| c.is_ascii_alphanumeric();
    let well =
        name.chars().all(|c| letter(c) || c == '-') && name.starts_with(letter) && name.ends_with(letter);
    // Windows would take it for an address.
    let is_number = name.chars().all(|c| c.is_ascii_digit());
    formed(FIELD, well && !is_number, name)?;
    Ok(name.to_owned())
}

fn longest_host_name(system: System) -> usize {
    if system == System::Windows { LONGEST_WINDOWS_HOST_NAME } else { LONGEST_HOST_NAME }
}

/// A name in networks for a guest of this name.
pub fn host_name_of(guest: &str, system: System) -> String {
    let mut name = String::new();
    for c in guest.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(longest_host_name(system));
    let name = name.trim_end_matches('-');
    if host_name(name, system).is_ok() && name != "localhost" { name.to_owned() } else { "guest".to_owned() }
}

/// Whether a text is a language with its country, as `de_DE`.
pub fn is_language(text: &str) -> bool {
    let lower = |part: &str| (2..=3).contains(&part.len()) && part.chars().all(|c| c.is_ascii_lowercase());
    let upper = |part: &str| part.len() == 2 && part.chars().all(|c| c.is_ascii_uppercase());
    text.split_once('_').is_some_and(|(language, country)| lower(language) && upper(country))
}

fn listed(field: AnswerField, list: &BTreeSet<String>, value: &str) -> Result<(), Error> {
    if list.is_empty() || list.contains(value) {
        return Ok(());
    }
    Err(invalid(field, AnswerFault::Unknown, value))
}

pub(super) fn language(text: &str, known: &Known) -> Result<String, Error> {
    // How the text is written in bytes, everybody knows by now.
    let plain = text.split_once('.').map_or(text, |(plain, _)| plain);
    formed(AnswerField::Language, is_language(plain), text)?;
    listed(AnswerField::Language, &known.languages, plain)?;
    Ok(plain.to_owned())
}

/// The layout and the variant of a keyboard, as `de(nodeadkeys)`; nothing where it is not written so.
pub fn keyboard_parts(text: &str) -> Option<(&str, Option<&str>)> {
    let (layout, variant) = match text.split_once('(') {
        Some((layout, rest)) => (layout, Some(rest.strip_suffix(')')?)),
        None => (text, None),
    };
    let word = |word: &str| {
        (1..=40).contains(&word.len())
            && word.starts_with(|c: char| c.is_ascii_alphanumeric())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    (word(layout) && variant.is_none_or(word)).then_some((layout, variant))
}

pub(super) fn keyboard(text: &str, known: &Known) -> Result<(String, Option<String>), Error> {
    let parts = keyboard_parts(text);
    formed(AnswerField::Keyboard, parts.is_some(), text)?;
    listed(AnswerField::Keyboard, &known.keyboards, text)?;
    let (layout, variant) = parts.unwrap_or(("us", None));
    Ok((layout.to_owned(), variant.map(str::to_owned)))
}

pub(super) fn time_zone(text: &str, known: &Known) -> Result<String, Error> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'))
    };
    let well = text.len() <= 64 && text.split('/').count() <= 3 && text.split('/').all(part);
    formed(AnswerField::TimeZone, well, text)?;
    listed(AnswerField::TimeZone, &known.time_zones, text)?;
    Ok(text.to_owned())
}
