//! The socket beneath a connection. It reads ahead: zlink asks for 256 bytes at a time, which would cost
//! a system call each, thousands of them for a long list.

use rustix::io::FdFlags;
use std::os::fd::OwnedFd;
use tokio::net::UnixStream;
use zlink::connection::PassedCredentials;
use zlink::connection::socket::{self, ReadResult, Socket};
use zlink::tokio::unix;

/// Bytes read at once: what the kernel queues on such a socket, roughly.
const READ_AHEAD: usize = 128 * 1024;

/// A client's end of the core's socket.
#[derive(Debug)]
pub struct Stream(unix::Stream);

impl TryFrom<UnixStream> for Stream {
    type Error = zlink::Error;

    fn try_from(stream: UnixStream) -> Result<Self, Self::Error> {
        unix::Stream::try_from(stream).map(Self)
    }
}

impl Socket for Stream {
    type ReadHalf = ReadHalf<<unix::Stream as Socket>::ReadHalf>;
    type WriteHalf = <unix::Stream as Socket>::WriteHalf;

    const CAN_TRANSFER_FDS: bool = true;

    fn split(self) -> (Self::ReadHalf, Self::WriteHalf) {
        let (read, write) = self.0.split();
        (ReadHalf::new(read), write)
    }
}

/// The half that is read.
#[derive(Debug)]
pub struct ReadHalf<R> {
    inner: R,
    buffer: Vec<u8>,
    /// `buffer[start..end]` was received and not yet handed out.
    start: usize,
    end: usize,
    /// What came along with those bytes. Linux ends a read with the message that brought descriptors,
    /// so they go out with the last of the bytes, as if it had been read alone.
    fds: Vec<OwnedFd>,
    credentials: Option<PassedCredentials>,
}

impl<R> ReadHalf<R> {
    fn new(inner: R) -> Self {
        Self { inner, buffer: Vec::new(), start: 0, end: 0, fds: Vec::new(), credentials: None }
    }
}

impl<R: socket::ReadHalf> socket::ReadHalf for ReadHalf<R> {
    async fn read(&mut self, buffer: &mut [u8]) -> zlink::Result<ReadResult> {
        if self.start == self.end {
            self.buffer.resize(READ_AHEAD, 0);
            let mut result = self.inner.read(&mut self.buffer).await?;
            (self.start, self.end) = (0, result.bytes_read());
            self.credentials = result.take_credentials();
            self.fds = result.into_fds();
            for fd in &self.fds {
                // The library takes them as they come; a program that is started must not have them.
                rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC)
                    .map_err(|error| zlink::Error::Io(error.into()))?;
            }
        }
        let count = buffer.len().min(self.end - self.start);
        buffer[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        let result = ReadResult::new(count).set_credentials(self.credentials.take());
        let last = self.start == self.end;
        Ok(if last { result.set_fds(std::mem::take(&mut self.fds)) } else { result })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};
    use std::io::{IoSlice, Write};
    use std::os::fd::AsFd;

    #[derive(Debug, Serialize, Deserialize)]
    struct Text {
        text: String,
    }

    /// What is received until the other end closes: each text's length and how many descriptors came.
    /// None of them goes on to a program that is started.
    async fn received(stream: UnixStream) -> Vec<(usize, usize)> {
        let mut connection = zlink::Connection::new(Stream::try_from(stream).expect("a socket"));
        let mut received = Vec::new();
        while let Ok((reply, fds)) = connection.receive_reply::<Text, crate::Error>().await {
            let text = reply.expect("no error").into_parameters().expect("parameters").text;
            for fd in &fds {
                assert_eq!(rustix::io::fcntl_getfd(fd), Ok(FdFlags::CLOEXEC));
            }
            received.push((text.len(), fds.len()));
        }
        received
    }

    #[tokio::test]
    async fn messages_of_every_length_arrive_with_their_own_descriptors() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("it can");
        let ours = UnixStream::from_std(ours).expect("a socket");
        let lengths = [(1, false), (300, true), (7, false), (1_000_000, false), (2, true), (200_000, true)];
        let sender = std::thread::spawn(move || {
            for (length, with_fd) in lengths {
                let text = "x".repeat(length);
                let message = format!("{{\"parameters\":{{\"text\":\"{text}\"}}}}\0");
                let bytes = message.as_bytes();
                let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
                let fds = [theirs.as_fd()];
                if with_fd {
                    control.push(rustix::net::SendAncillaryMessage::ScmRights(&fds));
                }
                let flags = rustix::net::SendFlags::empty();
                let sent =
                    rustix::net::sendmsg(&theirs, &[IoSlice::new(bytes)], &mut control, flags).expect("sent");
                (&theirs).write_all(&bytes[sent..]).expect("sent");
            }
        });
        let received = received(ours).await;
        sender.join().expect("it sent");
        assert_eq!(received, lengths.map(|(length, with_fd)| (length, usize::from(with_fd))));
    }
}
