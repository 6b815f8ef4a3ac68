//! What becomes of a machine of another program's: a row that unfolds to all that its file says, with what is
//! otherwise first in sight, and one for each licence that its maker wants read.

use super::centred;
use crate::texts;
use adw::prelude::*;
use hv_api::problem::import_outcome;
use hv_api::{ImportNote, ImportOutcome, ImportPlan};
use std::cell::RefCell;
use virt_kit::i18n::{gettext, gettext_f};

/// The list with the row.
#[derive(Debug)]
pub struct PlanList {
    root: gtk::ListBox,
    shown: RefCell<Option<ImportPlan>>,
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
    pub fn show(&self, plan: Option<&ImportPlan>) {
        let shown = plan.filter(|plan| !plan.notes.is_empty() || !plan.licences.is_empty());
        self.root.set_visible(shown.is_some());
        if self.shown.borrow().as_ref() == shown {
            return;
        }
        self.shown.replace(shown.cloned());
        while let Some(row) = self.root.row_at_index(0) {
            self.root.remove(&row);
        }
        let Some(ImportPlan { notes, licences, .. }) = shown else { return };
        if !notes.is_empty() {
            self.root.append(&whole(notes));
        }
        for (number, text) in (1..).zip(licences) {
            self.root.append(&licence(number, licences.len(), text));
        }
    }
}

/// All that a machine's file says.
fn whole(notes: &[ImportNote]) -> adw::ExpanderRow {
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
    whole
}

/// A licence, which whoever uses the machine agrees to.
fn licence(number: usize, count: usize, words: &str) -> adw::ExpanderRow {
    /// What is seen at once of one that is long, in pixels.
    const HEIGHT: i32 = 240;
    /// One that is shorter is seen as a whole, in characters and lines.
    const SHORT: usize = 400;
    const LINES: usize = 10;
    let title = if count == 1 {
        gettext("Licence")
    } else {
        // Translators: one of several licences, as “Licence 2”.
        gettext_f("Licence {number}", &[("number", &number.to_string())])
    };
    let row = adw::ExpanderRow::builder()
        .title(&title)
        .subtitle(gettext("Whoever uses this machine agrees to it"))
        .use_markup(false)
        .build();
    let body = super::text(&[]);
    body.set_label(words);
    body.set_selectable(true);
    for set in [gtk::Label::set_margin_top, gtk::Label::set_margin_bottom] {
        set(&body, 12);
    }
    body.set_margin_start(12);
    body.set_margin_end(12);
    let is_long = words.chars().count() > SHORT || words.lines().count() > LINES;
    let within = gtk::ListBoxRow::builder().activatable(false).build();
    if is_long {
        let scrolled = gtk::ScrolledWindow::builder()
            .hscrollbar_policy(gtk::PolicyType::Never)
            .min_content_height(HEIGHT)
            .child(&body)
            .build();
        within.set_child(Some(&scrolled));
    } else {
        within.set_child(Some(&body));
    }
    super::name(&within, &title);
    row.add_row(&within);
    row
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
