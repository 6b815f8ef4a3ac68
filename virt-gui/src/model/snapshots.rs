//! A guest's snapshots as rows: each beneath that after which it was taken, and where the guest is now. Pure.

use hv_api::{GuestInfo, GuestState, SnapshotId, SnapshotInfo};
use virt_kit::i18n::{gettext, gettext_f};

/// Deeper than this, rows would have no room for words: those below stand as far in.
const DEEPEST: usize = 8;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The snapshot; nothing for what the guest is now.
    pub snapshot: Option<SnapshotInfo>,
    /// How many others it comes after, as far as that is shown.
    pub depth: usize,
}

/// The rows from top to bottom; none where there are no snapshots.
pub fn rows(guest: &GuestInfo) -> Vec<Row> {
    let mut rows = Vec::new();
    if !guest.snapshots.is_empty() {
        add_after(None, 0, guest, &mut rows);
    }
    rows
}

fn add_after(parent: Option<SnapshotId>, depth: usize, guest: &GuestInfo, rows: &mut Vec<Row>) {
    let shown = depth.min(DEEPEST);
    for snapshot in guest.snapshots.iter().filter(|snapshot| snapshot.parent == parent) {
        rows.push(Row { snapshot: Some(snapshot.clone()), depth: shown });
        add_after(Some(snapshot.id), depth + 1, guest, rows);
    }
    if guest.current_snapshot == parent {
        rows.push(Row { snapshot: None, depth: shown });
    }
}

/// What a snapshot has, beneath its name; `taken` is when, in words.
pub fn subtitle(snapshot: &SnapshotInfo, taken: &str) -> String {
    match snapshot.memory {
        Some(memory) => gettext_f(
            // Translators: when a snapshot was taken, of a guest that ran, and the size of its memory.
            "{taken} · with memory, {memory}",
            &[("taken", taken), ("memory", &memory.to_string())],
        ),
        // Translators: when a snapshot was taken, of a guest that was off.
        None => gettext_f("{taken} · the guest was off", &[("taken", taken)]),
    }
}

/// Why no snapshot can be taken now; nothing where one can.
pub fn take_refusal(state: GuestState) -> Option<String> {
    match state {
        GuestState::Off
        | GuestState::Crashed
        | GuestState::Running
        | GuestState::Paused
        | GuestState::Saved => None,
        GuestState::Starting | GuestState::Saving | GuestState::ShuttingDown => {
            Some(gettext("The guest is between two states. Wait a moment."))
        }
        GuestState::Unavailable => Some(gettext("The guest's definition can't be read.")),
    }
}

/// Why no other guest can be made of it now; nothing where one can.
pub fn clone_refusal(state: GuestState) -> Option<String> {
    match state {
        GuestState::Off | GuestState::Crashed => None,
        GuestState::Unavailable => Some(gettext("The guest's definition can't be read.")),
        _ => Some(gettext("Only a guest that is off can be cloned: its disks must not change meanwhile.")),
    }
}

/// A name for the next snapshot that none has yet.
pub fn next_name(guest: &GuestInfo) -> String {
    let taken = |name: &str| guest.snapshots.iter().any(|snapshot| snapshot.name == name);
    // Translators: the name that a new snapshot gets where nobody chooses another.
    let name = |number: usize| gettext_f("Snapshot {number}", &[("number", &number.to_string())]);
    let count = guest.snapshots.len();
    (count + 1..=2 * count + 1).map(name).find(|name| !taken(name)).unwrap_or_default()
}

/// A name for the snapshot that is taken before the guest is put back to another.
pub fn name_before(guest: &GuestInfo, snapshot: &str) -> String {
    let taken = |name: &str| guest.snapshots.iter().any(|snapshot| snapshot.name == name);
    // Translators: the name of a snapshot that is taken before another one is restored.
    let name = gettext_f("Before “{snapshot}”", &[("snapshot", snapshot)]);
    // Names have at most 64 characters.
    let name: String = name.chars().take(58).collect();
    let numbered = (2..=guest.snapshots.len() + 2).map(|number| format!("{name} ({number})"));
    std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use hv_api::ByteSize;

    fn snapshot(name: &str, parent: Option<SnapshotId>) -> SnapshotInfo {
        SnapshotInfo {
            id: SnapshotId::random(),
            name: name.into(),
            note: None,
            parent,
            taken: 0,
            memory: None,
            running: false,
            picture: None,
        }
    }

    fn guest() -> GuestInfo {
        let mut guest = testing::guest("one", GuestState::Off);
        let clean = snapshot("clean", None);
        let update = snapshot("update", Some(clean.id));
        let other = snapshot("other", Some(clean.id));
        guest.current_snapshot = Some(update.id);
        guest.snapshots = vec![clean, update, other];
        guest
    }

    #[test]
    fn each_stands_beneath_that_after_which_it_was_taken_and_now_has_its_place() {
        let names = |guest: &GuestInfo| -> Vec<(String, usize)> {
            let name = |row: &Row| row.snapshot.as_ref().map_or("now", |snapshot| &snapshot.name).to_owned();
            rows(guest).iter().map(|row| (name(row), row.depth)).collect()
        };
        let expected = [("clean", 0), ("update", 1), ("now", 2), ("other", 1)];
        assert_eq!(names(&guest()), expected.map(|(name, depth)| (name.to_owned(), depth)));
        assert_eq!(names(&testing::guest("none", GuestState::Off)), []);
    }

    #[test]
    fn a_long_chain_leaves_room_for_words() {
        let mut guest = testing::guest("one", GuestState::Off);
        for number in 0..20 {
            let parent = guest.snapshots.last().map(|last| last.id);
            guest.snapshots.push(snapshot(&number.to_string(), parent));
        }
        assert_eq!(rows(&guest).iter().map(|row| row.depth).max(), Some(DEEPEST));
    }

    #[test]
    fn names_that_are_offered_are_free() {
        let mut guest = guest();
        assert_eq!(next_name(&guest), "Snapshot 4");
        guest.snapshots.push(snapshot("Snapshot 5", None));
        assert_eq!(next_name(&guest), "Snapshot 6");
        assert_eq!(name_before(&guest, "clean"), "Before “clean”");
        guest.snapshots.push(snapshot("Before “clean”", None));
        assert_eq!(name_before(&guest, "clean"), "Before “clean” (2)");
        assert!(name_before(&guest, &"x".repeat(64)).chars().count() <= 64);
    }

    #[test]
    fn what_a_snapshot_has_is_said() {
        let mut one = snapshot("one", None);
        assert_eq!(subtitle(&one, "14:03"), "14:03 · the guest was off");
        one.memory = Some(ByteSize::mib(300));
        assert_eq!(subtitle(&one, "14:03"), "14:03 · with memory, 300 MiB");
    }
}
