//! A guest that stands since the host's disk is full: how much room there is, and that it goes on when there is enough.
//!
//! Linux tells nobody that a file system has room again, so it is looked at; only while a guest waits for it.

use super::{Actor, Internal, beside};
use crate::files;
use crate::guest::room;
use crate::guest::state::Wish;
use hv_api::{ByteSize, HostRoom, StateReason};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use tracing::info;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// A guest that stops again so soon went on in vain.
const SOON: Duration = Duration::from_secs(60);

/// The room that a guest waits for.
#[derive(Default)]
pub(super) struct Waiting {
    watch: Option<AbortHandle>,
    now: Option<HostRoom>,
    /// When it went on last, and with how much room.
    went_on: Option<(Instant, ByteSize)>,
}

impl Waiting {
    /// What there is, while the guest waits.
    pub(super) fn now(&self) -> Option<HostRoom> {
        self.now.clone()
    }
}

impl Actor {
    /// Looks at the room while the guest waits for it, and at no other time.
    pub(super) fn watch_room(&mut self) {
        let waits = self.state.told().1 == Some(StateReason::DiskFull);
        match (&self.room.watch, waits) {
            (None, true) => {}
            (Some(watch), false) => {
                watch.abort();
                (self.room.watch, self.room.now) = (None, None);
                return;
            }
            (None, false) | (Some(_), true) => return,
        }
        let Some(record) = &self.record else { return };
        let folder = self.context.store.folder(self.definition.id);
        let disks: Vec<_> = record.machine.disks.iter().map(|disk| disk.config(&folder)).collect();
        let internal = self.internal.clone();
        self.room.watch = Some(beside(async move {
            loop {
                let disks = disks.clone();
                if let Ok(Some(room)) = files::off_thread(move || Ok(room::measure(&disks))).await {
                    drop(internal.send(Box::new(Internal::Room(room))));
                }
                sleep(LOOK).await;
            }
        }));
    }

    /// There is this much room.
    pub(super) fn room_is(&mut self, room: HostRoom) {
        if self.room.watch.is_none() {
            // Of a moment that is over.
            return;
        }
        let in_vain = self.room.went_on.filter(|(when, _)| when.elapsed() < SOON).map(|(_, had)| had);
        let needed = room::needed(&room, in_vain);
        let free = room.free;
        self.room.now = Some(HostRoom { needed, ..room });
        self.publish();
        if needed.as_bytes() == 0 {
            info!(%free, "there is room again, and the guest goes on");
            self.room.went_on = Some((Instant::now(), free));
            let (answer, _nobody_waits) = oneshot::channel();
            self.wish(Wish::Resume, answer);
        }
    }
}
