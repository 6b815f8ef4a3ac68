//! Everything that a person could get wrong, through the command as a person would: refused with a reason
//! that names it, and nothing is left behind.

use futures_util::future::join_all;
use hv_tests::{Home, Script, skip};

/// A home with a core that knows one guest, "taken".
async fn home() -> (Home, hv_tests::Core) {
    let home = Home::with_fake_qemu(&Script::obedient());
    let core = home.core().await;
    home.hv(["create", "taken", "--empty", "--no-disk"]).await.done();
    (home, core)
}

/// Runs `hv --json` with these words, which must be refused, and returns the error's code.
async fn refused(home: &Home, words: &[&str]) -> String {
    let before = home.tree();
    let ran = home.hv(["--json"].iter().chain(words)).await;
    let code = ran.error_code();
    assert_eq!(home.tree(), before, "{words:?} left something behind");
    // For people, the same in three lines.
    let ran = home.hv(words).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 3, "{ran:?}");
    code
}

#[tokio::test]
async fn names() {
    let (home, _core) = home().await;
    let long = "n".repeat(300);
    for (name, code) in [
        ("taken", "name-taken"),
        ("TAKEN", "name-taken"),
        ("", "name-invalid"),
        ("   ", "name-invalid"),
        (&*long, "name-invalid"),
        ("../x", "name-invalid"),
        ("/etc/passwd", "name-invalid"),
        (".", "name-invalid"),
        ("a\nb", "name-invalid"),
        ("\u{1b}[2J", "name-invalid"),
    ] {
        assert_eq!(refused(&home, &["create", name, "--empty", "--no-disk"]).await, code, "{name:?}");
    }
    for name in ["-- dashes", "Größe 中文 🦀", "a,b=c", "%s$HOME", "'\"", &"é".repeat(64)] {
        home.hv(["create", "--empty", "--no-disk", "--", name]).await.done();
        assert_eq!(home.hv(["show", "--json", "--", name]).await.json()["name"], name);
        home.hv(["start", "--", name]).await.done();
        home.hv(["force-off", "--", name]).await.done();
        home.hv(["delete", "--", name]).await.done();
    }
    assert_eq!(refused(&home, &["show", "nobody"]).await, "guest-not-found");
    assert_eq!(refused(&home, &["set", "taken", "name=../x"]).await, "name-invalid");
}

#[tokio::test]
async fn numbers_and_sizes() {
    let (home, _core) = home().await;
    for (option, value, code) in [
        ("--cpus", "0", "cpus-out-of-range"),
        ("--cpus", "10000", "cpus-out-of-range"),
        ("--cpus", "4294967295", "cpus-out-of-range"),
        ("--memory", "0MiB", "memory-out-of-range"),
        ("--memory", "1MiB", "memory-out-of-range"),
        ("--memory", "9000TiB", "memory-out-of-range"),
        ("--serial", "5", "serial-ports-out-of-range"),
    ] {
        let words = ["create", "a", "--empty", "--no-disk", option, value];
        assert_eq!(refused(&home, &words).await, code, "{option} {value}");
    }
    for size in ["0MiB", "1KiB", "9000PiB"] {
        assert_eq!(
            refused(&home, &["create", "a", "--empty", "--disk", size]).await,
            "disk-size-out-of-range"
        );
    }
    for setting in ["cpus=0", "cpus=10000", "memory=1MiB", "memory=9000TiB"] {
        let code = refused(&home, &["set", "taken", setting]).await;
        assert!(code.ends_with("-out-of-range"), "{setting}: {code}");
    }
    // One that can't be takes all others with it.
    assert_eq!(
        refused(&home, &["set", "taken", "cpus=1", "name=new", "memory=1MiB"]).await,
        "memory-out-of-range"
    );
    assert_eq!(home.hv(["show", "taken", "--json"]).await.json()["name"], "taken");
}

#[tokio::test]
async fn what_makes_no_sense_is_wrong_usage() {
    let (home, _core) = home().await;
    for words in [
        &["create", "a", "--empty", "--cpus", "-1"][..],
        &["create", "a", "--empty", "--cpus", "4294967296"],
        &["create", "a", "--empty", "--cpus", "two"],
        &["create", "a", "--empty", "--memory", "2048"],
        &["create", "a", "--empty", "--memory", "much"],
        &["create", "a", "--empty", "--memory", "-1GiB"],
        &["create", "a", "--empty", "--memory", ""],
        &["create", "a"],
        &["set", "taken", "colour=red"],
        &["set", "taken", "cpus=1", "cpus=2"],
        &["fly", "taken"],
        &[],
    ] {
        let ran = home.hv(words).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{words:?}: {ran:?}");
        assert!(!ran.err.is_empty());
    }
    let ran = home.hv(["create", "a", "--empty", "--memory", "2048"]).await;
    assert!(ran.err.contains("2048MiB") && ran.err.contains("2048GiB"), "{ran:?}");
    assert_eq!(home.hv(["list", "--json"]).await.done().lines().count(), 1);
}

#[tokio::test]
async fn files() {
    let (home, _core) = home().await;
    let (missing, empty) = (home.text("missing.iso"), home.file("empty.iso", ""));
    let below = home.text("empty.iso/below.iso");
    for (path, word) in [
        (missing.as_str(), "no file"),
        (&below, "no file"),
        (&empty, "no content"),
        (&home.text("data"), "folder"),
        ("/dev/null", "neither"),
    ] {
        for option in ["--iso", "--kernel", "--disk-path"] {
            let mut words = vec!["create", "a", option, path];
            words.push(if option == "--disk-path" { "--empty" } else { "--no-disk" });
            assert_eq!(refused(&home, &words).await, "file-unusable", "{option} {path}");
            let ran = home.hv(words).await;
            assert!(ran.err.contains(path) && ran.err.contains(word), "{ran:?}");
        }
        assert_eq!(refused(&home, &["media", "taken", "insert", path]).await, "file-unusable");
    }
    let text = home.file("text", "just text, and no disk image at all".repeat(50));
    assert_eq!(refused(&home, &["create", "a", "--empty", "--disk-path", &text]).await, "file-unusable");
    // A file that does not look bootable is told of, and used all the same: one may know better.
    let inspected = home.hv(["inspect", &text, "--json"]).await.json();
    assert_eq!(inspected["kind"], "unknown");
    home.hv(["create", "b", "--no-disk", "--iso", &text]).await.done();
    home.hv(["start", "b"]).await.done();
    home.hv(["force-off", "b"]).await.done();
    // A medium that is gone at the next start.
    std::fs::remove_file(&text).unwrap();
    let ran = home.hv(["start", "b", "--json"]).await;
    assert_eq!(ran.error_code(), "file-unusable");
    assert_eq!(home.hv(["show", "b", "--json"]).await.json()["state"], "off");
}

#[tokio::test]
async fn files_that_this_user_may_not_read() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let secret = home.file("secret.iso", "secret");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    // Root reads everything, unless that right is taken away.
    let wrapper: &[&str] = if rustix::process::getuid().is_root() {
        &["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    } else {
        &[]
    };
    if !wrapper.is_empty() && std::process::Command::new("setpriv").arg("--version").output().is_err() {
        return skip("root reads everything, and setpriv is not installed");
    }
    let _core = home.core_under(wrapper).await;
    let words = ["create", "a", "--iso", &secret, "--no-disk"];
    assert_eq!(refused(&home, &words).await, "file-unusable");
    let ran = home.hv(words).await;
    assert!(ran.err.contains("may not open it"), "{ran:?}");
}

#[tokio::test]
async fn of_twenty_guests_with_one_name_that_are_made_at_once_one_is_made() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let _core = home.core().await;
    let ran = join_all((0..20).map(|_| home.hv(["create", "one", "--empty", "--no-disk", "--json"]))).await;
    let (made, refused): (Vec<_>, Vec<_>) = ran.into_iter().partition(|ran| ran.code == 0);
    assert_eq!(made.len(), 1);
    assert!(refused.iter().all(|ran| ran.error_code() == "name-taken"));
    assert_eq!(home.hv(["list", "--json"]).await.done().lines().count(), 1);
    assert_eq!(std::fs::read_dir(home.guests()).unwrap().count(), 1);
}

#[tokio::test]
async fn commands_that_do_not_fit_the_state() {
    let (home, _core) = home().await;
    for words in [
        &["shutdown", "taken"][..],
        &["force-off", "taken"],
        &["pause", "taken"],
        &["resume", "taken"],
        &["restart", "taken"],
        &["key", "taken", "enter"],
        &["type", "taken", "text"],
        &["screenshot", "taken", "a.png"],
    ] {
        assert_eq!(refused(&home, words).await, "wrong-state", "{words:?}");
    }
    home.hv(["start", "taken"]).await.done();
    for words in [&["start", "taken"][..], &["resume", "taken"], &["delete", "taken", "--with-disks"]] {
        assert_eq!(refused(&home, words).await, "wrong-state", "{words:?}");
    }
    assert_eq!(refused(&home, &["key", "taken", "hyper+x"]).await, "key-unknown");
    assert_eq!(refused(&home, &["type", "taken", "naïve"]).await, "character-untypable");
    assert_eq!(refused(&home, &["media", "taken", "eject", "--drive", "cd9"]).await, "drive-not-found");
    assert_eq!(refused(&home, &["log", "taken", "--serial", "3"]).await, "port-not-found");
    // No picture came, so none is left half-written.
    assert!(!home.path("a.png").exists());
}
