//! The way through the New Guest window: source, a look at it, one form, creation.
//!
//! Pure: [`Flow::step`] takes one input and says what is to be done; it knows no widgets, socket, clock
//! or file system. It promises that what a person has put in survives every failure and every way back,
//! and that nothing is created but from a form in which all is possible.

mod creation;
mod refusal;

use crate::answers::Asker;
use crate::defaults::{Defaults, Limits, is_disk};
use crate::form::{Caution, DiskChoice, Edit, Form, Invalid, Open, Row, rows};
use hv_api::{
    Created, Express, GuestId, HostDisk, HostInfo, ImportPlan, JobId, JobInfo, JobStage, MediumInfo,
    NewGuest, OsChoice, Preferences,
};
pub use refusal::Failure;
use refusal::row_of;
use std::path::PathBuf;
use virt_kit::problem::Problem;

/// What addresses begin with that can be fetched from.
const SCHEMES: [&str; 2] = ["http://", "https://"];

/// Why what was chosen or dropped is not a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceFault {
    /// More than one file was dropped.
    Several,
    /// It is not a file of this computer.
    NotLocal,
    /// Its path has bytes that are not UTF-8, and can't be told to the core.
    NotUtf8,
    /// It is no address of a kind that can be fetched from.
    NoAddress,
    /// The core could not use it, or could not be asked.
    Unusable(Box<Failure>),
}

/// What a guest is made from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A file that the core has looked at.
    Medium(Box<MediumInfo>),
    /// A machine of another program's, and what guest that would be.
    Machine(Box<MediumInfo>, Box<ImportPlan>),
    /// Nothing: a machine with an empty drive.
    Nothing,
}

impl Source {
    /// What it leaves to the form.
    pub fn open(&self) -> Open {
        let disk = match self {
            Self::Medium(medium) if medium.cloud_image => DiskChoice::Grown,
            Self::Medium(medium) if is_disk(medium) => DiskChoice::Fixed,
            Self::Medium(_) | Self::Nothing => DiskChoice::Made,
            // It has its own.
            Self::Machine(..) => DiskChoice::Fixed,
        };
        let asker = match self {
            Self::Medium(medium) if medium.cloud_image => Some(Asker::CloudImage),
            Self::Medium(medium) if medium.express == Some(Express::Offered) => Some(Asker::Installer),
            Self::Medium(_) | Self::Machine(..) | Self::Nothing => None,
        };
        let builds_on_others = matches!(self, Self::Medium(medium) if !medium.backing.is_empty());
        Open { disk, asker, builds_on_others }
    }

    /// True where nothing but the form says what the guest is connected to.
    pub fn leaves_network_open(&self) -> bool {
        !matches!(self, Self::Machine(..))
    }

    fn of(found: Found) -> Self {
        match found.plan {
            Some(plan) => Self::Machine(Box::new(found.medium), Box::new(plan)),
            None => Self::Medium(Box::new(found.medium)),
        }
    }
}

/// What the core found when it looked at a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What the file is.
    pub medium: MediumInfo,
    /// What guest it would be, where it describes a machine of another program's.
    pub plan: Option<ImportPlan>,
}

/// The form's page.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// What the guest is made from.
    pub source: Source,
    /// What the core refused about a row; gone as soon as that row is changed.
    pub refusal: Option<(Row, Problem)>,
    /// A failure that is about no row; gone with the next attempt.
    pub banner: Option<Problem>,
}

impl Review {
    fn of(source: Source) -> Self {
        Self { source, refusal: None, banner: None }
    }
}

/// A creation under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Creating {
    source: Source,
    attempt: u64,
    id: Option<JobId>,
    /// The guest's name.
    pub name: String,
    /// The steps that there will be.
    pub stages: Vec<JobStage>,
    /// The job as last told; nothing until the core has taken it on.
    pub job: Option<JobInfo>,
    /// It was asked to stop, and has not yet done so.
    pub cancelling: bool,
}

/// Where the window is.
#[derive(Debug, Clone, PartialEq)]
pub enum Page {
    /// A source is to be chosen.
    Source {
        /// What was wrong with the last one.
        fault: Option<SourceFault>,
    },
    /// A physical disk of this computer or one of its partitions is to be chosen; nothing while they are looked for.
    Disks(Option<Vec<HostDisk>>),
    /// The core looks at a file.
    Looking {
        /// The file.
        path: PathBuf,
        /// It takes long enough to be worth showing.
        slow: bool,
    },
    /// The form is to be checked.
    Review(Review),
    /// The guest is being made.
    Creating(Creating),
    /// It could not be made.
    Failed {
        /// What was on its way.
        creating: Creating,
        /// Why.
        problem: Problem,
    },
    /// The window has done its work.
    Gone,
}

/// What happens to the window.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A file was chosen.
    Choose(PathBuf),
    /// The address of an install tree was put in.
    Address(String),
    /// Something was dropped that can't be a source.
    Unfit(SourceFault),
    /// A guest without a medium was chosen.
    ChooseNothing,
    /// The disks of this computer are to be shown.
    ChooseDisk,
    /// The core has looked for disks in look `ticket`.
    Disks {
        /// Which look.
        ticket: u64,
        /// What it found.
        outcome: Result<Vec<HostDisk>, Failure>,
    },
    /// The core has looked at the file of look `ticket`.
    Looked {
        /// Which look.
        ticket: u64,
        /// What it found.
        outcome: Result<Box<Found>, Failure>,
    },
    /// The look `ticket` has lasted for a while.
    Slow {
        /// Which look.
        ticket: u64,
    },
    /// The host's facts.
    Host(Box<HostInfo>),
    /// How the host is set up for its user.
    Preferences(Box<Preferences>),
    /// The names that guests have.
    Taken(Vec<String>),
    /// The systems that a guest can be for.
    Systems(Vec<OsChoice>),
    /// A change in the form.
    Edit(Edit),
    /// Create the guest.
    Create,
    /// The core has taken creation `attempt` on, or refused it.
    Accepted {
        /// Which creation.
        attempt: u64,
        /// Its answer.
        outcome: Result<Created, Failure>,
    },
    /// News of the job of creation `attempt`.
    Job {
        /// Which creation.
        attempt: u64,
        /// The job.
        job: JobInfo,
    },
    /// The job of creation `attempt` failed, or news of it can't be had any more.
    JobFailed {
        /// Which creation.
        attempt: u64,
        /// Why.
        failure: Failure,
    },
    /// Stop the creation.
    Cancel,
    /// One page back.
    Back,
    /// The message above the form was read.
    Dismiss,
    /// Close the window.
    Close,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Let the core look at a file, and say [`Input::Slow`] when that lasts for a while.
    Look {
        /// To be given back with the answer.
        ticket: u64,
        /// The file.
        path: PathBuf,
    },
    /// Let the core look for the disks of this computer.
    LookForDisks {
        /// To be given back with the answer.
        ticket: u64,
    },
    /// Let the core create a guest, and follow the job.
    Create {
        /// To be given back with the answers.
        attempt: u64,
        /// The wish.
        wish: Box<NewGuest>,
    },
    /// Let the core cancel a job.
    Cancel(JobId),
    /// Close the window: the guest is there.
    Finish {
        /// The guest.
        guest: GuestId,
        /// It was to be started.
        started: bool,
    },
    /// Close the window.
    Close,
}

/// What is to be said about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// The value can't be.
    Invalid(Invalid),
    /// The core refused the value.
    Refused(Problem),
    /// The value can be, but something should be known.
    Caution(Caution),
}

impl Remark {
    /// True where something is wrong. What is only missing yet is not: it is said below why there is no way on.
    pub const fn is_mistake(&self) -> bool {
        match self {
            Self::Invalid(Invalid::NoUser | Invalid::NoPassword) | Self::Caution(_) => false,
            Self::Invalid(_) | Self::Refused(_) => true,
        }
    }

    /// True where the guest can't be created like that.
    pub const fn forbids(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Refused(_) => true,
            Self::Caution(_) => false,
        }
    }
}

/// The window's whole state.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    page: Page,
    form: Form,
    limits: Limits,
    taken: Vec<String>,
    empty_name: String,
    systems: Vec<OsChoice>,
    preferences: Preferences,
    ticket: u64,
}

impl Flow {
    /// A window in which nothing was chosen yet. A guest without a medium is called `empty_name`.
    pub fn new(host: Option<&HostInfo>, taken: Vec<String>, empty_name: String) -> Self {
        Self {
            page: Page::Source { fault: None },
            form: Form::default(),
            limits: host.map(Limits::of).unwrap_or_default(),
            taken,
            empty_name,
            systems: Vec::new(),
            preferences: Preferences::default(),
            ticket: 0,
        }
    }

    /// Where the window is.
    pub const fn page(&self) -> &Page {
        &self.page
    }

    /// The form.
    pub const fn form(&self) -> &Form {
        &self.form
    }

    /// How the host is set up for its user.
    pub const fn preferences(&self) -> &Preferences {
        &self.preferences
    }

    /// How far its values may go.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// True where a way back is offered. A look that is over in a moment is no page of its own.
    pub const fn offers_way_back(&self) -> bool {
        match self.page {
            Page::Looking { slow, .. } => slow,
            Page::Disks(_) | Page::Review(_) | Page::Failed { .. } => true,
            Page::Source { .. } | Page::Creating(_) | Page::Gone => false,
        }
    }

    /// The systems that are offered: those that the medium may hold, then all others.
    pub fn systems(&self) -> impl Iterator<Item = &OsChoice> {
        let candidates = self.candidates();
        let others =
            self.systems.iter().filter(|choice| candidates.iter().all(|known| known.os != choice.os));
        candidates.iter().chain(others)
    }

    /// The medium of the form, where there is one.
    pub fn medium(&self) -> Option<&MediumInfo> {
        match &self.page {
            Page::Review(Review { source: Source::Medium(medium) | Source::Machine(medium, _), .. }) => {
                Some(medium)
            }
            _ => None,
        }
    }

    fn candidates(&self) -> &[OsChoice] {
        self.medium().map(|medium| medium.candidates.as_slice()).unwrap_or_default()
    }

    /// The system that the person has chosen.
    pub fn chosen_system(&self) -> Option<&OsChoice> {
        let chosen = self.form.system.get().as_ref()?;
        self.systems().find(|choice| choice.os == *chosen)
    }

    /// True where the medium may hold one of several systems, and nobody has said which.
    fn is_system_unclear(&self) -> bool {
        let several = |medium: &MediumInfo| medium.os.is_none() && !medium.candidates.is_empty();
        self.form.system.get().is_none() && self.medium().is_some_and(several)
    }

    /// What is to be said about a row of the form.
    pub fn remark(&self, row: Row) -> Option<Remark> {
        let Page::Review(review) = &self.page else { return None };
        let open = review.source.open();
        let fault = self.form.fault(row, &self.limits, &self.taken, open).map(Remark::Invalid);
        let refused = review.refusal.as_ref().filter(|(about, _)| *about == row);
        fault
            .or_else(|| refused.map(|(_, problem)| Remark::Refused(problem.clone())))
            .or_else(|| self.form.caution(row, &self.limits, open).map(Remark::Caution))
            .or_else(|| {
                let unclear = row == Row::System && self.is_system_unclear();
                unclear.then_some(Remark::Caution(Caution::SystemUnclear))
            })
    }

    /// The first reason why the guest can't be created as the form stands.
    pub fn obstacle(&self) -> Option<(Row, Remark)> {
        rows().filter_map(|row| Some((row, self.remark(row)?))).find(|(_, remark)| remark.forbids())
    }

    /// Takes one input.
    pub fn step(&mut self, input: Input) -> Option<Effect> {
        if self.page == Page::Gone {
            return None;
        }
        match input {
            Input::Choose(path) => self.choose(path),
            Input::Address(address) => self.choose_address(address.trim()),
            Input::Unfit(fault) => {
                if self.may_choose() {
                    self.page = Page::Source { fault: Some(fault) };
                }
                None
            }
            Input::ChooseNothing => {
                if self.may_choose() {
                    self.review(Source::Nothing);
                }
                None
            }
            Input::ChooseDisk if self.may_choose() => {
                self.ticket += 1;
                self.page = Page::Disks(None);
                Some(Effect::LookForDisks { ticket: self.ticket })
            }
            Input::ChooseDisk => None,
            Input::Disks { ticket, outcome } => {
                self.disks(ticket, outcome);
                None
            }
            Input::Looked { ticket, outcome } => {
                self.looked(ticket, outcome);
                None
            }
            Input::Slow { ticket } => {
                if let Page::Looking { slow, .. } = &mut self.page {
                    *slow |= ticket == self.ticket;
                }
                None
            }
            Input::Host(host) => {
                self.limits = Limits::of(&host);
                self.propose();
                None
            }
            Input::Preferences(preferences) => {
                self.preferences = *preferences;
                self.propose();
                None
            }
            Input::Taken(names) => {
                self.taken = names;
                self.propose();
                None
            }
            Input::Systems(systems) => {
                self.systems = systems;
                None
            }
            Input::Edit(edit) => {
                let is_system = matches!(edit, Edit::System(_));
                if let Page::Review(review) = &mut self.page {
                    review.refusal.take_if(|(about, _)| edit.row() == Some(*about));
                    self.form.edit(edit);
                }
                if is_system {
                    self.propose();
                }
                None
            }
            Input::Create => self.create(),
            Input::Accepted { attempt, outcome } => self.accepted(attempt, outcome),
            Input::Job { attempt, job } => self.job(attempt, job),
            Input::JobFailed { attempt, failure } => {
                self.job_failed(attempt, failure);
                None
            }
            Input::Cancel => self.cancel(),
            Input::Back => {
                self.back();
                None
            }
            Input::Dismiss => {
                if let Page::Review(review) = &mut self.page {
                    review.banner = None;
                }
                None
            }
            Input::Close => {
                self.page = Page::Gone;
                Some(Effect::Close)
            }
        }
    }

    /// While a guest is being made there is nothing to choose.
    const fn may_choose(&self) -> bool {
        match self.page {
            Page::Source { .. }
            | Page::Disks(_)
            | Page::Looking { .. }
            | Page::Review(_)
            | Page::Failed { .. } => true,
            Page::Creating(_) | Page::Gone => false,
        }
    }

    fn choose(&mut self, path: PathBuf) -> Option<Effect> {
        if !self.may_choose() {
            return None;
        }
        if path.to_str().is_none() {
            self.page = Page::Source { fault: Some(SourceFault::NotUtf8) };
            return None;
        }
        self.ticket += 1;
        self.page = Page::Looking { path: path.clone(), slow: false };
        Some(Effect::Look { ticket: self.ticket, path })
    }

    fn choose_address(&mut self, address: &str) -> Option<Effect> {
        if SCHEMES.iter().any(|scheme| address.to_ascii_lowercase().starts_with(scheme)) {
            return self.choose(address.into());
        }
        self.step(Input::Unfit(SourceFault::NoAddress))
    }

    fn looked(&mut self, ticket: u64, outcome: Result<Box<Found>, Failure>) {
        let awaited = matches!(self.page, Page::Looking { .. }) && ticket == self.ticket;
        match outcome {
            // The answer to a look that was given up.
            _ if !awaited => {}
            Ok(found) => self.review(Source::of(*found)),
            Err(failure) => {
                self.page = Page::Source { fault: Some(SourceFault::Unusable(Box::new(failure))) }
            }
        }
    }

    fn disks(&mut self, ticket: u64, outcome: Result<Vec<HostDisk>, Failure>) {
        let Page::Disks(found) = &mut self.page else { return };
        match outcome {
            // The answer to a look that was given up.
            _ if ticket != self.ticket => {}
            Ok(disks) => *found = Some(disks),
            Err(failure) => {
                self.page = Page::Source { fault: Some(SourceFault::Unusable(Box::new(failure))) }
            }
        }
    }

    fn review(&mut self, source: Source) {
        self.form.forget_medium();
        self.page = Page::Review(Review::of(source));
        self.propose();
    }

    fn propose(&mut self) {
        if let Page::Review(review) = &self.page {
            let defaults = match &review.source {
                Source::Medium(medium) => Defaults::of_medium(medium, &self.limits, &self.taken),
                Source::Machine(medium, plan) => {
                    Defaults::of_machine(medium, &plan.guest, &self.limits, &self.taken)
                }
                Source::Nothing => Defaults::of_empty(&self.empty_name, &self.limits, &self.taken),
            };
            let defaults = match self.chosen_system() {
                Some(choice) => Defaults::of_system(choice, &self.limits, &self.taken),
                None => defaults,
            };
            let asker = review.source.open().asker;
            self.form.propose(defaults);
            self.form.answers.propose(asker, &self.preferences);
        }
    }

    fn back(&mut self) {
        match &self.page {
            Page::Disks(_) | Page::Looking { .. } | Page::Review(_) => {
                self.page = Page::Source { fault: None }
            }
            Page::Failed { creating, .. } => self.page = Page::Review(Review::of(creating.source.clone())),
            Page::Source { .. } | Page::Creating(_) | Page::Gone => {}
        }
    }
}

#[cfg(test)]
mod tests;
