//! Why the core refuses or fails: one explanation for each [`Error`].

use super::condition::start_failure;
use super::{
    Explanation, Translate, answer, appliance, boot, cpu, disk, fill, network, pci, snapshot, some_text,
    tree, usb,
};
use crate::{DefinitionFault, Error, FileFault, Firmware, GuestState, NameFault, Operation, SavedStateFault};

/// Says what an error of the core means and what can be done.
pub fn explain(error: &Error, t: Translate<'_>) -> Explanation {
    match error {
        Error::GuestNotFound { guest } => Explanation {
            code: "guest-not-found",
            what: fill(&t("There is no guest “{guest}”."), &[("guest", guest)]),
            why: t("None of your guests has that name or identity."),
            remedy: t("Look for it in the list of guests; upper and lower case count."),
            detail: None,
        },
        Error::NameTaken { name } => Explanation {
            code: "name-taken",
            what: fill(&t("A guest named “{name}” already exists."), &[("name", name)]),
            why: t("Each guest needs a name of its own."),
            remedy: t("Choose another name, or rename or delete the guest that has it."),
            detail: None,
        },
        Error::NameInvalid { name, fault } => name_invalid(name, *fault, t),
        Error::CpusOutOfRange { requested, minimum, maximum } => {
            let range = [("minimum", &*minimum.to_string()), ("maximum", &*maximum.to_string())];
            Explanation {
                code: "cpus-out-of-range",
                what: fill(
                    &t("The number of virtual CPUs can't be {requested}."),
                    &[("requested", &requested.to_string())],
                ),
                why: fill(&t("On this computer it must be from {minimum} to {maximum}."), &range),
                remedy: fill(&t("Choose a number from {minimum} to {maximum}."), &range),
                detail: None,
            }
        }
        Error::MemoryPromised { requested, promised, total } => Explanation {
            code: "memory-promised",
            what: fill(
                &t("This computer can't give a guest {requested} of memory now."),
                &[("requested", &requested.to_string())],
            ),
            why: fill(
                &t("It has {total}, of which other running guests have {promised}."),
                &[("total", &total.to_string()), ("promised", &promised.to_string())],
            ),
            remedy: t("Shut another guest down or give it less memory, or give this one less."),
            detail: None,
        },
        Error::MemoryOutOfRange { requested, minimum, maximum } => {
            let range = [("minimum", &*minimum.to_string()), ("maximum", &*maximum.to_string())];
            Explanation {
                code: "memory-out-of-range",
                what: fill(
                    &t("A guest can't have {requested} of memory."),
                    &[("requested", &requested.to_string())],
                ),
                why: fill(&t("On this computer it must be from {minimum} to {maximum}."), &range),
                remedy: fill(&t("Choose an amount from {minimum} to {maximum}."), &range),
                detail: None,
            }
        }
        Error::DiskSizeOutOfRange { requested, minimum, maximum } => {
            let range = [("minimum", &*minimum.to_string()), ("maximum", &*maximum.to_string())];
            Explanation {
                code: "disk-size-out-of-range",
                what: fill(
                    &t("A disk can't have a size of {requested}."),
                    &[("requested", &requested.to_string())],
                ),
                why: fill(&t("It must be from {minimum} to {maximum}."), &range),
                remedy: fill(&t("Choose a size from {minimum} to {maximum}."), &range),
                detail: None,
            }
        }
        Error::SerialPortsOutOfRange { requested, maximum } => {
            let maximum = [("maximum", &*maximum.to_string())];
            Explanation {
                code: "serial-ports-out-of-range",
                what: fill(
                    &t("The number of serial ports can't be {requested}."),
                    &[("requested", &requested.to_string())],
                ),
                why: fill(&t("A guest can have at most {maximum}."), &maximum),
                remedy: fill(&t("Choose a number from 0 to {maximum}."), &maximum),
                detail: None,
            }
        }
        Error::OptionsConflict { first, second } => {
            let options = [("first", &**first), ("second", &**second)];
            Explanation {
                code: "options-conflict",
                what: fill(&t("“{first}” and “{second}” can't be used together."), &options),
                why: t("Each asks for something that the other excludes."),
                remedy: fill(&t("Leave out either “{first}” or “{second}”."), &options),
                detail: None,
            }
        }
        Error::OptionNeeds { option, needs } => {
            let values = [("option", &**option), ("needs", &**needs)];
            Explanation {
                code: "option-needs",
                what: fill(&t("“{option}” can't be used alone."), &values),
                why: fill(&t("It belongs to “{needs}”, which was not given."), &values),
                remedy: fill(&t("Give “{needs}” too, or leave out “{option}”."), &values),
                detail: None,
            }
        }
        Error::BootDeviceNotFound { guest, device } => boot_device_not_found(guest, device, t),
        Error::FirmwareMissing { firmware, secure_boot } => firmware_missing(*firmware, *secure_boot, t),
        Error::FileUnusable { path, fault, detail } => {
            let (why, remedy) = match fault {
                FileFault::NoPermission if path.starts_with("/dev/") => disk::device_denied(path, t),
                _ => file_fault(*fault, t),
            };
            Explanation {
                code: "file-unusable",
                what: fill(&t("“{path}” can't be used."), &[("path", path)]),
                why,
                remedy,
                detail: some_text(detail),
            }
        }
        Error::DiskInUse { path, holder } => disk::in_use(path, holder, t),
        Error::DiskInUseByHost { path, way, by } => disk::in_use_by_host(path, *way, by, t),
        Error::DiskIsBacking { path, holder } => disk::is_backing(path, holder, t),
        Error::TooManyDisks { guest, maximum } => disk::too_many(guest, *maximum, t),
        Error::SerialInvalid { serial, longest } => disk::serial_invalid(serial, *longest, t),
        Error::FormatOnlyRead { path, format } => disk::only_read(path, format, t),
        Error::DiskInSnapshot { disk, snapshot } => disk::in_snapshot(disk, snapshot, t),
        Error::DiskNotOwn { disk, path } => disk::not_own(disk, path, t),
        Error::BuildsOnOthers { path, files } => disk::builds_on_others(path, files, t),
        Error::ApplianceFileUnusable { path, file, fault } => appliance::file_unusable(path, file, *fault, t),
        Error::ApplianceDamaged { path, file, algorithm, expected, found } => {
            appliance::damaged((path, file), algorithm, (expected, found), t)
        }
        Error::MachineNotFound { path, machine, known } => {
            appliance::machine_not_found(path, machine, known, t)
        }
        Error::SpaceMissing { path, needed, available } => {
            appliance::space_missing(path, *needed, *available, t)
        }
        Error::NoSpace { path, available } => Explanation {
            code: "no-space",
            what: fill(&t("There is not enough room in “{path}”."), &[("path", path)]),
            why: fill(&t("Only {available} is free there."), &[("available", &available.to_string())]),
            remedy: t("Delete something there or choose a smaller size, then try again."),
            detail: None,
        },
        Error::StoreFailed { path, detail } => Explanation {
            code: "store-failed",
            what: fill(&t("“{path}” could not be read or written."), &[("path", path)]),
            why: t("The system refused it. What was there before is kept."),
            remedy: t(
                "Make sure that you may write there and that its file system has room, then try again.",
            ),
            detail: some_text(detail),
        },
        Error::DefinitionUnusable { guest, path, fault, detail } => {
            let (why, remedy) = definition_fault(*fault, path, t);
            Explanation {
                code: "definition-unusable",
                what: fill(&t("“{guest}” can't be used at the moment."), &[("guest", guest)]),
                why,
                remedy,
                detail: some_text(detail),
            }
        }
        Error::WrongState { guest, state, operation } => Explanation {
            code: "wrong-state",
            what: failed(*operation, guest, t),
            why: because_of_state(*state, t),
            remedy: way_out_of_state(*state, *operation, t),
            detail: None,
        },
        Error::EngineMissing { program } => engine_missing(program, t),
        Error::AnswerInvalid { field, fault, value } => answer::invalid(*field, *fault, value, t),
        Error::ExpressNotOffered { path, reason, os } => answer::not_offered(path, *reason, os, t),
        Error::OsUnknown { os } => os_unknown(os, t),
        Error::CpuModelUnknown { model, known } => cpu::model_unknown(model, known, t),
        Error::CpuLimitOutOfRange { requested } => cpu::limit_out_of_range(*requested, t),
        Error::CpuLimitUnavailable { fault, detail } => cpu::limit_unavailable(*fault, detail, t),
        Error::StartFailed { guest, detail } => {
            let (why, remedy) = start_failure(detail, t);
            Explanation {
                code: "start-failed",
                what: failed(Operation::Start, guest, t),
                why,
                remedy,
                detail: some_text(detail),
            }
        }
        Error::SavedStateUnusable { guest, fault, detail } => saved_state_unusable(guest, *fault, detail, t),
        Error::EngineRefused { guest, operation, detail } => Explanation {
            code: "engine-refused",
            what: failed(*operation, guest, t),
            why: t("QEMU, which runs the guest, refused it; the details have its words."),
            remedy: t("Try again. If it is refused again, shut the guest down and start it anew."),
            detail: some_text(detail),
        },
        Error::EngineSilent { guest, operation, seconds } => Explanation {
            code: "engine-silent",
            what: failed(*operation, guest, t),
            why: fill(
                &t("QEMU, which runs the guest, has not answered within {seconds} s. It may still do it."),
                &[("seconds", &seconds.to_string())],
            ),
            remedy: if *operation == Operation::ForceOff {
                t(
                    "Wait a moment and look at the guest's state. If nothing changes, end the process of its QEMU.",
                )
            } else {
                t("Wait a moment and look at the guest's state. If nothing changes, force it off.")
            },
            detail: None,
        },
        Error::ShutdownOverdue { guest, seconds } => Explanation {
            code: "shutdown-overdue",
            what: fill(&t("“{guest}” has not shut down."), &[("guest", guest)]),
            why: fill(
                &t("It was asked to {seconds} s ago and runs on. It may wait for an answer on its screen."),
                &[("seconds", &seconds.to_string())],
            ),
            remedy: t("Look at its display, wait longer, reset it, or force it off."),
            detail: None,
        },
        Error::ShutdownCancelled { guest } => Explanation {
            code: "shutdown-cancelled",
            what: fill(&t("“{guest}” is no longer waited for."), &[("guest", guest)]),
            why: t("Somebody said not to wait until it has shut down. It runs on."),
            remedy: t("Shut it down or restart it again if you want it after all."),
            detail: None,
        },
        Error::ShutdownWaitOutOfRange { requested, minimum, maximum } => {
            let range = [("minimum", &*minimum.to_string()), ("maximum", &*maximum.to_string())];
            Explanation {
                code: "shutdown-wait-out-of-range",
                what: fill(
                    &t("A guest can't be given {requested} s to shut down."),
                    &[("requested", &requested.to_string())],
                ),
                why: fill(&t("It must be from {minimum} to {maximum} s."), &range),
                remedy: fill(&t("Choose a number from {minimum} to {maximum}."), &range),
                detail: None,
            }
        }
        Error::SnapshotNotFound { guest, snapshot } => snapshot::not_found(guest, snapshot, t),
        Error::SnapshotNameTaken { guest, name } => snapshot::name_taken(guest, name, t),
        Error::SnapshotUnusable { guest, snapshot, detail } => snapshot::unusable(guest, snapshot, detail, t),
        Error::DiskCannotKeep { guest, path, format } => snapshot::disk_cannot_keep(guest, path, format, t),
        Error::PutBackInPart { guest, snapshot } => snapshot::put_back_in_part(guest, snapshot, t),
        Error::BeingCloned { guest } => snapshot::being_cloned(guest, t),
        Error::CloneNotLinked { guest } => snapshot::not_linked(guest, t),
        Error::TreeUnusable { location, fault, file, detail } => {
            tree::unusable(location, *fault, file, detail, t)
        }
        Error::NotInstalling { guest } => Explanation {
            code: "not-installing",
            what: fill(&t("“{guest}” is not being installed."), &[("guest", guest)]),
            why: t(
                "It has nothing that is there only for an installation: that has ended, or was never seen.",
            ),
            remedy: t("There is nothing to do. A medium that is still in a drive can be ejected."),
            detail: None,
        },
        Error::MediumLocked { guest, drive } => Explanation {
            code: "medium-locked",
            what: fill(
                &t("The medium in drive “{drive}” of “{guest}” was not taken out."),
                &[("drive", drive), ("guest", guest)],
            ),
            why: t("The guest uses it and has locked the drive."),
            remedy: t("Eject it inside the guest, or force it out, which may confuse the guest."),
            detail: None,
        },
        Error::DiskNotFound { guest, disk } if disk.is_empty() => Explanation {
            code: "disk-not-found",
            what: fill(&t("“{guest}” has no disk."), &[("guest", guest)]),
            why: t("It was made without one."),
            remedy: t("Make a guest with a disk, or give this one a disk image."),
            detail: None,
        },
        Error::DiskNotFound { guest, disk } => Explanation {
            code: "disk-not-found",
            what: fill(&t("“{guest}” has no disk “{disk}”."), &[("guest", guest), ("disk", disk)]),
            why: t("Disks are called disk0, disk1 and so on, in the order in which the guest sees them."),
            remedy: t("Look at the guest's disks and choose one of them."),
            detail: None,
        },
        Error::DriveNotFound { guest, drive } => drive_not_found(guest, drive, t),
        Error::NicNotFound { guest, nic } => network::nic_not_found(guest, nic, t),
        Error::NicsExhausted { guest, maximum } => network::nics_exhausted(guest, *maximum, t),
        Error::NetworkNameInvalid { name } => network::network_name_invalid(name, t),
        Error::BridgeUnusable { bridge, fault, detail } => {
            network::bridge_unusable(bridge, *fault, detail, t)
        }
        Error::MacTaken { mac, holder } => network::mac_taken(mac, holder, t),
        Error::ForwardRefused { forward, fault, holder } => {
            network::forward_refused(forward, *fault, holder, t)
        }
        Error::UsbNotFound { guest, device } => usb::not_found(guest, device, t),
        Error::UsbExhausted { guest, maximum } => usb::exhausted(guest, *maximum, t),
        Error::UsbRefused { device, name, fault, by } => usb::refused(device, name, *fault, by, t),
        Error::PciNotFound { guest, device } => pci::not_found(guest, device, t),
        Error::PciExhausted { guest, maximum } => pci::exhausted(guest, *maximum, t),
        Error::PciRefused { address, name, fault, by } => {
            pci::refused(&address.to_string(), name, *fault, by, t)
        }
        Error::PciNotSavable { guest, operation, address, name } => {
            pci::not_savable(guest, *operation, &address.to_string(), name, t)
        }
        Error::Disposable { guest, operation } => Explanation {
            code: "disposable",
            what: failed(*operation, guest, t),
            why: t("It was started so that nothing is kept of what it writes."),
            remedy: t("Shut it down and start it in the usual way first."),
            detail: None,
        },
        Error::NotInstalled { guest, operation } => Explanation {
            code: "not-installed",
            what: failed(*operation, guest, t),
            why: t("Its system is not installed yet, and nothing of the installation would be kept."),
            remedy: t("Start it in the usual way until its system is installed."),
            detail: None,
        },
        Error::DiskNotSavable { guest, disk, path } => disk::not_savable(guest, disk, path, t),
        Error::LockedMemoryTooSmall { guest, needed, limit } => pci::locked_memory(guest, *needed, *limit, t),
        Error::PortNotFound { guest, port, ports } => port_not_found(guest, *port, *ports, t),
        Error::KeyUnknown { key } => Explanation {
            code: "key-unknown",
            what: fill(&t("No key is called “{key}”."), &[("key", key)]),
            why: t("Keys have the names that are printed on a US keyboard. Nothing was pressed."),
            remedy: t("Use names such as a, 7, f1, enter, esc, tab, ctrl, alt, shift or delete."),
            detail: None,
        },
        Error::CharacterUntypable { character } => Explanation {
            code: "character-untypable",
            what: fill(&t("“{character}” can't be typed."), &[("character", character)]),
            why: t("The guest gets the keys of a US keyboard, none of which gives it. Nothing was typed."),
            remedy: t("Leave the character out, or enter it by the guest's own means."),
            detail: None,
        },
        Error::KernelNotOnDisk { guest, disk, fault, detail } => {
            boot::kernel_not_on_disk(guest, disk, *fault, detail, t)
        }
        Error::BootDefaultFixed { guest, disk, fault, detail } => {
            boot::default_fixed(guest, disk, *fault, detail, t)
        }
        Error::JobNotFound { job } => Explanation {
            code: "job-not-found",
            what: fill(&t("Job {job} is not known."), &[("job", &job.to_string())]),
            why: t("It ended long ago, or the core was restarted since."),
            remedy: t("Look at the list of guests to see what became of it."),
            detail: None,
        },
        Error::JobCancelled { job } => Explanation {
            code: "job-cancelled",
            what: fill(&t("Job {job} was cancelled."), &[("job", &job.to_string())]),
            why: t("You or another program asked for that. Nothing was left behind."),
            remedy: t("Begin anew if you want it after all."),
            detail: None,
        },
    }
}

fn name_invalid(name: &str, fault: NameFault, t: Translate<'_>) -> Explanation {
    let (what, why) = match fault {
        NameFault::Empty => (t("The guest needs a name."), t("The name is empty.")),
        NameFault::TooLong => (t("The name of the guest is too long."), t("It has more than 64 characters.")),
        NameFault::BadCharacter => (
            fill(&t("A guest can't be called “{name}”."), &[("name", name)]),
            t("Names have no “/”, no control characters, no dot at the beginning and no blank at an end."),
        ),
    };
    Explanation { code: "name-invalid", what, why, remedy: t("Choose another name."), detail: None }
}

/// Why a file can't be used, and what to do.
fn file_fault(fault: FileFault, t: Translate<'_>) -> (String, String) {
    match fault {
        FileFault::Missing => (
            t("There is no file at that path."),
            t("Check how the path is written, and whether the drive with the file is connected."),
        ),
        FileFault::NoPermission => (
            t("Your user may not open it."),
            t("Give yourself the right to read the file and to enter its folders, or use a copy of it."),
        ),
        FileFault::IsFolder => (t("It is a folder."), t("Choose a file.")),
        FileFault::NotAFile => (t("It is neither a file nor a block device."), t("Choose an ordinary file.")),
        FileFault::Empty => (t("The file has no content."), t("Download or copy it again.")),
        FileFault::NotAbsolute => {
            (t("The path does not begin with “/”."), t("Write the whole path, from “/” on."))
        }
        FileFault::WrongFormat => (
            t("It is not in a format that can be used here."),
            t("Use an ISO file in a drive, a QCOW2 or raw image as a disk, a Linux kernel as a kernel."),
        ),
        FileFault::Unreadable => (
            t("It could not be read; the details say what the system reports."),
            t("Check the drive or the network share that holds it, or use a copy."),
        ),
    }
}

/// Why a definition can't be used, and what to do.
pub(super) fn definition_fault(fault: DefinitionFault, path: &str, t: Translate<'_>) -> (String, String) {
    let (why, remedy) = match fault {
        DefinitionFault::Malformed => (
            t("Its definition, {path}, is cut short or damaged. Its disks are untouched."),
            t("Mend the file with a text editor, or put a copy of it back; the details say where to look."),
        ),
        DefinitionFault::Newer => (
            t("Its definition, {path}, was written by a newer version of Guesthouse."),
            t("Install that version or a newer one."),
        ),
        DefinitionFault::Unreadable => (
            t("Its definition, {path}, can't be read. Its disks are untouched."),
            t("Give yourself the right to read the file; the details say what the system reports."),
        ),
    };
    (fill(&why, &[("path", path)]), remedy)
}

/// What did not happen.
fn failed(operation: Operation, guest: &str, t: Translate<'_>) -> String {
    let sentence = match operation {
        Operation::Create => t("“{guest}” could not be made."),
        Operation::Start => t("“{guest}” could not start."),
        Operation::Shutdown => t("“{guest}” could not be asked to shut down."),
        Operation::ForceOff => t("“{guest}” could not be forced off."),
        Operation::Pause => t("“{guest}” could not be paused."),
        Operation::Resume => t("“{guest}” could not go on."),
        Operation::Restart => t("“{guest}” could not be restarted."),
        Operation::Reset => t("“{guest}” could not be reset."),
        Operation::CancelShutdown => t("“{guest}” is not being waited for."),
        Operation::Save => t("“{guest}” could not be saved."),
        Operation::Restore => t("“{guest}” could not go on with its saved state."),
        Operation::Discard => t("The saved state of “{guest}” could not be discarded."),
        Operation::Set => t("The settings of “{guest}” could not be changed."),
        Operation::InsertMedium => t("The medium could not be put into the drive of “{guest}”."),
        Operation::EjectMedium => t("The medium could not be taken out of the drive of “{guest}”."),
        Operation::Screenshot => t("No picture could be taken of “{guest}”."),
        Operation::OpenDisplay => t("The display of “{guest}” could not be shown."),
        Operation::OpenSerial => t("The serial port of “{guest}” could not be opened."),
        Operation::SendKeys => t("No keys could be pressed in “{guest}”."),
        Operation::Statistics => t("What “{guest}” uses could not be measured."),
        Operation::BootMenu => t("The boot menu of “{guest}” could not be read or changed."),
        Operation::TakeSnapshot => t("No snapshot could be taken of “{guest}”."),
        Operation::RestoreSnapshot => t("“{guest}” could not be put back to a snapshot."),
        Operation::DeleteSnapshot => t("The snapshot of “{guest}” could not be deleted."),
        Operation::Clone => t("“{guest}” could not be cloned."),
        Operation::Delete => t("“{guest}” could not be deleted."),
    };
    fill(&sentence, &[("guest", guest)])
}

fn because_of_state(state: GuestState, t: Translate<'_>) -> String {
    match state {
        GuestState::Off => t("The guest is off."),
        GuestState::Starting => t("The guest is just starting."),
        GuestState::Running => t("The guest is running."),
        GuestState::Paused => t("The guest is paused."),
        GuestState::Saving => t("The guest's memory is being saved."),
        GuestState::Saved => t("The guest is saved."),
        GuestState::ShuttingDown => t("The guest is shutting down."),
        GuestState::Crashed => t("The guest has crashed and is off."),
        GuestState::Unavailable => t("The guest's definition can't be read."),
    }
}

/// What an operation needs of a guest.
enum Need {
    /// That it does not run yet.
    ToStart,
    /// That it can be stopped.
    ToStop,
    /// That it runs and can be stopped for a while.
    ToPause,
    /// That it runs.
    Running,
    /// That it is paused.
    Paused,
    /// That it is saved.
    Saved,
    /// That it does not run.
    NotRunning,
    /// That it is not between two states.
    Settled,
}

impl Need {
    fn of(operation: Operation) -> Self {
        match operation {
            Operation::Start => Self::ToStart,
            Operation::Restore | Operation::Discard => Self::Saved,
            Operation::Shutdown | Operation::ForceOff | Operation::CancelShutdown => Self::ToStop,
            Operation::Pause | Operation::Save => Self::ToPause,
            Operation::Restart
            | Operation::Reset
            | Operation::Screenshot
            | Operation::OpenDisplay
            | Operation::OpenSerial
            | Operation::SendKeys
            | Operation::Statistics => Self::Running,
            Operation::Resume => Self::Paused,
            Operation::Delete | Operation::RestoreSnapshot | Operation::Clone | Operation::BootMenu => {
                Self::NotRunning
            }
            Operation::Create
            | Operation::Set
            | Operation::InsertMedium
            | Operation::EjectMedium
            | Operation::TakeSnapshot
            | Operation::DeleteSnapshot => Self::Settled,
        }
    }
}

fn way_out_of_state(state: GuestState, operation: Operation, t: Translate<'_>) -> String {
    use GuestState::{Crashed, Off, Paused, Running, Saved, Saving, Starting, Unavailable};
    match (state, Need::of(operation)) {
        (Starting, _) => t("Wait until it runs, then try again."),
        (GuestState::ShuttingDown, _) => t("Wait until it is off, or force it off, then try again."),
        (Saving, _) => t("Wait until it is saved, or cancel that, then try again."),
        (Saved, Need::Running | Need::ToPause | Need::ToStop | Need::Settled | Need::NotRunning) => {
            t("Start it, so that it goes on, or discard its saved state first.")
        }
        (Unavailable, _) => t("Mend its definition first; showing the guest tells what is wrong with it."),
        (Off | Crashed, Need::Running | Need::ToPause) => t("Start it first."),
        (Off | Crashed, Need::Paused | Need::Saved) => t("Start it instead."),
        (Off | Crashed, Need::ToStop)
        | (Running, Need::ToStart | Need::Paused | Need::Saved)
        | (Paused, Need::ToPause) => t("Nothing needs to be done."),
        (Paused, Need::ToStart | Need::Saved) => t("Let it go on instead."),
        (Paused, Need::Running | Need::ToStop) => t("Let it go on first."),
        (Running | Paused, Need::NotRunning) => t("Shut it down or force it off first."),
        (Running, Need::Running | Need::ToPause | Need::ToStop)
        | (Off | Crashed, Need::ToStart | Need::NotRunning)
        | (Saved, Need::ToStart | Need::Saved | Need::Paused)
        | (Paused, Need::Paused)
        | (Off | Crashed | Running | Paused, Need::Settled) => t("Try again."),
    }
}

fn saved_state_unusable(guest: &str, fault: SavedStateFault, detail: &str, t: Translate<'_>) -> Explanation {
    let (why, remedy) = match fault {
        SavedStateFault::Damaged => (
            t("Its saved state is incomplete or can't be read; the details name the file."),
            t("Put the file back from a copy, or discard the saved state and start the guest anew."),
        ),
        SavedStateFault::DisksChanged => (
            t("One of its disks was changed since. With the former memory, the guest would damage it."),
            t(
                "Put the former content of the disk back, or discard the saved state and start the guest anew.",
            ),
        ),
        SavedStateFault::Refused => (
            t("QEMU does not take its saved state, which is kept; the details have QEMU's words."),
            t(
                "Use the version of QEMU and the kind of acceleration with which it was saved, or discard the saved state and start the guest anew.",
            ),
        ),
    };
    Explanation {
        code: "saved-state-unusable",
        what: failed(Operation::Restore, guest, t),
        why,
        remedy,
        detail: some_text(detail),
    }
}

fn os_unknown(os: &str, t: Translate<'_>) -> Explanation {
    Explanation {
        code: "os-unknown",
        what: fill(&t("“{os}” is no operating system that is known here."), &[("os", os)]),
        why: t("It is not in this computer's operating-system database, nor a next release of one that is."),
        remedy: t("Choose another one, or none: the guest then gets what suits most systems."),
        detail: None,
    }
}

fn engine_missing(program: &str, t: Translate<'_>) -> Explanation {
    if program == "swtpm" {
        return tpm_missing(t);
    }
    let remedy = if ["qemu-img", "qemu-io"].contains(&program) {
        t(
            "Install QEMU's image tool: the package qemu-utils on Debian and Ubuntu, qemu-img on Fedora and Arch Linux, qemu-tools on openSUSE.",
        )
    } else {
        t(
            "Install QEMU: the package qemu-system-x86 on Debian, Ubuntu and Fedora, qemu-base on Arch Linux, qemu-x86 on openSUSE.",
        )
    };
    Explanation {
        code: "engine-missing",
        what: t("Guests can't run yet."),
        why: fill(
            &t("The program {program}, which is needed for them, is not installed."),
            &[("program", program)],
        ),
        remedy,
        detail: None,
    }
}

fn boot_device_not_found(guest: &str, device: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("device", device)];
    let (what, why, remedy) = if device.is_empty() {
        (
            t("“{guest}” can't start from a medium."),
            t("None of its drives has one."),
            t("Insert a medium first, or start it as usual."),
        )
    } else {
        (
            t("“{guest}” can't start from “{device}”."),
            t("It has no disk and no drive of that name, or it was named twice."),
            t("Use names such as disk0 or cd0, each once; the guest's page shows which there are."),
        )
    };
    Explanation { code: "boot-device-not-found", what: fill(&what, &values), why, remedy, detail: None }
}

fn tpm_missing(t: Translate<'_>) -> Explanation {
    Explanation {
        code: "engine-missing",
        what: t("A guest can't have a TPM yet."),
        why: t("The program swtpm, which pretends the chip, is not installed."),
        remedy: t(
            "Install the package swtpm, which has this name on Debian, Ubuntu, Fedora, Arch Linux and openSUSE, or choose no TPM.",
        ),
        detail: None,
    }
}

fn firmware_missing(firmware: Firmware, secure_boot: bool, t: Translate<'_>) -> Explanation {
    let (what, remedy) = match (firmware, secure_boot) {
        (Firmware::Bios, _) => (
            t("A guest can't have BIOS firmware yet."),
            t("Install the package seabios, on Fedora seabios-bin, on openSUSE qemu-seabios."),
        ),
        (Firmware::Uefi, false) => (
            t("A guest can't have UEFI firmware yet."),
            t(
                "Install the package ovmf on Debian and Ubuntu, edk2-ovmf on Fedora and Arch Linux, qemu-ovmf-x86_64 on openSUSE, or choose BIOS.",
            ),
        ),
        (Firmware::Uefi, true) => (
            t("A guest can't have Secure Boot yet."),
            t(
                "Install the package ovmf on Debian and Ubuntu, edk2-ovmf on Fedora, qemu-ovmf-x86_64 on openSUSE, or choose UEFI without Secure Boot.",
            ),
        ),
    };
    let why = t("No such firmware that fits the guest's machine was found on this computer.");
    Explanation { code: "firmware-missing", what, why, remedy, detail: None }
}

fn drive_not_found(guest: &str, drive: &str, t: Translate<'_>) -> Explanation {
    let values = [("guest", guest), ("drive", drive)];
    let (what, why, remedy) = if drive.is_empty() {
        (
            t("“{guest}” has no drive for media."),
            t("It was made without one."),
            t("Make a new guest with an installation medium; it gets a drive."),
        )
    } else {
        (
            t("“{guest}” has no drive “{drive}”."),
            t("Its drives are called cd0, cd1 and so on."),
            t("Look at its list of media, and name one of the drives there."),
        )
    };
    Explanation { code: "drive-not-found", what: fill(&what, &values), why, remedy, detail: None }
}

fn port_not_found(guest: &str, port: u32, ports: u32, t: Translate<'_>) -> Explanation {
    let what =
        fill(&t("“{guest}” has no serial port {port}."), &[("guest", guest), ("port", &port.to_string())]);
    let (why, remedy) = match ports {
        0 => (
            t("It was made without serial ports."),
            t("Use its display, or make a new guest with a serial port."),
        ),
        1 => (t("Its only port has the number 0."), t("Choose port 0.")),
        _ => (
            fill(&t("Its ports have the numbers from 0 to {last}."), &[("last", &(ports - 1).to_string())]),
            t("Choose one of these ports."),
        ),
    };
    Explanation { code: "port-not-found", what, why, remedy, detail: None }
}
