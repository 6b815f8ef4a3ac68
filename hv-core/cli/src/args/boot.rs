//! Settings of how a guest's machine starts, as `hv set` reads them.

use clap::ValueEnum;
use hv_api::{BootSettings, Firmware};

/// Their keys, for people.
pub const KEYS: &str =
    "firmware, secure-boot, tpm, boot, kernel, initrd, append, kernel-disk, kernel-entry, cpu-model";

/// The firmware of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FirmwareName {
    /// The PC's traditional firmware.
    Bios,
    /// UEFI, with variables of its own.
    Uefi,
}

impl From<FirmwareName> for Firmware {
    fn from(name: FirmwareName) -> Self {
        match name {
            FirmwareName::Bios => Self::Bios,
            FirmwareName::Uefi => Self::Uefi,
        }
    }
}

/// Takes one in; true where it stood there already. Nothing where the key is not one of these.
pub fn take(settings: &mut BootSettings, key: &str, value: &str) -> Option<Result<bool, String>> {
    Some(match key {
        "firmware" => FirmwareName::from_str(value, false)
            .map(|name| settings.firmware.replace(name.into()).is_some())
            .map_err(|_unknown| format!("“{value}” is no firmware; there are bios and uefi")),
        "secure-boot" => switch(value).map(|on| settings.secure_boot.replace(on).is_some()),
        "tpm" => switch(value).map(|on| settings.tpm.replace(on).is_some()),
        "boot" => {
            let names = value.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
            Ok(settings.order.replace(names.collect()).is_some())
        }
        "kernel" => path_or_none(value).map(|path| settings.kernel.replace(path).is_some()),
        "initrd" => path_or_none(value).map(|path| settings.initrd.replace(path).is_some()),
        "append" => Ok(settings.append.replace(value.to_owned()).is_some()),
        "kernel-disk" => Ok(settings.kernel_disk.replace(value.to_owned()).is_some()),
        "kernel-entry" => Ok(settings.kernel_entry.replace(value.to_owned()).is_some()),
        "cpu-model" => Ok(settings.cpu_model.replace(value.to_owned()).is_some()),
        _ => return None,
    })
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "on" | "yes" => Ok(true),
        "false" | "off" | "no" => Ok(false),
        other => Err(format!("“{other}” is neither true nor false")),
    }
}

/// Nothing takes away what was there.
fn path_or_none(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { super::path(text) }
}
