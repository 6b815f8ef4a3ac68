//! What is measured, and with what.

use hv_tests::ui::Desktop;
use std::fs;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// How long a window has to stand still to count as filled.
const STILL: Duration = Duration::from_millis(1500);

/// How often it is looked at until then.
const LOOK: Duration = Duration::from_millis(5);

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long something takes.
pub async fn stopwatch<T>(work: impl Future<Output = T>) -> Duration {
    let begun = Instant::now();
    work.await;
    begun.elapsed()
}

/// The middle one.
pub fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).expect("figures that can be compared"));
    values[values.len() / 2]
}

/// A duration for the table.
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

/// The memory that a process has in use, for the table.
pub fn memory(pid: u32) -> String {
    format!("{:.1} MiB", resident(pid))
}

/// The same in MiB.
pub fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes / 1024.0
}

/// What all threads of a process have done so far: how often they gave up the processor of themselves,
/// which is once for each time they were woken, and how long they had one.
fn work(pid: u32) -> (u64, Duration) {
    let (mut wake_ups, mut time) = (0, Duration::ZERO);
    for thread in fs::read_dir(format!("/proc/{pid}/task")).expect("a process").flatten() {
        // A thread may end in the meantime.
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        wake_ups += switches.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or_default();
        let scheduled = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let nanoseconds = scheduled.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default();
        time += Duration::from_nanos(nanoseconds);
    }
    (wake_ups, time)
}

/// What a process does over a while.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    wake_ups: u64,
    time: Duration,
    over: Duration,
}

impl Load {
    /// Watches a process.
    pub async fn over(pid: u32, over: Duration) -> Self {
        // What was begun before comes to its end.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = work(pid);
        tokio::time::sleep(over).await;
        let after = work(pid);
        Self { wake_ups: after.0.saturating_sub(before.0), time: after.1.saturating_sub(before.1), over }
    }

    /// How often it was woken.
    pub fn wake_ups_a_second(self) -> f64 {
        self.wake_ups as f64 / self.over.as_secs_f64()
    }

    /// How much of a processor it took, in percent.
    pub fn cpu(self) -> f64 {
        self.time.as_secs_f64() / self.over.as_secs_f64() * 100.0
    }
}

/// What it takes a window to be filled and to stand still.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    after: Duration,
    cpu: Duration,
    resident: f64,
    idle: f64,
}

/// One of a window's figures: its name with its unit, and its value.
type Figure = (&'static str, fn(&Shown) -> f64);

impl Shown {
    /// All figures.
    pub const FIGURES: [Figure; 4] = [
        ("filled after, s", |shown| shown.after.as_secs_f64()),
        ("CPU time until then, s", |shown| shown.cpu.as_secs_f64()),
        ("memory, MiB", |shown| shown.resident),
        ("idle wake-ups a second", |shown| shown.idle),
    ];

    /// Starts a program that opens a window on an empty screen, and ends it.
    pub async fn after_start(desktop: &Desktop, mut command: Command) -> Self {
        let mut last = desktop.pixels();
        let mut drawn = false;
        let begun = Instant::now();
        let mut child = command.spawn().expect("the program runs");
        let pid = child.id().expect("it runs");
        let (mut after, mut cpu) = (begun.elapsed(), Duration::ZERO);
        while !drawn || begun.elapsed() < after + STILL {
            assert!(begun.elapsed() < PATIENCE, "no window that stands still");
            tokio::time::sleep(LOOK).await;
            let now = desktop.pixels();
            if now != last {
                (last, drawn) = (now, true);
                (after, cpu) = (begun.elapsed(), work(pid).1);
            }
        }
        let resident = resident(pid);
        let idle = Load::over(pid, super::WATCHED).await.wake_ups_a_second();
        child.kill().await.expect("it can be ended");
        Self { after, cpu, resident, idle }
    }
}
