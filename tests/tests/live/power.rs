//! Real guests that restart, listen to no power button, and are reset.

use hv_api::{Core, CrashAction, EndAction, GuestState, PowerSettings, Settings, StateReason};
use hv_tests::{Follower, Home, Process};

/// What the firmware takes for a wish to restart.
const RESTART: [&str; 3] = ["ctrl", "alt", "delete"];

async fn firmware(home: &Home, events: &mut Follower) {
    home.hv(["create", "bios", "--empty", "--no-disk", "--nic", "none", "--memory", "64MiB", "--start"])
        .await
        .done();
    events.state("bios", GuestState::Running).await;
}

#[tokio::test]
async fn a_guest_that_restarts_itself_goes_by_the_rule_that_was_set_while_it_ran() {
    let home = Home::new();
    let _core = home.core().await;
    let mut core = home.connect().await;
    let mut events = Follower::begin(home.connect().await).await;
    firmware(&home, &mut events).await;
    home.hv(["set", "bios", "on-reboot=preserve"]).await.done();
    let keys = RESTART.map(str::to_owned);
    // It may take a moment until the firmware reads its keyboard.
    let kept = async {
        loop {
            core.send_keys("bios", &keys).await.unwrap().unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            let guest = core.show("bios").await.unwrap().unwrap().guest;
            if guest.state == GuestState::Paused {
                return guest;
            }
        }
    };
    assert_eq!(hv_tests::within("it restarts", kept).await.reason, Some(StateReason::Rebooted));
    // Nothing in it listens to the power button: a restart is a reset, whatever the rule is.
    assert_eq!(core.resume("bios").await.unwrap().unwrap().guest.state, GuestState::Running);
    let pid = core.show("bios").await.unwrap().unwrap().guest.pid;
    let restarted = core.restart("bios").await.unwrap().unwrap().guest;
    assert_eq!((restarted.state, restarted.pid), (GuestState::Running, pid));
    let reset = core.reset("bios").await.unwrap().unwrap().guest;
    assert_eq!((reset.state, reset.pid), (GuestState::Running, pid));
    // Where changes are pending, it gets another machine.
    home.hv(["set", "bios", "memory=128MiB"]).await.done();
    let renewed = core.restart("bios").await.unwrap().unwrap().guest;
    assert!(renewed.pid != pid && renewed.pending.is_empty(), "{renewed:?}");

    core.shutdown("bios").await.unwrap().unwrap();
    let asked = core.show("bios").await.unwrap().unwrap().guest.waiting.expect("it is waited for");
    assert!(!asked.heard, "{asked:?}");
    home.hv(["force-off", "bios"]).await.done();
}

#[tokio::test]
async fn an_engine_that_is_killed_is_launched_again_where_the_rule_says_so() {
    let home = Home::new();
    let _core = home.core().await;
    let mut core = home.connect().await;
    let mut events = Follower::begin(home.connect().await).await;
    firmware(&home, &mut events).await;
    let power = Some(PowerSettings {
        on_crash: Some(CrashAction::CoredumpRestart),
        on_poweroff: Some(EndAction::Preserve),
        ..PowerSettings::default()
    });
    core.set("bios", &Settings { power, ..Settings::default() }).await.unwrap().unwrap();
    let pid = core.show("bios").await.unwrap().unwrap().guest.pid.expect("a process");
    Process::with_pid(pid).expect("it runs").kill();
    let renewed = |library: &hv_api::Library| {
        library.guests().all(|guest| guest.state == GuestState::Running && guest.pid != Some(pid))
    };
    events.until("another engine", renewed).await;
    home.hv(["force-off", "bios"]).await.done();
}
