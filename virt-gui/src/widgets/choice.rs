//! A row with a few choices and the word that says when another one takes effect.

use super::badge;
use adw::prelude::*;

/// The row.
#[derive(Debug)]
pub struct ChoiceRow {
    /// The widget.
    pub row: adw::ComboRow,
    badge: gtk::Label,
}

impl ChoiceRow {
    /// A row called `title` with these choices.
    pub fn new(title: &str, words: &[String]) -> Self {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let row = adw::ComboRow::builder().title(title).model(&gtk::StringList::new(&words)).build();
        let badge = badge("");
        row.add_suffix(&badge);
        // As in other rows, before what it speaks of.
        if let Some(suffixes) = badge.parent().and_downcast::<gtk::Box>() {
            suffixes.reorder_child_after(&badge, gtk::Widget::NONE);
        }
        describe(&row, &badge);
        Self { row, badge }
    }

    /// Shows the choice at this place, and when another one takes effect.
    pub fn show(&self, place: Option<usize>, when: &str) {
        self.row.set_selected(place.unwrap_or_default() as u32);
        self.badge.set_label(when);
    }
}

/// Lets screen readers say with a control when it takes effect.
pub fn describe(control: &impl IsA<gtk::Accessible>, badge: &gtk::Label) {
    control.update_relation(&[gtk::accessible::Relation::DescribedBy(&[badge.upcast_ref()])]);
}
