//! The switch of an isolated network: a process of its own that carries frames between guests, and nothing else.
//!
//! Each card of a guest is a datagram socket in the network's folder, and so is the switch. Only this user may
//! enter the folder, so that no other one on the computer can listen in or send; with a multicast address of
//! the loopback interface, which needs no process, everybody could. It outlives the core as guests do. Nobody is
//! connected: where it was ended and is started anew, guests go on without having noticed. It ends by itself
//! when no guest is left.

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketAddrUnix, sendto};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

/// The argument with which a program shall call [`run`] and do nothing else; the network's folder follows.
pub const FLAG: &str = "--switch";

/// The switch's own socket in a network's folder.
pub const SOCKET: &str = "switch";

/// Who has a lock on this file is the network's switch.
const LOCK: &str = "lock";

/// The longest frame that is carried; cards of guests send much shorter ones.
const FRAME: usize = 64 << 10;

/// How many addresses are remembered. A guest can invent any number of them.
const ADDRESSES: usize = 4096;

/// How often is looked for guests that are new, at most.
const LOOK: Duration = Duration::from_millis(200);

/// After how much silence is looked whether any guest is left.
const SILENCE: Duration = Duration::from_secs(60);

type Address = [u8; 6];

/// Where frames go.
#[derive(Debug, Default)]
struct Table(HashMap<Address, String>);

impl Table {
    /// A frame came from this socket.
    fn learn(&mut self, frame: &[u8], from: &str) {
        let Some(address) = address(frame, 6).filter(|address| is_single(*address)) else { return };
        if let Some(known) = self.0.get_mut(&address) {
            if known != from {
                from.clone_into(known);
            }
        } else {
            if self.0.len() >= ADDRESSES {
                // Guests speak again soon, and are learned anew.
                self.0.clear();
            }
            self.0.insert(address, from.to_owned());
        }
    }

    /// The socket to which a frame goes; nothing where it goes to all.
    fn target(&self, frame: &[u8]) -> Option<&str> {
        let address = address(frame, 0).filter(|address| is_single(*address))?;
        self.0.get(&address).map(String::as_str)
    }

    fn forget(&mut self, socket: &str) {
        self.0.retain(|_, known| known != socket);
    }
}

fn address(frame: &[u8], start: usize) -> Option<Address> {
    // Both addresses and the kind of content.
    let head = frame.get(..14)?;
    head.get(start..start + 6)?.try_into().ok()
}

/// Whether it is the address of one card, and not of a group or of all.
fn is_single(address: Address) -> bool {
    address[0] & 1 == 0
}

/// Is the switch of the network in this folder until no guest is left; ends at once where it has a switch.
///
/// # Errors
/// Where the folder can't be used.
pub fn run(folder: &Path) -> io::Result<()> {
    // Names in it are short enough for a socket's address, wherever it is.
    std::env::set_current_dir(folder)?;
    let lock = File::options().write(true).create(true).truncate(false).open(LOCK)?;
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        carry()?;
        flock(&lock, FlockOperation::Unlock)?;
        // A guest that came in between found the lock taken, and relies on its holder.
        if ports()?.iter().all(|port| !is_alive(port)) {
            return Ok(());
        }
    }
}

/// Carries frames until no guest is left.
fn carry() -> io::Result<()> {
    remove(SOCKET)?;
    let socket = UnixDatagram::bind(SOCKET)?;
    socket.set_read_timeout(Some(SILENCE))?;
    let mut table = Table::default();
    let mut known: Vec<String> = Vec::new();
    let mut looked: Option<Instant> = None;
    let mut buffer = vec![0; FRAME];
    loop {
        let (length, sender) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if ports()?.iter().any(|port| is_alive(port)) {
                    continue;
                }
                return remove(SOCKET);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let name = sender.as_pathname().and_then(|path| path.file_name()?.to_str());
        let (Some(frame), Some(from)) = (buffer.get(..length), name) else { continue };
        table.learn(frame, from);
        if let Some(target) = table.target(frame) {
            if target != from && !send(&socket, frame, target) {
                let gone = target.to_owned();
                table.forget(&gone);
            }
            continue;
        }
        if looked.is_none_or(|at| at.elapsed() > LOOK) {
            known = ports()?;
            looked = Some(Instant::now());
        }
        for port in known.iter().filter(|port| *port != from) {
            let _gone = send(&socket, frame, port);
        }
    }
}

/// Sends a frame; false where nobody has the socket any more. A guest that takes nothing, as it is paused, loses
/// it, as on any network.
fn send(socket: &UnixDatagram, frame: &[u8], port: &str) -> bool {
    let Ok(address) = SocketAddrUnix::new(port) else { return false };
    let sent = sendto(socket, frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL, &address);
    !matches!(sent, Err(Errno::CONNREFUSED | Errno::NOENT))
}

/// The sockets of cards, also of those that have ended.
fn ports() -> io::Result<Vec<String>> {
    let mut ports = Vec::new();
    for entry in std::fs::read_dir(".")? {
        let entry = entry?;
        // It may have gone meanwhile.
        let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        match entry.file_name().into_string() {
            Ok(name) if is_socket && name != SOCKET => ports.push(name),
            _ => {}
        }
    }
    Ok(ports)
}

/// Whether somebody has the socket.
fn is_alive(port: &str) -> bool {
    UnixDatagram::unbound().and_then(|socket| socket.connect(port)).is_ok()
}

fn remove(name: &str) -> io::Result<()> {
    match std::fs::remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(to: u8, from: u8) -> Vec<u8> {
        let mut frame = vec![0; 64];
        (frame[5], frame[11]) = (to, from);
        frame
    }

    #[test]
    fn a_frame_goes_where_its_address_was_seen_last() {
        let mut table = Table::default();
        assert_eq!(table.target(&frame(1, 2)), None);
        table.learn(&frame(2, 1), "a");
        assert_eq!(table.target(&frame(1, 2)), Some("a"));
        table.learn(&frame(2, 1), "b");
        assert_eq!(table.target(&frame(1, 2)), Some("b"));
        table.forget("b");
        assert_eq!(table.target(&frame(1, 2)), None);
    }

    #[test]
    fn what_is_for_all_goes_to_all_and_nobody_is_all() {
        let mut table = Table::default();
        let mut for_all = frame(0xff, 1);
        for_all[..6].fill(0xff);
        let mut from_all = frame(1, 0);
        from_all[6..12].fill(0xff);
        table.learn(&from_all, "a");
        assert!(table.0.is_empty());
        assert_eq!(table.target(&for_all), None);
    }

    proptest! {
        #[test]
        fn no_guest_can_fill_the_memory(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..50)) {
            let mut table = Table::default();
            for number in 0..ADDRESSES as u32 {
                let mut frame = vec![0; 14];
                frame[8..12].copy_from_slice(&number.to_be_bytes());
                table.learn(&frame, "a");
            }
            for frame in frames {
                table.learn(&frame, "b");
                let _ = table.target(&frame);
            }
            prop_assert!(table.0.len() <= ADDRESSES);
        }
    }
}
