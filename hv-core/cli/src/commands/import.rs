//! A guest made of another program's, with what becomes of each thing that its file says.

use super::create;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, escaped};
use hv_api::client::{Connection, settle};
use hv_api::problem::{import_outcome, import_reason};
use hv_api::{Core, ImportPlan};
use std::path::Path;

/// What is wished.
#[derive(Debug)]
pub struct Wish {
    /// The file.
    pub file: String,
    /// Which machine, of several in it.
    pub machine: Option<String>,
    /// Another name.
    pub name: Option<String>,
    /// Start it when it is made.
    pub start: bool,
    /// Only say what would be.
    pub dry_run: bool,
}

/// Says what a file would be here, and makes it.
pub async fn run(
    core: &mut Connection,
    socket: &Path,
    wish: Wish,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let asked =
        async { Ok::<_, Failure>(settle(core.plan_import(&wish.file, wish.machine.as_deref()).await)?) };
    let mut plan = interrupt.guard(asked).await?;
    if let Some(name) = wish.name {
        plan.guest.name = name;
    }
    show(&plan, output)?;
    if wish.dry_run {
        return Ok(());
    }
    output.flush()?;
    plan.guest.start = wish.start.then_some(true);
    let begin = async |core: &mut Connection| settle(core.create(&plan.guest).await);
    create::follow(core, socket, begin, output, interrupt).await.map(drop)
}

fn show(plan: &ImportPlan, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(plan);
    }
    let same = |text: &str| text.to_owned();
    let words: Vec<String> = plan.notes.iter().map(|note| import_outcome(note.outcome, &same)).collect();
    let width = words.iter().map(|word| word.chars().count()).max().unwrap_or_default();
    for (note, word) in plan.notes.iter().zip(words) {
        output.line(&format!("{word:width$}  {}", escaped(&note.item)))?;
        if let Some(reason) = note.reason {
            output.line(&format!("{:width$}  {}", "", import_reason(reason, &same)))?;
        }
    }
    Ok(())
}
