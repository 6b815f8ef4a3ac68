//! The third page: what the core is doing, and why it could not be done.

use super::{Say, clear, name, ornament, scrolled, text, vertical};
use crate::Input;
use crate::flow::{self, Creating, Flow, Page};
use crate::texts;
use gtk::prelude::*;
use hv_api::JobStage;
use std::cell::RefCell;
use std::cmp::Ordering;
use virt_kit::i18n::{gettext, gettext_f};
use virt_kit::problem::Problem;

/// The page's widgets.
#[derive(Debug)]
pub struct CreatePage {
    root: gtk::ScrolledWindow,
    heading: gtk::Label,
    progress: gtk::ProgressBar,
    stages: gtk::Box,
    failure: gtk::Box,
    cause: gtk::Label,
    details: gtk::Expander,
    words: gtk::Label,
    cancel: gtk::Button,
    back: gtk::Button,
    copy: gtk::Button,
    shown: RefCell<Vec<(JobStage, Mark)>>,
    report: std::rc::Rc<RefCell<String>>,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Done,
    Now,
    Ahead,
    Failed,
}

impl CreatePage {
    /// Builds the page.
    pub fn new(say: &Say) -> Self {
        let heading = text(&["title-2"]);
        let progress = gtk::ProgressBar::new();
        name(&progress, &gettext("Progress"));
        let stages = vertical(12);

        let cause = text(&[]);
        cause.set_selectable(true);
        let words = text(&["monospace", "caption"]);
        words.set_selectable(true);
        words.set_margin_top(6);
        let details = gtk::Expander::builder().label(gettext("Details")).child(&words).build();
        name(&details, &gettext("Details"));
        let failure = vertical(12);
        failure.set_css_classes(&["card", "failure"]);
        failure.append(&cause);
        failure.append(&details);

        let button = |label: &str| gtk::Button::with_label(label);
        let cancel = button(&gettext("Cancel"));
        let to = say.clone();
        cancel.connect_clicked(move |_| to.say(Input::Step(flow::Input::Cancel)));
        let copy = button(&gettext("Copy Details"));
        let report = std::rc::Rc::new(RefCell::new(String::new()));
        let text_of = report.clone();
        copy.connect_clicked(move |button| button.clipboard().set_text(&text_of.borrow()));
        let back = button(&gettext("Back to Review"));
        back.add_css_class("suggested-action");
        let to = say.clone();
        back.connect_clicked(move |_| to.say(Input::Step(flow::Input::Back)));
        let buttons = gtk::Box::builder().spacing(12).halign(gtk::Align::End).build();
        for button in [&cancel, &copy, &back] {
            buttons.append(button);
        }

        let content = vertical(18);
        content.set_valign(gtk::Align::Center);
        content.append(&heading);
        content.append(&progress);
        content.append(&stages);
        content.append(&failure);
        content.append(&buttons);
        Self {
            root: scrolled(&content),
            heading,
            progress,
            stages,
            failure,
            cause,
            details,
            words,
            cancel,
            back,
            copy,
            shown: RefCell::default(),
            report,
        }
    }

    /// The page.
    pub const fn widget(&self) -> &gtk::ScrolledWindow {
        &self.root
    }

    /// Puts the keyboard where one most likely goes on.
    pub fn focus(&self) {
        if self.back.is_visible() {
            self.back.grab_focus();
        } else {
            self.cancel.grab_focus();
        }
    }

    /// Shows the flow.
    pub fn show(&self, flow: &Flow) {
        let (creating, problem) = match flow.page() {
            Page::Creating(creating) => (creating, None),
            Page::Failed { creating, problem } => (creating, Some(problem)),
            Page::Source { .. } | Page::Disks(_) | Page::Looking { .. } | Page::Review(_) | Page::Gone => {
                return;
            }
        };
        let named = [("guest", creating.name.as_str())];
        self.heading.set_label(&match (problem, creating.cancelling) {
            (Some(_), _) => gettext_f("“{guest}” Was Not Created", &named),
            (None, true) => gettext_f("Cancelling “{guest}”…", &named),
            (None, false) => gettext_f("Creating “{guest}”…", &named),
        });
        self.progress.set_visible(problem.is_none());
        self.progress.set_fraction(creating.job.as_ref().map_or(0.0, |job| job.progress.clamp(0.0, 1.0)));
        self.show_stages(creating, problem.is_some());
        self.cancel.set_visible(problem.is_none());
        self.cancel.set_sensitive(!creating.cancelling);
        self.failure.set_visible(problem.is_some());
        self.back.set_visible(problem.is_some());
        self.copy.set_visible(problem.is_some());
        if let Some(problem) = problem {
            self.show_problem(problem);
        }
    }

    fn show_problem(&self, problem: &Problem) {
        self.cause.set_label(&texts::sentence(problem));
        let detail = problem.detail.as_deref().map(str::trim).unwrap_or_default();
        self.words.set_label(detail);
        self.details.set_visible(!detail.is_empty());
        *self.report.borrow_mut() = problem.report();
    }

    fn show_stages(&self, creating: &Creating, failed: bool) {
        let marks = marks(creating, failed);
        if *self.shown.borrow() == marks {
            return;
        }
        clear(&self.stages);
        for (stage, mark) in &marks {
            self.stages.append(&line(*stage, *mark));
        }
        *self.shown.borrow_mut() = marks;
    }
}

fn marks(creating: &Creating, failed: bool) -> Vec<(JobStage, Mark)> {
    let at = creating.job.as_ref().map_or(JobStage::Checking, |job| job.stage);
    let here = if failed { Mark::Failed } else { Mark::Now };
    // Their order here is that of this creation; that of their kind says nothing.
    let reached = creating.stages.iter().position(|stage| *stage == at).unwrap_or_default();
    let mark = |place: usize| match place.cmp(&reached) {
        Ordering::Less => Mark::Done,
        Ordering::Equal => here,
        Ordering::Greater => Mark::Ahead,
    };
    creating.stages.iter().enumerate().map(|(place, stage)| (*stage, mark(place))).collect()
}

const fn label_classes(mark: Mark) -> &'static [&'static str] {
    match mark {
        Mark::Done | Mark::Now => &[],
        Mark::Ahead => &["dim-label"],
        Mark::Failed => &["error"],
    }
}

/// One step: its mark, its name, and for screen readers where it stands.
fn line(stage: JobStage, mark: Mark) -> gtk::Box {
    let (icon, state) = match mark {
        Mark::Done => (Some("object-select-symbolic"), gettext("Done")),
        Mark::Now => (None, gettext("Under way")),
        Mark::Ahead => (Some("content-loading-symbolic"), gettext("Not yet begun")),
        Mark::Failed => (Some("dialog-error-symbolic"), gettext("Failed")),
    };
    let label = text(label_classes(mark));
    label.set_label(&texts::stage(stage));
    label.update_property(&[gtk::accessible::Property::Description(&state)]);
    let line = gtk::Box::builder().spacing(12).build();
    match icon {
        Some(icon) => {
            let image = ornament(icon);
            image.set_css_classes(label_classes(mark));
            line.append(&image);
        }
        None => line.append(&gtk::Spinner::builder().spinning(true).build()),
    }
    line.append(&label);
    line
}
