//! The bytes of a guest's disk, as the guest sees them: within bounds, counted, and where something is to be changed,
//! with the change put over them, so that it can be tried before anything is written.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Instant;

/// The most bytes that are read of a disk, for whatever: a kernel and its initial file systems have some hundred MiB.
const MOST_READ: u64 = 4 << 30;

/// The most places that are remembered of what was read.
const MOST_PLACES: usize = 65_536;

/// Something with bytes that can be read at any place.
pub trait Bytes {
    /// How many there are.
    fn length(&self) -> u64;

    /// Reads all of `into`.
    ///
    /// # Errors
    /// Where it can't be read, or ends before that.
    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()>;
}

impl Bytes for Vec<u8> {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(place).map_err(io::Error::other)?;
        let end = start.checked_add(into.len()).ok_or_else(too_short)?;
        into.copy_from_slice(self.get(start..end).ok_or_else(too_short)?);
        Ok(())
    }
}

pub(super) fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the disk ends before that")
}

/// A guest's disk.
pub struct Disk {
    bytes: Box<dyn Bytes>,
    read: Cell<u64>,
    gave_up: Cell<bool>,
    deadline: Option<Instant>,
    /// What is read as something else than it is.
    over: RefCell<Option<(u64, Vec<u8>)>>,
    /// Where was read, while somebody wants to know.
    places: RefCell<Option<Vec<(u64, usize)>>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("length", &self.length()).finish_non_exhaustive()
    }
}

impl Disk {
    /// One with these bytes, which can be read until then.
    pub fn new(bytes: Box<dyn Bytes>, deadline: Option<Instant>) -> Rc<Self> {
        let (over, places) = (RefCell::default(), RefCell::default());
        Rc::new(Self { bytes, read: Cell::new(0), gave_up: Cell::new(false), deadline, over, places })
    }

    /// Whether reading took too long, so that what was not found may be there all the same.
    pub fn gave_up(&self) -> bool {
        self.gave_up.get()
    }

    /// Lets these bytes be read at this place, or again what is there.
    pub fn put_over(&self, over: Option<(u64, Vec<u8>)>) {
        *self.over.borrow_mut() = over;
    }

    /// Does something, and says where it has read.
    pub fn places_of<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<(u64, usize)>) {
        *self.places.borrow_mut() = Some(Vec::new());
        let done = work();
        (done, self.places.borrow_mut().take().unwrap_or_default())
    }
}

impl Bytes for Disk {
    fn length(&self) -> u64 {
        self.bytes.length()
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        let length = into.len() as u64;
        let read = self.read.get().saturating_add(length);
        if read > MOST_READ || self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            self.gave_up.set(true);
            return Err(io::Error::other("it takes too long to read"));
        }
        self.read.set(read);
        if place.checked_add(length).is_none_or(|end| end > self.length()) {
            return Err(too_short());
        }
        self.bytes.read_at(place, into)?;
        if let Some(places) = &mut *self.places.borrow_mut()
            && places.len() < MOST_PLACES
        {
            places.push((place, into.len()));
        }
        if let Some((start, bytes)) = &*self.over.borrow() {
            for (at, byte) in (*start..).zip(bytes) {
                if let Some(index) = at.checked_sub(place).and_then(|index| usize::try_from(index).ok())
                    && let Some(read) = into.get_mut(index)
                {
                    *read = *byte;
                }
            }
        }
        Ok(())
    }
}

/// A part of a disk.
#[derive(Debug, Clone)]
pub struct Part {
    disk: Rc<Disk>,
    start: u64,
    length: u64,
}

impl Part {
    /// From this place on, so long; shorter where the disk is.
    pub fn new(disk: &Rc<Disk>, start: u64, length: u64) -> Self {
        let start = start.min(disk.length());
        Self { disk: Rc::clone(disk), start, length: length.min(disk.length() - start) }
    }

    /// Its disk.
    pub fn disk(&self) -> &Rc<Disk> {
        &self.disk
    }

    /// Bytes at a place, where they are there.
    pub fn take<const N: usize>(&self, place: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.read_at(place, &mut bytes).ok()?;
        Some(bytes)
    }
}

impl Bytes for Part {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        if place.checked_add(into.len() as u64).is_none_or(|end| end > self.length) {
            return Err(too_short());
        }
        self.disk.read_at(self.start + place, into)
    }
}
