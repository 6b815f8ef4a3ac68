//! A home of a test's own: folders, environment, and the processes that live in it.
//!
//! Every process that is started in it carries its mark in its environment, and so do those that they
//! start. When the home goes, however the test ended, exactly the marked ones are ended.

use crate::{GLANCE, Process, Script, program, until, within};
use hv_api::client::Connection;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The variable that marks a home's processes.
const MARK: &str = "GUESTHOUSE_TEST_HOME";

/// The engine's program, as the core looks for it.
const QEMU: &str = "qemu-system-x86_64";

/// A home.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    search: String,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it wrote on its standard output.
    pub out: String,
    /// What it wrote on its standard error.
    pub err: String,
}

impl Home {
    /// The folder in which its core looks for the computer's devices; there are none until a test makes some.
    pub const DEVICES: &str = "devices";

    /// A home whose engine is the real one, where it is installed.
    pub fn new() -> Self {
        Self::with_search(&std::env::var("PATH").unwrap_or_default())
    }

    /// A home whose engine is `fake-qemu`; everything else is the host's.
    pub fn with_fake_qemu(script: &Script) -> Self {
        let mut home = Self::new();
        let folder = home.path("bin");
        fs::create_dir(&folder).expect("a folder for programs");
        symlink(program("fake-qemu"), folder.join(QEMU)).expect("a link");
        home.search = format!("{}:{}", folder.display(), home.search);
        home.set_script(script);
        home
    }

    /// A home on a host where no program at all is installed.
    pub fn without_programs() -> Self {
        Self::with_search("/nonexistent")
    }

    fn with_search(search: &str) -> Self {
        // Not where `TMPDIR` says: a socket's path has room for some hundred characters only.
        let folder = tempfile::Builder::new().prefix("gh-").tempdir_in("/tmp").expect("a temporary folder");
        let home = Self { folder, search: search.to_owned() };
        for name in ["data", "state", "run", "config", "cache"] {
            fs::DirBuilder::new().mode(0o700).create(home.path(name)).expect("a folder");
        }
        home
    }

    /// A path in this home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path in this home as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a temporary folder with a name in UTF-8").to_owned()
    }

    /// Writes a file in this home and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).expect("a file");
        self.text(name)
    }

    /// The core's socket.
    pub fn socket(&self) -> PathBuf {
        self.path("run/guesthouse/core")
    }

    /// The folder with the guests.
    pub fn guests(&self) -> PathBuf {
        self.path("data/guesthouse/guests")
    }

    /// What `fake-qemu` does from its next start on.
    pub fn set_script(&self, script: &Script) {
        // In one step, as one may just be read.
        let path = script.write_beside(&self.path("bin"));
        fs::rename(path, Script::path(&self.path("bin"))).expect("a script");
    }

    /// A program, to be started in this home.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", &self.search)
            .env("HOME", self.folder.path())
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("GUESTHOUSE_DEVICES", self.path(Self::DEVICES))
            .env("LANG", "C.UTF-8")
            .env(MARK, self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs `hv` to its end.
    pub async fn hv<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        self.run(self.command(program("hv")).args(arguments)).await
    }

    /// Runs a command to its end.
    pub async fn run(&self, command: &mut Command) -> Ran {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
        let output = within(&format!("{command:?}"), child.wait_with_output()).await.expect("its output");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran {
            code: output.status.code().unwrap_or_else(|| panic!("{command:?}: {}", output.status)),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Starts the core.
    pub async fn core(&self) -> Core {
        self.core_under(&[]).await
    }

    /// Starts the core by way of a program that changes what it may do, as `setpriv` and `unshare`.
    pub async fn core_under(&self, wrapper: &[&str]) -> Core {
        within("the core's start", async {
            loop {
                let (core, word) = self.try_core(wrapper).await;
                // Of one that was killed, nothing is seen any more a moment before it lets go of its lock.
                if word != "already running" {
                    assert_eq!(word, "listening", "the core did not start");
                    return core;
                }
                tokio::time::sleep(GLANCE).await;
            }
        })
        .await
    }

    /// Starts the core and returns what it says.
    pub async fn try_core(&self, wrapper: &[&str]) -> (Core, String) {
        let core = program("hv-core");
        let mut words = wrapper.iter().map(AsRef::as_ref).chain([core.as_os_str()]);
        let mut command = self.command(words.next().expect("a program"));
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the core can be run");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut word = String::new();
        within("the core's first word", output.read_line(&mut word)).await.expect("its output");
        (Core { child }, word.trim_end().to_owned())
    }

    /// Connects to the core that runs.
    pub async fn connect(&self) -> Connection {
        hv_api::client::connect(&self.socket()).await.expect("the core answers")
    }

    /// The cores that run here, without the processes that they start for single things.
    pub fn cores(&self) -> Vec<Process> {
        self.processes("hv-core", |words| {
            let helpers: [&[u8]; 3] = [b"--probe-kvm", b"--switch", b"--read-boot-menu"];
            !words.iter().any(|word| helpers.contains(word))
        })
    }

    /// The switches of isolated networks that run here.
    pub fn switches(&self) -> Vec<Process> {
        self.processes("hv-core", |words| words.contains(&&b"--switch"[..]))
    }

    /// The engines that run here for guests.
    pub fn engines(&self) -> Vec<Process> {
        self.processes(QEMU, |words| words.contains(&&b"-uuid"[..]))
    }

    /// The TPMs that run here for guests.
    pub fn tpms(&self) -> Vec<Process> {
        self.processes("swtpm", |words| words.contains(&&b"--tpm2"[..]))
    }

    /// Waits until no engine runs here.
    pub async fn no_engine(&self) {
        until("the end of every engine", || self.engines().is_empty().then_some(())).await;
    }

    fn processes(&self, name: &str, fits: impl Fn(&[&[u8]]) -> bool) -> Vec<Process> {
        let mut found = Process::with_variable(&self.mark());
        found.retain(|process| {
            let line = fs::read(format!("/proc/{}/cmdline", process.pid())).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            words[0].ends_with(format!("/{name}").as_bytes()) && fits(&words)
        });
        found
    }

    /// All files and folders in which guests are kept, logs and sockets as well; a socket of the core is
    /// none of them.
    pub fn tree(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        for folder in
            [self.path("data"), self.path("state/guesthouse/guests"), self.path("run/guesthouse/guests")]
        {
            list(&folder, &mut found);
        }
        found
    }

    fn mark(&self) -> String {
        format!("{MARK}={}", self.folder.path().display())
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A process that starts another one in the meantime is met in the next round.
        for _round in 0..8 {
            let left = Process::with_variable(&self.mark());
            if left.is_empty() {
                return;
            }
            left.iter().for_each(Process::kill);
            left.iter().for_each(Process::wait);
        }
    }
}

fn list(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            list(&path, found);
        }
        found.insert(path);
    }
}

/// A core that the test itself has started.
#[derive(Debug)]
pub struct Core {
    child: Child,
}

impl Core {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// Ends it at once, as the system does when memory runs out.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Waits for its end.
    pub async fn exit_code(mut self) -> Option<i32> {
        within("the core's end", self.child.wait()).await.expect("an exit status").code()
    }
}

impl Ran {
    /// Its standard output, of a command that succeeded without a word of complaint.
    pub fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// The one JSON object on its standard output.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of the error that it told in JSON, with an exit code and words as they should be.
    pub fn error_code(&self) -> String {
        let told = self.json();
        let error = &told["error"];
        assert_eq!((self.code, self.err.as_str()), (1, ""), "{told}");
        for key in ["what", "why", "remedy"] {
            assert!(
                error[key].as_str().is_some_and(|words| words.ends_with(['.', ':', '?'])),
                "{key}: {told}"
            );
        }
        error["code"].as_str().expect("a code").to_owned()
    }
}
