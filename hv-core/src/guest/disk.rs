//! A guest's disks, as its definition has them. Pure.

use crate::engine::{DiskConfig, DiskFormat, DiskName};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::{Path, PathBuf};

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Disk {
    /// Its name.
    pub name: DiskName,
    /// The file behind it.
    pub path: PathBuf,
    /// Its format.
    pub format: DiskFormat,
}

impl Disk {
    /// A disk that is as disks are where nothing else is said.
    pub fn new(name: DiskName, path: impl Into<PathBuf>, format: DiskFormat) -> Self {
        Self { name, path: path.into(), format }
    }

    /// As an engine is asked for it. `folder` is the guest's own.
    pub fn config(&self, folder: &Path) -> DiskConfig {
        let Self { name, path, format } = self.clone();
        DiskConfig { name, path: folder.join(path), format }
    }
}

/// Reads a guest's disks. Those of a file from a time in which disks had no names are called by their places.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Disk>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Written {
        name: Option<DiskName>,
        path: PathBuf,
        format: DiskFormat,
    }
    let written = Vec::<Written>::deserialize(deserializer)?;
    let mut disks: Vec<Disk> = Vec::new();
    for (place, Written { name, path, format }) in written.into_iter().enumerate() {
        let name =
            name.or_else(|| DiskName::numbered(place)).ok_or_else(|| D::Error::custom("too many disks"))?;
        if disks.iter().any(|disk| disk.name == name) {
            return Err(D::Error::custom(format!("two disks are called {name}")));
        }
        disks.push(Disk { name, path, format });
    }
    Ok(disks)
}
