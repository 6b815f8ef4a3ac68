//! The picture as the widget draws it: the core's memory cut into tiles, of which only those that
//! changed are made anew.
//!
//! The toolkit has no way to update a part of a picture, and uploads or copies each new one whole. Tiles
//! that did not change keep their node, so that the toolkit neither uploads nor draws them again.

use super::placement::Placement;
use gtk::prelude::*;
use gtk::{cairo, gdk, glib, graphene, gsk};
use hv_api::display::{FrameView, PICTURE_LIMIT, Rect};
use std::io;
use std::os::fd::OwnedFd;

/// The width and height of a tile, in guest pixels.
const TILE: u32 = 256;

/// Bytes for each pixel, in the core's memory and in a tile.
const PIXEL: usize = 4;

/// Up to this whole scale tiles are enlarged here, so that each guest pixel stays a sharp square.
const LARGEST_SHARP_SCALE: u32 = 4;

/// How the toolkit draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renderer {
    /// With the graphics card, which wants textures.
    Textures,
    /// With the CPU, which is several times faster with cairo's own surfaces.
    Cairo,
}

/// The picture.
#[derive(Debug)]
pub struct Frame {
    view: FrameView,
    size: (u32, u32),
    stride: usize,
    columns: u32,
    tiles: Vec<Tile>,
    drawn: Option<(Placement, Renderer)>,
}

/// A part of the picture. What is none has to be made anew before it is drawn.
#[derive(Debug, Default)]
struct Tile {
    image: Option<Image>,
    node: Option<gsk::RenderNode>,
}

/// The pixels of a tile, copied out of the core's memory.
#[derive(Debug)]
enum Image {
    Texture(gdk::Texture),
    Surface(cairo::ImageSurface),
}

impl Frame {
    /// Takes over the memory that the core handed out.
    ///
    /// # Errors
    /// `InvalidData` where the memory does not fit the size.
    pub fn new(memory: OwnedFd, width: u32, height: u32, stride: u32) -> io::Result<Self> {
        let valid = (1..=PICTURE_LIMIT).contains(&width)
            && (1..=PICTURE_LIMIT).contains(&height)
            && u64::from(stride) >= u64::from(width) * PIXEL as u64;
        let length = usize::try_from(u64::from(stride) * u64::from(height)).ok().filter(|_| valid);
        let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no such picture"))?;
        let columns = width.div_ceil(TILE);
        let count = columns * height.div_ceil(TILE);
        Ok(Self {
            view: FrameView::new(memory, length)?,
            size: (width, height),
            stride: stride as usize,
            columns,
            tiles: std::iter::repeat_with(Tile::default).take(count as usize).collect(),
            drawn: None,
        })
    }

    /// Width and height, in guest pixels.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// A part has changed. What lies outside of the picture is left out.
    pub fn damage(&mut self, part: Rect) {
        let end =
            |start: u32, length: u32, limit: u32| start.saturating_add(length).min(limit).div_ceil(TILE);
        for row in part.y / TILE..end(part.y, part.height, self.size.1) {
            for column in part.x / TILE..end(part.x, part.width, self.size.0) {
                self.tiles[(row * self.columns + column) as usize] = Tile::default();
            }
        }
    }

    /// How many tiles would be made anew now.
    #[cfg(test)]
    pub fn stale(&self) -> usize {
        self.tiles.iter().filter(|tile| tile.image.is_none()).count()
    }

    /// Draws the picture, with what has changed since the last time made anew.
    pub fn draw(&mut self, snapshot: &gtk::Snapshot, placement: Placement, renderer: Renderer) {
        if let Some((drawn, with)) = self.drawn.replace((placement, renderer))
            && (drawn, with) != (placement, renderer)
        {
            let keep = with == renderer && enlargement(&drawn, with) == enlargement(&placement, renderer);
            for tile in &mut self.tiles {
                tile.node = None;
                if !keep {
                    tile.image = None;
                }
            }
        }
        for index in 0..self.tiles.len() {
            let part = self.part(index as u32);
            let node = match self.tiles[index].node.take() {
                Some(node) => Some(node),
                None => self.node(index, part, &placement, renderer),
            };
            if let Some(node) = &node {
                snapshot.append_node(node);
            }
            self.tiles[index].node = node;
        }
    }

    /// The part of the picture that a tile has.
    fn part(&self, index: u32) -> Rect {
        let (x, y) = (index % self.columns * TILE, index / self.columns * TILE);
        Rect { x, y, width: TILE.min(self.size.0 - x), height: TILE.min(self.size.1 - y) }
    }

    /// How a tile is drawn; nothing where it is too small to be seen or can't be made.
    fn node(
        &mut self,
        index: usize,
        part: Rect,
        placement: &Placement,
        renderer: Renderer,
    ) -> Option<gsk::RenderNode> {
        if self.tiles[index].image.is_none() {
            self.tiles[index].image = match renderer {
                Renderer::Textures => {
                    Some(Image::Texture(self.texture(part, enlargement(placement, renderer))))
                }
                Renderer::Cairo => self.surface(part).ok().map(Image::Surface),
            };
        }
        let area = placement.area(part);
        if area.width <= 0.0 || area.height <= 0.0 {
            return None;
        }
        let bounds = graphene::Rect::new(area.x, area.y, area.width, area.height);
        match self.tiles[index].image.as_ref()? {
            Image::Texture(texture) => Some(gsk::TextureNode::new(texture, &bounds).upcast()),
            Image::Surface(surface) => {
                let node = gsk::CairoNode::new(&bounds);
                paint(&node.draw_context(), surface, part, &bounds, placement).ok()?;
                Some(node.upcast())
            }
        }
    }

    /// The lines of a part, in the core's order of bytes.
    fn lines(&self, part: Rect) -> impl Iterator<Item = &[u8]> {
        let start = part.x as usize * PIXEL;
        let length = part.width as usize * PIXEL;
        let bytes = self.view.bytes();
        (part.y..part.y + part.height).map(move |line| {
            let start = line as usize * self.stride + start;
            &bytes[start..start + length]
        })
    }

    /// A part as a texture, each pixel `scale` × `scale` times, in the only order of bytes that all
    /// renderers take as it is.
    fn texture(&self, part: Rect, scale: u32) -> gdk::Texture {
        let (width, height, scale) = (part.width as usize, part.height as usize, scale as usize);
        let stride = width * scale * PIXEL;
        let mut pixels = Vec::with_capacity(stride * height * scale);
        for line in self.lines(part) {
            let start = pixels.len();
            for pixel in line.chunks_exact(PIXEL) {
                for _ in 0..scale {
                    pixels.extend_from_slice(&[pixel[2], pixel[1], pixel[0], 255]);
                }
            }
            for _ in 1..scale {
                pixels.extend_from_within(start..start + stride);
            }
        }
        gdk::MemoryTexture::new(
            (width * scale) as i32,
            (height * scale) as i32,
            gdk::MemoryFormat::R8g8b8a8Premultiplied,
            &glib::Bytes::from_owned(pixels),
            stride,
        )
        .upcast()
    }

    /// A part as a surface, whose order of bytes is the core's.
    fn surface(&self, part: Rect) -> Result<cairo::ImageSurface, cairo::Error> {
        let stride = part.width as usize * PIXEL;
        let mut pixels = Vec::with_capacity(stride * part.height as usize);
        for line in self.lines(part) {
            pixels.extend_from_slice(line);
        }
        cairo::ImageSurface::create_for_data(
            pixels,
            cairo::Format::Rgb24,
            part.width as i32,
            part.height as i32,
            stride as i32,
        )
    }
}

/// By how much tiles are enlarged before the toolkit has them.
fn enlargement(placement: &Placement, renderer: Renderer) -> u32 {
    match renderer {
        Renderer::Textures => {
            placement.whole_scale().filter(|scale| *scale <= LARGEST_SHARP_SCALE).unwrap_or(1)
        }
        // Cairo enlarges sharply itself.
        Renderer::Cairo => 1,
    }
}

fn paint(
    context: &cairo::Context,
    surface: &cairo::ImageSurface,
    part: Rect,
    bounds: &graphene::Rect,
    placement: &Placement,
) -> Result<(), cairo::Error> {
    let pattern = cairo::SurfacePattern::create(surface);
    // Beyond its edge a tile goes on as it ends; else there would be a seam between tiles.
    pattern.set_extend(cairo::Extend::Pad);
    pattern.set_filter(match placement.whole_scale() {
        Some(_) => cairo::Filter::Nearest,
        None if placement.scale() > 1.0 => cairo::Filter::Bilinear,
        None => cairo::Filter::Good,
    });
    let (width, height) = (f64::from(bounds.width()), f64::from(bounds.height()));
    context.translate(f64::from(bounds.x()), f64::from(bounds.y()));
    context.rectangle(0.0, 0.0, width, height);
    context.scale(width / f64::from(part.width), height / f64::from(part.height));
    context.set_source(&pattern)?;
    context.fill()
}
