//! The second page: what was found on the medium, and one form with everything there is to decide.

use super::answers::AnswerList;
use super::foundation::FoundationList;
use super::plan::PlanList;
use super::row::{FormRow, switch_row};
use super::system::SystemRow;
use super::{Say, clear, list, name, note, ornament, scrolled, text};
use crate::Input;
use crate::defaults::{Limits, MemoryScale, is_disk};
use crate::flow::{self, Flow, Page, Review, Source};
use crate::form::{DiskChoice, Edit, Field, Row};
use crate::texts;
use adw::prelude::*;
use hv_api::{MediumInfo, MediumKind};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use virt_kit::i18n::gettext;
use virt_kit::problem::ProblemAction;
use virt_kit::words::{FirmwareKind, file_name, firmware_name};

/// The page's widgets.
#[derive(Debug)]
pub struct ReviewPage {
    root: gtk::Box,
    banner: gtk::InfoBar,
    banner_text: gtk::Label,
    banner_choose: gtk::Button,
    card: Card,
    plan: PlanList,
    foundation: FoundationList,
    answers: AnswerList,
    name: Shown<gtk::Entry>,
    name_row: FormRow,
    system: SystemRow,
    cpus: Shown<gtk::SpinButton>,
    cpus_row: FormRow,
    memory: Shown<gtk::Entry>,
    scale: gtk::Scale,
    scale_layout: Cell<Option<(MemoryScale, u64)>>,
    memory_row: FormRow,
    disk: Shown<gtk::Entry>,
    disk_row: FormRow,
    no_disk: gtk::Switch,
    no_disk_row: adw::ActionRow,
    firmware: Shown<gtk::DropDown>,
    /// What its places mean: nothing for what the medium needs.
    firmware_kinds: Rc<RefCell<Vec<Option<FirmwareKind>>>>,
    firmware_row: FormRow,
    network: gtk::Switch,
    network_row: adw::ActionRow,
    start: gtk::Switch,
    reason: gtk::Label,
    create: gtk::Button,
    /// What the scale's positions mean now.
    layout: Rc<Cell<MemoryScale>>,
    say: Say,
}

/// A control and the revision of the value that it was last given.
#[derive(Debug)]
struct Shown<W> {
    control: W,
    revision: Cell<Option<u32>>,
}

impl<W> Shown<W> {
    const fn new(control: W) -> Self {
        Self { control, revision: Cell::new(None) }
    }

    /// Gives the control a value that it does not come from itself.
    fn give<T: PartialEq>(&self, field: &Field<T>, set: impl FnOnce(&W, &T)) {
        if self.revision.replace(Some(field.revision())) != Some(field.revision()) {
            set(&self.control, field.get());
        }
    }
}

impl ReviewPage {
    /// Builds the page.
    pub fn new(say: &Say) -> Self {
        let (banner, banner_text, banner_choose) = banner(say);
        let (card, plan, answers) = (Card::new(), PlanList::new(), AnswerList::new(say));
        let foundation = FoundationList::new(say);

        let edit = |say: &Say, edit: Edit| say.say(Input::Step(flow::Input::Edit(edit)));
        let name_entry = entry(64);
        let to = say.clone();
        name_entry.connect_changed(move |entry| edit(&to, Edit::Name(entry.text().into())));
        let name_row = FormRow::new(&gettext("Name"), &name_entry, None);

        let system = SystemRow::new(say);

        let cpus = gtk::SpinButton::with_range(1.0, 1.0, 1.0);
        cpus.set_halign(gtk::Align::End);
        if let Some(text) = cpus.delegate().and_downcast::<gtk::Text>() {
            text.set_activates_default(true);
        }
        let to = say.clone();
        cpus.connect_value_changed(move |spin| {
            edit(&to, Edit::Cpus(u32::try_from(spin.value_as_int()).unwrap_or(1)));
        });
        let cpus_row = FormRow::new(&gettext("CPUs"), &cpus, None);

        let memory = entry(10);
        memory.set_halign(gtk::Align::End);
        let to = say.clone();
        memory.connect_changed(move |entry| edit(&to, Edit::Memory(entry.text().into())));
        let scale = gtk::Scale::with_range(gtk::Orientation::Horizontal, 0.0, 1.0, 1.0);
        scale.set_draw_value(false);
        name(&scale, &gettext("Memory"));
        let layout = Rc::new(Cell::new(MemoryScale::of(&Limits::default())));
        let (to, positions) = (say.clone(), layout.clone());
        scale.connect_change_value(move |_, _, position| {
            edit(&to, Edit::MemoryScale(positions.get().size_at(position)));
            gtk::glib::Propagation::Proceed
        });
        let memory_row = FormRow::new(&gettext("Memory"), &memory, Some(scale.upcast_ref()));

        let disk = entry(10);
        disk.set_halign(gtk::Align::End);
        let to = say.clone();
        disk.connect_changed(move |entry| edit(&to, Edit::Disk(entry.text().into())));
        let disk_row = FormRow::new(&gettext("Disk Size"), &disk, None);
        let (no_disk_row, no_disk) =
            switch_row(&gettext("No Disk"), &gettext("The guest runs from its medium alone"));
        let to = say.clone();
        no_disk.connect_active_notify(move |switch| edit(&to, Edit::NoDisk(switch.is_active())));

        let firmware = gtk::DropDown::from_strings(&[]);
        firmware.set_halign(gtk::Align::End);
        let firmware_kinds: Rc<RefCell<Vec<Option<FirmwareKind>>>> = Rc::default();
        let (to, kinds) = (say.clone(), Rc::clone(&firmware_kinds));
        firmware.connect_selected_notify(move |choice| {
            let kind = kinds.borrow().get(choice.selected() as usize).copied();
            edit(&to, Edit::Firmware(kind.flatten()));
        });
        let firmware_row = FormRow::new(&gettext("Firmware"), &firmware, None);

        let (network_row, network) =
            switch_row(&gettext("Network"), &gettext("Shares this computer's connection"));
        let to = say.clone();
        network.connect_active_notify(move |switch| edit(&to, Edit::Network(switch.is_active())));
        let (start_row, start) = switch_row(&gettext("Start When Created"), "");
        let to = say.clone();
        start.connect_active_notify(move |switch| edit(&to, Edit::Start(switch.is_active())));

        let resources = named_list(&gettext("Resources"));
        for row in [cpus_row.widget(), memory_row.widget(), disk_row.widget()] {
            resources.append(row);
        }
        resources.append(&no_disk_row);
        let names = named_list(&gettext("Name"));
        names.append(name_row.widget());
        names.append(system.row().widget());
        let rest = named_list(&gettext("Options"));
        rest.append(firmware_row.widget());
        rest.append(&network_row);
        rest.append(&start_row);
        let form = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(12).build();
        form.append(&card.root);
        for list in [plan.widget(), foundation.widget(), &names, answers.widget(), &resources, &rest] {
            form.append(list);
        }

        let (bar, reason, create) = bottom_bar(say);
        let root = gtk::Box::builder().orientation(gtk::Orientation::Vertical).build();
        root.append(&banner);
        root.append(&scrolled(&form));
        root.append(&bar);
        Self {
            root,
            banner,
            banner_text,
            banner_choose,
            card,
            plan,
            foundation,
            answers,
            name: Shown::new(name_entry),
            name_row,
            system,
            cpus: Shown::new(cpus),
            cpus_row,
            memory: Shown::new(memory),
            scale,
            scale_layout: Cell::new(None),
            memory_row,
            disk: Shown::new(disk),
            disk_row,
            no_disk,
            no_disk_row,
            firmware: Shown::new(firmware),
            firmware_kinds,
            firmware_row,
            network,
            network_row,
            start,
            reason,
            create,
            layout,
            say: say.clone(),
        }
    }

    /// The page.
    pub const fn widget(&self) -> &gtk::Box {
        &self.root
    }

    /// What Enter presses.
    pub const fn default_button(&self) -> &gtk::Button {
        &self.create
    }

    /// Puts the keyboard where one most likely goes on.
    pub fn focus(&self) {
        self.name.control.grab_focus();
    }

    /// Shows the flow.
    pub fn show(&self, flow: &Flow) {
        let Page::Review(review) = flow.page() else { return };
        self.say.quietly(|| {
            self.show_banner(review);
            self.card.show(&review.source);
            self.plan.show(match &review.source {
                Source::Machine(_, plan) => Some(plan),
                Source::Medium(_) | Source::Nothing => None,
            });
            self.show_form(flow, review);
            self.foundation.show(flow);
            self.answers.show(flow, review);
            self.show_remarks(flow, review);
        });
    }

    fn show_banner(&self, review: &Review) {
        self.banner.set_revealed(review.banner.is_some());
        if let Some(problem) = &review.banner {
            self.banner_text.set_label(&texts::sentence(problem));
            self.banner_choose.set_visible(problem.action == Some(ProblemAction::ChooseAnotherFile));
        }
    }

    fn show_form(&self, flow: &Flow, review: &Review) {
        let form = flow.form();
        self.name.give(&form.name, |entry, text| entry.set_text(text));
        self.system.show(flow);
        let most = (*flow.limits().cpus.end()).max(*form.cpus.get());
        self.cpus.control.set_range(1.0, f64::from(most));
        self.cpus.give(&form.cpus, |spin, count| spin.set_value(f64::from(*count)));
        self.memory.give(&form.memory, |entry, text| entry.set_text(text));
        self.show_scale(flow);
        self.disk.give(&form.disk, |entry, text| entry.set_text(text));
        let disk = review.source.open().disk;
        self.disk_row.widget().set_visible(disk != DiskChoice::Fixed);
        self.no_disk_row.set_visible(disk == DiskChoice::Made);
        self.network_row.set_visible(review.source.leaves_network_open());
        self.disk.control.set_sensitive(disk == DiskChoice::Grown || !form.no_disk.get());
        self.show_firmware(flow);
        for (switch, on) in [
            (&self.no_disk, form.no_disk.get()),
            (&self.network, form.network.get()),
            (&self.start, form.start.get()),
        ] {
            if switch.is_active() != *on {
                switch.set_active(*on);
            }
        }
    }

    fn show_firmware(&self, flow: &Flow) {
        let chosen = *flow.form().firmware.get();
        let offered = flow.limits().firmware.iter().copied().map(Some);
        let kinds: Vec<_> = std::iter::once(None).chain(offered).collect();
        if *self.firmware_kinds.borrow() != kinds {
            // Translators: the firmware of a new guest, where nobody chooses one.
            let name = |kind: &Option<_>| kind.map_or_else(|| gettext("Automatic"), firmware_name);
            let names: Vec<String> = kinds.iter().map(name).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            self.firmware_kinds.replace(kinds);
            self.firmware.control.set_model(Some(&gtk::StringList::new(&names)));
            self.firmware.revision.set(None);
        }
        let place = self.firmware_kinds.borrow().iter().position(|kind| *kind == chosen);
        self.firmware.give(&flow.form().firmware, |choice, _| {
            choice.set_selected(place.and_then(|place| u32::try_from(place).ok()).unwrap_or_default());
        });
    }

    fn show_scale(&self, flow: &Flow) {
        let layout = MemoryScale::of(flow.limits());
        let recommended = flow.form().recommended.memory;
        if self.scale_layout.replace(Some((layout, recommended.as_mib())))
            != Some((layout, recommended.as_mib()))
        {
            self.layout.set(layout);
            self.scale.set_range(layout.lower as f64, layout.upper as f64);
            self.scale.set_increments(layout.step as f64, (layout.step * 8) as f64);
            self.scale.clear_marks();
            self.scale.add_mark(recommended.as_mib() as f64, gtk::PositionType::Bottom, None);
        }
        if let Some(size) = flow.form().memory_size() {
            // Within a step the slider stays where the hand has put it.
            if (self.scale.value() - size.as_mib() as f64).abs() >= layout.step as f64 / 2.0 {
                self.scale.set_value(size.as_mib() as f64);
            }
            self.scale.update_property(&[gtk::accessible::Property::ValueText(&crate::sizes::exact(size))]);
        }
    }

    fn show_remarks(&self, flow: &Flow, review: &Review) {
        let fixed = [
            (Row::Name, &self.name_row),
            (Row::System, self.system.row()),
            (Row::Cpus, &self.cpus_row),
            (Row::Memory, &self.memory_row),
            (Row::Disk, &self.disk_row),
            (Row::Firmware, &self.firmware_row),
        ];
        for (row, widget) in fixed.into_iter().chain(self.answers.rows()) {
            let remark = flow
                .remark(row)
                .map(|remark| (texts::remark(row, &remark), remark.is_mistake()))
                .or_else(|| {
                    let of_system =
                        || texts::system_hint(flow.medium()).filter(|_| flow.chosen_system().is_none());
                    let of_row = || texts::hint(row, flow.form(), &review.source);
                    let hint = if row == Row::System { of_system() } else { of_row() };
                    Some((hint?, false))
                });
            widget.say(remark.as_ref().map(|(sentence, forbids)| (sentence.as_str(), *forbids)));
        }
        let reason = flow.obstacle().map(|(row, remark)| texts::remark(row, &remark));
        self.create.set_sensitive(reason.is_none());
        self.create.set_tooltip_text(reason.as_deref());
        self.reason.set_label(reason.as_deref().unwrap_or_default());
    }
}

/// What was found on the medium.
#[derive(Debug)]
struct Card {
    root: gtk::Box,
    icon: gtk::Image,
    title: gtk::Label,
    file: gtk::Label,
    facts: gtk::Label,
    notes: gtk::Box,
    shown: RefCell<Option<Source>>,
}

impl Card {
    fn new() -> Self {
        let icon = ornament("media-optical-symbolic");
        icon.set_pixel_size(32);
        icon.set_valign(gtk::Align::Center);
        let title = text(&["heading"]);
        let file = gtk::Label::builder()
            .xalign(0.0)
            .ellipsize(gtk::pango::EllipsizeMode::Middle)
            .css_classes(["caption"])
            .build();
        let facts = text(&["caption", "dim-label"]);
        let notes = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(6).build();
        let words = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(3).build();
        for label in [&title, &file, &facts] {
            words.append(label);
        }
        let line = gtk::Box::builder().spacing(12).build();
        line.append(&icon);
        line.append(&words);
        let root = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(12)
            .css_classes(["card", "medium-card"])
            .build();
        root.append(&line);
        root.append(&notes);
        Self { root, icon, title, file, facts, notes, shown: RefCell::default() }
    }

    fn show(&self, source: &Source) {
        if self.shown.borrow().as_ref() == Some(source) {
            return;
        }
        match source {
            Source::Medium(medium) => self.show_medium(medium),
            Source::Machine(medium, plan) => {
                self.show_medium(medium);
                self.icon.set_icon_name(Some("computer-symbolic"));
                self.facts.set_label(&texts::machine_facts(&plan.guest));
            }
            Source::Nothing => {
                self.icon.set_icon_name(Some("computer-symbolic"));
                self.title.set_label(&gettext("Empty guest"));
                self.file.set_visible(false);
                self.facts.set_label(&gettext("It has an empty drive, and no system to start yet."));
                self.show_notes(&[]);
            }
        }
        *self.shown.borrow_mut() = Some(source.clone());
    }

    fn show_medium(&self, medium: &MediumInfo) {
        let icon = if is_disk(medium) { "drive-harddisk-symbolic" } else { "media-optical-symbolic" };
        self.icon.set_icon_name(Some(icon));
        self.title.set_label(&texts::medium_title(medium));
        self.file.set_visible(true);
        let whole = medium.kind == MediumKind::Tree;
        self.file.set_label(&if whole { medium.path.clone() } else { file_name(&medium.path) });
        self.file.set_tooltip_text(Some(&medium.path));
        self.facts.set_label(&texts::medium_facts(medium).join("\n"));
        self.show_notes(&texts::medium_notes(medium));
    }

    fn show_notes(&self, notes: &[String]) {
        clear(&self.notes);
        for sentence in notes {
            self.notes.append(&note("dialog-warning-symbolic", sentence, "warning"));
        }
        self.notes.set_visible(!notes.is_empty());
    }
}

fn banner(say: &Say) -> (gtk::InfoBar, gtk::Label, gtk::Button) {
    let words = text(&[]);
    let choose = gtk::Button::with_label(&gettext("Choose Another File"));
    let to = say.clone();
    choose.connect_clicked(move |_| to.say(Input::ChooseFile));
    let banner = gtk::InfoBar::builder().message_type(gtk::MessageType::Error).revealed(false).build();
    banner.add_child(&words);
    banner.add_action_widget(&choose, gtk::ResponseType::Other(1));
    // Its own close button has no name for screen readers.
    let dismiss = gtk::Button::with_label(&gettext("Dismiss"));
    banner.add_action_widget(&dismiss, gtk::ResponseType::Close);
    let to = say.clone();
    banner.connect_response(move |_, response| {
        if response == gtk::ResponseType::Close {
            to.say(Input::Step(flow::Input::Dismiss));
        }
    });
    (banner, words, choose)
}

fn bottom_bar(say: &Say) -> (gtk::Box, gtk::Label, gtk::Button) {
    let reason = text(&["caption", "error"]);
    reason.set_xalign(1.0);
    reason.set_valign(gtk::Align::Center);
    let create = gtk::Button::builder()
        .label(gettext("Create"))
        .valign(gtk::Align::Center)
        .css_classes(["suggested-action", "create"])
        .build();
    let to = say.clone();
    create.connect_clicked(move |_| to.say(Input::Step(flow::Input::Create)));
    let bar = gtk::Box::builder().spacing(12).css_classes(["toolbar", "bottom-bar"]).build();
    bar.append(&reason);
    bar.append(&create);
    (bar, reason, create)
}

fn entry(width: i32) -> gtk::Entry {
    gtk::Entry::builder().activates_default(true).width_chars(width.min(10)).max_width_chars(width).build()
}

fn named_list(title: &str) -> gtk::ListBox {
    let list = list();
    name(&list, title);
    list
}
