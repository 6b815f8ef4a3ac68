//! The partition table that is made for a partial disk: each entry as it is on the physical disk, in a table that has
//! no others.
//!
//! Where the physical disk itself can be read, its own entries are taken over; else what udev wrote down of them, which
//! anybody may read; else something that fits. Everything that is read is only copied into the table, and bounded.

use crate::host::block::{Block, Record, SECTOR};
use crate::medium::{u32_at, u64_at};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use uuid::Uuid;

/// The last partition that an MBR has room for without a chain of others.
const LAST_PRIMARY: u32 = 4;

/// The attribute by which a GPT says so.
const LEGACY_BIOS_BOOTABLE: u64 = 4;

/// How many entries a GPT has.
const ENTRIES: u32 = 128;

/// How long each of them is, in bytes.
const ENTRY: usize = 128;

/// How long a GPT is after its first sector, in sectors: a header, and the entries.
const GPT: u64 = 1 + ENTRIES as u64 * ENTRY as u64 / SECTOR;

/// Places that can be read and written.
pub trait Sectors {
    /// Reads all of it.
    fn read(&self, place: u64, into: &mut [u8]) -> io::Result<()>;
    /// Writes all of it.
    fn write(&self, place: u64, bytes: &[u8]) -> io::Result<()>;
}

/// A partition in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: u32,
    /// Where it begins, in sectors of 512 bytes.
    pub start: u64,
    /// How long it is, in the same.
    pub sectors: u64,
    /// Whether firmware of the traditional kind starts from it.
    pub active: bool,
    /// What it is, as an MBR says.
    pub kind: u8,
    /// What else a GPT says of it.
    pub gpt: GptEntry,
}

/// What a GPT says of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GptEntry {
    /// What it is.
    pub kind: Uuid,
    /// Which it is.
    pub id: Uuid,
    /// Its attributes.
    pub attributes: u64,
    /// Its name, in UTF-16.
    pub name: [u16; 36],
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The identity of a disk with a GPT; nothing for one with an MBR.
    pub gpt: Option<Uuid>,
    /// The identity of a disk with an MBR.
    pub signature: u32,
    /// The partitions.
    pub entries: Vec<Entry>,
}

/// What a kind of partition is called in an MBR and in a GPT.
const KINDS: [(u8, Uuid); 7] = [
    (0x83, Uuid::from_u128(0x0fc6_3daf_8483_4772_8e79_3d69_d847_7de4)),
    (0x82, Uuid::from_u128(0x0657_fd6d_a4ab_43c4_84e5_0933_c84b_4f4f)),
    (0x07, Uuid::from_u128(0xebd0_a0a2_b9e5_4433_87c0_68b6_b726_99c7)),
    (0xef, Uuid::from_u128(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b)),
    (0x8e, Uuid::from_u128(0xe6d6_d379_f507_44c2_a23c_238f_2a3d_f928)),
    (0xfd, Uuid::from_u128(0xa19d_880f_05fc_4d3b_a006_743f_0f84_911e)),
    (0x0c, Uuid::from_u128(0xebd0_a0a2_b9e5_4433_87c0_68b6_b726_99c7)),
];

/// Starts from a partition: goes to `0x600`, reads the partition's first sector to `0x7c00`, and jumps there, or says that
/// it is none to start from. The rest of the boot record is patched into it: where the partition is, and which entry of the
/// table. A test assembles it anew where there is an assembler.
const BOOT_CODE: [u8; 86] = [
    0x31, 0xc0, // xor ax, ax
    0x8e, 0xd0, 0xbc, 0x00, 0x7c, // mov ss, ax; mov sp, 0x7c00
    0x8e, 0xd8, 0x8e, 0xc0, 0xfc, // mov ds, ax; mov es, ax; cld
    0xbe, 0x00, 0x7c, 0xbf, 0x00, 0x06, 0xb9, 0x00, 0x01, 0xf3, 0xa5, // copy 256 words
    0xea, 0x1c, 0x06, 0x00, 0x00, // jmp 0:0x61c
    0xbe, 0x46, 0x06, 0xb4, 0x42, 0xcd, 0x13, // mov si, packet; mov ah, 0x42; int 0x13
    0x72, 0x10, // jc fail
    0x81, 0x3e, 0xfe, 0x7d, 0x55, 0xaa, 0x75, 0x08, // cmp word [0x7dfe], 0xaa55; jne fail
    0xbe, 0xbe, 0x07, 0xea, 0x00, 0x7c, 0x00, 0x00, // mov si, entry; jmp 0:0x7c00
    0xbe, 0x56, 0x06, 0xac, 0x84, 0xc0, 0x74, 0xfe, // fail: mov si, text; lodsb; test al, al; jz .
    0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10, 0xeb, 0xf2, // mov ah, 0x0e; mov bx, 7; int 0x10; next
    0x10, 0x00, 0x01, 0x00, 0x00, 0x7c, 0x00, 0x00, // packet: one sector to 0:0x7c00
    0, 0, 0, 0, 0, 0, 0, 0, // from this sector
];

/// Where in it the number of the partition's entry is, as a place in memory.
const BOOT_ENTRY: usize = 0x2e;

/// Where in it the partition's first sector is.
const BOOT_SECTOR: usize = 0x4e;

/// What it says in vain.
const BOOT_TEXT: &[u8] = b"There is no boot loader on this partition itself.\r\n\
    If it holds a Linux, let its kernel be started: hv set GUEST kernel-disk=disk0\r\n\0";

/// Where the table begins in an MBR.
const MBR_TABLE: usize = 446;

impl Table {
    /// The table for these partitions of a physical disk.
    pub fn of(whole: &Block, partitions: &[Block]) -> Self {
        let device = File::open(whole.device()).ok();
        let read = |place: u64, into: &mut [u8]| {
            device.as_ref().is_some_and(|device| device.read_exact_at(into, place).is_ok())
        };
        Self::made(whole, partitions, &read)
    }

    fn made(whole: &Block, partitions: &[Block], read: &Read<'_>) -> Self {
        let record = whole.record();
        let mut mbr = [0; SECTOR as usize];
        let has_mbr = read(0, &mut mbr) && mbr[510..] == [0x55, 0xaa];
        let sector = sector_of(whole);
        let header = gpt_header(sector, read);
        let is_gpt = header.is_some() || record.get("ID_PART_TABLE_TYPE").as_deref() == Some("gpt");
        let entries: Vec<Entry> = partitions
            .iter()
            .filter_map(|block| {
                let number = block.partition?;
                let usual = Entry::usual(block, number, &block.record());
                let found = match &header {
                    Some(header) => usual.clone().with_gpt(header, sector, read),
                    None if has_mbr && !is_gpt => usual.clone().with_mbr(&mbr),
                    None => None,
                };
                Some(found.unwrap_or(usual))
            })
            .collect();
        let fits = entries.iter().all(|entry| entry.number <= LAST_PRIMARY && entry.fits_in_mbr());
        let told = record.get("ID_PART_TABLE_UUID");
        let id = header.map(|header| uuid_at(&header, 56)).or_else(|| told.as_deref()?.parse().ok());
        let signature = u32_at(&mbr, 440);
        let signature = (has_mbr && signature != 0)
            .then_some(signature)
            .or_else(|| u32::from_str_radix(told.as_deref()?, 16).ok())
            .unwrap_or_else(|| made_up(whole, 0).as_u128() as u32);
        let gpt = (is_gpt || !fits).then(|| id.unwrap_or_else(|| made_up(whole, 0)));
        Self { gpt, signature, entries }
    }

    /// How many sectors it takes up before the first partition.
    pub fn room(&self) -> u64 {
        1 + if self.gpt.is_some() { GPT } else { 0 }
    }

    /// Writes it to a disk of this many sectors. A boot loader that the guest has put into the first sector stays there.
    pub fn write(&self, sectors: u64, disk: &impl Sectors) -> io::Result<()> {
        let mut first = [0; SECTOR as usize];
        disk.read(0, &mut first)?;
        let is_ours = first.starts_with(&BOOT_CODE[..BOOT_ENTRY]);
        if is_ours || first[..MBR_TABLE].iter().all(|byte| *byte == 0) {
            self.put_boot_code(&mut first);
        }
        first[MBR_TABLE..510].fill(0);
        if let Some(id) = self.gpt {
            put_mbr_entry(&mut first, 0, (0xee, false), (1, sectors - 1));
            let entries = self.gpt_entries();
            let last = sectors - 1;
            disk.write(SECTOR, &header(id, (1, last), 2, sectors, &entries))?;
            disk.write(2 * SECTOR, &entries)?;
            disk.write((last - GPT + 1) * SECTOR, &entries)?;
            disk.write(last * SECTOR, &header(id, (last, 1), last - GPT + 1, sectors, &entries))?;
        } else {
            first[440..444].copy_from_slice(&self.signature.to_le_bytes());
            for entry in &self.entries {
                let index = entry.number.saturating_sub(1) as usize;
                put_mbr_entry(&mut first, index, (entry.kind, entry.active), (entry.start, entry.sectors));
            }
        }
        first[510..].copy_from_slice(&[0x55, 0xaa]);
        disk.write(0, &first)
    }

    fn put_boot_code(&self, first: &mut [u8; SECTOR as usize]) {
        let started = self.entries.iter().find(|entry| entry.is_started()).or(self.entries.first());
        let Some(entry) = started else { return };
        first[..BOOT_CODE.len()].copy_from_slice(&BOOT_CODE);
        let index = if self.gpt.is_some() { 0 } else { entry.number.saturating_sub(1) };
        let place = 0x600 + MBR_TABLE as u32 + 16 * index.min(LAST_PRIMARY - 1);
        first[BOOT_ENTRY..BOOT_ENTRY + 2].copy_from_slice(&(place as u16).to_le_bytes());
        first[BOOT_SECTOR..BOOT_SECTOR + 8].copy_from_slice(&entry.start.to_le_bytes());
        first[BOOT_CODE.len()..BOOT_CODE.len() + BOOT_TEXT.len()].copy_from_slice(BOOT_TEXT);
    }

    fn gpt_entries(&self) -> Vec<u8> {
        let mut bytes = vec![0; ENTRIES as usize * ENTRY];
        for entry in &self.entries {
            let place = entry.number.saturating_sub(1) as usize * ENTRY;
            let Some(bytes) = bytes.get_mut(place..place + ENTRY) else { continue };
            let GptEntry { kind, id, attributes, name } = &entry.gpt;
            bytes[..16].copy_from_slice(&kind.to_bytes_le());
            bytes[16..32].copy_from_slice(&id.to_bytes_le());
            bytes[32..40].copy_from_slice(&entry.start.to_le_bytes());
            bytes[40..48].copy_from_slice(&(entry.start + entry.sectors - 1).to_le_bytes());
            bytes[48..56].copy_from_slice(&attributes.to_le_bytes());
            for (place, unit) in name.iter().enumerate() {
                bytes[56 + 2 * place..58 + 2 * place].copy_from_slice(&unit.to_le_bytes());
            }
        }
        bytes
    }
}

/// Reads all of it from a place of the physical disk; false where that can't be done.
type Read<'a> = dyn Fn(u64, &mut [u8]) -> bool + 'a;

impl Entry {
    /// What is known of a partition without looking at its disk.
    fn usual(block: &Block, number: u32, record: &Record) -> Self {
        let sectors = block.size.as_bytes() / SECTOR;
        let told = record.get("ID_PART_ENTRY_TYPE").unwrap_or_default();
        let (by_mbr, by_gpt) = (
            told.strip_prefix("0x").and_then(|kind| u8::from_str_radix(kind, 16).ok()),
            told.parse::<Uuid>().ok(),
        );
        let (linux, linux_gpt) = KINDS[0];
        let of_mbr = |kind: u8| KINDS.iter().find(|(mbr, _)| *mbr == kind).map(|(_, gpt)| *gpt);
        let of_gpt = |kind: Uuid| KINDS.iter().find(|(_, gpt)| *gpt == kind).map(|(mbr, _)| *mbr);
        let id = record.get("ID_PART_ENTRY_UUID").and_then(|id| id.parse().ok());
        let number_of = |key: &str| {
            let text = record.get(key)?;
            text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok())
        };
        let flags = number_of("ID_PART_ENTRY_FLAGS").unwrap_or_default();
        let mut name = [0; 36];
        for (unit, to) in record.get("ID_PART_ENTRY_NAME").unwrap_or_default().encode_utf16().zip(&mut name) {
            *to = unit;
        }
        Self {
            number,
            start: block.start,
            sectors,
            active: by_mbr.is_some() && flags == 0x80,
            kind: by_mbr.or_else(|| of_gpt(by_gpt?)).unwrap_or(linux),
            gpt: GptEntry {
                kind: by_gpt.or_else(|| of_mbr(by_mbr?)).unwrap_or(linux_gpt),
                id: id.unwrap_or_else(|| made_up(block, number)),
                attributes: if by_mbr.is_some() { 0 } else { flags },
                name,
            },
        }
    }

    /// The same with what the disk's own GPT says; nothing where that has another partition there.
    fn with_gpt(mut self, header: &[u8; 92], sector: u64, read: &Read<'_>) -> Option<Self> {
        let (entries, count, size) = (u64_at(header, 72), u32_at(header, 80), u32_at(header, 84));
        let index = self.number.checked_sub(1).filter(|index| *index < count)?;
        let place = entries.checked_mul(sector)?.checked_add(u64::from(index).checked_mul(size.into())?)?;
        let mut bytes = [0; ENTRY];
        if !read(place, &mut bytes) || u64_at(&bytes, 32).checked_mul(sector / SECTOR)? != self.start {
            return None;
        }
        let kind = uuid_at(&bytes, 0);
        let mut name = [0; 36];
        for (place, unit) in name.iter_mut().enumerate() {
            *unit = u16::from_le_bytes([bytes[56 + 2 * place], bytes[57 + 2 * place]]);
        }
        self.kind = KINDS.iter().find(|(_, gpt)| *gpt == kind).map_or(self.kind, |(mbr, _)| *mbr);
        self.gpt = GptEntry { kind, id: uuid_at(&bytes, 16), attributes: u64_at(&bytes, 48), name };
        Some(self)
    }

    /// The same with what the disk's own MBR says; nothing where that has another partition there.
    fn with_mbr(mut self, mbr: &[u8; SECTOR as usize]) -> Option<Self> {
        let index = self.number.checked_sub(1).filter(|_| self.number <= LAST_PRIMARY)? as usize;
        let bytes = &mbr[MBR_TABLE + 16 * index..MBR_TABLE + 16 * (index + 1)];
        if u64::from(u32_at(bytes, 8)) != self.start {
            return None;
        }
        let kind = bytes[4];
        self.active = bytes[0] == 0x80;
        self.gpt.kind = KINDS.iter().find(|(mbr, _)| *mbr == kind).map_or(self.gpt.kind, |(_, gpt)| *gpt);
        self.kind = kind;
        Some(self)
    }

    /// Whether firmware of the traditional kind is to start from it.
    fn is_started(&self) -> bool {
        self.active || self.gpt.attributes & LEGACY_BIOS_BOOTABLE != 0
    }

    fn fits_in_mbr(&self) -> bool {
        self.start.checked_add(self.sectors).is_some_and(|end| u32::try_from(end).is_ok())
    }
}

/// An identity that is always the same for the same partition.
fn made_up(block: &Block, number: u32) -> Uuid {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(format!("{} {number} {}", block.lasting_path(), block.start));
    uuid::Builder::from_random_bytes(*hash.first_chunk().unwrap_or(&[1; 16])).into_uuid()
}

/// In what a disk's own GPT counts, in bytes.
fn sector_of(whole: &Block) -> u64 {
    let text = std::fs::read_to_string(Path::new(whole.folder()).join("queue/logical_block_size"));
    let told = text.ok().and_then(|text| text.trim().parse().ok());
    told.filter(|size: &u64| [512, 1024, 2048, 4096].contains(size)).unwrap_or(SECTOR)
}

fn gpt_header(sector: u64, read: &Read<'_>) -> Option<[u8; 92]> {
    let mut header = [0; 92];
    (read(sector, &mut header) && header.starts_with(b"EFI PART")).then_some(header)
}

/// A GPT's header: where it and its copy are, and where its entries begin.
fn header(id: Uuid, (own, other): (u64, u64), entries: u64, sectors: u64, content: &[u8]) -> [u8; 512] {
    let mut header = [0; SECTOR as usize];
    header[..8].copy_from_slice(b"EFI PART");
    header[8..12].copy_from_slice(&0x1_0000_u32.to_le_bytes());
    header[12..16].copy_from_slice(&92_u32.to_le_bytes());
    for (place, value) in [(24, own), (32, other), (40, 1 + GPT), (48, sectors - 1 - GPT), (72, entries)] {
        header[place..place + 8].copy_from_slice(&value.to_le_bytes());
    }
    header[56..72].copy_from_slice(&id.to_bytes_le());
    header[80..84].copy_from_slice(&ENTRIES.to_le_bytes());
    header[84..88].copy_from_slice(&(ENTRY as u32).to_le_bytes());
    header[88..92].copy_from_slice(&crc32fast::hash(content).to_le_bytes());
    let sum = crc32fast::hash(&header[..92]);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    header
}

fn put_mbr_entry(
    first: &mut [u8; SECTOR as usize],
    index: usize,
    (kind, active): (u8, bool),
    (start, sectors): (u64, u64),
) {
    let bounded = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
    let Some(entry) = first.get_mut(MBR_TABLE + 16 * index..MBR_TABLE + 16 * (index + 1)) else { return };
    entry[0] = if active { 0x80 } else { 0 };
    // Beyond what cylinders, heads and sectors can say.
    entry[1..4].copy_from_slice(&[0xfe, 0xff, 0xff]);
    entry[4] = kind;
    entry[5..8].copy_from_slice(&[0xfe, 0xff, 0xff]);
    entry[8..12].copy_from_slice(&bounded(start));
    entry[12..].copy_from_slice(&bounded(sectors));
}

fn uuid_at(bytes: &[u8], at: usize) -> Uuid {
    let found = bytes.get(at..at + 16).and_then(|bytes| bytes.first_chunk());
    found.map_or(Uuid::nil(), |bytes| Uuid::from_bytes_le(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootmenu::{Disk, partitions};
    use crate::host::told::Told;
    use crate::storage::partial::Layout;
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::fs;

    /// A disk in memory.
    struct Memory(RefCell<Vec<u8>>);

    impl Sectors for Memory {
        fn read(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
            let bytes = self.0.borrow();
            into.copy_from_slice(&bytes[place as usize..place as usize + into.len()]);
            Ok(())
        }

        fn write(&self, place: u64, bytes: &[u8]) -> io::Result<()> {
            self.0.borrow_mut()[place as usize..place as usize + bytes.len()].copy_from_slice(bytes);
            Ok(())
        }
    }

    /// A computer with one disk of two partitions, of which Linux and udev tell.
    fn computer() -> Told {
        let told = Told::new();
        told.disk("sda", "8:0", 100_000);
        told.part("sda", "sda1", (1, "8:1"), (2048, 1000));
        told.part("sda", "sda3", (3, "8:3"), (4096, 2000));
        told
    }

    impl Told {
        fn table(&self, numbers: &[u32], disk: &[u8]) -> Table {
            let whole = Block::read(self.root(), &self.root().join("sys/block/sda")).unwrap();
            let wanted = |block: &Block| block.partition.is_some_and(|number| numbers.contains(&number));
            let parts: Vec<Block> = whole.partitions().into_iter().filter(wanted).collect();
            assert_eq!(parts.len(), numbers.len());
            Table::made(&whole, &parts, &|place, into| {
                let found = disk.get(place as usize..place as usize + into.len());
                found.map(|bytes| into.copy_from_slice(bytes)).is_some()
            })
        }
    }

    /// What is written of a table, on a disk as it is laid out.
    fn written(table: Table) -> Vec<u8> {
        let layout = Layout::of(table).unwrap();
        let memory = Memory(RefCell::new(vec![0; (layout.sectors() * SECTOR) as usize]));
        layout.table.write(layout.sectors(), &memory).unwrap();
        memory.0.into_inner()
    }

    /// The partitions that the reader of boot menus finds: number, whether it is started from, and length.
    fn found(disk: Vec<u8>) -> Vec<(u32, bool, u64)> {
        partitions(&Disk::new(Box::new(disk), None))
    }

    fn mbr() -> Vec<u8> {
        let mut disk = vec![0; 8192 * 512];
        disk[440..444].copy_from_slice(&[0x78, 0x56, 0x34, 0x12]);
        let mut first: [u8; 512] = disk[..512].try_into().unwrap();
        put_mbr_entry(&mut first, 0, (0x07, false), (2048, 1000));
        put_mbr_entry(&mut first, 2, (0x83, true), (4096, 2000));
        first[510..].copy_from_slice(&[0x55, 0xaa]);
        disk[..512].copy_from_slice(&first);
        disk
    }

    #[test]
    fn a_partition_of_an_mbr_stays_what_it_is() {
        let told = computer();
        let table = told.table(&[3], &mbr());
        assert_eq!((table.gpt, table.signature), (None, 0x1234_5678));
        let disk = written(table);
        assert_eq!(disk[440..444], [0x78, 0x56, 0x34, 0x12]);
        assert_eq!(found(disk.clone()), [(3, true, 2000 * 512)]);
        // It is started from: the code knows which entry, and where.
        assert_eq!(disk[BOOT_ENTRY..BOOT_ENTRY + 2], 0x7de_u16.to_le_bytes());
        assert_eq!(disk[BOOT_SECTOR..BOOT_SECTOR + 8], 4096_u64.to_le_bytes());
        assert_eq!(found(written(told.table(&[1, 3], &mbr()))).len(), 2);
    }

    #[test]
    fn a_partition_of_a_gpt_stays_what_it_is() {
        let told = computer();
        let (kind, id) = (KINDS[1].1, Uuid::from_u128(7));
        let mut name = [0; 36];
        name[0] = u16::from(b'x');
        let own = Table {
            gpt: Some(Uuid::from_u128(9)),
            signature: 0,
            entries: vec![Entry {
                number: 3,
                start: 4096,
                sectors: 2000,
                active: false,
                kind: 0x82,
                gpt: GptEntry { kind, id, attributes: 4, name },
            }],
        };
        let table = told.table(&[3], &written(own.clone()));
        assert_eq!(table.gpt, own.gpt);
        assert_eq!(table.entries, own.entries);
        let disk = written(table);
        assert_eq!(found(disk.clone()), [(3, true, 2000 * 512)]);
        // Both copies have their sums, and name each other.
        for (place, other) in [(1, disk.len() as u64 / 512 - 1), (disk.len() as u64 / 512 - 1, 1)] {
            let mut header = disk[place as usize * 512..place as usize * 512 + 92].to_vec();
            assert_eq!((u64_at(&header, 24), u64_at(&header, 32)), (place, other));
            let sum = u32_at(&header, 16);
            header[16..20].fill(0);
            assert_eq!(crc32fast::hash(&header), sum);
            let entries = u64_at(&header, 72) as usize * 512;
            assert_eq!(crc32fast::hash(&disk[entries..entries + 128 * 128]), u32_at(&header, 88));
        }
    }

    #[test]
    fn a_disk_that_this_user_may_not_read_is_taken_from_what_udev_knows() {
        let told = computer();
        let uuid = "0fc63daf-8483-4772-8e79-3d69d8477de4";
        told.write("run/udev/data/b8:0", format!("E:ID_PART_TABLE_TYPE=gpt\nE:ID_PART_TABLE_UUID={uuid}\n"));
        told.write(
            "run/udev/data/b8:3",
            format!("E:ID_PART_ENTRY_TYPE={}\nE:ID_PART_ENTRY_UUID={uuid}\n", KINDS[1].1),
        );
        let table = told.table(&[3], &[]);
        assert_eq!(table.gpt, uuid.parse().ok());
        assert_eq!((table.entries[0].gpt.id, table.entries[0].kind), (uuid.parse().unwrap(), 0x82));
        told.write("run/udev/data/b8:0", "E:ID_PART_TABLE_TYPE=dos\nE:ID_PART_TABLE_UUID=1234abcd\n");
        told.write("run/udev/data/b8:3", "E:ID_PART_ENTRY_TYPE=0x7\nE:ID_PART_ENTRY_FLAGS=0x80\n");
        let table = told.table(&[3], &[]);
        assert_eq!((table.gpt, table.signature), (None, 0x1234_abcd));
        assert_eq!((table.entries[0].kind, table.entries[0].active), (7, true));
    }

    #[test]
    fn a_boot_loader_of_the_guest_stays_and_ours_is_renewed() {
        let told = computer();
        let layout = Layout::of(told.table(&[3], &mbr())).unwrap();
        let memory = Memory(RefCell::new(vec![0; (layout.sectors() * SECTOR) as usize]));
        layout.table.write(layout.sectors(), &memory).unwrap();
        assert!(memory.0.borrow().starts_with(&BOOT_CODE[..BOOT_ENTRY]));
        memory.0.borrow_mut()[..5].copy_from_slice(b"GRUB!");
        // What the guest did to the table does not last.
        memory.0.borrow_mut()[446..510].fill(0);
        layout.table.write(layout.sectors(), &memory).unwrap();
        assert!(memory.0.borrow().starts_with(b"GRUB!"));
        assert_eq!(found(memory.0.into_inner()), [(3, true, 2000 * 512)]);
    }

    #[test]
    fn what_does_not_fit_is_no_layout() {
        let told = computer();
        let table = told.table(&[1, 3], &mbr());
        let mut overlapping = table.clone();
        overlapping.entries[0].sectors = 3000;
        assert_eq!(Layout::of(overlapping), None);
        let mut first = table.clone();
        first.entries[0].start = 0;
        assert_eq!(Layout::of(first), None);
        let mut beyond = table;
        beyond.entries[1].sectors = u64::MAX;
        assert_eq!(Layout::of(beyond), None);
    }

    #[test]
    fn the_boot_code_is_what_it_says() {
        const SOURCE: &str = ".code16
            start: xorw %ax,%ax; movw %ax,%ss; movw $0x7c00,%sp; movw %ax,%ds; movw %ax,%es; cld
            movw $0x7c00,%si; movw $0x600,%di; movw $0x100,%cx; rep movsw; ljmp $0,$(0x600+next-start)
            next: movw $(0x600+packet-start),%si; movb $0x42,%ah; int $0x13; jc fail
            cmpw $0xaa55,0x7dfe; jne fail; movw $0x7be,%si; ljmp $0,$0x7c00
            fail: movw $(0x600+text-start),%si
            1: lodsb; testb %al,%al
            2: jz 2b; movb $0x0e,%ah; movw $7,%bx; int $0x10; jmp 1b
            packet: .byte 16,0; .word 1; .word 0x7c00,0; .quad 0
            text:\n";
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("boot.s"), SOURCE).unwrap();
        let run = |program: &str, arguments: &[&str]| {
            std::process::Command::new(program).args(arguments).current_dir(folder.path()).status()
        };
        let Ok(assembled) = run("as", &["--32", "boot.s", "-o", "boot.o"]) else {
            println!("SKIPPED: there is no assembler");
            return;
        };
        assert!(
            assembled.success() && run("objcopy", &["-O", "binary", "boot.o", "boot"]).unwrap().success()
        );
        assert_eq!(fs::read(at("boot")).unwrap(), BOOT_CODE);
        assert!(BOOT_CODE.len() + BOOT_TEXT.len() <= 440);
    }

    proptest! {
        #[test]
        fn no_table_of_a_physical_disk_does_harm(bytes in prop::collection::vec(any::<u8>(), 2048), gpt in any::<bool>()) {
            let mut bytes = bytes;
            bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
            if gpt {
                bytes[512..520].copy_from_slice(b"EFI PART");
            }
            let table = computer().table(&[1, 3], &bytes);
            // Where they are, Linux says, and not the disk.
            prop_assert_eq!(table.entries.iter().map(|entry| entry.start).collect::<Vec<_>>(), [2048, 4096]);
            let _ = written(table);
        }
    }
}
