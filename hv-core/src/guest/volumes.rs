//! Who has which volume while it runs. A volume that two guests write at once is destroyed, so the second
//! one is refused, and told who has it.

use crate::storage::VolumeId;
use hv_api::{Error, GuestId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;

/// The volumes of all running guests, by what makes two paths the same file.
#[derive(Debug, Default)]
pub struct Volumes(RefCell<HashMap<VolumeId, (GuestId, String)>>);

impl Volumes {
    /// Takes all of these for a guest, or none, where another has one of them.
    pub fn claim(&self, guest: GuestId, name: &str, volumes: Vec<(VolumeId, PathBuf)>) -> Result<(), Error> {
        let mut held = self.0.borrow_mut();
        for (volume, path) in &volumes {
            if let Some((_, holder)) = held.get(volume).filter(|(holder, _)| *holder != guest) {
                return Err(Error::DiskInUse { path: path.display().to_string(), holder: holder.clone() });
            }
        }
        held.extend(volumes.into_iter().map(|(volume, _)| (volume, (guest, name.to_owned()))));
        Ok(())
    }

    /// Gives back all that a guest has.
    pub fn release(&self, guest: GuestId) {
        self.0.borrow_mut().retain(|_, (holder, _)| *holder != guest);
    }
}
