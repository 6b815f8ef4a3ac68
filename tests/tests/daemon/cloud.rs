//! Guests of cloud images: what they are told, to whom else it is told, and when it is taken away.

use crate::files::has_image_tool;
use crate::{connected, make, shown};
use hv_api::client::{Connection, settle};
use hv_api::{
    AnswerFault, AnswerField, Answers, CloudInit, Core, Error, GuestId, GuestInfo, GuestState, NewGuest,
    Secret,
};
use hv_core::engine::EngineEvent;
use hv_tests::fake_engine::{FakeCore, FakeEngine};
use hv_tests::{Follower, Home, Script, until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PASSWORD: &str = "open sesame, 4711";

/// A home with a core and an image of a system.
struct Stage {
    home: Home,
    engine: Arc<FakeEngine>,
    _thread: FakeCore,
    core: Connection,
    events: Follower,
    image: String,
}

impl Stage {
    async fn new() -> Option<Self> {
        if !has_image_tool() {
            return None;
        }
        let home = Home::new();
        let engine = Arc::<FakeEngine>::default();
        let thread = FakeCore::start(&home, &engine).await;
        let (core, events) = connected(&home).await;
        let mut disk = vec![0; 2 << 20];
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        let image = home.file("debian-12-genericcloud-amd64.raw", disk);
        Some(Self { home, engine, _thread: thread, core, events, image })
    }

    fn new_guest(&self, name: &str) -> NewGuest {
        let answers =
            Answers { user: "ada".into(), password: Some(Secret::new(PASSWORD)), ..Answers::default() };
        let cloud = CloudInit { answers: Some(answers), ..CloudInit::default() };
        NewGuest {
            name: name.into(),
            image: Some(self.image.clone()),
            cloud: Some(cloud),
            ..NewGuest::default()
        }
    }

    async fn run(&mut self, guest: &GuestInfo) {
        settle(self.core.start(&guest.name, None).await).expect("it starts");
        self.events.state(&guest.name, GuestState::Running).await;
    }

    async fn power_off(&mut self, guest: &GuestInfo) {
        self.engine.machine(guest.id).say(EngineEvent::PoweredOff);
        self.events.state(&guest.name, GuestState::Off).await;
    }
}

fn disc(guest: &GuestInfo) -> PathBuf {
    Path::new(&guest.paths.folder).join("first-start.iso")
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The password as it stands on a guest's disc.
fn hash(guest: &GuestInfo) -> String {
    let disc = fs::read(disc(guest)).expect("a disc");
    let start = disc.windows(3).position(|window| window == b"$6$").expect("a hash");
    let hash = &disc[start..];
    String::from_utf8(hash[..hash.iter().position(|byte| *byte == b'"').expect("its end")].to_vec())
        .expect("text")
}

/// Every file below a folder, but the one that may have secrets.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match fs::symlink_metadata(&path).expect("a file") {
            it if it.is_dir() => files(&path, found),
            it if it.is_file() => found.push(path),
            _ => {}
        }
    }
}

#[tokio::test]
async fn what_a_cloud_image_is_told_is_told_to_nobody_else() {
    let Some(mut stage) = Stage::new().await else { return };
    let new = stage.new_guest("one");
    let guest = make(&mut stage.core, &new).await.expect("a guest");
    assert_eq!(guest.first_start.as_deref(), Some("cd1"));
    assert_eq!((guest.os.as_deref(), guest.drives.len()), (Some("debian12"), 1));
    assert_eq!(fs::metadata(disc(&guest)).expect("a disc").permissions().mode() & 0o777, 0o600);
    let hash = hash(&guest);
    stage.run(&guest).await;
    let mut told = format!("{guest:?}{:?}", stage.events.library());
    for words in [&["show", "one", "--json"][..], &["show", "one"], &["list", "--json"]] {
        told += &stage.home.hv(words).await.done();
    }
    let plan = settle(stage.core.plan(&NewGuest { name: "two".into(), ..new }).await).expect("a plan");
    for told in [told, format!("{plan:?}")] {
        assert!(!told.contains(PASSWORD) && !told.contains("$6$"), "{told}");
    }

    let mut everywhere = Vec::new();
    files(&stage.home.path("."), &mut everywhere);
    let (own, image) = (disc(&guest), PathBuf::from(&stage.image));
    for path in everywhere.iter().filter(|path| !path.ends_with(own.file_name().unwrap()) && **path != image)
    {
        let content = fs::read(path).expect("a file");
        assert!(!has(&content, PASSWORD) && !has(&content, &hash), "{}", path.display());
    }
    assert!(!has(&fs::read(own).expect("a disc"), PASSWORD));
}

#[tokio::test]
async fn what_it_was_told_goes_when_it_has_powered_itself_off() {
    let Some(mut stage) = Stage::new().await else { return };
    let new = stage.new_guest("one");
    let guest = make(&mut stage.core, &new).await.expect("a guest");
    // Nobody knows how far it came: it is told again.
    stage.run(&guest).await;
    settle(stage.core.force_off("one").await).expect("it is off");
    assert!(disc(&guest).exists());
    assert!(shown(&mut stage.core, "one").await.first_start.is_some());

    stage.run(&guest).await;
    stage.power_off(&guest).await;
    let after = shown(&mut stage.core, "one").await;
    assert_eq!((after.first_start, after.state), (None, GuestState::Off));
    until("the end of the disc", || (!disc(&guest).exists()).then_some(())).await;
    let definition = fs::read_to_string(&after.paths.definition).expect("a definition");
    assert!(!definition.contains("first-start"), "{definition}");
    stage.run(&guest).await;
}

#[tokio::test]
async fn a_clone_is_another_and_disks_that_are_kept_have_no_secret_beside_them() {
    let Some(mut stage) = Stage::new().await else { return };
    let new = stage.new_guest("one");
    let guest = make(&mut stage.core, &new).await.expect("a guest");
    let created = settle(stage.core.clone_guest("one", "two", None, None).await).expect("a job");
    crate::ended(&stage.home, created.job).await.expect("a clone");
    let clone = shown(&mut stage.core, "two").await;
    let ids: [(GuestInfo, GuestId); 2] = [(guest.clone(), clone.id), (clone.clone(), guest.id)];
    for (guest, other) in &ids {
        let content = fs::read(disc(guest)).expect("a disc");
        assert!(has(&content, &guest.id.to_string()) && !has(&content, &other.to_string()));
        assert_eq!(fs::metadata(disc(guest)).expect("a disc").permissions().mode() & 0o777, 0o600);
    }
    settle(stage.core.delete("one", Some(false)).await).expect("it is deleted");
    let left: Vec<_> =
        fs::read_dir(&guest.paths.folder).expect("its disk").map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["disk0.qcow2"]);
}

#[tokio::test]
async fn answers_that_can_not_be_are_refused_before_anything_is_made() {
    let Some(mut stage) = Stage::new().await else { return };
    let new = stage.new_guest("one");
    let with = |change: &dyn Fn(&mut Answers)| {
        let mut new = new.clone();
        change(new.cloud.as_mut().unwrap().answers.as_mut().unwrap());
        new
    };
    for (new, field, fault) in [
        (with(&|answers| answers.user = "root".into()), AnswerField::User, AnswerFault::Reserved),
        (with(&|answers| answers.password = None), AnswerField::Password, AnswerFault::Missing),
        (
            with(&|answers| answers.full_name = Some("a\nb".into())),
            AnswerField::FullName,
            AnswerFault::Malformed,
        ),
        (
            with(&|answers| answers.time_zone = Some("No/Where".into())),
            AnswerField::TimeZone,
            AnswerFault::Unknown,
        ),
    ] {
        let refused = make(&mut stage.core, &new).await.unwrap_err();
        let told = matches!(&refused, Error::AnswerInvalid { field: it, fault: that, .. } if (*it, *that) == (field, fault));
        assert!(told, "{refused:?}");
    }
    assert_eq!(fs::read_dir(stage.home.guests()).expect("a folder").count(), 0);
    let preferences = settle(stage.core.get_preferences().await).expect("preferences").preferences;
    assert!(preferences.express.contains(&"debian12".to_owned()));
    assert!(!preferences.language.is_empty() && !preferences.keyboard.is_empty());
}

/// Also where the core says all that it can say.
#[tokio::test]
async fn no_log_has_a_password_in_it() {
    if !has_image_tool() {
        return;
    }
    let home = Home::with_fake_qemu(&Script::obedient());
    let _process = home.core_under(&["env", "GUESTHOUSE_LOG=trace"]).await;
    let mut disk = vec![0; 2 << 20];
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let (image, password) = (home.file("a.raw", disk), home.file("password", format!("{PASSWORD}\n")));
    let words = ["create", "one", "--image", &image, "--cloud-user", "ada", "--password-file", &password];
    home.hv(words).await.done();
    let log = fs::read(home.path("state/guesthouse/hv-core.log")).expect("a log");
    assert!(has(&log, "ready"), "it is written");
    assert!(!has(&log, PASSWORD) && !has(&log, "$6$"));
}

#[tokio::test]
async fn a_cloud_image_is_made_a_guest_by_hand() {
    let Some(mut stage) = Stage::new().await else { return };
    let password = stage.home.file("password", format!("{PASSWORD}\n"));
    let words =
        ["create", "one", "--image", &stage.image, "--cloud-user", "ada", "--password-file", &password];
    stage.home.hv(words).await.done();
    let guest = shown(&mut stage.core, "one").await;
    assert!(disc(&guest).exists());
    let words = words.map(|word| if word == "one" { "two" } else { word });
    let planned = stage.home.hv(words.iter().chain(&["--dry-run"])).await.done();
    assert!(planned.contains("first-start.iso") && !planned.contains("$6$"), "{planned}");
    let told = stage.home.hv(["inspect", "--json", &stage.image]).await.json();
    assert_eq!(
        (told["cloud_image"].as_bool(), told["cloud_user"].as_str(), told["os"].as_str()),
        (Some(true), Some("debian"), Some("debian12")),
        "{told}"
    );
    let refused = stage.home.hv(["create", "two", "--image", &stage.image, "--cloud-user", "root"]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("“root”"), "{}", refused.err);
}
