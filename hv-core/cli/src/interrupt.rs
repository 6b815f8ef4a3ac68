//! Signals that ask `hv` to stop.

use crate::failure::Failure;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, from the moment this was made.
#[derive(Debug)]
pub struct Interrupt {
    key: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupt {
    /// Takes the signals over: from now on they end nothing by themselves.
    pub fn new() -> Result<Self, Failure> {
        let take = || -> io::Result<Self> {
            Ok(Self {
                key: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hangup: signal(SignalKind::hangup())?,
            })
        };
        take().map_err(|error| Failure::system("The command could not be started.", &error))
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.key.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }

    /// Does the work until it is done or a signal comes.
    pub async fn guard<T>(
        &mut self,
        work: impl Future<Output = Result<T, impl Into<Failure>>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            result = work => result.map_err(Into::into),
            () = self.next() => Err(Failure::Interrupted),
        }
    }
}
