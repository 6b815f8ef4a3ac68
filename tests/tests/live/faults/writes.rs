//! The disk fails at a change of a file that a deed makes, and at all that follow: it is full, becomes read-only, or takes a
//! right away. Who asked is told, nothing is lost, and when the disk is well again, the same core does what it was
//! asked for.
//!
//! With `GUESTHOUSE_EVERY_FAULT` in the environment each change of each deed meets each fault, which takes some minutes;
//! else each fourth change meets one of them.

use super::{DEEDS, Deed, Stage, can_run};
use hv_tests::{DiskFault, FaultyDisk, Ran};
use serde_json::Value;

const FAULTS: [DiskFault; 3] = [DiskFault::Full, DiskFault::ReadOnly, DiskFault::NoPermission];

/// What is said of a deed that failed.
fn told(ran: &Ran) -> Value {
    let last = ran.out.lines().last().expect("an answer");
    serde_json::from_str::<Value>(last).expect("JSON")["error"].take()
}

impl Stage {
    /// Does it while the disk fails from so many changes on; false where none of them met that.
    async fn hinder(&self, disk: &FaultyDisk, deed: Deed, fault: DiskFault, at: u32) -> bool {
        let core = self.home.core_under(&disk.wrapper()).await;
        self.make_ready(deed).await;
        disk.fail(fault, at);
        let ran = self.home.hv(deed.words().iter().chain(&["--json"])).await;
        let known = self.home.hv(["list", "--json"]).await.done();
        let what = format!("{deed:?} with a disk that is {fault:?} from change {at} on");
        let Some(met) = disk.mend() else {
            assert_eq!(ran.code, 0, "{what}: {ran:?}");
            core.kill().await;
            return false;
        };
        let what = format!("{what} ({met})");
        // Also while it fails, guests are there, and the core answers.
        assert!(known.contains(r#""name":"one""#) && !known.contains("unavailable"), "{what}: {known}");
        if ran.code != 0 {
            let error = told(&ran);
            let code = error["code"].as_str().expect("a code");
            let fits: &[&str] = match fault {
                DiskFault::Full => &["no-space"],
                DiskFault::ReadOnly | DiskFault::NoPermission => {
                    &["store-failed", "engine-refused", "start-failed"]
                }
            };
            assert!(fits.contains(&code), "{what}: {error}");
            for words in ["what", "why", "remedy"] {
                assert!(error[words].as_str().is_some_and(|words| words.ends_with('.')), "{what}: {error}");
            }
            // Nobody who wants to be rid of a running guest is told to make room first.
            assert_ne!((deed, deed.state()), (Deed::ForceOff, "running"), "{what}: {error}");
            let again = self.home.hv(deed.words()).await;
            assert_eq!((again.code, again.err.as_str()), (0, ""), "{what}, and then again");
        }
        core.kill().await;
        self.check(&what).await;
        true
    }
}

#[tokio::test]
async fn a_disk_that_fails_at_any_change_loses_nothing() {
    if !can_run() {
        return;
    }
    let every = std::env::var_os("GUESTHOUSE_EVERY_FAULT").is_some();
    let step = if every { 1 } else { 4 };
    let stage = Stage::new().await;
    let disk = FaultyDisk::new(&stage.home);
    for (number, deed) in DEEDS.into_iter().enumerate() {
        let faults = FAULTS.iter().enumerate().filter(|(fault, _)| every || number % FAULTS.len() == *fault);
        for (_, fault) in faults {
            // Each begins elsewhere, so that what deeds do in the same way is met at each of its changes.
            let mut at = 1 + number as u32 % step;
            while stage.hinder(&disk, deed, *fault, at).await {
                at += step;
                assert!(at < 200, "{deed:?} comes to no end");
            }
        }
    }
    stage.end().await;
}
