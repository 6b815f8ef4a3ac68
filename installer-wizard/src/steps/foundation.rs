//! The files that a disk image builds on. They could be any files of the person's, so they are shown, and used only with
//! that person's yes.

use super::Say;
use super::row::switch_row;
use crate::Input;
use crate::flow::{self, Flow};
use crate::form::Edit;
use adw::prelude::*;
use hv_api::BackingFile;
use std::cell::RefCell;
use virt_kit::i18n::gettext;

/// The list with the files and the switch.
#[derive(Debug)]
pub struct FoundationList {
    root: gtk::ListBox,
    agree: gtk::Switch,
    files: RefCell<(Vec<BackingFile>, Vec<adw::ActionRow>)>,
}

impl FoundationList {
    /// The list, with nothing in it.
    pub fn new(say: &Say) -> Self {
        let root = super::list();
        root.set_visible(false);
        super::name(&root, &gettext("Files That the Image Builds On"));
        let (row, agree) = switch_row(
            &gettext("Use These Files as Well"),
            &gettext("The guest reads them; whoever made the image has chosen them"),
        );
        let to = say.clone();
        agree.connect_active_notify(move |switch| {
            to.say(Input::Step(flow::Input::Edit(Edit::Agree(switch.is_active()))));
        });
        root.append(&row);
        Self { root, agree, files: RefCell::default() }
    }

    /// The widget.
    pub const fn widget(&self) -> &gtk::ListBox {
        &self.root
    }

    /// Shows the flow.
    pub fn show(&self, flow: &Flow) {
        let files = flow.medium().map(|medium| &medium.backing[..]).unwrap_or_default();
        self.root.set_visible(!files.is_empty());
        let mut shown = self.files.borrow_mut();
        if shown.0 != files {
            for row in shown.1.drain(..) {
                self.root.remove(&row);
            }
            for (place, file) in files.iter().enumerate() {
                let row = row(file);
                self.root.insert(&row, i32::try_from(place).unwrap_or(i32::MAX));
                shown.1.push(row);
            }
            shown.0 = files.to_vec();
        }
        let agreed = *flow.form().agreed.get();
        if self.agree.is_active() != agreed {
            self.agree.set_active(agreed);
        }
    }
}

fn row(file: &BackingFile) -> adw::ActionRow {
    let place = if file.outside { gettext("In another folder") } else { gettext("Beside the image") };
    let about = if file.format.is_empty() { place } else { format!("{place} · {}", file.format) };
    let row =
        adw::ActionRow::builder().title(&file.path).subtitle(about).use_markup(false).title_lines(3).build();
    let icon = super::centred("drive-harddisk-symbolic");
    row.add_prefix(&icon);
    row
}
