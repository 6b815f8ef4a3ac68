//! What a guest uses, for programs and for people.

use super::human::block;
use hv_api::{
    ByteSize, DiskStatistics, GuestMemory, GuestStatistics, MemoryStatistics, NicStatistics, Usage,
    VcpuStatistics,
};
use serde::Serialize;
use std::fmt::Write as _;

/// What stands where something is not told.
const UNTOLD: &str = "-";

/// The widths of the columns of [`usage_line`].
const WIDTHS: [usize; 6] = [7, 24, 13, 13, 13, 0];

/// A measurement, with what it grew by since the one before it, a second.
#[derive(Debug, Serialize)]
pub struct StatisticsView<'a> {
    time: u64,
    cpu: CpuView<'a>,
    memory: MemoryView<'a>,
    disks: Option<&'a [DiskStatistics]>,
    nics: Option<&'a [NicStatistics]>,
    rates: Option<RatesView>,
}

#[derive(Debug, Serialize)]
struct CpuView<'a> {
    usage: Option<f64>,
    host_cpus: Option<f64>,
    engine: u64,
    vcpus: Option<&'a [VcpuStatistics]>,
}

#[derive(Debug, Serialize)]
struct MemoryView<'a> {
    resident: ByteSize,
    assigned: Option<ByteSize>,
    used: Option<ByteSize>,
    guest: Option<&'a GuestMemory>,
}

#[derive(Debug, Serialize)]
struct RatesView {
    read: Option<f64>,
    written: Option<f64>,
    received: Option<f64>,
    sent: Option<f64>,
}

impl<'a> StatisticsView<'a> {
    /// Of a measurement and its difference to the one before it.
    pub fn new(measured: &'a GuestStatistics, usage: Option<&Usage>) -> Self {
        let GuestStatistics { time, cpu, memory, disks, nics } = measured;
        Self {
            time: *time,
            cpu: CpuView {
                usage: usage.and_then(|usage| usage.cpu),
                host_cpus: usage.map(|usage| usage.host_cpus),
                engine: cpu.engine,
                vcpus: cpu.vcpus.as_deref(),
            },
            memory: MemoryView {
                resident: memory.resident,
                assigned: memory.assigned,
                used: memory.used().map(|(used, _total)| used),
                guest: memory.guest.as_ref(),
            },
            disks: disks.as_deref(),
            nics: nics.as_deref(),
            rates: usage.map(|usage| RatesView {
                read: usage.read,
                written: usage.written,
                received: usage.received,
                sent: usage.sent,
            }),
        }
    }
}

/// What a guest uses, one fact a line.
pub fn usage_block(name: &str, measured: &GuestStatistics, usage: &Usage) -> String {
    let cpus = match measured.cpu.vcpus.as_deref() {
        None => String::new(),
        Some([_one]) => " of its one CPU".to_owned(),
        Some(vcpus) => format!(" of its {} CPUs", vcpus.len()),
    };
    let mut facts = vec![
        ("CPU", format!("{}{cpus}", percent(usage.cpu))),
        ("Host's CPUs", format!("{:.2} in use", usage.host_cpus)),
        ("Memory", memory(&measured.memory)),
        ("Host's memory", format!("{} in use", measured.memory.resident)),
    ];
    for disk in measured.disks.iter().flatten() {
        let total = |bytes| ByteSize::bytes(bytes);
        let told = format!(
            "{}: {} read, {} written since its start",
            disk.name,
            total(disk.read),
            total(disk.written)
        );
        facts.push(("Disk", told));
    }
    facts.push(("Disks", format!("{} read, {} written", rate(usage.read), rate(usage.written))));
    for address in measured.nics.iter().flatten().flat_map(|nic| &nic.addresses) {
        facts.push(("Address", address.clone()));
    }
    facts.push((
        "Network",
        match measured.nics {
            Some(_) => format!("{} received, {} sent", rate(usage.received), rate(usage.sent)),
            None => "not counted: the guest runs no agent that tells".to_owned(),
        },
    ));
    block(name, &facts)
}

/// The head over [`usage_line`]s.
pub fn usage_head() -> String {
    columns(["CPU", "MEMORY", "READ", "WRITTEN", "RECEIVED", "SENT"])
}

/// What a guest uses, in a line.
pub fn usage_line(measured: &GuestStatistics, usage: &Usage) -> String {
    let used = match measured.memory.used() {
        Some((used, total)) => format!("{used} / {total}"),
        None => measured.memory.assigned.map_or_else(|| UNTOLD.to_owned(), |size| format!("- / {size}")),
    };
    let rates = [usage.read, usage.written, usage.received, usage.sent].map(rate);
    let [read, written, received, sent] = rates;
    columns([&percent(usage.cpu), &used, &read, &written, &received, &sent])
}

fn columns(cells: [&str; 6]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(WIDTHS) {
        // Writing into a string can't fail.
        let _done = write!(line, "{cell:width$}");
    }
    line.trim_end().to_owned()
}

fn memory(memory: &MemoryStatistics) -> String {
    let assigned = memory.assigned.map_or_else(|| UNTOLD.to_owned(), |size| size.to_string());
    match memory.used() {
        Some((used, total)) => format!("{used} of {total} used, as the guest says; it has {assigned}"),
        None => format!("the guest has {assigned}, and does not say how much it uses"),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| UNTOLD.to_owned(), |share| format!("{:.0} %", share * 100.0))
}

fn rate(bytes: Option<f64>) -> String {
    bytes.map_or_else(|| UNTOLD.to_owned(), |bytes| format!("{}/s", ByteSize::bytes(bytes as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::CpuStatistics;

    fn measured() -> GuestStatistics {
        let disk = DiskStatistics { name: "disk\u{1b}0".into(), read: 3 << 20, ..Default::default() };
        GuestStatistics {
            time: 5,
            cpu: CpuStatistics { engine: 7, vcpus: Some(vec![VcpuStatistics { number: 0, time: 6 }]) },
            memory: MemoryStatistics {
                resident: ByteSize::mib(300),
                assigned: Some(ByteSize::mib(512)),
                guest: None,
            },
            disks: Some(vec![disk]),
            nics: None,
        }
    }

    fn usage() -> Usage {
        Usage { cpu: Some(0.117), host_cpus: 0.25, read: Some(2048.0), ..Default::default() }
    }

    #[test]
    fn programs_get_counters_and_rates() {
        let json = serde_json::to_value(StatisticsView::new(&measured(), Some(&usage()))).expect("JSON");
        assert_eq!(json["cpu"]["usage"], 0.117);
        assert_eq!(json["cpu"]["vcpus"][0], serde_json::json!({ "number": 0, "time": 6 }));
        assert_eq!(json["memory"]["resident"], 300 << 20);
        assert_eq!(json["memory"]["guest"], serde_json::Value::Null);
        assert_eq!((&json["rates"]["read"], &json["rates"]["sent"]), (&2048.0.into(), &().into()));
        let first = serde_json::to_value(StatisticsView::new(&measured(), None)).expect("JSON");
        assert_eq!((&first["rates"], &first["cpu"]["usage"]), (&().into(), &().into()));
    }

    #[test]
    fn people_are_told_what_is_not_known() {
        let text = usage_block("one", &measured(), &usage());
        assert!(text.contains("CPU            12 % of its one CPU\n"), "{text}");
        assert!(text.contains("the guest has 512 MiB, and does not say"), "{text}");
        assert!(text.contains("Disk           disk\\u{1b}0: 3 MiB read"), "{text}");
        assert!(text.contains("Disks          2 KiB/s read, - written\n"), "{text}");
        assert!(text.contains("not counted"), "{text}");
        let line = usage_line(&measured(), &usage());
        assert_eq!(line, "12 %   - / 512 MiB             2 KiB/s      -            -            -");
        assert_eq!(line.find("2 KiB"), usage_head().find("READ"));
    }
}
