//! Definitions and disks: what is damaged is left alone, what fails leaves nothing, and no disk has two
//! guests.

use crate::{bare, connected, make, shown};
use hv_api::{ByteSize, Core, DefinitionFault, Error, GuestState, NewGuest, StateReason};
use hv_tests::{Home, Script, skip};
use std::fs;
use std::path::PathBuf;

/// Whether disks can be made here; says so where they can't.
pub fn has_image_tool() -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join("qemu-img").exists());
    if !found {
        skip("qemu-img is not installed");
    }
    found
}

fn with_disk(name: &str) -> NewGuest {
    NewGuest { name: name.into(), disk: Some(ByteSize::mib(64)), ..NewGuest::default() }
}

#[tokio::test]
async fn a_definition_that_can_not_be_used_is_listed_and_left_alone() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let process = home.core().await;
    let mut core = home.connect().await;
    let mut damaged = Vec::new();
    for name in ["cut", "newer", "binary", "fine"] {
        let guest = make(&mut core, &bare(name)).await.unwrap();
        damaged.push((guest.id.to_string(), PathBuf::from(guest.paths.definition)));
    }
    process.kill().await;
    let whole = fs::read(&damaged[0].1).unwrap();
    let contents =
        [whole[..whole.len() / 2].to_vec(), b"version = 99\nwings = 2\n".to_vec(), vec![0xff; 300]];
    for ((_, file), content) in damaged.iter().zip(&contents) {
        fs::write(file, content).unwrap();
    }

    let _process = home.core().await;
    let mut core = home.connect().await;
    let expected = [
        (StateReason::DefinitionMalformed, DefinitionFault::Malformed),
        (StateReason::DefinitionNewer, DefinitionFault::Newer),
        (StateReason::DefinitionMalformed, DefinitionFault::Malformed),
    ];
    for ((id, _), (reason, fault)) in damaged.iter().zip(expected) {
        let guest = shown(&mut core, id).await;
        assert_eq!((guest.state, guest.reason), (GuestState::Unavailable, Some(reason)), "{guest:?}");
        assert!(guest.detail.is_some_and(|detail| !detail.is_empty()));
        let refused = core.start(id, None).await.unwrap().unwrap_err();
        assert!(
            matches!(&refused, Error::DefinitionUnusable { fault: told, .. } if *told == fault),
            "{refused:?}"
        );
        assert_eq!(home.hv(["set", id, "cpus=1", "--json"]).await.error_code(), "definition-unusable");
    }
    assert_eq!(core.start("fine", None).await.unwrap().unwrap().guest.state, GuestState::Running);
    assert_eq!(core.list().await.unwrap().unwrap().guests.len(), 4);
    for ((_, file), content) in damaged.iter().zip(&contents) {
        assert_eq!(&fs::read(file).unwrap(), content);
    }
    let listed = home.hv(["list"]).await.done();
    assert_eq!(listed.matches("unavailable").count(), 3, "{listed}");
}

#[tokio::test]
async fn strangers_in_the_folder_of_guests_are_left_alone() {
    let home = Home::with_fake_qemu(&Script::obedient());
    home.core().await.kill().await;
    fs::create_dir(home.guests().join("my own folder")).unwrap();
    fs::write(home.guests().join("notes.txt"), "mine").unwrap();
    fs::create_dir(home.guests().join(hv_api::GuestId::random().to_string())).unwrap();
    let before = home.tree();
    let _process = home.core().await;
    home.connect().await.list().await.unwrap().unwrap();
    assert_eq!(home.tree(), before);
}

#[tokio::test]
async fn disks_are_kept_or_deleted_as_it_is_asked_and_others_never() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let before = home.tree();
    let iso = home.file("medium.iso", "medium");
    let guest = make(&mut core, &NewGuest { iso: Some(iso.clone()), ..with_disk("one") }).await.unwrap();
    let disk = PathBuf::from(&guest.disks[0].path);
    assert_eq!(guest.disks[0].size, Some(ByteSize::mib(64)));
    core.start("one", None).await.unwrap().unwrap();
    core.force_off("one").await.unwrap().unwrap();
    core.delete("one", None).await.unwrap().unwrap();
    assert!(disk.exists());
    assert!(core.list().await.unwrap().unwrap().guests.is_empty());

    // A kept disk can be a guest's again, and stays where it is when that guest goes.
    let reused = NewGuest { disk_path: Some(disk.display().to_string()), ..NewGuest::default() };
    make(&mut core, &NewGuest { name: "two".into(), ..reused }).await.unwrap();
    core.delete("two", Some(true)).await.unwrap().unwrap();
    assert!(disk.exists());

    fs::remove_dir_all(disk.parent().unwrap()).unwrap();
    make(&mut core, &with_disk("three")).await.unwrap();
    core.delete("three", Some(true)).await.unwrap().unwrap();
    assert_eq!(home.tree(), before);
    assert!(PathBuf::from(iso).exists());
}

#[tokio::test]
async fn one_disk_has_one_guest() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let disk = make(&mut core, &with_disk("holder")).await.unwrap().disks[0].path.clone();
    let (link, hard) = (home.text("link.qcow2"), home.text("hard.qcow2"));
    std::os::unix::fs::symlink(&disk, &link).unwrap();
    fs::hard_link(&disk, &hard).unwrap();
    let roundabout =
        format!("{}/../{}", home.guests().display(), &disk[home.text("data/guesthouse/").len()..]);
    for path in [&disk, &link, &hard, &roundabout] {
        let new = NewGuest { name: "second".into(), disk_path: Some(path.clone()), ..NewGuest::default() };
        let refused = core.create(&new).await.unwrap().unwrap_err();
        let expected = Error::DiskInUse { path: path.clone(), holder: "holder".into() };
        assert_eq!(refused, expected);
    }
    let ran = home.hv(["create", "second", "--empty", "--disk-path", &link]).await;
    assert!(ran.code == 1 && ran.err.contains("holder"), "{ran:?}");
}

#[tokio::test]
async fn a_disk_that_came_to_have_two_guests_runs_in_one_of_them() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let (mut core, _events) = connected(&home).await;
    let first = make(&mut core, &with_disk("first")).await.unwrap().disks[0].path.clone();
    let second = make(&mut core, &with_disk("second")).await.unwrap().disks[0].path.clone();
    // Behind the core's back.
    fs::remove_file(&second).unwrap();
    fs::hard_link(&first, &second).unwrap();
    core.start("first", None).await.unwrap().unwrap();
    let refused = core.start("second", None).await.unwrap().unwrap_err();
    assert_eq!(refused, Error::DiskInUse { path: second, holder: "first".into() });
    core.force_off("first").await.unwrap().unwrap();
    core.start("second", None).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_disk_that_finds_no_room_leaves_nothing_behind() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    // A file system of its own, as small as can be, that goes with the core.
    let data = home.text("data");
    let small = format!("mount -t tmpfs -o size=96k,mode=0700 none {data} && exec \"$0\"");
    let wrapper = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &small];
    let tried = home.run(home.command("unshare").args(&wrapper[1..]).arg("true")).await;
    if tried.code != 0 {
        return skip(&format!("no file system can be mounted here: {}", tried.err));
    }
    let core = home.core_under(&wrapper).await;
    let guests = format!("/proc/{}/root{}", core.pid(), home.guests().display());
    let ran = home.hv(["create", "big", "--empty", "--disk", "1GiB", "--json"]).await;
    let error = ran.out.lines().next_back().expect("an error").to_owned();
    assert_eq!(ran.code, 1);
    assert!(error.contains("\"no-space\""), "{ran:?}");
    assert_eq!(fs::read_dir(guests).expect("the folder as the core sees it").count(), 0);
    home.hv(["create", "small", "--empty", "--no-disk"]).await.done();
}

#[tokio::test]
async fn what_a_start_would_run_is_told_and_is_what_it_runs() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    home.hv(["create", "one", "--empty", "--no-disk", "--memory", "64MiB", "--cpus", "1"]).await.done();
    home.hv(["set", "one", "watchdog=reset"]).await.done();
    let before = home.tree();
    let plan = home.hv(["start", "one", "--dry-run", "--json"]).await.json();
    assert_eq!(home.tree(), before);
    assert!(plan["definition"].as_str().is_some_and(|text| text.contains("watchdog = \"reset\"")), "{plan}");
    let words = |words: &mut dyn Iterator<Item = &str>| {
        // Which descriptors there will be is known only then.
        let words = words.filter(|word| !word.contains("fd="));
        words.map(|word| word.trim_matches('\'').to_owned()).collect::<Vec<_>>()
    };
    let command = plan["command"].as_array().expect("a command line");
    let planned = words(&mut command.iter().filter_map(serde_json::Value::as_str).skip(1));
    home.hv(["start", "one"]).await.done();
    let log = home.hv(["log", "one"]).await.done();
    let line = log.lines().rfind(|line| line.contains("--- starting: ")).expect("a command line");
    let ran = words(&mut line.split(' ').skip(3));
    assert_eq!(planned, ran);
    // What runs already does not matter.
    assert_eq!(home.hv(["start", "one", "--dry-run", "--json"]).await.json(), plan);
}

#[tokio::test]
async fn a_plan_changes_nothing_and_is_what_is_made() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core().await;
    let before = home.tree();
    let words = ["create", "one", "--empty", "--disk", "1GiB", "--cpus", "1", "--memory", "64MiB"];
    let plan = home.hv(words.iter().chain(&["--dry-run", "--json"])).await.json();
    assert_eq!(home.tree(), before);
    let command = plan["command"].as_array().expect("a command line");
    assert!(command[0].as_str().is_some_and(|program| program.ends_with("/qemu-system-x86_64")), "{plan}");
    let definition = plan["definition"].as_str().expect("a definition");
    assert!(definition.contains("name = \"one\"") && definition.contains("64 MiB"), "{definition}");
    if has_image_tool() {
        home.hv(words).await.done();
        let file = home.hv(["show", "one", "--json"]).await.json()["paths"]["definition"].clone();
        let made = fs::read_to_string(file.as_str().expect("a path")).unwrap();
        let lines = |text: &str| {
            text.lines().filter(|line| !line.contains("id =") && !line.contains("mac =")).count()
        };
        assert_eq!(lines(&made), lines(definition));
    }
}
