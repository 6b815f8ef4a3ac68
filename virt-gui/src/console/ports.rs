//! Chooses between the serial ports of a guest that has several.

use super::ConsoleInput;
use crate::widgets::rename;
use gtk::prelude::*;
use hv_api::GuestInfo;
use std::cell::Cell;
use std::rc::Rc;
use virt_kit::i18n::{gettext, gettext_f};

/// The bar above the terminal.
#[derive(Debug)]
pub struct PortChooser {
    root: gtk::Box,
    list: gtk::DropDown,
    count: Cell<u32>,
    /// Set while the list is made anew, which nobody has chosen.
    quiet: Rc<Cell<bool>>,
}

impl PortChooser {
    /// The bar; `input` hears which port somebody chooses.
    pub fn new(input: &relm4::Sender<ConsoleInput>) -> Self {
        let list = gtk::DropDown::from_strings(&[]);
        rename(&list, &gettext("Serial Port"));
        let quiet: Rc<Cell<bool>> = Rc::default();
        list.connect_selected_notify({
            let (input, quiet) = (input.clone(), Rc::clone(&quiet));
            move |list| {
                if !quiet.get() {
                    input.emit(ConsoleInput::SerialPort(list.selected()));
                }
            }
        });
        let root = gtk::Box::builder().css_classes(["toolbar"]).visible(false).build();
        root.append(&list);
        Self { root, list, count: Cell::default(), quiet }
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::Box {
        &self.root
    }

    /// Shows the ports that the guest's machine has, and which of them is chosen.
    pub fn show(&self, guest: &GuestInfo, chosen: u32) {
        let count = count(guest);
        self.quiet.set(true);
        if self.count.replace(count) != count {
            // Translators: a serial port by its number and the name that Linux gives it.
            let name = |port: u32| {
                let (number, device) = ((port + 1).to_string(), format!("ttyS{port}"));
                gettext_f("Port {number} ({device})", &[("number", &number), ("device", &device)])
            };
            let names: Vec<String> = (0..count).map(name).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            self.list.set_model(Some(&gtk::StringList::new(&names)));
        }
        self.list.set_selected(chosen);
        self.quiet.set(false);
        self.root.set_visible(count > 1);
    }
}

/// How many ports there are to look at: those of the machine, whatever the guest is to have next.
pub fn count(guest: &GuestInfo) -> u32 {
    guest.paths.serial_logs.len() as u32
}
