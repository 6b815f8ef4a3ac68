//! The console windows: one per guest, each told what becomes of its guest and of the core.

use super::{App, AppInput, Place};
use crate::calls::Wish;
use crate::console::{ConsoleInit, ConsoleInput, ConsoleOutput, ConsoleWindow};
use adw::prelude::*;
use hv_api::{Change, GuestId, Library};
use relm4::prelude::*;
use std::collections::HashMap;
use virt_kit::problem::Problem;

/// The windows that are open.
#[derive(Debug, Default)]
pub(super) struct Consoles(HashMap<GuestId, Controller<ConsoleWindow>>);

impl Consoles {
    /// True where none is open.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Opens a guest's window, or brings the open one forward.
    pub(super) fn open(&mut self, id: GuestId, app: &App, sender: &ComponentSender<App>) {
        let (Some(daemon), Some(guest)) = (&app.daemon, app.library.guest(id)) else { return };
        if let Some(console) = self.0.get(&id) {
            return console.emit(ConsoleInput::Present);
        }
        let (guest, host) = (guest.clone(), app.library.host().cloned());
        let init = ConsoleInit { daemon: daemon.clone(), guest, host, core_reachable: app.is_up() };
        let console = ConsoleWindow::builder().launch(init);
        let console = console.forward(sender.input_sender(), |output| match output {
            ConsoleOutput::Closed(id) => AppInput::ConsoleClosed(id),
            ConsoleOutput::Wish(id, wish) => AppInput::Guest(Place::Console, id, wish),
            ConsoleOutput::Solve(id, wish, action) => AppInput::Solve(Place::Console, id, Some(wish), action),
        });
        self.0.insert(id, console);
    }

    /// A guest's window, where one is open.
    pub(super) fn window(&self, id: GuestId) -> Option<gtk::Window> {
        self.0.get(&id).map(|console| console.widget().clone().upcast())
    }

    /// Tells a guest's window that what was wished in it came to nothing.
    pub(super) fn failed(&self, id: GuestId, wish: Wish, problem: Problem) {
        if let Some(console) = self.0.get(&id) {
            console.emit(ConsoleInput::Refused(Box::new(wish), problem));
        }
    }

    /// Forgets a window that was closed.
    pub(super) fn closed(&mut self, id: GuestId) {
        self.0.remove(&id);
    }

    /// Tells all of them that the core is away.
    pub(super) fn link_lost(&self) {
        for console in self.0.values() {
            console.emit(ConsoleInput::LinkLost);
        }
    }

    /// Tells those that a change concerns; `library` is what was before it.
    pub(super) fn change(&self, change: &Change, library: &Library) {
        match change {
            Change::Snapshot(snapshot) => {
                for (id, console) in &self.0 {
                    console.emit(ConsoleInput::LinkUp);
                    console.emit(ConsoleInput::Host(Box::new(snapshot.host.clone())));
                    let guest = snapshot.guests.iter().find(|guest| guest.id == *id);
                    console
                        .emit(guest.map_or(ConsoleInput::Gone, |guest| {
                            ConsoleInput::Guest(Box::new(guest.clone()))
                        }));
                }
            }
            Change::Guest(guest) => {
                if let Some(console) = self.0.get(&guest.id)
                    && library.guest(guest.id) != Some(guest)
                {
                    console.emit(ConsoleInput::Guest(Box::new(guest.clone())));
                }
            }
            Change::Removed(id) => {
                if let Some(console) = self.0.get(id) {
                    console.emit(ConsoleInput::Gone);
                }
            }
            Change::Job(job) => {
                if let Some(console) = self.0.get(&job.guest) {
                    console.emit(ConsoleInput::Job(Box::new(job.clone())));
                }
            }
            Change::Host(host) => {
                for console in self.0.values() {
                    console.emit(ConsoleInput::Host(Box::new(host.clone())));
                }
            }
        }
    }
}
