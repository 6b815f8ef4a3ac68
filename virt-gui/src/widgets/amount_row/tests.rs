//! The row with real widgets: what is told and when, and that nothing pulls a slider out of a hand.

use super::*;
use crate::model::hardware::{read_memory, write_memory};
use crate::testing::{until, with_display};

fn amount(value: u64) -> Amount {
    Amount { value, minimum: 16, maximum: 16_384, sensible: 8192, live: Some(256..=4096) }
}

fn row() -> (AmountRow, Rc<RefCell<Vec<u64>>>) {
    let told: Rc<RefCell<Vec<u64>>> = Rc::default();
    let row = AmountRow::new("Memory", 256, Format { write: write_memory, read: read_memory }, {
        let told = Rc::clone(&told);
        move |value| told.borrow_mut().push(value)
    });
    row.show(&amount(2048), "");
    (row, told)
}

#[test]
fn a_drag_is_one_change_and_showing_is_none() {
    with_display(|| {
        let (row, told) = row();
        assert_eq!(row.spin.text(), "2 GiB");
        for value in [2304.0, 2560.0, 3072.0] {
            row.adjustment.set_value(value);
        }
        // What the core says meanwhile does not move what somebody is moving.
        row.show(&amount(2048), "");
        assert_eq!(row.spin.text(), "3 GiB");
        until("the value has settled", || !told.borrow().is_empty());
        assert_eq!(*told.borrow(), [3072]);
    });
}

#[test]
fn what_is_typed_with_a_unit_is_understood_and_kept_within_the_limits() {
    with_display(|| {
        let (row, told) = row();
        row.spin.set_text("1.5 GiB");
        row.spin.update();
        assert_eq!(row.spin.text(), "1.5 GiB");
        row.spin.set_text("1 TiB");
        row.spin.update();
        until("the value has settled", || !told.borrow().is_empty());
        assert_eq!(*told.borrow(), [16_384]);
    });
}

#[test]
fn what_was_meant_for_a_guest_is_told_before_another_is_shown_and_not_again() {
    with_display(|| {
        let (row, told) = row();
        row.adjustment.set_value(4096.0);
        row.settle();
        assert_eq!(*told.borrow(), [4096]);
        row.show(&amount(512), "");
        assert_eq!(row.spin.text(), "512 MiB");
        row.settle();
        assert!(row.settling.borrow().is_none() && told.borrow().len() == 1);
    });
}

#[test]
fn the_badge_follows_the_slider() {
    with_display(|| {
        let (row, _told) = row();
        for (value, when) in
            [(2560.0, "Now"), (8192.0, "At next start"), (4096.0, "Now"), (128.0, "At next start")]
        {
            row.adjustment.set_value(value);
            assert_eq!(row.badge.label(), when, "{value}");
        }
        row.forget();
    });
}

#[test]
fn what_the_core_refused_is_forgotten() {
    with_display(|| {
        let (row, told) = row();
        row.adjustment.set_value(4096.0);
        row.forget();
        row.show(&amount(2048), "");
        row.settle();
        assert_eq!(row.spin.text(), "2 GiB");
        assert!(told.borrow().is_empty());
    });
}
