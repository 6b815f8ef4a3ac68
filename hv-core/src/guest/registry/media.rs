//! What media are, and which systems there are.

use super::{Registry, limits, same_name};
use crate::engine::DiskFormat;
use crate::express::OFFERED;
use crate::guest::{disk_kernel, install};
use crate::host::block::Block;
use crate::host::preferences::{Environment, preferences};
use crate::inspect::{choice, inspect, of_tree, with_installed};
use crate::job::Progress;
use crate::osdb::Database;
use crate::osdb::model::System;
use crate::tree::{self, Place, Tree};
use crate::{files, store};
use futures_util::{StreamExt, stream};
use hv_api::{Error, JobStage, MediumInfo, MediumKind, NewGuest, Preferences, Systems};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The most systems in one answer: all that are known, and room for more.
const MOST_SYSTEMS: usize = 1000;

/// Disks that are read at once by one call, each by a process of its own.
const DISKS_AT_ONCE: usize = 2;

/// How long it may take to find out which system is on a disk.
const SYSTEM_DEADLINE: Duration = Duration::from_secs(3);

/// Servers that are asked at once by one call.
const TREES_AT_ONCE: usize = 16;

impl Registry {
    /// What each of these files and install trees is. Trees on servers are looked at beside each other.
    pub async fn inspect(&self, paths: Vec<String>) -> Result<Vec<MediumInfo>, Error> {
        let (limits, names) = (limits(), self.names());
        let systems = Arc::clone(&self.context.systems);
        let is_address = |path: &String| Place::is_address(path);
        let addresses: Vec<String> = paths.iter().filter(|path| is_address(path)).cloned().collect();
        let order: Vec<bool> = paths.iter().map(is_address).collect();
        let look = move || {
            let database = systems.get();
            let taken = |name: &str| names.iter().any(|other| same_name(other, name));
            let files = paths.iter().filter(|path| !is_address(path));
            files.map(|path| inspect(path.as_ref(), &taken, limits, &database)).collect()
        };
        let trees = stream::iter(addresses).map(|address| self.inspect_tree(address)).buffered(TREES_AT_ONCE);
        let (files, trees) = tokio::join!(files::off_thread(look), trees.collect::<Vec<_>>());
        let files: Vec<MediumInfo> = files?;
        let files = stream::iter(files).map(|info| self.with_system(info)).buffered(DISKS_AT_ONCE);
        let files: Vec<MediumInfo> = files.collect().await;
        let mut files = files.into_iter();
        let mut trees = trees.into_iter();
        order.into_iter().filter_map(|tree| if tree { trees.next() } else { files.next().map(Ok) }).collect()
    }

    /// The same with the system that is on a disk, where that can be told within a moment.
    async fn with_system(&self, info: MediumInfo) -> MediumInfo {
        let format =
            info.format.as_deref().and_then(DiskFormat::of_name).filter(|format| format.is_written());
        let is_disk = matches!(info.kind, MediumKind::DiskImage | MediumKind::BlockDevice);
        // Nothing is read that nobody has agreed to.
        let is_whole = info.backing_fault.is_none() && !info.backing.iter().any(|file| file.outside);
        let Some(format) = format.filter(|_| is_disk && is_whole) else { return info };
        let place = disk_kernel::place_of(info.path.as_ref(), format);
        let asked = tokio::time::timeout(SYSTEM_DEADLINE, self.context.boot_menus.system(&place)).await;
        let Ok(Ok((system, starts))) = asked else { return info };
        // A whole disk has a boot loader that starts by itself.
        let is_partition = || Block::at(info.path.as_ref()).is_some_and(|block| block.partition.is_some());
        let info = MediumInfo { kernel_on_disk: starts && is_partition(), ..info };
        // What its name says of a cloud image is known of it beforehand.
        let Some(found) = system.filter(|_| info.os.is_none()) else { return info };
        let Ok(database) = self.database().await else { return info };
        let names = self.names();
        let taken = |name: &str| names.iter().any(|other| same_name(other, name));
        with_installed(info, found, &taken, limits(), &database)
    }

    async fn inspect_tree(&self, address: String) -> Result<MediumInfo, Error> {
        let place = Place::of(&address)?;
        let database = self.database().await?;
        let tree = tree::look(place, Arc::clone(&database)).await?;
        let (shown, names) = (tree.place.shown(), self.names());
        let name = shown.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let taken = |name: &str| names.iter().any(|other| same_name(other, name));
        Ok(of_tree(shown, &name, tree.found, &taken, limits(), &database))
    }

    /// The install tree that a new guest is made from, where it is made from one.
    pub(super) async fn tree_of(&self, new: &NewGuest) -> Result<Option<Tree>, Error> {
        let Some(text) = &new.tree else { return Ok(None) };
        let tree = tree::look(Place::of(text)?, self.database().await?).await?;
        tree.check()?;
        Ok(Some(tree))
    }

    /// Gets the installer of a tree into the folder in which a guest is made.
    pub(super) async fn fetch_installer(
        &self,
        tree: &Tree,
        draft: &Path,
        progress: &Progress,
    ) -> Result<(), Error> {
        let (cache, folder) = (self.context.folders.cache.join("trees"), draft.join(install::FOLDER));
        hv_api::paths::private_folder(&folder).map_err(|error| store::failed(&folder, &error))?;
        let tell = |amount| progress.amount(JobStage::Fetching, amount);
        tree::get::installer(tree, &cache, &folder, tell).await
    }

    /// The operating-system database, read anew where it has changed.
    async fn database(&self) -> Result<Arc<Database>, Error> {
        let systems = Arc::clone(&self.context.systems);
        files::off_thread(move || Ok(systems.get())).await
    }

    /// The systems that a guest can be for, the newest first. With `search`, those that have each of its words in
    /// their name or short id.
    pub async fn systems(&self, search: Option<String>) -> Result<Systems, Error> {
        let (limits, systems) = (limits(), Arc::clone(&self.context.systems));
        files::off_thread(move || {
            let database = systems.get();
            let search = search.unwrap_or_default().to_lowercase();
            let words: Vec<&str> = search.split_whitespace().take(16).collect();
            let has = |system: &&System| {
                let text = format!("{} {}", system.name, system.short_ids.join(" ")).to_lowercase();
                words.iter().all(|word| text.contains(word))
            };
            let mut found: Vec<&System> =
                database.systems().iter().filter(|system| !system.is_generic()).filter(has).collect();
            // Those without a date are the always newest ones, and general ones.
            found.sort_by(|a, b| b.released.cmp(&a.released).then_with(|| a.name.cmp(&b.name)));
            let systems =
                found.into_iter().take(MOST_SYSTEMS).map(|system| choice(system, &database, limits));
            Ok(Systems { systems: systems.collect(), version: database.version().map(str::to_owned) })
        })
        .await
    }

    /// How this computer is set up for its user.
    pub async fn preferences(&self) -> Result<Preferences, Error> {
        files::off_thread(|| {
            let user = rustix::process::getuid().as_raw();
            let found = preferences("/".as_ref(), &Environment::of_process(), user);
            Ok(Preferences { express: OFFERED.map(str::to_owned).into(), ..found })
        })
        .await
    }

    /// Reads the operating-system database, so that it is there when it is needed.
    pub async fn read_systems(&self) {
        let systems = Arc::clone(&self.context.systems);
        let _ = files::off_thread(move || {
            systems.get();
            Ok(())
        })
        .await;
    }
}
