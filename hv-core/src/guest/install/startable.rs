//! Whether a machine could start from a disk, by what stands at the disk's beginning. Pure.
//!
//! An installer makes partitions long before it has a system on them, so a partition table says nothing. Traditional
//! firmware needs code in the first sector, and where that is code which only looks for the active partition, code in
//! there; UEFI needs a folder `EFI` in its partition. What is read is hostile.

use hv_api::Firmware;

/// The size of a sector of all virtual disks.
const SECTOR: u64 = 512;

/// What is read first, in bytes: the first sector, the header of a GPT, and its usual entries.
const BEGINNING: usize = 34 * SECTOR as usize;

/// The most entries of a GPT that are looked at: more are never made.
const MOST_ENTRIES: usize = 128;

/// The most of the root folder of UEFI's partition that is looked at, in bytes.
const ROOT: usize = 16 << 10;

/// The type of UEFI's partition, as it stands in a GPT.
const EFI_SYSTEM: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];

/// How the first sector begins that GNU Parted writes with each partition table, long before anything can start: it
/// looks for the active partition.
const OF_PARTED: [u8; 6] = [0xfa, 0xb8, 0x00, 0x10, 0x8e, 0xd0];

/// Reads from a disk: so many bytes from this offset; nothing where they can't be read.
pub trait Look {
    /// The bytes, all of them.
    fn read(&mut self, offset: u64, length: usize) -> impl Future<Output = Option<Vec<u8>>>;
}

/// Whether a machine with this firmware could start from the disk; nothing where it can't be read at all.
pub async fn is_startable(disk: &mut impl Look, firmware: Firmware) -> Option<bool> {
    let beginning = disk.read(0, BEGINNING).await?;
    let found = match firmware {
        Firmware::Bios => by_code(disk, &beginning).await,
        Firmware::Uefi => by_folder(disk, &beginning).await,
    };
    Some(found == Some(true))
}

async fn by_code(disk: &mut impl Look, beginning: &[u8]) -> Option<bool> {
    let first = beginning.get(..SECTOR as usize)?;
    if !is_signed(first) || first[..440].iter().all(|byte| *byte == 0) {
        return Some(false);
    }
    if !first.starts_with(&OF_PARTED) {
        return Some(true);
    }
    let active = partitions(first).find(|(entry, _)| entry[0] & 0x80 != 0);
    let Some((_, start)) = active else { return Some(false) };
    let sector = disk.read(start.checked_mul(SECTOR)?, SECTOR as usize).await?;
    Some(is_signed(&sector))
}

fn is_signed(sector: &[u8]) -> bool {
    sector.get(510..512) == Some(&[0x55, 0xaa])
}

/// The four entries of a first sector, each with the sector at which its partition begins.
fn partitions(first: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    let entries = first.get(446..510).unwrap_or_default().chunks_exact(16);
    entries.filter_map(|entry| Some((entry, u64::from(u32::from_le_bytes(*entry[8..].first_chunk()?)))))
}

async fn by_folder(disk: &mut impl Look, beginning: &[u8]) -> Option<bool> {
    let start = efi_partition(beginning)?;
    let place = start.checked_mul(SECTOR)?;
    let boot = disk.read(place, SECTOR as usize).await?;
    let (root, length) = fat_root(&boot)?;
    let root = disk.read(place.checked_add(root)?, length).await?;
    let is_efi = |entry: &[u8]| entry[..11] == *b"EFI        " && entry[11] & 0x10 != 0;
    Some(root.chunks_exact(32).any(is_efi))
}

/// The sector at which UEFI's partition begins, by the GPT or else by the first sector.
fn efi_partition(beginning: &[u8]) -> Option<u64> {
    let header = beginning.get(SECTOR as usize..)?;
    if !header.starts_with(b"EFI PART") {
        let first = beginning.get(..SECTOR as usize).filter(|first| is_signed(first))?;
        return partitions(first).find(|(entry, _)| entry[4] == 0xef).map(|(_, start)| start);
    }
    let at = u64::from_le_bytes(*header.get(72..)?.first_chunk()?);
    let size = u32::from_le_bytes(*header.get(84..)?.first_chunk()?) as usize;
    if size < 128 {
        return None;
    }
    let entries = beginning.get(usize::try_from(at).ok()?.checked_mul(SECTOR as usize)?..)?;
    let mut entries = entries.chunks_exact(size).take(MOST_ENTRIES);
    let entry = entries.find(|entry| entry.starts_with(&EFI_SYSTEM))?;
    Some(u64::from_le_bytes(*entry.get(32..)?.first_chunk()?))
}

/// Where in a FAT file system its root folder begins, by its first sector, and how much of that is to be read.
fn fat_root(boot: &[u8]) -> Option<(u64, usize)> {
    let word = |at: usize| Some(u64::from(u16::from_le_bytes(*boot.get(at..)?.first_chunk()?)));
    let long = |at: usize| Some(u64::from(u32::from_le_bytes(*boot.get(at..)?.first_chunk()?)));
    if !is_signed(boot) {
        return None;
    }
    let (sector, cluster) = (word(11)?, u64::from(*boot.get(13)?));
    let (reserved, tables, entries) = (word(14)?, u64::from(*boot.get(16)?), word(17)?);
    if !matches!(sector, 512 | 1024 | 2048 | 4096) || cluster == 0 || !(1..=2).contains(&tables) {
        return None;
    }
    let (table, first, length) = match word(22)? {
        // FAT32: its root is a file like others; the first cluster has number 2.
        0 => (long(36)?, long(44)?.checked_sub(2)?, cluster * sector),
        table => (table, 0, entries * 32),
    };
    let data = tables.checked_mul(table)?.checked_add(reserved)?.checked_mul(sector)?;
    let place = first.checked_mul(cluster * sector)?.checked_add(data)?;
    Some((place, usize::try_from(length).ok()?.min(ROOT)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use proptest::prelude::*;

    struct Bytes(Vec<u8>);

    impl Look for Bytes {
        async fn read(&mut self, offset: u64, length: usize) -> Option<Vec<u8>> {
            let mut bytes = self.0.get(usize::try_from(offset).ok()?..)?.to_vec();
            bytes.resize(length, 0);
            Some(bytes)
        }
    }

    fn starts(disk: &[u8], firmware: Firmware) -> bool {
        is_startable(&mut Bytes(disk.to_vec()), firmware).now_or_never().unwrap() == Some(true)
    }

    fn disk() -> Vec<u8> {
        let mut disk = vec![0; 1 << 20];
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        disk
    }

    fn with_partition(kind: u8, active: bool, sector: u32) -> Vec<u8> {
        let mut disk = disk();
        disk[446] = if active { 0x80 } else { 0 };
        disk[450] = kind;
        disk[454..458].copy_from_slice(&sector.to_le_bytes());
        disk
    }

    #[test]
    fn a_disk_with_partitions_alone_does_not_start() {
        assert!(!starts(&vec![0; 1 << 20], Firmware::Bios));
        assert!(!starts(&[], Firmware::Bios));
        let mut disk = with_partition(0x83, true, 64);
        assert!(!starts(&disk, Firmware::Bios), "no code");
        disk[..6].copy_from_slice(&OF_PARTED);
        assert!(!starts(&disk, Firmware::Bios), "Parted's code, and nothing in the partition");
        disk[64 * 512 + 510..][..2].copy_from_slice(&[0x55, 0xaa]);
        assert!(starts(&disk, Firmware::Bios), "a boot sector in the active partition");
        disk[446] = 0;
        assert!(!starts(&disk, Firmware::Bios), "it is not active");
        disk[..4].copy_from_slice(&[0xeb, 0x63, 0x90, 0x10]);
        assert!(starts(&disk, Firmware::Bios), "a boot loader's code");
        assert!(!starts(&disk, Firmware::Uefi));
    }

    #[test]
    fn uefi_starts_from_a_folder_in_its_partition() {
        for (gpt, wide) in [(false, false), (false, true), (true, true)] {
            let mut disk = with_partition(if gpt { 0xee } else { 0xef }, false, 64);
            if gpt {
                disk[454] = 1;
                disk[512..520].copy_from_slice(b"EFI PART");
                disk[512 + 72] = 2;
                disk[512 + 84] = 128;
                disk[1024 + 128..][..16].copy_from_slice(&EFI_SYSTEM);
                disk[1024 + 128 + 32] = 64;
            }
            assert!(!starts(&disk, Firmware::Uefi), "not even formatted");
            let boot = &mut disk[64 * 512..];
            boot[510..512].copy_from_slice(&[0x55, 0xaa]);
            boot[11..13].copy_from_slice(&512_u16.to_le_bytes());
            (boot[13], boot[14], boot[16]) = (1, 1, 2);
            let root = if wide {
                (boot[36], boot[44]) = (4, 5);
                1 + 2 * 4 + 3
            } else {
                (boot[17], boot[22]) = (16, 4);
                1 + 2 * 4
            };
            assert!(!starts(&disk, Firmware::Uefi), "formatted only");
            disk[(64 + root) * 512 + 32..][..12].copy_from_slice(b"EFI        \x10");
            assert!(starts(&disk, Firmware::Uefi), "gpt {gpt}, wide {wide}");
            assert!(!starts(&disk, Firmware::Bios));
        }
    }

    proptest! {
        /// Whatever a guest has written there, the look at it comes to an end.
        #[test]
        fn no_disk_does_any_harm(
            mut head in prop::collection::vec(any::<u8>(), 2048..4096), boot in prop::collection::vec(any::<u8>(), 512),
            gpt: bool, at in 0..8_u8,
        ) {
            head.resize(8192, 0);
            head[510..512].copy_from_slice(&[0x55, 0xaa]);
            if gpt {
                head[512..520].copy_from_slice(b"EFI PART");
                head[512 + 72..][..8].copy_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
                head[512 + 84..][..4].copy_from_slice(&[128, 0, 0, 0]);
                head[1024..1040].copy_from_slice(&EFI_SYSTEM);
                head[1056..1064].copy_from_slice(&[at, 0, 0, 0, 0, 0, 0, 0]);
                head.splice(usize::from(at) * 512.., boot);
            }
            starts(&head, Firmware::Bios);
            starts(&head, Firmware::Uefi);
        }
    }
}
