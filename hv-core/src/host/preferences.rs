//! How this computer is set up for its user, from which a guest's language, keyboard and time zone are proposed; and
//! what it has lists of.
//!
//! It reads small files and blocks. A file that is not there, or that makes no sense, counts for nothing.

use crate::answers::{Known, is_language, is_login, keyboard_parts};
use hv_api::Preferences;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest file that is read, in bytes. The longest list known has 150,000.
const LARGEST: u64 = 1 << 20;

/// What counts where nothing is set.
const LANGUAGE: &str = "en_US";
const KEYBOARD: &str = "us";
const TIME_ZONE: &str = "Etc/UTC";

/// What the process was started with.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `LC_ALL`, `LC_MESSAGES` and `LANG`, the first that is set.
    pub language: Option<String>,
}

impl Environment {
    /// This process's.
    pub fn of_process() -> Self {
        let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self { language: ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set) }
    }
}

/// The settings of the computer whose files are below `root`.
pub fn preferences(root: &Path, environment: &Environment, user: u32) -> Preferences {
    let known = known(root);
    let names = account(root, user);
    let user =
        names.as_ref().map(|(login, _)| login.clone()).filter(|login| is_login(login) && login != "root");
    Preferences {
        full_name: names.map(|(_, full)| full).filter(|full| user.is_some() && !full.is_empty()),
        user,
        language: language(root, environment, &known),
        keyboard: keyboard(root, &known),
        time_zone: time_zone(root).unwrap_or_else(|| TIME_ZONE.into()),
        languages: known.languages.into_iter().collect(),
        keyboards: known.keyboards.into_iter().collect(),
        time_zones: known.time_zones.into_iter().collect(),
        express: Vec::new(),
    }
}

/// What this computer has lists of.
pub fn known(root: &Path) -> Known {
    Known { languages: languages(root), keyboards: keyboards(root), time_zones: time_zones(root) }
}

fn text(path: &Path) -> Option<String> {
    let found = std::fs::metadata(path).ok().filter(|found| found.is_file() && found.len() <= LARGEST)?;
    let mut bytes = Vec::with_capacity(found.len() as usize);
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value that a file of lines like `LANG="de_DE.UTF-8"` has for a name.
fn setting(text: &str, name: &str) -> Option<String> {
    let line =
        text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.trim_start().strip_prefix('='))?;
    let value = line.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// The user's login name and name for people.
fn account(root: &Path, user: u32) -> Option<(String, String)> {
    let users = text(&root.join("etc/passwd"))?;
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [login, _, id, _, people, ..] = fields.as_slice() else { return None };
        let name = people.split(',').next().unwrap_or_default().trim();
        (id.parse() == Ok(user)).then(|| ((*login).to_owned(), name.to_owned()))
    })
}

fn language(root: &Path, environment: &Environment, known: &Known) -> String {
    let file = |path: &str| setting(&text(&root.join(path))?, "LANG");
    let set = [environment.language.clone(), file("etc/locale.conf"), file("etc/default/locale")];
    let plain = |text: String| text.split(['.', '@']).next().map(str::to_owned);
    let usable = |text: &String| is_language(text) && has(&known.languages, text);
    set.into_iter().flatten().filter_map(plain).find(usable).unwrap_or_else(|| LANGUAGE.into())
}

fn has(list: &BTreeSet<String>, word: &str) -> bool {
    list.is_empty() || list.contains(word)
}

fn keyboard(root: &Path, known: &Known) -> String {
    let with_variant = |layout: String, variant: Option<String>| {
        // Several layouts may be set: the first one counts, and with it the first variant.
        let first = |words: String| words.split(',').next().unwrap_or_default().trim().to_owned();
        let layout = first(layout);
        match variant.map(first).filter(|variant| !variant.is_empty()) {
            Some(variant) => format!("{layout}({variant})"),
            None => layout,
        }
    };
    let debian = || {
        let text = text(&root.join("etc/default/keyboard"))?;
        Some(with_variant(setting(&text, "XKBLAYOUT")?, setting(&text, "XKBVARIANT")))
    };
    let console = || {
        let text = text(&root.join("etc/vconsole.conf"))?;
        if let Some(layout) = setting(&text, "XKBLAYOUT") {
            return Some(with_variant(layout, setting(&text, "XKBVARIANT")));
        }
        // The console's own names: `de-latin1-nodeadkeys`, `us`.
        setting(&text, "KEYMAP")?.split('-').next().map(str::to_owned)
    };
    let x11 = || {
        let text = text(&root.join("etc/X11/xorg.conf.d/00-keyboard.conf"))?;
        let option = |name: &str| {
            let line = text.lines().find(|line| line.contains(&format!("\"{name}\"")))?;
            line.split('"').nth(3).map(str::to_owned)
        };
        Some(with_variant(option("XkbLayout")?, option("XkbVariant")))
    };
    let usable = |text: &String| keyboard_parts(text).is_some() && has(&known.keyboards, text);
    [debian(), console(), x11()].into_iter().flatten().find(usable).unwrap_or_else(|| KEYBOARD.into())
}

/// The time zone, by where the link to its file leads.
fn time_zone(root: &Path) -> Option<String> {
    let target = std::fs::read_link(root.join("etc/localtime")).ok();
    let by_link = target.and_then(|target| {
        let target = target.to_str()?.to_owned();
        target.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned())
    });
    let zone = by_link.or_else(|| Some(text(&root.join("etc/timezone"))?.trim().to_owned()))?;
    let well = zone.len() <= 64 && zone.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    (well && root.join("usr/share/zoneinfo").join(&zone).is_file()).then_some(zone)
}

/// The list of the C library, as `de_DE.UTF-8 UTF-8`.
fn languages(root: &Path) -> BTreeSet<String> {
    let list = text(&root.join("usr/share/i18n/SUPPORTED")).unwrap_or_default();
    let plain = |line: &str| line.split(['.', ' ', '@', '/']).next().map(str::to_owned);
    list.lines().filter_map(plain).filter(|word| is_language(word)).collect()
}

/// The list of X11: layouts, and variants with the layout that they belong to.
fn keyboards(root: &Path) -> BTreeSet<String> {
    let list = ["base.lst", "evdev.lst"]
        .iter()
        .find_map(|name| text(&root.join("usr/share/X11/xkb/rules").join(name)));
    let mut found = BTreeSet::new();
    let mut section = String::new();
    for line in list.unwrap_or_default().lines() {
        if let Some(name) = line.strip_prefix('!') {
            name.trim().clone_into(&mut section);
            continue;
        }
        let Some((word, rest)) = line.trim().split_once(char::is_whitespace) else { continue };
        match &*section {
            "layout" => found.extend(keyboard_parts(word).map(|_| word.to_owned())),
            "variant" => {
                let layout = rest.trim_start().split(':').next().unwrap_or_default();
                let text = format!("{layout}({word})");
                found.extend(keyboard_parts(&text).map(|_| text.clone()));
            }
            _ => {}
        }
    }
    found.remove("custom");
    found
}

/// The list of the time zone database.
fn time_zones(root: &Path) -> BTreeSet<String> {
    let list = ["tzdata.zi", "zone1970.tab", "zone.tab"]
        .iter()
        .find_map(|name| text(&root.join("usr/share/zoneinfo").join(name)).map(|text| (*name, text)));
    let Some((name, list)) = list else { return BTreeSet::new() };
    let zone = |line: &str| -> Option<String> {
        let mut words = line.split_ascii_whitespace();
        if name == "tzdata.zi" {
            return match words.next()? {
                "Z" => words.next(),
                "L" => words.nth(1),
                _ => None,
            }
            .map(str::to_owned);
        }
        words.nth(2).filter(|_| !line.starts_with('#')).map(str::to_owned)
    };
    let mut zones: BTreeSet<String> = list.lines().filter_map(zone).collect();
    if !zones.is_empty() {
        zones.extend(["UTC".to_owned(), TIME_ZONE.to_owned()]);
    }
    zones
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn computer(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn settings_are_found_where_each_system_keeps_them() {
        let debian = computer(&[
            (
                "etc/passwd",
                "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000:Ada Lovelace,,,:/home/ada:/bin/sh\n",
            ),
            ("etc/default/locale", "# File\nLANG=\"de_AT.UTF-8\"\n"),
            ("etc/default/keyboard", "XKBMODEL=\"pc105\"\nXKBLAYOUT=\"de,us\"\nXKBVARIANT=\"nodeadkeys,\"\n"),
            ("usr/share/zoneinfo/Europe/Vienna", "TZif"),
            ("usr/share/zoneinfo/zone.tab", "# list\nAT\t+4813+01620\tEurope/Vienna\n"),
            ("usr/share/i18n/SUPPORTED", "de_AT.UTF-8 UTF-8\nde_AT ISO-8859-1\nca_ES@valencia UTF-8\n"),
            (
                "usr/share/X11/xkb/rules/base.lst",
                "! model\n  pc105 Generic\n! layout\n  de German\n\n! variant\n  nodeadkeys de: German (no dead keys)\n",
            ),
        ]);
        std::os::unix::fs::symlink("/usr/share/zoneinfo/Europe/Vienna", debian.path().join("etc/localtime"))
            .unwrap();
        let found = preferences(debian.path(), &Environment::default(), 1000);
        assert_eq!((found.user.as_deref(), found.full_name.as_deref()), (Some("ada"), Some("Ada Lovelace")));
        assert_eq!((&*found.language, &*found.keyboard), ("de_AT", "de(nodeadkeys)"));
        assert_eq!(found.time_zone, "Europe/Vienna");
        assert_eq!(found.languages, ["ca_ES", "de_AT"]);
        assert_eq!(found.keyboards, ["de", "de(nodeadkeys)"]);
        assert_eq!(found.time_zones, ["Etc/UTC", "Europe/Vienna", "UTC"]);

        let fedora = computer(&[
            ("etc/locale.conf", "LANG=fr_FR.UTF-8\n"),
            ("etc/vconsole.conf", "KEYMAP=\"fr-latin9\"\n"),
        ]);
        let found = preferences(fedora.path(), &Environment::default(), 0);
        assert_eq!((&*found.language, &*found.keyboard), ("fr_FR", "fr"));
        let spoken = Environment { language: Some("it_IT.UTF-8".into()) };
        assert_eq!(preferences(fedora.path(), &spoken, 0).language, "it_IT");
    }

    #[test]
    fn what_is_not_set_or_makes_no_sense_is_the_usual() {
        let odd = computer(&[
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbroken\n"),
            ("etc/locale.conf", "LANG=C.UTF-8\n"),
            ("etc/default/keyboard", "XKBLAYOUT=\"$(reboot)\"\n"),
            ("etc/timezone", "../../etc/passwd\n"),
        ]);
        let found = preferences(odd.path(), &Environment { language: Some("POSIX".into()) }, 0);
        let expected = Preferences {
            language: LANGUAGE.into(),
            keyboard: KEYBOARD.into(),
            time_zone: TIME_ZONE.into(),
            ..Preferences::default()
        };
        assert_eq!(found, expected);
    }
}
