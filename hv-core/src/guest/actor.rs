//! The task that owns one guest. It takes wishes from clients and news from the engine, lets
//! [`super::state`] decide, carries the effects out, and tells everybody what has become of the guest.
//!
//! It never waits for an engine: what takes time runs beside it and comes back as [`Internal`] news. A
//! client's answer is held until its wish has come true or can't any more. What has to do with the engine
//! itself is in `engine`, with shutting it down in `power`, with windows that look at the display in `display`,
//! with pausing on battery in `battery`, with changed settings and media in `changes`, with disks that come and go in
//! `disks`, with saved states in `saving`, with the end of an installation in `install`.

mod battery;
mod changes;
mod disks;
mod display;
mod engine;
mod first_start;
mod install;
mod power;
mod room;
mod saving;
mod snapshots;

use super::config::Definition;
use super::context::Context;
use super::disposable;
use super::handle::{Answer, Handle, Request, engine_error};
use super::launch::{Asked, LAST_WORDS_DEADLINE, Launched};
use super::power::Tries;
use super::record::RunRecord;
use super::saved::Writing;
use super::state::{
    Effect, Ending, Former, Happening, OffCause, PauseCause, Rules, SavedCause, State, Verdict, Wish,
};
use super::statistics::Meter;
use super::view::{EngineFacts, now, view};
use crate::display::Relay;
use crate::engine::{Adopted, EngineError, EngineEvent, Machine};
use changes::Edits;
use display::attach;
use hv_api::{ByteSize, Change, Error, GuestInfo, HostRoom, Operation, SavedStateFault};
use power::{press_power, press_reset};
pub use saving::Order;
pub use snapshots::Loan;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::Instant;
use tracing::{Instrument, debug, info, info_span, warn};

/// How long an engine that was told to end may take before it is killed.
const ENDING_DEADLINE: Duration = Duration::from_secs(3);

/// Requests that may wait for the task at once.
const REQUESTS: usize = 32;

/// What comes back from work beside the task. Messages travel in boxes: a channel has room for 32 of them
/// from the beginning, and a thousand guests that do nothing have two channels each.
enum Internal {
    /// A launch has ended.
    Launched(Result<Launched, Error>),
    /// Instead of a launch, an engine was found that could not be taken over before.
    Found(Adopted, mpsc::Receiver<EngineEvent>),
    /// The power button was pressed, or was not, as that was to be done only where it is heard.
    PowerPressed { heard: bool, if_heard: bool },
    /// The memory of the crashed guest was written, or was not.
    Dumped { detail: String, machine: Arc<dyn Machine> },
    /// An effect on the machine failed.
    EffectFailed(Effect, EngineError, Arc<dyn Machine>),
    /// The machine was altered for an edit, or not.
    Altered(Result<(), EngineError>),
    /// The host has limited the machine's CPU time, or not.
    Limited(Result<(), Error>),
    /// The memory that the guest has.
    Memory(ByteSize),
    /// The room that the host has for a guest that waits for it.
    Room(HostRoom),
    /// The disk of a guest whose installer has ended its machine was looked at.
    InstallationSeen(Option<bool>),
    /// A medium was changed in the machine, or not.
    MediumChanged {
        drive: usize,
        medium: Option<PathBuf>,
        result: Result<(), Error>,
        answer: Answer<GuestInfo>,
    },
    /// The display was opened, or not.
    DisplayOpened(Result<Relay, Error>),
    /// The guest's memory is written and on the disk.
    StateWritten(Writing),
    /// The guest was not saved, and does this again.
    NotSaved(Former, Option<Error>),
    /// A snapshot is complete, or could not be taken.
    SnapshotTaken(Result<super::snapshots::Entry, Error>),
    /// The guest was put back to a snapshot, or could not be.
    SnapshotRestored(snapshots::PutBack),
    /// What was left of snapshots is gone. While no engine ran, this held up everything else.
    SnapshotsSwept { held: u32 },
}

struct Actor {
    context: Rc<Context>,
    definition: Definition,
    state: State,
    since: u64,
    record: Option<RunRecord>,
    saving: saving::Saving,
    installing: install::Installing,
    snapshots: snapshots::Snapshots,
    machine: watch::Sender<Option<Arc<dyn Machine>>>,
    info: watch::Sender<Arc<GuestInfo>>,
    events: Option<mpsc::Receiver<EngineEvent>>,
    internal: mpsc::UnboundedSender<Box<Internal>>,
    launch: Option<AbortHandle>,
    /// While a start that is not as usual is asked for: which.
    asked_start: Asked,
    /// Nothing is kept of what it writes until it is off.
    disposable: bool,
    launch_error: Option<Error>,
    /// Why an engine that may still run could not be taken over. Its disks must stay until that is known.
    unreachable: Option<Error>,
    ending_deadline: Option<Instant>,
    /// Until when the guest should have shut down.
    shutdown_deadline: Option<Instant>,
    /// When it was started anew without a person's word.
    tries: Tries,
    /// Whose turn it is to press the reset button.
    reset_turn: Rc<Semaphore>,
    waiting: Vec<(Wish, Answer<GuestInfo>)>,
    display: Option<Relay>,
    display_waiting: Vec<Answer<OwnedFd>>,
    edits: Edits,
    /// The memory that the guest has, as its engine said last.
    memory_now: Option<ByteSize>,
    room: room::Waiting,
    battery: battery::Battery,
}

/// Starts the task of a guest. `found` is the engine of an earlier core that goes on running it, or why none
/// could be looked for.
pub fn spawn(
    context: Rc<Context>,
    definition: Definition,
    found: Result<Option<(Adopted, mpsc::Receiver<EngineEvent>)>, Error>,
) -> Handle {
    let (requests, request_queue) = mpsc::channel(REQUESTS);
    let (internal, internal_queue) = mpsc::unbounded_channel();
    let state = State::Off(OffCause::Never);
    let placeholder = view(&context, &definition, &state, now(), None, None);
    let (info_sender, info) = watch::channel(Arc::new(placeholder));
    let (machine_sender, machine) = watch::channel(None);
    let battery = battery::Battery::new(context.power.subscribe());
    let viewers = battery.viewers.clone();
    let mut actor = Actor {
        context,
        definition,
        state,
        since: now(),
        record: None,
        saving: saving::Saving::default(),
        installing: install::Installing::default(),
        snapshots: snapshots::Snapshots::default(),
        machine: machine_sender,
        info: info_sender,
        events: None,
        internal,
        launch: None,
        asked_start: Asked::Usual,
        disposable: false,
        launch_error: None,
        unreachable: None,
        ending_deadline: None,
        shutdown_deadline: None,
        tries: Tries::default(),
        reset_turn: Rc::new(Semaphore::new(1)),
        waiting: Vec::new(),
        display: None,
        display_waiting: Vec::new(),
        edits: Edits::default(),
        memory_now: None,
        room: room::Waiting::default(),
        battery,
    };
    actor.recall_snapshots();
    actor.recall_first_start();
    match found {
        Ok(Some((adopted, events))) => actor.adopt(adopted, events),
        Ok(None) => {
            disposable::sweep(&actor.folder());
            actor.recall_saved();
            actor.resume_snapshots();
            actor.recall_installation();
        }
        Err(error) => {
            warn!(guest = %actor.definition.id, ?error, "its engine may still run, but can't be taken over");
            actor.unreachable = Some(error);
        }
    }
    let span = info_span!("guest", id = %actor.definition.id);
    spawn_local(actor.run(request_queue, internal_queue).instrument(span));
    Handle { requests, info, machine, meter: Meter::default(), viewers }
}

impl Actor {
    async fn run(
        mut self,
        mut requests: mpsc::Receiver<Box<Request>>,
        mut internal: mpsc::UnboundedReceiver<Box<Internal>>,
    ) {
        loop {
            self.mind_battery();
            let deadline = self.next_deadline();
            tokio::select! {
                // What an engine said is heard before what it is asked next.
                biased;
                event = next(&mut self.events) => self.engine_event(event),
                Some(news) = internal.recv() => self.internal_news(*news),
                () = sleep_until(deadline) => self.deadline_passed(),
                () = self.battery.changed() => {}
                request = requests.recv(), if self.snapshots.holding == 0 => match request.map(|request| *request) {
                    None => return,
                    Some(Request::Delete { disks, answer }) => {
                        let result = self.delete(disks);
                        let deleted = result.is_ok();
                        drop(answer.send(result));
                        if deleted {
                            return;
                        }
                    }
                    Some(request) => self.request(request),
                },
            }
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Wish(wish, answer) => {
                self.person_wishes(wish);
                self.wish(wish, answer);
            }
            Request::Rule(wish, answer) => self.wish(wish, answer),
            Request::Edit(edits, answer) => self.edit(edits, answer),
            Request::StartFromCd { paused, answer } => self.start_from_cd(paused, answer),
            Request::StartDisposable { paused, answer } => self.start_disposable(paused, answer),
            Request::StartEntry { entry, paused, answer } => self.start_entry(entry, paused, answer),
            Request::ChangeMedium { drive, medium, force, answer } => {
                self.change_medium(drive, medium, force, answer);
            }
            Request::Save { order, answer } => self.save(order, answer),
            Request::Restore { paused, order, answer } => self.restore(paused, order, answer),
            Request::OpenDisplay(answer) => self.open_display(answer),
            Request::TakeSnapshot { name, note, order, answer } => {
                self.take_snapshot(name, note, order, answer);
            }
            Request::RestoreSnapshot { snapshot, answer } => self.restore_snapshot(&snapshot, answer),
            Request::DeleteSnapshot { snapshot, answer } => {
                let deleted = self.delete_snapshot(&snapshot);
                drop(answer.send(deleted.map(|()| self.told())));
            }
            Request::EditSnapshot { snapshot, name, note, answer } => {
                let edited = self.edit_snapshot(&snapshot, name, note);
                drop(answer.send(edited.map(|()| self.told())));
            }
            Request::Definition(answer) => drop(answer.send(Ok(self.definition.clone()))),
            Request::Lend { snapshot, answer } => {
                drop(answer.send(self.lend(snapshot.as_deref())));
            }
            // Handled by the loop, which it ends.
            Request::Delete { .. } => {}
        }
    }

    fn wish(&mut self, wish: Wish, answer: Answer<GuestInfo>) {
        // Who is asked to restart must be able to start again.
        let starts = match wish {
            Wish::Start { .. } => self.state.is_down(),
            Wish::Restart => self.machine.borrow().is_some(),
            _ => false,
        };
        if starts && let Err(error) = self.prepare_start() {
            drop(answer.send(Err(error)));
            return;
        }
        if let Wish::ForceOff | Wish::Discard = wish
            && matches!(self.state, State::Saved(_))
            && let Err(error) = self.discard()
        {
            drop(answer.send(Err(error)));
            return;
        }
        let state = std::mem::replace(&mut self.state, State::Off(OffCause::Never));
        match state.wish(wish) {
            Ok((state, effects)) => {
                info!(?wish, "accepted");
                self.power_wish(wish, &state);
                self.waiting.push((wish, answer));
                self.become_state(state, &effects);
            }
            Err((state, _refused)) => {
                self.state = state;
                drop(answer.send(Err(self.wrong_state(wish.operation()))));
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        let state = std::mem::replace(&mut self.state, State::Off(OffCause::Never));
        let running = self.started_as();
        let anew = running.begins_anew();
        let rules =
            Rules { watchdog: running.watchdog, anew, ..self.definition.power.rules(&self.tries, now()) };
        let (mut state, mut effects) = self.go_by(&rules, state, happening);
        if effects.contains(&Effect::Launch)
            && let Err(error) = self.prepare_start()
        {
            // It starts anew, and what it needs is no longer there.
            let failed = Happening::LaunchFailed { detail: format!("{error:?}") };
            (state, effects) = state.happen(failed, &rules);
            self.launch_error = Some(error);
        }
        self.become_state(state, &effects);
    }

    /// Enters a state: carries out what it takes, and tells who waited for it and who watches.
    fn become_state(&mut self, state: State, effects: &[Effect]) {
        let before = self.info.borrow().state;
        self.state = state;
        if self.state.told().0 != before {
            self.since = now();
        }
        self.watch_room();
        self.carry_out(effects);
        if self.state.is_down() {
            self.clean_up();
            self.look_at_installation();
        }
        if !matches!(self.state, State::Stopping(_)) {
            self.ending_deadline = None;
        }
        self.forget_shutdown();
        self.settle_saving();
        self.publish();
        self.settle();
    }

    /// What its machine was started as, where there is one.
    pub(super) fn started_as(&self) -> &Definition {
        self.record.as_ref().map_or(&self.definition, |record| &record.machine)
    }

    fn carry_out(&mut self, effects: &[Effect]) {
        let mut on_machine = Vec::new();
        for effect in effects {
            match effect {
                Effect::Launch => self.launch(),
                Effect::AbandonLaunch => {
                    if let Some(launch) = self.launch.take() {
                        launch.abort();
                    }
                }
                Effect::Save => self.begin_saving(),
                Effect::UndoSave => self.undo_saving(),
                Effect::AbandonSave => self.abandon_saving(),
                Effect::KeepSaved => self.keep_saved(),
                Effect::Kill => {
                    self.ending_deadline = None;
                    if let Some(machine) = self.machine.borrow().as_ref() {
                        warn!("killing the engine, as it did not end");
                        machine.kill();
                    }
                }
                Effect::End => {
                    self.ending_deadline = Some(Instant::now() + ENDING_DEADLINE);
                    on_machine.push(Effect::End);
                }
                Effect::DumpMemory => self.dump_memory(),
                Effect::Run | Effect::Halt | Effect::PressPower { .. } | Effect::PressReset => {
                    on_machine.push(*effect);
                }
            }
        }
        let Some(machine) = self.machine.borrow().clone() else { return };
        if on_machine.is_empty() {
            return;
        }
        let internal = self.internal.clone();
        let stops_on_reboot = self.stops_on_reboot();
        let turn = Rc::clone(&self.reset_turn);
        beside(async move {
            for effect in on_machine {
                let result = match effect {
                    Effect::Run => machine.resume().await,
                    Effect::Halt => machine.pause().await,
                    Effect::PressPower { if_heard } => press_power(&*machine, if_heard, &internal).await,
                    Effect::PressReset => press_reset(&*machine, stops_on_reboot, &turn).await,
                    Effect::End => machine.quit().await,
                    Effect::Launch
                    | Effect::AbandonLaunch
                    | Effect::DumpMemory
                    | Effect::Kill
                    | Effect::Save
                    | Effect::UndoSave
                    | Effect::AbandonSave
                    | Effect::KeepSaved => Ok(()),
                };
                match result {
                    Ok(()) => {}
                    Err(error) => {
                        if error == EngineError::Gone {
                            // Its last words are on their way, and say more.
                            tokio::time::sleep(LAST_WORDS_DEADLINE).await;
                        }
                        drop(internal.send(Box::new(Internal::EffectFailed(effect, error, machine))));
                        return;
                    }
                }
            }
        });
    }

    fn internal_news(&mut self, news: Internal) {
        match news {
            Internal::Launched(result) => self.launched(result),
            Internal::Found(adopted, events) => {
                self.launch = None;
                self.adopt(adopted, events);
            }
            Internal::PowerPressed { heard, if_heard } => self.power_pressed(heard, if_heard),
            Internal::Dumped { detail, machine } => {
                if self.is_present(&machine) {
                    self.happen(Happening::Dumped { detail });
                }
            }
            Internal::StateWritten(writing) => self.state_written(writing),
            Internal::NotSaved(former, error) => self.not_saved(former, error),
            Internal::SnapshotTaken(taken) => self.snapshot_taken(taken),
            Internal::SnapshotRestored(put_back) => self.snapshot_restored(put_back),
            Internal::SnapshotsSwept { held } => self.snapshots.holding -= held,
            Internal::EffectFailed(effect, error, machine) => {
                // That of a machine that has ended meanwhile is no news.
                if self.is_present(&machine) {
                    self.effect_failed(effect, &error);
                }
            }
            Internal::Altered(result) => self.altered(result),
            Internal::Limited(result) => self.limited(result),
            Internal::Room(room) => self.room_is(room),
            Internal::Memory(size) if self.machine.borrow().is_some() => self.memory_is(size),
            // Of a machine that is gone.
            Internal::Memory(_) => {}
            Internal::InstallationSeen(startable) => self.installation_seen(startable),
            Internal::MediumChanged { drive, medium, result, answer } => {
                let result = result.and_then(|()| self.keep_medium(drive, medium));
                drop(answer.send(result.map(|()| self.told())));
            }
            Internal::DisplayOpened(Ok(relay)) => {
                for answer in self.display_waiting.drain(..) {
                    drop(answer.send(attach(&relay, &self.definition.name)));
                }
                self.display = Some(relay);
            }
            Internal::DisplayOpened(Err(error)) => {
                for answer in self.display_waiting.drain(..) {
                    drop(answer.send(Err(error.clone())));
                }
            }
        }
    }

    fn effect_failed(&mut self, effect: Effect, error: &EngineError) {
        self.battery.not_done(effect);
        let operations: &[Operation] = match effect {
            Effect::Run if matches!(self.state, State::Starting { .. }) => {
                let untouched = matches!(error, EngineError::Refused { .. });
                return self.happen(Happening::RunFailed { detail: error.to_string(), untouched });
            }
            Effect::Run => &[Operation::Resume, Operation::Restart],
            Effect::Halt => &[Operation::Pause],
            Effect::PressPower { .. } => {
                // Of an engine that is silent, it is not known.
                if !matches!(error, EngineError::Silent { .. }) {
                    self.happen(Happening::PowerButtonFailed);
                }
                &[Operation::Shutdown, Operation::Restart]
            }
            Effect::PressReset => &[Operation::Reset, Operation::Restart],
            // Whatever it said: it was told to end, and if it does not, it is made to.
            Effect::End
            | Effect::Kill
            | Effect::Launch
            | Effect::AbandonLaunch
            | Effect::DumpMemory
            | Effect::Save
            | Effect::UndoSave
            | Effect::AbandonSave
            | Effect::KeepSaved => {
                debug!(?effect, %error, "the engine did not take it");
                return;
            }
        };
        warn!(?effect, %error, "the engine did not do it");
        for (wish, waiting) in std::mem::take(&mut self.waiting) {
            let operation = wish.operation();
            if operations.contains(&operation) {
                drop(waiting.send(Err(engine_error(&self.definition.name, operation, error.clone()))));
            } else {
                self.waiting.push((wish, waiting));
            }
        }
    }

    fn engine_event(&mut self, event: Option<EngineEvent>) {
        let Some(event) = event else {
            // An engine ends with a last word; without one, its watch was lost.
            self.events = None;
            return;
        };
        debug!(?event, "the engine says");
        self.first_start_may_end(&event);
        match event {
            EngineEvent::Reset => {
                self.came_true(Wish::Reset);
                self.came_true(Wish::Restart);
            }
            EngineEvent::MediumEjected { drive } => {
                if let Err(error) = self.keep_medium(drive as usize, None) {
                    warn!(?error, "the guest took its medium out, but that could not be written down");
                }
            }
            EngineEvent::Exited { .. } => {
                drop(self.machine.send_replace(None));
                self.events = None;
            }
            EngineEvent::Memory(size) => self.memory_is(size),
            EngineEvent::DiskGone(name) => self.disk_gone(name),
            EngineEvent::PciGone(number) => self.pci_gone(number),
            EngineEvent::Running
            | EngineEvent::Paused
            | EngineEvent::PoweredOff
            | EngineEvent::Rebooted
            | EngineEvent::Panicked
            | EngineEvent::Hung
            | EngineEvent::DiskFailed { .. } => {}
        }
        self.note_end(&event);
        let began = event == EngineEvent::Running && matches!(self.state, State::Starting { .. });
        let for_battery = event == EngineEvent::Paused && self.is_halted_on_battery();
        self.happen(if for_battery { Happening::HaltedOnBattery } else { Happening::Engine(event) });
        if began {
            self.came_true(Wish::Restart);
        }
    }

    /// Answers those who had a wish that the engine says has come true.
    fn came_true(&mut self, granted: Wish) {
        for (wish, waiting) in std::mem::take(&mut self.waiting) {
            if wish == granted {
                drop(waiting.send(Ok(self.told())));
            } else {
                self.waiting.push((wish, waiting));
            }
        }
    }

    /// Answers those whose wish has come true or can't any more.
    fn settle(&mut self) {
        for (wish, answer) in std::mem::take(&mut self.waiting) {
            match wish.verdict(&self.state) {
                Verdict::Pending => self.waiting.push((wish, answer)),
                Verdict::Done => drop(answer.send(Ok(self.told()))),
                Verdict::Failed => drop(answer.send(Err(self.failure(wish)))),
            }
        }
    }

    fn failure(&self, wish: Wish) -> Error {
        match (wish, &self.state) {
            (
                Wish::Start { .. } | Wish::Restart,
                State::Crashed(crash) | State::Stopping(Ending::Crashed(crash)),
            ) => self.launch_error.clone().unwrap_or_else(|| Error::StartFailed {
                guest: self.definition.name.clone(),
                detail: crash.detail.clone(),
            }),
            (Wish::Start { .. }, State::Saved(SavedCause::NotRestored { detail })) => {
                self.launch_error.clone().unwrap_or_else(|| Error::SavedStateUnusable {
                    guest: self.definition.name.clone(),
                    fault: SavedStateFault::Refused,
                    detail: detail.clone(),
                })
            }
            (Wish::Save, _) => self.saving_error().unwrap_or_else(|| self.wrong_state(wish.operation())),
            _ => self.wrong_state(wish.operation()),
        }
    }

    fn wrong_state(&self, operation: Operation) -> Error {
        Error::WrongState { guest: self.definition.name.clone(), state: self.state.told().0, operation }
    }

    fn delete(&mut self, disks: bool) -> Result<(), Error> {
        if !self.state.is_down() {
            return Err(self.wrong_state(Operation::Delete));
        }
        if let Some(error) = &self.unreachable {
            return Err(error.clone());
        }
        if let Err(error @ Error::BeingCloned { .. }) = self.check_disks_are_whole() {
            return Err(error);
        }
        let id = self.definition.id;
        self.context.store.delete(id, !disks)?;
        for folder in [self.context.run_folder(id), self.context.log_folder(id)] {
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    warn!(folder = %folder.display(), %error, "a folder of the deleted guest stays");
                }
                _ => {}
            }
        }
        info!("deleted");
        Ok(())
    }

    fn told(&self) -> GuestInfo {
        (**self.info.borrow()).clone()
    }

    /// Tells everybody, where there is something new to tell.
    fn publish(&self) {
        let facts = |machine: &Arc<dyn Machine>| {
            let (pid, memory, room) = (machine.pid(), self.memory_now, self.room.now());
            EngineFacts { pid, memory, room }
        };
        let engine = self.machine.borrow().as_ref().map(facts);
        let mut present =
            view(&self.context, &self.definition, &self.state, self.since, self.record.as_ref(), engine);
        self.tell_snapshots(&mut present);
        if present != **self.info.borrow() {
            self.info.send_replace(Arc::new(present.clone()));
            // Nobody may be watching.
            let _ = self.context.changes.send(Change::Guest(present));
        }
    }
}

/// Runs work beside the task, within the guest's span of the log.
fn beside(work: impl Future<Output = ()> + 'static) -> AbortHandle {
    spawn_local(work.in_current_span()).abort_handle()
}

async fn next(events: &mut Option<mpsc::Receiver<EngineEvent>>) -> Option<EngineEvent> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
