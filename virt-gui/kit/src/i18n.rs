//! Translation: the one place that knows gettext.
//!
//! Sentences are whole, their values are named: `gettext_f("“{name}” is off", &[("name", &name)])`.
//! The names of the functions are those that extractors look for; each is given a literal.

use gettextrs::LocaleCategory;
use std::path::PathBuf;
use tracing::warn;

pub use gettextrs::gettext;

/// The name under which translations are installed: `LOCALE/LC_MESSAGES/guesthouse.mo`.
pub const DOMAIN: &str = "guesthouse";

/// Takes the user's language from the environment. To be called once, before any other thread runs:
/// the C library's locale belongs to the whole process.
///
/// Where something fails the texts stay English, which is logged and otherwise harmless.
pub fn init() {
    if gettextrs::setlocale(LocaleCategory::LcAll, "").is_none() {
        warn!("the locale of the environment is not installed, using the system's default");
    }
    let bound = gettextrs::bindtextdomain(DOMAIN, locale_folder())
        .and_then(|_folder| gettextrs::bind_textdomain_codeset(DOMAIN, "UTF-8"))
        .and_then(|_codeset| gettextrs::textdomain(DOMAIN));
    if let Err(error) = bound {
        warn!(%error, "translations could not be opened, using English");
    }
}

/// Where translations are: beside the program as it was installed, else where the system keeps them.
fn locale_folder() -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.parent()?.join("share/locale")))
        .filter(|folder| folder.is_dir());
    beside.unwrap_or_else(|| PathBuf::from("/usr/share/locale"))
}

/// The translation of a sentence that counts something.
pub fn ngettext(singular: &str, plural: &str, count: usize) -> String {
    gettextrs::ngettext(singular, plural, u32::try_from(count).unwrap_or(u32::MAX))
}

/// The translation of a sentence with values in it: `{name}` becomes the value called `name`.
pub fn gettext_f(text: &str, values: &[(&str, &str)]) -> String {
    fill(&gettext(text), values)
}

/// The translation of a sentence that counts something and has values in it.
pub fn ngettext_f(singular: &str, plural: &str, count: usize, values: &[(&str, &str)]) -> String {
    fill(&ngettext(singular, plural, count), values)
}

/// Puts values into the places `{name}` of a text. Values are taken as they are, whatever braces they
/// have; a place without a value stays as it is written.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, place) = rest.split_at(open);
        filled.push_str(before);
        let found = place.find('}').and_then(|close| {
            let name = &place[1..close];
            let (_, value) = values.iter().find(|(key, _)| *key == name)?;
            Some((*value, &place[close + 1..]))
        });
        if let Some((value, after)) = found {
            filled.push_str(value);
            rest = after;
        } else {
            filled.push('{');
            rest = &place[1..];
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_once_and_as_they_are() {
        let values = [("guest", "{count}"), ("count", "3")];
        assert_eq!(fill("{guest} has {count} disks", &values), "{count} has 3 disks");
        assert_eq!(fill("{unknown} {guest", &values), "{unknown} {guest");
        assert_eq!(fill("{{guest}}", &values), "{{count}}");
        assert_eq!(fill("é{count}é", &values), "é3é");
        assert_eq!(fill("", &values), "");
    }

    #[test]
    fn a_count_chooses_the_sentence() {
        assert_eq!(ngettext_f("{n} guest", "{n} guests", 1, &[("n", "1")]), "1 guest");
        assert_eq!(ngettext_f("{n} guest", "{n} guests", 0, &[("n", "0")]), "0 guests");
    }
}
