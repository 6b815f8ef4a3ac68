//! The program `hv-core`: reads its options, opens the log, and runs the daemon.
//!
//! Clients start it and read one line from its standard output: `listening`, `already running`, or what
//! is wrong.

use clap::Parser;
use hv_core::daemon::{Daemon, StartError};
use hv_core::engine::qemu::Qemu;
use hv_core::host::scopes::Scopes;
use hv_core::host::{self, Accelerators, Folders};
use hv_core::session;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// A log that has grown beyond this, in bytes, is set aside when the core starts.
const LOG_LIMIT: u64 = 4 << 20;

/// What the library of the socket would say of calls has in it whatever is in them, and so passwords.
const SILENT: [&str; 2] =
    ["zlink_core::connection::read_connection=debug", "zlink_core::connection::write_connection=debug"];

/// Keeps, starts and watches the guests of one user. Clients start it when they need it.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Options {
    /// Listen here instead of on the usual socket of this user.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Try whether KVM runs a program, say so in one line, and end.
    #[arg(long, hide = true)]
    probe_kvm: bool,

    /// Be the switch of the isolated network in this folder, and nothing else.
    #[arg(long, hide = true, value_name = "FOLDER")]
    switch: Option<PathBuf>,

    /// Read the boot menu on a guest's disk, as a question over the standard input says, and nothing else.
    #[arg(long, hide = true)]
    read_boot_menu: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(folder) = options.switch {
        return match hv_core::switch::run(&folder) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}: {error}", folder.display());
                ExitCode::FAILURE
            }
        };
    }
    if options.read_boot_menu {
        return match hv_core::bootmenu::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    if options.probe_kvm {
        return host::probe_main();
    }
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let running = matches!(error, StartError::AlreadyRunning);
            say(&error.to_string());
            if running { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn run(options: Options) -> Result<(), StartError> {
    close_inherited();
    // Whatever is made from here on is for this user only.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let folders = Folders::from_env().map_err(|error| StartError::Folders(std::io::Error::other(error)))?;
    folders.create().map_err(StartError::Folders)?;
    open_log(&folders.state.join("hv-core.log"));
    let socket = options.socket.unwrap_or_else(hv_api::paths::socket);
    let program = std::env::current_exe().map_err(StartError::Folders)?;
    let accelerator = Accelerators::probed(program.clone(), folders.state.join("accelerator.json"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Folders)?;
    let tasks = tokio::task::LocalSet::new();
    let result = tasks.block_on(&runtime, async {
        let engine = Arc::new(Qemu::new("qemu-system-x86_64").with_switch(program));
        let daemon = Daemon::start(engine, folders, accelerator, Scopes::of_session(), socket).await?;
        say("listening");
        tokio::task::spawn_local(session::follow(daemon.registry(), zbus::Connection::system()));
        daemon.run().await;
        Ok(())
    });
    // What listens on the system's bus takes leave of it within the runtime, or panics.
    let within = runtime.enter();
    drop(tasks);
    drop(within);
    // A thread that hangs in some far file system must not hold up the end.
    runtime.shutdown_background();
    result
}

/// Closes what the client that started the core had open beyond the standard streams. The core outlives
/// its client, and engines outlive the core: whoever waits for the end of a pipe or for a lock that came
/// along would wait for them.
fn close_inherited() {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // That of the folder itself is closed by now.
    let is_open = |number: &i32| Path::new("/proc/self/fd").join(number.to_string()).is_symlink();
    for number in numbers.into_iter().filter(|number| *number > 2 && is_open(number)) {
        // SAFETY: it is open, and nothing in this program has opened anything yet, so nobody owns it.
        #[expect(unsafe_code, reason = "descriptors that came from another program have no owner here")]
        unsafe {
            rustix::io::close(number);
        }
    }
}

/// Says one line to whoever started the core, and nothing more: it may be gone any time.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
    if !output.is_terminal()
        && let Ok(nothing) = OpenOptions::new().write(true).open("/dev/null")
    {
        let _ = rustix::stdio::dup2_stdout(nothing);
    }
}

/// The log goes to the terminal where there is one, to the journal where systemd reads it, else to a file.
fn open_log(path: &Path) {
    let filter = EnvFilter::try_from_env("GUESTHOUSE_LOG").unwrap_or_else(|_unset| EnvFilter::new("info"));
    let filter = SILENT.iter().filter_map(|rule| rule.parse().ok()).fold(filter, EnvFilter::add_directive);
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    if std::io::stderr().is_terminal() || is_journal(std::io::stderr()) {
        builder.with_writer(std::io::stderr).init();
    } else if let Ok(file) = log_file(path) {
        builder.with_ansi(false).with_writer(Arc::new(file)).init();
    }
}

/// Whether the journal reads this. The variable alone does not tell: whatever a session's programs start
/// inherits it, with other streams.
fn is_journal(stream: impl AsFd) -> bool {
    let Ok(found) = rustix::fs::fstat(stream) else { return false };
    let journal = format!("{}:{}", found.st_dev, found.st_ino);
    std::env::var("JOURNAL_STREAM").is_ok_and(|named| named == journal)
}

fn log_file(path: &Path) -> std::io::Result<File> {
    if path.metadata().is_ok_and(|found| found.len() > LOG_LIMIT) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
