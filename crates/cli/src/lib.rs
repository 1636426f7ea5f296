//! The `losscape` command: trains overparameterized networks and measures the loss landscape they move through.
//!
//! [`main`] is the whole of it, for the program and for the Python package, which has the command too.
//!
//! - `args`: the command line as types; `call`: how the command was called.
//! - `device`: device names, and which devices this build has.
//! - `train`, `watch`, `analyze`, `connect`, `claims`, `study`, `data`, `list`, `ls`, `compare`, `init`, `help`: the
//!   commands that need more than a call.
//! - `progress`: bars; `signals`: a word from outside that stops a run.
//! - `terminal`: what goes to the user; `error`: when something is wrong, and the exit code.
//! - `memory`, `threads`: how much of the machine there is.
//!
//! Exit codes: 0 fine, 1 a claim or check failed, 2 bad usage or input, 75 interrupted with a checkpoint.

mod analyze;
mod args;
mod call;
mod claims;
mod compare;
mod connect;
mod data;
mod device;
mod error;
mod help;
mod init;
mod list;
mod ls;
mod memory;
mod progress;
mod signals;
mod study;
mod terminal;
mod threads;
mod train;
mod watch;

use clap::{CommandFactory, Parser};
use losscape_lab::RunFolder;
use losscape_report::page;

use crate::args::{Cli, Command};
pub use crate::call::Call;
use crate::error::CliError;
use crate::terminal::{note, say, show};

/// Does what the command line says, and returns the exit code.
#[must_use]
pub fn main(call: &Call) -> u8 {
    let cli = match Cli::try_parse_from(&call.arguments) {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                note!("{}", error.render().to_string().trim_end());
                return 2;
            }
            // Help and version are results like others.
            error.print().unwrap_or_else(|error| terminal::unwritten(&error));
            return 0;
        }
    };
    terminal::listen(&cli.talk);
    threads::start().and_then(|()| run(cli.command, call)).unwrap_or_else(|error| {
        error.print();
        2
    })
}

fn run(command: Command, call: &Call) -> Result<u8, CliError> {
    match command {
        Command::Train(args) => return train::run(&args, call),
        Command::Flow(args) => return train::with_flows(&args.train, call),
        Command::Analyze(args) => analyze::run(&args)?,
        Command::Claims(command) => return claims::run(&command),
        Command::Study(command) => return study::run(&command, call),
        Command::Data(command) => data::run(&command)?,
        Command::List { what } => list::print(what),
        Command::Help { words } => help::run(&words)?,
        Command::Schema { markdown } => help::schema(markdown),
        Command::Report { run } => {
            let folder = RunFolder::new(run);
            page::write(&folder)?;
            say!("{}", folder.report().display());
        }
        Command::Compare(args) => compare::run(&args)?,
        Command::Init(args) => init::run(&args)?,
        Command::Ls(args) => ls::run(&args)?,
        Command::Watch { run } => watch::run(&RunFolder::new(run))?,
        Command::Connect(args) => connect::run(&args)?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "losscape", &mut script);
            show!("{}", String::from_utf8_lossy(&script));
        }
    }
    Ok(0)
}
