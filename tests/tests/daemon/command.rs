//! The command `hv` as scripts use it: exit codes, JSON and nothing else, and words for people.

use hv_tests::{Home, Script};
use serde_json::Value;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

async fn home() -> (Home, hv_tests::Core) {
    let home =
        Home::with_fake_qemu(&Script { serial: "hello from the guest\r\n".into(), ..Script::default() });
    let core = home.core().await;
    (home, core)
}

#[tokio::test]
async fn a_guest_from_its_making_to_its_end() {
    let (home, _core) = home().await;
    let made = home.hv(["create", "one", "--empty", "--no-disk", "--start", "--json"]).await.done();
    let lines: Vec<Value> = made.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (guest, progress) = lines.split_last().expect("an answer");
    assert!(progress.iter().all(|line| line["progress"].is_f64() && line["stage"].is_string()), "{made}");
    assert_eq!((&guest["name"], &guest["state"]), (&"one".into(), &"running".into()));

    assert_eq!(home.hv(["list"]).await.done().lines().count(), 2);
    let listed = home.hv(["list", "--json"]).await.json();
    assert_eq!(listed["id"], guest["id"]);
    let id = guest["id"].as_str().expect("an id");
    assert_eq!(home.hv(["show", id, "--json"]).await.json()["name"], "one");
    for (words, says) in [
        (&["pause", "one"][..], "one: paused\n"),
        (&["resume", "one"], "one: running\n"),
        (&["restart", "one"], "one: running\n"),
        (&["set", "one", "memory=128MiB"], "memory: applied now\n"),
        (
            &["set", "one", "memory=64MiB"],
            "memory: applied at next start (a running guest is not safe with so little)\n",
        ),
        (&["set", "one", "name=uno"], "name: applied now\n"),
        (&["force-off", "uno"], "uno: off\n"),
        (&["start", "uno", "--paused"], "uno: paused\n"),
        (&["force-off", "uno"], "uno: off\n"),
        (&["delete", "uno"], ""),
    ] {
        assert_eq!(home.hv(words).await.done(), says, "{words:?}");
    }
    assert_eq!(home.hv(["list", "--json"]).await.done(), "");
}

#[tokio::test]
async fn every_answer_in_json_is_one_object() {
    let (home, _core) = home().await;
    home.hv(["create", "one", "--empty", "--no-disk"]).await.done();
    let iso = home.file("a.iso", "something");
    for words in [
        &["host"][..],
        &["inspect", &iso],
        &["show", "one"],
        &["start", "one"],
        &["media", "one"],
        &["log", "one"],
        &["log", "one", "--serial", "0"],
        &["set", "one", "cpus=1"],
        &["force-off", "one"],
        &["media", "one", "insert", &iso],
        &["media", "one", "eject"],
        &["delete", "one", "--with-disks"],
    ] {
        let ran = home.hv(words.iter().chain(&["--json"])).await;
        assert!(ran.json().is_object(), "{words:?}: {ran:?}");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
        assert_eq!(ran.out.lines().count(), 1, "{words:?}");
    }
}

#[tokio::test]
async fn media_change_while_a_guest_is_off() {
    let (home, _core) = home().await;
    let (first, second) = (home.file("first.iso", "1"), home.file("second.iso", "2"));
    home.hv(["create", "one", "--no-disk", "--iso", &first]).await.done();
    let medium = async || home.hv(["media", "one", "--json"]).await.json()["media"][0]["path"].clone();
    assert_eq!(medium().await, first.as_str());
    home.hv(["media", "one", "insert", "second.iso"]).await.done();
    assert_eq!(medium().await, second.as_str());
    home.hv(["media", "one", "eject"]).await.done();
    assert_eq!(medium().await, Value::Null);
    assert!(home.hv(["media", "one"]).await.done().contains("empty"));
}

#[tokio::test]
async fn events_are_told_as_they_come() {
    let (home, _core) = home().await;
    let mut command = home.command(hv_tests::program("hv"));
    let mut events = command.args(["events", "--json"]).stdout(Stdio::piped()).spawn().expect("hv");
    let mut lines = BufReader::new(events.stdout.take().expect("its output")).lines();
    let mut next = async |what: &str| {
        let line = hv_tests::within(what, lines.next_line()).await.expect("a line").expect("a line");
        serde_json::from_str::<Value>(&line).expect("JSON")
    };
    assert!(next("the host").await["host"].is_object());
    home.hv(["create", "one", "--empty", "--no-disk", "--start"]).await.done();
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != "running") {
        states.extend(next("a change").await["guest"]["state"].as_str().map(str::to_owned));
    }
    states.dedup();
    assert_eq!(states, ["off", "starting", "running"]);
    home.hv(["force-off", "one"]).await.done();
    home.hv(["delete", "one"]).await.done();
    while next("the end").await["removed"].is_null() {}

    let pid = events.id().expect("it runs");
    hv_tests::Process::with_pid(pid).expect("it runs").terminate();
    assert_eq!(hv_tests::within("its end", events.wait()).await.expect("a status").code(), Some(130));
}

#[tokio::test]
async fn a_console_in_a_pipe_shows_everything_and_types() {
    let (home, _core) = home().await;
    home.hv(["create", "one", "--empty", "--no-disk", "--start"]).await.done();
    let mut command = home.command(hv_tests::program("hv"));
    command.args(["console", "one"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut console = command.spawn().expect("hv");
    let mut output = console.stdout.take().expect("its output");
    let mut read = async |expected: &str| {
        let mut bytes = vec![0; expected.len()];
        hv_tests::within(expected, output.read_exact(&mut bytes)).await.expect("output");
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    };
    read("hello from the guest\r\n").await;
    let mut input = console.stdin.take().expect("its input");
    input.write_all(b"typed\r").await.expect("it reads");
    read("typed\r").await;
    // The end of a pipe is not the end of the console.
    drop(input);
    home.hv(["force-off", "one"]).await.done();
    home.hv(["start", "one"]).await.done();
    read("hello from the guest\r\n").await;
}

#[tokio::test]
async fn a_console_that_is_asked_for_at_once_sees_the_first_byte() {
    let (home, _core) = home().await;
    let mut command = home.command(hv_tests::program("hv"));
    command.args(["create", "one", "--empty", "--no-disk", "--console"]).stdout(Stdio::piped());
    let mut console = command.spawn().expect("hv");
    let mut lines = BufReader::new(console.stdout.take().expect("its output")).lines();
    let mut seen = String::new();
    while !seen.contains("hello from the guest") {
        let line = hv_tests::within("the guest's words", lines.next_line()).await.expect("a line");
        seen += &line.expect("a line");
    }
}

#[tokio::test]
async fn a_creation_that_is_interrupted_leaves_nothing() {
    let script = Script::obedient().on("greeting", hv_tests::Reaction::Ignore);
    let home = Home::with_fake_qemu(&script);
    let _core = home.core().await;
    let before = home.tree();
    let mut command = home.command(hv_tests::program("hv"));
    command.args(["create", "one", "--empty", "--no-disk", "--start"]);
    let mut creation = command.spawn().expect("hv");
    hv_tests::until("its engine", || home.engines().pop()).await;
    hv_tests::Process::with_pid(creation.id().expect("it runs")).expect("it runs").terminate();
    assert_eq!(hv_tests::within("its end", creation.wait()).await.expect("a status").code(), Some(130));
    home.no_engine().await;
    hv_tests::until("the former files", || (home.tree() == before).then_some(())).await;
    assert_eq!(home.hv(["list", "--json"]).await.done(), "");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let (home, _core) = home().await;
    let hv = hv_tests::program("hv");
    let script = format!("'{}' host | true; echo ${{PIPESTATUS[0]}}", hv.display());
    let ran = home.run(home.command("bash").args(["-c", &script])).await;
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("0\n", ""));
}
