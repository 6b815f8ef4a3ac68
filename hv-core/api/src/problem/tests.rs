//! All texts in one snapshot for review, and the promises that hold for each of them.

use super::*;
use crate::{
    Accelerator, AcceleratorInfo, AnswerFault, AnswerField, ApplianceFault, BootDefaultFault, BridgeFault,
    ByteSize, CpuLimitFault, DefinitionFault, Error, Express, FileFault, Firmware, ForwardFault, GuestId,
    GuestInfo, GuestPaths, GuestState, HostRoom, HostUse, JobStage, KernelFault, KvmState, MediumNote,
    NameFault, Operation, PciFault, SavedStateFault, StateReason, TreeFault, UsbFault, UsbKind,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use zlink::introspect::ReplyError as _;

fn english(sentence: &str) -> String {
    sentence.to_owned()
}

fn tree(fault: TreeFault) -> Error {
    let (location, file) = ("https://mirror.example/tree".into(), "images/linux".into());
    Error::TreeUnusable { location, fault, file, detail: "words".into() }
}

const OPERATIONS: &[Operation] = &[
    Operation::Create,
    Operation::Start,
    Operation::Shutdown,
    Operation::ForceOff,
    Operation::Pause,
    Operation::Resume,
    Operation::Restart,
    Operation::Reset,
    Operation::CancelShutdown,
    Operation::Save,
    Operation::Restore,
    Operation::Discard,
    Operation::Set,
    Operation::InsertMedium,
    Operation::EjectMedium,
    Operation::Screenshot,
    Operation::OpenDisplay,
    Operation::OpenSerial,
    Operation::SendKeys,
    Operation::Statistics,
    Operation::BootMenu,
    Operation::TakeSnapshot,
    Operation::RestoreSnapshot,
    Operation::DeleteSnapshot,
    Operation::Clone,
    Operation::Delete,
];

const STATES: [GuestState; 9] = [
    GuestState::Off,
    GuestState::Starting,
    GuestState::Running,
    GuestState::Paused,
    GuestState::Saving,
    GuestState::Saved,
    GuestState::ShuttingDown,
    GuestState::Crashed,
    GuestState::Unavailable,
];

fn errors() -> Vec<Error> {
    let guest = || "Fedora 42".to_owned();
    let detail = || "words of the system".to_owned();
    let kernel =
        |fault| Error::KernelNotOnDisk { guest: guest(), disk: "disk0".into(), fault, detail: detail() };
    let fixed =
        |fault| Error::BootDefaultFixed { guest: guest(), disk: "disk0".into(), fault, detail: detail() };
    let mut errors = vec![
        Error::GuestNotFound { guest: guest() },
        Error::NameTaken { name: guest() },
        Error::SnapshotNotFound { guest: guest(), snapshot: "clean".into() },
        Error::SnapshotNameTaken { guest: guest(), name: "clean".into() },
        Error::SnapshotUnusable { guest: guest(), snapshot: "clean".into(), detail: detail() },
        Error::DiskCannotKeep { guest: guest(), path: "/vm/disk.img".into(), format: "raw".into() },
        Error::PutBackInPart { guest: guest(), snapshot: "clean".into() },
        Error::BeingCloned { guest: guest() },
        Error::CloneNotLinked { guest: guest() },
        Error::CpusOutOfRange { requested: 99, minimum: 1, maximum: 8 },
        Error::NicNotFound { guest: guest(), nic: String::new() },
        Error::NicNotFound { guest: guest(), nic: "nic7".into() },
        Error::UsbNotFound { guest: guest(), device: "0781:5567".into() },
        Error::UsbExhausted { guest: guest(), maximum: 8 },
        Error::PciNotFound { guest: guest(), device: "0000:01:00.0".into() },
        Error::PciExhausted { guest: guest(), maximum: 8 },
        Error::LockedMemoryTooSmall { guest: guest(), needed: ByteSize::gib(5), limit: ByteSize::mib(8) },
        Error::NicsExhausted { guest: guest(), maximum: 8 },
        Error::NetworkNameInvalid { name: "my net".into() },
        Error::MacTaken { mac: "52:54:00:12:34:56".into(), holder: "Debian".into() },
        Error::DiskNotFound { guest: guest(), disk: String::new() },
        Error::DiskNotFound { guest: guest(), disk: "disk7".into() },
        Error::MemoryPromised {
            requested: ByteSize::gib(8),
            promised: ByteSize::gib(12),
            total: ByteSize::gib(16),
        },
        Error::MemoryOutOfRange {
            requested: ByteSize::gib(64),
            minimum: ByteSize::mib(16),
            maximum: ByteSize::gib(24),
        },
        Error::DiskSizeOutOfRange {
            requested: ByteSize::bytes(1),
            minimum: ByteSize::mib(1),
            maximum: ByteSize::gib(16384),
        },
        Error::SerialPortsOutOfRange { requested: 9, maximum: 4 },
        Error::OptionsConflict { first: "iso".into(), second: "kernel".into() },
        Error::DiskInUse { path: "/home/me/a.qcow2".into(), holder: "Debian".into() },
        Error::DiskInUseByHost { path: "/dev/sdb".into(), way: HostUse::Mounted, by: "/media/usb".into() },
        Error::DiskInUseByHost { path: "/swapfile".into(), way: HostUse::Swap, by: "/swapfile".into() },
        Error::DiskInUseByHost { path: "/home/me/a.img".into(), way: HostUse::Loop, by: "/dev/loop3".into() },
        Error::DiskInUseByHost { path: "/dev/sdb".into(), way: HostUse::Part, by: "md0".into() },
        Error::DiskInUseByHost { path: "/dev/sdb".into(), way: HostUse::Program, by: "parted".into() },
        Error::DiskInUseByHost { path: "/dev/sdb".into(), way: HostUse::Program, by: String::new() },
        Error::FileUnusable { path: "/dev/sdb2".into(), fault: FileFault::NoPermission, detail: detail() },
        Error::Disposable { guest: guest(), operation: Operation::Save },
        Error::NotInstalled { guest: guest(), operation: Operation::Start },
        Error::DiskNotSavable { guest: guest(), disk: "disk0".into(), path: "/dev/sdb".into() },
        Error::DiskIsBacking { path: "/home/me/a.qcow2".into(), holder: "Debian".into() },
        Error::TooManyDisks { guest: guest(), maximum: 14 },
        Error::SerialInvalid { serial: "a b".into(), longest: 20 },
        Error::FormatOnlyRead { path: "/home/me/a.vmdk".into(), format: "vmdk".into() },
        Error::DiskInSnapshot { disk: "disk1".into(), snapshot: "before the update".into() },
        Error::DiskNotOwn { disk: "disk1".into(), path: "/home/me/a.img".into() },
        Error::NoSpace { path: "/home/me".into(), available: ByteSize::mib(3) },
        Error::BuildsOnOthers {
            path: "/home/me/top.qcow2".into(),
            files: vec!["/srv/base.img".into(), "/srv/first.img".into()],
        },
        Error::SpaceMissing {
            path: "/home/me".into(),
            needed: ByteSize::gib(9),
            available: ByteSize::gib(3),
        },
        Error::MachineNotFound {
            path: "/home/me/shop.ova".into(),
            machine: "web".into(),
            known: vec!["front".into(), "back".into()],
        },
        Error::ApplianceDamaged {
            path: "/home/me/shop.ova".into(),
            file: "disk1.vmdk".into(),
            algorithm: "SHA-256".into(),
            expected: "9f86d0".into(),
            found: "60303a".into(),
        },
        Error::StoreFailed { path: "/home/me/guests".into(), detail: detail() },
        Error::EngineMissing { program: "qemu-system-x86_64".into() },
        Error::EngineMissing { program: "qemu-img".into() },
        Error::EngineMissing { program: "swtpm".into() },
        Error::OsUnknown { os: "debain12".into() },
        Error::CpuModelUnknown { model: "Nehalen".into(), known: vec!["max".into(), "Nehalem".into()] },
        Error::CpuLimitOutOfRange { requested: 101 },
        Error::CpuLimitUnavailable { fault: CpuLimitFault::NoManager, detail: detail() },
        Error::CpuLimitUnavailable { fault: CpuLimitFault::NotDelegated, detail: detail() },
        Error::CpuLimitUnavailable { fault: CpuLimitFault::Refused, detail: detail() },
        Error::ExpressNotOffered {
            path: "/isos/a.iso".into(),
            reason: Express::SystemUnknown,
            os: String::new(),
        },
        Error::OptionNeeds { option: "initrd".into(), needs: "kernel".into() },
        Error::BootDeviceNotFound { guest: guest(), device: "disk7".into() },
        Error::BootDeviceNotFound { guest: guest(), device: String::new() },
        kernel(KernelFault::Format),
        kernel(KernelFault::NoFileSystem),
        kernel(KernelFault::NoLoader),
        kernel(KernelFault::NoEntry),
        kernel(KernelFault::EntryNotFound),
        kernel(KernelFault::NotLinux),
        kernel(KernelFault::FileMissing),
        kernel(KernelFault::TooLarge),
        kernel(KernelFault::Unreadable),
        fixed(BootDefaultFault::NoPlace),
        fixed(BootDefaultFault::FileSystem),
        fixed(BootDefaultFault::Unclean),
        fixed(BootDefaultFault::NoRoom),
        fixed(BootDefaultFault::NotLocated),
        fixed(BootDefaultFault::NotWritable),
        fixed(BootDefaultFault::NothingToUndo),
        Error::FirmwareMissing { firmware: Firmware::Bios, secure_boot: false },
        Error::FirmwareMissing { firmware: Firmware::Uefi, secure_boot: false },
        Error::FirmwareMissing { firmware: Firmware::Uefi, secure_boot: true },
        Error::EngineRefused { guest: guest(), operation: Operation::Pause, detail: detail() },
        Error::EngineSilent { guest: guest(), operation: Operation::ForceOff, seconds: 5 },
        Error::EngineSilent { guest: guest(), operation: Operation::Screenshot, seconds: 5 },
        Error::ShutdownOverdue { guest: guest(), seconds: 90 },
        Error::ShutdownCancelled { guest: guest() },
        Error::ShutdownWaitOutOfRange { requested: 0, minimum: 1, maximum: 86_400 },
        Error::NotInstalling { guest: guest() },
        tree(TreeFault::Address),
        tree(TreeFault::Unreachable),
        tree(TreeFault::Overdue),
        tree(TreeFault::Refused),
        tree(TreeFault::Certificate),
        tree(TreeFault::Redirects),
        tree(TreeFault::NotATree),
        tree(TreeFault::NoKernel),
        tree(TreeFault::Missing),
        tree(TreeFault::TooLarge),
        tree(TreeFault::Checksum),
        tree(TreeFault::Processor),
        Error::MediumLocked { guest: guest(), drive: "cd0".into() },
        Error::DriveNotFound { guest: guest(), drive: "cd7".into() },
        Error::DriveNotFound { guest: guest(), drive: String::new() },
        Error::PortNotFound { guest: guest(), port: 0, ports: 0 },
        Error::PortNotFound { guest: guest(), port: 1, ports: 1 },
        Error::PortNotFound { guest: guest(), port: 4, ports: 3 },
        Error::KeyUnknown { key: "any".into() },
        Error::CharacterUntypable { character: "é".into() },
        Error::JobNotFound { job: 7 },
        Error::JobCancelled { job: 7 },
    ];
    for reason in [Express::NotTested, Express::WrongProcessor, Express::NoInstaller] {
        errors.push(Error::ExpressNotOffered { path: "/isos/a.iso".into(), reason, os: "Fedora 42".into() });
    }
    for (field, value) in [
        (AnswerField::User, "Ada"),
        (AnswerField::FullName, "Ada: L"),
        (AnswerField::Password, ""),
        (AnswerField::SshKey, "ssh-dss AAAA"),
        (AnswerField::HostName, "a b"),
        (AnswerField::Language, "German"),
        (AnswerField::Keyboard, "de;"),
        (AnswerField::TimeZone, "Europe Berlin"),
    ] {
        errors.push(Error::AnswerInvalid { field, fault: AnswerFault::Malformed, value: value.into() });
    }
    for (field, fault, value) in [
        (AnswerField::User, AnswerFault::Missing, ""),
        (AnswerField::Password, AnswerFault::Missing, ""),
        (AnswerField::Language, AnswerFault::Missing, ""),
        (AnswerField::Password, AnswerFault::TooLong, ""),
        (AnswerField::User, AnswerFault::Reserved, "root"),
        (AnswerField::Keyboard, AnswerFault::Unknown, "xx"),
    ] {
        errors.push(Error::AnswerInvalid { field, fault, value: value.into() });
    }
    for fault in
        [ApplianceFault::Missing, ApplianceFault::Outside, ApplianceFault::Remote, ApplianceFault::InPieces]
    {
        let (path, file) = ("/home/me/shop.ovf".into(), "disk1.vmdk".into());
        errors.push(Error::ApplianceFileUnusable { path, file, fault });
    }
    for fault in [
        BridgeFault::NoSuchBridge,
        BridgeFault::HelperMissing,
        BridgeFault::NotAllowed,
        BridgeFault::HelperNotPermitted,
        BridgeFault::Failed,
    ] {
        errors.push(Error::BridgeUnusable { bridge: "br0".into(), fault, detail: detail() });
    }
    for fault in [
        ForwardFault::Privileged,
        ForwardFault::Doubled,
        ForwardFault::HeldByGuest,
        ForwardFault::HeldByProgram,
        ForwardFault::NoSuchAddress,
        ForwardFault::Missing,
        ForwardFault::NotUser,
    ] {
        let (forward, holder) = ("tcp:127.0.0.1:2222:22".into(), "Debian".into());
        errors.push(Error::ForwardRefused { forward, fault, holder });
    }
    for fault in [
        PciFault::Missing,
        PciFault::Changed,
        PciFault::Bridge,
        PciFault::NoIommu,
        PciFault::NoGroup,
        PciFault::Mounted,
        PciFault::InUse,
        PciFault::NetworkUp,
        PciFault::BootDisplay,
        PciFault::NotBound,
        PciFault::GroupShared,
        PciFault::NotPermitted,
        PciFault::Doubled,
        PciFault::HeldByGuest,
        PciFault::GroupHeldByGuest,
        PciFault::EngineCannot,
    ] {
        let address = "01:00.0".parse().unwrap();
        let (name, by) = ("Intel Corporation 82574L".to_owned(), "what it says".into());
        errors.push(Error::PciRefused { address, name, fault, by });
    }
    for operation in [Operation::Save, Operation::TakeSnapshot] {
        let (address, name) = ("01:00.0".parse().unwrap(), "Intel Corporation 82574L".to_owned());
        errors.push(Error::PciNotSavable { guest: guest(), operation, address, name });
    }
    let (address, name) = ("01:00.0".parse().unwrap(), "Intel Corporation 82574L".to_owned());
    errors.push(Error::PciRefused { address, name, fault: PciFault::NotBound, by: String::new() });
    for fault in [
        UsbFault::Hub,
        UsbFault::NotPermitted,
        UsbFault::Mounted,
        UsbFault::InUse,
        UsbFault::Doubled,
        UsbFault::HeldByGuest,
        UsbFault::Ambiguous,
        UsbFault::EngineCannot,
    ] {
        let (device, name) = ("0781:5567@3-1.2".into(), "SanDisk Cruzer Blade".into());
        errors.push(Error::UsbRefused { device, name, fault, by: "what it says".into() });
    }
    for fault in [NameFault::Empty, NameFault::TooLong, NameFault::BadCharacter] {
        errors.push(Error::NameInvalid { name: "a/b".into(), fault });
    }
    for fault in [
        FileFault::Missing,
        FileFault::NoPermission,
        FileFault::IsFolder,
        FileFault::NotAFile,
        FileFault::Empty,
        FileFault::NotAbsolute,
        FileFault::WrongFormat,
        FileFault::Unreadable,
    ] {
        errors.push(Error::FileUnusable { path: "/home/me/f.iso".into(), fault, detail: detail() });
    }
    for fault in [DefinitionFault::Malformed, DefinitionFault::Newer, DefinitionFault::Unreadable] {
        let path = "/home/me/guest.toml".into();
        errors.push(Error::DefinitionUnusable { guest: guest(), path, fault, detail: detail() });
    }
    for fault in [SavedStateFault::Damaged, SavedStateFault::DisksChanged, SavedStateFault::Refused] {
        errors.push(Error::SavedStateUnusable { guest: guest(), fault, detail: detail() });
    }
    for words in [
        "cannot set up guest memory 'pc.ram': Cannot allocate memory",
        "Failed to get \"write\" lock",
        "Could not open '/home/me/f.iso': Permission denied",
        "Could not open '/home/me/f.iso': No such file or directory",
        "something else",
    ] {
        errors.push(Error::StartFailed { guest: guest(), detail: words.into() });
    }
    for operation in OPERATIONS {
        for state in STATES {
            errors.push(Error::WrongState { guest: guest(), state, operation: *operation });
        }
    }
    errors
}

fn guest(state: GuestState, reason: Option<StateReason>) -> GuestInfo {
    GuestInfo {
        reason,
        detail: Some("words of the engine".into()),
        cpus: 1,
        memory: ByteSize::gib(1),
        serial_ports: 1,
        paths: GuestPaths {
            folder: "/home/me/Fedora 42".into(),
            definition: "/home/me/Fedora 42/guest.toml".into(),
            ..GuestPaths::default()
        },
        ..GuestInfo::new(GuestId::random(), "Fedora 42", state)
    }
}

fn show(page: &mut String, explanation: &Explanation) {
    let Explanation { code, what, why, remedy, detail } = explanation;
    let detail = detail.as_deref().map(|detail| format!(" [{detail}]")).unwrap_or_default();
    writeln!(page, "{code}: {what}\n    {why}\n    {remedy}{detail}").expect("a string takes it");
}

#[test]
fn every_explanation_reads_well() {
    let mut page = String::new();
    for error in errors() {
        show(&mut page, &explain(&error, &english));
    }
    page.push_str("\n# connection\n");
    for error in [
        ConnectError::NotRunning { path: "/run/core".into(), source: io::Error::other("Connection refused") },
        ConnectError::Foreign { path: "/run/core".into() },
        ConnectError::NotStartable { program: "hv-core".into(), source: ErrorKind::NotFound.into() },
        ConnectError::NotStartable { program: "hv-core".into(), source: ErrorKind::PermissionDenied.into() },
        ConnectError::Ended { program: "hv-core".into(), words: "no room".into() },
    ] {
        show(&mut page, &explain_connect(&error, &english));
    }
    show(&mut page, &explain_call(&CallError::Broken(zlink::Error::UnexpectedEof), &english));
    page.push_str("\n# guests\n");
    for (state, reason) in [
        (GuestState::Crashed, StateReason::StartFailed),
        (GuestState::Crashed, StateReason::EngineDied),
        (GuestState::Crashed, StateReason::GuestPanicked),
        (GuestState::Crashed, StateReason::Watchdog),
        (GuestState::Crashed, StateReason::RestartedTooOften),
        (GuestState::Paused, StateReason::GuestPanicked),
        (GuestState::Paused, StateReason::Watchdog),
        (GuestState::Paused, StateReason::DiskError),
        (GuestState::Paused, StateReason::DiskFull),
        (GuestState::Paused, StateReason::OnBattery),
        (GuestState::Saved, StateReason::RestoreFailed),
        (GuestState::Unavailable, StateReason::DefinitionMalformed),
        (GuestState::Unavailable, StateReason::DefinitionNewer),
    ] {
        let explanation = explain_state(&guest(state, Some(reason)), &english);
        show(&mut page, &explanation.expect("there is something to explain"));
    }
    let unreadable = explain_state(&guest(GuestState::Unavailable, None), &english);
    show(&mut page, &unreadable.expect("there is something to explain"));
    for (needed, missing) in [(20, 20), (80, 4096)] {
        let room = HostRoom {
            folder: "/home/me".into(),
            free: ByteSize::mib(1),
            needed: ByteSize::mib(needed),
            missing: ByteSize::mib(missing),
        };
        let full = guest(GuestState::Paused, Some(StateReason::DiskFull));
        let explanation = explain_state(&GuestInfo { room: Some(room), ..full }, &english);
        show(&mut page, &explanation.expect("there is something to explain"));
    }
    page.push_str("\n# host\n");
    for kvm in
        [KvmState::Works, KvmState::NoDevice, KvmState::NoPermission, KvmState::TooSlow, KvmState::Broken]
    {
        let chosen = if kvm == KvmState::Works { Accelerator::Kvm } else { Accelerator::Emulation };
        let info = AcceleratorInfo { chosen, kvm, detail: "measured".into() };
        show(&mut page, &explain_accelerator(&info, &english));
    }
    page.push_str("\n# words\n");
    let states = STATES.map(|state| state_word(state, &english));
    let stages = [
        JobStage::Checking,
        JobStage::Disk,
        JobStage::Definition,
        JobStage::Starting,
        JobStage::Saving,
        JobStage::Restoring,
        JobStage::PuttingBack,
        JobStage::Copying,
        JobStage::Verifying,
        JobStage::Fetching,
    ]
    .map(|stage| stage_word(stage, &english));
    let notes =
        [MediumNote::NotBootable, MediumNote::CutShort, MediumNote::UefiOnly, MediumNote::BootRecordDamaged]
            .map(|note| note_sentence(note, &english));
    let kinds = [
        UsbKind::Keyboard,
        UsbKind::Mouse,
        UsbKind::Storage,
        UsbKind::Audio,
        UsbKind::Video,
        UsbKind::Printer,
        UsbKind::SmartCard,
        UsbKind::Wireless,
    ]
    .map(|kind| usb_kind_word(kind, &english));
    for word in states.iter().chain(&stages).chain(&notes).chain(&kinds) {
        writeln!(page, "{word}").expect("a string takes it");
    }
    insta::assert_snapshot!(page);
}

#[test]
fn codes_are_the_names_of_the_errors_and_all_are_explained() {
    let kebab = |name: &str| {
        let mut code = String::new();
        for (at, letter) in name.char_indices() {
            if letter.is_uppercase() && at > 0 {
                code.push('-');
            }
            code.extend(letter.to_lowercase());
        }
        code
    };
    let names: BTreeSet<String> = Error::VARIANTS.iter().map(|variant| kebab(variant.name())).collect();
    let codes = errors().iter().map(|error| explain(error, &english).code.to_owned()).collect();
    assert_eq!(names, codes);
}

#[test]
fn no_explanation_has_an_empty_part_or_an_unfilled_placeholder() {
    for error in errors() {
        let Explanation { what, why, remedy, .. } = explain(&error, &english);
        for sentence in [what, why, remedy] {
            assert!(sentence.ends_with('.'), "{sentence:?}");
            // Those that udev itself has are not ours.
            let sentence = sentence.replace("ATTR{idVendor}", "").replace("ATTR{idProduct}", "");
            assert!(!sentence.contains(['{', '}']), "{sentence:?}");
        }
    }
}

#[test]
fn guests_that_do_as_they_were_told_need_no_explanation() {
    for (state, reason) in [
        (GuestState::Off, Some(StateReason::PoweredOff)),
        (GuestState::Off, Some(StateReason::ForcedOff)),
        (GuestState::Off, Some(StateReason::Rebooted)),
        (GuestState::Paused, Some(StateReason::PoweredOff)),
        (GuestState::Running, None),
        (GuestState::Paused, None),
        (GuestState::Saving, None),
        (GuestState::Saved, None),
    ] {
        assert_eq!(explain_state(&guest(state, reason), &english), None);
    }
}

#[test]
fn values_are_never_read_as_placeholders() {
    let values = [("name", "{path} {name}"), ("path", "}{")];
    assert_eq!(fill("{name} at {path}, {other} {", &values), "{path} {name} at }{, {other} {");
}

#[test]
fn a_translation_may_move_placeholders() {
    let german = |sentence: &str| match sentence {
        "The medium in drive “{drive}” of “{guest}” was not taken out." => {
            "„{guest}“ gibt das Medium im Laufwerk „{drive}“ nicht her.".to_owned()
        }
        other => other.to_owned(),
    };
    let error = Error::MediumLocked { guest: "Fedora".into(), drive: "cd0".into() };
    assert_eq!(explain(&error, &german).what, "„Fedora“ gibt das Medium im Laufwerk „cd0“ nicht her.");
}
