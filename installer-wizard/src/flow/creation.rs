//! From the form to a guest: what is asked for, and what becomes of the job that makes it.

use super::{Creating, Effect, Failure, Flow, Page, Review, Source, row_of};
use crate::defaults::{is_copied, is_disk};
use hv_api::{Created, Error, JobInfo, JobStage, JobState, MediumKind, NewGuest};

/// What the core calls a guest's first disk.
const FIRST_DISK: &str = "disk0";

impl Flow {
    pub(super) fn create(&mut self) -> Option<Effect> {
        if self.obstacle().is_some() {
            return None;
        }
        let Page::Review(review) = &self.page else { return None };
        let mut wish = self.form.wish(&self.limits, &self.taken, review.source.open())?;
        match &review.source {
            Source::Medium(medium) if is_copied(medium) || medium.cloud_image => {
                wish.image = Some(medium.path.clone());
            }
            Source::Medium(medium) if is_disk(medium) => {
                wish.disk_path = Some(medium.path.clone());
                wish.kernel_disk = medium.kernel_on_disk.then(|| FIRST_DISK.to_owned());
            }
            Source::Medium(medium) if medium.kind == MediumKind::Tree => {
                wish.tree = Some(medium.path.clone());
            }
            Source::Medium(medium) => wish.iso = Some(medium.path.clone()),
            Source::Machine(_, plan) => wish = as_planned(&plan.guest, wish),
            Source::Nothing => {}
        }
        if let Source::Medium(medium) = &review.source
            && !medium.backing.is_empty()
        {
            // Exactly those that were shown.
            wish.backing = Some(medium.backing.iter().map(|file| file.path.clone()).collect());
        }
        if let Some(chosen) = self.form.system.get() {
            wish.os = Some(chosen.clone());
        } else if let Source::Medium(medium) = &review.source {
            wish.os.clone_from(&medium.os);
        }
        self.ticket += 1;
        let attempt = self.ticket;
        let source = review.source.clone();
        self.page = Page::Creating(Creating {
            source,
            attempt,
            id: None,
            name: wish.name.clone(),
            stages: stages_of(&wish),
            job: None,
            cancelling: false,
        });
        Some(Effect::Create { attempt, wish: Box::new(wish) })
    }

    /// The creation under way, where it is this attempt.
    fn creating(&mut self, attempt: u64) -> Option<&mut Creating> {
        match &mut self.page {
            Page::Creating(creating) if creating.attempt == attempt => Some(creating),
            _ => None,
        }
    }

    pub(super) fn accepted(&mut self, attempt: u64, outcome: Result<Created, Failure>) -> Option<Effect> {
        let creating = self.creating(attempt)?;
        match outcome {
            Ok(created) => {
                creating.id = Some(created.job);
                // Asked for before there was a job to cancel.
                creating.cancelling.then_some(Effect::Cancel(created.job))
            }
            Err(failure) => {
                let mut review = Review::of(creating.source.clone());
                match failure.refused.as_ref().and_then(row_of) {
                    Some(row) => review.refusal = Some((row, failure.problem)),
                    None => review.banner = Some(failure.problem),
                }
                self.page = Page::Review(review);
                None
            }
        }
    }

    pub(super) fn job(&mut self, attempt: u64, job: JobInfo) -> Option<Effect> {
        let started = *self.form.start.get();
        let creating = self.creating(attempt)?;
        match job.state {
            // The error that comes next says why it failed.
            JobState::Running | JobState::Failed => {
                creating.job = Some(job);
                None
            }
            JobState::Done => {
                self.page = Page::Gone;
                Some(Effect::Finish { guest: job.guest, started })
            }
            JobState::Cancelled => {
                self.page = Page::Review(Review::of(creating.source.clone()));
                None
            }
        }
    }

    pub(super) fn job_failed(&mut self, attempt: u64, failure: Failure) {
        let Some(creating) = self.creating(attempt) else { return };
        let creating = creating.clone();
        self.page = match failure.refused {
            Some(Error::JobCancelled { .. }) => Page::Review(Review::of(creating.source)),
            Some(_) | None => Page::Failed { creating, problem: failure.problem },
        };
    }

    pub(super) fn cancel(&mut self) -> Option<Effect> {
        let Page::Creating(creating) = &mut self.page else { return None };
        if creating.cancelling {
            return None;
        }
        creating.cancelling = true;
        creating.id.map(Effect::Cancel)
    }
}

/// A machine of another program's, with what the form says about it.
fn as_planned(planned: &NewGuest, form: NewGuest) -> NewGuest {
    let of_form = form.firmware.is_some();
    NewGuest {
        name: form.name,
        cpus: form.cpus,
        memory: form.memory,
        firmware: form.firmware.or(planned.firmware),
        secure_boot: if of_form { form.secure_boot } else { planned.secure_boot },
        start: form.start,
        ..planned.clone()
    }
}

/// The steps of a creation, in the order in which the core does them.
fn stages_of(wish: &NewGuest) -> Vec<JobStage> {
    let disks = wish.disks.as_deref().unwrap_or_default();
    let copies = wish.image.is_some() || disks.iter().any(|disk| disk.copy == Some(true));
    let makes = wish.disk.is_some() || disks.iter().any(|disk| disk.size.is_some());
    let disk = copies.then_some(JobStage::Copying).or_else(|| makes.then_some(JobStage::Disk));
    let fetched = wish.tree.as_ref().map(|_tree| JobStage::Fetching);
    let starting = wish.start.is_some_and(|start| start).then_some(JobStage::Starting);
    [Some(JobStage::Checking), fetched, disk, Some(JobStage::Definition), starting]
        .into_iter()
        .flatten()
        .collect()
}
