//! Which system is on a disc, with a small database of this test's own.

use super::super::pattern::{Pattern, anchored};
use super::super::{Database, DatabaseBuilder, Identity, Labels};
use super::super::{resources, xml};
use hv_api::{ByteSize, Confidence, NicModel};
use proptest::prelude::*;

const SMALL: &str = r#"<libosinfo>
  <os id="http://one.org/one/7">
    <short-id>one7</short-id><name>One 7</name><version>7</version><family>linux</family>
    <codename>Daisy</codename>
    <resources arch="all"><minimum><ram>536870912</ram><storage>5368709120</storage></minimum>
      <recommended><n-cpus>3</n-cpus><ram>3221225472</ram></recommended></resources>
    <devices><device id="http://pcisig.com/pci/1af4/1001"/></devices>
    <media arch="x86_64"><variant id="net"/>
      <iso><volume-id>One 7.\d+ Daisy amd64 n$</volume-id></iso>
      <kernel>boot/k</kernel><initrd>boot/i</initrd></media>
    <media arch="i686" live="true"><iso><volume-id>One 7.\d+ Daisy i386 n$</volume-id></iso></media>
    <media arch="all"><iso><volume-id>Zero</volume-id></iso></media>
  </os>
  <os id="http://one.org/one/8">
    <short-id>one8</short-id><name>One 8 "Lily"</name><version>8</version><codename>Lily</codename>
    <derives-from id="http://one.org/one/7"/>
    <media arch="x86_64"><iso><volume-id>One 8.\d+ Lily amd64 n$</volume-id></iso>
      <kernel>boot/k8</kernel><initrd>boot/i8</initrd></media>
  </os>
  <os id="http://two.org/two/1">
    <short-id>two1</short-id><name>Two 1</name><family>winnt</family>
    <media arch="x86_64"><iso><volume-id>TWINS</volume-id><publisher-id>Two</publisher-id>
      <l10n-language regex="true" l10n-language-map="map">[A-Z]*_([A-Z]*)</l10n-language></iso></media>
    <media arch="x86_64"><iso><volume-id>TWINS</volume-id><volume-size>4096</volume-size></iso></media>
  </os>
  <os id="http://two.org/two/2">
    <short-id>two2</short-id><name>Two 2</name><release-date>2020-01-01</release-date>
    <media arch="x86_64"><iso><volume-id>TWINS</volume-id><publisher-id>Two</publisher-id>
      <l10n-language regex="true" l10n-language-map="map">[A-Z]*_([A-Z]*)</l10n-language></iso></media>
  </os>
  <datamap id="map"><entry inval="DE" outval="de_DE"/></datamap>
</libosinfo>"#;

fn database() -> Database {
    let mut builder = DatabaseBuilder::default();
    builder.add(xml::read(SMALL).unwrap());
    builder.finish(None)
}

fn volume(label: &str) -> Identity {
    database().identify(&Labels { volume: Some(label), ..Labels::default() })
}

fn id(identity: &Identity) -> Option<&str> {
    identity.system.as_ref().map(|named| named.id.as_str())
}

#[test]
fn a_medium_of_the_database_tells_all_that_stands_there() {
    let found = volume("One 7.3 Daisy amd64 n");
    assert_eq!((id(&found), found.confidence, found.newer), (Some("one7"), Confidence::Probable, false));
    assert_eq!(
        (found.arch.as_deref(), found.live, found.family.as_deref()),
        (Some("x86_64"), Some(false), Some("linux"))
    );
    assert_eq!((found.kernel.as_deref(), found.initrd.as_deref()), (Some("boot/k"), Some("boot/i")));
    assert_eq!((found.variants, found.candidates), (vec!["net".to_owned()], vec![]));
    let live = volume("One 7.3 Daisy i386 n");
    assert_eq!((live.arch.as_deref(), live.live), (Some("i686"), Some(true)));
    assert_eq!(id(&volume("Zero 1")), Some("one7"), "what is there for want of better");
}

#[test]
fn nobody_guesses_between_twins() {
    let labels = Labels { volume: Some("TWINS_DE"), publisher: Some("Two"), ..Labels::default() };
    let found = database().identify(&labels);
    let candidates: Vec<&str> = found.candidates.iter().map(|named| named.id.as_str()).collect();
    assert_eq!((id(&found), candidates), (None, vec!["two2", "two1"]));
    assert_eq!(found.confidence, Confidence::Exact);

    let sized = database().identify(&Labels { volume_size: Some(4096), ..labels });
    assert_eq!((id(&sized), sized.candidates.len()), (Some("two1"), 2), "the exact size tells them apart");
    let only =
        database().identify(&Labels { volume: Some("TWINS_DE"), volume_size: Some(1), ..Labels::default() });
    assert_eq!((id(&only), only.confidence), (Some("two1"), Confidence::Probable), "of another size");
}

#[test]
fn a_language_is_read_from_the_label() {
    let languages = |label| {
        let labels = Labels { volume: Some(label), publisher: Some("Two"), ..Labels::default() };
        database().identify(&labels).languages
    };
    assert_eq!(languages("TWINS_DE"), ["de_DE"]);
    assert_eq!(languages("TWINS_XX"), ["XX"]);
    assert_eq!(languages("TWINS"), Vec::<String>::new());
}

#[test]
fn the_next_release_of_a_line_is_known_by_its_label() {
    let found = volume("One 9.1 Rose amd64 n");
    assert_eq!((id(&found), found.newer, found.confidence), (Some("one9"), true, Confidence::Probable));
    assert_eq!(found.system.as_ref().unwrap().name, "One 9");
    assert_eq!((found.like.as_deref(), found.family.as_deref()), (Some("one8"), Some("linux")));
    assert_eq!((found.kernel.as_deref(), found.arch.as_deref()), (Some("boot/k8"), Some("x86_64")));

    let arm = volume("One 9.1 Rose arm64 n");
    assert_eq!((id(&arm), arm.arch.as_deref(), arm.kernel.as_deref()), (Some("one9"), Some("aarch64"), None));
    let other = volume("One 9.1 something else");
    assert_eq!((id(&other), other.kernel.as_deref()), (Some("one9"), None));
    let known = volume("One 7.3 something else");
    assert_eq!((id(&known), known.newer), (Some("one7"), false));
    assert_eq!(volume("One 3.1 Old amd64 n"), Identity::default(), "older than all that is known");
    assert_eq!(volume("Something 9.1"), Identity::default());
    assert_eq!(database().identify(&Labels::default()), Identity::default());
}

/// Without a database, the table is left.
#[test]
fn common_labels_are_known_without_a_database() {
    let none = Database::default();
    for (label, expected) in [
        ("Debian 13.0.0 amd64 n", Some("debian13")),
        ("Ubuntu 24.04 LTS amd64", Some("ubuntu24.04")),
        ("Fedora-WS-Live-43", Some("fedora43")),
        ("RHEL-10-0-BaseOS-x86_64", Some("rhel10.0")),
        ("14_3_RELEASE_AMD64_DVD", Some("freebsd14.3")),
        ("openSUSE-Leap-15.6-DVD-x86_64", Some("opensuse15.6")),
        ("nixos-minimal-25.05-x86_64", Some("nixos-25.05")),
        ("ISOIMAGE", None),
    ] {
        let found = none.identify(&Labels { volume: Some(label), ..Labels::default() });
        assert_eq!(id(&found), expected, "{label}");
    }
    let windows = Labels {
        volume: Some("CCCOMA_A64FRE_DE-DE_DV9"),
        publisher: Some("MICROSOFT CORPORATION"),
        ..Labels::default()
    };
    let found = none.identify(&windows);
    let candidates: Vec<&str> = found.candidates.iter().map(|named| named.id.as_str()).collect();
    assert_eq!(
        (id(&found), candidates, found.arch.as_deref()),
        (None, vec!["win11", "win10"], Some("aarch64"))
    );
}

#[test]
fn what_a_system_needs_is_its_relatives_need_too() {
    let database = database();
    let suits = |id| resources::suits(&database, database.find(id), None, "x86_64");
    let eight = suits("one8");
    assert_eq!((eight.cpus, eight.memory, eight.disk), (3, ByteSize::gib(3), ByteSize::gib(20)));
    assert_eq!((eight.least_memory, eight.least_disk), (Some(ByteSize::mib(512)), Some(ByteSize::gib(5))));
    assert!(eight.virtio_disk && !eight.uefi);
    assert_eq!(eight.network, NicModel::Virtio);
    let windows = suits("two1");
    assert_eq!(
        (windows.memory, windows.disk, windows.virtio_disk),
        (ByteSize::gib(4), ByteSize::gib(64), false)
    );
}

const PIECES: &[&str] = &[
    "a", "b", ".", "\\.", "\\d", "[ab]", "[^a]", "(a|b)", "(ab)", "(?:a)", "(?P<x>b)", "*", "+", "?",
    "{0,2}", "^", "$", "|",
];

proptest! {
    /// A look at the letters never says no where the expression says yes.
    #[test]
    fn plain_letters_are_in_every_match(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..8),
        text in "[ab.1]{0,8}",
    ) {
        let pattern = pieces.concat();
        if let Ok(regex) = anchored(&pattern) {
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), regex.is_match(&text), "{}", pattern);
        }
    }

    #[test]
    fn any_label_is_survived(label in "\\PC{0,40}|One [0-9. ]{0,20}.{0,9}") {
        volume(&label);
    }
}
