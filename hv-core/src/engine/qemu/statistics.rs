//! What a machine has used so far: from QMP, and from what the kernel counts of QEMU's process.
//!
//! Everything is asked at once and waited for briefly: what QEMU doesn't answer is left out, and a QEMU
//! that answers nothing still has a process. The guest is asked about its memory only while
//! [`observe_memory`] is on; its agent, where one runs, tells what its network cards have sent.

use super::agent::Agent;
use super::disks::disk_of;
use super::process::Process;
use super::qmp::Client;
use crate::engine::EngineError;
use hv_api::{
    ByteSize, CpuStatistics, DiskStatistics, GuestMemory, GuestStatistics, MemoryStatistics, VcpuStatistics,
};
use rustix::time::ClockId;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::debug;

/// How long QEMU may take to answer. It takes a millisecond, and the next question comes in a second.
const DEADLINE: Duration = Duration::from_secs(2);

/// How often the guest is asked about its memory while it is observed, in seconds.
const INTERVAL: u64 = 1;

/// How old what the guest said may be, in seconds. A guest without a driver says nothing anew.
const FRESH: u64 = 10;

/// Where the balloon is, which asks the guest about its memory.
const BALLOON: &str = "/machine/peripheral/balloon0";

/// What QEMU writes for a value that the guest didn't tell.
const UNTOLD: u64 = u64::MAX;

/// More than any of the kernel's files about a process or thread has that are read here.
const FILE_LIMIT: u64 = 4096;

/// Measures a machine.
///
/// # Errors
/// `Gone` where the process has ended.
pub async fn measure(
    client: &Client,
    process: &Process,
    agent: Option<&Agent>,
) -> Result<GuestStatistics, EngineError> {
    let (cpus, blocks, balloon, guest, nics) = tokio::join!(
        ask(client, "query-cpus-fast", json!({})),
        ask(client, "query-blockstats", json!({})),
        ask(client, "query-balloon", json!({})),
        ask(client, "qom-get", json!({ "path": BALLOON, "property": "guest-stats" })),
        async {
            let told = agent?.nics(client).await;
            told.inspect_err(|error| debug!(%error, "no agent tells of the network")).ok()
        },
    );
    let pid = process.pid();
    let threads = cpus.as_ref().and_then(threads);
    let time = monotonic();
    let engine = file(&format!("/proc/{pid}/stat")).and_then(|text| process_time(&text));
    let engine = engine.ok_or(EngineError::Gone)?;
    let vcpus = threads.map(|threads| {
        let vcpu = |(number, thread): (u32, u32)| {
            let text = file(&format!("/proc/{pid}/task/{thread}/schedstat"))?;
            Some(VcpuStatistics { number, time: text.split_whitespace().next()?.parse().ok()? })
        };
        threads.into_iter().filter_map(vcpu).collect()
    });
    let resident = file(&format!("/proc/{pid}/statm")).and_then(|text| resident(&text)).unwrap_or_default();
    let assigned = balloon.and_then(|answer| answer.get("actual")?.as_u64()).map(ByteSize::bytes);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(GuestStatistics {
        time,
        cpu: CpuStatistics { engine, vcpus },
        memory: MemoryStatistics {
            resident: ByteSize::bytes(resident.saturating_mul(rustix::param::page_size() as u64)),
            assigned,
            guest: guest.and_then(|answer| guest_memory(&answer, now)),
        },
        disks: blocks.as_ref().and_then(disks),
        nics,
    })
}

/// Begins or ceases to ask the guest about its memory. QEMU does that by a timer of its own, which wakes
/// the guest each time.
///
/// # Errors
/// As [`Client::call`].
pub async fn observe_memory(client: &Client, on: bool) -> Result<(), EngineError> {
    let seconds = if on { INTERVAL } else { 0 };
    let arguments = json!({ "path": BALLOON, "property": "guest-stats-polling-interval", "value": seconds });
    client.call_within("qom-set", arguments, Vec::new(), DEADLINE).await.map(|_done| ())
}

async fn ask(client: &Client, command: &str, arguments: Value) -> Option<Value> {
    let answer = client.call_within(command, arguments, Vec::new(), DEADLINE).await;
    answer.inspect_err(|error| debug!(%error, command, "left out of the statistics")).ok()
}

/// Nanoseconds of the monotonic clock, in which the kernel counts as well.
fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    let (seconds, rest) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or_default().saturating_mul(1_000_000_000).saturating_add(rest.unwrap_or_default())
}

fn file(path: &str) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(FILE_LIMIT).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Nanoseconds that all threads of a process have used, from `/proc/PID/stat`.
fn process_time(stat: &str) -> Option<u64> {
    // Its second field is the process's name in brackets, which the guest's name is part of and which may
    // have any character in it.
    let fields: Vec<_> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
    let nanoseconds = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    Some(ticks(11)?.saturating_add(ticks(12)?).saturating_mul(nanoseconds))
}

/// Pages that a process has in memory, from `/proc/PID/statm`.
fn resident(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// The thread of each virtual CPU, in an answer to `query-cpus-fast`.
fn threads(answer: &Value) -> Option<Vec<(u32, u32)>> {
    let thread = |cpu: &Value| {
        let number = |key| u32::try_from(cpu.get(key)?.as_u64()?).ok();
        Some((number("cpu-index")?, number("thread-id")?))
    };
    Some(answer.as_array()?.iter().filter_map(thread).collect())
}

/// What was read and written, in an answer to `query-blockstats`.
fn disks(answer: &Value) -> Option<Vec<DiskStatistics>> {
    #[derive(Deserialize)]
    struct Block {
        qdev: String,
        stats: Counters,
    }
    #[derive(Deserialize)]
    struct Counters {
        rd_bytes: u64,
        wr_bytes: u64,
        rd_operations: u64,
        wr_operations: u64,
        flush_operations: u64,
    }
    let disk = |block: &Value| {
        // What has no device is none of the guest's.
        let Block { qdev, stats } = Block::deserialize(block).ok()?;
        Some(DiskStatistics {
            name: name_of(&qdev)?,
            read: stats.rd_bytes,
            written: stats.wr_bytes,
            reads: stats.rd_operations,
            writes: stats.wr_operations,
            flushes: stats.flush_operations,
        })
    };
    Some(answer.as_array()?.iter().filter_map(disk).collect())
}

/// `/machine/peripheral/vd0/virtio-backend` → `disk0`, `cd0` → `cd0`; nothing for devices that have no
/// name of ours.
fn name_of(device: &str) -> Option<String> {
    let path = device.strip_prefix("/machine/peripheral/").unwrap_or(device);
    let name = path.split('/').next()?;
    if let Some(disk) = disk_of(name) {
        return Some(disk.to_string());
    }
    let number = name.strip_prefix("cd").filter(|rest| rest.parse::<u32>().is_ok());
    number.map(|_number| name.to_owned())
}

/// What the guest said last about its memory, at most [`FRESH`] seconds before `now`.
fn guest_memory(answer: &Value, now: u64) -> Option<GuestMemory> {
    let told = answer.get("last-update")?.as_u64().filter(|told| *told > 0)?;
    if now.saturating_sub(told) > FRESH {
        return None;
    }
    let stats = answer.get("stats")?;
    let value = |key| Some(ByteSize::bytes(stats.get(key)?.as_u64().filter(|value| *value != UNTOLD)?));
    Some(GuestMemory {
        total: value("stat-total-memory"),
        available: value("stat-available-memory"),
        free: value("stat-free-memory"),
        caches: value("stat-disk-caches"),
        swapped_in: value("stat-swap-in"),
        swapped_out: value("stat-swap-out"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_process_is_measured_whatever_its_name_is() {
        let rest = "S 21806 21805 17064 0 -1 138412416 7399 0 31 0 23 8 0 0 20 0 7 0 1398745";
        for name in ["hv-Debian", "hv-) S 1 2", "hv-a b\n(", ""] {
            let time = process_time(&format!("21851 ({name}) {rest}")).expect("a time");
            assert_eq!(time, 31 * 1_000_000_000 / rustix::param::clock_ticks_per_second());
        }
        for wrong in ["", "1 (x", "1 (x) S", "1 (x) S 1 2 3 4 5 6 7 8 9 10 a b"] {
            assert_eq!(process_time(wrong), None, "{wrong}");
        }
        let own = process_time(&file("/proc/self/stat").expect("a file")).expect("a time");
        assert!(own < 1_000_000_000 * 3600, "{own}");
        let pages = resident(&file("/proc/self/statm").expect("a file")).expect("memory");
        assert!(pages > 100, "{pages}");
    }

    #[test]
    fn disks_have_the_names_that_people_know_them_by() {
        // As QEMU 7.2 and 10.0 say it, shortened.
        let block = |extra: Value| {
            let mut block = json!({ "device": "", "stats": {
                "rd_bytes": 512, "wr_bytes": 2, "rd_operations": 1, "wr_operations": 4,
                "flush_operations": 5, "timed_stats": [], "account_failed": true } });
            block.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
            block
        };
        let answer = json!([
            block(json!({ "node-name": "disk0", "qdev": "/machine/peripheral/vd0/virtio-backend" })),
            block(json!({ "node-name": "medium0", "qdev": "/machine/peripheral/cd0" })),
            block(json!({ "qdev": "cd1" })),
            block(json!({ "node-name": "pflash" })),
            block(json!({ "qdev": "/machine/unattached/device[3]" })),
            { "qdev": "cd2" },
        ]);
        let found = disks(&answer).expect("a list");
        let names: Vec<_> = found.iter().map(|disk| disk.name.as_str()).collect();
        assert_eq!(names, ["disk0", "cd0", "cd1"]);
        assert_eq!((found[0].read, found[0].written, found[0].reads), (512, 2, 1));
        assert_eq!((found[0].writes, found[0].flushes), (4, 5));
    }

    #[test]
    fn only_what_the_guest_said_just_now_counts() {
        let answer = |told: u64| {
            json!({ "last-update": told, "stats": { "stat-total-memory": 100, "stat-available-memory": UNTOLD,
                "stat-free-memory": 40, "stat-swap-in": 0 } })
        };
        assert_eq!(guest_memory(&answer(0), 5), None, "it never said anything");
        assert_eq!(guest_memory(&answer(1000), 1011), None);
        let expected = GuestMemory {
            total: Some(ByteSize::bytes(100)),
            free: Some(ByteSize::bytes(40)),
            swapped_in: Some(ByteSize::bytes(0)),
            ..Default::default()
        };
        assert_eq!(guest_memory(&answer(1000), 1010), Some(expected.clone()));
        assert_eq!(guest_memory(&answer(1001), 1000), Some(expected), "the clock was set back");
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "[a-z0-9/-]{0,12}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("stats".to_owned()),
            Just("qdev".to_owned()),
            Just("last-update".to_owned()),
            Just("cpu-index".to_owned()),
            Just("thread-id".to_owned()),
            Just("rd_bytes".to_owned()),
            "[a-z-]{1,8}",
        ];
        leaf.prop_recursive(3, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd(answer in anything(), now in any::<u64>(), text in ".{0,80}") {
            let _ = (threads(&answer), disks(&answer), guest_memory(&answer, now));
            let _ = (process_time(&text), resident(&text), name_of(&text));
        }
    }
}
