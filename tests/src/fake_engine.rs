//! An engine within the test's own process, and a core that uses it: for what has to happen at an exact
//! moment, and for what no program can be made to do.

use crate::Home;
use async_trait::async_trait;
use hv_api::display::Button;
use hv_api::{Accelerator, AcceleratorInfo, ByteSize, EngineInfo, GuestId, GuestStatistics, KvmState};
use hv_core::daemon::Daemon;
use hv_core::engine::{
    Adopted, Alteration, Amount, Canvas, DiskName, DisplayInput, Engine, EngineError, EngineEvent,
    EventSender, Machine, MachineConfig, MachineStatus, RunFiles, Volume,
};
use hv_core::host::scopes::Scopes;
use hv_core::host::{Accelerators, Folders};
use hv_core::session;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use zbus::connection::Builder;

/// For how long nobody must have looked at a guest of a core on a test's bus until it is paused on battery.
pub const UNSEEN_FOR: Duration = Duration::from_millis(400);

/// Something that is asked of an engine or of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// To start a machine.
    Start,
    /// To let the CPUs run.
    Resume,
    /// To stop the CPUs.
    Pause,
    /// To press the power button.
    PowerButton,
    /// To say whether the guest listens to it: it does not where this fails.
    HearPowerButton,
    /// To write the guest's memory into a file.
    DumpMemory,
    /// To press the reset button.
    Reset,
    /// To end.
    Quit,
    /// To be altered.
    Alter,
    /// To write its memory.
    Save,
    /// To read its memory.
    Load,
    /// To keep what its disks hold.
    KeepVolumes,
    /// To remove what its disks have kept.
    ForgetKept,
    /// To change a medium without force.
    ChangeMedium,
    /// To show the display.
    OpenDisplay,
    /// To say what it uses.
    Statistics,
}

/// How it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// With this error.
    Fail(EngineError),
    /// Never.
    Stall,
    /// As if it were done, which it is not: a power button that its guest does not hear.
    Ignore,
}

type Answers = Arc<Mutex<HashMap<Asked, Answer>>>;

/// The engine. It does what it is asked, unless it is told otherwise.
#[derive(Debug, Default)]
pub struct FakeEngine {
    answers: Answers,
    machines: Mutex<HashMap<GuestId, Arc<FakeMachine>>>,
}

impl FakeEngine {
    /// Answers this otherwise from now on.
    pub fn answer(&self, asked: Asked, answer: Answer) {
        lock(&self.answers).insert(asked, answer);
    }

    /// Does as it is asked again.
    pub fn obey(&self) {
        lock(&self.answers).clear();
    }

    /// The machine of a guest that was started.
    pub fn machine(&self, guest: GuestId) -> Arc<FakeMachine> {
        Arc::clone(lock(&self.machines).get(&guest).expect("the guest's machine runs"))
    }

    /// How many machines have not ended.
    pub fn running(&self) -> usize {
        lock(&self.machines).values().filter(|machine| !lock(&machine.now).ended).count()
    }
}

/// One machine of it.
pub struct FakeMachine {
    answers: Answers,
    now: Mutex<Now>,
}

struct Now {
    status: MachineStatus,
    memory: ByteSize,
    alterations: Vec<Alteration>,
    ended: bool,
    events: EventSender,
    canvas: Option<Box<dyn Canvas>>,
    measured: u64,
    observed: bool,
    stops_on_reboot: bool,
    pressed: Arc<Mutex<Vec<(u16, bool)>>>,
    disks: HashMap<DiskName, PathBuf>,
}

impl std::fmt::Debug for FakeMachine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeMachine").field("status", &lock(&self.now).status).finish_non_exhaustive()
    }
}

/// What is in its memory.
const MEMORY: &[u8] = b"all that it knows";

/// Not the number of any process: it is larger than Linux gives out.
const NO_PID: u32 = 1 << 30;

impl FakeMachine {
    /// What it is doing.
    pub fn status(&self) -> MachineStatus {
        lock(&self.now).status
    }

    /// Says that something has happened.
    pub fn say(&self, event: EngineEvent) {
        let mut now = lock(&self.now);
        match &event {
            EngineEvent::Running => now.status = MachineStatus::Running,
            EngineEvent::Paused | EngineEvent::DiskFailed { .. } => now.status = MachineStatus::Paused,
            EngineEvent::PoweredOff | EngineEvent::Rebooted => now.status = MachineStatus::PoweredOff,
            EngineEvent::Panicked => now.status = MachineStatus::Panicked,
            EngineEvent::Hung => now.status = MachineStatus::Hung,
            EngineEvent::Exited { .. } => {
                now.ended = true;
                if let Some(mut canvas) = now.canvas.take() {
                    canvas.closed();
                }
            }
            EngineEvent::Memory(size) => now.memory = *size,
            EngineEvent::Reset
            | EngineEvent::MediumEjected { .. }
            | EngineEvent::DiskGone(_)
            | EngineEvent::PciGone(_) => {}
        }
        // A core that is away hears nothing.
        let _unheard = now.events.try_send(event);
    }

    /// Whether its CPUs run. That they do is said before anything that is said from here on.
    pub fn runs(&self) -> bool {
        lock(&self.now).status == MachineStatus::Running
    }

    /// How it was altered.
    pub fn alterations(&self) -> Vec<Alteration> {
        lock(&self.now).alterations.clone()
    }

    /// Draws on the display that was opened.
    pub fn draw(&self, draw: impl FnOnce(&mut dyn Canvas)) {
        draw(lock(&self.now).canvas.as_deref_mut().expect("a display"));
    }

    /// Its guest restarts itself.
    pub fn reboot(&self) {
        let stops = lock(&self.now).stops_on_reboot;
        self.say(if stops { EngineEvent::Rebooted } else { EngineEvent::Reset });
    }

    /// The keys that went down (true) and up on its display.
    pub fn pressed(&self) -> Vec<(u16, bool)> {
        lock(&lock(&self.now).pressed).clone()
    }

    /// How often it was measured, and whether its guest is being asked about its memory.
    pub fn measured(&self) -> (u64, bool) {
        let now = lock(&self.now);
        (now.measured, now.observed)
    }

    /// Does with its disk, which it does not hold open, what an engine would do itself.
    fn image_tool(&self, verb: &str, name: &str, volume: Volume) -> Result<(), EngineError> {
        let Volume::Disk(disk) = volume else { return Ok(()) };
        let path = lock(&self.now).disks.get(&disk).cloned().expect("a disk of that name");
        // Another that a test has begun may have it open for a moment yet.
        for _ in 0..100 {
            let mut tool = std::process::Command::new("qemu-img");
            let done = tool.args(["snapshot", "-q", verb, name]).arg(&path).output();
            match done {
                Ok(done) if done.status.success() => return Ok(()),
                Ok(done) if String::from_utf8_lossy(&done.stderr).contains("lock") => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => break,
            }
        }
        Err(EngineError::Refused { detail: "qemu-img failed".into() })
    }

    async fn asked(&self, asked: Asked) -> Result<(), EngineError> {
        if lock(&self.now).ended {
            return Err(EngineError::Gone);
        }
        answered(&self.answers, asked).await
    }
}

async fn answered(answers: &Answers, asked: Asked) -> Result<(), EngineError> {
    let answer = lock(answers).get(&asked).cloned();
    match answer {
        None | Some(Answer::Ignore) => Ok(()),
        Some(Answer::Fail(error)) => Err(error),
        Some(Answer::Stall) => std::future::pending().await,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Engine for FakeEngine {
    async fn info(&self) -> EngineInfo {
        EngineInfo { program: "pretended".into(), path: Some("/pretended".into()), version: Some("1".into()) }
    }

    async fn newest_machine(&self) -> Result<String, EngineError> {
        Ok("pretended-1".into())
    }

    async fn cpu_models(&self) -> Result<Vec<String>, EngineError> {
        Ok(vec!["max".into(), "pretended".into()])
    }

    fn command_line(&self, machine: &MachineConfig) -> Vec<String> {
        vec!["pretended".into(), machine.name.clone()]
    }

    async fn start(
        &self,
        machine: &MachineConfig,
        events: EventSender,
    ) -> Result<Arc<dyn Machine>, EngineError> {
        answered(&self.answers, Asked::Start).await?;
        let now = Now {
            status: MachineStatus::Paused,
            memory: machine.memory,
            alterations: Vec::new(),
            ended: false,
            events,
            canvas: None,
            measured: 0,
            observed: false,
            stops_on_reboot: false,
            pressed: Arc::default(),
            disks: machine.disks.iter().map(|disk| (disk.name, disk.path.clone())).collect(),
        };
        let started = Arc::new(FakeMachine { answers: Arc::clone(&self.answers), now: Mutex::new(now) });
        lock(&self.machines).insert(machine.guest, Arc::clone(&started));
        Ok(started)
    }

    async fn adopt(
        &self,
        guest: GuestId,
        _run: &RunFiles,
        events: EventSender,
    ) -> Result<Option<Adopted>, EngineError> {
        let Some(machine) = lock(&self.machines).get(&guest).cloned() else { return Ok(None) };
        let status = {
            let mut now = lock(&machine.now);
            if now.ended {
                return Ok(None);
            }
            now.events = events;
            now.status
        };
        Ok(Some(Adopted { machine, status }))
    }
}

#[async_trait]
impl Machine for FakeMachine {
    fn pid(&self) -> u32 {
        NO_PID
    }

    async fn resume(&self) -> Result<(), EngineError> {
        self.asked(Asked::Resume).await?;
        self.say(EngineEvent::Running);
        Ok(())
    }

    async fn pause(&self) -> Result<(), EngineError> {
        self.asked(Asked::Pause).await?;
        self.say(EngineEvent::Paused);
        Ok(())
    }

    async fn power_button(&self) -> Result<(), EngineError> {
        self.asked(Asked::PowerButton).await?;
        if lock(&self.answers).get(&Asked::PowerButton) != Some(&Answer::Ignore) {
            self.say(EngineEvent::PoweredOff);
        }
        Ok(())
    }

    async fn hears_power_button(&self) -> Result<bool, EngineError> {
        Ok(self.asked(Asked::HearPowerButton).await.is_ok())
    }

    async fn dump_memory(&self, file: OwnedFd) -> Result<(), EngineError> {
        self.asked(Asked::DumpMemory).await?;
        File::from(file).write_all(b"memory").expect("a file to write to");
        Ok(())
    }

    async fn reset(&self) -> Result<(), EngineError> {
        self.asked(Asked::Reset).await?;
        self.say(EngineEvent::Reset);
        Ok(())
    }

    async fn quit(&self) -> Result<(), EngineError> {
        self.asked(Asked::Quit).await?;
        self.say(EngineEvent::Exited { detail: "exit status: 0".into() });
        Ok(())
    }

    fn kill(&self) {
        self.say(EngineEvent::Exited { detail: "signal: 9 (SIGKILL)".into() });
    }

    async fn save(&self, file: OwnedFd, progress: &watch::Sender<Amount>) -> Result<(), EngineError> {
        let (done, total) = (ByteSize::bytes(2), ByteSize::bytes(8));
        progress.send_replace(Amount { done, total });
        self.asked(Asked::Save).await?;
        assert_eq!(lock(&self.now).status, MachineStatus::Paused, "only what stands is saved");
        File::from(file).write_all(MEMORY).expect("a file");
        Ok(())
    }

    async fn load(&self, file: OwnedFd, _progress: &watch::Sender<Amount>) -> Result<(), EngineError> {
        self.asked(Asked::Load).await?;
        let mut memory = Vec::new();
        File::from(file).read_to_end(&mut memory).expect("a file");
        assert_eq!(memory, MEMORY);
        Ok(())
    }

    async fn keep_volumes(&self, name: &str, volumes: &[Volume]) -> Result<(), EngineError> {
        self.asked(Asked::KeepVolumes).await?;
        volumes.iter().try_for_each(|volume| self.image_tool("-c", name, *volume))
    }

    async fn forget_kept(&self, name: &str, volume: Volume) -> Result<(), EngineError> {
        self.asked(Asked::ForgetKept).await?;
        // It may not be there.
        drop(self.image_tool("-d", name, volume));
        Ok(())
    }

    async fn change_medium(
        &self,
        _drive: u32,
        _medium: Option<PathBuf>,
        force: bool,
    ) -> Result<(), EngineError> {
        if force { Ok(()) } else { self.asked(Asked::ChangeMedium).await }
    }

    async fn alter(&self, alteration: Alteration) -> Result<(), EngineError> {
        self.asked(Asked::Alter).await?;
        lock(&self.now).alterations.push(alteration.clone());
        match alteration {
            Alteration::Memory(size) => self.say(EngineEvent::Memory(size)),
            Alteration::StopOnReboot(stop) => lock(&self.now).stops_on_reboot = stop,
            Alteration::Cpus(_)
            | Alteration::DiskSize(..)
            | Alteration::AddDisk(_)
            | Alteration::RemoveDisk(_)
            | Alteration::AddNic(_)
            | Alteration::RemoveNic(_)
            | Alteration::Replug(..)
            | Alteration::NicLink(..)
            | Alteration::AddForward(..)
            | Alteration::RemoveForward(..)
            | Alteration::AddUsb(_)
            | Alteration::RemoveUsb(_)
            | Alteration::AddPci(_)
            | Alteration::RemovePci(_) => {}
        }
        Ok(())
    }

    async fn memory(&self) -> Result<ByteSize, EngineError> {
        Ok(lock(&self.now).memory)
    }

    async fn screenshot(&self, _file: OwnedFd) -> Result<(), EngineError> {
        Err(EngineError::Refused { detail: "it takes no pictures".into() })
    }

    async fn press_keys(&self, codes: &[u16]) -> Result<(), EngineError> {
        let pressed = Arc::clone(&lock(&self.now).pressed);
        let (down, up) = (codes.iter().map(|code| (*code, true)), codes.iter().map(|code| (*code, false)));
        lock(&pressed).extend(down.chain(up));
        Ok(())
    }

    async fn write_serial(&self, port: u32, _bytes: Vec<u8>) -> Result<(), EngineError> {
        Err(EngineError::Refused { detail: format!("it has no serial port {port}") })
    }

    async fn statistics(&self) -> Result<GuestStatistics, EngineError> {
        self.asked(Asked::Statistics).await?;
        let mut now = lock(&self.now);
        now.measured += 1;
        Ok(GuestStatistics { time: now.measured, ..GuestStatistics::default() })
    }

    async fn observe_memory(&self, on: bool) -> Result<(), EngineError> {
        lock(&self.now).observed = on;
        Ok(())
    }

    async fn open_display(&self, canvas: Box<dyn Canvas>) -> Result<Box<dyn DisplayInput>, EngineError> {
        self.asked(Asked::OpenDisplay).await?;
        let mut now = lock(&self.now);
        now.canvas = Some(canvas);
        Ok(Box::new(Input(Arc::clone(&now.pressed))))
    }
}

struct Input(Arc<Mutex<Vec<(u16, bool)>>>);

impl DisplayInput for Input {
    fn key(&self, code: u16, down: bool) {
        lock(&self.0).push((code, down));
    }

    // Where the pointer is does not matter to a machine that has none.
    fn pointer_at(&self, _x: u32, _y: u32) {}
    fn pointer_by(&self, _dx: i32, _dy: i32) {}
    fn button(&self, _button: Button, _down: bool) {}
    fn resize(&self, _width: u32, _height: u32) {}
}

/// A core in a thread of this process, with this engine, in a home. It ends with this value, as a core
/// does that is killed.
#[derive(Debug)]
pub struct FakeCore {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeCore {
    /// Starts it; returns when it listens.
    pub async fn start(home: &Home, engine: &Arc<FakeEngine>) -> Self {
        Self::start_with(home, engine, None).await
    }

    /// The same, with a systemd on the bus of this address whose control groups are in that folder.
    pub async fn start_with(
        home: &Home,
        engine: &Arc<FakeEngine>,
        scopes: Option<(String, PathBuf)>,
    ) -> Self {
        Self::launch(home, engine, scopes, None).await
    }

    /// The same, with the bus at this address as the system's.
    pub async fn start_on_bus(home: &Home, engine: &Arc<FakeEngine>, bus: &str) -> Self {
        Self::launch(home, engine, None, Some(bus.to_owned())).await
    }

    async fn launch(
        home: &Home,
        engine: &Arc<FakeEngine>,
        scopes: Option<(String, PathBuf)>,
        bus: Option<String>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (listening, listens) = oneshot::channel();
        let engine: Arc<dyn Engine> = Arc::<FakeEngine>::clone(engine);
        let socket = home.socket();
        let folders = Folders {
            data: home.path("data/guesthouse"),
            guests: home.guests(),
            state: home.path("state/guesthouse"),
            cache: home.path("cache/guesthouse"),
            runtime: home.path("run/guesthouse"),
            config: home.path("config"),
            devices: home.path(Home::DEVICES),
        };
        let thread = std::thread::spawn(move || {
            let scopes = scopes.map_or_else(Scopes::none, |(bus, groups)| Scopes::at(bus, groups));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            // As in the real core.
            let _within = runtime.enter();
            tokio::task::LocalSet::new().block_on(&runtime, async {
                let info = AcceleratorInfo {
                    chosen: Accelerator::Emulation,
                    kvm: KvmState::NoDevice,
                    detail: String::new(),
                };
                let daemon = Daemon::start(engine, folders, Accelerators::fixed(info), scopes, socket).await;
                let daemon = daemon.expect("the core starts");
                if let Some(bus) = bus {
                    daemon.registry().context().patience.set(UNSEEN_FOR);
                    let connecting = async move { Builder::address(bus.as_str())?.build().await };
                    tokio::task::spawn_local(session::follow(daemon.registry(), connecting));
                }
                listening.send(()).expect("somebody waits for it");
                tokio::select! {
                    () = daemon.run() => {}
                    _stopped = stopped => {}
                }
            });
        });
        listens.await.expect("the core starts");
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for FakeCore {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it panicked with was printed already.
            let _panicked = thread.join();
        }
    }
}
