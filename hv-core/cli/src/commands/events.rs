//! The event stream: everything that is, then each change, until somebody stops it.

use crate::failure::Failure;
use crate::output::{GuestView, HostView, JobView, Output, escaped, moment, wire_word};
use hv_api::client::{Connection, Events};
use hv_api::{Change, GuestId, GuestInfo, HostInfo, JobInfo, Snapshot};
use serde::Serialize;
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// One line of the stream, for programs.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum EventView<'a> {
    Guest(Box<GuestView<'a>>),
    Removed(GuestId),
    Job(JobView<'a>),
    Host(Box<HostView<'a>>),
}

/// Writes the stream until it ends.
pub async fn follow(core: &mut Connection, output: &mut Output) -> Result<(), Failure> {
    let mut events = Events::watch(core).await?;
    let mut writer = Writer { output, names: HashMap::new() };
    loop {
        if let Some(change) = events.next().await?.into_change() {
            writer.change(change)?;
            writer.output.flush()?;
        }
    }
}

struct Writer<'a> {
    output: &'a mut Output,
    /// The names of guests, to call one that is gone by.
    names: HashMap<GuestId, String>,
}

impl Writer<'_> {
    fn change(&mut self, change: Change) -> Result<(), Failure> {
        match change {
            Change::Snapshot(Snapshot { guests, jobs, host }) => {
                self.names.clear();
                self.host(&host)?;
                guests.iter().try_for_each(|guest| self.guest(guest, guest.since))?;
                jobs.iter().try_for_each(|job| self.job(job))
            }
            Change::Guest(guest) => self.guest(&guest, now()),
            Change::Removed(id) => self.removed(id),
            Change::Job(job) => self.job(&job),
            Change::Host(host) => self.host(&host),
        }
    }

    fn guest(&mut self, guest: &GuestInfo, time: u64) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.object(&EventView::Guest(Box::new(GuestView::from(guest))));
        }
        self.names.insert(guest.id, guest.name.clone());
        let reason = guest.reason.map(|reason| format!(" ({})", wire_word(&reason))).unwrap_or_default();
        self.line(time, &guest.name, &format!("{}{reason}", wire_word(&guest.state)))
    }

    fn removed(&mut self, id: GuestId) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.object(&EventView::Removed(id));
        }
        let name = self.names.remove(&id).unwrap_or_else(|| id.to_string());
        self.line(now(), &name, "deleted")
    }

    fn job(&mut self, job: &JobInfo) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.object(&EventView::Job(JobView::from(job)));
        }
        let percent = (job.progress.clamp(0.0, 1.0) * 100.0).round();
        let what = format!(
            "{} {} ({}, {percent} %)",
            wire_word(&job.kind),
            wire_word(&job.state),
            wire_word(&job.stage)
        );
        self.line(now(), &job.guest_name, &what)
    }

    fn host(&mut self, host: &HostInfo) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.object(&EventView::Host(Box::new(HostView::from(host))));
        }
        let accelerator = host.accelerator.as_ref().map(|info| wire_word(&info.chosen));
        self.line(now(), "host", accelerator.as_deref().unwrap_or("accelerator not yet known"))
    }

    fn line(&mut self, time: u64, name: &str, what: &str) -> Result<(), Failure> {
        self.output.line(&format!("{}  {}  {what}", moment(time), escaped(name)))
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
