//! The engine with the real QEMU under emulation, and with programs that are not QEMU.

use super::*;
use crate::engine::{DiskConfig, DiskFormat, DiskName, DriveConfig, EngineEvent, KernelConfig};
use hv_api::ByteSize;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Longer than anything here takes on a busy host.
const PATIENCE: Duration = Duration::from_secs(60);

const MEMTEST: [&str; 2] = ["/boot/memtest86+x64.iso", "/usr/lib/memtest86+/memtest86+x64.iso"];

fn skip(why: &str) {
    println!("SKIPPED: {why}");
}

/// QEMU, where it is installed; says so where it isn't.
fn real() -> Option<Qemu> {
    let qemu = Qemu::new(PROGRAM);
    if qemu.find().is_err() {
        skip("qemu-system-x86_64 is not installed");
        return None;
    }
    Some(qemu)
}

fn memtest() -> Option<PathBuf> {
    let found = MEMTEST.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        skip("memtest86+ is not installed");
    }
    found
}

/// A machine whose files are in a folder of the test's own.
struct Place {
    folder: TempDir,
    config: MachineConfig,
}

impl Place {
    fn new() -> Self {
        Self::below("")
    }

    fn below(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join(name).join("run");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&run).unwrap();
        let config = MachineConfig {
            guest: GuestId::random(),
            name: "Test, with a comma".into(),
            machine: "q35".into(),
            memory: ByteSize::mib(64),
            max_memory: ByteSize::mib(64),
            drives: vec![DriveConfig { medium: None }],
            nics: vec![command_line::tests::nic(0)],
            run: RunFiles {
                folder: run,
                tpm_folder: folder.path().join("tpm"),
                networks: folder.path().join("networks"),
                engine_log: folder.path().join("engine.log"),
                serial_logs: vec![folder.path().join("serial0, first.log")],
            },
            ..command_line::tests::bare()
        };
        Self { folder, config }
    }

    fn program(&self, script: &str) -> Qemu {
        let path = self.folder.path().join("fake-qemu");
        fs::write(&path, format!("#!/usr/bin/python3\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Qemu::new(path)
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.config.run.engine_log).unwrap_or_default()
    }
}

async fn expect(events: &mut mpsc::Receiver<EngineEvent>, wanted: &EngineEvent) {
    let next = timeout(PATIENCE, events.recv()).await.expect("an event in time");
    assert_eq!(next.as_ref(), Some(wanted));
}

async fn exited(events: &mut mpsc::Receiver<EngineEvent>) -> String {
    loop {
        match timeout(PATIENCE, events.recv()).await.expect("an event in time") {
            Some(EngineEvent::Exited { detail }) => {
                assert_eq!(events.recv().await, None, "nothing follows the end");
                return detail;
            }
            Some(_other) => {}
            None => panic!("the events ended without an end of the engine"),
        }
    }
}

async fn screenshot(machine: &dyn Machine, path: &Path) -> Vec<u8> {
    let file = fs::File::options().write(true).create(true).truncate(true).open(path).unwrap();
    machine.screenshot(file.into()).await.unwrap();
    fs::read(path).unwrap()
}

fn not_started(result: Result<Arc<dyn Machine>, EngineError>) -> String {
    match result {
        Err(EngineError::NotStarted { detail }) => detail,
        Err(other) => panic!("{other:?}"),
        Ok(machine) => {
            machine.kill();
            panic!("it started");
        }
    }
}

/// The processes whose command line names this guest.
fn processes_of(guest: GuestId) -> usize {
    let guest = guest.to_string();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(&guest))
        .count()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_elapsed| panic!("waited in vain: {what}"));
}

#[tokio::test]
async fn a_machine_runs_pauses_resets_and_ends() {
    let (Some(qemu), Some(iso)) = (real(), memtest()) else { return };
    let mut place = Place::new();
    place.config.drives = vec![DriveConfig { medium: Some(iso) }];
    let (sender, mut events) = mpsc::channel(64);
    let machine = qemu.start(&place.config, sender).await.unwrap();
    assert!(machine.pid() > 0);
    machine.resume().await.unwrap();
    expect(&mut events, &EngineEvent::Running).await;

    let picture = place.folder.path().join("screen.png");
    assert!(screenshot(machine.as_ref(), &picture).await.starts_with(b"\x89PNG\r\n"));

    machine.pause().await.unwrap();
    expect(&mut events, &EngineEvent::Paused).await;
    machine.reset().await.unwrap();
    expect(&mut events, &EngineEvent::Reset).await;
    machine.resume().await.unwrap();
    expect(&mut events, &EngineEvent::Running).await;
    machine.press_keys(&[42, 30]).await.unwrap();
    assert!(matches!(machine.press_keys(&[84]).await, Err(EngineError::Refused { .. })));
    machine.write_serial(0, b"hello\n".to_vec()).await.unwrap();
    assert!(matches!(machine.write_serial(1, vec![0]).await, Err(EngineError::Refused { .. })));

    machine.quit().await.unwrap();
    let detail = exited(&mut events).await;
    assert!(detail.contains("exit status: 0"), "{detail}");
    assert_eq!(machine.pause().await, Err(EngineError::Gone));
    assert_eq!(machine.quit().await, Ok(()));
    assert_eq!(fs::read_dir(&place.config.run.folder).unwrap().count(), 0, "sockets are left");
}

#[tokio::test]
async fn a_machine_is_found_again_by_another_core() {
    let (Some(qemu), Some(iso)) = (real(), memtest()) else { return };
    let mut place = Place::below(&"long".repeat(30));
    place.config.drives = vec![DriveConfig { medium: Some(iso) }];
    let config = &place.config;
    let (sender, events) = mpsc::channel(64);
    let machine = qemu.start(config, sender).await.unwrap();
    machine.resume().await.unwrap();
    let pid = machine.pid();
    drop((machine, events));

    let (sender, events) = mpsc::channel(64);
    let adopted = qemu.adopt(config.guest, &config.run, sender).await.unwrap().expect("it runs");
    assert_eq!((adopted.machine.pid(), adopted.status), (pid, MachineStatus::Running));
    adopted.machine.pause().await.unwrap();
    drop((adopted, events));

    let other = qemu.adopt(GuestId::random(), &config.run, mpsc::channel(1).0).await.unwrap();
    assert!(other.is_none(), "another guest's machine was taken for this one's");

    let (sender, mut events) = mpsc::channel(64);
    let adopted = qemu.adopt(config.guest, &config.run, sender).await.unwrap().expect("it runs");
    assert_eq!(adopted.status, MachineStatus::Paused);
    adopted.machine.write_serial(0, b"x".to_vec()).await.unwrap();
    adopted.machine.kill();
    exited(&mut events).await;

    let (sender, _events) = mpsc::channel(64);
    assert!(qemu.adopt(config.guest, &config.run, sender).await.unwrap().is_none());
    assert_eq!(processes_of(config.guest), 0);
}

#[tokio::test]
async fn a_machine_that_hangs_is_silent_and_not_waited_for() {
    let Some(qemu) = real() else { return };
    let place = Place::new();
    let config = &place.config;
    let (sender, mut events) = mpsc::channel(64);
    let machine = qemu.start(config, sender).await.unwrap();
    // As long as it has a client, it has no word for another.
    let second = qemu.adopt(config.guest, &config.run, mpsc::channel(1).0).await;
    assert!(matches!(second, Err(EngineError::Silent { .. })), "{second:?}");
    machine.kill();
    exited(&mut events).await;
}

#[tokio::test]
async fn a_machine_that_stands_still_is_silent_and_can_be_found_later() {
    let Some(qemu) = real() else { return };
    let place = Place::new();
    let config = &place.config;
    let (sender, events) = mpsc::channel(64);
    let machine = qemu.start(config, sender).await.unwrap();
    let process = Process::with_pid(machine.pid()).unwrap();
    drop((machine, events));
    process.signal(rustix::process::Signal::STOP);
    for _ in 0..2 {
        let stopped = qemu.adopt(config.guest, &config.run, mpsc::channel(1).0).await;
        assert!(matches!(stopped, Err(EngineError::Silent { .. })), "{stopped:?}");
    }
    process.signal(rustix::process::Signal::CONT);
    let (sender, mut events) = mpsc::channel(64);
    let adopted = qemu.adopt(config.guest, &config.run, sender).await.unwrap().expect("it runs");
    assert_eq!(adopted.status, MachineStatus::Paused);
    adopted.machine.quit().await.unwrap();
    exited(&mut events).await;
}

#[tokio::test]
async fn a_guest_starts_from_a_medium_takes_keys_and_powers_off() {
    let Some(qemu) = real() else { return };
    let grub = PathBuf::from("/usr/lib/grub-rescue/grub-rescue-cdrom.iso");
    if !grub.exists() {
        return skip("grub-rescue-pc is not installed");
    }
    let mut place = Place::new();
    // A disk without a system, as in any new guest: the firmware has to go on to the medium.
    let disk = place.folder.path().join("disk.img");
    fs::File::create(&disk).unwrap().set_len(16 << 20).unwrap();
    place.config.disks = vec![DiskConfig::new(DiskName::FIRST, disk, DiskFormat::Raw)];
    place.config.drives = vec![DriveConfig { medium: Some(grub) }];
    let (sender, mut events) = mpsc::channel(64);
    let machine = qemu.start(&place.config, sender).await.unwrap();
    machine.resume().await.unwrap();
    expect(&mut events, &EngineEvent::Running).await;
    // Until grub is there, the keys go to the firmware, which does nothing with them. Wherever grub is by then, two
    // escapes lead to its menu, `c` from there to its command line; `halt` and enter follow.
    let powered_off = async {
        loop {
            for key in [1, 1, 46, 35, 30, 38, 20, 28] {
                machine.press_keys(&[key]).await.unwrap();
            }
            // QEMU types them one after the other, and forgets some where there are too many.
            if let Ok(event) = timeout(Duration::from_secs(2), events.recv()).await {
                return event.expect("the engine is there");
            }
        }
    };
    let event = timeout(2 * PATIENCE, powered_off).await.expect("the guest powers off in time");
    assert_eq!(event, EngineEvent::PoweredOff);
    drop((machine, events));

    // A core that was away learns of it.
    let (sender, mut events) = mpsc::channel(64);
    let config = &place.config;
    let adopted = qemu.adopt(config.guest, &config.run, sender).await.unwrap().expect("it waits");
    assert_eq!(adopted.status, MachineStatus::PoweredOff);
    adopted.machine.quit().await.unwrap();
    exited(&mut events).await;
}

#[tokio::test]
async fn a_kernel_speaks_on_the_serial_port_and_into_its_log() {
    let Some(qemu) = real() else { return };
    let images = Path::new("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64");
    if !images.exists() {
        return skip("debian-installer-12-netboot-amd64 is not installed");
    }
    let mut place = Place::new();
    place.config.memory = ByteSize::mib(512);
    place.config.kernel = Some(KernelConfig {
        kernel: images.join("linux"),
        initrd: None,
        append: Some("console=ttyS0 panic=0".into()),
    });
    let (sender, mut events) = mpsc::channel(64);
    let machine = qemu.start(&place.config, sender).await.unwrap();
    machine.resume().await.unwrap();
    let log = &place.config.run.serial_logs[0];
    // Far more than a serial port takes that nobody drains; and the end, for lack of a system, is a
    // panic, which the guest reports to the engine only where it has the driver.
    until("the kernel panics", || {
        fs::read(log).is_ok_and(|log| String::from_utf8_lossy(&log).contains("Unable to mount root fs"))
    })
    .await;
    machine.kill();
    exited(&mut events).await;
}

#[tokio::test]
async fn media_come_and_go() {
    let (Some(qemu), Some(iso)) = (real(), memtest()) else { return };
    let mut place = Place::new();
    let first = place.folder.path().join("first, with a comma.iso");
    fs::copy(&iso, &first).unwrap();
    place.config.drives = vec![DriveConfig { medium: Some(first) }, DriveConfig { medium: None }];
    let (sender, mut events) = mpsc::channel(64);
    let machine = qemu.start(&place.config, sender).await.unwrap();
    machine.change_medium(0, None, false).await.unwrap();
    machine.change_medium(0, Some(iso.clone()), false).await.unwrap();
    machine.change_medium(0, Some(iso.clone()), false).await.unwrap();
    machine.change_medium(1, Some(iso.clone()), false).await.unwrap();
    machine.change_medium(1, None, true).await.unwrap();
    let missing = machine.change_medium(1, Some("/no/such.iso".into()), false).await;
    assert!(
        matches!(&missing, Err(EngineError::Refused { detail }) if detail.contains("No such file")),
        "{missing:?}"
    );
    assert!(matches!(machine.change_medium(7, None, false).await, Err(EngineError::Refused { .. })));
    machine.quit().await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = timeout(PATIENCE, events.recv()).await.unwrap() {
        seen.push(event);
    }
    assert!(matches!(seen.as_slice(), [EngineEvent::Exited { .. }]), "{seen:?}");
}

#[tokio::test]
async fn a_medium_that_the_guest_ejects_is_gone() {
    let (Some(qemu), Some(iso)) = (real(), memtest()) else { return };
    let mut place = Place::new();
    place.config.drives = vec![DriveConfig { medium: Some(iso.clone()) }];
    let config = &place.config;
    let (sender, events) = mpsc::channel(64);
    drop((qemu.start(config, sender).await.unwrap(), events));

    let folder = RunFolder::open(&config.run.folder).unwrap();
    let (stream, process) = reach(&folder, config.run.serial_logs.len()).await.unwrap().unwrap();
    let (client, incoming) = Client::connect(stream, ADOPT_DEADLINE).await.unwrap();
    let client = Arc::new(client);
    let (sender, mut events) = mpsc::channel(64);
    let watch = Watch {
        ending: Ending::Foreign(process),
        incoming,
        client: Arc::downgrade(&client),
        status: MachineStatus::Paused,
        events: sender,
        folder,
        run: config.run.clone(),
        noise: Vec::new(),
        networks: Networks::new(place.config.guest, &place.config.run, None),
        news: Arc::default(),
    };
    let kept = tokio::spawn(watch.keep(mpsc::channel(1).1));
    // What a guest's own command to open the drive does: the medium stays, and is back at a reset.
    client.call("blockdev-open-tray", json!({ "id": "cd0" })).await.unwrap();
    expect(&mut events, &EngineEvent::MediumEjected { drive: 0 }).await;
    let blocks = client.call("query-block", json!({})).await.unwrap().to_string();
    assert!(!blocks.contains("\"inserted\""), "{blocks}");
    let nodes = client.call("query-named-block-nodes", json!({})).await.unwrap();
    assert_eq!(nodes, json!([]), "the medium is still open");
    drop((client, events));
    timeout(PATIENCE, kept).await.unwrap().unwrap();

    let (sender, mut events) = mpsc::channel(64);
    let adopted = qemu.adopt(config.guest, &config.run, sender).await.unwrap().expect("it runs");
    adopted.machine.change_medium(0, Some(iso), false).await.unwrap();
    adopted.machine.quit().await.unwrap();
    assert_eq!(exited(&mut events).await, "ended");
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_leaves_nothing() {
    let Some(qemu) = real() else { return };
    let mut place = Place::new();
    place.config.drives = vec![DriveConfig { medium: Some("/no/such: medium.iso".into()) }];
    let detail = not_started(qemu.start(&place.config, mpsc::channel(1).0).await);
    assert_eq!(detail, "Could not open '/no/such: medium.iso': No such file or directory");
    assert_eq!(processes_of(place.config.guest), 0);
    assert!(place.log().starts_with(process::START_MARK));

    place.config.drives.clear();
    place.config.machine = "pc-q35-0.1".into();
    let detail = not_started(qemu.start(&place.config, mpsc::channel(1).0).await);
    assert!(detail.contains("unsupported machine type"), "{detail}");

    place.config.run.folder = "/no/such/folder".into();
    let detail = not_started(qemu.start(&place.config, mpsc::channel(1).0).await);
    assert!(detail.contains("/no/such/folder"), "{detail}");
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let place = Place::new();
    let silent = place.program("import time; time.sleep(1000)");
    let (sender, _events) = mpsc::channel(1);
    let start = silent.start(&place.config, sender);
    let running = async { until("it runs", || processes_of(place.config.guest) == 1).await };
    tokio::select! {
        result = start => panic!("it started: {:?}", result.map(|machine| machine.pid())),
        () = running => {}
    }
    until("it was ended", || processes_of(place.config.guest) == 0).await;
    assert_eq!(fs::read_dir(&place.config.run.folder).unwrap().count(), 0);
}

#[tokio::test]
async fn programs_that_are_not_qemu_do_not_start() {
    let place = Place::new();
    let start = async |qemu: &Qemu| not_started(qemu.start(&place.config, mpsc::channel(1).0).await);

    assert_eq!(start(&Qemu::new("/bin/false")).await, "exit status: 1");

    let talker =
        place.program("import sys; sys.exit('2026-01-31T12:00:00.123456Z fake-qemu: no luck today')");
    assert_eq!(start(&talker).await, "no luck today");

    let accept = "import os, re, socket, sys, time\n\
        fd = int(re.search(r'id=mon,fd=(\\d+)', ' '.join(sys.argv)).group(1))\n\
        peer = socket.socket(fileno=fd).accept()[0]\n";
    for (speech, expected) in [
        ("peer.sendall(b'HTTP/1.0 400 Bad Request\\r\\n\\r\\n')", "does not speak QMP"),
        ("peer.sendall(b'\\xff\\xfe{{{[[[\\n')", "does not speak QMP"),
        ("peer.sendall(b'{\"return\": {}}\\n')", "does not speak QMP"),
        ("peer.sendall(b'[' * 100000 + b'\\n')", "does not speak QMP"),
        ("peer.sendall(b' ' * (5 << 20))", "more than 4194304 bytes"),
        (
            "peer.sendall(b'{\"QMP\": {}}\\n{\"return\": 1, \"id\": 99}\\n\\n{\"error\": {}, \"id\": 1}\\n')",
            "",
        ),
        ("peer.close(); sys.exit('gone')", "gone"),
    ] {
        let detail = start(&place.program(&format!("{accept}{speech}\ntime.sleep(1000)"))).await;
        assert!(detail.contains(expected), "{speech}: {detail}");
        assert_eq!(processes_of(place.config.guest), 0, "{speech}");
    }

    let missing = Qemu::new("no-such-qemu");
    let result = missing.start(&place.config, mpsc::channel(1).0).await.err();
    assert_eq!(result, Some(EngineError::Missing { program: "no-such-qemu".into() }));
    assert_eq!(missing.info().await.path, None);
}

#[tokio::test]
async fn what_a_machine_has_said_is_told_when_it_was_heard_out() {
    let Some(qemu) = real() else { return };
    let place = Place::new();
    let (sender, mut events) = mpsc::channel(1024);
    let machine = qemu.start(&place.config, sender).await.unwrap();
    for round in 1..=20 {
        machine.resume().await.unwrap();
        machine.pause().await.unwrap();
        machine.hear_out().await;
        assert_eq!(events.len(), 2, "in round {round}");
        assert_eq!(events.recv().await, Some(EngineEvent::Running));
        assert_eq!(events.recv().await, Some(EngineEvent::Paused));
    }
    machine.kill();
    exited(&mut events).await;
    timeout(PATIENCE, machine.hear_out()).await.expect("one that has ended says nothing more");
}

#[tokio::test]
async fn the_engine_says_which_cpus_it_has() {
    let Some(qemu) = real() else { return };
    let models = qemu.cpu_models().await.unwrap();
    for name in ["max", "Nehalem", "EPYC-v1"] {
        assert!(models.iter().any(|model| model == name), "{name}: {models:?}");
    }
    assert!(!models.iter().any(|model| model == "host" || model.contains("CPUID")), "{models:?}");
    for odd in ["", "Nehalem,-sse", "a b", "host,migratable=off"] {
        let mut place = Place::new();
        place.config.cpu_model = Some(odd.into());
        let detail = not_started(qemu.start(&place.config, mpsc::channel(1).0).await);
        assert!(detail.contains("no CPU model"), "{odd:?}: {detail}");
    }
}

#[tokio::test]
async fn the_engine_says_what_it_is() {
    let Some(qemu) = real() else { return };
    let info = qemu.info().await;
    assert_eq!(info.program, PROGRAM);
    assert!(info.version.unwrap().split('.').count() >= 2);
    assert!(qemu.newest_machine().await.unwrap().starts_with("pc-q35-"));
    assert_eq!(qemu.command_line(&Place::new().config).first(), info.path.as_ref());
}

#[test]
fn answers_of_many_versions_are_understood() {
    assert_eq!(version_in("QEMU emulator version 10.0.13 (Debian 1:10)\n"), Some("10.0.13".into()));
    assert_eq!(version_in("QEMU emulator version 9.2.0\n"), Some("9.2.0".into()));
    assert_eq!(version_in("version"), None);
    assert_eq!(version_in("some version of something"), None);
    let help = "Supported machines are:\n\
        pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)\n\
        pc-q35-7.2           Standard PC (Q35 + ICH9, 2009)\n\
        q35                  Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-7.2)\n";
    assert_eq!(newest_machine_in(help), Some("pc-q35-7.2".into()));
    assert_eq!(newest_machine_in(""), None);
}
