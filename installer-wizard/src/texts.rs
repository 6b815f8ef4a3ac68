//! The wizard's sentences that depend on values: what a form's remarks, a medium's facts and a failed
//! source say. Fixed labels stand where they are shown.
//!
//! Pure but for the translation.

use crate::answers::{Answer, Asker};
use crate::defaults::is_copied;
use crate::flow::{Remark, Source, SourceFault};
use crate::form::{Caution, Form, Invalid, Row};
use crate::sizes;
use hv_api::{
    BootMode, Confidence, HostDisk, HostPartition, HostUse, ImportNote, ImportOutcome, JobStage, MediumInfo,
    MediumKind, MediumNote, NameFault, NewGuest, OsChoice,
};
use virt_kit::i18n::{gettext, gettext_f, ngettext_f};
use virt_kit::problem::Problem;

/// What is said under a row.
pub fn remark(row: Row, remark: &Remark) -> String {
    match remark {
        Remark::Invalid(invalid) => self::invalid(row, invalid),
        Remark::Refused(problem) => sentence(problem),
        Remark::Caution(caution) => self::caution(caution),
    }
}

fn invalid(row: Row, invalid: &Invalid) -> String {
    match (invalid, row) {
        (Invalid::Name(NameFault::Empty), _) => gettext("Give the guest a name."),
        (Invalid::Name(NameFault::TooLong), _) => gettext("The name may have at most 64 characters."),
        (Invalid::Name(NameFault::BadCharacter), _) => {
            gettext("The name may not contain “/” or control characters, nor begin with a dot.")
        }
        (Invalid::NameTaken, _) => gettext("Another guest has this name already."),
        (Invalid::CpusOutOfRange { maximum }, _) => gettext_f(
            "This computer allows a guest 1 to {maximum} CPUs.",
            &[("maximum", &maximum.to_string())],
        ),
        (Invalid::NotAgreed, _) => gettext("Look at the files that this image builds on, and agree to them."),
        (Invalid::NoUser, _) => gettext("Say by what name the user logs in."),
        (Invalid::NoPassword, _) => gettext("Choose a password."),
        (Invalid::PasswordsDiffer, _) => gettext("The two passwords differ."),
        (Invalid::NoUnit, Row::Disk) => gettext("Add a unit to the disk's size, for example “20 GiB”."),
        (Invalid::NoUnit, _) => gettext("Add a unit to the memory, for example “2 GiB” or “2048 MiB”."),
        (Invalid::NotASize, Row::Disk) => gettext("Write the disk's size as a number and a unit: “20 GiB”."),
        (Invalid::NotASize, _) => gettext("Write the memory as a number and a unit: “2 GiB” or “2048 MiB”."),
        (Invalid::TooSmall { minimum }, Row::Disk) => {
            gettext_f("A disk needs at least {size}.", &[("size", &minimum.to_string())])
        }
        (Invalid::TooSmall { minimum }, _) => {
            gettext_f("A guest needs at least {size} of memory.", &[("size", &minimum.to_string())])
        }
        (Invalid::TooLarge { maximum }, Row::Disk) => {
            gettext_f("A disk may have at most {size}.", &[("size", &maximum.to_string())])
        }
        (Invalid::TooLarge { maximum }, _) => {
            gettext_f("This computer has only {size} of memory.", &[("size", &maximum.to_string())])
        }
    }
}

fn caution(caution: &Caution) -> String {
    match caution {
        Caution::MemoryShort { free } => gettext_f(
            "Only {size} of this computer's memory is free now. With more, everything may become slow.",
            &[("size", &free.to_string())],
        ),
        Caution::BelowRecommended { recommended } => {
            gettext_f("At least {size} is recommended.", &[("size", &recommended.to_string())])
        }
        Caution::SystemUnclear => gettext(
            "The disc does not tell which of these it holds. Choose the one you are going to install.",
        ),
        Caution::SpaceShort { free } => gettext_f(
            "Only {size} is free where guests are kept. The disk's file grows as the guest fills it.",
            &[("size", &free.to_string())],
        ),
    }
}

/// What helps to choose a row's value, where nothing else is to be said about it.
pub fn hint(row: Row, form: &Form, source: &Source) -> Option<String> {
    match row {
        // It is what the machine had.
        Row::Memory if matches!(source, Source::Machine(..)) => None,
        Row::Memory => {
            let size = sizes::exact(form.recommended.memory);
            Some(gettext_f("Recommended: {size}", &[("size", &size)]))
        }
        Row::Firmware if form.firmware.get().is_none() && matches!(source, Source::Machine(..)) => {
            Some(gettext("What that machine had"))
        }
        Row::Firmware if form.firmware.get().is_none() => {
            Some(gettext("BIOS, or UEFI where the medium needs it"))
        }
        Row::Firmware => {
            Some(gettext("An installed system starts only with the firmware that it was installed with"))
        }
        Row::Answer(Answer::User) => Some(gettext("May administer the guest")),
        Row::Answer(Answer::SshKey) => {
            Some(gettext("Optional: a public key, as in the file “id_ed25519.pub”"))
        }
        Row::Name | Row::System | Row::Cpus | Row::Disk | Row::Foundation | Row::Answer(_) => None,
    }
}

/// What the list of systems shows where nobody has chosen one.
pub fn system_of_medium(medium: Option<&MediumInfo>) -> String {
    match medium {
        Some(MediumInfo { os_name: Some(name), .. }) => name.clone(),
        // Translators: shown in place of an operating system, of which a person is to choose one.
        Some(medium) if !medium.candidates.is_empty() => gettext("Choose One"),
        // Translators: an operating system that was not recognised.
        Some(_) | None => gettext("Other or Unknown"),
    }
}

/// How it is known which system a medium holds.
pub fn system_hint(medium: Option<&MediumInfo>) -> Option<String> {
    let medium = medium.filter(|medium| medium.os.is_some())?;
    Some(match (medium.newer_than_database, medium.confidence) {
        (true, _) => gettext("Recognised by its label: newer than this computer's list of systems"),
        (false, Confidence::Exact) => gettext("Recognised by the disc"),
        (false, Confidence::Probable) => gettext("Recognised by the disc's label"),
        (false, Confidence::Unknown) => return None,
    })
}

/// A problem in running text: what happened, why, and what to do.
pub fn sentence(problem: &Problem) -> String {
    let parts = [&problem.what, &problem.why, &problem.remedy];
    parts.map(|part| part.trim()).into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The heading of the answers, and what they spare.
pub fn asker(asker: Asker) -> (String, String) {
    match asker {
        Asker::Installer => (
            gettext("Install Without Questions"),
            gettext("The installer finds the answers, and erases the guest's own disk"),
        ),
        Asker::CloudImage => (
            gettext("Set Up at First Start"),
            gettext("Makes a user in the system of this image, which lets nobody in otherwise"),
        ),
    }
}

/// What an answer is called.
pub fn answer(answer: Answer) -> String {
    match answer {
        Answer::FullName => gettext("Full Name"),
        Answer::User => gettext("User Name"),
        Answer::Password => gettext("Password"),
        Answer::Again => gettext("Repeat Password"),
        Answer::SshKey => gettext("SSH Key"),
        Answer::Language => gettext("Language"),
        Answer::Keyboard => gettext("Keyboard"),
        Answer::TimeZone => gettext("Time Zone"),
    }
}

/// What was wrong with a source.
pub fn source_fault(fault: &SourceFault) -> String {
    match fault {
        SourceFault::Several => gettext("A guest is made from one file. Drop one at a time."),
        SourceFault::NotLocal => {
            gettext("This is not a file on this computer. Copy it here first, then drop the copy.")
        }
        SourceFault::NoAddress => gettext(
            "This is no address of an install tree. Such addresses begin with “https://” or “http://”.",
        ),
        SourceFault::NotUtf8 => {
            gettext("The path of this file has characters that can't be read. Rename the file or its folder.")
        }
        SourceFault::Unusable(failure) => sentence(&failure.problem),
    }
}

/// The heading of the card about a medium: the system on it, or what kind of file it is.
pub fn medium_title(medium: &MediumInfo) -> String {
    match (&medium.os_name, medium.confidence) {
        (Some(name), Confidence::Exact) => name.clone(),
        // Translators: the operating system on a disc, where only the disc's label looks like it.
        (Some(name), Confidence::Probable) => gettext_f("Probably {system}", &[("system", name)]),
        (None, _) if !medium.candidates.is_empty() => {
            let short = |choice: &'_ OsChoice| choice.os_name.trim_start_matches("Microsoft ").to_owned();
            let names: Vec<String> = medium.candidates.iter().map(short).collect();
            // Translators: several operating systems, as “Windows 11 / Windows 10”, of which a disc holds one.
            gettext_f("One of {systems}", &[("systems", &names.join(" / "))])
        }
        (_, Confidence::Unknown) | (None, _) => match medium.kind {
            MediumKind::Iso => gettext("Installation disc of an unknown system"),
            MediumKind::DiskImage => gettext("Disk image"),
            MediumKind::BlockDevice => gettext("Disk of this computer"),
            MediumKind::Tree => gettext("Install tree of an unknown system"),
            MediumKind::XenConfig => gettext("Machine of Xen"),
            MediumKind::LibvirtXml => gettext("Machine of libvirt"),
            MediumKind::Appliance => gettext("Machine of another program"),
            MediumKind::Unknown => gettext("File of an unknown kind"),
        },
    }
}

/// The facts about a medium, one line each: label and size, and what it starts with.
pub fn medium_facts(medium: &MediumInfo) -> Vec<String> {
    if medium.kind == MediumKind::Tree {
        // Translators: the file of an install tree that its installer starts from.
        let kernel = |kernel| gettext_f("Installer: {kernel}", &[("kernel", kernel)]);
        return medium.kernel.as_deref().map(kernel).into_iter().collect();
    }
    if medium.kind == MediumKind::BlockDevice {
        // Translators: how large a disk of this computer is.
        let size = gettext_f("{size}, used in place", &[("size", &medium.size.to_string())]);
        let kernel = medium.kernel_on_disk.then(|| gettext("Starts with the Linux kernel that is on it"));
        return std::iter::once(size).chain(kernel).collect();
    }
    let size = medium.size.to_string();
    let label = medium.volume_id.as_deref().map(str::trim).filter(|label| !label.is_empty());
    let first = match (label, &medium.format, medium.virtual_size) {
        (Some(label), _, _) => gettext_f("Disc “{label}”, {size}", &[("label", label), ("size", &size)]),
        (None, Some(format), Some(inner)) => gettext_f(
            "Format {format}, a disk of {inner} in a file of {size}",
            &[("format", format), ("inner", &inner.to_string()), ("size", &size)],
        ),
        (None, Some(format), None) => {
            gettext_f("Format {format}, {size}", &[("format", format), ("size", &size)])
        }
        (None, None, _) => size,
    };
    let bios = medium.boot.contains(&BootMode::Bios);
    let uefi = medium.boot.contains(&BootMode::Uefi);
    let boot = match (bios, uefi) {
        (true, true) => Some(gettext("Starts with BIOS and with UEFI")),
        (true, false) => Some(gettext("Starts with BIOS")),
        (false, true) => Some(gettext("Starts with UEFI")),
        (false, false) => None,
    };
    std::iter::once(first).chain(boot).collect()
}

/// What a physical disk is called.
pub fn disk_title(disk: &HostDisk) -> String {
    disk.name.clone().unwrap_or_else(|| disk.device.clone())
}

/// What else is known of it, in a line.
pub fn disk_about(disk: &HostDisk) -> String {
    let device = disk.name.as_ref().map(|_name| disk.device.clone());
    let size = Some(disk.size.to_string());
    let removable = disk.removable.then(|| gettext("removable"));
    [size, device, removable].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What is on a physical disk as a whole, and who has it.
pub fn disk_state(disk: &HostDisk) -> String {
    let count = disk.partitions.len();
    let parts = (count > 0).then(|| {
        ngettext_f("{count} partition", "{count} partitions", count, &[("count", &count.to_string())])
    });
    let content = disk.content.as_deref().map(content).or(parts);
    let used = disk.used.zip(disk.used_by.as_deref());
    state(content, disk.guest.as_deref(), used, disk.permitted)
}

/// What a partition is called.
pub fn partition_title(part: &HostPartition) -> String {
    let number = part.number.to_string();
    let name = part.label.as_deref().or(part.name.as_deref()).filter(|name| !name.trim().is_empty());
    match name {
        // Translators: a partition of a disk, as “Partition 2: Windows”.
        Some(name) => gettext_f("Partition {number}: {name}", &[("number", &number), ("name", name)]),
        None => gettext_f("Partition {number}", &[("number", &number)]),
    }
}

/// What is on a partition, and who has it.
pub fn partition_state(part: &HostPartition) -> String {
    let size = part.size.to_string();
    let content = match part.content.as_deref().map(content) {
        // Translators: how large a partition is and what is on it, as “20 GiB, NTFS (Windows)”.
        Some(content) => gettext_f("{size}, {content}", &[("size", &size), ("content", &content)]),
        None => size,
    };
    let used = part.used.zip(part.used_by.as_deref());
    state(Some(content), part.guest.as_deref(), used, part.permitted)
}

/// What is on a disk or partition, by udev's word for it.
fn content(word: &str) -> String {
    match word {
        "ntfs" => gettext("NTFS (Windows)"),
        "vfat" => gettext("FAT"),
        "swap" => gettext("swap space"),
        "LVM2_member" => gettext("a part of LVM"),
        "linux_raid_member" => gettext("a part of a RAID"),
        "crypto_LUKS" | "BitLocker" => gettext("encrypted"),
        other => other.to_owned(),
    }
}

fn state(
    content: Option<String>,
    guest: Option<&str>,
    used: Option<(HostUse, &str)>,
    permitted: bool,
) -> String {
    let who = match (guest, used) {
        // Translators: a disk that the guest of this name has.
        (Some(guest), _) => Some(gettext_f("“{guest}” has it", &[("guest", guest)])),
        (None, Some((HostUse::Mounted, place))) => Some(gettext_f("mounted at {place}", &[("place", place)])),
        (None, Some((HostUse::Swap, _))) => Some(gettext("this computer swaps to it")),
        (None, Some((_, by))) => Some(gettext_f("in use by {by}", &[("by", by)])),
        (None, None) if !permitted => Some(gettext("your user may not open it")),
        (None, None) => None,
    };
    content.into_iter().chain(who).collect::<Vec<_>>().join(" – ")
}

/// What a machine of another program's has here, in a line.
pub fn machine_facts(guest: &NewGuest) -> String {
    let disks = guest.disks.as_ref().map_or(0, Vec::len);
    let cards = guest.nics.as_ref().map_or(0, Vec::len);
    let disks = ngettext_f("{count} disk", "{count} disks", disks, &[("count", &disks.to_string())]);
    let cards =
        ngettext_f("{count} network card", "{count} network cards", cards, &[("count", &cards.to_string())]);
    // Translators: what a machine has, as in “2 disks, 1 network card”.
    gettext_f("{disks}, {cards}", &[("disks", &disks), ("cards", &cards)])
}

/// How much of a machine is here as it was.
pub fn plan_summary(notes: &[ImportNote]) -> String {
    let count = |outcome| notes.iter().filter(|note| note.outcome == outcome).count();
    let (changed, lost) = (count(ImportOutcome::Changed), count(ImportOutcome::Lost));
    if changed == 0 && lost == 0 {
        return gettext("Everything is as it was");
    }
    let values = [("changed", &*changed.to_string()), ("lost", &*lost.to_string())];
    match (changed, lost) {
        (_, 0) => gettext_f("Different here: {changed}", &values),
        (0, _) => gettext_f("Left out: {lost}", &values),
        _ => gettext_f("Different here: {changed}, left out: {lost}", &values),
    }
}

/// Why one thing that a machine has is otherwise here; nothing where it is not.
pub fn plan_note(note: &ImportNote) -> Option<String> {
    Some(hv_api::problem::import_reason(note.reason?, &|text| gettext(text)))
}

/// What a person should know about a medium before using it. Never a refusal.
pub fn medium_notes(medium: &MediumInfo) -> Vec<String> {
    let copies = is_copied(medium) || medium.cloud_image;
    let in_place = (medium.kind == MediumKind::DiskImage && !copies)
        .then(|| gettext("The guest will write to this file. Make a copy first to keep it as it is."));
    let device = (medium.kind == MediumKind::BlockDevice).then(|| {
        gettext(
            "The guest changes what is on this disk itself. While it runs, this computer can't use the disk.",
        )
    });
    let copied = copies.then(|| {
        gettext("The guest gets a copy of this disk, and the file stays as it is. That takes a while.")
    });
    let unknown = (medium.kind == MediumKind::Unknown).then(|| {
        gettext("This is neither a disc image nor a known disk image, so the guest may not start from it.")
    });
    let notes = medium.notes.iter().map(|note| match note {
        MediumNote::NotBootable => {
            gettext("There is no boot record on this disc, so the guest may not start from it.")
        }
        MediumNote::CutShort => gettext(
            "The file is shorter than the disc it holds. The download may be incomplete, and the installation may fail.",
        ),
        MediumNote::UefiOnly => gettext("This disc starts with UEFI only, so the guest gets UEFI firmware."),
        MediumNote::BuildsOnOthers | MediumNote::FoundationUnknown => {
            hv_api::problem::note_sentence(*note, &|text| gettext(text))
        }
        MediumNote::BootRecordDamaged => {
            gettext("The disc's boot record is damaged, so the guest may not start from it.")
        }
    });
    in_place.into_iter().chain(device).chain(copied).chain(unknown).chain(notes).collect()
}

/// A step of a creation.
pub fn stage(stage: JobStage) -> String {
    match stage {
        JobStage::Checking => gettext("Checking the settings"),
        JobStage::Disk => gettext("Creating the disk"),
        JobStage::Definition => gettext("Writing the definition"),
        JobStage::Starting => gettext("Starting the guest"),
        JobStage::Copying => gettext("Copying the disk"),
        JobStage::Fetching => gettext("Fetching the installer"),
        JobStage::Verifying => gettext("Checking the files"),
        // No part of a creation.
        JobStage::Saving | JobStage::Restoring | JobStage::PuttingBack => {
            hv_api::problem::stage_word(stage, &|text| gettext(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::tests::medium;
    use crate::flow::Failure;
    use hv_api::client::CallError;
    use hv_api::{ByteSize, Error, FileFault, Recommended};
    use std::fmt::Write;
    use virt_kit::daemon::Trouble;

    #[test]
    fn every_remark_is_a_sentence_at_its_row() {
        let size = ByteSize::mib(1536);
        let remarks = [
            (Row::Name, Remark::Invalid(Invalid::Name(NameFault::Empty))),
            (Row::Name, Remark::Invalid(Invalid::Name(NameFault::TooLong))),
            (Row::Name, Remark::Invalid(Invalid::Name(NameFault::BadCharacter))),
            (Row::Name, Remark::Invalid(Invalid::NameTaken)),
            (Row::Cpus, Remark::Invalid(Invalid::CpusOutOfRange { maximum: 4 })),
            (Row::Memory, Remark::Invalid(Invalid::NoUnit)),
            (Row::Memory, Remark::Invalid(Invalid::NotASize)),
            (Row::Memory, Remark::Invalid(Invalid::TooSmall { minimum: size })),
            (Row::Memory, Remark::Invalid(Invalid::TooLarge { maximum: size })),
            (Row::Memory, Remark::Caution(Caution::MemoryShort { free: size })),
            (Row::Memory, Remark::Caution(Caution::BelowRecommended { recommended: size })),
            (Row::Disk, Remark::Invalid(Invalid::NoUnit)),
            (Row::Disk, Remark::Invalid(Invalid::NotASize)),
            (Row::Disk, Remark::Invalid(Invalid::TooSmall { minimum: size })),
            (Row::Disk, Remark::Invalid(Invalid::TooLarge { maximum: size })),
            (Row::System, Remark::Caution(Caution::SystemUnclear)),
            (Row::Disk, Remark::Caution(Caution::SpaceShort { free: size })),
        ];
        let mut all = String::new();
        for (row, about) in &remarks {
            writeln!(all, "{row:?}: {}", remark(*row, about)).unwrap();
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn every_fault_of_a_source_says_what_to_do() {
        let missing = Error::FileUnusable {
            path: "/isos/a.iso".into(),
            fault: FileFault::Missing,
            detail: String::new(),
        };
        let unusable = Failure::from(Trouble::Call(CallError::Refused(missing)));
        let faults = [
            SourceFault::Several,
            SourceFault::NotLocal,
            SourceFault::NotUtf8,
            SourceFault::NoAddress,
            SourceFault::Unusable(Box::new(unusable)),
        ];
        insta::assert_snapshot!(faults.iter().map(source_fault).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_medium_is_described_by_what_is_known() {
        let suits = Recommended { cpus: 2, memory: ByteSize::gib(2), disk: ByteSize::gib(20) };
        let plain = medium("a", suits);
        let known = MediumInfo {
            os_name: Some("Debian 12".into()),
            confidence: Confidence::Exact,
            boot: vec![BootMode::Bios, BootMode::Uefi],
            ..plain.clone()
        };
        let probable = MediumInfo { confidence: Confidence::Probable, ..known.clone() };
        let poor = MediumInfo {
            boot: vec![],
            volume_id: None,
            notes: vec![
                MediumNote::NotBootable,
                MediumNote::CutShort,
                MediumNote::UefiOnly,
                MediumNote::BootRecordDamaged,
            ],
            ..plain.clone()
        };
        let image = MediumInfo {
            kind: MediumKind::DiskImage,
            boot: vec![],
            volume_id: None,
            format: Some("qcow2".into()),
            virtual_size: Some(ByteSize::gib(40)),
            ..plain.clone()
        };
        let text = MediumInfo { kind: MediumKind::Unknown, boot: vec![], volume_id: None, ..plain.clone() };
        let mut all = String::new();
        for medium in [plain, known, probable, poor, image, text] {
            writeln!(all, "{}", medium_title(&medium)).unwrap();
            for line in medium_facts(&medium) {
                writeln!(all, "  {line}").unwrap();
            }
            for line in medium_notes(&medium) {
                writeln!(all, "  ! {line}").unwrap();
            }
        }
        insta::assert_snapshot!(all);
    }
}
