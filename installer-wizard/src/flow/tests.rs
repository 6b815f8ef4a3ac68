//! Each way through the window, and all the ways that nobody thought of.

use super::*;
use crate::answers::Answer;
use crate::defaults::tests::{host, medium};
use hv_api::client::CallError;
use hv_api::{
    AnswerFault, AnswerField, ByteSize, Error, FileFault, Firmware, ImportKind, JobKind, JobState,
    MediumKind, NewDisk, Recommended,
};
use proptest::prelude::*;
use virt_kit::daemon::Trouble;
use virt_kit::words::FirmwareKind;

const SUITS: Recommended = Recommended { cpus: 2, memory: ByteSize::gib(2), disk: ByteSize::gib(20) };

fn refused(error: Error) -> Failure {
    Trouble::from(CallError::Refused(error)).into()
}

fn flow() -> Flow {
    Flow::new(Some(&host(4, ByteSize::gib(8))), vec!["Taken".into()], "New guest".into())
}

fn disc() -> Box<MediumInfo> {
    Box::new(medium("Debian 12", SUITS))
}

fn found(medium: Box<MediumInfo>) -> Box<Found> {
    Box::new(Found { medium: *medium, plan: None })
}

/// Chooses a file; returns the look's number.
fn choose(flow: &mut Flow) -> u64 {
    match flow.step(Input::Choose("/isos/disc.iso".into())) {
        Some(Effect::Look { ticket, .. }) => ticket,
        other => panic!("no look: {other:?}"),
    }
}

fn reviewed() -> Flow {
    let mut flow = flow();
    let ticket = choose(&mut flow);
    assert_eq!(flow.step(Input::Looked { ticket, outcome: Ok(found(disc())) }), None);
    assert!(matches!(flow.page(), Page::Review(_)));
    flow
}

/// Presses Create; returns the attempt's number and the wish.
fn create(flow: &mut Flow) -> (u64, NewGuest) {
    match flow.step(Input::Create) {
        Some(Effect::Create { attempt, wish }) => (attempt, *wish),
        other => panic!("no creation: {other:?}"),
    }
}

fn job(state: JobState) -> JobInfo {
    JobInfo {
        id: JobId(7),
        kind: JobKind::Create,
        guest: "6a8c1e6e-2f5d-4a0e-9d6e-0d5cf5a3b111".parse().unwrap(),
        guest_name: "Debian 12".into(),
        state,
        stage: JobStage::Disk,
        done: None,
        total: None,
        progress: 0.5,
    }
}

fn created() -> Created {
    Created { guest: job(JobState::Running).guest, job: JobId(7) }
}

#[test]
fn a_disc_becomes_a_guest() {
    let mut flow = reviewed();
    let (attempt, wish) = create(&mut flow);
    assert_eq!(wish.name, "Debian 12");
    assert_eq!(wish.iso.as_deref(), Some("/isos/disc.iso"));
    assert_eq!((wish.disk_path, wish.start), (None, Some(true)));
    assert_eq!(flow.step(Input::Accepted { attempt, outcome: Ok(created()) }), None);
    assert_eq!(flow.step(Input::Job { attempt, job: job(JobState::Running) }), None);
    let finish = Effect::Finish { guest: created().guest, started: true };
    assert_eq!(flow.step(Input::Job { attempt, job: job(JobState::Done) }), Some(finish));
    assert_eq!(flow.step(Input::Close), None, "it closes once");
}

#[test]
fn a_disk_image_is_the_disk_and_an_empty_guest_has_no_medium() {
    let mut flow = flow();
    let ticket = choose(&mut flow);
    let of = |path: &str, format: &str| {
        let (path, format) = (path.to_owned(), Some(format.to_owned()));
        Box::new(MediumInfo { kind: MediumKind::DiskImage, path, format, ..*disc() })
    };
    flow.step(Input::Looked { ticket, outcome: Ok(found(of("/d/a.qcow2", "qcow2"))) });
    let (_, wish) = create(&mut flow);
    assert_eq!((wish.iso, wish.disk_path.as_deref(), wish.disk), (None, Some("/d/a.qcow2"), None));
    // What a guest can't write to is copied.
    let mut flow = self::flow();
    let ticket = choose(&mut flow);
    flow.step(Input::Looked { ticket, outcome: Ok(found(of("/d/a.vmdk", "vmdk"))) });
    let (_, wish) = create(&mut flow);
    assert_eq!((wish.disk_path, wish.image.as_deref(), wish.disk), (None, Some("/d/a.vmdk"), None));
    let Page::Creating(creating) = flow.page() else { panic!("{:?}", flow.page()) };
    assert_eq!(creating.stages[1], JobStage::Copying);

    let mut flow = self::flow();
    flow.step(Input::ChooseNothing);
    let (_, wish) = create(&mut flow);
    assert_eq!((wish.name.as_str(), wish.iso, wish.disk_path), ("New guest", None, None));
    assert_eq!(wish.disk, Some(ByteSize::gib(20)));
}

#[test]
fn a_disk_of_this_computer_is_found_and_used_in_place() {
    let mut flow = flow();
    let Some(Effect::LookForDisks { ticket }) = flow.step(Input::ChooseDisk) else { panic!() };
    assert!(flow.offers_way_back());
    flow.step(Input::Disks { ticket: ticket + 1, outcome: Ok(Vec::new()) });
    assert_eq!(flow.page(), &Page::Disks(None), "the answer to another question");
    flow.step(Input::Disks { ticket, outcome: Ok(Vec::new()) });
    assert_eq!(flow.page(), &Page::Disks(Some(Vec::new())));
    let ticket = choose(&mut flow);
    let device = MediumInfo {
        kind: MediumKind::BlockDevice,
        path: "/dev/sda2".into(),
        format: Some("raw".into()),
        kernel_on_disk: true,
        ..*disc()
    };
    flow.step(Input::Looked { ticket, outcome: Ok(found(Box::new(device))) });
    let (_, wish) = create(&mut flow);
    assert_eq!((wish.disk_path.as_deref(), wish.kernel_disk.as_deref()), (Some("/dev/sda2"), Some("disk0")));
    assert_eq!((wish.iso, wish.image, wish.disk), (None, None, None));

    let mut flow = self::flow();
    flow.step(Input::ChooseDisk);
    flow.step(Input::Back);
    assert_eq!(flow.page(), &Page::Source { fault: None });
}

#[test]
fn a_machine_of_another_program_is_made_as_planned_with_what_the_form_says() {
    let disks = vec![NewDisk { path: Some("/d/a.img".into()), ..NewDisk::default() }];
    let planned = NewGuest {
        name: "Taken".into(),
        memory: Some(ByteSize::mib(256)),
        disks: Some(disks.clone()),
        nics: Some(Vec::new()),
        os: Some("centos5.0".into()),
        ..NewGuest::default()
    };
    let plan = ImportPlan {
        kind: ImportKind::XenConfig,
        guest: planned,
        notes: Vec::new(),
        machines: Vec::new(),
        licences: Vec::new(),
    };
    let medium = MediumInfo { kind: MediumKind::XenConfig, ..*disc() };
    let mut flow = flow();
    let ticket = choose(&mut flow);
    let outcome = Ok(Box::new(Found { medium, plan: Some(plan) }));
    flow.step(Input::Looked { ticket, outcome });
    assert_eq!(flow.form().memory.get(), "256 MiB", "as it was, whatever would suit");
    flow.step(Input::Edit(Edit::Cpus(3)));
    let (_, wish) = create(&mut flow);
    assert_eq!((wish.name.as_str(), wish.cpus, wish.memory), ("Taken 2", Some(3), Some(ByteSize::mib(256))));
    assert_eq!((wish.disks, wish.nics, wish.network), (Some(disks), Some(Vec::new()), None));
    assert_eq!((wish.iso, wish.disk, wish.no_disk), (None, None, None));
    assert_eq!(wish.os.as_deref(), Some("centos5.0"));
}

#[test]
fn a_cloud_image_is_copied_and_told_who_uses_it() {
    let mut flow = flow();
    flow.step(Input::Preferences(Box::new(Preferences {
        user: Some("ada".into()),
        ..Preferences::default()
    })));
    let ticket = choose(&mut flow);
    let image = MediumInfo {
        kind: MediumKind::DiskImage,
        path: "/d/cloud.qcow2".into(),
        format: Some("qcow2".into()),
        virtual_size: Some(ByteSize::gib(40)),
        cloud_image: true,
        ..*disc()
    };
    flow.step(Input::Looked { ticket, outcome: Ok(found(Box::new(image))) });
    assert_eq!(flow.form().disk.get(), "40 GiB", "never smaller than the image");
    let obstacle = flow.obstacle().map(|(row, _)| row);
    assert_eq!(obstacle, Some(Row::Answer(Answer::Password)));
    assert_eq!(flow.step(Input::Create), None);
    for answer in [Answer::Password, Answer::Again] {
        flow.step(Input::Edit(Edit::Answer(answer, "open sesame".into())));
    }
    let (attempt, wish) = create(&mut flow);
    assert_eq!((wish.image.as_deref(), wish.disk_path), (Some("/d/cloud.qcow2"), None));
    assert_eq!(wish.disk, Some(ByteSize::gib(40)));
    let answers = wish.cloud.and_then(|cloud| cloud.answers).expect("answers");
    assert_eq!(answers.user, "ada");
    // What the core says about an answer stands at its row.
    let fault = AnswerFault::Reserved;
    let error = Error::AnswerInvalid { field: AnswerField::User, fault, value: "ada".into() };
    flow.step(Input::Accepted { attempt, outcome: Err(refused(error)) });
    assert!(matches!(flow.remark(Row::Answer(Answer::User)), Some(Remark::Refused(_))));
}

#[test]
fn an_installer_is_answered_only_where_that_is_offered_and_wished() {
    let mut flow = flow();
    let ticket = choose(&mut flow);
    let offered = MediumInfo { express: Some(Express::Offered), ..*disc() };
    flow.step(Input::Looked { ticket, outcome: Ok(found(Box::new(offered))) });
    let (_, wish) = create(&mut flow);
    assert_eq!((wish.express, wish.iso.as_deref()), (None, Some("/isos/disc.iso")));
    let mut flow = reviewed();
    flow.step(Input::Edit(Edit::Answers(true)));
    let (_, wish) = create(&mut flow);
    assert_eq!(wish.express, None, "this disc has nobody to answer");
}

#[test]
fn a_file_that_cannot_be_used_leads_back_to_the_source() {
    let mut flow = flow();
    let ticket = choose(&mut flow);
    let missing = Error::FileUnusable {
        path: "/isos/disc.iso".into(),
        fault: FileFault::Missing,
        detail: String::new(),
    };
    flow.step(Input::Looked { ticket, outcome: Err(refused(missing)) });
    assert!(matches!(flow.page(), Page::Source { fault: Some(SourceFault::Unusable(_)) }));
    choose(&mut flow);
    assert!(matches!(flow.page(), Page::Looking { slow: false, .. }), "the next one may be good");
}

#[test]
fn only_the_look_that_is_awaited_counts() {
    let mut flow = flow();
    let first = choose(&mut flow);
    flow.step(Input::Back);
    flow.step(Input::Looked { ticket: first, outcome: Ok(found(disc())) });
    assert_eq!(flow.page(), &Page::Source { fault: None });
    let second = choose(&mut flow);
    flow.step(Input::Slow { ticket: first });
    assert!(matches!(flow.page(), Page::Looking { slow: false, .. }));
    flow.step(Input::Slow { ticket: second });
    assert!(matches!(flow.page(), Page::Looking { slow: true, .. }));
    flow.step(Input::Looked { ticket: first, outcome: Ok(found(disc())) });
    assert!(matches!(flow.page(), Page::Looking { .. }));
}

#[test]
fn a_refused_value_is_said_at_its_row_until_it_is_changed() {
    let mut flow = reviewed();
    let (attempt, _) = create(&mut flow);
    let taken = refused(Error::NameTaken { name: "Debian 12".into() });
    flow.step(Input::Accepted { attempt, outcome: Err(taken) });
    assert!(matches!(flow.obstacle(), Some((Row::Name, Remark::Refused(_)))));
    assert_eq!(flow.step(Input::Create), None, "the same again would be refused again");
    flow.step(Input::Edit(Edit::Cpus(3)));
    assert!(flow.obstacle().is_some());
    flow.step(Input::Edit(Edit::Name("Debian twelve".into())));
    assert_eq!(flow.obstacle(), None);
    assert_eq!(create(&mut flow).1.cpus, Some(3));
}

#[test]
fn a_refusal_about_no_row_is_said_above_and_can_be_tried_again() {
    let mut flow = reviewed();
    let (attempt, _) = create(&mut flow);
    let full = Error::NoSpace { path: "/d".into(), available: ByteSize::mib(1) };
    flow.step(Input::Accepted { attempt, outcome: Err(refused(full)) });
    assert!(matches!(flow.page(), Page::Review(Review { banner: Some(_), .. })));
    create(&mut flow);
}

#[test]
fn cancelling_before_the_core_has_answered_cancels_then() {
    let mut flow = reviewed();
    let (attempt, _) = create(&mut flow);
    assert_eq!(flow.step(Input::Cancel), None);
    let effect = flow.step(Input::Accepted { attempt, outcome: Ok(created()) });
    assert_eq!(effect, Some(Effect::Cancel(JobId(7))));
    assert_eq!(flow.step(Input::Cancel), None, "once is enough");
    flow.step(Input::Job { attempt, job: job(JobState::Cancelled) });
    assert!(matches!(flow.page(), Page::Review(_)));
}

#[test]
fn what_was_done_before_it_could_be_cancelled_is_done() {
    let mut flow = reviewed();
    let (attempt, _) = create(&mut flow);
    flow.step(Input::Accepted { attempt, outcome: Ok(created()) });
    assert_eq!(flow.step(Input::Cancel), Some(Effect::Cancel(JobId(7))));
    let effect = flow.step(Input::Job { attempt, job: job(JobState::Done) });
    assert!(matches!(effect, Some(Effect::Finish { .. })));
}

#[test]
fn a_failed_job_says_where_and_leads_back_to_the_form() {
    let mut flow = reviewed();
    flow.step(Input::Edit(Edit::Memory("3 GiB".into())));
    let (attempt, _) = create(&mut flow);
    flow.step(Input::Accepted { attempt, outcome: Ok(created()) });
    flow.step(Input::Job { attempt, job: job(JobState::Failed) });
    let full = Error::NoSpace { path: "/d".into(), available: ByteSize::mib(1) };
    flow.step(Input::JobFailed { attempt, failure: refused(full) });
    let Page::Failed { creating, .. } = flow.page() else { panic!("{:?}", flow.page()) };
    assert_eq!(creating.job.as_ref().map(|job| job.stage), Some(JobStage::Disk));
    flow.step(Input::Back);
    assert_eq!(create(&mut flow).1.memory, Some(ByteSize::gib(3)));
}

#[test]
fn names_that_come_up_meanwhile_are_avoided_or_told() {
    let mut flow = reviewed();
    flow.step(Input::Taken(vec!["Debian 12".into()]));
    assert_eq!(flow.form().name.get(), "Debian 12 2");
    flow.step(Input::Edit(Edit::Name("Mine".into())));
    flow.step(Input::Taken(vec!["Mine".into()]));
    assert_eq!(flow.obstacle(), Some((Row::Name, Remark::Invalid(Invalid::NameTaken))));
}

#[test]
fn nothing_is_chosen_while_a_guest_is_being_made() {
    let mut flow = reviewed();
    create(&mut flow);
    let before = flow.clone();
    assert_eq!(flow.step(Input::Choose("/other.iso".into())), None);
    assert_eq!(flow.step(Input::ChooseNothing), None);
    assert_eq!(flow.step(Input::Unfit(SourceFault::Several)), None);
    assert_eq!(flow.step(Input::Back), None);
    assert_eq!(flow, before);
}

fn twins() -> Box<MediumInfo> {
    let twin = |os: &str, gib| OsChoice {
        os: os.into(),
        os_name: format!("Microsoft {os}"),
        released: None,
        recommended: Recommended { memory: ByteSize::gib(gib), ..SUITS },
    };
    Box::new(MediumInfo { candidates: vec![twin("win11", 4), twin("win10", 3)], ..*disc() })
}

#[test]
fn of_several_systems_a_person_chooses_and_gets_what_that_one_needs() {
    let mut flow = flow();
    let ticket = choose(&mut flow);
    flow.step(Input::Looked { ticket, outcome: Ok(found(twins())) });
    assert_eq!(flow.remark(Row::System), Some(Remark::Caution(Caution::SystemUnclear)));
    assert_eq!(flow.obstacle(), None, "it stops nobody");
    let other =
        OsChoice { os: "debian12".into(), os_name: "Debian 12".into(), released: None, recommended: SUITS };
    flow.step(Input::Systems(vec![other, twins().candidates[1].clone()]));
    let offered: Vec<&str> = flow.systems().map(|choice| choice.os.as_str()).collect();
    assert_eq!(offered, ["win11", "win10", "debian12"]);

    flow.step(Input::Edit(Edit::System(Some("win10".into()))));
    assert_eq!((flow.remark(Row::System), flow.form().memory.get().as_str()), (None, "3 GiB"));
    assert_eq!(flow.form().name.get(), "win10");
    let (_, wish) = create(&mut flow);
    assert_eq!((wish.os.as_deref(), wish.memory), (Some("win10"), Some(ByteSize::gib(3))));

    let mut flow = reviewed();
    flow.step(Input::Edit(Edit::System(Some("debian12".into()))));
    let ticket = choose(&mut flow);
    flow.step(Input::Looked { ticket, outcome: Ok(found(disc())) });
    assert_eq!(*flow.form().system.get(), None, "another medium, another system");
}

/// What was put in last, as a witness beside the flow.
#[derive(Default)]
struct Typed {
    name: Option<String>,
    cpus: Option<u32>,
    memory: Option<String>,
    disk: Option<String>,
    no_disk: bool,
    firmware: Option<FirmwareKind>,
    user: Option<String>,
    network: Option<bool>,
    start: Option<bool>,
}

impl Typed {
    fn note(&mut self, edit: &Edit) {
        match edit.clone() {
            Edit::Name(name) => self.name = Some(name),
            // Another medium makes these nothing; of the answers, each is kept as the first is.
            Edit::System(_) | Edit::Agree(_) | Edit::Answers(_) => {}
            Edit::Cpus(cpus) => self.cpus = Some(cpus),
            Edit::Memory(memory) => self.memory = Some(memory),
            Edit::MemoryScale(size) => self.memory = Some(crate::sizes::exact(size)),
            Edit::Disk(disk) => self.disk = Some(disk),
            Edit::NoDisk(none) => self.no_disk = none,
            Edit::Firmware(kind) => self.firmware = kind,
            Edit::Answer(answer, text) => {
                if answer == Answer::User {
                    self.user = Some(text);
                }
            }
            Edit::Network(network) => self.network = Some(network),
            Edit::Start(start) => self.start = Some(start),
        }
    }

    /// Typing what is already there is no change: such a value may still follow the defaults.
    fn forget_unless_changed(&mut self, before: &Form, edit: &Edit) {
        match edit {
            Edit::Name(name) if before.name.get() == name => self.name = None,
            Edit::Cpus(cpus) if before.cpus.get() == cpus => self.cpus = None,
            Edit::Memory(memory) if before.memory.get() == memory => self.memory = None,
            Edit::MemoryScale(size) if *before.memory.get() == crate::sizes::exact(*size) => {
                self.memory = None;
            }
            Edit::Disk(disk) if before.disk.get() == disk => self.disk = None,
            Edit::Answer(Answer::User, user) if before.answers.get(Answer::User).get() == user => {
                self.user = None;
            }
            _ => {}
        }
    }

    fn is_kept_by(&self, form: &Form) -> bool {
        self.name.as_ref().is_none_or(|name| form.name.get() == name)
            && self.cpus.is_none_or(|cpus| *form.cpus.get() == cpus)
            && self.memory.as_ref().is_none_or(|memory| form.memory.get() == memory)
            && self.disk.as_ref().is_none_or(|disk| form.disk.get() == disk)
            && *form.no_disk.get() == self.no_disk
            && *form.firmware.get() == self.firmware
            && self.user.as_ref().is_none_or(|user| form.answers.get(Answer::User).get() == user)
            && *form.network.get() == self.network.unwrap_or(true)
            && *form.start.get() == self.start.unwrap_or(true)
    }
}

fn edits() -> impl Strategy<Value = Edit> {
    let sizes = prop_oneof![
        Just("2 GiB".to_owned()),
        Just("900 GiB".to_owned()),
        Just("2".to_owned()),
        Just(String::new()),
        "\\PC{0,6}"
    ];
    prop_oneof![
        prop_oneof![Just("Taken".to_owned()), Just("Mine".to_owned()), "\\PC{0,70}"].prop_map(Edit::Name),
        prop::sample::select(vec![None, Some("win10".to_owned())]).prop_map(Edit::System),
        (0_u32..9).prop_map(Edit::Cpus),
        sizes.clone().prop_map(Edit::Memory),
        (0_u64..9000).prop_map(|mib| Edit::MemoryScale(ByteSize::mib(mib))),
        sizes.prop_map(Edit::Disk),
        any::<bool>().prop_map(Edit::NoDisk),
        any::<bool>().prop_map(Edit::Answers),
        Just(Edit::Answer(Answer::User, "grace".into())),
        prop::sample::select(vec![None, Some((Firmware::Bios, false)), Some((Firmware::Uefi, true))])
            .prop_map(Edit::Firmware),
        any::<bool>().prop_map(Edit::Network),
        any::<bool>().prop_map(Edit::Start),
    ]
}

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Error::NameTaken { name: "Mine".into() }),
        Just(Error::MemoryOutOfRange {
            requested: ByteSize::GIB,
            minimum: ByteSize::MIB,
            maximum: ByteSize::GIB
        }),
        Just(Error::NoSpace { path: "/d".into(), available: ByteSize::MIB }),
        Just(Error::JobCancelled { job: 7 }),
    ]
    .prop_map(refused)
}

fn inputs() -> impl Strategy<Value = Input> {
    let number = 0_u64..6;
    let states = prop_oneof![Just(JobState::Running), Just(JobState::Failed), Just(JobState::Cancelled)];
    let names = prop_oneof![Just(vec![]), Just(vec!["Taken".to_owned(), "Debian 12".to_owned()])];
    prop_oneof![
        2 => Just(Input::Choose("/isos/disc.iso".into())),
        1 => Just(Input::Unfit(SourceFault::Several)),
        1 => Just(Input::ChooseNothing),
        3 => number.clone().prop_map(|ticket| Input::Looked { ticket, outcome: Ok(found(disc())) }),
        1 => (number.clone(), failures())
            .prop_map(|(ticket, failure)| Input::Looked { ticket, outcome: Err(failure) }),
        1 => number.clone().prop_map(|ticket| Input::Slow { ticket }),
        1 => (1_u32..9, 1_u64..9).prop_map(|(cpus, gib)| Input::Host(Box::new(host(cpus, ByteSize::gib(gib))))),
        1 => names.prop_map(Input::Taken),
        1 => Just(Input::Preferences(Box::new(Preferences { user: Some("ada".into()), ..Preferences::default() }))),
        6 => edits().prop_map(Input::Edit),
        4 => Just(Input::Create),
        2 => number.clone().prop_map(|attempt| Input::Accepted { attempt, outcome: Ok(created()) }),
        1 => (number.clone(), failures())
            .prop_map(|(attempt, failure)| Input::Accepted { attempt, outcome: Err(failure) }),
        2 => (number.clone(), states).prop_map(|(attempt, state)| Input::Job { attempt, job: job(state) }),
        1 => (number, failures()).prop_map(|(attempt, failure)| Input::JobFailed { attempt, failure }),
        1 => Just(Input::Cancel),
        2 => Just(Input::Back),
        1 => Just(Input::Dismiss),
    ]
}

proptest! {
    #[test]
    fn nothing_typed_is_lost_and_nothing_impossible_is_created(
        sequence in prop::collection::vec(inputs(), 0..60)
    ) {
        let mut flow = flow();
        let mut typed = Typed::default();
        for input in sequence {
            let before = flow.clone();
            if let (Input::Edit(edit), Page::Review(_)) = (&input, flow.page()) {
                let already = typed.is_kept_by(flow.form());
                prop_assert!(already);
                let mut now = Typed::default();
                now.note(edit);
                now.forget_unless_changed(flow.form(), edit);
                typed.name = now.name.or(typed.name);
                typed.cpus = now.cpus.or(typed.cpus);
                typed.memory = now.memory.or(typed.memory);
                typed.disk = now.disk.or(typed.disk);
                typed.network = now.network.or(typed.network);
                typed.start = now.start.or(typed.start);
                if let Edit::NoDisk(none) = edit { typed.no_disk = *none; }
                if let Edit::Firmware(kind) = edit { typed.firmware = *kind; }
            }
            let effect = flow.step(input);
            prop_assert!(typed.is_kept_by(flow.form()), "lost by {effect:?}: {:?}", flow.form());
            let is_creating = matches!(flow.page(), Page::Creating(_));
            let was_creating = matches!(before.page(), Page::Creating(_));
            if is_creating && !was_creating {
                prop_assert_eq!(before.obstacle(), None);
                let Some(Effect::Create { wish, .. }) = effect else {
                    return Err(TestCaseError::fail("a creation that nobody makes"));
                };
                prop_assert_eq!(&wish.name, before.form().name.get().trim());
                prop_assert!(!before.taken.contains(&wish.name) && !wish.name.is_empty());
                prop_assert!(before.limits.cpus.contains(&wish.cpus.unwrap()));
                prop_assert!(before.limits.memory.contains(&wish.memory.unwrap()));
            } else {
                prop_assert!(!matches!(effect, Some(Effect::Create { .. })), "created twice");
            }
        }
    }
}
