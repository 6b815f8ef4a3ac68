//! What things are called for people that have no name of their own.

use crate::i18n::gettext;
use hv_api::Firmware;

/// The firmware that can be chosen: its kind, and whether it starts only what is signed.
pub type FirmwareKind = (Firmware, bool);

/// In the order in which they are offered.
pub const FIRMWARE_KINDS: [FirmwareKind; 3] =
    [(Firmware::Bios, false), (Firmware::Uefi, false), (Firmware::Uefi, true)];

/// What it is called.
pub fn firmware_name(kind: FirmwareKind) -> String {
    match kind {
        (Firmware::Bios, _) => gettext("BIOS"),
        (Firmware::Uefi, false) => gettext("UEFI"),
        (Firmware::Uefi, true) => gettext("UEFI with Secure Boot"),
    }
}

/// The last part of a path; the whole where it has none.
pub fn file_name(path: &str) -> String {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_by_the_end_of_its_path() {
        assert_eq!(file_name("/isos/a b.iso"), "a b.iso");
        assert_eq!(file_name("/isos/folder/"), "folder");
        assert_eq!(file_name("/"), "/");
    }
}
