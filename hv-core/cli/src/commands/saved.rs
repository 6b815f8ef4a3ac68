//! Saving a guest and letting it go on, each a job that is followed to its end.

use super::guests::changed;
use super::job;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use hv_api::Core;
use hv_api::client::{Connection, settle};
use std::path::Path;

/// Which of the two.
#[derive(Debug, Clone, Copy)]
pub enum Direction {
    /// To the disk.
    Save,
    /// Back into memory; with `paused`, its CPUs stay stopped.
    Restore { paused: bool },
}

/// Does it, and says what the guest does then.
pub async fn run(
    core: &mut Connection,
    socket: &Path,
    guest: &str,
    direction: Direction,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let begin = async |core: &mut Connection| {
        let begun = match direction {
            Direction::Save => core.save(guest).await,
            Direction::Restore { paused } => core.restore(guest, paused.then_some(true)).await,
        };
        settle(begun).map(|begun| begun.job)
    };
    job::run(core, socket, begin, output, interrupt).await?;
    let reply = interrupt.guard(async { settle(core.show(guest).await) }).await?;
    changed(&reply.guest, output)
}
