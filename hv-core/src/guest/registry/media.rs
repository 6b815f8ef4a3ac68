//! What media are, and which systems there are.

use super::{Registry, limits, same_name};
use crate::express::OFFERED;
use crate::guest::install;
use crate::host::preferences::{Environment, preferences};
use crate::inspect::{choice, inspect, of_tree};
use crate::job::Progress;
use crate::osdb::Database;
use crate::osdb::model::System;
use crate::tree::{self, Place, Tree};
use crate::{files, store};
use futures_util::{StreamExt, stream};
use hv_api::{Error, JobStage, MediumInfo, NewGuest, Preferences, Systems};
use std::path::Path;
use std::sync::Arc;

/// The most systems in one answer: all that are known, and room for more.
const MOST_SYSTEMS: usize = 1000;

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
        let mut files = files.into_iter();
        let mut trees = trees.into_iter();
        order.into_iter().filter_map(|tree| if tree { trees.next() } else { files.next().map(Ok) }).collect()
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
