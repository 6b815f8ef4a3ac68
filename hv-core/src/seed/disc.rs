//! A small disc: ISO 9660 with the names of Joliet, which Windows reads, and of Rock Ridge, which Linux reads. Plain
//! ISO 9660 has no name like `user-data`.
//!
//! All of it is one top folder with some files. What a larger disc needs (folders, links, boot records, files beyond
//! 4 GiB) is left out. The crates that write such discs bring all of that and a clock, random numbers and partition
//! tables with them; and programs such as xorriso are not installed everywhere.

use super::{SeedError, SeedFile, check};

/// A sector, in bytes.
const SECTOR: usize = 2048;

/// Where what this writes is.
const PRIMARY: usize = 16;
const JOLIET: usize = 17;
const LAST: usize = 18;
const TABLES: usize = 19;
const FOLDERS: usize = 23;

/// What a disc calls itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// What cloud images look for.
    CloudInit,
    /// What the installers of Red Hat's and SUSE's systems look for.
    DriverDisc,
    /// Nothing: Windows looks into every drive.
    None,
}

impl Label {
    /// As it stands on the disc.
    pub fn text(self) -> &'static str {
        match self {
            Self::CloudInit => "cidata",
            Self::DriverDisc => "OEMDRV",
            Self::None => "",
        }
    }
}

/// A disc with these files in its top folder.
///
/// # Errors
/// Where the files can't be put together.
pub fn disc(label: Label, files: &[SeedFile]) -> Result<Vec<u8>, SeedError> {
    check(files)?;
    // Rock Ridge's description of itself has a sector behind the two folders.
    let mut layout = Layout { files: Vec::new(), extension: 0, end: 0 };
    let plain_names = plain_names(files);
    let sizes =
        [Tree::Plain, Tree::Joliet].map(|tree| folder(tree, 0, &layout.dummy(files, &plain_names)).len());
    let plain = FOLDERS;
    let joliet = plain + sizes[0] / SECTOR;
    layout.extension = joliet + sizes[1] / SECTOR;
    let mut next = layout.extension + 1;
    for (file, plain_name) in files.iter().zip(&plain_names) {
        layout.files.push(Placed { name: &file.name, plain_name, start: next, length: file.content.len() });
        next += file.content.len().div_ceil(SECTOR);
    }
    layout.end = next;

    let mut bytes = vec![0; layout.end * SECTOR];
    let mut put = |sector: usize, content: &[u8]| {
        bytes[sector * SECTOR..][..content.len()].copy_from_slice(content);
    };
    put(PRIMARY, &descriptor(Tree::Plain, label, plain, sizes[0], layout.end));
    put(JOLIET, &descriptor(Tree::Joliet, label, joliet, sizes[1], layout.end));
    put(LAST, b"\xffCD001\x01");
    for (number, start) in [plain, joliet].into_iter().enumerate() {
        let start = start as u32;
        put(TABLES + 2 * number, &path_table(start.to_le_bytes(), 1_u16.to_le_bytes()));
        put(TABLES + 2 * number + 1, &path_table(start.to_be_bytes(), 1_u16.to_be_bytes()));
    }
    put(plain, &folder(Tree::Plain, plain, &layout));
    put(joliet, &folder(Tree::Joliet, joliet, &layout));
    put(layout.extension, &rock_ridge_is_used());
    for (file, placed) in files.iter().zip(&layout.files) {
        put(placed.start, &file.content);
    }
    Ok(bytes)
}

/// The two trees of names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tree {
    Plain,
    Joliet,
}

/// Where everything is, in sectors.
struct Layout<'a> {
    files: Vec<Placed<'a>>,
    extension: usize,
    end: usize,
}

struct Placed<'a> {
    name: &'a str,
    plain_name: &'a str,
    start: usize,
    length: usize,
}

impl Layout<'_> {
    /// The same files at no place yet: how long a folder is does not depend on that.
    fn dummy<'a>(&self, files: &'a [SeedFile], plain_names: &'a [String]) -> Layout<'a> {
        let placed = files.iter().zip(plain_names).map(|(file, plain_name)| Placed {
            name: &file.name,
            plain_name,
            start: 0,
            length: 0,
        });
        Layout { files: placed.collect(), extension: self.extension, end: self.end }
    }
}

/// Names for who reads neither Joliet nor Rock Ridge: eight letters, a dot and three.
fn plain_names(files: &[SeedFile]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for file in files {
        let fit = |text: &str, longest: usize| -> String {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
            text.chars().map(plain).take(longest).collect()
        };
        let (stem, ending) = file.name.rsplit_once('.').unwrap_or((&file.name, ""));
        let ending = fit(ending, 3);
        let mut name = format!("{}.{ending};1", fit(stem, 8));
        // At most 64 files: a number of two digits is always free.
        for number in 0.. {
            if !names.contains(&name) {
                break;
            }
            name = format!("{}{number:02}.{ending};1", fit(stem, 6));
        }
        names.push(name);
    }
    names
}

/// A number in both orders of bytes.
fn both32(number: usize) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&(number as u32).to_le_bytes());
    bytes[4..].copy_from_slice(&(number as u32).to_be_bytes());
    bytes
}

fn both16(number: u16) -> [u8; 4] {
    let mut bytes = [0; 4];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    bytes[2..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Text as Joliet has it.
fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// A volume descriptor.
fn descriptor(tree: Tree, label: Label, folder: usize, size: usize, end: usize) -> Vec<u8> {
    let mut bytes = vec![0; SECTOR];
    let mut put = |at: usize, content: &[u8]| bytes[at..][..content.len()].copy_from_slice(content);
    put(0, &[if tree == Tree::Plain { 1 } else { 2 }]);
    put(1, b"CD001\x01");
    // Fields of text are filled up with blanks.
    let text = |text: &str, length: usize| -> Vec<u8> {
        match tree {
            Tree::Plain => format!("{text:length$}").into_bytes(),
            Tree::Joliet => wide(&format!("{text:0$}", length / 2)),
        }
    };
    put(8, &text("", 32));
    put(40, &text(label.text(), 32));
    put(80, &both32(end));
    if tree == Tree::Joliet {
        // The third level of Joliet.
        put(88, b"%/E");
    }
    put(120, &both16(1));
    put(124, &both16(1));
    put(128, &both16(SECTOR as u16));
    put(132, &both32(PATH_TABLE));
    let tables = TABLES + if tree == Tree::Plain { 0 } else { 2 };
    put(140, &(tables as u32).to_le_bytes());
    put(148, &(tables as u32 + 1).to_be_bytes());
    put(156, &record(&[0], folder, size, true, &[]));
    put(190, &text("", 128));
    put(318, &text("", 128));
    put(446, &text("", 128));
    put(574, &text("GUESTHOUSE", 128));
    put(702, &text("", 36));
    put(738, &text("", 36));
    put(776, &text("", 36));
    // It was made at no time that is told.
    for date in [813, 830, 847, 864] {
        put(date, b"0000000000000000\0");
    }
    put(881, &[1]);
    bytes
}

/// The length of a path table with the top folder alone.
const PATH_TABLE: usize = 10;

fn path_table(start: [u8; 4], parent: [u8; 2]) -> [u8; PATH_TABLE] {
    let mut bytes = [0; PATH_TABLE];
    bytes[0] = 1;
    bytes[2..6].copy_from_slice(&start);
    bytes[6..8].copy_from_slice(&parent);
    bytes
}

/// One entry of a folder.
fn record(name: &[u8], start: usize, length: usize, is_folder: bool, extension: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 33];
    bytes[2..10].copy_from_slice(&both32(start));
    bytes[10..18].copy_from_slice(&both32(length));
    // The first day of 2000: a disc that is the same for the same files.
    bytes[18..25].copy_from_slice(&[100, 1, 1, 0, 0, 0, 0]);
    bytes[25] = if is_folder { 2 } else { 0 };
    bytes[28..32].copy_from_slice(&both16(1));
    bytes[32] = name.len() as u8;
    bytes.extend(name);
    if !bytes.len().is_multiple_of(2) {
        bytes.push(0);
    }
    bytes.extend(extension);
    if !bytes.len().is_multiple_of(2) {
        bytes.push(0);
    }
    bytes[0] = bytes.len() as u8;
    bytes
}

/// The top folder. `start` is where it is itself.
fn folder(tree: Tree, start: usize, layout: &Layout<'_>) -> Vec<u8> {
    let mut entries: Vec<(Vec<u8>, &Placed<'_>)> = layout
        .files
        .iter()
        .map(|file| match tree {
            Tree::Plain => (file.plain_name.as_bytes().to_vec(), file),
            Tree::Joliet => (wide(file.name), file),
        })
        .collect();
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    // Its own length is known when its entries are: they come first, and are of the same length either way.
    let make = |length: usize| {
        let top = |extension: &[u8], name: u8| record(&[name], start, length, true, extension);
        let (own, parent) = match tree {
            Tree::Plain => ([&SHARING[..], &mode(true), &continued(layout.extension)].concat(), mode(true)),
            Tree::Joliet => (Vec::new(), Vec::new()),
        };
        let mut bytes = top(&own, 0);
        bytes.extend(top(&parent, 1));
        for (name, file) in &entries {
            let extension = match tree {
                Tree::Plain => [mode(false), true_name(file.name)].concat(),
                Tree::Joliet => Vec::new(),
            };
            let record = record(name, file.start, file.length, false, &extension);
            // An entry is in one sector.
            if bytes.len() % SECTOR + record.len() > SECTOR {
                bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
            }
            bytes.extend(record);
        }
        bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
        bytes
    };
    make(make(0).len())
}

/// That what stands behind a name is Rock Ridge's.
const SHARING: [u8; 7] = [b'S', b'P', 7, 1, 0xbe, 0xef, 0];

/// Who may read it: root alone.
fn mode(is_folder: bool) -> Vec<u8> {
    let mode = if is_folder { 0o040_500 } else { 0o100_400 };
    let mut bytes = vec![b'P', b'X', 36, 1];
    for number in [mode, if is_folder { 2 } else { 1 }, 0, 0] {
        bytes.extend(both32(number));
    }
    bytes
}

fn true_name(name: &str) -> Vec<u8> {
    let mut bytes = vec![b'N', b'M', 5 + name.len() as u8, 1, 0];
    bytes.extend(name.as_bytes());
    bytes
}

/// Where the description is, of which there is no room in an entry.
fn continued(sector: usize) -> Vec<u8> {
    let mut bytes = vec![b'C', b'E', 28, 1];
    for number in [sector, 0, rock_ridge_is_used().len()] {
        bytes.extend(both32(number));
    }
    bytes
}

fn rock_ridge_is_used() -> Vec<u8> {
    const ID: &[u8] = b"RRIP_1991A";
    const WHAT: &[u8] =
        b"THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS";
    const WHERE: &[u8] = b"SEE THE PUBLISHER OF THE ROCK RIDGE INTERCHANGE PROTOCOL, IEEE P1282";
    let mut bytes = vec![b'E', b'R', 0, 1, ID.len() as u8, WHAT.len() as u8, WHERE.len() as u8, 1];
    bytes.extend([ID, WHAT, WHERE].concat());
    bytes[2] = bytes.len() as u8;
    bytes
}
