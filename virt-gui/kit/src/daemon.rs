//! The handle on the core: one thread that owns the event stream and makes calls.
//!
//! Every call has a connection of its own, so that one that takes long delays no other. While the core
//! is away nothing polls: the thread sleeps until somebody makes the socket anew.

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use hv_api::client::{self, CallError, ConnectError, Connection, Events, settle};
use hv_api::{Change, Core, Error, GuestId, GuestStatistics, JobId};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{debug, info, warn};

/// What the window is told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "news are moved once and not kept")]
pub enum News {
    /// The connection to the core has become this.
    Link(Link),
    /// Something has changed. After each [`Link::Up`] the first one is everything.
    Change(Change),
}

/// The connection to the core.
#[derive(Debug)]
pub enum Link {
    /// It is being made; the core is started where it does not run.
    Connecting,
    /// It stands.
    Up,
    /// There is none, and nothing is being done about it until [`Daemon::start`] or until a core appears.
    Down(ConnectError),
    /// It stood and broke: the core has ended. As with `Down`, nothing is being done about it.
    Lost,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The core could not be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It refused, or the connection broke.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The window is closing, and its connection with it.
    #[error("the connection is closed")]
    Closed,
}

/// How many measurements may wait to be looked at; a window that is busy gets older ones late.
const MEASUREMENTS: usize = 4;

type Work = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

/// The handle. Clones are the same handle; when the last is gone the thread ends.
#[derive(Clone)]
pub struct Daemon {
    socket: Arc<Path>,
    work: mpsc::UnboundedSender<Work>,
    start: Arc<Notify>,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Daemon {
    /// Connects to the core on `socket`, starting it where it does not run, and says everything from then
    /// on through `tell`, which is called on the handle's own thread and must not wait.
    ///
    /// # Errors
    /// Where the host has no thread left to give.
    pub fn connect(socket: PathBuf, tell: impl Fn(News) + Send + 'static) -> std::io::Result<Self> {
        let (work, requests) = mpsc::unbounded_channel();
        let start = Arc::new(Notify::new());
        let daemon = Self { socket: socket.into(), work, start: Arc::clone(&start) };
        let socket = Arc::clone(&daemon.socket);
        std::thread::Builder::new().name("core-client".into()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return warn!(%error, "no connection to the core, as no runtime could be made"),
            };
            tokio::task::LocalSet::new().block_on(&runtime, run(&socket, requests, &start, &tell));
        })?;
        Ok(daemon)
    }

    /// Tries again to reach the core, starting it where it does not run. Does nothing while the
    /// connection stands.
    pub fn start(&self) {
        self.start.notify_one();
    }

    /// Makes calls on a connection of their own:
    /// `daemon.call(async move |core| settle(core.pause(&guest).await)).await`.
    pub async fn call<T, F>(&self, calls: F) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&mut Connection) -> Result<T, CallError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let socket = Arc::clone(&self.socket);
        let work: Work = Box::new(move || {
            Box::pin(async move {
                let result = match client::connect(&socket).await {
                    Ok(mut connection) => calls(&mut connection).await.map_err(Trouble::from),
                    Err(error) => Err(error.into()),
                };
                // Who asked may have gone.
                drop(answer.send(result));
            })
        });
        self.work.send(work).map_err(|_gone| Trouble::Closed)?;
        answered.await.map_err(|_gone| Trouble::Closed)?
    }

    /// What a guest uses, once a second, until its machine or the core has ended. The core measures it
    /// only until what is returned is dropped.
    pub fn statistics(&self, guest: GuestId) -> mpsc::Receiver<GuestStatistics> {
        let (told, statistics) = mpsc::channel(MEASUREMENTS);
        let socket = Arc::clone(&self.socket);
        let work: Work = Box::new(move || {
            Box::pin(async move {
                tokio::select! {
                    result = measure(&socket, guest, &told) => debug!(?result, "the statistics have ended"),
                    () = told.closed() => {}
                }
            })
        });
        // Where the thread has ended, so have the statistics.
        drop(self.work.send(work));
        statistics
    }
}

/// Waits until a job has ended, also where a person has cancelled it.
///
/// # Errors
/// Why it failed.
pub async fn ended(core: &mut Connection, job: JobId) -> Result<(), CallError> {
    let mut messages = pin!(core.follow(job).await.map_err(CallError::Broken)?);
    let mut ended = Ok(());
    while let Some(message) = messages.next().await {
        ended = settle(message).map(drop);
    }
    match ended {
        Err(CallError::Refused(Error::JobCancelled { .. })) => Ok(()),
        ended => ended,
    }
}

/// Passes a guest's statistics on.
async fn measure(socket: &Path, guest: GuestId, told: &mpsc::Sender<GuestStatistics>) -> Result<(), Trouble> {
    let mut core = client::connect(socket).await?;
    let guest = guest.to_string();
    let mut messages = pin!(core.statistics(&guest).await.map_err(CallError::Broken)?);
    while let Some(message) = messages.next().await {
        // Who listened has gone, which ends this in a moment.
        drop(told.send(settle(message)?.statistics).await);
    }
    Ok(())
}

async fn run(
    socket: &Path,
    mut requests: mpsc::UnboundedReceiver<Work>,
    start: &Notify,
    tell: &impl Fn(News),
) {
    let calls = async {
        while let Some(work) = requests.recv().await {
            tokio::task::spawn_local(work());
        }
    };
    tokio::select! {
        () = calls => {}
        () = keep_watching(socket, start, tell) => {}
    }
}

/// Keeps the event stream, again and again.
async fn keep_watching(socket: &Path, start: &Notify, tell: &impl Fn(News)) {
    let mut may_start = true;
    loop {
        tell(News::Link(Link::Connecting));
        let connected =
            if may_start { client::connect_or_start(socket).await } else { client::connect(socket).await };
        match connected {
            Ok(connection) => {
                watch(connection, tell).await;
                tell(News::Link(Link::Lost));
            }
            Err(error) => {
                warn!(%error, "no connection to the core");
                tell(News::Link(Link::Down(error)));
            }
        }
        may_start = wait_for_a_reason(socket, start).await;
    }
}

/// Passes the event stream on until it ends.
async fn watch(mut connection: Connection, tell: &impl Fn(News)) {
    let mut events = match Events::watch(&mut connection).await {
        Ok(events) => events,
        Err(error) => return warn!(%error, "the core gives no events"),
    };
    let mut told = false;
    loop {
        match events.next().await {
            Ok(event) => {
                if !told {
                    tell(News::Link(Link::Up));
                    told = true;
                }
                if let Some(change) = event.into_change() {
                    tell(News::Change(change));
                }
            }
            Err(error) => return info!(%error, "the event stream has ended"),
        }
    }
}

/// Waits until it makes sense to try again: somebody asked for the core to be started (true), or its
/// socket has appeared (false).
async fn wait_for_a_reason(socket: &Path, start: &Notify) -> bool {
    tokio::select! {
        () = start.notified() => true,
        () = socket_appears(socket) => false,
    }
}

/// Waits until a core answers at the socket's path; for ever where its folder can't be watched.
async fn socket_appears(socket: &Path) {
    let stream = socket.parent().and_then(|folder| {
        let inotify = inotify::Inotify::init().ok()?;
        inotify.watches().add(folder, inotify::WatchMask::CREATE | inotify::WatchMask::MOVED_TO).ok()?;
        inotify.into_event_stream(vec![0; 4096]).ok()
    });
    if let Some(mut stream) = stream {
        // One may have come while nobody watched the folder.
        if client::connect(socket).await.is_ok() {
            return;
        }
        while let Some(event) = stream.next().await {
            if event.is_ok_and(|event| event.name.as_deref() == socket.file_name()) {
                return;
            }
        }
    }
    std::future::pending::<()>().await;
}
