//! What the core does with a guest without a person's word, written into the guest's log, which people can read.

use crate::engine::NOTE_MARK;
use hv_api::GuestInfo;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tracing::warn;

/// Writes it behind what the guest's engine wrote.
pub fn write(guest: &GuestInfo, words: &str) {
    if let Err(error) = append(Path::new(&guest.paths.engine_log), words) {
        warn!(guest = %guest.id, words, %error, "a note could not be written into the guest's log");
    }
}

fn append(log: &Path, words: &str) -> io::Result<()> {
    let mut log = File::options().append(true).create(true).mode(0o600).open(log)?;
    // In one piece and one line, whatever the engine writes meanwhile.
    let words = words.replace(char::is_control, " ");
    log.write_all(format!("{NOTE_MARK}{words}\n").as_bytes())
}
