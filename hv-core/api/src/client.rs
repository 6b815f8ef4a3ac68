//! The client's end of the socket: find the core, start it where it does not run, call it.

mod stream;

pub use stream::Stream;

use crate::{Error, Event, Guests, INTERFACE};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::UnixStream;

/// A connection to the core. Calls are the methods of [`crate::Core`], which is implemented for it.
pub type Connection = zlink::Connection<Stream>;

/// How long a core that was started may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// How long to wait between two attempts to reach a core that another client has just started.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// How long that one may take until it listens. After that it is taken for one that has ended meanwhile.
const LISTEN_DEADLINE: Duration = Duration::from_secs(1);

/// Why the core can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing answers on the socket, and it was not asked to start the core.
    #[error("nothing answers on {}", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// The socket belongs to another user: whoever listens there is not our core.
    #[error("{} belongs to another user", path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
    },
    /// The program `hv-core` is not where it should be, or can't be run.
    #[error("could not start {}", program.display())]
    NotStartable {
        /// The program.
        program: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// The core was started and ended at once.
    #[error("{} ended without answering: {words}", program.display())]
    Ended {
        /// The program.
        program: PathBuf,
        /// What it said.
        words: String,
    },
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The core refused or failed, and says why.
    #[error("{0:?}")]
    Refused(Error),
    /// The connection broke: the core has ended, or speaks something else.
    #[error("the connection to the core broke")]
    Broken(#[source] zlink::Error),
}

/// Makes one result of the two that a call has: the connection's and the core's.
pub fn settle<T>(result: zlink::Result<Result<T, Error>>) -> Result<T, CallError> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(CallError::Refused(error)),
        Err(error) => Err(CallError::Broken(error)),
    }
}

/// All guests, as [`crate::Core::list`] gives them, read in one go.
///
/// zlink first keeps a whole answer in a form of its own, as it could be an error too. Of the time that a list
/// of a thousand guests takes, that is the greater part. Here an answer is told from an error by its envelope.
pub async fn list(connection: &mut Connection) -> Result<Guests, CallError> {
    request(connection, "List", false).await?;
    answer(connection).await
}

/// What happens from now on, as [`crate::Core::watch`] gives it, each event read in one go like [`list`].
#[derive(Debug)]
pub struct Events<'c>(&'c mut Connection);

impl<'c> Events<'c> {
    /// Asks for the events.
    pub async fn watch(connection: &'c mut Connection) -> Result<Self, CallError> {
        request(connection, "Watch", true).await?;
        Ok(Self(connection))
    }

    /// The next one; it never ends but by an error.
    pub async fn next(&mut self) -> Result<Event, CallError> {
        answer(self.0).await
    }
}

/// Makes a call without parameters, whose answers are read by [`answer`].
async fn request(connection: &mut Connection, method: &str, more: bool) -> Result<(), CallError> {
    #[derive(Debug, Serialize)]
    struct Request {
        method: String,
    }
    let call = zlink::Call::new(Request { method: format!("{INTERFACE}.{method}") }).set_more(more);
    connection.send_call(&call, Vec::new()).await.map_err(CallError::Broken)
}

/// Reads the next answer.
async fn answer<T: DeserializeOwned>(connection: &mut Connection) -> Result<T, CallError> {
    #[derive(Debug, Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
        #[serde(borrow)]
        parameters: Option<&'a RawValue>,
    }
    let unreadable = |error: serde_json::Error| CallError::Broken(zlink::Error::Json(error));
    // To zlink, a message that it shall not take for an answer is a call; the envelope is the same.
    let message = connection.receive_call::<Envelope<'_>>().await.map_err(CallError::Broken)?.0;
    let Envelope { error, parameters } = message.method();
    let parameters = parameters.map_or("{}", RawValue::get);
    let Some(error) = error else { return serde_json::from_str(parameters).map_err(unreadable) };
    let refusal = format!("{{\"error\":{error},\"parameters\":{parameters}}}");
    Err(CallError::Refused(serde_json::from_str(&refusal).map_err(unreadable)?))
}

/// Connects to the core that answers on `socket`.
pub async fn connect(socket: &Path) -> Result<Connection, ConnectError> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|source| ConnectError::NotRunning { path: socket.to_owned(), source })?;
    let peer = stream.peer_cred().ok();
    if peer.is_none_or(|peer| peer.uid() != rustix::process::getuid().as_raw()) {
        return Err(ConnectError::Foreign { path: socket.to_owned() });
    }
    let not_running = |source| ConnectError::NotRunning { path: socket.to_owned(), source };
    if peer.and_then(|peer| peer.pid()).is_some_and(has_ended) {
        return Err(not_running(io::ErrorKind::ConnectionRefused.into()));
    }
    Stream::try_from(stream).map(Connection::new).map_err(|error| not_running(io::Error::other(error)))
}

/// Whether this process, which listened, is no more. Where it was killed while it started a program, that has its
/// socket for a moment longer, and nobody would answer.
fn has_ended(process: i32) -> bool {
    let process = rustix::process::Pid::from_raw(process);
    process.is_some_and(|process| rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH))
}

/// Connects to the core, and starts it first where nothing answers.
pub async fn connect_or_start(socket: &Path) -> Result<Connection, ConnectError> {
    match connect(socket).await {
        Err(ConnectError::NotRunning { .. }) => {}
        other => return other,
    }
    connect_to_new(core_program(), socket).await
}

/// Starts the core and connects to it, or to the one that another client has started.
async fn connect_to_new(program: PathBuf, socket: &Path) -> Result<Connection, ConnectError> {
    let begun = Instant::now();
    loop {
        let (starting, listening) = (program.clone(), socket.to_owned());
        let start = tokio::task::spawn_blocking(move || start_core(&starting, &listening));
        // A core listens before it looks after its guests, so one that has no word yet may be called.
        if let Ok(answer) = tokio::time::timeout(START_DEADLINE, start).await {
            let not_startable = |error| ConnectError::NotStartable {
                program: program.clone(),
                source: io::Error::other(error),
            };
            answer.map_err(not_startable)??;
        }
        // Who started first listens within a moment of taking the lock; the others wait for that moment.
        // One that was about to end when it was asked never listens again, and another is started.
        let started = Instant::now();
        loop {
            match connect(socket).await {
                Err(error @ ConnectError::NotRunning { .. }) => {
                    if begun.elapsed() >= START_DEADLINE {
                        return Err(error);
                    }
                    if started.elapsed() >= LISTEN_DEADLINE {
                        break;
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                other => return other,
            }
        }
    }
}

/// The core's program: beside the running one, as a build and a package put it; else where `PATH` says.
fn core_program() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("hv-core")));
    beside.filter(|program| program.is_file()).unwrap_or_else(|| PathBuf::from("hv-core"))
}

/// Starts the core in a process group of its own, which no key of a terminal reaches, and waits for its
/// word that it listens, or that another one does already.
fn start_core(program: &Path, socket: &Path) -> Result<(), ConnectError> {
    let not_startable = |source| ConnectError::NotStartable { program: program.to_owned(), source };
    let mut command = Command::new(program);
    // Always named: the core's own idea of it may be another, by a variable of this program's.
    let socket = std::path::absolute(socket).map_err(not_startable)?;
    command
        .arg("--socket")
        .arg(socket)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0);
    let mut core = command.spawn().map_err(not_startable)?;
    let mut words = String::new();
    if let Some(output) = core.stdout.take() {
        BufReader::new(output).read_line(&mut words).map_err(not_startable)?;
    }
    // Whoever outlives the core must collect its exit status, so that no dead entry is left.
    std::thread::spawn(move || core.wait());
    match words.trim() {
        "listening" | "already running" => Ok(()),
        other => Err(ConnectError::Ended { program: program.to_owned(), words: other.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tokio::io::AsyncWriteExt;

    /// Where the core that answers "already running" is just ending, nothing listens after it.
    #[tokio::test]
    async fn a_core_that_ended_while_it_was_asked_for_is_started_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ready, socket) = (folder.path().join("ready"), folder.path().join("core"));
        let _core = tokio::net::UnixListener::bind(&ready).expect("a socket");
        let program = folder.path().join("hv-core");
        let script = "#!/bin/sh\ncd ${0%/*}\nif mkdir asked 2>/dev/null; then echo already running\n\
            else mv ready core; echo listening; fi\n";
        std::fs::write(&program, script).expect("a script");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).expect("a mode");
        connect_to_new(program, &socket).await.expect("it is there");
    }

    /// A core that was killed while it started a program: that has the socket yet.
    #[tokio::test]
    async fn a_socket_of_a_core_that_has_ended_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("core");
        let script = "import os, socket, sys, time\nlistening = socket.socket(socket.AF_UNIX)\n\
            listening.bind(sys.argv[1])\nlistening.listen()\nif os.fork() == 0: time.sleep(60)\n";
        let mut command = Command::new("python3");
        let mut core = command.args(["-c", script]).arg(&socket).process_group(0).spawn().expect("python3");
        let group = rustix::process::Pid::from_child(&core);
        core.wait().expect("its end");
        UnixStream::connect(&socket).await.expect("somebody has it");
        let refused = connect(&socket).await.map(drop);
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).expect("it ends");
        assert!(matches!(refused, Err(ConnectError::NotRunning { .. })), "{refused:?}");
    }

    async fn listed(answer: &str) -> Result<Guests, CallError> {
        let (client, mut core) = UnixStream::pair().unwrap();
        core.write_all(answer.as_bytes()).await.unwrap();
        core.write_all(b"\0").await.unwrap();
        list(&mut Connection::new(Stream::try_from(client).unwrap())).await
    }

    #[tokio::test]
    async fn a_list_an_error_and_nonsense_are_told_apart() {
        let empty = listed(r#"{"parameters":{"guests":[]},"continues":false}"#).await.unwrap();
        assert_eq!(empty, Guests { guests: Vec::new() });
        let refused =
            listed(r#"{"error":"dev.guesthouse.Core.GuestNotFound","parameters":{"guest":"x"}}"#).await;
        let expected = Error::GuestNotFound { guest: "x".into() };
        assert!(matches!(refused, Err(CallError::Refused(error)) if error == expected));
        for nonsense in [r#"{"error":"org.example.Unknown"}"#, r#"{"parameters":{"guests":3}}"#, "[]", "{"] {
            assert!(matches!(listed(nonsense).await, Err(CallError::Broken(_))), "{nonsense}");
        }
    }
}
