//! The event stream: first everything, then each change; and the reducer that keeps the present.

use crate::{GuestId, GuestInfo, HostInfo, JobId, JobInfo, JobState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zlink::introspect::CustomType;

/// All that there is at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct Snapshot {
    /// All guests, by name.
    pub guests: Vec<GuestInfo>,
    /// Jobs that go on.
    pub jobs: Vec<JobInfo>,
    /// The host.
    pub host: HostInfo,
}

/// One message of the stream: exactly one of its fields is present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomType)]
pub struct Event {
    /// Everything; always the first message, and again after a reader fell behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// A guest that is new or has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<GuestInfo>,
    /// A guest that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<GuestId>,
    /// A job that is new or has changed. One that has ended is not mentioned again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobInfo>,
    /// The host's facts have changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostInfo>,
}

/// The same as one of several things, for Rust.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are guests, and each is taken apart at once")]
pub enum Change {
    /// Everything.
    Snapshot(Snapshot),
    /// A guest that is new or has changed.
    Guest(GuestInfo),
    /// A guest that is gone.
    Removed(GuestId),
    /// A job that is new or has changed.
    Job(JobInfo),
    /// The host's facts.
    Host(HostInfo),
}

impl Event {
    /// What this message says; nothing where it comes from a newer core and says something else.
    pub fn into_change(self) -> Option<Change> {
        let Self { snapshot, guest, removed, job, host } = self;
        snapshot
            .map(Change::Snapshot)
            .or(guest.map(Change::Guest))
            .or(removed.map(Change::Removed))
            .or(job.map(Change::Job))
            .or(host.map(Change::Host))
    }
}

impl From<Change> for Event {
    fn from(change: Change) -> Self {
        let mut event = Self { snapshot: None, guest: None, removed: None, job: None, host: None };
        match change {
            Change::Snapshot(snapshot) => event.snapshot = Some(snapshot),
            Change::Guest(guest) => event.guest = Some(guest),
            Change::Removed(id) => event.removed = Some(id),
            Change::Job(job) => event.job = Some(job),
            Change::Host(host) => event.host = Some(host),
        }
        event
    }
}

/// The present, as the stream has told it so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Library {
    guests: BTreeMap<GuestId, GuestInfo>,
    jobs: BTreeMap<JobId, JobInfo>,
    host: Option<HostInfo>,
}

impl Library {
    /// Takes one change in.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Snapshot(Snapshot { guests, jobs, host }) => {
                self.guests = guests.into_iter().map(|guest| (guest.id, guest)).collect();
                self.jobs = jobs.into_iter().map(|job| (job.id, job)).collect();
                self.host = Some(host);
            }
            Change::Guest(guest) => {
                self.guests.insert(guest.id, guest);
            }
            Change::Removed(id) => {
                self.guests.remove(&id);
            }
            Change::Job(job) => match job.state {
                JobState::Running => {
                    self.jobs.insert(job.id, job);
                }
                JobState::Done | JobState::Failed | JobState::Cancelled => {
                    self.jobs.remove(&job.id);
                }
            },
            Change::Host(host) => self.host = Some(host),
        }
    }

    /// All guests, by identity.
    pub fn guests(&self) -> impl ExactSizeIterator<Item = &GuestInfo> {
        self.guests.values()
    }

    /// One guest.
    pub fn guest(&self, id: GuestId) -> Option<&GuestInfo> {
        self.guests.get(&id)
    }

    /// Jobs that go on.
    pub fn jobs(&self) -> impl ExactSizeIterator<Item = &JobInfo> {
        self.jobs.values()
    }

    /// The host's facts; nothing before the first message.
    pub fn host(&self) -> Option<&HostInfo> {
        self.host.as_ref()
    }
}
