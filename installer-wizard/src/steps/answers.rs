//! The rows with answers to what an installer or a cloud image would ask: one row that unfolds, and hides where nothing
//! asks.

use super::Say;
use super::choice::searchable;
use super::row::FormRow;
use crate::Input;
use crate::answers::{ANSWERS, Answer, Asker};
use crate::flow::{self, Flow, Review};
use crate::form::{Edit, Row};
use crate::texts;
use adw::prelude::*;
use hv_api::Preferences;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The list with the row.
#[derive(Debug)]
pub struct AnswerList {
    root: gtk::ListBox,
    whole: adw::ExpanderRow,
    rows: Vec<AnswerRow>,
    asker: Cell<Option<Asker>>,
}

/// One answer.
#[derive(Debug)]
struct AnswerRow {
    answer: Answer,
    row: FormRow,
    control: Control,
    revision: Cell<Option<u32>>,
}

/// How it is given.
#[derive(Debug)]
enum Control {
    Text(gtk::Entry),
    Secret(gtk::PasswordEntry),
    /// One of a list; where there is none, the row is not shown and the host's own counts.
    Choice(gtk::DropDown, Rc<RefCell<Vec<String>>>),
}

impl AnswerList {
    /// The list.
    pub fn new(say: &Say) -> Self {
        let whole = adw::ExpanderRow::builder().show_enable_switch(true).use_markup(false).build();
        let to = say.clone();
        whole.connect_enable_expansion_notify(move |row| {
            to.say(Input::Step(flow::Input::Edit(Edit::Answers(row.enables_expansion()))));
        });
        let rows: Vec<AnswerRow> = ANSWERS.into_iter().map(|answer| AnswerRow::new(answer, say)).collect();
        for row in &rows {
            whole.add_row(row.row.widget());
        }
        let root = super::list();
        root.set_visible(false);
        root.append(&whole);
        Self { root, whole, rows, asker: Cell::new(None) }
    }

    /// The widget.
    pub const fn widget(&self) -> &gtk::ListBox {
        &self.root
    }

    /// The rows about which something can be said.
    pub fn rows(&self) -> impl Iterator<Item = (Row, &FormRow)> {
        self.rows.iter().map(|row| (Row::Answer(row.answer), &row.row))
    }

    /// Shows the flow.
    pub fn show(&self, flow: &Flow, review: &Review) {
        let asker = review.source.open().asker;
        self.root.set_visible(asker.is_some());
        let Some(asker) = asker else { return };
        let another = self.asker.replace(Some(asker)) != Some(asker);
        if another {
            let (title, subtitle) = texts::asker(asker);
            self.whole.set_title(&title);
            self.whole.set_subtitle(&subtitle);
            super::name(&self.root, &title);
            if let Some(switch) = switch_of(self.whole.upcast_ref()) {
                super::name(&switch, &title);
            }
        }
        let form = &flow.form().answers;
        let on = *form.on.get();
        if self.whole.enables_expansion() != on {
            self.whole.set_enable_expansion(on);
        }
        if another && on {
            self.whole.set_expanded(true);
        }
        for row in &self.rows {
            row.show(flow);
        }
    }
}

impl AnswerRow {
    fn new(answer: Answer, say: &Say) -> Self {
        let edit = move |say: &Say, text: String| {
            say.say(Input::Step(flow::Input::Edit(Edit::Answer(answer, text))));
        };
        let to = say.clone();
        let control = match answer {
            Answer::Password | Answer::Again => {
                let entry =
                    gtk::PasswordEntry::builder().show_peek_icon(true).activates_default(true).build();
                entry.connect_changed(move |entry| edit(&to, entry.text().into()));
                Control::Secret(entry)
            }
            Answer::Language | Answer::Keyboard | Answer::TimeZone => {
                let (choice, places) = (searchable(), Rc::<RefCell<Vec<String>>>::default());
                let meaning = Rc::clone(&places);
                choice.connect_selected_notify(move |choice| {
                    if let Some(text) = meaning.borrow().get(choice.selected() as usize).cloned() {
                        edit(&to, text);
                    }
                });
                Control::Choice(choice, places)
            }
            Answer::FullName | Answer::User | Answer::SshKey => {
                let entry = gtk::Entry::builder().activates_default(true).width_chars(10).build();
                entry.connect_changed(move |entry| edit(&to, entry.text().into()));
                Control::Text(entry)
            }
        };
        let widget: &gtk::Widget = match &control {
            Control::Text(entry) => entry.upcast_ref(),
            Control::Secret(entry) => entry.upcast_ref(),
            Control::Choice(choice, _) => choice.upcast_ref(),
        };
        let row = FormRow::new(&texts::answer(answer), widget, None);
        Self { answer, row, control, revision: Cell::new(None) }
    }

    fn show(&self, flow: &Flow) {
        let field = flow.form().answers.get(self.answer);
        if let Control::Choice(choice, places) = &self.control {
            let known = choices(self.answer, flow.preferences());
            self.row.widget().set_visible(!known.is_empty());
            if *places.borrow() != known {
                let words: Vec<&str> = known.iter().map(String::as_str).collect();
                places.replace(known.to_vec());
                choice.set_model(Some(&gtk::StringList::new(&words)));
                self.revision.set(None);
            }
        }
        if self.revision.replace(Some(field.revision())) == Some(field.revision()) {
            return;
        }
        match &self.control {
            Control::Text(entry) => entry.set_text(field.get()),
            Control::Secret(entry) => entry.set_text(field.get()),
            Control::Choice(choice, places) => {
                let place = places.borrow().iter().position(|known| known == field.get());
                let place = place.and_then(|place| u32::try_from(place).ok());
                choice.set_selected(place.unwrap_or(gtk::INVALID_LIST_POSITION));
            }
        }
    }
}

/// The switch that the row brings, which has no name of its own.
fn switch_of(widget: &gtk::Widget) -> Option<gtk::Switch> {
    let mut next = vec![widget.clone()];
    while let Some(widget) = next.pop() {
        match widget.downcast::<gtk::Switch>() {
            Ok(switch) => return Some(switch),
            Err(other) => {
                next.extend(std::iter::successors(other.first_child(), gtk::Widget::next_sibling));
            }
        }
    }
    None
}

/// What can be chosen.
fn choices(answer: Answer, preferences: &Preferences) -> &[String] {
    match answer {
        Answer::Language => &preferences.languages,
        Answer::Keyboard => &preferences.keyboards,
        Answer::TimeZone => &preferences.time_zones,
        Answer::FullName | Answer::User | Answer::Password | Answer::Again | Answer::SshKey => &[],
    }
}
