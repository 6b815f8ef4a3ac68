//! What becomes of a machine of another program's: a row that unfolds to all that its file says, with what is
//! otherwise first in sight.

use super::centred;
use crate::texts;
use adw::prelude::*;
use hv_api::problem::import_outcome;
use hv_api::{ImportNote, ImportOutcome};
use std::cell::RefCell;
use virt_kit::i18n::gettext;

/// The list with the row.
#[derive(Debug)]
pub struct PlanList {
    root: gtk::ListBox,
    shown: RefCell<Vec<ImportNote>>,
}

impl PlanList {
    /// The list, with nothing in it.
    pub fn new() -> Self {
        let root = super::list();
        root.set_visible(false);
        super::name(&root, &gettext("What Becomes of It"));
        Self { root, shown: RefCell::default() }
    }

    /// The widget.
    pub const fn widget(&self) -> &gtk::ListBox {
        &self.root
    }

    /// Shows what becomes of a machine; nothing hides it.
    pub fn show(&self, notes: &[ImportNote]) {
        self.root.set_visible(!notes.is_empty());
        if *self.shown.borrow() == notes {
            return;
        }
        self.shown.replace(notes.to_vec());
        while let Some(row) = self.root.row_at_index(0) {
            self.root.remove(&row);
        }
        let whole = adw::ExpanderRow::builder()
            .title(gettext("What Becomes of It"))
            .subtitle(texts::plan_summary(notes))
            .use_markup(false)
            .build();
        // What needs a look stands first; within that, the order of the file.
        let mut sorted: Vec<&ImportNote> = notes.iter().collect();
        sorted.sort_by_key(|note| match note.outcome {
            ImportOutcome::Lost => 0,
            ImportOutcome::Changed => 1,
            ImportOutcome::Kept => 2,
        });
        for note in sorted {
            whole.add_row(&row(note));
        }
        self.root.append(&whole);
    }
}

fn row(note: &ImportNote) -> adw::ActionRow {
    let row = adw::ActionRow::builder()
        .title(&note.item)
        .subtitle(texts::plan_note(note).unwrap_or_default())
        .use_markup(false)
        .title_lines(2)
        .build();
    let icon = match note.outcome {
        ImportOutcome::Kept => "emblem-ok-symbolic",
        ImportOutcome::Changed => "dialog-information-symbolic",
        ImportOutcome::Lost => "dialog-warning-symbolic",
    };
    let icon = centred(icon);
    row.add_prefix(&icon);
    let word = gtk::Label::builder()
        .label(import_outcome(note.outcome, &|text| gettext(text)))
        .css_classes(["caption", "dim-label"])
        .build();
    row.add_suffix(&word);
    row
}
