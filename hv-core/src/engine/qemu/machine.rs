//! One running QEMU as a [`Machine`]: what is asked of it, and the watch over it.
//!
//! Two things go on for each machine: its [`QemuMachine`], which gives commands, and a task that tells
//! what happens until the process has ended. The task doesn't keep the connection open: dropping the
//! machine ends it, so that another core may have it.

use super::agent::Agent;
use super::descriptors::{Access, Handed};
use super::events::{self, Translator};
use super::network::Networks;
use super::process::{self, Ending, Process, RunFolder};
use super::qmp::{Client, Event};
use super::tpm::Former;
use super::{command_line, display, keys, live, power, snapshots, state, statistics};
use crate::engine::{
    Alteration, Amount, Canvas, DisplayInput, EngineError, EngineEvent, EventSender, Machine, MachineStatus,
    RunFiles, Volume,
};
use crate::serial;
use async_trait::async_trait;
use hv_api::{ByteSize, GuestStatistics};
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::{debug, info, warn};

/// How long each step of a key press lasts: long enough that a guest which polls its keyboard, or is
/// emulated on a busy host, sees it.
const KEY_STEP: Duration = Duration::from_millis(20);

/// How long a guest may take to read what was typed into a serial port.
const SERIAL_DEADLINE: Duration = Duration::from_secs(5);

/// How long a QEMU that has ended may keep its connection open. Nothing but a process that inherited it
/// could.
const REST_DEADLINE: Duration = Duration::from_secs(1);

/// A running QEMU.
pub struct QemuMachine {
    process: Process,
    client: Arc<Client>,
    /// The guest's agent; nothing where its port could not be reached.
    agent: Option<Arc<Agent>>,
    /// Who sets the guest's clock.
    clock: Mutex<Option<AbortHandle>>,
    /// Whether it was given the state of another machine, and has not run since.
    restored: AtomicBool,
    networks: Networks,
    /// Given a turn with each event about long work of QEMU's.
    news: Arc<Notify>,
    /// Who is to be told when all events so far were.
    turns: mpsc::Sender<oneshot::Sender<()>>,
    /// The serial ports; nothing for those that could not be reached.
    serial: Vec<Option<SerialPort>>,
}

impl QemuMachine {
    /// Puts a machine together from its process, the connections to it and to its serial ports, and the watch
    /// over it, which begins.
    pub fn watched(
        process: Process,
        client: Arc<Client>,
        agent: Option<Agent>,
        serial: Vec<Option<UnixStream>>,
        watch: Watch,
    ) -> Arc<Self> {
        let ports = serial.into_iter().zip(watch.run.serial_logs.clone());
        let serial = ports.map(|(stream, log)| stream.map(|stream| SerialPort::new(stream, log))).collect();
        let (networks, news) = (watch.networks.clone(), Arc::clone(&watch.news));
        let (turns, asked) = mpsc::channel(1);
        tokio::spawn(watch.keep(asked));
        Arc::new(Self {
            process,
            client,
            agent: agent.map(Arc::new),
            clock: Mutex::default(),
            restored: AtomicBool::new(false),
            networks,
            news,
            turns,
            serial,
        })
    }

    /// Puts a medium into a drive. A file is handed over open; the medium of one of this computer's drives QEMU
    /// can reach itself.
    async fn insert(&self, drive: &str, medium: &Path, force: bool) -> Result<(), EngineError> {
        let path = medium.to_str().filter(|_| medium.is_absolute()).ok_or_else(|| EngineError::Refused {
            detail: format!("the path {} is not absolute or not UTF-8", medium.display()),
        })?;
        let put = async |filename: &str| {
            let arguments = json!({
                "id": drive, "filename": filename, "format": "raw", "force": force,
                "read-only-mode": "read-only",
            });
            self.command("blockdev-change-medium", arguments).await
        };
        if path.starts_with("/dev/") {
            return put(path).await;
        }
        let file = Handed::opened(&self.client, medium, Access::Read).await?;
        let inserted = put(&file.name()).await;
        file.close(&self.client).await;
        inserted
    }

    async fn command(&self, command: &str, arguments: Value) -> Result<(), EngineError> {
        self.client.call(command, arguments).await.map(|_answer| ())
    }

    /// Has the guest's clock set, which has stood with its CPUs. Where that can't be done, the guest is no worse
    /// off than without an agent.
    fn set_clock(&self) {
        let Some(agent) = self.agent.clone() else { return };
        let (client, restored) = (Arc::clone(&self.client), self.restored.swap(false, Ordering::AcqRel));
        let set = tokio::spawn(async move {
            let set = agent.set_clock(&client, restored).await;
            debug!(?set, "the guest's clock");
        });
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = clock.replace(set.abort_handle()) {
            former.abort();
        }
    }
}

impl Drop for QemuMachine {
    fn drop(&mut self) {
        let clock = self.clock.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(clock) = clock.take() {
            clock.abort();
        }
    }
}

#[async_trait]
impl Machine for QemuMachine {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    async fn resume(&self) -> Result<(), EngineError> {
        self.command("cont", json!({})).await?;
        self.set_clock();
        Ok(())
    }

    async fn pause(&self) -> Result<(), EngineError> {
        self.command("stop", json!({})).await
    }

    async fn power_button(&self) -> Result<(), EngineError> {
        if let Some(agent) = &self.agent {
            match agent.shut_down(&self.client).await {
                Ok(()) => return Ok(()),
                Err(error) => debug!(%error, "pressing the power button instead of asking the agent"),
            }
        }
        self.command("system_powerdown", json!({})).await
    }

    async fn hears_power_button(&self) -> Result<bool, EngineError> {
        if let Some(agent) = &self.agent
            && agent.answers(&self.client).await
        {
            return Ok(true);
        }
        power::hears_button(&self.client).await
    }

    async fn reset(&self) -> Result<(), EngineError> {
        // A machine that stops where its guest restarts itself would stop here as well.
        self.alter(Alteration::StopOnReboot(false)).await?;
        self.command("system_reset", json!({})).await
    }

    async fn dump_memory(&self, file: OwnedFd) -> Result<(), EngineError> {
        power::dump_memory(&self.client, file).await
    }

    async fn quit(&self) -> Result<(), EngineError> {
        match self.command("quit", json!({})).await {
            // It has ended, before it answered or already.
            Err(EngineError::Gone) => Ok(()),
            other => other,
        }
    }

    fn kill(&self) {
        self.process.kill();
    }

    async fn save(&self, file: OwnedFd, progress: &watch::Sender<Amount>) -> Result<(), EngineError> {
        state::save(&self.client, &self.news, file, progress).await
    }

    async fn keep_volumes(&self, name: &str, volumes: &[Volume]) -> Result<(), EngineError> {
        snapshots::keep(&self.client, name, volumes).await
    }

    async fn forget_kept(&self, name: &str, volume: Volume) -> Result<(), EngineError> {
        snapshots::forget(&self.client, name, volume).await
    }

    async fn cancel_save(&self) -> Result<(), EngineError> {
        state::cancel(&self.client, &self.news).await
    }

    async fn hear_out(&self) {
        let (sender, heard) = oneshot::channel();
        // Where the watch has ended, all was told.
        if self.turns.send(sender).await.is_ok() {
            let _ended = heard.await;
        }
    }

    async fn load(&self, file: OwnedFd, progress: &watch::Sender<Amount>) -> Result<(), EngineError> {
        state::load(&self.client, &self.news, file, progress).await?;
        self.restored.store(true, Ordering::Release);
        Ok(())
    }

    async fn change_medium(
        &self,
        drive: u32,
        medium: Option<PathBuf>,
        force: bool,
    ) -> Result<(), EngineError> {
        let drive = drive as usize;
        let id = command_line::drive_name(drive);
        let changed = match medium {
            Some(path) => self.insert(&id, &path, force).await,
            None => self.command("eject", json!({ "id": id, "force": force })).await,
        };
        changed.map_err(|error| match error {
            EngineError::Refused { detail } if detail.contains("is locked") => EngineError::MediumLocked,
            error => error,
        })?;
        forget_medium(&self.client, drive).await;
        Ok(())
    }

    async fn alter(&self, alteration: Alteration) -> Result<(), EngineError> {
        live::alter(&self.client, &self.networks, alteration).await
    }

    async fn added_memory(&self) -> Result<Vec<ByteSize>, EngineError> {
        live::added_memory(&self.client).await
    }

    async fn memory(&self) -> Result<ByteSize, EngineError> {
        live::memory(&self.client).await
    }

    async fn screenshot(&self, file: OwnedFd) -> Result<(), EngineError> {
        let file = Handed::over(&self.client, file).await?;
        let drawn = self.command("screendump", json!({ "filename": file.name(), "format": "png" })).await;
        file.close(&self.client).await;
        drawn
    }

    async fn press_keys(&self, codes: &[u16]) -> Result<(), EngineError> {
        let numbers = codes
            .iter()
            .map(|code| {
                keys::qnum(*code).ok_or_else(|| EngineError::Refused {
                    detail: format!("it has no key for the code {code}"),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let values: Vec<_> =
            numbers.iter().map(|number| json!({ "type": "number", "data": number })).collect();
        let step = KEY_STEP.as_millis() as u64;
        self.command("send-key", json!({ "keys": values, "hold-time": step })).await?;
        // QEMU answers at once and then takes one step for each key that goes down or up. Keys that
        // come sooner would wait in a queue that has an end.
        let steps = u32::try_from(numbers.len() * 2).unwrap_or(u32::MAX);
        tokio::time::sleep(KEY_STEP.saturating_mul(steps)).await;
        Ok(())
    }

    async fn write_serial(&self, port: u32, bytes: Vec<u8>) -> Result<(), EngineError> {
        match self.serial.get(port as usize) {
            Some(Some(port)) => port.write(bytes).await,
            Some(None) => {
                Err(EngineError::Refused { detail: format!("serial port {port} can't be reached") })
            }
            None => Err(EngineError::Refused { detail: format!("it has no serial port {port}") }),
        }
    }

    async fn statistics(&self) -> Result<GuestStatistics, EngineError> {
        statistics::measure(&self.client, &self.process, self.agent.as_deref()).await
    }

    async fn observe_memory(&self, on: bool) -> Result<(), EngineError> {
        statistics::observe_memory(&self.client, on).await
    }

    async fn open_display(&self, canvas: Box<dyn Canvas>) -> Result<Box<dyn DisplayInput>, EngineError> {
        display::open(Arc::clone(&self.client), canvas).await
    }
}

/// Lets go of the file with which a drive started, once something else is in the drive. Media that come
/// later QEMU closes by itself.
async fn forget_medium(client: &Client, drive: usize) {
    let node = command_line::medium_node(drive);
    if let Err(error) = client.call("blockdev-del", json!({ "node-name": node })).await {
        debug!(%error, node, "no medium to forget");
    }
}

/// Takes the media out of drives that their guest has opened, and says which these are.
///
/// QEMU leaves the medium in an open drive, and closes the drive when the machine is reset: a guest that
/// ejects its installation medium would find it again.
async fn empty_open_drives(client: &Client) -> Vec<u32> {
    let open = match client.call("query-block", json!({})).await {
        Ok(answer) => events::open_drives(&answer),
        Err(error) => {
            warn!(%error, "what the drives hold is unknown");
            return Vec::new();
        }
    };
    let mut emptied = Vec::new();
    for drive in open {
        let id = command_line::drive_name(drive as usize);
        // Refused where the drive was closed meanwhile, by the guest or with a new medium.
        match client.call("blockdev-remove-medium", json!({ "id": id })).await {
            Ok(_done) => {
                forget_medium(client, drive as usize).await;
                emptied.push(drive);
            }
            Err(error) => debug!(%error, id, "the medium stays"),
        }
    }
    emptied
}

/// Asks what the machine is doing.
pub async fn query_status(client: &Client) -> Result<MachineStatus, EngineError> {
    client.call("query-status", json!({})).await.map(|answer| events::status(&answer))
}

/// A serial port: what comes from it is drained, since a guest whose output nobody takes stands still.
/// QEMU itself writes it to the log from which people read it.
struct SerialPort {
    input: mpsc::Sender<Typed>,
    drain: AbortHandle,
    feed: AbortHandle,
}

struct Typed {
    bytes: Vec<u8>,
    done: oneshot::Sender<()>,
}

impl SerialPort {
    fn new(stream: UnixStream, log: PathBuf) -> Self {
        let (output, typed) = stream.into_split();
        let (input, to_type) = mpsc::channel(4);
        Self {
            input,
            drain: tokio::spawn(drain(output, log)).abort_handle(),
            feed: tokio::spawn(feed(typed, to_type)).abort_handle(),
        }
    }

    async fn write(&self, bytes: Vec<u8>) -> Result<(), EngineError> {
        let (done, written) = oneshot::channel();
        let write = async {
            self.input.send(Typed { bytes, done }).await.map_err(|_ended| EngineError::Gone)?;
            written.await.map_err(|_ended| EngineError::Gone)
        };
        let silent = EngineError::Silent { seconds: SERIAL_DEADLINE.as_secs() as u32 };
        timeout(SERIAL_DEADLINE, write).await.unwrap_or(Err(silent))
    }
}

impl Drop for SerialPort {
    fn drop(&mut self) {
        self.drain.abort();
        self.feed.abort();
    }
}

/// How much a guest may write before its log is shortened, in bytes.
const SHORTEN_EVERY: usize = 4 << 20;

async fn drain(mut output: OwnedReadHalf, log: PathBuf) {
    let mut unread = vec![0; 16 << 10];
    let mut written = 0;
    while let Ok(count @ 1..) = output.read(&mut unread).await {
        written += count;
        if written >= SHORTEN_EVERY {
            written = 0;
            if let Err(error) = serial::shorten_log(&log) {
                warn!(%error, log = %log.display(), "the log of a serial port grows without bound");
            }
        }
    }
}

async fn feed(mut serial: OwnedWriteHalf, mut typed: mpsc::Receiver<Typed>) {
    while let Some(Typed { bytes, done }) = typed.recv().await {
        if let Err(error) = serial.write_all(&bytes).await {
            debug!(%error, "the serial port is closed");
            return;
        }
        let _gave_up = done.send(());
    }
}

/// The watch over one machine.
pub struct Watch {
    /// Its end.
    pub ending: Ending,
    /// What QEMU says.
    pub incoming: mpsc::Receiver<Event>,
    /// The connection, for questions that events raise.
    pub client: Weak<Client>,
    /// What the machine was doing when the watch began.
    pub status: MachineStatus,
    /// Where to tell it.
    pub events: EventSender,
    /// The folder with its sockets.
    pub folder: RunFolder,
    /// Its files.
    pub run: RunFiles,
    /// What to leave out of its last words.
    pub noise: Vec<String>,
    /// Given a turn with each event about long work of QEMU's.
    pub news: Arc<Notify>,
    /// Where its cards' networks are.
    pub networks: Networks,
}

impl Watch {
    /// Tells what happens until the machine has ended or nobody listens, and who asks when it has told all.
    pub async fn keep(mut self, mut turns: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut translator = Translator::found(self.status);
        let mut connected = true;
        if matches!(self.ending, Ending::Foreign(_)) {
            self.look_into_drives().await;
            self.look_for_failed_disks().await;
            self.forget_statistics().await;
        }
        let how = loop {
            tokio::select! {
                // An event that came before an answer is told before who waited for that gets a turn.
                biased;
                event = self.incoming.recv(), if connected => match event {
                    Some(event) => self.tell(&mut translator, &event).await,
                    None => connected = false,
                },
                Some(turn) = turns.recv() => drop(turn.send(())),
                how = self.ending.wait() => break how,
                () = self.events.closed() => return,
            }
        };
        let rest = async {
            while let Some(event) = self.incoming.recv().await {
                self.tell(&mut translator, &event).await;
            }
        };
        if timeout(REST_DEADLINE, rest).await.is_err() {
            warn!("the engine has ended, its connection has not");
        }
        // Before the end is told: who hears of it may start the machine anew.
        self.folder.clear(self.run.serial_logs.len());
        self.networks.clear();
        if let Some(tpm) = Former::of(&self.run.tpm_folder) {
            tokio::spawn(tpm.end());
        }
        let detail = farewell(&process::last_words(&self.run.engine_log, &self.noise), how);
        info!(detail, "the engine has ended");
        self.say(EngineEvent::Exited { detail }).await;
    }

    async fn tell(&self, translator: &mut Translator, event: &Event) {
        if let Some(told) = translator.translate(event) {
            self.say(told).await;
        }
        if events::of_long_work(event) {
            self.news.notify_one();
        }
        if events::tray_opened(event) {
            self.look_into_drives().await;
        }
        if let Some(client) = self.client.upgrade()
            && client.take_lost()
            && let Ok(status) = query_status(&client).await
        {
            *translator = Translator::found(status);
            self.say(events::of_status(status)).await;
        }
    }

    async fn look_into_drives(&self) {
        let Some(client) = self.client.upgrade() else { return };
        for drive in empty_open_drives(&client).await {
            self.say(EngineEvent::MediumEjected { drive }).await;
        }
    }

    /// A machine that stands may do so since a disk failed while no core ran.
    async fn look_for_failed_disks(&self) {
        if self.status != MachineStatus::Paused {
            return;
        }
        let Some(client) = self.client.upgrade() else { return };
        if let Ok(blocks) = client.call("query-block", json!({})).await
            && let Some(failed) = events::failed_disk(&blocks)
        {
            self.say(failed).await;
        }
    }

    /// Ends what a core may have begun that was killed while somebody looked at statistics.
    async fn forget_statistics(&self) {
        let Some(client) = self.client.upgrade() else { return };
        if let Err(error) = statistics::observe_memory(&client, false).await {
            debug!(%error, "the guest may be asked about its memory for nobody");
        }
    }

    async fn say(&self, event: EngineEvent) {
        // Where nobody listens any more, the next turn of `keep` ends.
        let _unheard = self.events.send(event).await;
    }
}

/// The last words of an engine and how it ended.
pub fn farewell(words: &str, how: Option<ExitStatus>) -> String {
    let how = how.map_or_else(|| "ended".to_owned(), |status| status.to_string());
    if words.is_empty() { how } else { format!("{words}\n({how})") }
}
