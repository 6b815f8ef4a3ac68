//! The engine with the command line that the core gives it, started as one would by hand: no core, no
//! checks, and of its control protocol only what it takes to let the guest run.

use hv_tests::{Home, within};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

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

    /// How long it takes to let a machine run whose memory is in this file, and then to write that into another
    /// one and on the disk, until the process has ended.
    pub async fn time_of_restoring_and_saving(&self, memory: &Path) -> (Duration, Duration) {
        let _nothing = std::fs::remove_file(&self.monitor);
        let again = self.home.path("memory-by-hand");
        let begun = Instant::now();
        let mut command = self.home.command("sh");
        // A descriptor is inherited under the number that the shell gives it.
        command.args(["-c", "exec 8<\"$1\"; shift; exec \"$@\"", "sh"]).arg(memory);
        command.args(&self.words).args(["-incoming", "fd:8"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut engine = command.spawn().expect("the engine runs");
        let mut monitor = within("an engine started by hand", Monitor::reach(&self.monitor)).await;
        monitor.until("query-migrate", "\"completed\"").await;
        monitor.ask("cont").await;
        monitor.until("query-status", "\"running\"").await;
        let restored = begun.elapsed();

        let begun = Instant::now();
        monitor.ask("stop").await;
        monitor
            .command(r#"{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":4503599627370496}}"#)
            .await;
        let file = std::fs::File::create(&again).expect("a file");
        monitor.give(r#"{"execute":"getfd","arguments":{"fdname":"again"}}"#, &file).await;
        monitor.command(r#"{"execute":"migrate","arguments":{"uri":"fd:again"}}"#).await;
        monitor.until("query-migrate", "\"completed\"").await;
        file.sync_all().expect("a disk that takes it");
        monitor.ask("quit").await;
        within("the engine's end", engine.wait()).await.expect("its end");
        let saved = begun.elapsed();
        std::fs::remove_file(&again).expect("the file goes");
        (restored, saved)
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

/// The engine's control protocol, as far as it is spoken here.
struct Monitor {
    lines: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Monitor {
    async fn reach(path: &Path) -> Self {
        let stream = loop {
            match UnixStream::connect(path).await {
                Ok(stream) => break stream,
                Err(_not_yet) => tokio::time::sleep(TRY).await,
            }
        };
        let (read, write) = stream.into_split();
        let mut monitor = Self { lines: BufReader::new(read).lines(), write };
        monitor.line("\"QMP\"").await;
        monitor.ask("qmp_capabilities").await;
        monitor
    }

    /// The next line with this in it.
    async fn line(&mut self, wanted: &str) -> String {
        loop {
            let line = self.lines.next_line().await.expect("an answer").expect("the engine still runs");
            assert!(!line.contains("\"error\""), "{line}");
            if line.contains(wanted) {
                return line;
            }
        }
    }

    async fn command(&mut self, text: &str) -> String {
        self.write.write_all(format!("{text}\n").as_bytes()).await.expect("a request");
        self.line("\"return\"").await
    }

    /// Gives a command that a descriptor goes with.
    async fn give(&mut self, text: &str, file: &std::fs::File) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let files = [file.as_fd()];
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&files)), "room for a descriptor");
        let text = format!("{text}\n");
        let stream: &UnixStream = self.write.as_ref();
        let sent = sendmsg(stream, &[IoSlice::new(text.as_bytes())], &mut ancillary, SendFlags::empty());
        assert_eq!(sent.expect("a request"), text.len());
        self.line("\"return\"").await;
    }

    async fn ask(&mut self, command: &str) -> String {
        self.command(&format!("{{\"execute\":\"{command}\"}}")).await
    }

    /// Asks until the answer has this in it.
    async fn until(&mut self, command: &str, wanted: &str) {
        within(command, async {
            while !self.ask(command).await.contains(wanted) {
                tokio::time::sleep(TRY).await;
            }
        })
        .await;
    }
}
