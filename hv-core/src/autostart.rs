//! Guests that start with the session of their user.
//!
//! They start when a core begins for the first time in a session, not when one begins again after its end: a
//! note in the runtime folder, which goes with the session, tells the two apart. So that a core begins at all, an
//! entry in the desktop's autostart folder starts it, as long as some guest wants that.

use crate::guest::registry::Registry;
use crate::guest::state::Wish;
use crate::host::Folders;
use crate::store;
use futures_util::future::join_all;
use hv_api::GuestState;
use std::path::{Path, PathBuf};
use tracing::{info, warn};

/// The entry in the folder with what a desktop starts.
const ENTRY: &str = "dev.guesthouse.Core.desktop";

/// Starts the guests of which that is wanted, where the session has just begun.
pub async fn begin(registry: &Registry) {
    let note = registry.context().folders.runtime.join("autostarted");
    if note.exists() {
        return;
    }
    let wanted = registry.list().into_iter().filter(|guest| {
        guest.power.autostart && matches!(guest.state, GuestState::Off | GuestState::Crashed)
    });
    let starts = wanted.map(async |guest| {
        match registry.wish(&guest.id.to_string(), Wish::Start { paused: false }).await {
            Ok(_runs) => info!(guest = %guest.id, "started with the session"),
            Err(error) => warn!(guest = %guest.id, ?error, "it could not be started with the session"),
        }
    });
    join_all(starts).await;
    // Only now: a core that ends before this begins again with those that do not run yet.
    if let Err(error) = std::fs::write(&note, "") {
        warn!(%error, "guests would start again with the next core");
    }
}

/// Lets the desktop start the core, or not any more.
pub fn keep_entry(folders: &Folders, wanted: bool) {
    let folder = folders.config.join("autostart");
    let entry = folder.join(ENTRY);
    let done = match std::env::current_exe() {
        Ok(program) if wanted => {
            std::fs::create_dir_all(&folder).and_then(|()| store::replace(&entry, text(&program).as_bytes()))
        }
        Ok(_) => remove(&entry),
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        warn!(%error, entry = %entry.display(), "guests may not start with the session as they should");
    }
}

fn remove(entry: &PathBuf) -> std::io::Result<()> {
    match std::fs::remove_file(entry) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// The entry that starts this program.
fn text(program: &Path) -> String {
    let mut quoted = String::new();
    for c in program.to_string_lossy().chars() {
        match c {
            // Within quotes these have a meaning, and a backslash is taken away twice.
            '"' | '`' | '$' => quoted.extend(['\\', '\\', c]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            c => quoted.push(c),
        }
    }
    format!(
        "[Desktop Entry]\nType=Application\nName=Guesthouse\nComment=Starts the guests that start with the \
         session\nExec=\"{quoted}\"\nNoDisplay=true\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_in_an_odd_folder_is_one_word() {
        let entry = text(Path::new("/a b/$c/\"d\"/100%/hv-core"));
        assert!(entry.contains("\nExec=\"/a b/\\\\$c/\\\\\"d\\\\\"/100%%/hv-core\"\n"), "{entry}");
        assert_eq!(text(Path::new("/usr/bin/\nType=Link")).lines().count(), 6);
    }
}
