//! What is asked about disks: a new one, a larger one, one less.

use super::GuestWish;
use crate::calls::Wish;
use crate::model::disk::{self as words, BUSES};
use crate::widgets::dialogs::choose_medium;
use crate::widgets::text_button;
use adw::prelude::*;
use hv_api::{DiskInfo, GuestInfo, NewDisk};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// Asks for a disk to add: a new one, or a file that exists.
pub fn add(parent: &gtk::Window, guest: &GuestInfo, wish: &Rc<dyn Fn(GuestWish)>) {
    let dialog = adw::MessageDialog::new(
        Some(parent),
        Some(&gettext_f("Add a Disk to “{guest}”", &[("guest", &guest.name)])),
        None,
    );
    let new = gtk::CheckButton::with_label(&gettext("New disk"));
    let existing = gtk::CheckButton::with_label(&gettext("Existing image or device"));
    existing.set_group(Some(&new));
    new.set_active(true);

    let size = adw::EntryRow::builder().title(gettext("Size")).text("20 GiB").build();
    let file = adw::ActionRow::builder()
        .title(gettext("File"))
        .use_markup(false)
        .subtitle(gettext("None chosen"))
        .subtitle_lines(3)
        .build();
    let choose = text_button(&gettext("Choose…"), &[]);
    file.add_suffix(&choose);
    let (copy_row, copy) = switch(
        &gettext("Copy Into a New Disk"),
        &gettext("The file stays as it is; images of other programs can be written only then"),
    );
    let (read_only_row, read_only) = switch(&gettext("Read Only"), "");
    let buses = BUSES.map(words::bus);
    let names: Vec<&str> = buses.iter().map(String::as_str).collect();
    let bus =
        adw::ComboRow::builder().title(gettext("Attached To")).model(&gtk::StringList::new(&names)).build();
    let when = gtk::Label::builder().css_classes(["badge", "caption"]).valign(gtk::Align::Center).build();
    bus.add_suffix(&when);

    let list =
        gtk::ListBox::builder().selection_mode(gtk::SelectionMode::None).css_classes(["boxed-list"]).build();
    for row in [
        size.upcast_ref::<gtk::Widget>(),
        file.upcast_ref(),
        copy_row.upcast_ref(),
        bus.upcast_ref(),
        read_only_row.upcast_ref(),
    ] {
        list.append(row);
    }
    let kinds = gtk::Box::builder().spacing(12).halign(gtk::Align::Center).build();
    kinds.append(&new);
    kinds.append(&existing);
    let form = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(12).build();
    form.append(&kinds);
    form.append(&list);
    dialog.set_extra_child(Some(&form));
    dialog.add_response("cancel", &gettext("_Cancel"));
    dialog.add_response("add", &gettext("_Add"));
    dialog.set_response_appearance("add", adw::ResponseAppearance::Suggested);
    dialog.set_default_response(Some("add"));
    dialog.set_close_response("cancel");

    let chosen: Rc<RefCell<Option<PathBuf>>> = Rc::default();
    let read = {
        let (new, size, bus, copy) = (new.clone(), size.clone(), bus.clone(), copy.clone());
        let (read_only, chosen) = (read_only.clone(), Rc::clone(&chosen));
        // What is asked for, and whether it is to be copied; nothing while something is missing.
        Rc::new(move || {
            let is_new = new.is_active();
            let size = if is_new { Some(words::read_size(&size.text())?) } else { None };
            let path = if is_new {
                None
            } else {
                Some(chosen.borrow().clone()?.into_os_string().into_string().ok()?)
            };
            let disk = NewDisk {
                size,
                path,
                bus: BUSES.get(bus.selected() as usize).copied(),
                read_only: Some(!is_new && read_only.is_active()),
                ..NewDisk::default()
            };
            Some((disk, !is_new && copy.is_active()))
        })
    };
    let refresh: Rc<dyn Fn()> = {
        let (dialog, new, size, bus) = (dialog.clone(), new.clone(), size.clone(), bus.clone());
        let (file, guest, read) = (file.clone(), guest.clone(), Rc::clone(&read));
        Rc::new(move || {
            let is_new = new.is_active();
            size.set_visible(is_new);
            file.set_visible(!is_new);
            copy_row.set_visible(!is_new);
            read_only_row.set_visible(!is_new);
            let wrong = is_new && words::read_size(&size.text()).is_none();
            if wrong {
                size.add_css_class("error");
            } else {
                size.remove_css_class("error");
            }
            if let Some(bus) = BUSES.get(bus.selected() as usize) {
                when.set_label(&words::when_added(&guest, *bus));
            }
            dialog.set_response_enabled("add", read().is_some());
        })
    };
    new.connect_toggled({
        let refresh = Rc::clone(&refresh);
        move |_| refresh()
    });
    size.connect_changed({
        let refresh = Rc::clone(&refresh);
        move |_| refresh()
    });
    bus.connect_selected_notify({
        let refresh = Rc::clone(&refresh);
        move |_| refresh()
    });
    choose.connect_clicked({
        let (dialog, refresh) = (dialog.clone(), Rc::clone(&refresh));
        move |_| {
            let (file, chosen, refresh) = (file.clone(), Rc::clone(&chosen), Rc::clone(&refresh));
            choose_medium(&dialog, &gettext("Choose a Disk Image"), move |path| {
                file.set_subtitle(&path.display().to_string());
                chosen.replace(Some(path));
                refresh();
            });
        }
    });
    refresh();
    dialog.connect_response(Some("add"), {
        let wish = Rc::clone(wish);
        move |_, _| {
            if let Some((disk, copy)) = read() {
                wish(GuestWish::Core(Wish::AddDisk { disk, copy }));
            }
        }
    });
    dialog.present();
}

/// Asks for the new size of a disk.
pub fn grow(parent: &gtk::Window, _guest: &GuestInfo, disk: &DiskInfo, wish: &Rc<dyn Fn(GuestWish)>) {
    let now = disk.size.unwrap_or_default();
    let dialog = adw::MessageDialog::new(
        Some(parent),
        Some(&gettext_f("Make “{disk}” Larger", &[("disk", &words::title(disk))])),
        Some(&gettext_f(
            "It has {size} now. A running guest sees the new size at once, and may have to enlarge its file system itself. A disk can't be made smaller.",
            &[("size", &now.to_string())],
        )),
    );
    let size = adw::EntryRow::builder().title(gettext("New Size")).text(now.to_string()).build();
    let list =
        gtk::ListBox::builder().selection_mode(gtk::SelectionMode::None).css_classes(["boxed-list"]).build();
    list.append(&size);
    dialog.set_extra_child(Some(&list));
    dialog.add_response("cancel", &gettext("_Cancel"));
    dialog.add_response("grow", &gettext("_Grow"));
    dialog.set_response_appearance("grow", adw::ResponseAppearance::Suggested);
    dialog.set_default_response(Some("grow"));
    dialog.set_close_response("cancel");
    dialog.set_response_enabled("grow", false);
    let larger = move |text: &str| words::read_size(text).filter(|size| *size > now);
    size.connect_changed({
        let dialog = dialog.clone();
        move |row| dialog.set_response_enabled("grow", larger(&row.text()).is_some())
    });
    dialog.connect_response(Some("grow"), {
        let (wish, disk) = (Rc::clone(wish), disk.name.clone());
        move |_, _| {
            if let Some(size) = larger(&size.text()) {
                wish(GuestWish::Core(Wish::GrowDisk { disk: disk.clone(), size }));
            }
        }
    });
    dialog.present();
}

/// Asks before a disk is removed, and whether its file goes with it.
pub fn remove(parent: &gtk::Window, guest: &GuestInfo, disk: &DiskInfo, wish: &Rc<dyn Fn(GuestWish)>) {
    let body = match (guest.live.is_some(), disk.removable) {
        (true, true) => {
            gettext("The running guest is asked to let go of it; what it has not written yet may be lost.")
        }
        (true, false) => gettext("The running guest keeps it until its next start."),
        (false, _) => gettext("The guest has it no more when it is started."),
    };
    let dialog = adw::MessageDialog::new(
        Some(parent),
        Some(&gettext_f("Remove “{disk}”?", &[("disk", &words::title(disk))])),
        Some(&format!("{body}\n\n{}", disk.path)),
    );
    let delete = gtk::CheckButton::with_label(&gettext("Also delete its file and everything in it"));
    // What a machine has yet is not deleted.
    if disk.own && (guest.live.is_none() || disk.removable) {
        dialog.set_extra_child(Some(&delete));
    }
    dialog.add_response("cancel", &gettext("_Cancel"));
    dialog.add_response("remove", &gettext("_Remove"));
    dialog.set_response_appearance("remove", adw::ResponseAppearance::Destructive);
    dialog.set_default_response(Some("cancel"));
    dialog.set_close_response("cancel");
    dialog.connect_response(Some("remove"), {
        let (wish, disk) = (Rc::clone(wish), disk.name.clone());
        move |_, _| {
            wish(GuestWish::Core(Wish::RemoveDisk { disk: disk.clone(), delete: delete.is_active() }));
        }
    });
    dialog.present();
}

fn switch(title: &str, subtitle: &str) -> (adw::ActionRow, gtk::Switch) {
    let switch = gtk::Switch::builder().valign(gtk::Align::Center).build();
    switch.update_property(&[gtk::accessible::Property::Label(title)]);
    let row = adw::ActionRow::builder().title(title).subtitle(subtitle).activatable_widget(&switch).build();
    row.add_suffix(&switch);
    (row, switch)
}
