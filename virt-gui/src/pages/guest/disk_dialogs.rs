//! What is asked about disks: a new one, a larger one, one less.

use super::GuestWish;
use crate::calls::Wish;
use crate::model::disk::{self as words, BUSES};
use crate::widgets::dialogs::choose_medium;
use crate::widgets::question::{Answer, allow, ask, question, rows};
use crate::widgets::setting_row::{ChoiceRow, SwitchRow};
use crate::widgets::text_button;
use adw::prelude::*;
use hv_api::{DiskInfo, GuestInfo, NewDisk};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};
use virt_kit::words::file_name;

/// Asks for a disk to add: a new one, or a file that exists.
pub fn add(parent: &gtk::Window, guest: &GuestInfo, wish: &Rc<dyn Fn(GuestWish)>) {
    let heading = gettext_f("Add a Disk to “{guest}”", &[("guest", &guest.name)]);
    let dialog = question(Some(parent), &heading, "", &gettext("_Add"), Answer::Usual);
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
    let copy = SwitchRow::new(
        &gettext("Copy Into a New Disk"),
        &gettext("The file stays as it is; images of other programs can be written only then"),
        |_| {},
    );
    let read_only = SwitchRow::new(&gettext("Read Only"), "", |_| {});
    let bus = Rc::new(ChoiceRow::new(&gettext("Attached To"), &BUSES, words::bus, |_| {}));

    let list = rows();
    for row in [
        size.upcast_ref::<gtk::Widget>(),
        file.upcast_ref(),
        copy.widget().upcast_ref(),
        bus.widget().upcast_ref(),
        read_only.widget().upcast_ref(),
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
    let (copy, read_only) = (Rc::new(copy), Rc::new(read_only));
    let chosen: Rc<RefCell<Option<PathBuf>>> = Rc::default();
    let read = {
        let (new, size, bus, copy) = (new.clone(), size.clone(), Rc::clone(&bus), Rc::clone(&copy));
        let (read_only, chosen) = (Rc::clone(&read_only), Rc::clone(&chosen));
        // What is asked for, and whether it is to be copied; nothing while something is missing.
        Rc::new(move || {
            let is_new = new.is_active();
            let size = if is_new { Some(words::read_size(&size.text())?) } else { None };
            let path = if is_new {
                None
            } else {
                Some(chosen.borrow().clone()?.into_os_string().into_string().ok()?)
            };
            let read_only = Some(!is_new && read_only.is_on());
            let disk = NewDisk { size, path, bus: bus.value(), read_only, ..NewDisk::default() };
            Some((disk, !is_new && copy.is_on()))
        })
    };
    let refresh: Rc<dyn Fn()> = {
        let (dialog, new, size, bus) = (dialog.clone(), new.clone(), size.clone(), Rc::clone(&bus));
        let (file, guest, read) = (file.clone(), guest.clone(), Rc::clone(&read));
        Rc::new(move || {
            let is_new = new.is_active();
            size.set_visible(is_new);
            file.set_visible(!is_new);
            copy.widget().set_visible(!is_new);
            read_only.widget().set_visible(!is_new);
            let wrong = is_new && words::read_size(&size.text()).is_none();
            if wrong {
                size.add_css_class("error");
            } else {
                size.remove_css_class("error");
            }
            if let Some(chosen) = bus.value() {
                bus.say(&words::when_added(&guest, chosen));
            }
            allow(&dialog, read().is_some());
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
    bus.widget().connect_selected_notify({
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
    let wish = Rc::clone(wish);
    ask(&dialog, move || {
        if let Some((disk, copy)) = read() {
            wish(GuestWish::Core(Wish::AddDisk { disk, copy }));
        }
    });
}

/// Asks for the new size of a disk.
pub fn grow(parent: &gtk::Window, disk: &DiskInfo, wish: &Rc<dyn Fn(GuestWish)>) {
    let now = disk.size.unwrap_or_default();
    let heading = gettext_f("Make “{disk}” Larger", &[("disk", &file_name(&disk.path))]);
    let body = gettext_f(
        "It has {size} now. A running guest sees the new size at once, and may have to enlarge its file system itself. A disk can't be made smaller.",
        &[("size", &now.to_string())],
    );
    let dialog = question(Some(parent), &heading, &body, &gettext("_Grow"), Answer::Usual);
    let size = adw::EntryRow::builder().title(gettext("New Size")).text(now.to_string()).build();
    let list = rows();
    list.append(&size);
    dialog.set_extra_child(Some(&list));
    allow(&dialog, false);
    let larger = move |text: &str| words::read_size(text).filter(|size| *size > now);
    size.connect_changed({
        let dialog = dialog.clone();
        move |row| allow(&dialog, larger(&row.text()).is_some())
    });
    let (wish, disk) = (Rc::clone(wish), disk.name.clone());
    ask(&dialog, move || {
        if let Some(size) = larger(&size.text()) {
            wish(GuestWish::Core(Wish::GrowDisk { disk: disk.clone(), size }));
        }
    });
}

/// Asks before a disk is removed, and whether its file goes with it.
pub fn remove(parent: &gtk::Window, guest: &GuestInfo, disk: &DiskInfo, wish: &Rc<dyn Fn(GuestWish)>) {
    let heading = gettext_f("Remove “{disk}”?", &[("disk", &file_name(&disk.path))]);
    let body = match (guest.live.is_some(), disk.removable) {
        (true, true) => {
            gettext("The running guest is asked to let go of it; what it has not written yet may be lost.")
        }
        (true, false) => gettext("The running guest keeps it until its next start."),
        (false, _) => gettext("The guest has it no more when it is started."),
    };
    let body = format!("{body}\n\n{}", disk.path);
    let dialog = question(Some(parent), &heading, &body, &gettext("_Remove"), Answer::Destructive);
    let delete = gtk::CheckButton::with_label(&gettext("Also delete its file and everything in it"));
    // What a machine has yet is not deleted.
    if disk.own && (guest.live.is_none() || disk.removable) {
        dialog.set_extra_child(Some(&delete));
    }
    let (wish, disk) = (Rc::clone(wish), disk.name.clone());
    ask(&dialog, move || {
        wish(GuestWish::Core(Wish::RemoveDisk { disk: disk.clone(), delete: delete.is_active() }));
    });
}
