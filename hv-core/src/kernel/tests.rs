//! Kernels that are real, made, and hostile.

use super::*;
use image::{Format, payload};
use proptest::prelude::*;
use std::io::Cursor;
use std::process::{Command, Stdio};

const DEBIAN: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux";

/// An unpacked kernel: an ELF file with one segment and, where wanted, the note.
fn elf(with_entry: bool) -> Vec<u8> {
    let mut note = [4_u32, 8, 18].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    note.extend(if with_entry { *b"Xen\0" } else { *b"GNU\0" });
    note.extend([0; 8]);
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    bytes[18] = 62;
    bytes[32] = 64;
    bytes[54] = 56;
    bytes[56] = 2;
    for (kind, offset, size) in [(1_u32, 0_u64, 176_u64), (4, 176, note.len() as u64)] {
        let start = bytes.len();
        bytes.resize(start + 56, 0);
        bytes[start..start + 4].copy_from_slice(&kind.to_le_bytes());
        bytes[start + 8..start + 16].copy_from_slice(&offset.to_le_bytes());
        bytes[start + 32..start + 40].copy_from_slice(&size.to_le_bytes());
    }
    bytes.extend(note);
    // Linux appends relocations; and packers have something to pack.
    bytes.resize(200_000, 7);
    bytes
}

/// A kernel image with this payload.
fn wrapped(packed: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    bytes[0x1f1] = 1;
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
    bytes[0x24c..0x250].copy_from_slice(&(packed.len() as u32).to_le_bytes());
    bytes.extend(packed);
    bytes
}

/// Packed by the tool with which Linux's build does it; nothing where it is not installed.
fn packed(tool: &[&str], content: &[u8]) -> Option<Vec<u8>> {
    let (program, arguments) = tool.split_first().unwrap();
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut input = child.stdin.take().unwrap();
    let content = content.to_vec();
    let (size, thread) = (content.len() as u32, std::thread::spawn(move || input.write_all(&content)));
    let mut output = child.wait_with_output().unwrap().stdout;
    thread.join().unwrap().unwrap();
    if *program != "gzip" {
        output.extend(size.to_le_bytes());
    }
    Some(output)
}

const TOOLS: [&[&str]; 4] = [
    &["gzip", "-n", "-9"],
    &["xz", "--check=crc32", "--x86", "--lzma2=dict=32MiB"],
    &["zstd", "-22", "--ultra", "-q"],
    &["lz4", "-l", "-9", "-q", "-", "-"],
];

#[test]
fn every_format_is_unpacked_once_and_then_found() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    for tool in TOOLS {
        let Some(packed) = packed(tool, &elf(true)) else {
            println!("SKIPPED: {} is not installed", tool[0]);
            continue;
        };
        let kernel = folder.path().join(tool[0]);
        fs::write(&kernel, wrapped(&packed)).unwrap();
        let made = uncompressed(&kernel, &cache).unwrap_or_else(|| panic!("{} was not unpacked", tool[0]));
        assert_eq!(fs::read(&made).unwrap(), elf(true), "{}", tool[0]);
        let inode = made.metadata().unwrap().ino();
        assert_eq!(uncompressed(&kernel, &cache), Some(made.clone()));
        assert_eq!(made.metadata().unwrap().ino(), inode, "it was not made anew");
        // Another content is another kernel, whatever its time says.
        let time = kernel.metadata().unwrap().modified().unwrap();
        fs::write(&kernel, wrapped(&packed)).unwrap();
        File::options().append(true).open(&kernel).unwrap().set_modified(time).unwrap();
        assert_ne!(uncompressed(&kernel, &cache), Some(made));
    }
    assert!(fs::read_dir(&cache).unwrap().count() <= KEPT);
}

#[test]
fn what_can_not_be_entered_directly_is_taken_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let kernel = folder.path().join("kernel");
    let gzip = |content: &[u8]| packed(TOOLS[0], content).unwrap();
    let cut = &gzip(&elf(true))[..200];
    let mut larger = gzip(&elf(true));
    let end = larger.len() - 4;
    larger[end..].copy_from_slice(&100_u32.to_le_bytes());
    for content in [
        wrapped(&gzip(&elf(false))),
        wrapped(&gzip(b"no program")),
        wrapped(&gzip(&elf(true)[..150])),
        wrapped(cut),
        wrapped(&larger),
        wrapped(b"LZO, which nobody unpacks here"),
        elf(true),
        b"text".to_vec(),
    ] {
        fs::write(&kernel, content).unwrap();
        assert_eq!(uncompressed(&kernel, &cache), None);
        assert_eq!(uncompressed(&kernel, &cache), None);
    }
    assert_eq!(uncompressed(folder.path(), &cache), None);
    let left = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    assert!(left.into_iter().all(|path| path.metadata().unwrap().len() == 0));
    // Nor is a cache used that is open to others, or can't be.
    assert_eq!(uncompressed(&kernel, Path::new("/proc/nowhere")), None);
}

#[test]
fn a_kernel_of_a_distribution_is_unpacked() {
    if !Path::new(DEBIAN).exists() {
        println!("SKIPPED: debian-installer-12-netboot-amd64 is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let made = uncompressed(DEBIAN.as_ref(), folder.path()).expect("it is packed with xz and has the entry");
    println!("unpacked in {:?}", begun.elapsed());
    assert!(made.metadata().unwrap().len() > 40 << 20);
}

/// Reads everything that is unpacked, up to a bound.
fn drained(bytes: &[u8]) {
    let mut file = Cursor::new(bytes);
    let Ok(Some(found)) = payload(&mut file, bytes.len() as u64) else { return };
    assert!(found.offset + found.length <= bytes.len() as u64);
    let packed = &bytes[found.offset as usize..][..found.length as usize];
    if let Ok(Some(mut unpacked)) = image::decoder(found.format, packed) {
        let deadline = Instant::now() + DEADLINE;
        let _ = copy(&mut unpacked, &mut io::sink(), 1 << 20, deadline);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_image_does_harm(mut bytes in prop::collection::vec(any::<u8>(), 0x250..0x800), sectors in 0..3_u8) {
        bytes[0x1f1] = sectors;
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x207] = 2;
        bytes[0x248..0x24c].fill(0);
        drained(&bytes);
    }

    #[test]
    fn no_payload_does_harm(
        format in 0..4_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let magic: [&[u8]; 4] = [
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\xfd7zXZ\0\0\x01\x69\x22\xde\x36", b"\x28\xb5\x2f\xfd",
            b"\x02\x21\x4c\x18",
        ];
        drained(&wrapped(&[magic[format], &noise, &[0; 16]].concat()));
        if let Some(mut packed) = PACKED[format].clone() {
            for (index, value) in flips {
                let at = index.index(packed.len());
                packed[at] = value;
            }
            drained(&wrapped(&packed));
        }
    }

    #[test]
    fn no_program_does_harm(flips in prop::collection::vec((0..300_usize, any::<u8>()), 1..20), cut in 0..300_usize) {
        let mut bytes = elf(true);
        for (at, value) in flips {
            bytes[at] = value;
        }
        let _ = elf::starts_by_itself(&mut Cursor::new(&bytes), bytes.len() as u64);
        let _ = elf::starts_by_itself(&mut Cursor::new(&bytes[..cut]), cut as u64);
    }
}

static PACKED: std::sync::LazyLock<[Option<Vec<u8>>; 4]> =
    std::sync::LazyLock::new(|| TOOLS.map(|tool| packed(tool, &elf(true))));

#[test]
fn the_formats_are_told_apart() {
    let formats = [Format::Gzip, Format::Xz, Format::Zstd, Format::Lz4];
    for (packed, format) in PACKED.iter().zip(formats) {
        let Some(packed) = packed else { continue };
        let bytes = wrapped(packed);
        let found = payload(&mut Cursor::new(&bytes), bytes.len() as u64).unwrap().unwrap();
        assert_eq!((found.format, found.unpacked), (format, 200_000));
    }
}
