//! The engine with the command line that the core gives it, started as one would by hand: no core, no
//! checks, and of its control protocol only what it takes to let the guest run.

use hv_tests::{Home, within};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// How often it is tried to reach an engine that has just been started.
const TRY: Duration = Duration::from_millis(1);

/// A command line.
#[derive(Debug)]
pub struct Command<'a> {
    home: &'a Home,
    words: Vec<String>,
    monitor: PathBuf,
}

impl<'a> Command<'a> {
    /// The command line of `hv create --dry-run --json`. Instead of descriptors that the core hands it, the
    /// engine makes its sockets itself.
    pub fn from_plan(plan: &serde_json::Value, home: &'a Home) -> Self {
        let words = plan["command"].as_array().expect("a command line");
        let mut words: Vec<_> = words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
        let (mut monitor, mut sockets) = (None, 0);
        for word in words.iter_mut().filter(|word| word.starts_with("socket,id=")) {
            let path = home.path(&format!("by-hand-{sockets}"));
            sockets += 1;
            let is_monitor = word.starts_with("socket,id=mon,");
            let parts: Vec<_> = word
                .split(',')
                .filter(|part| !part.starts_with("logfile=") && !part.starts_with("logappend="))
                .map(|part| {
                    if part.starts_with("fd=") { format!("path={}", path.display()) } else { part.to_owned() }
                })
                .collect();
            *word = parts.join(",");
            if is_monitor {
                monitor = Some(path);
            }
        }
        Self { home, words, monitor: monitor.expect("a control socket") }
    }

    /// How long it takes from the start of the process until the guest runs. The engine is ended then.
    pub async fn time_until_running(&self) -> Duration {
        // What an engine before has left.
        let _nothing = std::fs::remove_file(&self.monitor);
        let begun = Instant::now();
        let mut command = self.home.command(&self.words[0]);
        command.args(&self.words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut engine = command.spawn().expect("the engine runs");
        within("an engine started by hand to run", self.let_run()).await;
        let took = begun.elapsed();
        engine.kill().await.expect("the engine can be ended");
        took
    }

    async fn let_run(&self) {
        let stream = loop {
            match UnixStream::connect(&self.monitor).await {
                Ok(stream) => break stream,
                Err(_not_yet) => tokio::time::sleep(TRY).await,
            }
        };
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut next = async |wanted: &str| loop {
            let line = lines.next_line().await.expect("an answer").expect("the engine still runs");
            if line.contains(wanted) {
                return;
            }
        };
        next("\"QMP\"").await;
        for request in ["qmp_capabilities", "cont"] {
            let line = format!("{{\"execute\":\"{request}\"}}\n");
            write.write_all(line.as_bytes()).await.expect("a request");
            next("\"return\"").await;
        }
        write.write_all(b"{\"execute\":\"query-status\"}\n").await.expect("a request");
        next("\"running\"").await;
    }
}
