//! The row with the operating system: what the medium says, and a list in which another one can be found.

use super::Say;
use super::choice::searchable;
use super::row::FormRow;
use crate::Input;
use crate::flow::{self, Flow};
use crate::form::Edit;
use crate::texts;
use hv_api::OsChoice;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The row.
#[derive(Debug)]
pub struct SystemRow {
    row: FormRow,
    choice: gtk::DropDown,
    /// What the list's places mean; nothing for what the medium says.
    places: Rc<RefCell<Vec<Option<String>>>>,
    names: RefCell<Vec<String>>,
    revision: Cell<Option<u32>>,
}

impl SystemRow {
    /// Builds the row.
    pub fn new(say: &Say) -> Self {
        let choice = searchable();
        let places: Rc<RefCell<Vec<Option<String>>>> = Rc::default();
        let (to, meaning) = (say.clone(), Rc::clone(&places));
        choice.connect_selected_notify(move |choice| {
            let chosen = meaning.borrow().get(choice.selected() as usize).cloned();
            to.say(Input::Step(flow::Input::Edit(Edit::System(chosen.flatten()))));
        });
        let row = FormRow::new(&gettext("System"), &choice, None);
        Self { row, choice, places, names: RefCell::default(), revision: Cell::new(None) }
    }

    /// The row for a list.
    pub const fn row(&self) -> &FormRow {
        &self.row
    }

    /// Shows the flow.
    pub fn show(&self, flow: &Flow) {
        let of_medium = texts::system_of_medium(flow.medium());
        // What the medium says is there already.
        let known = flow.medium().and_then(|medium| medium.os.as_deref());
        let others: Vec<&OsChoice> =
            flow.systems().filter(|choice| known != Some(choice.os.as_str())).collect();
        let names: Vec<String> =
            std::iter::once(of_medium).chain(others.iter().map(|choice| choice.os_name.clone())).collect();
        let field = &flow.form().system;
        if *self.names.borrow() != names {
            let places = std::iter::once(None).chain(others.iter().map(|choice| Some(choice.os.clone())));
            self.places.replace(places.collect());
            let words: Vec<&str> = names.iter().map(String::as_str).collect();
            self.choice.set_model(Some(&gtk::StringList::new(&words)));
            self.names.replace(names);
            self.revision.set(None);
        }
        if self.revision.replace(Some(field.revision())) != Some(field.revision()) {
            let place = self.places.borrow().iter().position(|place| place == field.get());
            let place = place.and_then(|place| u32::try_from(place).ok()).unwrap_or_default();
            self.choice.set_selected(place);
        }
    }
}
