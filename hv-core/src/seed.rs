//! Files that an installer or a cloud image finds at its first start: written into a small disc, or behind an
//! initial RAM disk.
//!
//! Pure over bytes: where they are put, and when they are taken away, is left to others. What is in the files,
//! `crate::answers` decides.

mod disc;
mod initrd;

pub use disc::{Label, disc};
pub use initrd::behind_initrd;

/// The longest name of a file: what fits into Joliet's.
pub const LONGEST_NAME: usize = 64;

/// The most files.
pub const MOST_FILES: usize = 64;

/// The largest file, in bytes.
pub const LARGEST_FILE: usize = 4 << 20;

/// A file that is to be found.
#[derive(Clone, PartialEq, Eq)]
pub struct SeedFile {
    /// Its name, in the top folder: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// What is in it.
    pub content: Vec<u8>,
}

impl SeedFile {
    /// A file with this text.
    pub fn new(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), content: content.into() }
    }
}

/// What is in it may be a secret.
impl std::fmt::Debug for SeedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SeedFile({:?}, {} bytes)", self.name, self.content.len())
    }
}

/// Why files can't be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// A file can't have that name.
    #[error("a file can't be called {0:?} there")]
    Name(String),
    /// Two files have the same name.
    #[error("there are two files called {0:?}")]
    Twice(String),
    /// There are too many files.
    #[error("{0} files are more than {MOST_FILES}")]
    TooMany(usize),
    /// A file is too large.
    #[error("the file {0:?} is larger than {LARGEST_FILE} bytes")]
    TooLarge(String),
}

/// Makes sure that the files can be told apart, also where capital letters don't count, and are not too many or too
/// large.
fn check(files: &[SeedFile]) -> Result<(), SeedError> {
    if files.len() > MOST_FILES {
        return Err(SeedError::TooMany(files.len()));
    }
    for (number, file) in files.iter().enumerate() {
        let name = &file.name;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !(1..=LONGEST_NAME).contains(&name.len())
            || !name.chars().all(plain)
            || matches!(name.as_str(), "." | "..")
        {
            return Err(SeedError::Name(name.clone()));
        }
        if files[..number].iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
            return Err(SeedError::Twice(name.clone()));
        }
        if file.content.len() > LARGEST_FILE {
            return Err(SeedError::TooLarge(name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
