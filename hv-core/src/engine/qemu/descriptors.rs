//! Files that a QEMU which runs is handed open: it can reach no others than those of its start.

use super::claims;
use super::qmp::{CALL_DEADLINE, Client};
use crate::engine::EngineError;
use rustix::fs::OFlags;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tokio::task::spawn_blocking;
use tracing::debug;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read it.
    Read,
    /// To read and write it.
    Write,
    /// The same of a block device, which nothing else on this computer can mount or use then ([`super::claims`]).
    Own,
}

/// A file that QEMU holds by a number.
#[derive(Debug)]
pub struct Handed(u64);

impl Handed {
    /// Hands an open file over.
    pub async fn over(client: &Client, file: OwnedFd) -> Result<Self, EngineError> {
        let set = client.call_within("add-fd", json!({}), vec![file], CALL_DEADLINE).await?;
        let number = set.get("fdset-id").and_then(Value::as_u64);
        number.map(Self).ok_or_else(|| EngineError::Refused {
            detail: "it took a descriptor and gave no number for it".into(),
        })
    }

    /// Opens a file and hands it over.
    pub async fn opened(client: &Client, path: &Path, access: Access) -> Result<Self, EngineError> {
        let file = open(path, access).await?;
        Self::over(client, file.into()).await
    }

    /// What QEMU takes for its name.
    pub fn name(&self) -> String {
        format!("/dev/fdset/{}", self.0)
    }

    /// Opened by who needs it, or not needed: no other gets it.
    pub async fn close(self, client: &Client) {
        if let Err(error) = client.call("remove-fd", json!({ "fdset-id": self.0 })).await {
            debug!(%error, "a descriptor stays with the engine");
        }
    }
}

async fn open(path: &Path, access: Access) -> Result<File, EngineError> {
    let wanted = path.to_owned();
    // It may be in a far file system. And a pipe, should it be one by now, is not waited for.
    let own = if access == Access::Own { OFlags::EXCL } else { OFlags::empty() };
    let (flags, write) = ((OFlags::NONBLOCK | own).bits().cast_signed(), access != Access::Read);
    let opened =
        spawn_blocking(move || OpenOptions::new().read(true).write(write).custom_flags(flags).open(wanted));
    let opened = opened.await.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
    if access == Access::Own && opened.as_ref().is_err_and(claims::is_taken) {
        return Err(claims::taken(path).await);
    }
    opened.map_err(|error| EngineError::Refused { detail: format!("{}: {error}", path.display()) })
}
