//! The bar that says that guests run without hardware acceleration: something to know, not an error.

use virt_kit::i18n::gettext;
use virt_kit::problem::Problem;

/// The bar.
#[derive(Debug)]
pub struct HostBar {
    bar: gtk::InfoBar,
    text: gtk::Label,
}

impl HostBar {
    /// A hidden bar; `details` and `dismiss` are told when their buttons are pressed.
    pub fn new(details: impl Fn() + 'static, dismiss: impl Fn() + 'static) -> Self {
        let bar = gtk::InfoBar::builder()
            .message_type(gtk::MessageType::Info)
            .show_close_button(true)
            .revealed(false)
            .build();
        let text = gtk::Label::builder()
            .wrap(true)
            .xalign(0.0)
            .natural_wrap_mode(gtk::NaturalWrapMode::None)
            .build();
        bar.add_child(&text);
        bar.add_action_widget(&super::text_button(&gettext("Details"), &[]), gtk::ResponseType::Help);
        super::name_close_button(&bar, &gettext("Dismiss"));
        bar.connect_response(move |_, response| match response {
            gtk::ResponseType::Help => details(),
            _ => dismiss(),
        });
        Self { bar, text }
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::InfoBar {
        &self.bar
    }

    /// Shows the words of a problem; `None` hides the bar.
    pub fn show(&self, problem: Option<&Problem>) {
        if let Some(problem) = problem {
            self.text.set_label(&problem.what);
        }
        self.bar.set_revealed(problem.is_some());
    }
}
