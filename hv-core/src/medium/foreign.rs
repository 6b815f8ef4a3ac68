//! Disk images of other programs, which are read and not written: VMDK, VDI, VHDX and VHD (`vpc`).

use super::{field, read_at};
use hv_api::ByteSize;
use std::io::{self, Read, Seek};

/// The unit in which most of them count, in bytes.
const SECTOR: u64 = 512;

/// A disk image of another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Its format, by the engine's name.
    pub format: &'static str,
    /// The size that a guest would see, where it stands at the image's start or end.
    pub virtual_size: Option<ByteSize>,
    /// True where its content may be partly in another file that it names. Such a file could name any file of this
    /// user.
    pub needs_other_file: bool,
}

/// What image of another program a file of `length` bytes is; nothing where it is none.
///
/// # Errors
/// Where reading fails. A file that ends early, or that makes no sense, is not an error.
pub fn foreign(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<Foreign>> {
    let head = read_at::<512>(file, 0)?;
    let plain = |format, virtual_size| Foreign { format, virtual_size, needs_other_file: false };
    let found = if head.starts_with(b"KDMV") {
        Some(vmdk(file, &head)?)
    } else if head.starts_with(b"# Disk DescriptorFile") || head.starts_with(b"COWD") {
        Some(Foreign { needs_other_file: true, ..plain("vmdk", None) })
    } else if field(&head, 64) == Some(0xbeda_107f_u32.to_le_bytes()) {
        Some(plain("vdi", field(&head, 368).map(u64::from_le_bytes).map(ByteSize::bytes)))
    } else if head.starts_with(b"vhdxfile") {
        // How large it is stands in tables within tables.
        Some(plain("vhdx", None))
    } else {
        let footer = match length.checked_sub(SECTOR) {
            Some(footer) if !head.starts_with(b"conectix") => read_at::<512>(file, footer)?,
            _ => head,
        };
        footer.starts_with(b"conectix").then(|| vhd(&footer))
    };
    Ok(found)
}

fn vmdk(file: &mut (impl Read + Seek), head: &[u8]) -> io::Result<Foreign> {
    let number = |offset| field(head, offset).map(u64::from_le_bytes);
    let capacity = number(12).unwrap_or_default();
    // Without any data of its own it only describes where that is.
    let mut needs_other_file = capacity == 0;
    if let Some(place) = number(28).filter(|place| *place != 0).and_then(|place| place.checked_mul(SECTOR)) {
        let text = read_at::<2048>(file, place)?.to_ascii_lowercase();
        let says = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
        let whole = says(b"createtype=\"monolithicsparse\"") || says(b"createtype=\"streamoptimized\"");
        needs_other_file |= !whole || !says(b"parentcid=ffffffff") || says(b"parentfilenamehint");
    }
    let virtual_size = capacity.checked_mul(SECTOR).map(ByteSize::bytes);
    Ok(Foreign { format: "vmdk", virtual_size, needs_other_file })
}

fn vhd(footer: &[u8]) -> Foreign {
    const DIFFERENCING: u32 = 4;
    let kind = field(footer, 60).map(u32::from_be_bytes);
    Foreign {
        format: "vpc",
        virtual_size: field(footer, 48).map(u64::from_be_bytes).map(ByteSize::bytes),
        needs_other_file: kind == Some(DIFFERENCING),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;
    use std::process::Command;

    fn look(bytes: Vec<u8>) -> Option<Foreign> {
        let length = bytes.len() as u64;
        foreign(&mut Cursor::new(bytes), length).unwrap()
    }

    /// What QEMU's own tool makes is recognised.
    #[test]
    fn images_of_other_programs_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        for (format, options, expected) in [
            ("vmdk", "subformat=monolithicSparse", Some(("vmdk", true, false))),
            ("vmdk", "subformat=streamOptimized", Some(("vmdk", true, false))),
            ("vmdk", "subformat=monolithicFlat", Some(("vmdk", false, true))),
            ("vdi", "static=off", Some(("vdi", true, false))),
            ("vhdx", "subformat=dynamic", Some(("vhdx", false, false))),
            ("vpc", "subformat=dynamic,force_size=on", Some(("vpc", true, false))),
            ("vpc", "subformat=fixed,force_size=on", Some(("vpc", true, false))),
            ("qcow2", "compat=1.1", None),
        ] {
            let path = folder.path().join(format);
            let mut tool = Command::new("qemu-img");
            tool.args(["create", "-q", "-f", format, "-o", options]).arg(&path).arg("4M");
            assert!(tool.status().unwrap().success(), "{format}: {options}");
            let found = look(std::fs::read(&path).unwrap());
            let told = found.map(|found| {
                let size = found.virtual_size == Some(ByteSize::mib(4));
                (found.format, size, found.needs_other_file)
            });
            assert_eq!(told, expected, "{options}");
        }
    }

    #[test]
    fn an_image_that_names_a_parent_is_known_by_it() {
        let mut image = vec![0; 4096];
        image[..4].copy_from_slice(b"KDMV");
        image[12] = 8;
        image[28] = 1;
        let text = b"parentCID=12345678\nparentFileNameHint=\"/etc/passwd\"\ncreateType=\"monolithicSparse\"";
        image[512..512 + text.len()].copy_from_slice(text);
        assert!(look(image).unwrap().needs_other_file);
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_can_do_harm(
            start in prop::sample::select(vec!["KDMV", "vhdxfile", "conectix", "", "COWD"]),
            rest in prop::collection::vec(any::<u8>(), 0..1500),
        ) {
            let _ = look([start.as_bytes(), &rest].concat());
        }
    }
}
