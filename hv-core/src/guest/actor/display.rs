//! Windows that look at a guest's display.

use super::{Actor, Internal, State, beside};
use crate::display::Relay;
use crate::guest::handle::{Answer, engine_error};
use hv_api::{Error, Operation};
use std::os::fd::OwnedFd;

impl Actor {
    pub(super) fn open_display(&mut self, answer: Answer<OwnedFd>) {
        if let Some(relay) = self.display.as_ref().filter(|relay| relay.is_open()) {
            drop(answer.send(attach(relay, &self.definition.name)));
            return;
        }
        self.display = None;
        let shown = matches!(self.state, State::Running | State::Paused(_) | State::ShuttingDown { .. });
        let Some(machine) = self.machine.borrow().clone().filter(|_| shown) else {
            drop(answer.send(Err(self.wrong_state(Operation::OpenDisplay))));
            return;
        };
        self.display_waiting.push(answer);
        if self.display_waiting.len() == 1 {
            let internal = self.internal.clone();
            let name = self.definition.name.clone();
            let viewer = self.battery.viewers.enter();
            beside(async move {
                let opened = Relay::open(machine, viewer).await;
                let result = opened.map_err(|error| engine_error(&name, Operation::OpenDisplay, error));
                drop(internal.send(Box::new(Internal::DisplayOpened(result))));
            });
        }
    }
}

pub(super) fn attach(relay: &Relay, guest: &str) -> Result<OwnedFd, Error> {
    let refused = |detail: String| Error::EngineRefused {
        guest: guest.to_owned(),
        operation: Operation::OpenDisplay,
        detail,
    };
    match relay.attach() {
        Ok(Some(window)) => Ok(window),
        Ok(None) => Err(refused("the display has just been closed".into())),
        Err(error) => Err(refused(error.to_string())),
    }
}
