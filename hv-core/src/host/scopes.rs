//! A scope of the user's systemd for each engine: a control group of its own. An engine in one outlives the service
//! or the terminal that the core was started from, and its CPU time can be limited.
//!
//! Where there is no such systemd, engines run without, and no limit can be kept; that is told, not worked around.

use hv_api::{CpuLimitFault, GuestId};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tracing::debug;
use zbus::fdo::DBusProxy;
use zbus::zvariant::{DynamicType, OwnedValue, Value};
use zbus::{Connection, Message};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// Where systemd mounts the one hierarchy of control groups that a user's manager can have CPU time shared out in.
const GROUPS: &str = "/sys/fs/cgroup";

/// How long systemd may take for an answer. It usually takes a few milliseconds.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

/// Within what time a share is used up and granted again. The usual 100 ms would let a guest with a small share stand
/// for long enough that a pointer jumps.
const PERIOD: Duration = Duration::from_millis(20);

/// Why there is no scope, or no limit.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// There is no systemd for this user.
    #[error("no systemd of this user answers: {0}")]
    NoManager(#[source] zbus::Error),
    /// It has not been handed the CPU time to share out.
    #[error("the user's systemd may not share out CPU time: {0}")]
    NotDelegated(String),
    /// It refused.
    #[error("the user's systemd refused: {0}")]
    Refused(#[source] zbus::Error),
}

impl ScopeError {
    /// What clients are told of it.
    pub fn fault(&self) -> CpuLimitFault {
        match self {
            Self::NoManager(_) => CpuLimitFault::NoManager,
            Self::NotDelegated(_) => CpuLimitFault::NotDelegated,
            Self::Refused(_) => CpuLimitFault::Refused,
        }
    }
}

/// An engine that is to have a scope.
#[derive(Debug, Clone)]
pub struct Enclosed {
    /// Its guest.
    pub guest: GuestId,
    /// The guest's name, for people who look at the host's units.
    pub name: String,
    /// Its process.
    pub pid: u32,
}

impl Enclosed {
    /// The scope's name: no other engine has it, also none that the same guest had before.
    fn unit(&self) -> String {
        format!("app-guesthouse-{}-{}.scope", self.guest, self.pid)
    }
}

/// The scopes of this user's session.
#[derive(Debug)]
pub struct Scopes {
    /// The bus on which systemd is, where that is not the session's.
    bus: Option<String>,
    /// Where control groups are mounted.
    groups: PathBuf,
    manager: OnceCell<Connection>,
}

impl Scopes {
    /// Those of the user's systemd on the session's bus, asked for at the first need.
    pub fn of_session() -> Self {
        Self { bus: None, groups: GROUPS.into(), manager: OnceCell::new() }
    }

    /// None, as without a systemd.
    pub fn none() -> Self {
        Self::at("unix:path=/dev/null".into(), GROUPS.into())
    }

    /// Those of a systemd on the bus with this address, whose control groups are in this folder.
    pub fn at(bus: String, groups: PathBuf) -> Self {
        Self { bus: Some(bus), groups, manager: OnceCell::new() }
    }

    /// Makes sure that CPU time can be limited.
    ///
    /// # Errors
    /// Why it can't.
    pub async fn check(&self) -> Result<(), ScopeError> {
        let manager = self.manager().await?;
        let property = (MANAGER, "ControlGroup");
        let group = call(manager, PROPERTIES, "Get", &property).await.map_err(ScopeError::Refused)?;
        let group = group.body().deserialize::<OwnedValue>().and_then(|group| Ok(String::try_from(group)?));
        let group = group.map_err(ScopeError::Refused)?;
        let file = self.groups.join(group.trim_start_matches('/')).join("cgroup.controllers");
        if has_cpu(&file) {
            return Ok(());
        }
        Err(ScopeError::NotDelegated(format!("{} does not name “cpu”", file.display())))
    }

    /// Puts an engine into a scope of its own, in which it gets at most so much CPU time a second.
    ///
    /// # Errors
    /// Why it has none. The engine is where it was.
    pub async fn enclose(&self, engine: &Enclosed, quota: Option<Duration>) -> Result<(), ScopeError> {
        let manager = self.manager().await?;
        let mut properties = vec![
            ("Description", Value::from(format!("Guest “{}” of Guesthouse", engine.name))),
            ("PIDs", Value::from(vec![engine.pid])),
            ("Slice", Value::from("app.slice")),
            // It goes with its process, however that ends.
            ("CollectMode", Value::from("inactive-or-failed")),
        ];
        properties.extend(limits(quota));
        let nothing_else: Vec<(&str, Vec<(&str, Value<'_>)>)> = Vec::new();
        let arguments = (engine.unit(), "fail", properties, nothing_else);
        let answer = call(manager, MANAGER, "StartTransientUnit", &arguments).await;
        answer.map(drop).map_err(ScopeError::Refused)
    }

    /// Limits the CPU time a second of an engine that runs, or no longer. One without a scope gets one.
    ///
    /// # Errors
    /// Why it does not; the former limit stays.
    pub async fn limit(&self, engine: &Enclosed, quota: Option<Duration>) -> Result<(), ScopeError> {
        let manager = self.manager().await?;
        let arguments = (engine.unit(), true, limits(quota));
        match call(manager, MANAGER, "SetUnitProperties", &arguments).await {
            Ok(_done) => Ok(()),
            Err(zbus::Error::MethodError(name, ..)) if name == NO_SUCH_UNIT => {
                self.enclose(engine, quota).await
            }
            Err(error) => Err(ScopeError::Refused(error)),
        }
    }

    async fn manager(&self) -> Result<&Connection, ScopeError> {
        self.manager.get_or_try_init(|| self.find()).await.map_err(ScopeError::NoManager)
    }

    async fn find(&self) -> zbus::Result<Connection> {
        let find = async {
            let bus = match &self.bus {
                Some(address) => zbus::connection::Builder::address(address.as_str())?.build().await?,
                None => Connection::session().await?,
            };
            // Not called up: on a bus without it, that would start something which only says so.
            if DBusProxy::new(&bus).await?.name_has_owner(SYSTEMD.try_into()?).await? {
                return Ok(bus);
            }
            Err(zbus::Error::NameTaken)
        };
        let found = timeout(ANSWER_DEADLINE, find).await.unwrap_or_else(|_elapsed| Err(silent()));
        found.inspect_err(|error| debug!(%error, "engines have no scopes"))
    }
}

async fn call<A>(bus: &Connection, interface: &str, method: &str, arguments: &A) -> zbus::Result<Message>
where
    A: serde::Serialize + DynamicType + Sync,
{
    let call = bus.call_method(Some(SYSTEMD), PATH, Some(interface), method, arguments);
    timeout(ANSWER_DEADLINE, call).await.unwrap_or_else(|_elapsed| Err(silent()))
}

fn silent() -> zbus::Error {
    zbus::Error::InputOutput(std::sync::Arc::new(std::io::ErrorKind::TimedOut.into()))
}

fn limits(quota: Option<Duration>) -> Vec<(&'static str, Value<'static>)> {
    let microseconds = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    vec![
        ("CPUQuotaPerSecUSec", Value::from(quota.map_or(u64::MAX, microseconds))),
        ("CPUQuotaPeriodUSec", Value::from(microseconds(PERIOD))),
    ]
}

/// Whether a list of what a control group can share out has the CPU in it.
fn has_cpu(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|list| list.split_whitespace().any(|name| name == "cpu"))
}
