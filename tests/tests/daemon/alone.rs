//! One core for each user, and a socket that is for that user only.

use futures_util::future::join_all;
use hv_tests::{Home, Process, program, skip, until};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

#[tokio::test]
async fn however_many_cores_start_at_once_one_stays() {
    let home = Home::new();
    let started = join_all((0..20).map(|_| home.try_core(&[]))).await;
    let mut listening = Vec::new();
    for (core, word) in started {
        match word.as_str() {
            "listening" => listening.push(core),
            "already running" => assert_eq!(core.exit_code().await, Some(0)),
            other => panic!("{other}"),
        }
    }
    assert_eq!(listening.len(), 1);
    until("the end of the others", || (home.cores().len() == 1).then_some(())).await;
    home.connect().await;
}

#[tokio::test]
async fn however_many_commands_start_it_at_once_all_meet_the_same_one() {
    let home = Home::new();
    let answers = join_all((0..20).map(|_| home.hv(["host", "--json"]))).await;
    let cores: BTreeSet<_> = answers.iter().map(|ran| ran.json()["core_pid"].as_u64()).collect();
    assert_eq!(cores.len(), 1, "{cores:?}");
    assert!(answers.iter().all(|ran| ran.code == 0));
    until("the end of the others", || (home.cores().len() == 1).then_some(())).await;
}

#[tokio::test]
async fn socket_and_folder_are_for_this_user_only() {
    let home = Home::new();
    let _core = home.core().await;
    let mode = |path| fs::metadata(path).expect("it is there").mode() & 0o777;
    assert_eq!(mode(home.path("run/guesthouse")), 0o700);
    assert_eq!(mode(home.socket()), 0o600);
    assert_eq!(mode(home.path("data/guesthouse")), 0o700);
    assert_eq!(mode(home.path("state/guesthouse")), 0o700);
}

#[tokio::test]
async fn a_socket_that_a_dead_core_left_is_replaced() {
    let home = Home::new();
    home.core().await.kill().await;
    assert!(home.socket().exists());
    home.hv(["list"]).await.done();
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone_and_told_of() {
    for content in ["a file", "a folder", "a link"] {
        let home = Home::new();
        home.core().await.kill().await;
        fs::remove_file(home.socket()).expect("the socket");
        match content {
            "a file" => fs::write(home.socket(), "mine").expect("a file"),
            "a folder" => fs::create_dir(home.socket()).expect("a folder"),
            _ => symlink("nowhere", home.socket()).expect("a link"),
        }
        let (core, word) = home.try_core(&[]).await;
        assert_eq!(core.exit_code().await, Some(1));
        assert!(word.contains(&*home.socket().to_string_lossy()), "{word}");
        assert!(word.contains("something else is there"), "{word}");
        assert!(fs::symlink_metadata(home.socket()).is_ok());

        let ran = home.hv(["list"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{content}: {ran:?}");
        assert_eq!(ran.err.lines().count(), 3, "{ran:?}");
        assert!(ran.err.contains("something else is there"), "{ran:?}");
    }
}

#[tokio::test]
async fn a_socket_of_somebody_else_is_neither_taken_nor_talked_to() {
    if !rustix::process::getuid().is_root() {
        return skip("only root can make a socket that belongs to somebody else");
    }
    let home = Home::new();
    home.core().await.kill().await;
    chown(home.socket(), Some(65534), None).expect("another owner");
    let (core, word) = home.try_core(&[]).await;
    assert_eq!(core.exit_code().await, Some(1));
    assert!(word.contains("it belongs to another user"), "{word}");

    // Somebody else who listens where the core should.
    fs::remove_file(home.socket()).expect("the socket");
    let listen = "import socket, sys\n\
        s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); import os; os.setuid(65534); s.listen()\n\
        print('listening', flush=True)\n\
        while s.accept(): pass";
    let mut stranger = home.command("python3");
    stranger.args(["-c", listen]).arg(home.socket()).stdout(std::process::Stdio::piped());
    let Ok(mut stranger) = stranger.spawn() else { return skip("python3 is not installed") };
    let mut output = tokio::io::BufReader::new(stranger.stdout.take().expect("its output"));
    let mut word = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut output, &mut word).await.expect("a word");
    assert_eq!(word, "listening\n");
    let ran = home.hv(["list"]).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("another user"), "{ran:?}");
}

#[tokio::test]
async fn a_runtime_folder_that_can_not_be_private_is_refused() {
    let home = Home::new();
    symlink(home.path("cache"), home.path("run/guesthouse")).expect("a link");
    let (core, word) = home.try_core(&[]).await;
    assert_eq!(core.exit_code().await, Some(1));
    assert!(word.contains("run/guesthouse"), "{word}");
}

#[tokio::test]
async fn a_core_ends_when_it_is_asked_and_the_next_one_finds_everything() {
    let home = Home::new();
    home.hv(["create", "kept", "--empty", "--no-disk"]).await.done();
    let pid = home.hv(["host", "--json"]).await.json()["core_pid"].as_u64().expect("a number");
    let core = Process::with_pid(pid as u32).expect("the core runs");
    core.terminate();
    core.ended().await;
    assert!(!home.socket().exists());
    assert!(home.hv(["list"]).await.done().contains("kept"));
}

#[tokio::test]
async fn a_core_that_can_not_be_run_is_told_of() {
    let home = Home::new();
    let alone = home.path("hv");
    fs::copy(program("hv"), &alone).expect("a copy");
    let ran = home.run(home.command(&alone).env("PATH", "/nonexistent").args(["list", "--json"])).await;
    assert_eq!(ran.code, 3);
    assert_eq!(ran.json()["error"]["code"], "core-not-startable");
}
