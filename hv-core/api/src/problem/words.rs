//! Words for what guests, jobs and media are.

use super::Translate;
use crate::{GuestState, JobStage, MediumNote};

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
    }
}
