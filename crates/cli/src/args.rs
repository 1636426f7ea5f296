//! The command line as types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Trains overparameterized networks and measures the loss landscape they move through.
#[derive(Parser)]
#[command(name = "losscape", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Train the network a configuration file describes; goes on by itself where an earlier start was stopped
    Train(TrainArgs),
    /// Show or export datasets
    #[command(subcommand)]
    Data(DataCommand),
    /// List what a configuration can name
    List {
        /// Which names
        what: Names,
    },
    /// Write the figures and the HTML report of a run again from its records
    Report {
        /// Run folder
        run: PathBuf,
    },
    /// Show runs side by side: the settings in which they differ, and the results
    Compare {
        /// Run folders
        #[arg(required = true, num_args = 2..)]
        runs: Vec<PathBuf>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Arguments of `train`.
#[derive(Args)]
#[command(after_help = "\
Example:
  losscape train examples/digits.toml -s optimizer.learning_rate=0.02 -s seed=1

Ctrl-C, SIGTERM and SIGUSR1 write a checkpoint and exit with code 75; the same command then goes on from there.
A second Ctrl-C stops at once.")]
pub struct TrainArgs {
    /// Configuration file
    pub config: PathBuf,
    /// Set a key of the configuration; may be given more than once
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder that run folders are made in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Device to calculate on: flex, ndarray, cuda or wgpu, with an index like cuda:1
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Throw away what an earlier start of the same run left
    #[arg(long)]
    pub fresh: bool,
}

/// What to do with datasets.
#[derive(Subcommand)]
pub enum DataCommand {
    /// List the names of datasets
    List,
    /// Write a dataset, split and standardized as for training, as a NumPy archive
    #[command(after_help = "\
Example:
  losscape data export spirals --out spirals.npz -s classes=5 -s samples=2000

The archive holds x [n, d] and y (labels [n] or targets [n, C]), and x_test and y_test if there is a test part.")]
    Export {
        /// Name of the dataset
        name: String,
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Set a key of the `data` table; may be given more than once
        #[arg(short, long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
}

/// What can be listed.
#[derive(Clone, Copy, ValueEnum)]
pub enum Names {
    /// Update rules for `[optimizer]`
    Optimizers,
    /// Learning-rate schedules for `[optimizer] schedule`
    Schedules,
    /// Networks for `[model]`
    Models,
    /// Activations for `[model]`
    Activations,
    /// Losses for `[loss]`
    Losses,
    /// Datasets for `[data]`
    Data,
}
