//! The pages, with real widgets. Without a display these tests are left out, and say so.

use super::create::CreatePage;
use super::review::ReviewPage;
use super::source::SourcePage;
use super::*;
use crate::defaults::tests::{host, medium};
use crate::flow::{self, Effect, Failure, Flow, SourceFault};
use crate::form::Edit;
use crate::recent::Recent;
use adw::prelude::PreferencesRowExt;
use hv_api::client::CallError;
use hv_api::{
    ByteSize, Created, Error, GuestId, ImportKind, ImportNote, ImportOutcome, ImportPlan, ImportReason,
    JobId, MediumInfo, MediumKind, NewGuest, Recommended,
};
use std::time::SystemTime;
use virt_kit::daemon::Trouble;

const SUITS: Recommended = Recommended { cpus: 2, memory: ByteSize::gib(2), disk: ByteSize::gib(20) };

/// Runs a test where widgets may be made.
fn on_display(test: impl FnOnce() + Send + std::panic::UnwindSafe + 'static) {
    if ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().all(|name| std::env::var_os(name).is_none()) {
        eprintln!("skipped: there is no display, so no widgets can be made");
        return;
    }
    gtk::test_synced(move || {
        adw::init().unwrap();
        test();
    });
}

/// A way for a page to say things, and what it has said.
fn listener() -> (Say, relm4::Receiver<Input>) {
    let (sender, receiver) = relm4::channel();
    (Say::new(sender), receiver)
}

/// What a page has said until now.
fn heard(receiver: &relm4::Receiver<Input>) -> Vec<flow::Input> {
    let mut steps = Vec::new();
    while let Some(Some(input)) = futures_util::FutureExt::now_or_never(receiver.recv()) {
        match input {
            Input::Step(step) => steps.push(step),
            other => panic!("not a step: {other:?}"),
        }
    }
    steps
}

fn review() -> Flow {
    let mut flow = Flow::new(Some(&host(4, ByteSize::gib(8))), vec!["Taken".into()], "New guest".into());
    let Some(Effect::Look { ticket, .. }) = flow.step(flow::Input::Choose("/isos/disc.iso".into())) else {
        panic!("no look");
    };
    let found = flow::Found { medium: medium("Debian 12", SUITS), plan: None };
    flow.step(flow::Input::Looked { ticket, outcome: Ok(Box::new(found)) });
    flow
}

fn refused(error: Error) -> Failure {
    Trouble::from(CallError::Refused(error)).into()
}

/// All widgets of a kind, in the order in which they were put in.
fn all<W: IsA<gtk::Widget>>(root: &impl IsA<gtk::Widget>) -> Vec<W> {
    let mut found: Vec<W> = root.as_ref().clone().downcast().into_iter().collect();
    let mut child = root.as_ref().first_child();
    while let Some(widget) = child {
        found.extend(all::<W>(&widget));
        child = widget.next_sibling();
    }
    found
}

/// The entries of the form, without those for answers to an installer.
fn entries(page: &ReviewPage) -> Vec<gtk::Entry> {
    let all = all::<gtk::Entry>(page.widget());
    all.into_iter().filter(|entry| entry.ancestor(adw::ExpanderRow::static_type()).is_none()).collect()
}

fn labels(root: &impl IsA<gtk::Widget>) -> Vec<String> {
    all::<gtk::Label>(root)
        .iter()
        .filter(|label| label.is_visible())
        .map(|label| label.label().into())
        .collect()
}

#[test]
fn showing_the_form_says_nothing_and_typing_says_what_was_typed() {
    on_display(|| {
        let (say, receiver) = listener();
        let page = ReviewPage::new(&say);
        let mut flow = review();
        page.show(&flow);
        assert_eq!(heard(&receiver), [], "what is shown is not an edit");
        let entries = entries(&page);
        let texts: Vec<String> = entries.iter().map(|entry| entry.text().into()).collect();
        assert_eq!(texts, ["Debian 12", "2 GiB", "20 GiB"]);

        entries[0].set_text("Mine");
        let said = heard(&receiver);
        assert_eq!(said.last(), Some(&flow::Input::Edit(Edit::Name("Mine".into()))));
        // The person types on before the window has caught up.
        entries[0].set_text("Mine too");
        for input in said {
            flow.step(input);
        }
        page.show(&flow);
        assert_eq!(entries[0].text(), "Mine too", "what was typed is not taken back");
    });
}

#[test]
fn a_machine_shows_what_becomes_of_it_with_what_is_lost_first() {
    on_display(|| {
        let (say, _receiver) = listener();
        let page = ReviewPage::new(&say);
        let note = |item: &str, outcome, reason| ImportNote { item: item.into(), outcome, reason };
        let notes = vec![
            note("memory = 256", ImportOutcome::Kept, None),
            note("bootargs = <b>", ImportOutcome::Lost, Some(ImportReason::Unknown)),
        ];
        let guest = NewGuest { name: "guest1".into(), ..NewGuest::default() };
        let plan = ImportPlan {
            kind: ImportKind::XenConfig,
            guest,
            notes,
            machines: Vec::new(),
            licences: vec!["You may <b>run</b> it.".into()],
        };
        let mut flow = Flow::new(Some(&host(4, ByteSize::gib(8))), Vec::new(), "New guest".into());
        let Some(Effect::Look { ticket, .. }) = flow.step(flow::Input::Choose("/a.cfg".into())) else {
            panic!("no look");
        };
        let medium = MediumInfo { kind: MediumKind::XenConfig, ..medium("a", SUITS) };
        let found = flow::Found { medium, plan: Some(plan) };
        flow.step(flow::Input::Looked { ticket, outcome: Ok(Box::new(found)) });
        page.show(&flow);
        let said = labels(page.widget());
        for words in
            ["Machine of Xen", "0 disks, 0 network cards", "Left out: 1", "Licence", "You may <b>run</b> it."]
        {
            assert!(said.iter().any(|label| label == words), "{words} in {said:?}");
        }
        let at = |words: &str| said.iter().position(|label| label == words);
        assert!(at("bootargs = <b>").unwrap() < at("memory = 256").unwrap());
        let hidden = |title: &str| {
            let rows = all::<adw::ActionRow>(page.widget());
            rows.iter().any(|row| row.title() == title && !row.is_visible())
        };
        assert!(hidden("Network"), "it has its own cards");
    });
}

#[test]
fn the_scale_and_the_entry_show_the_same_memory() {
    on_display(|| {
        let (say, receiver) = listener();
        let page = ReviewPage::new(&say);
        let mut flow = review();
        page.show(&flow);
        let scale = &all::<gtk::Scale>(page.widget())[0];
        let entry = &entries(&page)[1];
        assert!((scale.value() - 2048.0).abs() < 1.0);
        entry.set_text("4096 MiB");
        for input in heard(&receiver) {
            flow.step(input);
        }
        page.show(&flow);
        assert!((scale.value() - 4096.0).abs() < 1.0);
        flow.step(flow::Input::Edit(Edit::MemoryScale(ByteSize::gib(3))));
        page.show(&flow);
        assert_eq!(entry.text(), "3 GiB");
        assert_eq!(heard(&receiver), []);
    });
}

#[test]
fn create_says_why_it_cannot_be_pressed() {
    on_display(|| {
        let (say, receiver) = listener();
        let page = ReviewPage::new(&say);
        let mut flow = review();
        page.show(&flow);
        assert!(page.default_button().is_sensitive());
        flow.step(flow::Input::Edit(Edit::Name("Taken".into())));
        page.show(&flow);
        let why = "Another guest has this name already.";
        assert!(!page.default_button().is_sensitive());
        assert_eq!(page.default_button().tooltip_text().as_deref(), Some(why));
        let said = labels(page.widget()).iter().filter(|label| *label == why).count();
        assert_eq!(said, 2, "under the row and beside the button");
        assert!(entries(&page)[0].has_css_class("error"));

        flow.step(flow::Input::Edit(Edit::Name("Free".into())));
        page.show(&flow);
        assert!(page.default_button().is_sensitive());
        assert!(!labels(page.widget()).iter().any(|label| label == why));
        page.default_button().emit_clicked();
        assert_eq!(heard(&receiver), [flow::Input::Create]);
    });
}

#[test]
fn a_fault_of_the_source_stands_where_the_next_one_is_chosen() {
    on_display(|| {
        let (say, receiver) = listener();
        let page = SourcePage::new(&say);
        let mut flow = Flow::new(None, Vec::new(), "New guest".into());
        page.show(&flow);
        assert!(!labels(page.widget()).iter().any(|label| label.contains("one at a time")));
        flow.step(flow::Input::Unfit(SourceFault::Several));
        page.show(&flow);
        assert!(labels(page.widget()).iter().any(|label| label.contains("one at a time")));

        let path = std::path::PathBuf::from("/isos/<b>&disc.iso");
        page.offer(&[Recent {
            path: path.clone(),
            name: "<b>&disc.iso".into(),
            size: ByteSize::mib(5),
            modified: SystemTime::UNIX_EPOCH,
        }]);
        let rows = all::<adw::ActionRow>(page.widget());
        assert!(labels(&rows[0]).iter().any(|label| label == "<b>&disc.iso"), "names are no markup");
        adw::prelude::ActionRowExt::activate(&rows[0]);
        assert_eq!(heard(&receiver), [flow::Input::Choose(path)]);
    });
}

#[test]
fn a_failure_stays_with_its_cause_and_the_way_back() {
    on_display(|| {
        let (say, receiver) = listener();
        let page = CreatePage::new(&say);
        let mut flow = review();
        let Some(Effect::Create { attempt, .. }) = flow.step(flow::Input::Create) else {
            panic!("no creation");
        };
        let created = Created { guest: GuestId::random(), job: JobId(1) };
        flow.step(flow::Input::Accepted { attempt, outcome: Ok(created) });
        page.show(&flow);
        let shown = |page: &CreatePage| -> Vec<String> {
            all::<gtk::Button>(page.widget())
                .iter()
                .filter(|button| button.is_visible())
                .filter_map(gtk::Button::label)
                .map(String::from)
                .collect()
        };
        assert_eq!(shown(&page), ["Cancel"]);
        let error = Error::StartFailed { guest: "Debian 12".into(), detail: "out of luck".into() };
        flow.step(flow::Input::JobFailed { attempt, failure: refused(error) });
        page.show(&flow);
        assert_eq!(shown(&page), ["Copy Details", "Back to Review"]);
        assert!(labels(page.widget()).iter().any(|label| label == "“Debian 12” Was Not Created"));
        assert!(all::<gtk::Expander>(page.widget())[0].is_visible());
        all::<gtk::Button>(page.widget())[2].emit_clicked();
        assert_eq!(heard(&receiver), [flow::Input::Back]);
    });
}
