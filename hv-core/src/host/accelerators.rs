//! The accelerator that guests get, found out once and then known.

use super::accelerator::accelerator;
use hv_api::AcceleratorInfo;
use std::path::PathBuf;
use tokio::sync::OnceCell;

/// The accelerator, known or yet to be tried.
#[derive(Debug)]
pub struct Accelerators {
    known: OnceCell<AcceleratorInfo>,
    program: PathBuf,
    cache: PathBuf,
}

impl Accelerators {
    /// Tries KVM in a child process of `program` when it is first asked for, and remembers the answer in
    /// the file `cache` until the host is booted anew.
    pub fn probed(program: PathBuf, cache: PathBuf) -> Self {
        Self { known: OnceCell::new(), program, cache }
    }

    /// This one, whatever the host has.
    pub fn fixed(info: AcceleratorInfo) -> Self {
        Self { known: OnceCell::new_with(Some(info)), program: PathBuf::new(), cache: PathBuf::new() }
    }

    /// What was found out so far.
    pub fn known(&self) -> Option<&AcceleratorInfo> {
        self.known.get()
    }

    /// The accelerator; tried now where it has not been yet.
    pub async fn get(&self) -> &AcceleratorInfo {
        self.known.get_or_init(|| accelerator(&self.program, &self.cache)).await
    }
}
