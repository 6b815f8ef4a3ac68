//! What QEMU's events and states mean to a guest. Pure.

use super::disks::disk_of;
use super::pci;
use super::qmp::Event;
use crate::engine::{EngineEvent, MachineStatus};
use hv_api::ByteSize;
use serde::Deserialize;
use serde_json::Value;

/// Turns QEMU's events into ours, in their order.
#[derive(Debug, Default)]
pub struct Translator {
    /// The CPUs stand for a reason that was told already; that they stand is no news then.
    reason_told: bool,
}

impl Translator {
    /// For a machine that is found in this state.
    pub fn found(status: MachineStatus) -> Self {
        Self {
            reason_told: matches!(
                status,
                MachineStatus::PoweredOff | MachineStatus::Panicked | MachineStatus::Hung
            ),
        }
    }

    /// What this event says about the machine; nothing where it says nothing that matters here.
    pub fn translate(&mut self, event: &Event) -> Option<EngineEvent> {
        let told = match event.name.as_str() {
            "RESUME" => {
                self.reason_told = false;
                return Some(EngineEvent::Running);
            }
            "STOP" => return (!self.reason_told).then_some(EngineEvent::Paused),
            "RESET" => {
                self.reason_told = false;
                return Some(EngineEvent::Reset);
            }
            "SHUTDOWN" => shutdown(&event.data),
            "GUEST_PANICKED" => Some(EngineEvent::Panicked),
            "WATCHDOG" => Some(EngineEvent::Hung),
            "BLOCK_IO_ERROR" => disk_failed(&event.data),
            "BALLOON_CHANGE" => {
                let size = event.data.get("actual").and_then(Value::as_u64)?;
                return Some(EngineEvent::Memory(ByteSize::bytes(size)));
            }
            "DEVICE_DELETED" => {
                let device = event.data.get("device").and_then(Value::as_str)?;
                let pci = || pci::number_of(device).map(EngineEvent::PciGone);
                return disk_of(device).map(EngineEvent::DiskGone).or_else(pci);
            }
            _ => None,
        };
        self.reason_told |= told.is_some();
        told
    }
}

/// Whether this is about work that QEMU goes on with by itself: a migration or a job.
pub fn of_long_work(event: &Event) -> bool {
    matches!(event.name.as_str(), "MIGRATION" | "MIGRATION_PASS" | "JOB_STATUS_CHANGE")
}

/// Whether somebody opened a drive.
pub fn tray_opened(event: &Event) -> bool {
    event.name == "DEVICE_TRAY_MOVED" && event.data.get("tray-open") == Some(&Value::Bool(true))
}

/// The event that a machine in this state would have sent.
pub fn of_status(status: MachineStatus) -> EngineEvent {
    match status {
        MachineStatus::Running => EngineEvent::Running,
        MachineStatus::Paused => EngineEvent::Paused,
        MachineStatus::PoweredOff => EngineEvent::PoweredOff,
        MachineStatus::Panicked => EngineEvent::Panicked,
        MachineStatus::Hung => EngineEvent::Hung,
    }
}

/// The state in an answer to `query-status`.
pub fn status(answer: &Value) -> MachineStatus {
    match answer.get("status").and_then(Value::as_str) {
        // A guest that sleeps is one that runs and waits.
        Some("running" | "suspended") => MachineStatus::Running,
        Some("shutdown") => MachineStatus::PoweredOff,
        Some("guest-panicked") => MachineStatus::Panicked,
        Some("watchdog") => MachineStatus::Hung,
        // `paused`, `prelaunch`, `io-error`, `internal-error` and others in which no CPU runs.
        _ => MachineStatus::Paused,
    }
}

/// The drives that are open with their medium still in them, in an answer to `query-block`.
pub fn open_drives(answer: &Value) -> Vec<u32> {
    #[derive(Deserialize)]
    struct Block {
        qdev: Option<String>,
        tray_open: Option<bool>,
        inserted: Option<Value>,
    }
    let blocks = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let open = |block: &Value| {
        let block = Block::deserialize(block).ok()?;
        let name = block.qdev?;
        (block.tray_open? && block.inserted.is_some_and(|inserted| !inserted.is_null())).then_some(name)
    };
    blocks
        .iter()
        .filter_map(open)
        .filter_map(|name| name.rsplit('/').next()?.strip_prefix("cd")?.parse().ok())
        .collect()
}

/// Why a machine stands that a core finds, where a disk is why: in an answer to `query-block`.
pub fn failed_disk(answer: &Value) -> Option<EngineEvent> {
    let status = |block: &Value| block.get("io-status").and_then(Value::as_str).map(ToOwned::to_owned);
    let failed = answer.as_array()?.iter().filter_map(|block| Some((block, status(block)?)));
    let (block, status) = failed.into_iter().find(|(_, status)| status != "ok")?;
    let node = block.get("inserted").and_then(|inserted| inserted.get("node-name")).and_then(Value::as_str);
    Some(EngineEvent::DiskFailed {
        full: status == "nospace",
        detail: format!("{}: {status}", node.unwrap_or("disk")),
    })
}

fn shutdown(data: &Value) -> Option<EngineEvent> {
    let by_guest = data.get("guest") == Some(&Value::Bool(true));
    match data.get("reason").and_then(Value::as_str) {
        Some("guest-panic") => Some(EngineEvent::Panicked),
        Some("guest-reset") if by_guest => Some(EngineEvent::Rebooted),
        _ if by_guest => Some(EngineEvent::PoweredOff),
        // `host-qmp-quit`, `host-signal`: the engine ends, which is told when it has ended.
        _ => None,
    }
}

fn disk_failed(data: &Value) -> Option<EngineEvent> {
    let field = |name: &str| data.get(name).and_then(Value::as_str);
    // Otherwise the guest was told of the error and goes on, as with a scratched disc.
    if field("action") != Some("stop") {
        return None;
    }
    let disk = field("node-name").unwrap_or("disk");
    let operation = field("operation").unwrap_or("access");
    let reason = field("reason").unwrap_or("unknown error");
    Some(EngineEvent::DiskFailed {
        full: data.get("nospace") == Some(&Value::Bool(true)),
        detail: format!("{disk}: {operation}: {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn event(name: &str, data: Value) -> Event {
        Event { name: name.into(), data }
    }

    fn told(events: &[Event]) -> Vec<EngineEvent> {
        let mut translator = Translator::default();
        events.iter().filter_map(|event| translator.translate(event)).collect()
    }

    #[test]
    fn a_guest_that_powers_off_is_not_paused_as_well() {
        let events = [
            event("RESUME", Value::Null),
            event("SHUTDOWN", json!({"guest": true, "reason": "guest-shutdown"})),
            event("STOP", Value::Null),
        ];
        assert_eq!(told(&events), [EngineEvent::Running, EngineEvent::PoweredOff]);
    }

    #[test]
    fn a_reset_makes_a_pause_news_again() {
        let events = [
            event("GUEST_PANICKED", json!({"action": "pause"})),
            event("STOP", Value::Null),
            event("RESET", json!({"guest": false, "reason": "host-qmp-system-reset"})),
            event("RESUME", Value::Null),
            event("STOP", Value::Null),
        ];
        assert_eq!(
            told(&events),
            [EngineEvent::Panicked, EngineEvent::Reset, EngineEvent::Running, EngineEvent::Paused]
        );
    }

    #[test]
    fn a_guest_that_restarts_itself_where_it_may_not_is_told_apart_from_one_that_powers_off() {
        let events =
            [event("SHUTDOWN", json!({"guest": true, "reason": "guest-reset"})), event("STOP", Value::Null)];
        assert_eq!(told(&events), [EngineEvent::Rebooted]);
    }

    #[test]
    fn an_engine_that_is_told_to_end_is_no_guest_that_powers_off() {
        let events = [event("SHUTDOWN", json!({"guest": false, "reason": "host-qmp-quit"}))];
        assert_eq!(told(&events), []);
    }

    #[test]
    fn only_disk_errors_that_stop_the_guest_are_told() {
        let failure = |action: &str| {
            event(
                "BLOCK_IO_ERROR",
                json!({"device": "", "node-name": "disk0", "operation": "write", "action": action,
                    "nospace": true, "reason": "No space left on device"}),
            )
        };
        assert_eq!(
            told(&[failure("report"), failure("stop"), failure("stop"), event("STOP", Value::Null)]),
            [(); 2].map(|()| EngineEvent::DiskFailed {
                full: true,
                detail: "disk0: write: No space left on device".into()
            })
        );
    }

    #[test]
    fn only_open_drives_that_still_hold_something_count() {
        let answer = json!([
            {"qdev": "/machine/peripheral/cd0", "tray_open": true, "inserted": {"file": "x"}},
            {"qdev": "cd1", "tray_open": true},
            {"qdev": "cd2", "tray_open": false, "inserted": {"file": "x"}},
            {"qdev": "cd3", "tray_open": true, "inserted": {"file": "x"}},
            {"qdev": "/machine/peripheral/vd0/virtio-backend", "inserted": {"file": "x"}},
            "nonsense",
        ]);
        assert_eq!(open_drives(&answer), [0_u32, 3]);
        assert!(open_drives(&Value::Null).is_empty());
    }

    #[test]
    fn a_machine_that_is_found_says_which_disk_it_stands_for() {
        let block =
            |status: &str| json!({"device": "", "io-status": status, "inserted": {"node-name": "disk1"}});
        let drive = json!({"device": "", "locked": false});
        assert_eq!(failed_disk(&json!([drive, block("ok")])), None);
        for (status, full) in [("nospace", true), ("failed", false)] {
            let told = Some(EngineEvent::DiskFailed { full, detail: format!("disk1: {status}") });
            assert_eq!(failed_disk(&json!([drive, block("ok"), block(status)])), told);
        }
        assert_eq!(failed_disk(&json!({"odd": true})), None);
    }

    proptest! {
        #[test]
        fn no_event_is_too_odd(name in "[A-Z_]{0,20}|SHUTDOWN|BLOCK_IO_ERROR", text in ".*", flag: bool) {
            let data = json!({"guest": flag, "reason": text, "action": text, "nospace": text});
            for data in [data, json!(text), json!([flag]), Value::Null] {
                let event = event(&name, data);
                let _any = Translator::default().translate(&event);
                let _any = tray_opened(&event);
                let _any = status(&event.data);
                let _any = open_drives(&event.data);
            }
        }
    }
}
