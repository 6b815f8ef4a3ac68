//! Discs that say what they are and hold nothing.

/// The labels of a disc.
#[derive(Debug, Default, Clone, Copy)]
pub struct Disc<'a> {
    /// Its name for itself.
    pub volume: &'a str,
    /// The system it says it is for.
    pub system: &'a str,
    /// Who published it.
    pub publisher: &'a str,
    /// What it was made with.
    pub application: &'a str,
}

impl Disc<'_> {
    /// The disc: 32 sectors, of which it claims to have so many.
    pub fn bytes(&self) -> Vec<u8> {
        const SECTOR: usize = 2048;
        let mut disc = vec![0; 32 * SECTOR];
        let primary = &mut disc[16 * SECTOR..][..SECTOR];
        primary[..6].copy_from_slice(b"\x01CD001");
        let labels = [
            (8, 32, self.system),
            (40, 32, self.volume),
            (318, 128, self.publisher),
            (574, 128, self.application),
        ];
        for (offset, length, label) in labels {
            primary[offset..offset + length].fill(b' ');
            primary[offset..][..label.len()].copy_from_slice(label.as_bytes());
        }
        primary[80..84].copy_from_slice(&32_u32.to_le_bytes());
        primary[128..130].copy_from_slice(&2048_u16.to_le_bytes());
        disc
    }
}
