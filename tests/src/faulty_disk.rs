//! A home whose disk fails at a chosen change, for whatever is started through it.

use crate::Home;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// What is wrong with the disk, from a change on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// It is full: what is there can be deleted.
    Full,
    /// It can be read only, as a file system with errors.
    ReadOnly,
    /// Nobody may make, open for writing or delete anything; what is open stays so.
    NoPermission,
}

/// A disk with all that is in a home.
#[derive(Debug)]
pub struct FaultyDisk {
    control: File,
    words: Vec<String>,
}

/// The library that stands between a program and its disk; what it reads is laid out by [`FaultyDisk`].
const LIBRARY: &str = concat!(env!("OUT_DIR"), "/libfaulty_disk.so");

/// The numbers at the beginning of the control file: the error, the change from which on there is one, how many there were,
/// and the length of the words about it, which follow.
const NUMBERS: usize = 4;

/// The control file's length, in bytes.
const LENGTH: u64 = 4096;

impl FaultyDisk {
    /// One that works.
    pub fn new(home: &Home) -> Self {
        let path: PathBuf = home.path("faulty-disk");
        let control = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let control = control.expect("a control file");
        control.set_len(LENGTH).expect("a control file");
        let words = [
            "env".to_owned(),
            format!("LD_PRELOAD={LIBRARY}"),
            format!("FAULTY_DISK={}", path.display()),
            format!("FAULTY_DISK_FOLDER={}/", home.path("").display().to_string().trim_end_matches('/')),
        ];
        assert!(fs::exists(LIBRARY).expect("the build's folder"), "{LIBRARY}");
        Self { control, words: words.into() }
    }

    /// The program by way of which another one is started on it.
    pub fn wrapper(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// Lets it fail from so many changes on.
    pub fn fail(&self, fault: DiskFault, at: u32) {
        let error: u32 = match fault {
            DiskFault::NoPermission => 13,
            DiskFault::Full => 28,
            DiskFault::ReadOnly => 30,
        };
        // The error last: with it, everything begins.
        self.put(&[0, at, 0, 0]);
        self.put(&[error]);
    }

    /// Lets it work again; says what met the fault first, where something did.
    pub fn mend(&self) -> Option<String> {
        self.put(&[0]);
        let mut numbers = [0; NUMBERS * 4];
        self.control.read_exact_at(&mut numbers, 0).expect("the control file");
        let length = u32::from_ne_bytes([numbers[12], numbers[13], numbers[14], numbers[15]]);
        let mut words = vec![0; length as usize];
        self.control.read_exact_at(&mut words, numbers.len() as u64).expect("the control file");
        (!words.is_empty()).then(|| String::from_utf8_lossy(&words).into_owned())
    }

    fn put(&self, numbers: &[u32]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        self.control.write_all_at(&bytes, 0).expect("the control file");
    }
}
