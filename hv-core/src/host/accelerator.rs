//! Finds out whether KVM runs guests at the speed of hardware, by trying.
//!
//! That `/dev/kvm` opens, and even that it runs a few instructions, proves nothing: there is software
//! that imitates it, and guests hang in it. So a tiny guest runs against the clock. It runs in a child
//! process, this program started again with [`PROBE_FLAG`], because only a process can be ended in the
//! middle of a run. No KVM is a finding here and never an error.

mod cache;
mod guest;

pub use guest::{ProbeReport, run_probe};

use super::facts;
use hv_api::{Accelerator, AcceleratorInfo, KvmState};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines, Take};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// The argument with which a program shall call [`probe_main`] and do nothing else.
pub const PROBE_FLAG: &str = "--probe-kvm";

const DEVICE: &str = "/dev/kvm";

/// How long the child may take until its guest is ready.
const SET_UP_TIME: Duration = Duration::from_secs(1);

/// How long the guest may run. Hardware needs less than 1 ms, imitations some 200.
const RUN_TIME: Duration = Duration::from_millis(25);

/// How many runs may be too slow until that is the verdict: the first one on a cold host can be far
/// slower than any other.
const SLOW_RUNS: u32 = 2;

/// How many runs there are at most, where the child had no CPU to run on, as happens while a session
/// starts.
const MOST_RUNS: u32 = 5;

/// How long an ended child may take to go.
const END_TIME: Duration = Duration::from_secs(1);

/// More than the child ever says, in bytes.
const LONGEST_REPORT: u64 = 4096;

/// The accelerator for guests: as remembered in the file `cache`, else as [`probe`] finds.
pub async fn accelerator(program: &Path, cache: &Path) -> AcceleratorInfo {
    remembered(program, Path::new(DEVICE), cache).await
}

/// Tries `/dev/kvm` in a child process: `program` started with [`PROBE_FLAG`]. Takes well under 100 ms
/// as a rule and a few seconds at most.
pub async fn probe(program: &Path) -> AcceleratorInfo {
    let mut command = Command::new(program);
    command.arg(PROBE_FLAG);
    probe_device(command, Path::new(DEVICE)).await.info()
}

/// What the child process does: runs the guest on the open `/dev/kvm` that is its standard input, and
/// reports on its standard output.
pub fn probe_main() -> ExitCode {
    // Should the parent die, nobody is left to end this process.
    let bound = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let device = bound.map_err(io::Error::from).and_then(|()| io::stdin().as_fd().try_clone_to_owned());
    let report = match device {
        Ok(device) => run_probe(device, || say(&ProbeReport::Ready)),
        Err(error) => ProbeReport::Failed { detail: format!("could not take over the device: {error}") },
    };
    say(&report);
    ExitCode::SUCCESS
}

fn say(report: &ProbeReport) {
    // A parent that does not listen any more needs no report.
    if let Ok(line) = serde_json::to_string(report) {
        let mut out = io::stdout().lock();
        let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

async fn remembered(program: &Path, device: &Path, cache: &Path) -> AcceleratorInfo {
    let key = cache::Key::of(device);
    if let Some(info) = key.as_ref().and_then(|key| cache::load(cache, key)) {
        return info;
    }
    let mut command = Command::new(program);
    command.arg(PROBE_FLAG);
    let finding = probe_device(command, device).await;
    let info = finding.info();
    tracing::info!(kvm = ?info.kvm, detail = info.detail, "tried KVM");
    if let Some(key) = key.filter(|_| finding.lasts())
        && let Err(error) = cache::store(cache, key, &info)
    {
        tracing::warn!("could not write {}: {error}; KVM will be tried again", cache.display());
    }
    info
}

/// What trying a device showed.
#[derive(Debug)]
enum Finding {
    /// It does not open.
    NotOpened { device: PathBuf, error: Errno },
    /// It opened; this is how the last run ended.
    Ran(Outcome),
}

/// How one run of the child ended.
#[derive(Debug)]
enum Outcome {
    /// The guest ran to its end in time.
    Done { microseconds: u64 },
    /// The guest took too long.
    Slow,
    /// The guest took too long, but so did the child get too little of the CPU.
    Starved,
    /// Setting up the guest took too long.
    NotReady,
    /// The child says, or shows by its end, that something failed.
    Failed { detail: String },
}

/// Tries the device with the command, which reports as [`probe_main`] does.
async fn probe_device(mut command: Command, device: &Path) -> Finding {
    let opened = match rustix::fs::open(device, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(opened) => opened,
        Err(error) => return Finding::NotOpened { device: device.to_owned(), error },
    };
    command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut slow_runs = 0;
    let mut runs = 0;
    loop {
        let outcome = attempt(&mut command, &opened).await;
        runs += 1;
        let again = match outcome {
            Outcome::Slow | Outcome::NotReady => {
                slow_runs += 1;
                slow_runs < SLOW_RUNS
            }
            Outcome::Starved => true,
            Outcome::Done { .. } | Outcome::Failed { .. } => false,
        };
        if !again || runs == MOST_RUNS {
            return Finding::Ran(outcome);
        }
    }
}

impl Finding {
    /// Whether it stays so until the next boot. A failure may not: another program may hold the CPU's
    /// virtualization now.
    fn lasts(&self) -> bool {
        matches!(self, Self::Ran(Outcome::Done { .. } | Outcome::Slow))
    }

    fn info(&self) -> AcceleratorInfo {
        let turns = guest::TURNS;
        let (kvm, detail) = match self {
            Self::NotOpened { device, error } => {
                let kvm = match *error {
                    Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::NOTDIR => KvmState::NoDevice,
                    Errno::ACCESS | Errno::PERM => KvmState::NoPermission,
                    _ => KvmState::Broken,
                };
                (kvm, format!("could not open {}: {}", device.display(), io::Error::from(*error)))
            }
            Self::Ran(Outcome::Done { microseconds }) => {
                let milliseconds = *microseconds as f64 / 1000.0;
                (KvmState::Works, format!("{turns} loop turns took {milliseconds:.2} ms"))
            }
            Self::Ran(outcome @ (Outcome::Slow | Outcome::Starved)) => {
                let limit = RUN_TIME.as_millis();
                let why = if matches!(outcome, Outcome::Slow) {
                    "hardware needs less than 1 ms"
                } else {
                    "the host was too busy to tell why"
                };
                (KvmState::TooSlow, format!("{turns} loop turns were not done within {limit} ms; {why}"))
            }
            Self::Ran(Outcome::NotReady) => {
                (KvmState::Broken, format!("setting up a guest took more than {} s", SET_UP_TIME.as_secs()))
            }
            Self::Ran(Outcome::Failed { detail }) => (KvmState::Broken, detail.clone()),
        };
        let chosen = if kvm == KvmState::Works { Accelerator::Kvm } else { Accelerator::Emulation };
        let flag = facts::virtualization_flag()
            .map_or_else(|| "neither svm nor vmx".to_owned(), |flag| format!("the flag {flag}"));
        AcceleratorInfo { chosen, kvm, detail: format!("{detail}; the CPU shows {flag}") }
    }
}

async fn attempt(command: &mut Command, device: &OwnedFd) -> Outcome {
    let started = device.try_clone().and_then(|device| command.stdin(device).spawn());
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Outcome::Failed { detail: format!("could not start the test: {error}") },
    };
    let outcome = match child.stdout.take() {
        Some(out) => listen(&child, BufReader::new(out.take(LONGEST_REPORT)).lines()).await,
        None => None,
    };
    // It has nothing more to do, whether it knows that or not.
    let ended = timeout(END_TIME, async {
        if outcome.is_some() {
            child.start_kill()?;
        }
        child.wait().await
    })
    .await;
    outcome.unwrap_or_else(|| {
        let how = match ended {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => "no end".to_owned(),
        };
        Outcome::Failed { detail: format!("the test gave no result: {how}") }
    })
}

type Reports = Lines<BufReader<Take<ChildStdout>>>;

/// Follows the child's reports; nothing where it stops to report without a result.
async fn listen(child: &Child, mut reports: Reports) -> Option<Outcome> {
    match timeout(SET_UP_TIME, next_report(&mut reports)).await {
        Err(_elapsed) => return Some(Outcome::NotReady),
        Ok(Some(ProbeReport::Ready)) => (),
        Ok(other) => return outcome_of(other?),
    }
    let before = cpu_time(child);
    if let Ok(report) = timeout(RUN_TIME, next_report(&mut reports)).await {
        return outcome_of(report?);
    }
    let worked = cpu_time(child).zip(before).map(|(after, before)| after.saturating_sub(before));
    // The kernel may count in ticks of up to 10 ms; half of the time shows that it had a CPU.
    let starved = worked.is_some_and(|worked| worked < RUN_TIME / 2);
    Some(if starved { Outcome::Starved } else { Outcome::Slow })
}

fn outcome_of(report: ProbeReport) -> Option<Outcome> {
    match report {
        ProbeReport::Ready => None,
        // This process may have been late to look.
        ProbeReport::Done { microseconds } if Duration::from_micros(microseconds) > RUN_TIME => {
            Some(Outcome::Slow)
        }
        ProbeReport::Done { microseconds } => Some(Outcome::Done { microseconds }),
        ProbeReport::Failed { detail } => Some(Outcome::Failed { detail }),
    }
}

/// The next line that is a report; nothing where there is none any more.
async fn next_report(reports: &mut Reports) -> Option<ProbeReport> {
    while let Ok(Some(line)) = reports.next_line().await {
        if let Ok(report) = serde_json::from_str(&line) {
            return Some(report);
        }
    }
    None
}

/// How long the child's threads had a CPU.
fn cpu_time(child: &Child) -> Option<Duration> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", child.id()?)).ok()?;
    threads
        .map(|thread| {
            let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
        })
        .sum()
}

#[cfg(test)]
mod tests;
