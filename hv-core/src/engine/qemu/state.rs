//! All that a machine is, written to a file and read back: QEMU's migration, to and from a descriptor.
//!
//! Promises that each of both ends within a deadline while nothing moves, and that what QEMU still does of a
//! migration that was given up is over when [`cancel`] answers. Who stops the CPUs and lets them run is left to
//! the guest's task.

use super::qmp::{CALL_DEADLINE, Client};
use crate::engine::{Amount, EngineError};
use hv_api::ByteSize;
use rustix::fs::{SeekFrom, seek};
use serde::Deserialize;
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tracing::debug;

/// QEMU's name of the descriptor.
const NAME: &str = "state";

/// The most that is written in a second: no bound, in a number that JSON keeps exactly.
const BANDWIDTH: u64 = 1 << 52;

/// How long to wait for news before it is asked how far it has come.
const LOOK: Duration = Duration::from_millis(50);

/// How long QEMU may take to say how far it has come. While it writes the last part, it hears nothing.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// How long nothing may move. A disk that sleeps wakes up sooner.
const STANDSTILL: Duration = Duration::from_secs(120);

/// How often QEMU is asked whether it has put the end of a migration behind it, which it tells by no event.
const END_LOOK: Duration = Duration::from_millis(2);

/// How long QEMU may take to end a migration that was given up.
const CANCEL_DEADLINE: Duration = Duration::from_secs(30);

/// An answer to `query-migrate`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Migration {
    status: Option<String>,
    ram: Option<Ram>,
    error_desc: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ram {
    total: u64,
    remaining: u64,
}

/// How a migration stands.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// There is none, or it was cancelled.
    None,
    /// It goes on.
    GoesOn,
    /// It is complete.
    Complete,
    /// It failed.
    Failed(String),
}

impl Migration {
    fn read(answer: &Value) -> Self {
        // What can't be read is taken for nothing said.
        Self::deserialize(answer).unwrap_or_default()
    }

    fn standing(&self) -> Standing {
        match self.status.as_deref() {
            None | Some("none" | "cancelled") => Standing::None,
            Some("completed") => Standing::Complete,
            Some("failed") => Standing::Failed(self.error_desc.clone().unwrap_or_default()),
            Some(_) => Standing::GoesOn,
        }
    }

    fn amount(&self) -> Option<Amount> {
        let Ram { total, remaining } = *self.ram.as_ref()?;
        let done = ByteSize::bytes(total.saturating_sub(remaining));
        Some(Amount { done, total: ByteSize::bytes(total) })
    }
}

/// Writes the machine into a file. `news` is given a turn with each event about it.
pub async fn save(
    client: &Client,
    news: &Notify,
    file: OwnedFd,
    progress: &watch::Sender<Amount>,
) -> Result<(), EngineError> {
    prepare(client).await?;
    client.call("migrate-set-parameters", json!({ "max-bandwidth": BANDWIDTH })).await?;
    begin(client, file, "migrate").await?;
    follow(client, news, progress, Migration::amount).await
}

/// Reads the machine from a file.
pub async fn load(
    client: &Client,
    news: &Notify,
    file: OwnedFd,
    progress: &watch::Sender<Amount>,
) -> Result<(), EngineError> {
    let failed = |error: std::io::Error| EngineError::Refused { detail: error.to_string() };
    // Both descriptors have one position: how far QEMU has read shows in ours.
    let ours = file.try_clone().map_err(failed)?;
    let total = rustix::fs::fstat(&ours).map_err(|error| failed(error.into()))?.st_size;
    let total = ByteSize::bytes(u64::try_from(total).unwrap_or_default());
    prepare(client).await?;
    begin(client, file, "migrate-incoming").await?;
    let position = |_: &Migration| {
        let done = ByteSize::bytes(seek(&ours, SeekFrom::Current(0)).ok()?);
        Some(Amount { done, total })
    };
    follow(client, news, progress, position).await
}

async fn prepare(client: &Client) -> Result<(), EngineError> {
    let events = json!([{ "capability": "events", "state": true }]);
    client.call("migrate-set-capabilities", json!({ "capabilities": events })).await.map(drop)
}

async fn begin(client: &Client, file: OwnedFd, command: &str) -> Result<(), EngineError> {
    client.call_within("getfd", json!({ "fdname": NAME }), vec![file], CALL_DEADLINE).await?;
    let begun = client.call(command, json!({ "uri": format!("fd:{NAME}") })).await;
    if let Err(error) = begun {
        // It still has the descriptor under that name, unless it is the connection that failed.
        let _refused = client.call("closefd", json!({ "fdname": NAME })).await;
        return Err(error);
    }
    Ok(())
}

async fn query(client: &Client) -> Result<Migration, EngineError> {
    let answer = client.call_within("query-migrate", json!({}), Vec::new(), ANSWER_DEADLINE).await?;
    Ok(Migration::read(&answer))
}

async fn run_state(client: &Client) -> Result<String, EngineError> {
    let answer = client.call("query-status", json!({})).await?;
    Ok(answer.get("status").and_then(Value::as_str).unwrap_or_default().to_owned())
}

async fn follow(
    client: &Client,
    news: &Notify,
    progress: &watch::Sender<Amount>,
    amount: impl Fn(&Migration) -> Option<Amount>,
) -> Result<(), EngineError> {
    let mut moved = Instant::now();
    loop {
        let migration = query(client).await?;
        match migration.standing() {
            Standing::Complete => return Ok(()),
            Standing::Failed(detail) => return Err(EngineError::Refused { detail }),
            Standing::None => return Err(EngineError::Refused { detail: "it was cancelled".into() }),
            Standing::GoesOn => {}
        }
        if let Some(amount) = amount(&migration) {
            let news = progress.send_if_modified(|present| std::mem::replace(present, amount) != amount);
            if news {
                moved = Instant::now();
            }
        }
        if moved.elapsed() > STANDSTILL {
            return Err(EngineError::Silent { seconds: STANDSTILL.as_secs() as u32 });
        }
        // Asked in any case: how far it has come is told by no event.
        let _in_time = timeout(LOOK, news.notified()).await;
    }
}

/// Ends a migration that may go on.
pub async fn cancel(client: &Client, news: &Notify) -> Result<(), EngineError> {
    let ended = async {
        client.call("migrate_cancel", json!({})).await?;
        while query(client).await?.standing() == Standing::GoesOn {
            let _in_time = timeout(LOOK, news.notified()).await;
        }
        debug!("no migration goes on");
        // One that is complete is not over yet: for a moment QEMU refuses to run the machine.
        let migrated = loop {
            match run_state(client).await?.as_str() {
                "finish-migrate" => tokio::time::sleep(END_LOOK).await,
                state => break state == "postmigrate",
            }
        };
        if migrated {
            // It has let go of its disks for the machine that reads this, and takes them again only to run.
            client.call("cont", json!({})).await?;
            client.call("stop", json!({})).await?;
        }
        Ok(())
    };
    let silent = EngineError::Silent { seconds: CANCEL_DEADLINE.as_secs() as u32 };
    timeout(CANCEL_DEADLINE, ended).await.unwrap_or(Err(silent))
}

#[cfg(test)]
mod tests {
    use super::super::qmp::tests::connected;
    use super::*;
    use proptest::prelude::*;

    fn read(answer: &Value) -> (Standing, Option<Amount>) {
        let migration = Migration::read(answer);
        (migration.standing(), migration.amount())
    }

    #[test]
    fn what_qemu_says_of_a_migration_is_understood() {
        assert_eq!(read(&json!({})), (Standing::None, None));
        let active = json!({"status": "active", "ram": {"total": 1000, "remaining": 400, "transferred": 9}});
        let amount = Amount { done: ByteSize::bytes(600), total: ByteSize::bytes(1000) };
        assert_eq!(read(&active), (Standing::GoesOn, Some(amount)));
        for status in ["setup", "device", "cancelling", "pre-switchover", "something new"] {
            assert_eq!(read(&json!({ "status": status })).0, Standing::GoesOn, "{status}");
        }
        let failed = json!({"status": "failed", "error-desc": "No space left on device"});
        assert_eq!(read(&failed).0, Standing::Failed("No space left on device".into()));
        assert_eq!(read(&json!({"status": "completed"})).0, Standing::Complete);
    }

    #[tokio::test]
    async fn a_machine_runs_again_only_when_its_migration_is_over() {
        let ((client, _events, mut peer), news) = (connected().await, Notify::new());
        let serve = async {
            let mut asked = 0;
            loop {
                let command = peer.heard().await;
                let name = command["execute"].as_str().unwrap();
                let answer = match name {
                    "query-migrate" => "{\"status\": \"completed\"}",
                    "query-status" => {
                        asked += 1;
                        if asked < 4 {
                            "{\"status\": \"finish-migrate\"}"
                        } else {
                            "{\"status\": \"postmigrate\"}"
                        }
                    }
                    "cont" => {
                        assert_eq!(asked, 4, "it is asked to run before it can");
                        "{}"
                    }
                    _ => "{}",
                };
                peer.answer(&command["id"], answer).await;
                if name == "stop" {
                    break;
                }
            }
        };
        let (cancelled, ()) = tokio::join!(cancel(&client, &news), serve);
        assert_eq!(cancelled, Ok(()));
    }

    #[tokio::test]
    async fn a_machine_that_was_saved_earlier_and_has_run_since_is_left_alone() {
        let ((client, _events, mut peer), news) = (connected().await, Notify::new());
        let serve = async {
            for (name, answer) in [
                ("migrate_cancel", "{}"),
                ("query-migrate", "{\"status\": \"completed\"}"),
                ("query-status", "{\"status\": \"paused\"}"),
            ] {
                let command = peer.heard().await;
                assert_eq!(command["execute"], name);
                peer.answer(&command["id"], answer).await;
            }
        };
        let (cancelled, ()) = tokio::join!(cancel(&client, &news), serve);
        assert_eq!(cancelled, Ok(()));
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd(text in ".*", total: u64, remaining: u64) {
            for answer in [
                json!({"status": text, "ram": {"total": total, "remaining": remaining}}),
                json!({"status": total, "ram": text}),
                json!([text]),
                Value::Null,
            ] {
                let _any = read(&answer);
            }
        }
    }
}
