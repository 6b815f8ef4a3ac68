//! The display channel: how a guest's picture reaches a window, and keys and pointer the guest.
//!
//! The core keeps the picture in shared memory ([`FrameMemory`]) and says over a packet socket
//! ([`Channel`]) what of it has changed; the window answers with [`DisplayRequest::Shown`] when it has
//! taken a change in, and only then is told the next. A window that does nothing therefore costs the
//! guest nothing, and never sees anything but the newest picture.

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The longest message, in bytes. A cursor of 128×128 pixels fits.
const MESSAGE_LIMIT: usize = 96 * 1024;

/// The widest and highest picture that is accepted, in pixels.
pub const PICTURE_LIMIT: u32 = 16_384;

/// A part of the picture, in guest pixels from its top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Rect {
    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let x = self.x.min(other.x);
        let y = self.y.min(other.y);
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Self { x, y, width: right - x, height: bottom - y }
    }
}

/// A button of the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Button {
    /// The left one.
    Left,
    /// The middle one, the wheel pressed.
    Middle,
    /// The right one.
    Right,
    /// The wheel turned one step away from the user.
    WheelUp,
    /// The wheel turned one step towards the user.
    WheelDown,
    /// The back button.
    Side,
    /// The forward button.
    Extra,
}

/// What the core tells a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisplayEvent {
    /// The picture has this size from now on. The descriptor that comes along is its memory: 32 bits a
    /// pixel, bytes blue, green, red and one unused, `stride` bytes a line. All of it has changed.
    Picture {
        /// In pixels, 1 – [`PICTURE_LIMIT`].
        width: u32,
        /// In pixels, 1 – [`PICTURE_LIMIT`].
        height: u32,
        /// Bytes from one line to the next, at least 4 × `width`.
        stride: u32,
    },
    /// These parts have changed. Answer with [`DisplayRequest::Shown`].
    Damage(Vec<Rect>),
    /// The pointer looks like this from now on: bytes blue, green, red, alpha (premultiplied).
    Cursor {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// The point within it that points.
        hot_x: u32,
        /// The point within it that points.
        hot_y: u32,
        /// `width` × `height` × 4 bytes.
        pixels: Vec<u8>,
    },
    /// The guest shows no pointer, or shows it again.
    CursorVisible(bool),
    /// Whether the guest takes positions (a tablet) or only movements (a mouse).
    PointerAbsolute(bool),
    /// The lights of the guest's keyboard.
    Lights {
        /// Caps lock.
        caps: bool,
        /// Num lock.
        num: bool,
        /// Scroll lock.
        scroll: bool,
    },
}

/// What a window tells the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisplayRequest {
    /// The last picture or damage has been taken in; the next may come.
    Shown,
    /// A key, by its code in Linux's `input-event-codes.h`, which names the place of the key on the
    /// keyboard whatever is printed on it.
    Key {
        /// 1 – 767.
        code: u16,
        /// True when it goes down.
        down: bool,
    },
    /// The pointer is here, in guest pixels.
    PointerAt {
        /// From the left.
        x: u32,
        /// From the top.
        y: u32,
    },
    /// The pointer moved by this much.
    PointerBy {
        /// To the right.
        dx: i32,
        /// Downwards.
        dy: i32,
    },
    /// A button.
    Button {
        /// Which.
        button: Button,
        /// True when it goes down.
        down: bool,
    },
    /// The window would like the picture to have this size, in pixels. Not every guest can.
    Resize {
        /// 64 – [`PICTURE_LIMIT`].
        width: u32,
        /// 64 – [`PICTURE_LIMIT`].
        height: u32,
    },
    /// Lets go all keys and buttons that this window holds.
    ReleaseAll,
}

/// One end of a display channel: packets of one message each, with at most one descriptor.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    /// Both ends of a new channel, non-blocking.
    pub fn pair() -> io::Result<(Self, Self)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (one, other) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self(one), Self(other)))
    }

    /// The end that the core sent.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self(fd))
    }

    /// The descriptor, to hand over.
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }

    /// Sends one message.
    ///
    /// # Errors
    /// `WouldBlock` where the other end reads too slowly, `BrokenPipe` where it is gone.
    pub fn send<M: Serialize>(&self, message: &M, memory: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = memory.map(|fd| [fd]);
        if let Some(fds) = &fds {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        rustix::net::sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Receives one message; nothing when the other end has closed.
    ///
    /// # Errors
    /// `WouldBlock` where there is none now, `InvalidData` where it is not a message.
    pub fn receive<M: for<'a> Deserialize<'a>>(&self) -> io::Result<Option<(M, Option<OwnedFd>)>> {
        let mut bytes = vec![0; MESSAGE_LIMIT];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            &self.0,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        if received.bytes == 0 {
            return Ok(None);
        }
        let memory = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let message = postcard::from_bytes(&bytes[..received.bytes])
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Some((message, memory)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The memory of a picture, on the core's side: it can be written, and never shrinks, so that a reader
/// is safe.
#[derive(Debug)]
pub struct FrameMemory {
    file: OwnedFd,
    map: memmap2::MmapMut,
}

impl FrameMemory {
    /// Memory of `length` bytes, all zero.
    pub fn new(length: usize) -> io::Result<Self> {
        let file =
            rustix::fs::memfd_create("guesthouse-picture", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&file, length as u64)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        #[expect(unsafe_code, reason = "a shared mapping is what this type is for")]
        // SAFETY: the file is sealed against shrinking. Others may only read it, and what they see of a
        // picture half written is shown for a moment at most.
        let map = unsafe { memmap2::MmapMut::map_mut(&file)? };
        Ok(Self { file, map })
    }

    /// The descriptor to hand out.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The bytes, to read.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }
}

/// The memory of a picture, on the window's side.
#[derive(Debug)]
pub struct FrameView {
    map: memmap2::Mmap,
}

impl FrameView {
    /// Maps what the core handed out.
    ///
    /// # Errors
    /// `InvalidData` where it is shorter than `length` or could shrink while it is read.
    pub fn new(memory: OwnedFd, length: usize) -> io::Result<Self> {
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        if !rustix::fs::fcntl_get_seals(&memory)?.contains(SealFlags::SHRINK) {
            return Err(invalid("the picture's memory could shrink"));
        }
        let file = File::from(memory);
        if file.metadata()?.len() < length as u64 {
            return Err(invalid("the picture's memory is too short"));
        }
        #[expect(unsafe_code, reason = "a shared mapping is what this type is for")]
        // SAFETY: the file is sealed against shrinking, so no access can fault. The core writes to it at
        // any time; readers copy pixels out and never interpret them.
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(&file)? };
        Ok(Self { map })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_crosses_the_channel_with_its_memory() {
        let (core, window) = Channel::pair().unwrap();
        let mut memory = FrameMemory::new(4 * 4 * 2).unwrap();
        memory.bytes_mut()[5] = 77;
        core.send(&DisplayEvent::Picture { width: 4, height: 2, stride: 16 }, Some(memory.as_fd())).unwrap();
        let (event, fd) = window.receive::<DisplayEvent>().unwrap().unwrap();
        assert_eq!(event, DisplayEvent::Picture { width: 4, height: 2, stride: 16 });
        let view = FrameView::new(fd.unwrap(), 32).unwrap();
        assert_eq!(view.bytes()[5], 77);
        memory.bytes_mut()[6] = 78;
        assert_eq!(view.bytes()[6], 78);
    }

    #[test]
    fn a_channel_says_when_nothing_is_there_and_when_the_other_end_is_gone() {
        let (core, window) = Channel::pair().unwrap();
        assert_eq!(window.receive::<DisplayEvent>().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(core);
        assert!(window.receive::<DisplayEvent>().unwrap().is_none());
        assert_eq!(window.send(&DisplayRequest::Shown, None).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn memory_that_could_shrink_is_refused() {
        let file = rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&file, 64).unwrap();
        assert_eq!(FrameView::new(file, 64).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let memory = FrameMemory::new(64).unwrap();
        let fd = memory.as_fd().try_clone_to_owned().unwrap();
        assert_eq!(FrameView::new(fd, 65).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn rects_unite() {
        let one = Rect { x: 10, y: 20, width: 5, height: 5 };
        let other = Rect { x: 0, y: 22, width: 11, height: 30 };
        assert_eq!(one.union(other), Rect { x: 0, y: 20, width: 15, height: 32 });
    }
}
