//! A message bus of the test's own, for what the core asks of the desktop and of the system.

use crate::{Home, skip, within};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

/// A bus, which ends with this.
#[derive(Debug)]
pub struct Bus {
    /// Its address, as the variables of the environment have it.
    pub address: String,
    _daemon: Child,
}

impl Bus {
    /// Starts it; nothing where the program for it is not installed, which is said aloud.
    pub async fn start(home: &Home) -> Option<Self> {
        let mut bus = home.command("/usr/bin/dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]).stdout(Stdio::piped());
        let Ok(mut daemon) = bus.kill_on_drop(true).spawn() else {
            skip("dbus-daemon is not installed");
            return None;
        };
        let mut lines = BufReader::new(daemon.stdout.take().expect("its output")).lines();
        let address = within("an address", lines.next_line()).await.expect("a line").expect("a line");
        Some(Self { address, _daemon: daemon })
    }

    /// A service on it that is to be built.
    pub fn service(&self, name: &'static str) -> zbus::connection::Builder<'_> {
        let builder = zbus::connection::Builder::address(self.address.as_str()).expect("an address");
        builder.name(name).expect("a name")
    }
}
