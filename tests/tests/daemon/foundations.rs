//! Disk images that build on other files: these are shown, and nothing of them is used until somebody has agreed to
//! exactly them.

use crate::files::has_image_tool;
use crate::{connected, make, shown};
use hv_api::{ByteSize, Core, Error, FileFault, NewDisk, NewGuest};
use hv_tests::{Home, Script};
use std::fs;
use std::path::Path;
use std::process::Command;

fn image_tool(words: &[&str]) {
    let made = Command::new("qemu-img").args(words).status().expect("qemu-img");
    assert!(made.success(), "{words:?}");
}

/// Two layers on a base that is in another folder; the files that the upper one builds on.
fn chain(home: &Home) -> (String, Vec<String>) {
    let folder = home.path(".").canonicalize().expect("the home").display().to_string();
    fs::create_dir(home.path("far")).expect("a folder");
    let (base, middle, top) = (
        format!("{folder}/far/base, of mine.img"),
        format!("{folder}/middle.qcow2"),
        format!("{folder}/top.qcow2"),
    );
    let mut content = vec![0; 3 << 20];
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    content[1 << 20..][..5].copy_from_slice(b"based");
    fs::write(&base, content).expect("a file");
    image_tool(&["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &base, &middle]);
    image_tool(&["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "middle.qcow2", &top]);
    (top, vec![middle, base])
}

fn copied(name: &str, image: &str, backing: Option<&[String]>) -> NewGuest {
    let backing = backing.map(<[String]>::to_vec);
    NewGuest { name: name.into(), image: Some(image.into()), backing, ..NewGuest::default() }
}

fn in_place(name: &str, image: &str, backing: Option<&[String]>) -> NewGuest {
    let NewGuest { image, backing, name, .. } = copied(name, image, backing);
    NewGuest { name, disk_path: image, backing, ..NewGuest::default() }
}

#[tokio::test]
async fn what_an_image_builds_on_is_shown_and_agreed_to_by_name() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let (top, files) = chain(&home);
    let told = home.hv(["inspect", "--json", &top]).await.json();
    assert_eq!(
        (told["kind"].as_str(), told["notes"][0].as_str()),
        (Some("disk-image"), Some("builds-on-others")),
        "{told}"
    );
    for (place, (format, outside)) in [("qcow2", false), ("raw", true)].into_iter().enumerate() {
        let file = &told["backing"][place];
        let found = (file["path"].as_str(), file["format"].as_str(), file["outside"].as_bool());
        assert_eq!(found, (Some(&*files[place]), Some(format), Some(outside)));
    }
    let before = home.tree();
    let expected = Error::BuildsOnOthers { path: top.clone(), files: files.clone() };
    for agreed in [None, Some(&files[..1]), Some(&[top.clone()][..])] {
        assert_eq!(make(&mut core, &copied("one", &top, agreed)).await, Err(expected.clone()));
        assert_eq!(make(&mut core, &in_place("one", &top, agreed)).await, Err(expected.clone()));
    }
    assert_eq!(home.tree(), before);
    let refused = home.hv(["create", "one", "--image", &top, "--json"]).await;
    assert_eq!(refused.error_code(), "builds-on-others");

    // A copy has nothing under it.
    let words = ["create", "copied", "--image", &top, "--backing", &files[0], "--backing", &files[1]];
    home.hv(words).await.done();
    let guest = shown(&mut core, "copied").await;
    let raw = home.text("content");
    image_tool(&["convert", "-f", "qcow2", "-O", "raw", &guest.disks[0].path, &raw]);
    assert_eq!(&fs::read(&raw).expect("a file")[1 << 20..][..5], b"based");
    let head = fs::read(&guest.disks[0].path).expect("a file");
    assert_eq!(head[8..16], [0; 8], "it builds on nothing");

    // In place, it is noted to what was agreed, and looked at again at each start.
    let guest = make(&mut core, &in_place("placed", &top, Some(&files))).await.unwrap();
    assert_eq!((&guest.disks[0].backing, guest.disks[0].size), (&files, Some(ByteSize::mib(3))));
    core.start("placed", None).await.unwrap().unwrap();
    core.force_off("placed").await.unwrap().unwrap();
    let secret = home.file("secret.img", fs::read(&files[1]).expect("a file"));
    image_tool(&["rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", &secret, &files[0]]);
    let refused = core.start("placed", None).await.unwrap();
    assert!(
        matches!(&refused, Err(Error::BuildsOnOthers { files, .. }) if files[1].ends_with("secret.img")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_image_whose_base_can_not_be_told_is_refused_with_its_name() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let folder = home.path(".").canonicalize().expect("the home");
    let text = home.file("notes.txt", "nothing to start from");
    // As images were made that say nothing of the format.
    let unnamed = |base: &str, name: &str| {
        let path = folder.join(name).display().to_string();
        let mut head = b"QFI\xfb\0\0\0\x02".to_vec();
        head.extend(72_u64.to_be_bytes());
        head.extend(u32::try_from(base.len()).expect("short").to_be_bytes());
        head.resize(72, 0);
        head[20..24].copy_from_slice(&16_u32.to_be_bytes());
        head[24..32].copy_from_slice(&(3_u64 << 20).to_be_bytes());
        head.extend(base.as_bytes());
        head.resize(64 << 10, 0);
        fs::write(&path, head).expect("a file");
        path
    };
    let (itself, missing) = (folder.join("itself").display().to_string(), "/nowhere/at/all.img");
    for (base, name, word) in [
        (&*text, "of-text", "notes.txt"),
        (missing, "of-nothing", missing),
        (&*itself, "itself", "itself"),
        ("nbd://example.org/disk", "of-network", "nbd://example.org"),
    ] {
        let image = unnamed(base, name);
        let refused = make(&mut core, &copied("one", &image, Some(&[base.to_owned()]))).await.unwrap_err();
        let Error::FileUnusable { fault: FileFault::WrongFormat, detail, .. } = &refused else {
            panic!("{name}: {refused:?}");
        };
        assert!(detail.contains(word), "{name}: {detail}");
        let told = home.hv(["inspect", "--json", &image]).await.json();
        assert!(told["backing_fault"].as_str().is_some_and(|fault| fault.contains(word)), "{told}");
    }
    // Where it is found, it can be copied, and not used in place, where an engine would guess.
    let (_, files) = chain(&home);
    let image = unnamed(&files[1], "of-disk");
    assert!(Path::new(&image).exists());
    let agreed = Some(&files[1..]);
    let refused = make(&mut core, &in_place("one", &image, agreed)).await.unwrap_err();
    assert!(
        matches!(&refused, Error::FileUnusable { detail, .. } if detail.contains("copy it")),
        "{refused:?}"
    );
    let backing = agreed.map(<[String]>::to_vec);
    let new = NewDisk { path: Some(image), copy: Some(true), backing, ..NewDisk::default() };
    let new = NewGuest { name: "two".into(), disks: Some(vec![new]), ..NewGuest::default() };
    let job = core.create(&new).await.unwrap();
    assert!(job.is_ok(), "{job:?}");
}
