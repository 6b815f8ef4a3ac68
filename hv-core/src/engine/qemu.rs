//! QEMU as an engine: finds the program, asks it what it is, starts machines with it and finds those
//! that run.
//!
//! Everything that is QEMU's own stays in here: nothing outside names QMP, a `-device` or one of its
//! types. A machine that is started outlives the core; one whose start fails or is given up leaves
//! nothing behind.

mod agent;
mod bridge;
mod claims;
mod command_line;
mod descriptors;
mod devices;
mod disks;
mod display;
mod events;
pub mod keys;
mod live;
mod machine;
mod network;
mod pci;
pub mod ports;
mod power;
mod process;
pub mod qmp;
mod reach;
mod snapshots;
mod state;
mod statistics;
#[cfg(test)]
mod tests;
mod tpm;
mod usb;

use super::{Adopted, Engine, EngineError, EventSender, Machine, MachineConfig, MachineStatus, RunFiles};
use crate::host;
use agent::Agent;
use async_trait::async_trait;
use command_line::Sockets;
use hv_api::{AudioService, EngineInfo, GuestId};
use landlock::RulesetCreated;
use machine::{QemuMachine, Watch};
use network::Networks;
use process::{AGENT, Ending, MONITOR, Process, RunFolder, serial_socket};
use qmp::Client;
use reach::Reach;
use serde_json::{Value, json};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tpm::{Former, Tpm};
use tracing::{debug, warn};

/// The program, as it is named in every distribution.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// How long QEMU may take from its start until it answers.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long a QEMU that runs may take to greet.
const ADOPT_DEADLINE: Duration = Duration::from_secs(5);
/// How long to wait between two tries to get into its queue, when that is full.
const QUEUE_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait between two looks at whether QEMU has taken its sockets over, which takes it some
/// 50 ms. Each look takes a place among those who wait to be accepted, and there are some hundred.
const TAKE_OVER_PAUSE: Duration = Duration::from_millis(50);
/// How long QEMU may take to say what it is.
const QUESTION_DEADLINE: Duration = Duration::from_secs(5);
/// How long a QEMU that closed its connection, or was killed, may take to end.
const END_DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer to such a question; `-machine help` has some 10 kB.
const ANSWER_LIMIT: u64 = 1 << 20;

/// The engine.
#[derive(Debug)]
pub struct Qemu {
    program: PathBuf,
    facts: Mutex<Option<Facts>>,
    /// The program that is the switch of an isolated network.
    switch: Option<PathBuf>,
}

/// What a program said about itself, good for as long as its file is the same.
#[derive(Debug, Clone)]
struct Facts {
    path: PathBuf,
    modified: Option<SystemTime>,
    version: Option<String>,
    newest_machine: Option<String>,
    audio: Option<Vec<AudioService>>,
    cpu_models: Option<Vec<String>>,
    /// Its parts for devices of the host's.
    host_devices: Option<Vec<&'static str>>,
}

impl Qemu {
    /// QEMU by this name, searched for in `PATH`, or at this path.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), facts: Mutex::new(None), switch: None }
    }

    /// With a program that is the switch of an isolated network, where it is called with [`crate::switch::FLAG`] and
    /// the network's folder.
    #[must_use]
    pub fn with_switch(mut self, program: PathBuf) -> Self {
        self.switch = Some(program);
        self
    }

    fn name(&self) -> String {
        self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy().into_owned()
    }

    fn find(&self) -> Result<PathBuf, EngineError> {
        find_program(&self.program).ok_or_else(|| EngineError::Missing { program: self.name() })
    }

    /// What is known of this program already.
    fn facts(&self, path: &Path) -> Facts {
        let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let known = self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|facts| facts.path == path && facts.modified == modified).unwrap_or_else(|| Facts {
            path: path.to_owned(),
            modified,
            version: None,
            newest_machine: None,
            audio: None,
            cpu_models: None,
            host_devices: None,
        })
    }

    fn remember(&self, learned: impl FnOnce(&mut Facts), path: &Path) {
        let mut facts = self.facts(path);
        learned(&mut facts);
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(facts);
    }

    /// What this QEMU answers to a question; asked for once, until another file is its program.
    async fn ask_once<T: Clone>(
        &self,
        fact: impl Fn(&mut Facts) -> &mut Option<T>,
        question: [&str; 2],
        read: impl FnOnce(&str) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let path = self.find()?;
        if let Some(known) = fact(&mut self.facts(&path)) {
            return Ok(known.clone());
        }
        let learned = read(&ask(&path, &question).await?)?;
        self.remember(|facts| *fact(facts) = Some(learned.clone()), &path);
        Ok(learned)
    }

    /// Its parts for devices of the host's. Distributions have them in packages of their own.
    async fn host_devices(&self) -> Result<Vec<&'static str>, EngineError> {
        let read = |answer: &str| Ok(host_devices_in(answer));
        self.ask_once(|facts| &mut facts.host_devices, ["-device", "help"], read).await
    }

    /// What to leave out of messages: the program's name, and the argument that QEMU speaks about.
    fn noise(&self, arguments: &[String]) -> Vec<String> {
        let mut noise = vec![format!("{PROGRAM}: "), format!("{}: ", self.name())];
        noise.extend(arguments.windows(2).map(|pair| format!("{}: ", pair.join(" "))));
        noise
    }
}

#[async_trait]
impl Engine for Qemu {
    async fn info(&self) -> EngineInfo {
        let program = self.name();
        let Ok(path) = self.find() else { return EngineInfo { program, path: None, version: None } };
        let mut version = self.facts(&path).version;
        if version.is_none() {
            match ask(&path, &["--version"]).await {
                Ok(answer) => version = version_in(&answer),
                Err(error) => warn!(%error, "the engine does not say its version"),
            }
            self.remember(|facts| facts.version.clone_from(&version), &path);
        }
        EngineInfo { program, path: Some(path.to_string_lossy().into_owned()), version }
    }

    async fn newest_machine(&self) -> Result<String, EngineError> {
        let read = |answer: &str| {
            newest_machine_in(answer)
                .ok_or_else(|| EngineError::Refused { detail: "it names no machine of the kind q35".into() })
        };
        self.ask_once(|facts| &mut facts.newest_machine, ["-machine", "help"], read).await
    }

    async fn cpu_models(&self) -> Result<Vec<String>, EngineError> {
        let read = |answer: &str| Ok(cpu_models_in(answer));
        self.ask_once(|facts| &mut facts.cpu_models, ["-cpu", "help"], read).await
    }

    async fn has_usb(&self) -> Result<bool, EngineError> {
        Ok(self.host_devices().await?.contains(&usb::DRIVER))
    }

    async fn has_pci(&self) -> Result<bool, EngineError> {
        Ok(self.host_devices().await?.contains(&pci::DRIVER))
    }

    fn tpm_program(&self) -> Option<PathBuf> {
        find_program(Path::new(tpm::PROGRAM))
    }

    async fn audio(&self) -> Option<AudioService> {
        let read = |answer: &str| Ok(devices::services_in(answer));
        let known = self.ask_once(|facts| &mut facts.audio, ["-audiodev", "help"], read).await;
        let known = known.inspect_err(|error| warn!(%error, "the engine names no sound services")).ok()?;
        host::audio::services().await.into_iter().find(|service| known.contains(service))
    }

    fn command_line(&self, machine: &MachineConfig) -> Vec<String> {
        let program = self.find().unwrap_or_else(|_missing| self.program.clone());
        let arguments = command_line::arguments(machine, &Sockets::nominal(machine));
        std::iter::once(program.to_string_lossy().into_owned()).chain(arguments).collect()
    }

    async fn start(
        &self,
        machine: &MachineConfig,
        events: EventSender,
    ) -> Result<Arc<dyn Machine>, EngineError> {
        let program = self.find()?;
        command_line::check(machine).map_err(|detail| EngineError::NotStarted { detail })?;
        let starting = format!("{} could not be prepared", machine.run.folder.display());
        let folder = RunFolder::open(&machine.run.folder).map_err(|error| failed(&starting, &error))?;
        let listeners =
            listen(&folder, machine.run.serial_logs.len()).map_err(|error| failed(&starting, &error))?;
        let [monitor, agent, serial @ ..] = &listeners[..] else { return Err(EngineError::Gone) };
        let mut sockets = Sockets {
            monitor: monitor.as_raw_fd(),
            agent: agent.as_raw_fd(),
            serial: serial.iter().map(AsRawFd::as_raw_fd).collect(),
            tpm: None,
            taps: Vec::new(),
        };
        let mut inherited = listeners;
        let mut tpm = None;
        if machine.tpm {
            let missing = EngineError::Missing { program: tpm::PROGRAM.into() };
            let program = self.tpm_program().ok_or(missing)?;
            let log = machine.run.engine_log.with_file_name("tpm.log");
            let (started, socket) = Tpm::start(&program, &machine.run.tpm_folder, &log).await?;
            sockets.tpm = Some(socket.as_raw_fd());
            inherited.push(socket);
            tpm = Some(started);
        }
        let networks = Networks::new(machine.guest, &machine.run, self.switch.clone());
        for nic in &machine.nics {
            if let Some(tap) = networks.prepare(&nic.network).await? {
                sockets.taps.push((nic.number, tap.as_raw_fd()));
                inherited.push(tap);
            }
        }
        inherited.extend(claims::of(machine).await?);
        if !machine.pci.is_empty() {
            pci::allow_locked_memory();
        }
        let arguments = command_line::arguments(machine, &sockets);
        let noise = self.noise(&arguments);
        let rules = rules(program.clone(), machine.clone()).await;
        let log = &machine.run.engine_log;
        let child = process::spawn(&program, &arguments, &inherited, log, Path::new("/"), rules)
            .map_err(|error| failed(&format!("{} could not be run", program.display()), &error))?;
        // From here on QEMU alone listens, and its end is the end of its sockets.
        drop(inherited);
        let mut fresh = Fresh::new(child, folder, machine.run.clone())?;
        let connected = timeout(START_DEADLINE, fresh.connect())
            .await
            .unwrap_or_else(|_elapsed| Err(EngineError::Silent { seconds: START_DEADLINE.as_secs() as u32 }));
        match connected {
            Ok(connections) => {
                if let Err(error) = network::unplug(&connections.client, &machine.nics).await {
                    return Err(fresh.give_up(error, &noise).await);
                }
                machine.nics.iter().for_each(|nic| networks.connect(&nic.network));
                let machine = fresh.take_off(connections, events, noise, networks)?;
                if let Some(tpm) = tpm {
                    tpm.release();
                }
                Ok(machine)
            }
            Err(why) => Err(fresh.give_up(why, &noise).await),
        }
    }

    async fn adopt(
        &self,
        guest: GuestId,
        run: &RunFiles,
        events: EventSender,
    ) -> Result<Option<Adopted>, EngineError> {
        let Ok(folder) = RunFolder::open(&run.folder) else { return Ok(None) };
        let tpm = Former::of(&run.tpm_folder);
        let reached = timeout(ADOPT_DEADLINE, reach(&folder, run.serial_logs.len())).await;
        let silent = EngineError::Silent { seconds: ADOPT_DEADLINE.as_secs() as u32 };
        let Some((stream, process)) = reached.unwrap_or(Err(silent))? else {
            if let Some(tpm) = tpm {
                tpm.end().await;
            }
            return Ok(None);
        };
        let (client, incoming) = match Client::connect(stream, ADOPT_DEADLINE).await {
            Ok(connected) => connected,
            Err(EngineError::Gone) => return Ok(None),
            Err(error) => return Err(error),
        };
        // An answer that comes after the process was taken hold of makes sure that it is the same.
        let answer = client.call("query-uuid", json!({})).await?;
        if answer.get("UUID").and_then(Value::as_str) != Some(guest.to_string().as_str()) {
            warn!(%guest, %answer, pid = process.pid(), "another guest's engine is in this guest's folder");
            return Ok(None);
        }
        let status = machine::query_status(&client).await?;
        let mut serial = Vec::new();
        for port in 0..run.serial_logs.len() {
            let stream = folder.connect(&serial_socket(port)).await;
            serial.push(stream.inspect_err(|error| warn!(%error, port, "no way to the serial port")).ok());
        }
        let networks = Networks::new(guest, run, self.switch.clone());
        networks.reconnect();
        // A machine of an earlier version has none.
        let agent = folder.connect(AGENT).await.ok().map(Agent::new);
        let watched = Process::with_pid(process.pid()).map_err(|_ended| EngineError::Gone)?;
        let client = Arc::new(client);
        let watch = Watch {
            ending: Ending::Foreign(watched),
            incoming,
            client: Arc::downgrade(&client),
            status,
            events,
            folder,
            run: run.clone(),
            noise: self.noise(&[]),
            networks,
            news: Arc::default(),
        };
        let machine = QemuMachine::watched(process, client, agent, serial, watch);
        Ok(Some(Adopted { machine, status }))
    }
}

/// What keeps a QEMU to the files of its machine.
async fn rules(program: PathBuf, machine: MachineConfig) -> Option<RulesetCreated> {
    let rules = move || {
        // What is not there yet can't be reached later, and a machine may come into a network while it runs.
        if let Err(error) = hv_api::paths::private_folder(&machine.run.networks) {
            warn!(%error, "the guest can be in no isolated network");
        }
        Reach::of(&program, &machine).rules_or_none()
    };
    tokio::task::spawn_blocking(rules).await.ok().flatten()
}

/// A QEMU that is being started. Dropping it ends the process.
struct Fresh {
    process: Process,
    /// Nothing once the machine runs.
    held: Option<(Child, RunFolder, RunFiles)>,
}

/// The connections to a QEMU that is ready.
struct Connections {
    client: Client,
    incoming: tokio::sync::mpsc::Receiver<qmp::Event>,
    agent: UnixStream,
    serial: Vec<Option<UnixStream>>,
}

impl Fresh {
    fn new(mut child: Child, folder: RunFolder, run: RunFiles) -> Result<Self, EngineError> {
        // The child isn't waited for yet, so that nobody else can have its number.
        let process = child.id().ok_or(EngineError::Gone).and_then(|pid| {
            Process::with_pid(pid).map_err(|error| failed("the engine can't be watched", &error))
        });
        match process {
            Ok(process) => Ok(Self { process, held: Some((child, folder, run)) }),
            Err(error) => {
                let _gone = child.start_kill();
                Err(error)
            }
        }
    }

    async fn connect(&mut self) -> Result<Connections, EngineError> {
        let Some((child, folder, run)) = &mut self.held else { return Err(EngineError::Gone) };
        let connect = async {
            let unreachable = |error: io::Error| match error.kind() {
                // Reset where it ended between two of its ports.
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::NotFound => EngineError::Gone,
                _ => failed("the engine can't be reached", &error),
            };
            let mut serial = Vec::new();
            for port in 0..run.serial_logs.len() {
                serial.push(Some(folder.connect(&serial_socket(port)).await.map_err(unreachable)?));
            }
            let agent = folder.connect(AGENT).await.map_err(unreachable)?;
            let monitor = folder.connect(MONITOR).await.map_err(unreachable)?;
            let (client, incoming) = Client::connect(monitor, START_DEADLINE).await?;
            Ok(Connections { client, incoming, agent, serial })
        };
        tokio::select! {
            connected = connect => connected,
            _ended = child.wait() => Err(EngineError::Gone),
        }
    }

    fn take_off(
        mut self,
        connections: Connections,
        events: EventSender,
        noise: Vec<String>,
        networks: Networks,
    ) -> Result<Arc<dyn Machine>, EngineError> {
        let process = Process::with_pid(self.process.pid()).map_err(|_ended| EngineError::Gone)?;
        let (child, folder, run) = self.held.take().ok_or(EngineError::Gone)?;
        let Connections { client, incoming, agent, serial } = connections;
        let client = Arc::new(client);
        let watch = Watch {
            ending: Ending::Ours(child),
            incoming,
            client: Arc::downgrade(&client),
            status: MachineStatus::Paused,
            events,
            folder,
            run,
            noise,
            networks,
            news: Arc::default(),
        };
        Ok(QemuMachine::watched(process, client, Some(Agent::new(agent)), serial, watch))
    }

    /// Ends a QEMU that did not come up, and says why it did not.
    async fn give_up(mut self, why: EngineError, noise: &[String]) -> EngineError {
        let Some((child, _folder, run)) = &mut self.held else { return why };
        let mut how = None;
        if why == EngineError::Gone {
            // It closed its connection to end, and shall have its last words.
            how = timeout(END_DEADLINE, child.wait()).await.ok().and_then(Result::ok);
        }
        if how.is_none() {
            self.process.kill();
            if timeout(END_DEADLINE, child.wait()).await.is_err() {
                warn!(pid = self.process.pid(), "the engine does not end");
            }
        }
        let words = process::last_words(&run.engine_log, noise);
        debug!(%why, words, "the engine did not start");
        match why {
            EngineError::Silent { .. } => why,
            EngineError::Gone if words.is_empty() => {
                EngineError::NotStarted { detail: machine::farewell("", how) }
            }
            EngineError::Gone => EngineError::NotStarted { detail: words },
            EngineError::Refused { detail } => EngineError::NotStarted { detail },
            other => other,
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some((_child, folder, run)) = &self.held {
            self.process.kill();
            folder.clear(run.serial_logs.len());
        }
    }
}

/// Makes the sockets of a machine: QMP's, that of the guest's agent, then those of its serial ports.
fn listen(folder: &RunFolder, serial_ports: usize) -> io::Result<Vec<OwnedFd>> {
    let names = [MONITOR, AGENT].map(str::to_owned).into_iter().chain((0..serial_ports).map(serial_socket));
    names.map(|name| folder.listen(&name).map(OwnedFd::from)).collect()
}

/// Connects to a QEMU that may not have accepted those before us yet.
async fn connect_patiently(folder: &RunFolder) -> Result<io::Result<UnixStream>, EngineError> {
    let connect = async {
        loop {
            match folder.connect(MONITOR).await {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::sleep(QUEUE_PAUSE).await;
                }
                result => return result,
            }
        }
    };
    let silent = EngineError::Silent { seconds: ADOPT_DEADLINE.as_secs() as u32 };
    timeout(ADOPT_DEADLINE, connect).await.map_err(|_elapsed| silent)
}

/// Connects to the QEMU that serves this folder's monitor; nothing where none does.
///
/// A core makes the sockets before it starts QEMU, so that one that was killed in between leaves sockets
/// in its own name, which QEMU takes over a moment later. That moment is waited for.
async fn reach(
    folder: &RunFolder,
    serial_ports: usize,
) -> Result<Option<(UnixStream, Process)>, EngineError> {
    loop {
        let stream = match connect_patiently(folder).await? {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                folder.clear(serial_ports);
                return Ok(None);
            }
            Err(error) => return Err(EngineError::Refused { detail: error.to_string() }),
        };
        let Ok(peer) = stream.peer_cred() else { return Ok(None) };
        if peer.uid() != rustix::process::getuid().as_raw() {
            warn!(uid = peer.uid(), "another user's process is in this guest's folder");
            return Ok(None);
        }
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
        if let Some(process) = pid.and_then(|pid| Process::with_pid(pid).ok()) {
            return Ok(Some((stream, process)));
        }
        drop(stream);
        tokio::time::sleep(TAKE_OVER_PAUSE).await;
    }
}

/// A program by its name, searched for in `PATH`, or by its path.
fn find_program(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return Some(name.to_owned()).filter(|path| is_program(path));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn failed(what: &str, error: &io::Error) -> EngineError {
    EngineError::NotStarted { detail: format!("{what}: {error}") }
}

/// Runs the program with a question and returns what it says.
async fn ask(program: &Path, question: &[&str]) -> Result<String, EngineError> {
    let mut child = Command::new(program)
        .args(question)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&format!("{} could not be run", program.display()), &error))?;
    let mut answer = Vec::new();
    let listen = async {
        if let Some(output) = child.stdout.take() {
            output.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
        }
        child.wait().await
    };
    match timeout(QUESTION_DEADLINE, listen).await {
        Ok(Ok(status)) if status.success() => Ok(String::from_utf8_lossy(&answer).into_owned()),
        Ok(Ok(status)) => Err(EngineError::Refused { detail: format!("{}: {status}", question.join(" ")) }),
        Ok(Err(error)) => Err(failed("the engine's answer can't be read", &error)),
        Err(_elapsed) => Err(EngineError::Silent { seconds: QUESTION_DEADLINE.as_secs() as u32 }),
    }
}

/// `QEMU emulator version 7.2.22 (Debian …)` → `7.2.22`.
fn version_in(answer: &str) -> Option<String> {
    let version = answer.lines().next()?.split_once("version ")?.1.split_whitespace().next()?;
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

/// The second word of each line `x86 NAME  (…)`. The host's own CPU is only there where nothing is emulated.
fn cpu_models_in(answer: &str) -> Vec<String> {
    let name = |line: &str| line.strip_prefix("x86 ")?.split_whitespace().next().map(str::to_owned);
    answer.lines().filter_map(name).filter(|name| name != "host" && is_cpu_model(name)).collect()
}

/// The line `name "usb-host", bus usb-bus` and its like.
fn host_devices_in(answer: &str) -> Vec<&'static str> {
    let is_in = |driver: &str| {
        let name = format!("name \"{driver}\"");
        answer.lines().any(|line| line.starts_with(&name))
    };
    [usb::DRIVER, pci::DRIVER].into_iter().filter(|driver| is_in(driver)).collect()
}

/// Whether this can be the name of a CPU model: nothing else in it would mean anything to QEMU.
fn is_cpu_model(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// `q35   Standard PC (…) (alias of pc-q35-7.2)` → `pc-q35-7.2`.
fn newest_machine_in(answer: &str) -> Option<String> {
    let line = answer.lines().find(|line| line.split_whitespace().next() == Some("q35"))?;
    let name = line.split_once("(alias of ")?.1.split(')').next()?;
    name.starts_with("pc-q35-").then(|| name.to_owned())
}
