//! The list with real widgets: what a change touches, and what stays selected.

use super::*;
use crate::testing::{guest, until, with_display};
use hv_api::{Change, GuestInfo, GuestState, Library};

type Heard = Rc<RefCell<Vec<Option<GuestId>>>>;

fn rows(guests: &[GuestInfo]) -> Vec<Row> {
    let mut library = Library::default();
    for guest in guests {
        library.apply(Change::Guest(guest.clone()));
    }
    Row::all(&library)
}

fn row(guest: &GuestInfo) -> Row {
    rows(std::slice::from_ref(guest)).remove(0)
}

/// A list in a window, and what it told about its selection.
fn shown(guests: &[GuestInfo]) -> (GuestList, gtk::Window, Heard) {
    let heard = Heard::default();
    let mut list = GuestList::new({
        let heard = Rc::clone(&heard);
        move |news| {
            if let ListNews::Selected(id) = news {
                heard.borrow_mut().push(id);
            }
        }
    });
    list.fill(rows(guests));
    let scroll = gtk::ScrolledWindow::builder().child(list.widget()).build();
    let window = gtk::Window::builder().default_width(300).default_height(400).child(&scroll).build();
    window.present();
    let in_sight = Rc::clone(&list.in_sight);
    let some = !guests.is_empty();
    until("rows are in sight", || in_sight.borrow().is_empty() != some);
    (list, window, heard)
}

fn names(list: &GuestList) -> Vec<String> {
    let name = |position| {
        let item = list.selection.item(position).expect("within the list");
        item_row(&item).expect("a row").borrow::<Row>().name.clone()
    };
    (0..list.selection.n_items()).map(name).collect()
}

#[test]
fn a_thousand_guests_have_widgets_for_those_in_sight_only() {
    with_display(|| {
        let guests: Vec<_> = (0..1000).map(|n| guest(&format!("vm{n}"), GuestState::Off)).collect();
        let (list, window, _) = shown(&guests);
        let in_sight = list.in_sight.borrow().len();
        assert!(in_sight < 400, "{in_sight} rows have widgets");
        assert_eq!(names(&list)[..3], ["vm0", "vm1", "vm2"]);
        // The first frames show what there is room for, and then the whole list is there.
        until("all guests are in the list", || list.selection.n_items() == 1000);
        window.destroy();
    });
}

#[test]
fn a_change_shows_in_its_own_row_and_keeps_the_list_as_it_is() {
    with_display(|| {
        let mut guests = [guest("a", GuestState::Off), guest("b", GuestState::Off)];
        let (mut list, window, _) = shown(&guests);
        let changes = Rc::new(Cell::new(0));
        list.selection.connect_items_changed({
            let changes = Rc::clone(&changes);
            move |_, _, _, _| changes.set(changes.get() + 1)
        });
        guests[1].state = GuestState::Running;
        list.put(row(&guests[1]));
        let subtitle = list.in_sight.borrow()[&guests[1].id].subtitle.label();
        assert!(subtitle.starts_with("Running"), "{subtitle}");
        assert_eq!(changes.get(), 0, "the list was made anew");
        window.destroy();
    });
}

#[test]
fn the_selected_guest_stays_selected_wherever_its_row_goes() {
    with_display(|| {
        let mut guests =
            [guest("a", GuestState::Off), guest("b", GuestState::Off), guest("c", GuestState::Off)];
        let (mut list, window, heard) = shown(&guests);
        let chosen = guests[0].id;
        list.select(Some(chosen));
        assert_eq!(heard.take(), [Some(chosen)]);
        guests[0].name = "z".into();
        list.put(row(&guests[0]));
        assert_eq!(names(&list), ["b", "c", "z"]);
        list.remove(guests[1].id);
        list.put(row(&guest("bb", GuestState::Running)));
        assert_eq!(list.selection.selected_item().as_ref().and_then(item_id), Some(chosen));
        assert!(heard.take().iter().all(|id| *id == Some(chosen)));
        list.remove(chosen);
        assert_eq!(heard.take().last(), Some(&None));
        window.destroy();
    });
}

#[test]
fn a_snapshot_after_the_core_came_back_takes_out_what_is_gone() {
    with_display(|| {
        let guests = [guest("a", GuestState::Running), guest("b", GuestState::Off)];
        let (mut list, window, _) = shown(&guests);
        list.select(Some(guests[1].id));
        let newer = [guests[1].clone(), guest("c", GuestState::Off)];
        list.fill(rows(&newer));
        assert_eq!(names(&list), ["b", "c"]);
        assert_eq!(list.selection.selected_item().as_ref().and_then(item_id), Some(guests[1].id));
        window.destroy();
    });
}

#[test]
fn a_search_follows_what_the_guests_do() {
    with_display(|| {
        let mut guests = [guest("web", GuestState::Running), guest("mail", GuestState::Off)];
        let (mut list, window, _) = shown(&guests);
        list.search(Search::new("running"));
        assert_eq!(names(&list), ["web"]);
        guests[0].state = GuestState::Off;
        list.put(row(&guests[0]));
        assert!(list.finds_nothing());
        list.search(Search::new(""));
        assert_eq!(names(&list), ["mail", "web"]);
        window.destroy();
    });
}

#[test]
fn a_search_hides_the_selected_guest_but_does_not_leave_it() {
    with_display(|| {
        let guests = [guest("web", GuestState::Running), guest("mail", GuestState::Off)];
        let (list, window, heard) = shown(&guests);
        list.select(Some(guests[0].id));
        list.search(Search::new("mail"));
        list.search(Search::new(""));
        assert_eq!(list.selection.selected_item().as_ref().and_then(item_id), Some(guests[0].id));
        assert!(heard.take().iter().all(|id| *id == Some(guests[0].id)));
        window.destroy();
    });
}

#[test]
fn a_row_has_its_button_while_somebody_is_at_it() {
    with_display(|| {
        let pressed = Rc::new(RefCell::new(Vec::new()));
        let mut list = GuestList::new({
            let pressed = Rc::clone(&pressed);
            move |news| {
                if let ListNews::Power(id, action) = news {
                    pressed.borrow_mut().push((id, action));
                }
            }
        });
        let guests = [guest("a", GuestState::Unavailable), guest("b", GuestState::Off)];
        list.fill(rows(&guests));
        let window = gtk::Window::builder().default_width(300).child(list.widget()).build();
        window.present();
        let in_sight = Rc::clone(&list.in_sight);
        until("rows are in sight", || in_sight.borrow().len() == 2);
        // The first row has the keyboard, as in every new window.
        let [first, second] = guests.map(|guest| in_sight.borrow()[&guest.id].clone());
        assert!(second.power().is_none(), "nobody is at it");

        let place = second.layout.parent().unwrap();
        place.set_state_flags(gtk::StateFlags::PRELIGHT, false);
        let button = second.power().unwrap();
        assert_eq!(button.tooltip_text().as_deref(), Some("Start"));
        button.emit_clicked();
        assert_eq!(
            pressed.take(),
            [(list.selection.item(1).as_ref().and_then(item_id).unwrap(), PowerAction::Start)]
        );
        place.unset_state_flags(gtk::StateFlags::PRELIGHT);
        assert!(button.opacity() < 0.01);

        first.layout.parent().unwrap().set_state_flags(gtk::StateFlags::PRELIGHT, false);
        assert!(!first.power().unwrap().is_visible(), "nothing can be done with it");
        window.destroy();
    });
}
