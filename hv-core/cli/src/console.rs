//! A serial port on this terminal. Bytes pass as they are, both ways; Ctrl+] leaves. The terminal is
//! given back as it was, however this ends.

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::escaped;
use hv_api::Core;
use hv_api::client::{CallError, Connection, settle};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::future::pending;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::OwnedFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

/// Ctrl+], as a terminal in raw mode sends it.
const LEAVE: u8 = 0x1d;

/// Bytes taken at once.
const CHUNK: usize = 64 * 1024;

/// How many pieces of input may wait for the guest.
const INPUT_QUEUE: usize = 8;

/// Shows the port until the user leaves, the port ends, or a signal comes.
pub async fn attach(
    core: &mut Connection,
    guest: &str,
    port: u32,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let call = async {
        let (answer, fds) = core.open_serial(guest, port).await.map_err(CallError::Broken)?;
        settle(Ok(answer))?;
        fds.into_iter().next().ok_or(CallError::Broken(zlink::Error::UnexpectedEof))
    };
    let socket = interrupt.guard(call).await?;
    let (reader, writer) = stream(socket)
        .map_err(|error| Failure::system("The serial port could not be shown.", &error))?
        .into_split();

    let terminal = RawTerminal::enter()
        .map_err(|error| Failure::system("The terminal could not be prepared.", &error))?;
    let interactive = terminal.is_some();
    if interactive {
        let notice = format!("“{}”, serial port {port}. Ctrl+] leaves.\r\n", escaped(guest));
        io::stderr().write_all(notice.as_bytes())?;
    }
    let result = tokio::select! {
        result = show(reader) => result,
        () = send(writer, interactive) => Ok(()),
        () = interrupt.next() => Err(Failure::Interrupted),
    };
    drop(terminal);
    if interactive {
        io::stderr().write_all(b"\n")?;
    }
    result
}

fn stream(socket: OwnedFd) -> io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(socket);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// Writes what the guest writes, until the port ends.
async fn show(mut reader: OwnedReadHalf) -> Result<(), Failure> {
    let mut output = tokio::io::stdout();
    let mut bytes = vec![0; CHUNK];
    loop {
        match reader.read(&mut bytes).await {
            // A core that ends closes or resets: for who watches it is the same.
            Ok(0) | Err(_) => break,
            Ok(count) => {
                output.write_all(&bytes[..count]).await?;
                output.flush().await?;
            }
        }
    }
    Ok(())
}

/// Sends what is typed. Ends only when the user leaves: input that ends by itself, as a pipe's does, is
/// no wish to leave.
async fn send(mut writer: OwnedWriteHalf, interactive: bool) {
    let mut input = input();
    while let Some(bytes) = input.recv().await {
        let (typed, leaves) = typed(&bytes, interactive);
        if writer.write_all(typed).await.is_err() {
            // The port has ended, which its other direction tells.
            break;
        }
        if leaves {
            return;
        }
    }
    if !interactive {
        pending::<()>().await;
    }
}

/// The part of the input that is for the guest, and whether the user leaves after it.
fn typed(bytes: &[u8], interactive: bool) -> (&[u8], bool) {
    match bytes.iter().position(|byte| *byte == LEAVE) {
        Some(at) if interactive => (&bytes[..at], true),
        _ => (bytes, false),
    }
}

/// Standard input, read by a thread of its own: it may be a file, which can't be waited for. The thread
/// ends with the program.
fn input() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(INPUT_QUEUE);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut bytes = [0; 4096];
        loop {
            match input.read(&mut bytes) {
                Ok(0) => return,
                Ok(count) => {
                    if sender.blocking_send(bytes[..count].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    receiver
}

/// The terminal on standard input in raw mode, until this is dropped.
struct RawTerminal(Termios);

impl RawTerminal {
    /// Nothing where standard input is no terminal.
    fn enter() -> io::Result<Option<Self>> {
        let input = io::stdin();
        if !input.is_terminal() {
            return Ok(None);
        }
        let former = tcgetattr(&input)?;
        let mut raw = former.clone();
        raw.make_raw();
        let terminal = Self(former);
        tcsetattr(&input, OptionalActions::Now, &raw)?;
        Ok(Some(terminal))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // It fails only where the terminal is gone.
        let _given_back = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_is_a_key_of_terminals_only() {
        assert_eq!(typed(b"ab\x1dcd", true), (&b"ab"[..], true));
        assert_eq!(typed(b"ab\x1dcd", false), (&b"ab\x1dcd"[..], false));
        assert_eq!(typed(b"ab", true), (&b"ab"[..], false));
    }
}
