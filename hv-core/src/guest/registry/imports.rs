//! What the machines of other programs would be here.

use super::{Registry, limits, same_name};
use crate::files;
use crate::import::{self, Host};
use crate::osdb::Database;
use hv_api::{ByteSize, Error, GuestId, ImportPlan, MacAddress};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

impl Registry {
    /// What guest a file of another program's would be.
    pub async fn plan_import(&self, path: String, machine: Option<String>) -> Result<ImportPlan, Error> {
        let ids = self.guests.borrow().keys().copied().collect();
        let cards = self.list().into_iter().flat_map(|guest| guest.nics);
        let (names, macs) = (self.names(), cards.map(|nic| nic.mac).collect());
        let systems = Arc::clone(&self.context.systems);
        files::off_thread(move || {
            let here = Here { names, ids, macs, database: systems.get() };
            import::plan(path.as_ref(), machine.as_deref(), &here)
        })
        .await
    }
}

/// This computer and its guests.
struct Here {
    names: Vec<String>,
    ids: BTreeSet<GuestId>,
    macs: Vec<MacAddress>,
    database: Arc<Database>,
}

impl Host for Here {
    fn has_name(&self, name: &str) -> bool {
        self.names.iter().any(|other| same_name(other, name))
    }

    fn has_id(&self, id: GuestId) -> bool {
        self.ids.contains(&id)
    }

    fn has_bridge(&self, bridge: &str) -> bool {
        // A name with a slash is none of a bridge.
        !bridge.contains('/') && Path::new("/sys/class/net").join(bridge).join("bridge").is_dir()
    }

    fn has_file(&self, path: &Path) -> bool {
        path.exists()
    }

    fn most(&self) -> (ByteSize, u32) {
        let limits = limits();
        (limits.memory, limits.cpus)
    }

    fn has_mac(&self, mac: MacAddress) -> bool {
        self.macs.contains(&mac)
    }

    fn database(&self) -> &Database {
        &self.database
    }
}
