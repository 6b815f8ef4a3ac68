//! The probe against this host, and against children that stall, lie and die.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

/// In a child, tells that it is one.
const CHILD: &str = "GUESTHOUSE_TEST_PROBE_CHILD";

/// A shell script in place of the child.
fn script(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]);
    command
}

async fn probe_with(text: &str) -> AcceleratorInfo {
    let info = probe_device(script(text), Path::new("/dev/null")).await.info();
    assert_eq!(info.chosen == Accelerator::Kvm, info.kvm == KvmState::Works);
    info
}

const READY: &str = r#"echo '{"stage":"ready"}';"#;
const DONE: &str = r#"echo '{"stage":"done","microseconds":310}';"#;

#[tokio::test]
async fn the_measured_time_is_told() {
    let info = probe_with(&format!("{READY} {DONE}")).await;
    assert_eq!(info.kvm, KvmState::Works);
    assert!(info.detail.starts_with("200000 loop turns took 0.31 ms; the CPU shows "), "{}", info.detail);
}

#[tokio::test]
async fn a_guest_that_takes_long_is_too_slow() {
    for wait in ["while :; do :; done", "exec sleep 600"] {
        let info = probe_with(&format!("{READY} {wait}")).await;
        assert_eq!(info.kvm, KvmState::TooSlow, "{}", info.detail);
    }
}

#[tokio::test]
async fn a_guest_that_was_slow_by_its_own_clock_is_too_slow() {
    let info = probe_with(&format!(r#"{READY} echo '{{"stage":"done","microseconds":230000}}'"#)).await;
    assert_eq!(info.kvm, KvmState::TooSlow, "{}", info.detail);
}

#[test]
fn only_a_measurement_lasts() {
    assert!(Finding::Ran(Outcome::Done { microseconds: 1 }).lasts());
    assert!(Finding::Ran(Outcome::Slow).lasts());
    for passing in [Outcome::Starved, Outcome::NotReady, Outcome::Failed { detail: String::new() }] {
        assert!(!Finding::Ran(passing).lasts());
    }
    assert!(!Finding::NotOpened { device: PathBuf::from(DEVICE), error: Errno::ACCESS }.lasts());
}

#[tokio::test]
async fn a_slow_first_run_gets_a_second_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("mark");
    let mark = mark.display();
    let text = format!("{READY} test -e {mark} || {{ touch {mark}; exec sleep 600; }}; {DONE}");
    assert_eq!(probe_with(&text).await.kvm, KvmState::Works);
}

#[tokio::test]
async fn a_child_that_fails_or_makes_no_sense_means_broken() {
    for (text, told) in [
        (r#"echo '{"stage":"failed","detail":"could not run: no"}'"#.to_owned(), "could not run: no"),
        ("exit 3".to_owned(), "exit status: 3"),
        ("kill -9 $$".to_owned(), "signal: 9"),
        (format!("{READY} exit 0"), "gave no result"),
        (format!("{READY} {READY} {READY}"), "gave no result"),
        ("printf '\\377\\n'".to_owned(), "gave no result"),
        ("head -c 100000 /dev/zero".to_owned(), "gave no result"),
        ("exec sleep 600".to_owned(), "took more than 1 s"),
    ] {
        let info = probe_with(&text).await;
        assert_eq!(info.kvm, KvmState::Broken, "{text}");
        assert!(info.detail.contains(told), "{text}: {}", info.detail);
    }
    let missing = probe_device(Command::new("/nowhere/hv-core"), Path::new("/dev/null")).await.info();
    assert_eq!(missing.kvm, KvmState::Broken);
    assert!(missing.detail.contains("could not start"), "{}", missing.detail);
}

#[tokio::test]
async fn a_missing_or_forbidden_device_is_told_without_a_child() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = folder.path().join("kvm");
    let missing = probe_device(script("exit 3"), &device).await.info();
    assert_eq!((missing.kvm, missing.chosen), (KvmState::NoDevice, Accelerator::Emulation));
    assert!(missing.detail.contains("os error 2"), "{}", missing.detail);

    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may open every device");
        return;
    }
    std::fs::write(&device, "").expect("a file");
    std::fs::set_permissions(&device, std::fs::Permissions::from_mode(0o000)).expect("a mode");
    assert_eq!(probe_device(script("exit 3"), &device).await.info().kvm, KvmState::NoPermission);
}

/// A program that counts its runs and finds what `text` says.
fn program(folder: &Path, text: &str) -> PathBuf {
    let program = folder.join("program");
    let counter = folder.join("runs");
    let text =
        format!("#!/bin/sh\ntest \"$1\" = {PROBE_FLAG} || exit 9\necho >> {}\n{text}\n", counter.display());
    std::fs::write(&program, text).expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("a mode");
    program
}

#[tokio::test]
async fn only_a_lasting_verdict_is_remembered() {
    for (text, runs) in [(format!("{READY} {DONE}"), 1), ("exit 3".to_owned(), 2)] {
        let folder = tempfile::tempdir().expect("a folder");
        let (program, cache) = (program(folder.path(), &text), folder.path().join("cache.json"));
        let first = remembered(&program, Path::new("/dev/null"), &cache).await;
        let second = remembered(&program, Path::new("/dev/null"), &cache).await;
        assert_eq!(first, second);
        let counted = std::fs::read(folder.path().join("runs")).expect("it ran").len();
        assert_eq!(counted, runs, "{text}");
    }
}

/// Not a test of its own: the child of the next one, which has to be this program started again.
#[test]
fn as_child() {
    if std::env::var_os(CHILD).is_some() {
        probe_main();
    }
}

/// The real guest on the real device, whatever that is here.
#[tokio::test]
async fn this_host_gets_a_verdict_in_time() {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "host::accelerator::tests::as_child", "--nocapture"]).env(CHILD, "1");
    let start = Instant::now();
    let info = probe_device(command, Path::new(DEVICE)).await.info();
    eprintln!("{info:?} after {:?}", start.elapsed());
    // Whether this host has KVM, and how good, is not ours to say; but the guest must be right.
    assert!(info.kvm != KvmState::Broken, "{}", info.detail);
    assert!(start.elapsed() < Duration::from_secs(5));
}
