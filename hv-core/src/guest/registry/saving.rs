//! Guests that are saved and go on: as jobs, which a client may watch and cancel.

use super::Registry;
use super::pci::check_savable;
use crate::engine::Amount;
use crate::guest::actor::Order;
use crate::guest::handle::Request;
use crate::guest::holders;
use crate::guest::state::Wish;
use crate::job::{Ended, Progress};
use hv_api::{Error, GuestInfo, GuestState, JobId, JobKind, JobStage, JobState, Operation};
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use tokio::sync::{Notify, watch};

impl Registry {
    /// Begins to save a guest. When the job is cancelled or fails, the guest does what it did before.
    pub fn save(&self, guest: &str) -> Result<JobId, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        if !matches!(info.state, GuestState::Running | GuestState::Paused) {
            return Err(Error::wrong_state(&info, Operation::Save));
        }
        check_savable(&info, Operation::Save)?;
        holders::check_savable(&info)?;
        check_kept(&info, Operation::Save)?;
        let work = |progress: Progress, cancelled: Rc<Notify>| async move {
            let (sender, amounts) = watch::channel(Amount::default());
            let order = Order { progress: sender, cancelled };
            let saved = handle.ask(|answer| Request::Save { order, answer });
            match told(saved, amounts, &progress, JobStage::Saving).await {
                Ok(_saved) => Ok(Ended::Done),
                Err(Error::JobCancelled { .. }) => Ok(Ended::Cancelled),
                Err(error) => Err(error),
            }
        };
        Ok(self.jobs.start_orderly(JobKind::Save, info.id, &info.name, work))
    }

    /// Begins to let a saved guest go on. When the job is cancelled or fails, the guest is saved as before.
    pub fn restore(&self, guest: &str, paused: bool) -> Result<JobId, Error> {
        let handle = self.find(guest)?;
        let info = handle.info();
        if info.state != GuestState::Saved {
            return Err(Error::wrong_state(&info, Operation::Restore));
        }
        let work = |progress: Progress, cancelled: Rc<Notify>| async move {
            let (sender, amounts) = watch::channel(Amount::default());
            let order = Order { progress: sender, cancelled: Rc::clone(&cancelled) };
            let restored = handle.ask(|answer| Request::Restore { paused, order, answer });
            let mut restored = pin!(told(restored, amounts, &progress, JobStage::Restoring));
            let asked = Cell::new(false);
            let given_up = async {
                cancelled.notified().await;
                asked.set(true);
                // Refused where it came too late: then the guest runs.
                drop(handle.ask(|answer| Request::Wish(Wish::GiveUp, answer)).await);
                std::future::pending::<()>().await;
            };
            let ended = tokio::select! {
                ended = &mut restored => ended,
                () = given_up => return Ok(Ended::Cancelled),
            };
            match ended {
                Ok(_runs) => Ok(Ended::Done),
                Err(Error::WrongState { .. }) if asked.get() => Ok(Ended::Cancelled),
                Err(error) => Err(error),
            }
        };
        Ok(self.jobs.start_orderly(JobKind::Restore, info.id, &info.name, work))
    }

    /// Starts a guest, or lets it go on where it is saved; answers when it runs.
    pub async fn start(&self, guest: &str, paused: bool) -> Result<GuestInfo, Error> {
        let handle = self.find(guest)?;
        if handle.info().state != GuestState::Saved {
            return self.wish(guest, Wish::Start { paused }).await;
        }
        self.check_start(&handle.info()).await?;
        let job = self.restore(guest, paused)?;
        let mut status = self.jobs.follow(job)?;
        let ended = status.wait_for(|status| status.info.state != JobState::Running).await;
        let ended = ended.map_err(|_gone| Error::JobNotFound { job: job.0 })?.clone();
        match (ended.info.state, ended.error) {
            (JobState::Done, _) => Ok((*handle.info()).clone()),
            (_, Some(error)) => Err(error),
            (_, None) => Err(Error::JobCancelled { job: job.0 }),
        }
    }

    /// Lets a guest go on that is paused or saved; answers when it does.
    pub async fn resume(&self, guest: &str) -> Result<GuestInfo, Error> {
        if self.find(guest)?.info().state == GuestState::Saved {
            return self.start(guest, false).await;
        }
        self.wish(guest, Wish::Resume).await
    }
}

/// Makes sure that what a guest writes is kept.
///
/// # Errors
/// [`Error::Disposable`].
pub(super) fn check_kept(guest: &GuestInfo, operation: Operation) -> Result<(), Error> {
    if guest.disposable { Err(Error::Disposable { guest: guest.name.clone(), operation }) } else { Ok(()) }
}

/// Does the work, and tells meanwhile how far it has come.
pub(super) async fn told<T>(
    work: impl Future<Output = T>,
    mut amounts: watch::Receiver<Amount>,
    progress: &Progress,
    stage: JobStage,
) -> T {
    progress.stage(stage, 0.0);
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            changed = amounts.changed() => {
                if changed.is_err() {
                    // Nothing more is told of it.
                    return work.await;
                }
                let amount = *amounts.borrow_and_update();
                progress.amount(stage, amount);
            }
        }
    }
}
