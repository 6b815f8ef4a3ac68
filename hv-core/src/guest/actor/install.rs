//! The end of an installation: when the machine of a guest that is being installed has ended by itself, its disk is
//! looked at, and where a system is on it, what was there for the installation goes before the guest starts again.
//!
//! How the machine has ended is noted beside what it had, and forgotten only when the definition says what follows from
//! it: a core that begins in between finds both and goes on.

use super::{Actor, Answer, Internal, State, beside};
use crate::engine::{DiskFormat, EngineEvent};
use crate::guest::config::Definition;
use crate::guest::install::{self, Ended, Look, Next, is_startable};
use crate::guest::launch::serve_tree;
use crate::guest::record::RunRecord;
use crate::guest::state::{Happening, Wish};
use crate::guest::view::now;
use crate::storage;
use crate::tree::serve::Serving;
use hv_api::{Error, GuestInfo};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use tokio::sync::oneshot;
use tracing::{info, warn};

/// Where the end of an installation has got to.
#[derive(Debug, Default)]
pub(super) struct Installing {
    /// How its machine has ended, until it is known what follows from that.
    ended: Option<Ended>,
    /// Its disk is being looked at.
    looking: bool,
    /// The machine ended while no core ran, and what follows from it is still to be done.
    behind: bool,
    /// The install tree that the machine reads.
    serving: Rc<RefCell<Option<Serving>>>,
}

impl Installing {
    /// Serves this tree, and no other any more.
    pub(super) fn serve(&mut self, serving: Option<Serving>) {
        self.serving = Rc::new(RefCell::new(serving));
    }

    /// Forgets all that is known of the machine's end.
    fn close(&mut self) {
        (self.ended, self.looking, self.behind) = (None, false, false);
    }
}

/// The guest's first disk.
struct FirstDisk {
    path: PathBuf,
    format: DiskFormat,
}

impl Look for FirstDisk {
    async fn read(&mut self, offset: u64, length: usize) -> Option<Vec<u8>> {
        storage::read_volume(&self.path, self.format, offset, length).await
    }
}

impl Actor {
    /// Whether the machine that runs, or is wanted next where none does, is that of an installer.
    pub(super) fn is_installer(&self) -> bool {
        self.started_as().install.is_some()
    }

    /// Whether the machine that runs stops where its guest restarts itself.
    pub(super) fn stops_on_reboot(&self) -> bool {
        self.started_as().stops_on_reboot() || self.definition.power.stops_on_reboot()
    }

    /// Whether the machine of an installer has ended, and it is not yet written down what follows from that.
    pub(super) fn is_end_open(&self) -> bool {
        self.installing.ended.is_some() && self.definition.install.is_some()
    }

    /// Notes how an installer's machine has ended by itself.
    pub(super) fn note_end(&mut self, event: &EngineEvent) {
        let ended = match event {
            EngineEvent::PoweredOff => Some(Ended::PoweredOff),
            EngineEvent::Rebooted => Some(Ended::Restarted),
            // It was kept, and goes on.
            EngineEvent::Running => None,
            _ => return,
        };
        if self.is_installer() && ended != self.installing.ended {
            self.installing.ended = ended;
            if let Some(record) = &mut self.record {
                record.ended = ended;
                self.note_record();
            }
        }
    }

    /// Of a machine that was found and has ended: how, where an earlier core has noted that.
    pub(super) fn recall_end(&mut self) -> Option<Happening> {
        if !self.is_installer() {
            return None;
        }
        let noted = self.record.as_ref().and_then(|record| record.ended);
        if noted.is_some() {
            self.installing.ended = noted;
        } else {
            // Which of the two it did is not known, and off is what does no harm.
            self.note_end(&EngineEvent::PoweredOff);
        }
        let event = match self.installing.ended? {
            Ended::PoweredOff => EngineEvent::PoweredOff,
            Ended::Restarted => EngineEvent::Rebooted,
        };
        if !matches!(self.state, State::ShuttingDown { .. }) {
            self.state = State::Running;
        }
        Some(Happening::Engine(event))
    }

    /// Serves the install tree again that the machine of an earlier core reads, at the port that it knows.
    pub(super) fn serve_again(&self) {
        let Some(record) = self.record.as_ref().filter(|record| record.tree_port.is_some()) else { return };
        let (machine, port) = (record.machine.clone(), record.tree_port);
        let place = Rc::downgrade(&self.installing.serving);
        beside(async move {
            match serve_tree(&machine, port).await {
                // The machine may have ended meanwhile.
                Ok(serving) => drop(place.upgrade().map(|place| place.replace(serving))),
                Err(error) => warn!(?error, "its install tree can't be served any more"),
            }
        });
    }

    /// Goes on where an earlier core was cut short after the machine had ended; removes what one has left.
    pub(super) fn recall_installation(&mut self) {
        if self.definition.install.is_none() {
            install::sweep(&self.folder());
        }
        let found = RunRecord::read(&self.record_file());
        let Some((install, ended)) = found.and_then(|record| Some((record.machine.install?, record.ended?)))
        else {
            return;
        };
        if !matches!(self.state, State::Off(_)) {
            return;
        }
        info!(?ended, "the machine of its installer has ended while no core ran");
        self.installing.ended = Some(ended);
        self.installing.behind = true;
        if self.definition.install.is_some() {
            self.look_at_installation();
        } else {
            // All but its start was done.
            self.end_seen(ended, install.unattended, true);
        }
    }

    /// Begins to look at the disk, where the machine of an installer has ended and it is not known what follows from
    /// that. Tells whether it does.
    pub(super) fn look_at_installation(&mut self) -> bool {
        if self.installing.ended.is_none() || self.definition.install.is_none() {
            self.installing.ended = None;
            if self.definition.install.is_none() && self.state.is_off() {
                install::sweep(&self.folder());
            }
            return false;
        }
        if !std::mem::replace(&mut self.installing.looking, true) {
            let (folder, firmware) = (self.folder(), self.definition.firmware);
            let disk = self.definition.disks.first();
            let disk = disk.map(|disk| FirstDisk { path: folder.join(&disk.path), format: disk.format });
            let internal = self.internal.clone();
            beside(async move {
                let startable = match disk {
                    Some(mut disk) => is_startable(&mut disk, firmware).await,
                    None => Some(false),
                };
                drop(internal.send(Box::new(Internal::InstallationSeen(startable))));
            });
        }
        true
    }

    /// The disk was looked at: it can be started from or not, or can't be read.
    pub(super) fn installation_seen(&mut self, startable: Option<bool>) {
        self.installing.looking = false;
        let (Some(ended), Some(install)) = (self.installing.ended, self.definition.install.clone()) else {
            // It was ended by hand meanwhile.
            return self.go_on_launching();
        };
        let Some(startable) = startable else {
            return self.installation_stands(
                "Its first disk can't be read, so whether its system is installed is unknown.",
            );
        };
        let wanted = match install.after_end(startable) {
            Next::Same => self.definition.clone(),
            Next::Goes(rest) => Definition { install: Some(rest), ..self.definition.clone() },
            Next::Done => self.definition.installed(now()),
        };
        if let Err(error) = self.keep(wanted) {
            return self
                .installation_stands(&format!("That its system is installed can't be noted: {error:?}"));
        }
        info!(
            ?ended,
            startable,
            done = self.definition.install.is_none(),
            "its installer has ended the machine"
        );
        if ended == Ended::Restarted && install.unattended && !startable {
            // With the same answers it would do the same again.
            self.end_known();
            return self.installation_stands(
                "The installer has restarted the machine and left nothing that starts on its disk.",
            );
        }
        self.end_seen(ended, install.unattended, self.definition.install.is_none());
    }

    /// What follows from the end of the machine is written down; now it is done.
    fn end_seen(&mut self, ended: Ended, unattended: bool, done: bool) {
        let behind = self.installing.behind;
        self.end_known();
        let starts = match ended {
            Ended::Restarted => behind,
            Ended::PoweredOff => unattended && done,
        };
        self.publish();
        if matches!(self.state, State::Off(_)) && starts {
            info!("starting it, now that its system is installed");
            let (answer, _nobody): (Answer<GuestInfo>, _) = oneshot::channel();
            self.wish(Wish::Start { paused: false }, answer);
        } else {
            self.go_on_launching();
        }
    }

    /// Nothing more follows from the end of a machine.
    pub(super) fn end_known(&mut self) {
        self.installing.close();
        if self.definition.install.is_none() {
            install::sweep(&self.folder());
        }
        if self.state.is_down() {
            self.forget_record();
        } else if let Some(record) = &mut self.record {
            record.ended = None;
        }
    }

    /// Launches the engine that waited for the look at the disk.
    fn go_on_launching(&mut self) {
        if matches!(self.state, State::Starting { ready: false, .. }) && self.launch.is_none() {
            self.launch();
        }
    }

    /// It is not known what follows, or nothing good would: the guest does not start.
    fn installation_stands(&mut self, why: &str) {
        warn!(why, "the installation stands");
        if matches!(self.state, State::Starting { ready: false, .. }) && self.launch.is_none() {
            let (guest, detail) = (self.definition.name.clone(), why.to_owned());
            self.launch_error = Some(Error::StartFailed { guest, detail: detail.clone() });
            self.happen(Happening::LaunchFailed { detail });
        }
    }
}
