//! A guest's snapshots: shown as a tree, taken, put back, renamed and deleted.

use super::guests::changed;
use super::job;
use crate::args::SnapshotAction;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, SnapshotsView, moment, table};
use hv_api::client::{Connection, settle};
use hv_api::{Core, GuestInfo, SnapshotId};
use std::path::Path;

/// Does what was asked for with a guest's snapshots.
pub async fn run(
    core: &mut Connection,
    socket: &Path,
    guest: &str,
    action: SnapshotAction,
    output: &mut Output,
    interrupt: &mut Interrupt,
) -> Result<(), Failure> {
    let reply = match action {
        SnapshotAction::List => interrupt.guard(async { settle(core.show(guest).await) }).await?,
        SnapshotAction::Take { name, note } => {
            let begin = async |core: &mut Connection| {
                settle(core.take_snapshot(guest, &name, note.as_deref()).await).map(|begun| begun.job)
            };
            job::run(core, socket, begin, output, interrupt).await?;
            interrupt.guard(async { settle(core.show(guest).await) }).await?
        }
        SnapshotAction::Restore { snapshot, paused } => {
            let begin = async |core: &mut Connection| {
                let begun = core.restore_snapshot(guest, &snapshot, paused.then_some(true)).await;
                settle(begun).map(|begun| begun.job)
            };
            job::run(core, socket, begin, output, interrupt).await?;
            let reply = interrupt.guard(async { settle(core.show(guest).await) }).await?;
            return changed(&reply.guest, output);
        }
        SnapshotAction::Edit { snapshot, name, note } => {
            let call = core.edit_snapshot(guest, &snapshot, name.as_deref(), note.as_deref());
            interrupt.guard(async { settle(call.await) }).await?
        }
        SnapshotAction::Delete { snapshot } => {
            interrupt.guard(async { settle(core.delete_snapshot(guest, &snapshot).await) }).await?
        }
    };
    show(&reply.guest, output)
}

fn show(guest: &GuestInfo, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&SnapshotsView::from(guest));
    }
    let mut rows = Vec::new();
    add_after(None, 0, guest, &mut rows);
    output.text(&table(["SNAPSHOT", "TAKEN", "MEMORY"], rows))
}

/// The rows of all that came after a snapshot, each followed by what came after it; where the guest is now as well.
fn add_after(parent: Option<SnapshotId>, depth: usize, guest: &GuestInfo, rows: &mut Vec<[String; 3]>) {
    let indent = "  ".repeat(depth);
    for snapshot in guest.snapshots.iter().filter(|snapshot| snapshot.parent == parent) {
        let memory = snapshot.memory.map_or_else(|| "off".into(), |size| size.to_string());
        rows.push([format!("{indent}{}", snapshot.name), moment(snapshot.taken), memory]);
        add_after(Some(snapshot.id), depth + 1, guest, rows);
    }
    if guest.current_snapshot == parent {
        rows.push([format!("{indent}(now)"), String::new(), String::new()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::{ByteSize, GuestId, GuestState, SnapshotInfo};

    fn snapshot(name: &str, parent: Option<SnapshotId>, memory: Option<ByteSize>) -> SnapshotInfo {
        let (id, running) = (SnapshotId::random(), memory.is_some());
        SnapshotInfo { id, name: name.into(), note: None, parent, taken: 0, memory, running, picture: None }
    }

    #[test]
    fn each_stands_below_that_after_which_it_was_taken() {
        let mut guest = GuestInfo::new(GuestId::random(), "one", GuestState::Off);
        let clean = snapshot("clean", None, None);
        let update = snapshot("update", Some(clean.id), Some(ByteSize::mib(300)));
        let other = snapshot("other", Some(clean.id), None);
        guest.current_snapshot = Some(update.id);
        guest.snapshots = vec![clean, update, other];
        let mut rows = Vec::new();
        add_after(None, 0, &guest, &mut rows);
        let names: Vec<_> = rows.iter().map(|row| &*row[0]).collect();
        assert_eq!(names, ["clean", "  update", "    (now)", "  other"]);
        assert_eq!(rows.iter().map(|row| &*row[2]).collect::<Vec<_>>(), ["off", "300 MiB", "", "off"]);
    }
}
