//! Pictures of displays: reading the PNG files that are taken, and measuring what is on them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Line by line from the top left.
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Reads a PNG file.
    pub fn read(path: &Path) -> Self {
        let file = BufReader::new(File::open(path).expect("a picture"));
        let mut decoder = png::Decoder::new(file);
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().expect("a PNG file");
        let mut bytes = vec![0; reader.output_buffer_size().expect("a picture that fits into memory")];
        let info = reader.next_frame(&mut bytes).expect("a whole picture");
        let samples = info.color_type.samples();
        let pixel =
            |sample: &[u8]| if samples < 3 { [sample[0]; 3] } else { [sample[0], sample[1], sample[2]] };
        let pixels = bytes[..info.buffer_size()].chunks_exact(samples).map(pixel).collect();
        Self { width: info.width, height: info.height, pixels }
    }

    /// How many colours it has.
    pub fn colours(&self) -> usize {
        self.pixels.iter().collect::<BTreeSet<_>>().len()
    }

    /// How many of its pixels have a colour (red, green, blue) that fits.
    pub fn count(&self, fits: impl Fn([u8; 3]) -> bool) -> usize {
        self.pixels.iter().filter(|pixel| fits(**pixel)).count()
    }

    /// A part of it; where it reaches beyond the edge, only what is there.
    #[must_use]
    pub fn part(&self, x: u32, y: u32, width: u32, height: u32) -> Self {
        let (width, height) =
            (width.min(self.width.saturating_sub(x)), height.min(self.height.saturating_sub(y)));
        let line = |line: u32| {
            let start = ((y + line) * self.width + x) as usize;
            self.pixels[start..start + width as usize].iter().copied()
        };
        Self { width, height, pixels: (0..height).flat_map(line).collect() }
    }

    /// How many pixels differ; all where the sizes do.
    pub fn difference(&self, other: &Self) -> usize {
        if (self.width, self.height) != (other.width, other.height) {
            return self.pixels.len().max(other.pixels.len());
        }
        self.pixels.iter().zip(&other.pixels).filter(|(one, other)| one != other).count()
    }
}
