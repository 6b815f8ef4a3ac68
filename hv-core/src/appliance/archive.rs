//! The headers of a tar archive: which files are in it, and where. Nothing is unpacked, and what is in the files is not
//! read.
//!
//! The archive is hostile. Every number in it is a claim, held against the archive's own length; what is read of names
//! and of their count is bounded, whatever is claimed; names that lead out of the archive, links, devices, and a name
//! that is there twice are refused. The usual crate for such archives reads long names and extended headers as long as
//! they claim to be, and is meant for unpacking.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};

/// The unit of an archive, in bytes.
const BLOCK: u64 = 512;

/// The most files in one. Large appliances have some dozen.
const MOST_FILES: usize = 1000;

/// The most headers that are read: each file may have two before its own.
const MOST_HEADERS: usize = 4 * MOST_FILES;

/// The longest name, in bytes.
const LONGEST_NAME: u64 = 1024;

/// The longest extended header, in bytes.
const LONGEST_EXTENSION: u64 = 16 << 10;

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name: relative, with nothing in it that leads upwards.
    pub name: String,
    /// Where it begins in the archive.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
}

/// Whether a file that begins like this is an archive.
pub fn is_archive(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

/// The files in an archive of this length, in its order.
///
/// # Errors
/// What is wrong with it, in words.
pub fn members(file: &mut (impl Read + Seek), length: u64) -> Result<Vec<Member>, String> {
    let mut found: Vec<Member> = Vec::new();
    let mut names = HashSet::new();
    let mut said = Said::default();
    let mut place = 0;
    for _header in 0..MOST_HEADERS {
        if place == length {
            // Some programs leave out the empty blocks at the end.
            return Ok(found);
        }
        let header = read(file, place, BLOCK, length)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(found);
        }
        let header = Header::check(&header)?;
        let mut size = header.size()?;
        let begin = place + BLOCK;
        let kind = header.kind();
        match kind {
            b'L' | b'K' => {
                if size > LONGEST_NAME {
                    return Err("a name in it is too long".into());
                }
                let bytes = read(file, begin, size, length)?;
                if kind == b'L' {
                    said.name = Some(text(&bytes)?);
                }
            }
            b'x' | b'g' => {
                if size > LONGEST_EXTENSION {
                    return Err("an extended header in it is too long".into());
                }
                let extension = Said::read(&read(file, begin, size, length)?)?;
                if kind == b'x' {
                    said = Said { name: extension.name.or(said.name), size: extension.size };
                } else if extension != Said::default() {
                    return Err("it has one name or size for all files".into());
                }
            }
            b'0' | 0 | b'7' | b'5' => {
                let Said { name, size: longer } = std::mem::take(&mut said);
                size = longer.unwrap_or(size);
                let name = checked(&name.map_or_else(|| header.name(), Ok)?)?;
                if begin.checked_add(size).is_none_or(|end| end > length) {
                    return Err(format!("“{name}” in it is cut short: it claims to have {size} bytes"));
                }
                if !names.insert(name.clone()) {
                    return Err(format!("“{name}” is in it twice"));
                }
                if kind == b'5' {
                    size = 0;
                } else if found.len() == MOST_FILES {
                    return Err(format!("there are more than {MOST_FILES} files in it"));
                } else {
                    found.push(Member { name, offset: begin, size });
                }
            }
            b'1' | b'2' => return Err("there is a link in it".into()),
            b'3' | b'4' | b'6' => return Err("there is a device or a pipe in it".into()),
            _ => return Err("there is something in it that is no file".into()),
        }
        let padded = size.checked_next_multiple_of(BLOCK);
        // The last file need not be filled up to a whole block.
        place = padded.and_then(|padded| begin.checked_add(padded)).unwrap_or(u64::MAX).min(length);
    }
    Err(format!("there are more than {MOST_FILES} files in it"))
}

/// So many bytes at a place.
fn read(file: &mut (impl Read + Seek), place: u64, count: u64, length: u64) -> Result<Vec<u8>, String> {
    if place.checked_add(count).is_none_or(|end| end > length) {
        return Err("it is cut short".into());
    }
    let mut bytes = vec![0; count as usize];
    file.seek(SeekFrom::Start(place))
        .and_then(|_place| file.read_exact(&mut bytes))
        .map_err(|error| format!("it can't be read: {error}"))?;
    Ok(bytes)
}

/// What headers before a file's own say of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    name: Option<String>,
    size: Option<u64>,
}

impl Said {
    /// Reads lines such as `30 path=a name`, whose length comes first.
    fn read(mut bytes: &[u8]) -> Result<Self, String> {
        let damaged = || "an extended header in it is damaged".to_owned();
        let mut said = Self::default();
        while bytes.first().is_some_and(|byte| *byte != 0) {
            let blank = bytes.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
            let digits = str::from_utf8(&bytes[..blank]).ok();
            let length: usize = digits.and_then(|digits| digits.parse().ok()).ok_or_else(damaged)?;
            let record = bytes.get(blank + 1..length).and_then(|record| record.strip_suffix(b"\n"));
            let record = record.ok_or_else(damaged)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(damaged)?;
            let value = &record[equals + 1..];
            match &record[..equals] {
                b"path" if value.len() as u64 <= LONGEST_NAME => said.name = Some(text(value)?),
                b"size" => {
                    said.size = Some(
                        str::from_utf8(value).ok().and_then(|size| size.parse().ok()).ok_or_else(damaged)?,
                    );
                }
                b"path" => return Err("a name in it is too long".into()),
                b"linkpath" => return Err("there is a link in it".into()),
                key if key.starts_with(b"GNU.sparse") => return Err("a file in it has holes".into()),
                _ => {}
            }
            bytes = &bytes[length..];
        }
        Ok(said)
    }
}

/// A header whose check sum is right.
struct Header<'b>(&'b [u8]);

impl<'b> Header<'b> {
    const CHECK_SUM: std::ops::Range<usize> = 148..156;

    fn check(bytes: &'b [u8]) -> Result<Self, String> {
        let header = Self(bytes);
        let told = header.octal(Self::CHECK_SUM);
        let in_sum = |place: usize, byte: u8| if Self::CHECK_SUM.contains(&place) { b' ' } else { byte };
        let sum: u64 = bytes.iter().enumerate().map(|(place, byte)| u64::from(in_sum(place, *byte))).sum();
        if !is_archive(bytes) || told != Some(sum) {
            return Err("a header in it is damaged".into());
        }
        Ok(header)
    }

    fn field(&self, range: std::ops::Range<usize>) -> &'b [u8] {
        let field = self.0.get(range).unwrap_or_default();
        field.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn octal(&self, range: std::ops::Range<usize>) -> Option<u64> {
        let digits = str::from_utf8(self.field(range)).ok()?.trim();
        u64::from_str_radix(digits, 8).ok()
    }

    fn kind(&self) -> u8 {
        self.0.get(156).copied().unwrap_or_default()
    }

    fn size(&self) -> Result<u64, String> {
        const SIZE: std::ops::Range<usize> = 124..136;
        let damaged = || "a size in it is damaged".to_owned();
        let field = self.0.get(SIZE).unwrap_or_default();
        // Larger ones than eight digits can say are written as bytes.
        let Some((0x80, digits)) = field.split_first() else { return self.octal(SIZE).ok_or_else(damaged) };
        let (above, rest) = digits.split_last_chunk::<8>().ok_or_else(damaged)?;
        let small = above.iter().all(|byte| *byte == 0);
        small.then(|| u64::from_be_bytes(*rest)).ok_or_else(damaged)
    }

    fn name(&self) -> Result<String, String> {
        let name = text(self.field(0..100))?;
        // GNU's own headers have something else at the place of the prefix.
        let prefix = if self.0.get(262) == Some(&0) { text(self.field(345..500))? } else { String::new() };
        Ok(if prefix.is_empty() { name } else { format!("{prefix}/{name}") })
    }
}

fn text(bytes: &[u8]) -> Result<String, String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    String::from_utf8(bytes.to_vec()).map_err(|_binary| "a name in it is no text".to_owned())
}

/// A name as it can be used: relative, and with nothing in it that leads upwards.
fn checked(name: &str) -> Result<String, String> {
    let relative = name.strip_prefix("./").unwrap_or(name).trim_end_matches('/');
    let good = !name.starts_with('/')
        && !relative.chars().any(char::is_control)
        && relative.split('/').all(|part| !["", ".."].contains(&part));
    // A folder may be called “.”.
    if good || ["./", "."].contains(&name) {
        Ok(relative.to_owned())
    } else {
        Err(format!("a name in it leads out of it: “{}”", name.escape_debug()))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    /// A header of this kind, with its check sum.
    pub fn header(name: &str, kind: u8, size: u64) -> Vec<u8> {
        let mut header = vec![0; BLOCK as usize];
        header[..name.len()].copy_from_slice(name.as_bytes());
        if size < 8 << 30 {
            header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        } else {
            header[124] = 0x80;
            header[128..136].copy_from_slice(&size.to_be_bytes());
        }
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        header
    }

    /// A whole entry.
    pub fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut entry = header(name, kind, content.len() as u64);
        entry.extend(content);
        entry.resize(entry.len().next_multiple_of(BLOCK as usize), 0);
        entry
    }

    fn look(bytes: Vec<u8>) -> Result<Vec<Member>, String> {
        let length = bytes.len() as u64;
        members(&mut Cursor::new(bytes), length)
    }

    fn names(bytes: Vec<u8>) -> Result<Vec<String>, String> {
        look(bytes).map(|members| members.into_iter().map(|member| member.name).collect())
    }

    #[test]
    fn files_are_found_with_their_places() {
        let archive =
            [entry("a.ovf", b'0', b"<E/>"), entry("d/", b'5', b""), entry("./d/b", 0, &[7; 513])].concat();
        let expected = [
            Member { name: "a.ovf".into(), offset: 512, size: 4 },
            Member { name: "d/b".into(), offset: 2048, size: 513 },
        ];
        assert_eq!(look(archive.clone()).unwrap(), expected, "without an end");
        let ended = [archive, vec![0; 1024], b"whatever follows".to_vec()].concat();
        assert_eq!(look(ended).unwrap(), expected);
    }

    #[test]
    fn long_names_are_known_in_all_three_ways() {
        let long = format!("{}/disk.vmdk", "folder".repeat(30));
        let gnu = [entry("././@LongLink", b'L', format!("{long}\0").as_bytes()), entry("folder", b'0', b"x")];
        assert_eq!(names(gnu.concat()).unwrap(), std::slice::from_ref(&long));
        let record = format!(" path={long}\n");
        let record = format!("{}{record}", record.len() + 3);
        let pax = [entry("PaxHeaders/x", b'x', record.as_bytes()), entry("folder", b'0', b"x")];
        assert_eq!(names(pax.concat()).unwrap(), [long]);
        let mut prefixed = header("disk.vmdk", b'0', 0);
        prefixed[345..351].copy_from_slice(b"folder");
        let sum: u64 = b"folder".iter().map(|byte| u64::from(*byte)).sum();
        let told = u64::from_str_radix(str::from_utf8(&prefixed[148..154]).unwrap(), 8).unwrap();
        prefixed[148..154].copy_from_slice(format!("{:06o}", told + sum).as_bytes());
        assert_eq!(names(prefixed).unwrap(), ["folder/disk.vmdk"]);
    }

    #[test]
    fn what_is_hostile_is_refused() {
        let twice = [entry("a.ovf", b'0', b"x"), entry("./a.ovf", b'0', b"y")].concat();
        let mut flipped = entry("a.ovf", b'0', b"x");
        flipped[0] ^= 1;
        let huge = [header("a.ovf", b'0', 10 << 40), vec![0; 4096]].concat();
        let wrapped = [header("a.ovf", b'0', u64::MAX - 600), vec![0; 4096]].concat();
        let long_name = [header("x", b'L', 10 << 40), vec![0; 4096]].concat();
        let sized =
            [entry("x", b'x', b"30 size=10995116277760000000\n\n"), entry("a.ovf", b'0', b"x")].concat();
        let claimed = [entry("x", b'x', b"18 size=1099511627\n"), entry("a.ovf", b'0', b"x")].concat();
        let many: Vec<u8> =
            (0..=MOST_FILES).flat_map(|number| header(&number.to_string(), b'0', 0)).collect();
        let headers: Vec<u8> = (0..=MOST_HEADERS).flat_map(|_| header("x", b'g', 0)).collect();
        let mut all = vec![
            twice,
            flipped,
            huge,
            wrapped,
            long_name,
            sized,
            claimed,
            many,
            headers,
            entry("a.ovf", b'0', b"x")[..700].to_vec()[..600].to_vec(),
            vec![b'x'; 512],
        ];
        for name in ["../a.ovf", "/etc/passwd", "a/../../b", "a//b", "a\nb"] {
            all.push(entry(name, b'0', b"x"));
        }
        for kind in [b'1', b'2', b'3', b'4', b'6', b'S', b'?'] {
            all.push(entry("a.ovf", kind, b""));
        }
        all.push(entry("x", b'x', b"23 GNU.sparse.major=1\n\n"));
        for (number, archive) in all.into_iter().enumerate() {
            let refused = look(archive);
            if number == 9 {
                // Its last block is not filled, which is no harm.
                assert!(refused.is_ok(), "{refused:?}");
            } else {
                assert!(refused.is_err(), "{number}: {refused:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_is_read_or_refused(
            parts in prop::collection::vec(
                ("[ -~]{0,20}", any::<u8>(), prop::collection::vec(any::<u8>(), 0..700), any::<bool>()),
                0..6,
            ),
            cut in 0_usize..6000,
        ) {
            let mut archive: Vec<u8> = Vec::new();
            for (name, kind, content, usual) in parts {
                archive.extend(entry(&name, if usual { b'0' } else { kind }, &content));
            }
            archive.truncate(cut);
            let length = archive.len() as u64;
            if let Ok(members) = look(archive) {
                for member in members {
                    prop_assert!(member.offset + member.size <= length);
                    let upwards = member.name.split('/').any(|part| part == "..");
                    prop_assert!(!member.name.starts_with('/') && !upwards, "{}", member.name);
                }
            }
        }
    }
}
