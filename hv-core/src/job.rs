//! Long work: each job runs on its own, whoever watches it, and can be cancelled until it has ended.

use crate::engine::Amount;
use hv_api::{Change, Error, GuestId, JobId, JobInfo, JobKind, JobStage, JobState};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::rc::Rc;
use tokio::sync::{Notify, broadcast, watch};

/// How many jobs that have ended are remembered, for clients that ask a moment too late.
const REMEMBERED: usize = 64;

/// A job as it stands, with its error once it has failed.
#[derive(Debug, Clone)]
pub struct Status {
    /// What everybody is told.
    pub info: JobInfo,
    /// Why it failed.
    pub error: Option<Error>,
}

/// All jobs.
#[derive(Debug)]
pub struct Jobs {
    last: Cell<u64>,
    all: RefCell<BTreeMap<JobId, Job>>,
    changes: broadcast::Sender<Change>,
}

#[derive(Debug)]
struct Job {
    status: watch::Receiver<Status>,
    cancel: Rc<Notify>,
}

/// How a job ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has done what it was for.
    Done,
    /// It was cancelled in time, and the former state is restored.
    Cancelled,
}

/// The running job's own hold on what is told of it.
#[derive(Debug, Clone)]
pub struct Progress {
    status: Rc<watch::Sender<Status>>,
    changes: broadcast::Sender<Change>,
}

impl Progress {
    /// The job has reached a stage; `progress` of the whole, 0–1, is done.
    pub fn stage(&self, stage: JobStage, progress: f64) {
        self.tell(|status| {
            status.info.stage = stage;
            status.info.progress = status.info.progress.max(progress);
        });
    }

    /// The job is at a stage that moves bytes, and has come so far.
    pub fn amount(&self, stage: JobStage, amount: Amount) {
        self.share(stage, amount, 0.0..1.0);
    }

    /// The same of a stage that is this part of the whole, 0–1.
    pub fn share(&self, stage: JobStage, amount: Amount, whole: Range<f64>) {
        let Amount { done, total } = amount;
        let part = if total.as_bytes() == 0 { 0.0 } else { done.as_bytes() as f64 / total.as_bytes() as f64 };
        let part = whole.start + (whole.end - whole.start) * part.min(1.0);
        self.tell(|status| {
            status.info.stage = stage;
            // What is known of the whole may shrink on the way; progress never goes back.
            status.info.progress = status.info.progress.max(part);
            (status.info.done, status.info.total) = (Some(done), Some(total));
        });
    }

    fn tell(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
        // Nobody may be watching.
        let _ = self.changes.send(Change::Job(self.status.borrow().info.clone()));
    }
}

impl Jobs {
    /// No jobs yet; what happens to them is told through `changes`.
    pub fn new(changes: broadcast::Sender<Change>) -> Self {
        Self { last: Cell::new(0), all: RefCell::default(), changes }
    }

    /// Starts a job. Cancelling it drops `work`, which must leave the former state when it is dropped.
    pub fn start<F>(
        &self,
        kind: JobKind,
        guest: GuestId,
        name: &str,
        work: impl FnOnce(Progress) -> F,
    ) -> JobId
    where
        F: Future<Output = Result<(), Error>> + 'static,
    {
        self.start_orderly(kind, guest, name, |progress, cancelled| {
            let work = work(progress);
            async move {
                tokio::select! {
                    result = work => result.map(|()| Ended::Done),
                    () = cancelled.notified() => Ok(Ended::Cancelled),
                }
            }
        })
    }

    /// Starts a job that takes some time to be cancelled: `work` is told of it, and the job ends when the work
    /// has, which by then may have come too far.
    pub fn start_orderly<F>(
        &self,
        kind: JobKind,
        guest: GuestId,
        name: &str,
        work: impl FnOnce(Progress, Rc<Notify>) -> F,
    ) -> JobId
    where
        F: Future<Output = Result<Ended, Error>> + 'static,
    {
        self.last.set(self.last.get() + 1);
        let id = JobId(self.last.get());
        let info = JobInfo {
            id,
            kind,
            guest,
            guest_name: name.to_owned(),
            state: JobState::Running,
            stage: JobStage::Checking,
            progress: 0.0,
            done: None,
            total: None,
        };
        let (sender, status) = watch::channel(Status { info, error: None });
        let cancel = Rc::new(Notify::new());
        let progress = Progress { status: Rc::new(sender), changes: self.changes.clone() };
        progress.stage(JobStage::Checking, 0.0);
        let work = work(progress.clone(), Rc::clone(&cancel));
        tokio::task::spawn_local(async move {
            let ended = work.await;
            progress.tell(|status| match ended {
                Ok(Ended::Done) => {
                    status.info.state = JobState::Done;
                    status.info.progress = 1.0;
                }
                Err(error) => {
                    status.info.state = JobState::Failed;
                    status.error = Some(error);
                }
                Ok(Ended::Cancelled) => status.info.state = JobState::Cancelled,
            });
        });
        let mut jobs = self.all.borrow_mut();
        jobs.insert(id, Job { status, cancel });
        let ended: Vec<_> = jobs.iter().filter(|(_, job)| !runs(job)).map(|(id, _)| *id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(REMEMBERED)) {
            jobs.remove(id);
        }
        id
    }

    /// Jobs that go on.
    pub fn running(&self) -> Vec<JobInfo> {
        let jobs = self.all.borrow();
        jobs.values().filter(|job| runs(job)).map(|job| job.status.borrow().info.clone()).collect()
    }

    /// What a job comes to.
    pub fn follow(&self, id: JobId) -> Result<watch::Receiver<Status>, Error> {
        let jobs = self.all.borrow();
        jobs.get(&id).map(|job| job.status.clone()).ok_or(Error::JobNotFound { job: id.0 })
    }

    /// Cancels a job; one that has ended stays as it ended.
    pub fn cancel(&self, id: JobId) -> Result<(), Error> {
        let jobs = self.all.borrow();
        let job = jobs.get(&id).ok_or(Error::JobNotFound { job: id.0 })?;
        job.cancel.notify_one();
        Ok(())
    }
}

fn runs(job: &Job) -> bool {
    job.status.borrow().info.state == JobState::Running
}
