//! A bus of a test's own in place of the system's, on which the test answers for the system's services.

use hv_tests::{Home, skip, within};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use zbus::connection::Builder;

/// The bus, as long as it is there.
pub struct SystemBus {
    _daemon: Child,
    pub address: String,
}

impl SystemBus {
    /// Starts it; nothing where no bus is installed.
    pub async fn start(home: &Home) -> Option<Self> {
        let mut bus = home.command("/usr/bin/dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]).stdout(Stdio::piped());
        let Ok(mut daemon) = bus.kill_on_drop(true).spawn() else {
            skip("dbus-daemon is not installed");
            return None;
        };
        let mut lines = BufReader::new(daemon.stdout.take().expect("its output")).lines();
        let address = within("an address", lines.next_line()).await.expect("a line").expect("a line");
        Some(Self { _daemon: daemon, address })
    }

    /// A service that has this name on it.
    pub fn service(&self, name: &'static str) -> Builder<'_> {
        let builder = Builder::address(self.address.as_str()).expect("an address");
        builder.name(name).expect("a name")
    }
}
