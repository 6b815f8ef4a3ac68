//! All guests: finding one, making one, and telling everybody what changes.
//!
//! It lives on the daemon's one thread; nothing here is locked. What a guest is and does belongs to its
//! task; the registry knows the tasks, the names that are taken, and the guests that can't be read.

mod boot_menu;
mod copies;
mod disks;
mod imports;
mod media;
mod network;
mod pci;
mod saving;
mod snapshots;
mod usb;

use super::battery;
use super::boot;
use super::config::{Definition, name_fault};
use super::context::Context;
use super::creation::{self, OwnDisk, Resolved};
use super::devices;
use super::disk;
use super::edit::Edit;
use super::handle::{Handle, Request, engine_error};
use super::holders;
use super::limit;
use super::power::PowerPolicy;
use super::state::Wish;
use super::systems;
use super::view;
use super::volumes::Volumes;
use super::{actor, launch};
use crate::autostart;
use crate::bootmenu::Reader;
use crate::engine::{Engine, EngineError};
use crate::files;
use crate::host::pci::Pci;
use crate::host::scopes::Scopes;
use crate::host::{self, Accelerators, Folders};
use crate::inspect::Limits;
use crate::job::Jobs;
use crate::osdb::Source;
use crate::store::Store;
use crate::tree::Tree;
use futures_util::future::join_all;
use hv_api::{
    ByteSize, Change, Created, DefinitionFault, Error, GuestId, GuestInfo, HostInfo, HostUsbDevice, JobKind,
    JobStage, NewGuest, Plan, SettingResult, Settings, Snapshot, StateReason,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, spawn_local};
use tracing::{info, warn};

/// Changes that a slow reader may be behind before it is told everything anew.
const CHANGES: usize = 1024;

/// A guest may have this many times the host's CPUs: more is slower, but no mistake.
const CPU_OVERCOMMIT: u32 = 4;

/// The fewest CPUs that are allowed on any host, and the most that the machine can have.
const CPU_LIMITS: (u32, u32) = (8, 255);

/// What stands at a guest's id.
enum Entry {
    /// A guest with its task.
    Guest(Handle),
    /// A guest in the making: its name is taken, and nobody sees it yet.
    Reserved { name: String },
    /// A guest whose definition can't be used.
    Unavailable(Box<GuestInfo>),
}

/// All guests.
pub struct Registry {
    context: Rc<Context>,
    guests: RefCell<BTreeMap<GuestId, Entry>>,
    jobs: Jobs,
    /// The host's USB devices, as they were told last.
    usb: RefCell<Vec<HostUsbDevice>>,
    /// Its PCI devices, as they were seen last.
    pci: RefCell<Pci>,
}

impl Registry {
    /// Reads all guests, and takes over those that an earlier core left running.
    ///
    /// # Errors
    /// Where the folder with the guests can't be read. A guest that can't be read is no error.
    pub async fn open(
        engine: Arc<dyn Engine>,
        folders: Folders,
        accelerator: Accelerators,
        scopes: Scopes,
    ) -> Result<Rc<Self>, Error> {
        let (changes, _) = broadcast::channel(CHANGES);
        let store = Store::new(folders.guests.clone());
        let loaded = store.load()?;
        let volumes = Volumes::default();
        let jobs = Jobs::new(changes.clone());
        let scopes = Rc::new(scopes);
        let context = Rc::new(Context {
            engine,
            store,
            folders,
            accelerator,
            scopes,
            volumes,
            changes,
            session_wait: Cell::default(),
            power: watch::Sender::new(None),
            patience: Cell::new(battery::UNSEEN),
            systems: Arc::new(Source::from_env()),
            boot_menus: Reader::default(),
        });
        // All at once: an engine that does not answer delays no other guest.
        let entries = loaded.into_iter().map(async |found| {
            let entry = match found.definition {
                Ok(definition) => Entry::Guest(take_over(&context, definition).await),
                Err(fault) => {
                    warn!(guest = %found.id, detail = fault.detail, "its definition can't be used");
                    Entry::Unavailable(Box::new(view::unavailable(&context, found.id, &fault)))
                }
            };
            (found.id, entry)
        });
        let guests: BTreeMap<_, _> = join_all(entries).await.into_iter().collect();
        info!(guests = guests.len(), "ready");
        let guests = RefCell::new(guests);
        let registry =
            Rc::new(Self { context, guests, jobs, usb: RefCell::default(), pci: RefCell::default() });
        registry.look_for_usb().await?;
        registry.look_for_pci().await?;
        Ok(registry)
    }

    /// What guests' tasks share.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Long work.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// All guests, by name.
    pub fn list(&self) -> Vec<GuestInfo> {
        let guests = self.guests.borrow();
        let mut all: Vec<GuestInfo> = guests
            .values()
            .filter_map(|entry| match entry {
                Entry::Guest(handle) => Some((*handle.info()).clone()),
                Entry::Unavailable(info) => Some((**info).clone()),
                Entry::Reserved { .. } => None,
            })
            .collect();
        all.sort_by_cached_key(|guest| (guest.name.to_lowercase(), guest.id));
        all
    }

    /// One guest, also one that can't be used.
    pub fn show(&self, guest: &str) -> Result<GuestInfo, Error> {
        self.at(guest, |entry| match entry {
            Entry::Guest(handle) => Some((*handle.info()).clone()),
            Entry::Unavailable(info) => Some((**info).clone()),
            Entry::Reserved { .. } => None,
        })
        .ok_or_else(|| Error::GuestNotFound { guest: guest.to_owned() })
    }

    /// A guest's task, by the guest's id or name.
    pub fn find(&self, guest: &str) -> Result<Handle, Error> {
        self.at(guest, |entry| match entry {
            Entry::Guest(handle) => Some(Ok(handle.clone())),
            Entry::Unavailable(info) => Some(Err(Error::DefinitionUnusable {
                guest: info.name.clone(),
                path: info.paths.definition.clone(),
                fault: match info.reason {
                    Some(StateReason::DefinitionNewer) => DefinitionFault::Newer,
                    _ => DefinitionFault::Malformed,
                },
                detail: info.detail.clone().unwrap_or_default(),
            })),
            Entry::Reserved { .. } => None,
        })
        .unwrap_or_else(|| Err(Error::GuestNotFound { guest: guest.to_owned() }))
    }

    /// What `look` makes of the entry of the guest with this id or name; nothing where there is none.
    fn at<T>(&self, guest: &str, look: impl FnOnce(&Entry) -> Option<T>) -> Option<T> {
        let guests = self.guests.borrow();
        let by_id = guest.parse().ok().and_then(|id: GuestId| guests.get(&id));
        let is_there = |entry: &&Entry| !matches!(entry, Entry::Reserved { .. });
        let by_name = || guests.values().filter(is_there).find(|entry| entry.name() == guest);
        by_id.or_else(by_name).and_then(look)
    }

    /// Asks a guest for something, and waits until it has come true.
    pub async fn wish(&self, guest: &str, wish: Wish) -> Result<GuestInfo, Error> {
        let handle = self.find(guest)?;
        if let Wish::Start { .. } = wish {
            self.check_start(&handle.info()).await?;
        }
        handle.ask(|answer| Request::Wish(wish, answer)).await
    }

    /// Starts a guest from what is in its drives, this once.
    pub async fn start_from_cd(&self, guest: &str, paused: bool) -> Result<GuestInfo, Error> {
        let handle = self.find(guest)?;
        self.check_start(&handle.info()).await?;
        handle.ask(|answer| Request::StartFromCd { paused, answer }).await
    }

    /// Starts a guest so that nothing is kept of what it writes.
    pub async fn start_disposable(&self, guest: &str, paused: bool) -> Result<GuestInfo, Error> {
        let handle = self.find(guest)?;
        self.check_start(&handle.info()).await?;
        handle.ask(|answer| Request::StartDisposable { paused, answer }).await
    }

    /// Everything, and what comes after it.
    pub async fn watch(&self) -> (Snapshot, broadcast::Receiver<Change>) {
        // Listening comes first: what happens in between is told twice rather than never.
        let changes = self.context.changes.subscribe();
        (self.snapshot().await, changes)
    }

    /// Everything.
    pub async fn snapshot(&self) -> Snapshot {
        let host = self.host().await;
        Snapshot { guests: self.list(), jobs: self.jobs.running(), host }
    }

    /// Facts about the host. Does not wait for the accelerator to be tried.
    pub async fn host(&self) -> HostInfo {
        let folders = &self.context.folders;
        let memory = host::memory().unwrap_or_default();
        HostInfo {
            accelerator: self.context.accelerator.known().cloned(),
            engine: self.context.engine.info().await,
            cpus: host::cpus(),
            cpu_limit_fault: self.context.scopes.check().await.err().map(|error| error.fault()),
            memory: memory.total,
            memory_available: memory.available,
            firmware: host::firmware::all(),
            tpm_program: self.context.engine.tpm_program().map(|path| path.display().to_string()),
            audio: self.context.engine.audio().await,
            on_battery: *self.context.power.borrow(),
            session_wait: self.context.session_wait.get().map(|wait| wait.as_secs() as u32),
            usb: self.usb.borrow().clone(),
            iommu: self.pci.borrow().iommu,
            pci: self.pci.borrow().offered(),
            locked_memory: self.pci.borrow().locked_memory,
            data_folder: folders.data.display().to_string(),
            state_folder: folders.state.display().to_string(),
            runtime_folder: folders.runtime.display().to_string(),
            free_space: host::free_space(&folders.guests).unwrap_or_default(),
            core_version: env!("CARGO_PKG_VERSION").into(),
            core_pid: std::process::id(),
        }
    }

    /// Tries the accelerator, once, and tells everybody.
    pub async fn try_accelerator(&self) {
        let found = self.context.accelerator.get().await;
        info!(chosen = ?found.chosen, kvm = ?found.kvm, detail = found.detail, "accelerator");
        // Nobody may be watching.
        let _ = self.context.changes.send(Change::Host(self.host().await));
    }

    /// The end of the session and the host's sleep wait so long for guests, or are not told of at all.
    pub fn session_waits(self: &Rc<Self>, wait: Option<Duration>) {
        if self.context.session_wait.replace(wait) != wait {
            self.tell_host();
        }
    }

    /// The host runs on battery or does not, or nobody tells.
    pub fn runs_on_battery(self: &Rc<Self>, on_battery: Option<bool>) {
        if self.context.power.send_if_modified(|power| std::mem::replace(power, on_battery) != on_battery) {
            info!(?on_battery, "the host's power");
            self.tell_host();
        }
    }

    fn tell_host(self: &Rc<Self>) {
        let registry = Rc::clone(self);
        // Nobody may be watching.
        spawn_local(async move { registry.context.changes.send(Change::Host(registry.host().await)) });
    }

    /// Changes a guest's settings: all of them, or none.
    pub async fn set(self: &Rc<Self>, guest: &str, settings: Settings) -> Result<Vec<SettingResult>, Error> {
        let handle = self.find(guest)?;
        for cpus in [settings.cpus, settings.max_cpus].into_iter().flatten() {
            Self::check_cpus(cpus)?;
        }
        for memory in [settings.memory, settings.max_memory].into_iter().flatten() {
            Self::check_memory(memory)?;
        }
        if let Some(percent) = settings.cpu_limit {
            limit::check(percent, &self.context.scopes).await?;
        }
        if let Some(power) = &settings.power {
            let mut policy = PowerPolicy::default();
            policy.set(power);
            policy.check()?;
        }
        let info = handle.info();
        if let Some(memory) = settings.memory.filter(|wanted| info.pid.is_some() && *wanted > info.memory) {
            self.check_promises(info.id, memory)?;
            self.check_pinned(&info, memory).await?;
        }
        settings.devices.as_ref().map_or(Ok(()), devices::check)?;
        if let Some(boot) = &settings.boot {
            boot::check(boot, &info, &*self.context.engine).await?;
        }
        let mut reservation = None;
        if let Some(name) = &settings.name {
            self.check_name(name, Some(handle.info().id))?;
            // Until the guest has the name, nobody else may take it.
            reservation = Some(self.reserve(GuestId::random(), name));
        }
        let installed = settings.installed == Some(true);
        if installed && handle.info().installing.is_none() {
            return Err(Error::NotInstalling { guest: handle.info().name.clone() });
        }
        let autostart = settings.power.as_ref().is_some_and(|power| power.autostart.is_some());
        let mut edits = Edit::of_settings(settings);
        edits.extend(installed.then(|| Edit::Installed(view::now())));
        let result = handle.ask(|answer| Request::Edit(edits, answer)).await;
        if autostart && result.is_ok() {
            self.keep_autostart();
        }
        drop(reservation);
        result
    }

    /// Deletes a guest, also where nobody waits for the answer any more.
    pub async fn delete(self: &Rc<Self>, guest: &str, disks: bool) -> Result<(), Error> {
        match self.find(guest) {
            Ok(handle) => {
                if disks {
                    let id = handle.info().id;
                    holders::check_folder_is_its_own(id, &self.context.store.folder(id), &self.list())?;
                }
                let registry = Rc::clone(self);
                let deletion = spawn_local(async move {
                    handle.ask(|answer| Request::Delete { disks, answer }).await?;
                    registry.forget(handle.info().id);
                    if disks {
                        registry.sweep_bases();
                    }
                    Ok(())
                });
                let gone = |_ended| Err(Error::GuestNotFound { guest: guest.to_owned() });
                deletion.await.unwrap_or_else(gone)
            }
            Err(Error::DefinitionUnusable { .. }) => {
                // Which of the files in its folder are disks can't be known, so they all stay.
                let id = self.show(guest)?.id;
                self.context.store.delete(id, true)?;
                self.forget(id);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn forget(&self, id: GuestId) {
        self.guests.borrow_mut().remove(&id);
        // Nobody may be watching.
        let _ = self.context.changes.send(Change::Removed(id));
        self.keep_autostart();
    }

    fn keep_autostart(&self) {
        let wanted = self.list().iter().any(|guest| guest.power.autostart);
        autostart::keep_entry(&self.context.folders, wanted);
    }

    /// What a creation would do.
    pub async fn plan(&self, new: &NewGuest) -> Result<Plan, Error> {
        self.check_new(new)?;
        let machine = self.newest_machine(&new.name).await?;
        let tree = self.tree_of(new).await?;
        let Resolved { definition, .. } =
            self.resolve(GuestId::random(), new, tree.as_ref(), machine).await?;
        launch::plan(&self.context, &definition).await
    }

    /// What a guest's next cold start would do.
    pub async fn plan_start(&self, guest: &str) -> Result<Plan, Error> {
        let definition = self.find(guest)?.ask(Request::Definition).await?;
        launch::plan(&self.context, &definition).await
    }

    /// The models of CPUs that guests can have besides the usual one.
    pub async fn cpu_models(&self) -> Result<Vec<String>, Error> {
        match self.context.engine.cpu_models().await {
            Err(EngineError::Missing { program }) => Err(Error::EngineMissing { program }),
            Err(error) => {
                warn!(%error, "the engine names no CPUs");
                Ok(Vec::new())
            }
            Ok(models) => Ok(models),
        }
    }

    /// Begins to make a guest. What can be refused at once is refused here.
    pub async fn create(self: &Rc<Self>, new: NewGuest) -> Result<Created, Error> {
        self.check_new(&new)?;
        let guest = new.id.unwrap_or_else(GuestId::random);
        let reservation = self.reserve(guest, &new.name);
        // Everything that can be known without an engine is checked before there is a job.
        let tree = self.tree_of(&new).await?;
        let resolved = self.resolve(guest, &new, tree.as_ref(), String::new()).await?;
        if new.start == Some(true) {
            self.check_promises(guest, resolved.definition.memory)?;
        }
        let registry = Rc::clone(self);
        let name = new.name.clone();
        let job = self.jobs.start(JobKind::Create, guest, &name, |progress| async move {
            let machine = registry.newest_machine(&new.name).await?;
            let resolved = registry.resolve(guest, &new, tree.as_ref(), machine).await?;
            creation::check_sources(&resolved, &registry.context.folders.guests, &progress).await?;
            let draft = registry.context.store.begin(guest)?;
            if let Some(tree) = &tree {
                progress.stage(JobStage::Fetching, 0.0);
                registry.fetch_installer(tree, draft.folder(), &progress).await?;
            }
            creation::furnish(draft.folder(), &resolved, &progress).await?;
            let Resolved { definition, .. } = resolved;
            draft.keep(&definition)?;
            let mut unstarted = reservation.keep(definition);
            if new.start == Some(true) {
                progress.stage(JobStage::Starting, 0.7);
                let started =
                    unstarted.handle.ask(|answer| Request::Wish(Wish::Start { paused: false }, answer));
                if let Err(error) = started.await {
                    // Who hears that it failed finds everything as it was.
                    let _undone = unstarted.undo().await;
                    return Err(error);
                }
            }
            unstarted.done();
            Ok(())
        });
        Ok(Created { guest, job })
    }

    fn reserve(self: &Rc<Self>, guest: GuestId, name: &str) -> Reservation {
        self.guests.borrow_mut().insert(guest, Entry::Reserved { name: name.to_owned() });
        Reservation { registry: Rc::clone(self), guest, kept: false }
    }

    async fn newest_machine(&self, guest: &str) -> Result<String, Error> {
        let found = self.context.engine.newest_machine().await;
        found.map_err(|error| engine_error(guest, hv_api::Operation::Create, error))
    }

    fn names(&self) -> Vec<String> {
        self.guests.borrow().values().map(Entry::name).collect()
    }

    fn check_new(&self, new: &NewGuest) -> Result<(), Error> {
        self.check_name(&new.name, None)?;
        for cpus in [new.cpus, new.max_cpus].into_iter().flatten() {
            Self::check_cpus(cpus)?;
        }
        for memory in [new.memory, new.max_memory].into_iter().flatten() {
            Self::check_memory(memory)?;
        }
        if let Some(id) = new.id.filter(|id| self.guests.borrow().contains_key(id)) {
            return Err(Error::NameTaken { name: id.to_string() });
        }
        if let Some(power) = &new.power {
            let mut policy = PowerPolicy::default();
            policy.set(power);
            policy.check()?;
        }
        new.devices.as_ref().map_or(Ok(()), devices::check)?;
        new.nics.iter().flatten().try_for_each(|nic| self.check_nic(None, nic))
    }

    /// Makes sure that the host has the memory and the ports that a guest takes at its start, and that nobody else has its disks.
    async fn check_start(&self, guest: &GuestInfo) -> Result<(), Error> {
        if guest.pid.is_some() {
            return Ok(());
        }
        self.check_ports(guest)?;
        self.check_usb(guest).await?;
        self.check_pci(guest).await?;
        self.check_promises(guest.id, guest.memory)?;
        let (guest, guests) = (guest.clone(), self.list());
        files::off_thread(move || {
            let mut disks = guest.disks.iter().filter_map(disk::of_info);
            disks.try_for_each(|disk| holders::check_startable(guest.id, &disk, &guests))
        })
        .await
    }

    /// Makes sure that the host can give a guest so much memory beside what the others have that run.
    fn check_promises(&self, guest: GuestId, requested: ByteSize) -> Result<(), Error> {
        let total = limits().memory;
        let others = self.list().into_iter().filter(|other| other.id != guest && other.pid.is_some());
        let promised: u64 = others.map(|other| other.memory_now.unwrap_or(other.memory).as_bytes()).sum();
        if promised.saturating_add(requested.as_bytes()) > total.as_bytes() {
            return Err(Error::MemoryPromised { requested, promised: ByteSize::bytes(promised), total });
        }
        Ok(())
    }

    /// Decides what a new guest will be, and looks at its files.
    async fn resolve(
        &self,
        id: GuestId,
        new: &NewGuest,
        tree: Option<&Tree>,
        machine: String,
    ) -> Result<Resolved, Error> {
        let tree = tree.cloned();
        let (mut new, guests) = (new.clone(), self.list());
        let database = Arc::clone(&self.context.systems);
        let tpm = self.context.engine.tpm_program().is_some();
        let look = move || {
            let database = database.get();
            systems::recognise_image(&mut new, &database);
            let chosen = systems::chosen(&new, tree.as_ref(), &database)?;
            systems::fill(&mut new, &chosen, limits(), tpm);
            let mut resolved = creation::resolve(id, &new, tree.as_ref(), limits(), machine)?;
            systems::settle(&mut resolved.definition, &new, chosen);
            resolved.express = systems::express(&new, &database)?;
            if let Some(plan) = &resolved.express {
                resolved.definition.install = Some(systems::unattended(plan));
            }
            let Resolved { definition, own_disks, .. } = &resolved;
            let is_own = |disk: &&disk::Disk| own_disks.iter().any(|(name, _)| *name == disk.path);
            let mut existing = definition.disks.iter().filter(|disk| !is_own(disk));
            existing.try_for_each(|disk| holders::check_free(id, disk, &guests))?;
            for (_, disk) in own_disks {
                if let OwnDisk::Copy(image, _) = disk {
                    holders::check_image_copyable(image, &guests)?;
                }
            }
            Ok(resolved)
        };
        let resolved = files::off_thread(look).await?;
        boot::Needs::of(&resolved.definition).check(&*self.context.engine).await?;
        Ok(resolved)
    }

    fn check_name(&self, name: &str, own: Option<GuestId>) -> Result<(), Error> {
        if let Some(fault) = name_fault(name) {
            return Err(Error::NameInvalid { name: name.to_owned(), fault });
        }
        let guests = self.guests.borrow();
        let mut others = guests.iter().filter(|(id, _)| Some(**id) != own).map(|(_, entry)| entry.name());
        if others.any(|other| same_name(&other, name)) {
            return Err(Error::NameTaken { name: name.to_owned() });
        }
        Ok(())
    }

    fn check_cpus(requested: u32) -> Result<(), Error> {
        let (fewest, most) = CPU_LIMITS;
        let maximum = (limits().cpus.saturating_mul(CPU_OVERCOMMIT)).clamp(fewest, most);
        if (1..=maximum).contains(&requested) {
            Ok(())
        } else {
            Err(Error::CpusOutOfRange { requested, minimum: 1, maximum })
        }
    }

    fn check_memory(requested: ByteSize) -> Result<(), Error> {
        let (minimum, maximum) = (super::config::MIN_MEMORY, limits().memory);
        if (minimum..=maximum).contains(&requested) {
            Ok(())
        } else {
            Err(Error::MemoryOutOfRange { requested, minimum, maximum })
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("guests", &self.guests.borrow().len()).finish_non_exhaustive()
    }
}

impl Entry {
    fn name(&self) -> String {
        match self {
            Self::Guest(handle) => handle.info().name.clone(),
            Self::Reserved { name } => name.clone(),
            Self::Unavailable(info) => info.name.clone(),
        }
    }
}

/// What this host has for guests.
fn limits() -> Limits {
    Limits { cpus: host::cpus(), memory: host::memory().unwrap_or_default().total }
}

/// Names that differ only in capital letters are one name: people can't tell them apart when they speak.
fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Starts a guest's task, with the engine that an earlier core left running, where there is one.
async fn take_over(context: &Rc<Context>, definition: Definition) -> Handle {
    let found = launch::find(context, &definition).await;
    actor::spawn(Rc::clone(context), definition, found)
}

/// A name that is taken for a guest in the making. Dropped before it is kept, it is free again.
struct Reservation {
    registry: Rc<Registry>,
    guest: GuestId,
    kept: bool,
}

impl Reservation {
    /// The guest has its definition; now it gets its task, and everybody sees it.
    fn keep(mut self, definition: Definition) -> Unstarted {
        self.kept = true;
        let handle = actor::spawn(Rc::clone(&self.registry.context), definition, Ok(None));
        let info = (*handle.info()).clone();
        self.registry.guests.borrow_mut().insert(self.guest, Entry::Guest(handle.clone()));
        // Nobody may be watching.
        let _ = self.registry.context.changes.send(Change::Guest(info));
        Unstarted { registry: Rc::clone(&self.registry), handle, done: false }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.kept {
            self.registry.guests.borrow_mut().remove(&self.guest);
        }
    }
}

/// A guest whose creation has not ended. Dropped before it is done, it is forced off and deleted, so that
/// a creation that fails at its last step leaves as little behind as one that fails at its first.
struct Unstarted {
    registry: Rc<Registry>,
    handle: Handle,
    done: bool,
}

impl Unstarted {
    fn done(&mut self) {
        self.done = true;
    }

    /// Removes the guest again, whoever waits for that.
    fn undo(&mut self) -> JoinHandle<()> {
        self.done = true;
        let (registry, handle) = (Rc::clone(&self.registry), self.handle.clone());
        spawn_local(async move {
            let id = handle.info().id;
            // Refused where it is down already.
            let _ = handle.ask(|answer| Request::Wish(Wish::ForceOff, answer)).await;
            match handle.ask(|answer| Request::Delete { disks: true, answer }).await {
                Ok(()) => registry.forget(id),
                Err(error) => warn!(guest = %id, ?error, "a guest that could not be started stays"),
            }
        })
    }
}

impl Drop for Unstarted {
    fn drop(&mut self) {
        if !self.done {
            drop(self.undo());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
