//! How many people look at a guest: at its display or one of its serial ports.

use std::sync::Arc;
use tokio::sync::watch;

/// The count; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Viewers(Arc<watch::Sender<usize>>);

/// Somebody who looks, until this is dropped.
#[derive(Debug)]
pub struct Viewer(Viewers);

impl Viewers {
    /// Somebody looks.
    pub fn enter(&self) -> Viewer {
        self.0.send_modify(|count| *count += 1);
        Viewer(self.clone())
    }

    /// How many there are at a moment.
    pub fn watch(&self) -> watch::Receiver<usize> {
        self.0.subscribe()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}
