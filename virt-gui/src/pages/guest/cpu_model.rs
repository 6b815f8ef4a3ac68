//! The model of the guest's CPUs, chosen from those that the engine names.

use super::GuestWish;
use crate::calls::Wish;
use crate::model::hardware::when_fixed;
use crate::widgets::setting_row::add_badge;
use adw::prelude::*;
use hv_api::{BootSettings, GuestInfo, Settings};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// The row.
#[derive(Debug)]
pub struct CpuModelRow {
    row: adw::ComboRow,
    badge: gtk::Label,
    /// What the list has after the usual model.
    listed: Rc<RefCell<Vec<String>>>,
    /// What the engine names; nothing until it was asked.
    known: RefCell<Vec<String>>,
    shown: RefCell<Option<String>>,
    /// Set while a value of the core is shown, which nobody has chosen.
    quiet: Rc<Cell<bool>>,
}

impl CpuModelRow {
    /// The row; `wish` hears what is wished, and that the models are to be asked for when it is seen first.
    pub fn new(wish: &Rc<dyn Fn(GuestWish)>) -> Self {
        let row = adw::ComboRow::builder().title(gettext("CPU Model")).use_subtitle(true).build();
        let badge = add_badge(&row);
        let listed: Rc<RefCell<Vec<String>>> = Rc::default();
        let quiet: Rc<Cell<bool>> = Rc::default();
        row.connect_selected_notify({
            let (wish, listed, quiet) = (Rc::clone(wish), Rc::clone(&listed), Rc::clone(&quiet));
            move |row| {
                if quiet.get() {
                    return;
                }
                let chosen = (row.selected() as usize).checked_sub(1);
                let model = chosen.and_then(|place| listed.borrow().get(place).cloned());
                let boot =
                    BootSettings { cpu_model: Some(model.unwrap_or_default()), ..BootSettings::default() };
                wish(GuestWish::Core(Wish::Set(Settings { boot: Some(boot), ..Settings::default() })));
            }
        });
        let asked = Cell::new(false);
        row.connect_map({
            let wish = Rc::clone(wish);
            move |_| {
                if !asked.replace(true) {
                    wish(GuestWish::LearnCpuModels);
                }
            }
        });
        let this = Self { row, badge, listed, known: RefCell::default(), shown: RefCell::default(), quiet };
        this.list();
        this
    }

    /// The widget.
    pub fn widget(&self) -> &adw::ComboRow {
        &self.row
    }

    /// These are the models that the engine names.
    pub fn learn(&self, models: Vec<String>) {
        self.known.replace(models);
        self.list();
    }

    /// Shows a guest's model.
    pub fn show(&self, guest: &GuestInfo) {
        self.badge.set_label(&when_fixed(guest));
        let former = self.shown.replace(guest.boot.cpu_model.clone());
        if former == guest.boot.cpu_model { self.select() } else { self.list() }
    }

    /// Lists the models. One that the guest has and this engine does not name is among them.
    fn list(&self) {
        let mut models = self.known.borrow().clone();
        if let Some(shown) = self.shown.borrow().as_ref().filter(|shown| !models.contains(shown)) {
            models.insert(0, shown.clone());
        }
        let usual = gettext("The usual one");
        let words: Vec<&str> =
            std::iter::once(usual.as_str()).chain(models.iter().map(String::as_str)).collect();
        self.quiet.set(true);
        self.row.set_model(Some(&gtk::StringList::new(&words)));
        self.quiet.set(false);
        self.listed.replace(models);
        self.select();
    }

    fn select(&self) {
        let (shown, listed) = (self.shown.borrow(), self.listed.borrow());
        let place = shown.as_ref().and_then(|shown| listed.iter().position(|model| model == shown));
        self.quiet.set(true);
        self.row.set_selected(place.map_or(0, |place| place as u32 + 1));
        self.quiet.set(false);
    }
}
