//! The display of a running QEMU.

use super::qmp::Client;
use crate::engine::{Canvas, DisplayInput, EngineError};
use std::sync::Arc;

/// Opens it.
#[expect(clippy::unused_async, reason = "replaced by the display's own branch")]
pub async fn open(_qmp: Arc<Client>, _canvas: Box<dyn Canvas>) -> Result<Box<dyn DisplayInput>, EngineError> {
    Err(EngineError::Refused { detail: "it has no display".into() })
}
