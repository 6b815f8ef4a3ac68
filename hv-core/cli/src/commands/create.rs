//! A new guest: planned, or made and followed until it is there.

use super::guests::changed;
use super::job;
use crate::args::Create;
use crate::console;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, PlanView, command_line};
use hv_api::client::{CallError, Connection, settle};
use hv_api::{Core, Created, GuestId, NewGuest, Plan};
use std::path::Path;

/// Makes a guest, or says what would be made.
pub async fn run(
    core: &mut Connection,
    socket: &Path,
    create: Create,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let (dry_run, console) = (create.dry_run, create.console);
    let guest = create.into_guest().map_err(Failure::Usage)?;
    if dry_run {
        return interrupt.guard(plan(core, &guest, output)).await;
    }
    let begin = async |core: &mut Connection| settle(core.create(&guest).await);
    let id = follow(core, socket, begin, output, interrupt).await?;
    output.flush()?;
    if console { console::attach(core, &id.to_string(), 0, interrupt).await } else { Ok(()) }
}

/// Begins to make a guest, follows that to its end, and says what the guest does then.
pub async fn follow(
    core: &mut Connection,
    socket: &Path,
    begin: impl AsyncFnOnce(&mut Connection) -> Result<Created, CallError>,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<GuestId, Failure> {
    // Once the core has begun, an interruption must cancel what it does. So the first one waits for
    // the answer, and the second one is for a core that does not answer.
    let call = async { Ok::<_, Failure>(begin(core).await?) };
    let (created, interrupted) = job::despite_one_interruption(call, interrupt).await?;
    job::follow(core, socket, created.job, interrupted, output, interrupt).await?;
    let id = created.guest.to_string();
    let guest = interrupt.guard(async { settle(core.show(&id).await) }).await?.guest;
    changed(&guest, output)?;
    Ok(created.guest)
}

async fn plan(core: &mut Connection, guest: &NewGuest, output: &mut Output) -> Result<(), Failure> {
    show_plan(&settle(core.plan(guest).await)?, output)
}

/// Shows a definition and the command that starts its engine.
pub fn show_plan(plan: &Plan, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&PlanView::from(plan));
    }
    output.text(plan.definition.trim_end())?;
    output.text("\n\n")?;
    output.line(&command_line(&plan.command))
}
