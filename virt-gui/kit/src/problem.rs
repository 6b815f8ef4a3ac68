//! A trouble as the screen shows it: the words of [`hv_api::problem`] in the user's language, and the
//! one thing that a button can do about it.
//!
//! Where it is shown (a toast, a page, a row) is left to who shows it.

use crate::daemon::Trouble;
use crate::i18n::{gettext, gettext_f};
use hv_api::client::{CallError, ConnectError};
use hv_api::problem::{self, Explanation};
use hv_api::{AcceleratorInfo, Error, GuestInfo, GuestState, Operation};

/// What can be done about a problem with one button. A page offers those that it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemAction {
    /// Start the hypervisor core.
    StartCore,
    /// Take the guest's power away.
    ForceOff,
    /// Show what the engine wrote.
    ShowLog,
    /// Choose another file than the one that can't be used.
    ChooseAnotherFile,
    /// Take the medium out although the guest holds it.
    EjectAnyway,
    /// Let the guest go on.
    Resume,
    /// Throw the guest's saved state away.
    Discard,
}

/// A trouble, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Names the kind of trouble for programs and tests, as `name-taken`. Never translated.
    pub code: &'static str,
    /// What happened, in one sentence.
    pub what: String,
    /// Why, in one or two sentences.
    pub why: String,
    /// What the person can do about it.
    pub remedy: String,
    /// What a button can do about it, where something can be done.
    pub action: Option<ProblemAction>,
    /// Words of the engine or the operating system, in English, for experts.
    pub detail: Option<String>,
}

impl Problem {
    fn new(explanation: Explanation, action: Option<ProblemAction>) -> Self {
        let Explanation { code, what, why, remedy, detail } = explanation;
        Self { code, what, why, remedy, action, detail }
    }

    /// Why a guest is in a state that nobody asked for; nothing where it is in none.
    pub fn of_guest(guest: &GuestInfo) -> Option<Self> {
        let explanation = problem::explain_state(guest, &|text| gettext(text))?;
        let action = match guest.state {
            GuestState::Crashed => Some(ProblemAction::ShowLog),
            GuestState::Paused => Some(ProblemAction::Resume),
            GuestState::Saved => Some(ProblemAction::Discard),
            GuestState::Off
            | GuestState::Starting
            | GuestState::Saving
            | GuestState::Running
            | GuestState::ShuttingDown
            | GuestState::Unavailable => None,
        };
        Some(Self::new(explanation, action))
    }

    /// What guests on this host are run by, and why not by hardware where it is not.
    pub fn of_accelerator(accelerator: &AcceleratorInfo) -> Self {
        Self::new(problem::explain_accelerator(accelerator, &|text| gettext(text)), None)
    }

    /// A file of the window's own that could not be read or written.
    pub fn of_file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self {
            code: "file-unusable",
            what: gettext_f("“{path}” can't be used.", &[("path", &path.display().to_string())]),
            why: gettext("It could not be opened."),
            remedy: gettext("Choose another file, or give yourself the right to open this one."),
            action: Some(ProblemAction::ChooseAnotherFile),
            detail: Some(error.to_string()),
        }
    }

    /// Everything about it as plain text, for the clipboard.
    pub fn report(&self) -> String {
        let mut report = format!("{}\n{}\n{}\n({})\n", self.what, self.why, self.remedy, self.code);
        if let Some(detail) = &self.detail {
            report.push('\n');
            report.push_str(detail);
            report.push('\n');
        }
        report
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self::new(problem::explain(error, &|text| gettext(text)), action_for(error))
    }
}

impl From<&CallError> for Problem {
    fn from(error: &CallError) -> Self {
        let action = match error {
            CallError::Refused(error) => action_for(error),
            CallError::Broken(_) => Some(ProblemAction::StartCore),
        };
        Self::new(problem::explain_call(error, &|text| gettext(text)), action)
    }
}

impl From<&ConnectError> for Problem {
    fn from(error: &ConnectError) -> Self {
        let action = match error {
            ConnectError::NotRunning { .. }
            | ConnectError::NotStartable { .. }
            | ConnectError::Ended { .. } => Some(ProblemAction::StartCore),
            ConnectError::Foreign { .. } => None,
        };
        Self::new(problem::explain_connect(error, &|text| gettext(text)), action)
    }
}

impl From<&Trouble> for Problem {
    fn from(trouble: &Trouble) -> Self {
        match trouble {
            Trouble::Connect(error) => error.into(),
            Trouble::Call(error) => error.into(),
            Trouble::Closed => Self {
                code: "closed",
                what: gettext("The window's connection to the hypervisor core is closed."),
                why: gettext("The thread that keeps it has ended."),
                remedy: gettext("Quit Guesthouse and open it again. Guests run on."),
                action: None,
                detail: None,
            },
        }
    }
}

fn action_for(error: &Error) -> Option<ProblemAction> {
    match error {
        Error::FileUnusable { .. } => Some(ProblemAction::ChooseAnotherFile),
        Error::StartFailed { .. } => Some(ProblemAction::ShowLog),
        Error::SavedStateUnusable { .. } => Some(ProblemAction::Discard),
        Error::EngineSilent { operation, .. } | Error::EngineRefused { operation, .. } => match operation {
            Operation::Shutdown
            | Operation::Pause
            | Operation::Resume
            | Operation::Restart
            | Operation::Reset => Some(ProblemAction::ForceOff),
            Operation::Create
            | Operation::Start
            | Operation::ForceOff
            | Operation::CancelShutdown
            | Operation::Save
            | Operation::Restore
            | Operation::Discard
            | Operation::Set
            | Operation::InsertMedium
            | Operation::EjectMedium
            | Operation::Screenshot
            | Operation::OpenDisplay
            | Operation::OpenSerial
            | Operation::SendKeys
            | Operation::Statistics
            | Operation::BootMenu
            | Operation::TakeSnapshot
            | Operation::RestoreSnapshot
            | Operation::DeleteSnapshot
            | Operation::Clone
            | Operation::Delete => Some(ProblemAction::ShowLog),
        },
        Error::ShutdownOverdue { .. } => Some(ProblemAction::ForceOff),
        Error::MediumLocked { .. } => Some(ProblemAction::EjectAnyway),
        Error::GuestNotFound { .. }
        | Error::BuildsOnOthers { .. }
        | Error::ApplianceFileUnusable { .. }
        | Error::ApplianceDamaged { .. }
        | Error::MachineNotFound { .. }
        | Error::SpaceMissing { .. }
        | Error::NameTaken { .. }
        | Error::NameInvalid { .. }
        | Error::CpusOutOfRange { .. }
        | Error::MemoryOutOfRange { .. }
        | Error::MemoryPromised { .. }
        | Error::DiskNotFound { .. }
        | Error::DiskSizeOutOfRange { .. }
        | Error::SerialPortsOutOfRange { .. }
        | Error::ShutdownCancelled { .. }
        | Error::ShutdownWaitOutOfRange { .. }
        | Error::FirmwareMissing { .. }
        | Error::OptionNeeds { .. }
        | Error::BootDeviceNotFound { .. }
        | Error::KernelNotOnDisk { .. }
        | Error::BootDefaultFixed { .. }
        | Error::OptionsConflict { .. }
        | Error::DiskInUse { .. }
        | Error::DiskInUseByHost { .. }
        | Error::DiskIsBacking { .. }
        | Error::TooManyDisks { .. }
        | Error::SerialInvalid { .. }
        | Error::FormatOnlyRead { .. }
        | Error::DiskInSnapshot { .. }
        | Error::DiskNotOwn { .. }
        | Error::NoSpace { .. }
        | Error::StoreFailed { .. }
        | Error::DefinitionUnusable { .. }
        | Error::WrongState { .. }
        | Error::EngineMissing { .. }
        | Error::NicNotFound { .. }
        | Error::NicsExhausted { .. }
        | Error::MacTaken { .. }
        | Error::NetworkNameInvalid { .. }
        | Error::BridgeUnusable { .. }
        | Error::ForwardRefused { .. }
        | Error::UsbNotFound { .. }
        | Error::UsbExhausted { .. }
        | Error::UsbRefused { .. }
        | Error::PciNotFound { .. }
        | Error::PciExhausted { .. }
        | Error::PciRefused { .. }
        | Error::PciNotSavable { .. }
        | Error::DiskNotSavable { .. }
        | Error::Disposable { .. }
        | Error::NotInstalled { .. }
        | Error::LockedMemoryTooSmall { .. }
        | Error::DriveNotFound { .. }
        | Error::SnapshotNotFound { .. }
        | Error::SnapshotNameTaken { .. }
        | Error::SnapshotUnusable { .. }
        | Error::DiskCannotKeep { .. }
        | Error::PutBackInPart { .. }
        | Error::BeingCloned { .. }
        | Error::CpuModelUnknown { .. }
        | Error::OsUnknown { .. }
        | Error::NotInstalling { .. }
        | Error::AnswerInvalid { .. }
        | Error::ExpressNotOffered { .. }
        | Error::TreeUnusable { .. }
        | Error::CpuLimitOutOfRange { .. }
        | Error::CpuLimitUnavailable { .. }
        | Error::CloneNotLinked { .. }
        | Error::PortNotFound { .. }
        | Error::KeyUnknown { .. }
        | Error::CharacterUntypable { .. }
        | Error::JobNotFound { .. }
        | Error::JobCancelled { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::FileFault;

    #[test]
    fn a_refused_file_offers_to_choose_another() {
        let error = Error::FileUnusable {
            path: "/isos/a.iso".into(),
            fault: FileFault::Missing,
            detail: "No such file".into(),
        };
        let problem = Problem::from(&error);
        assert_eq!(problem.action, Some(ProblemAction::ChooseAnotherFile));
        assert!(problem.what.contains("/isos/a.iso") || problem.why.contains("/isos/a.iso"), "{problem:?}");
    }

    #[test]
    fn the_report_has_the_words_of_the_system() {
        let error = Error::StartFailed { guest: "memtest".into(), detail: "qemu: out of luck".into() };
        let problem = Problem::from(&CallError::Refused(error));
        assert_eq!(problem.action, Some(ProblemAction::ShowLog));
        let report = problem.report();
        assert!(report.contains("qemu: out of luck") && report.contains(problem.code), "{report}");
    }

    #[test]
    fn a_core_that_is_away_can_be_started() {
        let error = ConnectError::NotRunning {
            path: "/run/user/1/guesthouse/core".into(),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        };
        assert_eq!(Problem::from(&Trouble::from(error)).action, Some(ProblemAction::StartCore));
    }
}
