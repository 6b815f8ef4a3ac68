//! A disk that fills, becomes read-only or takes a right away at a chosen write: stands between a program and the system
//! (`LD_PRELOAD`), so that the real programs are tested.
//!
//! A file that `FaultyDisk` of the tests writes says what it does. Only what is below one folder is touched; everything
//! else, and everything before the moment, goes on to the system as it was asked for.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn getenv(name: *const c_char) -> *const c_char;
    fn readlink(path: *const c_char, buffer: *mut c_char, size: usize) -> isize;
    fn mmap(
        at: *mut c_void,
        size: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn __errno_location() -> *mut c_int;
}

// Numbers of x86-64, the one architecture that guests have here.
const MMAP_SHARED: c_int = 1;
const READ_AND_WRITE: c_int = 3;
const FOLDER_OF_THE_PROCESS: c_int = -100;
const CREATE: c_int = 0o100;
const TRUNCATE: c_int = 0o1000;
const ACCESS: c_int = 0o3;

const NO_PERMISSION: c_int = 13;
const NO_SPACE: c_int = 28;
const READ_ONLY: c_int = 30;

/// What is written in the file, by both sides.
#[repr(C)]
struct Control {
    /// The error that there is from the moment on; 0: none.
    error: AtomicU32,
    /// The moment: so many changes were begun, this one included.
    at: AtomicU32,
    /// How many there were.
    count: AtomicU32,
    /// How many bytes of `words` say what met it.
    length: AtomicU32,
    words: [AtomicU32; 1020],
}

struct Place {
    control: &'static Control,
    folder: &'static [u8],
    /// Whether this is in the core, and not in what it has started.
    core: bool,
}

fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: The environment is changed by nobody here.
    unsafe {
        let value = getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}

fn place() -> Option<&'static Place> {
    static PLACE: OnceLock<Option<Place>> = OnceLock::new();
    let open = || {
        let (file, folder) = (variable(c"FAULTY_DISK")?, variable(c"FAULTY_DISK_FOLDER")?);
        // SAFETY: The mapping is as large as the type, whose every bit pattern is valid, and stays.
        unsafe {
            let file = syscall(257, FOLDER_OF_THE_PROCESS, file.as_ptr(), 2 | 0o2_000_000);
            let file = c_int::try_from(file).ok().filter(|file| *file >= 0)?;
            let size = size_of::<Control>();
            let memory = mmap(std::ptr::null_mut(), size, READ_AND_WRITE, MMAP_SHARED, file, 0);
            syscall(3, file);
            let control = (memory as isize != -1).then(|| &*memory.cast::<Control>())?;
            let core =
                Path::of_link(c"/proc/self/exe").is_some_and(|path| path.bytes().ends_with(b"/hv-core"));
            Some(Place { control, folder: folder.to_bytes(), core })
        }
    };
    PLACE.get_or_init(open).as_ref()
}

/// A path in a buffer.
struct Path([u8; 4200], usize);

impl Path {
    fn of_link(link: &CStr) -> Option<Self> {
        let mut this = Self([0; 4200], 0);
        // SAFETY: The name ends with zero, and the buffer is as large as is said.
        let length = unsafe { readlink(link.as_ptr(), this.0.as_mut_ptr().cast(), 4096) };
        this.1 = usize::try_from(length).ok()?;
        Some(this)
    }

    fn of_file(file: c_int) -> Option<Self> {
        let mut link = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
        let (mut number, mut digits) = (u32::try_from(file).ok()?, 1);
        while number >= 10_u32.pow(digits) {
            digits += 1;
        }
        for place in (0..digits as usize).rev() {
            link[14 + place] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        Self::of_link(CStr::from_bytes_until_nul(&link).ok()?)
    }

    /// What a path means that is named at a folder.
    fn at(folder: c_int, name: *const c_char) -> Option<Self> {
        if name.is_null() {
            return None;
        }
        // SAFETY: Whoever calls the system names a path that ends with zero.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        let mut this = Self([0; 4200], 0);
        if !name.starts_with(b"/") {
            if folder == FOLDER_OF_THE_PROCESS {
                return None;
            }
            this = Self::of_file(folder)?;
            this.add(b"/");
        }
        this.add(name);
        Some(this)
    }

    fn add(&mut self, more: &[u8]) {
        let count = more.len().min(4196 - self.1);
        self.0[self.1..][..count].copy_from_slice(&more[..count]);
        self.1 += count;
    }

    fn bytes(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

/// What a change needs.
#[derive(Clone, Copy, PartialEq)]
enum Needs {
    /// Room, and the right to change the folder.
    RoomAndRight,
    /// Room, of a file that was opened.
    Room,
    /// The right to change the folder or the file.
    Right,
}

/// Whether this change is met, and with which error.
fn met(what: &str, needs: Needs, path: impl FnOnce() -> Option<Path>) -> Option<c_int> {
    let Place { control, folder, core } = place()?;
    let error = control.error.load(SeqCst) as c_int;
    let touched = match error {
        NO_SPACE => needs != Needs::Right,
        READ_ONLY => true,
        NO_PERMISSION => needs != Needs::Room,
        _ => false,
    };
    if !touched {
        return None;
    }
    // SAFETY: Nothing but the number of the last error.
    let before = unsafe { *__errno_location() };
    let path = path();
    // SAFETY: As above.
    unsafe { *__errno_location() = before };
    let path = path?;
    if !path.bytes().starts_with(folder) {
        return None;
    }
    // Logs are written at moments that nobody chose: they fail with the rest, and are not counted. Nor is each
    // of the many writes of a program that the core starts, but where that begins to write a file.
    let log = path.bytes().ends_with(b".log");
    let counted = !log && (*core || needs == Needs::RoomAndRight);
    let at = control.at.load(SeqCst);
    let now = if counted { control.count.fetch_add(1, SeqCst) + 1 } else { control.count.load(SeqCst) };
    if counted && now == at {
        let mut said = [0; 4080];
        let parts = what.bytes().chain(*b" ").chain(path.bytes()[folder.len()..].iter().copied());
        let length = parts.zip(&mut said).map(|(byte, place)| *place = byte).count();
        for (word, bytes) in control.words.iter().zip(said.chunks(4)) {
            word.store(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]), SeqCst);
        }
        control.length.store(length as u32, SeqCst);
    }
    (now >= at).then_some(error)
}

fn refused(error: c_int) -> c_long {
    // SAFETY: The number of the last error of this thread.
    unsafe { *__errno_location() = error };
    -1
}

/// A function of the C library: met here, or handed on.
macro_rules! change {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty:
        $needs:expr, $path:expr, $number:literal($($pass:expr),*);)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($argument: $type),*) -> $result {
            match met(stringify!($name), $needs, || $path) {
                Some(error) => refused(error) as $result,
                // SAFETY: What the caller wanted, as it wanted it.
                None => unsafe { syscall($number, $($pass),*) as $result },
            }
        }
    )*};
}

const HERE: c_int = FOLDER_OF_THE_PROCESS;

change! {
    write(file: c_int, bytes: *const c_void, count: usize) -> isize:
        Needs::Room, Path::of_file(file), 1(file, bytes, count);
    pwrite64(file: c_int, bytes: *const c_void, count: usize, at: i64) -> isize:
        Needs::Room, Path::of_file(file), 18(file, bytes, count, at);
    pwrite(file: c_int, bytes: *const c_void, count: usize, at: i64) -> isize:
        Needs::Room, Path::of_file(file), 18(file, bytes, count, at);
    writev(file: c_int, parts: *const c_void, count: c_int) -> isize:
        Needs::Room, Path::of_file(file), 20(file, parts, count);
    pwritev64(file: c_int, parts: *const c_void, count: c_int, at: i64) -> isize:
        Needs::Room, Path::of_file(file), 296(file, parts, count, at, 0_i64);
    pwritev(file: c_int, parts: *const c_void, count: c_int, at: i64) -> isize:
        Needs::Room, Path::of_file(file), 296(file, parts, count, at, 0_i64);
    fsync(file: c_int) -> c_int: Needs::Room, Path::of_file(file), 74(file);
    fdatasync(file: c_int) -> c_int: Needs::Room, Path::of_file(file), 75(file);
    fallocate64(file: c_int, mode: c_int, at: i64, count: i64) -> c_int:
        Needs::Room, Path::of_file(file), 285(file, mode, at, count);
    copy_file_range(from: c_int, at: *mut i64, to: c_int, to_at: *mut i64, count: usize, flags: c_uint) -> isize:
        Needs::Room, Path::of_file(to), 326(from, at, to, to_at, count, flags);
    sendfile64(to: c_int, from: c_int, at: *mut i64, count: usize) -> isize:
        Needs::Room, Path::of_file(to), 40(to, from, at, count);
    mkdir(path: *const c_char, mode: c_uint) -> c_int:
        Needs::RoomAndRight, Path::at(HERE, path), 83(path, mode);
    rename(from: *const c_char, to: *const c_char) -> c_int:
        Needs::RoomAndRight, Path::at(HERE, to), 82(from, to);
    link(from: *const c_char, to: *const c_char) -> c_int:
        Needs::RoomAndRight, Path::at(HERE, to), 86(from, to);
    linkat(folder: c_int, from: *const c_char, to_folder: c_int, to: *const c_char, flags: c_int) -> c_int:
        Needs::RoomAndRight, Path::at(to_folder, to), 265(folder, from, to_folder, to, flags);
    symlink(target: *const c_char, path: *const c_char) -> c_int:
        Needs::RoomAndRight, Path::at(HERE, path), 88(target, path);
    ftruncate64(file: c_int, length: i64) -> c_int: Needs::Right, Path::of_file(file), 77(file, length);
    ftruncate(file: c_int, length: i64) -> c_int: Needs::Right, Path::of_file(file), 77(file, length);
    unlink(path: *const c_char) -> c_int: Needs::Right, Path::at(HERE, path), 87(path);
    unlinkat(folder: c_int, path: *const c_char, flags: c_int) -> c_int:
        Needs::Right, Path::at(folder, path), 263(folder, path, flags);
    rmdir(path: *const c_char) -> c_int: Needs::Right, Path::at(HERE, path), 84(path);
    chmod(path: *const c_char, mode: c_uint) -> c_int: Needs::Right, Path::at(HERE, path), 90(path, mode);
}

fn open_at(folder: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let needs = if flags & CREATE != 0 { Needs::RoomAndRight } else { Needs::Right };
    let changes = flags & (CREATE | TRUNCATE | ACCESS) != 0;
    let error = if changes { met("open", needs, || Path::at(folder, path)) } else { None };
    match error {
        Some(error) => refused(error) as c_int,
        // SAFETY: What the caller wanted, as it wanted it.
        None => unsafe { syscall(257, folder, path, flags, mode) as c_int },
    }
}

// These take their last argument only where they create; on this architecture what nobody passed does no harm.

#[unsafe(no_mangle)]
extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    open_at(HERE, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    open_at(HERE, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn openat(folder: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    open_at(folder, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn openat64(folder: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    open_at(folder, path, flags, mode)
}
