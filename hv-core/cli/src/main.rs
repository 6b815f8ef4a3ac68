//! The command `hv`: the core without a window, for scripts, servers, tests and people who like a
//! terminal.
//!
//! It is a client like any other: it decides nothing about guests. Its commands, options, JSON and exit
//! codes are interface. Standard output carries the answer and nothing else; standard error explains.
// A test writes a whole guest as one `json!`.
#![cfg_attr(test, recursion_limit = "256")]

mod args;
mod commands;
mod console;
mod failure;
mod interrupt;
mod output;

use clap::Parser;
use failure::Failure;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let mut output = Output::new(args.json);
    // One thread is enough for one connection, and is there at once.
    let result = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(commands::run(args, &mut output));
            // A thread that waits for a key press must not hold the end up.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::system("The command could not be started.", &error)),
    };
    match result.and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&mut output),
    }
}
