//! What QEMU knows of the guest's power button, and the guest's memory in a file after a crash.

use super::qmp::{CALL_DEADLINE, Client};
use crate::engine::EngineError;
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::time::Instant;

/// The port of the ACPI register that says which of the fixed events the guest's system wants to hear of.
/// Firmware has it 2 bytes above the base of power management, which is 0x600 on this chipset.
const FIXED_EVENTS: &str = "i/h 0x602";

/// The register's bit for the power button.
const POWER_BUTTON: u16 = 1 << 8;

/// How QEMU calls the file with the guest's memory.
const CORE: &str = "core";

/// How often QEMU is asked how far it has come, and how long it may make no progress.
const DUMP_GLANCE: Duration = Duration::from_millis(200);
const DUMP_STALL: Duration = Duration::from_secs(30);

/// Whether a system in the guest listens to the power button. Reading the register changes nothing.
pub async fn hears_button(client: &Client) -> Result<bool, EngineError> {
    let answer = client.call("human-monitor-command", json!({ "command-line": FIXED_EVENTS })).await?;
    let wanted = answer.as_str().and_then(register);
    wanted
        .map(|events| events & POWER_BUTTON != 0)
        .ok_or_else(|| EngineError::Refused { detail: format!("it answers with {}", shortened(&answer)) })
}

/// Writes the guest's memory into this file, as an ELF core. QEMU answers other questions meanwhile.
pub async fn dump_memory(client: &Client, file: OwnedFd) -> Result<(), EngineError> {
    client.call_within("getfd", json!({ "fdname": CORE }), vec![file], CALL_DEADLINE).await?;
    let arguments = json!({ "paging": false, "protocol": format!("fd:{CORE}"), "detach": true });
    client.call("dump-guest-memory", arguments).await?;
    let (mut progress, mut stalled) = (0, Instant::now() + DUMP_STALL);
    loop {
        let answer = client.call("query-dump", json!({})).await?;
        match answer.get("status").and_then(Value::as_str) {
            Some("completed") => return Ok(()),
            Some("active" | "none") => {}
            _ => {
                let detail = format!("the memory could not be written: {}", shortened(&answer));
                return Err(EngineError::Refused { detail });
            }
        }
        let completed = answer.get("completed").and_then(Value::as_u64).unwrap_or_default();
        if completed > progress {
            (progress, stalled) = (completed, Instant::now() + DUMP_STALL);
        } else if Instant::now() > stalled {
            return Err(EngineError::Silent { seconds: DUMP_STALL.as_secs() as u32 });
        }
        tokio::time::sleep(DUMP_GLANCE).await;
    }
}

/// `portw[0x0602] = 0x0120` → 0x120.
fn register(answer: &str) -> Option<u16> {
    let value = answer.trim().rsplit_once("= 0x")?.1;
    let events = u16::from_str_radix(value, 16).ok()?;
    // Where firmware has not yet put the register there, nothing answers and all lines are high.
    Some(if events == u16::MAX { 0 } else { events })
}

fn shortened(answer: &Value) -> String {
    answer.to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_register_is_read_as_qemu_writes_it() {
        assert_eq!(register("portw[0x0602] = 0x0120\r\n"), Some(0x120));
        assert_eq!(register("portb[0x0602] = 0x20\r\n"), Some(0x20));
        assert_eq!(register("portw[0x0602] = 0xffff\r\n"), Some(0));
        for odd in ["", "unknown command: 'i/h'\r\n", "= 0x", "= 0x12345", "portw[0x0602] = 0xzz"] {
            assert_eq!(register(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd(answer in ".*") {
            let _any = register(&answer);
            let _any = shortened(&json!(answer));
        }
    }
}
