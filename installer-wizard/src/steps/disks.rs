//! The page with this computer's physical disks: one of them, or a partition, becomes the guest's disk.

use super::{Say, centred, list, name, scrolled, text, vertical};
use crate::flow::{self, Flow, Page};
use crate::{Input, texts};
use adw::prelude::*;
use hv_api::{HostDisk, HostUse};
use std::cell::RefCell;
use virt_kit::i18n::gettext;

/// The page's widgets.
#[derive(Debug)]
pub struct DisksPage {
    root: gtk::ScrolledWindow,
    hint: gtk::Label,
    spinner: gtk::Spinner,
    groups: gtk::Box,
    shown: RefCell<Option<Vec<HostDisk>>>,
    say: Say,
}

impl DisksPage {
    /// Builds the page.
    pub fn new(say: &Say) -> Self {
        let heading = text(&["title-2"]);
        heading.set_label(&gettext("Disk of This Computer"));
        let hint = text(&["dim-label"]);
        let spinner = gtk::Spinner::builder().halign(gtk::Align::Center).spinning(true).build();
        name(&spinner, &gettext("Looking for disks"));
        let groups = vertical(18);
        let content = vertical(6);
        for child in [heading.upcast_ref::<gtk::Widget>(), hint.upcast_ref(), spinner.upcast_ref()] {
            content.append(child);
        }
        groups.set_margin_top(12);
        content.append(&groups);
        Self { root: scrolled(&content), hint, spinner, groups, shown: RefCell::default(), say: say.clone() }
    }

    /// The page.
    pub const fn widget(&self) -> &gtk::ScrolledWindow {
        &self.root
    }

    /// Puts the keyboard on what can be chosen first.
    pub fn focus(&self) {
        self.groups.child_focus(gtk::DirectionType::TabForward);
    }

    /// Shows the flow.
    pub fn show(&self, flow: &Flow) {
        let Page::Disks(found) = flow.page() else { return };
        self.spinner.set_visible(found.is_none());
        self.hint.set_label(&match found {
            Some(disks) if disks.is_empty() => gettext("This computer has no disk that a guest could have."),
            Some(_) | None => gettext(
                "The guest uses what you choose in place, and can change everything on it. \
                 It can't be in use by this computer at the same time.",
            ),
        });
        if *self.shown.borrow() == *found {
            return;
        }
        self.shown.replace(found.clone());
        super::clear(&self.groups);
        for disk in found.iter().flatten() {
            self.groups.append(&self.group(disk));
        }
    }

    fn group(&self, disk: &HostDisk) -> adw::PreferencesGroup {
        let title = texts::disk_title(disk);
        let group = adw::PreferencesGroup::new();
        // Its own title would take a disk's name for markup.
        let heading = text(&["heading"]);
        heading.set_label(&title);
        let about = text(&["dim-label", "caption"]);
        about.set_label(&texts::disk_about(disk));
        let rows = list();
        name(&rows, &title);
        rows.append(&self.row(
            &gettext("Whole Disk"),
            &texts::disk_state(disk),
            &disk.device,
            is_free(disk.used, disk.guest.as_deref()),
        ));
        for part in &disk.partitions {
            let title = texts::partition_title(part);
            rows.append(&self.row(
                &title,
                &texts::partition_state(part),
                &part.device,
                is_free(part.used, part.guest.as_deref()),
            ));
        }
        let content = vertical(3);
        content.append(&heading);
        content.append(&about);
        rows.set_margin_top(6);
        content.append(&rows);
        group.add(&content);
        group
    }

    fn row(&self, title: &str, state: &str, device: &str, is_free: bool) -> adw::ActionRow {
        let row = adw::ActionRow::builder()
            .title(title)
            .subtitle(state)
            .use_markup(false)
            .activatable(is_free)
            .tooltip_text(device)
            .build();
        row.add_prefix(&centred("drive-harddisk-symbolic"));
        if is_free {
            row.add_suffix(&centred("go-next-symbolic"));
        }
        let (to, device) = (self.say.clone(), device.to_owned());
        row.connect_activated(move |_| to.say(Input::Step(flow::Input::Choose(device.clone().into()))));
        row
    }
}

/// Whether a guest could have what is used in this way, or by this guest.
fn is_free(used: Option<HostUse>, guest: Option<&str>) -> bool {
    used.is_none() && guest.is_none()
}
