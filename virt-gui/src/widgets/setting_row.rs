//! Rows for settings that are chosen from a few or switched on and off. Each has the word that says when another value
//! takes effect, before anything is touched.

use super::badge;
use adw::prelude::*;
use std::cell::Cell;
use std::rc::Rc;

/// A row with a few choices.
#[derive(Debug)]
pub struct ChoiceRow<T> {
    row: adw::ComboRow,
    badge: gtk::Label,
    values: Rc<[T]>,
    /// Set while a value of the core is shown, which nobody has chosen.
    quiet: Rc<Cell<bool>>,
}

impl<T: Copy + PartialEq + 'static> ChoiceRow<T> {
    /// The row, with the word for each value; `chosen` hears which one somebody chooses.
    pub fn new(title: &str, values: &[T], word: impl Fn(T) -> String, chosen: impl Fn(T) + 'static) -> Self {
        let words: Vec<String> = values.iter().map(|value| word(*value)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let row = adw::ComboRow::builder().title(title).model(&gtk::StringList::new(&words)).build();
        show_whole(&row);
        let badge = add_badge(&row);
        badge.set_visible(false);
        let (values, quiet) = (Rc::<[T]>::from(values), Rc::new(Cell::new(false)));
        row.connect_selected_notify({
            let (values, quiet) = (Rc::clone(&values), Rc::clone(&quiet));
            move |row| {
                if let Some(value) = values.get(row.selected() as usize).filter(|_| !quiet.get()) {
                    chosen(*value);
                }
            }
        });
        Self { row, badge, values, quiet }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::ComboRow {
        &self.row
    }

    /// What is chosen.
    pub fn value(&self) -> Option<T> {
        self.values.get(self.row.selected() as usize).copied()
    }

    /// Says when what is chosen takes effect.
    pub fn say(&self, when: &str) {
        say(&self.badge, when);
    }

    /// Shows this value, and when another one would take effect.
    pub fn show(&self, value: T, when: &str) {
        let place = self.values.iter().position(|other| *other == value).unwrap_or_default();
        self.quiet.set(true);
        self.row.set_selected(place as u32);
        self.quiet.set(false);
        self.say(when);
    }
}

/// A row with a switch.
#[derive(Debug)]
pub struct SwitchRow {
    row: adw::ActionRow,
    switch: gtk::Switch,
    badge: gtk::Label,
    /// Set while a value of the core is shown, which nobody has chosen.
    quiet: Rc<Cell<bool>>,
}

impl SwitchRow {
    /// The row; `switched` hears what somebody makes of it.
    pub fn new(title: &str, subtitle: &str, switched: impl Fn(bool) + 'static) -> Self {
        let switch = gtk::Switch::builder().valign(gtk::Align::Center).build();
        switch.update_property(&[gtk::accessible::Property::Label(title)]);
        let row =
            adw::ActionRow::builder().title(title).subtitle(subtitle).activatable_widget(&switch).build();
        let badge = badge("");
        badge.set_visible(false);
        row.add_suffix(&badge);
        row.add_suffix(&switch);
        describe(&switch, &badge);
        let quiet = Rc::new(Cell::new(false));
        switch.connect_active_notify({
            let quiet = Rc::clone(&quiet);
            move |switch| {
                if !quiet.get() {
                    switched(switch.is_active());
                }
            }
        });
        Self { row, switch, badge, quiet }
    }

    /// The widget.
    pub fn widget(&self) -> &adw::ActionRow {
        &self.row
    }

    /// What it is switched to.
    pub fn is_on(&self) -> bool {
        self.switch.is_active()
    }

    /// Shows this value, and when another one would take effect.
    pub fn show(&self, on: bool, when: &str) {
        self.quiet.set(true);
        self.switch.set_active(on);
        self.quiet.set(false);
        say(&self.badge, when);
    }

    /// Whether it can be switched.
    pub fn set_sensitive(&self, sensitive: bool) {
        self.switch.set_sensitive(sensitive);
    }
}

/// Shows what is chosen whole, however long the words before it are, which can be cut: it is what the row is for.
fn show_whole(row: &adw::ComboRow) {
    row.set_list_factory(row.factory().as_ref());
    let whole = gtk::SignalListItemFactory::new();
    whole.connect_setup(|_, item| {
        if let Some(item) = item.downcast_ref::<gtk::ListItem>() {
            item.set_child(Some(&gtk::Label::new(None)));
        }
    });
    whole.connect_bind(|_, item| {
        let Some(item) = item.downcast_ref::<gtk::ListItem>() else { return };
        let (text, label) =
            (item.item().and_downcast::<gtk::StringObject>(), item.child().and_downcast::<gtk::Label>());
        if let (Some(text), Some(label)) = (text, label) {
            label.set_label(&text.string());
        }
    });
    row.set_factory(Some(&whole));
}

fn say(badge: &gtk::Label, when: &str) {
    badge.set_label(when);
    badge.set_visible(!when.is_empty());
}

/// Adds the word that says when to a row with a choice.
pub fn add_badge(row: &adw::ComboRow) -> gtk::Label {
    let badge = badge("");
    row.add_suffix(&badge);
    // As in other rows, before what it speaks of.
    if let Some(suffixes) = badge.parent().and_downcast::<gtk::Box>() {
        suffixes.reorder_child_after(&badge, gtk::Widget::NONE);
    }
    describe(row, &badge);
    badge
}

/// Lets screen readers say with a control when it takes effect.
pub fn describe(control: &impl IsA<gtk::Accessible>, badge: &gtk::Label) {
    control.update_relation(&[gtk::accessible::Relation::DescribedBy(&[badge.upcast_ref()])]);
}
