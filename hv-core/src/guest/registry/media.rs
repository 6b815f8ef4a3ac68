//! What media are, and which systems there are.

use super::{Registry, limits, same_name};
use crate::files;
use crate::inspect::inspect;
use hv_api::{Error, MediumInfo};
use std::sync::Arc;

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
