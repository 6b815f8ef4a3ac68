//! Questions with two answers, one of which is to cancel; what they are about stands in a list of rows.

use adw::prelude::*;
use virt_kit::i18n::gettext;

/// What the answer does that is not to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What was asked for; the Enter key gives it.
    Usual,
    /// It is asked about since it may not be meant; the Enter key cancels.
    Careful,
    /// Something is lost by it; the Enter key cancels.
    Destructive,
}

const YES: &str = "yes";

/// A question, to be presented; `verb` is the answer's word, with its mnemonic.
pub fn question(
    parent: Option<&impl IsA<gtk::Window>>,
    heading: &str,
    body: &str,
    verb: &str,
    answer: Answer,
) -> adw::MessageDialog {
    let dialog = adw::MessageDialog::new(parent, Some(heading), Some(body));
    // What a screen reader says first.
    dialog.set_title(Some(heading));
    dialog.add_responses(&[("cancel", &gettext("_Cancel")), (YES, verb)]);
    dialog.set_close_response("cancel");
    let appearance = match answer {
        Answer::Usual | Answer::Careful => adw::ResponseAppearance::Suggested,
        Answer::Destructive => adw::ResponseAppearance::Destructive,
    };
    dialog.set_response_appearance(YES, appearance);
    dialog.set_default_response(Some(if answer == Answer::Usual { YES } else { "cancel" }));
    dialog
}

/// Shows a question, and calls `yes` where the answer is that.
pub fn ask(dialog: &adw::MessageDialog, yes: impl Fn() + 'static) {
    dialog.connect_response(Some(YES), move |_, _| yes());
    dialog.present();
}

/// Whether a question can be answered by anything else than to cancel.
pub fn allow(dialog: &adw::MessageDialog, possible: bool) {
    dialog.set_response_enabled(YES, possible);
}

/// Gives the answer, where it is possible, without a click on it.
pub fn answer(dialog: &adw::MessageDialog) {
    if dialog.is_response_enabled(YES) {
        dialog.response(YES);
        dialog.close();
    }
}

/// A list for the rows of a question.
pub fn rows() -> gtk::ListBox {
    gtk::ListBox::builder().selection_mode(gtk::SelectionMode::None).css_classes(["boxed-list"]).build()
}
