//! The life of an installation: what begins one, what ends it, and that no moment at which the core ends is a wrong one.

use crate::{connected, make, shown};
use hv_api::client::Connection;
use hv_api::{
    Applied, ByteSize, Core, EndAction, Error, GuestId, GuestState, Installation, NewGuest, PowerSettings,
    Settings, StateReason,
};
use hv_core::engine::{Alteration, EngineEvent};
use hv_tests::disc::Disc;
use hv_tests::fake_engine::{Answer, Asked, FakeCore, FakeEngine};
use hv_tests::{Follower, Home, Script, until};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// A guest that is being installed from a disc, as its definition says it, and that runs.
struct Installing {
    home: Home,
    engine: Arc<FakeEngine>,
    thread: Option<FakeCore>,
    core: Connection,
    events: Follower,
    id: GuestId,
}

/// The table of an installation from a disc.
const FROM_DISC: &str = "[install]\nmedium = \"cd0\"\nrestarts = 1\n";

/// One that nobody has to answer, with a kernel that is started directly, in the guest's folder.
const BY_ITSELF: &str = "[install]\nmedium = \"cd0\"\nseed = \"install/seed.iso\"\nrestarts = 1\nunattended = true\n\
    [install.kernel]\nimage = \"install/linux\"\nappend = \"auto\"\n";

impl Installing {
    /// Begins; `table` is put into the definition.
    async fn begin(table: &str) -> Self {
        let home = Home::new();
        let engine = Arc::<FakeEngine>::default();
        let first = FakeCore::start(&home, &engine).await;
        let (mut core, _) = connected(&home).await;
        let iso = Some(home.file("system.iso", Disc { volume: "X", ..Disc::default() }.bytes()));
        let new = NewGuest { name: "one".into(), iso, disk: Some(ByteSize::mib(1)), ..NewGuest::default() };
        let id = make(&mut core, &new).await.expect("a guest").id;
        drop((core, first));
        let folder = home.guests().join(id.to_string());
        fs::create_dir(folder.join("install")).expect("a folder");
        fs::write(folder.join("install/seed.iso"), "answers").expect("a file");
        fs::write(folder.join("install/linux"), "kernel").expect("a file");
        let file = folder.join("guest.toml");
        let definition = fs::read_to_string(&file).expect("a definition");
        let with_table = definition.replace("\n# end", &format!("\n{table}\n# end"));
        fs::write(&file, with_table).expect("a definition");
        let thread = Some(FakeCore::start(&home, &engine).await);
        let (mut core, mut events) = connected(&home).await;
        core.start("one", None).await.expect("an answer").expect("it starts");
        events.state("one", GuestState::Running).await;
        Self { home, engine, thread, core, events, id }
    }

    fn folder(&self) -> PathBuf {
        self.home.guests().join(self.id.to_string())
    }

    /// What an installer leaves: a disk with code in its first sector.
    fn write_disk(&self) {
        let mut disk = vec![0; 1 << 20];
        disk[..3].copy_from_slice(&[0xeb, 0x63, 0x90]);
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        let raw = self.home.file("installed.raw", disk);
        let tool = std::process::Command::new("qemu-img")
            .args(["convert", "-O", "qcow2", &raw])
            .arg(self.folder().join("disk0.qcow2"))
            .status();
        assert!(tool.expect("qemu-img").success());
    }

    /// Another core takes its place.
    async fn next_core(&mut self) {
        self.thread = None;
        self.thread = Some(FakeCore::start(&self.home, &self.engine).await);
        (self.core, self.events) = connected(&self.home).await;
    }

    /// Waits until the guest is ready, and makes sure that nothing of the installation is left.
    async fn ready(&mut self) {
        let is_ready = |library: &hv_api::Library| {
            library.guests().any(|guest| guest.installing.is_none() && guest.installed.is_some())
        };
        self.events.until("the guest to be ready", is_ready).await;
        let guest = shown(&mut self.core, "one").await;
        assert_eq!(guest.drives.len(), 1);
        assert_eq!(guest.drives[0].medium, None);
        let folder = self.folder().join("install");
        until("the end of what was there to install it", || (!folder.exists()).then_some(())).await;
        let text = fs::read_to_string(self.folder().join("guest.toml")).expect("a definition");
        assert!(!text.contains("[install"), "{text}");
    }

    /// Waits until another machine than this one runs.
    async fn another(&mut self, former: &Arc<hv_tests::fake_engine::FakeMachine>) {
        let (engine, id) = (Arc::clone(&self.engine), self.id);
        let another =
            || Some(engine.machine(id)).filter(|machine| !Arc::ptr_eq(former, machine) && machine.runs());
        until("another machine that runs", another).await;
        self.events.state("one", GuestState::Running).await;
    }
}

#[tokio::test]
async fn an_installer_that_restarts_leads_to_the_disk() {
    let mut it = Installing::begin(FROM_DISC).await;
    let expected = Installation { medium: Some("cd0".into()), restarts: 1, ..Installation::default() };
    let guest = shown(&mut it.core, "one").await;
    assert_eq!((guest.installing, guest.installed), (Some(expected), None));
    let machine = it.engine.machine(it.id);
    assert!(machine.alterations().contains(&Alteration::StopOnReboot(true)));

    // A person has cancelled it: it begins again, with its medium.
    machine.reboot();
    it.another(&machine).await;
    let guest = shown(&mut it.core, "one").await;
    assert!(guest.installing.is_some() && guest.drives[0].medium.is_some());

    it.write_disk();
    let machine = it.engine.machine(it.id);
    machine.reboot();
    it.another(&machine).await;
    it.ready().await;
    let guest = shown(&mut it.core, "one").await;
    assert_eq!((guest.state, guest.pending.is_empty()), (GuestState::Running, true));
    // From now on it restarts as any guest does.
    let machine = it.engine.machine(it.id);
    assert!(!machine.alterations().contains(&Alteration::StopOnReboot(true)));
    machine.reboot();
    assert_eq!(shown(&mut it.core, "one").await.state, GuestState::Running);
    assert!(Arc::ptr_eq(&machine, &it.engine.machine(it.id)));
}

#[tokio::test]
async fn an_installation_is_never_thrown_away() {
    let mut this = Installing::begin(FROM_DISC).await;
    this.core.force_off("one").await.expect("an answer").expect("it ends");
    let refused =
        this.core.start_disposable("one", None).await.expect("an answer").expect_err("it is refused");
    assert!(matches!(refused, Error::NotInstalled { .. }), "{refused:?}");
}

#[tokio::test]
async fn an_installer_that_powers_off_leaves_the_guest_off_and_ready() {
    let mut it = Installing::begin(FROM_DISC).await;
    it.write_disk();
    it.engine.machine(it.id).say(EngineEvent::PoweredOff);
    it.ready().await;
    let guest = it.events.state("one", GuestState::Off).await;
    assert_eq!(guest.reason, Some(StateReason::PoweredOff));
    assert_eq!(it.engine.running(), 0);
    assert!(!it.home.path("run/guesthouse/guests").join(it.id.to_string()).exists());
}

#[tokio::test]
async fn what_installs_itself_is_started_when_it_is_done() {
    let mut it = Installing::begin(BY_ITSELF).await;
    it.write_disk();
    let machine = it.engine.machine(it.id);
    machine.say(EngineEvent::PoweredOff);
    it.another(&machine).await;
    it.ready().await;
}

#[tokio::test]
async fn what_installs_itself_and_fails_is_not_tried_again() {
    let mut it = Installing::begin(BY_ITSELF).await;
    it.engine.machine(it.id).reboot();
    let crashed = it.events.state("one", GuestState::Crashed).await;
    assert!(crashed.detail.is_some_and(|words| words.contains("left nothing that starts")));
    assert!(crashed.installing.is_some());
    assert!(it.folder().join("install/seed.iso").exists());
    // A person may try it.
    it.core.start("one", None).await.unwrap().unwrap();
    it.events.state("one", GuestState::Running).await;
}

#[tokio::test]
async fn an_installer_that_restarts_twice_keeps_its_medium_until_then() {
    let mut it = Installing::begin(&FROM_DISC.replace("restarts = 1", "restarts = 2")).await;
    it.write_disk();
    let machine = it.engine.machine(it.id);
    machine.reboot();
    it.another(&machine).await;
    let guest = shown(&mut it.core, "one").await;
    assert_eq!(guest.installing.map(|it| it.restarts), Some(1));
    assert!(guest.drives[0].medium.is_some());
    let machine = it.engine.machine(it.id);
    machine.reboot();
    it.another(&machine).await;
    it.ready().await;
}

#[tokio::test]
async fn what_a_person_has_set_counts_more() {
    let mut it = Installing::begin(FROM_DISC).await;
    let power = PowerSettings { on_reboot: Some(EndAction::Destroy), ..PowerSettings::default() };
    it.core.set("one", &Settings { power: Some(power), ..Settings::default() }).await.unwrap().unwrap();
    it.write_disk();
    it.engine.machine(it.id).reboot();
    it.ready().await;
    let off = it.events.state("one", GuestState::Off).await;
    assert_eq!(off.reason, Some(StateReason::Rebooted));

    // Taken its power away, it has not ended by itself.
    let mut it = Installing::begin(FROM_DISC).await;
    it.write_disk();
    it.core.force_off("one").await.unwrap().unwrap();
    it.core.start("one", None).await.unwrap().unwrap();
    assert!(shown(&mut it.core, "one").await.installing.is_some());
    // Asked to shut down or to restart, it has.
    let machine = it.engine.machine(it.id);
    it.core.restart("one").await.unwrap().unwrap();
    it.another(&machine).await;
    it.ready().await;
}

#[tokio::test]
async fn an_installation_is_ended_by_hand() {
    let mut it = Installing::begin(BY_ITSELF).await;
    let installed = Settings { installed: Some(true), ..Settings::default() };
    let results = it.core.set("one", &installed).await.unwrap().unwrap().settings;
    assert_eq!((results[0].key.as_str(), results[0].applied), ("installed", Applied::AtNextStart));
    let guest = shown(&mut it.core, "one").await;
    assert_eq!(guest.pending.iter().filter(|change| change.key == "installed").count(), 1);
    // Its machine is still that of the installer, and does not begin again.
    let machine = it.engine.machine(it.id);
    machine.reboot();
    it.another(&machine).await;
    assert!(shown(&mut it.core, "one").await.pending.is_empty());
    it.core.force_off("one").await.unwrap().unwrap();
    it.ready().await;
    let again = it.core.set("one", &installed).await.unwrap();
    assert_eq!(again, Err(Error::NotInstalling { guest: "one".into() }));

    let mut it = Installing::begin(BY_ITSELF).await;
    it.core.force_off("one").await.unwrap().unwrap();
    let said = it.home.hv(["set", "one", "installed=true"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    it.ready().await;
}

#[tokio::test]
async fn an_installer_that_ended_while_no_core_ran_is_done_all_the_same() {
    // Which of the two it did nobody knows any more.
    for (table, state) in [(FROM_DISC, GuestState::Off), (BY_ITSELF, GuestState::Running)] {
        let mut it = Installing::begin(table).await;
        it.write_disk();
        it.thread = None;
        it.engine.machine(it.id).reboot();
        it.next_core().await;
        it.ready().await;
        it.events.state("one", state).await;
    }
}

#[tokio::test]
async fn a_core_that_is_cut_short_leaves_the_rest_to_the_next_one() {
    for event in [EngineEvent::Rebooted, EngineEvent::PoweredOff] {
        let state = if event == EngineEvent::Rebooted { GuestState::Running } else { GuestState::Off };
        // Before the engine has ended.
        let mut it = Installing::begin(FROM_DISC).await;
        it.write_disk();
        it.engine.answer(Asked::Quit, Answer::Stall);
        it.engine.machine(it.id).say(event.clone());
        it.events.state("one", GuestState::ShuttingDown).await;
        it.thread = None;
        it.engine.obey();
        it.next_core().await;
        it.ready().await;
        it.events.state("one", state).await;

        // After that, and before the disk was looked at.
        let mut it = Installing::begin(FROM_DISC).await;
        it.write_disk();
        it.engine.answer(Asked::Quit, Answer::Stall);
        it.engine.machine(it.id).say(event.clone());
        it.events.state("one", GuestState::ShuttingDown).await;
        it.thread = None;
        it.engine.obey();
        hv_core::engine::Machine::kill(&*it.engine.machine(it.id));
        it.next_core().await;
        it.ready().await;
        it.events.state("one", state).await;

        // After the definition was written, and before anything else.
        let mut it = Installing::begin(FROM_DISC).await;
        it.write_disk();
        it.engine.answer(Asked::Quit, Answer::Stall);
        it.engine.machine(it.id).say(event);
        it.events.state("one", GuestState::ShuttingDown).await;
        it.thread = None;
        it.engine.obey();
        hv_core::engine::Machine::kill(&*it.engine.machine(it.id));
        let file = it.folder().join("guest.toml");
        let text = fs::read_to_string(&file).expect("a definition").replace(FROM_DISC, "");
        let iso = it.home.text("system.iso");
        let text = text.replace(&format!("medium = \"{iso}\""), "").replacen("\n\n", "\ninstalled = 7\n", 1);
        let text = text.replacen("version = 1", "version = 1\ninstalled = 7", 1);
        let twice = text.matches("installed = 7").count() - 1;
        fs::write(&file, text.replacen("installed = 7\n", "", twice)).expect("a definition");
        it.next_core().await;
        it.ready().await;
        it.events.state("one", state).await;
    }
}

const SYSTEMS: &str = r#"<libosinfo>
  <os id="http://example.invalid/exampleos/3">
    <short-id>exampleos3</short-id><name>Example OS 3</name><version>3</version><family>linux</family>
    <media arch="x86_64" installer-reboots="2"><iso><volume-id>EXAMPLE_INSTALLER</volume-id></iso></media>
    <media arch="x86_64" eject-after-install="false"><iso><volume-id>EXAMPLE_STAYS</volume-id></iso></media>
    <media arch="x86_64" live="true"><iso><volume-id>EXAMPLE_LIVE</volume-id></iso></media>
    <media arch="x86_64" installer="false"><iso><volume-id>EXAMPLE_RESCUE</volume-id></iso></media>
  </os>
</libosinfo>"#;

#[tokio::test]
async fn a_guest_of_an_installers_disc_begins_with_an_installation() {
    let home = Home::with_fake_qemu(&Script::obedient());
    let folder = home.path("config/osinfo/os/example.invalid");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("example.xml"), SYSTEMS).expect("a file");
    let _core = home.core().await;
    for (volume, expected) in [
        ("EXAMPLE_INSTALLER", json!({"medium": "cd0", "tree": null, "unattended": false, "restarts": 2})),
        ("EXAMPLE_STAYS", json!({"medium": null, "tree": null, "unattended": false, "restarts": 1})),
        ("EXAMPLE_LIVE", json!(null)),
        ("EXAMPLE_RESCUE", json!(null)),
        ("ANYTHING", json!(null)),
    ] {
        let iso = home.file(&format!("{volume}.iso"), Disc { volume, ..Disc::default() }.bytes());
        home.hv(["create", volume, "--iso", &iso, "--disk", "1MiB"]).await.done();
        let guest = home.hv(["show", volume, "--json"]).await.json();
        assert_eq!((&guest["installing"], &guest["installed"]), (&expected, &json!(null)), "{volume}");
    }
    // A disk with something on it is not to be installed.
    let iso = home.text("EXAMPLE_INSTALLER.iso");
    home.hv(["create", "no disk", "--iso", &iso, "--no-disk"]).await.done();
    assert_eq!(home.hv(["show", "no disk", "--json"]).await.json()["installing"], json!(null));
    let table = home.hv(["list"]).await.done();
    assert!(
        table.lines().any(|line| line.starts_with("EXAMPLE_INSTALLER") && line.contains("off, installing")),
        "{table}"
    );
}
