//! Words for what guests, jobs and media are.

use super::Translate;
use crate::{GuestState, ImportOutcome, ImportReason, JobStage, MediumNote};

/// A guest's state, as a word or two.
pub fn state_word(state: GuestState, t: Translate<'_>) -> String {
    match state {
        GuestState::Off => t("Off"),
        GuestState::Starting => t("Starting"),
        GuestState::Running => t("Running"),
        GuestState::Paused => t("Paused"),
        GuestState::Saving => t("Saving"),
        GuestState::Saved => t("Saved"),
        GuestState::ShuttingDown => t("Shutting down"),
        GuestState::Crashed => t("Crashed"),
        GuestState::Unavailable => t("Unavailable"),
    }
}

/// What a job is doing.
pub fn stage_word(stage: JobStage, t: Translate<'_>) -> String {
    match stage {
        JobStage::Checking => t("Checking"),
        JobStage::Disk => t("Making the disk"),
        JobStage::Definition => t("Writing the definition"),
        JobStage::Starting => t("Starting"),
        JobStage::Saving => t("Saving"),
        JobStage::Restoring => t("Resuming"),
        JobStage::PuttingBack => t("Putting it back"),
        JobStage::Copying => t("Copying the disks"),
        JobStage::Verifying => t("Checking the files"),
        JobStage::Fetching => t("Fetching the installer"),
    }
}

/// What becomes of something that an imported file says, as a word.
pub fn import_outcome(outcome: ImportOutcome, t: Translate<'_>) -> String {
    match outcome {
        ImportOutcome::Kept => t("kept"),
        ImportOutcome::Changed => t("changed"),
        ImportOutcome::Lost => t("lost"),
    }
}

/// Why something is otherwise than an imported file says.
pub fn import_reason(reason: ImportReason, t: Translate<'_>) -> String {
    match reason {
        ImportReason::Unknown => t("Guesthouse does not know what this means."),
        ImportReason::NoCounterpart => t("There is nothing like it here."),
        ImportReason::NotNeeded => {
            t("It told the other program how to run machines. Here that is done otherwise.")
        }
        ImportReason::OutOfRange => t("It can't be just that here, and is as near to it as possible."),
        ImportReason::Name => t("The guest gets another name: this one is taken, or can't be one."),
        ImportReason::Identity => t("Another guest has this identity already, so this one gets a new one."),
        ImportReason::NoBridge => {
            t("This computer has no such bridge. The guest shares this computer's connection instead.")
        }
        ImportReason::Paravirtual => t(
            "It was a paravirtual guest of Xen. Here it is a whole PC with virtio devices, which Linux knows.",
        ),
        ImportReason::KernelFromDisk => t(
            "Its kernel was taken from its own disk. So it is here: the one that the boot loader on the first disk chooses, found anew at each start.",
        ),
        ImportReason::KernelOnDisk => t(
            "Its kernel was taken from its own disk. Here its firmware starts the boot loader on that disk.",
        ),
        ImportReason::PartitionAsDisk => t(
            "The guest saw it as a partition. Here it is a whole disk, which has another name in the guest.",
        ),
        ImportReason::FoundBeside => t("A file of this name lies beside the imported one, and is used."),
        ImportReason::FileMissing => t("There is no such file on this computer."),
        ImportReason::OtherDevice => {
            t("It is another device here, for which the guest may need another driver.")
        }
        ImportReason::Licence => t("It is a licence: read it before you use the guest."),
        ImportReason::OneOfSeveral => t("Only one can be imported at a time, and another one was chosen."),
        ImportReason::NotVerified => t("Nobody can tell whether it is as its maker made it."),
        ImportReason::Remote => t("It is somewhere on a network, and nothing is fetched from there."),
        ImportReason::Outside => t("It would be outside of the appliance, and could be any file of yours."),
        ImportReason::Copied => t("It is copied into a disk of the guest's own. The file stays as it is."),
    }
}

/// What a person should know about a medium.
pub fn note_sentence(note: MediumNote, t: Translate<'_>) -> String {
    match note {
        MediumNote::NotBootable => t("No boot record was found: a guest may not start from it."),
        MediumNote::CutShort => {
            t("The file is shorter than the disc it claims to hold: the download may be incomplete.")
        }
        MediumNote::UefiOnly => t("It can be started by UEFI firmware only."),
        MediumNote::BootRecordDamaged => {
            t("Its boot record is damaged or lies outside of the file: a guest may not start from it.")
        }
        MediumNote::BuildsOnOthers => {
            t("It builds on other files, whose content a guest could read: use it only where you know them.")
        }
        MediumNote::FoundationUnknown => t("It builds on other files, and which these are can't be told."),
    }
}
