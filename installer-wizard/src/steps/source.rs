//! The first page: from what the guest is made.

use super::{Say, centred, list, name, ornament, scrolled, text, vertical};
use crate::Input;
use crate::flow::{self, Flow, Page};
use crate::recent::Recent;
use crate::texts;
use adw::prelude::*;
use std::time::UNIX_EPOCH;
use virt_kit::i18n::{gettext, gettext_f};
use virt_kit::words::file_name;

/// The page's widgets.
#[derive(Debug)]
pub struct SourcePage {
    root: gtk::ScrolledWindow,
    area: gtk::Box,
    spinner: gtk::Spinner,
    icon: gtk::Image,
    heading: gtk::Label,
    hint: gtk::Label,
    choose: gtk::Button,
    fault: gtk::Box,
    fault_text: gtk::Label,
    recent: adw::PreferencesGroup,
    recent_list: gtk::ListBox,
    others: adw::PreferencesGroup,
    say: Say,
}

impl SourcePage {
    /// Builds the page.
    pub fn new(say: &Say) -> Self {
        let icon = ornament("media-optical-symbolic");
        icon.set_pixel_size(64);
        icon.set_halign(gtk::Align::Center);
        icon.add_css_class("dim-label");
        let spinner =
            gtk::Spinner::builder().width_request(64).height_request(64).halign(gtk::Align::Center).build();
        let heading = text(&["title-2"]);
        let hint = text(&["dim-label"]);
        for label in [&heading, &hint] {
            label.set_xalign(0.5);
            label.set_justify(gtk::Justification::Center);
        }
        let choose = gtk::Button::builder()
            .label(gettext("Choose File…"))
            .halign(gtk::Align::Center)
            .margin_top(12)
            .css_classes(["pill", "suggested-action"])
            .build();
        let to = say.clone();
        choose.connect_clicked(move |_| to.say(Input::ChooseFile));
        let area = vertical(6);
        area.add_css_class("drop-area");
        for child in [icon.upcast_ref::<gtk::Widget>(), spinner.upcast_ref(), heading.upcast_ref()] {
            area.append(child);
        }
        area.append(&hint);
        area.append(&choose);

        let fault = gtk::Box::builder().spacing(12).css_classes(["card", "fault"]).visible(false).build();
        let fault_text = text(&[]);
        fault.append(&ornament("dialog-error-symbolic"));
        fault.append(&fault_text);

        let recent_list = list();
        name(&recent_list, &gettext("In Your Downloads"));
        let recent =
            adw::PreferencesGroup::builder().title(gettext("In Your Downloads")).visible(false).build();
        recent.add(&recent_list);

        let empty = adw::ActionRow::builder()
            .title(gettext("Empty Guest"))
            .subtitle(gettext("A machine without an installer. Put one into its drive later."))
            .use_markup(false)
            .activatable(true)
            .build();
        empty.add_prefix(&centred("computer-symbolic"));
        empty.add_suffix(&centred("go-next-symbolic"));
        let to = say.clone();
        empty.connect_activated(move |_| to.say(Input::Step(flow::Input::ChooseNothing)));
        let other_list = list();
        name(&other_list, &gettext("Other Ways"));
        for row in tree_rows(say) {
            other_list.append(&row);
        }
        other_list.append(&disk_row(say));
        other_list.append(&empty);
        let others = adw::PreferencesGroup::new();
        others.add(&other_list);

        let content = vertical(18);
        content.append(&area);
        content.append(&fault);
        content.append(&recent);
        content.append(&others);
        Self {
            root: scrolled(&content),
            area,
            spinner,
            icon,
            heading,
            hint,
            choose,
            fault,
            fault_text,
            recent,
            recent_list,
            others,
            say: say.clone(),
        }
    }

    /// The page.
    pub const fn widget(&self) -> &gtk::ScrolledWindow {
        &self.root
    }

    /// Puts the keyboard where one most likely goes on.
    pub fn focus(&self) {
        self.choose.grab_focus();
    }

    /// Offers the installers that were found.
    pub fn offer(&self, found: &[Recent]) {
        while let Some(row) = self.recent_list.row_at_index(0) {
            self.recent_list.remove(&row);
        }
        for installer in found {
            self.recent_list.append(&self.row(installer));
        }
        self.recent.set_visible(!found.is_empty());
    }

    fn row(&self, installer: &Recent) -> adw::ActionRow {
        let size = installer.size.to_string();
        let date = installer
            .modified
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| gtk::glib::DateTime::from_unix_local(since.as_secs() as i64).ok())
            .and_then(|time| time.format("%x").ok());
        let about = match date {
            // Translators: about a downloaded file: its size, and the day on which it was written.
            Some(date) => gettext_f("{size}, from {date}", &[("size", &size), ("date", &date)]),
            None => size,
        };
        let row = adw::ActionRow::builder()
            .title(&installer.name)
            .subtitle(about)
            .use_markup(false)
            .title_lines(1)
            .activatable(true)
            .tooltip_text(installer.path.to_string_lossy())
            .build();
        row.add_prefix(&centred("media-optical-symbolic"));
        row.add_suffix(&centred("go-next-symbolic"));
        let (to, path) = (self.say.clone(), installer.path.clone());
        row.connect_activated(move |_| to.say(Input::Step(flow::Input::Choose(path.clone()))));
        row
    }

    /// Shows the flow.
    pub fn show(&self, flow: &Flow) {
        let (looking_at, fault) = match flow.page() {
            Page::Looking { path, slow } => (slow.then(|| path.to_string_lossy()), None),
            Page::Source { fault } => (None, fault.as_ref()),
            Page::Disks(_) | Page::Review(_) | Page::Creating(_) | Page::Failed { .. } | Page::Gone => {
                (None, None)
            }
        };
        let slow = looking_at.is_some();
        self.icon.set_visible(!slow);
        self.spinner.set_visible(slow);
        self.spinner.set_spinning(slow);
        name(&self.spinner, &gettext("Reading the file"));
        self.choose.set_sensitive(!slow);
        self.recent.set_sensitive(!slow);
        self.others.set_sensitive(!slow);
        if let Some(path) = looking_at {
            let file = file_name(&path);
            self.heading.set_label(&gettext_f("Reading “{file}”…", &[("file", &file)]));
            self.hint.set_label(&gettext("This takes long on a slow disk or network folder."));
        } else {
            self.heading.set_label(&gettext("Drop an Installer Here"));
            self.hint.set_label(&gettext(
                "A disc image (ISO), a disk image, or a machine of another program (OVA, libvirt, Xen)",
            ));
        }
        self.fault.set_visible(fault.is_some());
        if let Some(fault) = fault {
            let sentence = texts::source_fault(fault);
            self.area.update_property(&[gtk::accessible::Property::Description(&sentence)]);
            self.choose.update_property(&[gtk::accessible::Property::Description(&sentence)]);
            self.fault_text.set_label(&sentence);
        }
    }
}

/// The way to the disks of this computer.
fn disk_row(say: &Say) -> adw::ActionRow {
    let row = adw::ActionRow::builder()
        .title(gettext("Disk of This Computer"))
        .subtitle(gettext("A system on another disk or partition, used in place"))
        .use_markup(false)
        .activatable(true)
        .build();
    row.add_prefix(&centred("drive-harddisk-symbolic"));
    row.add_suffix(&centred("go-next-symbolic"));
    let to = say.clone();
    row.connect_activated(move |_| to.say(Input::Step(flow::Input::ChooseDisk)));
    row
}

/// The ways to an install tree: its address, or its folder.
fn tree_rows(say: &Say) -> [gtk::Widget; 2] {
    let address = adw::EntryRow::builder()
        .title(gettext("Address of an Install Tree"))
        .input_purpose(gtk::InputPurpose::Url)
        .show_apply_button(true)
        .build();
    address.add_prefix(&centred("network-server-symbolic"));
    let to = say.clone();
    address.connect_apply(move |row| to.say(Input::Step(flow::Input::Address(row.text().into()))));
    let folder = adw::ActionRow::builder()
        .title(gettext("Install Tree in a Folder"))
        .subtitle(gettext("What is on an installation disc or a mirror, as files"))
        .use_markup(false)
        .activatable(true)
        .build();
    folder.add_prefix(&centred("folder-symbolic"));
    folder.add_suffix(&centred("go-next-symbolic"));
    let to = say.clone();
    folder.connect_activated(move |_| to.say(Input::ChooseFolder));
    [address.upcast(), folder.upcast()]
}
