//! Questions before what destroys, and the details of problems.

use crate::actions::{Action, Section};
use crate::widgets::question::{Answer, ask, question};
use adw::prelude::*;
use gtk::{gio, glib};
use hv_api::GuestInfo;
use virt_kit::i18n::{gettext, gettext_f, ngettext, ngettext_f};
use virt_kit::problem::{Problem, ProblemAction};

/// Asks before a guest is shut down and started again so that changes take effect.
pub fn confirm_apply(parent: &impl IsA<gtk::Window>, guest: &GuestInfo, yes: impl Fn() + 'static) {
    let count = guest.pending.len();
    let changes = ngettext_f("{count} change", "{count} changes", count, &[("count", &count.to_string())]);
    // Translators: {changes} is "1 change" or "3 changes".
    let heading =
        gettext_f("Restart “{guest}” to Apply {changes}?", &[("guest", &guest.name), ("changes", &changes)]);
    let body = gettext(
        "The guest is asked to shut down and started again as soon as it is off. Where no system in it listens, it is stopped at once.",
    );
    ask(&question(Some(parent), &heading, &body, &gettext("_Restart"), Answer::Careful), yes);
}

/// Asks before a guest is deleted; `yes` is told whether its disks go with it.
pub fn confirm_delete(parent: &impl IsA<gtk::Window>, guest: &GuestInfo, yes: impl Fn(bool) + 'static) {
    let own: Vec<_> = guest
        .disks
        .iter()
        .filter(|disk| std::path::Path::new(&disk.path).starts_with(&guest.paths.folder))
        .map(|disk| match disk.size {
            Some(size) => format!("{} ({size})", disk.path),
            None => disk.path.clone(),
        })
        .collect();
    let body = if own.is_empty() {
        gettext(
            "Its settings are deleted. Installers and disks that were made elsewhere stay where they are.",
        )
    } else {
        ngettext(
            "Its settings are deleted. Its disk stays unless you choose otherwise.",
            "Its settings are deleted. Its disks stay unless you choose otherwise.",
            own.len(),
        )
    };
    let body = if guest.snapshots.is_empty() {
        body
    } else {
        format!("{body} {}", gettext("Its snapshots are deleted in any case."))
    };
    let heading = gettext_f("Delete “{guest}”?", &[("guest", &guest.name)]);
    let dialog = question(Some(parent), &heading, &body, &gettext("_Delete"), Answer::Destructive);
    let check = gtk::CheckButton::with_label(&ngettext(
        "Also delete its disk and everything on it",
        "Also delete its disks and everything on them",
        own.len(),
    ));
    if !own.is_empty() {
        let files = gtk::Label::builder()
            .label(own.join("\n"))
            .wrap(true)
            .wrap_mode(gtk::pango::WrapMode::WordChar)
            .xalign(0.0)
            .css_classes(["caption", "dim-label"])
            .margin_start(30)
            .build();
        check.update_relation(&[gtk::accessible::Relation::DescribedBy(&[files.upcast_ref()])]);
        let more = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(6).build();
        more.append(&check);
        more.append(&files);
        dialog.set_extra_child(Some(&more));
    }
    ask(&dialog, move || yes(check.is_active()));
}

/// Shows a problem with its reason, what to do, and the words for experts. `act` is told when its
/// button is pressed; without one there is no button.
pub fn show_problem(
    parent: &impl IsA<gtk::Window>,
    problem: &Problem,
    act: Option<Box<dyn Fn(ProblemAction)>>,
) {
    let dialog = adw::MessageDialog::new(
        Some(parent),
        Some(&problem.what),
        Some(&format!("{}\n\n{}", problem.why, problem.remedy)),
    );
    if let Some(detail) = &problem.detail {
        dialog.set_extra_child(Some(&details(detail)));
    }
    dialog.add_response("copy", &gettext("_Copy Details"));
    dialog.connect_response(Some("copy"), {
        let report = problem.report();
        move |dialog, _| WidgetExt::display(dialog).clipboard().set_text(&report)
    });
    if let (Some(action), Some(act)) = (problem.action, act) {
        dialog.add_response("act", &action_label(action));
        dialog.set_response_appearance(
            "act",
            match action {
                ProblemAction::ForceOff | ProblemAction::EjectAnyway | ProblemAction::Discard => {
                    adw::ResponseAppearance::Destructive
                }
                ProblemAction::StartCore
                | ProblemAction::ShowLog
                | ProblemAction::ChooseAnotherFile
                | ProblemAction::Resume => adw::ResponseAppearance::Suggested,
            },
        );
        dialog.connect_response(Some("act"), move |_, _| act(action));
    }
    dialog.add_response("close", &gettext("C_lose"));
    dialog.set_close_response("close");
    dialog.set_default_response(Some("close"));
    dialog.present();
}

/// The words on a problem's button.
pub fn action_label(action: ProblemAction) -> String {
    match action {
        ProblemAction::StartCore => gettext("_Start Core"),
        ProblemAction::ForceOff => gettext("_Force Off…"),
        ProblemAction::ShowLog => gettext("Show _Log"),
        ProblemAction::ChooseAnotherFile => gettext("Choose _Another File…"),
        ProblemAction::EjectAnyway => gettext("_Eject Anyway"),
        ProblemAction::Resume => gettext("_Resume"),
        ProblemAction::Discard => gettext("_Discard Saved State…"),
    }
}

fn details(text: &str) -> gtk::Expander {
    let words = gtk::Label::builder()
        .label(text)
        .wrap(true)
        .wrap_mode(gtk::pango::WrapMode::WordChar)
        .selectable(true)
        .xalign(0.0)
        .yalign(0.0)
        .css_classes(["monospace", "caption"])
        .build();
    let scroll = gtk::ScrolledWindow::builder()
        .child(&words)
        .hscrollbar_policy(gtk::PolicyType::Never)
        .propagate_natural_height(true)
        .max_content_height(200)
        .css_classes(["detail"])
        .build();
    gtk::Expander::builder().label(gettext("Details")).child(&scroll).build()
}

/// Shows all keys, from the table of actions.
pub fn show_shortcuts(parent: &impl IsA<gtk::Window>) {
    let group = |title: &str, shortcuts: &[(String, &str)]| {
        let shortcuts: Vec<String> = shortcuts
            .iter()
            .map(|(title, keys)| {
                format!(
                    "<child><object class=\"GtkShortcutsShortcut\">\
                     <property name=\"title\">{}</property>\
                     <property name=\"accelerator\">{}</property></object></child>",
                    glib::markup_escape_text(title),
                    glib::markup_escape_text(keys),
                )
            })
            .collect();
        let shortcuts = shortcuts.concat();
        format!(
            "<child><object class=\"GtkShortcutsGroup\"><property name=\"title\">{}</property>{shortcuts}\
             </object></child>",
            glib::markup_escape_text(title)
        )
    };
    let of_section = |section: Section, title: &str| {
        let shortcuts: Vec<_> = Action::ALL
            .into_iter()
            .filter(|action| action.section() == section)
            .filter_map(|action| {
                let title = action.title().trim_end_matches('…').to_owned();
                Some((title, action.keys().first().copied()?))
            })
            .collect();
        group(title, &shortcuts)
    };
    let description = format!(
        "<interface><object class=\"GtkShortcutsWindow\" id=\"window\"><property name=\"modal\">1</property>\
         <child><object class=\"GtkShortcutsSection\"><property name=\"section-name\">all</property>{}{}{}\
         </object></child></object></interface>",
        of_section(Section::General, &gettext("General")),
        of_section(Section::Guest, &gettext("Selected Guest")),
        // Translators: the group of keys that work while the key Right Ctrl is held down.
        group(&gettext("In a Console, with Right Ctrl Held"), &console_shortcuts()),
    );
    if let Some(window) = gtk::Builder::from_string(&description).object::<gtk::ShortcutsWindow>("window") {
        window.set_transient_for(Some(parent));
        window.present();
    }
}

/// What the host key does in a console together with another key. Alone it takes the keyboard or gives
/// it back, which the console says.
fn console_shortcuts() -> [(String, &'static str); 7] {
    [
        (gettext("Enter or Leave Fullscreen"), "f"),
        (gettext("Show the Display"), "1"),
        (gettext("Show the Serial Port"), "2"),
        (gettext("Show or Hide Details"), "d"),
        (gettext("Move to the Toolbar"), "Tab"),
        (gettext("Send Ctrl+Alt+Del to the Guest"), "Delete"),
        (gettext("Close the Console"), "w"),
    ]
}

/// Shows the version and the licence.
pub fn show_about(parent: &impl IsA<gtk::Window>, core_version: Option<&str>, engine: Option<&str>) {
    let unknown = gettext("not known");
    let debug = format!(
        "Guesthouse {}\nhv-core {}\nQEMU {}\nGTK {}.{}.{}\nlibadwaita {}.{}.{}\n",
        env!("CARGO_PKG_VERSION"),
        core_version.unwrap_or(&unknown),
        engine.unwrap_or(&unknown),
        gtk::major_version(),
        gtk::minor_version(),
        gtk::micro_version(),
        adw::major_version(),
        adw::minor_version(),
        adw::micro_version(),
    );
    adw::AboutWindow::builder()
        .transient_for(parent)
        .modal(true)
        .application_name(gettext("Guesthouse"))
        .application_icon(crate::APP_ID)
        .version(env!("CARGO_PKG_VERSION"))
        .comments(gettext("Run other operating systems in windows on your own computer."))
        .developer_name(gettext("The Guesthouse developers"))
        .license_type(gtk::License::MitX11)
        .debug_info(debug)
        .debug_info_filename("guesthouse.txt")
        .build()
        .present();
}

/// Lets somebody choose a medium; `chosen` is told the file.
pub fn choose_medium(
    parent: &impl IsA<gtk::Window>,
    title: &str,
    chosen: impl Fn(std::path::PathBuf) + 'static,
) {
    let discs = gtk::FileFilter::new();
    discs.set_name(Some(&gettext("Disc images")));
    discs.add_mime_type("application/x-cd-image");
    discs.add_mime_type("application/vnd.efi.iso");
    discs.add_suffix("iso");
    let all = gtk::FileFilter::new();
    all.set_name(Some(&gettext("All files")));
    all.add_pattern("*");
    choose_file(parent, title, &[discs, all], chosen);
}

/// Lets somebody choose a file; `chosen` is told it.
pub fn choose_file(
    parent: &impl IsA<gtk::Window>,
    title: &str,
    filters: &[gtk::FileFilter],
    chosen: impl Fn(std::path::PathBuf) + 'static,
) {
    let dialog = gtk::FileChooserNative::builder()
        .title(title)
        .transient_for(parent)
        .modal(true)
        .action(gtk::FileChooserAction::Open)
        .accept_label(gettext("_Choose"))
        .cancel_label(gettext("_Cancel"))
        .build();
    for filter in filters {
        dialog.add_filter(filter);
    }
    // The dialog is no widget that anybody owns: it lives in this closure until it has answered.
    let keep = std::cell::RefCell::new(Some(dialog.clone()));
    dialog.connect_response(move |dialog, response| {
        let file = dialog.file().and_then(|file: gio::File| file.path());
        if let (gtk::ResponseType::Accept, Some(path)) = (response, file) {
            chosen(path);
        }
        keep.take();
    });
    dialog.show();
}
