//! Anaconda, the installer of Fedora, Red Hat and their relatives: a kickstart file, for a disc called `OEMDRV`.
//!
//! One command a line, with words as a shell has them.

use super::Answers;
use super::debian::let_in;
use crate::seed::SeedFile;
use std::fmt::Write as _;

/// Where the packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The medium itself.
    Medium,
    /// The mirrors of the release: the medium has the installer alone.
    Mirrors,
    /// A tree at this address.
    Tree(String),
}

/// The release, as far as it makes a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anaconda {
    /// It is Fedora, and not Red Hat or one of its relatives.
    pub fedora: bool,
    /// Its number.
    pub release: u32,
    /// Where the packages come from.
    pub source: Source,
}

impl Anaconda {
    /// Whether it is old enough for other words.
    fn is_old(&self) -> bool {
        if self.fedora { self.release < 32 } else { self.release < 8 }
    }

    /// Whether it has no word for keys yet.
    fn is_older_than_keys(&self) -> bool {
        if self.fedora { self.release < 22 } else { self.release < 8 }
    }

    /// What the installer's kernel is told where it is started directly. The file itself is found by the disc's name.
    pub fn kernel_argument(&self) -> Option<String> {
        let Source::Tree(address) = &self.source else { return None };
        let prefixed = if self.fedora { self.release >= 19 } else { self.release >= 7 };
        Some(format!("{}={address}", if prefixed { "inst.repo" } else { "method" }))
    }
}

/// `ks.cfg`.
pub fn kickstart(answers: &Answers, anaconda: &Anaconda) -> Vec<SeedFile> {
    let mut file = String::new();
    let mut say = |line: String| {
        // Writing into memory does not fail.
        let _never = writeln!(file, "{line}");
    };
    match &anaconda.source {
        Source::Medium => say("cdrom".into()),
        // Red Hat's and its relatives' know their mirrors by themselves.
        Source::Mirrors if anaconda.fedora => say(
            "url --mirrorlist=\"https://mirrors.fedoraproject.org/mirrorlist?repo=fedora-$releasever&arch=$basearch\""
                .into(),
        ),
        Source::Mirrors => {}
        Source::Tree(address) => say(format!("url --url={}", quoted(address))),
    }
    say("text".into());
    say(format!("lang {}", quoted(&answers.locale())));
    let keyboard = match &answers.variant {
        Some(variant) => format!("{} ({variant})", answers.layout),
        None => answers.layout.clone(),
    };
    say(format!("keyboard --xlayouts={}", quoted(&keyboard)));
    let utc = if anaconda.is_old() { "--isUtc" } else { "--utc" };
    say(format!("timezone {} {utc}", quoted(&answers.time_zone)));
    say(format!("network --bootproto=dhcp --hostname={}", quoted(&answers.host_name)));
    say("rootpw --lock".into());
    say(format!(
        "user --name={} --gecos={} --groups=wheel --iscrypted --password={}",
        quoted(&answers.user),
        quoted(&answers.full_name),
        quoted(answers.password())
    ));
    let let_in_later = anaconda.is_older_than_keys() && !answers.ssh_keys.is_empty();
    for key in answers.ssh_keys.iter().filter(|_| !let_in_later) {
        say(format!("sshkey --username={} {}", quoted(&answers.user), quoted(key)));
    }
    say("firstboot --disable".into());
    say("zerombr".into());
    say("clearpart --all --initlabel".into());
    say("autopart".into());
    say("bootloader --append=\"console=tty0 console=ttyS0,115200\"".into());
    say("poweroff".into());
    say("%packages\n@core\nqemu-guest-agent\n%end".into());
    if let_in_later {
        say(format!("%post\n{}\n%end", let_in(answers, "", "")));
    }
    vec![SeedFile::new("ks.cfg", file)]
}

/// One word, as Python's `shlex` reads it. A line end can't be in it.
fn quoted(text: &str) -> String {
    let mut word = String::from("\"");
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            word.push('\\');
        }
        word.push(c);
    }
    word.push('"');
    word
}
