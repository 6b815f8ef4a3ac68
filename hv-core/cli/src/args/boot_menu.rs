//! What is done with the boot menu on a guest's disk.

use clap::Subcommand;

/// What to do with the menu.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum BootMenuAction {
    /// Make an entry the default, by changing what the boot loader itself would change on the disk.
    Default {
        /// Its number.
        #[arg(required_unless_present = "undo")]
        entry: Option<u32>,
        /// Undo what was changed so last.
        #[arg(long, conflicts_with = "entry")]
        undo: bool,
    },
}
