//! What USB devices are called that don't say it themselves: the list `usb.ids`, which many systems have.

use super::shown;
use hv_api::UsbId;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Where the list is kept, by different systems.
const PLACES: [&str; 3] = ["usr/share/hwdata/usb.ids", "usr/share/misc/usb.ids", "var/lib/usbutils/usb.ids"];

/// More of it is not read. It had 0.7 MB in 2024.
const LIMIT: u64 = 8 << 20;

/// The maker and the product by this number, or the maker alone; nothing where there is no list, or not in it.
pub fn of(root: &Path, id: UsbId) -> Option<String> {
    let list = PLACES.iter().find_map(|place| File::open(root.join(place)).ok())?;
    find(BufReader::new(list.take(LIMIT)), id)
}

/// Makers stand at the beginning of a line, their products behind a tab below: `0781  SanDisk Corp.`
fn find(list: impl BufRead, id: UsbId) -> Option<String> {
    let (vendor, product) = (format!("{:04x}  ", id.vendor), format!("\t{:04x}  ", id.product));
    // It may have signs that are not UTF-8.
    let mut lines =
        list.split(b'\n').map_while(Result::ok).map(|line| String::from_utf8_lossy(&line).into_owned());
    let maker = lines.find_map(|line| line.strip_prefix(&vendor).map(ToOwned::to_owned))?;
    let mut products = lines.take_while(|line| line.starts_with('\t') || line.starts_with('#'));
    match products.find_map(|line| line.strip_prefix(&product).map(ToOwned::to_owned)) {
        Some(product) => shown(&format!("{maker} {product}")),
        None => shown(&maker),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] =
        b"# comment\n0781  SanDisk Corp.\n\t5566  Cruzer\n# more\n\t5567  Cruzer Blade\n\t\t01  interface\n\
        0782  Other \xff\n\t5568  Thing\nC 00  (Defined at Interface level)\n";

    #[test]
    fn a_device_is_found_by_its_maker_and_its_number() {
        let name = |id: &str| find(LIST, id.parse().unwrap());
        assert_eq!(name("0781:5567").as_deref(), Some("SanDisk Corp. Cruzer Blade"));
        // The product is another maker's.
        assert_eq!(name("0781:5568").as_deref(), Some("SanDisk Corp."));
        assert_eq!(name("0782:5568").as_deref(), Some("Other \u{fffd} Thing"));
        assert_eq!(name("5567:0001"), None);
    }
}
