//! Disk images: qcow2 by its header, raw ones by the partition table or boot sector at their start.
//!
//! Other formats of disk images (VMDK, VDI, VHD …) are not disk images to us, even where they would
//! pass for a raw one: the guest would see the container instead of the disk.

use super::{Facts, ImageFormat, field, read_at};
use hv_api::{ByteSize, MediumKind};
use std::io::{self, Read, Seek};

/// The unit in which QEMU counts disks, in bytes.
const SECTOR: u64 = 512;

/// The disk image in the file; nothing where it is none.
pub(super) fn read(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<Facts>> {
    let head = read_at::<1024>(file, 0)?;
    if let Some(facts) = qcow2(&head, length) {
        return Ok(Some(facts));
    }
    if !looks_raw(&head) || ends_as_vhd(file, length)? {
        return Ok(None);
    }
    Ok(Some(Facts {
        kind: MediumKind::DiskImage,
        format: Some(ImageFormat::Raw),
        virtual_size: length.checked_next_multiple_of(SECTOR).map(ByteSize::bytes),
        ..Facts::unknown(length)
    }))
}

fn qcow2(head: &[u8], length: u64) -> Option<Facts> {
    /// The image keeps its data in a file beside it.
    const EXTERNAL_DATA: u64 = 1 << 2;

    if field(head, 0)? != *b"QFI\xfb" {
        return None;
    }
    let version = u32::from_be_bytes(field(head, 4)?);
    let backing_file = u64::from_be_bytes(field(head, 8)?);
    let cluster_bits = u32::from_be_bytes(field(head, 20)?);
    let virtual_size = u64::from_be_bytes(field(head, 24)?);
    let incompatible = match version {
        2 => 0,
        3 => u64::from_be_bytes(field(head, 72)?),
        _ => return None,
    };
    // Beyond these QEMU refuses the image.
    if !(9..=21).contains(&cluster_bits) || i64::try_from(virtual_size).is_err() {
        return None;
    }
    Some(Facts {
        kind: MediumKind::DiskImage,
        format: Some(ImageFormat::Qcow2),
        virtual_size: Some(ByteSize::bytes(virtual_size)),
        needs_other_file: backing_file != 0 || incompatible & EXTERNAL_DATA != 0,
        ..Facts::unknown(length)
    })
}

fn looks_raw(head: &[u8]) -> bool {
    // A Linux kernel begins with a boot sector too, one that only says that it can't be started so.
    let is_kernel = field(head, 0x202) == Some(*b"HdrS");
    let is_vdi = field(head, 64) == Some(0xbeda_107f_u32.to_le_bytes());
    let has_boot_sector = field(head, 510) == Some([0x55, 0xaa]);
    let has_gpt = field(head, 512) == Some(*b"EFI PART");
    has_gpt || has_boot_sector && !is_kernel && !is_vdi
}

/// A VHD of fixed size is a raw image with a footer.
fn ends_as_vhd(file: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    let Some(footer) = length.checked_sub(SECTOR) else {
        return Ok(false);
    };
    Ok(read_at::<8>(file, footer)? == b"conectix")
}
