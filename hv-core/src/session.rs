//! The end of the user's session and the sleep of the host, as logind announces them, and the host's power, as UPower
//! tells it (`battery`).
//!
//! The host's shutdown and sleep are delayed for the moment that guests need, as far as logind grants one: guests
//! are asked to shut down or saved, or paused and later let go on, as their definitions say. Where there is no logind
//! nothing is done, and that is said once. Nothing here wakes up but for logind's word.

mod battery;
mod logout;

use crate::guest::handle::{Handle, Request};
use crate::guest::registry::Registry;
use crate::guest::state::Wish;
use futures_util::StreamExt;
use futures_util::future::join_all;
use hv_api::{GuestId, GuestInfo, GuestState, SleepAction};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;
use tracing::{info, warn};
use zbus::message::Type;
use zbus::names::MemberName;
use zbus::zvariant::{OwnedFd, OwnedObjectPath, OwnedValue};
use zbus::{Connection, MatchRule, Message, MessageStream};

const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How long logind and UPower may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// What logind grants where it does not say how much, and what is left of it for the answer itself.
const USUAL_DELAY: Duration = Duration::from_secs(5);
const MARGIN: Duration = Duration::from_millis(500);

/// Goes with the session and the host's power until the core ends. `bus` leads to the system's bus.
pub async fn follow(registry: Rc<Registry>, bus: impl Future<Output = zbus::Result<Connection>>) {
    let bus = match timeout(ANSWER_DEADLINE, bus).await {
        Ok(Ok(bus)) => bus,
        Ok(Err(error)) => {
            info!(%error, "no system bus: the session's end, the host's sleep and its battery go unnoticed");
            return;
        }
        Err(_elapsed) => {
            info!("the system bus does not answer: the session's end goes unnoticed");
            return;
        }
    };
    tokio::join!(logind(Rc::clone(&registry), bus.clone()), battery::follow(registry, bus));
}

async fn logind(registry: Rc<Registry>, bus: Connection) {
    match timeout(ANSWER_DEADLINE, Session::open(Rc::clone(&registry), bus)).await {
        Ok(Ok((mut session, signals))) => {
            session.listen(signals).await;
            registry.session_waits(None);
        }
        Ok(Err(error)) => {
            info!(%error, "no logind: the end of the session and the host's sleep go unnoticed");
        }
        Err(_elapsed) => {
            info!("logind does not answer: the end of the session goes unnoticed");
        }
    }
}

struct Session {
    registry: Rc<Registry>,
    bus: Connection,
    /// What delays the host's shutdown and sleep; dropped, they go on.
    delay: Option<OwnedFd>,
    limit: Duration,
    /// Guests that were paused for the host's sleep.
    paused: Vec<GuestId>,
}

impl Session {
    async fn open(registry: Rc<Registry>, bus: Connection) -> zbus::Result<(Self, MessageStream)> {
        let rule =
            MatchRule::builder().msg_type(Type::Signal).sender(LOGIND)?.path(PATH)?.interface(MANAGER)?;
        let signals = MessageStream::for_match_rule(rule.build(), &bus, None).await?;
        let mut session = Self { registry, bus, delay: None, limit: USUAL_DELAY, paused: Vec::new() };
        session.take_delay().await?;
        Ok((session, signals))
    }

    async fn listen(&mut self, mut signals: MessageStream) {
        while let Some(Ok(signal)) = signals.next().await {
            let header = signal.header();
            let flag = || signal.body().deserialize::<bool>().unwrap_or_default();
            match header.member().map(MemberName::as_str) {
                Some("PrepareForShutdown") if flag() => {
                    self.end().await;
                    self.delay = None;
                }
                Some("PrepareForSleep") if flag() => {
                    self.pause().await;
                    self.delay = None;
                }
                Some("PrepareForSleep" | "PrepareForShutdown") => {
                    self.resume().await;
                    if let Err(error) = self.take_delay().await {
                        warn!(%error, "the host's next sleep will not wait for guests");
                    }
                }
                Some("SessionRemoved") if self.was_last_session().await => self.end().await,
                _ => {}
            }
        }
        info!("logind is gone");
    }

    async fn call<A, T>(&self, path: &str, interface: &str, method: &str, arguments: &A) -> zbus::Result<T>
    where
        A: serde::Serialize + zbus::zvariant::DynamicType + Sync,
        T: for<'a> serde::Deserialize<'a> + zbus::zvariant::Type,
    {
        let call = self.bus.call_method(Some(LOGIND), path, Some(interface), method, arguments);
        let silent =
            |_elapsed| zbus::Error::InputOutput(std::sync::Arc::new(std::io::ErrorKind::TimedOut.into()));
        let answer: Message = timeout(ANSWER_DEADLINE, call).await.map_err(silent)??;
        answer.body().deserialize()
    }

    async fn take_delay(&mut self) -> zbus::Result<()> {
        let why = ("shutdown:sleep", "Guesthouse", "Guests are shut down or paused", "delay");
        self.delay = Some(self.call(PATH, MANAGER, "Inhibit", &why).await?);
        let limit =
            self.call::<_, OwnedValue>(PATH, PROPERTIES, "Get", &(MANAGER, "InhibitDelayMaxUSec")).await;
        if let Ok(microseconds) = limit.and_then(|limit| Ok(u64::try_from(limit)?)) {
            self.limit = Duration::from_micros(microseconds);
        }
        self.registry.session_waits(Some(self.limit));
        Ok(())
    }

    /// Whether this user has no session any more, and has not asked that programs run on without one.
    async fn was_last_session(&self) -> bool {
        let user = rustix::process::getuid().as_raw();
        let Ok(path) = self.call::<_, OwnedObjectPath>(PATH, MANAGER, "GetUser", &user).await else {
            // Who is not known has none.
            return true;
        };
        let interface = "org.freedesktop.login1.User";
        let state = self.call::<_, OwnedValue>(path.as_str(), PROPERTIES, "Get", &(interface, "State")).await;
        let state = state.and_then(|state| Ok(String::try_from(state)?));
        state.is_ok_and(|state| matches!(state.as_str(), "closing" | "offline"))
    }

    fn guests(&self, which: impl Fn(&GuestInfo) -> bool) -> Vec<Handle> {
        let guests = self.registry.list().into_iter().filter(which);
        guests.filter_map(|guest| self.registry.find(&guest.id.to_string()).ok()).collect()
    }

    async fn end(&self) {
        logout::end(&self.registry, self.left()).await;
    }

    /// How long guests may take.
    fn left(&self) -> Duration {
        self.limit.saturating_sub(MARGIN)
    }

    async fn pause(&mut self) {
        let guests = self.guests(|guest| {
            guest.power.on_host_sleep == SleepAction::Pause && guest.state == GuestState::Running
        });
        let paused = guests.into_iter().map(async |handle| {
            let done = handle.ask(|answer| Request::Rule(Wish::Pause, answer)).await;
            done.ok().map(|guest| guest.id)
        });
        let paused = timeout(self.left(), join_all(paused)).await;
        self.paused = paused.unwrap_or_default().into_iter().flatten().collect();
        info!(guests = self.paused.len(), "paused while the host sleeps");
    }

    /// Lets those go on that were paused for the sleep, unless a person has done something about them.
    async fn resume(&mut self) {
        let paused = std::mem::take(&mut self.paused);
        let guests = self.guests(|guest| paused.contains(&guest.id) && guest.state == GuestState::Paused);
        let resumed = guests.into_iter().map(async |handle| {
            if let Err(error) = handle.ask(|answer| Request::Rule(Wish::Resume, answer)).await {
                warn!(guest = %handle.info().id, ?error, "it does not go on after the host's sleep");
            }
        });
        join_all(resumed).await;
    }
}
