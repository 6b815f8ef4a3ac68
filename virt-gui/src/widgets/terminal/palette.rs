//! The terminal's colours, light and dark.
//!
//! Black, white and the greys are the same in both, since what sets them sets the background too; the
//! six hues, which programs print on whatever background there is, are chosen to be read on each.

use gtk::gdk::RGBA;

/// The colours for one style.
#[derive(Debug)]
pub struct Palette {
    /// Of text that has no colour.
    pub foreground: RGBA,
    /// Behind it.
    pub background: RGBA,
    /// The sixteen of the terminal: black, red, green, yellow, blue, magenta, cyan, white; then bright.
    pub colours: [RGBA; 16],
}

const DARK: [u32; 18] = [
    0xf6_f5_f4, 0x1e_1e_1e, //
    0x24_1f_31, 0xf6_61_51, 0x57_e3_89, 0xf8_e4_5c, 0x62_a0_ea, 0xdc_8a_dd, 0x5b_c8_af, 0xd0_cf_cc,
    0x92_91_96, 0xff_8a_7a, 0x8f_f0_a4, 0xf9_f0_6b, 0x99_c1_f1, 0xe8_a8_ea, 0x93_dd_c2, 0xff_ff_ff,
];

const LIGHT: [u32; 18] = [
    0x1e_1e_1e, 0xff_ff_ff, //
    0x24_1f_31, 0xc0_1c_28, 0x1b_7a_3d, 0x8f_5a_00, 0x1a_5f_b4, 0x81_3d_9c, 0x0b_6b_7a, 0xd0_cf_cc,
    0x74_73_78, 0xd8_1a_23, 0x1f_7a_43, 0x96_60_00, 0x1b_6a_cb, 0x91_41_ac, 0x12_72_84, 0xff_ff_ff,
];

impl Palette {
    /// The colours for the desktop's style.
    pub fn of(dark: bool) -> Self {
        let [foreground, background, colours @ ..] = if dark { DARK } else { LIGHT };
        Self { foreground: colour(foreground), background: colour(background), colours: colours.map(colour) }
    }
}

fn colour(rgb: u32) -> RGBA {
    let [_, red, green, blue] = rgb.to_be_bytes();
    RGBA::new(f32::from(red) / 255.0, f32::from(green) / 255.0, f32::from(blue) / 255.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast of two colours as WCAG 2.1 defines it.
    fn contrast(one: RGBA, other: RGBA) -> f32 {
        let linear =
            |part: f32| if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
        let luminance = |colour: RGBA| {
            0.2126 * linear(colour.red()) + 0.7152 * linear(colour.green()) + 0.0722 * linear(colour.blue())
        };
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        (one / other).max(other / one)
    }

    #[test]
    fn text_in_any_hue_can_be_read_in_both_styles() {
        for dark in [true, false] {
            let palette = Palette::of(dark);
            assert!(contrast(palette.foreground, palette.background) > 12.0);
            for index in (1..7).chain(9..15) {
                let contrast = contrast(palette.colours[index], palette.background);
                assert!(contrast >= 4.5, "colour {index}, dark: {dark}: {contrast}");
            }
            assert!(contrast(palette.colours[8], palette.background) >= 4.5);
            assert!(contrast(palette.colours[7], palette.colours[0]) >= 7.0);
            assert!(contrast(palette.colours[15], palette.colours[4]) >= 2.0);
        }
    }
}
