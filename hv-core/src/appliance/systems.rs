//! Which operating system a machine of an appliance has, by what its description says: CIM's number, or the words of
//! VMware and VirtualBox.
//!
//! The words of these programs are translated into short ids of the operating-system database; which of them there are,
//! the database says. Where only the line of systems is told, as `ubuntu64Guest` does, the release is looked for in what
//! people are told.

use super::ovf::{Machine, SystemWords};
use crate::osdb::{Database, Named};
use hv_api::Confidence;

/// What is known of a machine's system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The system; nothing where only its kind is known.
    pub system: Option<Named>,
    /// The kind of system, as `linux`.
    pub family: Option<&'static str>,
    /// The short id of a known system with the same needs.
    pub like: Option<String>,
    /// How sure that is.
    pub confidence: Confidence,
    /// The processor.
    pub arch: &'static str,
}

/// A line of systems, or one of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Guess {
    family: Option<&'static str>,
    /// The beginning of the short ids of its line.
    line: Option<&'static str>,
    /// The short ids that it may have, the best first.
    ids: Vec<String>,
}

/// CIM's numbers of the systems that are met, and what they mean. Those without a release have the line only.
const NUMBERS: &[(&[u32], &str)] = &[
    (&[15], "win3.1"),
    (&[16], "win95"),
    (&[17], "win98"),
    (&[18], "winnt4.0"),
    (&[58], "win2k"),
    (&[67, 71], "winxp"),
    (&[69, 70], "win2k3"),
    (&[72], "winme"),
    (&[73, 74], "winvista"),
    (&[76, 77], "win2k8"),
    (&[103], "win2k8r2"),
    (&[105], "win7"),
    (&[114], "win2k12"),
    (&[115, 116], "win8"),
    (&[117], "win2k12r2"),
    (&[119, 120], "win8.1"),
    (&[121, 122], "win10"),
];

/// The same for lines.
const LINES: &[(&[u32], &str)] = &[
    (&[42, 78], "freebsd"),
    (&[65], "openbsd"),
    (&[66], "netbsd"),
    (&[79, 80], "rhel"),
    (&[82, 83, 84, 85], "sles"),
    (&[89, 90], "mandriva"),
    (&[93, 94], "ubuntu"),
    (&[95, 96], "debian"),
    (&[106, 107], "centos"),
    (&[108, 109], "ol"),
    (&[36, 97, 98, 99, 100, 101], "linux"),
    (&[29, 30, 81], "solaris"),
];

/// CIM's numbers of systems for 32 bits that have another number for 64.
const OF_32_BITS: &[u32] = &[42, 67, 69, 73, 76, 79, 82, 84, 89, 93, 95, 97, 99, 106, 108, 115, 119, 121];

/// Words of VMware's and VirtualBox', without what tells bits apart, for releases of Windows.
const WINDOWS: &[(&[&str], &str)] = &[
    (&["win31", "windows31"], "win3.1"),
    (&["win95", "windows95"], "win95"),
    (&["win98", "windows98"], "win98"),
    (&["winme", "windowsme"], "winme"),
    (&["winnt", "windowsnt4"], "winnt4.0"),
    (&["win2000pro", "win2000serv", "win2000advserv", "windows2000"], "win2k"),
    (&["winxppro", "winxphome", "windowsxp"], "winxp"),
    (
        &[
            "winnetstandard",
            "winnetenterprise",
            "winnetdatacenter",
            "winnetweb",
            "winnetbusiness",
            "windows2003",
        ],
        "win2k3",
    ),
    (&["winvista", "windowsvista"], "winvista"),
    (&["winlonghorn", "windows2008"], "win2k8"),
    (&["windows7"], "win7"),
    (&["windows7server"], "win2k8r2"),
    (&["windows8"], "win8"),
    (&["windows81"], "win8.1"),
    (&["windows8server", "windows2012"], "win2k12"),
    (&["windows9", "windows10"], "win10"),
    (&["windows9server", "windows2016"], "win2k16"),
    (&["windows2019srv", "windows2019"], "win2k19"),
    (&["windows2019srvnext", "windows2022"], "win2k22"),
    (&["windows2022srvnext", "windows2025"], "win2k25"),
    (&["windows11", "windows12"], "win11"),
];

/// The words of theirs for lines, and the beginning of the database's.
const WORDS: &[(&[&str], &str)] = &[
    (&["almalinux"], "almalinux"),
    (&["alpine"], "alpinelinux"),
    (&["arch", "archlinux"], "archlinux"),
    (&["centos"], "centos"),
    (&["debian"], "debian"),
    (&["fedora"], "fedora"),
    (&["freebsd"], "freebsd"),
    (&["gentoo"], "gentoo"),
    (&["mandriva", "mandrake"], "mandriva"),
    (&["netbsd"], "netbsd"),
    (&["openbsd"], "openbsd"),
    (&["opensuse", "opensuseleap"], "opensuse"),
    (&["oraclelinux", "oracle"], "ol"),
    (&["rhel", "redhat"], "rhel"),
    (&["rockylinux"], "rocky"),
    (&["sles", "suse", "suselinux", "suseles"], "sles"),
    (&["solaris", "opensolaris"], "solaris"),
    (&["ubuntu", "xubuntu", "lubuntu", "kubuntu"], "ubuntu"),
    (&["dos"], "msdos"),
    (&["netware"], "netware"),
    (&["darwin", "macos"], "macosx"),
    (&["linux", "otherlinux", "genericlinux", "crxsys", "coreos", "vmwarephoton", "amazonlinux"], "linux"),
];

/// Which system a machine has.
pub fn identify(machine: &Machine, database: &Database) -> Found {
    let words = &machine.system;
    let of_vmware = words.vmware.as_deref().map(of_word);
    let of_virtualbox = words.virtualbox.as_deref().map(of_word);
    let guesses = [of_vmware, of_virtualbox, words.number.map(of_number), Some(of_word(&words.text))];
    let all: Vec<Guess> = guesses.into_iter().flatten().collect();
    let arch = if is_32_bits(words) { "i686" } else { "x86_64" };
    let family = all.iter().find_map(|guess| guess.family);
    let found = |named: Named, like: &str, confidence| Found {
        system: Some(named),
        family,
        like: Some(like.to_owned()),
        confidence,
        arch,
    };
    for id in all.iter().flat_map(|guess| &guess.ids) {
        if let Some((named, like)) = database.named(id) {
            return found(named, like.short_id(), Confidence::Exact);
        }
    }
    let line = all.iter().find_map(|guess| guess.line);
    let told = [
        Some(words.text.as_str()),
        words.version.as_deref(),
        machine.product.as_deref(),
        machine.name.as_deref(),
        Some(&machine.id),
    ];
    let told: Vec<&str> = told.into_iter().flatten().collect();
    for id in line.into_iter().flat_map(|line| told.iter().filter_map(move |text| release(line, text))) {
        if let Some((named, like)) = database.named(&id) {
            return found(named, like.short_id(), Confidence::Probable);
        }
    }
    Found { system: None, family, like: None, confidence: Confidence::Unknown, arch }
}

fn of_number(number: u32) -> Guess {
    let find = |list: &[(&[u32], &'static str)]| {
        list.iter().find(|(numbers, _)| numbers.contains(&number)).map(|(_, word)| *word)
    };
    match (find(NUMBERS), find(LINES)) {
        (Some(id), _) => Guess { family: Some(family(id)), line: None, ids: vec![id.to_owned()] },
        (None, Some(line)) => of_line(line, ""),
        (None, None) => Guess::default(),
    }
}

/// What a word such as `debian12_64Guest` or `Ubuntu22_LTS_64` means.
fn of_word(word: &str) -> Guess {
    let lower = word.trim().to_ascii_lowercase();
    let stem = lower.strip_suffix("guest").unwrap_or(&lower);
    let stem =
        ["_64", "-64", "64", "_arm64", "_x64"].iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(stem);
    let stem = stem.strip_suffix("_lts").unwrap_or(stem);
    let plain: String = stem.chars().filter(char::is_ascii_alphanumeric).collect();
    if let Some((_, id)) = WINDOWS.iter().find(|(words, _)| words.contains(&&*plain)) {
        return Guess { family: Some(family(id)), line: None, ids: vec![(*id).to_owned()] };
    }
    if plain == "opensusetumbleweed" {
        return Guess { family: Some("linux"), line: None, ids: vec!["opensusetumbleweed".into()] };
    }
    let digits = plain.find(|c: char| c.is_ascii_digit()).unwrap_or(plain.len());
    let (name, version) = plain.split_at(digits);
    if let Some((_, line)) = WORDS.iter().find(|(words, _)| words.contains(&name)) {
        return of_line(line, version);
    }
    if plain.contains("linux") {
        return of_line("linux", "");
    }
    if plain.starts_with("windows") {
        return Guess { family: Some("winnt"), ..Guess::default() };
    }
    Guess::default()
}

fn of_line(line: &'static str, version: &str) -> Guess {
    let version = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let ids = match line {
        _ if version.is_empty() => Vec::new(),
        // Those of even years have a release that is meant by the year alone.
        "ubuntu" => vec![format!("ubuntu{version}.04")],
        "rhel" | "rocky" => vec![format!("{line}{version}-unknown"), format!("{line}{version}.0")],
        "centos" => {
            vec![format!("centos-stream{version}"), format!("centos{version}"), format!("centos{version}.0")]
        }
        "sles" => vec![format!("sles{version}"), format!("sle{version}")],
        "ol" | "freebsd" | "solaris" | "opensuse" => {
            vec![format!("{line}{version}"), format!("{line}{version}.0")]
        }
        _ => vec![format!("{line}{version}")],
    };
    Guess { family: Some(family(line)), line: (line != "linux").then_some(line), ids }
}

fn family(id: &str) -> &'static str {
    const FAMILIES: &[(&[&str], &str)] = &[
        (&["win95", "win98", "winme"], "win9x"),
        (&["win3.1"], "win16"),
        (&["freebsd"], "freebsd"),
        (&["openbsd"], "openbsd"),
        (&["netbsd"], "netbsd"),
        (&["solaris"], "solaris"),
        (&["msdos"], "msdos"),
        (&["netware"], "netware"),
        (&["macosx"], "darwin"),
    ];
    let known = FAMILIES.iter().find(|(ids, _)| ids.contains(&id)).map(|(_, family)| *family);
    known.unwrap_or(if id.starts_with("win") { "winnt" } else { "linux" })
}

/// The short id of a release of this line that a text names, as `Ubuntu Server 22.04 LTS`.
fn release(line: &str, text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let (_, after) = lower.split_once(if line == "ol" { "oracle" } else { line })?;
    let is_version = |word: &&str| word.len() <= 8 && word.starts_with(|c: char| c.is_ascii_digit());
    let mut words = after.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
    let version = words.find(is_version)?;
    let number: String = version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    // Ubuntu's point releases are none of their own.
    let parts: Vec<&str> = number.split('.').filter(|part| !part.is_empty()).take(2).collect();
    Some(format!("{line}{}", parts.join(".")))
}

fn is_32_bits(words: &SystemWords) -> bool {
    let says = |word: &Option<String>| word.as_ref().map(|word| word.to_ascii_lowercase().contains("64"));
    // Each of them writes 64 bits into its words.
    let told = says(&words.vmware).or_else(|| says(&words.virtualbox));
    told.map_or_else(|| words.number.is_some_and(|number| OF_32_BITS.contains(&number)), |is_64| !is_64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::osdb::{DatabaseBuilder, xml_content};

    fn database() -> Database {
        let mut builder = DatabaseBuilder::default();
        for (id, version) in [
            ("debian12", "12"),
            ("ubuntu22.04", "22.04"),
            ("rhel9-unknown", "9"),
            ("centos-stream9", "9"),
            ("win10", "10.0"),
            ("win2k19", "1809"),
            ("winxp", "5.1"),
            ("sle15", "15"),
            ("freebsd13.0", "13.0"),
        ] {
            let text = format!(
                "<libosinfo><os id='http://a.org/{id}'><short-id>{id}</short-id><name>{id}</name><version>{version}</version></os></libosinfo>"
            );
            builder.add(xml_content(&text));
        }
        builder.finish(None)
    }

    fn look(words: SystemWords, name: &str) -> (Option<String>, Option<&'static str>, Confidence) {
        let machine = Machine { system: words, name: Some(name.into()), ..Machine::default() };
        let found = identify(&machine, &database());
        (found.system.map(|system| system.id), found.family, found.confidence)
    }

    #[test]
    fn the_words_of_all_programs_are_understood() {
        let vmware =
            |word: &str| look(SystemWords { vmware: Some(word.into()), ..SystemWords::default() }, "");
        let virtualbox =
            |word: &str| look(SystemWords { virtualbox: Some(word.into()), ..SystemWords::default() }, "");
        let number = |number| look(SystemWords { number: Some(number), ..SystemWords::default() }, "");
        let exact = |id: &str, family| (Some(id.to_owned()), Some(family), Confidence::Exact);
        assert_eq!(vmware("debian12_64Guest"), exact("debian12", "linux"));
        assert_eq!(vmware("rhel9_64Guest"), exact("rhel9-unknown", "linux"));
        assert_eq!(vmware("centos9_64Guest"), exact("centos-stream9", "linux"));
        assert_eq!(vmware("sles15_64Guest"), exact("sle15", "linux"));
        assert_eq!(vmware("freebsd13_64Guest"), exact("freebsd13.0", "freebsd"));
        assert_eq!(vmware("windows9_64Guest"), exact("win10", "winnt"));
        assert_eq!(vmware("windows2019srv_64Guest"), exact("win2k19", "winnt"));
        assert_eq!(vmware("winXPProGuest"), exact("winxp", "winnt"));
        assert_eq!(virtualbox("Debian12_64"), exact("debian12", "linux"));
        assert_eq!(virtualbox("Ubuntu22_LTS_64"), exact("ubuntu22.04", "linux"));
        assert_eq!(virtualbox("Windows10_64"), exact("win10", "winnt"));
        assert_eq!(number(121), exact("win10", "winnt"));
        for word in ["ubuntu64Guest", "other3xLinux64Guest", "otherLinuxGuest", "fedora64Guest"] {
            assert_eq!(vmware(word), (None, Some("linux"), Confidence::Unknown), "{word}");
        }
        assert_eq!(virtualbox("Other_64"), (None, None, Confidence::Unknown));
    }

    #[test]
    fn a_release_may_stand_in_what_people_are_told() {
        let words =
            SystemWords { number: Some(94), vmware: Some("ubuntu64Guest".into()), ..SystemWords::default() };
        let found = (Some("ubuntu22.04".to_owned()), Some("linux"), Confidence::Probable);
        assert_eq!(look(words.clone(), "Ubuntu Server 22.04.3 LTS"), found);
        assert_eq!(look(words.clone(), "ubuntu-22.04-server"), found);
        assert_eq!(look(words, "web 22.04").0, None);
    }

    #[test]
    fn bits_are_told_apart() {
        let bits = |words: SystemWords| is_32_bits(&words);
        assert!(bits(SystemWords { number: Some(95), ..SystemWords::default() }));
        assert!(!bits(SystemWords { number: Some(96), ..SystemWords::default() }));
        assert!(bits(SystemWords { vmware: Some("ubuntuGuest".into()), ..SystemWords::default() }));
        assert!(!bits(SystemWords { virtualbox: Some("Ubuntu_64".into()), ..SystemWords::default() }));
        assert!(!bits(SystemWords::default()));
    }
}
