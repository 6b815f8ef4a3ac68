//! The files are looked at as a whole, by the checkers of those who made the formats where they are installed, and with
//! answers that try to be more than one.

use super::*;
use hv_api::{AnswerFault, AnswerField, Firmware, Secret};
use proptest::prelude::*;
use roxmltree::{Document, ParsingOptions};
use serde_json::Value;
use std::process::{Command, Stdio};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8UXdM8Hnj4dIYV2iTHkpUgmGzqtPSGZPbXvQGKBPGN";

fn usual() -> Usual {
    Usual {
        guest: "Debian 12".into(),
        language: "en_US".into(),
        keyboard: "us".into(),
        time_zone: "Etc/UTC".into(),
    }
}

fn asked() -> hv_api::Answers {
    hv_api::Answers {
        user: "ada".into(),
        full_name: Some("Ada O'Brien & \"Søn\" <it>".into()),
        password: Some(Secret::new("open sesame")),
        ssh_keys: Some(vec![format!("{KEY} ada@home")]),
        host_name: Some("engine".into()),
        language: Some("de_DE.UTF-8".into()),
        keyboard: Some("de(nodeadkeys)".into()),
        time_zone: Some("Europe/Berlin".into()),
    }
}

fn new(asked: &hv_api::Answers, system: System) -> Result<Answers, Error> {
    Answers::new(asked, system, &usual(), &Known::default())
}

/// Answers with a password that is the same each time.
fn answers(system: System) -> Answers {
    let full_name =
        if system == System::Windows { Some("Ada O'Brien & Søn".into()) } else { asked().full_name };
    let mut answers = new(&hv_api::Answers { full_name, ..asked() }, system).unwrap();
    if system != System::Windows {
        answers.password = Some(Password::golden());
    }
    answers
}

impl Password {
    /// "open sesame" with a salt that is known.
    fn golden() -> Self {
        Self::of_text(
            "$6$guesthouse.salt$HgTzG1u6zEqKRkvzpP2zsrKNwnw72rXPQ2V906B54iQdv43dFjqI0enUaov3lB9iyr7T3GFOSUtkEjpb2XB1/.",
        )
    }
}

fn debian() -> Debian {
    Debian { release: 12, whole_medium: false }
}

fn fedora() -> Anaconda {
    Anaconda { fedora: true, release: 42, source: Source::Mirrors }
}

/// The only file, or all of them one behind the other.
fn text(files: &[crate::seed::SeedFile]) -> String {
    let text = |file: &crate::seed::SeedFile| {
        format!("--- {}\n{}", file.name, std::str::from_utf8(&file.content).unwrap())
    };
    files.iter().map(text).collect()
}

#[test]
fn files_for_linux_read_well() {
    insta::assert_snapshot!(
        "cloud",
        text(&cloud_init(&answers(System::Cloud), "5f0c2a52-9a3e-4a75-b7d5-0c8b8f6d1e11"))
    );
    insta::assert_snapshot!("debian", text(&preseed(&answers(System::Linux), debian())));
    insta::assert_snapshot!("ubuntu", text(&autoinstall(&answers(System::Linux))));
    insta::assert_snapshot!("fedora", text(&kickstart(&answers(System::Linux), &fedora())));
    insta::assert_snapshot!("autoyast", text(&autoyast(&answers(System::Linux))));
    insta::assert_snapshot!("agama", text(&agama(&answers(System::Linux), "openSUSE_Leap")));
}

#[test]
fn files_for_windows_read_well() {
    insta::assert_snapshot!("windows10", text(&unattend(&answers(System::Windows), Firmware::Bios, false)));
    insta::assert_snapshot!("windows11", text(&unattend(&answers(System::Windows), Firmware::Uefi, true)));
}

#[test]
fn releases_differ_where_they_do() {
    let line = |anaconda: &Anaconda, word: &str| {
        let text = text(&kickstart(&answers(System::Linux), anaconda));
        text.lines().find(|line| line.starts_with(word)).map(str::to_owned)
    };
    let old = Anaconda { fedora: false, release: 7, source: Source::Medium };
    assert_eq!(line(&old, "timezone").unwrap(), "timezone \"Europe/Berlin\" --isUtc");
    assert_eq!(line(&old, "cdrom").unwrap(), "cdrom");
    assert_eq!(line(&fedora(), "timezone").unwrap(), "timezone \"Europe/Berlin\" --utc");
    assert!(line(&fedora(), "url").unwrap().contains("mirrorlist"));
    let tree = |fedora, release| Anaconda { fedora, release, source: Source::Tree("http://a.org/os".into()) };
    assert_eq!(tree(true, 42).kernel_argument().unwrap(), "inst.repo=http://a.org/os");
    assert_eq!(tree(false, 6).kernel_argument().unwrap(), "method=http://a.org/os");
    assert_eq!(fedora().kernel_argument(), None);
    assert_eq!(line(&old, "sshkey"), None);
    assert!(line(&old, "mkdir").unwrap().contains(KEY));
}

#[test]
fn without_a_password_only_the_key_lets_in() {
    let keyed = hv_api::Answers { password: None, ..asked() };
    let files = cloud_init(&new(&keyed, System::Cloud).unwrap(), "one");
    let data = json(&files[0].content);
    assert_eq!(data["users"][0]["lock_passwd"], true);
    assert_eq!(data["users"][0].get("passwd"), None);
    assert_eq!(data["ssh_pwauth"], false);
    assert!(data["users"][0]["sudo"].as_str().unwrap().contains("NOPASSWD"));
    let nothing = hv_api::Answers { ssh_keys: None, ..keyed.clone() };
    for (answers, system) in [(nothing, System::Cloud), (keyed, System::Linux)] {
        assert_eq!(fault(&answers, system), Some((AnswerField::Password, AnswerFault::Missing)));
    }
}

fn json(content: &[u8]) -> Value {
    serde_json::from_str(std::str::from_utf8(content).unwrap().trim_start_matches("#cloud-config")).unwrap()
}

fn fault(asked: &hv_api::Answers, system: System) -> Option<(AnswerField, AnswerFault)> {
    match new(asked, system) {
        Ok(_) => None,
        Err(Error::AnswerInvalid { field, fault, .. }) => Some((field, fault)),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn what_a_system_does_not_take_is_refused() {
    use AnswerFault::{Malformed, Missing, Reserved, TooLong};
    use System::{Linux, Windows};
    let user = |user: &str| hv_api::Answers { user: user.into(), ..asked() };
    for (name, linux, windows) in [
        ("ada", None, None),
        ("", Some(Missing), Some(Missing)),
        ("root", Some(Reserved), None),
        ("systemd-x", Some(Reserved), None),
        ("Ada Lovelace", Some(Malformed), None),
        ("Administrator", Some(Malformed), Some(Reserved)),
        ("a;b", Some(Malformed), Some(Malformed)),
        ("a\nb", Some(Malformed), Some(Malformed)),
        ("abcdefghijklmnopqrstu", None, Some(TooLong)),
        ("-a", Some(Malformed), None),
        ("a.", Some(Malformed), Some(Malformed)),
    ] {
        let plain = hv_api::Answers { full_name: None, ..user(name) };
        assert_eq!(fault(&plain, Linux).map(|(_, fault)| fault), linux, "{name:?}");
        assert_eq!(fault(&plain, Windows).map(|(_, fault)| fault), windows, "{name:?}");
    }
    let password = |text: &str| hv_api::Answers { password: Some(Secret::new(text)), ..asked() };
    for (text, expected) in
        [("", Missing), ("a\nb", Malformed), ("a\u{1b}", Malformed), (&"x".repeat(129) as &str, TooLong)]
    {
        assert_eq!(fault(&password(text), Linux), Some((AnswerField::Password, expected)), "{text:?}");
        let Err(Error::AnswerInvalid { value, .. }) = new(&password(text), Linux) else { panic!() };
        assert_eq!(value, "", "a password is in no error");
    }
    let host = |name: &str| hv_api::Answers { host_name: Some(name.into()), ..asked() };
    for name in ["a b", "-a", "a-", "12", "ä", "a.b"] {
        assert_eq!(fault(&host(name), Linux), Some((AnswerField::HostName, Malformed)), "{name:?}");
    }
    let plain = hv_api::Answers { full_name: None, ..host("abcdefghijklmnop") };
    assert_eq!(fault(&plain, Windows), Some((AnswerField::HostName, TooLong)));
    let key = |line: &str| hv_api::Answers { ssh_keys: Some(vec![line.into()]), ..asked() };
    for line in [
        "ssh-ed25519 AAAA",
        "ssh-dss AAAAB3NzaC1kc3M=",
        &format!("command=\"reboot\" {KEY}"),
        &KEY.replace("ssh-ed25519", "ssh-rsa"),
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        &format!("{KEY} a\nssh-rsa b"),
    ] {
        assert_eq!(fault(&key(line), Linux), Some((AnswerField::SshKey, Malformed)), "{line:?}");
    }
}

#[test]
fn what_this_computer_does_not_know_is_refused() {
    let known = Known {
        languages: ["de_DE".to_owned()].into(),
        keyboards: ["de".to_owned(), "de(nodeadkeys)".to_owned()].into(),
        time_zones: ["Europe/Berlin".to_owned()].into(),
    };
    let check = |asked: &hv_api::Answers| match Answers::new(asked, System::Linux, &usual(), &known) {
        Err(Error::AnswerInvalid { field, fault: AnswerFault::Unknown, .. }) => Some(field),
        other => other.map(|_| None).unwrap(),
    };
    assert_eq!(check(&asked()), None);
    assert_eq!(
        check(&hv_api::Answers { language: Some("de_XX".into()), ..asked() }),
        Some(AnswerField::Language)
    );
    assert_eq!(
        check(&hv_api::Answers { keyboard: Some("xx".into()), ..asked() }),
        Some(AnswerField::Keyboard)
    );
    assert_eq!(
        check(&hv_api::Answers { time_zone: Some("A/B".into()), ..asked() }),
        Some(AnswerField::TimeZone)
    );
}

#[test]
fn a_guest_has_a_name_in_networks_whatever_it_is_called() {
    for (name, expected) in [
        ("Debian 12", "debian-12"),
        ("Ubuntu 24.04 LTS (copy)", "ubuntu-24-04-lts-copy"),
        ("日本", "guest"),
        ("42", "guest"),
        ("localhost", "guest"),
        ("--x--", "x"),
    ] {
        assert_eq!(host_name_of(name, System::Linux), expected);
    }
    assert_eq!(host_name_of("A very long name of a guest", System::Windows), "a-very-long-nam");
}

/// Runs a checker over a file; says so where it is not installed.
fn checked(program: &str, arguments: &[&str], name: &str, content: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let run = Command::new(program).args(arguments).arg(&path).stdin(Stdio::null()).output();
    let Ok(output) = run else {
        eprintln!("skipped: {program} is not installed");
        return;
    };
    let words =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && !words.to_lowercase().contains("warning"), "{program}: {words}");
}

#[test]
fn debians_own_checker_takes_the_list() {
    let files = preseed(&answers(System::Linux), debian());
    checked("debconf-set-selections", &["--checkonly"], "preseed.cfg", &files[0].content);
}

#[test]
fn cloud_inits_own_checker_takes_the_files() {
    for answers in
        [answers(System::Cloud), new(&hv_api::Answers { password: None, ..asked() }, System::Cloud).unwrap()]
    {
        let files = cloud_init(&answers, "one");
        checked("cloud-init", &["schema", "--config-file"], "user-data", &files[0].content);
    }
}

#[test]
fn anacondas_own_checker_takes_the_file() {
    let old = Anaconda { fedora: false, release: 7, source: Source::Medium };
    let newer = Anaconda { release: 9, source: Source::Tree("http://a.org/os".into()), ..old.clone() };
    for (anaconda, version) in [(fedora(), "F42"), (old, "RHEL7"), (newer, "RHEL9")] {
        let files = kickstart(&answers(System::Linux), &anaconda);
        checked("ksvalidator", &["--version", version], "ks.cfg", &files[0].content);
    }
}

/// Answers with anything that passes the checks in them.
fn any_answers() -> impl Strategy<Value = hv_api::Answers> {
    let hostile = prop_oneof![
        "\\PC{0,40}",
        "[\\x00-\\xff]{0,20}",
        Just("x\nd-i preseed/early_command string reboot".to_owned()),
        Just("x\" --password=\"y".to_owned()),
        Just("x'; reboot; '".to_owned()),
        Just("x\\".to_owned()),
        Just("$(reboot)`reboot`".to_owned()),
        Just("]]></fullname><script>".to_owned()),
        Just("x\u{2028}users: []\u{85}y".to_owned()),
        Just("#cloud-config\u{feff}".to_owned()),
    ];
    (hostile.clone(), hostile.clone(), hostile).prop_map(|(full_name, password, host_name)| hv_api::Answers {
        full_name: Some(full_name),
        password: Some(Secret::new(password)),
        host_name: Some(host_name),
        ..asked()
    })
}

/// All of them that pass, each alone: a hostile one that is refused does not hide another.
fn passing(given: &hv_api::Answers, system: System) -> Vec<Answers> {
    let base = || hv_api::Answers { full_name: None, ..asked() };
    [
        hv_api::Answers { full_name: given.full_name.clone(), ..base() },
        hv_api::Answers { password: given.password.clone(), ..base() },
        hv_api::Answers { host_name: given.host_name.clone(), ..base() },
    ]
    .iter()
    .filter_map(|asked| new(asked, system).ok())
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_answer_is_more_than_one(given in any_answers()) {
        let plain = new(&hv_api::Answers { full_name: Some("x".into()), ..asked() }, System::Linux).unwrap();
        for answers in passing(&given, System::Linux) {
            // A list of answers: as many lines as always, each about the same thing.
            let (list, usual) = (text(&preseed(&answers, debian())), text(&preseed(&plain, debian())));
            let questions = |text: &str| -> Vec<String> {
                text.split('\n').map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect()
            };
            prop_assert_eq!(questions(&list), questions(&usual));
            prop_assert!(!list.lines().any(|line| line.ends_with('\\')));

            // A kickstart file: as many commands as always, and the name is one word of its command.
            let (file, usual) = (text(&kickstart(&answers, &fedora())), text(&kickstart(&plain, &fedora())));
            prop_assert_eq!(file.split('\n').count(), usual.split('\n').count());
            let user = file.split('\n').find(|line| line.starts_with("user ")).unwrap();
            let words = words_of(user);
            prop_assert_eq!(words.len(), 6);
            prop_assert_eq!(&words[2], &format!("--gecos={}", answers.full_name));

            // JSON that is YAML: everything that was answered comes back as it was.
            let files = autoinstall(&answers);
            let data = json(&files[0].content);
            prop_assert_eq!(data["autoinstall"]["identity"]["realname"].as_str(), Some(&*answers.full_name));
            prop_assert_eq!(data["autoinstall"]["identity"].as_object().unwrap().len(), 4);
            prop_assert!(is_yaml_too(&files[0].content));
            let data = json(&cloud_init(&answers, "one")[0].content);
            prop_assert_eq!(data["users"][0]["gecos"].as_str(), Some(&*answers.full_name));
            prop_assert_eq!(data["users"].as_array().unwrap().len(), 1);

            // XML.
            let file = autoyast(&answers);
            let file = std::str::from_utf8(&file[0].content).unwrap();
            let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
            let document = Document::parse_with_options(file, options).unwrap();
            let found: Vec<_> = document.descendants().filter(|node| node.tag_name().name() == "fullname").collect();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].text().unwrap_or_default(), &*answers.full_name);
        }
        for answers in passing(&given, System::Windows) {
            let file = unattend(&answers, Firmware::Uefi, true);
            let document = Document::parse(std::str::from_utf8(&file[0].content).unwrap()).unwrap();
            let found = document.descendants().find(|node| node.tag_name().name() == "FullName").unwrap();
            prop_assert_eq!(found.text().unwrap_or_default(), &*answers.full_name);
        }
    }

    #[test]
    fn no_password_is_in_a_file(password in "[!-~]{4,60}") {
        // A short one may be a word of the file anyway.
        let password = format!("{password}§§");
        let asked = hv_api::Answers { password: Some(Secret::new(&*password)), ..asked() };
        let answers = new(&asked, System::Linux).unwrap();
        let shown = format!("{asked:?}{answers:?}");
        prop_assert!(!shown.contains(&password));
        let files = [
            preseed(&answers, debian()),
            autoinstall(&answers),
            kickstart(&answers, &fedora()),
            autoyast(&answers),
            agama(&answers, "x"),
            cloud_init(&answers, "one"),
        ];
        prop_assert!(files.iter().all(|files| !text(files).contains(&password)));
    }
}

/// The words of a line, as a shell without variables reads them.
fn words_of(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in line.chars() {
        let word = words.last_mut().unwrap();
        match c {
            _ if escaped => {
                word.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => word.push(c),
        }
    }
    words
}

/// Whether a reader of YAML sees the same lines and characters as one of JSON: none that it takes for a line end or
/// refuses.
fn is_yaml_too(content: &[u8]) -> bool {
    let text = std::str::from_utf8(content).unwrap();
    text.chars().all(|c| c == '\n' || (!c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')))
}
