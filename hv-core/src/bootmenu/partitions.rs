//! The partitions of a disk, by its GPT or MBR.
//!
//! Numbers are those that systems give them, from 1; logical ones begin at 5. A table says where its partitions are,
//! and may say anything: what lies outside of the disk is left out, lists are bounded, and a chain of logical partitions
//! that does not go forward ends. Partitions that overlap do no harm, as each is only read.

use super::bytes::{Bytes, Disk, Part};
use crate::medium::{u32_at, u64_at};
use std::rc::Rc;

/// The most partitions that are looked at.
const MOST: usize = 128;

const SECTOR: u64 = 512;

/// One partition.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Its number; nothing where the disk has no table and is a file system as a whole.
    pub number: Option<u32>,
    /// Whether it is marked as the one to start from.
    pub active: bool,
    /// Its bytes.
    pub part: Part,
}

/// All partitions, in the order of their numbers; the disk itself where it has no table.
pub fn read(disk: &Rc<Disk>) -> Vec<Partition> {
    let whole = Part::new(disk, 0, disk.length());
    let found = gpt(&whole, SECTOR).or_else(|| gpt(&whole, 4096)).or_else(|| mbr(&whole));
    match found {
        Some(found) if !found.is_empty() => found,
        _ => vec![Partition { number: None, active: false, part: whole }],
    }
}

fn gpt(whole: &Part, sector: u64) -> Option<Vec<Partition>> {
    /// The least and the most that an entry has.
    const ENTRY: std::ops::RangeInclusive<u32> = 128..=4096;
    let header: [u8; 92] = whole.take(sector)?;
    if !header.starts_with(b"EFI PART") {
        return None;
    }
    let (entries, count, size) = (u64_at(&header, 72), u32_at(&header, 80), u32_at(&header, 84));
    if !ENTRY.contains(&size) {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    for number in 0..count.min(MOST as u32) {
        let place = entries.checked_mul(sector)?.checked_add(u64::from(number) * u64::from(size))?;
        let Some(entry) = whole.take::<128>(place) else { break };
        let (first, last) = (u64_at(&entry, 32), u64_at(&entry, 40));
        let range = first
            .checked_mul(sector)
            .zip((last.checked_sub(first)).and_then(|n| (n + 1).checked_mul(sector)));
        let Some((start, length)) = range.filter(|_| entry[..16] != [0; 16] && first > 0) else { continue };
        if start >= whole.length() {
            continue;
        }
        // “Legacy BIOS bootable”.
        let active = u64_at(&entry, 48) & 4 != 0;
        let part = Part::new(whole.disk(), start, length);
        found.push(Partition { number: Some(number + 1), active, part });
    }
    Some(found)
}

/// Kinds of partitions that hold others.
fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0f | 0x85)
}

fn mbr(whole: &Part) -> Option<Vec<Partition>> {
    let head: [u8; 512] = whole.take(0)?;
    if head[510..] != [0x55, 0xaa] {
        return None;
    }
    let entries: Vec<[u8; 16]> =
        (0..4).filter_map(|index| head[446 + 16 * index..].first_chunk().copied()).collect();
    // The first sector of a file system ends alike; there, these are not entries.
    let sensible = |entry: &[u8; 16]| {
        let (kind, start, count) = (entry[4], u32_at(entry, 8), u32_at(entry, 12));
        matches!(entry[0], 0 | 0x80) && (kind == 0 || (start > 0 && count > 0))
    };
    if !entries.iter().all(sensible) || entries.iter().all(|entry| entry[4] == 0) {
        return None;
    }
    let mut found = Vec::new();
    let mut extended = None;
    let mut add = |number: u32, active: bool, start: u64, count: u32| {
        let start = start * SECTOR;
        if start < whole.length() && found.len() < MOST {
            let part = Part::new(whole.disk(), start, u64::from(count) * SECTOR);
            found.push(Partition { number: Some(number), active, part });
        }
    };
    for (number, entry) in (1..).zip(&entries) {
        let (start, count) = (u32_at(entry, 8), u32_at(entry, 12));
        match entry[4] {
            0 => {}
            kind if is_extended(kind) => extended = extended.or(Some(u64::from(start))),
            _ => add(number, entry[0] == 0x80, start.into(), count),
        }
    }
    let Some(first) = extended else { return Some(found) };
    let (mut table, mut number) = (first, 5);
    while number < MOST as u32 {
        let Some(head) = whole.take::<512>(table * SECTOR) else { break };
        if head[510..] != [0x55, 0xaa] {
            break;
        }
        let (one, next) = (&head[446..462], &head[462..478]);
        if one[4] != 0 && !is_extended(one[4]) {
            add(number, one[0] == 0x80, table + u64::from(u32_at(one, 8)), u32_at(one, 12));
            number += 1;
        }
        let next = first + u64::from(u32_at(next, 8));
        // Only forward: such a list has an end.
        if !is_extended(head[462 + 4]) || next <= table {
            break;
        }
        table = next;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_bytes(bytes: Vec<u8>) -> Vec<(Option<u32>, bool, u64)> {
        let disk = Disk::new(Box::new(bytes), None);
        read(&disk).into_iter().map(|one| (one.number, one.active, one.part.length())).collect()
    }

    fn entry(kind: u8, start: u32, count: u32) -> [u8; 16] {
        let mut entry = [0; 16];
        entry[4] = kind;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..].copy_from_slice(&count.to_le_bytes());
        entry
    }

    fn put(disk: &mut [u8], sector: usize, index: usize, entry: [u8; 16]) {
        let start = sector * 512 + 446 + 16 * index;
        disk[start..start + 16].copy_from_slice(&entry);
        disk[sector * 512 + 510..sector * 512 + 512].copy_from_slice(&[0x55, 0xaa]);
    }

    #[test]
    fn logical_partitions_begin_at_five_and_a_loop_of_them_ends() {
        let mut disk = vec![0; 100 * 512];
        put(&mut disk, 0, 0, entry(0x83, 1, 9));
        put(&mut disk, 0, 2, entry(0x05, 20, 60));
        put(&mut disk, 20, 0, entry(0x83, 1, 9));
        put(&mut disk, 20, 1, entry(0x05, 20, 10));
        put(&mut disk, 40, 0, entry(0x82, 1, 5));
        // Back to the first.
        put(&mut disk, 40, 1, entry(0x05, 0, 10));
        disk[446] = 0x80;
        let sizes = [(Some(1), true, 9 * 512), (Some(5), false, 9 * 512), (Some(6), false, 5 * 512)];
        assert_eq!(read_bytes(disk), sizes);
    }

    #[test]
    fn what_lies_outside_is_left_out_or_cut() {
        let mut disk = vec![0; 100 * 512];
        put(&mut disk, 0, 0, entry(0x83, 90, u32::MAX));
        put(&mut disk, 0, 1, entry(0x83, u32::MAX, 10));
        assert_eq!(read_bytes(disk), [(Some(1), false, 10 * 512)]);
    }

    #[test]
    fn a_gpt_is_read_and_its_claims_are_bounded() {
        let mut disk = vec![0; 200 * 512];
        disk[512..520].copy_from_slice(b"EFI PART");
        disk[512 + 72] = 2;
        disk[512 + 80..512 + 84].copy_from_slice(&u32::MAX.to_le_bytes());
        disk[512 + 84..512 + 88].copy_from_slice(&128_u32.to_le_bytes());
        let second = 2 * 512 + 128;
        disk[second..second + 16].fill(7);
        disk[second + 32] = 40;
        disk[second + 40] = 49;
        disk[second + 48] = 4;
        assert_eq!(read_bytes(disk), [(Some(2), true, 10 * 512)]);
    }

    #[test]
    fn a_disk_without_a_table_is_one_file_system() {
        assert_eq!(read_bytes(vec![0; 4096]), [(None, false, 4096)]);
        assert_eq!(read_bytes(Vec::new()), [(None, false, 0)]);
    }

    proptest! {
        #[test]
        fn no_table_does_harm(start in prop::collection::vec(any::<u8>(), 512), rest in prop::collection::vec(any::<u8>(), 0..4096)) {
            let mut disk = start;
            disk[510] = 0x55;
            disk[511] = 0xaa;
            for index in 0..4 {
                disk[446 + 16 * index] &= 0x80;
            }
            disk.extend(rest);
            let length = disk.len() as u64;
            for (_, _, size) in read_bytes(disk.clone()) {
                prop_assert!(size <= length);
            }
            disk.resize(1024, 0);
            disk[512..520].copy_from_slice(b"EFI PART");
            let _ = read_bytes(disk);
        }
    }
}
