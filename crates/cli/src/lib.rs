//! `losscape`: trains overparameterized networks and measures the loss landscape they move through.
//!
//! - [`args`]: the command line as types.
//! - [`device`]: device names, and which devices this build has.
//! - [`train`], [`analyze`], [`claims`], [`study`], [`data`], [`list`]: the commands that need more than a call.
//! - [`progress`]: bars; [`signals`]: a word from outside that stops a run.
//! - [`terminal`]: what goes to the user; [`error`]: when something is wrong, and the exit code.
//! - [`memory`], [`threads`]: how much of the machine there is.
//!
//! Exit codes: 0 fine, 1 a claim or check failed, 2 bad usage or input, 75 interrupted with a checkpoint.

mod analyze;
mod args;
mod claims;
mod data;
mod device;
mod error;
mod list;
mod memory;
mod progress;
mod signals;
mod study;
mod terminal;
mod threads;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use losscape_lab::RunFolder;
use losscape_report::{RunRecords, compare, page};

use crate::args::{Cli, Command};
use crate::error::CliError;
use crate::terminal::{note, say, show};

/// Keeps freed memory: training and measuring give back and take arrays of the same sizes all the time, and the
/// system's allocator on Linux returns the large ones to the kernel in between, which cost a fifth of a full-batch
/// gradient in page faults. It is version 2: with version 3 a training step took a tenth longer. Libraries choose none;
/// a program of your own does well to.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                note!("{}", error.render().to_string().trim_end());
                return ExitCode::from(2);
            }
            // Help and version are results like others.
            error.print().unwrap_or_else(|error| terminal::unwritten(&error));
            return ExitCode::SUCCESS;
        }
    };
    match threads::start().and_then(|()| run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            error.print();
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Train(args) => return train::run(&args),
        Command::Analyze(args) => analyze::run(&args)?,
        Command::Claims(command) => return claims::run(&command),
        Command::Study(command) => return study::run(&command),
        Command::Data(command) => data::run(&command)?,
        Command::List { what } => list::print(what),
        Command::Report { run } => {
            let folder = RunFolder::new(run);
            page::write(&folder)?;
            say!("{}", folder.report().display());
        }
        Command::Compare { runs } => {
            let records =
                runs.iter().map(|run| RunRecords::read(&RunFolder::new(run))).collect::<Result<Vec<_>, _>>()?;
            let table = compare::table(&records).map_err(|error| CliError::Message(error.to_string()))?;
            show!("{table}");
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "losscape", &mut script);
            show!("{}", String::from_utf8_lossy(&script));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The command line, for manifests; what is not UTF-8 in it is replaced.
fn argv() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}
