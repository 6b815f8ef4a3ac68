//! What is asked before something is done with snapshots, and before a guest is cloned.

use crate::model::snapshots::{name_before, next_name};
use crate::widgets::question::{Answer, allow, answer, ask, question, rows};
use crate::widgets::setting_row::SwitchRow;
use adw::prelude::*;
use hv_api::{GuestInfo, GuestState, SnapshotInfo};
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// Asks for the name of a new snapshot and a note about it.
pub fn take(parent: &impl IsA<gtk::Window>, guest: &GuestInfo, yes: impl Fn(String, String) + 'static) {
    let heading = gettext_f("Take a Snapshot of “{guest}”", &[("guest", &guest.name)]);
    let body = match guest.state {
        GuestState::Running => {
            gettext("The guest stands still while its memory is written, and goes on then.")
        }
        GuestState::Paused => gettext("Its memory is kept as well."),
        _ => gettext("Its settings and its disks are kept as they are."),
    };
    let name = adw::EntryRow::builder().title(gettext("Name")).text(next_name(guest)).build();
    let note = adw::EntryRow::builder().title(gettext("Note")).build();
    let dialog = question(Some(parent), &heading, &body, &gettext("_Take Snapshot"), Answer::Usual);
    let _rows = with_rows(&dialog, &name, Some(&note));
    ask(&dialog, move || yes(name.text().into(), note.text().into()));
}

/// Asks before a guest is put back; `yes` is told by what name a snapshot of what it is now is taken first.
pub fn restore(
    parent: &impl IsA<gtk::Window>,
    guest: &GuestInfo,
    snapshot: &SnapshotInfo,
    yes: impl Fn(Option<String>) + 'static,
) {
    let heading = gettext_f("Restore “{snapshot}”?", &[("snapshot", &snapshot.name)]);
    let body = if guest.pid.is_some() {
        gettext(
            "What is on the guest's disks now, what runs in it and its settings are lost. It is forced off first.",
        )
    } else if guest.state == GuestState::Saved {
        gettext("What is on the guest's disks now, its saved state and its settings are lost.")
    } else {
        gettext("What is on the guest's disks now and its settings are lost.")
    };
    let dialog = question(Some(parent), &heading, &body, &gettext("_Restore"), Answer::Destructive);
    let first = gtk::CheckButton::with_label(&gettext("Take a snapshot of the current state first"));
    first.set_active(true);
    let name = name_before(guest, &snapshot.name);
    dialog.set_extra_child(Some(&first));
    ask(&dialog, move || yes(first.is_active().then(|| name.clone())));
}

/// Asks for another name and note.
pub fn edit(parent: &impl IsA<gtk::Window>, snapshot: &SnapshotInfo, yes: impl Fn(String, String) + 'static) {
    let heading = gettext("Name and Note");
    let name = adw::EntryRow::builder().title(gettext("Name")).text(&snapshot.name).build();
    let old = snapshot.note.as_deref().unwrap_or_default();
    let note = adw::EntryRow::builder().title(gettext("Note")).text(old).build();
    let dialog = question(Some(parent), &heading, "", &gettext("_Save"), Answer::Usual);
    let _rows = with_rows(&dialog, &name, Some(&note));
    ask(&dialog, move || yes(name.text().into(), note.text().into()));
}

/// Asks before a snapshot is deleted.
pub fn delete(parent: &impl IsA<gtk::Window>, snapshot: &SnapshotInfo, yes: impl Fn() + 'static) {
    let heading = gettext_f("Delete Snapshot “{snapshot}”?", &[("snapshot", &snapshot.name)]);
    let body = gettext("You can't go back to it then. Other snapshots stay, and the guest is as it is.");
    let dialog = question(Some(parent), &heading, &body, &gettext("_Delete"), Answer::Destructive);
    ask(&dialog, yes);
}

/// Asks for the name of a clone, and whether it is to share what the disks hold now.
pub fn clone(
    parent: &impl IsA<gtk::Window>,
    guest: &GuestInfo,
    snapshot: Option<&SnapshotInfo>,
    yes: impl Fn(String, bool) + 'static,
) {
    let heading = gettext_f("Clone “{guest}”", &[("guest", &guest.name)]);
    let what = match snapshot {
        Some(snapshot) => {
            gettext_f("The new guest is what this one was in “{snapshot}”.", &[("snapshot", &snapshot.name)])
        }
        None => gettext("The new guest is what this one is now."),
    };
    let same = gettext(
        "It has disks and network addresses of its own. The system in it does not know that: its name and its users are the same.",
    );
    // Translators: the name that is offered for the copy of a guest.
    let offered = gettext_f("{guest} (copy)", &[("guest", &guest.name)]);
    let name = adw::EntryRow::builder().title(gettext("Name")).text(offered).build();
    let dialog =
        question(Some(parent), &heading, &format!("{what} {same}"), &gettext("_Clone"), Answer::Usual);
    let rows = with_rows(&dialog, &name, None);
    let linked = SwitchRow::new(
        &gettext("Share the Disks"),
        &gettext("Made at once; each guest takes up room only for what it changes."),
        |_| {},
    );
    linked.widget().set_subtitle_lines(0);
    // A snapshot is kept within the disks, which could not change any more.
    if snapshot.is_none() && guest.snapshots.is_empty() {
        rows.append(linked.widget());
    }
    ask(&dialog, move || yes(name.text().into(), linked.is_on()));
}

/// Fields for a name, without which there is nothing to say yes to, and for a note; gives the list in which they are.
fn with_rows(
    dialog: &adw::MessageDialog,
    name: &adw::EntryRow,
    note: Option<&adw::EntryRow>,
) -> gtk::ListBox {
    let rows = rows();
    rows.set_width_request(260);
    rows.append(name);
    if let Some(note) = note {
        rows.append(note);
    }
    dialog.set_extra_child(Some(&rows));
    let check: Rc<dyn Fn(&adw::EntryRow)> = {
        let dialog = dialog.downgrade();
        Rc::new(move |name| {
            if let Some(dialog) = dialog.upgrade() {
                allow(&dialog, !name.text().trim().is_empty());
            }
        })
    };
    name.connect_changed({
        let check = Rc::clone(&check);
        move |name| check(name)
    });
    for row in std::iter::once(name).chain(note) {
        let dialog = dialog.downgrade();
        row.connect_entry_activated(move |_| {
            if let Some(dialog) = dialog.upgrade() {
                answer(&dialog);
            }
        });
    }
    rows
}
