//! What the fuzzers do with the bytes that they make up, and the tests with those that are kept: whatever they are, the
//! core neither panics nor hangs, and what it takes it also keeps.

use crate::fake_engine::{FakeCore, FakeEngine};
use crate::{Home, PATIENCE};
use hv_api::{ByteSize, GuestId, MacAddress};
use hv_core::answers::{Answers, Known, System, Usual, cloud_init};
use hv_core::appliance::Appliance;
use hv_core::bootmenu;
use hv_core::engine::qemu::qmp;
use hv_core::guest::config::Definition;
use hv_core::import;
use hv_core::inspect::{Limits, inspect};
use hv_core::osdb::Database;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// A guest's definition, as anybody may have written it.
pub fn definition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(definition) = Definition::read(text) {
        let again = Definition::read(&definition.write());
        assert_eq!(again.as_ref().ok(), Some(&definition), "{again:?}");
    }
}

/// An appliance, an archive or a description, as anybody may hand one on: whatever it is, it is refused or understood, and
/// what is found in it is in it.
pub fn appliance(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("machine.ova");
    std::fs::write(&path, bytes).expect("a file");
    if let Ok(Some(appliance)) = Appliance::open(&path) {
        for file in &appliance.description.files {
            if let Ok(source) = appliance.find(&file.href) {
                let (_window, length) =
                    source.open().map_or((None, 0), |(window, length)| (Some(window), length));
                assert!(length <= bytes.len() as u64, "{file:?}");
            }
        }
        let _checks = appliance.checks();
    }
    let _plan = import::plan(&path, None, &Nobody::default());
}

/// A computer without guests.
#[derive(Default)]
struct Nobody(Database);

impl import::Host for Nobody {
    fn has_name(&self, _: &str) -> bool {
        false
    }

    fn has_id(&self, _: GuestId) -> bool {
        false
    }

    fn has_bridge(&self, _: &str) -> bool {
        false
    }

    fn has_file(&self, _: &Path) -> bool {
        false
    }

    fn most(&self) -> (ByteSize, u32) {
        (ByteSize::gib(16), 8)
    }

    fn has_mac(&self, _: MacAddress) -> bool {
        false
    }

    fn database(&self) -> &Database {
        &self.0
    }
}

/// A file from anywhere: a disc, a disk image, a machine of another program, something packed. The first byte says whether
/// the others stand at its beginning or where discs say what they are.
pub fn medium(bytes: &[u8]) {
    /// The descriptors of an ISO 9660 begin there.
    const DESCRIPTORS: usize = 16 * 2048;
    let Some((first, rest)) = bytes.split_first() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("medium");
    let before = if first & 1 == 0 { 0 } else { DESCRIPTORS };
    std::fs::write(&path, [&vec![0; before][..], rest].concat()).expect("a file");
    look_at(&path);
}

/// An install tree in a folder: files by their names, one of the marks of a tree and its content after the other.
pub fn tree(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    for file in bytes.split(|byte| *byte == 0) {
        let Some((number, content)) = file.split_first() else { continue };
        let marks = hv_core::osdb::trees::MARKERS;
        let path = folder.path().join(marks[usize::from(*number) % marks.len()]);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    look_at(folder.path());
}

/// What is told of it is bounded and can be shown.
fn look_at(path: &Path) {
    /// Longer than any name on a medium may become.
    const LONGEST: usize = 512;
    let limits = Limits { cpus: 4, memory: ByteSize::gib(8) };
    let Ok(info) = inspect(path, &|_taken| false, limits, &Database::default()) else { return };
    assert!(info.suggested_name.chars().count() <= LONGEST && !info.suggested_name.is_empty(), "{info:?}");
    assert!(!info.suggested_name.contains(['/', '\n', '\0']), "{info:?}");
    assert!(info.recommended.memory <= limits.memory && info.recommended.cpus <= limits.cpus, "{info:?}");
}

/// What a person answers an installer: a line each. What is taken is written so that it stays one answer.
pub fn answers(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n').map(str::to_owned);
    let mut next = || lines.next().filter(|line| !line.is_empty());
    let asked = hv_api::Answers {
        user: next().unwrap_or_default(),
        full_name: next(),
        host_name: next(),
        language: next(),
        keyboard: next(),
        time_zone: next(),
        ssh_keys: next().map(|key| vec![key]),
        // Making the hash of one takes longer than all else.
        password: None,
    };
    let usual = Usual {
        guest: "a guest".into(),
        language: "en_US".into(),
        keyboard: "us".into(),
        time_zone: "Etc/UTC".into(),
    };
    if let Ok(answers) = Answers::new(&asked, System::Cloud, &usual, &Known::default()) {
        let files = cloud_init(&answers, "an instance");
        let told = files.iter().find(|file| file.name == "user-data").expect("what it is told");
        let told = std::str::from_utf8(&told.content).expect("text");
        // What comes behind the mark is JSON, which is YAML as well.
        let told = told.strip_prefix("#cloud-config\n").expect("the mark");
        let told: Value = serde_json::from_str(told).expect("one document");
        let users = told["users"].as_array().expect("users");
        assert_eq!((users.len(), users[0]["name"].as_str()), (1, Some(answers.user())), "{told}");
    }
}

/// A guest's disk, and the files of boot loaders on one.
pub fn boot_menu(bytes: &[u8]) {
    let disk = bootmenu::Disk::new(Box::new(bytes.to_vec()), Some(Instant::now() + Duration::from_secs(20)));
    for uefi in [false, true] {
        if let Ok(found) = bootmenu::menu(&disk, uefi) {
            let menu = found.told("disk0");
            for entry in &menu.entries {
                let choice = bootmenu::Choice::Number(entry.number);
                let _ = bootmenu::copy(&found, &choice, &mut std::io::sink(), &mut std::io::sink());
                if let Ok(Some(change)) = bootmenu::change(&disk, &found, entry.number, uefi) {
                    assert_eq!(change.before.len(), change.after.len());
                }
            }
        }
    }
    let _system = bootmenu::installed(&disk);
    if let Ok(text) = std::str::from_utf8(bytes) {
        bootmenu::entries_in(text);
    }
}

/// All that QEMU says before it ends.
pub fn qmp(bytes: &[u8]) {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    /// So that a call which is never answered is found, and not waited for.
    const DEADLINE: Duration = Duration::from_secs(20);
    RUNTIME.with(|runtime| {
        runtime
            .block_on(async { tokio::time::timeout(DEADLINE, speak(bytes)).await })
            .expect("every call ends with the connection");
    });
}

async fn speak(bytes: &[u8]) {
    let (engine, core) = UnixStream::pair().expect("sockets");
    let core = core.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(core));
    (&engine).write_all(bytes).expect("as much as a socket takes");
    engine.shutdown(Shutdown::Write).expect("a socket");
    let Ok((client, mut events)) = qmp::Client::connect(core.expect("a socket"), PATIENCE).await else {
        return;
    };
    for command in ["query-status", "query-block", "query-cpus-fast"] {
        let _answer = client.call_within(command, json!({}), Vec::new(), PATIENCE).await;
    }
    while events.recv().await.is_some() {}
}

/// A core that many clients speak to, one after the other.
struct Served {
    home: Home,
    _core: FakeCore,
    clients: usize,
}

impl Served {
    fn new() -> Self {
        let home = Home::without_programs();
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let core = runtime.block_on(FakeCore::start(&home, &Arc::<FakeEngine>::default()));
        let this = Self { home, _core: core, clients: 0 };
        // What a call may name.
        let guest = json!({ "name": "one", "no_disk": true });
        this.ask(&call("Create", &json!({ "guest": guest })), "\0");
        this
    }

    /// Sends bytes and reads what is answered until there is this in it, the core hangs up, or it has nothing more to say.
    fn ask(&self, bytes: &[u8], until: &str) -> String {
        /// Of a call that is answered again and again, as long as something changes.
        const QUIET: Duration = Duration::from_millis(50);
        let mut client = UnixStream::connect(self.home.socket()).expect("the core listens");
        client.set_read_timeout(Some(QUIET)).expect("a socket");
        let mut answer = Vec::new();
        let mut buffer = [0; 16 << 10];
        // A client that breaks the rules is hung up on before it has said everything.
        let _said = client.write_all(bytes);
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..count]);
            if String::from_utf8_lossy(&answer).contains(until) {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Whether it still answers.
    fn lists(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.ask(&call("List", &json!({})), "\0").contains("guests") {
                return true;
            }
        }
        false
    }
}

/// A call as it is sent.
pub fn call(method: &str, parameters: &Value) -> Vec<u8> {
    let call = json!({ "method": format!("dev.guesthouse.Core.{method}"), "parameters": parameters });
    format!("{call}\0").into_bytes()
}

/// All that a client says before it hangs up; line ends stand for the zero bytes between calls.
pub fn requests(bytes: &[u8]) {
    /// Then all that they made goes, and another core begins.
    const CLIENTS: usize = 400;
    static SERVED: Mutex<Option<Served>> = Mutex::new(None);
    let mut served = SERVED.lock().unwrap_or_else(PoisonError::into_inner);
    let now = served.get_or_insert_with(Served::new);
    let mut said: Vec<u8> = bytes.iter().map(|byte| if *byte == b'\n' { 0 } else { *byte }).collect();
    let last = br#"{"method":"org.varlink.service.GetInfo"}"#;
    said.extend_from_slice(&[b"\0", &last[..], b"\0"].concat());
    now.ask(&said, "vendor");
    now.clients += 1;
    // A client may end the core, and only by saying so, in whatever letters.
    if said.windows(4).any(|word| word == b"Quit") || said.windows(2).any(|word| word == br"\u") {
        *served = None;
        return;
    }
    assert!(now.lists(), "the core has gone, or hangs");
    if now.clients >= CLIENTS {
        *served = None;
    }
}
