//! A guest's place on one of the host's bridges: a tap interface, which QEMU's bridge helper makes and hands over.
//!
//! The core runs the helper itself and gives QEMU the descriptor, as QEMU's sandbox lets it start no program. The
//! helper has rights that this user has not, and asks its own list which bridges may be used: whoever installed
//! it decides, and no part of Guesthouse needs such rights.

use super::process::{self, last_words};
use super::{find_program, is_program};
use crate::engine::EngineError;
use hv_api::BridgeFault;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The helper's name, in `PATH` or where distributions put it.
const PROGRAM: &str = "qemu-bridge-helper";
const FOLDERS: [&str; 3] = ["/usr/lib/qemu", "/usr/libexec", "/usr/lib"];

/// How long the helper may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Makes a tap interface on this bridge. What the helper says goes to the end of `log`.
///
/// # Errors
/// [`EngineError::Bridge`].
pub async fn open(bridge: &str, log: &Path) -> Result<OwnedFd, EngineError> {
    let failed = |fault, detail: String| EngineError::Bridge { bridge: bridge.to_owned(), fault, detail };
    let broken = |error: io::Error| failed(BridgeFault::Failed, error.to_string());
    let program = find().ok_or_else(|| failed(BridgeFault::HelperMissing, String::new()))?;
    if !Path::new("/sys/class/net").join(bridge).join("bridge").is_dir() {
        return Err(failed(BridgeFault::NoSuchBridge, String::new()));
    }
    let (near, far) = BlockingStream::pair().map_err(broken)?;
    near.set_nonblocking(true).map_err(broken)?;
    let near = UnixStream::from_std(near).map_err(broken)?;
    let far = OwnedFd::from(far);
    let arguments = [format!("--fd={}", far.as_raw_fd()), format!("--br={bridge}")];
    let inherited = [far];
    let mut child =
        process::spawn(&program, &arguments, &inherited, log, Path::new("/"), None).map_err(broken)?;
    drop(inherited);
    let handed_over = async {
        let received = receive(&near).await;
        // It ends as soon as it has said its part; one that was killed has nothing to say.
        (received, child.wait().await)
    };
    let (received, ended) = timeout(DEADLINE, handed_over)
        .await
        .map_err(|_elapsed| EngineError::Silent { seconds: DEADLINE.as_secs() as u32 })?;
    if let Ok(Some(tap)) = received {
        return Ok(tap);
    }
    let words = last_words(log, &["qemu-bridge-helper: ".to_owned()]);
    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
    Err(failed(fault_in(&words), if words.is_empty() { how } else { words }))
}

/// What the helper's words mean.
fn fault_in(words: &str) -> BridgeFault {
    if words.contains("acl") {
        BridgeFault::NotAllowed
    } else if words.contains("No such device") {
        BridgeFault::NoSuchBridge
    } else if words.contains("Operation not permitted") || words.contains("Permission denied") {
        BridgeFault::HelperNotPermitted
    } else {
        BridgeFault::Failed
    }
}

fn find() -> Option<PathBuf> {
    let usual = || FOLDERS.iter().map(|folder| Path::new(folder).join(PROGRAM)).find(|path| is_program(path));
    find_program(Path::new(PROGRAM)).or_else(usual)
}

/// The descriptor that comes; nothing where the other end closes without one.
async fn receive(stream: &UnixStream) -> io::Result<Option<OwnedFd>> {
    stream
        .async_io(Interest::READABLE, || {
            let mut byte = [0; 1];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
            let mut descriptors = ancillary.drain().filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
                _ => None,
            });
            Ok(descriptors.next())
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_helper_are_understood() {
        for (words, fault) in [
            ("failed to parse default acl file `/etc/qemu/bridge.conf'", BridgeFault::NotAllowed),
            ("access denied by acl file", BridgeFault::NotAllowed),
            ("failed to create tun device: Operation not permitted", BridgeFault::HelperNotPermitted),
            ("failed to get mtu of bridge `br7': No such device", BridgeFault::NoSuchBridge),
            ("out of luck", BridgeFault::Failed),
        ] {
            assert_eq!(fault_in(words), fault, "{words}");
        }
    }
}
