//! The manifest of an appliance: the digests of its files, and whether they are right.

use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use std::io::{self, Read};

/// The most lines of one.
const MOST_LINES: usize = 2000;

/// As much as is read at once.
const PART: usize = 256 << 10;

/// How a digest is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1, of the first versions of the format.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    fn of(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().replace('-', "").as_str() {
            "SHA1" => Some(Self::Sha1),
            "SHA256" => Some(Self::Sha256),
            "SHA512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// What the manifest says of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The file's name.
    pub file: String,
    /// How the digest is made.
    pub algorithm: Algorithm,
    /// The digest, in small hexadecimal digits.
    pub digest: String,
}

/// Reads lines such as `SHA256(disk1.vmdk)= 9f86…`.
///
/// # Errors
/// The line that is none.
pub fn read(text: &str) -> Result<Vec<Expected>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let wrong = |line: &str| format!("its manifest has a line that is no digest: {}", line.escape_debug());
    let mut all = Vec::new();
    for line in lines {
        if all.len() == MOST_LINES {
            return Err("its manifest is too long".into());
        }
        let expected = line_of(line).ok_or_else(|| wrong(line.get(..80).unwrap_or("…")))?;
        all.push(expected);
    }
    Ok(all)
}

fn line_of(line: &str) -> Option<Expected> {
    let (name, rest) = line.split_once('(')?;
    // A name may have such brackets in it.
    let (file, digest) = rest.rsplit_once(")=").or_else(|| rest.rsplit_once(") ="))?;
    let algorithm = Algorithm::of(name.trim())?;
    let digest = digest.trim().to_ascii_lowercase();
    let hexadecimal =
        digest.len() == algorithm.digits() && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal.then(|| Expected { file: file.trim().to_owned(), algorithm, digest })
}

/// The digest of what is read. `told` hears how many bytes there were each time, and ends it by answering false.
///
/// # Errors
/// Where it can't be read, or was ended.
pub fn digest(
    algorithm: Algorithm,
    from: &mut dyn Read,
    told: &mut dyn FnMut(u64) -> bool,
) -> io::Result<String> {
    match algorithm {
        Algorithm::Sha1 => digest_by::<Sha1>(from, told),
        Algorithm::Sha256 => digest_by::<Sha256>(from, told),
        Algorithm::Sha512 => digest_by::<Sha512>(from, told),
    }
}

fn digest_by<D: Digest>(from: &mut dyn Read, told: &mut dyn FnMut(u64) -> bool) -> io::Result<String> {
    let mut digest = D::new();
    let mut part = vec![0; PART];
    loop {
        let count = from.read(&mut part)?;
        if count == 0 {
            break;
        }
        digest.update(&part[..count]);
        if !told(count as u64) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    Ok(hexadecimal(&digest.finalize()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut digits, byte| {
        for half in [byte >> 4, byte & 15] {
            digits.extend(char::from_digit(half.into(), 16));
        }
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_all_programs_are_read() {
        let sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d";
        let text = format!("SHA1 (a (old).ovf) = {sha1}\r\n\nSHA1(disk1.vmdk)= {}\n", sha1.to_uppercase());
        let files: Vec<_> = read(&text).unwrap().into_iter().map(|one| (one.file, one.digest)).collect();
        assert_eq!(files, [("a (old).ovf".to_owned(), sha1.to_owned()), ("disk1.vmdk".into(), sha1.into())]);
        for bad in
            ["MD5(a)= 00", "SHA256(a)= a9993e", "SHA1 a", "SHA1(a)= zz993e364706816aba3e25717850c26c9cd0d89d"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read(&format!("SHA1(a)= {sha1}\n").repeat(MOST_LINES + 1)).is_err());
    }

    #[test]
    fn digests_are_those_that_others_make() {
        let of = |algorithm| digest(algorithm, &mut &b"abc"[..], &mut |_| true).unwrap();
        assert_eq!(of(Algorithm::Sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(of(Algorithm::Sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(of(Algorithm::Sha512).starts_with("ddaf35a193617abacc417349ae204131"));
        assert!(digest(Algorithm::Sha1, &mut &b"abc"[..], &mut |_| false).is_err(), "it can be ended");
    }
}
