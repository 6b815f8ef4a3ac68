//! Where a guest's picture lies within the widget, and which guest pixel a place on it is.
//!
//! Everything is counted in the screen's own pixels, so that a picture at its own size is exact on
//! screens of any scale factor, and parts of a picture that is scaled meet without a gap.

use hv_api::display::Rect;

/// A scale is rounded down to a whole number where the picture then still has this share of the size
/// that it could have: sharp and a little smaller is better to read than blurred.
const SHARPNESS_WORTH: f64 = 0.8;

/// A picture's place. All lengths but `guest` are in pixels of the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// The guest's picture, in guest pixels.
    guest: (u32, u32),
    /// Its left upper corner on the widget.
    origin: (u32, u32),
    /// Its size there.
    size: (u32, u32),
    /// Screen pixels for each of the toolkit's units.
    factor: u32,
}

/// A part of the widget, in the toolkit's units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Placement {
    /// The picture as large as the widget allows, in the middle, in its own proportions. Nothing where
    /// one of the two is empty.
    ///
    /// `widget` is in the toolkit's units.
    pub fn fit(guest: (u32, u32), widget: (u32, u32), factor: u32) -> Option<Self> {
        let factor = factor.max(1);
        let area = (widget.0 * factor, widget.1 * factor);
        if guest.0 == 0 || guest.1 == 0 || area.0 == 0 || area.1 == 0 {
            return None;
        }
        let largest = (f64::from(area.0) / f64::from(guest.0)).min(f64::from(area.1) / f64::from(guest.1));
        let whole = largest.floor();
        let scale = if whole / largest >= SHARPNESS_WORTH { whole } else { largest };
        let scaled = |length: u32, limit: u32| ((f64::from(length) * scale).round() as u32).clamp(1, limit);
        let size = (scaled(guest.0, area.0), scaled(guest.1, area.1));
        let origin = ((area.0 - size.0) / 2, (area.1 - size.1) / 2);
        Some(Self { guest, origin, size, factor })
    }

    /// How many screen pixels each guest pixel has in both directions, where that is a whole number.
    pub fn whole_scale(&self) -> Option<u32> {
        let scale = self.size.0 / self.guest.0;
        (scale > 0 && (self.guest.0 * scale, self.guest.1 * scale) == self.size).then_some(scale)
    }

    /// Screen pixels for each guest pixel, roughly.
    pub fn scale(&self) -> f64 {
        f64::from(self.size.0) / f64::from(self.guest.0)
    }

    /// The guest pixel at a place on the widget, given in the toolkit's units; outside of the picture
    /// the nearest one, so that the guest's edges are easy to reach.
    pub fn guest_pixel(&self, x: f64, y: f64) -> (u32, u32) {
        let along = |place: f64, origin: u32, size: u32, guest: u32| {
            let within = (place * f64::from(self.factor) - f64::from(origin)).max(0.0);
            // The cast saturates, so that any place is safe.
            ((within * f64::from(guest) / f64::from(size)) as u32).min(guest - 1)
        };
        (
            along(x, self.origin.0, self.size.0, self.guest.0),
            along(y, self.origin.1, self.size.1, self.guest.1),
        )
    }

    /// A movement on the widget, given in the toolkit's units, in guest pixels.
    pub fn guest_distance(&self, dx: f64, dy: f64) -> (f64, f64) {
        let scale = self.scale() / f64::from(self.factor);
        (dx / scale, dy / scale)
    }

    /// Where a part of the picture lies on the widget. Its edges are on whole pixels of the screen, and
    /// parts that meet in the guest meet there.
    pub fn area(&self, part: Rect) -> Area {
        let edge = |place: u32, origin: u32, size: u32, guest: u32| {
            let place = u64::from(place.min(guest)) * u64::from(size) * 2 + u64::from(guest);
            let pixel = u64::from(origin) + place / (u64::from(guest) * 2);
            pixel as f32 / self.factor as f32
        };
        let horizontal = |x| edge(x, self.origin.0, self.size.0, self.guest.0);
        let vertical = |y| edge(y, self.origin.1, self.size.1, self.guest.1);
        let (x, y) = (horizontal(part.x), vertical(part.y));
        let width = horizontal(part.x.saturating_add(part.width)) - x;
        let height = vertical(part.y.saturating_add(part.height)) - y;
        Area { x, y, width, height }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fit(guest: (u32, u32), widget: (u32, u32), factor: u32) -> Placement {
        Placement::fit(guest, widget, factor).unwrap()
    }

    #[test]
    fn a_picture_that_fits_is_shown_at_its_own_size() {
        for (widget, factor) in [((1280, 800), 1), ((640, 400), 2), ((1400, 900), 1)] {
            let placement = fit((1280, 800), widget, factor);
            assert_eq!(placement.whole_scale(), Some(1), "{widget:?} × {factor}");
        }
        let centred = fit((1280, 800), (1400, 900), 1);
        assert_eq!(
            centred.area(Rect { x: 0, y: 0, width: 1280, height: 800 }),
            Area { x: 60.0, y: 50.0, width: 1280.0, height: 800.0 }
        );
    }

    #[test]
    fn a_picture_keeps_its_proportions_and_stays_inside() {
        let wide = fit((1280, 800), (360, 600), 1);
        assert_eq!(wide.size, (360, 225));
        assert_eq!(wide.origin, (0, 187));
        assert_eq!(wide.whole_scale(), None);
        assert_eq!(fit((720, 400), (1440, 900), 1).whole_scale(), Some(2));
        assert_eq!(fit((720, 400), (1280, 800), 1).whole_scale(), None, "too much would be lost");
    }

    #[test]
    fn nothing_is_placed_where_there_is_no_room() {
        assert_eq!(Placement::fit((1280, 800), (0, 600), 1), None);
        assert_eq!(Placement::fit((0, 800), (10, 600), 1), None);
        assert!(Placement::fit((16_384, 1), (1, 1), 1).is_some());
    }

    #[test]
    fn places_outside_of_the_picture_are_its_edges() {
        let placement = fit((100, 100), (300, 100), 1);
        assert_eq!(placement.guest_pixel(0.0, 50.0), (0, 50));
        assert_eq!(placement.guest_pixel(299.0, 50.0), (99, 50));
        assert_eq!(placement.guest_pixel(-1e300, f64::NAN), (0, 0));
        assert_eq!(placement.guest_pixel(1e300, 1e300), (99, 99));
    }

    #[test]
    fn movements_are_in_guest_pixels() {
        assert_eq!(fit((100, 100), (100, 100), 2).guest_distance(3.0, -1.0), (3.0, -1.0));
        assert_eq!(fit((200, 200), (100, 100), 1).guest_distance(3.0, -1.0), (6.0, -2.0));
    }

    proptest! {
        #[test]
        fn the_middle_of_each_guest_pixel_maps_back_to_within_one_pixel(
            guest in (1_u32..4000, 1_u32..4000),
            widget in (1_u32..4000, 1_u32..4000),
            factor in 1_u32..4,
            at in (0.0..1.0, 0.0..1.0),
        ) {
            let placement = fit(guest, widget, factor);
            let pixel = (
                (at.0 * f64::from(guest.0)) as u32,
                (at.1 * f64::from(guest.1)) as u32,
            );
            let middle = |pixel: u32, origin: u32, size: u32, guest: u32| {
                (f64::from(origin) + (f64::from(pixel) + 0.5) * f64::from(size) / f64::from(guest))
                    / f64::from(factor)
            };
            let x = middle(pixel.0, placement.origin.0, placement.size.0, guest.0);
            let y = middle(pixel.1, placement.origin.1, placement.size.1, guest.1);
            let found = placement.guest_pixel(x, y);
            prop_assert!(found.0.abs_diff(pixel.0) <= 1 && found.1.abs_diff(pixel.1) <= 1);
            if placement.whole_scale().is_some() {
                prop_assert_eq!(found, pixel);
            }
        }

        #[test]
        fn neighbours_meet_and_the_whole_is_covered(
            guest in (1_u32..4000, 1_u32..4000),
            widget in (1_u32..4000, 1_u32..4000),
            factor in 1_u32..4,
            cut in 0.0..1.0,
        ) {
            let placement = fit(guest, widget, factor);
            let cut = (cut * f64::from(guest.0)) as u32;
            let left = placement.area(Rect { x: 0, y: 0, width: cut, height: guest.1 });
            let right = placement.area(Rect { x: cut, y: 0, width: guest.0 - cut, height: guest.1 });
            let pixels = |length: f32| (length * factor as f32).round() as u32;
            prop_assert_eq!(pixels(left.x + left.width), pixels(right.x));
            prop_assert_eq!(pixels(left.width) + pixels(right.width), placement.size.0);
            prop_assert_eq!(pixels(right.height), placement.size.1);
            prop_assert!(pixels(right.x + right.width) <= widget.0 * factor);
        }
    }
}
