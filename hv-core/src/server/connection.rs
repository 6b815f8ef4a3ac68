//! One client's connection: one task, one call at a time.
//!
//! zlink's own server runs all clients in one loop, so that one slow method or one client that does not
//! read holds up everybody. This loop keeps zlink's service, types and descriptions, and changes how a
//! connection is run: a call has a limit, an answer has a deadline, and a client that hangs up ends
//! whatever it was waiting for.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::FdFlags;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tracing::debug;
use zlink::connection::socket::{ReadHalf, WriteHalf};
use zlink::service::MethodReply;
use zlink::tokio::unix::Stream;
use zlink::varlink_service;
use zlink::{Call, Connection, Service};

/// The longest call, in bytes.
const CALL_LIMIT: usize = 1 << 20;

/// The most descriptors that a client may have sent without a call that takes them.
const FD_LIMIT: usize = 8;

/// How long a client may take to read an answer.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// Serves a client until it hangs up or breaks the rules.
pub async fn serve<S>(client: UnixStream, mut service: S)
where
    S: Service<Stream, Upgrade = ()>,
{
    match Peer::new(client) {
        Ok(mut peer) => {
            if let Err(error) = peer.answer_calls(&mut service).await {
                debug!(%error, "a client has gone");
            }
        }
        Err(error) => debug!(%error, "a client could not be served"),
    }
}

struct Peer<R, W> {
    read: R,
    write: W,
    /// What methods are given of the connection.
    connection: Connection<Stream>,
    /// Watched only for the client's end being closed.
    hang_up: UnixStream,
    received: Vec<u8>,
    /// Descriptors, each with the position of a byte of the call that it came with.
    fds: Vec<(usize, Vec<OwnedFd>)>,
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Peer<(), ()> {
    fn new(client: UnixStream) -> io::Result<Peer<impl ReadHalf, impl WriteHalf>> {
        let client = client.into_std()?;
        let (second, third) = (client.try_clone()?, client.try_clone()?);
        let stream =
            |socket: std::os::unix::net::UnixStream| Stream::try_from(socket).map_err(io::Error::other);
        let (read, write) = Connection::new(stream(client)?).split();
        Ok(Peer {
            read: read.into_read_half(),
            write: write.into_write_half(),
            connection: Connection::new(stream(second)?),
            hang_up: UnixStream::from_std(third)?,
            received: Vec::new(),
            fds: Vec::new(),
        })
    }
}

impl<R: ReadHalf, W: WriteHalf> Peer<R, W> {
    async fn answer_calls<S>(&mut self, service: &mut S) -> io::Result<()>
    where
        S: Service<Stream, Upgrade = ()>,
    {
        while let Some((call, fds)) = self.next_call().await? {
            self.answer(service, &call, fds).await?;
        }
        Ok(())
    }

    async fn answer<S>(&mut self, service: &mut S, call: &[u8], fds: Vec<OwnedFd>) -> io::Result<()>
    where
        S: Service<Stream, Upgrade = ()>,
    {
        let bytes = call;
        let call = match serde_json::from_slice::<Call<S::MethodCall<'_>>>(bytes) {
            Ok(call) => call,
            Err(error) => {
                debug!(%error, "a call that is none of the service's");
                let error = self.fault_of(service, bytes).await;
                return send(&mut self.write, &error, &[]).await;
            }
        };
        let (reply, fds) = tokio::select! {
            answered = service.handle(&call, &mut self.connection, fds) => answered,
            () = hung_up(&self.hang_up) => return Err(io::ErrorKind::ConnectionReset.into()),
        };
        if let MethodReply::Error(error) = &reply
            && serde_json::to_value(error)?["error"] == "org.varlink.service.MethodNotFound"
        {
            // The service's own reader forgets which one it was.
            drop(reply);
            let error = self.fault_of(service, bytes).await;
            return send(&mut self.write, &error, &[]).await;
        }
        match reply {
            MethodReply::Multi(mut messages) => loop {
                let message = tokio::select! {
                    message = futures_util::StreamExt::next(&mut messages) => message,
                    () = hung_up(&self.hang_up) => return Err(io::ErrorKind::ConnectionReset.into()),
                };
                match message {
                    None => return Ok(()),
                    Some((Ok(message), fds)) => send(&mut self.write, &message, &fds).await?,
                    // An error ends the stream.
                    Some((Err(error), fds)) => return send(&mut self.write, &error, &fds).await,
                }
            },
            _ if call.oneway() => Ok(()),
            MethodReply::Single(reply) | MethodReply::Upgrade(reply, ()) => {
                send(&mut self.write, &zlink::Reply::new(reply), &fds).await
            }
            MethodReply::Error(error) => send(&mut self.write, &error, &fds).await,
            _ => Err(broken("a kind of reply that this loop does not know")),
        }
    }

    /// What is wrong with a call that the service does not understand. Its own reader says only that;
    /// whether the method is unknown or its parameters do not fit, the interface's description tells.
    async fn fault_of<S>(&mut self, service: &mut S, call: &[u8]) -> varlink_service::Error<'static>
    where
        S: Service<Stream, Upgrade = ()>,
    {
        #[derive(Deserialize)]
        struct Named {
            method: String,
        }
        let Ok(Named { method }) = serde_json::from_slice(call) else {
            return varlink_service::Error::InvalidParameter { parameter: "method".into() };
        };
        let (interface, name) = method.rsplit_once('.').unwrap_or(("", &method));
        match self.description(service, interface).await {
            None => varlink_service::Error::InterfaceNotFound { interface: interface.to_owned().into() },
            Some(text) if text.contains(&format!("method {name}(")) => {
                varlink_service::Error::InvalidParameter { parameter: "parameters".into() }
            }
            Some(_) => varlink_service::Error::MethodNotFound { method: method.into() },
        }
    }

    /// An interface's description, as the service gives it to any client.
    async fn description<S>(&mut self, service: &mut S, interface: &str) -> Option<String>
    where
        S: Service<Stream, Upgrade = ()>,
    {
        let method = "org.varlink.service.GetInterfaceDescription";
        let call = serde_json::json!({ "method": method, "parameters": { "interface": interface } });
        let call = call.to_string();
        let call = serde_json::from_str::<Call<S::MethodCall<'_>>>(&call).ok()?;
        match service.handle(&call, &mut self.connection, Vec::new()).await.0 {
            MethodReply::Single(reply) => serde_json::to_string(&reply).ok(),
            _ => None,
        }
    }

    /// The next call without the zero byte that ends it; nothing when the client has hung up.
    async fn next_call(&mut self) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.received[searched..].iter().position(|byte| *byte == 0) {
                let end = searched + end;
                let rest = self.received.split_off(end + 1);
                let mut call = std::mem::replace(&mut self.received, rest);
                call.pop();
                return Ok(Some((call, self.take_fds(end))));
            }
            searched = self.received.len();
            if searched >= CALL_LIMIT {
                return Err(broken("a call that is too long"));
            }
            let mut buffer = [0; 16 << 10];
            let mut read = self.read.read(&mut buffer).await.map_err(io::Error::other)?;
            if read.bytes_read() == 0 {
                return if searched == 0 { Ok(None) } else { Err(broken("a call that is cut short")) };
            }
            self.received.extend_from_slice(&buffer[..read.bytes_read()]);
            let fds = read.take_fds();
            if !fds.is_empty() {
                // The library takes them as they come; an engine that is started now must not have them.
                for fd in &fds {
                    rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC)?;
                }
                // Linux ends a read with the write that carried descriptors, so the last byte is of it.
                self.fds.push((self.received.len() - 1, fds));
                if self.fds.iter().map(|(_, fds)| fds.len()).sum::<usize>() > FD_LIMIT {
                    return Err(broken("too many descriptors"));
                }
            }
        }
    }

    /// The descriptors that came with the call that ends at `end`.
    fn take_fds(&mut self, end: usize) -> Vec<OwnedFd> {
        let mut taken = Vec::new();
        for (position, fds) in std::mem::take(&mut self.fds) {
            if position <= end {
                taken.extend(fds);
            } else {
                self.fds.push((position - end - 1, fds));
            }
        }
        taken
    }
}

async fn send(write: &mut impl WriteHalf, message: &impl Serialize, fds: &[OwnedFd]) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(0);
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    let sent = tokio::time::timeout(WRITE_DEADLINE, write.write(&bytes, &fds, None)).await;
    sent.map_err(|_late| io::Error::from(io::ErrorKind::TimedOut))?.map_err(io::Error::other)
}

/// Waits until the client has closed its end.
async fn hung_up(socket: &UnixStream) {
    while socket.readable().await.is_ok() {
        let mut poll = [PollFd::new(socket, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if rustix::event::poll(&mut poll, Some(&now)).is_ok_and(|count| count > 0) {
            return;
        }
        // It is the next call that can be read; its turn comes. Until more arrives, this one waits again.
        let _ = socket.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
}
