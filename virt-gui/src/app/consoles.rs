//! The console windows that are open, each following its guest.

use super::{App, AppInput};
use crate::console::{ConsoleInit, ConsoleInput, ConsoleOutput, ConsoleWindow};
use hv_api::{GuestId, GuestInfo, Library};
use relm4::prelude::*;
use std::collections::HashMap;
use virt_kit::daemon::Daemon;

/// The windows, at most one for each guest.
#[derive(Debug, Default)]
pub struct Consoles(HashMap<GuestId, Controller<ConsoleWindow>>);

impl Consoles {
    /// Opens a guest's console, or brings it to the front.
    pub fn open(
        &mut self,
        daemon: &Daemon,
        guest: &GuestInfo,
        core_reachable: bool,
        sender: &ComponentSender<App>,
    ) {
        if let Some(console) = self.0.get(&guest.id) {
            return console.emit(ConsoleInput::Present);
        }
        let init = ConsoleInit { daemon: daemon.clone(), guest: guest.clone(), core_reachable };
        let console = ConsoleWindow::builder()
            .launch(init)
            .forward(sender.input_sender(), |ConsoleOutput::Closed(id)| AppInput::ConsoleClosed(id));
        self.0.insert(guest.id, console);
    }

    /// A console's window was closed.
    pub fn closed(&mut self, id: GuestId) {
        self.0.remove(&id);
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells a guest's console what has become of the guest.
    pub fn tell(&self, id: GuestId, library: &Library) {
        if let Some(console) = self.0.get(&id) {
            console.emit(match library.guest(id) {
                Some(guest) => ConsoleInput::Guest(Box::new(guest.clone())),
                None => ConsoleInput::Gone,
            });
        }
    }

    /// The core can be reached, and everything is known anew.
    pub fn link_up(&self, library: &Library) {
        for (id, console) in &self.0 {
            self.tell(*id, library);
            console.emit(ConsoleInput::LinkUp);
        }
    }

    /// The core can't be reached any more.
    pub fn link_lost(&self) {
        for console in self.0.values() {
            console.emit(ConsoleInput::LinkLost);
        }
    }
}
