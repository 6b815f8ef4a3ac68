//! The daemon: one for each user, however many are started at once; listens, serves, and ends without
//! touching a guest.

use crate::autostart;
use crate::engine::Engine;
use crate::guest::registry::Registry;
use crate::host::scopes::Scopes;
use crate::host::{Accelerators, Folders};
use crate::server::{self, Service};
use rustix::fs::FlockOperation;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tracing::{info, warn};

/// Why the daemon could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another one serves this user already.
    #[error("already running")]
    AlreadyRunning,
    /// A folder could not be made or entered.
    #[error("could not use the folders of this user: {0}")]
    Folders(#[source] io::Error),
    /// The socket could not be made.
    #[error("could not listen on {}: {source}", path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// The guests could not be read.
    #[error("could not read the guests: {0:?}")]
    Guests(hv_api::Error),
}

/// A daemon that listens.
pub struct Daemon {
    listener: UnixListener,
    socket: PathBuf,
    registry: Rc<Registry>,
    /// Held as long as the daemon lives; the operating system gives it back, however it ends.
    _lock: File,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Daemon {
    /// Takes this user's lock, reads the guests, takes running ones over, and listens. Must be called on a
    /// thread that runs local tasks.
    pub async fn start(
        engine: Arc<dyn Engine>,
        folders: Folders,
        accelerator: Accelerators,
        scopes: Scopes,
        socket: PathBuf,
    ) -> Result<Self, StartError> {
        folders.create().map_err(StartError::Folders)?;
        let lock = lock(&folders.runtime.join("core.lock"))?;
        // Listening comes first, so that clients that come meanwhile wait instead of starting another one.
        let listener =
            listen(&socket).map_err(|source| StartError::Listen { path: socket.clone(), source })?;
        let registry =
            Registry::open(engine, folders, accelerator, scopes).await.map_err(StartError::Guests)?;
        Ok(Self { listener, socket, registry, _lock: lock })
    }

    /// All guests.
    pub fn registry(&self) -> Rc<Registry> {
        Rc::clone(&self.registry)
    }

    /// Serves until a client or a signal ends it. Guests run on.
    pub async fn run(self) {
        let quit = Rc::new(Notify::new());
        let registry = Rc::clone(&self.registry);
        spawn_local(async move { registry.try_accelerator().await });
        let registry = Rc::clone(&self.registry);
        spawn_local(async move { registry.follow_devices().await });
        let registry = Rc::clone(&self.registry);
        spawn_local(async move { registry.read_systems().await });
        let registry = Rc::clone(&self.registry);
        spawn_local(async move { autostart::begin(&registry).await });
        tokio::select! {
            () = self.accept_clients(&quit) => {}
            () = quit.notified() => info!("ended by a client"),
            () = signalled() => info!("ended by a signal"),
        }
        // A client that comes now starts another core.
        if let Err(error) = std::fs::remove_file(&self.socket) {
            warn!(%error, "the socket stays");
        }
        // The answer to the client that ended it is on its way.
        tokio::task::yield_now().await;
    }

    async fn accept_clients(&self, quit: &Rc<Notify>) {
        let user = rustix::process::getuid().as_raw();
        loop {
            match self.listener.accept().await {
                Ok((client, _)) => match client.peer_cred() {
                    Ok(peer) if peer.uid() == user => {
                        let service = Service::new(Rc::clone(&self.registry), Rc::clone(quit));
                        spawn_local(server::serve(client, service));
                    }
                    Ok(peer) => warn!(user = peer.uid(), "another user's client was turned away"),
                    Err(error) => warn!(%error, "a client that does not say who it is was turned away"),
                },
                Err(error) => {
                    // Too many open files, most likely: wait until some client has gone.
                    warn!(%error, "a client could not be accepted, trying again in a moment");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

fn lock(path: &Path) -> Result<File, StartError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(StartError::Folders)?;
    // A lock of this process alone: one of the open file would pass on to a program that is just being
    // started, and outlive a core that is killed in that moment.
    match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::ACCESS) => Err(StartError::AlreadyRunning),
        Err(error) => Err(StartError::Folders(error.into())),
    }
}

fn listen(socket: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(socket) {
        // Whoever has the lock is the only one: a socket that is there is one that a dead core left.
        Ok(found) if std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            if std::os::unix::fs::MetadataExt::uid(&found) != rustix::process::getuid().as_raw() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
            }
            std::fs::remove_file(socket)?;
        }
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn signalled() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        warn!("signals can't be waited for; they end the core without a word");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
