//! PCI devices of guests: what of a change has to do with other guests and with the host; and what of the host's
//! devices clients are told.

use super::Registry;
use crate::files;
use crate::host::pci::{Pci, scan};
use crate::host::watch::Watch;
use hv_api::{Change, Error};
use tracing::warn;

impl Registry {
    /// Looks for the host's devices, and tells everybody where they have changed.
    pub async fn look_for_pci(&self) -> Result<Pci, Error> {
        let root = self.context.folders.devices.clone();
        let found = files::off_thread(move || Ok(scan(&root))).await?;
        if *self.pci.borrow() != found {
            self.pci.replace(found.clone());
            // Nobody may be watching.
            let _ = self.context.changes.send(Change::Host(self.host().await));
        }
        Ok(found)
    }

    /// Looks for the host's devices that guests can have, of all kinds, whenever some come or go, for as long as the
    /// core runs.
    pub async fn follow_devices(&self) {
        let followed = async {
            let mut watch = Watch::begin(&self.context.folders.devices)?;
            loop {
                watch.changed().await?;
                let found = match self.look_for_usb().await {
                    Ok(_usb) => self.look_for_pci().await.map(drop),
                    Err(error) => Err(error),
                };
                if let Err(error) = found {
                    warn!(?error, "the host's devices can't be looked for");
                }
            }
        };
        let ended: std::io::Result<()> = followed.await;
        if let Err(error) = ended {
            warn!(%error, "devices that come and go are not noticed");
        }
    }
}
