//! Files in several places, and files that are not as they should be.

use super::super::Source;
use super::super::places::contents;
use super::super::xml;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn write(place: &Path, name: &str, text: &str) {
    let path = place.join("os").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn system(id: &str, rest: &str) -> String {
    format!(
        "<libosinfo><os id='http://a.org/{id}'><short-id>{id}</short-id><name>{id} here</name>{rest}</os></libosinfo>"
    )
}

#[test]
fn later_places_replace_files_and_additions_add() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    write(&first, "a.org/one-1.xml", &system("one1", "<version>1</version>"));
    write(&first, "a.org/two.xml", &system("two", ""));
    write(&first, "a.org/gone.xml", &system("gone", ""));
    write(&second, "a.org/two.xml", &system("two", "<vendor>Second</vendor>"));
    write(&second, "a.org/empty.xml", "");
    symlink("/dev/null", second.join("os/a.org/gone.xml")).unwrap();
    let addition = "<media arch='all'><iso><volume-id>ONE</volume-id></iso></media>";
    write(&second, "a.org/one-1.d/more.xml", &system("one1", addition));
    fs::write(first.join("VERSION"), "20240101\n").unwrap();

    let source = Source::new(vec![first.clone(), second, folder.path().join("none")]);
    assert!(source.loaded().is_none(), "nothing is read before it is needed");
    let database = source.get();
    assert_eq!((database.systems().len(), database.version()), (2, Some("20240101")));
    assert_eq!(database.find("two").unwrap().vendor.as_deref(), Some("Second"));
    let one = database.find("http://a.org/one1").unwrap();
    assert_eq!((one.version.as_deref(), one.media.len()), (Some("1"), 1));
    assert!(source.loaded().is_some());
}

#[test]
fn files_that_cannot_be_used_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><libosinfo><os id='x'><name>&c;</name></os></libosinfo>";
    write(place, "a/bomb.xml", bomb);
    write(place, "a/cut.xml", "<libosinfo><os id='http://a.org/cut'><name>");
    write(place, "a/other.xml", "<html/>");
    write(place, "a/deep.xml", &format!("<libosinfo>{}", "<a>".repeat(500_000)));
    write(
        place,
        "a/large.xml",
        &format!("<libosinfo><!--{}--></libosinfo>", "x".repeat(xml::LARGEST as usize)),
    );
    write(place, "a/good.xml", &system("good", ""));
    fs::write(place.join("os/a/latin.xml"), b"<libosinfo><os id='\xe9'/></libosinfo>").unwrap();
    let all = contents(&[place.to_owned()]);
    let ids: Vec<_> = all.iter().flat_map(|content| &content.systems).map(|system| &*system.id).collect();
    assert_eq!(ids, ["http://a.org/good"]);
}

#[test]
fn nesting_is_counted_before_it_is_followed() {
    assert!(xml::read(&format!("<libosinfo>{}{}</libosinfo>", "<a>".repeat(40), "</a>".repeat(40))).is_err());
    assert!(xml::read(&format!("<libosinfo>{}</libosinfo>", "<a b='c'/><!-- <b> -->".repeat(400))).is_ok());
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "(<|>|/|!--|-->|os|libosinfo|media|iso|volume-id|[a-z'\"= &;\\[\\]])*") {
        let _ = xml::read(&text);
        let _ = xml::read(&format!("<libosinfo><os id='a'>{text}</os></libosinfo>"));
    }
}
