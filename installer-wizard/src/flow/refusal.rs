//! What the core refused: the words for it, and the row of the form that it is about.

use crate::answers::Answer;
use crate::form::Row;
use hv_api::Error;
use hv_api::client::CallError;
use virt_kit::daemon::Trouble;
use virt_kit::problem::Problem;

/// Why a call came to nothing: the core's refusal, where it was one, and the words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the core said; nothing where it could not be asked.
    pub refused: Option<Error>,
    /// The same for the screen.
    pub problem: Problem,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let problem = Problem::from(&trouble);
        let refused = match trouble {
            Trouble::Call(CallError::Refused(error)) => Some(error),
            Trouble::Call(CallError::Broken(_)) | Trouble::Connect(_) | Trouble::Closed => None,
        };
        Self { refused, problem }
    }
}

/// The row that a refusal is about.
pub(super) const fn row_of(error: &Error) -> Option<Row> {
    match error {
        Error::NameTaken { .. } | Error::NameInvalid { .. } => Some(Row::Name),
        Error::OsUnknown { .. } => Some(Row::System),
        Error::CpusOutOfRange { .. } => Some(Row::Cpus),
        Error::MemoryOutOfRange { .. } | Error::MemoryPromised { .. } => Some(Row::Memory),
        Error::DiskSizeOutOfRange { .. } => Some(Row::Disk),
        Error::FirmwareMissing { .. } => Some(Row::Firmware),
        Error::BuildsOnOthers { .. } => Some(Row::Foundation),
        Error::AnswerInvalid { field, .. } => match Answer::of(*field) {
            Some(answer) => Some(Row::Answer(answer)),
            None => None,
        },
        Error::GuestNotFound { .. }
        | Error::SerialPortsOutOfRange { .. }
        | Error::OptionNeeds { .. }
        | Error::BootDeviceNotFound { .. }
        | Error::ApplianceFileUnusable { .. }
        | Error::ApplianceDamaged { .. }
        | Error::MachineNotFound { .. }
        | Error::SpaceMissing { .. }
        | Error::KernelNotOnDisk { .. }
        | Error::BootDefaultFixed { .. }
        | Error::OptionsConflict { .. }
        | Error::FileUnusable { .. }
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
        | Error::StartFailed { .. }
        | Error::SavedStateUnusable { .. }
        | Error::EngineRefused { .. }
        | Error::EngineSilent { .. }
        | Error::ShutdownOverdue { .. }
        | Error::ShutdownCancelled { .. }
        | Error::ShutdownWaitOutOfRange { .. }
        | Error::MediumLocked { .. }
        | Error::ExpressNotOffered { .. }
        | Error::NotInstalling { .. }
        | Error::TreeUnusable { .. }
        | Error::DiskNotFound { .. }
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
        | Error::SnapshotNotFound { .. }
        | Error::SnapshotNameTaken { .. }
        | Error::SnapshotUnusable { .. }
        | Error::DiskCannotKeep { .. }
        | Error::PutBackInPart { .. }
        | Error::BeingCloned { .. }
        | Error::CpuModelUnknown { .. }
        | Error::CpuLimitOutOfRange { .. }
        | Error::CpuLimitUnavailable { .. }
        | Error::CloneNotLinked { .. }
        | Error::DriveNotFound { .. }
        | Error::PortNotFound { .. }
        | Error::KeyUnknown { .. }
        | Error::CharacterUntypable { .. }
        | Error::JobNotFound { .. }
        | Error::JobCancelled { .. } => None,
    }
}
