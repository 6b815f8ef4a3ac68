//! What media are, and which systems there are.

use super::{Registry, limits, same_name};
use crate::express::OFFERED;
use crate::files;
use crate::host::preferences::{Environment, preferences};
use crate::inspect::{choice, inspect};
use crate::osdb::model::System;
use hv_api::{Error, MediumInfo, Preferences, Systems};
use std::sync::Arc;

/// The most systems in one answer: all that are known, and room for more.
const MOST_SYSTEMS: usize = 1000;

impl Registry {
    /// What each of these files is.
    pub async fn inspect(&self, paths: Vec<String>) -> Result<Vec<MediumInfo>, Error> {
        let (limits, names) = (limits(), self.names());
        let systems = Arc::clone(&self.context.systems);
        let look = move || {
            let database = systems.get();
            let taken = |name: &str| names.iter().any(|other| same_name(other, name));
            paths.iter().map(|path| inspect(path.as_ref(), &taken, limits, &database)).collect()
        };
        files::off_thread(look).await
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
