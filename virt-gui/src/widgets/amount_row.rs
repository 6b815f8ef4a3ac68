//! A row for an amount with limits: a field to type into, a slider with a mark, and the word that says
//! when a change takes effect.

use crate::model::hardware::Amount;
use adw::prelude::*;
use gtk::glib;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use virt_kit::i18n::gettext;

/// How long after the last movement a new value is told, so that a drag is one change.
const SETTLE: Duration = Duration::from_millis(500);

/// How an amount is written and read.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Writes it.
    pub write: fn(u64) -> String,
    /// Reads it; nothing where it is not an amount.
    pub read: fn(&str) -> Option<u64>,
}

/// The row.
pub struct AmountRow {
    row: adw::PreferencesRow,
    adjustment: gtk::Adjustment,
    scale: gtk::Scale,
    spin: gtk::SpinButton,
    badge: gtk::Label,
    hint: gtk::Label,
    showing: Rc<Cell<bool>>,
    settling: Rc<RefCell<Option<glib::SourceId>>>,
    changed: Rc<dyn Fn(u64)>,
    marked: Cell<Option<(u64, u64)>>,
    /// What is shown.
    amount: Rc<RefCell<Option<Amount>>>,
}

impl std::fmt::Debug for AmountRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AmountRow").field("value", &self.adjustment.value()).finish_non_exhaustive()
    }
}

impl AmountRow {
    /// A row called `title`; `changed` is told each value that somebody has settled on.
    pub fn new(title: &str, step: u64, format: Format, changed: impl Fn(u64) + 'static) -> Self {
        let adjustment = gtk::Adjustment::new(0.0, 0.0, 1.0, step as f64, step as f64 * 4.0, 0.0);
        let name =
            gtk::Label::builder().label(title).xalign(0.0).hexpand(true).css_classes(["title"]).build();
        let badge = super::badge("");
        let spin = gtk::SpinButton::builder()
            .adjustment(&adjustment)
            .climb_rate(step as f64)
            .width_chars(7)
            .valign(gtk::Align::Center)
            .build();
        spin.connect_input(move |spin| (format.read)(&spin.text()).map(|value| Ok(value as f64)));
        spin.connect_output(move |spin| {
            let text = (format.write)(spin.value() as u64);
            if spin.text() != text {
                spin.set_text(&text);
            }
            glib::Propagation::Stop
        });
        let hint = gtk::Label::builder().xalign(0.0).wrap(true).css_classes(["caption", "dim-label"]).build();
        let scale = gtk::Scale::builder().adjustment(&adjustment).draw_value(false).hexpand(true).build();
        super::ignore_wheel(&spin);
        super::ignore_wheel(&scale);
        for control in [spin.upcast_ref::<gtk::Accessible>(), scale.upcast_ref()] {
            control.update_relation(&[
                gtk::accessible::Relation::LabelledBy(&[name.upcast_ref()]),
                gtk::accessible::Relation::DescribedBy(&[badge.upcast_ref(), hint.upcast_ref()]),
            ]);
        }

        let head = gtk::Box::builder().spacing(12).build();
        head.append(&name);
        head.append(&badge);
        head.append(&spin);
        let layout = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(6)
            .css_classes(["amount-row"])
            .build();
        layout.append(&head);
        layout.append(&hint);
        layout.append(&scale);
        let row = adw::PreferencesRow::builder().title(title).child(&layout).activatable(false).build();
        row.update_property(&[gtk::accessible::Property::Label(title)]);

        let this = Self {
            row,
            adjustment,
            scale,
            spin,
            badge,
            hint,
            showing: Rc::default(),
            settling: Rc::default(),
            changed: Rc::new(changed),
            marked: Cell::default(),
            amount: Rc::default(),
        };
        this.tell_when_settled();
        this
    }

    fn tell_when_settled(&self) {
        let (showing, settling) = (Rc::clone(&self.showing), Rc::clone(&self.settling));
        let changed = Rc::clone(&self.changed);
        let (amount, badge) = (Rc::clone(&self.amount), self.badge.clone());
        self.adjustment.connect_value_changed(move |adjustment| {
            if showing.get() {
                return;
            }
            if let Some(amount) = &*amount.borrow() {
                badge.set_label(&amount.when(adjustment.value().round() as u64));
            }
            if let Some(former) = settling.take() {
                former.remove();
            }
            let (adjustment, changed, settled) =
                (adjustment.clone(), Rc::clone(&changed), Rc::clone(&settling));
            let source = glib::timeout_add_local_once(SETTLE, move || {
                settled.take();
                changed(adjustment.value().round() as u64);
            });
            settling.replace(Some(source));
        });
    }

    /// The widget.
    pub fn widget(&self) -> &adw::PreferencesRow {
        &self.row
    }

    /// Tells at once a value that has not settled: the guest that it is meant for is about to go out of
    /// sight.
    pub fn settle(&self) {
        if let Some(source) = self.settling.take() {
            source.remove();
            (self.changed)(self.adjustment.value().round() as u64);
        }
    }

    /// Forgets a value that has not settled: the core's is to be shown.
    pub fn forget(&self) {
        if let Some(source) = self.settling.take() {
            source.remove();
        }
    }

    /// Shows an amount; one that somebody is just changing is left alone.
    pub fn show(&self, amount: &Amount, hint: &str) {
        self.amount.replace(Some(amount.clone()));
        self.hint.set_label(hint);
        self.mark(amount);
        if self.settling.borrow().is_some() {
            return;
        }
        self.badge.set_label(&amount.when(amount.value));
        self.showing.set(true);
        self.adjustment.set_lower(amount.minimum as f64);
        self.adjustment.set_upper(amount.maximum as f64);
        self.adjustment.set_value(amount.value as f64);
        // The value may be the same and its text not: the first time, and after another guest.
        self.spin.update();
        self.showing.set(false);
    }

    /// Marks the most that leaves the host enough for itself.
    fn mark(&self, amount: &Amount) {
        let marks = (amount.sensible, amount.maximum);
        if self.marked.replace(Some(marks)) == Some(marks) {
            return;
        }
        self.scale.clear_marks();
        if amount.minimum < amount.sensible && amount.sensible < amount.maximum {
            // Translators: marks half of the host's CPUs or memory on a slider.
            let half =
                format!("<small>{}</small>", glib::markup_escape_text(&gettext("Half of this computer")));
            self.scale.add_mark(amount.sensible as f64, gtk::PositionType::Bottom, Some(&half));
        }
    }

    /// Makes it insensitive, and says why. Its words stay readable.
    pub fn set_sensitive(&self, sensitive: bool, reason: &str) {
        self.spin.set_sensitive(sensitive);
        self.badge.set_visible(sensitive);
        self.scale.set_visible(sensitive);
        self.row.set_tooltip_text((!sensitive).then_some(reason));
    }
}

#[cfg(test)]
mod tests;
